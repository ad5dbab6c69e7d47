"""Concrete numbers and lists that refute statements about ``Nat`` and ``List``.

Abstract types are small finite sets. A function on numbers or lists is the one that two hypotheses define, by its value
at 0 or [] and at n + 1 or x :: l; so these hypotheses hold, whatever the rest says. The goal is tried at small values.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import NamedTuple, TypeAlias

from proofgrad.envs.theorems.terms import Expr, Theorem, free_names

__all__ = ["refute_concretely"]

Value: TypeAlias = "int | tuple[int, ...]"


class _Definition(NamedTuple):
    """``F 0 = first`` and ``F (n + 1) = then``, or the same for lists; `places` are n, or x and l."""

    first: Expr
    places: tuple[str, ...]
    then: Expr


class _World(NamedTuple):
    size: int
    tables: dict[str, dict[tuple[int, ...], int]]
    values: dict[str, Value]
    definitions: dict[str, _Definition]


def refute_concretely(theorem: Theorem, rng: random.Random, tries: int = 12) -> str | None:
    """A counterexample in words, or None when none was found or the theorem is not of a kind that this can judge."""
    definitions = _definitions(theorem)
    if definitions is None:
        return None
    for _ in range(tries):
        world = _draw(theorem, rng, definitions)
        if not all(_holds_or_defines(h.proposition, world) for h in theorem.hypotheses):
            continue
        found = _failure(theorem.goal, world, {})
        if found is not None:
            return _words(world, found)
    return None


def _definitions(theorem: Theorem) -> dict[str, _Definition] | None:
    """The definition of each function on numbers or lists; None if one has none."""
    firsts: dict[str, Expr] = {}
    thens: dict[str, tuple[tuple[str, ...], Expr]] = {}
    for hypothesis in theorem.hypotheses:
        left, places = _head(hypothesis.proposition)
        if left is None:
            continue
        if places:
            thens[left.op] = (places, _body(hypothesis.proposition).args[1])
        else:
            firsts[left.op] = _body(hypothesis.proposition).args[1]
    found = {}
    for name, type_ in theorem.variables:
        if type_.startswith(("Nat →", "List")) and "→" in type_:
            if name not in firsts or name not in thens:
                return None
            found[name] = _Definition(firsts[name], *thens[name])
    # The value at n + 1 may be said by what comes before only.
    for definition in found.values():
        if free_names(definition.first) & found.keys():
            return None
        if any(not _calls_at(definition.then, name, definition.places[-1]) for name in found):
            return None
    return found


def _calls_at(expr: Expr, name: str, place: str) -> bool:
    if expr.op == name:
        return len(expr.args) == 1 and expr.args[0] == Expr(place)
    return all(_calls_at(arg, name, place) for arg in expr.args)


def _body(proposition: Expr) -> Expr:
    while proposition.op == "∀":
        proposition = proposition.args[1]
    return proposition


def _head(proposition: Expr) -> tuple[Expr | None, tuple[str, ...]]:
    """F 0 or F (n + 1), and n, of a defining equation; or F [] or F (x :: l), and x and l."""
    bound: list[str] = []
    while proposition.op == "∀":
        bound.append(proposition.args[0].op)
        proposition = proposition.args[1]
    if proposition.op == "=" and len(proposition.args[0].args) == 1:
        left = proposition.args[0]
        at = left.args[0]
        if not bound and at.op in ("0", "[]"):
            return left, ()
        if len(bound) == 1 and at == Expr("+", (Expr(bound[0]), Expr("1"))):
            return left, (bound[0],)
        if len(bound) == 2 and at == Expr("::", (Expr(bound[0]), Expr(bound[1]))):
            return left, (bound[0], bound[1])
    return None, ()


def _draw(theorem: Theorem, rng: random.Random, definitions: Mapping[str, _Definition]) -> _World:
    size = rng.choice((1, 2, 2, 3))
    tables: dict[str, dict[tuple[int, ...], int]] = {}
    values: dict[str, Value] = {}
    for name, type_ in theorem.variables:
        if type_ == "Type" or name in definitions:
            continue
        if type_ == "Nat":
            values[name] = rng.randrange(8)
        elif type_.startswith("List"):
            values[name] = tuple(rng.randrange(size) for _ in range(rng.randrange(4)))
        elif "→" in type_:
            keys = list(product(range(size), repeat=type_.count("→")))
            shift, lawful = rng.randrange(size), rng.random() < 0.6
            tables[name] = {k: (sum(k) + shift) % size if lawful else rng.randrange(size) for k in keys}
        else:
            values[name] = rng.randrange(size)
    return _World(size, tables, values, dict(definitions))


def _holds_or_defines(proposition: Expr, world: _World) -> bool:
    left, _places = _head(proposition)
    if left is not None and left.op in world.definitions:
        return True
    return _failure(proposition, world, {}) is None and not _ranges_over_infinitely_many(proposition)


def _ranges_over_infinitely_many(proposition: Expr) -> bool:
    while proposition.op == "∀":
        if proposition.type == "Nat" or proposition.type.startswith("List"):
            return True
        proposition = proposition.args[1]
    return proposition.op != "="


def _failure(proposition: Expr, world: _World, known: dict[str, Value]) -> dict[str, Value] | None:
    """Values of the leading ∀ at which the equation is false; None when no small ones are found."""
    if proposition.op == "∀":
        for value in _range(proposition.type, world.size):
            found = _failure(proposition.args[1], world, {**known, proposition.args[0].op: value})
            if found is not None:
                return found
        return None
    if proposition.op != "=":
        return None
    left, right = (_value(side, world, known) for side in proposition.args)
    return None if left == right else {**known, "": left, " ": right}


def _range(type_: str, size: int) -> Iterator[Value]:
    if type_ == "Nat":
        yield from range(6)
    elif type_.startswith("List"):
        for length in range(4):
            yield from product(range(max(size, 2)) if type_ == "List Nat" else range(size), repeat=length)
    else:
        yield from range(size)


_OPERATIONS: dict[str, Callable[..., Value]] = {
    "+": lambda a, b: a + b,
    "*": lambda a, b: a * b,
    "++": lambda a, b: a + b,
    "::": lambda a, b: (a, *b),
    "List.length": len,
    "List.reverse": lambda a: a[::-1],
}


def _value(term: Expr, world: _World, known: Mapping[str, Value]) -> Value:
    op, args, _type = term
    if not args:
        if op in known:
            return known[op]
        if op.isdecimal():
            return int(op)
        return () if op == "[]" else world.values[op]
    if op == "List.map":
        table, items = world.tables[args[0].op], _value(args[1], world, known)
        return tuple(table[(item,)] for item in items) if isinstance(items, tuple) else items
    values = [_value(arg, world, known) for arg in args]
    if op in _OPERATIONS:
        return _OPERATIONS[op](*values)
    if op in world.definitions:
        return _defined(world, op, values[0])
    return world.tables[op][tuple(value for value in values if isinstance(value, int))]


def _defined(world: _World, name: str, at: Value) -> Value:
    first, places, then = world.definitions[name]
    if not at:
        return _value(first, world, {})
    if isinstance(at, tuple):
        return _value(then, world, {places[0]: at[0], places[1]: at[1:]})
    return _value(then, world, {places[0]: at - 1})


def _words(world: _World, found: Mapping[str, Value]) -> str:
    parts = [f"{name} = {_text(value)}" for name, value in world.values.items()]
    parts += [f"{name}: {', '.join(f'{k} ↦ {v}' for k, v in table.items())}" for name, table in world.tables.items()]
    parts += [f"at {_text(value)}" for name, value in found.items() if name.strip()]
    return "; ".join([*parts, f"left {_text(found[''])}, right {_text(found[' '])}"])


def _text(value: Value) -> str:
    return str(value) if isinstance(value, int) else f"[{', '.join(map(str, value))}]"
