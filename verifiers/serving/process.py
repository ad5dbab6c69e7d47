"""A listening socket, uvicorn on it, and what SIGTERM does."""

from __future__ import annotations

import asyncio
import ipaddress
import resource
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import ClassVar

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.server import ServerLimits
from proofgrad.verifiers.serving.service import Service

__all__ = ["LOOPBACK_NAMES", "DrainingServer", "listen", "run", "url_of"]

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
"""What a request for this machine's own server may call it."""

_KEEP_ALIVE_S = 75  # longer than clients keep idle connections, so that none is closed under a request
_LAST_WORDS_S = 5  # to send what has been answered
_BACKLOG = 1024
_HEADER_BYTES = 16 << 10


def listen(host: str, port: int, *, is_open: bool, insecure: bool) -> socket.socket:
    """A socket bound to `host` and `port`.

    Args:
        is_open: whether anybody may come in, as there is no token.
        insecure: whether that is meant, wherever the address can be reached from; says so on standard error.

    Raises:
        ConfigError: the address is not to be had, or is open to others.
    """
    where = f"{host}:{port}"
    if not host or not 0 <= port <= 65535:
        raise ConfigError(f"cannot listen on '{where}': give an address, and a port from 0 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"cannot listen on '{where}': {getattr(error, 'strerror', None) or error}") from error
    family, kind, protocol, _, address = found[0]
    if is_open and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        if not insecure:
            raise ConfigError(
                f"'{host}' can be reached from other machines: set PROOFGRAD_TOKEN or --token-file, or say --insecure"
            )
        print(f"proofgrad: warning: no token is set: whoever reaches {where} can run programs here", file=sys.stderr)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Here, so that a port in use is noticed now; the backlog keeps early clients until they are heard.
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        said = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot listen on '{where}': {said}; choose another with --host and --port") from error
    return listener


def run(
    app: FastAPI,
    listener: socket.socket,
    *,
    limits: ServerLimits,
    grace_s: float,
    announce: Callable[[str], None] | None,
) -> None:
    """Serve `app` until a signal, and drain it. `announce` gets the URL once requests are taken."""
    server = DrainingServer(app, limits, grace_s, lambda: announce and announce(url_of(listener)))
    asyncio.run(server.serve(sockets=[listener]))


def url_of(listener: socket.socket) -> str:
    """Under which a socket is reached from this machine."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class DrainingServer(uvicorn.Server):
    """Uvicorn, with draining between a signal and the end: its own way is to stop listening at once.

    Args:
        app: made by `create_app`.
        limits: of connections and times.
        grace_s: seconds given to what is under way.
        on_start: called once requests are taken.
    """

    def __init__(self, app: FastAPI, limits: ServerLimits, grace_s: float, on_start: Callable[[], object]) -> None:
        class Protocol(_BoundedProtocol):
            bounds = limits
            # Half of what may be open at all is left for sandboxes and stores.
            connections_most = min(limits.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)

        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_LAST_WORDS_S,
                h11_max_incomplete_event_size=_HEADER_BYTES,
            )
        )
        self._service: Service = app.state.service
        self._grace_s, self._on_start = grace_s, on_start
        self._until: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; at the second time, end that. The exit status is 0: a server that was told to go, went."""
        if self._until is None:
            self._until = time.monotonic() + self._grace_s
            self._service.drain(self._grace_s)
        else:
            self._until = time.monotonic()

    async def on_tick(self, counter: int) -> bool:
        if self._until is not None:
            if self._service.state == "ready":
                self._service.drain(self._grace_s)  # the signal came while it was starting
            if self._service.gate.is_idle or time.monotonic() >= self._until:
                self._service.gate.give_up()
                self.should_exit = True
        return await super().on_tick(counter)


class _BoundedProtocol(H11Protocol):
    """HTTP with a bound on the time that a client may take over headers, and over reading what it is sent.

    Uvicorn bounds neither, so that a client that does nothing could keep its connection for ever (slowloris).
    """

    bounds: ClassVar[ServerLimits]
    connections_most: ClassVar[int]

    _timers: dict[str, asyncio.TimerHandle]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timers = {}
        if len(self.connections) > self.connections_most:
            transport.abort()
        else:
            self._mind_the_client()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._mind_the_client()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in self._timers.values():
            timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start("reading", self.bounds.stall_s)

    def resume_writing(self) -> None:
        self._stop("reading")
        super().resume_writing()

    def _mind_the_client(self) -> None:
        """Give the client its time when it is its turn: for headers, or for the rest of a body that nobody reads."""
        theirs = self.conn.their_state
        answered = self.conn.our_state in (h11.DONE, h11.MUST_CLOSE)
        if theirs is h11.IDLE or (theirs is h11.SEND_BODY and answered):
            self._start("sending", self.bounds.header_s)
        else:
            self._stop("sending")

    def _start(self, what: str, seconds: float) -> None:
        if what not in self._timers:
            self._timers[what] = self.loop.call_later(seconds, self.transport.abort)

    def _stop(self, what: str) -> None:
        if what in self._timers:
            self._timers.pop(what).cancel()
