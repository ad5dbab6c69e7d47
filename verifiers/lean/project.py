"""ProjectLean: a Lake project, Mathlib's or one's own, read by warm REPLs and audited by throwaway processes.

Texts go to a pool of REPLs that hold the header's environment (`repl`); claims are audited by the project's own
``lean`` in a process each (`lean_command`), so that nothing which a candidate did to a REPL can reach its audit.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from proofgrad.verifiers.errors import ConfigError, ToolchainError
from proofgrad.verifiers.lean.backend import Audit, Claim, Elaboration, Limits
from proofgrad.verifiers.lean.lean_command import LeanCommand, ask
from proofgrad.verifiers.lean.repl import Launch, Repl, lean_interact
from proofgrad.verifiers.lean.replies import MATHLIB_HEADER, newline_ended
from proofgrad.verifiers.lean.text_audit import audit_claims

__all__ = ["ProjectLean", "is_project"]

_REPL_BINARY = Path(".lake/build/bin/repl")
_REPL_PACKAGES = ("repl", "REPL")
_CHECKERS = ("lean4checker", "leanchecker")
# What Lake sets for the programs of a project, and elan for Lake.
_LAKE_VARIABLES = ("LEAN_PATH", "LEAN_SYSROOT", "LD_LIBRARY_PATH", "PATH")
_LAKE_FILES = ("lakefile.toml", "lakefile.lean")


def is_project(directory: Path) -> bool:
    """Whether Lake would call this directory a project with a toolchain of its own."""
    return (directory / "lean-toolchain").is_file() and any((directory / name).is_file() for name in _LAKE_FILES)


class ProjectLean:
    """A backend on a Lake project that has been built (``lake build``, or ``lake exe cache get`` for Mathlib).

    Args:
        directory: the project, with ``lean-toolchain`` and a lakefile.
        workers: REPLs at once; each holds the header's environment.
        memory_mib: private memory above which a REPL is killed; halfway there, it is replaced after its text.
        repl_path: directory of a built REPL for the same Lean; looked for among the project's packages when None, and
            else fetched and built by lean-interact, which needs network, git and Lake.
        header: what every text starts with.
        requests: texts after which a REPL is replaced: it never frees an environment.
        readable: further directories that Lean needs; everything else is out of its sight where bubblewrap works.
        lake: path or name of ``lake``; found on PATH or in elan's directory when None.
        bwrap: path of bubblewrap's executable; looked for on PATH when None.

    Raises:
        ConfigError: `directory` or `repl_path` is not what it should be.
        MissingExtraError: lean-interact is not installed.
        ToolchainError: Lake or Lean does not run, or no REPL is to be had.
    """

    name = "project"
    takes_header = True

    def __init__(
        self,
        directory: str | Path,
        *,
        workers: int = 2,
        memory_mib: int = 6144,
        repl_path: str | Path | None = None,
        header: str = MATHLIB_HEADER,
        requests: int = 200,
        readable: Iterable[Path] = (),
        lake: str | Path | None = None,
        bwrap: Path | None = None,
    ) -> None:
        if workers < 1 or memory_mib < 1 or requests < 1:
            raise ConfigError("workers, memory_mib and requests of a Lean project must be at least 1")
        project = Path(directory).expanduser().resolve()
        if not is_project(project):
            raise ConfigError(
                f"'{project}' is no Lake project: it needs lean-toolchain and lakefile.toml or lakefile.lean"
            )
        library = lean_interact()
        lake_command = _find_lake(lake)
        config = _configuration(library, project, _find_repl(project, repl_path), lake_command)
        binary = Path(config.cache_repl_dir).resolve() / _REPL_BINARY
        if not os.access(binary, os.X_OK):
            raise ToolchainError(f"there is no built REPL at '{binary}'; run 'lake build' in its directory")
        environment = _lake_environment(lake_command, project)
        path = [Path(part) for part in environment.get("LEAN_PATH", "").split(":") if part]
        self._command = LeanCommand(
            _project_lean(environment),
            path=path,
            readable=[project, binary.parent, *readable],
            environment={k: v for k, v in environment.items() if k != "LEAN_PATH"},
            checker=_find_checker(project),
            memory_mib=memory_mib,
            address_space_mib=memory_mib + (64 << 10),  # Mathlib's modules are mapped, all of them
            bwrap=bwrap,
        )
        command = self._command.confinement.wrap([str(binary)], folder=project, writable=False)
        command[0] = shutil.which(command[0]) or command[0]
        self._starter = ThreadPoolExecutor(1, "proofgrad-repl-start")
        launch = Launch(
            command=command,
            folder=project,
            environment={"LC_ALL": "C.UTF-8", **environment},
            config=config,
            starter=self._starter,
            memory_mib=memory_mib,
            requests=requests,
        )
        self._repls = [Repl(launch) for _ in range(workers)]
        self._free = list(self._repls)  # the last one used stands last
        self._changed = threading.Condition()
        self._closing = threading.Lock()
        self.header = newline_ended(header)
        self.description = f"lean4 {self._command.version} project {project.name}"
        self.identity = (
            f"{self._command.identity} project {_digest(project, path)} repl {_file_digest(binary)} "
            f"header {self.header!r} memory {memory_mib} kernel {self._command.checker_name}"
        )

    @property
    def layers(self) -> Mapping[str, str]:
        """What confines Lean: name -> "active" or "missing: why"."""
        return self._command.layers

    def elaborate(self, text: str, *, header: str, candidates: int, limits: Limits) -> Elaboration:
        """Read `text` in a REPL, in a branch of the header's environment; waits for a free one."""
        repl = self._take(header)
        try:
            return repl.elaborate(text, header=header, candidates=candidates, limits=limits)
        finally:
            with self._changed:
                self._free.append(repl)
                self._changed.notify()

    def _take(self, header: str) -> Repl:
        """A free REPL: one that has read this header, else a fresh one, else the one that was idle longest."""
        with self._changed:
            while not self._free:
                self._changed.wait()
            places = range(len(self._free))
            best = max(places, key=lambda i: (self._free[i].header == header, self._free[i].header is None, -i))
            return self._free.pop(best)

    def audit(self, claims: Sequence[Claim], *, header: str, limits: Limits) -> list[Audit]:
        """Look at each claim again, alone in a process of its own, and in the kernel where a checker is to be had."""
        command = self._command
        return audit_claims(
            claims,
            lambda text: command.elaborate(text, header=header, candidates=1, limits=limits),
            lambda text: command.replay(text, header=header, limits=limits),
            threads=len(self._repls),
        )

    def close(self) -> None:
        """End every REPL; a text under way ends as BROKEN."""
        with self._closing:
            for repl in self._repls:
                repl.close()
            self._starter.shutdown()


def _find_lake(lake: str | Path | None) -> Path:
    home = Path(os.environ.get("ELAN_HOME") or Path.home() / ".elan") / "bin"
    name = str(lake or "lake")
    found = shutil.which(name) or (shutil.which(name, path=str(home)) if lake is None else None)
    if found is None:
        raise ToolchainError(f"there is no Lake at '{name}'; install Lean with elan: https://lean-lang.org/install")
    return Path(found).absolute()


def _lake_environment(lake: Path, project: Path) -> dict[str, str]:
    """The variables that Lake sets for the project's programs; asked once, since Lake takes its time."""
    code = "import os,sys; sys.stdout.write('\\0'.join(f'{k}={v}' for k, v in os.environ.items()))"
    said = ask([str(lake), "env", os.path.realpath(sys.executable), "-I", "-S", "-c", code], project)
    pairs = dict(entry.partition("=")[::2] for entry in said.split("\0"))
    return {name: pairs[name] for name in _LAKE_VARIABLES if pairs.get(name)}


def _project_lean(environment: Mapping[str, str]) -> Path:
    beside = Path(environment["LEAN_SYSROOT"]) / "bin" / "lean" if "LEAN_SYSROOT" in environment else None
    if beside is not None and beside.is_file():
        return beside.resolve()
    found = shutil.which("lean", path=environment.get("PATH"))
    if found is None:
        raise ToolchainError("Lake names no Lean for this project; run 'lake env lean --version' in it")
    return Path(found)


def _find_checker(project: Path) -> Path | None:
    """A kernel replay among the project's packages; the toolchain's own comes first, see `LeanCommand`."""
    for name in _CHECKERS:
        for place in (project / ".lake/packages" / name, project):
            if os.access(binary := place / ".lake/build/bin" / name, os.X_OK):
                return binary
    return None


def _find_repl(project: Path, repl_path: str | Path | None) -> Path | None:
    if repl_path is not None:
        directory = Path(repl_path).expanduser().resolve()
        if not (directory / _REPL_BINARY).is_file():
            raise ConfigError(f"'{directory}' is no built REPL: it has no {_REPL_BINARY}; run 'lake build' in it")
        return directory
    for name in _REPL_PACKAGES:
        if (project / ".lake/packages" / name / _REPL_BINARY).is_file():
            return project / ".lake/packages" / name
    return None


def _configuration(library: Any, project: Path, repl: Path | None, lake: Path) -> Any:
    """lean-interact's configuration; with `repl` it neither downloads nor builds anything."""
    try:
        return library.LeanREPLConfig(
            project=library.LocalProject(directory=str(project), lake_path=str(lake), auto_build=False),
            local_repl_path=repl,
            build_repl=repl is None,
            lake_path=str(lake),
            enable_incremental_optimization=False,
            enable_parallel_elaboration=False,
        )
    except Exception as error:  # git, network, Lake and file errors of every kind, all with the same remedy
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ToolchainError(
            f"lean-interact has no REPL for '{project}': {said}; build leanprover-community/repl and pass repl_path"
        ) from error


def _digest(project: Path, path: Sequence[Path]) -> str:
    """What can change a verdict: toolchain, pinned packages, and the project's own compiled modules."""
    digest = hashlib.sha256()
    for name in ("lean-toolchain", "lake-manifest.json", *_LAKE_FILES):
        file = project / name
        digest.update(f"{name} {file.read_bytes().hex() if file.is_file() else ''}\n".encode())
    for own in path:
        if own.resolve().is_relative_to(project / ".lake/build"):
            for module in sorted(own.rglob("*.olean")):
                stat = module.stat()
                digest.update(f"{module.relative_to(own)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
