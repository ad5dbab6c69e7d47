"""The verifiers over HTTP: ``POST /verify`` for one verdict, ``POST /verify_batch`` for many, as they come.

    GET  /health         liveness and readiness; open to all, and never held up by judging
    GET  /verifiers      what is served, and the limits that hold
    GET  /metrics        for Prometheus
    GET  /openapi.json   all of this for programs
    POST /verify         {"verifier", "problem", "candidate"} -> a verdict
    POST /verify_batch   {"items": [{"id", "verifier", "problem", "candidate"}, ...]} -> a line for each item (NDJSON)

This is the public face, and cheap to import; what needs FastAPI is in `serving`. Why the server does what it does is in
docs/design/0005-serving.md, how to use it in docs/serving.md.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from proofgrad.verifiers.base import Verifier
from proofgrad.verifiers.errors import ConfigError, MissingExtraError
from proofgrad.verifiers.store import VerdictStore

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["TOKEN_VARIABLE", "ServerLimits", "check_token", "create_app", "read_token", "serve"]

TOKEN_VARIABLE = "PROOFGRAD_TOKEN"
"""The environment variable that holds the bearer token, for the server and for its clients."""

_TOKEN_CHARS = (16, 1024)
_PACKAGES = ("fastapi", "uvicorn", "prometheus_client")


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What a server takes on. Whatever is beyond a limit is refused, never cut short.

    Attributes:
        items: candidates waiting and being judged at once; beyond it the answer is 429.
        batch_items: candidates in one batch.
        body_bytes: of one request's body.
        held_bytes: of the bodies of all requests under way together; beyond it the answer is 429.
        depth: nesting of JSON arrays and objects in a body.
        connections: open at once; more are closed unheard.
        header_s: seconds in which a request's headers must have arrived.
        body_s: seconds in which its body must have arrived, else 408.
        stall_s: seconds for which a client may leave what is sent to it unread.

    Raises:
        ConfigError: a limit is not above 0, or a batch or body would never be let in.
    """

    items: int = 1024
    batch_items: int = 256
    body_bytes: int = 8 << 20
    held_bytes: int = 256 << 20
    depth: int = 64
    connections: int = 1000
    header_s: float = 10.0
    body_s: float = 30.0
    stall_s: float = 30.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ConfigError(f"server limit {field.name} must be more than 0, got {getattr(self, field.name)}")
        for part, whole in (("batch_items", "items"), ("body_bytes", "held_bytes")):
            if getattr(self, part) > getattr(self, whole):
                raise ConfigError(
                    f"server limit {part} ({getattr(self, part)}) is more than {whole} ({getattr(self, whole)}): "
                    f"lower {part} or raise {whole}"
                )


def create_app(
    verifiers: Mapping[str, Verifier],
    *,
    token: str | None = None,
    limits: ServerLimits | None = None,
    workers: int = 2,
    retries: int = 2,
    store: VerdictStore | None = None,
    include_evidence: bool = True,
    hosts: Collection[str] | None = None,
) -> FastAPI:
    """The application, for any ASGI server. Judging begins with its lifespan's start and ends with its end.

    Args:
        verifiers: by name; closed when the application ends.
        token: what clients have to present (RFC 6750); None lets anybody in.
        limits: `ServerLimits()` when None.
        workers: judgements, or batches of them, under way at once.
        retries: how often an UNKNOWN verdict is tried again.
        store: answers repeated work without judging it; closed when the application ends.
        include_evidence: whether verdicts carry their evidence. It may hold inputs that a verifier drew, and the
            answers that were expected: turn it off where clients are not to learn them.
        hosts: names in the Host header under which requests are let in; None for any. Without a token this keeps web
            pages out that point a name of their own at this machine (DNS rebinding).

    Raises:
        ConfigError: nothing to serve, no workers to do it, or the token is no token.
        MissingExtraError: the extra `serve` is not installed.
    """
    _require()
    if not verifiers:
        raise ConfigError("there is no verifier to serve")
    if workers < 1 or retries < 0:
        raise ConfigError(f"a server needs workers >= 1 and retries >= 0, got {workers} and {retries}")
    if token is not None:
        check_token(token, "the token")
    from proofgrad.verifiers.serving.app import build
    from proofgrad.verifiers.serving.service import Service

    service = Service(
        verifiers,
        limits=limits or ServerLimits(),
        workers=workers,
        retries=retries,
        store=store,
        include_evidence=include_evidence,
    )
    return build(service, token=token, hosts=hosts)


def serve(
    verifiers: Mapping[str, Verifier],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    insecure: bool = False,
    limits: ServerLimits | None = None,
    workers: int = 2,
    retries: int = 2,
    store: VerdictStore | None = None,
    include_evidence: bool = True,
    grace_s: float = 30.0,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain: new work is refused with 503, what is under way is finished.

    A second signal, or the end of the grace period, ends the wait: what is left is answered UNKNOWN.

    Args:
        host: address to listen on. Any but this machine's own needs a token.
        port: 0 for any that is free.
        insecure: listen on any address without a token.
        grace_s: seconds given to what is under way.
        announce: called with the URL once requests are taken.

    The rest is as in `create_app`.

    Raises:
        ConfigError: the address cannot be listened on, is open to others without a token, or an option is wrong.
        MissingExtraError: the extra `serve` is not installed.
    """
    app_limits = limits or ServerLimits()
    _require()
    if not grace_s >= 0:
        raise ConfigError(f"the grace period must be 0 seconds or more, got {grace_s}")
    from proofgrad.verifiers.serving.process import LOOPBACK_NAMES, listen, run

    listener = listen(host, port, is_open=token is None, insecure=insecure)
    try:
        app = create_app(
            verifiers,
            token=token,
            limits=app_limits,
            workers=workers,
            retries=retries,
            store=store,
            include_evidence=include_evidence,
            hosts=LOOPBACK_NAMES if token is None and not insecure else None,
        )
        app.state.service.prepare()
        run(app, listener, limits=app_limits, grace_s=grace_s, announce=announce)
    finally:
        listener.close()


def read_token(path: Path) -> str:
    """The token in a file, without the line break at its end.

    Raises:
        ConfigError: the file cannot be read, is not a plain file, or holds no token.
    """
    try:
        # Not blocking: a named pipe that nobody writes to would otherwise wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigError(f"cannot read the token from '{path}': it is not a plain file")
            raw = file.read(_TOKEN_CHARS[1] + 3)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"cannot read the token from '{path}': {said}") from error
    return check_token(raw.decode("ascii", "replace").removesuffix("\n").removesuffix("\r"), f"the token in '{path}'")


def check_token(token: str, where: str) -> str:
    """The token, when it can be one: `where` says in the error where it came from, which never shows the token.

    Raises:
        ConfigError: it is too short to be a secret, or a header could not carry it.
    """
    least, most = _TOKEN_CHARS
    if not least <= len(token) <= most:
        raise ConfigError(f"{where} must have {least} to {most} characters, not {len(token)}: openssl rand -hex 32")
    if not all("!" <= char <= "~" for char in token):
        raise ConfigError(f"{where} may hold only visible ASCII characters, and no spaces: openssl rand -hex 32")
    return token


def _require() -> None:
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, "serve", "serving verifiers")
