"""What environments of recorded theorems have in common: merging, splits, drawing, prompts, reading an answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from proofgrad.envs.base import HELD_OUT, TRAIN, Prompt, Task
from proofgrad.envs.fixed import FixedTasksEnv
from proofgrad.envs.splits import split_of, statement_digest
from proofgrad.envs.text import answer, user_prompt
from proofgrad.envs.theorems.declaration import SourceError, body_of, normal_form
from proofgrad.verifiers.base import Json
from proofgrad.verifiers.errors import ConfigError, ProblemError
from proofgrad.verifiers.lean.source import header_of, statement_of

__all__ = [
    "REFUSED",
    "PathOption",
    "Record",
    "RecordedTheorems",
    "RefusedError",
    "RowError",
    "check_record",
    "files_of",
    "merged",
    "problem_of",
]

PathOption: TypeAlias = "str | PathLike[str] | Sequence[str | PathLike[str]]"

REFUSED = "refused by the verifier"  # a reason for which a theorem may be left out

_INSTRUCTIONS = "Complete the following Lean 4 code:"
_AFTERWARDS = "Answer with one ```lean4 block that holds the completed code, or only what comes after `:=`."


class RowError(ValueError):
    """A row of a file is malformed; the message goes on from the row's place: ``'name' is 3; ...``."""


class RefusedError(RowError):
    """A row is well formed, and the verifier does not take its statement."""


@dataclass(frozen=True, slots=True)
class Record:
    """One theorem as a file has it.

    Attributes:
        place: where it stands, for `Task.source` and for errors, e.g. ``minif2f.jsonl:17``.
        name: the theorem's, in its data set.
        statement: binders and type on one line.
        head: the theorem up to ``:=``, as the policy is to see it.
        header: lines of ``import``, ``open``, ``set_option`` and ``universe``, or "".
        informal: a comment to show above the theorem in chat style, or "".
        proof: what stands after ``:=``, if a proof is known.
        split: ``train``, ``held-out``, or None for the split that the statement's hash decides.
    """

    place: str
    name: str
    statement: str
    head: str
    header: str = ""
    informal: str = ""
    proof: str | None = None
    split: str | None = None


class RecordedTheorems(FixedTasksEnv):
    """Theorems from files: everything but the files. What a file has as a proof is its word: only the verifier can say
    whether this Lean and this library accept it.

    Records whose statements have the same `normal_form` are one task, that of the first of them with a proof, or else
    of the first. It is held out if any of them is.

    Args:
        name: the environment's.
        records: in the order of the files.
        style: ``plain`` or ``chat``.
        verifier: the name of the tasks' verifier.

    Raises:
        ConfigError: the style is unknown.
    """

    domain = "theorems"
    noun = "theorems"
    solution_noun = "a proof"

    def __init__(self, name: str, records: Iterable[Record], style: str, verifier: str) -> None:
        super().__init__(name, style)
        self.verifier = verifier
        for form, record in merged(records).items():
            self._add(self._task(form, record), record.proof)

    def extract(self, completion: str) -> str | None:
        """The completion, or in chat style its last fenced block, as `body_of` hands it on."""
        found = answer(completion, self._style)
        return answer(body_of(found), "plain") if found is not None else None

    def _completion(self, proof: str) -> str:
        return proof if self._style == "plain" else f"```lean4\n{proof}\n```"

    def _task(self, form: str, record: Record) -> Task:
        return Task(
            id=f"{self.name}-{statement_digest(form)[:12]}",
            prompt=self._prompt(record),
            problem=problem_of(record),
            verifier=self.verifier,
            domain=self.domain,
            difficulty=None,
            split=record.split or split_of(form),
            source=f"{self.name}@{record.place} {record.name}",
        )

    def _prompt(self, record: Record) -> Prompt:
        if self._style == "plain":
            return "\n\n".join(part for part in (record.header, f"{record.head} :=\n") if part)
        theorem = "\n".join(part for part in (record.informal, f"{record.head} := by\n  sorry") if part)
        code = "\n\n".join(part for part in (record.header, theorem) if part)
        return user_prompt(f"```lean4\n{code}\n```\n\n{_AFTERWARDS}", self._style, _INSTRUCTIONS)


def merged(records: Iterable[Record]) -> dict[str, Record]:
    """One record for each normal form, in the order of first occurrence: see `RecordedTheorems`."""
    found: dict[str, Record] = {}
    for record in records:
        form = normal_form(record.statement)
        record = replace(record, split=record.split or split_of(form))
        if (first := found.get(form)) is not None:
            split = HELD_OUT if HELD_OUT in (first.split, record.split) else TRAIN
            # A proof speaks of its own statement's names, so that it cannot move to another record.
            kept = record if first.proof is None and record.proof is not None else first
            record = replace(kept, split=split)
        found[form] = record
    return found


def problem_of(record: Record) -> dict[str, Json]:
    """What the verifier gets."""
    problem: dict[str, Json] = {"statement": record.statement}
    if record.header:
        problem["header"] = record.header
    return problem


def check_record(record: Record) -> None:
    """Find out now what would otherwise stop a run: a problem that the verifier does not take.

    Raises:
        RowError: brackets do not match.
        RefusedError: the verifier refuses the statement or the header.
    """
    try:
        normal_form(record.statement)
        statement_of(problem_of(record))
        header_of(problem_of(record))
    except SourceError as error:
        raise RowError(f"{error}") from error
    except ProblemError as error:
        raise RefusedError(f"cannot be judged: {error}") from error


def files_of(name: str, path: PathOption, suffix: str) -> list[Path]:
    """The files that a path option names: files themselves, and all files of a folder that end in `suffix`, sorted.

    Raises:
        ConfigError: one of them does not exist, or a folder has none.
    """
    files: list[Path] = []
    for entry in [path] if isinstance(path, str | PathLike) else path:
        place = Path(entry)
        found = sorted(place.glob(f"*{suffix}")) if place.is_dir() else [place]
        if not found:
            raise ConfigError(f"environment '{name}': the folder {place} has no files that end in {suffix}")
        if not found[0].is_file():
            raise ConfigError(f"environment '{name}': there is no file {place}")
        files += found
    if not files:
        raise ConfigError(f"environment '{name}': 'path' names no file")
    return files
