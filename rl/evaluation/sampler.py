"""Taking an evaluation's samples: chunk by chunk, verified beside generation, stored as each chunk is finished.

While the last verdicts on a chunk are still out, the next one is being sampled already. Chunks do not depend on each
other, so neither that nor an interruption changes what is sampled.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from proofgrad.envs.base import Env, Task, TaskReader
from proofgrad.rl.config import LoopConfig
from proofgrad.rl.console import Tracker, track
from proofgrad.rl.endpoint import EndpointEngine, NoTokenizer
from proofgrad.rl.engine import Engine, TransformersEngine, VLLMEngine, keep_weights_replaceable, start_vllm
from proofgrad.rl.evaluate import chunked
from proofgrad.rl.evaluation.directory import SAMPLES, EvaluationDirectory, Item, Pace, Sampled
from proofgrad.rl.evaluation.settings import EvaluationSettings
from proofgrad.rl.loop import Attempt, Halt, Judging, Loop
from proofgrad.rl.policy import context_length, load_policy, prompt_ids
from proofgrad.rl.rollout import Rollout, env_name
from proofgrad.verifiers.base import Verdict

__all__ = ["Sampler", "Unjudged", "missing_chunks", "open_sampler", "sample_chunks"]


@dataclass(frozen=True, slots=True)
class Sampler:
    """A policy that is ready to be sampled.

    Attributes:
        engine: samples.
        tokenizer: the policy's.
        context: the longest sequence that the engine holds, in tokens; None where it does not say.
    """

    engine: Engine
    tokenizer: Any
    context: int | None


@dataclass(frozen=True, slots=True)
class Unjudged:
    """In place of a judge, for completions that are to be judged later: each verdict is UNKNOWN."""

    envs: Mapping[str, Env]

    def submit(self, task: Task, completion: str) -> tuple[str | None, Future[Verdict]]:
        """The candidate in a completion, and no verdict."""
        env = self.envs[env_name(task)]
        candidate = env.candidate(task, completion) if isinstance(env, TaskReader) else env.extract(completion)
        verdict: Future[Verdict] = Future()
        verdict.set_result(Verdict.unknown("infra.not_judged", feedback="Nobody has judged this yet."))
        return candidate, verdict

    def feedback(self, task: Task, verdict: Verdict) -> str:
        """Nothing is said about what was not judged."""
        return ""


@contextmanager
def open_sampler(settings: EvaluationSettings, endpoint: EndpointEngine | None = None) -> Iterator[Sampler]:
    """Load the policy and start its engine; `endpoint` is one that is there already, which is closed at the end.

    Raises:
        ConfigError: the policy cannot be loaded.
    """
    if endpoint is not None:
        try:
            yield Sampler(endpoint, NoTokenizer(), None)
        finally:
            endpoint.close()
        return
    policy = load_policy(settings.config().policy)
    context = context_length(policy.model)
    if settings.engine != "vllm":
        yield Sampler(TransformersEngine(policy.model, policy.tokenizer), policy.tokenizer, context)
        return
    if settings.is_run:
        keep_weights_replaceable()  # the kernels that it was sampled with in training
    llm = start_vllm(policy.path, max_model_len=context, memory=settings.vllm_memory, max_num_seqs=settings.sequences)
    yield Sampler(VLLMEngine(llm, policy.tokenizer), policy.tokenizer, context)


def missing_chunks(
    directory: EvaluationDirectory, items: Sequence[Item], settings: EvaluationSettings
) -> list[tuple[int, Sequence[Item]]]:
    """The chunks that are still to be sampled, with their numbers; one has items of one part only.

    Raises:
        ConfigError: what is stored was asked other tasks, as after a file of them was changed.
    """
    parts = [[item for item in items if (item.part == SAMPLES) is is_sample] for is_sample in (True, False)]
    every = dict(enumerate(chunk for part in parts for chunk in chunked(part, settings.chunk)))
    directory.check_chunks(every)
    return [(number, chunk) for number, chunk in every.items() if not directory.chunk(number).is_file()]


def sample_chunks(
    chunks: Sequence[tuple[int, Sequence[Item]]],
    directory: EvaluationDirectory,
    settings: EvaluationSettings,
    sampler: Sampler,
    judge: Judging,
) -> None:
    """Sample chunks and store each as soon as its verdicts are in.

    Whatever is raised, the chunks that were finished before are stored.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="chunk") as finishing:
        for is_sample, label in ((True, "evaluating"), (False, "best-of-n")):
            of_part = [(number, items) for number, items in chunks if (items[0].part == SAMPLES) is is_sample]
            if not of_part:
                continue
            loop = settings.loop if is_sample else LoopConfig()
            total = sum(len(items) for _, items in of_part) * loop.max_turns
            with track(label, total) as tracker:
                _sample_part(of_part, directory, settings, loop, sampler, judge, tracker, finishing)


def _sample_part(
    chunks: Sequence[tuple[int, Sequence[Item]]],
    directory: EvaluationDirectory,
    settings: EvaluationSettings,
    loop: LoopConfig,
    sampler: Sampler,
    judge: Judging,
    tracker: Tracker,
    finishing: ThreadPoolExecutor,
) -> None:
    before: Future[None] | None = None
    for number, items in chunks:
        begun = time.monotonic()
        attempts = _attempts(items, sampler.tokenizer)
        source = Loop(
            attempts, judge, sampler.tokenizer, loop, max_tokens=settings.max_tokens, context=sampler.context,
            in_rounds=not sampler.engine.has_own_seeds, on_turn=tracker.advance,
        )  # fmt: skip
        sampler.engine.generate(source, settings.temperature)
        waited, sampled_at = source.waited_s, time.monotonic()
        if before is not None:
            before.result()  # one chunk at most is sampled ahead of the verdicts
        now = time.monotonic()
        pace = Pace(0, now - begun, waited + now - sampled_at)
        is_last = number == chunks[-1][0]
        before = finishing.submit(_finish, directory, number, items, attempts, source, pace, is_last)
    if before is not None:
        before.result()


def _finish(
    directory: EvaluationDirectory,
    number: int,
    items: Sequence[Item],
    attempts: Sequence[Attempt],
    source: Loop,
    pace: Pace,
    is_last: bool,
) -> None:
    """Wait for the verdicts that are still out, and store a chunk; on a thread of its own."""
    started = time.monotonic()
    source.finish()
    pace += Pace(sum(attempt.tokens_spent for attempt in attempts))
    if is_last:  # nothing is sampled meanwhile
        waited = time.monotonic() - started
        pace += Pace(0, waited, waited)
    rollouts = [Rollout(a.task, a.prompt_ids, tuple(a.turns), a.halt or Halt.TURNS) for a in attempts]
    sampled = [Sampled(item, rollout) for item, rollout in zip(items, rollouts, strict=True)]
    directory.write_chunk(number, sampled, pace)


def _attempts(items: Sequence[Item], tokenizer: Any) -> list[Attempt]:
    prompts = {item.task.id: prompt_ids(tokenizer, item.task.prompt) for item in items}
    return [Attempt(item.task, prompts[item.task.id], item.seed) for item in items]
