"""Does the judge judge? Right answers must pass, damaged ones should not, and cheats must not.

Run beside an evaluation, on the machine, with the environments and the verifiers that the evaluation uses:

- *gold*: demonstrations of each environment. One that is refused is a false refusal.
- *corrupted*: each of them once, with small damage (`damage.py`). One that passes is reported: it is either a leak or
  damage that changed nothing.
- *cheat*: a list of cheats for each verifier (`gauntlet.py`). One that passes is a leak.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from proofgrad.envs.base import HELD_OUT, Env, Task, candidate_in
from proofgrad.rl.checks.damage import damaged
from proofgrad.rl.checks.gauntlet import cheats
from proofgrad.rl.run_directory import write_text
from proofgrad.rl.stats import upper_bound
from proofgrad.verifiers.answers import Answer, judge_once
from proofgrad.verifiers.base import BatchVerifier, Json, Outcome, Problem, Verdict, Verifier
from proofgrad.verifiers.errors import ConfigError

__all__ = ["SELF_TEST", "Check", "Finding", "Kind", "SelfTest", "load_self_test", "self_test", "write_self_test"]

SELF_TEST = "self_test.json"

Kind: TypeAlias = Literal["gold", "corrupted", "cheat"]

_KINDS: tuple[Kind, ...] = ("gold", "corrupted", "cheat")
_NO_ANSWERS = "its environment has no demonstrations to take right answers from"


@dataclass(frozen=True, slots=True)
class Finding:
    """A judgement that is not what it should be.

    Attributes:
        what: the task, and what was done to its answer; or the cheat.
        candidate: what was judged.
        reason: the verdict's.
    """

    what: str
    candidate: str
    reason: str


@dataclass(frozen=True, slots=True)
class Check:
    """What one verifier made of one kind of candidate.

    Attributes:
        verifier: its name.
        kind: gold, corrupted or cheat.
        looked_at: how many got a verdict.
        unknown: how many could not be judged.
        wrong: gold that was refused, or something else that passed.
        bound: upper 95% bound on the share of such judgements; 1.0 where none got a verdict. For cheats it says how far
            the number of cheats carries, as if they were a sample of all.
    """

    verifier: str
    kind: Kind
    looked_at: int
    unknown: int
    wrong: tuple[Finding, ...]
    bound: float


@dataclass(frozen=True, slots=True)
class SelfTest:
    """The result.

    Attributes:
        n: demonstrations asked of each environment.
        seed: of these and of the damage.
        seconds: wall clock.
        verifiers: the version of each.
        checks: by verifier and kind.
        left_out: what could not be looked at, each with its reason.
    """

    n: int
    seed: int
    seconds: float
    verifiers: Mapping[str, str]
    checks: tuple[Check, ...]
    left_out: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether every right answer passed and no cheat did."""
        return not any(check.wrong for check in self.checks if check.kind != "corrupted")

    def to_json(self) -> dict[str, Json]:
        """The result as plain JSON types."""
        return {"is_sound": self.is_sound, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SelfTest:
        """The inverse of `to_json`."""
        checks = [
            Check(**{**check, "wrong": tuple(Finding(**finding) for finding in check["wrong"])})
            for check in data["checks"]
        ]
        plain = {name: data[name] for name in ("n", "seed", "seconds", "verifiers")}
        return cls(**plain, checks=tuple(checks), left_out=tuple(data["left_out"]))


class _Item(NamedTuple):
    kind: Kind
    what: str
    problem: Problem
    candidate: str


def self_test(envs: Mapping[str, Env], verifiers: Mapping[str, Verifier], n: int = 20, seed: int = 0) -> SelfTest:
    """Put right answers, damaged ones and cheats to the verifiers, which stay open.

    Args:
        envs: by name.
        verifiers: by the names that the environments' tasks have for them.
        n: demonstrations of each environment; fewer where it has fewer.
        seed: of the demonstrations and the damage.

    Raises:
        ConfigError: `n` is less than 1.
    """
    if n < 1:
        raise ConfigError(f"a self-test needs at least one demonstration of each environment, got {n}")
    start = time.monotonic()
    items: dict[str, list[_Item]] = {name: [] for name in verifiers}
    left_out: list[str] = []
    for name, env in envs.items():
        solved = [(task, answer) for task, answer in _solved(env, n, seed) if task.verifier in items]
        if not solved:
            left_out.append(f"{name}: {_NO_ANSWERS}")
        for task, answer in solved:
            items[task.verifier].append(_Item("gold", task.id, task.problem, answer))
            made = damaged(task.verifier, answer, random.Random(f"damage/{seed}/{task.id}"))
            if made is not None:
                what = f"{task.id}: {made.what}"
                items[task.verifier].append(_Item("corrupted", what, task.problem, made.candidate))
    for name, found in items.items():
        known = {name: found[0].problem} if found else {}
        found += [_Item("cheat", *cheat) for cheat in cheats(name, known)]
    checks = [check for name in sorted(items) for check in _checked(name, verifiers[name], items[name])]
    versions = {name: verifiers[name].version for name in sorted(verifiers)}
    return SelfTest(n, seed, round(time.monotonic() - start, 2), versions, tuple(checks), tuple(left_out))


def write_self_test(directory: Path, result: SelfTest) -> Path:
    """Write DIRECTORY/self_test.json; where that is."""
    path = directory / SELF_TEST
    write_text(path, json.dumps(result.to_json(), indent=1) + "\n")
    return path


def load_self_test(directory: Path) -> SelfTest | None:
    """What `write_self_test` wrote; None where it wrote nothing.

    Raises:
        ConfigError: the file cannot be read.
    """
    path = directory / SELF_TEST
    if not path.is_file():
        return None
    try:
        return SelfTest.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"cannot read the self-test '{path}': {str(error).splitlines()[0]}") from error


def _solved(env: Env, n: int, seed: int) -> list[tuple[Task, str]]:
    """Tasks with the candidates of right completions: `n`, or as many as there are, or none."""
    for size in _fewer(n):
        try:
            pairs = list(_right(env, size, seed))
        except ConfigError:  # there are fewer than that
            continue
        read = [(task, candidate_in(env, task, completion)) for task, completion in pairs]
        return [(task, candidate) for task, candidate in read if candidate is not None]
    return []


def _right(env: Env, n: int, seed: int) -> Iterable[tuple[Task, str]]:
    """Demonstrations; of an environment that only evaluates, held-out tasks with what it knows to solve them."""
    solution = getattr(env, "solution", None)
    if solution is None:
        return env.demonstrations(n, seed)
    return ((task, solution(task)) for task in env.tasks(HELD_OUT, n, seed))


def _fewer(n: int) -> Iterable[int]:
    while n:
        yield n
        n //= 2


def _checked(name: str, verifier: Verifier, items: Sequence[_Item]) -> list[Check]:
    # One by one where the verifier has no batches of its own: an answer that makes it raise costs no other its verdict.
    pairs = [(item.problem, item.candidate) for item in items]
    asked = [pairs] if isinstance(verifier, BatchVerifier) else [[pair] for pair in pairs]
    answers = [answer for some in asked for answer in judge_once(verifier, some)]
    judged = list(zip(items, answers, strict=True))
    return [
        _check(name, kind, chosen) for kind in _KINDS if (chosen := [pair for pair in judged if pair[0].kind == kind])
    ]


def _check(name: str, kind: Kind, judged: Sequence[tuple[_Item, Answer]]) -> Check:
    # An error, e.g. a problem that the verifier finds malformed, is no verdict either.
    known = [
        (item, answer)
        for item, answer in judged
        if isinstance(answer, Verdict) and answer.outcome is not Outcome.UNKNOWN
    ]
    wrong = tuple(
        Finding(item.what, item.candidate, verdict.reason)
        for item, verdict in known
        if verdict.is_pass is not (kind == "gold")
    )
    bound = upper_bound(len(wrong), len(known)) if known else 1.0
    return Check(name, kind, len(known), len(judged) - len(known), wrong, bound)
