"""Many judgements at once: verifiers run beside generation, equal items are judged once, UNKNOWN is tried again.

The threads here only wait: every verifier does its work in killable processes of its own and keeps its own deadline,
or is given such processes here (`isolate`).
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from proofgrad.verifiers.answers import Answer, judge_once
from proofgrad.verifiers.base import BatchVerifier, Outcome, Problem, Verdict, Verifier
from proofgrad.verifiers.errors import ConfigError, ProofgradError, UnhealthyError
from proofgrad.verifiers.guards import GuardedStore, Health
from proofgrad.verifiers.store import VerdictStore, verdict_key
from proofgrad.verifiers.workers import isolated

__all__ = ["VerifierPool"]

_BACKOFF_SECONDS = 0.2
_LONGEST_BACKOFF_SECONDS = 30.0
_GATHER_SECONDS = 0.02


@dataclass(slots=True)
class _Item:
    key: str
    verifier: str
    problem: Problem
    candidate: str
    future: Future[Verdict] = field(default_factory=Future)
    verdict: Verdict | None = None  # UNKNOWN, while another try is due
    retries: int = 0


class VerifierPool:
    """Judges candidates on `workers` threads.

    Args:
        verifiers: by name.
        workers: judgements, or batches of them, under way at once.
        retries: how often an UNKNOWN verdict is tried again, with pauses that double and vary by half; an item that
            pauses takes no worker from others.
        store: answers repeated work across runs; without one only work under way is shared. Its failures are warned
            about once and change no verdict.
        isolate: judge in killable processes with a deadline from outside, where a verifier has none of its own
            (`killable`). A verifier asks for it itself by an attribute `needs_isolation` that is true.
        deadline_s: wall clock for one item there; past it the verdict is UNKNOWN `infra.deadline`.
        max_unknown: the share of UNKNOWN among the last `health_window` verdicts above which the pool stops: what is
            waiting and what is handed in later gets an `UnhealthyError`. None never stops.

    Raises:
        ConfigError: a number lies outside its bounds, or a verifier cannot be sent to another process.
    """

    def __init__(
        self,
        verifiers: Mapping[str, Verifier],
        *,
        workers: int = 2,
        retries: int = 2,
        store: VerdictStore | GuardedStore | None = None,
        isolate: bool = False,
        deadline_s: float = 60.0,
        max_unknown: float | None = None,
        health_window: int = 100,
    ) -> None:
        self._isolate, self._deadline_s, self._workers = isolate, deadline_s, max(1, workers)
        self._health = Health(max_unknown, health_window)
        self._verifiers: dict[str, Verifier] = {}
        self._owned: list[Verifier] = []
        self._waiting: OrderedDict[str, deque[_Item]] = OrderedDict()
        self._changed = threading.Condition()
        for name, verifier in verifiers.items():
            self.add(name, verifier)
        self._retries = retries
        self._store = store if isinstance(store, GuardedStore) else GuardedStore(store)
        self._under_way: dict[str, _Item] = {}
        self._pausing: list[tuple[float, int, _Item]] = []  # a heap by the time of the next try
        self._order = itertools.count()
        self._closed = False
        self._busy = 0  # workers that judge something
        self._threads = [
            threading.Thread(target=self._work, name=f"verify-{i}", daemon=True) for i in range(self._workers)
        ]
        for thread in self._threads:
            thread.start()

    def add(self, name: str, verifier: Verifier) -> None:
        """Take in one more verifier, which `close` closes like the others.

        Raises:
            ConfigError: the name is taken, or the verifier cannot be sent to another process.
        """
        killable = getattr(verifier, "killable", False)
        with self._changed:
            if name in self._verifiers:
                raise ConfigError(f"this pool has a verifier named '{name}' already")
            self._owned.append(verifier)
            if (self._isolate or getattr(verifier, "needs_isolation", False)) and not killable:
                verifier = isolated(verifier, workers=self._workers, deadline_s=self._deadline_s)
                self._owned.append(verifier)
            self._verifiers[name] = verifier
            self._waiting[name] = deque()

    def submit(self, verifier: str, problem: Problem, candidate: str) -> Future[Verdict]:
        """Ask for a verdict. The future raises `ProblemError` for a malformed problem; `UnhealthyError` where the pool
        stopped first; other errors of ours where the verifier itself cannot be used.

        Raises:
            ConfigError: there is no verifier of that name in this pool.
            UnhealthyError: the pool has stopped.
        """
        if verifier not in self._verifiers:
            raise ConfigError(f"this pool has no verifier named '{verifier}', only {', '.join(self._verifiers)}")
        key = verdict_key(self._verifiers[verifier], problem, candidate)
        item = _Item(key, verifier, problem, candidate)
        stored = self._store.get(key)
        if stored is not None:
            item.future.set_result(stored)
            return item.future
        with self._changed:
            if self._closed:
                raise RuntimeError("the pool is closed")
            if self._health.error is not None:
                raise self._health.error
            if key in self._under_way:
                return self._under_way[key].future
            self._under_way[key] = item
            self._waiting[verifier].append(item)
            self._changed.notify()
        return item.future

    def close(self) -> None:
        """Finish what is under way, drop what is waiting, and close the verifiers and the store.

        What is between two tries keeps the UNKNOWN of its last one.
        """
        with self._changed:
            self._closed = True
            waiting, pausing = self._drop()
        for item in waiting:
            item.future.cancel()
        for item in pausing:
            if item.verdict is not None:
                item.future.set_result(item.verdict)
        for thread in self._threads:
            thread.join()
        for verifier in self._owned:
            close = getattr(verifier, "close", None)
            if close is not None:
                close()
        self._store.close()

    def __enter__(self) -> VerifierPool:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _drop(self) -> tuple[list[_Item], list[_Item]]:
        """Take out what waits for its first try and what pauses, with the lock held."""
        waiting = [item for queue in self._waiting.values() for item in queue]
        for queue in self._waiting.values():
            queue.clear()
        pausing = [item for _, _, item in self._pausing] + [item for item in waiting if item.verdict is not None]
        waiting = [item for item in waiting if item.verdict is None]
        self._pausing.clear()
        for item in waiting + pausing:
            self._under_way.pop(item.key, None)
        self._changed.notify_all()
        return waiting, pausing

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._wait():
                    return
                name, items = self._take()
                self._busy += 1
            verifier = self._verifiers[name]
            answers = judge_once(verifier, [(item.problem, item.candidate) for item in items])
            for item, answer in zip(items, answers, strict=True):
                self._settle(verifier, item, answer)
            with self._changed:
                self._busy -= 1

    def _wait(self) -> bool:
        """Wait until there is something to take; False when the pool is closed.

        For a verifier that judges batches this means a moment more, in which its batch may fill.
        """
        until = None
        while not self._closed:
            due = self._wake()
            queued = next(((name, queue) for name, queue in self._waiting.items() if queue), None)
            if queued is None:
                until = None
                self._changed.wait(due)
                continue
            verifier = self._verifiers[queued[0]]
            until = until or time.monotonic() + _GATHER_SECONDS
            left = until - time.monotonic()
            if not isinstance(verifier, BatchVerifier) or len(queued[1]) >= verifier.batch_size or left <= 0:
                return True
            self._changed.wait(left)
        return False

    def _wake(self) -> float | None:
        """Put what has paused long enough back into its queue; seconds until the next one has, or None."""
        while self._pausing:
            left = self._pausing[0][0] - time.monotonic()
            if left > 0:
                return left
            item = heapq.heappop(self._pausing)[2]
            self._waiting[item.verifier].append(item)
            self._changed.notify()
        return None

    def _take(self) -> tuple[str, list[_Item]]:
        """The next verifier's turn: one item, or as many as its batch holds."""
        name = next(name for name, queue in self._waiting.items() if queue)
        self._waiting.move_to_end(name)
        queue, verifier = self._waiting[name], self._verifiers[name]
        if not isinstance(verifier, BatchVerifier):
            return name, [queue.popleft()]
        # A batch takes no more than its share, so that others that have nothing to do find something as well.
        idle = len(self._threads) - self._busy
        fair = -(-len(queue) // max(1, idle))
        return name, [queue.popleft() for _ in range(min(fair, verifier.batch_size))]

    def _settle(self, verifier: Verifier, item: _Item, answer: Answer) -> None:
        """Hand out an answer, or have it tried again."""
        if isinstance(answer, Verdict) and answer.outcome is Outcome.UNKNOWN:
            with self._changed:
                if item.retries < self._retries and not self._closed and self._health.error is None:
                    pause = min(_BACKOFF_SECONDS * 2**item.retries, _LONGEST_BACKOFF_SECONDS)
                    # Jitter: what failed together would otherwise come back together.
                    due = time.monotonic() + pause * random.uniform(0.5, 1.5)
                    item.retries, item.verdict = item.retries + 1, answer
                    heapq.heappush(self._pausing, (due, next(self._order), item))
                    self._changed.notify()
                    return
        self._finish(verifier, item, answer)

    def _finish(self, verifier: Verifier, item: _Item, answer: Answer) -> None:
        if isinstance(answer, Verdict):
            self._store.put(item.key, verifier, answer)
        stopped: list[_Item] = []
        with self._changed:
            self._under_way.pop(item.key, None)
            error = self._health.note(answer) if isinstance(answer, Verdict) else None
            if error is not None:
                waiting, pausing = self._drop()
                stopped = waiting + pausing
        _resolve(item, answer)
        for other in stopped:
            _resolve(other, other.verdict or UnhealthyError(str(error)))


def _resolve(item: _Item, answer: Verdict | ProofgradError) -> None:
    if item.future.cancelled():
        return  # whoever asked no longer wants to know
    if isinstance(answer, Verdict):
        item.future.set_result(answer)
    else:
        item.future.set_exception(answer)
