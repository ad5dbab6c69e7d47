"""ServerLean: a kimina-lean-server somewhere else, over its HTTP API.

``POST /api/check {"snippets": [{"id", "code"}], "timeout": seconds, "reuse": bool}`` answers
``{"results": [{"id", "time", "error" | "response"}]}``, where a response is a REPL's reply. What has to be known of it
(project-numina/kimina-lean-server, ``server/routers/check.py``, ``split.py``, ``manager.py``):

- It takes the import lines from the top of a snippet and runs them once for each of its REPLs. Without any, snippet N
  runs in the environment that snippet 1 left behind; so a header here always has one.
- Some of its releases count lines from the snippet's start, others from behind the imports; so a marker stands before
  every text, and its own message tells which.
- 429 says that no REPL is free, 500 that one crashed or did not start, an ``error`` with "timed out" that its clock ran
  out. Whether a proof is valid is not for it to say: its rules take some placeholders for proofs.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from proofgrad.verifiers.errors import ConfigError, ToolchainError
from proofgrad.verifiers.lean.backend import Audit, Claim, Elaboration, Ending, Limits
from proofgrad.verifiers.lean.lean_command import wall_seconds
from proofgrad.verifiers.lean.replies import (
    MARKER,
    MATHLIB_HEADER,
    Fence,
    MalformedReplyError,
    marker_line,
    messages_in,
    newline_ended,
    option_lines,
)
from proofgrad.verifiers.lean.text_audit import audit_claims

__all__ = ["ServerLean"]

_PATH = "/api/check"
_QUEUE_SECONDS = 90.0  # it lets a request wait a minute for a free REPL
_REPLY_BYTES = 32 << 20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 20.0  # seconds between attempts
_LAYERS = ("limits", "network", "pid", "mount", "root")
# What its REPL's end looks like in an error or in the detail of a 500; anything else is not the candidate's doing.
_CRASH = re.compile(
    r"out of memory|memory limit|broken pipe|stack overflow|panic|abort|json decode error|not started or shut down"
    r"|stdin|stdout|segmentation|crash",
    re.IGNORECASE,
)
_NOT_STARTED = re.compile(r"failed to (start repl|get repl|run header)|no such file", re.IGNORECASE)
_VERSION = re.compile(r'"?(4\.\d+\.\d+[^"\s]*)"?')


@dataclass(frozen=True, slots=True)
class _Answer:
    """The result of one snippet: a REPL's reply, or how it ended without one."""

    reply: Mapping[str, object] | None
    ending: Ending = Ending.DONE
    detail: str = ""


class _BusyError(Exception):
    """Worth another attempt; `ending` is what it means when the attempts are used up."""

    def __init__(self, detail: str, ending: Ending = Ending.BROKEN) -> None:
        super().__init__(detail)
        self.ending = ending


class ServerLean:
    """A backend on a kimina-lean-server.

    Args:
        url: where it is, with or without ``/api/check``.
        api_key: its key; ``$PROOFGRAD_KIMINA_KEY`` when None.
        header: what every text starts with; its imports come first.
        attempts: how often a request that is turned away (429, 5xx, no connection) is made before the verdict is given
            up as BROKEN.
        first_pause: seconds before the second attempt; each later pause is twice as long, all are shortened at random.

    Raises:
        ConfigError: `url` or `header` cannot be used.
        ToolchainError: the server does not answer, or cannot read the header.
    """

    name = "server"
    takes_header = True

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        header: str = MATHLIB_HEADER,
        attempts: int = 6,
        first_pause: float = _FIRST_PAUSE,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"'{url}' is no address of a Lean server; write it like http://localhost:8000")
        if attempts < 1:
            raise ConfigError("attempts at a Lean server must be at least 1")
        self._endpoint = url.rstrip("/").removesuffix(_PATH) + _PATH
        self._key = api_key if api_key is not None else os.environ.get("PROOFGRAD_KIMINA_KEY", "")
        self._attempts, self._first_pause = attempts, first_pause
        self._is_closed = False
        self.header = newline_ended(header)
        _with_import(self.header)
        version = self._version()
        self.description = f"lean4 {version} server {parts.hostname}"
        # A server tells nothing about itself: another one at the same address counts as another Lean only by version.
        self.identity = f"kimina {parts.netloc}{parts.path} lean {version} header {self.header!r}"

    @property
    def layers(self) -> Mapping[str, str]:
        """What confines Lean there is not known here."""
        return dict.fromkeys(_LAYERS, "missing: the server decides what confines its Lean")

    def elaborate(self, text: str, *, header: str, candidates: int, limits: Limits) -> Elaboration:
        """Read `text` in a REPL of the server, in a branch of the header's environment."""
        return self._elaborate(text, header, candidates, limits, reuse=True)

    def audit(self, claims: Sequence[Claim], *, header: str, limits: Limits) -> list[Audit]:
        """Look at each claim again, alone in a REPL that the server starts for it. Its kernel is out of our reach."""
        return audit_claims(claims, lambda text: self._elaborate(text, header, 1, limits, reuse=False), None)

    def close(self) -> None:
        """Make no more requests."""
        self._is_closed = True

    def _elaborate(self, text: str, header: str, candidates: int, limits: Limits, *, reuse: bool) -> Elaboration:
        started = time.monotonic()
        fence = Fence.fresh()
        try:
            before = _with_import(header) + option_lines(limits)
        except ConfigError as error:
            return Elaboration(Ending.BROKEN, detail=str(error))
        # Two markers: an open comment at the start of the text spoils the second, which is nobody's.
        code = f"{before}{MARKER}{MARKER}{newline_ended(text)}{fence.lines}"
        # It has a wall clock only; Mathlib's import has a clock of its own there.
        allowed = wall_seconds(limits.cpu_seconds + 1 + candidates // 8)
        answer = self._check(code, allowed, reuse=reuse)
        seconds = time.monotonic() - started
        if answer.reply is None:
            return Elaboration(answer.ending, seconds=seconds, detail=answer.detail)
        try:
            messages = messages_in(answer.reply)
            offset = marker_line(messages) + 1
        except MalformedReplyError as error:
            return Elaboration(Ending.BROKEN, seconds=seconds, detail=f"the Lean server: {error}")
        last = text.count("\n") + (not text.endswith("\n"))
        moved = [m.moved(-offset, 0) for m in messages if m.line > offset]
        mine = [m for m in moved if m.line <= last or (m.is_error and fence.name not in m.text)]
        return Elaboration(Ending.DONE, mine, seconds)

    def _check(self, code: str, timeout: float, *, reuse: bool) -> _Answer:
        """One snippet, tried until it is answered or the attempts are used up; raises nothing."""
        pause = self._first_pause
        last = _BusyError("the Lean server was closed")
        for attempt in range(self._attempts):
            if self._is_closed:
                return _Answer(None, Ending.BROKEN, "the Lean server was closed")
            if attempt:
                time.sleep(random.uniform(0.5, 1.0) * pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                return self._request(code, timeout, reuse=reuse)
            except _BusyError as error:
                last = error
                if error.ending is Ending.DIED and attempt:
                    break  # the same crash twice: it is the text
        return _Answer(None, last.ending, str(last))

    def _request(self, code: str, timeout: float, *, reuse: bool) -> _Answer:
        """One attempt.

        Raises:
            _BusyError: it is worth another one.
        """
        name = f"pg-{random.getrandbits(64):016x}"
        body = {"snippets": [{"id": name, "code": code}], "timeout": int(timeout), "reuse": reuse}
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._endpoint, json.dumps(body).encode(), headers, method="POST")
        try:
            # Twice its clock: one for the header, one for the text.
            with urllib.request.urlopen(request, timeout=2 * timeout + _QUEUE_SECONDS) as response:
                raw = response.read(_REPLY_BYTES + 1)
        except urllib.error.HTTPError as error:
            return _refused(error.code, _detail(error))
        except (OSError, http.client.HTTPException) as error:  # URLError and time-outs are OSErrors
            reason = getattr(error, "reason", None) or error
            raise _BusyError(f"the Lean server cannot be reached: {reason}") from error
        if len(raw) > _REPLY_BYTES:
            return _Answer(None, Ending.DIED, "the text makes more output than is read")
        return _result(raw, name)

    def _version(self) -> str:
        """Lean's version there; "of unknown version" when it cannot say.

        Raises:
            ToolchainError: the server does not answer, or cannot read the header.
        """
        code = f"{_with_import(self.header)}{MARKER}#eval Lean.versionString\n"
        answer = self._check(code, 300, reuse=True)
        if answer.reply is None:
            raise ToolchainError(f"no Lean at {self._endpoint}: {answer.detail}; is kimina-lean-server running?")
        try:
            messages = messages_in(answer.reply)
            marker_line(messages)
        except MalformedReplyError as error:
            said = (
                next((m.text.splitlines()[0] for m in messages if m.is_error), str(error)) if messages else str(error)
            )
            raise ToolchainError(f"the Lean server at {self._endpoint} cannot read the header: {said}") from error
        versions = [found[1] for m in messages if (found := _VERSION.fullmatch(m.text.strip()))]
        return versions[0] if versions else "of unknown version"


def _with_import(header: str) -> str:
    """The header in the one form that the server handles soundly: import lines first.

    Raises:
        ConfigError: the header has an import where the server does not see it.
    """
    lines = [line for line in newline_ended(header).splitlines() if line.strip()]
    imports = [line for line in lines if re.match(r"\s*(prelude|(public |meta )*import)\b", line)]
    leading = [line for line in lines[: len(imports)] if line.strip().startswith("import ")]
    if leading != imports:
        raise ConfigError("a header for a Lean server starts with its 'import' lines, without comments before them")
    return "".join(f"{line}\n" for line in (lines if imports else ["import Init", *lines]))


def _refused(status: int, detail: str) -> _Answer:
    """What an HTTP error means.

    Raises:
        _BusyError: it may pass.
    """
    said = f"the Lean server answers {status}: {detail}" if detail else f"the Lean server answers {status}"
    if status == 500 and _CRASH.search(detail) and not _NOT_STARTED.search(detail):
        raise _BusyError(said, Ending.DIED)
    if status in (408, 425, 429) or status >= 500:
        raise _BusyError(said)
    remedy = "; set PROOFGRAD_KIMINA_KEY" if status in (401, 403) else ""
    return _Answer(None, Ending.BROKEN, said + remedy)


def _result(raw: bytes, name: str) -> _Answer:
    """The one result in a reply."""
    try:
        found = json.loads(raw)["results"]
        result = found[0]
        if len(found) != 1 or result["id"] != name:
            raise ValueError("it answers another snippet")
        error, reply = result.get("error"), result.get("response")
        if error is not None:
            return _failed(str(error))
        if not isinstance(reply, dict):
            raise TypeError("it has neither an error nor a response")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        return _Answer(None, Ending.BROKEN, f"the Lean server's reply is malformed: {error}"[:300])
    if set(reply) == {"message"}:
        return _Answer(None, Ending.BROKEN, f"the Lean server's REPL refuses: {reply['message']}"[:300])
    return _Answer(reply)


def _failed(error: str) -> _Answer:
    said = f"the Lean server: {error.splitlines()[0] if error else 'an error without a text'}"[:300]
    if "timed out" in error:
        # A header is ours or the task's, never the candidate's.
        return _Answer(None, Ending.BROKEN if "header" in error else Ending.TIMEOUT, said)
    if _NOT_STARTED.search(error):
        raise _BusyError(said)
    return _Answer(None, Ending.DIED if _CRASH.search(error) else Ending.BROKEN, said)


def _detail(error: urllib.error.HTTPError) -> str:
    """FastAPI's ``{"detail": ...}``, or the start of whatever else came."""
    try:
        raw = error.read(4096).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""
    try:
        detail = json.loads(raw)["detail"]
    except (ValueError, KeyError, TypeError):
        detail = raw
    return " ".join(str(detail).split())[:200]
