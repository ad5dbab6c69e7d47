"""Inputs for tests and probes, and the choice of those that unmask the most near misses."""

from __future__ import annotations

import functools
import random
import string
from collections.abc import Callable, Sequence
from typing import Any

from proofgrad.verifiers.base import Json

__all__ = ["EDGES", "PUBLIC_TESTS", "TESTS", "cover", "distinct", "drawn_type", "inputs", "is_large", "probes", "same"]

TESTS = 10
PUBLIC_TESTS = 2
EDGES = 2  # the first inputs of every type are its edge cases

# A task's values stay under these bounds, so that a right program is never slow and a wrong one seldom.
_LARGEST = 10**6
_LONGEST = 60
_INPUTS = 28
_WORDS = (
    "Anna",
    "a",
    "tree",
    "Otto7",
    "x1",
    "Go",
    "data",
    "SUN",
    "level",
    "b2b",
    "Ice",
    "aeiou",
    "Zz",
    "9lives",
    "moon",
)
_NAMES = ("ann", "bob", "cy", "dee", "Eve")
_COMMANDS = ("p", "q", "r")


def inputs(rng: random.Random, kind: str) -> list[Any]:
    """Values of a type, the two edge cases first; ``list``, ``int`` and ``str`` are the types of chains."""
    if kind == "int":
        return [0, 1, *rng.sample(range(-60, 0), 8), *rng.sample(range(2, 30), 11), *rng.sample(range(30, 1000), 11)]
    if kind == "str":
        values: list[Any] = ["", rng.choice(_WORDS)]
        return values + [" ".join(rng.choices(_WORDS, k=rng.randint(1, 4))) for _ in range(_INPUTS - 2)]
    if kind == "list":
        return [[], [rng.randint(0, 9)], *(_numbers(rng) for _ in range(_INPUTS - 2))]
    edges, draw = _KINDS[kind]
    return [*edges, *(draw(rng) for _ in range(_INPUTS - len(edges)))]


def drawn_type(kind: str) -> Json:
    """A type of `inputs` as the verifier ``program_property`` writes it, for inputs that nobody has seen."""
    return _DRAWN[kind]


@functools.cache
def probes(kind: str, position: int = 0) -> tuple[Any, ...]:
    """The fixed values of a type on which the behaviour of programs is compared, for a parameter at a position."""
    rng = random.Random(f"synthesis/probes/{kind}{position or ''}")
    return tuple(inputs(rng, kind) + inputs(rng, kind))


def cover(caught: Sequence[set[int]], count: int) -> list[int]:
    """`TESTS` of `count` inputs, the edge cases among them, that catch as many near misses as can be; chosen greedily.

    Args:
        caught: for each near miss, the inputs on which it shows.

    The edge cases come last, so that the public tests are telling ones.
    """
    edges = list(range(EDGES))
    left = [catch for catch in caught if not catch & set(edges)]
    chosen: list[int] = []
    while left and len(chosen) < TESTS - len(edges):
        best = max(range(count), key=lambda i: (sum(i in catch for catch in left), -i))
        chosen.append(best)
        left = [catch for catch in left if best not in catch]
    others = [i for i in range(len(edges), count) if i not in chosen]
    return chosen + others[: TESTS - len(edges) - len(chosen)] + edges


def is_large(value: Any) -> bool:
    """Whether a value is too large for a task."""
    if isinstance(value, int):
        return abs(value) > _LARGEST
    if isinstance(value, str):
        return len(value) > _LONGEST
    return len(value) > _LONGEST or any(is_large(x) for x in (value.values() if isinstance(value, dict) else value))


def distinct(values: Sequence[Any]) -> set[str]:
    """The different ones among values."""
    return {repr(value) for value in values}


def same(a: Any, b: Any) -> bool:
    """Whether two answers are one, type for type."""
    return type(a) is type(b) and a == b


def _numbers(rng: random.Random) -> list[int]:
    low, high = rng.choice(((-9, 20), (0, 9), (0, 20), (-9, 9)))
    numbers = [rng.randint(low, high) for _ in range(rng.randint(2, 8))]
    if rng.random() < 0.3:
        numbers.append(rng.choice(numbers))
    return numbers


def _rows(rng: random.Random) -> list[list[int]]:
    return [_numbers(rng)[: rng.randint(0, 5)] for _ in range(rng.randint(1, 5))]


def _words(rng: random.Random) -> list[str]:
    chosen = rng.choices(_WORDS, k=rng.randint(2, 7))
    return [rng.choice((word, word, word.lower(), word[::-1])) for word in chosen]


def _items(rng: random.Random) -> list[list[Any]]:
    return [[rng.choice(_NAMES), rng.randint(-9, 20)] for _ in range(rng.randint(2, 7))]


def _steps(rng: random.Random) -> list[list[Any]]:
    return [[rng.choice(_COMMANDS), rng.randint(-9, 20)] for _ in range(rng.randint(2, 9))]


def _tree(rng: random.Random, depth: int = 3) -> list[Any]:
    size = rng.randint(1, 4) if depth == 3 else rng.randint(0, 3)
    return [_tree(rng, depth - 1) if depth > 1 and rng.random() < 0.4 else rng.randint(-9, 20) for _ in range(size)]


_KINDS: dict[str, tuple[tuple[Any, ...], Callable[[random.Random], Any]]] = {
    "shift": ((0, 1), lambda rng: rng.randint(-9, 20)),
    "count": ((0, 1), lambda rng: rng.randint(2, 13)),
    "natural": ((0, 1), lambda rng: rng.randint(2, rng.choice((30, 1000)))),
    "digits": ((0, 9), lambda rng: rng.randint(10, rng.choice((99, 9999, 999_999)))),
    "rows": (([], [[]]), _rows),
    "words": (([], ["a"]), _words),
    "items": (([], [["bob", 3]]), _items),
    "steps": (([], [["p", 4]]), _steps),
    "tree": (([], [3]), _tree),
}


def _whole(low: int, high: int) -> Json:
    return {"int": {"min": low, "max": high}}


def _listed(items: Json, most: int) -> Json:
    return {"list": {"items": items, "max_size": most}}


_SMALL = _whole(-9, 20)
_CHARACTERS = string.ascii_letters + string.digits
_LEAVES: Json = _listed(_SMALL, 4)
_DRAWN: dict[str, Json] = {
    "int": _whole(-1000, 1000),
    "str": {"str": {"alphabet": f"{_CHARACTERS} ", "max_size": 24}},
    "list": _listed(_whole(-20, 40), 9),
    "shift": _SMALL,
    "count": _whole(0, 13),
    "natural": _whole(0, 1000),
    "digits": _whole(0, 999_999),
    "rows": _listed(_listed(_SMALL, 5), 5),
    "words": _listed({"str": {"alphabet": _CHARACTERS, "min_size": 1, "max_size": 8}}, 7),
    "items": _listed({"tuple": [{"choice": list(_NAMES)}, _SMALL]}, 7),
    "steps": _listed({"tuple": [{"choice": list(_COMMANDS)}, _SMALL]}, 9),
    "tree": _listed({"one_of": [_SMALL, _listed({"one_of": [_SMALL, _LEAVES]}, 3)]}, 4),
}
