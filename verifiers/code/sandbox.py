"""A warm zygote seen from the parent: start it, begin a run, end it; and a socket that keeps deadlines.

The zygote (`zygote.py`) is a fresh interpreter started with `subprocess`, so it inherits neither the memory nor the
descriptors nor the environment of a parent that may hold secrets, threads and a GPU.
"""

from __future__ import annotations

import json
import os
import platform
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from proofgrad.verifiers.code.zygote import EVENT, RUN
from proofgrad.verifiers.errors import ToolchainError

__all__ = [
    "ISOLATION",
    "Channel",
    "ChannelClosed",
    "ChannelTimeout",
    "FrameTooLong",
    "Limits",
    "Zygote",
    "ZygoteError",
    "python_version",
]

ISOLATION = ("network", "pid", "filesystem")
"""The layers without which a candidate is merely a separate process; `require_isolation` insists on them."""

_SCRIPT = Path(__file__).with_name("zygote.py")
_START_S = 30.0  # a cold disk and a busy machine; normally 0.1 s
_REPLY_S = 15.0  # the zygote's own steps take milliseconds; the margin is for a machine that swaps
_LAYERS_BYTES = 1 << 16
# A candidate may hang up at any time. Python ignores SIGPIPE, but a program that wants to die of it (`| head`) may not.
_NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)


class ZygoteError(Exception):
    """The zygote died, hung or spoke nonsense: our fault, never the candidate's."""


class ChannelClosed(Exception):  # noqa: N818  # an event of the conversation, not an error of ours
    """The other side is gone."""


class ChannelTimeout(Exception):  # noqa: N818
    """The deadline passed first."""


class FrameTooLong(Exception):  # noqa: N818
    """The other side announced a frame above the cap."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use.

    Attributes:
        timeout_s: wall clock for the whole candidate, all tests together, from the moment it gets its source.
        memory_bytes: address space of a process, the interpreter included.
        processes: how many it may have; 1 means that it can start none.
        threads: how many it may have, those of all its processes together; 1 means that it can start none.
        answer_bytes: size of one answer as JSON, and of all answers of a reply together; of a whole program's output.
    """

    timeout_s: float = 2.0
    memory_bytes: int = 512 << 20
    processes: int = 1
    threads: int = 64
    answer_bytes: int = 1 << 20


def python_version(interpreter: str | None = None) -> str:
    """The version of the Python that will run the candidates.

    Raises:
        ToolchainError: `interpreter` cannot be run.
    """
    if interpreter is None:
        return platform.python_version()
    command = [interpreter, "-I", "-S", "-c", "import platform; print(platform.python_version())"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_START_S, check=True, env={})
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolchainError(f"the interpreter '{interpreter}' cannot be run: {error}") from error
    return done.stdout.strip()


class Channel:
    """A stream socket whose every operation has a deadline (`time.monotonic`), whatever the other side does."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        connected.setblocking(False)

    def send(self, data: bytes, deadline: float) -> None:
        """Write all of `data`; the reader may refuse to read, hence the deadline."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.socket.send(view, _NO_SIGNAL) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)
            except OSError as error:
                raise ChannelClosed from error

    def receive(self, size: int, deadline: float) -> bytes:
        """Read exactly `size` bytes."""
        data = bytearray()
        while len(data) < size:
            # Looking at the clock before each read keeps a writer of endless small pieces from stretching it.
            self._wait(select.POLLIN, deadline)
            try:
                part = self.socket.recv(min(size - len(data), 1 << 16))
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChannelClosed from error
            if not part:
                raise ChannelClosed
            data += part
        return bytes(data)

    def send_frame(self, value: object, deadline: float) -> None:
        """Write a length and `value` as JSON."""
        data = json.dumps(value).encode("ascii")
        self.send(len(data).to_bytes(4, "big") + data, deadline)

    def receive_frame(self, cap: int, deadline: float) -> bytes:
        """Read one frame of at most `cap` bytes, unparsed."""
        size = int.from_bytes(self.receive(4, deadline), "big")
        if size > cap:
            raise FrameTooLong(size)
        return self.receive(size, deadline)

    def converse(self, data: bytes, cap: int, deadline: float) -> bytes:
        """Write `data` and then the end of file, while reading all that comes, until the other side is gone.

        Both at once, because a program may answer before it has read everything, and may never read it at all.
        """
        received, unsent, sending = bytearray(), memoryview(data), True
        while True:
            happened = self._wait(select.POLLIN | (select.POLLOUT if sending else 0), deadline)
            if sending and happened & ~select.POLLIN:
                try:
                    unsent = unsent[self.socket.send(unsent, _NO_SIGNAL) :] if unsent else unsent
                    if not unsent:
                        self.socket.shutdown(socket.SHUT_WR)
                        sending = False
                except BlockingIOError:
                    pass
                except OSError:
                    sending = False  # nobody reads any more, which is a program's right
            if happened & ~select.POLLOUT:
                try:
                    part = self.socket.recv(1 << 16)
                except BlockingIOError:
                    continue
                except OSError:
                    return bytes(received)  # it ended with input unread
                if not part:
                    return bytes(received)
                received += part
                if len(received) > cap:
                    raise FrameTooLong(len(received))

    def ready(self, deadline: float) -> bool:
        """Whether something can be read before the deadline."""
        try:
            self._wait(select.POLLIN, deadline)
        except ChannelTimeout:
            return False
        return True

    def drain(self, cap: int) -> bytes:
        """What lies unread after the other side has ended; at most `cap` bytes and one."""
        data = bytearray()
        while len(data) <= cap:
            try:
                part = self.socket.recv(cap + 1 - len(data))
            except OSError:
                break
            if not part:
                break
            data += part
        return bytes(data)

    def leftover(self) -> bool:
        """Whether bytes lie unread after the other side has ended."""
        try:
            return bool(self.socket.recv(1))
        except OSError:
            return False

    def close(self) -> None:
        """Close the socket; idempotent."""
        self.socket.close()

    def _wait(self, event: int, deadline: float) -> int:
        poller = select.poll()
        poller.register(self.socket, event)
        left = deadline - time.monotonic()
        happened = poller.poll(left * 1000 + 1) if left > 0 else []
        if not happened:
            raise ChannelTimeout
        return happened[0][1]


class Zygote:
    """One zygote process, serving one run at a time. Not thread-safe: `runner.Runner` lends it to one thread.

    Args:
        interpreter: the Python that runs the candidates; by default the binary behind the running one.
    """

    def __init__(self, interpreter: str | None = None) -> None:
        self.interpreter = interpreter or os.path.realpath(sys.executable)
        self.layers: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Channel | None = None
        self._owner = 0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    def begin(self, limits: Limits) -> Channel:
        """Start a run, starting the process first if need be; the channel to the child that will be the candidate.

        Raises:
            ZygoteError: it could not be started or did not answer.
        """
        return self._begin(limits, 1)[0]

    def begin_program(self, limits: Limits) -> tuple[Channel, Channel]:
        """Start a run of a whole program: the channel, and a stream that is its standard input and output.

        Raises:
            ZygoteError: it could not be started or did not answer.
        """
        channel, stream = self._begin(limits, 2)
        return channel, stream

    def _begin(self, limits: Limits, channels: int) -> list[Channel]:
        if self._owner != os.getpid():
            self._forget()  # after a fork of the parent the process belongs to the other copy
        if self._process is None:
            self._start()
        ours: list[Channel] = []
        theirs: list[socket.socket] = []
        try:
            for _ in range(channels):
                near, far = socket.socketpair()
                ours.append(Channel(near))
                theirs.append(far)
            try:
                cpu = int(limits.timeout_s) + 2  # a second line of defence behind the parent's wall clock
                wall = limits.timeout_s + 2 * _REPLY_S
                tasks = (limits.processes, max(limits.processes, limits.threads))
                message = RUN.pack(b"R", cpu, limits.memory_bytes, *tasks, limits.answer_bytes, wall)
                null = os.open(os.devnull, os.O_RDWR)
                try:
                    self._send(message, [null, *(far.fileno() for far in theirs)])
                finally:
                    os.close(null)
            finally:
                for far in theirs:
                    far.close()
            self._event(b"S")
        except ZygoteError:
            for near_channel in ours:
                near_channel.close()
            raise
        return ours

    def wait(self, deadline: float) -> int | None:
        """Wait for a run to end by itself: the wait status of its init, after which there is nothing to `end`, or None.

        Raises:
            ZygoteError: the zygote is gone.
        """
        if self._control is None:
            raise ZygoteError("not running")
        return self._event(b"D") if self._control.ready(deadline) else None

    def end(self) -> int:
        """End the run, killing all that is left of it, and wait until nothing is; the wait status of its init.

        Raises:
            ZygoteError: the zygote did not confirm.
        """
        self._send(RUN.pack(b"K", 0, 0, 0, 0, 0, 0.0))
        return self._event(b"D")

    def close(self) -> None:
        """Kill the process and all that it started; the next `begin` starts another one."""
        if self._owner == os.getpid():
            if self._control is not None:
                self._control.close()
            if self._process is not None:
                self._process.kill()
                self._process.wait()
        self._forget()

    def _forget(self) -> None:
        if self._control is not None:
            self._control.close()
        self._process = self._control = None

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._owner = os.getpid()
        self._control = Channel(ours)
        # -s -S -P with an environment of our own making is -I -S, but lets the hash seed be fixed: the order of a set
        # of strings, and so a verdict, must not depend on which zygote a program met.
        command = [self.interpreter, "-s", "-S", "-P", "-B", str(_SCRIPT), str(theirs.fileno())]
        try:
            with theirs:
                self._process = subprocess.Popen(
                    command,
                    env={"PYTHONHASHSEED": "0"},
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # an interrupt typed at the trainer's terminal is not for the zygote
                )
            ready = self._control.receive_frame(_LAYERS_BYTES, time.monotonic() + _START_S)
            self.layers = json.loads(ready)["layers"]
        except (OSError, ChannelClosed, ChannelTimeout, FrameTooLong, ValueError) as error:
            self.close()
            raise ZygoteError(f"{self.interpreter} did not start: {type(error).__name__}: {error}") from error

    def _send(self, message: bytes, descriptors: Sequence[int] = ()) -> None:
        if self._control is None:
            raise ZygoteError("not running")
        try:
            if not descriptors:
                self._control.send(message, time.monotonic() + _REPLY_S)
            else:
                # The message fits the empty socket buffer: one call sends all of it, together with the descriptors.
                socket.send_fds(self._control.socket, [message], descriptors, _NO_SIGNAL)
        except (OSError, ChannelClosed, ChannelTimeout) as error:
            raise ZygoteError(f"the zygote is gone: {type(error).__name__}") from error

    def _event(self, expected: bytes) -> int:
        if self._control is None:
            raise ZygoteError("not running")
        try:
            kind, value = EVENT.unpack(self._control.receive(EVENT.size, time.monotonic() + _REPLY_S))
        except (ChannelClosed, ChannelTimeout) as error:
            raise ZygoteError(f"the zygote did not answer: {type(error).__name__}") from error
        if kind != expected:
            raise ZygoteError(f"the zygote answered {kind!r}, not {expected!r}")
        return int(value)

    def __del__(self) -> None:
        try:  # noqa: SIM105  # the interpreter may be on its way out, with contextlib already gone
            self.close()
        except Exception:
            pass
