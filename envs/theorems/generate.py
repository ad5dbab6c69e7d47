"""Random theorems of intuitionistic propositional logic, sorted into levels by the length of their proofs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

from proofgrad.envs.base import HELD_OUT
from proofgrad.envs.splits import split_of
from proofgrad.envs.theorems.formula import (
    FALSE,
    TRUE,
    VARIABLE_NAMES,
    Formula,
    Theorem,
    canonical,
    statement,
    var,
    variables,
)
from proofgrad.envs.theorems.kripke import Valuations, forced, valuations
from proofgrad.envs.theorems.prover import Proof, prove

__all__ = ["HIGHEST_LEVEL", "Proved", "capacity", "level_of", "proved_theorems"]

# The largest number of tactic steps at each level; beyond the last one a proof is too long for the environment.
_LAST_STEP = (3, 5, 8, 12, 17, 26)
HIGHEST_LEVEL = len(_LAST_STEP)

# How far to search at each level. At most one proof in a hundred needs a longer search than this.
_MAX_NODES = (12, 30, 70, 160, 220, 300)

# Statements at each level that a search is known to reach in reasonable time; there are more. A fifth is held out.
_CAPACITY = (2_500, 20_000, 20_000, 20_000, 20_000, 20_000)

# Give up on a level after so many draws in a row that bring nothing new.
_PATIENCE = 60_000


class Proved(NamedTuple):
    """A theorem in canonical form, its statement, and a proof."""

    theorem: Theorem
    statement: str
    proof: Proof


class _Shape(NamedTuple):
    """How theorems of a level are drawn.

    `hypotheses` lists the numbers of hypotheses, `sizes` and `goals` the numbers of connectives in a hypothesis and in
    the goal, each drawn uniformly; repeated entries weigh more. `linked` is the share of
    hypotheses and goals that are put together from other hypotheses of the pool.
    """

    variables: tuple[int, ...]
    hypotheses: tuple[int, ...]
    sizes: tuple[int, ...]
    goals: tuple[int, ...]
    linked: float = 0.0


_SHAPES = (
    _Shape((3, 4), (1, 2, 2), (0, 1, 1, 2), (0, 1), 0.5),
    _Shape((4,), (1, 2, 2, 3), (0, 1, 2, 3), (0, 1, 2), 0.5),
    _Shape((3, 4, 4), (1, 2, 2, 3), (0, 1, 2, 2, 3), (1, 2, 2, 3), 0.2),
    _Shape((3, 4), (1, 2, 3, 3), (1, 2, 2), (2, 2, 3)),
    _Shape((3, 4), (2, 3, 3), (2, 2), (2, 2, 3)),
    _Shape((3, 4), (2, 3), (2, 3), (3, 4)),
)
_OPERATORS = ("∧",) * 6 + ("∨",) * 5 + ("→",) * 7 + ("¬",) * 4 + ("↔",) * 2
_LINKS = ("→", "→", "→", "¬", "∧")
_GOAL_LINKS = ("", "", "∨")
_POOL = 160
_DRAWS_PER_POOL = 400
_GOALS_PER_DRAW = 12


def level_of(steps: int) -> int | None:
    """The level of a proof with so many tactic steps, or None when it is beyond the last level."""
    for level, last in enumerate(_LAST_STEP, start=1):
        if steps <= last:
            return level
    return None


def capacity(level: int, split: str) -> int:
    """How many distinct tasks of a level and a split may be asked for at once."""
    return _CAPACITY[level - 1] * (1 if split == HELD_OUT else 4) // 5


def proved_theorems(level: int, split: str, seed: int) -> Iterator[Proved]:
    """Distinct theorems of a level and a split, each with a proof, in an order that the arguments fix.

    The iterator ends when the level seems exhausted.
    """
    rng = random.Random(f"propositional/{level}/{split}/{seed}")
    seen: set[str] = set()
    idle = 0
    while idle < _PATIENCE:
        for theorem in _valid_theorems(rng, _SHAPES[level - 1]):
            idle += 1
            theorem = canonical(theorem)
            text = statement(theorem)
            if text in seen:
                continue
            seen.add(text)
            if split_of(text) != split or (level > 1 and theorem.goal in theorem.hypotheses):
                continue
            proof = prove(theorem, _MAX_NODES[level - 1])
            if proof is not None and level_of(proof.steps) == level:
                idle = 0
                yield Proved(theorem, text, proof)
        idle += 1


def _valid_theorems(rng: random.Random, shape: _Shape) -> Iterator[Theorem]:
    """Theorems that `kripke` cannot refute and in which every hypothesis is needed; nearly all have proofs."""
    names = VARIABLE_NAMES[: rng.choice(shape.variables)]
    over = valuations(names)
    atoms = [var(name) for name in names]
    hypotheses, goals = _pools(rng, shape, atoms, over)
    if not hypotheses or not goals:
        return
    for _ in range(_DRAWS_PER_POOL):
        chosen = [_pick(rng, hypotheses) for _ in range(rng.choice(shape.hypotheses))]
        given = over.full
        for _formula, mask in chosen:
            given &= mask
        # Contradictory hypotheses prove anything, so few of them are enough.
        if given == 0 and rng.random() > 0.15:
            continue
        start = int(rng.random() * len(goals))
        for i in range(start, min(start + _GOALS_PER_DRAW, len(goals))):
            goal, goal_mask = goals[i]
            if given & ~goal_mask == 0 and all(_without(chosen, i, over.full) & ~goal_mask for i in range(len(chosen))):
                yield Theorem(tuple(f for f, _mask in chosen), goal)
                break


_T = TypeVar("_T")


def _pick(rng: random.Random, items: Sequence[_T]) -> _T:
    # Several times faster than `rng.choice`, and this is the innermost loop.
    return items[int(rng.random() * len(items))]


def _without(chosen: Sequence[tuple[Formula, int]], index: int, full: int) -> int:
    given = full
    for i, (_formula, mask) in enumerate(chosen):
        if i != index:
            given &= mask
    return given


_Weighed: TypeAlias = "list[tuple[Formula, int]]"


def _pools(rng: random.Random, shape: _Shape, atoms: list[Formula], over: Valuations) -> tuple[_Weighed, _Weighed]:
    """Distinct hypotheses and goals, each with the valuations that force it at the root: neither all nor none."""
    plain = [_formula(rng, atoms, _pick(rng, shape.sizes)) for _ in range(_POOL)]
    linked = [_link(rng, plain, _LINKS) for _ in range(int(_POOL * shape.linked))]
    goals = [_formula(rng, atoms, _pick(rng, shape.goals)) for _ in range(_POOL)]
    near = [_link(rng, plain, _GOAL_LINKS) for _ in range(int(_POOL * shape.linked))]
    kept = _weigh(plain[: _POOL - len(linked)] + linked, over)
    return kept, [(f, mask) for f, mask in _weigh(goals[: _POOL - len(near)] + near, over) if f.op != "→"]


def _weigh(formulas: list[Formula], over: Valuations) -> _Weighed:
    found: dict[Formula, int] = {}
    for formula in formulas:
        if formula not in found and _is_natural(formula):
            mask = forced(formula, over).root
            if mask not in (0, over.full):
                found[formula] = mask
    return list(found.items())


def _link(rng: random.Random, plain: list[Formula], operators: Sequence[str]) -> Formula:
    """A formula about formulas of the pool: it makes modus ponens and its like on compound formulas frequent."""
    op = _pick(rng, operators)
    if op == "":
        return _pick(rng, plain)
    return Formula(op, (_pick(rng, plain),) if op == "¬" else (_pick(rng, plain), _pick(rng, plain)))


def _formula(rng: random.Random, atoms: list[Formula], size: int) -> Formula:
    if size == 0:
        return rng.choice(atoms) if rng.random() > 0.02 else rng.choice((TRUE, FALSE))
    op = rng.choice(_OPERATORS)
    if op == "¬":
        return Formula(op, (_formula(rng, atoms, size - 1),))
    left = rng.randrange(size)
    return Formula(op, (_formula(rng, atoms, left), _formula(rng, atoms, size - 1 - left)))


def _is_natural(formula: Formula) -> bool:
    """Whether nobody would call the formula silly: no equal arguments, no constants beside a connective but →."""
    args = formula.args
    if len(args) == 2 and args[0] == args[1]:
        return False
    if formula.op in ("∧", "∨", "↔", "¬") and any(not variables(arg) for arg in args):
        return False
    if formula.op == "¬" and args[0].op == "¬" and args[0].args[0].op == "¬":
        return False
    return all(_is_natural(arg) for arg in args)
