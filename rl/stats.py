"""Intervals for success rates, with the problem as the unit of sampling.

Completions of one problem are not independent, so every interval is taken over problem means, which is the clustered
interval of Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), sections 2.2 and 4.2, with Student's t in place of
the normal quantile.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Estimate", "mean_interval", "paired_gain", "pass_at_k", "upper_bound"]


class Estimate(NamedTuple):
    """A mean with its confidence interval; all in the unit of the data."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.mean:.1f}% [{100 * self.low:.1f}, {100 * self.high:.1f}]"


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


def paired_gain(before: Sequence[float], after: Sequence[float], level: float = 0.95) -> Estimate:
    """Mean of `after - before` over the same problems, with the t interval over the differences.

    Raises:
        ValueError: the two are not of the same length.
    """
    return mean_interval([a - b for a, b in zip(after, before, strict=True)], level)


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
