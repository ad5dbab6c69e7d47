"""Judging stored completions again, with the verifiers of today.

A chunk that is judged goes to scoring/, and only when all are do they take the place of those in completions/, after
the old result and its rows were set aside. So a failure half way loses neither the old verdicts nor the new ones, and
the same command goes on where it was.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from proofgrad.rl.console import Tracker, track
from proofgrad.rl.evaluation.directory import SAMPLES, EvaluationDirectory, Sampled, read_chunk, write_chunk_rows
from proofgrad.rl.loop import GENERATION_FAILED, Halt, Judging, Turn
from proofgrad.rl.rollout import Rollout
from proofgrad.rl.run_directory import write_text
from proofgrad.verifiers.base import Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError

__all__ = ["Choice", "Scored", "every_turn", "is_cut_short", "judge_stored", "unjudged_turns", "unknown_turns"]

Choice = Callable[[Turn], bool]
"""Whether an attempt is to be judged again."""

_NOTHING_SAID = (GENERATION_FAILED, "env.prompt_too_long")  # there is no completion to judge
_VERDICT_HALTS = (Halt.VERIFIED, Halt.UNKNOWN)  # a verdict ended the trajectory, and no budget
_EXAMINATION = ("self_test.json", "environment.json")  # of the verifiers that the old verdicts are of
_RESULTS = ("evaluation.json", "rollouts.parquet", "revised.parquet", "best-of-n.parquet", "revision.json")


@dataclass(frozen=True, slots=True)
class Scored:
    """What judging again did.

    Attributes:
        judged: attempts that were judged.
        changes: how many rollouts went from one outcome to another, by (was, is now).
        stopped_early: trajectories that had stopped, with turns left, at a pass or an UNKNOWN that is a fail now; what
            would have followed was never sampled: they count as failed, and revisions are compared without them.
        kept: where the old result is; None where there was none.
    """

    judged: int
    changes: Mapping[tuple[str, str], int]
    stopped_early: int
    kept: Path | None


def every_turn(turn: Turn) -> bool:
    """Judge all that was said."""
    return turn.verdict.reason not in _NOTHING_SAID


def unknown_turns(turn: Turn) -> bool:
    """Judge what has no verdict but UNKNOWN."""
    return turn.verdict.outcome is Outcome.UNKNOWN and every_turn(turn)


def unjudged_turns(turn: Turn) -> bool:
    """Judge what no verifier has been asked about."""
    return turn.verdict.reason == "infra.not_judged"


def is_cut_short(directory: EvaluationDirectory) -> bool:
    """Whether judging again was begun here and not ended."""
    return (directory.path / "scoring" / "state.json").is_file()


def judge_stored(
    directory: EvaluationDirectory, judge: Judging, versions: Mapping[str, str], choice: Choice, what: str
) -> Scored:
    """Judge stored completions again and put the new verdicts in place of the old; `finish` is to follow.

    Args:
        directory: of the evaluation.
        judge: with the verifiers of today.
        versions: theirs.
        choice: which attempts.
        what: names the choice: scoring that was cut short is gone on with for the same one only.

    Raises:
        ConfigError: there is nothing stored, a file cannot be read, or scoring of another kind was cut short here.
    """
    files = directory.chunks()
    if not files:
        raise ConfigError(f"no completions are stored in '{directory.path}': there is nothing to judge")
    scoring = directory.path / "scoring"
    _end_other(directory, dict(versions), what)
    state = _begin(scoring, dict(versions), what)
    turns = directory.settings().loop.max_turns
    if not state["is_judged"]:
        with track("judging", _count(files, choice)) as tracker:
            for file in files:
                if not (scoring / file.name).is_file():
                    _judge_chunk(file, scoring / file.name, judge, choice, tracker, turns)
        _write_state(scoring, state | {"is_judged": True})
    return _end(directory, versions)


def _end(directory: EvaluationDirectory, versions: Mapping[str, str]) -> Scored:
    """Put verdicts that are all there in place of the old; done once however often it is gone on with."""
    files, scoring = directory.chunks(), directory.path / "scoring"
    total = Counter[str]()
    changes: Counter[tuple[str, str]] = Counter()
    for file in files:
        if (scoring / file.with_suffix(".json").name).is_file():
            told = json.loads((scoring / file.with_suffix(".json").name).read_text(encoding="utf-8"))
            total.update({"judged": told["judged"], "stopped": told["stopped_early"]})
            changes.update({(was, now): n for was, now, n in told["changes"]})
    kept = _set_aside(directory.path, scoring)
    for file in files:
        if (scoring / file.name).is_file():  # not yet moved by an earlier try
            os.replace(scoring / file.name, file)
    directory.keep_verifiers(versions)
    # Away in one step: a folder that is half deleted must not look like one to go on with.
    done = scoring.with_name("scoring-done")
    shutil.rmtree(done, ignore_errors=True)
    os.replace(scoring, done)
    shutil.rmtree(done)
    return Scored(total["judged"], dict(changes), total["stopped"], kept)


def _end_other(directory: EvaluationDirectory, versions: dict[str, str], what: str) -> None:
    """End a scoring of another kind that was cut short when its new verdicts were there, and some in their place.

    There is no way back from there that keeps either verdicts whole, and no verifier is needed to go on.
    """
    file = directory.path / "scoring" / "state.json"
    if not file.is_file():
        return
    found = json.loads(file.read_text(encoding="utf-8"))
    if not found["is_judged"] or (found["what"], found["verifiers"]) == (what, versions):
        return
    _end(directory, found["verifiers"])
    if what != "all" and found["verifiers"] != versions:
        raise ConfigError(
            f"the verdicts in '{directory.path}' are of other versions of the verifiers, and cannot be mixed with "
            f"today's: proofgrad score {directory.path} judges them all again"
        )


def _begin(scoring: Path, versions: dict[str, str], what: str) -> dict[str, object]:
    asked: dict[str, object] = {"what": what, "verifiers": versions, "is_judged": False, "time": time.time()}
    file = scoring / "state.json"
    if not file.is_file():
        scoring.mkdir(exist_ok=True)
        _write_state(scoring, asked)
        return asked
    found: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    for key in ("what", "verifiers"):
        if found[key] != asked[key]:
            raise ConfigError(
                f"scoring was cut short in '{scoring}' with {key} {found[key]}, and {asked[key]} is asked for now: "
                f"give that command again, or delete '{scoring}': the old verdicts are all in their place"
            )
    return found


def _write_state(scoring: Path, state: Mapping[str, object]) -> None:
    write_text(scoring / "state.json", json.dumps(state))


def _set_aside(path: Path, scoring: Path) -> Path | None:
    """Keep the old result under the time at which it was written; done once however often scoring is gone on with."""
    result = path / "evaluation.json"
    note = scoring / "kept.json"
    if not note.is_file():
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(result.stat().st_mtime)) if result.is_file() else None
        number, name = 1, stamp
        while name is not None and (path / f"evaluation-{name}.json").exists():
            number += 1
            name = f"{stamp}-{number}"
        write_text(note, json.dumps(name))
    stamp = json.loads(note.read_text(encoding="utf-8"))
    if stamp is None:
        return None
    for name in _EXAMINATION:  # copied: where the versions have not changed, the self-test stands
        old, copy = path / name, path / _stamped(name, stamp)
        if old.is_file() and not copy.is_file():
            write_text(copy, old.read_text(encoding="utf-8"))
    # The result goes first: from then on the evaluation counts as unfinished, until the new one is there.
    for name in _RESULTS:
        old = path / name
        if old.is_file():
            os.replace(old, path / _stamped(name, stamp))
    return path / _stamped("evaluation.json", stamp)


def _stamped(name: str, stamp: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{stamp}{dot}{suffix}"


def _count(files: list[Path], choice: Choice) -> int:
    return sum(choice(turn) for file in files for one in read_chunk(file) for turn in one.rollout.turns)


def _judge_chunk(file: Path, target: Path, judge: Judging, choice: Choice, tracker: Tracker, max_turns: int) -> None:
    sampled = read_chunk(file)
    waiting = [
        [(turn, _submitted(one, turn, judge) if choice(turn) else None) for turn in one.rollout.turns]
        for one in sampled
    ]
    new: list[Sampled] = []
    changes: Counter[tuple[str, str]] = Counter()
    judged = stopped_early = 0
    for one, turns in zip(sampled, waiting, strict=True):
        settled = list(_settled(turns, tracker))
        judged += sum(done is not None for _, done in turns)
        rollout = _rescored(one.rollout, settled)
        was, now = one.rollout.verdict.outcome, rollout.verdict.outcome
        if was is not now:
            changes[was.value, now.value] += 1
        had_turns_left = one.item.part == SAMPLES and len(rollout.turns) < max_turns
        stopped_early += had_turns_left and one.rollout.halt in _VERDICT_HALTS and now is Outcome.FAIL
        new.append(replace(one, rollout=rollout))
    told = {
        "judged": judged,
        "stopped_early": stopped_early,
        "changes": [[was, now, n] for (was, now), n in changes.items()],
    }
    write_text(target.with_suffix(".json"), json.dumps(told))
    write_chunk_rows(target, new)


_Submitted = tuple[str | None, Future[Verdict]]


def _submitted(one: Sampled, turn: Turn, judge: Judging) -> _Submitted:
    return judge.submit(one.item.task, turn.completion.text)


def _settled(turns: list[tuple[Turn, _Submitted | None]], tracker: Tracker) -> Iterator[Turn]:
    for turn, submitted in turns:
        if submitted is None:
            yield turn
            continue
        candidate, verdict = submitted
        yield replace(turn, candidate=candidate, verdict=verdict.result())
        tracker.advance()


def _rescored(rollout: Rollout, turns: list[Turn]) -> Rollout:
    """A rollout with new verdicts: it ends where it is verified, and goes no further than it went."""
    for place, turn in enumerate(turns):
        if turn.verdict.is_pass:
            ended = replace(turn, follow_up_ids=())
            return replace(rollout, turns=(*turns[:place], ended), halt=Halt.VERIFIED)
    halt = rollout.halt
    if turns[-1].verdict.outcome is Outcome.UNKNOWN:
        halt = Halt.UNKNOWN
    elif halt in _VERDICT_HALTS:
        halt = Halt.TURNS
    return replace(rollout, turns=tuple(turns), halt=halt)
