"""Types of inputs, as a problem writes them: checked, recognised, drawn with Hypothesis, and made smaller.

    "int"  "bool"  "float"  "str"  "none"
    {"int": {"min": -5, "max": 100}}                          either bound may be missing
    {"float": {"min": 0.0, "max": 1.0}}                       finite; NaN and infinities are not JSON
    {"str": {"alphabet": "ab", "min_size": 0, "max_size": 8}}
    {"list": TYPE}   {"list": {"items": TYPE, "min_size": 1, "max_size": 8, "unique": true}}
    {"dict": TYPE}   {"dict": {"values": TYPE, "keys": STR_TYPE, "min_size": 0, "max_size": 4}}   keys are strings
    {"tuple": [TYPE, ...]}                                    reaches the program as a list: JSON has no tuples
    {"one_of": [TYPE, ...]}   {"choice": [value, ...]}

Hypothesis is loaded when something is drawn. While it draws it borrows the state of `random` (and of NumPy's), which it
puts back; `draw` lets one thread in at a time.
"""

from __future__ import annotations

import importlib.util
import json
import random
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from proofgrad.verifiers.base import Json
from proofgrad.verifiers.code.compare import is_json, same
from proofgrad.verifiers.errors import MissingExtraError, ProblemError

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["Type", "constants_of", "draw", "parse_type", "planted", "require_hypothesis", "smaller"]

_SIMPLE = ("int", "bool", "float", "str", "none")
_KINDS = (*_SIMPLE, "list", "dict", "tuple", "one_of", "choice")
_KEYS = {
    "int": ("min", "max"),
    "float": ("min", "max"),
    "str": ("alphabet", "min_size", "max_size"),
    "list": ("items", "min_size", "max_size", "unique"),
    "dict": ("values", "keys", "min_size", "max_size"),
}
_MAX_DEPTH = 8
_MAX_SIZE = 1000
_MAX_CONSTANTS = 64
_INTEGER = re.compile(r"(?<![\w.])\d[\d_]{0,60}(?![\w.])")
_STRING = re.compile(r"'([^'\\\n]{1,60})'|\"([^\"\\\n]{1,60})\"")
_drawing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Type:
    """A type of inputs; `parse_type` makes it.

    Attributes:
        kind: one of those in the module's docstring.
        low: least int or float, or least size.
        high: the most.
        parts: the types of the items, of a dict's keys and values, or of the alternatives.
        choices: the values of a "choice".
        alphabet: the characters of a "str"; None for any but surrogates.
        unique: whether the items of a "list" differ.
    """

    kind: str
    low: int | float | None = None
    high: int | float | None = None
    parts: tuple[Type, ...] = ()
    choices: tuple[Json, ...] = ()
    alphabet: str | None = None
    unique: bool = False

    def accepts(self, value: Json) -> bool:
        """Whether a JSON value is of this type: a bool is no int, an int no float."""
        if self.kind == "one_of":
            return any(part.accepts(value) for part in self.parts)
        if self.kind == "choice":
            return any(same(choice, value) for choice in self.choices)
        if type(value) is not _PYTHON[self.kind]:
            return False
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)
        if isinstance(value, str):
            return self._sized(value) and (self.alphabet is None or set(value) <= set(self.alphabet))
        if isinstance(value, list) and self.kind == "tuple":
            return len(value) == len(self.parts) and all(
                part.accepts(item) for part, item in zip(self.parts, value, strict=True)
            )
        if isinstance(value, list):
            return (
                self._sized(value) and all(map(self.parts[0].accepts, value)) and not (self.unique and _repeats(value))
            )
        if isinstance(value, dict):
            keys, values = self.parts
            return self._sized(value) and all(map(keys.accepts, value)) and all(map(values.accepts, value.values()))
        return True

    def _sized(self, value: Sequence[Json] | Mapping[str, Json]) -> bool:
        return (self.low or 0) <= len(value) and (self.high is None or len(value) <= self.high)


_PYTHON: dict[str, type] = {
    "int": int,
    "bool": bool,
    "float": float,
    "str": str,
    "none": type(None),
    "list": list,
    "tuple": list,
    "dict": dict,
}


def constants_of(source: str) -> list[Json]:
    """The ints and strings that a source names, found by their looks: it is neither parsed nor run.

    A program that treats some inputs specially has to name them somehow. Ints bring their neighbours and opposites.
    """
    found: dict[int, None] = {}
    for text in _INTEGER.findall(source)[: 4 * _MAX_CONSTANTS]:
        value = int(text.replace("_", ""))
        if len(found) < 4 * _MAX_CONSTANTS:
            found.update(dict.fromkeys((value, value - 1, value + 1, -value)))
    strings = dict.fromkeys(single or double for single, double in _STRING.findall(source))
    return [*found, *list(strings)[:_MAX_CONSTANTS]]


def planted(
    types: Sequence[Type], inputs: Sequence[Sequence[Json]], constants: Sequence[Json], count: int, seed: int
) -> list[list[Json]]:
    """At most `count` of the inputs with some of these constants in the place of values of theirs, types permitting."""
    chosen = random.Random(seed)
    made: dict[str, list[Json]] = {}
    if not inputs:
        return []
    rounds: list[tuple[Json | None, int | None]] = [(value, at) for value in constants for at in range(len(types))]
    chosen.shuffle(rounds)
    # Half of them with one constant in one argument, half with constants in all: `if x == 7 and y == 9`.
    for value, at in [*rounds[: count // 2], *[(None, None)] * (count // 2 if constants and len(types) > 1 else 0)]:
        args = list(chosen.choice(inputs))
        for place, part in enumerate(types):
            if at is None or place == at:
                args[place] = _plant(part, args[place], chosen.choice(constants) if at is None else value, chosen)
        if all(part.accepts(arg) for part, arg in zip(types, args, strict=True)):
            made.setdefault(json.dumps(args), args)
    return list(made.values())


def _plant(of: Type, value: Json, constant: Json, chosen: random.Random) -> Json:
    if of.accepts(constant):
        return constant
    if of.kind == "list" and isinstance(value, list):
        if not value:
            return [constant]
        at = chosen.randrange(len(value))
        return [*value[:at], _plant(of.parts[0], value[at], constant, chosen), *value[at + 1 :]]
    return value


def parse_type(spec: object, where: str, depth: int = 0) -> Type:
    """Check a type as a problem writes it; `where` names its place in the problem.

    Raises:
        ProblemError: naming the place and what is wrong there.
    """
    if depth > _MAX_DEPTH:
        raise ProblemError(f"{where} is nested deeper than {_MAX_DEPTH} types")
    if isinstance(spec, str) and spec in _SIMPLE:
        return _made(spec, {}, where, depth)
    if isinstance(spec, Mapping) and len(spec) == 1:
        kind, options = next(iter(spec.items()))
        if kind in ("list", "dict") and not (isinstance(options, Mapping) and {"items", "values"} & set(options)):
            options = {"items" if kind == "list" else "values": options}
        if kind in _KINDS and kind not in ("bool", "none"):
            return _made(str(kind), options, f"{where}.{kind}", depth)
    raise ProblemError(
        f'{where} must be a type such as "int" or {{"list": "int"}} (known: {", ".join(_KINDS)}), got {spec!r}'
    )


def _made(kind: str, options: object, where: str, depth: int) -> Type:
    if kind in ("tuple", "one_of", "choice"):
        if not isinstance(options, list | tuple) or (not options and kind != "tuple"):
            raise ProblemError(
                f"{where} must be a list of {'values' if kind == 'choice' else 'types'}, got {options!r}"
            )
        if kind == "choice":
            if not all(map(is_json, options)):
                raise ProblemError(f"{where} must hold plain JSON values")
            return Type(kind, choices=tuple(options))
        return Type(kind, parts=tuple(parse_type(part, f"{where}[{i}]", depth + 1) for i, part in enumerate(options)))
    if not isinstance(options, Mapping):
        raise ProblemError(f"{where} must be an object with the keys {', '.join(_KEYS[kind])}, got {options!r}")
    for key in options:
        if key not in _KEYS.get(kind, ()):
            raise ProblemError(f"{where} has an unknown key '{key}'; known: {', '.join(_KEYS[kind])}")
    if kind in ("int", "float"):
        low, high = (_bound(options, key, kind, where) for key in ("min", "max"))
        _ordered(low, high, where)
        return Type(kind, low, high)
    if kind in ("bool", "none"):
        return Type(kind)
    low, high = (_size(options, key, where) for key in ("min_size", "max_size"))
    _ordered(low, high, where)
    if kind == "str":
        alphabet = options.get("alphabet")
        if alphabet is not None and (not isinstance(alphabet, str) or not alphabet):
            raise ProblemError(f"{where}.alphabet must be a string of at least one character, got {alphabet!r}")
        return Type(kind, low, high, alphabet=alphabet)
    if kind == "list":
        unique = options.get("unique", False)
        if type(unique) is not bool:
            raise ProblemError(f"{where}.unique must be true or false, got {unique!r}")
        return Type(kind, low, high, (parse_type(options.get("items"), f"{where}.items", depth + 1),), unique=unique)
    keys = parse_type(options.get("keys", "str"), f"{where}.keys", depth + 1)
    if keys.kind != "str" and not (keys.kind == "choice" and all(isinstance(choice, str) for choice in keys.choices)):
        raise ProblemError(f"{where}.keys must be a type of strings: JSON has no other keys")
    return Type(kind, low, high, (keys, parse_type(options.get("values"), f"{where}.values", depth + 1)))


def _bound(options: Mapping[str, object], key: str, kind: str, where: str) -> int | float | None:
    value = options.get(key)
    if value is None:
        return None
    if type(value) is int:
        if kind == "int":
            return value
        if abs(value) <= 1 << 1023:
            return float(value)
    if kind == "float" and isinstance(value, float) and abs(value) <= 1.7976931348623157e308:
        return value
    raise ProblemError(f"{where}.{key} must be {'an int' if kind == 'int' else 'a finite number'}, got {value!r}")


def _size(options: Mapping[str, object], key: str, where: str) -> int | None:
    value = options.get(key)
    if value is not None and (type(value) is not int or not 0 <= value <= _MAX_SIZE):
        raise ProblemError(f"{where}.{key} must be a size, 0 to {_MAX_SIZE}, got {value!r}")
    return value


def _ordered(low: int | float | None, high: int | float | None, where: str) -> None:
    if low is not None and high is not None and low > high:
        raise ProblemError(f"{where}: its least value {low} is more than its greatest {high}")


def require_hypothesis() -> None:
    """Raises MissingExtraError where Hypothesis is not installed."""
    if importlib.util.find_spec("hypothesis") is None:
        raise MissingExtraError("hypothesis", "code", "property-based testing of programs")


def draw(types: Sequence[Type], count: int, seed: int) -> list[list[Json]]:
    """At most `count` different argument lists, the same for the same seed and version of Hypothesis.

    (Hypothesis also tries constants that it finds in the process's own modules, so that another program with the same
    seed may get a few other values.)

    Args:
        types: one for each argument.
        count: how many to try for; a small type has fewer.
        seed: any int.

    Raises:
        MissingExtraError: Hypothesis is not installed.
        ProblemError: no value has these types (a list of 5 unique booleans).
    """
    require_hypothesis()
    import hypothesis
    from hypothesis import strategies
    from hypothesis.errors import HypothesisException

    drawn: dict[str, list[Json]] = {}

    def collect(values: tuple[Json, ...]) -> None:
        drawn.setdefault(json.dumps(values), list(values))

    with _drawing:
        try:
            inputs = strategies.tuples(*(_strategy(part) for part in types))
            run = hypothesis.settings(
                max_examples=count,
                database=None,
                deadline=None,
                phases=(hypothesis.Phase.generate,),
                suppress_health_check=list(hypothesis.HealthCheck),
            )(hypothesis.seed(seed)(hypothesis.given(inputs)(collect)))
            cast(Any, run)()
        except HypothesisException as error:
            raise ProblemError(f"program problem: inputs: no value can be drawn: {error}") from error
    return list(drawn.values())[:count]


def _strategy(of: Type) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    low: Any = of.low
    high: Any = of.high
    sizes: dict[str, Any] = {"min_size": int(of.low or 0), "max_size": None if of.high is None else int(of.high)}
    if of.kind == "int":
        return st.integers(low, high)
    if of.kind == "float":
        # A negative zero equals zero by our comparison, but not to every program: both are drawn.
        return st.floats(low, high, allow_nan=False, allow_infinity=False)
    if of.kind == "str":
        return st.text(**sizes) if of.alphabet is None else st.text(of.alphabet, **sizes)
    if of.kind == "choice":
        return st.sampled_from(of.choices)
    if of.kind == "one_of":
        return st.one_of([_strategy(part) for part in of.parts])
    parts = [_strategy(part) for part in of.parts]
    if of.kind == "list":
        return st.lists(parts[0], unique_by=json.dumps if of.unique else None, **sizes)
    if of.kind == "dict":
        return st.dictionaries(parts[0], parts[1], **sizes)
    if of.kind == "tuple":
        return st.tuples(*parts).map(list)
    return st.booleans() if of.kind == "bool" else st.none()


def _repeats(values: Sequence[Json]) -> bool:
    return len({json.dumps(value) for value in values}) < len(values)


def smaller(types: Sequence[Type], args: Sequence[Json], most: int = 32) -> list[list[Json]]:
    """Argument lists one step simpler than `args`, all of the given types, the simplest first.

    Simpler means: by the length of the JSON text, and then by the size of the numbers in it.
    """
    found: dict[str, list[Json]] = {}
    for place, (part, value) in enumerate(zip(types, args, strict=True)):
        for simpler in _simpler(part, value):
            if part.accepts(simpler):
                made = [*args[:place], simpler, *args[place + 1 :]]
                found.setdefault(json.dumps(made), made)
            if len(found) >= 8 * most:
                break
    for made in _everywhere(list(args)):
        if all(part.accepts(arg) for part, arg in zip(types, made, strict=True)):
            found.setdefault(json.dumps(made), made)
    mine = _weight(args)
    lighter = sorted((made for made in found.values() if _weight(made) < mine), key=_weight)
    # Too many to try them all: the boldest steps, and the smallest, without which nothing would end at the boundary.
    return lighter if len(lighter) <= most else [*lighter[: most // 2], *lighter[-(most - most // 2) :]]


def _weight(value: Sequence[Json]) -> tuple[int, int, str]:
    text = json.dumps(value)
    return len(text) + text.count("true") - text.count("-"), sum(_magnitudes(value)), text


def _magnitudes(value: Json) -> Iterator[int]:
    if isinstance(value, int | float):
        yield int(abs(value)) + 1 + (value < 0)
    elif isinstance(value, str):
        yield sum(map(ord, value))
    elif isinstance(value, Sequence):
        for item in value:
            yield from _magnitudes(item)
    elif isinstance(value, Mapping):
        yield from _magnitudes(list(value.values()))


def _everywhere(args: list[Json]) -> Iterator[list[Json]]:
    """The arguments with one number changed wherever it stands, and with all numbers changed alike."""
    values = [value for value in dict.fromkeys(_ints(args)) if value]
    for value in values[:8]:
        for simpler in (0, value // 2, value - (1 if value > 0 else -1)):
            yield _mapped_args(args, {value: simpler}.get)
    yield _mapped_args(args, lambda other: int(other / 2) if abs(other) < 1 << 53 else other // 2)
    yield _mapped_args(args, lambda other: other - (other > 0) + (other < 0))


def _ints(value: Json) -> Iterator[int]:
    if isinstance(value, int) and not isinstance(value, bool):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _ints(item)


def _mapped_args(args: list[Json], change: Callable[[int], int | None]) -> list[Json]:
    return [_mapped(arg, change) for arg in args]


def _mapped(value: Json, change: Callable[[int], int | None]) -> Json:
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    changed = change(value)
    return value if changed is None else changed


def _simpler(of: Type, value: Json) -> Iterator[Json]:
    if of.kind == "one_of":
        for part in of.parts:
            if part.accepts(value):
                yield from _simpler(part, value)
    elif of.kind == "choice":
        yield from of.choices
    elif isinstance(value, bool):
        yield False
    elif isinstance(value, int):
        target = 0 if of.accepts(0) else int(min((b for b in (of.low, of.high) if b is not None), key=abs))
        yield from (target, -value)
        if abs(value - target) <= 8:
            yield from range(min(value, target), max(value, target))
        for shift in range(max(1, abs(value - target).bit_length())):
            yield value - ((value - target) >> shift if value > target else -((target - value) >> shift))
        yield value - (1 if value > target else -1)
    elif isinstance(value, float):
        yield from (0.0, float(round(value)), -value, round(value, 2), value / 2)
    elif isinstance(value, str):
        letter = min(of.alphabet) if of.alphabet else "a"
        yield from _shorter(value)
        for place, char in enumerate(value[:16]):
            if char != letter:
                yield value[:place] + letter + value[place + 1 :]
    elif isinstance(value, list):
        if of.kind == "list":
            yield from _shorter(value)
        for place, item in enumerate(value[:16]):
            part = of.parts[place if of.kind == "tuple" else 0]
            for simpler in _simpler(part, item):
                yield [*value[:place], simpler, *value[place + 1 :]]
    elif isinstance(value, dict):
        for key in value:
            yield {other: item for other, item in value.items() if other != key}
        for key, item in value.items():
            for simpler in _simpler(of.parts[1], item):
                yield {**value, key: simpler}


def _shorter(value: Any) -> Iterator[Any]:
    """Halves, then one item less."""
    size = len(value)
    while size > 1:
        size //= 2
        yield from (value[:size], value[-size:])
    for place in range(min(len(value), 16)):
        yield value[:place] + value[place + 1 :]
