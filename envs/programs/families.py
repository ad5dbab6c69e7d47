"""The families of levels 6 and 7: loops with a condition and an accumulator, two arguments, nested lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proofgrad.envs.programs.pieces import (
    AGGREGATES,
    COMBINATIONS,
    INT_TESTS,
    MAPS,
    RELATIONS,
    UPDATES,
    VALUES,
    Choice,
    number,
    pieces,
)
from proofgrad.envs.programs.structures import Family, Slot

__all__ = ["LOOPS", "NESTED"]

_TOTAL = ("the total", "total")

_SECOND_UPDATES = pieces(
    ("raise", "add {k} to {y}", "{y} + {k}", lambda y, k: y + k, range(1, 8)),
    ("lower", "subtract {k} from {y}", "{y} - {k}", lambda y, k: y - k, range(1, 8)),
    ("reset", "set {y} to {k}", "{k}", lambda y, k: k, range(1, 6)),
    ("negate", "change the sign of {y}", "-{y}", lambda y, k: -y),
    ("halve", "halve {y} rounding down", "{y} // 2", lambda y, k: y // 2),
    ("double", "double {y}, then take the remainder modulo 1000", "2 * {y} % 1000", lambda y, k: 2 * y % 1000),
)

_ROW_TESTS = pieces(
    ("longer", "it has more than {k} numbers", "len(row) > {k}", lambda r, k: len(r) > k, range(2, 5)),
    ("shorter", "it has fewer than {k} numbers", "len(row) < {k}", lambda r, k: len(r) < k, range(2, 6)),
    ("even", "its sum is even", "sum(row) % 2 == 0", lambda r, k: sum(r) % 2 == 0),
    ("above", "its sum is greater than {k}", "sum(row) > {k}", lambda r, k: sum(r) > k, range(1, 21)),
    ("rising", "its numbers are in ascending order", "row == sorted(row)", lambda r, k: r == sorted(r)),
    ("mixed", "it contains a negative number", "any(v < 0 for v in row)", lambda r, k: any(v < 0 for v in r)),
)


def _fold(c: Sequence[Choice], xs: list[int]) -> Any:
    total = c[0]()
    for x in xs:
        total = c[2](total, c[3](x)) if c[1](x) else c[4](total)
    return total


def _until(c: Sequence[Choice], xs: list[int]) -> Any:
    noted = []
    for x in xs:
        if c[0](x):
            break
        if c[1](x):
            noted.append(c[2](x))
    return c[3](noted)


def _running(c: Sequence[Choice], xs: list[int]) -> Any:
    total, noted = c[0](), []
    for x in xs:
        total = c[1](total, c[2](x))
        if c[3](total):
            noted.append(total)
    return c[4](noted)


LOOPS = (
    Family(
        key="fold",
        parameters=(("xs", "list"),),
        phrase="Start with a total of <0>. For each x in xs from left to right: if <1>, <2>; otherwise, <4>. "
        "Return the total.",
        code="def f(xs):\n    total = <0>\n    for x in xs:\n        if <1>:\n            total = <2>\n"
        "        else:\n            total = <4>\n    return total",
        slots=(
            Slot(number(range(10)), {}),
            Slot(INT_TESTS, {"x": "x"}),
            Slot(UPDATES, {"x": "<3>", "y": _TOTAL}),
            Slot(MAPS, {"x": "x"}),
            Slot(_SECOND_UPDATES, {"y": _TOTAL}),
        ),
        run=_fold,
    ),
    Family(
        key="until",
        parameters=(("xs", "list"),),
        phrase="Go through xs from left to right and stop before the first x for which <0>. For each x before that "
        "for which <1>, note <2>. Return <3>.",
        code="def f(xs):\n    noted = []\n    for x in xs:\n        if <0>:\n            break\n        if <1>:\n"
        "            noted.append(<2>)\n    return <3>",
        slots=(
            Slot(INT_TESTS, {"x": "x"}),
            Slot(INT_TESTS, {"x": "x"}),
            Slot(MAPS, {"x": "x"}),
            Slot(AGGREGATES, {"x": ("the noted numbers", "noted")}),
        ),
        run=_until,
    ),
    Family(
        key="running",
        parameters=(("xs", "list"),),
        phrase="Start with a total of <0>. For each x in xs from left to right: <1>; then, if <3>, note the total. "
        "Return <4>.",
        code="def f(xs):\n    total = <0>\n    noted = []\n    for x in xs:\n        total = <1>\n        if <3>:\n"
        "            noted.append(total)\n    return <4>",
        slots=(
            Slot(number(range(10)), {}),
            Slot(UPDATES, {"x": "<2>", "y": _TOTAL}),
            Slot(MAPS, {"x": "x"}),
            Slot(INT_TESTS, {"x": _TOTAL}),
            Slot(AGGREGATES, {"x": ("the noted totals", "noted")}),
        ),
        run=_running,
    ),
)


def _paired(c: Sequence[Choice], xs: list[int], ys: list[int]) -> Any:
    return c[3]([c[1](x, y) if c[0](x, y) else c[2](x, y) for x, y in zip(xs, ys, strict=False)])


def _against(c: Sequence[Choice], xs: list[int], n: int) -> Any:
    return c[3]([c[1](x, n) if c[0](x, n) else c[2](x) for x in xs])


def _rows(c: Sequence[Choice], rows: list[list[int]]) -> Any:
    return c[4]([c[3]([c[2](x) for x in row if c[1](x)]) for row in rows if c[0](row)])


def _flat(c: Sequence[Choice], rows: list[list[int]]) -> Any:
    return c[2]([c[1](x, i) for i, row in enumerate(rows) for x in row if c[0](x)])


_NOTED = {"x": ("the noted numbers", "noted")}
NESTED = (
    Family(
        key="paired",
        parameters=(("xs", "list"), ("ys", "list")),
        phrase="Pair the numbers of xs and ys by position, as far as both lists go. For each pair of x and y: if <0>, "
        "note <1>; otherwise, note <2>. Return <3>.",
        code="def f(xs, ys):\n    noted = []\n    for x, y in zip(xs, ys):\n        if <0>:\n"
        "            noted.append(<1>)\n        else:\n            noted.append(<2>)\n    return <3>",
        slots=(
            Slot(RELATIONS, {"x": "x", "y": "y"}),
            Slot(COMBINATIONS, {"x": "x", "y": "y"}),
            Slot(COMBINATIONS, {"x": "x", "y": "y"}),
            Slot(AGGREGATES, _NOTED),
        ),
        run=_paired,
    ),
    Family(
        key="against",
        parameters=(("xs", "list"), ("n", "shift")),
        phrase="For each x in xs: if <0>, note <1>; otherwise, note <2>. Return <3>.",
        code="def f(xs, n):\n    noted = []\n    for x in xs:\n        if <0>:\n            noted.append(<1>)\n"
        "        else:\n            noted.append(<2>)\n    return <3>",
        slots=(
            Slot(RELATIONS, {"x": "x", "y": "n"}),
            Slot(COMBINATIONS, {"x": "x", "y": "n"}),
            Slot(MAPS, {"x": "x"}),
            Slot(AGGREGATES, _NOTED),
        ),
        run=_against,
    ),
    Family(
        key="rows",
        parameters=(("rows", "rows"),),
        phrase="Look at each row in rows for which this holds: <0>. Its values are <2>, for each x in the row for "
        "which <1>; note <3>. Return <4>.",
        code="def f(rows):\n    noted = []\n    for row in rows:\n        if <0>:\n"
        "            values = [<2> for x in row if <1>]\n            noted.append(<3>)\n    return <4>",
        slots=(
            Slot(_ROW_TESTS, {}),
            Slot(INT_TESTS, {"x": "x"}),
            Slot(MAPS, {"x": "x"}),
            Slot(VALUES, {"x": ("its values", "values")}),
            Slot(AGGREGATES, _NOTED),
        ),
        run=_rows,
    ),
    Family(
        key="flat",
        parameters=(("rows", "rows"),),
        phrase="For each row in rows, at position i counted from 0, and for each x in the row for which <0>, note <1>. "
        "Return <2>.",
        code="def f(rows):\n    noted = []\n    for i, row in enumerate(rows):\n        for x in row:\n"
        "            if <0>:\n                noted.append(<1>)\n    return <2>",
        slots=(
            Slot(INT_TESTS, {"x": "x"}),
            Slot(COMBINATIONS, {"x": "x", "y": "i"}),
            Slot(AGGREGATES, _NOTED),
        ),
        run=_flat,
    ),
)
