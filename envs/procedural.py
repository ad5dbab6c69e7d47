"""What environments have in common that make their tasks: levels, two styles of prompts, and drawing by level."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Generic, TypeVar

from proofgrad.envs.base import TRAIN, Task
from proofgrad.envs.sampling import balanced
from proofgrad.envs.splits import check_split
from proofgrad.envs.text import answer, check_levels, check_style, default_feedback
from proofgrad.verifiers.base import Verdict

__all__ = ["ProceduralEnv"]

Drawn = TypeVar("Drawn")


class ProceduralEnv(ABC, Generic[Drawn]):
    """An environment that draws its tasks at random, by level.

    A subclass sets the class attributes and says how to draw one level (`_stream`, `_capacity`), how to make a task of
    what was drawn (`_task`) and what solves it (`_gold`).

    Args:
        min_level: the lowest level of the tasks.
        max_level: the highest; `default_level` if not given.
        demo_max_level: the highest level of the demonstrations; `max_level` if not given. It may be lower or higher.
        style: ``plain`` prompts are a text that the completion goes on from; ``chat`` prompts are one user message that
            asks for a fenced block.

    Raises:
        ConfigError: a level or the style is not one of those.
    """

    name: str
    verifier: str
    domain: str
    highest_level: ClassVar[int]
    default_level: ClassVar[int]
    fence: ClassVar[str]
    """What stands behind the opening fence of an answer in chat style."""

    def __init__(
        self,
        min_level: int = 1,
        max_level: int | None = None,
        demo_max_level: int | None = None,
        style: str = "plain",
    ) -> None:
        top = self.default_level if max_level is None else max_level
        self._levels, self._demo_levels = check_levels(min_level, top, demo_max_level, self.highest_level)
        self._style = check_style(style)

    def tasks(self, split: str, n: int, seed: int) -> Iterator[Task]:
        """`n` distinct tasks, as many of each level as can be, in an order that the arguments fix."""
        check_split(split)
        return (self._task(level, drawn, seed) for level, drawn in self._sample(self._levels, split, n, seed))

    def demonstrations(self, n: int, seed: int) -> Iterator[tuple[Task, str]]:
        """`n` distinct training tasks, each with a completion that passes."""
        sample = self._sample(self._demo_levels, TRAIN, n, seed)
        return ((self._task(level, drawn, seed), self._completion(drawn)) for level, drawn in sample)

    def extract(self, completion: str) -> str | None:
        """The candidate: the completion, or in chat style its last fenced block."""
        return answer(completion, self._style)

    def feedback(self, verdict: Verdict) -> str:
        """The verifier's answer in words for the policy."""
        return default_feedback(verdict)

    @abstractmethod
    def _stream(self, level: int, split: str, seed: int) -> Iterator[Drawn]:
        """What a level has in a split, distinct, in an order that the arguments fix."""

    @abstractmethod
    def _capacity(self, level: int, split: str) -> int:
        """How many of them may be asked for at once."""

    @abstractmethod
    def _task(self, level: int, drawn: Drawn, seed: int) -> Task: ...

    @abstractmethod
    def _gold(self, drawn: Drawn) -> str:
        """A candidate that passes."""

    def _completion(self, drawn: Drawn) -> str:
        gold = self._gold(drawn)
        return gold if self._style == "plain" else f"```{self.fence}\n{gold}\n```"

    def _sample(self, levels: range, split: str, n: int, seed: int) -> list[tuple[int, Drawn]]:
        return balanced(
            self.name,
            levels,
            n,
            seed,
            stream=lambda level: self._stream(level, split, seed),
            capacity=lambda level: self._capacity(level, split),
        )
