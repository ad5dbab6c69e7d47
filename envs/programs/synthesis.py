"""Small Python functions from a specification in controlled English, at ten levels of difficulty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from proofgrad.envs.base import Task
from proofgrad.envs.procedural import ProceduralEnv
from proofgrad.envs.programs import generate, structures
from proofgrad.envs.programs.cases import PUBLIC_TESTS, drawn_type
from proofgrad.envs.programs.containers import DICTS
from proofgrad.envs.programs.families import LOOPS, NESTED
from proofgrad.envs.programs.machines import MACHINES
from proofgrad.envs.programs.recursion import RECURSIONS
from proofgrad.envs.splits import statement_digest
from proofgrad.envs.text import user_prompt
from proofgrad.verifiers.base import Json
from proofgrad.verifiers.errors import ConfigError

__all__ = ["FAMILIES", "HIGHEST_LEVEL", "SynthesisEnv", "capacity"]

# The levels above those of chains, each with the families of its programs.
FAMILIES: dict[int, tuple[structures.Family, ...]] = {6: LOOPS, 7: NESTED, 8: DICTS, 9: RECURSIONS, 10: MACHINES}
HIGHEST_LEVEL = max(FAMILIES)
_MOST_INPUTS = 10_000

_CHAIN_INSTRUCTIONS = (
    "Write a Python function `f` of one argument, as specified. Each step works on the result of the step before it; "
    "the function returns the result of the last one. Use the standard built-ins only and print nothing.\n"
    "Answer with one ```python block that holds the whole function and nothing else."
)
_INSTRUCTIONS = (
    "Write a Python function `f` with these parameters, in this order, as specified. Leave its arguments as they are, "
    "use the standard built-ins only and print nothing.\n"
    "Answer with one ```python block that holds the whole function and nothing else."
)


class _Program(NamedTuple):
    """A program of any level, with the kinds of its arguments and its tests: (arguments, expected value)."""

    split: str
    kinds: list[str]
    canonical: str
    specification: str
    code: str
    tests: list[tuple[list[Any], Any]]


def capacity(level: int, split: str) -> int:
    """How many distinct tasks of a level and a split may be asked for at once."""
    chains = level <= generate.HIGHEST_LEVEL
    return generate.capacity(level, split) if chains else structures.capacity(split)


def _programs(level: int, split: str, seed: int) -> Iterator[_Program]:
    if level > generate.HIGHEST_LEVEL:
        for structure, cases in structures.structured(FAMILIES[level], level, split, seed):
            kinds = [kind for _name, kind in structure.family.parameters]
            yield _Program(
                split, kinds, structure.canonical(), structure.specification(), structure.gold_code(), list(cases)
            )
        return
    for steps, tests in generate.programs(level, split, seed):
        yield _Program(
            split,
            [steps[0].operation.source],
            generate.canonical(steps),
            generate.specification(steps),
            generate.gold_code(steps),
            [([value], expected) for value, expected in tests],
        )


class SynthesisEnv(ProceduralEnv[_Program]):
    """Small functions for the verifier ``program``, from chains of operations to machines with a state.

    - Levels 1 to 5: as many simple operations, one after the other, on a list of int, an int or a string.
    - Level 6: a loop with a condition and an accumulator.
    - Level 7: two arguments, or a list of lists.
    - Level 8: dicts that group, count and accumulate.
    - Level 9: recursion, over nested lists, smaller numbers or digits.
    - Level 10: a stack, a machine with three states, or an interpreter of three commands.

    A task's split depends on what its program does alone, seen on fixed inputs, so no held-out program is a training
    program in another wording. The tests are drawn from the program with its constants: they tell it from programs with
    a step left out, a constant off by one or another part in some place.

    Args:
        min_level: the lowest level, 1 to 10.
        max_level: the highest level, 1 to 10; 5 if not given.
        demo_max_level: the highest level of a demonstration; `max_level` if not given. It may be lower or higher.
        style: ``plain`` prompts are a comment line and the completion is the function; ``chat`` prompts are one user
            message that asks for a fenced block.

    Raises:
        ConfigError: a level or the style is not one of those.
    """

    name = "synthesis"
    verifier = "program"
    domain = "programs"

    highest_level = HIGHEST_LEVEL
    # Not the highest level: published runs hang on the tasks that the defaults have always given.
    default_level = generate.HIGHEST_LEVEL
    fence = "python"

    def __init__(
        self,
        min_level: int = 1,
        max_level: int | None = None,
        demo_max_level: int | None = None,
        style: str = "plain",
        fresh_inputs: int = 0,
    ) -> None:
        super().__init__(min_level, max_level, demo_max_level, style)
        if type(fresh_inputs) is not int or not 0 <= fresh_inputs <= _MOST_INPUTS:
            raise ConfigError(f"fresh_inputs is {fresh_inputs!r}; allowed are the whole numbers to {_MOST_INPUTS}")
        self._fresh_inputs = fresh_inputs
        self.verifier = "program_property" if fresh_inputs else "program"

    def _stream(self, level: int, split: str, seed: int) -> Iterator[_Program]:
        return _programs(level, split, seed)

    def _capacity(self, level: int, split: str) -> int:
        return capacity(level, split)

    def _gold(self, drawn: _Program) -> str:
        return drawn.code

    def _task(self, level: int, drawn: _Program, seed: int) -> Task:
        comment = f"# {drawn.specification}\n"
        chain = level <= generate.HIGHEST_LEVEL
        problem: dict[str, Json] = {
            "entry_point": "f",
            "tests": [{"args": arguments, "expected": expected} for arguments, expected in drawn.tests],
            "public": PUBLIC_TESTS,
        }
        if self._fresh_inputs:
            problem |= {
                "inputs": [drawn_type(kind) for kind in drawn.kinds],
                "reference": drawn.code,
                "examples": self._fresh_inputs,
            }
        return Task(
            id=f"{self.name}-{statement_digest(drawn.canonical)[:12]}",
            prompt=user_prompt(comment, self._style, _CHAIN_INSTRUCTIONS if chain else _INSTRUCTIONS),
            problem=problem,
            verifier=self.verifier,
            domain=self.domain,
            difficulty=float(level),
            split=drawn.split,
            source=f"{self.name}@{seed}",
        )
