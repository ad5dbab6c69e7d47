"""Behaves as ``leanchecker MODULE``, by replaying the module through the embedded Lean's kernel.

Only as much of our base library is loaded as the module rests on. Source of the messages: Lean's
``src/LeanChecker.lean``.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from proofgrad.verifiers.lean.audit_worker import Auditor
from proofgrad.verifiers.lean.kernel import RefusedError
from proofgrad.verifiers.lean.olean import MalformedModuleError, Module, read_module


def main(library: str, base: Sequence[str], name: str) -> int:
    places = [Path(part) / f"{name}.olean" for part in os.environ["LEAN_PATH"].split(":")]
    compiled = next((place for place in places if place.is_file()), None)
    if compiled is None:
        print(f"uncaught exception: Could not find any oleans for: {name}", file=sys.stderr)
        return 1
    try:
        module = read_module(compiled.read_bytes())
        auditor = Auditor(library, needed(module, base))
        auditor._replay_all(auditor._environment, module)
    except (RefusedError, MalformedModuleError) as error:
        print(f"leanchecker found a problem in {name}\nuncaught exception: (kernel) {error}", file=sys.stderr)
        return 1
    return 0


def needed(module: Module, base: Sequence[str]) -> list[str]:
    """The shortest start of the base library that has every constant which `module` rests on."""
    wanted = set()
    for found in module.declarations.values():
        wanted |= module.constants(found.type) | module.constants(found.type if found.value is None else found.value)
    wanted -= module.declarations.keys()
    taken: list[str] = []
    for path in base:
        if not wanted:
            break
        taken.append(path)
        wanted -= read_module(Path(path).read_bytes()).declarations.keys()
    return taken
