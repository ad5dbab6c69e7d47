"""Theorems of the foundations environment by level: streams of true ones, and of false near misses."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from proofgrad.envs.base import HELD_OUT
from proofgrad.envs.splits import split_of
from proofgrad.envs.theorems.concrete import refute_concretely
from proofgrad.envs.theorems.equations import equational
from proofgrad.envs.theorems.identities import identity
from proofgrad.envs.theorems.induction import inductive
from proofgrad.envs.theorems.models import refute
from proofgrad.envs.theorems.nearmiss import near_misses
from proofgrad.envs.theorems.quantifiers import quantified
from proofgrad.envs.theorems.rewriting import Proof
from proofgrad.envs.theorems.terms import FALSE, Theorem, canonical, statement

__all__ = [
    "FAMILIES",
    "HIGHEST_LEVEL",
    "Proved",
    "Refuted",
    "band",
    "capacity",
    "level_of",
    "proved_theorems",
    "refuted_theorems",
]

# The largest number of proof steps at each level.
_LAST_STEP = (2, 3, 5, 7, 9, 11, 14, 17, 21, 26)
HIGHEST_LEVEL = len(_LAST_STEP)

# Distinct statements at each level that may be asked for; draws hardly ever repeat themselves from level 3 on, so there
# are many more. A fifth is held out.
_CAPACITY = (6_000, 10_000, *[20_000] * (HIGHEST_LEVEL - 2))

# Give up on a family after so many draws in a row that bring nothing new.
_PATIENCE = 4_000

# The share of theorems about predicates whose hypotheses may contradict each other.
_CONTRADICTORY = 0.15

# So that prompt and proof fit a context of 512 tokens, in characters.
_LONGEST_STATEMENT, _LONGEST_SCRIPT = 360, 900


class Proved(NamedTuple):
    """A theorem with a proof.

    Attributes:
        theorem: the theorem.
        family: which generator made it.
        key: its canonical form, equal for all renamings; see `canonical`.
        statement: its text for Lean.
        script: a proof, ``by`` and tactic lines.
        named: whether the hypotheses are binders of the statement.
        proof: the proof as it was made.
    """

    theorem: Theorem
    family: str
    key: str
    statement: str
    script: str
    named: bool
    proof: Proof


class Refuted(NamedTuple):
    """A false near miss of a theorem.

    Attributes:
        key: its canonical form.
        family: the family of the theorem that it misses.
        statement: its text for Lean.
        script: the proof of the theorem that it misses; no proof of this statement exists.
        counterexample: why, in words.
    """

    key: str
    family: str
    statement: str
    script: str
    counterexample: str


class _Family(NamedTuple):
    """A generator, which takes a level and its numbers of steps, and the levels that it serves."""

    draw: Callable[[random.Random, int, range], Proof | None]
    levels: range


# How deep goals about predicates are nested, at levels 1, 2 and 3, 4 to 6, and from 7 on.
_DEPTHS = ((0, 1, 1, 2), *[(0, 1, 2, 2)] * 2, *[(1, 2, 2, 3)] * 3, *[(2, 3, 4)] * 4)

FAMILIES = {
    "quantifiers": _Family(
        lambda rng, level, steps: quantified(rng, steps, rng.choice(_DEPTHS[level - 1])), range(1, HIGHEST_LEVEL + 1)
    ),
    "equations": _Family(lambda rng, _level, steps: equational(rng, steps), range(1, 8)),
    "identities": _Family(lambda rng, _level, steps: identity(rng, steps), range(2, 5)),
    "induction": _Family(lambda rng, _level, steps: inductive(rng, steps), range(4, 10)),
}


def band(level: int) -> range:
    """The numbers of proof steps at a level."""
    return range(_LAST_STEP[level - 2] + 1 if level > 1 else 1, _LAST_STEP[level - 1] + 1)


def level_of(steps: int) -> int | None:
    """The level of a proof with so many steps, or None when it is beyond the last level."""
    return next((level for level, last in enumerate(_LAST_STEP, start=1) if steps <= last), None)


def capacity(level: int, split: str) -> int:
    """How many distinct tasks of a level and a split may be asked for at once."""
    return _CAPACITY[level - 1] * (1 if split == HELD_OUT else 4) // 5


def proved_theorems(level: int, split: str, seed: int) -> Iterator[Proved]:
    """Distinct theorems of a level and a split, each with a proof, in an order that the arguments fix.

    The families take turns. The iterator ends when all of them seem exhausted.
    """
    rng = random.Random(f"foundations/{level}/{split}/{seed}")
    active = [name for name, family in FAMILIES.items() if level in family.levels]
    rng.shuffle(active)
    seen: set[str] = set()
    while active:
        for name in list(active):
            proved = _next(rng, name, level, split, seen)
            if proved is None:
                active.remove(name)
            else:
                yield proved


def _next(rng: random.Random, name: str, level: int, split: str, seen: set[str]) -> Proved | None:
    """The next theorem of a family; None when patience is out."""
    family, steps = FAMILIES[name], band(level)
    for _ in range(_PATIENCE):
        proof = family.draw(rng, level, steps)
        if proof is None or proof.steps not in steps:
            continue
        proved = _written(proof, named=rng.random() < 0.6)
        if proved is None or split_of(proved.key) != split or proved.key in seen:
            continue
        if name == "quantifiers" and rng.random() > _CONTRADICTORY and _looks_contradictory(proof.theorem, rng):
            continue
        seen.add(proved.key)
        return proved
    return None


def _looks_contradictory(theorem: Theorem, rng: random.Random) -> bool:
    """Whether a few draws find no model of the hypotheses, so that they may well prove anything."""
    return bool(theorem.hypotheses) and refute(theorem._replace(goal=FALSE), rng, tries=8) is None


def _written(proof: Proof, named: bool) -> Proved | None:
    """The proof with its texts; None if they are too long."""
    theorem = proof.theorem
    named = named or not theorem.hypotheses
    lines = list(proof.lines)
    if not named:
        lines.insert(0, f"intro {' '.join(hypothesis.name for hypothesis in theorem.hypotheses)}")
    text, script = statement(theorem, named), "\n".join(["by", *(f"  {line}" for line in lines)])
    if len(text) > _LONGEST_STATEMENT or len(script) > _LONGEST_SCRIPT:
        return None
    return Proved(theorem, proof.family, canonical(theorem), text, script, named, proof)


def refuted_theorems(level: int, split: str, seed: int) -> Iterator[Refuted]:
    """Distinct false near misses of theorems of a level, in a split of their own statements."""
    rng = random.Random(f"foundations/false/{level}/{split}/{seed}")
    seen: set[str] = set()
    for near in proved_theorems(level, split, seed):
        for theorem in near_misses(rng, near.theorem, 12):
            key = canonical(theorem)
            if key in seen or split_of(key) != split:
                continue
            counterexample = _refutation(theorem, near.family, rng)
            if counterexample is not None:
                seen.add(key)
                yield Refuted(key, near.family, statement(theorem, near.named), near.script, counterexample)
                break


def _refutation(theorem: Theorem, family: str, rng: random.Random) -> str | None:
    """Why a theorem is false, as far as a few draws can tell."""
    if family in ("identities", "induction"):
        return refute_concretely(theorem, rng)
    model = refute(theorem, rng)
    return None if model is None else model.show()
