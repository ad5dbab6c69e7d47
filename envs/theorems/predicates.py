"""What a proof in predicate logic can speak of: a random vocabulary, formulas in it, and the scope of a place."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from proofgrad.envs.theorems.naming import Names
from proofgrad.envs.theorems.terms import BINDERS, FALSE, Expr, app, bind, var

__all__ = ["Fact", "Scope", "Vocabulary", "parts"]


class Fact(NamedTuple):
    """A proof's name for something that it knows."""

    name: str
    proposition: Expr


class Scope(NamedTuple):
    """What a place in a proof can speak of: elements, facts, and which facts nothing has used yet.

    `goals` are those that the place serves; none of them may become a goal again. `known` is all that was ever a fact
    here, taken apart since or not.
    """

    terms: tuple[Expr, ...] = ()
    facts: tuple[Fact, ...] = ()
    unused: frozenset[str] = frozenset()
    goals: frozenset[Expr] = frozenset()
    known: frozenset[Expr] = frozenset()

    def with_term(self, name: str) -> Scope:
        """The same with one more element."""
        return self._replace(terms=(*self.terms, var(name)))

    def with_fact(self, name: str, proposition: Expr) -> Scope:
        """The same with one more fact, so far unused."""
        facts, known = (*self.facts, Fact(name, proposition)), self.known | {proposition}
        return self._replace(facts=facts, unused=self.unused | {name}, known=known)

    def having_used(self, facts: Sequence[Fact]) -> Scope:
        """The same, these facts being used."""
        return self._replace(unused=self.unused - {fact.name for fact in facts})

    def without(self, fact: Fact) -> Scope:
        """The same without a fact."""
        return self.having_used([fact])._replace(facts=tuple(f for f in self.facts if f != fact))


class Vocabulary:
    """One type, two to four predicates on it, perhaps a function, and constants as they are needed."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._names = Names(rng)
        self._type = self._names.fresh("type")
        self._arities = {self._names.fresh("predicate"): rng.choice((1, 1, 2)) for _ in range(rng.choice((2, 3, 3, 4)))}
        self._functions = [self._names.fresh("function")] if rng.random() < 0.25 else []
        self._constants: list[str] = []
        if rng.random() < 0.5:
            self._constant()

    def _constant(self) -> Expr:
        name = self._names.fresh("element")
        self._constants.append(name)
        return var(name)

    def _term(self, terms: Sequence[Expr]) -> Expr:
        term = self._rng.choice(terms) if terms else self._constant()
        if self._functions and self._rng.random() < 0.2:
            return app(self._functions[0], term)
        return term

    def _atom(self, terms: Sequence[Expr], needed: Sequence[Expr]) -> Expr | None:
        """An atomic formula that speaks of all `needed` terms; None if there are too many."""
        fitting = [name for name, arity in self._arities.items() if arity >= len(needed)]
        if not fitting:
            return None
        head = self._rng.choice(fitting)
        args = [*needed, *(self._term(terms) for _ in range(self._arities[head] - len(needed)))]
        if self._functions and needed and self._rng.random() < 0.12:
            args[0] = app(self._functions[0], args[0])
        self._rng.shuffle(args)
        return app(head, *args)

    def _formula(self, depth: int, terms: tuple[Expr, ...], needed: tuple[Expr, ...]) -> Expr | None:
        """A formula of about `depth` connectives that speaks of all `needed` terms."""
        rng = self._rng
        if depth <= 0:
            return self._atom(terms or needed, needed)
        op = rng.choice("∀∀∀∃∃→→∧∨¬↔" if len(needed) < 2 else "→→∧∨¬↔")
        if op in BINDERS:
            bound = var(self._names.bound())
            body = self._formula(depth - 1, (*terms, bound), (*needed, bound))
            return None if body is None else bind(op, bound.op, self._type, body)
        if op == "¬":
            inner = self._formula(depth - 1, terms, needed)
            return None if inner is None or inner.op == "¬" else app("¬", inner)
        left_depth = rng.randrange(depth) if op != "→" else min(depth - 1, rng.choice((0, 0, 1)))
        split = rng.random() < 0.4
        left = self._formula(left_depth, terms, needed[:1] if split else needed)
        right = self._formula(depth - 1 - left_depth, terms, needed[1:] if split else needed)
        if left is None or right is None or left == right:
            return None
        return app(op, left, right)

    def _some_atom(self, terms: Sequence[Expr]) -> Expr:
        name = next(iter(self._arities))
        return app(name, *(self._term(terms) for _ in range(self._arities[name])))

    def _variables(self, used: set[str]) -> tuple[tuple[str, str], ...]:
        """The type and those symbols that are used, with their types."""
        kinds = sorted((" → ".join([self._type] * n + ["Prop"]), name) for name, n in self._arities.items())
        variables = [(self._type, "Type"), *((name, kind) for kind, name in kinds)]
        variables += [(name, f"{self._type} → {self._type}") for name in self._functions]
        variables += [(name, self._type) for name in sorted(self._constants)]
        return tuple(v for v in variables if v[0] in used or v[1] == "Type")


def parts(proposition: Expr) -> tuple[list[str], list[Expr], Expr]:
    """Variables, premises and conclusion of ∀ x y, A → B → C; ¬A counts as A → False."""
    variables: list[str] = []
    premises: list[Expr] = []
    while proposition.op in ("∀", "→", "¬"):
        if proposition.op == "∀":
            if premises:
                break
            variables.append(proposition.args[0].op)
            proposition = proposition.args[1]
        else:
            premises.append(proposition.args[0])
            proposition = FALSE if proposition.op == "¬" else proposition.args[1]
    return variables, premises, proposition
