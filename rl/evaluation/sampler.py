"""Taking an evaluation's samples: chunk by chunk, verified beside generation, stored as each chunk is finished.

While the last verdicts on a chunk are still out, the next one is being sampled already. Chunks do not depend on each
other, so neither that nor an interruption changes what is sampled.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from proofgrad.envs.base import Env, Task, candidate_in
from proofgrad.rl.config import LoopConfig, PolicyConfig
from proofgrad.rl.console import Tracker, track
from proofgrad.rl.endpoint import EndpointDownError, EndpointEngine, NoTokenizer
from proofgrad.rl.engine import Engine, TransformersEngine, VLLMEngine, keep_weights_replaceable, start_vllm
from proofgrad.rl.evaluate import chunked
from proofgrad.rl.evaluation.directory import SAMPLES, ChunkPace, EvaluationDirectory, Item, Sampled, read_chunk
from proofgrad.rl.evaluation.settings import EvaluationSettings
from proofgrad.rl.evaluation.stored import read_rows
from proofgrad.rl.loop import GENERATION_FAILED, Attempt, Halt, Judging, Loop
from proofgrad.rl.policy import context_length, find_policy, load_policy, prompt_ids
from proofgrad.rl.rollout import Rollout, env_name
from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.errors import ConfigError

__all__ = [
    "Sampler",
    "Unjudged",
    "failed_samples",
    "missing_chunks",
    "open_sampler",
    "sample_chunks",
    "sample_failed",
]


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
        candidate = candidate_in(self.envs[env_name(task)], task, completion)
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
    config = settings.config().policy
    if settings.engine != "vllm":
        policy = load_policy(config)
        engine = TransformersEngine(policy.model, policy.tokenizer)
        yield Sampler(engine, policy.tokenizer, context_length(policy.model))
        return
    path, tokenizer, context = _without_weights(config)
    if settings.is_run:
        keep_weights_replaceable()  # the kernels that it was sampled with in training
    llm = start_vllm(path, max_model_len=context, memory=settings.vllm_memory, max_num_seqs=settings.sequences)
    yield Sampler(VLLMEngine(llm, tokenizer), tokenizer, context)


def _without_weights(config: PolicyConfig) -> tuple[str, Any, int]:
    """A policy's place, tokenizer and longest sequence: vLLM loads the weights, and need not share the memory."""
    from transformers import AutoConfig, AutoTokenizer

    path = find_policy(config)
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left")
        model = SimpleNamespace(config=AutoConfig.from_pretrained(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"policy.path: cannot load '{path}': {str(error).splitlines()[0]}") from error
    return path, tokenizer, context_length(model)


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
        pace = ChunkPace(0, now - begun, waited + now - sampled_at)
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
    pace: ChunkPace,
    is_last: bool,
) -> None:
    """Wait for the verdicts that are still out, and store a chunk; on a thread of its own."""
    started = time.monotonic()
    source.finish()
    pace += ChunkPace(sum(attempt.tokens_spent for attempt in attempts))
    if is_last:  # nothing is sampled meanwhile
        waited = time.monotonic() - started
        pace += ChunkPace(0, waited, waited)
    rollouts = [Rollout(a.task, a.prompt_ids, tuple(a.turns), a.halt or Halt.TURNS) for a in attempts]
    sampled = [Sampled(item, rollout) for item, rollout in zip(items, rollouts, strict=True)]
    directory.write_chunk(number, sampled, pace)


def failed_samples(directory: EvaluationDirectory) -> dict[int, list[int]]:
    """The places in each finished chunk, by its number, of samples whose last request failed."""
    found = {
        int(file.stem): [
            place for place, row in enumerate(read_rows(file, ("reason",))) if row["reason"] == GENERATION_FAILED
        ]
        for file in directory.chunks()
    }
    return {number: places for number, places in found.items() if places}


def sample_failed(
    failed: Mapping[int, Sequence[int]],
    directory: EvaluationDirectory,
    settings: EvaluationSettings,
    sampler: Sampler,
    judge: Judging,
) -> str:
    """Ask again for what `failed_samples` found, from the failed request on; all else in the chunks stays.

    What fails again stays UNKNOWN, and is none the worse for having been asked again.

    Returns:
        What came of it, in words.
    """
    chunks = {number: read_chunk(directory.chunk(number)) for number in failed}
    places = [(number, place) for number, found in failed.items() for place in found]
    still, why = 0, ""
    for is_sample in (True, False):
        part = [(n, place) for n, place in places if (chunks[n][place].item.part == SAMPLES) is is_sample]
        if not part:
            continue
        begun = time.monotonic()
        attempts = [_gone_on_with(chunks[number][place]) for number, place in part]
        kept = sum(attempt.tokens_spent for attempt in attempts)
        loop = settings.loop if is_sample else LoopConfig()
        with track("sampling again", len(part)) as tracker:
            source = Loop(
                attempts, judge, sampler.tokenizer, loop, max_tokens=settings.max_tokens, context=sampler.context,
                in_rounds=not sampler.engine.has_own_seeds, on_turn=tracker.advance,
            )  # fmt: skip
            try:
                sampler.engine.generate(source, settings.temperature)
            except EndpointDownError as error:
                why = str(error)
            source.finish()
        for (number, place), attempt in zip(part, attempts, strict=True):
            if attempt.halt is not None:
                rollout = Rollout(attempt.task, attempt.prompt_ids, tuple(attempt.turns), attempt.halt)
                chunks[number][place] = replace(chunks[number][place], rollout=rollout)
            verdict = chunks[number][place].rollout.verdict
            if verdict.reason == GENERATION_FAILED:
                still, why = still + 1, why or verdict.feedback
        took = ChunkPace(sum(attempt.tokens_spent for attempt in attempts) - kept, time.monotonic() - begun)
        for number in dict.fromkeys(number for number, _ in part):
            directory.write_chunk(number, chunks[number], directory.pace_of(number) + took)
            took = ChunkPace()
    told = f"{len(places)} samples whose requests had failed were sampled again"
    return f"{told}; {still} have failed again and stay UNKNOWN: {why}" if still else told


def _gone_on_with(one: Sampled) -> Attempt:
    """A rollout as it was before its last request failed."""
    *before, failed = one.rollout.turns
    return Attempt(one.item.task, one.rollout.prompt_ids, one.item.seed, list(before), begins_afresh=failed.is_fresh)


def _attempts(items: Sequence[Item], tokenizer: Any) -> list[Attempt]:
    prompts = {item.task.id: prompt_ids(tokenizer, item.task.prompt) for item in items}
    return [Attempt(item.task, prompts[item.task.id], item.seed) for item in items]
