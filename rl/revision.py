"""What revising buys: the loop against best-of-n at equal tokens, on the same problems.

Both begin with the same first attempt, so that its luck is on both sides; both stop when an attempt is verified, and
both are held to the same mean number of tokens. Best-of-n has a curve: with n independent attempts at most it solves a
share S(n) of the problems and writes C(n) tokens on average. What it would solve for as many tokens as the trajectories
wrote lies between two neighbours, a share w of the problems getting n + 1 attempts and the others n:

    C = (1 - w) C(n) + w C(n + 1)        S = (1 - w) S(n) + w S(n + 1)

A trajectory's own tokens are no measure for its problem: those of a verified one are few because it was verified, and
independent attempts that are given no more than these seem to do worse than themselves. Tokens are those that the
policy wrote; what feedback costs to read is on neither side.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from proofgrad.rl.evaluate import OVERALL
from proofgrad.rl.rollout import Rollout
from proofgrad.rl.stats import Estimate, paired_gain, rate_interval
from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.errors import ConfigError

__all__ = ["ATTEMPTS_PER_TURN", "Revision", "best_of_n", "compare_revision"]

# Independent attempts to sample for each turn that a trajectory may take: more than one, for revisions can be longer.
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
        tokens: mean number that a trajectory wrote.
        best_of_n_tokens: the same for best-of-n; less than `tokens` only where all attempts there were wrote less.
        n: attempts of best-of-n at most, a mean over problems: 2.3 is three attempts at 30% of them and two at others.
    """

    domain: str
    problems: int
    first: Estimate
    revising: Estimate
    best_of_n: Estimate
    gain: Estimate
    tokens: float = 0.0
    best_of_n_tokens: float = 0.0
    n: float = 0.0


class _Spent(NamedTuple):
    """What became of a problem, and the tokens it took; means over its trajectories."""

    solved: float
    tokens: float


class _Problem(NamedTuple):
    """One problem both ways; `best_of` has an entry for each number of attempts from 1."""

    first: float
    revised: _Spent
    best_of: tuple[_Spent, ...]


def best_of_n(attempts: Sequence[Rollout]) -> tuple[bool, int] | None:
    """Whether one of the attempts is verified, and the tokens written until then or in all.

    None when none is verified and one of them could not be judged.
    """
    tokens, unknown = 0, False
    for attempt in attempts:
        tokens += attempt.tokens
        if attempt.verdict.is_pass:
            return True, tokens
        unknown |= attempt.verdict.outcome is Outcome.UNKNOWN
    return None if unknown else (False, tokens)


def compare_revision(trajectories: Sequence[Rollout], attempts: Sequence[Rollout]) -> list[Revision]:
    """Both ways by domain; UNKNOWN is left out on both sides.

    Trajectories of one task share its `attempts` evenly, and best-of-n makes them behind the trajectory's first.

    Raises:
        ConfigError: fewer than two problems are left in a domain.
    """
    by_task: dict[str, list[Rollout]] = defaultdict(list)
    pools: dict[str, list[Rollout]] = defaultdict(list)
    for rollout in trajectories:
        by_task[rollout.task.id].append(rollout)
    for rollout in attempts:
        pools[rollout.task.id].append(rollout)
    most = min((len(pools[name]) // len(found) for name, found in by_task.items()), default=0)
    problems: dict[str, list[_Problem]] = defaultdict(list)
    for name, found in by_task.items():
        shares = [pools[name][number * most : (number + 1) * most] for number in range(len(found))]
        if (problem := _problem(found, shares)) is not None:
            problems[found[0].task.domain].append(problem)
    if len(problems) > 1:
        problems[OVERALL] = [problem for rows in problems.values() for problem in rows]
    return [_revision(domain, rows) for domain, rows in problems.items()]


def _problem(trajectories: Sequence[Rollout], shares: Sequence[Sequence[Rollout]]) -> _Problem | None:
    """None where no trajectory was judged together with all of its attempts."""
    pairs: list[tuple[Rollout, list[_Spent]]] = []
    for trajectory, share in zip(trajectories, shares, strict=True):
        first = replace(trajectory, turns=trajectory.turns[:1])
        spent = [best_of_n([first, *share[:n]]) for n in range(len(share) + 1)]
        known = [_Spent(float(solved), tokens) for solved, tokens in filter(None, spent)]
        if len(known) == len(spent) and trajectory.verdict.outcome is not Outcome.UNKNOWN:
            pairs.append((trajectory, known))
    if not pairs:
        return None
    return _Problem(
        first=sum(t.turns[0].verdict.is_pass for t, _ in pairs) / len(pairs),
        revised=_mean([_Spent(float(t.verdict.is_pass), t.tokens) for t, _ in pairs]),
        best_of=tuple(_mean(column) for column in zip(*(spent for _, spent in pairs), strict=True)),
    )


def _mean(values: Sequence[_Spent]) -> _Spent:
    solved, tokens = (sum(column) / len(values) for column in zip(*values, strict=True))
    return _Spent(solved, tokens)


def _revision(domain: str, rows: Sequence[_Problem]) -> Revision:
    if len(rows) < 2:
        raise ConfigError(f"only {len(rows)} problems of '{domain}' could be judged both ways: nothing to compare")
    curve = [_mean(column) for column in zip(*(row.best_of for row in rows), strict=True)]
    revised = _mean([row.revised for row in rows])
    below, share, slope = _place(curve, revised.tokens)
    best = [_between(row.best_of, below, share) for row in rows]
    # The mixture is fitted to the mean of the tokens, and so varies with the sample. To first order a problem on which
    # revising wrote more than its share moved it by `slope` for each token; the differences sum to zero over problems.
    owed = [spent.solved + slope * (row.revised.tokens - spent.tokens) for row, spent in zip(rows, best, strict=True)]
    matched = [row.revised.solved for row in rows]
    return Revision(
        domain,
        len(rows),
        first=_rate([row.first for row in rows]),
        revising=_rate(matched),
        best_of_n=_rate([spent.solved for spent in best]),
        gain=paired_gain(owed, matched),
        tokens=revised.tokens,
        best_of_n_tokens=_mean(best).tokens,
        n=below + 1 + share,
    )


def _rate(shares: Sequence[float]) -> Estimate:
    """Rounded, so that equal shares do not look spread, or above 1, for the way they were computed."""
    return rate_interval([round(share, 12) for share in shares]).estimate


def _place(curve: Sequence[_Spent], tokens: float) -> tuple[int, float, float]:
    """Where on best-of-n's curve so many tokens are: the point below, the share of the way to the next, and the slope.

    Off the ends of the curve it is the end itself, with no slope.
    """
    for below, (here, beyond) in enumerate(itertools.pairwise(curve)):
        if here.tokens <= tokens < beyond.tokens:
            step = beyond.tokens - here.tokens
            return below, (tokens - here.tokens) / step, (beyond.solved - here.solved) / step
    return (0 if tokens < curve[0].tokens else len(curve) - 1), 0.0, 0.0


def _between(points: Sequence[_Spent], below: int, share: float) -> _Spent:
    if not share:
        return points[below]
    here, beyond = points[below : below + 2]
    return _Spent(*((1 - share) * a + share * b for a, b in zip(here, beyond, strict=True)))
