"""What more sampling buys at test time: success against tokens and seconds, all from one pool of stored samples.

Three ways to spend n samples of a problem, and one way to spend turns:

- *likeliest*: take the sample with the highest mean log-probability per token. No verifier.
- *majority*: take the most frequent candidate, self-consistency (Wang et al. 2022, arXiv 2203.11171). Proofs and
  programs are the same candidate when their text is, mathematical answers when their normalised final answers are. A
  completion without a candidate has no vote; of candidates with as many votes the one sampled first is taken.
- *verifier-selected*: sample until one is verified, n times at most. Success is pass@n.
- *revision*: go on with the attempt against the verifier's answer; n counts turns.

What n samples out of m would have given is the expectation over all ordered subsets of n, in closed form throughout:
nothing here is drawn at random, so the strategies are compared on exactly the same samples. A sample that could not be
judged is no part of the pool, and a problem with fewer than n judged samples is no part of the point at n.

Seconds are those of the machine, as the evaluation used it. A sample's own time of generation was shared with all
others that were under way, so it counts divided by their mean number, which is the sum of all samples' times over the
wall clock (Little 1961, Operations Research 9, 383-387). A verdict's time counts as it is. Compare seconds within one
evaluation only.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

from proofgrad.rl.evaluate import OVERALL
from proofgrad.rl.evaluation.stored import StoredEvaluation, read_rows
from proofgrad.rl.loop import Halt
from proofgrad.rl.stats import Estimate, pass_at_k, rate_interval
from proofgrad.verifiers.base import Json, Outcome

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

__all__ = ["Curve", "Point", "Strategy", "sample_curves", "test_time_curves", "turn_curves"]

Strategy: TypeAlias = Literal["likeliest", "majority", "verifier-selected", "revision"]

_COLUMNS = (
    "task", "domain", "verifier", "tokens", "logprob", "candidate", "outcome", "generate_seconds", "verify_seconds",
)  # fmt: skip
_REMEMBERED = 10_000  # problems with the same counts share their chances

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Point:
    """One place on a curve; costs are means over its problems.

    Attributes:
        n: samples, or turns, that may be spent on a problem.
        tokens: expected number of tokens that the policy writes; a strategy with a verifier stops when it has a pass.
        seconds: expected seconds of generation, and of verification where the strategy needs verdicts; see above.
        success: share of problems solved, with its interval over problems.
        problems: how many have enough judged samples.
        left_out: how many have not.
        all_tokens: tokens of all n samples, without stopping early; for revision the same as `tokens`.
        all_seconds: likewise.
    """

    n: int
    tokens: float
    seconds: float
    success: Estimate
    problems: int
    left_out: int
    all_tokens: float
    all_seconds: float


@dataclass(frozen=True, slots=True)
class Curve:
    """One strategy on one domain, or on "overall", where more than one problem has judged samples."""

    strategy: Strategy
    domain: str
    points: tuple[Point, ...]

    def to_json(self) -> dict[str, Json]:
        """The curve as plain JSON types."""
        points: list[Json] = [asdict(point) | {"success": point.success._asdict()} for point in self.points]
        return {"strategy": self.strategy, "domain": self.domain, "points": points}


class _Value(NamedTuple):
    """What a problem gives at one point."""

    success: float
    tokens: float
    seconds: float
    all_tokens: float
    all_seconds: float


@dataclass(frozen=True, slots=True)
class _Pool:
    """The judged samples of one problem, likeliest first; arrays of shape (samples,)."""

    domain: str
    passed: Floats
    tokens: Floats
    generate_s: Floats
    verify_s: Floats
    votes: tuple[tuple[int, float], ...]
    """For each different candidate: how many samples have it, and the share of these that passed."""

    @property
    def size(self) -> int:
        return len(self.passed)


def test_time_curves(stored: StoredEvaluation) -> list[Curve]:
    """Every curve that an evaluation's samples allow; revision only where it has trajectories of several turns.

    Raises:
        ConfigError: the samples cannot be read, or were recorded without their log-probabilities or seconds.
    """
    rows = read_rows(stored.rollouts, _COLUMNS)
    share = _share(stored)
    curves = sample_curves(rows, share)
    revised = stored.directory / "revised.parquet"
    if revised.is_file():
        curves += turn_curves(read_rows(revised, ("task", "domain", "turns", "halt")), share)
    return curves


# pytest takes whatever is called test_* for a test wherever it is imported.
test_time_curves.__test__ = False  # type: ignore[attr-defined]


def _share(stored: StoredEvaluation) -> float:
    """Seconds of wall clock for one of a sample's own, in [0, 1]: one over the mean number under way."""

    def own(file: Path) -> float:
        return sum(row["generate_seconds"] for row in read_rows(file, ("generate_seconds",))) if file.is_file() else 0.0

    # Of an evaluation with several turns the samples are the first turns of the trajectories.
    total = own(stored.rollouts)
    if (revised := own(stored.directory / "revised.parquet")) > 0:
        total = revised + own(stored.directory / "best-of-n.parquet")
    return min(1.0, stored.evaluation.seconds / total) if total else 1.0


def sample_curves(rows: Iterable[Mapping[str, Any]], share: float = 1.0) -> list[Curve]:
    """The curves of the three ways to spend samples; without "likeliest" where a log-probability is not known.

    Args:
        rows: as `Rollout.to_row` makes them, in the order of sampling; several of each task.
        share: what a second of a sample's own generation counts.
    """
    by_task: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_task[row["task"]].append(row)
    if not by_task:
        return []
    most = max(len(found) for found in by_task.values())
    pools = [_pool(found, share) for found in by_task.values()]
    ways: dict[Strategy, Callable[[_Pool, int], _Value]] = {
        "likeliest": _likeliest, "majority": _majority, "verifier-selected": _verifier_selected,
    }  # fmt: skip
    if any(row["logprob"] is None for found in by_task.values() for row in found):
        del ways["likeliest"]
    curves: list[Curve] = []
    for strategy, way in ways.items():
        for domain, chosen in _by_domain(pools).items():
            points = []
            for n in _sizes(most):
                values = [way(pool, n) for pool in chosen if pool.size >= n]
                points += _point(n, values, len(chosen))
            curves += [Curve(strategy, domain, tuple(points))] if points else []
    return curves


def turn_curves(rows: Iterable[Mapping[str, Any]], share: float = 1.0) -> list[Curve]:
    """The curve of revision: solved by turn n, against what the turns up to it cost.

    Every point is over the same trajectories: those in which each turn could be judged, and which judging again has not
    cut short.

    Args:
        rows: as `read_rows` gives them, `turns` decoded, and `halt` if it is known; several of each task.
        share: as for `sample_curves`.
    """
    by_task: dict[str, list[list[Mapping[str, Any]]]] = defaultdict(list)
    domains: dict[str, str] = {}
    rows = list(rows)
    most = max((len(row["turns"]) for row in rows), default=0)
    for row in rows:
        domains[row["task"]], turns = row["domain"], row["turns"]
        # Out of turns before the last one: its verdict is another than the one that it stopped at.
        is_cut_short = row.get("halt") == Halt.TURNS and len(turns) < most and turns[-1]["outcome"] == Outcome.FAIL
        is_unknown = any(turn["outcome"] == Outcome.UNKNOWN for turn in turns)
        by_task[row["task"]] += [] if is_unknown or is_cut_short else [turns]
    most = max((len(turns) for found in by_task.values() for turns in found), default=0)
    groups = _grouped((domains[task], found) for task, found in by_task.items())
    curves = []
    for domain, tasks in groups.items():
        judged = [found for found in tasks if found]
        points = []
        for n in range(1, most + 1):
            points += _point(n, [_by_turn(found, n, share) for found in judged], len(tasks))
        curves += [Curve("revision", domain, tuple(points))] if points else []
    return curves


def _by_turn(trajectories: Sequence[Sequence[Mapping[str, Any]]], n: int, share: float) -> _Value:
    taken = [turns[:n] for turns in trajectories]
    count = len(taken)
    success = sum(any(turn["outcome"] == Outcome.PASS for turn in turns) for turns in taken) / count
    tokens = sum(turn["tokens"] for turns in taken for turn in turns) / count
    own = [share * turn["generate_seconds"] + turn["verify_seconds"] for turns in taken for turn in turns]
    seconds = sum(own) / count
    return _Value(success, tokens, seconds, tokens, seconds)


def _pool(rows: Sequence[Mapping[str, Any]], share: float) -> _Pool:
    import numpy as np

    judged = [row for row in rows if row["outcome"] != Outcome.UNKNOWN]
    # A stable sort: of two that are equally likely the one sampled first comes first.
    judged.sort(key=_mean_logprob, reverse=True)
    votes: dict[str, list[bool]] = defaultdict(list)
    for row in judged:
        ballot = _ballot(row["verifier"], row["candidate"])
        if ballot is not None:
            votes[ballot].append(row["outcome"] == Outcome.PASS)
    return _Pool(
        rows[0]["domain"],
        np.array([row["outcome"] == Outcome.PASS for row in judged], dtype=np.float64),
        np.array([row["tokens"] for row in judged], dtype=np.float64),
        np.array([share * row["generate_seconds"] for row in judged], dtype=np.float64),
        np.array([row["verify_seconds"] for row in judged], dtype=np.float64),
        tuple((len(passes), sum(passes) / len(passes)) for passes in votes.values()),
    )


def _mean_logprob(row: Mapping[str, Any]) -> float:
    return row["logprob"] / row["tokens"] if row["tokens"] and row["logprob"] is not None else -math.inf


def _ballot(verifier: str, candidate: str | None) -> str | None:
    """What a candidate votes for, equal for candidates that count as the same; None abstains."""
    if candidate is None:
        return None
    if verifier == "maths":
        from proofgrad.verifiers.maths import final_answer

        return final_answer(candidate)
    return candidate


def _likeliest(pool: _Pool, n: int) -> _Value:
    return _all(pool, n, float(_chances_to_lead(pool.size, n) @ pool.passed))


def _majority(pool: _Pool, n: int) -> _Value:
    counts = tuple(sorted(count for count, _ in pool.votes))
    chances = _chances_to_win(counts, pool.size - sum(counts), n)
    return _all(pool, n, sum(chances[count] * share for count, share in pool.votes))


def _verifier_selected(pool: _Pool, n: int) -> _Value:
    passed = int(pool.passed.sum())
    success = pass_at_k(pool.size, passed, n)
    if_failed, if_passed = _chances_to_be_made(pool.size, pool.size - passed, n)
    made = pool.passed * if_passed + (1 - pool.passed) * if_failed
    both = pool.generate_s + pool.verify_s
    return _Value(
        success, float(made @ pool.tokens), float(made @ both), n * float(pool.tokens.mean()), n * float(both.mean())
    )


def _all(pool: _Pool, n: int, success: float) -> _Value:
    """All n samples are made, and none is verified."""
    tokens, seconds = n * float(pool.tokens.mean()), n * float(pool.generate_s.mean())
    return _Value(success, tokens, seconds, tokens, seconds)


@lru_cache(maxsize=_REMEMBERED)
def _chances_to_lead(m: int, n: int) -> Floats:
    """For each of m ranks, the chance that it is the best of n drawn: C(m - 1 - rank, n - 1) / C(m, n); shape (m,)."""
    import numpy as np

    return np.array([math.comb(m - 1 - rank, n - 1) / math.comb(m, n) for rank in range(m)])


@lru_cache(maxsize=_REMEMBERED)
def _chances_to_be_made(m: int, failing: int, n: int) -> tuple[float, float]:
    """The chance that a sample is made before one passes or n are made: for one that fails, and for one that passes.

    It is made as the j-th, with a chance of 1/m, if the j - 1 before it all failed.
    """
    if_failed = sum(math.comb(failing - 1, j) / math.comb(m - 1, j) for j in range(n)) / m if failing else 0.0
    if_passed = sum(math.comb(failing, j) / math.comb(m - 1, j) for j in range(n)) / m if failing < m else 0.0
    return if_failed, if_passed


@lru_cache(maxsize=_REMEMBERED)
def _chances_to_win(counts: tuple[int, ...], abstaining: int, n: int) -> dict[int, float]:
    """For each count, the chance that one candidate with so many samples has most votes of n samples drawn.

    It wins with k votes when every other has at most k, and shares the win with t others that have k as well, since in
    a random order each of them is as likely to come first. The ways to draw the others' votes are the coefficients of a
    product of polynomials, here an array of shape (ties + 1, votes + 1), with a factor for each candidate:
    sum over j <= k of C(count, j) x^j, where the last term carries a tie. Such numbers outgrow a float. So each of m
    samples is taken to be drawn with a chance of p = n / m, on its own: given that n are, all draws are as likely as
    before, and the coefficients are chances.

    Args:
        counts: samples of each candidate, sorted.
        abstaining: samples without a candidate.
        n: how many are drawn.
    """
    import numpy as np

    if counts and n == sum(counts) + abstaining:  # every sample votes: a plain election, and the dearest case below
        return {count: (count == counts[-1]) / counts.count(counts[-1]) for count in counts}
    chances: dict[int, float] = {}
    m = sum(counts) + abstaining
    shares: dict[int, Floats] = {}

    def ways(count: int, most: int) -> Floats:
        """C(count, j) p^j (1 - p)^(count - j) for j = 0 .. `most`, exact but for the last division."""
        if count not in shares:
            whole = m**count
            shares[count] = np.array([
                math.comb(count, j) * n**j * (m - n) ** (count - j) / whole for j in range(min(count, n) + 1)
            ])  # fmt: skip
        found = shares[count][: most + 1]
        return np.concatenate([found, np.zeros(most + 1 - len(found))])

    for own in dict.fromkeys(counts):
        others = list(counts)
        others.remove(own)
        won = 0.0
        for k in range(1, min(own, n) + 1):
            left = n - k
            rivals = [count for count in others if count >= k]
            free = abstaining + sum(count for count in others if count < k)  # these can have any number of votes
            ties = min(len(rivals), left // k)
            table = np.zeros((ties + 1, left + 1))
            table[0] = ways(free, left)
            for count in rivals:
                factor = ways(count, k)
                product = np.stack([np.convolve(row, factor[:k])[: left + 1] for row in table])
                if ties and k <= left:
                    product[1:, k:] += factor[k] * table[:-1, : left + 1 - k]
                table = product
            won += float(ways(own, k)[k] * (table[:, left] @ (1 / np.arange(1, ties + 2))))
        chances[own] = won / float(ways(m, n)[n])
    return chances


def _sizes(most: int) -> list[int]:
    """1, 2, 4 and so on, and `most` itself."""
    return sorted({2**i for i in range(most.bit_length()) if 2**i <= most} | {most})


def _by_domain(pools: Sequence[_Pool]) -> dict[str, list[_Pool]]:
    return _grouped((pool.domain, pool) for pool in pools)


def _grouped(pairs: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    """By domain, and all together where there are several."""
    found: dict[str, list[T]] = defaultdict(list)
    for domain, one in pairs:
        found[domain].append(one)
    if len(found) > 1:
        found[OVERALL] = [one for group in found.values() for one in group]
    return dict(found)


def _point(n: int, values: Sequence[_Value], of: int) -> list[Point]:
    """The point at n; none where fewer than two problems are left, as there is no interval then."""
    if len(values) < 2:
        return []
    success, tokens, seconds, all_tokens, all_seconds = (list(column) for column in zip(*values, strict=True))
    count = len(values)
    return [
        Point(
            n=n,
            tokens=sum(tokens) / count,
            seconds=sum(seconds) / count,
            # Sums of chances: what is 1 but for rounding has to be 1, or it looks like a spread between problems.
            success=rate_interval([min(1.0, round(value, 12)) for value in success]).estimate,
            problems=count,
            left_out=of - count,
            all_tokens=sum(all_tokens) / count,
            all_seconds=sum(all_seconds) / count,
        )
    ]
