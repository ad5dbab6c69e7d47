"""The families of level 10: a stack, a machine with three states, and an interpreter of three commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proofgrad.envs.programs.pieces import (
    AGGREGATES,
    CHARACTER_TESTS,
    COMBINATIONS,
    INT_TESTS,
    MAPS,
    UPDATES,
    Choice,
    Piece,
    number,
    pieces,
)
from proofgrad.envs.programs.structures import Family, Slot

__all__ = ["MACHINES"]

# What is done to a stack that is not empty: the code is a statement, and the reference gives the new stack.
_ACTIONS = (
    *pieces(
        ("pop", "take its top off", "stack.pop()", lambda s, x, k: s[:-1]),
        ("drop", "take its top {k} numbers off, or all if it has fewer", "del stack[-{k}:]",
         lambda s, x, k: s[:-k], range(2, 4)),
        ("copy", "push its top once more", "stack.append(stack[-1])", lambda s, x, k: [*s, s[-1]]),
        ("raise", "add {k} to its top", "stack[-1] += {k}", lambda s, x, k: [*s[:-1], s[-1] + k], range(1, 8)),
        ("lift", "move its bottom to the top", "stack.append(stack.pop(0))", lambda s, x, k: [*s[1:], s[0]]),
        ("sink", "move its top to the bottom", "stack.insert(0, stack.pop())", lambda s, x, k: [s[-1], *s[:-1]]),
        ("turn", "turn it upside down", "stack.reverse()", lambda s, x, k: s[::-1]),
        ("clear", "empty it", "stack.clear()", lambda s, x, k: []),
    ),
    *(
        Piece(
            f"top_{piece.key}",
            "replace its top t by " + piece.phrase.replace("{x}", "t").replace("{y}", "x"),
            "stack[-1] = " + piece.code.replace("{x}", "stack[-1]").replace("{y}", "x"),
            lambda s, x, k, run=piece.run: [*s[:-1], run(s[-1], x, k)],
            piece.constants,
        )
        for piece in COMBINATIONS
        if piece.key not in ("product", "second")
    ),
)  # fmt: skip

# Of (total, memory) and the command's number; the code is a statement.
_COMMANDS = pieces(
    ("store", "set the memory to the total", "memory = total", lambda t, m, x, k: (t, t)),
    ("recall", "set the total to the memory", "total = memory", lambda t, m, x, k: (m, m)),
    ("swap", "swap the total and the memory", "total, memory = memory, total", lambda t, m, x, k: (m, t)),
    ("gather", "add the memory to the total", "total += memory", lambda t, m, x, k: (t + m, m)),
    ("feed", "add x to the memory", "memory += x", lambda t, m, x, k: (t, m + x)),
    ("load", "set the memory to x plus {k}", "memory = x + {k}", lambda t, m, x, k: (t, x + k), range(1, 6)),
    ("against", "set the total to x minus the memory", "total = x - memory", lambda t, m, x, k: (x - m, m)),
    ("keep", "set the memory to the larger of the memory and the total", "memory = max(memory, total)",
     lambda t, m, x, k: (t, max(m, t))),
    ("count", "add {k} to the memory", "memory += {k}", lambda t, m, x, k: (t, m + k), range(1, 8)),
    ("spend", "subtract {k} from the total and add 1 to the memory", "total, memory = total - {k}, memory + 1",
     lambda t, m, x, k: (t - k, m + 1), range(1, 8)),
)  # fmt: skip

_RESULTS = pieces(
    ("total", "the total", "total", lambda t, m, k: t),
    ("both", "the list of the total and the memory", "[total, memory]", lambda t, m, k: [t, m]),
    ("weighted", "the total plus {k} times the memory", "total + {k} * memory", lambda t, m, k: t + k * m, range(2, 6)),
    ("larger", "the larger of the total and the memory", "max(total, memory)", lambda t, m, k: max(t, m)),
    ("difference", "the total minus the memory", "total - memory", lambda t, m, k: t - m),
)

_STEPS = pieces(
    ("raise", "add {k} to the total", "total + {k}", lambda t, k: t + k, range(1, 10)),
    ("lower", "subtract {k} from the total", "total - {k}", lambda t, k: t - k, range(1, 10)),
    ("double", "double the total", "2 * total", lambda t, k: 2 * t),
    ("cap", "make the total the smaller of the total and {k}", "min(total, {k})", lambda t, k: min(t, k), range(5, 15)),
    ("negate", "change the sign of the total", "-total", lambda t, k: -t),
)

_ENDS = pieces(
    ("both", "the list of the state and the total", "[state, total]", lambda s, t, k: [s, t]),
    ("total", "the total", "total", lambda s, t, k: t),
    ("weighted", "the total plus {k} times the state", "total + {k} * state", lambda s, t, k: t + k * s, range(2, 9)),
)


def _stack(c: Sequence[Choice], xs: list[int]) -> Any:
    stack: list[int] = []
    for x in xs:
        if c[0](x):
            stack = [*stack, c[1](x)]
        elif not stack:
            stack = [x]
        else:
            stack = c[3](stack, x) if c[2](x) else c[4](stack, x)
    return c[5](stack)


def _machine(c: Sequence[Choice], s: str) -> Any:
    state, total = 0, c[0]()
    for char in s:
        if state == 0 and c[1](char):
            state, total = 1, c[2](total)
        elif state == 1 and c[3](char):
            state, total = 2, c[4](total)
        elif state == 1 and c[5](char):
            state = 0
        elif state == 2:
            state, total = 0, c[6](total)
    return c[7](state, total)


def _interpreter(c: Sequence[Choice], steps: list[tuple[str, int]]) -> Any:
    total, memory = c[0](), 0
    for command, x in steps:
        if command == "p":
            total = c[1](total, c[2](x))
        elif command == "q":
            total, memory = c[3](total, memory, x)
        else:
            total, memory = c[4](total, memory, x)
    return c[5](total, memory)


MACHINES = (
    Family(
        key="stack",
        parameters=(("xs", "list"),),
        phrase="Keep a stack of ints, empty at first. For each x in xs from left to right: if <0>, push <1>; "
        "otherwise, if the stack is empty, push x; otherwise, if <2>, <3>; otherwise, <4>. The stack's numbers are "
        "read from bottom to top. Return <5>.",
        code="def f(xs):\n    stack = []\n    for x in xs:\n        if <0>:\n            stack.append(<1>)\n"
        "        elif not stack:\n            stack.append(x)\n        elif <2>:\n            <3>\n"
        "        else:\n            <4>\n    return <5>",
        slots=(
            Slot(INT_TESTS, {"x": "x"}),
            Slot(MAPS, {"x": "x"}),
            Slot(INT_TESTS, {"x": "x"}),
            Slot(_ACTIONS, {}),
            Slot(_ACTIONS, {}),
            Slot(AGGREGATES, {"x": ("the stack's numbers", "stack")}),
        ),
        run=_stack,
    ),
    Family(
        key="machine",
        parameters=(("s", "str"),),
        phrase="Start in state 0 with a total of <0>. For each character c of s from left to right: in state 0, if "
        "<1>, go to state 1 and <2>. In state 1, if <3>, go to state 2 and <4>; otherwise, if <5>, go to state 0. In "
        "state 2, whatever c is, go to state 0 and <6>. In all other cases nothing changes. Return <7>.",
        code="def f(s):\n    state, total = 0, <0>\n    for c in s:\n        if state == 0 and <1>:\n"
        "            state, total = 1, <2>\n        elif state == 1 and <3>:\n            state, total = 2, <4>\n"
        "        elif state == 1 and <5>:\n            state = 0\n        elif state == 2:\n"
        "            state, total = 0, <6>\n    return <7>",
        slots=(
            Slot(number(range(10)), {}),
            Slot(CHARACTER_TESTS, {"x": "c"}),
            Slot(_STEPS, {}),
            Slot(CHARACTER_TESTS, {"x": "c"}),
            Slot(_STEPS, {}),
            Slot(CHARACTER_TESTS, {"x": "c"}),
            Slot(_STEPS, {}),
            Slot(_ENDS, {}),
        ),
        run=_machine,
    ),
    Family(
        key="interpreter",
        parameters=(("steps", "steps"),),
        phrase="Start with a total of <0> and a memory of 0. Each [command, x] in steps has the command 'p', 'q' or "
        "'r' and is carried out in turn. For 'p': <1>. For 'q': <3>. For 'r': <4>. Return <5>.",
        code="def f(steps):\n    total, memory = <0>, 0\n    for command, x in steps:\n        if command == 'p':\n"
        "            total = <1>\n        elif command == 'q':\n            <3>\n        else:\n            <4>\n"
        "    return <5>",
        slots=(
            Slot(number(range(10)), {}),
            Slot(UPDATES, {"x": "<2>", "y": ("the total", "total")}),
            Slot(MAPS, {"x": "x"}),
            Slot(_COMMANDS, {}),
            Slot(_COMMANDS, {}),
            Slot(_RESULTS, {}),
        ),
        run=_interpreter,
    ),
)
