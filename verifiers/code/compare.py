"""Strict JSON and exact comparison: pure functions, no effects.

A program's answer counts as right when it is the same value, type for type, as the expected one:

- `True`, `1` and `1.0` are three different answers; `0.0` and `-0.0` are one. Where the problem says
  `"numbers": "value"`, an int and a float of the same value are the same answer too; a bool never is a number;
- a tuple reaches us as a list, because JSON has no tuples: `(1, 2)` and `[1, 2]` are the same answer, unless the
  problem's values are tagged (`values.py`), which keeps tuples, lists and sets apart;
- NaN and infinities are not JSON (RFC 8259, section 6) and never count as an answer. In tagged values an infinity is
  the same as itself, and NaN is the same as nothing, or as any NaN where the problem says `"nan": "equal"`;
- floats must be equal, or close where the problem states a tolerance; a tolerance never turns an int into a float, and
  there is none inside sets and dict keys.

The output of a program that reads standard input is compared by one of three whitespace policies (`WHITESPACE`):

- "tokens" (the default): the lines, separated by "\\n", must have the same words, separated by whitespace as
  `str.split` sees it; so spaces at the ends and the width of gaps do not matter, line breaks do, and blank lines at the
  end are ignored;
- "lines": the lines must be equal but for whitespace at their ends, and blank lines at the end are ignored;
- "exact": every byte counts.

Words are compared as text, `1` and `1.0` are different. Only under "tokens" and with a stated tolerance, an expected
word that is a decimal float (it has a point or an exponent) is matched by any decimal number within that tolerance.
Nothing is ever cut to the length of the shorter side.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import cast

from proofgrad.verifiers.base import Json

__all__ = [
    "EXACT",
    "WHITESPACE",
    "Difference",
    "NotStrictJson",
    "Tolerance",
    "is_json",
    "output_difference",
    "parse_strict",
    "same",
]

WHITESPACE = ("tokens", "lines", "exact")
# One way to read any text: were the point optional between two runs of digits, a megabyte of them that is no number
# would be split at every place, for hours.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)


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


def same(
    expected: object, answer: object, tolerance: Tolerance = EXACT, *, nan: str = "refuse", numbers: str = "typed"
) -> bool:
    """Whether two values are the same, type for type, by the policies above; without recursion into lists or dicts.

    Both are made of JSON's types and what `values.untag` makes: tuples, sets, any dict, any float.
    """
    by_value = numbers == "value"
    stack: list[tuple[object, object]] = [(expected, answer)]
    while stack:
        a, b = stack.pop()
        if type(a) is not type(b):
            if not by_value or {type(a), type(b)} != {int, float} or not _close(a, b, tolerance):
                return False
        elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
            if len(a) != len(b):
                return False
            stack.extend(zip(a, b, strict=True))
        elif isinstance(a, dict) and isinstance(b, dict):
            left, right = ({_key(key, nan, by_value): part for key, part in side.items()} for side in (a, b))
            # As many as there were: two NaN keys become one, and neither side may lose any.
            if left.keys() != right.keys() or len(a) != len(b):
                return False
            stack.extend((part, right[key]) for key, part in left.items())
        elif isinstance(a, set | frozenset) and isinstance(b, set | frozenset):
            if len(a) != len(b) or {_key(x, nan, by_value) for x in a} != {_key(x, nan, by_value) for x in b}:
                return False
        elif isinstance(a, float) and isinstance(b, float):
            if not (_close(a, b, tolerance) or (nan == "equal" and math.isnan(a) and math.isnan(b))):
                return False
        elif a != b:
            return False
    return True


def _close(a: object, b: object, tolerance: Tolerance) -> bool:
    if a == b:
        return True
    if tolerance == EXACT:
        return False  # isclose would first round an int to a float
    try:
        return math.isclose(cast(float, a), cast(float, b), rel_tol=tolerance.rel, abs_tol=tolerance.abs)
    except OverflowError:
        return False


def _key(value: object, nan: str, by_value: bool) -> Hashable:
    """What two elements of sets, or keys of dicts, have in common exactly when they are the same."""
    if isinstance(value, tuple):
        return tuple, tuple(_key(part, nan, by_value) for part in value)
    if isinstance(value, frozenset):
        return frozenset, frozenset(_key(part, nan, by_value) for part in value)
    if isinstance(value, float) and math.isnan(value):
        return float, "nan" if nan == "equal" else object()
    kind = type(value)
    return float if by_value and kind is int else kind, value


@dataclass(frozen=True, slots=True)
class Difference:
    """The first line in which two outputs differ.

    Attributes:
        line: its number, from 1.
        expected: the line as it should be; None when the output should have ended.
        got: the line as it is; None when the output ended too early.
    """

    line: int
    expected: str | None
    got: str | None


def output_difference(
    expected: str, got: bytes, whitespace: str = "tokens", tolerance: Tolerance = EXACT
) -> Difference | None:
    """Where the output `got` first differs from what is expected, or None when it is right by the policies above."""
    try:
        text, readable = got.decode("utf-8"), True
    except UnicodeDecodeError:
        text, readable = got.decode("utf-8", "backslashreplace"), False
    wanted, found = _lines(expected, whitespace), _lines(text, whitespace)
    for number in range(max(len(wanted), len(found))):
        a = wanted[number] if number < len(wanted) else None
        b = found[number] if number < len(found) else None
        if a is None or b is None or not _same_line(a, b, whitespace, tolerance):
            return Difference(number + 1, a, b)
    return None if readable else Difference(1, wanted[0] if wanted else None, found[0])


def _lines(text: str, whitespace: str) -> list[str]:
    lines = text.split("\n")  # not splitlines, which breaks lines at characters that a program may print
    if whitespace != "exact":
        lines = [line.rstrip() for line in lines]
        while lines and not lines[-1]:
            lines.pop()
    return lines


def _same_line(a: str, b: str, whitespace: str, tolerance: Tolerance) -> bool:
    if a == b:
        return True
    if whitespace != "tokens":
        return False
    left, right = a.split(), b.split()
    return len(left) == len(right) and all(_same_word(x, y, tolerance) for x, y in zip(left, right, strict=True))


def _same_word(a: str, b: str, tolerance: Tolerance) -> bool:
    if a == b:
        return True
    if tolerance == EXACT or a.lstrip("+-").isdecimal() or not (_NUMBER.fullmatch(a) and _NUMBER.fullmatch(b)):
        return False
    x, y = float(a), float(b)
    return math.isfinite(x) and math.isfinite(y) and _close(x, y, tolerance)
