"""Shuts a process in with bubblewrap (``bwrap``), where that is installed and may make namespaces.

Inside, a process sees the system's libraries and the directories that it was given, all read-only, one writable
directory, an empty ``/tmp``, and nobody else: no network, no other process, no way to outlive us. Source: bwrap(1).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

__all__ = ["LAYERS", "Bubblewrap"]

# What one working call of bwrap gives, by the names that the other sandboxes use.
LAYERS = ("network", "ipc", "uts", "pid", "mount", "root")
# In order, since on most distributions all but the first are links into it.
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/alternatives", "/nix/store")
_TRIAL_SECONDS = 20.0


class Bubblewrap:
    """How to start a process inside bubblewrap, or why that cannot be done.

    Args:
        readable: directories that the process may read, besides the system's.
        probe: a command that is tried inside; nothing is confined unless it ends with status 0.
        executable: path of ``bwrap``; looked for on PATH when None.
    """

    def __init__(self, readable: Iterable[Path], probe: Sequence[str], executable: Path | None = None) -> None:
        found = str(executable) if executable else shutil.which("bwrap")
        self._executable = found or "bwrap"
        self._readable = list(dict.fromkeys(path.absolute() for path in readable if path.exists()))
        self._missing = "bubblewrap is not installed" if found is None else self._try(probe)

    @property
    def is_active(self) -> bool:
        """Whether `wrap` does anything."""
        return not self._missing

    @property
    def layers(self) -> Mapping[str, str]:
        """Name -> "active" or "missing: why"."""
        state = f"missing: {self._missing}" if self._missing else "active"
        return dict.fromkeys(LAYERS, state)

    def wrap(self, command: Sequence[str], *, folder: Path, writable: bool) -> list[str]:
        """The command that runs `command` inside, in `folder`; `command` itself where that cannot be done."""
        return self._arguments(command, folder, writable=writable) if self.is_active else list(command)

    def _arguments(self, command: Sequence[str], folder: Path, *, writable: bool) -> list[str]:
        arguments = [self._executable, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
        arguments += ["--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev"]
        for place in map(Path, _SYSTEM):
            if place.is_symlink():
                arguments += ["--symlink", os.readlink(place), str(place)]
            elif place.exists():
                arguments += ["--ro-bind", str(place), str(place)]
        for path in self._readable:
            for place in dict.fromkeys((path.resolve(), path)):  # a link's target too: it is not there otherwise
                arguments += ["--ro-bind", str(path), str(place)]
        folder = folder.absolute()
        arguments += ["--bind" if writable else "--ro-bind", str(folder), str(folder), "--chdir", str(folder)]
        return [*arguments, "--", *command]

    def _try(self, probe: Sequence[str]) -> str:
        """Why `probe` does not run inside; empty when it does."""
        command = self._arguments(probe, Path("/usr"), writable=False)
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TRIAL_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bubblewrap does not run: {type(error).__name__}"
        if done.returncode == 0:
            return ""
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return f"bubblewrap does not run here: {said[0] if said else f'status {done.returncode}'}"
