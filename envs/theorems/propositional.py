"""Theorems of intuitionistic propositional logic, drawn at random at six levels of difficulty."""

from __future__ import annotations

from collections.abc import Iterator

from proofgrad.envs.base import TRAIN, Prompt, Task
from proofgrad.envs.sampling import balanced
from proofgrad.envs.splits import check_split, split_of, statement_digest
from proofgrad.envs.text import answer, check_levels, check_style, default_feedback, user_prompt
from proofgrad.envs.theorems.generate import HIGHEST_LEVEL, Proved, capacity, proved_theorems
from proofgrad.verifiers.base import Verdict

__all__ = ["PropositionalEnv"]

_INSTRUCTIONS = (
    "Prove this Lean 4 theorem. It is intuitionistic propositional logic; no library is imported.\n"
    "Tactics that you may use: intro, exact, apply, refine, constructor, left, right, assumption, contradiction, "
    "and `cases h with` followed by `| inl a => ...` and `| inr b => ...` (for an ∨) or `| intro a b => ...` "
    "(for an ∧ or a ↔). Write one tactic a line; solve the goals that a tactic leaves one after the other. "
    "To prove anything from False, `apply False.elim` first. A proof term is allowed too.\n"
    "Answer with one ```lean block that holds what comes after `:=` and nothing else."
)


class PropositionalEnv:
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

    def __init__(
        self,
        min_level: int = 1,
        max_level: int = HIGHEST_LEVEL,
        demo_max_level: int | None = None,
        style: str = "plain",
    ) -> None:
        self._levels, self._demo_levels = check_levels(min_level, max_level, demo_max_level, HIGHEST_LEVEL)
        self._style = check_style(style)

    def tasks(self, split: str, n: int, seed: int) -> Iterator[Task]:
        """`n` distinct theorems, as many of each level as can be, in an order that the arguments fix."""
        check_split(split)
        return (self._task(level, proved, seed) for level, proved in self._sample(self._levels, split, n, seed))

    def demonstrations(self, n: int, seed: int) -> Iterator[tuple[Task, str]]:
        """`n` distinct training theorems, each with a proof."""
        drawn = self._sample(self._demo_levels, TRAIN, n, seed)
        return ((self._task(level, proved, seed), self._completion(proved)) for level, proved in drawn)

    def extract(self, completion: str) -> str | None:
        """What is to follow ``:=``: the completion, or in chat style its last fenced block."""
        return answer(completion, self._style)

    def feedback(self, verdict: Verdict) -> str:
        """Lean's answer in words for the policy."""
        return default_feedback(verdict)

    def _sample(self, levels: range, split: str, n: int, seed: int) -> list[tuple[int, Proved]]:
        return balanced(
            self.name,
            levels,
            n,
            seed,
            stream=lambda level: proved_theorems(level, split, seed),
            capacity=lambda level: capacity(level, split),
        )

    def _completion(self, proved: Proved) -> str:
        return proved.proof.script if self._style == "plain" else f"```lean\n{proved.proof.script}\n```"

    def _task(self, level: int, proved: Proved, seed: int) -> Task:
        text = proved.statement
        return Task(
            id=f"{self.name}-{statement_digest(text)[:12]}",
            prompt=self._prompt(text),
            problem={"statement": text},
            verifier=self.verifier,
            domain=self.domain,
            difficulty=float(level),
            split=split_of(text),
            source=f"{self.name}@{seed}",
        )

    def _prompt(self, text: str) -> Prompt:
        return user_prompt(f"theorem {text} :=\n", self._style, _INSTRUCTIONS)
