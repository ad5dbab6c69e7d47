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
    """`n` items over `levels`, as evenly as their capacities allow, shuffled by `seed`.

    Args:
        name: the environment's, for the error.
        levels: the levels to draw from; a level that has less than its share gives all it has.
        stream: gives distinct items of a level and ends when the level is exhausted.
        capacity: how many items a level is known to have; more are refused before a long search for them begins.

    Raises:
        ConfigError: `n` is negative, or the levels together do not have as many.
    """
    if n < 0:
        raise ConfigError(f"environment '{name}': n is {n}; allowed are 0 and above")
    drawn: list[tuple[int, T]] = []
    for level, count in _shares(name, levels, n, capacity).items():
        items = list(islice(stream(level), count))
        if len(items) < count:
            raise ConfigError(_too_many(name, levels, n - count + len(items), n))
        drawn += [(level, item) for item in items]
    random.Random(f"{name}/{seed}").shuffle(drawn)
    return drawn


def _shares(name: str, levels: range, n: int, capacity: Callable[[int], int]) -> dict[int, int]:
    """How many items each level gives, the smallest level first so that the others can make up for it."""
    shares: dict[int, int] = {}
    for rank, level in enumerate(sorted(levels, key=capacity)):
        left = n - sum(shares.values())
        shares[level] = min(capacity(level), -(-left // (len(levels) - rank)))
    if sum(shares.values()) < n:
        raise ConfigError(_too_many(name, levels, sum(shares.values()), n))
    return dict(sorted(shares.items()))


def _too_many(name: str, levels: range, have: int, wanted: int) -> str:
    where = f"levels {levels[0]} to {levels[-1]} have" if len(levels) > 1 else f"level {levels[0]} has"
    return (
        f"environment '{name}': {where} {have} distinct tasks in this split and {wanted} were asked for; "
        "ask for fewer or allow more levels"
    )
