"""Agreement of two raters, rank correlation, and intervals: what calibration needs of statistics, without numpy."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

__all__ = ["Estimate", "bootstrap_kappa", "cohen_kappa", "spearman", "wilson"]

Pair: TypeAlias = tuple[bool, bool]
"""What the first rater says of an item, and what the second does."""

_RESAMPLES = 2000
_SEED = 0


class Estimate(NamedTuple):
    """A figure with its 95% interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.value is None or self.low is None or self.high is None:
            return "undefined"
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def cohen_kappa(pairs: Iterable[Pair]) -> float | None:
    """Agreement beyond chance: (po - pe) / (1 - pe); None where chance alone agrees always.

    J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20 (1960).
    """
    return _kappa(Counter(pairs))


def _kappa(counts: Counter[Pair]) -> float | None:
    n = counts.total()
    if not n:
        return None
    first, second = counts[True, True] + counts[True, False], counts[True, True] + counts[False, True]
    observed = (counts[True, True] + counts[False, False]) / n
    chance = (first * second + (n - first) * (n - second)) / n**2
    return (observed - chance) / (1 - chance) if chance < 1 else None


def bootstrap_kappa(clusters: Sequence[Sequence[Pair]]) -> Estimate:
    """Cohen's kappa over all pairs, with the percentile bootstrap over clusters (2000 resamples, fixed seed).

    B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979). Judgements of one
    answer are not independent, so answers are resampled and not judgements. Resamples in which kappa is undefined are
    left out. Where two raters agree on everything the interval has no width, which is more than so few items can tell.
    """
    counts = [Counter(cluster) for cluster in clusters]
    value = _kappa(sum(counts, Counter[Pair]()))
    if value is None:
        return Estimate(None, None, None)
    rng = random.Random(_SEED)
    cells: list[Pair] = [(True, True), (True, False), (False, True), (False, False)]
    rows = [tuple(count[cell] for cell in cells) for count in counts]
    found = []
    for _ in range(_RESAMPLES):
        totals = [sum(column) for column in zip(*rng.choices(rows, k=len(rows)), strict=True)]
        kappa = _kappa(Counter(dict(zip(cells, totals, strict=True))))
        if kappa is not None:
            found.append(kappa)
    found.sort()
    return Estimate(value, _quantile(found, 0.025), _quantile(found, 0.975))


def _quantile(ordered: Sequence[float], q: float) -> float:
    """By linear interpolation between order statistics (type 7 of Hyndman and Fan, 1996)."""
    at = q * (len(ordered) - 1)
    below = math.floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def spearman(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties with their mean rank; None for fewer than three points or constant `xs`.

    Constant `ys` have none with anything: 0.
    """
    if len(xs) < 3 or len(set(xs)) < 2:
        return None
    if len(set(ys)) < 2:
        return 0.0
    a, b = _ranks(xs), _ranks(ys)
    middle = (len(a) + 1) / 2
    covariance = sum((p - middle) * (q - middle) for p, q in zip(a, b, strict=True))
    return covariance / math.sqrt(sum((p - middle) ** 2 for p in a) * sum((q - middle) ** 2 for q in b))


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered.index(v) + (ordered.count(v) + 1) / 2 for v in values]


def wilson(successes: int, n: int) -> Estimate:
    """A share with its Wilson score interval (E. B. Wilson, JASA 22, 1927), which is right for few items too."""
    if not n:
        return Estimate(None, None, None)
    z = 1.959963984540054  # the normal distribution's 97.5% point
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half))
