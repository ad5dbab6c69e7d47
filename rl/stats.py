"""Intervals and tests for success rates, with the problem as the unit of sampling.

Completions of one problem are not independent, so everything here is taken over problem means, which is the clustered
interval of Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), sections 2.2 and 4.2, with Student's t in place of
the normal quantile. Where that interval cannot be trusted, `rate_interval` takes another and says which.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = [
    "Estimate",
    "PairedTest",
    "RateInterval",
    "RateMethod",
    "detectable_difference",
    "holm",
    "mean_interval",
    "paired_gain",
    "paired_power",
    "paired_test",
    "pass_at_k",
    "problems_to_find",
    "problems_to_tie",
    "rate_difference",
    "rate_interval",
    "upper_bound",
]

RateMethod = Literal["t", "wilson", "clopper-pearson", "korn-graubard"]

# Simulated with 4 samples a problem and rates that vary widely between problems: from here on the t interval covers in
# at least 94 of 100 cases; with 5 solved problems' worth it is 91, with 2 it is 83, with 1 it is 71.
_ENOUGH_FOR_T = 15
# Wilson's interval covers 95% on average over rates; below this many problems single rates fall too far short of it.
_ENOUGH_FOR_WILSON = 30
# No planned number of problems goes beyond it.
_MOST_PROBLEMS = 10**9


class Estimate(NamedTuple):
    """A mean with its confidence interval; all in the unit of the data."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.mean:.1f}% [{100 * self.low:.1f}, {100 * self.high:.1f}]"


class RateInterval(NamedTuple):
    """A rate with its interval, and the method that the interval is of."""

    estimate: Estimate
    method: RateMethod


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Two sets of answers to the same problems; differences are after less before, so in [-1, 1].

    Attributes:
        problems: how many.
        difference: mean with its interval.
        p_value: two-sided, of the hypothesis that the mean difference is 0.
        deviation: standard deviation of the differences, as planning needs it: never 0.
        tie: the interval, at 1 - 2 alpha, that has to lie within a margin for the two to be called equal.
    """

    problems: int
    difference: Estimate
    p_value: float
    deviation: float
    tie: Estimate

    def is_within(self, margin: float) -> bool:
        """Two one-sided tests: whether a difference of `margin` or more, either way, is refuted.

        Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15 (1987), 657-680, in its form of an interval within the
        margin.
        """
        return -margin < self.tie.low and self.tie.high < margin


def mean_interval(values: Sequence[float], level: float = 0.95) -> Estimate:
    """Mean of independent values with the t interval: m ± t(n-1) · s / √n.

    Raises:
        ValueError: fewer than two values.
    """
    from scipy.stats import t

    n = len(values)
    if n < 2:
        raise ValueError(f"an interval needs at least two problems, got {n}")
    mean = statistics.fmean(values)
    half = float(t.ppf((1 + level) / 2, n - 1)) * statistics.stdev(values) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half)


def rate_interval(values: Sequence[float], level: float = 0.95) -> RateInterval:
    """Mean of problem means in [0, 1] with an interval within [0, 1] that holds for few problems and rare successes.

    The method, of the first line that fits:
      1. All means are equal: Clopper-Pearson over problems. Their variance cannot be estimated (a t interval would have
         no width), so every problem counts as one toss of a coin, the largest variance that a rate can have.
      2. Each mean is 0 or 1 (one sample a problem, say): Clopper-Pearson below 30 problems, Wilson from there on.
         The first never covers too seldom; the second is narrower, and covers as stated on average over rates.
      3. At least 15 problems' worth of successes and as many of failures: Student's t over problem means.
      4. Else Korn and Graubard: Clopper-Pearson with the effective number of problems, that is the number of tosses
         that would have the variance observed. Where successes are rare, t covers far too seldom.

    Clopper & Pearson, Biometrika 26 (1934), 404-413; Wilson, JASA 22 (1927), 209-212; Korn & Graubard, Survey
    Methodology 24 (1998), 193-201, with the normal quantile as that of many samples.

    Raises:
        ValueError: there is no value, or one outside [0, 1].
    """
    n = len(values)
    if not n or not all(0 <= value <= 1 for value in values):
        raise ValueError(f"a rate needs the means of one problem or more, each in [0, 1]; got {n} values")
    mean = min(1.0, statistics.fmean(values))
    kinds = set(values)
    if len(kinds) == 1:
        return RateInterval(_clopper_pearson(mean, n, level), "clopper-pearson")
    if kinds <= {0, 1}:
        if n < _ENOUGH_FOR_WILSON:
            return RateInterval(_clopper_pearson(mean, n, level), "clopper-pearson")
        return RateInterval(_wilson(sum(map(int, values)), n, level), "wilson")
    if n * min(mean, 1 - mean) >= _ENOUGH_FOR_T:
        _, low, high = mean_interval(values, level)
        return RateInterval(Estimate(mean, max(0.0, low), min(1.0, high)), "t")
    return RateInterval(_clopper_pearson(mean, _effective_number(values, mean, level), level), "korn-graubard")


def _effective_number(values: Sequence[float], mean: float, level: float) -> float:
    from scipy.stats import norm, t

    n = len(values)
    tosses = mean * (1 - mean) * n / statistics.variance(values)
    quantile = (1 + level) / 2
    # Never fewer than there are problems: no rate varies more than a coin.
    return max(float(n), tosses * float(norm.ppf(quantile) / t.ppf(quantile, n - 1)) ** 2)


def _clopper_pearson(mean: float, n: float, level: float) -> Estimate:
    """Through the beta distribution, which takes counts that are no whole numbers."""
    from scipy.stats import beta

    passed, failed, tail = n * mean, n * (1 - mean), (1 - level) / 2
    low = float(beta.ppf(tail, passed, failed + 1)) if passed > 0 else 0.0
    high = float(beta.ppf(1 - tail, passed + 1, failed)) if failed > 0 else 1.0
    return Estimate(mean, low, high)


def _wilson(passed: int, n: int, level: float) -> Estimate:
    from scipy.stats import binomtest

    interval = binomtest(passed, n).proportion_ci(level, method="wilson")
    return Estimate(passed / n, float(interval.low), float(interval.high))


def rate_difference(one: Estimate, other: Estimate) -> Estimate:
    """Difference of two independent rates, `one` less `other`, out of their intervals, at the level of those.

    Each limit takes the distance of the means from the limits that pull the same way: Newcombe, Statistics in Medicine
    17 (1998), 873-890, method 10; Zou and Donner, Statistics in Medicine 27 (2008), 1693-1702, for any interval.
    """
    mean = one.mean - other.mean
    low = mean - math.hypot(one.mean - one.low, other.high - other.mean)
    high = mean + math.hypot(one.high - one.mean, other.mean - other.low)
    return Estimate(mean, max(-1.0, low), min(1.0, high))


def paired_gain(before: Sequence[float], after: Sequence[float], level: float = 0.95) -> Estimate:
    """Mean of `after - before` over the same problems, with the t interval over the differences.

    Raises:
        ValueError: the two are not of the same length.
    """
    return mean_interval([a - b for a, b in zip(after, before, strict=True)], level)


def paired_test(
    before: Sequence[float], after: Sequence[float], *, level: float = 0.95, alpha: float = 0.05
) -> PairedTest:
    """Paired t test over problems, with what keeps it honest where few problems differ.

    The p-value is at least 2^(1-m) for m problems that differ, the chance that all their signs agree; Student's is 0
    for two problems that gained equally. The interval that a tie rests on is widened to hold the one with two more
    problems, one won and one lost (Bonett and Price, British J. Mathematical and Statistical Psychology 65 (2012),
    479-488, for one sample a problem): without these, two policies that differ by 5 points, on few of 60 problems, are
    called equal within 5 points in up to 20 of 100 cases. Where all differences are equal, the interval of the
    difference itself is taken with the two more problems as well.

    Raises:
        ValueError: fewer than two problems, or not the same number on both sides.
    """
    from scipy.stats import t

    differences = [a - b for a, b in zip(after, before, strict=True)]
    n, changed = len(differences), sum(d != 0 for d in differences)
    difference, deviation = mean_interval(differences, level), statistics.stdev(differences)
    tie = _hull(mean_interval(differences, 1 - 2 * alpha), mean_interval([*differences, 1.0, -1.0], 1 - 2 * alpha))
    if deviation:
        p_value = float(2 * t.sf(abs(difference.mean) * math.sqrt(n) / deviation, n - 1))
    else:
        p_value = 0.0
        deviation = statistics.stdev([*differences, 1.0, -1.0])
        difference = _hull(difference, mean_interval([*differences, 1.0, -1.0], level))
    difference = Estimate(difference.mean, max(-1.0, difference.low), min(1.0, difference.high))
    return PairedTest(n, difference, max(p_value, 2.0 ** (1 - changed) if changed else 1.0), deviation, tie)


def _hull(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(one.mean, min(one.low, other.low), max(one.high, other.high))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted so that, with all of them held against alpha, any false finding at all has a chance of alpha at most.

    Holm, Scandinavian J. Statistics 6 (1979), 65-70; holds whatever the dependence between the tests.
    """
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(list(p_values), method="holm")[1]] if p_values else []


def paired_power(difference: float, deviation: float, problems: int, alpha: float = 0.05) -> float:
    """The chance that `paired_test` finds a true mean difference, and its sign, at two-sided `alpha`.

    From the noncentral t distribution; `deviation` is that of the differences by problem, samples included. Miller
    (arXiv 2411.00640), section 5, has the same with normal quantiles.

    Raises:
        ValueError: fewer than two problems, or no deviation.
    """
    from statsmodels.stats.power import TTestPower

    if problems < 2 or deviation <= 0:
        raise ValueError(f"power needs two problems and a deviation above 0, got {problems=}, {deviation=}")
    if 2.0 ** (1 - problems) >= alpha:
        return 0.0
    power = float(TTestPower().power(abs(difference) / deviation, problems, alpha / 2, alternative="larger"))
    # It has no value where the chance of missing is too small for a float.
    return 1.0 if math.isnan(power) else power


def detectable_difference(deviation: float, problems: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """The least true difference that `paired_power` gives a chance of `power`; 1, the most there is, where none has."""
    from scipy.optimize import brentq

    if paired_power(1.0, deviation, problems, alpha) < power:
        return 1.0
    return float(brentq(lambda d: paired_power(d, deviation, problems, alpha) - power, 0.0, 1.0, xtol=1e-9))


def problems_to_find(difference: float, deviation: float, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """How many problems it takes to find a true difference with a chance of `power`; None beyond a billion."""
    return _least(lambda n: paired_power(difference, deviation, n, alpha) >= power)


def problems_to_tie(
    difference: float, deviation: float, margin: float, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """How many problems it takes to refute a difference of `margin` with a chance of `power`; None beyond a billion.

    `difference` is the true one. The normal approximation of Julious, Statistics in Medicine 23 (2004), 1921-1986, with
    the quantile of t and the two problems that `paired_test` adds.
    """
    from scipy.stats import norm, t

    def is_enough(n: int) -> bool:
        error = math.sqrt((deviation**2 + 2 / n) / n)
        quantile = t.ppf(1 - alpha, n - 1)
        chances = norm.cdf([(margin - difference) / error - quantile, (margin + difference) / error - quantile])
        return float(chances.sum()) - 1 >= power

    return _least(is_enough)


def _least(is_enough: Callable[[int], bool]) -> int | None:
    """The least number from 2 on that is enough, where all larger ones are as well."""
    high = 2
    while not is_enough(high):
        high *= 2
        if high > _MOST_PROBLEMS:
            return None
    low = high // 2  # not enough, or 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """Unbiased estimate of the chance that one of k samples passes: 1 - C(n-c, k) / C(n, k).

    Chen et al., "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374), equation 1.

    Raises:
        ValueError: k is larger than the number of samples, or the counts are impossible.
    """
    if not 0 <= passed <= samples or not 1 <= k <= samples:
        raise ValueError(f"need 0 <= passed <= samples and 1 <= k <= samples, got {passed=}, {samples=}, {k=}")
    return 1.0 - math.comb(samples - passed, k) / math.comb(samples, k)


def upper_bound(found: int, looked_at: int, level: float = 0.95) -> float:
    """The largest rate under which finding so few would not surprise: one-sided Clopper-Pearson bound, in [0, 1].

    For none found it is 1 - (1 - level)^(1/n), about 3/n. Clopper & Pearson, Biometrika 26 (1934), 404-413.

    Raises:
        ValueError: the counts are impossible.
    """
    from scipy.stats import beta

    if not 0 <= found <= looked_at:
        raise ValueError(f"need 0 <= found <= looked_at, got {found=}, {looked_at=}")
    return 1.0 if found == looked_at else float(beta.ppf(level, found + 1, looked_at - found))
