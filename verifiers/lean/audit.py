"""The audit from the parent's side: processes that hold Lean's kernel, lent to one thread at a time.

What they do is told in `audit_worker`; this side starts them, keeps the deadline, and replaces one that died.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from proofgrad.verifiers.base import Json
from proofgrad.verifiers.code.sandbox import Channel, ChannelClosed, ChannelTimeout, FrameTooLong
from proofgrad.verifiers.errors import ToolchainError

__all__ = ["AuditDiedError", "KernelAudit"]

_START_SECONDS = 60.0  # a cold disk and a busy machine; normally 0.5 s
_FRAME_BYTES = 8 << 20


class AuditDiedError(Exception):
    """The process that audited died or ran out of time: it says nothing about anybody yet.

    Attributes:
        is_worker: the worker itself is gone, rather than the fork that served the request.
    """

    def __init__(self, detail: str, *, is_worker: bool) -> None:
        self.is_worker = is_worker
        super().__init__(detail)


class KernelAudit:
    """Replays compiled theorems through Lean's kernel, away from whatever compiled them. Thread-safe.

    Args:
        library: path of ``libleanshared.so``, whose hash has been checked.
        modules: paths of the compiled base library, in import order.
    """

    def __init__(self, library: Path, modules: Sequence[Path]) -> None:
        self._arguments = [str(library), *map(str, modules)]
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._layers: Mapping[str, str] | None = None

    @property
    def layers(self) -> Mapping[str, str]:
        """The isolation layers around an audit; starts a worker if none has been yet.

        Raises:
            ToolchainError: none can be started.
        """
        if self._layers is None:
            self._give_back(self._lend())
        return self._layers or {}

    def audit(
        self,
        goals: bytes,
        proofs: bytes,
        claims: Sequence[tuple[str, str]],
        *,
        cpu_seconds: int,
        heartbeats: int,
    ) -> list[dict[str, Json]]:
        """One answer for each (theorem, goal); see `audit_worker` for their form.

        Args:
            goals: bytes of the module that declares the goals, compiled without sight of a candidate.
            proofs: bytes of the module that declares the theorems.
            claims: names of theorems, and of the goals that they are to prove.
            cpu_seconds: processor time for all of them.
            heartbeats: small allocations for each declaration.

        Raises:
            AuditDiedError: the process died, or was killed for taking too long.
            ToolchainError: no process can be started.
        """
        request = {
            "claims": [list(claim) for claim in claims],
            "goals": len(goals),
            "proofs": len(proofs),
            "cpu": cpu_seconds,
            "wall": 4.0 * cpu_seconds + 10,
            "heartbeats": heartbeats,
        }
        try:
            reply = self._ask(request, goals + proofs, 4.0 * cpu_seconds + 30)
        except AuditDiedError:  # the worker, which only forks: what killed it came from outside
            reply = self._ask(request, goals + proofs, 4.0 * cpu_seconds + 30)
        if "died" in reply:
            raise AuditDiedError(f"the audit ended with status {reply['died']}", is_worker=False)
        return reply["results"]  # type: ignore[return-value]  # our own process, our own form

    def _ask(self, request: dict[str, object], data: bytes, seconds: float) -> dict[str, Json]:
        worker = self._lend()
        try:
            reply = worker.ask(request, data, seconds)
        except BaseException:
            worker.close()
            raise
        self._give_back(worker)
        return reply

    def close(self) -> None:
        """End the processes; the next audit starts others."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()

    def _lend(self) -> _Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.is_ours():
                    return worker
        worker = _Worker(self._arguments)
        self._layers = worker.layers
        return worker

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)


class _Worker:
    """One auditing process."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._owner = os.getpid()
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        command = [sys.executable, "-P", "-B", "-m", "proofgrad.verifiers.lean.audit_worker", str(theirs.fileno())]
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [*command, *arguments],
                    env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "LC_ALL": "C.UTF-8"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # an interrupt typed at the trainer's terminal is not for this process
                )
        except OSError as error:
            self._channel.close()
            raise ToolchainError(f"cannot start the Lean audit: {error.strerror}; see proofgrad doctor") from error
        try:
            ready = json.loads(self._channel.receive_frame(_FRAME_BYTES, time.monotonic() + _START_SECONDS))
        except (ChannelClosed, ChannelTimeout, FrameTooLong, ValueError) as error:
            self.close()
            stderr = self._process.stderr.read() if self._process.stderr else b""
            said = stderr.decode(errors="replace").strip().splitlines()
            detail = said[-1] if said else type(error).__name__
            raise ToolchainError(f"the Lean audit does not start: {detail}") from error
        self.layers: dict[str, str] = ready["layers"]

    def is_ours(self) -> bool:
        """Whether it can be asked: alive, and not inherited by a fork of the parent."""
        return self._owner == os.getpid() and self._process.poll() is None

    def ask(self, request: dict[str, object], data: bytes, seconds: float) -> dict[str, Json]:
        """Send a request and its bytes; the reply."""
        deadline = time.monotonic() + seconds
        try:
            self._channel.send_frame(request, deadline)
            self._channel.send(data, deadline)
            return dict(json.loads(self._channel.receive_frame(_FRAME_BYTES, deadline)))
        except (ChannelClosed, ChannelTimeout, FrameTooLong, ValueError) as error:
            raise AuditDiedError(f"the audit is gone: {type(error).__name__}", is_worker=True) from error

    def close(self) -> None:
        """Kill it and what it started."""
        self._channel.close()
        if self._owner == os.getpid():
            self._process.kill()
            self._process.wait()

    def __del__(self) -> None:
        try:  # noqa: SIM105  # the interpreter may be on its way out, with contextlib already gone
            self.close()
        except Exception:
            pass
