"""What Lean's ``rw`` does to a goal, predicted, and the shared shape of generated proofs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from proofgrad.envs.theorems.terms import BINDERS, Expr, Theorem, substitute

__all__ = ["Proof", "Rule", "indented", "instances", "match", "replaced", "rewrite", "rule_of", "steps_in"]


class Proof(NamedTuple):
    """A theorem, its proof as tactic lines without ``by`` and without the hypotheses' `intro`, and its family.

    Attributes:
        theorem: what is proved.
        lines: the tactics, indented among themselves.
        family: ``quantifiers``, ``equations``, ...
    """

    theorem: Theorem
    lines: tuple[str, ...]
    family: str

    @property
    def steps(self) -> int:
        """How many steps the proof has."""
        return steps_in(self.lines)


def steps_in(lines: Sequence[str]) -> int:
    """Tactics, where each rule of a ``rw`` counts for itself; the headers of cases do not count."""
    count = 0
    for line in lines:
        text = line.strip().removeprefix("· ")
        if not (text.startswith("|") and text.endswith("=>")):
            count += 1 + (text.count(",") if text.startswith("rw [") else 0)
    return count


def indented(lines: Sequence[str], bullet: str = "") -> list[str]:
    """The lines moved in by two columns; with a bullet, behind it."""
    return [f"{bullet if i == 0 and bullet else '  '}{line}" for i, line in enumerate(lines)]


class Rule(NamedTuple):
    """An equation ``∀ variables, left = right`` under the name by which a proof cites it.

    Attributes:
        implicit: whether the variables are implicit arguments, so that a proof cannot give their values.
    """

    name: str
    variables: tuple[str, ...]
    left: Expr
    right: Expr
    implicit: bool = False

    def reversed(self) -> Rule:
        """The rule from right to left."""
        return Rule(f"← {self.name}", self.variables, self.right, self.left, self.implicit)

    def applied(self, values: Mapping[str, Expr], text: str) -> Rule:
        """The rule for given values of its variables; `text` is how a proof writes it."""
        return Rule(text, (), substitute(self.left, values), substitute(self.right, values))


def rule_of(name: str, proposition: Expr) -> Rule:
    """A universally quantified equation as a rule."""
    variables: list[str] = []
    while proposition.op == "∀":
        variables.append(proposition.args[0].op)
        proposition = proposition.args[1]
    left, right = proposition.args
    return Rule(name, tuple(variables), left, right)


def match(pattern: Expr, expr: Expr, variables: Sequence[str]) -> dict[str, Expr] | None:
    """Values of the variables for which the pattern is the expression, if there are any."""
    values: dict[str, Expr] = {}
    return values if _match(pattern, expr, frozenset(variables), values) else None


def _match(pattern: Expr, expr: Expr, variables: frozenset[str], values: dict[str, Expr]) -> bool:
    if not pattern.args and pattern.op in variables:
        return values.setdefault(pattern.op, expr) == expr
    return (
        pattern.op == expr.op
        and len(pattern.args) == len(expr.args)
        and all(_match(p, e, variables, values) for p, e in zip(pattern.args, expr.args, strict=True))
    )


def instances(expr: Expr) -> Iterator[Expr]:
    """Where ``rw`` looks for its pattern, in its order: outermost first, left to right, never under a binder."""
    yield expr
    if expr.op not in BINDERS:
        for arg in expr.args:
            yield from instances(arg)


def rewrite(goal: Expr, rule: Rule) -> Expr | None:
    """The goal after ``rw [rule]``, or None when the pattern is not found.

    The first match fixes the rule's variables; then all equal instances are replaced, on both sides of the goal.
    """
    for place in instances(goal):
        values = match(rule.left, place, rule.variables)
        if values is not None:
            new = replaced(goal, place, substitute(rule.right, values))
            return new if len(values) == len(set(rule.variables)) and new != goal else None
    return None


def replaced(expr: Expr, old: Expr, new: Expr) -> Expr:
    """The expression with every occurrence of a part replaced, not looking under binders."""
    if expr == old:
        return new
    if not expr.args or expr.op in BINDERS:
        return expr
    return Expr(expr.op, tuple([replaced(arg, old, new) for arg in expr.args]), expr.type)
