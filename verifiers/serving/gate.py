"""Who is let in, who waits, who is next: the server's own queue, in front of the verifiers' pool.

The pool cannot take work back, and shares equal work among callers. So an item waits here, where a client that goes
away can still withdraw it, and the pool is handed only as much as it needs to be busy. Everything here happens on the
event loop, but for handing over, which hashes the problem and may read the store: that has threads of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from proofgrad.verifiers.base import BatchVerifier, Outcome, Verdict, Verifier
from proofgrad.verifiers.errors import ProblemError
from proofgrad.verifiers.pool import VerifierPool
from proofgrad.verifiers.serving.metrics import Metrics
from proofgrad.verifiers.serving.wire import Ask, Refusal, one_line

__all__ = ["Answer", "Entry", "Gate", "stopped"]

Answer = Verdict | ProblemError

_BUSY_RETRY_S = 1


@dataclass(slots=True, eq=False)
class _Lane:
    """The items for one verifier.

    Attributes:
        width: how many the pool may have at once.
        busy: how many it has.
    """

    width: int
    waiting: deque[Entry] = field(default_factory=deque)
    busy: int = 0


@dataclass(slots=True, eq=False)
class Entry:
    """An item that was let in; `answer` is its future verdict."""

    ask: Ask
    answer: asyncio.Future[Answer]
    begun: float | None = None  # when the pool got it


class Gate:
    """Lets items in and sees them through.

    Args:
        pool: judges.
        verifiers: by name.
        metrics: where verdicts are counted.
        workers: the pool's.
        items: the most that may wait and be judged at once.
        held_bytes: the most that the bodies of requests under way may take.
    """

    def __init__(
        self,
        pool: VerifierPool,
        verifiers: Mapping[str, Verifier],
        metrics: Metrics,
        *,
        workers: int,
        items: int,
        held_bytes: int,
    ) -> None:
        self._pool, self._metrics, self._items, self._held_most = pool, metrics, items, held_bytes
        self._lanes = {
            name: _Lane(workers * (verifier.batch_size if isinstance(verifier, BatchVerifier) else 1))
            for name, verifier in verifiers.items()
        }
        self._loop = asyncio.get_running_loop()
        self._handing = ThreadPoolExecutor(2, thread_name_prefix="hand-over")
        self._open: set[Entry] = set()  # somebody waits for these
        self._held = 0
        self.draining_until: float | None = None  # on the monotonic clock

    @property
    def queued(self) -> int:
        """Items that wait."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    @property
    def in_flight(self) -> int:
        """Items that the pool has."""
        return sum(lane.busy for lane in self._lanes.values())

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for a verdict."""
        return not self._open

    def check_open(self) -> None:
        """Refuse early what could not be let in anyhow.

        Raises:
            Refusal: 503 while draining, 429 when full.
        """
        if self.draining_until is not None:
            left = max(1, round(self.draining_until - time.monotonic()))
            raise Refusal(503, "the server is draining: it takes no new work", cause="draining", retry_after=left)
        self._check_room(1)

    def hold(self, n: int) -> None:
        """Count `n` more bytes of a body that is being read or waited for; a negative `n` gives them back.

        Raises:
            Refusal: 429, the bodies would take more than they may.
        """
        if n > 0 and self._held + n > self._held_most:
            raise Refusal(429, "the server holds as much data as it may", cause="full", retry_after=_BUSY_RETRY_S)
        self._held += n

    def enter(self, asks: Sequence[Ask]) -> list[Entry]:
        """Let all of them in, or none.

        Raises:
            Refusal: as `check_open`.
        """
        self.check_open()
        self._check_room(len(asks))
        entries = [Entry(ask, self._loop.create_future()) for ask in asks]
        self._open.update(entries)
        for entry in entries:
            self._lanes[entry.ask.verifier].waiting.append(entry)
        for name in {ask.verifier for ask in asks}:
            self._pump(self._lanes[name])
        return entries

    def leave(self, entries: Sequence[Entry]) -> None:
        """Nobody waits for these any more: what has not begun never will. The rest keeps its place until it ends."""
        for entry in entries:
            if entry.answer.done():
                continue
            entry.answer.cancel()
            self._open.discard(entry)
            if entry.begun is None:
                self._lanes[entry.ask.verifier].waiting.remove(entry)

    def give_up(self) -> None:
        """Answer everything that is still open with UNKNOWN."""
        for lane in self._lanes.values():
            lane.waiting.clear()
        for entry in list(self._open):
            self._settle(entry, stopped())

    def close(self) -> None:
        """Hand nothing over any more."""
        self._handing.shutdown(wait=False, cancel_futures=True)

    def _check_room(self, n: int) -> None:
        taken = self.queued + self.in_flight
        if taken + n > self._items:
            what = f"the server has {taken} of at most {self._items} items under way and cannot take {n} more"
            raise Refusal(429, what, cause="full", retry_after=_BUSY_RETRY_S)

    def _pump(self, lane: _Lane) -> None:
        while lane.waiting and lane.busy < lane.width:
            entry = lane.waiting.popleft()
            lane.busy += 1
            entry.begun = time.monotonic()
            self._handing.submit(self._hand_over, entry)

    def _hand_over(self, entry: Entry) -> None:
        ask = entry.ask
        try:
            future = self._pool.submit(ask.verifier, ask.problem, ask.candidate)
        except Exception as error:  # our fault, whatever it is: the item was well formed
            self._tell(entry, _fault(error))
        else:
            future.add_done_callback(lambda done: self._tell(entry, _outcome(done)))

    def _tell(self, entry: Entry, answer: Answer) -> None:
        try:
            self._loop.call_soon_threadsafe(self._finish, entry, answer)
        except RuntimeError:
            return  # the loop has ended, and with it everybody who waited

    def _finish(self, entry: Entry, answer: Answer) -> None:
        lane = self._lanes[entry.ask.verifier]
        lane.busy -= 1
        if entry.begun is not None:
            self._metrics.judging.labels(entry.ask.verifier).observe(time.monotonic() - entry.begun)
        self._settle(entry, answer)
        self._pump(lane)

    def _settle(self, entry: Entry, answer: Answer) -> None:
        self._open.discard(entry)
        if not entry.answer.done():
            outcome = answer.outcome.value if isinstance(answer, Verdict) else "problem_error"
            self._metrics.verdicts.labels(entry.ask.verifier, outcome).inc()
            entry.answer.set_result(answer)


def stopped() -> Verdict:
    """The verdict on what a server did not get to."""
    return Verdict.unknown("infra.server_stopped", feedback="the server stopped before it had judged this")


def _outcome(done: Future[Verdict]) -> Answer:
    try:
        verdict: object = done.result()
    except ProblemError as error:
        return error
    except CancelledError:
        return stopped()
    except Exception as error:  # the pool passes on what a verifier refuses to do, e.g. SandboxError
        return _fault(error)
    if not isinstance(verdict, Verdict) or not isinstance(verdict.outcome, Outcome):
        return Verdict.unknown(
            "infra.verifier_raised", evidence={"error": f"it returned {type(verdict).__name__}, not a verdict"}
        )
    return verdict


def _fault(error: Exception) -> Verdict:
    return Verdict.unknown("infra.verifier_raised", evidence={"error": one_line(f"{type(error).__name__}: {error}")})
