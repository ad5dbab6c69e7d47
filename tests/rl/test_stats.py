"""Intervals and pass@k against closed forms and simulation."""

import gc
import itertools
import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.rl.stats import (
    Estimate,
    detectable_difference,
    holm,
    mean_interval,
    paired_gain,
    paired_power,
    paired_test,
    pass_at_k,
    problems_to_find,
    problems_to_tie,
    rate_difference,
    rate_interval,
    upper_bound,
)


@pytest.fixture(autouse=True, scope="module")
def _no_collections():
    """statsmodels collects garbage at every correction, which takes a tenth of a second of a process this large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "collect", lambda *_: 0)
        yield


@pytest.mark.parametrize(("samples", "passed", "k"), [(4, 5, 1), (4, -1, 1), (4, 2, 5), (4, 2, 0)])
def test_pass_at_k_refuses_what_cannot_be(samples, passed, k):
    with pytest.raises(ValueError, match="need 0 <= passed"):
        pass_at_k(samples, passed, k)


def test_interval_agrees_with_a_published_example():
    # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.2: 195 values, mean 9.261460, s 0.022789.
    n, mean, sd = 195, 9.261460, 0.022789
    half = sd * ((n - 1) / n) ** 0.5
    values = [mean - half, mean + half] * (n // 2) + [mean]
    estimate = mean_interval(values)
    assert statistics.stdev(values) == pytest.approx(sd, rel=3e-3)
    assert (estimate.low, estimate.high) == (pytest.approx(9.258242, abs=2e-5), pytest.approx(9.264679, abs=2e-5))


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = random.Random(7)
    hits, trials = 0, 600
    for _ in range(trials):
        values = [sum(rng.random() < 0.4 for _ in range(4)) / 4 for _ in range(60)]
        estimate = mean_interval(values)
        hits += estimate.low <= 0.4 <= estimate.high
    assert hits / trials == pytest.approx(0.95, abs=0.03)


def test_a_run_compared_with_itself_gains_nothing():
    values = [0.0, 0.25, 1.0, 0.5]
    assert paired_gain(values, values) == (0.0, 0.0, 0.0)


def test_pairing_refuses_different_problems():
    with pytest.raises(ValueError, match=r"shorter|longer"):
        paired_gain([0.1, 0.2], [0.1, 0.2, 0.3])


def test_one_problem_has_no_interval():
    with pytest.raises(ValueError, match="at least two problems"):
        mean_interval([0.5])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_the_mean_lies_within_its_interval(values):
    estimate = mean_interval(values)
    assert estimate.low <= estimate.mean <= estimate.high


@pytest.mark.parametrize("n", [1, 20, 300])
def test_the_bound_on_a_rate_that_was_never_seen_has_a_closed_form(n):
    assert upper_bound(0, n) == pytest.approx(1 - 0.05 ** (1 / n))
    assert upper_bound(n, n) == 1.0


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_the_bound_holds_in_at_least_its_share_of_simulated_audits(rate):
    rng = random.Random(0)
    covered = sum(upper_bound(sum(rng.random() < rate for _ in range(60)), 60) >= rate for _ in range(1000))
    assert covered / 1000 > 0.95 - 0.015  # two standard errors of the simulation


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="found=3"):
        upper_bound(3, 2)


def wilson(passed, n):
    from scipy.stats import binomtest

    found = binomtest(passed, n).proportion_ci(0.95, method="wilson")
    return Estimate(passed / n, found.low, found.high)


def counts(passed, n):
    return [1.0] * passed + [0.0] * (n - passed)


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_what_drawing_without_replacement_gives(case):
    samples, passed, k = case
    marks = [1] * passed + [0] * (samples - passed)
    subsets = list(itertools.combinations(marks, k))
    assert pass_at_k(samples, passed, k) == pytest.approx(sum(any(s) for s in subsets) / len(subsets))


def test_pass_at_k_is_unbiased_whatever_the_rate():
    for rate, samples, k in [(0.1, 4, 2), (0.5, 6, 4), (0.9, 5, 5)]:
        chances = [math.comb(samples, c) * rate**c * (1 - rate) ** (samples - c) for c in range(samples + 1)]
        mean = sum(chance * pass_at_k(samples, c, k) for c, chance in enumerate(chances))
        assert mean == pytest.approx(1 - (1 - rate) ** k)


# Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), 857-872,
# table I: the score interval of Wilson (1927) and the exact one of Clopper and Pearson (1934).
@pytest.mark.parametrize(
    ("passed", "n", "method", "low", "high"),
    [
        (81, 263, "wilson", 0.2553, 0.3662),
        (15, 148, "wilson", 0.0624, 0.1605),
        (0, 20, "clopper-pearson", 0.0, 0.1684),
        (1, 29, "clopper-pearson", 0.0009, 0.1776),
    ],
)
def test_rates_of_one_sample_a_problem_have_the_published_intervals(passed, n, method, low, high):
    found = rate_interval(counts(passed, n))
    assert found.method == method
    assert found.estimate == pytest.approx((passed / n, low, high), abs=5.1e-5)


# Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17 (1998),
# 873-890, table II, method 10.
@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_differences_of_rates_have_the_published_intervals(one, other, low, high):
    found = rate_difference(wilson(*one), wilson(*other))
    assert (found.low, found.high) == pytest.approx((low, high), abs=5.1e-5)


def test_the_interval_of_many_problems_is_that_of_the_clustered_standard_error():
    """Miller (arXiv 2411.00640), section 2.2, with clusters of equal size, and t for the normal quantile."""
    from scipy.stats import t

    rng = random.Random(1)
    clusters = [[float(rng.random() < rate) for _ in range(4)] for rate in (0.2, 0.5, 0.9) for _ in range(40)]
    every = [value for cluster in clusters for value in cluster]
    mean, n, problems = statistics.fmean(every), len(every), len(clusters)
    # SE² = Σ_c Σ_i Σ_j (s_ic - s̄)(s_jc - s̄) / n²; dividing by problems - 1 in place of problems makes it unbiased.
    error = math.sqrt(sum(sum(v - mean for v in cluster) ** 2 for cluster in clusters)) / n
    half = t.ppf(0.975, problems - 1) * error * math.sqrt(problems / (problems - 1))
    found = rate_interval([statistics.fmean(cluster) for cluster in clusters])
    assert found.method == "t"
    assert found.estimate == pytest.approx((mean, mean - half, mean + half))


@given(st.lists(st.integers(0, 4).map(lambda c: c / 4), min_size=1, max_size=60), st.sampled_from([0.8, 0.95, 0.999]))
def test_intervals_of_rates_lie_within_0_and_1_and_have_a_width(values, level):
    found, _ = rate_interval(values, level)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.high - found.low > 0


@given(st.lists(st.integers(0, 4).map(lambda c: c / 4), min_size=1, max_size=60))
def test_failures_have_the_mirrored_interval_of_successes(values):
    (mean, low, high), method = rate_interval(values)
    other, same = rate_interval([1 - value for value in values])
    assert same == method
    assert other == pytest.approx((1 - mean, 1 - high, 1 - low), abs=1e-9)


@given(st.lists(st.integers(0, 4).map(lambda c: c / 4), min_size=2, max_size=60))
def test_a_higher_level_never_narrows_an_interval(values):
    narrow, wide = rate_interval(values, 0.9).estimate, rate_interval(values, 0.99).estimate
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high


@pytest.mark.parametrize(
    ("values", "method"),
    [
        ([0.5] * 40, "clopper-pearson"),  # equal means: no variance to estimate
        (counts(3, 29), "clopper-pearson"),
        (counts(3, 30), "wilson"),
        (counts(0, 400), "clopper-pearson"),
        ([0.5, 0.25] * 20, "t"),  # 15 problems' worth of successes
        ([0.5, 0.25] * 19, "korn-graubard"),
        ([0.25, 0.0] * 40, "korn-graubard"),  # successes are rare
        ([0.75, 1.0] * 40, "korn-graubard"),  # failures are
    ],
)
def test_the_method_is_chosen_as_documented(values, method):
    assert rate_interval(values).method == method


def test_equal_means_have_the_interval_of_as_many_tosses_of_a_coin():
    assert rate_interval([0.5] * 20).estimate == pytest.approx(rate_interval(counts(10, 20)).estimate)


def test_few_problems_with_several_samples_are_worth_no_more_than_their_variance_says():
    varied, alike = [0.0, 1.0, 0.25, 0.75] * 3, [0.5, 0.25, 0.75, 0.5] * 3
    wide, narrow = rate_interval(varied).estimate, rate_interval(alike).estimate
    assert wide.mean == narrow.mean == 0.5
    assert narrow.high - narrow.low < wide.high - wide.low


@given(st.lists(st.integers(0, 4).map(lambda c: c / 4), min_size=2, max_size=40))
def test_no_interval_of_few_problems_is_wider_than_that_of_as_many_tosses(values):
    (mean, low, high), method = rate_interval(values)
    tosses = rate_interval([mean] * len(values)).estimate
    if method == "korn-graubard":
        assert tosses.low <= low + 1e-9
        assert high <= tosses.high + 1e-9


@pytest.mark.parametrize("values", [[], [0.5, 1.5], [-0.1], [float("nan")]])
def test_what_is_no_rate_has_no_interval(values):
    with pytest.raises(ValueError, match="a rate needs"):
        rate_interval(values)


def test_the_paired_test_is_students():
    from scipy.stats import ttest_rel

    rng = random.Random(3)
    before = [rng.randrange(5) / 4 for _ in range(50)]
    after = [rng.randrange(5) / 4 for _ in range(50)]
    found, peer = paired_test(before, after), ttest_rel(after, before)
    assert found.p_value == pytest.approx(peer.pvalue)
    assert found.difference[1:] == pytest.approx(tuple(peer.confidence_interval(0.95)))
    assert found.difference == pytest.approx(paired_gain(before, after))


@given(st.lists(st.tuples(*[st.integers(0, 4).map(lambda c: c / 4)] * 2), min_size=2, max_size=40))
def test_comparing_the_other_way_round_turns_the_sign_and_nothing_else(pairs):
    before, after = map(list, zip(*pairs, strict=True))
    there, back = paired_test(before, after), paired_test(after, before)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.difference == pytest.approx((-back.difference.mean, -back.difference.high, -back.difference.low))
    assert there.tie[1:] == pytest.approx((-back.tie.high, -back.tie.low))
    assert -1 <= there.difference.low <= there.difference.mean <= there.difference.high <= 1


@pytest.mark.parametrize("changed", [1, 3, 5, 8])
def test_few_problems_that_all_gain_are_no_surer_than_their_signs(changed):
    found = paired_test([0.0] * 100, [0.5] * changed + [0.0] * (100 - changed))
    assert found.p_value >= 2.0 ** (1 - changed)


def test_problems_that_gain_equally_leave_a_doubt_and_an_interval():
    found = paired_test([0.0] * 4, [0.25] * 4)
    assert found.p_value == 0.125
    assert found.difference.low < 0 < found.difference.mean < found.difference.high


@given(st.lists(st.integers(-4, 4).map(lambda c: c / 4), min_size=2, max_size=40))
def test_a_tie_rests_on_no_less_than_the_90_percent_interval(differences):
    before = [max(0.0, -d) for d in differences]
    found = paired_test(before, [b + d for b, d in zip(before, differences, strict=True)])
    for interval in (mean_interval(differences, 0.9), mean_interval([*differences, 1.0, -1.0], 0.9)):
        assert found.tie.low <= interval.low + 1e-12
        assert interval.high <= found.tie.high + 1e-12
    assert found.is_within(1.0) == (found.tie.low > -1 and found.tie.high < 1)


def test_too_few_problems_are_never_equal_however_alike():
    assert not paired_test([1.0] * 20, [1.0] * 20).is_within(0.05)
    assert paired_test([1.0] * 100, [1.0] * 100).is_within(0.05)


def test_holms_correction_has_its_published_form():
    """Sorted, the p-values are multiplied by m, m - 1, ...; each is at least the one before, and none above 1."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holms_correction_rejects_no_less_than_bonferroni_and_no_more_than_none(p_values):
    for p, adjusted in zip(p_values, holm(p_values), strict=True):
        assert p <= adjusted <= min(1.0, p * len(p_values)) + 1e-12


def test_power_agrees_with_a_published_table():
    """Cohen, "Statistical Power Analysis" (2nd ed. 1988), example: d = 0.5, 34 pairs, two-sided 0.05, power 0.80."""
    assert paired_power(0.5, 1.0, 34) == pytest.approx(0.808, abs=5e-4)
    assert problems_to_find(0.5, 1.0) == 34
    assert problems_to_find(0.2, 1.0) == 199


def test_power_comes_near_millers_formula_where_problems_are_many():
    """Section 5: n = (z_{α/2} + z_β)² ω² / δ², here with δ = 0.03 and 0.25 for the deviation ω."""
    formula = (1.959964 + 0.841621) ** 2 * 0.25**2 / 0.03**2
    assert problems_to_find(0.03, 0.25) == pytest.approx(formula, abs=3)
    assert detectable_difference(0.25, round(formula)) == pytest.approx(0.03, rel=3e-3)


@given(st.floats(1e-3, 1.0), st.integers(2, 10_000), st.sampled_from([0.05, 0.01, 0.001]))
def test_the_detectable_difference_is_found_with_the_power_stated(deviation, problems, alpha):
    least = detectable_difference(deviation, problems, alpha)
    assert 0 < least <= 1
    power = paired_power(least, deviation, problems, alpha)
    assert power == pytest.approx(0.8, abs=1e-4) if least < 1 else power < 0.8 + 1e-4


@given(st.floats(0.005, 0.5), st.floats(0.05, 0.6))
def test_the_problems_needed_are_the_least_that_suffice(difference, deviation):
    n = problems_to_find(difference, deviation)
    assert paired_power(difference, deviation, n) >= 0.8
    assert n == 2 or paired_power(difference, deviation, n - 1) < 0.8


def test_nothing_is_found_of_no_difference_and_no_tie_at_the_margin_itself():
    assert problems_to_find(0.0, 0.3) is None
    assert problems_to_tie(0.05, 0.3, 0.05) is None
    assert problems_to_tie(0.0, 0.3, 0.05) < problems_to_tie(0.03, 0.3, 0.05)


def test_fewer_problems_than_signs_need_have_no_power():
    assert paired_power(1.0, 0.1, 5) == 0.0
    assert detectable_difference(0.1, 5) == 1.0


@pytest.mark.parametrize(("deviation", "problems"), [(0.0, 10), (0.3, 1)])
def test_power_needs_a_spread_and_two_problems(deviation, problems):
    with pytest.raises(ValueError, match="power needs"):
        paired_power(0.1, deviation, problems)
