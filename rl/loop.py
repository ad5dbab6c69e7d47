"""The policy loops on its own outputs: attempt, verdict, feedback, next attempt, until verified or out of budget.

`Loop` is the source that an engine draws from. A completion is handed to the verifiers the moment it is finished; when
its verdict is in, the task either halts, comes back with the environment's feedback as the next user turn, or is begun
again from its bare prompt, while other tasks are still being sampled. An engine that gives requests seeds of their own
is fed as verdicts come in; for one that does not, turns are rounds, so that what is sampled does not hang on which
verdict came first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from proofgrad.envs.base import Message, Prompt, Task
from proofgrad.rl.config import LoopConfig
from proofgrad.rl.engine import Completion, Request
from proofgrad.verifiers.base import Outcome, Verdict

__all__ = ["GENERATION_FAILED", "Attempt", "Halt", "Judging", "Loop", "Turn", "follow_up", "last_segment"]


GENERATION_FAILED = "infra.generation"
"""The reason of UNKNOWN where the engine has no completion to judge."""


class Halt(StrEnum):
    """Why a task got no further turn."""

    VERIFIED = "verified"
    UNKNOWN = "unknown"  # ours: there is nothing to tell the policy
    TURNS = "turns"
    BUDGET = "budget"  # of tokens, or of the policy's context
    REPEATED = "repeated"  # the same answer again, or the same error twice


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt.

    Attributes:
        completion: what the policy wrote.
        candidate: what was judged of it; None where there was nothing.
        verdict: on the candidate.
        follow_up_ids: tokens put in behind the completion, which are nobody's action: feedback and the opening of the
            next turn. Empty behind the last attempt, and where the next one begins again.
        seconds: from the moment its request was given to the engine until its completion was there; other requests
            were sampled beside it.
        is_fresh: whether the task was begun again here, from the bare prompt, so that this attempt saw none of those
            before it. The first attempt of all has nothing to begin again.
    """

    completion: Completion
    candidate: str | None
    verdict: Verdict
    follow_up_ids: tuple[int, ...] = ()
    seconds: float = 0.0
    is_fresh: bool = False


def last_segment(turns: Sequence[Turn]) -> Sequence[Turn]:
    """The turns since the task was last begun: with the prompt, all that the last attempt could see."""
    begun = [place for place, turn in enumerate(turns) if turn.is_fresh]
    return turns[begun[-1] :] if begun else turns


class Judging(Protocol):
    """What the loop needs of a judge."""

    def submit(self, task: Task, completion: str) -> tuple[str | None, Future[Verdict]]:
        """The candidate in a completion, and its verdict to come."""
        ...

    def feedback(self, task: Task, verdict: Verdict) -> str:
        """What the policy is told."""
        ...


@dataclass(slots=True)
class Attempt:
    """A task on its way through the loop.

    Attributes:
        turns: the attempts made.
        halt: why there will be no further one; None while there may be.
        begins_afresh: whether the next attempt sees none of `turns`.
    """

    task: Task
    prompt_ids: list[int]
    seed: int
    turns: list[Turn] = field(default_factory=list)
    halt: Halt | None = None
    begins_afresh: bool = False

    @property
    def ids_so_far(self) -> list[int]:
        """Prompt, completions and what was put in between, as the next turn goes on from them."""
        seen = [] if self.begins_afresh else last_segment(self.turns)
        return self.prompt_ids + [id_ for t in seen for id_ in (*t.completion.token_ids, *t.follow_up_ids)]

    @property
    def tokens_spent(self) -> int:
        """Tokens that the policy has written, over all turns."""
        return sum(len(turn.completion.token_ids) for turn in self.turns)


def follow_up(tokenizer: Any, task: Task, turns: Sequence[Turn], feedback: str) -> tuple[int, ...]:
    """Tokens that go between the last attempt and the next: the feedback, and what opens an answer.

    With messages the chat template says what stands there: its rendering of the whole conversation, behind the answer.
    The tokens already there stay as they were sampled. Plain prompts are asked again behind the feedback.
    """
    last = turns[-1].completion
    if isinstance(task.prompt, str):
        text = f"\n{feedback.strip()}\n{task.prompt}"
    else:
        # Templates strip an answer, take its thoughts out, or show the last one with more around it than an earlier one
        # (Qwen3). A mark in its place says where it ends; it is looked for from the front, since feedback may quote it.
        answer = Message(role="assistant", content=_ANSWER)
        asked = [*task.prompt, answer, Message(role="user", content=feedback.strip())]
        rest = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True).partition(_ANSWER)[2]
        # What closes the answer was sampled already.
        end = tokenizer.decode(last.token_ids[-1:]) if last.token_ids and not last.truncated else ""
        text = rest.removeprefix(end) if end else rest
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


class Loop:
    """A source of requests that follows each task through its turns.

    Args:
        attempts: the tasks, each with its prompt and seed.
        judge: has candidates verified, and words their feedback.
        tokenizer: the policy's.
        settings: turns, budgets and when to halt.
        max_tokens: the longest completion of one turn.
        context: the longest sequence that the engine holds, in tokens; None for no bound.
        in_rounds: give the next turns out when the verdicts of all present ones are in.
        on_turn: called as completions finish.
    """

    def __init__(
        self,
        attempts: Sequence[Attempt],
        judge: Judging,
        tokenizer: Any,
        settings: LoopConfig,
        *,
        max_tokens: int,
        context: int | None = None,
        in_rounds: bool = True,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._attempts, self._judge, self._tokenizer = attempts, judge, tokenizer
        self._settings, self._max_tokens, self._context = settings, max_tokens, context
        self._in_rounds, self._on_turn = in_rounds, on_turn
        self._ready = [request for number in range(len(attempts)) if (request := self._first(number)) is not None]
        self._sampling = 0
        self._judging = 0
        self._given: dict[int, float] = {}  # when the request of an attempt was given out
        self._judged: list[tuple[int, Completion, str | None, float, Future[Verdict]]] = []
        self._changed = threading.Condition()
        self.waited_s = 0.0
        """Seconds in which nothing could be sampled because verdicts were outstanding."""

    def take(self, wait: bool) -> Sequence[Request]:
        """The requests of the tasks that can go on; see `Source`."""
        while True:
            self._settle()
            round_is_over = not self._sampling and not self._judging
            if self._ready and (round_is_over or not self._in_rounds):
                requests, self._ready = sorted(self._ready, key=lambda request: request.id), []
                self._sampling += len(requests)
                self._given.update(dict.fromkeys((request.id for request in requests), time.monotonic()))
                return requests
            # With one turn a verdict brings no request: whoever samples may go, and `finish` waits.
            if not wait or round_is_over or self._settings.max_turns == 1:
                return []
            self._wait()

    def put(self, request_id: int, completion: Completion) -> None:
        """Have a completion judged; see `Source`."""
        self._sampling -= 1
        self._judging += 1
        seconds = time.monotonic() - self._given.pop(request_id)
        candidate, verdict = self._submit(self._attempts[request_id].task, completion)

        def arrived(done: Future[Verdict]) -> None:  # on a thread of the pool's
            with self._changed:
                self._judged.append((request_id, completion, candidate, seconds, done))
                self._changed.notify()

        verdict.add_done_callback(arrived)
        self._on_turn()

    def _submit(self, task: Task, completion: Completion) -> tuple[str | None, Future[Verdict]]:
        if not completion.failure:
            return self._judge.submit(task, completion.text)
        failed: Future[Verdict] = Future()
        failed.set_result(Verdict.unknown(GENERATION_FAILED, feedback=completion.failure))
        return None, failed

    def finish(self) -> None:
        """Wait for the verdicts that are still out, which are those of last turns."""
        while self._judging:
            self._wait()
            self._settle()

    def _wait(self) -> None:
        """Wait for a verdict."""
        started = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._judged)
        self.waited_s += time.monotonic() - started

    def _settle(self) -> None:
        """Decide about the tasks whose verdicts have come in."""
        with self._changed:
            judged, self._judged = self._judged, []
        for number, completion, candidate, seconds, verdict in judged:
            self._judging -= 1
            attempt = self._attempts[number]
            is_fresh, attempt.begins_afresh = attempt.begins_afresh, False
            attempt.turns.append(Turn(completion, candidate, verdict.result(), seconds=seconds, is_fresh=is_fresh))
            attempt.halt = self._halted(attempt) or self._go_on(number)

    def _halted(self, attempt: Attempt) -> Halt | None:
        settings, turn = self._settings, attempt.turns[-1]
        if turn.verdict.outcome is Outcome.PASS:
            return Halt.VERIFIED
        if turn.verdict.outcome is Outcome.UNKNOWN:
            return Halt.UNKNOWN
        if len(attempt.turns) >= settings.max_turns:
            return Halt.TURNS
        if settings.next_attempt == "revise" and settings.halt_on_repeat and _is_stuck(attempt.turns):
            return Halt.REPEATED
        return None

    def _go_on(self, number: int) -> Halt | None:
        """Give a task its next turn, unless there is no room for one."""
        attempt, request = self._attempts[number], None
        if not self._wants_fresh(attempt.turns):
            request = self._revision(number)
        if request is None and self._settings.next_attempt != "revise":
            request = self._afresh(number)
        if request is None:
            return Halt.BUDGET
        self._ready.append(request)
        return None

    def _wants_fresh(self, turns: Sequence[Turn]) -> bool:
        """Whether the next attempt is to begin again, as the settings have it."""
        match self._settings.next_attempt:
            case "fresh":
                return True
            case "alternate":
                return len(last_segment(turns)) > 1
            case "when_stuck":
                return _is_stuck(turns)
            case "revise":
                return False

    def _revision(self, number: int) -> Request | None:
        """The next turn behind the feedback on the last one; None where there is no room for it."""
        attempt = self._attempts[number]
        turn = attempt.turns[-1]
        feedback = self._judge.feedback(attempt.task, turn.verdict)
        ids = follow_up(self._tokenizer, attempt.task, attempt.turns, feedback)
        attempt.turns[-1] = replace(turn, follow_up_ids=ids)
        request = self._request(number)
        if request.max_tokens >= 1:
            return request
        attempt.turns[-1] = turn
        return None

    def _afresh(self, number: int) -> Request | None:
        """The next turn from the bare prompt; None where the budget of tokens is spent."""
        attempt = self._attempts[number]
        attempt.begins_afresh = True
        request = self._request(number)
        if request.max_tokens >= 1:
            return request
        attempt.begins_afresh = False
        return None

    def _first(self, number: int) -> Request | None:
        """A task's first turn; None for a prompt that fills the context, which fails without one."""
        request = self._request(number)
        if request.max_tokens >= 1:
            return request
        told = f"The prompt of {len(request.prompt_ids)} tokens leaves no room for an answer in the policy's context."
        verdict = Verdict.failed("env.prompt_too_long", feedback=told)
        attempt = self._attempts[number]
        attempt.turns.append(Turn(Completion([], [], "", truncated=True), None, verdict))
        attempt.halt = Halt.BUDGET
        return None

    def _request(self, number: int) -> Request:
        attempt = self._attempts[number]
        ids, room = attempt.ids_so_far, self._max_tokens
        if self._settings.token_budget is not None:
            room = min(room, self._settings.token_budget - attempt.tokens_spent)
        if self._context is not None:
            room = min(room, self._context - len(ids))
        # A turn's seed is a function of the task's and the turn's number: it does not hang on the order of verdicts.
        seed = (attempt.seed + len(attempt.turns) * _NEXT_TURN) % 2**63
        return Request(number, ids, seed, room, self._conversation(attempt))

    def _conversation(self, attempt: Attempt) -> Prompt:
        """What the next turn goes on from, as `ids_so_far` has it in tokens."""
        prompt = attempt.task.prompt
        for turn in [] if attempt.begins_afresh else last_segment(attempt.turns):
            feedback = self._judge.feedback(attempt.task, turn.verdict).strip()
            if isinstance(prompt, str):
                prompt = f"{prompt}{turn.completion.text}\n{feedback}\n{attempt.task.prompt}"
            else:
                answer = Message(role="assistant", content=turn.completion.text)
                prompt = [*prompt, answer, Message(role="user", content=feedback)]
        return prompt


# Stands for an answer in a rendered conversation; no prompt has it in it.
_ANSWER = "\N{MATHEMATICAL LEFT WHITE SQUARE BRACKET}answer\N{MATHEMATICAL RIGHT WHITE SQUARE BRACKET}"

# An odd number far from small ones: seeds of one task's turns never meet those of its neighbours.
_NEXT_TURN = 0x5851_F42D_4C95_7F2D


def _is_stuck(turns: Sequence[Turn]) -> bool:
    """Whether the last revision brought nothing new: the same candidate, or the same error in the same words."""
    seen = last_segment(turns)
    if len(seen) < 2:
        return False
    before, now = seen[-2:]
    said = [(turn.verdict.reason, turn.verdict.feedback) for turn in (before, now)]
    return now.candidate == before.candidate or said[0] == said[1]
