"""The primitive operations of which synthesis tasks are composed: a phrase, a line of code, and what it does.

Each operation takes a value of one type to a value of one type. `run` is the reference implementation: expected values
come from it, never from executing text.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["NAMES", "OPERATIONS", "TYPES", "Operation", "Step", "Value", "run_chain", "steps_from"]

Value: TypeAlias = "int | bool | str | list[int]"

TYPES = {"list": "list of int", "int": "int", "str": "str", "bool": "bool"}
NAMES = {"list": "xs", "int": "n", "str": "s", "bool": "b"}


@dataclass(frozen=True, slots=True)
class Operation:
    """One primitive.

    Attributes:
        key: stable name; part of a task's canonical form.
        source: type it takes: a key of `TYPES`.
        target: type it gives.
        phrase: imperative English; ``{k}`` stands for the constant.
        code: Python expression; ``{x}`` stands for the variable, ``{k}`` for the constant.
        run: the reference implementation: (value, constant) -> value.
        constants: the constants to choose from; (0,) for an operation without one.
    """

    key: str
    source: str
    target: str
    phrase: str
    code: str
    run: Callable[[object, int], Value]
    constants: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Step:
    """An operation with its constant."""

    operation: Operation
    constant: int = 0

    @property
    def key(self) -> str:
        """The step's part of a canonical form."""
        has_constant = self.operation.constants != (0,)
        return f"{self.operation.key}:{self.constant}" if has_constant else self.operation.key

    def phrase(self) -> str:
        """The step in English."""
        return self.operation.phrase.replace("{k}", str(self.constant))

    def code(self, variable: str) -> str:
        """The step as an expression over `variable`."""
        return self.operation.code.replace("{k}", str(self.constant)).replace("{x}", variable)


def run_chain(steps: Sequence[Step], value: Value) -> Value:
    """The value after all steps."""
    for step in steps:
        value = step.operation.run(value, step.constant)
    return value


def _list(
    key: str,
    target: str,
    phrase: str,
    code: str,
    run: Callable[[list[int], int], Value],
    constants: range | tuple[int, ...] = (0,),
) -> Operation:
    return Operation(key, "list", target, phrase, code, run, tuple(constants))  # type: ignore[arg-type]  # see `_int`


def _int(
    key: str,
    target: str,
    phrase: str,
    code: str,
    run: Callable[[int, int], Value],
    constants: range | tuple[int, ...] = (0,),
) -> Operation:
    # A chain is only ever built so that each step gets a value of its own source type.
    return Operation(key, "int", target, phrase, code, run, tuple(constants))  # type: ignore[arg-type]


def _str(
    key: str,
    target: str,
    phrase: str,
    code: str,
    run: Callable[[str, int], Value],
    constants: range | tuple[int, ...] = (0,),
) -> Operation:
    return Operation(key, "str", target, phrase, code, run, tuple(constants))  # type: ignore[arg-type]  # see `_int`


_SMALL = range(2, 10)
_ANY = range(1, 21)
_VOWELS = "aeiou"


def _digits(n: int) -> list[int]:
    return [int(d) for d in str(abs(n))]


_LIST_TO_LIST = (
    _list(
        "odd", "list", "keep the odd numbers", "[x for x in {x} if x % 2 == 1]", lambda v, k: [x for x in v if x % 2]
    ),
    _list(
        "even",
        "list",
        "keep the even numbers",
        "[x for x in {x} if x % 2 == 0]",
        lambda v, k: [x for x in v if not x % 2],
    ),
    _list(
        "above",
        "list",
        "keep the numbers greater than {k}",
        "[x for x in {x} if x > {k}]",
        lambda v, k: [x for x in v if x > k],
        range(16),
    ),
    _list(
        "below",
        "list",
        "keep the numbers less than {k}",
        "[x for x in {x} if x < {k}]",
        lambda v, k: [x for x in v if x < k],
        range(16),
    ),
    _list(
        "divisible",
        "list",
        "keep the multiples of {k}",
        "[x for x in {x} if x % {k} == 0]",
        lambda v, k: [x for x in v if x % k == 0],
        range(3, 8),
    ),
    _list(
        "remove",
        "list",
        "remove every {k}",
        "[x for x in {x} if x != {k}]",
        lambda v, k: [x for x in v if x != k],
        range(10),
    ),
    _list("plus", "list", "add {k} to each", "[x + {k} for x in {x}]", lambda v, k: [x + k for x in v], _ANY),
    _list("minus", "list", "subtract {k} from each", "[x - {k} for x in {x}]", lambda v, k: [x - k for x in v], _ANY),
    _list("times", "list", "multiply each by {k}", "[x * {k} for x in {x}]", lambda v, k: [x * k for x in v], _SMALL),
    _list(
        "modulo",
        "list",
        "replace each by its remainder modulo {k}",
        "[x % {k} for x in {x}]",
        lambda v, k: [x % k for x in v],
        range(2, 12),
    ),
    _list(
        "cap",
        "list",
        "replace each number greater than {k} by {k}",
        "[min(x, {k}) for x in {x}]",
        lambda v, k: [min(x, k) for x in v],
        range(3, 16),
    ),
    _list("square", "list", "square each", "[x * x for x in {x}]", lambda v, k: [x * x for x in v]),
    _list("negate", "list", "negate each", "[-x for x in {x}]", lambda v, k: [-x for x in v]),
    _list("abs", "list", "take the absolute value of each", "[abs(x) for x in {x}]", lambda v, k: [abs(x) for x in v]),
    _list("reverse", "list", "reverse the list", "{x}[::-1]", lambda v, k: v[::-1]),
    _list("sort", "list", "sort in ascending order", "sorted({x})", lambda v, k: sorted(v)),
    _list("sort_down", "list", "sort in descending order", "sorted({x}, reverse=True)", lambda v, k: sorted(v)[::-1]),
    _list("unique", "list", "drop repeated numbers", "list(dict.fromkeys({x}))", lambda v, k: list(dict.fromkeys(v))),
    _list("take", "list", "take the first {k}", "{x}[:{k}]", lambda v, k: v[:k], range(2, 7)),
    _list("drop", "list", "drop the first {k}", "{x}[{k}:]", lambda v, k: v[k:], range(2, 6)),
    _list("take_last", "list", "take the last {k}", "{x}[-{k}:]", lambda v, k: v[-k:], range(2, 7)),
    _list("drop_last", "list", "drop the last {k}", "{x}[:-{k}]", lambda v, k: v[:-k], range(2, 6)),
    _list("every", "list", "keep every {k}th number from the first on", "{x}[::{k}]", lambda v, k: v[::k], (4, 5)),
    _list("second", "list", "keep every second number from the first on", "{x}[::2]", lambda v, k: v[::2]),
    _list("append", "list", "append {k}", "{x} + [{k}]", lambda v, k: [*v, k], range(21)),
    _list("prepend", "list", "put {k} in front", "[{k}] + {x}", lambda v, k: [k, *v], range(21)),
    _list(
        "indexed",
        "list",
        "add to each its position counted from 0",
        "[x + i for i, x in enumerate({x})]",
        lambda v, k: [x + i for i, x in enumerate(v)],
    ),
    _list(
        "steps",
        "list",
        "take the differences of neighbours",
        "[b - a for a, b in zip({x}, {x}[1:])]",
        lambda v, k: [b - a for a, b in itertools.pairwise(v)],
    ),
    _list(
        "halve_even",
        "list",
        "halve each even number",
        "[x // 2 if x % 2 == 0 else x for x in {x}]",
        lambda v, k: [x // 2 if x % 2 == 0 else x for x in v],
    ),
    _list(
        "default",
        "list",
        "if the list is empty use a list of just {k}",
        "{x} or [{k}]",
        lambda v, k: v or [k],
        range(21),
    ),
)
_LIST_TO_INT = (
    _list("sum", "int", "take the sum", "sum({x})", lambda v, k: sum(v)),
    _list("length", "int", "take the length", "len({x})", lambda v, k: len(v)),
    _list(
        "max", "int", "take the largest number, or {k} if there is none", "max({x}, default={k})",
        lambda v, k: max(v, default=k), range(10),
    ),
    _list(
        "min", "int", "take the smallest number, or {k} if there is none", "min({x}, default={k})",
        lambda v, k: min(v, default=k), range(10),
    ),
    _list(
        "first", "int", "take the first number, or {k} if there is none", "{x}[0] if {x} else {k}",
        lambda v, k: v[0] if v else k, range(10),
    ),
    _list(
        "last", "int", "take the last number, or {k} if there is none", "{x}[-1] if {x} else {k}",
        lambda v, k: v[-1] if v else k, range(10),
    ),
    _list("count", "int", "count how often {k} occurs", "{x}.count({k})", lambda v, k: v.count(k), range(10)),
    _list("distinct", "int", "count the distinct numbers", "len(set({x}))", lambda v, k: len(set(v))),
    _list(
        "range", "int", "take the largest minus the smallest, or {k} if the list is empty",
        "max({x}) - min({x}) if {x} else {k}", lambda v, k: max(v) - min(v) if v else k, range(10),
    ),
    _list(
        "count_above", "int", "count the numbers greater than {k}", "sum(x > {k} for x in {x})",
        lambda v, k: sum(x > k for x in v), range(16),
    ),
)  # fmt: skip
_LIST_TO_BOOL = (
    _list("contains", "bool", "return whether {k} occurs", "{k} in {x}", lambda v, k: k in v, range(10)),
    _list(
        "all_above", "bool", "return whether all are greater than {k}", "all(x > {k} for x in {x})",
        lambda v, k: all(x > k for x in v), range(10),
    ),
    _list(
        "any_above", "bool", "return whether any is greater than {k}", "any(x > {k} for x in {x})",
        lambda v, k: any(x > k for x in v), range(16),
    ),
    _list("palindrome", "bool", "return whether it equals its reverse", "{x} == {x}[::-1]", lambda v, k: v == v[::-1]),
    _list(
        "longer", "bool", "return whether there are more than {k} numbers", "len({x}) > {k}", lambda v, k: len(v) > k,
        range(2, 6),
    ),
)  # fmt: skip
_INT = (
    _int("add", "int", "add {k}", "{x} + {k}", lambda v, k: v + k, _ANY),
    _int("subtract", "int", "subtract {k}", "{x} - {k}", lambda v, k: v - k, _ANY),
    _int("multiply", "int", "multiply by {k}", "{x} * {k}", lambda v, k: v * k, _SMALL),
    _int("remainder", "int", "take the remainder modulo {k}", "{x} % {k}", lambda v, k: v % k, range(2, 15)),
    _int("quotient", "int", "divide by {k} rounding down", "{x} // {k}", lambda v, k: v // k, _SMALL),
    _int("at_least", "int", "if it is less than {k} use {k}", "max({x}, {k})", lambda v, k: max(v, k), range(21)),
    _int("at_most", "int", "if it is greater than {k} use {k}", "min({x}, {k})", lambda v, k: min(v, k), range(21)),
    _int("int_abs", "int", "take the absolute value", "abs({x})", lambda v, k: abs(v)),
    _int("int_square", "int", "square it", "{x} * {x}", lambda v, k: v * v),
    _int("int_negate", "int", "negate it", "-{x}", lambda v, k: -v),
    _int(
        "halve_or_add", "int", "halve it if it is even, else add {k}", "{x} // 2 if {x} % 2 == 0 else {x} + {k}",
        lambda v, k: v // 2 if v % 2 == 0 else v + k, _ANY,
    ),
    _int(
        "sign_add", "int", "add {k} if it is positive, else subtract {k}", "{x} + {k} if {x} > 0 else {x} - {k}",
        lambda v, k: v + k if v > 0 else v - k, _ANY,
    ),
    _int(
        "digit_sum", "int", "take the sum of its digits", "sum(int(d) for d in str(abs({x})))",
        lambda v, k: sum(_digits(v)),
    ),
    _int("digit_count", "int", "count its digits", "len(str(abs({x})))", lambda v, k: len(_digits(v))),
    _int("digits", "list", "list its digits", "[int(d) for d in str(abs({x}))]", lambda v, k: _digits(v)),
    _int(
        "count_up", "list", "list the numbers from 0 up to but not including its remainder modulo {k}",
        "list(range({x} % {k}))", lambda v, k: list(range(v % k)), range(3, 9),
    ),
    _int(
        "divisors", "list", "list its divisors from 1 to {k}", "[d for d in range(1, {k} + 1) if {x} % d == 0]",
        lambda v, k: [d for d in range(1, k + 1) if v % d == 0], range(4, 13),
    ),
    _int("is_even", "bool", "return whether it is even", "{x} % 2 == 0", lambda v, k: v % 2 == 0),
    _int("is_above", "bool", "return whether it is greater than {k}", "{x} > {k}", lambda v, k: v > k, _ANY),
    _int(
        "is_multiple", "bool", "return whether {k} divides it", "{x} % {k} == 0", lambda v, k: v % k == 0, range(3, 10)
    ),
)  # fmt: skip
_STR = (
    _str("upper", "str", "convert to upper case", "{x}.upper()", lambda v, k: v.upper()),
    _str("lower", "str", "convert to lower case", "{x}.lower()", lambda v, k: v.lower()),
    _str("swap", "str", "swap upper and lower case", "{x}.swapcase()", lambda v, k: v.swapcase()),
    _str("str_reverse", "str", "reverse the string", "{x}[::-1]", lambda v, k: v[::-1]),
    _str("str_sort", "str", "sort the characters", "''.join(sorted({x}))", lambda v, k: "".join(sorted(v))),
    _str(
        "str_unique", "str", "drop repeated characters", "''.join(dict.fromkeys({x}))",
        lambda v, k: "".join(dict.fromkeys(v)),
    ),
    _str("str_take", "str", "take the first {k} characters", "{x}[:{k}]", lambda v, k: v[:k], range(2, 8)),
    _str("str_drop", "str", "drop the first {k} characters", "{x}[{k}:]", lambda v, k: v[k:], range(2, 7)),
    _str("str_take_last", "str", "take the last {k} characters", "{x}[-{k}:]", lambda v, k: v[-k:], range(2, 8)),
    _str("str_drop_last", "str", "drop the last {k} characters", "{x}[:-{k}]", lambda v, k: v[:-k], range(2, 7)),
    _str("str_every", "str", "keep every {k}th character from the first on", "{x}[::{k}]", lambda v, k: v[::k], (4, 5)),
    _str("repeat", "str", "repeat it {k} times", "{x} * {k}", lambda v, k: v * k, range(2, 5)),
    _str("pad", "str", "append {k} exclamation marks", "{x} + '!' * {k}", lambda v, k: v + "!" * k, range(2, 6)),
    _str("digits_off", "str", "remove the digits", "''.join(c for c in {x} if not c.isdigit())",
         lambda v, k: "".join(c for c in v if not c.isdigit())),
    _str("letters", "str", "keep the letters", "''.join(c for c in {x} if c.isalpha())",
         lambda v, k: "".join(c for c in v if c.isalpha())),
    _str("vowels_off", "str", "remove the lower case vowels", "''.join(c for c in {x} if c not in 'aeiou')",
         lambda v, k: "".join(c for c in v if c not in _VOWELS)),
    _str("words_reverse", "str", "reverse the order of the words", "' '.join({x}.split()[::-1])",
         lambda v, k: " ".join(v.split()[::-1])),
    _str("no_spaces", "str", "remove the spaces", "{x}.replace(' ', '')", lambda v, k: v.replace(" ", "")),
    _str("str_length", "int", "take the length", "len({x})", lambda v, k: len(v)),
    _str("word_count", "int", "count the words", "len({x}.split())", lambda v, k: len(v.split())),
    _str("vowel_count", "int", "count the lower case vowels", "sum(c in 'aeiou' for c in {x})",
         lambda v, k: sum(c in _VOWELS for c in v)),
    _str("digit_chars", "int", "count the digits", "sum(c.isdigit() for c in {x})",
         lambda v, k: sum(c.isdigit() for c in v)),
    _str("upper_count", "int", "count the upper case letters", "sum(c.isupper() for c in {x})",
         lambda v, k: sum(c.isupper() for c in v)),
    _str("word_lengths", "list", "list the lengths of the words", "[len(w) for w in {x}.split()]",
         lambda v, k: [len(w) for w in v.split()]),
    _str("str_palindrome", "bool", "return whether it equals its reverse", "{x} == {x}[::-1]",
         lambda v, k: v == v[::-1]),
    _str("str_longer", "bool", "return whether it has more than {k} characters", "len({x}) > {k}",
         lambda v, k: len(v) > k, range(2, 13)),
)  # fmt: skip

OPERATIONS: tuple[Operation, ...] = (*_LIST_TO_LIST, *_LIST_TO_INT, *_LIST_TO_BOOL, *_INT, *_STR)


def steps_from(source: str) -> tuple[Operation, ...]:
    """The operations that take a value of type `source`."""
    return tuple(operation for operation in OPERATIONS if operation.source == source)
