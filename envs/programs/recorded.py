"""What environments of recorded programming problems have in common: splits, drawing, prompts, reading an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from proofgrad.envs.base import HELD_OUT, TRAIN, Prompt, Task
from proofgrad.envs.fixed import FixedTasksEnv
from proofgrad.envs.programs.reading import solution_methods
from proofgrad.envs.splits import split_of, statement_digest
from proofgrad.envs.text import answer, user_prompt
from proofgrad.verifiers.base import Json

__all__ = ["INSTRUCTIONS", "Record", "RecordedPrograms"]

INSTRUCTIONS = "Solve this programming problem in Python, with the standard library only."
_AFTERWARDS = "Answer with one ```python block that holds the whole {what} and nothing else."


@dataclass(frozen=True, slots=True)
class Record:
    """One problem as a file has it.

    Attributes:
        place: where it stands, for `Task.source` and for errors, e.g. ``mbpp.jsonl:17``.
        name: the problem's, in its data set.
        plain: the prompt in plain style, which the completion goes on from.
        chat: what the user message says between instructions and closing line.
        what: what the answer is to hold: "function", "program" or "class".
        problem: what the verifier gets.
        solution: a program that passes, if one is known.
        split: ``train``, ``held-out``, or None for the split that the statement's hash decides.
    """

    place: str
    name: str
    plain: str
    chat: str
    what: str
    problem: dict[str, Json]
    solution: str | None = None
    split: str | None = None


class RecordedPrograms(FixedTasksEnv):
    """Programming problems from files: everything but the files.

    Records with the same words are one task, that of the first of them with a solution, or else of the first. It is
    held out if any of them is.

    Args:
        name: the environment's.
        records: in the order of the files.
        style: ``plain`` or ``chat``.

    Raises:
        ConfigError: the style is unknown.
    """

    domain = "programs"
    verifier = "program"
    noun = "problems"

    def __init__(self, name: str, records: Iterable[Record], style: str) -> None:
        super().__init__(name, style)
        for statement, record in _merged(records).items():
            self._add(self._task(statement, record), record.solution)

    def extract(self, completion: str) -> str | None:
        """The program: the completion, or in chat style its last fenced block; methods of a ``Solution`` in reach."""
        found = answer(completion, self._style)
        return None if found is None else solution_methods(found)

    def _completion(self, solution: str) -> str:
        return solution if self._style == "plain" else f"```python\n{solution}\n```"

    def _task(self, statement: str, record: Record) -> Task:
        return Task(
            id=f"{self.name}-{statement_digest(statement)[:12]}",
            prompt=self._prompt(record),
            problem=record.problem,
            verifier=self.verifier,
            domain=self.domain,
            difficulty=None,
            split=record.split or split_of(statement),
            source=f"{self.name}@{record.place} {record.name}",
        )

    def _prompt(self, record: Record) -> Prompt:
        if self._style == "plain":
            return record.plain
        after = _AFTERWARDS.format(what=record.what)
        return user_prompt(f"{record.chat}\n\n{after}", self._style, INSTRUCTIONS)


def _merged(records: Iterable[Record]) -> dict[str, Record]:
    """One record for each statement, its words without their spacing, in the order of first occurrence."""
    found: dict[str, Record] = {}
    for record in records:
        statement = re.sub(r"\s+", " ", record.plain).strip()
        record = replace(record, split=record.split or split_of(statement))
        if (first := found.get(statement)) is not None:
            split = HELD_OUT if HELD_OUT in (first.split, record.split) else TRAIN
            kept = record if first.solution is None and record.solution is not None else first
            record = replace(kept, split=split)
        found[statement] = record
    return found
