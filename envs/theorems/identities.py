"""Random identities of + and * on numbers and of append, reverse, map and length on lists, each with its proof.

A random walk rewrites a term with the laws that Lean's ``Init`` proves, and now and then with an assumed equation; the
theorem says that its ends are equal.
"""

from __future__ import annotations

import random
import re

from proofgrad.envs.theorems.library import LIST_RULES, NAT_RULES, plus, times
from proofgrad.envs.theorems.naming import Kind, Names
from proofgrad.envs.theorems.rewriting import Proof, rule_of
from proofgrad.envs.theorems.terms import Expr, Hypothesis, Theorem, app, free_names, var
from proofgrad.envs.theorems.walks import rw_lines, walk

__all__ = ["identity"]

_LARGEST = 11


def identity(rng: random.Random, steps: range) -> Proof | None:
    """An identity whose proof takes so many rewritings; None if it failed."""
    return _Builder(rng).build(rng.choice(steps))


class _Builder:
    def __init__(self, rng: random.Random) -> None:
        self._rng, self._names = rng, Names(rng)
        self._on_lists = rng.random() < 0.4
        self._type = self._names.fresh("type")
        kind: Kind = "list" if self._on_lists else "number"
        self._leaves = [var(self._names.fresh(kind)) for _ in range(rng.choice((2, 3, 3, 4)))]
        self._map = self._names.fresh("function")

    def build(self, length: int) -> Proof | None:
        rng = self._rng
        start = self._list(rng.choice((2, 2, 3))) if self._on_lists else self._number(rng.choice((2, 2, 3, 3, 4)))
        hypotheses = []
        rules = list(LIST_RULES if self._on_lists else NAT_RULES)
        if self._on_lists and rng.random() < 0.3:
            start = app("List.length", start)
            rules.append(NAT_RULES[0])
        if rng.random() < 0.4:
            made = self._assumption()
            if made is not None:
                hypotheses.append(made)
                rules.append(rule_of(made.name, made.proposition))
        way = walk(rng, rules, start, length, _LARGEST, patience=1 if length > 5 else 2)
        if way is None:
            return None
        goal = app("=", start, way[-1].result)
        # One `rw`: it tries to close the goal at its end only, so what it makes of numerals on the way plays no part.
        made_lines = rw_lines(rng, goal, way, together=1 if self._on_lists else None)
        if made_lines is None or made_lines[1].args[0] != made_lines[1].args[1]:
            return None
        words = set(re.findall(r"\w+", " ".join(made_lines[0])))
        kept = tuple(hypothesis for hypothesis in hypotheses if hypothesis.name in words)
        used = words.union(*(free_names(p) for p in (goal, *(h.proposition for h in kept))))
        sort = f"List {self._type}" if self._on_lists else "Nat"
        variables = [(self._type, "Type"), (self._map, f"{self._type} → {self._type}")] if self._on_lists else []
        variables += [(leaf.op, sort) for leaf in self._leaves]
        return Proof(
            Theorem(tuple(v for v in variables if v[0] in used or v[1] == "Type"), kept, goal),
            tuple(made_lines[0]),
            "identities",
        )

    def _assumption(self) -> Hypothesis | None:
        """An equation between a variable and a small term of others."""
        rng = self._rng
        left, *others = rng.sample(self._leaves, len(self._leaves))
        a, b = rng.choice(others), rng.choice(others)
        if self._on_lists:
            right = rng.choice((app("++", a, b), app("List.reverse", a)))
        else:
            right = rng.choice((plus(a, b), times(a, b), times(a, var(str(rng.randint(2, 5))))))
        sides = (left, right) if rng.random() < 0.6 else (right, left)
        return Hypothesis(self._names.hypothesis(), app("=", *sides))

    def _number(self, operations: int) -> Expr:
        rng = self._rng
        if operations <= 0:
            return rng.choice(self._leaves) if rng.random() < 0.85 else var(str(rng.randint(2, 9)))
        left = rng.randrange(operations)
        return rng.choice((plus, times))(self._number(left), self._number(operations - 1 - left))

    def _list(self, operations: int) -> Expr:
        rng = self._rng
        if operations <= 0:
            return rng.choice(self._leaves)
        way = rng.random()
        if way < 0.25:
            return app("List.reverse", self._list(operations - 1))
        if way < 0.4:
            return app("List.map", var(self._map), self._list(operations - 1))
        left = rng.randrange(operations)
        return app("++", self._list(left), self._list(operations - 1 - left))
