"""What revising buys: the loop against best-of-n at equal tokens, on the same problems.

A trajectory that spent so many tokens on its attempts is set against independent first attempts at the same task that
spend no more: as many as fit, one after the other until one is verified. Tokens are those that the policy wrote; what
feedback costs to read is on neither side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from proofgrad.rl.evaluate import OVERALL
from proofgrad.rl.rollout import Rollout
from proofgrad.rl.stats import Estimate, mean_interval, paired_gain
from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.errors import ConfigError

__all__ = ["ATTEMPTS_PER_TURN", "Revision", "best_of_n", "compare_revision"]

# Independent attempts to sample for each turn that a trajectory may take: more than one, for a first attempt is often
# shorter than a revision.
ATTEMPTS_PER_TURN = 2


@dataclass(frozen=True, slots=True)
class Revision:
    """One domain: shares of tasks solved, with 95% intervals over problems.

    Attributes:
        domain: its name, or "overall".
        problems: how many both ways were judged on.
        first: by the first attempts of the trajectories alone.
        revising: by the trajectories.
        best_of_n: by independent attempts at equal tokens.
        gain: revising less best-of-n, paired by problem.
    """

    domain: str
    problems: int
    first: Estimate
    revising: Estimate
    best_of_n: Estimate
    gain: Estimate


def best_of_n(attempts: Sequence[Rollout], tokens: int) -> bool | None:
    """Whether one of the attempts is verified before `tokens` are spent; the first is always made.

    None when nothing that fits is verified and one of them could not be judged.
    """
    spent, unknown = 0, False
    for number, attempt in enumerate(attempts):
        spent += attempt.tokens
        if number and spent > tokens:
            break
        if attempt.verdict.is_pass:
            return True
        unknown |= attempt.verdict.outcome is Outcome.UNKNOWN
    return None if unknown else False


def compare_revision(trajectories: Sequence[Rollout], attempts: Sequence[Rollout]) -> list[Revision]:
    """Both ways by domain. Trajectories of one task share its attempts evenly; UNKNOWN is left out on both sides.

    Raises:
        ConfigError: fewer than two problems are left in a domain.
    """
    by_task: dict[str, list[Rollout]] = defaultdict(list)
    pools: dict[str, list[Rollout]] = defaultdict(list)
    for rollout in trajectories:
        by_task[rollout.task.id].append(rollout)
    for rollout in attempts:
        pools[rollout.task.id].append(rollout)
    shares: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for name, found in by_task.items():
        each = len(pools[name]) // len(found)
        pairs: list[tuple[float, float, float]] = []
        for number, trajectory in enumerate(found):
            other = best_of_n(pools[name][number * each : (number + 1) * each], trajectory.tokens)
            if other is None or trajectory.verdict.outcome is Outcome.UNKNOWN:
                continue
            pairs.append((float(trajectory.turns[0].verdict.is_pass), float(trajectory.verdict.is_pass), float(other)))
        if pairs:
            first, revised, best = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
            shares[found[0].task.domain].append((first, revised, best))
    if len(shares) > 1:
        shares[OVERALL] = [row for rows in shares.values() for row in rows]
    return [_revision(domain, rows) for domain, rows in shares.items()]


def _revision(domain: str, rows: Sequence[tuple[float, float, float]]) -> Revision:
    if len(rows) < 2:
        raise ConfigError(f"only {len(rows)} problems of '{domain}' could be judged both ways: nothing to compare")
    first, revised, best = (list(column) for column in zip(*rows, strict=True))
    return Revision(
        domain, len(rows), mean_interval(first), mean_interval(revised), mean_interval(best), paired_gain(best, revised)
    )
