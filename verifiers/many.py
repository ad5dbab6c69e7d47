"""`verify_many`: judgements by the million, from an iterable of any length, in bounded memory."""

from __future__ import annotations

import queue
import sqlite3
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from proofgrad.verifiers import registry
from proofgrad.verifiers.base import Problem, Verdict, Verifier
from proofgrad.verifiers.errors import ConfigError, ProblemError, ProofgradError, UnhealthyError
from proofgrad.verifiers.guards import GuardedStore, Health
from proofgrad.verifiers.pool import VerifierPool
from proofgrad.verifiers.store import VerdictStore
from proofgrad.verifiers.workers import isolated

__all__ = ["Backend", "Item", "Judged", "verify_many"]

Backend: TypeAlias = Literal["threads", "processes", "ray"]
Item: TypeAlias = "tuple[str | Verifier, Problem, str] | tuple[str | Verifier, Problem, str, str]"

_REMEMBERED = 10_000
_DEADLINE_S = 60.0
_VERIFIERS = 64


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one item.

    Attributes:
        index: its place in the input, from 0.
        id: what was given as its fourth part, or None.
        verdict: the verdict, or None where there is an `error`.
        error: why the item could not be judged: a malformed problem or item, a verifier that does not exist. The
            others are judged nevertheless.
    """

    index: int
    id: str | None
    verdict: Verdict | None
    error: ProofgradError | None = None


def verify_many(
    items: Iterable[Item],
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    workers: int = 2,
    backend: Backend = "threads",
    deadline_s: float | None = None,
    retries: int = 2,
    max_unknown: float | None = 0.5,
    health_window: int = 100,
    store: VerdictStore | Path | None = None,
    window: int = 1024,
    address: str | None = None,
) -> Iterator[Judged]:
    """Judge items and yield what became of each, as they finish; every item is answered exactly once.

    At most `window` items are read ahead of those yielded. Equal items are judged once: those under way together, the
    latest 10,000, and with a store all of them. Closing the generator early drops what has not begun, waits for what
    has, and stops every process that it started.

    Args:
        items: (verifier, problem, candidate) or (verifier, problem, candidate, id); the verifier is a registered name,
            made here and closed at the end, or an instance, which stays open; at most 64 different ones.
        options: of the constructors of verifiers that are given by name.
        workers: judgements under way at once; with Ray, actors.
        backend: ``threads`` for verifiers that keep deadlines of their own, as all of ours do; ``processes`` for
            killable processes on this machine; ``ray`` for the actors of a cluster.
        deadline_s: wall clock for one item in a process or an actor (60 if not given). Threads cannot keep one.
        retries: how often an UNKNOWN is tried again, with growing pauses.
        max_unknown: the share of UNKNOWN among the last `health_window` verdicts that is too much; None for no limit.
        store: verdicts by content, across runs; a path is opened and closed here, a store stays open.
        window: items under way or finished and not yet taken.
        address: of the Ray cluster; without one, Ray's own rules (a running local cluster, or a new one).

    Raises:
        ConfigError: an option is wrong.
        MissingExtraError: the backend is ``ray`` and Ray is not installed.
        UnhealthyError: while iterating: too many UNKNOWN.
    """
    if backend not in get_args(Backend):
        raise ConfigError(f"there is no backend '{backend}'; the backends are {', '.join(get_args(Backend))}")
    if backend == "threads" and deadline_s is not None:
        raise ConfigError("deadline_s needs the backend 'processes' or 'ray': a thread cannot be stopped")
    if backend != "ray" and address is not None:
        raise ConfigError("address is for the backend 'ray'")
    for name, value in (("workers", workers), ("window", window), ("deadline_s", deadline_s or 1)):
        if not value > 0:
            raise ConfigError(f"{name} is {value!r}; allowed is what lies above 0")
    Health(max_unknown, health_window)  # refuses wrong numbers now, not at the first item
    deadline = None if backend == "threads" else deadline_s or _DEADLINE_S
    cluster = None
    if backend == "ray":
        from proofgrad.verifiers.ray_backend import Cluster

        cluster = Cluster(address)

    def open_pool() -> VerifierPool:
        return VerifierPool(
            {},
            workers=workers,
            retries=retries,
            store=_guarded(store),
            max_unknown=max_unknown,
            health_window=health_window,
        )

    return _judge(items, open_pool, _Bench(options or {}, workers, deadline, cluster), window)


class _Bench:
    """Makes each verifier when the first item asks for it."""

    def __init__(
        self, options: Mapping[str, Mapping[str, Any]], workers: int, deadline_s: float | None, cluster: Any
    ) -> None:
        self._options, self._workers, self._deadline_s, self._cluster = options, workers, deadline_s, cluster
        self._names: dict[object, str] = {}
        self._failed: dict[str, ProofgradError] = {}
        self._kept: list[Verifier] = []  # given instances: alive, so that no other can take over their identity

    def name(self, asked: str | Verifier, pool: VerifierPool) -> str:
        """The pool's name of a verifier.

        Raises:
            ProofgradError: it cannot be made; the same again for the same name.
        """
        key = asked if isinstance(asked, str) else id(asked)
        if key in self._names:
            return self._names[key]
        if isinstance(asked, str) and asked in self._failed:
            raise self._failed[asked]
        if len(self._names) >= _VERIFIERS:
            raise ConfigError(
                f"more than {_VERIFIERS} verifiers; hand in the same instance again, or a registered name"
            )
        try:
            made = self._make(asked)
        except ProofgradError as error:
            if isinstance(asked, str):
                self._failed[asked] = error
            raise
        name = f"{made.name}#{len(self._names)}"
        pool.add(name, made)
        self._names[key] = name
        if not isinstance(asked, str):
            self._kept.append(asked)
        return name

    def _make(self, asked: str | Verifier) -> Verifier:
        if not isinstance(asked, (str, Verifier)):
            raise ProblemError(f"an item's verifier is a name or a verifier, not {type(asked).__name__}")
        options = dict(self._options.get(asked, {})) if isinstance(asked, str) else None
        if self._cluster is not None:
            return self._cluster.verifier(  # type: ignore[no-any-return]
                asked, options=options, workers=self._workers, deadline_s=self._deadline_s
            )
        made = registry.get(asked, **(options or {})) if isinstance(asked, str) else asked
        if self._deadline_s is not None and not getattr(made, "killable", False):
            return isolated(asked, options=options, workers=self._workers, deadline_s=self._deadline_s)
        return made if isinstance(asked, str) else _Borrowed.of(made)

    def close(self) -> None:
        if self._cluster is not None:
            self._cluster.close()


class _Borrowed:
    """A verifier of the caller's, which the pool must not close."""

    def __init__(self, verifier: Verifier) -> None:
        self.name, self.version, self.verify = verifier.name, verifier.version, verifier.verify
        self.needs_isolation = getattr(verifier, "needs_isolation", False)
        batch = getattr(verifier, "verify_batch", None)
        if batch is not None:
            self.batch_size, self.verify_batch = verifier.batch_size, batch  # type: ignore[attr-defined]

    @classmethod
    def of(cls, verifier: Verifier) -> Verifier:
        asks = getattr(verifier, "needs_isolation", False)
        return verifier if asks and not getattr(verifier, "killable", False) else cls(verifier)


def _guarded(store: VerdictStore | Path | None) -> GuardedStore:
    if not isinstance(store, Path):
        return GuardedStore(store, owned=False, remember=_REMEMBERED)
    try:
        opened = VerdictStore(store)
    except (OSError, sqlite3.Error) as error:
        warnings.warn(
            f"the verdict store '{store}' cannot be used ({error}); judging without it", RuntimeWarning, stacklevel=3
        )
        return GuardedStore(None, remember=_REMEMBERED)
    return GuardedStore(opened, remember=_REMEMBERED)


def _judge(
    items: Iterable[Item], open_pool: Callable[[], VerifierPool], bench: _Bench, window: int
) -> Iterator[Judged]:
    pool = open_pool()  # here, so that a generator that nobody iterates over starts nothing
    finished: queue.SimpleQueue[tuple[int, str | None, Future[Verdict] | ProofgradError]] = queue.SimpleQueue()
    source, more, outstanding = enumerate(iter(items)), True, 0
    try:
        while more or outstanding:
            if more and outstanding < window and finished.empty():
                try:
                    index, item = next(source)
                except StopIteration:
                    more = False
                    continue
                outstanding += 1
                _submit(index, item, pool, bench, finished)
                continue
            index, name, answer = finished.get()
            outstanding -= 1
            yield _judged(index, name, answer)
    finally:
        pool.close()
        bench.close()


def _submit(index: int, item: Item, pool: VerifierPool, bench: _Bench, finished: Any) -> None:
    name: str | None = None
    try:
        if not isinstance(item, tuple) or len(item) not in (3, 4) or not isinstance(item[2], str):
            raise ProblemError("an item is (verifier, problem, candidate) or (verifier, problem, candidate, id)")
        name = item[3] if len(item) == 4 else None
        future = pool.submit(bench.name(item[0], pool), item[1], item[2])
    except UnhealthyError:
        raise
    except ProofgradError as error:
        finished.put((index, name, error))
    except (TypeError, ValueError, RecursionError) as error:  # what JSON says of a problem that it cannot hold
        finished.put((index, name, ProblemError(f"the problem is not plain JSON: {error}")))
    else:
        future.add_done_callback(lambda done: finished.put((index, name, done)))


def _judged(index: int, name: str | None, answer: Future[Verdict] | ProofgradError) -> Judged:
    error = answer if isinstance(answer, ProofgradError) else answer.exception()
    if isinstance(error, UnhealthyError):
        raise error
    if isinstance(error, ProofgradError):
        return Judged(index, name, None, error)
    if isinstance(answer, Future):
        return Judged(index, name, answer.result())
    raise TypeError(f"an answer of type {type(answer).__name__}")
