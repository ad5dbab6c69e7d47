"""Formulas of propositional logic: structure, Lean notation, and a canonical form for theorems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain as chain_of
from itertools import groupby, permutations, product
from typing import NamedTuple

__all__ = [
    "FALSE",
    "TRUE",
    "VARIABLE_NAMES",
    "Formula",
    "Theorem",
    "canonical",
    "chain",
    "conj",
    "disj",
    "iff",
    "implies",
    "neg",
    "rename",
    "show",
    "statement",
    "var",
    "variables",
]

VARIABLE_NAMES = "pqrstuvw"


class Formula(NamedTuple):
    """A formula: `op` is one of ``∧ ∨ → ↔ ¬ True False``, or a variable's name with no arguments."""

    op: str
    args: tuple[Formula, ...] = ()


TRUE = Formula("True")
FALSE = Formula("False")


def var(name: str) -> Formula:
    """A propositional variable."""
    return Formula(name)


def conj(a: Formula, b: Formula) -> Formula:
    """a ∧ b"""
    return Formula("∧", (a, b))


def disj(a: Formula, b: Formula) -> Formula:
    """a ∨ b"""
    return Formula("∨", (a, b))


def implies(a: Formula, b: Formula) -> Formula:
    """a → b"""
    return Formula("→", (a, b))


def iff(a: Formula, b: Formula) -> Formula:
    """a ↔ b"""
    return Formula("↔", (a, b))


def neg(a: Formula) -> Formula:
    """¬a"""
    return Formula("¬", (a,))


class Theorem(NamedTuple):
    """Hypotheses and a goal, stated as ``H1 → H2 → ... → goal``; the goal itself is no implication."""

    hypotheses: tuple[Formula, ...]
    goal: Formula

    @classmethod
    def of(cls, formula: Formula) -> Theorem:
        """Any formula as a theorem: its leading implications become hypotheses."""
        hypotheses: list[Formula] = []
        while formula.op == "→":
            hypotheses.append(formula.args[0])
            formula = formula.args[1]
        return cls(tuple(hypotheses), formula)

    def formula(self) -> Formula:
        """The theorem as one formula."""
        whole = self.goal
        for hypothesis in reversed(self.hypotheses):
            whole = implies(hypothesis, whole)
        return whole


# Binding strength and the strengths that the left and right argument need, as in Lean 4's prelude.
_LEVELS = {"∧": (35, 36, 35), "∨": (30, 31, 30), "→": (25, 26, 25), "↔": (20, 21, 21)}
_NOT_ARGUMENT = 40


def show(formula: Formula, strength: int = 0) -> str:
    """The formula in Lean notation; parentheses only where an operator's strength lies under `strength`."""
    op, args = formula
    if not args:
        return op
    if op == "¬":
        return f"¬{show(args[0], _NOT_ARGUMENT)}"
    own, left, right = _LEVELS[op]
    text = f"{show(args[0], left)} {op} {show(args[1], right)}"
    return f"({text})" if own < strength else text


def _names(formula: Formula) -> Iterator[str]:
    if formula.args:
        for arg in formula.args:
            yield from _names(arg)
    elif formula.op not in ("True", "False"):
        yield formula.op


def variables(formula: Formula) -> list[str]:
    """The names of the variables, each once, in order of first occurrence."""
    return list(dict.fromkeys(_names(formula)))


def rename(formula: Formula, names: Mapping[str, str]) -> Formula:
    """The formula with its variables renamed."""
    if formula.args:
        return Formula(formula.op, tuple(rename(arg, names) for arg in formula.args))
    return Formula(names.get(formula.op, formula.op))


def _in_order(theorem: Theorem) -> Theorem:
    """The theorem with its variables named p, q, r, ... in order of first occurrence."""
    found = variables(theorem.formula())
    beyond = (f"x{i}" for i in range(len(VARIABLE_NAMES), len(found)))
    names = dict(zip(found, (*VARIABLE_NAMES, *beyond), strict=False))
    return Theorem(tuple(rename(h, names) for h in theorem.hypotheses), rename(theorem.goal, names))


def canonical(theorem: Theorem) -> Theorem:
    """The one representative of all theorems that differ in variable names or in the order of hypotheses only."""
    # Hypotheses are put in the order of their shapes, which renaming cannot change; only equal shapes need trying out.
    ordered = sorted(theorem.hypotheses, key=_shape)
    groups = [tuple(permutations(tuple(group))) for _shape_, group in groupby(ordered, key=_shape)]
    orders = [tuple(chain_of.from_iterable(order)) for order in product(*groups)]
    candidates = [_in_order(Theorem(order, theorem.goal)) for order in orders]
    return candidates[0] if len(candidates) == 1 else min(candidates, key=lambda t: show(t.formula()))


def _shape(formula: Formula) -> tuple[int, str]:
    """A sort key in which all variables look alike; short formulas come first."""
    text = "".join(_shape_parts(formula))
    return len(text), text


def _shape_parts(formula: Formula) -> Iterator[str]:
    op, args = formula
    if not args:
        yield op[0] if op in ("True", "False") else "_"
        return
    yield op
    for arg in args:
        yield from _shape_parts(arg)


def statement(theorem: Theorem) -> str:
    """Binders and type as a Lean declaration has them: ``(p q : Prop) : p ∧ q → q ∧ p``."""
    formula = theorem.formula()
    names = " ".join(sorted(variables(formula)))
    binder = f"({names} : Prop) : " if names else ": "
    return binder + show(formula)


def chain(formula: Formula) -> tuple[tuple[Formula, ...], Formula]:
    """Antecedents and conclusion: A → B → C gives (A, B), C; ¬A counts as A → False."""
    antecedents: list[Formula] = []
    while formula.op in ("→", "¬"):
        antecedents.append(formula.args[0])
        formula = FALSE if formula.op == "¬" else formula.args[1]
    return tuple(antecedents), formula
