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
from proofgrad.rl.config import LoopConfig
from proofgrad.rl.engine import Engine, Sampling
from proofgrad.rl.loop import Attempt, Halt, Loop, Turn
from proofgrad.rl.policy import prompt_ids
from proofgrad.verifiers.base import Json, Outcome, Verdict
from proofgrad.verifiers.pool import VerifierPool

__all__ = [
    "Judge",
    "Rollout",
    "RolloutFunction",
    "env_name",
    "prompt_key",
    "proved",
    "reward",
    "roll_out",
    "sample_seed",
]

_ONE_TURN = LoopConfig()


@dataclass(frozen=True, slots=True)
class Rollout:
    """A task from its prompt to its final verdict: one attempt, or several with feedback between them.

    Attributes:
        turns: the attempts, at least one.
        halt: why there was no further one.
    """

    task: Task
    prompt_ids: list[int]
    turns: tuple[Turn, ...]
    halt: Halt

    @property
    def verdict(self) -> Verdict:
        """That on the last attempt."""
        return self.turns[-1].verdict

    @property
    def completion_ids(self) -> list[int]:
        """All that follows the prompt: the policy's tokens, and what was put in between."""
        return [id_ for turn in self.turns for id_ in (*turn.completion.token_ids, *turn.follow_up_ids)]

    @property
    def is_action(self) -> list[int]:
        """For each of `completion_ids`, 1 where the policy wrote it and 0 where it was put in, which has no loss."""
        return [flag for t in self.turns for flag in (*[1] * len(t.completion.token_ids), *[0] * len(t.follow_up_ids))]

    @property
    def logprobs(self) -> list[float]:
        """For each of `completion_ids`, its log-probability when it was sampled; 0 where it was put in."""
        return [value for t in self.turns for value in (*t.completion.logprobs, *[0.0] * len(t.follow_up_ids))]

    @property
    def tokens(self) -> int:
        """Tokens that the policy wrote."""
        return sum(len(turn.completion.token_ids) for turn in self.turns)

    @property
    def truncated(self) -> bool:
        """Whether its last attempt was cut off."""
        return self.turns[-1].completion.truncated

    def to_row(self) -> dict[str, Json]:
        """Plain values, one table row: the attempt's own are those of the last; `turns` has them all, as JSON."""
        last = self.turns[-1]
        return {
            "task": self.task.id,
            "domain": self.task.domain,
            "difficulty": self.task.difficulty,
            "split": self.task.split,
            "source": self.task.source,
            "prompt": self.task.prompt if isinstance(self.task.prompt, str) else self.task.prompt[-1]["content"],
            "completion": last.completion.text,
            "tokens": self.tokens,
            "truncated": self.truncated,
            "candidate": last.candidate,
            "verifier": self.task.verifier,
            "problem": json.dumps(self.task.problem),
            "outcome": self.verdict.outcome.value,
            "score": self.verdict.score,
            "reason": self.verdict.reason,
            "feedback": self.verdict.feedback,
            "verify_seconds": sum(turn.verdict.seconds for turn in self.turns),
            "turn_count": len(self.turns),
            "halt": self.halt.value,
            "turns": json.dumps([_turn_row(turn) for turn in self.turns]),
        }


def _turn_row(turn: Turn) -> dict[str, Json]:
    return {
        "completion": turn.completion.text,
        "candidate": turn.candidate,
        "outcome": turn.verdict.outcome.value,
        "score": turn.verdict.score,
        "reason": turn.verdict.reason,
        "feedback": turn.verdict.feedback,
        "tokens": len(turn.completion.token_ids),
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

    def feedback(self, task: Task, verdict: Verdict) -> str:
        """What a task's environment says about a verdict."""
        return self.envs[env_name(task)].feedback(verdict)


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
    loop: LoopConfig = _ONE_TURN,
    context: int | None = None,
    on_turn: Callable[[], None] = lambda: None,
) -> list[Rollout]:
    """Take each task through its turns (repeat a task to sample it several times).

    Returns rollouts in the order of `tasks`. `on_turn` is called as completions finish; `context` is the longest
    sequence that the engine holds.
    """
    prompts = {task.id: prompt_ids(tokenizer, task.prompt) for task in tasks}
    attempts = [Attempt(task, prompts[task.id], seed) for task, seed in zip(tasks, seeds, strict=True)]
    source = Loop(
        attempts, judge, tokenizer, loop, max_tokens=sampling.max_tokens, context=context,
        in_rounds=not engine.has_own_seeds, on_turn=on_turn,
    )  # fmt: skip
    engine.generate(source, sampling.temperature)
    source.finish()
    return [Rollout(a.task, a.prompt_ids, tuple(a.turns), a.halt or Halt.TURNS) for a in attempts]


def reward(rollout: Rollout, loop: LoopConfig) -> float | None:
    """What a rollout is worth: None for UNKNOWN, discount ** t when verified at turn t, else partial credit.

    Partial credit is the best score of any turn, scaled to stay under the least that a verified task is worth.
    """
    if rollout.verdict.outcome is Outcome.UNKNOWN:
        return None
    if rollout.verdict.is_pass:
        return loop.discount ** (len(rollout.turns) - 1)
    best = max(turn.verdict.score or 0.0 for turn in rollout.turns)
    return loop.partial_credit * best * loop.discount ** (loop.max_turns - 1)


class RolloutFunction:
    """TRL's `rollout_func`: prompts in, verified completions out.

    TRL hands over this process's slice of the batch, each prompt repeated once for every completion of its group, and
    hands `verdict_reward` on to the reward function.

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
        loop: LoopConfig = _ONE_TURN,
        context: int | None = None,
    ) -> None:
        self._tasks, self._make_engine, self._judge = tasks, engine, judge
        self._sampling, self._seed, self._on_rollouts = sampling, seed, on_rollouts
        self._loop, self._context = loop, context
        self._engine: Engine | None = None

    def __call__(self, prompts: Sequence[Any], trainer: Any) -> dict[str, list[Any]]:
        self._engine = self._engine or self._make_engine(trainer)
        tasks = [self._tasks[prompt_key(prompt)] for prompt in prompts]
        # The global step stands in the seed: a resumed run samples what the undisturbed one would have.
        where = (self._seed, trainer.state.global_step, trainer.accelerator.process_index)
        seeds = [sample_seed(*where, index) for index in range(len(tasks))]
        rollouts = roll_out(
            tasks, seeds, self._engine, trainer.processing_class, self._judge, self._sampling, self._loop, self._context
        )
        self._on_rollouts(rollouts)
        return {
            "prompt_ids": [r.prompt_ids for r in rollouts],
            "completion_ids": [r.completion_ids for r in rollouts],
            "logprobs": [r.logprobs for r in rollouts],
            "env_mask": [r.is_action for r in rollouts],
            "verdict_reward": [reward(r, self._loop) for r in rollouts],
        }


def proved(prompts: Sequence[Any], verdict_reward: Sequence[float | None], **_: Any) -> list[float | None]:
    """TRL reward function: what the verdicts are worth. None for UNKNOWN, which TRL leaves out of the baseline."""
    return list(verdict_reward)
