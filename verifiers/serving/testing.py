"""A server in a thread, for tests of clients and of verifiers behind HTTP."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI

from proofgrad.verifiers.server import ServerLimits
from proofgrad.verifiers.serving.process import DrainingServer, listen, url_of

__all__ = ["running"]


@contextmanager
def running(app: FastAPI, *, limits: ServerLimits | None = None, grace_s: float = 0.0) -> Iterator[str]:
    """Serve `app`, made by `create_app`, on a free port of this machine; gives its URL, and drains it at the end."""
    started = threading.Event()
    failed: list[BaseException] = []

    with listen("127.0.0.1", 0, is_open=True, insecure=False) as listener:
        server = DrainingServer(app, limits or ServerLimits(), grace_s, started.set)

        def work(**options: Any) -> None:
            try:
                asyncio.run(server.serve(**options))
            except BaseException as error:
                failed.append(error)
            finally:
                started.set()

        thread = threading.Thread(target=work, kwargs={"sockets": [listener]}, name="server", daemon=True)
        thread.start()
        started.wait()
        if failed:
            raise failed[0]
        try:
            yield url_of(listener)
        finally:
            server.handle_exit(signal.SIGTERM, None)
            thread.join(30)
