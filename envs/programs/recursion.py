"""The families of level 9: recursion over nested lists, over smaller numbers and over digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from proofgrad.envs.programs.pieces import COMBINATIONS, INT_TESTS, MAPS, VALUES, Choice, number, pieces
from proofgrad.envs.programs.structures import Family, Slot

__all__ = ["RECURSIONS"]

# Each speaks of {x} once: a recursive call in its place is then made once.
_ONCE = pieces(
    ("plus", "{x} plus {k}", "{x} + {k}", lambda x, k: x + k, range(1, 10)),
    ("from", "{k} minus {x}", "{k} - {x}", lambda x, k: k - x, range(1, 10)),
    ("times", "the remainder of {k} times {x} modulo 1000", "{k} * {x} % 1000", lambda x, k: k * x % 1000, range(2, 6)),
    ("abs", "the absolute value of {x}, plus {k}", "abs({x}) + {k}", lambda x, k: abs(x) + k, range(1, 6)),
    ("modulo", "the remainder of {x} modulo {k}, plus 1", "{x} % {k} + 1", lambda x, k: x % k + 1, range(5, 20)),
)


def _tree(c: Sequence[Choice], tree: Any) -> Any:
    if isinstance(tree, int):
        return c[1](tree) if c[0](tree) else c[2](tree)
    return c[3]([_tree(c, item) for item in tree])


def _deep(c: Sequence[Choice], tree: Any, depth: int = 0) -> Any:
    if isinstance(tree, int):
        return c[1](tree, depth) if c[0](tree) else c[2](depth)
    return c[3]([_deep(c, item, depth + 1) for item in tree])


def _recurrence(c: Sequence[Choice], n: int) -> Any:
    values: Callable[[int], int] = lambda i: c[1](i) if i < c[0]() else known[i]  # noqa: E731  it sees what is below
    known: dict[int, int] = {}
    for i in range(c[0](), n + 1):
        known[i] = (c[2]() * values(i - 1) + c[3]() * values(i - c[4]()) + c[5](i)) % 1000
    return values(n)


def _shrinking(c: Sequence[Choice], n: int) -> Any:
    if n < c[0]():
        return c[1](n)
    step = c[2]()
    return c[3](_shrinking(c, n // step)) if n % step == 0 else c[4](_shrinking(c, n - 1))


def _digits(c: Sequence[Choice], n: int) -> Any:
    if n < 10:
        return c[3](n)
    value, digit = _digits(c, n // 10), n % 10
    return c[1](value, digit) if c[0](digit) else c[2](value, digit)


RECURSIONS = (
    Family(
        key="tree",
        parameters=(("tree", "tree"),),
        phrase="The value of an int x is <1> if <0>, otherwise <2>. The value of a list is <3>. "
        "Return the value of tree.",
        code="def f(tree):\n    if isinstance(tree, int):\n        return <1> if <0> else <2>\n"
        "    values = [f(item) for item in tree]\n    return <3>",
        slots=(
            Slot(INT_TESTS, {"x": ("x", "tree")}),
            Slot(MAPS, {"x": ("x", "tree")}),
            Slot(MAPS, {"x": ("x", "tree")}),
            Slot(VALUES, {"x": ("the values of its items", "values")}),
        ),
        run=_tree,
    ),
    Family(
        key="deep",
        parameters=(("tree", "tree"),),
        phrase="The depth d of an int in tree is the number of lists that it lies in; tree itself counts. The value "
        "of an int x at depth d is <1> if <0>, otherwise <2>. The value of a list is <3>. Return the value of tree.",
        code="def f(tree, d=0):\n    if isinstance(tree, int):\n        return <1> if <0> else <2>\n"
        "    values = [f(item, d + 1) for item in tree]\n    return <3>",
        slots=(
            Slot(INT_TESTS, {"x": ("x", "tree")}),
            Slot(COMBINATIONS, {"x": ("x", "tree"), "y": "d"}),
            Slot(MAPS, {"x": "d"}),
            Slot(VALUES, {"x": ("the values of its items", "values")}),
        ),
        run=_deep,
    ),
    Family(
        key="recurrence",
        parameters=(("n", "count"),),
        phrase="The value at a number i less than <0> is <1>. The value at any other number i is the remainder modulo "
        "1000 of this sum: <2> times the value at i - 1, plus <3> times the value at i - <4>, plus <5>. "
        "Return the value at n.",
        code="def f(n):\n    if n < <0>:\n        return <1>\n"
        "    return (<2> * f(n - 1) + <3> * f(n - <4>) + <5>) % 1000",
        slots=(
            Slot(number(range(1, 5)), {}),
            Slot(MAPS, {"x": ("i", "n")}),
            Slot(number(range(1, 6)), {}),
            Slot(number(range(1, 6)), {}),
            Slot(number(range(2, 5)), {}),
            Slot(MAPS, {"x": ("i", "n")}),
        ),
        run=_recurrence,
    ),
    Family(
        key="shrinking",
        parameters=(("n", "natural"),),
        phrase="The value at a number i less than <0> is <1>. At any other multiple i of <2> it is <3>. At all other "
        "numbers i it is <4>. Return the value at n.",
        code="def f(n):\n    if n < <0>:\n        return <1>\n    if n % <2> == 0:\n        return <3>\n    return <4>",
        slots=(
            Slot(number(range(2, 8)), {}),
            Slot(MAPS, {"x": ("i", "n")}),
            Slot(number(range(2, 5)), {}),
            Slot(_ONCE, {"x": ("the value at i // <2>", "f(n // <2>)")}),
            Slot(_ONCE, {"x": ("the value at i - 1", "f(n - 1)")}),
        ),
        run=_shrinking,
    ),
    Family(
        key="digits",
        parameters=(("n", "digits"),),
        phrase="The value of a number i less than 10 is <3>. Any other number has a last digit d, and v is the value "
        "of the number without it; the value is <1> if <0>, otherwise <2>. Return the value of n.",
        code="def f(n):\n    if n < 10:\n        return <3>\n    v, d = f(n // 10), n % 10\n"
        "    return <1> if <0> else <2>",
        slots=(
            Slot(INT_TESTS, {"x": "d"}),
            Slot(COMBINATIONS, {"x": "v", "y": "d"}),
            Slot(COMBINATIONS, {"x": "v", "y": "d"}),
            Slot(MAPS, {"x": ("i", "n")}),
        ),
        run=_digits,
    ),
)
