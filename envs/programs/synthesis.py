"""Small Python functions from a specification in controlled English, at five levels of difficulty."""

from __future__ import annotations

from collections.abc import Iterator

from proofgrad.envs.base import TRAIN, Task
from proofgrad.envs.programs.generate import (
    HIGHEST_LEVEL,
    PUBLIC_TESTS,
    Program,
    behaviour,
    canonical,
    capacity,
    gold_code,
    programs,
    specification,
)
from proofgrad.envs.sampling import balanced
from proofgrad.envs.splits import check_split, split_of, statement_digest
from proofgrad.envs.text import answer, check_levels, check_style, default_feedback, user_prompt
from proofgrad.verifiers.base import Verdict

__all__ = ["SynthesisEnv"]

_INSTRUCTIONS = (
    "Write a Python function `f` of one argument, as specified. Each step works on the result of the step before it; "
    "the function returns the result of the last one. Use the standard built-ins only and print nothing.\n"
    "Answer with one ```python block that holds the whole function and nothing else."
)


class SynthesisEnv:
    """Chains of simple operations over lists of int, ints and strings, for the verifier ``program``.

    A task's level is the number of operations in the chain. Its split depends on what the chain does alone, so no
    held-out program is a training program with its steps in another order. The tests are drawn from the chain with
    its constants: they tell the program from those with a step left out or a constant off by one.

    Args:
        min_level: the fewest steps, 1 to 5.
        max_level: the most steps, 1 to 5.
        demo_max_level: the most steps in a demonstration; `max_level` if not given. It may be lower or higher.
        style: ``plain`` prompts are a comment line and the completion is the function; ``chat`` prompts are one user
            message that asks for a fenced block.

    Raises:
        ConfigError: a level or the style is not one of those.
    """

    name = "synthesis"
    verifier = "program"
    domain = "programs"

    def __init__(
        self,
        min_level: int = 1,
        max_level: int = HIGHEST_LEVEL,
        demo_max_level: int | None = None,
        style: str = "plain",
    ) -> None:
        self._levels, self._demo_levels = check_levels(min_level, max_level, demo_max_level, HIGHEST_LEVEL)
        self._style = check_style(style)

    def tasks(self, split: str, n: int, seed: int) -> Iterator[Task]:
        """`n` distinct programs, as many of each level as can be, in an order that the arguments fix."""
        check_split(split)
        return (self._task(program, seed) for _level, program in self._sample(self._levels, split, n, seed))

    def demonstrations(self, n: int, seed: int) -> Iterator[tuple[Task, str]]:
        """`n` distinct training tasks, each with a function that passes."""
        drawn = self._sample(self._demo_levels, TRAIN, n, seed)
        return ((self._task(program, seed), self._completion(program)) for _level, program in drawn)

    def extract(self, completion: str) -> str | None:
        """The program: the completion, or in chat style its last fenced block."""
        return answer(completion, self._style)

    def feedback(self, verdict: Verdict) -> str:
        """The verifier's answer in words for the policy."""
        return default_feedback(verdict)

    def _sample(self, levels: range, split: str, n: int, seed: int) -> list[tuple[int, Program]]:
        return balanced(
            self.name,
            levels,
            n,
            seed,
            stream=lambda level: programs(level, split, seed),
            capacity=lambda level: capacity(level, split),
        )

    def _completion(self, program: Program) -> str:
        code = gold_code(program.steps)
        return code if self._style == "plain" else f"```python\n{code}\n```"

    def _task(self, program: Program, seed: int) -> Task:
        text = canonical(program.steps)
        comment = f"# {specification(program.steps)}\n"
        return Task(
            id=f"{self.name}-{statement_digest(text)[:12]}",
            prompt=user_prompt(comment, self._style, _INSTRUCTIONS),
            problem={
                "entry_point": "f",
                "tests": [{"args": [value], "expected": expected} for value, expected in program.tests],
                "public": PUBLIC_TESTS,
            },
            verifier=self.verifier,
            domain=self.domain,
            difficulty=float(len(program.steps)),
            split=split_of(behaviour(program.steps)),
            source=f"{self.name}@{seed}",
        )
