"""The adapters whose libraries cannot live beside vLLM, in environments of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCE = ["setup.cfg", "pyproject.toml", "README.md", "LICENSE", "verifiers", "envs", "rl", "configs/rubrics"]
SUITE = ["pyproject.toml", "tests/conftest.py", "tests/verifiers/adapters", "docs/adapters"]
ADAPTERS = "tests/verifiers/adapters"


def copy(paths, to):
    for path in paths:
        source, target = ROOT / path, to / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "tests", "page"),
    [("prime", "test_prime.py", "prime.md-verifiers"), ("inspect", "test_inspect_ai.py", "inspect_ai.md-inspect-ai")],
)
def test_an_adapter_works_where_its_extra_is_installed(extra, tests, page, tmp_path):
    # Two folders: where the tests run, no folder of ours may bear the name that is the library's.
    copy(SOURCE, tmp_path / "source")
    copy(SUITE, tmp_path / "suite")
    run(sys.executable, "-m", "venv", tmp_path / "env")
    programs = tmp_path / "env" / "bin"
    run(programs / "pip", "install", f"{tmp_path}/source[{extra}]", "pytest>=9,<10", "hypothesis>=6.100,<7")
    run(programs / "pip", "check")
    example = f"{ADAPTERS}/test_pages.py::test_an_example_prints_what_its_page_shows[{page}]"
    shared = [f"{ADAPTERS}/{name}" for name in ("test_bench.py", "test_reading.py")]
    home = {**os.environ, "HOME": str(tmp_path)}  # the libraries keep caches there
    home.pop("PYTHONPATH", None)  # what it names would be found before the environment's own packages
    printed = run(programs / "pytest", f"{ADAPTERS}/{tests}", example, cwd=tmp_path / "suite", env=home)
    assert "skipped" not in printed, printed
    run(programs / "pytest", *shared, cwd=tmp_path / "suite", env=home)
