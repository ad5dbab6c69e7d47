"""The process that audits accepted proofs: `python -m proofgrad.verifiers.lean.audit_worker FD LIBRARY BASE MODULE...`.

Run by `audit.py`, never imported by it. It holds Lean's kernel and an environment in which every declaration of our
base library was checked; no candidate's text ever reaches it, only the bytes of modules compiled elsewhere. Each
request is served by a fork of its own, behind limits and isolation layers:

    parent -> worker   a frame of JSON {"claims": [[theorem, goal], ...], "goals": bytes, "proofs": bytes,
                       "cpu": seconds, "wall": seconds, "heartbeats": n}, then as many bytes: the module that declares
                       the goals (compiled without sight of a candidate), and the one that declares the theorems
    worker -> parent   a frame {"layers": {...}, "constants": n} once it is ready; then for each request
                       {"results": [{"axioms": [...], "replayed": n} | {"refused": why, "reason": code}, ...]}
                       or {"died": exit status}

Frames are a 4-byte big-endian length and JSON.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

from proofgrad.verifiers import confine
from proofgrad.verifiers.lean.kernel import Builder, Environment, Kernel, RefusedError, replay_order
from proofgrad.verifiers.lean.olean import Declaration, MalformedModuleError, Module, Name, read_module, show

__all__ = ["Auditor", "main"]

_MEMORY = 8 << 30  # address space; the library and its arenas take more than half of it untouched
_REPLY_BYTES = 4 << 20
_HARMLESS = frozenset({"theorem", "definition", "opaque"})


class Auditor:
    """The kernel with our base library in it.

    Args:
        library: path of ``libleanshared.so``.
        modules: paths of the compiled base library, in import order. They are ours, and checked all the same.

    Raises:
        RefusedError: the kernel does not accept our own library.
    """

    def __init__(self, library: str, modules: Sequence[str]) -> None:
        self.kernel = Kernel(library)
        self._known: dict[Name, tuple[Module, Declaration]] = {}
        self._axioms: dict[Name, frozenset[str]] = {}
        environment = self.kernel.empty()
        for path in modules:
            with open(path, "rb") as file:
                module = read_module(file.read())
            environment = self._replay_all(environment, module)
            self._known.update((name, (module, found)) for name, found in module.declarations.items())
        self._environment = environment

    @property
    def constants(self) -> int:
        """How many constants the base library declares."""
        return len(self._known)

    def _replay_all(self, environment: Environment, module: Module) -> Environment:
        builder = self.kernel.builder(module)
        safe = [name for name, found in module.declarations.items() if found.is_safe]
        has_quotient = False
        for name in replay_order(module, safe, self._known):
            if module.declarations[name].kind != "quotient":
                environment = self.kernel.add(environment, name, builder.declaration(name))
            elif not has_quotient:  # one declaration brings all four constants
                environment, has_quotient = self.kernel.add(environment, name, self.kernel.quotient()), True
        return environment

    def audit(
        self, goals: bytes, proofs: bytes, claims: Sequence[Sequence[str]], heartbeats: int
    ) -> list[dict[str, Any]]:
        """One result for each (theorem, goal): its axioms, or why it does not stand.

        Raises:
            MalformedModuleError: the bytes are no modules.
            RefusedError: the kernel does not accept the goals' own module.
        """
        asked, given = read_module(goals), read_module(proofs)
        environment, builder = self._environment, self.kernel.builder(asked)
        for name in replay_order(asked, asked.declarations, self._known):
            environment = self.kernel.add(environment, name, builder.declaration(name))
        known = self._known | {name: (asked, found) for name, found in asked.declarations.items()}
        builder = self.kernel.builder(given)
        answers = []
        for theorem, goal in claims:
            try:
                answers.append(
                    self._judge(environment, known, given, builder, _split(theorem), _split(goal), heartbeats)
                )
            except RefusedError as refused:
                reason = "lean.resource" if refused.is_exhausted else "cheat.kernel"
                answers.append({"refused": str(refused), "reason": reason})
        return answers

    def _judge(
        self,
        environment: Environment,
        known: dict[Name, tuple[Module, Declaration]],
        given: Module,
        builder: Builder,
        theorem: Name,
        goal: Name,
        heartbeats: int,
    ) -> dict[str, Any]:
        found = given.declarations.get(theorem)
        if found is None or found.kind != "theorem":
            return {"refused": f"there is no theorem {show(theorem)}", "reason": "cheat.missing"}
        try:
            order = replay_order(given, [theorem], known)
        except KeyError as error:
            return {"refused": f"it rests on an unknown constant {error}", "reason": "cheat.kernel"}
        axioms: set[str] = set()
        for name in order:
            part = given.declarations[name]
            if part.kind == "axiom":
                return {"refused": f"it rests on an axiom of its own, {show(name)}", "reason": "cheat.axiom"}
            if part.kind not in _HARMLESS or not part.is_safe:
                return {"refused": f"it rests on {show(name)}, an unsafe one or {part.kind}", "reason": "cheat.kernel"}
            environment = self.kernel.add(environment, name, builder.declaration(name), heartbeats)
            for used in given.constants(part.type) | given.constants(part.value or part.type):
                if used not in given.declarations:
                    axioms |= self._axioms_of(used, known)
        restated = self.kernel.restatement((*theorem, "restated"), known[goal][1], found)
        try:
            self.kernel.add(environment, theorem, restated, heartbeats)
        except RefusedError as refused:
            if refused.is_exhausted:
                raise
            return {"refused": "it proves something else", "reason": "cheat.statement"}
        return {"axioms": sorted(axioms), "replayed": len(order)}

    def _axioms_of(self, name: Name, known: dict[Name, tuple[Module, Declaration]]) -> frozenset[str]:
        """The axioms that a known constant rests on."""
        if name not in self._axioms:
            found: set[str] = set()
            seen, stack = {name}, [name]
            while stack:
                module, declaration = known[stack.pop()]
                if declaration.kind == "axiom":
                    found.add(show(declaration.name))
                used = module.constants(declaration.type)
                if declaration.value is not None:
                    used |= module.constants(declaration.value)
                used |= set(declaration.constructors)
                stack.extend(used - seen)
                seen |= used
            self._axioms[name] = frozenset(found)
        return self._axioms[name]


def _split(name: str) -> Name:
    return tuple(name.split("."))


def main(control_fd: int, library: str, modules: Sequence[str]) -> None:
    """Serve requests until the parent goes away."""
    control = socket.socket(fileno=control_fd)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # No parent-death signal here: it would come when the *thread* that started this process ends. The channel tells.
    auditor = Auditor(library, modules)
    layers = confine.enter_namespaces()
    if layers["pid"] == confine.ACTIVE:
        confine.become_init(control)
    layers["root"] = layers["mount"]
    if layers["root"] == confine.ACTIVE:
        try:
            layers["root"] = confine.replace_root([])
        except OSError as error:
            layers["root"] = f"missing: {error.strerror}"
    rules, calls = confine.prepare_rules([]), confine.prepare_filter("nothing")
    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, the pages shared with the forks
    # What a fork will achieve is known only there; a rehearsal tells the parent before it sends anything.
    layers.update(_rehearse(rules, calls))
    _send(control, {"layers": layers, "constants": auditor.constants})
    while True:
        request, goals, proofs = _receive(control)
        _send(control, _serve(auditor, request, goals, proofs, rules, calls))


def _shut_in(rules: int | str, calls: bytes | str) -> dict[str, str]:
    layers = dict(confine.drop_privileges())
    layers["landlock"] = confine.restrict_files(rules)
    layers["seccomp"] = confine.forbid_syscalls(calls)
    return layers


def _rehearse(rules: int | str, calls: bytes | str) -> dict[str, str]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.write(writer, json.dumps(_shut_in(rules, calls)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        said = stream.read(1 << 16)
    os.waitpid(child, 0)
    return dict(json.loads(said)) if said else {"fork": "missing: a fork died"}


def _serve(
    auditor: Auditor, request: dict[str, Any], goals: bytes, proofs: bytes, rules: int | str, calls: bytes | str
) -> dict[str, Any]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            os.close(reader)
            gc.disable()  # it ends soon, and all that it makes is needed until then
            confine.limit_resources(int(request["cpu"]), _MEMORY, 1)
            _shut_in(rules, calls)
            _write_all(writer, json.dumps(_answer(auditor, request, goals, proofs)).encode())
            status = 0
        os._exit(status)
    os.close(writer)
    deadline = time.monotonic() + float(request["wall"])
    said, is_late = _read_until(reader, deadline)
    os.close(reader)
    if is_late:
        os.kill(child, signal.SIGKILL)
    _, code = os.waitpid(child, 0)
    ended = os.waitstatus_to_exitcode(code)
    if is_late or ended != 0:
        return {"died": None if is_late else ended}
    return dict(json.loads(said))


def _answer(auditor: Auditor, request: dict[str, Any], goals: bytes, proofs: bytes) -> dict[str, Any]:
    try:
        return {"results": auditor.audit(goals, proofs, request["claims"], int(request["heartbeats"]))}
    except (MalformedModuleError, RefusedError) as error:
        refused = {"refused": str(error), "reason": "cheat.kernel"}
        return {"results": [refused] * len(request["claims"])}


def _read_until(fd: int, deadline: float) -> tuple[bytes, bool]:
    """All that is written to a pipe before it is closed, and whether the deadline or the cap came first."""
    poller, said = select.poll(), bytearray()
    poller.register(fd, select.POLLIN)
    while len(said) <= _REPLY_BYTES:
        left = deadline - time.monotonic()
        if left <= 0 or not poller.poll(left * 1000):
            return bytes(said), True
        part = os.read(fd, 1 << 16)
        if not part:
            return bytes(said), False
        said += part
    return bytes(said), True


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _send(control: socket.socket, value: object) -> None:
    data = json.dumps(value).encode()
    control.sendall(len(data).to_bytes(4, "big") + data)


def _receive(control: socket.socket) -> tuple[dict[str, Any], bytes, bytes]:
    request = json.loads(_exactly(control, int.from_bytes(_exactly(control, 4), "big")))
    return request, _exactly(control, int(request["goals"])), _exactly(control, int(request["proofs"]))


def _exactly(control: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = control.recv(min(size - len(data), 1 << 20))
        if not part:
            os._exit(0)  # the parent is gone
        data += part
    return bytes(data)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
