"""Drawing tasks evenly over the levels of a procedural environment."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

from proofgrad.verifiers.errors import ConfigError

__all__ = ["balanced"]

T = TypeVar("T")


def balanced(
    name: str,
    levels: range,
    n: int,
    seed: int,
    stream: Callable[[int], Iterator[T]],
    capacity: Callable[[int], int],
) -> list[tuple[int, T]]:
    """`n` items over `levels`, as evenly as `n` allows, shuffled by `seed`.

    Args:
        name: the environment's, for the error.
        levels: the levels to draw from; where `n` does not divide evenly the easier ones get one more.
        stream: gives distinct items of a level and ends when the level is exhausted.
        capacity: how many items a level is known to have; more are refused before a long search for them begins.

    Raises:
        ConfigError: `n` is negative, or a level does not have its share.
    """
    if n < 0:
        raise ConfigError(f"environment '{name}': n is {n}; allowed are 0 and above")
    share, rest = divmod(n, len(levels))
    wanted = {level: share + (i < rest) for i, level in enumerate(levels)}
    for level, count in wanted.items():
        if count > capacity(level):
            raise ConfigError(_too_many(name, level, capacity(level), count))
    drawn: list[tuple[int, T]] = []
    for level, count in wanted.items():
        items = list(islice(stream(level), count))
        if len(items) < count:
            raise ConfigError(_too_many(name, level, len(items), count))
        drawn += [(level, item) for item in items]
    random.Random(f"{name}/{seed}").shuffle(drawn)
    return drawn


def _too_many(name: str, level: int, have: int, wanted: int) -> str:
    return (
        f"environment '{name}': level {level} has {have} distinct tasks in this split and {wanted} were asked for; "
        "ask for fewer or allow more levels"
    )
