"""From tasks to verified completions: generation and verification, overlapped.

A completion goes to the verifier pool the moment its last token is sampled, while the others are still being written.
`RolloutFunction` is the same thing in the shape that TRL's GRPOTrainer calls.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from proofgrad.envs.base import Env, Prompt, Task, candidate_in
from proofgrad.envs.curriculum import Level
from proofgrad.rl.config import GRPOSettings, LoopConfig
from proofgrad.rl.engine import Engine, Sampling
from proofgrad.rl.groups import Batch, Group, grouped, has_no_variance, refill, unlikeliness_rewards
from proofgrad.rl.loop import Attempt, Halt, Loop, Turn, last_segment
from proofgrad.rl.policy import prompt_ids
from proofgrad.verifiers.base import Json, Outcome, Verdict
from proofgrad.verifiers.pool import VerifierPool

if TYPE_CHECKING:
    from proofgrad.rl.stream import TaskStream

__all__ = [
    "Judge",
    "Result",
    "Rollout",
    "RolloutFunction",
    "env_name",
    "level_of",
    "prompt_key",
    "proved",
    "results_of",
    "reward",
    "roll_out",
    "sample_seed",
]

_ONE_TURN = LoopConfig()
_PLAIN = GRPOSettings()

Result: TypeAlias = tuple[Level, bool]
"""One judged completion: its task's level, and whether it was verified."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A task from its prompt to its final verdict: one attempt, or several, with feedback between them or begun again.

    What is trained on is the last segment: the attempts since the task was last begun from its bare prompt. With the
    prompt before it, that is a whole trajectory as the policy sampled it; the attempts before are in `turns` alone.

    Attributes:
        turns: the attempts of all segments, at least one.
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
    def segment(self) -> Sequence[Turn]:
        """The attempts since the task was last begun."""
        return last_segment(self.turns)

    @property
    def completion_ids(self) -> list[int]:
        """All that follows the prompt in the last segment: the policy's tokens, and what was put in between."""
        return [id_ for turn in self.segment for id_ in (*turn.completion.token_ids, *turn.follow_up_ids)]

    @property
    def is_action(self) -> list[int]:
        """For each of `completion_ids`, 1 where the policy wrote it and 0 where it was put in, which has no loss."""
        return [
            flag for t in self.segment for flag in (*[1] * len(t.completion.token_ids), *[0] * len(t.follow_up_ids))
        ]

    @property
    def logprobs(self) -> list[float]:
        """For each of `completion_ids`, its log-probability when it was sampled; 0 where it was put in."""
        return [value for t in self.segment for value in (*t.completion.logprobs, *[0.0] * len(t.follow_up_ids))]

    @property
    def tokens(self) -> int:
        """Tokens that the policy wrote, over all segments."""
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
            "logprob": sum(self.logprobs),
            "truncated": self.truncated,
            "candidate": last.candidate,
            "verifier": self.task.verifier,
            "problem": json.dumps(self.task.problem),
            "outcome": self.verdict.outcome.value,
            "score": self.verdict.score,
            "reason": self.verdict.reason,
            "feedback": self.verdict.feedback,
            "verify_seconds": sum(turn.verdict.seconds for turn in self.turns),
            "generate_seconds": sum(turn.seconds for turn in self.turns),
            "turn_count": len(self.turns),
            "halt": self.halt.value,
            "turns": json.dumps([_turn_row(turn) for turn in self.turns]),
        }


def _turn_row(turn: Turn) -> dict[str, Json]:
    return {
        "completion": turn.completion.text,
        "is_fresh": turn.is_fresh,
        "candidate": turn.candidate,
        "outcome": turn.verdict.outcome.value,
        "score": turn.verdict.score,
        "reason": turn.verdict.reason,
        "feedback": turn.verdict.feedback,
        "tokens": len(turn.completion.token_ids),
        "generate_seconds": round(turn.seconds, 4),
        "verify_seconds": round(turn.verdict.seconds, 4),
    }


@dataclass(frozen=True, slots=True)
class Judge:
    """Reads a completion with its task's environment and has the candidate verified."""

    envs: Mapping[str, Env]
    pool: VerifierPool

    def submit(self, task: Task, completion: str) -> tuple[str | None, Future[Verdict]]:
        """The candidate in a completion, and its verdict to come."""
        candidate = candidate_in(self.envs[env_name(task)], task, completion)
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


def level_of(task: Task) -> Level:
    """A task's environment and its difficulty there."""
    return env_name(task), task.difficulty


def results_of(rollouts: Iterable[Rollout]) -> list[Result]:
    """What was judged; UNKNOWN is no result."""
    return [(level_of(r.task), r.verdict.is_pass) for r in rollouts if r.verdict.outcome is not Outcome.UNKNOWN]


def prompt_key(prompt: Prompt) -> str:
    """A prompt as one string, equal for equal prompts whatever the order of a message's keys."""
    return prompt if isinstance(prompt, str) else json.dumps([[m["role"], m["content"]] for m in prompt])


def sample_seed(*parts: int | str) -> int:
    """A 63-bit seed that is a function of `parts` alone: the same run, step and place give the same sample."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


@dataclass(slots=True)
class Pace:
    """How fast rollouts were made.

    Attributes:
        tokens: that the policy wrote.
        seconds: in all.
        waited_s: of these, those in which nothing could be sampled because verdicts were outstanding.
    """

    tokens: int = 0
    seconds: float = 0.0
    waited_s: float = 0.0

    def metrics(self) -> dict[str, float]:
        """Tokens a second, and the share of the time that went into waiting for verdicts."""
        seconds = max(self.seconds, 1e-9)
        return {"tokens_per_second": self.tokens / seconds, "wait_time_share": self.waited_s / seconds}


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
    pace: Pace | None = None,
) -> list[Rollout]:
    """Take each task through its turns (repeat a task to sample it several times).

    Returns rollouts in the order of `tasks`. `on_turn` is called as completions finish; `context` is the longest
    sequence that the engine holds. What it took is added to `pace`.
    """
    started = time.monotonic()
    prompts = {task.id: prompt_ids(tokenizer, task.prompt) for task in {task.id: task for task in tasks}.values()}
    attempts = [Attempt(task, prompts[task.id], seed) for task, seed in zip(tasks, seeds, strict=True)]
    source = Loop(
        attempts, judge, tokenizer, loop, max_tokens=sampling.max_tokens, context=context,
        in_rounds=not engine.has_own_seeds, on_turn=on_turn,
    )  # fmt: skip
    engine.generate(source, sampling.temperature)
    source.finish()
    if pace is not None:
        pace.tokens += sum(attempt.tokens_spent for attempt in attempts)
        pace.seconds += time.monotonic() - started
        pace.waited_s += source.waited_s
    return [Rollout(a.task, a.prompt_ids, tuple(a.turns), a.halt or Halt.TURNS) for a in attempts]


def reward(rollout: Rollout, loop: LoopConfig) -> float | None:
    """What a rollout is worth: None for UNKNOWN, discount ** t when verified at turn t, else partial credit.

    Turns are those of the last segment, which is what is trained on: how often the task was begun before is not its
    doing. Partial credit is the best score of these, scaled to stay under the least that a verified task is worth.
    """
    if rollout.verdict.outcome is Outcome.UNKNOWN:
        return None
    if rollout.verdict.is_pass:
        return loop.discount ** (len(rollout.segment) - 1)
    best = max(turn.verdict.score or 0.0 for turn in rollout.segment)
    return loop.partial_credit * best * loop.discount ** (loop.max_turns - 1)


class RolloutFunction:
    """TRL's `rollout_func`: prompts in, verified completions out.

    TRL hands over this process's slice of the batch, each prompt repeated once for every completion of its group, and
    hands `verdict_reward` on to the reward function. It takes a group for `group_size` rows in a row and looks at the
    prompts it asked with no more, so that a group of another task can stand in a group's place.

    Args:
        engine: made when first called, since TRL starts the colocated vLLM in the trainer's constructor.
        on_batch: receives each batch, e.g. to record it.

    Attributes:
        stream: says which tasks are asked; to be set before the first call.
    """

    stream: TaskStream

    def __init__(
        self,
        engine: Callable[[Any], Engine],
        judge: Judge,
        sampling: Sampling,
        seed: int,
        on_batch: Callable[[Batch], None],
        loop: LoopConfig = _ONE_TURN,
        context: int | None = None,
        grpo: GRPOSettings = _PLAIN,
    ) -> None:
        self._make_engine, self._judge = engine, judge
        self._sampling, self._seed, self._on_batch = sampling, seed, on_batch
        self._loop, self._context, self._grpo = loop, context, grpo
        self._engine: Engine | None = None
        self._pace = Pace()

    def __call__(self, prompts: Sequence[Any], trainer: Any) -> dict[str, list[Any]]:
        # The global step stands in the seed: a resumed run samples what the undisturbed one would have.
        where = (trainer.state.global_step, trainer.accelerator.process_index)
        self._pace = Pace()
        first = self._sample(self.stream.asked(prompts, where[0]), trainer, *where)
        batch = self._taught(first, trainer, *where)
        batch = replace(batch, metrics=batch.metrics | self._pace.metrics())
        self._on_batch(batch)
        # TRL looks at each completion's last token; where none was sampled, for want of room, one is put in.
        none = [trainer.processing_class.eos_token_id]
        return {
            "prompt_ids": [r.prompt_ids for r in batch.rollouts],
            "completion_ids": [r.completion_ids or none for r in batch.rollouts],
            "logprobs": [r.logprobs or [0.0] for r in batch.rollouts],
            "env_mask": [r.is_action or [0] for r in batch.rollouts],
            "verdict_reward": self._rewards(batch.rollouts),
        }

    def _sample(self, tasks: Sequence[Task], trainer: Any, *where: int | str) -> list[Rollout]:
        seeds = [sample_seed(self._seed, *where, index) for index in range(len(tasks))]
        engine = self._engine = self._engine or self._make_engine(trainer)
        return roll_out(
            tasks, seeds, engine, trainer.processing_class, self._judge, self._sampling, self._loop, self._context,
            pace=self._pace,
        )  # fmt: skip

    def _taught(self, first: list[Rollout], trainer: Any, step: int, process: int) -> Batch:
        """What is trained on: `first` itself, or with groups replaced where the configuration asks for it."""
        size, rounds = self._grpo.group_size, self._grpo.refill.rounds
        if not rounds and self.stream.curriculum is None:
            return Batch(first)

        def instead(task: Task, asked: Collection[str], number: int, place: int) -> Task:
            return self.stream.instead(task, asked, step, process, number, place)

        def sample(tasks: Sequence[Task], number: int) -> list[Group]:
            repeated = [task for task in tasks for _ in range(size)]
            return grouped(self._sample(repeated, trainer, step, process, "refill", number), size)

        groups = grouped(first, size)
        kept, thrown = refill(groups, rounds, instead, sample)
        batch = Batch([r for group in kept for r in group], [r for group in thrown for r in group])
        counts = {
            "groups": len(groups),
            "zero_variance": sum(map(has_no_variance, groups)),
            "zero_variance_left": sum(map(has_no_variance, kept)),
            "refilled": len(thrown),
            "thrown_verified": sum(r.verdict.is_pass for r in batch.thrown),
        }
        results = results_of(batch.rollouts + batch.thrown)
        return replace(batch, metrics=self._told(counts, results_of(first), results))

    def _told(self, counts: dict[str, int], first: Sequence[Result], every: Sequence[Result]) -> dict[str, float]:
        """Tell the stream how all processes fared; figures that are equal on all of them, so that all stop together."""
        from accelerate.utils import gather_object

        counts_of_all = gather_object([counts])
        first, every = gather_object(list(first)), gather_object(list(every))
        self.stream.observe(every)
        metrics = {key: float(sum(each[key] for each in counts_of_all)) for key in counts}
        groups = metrics.pop("groups")
        metrics |= {key: metrics[key] / groups for key in ("zero_variance", "zero_variance_left")}
        if first:
            metrics["drawn_solved"] = sum(solved for _, solved in first) / len(first)
        if (curriculum := self.stream.curriculum) is not None:
            metrics["curriculum/solved"] = curriculum.solved_share
            for env, level in curriculum.levels:
                name = env if level is None else f"{env}/{level:g}"
                metrics[f"curriculum/rate/{name}"] = curriculum.solve_rate((env, level))
                metrics[f"curriculum/weight/{name}"] = curriculum.weights(env)[env, level]
        return metrics

    def _rewards(self, rollouts: Sequence[Rollout]) -> list[float | None]:
        rewards = [reward(r, self._loop) for r in rollouts]
        if not self._grpo.unlikeliness:
            return rewards
        groups = zip(grouped(rollouts, self._grpo.group_size), grouped(rewards, self._grpo.group_size), strict=True)
        return [r for group, worth in groups for r in unlikeliness_rewards(group, worth, self._grpo.unlikeliness)]


def proved(prompts: Sequence[Any], verdict_reward: Sequence[float | None], **_: Any) -> list[float | None]:
    """TRL reward function: what the verdicts are worth. None for UNKNOWN, which TRL leaves out of the baseline."""
    return list(verdict_reward)
