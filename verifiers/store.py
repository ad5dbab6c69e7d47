"""A content-addressed store of verdicts: equal work is judged once, in this run and the next.

One SQLite file in WAL mode, safe for many threads and processes. UNKNOWN is never stored, and neither is a timeout:
both say something about the machine at that moment.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from pathlib import Path

from proofgrad.verifiers.base import Outcome, Problem, Verdict, Verifier

__all__ = ["VerdictStore", "verdict_key"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS verdicts (
    key TEXT PRIMARY KEY,
    verifier TEXT NOT NULL,
    version TEXT NOT NULL,
    verdict TEXT NOT NULL
) WITHOUT ROWID
"""


def verdict_key(verifier: Verifier, problem: Problem, candidate: str) -> str:
    """SHA-256 over everything that a judgement depends on: verifier, version, problem and candidate."""
    digest = hashlib.sha256()
    for part in (verifier.name, verifier.version, json.dumps(problem, sort_keys=True), candidate):
        data = part.encode("utf-8", "surrogatepass")  # a candidate may hold lone surrogates
        # Lengths keep the parts apart: no choice of candidate can imitate another problem's key.
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL, also when processes that start together do so to the same new file."""
    # There SQLite says "database is locked" at once, whatever the timeout; once one has switched, all find it done.
    until = time.monotonic() + 1.0
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


class VerdictStore:
    """Verdicts by key, in one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
        _use_wal(self._connection)
        # With WAL, NORMAL loses at most the last transactions on power failure and never corrupts (SQLite manual).
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(_SCHEMA)

    def get(self, key: str) -> Verdict | None:
        """The stored verdict, or None."""
        with self._lock:
            row = self._connection.execute("SELECT verdict FROM verdicts WHERE key = ?", (key,)).fetchone()
        return Verdict.from_json(json.loads(row[0])) if row else None

    def put(self, key: str, verifier: Verifier, verdict: Verdict) -> None:
        """Remember a verdict, unless it is one that another try could change."""
        if verdict.outcome is Outcome.UNKNOWN or verdict.reason.endswith(".timeout"):
            return
        row = (key, verifier.name, verifier.version, json.dumps(verdict.to_json()))
        with self._lock:
            self._connection.execute("INSERT OR IGNORE INTO verdicts VALUES (?, ?, ?, ?)", row)

    def __len__(self) -> int:
        with self._lock:
            count: int = self._connection.execute("SELECT COUNT(*) FROM verdicts").fetchone()[0]
        return count

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
