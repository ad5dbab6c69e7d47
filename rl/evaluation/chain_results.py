"""How many steps in a row are verified, beside what single steps would make one expect.

One run with revisions also says what happens without any: as long as a chain needed no revision, it is the chain of a
policy that is allowed none, because a step that needed one hands on its verified answer and nothing else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from proofgrad.rl.evaluation.chains import ChainWalk
from proofgrad.rl.plain import plain
from proofgrad.rl.rollout import Rollout
from proofgrad.rl.run_directory import write_rows, write_text
from proofgrad.rl.stats import Estimate, rate_interval
from proofgrad.verifiers.base import Json, Outcome
from proofgrad.verifiers.errors import ConfigError

__all__ = [
    "HORIZON_SHARES",
    "ChainCurve",
    "ChainEvaluation",
    "ChainResult",
    "Horizon",
    "LengthPoint",
    "Reach",
    "horizon",
    "load_chains",
    "measure_chains",
    "write_chains",
]

HORIZON_SHARES = (0.5, 0.8)
_RESAMPLES = 1000


class Reach(NamedTuple):
    """A number of steps with its 95% interval; None lies beyond what can be said."""

    steps: float | None
    low: float | None
    high: float | None

    def within(self, length: int | None) -> str:
        """In words, for a curve that was measured up to `length`; None for one without an end."""
        beyond = "no end" if length is None else f"beyond {length}"
        found = [beyond if value is None else f"{value:.1f}" for value in self]
        return f"{found[0]} [{found[1]}, {found[2]}]"


@dataclass(frozen=True, slots=True)
class LengthPoint:
    """Chains of one length.

    Attributes:
        length: n steps.
        measured: share of the chains whose first n steps were all verified, 95% interval over chains (`rate_interval`).
        independent: p^n, the share if steps were as in isolation and independent; that of p's interval, raised.
        failed: share of the chains that failed at step n.
        reached: chains that were asked step n.
    """

    length: int
    measured: Estimate
    independent: Estimate
    failed: float
    reached: int


@dataclass(frozen=True, slots=True)
class Horizon:
    """How long a chain may be for a share of them to succeed.

    Attributes:
        share: of chains, in (0, 1).
        measured: from the measured curve; None where the curve does not fall below the share.
        independent: log(share) / log(p); None where p is 1.
    """

    share: float
    measured: Reach
    independent: Reach


@dataclass(frozen=True, slots=True)
class ChainCurve:
    """Success by length, with up to so many revisions of a step.

    Attributes:
        revisions: of each step.
        chains: that are in the curve.
        unknown: chains left out because a step could not be judged.
        out_of_context: chains that failed because what stood before a step left no room for an answer.
        single: p, the share of steps solved in isolation, 95% interval over steps (`rate_interval`).
        singles: steps judged in isolation.
        points: for each length from 1.
        horizons: for `HORIZON_SHARES`; bootstrap intervals over chains.
    """

    revisions: int
    chains: int
    unknown: int
    out_of_context: int
    single: Estimate
    singles: int
    points: tuple[LengthPoint, ...]
    horizons: tuple[Horizon, ...]


@dataclass(frozen=True, slots=True)
class ChainResult:
    """Chains over one environment or a mixture.

    Attributes:
        name: of the domain or domains, e.g. ``programs + theorems``.
        envs: names of the environments.
        curves: without revision, and with it where it was allowed.
    """

    name: str
    envs: tuple[str, ...]
    curves: tuple[ChainCurve, ...]


@dataclass(frozen=True, slots=True)
class ChainEvaluation:
    """Compound reliability of a policy, and what it was measured with.

    Attributes:
        chains: asked of each of the `results`.
        length: of each chain, in steps.
        context: ``carried`` or ``none``.
        max_tokens: the longest completion of one turn.
        seed: of the chains.
        seconds: wall clock of generation and verification together.
        tokens: that the policy wrote.
        verifiers: the version of each.
    """

    policy: str
    engine: str
    split: str
    chains: int
    length: int
    revisions: int
    context: str
    temperature: float
    max_tokens: int
    seed: int
    seconds: float
    tokens: int
    verifiers: Mapping[str, str]
    results: tuple[ChainResult, ...]

    def to_json(self) -> dict[str, Json]:
        """Plain JSON; `load_chains` reads it back."""
        told: dict[str, Json] = plain(self)
        return told


def write_chains(
    directory: Path,
    evaluation: ChainEvaluation,
    walks: Sequence[ChainWalk],
    alone: Sequence[Sequence[Rollout]],
) -> None:
    """Write chains.parquet, a row for every step that was asked in a chain or alone, and then chains.json.

    An evaluation without a result has rows alone, whose reasons say why: there is nothing to load then.
    A row is `Rollout.to_row` with `chain`, `step` (from 1), `condition` (``chain`` or ``alone``) and `revision`, how
    many revisions the step took.
    """
    directory.mkdir(parents=True, exist_ok=True)
    asked = [("chain", walk.chain, walk.steps) for walk in walks]
    asked += [("alone", walk.chain, list(steps)) for walk, steps in zip(walks, alone, strict=True)]
    rows: list[dict[str, Json]] = []
    for condition, chain, steps in asked:
        for number, rollout in enumerate(steps, 1):
            place: dict[str, Json] = {"chain": chain.id, "step": number, "condition": condition}
            rows.append(place | {"revision": len(rollout.turns) - 1} | rollout.to_row())
    write_rows(directory / "chains.parquet", rows)
    if evaluation.results:
        write_text(directory / "chains.json", json.dumps(evaluation.to_json(), indent=1))


def load_chains(path: Path) -> ChainEvaluation:
    """Read what `write_chains` wrote: a chains.json, or the directory that holds it.

    Raises:
        ConfigError: there is none, or it cannot be read.
    """
    file = path / "chains.json" if path.is_dir() else path
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return ChainEvaluation(**data | {"results": tuple(_result(row) for row in data["results"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"cannot read the chains '{file}': {str(error).splitlines()[0]}") from error


def _result(row: Mapping[str, Any]) -> ChainResult:
    return ChainResult(row["name"], tuple(row["envs"]), tuple(_curve(curve) for curve in row["curves"]))


def _curve(row: Mapping[str, Any]) -> ChainCurve:
    points = [
        LengthPoint(**p | {"measured": Estimate(**p["measured"]), "independent": Estimate(**p["independent"])})
        for p in row["points"]
    ]
    horizons = [Horizon(h["share"], Reach(**h["measured"]), Reach(**h["independent"])) for h in row["horizons"]]
    parts = {"single": Estimate(**row["single"]), "points": tuple(points), "horizons": tuple(horizons)}
    return ChainCurve(**dict(row) | parts)


def measure_chains(
    walks: Sequence[ChainWalk],
    alone: Sequence[Sequence[Rollout]],
    *,
    revisions: int,
    max_tokens: int,
    envs: Sequence[str],
) -> ChainResult:
    """Count what became of the chains and of their steps alone, without revision and with up to `revisions`.

    A chain with a step that could not be judged is left out of the curve; a chain that goes far has more steps that can
    be, so many of them make the curve too low. A step alone that could not be judged is no part of p.

    Raises:
        ConfigError: no chain, or no step alone, could be judged.
    """
    domains = dict.fromkeys(task.domain for walk in walks for task in walk.chain.steps)
    length = max(len(walk.chain.steps) for walk in walks)
    allowed = [0, revisions] if revisions else [0]
    curves = tuple(_measure(walks, alone, each, length, max_tokens) for each in allowed)
    return ChainResult(" + ".join(domains), tuple(envs), curves)


def _measure(
    walks: Sequence[ChainWalk], alone: Sequence[Sequence[Rollout]], revisions: int, length: int, max_tokens: int
) -> ChainCurve:
    ends = [_solved_in_a_row(walk, revisions) for walk in walks]
    lengths = [end for end in ends if end is not None]
    singles = [[s for rollout in steps if (s := _is_solved(rollout, revisions)) is not None] for steps in alone]
    judged = [solved for steps in singles for solved in steps]
    for found, of, what in ((lengths, walks, "chains"), (judged, [r for steps in alone for r in steps], "steps alone")):
        if not found:
            raise ConfigError(f"none of {len(of)} {what} could be judged; the reasons of the verdicts say why")
    single = rate_interval(judged).estimate
    points = []
    for n in range(1, length + 1):
        reached = sum(end >= n - 1 for end in lengths)
        solved = [end >= n for end in lengths]
        independent = Estimate(*(value**n for value in single))
        failed = (reached - sum(solved)) / len(lengths)
        points.append(LengthPoint(n, rate_interval(solved).estimate, independent, failed, reached))
    return ChainCurve(
        revisions=revisions,
        chains=len(lengths),
        unknown=len(walks) - len(lengths),
        out_of_context=sum(_lacked_room(w, end, revisions, max_tokens) for w, end in zip(walks, ends, strict=True)),
        single=single,
        singles=len(judged),
        points=tuple(points),
        horizons=_horizons(ends, singles, length),
    )


def _is_solved(rollout: Rollout, revisions: int) -> bool | None:
    """Whether a step was verified within so many revisions; None where the turn that decides could not be judged."""
    turn = rollout.turns[: revisions + 1][-1]
    return None if turn.verdict.outcome is Outcome.UNKNOWN else turn.verdict.is_pass


def _solved_in_a_row(walk: ChainWalk, revisions: int) -> int | None:
    """How many first steps were verified; None where the next could not be judged."""
    for number, rollout in enumerate(walk.steps):
        solved = _is_solved(rollout, revisions)
        if not solved:
            return None if solved is None else number
    return len(walk.steps)


def _lacked_room(walk: ChainWalk, end: int | None, revisions: int, max_tokens: int) -> bool:
    """Whether the answer that ended a chain had less room than others, and was cut off or not even begun."""
    if end is None or end == len(walk.chain.steps):
        return False
    turn = walk.steps[end].turns[: revisions + 1][-1]
    is_cut = turn.completion.truncated and len(turn.completion.token_ids) < max_tokens
    return is_cut or turn.verdict.reason == "env.prompt_too_long"


def horizon(shares: Sequence[float], at: float, floor: float) -> float | None:
    """The length at which a curve of success falls to `at`; None when it does not.

    Between whole lengths log success is taken as linear, which is exact for p^n. A success of 0 counts as `floor`.

    Args:
        shares: success at lengths 1, 2, ...; never rising.
        at: in (0, 1).
        floor: above 0 and below `at`, e.g. that of half a chain.
    """
    before = 1.0
    for n, share in enumerate(shares, 1):
        if share < at:
            low = math.log(max(share, min(floor, at / 2)))
            return n - 1 + (math.log(before) - math.log(at)) / (math.log(before) - low)
        before = share
    return None


def _independent_horizon(p: float, at: float) -> float | None:
    if p in (0.0, 1.0):
        return None if p else 0.0
    return math.log(at) / math.log(p)


def _horizons(ends: Sequence[int | None], singles: Sequence[Sequence[bool]], length: int) -> tuple[Horizon, ...]:
    """Horizons with percentile intervals: whole chains are drawn again, with replacement, each with its steps alone."""
    import numpy as np

    n = len(ends)
    draws = np.vstack([np.ones(n), np.random.default_rng(0).multinomial(n, [1 / n] * n, size=_RESAMPLES)])
    is_in = np.array([end is not None for end in ends])
    verified = np.array([[end is not None and end >= step for step in range(1, length + 1)] for end in ends])
    counts = np.array([[sum(steps), len(steps)] for steps in singles])
    chains, steps = draws @ is_in, draws @ counts
    draws, chains, steps = (rows[(chains > 0) & (steps[:, 1] > 0)] for rows in (draws, chains, steps))
    curves = (draws @ verified) / chains[:, None]
    rates = steps[:, 0] / steps[:, 1]
    return tuple(
        Horizon(
            share,
            _reach([horizon(curve, share, 0.5 / n) for curve in curves.tolist()]),
            _reach([_independent_horizon(p, share) for p in rates.tolist()]),
        )
        for share in HORIZON_SHARES
    )


def _reach(values: Sequence[float | None]) -> Reach:
    """The first value, with the 2.5% and 97.5% quantiles of the others; None is more than any number."""
    drawn = sorted(float("inf") if value is None else value for value in values[1:])
    ends = [drawn[round(share * (len(drawn) - 1))] for share in (0.025, 0.975)]
    low, high = (None if end == float("inf") else end for end in ends)
    return Reach(values[0], low, high)
