"""From tasks to verified completions: generation and verification, overlapped.

A completion goes to the verifier pool the moment its last token is sampled, while the others are still being written.
`RolloutFunction` is the same thing in the shape that TRL's GRPOTrainer calls.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from proofgrad.envs.base import Env, Prompt, Task, TaskReader
from proofgrad.rl.engine import Completion, Engine, Request, Sampling
from proofgrad.rl.policy import prompt_ids
from proofgrad.verifiers.base import Json, Verdict
from proofgrad.verifiers.pool import VerifierPool

__all__ = ["Judge", "Rollout", "RolloutFunction", "env_name", "prompt_key", "proved", "roll_out", "sample_seed"]


@dataclass(frozen=True, slots=True)
class Rollout:
    """One completion of one task, and what became of it."""

    task: Task
    prompt_ids: list[int]
    completion: Completion
    candidate: str | None
    verdict: Verdict

    def to_row(self) -> dict[str, Json]:
        """Plain values, one table row."""
        return {
            "task": self.task.id,
            "domain": self.task.domain,
            "difficulty": self.task.difficulty,
            "split": self.task.split,
            "source": self.task.source,
            "prompt": self.task.prompt if isinstance(self.task.prompt, str) else self.task.prompt[-1]["content"],
            "completion": self.completion.text,
            "tokens": len(self.completion.token_ids),
            "truncated": self.completion.truncated,
            "candidate": self.candidate,
            "verifier": self.task.verifier,
            "problem": json.dumps(self.task.problem),
            "outcome": self.verdict.outcome.value,
            "score": self.verdict.score,
            "reason": self.verdict.reason,
            "feedback": self.verdict.feedback,
            "verify_seconds": self.verdict.seconds,
        }


@dataclass(frozen=True, slots=True)
class Judge:
    """Reads a completion with its task's environment and has the candidate verified."""

    envs: Mapping[str, Env]
    pool: VerifierPool

    def submit(self, task: Task, completion: str) -> tuple[str | None, Future[Verdict]]:
        """The candidate in a completion, and its verdict to come."""
        env = self.envs[env_name(task)]
        candidate = env.candidate(task, completion) if isinstance(env, TaskReader) else env.extract(completion)
        if candidate is None:
            done: Future[Verdict] = Future()
            done.set_result(Verdict.failed("env.no_answer", feedback="There is no answer in this completion."))
            return None, done
        return candidate, self.pool.submit(task.verifier, task.problem, candidate)


def env_name(task: Task) -> str:
    """The environment that a task came from: `source` is ``name@seed``."""
    return task.source.partition("@")[0]


def prompt_key(prompt: Prompt) -> str:
    """A prompt as one string, equal for equal prompts whatever the order of a message's keys."""
    return prompt if isinstance(prompt, str) else json.dumps([[m["role"], m["content"]] for m in prompt])


def sample_seed(*parts: int | str) -> int:
    """A 63-bit seed that is a function of `parts` alone: the same run, step and place give the same sample."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


def roll_out(
    tasks: Sequence[Task],
    seeds: Sequence[int],
    engine: Engine,
    tokenizer: Any,
    judge: Judge,
    sampling: Sampling,
    on_completion: Callable[[], None] = lambda: None,
) -> list[Rollout]:
    """Sample one completion of each task (repeat a task to sample it several times) and verify it.

    Returns rollouts in the order of `tasks`. `on_completion` is called as completions finish.
    """
    prompts = {task.id: prompt_ids(tokenizer, task.prompt) for task in tasks}
    requests = [Request(prompts[task.id], seed) for task, seed in zip(tasks, seeds, strict=True)]
    judged: dict[int, tuple[Completion, str | None, Future[Verdict]]] = {}

    def take(index: int, completion: Completion) -> None:
        judged[index] = (completion, *judge.submit(tasks[index], completion.text))
        on_completion()

    engine.generate(requests, sampling, take)
    return [
        Rollout(task, prompts[task.id], completion, candidate, verdict.result())
        for task, (completion, candidate, verdict) in ((task, judged[i]) for i, task in enumerate(tasks))
    ]


class RolloutFunction:
    """TRL's `rollout_func`: prompts in, verified completions out.

    TRL hands over this process's slice of the batch, each prompt repeated once for every completion of its group, and
    hands `verdict_score` on to the reward function.

    Args:
        tasks: every task that may be asked, by `prompt_key`.
        engine: made when first called, since TRL starts the colocated vLLM in the trainer's constructor.
        on_rollouts: receives each batch, e.g. to record it.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        engine: Callable[[Any], Engine],
        judge: Judge,
        sampling: Sampling,
        seed: int,
        on_rollouts: Callable[[list[Rollout]], None],
    ) -> None:
        self._tasks, self._make_engine, self._judge = tasks, engine, judge
        self._sampling, self._seed, self._on_rollouts = sampling, seed, on_rollouts
        self._engine: Engine | None = None

    def __call__(self, prompts: Sequence[Any], trainer: Any) -> dict[str, list[Any]]:
        self._engine = self._engine or self._make_engine(trainer)
        tasks = [self._tasks[prompt_key(prompt)] for prompt in prompts]
        # The global step stands in the seed: a resumed run samples what the undisturbed one would have.
        where = (self._seed, trainer.state.global_step, trainer.accelerator.process_index)
        seeds = [sample_seed(*where, index) for index in range(len(tasks))]
        rollouts = roll_out(tasks, seeds, self._engine, trainer.processing_class, self._judge, self._sampling)
        self._on_rollouts(rollouts)
        return {
            "prompt_ids": [r.prompt_ids for r in rollouts],
            "completion_ids": [r.completion.token_ids for r in rollouts],
            "logprobs": [r.completion.logprobs for r in rollouts],
            "verdict_score": [r.verdict.score for r in rollouts],
        }


def proved(prompts: Sequence[Any], verdict_score: Sequence[float | None], **_: Any) -> list[float | None]:
    """TRL reward function: the verdict's score. None for UNKNOWN, which TRL leaves out of the group's baseline."""
    return list(verdict_score)
