"""Imports run downward only, and the verifiers stand alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ["verifiers", "envs", "rl"]


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("floor", FLOORS)
def test_no_floor_imports_the_one_above(floor):
    above = FLOORS[FLOORS.index(floor) + 1 :]
    for path in (ROOT / floor).rglob("*.py"):
        for name in imported(path):
            assert not any(f"{name}.".startswith(f"proofgrad.{other}.") for other in above), f"{path} imports {name}"


@pytest.mark.parametrize("module", ["proofgrad.verifiers", "proofgrad.envs", "proofgrad.rl.cli"])
def test_importing_loads_no_training_library(module):
    script = (
        f"import sys, {module}; "
        "print([m for m in ('torch', 'transformers', 'trl', 'vllm', 'ray', 'datasets', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_module_says_what_it_is_for_and_stays_small():
    for floor in FLOORS:
        for path in (ROOT / floor).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if text.strip():
                assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"
            assert text.count("\n") <= 600, f"{path} is too long"
