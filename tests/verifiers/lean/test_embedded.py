"""The embedded Lean when the machine fails it: UNKNOWN with a reason, tried again where that helps, never a score."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.lean import embedded
from proofgrad.verifiers.lean.checker import LeanVerifier
from proofgrad.verifiers.lean.embedded import EmbeddedLean
from proofgrad.verifiers.lean.toolchain import Toolchain
from proofgrad.verifiers.pool import VerifierPool

SWAP = {"statement": "(p q : Prop) : p ∧ q → q ∧ p"}
GOOD = "fun h => ⟨h.2, h.1⟩"


def descendants(pid: int) -> list[int]:
    """All processes below `pid`."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(child) for child in children.read_text().split()] if children.exists() else []
    return found + [below for child in found for below in descendants(child)]


def drivers() -> list[int]:
    """The outermost processes of Lean runs under way."""
    mine = []
    for task in os.listdir("/proc/self/task"):
        children = Path(f"/proc/self/task/{task}/children").read_text().split()
        mine += [int(child) for child in children]
    return [pid for pid in mine if "driver.py" in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")]


def disturb(number: signal.Signals, times: int) -> threading.Thread:
    """Send a signal to the next `times` Lean runs as soon as they appear."""

    def work() -> None:
        done: set[int] = set()
        deadline = time.monotonic() + 60
        while len(done) < times and time.monotonic() < deadline:
            for pid in drivers():
                if pid not in done:
                    done.add(pid)
                    for one in [pid, *descendants(pid)]:
                        os.kill(one, number)
            time.sleep(0.001)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.fixture(scope="module")
def lean() -> LeanVerifier:
    verifier = LeanVerifier(toolchain="embedded")
    assert verifier.verify(SWAP, GOOD).is_pass
    return verifier


def test_a_killed_lean_is_unknown(lean: LeanVerifier) -> None:
    thread = disturb(signal.SIGKILL, 1)
    verdict = lean.verify(SWAP, GOOD)
    thread.join()
    assert (verdict.outcome, verdict.reason, verdict.score) == (Outcome.UNKNOWN, "infra.overloaded", None)


def test_a_killed_lean_is_tried_again_by_the_pool(lean: LeanVerifier) -> None:
    pool = VerifierPool({"lean": lean}, workers=1, retries=2)
    thread = disturb(signal.SIGKILL, 1)
    assert pool.submit("lean", SWAP, GOOD).result(120).is_pass
    thread.join()


def test_a_hung_lean_is_killed_and_unknown(lean: LeanVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_WALL_SLACK_SECONDS", -22.0)  # 4 x 6 s of processor time less these: 2 s
    thread = disturb(signal.SIGSTOP, 1)
    started = time.monotonic()
    verdict = lean.verify(SWAP, GOOD)
    thread.join()
    assert (verdict.outcome, verdict.reason) == (Outcome.UNKNOWN, "infra.overloaded")
    assert time.monotonic() - started < 20
    assert drivers() == []


def test_a_lean_that_is_killed_while_it_compiles_for_the_audit_is_unknown(
    lean: LeanVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Toolchain.run

    def killed(self: Toolchain, arguments: list[str], folder: Path, **rest: object) -> object:
        thread = disturb(signal.SIGKILL, 1) if "-o" in arguments else None
        result = run(self, arguments, folder, **rest)  # type: ignore[arg-type]
        if thread:
            thread.join()
        return result

    monkeypatch.setattr(Toolchain, "run", killed)
    verdict = lean.verify(SWAP, GOOD)
    assert (verdict.outcome, verdict.reason) == (Outcome.UNKNOWN, "infra.audit")


# Runs in a mount namespace of its own, on a disk of a few kilobytes.
FULL_DISK = """
import json, os, sys, tempfile
from proofgrad.verifiers import confine
from proofgrad.verifiers.lean.checker import LeanVerifier
lean = LeanVerifier(toolchain="embedded")
problem, proof, size = json.loads(sys.argv[1])
assert lean.verify(problem, proof).is_pass  # everything that is made once is made
layers = confine.enter_namespaces()
if layers["mount"] != "active" or not confine._mount(None, "/", None, confine.MS_REC | confine.MS_PRIVATE):
    sys.exit("no mount namespace: " + json.dumps(layers))
folder = sys.argv[2]
if not confine._mount("tmpfs", folder, "tmpfs", 0, f"size={size}"):
    sys.exit("no tmpfs")
tempfile.tempdir = folder
print(json.dumps([lean.verify(problem, candidate).to_json() for candidate in (proof, "by", proof + " " * 9000)]))
"""


@pytest.mark.parametrize("size", ["4k", "8k", "12k"])
def test_a_full_disk_is_unknown_and_never_a_score(tmp_path: Path, size: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, json.dumps([SWAP, GOOD, size]), str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for verdict in json.loads(done.stdout):
        # What needs no more than the room that there is may be judged; nothing right is ever called wrong.
        if verdict["outcome"] != "pass" and verdict["reason"] != "lean.unsolved_goals":
            assert (verdict["outcome"], verdict["score"]) == ("unknown", None), verdict
            assert verdict["reason"] in ("infra.toolchain", "infra.audit")
    assert any(verdict["outcome"] == "unknown" for verdict in json.loads(done.stdout))


def resident(pid: int | str) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_memory_files_and_processes_stay_where_they_are_however_many_are_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # PROOFGRAD_CHECKS=100000 is a day's work; the default is what a test run has time for.
    checks = int(os.environ.get("PROOFGRAD_CHECKS", "512"))
    backend = EmbeddedLean()
    lean = LeanVerifier(backend=backend, batch_size=128)

    def batch(start: int) -> None:
        items = [
            ({"statement": f"(p q r{i} : Prop) : p ∧ q → q ∧ p"}, GOOD if i % 2 else f"by\n  intro h{i}\n  exact h{i}")
            for i in range(start, start + 128)
        ]
        assert [verdict.is_pass for verdict in lean.verify_batch(items)] == [
            i % 2 == 1 for i in range(start, start + 128)
        ]

    def state() -> tuple[list[int], int, list[str]]:
        workers = [worker._process.pid for worker in backend._kernel._idle] if backend._kernel else []
        below = [one for worker in workers for one in (worker, *descendants(worker))]
        return [resident("self"), *map(resident, below)], len(os.listdir("/proc/self/fd")), os.listdir(tmp_path)

    for start in (0, 128, 256):
        batch(start)
    before, files, _ = state()
    for start in range(384, 384 + checks, 128):
        batch(start)
    after, files_after, left = state()
    assert len(after) == len(before) >= 2
    assert all(late - early < 8 << 20 for early, late in zip(before, after, strict=True)), (before, after)
    assert files_after == files
    assert left == []
    lean.close()
