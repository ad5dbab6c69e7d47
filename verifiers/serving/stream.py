"""Waiting for verdicts while watching whether the client is still there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from proofgrad.verifiers.serving.gate import Answer, Entry, Gate

__all__ = ["NDJSON", "VerdictStream", "first_answer"]

NDJSON = "application/x-ndjson"


async def first_answer(gate: Gate, entry: Entry, receive: Receive) -> Answer | None:
    """The answer to one item; None when the client went away before it came."""
    gone = asyncio.ensure_future(_gone(receive))
    try:
        waited_for: list[asyncio.Future[Any]] = [entry.answer, gone]
        await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        gate.leave([entry])
    return None if entry.answer.cancelled() else entry.answer.result()


class VerdictStream(Response):
    """A line for each item, in the order in which they end.

    Starlette's own streaming response notices a client's going only when it next has something to send.

    Args:
        gate: that the entries came through.
        entries: items that were let in.
        ready: lines that stand already.
        line: makes an entry's line; line breaks are added here.
        release: called once, when all is over.
    """

    media_type = NDJSON

    def __init__(
        self,
        gate: Gate,
        entries: Sequence[Entry],
        ready: Iterable[bytes],
        line: Callable[[Entry], bytes],
        release: Callable[[], None],
    ) -> None:
        self.status_code, self.background, self.body = 200, None, b""
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})  # a proxy must not collect lines
        self._gate, self._entries, self._ready = gate, entries, list(ready)
        self._line, self._release = line, release

    def init_headers(self, headers: dict[str, str] | None = None) -> None:  # type: ignore[override]
        """Headers without a length, which is not known."""
        given = {"Content-Type": NDJSON, **(headers or {})}
        self.raw_headers = [(key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in given.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ended: asyncio.Queue[Entry | None] = asyncio.Queue()
        for entry in self._entries:
            entry.answer.add_done_callback(lambda _, entry=entry: ended.put_nowait(entry))  # type: ignore[misc]
        gone = asyncio.ensure_future(_gone(receive))
        gone.add_done_callback(lambda _: ended.put_nowait(None))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if self._ready:
                await self._send(send, self._ready)
            left = len(self._entries)
            while left:
                batch = [await ended.get()]
                while not ended.empty():
                    batch.append(ended.get_nowait())
                if None in batch:
                    return
                lines = [self._line(entry) for entry in batch if entry is not None]
                left -= len(lines)
                await self._send(send, lines)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            self._gate.leave(self._entries)
            self._release()

    @staticmethod
    async def _send(send: Send, lines: Iterable[bytes]) -> None:
        body = b"".join(line + b"\n" for line in lines)
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    """Ends when the client goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass
