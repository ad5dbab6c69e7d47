"""A ``lean`` executable, run once for each text: found, confined, limited, and read.

What stands between a text and this machine: hard limits on processor time, address space, output and wall clock for the
process; its whole process group killed at the end; and, where bubblewrap works, namespaces of its own (`bubblewrap`).
"""

from __future__ import annotations

import math
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from proofgrad.verifiers.errors import ToolchainError
from proofgrad.verifiers.lean.backend import Elaboration, Ending, Limits
from proofgrad.verifiers.lean.bubblewrap import Bubblewrap
from proofgrad.verifiers.lean.messages import Message, parse
from proofgrad.verifiers.lean.replies import RECENT, newline_ended, normalise, options
from proofgrad.verifiers.lean.text_audit import Replayed
from proofgrad.verifiers.lean.toolchain import Run, _wait

__all__ = ["LIMITER", "LeanCommand", "ask", "find_lean", "wall_seconds"]

_OUTPUT_BYTES = 8 << 20
_ASK_SECONDS = 60.0  # for `--version` and the like; elan may have to look at its toolchains
_TIMEOUT_STATUS = frozenset({-signal.SIGXCPU, 128 + signal.SIGXCPU})  # the second is how bwrap passes a signal on
_KERNEL_REFUSES = re.compile(r"found a problem in|\(kernel\)")
_CANARY = "theorem pg_canary : ∀ p : Prop, p → p := fun _ h => h\n"

# Becomes the command, after it has limited itself: a preexec function is unsafe with threads. SIGXFSZ goes back to its
# default (Python ignores it), so that endless output ends the process; PR_SET_PDEATHSIG (1) ends it with the thread
# that started it. A limit of 0 is none.
LIMITER = """
import ctypes, os, resource, signal, sys
address_space, cpu, output = map(int, sys.argv[1:4])
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
for limit, value in (
    (resource.RLIMIT_AS, address_space), (resource.RLIMIT_FSIZE, output), (resource.RLIMIT_CPU, cpu),
):
    if value:
        resource.setrlimit(limit, (value, value + (limit == resource.RLIMIT_CPU)))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.execv(sys.argv[4], sys.argv[4:])
"""


def wall_seconds(cpu: float) -> float:
    """The wall clock of something that may use `cpu` seconds of processor time on a busy machine."""
    return 4.0 * cpu + 20


def find_lean(executable: str | Path | None = None, folder: Path | None = None) -> Path:
    """The ``lean`` to use, with elan's stand-in looked through.

    Args:
        executable: a path or name; ``lean`` on PATH or in elan's directory when None.
        folder: where elan looks for a ``lean-toolchain``.

    Raises:
        ToolchainError: there is none, or elan has no toolchain for it.
    """
    home = Path(os.environ.get("ELAN_HOME") or Path.home() / ".elan") / "bin"
    name = str(executable or "lean")
    found = shutil.which(name) or (shutil.which(name, path=str(home)) if executable is None else None)
    if found is None:
        raise ToolchainError(
            f"there is no Lean at '{name}' (looked on PATH and in {home}); install it with elan: https://lean-lang.org/install"
        )
    lean = Path(found)
    elan = lean.parent / "elan"
    if elan.is_file():
        lean = Path(ask([str(elan), "which", "lean"], folder))
    if not lean.is_file():
        raise ToolchainError(f"elan names the Lean '{lean}', which is not there; run: elan toolchain install stable")
    return lean.resolve()


def ask(command: Sequence[str], folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """What a trusted command prints.

    Raises:
        ToolchainError: it does not run.
    """
    shown = " ".join(Path(part).name if part.startswith("/") else part for part in command)
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolchainError(f"'{shown}' does not run ({type(error).__name__}); see proofgrad doctor") from error
    said = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode != 0 or not said:
        why = (done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"status {done.returncode}"])[0]
        raise ToolchainError(f"'{shown}' failed: {why}; see proofgrad doctor")
    return said


class LeanCommand:
    """One ``lean`` and how to run it. Safe to call from several threads: every run is a process of its own.

    Args:
        lean: the executable itself, not elan's stand-in.
        path: directories with compiled modules, besides those that come with Lean.
        readable: what else Lean has to read.
        environment: variables it needs.
        checker: a ``lean4checker`` for a Lean that does not come with ``leanchecker``.
        memory_mib: Lean's own limit, in pages that it really uses.
        address_space_mib: the kernel's limit; it counts every module that is mapped.
        bwrap: path of bubblewrap's executable; looked for on PATH when None.

    Raises:
        ToolchainError: it does not run.
    """

    def __init__(
        self,
        lean: Path,
        *,
        path: Sequence[Path] = (),
        readable: Iterable[Path] = (),
        environment: Mapping[str, str] | None = None,
        checker: Path | None = None,
        memory_mib: int = 4096,
        address_space_mib: int = 16384,
        bwrap: Path | None = None,
    ) -> None:
        self.lean = lean
        self._path = list(path)
        self._environment = {"LC_ALL": "C.UTF-8", "PATH": f"{lean.parent}:/usr/bin:/bin", **(environment or {})}
        said = ask([str(lean), "--version"], environment=self._environment)
        self.version = _version(said)
        self.identity = said.splitlines()[0]
        prefix = Path(ask([str(lean), "--print-prefix"], environment=self._environment))
        beside = lean.parent / "leanchecker"
        self._checker = beside if os.access(beside, os.X_OK) else checker
        seen = [prefix, lean.parent, *self._path, *([self._checker.parent] if self._checker else []), *readable]
        self.confinement = Bubblewrap(seen, [str(lean), "--version"], bwrap)
        self._memory_mib, self._address_space = memory_mib, address_space_mib << 20
        self._start_seconds: dict[str, float] = {}
        # Newer releases stop at 100 errors, which would cut a text of wrong candidates short; older ones have no such
        # option, refuse to run with it, and read on. It cannot be "weak": it is looked at too early.
        self._stops_early = self._knows("maxErrors=0")
        self._replay_fault: str | None = None if self._checker else "no leanchecker"
        self._replay_tried = self._checker is None
        self._lock = threading.Lock()

    @property
    def checker_name(self) -> str:
        """Name of the kernel replay's program, or "no leanchecker"."""
        return self._checker.name if self._checker else "no leanchecker"

    @property
    def layers(self) -> Mapping[str, str]:
        """Name -> "active" or "missing: why"."""
        return {"limits": "active", **self.confinement.layers}

    def elaborate(self, text: str, *, header: str, candidates: int, limits: Limits) -> Elaboration:
        """Read a text in a process of its own; see `Backend.elaborate`."""
        try:
            start = self._startup(header, limits)
        except ToolchainError as error:
            return Elaboration(Ending.BROKEN, detail=str(error))
        allowed = limits.cpu_seconds + 1 + candidates // 8
        before = self._before(header, limits)
        with tempfile.TemporaryDirectory(prefix="proofgrad-lean-") as name:
            folder = Path(name)
            (folder / "check.lean").write_text(before + text, "utf-8")
            try:
                run = self._lean(["--json", "check.lean"], folder, limits, start + allowed)
            except ToolchainError as error:
                return Elaboration(Ending.BROKEN, detail=str(error))
        return _read(run, before.count("\n"), limits)

    def replay(self, text: str, *, header: str, limits: Limits) -> tuple[Replayed, str]:
        """Compile a text and give its declarations to the kernel again.

        Returns:
            the result, and the checker's name or what went wrong.
        """
        with self._lock:
            if not self._replay_tried:
                # A checker that cannot take the simplest theorem says nothing about a candidate.
                outcome, said = self._replay(_CANARY, header, limits)
                self._replay_fault = None if outcome is Replayed.ACCEPTED else f"{self.checker_name} fails here: {said}"
                self._replay_tried = True
        if self._replay_fault is not None:
            return Replayed.ABSENT, self._replay_fault
        return self._replay(text, header, limits)

    def _replay(self, text: str, header: str, limits: Limits) -> tuple[Replayed, str]:
        module = f"Pg{secrets.token_hex(16)}"
        allowed = limits.cpu_seconds + 1
        try:
            start = self._startup(header, limits)
            with tempfile.TemporaryDirectory(prefix="proofgrad-lean-") as name:
                folder = Path(name)
                (folder / f"{module}.lean").write_text(self._before(header, limits) + text, "utf-8")
                arguments = ["-o", f"{module}.olean", f"{module}.lean"]
                run = self._lean(arguments, folder, limits, start + allowed)
                if run.status != 0 or not (folder / f"{module}.olean").is_file():
                    return Replayed.FAILED, f"the claim does not compile: {_said(run)}"
                # It reads the same modules as Lean did, and its kernel does what Lean's did once already.
                command = [str(self._checker), module]
                run = self._run(command, folder, 2 * start + allowed + 5, [folder, *self._path])
        except ToolchainError as error:
            return Replayed.FAILED, str(error)
        if run.status == 0:
            return Replayed.ACCEPTED, self.checker_name
        if _is_timeout(run):
            return Replayed.EXHAUSTED, "replaying the proof in the kernel takes too long"
        said = run.stdout + run.stderr
        return (Replayed.REFUSED if _KERNEL_REFUSES.search(said) else Replayed.FAILED), _said(run)

    def _knows(self, option: str) -> bool:
        """Whether this Lean runs with an option."""
        with tempfile.TemporaryDirectory(prefix="proofgrad-lean-") as name:
            (Path(name) / "check.lean").write_text("prelude\n", "utf-8")
            return self._run([str(self.lean), f"-D{option}", "check.lean"], Path(name), 60, self._path).status == 0

    def _startup(self, header: str, limits: Limits) -> float:
        """Processor seconds that reading the header takes.

        Raises:
            ToolchainError: the header does not elaborate.
        """
        known = self._start_seconds.get(header)
        if known is not None:
            return known
        with tempfile.TemporaryDirectory(prefix="proofgrad-lean-") as name:
            folder = Path(name)
            (folder / "check.lean").write_text(self._before(header, limits) + _CANARY, "utf-8")
            run = self._lean(["--json", "check.lean"], folder, limits, 300)
        messages = parse(run.stdout)
        errors = [m for m in messages or () if m.is_error]
        if messages is None or errors or run.status != 0:
            said = f"line {errors[0].line}: {errors[0].text.splitlines()[0]}" if errors else _said(run)
            raise ToolchainError(f"Lean cannot read the header {header.strip()[:60]!r}: {said}")
        # Twice what it took now: a cold cache costs processor time too.
        self._start_seconds[header] = 2 * run.cpu_seconds
        return self._start_seconds[header]

    def _before(self, header: str, limits: Limits) -> str:
        """What stands before a text. A header can set options of its own; not those that bound a candidate."""
        bounds = f"set_option maxHeartbeats {limits.heartbeats} set_option autoImplicit false\n"
        return newline_ended(header) + bounds

    def _lean(self, arguments: Sequence[str], folder: Path, limits: Limits, cpu: float) -> Run:
        # "weak": an older Lean passes over an option that it does not know.
        given = [f"-D{'weak.' if key in RECENT else ''}{key}={value}" for key, value in options(limits).items()]
        if self._stops_early:
            given.append("-DmaxErrors=0")
        # Two threads: with one, Lean prints nothing before it has read the whole file.
        command = [str(self.lean), "-j2", "-t0", f"-M{self._memory_mib}", *given, *arguments]
        return self._run(command, folder, cpu, self._path)

    def _run(self, command: Sequence[str], folder: Path, cpu: float, path: Sequence[Path]) -> Run:
        """One process in `folder` under hard limits.

        Raises:
            ToolchainError: it cannot be started at all.
        """
        whole = math.ceil(cpu)
        inside = self.confinement.wrap(command, folder=folder, writable=True)
        limiter = [os.path.realpath(sys.executable), "-I", "-S", "-c", LIMITER]
        limiter += [str(self._address_space), str(whole), str(_OUTPUT_BYTES)]
        inside[0] = shutil.which(inside[0]) or inside[0]
        environment = {**self._environment, "LEAN_PATH": ":".join(map(str, path))}
        started = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen(
                    [*limiter, *inside],
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            except OSError as error:
                raise ToolchainError(f"cannot start Lean: {error.strerror}; see proofgrad doctor") from error
            status, used = _wait(process, wall_seconds(whole))
            texts = []
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read(_OUTPUT_BYTES).decode("utf-8", "replace"))
        if status is not None and status not in (0, 1) and used >= whole:
            status = -signal.SIGXCPU  # the hard limit's SIGKILL, which looks like any other
        return Run(status, texts[0], texts[1], used, time.monotonic() - started)


def _read(run: Run, header_lines: int, limits: Limits) -> Elaboration:
    """What a run says about its text."""
    parsed = parse(run.stdout)
    messages = normalise(_up_to_damage(run.stdout) if parsed is None else parsed)
    mine = [m.moved(-header_lines, 0) for m in messages if m.line > header_lines]

    def ended(ending: Ending, detail: str) -> Elaboration:
        return Elaboration(ending, mine, run.seconds, detail)

    if run.status is None and run.cpu_seconds < limits.cpu_seconds / 2:
        return ended(Ending.OVERLOADED, "Lean got no processor time")
    if _is_timeout(run):
        return ended(Ending.TIMEOUT, f"more than {limits.cpu_seconds} s of processor time")
    if run.status not in (0, 1) or parsed is None:
        return ended(Ending.DIED, _said(run))
    if run.status == 1 and not any(m.is_error for m in messages):
        return ended(Ending.DIED, _said(run))
    return ended(Ending.DONE, "")


def _is_timeout(run: Run) -> bool:
    return run.status is None or run.status in _TIMEOUT_STATUS


def _up_to_damage(stdout: str) -> list[Message]:
    """The messages before the first line that is none."""
    found: list[Message] = []
    for line in stdout.splitlines():
        one = parse(line)
        if one is None:
            break
        found += one
    return found


def _said(run: Run) -> str:
    """One line about a run that did not go well."""
    lines = (run.stderr.strip() or run.stdout.strip()).splitlines()
    return lines[0][:200] if lines else f"Lean ended with status {run.status}"


def _version(said: str) -> str:
    found = re.search(r"version ([^\s,)]+)", said)
    return found[1] if found else said.splitlines()[0][:40]
