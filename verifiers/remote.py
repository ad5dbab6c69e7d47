"""`RemoteVerifier`: a verifier that runs on a server (`proofgrad serve`) and is used like one that runs here.

Its name and version are those of the verifier on the server, so the verdict store's keys are the same on both sides: a
version says which judgements are given, not where. The version is sent with each candidate, and a server that has come
to run another one refuses to judge: no verdict is ever put down under a version that did not give it.

Whatever goes wrong on the way is UNKNOWN, never a score:

    infra.server_unreachable    no connection, it broke, or the server fails (5xx) or is draining
    infra.server_timeout        no verdict within the deadline
    infra.server_busy           the server stayed full (429) until the deadline
    infra.server_changed        the server now runs another version, or does not serve the verifier any more
    infra.server_refused        it refuses the request for another reason, e.g. its size
    infra.server_reply          its reply is malformed, or answers something else
"""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from proofgrad.verifiers.base import Problem, Verdict
from proofgrad.verifiers.errors import ConfigError, MissingExtraError, ProblemError
from proofgrad.verifiers.server import TOKEN_VARIABLE, check_token
from proofgrad.verifiers.serving.replies import (
    Attempts,
    Trouble,
    detail_in,
    number_of,
    object_in,
    retry_after,
    verdict_in,
)
from proofgrad.verifiers.serving.wire import one_line

if TYPE_CHECKING:
    import httpx

__all__ = ["RemoteVerifier"]

_REPLY_BYTES = 64 << 20
_LINE_BYTES = 16 << 20
_CONNECT_S = 10.0
_TRANSIENT = (408, 425)
_AROUND_ITEMS = len(b'{"items":[]}')


class RemoteVerifier:
    """Judges through a server.

    Args:
        url: of the server, e.g. ``http://127.0.0.1:8000``.
        verifier: the verifier's name there.
        token: what the server asks for; the environment variable PROOFGRAD_TOKEN when None. A copy in another process
            reads the variable again: only a token that was given here travels with it.
        timeout_s: how long to wait for a verdict, everything included; in a batch, for the next verdict.
        retries: how often to try again where that may help. Waiting for a full server is not counted, only timed.
        batch_size: candidates that a pool hands over at once; no more than the server takes.

    Attributes:
        name: the verifier's name on the server.
        version: its version there when this object was made; copies keep it.

    Raises:
        ConfigError: the URL, the token or an option is wrong, the server cannot be reached or is no such server, or it
            does not serve this verifier.
        MissingExtraError: httpx is not installed.
    """

    _client: tuple[int, httpx.Client] | None  # and the process that opened it

    def __init__(
        self,
        url: str,
        verifier: str,
        *,
        token: str | None = None,
        timeout_s: float = 120.0,
        retries: int = 2,
        batch_size: int = 64,
    ) -> None:
        if not 0 < timeout_s < math.inf or retries < 0 or batch_size < 1:
            raise ConfigError(
                "a remote verifier needs timeout_s > 0, retries >= 0 and batch_size >= 1, got "
                f"{timeout_s}, {retries} and {batch_size}"
            )
        self.name = verifier
        self._url, self._timeout_s, self._retries = _checked(url), timeout_s, retries
        self._open(token)
        self.version, (most, self._body_bytes) = self._introduce()
        self.batch_size = min(batch_size, most)

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """The server's verdict, or UNKNOWN with a reason of this module's list.

        Raises:
            ProblemError: the server says that the problem is malformed.
            ConfigError: the server refuses the token.
        """
        body = _dumps(self._item(problem, candidate))
        attempts = Attempts(self._retries, self._timeout_s)
        while True:
            try:
                return verdict_in(object_in(b"".join(self._exchange("POST", "/verify", body, attempts))))
            except Trouble as trouble:
                if not attempts.again(trouble):
                    return trouble.verdict(attempts.taken)

    def verify_batch(self, items: Iterable[tuple[Problem, str]]) -> list[Verdict]:
        """One verdict for each (problem, candidate), in order; what the server does not get to is UNKNOWN.

        Raises:
            ProblemError: the server says that a problem is malformed.
            ConfigError: the server refuses the token.
        """
        bodies = [_dumps({"id": str(i), **self._item(*item)}) for i, item in enumerate(items)]
        verdicts: dict[int, Verdict] = {}
        for chunk in self._chunks(bodies):
            self._verify_chunk({i: bodies[i] for i in chunk}, verdicts)
        return [verdicts[i] for i in range(len(bodies))]

    def close(self) -> None:
        """Close the connections; the next `verify` opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None and client[0] == os.getpid():
            client[1].close()

    def __repr__(self) -> str:
        return f"RemoteVerifier({self._url!r}, {self.name!r})"

    def __getstate__(self) -> dict[str, object]:
        # A copy has connections of its own. It keeps the version: asking again could give it another one than the
        # caller stores its verdicts under.
        left_out = ("_lock", "_client", "_token")
        return {key: value for key, value in self.__dict__.items() if key not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open(self._given_token)

    def _open(self, token: str | None) -> None:
        self._given_token = token
        secret = token if token is not None else os.environ.get(TOKEN_VARIABLE)
        self._token = None if secret is None else check_token(secret, "the token of a remote verifier")
        self._lock = threading.Lock()
        self._client = None

    def _item(self, problem: Problem, candidate: str) -> dict[str, Any]:
        return {"verifier": self.name, "version": self.version, "problem": problem, "candidate": candidate}

    # Batches.

    def _chunks(self, bodies: list[bytes]) -> Iterator[range]:
        """Ranges of items that fit into one request; an item too large for any is sent alone, to be refused."""
        first, size = 0, _AROUND_ITEMS
        for i, body in enumerate(bodies):
            if i > first and (i - first >= self.batch_size or size + len(body) + 1 > self._body_bytes):
                yield range(first, i)
                first, size = i, _AROUND_ITEMS
            size += len(body) + 1
        if bodies:
            yield range(first, len(bodies))

    def _verify_chunk(self, unanswered: dict[int, bytes], verdicts: dict[int, Verdict]) -> None:
        """Fill in a verdict for each unanswered item."""
        attempts = Attempts(self._retries, self._timeout_s)
        while unanswered:
            body = b'{"items":[' + b",".join(unanswered.values()) + b"]}"
            try:
                for number, verdict in self._answers(body, unanswered, attempts):
                    verdicts[number] = verdict
                    del unanswered[number]
                    attempts.renew()
                if unanswered:
                    raise Trouble("infra.server_reply", f"the reply ends with {len(unanswered)} items unanswered")
            except Trouble as trouble:
                if not attempts.again(trouble):
                    verdicts.update(dict.fromkeys(unanswered, trouble.verdict(attempts.taken)))
                    return

    def _answers(
        self, body: bytes, unanswered: Mapping[int, bytes], attempts: Attempts
    ) -> Iterator[tuple[int, Verdict]]:
        rest = b""
        with closing(self._exchange("POST", "/verify_batch", body, attempts)) as pieces:
            for piece in pieces:
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > _LINE_BYTES:
                    raise Trouble("infra.server_reply", "a line of the reply is too long", again=False)
                for line in lines:
                    yield self._answer(line, unanswered)
        if rest:
            raise Trouble("infra.server_reply", "the reply ends within a line")

    def _answer(self, line: bytes, unanswered: Mapping[int, bytes]) -> tuple[int, Verdict]:
        value = object_in(line)
        number = number_of(value.get("id"))
        if number not in unanswered:
            raise Trouble("infra.server_reply", "the reply answers something that was not asked, or twice")
        error = value.get("error")
        if error is None:
            return number, verdict_in(value.get("verdict"))
        if not isinstance(error, dict) or type(error.get("status")) is not int:
            raise Trouble("infra.server_reply", "the reply has an error without a status")
        return number, self._refused(error["status"], one_line(str(error.get("detail", ""))), None).verdict(0.0)

    # One request.

    def _exchange(self, method: str, path: str, body: bytes | None, attempts: Attempts) -> Generator[bytes, None, None]:
        """The body of a 200, in pieces.

        Raises:
            Trouble: there is none, or not all of it.
            ProblemError, ConfigError: the server says so.
        """
        import httpx

        left = attempts.left()
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        timeout = httpx.Timeout(left, connect=min(left, _CONNECT_S))
        request = {"content": body, "headers": headers, "timeout": timeout}
        try:
            with self._connections().stream(method, self._url + path, **request) as reply:  # type: ignore[arg-type]
                if reply.headers.get("content-encoding", "identity") != "identity":
                    raise Trouble("infra.server_reply", "the reply is compressed, which was not asked for")
                size, refusal = 0, b""
                for piece in reply.iter_raw():
                    size += len(piece)
                    if size > _REPLY_BYTES:
                        raise Trouble("infra.server_reply", "the reply is too long", again=False)
                    if reply.status_code == 200:
                        yield piece
                    else:
                        refusal = (refusal + piece)[:4096]
                    attempts.left()
                if reply.status_code != 200:
                    pause = retry_after(reply.headers.get("retry-after"))
                    raise self._refused(reply.status_code, detail_in(refusal), pause)
        except httpx.TimeoutException as error:
            raise Trouble("infra.server_timeout", f"{self._url} does not answer: {type(error).__name__}") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise Trouble("infra.server_unreachable", f"{self._url}: {str(error) or type(error).__name__}") from error

    def _refused(self, status: int, detail: str, pause: float | None) -> Trouble:
        """What a status other than 200 means.

        Raises:
            ProblemError, ConfigError: what the server reports is one of these.
        """
        said = f"{self._url} answers {status}: {detail}" if detail else f"{self._url} answers {status}"
        if status == 422:
            raise ProblemError(detail.removeprefix("problem: ") or said)
        if status in (401, 403):
            raise ConfigError(f"{said}; give a token, or set {TOKEN_VARIABLE}")
        if status == 429:
            return Trouble("infra.server_busy", said, pause=pause, counts=False)
        if status >= 500 or status in _TRANSIENT:
            return Trouble("infra.server_unreachable", said, pause=pause)
        if status in (404, 409):
            return Trouble("infra.server_changed", f"{said}; make a new RemoteVerifier", again=False)
        return Trouble("infra.server_refused", said, again=False)

    def _connections(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None or self._client[0] != os.getpid():  # sockets are not shared with a forked copy
                limits = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=30.0)
                self._client = (os.getpid(), httpx.Client(limits=limits, follow_redirects=False))
            return self._client[1]

    def _introduce(self) -> tuple[str, tuple[int, int]]:
        """The verifier's version on the server, and the items and bytes that it takes in one batch."""
        attempts = Attempts(self._retries, self._timeout_s)
        while True:
            try:
                served = object_in(b"".join(self._exchange("GET", "/verifiers", None, attempts)))
                versions = {str(entry["name"]): entry["version"] for entry in served["verifiers"]}
                most, body_bytes = served["limits"]["batch_items"], served["limits"]["body_bytes"]
                if not all(isinstance(v, str) for v in versions.values()):
                    raise TypeError("a version that is not text")
                if not all(type(n) is int and n > 0 for n in (most, body_bytes)):
                    raise TypeError("a limit that is not a number")
            except Trouble as trouble:
                if not attempts.again(trouble):
                    raise ConfigError(f"no verifiers at '{self._url}': {trouble}") from trouble
            except (KeyError, TypeError) as error:
                raise ConfigError(f"'{self._url}' is not a server of verifiers: {one_line(repr(error))}") from error
            else:
                break
        if self.name not in versions:
            known = ", ".join(sorted(versions)) or "none"
            raise ConfigError(one_line(f"'{self._url}' has no verifier named '{self.name}'; it serves: {known}"))
        return versions[self.name], (most, body_bytes)


def _checked(url: str) -> str:
    """The URL without a slash at its end.

    Raises:
        ConfigError: it is not one of a server.
        MissingExtraError: httpx is not installed.
    """
    try:
        import httpx
    except ImportError as error:
        raise MissingExtraError("httpx", "serve", "a remote verifier") from error
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ConfigError(f"'{url}' is not the URL of a server: {error}") from error
    if parsed.userinfo:
        raise ConfigError("the URL of a server must not hold a password; give a token in its place")
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        raise ConfigError(f"'{url}' is not the URL of a server: write http://HOST:PORT or https://HOST")
    return url.rstrip("/")


def _dumps(value: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise ProblemError(f"the problem is not plain JSON: {one_line(str(error))}") from error
