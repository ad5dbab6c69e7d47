"""Many judgements at once: verifiers run beside generation, equal items are judged once, UNKNOWN is tried again.

The threads here only wait: every verifier does its work in killable processes of its own and keeps its own deadline.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from proofgrad.verifiers.base import BatchVerifier, Outcome, Problem, Verdict, Verifier
from proofgrad.verifiers.errors import ConfigError, ProofgradError
from proofgrad.verifiers.store import VerdictStore, verdict_key

__all__ = ["VerifierPool"]

_BACKOFF_SECONDS = 0.2
_GATHER_SECONDS = 0.02


@dataclass(slots=True)
class _Item:
    key: str
    problem: Problem
    candidate: str
    future: Future[Verdict] = field(default_factory=Future)


class VerifierPool:
    """Judges candidates on `workers` threads.

    Args:
        verifiers: by name.
        workers: judgements, or batches of them, under way at once.
        retries: how often an UNKNOWN verdict is tried again, with growing pauses.
        store: answers repeated work across runs; without one only work under way is shared.
    """

    def __init__(
        self,
        verifiers: Mapping[str, Verifier],
        *,
        workers: int = 2,
        retries: int = 2,
        store: VerdictStore | None = None,
    ) -> None:
        self._verifiers = dict(verifiers)
        self._retries, self._store = retries, store
        self._waiting: OrderedDict[str, deque[_Item]] = OrderedDict((name, deque()) for name in self._verifiers)
        self._under_way: dict[str, _Item] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._busy = 0  # workers that judge something
        self._threads = [
            threading.Thread(target=self._work, name=f"verify-{i}", daemon=True) for i in range(max(1, workers))
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, verifier: str, problem: Problem, candidate: str) -> Future[Verdict]:
        """Ask for a verdict. The future raises `ProblemError` for a malformed problem, and nothing else.

        Raises:
            ConfigError: there is no verifier of that name in this pool.
        """
        if verifier not in self._verifiers:
            raise ConfigError(f"this pool has no verifier named '{verifier}', only {', '.join(self._verifiers)}")
        key = verdict_key(self._verifiers[verifier], problem, candidate)
        item = _Item(key, problem, candidate)
        stored = self._store.get(key) if self._store is not None else None
        if stored is not None:
            item.future.set_result(stored)
            return item.future
        with self._changed:
            if self._closed:
                raise RuntimeError("the pool is closed")
            if key in self._under_way:
                return self._under_way[key].future
            self._under_way[key] = item
            self._waiting[verifier].append(item)
            self._changed.notify()
        return item.future

    def close(self) -> None:
        """Finish what is under way, drop what is waiting, and close the verifiers and the store."""
        with self._changed:
            self._closed = True
            for queue in self._waiting.values():
                for item in queue:
                    item.future.cancel()
                queue.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        for verifier in self._verifiers.values():
            close = getattr(verifier, "close", None)
            if close is not None:
                close()
        if self._store is not None:
            self._store.close()

    def __enter__(self) -> VerifierPool:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._wait():
                    return
                name, items = self._take()
                self._busy += 1
            verifier = self._verifiers[name]
            for item, answer in zip(items, self._judge(verifier, items), strict=True):
                self._finish(verifier, item, answer)
            with self._changed:
                self._busy -= 1

    def _wait(self) -> bool:
        """Wait until there is something to take; False when the pool is closed.

        For a verifier that judges batches this means a moment more, in which its batch may fill.
        """
        until = None
        while not self._closed:
            queued = next(((name, queue) for name, queue in self._waiting.items() if queue), None)
            if queued is None:
                until = None
                self._changed.wait()
                continue
            verifier = self._verifiers[queued[0]]
            until = until or time.monotonic() + _GATHER_SECONDS
            left = until - time.monotonic()
            if not isinstance(verifier, BatchVerifier) or len(queued[1]) >= verifier.batch_size or left <= 0:
                return True
            self._changed.wait(left)
        return False

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

    def _judge(self, verifier: Verifier, items: list[_Item]) -> list[Verdict | ProofgradError]:
        answers = self._judge_once(verifier, items)
        for attempt in range(self._retries):
            again = [i for i, a in enumerate(answers) if isinstance(a, Verdict) and a.outcome is Outcome.UNKNOWN]
            if not again or self._closed:
                break
            time.sleep(_BACKOFF_SECONDS * 2**attempt)
            for i, answer in zip(again, self._judge_once(verifier, [items[i] for i in again]), strict=True):
                answers[i] = answer
        return answers

    def _judge_once(self, verifier: Verifier, items: list[_Item]) -> list[Verdict | ProofgradError]:
        try:
            if isinstance(verifier, BatchVerifier) and len(items) > 1:
                return list(verifier.verify_batch([(item.problem, item.candidate) for item in items]))
            return [verifier.verify(item.problem, item.candidate) for item in items]
        except ProofgradError as error:
            if len(items) == 1:
                return [error]
            return [answer for item in items for answer in self._judge_once(verifier, [item])]
        except Exception as error:  # a verifier's bug is ours, never the candidate's: UNKNOWN, with the evidence
            text = f"{type(error).__name__}: {error}"
            return [Verdict.unknown("infra.verifier_raised", evidence={"error": text[:500]}) for _ in items]

    def _finish(self, verifier: Verifier, item: _Item, answer: Verdict | ProofgradError) -> None:
        if self._store is not None and isinstance(answer, Verdict):
            self._store.put(item.key, verifier, answer)
        with self._changed:
            del self._under_way[item.key]
        if isinstance(answer, Verdict):
            item.future.set_result(answer)
        else:
            item.future.set_exception(answer)
