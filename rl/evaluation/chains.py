"""Chains through a policy: a step is asked when the one before it is verified.

What a step may take (turns, budgets, halting) is the loop's own business (`proofgrad.rl.loop`). The same steps are
asked in isolation, too, so that success at a step inside a chain can be set against success at that very step alone
(`proofgrad.rl.evaluation.chain_results`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from proofgrad.envs.base import Task
from proofgrad.envs.chains import Chain, Context
from proofgrad.rl.config import LoopConfig
from proofgrad.rl.engine import Completion, Engine, Request, Sampling
from proofgrad.rl.loop import Attempt, Judging, Loop
from proofgrad.rl.policy import prompt_ids
from proofgrad.rl.rollout import Judge, Rollout, roll_out, sample_seed
from proofgrad.verifiers.base import Verdict

__all__ = ["ChainSource", "ChainWalk", "follow_chains", "isolate_steps"]


@dataclass(slots=True)
class ChainWalk:
    """A chain as far as the policy got.

    Attributes:
        chain: its tasks.
        steps: a rollout for each step that was asked; all but the last are verified.
    """

    chain: Chain
    steps: list[Rollout] = field(default_factory=list)


class ChainSource:
    """A source of requests that follows chains from step to step; an engine draws from it (see `Source`).

    Args:
        chains: to be followed.
        judge: has candidates verified, and words their feedback.
        tokenizer: the policy's.
        settings: turns of one step, budgets and when to halt.
        max_tokens: the longest completion of one turn.
        context: ``carried`` shows the policy its verified answers to the earlier steps.
        longest: the longest sequence that the engine holds, in tokens; None for no bound. A step whose context does not
            fit fails, with the reason ``env.prompt_too_long``.
        in_rounds: give requests out when all present verdicts are in.
        on_end: called as chains end.
    """

    def __init__(
        self,
        chains: Sequence[Chain],
        judge: Judging,
        tokenizer: Any,
        settings: LoopConfig,
        *,
        max_tokens: int,
        context: Context = "carried",
        longest: int | None = None,
        in_rounds: bool = True,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._judge, self._tokenizer, self._settings = judge, tokenizer, settings
        self._max_tokens, self._context, self._longest = max_tokens, context, longest
        self._in_rounds, self._on_end = in_rounds, on_end
        self._changed = threading.Condition()
        self._news: set[int] = set(range(len(chains)))
        self._sampling = 0
        self._judging = 0
        self.walks = [ChainWalk(chain) for chain in chains]
        self._steps = [self._step(number) for number in range(len(chains))]

    def take(self, wait: bool) -> Sequence[Request]:
        """The requests of the chains that can go on; see `Source`."""
        while True:
            with self._changed:
                has_news = self._has_news()
                numbers = sorted(self._news) if has_news else []
                self._news -= set(numbers)
            requests = [request for number in numbers for request in self._follow(number)]
            self._sampling += len(requests)
            with self._changed:
                is_over = not self._sampling and not self._judging and not self._news
                if requests or not wait or is_over:
                    return requests
                self._changed.wait_for(self._has_news)

    def put(self, request_id: int, completion: Completion) -> None:
        """Have a completion judged; see `Source`."""
        with self._changed:
            self._sampling -= 1
            self._judging += 1
        self._steps[request_id].loop.put(0, completion)

    def _has_news(self) -> bool:
        """Whether a chain can go on: once its verdict is in, or in rounds once all of them are."""
        return bool(self._news) and not (self._in_rounds and (self._sampling or self._judging))

    def _follow(self, number: int) -> list[Request]:
        """Take a chain as far as it goes without the engine: to its next request, or to its end."""
        walk = self.walks[number]
        while True:
            step = self._steps[number]
            requests = step.loop.take(wait=False)
            if step.attempt.halt is None:
                return [replace(request, id=number) for request in requests]
            walk.steps.append(
                Rollout(step.asked, step.attempt.prompt_ids, tuple(step.attempt.turns), step.attempt.halt)
            )
            if not walk.steps[-1].verdict.is_pass or len(walk.steps) == len(walk.chain.steps):
                self._on_end()
                return []
            self._steps[number] = self._step(number)

    def _step(self, number: int) -> _Step:
        walk = self.walks[number]
        asked = walk.chain.asked([rollout.turns[-1].completion.text for rollout in walk.steps], self._context)
        own = walk.chain.steps[len(walk.steps)]
        # A plain prompt is asked again behind feedback: that is the step's own, not all that stands before it.
        task = own if isinstance(own.prompt, str) else asked
        seed = sample_seed("chain", walk.chain.id, len(walk.steps))
        attempt = Attempt(task, prompt_ids(self._tokenizer, asked.prompt), seed)
        loop = Loop(
            [attempt], _Telling(self._judge, asked, lambda: self._arrived(number)), self._tokenizer, self._settings,
            max_tokens=self._max_tokens, context=self._longest, in_rounds=False,
        )  # fmt: skip
        return _Step(asked, attempt, loop)

    def _arrived(self, number: int) -> None:  # on a thread of the pool's
        with self._changed:
            self._judging -= 1
            self._news.add(number)
            self._changed.notify()


class _Step(NamedTuple):
    """A chain's present step: the task with what stands before it, and the loop that it is in."""

    asked: Task
    attempt: Attempt
    loop: Loop


@dataclass(frozen=True, slots=True)
class _Telling:
    """A judge that reads answers with the task as it was asked, and tells when a verdict has reached the loop."""

    judge: Judging
    asked: Task
    arrived: Callable[[], None]

    def submit(self, task: Task, completion: str) -> tuple[str | None, Future[Verdict]]:
        candidate, verdict = self.judge.submit(self.asked, completion)
        told: Future[Verdict] = Future()

        def pass_on(done: Future[Verdict]) -> None:
            if done.cancelled():
                told.cancel()
            elif (error := done.exception()) is not None:
                told.set_exception(error)
            else:
                told.set_result(done.result())
            self.arrived()  # behind the loop's own callback: whoever is woken finds the verdict there

        verdict.add_done_callback(pass_on)
        return candidate, told

    def feedback(self, task: Task, verdict: Verdict) -> str:
        return self.judge.feedback(self.asked, verdict)


def follow_chains(
    chains: Sequence[Chain],
    engine: Engine,
    tokenizer: Any,
    judge: Judging,
    sampling: Sampling,
    loop: LoopConfig,
    *,
    context: Context = "carried",
    longest: int | None = None,
    on_end: Callable[[], None] = lambda: None,
) -> list[ChainWalk]:
    """Take each chain from step to step until one is not verified; walks in the order of `chains`."""
    source = ChainSource(
        chains, judge, tokenizer, loop, max_tokens=sampling.max_tokens, context=context, longest=longest,
        in_rounds=not engine.has_own_seeds, on_end=on_end,
    )  # fmt: skip
    engine.generate(source, sampling.temperature)
    return source.walks


def isolate_steps(
    chains: Sequence[Chain],
    engine: Engine,
    tokenizer: Any,
    judge: Judge,
    sampling: Sampling,
    loop: LoopConfig,
    *,
    longest: int | None = None,
    on_turn: Callable[[], None] = lambda: None,
) -> list[list[Rollout]]:
    """Ask every step of every chain alone, as its environment asks it: for each chain the rollouts of its steps."""
    tasks = [task for chain in chains for task in chain.steps]
    seeds = [sample_seed("alone", chain.id, step) for chain in chains for step in range(len(chain.steps))]
    rollouts = iter(roll_out(tasks, seeds, engine, tokenizer, judge, sampling, loop, longest, on_turn))
    return [[next(rollouts) for _ in chain.steps] for chain in chains]
