"""Random chains of operations, with tests that tell each chain from its near misses."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from proofgrad.envs.base import HELD_OUT
from proofgrad.envs.programs.cases import cover, distinct, inputs, is_large, probes, same
from proofgrad.envs.programs.operations import NAMES, OPERATIONS, Operation, Step, Value, run_chain, steps_from
from proofgrad.envs.splits import split_of, statement_digest

__all__ = [
    "HIGHEST_LEVEL",
    "Program",
    "behaviour",
    "canonical",
    "capacity",
    "gold_code",
    "make_tests",
    "programs",
    "specification",
]

HIGHEST_LEVEL = 5
_PATIENCE = 20_000
# Programs at each level that a search is known to reach; from the second level on there are more. A fifth is held out.
_CAPACITY = (500, 50_000, 100_000, 100_000, 100_000)
_SOURCES = ("list",) * 5 + ("int",) * 3 + ("str",) * 3
_BY_SOURCE = {source: steps_from(source) for source in NAMES}
_BY_TYPES: dict[tuple[str, str], tuple[Operation, ...]] = {
    (s, t): tuple(o for o in OPERATIONS if (o.source, o.target) == (s, t)) for s in NAMES for t in NAMES
}


class Program(NamedTuple):
    """A chain of steps and its tests: (input, expected value), the public ones first."""

    steps: tuple[Step, ...]
    tests: tuple[tuple[Value, Value], ...]


def canonical(steps: Sequence[Step]) -> str:
    """The chain, free of any wording and of any name: ``list|odd|times:3|sum``."""
    return "|".join([steps[0].operation.source, *(step.key for step in steps)])


def behaviour(steps: Sequence[Step]) -> str:
    """What the chain does, whatever its steps: its type and its outputs on fixed probes.

    The split hangs on this rather than on the chain, since chains whose steps commute, or of which one step has no
    effect, are one program in two wordings. Chains that the probes cannot tell apart share a split, too.
    """
    source = steps[0].operation.source
    return f"{source}:{json.dumps([run_chain(steps, value) for value in probes(source)])}"


def specification(steps: Sequence[Step]) -> str:
    """The chain in controlled English."""
    source = steps[0].operation.source
    kind = {"list": "list of int", "int": "int", "str": "str"}[source]
    sentence = ", then ".join(step.phrase() for step in steps)
    return f"{NAMES[source]}: {kind}. {sentence[0].upper()}{sentence[1:]}."


def gold_code(steps: Sequence[Step]) -> str:
    """A Python function that does what the chain says, one line a step."""
    variable = NAMES[steps[0].operation.source]
    lines = [f"def f({variable}):"]
    for step in steps[:-1]:
        target = NAMES[step.operation.target]
        lines.append(f"    {target} = {step.code(variable)}")
        variable = target
    lines.append(f"    return {steps[-1].code(variable)}")
    return "\n".join(lines)


def capacity(level: int, split: str) -> int:
    """How many distinct tasks of a level and a split may be asked for at once."""
    return _CAPACITY[level - 1] * (1 if split == HELD_OUT else 4) // 5


def programs(level: int, split: str, seed: int) -> Iterator[Program]:
    """Distinct programs of `level` steps in a split, in an order that the arguments fix; ends when none are left."""
    rng = random.Random(f"synthesis/{level}/{split}/{seed}")
    seen: set[str] = set()
    idle = 0
    while idle < _PATIENCE:
        idle += 1
        steps = _chain(rng, level)
        if steps is None:
            continue
        key = canonical(steps)
        if key in seen:
            continue
        seen.add(key)
        if split_of(behaviour(steps)) != split:
            continue
        tests = make_tests(steps)
        if tests is not None:
            idle = 0
            yield Program(steps, tests)


def _chain(rng: random.Random, length: int) -> tuple[Step, ...] | None:
    source = rng.choice(_SOURCES)
    steps: list[Step] = []
    for i in range(length):
        operations = _BY_SOURCE[source]
        if not operations:
            return None
        # A chain does not come back to an operation that it has used: such tasks read oddly and often collapse.
        used = {step.operation.key for step in steps}
        free = [o for o in operations if o.key not in used and (o.target != "bool" or i == length - 1)]
        operation = rng.choice(free)
        steps.append(Step(operation, rng.choice(operation.constants)))
        source = operation.target
    return tuple(steps)


def make_tests(steps: tuple[Step, ...]) -> tuple[tuple[Value, Value], ...] | None:
    """Tests of a chain, drawn from its canonical form alone; None when it makes no good task.

    A good task has outputs that differ, and each step and constant matters: leaving the step out or moving the constant
    by one changes some output. Inputs that unmask such near misses, and those with a sister operation or with two steps
    swapped, come first.
    """
    rng = random.Random(int(statement_digest(canonical(steps))[:16], 16))
    values = inputs(rng, steps[0].operation.source)
    # The values before each step: a near miss shares those before the step that it changes.
    stages = [values]
    for step in steps:
        stages.append([step.operation.run(value, step.constant) for value in stages[-1]])
        if any(is_large(value) for value in stages[-1]):
            return None
    expected = stages[-1]
    if len(distinct(expected)) < 2:
        return None
    caught: list[set[int]] = []
    for shared, tail in _essential(steps):
        differs = _differing(stages[shared], tail, expected)
        if not differs:
            return None
        caught.append(differs)
    caught += [_differing(stages[shared], tail, expected) for shared, tail in _related(rng, steps)]
    chosen = cover([differs for differs in caught if differs], len(values))
    if len(distinct([expected[i] for i in chosen])) < (2 if steps[-1].operation.target == "bool" else 3):
        return None
    return tuple((values[i], expected[i]) for i in chosen)


def _essential(steps: tuple[Step, ...]) -> Iterator[tuple[int, tuple[Step, ...]]]:
    """Near misses that some test must unmask, each as the number of first steps it shares and the steps after them."""
    for i, step in enumerate(steps):
        operation, after = step.operation, steps[i + 1 :]
        if operation.source == operation.target:
            yield i, after
        if operation.constants != (0,):
            for constant in (step.constant - 1, step.constant + 1):
                if constant > 0 or 0 in operation.constants:
                    yield i, (Step(operation, constant), *after)


def _related(rng: random.Random, steps: tuple[Step, ...]) -> Iterator[tuple[int, tuple[Step, ...]]]:
    """Near misses that may be equal to the chain: a sister operation in a step's place, or two steps swapped."""
    for i, step in enumerate(steps):
        operation, after = step.operation, steps[i + 1 :]
        sisters = _BY_TYPES[operation.source, operation.target]
        for sister in rng.sample(sisters, min(3, len(sisters))):
            if sister is not operation:
                constant = step.constant if step.constant in sister.constants else sister.constants[0]
                yield i, (Step(sister, constant), *after)
        if after and operation.source == operation.target == after[0].operation.source == after[0].operation.target:
            yield i, (after[0], step, *after[1:])


def _differing(values: list[Value], tail: tuple[Step, ...], expected: list[Value]) -> set[int]:
    found = set()
    for i, value in enumerate(values):
        if not same(run_chain(tail, value), expected[i]):
            found.add(i)
    return found
