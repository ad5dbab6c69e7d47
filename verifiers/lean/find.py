"""Which Lean to use: the first of a project, an installed toolchain, a server and the embedded one at hand."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from proofgrad.verifiers.errors import ConfigError, ProofgradError, ToolchainError
from proofgrad.verifiers.lean.backend import Backend
from proofgrad.verifiers.lean.project import ProjectLean, is_project

__all__ = ["NAMES", "PROJECT_VARIABLE", "URL_VARIABLE", "found", "open_backend"]

# In the order in which they are tried.
NAMES = ("project", "toolchain", "server", "embedded")
PROJECT_VARIABLE = "PROOFGRAD_LEAN_PROJECT"
URL_VARIABLE = "PROOFGRAD_KIMINA_URL"


def open_backend(toolchain: str | None = None, **options: Any) -> Backend:
    """Open a Lean.

    Args:
        toolchain: "project", "toolchain", "server" or "embedded"; None takes the first of these that is configured or
            found: a project by the option `project` or ``$PROOFGRAD_LEAN_PROJECT``, an installed ``lean`` that runs, a
            server by the option `url` or ``$PROOFGRAD_KIMINA_URL``.
        options: for the chosen backend's class; `project` and `url` say where.

    Raises:
        ConfigError: no such name, nothing configured for it, or an option that it does not have.
        MissingExtraError: what it needs is not installed.
        ToolchainError: it does not run.
    """
    if toolchain is not None and toolchain not in NAMES:
        raise ConfigError(f"there is no Lean toolchain '{toolchain}'; choose one of {', '.join(NAMES)}")
    project = options.pop("project", None) or os.environ.get(PROJECT_VARIABLE)
    url = options.pop("url", None) or os.environ.get(URL_VARIABLE)
    chosen = toolchain or _first(project, url, options.get("executable"))
    if chosen == "project" and not project:
        raise ConfigError(
            f"the Lean toolchain 'project' needs a directory: set the option 'project' or {PROJECT_VARIABLE}"
        )
    if chosen == "server" and not url:
        raise ConfigError(f"the Lean toolchain 'server' needs an address: set 'url' or {URL_VARIABLE}")
    try:
        return _open(chosen, project, url, options)
    except TypeError as error:
        if "keyword argument" not in str(error):
            raise
        raise ConfigError(f"the Lean toolchain '{chosen}' refuses an option: {error}") from error


def found() -> list[tuple[str, str]]:
    """Each toolchain with what it is, or with "not ...: why": for reports. Nothing is built, downloaded or sent."""
    return [
        ("project", _say_project(os.environ.get(PROJECT_VARIABLE))),
        ("toolchain", _say_installed()),
        ("server", _say_server(os.environ.get(URL_VARIABLE))),
        ("embedded", _say_embedded()),
    ]


def _first(project: str | Path | None, url: str | None, executable: str | Path | None) -> str:
    if project:
        return "project"
    if _runs(executable):
        return "toolchain"
    return "server" if url else "embedded"


def _runs(executable: str | Path | None) -> bool:
    from proofgrad.verifiers.lean.lean_command import ask, find_lean

    try:
        ask([str(find_lean(executable)), "--version"])
    except ToolchainError:
        return False
    return True


def _open(name: str, project: str | Path | None, url: str | None, options: dict[str, Any]) -> Backend:
    """Only the chosen backend's module is imported."""
    if name == "project":
        return ProjectLean(str(project), **options)
    if name == "toolchain":
        from proofgrad.verifiers.lean.installed import InstalledLean

        return InstalledLean(**options)
    if name == "server":
        from proofgrad.verifiers.lean.server import ServerLean

        return ServerLean(str(url), **options)
    from proofgrad.verifiers.lean.embedded import EmbeddedLean

    return EmbeddedLean(**options)


def _say_project(directory: str | None) -> str:
    if not directory:
        return f"not configured: set {PROJECT_VARIABLE} to a Lake project"
    project = Path(directory).expanduser()
    if not is_project(project):
        return f"not usable: '{project}' has no lean-toolchain or lakefile"
    if importlib.util.find_spec("lean_interact") is None:
        return "not usable: pip install 'proofgrad[lean-project]'"
    return f"{project} ({(project / 'lean-toolchain').read_text('utf-8').strip()})"


def _say_installed() -> str:
    from proofgrad.verifiers.lean.lean_command import ask, find_lean

    try:
        lean = find_lean()
        return f"{ask([str(lean), '--version']).splitlines()[0]} at {lean}"
    except ToolchainError as error:
        return f"not found: {error}"


def _say_server(url: str | None) -> str:
    return url or f"not configured: set {URL_VARIABLE} to a kimina-lean-server"


def _say_embedded() -> str:
    from proofgrad.verifiers.lean.toolchain import Toolchain

    try:
        return Toolchain().description
    except ProofgradError as error:
        return f"not usable: {error}"
