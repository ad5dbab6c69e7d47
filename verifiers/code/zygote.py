"""The process that candidates are forked from: `python -s -S -P -B zygote.py CONTROL_FD`, environment emptied.

Run by `sandbox.py`, never imported by it. Standard library only. A fresh interpreter (not a fork of the trainer) enters
the namespaces once, imports what programs commonly use, and then answers one message at a time:

    parent -> zygote   RUN (limits) with two or three file descriptors attached, or KILL
    zygote -> parent   READY (the layers, as JSON), once; then STARTED and DONE (wait status) for each RUN

The first descriptor is the null device, opened anew each time: one that runs shared would carry its locks and flags
from each to the next. The second is a private channel between the parent and that run. The child made for the run
reads the request from it *after* the fork, so that no program, input or answer ever passes through the memory that
later runs are forked from; the zygote itself never reads the channel. Expected values are not in any request.

On the channel, each frame is a 4-byte big-endian length and a JSON object:

    child  -> parent   {"layers": {...}, "python": version}  before it has seen anything of the request: unforgeable
    parent -> child    {"source", "entry_point", "tagged": bool, "args": [JSON text, ...], "last": bool}
    child  -> parent   {"module": null | fault, "answers": [answer, ...]}
    parent -> child    {"args": [...], "last": bool}        any number of times, until "last"
    child  -> parent   {"answers": [...]}

    answer  {"value": JSON text} | {"unserialisable": why} | {"overflow": bytes} | fault
    fault   {"error": class name, "message": text, "line": line of the candidate or null, "kind"?: ...}

With "tagged", arguments and values are written as in `values.py`. A whole program (`program.py`) has a third
descriptor for its standard input and output, on which nothing comes before it is compiled; the channel then carries:

    parent -> child    {"source", "program": true}
    child  -> parent   {"module": null | fault}             compiled, not yet executed: unforgeable too
    child  -> parent   {"fault": null | fault}              unless the program left without us

From the moment the source is executed, whatever comes back is a *claim* by the candidate; the parent treats it so.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import platform
import random
import select
import signal
import socket
import struct
import sys
import sysconfig
import time
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from proofgrad.verifiers import confine
    from proofgrad.verifiers.code import program, values
elif __name__ == "__main__":
    # By path, because the script's own folder is kept off sys.path, where a candidate's imports would find it.
    import importlib.util

    def _beside(path: str) -> types.ModuleType:
        spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(path))[0], path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    _here = os.path.dirname(os.path.abspath(__file__))
    confine = _beside(os.path.join(os.path.dirname(_here), "confine.py"))
    program = _beside(os.path.join(_here, "program.py"))
    values = _beside(os.path.join(_here, "values.py"))

__all__ = ["main"]

RUN = struct.Struct("!cIQIIId")  # operation, CPU seconds, memory, processes, tasks, answer bytes, wall seconds
EVENT = struct.Struct("!ci")  # event, wait status
CHANNEL_FD = 3
FILENAME = "<candidate>"

# Imported before the fork: a program then pays nothing for them. Only what many programs use, because every run copies
# and frees the zygote's page tables: 30 more modules cost each run 0.6 ms, while a program imports one in about 1 ms.
WARM = (
    *("bisect", "collections", "collections.abc", "copy", "functools", "heapq", "itertools", "json", "math"),
    *("operator", "random", "re", "string", "typing"),
)

# What the results are read with; captured before any candidate exists, so that patching a module changes nothing here.
_EXACT = frozenset({int, float, str, bool, type(None), list, tuple, dict})
_MAX_NODES = 2_000_000


@dataclass(frozen=True, slots=True)
class Confinement:
    """What the zygote prepares once and each child applies to itself."""

    layers: dict[str, str]
    rules: int | str
    filters: dict[confine.Spawn, bytes | str]
    uid: int


def main(control_fd: int) -> None:
    """Serve runs until the parent goes away."""
    control = socket.socket(fileno=control_fd)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # when the machine runs out of memory, a candidate goes first, not the trainer
    for name in WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    layers = confine.enter_namespaces()
    pid_namespace = None
    if layers["pid"] == confine.ACTIVE:
        confine.become_init(control)
        with contextlib.suppress(OSError):
            pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        if pid_namespace is None:
            layers["pid"] = "missing: no /proc"
    readable = _readable()
    layers["root"] = layers["mount"]
    if layers["root"] == confine.ACTIVE:
        try:
            layers["root"] = confine.replace_root(readable)
        except OSError as error:
            layers["root"] = f"missing: {error.strerror}"
    spawns: tuple[confine.Spawn, ...] = ("nothing", "threads", "processes")
    filters = {spawn: confine.prepare_filter(spawn) for spawn in spawns}
    confinement = Confinement(layers, confine.prepare_rules(readable), filters, confine.private_uid())
    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, the pages shared with the children
    control.sendall(_frame({"layers": layers}))
    serve(control, confinement, pid_namespace)


def _readable() -> list[str]:
    """The directories of the standard library, without site-packages' contents being importable (-S)."""
    found = {os.path.realpath(sysconfig.get_path(key)) for key in ("stdlib", "platstdlib")}
    return sorted(path for path in found if os.path.isdir(path))


def serve(control: socket.socket, confinement: Confinement, pid_namespace: int | None) -> None:
    """Fork one child a RUN message, watch it, report its end; return when the parent has closed the control channel."""
    while True:
        message, descriptors = _receive(control)
        if message is None:
            return
        operation, cpu, memory, processes, tasks, answer_bytes, wall = message
        if operation != b"R":
            continue  # a KILL that came after its run had ended
        if pid_namespace is not None and not confine.new_pid_namespace():
            os._exit(1)  # the parent starts another zygote
        child = os.fork()
        if child == 0:
            control.close()
            _run_child(descriptors, confinement, cpu, memory, processes, tasks, answer_bytes)
        if pid_namespace is not None and not confine.return_to_pid_namespace(pid_namespace):
            os._exit(1)
        for descriptor in descriptors:
            os.close(descriptor)
        control.sendall(EVENT.pack(b"S", 0))
        status = _watch(control, child, wall)
        control.sendall(EVENT.pack(b"D", os.waitstatus_to_exitcode(status)))


def _receive(control: socket.socket) -> tuple[tuple[Any, ...] | None, list[int]]:
    data, descriptors, _, _ = socket.recv_fds(control, RUN.size, 3)
    while data and len(data) < RUN.size:
        more = control.recv(RUN.size - len(data))
        if not more:
            return None, []
        data += more
    return (RUN.unpack(data) if data else None), descriptors


def _watch(control: socket.socket, child: int, wall: float) -> int:
    """Wait for the child's end; kill it on KILL, on the parent's death, or when the parent has missed its deadline."""
    deadline = time.monotonic() + wall
    poller = select.poll()
    poller.register(control, select.POLLIN)
    pidfd = -1
    with contextlib.suppress(AttributeError, OSError):
        pidfd = os.pidfd_open(child)
        poller.register(pidfd, select.POLLIN)
    try:
        while True:
            left = deadline - time.monotonic()
            ready = {fd for fd, _ in poller.poll(max(0.0, left) * 1000 if pidfd >= 0 else 2)}
            gone, status = os.waitpid(child, os.WNOHANG)
            if gone:
                return status
            if control.fileno() in ready or left <= 0:
                lost = left > 0 and _receive(control)[0] is None
                _kill(child)
                _, status = os.waitpid(child, 0)
                if lost:
                    os._exit(0)
                return status
    finally:
        if pidfd >= 0:
            os.close(pidfd)


def _kill(child: int) -> None:
    # Without a PID namespace the group is the best there is; with one, the death of its init ends everything in it.
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)


# From here on: the child.


def _run_child(
    descriptors: list[int],
    confinement: Confinement,
    cpu: int,
    memory: int,
    processes: int,
    tasks: int,
    answer_bytes: int,
) -> NoReturn:
    leave, status = os._exit, 0
    try:
        with contextlib.suppress(OSError):
            os.setsid()
        layers = dict(confinement.layers)
        if layers["ipc"] == confine.ACTIVE:
            layers["ipc"] = confine.unshare_ipc()
        layers["limits"] = confine.limit_resources(cpu, memory, tasks)
        layers.update(confine.drop_privileges(confinement.uid))
        layers["landlock"] = confine.restrict_files(confinement.rules)
        spawn: confine.Spawn = "processes" if processes > 1 else "threads" if tasks > 1 else "nothing"
        layers["seccomp"] = confine.forbid_syscalls(confinement.filters[spawn])
        null, channel, *streams = descriptors
        for target in (0, 1, 2):
            os.dup2(streams[0] if streams and target < 2 else null, target)
        os.dup2(channel, CHANNEL_FD)
        os.closerange(CHANNEL_FD + 1, 1 << 20)
        os.chdir("/")
        random.seed(0)  # a judgement should not depend on the moment it is made
        send, receive = _frames(CHANNEL_FD)
        send({"layers": layers, "python": platform.python_version()})
        status = _converse(send, receive, answer_bytes)
    finally:
        leave(status)


def _frames(fd: int) -> tuple[Callable[[dict[str, Any]], None], Callable[[], dict[str, Any]]]:
    write, read, load = os.write, os.read, json.loads

    def send(value: dict[str, Any]) -> None:
        data = memoryview(_frame(value))
        while data:
            data = data[write(fd, data) :]

    def exactly(size: int) -> bytes:
        parts = []
        while size:
            part = read(fd, min(size, 1 << 16))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def receive() -> dict[str, Any]:
        value: dict[str, Any] = load(exactly(int.from_bytes(exactly(4), "big")))
        return value

    return send, receive


def _frame(value: dict[str, Any]) -> bytes:
    data = _encode_frame(value).encode("ascii")
    return len(data).to_bytes(4, "big") + data


def _converse(send: Callable[[dict[str, Any]], None], receive: Callable[[], dict[str, Any]], answer_bytes: int) -> int:
    """Do what the parent asks; the exit status, which is 0 but for a whole program's own."""
    request = receive()
    if "program" in request:
        return _whole_program(send, request["source"])
    function, fault = _load(request["source"], request["entry_point"])
    reply: dict[str, Any] = {"module": fault}
    answer = _tagged_answer if request["tagged"] else _answer
    while True:
        answers = [] if function is None else [answer(function, text, answer_bytes) for text in request["args"]]
        send({**reply, "answers": answers})
        if request["last"]:
            return 0
        request, reply = receive(), {}


def _whole_program(send: Callable[[dict[str, Any]], None], source: str) -> int:
    code, fault = _compile(source)
    send({"module": fault})
    if code is None:
        return 0
    fault, status = program.execute(code, FILENAME, _fault)
    with contextlib.suppress(OSError):  # the program may have closed the channel, which is no fault
        send({"fault": fault})
    return status


def _compile(source: str) -> tuple[types.CodeType | None, dict[str, Any] | None]:
    """(the candidate's code, None) or (None, why there is none)."""
    try:
        return compile(source, FILENAME, "exec", dont_inherit=True), None
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        line = getattr(error, "lineno", None)
        text = getattr(error, "msg", None) or str(error)
        return None, {"kind": "syntax", "error": type(error).__name__, "message": text, "line": line}


def _load(source: str, entry_point: str) -> tuple[Callable[..., object] | None, dict[str, Any] | None]:
    """Execute the candidate as a module; (entry point, None) or (None, what was wrong with it)."""
    code, fault = _compile(source)
    if code is None:
        return None, fault
    module = types.ModuleType("candidate")
    sys.modules["candidate"] = module  # dataclasses and typing look their module up by name
    try:
        exec(code, module.__dict__)
        function = module.__dict__.get(entry_point)
    except BaseException as error:
        return None, {"kind": "exception", **_fault(error)}
    if not callable(function):
        return None, {"kind": "no_entry_point", "error": "NameError", "message": "", "line": None}
    return function, None


def _answer(function: Callable[..., object], args: str, answer_bytes: int) -> dict[str, Any]:
    """Call the candidate on fresh arguments; what it gave, as JSON text."""
    try:
        value = function(*_decode(args))
        problem = _not_plain(value)
        if problem is not None:
            return {"unserialisable": problem}
    except BaseException as error:
        return _fault(error)
    try:
        text = _encode(value)
    except BaseException as error:
        return {"unserialisable": f"{type(error).__name__} while writing it as JSON"}
    return {"value": text} if len(text) <= answer_bytes else {"overflow": len(text)}


def _tagged_answer(function: Callable[..., object], args: str, answer_bytes: int) -> dict[str, Any]:
    """The same for tagged values."""
    try:
        value = function(*_untag(_decode(args)))
    except BaseException as error:
        return _fault(error)
    try:
        text = _encode(_tag(value))
    except BaseException as error:
        known = isinstance(error, _NotPlain)
        return {"unserialisable": str(error) if known else f"{type(error).__name__} while writing it as JSON"}
    return {"value": text} if len(text) <= answer_bytes else {"overflow": len(text)}


_decode = json.JSONDecoder().decode
_encode = json.JSONEncoder(allow_nan=False).encode
_encode_frame = json.JSONEncoder().encode
if __name__ == "__main__":
    _tag, _untag, _NotPlain = values.tag, values.untag, values.NotPlain


def _not_plain(value: object) -> str | None:
    """Why `value` is not JSON made of exactly the built-in types, or None; a subclass could lie about itself."""
    stack, seen = [value], 0
    while stack:
        item = stack.pop()
        seen += 1
        kind = type(item)
        if kind not in _EXACT:
            return f"a value of type {kind.__name__}"
        if seen > _MAX_NODES:
            return "too many values, or a cycle"
        if kind is list or kind is tuple:
            stack.extend(item)  # type: ignore[arg-type]
        elif kind is dict:
            for key in item:  # type: ignore[attr-defined]
                if type(key) is not str:
                    return f"a dict with a key of type {type(key).__name__}"
            stack.extend(item.values())  # type: ignore[attr-defined]
    return None


def _fault(error: BaseException) -> dict[str, Any]:
    """An exception as data: class, message, and the deepest line of the candidate's own that it passed through."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILENAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    try:
        message = str(error)[:500]
    except BaseException:
        message = ""
    return {"error": type(error).__name__[:100], "message": message, "line": line}


if __name__ == "__main__":
    main(int(sys.argv[1]))
