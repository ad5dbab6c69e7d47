"""Strict JSON and exact comparison: pure functions, no effects.

A program's answer counts as right when it is the same JSON value, type for type, as the expected one:

- `True`, `1` and `1.0` are three different answers; `0.0` and `-0.0` are one;
- a tuple reaches us as a list, because JSON has no tuples: `(1, 2)` and `[1, 2]` are the same answer;
- NaN and infinities are not JSON (RFC 8259, section 6) and never count as an answer;
- floats must be equal, or close where the problem states a tolerance; a tolerance never turns an int into a float.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import cast

from proofgrad.verifiers.base import Json

__all__ = ["EXACT", "NotStrictJson", "Tolerance", "is_json", "parse_strict", "same"]


class NotStrictJson(ValueError):  # noqa: N818  # reads as what the text is
    """The text is not JSON as RFC 8259 has it, with unique keys."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two floats may lie apart: `math.isclose` with these bounds."""

    abs: float = 0.0
    rel: float = 0.0


EXACT = Tolerance()


def parse_strict(text: str | bytes) -> Json:
    """Parse JSON, refusing what Python's parser lets through: NaN, infinities, duplicate keys, overflowing floats.

    Raises:
        NotStrictJson: it is not such JSON, or nested too deep for the parser.
    """
    try:
        value: Json = json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique)
    except (ValueError, RecursionError, MemoryError) as error:
        raise NotStrictJson(f"{type(error).__name__}: {error}"[:200]) from None
    return value


def _no_constant(name: str) -> Json:
    raise NotStrictJson(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise NotStrictJson("a number outside the range of floats")
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise NotStrictJson("a key twice in one object")
    return made


def is_json(value: object) -> bool:
    """Whether `value` is made of exactly the JSON types: lists, not tuples; str keys; finite floats; no cycles."""
    try:
        return same(cast(Json, value), parse_strict(json.dumps(value, allow_nan=False)))
    except (TypeError, ValueError, RecursionError):
        return False


def same(expected: Json, answer: Json, tolerance: Tolerance = EXACT) -> bool:
    """Whether two parsed JSON values are the same, type for type; without recursion, so depth cannot hurt it."""
    stack: list[tuple[Json, Json]] = [(expected, answer)]
    while stack:
        a, b = stack.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return False
            stack.extend(zip(a, b, strict=True))
        elif isinstance(a, dict) and isinstance(b, dict):
            if a.keys() != b.keys():
                return False
            stack.extend((a[key], b[key]) for key in a)
        elif isinstance(a, float) and isinstance(b, float):
            if not math.isclose(a, b, rel_tol=tolerance.rel, abs_tol=tolerance.abs):
                return False
        elif a != b:
            return False
    return True
