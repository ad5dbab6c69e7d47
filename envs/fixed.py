"""What environments have in common whose tasks are all there from the start: counting them, and drawing from them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import ClassVar, TypeAlias

from proofgrad.envs.base import HELD_OUT, TRAIN, Task
from proofgrad.envs.splits import check_split
from proofgrad.envs.text import check_style, default_feedback
from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.errors import ConfigError

__all__ = ["FixedTasksEnv"]

Solved: TypeAlias = "tuple[Task, str | None]"


class FixedTasksEnv:
    """An environment with a fixed set of tasks, some of which have a known solution.

    A subclass adds its tasks (`_add`), reads answers (`extract`), and says how a completion gives a solution
    (`_completion`).

    Args:
        name: the environment's.
        style: ``plain`` or ``chat``.

    Raises:
        ConfigError: the style is unknown.
    """

    noun: ClassVar[str] = "tasks"
    """What its tasks are called in errors."""
    solution_noun: ClassVar[str] = "a solution"

    def __init__(self, name: str, style: str) -> None:
        self.name = name
        self._style = check_style(style)
        self._tasks: dict[str, list[Solved]] = {TRAIN: [], HELD_OUT: []}

    @property
    def sizes(self) -> dict[str, int]:
        """How many tasks each split has."""
        return {split: len(tasks) for split, tasks in self._tasks.items()}

    def tasks(self, split: str, n: int, seed: int) -> Iterator[Task]:
        """`n` distinct tasks of a split, drawn without replacement, in an order that the arguments fix."""
        drawn = self._draw(self._tasks[check_split(split)], n, seed, f"{split} {self.noun}")
        return (task for task, _solution in drawn)

    def demonstrations(self, n: int, seed: int) -> Iterator[tuple[Task, str]]:
        """`n` distinct training tasks, each with the solution that is known for it."""
        solved = [(task, solution) for task, solution in self._tasks[TRAIN] if solution is not None]
        drawn = self._draw(solved, n, seed, f"{TRAIN} {self.noun} with {self.solution_noun}")
        return ((task, self._completion(solution)) for task, solution in drawn if solution is not None)

    def feedback(self, verdict: Verdict) -> str:
        """The verifier's answer in words for the policy."""
        return default_feedback(verdict)

    def _add(self, task: Task, solution: str | None) -> None:
        self._tasks[task.split].append((task, solution))

    def _completion(self, solution: str) -> str:
        return solution

    def _draw(self, items: Sequence[Solved], n: int, seed: int, what: str) -> list[Solved]:
        if n < 0:
            raise ConfigError(f"environment '{self.name}': n is {n}; allowed are 0 and above")
        if n > len(items):
            raise ConfigError(
                f"environment '{self.name}': there are {len(items)} {what} and {n} were asked for; ask for fewer"
            )
        return random.Random(f"{self.name}/{seed}").sample(items, n)
