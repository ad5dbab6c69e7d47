"""Who may come in, and under which name: checked before a byte of the body is read. Counts what goes out."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proofgrad.verifiers.serving.metrics import Metrics
from proofgrad.verifiers.serving.wire import Refusal

__all__ = ["Guard", "refused"]

_OPEN_TO_ALL = "/health"


class Guard:
    """ASGI middleware.

    Args:
        app: what is guarded.
        metrics: where requests are counted.
        routes: paths that are counted by name; all others are one.
        token: what to present; None for nothing.
        hosts: names in the Host header that are let in; None for any.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        routes: Collection[str],
        token: str | None,
        hosts: Collection[str] | None,
    ) -> None:
        self._app, self._metrics, self._routes = app, metrics, frozenset(routes)
        self._digest = None if token is None else _digest(token.encode("ascii"))
        self._hosts = None if hosts is None else {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = scope["path"] if scope["path"] in self._routes else "other"
        status = 500  # what a bug becomes, further out

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is None:
                await self._app(scope, receive, counted)
            else:
                self._metrics.rejected.labels(refusal.cause).inc()
                await refused(refusal)(scope, receive, counted)
        finally:
            self._metrics.requests.labels(route, str(status)).inc()

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        if self._hosts is not None and _name(headers.get("host", "")) not in self._hosts:
            return Refusal(421, "this server does not answer to that name; give it a token to allow any", cause="host")
        if self._digest is None or scope["path"] == _OPEN_TO_ALL:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # Digests have one length, so that the comparison takes one time whatever is presented.
        same = hmac.compare_digest(_digest(given.strip().encode("latin-1", "replace")), self._digest)
        if scheme.lower() == "bearer" and same:
            return None
        return Refusal(401, "a bearer token is needed: Authorization: Bearer TOKEN", cause="unauthorized")


def refused(refusal: Refusal) -> JSONResponse:
    """The response to a request that is turned away."""
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return JSONResponse({"detail": refusal.detail}, refusal.status, headers)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
