"""What keeps a long run of judgements honest when something around it fails: the store, or the machinery as a whole."""

from __future__ import annotations

import math
import time
import warnings
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import TypeVar

from proofgrad.verifiers.base import Outcome, Verdict, Verifier
from proofgrad.verifiers.errors import ConfigError, UnhealthyError
from proofgrad.verifiers.store import VerdictStore

__all__ = ["GuardedStore", "Health"]

_PAUSE_S = 60.0
T = TypeVar("T")


class GuardedStore:
    """A verdict store whose failures cost time at most: never a verdict, and none is made up.

    A disk that is full, a file that another process has locked or that is not a database: the first failure is warned
    about, and after each failure the store is left alone for a minute, because waiting for a lock may take half of one.

    Args:
        store: the store, or None for none.
        owned: whether `close` closes it.
        remember: verdicts kept in memory as well, the latest ones.
    """

    def __init__(self, store: VerdictStore | None, *, owned: bool = True, remember: int = 0) -> None:
        self._store, self._owned, self._remember = store, owned, remember
        self._recent: OrderedDict[str, Verdict] = OrderedDict()
        self._rests_until = -math.inf
        self._warned = False

    def get(self, key: str) -> Verdict | None:
        """The stored verdict, or None: also where the store cannot be read."""
        recent = self._recent.get(key)
        if recent is not None:
            return recent
        store = self._store
        found = self._try("read", lambda: store.get(key)) if store is not None else None
        # A verdict is never UNKNOWN in a store of ours; one that is was not written by us.
        return found if isinstance(found, Verdict) and found.outcome is not Outcome.UNKNOWN else None

    def put(self, key: str, verifier: Verifier, verdict: Verdict) -> None:
        """Remember a verdict where that is possible."""
        store = self._store
        if store is not None:
            self._try("written to", lambda: store.put(key, verifier, verdict))
        if self._remember and verdict.outcome is not Outcome.UNKNOWN and not verdict.reason.endswith(".timeout"):
            self._recent[key] = verdict
            while len(self._recent) > self._remember:
                self._recent.popitem(last=False)

    def close(self) -> None:
        """Close the store, if it is ours to close."""
        if self._store is not None and self._owned:
            self._rests_until = -math.inf
            self._try("closed", self._store.close)

    def _try(self, doing: str, call: Callable[[], T]) -> T | None:
        if time.monotonic() < self._rests_until:
            return None
        try:
            return call()
        except Exception as error:  # a store is a convenience: whatever is wrong with it, the judgement stands
            self._rests_until = time.monotonic() + _PAUSE_S
            if not self._warned:
                self._warned = True
                text = f"{type(error).__name__}: {error}"
                warnings.warn(
                    f"the verdict store could not be {doing} ({text}); judging goes on without it, and equal work may "
                    "be judged again",
                    RuntimeWarning,
                    stacklevel=2,
                )
            return None


class Health:
    """Stops when too many of the last judgements were UNKNOWN. Call it with a lock held.

    Args:
        max_unknown: the largest share of UNKNOWN, between 0 and 1, that is let pass; None lets everything pass.
        window: how many of the last judgements count; before there are as many, none stops anything.

    Raises:
        ConfigError: a number lies outside its bounds.
    """

    def __init__(self, max_unknown: float | None, window: int) -> None:
        if max_unknown is not None and not 0.0 <= max_unknown <= 1.0:
            raise ConfigError(f"max_unknown is {max_unknown!r}; allowed is a share from 0 to 1, or None for no limit")
        if window < 1:
            raise ConfigError(f"the window for max_unknown is {window!r}; allowed are 1 and above")
        self._max_unknown = max_unknown
        self._last: deque[str | None] = deque(maxlen=window)
        self.error: UnhealthyError | None = None

    def note(self, verdict: Verdict) -> UnhealthyError | None:
        """Count a verdict; the error, once the limit is passed."""
        self._last.append(verdict.reason if verdict.outcome is Outcome.UNKNOWN else None)
        if self._max_unknown is None or len(self._last) < (self._last.maxlen or 0):
            return self.error
        reasons = Counter(reason for reason in self._last if reason is not None)
        if self.error is None and sum(reasons.values()) > self._max_unknown * len(self._last):
            reason, count = reasons.most_common(1)[0]
            self.error = UnhealthyError(
                f"{sum(reasons.values())} of the last {len(self._last)} judgements ended UNKNOWN, most often as "
                f"'{reason}' ({count}); see to that first, or raise max_unknown (now {self._max_unknown:g})"
            )
        return self.error
