"""Tests for HumanEval's `find_zero`, whose own suite asks of the answer that a polynomial is small there.

Such a suite has no expected values, since a polynomial may have several zeros. Where there is exactly one, counted
with Sturm's theorem in exact fractions, that zero is the expected value; those inputs of the suite are kept.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from fractions import Fraction

__all__ = ["real_zeros", "zero_assertions"]

_RESIDUAL = 1e-4  # the suite accepts an answer where the polynomial is smaller than this
_FLAT = 0.1  # with a smaller slope the residual says little about the distance from the zero
_SEED = 42
_INPUTS = 100


def zero_assertions(entry_point: str) -> list[str]:
    """Assertions of the suite's inputs with one zero, with a bound on the answer that keeps the residual in bounds."""
    found = []
    for coefficients in _inputs():
        if real_zeros(coefficients) != 1:
            continue
        zero = _bisected(coefficients)
        slope = abs(sum(i * c * zero ** (i - 1) for i, c in enumerate(coefficients) if i))
        if slope > _FLAT:
            found.append(f"assert abs({entry_point}({coefficients}) - ({zero!r})) < {_RESIDUAL / slope!r}")
    return found


def real_zeros(coefficients: Sequence[int]) -> int:
    """How many different real zeros a polynomial has; its coefficients begin with the constant one.

    Sturm's theorem: the sign changes of the Sturm chain at minus infinity less those at plus infinity.
    """
    chain = [_trimmed([Fraction(c) for c in coefficients])]
    chain.append(_trimmed([i * c for i, c in enumerate(chain[0])][1:]))
    while chain[-1]:
        chain.append([-c for c in _remainder(chain[-2], chain[-1])])
    chain.pop()
    upper = [polynomial[-1] > 0 for polynomial in chain]
    lower = [(polynomial[-1] > 0) == (len(polynomial) % 2 == 1) for polynomial in chain]
    return _changes(lower) - _changes(upper)


def _inputs() -> list[list[int]]:
    """The inputs of the suite, which draws them from a generator with a fixed seed."""
    rng = random.Random(_SEED)
    drawn = []
    for _ in range(_INPUTS):
        count = 2 * rng.randint(1, 4)
        drawn.append([rng.randint(-10, 10) or 1 for _ in range(count)])
    return drawn


def _bisected(coefficients: Sequence[int]) -> float:
    """The zero of a polynomial of odd degree that has one, as near as floats come."""

    def rising(x: float) -> float:
        return math.copysign(1, coefficients[-1]) * sum(c * x**i for i, c in enumerate(coefficients))

    low, high = -1.0, 1.0
    while rising(low) > 0:
        low *= 2
    while rising(high) < 0:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def _trimmed(polynomial: list[Fraction]) -> list[Fraction]:
    while polynomial and polynomial[-1] == 0:
        polynomial = polynomial[:-1]
    return polynomial


def _remainder(dividend: list[Fraction], divisor: list[Fraction]) -> list[Fraction]:
    rest = dividend
    while len(rest) >= len(divisor):
        factor, shift = rest[-1] / divisor[-1], len(rest) - len(divisor)
        rest = _trimmed([c - factor * divisor[i - shift] if i >= shift else c for i, c in enumerate(rest)][:-1])
    return rest


def _changes(signs: Sequence[bool]) -> int:
    return sum(a != b for a, b in itertools.pairwise(signs))
