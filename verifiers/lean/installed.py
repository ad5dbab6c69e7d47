"""InstalledLean: the ``lean`` of this machine, from PATH or elan, in a throwaway process for each text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from proofgrad.verifiers.lean.backend import Audit, Claim, Elaboration, Limits
from proofgrad.verifiers.lean.lean_command import LeanCommand, find_lean
from proofgrad.verifiers.lean.replies import UNIVERSES, newline_ended
from proofgrad.verifiers.lean.text_audit import audit_claims

__all__ = ["InstalledLean"]


class InstalledLean:
    """A backend on an installed Lean.

    Args:
        executable: path or name of ``lean``; found on PATH or through elan when None.
        header: what every text starts with; Lean's own library needs no import.
        path: directories with compiled modules that headers import.
        readable: further directories that Lean needs; everything else is out of its sight where bubblewrap works.
        memory_mib: memory that one process may really use.
        address_space_mib: address space of one process, modules included.
        bwrap: path of bubblewrap's executable; looked for on PATH when None.

    Raises:
        ToolchainError: there is no such Lean, or it does not run.
    """

    name = "toolchain"
    takes_header = True

    def __init__(
        self,
        executable: str | Path | None = None,
        *,
        header: str = UNIVERSES,
        path: Sequence[Path] = (),
        readable: Iterable[Path] = (),
        memory_mib: int = 4096,
        address_space_mib: int = 16384,
        bwrap: Path | None = None,
    ) -> None:
        self._command = LeanCommand(
            find_lean(executable),
            path=path,
            readable=readable,
            memory_mib=memory_mib,
            address_space_mib=address_space_mib,
            bwrap=bwrap,
        )
        self.header = newline_ended(header)
        self.description = f"lean4 {self._command.version} installed"
        self.identity = (
            f"{self._command.identity} header {self.header!r} memory {memory_mib} kernel {self._command.checker_name}"
        )

    @property
    def layers(self) -> Mapping[str, str]:
        """What confines each process: name -> "active" or "missing: why"."""
        return self._command.layers

    def elaborate(self, text: str, *, header: str, candidates: int, limits: Limits) -> Elaboration:
        """Read `text` after `header` in a process of its own."""
        return self._command.elaborate(text, header=header, candidates=candidates, limits=limits)

    def audit(self, claims: Sequence[Claim], *, header: str, limits: Limits) -> list[Audit]:
        """Look at each claim again, alone in a process of its own, and in the kernel where a checker is installed."""
        command = self._command
        return audit_claims(
            claims,
            lambda text: command.elaborate(text, header=header, candidates=1, limits=limits),
            lambda text: command.replay(text, header=header, limits=limits),
        )

    def close(self) -> None:
        """Nothing to end: every process ended with its text."""
