"""The parts that structured programs are put together from: a phrase, a line of code and what it does, as one.

A piece speaks of ``{x}`` and ``{y}``, which a family's slot names, and of a constant ``{k}``. `run` is the reference
implementation, of the values that the piece speaks of and, last, of the constant: expected values come from it, never
from executing text.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "AGGREGATES",
    "CHARACTER_TESTS",
    "COMBINATIONS",
    "INT_TESTS",
    "MAPS",
    "RELATIONS",
    "UPDATES",
    "VALUES",
    "WORD_KEYS",
    "WORD_TESTS",
    "Choice",
    "Piece",
    "number",
    "pieces",
]

_NINE = tuple(range(1, 10))


@dataclass(frozen=True, slots=True)
class Piece:
    """One part.

    Attributes:
        key: stable name; part of a task's canonical form.
        phrase: controlled English.
        code: a Python expression or statement.
        run: the reference implementation: (values ..., constant) -> value.
        constants: the constants to choose from; (0,) for a piece without one.
    """

    key: str
    phrase: str
    code: str
    run: Callable[..., Any]
    constants: tuple[int, ...] = (0,)

    @property
    def has_constant(self) -> bool:
        """Whether there is a constant to choose."""
        return "{k}" in self.code


@dataclass(frozen=True, slots=True)
class Choice:
    """A piece with its constant; to call it is to run it."""

    piece: Piece
    constant: int = 0

    @property
    def key(self) -> str:
        """The choice's part of a canonical form."""
        return f"{self.piece.key}:{self.constant}" if self.piece.has_constant else self.piece.key

    def __call__(self, *values: Any) -> Any:
        """What the piece makes of these values."""
        return self.piece.run(*values, self.constant)


def number(constants: Sequence[int]) -> tuple[Piece, ...]:
    """The one-piece vocabulary of a number that stands for itself."""
    return (Piece("number", "{k}", "{k}", lambda k: k, tuple(constants)),)


def pieces(*rows: tuple[Any, ...]) -> tuple[Piece, ...]:
    """A vocabulary from rows of key, phrase, code, reference and, where there is one, the range of the constant."""
    return tuple(
        Piece(key, phrase, code, run, tuple(constants[0]) if constants else (0,))
        for key, phrase, code, run, *constants in rows
    )


INT_TESTS = pieces(
    ("even", "{x} is even", "{x} % 2 == 0", lambda x, k: x % 2 == 0),
    ("positive", "{x} is positive", "{x} > 0", lambda x, k: x > 0),
    ("negative", "{x} is negative", "{x} < 0", lambda x, k: x < 0),
    ("above", "{x} is greater than {k}", "{x} > {k}", lambda x, k: x > k, range(2, 10)),
    ("below", "{x} is less than {k}", "{x} < {k}", lambda x, k: x < k, range(2, 10)),
    ("multiple", "{x} is a multiple of {k}", "{x} % {k} == 0", lambda x, k: x % k == 0, range(3, 6)),
    ("rest", "the remainder of {x} modulo {k} is 1", "{x} % {k} == 1", lambda x, k: x % k == 1, range(3, 6)),
)

MAPS = pieces(
    ("same", "{x}", "{x}", lambda x, k: x),
    ("square", "the square of {x}", "{x} * {x}", lambda x, k: x * x),
    ("plus", "{x} plus {k}", "{x} + {k}", lambda x, k: x + k, _NINE),
    ("times", "{k} times {x}", "{k} * {x}", lambda x, k: k * x, range(2, 6)),
    ("from", "{k} minus {x}", "{k} - {x}", lambda x, k: k - x, _NINE),
    ("abs", "the absolute value of {x}", "abs({x})", lambda x, k: abs(x)),
    ("modulo", "the remainder of {x} modulo {k}", "{x} % {k}", lambda x, k: x % k, range(3, 10)),
    ("half", "half of {x} rounded down", "{x} // 2", lambda x, k: x // 2),
)

# {y} is what is updated, {x} what it is updated with.
UPDATES = pieces(
    ("add", "add {x} to {y}", "{y} + {x}", lambda y, x, k: y + x),
    ("subtract", "subtract {x} from {y}", "{y} - {x}", lambda y, x, k: y - x),
    ("larger", "make {y} the larger of {y} and {x}", "max({y}, {x})", lambda y, x, k: max(y, x)),
    ("smaller", "make {y} the smaller of {y} and {x}", "min({y}, {x})", lambda y, x, k: min(y, x)),
    ("mirror", "subtract {y} from {x} and make {y} the result", "{x} - {y}", lambda y, x, k: x - y),
    (
        "scale",
        "multiply {y} by {k}, add {x} and take the remainder modulo 1000",
        "({k} * {y} + {x}) % 1000",
        lambda y, x, k: (k * y + x) % 1000,
        range(2, 6),
    ),
)

RELATIONS = pieces(
    ("greater", "{x} is greater than {y}", "{x} > {y}", lambda x, y, k: x > y),
    ("both_even", "{x} and {y} are both even", "{x} % 2 == 0 and {y} % 2 == 0", lambda x, y, k: x % 2 == y % 2 == 0),
    ("even_sum", "{x} plus {y} is even", "({x} + {y}) % 2 == 0", lambda x, y, k: (x + y) % 2 == 0),
    ("apart", "{x} and {y} differ by more than {k}", "abs({x} - {y}) > {k}", lambda x, y, k: abs(x - y) > k,
     range(2, 9)),
    ("sum_above", "{x} plus {y} is greater than {k}", "{x} + {y} > {k}", lambda x, y, k: x + y > k, range(3, 18)),
)  # fmt: skip

COMBINATIONS = pieces(
    ("plus", "{x} plus {y}", "{x} + {y}", lambda x, y, k: x + y),
    ("minus", "{x} minus {y}", "{x} - {y}", lambda x, y, k: x - y),
    ("product", "{x} times {y}", "{x} * {y}", lambda x, y, k: x * y),
    ("larger", "the larger of {x} and {y}", "max({x}, {y})", lambda x, y, k: max(x, y)),
    ("smaller", "the smaller of {x} and {y}", "min({x}, {y})", lambda x, y, k: min(x, y)),
    ("distance", "the absolute difference of {x} and {y}", "abs({x} - {y})", lambda x, y, k: abs(x - y)),
    ("weighted", "{x} plus {k} times {y}", "{x} + {k} * {y}", lambda x, y, k: x + k * y, range(2, 7)),
    ("second", "{k} minus {y}", "{k} - {y}", lambda x, y, k: k - y, _NINE),
)

# Of a list of ints, called {x}.
AGGREGATES = pieces(
    ("all", "the list of {x}", "{x}", lambda x, k: list(x)),
    ("sum", "the sum of {x}", "sum({x})", lambda x, k: sum(x)),
    ("length", "how many {x} there are", "len({x})", lambda x, k: len(x)),
    ("distinct", "how many different {x} there are", "len(set({x}))", lambda x, k: len(set(x))),
    ("max", "the largest of {x}, or {k} if there are none", "max({x}, default={k})",
     lambda x, k: max(x, default=k), range(10)),
    ("min", "the smallest of {x}, or {k} if there are none", "min({x}, default={k})",
     lambda x, k: min(x, default=k), range(10)),
    ("last", "the last of {x}, or {k} if there are none", "{x}[-1] if {x} else {k}",
     lambda x, k: x[-1] if x else k, range(10)),
    ("sorted", "the list of {x} in ascending order", "sorted({x})", lambda x, k: sorted(x)),
    ("reversed", "the list of {x} in reverse order", "{x}[::-1]", lambda x, k: x[::-1]),
    ("count", "how many of {x} are greater than {k}", "sum(1 for v in {x} if v > {k})",
     lambda x, k: sum(1 for v in x if v > k), range(10)),
    ("steps", "the list of the differences between neighbours among {x}, each the later minus the earlier",
     "[b - a for a, b in zip({x}, {x}[1:])]", lambda x, k: [b - a for a, b in itertools.pairwise(x)]),
)  # fmt: skip

# Of a list of ints, called {x}, and always one int.
VALUES = pieces(
    ("sum", "the sum of {x}", "sum({x})", lambda x, k: sum(x)),
    ("more", "{k} more than the sum of {x}", "sum({x}) + {k}", lambda x, k: sum(x) + k, _NINE),
    ("less", "{k} minus the sum of {x}", "{k} - sum({x})", lambda x, k: k - sum(x), _NINE),
    ("counted", "the sum of {x} plus {k} times their number", "sum({x}) + {k} * len({x})",
     lambda x, k: sum(x) + k * len(x), range(2, 6)),
    ("largest", "the largest of {x}, or {k} if there are none", "max({x}, default={k})",
     lambda x, k: max(x, default=k), range(10)),
    ("smallest", "the smallest of {x}, or {k} if there are none", "min({x}, default={k})",
     lambda x, k: min(x, default=k), range(10)),
    ("above", "one more than the largest of {x}, or {k} if there are none", "1 + max({x}) if {x} else {k}",
     lambda x, k: 1 + max(x) if x else k, range(10)),
    ("turns", "the sum of {x} at even positions minus the sum of those at odd positions, counted from 0",
     "sum({x}[::2]) - sum({x}[1::2])", lambda x, k: sum(x[::2]) - sum(x[1::2])),
)  # fmt: skip

WORD_TESTS = pieces(
    ("longer", "{x} has more than {k} characters", "len({x}) > {k}", lambda x, k: len(x) > k, range(2, 6)),
    ("shorter", "{x} has fewer than {k} characters", "len({x}) < {k}", lambda x, k: len(x) < k, range(3, 7)),
    ("lower", "{x} starts with a lower case letter", "{x}[0].islower()", lambda x, k: x[0].islower()),
    ("digit", "{x} contains a digit", "any(c.isdigit() for c in {x})", lambda x, k: any(c.isdigit() for c in x)),
    ("no_digit", "{x} contains no digit", "not any(c.isdigit() for c in {x})",
     lambda x, k: not any(c.isdigit() for c in x)),
    ("vowel", "the last character of {x} is a lower case vowel", "{x}[-1] in 'aeiou'", lambda x, k: x[-1] in "aeiou"),
    ("even", "{x} has an even number of characters", "len({x}) % 2 == 0", lambda x, k: len(x) % 2 == 0),
)  # fmt: skip

WORD_KEYS = pieces(
    ("first", "the first character of {x}", "{x}[0]", lambda x, k: x[0]),
    ("last", "the last character of {x}", "{x}[-1]", lambda x, k: x[-1]),
    ("start", "the first {k} characters of {x}", "{x}[:{k}]", lambda x, k: x[:k], (2, 3)),
    ("end", "the last {k} characters of {x}", "{x}[-{k}:]", lambda x, k: x[-k:], (2, 3)),
    ("length", "the length of {x} as a string", "str(len({x}))", lambda x, k: str(len(x))),
    ("lower", "{x} in lower case", "{x}.lower()", lambda x, k: x.lower()),
    ("initial", "the first character of {x} in upper case", "{x}[0].upper()", lambda x, k: x[0].upper()),
    ("letters", "the characters of {x} in sorted order as a string", "''.join(sorted({x}))",
     lambda x, k: "".join(sorted(x))),
)  # fmt: skip

CHARACTER_TESTS = pieces(
    ("letter", "{x} is a letter", "{x}.isalpha()", lambda x, k: x.isalpha()),
    ("digit", "{x} is a digit", "{x}.isdigit()", lambda x, k: x.isdigit()),
    ("space", "{x} is a space", "{x} == ' '", lambda x, k: x == " "),
    ("no_space", "{x} is not a space", "{x} != ' '", lambda x, k: x != " "),
    ("upper", "{x} is an upper case letter", "{x}.isupper()", lambda x, k: x.isupper()),
    ("lower", "{x} is a lower case letter", "{x}.islower()", lambda x, k: x.islower()),
    ("vowel", "{x} is a lower case vowel", "{x} in 'aeiou'", lambda x, k: x in "aeiou"),
    ("e", "{x} is an 'e'", "{x} == 'e'", lambda x, k: x == "e"),
    ("a", "{x} is an 'a'", "{x} == 'a'", lambda x, k: x == "a"),
    ("late", "{x} is one of the letters 'n' to 'z'", "'n' <= {x} <= 'z'", lambda x, k: "n" <= x <= "z"),
)
