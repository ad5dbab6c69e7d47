"""Behaves as kimina-lean-server's ``POST /api/check``, over REPL doubles in this process.

Faithful where our client has to be careful: imports are split off a snippet and run once for each REPL, every later
command runs in environment 0, so that without imports snippet N runs in snippet 1's environment; lines may count from
behind the imports; what a REPL's death, a time-out and a missing key look like. Source: ``server/routers/check.py``,
``server/split.py`` and ``server/manager.py`` of project-numina/kimina-lean-server.
"""

import json
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from doubles.repl_double import Elaborator

CRASH = "Lean process broken pipe"


class KiminaDouble:
    """A server on a free port of 127.0.0.1 until the block ends.

    Attributes:
        script: what the next requests get instead of an answer: an HTTP status, (status, detail), "hang", "malformed",
            "slow", "timeout", "other-id", "close".
        requests: the bodies that came.
        counts_header: whether lines count from the snippet's start, as in newer releases.
    """

    def __init__(self, lean: str, *, key: str = "", counts_header: bool = True) -> None:
        self.script: deque[Any] = deque()
        self.requests: list[dict] = []
        self.counts_header, self._key, self._lean = counts_header, key, lean
        self._free: dict[str, list[Elaborator]] = {}
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                double.serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> "KiminaDouble":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.requests.append(body)
        if handler.path.rstrip("/") != "/api/check":
            return self._send(handler, 404, {"detail": "Not Found"})
        if self._key and handler.headers["Authorization"] != f"Bearer {self._key}":
            return self._send(handler, 401, {"detail": "Invalid or missing API Key"})
        match self.script.popleft() if self.script else None:
            case int(status):
                return self._send(handler, status, {"detail": "No available REPLs"})
            case (int(status), str(detail)):
                return self._send(handler, status, {"detail": detail})
            case "hang":
                self.stopping.wait(60)
                return None
            case "close":
                return None
            case "malformed":
                return self._raw(handler, 200, b'{"results": [{"id": 7')
            case "slow":
                self.stopping.wait(0.5)
            case "timeout":
                error = f"Lean REPL command timed out in {float(body['timeout'])} seconds"
                return self._send(
                    handler, 200, {"results": [{"id": s["id"], "error": error} for s in body["snippets"]]}
                )
            case "other-id":
                return self._send(handler, 200, {"results": [{"id": "another", "time": 0.1, "response": {"env": 0}}]})
        results = []
        for snippet in body["snippets"]:
            result = self._check(snippet, float(body["timeout"]), reuse=body.get("reuse", True))
            if isinstance(result, tuple):
                return self._send(handler, *result)
            results.append({"id": snippet["id"], **result})
        return self._send(handler, 200, {"results": results})

    def _check(self, snippet: dict, timeout: float, *, reuse: bool) -> dict | tuple[int, dict]:
        header, body, skipped = split(snippet["code"])
        if "-- double: crash" in body:
            return 500, {"detail": CRASH}
        if "-- double: grow" in body:
            return {"error": "Lean REPL out of memory", "time": 0.0}
        if "-- double: hang" in body:
            self.stopping.wait(min(timeout, 0.2))
            return {"error": f"Lean REPL command timed out in {timeout} seconds", "time": timeout}
        with self._lock:
            known = self._free.setdefault(header, [])
            repl = known.pop() if reuse and known else None
        started = time.monotonic()
        if repl is None:
            repl = Elaborator(self._lean)
            if header.strip():
                repl.run({"cmd": header})
        request: dict[str, Any] = {"cmd": body}
        if repl.sources:
            request["env"] = 0
        reply = json.loads(json.dumps(repl.run(request)))
        with self._lock:
            known.append(repl)
        if self.counts_header:
            for part in [*reply.get("messages", []), *reply.get("sorries", [])]:
                for end in ("pos", "endPos"):
                    if part.get(end):
                        part[end]["line"] += skipped
        return {"time": round(time.monotonic() - started, 6), "response": reply}

    def _send(self, handler: BaseHTTPRequestHandler, status: int, body: dict) -> None:
        self._raw(handler, status, json.dumps(body).encode())

    def _raw(self, handler: BaseHTTPRequestHandler, status: int, data: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


def split(code: str) -> tuple[str, str, int]:
    """Import lines and blank ones from the top; the rest; how many lines were taken."""
    lines = code.splitlines()
    taken = 0
    while taken < len(lines) and (not lines[taken].strip() or lines[taken].strip().startswith("import ")):
        taken += 1
    imports = list(dict.fromkeys(line.strip() for line in lines[:taken] if line.strip()))
    mathlib = ["import Mathlib"] if any(line.startswith("import Mathlib") for line in imports) else []
    header = mathlib + [line for line in imports if not line.startswith("import Mathlib")]
    return "\n".join(header), "\n".join(lines[taken:]), taken
