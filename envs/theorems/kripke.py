"""A cheap test that refutes most formulas that are no intuitionistic theorems, by Kripke's semantics.

The frame is a root with two leaves above it. It refutes excluded middle, Peirce's law and double negation, and whatever
is no classical tautology. All valuations are tried at once: one bit of an integer for each.
Source: S. A. Kripke, "Semantical Analysis of Intuitionistic Logic I", 1965.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from proofgrad.envs.theorems.formula import Formula, Theorem, variables

__all__ = ["Forced", "Valuations", "forced", "is_refuted", "valuations"]


class Forced(NamedTuple):
    """The valuations, as bit masks, under which a formula is forced at the root and at the two leaves."""

    root: int
    left: int
    right: int


class Valuations(NamedTuple):
    """Where each variable is forced, and the mask of all valuations."""

    table: Mapping[str, Forced]
    full: int


# The upward closed sets of worlds as (root, left, right): what a variable's truth may be.
_UP_SETS = ((0, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 1, 1))


@cache
def _columns(count: int) -> tuple[tuple[Forced, ...], int]:
    rows = len(_UP_SETS) ** count
    columns = []
    for i in range(count):
        masks = [0, 0, 0]
        for row in range(rows):
            choice = _UP_SETS[row // len(_UP_SETS) ** i % len(_UP_SETS)]
            for world in range(3):
                masks[world] |= choice[world] << row
        columns.append(Forced(*masks))
    return tuple(columns), (1 << rows) - 1


def valuations(names: Sequence[str]) -> Valuations:
    """All valuations of the variables `names`."""
    columns, full = _columns(len(names))
    return Valuations(dict(zip(names, columns, strict=True)), full)


def forced(formula: Formula, over: Valuations) -> Forced:
    """Where the formula is forced."""
    op, args = formula
    full = over.full
    if not args:
        if op == "True":
            return Forced(full, full, full)
        return Forced(0, 0, 0) if op == "False" else over.table[op]
    a = forced(args[0], over)
    if op == "¬":
        left, right = full ^ a.left, full ^ a.right
        return Forced(left & right, left, right)
    b = forced(args[1], over)
    if op == "∧":
        return Forced(a.root & b.root, a.left & b.left, a.right & b.right)
    if op == "∨":
        return Forced(a.root | b.root, a.left | b.left, a.right | b.right)
    there = _implication(a, b, full)
    if op == "→":
        return there
    back = _implication(b, a, full)
    return Forced(there.root & back.root, there.left & back.left, there.right & back.right)


def _implication(a: Forced, b: Forced, full: int) -> Forced:
    left, right = (full ^ a.left) | b.left, (full ^ a.right) | b.right
    # An implication is forced at the root when it holds there and at every world above.
    return Forced(((full ^ a.root) | b.root) & left & right, left, right)


def is_refuted(theorem: Theorem) -> bool:
    """Whether some valuation of this frame refutes the theorem, so that it has no intuitionistic proof."""
    formula = theorem.formula()
    over = valuations(variables(formula))
    return forced(formula, over).root != over.full
