"""One REPL of a Lean project, driven through lean-interact: kept warm, watched, and replaced before it grows too big.

The REPL keeps every environment that it ever made. So the header is read once, every text branches off from there, and
after a number of texts, or above a size, the process is replaced. lean-interact frames requests and parses replies; how
its process is started is ours, because its own way leaves the error stream unread (a full pipe stops Lean), asks Lake
for the environment each time and confines nothing. A thread of ours watches processor time, wall clock and memory
while a request runs, and kills the process group.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from proofgrad.verifiers.errors import MissingExtraError, ToolchainError
from proofgrad.verifiers.lean.backend import Elaboration, Ending, Limits
from proofgrad.verifiers.lean.lean_command import LIMITER, wall_seconds
from proofgrad.verifiers.lean.messages import Message
from proofgrad.verifiers.lean.replies import MARKER, Fence, MalformedReplyError, marker_line, messages_in, option_lines

__all__ = ["Launch", "Repl", "lean_interact"]

_POLL_SECONDS = 0.05
_HEADER_CPU_SECONDS = 300  # a first `import Mathlib` from a slow disk
_FILE_BYTES = 8 << 20  # of any file that it writes; none is needed


def lean_interact() -> Any:
    """The library, imported now.

    Raises:
        MissingExtraError: it is not installed.
        ToolchainError: it cannot be imported: it makes a cache directory beside itself.
    """
    try:
        return importlib.import_module("lean_interact")
    except ModuleNotFoundError as error:
        package = (error.name or "lean-interact").replace("_", "-")
        raise MissingExtraError(package, "lean-project", "verifying in a Lean project") from error
    except OSError as error:
        raise ToolchainError(f"lean-interact cannot be imported: {error}; install it where it may write") from error


@dataclass(frozen=True)
class Launch:
    """How a REPL is started.

    Attributes:
        command: the process and its arguments, confinement included.
        folder: its working directory.
        environment: its environment variables.
        config: lean-interact's configuration.
        starter: one thread that outlives every REPL: the kernel ends a REPL with the thread that started it.
        memory_mib: private memory above which it is killed; halfway from what the header takes to there, it is replaced
            between texts.
        requests: texts after which it is replaced.
    """

    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    config: Any
    starter: Executor
    memory_mib: int
    requests: int


@lru_cache(maxsize=1)
def _server_class() -> Any:
    library = lean_interact()

    class Server(library.LeanServer):  # type: ignore[misc, name-defined]  # known at run time only
        """lean-interact's server, started our way."""

        _proc: subprocess.Popen[str] | None

        def __init__(self, launch: Launch) -> None:
            self._launch = launch
            self.status: int | None = None
            super().__init__(launch.config)

        def start(self) -> None:
            """Start the process; its text streams are what lean-interact expects."""
            launch = self._launch
            limiter = [os.path.realpath(sys.executable), "-I", "-S", "-c", LIMITER, "0", "0", str(_FILE_BYTES)]
            self._proc = launch.starter.submit(
                subprocess.Popen,
                [*limiter, *launch.command],
                cwd=launch.folder,
                env=dict(launch.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                bufsize=1,
                start_new_session=True,
            ).result()

        @property
        def pid(self) -> int | None:
            """Process and group number."""
            return self._proc.pid if self._proc is not None else None

        def end(self) -> None:
            """Kill the process group at once and take its exit status."""
            process, self._proc = self._proc, None
            if process is None:
                return
            self.status = process.poll()
            _kill_group(process.pid)
            process.wait()
            for stream in filter(None, (process.stdin, process.stdout)):
                with contextlib.suppress(OSError):  # what was not written yet has nobody to read it
                    stream.close()

        def kill(self) -> None:
            """What lean-interact calls when it gives up."""
            if getattr(self, "_launch", None) is not None:
                self.end()

    return Server


class Repl:
    """One REPL at a time, for one thread at a time; `close` may come from anywhere."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._server: Any = None
        self._environments: dict[int, int] = {}  # by heartbeats; all of one header
        self.header: str | None = None  # the one that it has read
        self._served = 0
        self._header_mib = 0.0
        self._is_closed = False
        self._in_use = threading.Lock()

    def elaborate(self, text: str, *, header: str, candidates: int, limits: Limits) -> Elaboration:
        """Read a text in the header's environment; see `Backend.elaborate`."""
        with self._in_use:
            return self._elaborate(text, header, candidates, limits)

    def _elaborate(self, text: str, header: str, candidates: int, limits: Limits) -> Elaboration:
        started = time.monotonic()
        allowed = limits.cpu_seconds + 1 + candidates // 8
        fence = Fence.fresh()
        try:
            environment = self._environment(header, limits)
            reply, ending, detail = self._ask(_end(text) + fence.lines, environment, allowed)
            messages = messages_in(reply) if ending is Ending.DONE else []
        except (ToolchainError, MalformedReplyError) as error:
            self._drop()
            return Elaboration(Ending.BROKEN, seconds=time.monotonic() - started, detail=str(error))
        seconds = time.monotonic() - started
        if ending is not Ending.DONE:
            return Elaboration(ending, seconds=seconds, detail=detail)
        self._served += 1
        # Without its fence a reply may answer another text, if something wrote to the REPL's output: start afresh.
        if not fence.is_in(messages) or self._served >= self._launch.requests or self._is_big():
            self._drop()
        last = text.count("\n") + (not text.endswith("\n"))
        return Elaboration(Ending.DONE, [m for m in messages if not _is_of(m, last, fence)], seconds)

    def close(self) -> None:
        """End the process, for good."""
        self._is_closed = True
        while not self._in_use.acquire(timeout=_POLL_SECONDS):
            server = self._server
            if server is not None and (pid := server.pid) is not None:
                _kill_group(pid)  # the request under way ends with that
        try:
            self._drop()
        finally:
            self._in_use.release()

    def _environment(self, header: str, limits: Limits) -> int:
        """The number of the environment after the header, made where this process has none yet."""
        # One header a process: importing twice into one is not supported by Lean.
        if self._server is None or not self._server.is_alive() or self.header != header:
            self._start()
            self.header = header
        known = self._environments.get(limits.heartbeats)
        if known is None:
            if (environment := self._environments.get(0)) is None and header.strip():
                environment = self._environments[0] = self._prepare(header, None)
            # What an older Lean has no option for is an error here, and no more than that.
            known = self._prepare(option_lines(limits) + MARKER, environment, is_last=True)
            self._environments[limits.heartbeats] = known
            self._header_mib = self._memory()
        return known

    def _prepare(self, commands: str, environment: int | None, *, is_last: bool = False) -> int:
        reply, ending, detail = self._ask(commands, environment, _HEADER_CPU_SECONDS)
        if ending is not Ending.DONE:
            raise ToolchainError(f"the REPL ends at the header {commands.strip()[:60]!r}: {detail}; build the project")
        messages = messages_in(reply)
        if is_last:
            marker_line(messages)
        errors = [m for m in messages if m.is_error and not is_last]
        made = reply.get("env")
        if type(made) is not int or errors:
            said = errors[0].text.splitlines()[0] if errors else "no environment"
            raise ToolchainError(f"the project cannot read the header {commands.strip()[:60]!r}: {said}")
        return made

    def _start(self) -> None:
        self._drop()
        if self._is_closed:
            raise ToolchainError("the Lean project is closed")
        try:
            self._server = _server_class()(self._launch)
        except (OSError, RuntimeError) as error:  # the second when the starter has been shut down
            raise ToolchainError(f"cannot start the REPL: {error}; see proofgrad doctor") from error

    def _drop(self) -> None:
        """End the process; the next text gets a new one."""
        if self._server is not None:
            self._server.end()
        self._server, self._environments, self._served, self.header = None, {}, 0, None

    def _ask(self, commands: str, environment: int | None, cpu: float) -> tuple[Mapping[str, object], Ending, str]:
        """One request: the reply, how it ended, and a line about a bad ending.

        Raises:
            MalformedReplyError: the reply is no object, or the REPL refuses the request itself.
        """
        server = self._server
        request: dict[str, object] = {"cmd": commands}
        if environment is not None:
            request["env"] = environment
        wall = wall_seconds(cpu)
        watch = _Watch(server.pid, cpu, wall, self._launch.memory_mib)
        try:
            with watch:
                # The watch ends the process in time; lean-interact's own clock stands behind it.
                reply = server.run_dict(request, timeout=wall + 60)
        except (OSError, ValueError) as error:  # JSONDecodeError is a ValueError; the rest are connection errors
            self._drop()
            if self._is_closed:
                return {}, Ending.BROKEN, "the Lean project was closed"
            if watch.verdict is not None:
                return {}, *watch.verdict
            if isinstance(error, ValueError):
                raise MalformedReplyError("the REPL printed something that is no reply") from error
            how = "" if server.status is None else f" with status {server.status}"
            return {}, Ending.DIED, f"the REPL died{how}"
        if not isinstance(reply, dict):
            raise MalformedReplyError("the REPL's reply is no object")
        if set(reply) == {"message"}:
            raise MalformedReplyError(f"the REPL refuses: {reply['message']}")
        return reply, Ending.DONE, ""

    def _is_big(self) -> bool:
        """Whether texts have left behind half of what there is room for."""
        return self._memory() > (self._header_mib + self._launch.memory_mib) / 2

    def _memory(self) -> float:
        pid = self._server.pid
        return 0.0 if pid is None else _usage(pid)[1]


class _Watch:
    """Kills a process group that outruns its limits while the block runs; `verdict` says why."""

    def __init__(self, pid: int, cpu: float, wall: float, memory_mib: float) -> None:
        self.verdict: tuple[Ending, str] | None = None
        self._pid, self._cpu, self._memory_mib = pid, cpu, memory_mib
        self._used_before = _usage(pid)[0]
        self._deadline = time.monotonic() + wall
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, name="proofgrad-repl-watch", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(_POLL_SECONDS):
            cpu, memory = _usage(self._pid)
            used = cpu - self._used_before
            if used > self._cpu:
                self.verdict = (Ending.TIMEOUT, f"more than {self._cpu:.0f} s of processor time")
            elif memory > self._memory_mib:
                self.verdict = (Ending.DIED, f"more than {self._memory_mib} MiB of memory")
            elif time.monotonic() > self._deadline:
                is_idle = used < self._cpu / 2
                said = "the REPL got no processor time" if is_idle else "the wall clock ran out"
                self.verdict = (Ending.OVERLOADED if is_idle else Ending.TIMEOUT, said)
            if self.verdict is not None:
                _kill_group(self._pid)
                return


def _usage(pid: int) -> tuple[float, float]:
    """Processor seconds and private memory in MiB of a process and all below it; zeros when it is gone."""
    psutil = importlib.import_module("psutil")  # lean-interact's own dependency
    cpu = memory = 0.0
    try:
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0.0, 0.0
    for process in tree:
        try:
            times, sizes = process.cpu_times(), process.memory_info()
        except psutil.Error:
            continue
        cpu += times.user + times.system
        memory += (sizes.rss - getattr(sizes, "shared", 0)) / 2**20  # modules of Lean are mapped, and shared
    return cpu, memory


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it is gone already
        os.killpg(pid, signal.SIGKILL)


def _end(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _is_of(message: Message, last: int, fence: Fence) -> bool:
    """Whether a message belongs to the fence and not to the text, whose last line is `last`."""
    return message.line > last and (fence.name in message.text or not message.is_error)
