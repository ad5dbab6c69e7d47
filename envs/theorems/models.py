"""Finite models that refute statements: every type is a set of one to four elements, every symbol a table."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from itertools import product
from typing import NamedTuple, TypeAlias

from proofgrad.envs.theorems.terms import Expr, Theorem

__all__ = ["Model", "refute", "truth"]

# How many interpretations of the predicates are looked at side by side, one a bit.
_WIDTH = 2048
# A table of a function or constant: arguments to value.
_Table: TypeAlias = "dict[tuple[int, ...], int]"


class Model(NamedTuple):
    """One interpretation, or `_WIDTH` of them that differ in their predicates.

    Attributes:
        size: how many elements every type has: 0, 1, ..., size - 1.
        functions: the tables of functions and constants.
        predicates: for each predicate and arguments a mask: the bits of the interpretations in which it is true.
        full: the mask of all interpretations.
    """

    size: int
    functions: dict[str, _Table]
    predicates: dict[str, dict[tuple[int, ...], int]]
    full: int

    def show(self) -> str:
        """The model in words, when it is a single one."""
        parts = [f"{self.size} elements" if self.size > 1 else "1 element"]
        for name, table in self.functions.items():
            values = ", ".join(f"{' '.join(map(str, key))} ↦ {value}" for key, value in table.items())
            parts.append(f"{name}: {values}" if () not in table else f"{name} = {table[()]}")
        for name, extent in self.predicates.items():
            true = ", ".join(" ".join(map(str, key)) or "true" for key, mask in extent.items() if mask)
            parts.append(f"{name} holds of {{{true}}}")
        return "; ".join(parts)

    def only(self, bit: int) -> Model:
        """The one interpretation at a bit."""
        predicates = {
            n: {key: mask >> bit & 1 for key, mask in extent.items()} for n, extent in self.predicates.items()
        }
        return Model(self.size, self.functions, predicates, 1)


def refute(theorem: Theorem, rng: random.Random, tries: int = 24) -> Model | None:
    """A model in which the hypotheses hold and the goal does not, or None when `tries` draws find none.

    Theorems over types, their elements, functions and predicates only: not over ``Nat``, lists or orders.
    """
    for attempt in range(tries):
        model = _draw(theorem, rng, 1 + (attempt + 1) % 3 if attempt % 5 else 4)
        mask = model.full
        # The goal first: it is false in few models when the hypotheses are many.
        mask &= ~truth(theorem.goal, model)
        for hypothesis in theorem.hypotheses:
            if not mask:
                break
            mask &= truth(hypothesis.proposition, model)
        if mask:
            return model.only((mask & -mask).bit_length() - 1)
    return None


def truth(proposition: Expr, model: Model, values: Mapping[str, int] | None = None) -> int:
    """The mask of the interpretations in which a proposition is true, `values` giving its bound variables."""
    known = values or {}
    op, args, _type = proposition
    if op == "→":
        return (model.full & ~truth(args[0], model, known)) | truth(args[1], model, known)
    if op == "∧":
        return truth(args[0], model, known) & truth(args[1], model, known)
    if op == "∨":
        return truth(args[0], model, known) | truth(args[1], model, known)
    if op == "¬":
        return model.full & ~truth(args[0], model, known)
    if op == "↔":
        return model.full & ~(truth(args[0], model, known) ^ truth(args[1], model, known))
    if op in ("∀", "∃"):
        instances = (truth(args[1], model, {**known, args[0].op: value}) for value in range(model.size))
        found = model.full if op == "∀" else 0
        for instance in instances:
            found = found & instance if op == "∀" else found | instance
        return found
    if op == "False":
        return 0
    where = tuple(_value(arg, model, known) for arg in args)
    if op in ("=", "≠"):
        return model.full if (where[0] == where[1]) == (op == "=") else 0
    return model.predicates[op][where]


def _value(term: Expr, model: Model, known: Mapping[str, int]) -> int:
    if not term.args and term.op in known:
        return known[term.op]
    return model.functions[term.op][tuple(_value(arg, model, known) for arg in term.args)]


_Operation: TypeAlias = "Callable[[int, int, int], int]"
# Random tables obey no law; these obey many.
_LAWFUL: tuple[_Operation, ...] = (
    lambda x, y, n: (x + y) % n,
    lambda x, y, n: max(x, y),
    lambda x, y, n: min(x, y),
    lambda x, y, n: x * y % n,
    lambda x, y, n: x,
    lambda x, y, n: y,
    lambda x, y, n: 0,
    lambda x, y, n: (x - y) % n,
)


def _draw(theorem: Theorem, rng: random.Random, size: int) -> Model:
    functions: dict[str, _Table] = {}
    predicates: dict[str, dict[tuple[int, ...], int]] = {}
    for name, type_ in theorem.variables:
        if type_ == "Type":
            continue
        parts = type_.split(" → ")
        keys = list(product(range(size), repeat=len(parts) - 1))
        if parts[-1] == "Prop":
            density = rng.random()
            predicates[name] = {key: _mask(rng, density) for key in keys}
        else:
            functions[name] = _table(rng, keys, size)
    return Model(size, functions, predicates, (1 << _WIDTH) - 1)


def _mask(rng: random.Random, density: float) -> int:
    some = rng.getrandbits(_WIDTH)
    if density < 0.25:
        return some & rng.getrandbits(_WIDTH)
    return some | rng.getrandbits(_WIDTH) if density > 0.75 else some


def _table(rng: random.Random, keys: list[tuple[int, ...]], size: int) -> _Table:
    way = rng.random()
    if len(keys[0]) == 2 and way < 0.7:
        operation = rng.choice(_LAWFUL)
        return {(x, y): operation(x, y, size) for x, y in keys}
    if len(keys[0]) == 1 and way < 0.5:
        shift = rng.randrange(size)
        return {key: (key[0] + shift) % size for key in keys}
    return {key: rng.randrange(size) for key in keys}
