"""How a client reads what a server answers, and how often it asks again. Nothing here needs more than Python."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.code.compare import NotStrictJson, parse_strict
from proofgrad.verifiers.serving.wire import one_line

__all__ = ["Attempts", "Trouble", "detail_in", "number_of", "object_in", "retry_after", "verdict_in"]

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_VERDICT_KEYS = {"outcome", "score", "reason", "feedback", "evidence", "seconds"}


class Trouble(Exception):  # noqa: N818  # becomes a verdict
    """An attempt came to nothing.

    Attributes:
        reason: of the UNKNOWN verdict that it becomes.
        again: whether another attempt could end differently.
        pause: seconds that the server asks for, or None.
        counts: whether it uses up one of the retries: a full server asks to be asked again.
    """

    def __init__(
        self, reason: str, detail: str, *, again: bool = True, pause: float | None = None, counts: bool = True
    ) -> None:
        super().__init__(one_line(detail))
        self.reason, self.again, self.pause, self.counts = reason, again, pause, counts

    def verdict(self, seconds: float) -> Verdict:
        """What is known now: nothing."""
        return Verdict.unknown(self.reason, evidence={"error": str(self)}, seconds=seconds)


class Attempts:
    """How often, and how long, one more time.

    Args:
        retries: after the first attempt.
        seconds: from now to the deadline.
    """

    def __init__(self, retries: int, seconds: float) -> None:
        self._retries, self._seconds, self._started = retries, seconds, time.monotonic()
        self._until = self._started + seconds
        self._pause = _FIRST_PAUSE_S

    @property
    def taken(self) -> float:
        """Seconds since the first attempt began."""
        return time.monotonic() - self._started

    def renew(self) -> None:
        """There was progress: as much time again from now."""
        self._until = time.monotonic() + self._seconds

    def left(self) -> float:
        """Seconds until the deadline.

        Raises:
            Trouble: it has passed.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise Trouble("infra.server_timeout", "no verdict came within the deadline", again=False)
        return left

    def again(self, trouble: Trouble) -> bool:
        """Wait for another attempt; False when there is none."""
        if not trouble.again or (trouble.counts and self._retries <= 0):
            return False
        self._retries -= trouble.counts
        # Not all at once: many clients are turned away in the same moment.
        pause = (trouble.pause if trouble.pause is not None else self._pause) * random.uniform(1.0, 1.5)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_S)
        if time.monotonic() + pause >= self._until:
            return False
        time.sleep(pause)
        return True


def object_in(raw: bytes) -> dict[str, Any]:
    """The JSON object that a reply, or a line of one, is.

    Raises:
        Trouble: it is none.
    """
    try:
        value = parse_strict(raw.decode("utf-8"))
    except (UnicodeDecodeError, NotStrictJson) as error:
        raise Trouble("infra.server_reply", f"the reply is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Trouble("infra.server_reply", "the reply is not an object")
    return value


def verdict_in(value: Any) -> Verdict:
    """A verdict, every part of which is what it has to be.

    Raises:
        Trouble: it is none.
    """
    if not isinstance(value, dict) or not set(value) >= _VERDICT_KEYS:
        raise Trouble("infra.server_reply", "the reply is not a verdict")
    score, seconds = value["score"], value["seconds"]
    if (
        not (score is None or type(score) in (int, float))
        or type(seconds) not in (int, float)
        or seconds < 0
        or not isinstance(value["evidence"], dict)
        or not all(isinstance(value[key], str) for key in ("outcome", "reason", "feedback"))
    ):
        raise Trouble("infra.server_reply", "the reply is not a verdict: a part is not what it has to be")
    try:
        return Verdict.from_json(value)
    except ValueError as error:
        raise Trouble("infra.server_reply", f"the reply is not a verdict: {error}") from error


def number_of(key: Any) -> int:
    """The number that an id of ours was made of; -1 for any other id."""
    is_ours = isinstance(key, str) and key.isascii() and key.isdecimal() and len(key) < 10
    return int(key) if is_ours and str(int(key)) == key else -1


def detail_in(raw: bytes) -> str:
    """The server's own words in the body of a refusal, or the start of whatever else came."""
    try:
        detail = json.loads(raw)["detail"]
    except (ValueError, KeyError, TypeError, RecursionError):
        detail = raw.decode("utf-8", "replace")
    return one_line(str(detail))


def retry_after(header: str | None) -> float | None:
    """Retry-After as a number of seconds (RFC 9110, section 10.2.3); its other form, a date, is left alone."""
    if header is None or not (header.isascii() and header.isdecimal() and len(header) < 10):
        return None
    return float(header)
