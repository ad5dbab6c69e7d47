"""Kappa, rank correlation and intervals, against closed forms, published figures and simulation."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from proofgrad.verifiers.rubric.agreement import bootstrap_kappa, cohen_kappa, spearman, wilson

pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


def table(yes_yes, yes_no, no_yes, no_no):
    return [(True, True)] * yes_yes + [(True, False)] * yes_no + [(False, True)] * no_yes + [(False, False)] * no_no


def asymptotic_error(a, b, c, d):
    """Large-sample standard error of kappa: J. Fleiss, J. Cohen, B. Everitt, Psychological Bulletin 72 (1969)."""
    n = a + b + c + d
    p = [[a / n, b / n], [c / n, d / n]]
    rows, columns = [sum(row) for row in p], [p[0][i] + p[1][i] for i in (0, 1)]
    observed, chance = p[0][0] + p[1][1], sum(r * k for r, k in zip(rows, columns, strict=True))
    on = sum(p[i][i] * ((1 - chance) - (columns[i] + rows[i]) * (1 - observed)) ** 2 for i in (0, 1))
    off = (1 - observed) ** 2 * sum(p[i][j] * (columns[i] + rows[j]) ** 2 for i, j in ((0, 1), (1, 0)))
    return math.sqrt((on + off - (observed * chance - 2 * chance + observed) ** 2) / n) / (1 - chance) ** 2


def test_kappa_of_a_table_is_what_its_formula_gives():
    # po = 35/50, pe = 1/2.
    assert cohen_kappa(table(20, 5, 10, 15)) == pytest.approx(0.4)


def test_the_bootstrap_agrees_with_the_large_sample_formula():
    cells = (80, 20, 40, 60)
    estimate = bootstrap_kappa([[pair] for pair in table(*cells)])
    half = 1.96 * asymptotic_error(*cells)
    assert estimate.value == pytest.approx(0.4)
    assert estimate.low == pytest.approx(0.4 - half, abs=0.02)
    assert estimate.high == pytest.approx(0.4 + half, abs=0.02)


def test_judgements_that_only_repeat_one_another_do_not_narrow_the_interval():
    single = bootstrap_kappa([[pair] for pair in table(20, 5, 10, 15)])
    repeated = bootstrap_kappa([[pair] * 10 for pair in table(20, 5, 10, 15)])
    assert repeated == pytest.approx(single)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng, hits, trials = random.Random(3), 0, 40
    for _ in range(trials):
        truths = [rng.random() < 0.5 for _ in range(50)]
        found = bootstrap_kappa([[(truth, truth if rng.random() < 0.8 else not truth)] for truth in truths])
        hits += found.low <= 0.6 <= found.high  # 0.8 correct of balanced labels: 2 * 0.8 - 1
    assert hits >= 0.82 * trials


@given(pairs)
def test_kappa_lies_between_minus_one_and_one_and_does_not_depend_on_who_is_first(items):
    kappa = cohen_kappa(items)
    assert kappa == cohen_kappa([(b, a) for a, b in items])
    if kappa is not None:
        assert -1 <= kappa <= 1
    if all(a == b for a, b in items) and len(set(items)) == 2:
        assert kappa == 1


def test_kappa_is_undefined_where_chance_agrees_always():
    assert cohen_kappa([(True, True)] * 3) is None
    assert cohen_kappa([]) is None
    assert bootstrap_kappa([[(True, True)]]) == (None, None, None)
    assert str(bootstrap_kappa([])) == "undefined"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=30))
def test_rank_correlation_is_that_of_scipy(points):
    xs, ys = [float(x) for x, _ in points], [float(y) for _, y in points]
    if len(set(xs)) > 1 and len(set(ys)) > 1:
        assert spearman(xs, ys) == pytest.approx(stats.spearmanr(xs, ys).statistic, abs=1e-9)
    elif len(set(xs)) > 1:
        assert spearman(xs, ys) == 0.0
    else:
        assert spearman(xs, ys) is None


@given(st.integers(1, 60), st.data())
def test_the_interval_of_a_share_is_that_of_scipy(n, data):
    successes = data.draw(st.integers(0, n))
    theirs = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((successes / n, theirs.low, theirs.high), abs=1e-9)


def test_a_share_of_nothing_is_undefined():
    assert wilson(0, 0) == (None, None, None)
