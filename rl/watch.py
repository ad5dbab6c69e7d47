"""A run as another process sees it while it goes on: what was written since the last look, and nothing is written here.

metrics.jsonl is read from where the last look ended. The last line may be half written: it waits for its end. A resumed
run puts a new file in place of the old one (`RunDirectory.forget_after`): that is told by its inode, and since the old
file is held open until then, no later file can have got its number. The other parts of the directory are looked at by
the time of their last change, and read when that is new.
"""

from __future__ import annotations

import calendar
import functools
import json
import math
import os
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from io import BufferedReader
from pathlib import Path
from typing import Any

from proofgrad.rl.evaluation.stored import read_rows
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.rl.stats import Estimate
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.rubric.quoting import visible

__all__ = ["Judged", "Measured", "Phase", "RunWatch", "Snapshot", "Step", "Tail", "one_line"]

SOLVED = "solved/"
_FIGURES = frozenset(
    {"loss", "reward", "kl", "entropy", "unknown", "truncated", "tokens_per_second", "wait_time_share", "step_time"}
)
_COMPLETIONS = 5
_COLUMNS = ("domain", "outcome", "reason", "candidate", "completion")
_CHARACTERS = 400  # of a completion that are kept: more than a line of any terminal
# Parts of the directory that change while a run is alive; verdicts are written as they come in.
_SIGNS_OF_LIFE = (
    "config.yaml", "manifest.json", "metrics.jsonl", "verdicts.sqlite", "verdicts.sqlite-wal", "frontier.json",
    "rollouts", "checkpoints", "eval", "policy",
)  # fmt: skip
_RECENT = 20  # steps that say how long a step takes
# Silent for so many of its longest recent steps, and for so long at least, a run seems to have stopped.
_STEPS_OF_SILENCE, _LEAST_SILENCE_S = 5, 60.0
# Where there are no steps to go by. Loading a model and starting an engine take minutes in which nothing is written.
_SILENCE_S = 600.0


class Phase(StrEnum):
    """Where a run is, in the order of `proofgrad.rl.train.train`."""

    STARTING = "starting"
    WARM_START = "warm start"
    BEFORE = "evaluating before training"
    FRONTIER = "finding the frontier"
    GRPO = "GRPO"
    AFTER = "evaluating after training"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Step:
    """A line of metrics.jsonl.

    Attributes:
        phase: as it is written there: "warm-start" or "grpo".
        number: of the optimizer update.
        values: the figures that are shown; which of them there are differs from line to line.
    """

    phase: str
    number: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Judged:
    """A completion, as it may be printed: one line, with nothing in it that a terminal would obey."""

    domain: str
    outcome: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Measured:
    """Held-out pass@1 of one domain in a finished evaluation."""

    evaluation: str
    domain: str
    problems: int
    rate: Estimate


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment.

    Attributes:
        run: its directory.
        name: its name.
        phase: where it is.
        step: the last update that was recorded in this phase; None where the phase has none.
        total: updates that the configuration asks for; None where the phase has no such number.
        started: when it was started, or resumed, in seconds since 1970; None where that is not recorded.
        elapsed_s: since then; None likewise.
        rest_s: an estimate of what is left, from the last steps and the first evaluation; None where there is no basis.
        silent_s: for how long nothing has been written.
        patience_s: after how long a silence it seems to have stopped; None where silence says nothing.
        step_s: how long a step takes, on average over the last ones; None before there are some.
        series: the figures of this training, by name, oldest first; ``solved/DOMAIN`` are shares of judged completions.
        latest: the last value of each.
        completions: some of the latest, one of each of several tasks.
        sampled: the file that they are in.
        evaluations: those that are done.
        fresh: the steps recorded since the last look; not part of the JSON.
        dropped: how many steps that were recorded before are no longer, since a resumed run does them again.
    """

    run: str
    name: str
    phase: Phase
    step: int | None
    total: int | None
    started: float | None
    elapsed_s: float | None
    rest_s: float | None
    silent_s: float
    patience_s: float | None
    step_s: float | None
    series: Mapping[str, Sequence[float]]
    latest: Mapping[str, float]
    completions: Sequence[Judged]
    sampled: str | None
    evaluations: Sequence[Measured]
    fresh: Sequence[Step] = ()
    dropped: int = 0

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.phase is Phase.FINISHED

    @property
    def seems_stopped(self) -> bool:
        """Whether it has been silent for much longer than it should be."""
        return not self.is_finished and self.patience_s is not None and self.silent_s > self.patience_s

    def to_json(self) -> dict[str, Any]:
        """Plain values; a figure that is no finite number is None, since JSON has no other word for it."""
        data = asdict(replace(self, fresh=(), evaluations=()))
        del data["fresh"], data["dropped"]
        data["evaluations"] = [
            {"evaluation": m.evaluation, "domain": m.domain, "problems": m.problems, "pass@1": m.rate._asdict()}
            for m in self.evaluations
        ]
        data["seems_stopped"] = self.seems_stopped
        plain: dict[str, Any] = json.loads(json.dumps(data), parse_constant=lambda _: None)
        return plain


class Tail:
    """The lines that another process appends to a file, each once and whole.

    Args:
        path: need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BufferedReader | None = None
        self._rest = b""

    def read(self) -> tuple[bool, list[bytes]]:
        """Whether the file was replaced since the last call, and its new lines (all of them where it was)."""
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False, []
        was_replaced = False
        if self._file is not None:
            held = os.fstat(self._file.fileno())
            if (held.st_dev, held.st_ino) != (now.st_dev, now.st_ino) or now.st_size < self._file.tell():
                self.close()
                was_replaced = True
        if self._file is None:
            try:
                self._file = self._path.open("rb")
            except FileNotFoundError:
                return was_replaced, []
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        return was_replaced, lines

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
        self._file, self._rest = None, b""


class RunWatch:
    """Looks at a run again and again.

    Args:
        path: the run's directory.
        clock: seconds since 1970.

    Raises:
        ConfigError: there is no run there.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        run, self._config = RunDirectory.open(path)
        self._path, self._policy, self._warm_start, self._clock = path, run.policy, run.warm_start, clock
        self._tail = Tail(path / "metrics.jsonl")
        self._steps: list[Step] = []
        self._completions: tuple[Judged, ...] = ()
        self._sampled: str | None = None
        self._known: dict[Path, int] = {}  # when what was read had last changed, in ns
        self._evaluations: dict[Path, list[Measured]] = {}
        self._seconds: dict[Path, float] = {}  # that an evaluation took

    def close(self) -> None:
        """Let go of the run's files."""
        self._tail.close()

    def look(self) -> Snapshot:
        """The run now.

        Raises:
            ConfigError: the run's directory is gone.
        """
        if not self._path.is_dir():
            raise ConfigError(f"the run '{one_line(str(self._path))}' is gone: its directory was moved or removed")
        dropped, fresh = self._read_steps()
        self._read_completions()
        self._read_evaluations()
        phase, now = self._phase(), self._clock()
        kind = "warm-start" if phase in (Phase.STARTING, Phase.WARM_START) else "grpo"
        steps = [step for step in self._steps if step.phase == kind]
        series = _series(steps)
        total = self._config.grpo.steps * self._config.grpo.minibatches if kind == "grpo" else None
        step = steps[-1].number if steps else (0 if phase is Phase.GRPO else None)
        recent = [seconds for seconds in series.get("step_time", ())[-_RECENT:] if math.isfinite(seconds)]
        step_s = sum(recent) / len(recent) if recent else None
        end = max(self._changed("eval/after.json"), self._changed("policy")) if phase is Phase.FINISHED else now
        started = self._started()
        return Snapshot(
            run=str(self._path),
            name=one_line(self._config.name),
            phase=phase,
            step=step,
            total=total,
            started=started,
            elapsed_s=None if started is None else max(0.0, end - started),
            rest_s=self._rest(phase, (total or 0) - (step or 0), step_s, now),
            silent_s=max(0.0, now - max(map(self._changed, _SIGNS_OF_LIFE))),
            patience_s=_patience(phase, recent),
            step_s=step_s,
            series=series,
            latest={name: values[-1] for name, values in series.items()},
            completions=self._completions,
            sampled=self._sampled,
            evaluations=self._measured(),
            fresh=fresh,
            dropped=dropped,
        )

    def _phase(self) -> Phase:
        if (self._policy / "config.json").exists():
            return Phase.FINISHED if (self._path / "eval" / "after.json").exists() else Phase.AFTER
        if any(step.phase == "grpo" for step in self._steps):
            return Phase.GRPO
        if (self._path / "eval" / "before.json").exists():
            is_searching = self._config.grpo.frontier.pool and not (self._path / "frontier.json").exists()
            return Phase.FRONTIER if is_searching else Phase.GRPO
        if (self._warm_start / "config.json").exists():
            return Phase.BEFORE
        has_begun = (self._path / "manifest.json").exists() and self._config.warm_start.demonstrations
        return Phase.WARM_START if has_begun else Phase.STARTING

    def _read_steps(self) -> tuple[int, list[Step]]:
        """Take in what was recorded: how many steps are no longer, and those that are new."""
        was_replaced, lines = self._tail.read()
        read = [step for line in lines if (step := _step(line)) is not None]
        if was_replaced:
            before, self._steps = self._steps, read
            kept = 0
            while kept < min(len(before), len(read)) and before[kept] == read[kept]:
                kept += 1
            return len(before) - kept, read[kept:]
        self._steps += read
        return 0, read

    def _read_completions(self) -> None:
        folder = self._path / "rollouts"
        if not self._is_new(folder):
            return
        try:
            newest = max(folder.glob("*.parquet"), key=lambda path: (path.stat().st_mtime_ns, path.name), default=None)
            rows = [] if newest is None else read_rows(newest, _COLUMNS)
        except (ConfigError, FileNotFoundError, UnicodeEncodeError):
            # Taken away while it was looked at, as resuming does; what comes in its place changes the folder again. Or
            # in a directory whose name is no UTF-8, where no table can be opened.
            return
        if newest is None:
            return
        self._completions = tuple(_judged(row) for row in rows[:: max(1, len(rows) // _COMPLETIONS)][:_COMPLETIONS])
        self._sampled = one_line(newest.stem)

    def _read_evaluations(self) -> None:
        found = [*self._path.glob("eval/*.json"), *self._path.glob("evaluations/*/evaluation.json")]
        for gone in self._evaluations.keys() - set(found):
            del self._evaluations[gone]
        for path in found:
            if not self._is_new(path):
                continue
            try:
                data = json.loads(path.read_text(encoding="utf-8"))
                name = path.stem if path.parent.name == "eval" else path.parent.name
                self._evaluations[path] = list(_measured(one_line(name), data["summary"]))
                if math.isfinite(seconds := float(data["seconds"])):
                    self._seconds[path] = seconds
            except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
                self._evaluations.pop(path, None)  # not ours to complain about: `eval` and `report` do

    def _measured(self) -> tuple[Measured, ...]:
        return tuple(m for path in sorted(self._evaluations, key=self._order) for m in self._evaluations[path])

    def _order(self, path: Path) -> tuple[bool, int, Path]:
        """Those of the training first, in the order in which they were taken, then the others."""
        return path.parent.name != "eval", self._known[path], path

    def _rest(self, phase: Phase, steps: int, step_s: float | None, now: float) -> float | None:
        evaluation = self._seconds.get(self._path / "eval" / "before.json")
        if phase is Phase.GRPO and step_s is not None and evaluation is not None:
            return max(0, steps) * step_s + evaluation
        if phase is Phase.AFTER and evaluation is not None:
            return max(0.0, evaluation - (now - self._changed("policy")))
        return None

    def _started(self) -> float | None:
        try:
            manifest = json.loads((self._path / "manifest.json").read_text(encoding="utf-8"))
            return float(calendar.timegm(time.strptime(manifest["started"], "%Y-%m-%dT%H:%M:%SZ")))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _changed(self, part: str) -> float:
        """When a part of the directory last changed, in seconds since 1970; 0 where it is not there."""
        try:
            return (self._path / part).stat().st_mtime
        except OSError:
            return 0.0

    def _is_new(self, path: Path) -> bool:
        """Whether a file or folder changed since this was last asked."""
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return False
        is_new = self._known.get(path) != changed
        self._known[path] = changed
        return is_new


def _patience(phase: Phase, recent: Sequence[float]) -> float | None:
    """How long a silence is usual, given how long the last steps took."""
    if phase in (Phase.STARTING, Phase.WARM_START):
        return None  # a warm start writes when it is done
    if phase is Phase.GRPO and recent:
        return max(_LEAST_SILENCE_S, _STEPS_OF_SILENCE * max(recent))
    return _SILENCE_S


def one_line(text: str) -> str:
    """`text` on one line, without characters that a terminal obeys or that change how others are shown."""
    seen = visible(unicodedata.normalize("NFC", text)).replace("\n", "⏎").replace("\t", " ")
    # Marks that are left after composition can be piled up on one character over the lines above and below.
    return "".join(c for c in seen if unicodedata.category(c) not in ("Mn", "Me"))


def _step(line: bytes) -> Step | None:
    """A line of metrics.jsonl; None for one that a kill cut short and another process wrote on."""
    try:
        row = json.loads(line)
        figures = {key: value for key, value in row.items() if key in _FIGURES or key.startswith(SOLVED)}
        values = {_name(key): float(value) for key, value in figures.items() if value is not None}
        return Step(str(row["phase"]), int(row["step"]), values)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None


@functools.lru_cache(1024)
def _name(key: str) -> str:
    """A figure's name: the same few stand on every line."""
    return one_line(key)


def _series(steps: Sequence[Step]) -> dict[str, tuple[float, ...]]:
    """The figures by name, of the last pass: a warm start that was killed begins again at its first step."""
    first = max((i for i in range(1, len(steps)) if steps[i].number <= steps[i - 1].number), default=0)
    found: dict[str, list[float]] = {}
    for step in steps[first:]:
        for name, value in step.values.items():
            found.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in found.items()}


def _judged(row: Mapping[str, Any]) -> Judged:
    text = str(row["completion"] if row["candidate"] is None else row["candidate"])
    return Judged(
        one_line(str(row["domain"])), one_line(str(row["outcome"])), one_line(str(row["reason"])),
        one_line(text[:_CHARACTERS].strip()),
    )  # fmt: skip


def _measured(name: str, summary: Mapping[str, Any]) -> Iterator[Measured]:
    for domain, rates in summary.items():
        if (rate := rates.get("pass@1")) is None:
            continue  # too few problems for an interval
        yield Measured(
            name, one_line(domain), int(rate["problems"]), Estimate(*(float(rate[k]) for k in Estimate._fields))
        )
