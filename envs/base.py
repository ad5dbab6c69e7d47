"""What to ask a policy, how to read its answer, and what to say back.

An environment owns tasks; a verifier owns verdicts. An environment never scores anything itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypedDict, runtime_checkable

from proofgrad.verifiers.base import Problem, Verdict

__all__ = ["HELD_OUT", "TRAIN", "Env", "Message", "Prompt", "Task", "TaskReader", "candidate_in"]

TRAIN = "train"
HELD_OUT = "held-out"


class Message(TypedDict):
    """One chat message."""

    role: str
    content: str


Prompt: TypeAlias = "str | Sequence[Message]"


@dataclass(frozen=True, slots=True)
class Task:
    """One problem, ready to be asked and judged.

    Attributes:
        id: stable identity: the same statement has the same id in every process and on every machine.
        prompt: plain text to continue, or chat messages.
        problem: what the verifier gets; holds what the policy must not see (tests, expected values).
        verifier: the verifier's name in the registry.
        domain: the heading under which results are reported, e.g. ``theorems``.
        difficulty: the environment's own level, or None.
        split: ``train`` or ``held-out``.
        source: where it came from, e.g. ``propositional@7`` (environment and seed).
    """

    id: str
    prompt: Prompt
    problem: Problem
    verifier: str
    domain: str
    difficulty: float | None
    split: str
    source: str


@runtime_checkable
class Env(Protocol):
    """A source of tasks. Splits are disjoint by construction (`split_of` in `proofgrad.envs.splits`)."""

    name: str

    def tasks(self, split: str, n: int, seed: int) -> Iterable[Task]:
        """`n` distinct tasks of a split; the same arguments give the same tasks in the same order.

        Raises:
            ConfigError: the environment cannot supply `n` distinct tasks, or the split is unknown.
        """
        ...

    def extract(self, completion: str) -> str | None:
        """The candidate in a completion, or None when there is nothing to judge."""
        ...

    def feedback(self, verdict: Verdict) -> str:
        """What the policy is told about a verdict."""
        ...

    def demonstrations(self, n: int, seed: int) -> Iterable[tuple[Task, str]]:
        """`n` distinct tasks of the training split, each with a completion that passes."""
        ...


@runtime_checkable
class TaskReader(Protocol):
    """An environment whose candidates are made of the task and the completion: HumanEval's complete a given text."""

    def candidate(self, task: Task, completion: str) -> str | None:
        """The candidate in a completion of this task, or None when there is nothing to judge; in place of `extract`."""
        ...


def candidate_in(env: Env, task: Task, completion: str) -> str | None:
    """What is judged of a completion, as the task's environment reads it; None when there is nothing to judge."""
    return env.candidate(task, completion) if isinstance(env, TaskReader) else env.extract(completion)
