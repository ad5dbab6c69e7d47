"""An evaluation's directory: what is written, in which order, and how it is read again.

settings.json           what was asked; first
environment.json        what it was judged with and on: sandbox layers, Lean, package versions
completions/NNNNN.*     a finished chunk: its rows (parquet, written last) and how long it took (json)
rollouts.parquet        a row for every sample
revised.parquet         with more than one turn: a row for every trajectory, whose first attempt is the sample
best-of-n.parquet       with more than one turn: further independent attempts, beside the samples
revision.json           with more than one turn: revising against best-of-n
evaluation.json         the result; last

A chunk's rows hold all that its rollouts are made of, so that they can be judged again, and the rest written again.
Writes are whole or absent.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from proofgrad.envs.base import Prompt, Task
from proofgrad.rl.engine import Completion
from proofgrad.rl.evaluate import Evaluation, sample_plan, summarise
from proofgrad.rl.evaluation.settings import EvaluationSettings, difference
from proofgrad.rl.evaluation.stored import read_rows
from proofgrad.rl.loop import GENERATION_FAILED, Halt, Turn
from proofgrad.rl.revision import ATTEMPTS_PER_TURN, Revision, compare_revision
from proofgrad.rl.rollout import Rollout, sample_seed
from proofgrad.rl.run_directory import write_rows, write_text
from proofgrad.verifiers.base import Json, Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError

__all__ = ["BEST_OF_N", "SAMPLES", "ChunkPace", "EvaluationDirectory", "Item", "Sampled", "plan"]

SAMPLES, BEST_OF_N = "samples", "best-of-n"
_NOT_JUDGED = "infra.not_judged"


@dataclass(frozen=True, slots=True)
class Item:
    """One rollout to make.

    Attributes:
        part: SAMPLES, for pass@k and the trajectories that go on from there, or BEST_OF_N, for further independent
            attempts that revising is set against.
        task: what is asked.
        sample: its place among the task's of that part.
        seed: 63 bits.
    """

    part: str
    task: Task
    sample: int
    seed: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """An item and what became of it."""

    item: Item
    rollout: Rollout

    @property
    def is_judged(self) -> bool:
        """Whether a verifier has been asked, or there was nothing to ask about."""
        return self.rollout.verdict.reason != _NOT_JUDGED

    def stopped_early(self, max_turns: int) -> bool:
        """Whether a trajectory stopped at a verdict that is a fail now, with turns left that were never sampled.

        No other failure halts for want of turns before the last one (`scoring`).
        """
        is_failed = self.rollout.verdict.outcome is Outcome.FAIL and self.rollout.halt is Halt.TURNS
        return self.item.part == SAMPLES and is_failed and len(self.rollout.turns) < max_turns


@dataclass(frozen=True, slots=True)
class ChunkPace:
    """What a chunk took: tokens, seconds, and those of them in which nothing was sampled for want of verdicts."""

    tokens: int = 0
    seconds: float = 0.0
    waited_s: float = 0.0

    def __add__(self, other: ChunkPace) -> ChunkPace:
        return ChunkPace(self.tokens + other.tokens, self.seconds + other.seconds, self.waited_s + other.waited_s)


def plan(tasks: Sequence[Task], settings: EvaluationSettings) -> list[Item]:
    """Every rollout of an evaluation, in order.

    With more than one turn, the first attempts of the trajectories are the samples of pass@k. Each is also the first of
    the independent attempts that its trajectory is set against; only the others are sampled for that.
    """
    samples, turns = settings.samples, settings.loop.max_turns
    repeated, seeds = sample_plan(tasks, samples, settings.seed)
    items = [
        Item(SAMPLES, task, number % samples, seed)
        for number, (task, seed) in enumerate(zip(repeated, seeds, strict=True))
    ]
    more = samples * (ATTEMPTS_PER_TURN * turns - 1) if turns > 1 else 0
    also = (settings.seed,) if settings.seed else ()
    return items + [
        Item(BEST_OF_N, task, number, sample_seed(BEST_OF_N, *also, task.id, number))
        for task in tasks
        for number in range(more)
    ]


class EvaluationDirectory:
    """Paths, readers and writers of one evaluation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.completions = path / "completions"

    def begin(self, settings: EvaluationSettings, *, fresh: bool = False) -> None:
        """Make the directory, or go on with it.

        Raises:
            ConfigError: it holds something else, or an evaluation with other settings.
        """
        file = self.path / "settings.json"
        partial = file.with_suffix(".partial")  # all there is where the first write of all found the disk full
        if fresh and file.is_file():
            self._clear()
        elif file.is_file():
            was = EvaluationSettings.load(file)
            if (found := difference(was, settings)) is not None:
                remedy = "name another --output-dir, or take it again with --fresh"
                if found.startswith("verifiers"):
                    remedy = f"proofgrad score {self.path} judges it again"
                raise ConfigError(f"the evaluation in '{self.path}' was taken with {found}: {remedy}")
            settings = settings.model_copy(update={"verifiers": settings.verifiers or was.verifiers})
        elif self.path.exists() and (not self.path.is_dir() or any(p != partial for p in self.path.iterdir())):
            raise ConfigError(f"'{self.path}' holds something else than an evaluation: name another --output-dir")
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(file, settings.to_text())
        self.completions.mkdir(exist_ok=True)

    def _clear(self) -> None:
        """Delete all but the settings, completions last: cut short, it is an evaluation still, to go on with."""
        for child in sorted(self.path.iterdir(), key=lambda child: child == self.completions):
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            elif child.name != "settings.json":
                child.unlink()

    def settings(self) -> EvaluationSettings:
        """What was asked.

        Raises:
            ConfigError: there is no evaluation here.
        """
        if not (self.path / "settings.json").is_file():
            raise ConfigError(f"there is no evaluation in '{self.path}' (no settings.json): name one of proofgrad eval")
        return EvaluationSettings.load(self.path / "settings.json")

    def keep_verifiers(self, versions: Mapping[str, str]) -> None:
        """Record what the verdicts are now those of."""
        settings = self.settings().model_copy(update={"verifiers": dict(versions)})
        write_text(self.path / "settings.json", settings.to_text())

    def chunk(self, number: int) -> Path:
        """The file of a chunk, which is there when the chunk is finished."""
        return self.completions / f"{number:05d}.parquet"

    def chunks(self) -> list[Path]:
        """The finished chunks, in order."""
        return sorted(self.completions.glob("*.parquet"))

    def check_chunks(self, planned: Mapping[int, Sequence[Item]]) -> None:
        """Check that the finished chunks hold what is planned for their numbers.

        Raises:
            ConfigError: one holds something else.
        """
        expected = {
            self.chunk(number): [(item.part, item.task.id, item.sample, item.seed) for item in items]
            for number, items in planned.items()
        }
        for file in self.chunks():
            rows = read_rows(file, ("part", "task", "sample", "seed"))
            if [(row["part"], row["task"], row["sample"], row["seed"]) for row in rows] != expected.get(file):
                raise ConfigError(
                    f"'{file}' was asked other tasks than those of now (their file or their environment has changed): "
                    "name another --output-dir, or take the evaluation again with --fresh"
                )

    def write_chunk(self, number: int, sampled: Sequence[Sampled], pace: ChunkPace) -> None:
        """Store a finished chunk."""
        write_text(self.chunk(number).with_suffix(".json"), json.dumps(asdict(pace)))
        write_chunk_rows(self.chunk(number), sampled)

    def pace(self) -> ChunkPace:
        """What the finished chunks took together."""
        return sum((self.pace_of(int(file.stem)) for file in self.chunks()), ChunkPace())

    def pace_of(self, number: int) -> ChunkPace:
        """What a finished chunk took."""
        file = self.chunk(number).with_suffix(".json")
        return ChunkPace(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else ChunkPace()

    def finish(self, tasks: Sequence[Task], settings: EvaluationSettings) -> tuple[Evaluation, list[Revision]]:
        """Put the chunks together: tables, what revising buys, and the result, which is written last."""
        sampled = [one for file in self.chunks() for one in read_chunk(file)]
        trajectories = [one for one in sampled if one.item.part == SAMPLES]
        firsts = [replace(one, rollout=_first_attempt(one.rollout)) for one in trajectories]
        pace = self.pace()
        evaluation = summarise(
            tasks, [one.rollout for one in firsts], settings.evaluation, policy=settings.model, engine=settings.engine,
            verifiers=settings.verifiers, seconds=pace.seconds, waiting_seconds=round(pace.waited_s, 2),
            suite=settings.suite, seed=settings.seed, max_tokens=settings.max_tokens, ks=settings.ks,
        )  # fmt: skip
        evaluation = replace(evaluation, tokens=pace.tokens)
        write_rows(self.path / "rollouts.parquet", [_row(one) for one in firsts])
        revisions: list[Revision] = []
        if settings.loop.max_turns > 1:
            others = [one for one in sampled if one.item.part == BEST_OF_N]
            write_rows(self.path / "revised.parquet", [_row(one) for one in trajectories])
            write_rows(self.path / "best-of-n.parquet", [_row(one) for one in others])
            compared = _comparable(trajectories, others, settings.loop.max_turns)
            try:
                revisions = compare_revision(*([one.rollout for one in side] for side in compared))
            except ConfigError:
                revisions = []  # too few problems could be judged: that is to be seen in the table, and loses nothing
            write_text(self.path / "revision.json", json.dumps([asdict(row) for row in revisions], indent=1))
        evaluation.save(self.path / "evaluation.json")
        return evaluation, revisions


def write_chunk_rows(path: Path, sampled: Sequence[Sampled]) -> None:
    """A chunk's parquet file."""
    write_rows(path, [_stored(one) for one in sampled])


def read_chunk(path: Path) -> list[Sampled]:
    """What `write_chunk_rows` wrote; verdicts come without their evidence.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        return [_sampled(row) for row in read_rows(path)]
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"'{path}' does not hold what an evaluation stores ({error!r}): take it again") from error


def _row(one: Sampled) -> dict[str, Json]:
    row = one.rollout.to_row()
    turns = one.rollout.turns
    # An endpoint need not tell log-probabilities, and none is not a likely one.
    if any(len(turn.completion.logprobs) != len(turn.completion.token_ids) for turn in turns):
        row["logprob"] = None
    return {**row, "sample": one.item.sample}


def _stored(one: Sampled) -> dict[str, Json]:
    """A row from which `_sampled` makes the same again."""
    ids = [
        [list(turn.completion.token_ids), list(turn.completion.logprobs), list(turn.follow_up_ids)]
        for turn in one.rollout.turns
    ]
    own: dict[str, Json] = {
        "part": one.item.part,
        "seed": one.item.seed,
        "asked": json.dumps(one.item.task.prompt),
        "prompt_ids": json.dumps(one.rollout.prompt_ids),
        "ids": json.dumps(ids),
        "cut": json.dumps([turn.completion.truncated for turn in one.rollout.turns]),
    }
    return {**_row(one), **own}


def _sampled(row: Mapping[str, Any]) -> Sampled:
    prompt: Prompt = json.loads(row["asked"])
    names = ("problem", "verifier", "domain", "difficulty", "split", "source")
    task = Task(row["task"], prompt, *(row[name] for name in names))
    ids, cut = json.loads(row["ids"]), json.loads(row["cut"])
    turns = tuple(_turn(*parts) for parts in zip(row["turns"], ids, cut, strict=True))
    rollout = Rollout(task, json.loads(row["prompt_ids"]), turns, Halt(row["halt"]))
    return Sampled(Item(row["part"], task, row["sample"], row["seed"]), rollout)


def _turn(row: Mapping[str, Any], ids: Sequence[Any], is_cut: bool) -> Turn:
    token_ids, logprobs, follow_up_ids = ids
    verdict = Verdict(
        Outcome(row["outcome"]), row["score"], row["reason"], row["feedback"], seconds=row["verify_seconds"]
    )
    failure = row["feedback"] if row["reason"] == GENERATION_FAILED else ""
    completion = Completion(token_ids, logprobs, row["completion"], is_cut, failure)
    return Turn(
        completion, row["candidate"], verdict, tuple(follow_up_ids), row["generate_seconds"], row.get("is_fresh", False)
    )


def _comparable(
    trajectories: Sequence[Sampled], others: Sequence[Sampled], max_turns: int
) -> tuple[list[Sampled], list[Sampled]]:
    """Both sides without the trajectories that stopped early, of which nobody knows where they would have led.

    The attempts that such a trajectory is set against, its share of its task's, go with it.
    """
    samples = Counter(one.item.task.id for one in trajectories)
    attempts = Counter(one.item.task.id for one in others)
    cut = {(one.item.task.id, one.item.sample) for one in trajectories if one.stopped_early(max_turns)}

    def is_compared(one: Sampled) -> bool:
        name = one.item.task.id
        each = 1 if one.item.part == SAMPLES else attempts[name] // samples[name]
        return (name, one.item.sample // each) not in cut

    return [one for one in trajectories if is_compared(one)], [one for one in others if is_compared(one)]


def _first_attempt(rollout: Rollout) -> Rollout:
    """What a rollout would be had it had one turn."""
    if len(rollout.turns) == 1:
        return rollout
    return replace(rollout, turns=(replace(rollout.turns[0], follow_up_ids=()),), halt=Halt.TURNS)
