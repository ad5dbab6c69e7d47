"""Intervals and pass@k against closed forms and simulation."""

import itertools
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.rl.stats import mean_interval, paired_gain, pass_at_k, upper_bound


def test_pass_at_k_is_the_share_of_subsets_that_hold_a_pass():
    for samples, passed in [(4, 0), (4, 1), (5, 2), (6, 6)]:
        marks = [1] * passed + [0] * (samples - passed)
        for k in range(1, samples + 1):
            subsets = list(itertools.combinations(marks, k))
            assert pass_at_k(samples, passed, k) == pytest.approx(sum(any(s) for s in subsets) / len(subsets))


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
