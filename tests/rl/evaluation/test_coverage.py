"""Whether intervals, tests and their power hold what they promise, by simulation.

Problems have rates of their own, drawn from a beta distribution that is high at both ends, as those of language models
are; each is sampled a few times. What was simulated so many times is held against what was promised with four standard
errors.
"""

import gc
import math
from pathlib import Path

import numpy as np
import pytest

from proofgrad.rl.evaluate import Evaluation, TaskResult
from proofgrad.rl.evaluation.compare import ALPHA, POWER, compare_evaluations
from proofgrad.rl.evaluation.jaggedness import jaggedness
from proofgrad.rl.evaluation.stored import StoredEvaluation
from proofgrad.rl.stats import detectable_difference, holm, mean_interval, paired_power, paired_test, rate_interval


@pytest.fixture(autouse=True, scope="module")
def _no_collections():
    """statsmodels collects garbage at every correction, which takes a tenth of a second of a process this large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "collect", lambda *_: 0)
        yield


def slack(share, trials):
    return 4 * math.sqrt(share * (1 - share) / trials)


def problem_rates(rng, mean, shape, spread=0.5):
    """Rates of problems; the smaller `spread`, the more of them are always or never solved."""
    return rng.beta(mean * spread, (1 - mean) * spread, shape)


def stored(name, passed, samples, domains=("theorems",)):
    """An evaluation of so many passes for each problem, problems dealt out evenly over the domains."""
    results = [
        TaskResult(f"{number}", domains[number * len(domains) // len(passed)], None, int(count), samples, 0)
        for number, count in enumerate(passed)
    ]
    evaluation = Evaluation(name, "e", samples, 1.0, 1.0, 1, {"lean": "1"}, results)
    return StoredEvaluation(name, Path(name), evaluation, Path(name) / "rollouts.parquet")


def covered(intervals, truth):
    return float(np.mean([found.low <= truth <= found.high for found in intervals]))


@pytest.mark.parametrize(
    ("problems", "samples", "mean", "method"),
    [(200, 4, 0.5, "t"), (200, 4, 0.1, "t"), (400, 8, 0.3, "t"), (60, 1, 0.4, "wilson"), (400, 1, 0.2, "wilson")],
)
def test_intervals_of_many_problems_cover_as_often_as_they_say(problems, samples, mean, method):
    trials, rng = 600, np.random.default_rng(0)
    values = rng.binomial(samples, problem_rates(rng, mean, (trials, problems))) / samples
    found = [rate_interval(row) for row in values.tolist()]
    assert np.mean([of.method == method for of in found]) > 0.75
    assert covered([of.estimate for of in found], mean) == pytest.approx(0.95, abs=slack(0.95, trials) + 0.005)


def test_wilson_covers_as_stated_on_average_over_rates():
    trials, rng = 3000, np.random.default_rng(1)
    rates = rng.uniform(0.02, 0.98, trials)
    counts = rng.binomial(40, rates)
    found = {n: rate_interval([1.0] * n + [0.0] * (40 - n)).estimate for n in set(counts.tolist())}
    hits = [found[n].low <= rate <= found[n].high for n, rate in zip(counts.tolist(), rates, strict=True)]
    assert np.mean(hits) == pytest.approx(0.95, abs=slack(0.95, trials))


@pytest.mark.parametrize("problems", [3, 12, 29])
@pytest.mark.parametrize("mean", [0.02, 0.3, 0.9])
def test_exact_intervals_cover_no_less_than_they_say(problems, mean):
    """Not simulated: every count there is, with its chance."""
    hits = 0.0
    for passed in range(problems + 1):
        found, method = rate_interval([1.0] * passed + [0.0] * (problems - passed))
        assert method == "clopper-pearson"
        if found.low <= mean <= found.high:
            hits += math.comb(problems, passed) * mean**passed * (1 - mean) ** (problems - passed)
    assert hits >= 0.95


@pytest.mark.parametrize(("problems", "mean"), [(10, 0.05), (20, 0.3), (50, 0.05), (100, 0.02), (30, 0.9)])
def test_few_problems_and_rare_successes_are_covered_where_t_is_not(problems, mean):
    trials, rng = 500, np.random.default_rng(2)
    values = (rng.binomial(4, problem_rates(rng, mean, (trials, problems))) / 4).tolist()
    share = covered([rate_interval(row).estimate for row in values], mean)
    assert share > 0.95 - slack(0.95, trials) - 0.02
    if problems * min(mean, 1 - mean) < 4:
        assert covered([mean_interval(row) for row in values], mean) < 0.92


@pytest.mark.parametrize(("mean", "samples"), [(0.1, 4), (0.5, 1), (0.5, 4)])
def test_paired_tests_of_equal_policies_err_as_rarely_as_they_say(mean, samples):
    """A policy that solves other problems, but as many."""
    trials, n, rng = 800, 100, np.random.default_rng(3)
    was = problem_rates(rng, mean, (trials, n))
    now = np.where(rng.random((trials, n)) < 0.7, was, problem_rates(rng, mean, (trials, n)))
    before, after = rng.binomial(samples, was) / samples, rng.binomial(samples, now) / samples
    found = [paired_test(*pair) for pair in zip(before.tolist(), after.tolist(), strict=True)]
    assert np.mean([test.p_value < ALPHA for test in found]) <= ALPHA + slack(ALPHA, trials)
    assert covered([test.difference for test in found], 0.0) >= 0.95 - slack(0.95, trials)


def planted(rng, trials, n, gain, churn, samples=4):
    """Passes before and after, where the mean rate rises by `gain` exactly; and the deviation of the differences.

    A share `churn` of problems gets a rate that has nothing to do with the one before. What is not solved before is
    solved more often after, so that a hard problem may gain much and an easy one little.
    """
    base, spread = 0.4, 0.6
    was = problem_rates(rng, base, (trials, n), spread)
    drawn = np.where(rng.random((trials, n)) < churn, problem_rates(rng, base, (trials, n), spread), was)
    now = drawn + gain * (1 - drawn) / (1 - base)
    # The law of total variance, with the moments of the beta distribution: between problems, and of samples within.
    square = base * (1 + base * spread) / (1 + spread)
    variance, factor = square - base**2, 1 - gain / (1 - base)
    covariance = (1 - churn) * variance
    between = variance + factor**2 * variance - 2 * factor * covariance
    mean_after = base + gain
    square_after = factor**2 * variance + mean_after**2
    within = (base - square + mean_after - square_after) / samples
    return rng.binomial(samples, was), rng.binomial(samples, now), math.sqrt(between + within)


def test_five_points_on_four_hundred_problems_are_found_with_the_power_stated():
    """One domain, 4 samples: predicted 0.80; two policies for which a quarter of all problems is quite another."""
    trials, n, gain = 300, 400, 0.05
    before, after, deviation = planted(np.random.default_rng(4), trials, n, gain, churn=0.265)
    predicted = paired_power(gain, deviation, n)
    assert predicted == pytest.approx(POWER, abs=0.02)
    assert detectable_difference(deviation, n) == pytest.approx(gain, abs=1.5e-3)
    found = [
        compare_evaluations(stored("a", was, 4), stored("b", now, 4)).domains[0]
        for was, now in zip(before, after, strict=True)
    ]
    share = np.mean([row.conclusion == "better" for row in found])
    assert share == pytest.approx(predicted, abs=slack(predicted, trials))
    assert not any(row.conclusion == "worse" for row in found)
    # A difference of the margin itself is called a tie no more often than two one-sided tests at 0.05 may err.
    assert np.mean([row.conclusion == "tied" for row in found]) <= ALPHA + slack(ALPHA, trials)
    assert np.mean([row.detectable for row in found]) == pytest.approx(gain, abs=2e-3)
    assert covered([row.difference for row in found], gain) == pytest.approx(0.95, abs=slack(0.95, trials))


def test_equal_policies_are_told_apart_in_any_domain_no_more_often_than_one_time_in_twenty():
    trials, n, rng = 120, 300, np.random.default_rng(5)
    before, after, _ = planted(rng, trials, n, 0.0, churn=0.2)
    names = ("theorems", "programs", "reasoning")
    wrong = 0
    for was, now in zip(before, after, strict=True):
        found = compare_evaluations(stored("a", was, 4, names), stored("b", now, 4, names))
        assert [row.domain for row in found.domains] == [*names, "overall"]
        wrong += any(row.conclusion in ("better", "worse") for row in found.domains)
    assert wrong / trials <= ALPHA + slack(ALPHA, trials)


def test_holm_makes_any_false_finding_as_rare_as_one_alone():
    """Four true hypotheses among seven; and it finds more of the others than Bonferroni does."""
    trials, rng = 2000, np.random.default_rng(6)
    p_values = rng.random((trials, 7))
    p_values[:, 4:] **= 6
    adjusted = np.array([holm(row) for row in p_values.tolist()])
    assert np.mean((p_values[:, :4] < ALPHA).any(axis=1)) > 0.15
    assert np.mean((adjusted[:, :4] < ALPHA).any(axis=1)) <= ALPHA + slack(ALPHA, trials)
    assert (adjusted[:, 4:] < ALPHA).sum() > (p_values[:, 4:] * 7 < ALPHA).sum()


@pytest.mark.parametrize(("size", "problems"), [(0.25, 20), (0.25, 60), (0.5, 60), (1.0, 30), (1.0, 60)])
def test_a_difference_at_the_margin_is_rarely_called_a_tie_though_few_problems_show_it(size, problems):
    """Five points that lie in few problems: the t interval alone calls them none in 7 to 21 of 100 cases."""
    trials, rng = 600, np.random.default_rng(7)
    gains = np.where(rng.random((trials, problems)) < 0.05 / size, size, 0.0)
    tied = np.mean([paired_test([0.0] * problems, row).is_within(0.05) for row in gains.tolist()])
    assert tied <= ALPHA + slack(ALPHA, trials)


def test_policies_that_are_equal_are_called_so_where_problems_are_many():
    trials, n, rng = 60, 1500, np.random.default_rng(8)
    before, after, _ = planted(rng, trials, n, 0.0, churn=0.05)
    found = [
        compare_evaluations(stored("a", was, 4), stored("b", now, 4)).domains[0].conclusion
        for was, now in zip(before, after, strict=True)
    ]
    assert found.count("tied") >= 0.85 * trials


@pytest.mark.parametrize("means", [(0.5, 0.5), (0.3, 0.5, 0.6), (0.05, 0.5, 0.5, 0.5)])
def test_the_spread_over_domains_and_the_worst_are_covered(means):
    trials, n, rng = 250, 60, np.random.default_rng(9)
    names = tuple("abcd"[: len(means)])
    rates = np.concatenate([problem_rates(rng, mean, (trials, n)) for mean in means], axis=1)
    spreads, every = [], []
    for passed in rng.binomial(4, rates):
        found = jaggedness(stored("a", passed, 4, names).evaluation)
        spreads.append(found.spread)
        every.append(
            all(found.rates[d].low <= mean <= found.rates[d].high for d, mean in zip(names, means, strict=True))
        )
    assert covered(spreads, max(means) - min(means)) >= 0.95 - slack(0.95, trials)
    assert np.mean(every) >= 0.95 - slack(0.95, trials)
