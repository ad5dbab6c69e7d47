"""Theorems of quantifier logic, of equational rewriting, and by induction, drawn at random at ten levels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from proofgrad.envs.base import TRAIN, Task
from proofgrad.envs.procedural import ProceduralEnv
from proofgrad.envs.sampling import balanced
from proofgrad.envs.splits import check_split, split_of, statement_digest
from proofgrad.envs.text import user_prompt
from proofgrad.envs.theorems.drawing import (
    HIGHEST_LEVEL,
    Proved,
    capacity,
    proved_theorems,
    refuted_theorems,
)

__all__ = ["FalseVariant", "FoundationsEnv"]

_INSTRUCTIONS = (
    "Prove this Lean 4 theorem.\n"
    "Useful tactics: intro, exact, apply, refine ⟨t, ?_⟩, constructor, left, right, have, `obtain ⟨x, h⟩ := e`, "
    "`cases e with` followed by `| inl h => ...` and `| inr h => ...`, `induction n with` followed by `| zero => ...` "
    "and `| succ n ih => ...` (on a list: `| nil => ...` and `| cons x l ih => ...`), and `rw [h, ← h']`, which closes "
    "the goal when both sides have become equal. Equations of Nat and List have their usual names, such as "
    "Nat.add_comm. Write `· ` before the proof of each of several goals.\n"
    "Answer with one ```lean block that holds what comes after `:=` and nothing else."
)


class FalseVariant(NamedTuple):
    """A task whose statement is false, a wrong answer to it, and why the statement is false.

    Attributes:
        task: the task; its statement differs from a theorem's in one place.
        candidate: the proof of that theorem. As the statement is false, no candidate can pass.
        counterexample: an interpretation in which the hypotheses hold and the goal does not.
    """

    task: Task
    candidate: str
    counterexample: str


class FoundationsEnv(ProceduralEnv[Proved]):
    """Theorems such as ``(α : Type) (P Q : α → Prop) : (∀ x, P x → Q x) → (∃ x, P x) → ∃ x, Q x``, for ``lean``.

    Each theorem is built together with its proof, so it holds by construction, and every hypothesis is one that this
    proof uses. The families of a level take turns:

    * ``quantifiers``, levels 1 to 10: predicates, relations and functions over one type; ∀, ∃ and the connectives,
      negated and nested; some need excluded middle.
    * ``equations``, levels 1 to 7: rewriting with assumed equations (random ones, and laws such as associativity),
      forwards and backwards, in goals and in hypotheses, under predicates, with witnesses, from injectivity.
    * ``identities``, levels 2 to 4: + and * on ``Nat``; append, reverse, map and length on lists.
    * ``induction``, levels 4 to 9: sequences given by their value at 0 and n + 1, or at [] and x :: l; closed forms.

    A task's level is the number of steps of that proof: tactics, each rule of a ``rw`` counting for itself. 1 is up to
    2 steps, 2 is 3, 3 is 4 and 5, 4 is 6 and 7, 5 is 8 and 9, 6 is 10 and 11, 7 is 12 to 14, 8 is 15 to 17, 9 is 18 to
    21, 10 is 22 to 26. A shorter proof may exist. In ``quantifiers``, goals nest up to two connectives or quantifiers
    up to level 3, three from level 4 and four from level 7; a conjunction of up to four such goals
    makes the longer proofs. Statements have at most 360 characters and these proofs 900.

    A task's identity and split are those of its statement in canonical form: two statements that differ in names or
    in the order of hypotheses only are one task.

    Args:
        min_level: the easiest level, 1 to 10.
        max_level: the hardest level, 1 to 10.
        demo_max_level: the hardest level of the demonstrations; `max_level` if not given. It may be lower or higher.
        style: ``plain`` prompts end in ``:=`` and the completion goes on from there; ``chat`` prompts are one user
            message that asks for a fenced block.

    Raises:
        ConfigError: a level or the style is not one of those.
    """

    name = "foundations"
    verifier = "lean"
    domain = "theorems"
    highest_level = default_level = HIGHEST_LEVEL
    fence = "lean"

    def false_variants(self, n: int, seed: int, split: str = TRAIN) -> Iterator[FalseVariant]:
        """`n` distinct false near misses of theorems, each with a counterexample that was checked.

        What a verifier accepts of these it accepts wrongly; what a policy scores on them must be nothing.

        Raises:
            ConfigError: there are not as many, or the split is unknown.
        """
        check_split(split)
        drawn = balanced(
            f"{self.name} (false variants)",
            self._levels,
            n,
            seed,
            stream=lambda level: refuted_theorems(level, split, seed),
            capacity=lambda level: capacity(level, split) // 2,
        )
        for level, refuted in drawn:
            task = self._asked(level, refuted.key, refuted.statement, f"{self.name}-false@{seed}")
            yield FalseVariant(task, refuted.script, refuted.counterexample)

    def _stream(self, level: int, split: str, seed: int) -> Iterator[Proved]:
        return proved_theorems(level, split, seed)

    def _capacity(self, level: int, split: str) -> int:
        return capacity(level, split)

    def _gold(self, drawn: Proved) -> str:
        return drawn.script

    def _task(self, level: int, drawn: Proved, seed: int) -> Task:
        return self._asked(level, drawn.key, drawn.statement, f"{self.name}@{seed}")

    def _asked(self, level: int, key: str, text: str, source: str) -> Task:
        return Task(
            id=f"{self.name}-{statement_digest(key)[:12]}",
            prompt=user_prompt(f"theorem {text} :=\n", self._style, _INSTRUCTIONS),
            problem={"statement": text},
            verifier=self.verifier,
            domain=self.domain,
            difficulty=float(level),
            split=split_of(key),
            source=source,
        )
