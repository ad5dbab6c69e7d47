"""Imports run downward only, and the verifiers stand alone."""

import ast
import subprocess
import sys
import venv
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


MEASURE = """
import sys, time
before, start = set(sys.modules), time.perf_counter()
import proofgrad.verifiers
seconds = time.perf_counter() - start
roots = {name.partition(".")[0] for name in set(sys.modules) - before}
print(seconds, *sorted(roots - sys.stdlib_module_names - {"proofgrad"}))
"""


def measured_import(python: str) -> tuple[float, list[str]]:
    """(seconds, packages from outside the standard library) of importing the verifiers; the best of three."""
    found = []
    for _ in range(3):
        done = subprocess.run([python, "-c", MEASURE], capture_output=True, text=True, check=True, cwd="/")
        seconds, *packages = done.stdout.split()
        found.append((float(seconds), packages))
    return min(found)


def test_the_verifiers_are_imported_in_a_moment_and_bring_nobody_along():
    seconds, packages = measured_import(sys.executable)
    assert packages == []
    assert seconds < 0.3


@pytest.mark.slow
def test_an_empty_environment_gets_the_verifiers_by_one_installation(tmp_path):
    venv.create(tmp_path / "empty", with_pip=True)
    python = str(tmp_path / "empty" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(ROOT)], check=True)
    seconds, packages = measured_import(python)
    assert packages == []
    assert seconds < 0.3
    listed = subprocess.run([python, "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "transformers", "vllm", "ray", "numpy", "fastapi"} & set(listed.split())
    judge = "from proofgrad import verifiers\nprint(verifiers.get('program').verify({'entry_point': 'f', 'tests': ["
    judge += "{'args': [1], 'expected': 2}]}, 'def f(x): return x + 1').reason)"
    done = subprocess.run([python, "-c", judge], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout == "code.ok\n"


def test_every_module_says_what_it_is_for_and_stays_small():
    for floor in FLOORS:
        for path in (ROOT / floor).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if text.strip():
                assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"
            assert text.count("\n") <= 600, f"{path} is too long"
