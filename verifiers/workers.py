"""Verifiers in processes of their own, which can be killed: the only deadline that holds against a hang.

A thread cannot be stopped, and an alarm signal is not delivered while a long computation in C holds the interpreter. So
`IsolatedVerifier` runs `verify` in a fresh interpreter (started with `subprocess`, never forked from a process that has
threads or torch in it) and measures the time outside, on the monotonic clock. Past the deadline the process is killed
with everything that it started, the verdict is UNKNOWN `infra.deadline`, and the next item gets a new process.

Parent and worker speak over a socket that only the two of them hold, in frames of a length and JSON; standard output
and error of the worker lead nowhere, so nothing that a verifier prints can block it or be taken for an answer. Only the
parent sends pickles (how to make the verifier), only the worker loads them.

A worker outlives nobody: it holds the reading end of a pipe whose writing end is the parent's alone. When the parent
ends, in whatever way, the kernel sends SIGKILL to the worker's process group (fcntl(2): F_SETSIG, F_SETOWN, O_ASYNC),
which no lock of the interpreter can delay.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import fcntl
import json
import math
import os
import queue
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from proofgrad.verifiers.answers import Answer, Pair, Recipe, error_of, judge_once, told, understood, verdicts_on
from proofgrad.verifiers.base import BatchVerifier, Json, Problem, Verdict, Verifier
from proofgrad.verifiers.code.sandbox import Channel, ChannelClosed, ChannelTimeout, FrameTooLong
from proofgrad.verifiers.errors import ConfigError, ProblemError, ProofgradError

__all__ = ["IsolatedVerifier", "TimedWorkers", "isolated", "limit_cpu", "overran"]

_REPLY_BYTES = 64 << 20
_PR_SET_CHILD_SUBREAPER = 36


class _Lost(Exception):  # noqa: N818  # named for what happened to the worker
    """A worker that gave no answer, and why."""

    def __init__(self, reason: str, **evidence: Json) -> None:
        super().__init__(reason)
        self.reason, self.evidence = reason, evidence


class _Worker:
    """One process that holds one verifier. Not thread-safe: `IsolatedVerifier` lends it to one thread at a time."""

    def __init__(self, pickled: bytes, start_s: float, memory_mb: int | None) -> None:
        self._pickled, self._start_s, self._memory_mb = pickled, start_s, memory_mb
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._life = -1
        self._ready = False
        self._owner = 0

    def start(self) -> None:
        """Start the process, without waiting for the verifier in it."""
        near, far = socket.socketpair()
        reading, self._life = os.pipe()
        self._owner, self._channel, self._ready = os.getpid(), Channel(near), False
        path = [entry or os.getcwd() for entry in sys.path]
        call = f"import proofgrad.verifiers.workers as w; w.serve({far.fileno()}, {reading})"
        try:
            with far:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", call],
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[far.fileno(), reading],
                    start_new_session=True,  # a group to kill; and an interrupt typed at the terminal is not for it
                )
            setup = {"recipe": base64.b64encode(self._pickled).decode(), "memory_mb": self._memory_mb}
            self._channel.send_frame(setup, time.monotonic() + self._start_s)
        except (OSError, ChannelClosed, ChannelTimeout) as error:
            self.close()
            raise _Lost("infra.worker_start", error=f"{type(error).__name__}: {error}") from error
        finally:
            os.close(reading)

    def ask(self, items: Sequence[Pair], deadline_s: float) -> list[Answer]:
        """The worker's answers, in order; the deadline counts from when the verifier is ready.

        Raises:
            ProofgradError: the verifier cannot be made there.
            _Lost: no answer; the process is gone.
        """
        if self._owner != os.getpid():
            self._forget()  # after a fork of the parent the process belongs to the other copy
        if self._channel is None:
            self.start()
        self._await_ready()
        spent = self._cpu_seconds()
        message = {"items": [[dict(problem), candidate] for problem, candidate in items]}
        reply = self._receive(message, deadline_s, spent)
        answers = reply.get("answers")
        if not isinstance(answers, list) or len(answers) != len(items):
            raise self._lost("infra.worker_died", error="the worker's answer has the wrong shape")
        try:
            return [understood(data) for data in answers]
        except (KeyError, TypeError, ValueError) as error:
            raise self._lost("infra.worker_died", error=f"the worker's answer is malformed: {error}") from error

    def close(self) -> None:
        """Kill the process and all that it started; `ask` starts another one."""
        if self._owner == os.getpid() and self._process is not None:
            _kill_tree(self._process)
        self._forget()

    def _forget(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._life >= 0:
            os.close(self._life)
        self._process, self._channel, self._life = None, None, -1

    def _await_ready(self) -> None:
        if self._ready:
            return
        reply = self._receive(None, self._start_s, 0.0, late="infra.worker_start")
        if "error" in reply:
            self.close()
            raise error_of(reply["error"])
        self._ready = True

    def _receive(
        self, message: object, deadline_s: float, spent: float, late: str = "infra.deadline"
    ) -> Mapping[str, Any]:
        channel = self._channel
        if channel is None:
            raise self._lost("infra.worker_died", error="the worker was closed")
        deadline = time.monotonic() + deadline_s
        try:
            if message is not None:
                channel.send_frame(message, deadline)
            reply = json.loads(channel.receive_frame(_REPLY_BYTES, deadline))
        except ChannelTimeout as error:
            used = round(self._cpu_seconds() - spent, 3)
            raise self._lost(late, deadline_s=deadline_s, cpu_s=max(0.0, used)) from error
        except (ChannelClosed, FrameTooLong, ValueError) as error:
            raise self._lost("infra.worker_died", error=type(error).__name__) from error
        if not isinstance(reply, dict):
            raise self._lost("infra.worker_died", error="the worker's answer has the wrong shape")
        return reply

    def _lost(self, reason: str, **evidence: Json) -> _Lost:
        """Close, and say why; with the exit status where the process ended by itself."""
        process = self._process
        if reason == "infra.worker_died" and process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                evidence["exit_status"] = process.wait(1.0)
        self.close()
        return _Lost(reason, **evidence)

    def _cpu_seconds(self) -> float:
        """What the worker and its finished children have used of the processors; 0 where that cannot be read."""
        if self._process is None:
            return 0.0
        try:
            after_name = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return sum(map(int, after_name[11:15])) / os.sysconf("SC_CLK_TCK")  # utime, stime, cutime, cstime: proc(5)


class IsolatedVerifier:
    """A verifier that judges in killable processes; the same name and version, so the same verdicts in a store.

    Args:
        verifier: an instance that can be pickled (it stays open), a registered name, or a recipe.
        options: of the constructor, where a name is given.
        workers: processes at most; each starts when it is first needed. As many items are judged at once.
        deadline_s: wall clock for one item.
        start_s: wall clock for starting a process and making the verifier in it.
        memory_mb: address space of a worker in MiB; without one there is no limit of ours.

    Raises:
        ConfigError: there is no such name, an option is wrong, or the instance cannot be sent to another process.
    """

    killable = True

    def __init__(
        self,
        verifier: Verifier | str | Recipe,
        *,
        options: Mapping[str, Any] | None = None,
        workers: int = 1,
        deadline_s: float = 60.0,
        start_s: float = 60.0,
        memory_mb: int | None = None,
    ) -> None:
        for name, value in (("workers", workers), ("deadline_s", deadline_s), ("start_s", start_s)):
            if not value > 0:
                raise ConfigError(f"{name} is {value!r}; allowed is what lies above 0")
        recipe = verifier if isinstance(verifier, Recipe) else Recipe.of(verifier, options)
        self.name, self.version = recipe.made.name, recipe.made.version
        self._deadline_s = deadline_s
        # Last in, first out: under a light load the same warm worker is used again and the others never start.
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._workers = [_Worker(recipe.pickled, start_s, memory_mb) for _ in range(workers)]
        for worker in self._workers:
            self._idle.put(worker)
        self._closing = False
        self._finalizer = weakref.finalize(self, _close_all, self._workers)  # runs at exit too

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """The verdict of the verifier in its process; UNKNOWN `infra.deadline`, `infra.worker_died` or
        `infra.worker_start` where there is none.

        Raises:
            ProofgradError: what the verifier itself raises of our errors, `ProblemError` above all.
        """
        answer = self._answers([(problem, candidate)])[0]
        if isinstance(answer, ProofgradError):
            raise answer
        return answer

    def close(self) -> None:
        """Kill the processes; the next `verify` starts new ones."""
        self._closing = True
        _close_all(self._workers)
        self._closing = False

    def _answers(self, items: Sequence[Pair]) -> list[Answer]:
        start = time.monotonic()
        worker = self._idle.get()
        try:
            _check_json(items)
            return worker.ask(items, self._deadline_s * len(items))
        except _Lost as lost:
            seconds = time.monotonic() - start
            if not self._closing:
                with contextlib.suppress(_Lost):  # what is wrong will be said to the next item
                    worker.start()  # it gets ready while the next item is on its way
            return [Verdict.unknown(lost.reason, evidence=lost.evidence, seconds=seconds) for _ in items]
        except BaseException:
            worker.close()  # interrupted in the middle of a conversation, which nobody can pick up again
            raise
        finally:
            self._idle.put(worker)

    def __getstate__(self) -> dict[str, object]:
        raise TypeError("a verifier with worker processes stays in its process")


class _IsolatedBatches(IsolatedVerifier):
    """The same for a verifier that judges batches."""

    batch_size = 1

    def verify_batch(self, items: Iterable[Pair]) -> list[Verdict]:
        return verdicts_on(list(items), self._answers)


def isolated(
    verifier: Verifier | str, *, options: Mapping[str, Any] | None = None, **settings: Any
) -> IsolatedVerifier:
    """An `IsolatedVerifier`, which is a `BatchVerifier` where `verifier` is one; arguments and errors as there."""
    recipe = Recipe.of(verifier, options)
    if not isinstance(recipe.made, BatchVerifier):
        return IsolatedVerifier(recipe, **settings)
    batches = _IsolatedBatches(recipe, **settings)
    batches.batch_size = recipe.made.batch_size
    return batches


def overran(verdict: Verdict, cpu_s: float) -> bool:
    """Whether an UNKNOWN from a worker means that the judgement used up `cpu_s` seconds of processor time.

    True where the kernel ended it at the limit that `limit_cpu` had set, or where it had used at least half of them
    when its wall clock ran out. A worker that died otherwise, or was starved, says nothing about the candidate.
    """
    if verdict.reason == "infra.worker_died":
        return verdict.evidence.get("exit_status") == -signal.SIGXCPU
    used = verdict.evidence.get("cpu_s", 0.0)
    return verdict.reason == "infra.deadline" and isinstance(used, int | float) and used >= cpu_s / 2


class TimedWorkers:
    """Worker processes for judgements that limit their own processor time (`limit_cpu`), whatever that time is.

    The kernel ends what uses up its processor time; the wall clock out here is for a machine that is too busy, and is
    the same for times within a factor of two, so that a few sets of workers serve all problems.

    Args:
        verifier: what the workers hold.
        workers: judgements at once.
        memory_mb: address space of a worker in MiB.
    """

    def __init__(self, verifier: Verifier, *, workers: int, memory_mb: int) -> None:
        self._verifier = verifier
        self._settings: dict[str, Any] = {"workers": workers, "memory_mb": memory_mb}
        self._made: dict[int, IsolatedVerifier] = {}
        self._lock = threading.Lock()

    def verify(self, problem: Problem, candidate: str, cpu_s: float) -> Verdict:
        """The verdict of a worker that will limit itself to `cpu_s` seconds."""
        step = math.ceil(math.log2(cpu_s))
        with self._lock:
            if step not in self._made:
                self._made[step] = IsolatedVerifier(self._verifier, deadline_s=4 * 2.0**step + 5, **self._settings)
            worker = self._made[step]
        return worker.verify(problem, candidate)

    def close(self) -> None:
        """Stop the processes; the next judgement starts new ones."""
        with self._lock:
            made, self._made = self._made, {}
        for worker in made.values():
            worker.close()


def _close_all(workers: Iterable[_Worker]) -> None:
    for worker in workers:
        worker.close()


def _check_json(items: Iterable[Pair]) -> None:
    for problem, _ in items:
        try:
            json.dumps(problem)
        except (TypeError, ValueError, RecursionError) as error:
            raise ProblemError(f"the problem is not plain JSON: {error}") from error


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a worker, its group, and what it started that has left the group.

    Each is stopped before its children are looked for, so that none can slip away meanwhile. Orphans come to the
    worker, which is their subreaper, as long as it lives.
    """
    doomed: list[int] = []
    if process.poll() is None:
        found = {process.pid}
        while found:
            for pid in found:
                _signal(pid, signal.SIGSTOP)
            doomed += found
            found = {pid for pid, parent in _parents() if parent in doomed and pid not in doomed}
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    for pid in doomed:
        _signal(pid, signal.SIGKILL)
    process.wait()


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def _parents() -> Iterable[tuple[int, int]]:
    """Each process with its parent: proc(5)."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                yield int(entry), int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])


# The worker's side.


def limit_cpu(seconds: float) -> None:
    """Have the kernel end this process once it has used `seconds` more of processor time, rounded up to a whole second.

    For a verifier that runs in a worker: unlike a wall clock, this does not depend on what else the machine does.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + seconds), hard))


def serve(descriptor: int, life: int) -> None:
    """Answer requests until the parent is gone. Runs as the whole of a worker process."""
    for inherited in (descriptor, life):
        os.set_inheritable(inherited, False)
    if sys.platform == "linux":
        _die_with_parent(life)
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    else:
        threading.Thread(target=_end_with_parent, args=(life,), daemon=True).start()
    with socket.socket(fileno=descriptor) as connection:
        setup = _read(connection)
        if setup["memory_mb"] is not None:
            size = setup["memory_mb"] << 20
            resource.setrlimit(resource.RLIMIT_AS, (size, size))
        try:
            verifier = Recipe.make(base64.b64decode(setup["recipe"]))
        except ProofgradError as error:
            _write(connection, told(error))
            return
        _write(connection, {"ready": True})
        while True:
            items = [(problem, candidate) for problem, candidate in _read(connection)["items"]]
            _write(connection, {"answers": [told(answer) for answer in judge_once(verifier, items)]})


def _die_with_parent(life: int) -> None:
    """Have the kernel kill this process's group when the pipe's other end closes."""
    fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
    poller = select.poll()
    poller.register(life, select.POLLIN)
    if poller.poll(0):
        os._exit(0)  # it was gone before the kernel was asked


def _end_with_parent(life: int) -> None:
    """The same where the kernel offers no signal for it: by a thread, which a computation in C can hold up."""
    os.read(life, 1)
    os.killpg(0, signal.SIGKILL)


def _read(connection: socket.socket) -> Any:
    size = int.from_bytes(_exactly(connection, 4), "big")
    return json.loads(_exactly(connection, size))


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = connection.recv(min(size - len(data), 1 << 20))
        if not part:
            os._exit(0)  # the parent is gone; threads of the verifier must not keep this process
        data += part
    return bytes(data)


def _write(connection: socket.socket, value: object) -> None:
    data = json.dumps(value).encode("ascii")
    connection.sendall(len(data).to_bytes(4, "big") + data)
