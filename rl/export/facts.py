"""What a model card is written from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proofgrad.rl.config import Config
from proofgrad.rl.evaluation.stored import StoredEvaluation

if TYPE_CHECKING:
    from proofgrad.rl.checks.trust import Trust

__all__ = ["Asked", "Example", "Facts"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What training asked of one environment, counted in the recorded rollouts.

    Attributes:
        tasks: different tasks.
        completions: rollouts of them, those in replaced groups included.
        unknown: of these, those that could not be judged.
        levels: the difficulties that occurred, ascending.
    """

    env: str
    tasks: int
    completions: int
    unknown: int
    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A recorded prompt and the first completion of it.

    Attributes:
        env: the environment's name.
        sampled: where it is from, in words.
        is_chat: whether the prompt is a user message; None where that is not recorded.
    """

    env: str
    domain: str
    sampled: str
    prompt: str
    completion: str
    outcome: str
    reason: str
    is_chat: bool | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a card is written from.

    Attributes:
        name: the model's.
        license: an SPDX expression; None where none was stated.
        config: the run's.
        manifest: as the run wrote it; empty where it is missing.
        checkpoint: the update whose checkpoint this is; None for the final policy.
        is_finished: whether the run has a final policy.
        same_as: the checkpoint whose weights the final policy has, where training stopped early and one has.
        architecture: the model's config.json.
        parameters: numbers in the weights.
        updates: the last that was recorded.
        step_seconds: what the recorded steps took together.
        before, after: the run's own evaluations of the policy at the start of GRPO and of the final one.
        others: further evaluations of these weights.
        asked: what training asked.
        frontier: tasks tried before the first step, and tasks kept.
        shared: held-out tasks that training asked; None where either is not recorded.
        examples: one for each environment.
        trust: what is known about the verdicts; None where these weights have no evaluation.
        redacted: the files in which values that look secret were replaced; what is here holds none of them either.
        shortened: the files in which absolute paths were cut to their last part.
    """

    name: str
    license: str | None
    config: Config
    manifest: Mapping[str, Any]
    checkpoint: int | None
    is_finished: bool
    same_as: str | None
    architecture: Mapping[str, Any]
    parameters: int
    updates: int | None
    step_seconds: float
    before: StoredEvaluation | None
    after: StoredEvaluation | None
    others: Sequence[StoredEvaluation]
    asked: Sequence[Asked]
    frontier: tuple[int, int] | None
    shared: int | None
    examples: Sequence[Example]
    trust: Trust | None
    redacted: Sequence[str]
    shortened: Sequence[str]

    @property
    def total(self) -> int:
        """Updates that the configuration asks for."""
        return self.config.grpo.steps * self.config.grpo.minibatches

    @property
    def own(self) -> Sequence[StoredEvaluation]:
        """The evaluations of these very weights."""
        return [*([self.after] if self.after is not None and self.checkpoint is None else []), *self.others]

    @property
    def verifiers(self) -> Mapping[str, str]:
        """Version of each verifier that judged, as the run recorded it."""
        return dict(self.manifest.get("verifiers") or (self.before.evaluation.verifiers if self.before else {}))
