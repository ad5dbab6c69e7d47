"""How unevenly a policy does over domains: the spread between the best and the worst, and the worst itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from proofgrad.rl.evaluate import OVERALL, Evaluation
from proofgrad.rl.stats import Estimate, pass_at_k, rate_difference, rate_interval

__all__ = ["Jaggedness", "jaggedness"]


@dataclass(frozen=True, slots=True)
class Jaggedness:
    """pass@k over domains. The intervals hold all at once, at 95%, so that the worst may be picked after looking.

    Attributes:
        rates: of each domain; intervals at 1 - 0.05 / (number of domains), after Bonferroni.
        spread: the largest rate less the smallest. The mean is that of the measured rates, which chance alone spreads
            when the domains are equal: the interval is what to go by, and it then begins at 0.
        worst: the domain of the smallest rate.
        worst_rate: that rate.
    """

    rates: Mapping[str, Estimate]
    spread: Estimate
    worst: str
    worst_rate: Estimate

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "rates": {domain: rate._asdict() for domain, rate in self.rates.items()},
            "spread": self.spread._asdict(),
            "worst": self.worst,
            "worst_rate": self.worst_rate._asdict(),
        }


def jaggedness(evaluation: Evaluation, k: int = 1, *, level: float = 0.95) -> Jaggedness | None:
    """The spread of pass@k over the domains that have two problems or more; None where there are fewer than two such.

    The interval of the spread joins those of all pairs of domains (`rate_difference`), each at a level that lets them
    hold together (Bonferroni): the largest of their lower limits to the largest of their upper ones.
    """
    means: dict[str, list[float]] = {}
    for domain in evaluation.domains():
        judged = [r for r in evaluation.scored(domain) if r.judged >= k]
        if domain != OVERALL and len(judged) > 1:
            means[domain] = [pass_at_k(r.judged, r.passed, k) for r in judged]
    if len(means) < 2:
        return None
    rates = {domain: rate_interval(of, 1 - (1 - level) / len(means)).estimate for domain, of in means.items()}
    pairs = len(means) * (len(means) - 1) // 2
    for_pairs = [rate_interval(of, 1 - (1 - level) / pairs).estimate for of in means.values()]
    gaps = [rate_difference(*sorted(pair, reverse=True)) for pair in combinations(for_pairs, 2)]
    spread = Estimate(
        max(gap.mean for gap in gaps), max(0.0, *(gap.low for gap in gaps)), max(gap.high for gap in gaps)
    )
    worst = min(rates, key=lambda domain: rates[domain].mean)
    return Jaggedness(rates, spread, worst, rates[worst])
