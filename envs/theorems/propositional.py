"""Theorems of intuitionistic propositional logic, drawn at random at six levels of difficulty."""

from __future__ import annotations

from collections.abc import Iterator

from proofgrad.envs.base import Task
from proofgrad.envs.procedural import ProceduralEnv
from proofgrad.envs.splits import split_of, statement_digest
from proofgrad.envs.text import user_prompt
from proofgrad.envs.theorems.generate import HIGHEST_LEVEL, Proved, capacity, proved_theorems

__all__ = ["PropositionalEnv"]

_INSTRUCTIONS = (
    "Prove this Lean 4 theorem. It is intuitionistic propositional logic; no library is imported.\n"
    "Tactics that you may use: intro, exact, apply, refine, constructor, left, right, assumption, contradiction, "
    "and `cases h with` followed by `| inl a => ...` and `| inr b => ...` (for an ∨) or `| intro a b => ...` "
    "(for an ∧ or a ↔). Write one tactic a line; solve the goals that a tactic leaves one after the other. "
    "To prove anything from False, `apply False.elim` first. A proof term is allowed too.\n"
    "Answer with one ```lean block that holds what comes after `:=` and nothing else."
)


class PropositionalEnv(ProceduralEnv[Proved]):
    """Theorems such as ``(p q : Prop) : p ∧ q → q ∧ p``, for the verifier ``lean``.

    A task's level is the length of the proof that the environment's own prover finds, in tactic steps: 1 is 2 to 3,
    2 is 4 to 5, 3 is 6 to 8, 4 is 9 to 12, 5 is 13 to 17, 6 is 18 to 26. Every hypothesis is needed. Statements are in
    a canonical form, so two that differ in variable names or in the order of hypotheses are one task.

    Args:
        min_level: the easiest level, 1 to 6.
        max_level: the hardest level, 1 to 6.
        demo_max_level: the hardest level of the demonstrations; `max_level` if not given. It may be lower or higher.
        style: ``plain`` prompts end in ``:=`` and the completion goes on from there; ``chat`` prompts are one user
            message that asks for a fenced block.

    Raises:
        ConfigError: a level or the style is not one of those.
    """

    name = "propositional"
    verifier = "lean"
    domain = "theorems"
    highest_level = default_level = HIGHEST_LEVEL
    fence = "lean"

    def _stream(self, level: int, split: str, seed: int) -> Iterator[Proved]:
        return proved_theorems(level, split, seed)

    def _capacity(self, level: int, split: str) -> int:
        return capacity(level, split)

    def _gold(self, drawn: Proved) -> str:
        return drawn.proof.script

    def _task(self, level: int, drawn: Proved, seed: int) -> Task:
        text = drawn.statement
        return Task(
            id=f"{self.name}-{statement_digest(text)[:12]}",
            prompt=user_prompt(f"theorem {text} :=\n", self._style, _INSTRUCTIONS),
            problem={"statement": text},
            verifier=self.verifier,
            domain=self.domain,
            difficulty=float(level),
            split=split_of(text),
            source=f"{self.name}@{seed}",
        )
