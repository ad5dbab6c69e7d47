"""Lean shut in as an ordinary user, and with less than all layers: the same verdicts, and the layers named."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proofgrad.verifiers.lean.toolchain import Toolchain, find_library

ROOT = Path(__file__).parents[3]
JUDGE = """
import json, sys
from pathlib import Path
from proofgrad.verifiers.lean.checker import LeanVerifier
from proofgrad.verifiers.lean.embedded import EmbeddedLean
from proofgrad.verifiers.lean.toolchain import Toolchain
lean = LeanVerifier(backend=EmbeddedLean(Toolchain(library=Path(sys.argv[1]))))
problem = {"statement": "(p q : Prop) : p ∧ q → q ∧ p"}
right, wrong = lean.verify_batch([(problem, "And.symm"), (problem, "And.left")])
print(json.dumps([right.reason, wrong.reason, right.evidence.get("kernel"), dict(lean.backend.layers)]))
"""
WITHOUT_ADMIN = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(24, 21, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_SYS_ADMIN: what many containers lack
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that anybody may read, with the package under its import name and a compiled base library."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "proofgrad").mkdir()
        (folder / "proofgrad" / "verifiers").symlink_to(ROOT / "verifiers")
        cache = folder / "cache" / "lean"
        shutil.copytree(Toolchain().base_path(), cache / Toolchain().base_path().name)
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o777 if path.is_dir() else 0o644)
        yield folder


def judge(place: Path, *command: str, **who: object) -> tuple[str, str, str, dict[str, str], str]:
    environment = {"PYTHONPATH": str(place), "PROOFGRAD_CACHE": str(place / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, "-c", JUDGE, str(find_library())], **who, cwd="/", env=environment,
        capture_output=True, text=True, timeout=120, check=False,
    )  # type: ignore[call-overload]  # fmt: skip
    assert done.returncode == 0, done.stderr
    right, wrong, kernel, layers = json.loads(done.stdout)
    return right, wrong, kernel, layers, done.stderr


def test_it_works_for_an_ordinary_user_too(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the other tests already run as an ordinary user")
    nobody = pwd.getpwnam("nobody")
    who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    for python in (os.path.realpath(sys.executable), shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        # A private home hides an interpreter that lives in it; then the system's one will do.
        check = [python or "", "-c", "import os, sys; os.stat(sys.argv[1]); sys.exit(sys.version_info < (3, 11))"]
        try:
            if subprocess.run([*check, str(find_library())], **who, cwd="/", check=False).returncode == 0:
                break
        except OSError:
            continue
    else:
        pytest.skip("no Python of version 3.11 that an ordinary user may run, or no Lean that it may read")
    right, wrong, kernel, layers, _ = judge(place, str(python), **who)
    assert (right, wrong) == ("lean.ok", "lean.type_mismatch")
    assert kernel == "replayed 1 declarations"
    assert layers["seccomp"] == layers["no_new_privs"] == layers["capabilities"] == "active"


def test_a_root_without_namespaces_still_gets_the_other_layers_and_a_warning(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("takes a capability away from root")
    right, wrong, kernel, layers, said = judge(place, os.path.realpath(sys.executable), "-c", WITHOUT_ADMIN)
    assert (right, wrong) == ("lean.ok", "lean.type_mismatch")
    assert kernel == "replayed 1 declarations"
    assert layers["pid"].startswith("missing: ")
    assert layers["seccomp"] == layers["landlock"] == layers["capabilities"] == "active"
    assert "without full isolation" in said
