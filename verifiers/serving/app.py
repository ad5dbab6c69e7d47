"""The routes and their OpenAPI document."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from proofgrad.verifiers.base import Json, Verdict
from proofgrad.verifiers.serving.gate import Entry
from proofgrad.verifiers.serving.guard import Guard, refused
from proofgrad.verifiers.serving.metrics import CONTENT_TYPE
from proofgrad.verifiers.serving.service import Service
from proofgrad.verifiers.serving.stream import NDJSON, VerdictStream, first_answer
from proofgrad.verifiers.serving.wire import (
    BATCH_SCHEMA,
    ERROR_SCHEMA,
    LINE_SCHEMA,
    VERDICT_SCHEMA,
    VERIFY_SCHEMA,
    Ask,
    Refusal,
    dumps,
    parse_batch,
    parse_body,
    parse_verify,
    verdict_json,
)

__all__ = ["build"]

_ROUTES = ("/health", "/verifiers", "/metrics", "/openapi.json", "/verify", "/verify_batch")
_IN_A_THREAD_BYTES = 64 << 10  # parsing more would hold up /health
_CLIENT_LEFT = 499  # nginx's; nobody receives it, it is for the count
_T = TypeVar("_T")


def build(service: Service, *, token: str | None, hosts: Collection[str] | None) -> FastAPI:
    """The application around `service`, which starts and ends with it; it is in the state as ``service``."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.open()
        try:
            yield
        finally:
            await service.close()

    # The pages with interactive documentation load scripts from elsewhere.
    app = FastAPI(
        title="proofgrad verifiers",
        summary="Verdicts on proofs and programs",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.add_middleware(Guard, metrics=service.metrics, routes=_ROUTES, token=token, hosts=hosts)
    _routes(app, service)
    _document(app, needs_token=token is not None, checks_host=hosts is not None)

    @app.exception_handler(Refusal)
    async def turn_away(_: Request, refusal: Refusal) -> Response:
        service.metrics.rejected.labels(refusal.cause or str(refusal.status)).inc()
        return refused(refusal)

    return app


def _routes(app: FastAPI, service: Service) -> None:
    limits = service.limits

    @app.get("/health", responses={200: _json("Ready.", _HEALTH), 503: _json("Starting or draining.", _HEALTH)})
    async def health() -> JSONResponse:
        """Whether the server lives, and whether it takes new work. Needs no token."""
        ready = service.state == "ready"
        return JSONResponse({"live": True, "ready": ready, "status": service.state}, 200 if ready else 503)

    @app.get("/verifiers", responses={200: _json("What is served.", _VERIFIERS)})
    async def verifiers() -> JSONResponse:
        """The verifiers with their versions and sandboxes, and the limits that hold."""
        return JSONResponse(service.describe())

    @app.get("/metrics", responses={200: {"description": "Counters.", "content": {"text/plain": {"schema": _TEXT}}}})
    async def metrics() -> Response:
        """Counters in Prometheus' text format."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    @app.post("/verify", openapi_extra=_body(VERIFY_SCHEMA), responses=_WORK | {
        200: _json("The verdict.", VERDICT_SCHEMA),
        404: _error("There is no such verifier; the nearest name is in the detail."),
        409: _error("The verifier has another version than the one asked for."),
    })  # fmt: skip
    async def verify(request: Request) -> Response:
        """Judge one candidate."""
        gate, body = service.gate, _Body(service)
        try:
            ask = await body.read(request, parse_verify)
            service.find(ask)
            [entry] = gate.enter([ask])
            answer = await first_answer(gate, entry, request.receive)
        finally:
            body.release()
        if answer is None:
            return Response(status_code=_CLIENT_LEFT)
        if isinstance(answer, Verdict):
            content = verdict_json(answer, include_evidence=service.include_evidence)
            return Response(content, media_type="application/json")
        raise Refusal(422, f"problem: {answer}", cause="problem")

    stream = {"description": "A line for each item, as it is done.", "content": {NDJSON: {"schema": LINE_SCHEMA}}}

    @app.post("/verify_batch", openapi_extra=_body(BATCH_SCHEMA(limits.batch_items)), responses=_WORK | {200: stream})
    async def verify_batch(request: Request) -> Response:
        """Judge many candidates; verdicts come in the order in which they are ready, each with its item's id."""
        gate, body = service.gate, _Body(service)
        try:
            asks = await body.read(request, lambda value: parse_batch(value, limits.batch_items))
            served, ready = _sorted_out(service, asks)
            entries = gate.enter(served)
        except BaseException:
            body.release()
            raise
        return VerdictStream(gate, entries, ready, lambda entry: _line(entry, service), body.release)


class _Body:
    """A request's body, counted against what the server may hold from the first byte until `release`."""

    def __init__(self, service: Service) -> None:
        self._service, self._gate, self._held = service, service.gate, 0

    async def read(self, request: Request, parse: Callable[[Json], _T]) -> _T:
        """The parsed body.

        Raises:
            Refusal: it is too large, too slow, not JSON, or not what the route takes.
        """
        limits = self._service.limits
        self._gate.check_open()
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            # Also keeps out what a web page may send to another site without asking it (Fetch: simple requests).
            raise Refusal(415, "the body must be JSON: Content-Type: application/json", cause="media_type")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refusal(415, "the body must not be compressed", cause="media_type")
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > limits.body_bytes:
            raise self._too_large()
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(limits.body_s):
                async for chunk in request.stream():
                    if self._held + len(chunk) > limits.body_bytes:
                        raise self._too_large()
                    self._gate.hold(len(chunk))
                    self._held += len(chunk)
                    chunks.append(chunk)
        except TimeoutError:
            raise Refusal(408, f"the body did not arrive within {limits.body_s:g} s", cause="slow") from None
        except ClientDisconnect:
            raise Refusal(_CLIENT_LEFT, "the client went away", cause="disconnected") from None
        raw = b"".join(chunks)
        if len(raw) > _IN_A_THREAD_BYTES:
            return await asyncio.to_thread(lambda: parse(parse_body(raw, limits.depth)))
        return parse(parse_body(raw, limits.depth))

    def release(self) -> None:
        """Forget the body."""
        self._gate.hold(-self._held)
        self._held = 0

    def _too_large(self) -> Refusal:
        return Refusal(413, f"the body has more than {self._service.limits.body_bytes} bytes", cause="too_large")


def _sorted_out(service: Service, asks: list[Ask]) -> tuple[list[Ask], list[bytes]]:
    """The items that can be judged, and lines about the others."""
    served: list[Ask] = []
    lines: list[bytes] = []
    for ask in asks:
        try:
            service.find(ask)
        except Refusal as refusal:
            lines.append(dumps({"id": ask.id, "error": {"status": refusal.status, "detail": refusal.detail}}))
        else:
            served.append(ask)
    return served, lines


def _line(entry: Entry, service: Service) -> bytes:
    answer = entry.answer.result()
    if isinstance(answer, Verdict):
        verdict = verdict_json(answer, include_evidence=service.include_evidence)
        return b'{"id":' + dumps(entry.ask.id) + b',"verdict":' + verdict + b"}"
    refusal = Refusal(422, f"problem: {answer}")
    return dumps({"id": entry.ask.id, "error": {"status": 422, "detail": refusal.detail}})


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _error(description: str, header: str = "", what: str = "") -> dict[str, Any]:
    reply = _json(description, {"$ref": "#/components/schemas/Error"})
    if header:
        kind = "integer" if header == "Retry-After" else "string"
        reply["headers"] = {header: {"required": True, "description": what, "schema": {"type": kind}}}
    return reply


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _document(app: FastAPI, *, needs_token: bool, checks_host: bool) -> None:
    """Complete the document that FastAPI writes: errors, and who may come in."""
    document = app.openapi()
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Error"] = ERROR_SCHEMA
    if needs_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if checks_host:
                operation["responses"]["421"] = _error("The Host header has a name that is not this server's.")
            if needs_token and path != "/health":
                operation["security"] = [{"token": []}]
                operation["responses"]["401"] = _error(
                    "The token is missing or wrong.", "WWW-Authenticate", "The scheme: Bearer."
                )


_TEXT = {"type": "string"}
_SECONDS = "Seconds after which to come again."
_HEALTH: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["live", "ready", "status"],
    "properties": {
        "live": {"type": "boolean"},
        "ready": {"type": "boolean", "description": "Whether new work is taken."},
        "status": {"type": "string", "enum": ["starting", "ready", "draining"]},
    },
}
_VERIFIERS: dict[str, Any] = {
    "type": "object",
    "required": ["verifiers", "limits", "evidence"],
    "properties": {
        "verifiers": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "version", "batch_size", "isolation"],
                "properties": {
                    "name": _TEXT,
                    "version": {**_TEXT, "description": "Changes whenever a judgement can change."},
                    "batch_size": {"type": "integer", "minimum": 1, "description": "What it judges in one go."},
                    "isolation": {
                        "type": ["object", "null"],
                        "description": "The layers of its sandbox: active, or missing with the reason.",
                        "additionalProperties": _TEXT,
                    },
                },
            },
        },
        "limits": {
            "type": "object",
            "required": ["items", "batch_items", "body_bytes", "depth"],
            "additionalProperties": {"type": "integer", "minimum": 1},
        },
        "evidence": {"type": "boolean", "description": "Whether verdicts carry their evidence."},
    },
}
_WORK: dict[int | str, dict[str, Any]] = {
    408: _error("The body did not arrive in time."),
    413: _error("The body is too large."),
    415: _error("The body is not of type application/json, or is compressed."),
    422: _error("The body is not strict JSON, a field is wrong, or the problem is malformed; the detail names it."),
    429: _error("The server is full.", "Retry-After", _SECONDS),
    503: _error("The server is draining or starting.", "Retry-After", _SECONDS),
}
