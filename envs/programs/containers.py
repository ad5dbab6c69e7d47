"""The families of level 8: dicts that group, count and accumulate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proofgrad.envs.programs.pieces import (
    AGGREGATES,
    CHARACTER_TESTS,
    INT_TESTS,
    MAPS,
    UPDATES,
    WORD_KEYS,
    WORD_TESTS,
    Choice,
    number,
    pieces,
)
from proofgrad.envs.programs.structures import Family, Slot

__all__ = ["DICTS"]

_GROUP_VALUES = pieces(
    ("number", "how many words its group has", "len(group)", lambda g, k: len(g)),
    ("longest", "the longest word of its group, the first of them if there are several", "max(group, key=len)",
     lambda g, k: max(g, key=len)),
    ("shortest", "the shortest word of its group, the first of them if there are several", "min(group, key=len)",
     lambda g, k: min(g, key=len)),
    ("total", "the sum of the lengths of the words of its group", "sum(len(v) for v in group)",
     lambda g, k: sum(len(v) for v in g)),
    ("joined", "the words of its group joined by '-'", "'-'.join(group)", lambda g, k: "-".join(g)),
    ("sorted", "the list of the words of its group in sorted order", "sorted(group)", lambda g, k: sorted(g)),
    ("listed", "the list of the words of its group", "group", lambda g, k: list(g)),
    ("last", "the last word of its group", "group[-1]", lambda g, k: g[-1]),
    ("distinct", "how many different words its group has", "len(set(group))", lambda g, k: len(set(g))),
    ("scaled", "{k} times the number of words of its group", "{k} * len(group)", lambda g, k: k * len(g), range(2, 10)),
)  # fmt: skip

_TABLES = pieces(
    ("table", "the dict", "table", lambda t, k: dict(t)),
    ("names", "the sorted list of the keys", "sorted(table)", lambda t, k: sorted(t)),
    ("ranked", "the list of the keys in ascending order of their entries, keys with equal entries in sorted order",
     "sorted(table, key=lambda key: (table[key], key))", lambda t, k: sorted(t, key=lambda key: (t[key], key))),
    ("above", "the sorted list of the keys whose entries are greater than {k}",
     "sorted(key for key in table if table[key] > {k})", lambda t, k: sorted(key for key in t if t[key] > k),
     range(1, 13)),
    ("low", "the dict without the entries that are greater than {k}",
     "{key: v for key, v in table.items() if v <= {k}}", lambda t, k: {key: v for key, v in t.items() if v <= k},
     range(1, 13)),
    ("spread", "the largest entry minus the smallest, or {k} if there are none",
     "max(table.values()) - min(table.values()) if table else {k}",
     lambda t, k: max(t.values()) - min(t.values()) if t else k, range(10)),
    ("sum", "the sum of the entries plus {k}", "sum(table.values()) + {k}", lambda t, k: sum(t.values()) + k,
     range(1, 10)),
)  # fmt: skip


def _group(c: Sequence[Choice], words: list[str]) -> Any:
    groups: dict[str, list[str]] = {}
    for w in words:
        if c[0](w):
            groups.setdefault(c[1](w), []).append(w)
    return {key: c[3](group) for key, group in groups.items() if len(group) >= c[2]()}


def _places(c: Sequence[Choice], words: list[str]) -> Any:
    places: dict[str, list[int]] = {}
    for i, w in enumerate(words):
        if c[0](w):
            places.setdefault(c[1](w), []).append(c[2](i))
    return {key: c[3](found) for key, found in places.items()}


def _tally(c: Sequence[Choice], items: list[tuple[str, int]]) -> Any:
    table: dict[str, int] = {}
    for name, x in items:
        if c[0](x):
            table[name] = c[2](table.get(name, c[1]()), c[3](x))
    return c[4](table)


def _characters(c: Sequence[Choice], s: str) -> Any:
    table: dict[str, int] = {}
    for w in s:
        if c[0](w):
            table[w] = table.get(w, c[1]()) + c[2]()
        elif c[3](w):
            table[w] = table.get(w, c[1]()) - c[4]()
    return c[5](table)


DICTS = (
    Family(
        key="group",
        parameters=(("words", "words"),),
        phrase="Group each w in words for which <0> under this key: <1>. Leave out groups of fewer than <2> words. "
        "Return a dict that maps each key to <3>.",
        code="def f(words):\n    groups = {}\n    for w in words:\n        if <0>:\n"
        "            groups.setdefault(<1>, []).append(w)\n"
        "    return {key: <3> for key, group in groups.items() if len(group) >= <2>}",
        slots=(
            Slot(WORD_TESTS, {"x": "w"}),
            Slot(WORD_KEYS, {"x": "w"}),
            Slot(number(range(2, 4)), {}),
            Slot(_GROUP_VALUES, {}),
        ),
        run=_group,
    ),
    Family(
        key="places",
        parameters=(("words", "words"),),
        phrase="Each w in words has a position i, counted from 0. For each w for which <0>, note <2> under this key: "
        "<1>. Return a dict that maps each key to <3>.",
        code="def f(words):\n    table = {}\n    for i, w in enumerate(words):\n        if <0>:\n"
        "            table.setdefault(<1>, []).append(<2>)\n"
        "    return {key: <3> for key, noted in table.items()}",
        slots=(
            Slot(WORD_TESTS, {"x": "w"}),
            Slot(WORD_KEYS, {"x": "w"}),
            Slot(MAPS, {"x": "i"}),
            Slot(AGGREGATES, {"x": ("the numbers noted under it", "noted")}),
        ),
        run=_places,
    ),
    Family(
        key="tally",
        parameters=(("items", "items"),),
        phrase="Keep a dict of ints, empty at first; the entry of a new name starts at <1>. For each [name, x] in "
        "items from left to right: if <0>, <2>. Return <4>.",
        code="def f(items):\n    table = {}\n    for name, x in items:\n        if <0>:\n"
        "            entry = table.get(name, <1>)\n            table[name] = <2>\n    return <4>",
        slots=(
            Slot(INT_TESTS, {"x": "x"}),
            Slot(number(range(10)), {}),
            Slot(UPDATES, {"x": "<3>", "y": ("the entry of name", "entry")}),
            Slot(MAPS, {"x": "x"}),
            Slot(_TABLES, {}),
        ),
        run=_tally,
    ),
    Family(
        key="characters",
        parameters=(("s", "str"),),
        phrase="Keep a dict of ints, empty at first; the entry of a new character starts at <1>. For each character c "
        "of s: if <0>, add <2> to the entry of c; otherwise, if <3>, subtract <4> from the entry of c. Return <5>.",
        code="def f(s):\n    table = {}\n    for c in s:\n        if <0>:\n"
        "            table[c] = table.get(c, <1>) + <2>\n        elif <3>:\n"
        "            table[c] = table.get(c, <1>) - <4>\n    return <5>",
        slots=(
            Slot(CHARACTER_TESTS, {"x": "c"}),
            Slot(number(range(10)), {}),
            Slot(number(range(1, 5)), {}),
            Slot(CHARACTER_TESTS, {"x": "c"}),
            Slot(number(range(1, 5)), {}),
            Slot(_TABLES, {}),
        ),
        run=_characters,
    ),
)
