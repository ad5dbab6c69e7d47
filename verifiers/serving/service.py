"""What is served: the verifiers, their pool, the gate in front of it, and how all of that starts and ends."""

from __future__ import annotations

import asyncio
import difflib
import threading
import time
from collections.abc import Iterable, Mapping

from proofgrad.verifiers.base import BatchVerifier, Json, Verifier
from proofgrad.verifiers.errors import ProofgradError
from proofgrad.verifiers.pool import VerifierPool
from proofgrad.verifiers.server import ServerLimits
from proofgrad.verifiers.serving.gate import Gate
from proofgrad.verifiers.serving.metrics import Metrics
from proofgrad.verifiers.serving.wire import Ask, Refusal, one_line
from proofgrad.verifiers.store import VerdictStore

__all__ = ["Service"]

_CLOSE_S = 2.0


class Service:
    """The verifiers behind the routes; the arguments are those of `create_app`."""

    def __init__(
        self,
        verifiers: Mapping[str, Verifier],
        *,
        limits: ServerLimits,
        workers: int,
        retries: int,
        store: VerdictStore | None,
        include_evidence: bool,
    ) -> None:
        self.limits, self.include_evidence = limits, include_evidence
        self.metrics = Metrics(self._queued, self._in_flight)
        self._verifiers, self._store = dict(verifiers), store
        self._workers, self._retries = workers, retries
        self._pool: VerifierPool | None = None
        self._gate: Gate | None = None
        self._isolation: dict[str, Json] = {}

    @property
    def gate(self) -> Gate:
        """Where work comes in.

        Raises:
            Refusal: 503, the application has not started, or has ended.
        """
        if self._gate is None:
            raise Refusal(503, "the server is not running", cause="starting", retry_after=1)
        return self._gate

    @property
    def state(self) -> str:
        """``starting``, ``ready`` or ``draining``."""
        if self._gate is None:
            return "starting"
        return "ready" if self._gate.draining_until is None else "draining"

    def prepare(self) -> VerifierPool:
        """Make the pool, where that has not been done: here a caller can still be told what is wrong.

        Raises:
            ConfigError: the pool does not take these options, or these verifiers.
        """
        if self._pool is None:
            self._pool = VerifierPool(self._verifiers, workers=self._workers, retries=self._retries, store=self._store)
        return self._pool

    async def open(self) -> None:
        """Start judging."""
        # Asking starts sandboxes, so that the first client does not wait for that.
        isolation = await asyncio.to_thread(lambda: [_isolation(v) for v in self._verifiers.values()])
        self._isolation = dict(zip(self._verifiers, isolation, strict=True))
        self._gate = Gate(
            self.prepare(),
            self._verifiers,
            self.metrics,
            workers=self._workers,
            items=self.limits.items,
            held_bytes=self.limits.held_bytes,
        )

    def drain(self, grace_s: float) -> None:
        """Take no more work; what is under way has `grace_s` seconds."""
        if self._gate is not None:
            self._gate.draining_until = time.monotonic() + grace_s

    async def close(self) -> None:
        """Answer what is open with UNKNOWN, and stop judging; this takes seconds, whatever is being judged."""
        gate, pool = self._gate, self._pool
        self._gate = self._pool = None
        if gate is not None and pool is not None:
            gate.draining_until = time.monotonic()
            gate.give_up()
            gate.close()
            await asyncio.to_thread(_close, pool, list(self._verifiers.values()))

    def find(self, ask: Ask) -> None:
        """Check that what is asked for is served.

        Raises:
            Refusal: 404 with the nearest name, or 409 for another version.
        """
        verifier = self._verifiers.get(ask.verifier)
        if verifier is None:
            near = difflib.get_close_matches(ask.verifier, self._verifiers, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"served: {', '.join(self._verifiers)}"
            raise Refusal(404, f"verifier: there is none named '{ask.verifier}'; {hint}")
        if ask.version is not None and ask.version != verifier.version:
            raise Refusal(409, f"version: '{ask.verifier}' has version {verifier.version}, not {ask.version}")

    def describe(self) -> dict[str, Json]:
        """The verifiers and the limits, as ``GET /verifiers`` shows them."""
        listed: list[Json] = [
            {
                "name": name,
                "version": verifier.version,
                "batch_size": verifier.batch_size if isinstance(verifier, BatchVerifier) else 1,
                "isolation": self._isolation.get(name),
            }
            for name, verifier in self._verifiers.items()
        ]
        limits: dict[str, Json] = {
            key: getattr(self.limits, key) for key in ("items", "batch_items", "body_bytes", "depth")
        }
        return {"verifiers": listed, "limits": limits, "evidence": self.include_evidence}

    def _queued(self) -> float:
        return self._gate.queued if self._gate is not None else 0

    def _in_flight(self) -> float:
        return self._gate.in_flight if self._gate is not None else 0


def _isolation(verifier: Verifier) -> Json:
    """The layers that a verifier's sandbox says it has; None when it says nothing of the kind."""
    layers, missing = (getattr(verifier, name, None) for name in ("layers", "missing_layers"))
    try:
        if callable(layers):
            return {str(name): one_line(str(state)) for name, state in layers().items()}
        if callable(missing):
            found = {name: one_line(state.strip()) for name, _, state in (str(m).partition(":") for m in missing())}
            return found or {"all": "active"}
    except ProofgradError as error:
        return {"sandbox": one_line(f"missing: {error}")}
    return None


def _close(pool: VerifierPool, verifiers: Iterable[Verifier]) -> None:
    """Close the pool; where a judgement holds that up, take its sandbox away. Threads that still hang end with us."""
    closing = threading.Thread(target=pool.close, name="close-pool", daemon=True)
    closing.start()
    closing.join(_CLOSE_S)
    if not closing.is_alive():
        return
    for verifier in verifiers:
        close = getattr(verifier, "close", None)
        if close is not None:
            threading.Thread(target=close, name="close-verifier", daemon=True).start()
    closing.join(_CLOSE_S)
