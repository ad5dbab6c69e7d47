"""The same judgements over a Ray cluster: actors that hold verifiers, replaced when they or their node die.

Ray does the placing, the transport and the killing. What is ours: one item (or batch) at a time on each actor, a
deadline from outside, and that an actor's death is nobody's verdict: what it was judging goes to a new one. The pool in
front of it shares equal work, tries UNKNOWN again and keeps the store, as for the other backends.

The nodes need the same environment as the driver; its `sys.path` is added to theirs. Usage statistics and the dashboard
of a cluster that is started here are off.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import queue
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from proofgrad.verifiers.answers import Answer, Pair, Recipe, judge_once, told, understood, verdicts_on
from proofgrad.verifiers.base import BatchVerifier, Verdict, Verifier
from proofgrad.verifiers.errors import MissingExtraError, ProofgradError

__all__ = ["Cluster", "RayVerifier"]

_START_S = 120.0
_RESUBMISSIONS = 3


class Cluster:
    """A connection to Ray, made when the first verifier asks for it.

    Args:
        address: of a running cluster; without one, Ray's own rules: `RAY_ADDRESS`, a running local cluster, a new one.

    Raises:
        MissingExtraError: Ray is not installed.
    """

    def __init__(self, address: str | None = None) -> None:
        if importlib.util.find_spec("ray") is None:
            raise MissingExtraError("ray", "ray", "judging on a Ray cluster")
        self._address, self._connected_here = address, False

    def verifier(
        self,
        verifier: Verifier | str,
        *,
        options: Mapping[str, Any] | None = None,
        workers: int = 2,
        deadline_s: float = 60.0,
    ) -> RayVerifier:
        """A verifier whose work is done by `workers` actors.

        Raises:
            ConfigError: there is no such name, or the instance cannot be sent to another process.
        """
        recipe = Recipe.of(verifier, options)
        self._connect()
        if isinstance(recipe.made, BatchVerifier):
            batches = _RayBatches(recipe, workers, deadline_s)
            batches.batch_size = recipe.made.batch_size
            return batches
        return RayVerifier(recipe, workers, deadline_s)

    def close(self) -> None:
        """Leave the cluster, and stop it if it was started here."""
        if self._connected_here:
            import ray

            ray.shutdown()
            self._connected_here = False

    def _connect(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        if ray.is_initialized():
            return
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self._address is None and "RAY_ADDRESS" not in os.environ:
            options["include_dashboard"] = False
        ray.init(address=self._address, **options)
        self._connected_here = True


class RayVerifier:
    """A verifier that judges in Ray actors; the same name and version, so the same verdicts in a store.

    `verify` blocks, so as many threads as there are actors keep all of them busy. Needs a connection to Ray.

    Args:
        recipe: how an actor makes the verifier.
        workers: actors at most; each starts when it is first needed, spread over the nodes.
        deadline_s: wall clock for one item.
    """

    killable = True

    def __init__(self, recipe: Recipe, workers: int, deadline_s: float) -> None:
        import ray

        self.name, self.version = recipe.made.name, recipe.made.version
        self._pickled, self._deadline_s = recipe.pickled, deadline_s
        # Actors wait more than they compute when they start; a claim on a core each could leave one waiting for ever.
        self._actor = ray.remote(num_cpus=0, max_restarts=0, scheduling_strategy="SPREAD")(_Actor)
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(None)

    def verify(self, problem: Any, candidate: str) -> Verdict:
        """The verdict from an actor; UNKNOWN `infra.deadline`, `infra.worker_died` or `infra.worker_start` where there
        is none.

        Raises:
            ProofgradError: what the verifier itself raises of our errors.
        """
        answer = self._answers([(problem, candidate)])[0]
        if isinstance(answer, ProofgradError):
            raise answer
        return answer

    def close(self) -> None:
        """Kill the actors; the next `verify` starts new ones."""
        for _ in range(self._idle.qsize()):
            _kill(self._idle.get())
            self._idle.put(None)

    def _answers(self, items: Sequence[Pair]) -> list[Answer]:
        from ray.exceptions import GetTimeoutError, RayError

        actor, start, error = self._idle.get(), time.monotonic(), "none"
        pairs: list[Pair] = [(dict(problem), candidate) for problem, candidate in items]
        try:
            for _ in range(1 + _RESUBMISSIONS):
                late = "infra.worker_start"
                try:
                    actor = actor or self._start()
                    late = "infra.deadline"
                    return _ask(actor, pairs, self._deadline_s * len(items))
                except GetTimeoutError:
                    _kill(actor)
                    actor = None
                    return _unknown(items, late, f"no answer after {time.monotonic() - start:.1f} s", start)
                except RayError as lost:  # the actor, its node or the object store: resubmitted, not judged
                    _kill(actor)
                    actor, error = None, f"{type(lost).__name__}: {lost}"[:500]
            return _unknown(items, "infra.worker_died", error, start)
        except BaseException:
            _kill(actor)
            actor = None
            raise
        finally:
            self._idle.put(actor)

    def _start(self) -> Any:
        import ray

        actor = self._actor.remote(self._pickled, [entry for entry in sys.path if entry])
        try:
            failure = ray.get(actor.prepare.remote(), timeout=_START_S)
        except BaseException:
            _kill(actor)
            raise
        if failure is not None:
            _kill(actor)
            answer = understood(failure)
            if isinstance(answer, ProofgradError):
                raise answer
        return actor


class _RayBatches(RayVerifier):
    """The same for a verifier that judges batches."""

    batch_size = 1

    def verify_batch(self, items: Iterable[Pair]) -> list[Verdict]:
        return verdicts_on(list(items), self._answers)


class _Actor:
    """Holds one verifier on some node. Answers are plain JSON types, as between a worker and its parent."""

    def __init__(self, pickled: bytes, path: list[str]) -> None:
        sys.path.extend(entry for entry in path if entry not in sys.path)
        self._pickled = pickled
        self._verifier: Verifier | None = None

    def prepare(self) -> dict[str, object] | None:
        """Make the verifier; what went wrong, or None."""
        try:
            self._verifier = Recipe.make(self._pickled)
        except ProofgradError as error:
            return told(error)
        return None

    def judge(self, items: list[Pair]) -> list[dict[str, object]]:
        """One answer for each item, in order."""
        if self._verifier is None:
            self._verifier = Recipe.make(self._pickled)
        return [told(answer) for answer in judge_once(self._verifier, items)]


def _ask(actor: Any, pairs: list[Pair], deadline_s: float) -> list[Answer]:
    import ray

    return [understood(data) for data in ray.get(actor.judge.remote(pairs), timeout=deadline_s)]


def _unknown(items: Sequence[Pair], reason: str, error: str, start: float) -> list[Answer]:
    seconds = time.monotonic() - start
    return [Verdict.unknown(reason, evidence={"error": error}, seconds=seconds) for _ in items]


def _kill(actor: Any) -> None:
    if actor is not None:
        import ray

        with contextlib.suppress(Exception):  # it may be dead already, or Ray be shutting down
            ray.kill(actor, no_restart=True)
