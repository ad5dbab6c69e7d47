"""Everything goes wrong at once: every item still ends with a verdict or UNKNOWN with a reason, and none is made up."""

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from pathlib import Path

import pytest

from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.many import verify_many
from proofgrad.verifiers.store import VerdictStore

sys.path.insert(0, str(Path(__file__).parents[1] / "verifiers" / "doubles"))

from misbehaving import Echo, Misbehaving, RemoteJudge


@pytest.fixture
def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def locked_store(tmp_path):
    """A store that another process holds locked; VerdictStore's patience is made short for the test."""
    path = tmp_path / "v.sqlite"
    VerdictStore(path).close()
    script = textwrap.dedent(f"""
        import sqlite3, time
        connection = sqlite3.connect({str(path)!r}, isolation_level=None)
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        print("locked", flush=True)
        time.sleep(600)
    """)
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline().strip() == "locked"
    yield path
    holder.kill()
    holder.wait()
    holder.stdout.close()


def impatient(monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, **{**options, "timeout": 0.3}))


def jumping_clock(monkeypatch):
    """The wall clock jumps by a day in either direction each time that it is looked at."""
    real, jumps = time.time, [0.0]

    def now():
        jumps[0] = 86_400.0 - jumps[0]
        return real() + jumps[0]

    monkeypatch.setattr(time, "time", now)


def assert_nothing_lost_or_made_up(judged, items):
    assert sorted(j.index for j in judged) == list(range(len(items)))
    for j in judged:
        assert j.error is None
        verifier, problem, candidate = items[j.index]
        if j.verdict.outcome is Outcome.UNKNOWN:
            assert j.verdict.score is None
            assert j.verdict.reason.startswith("infra.")
            assert candidate in ("hang", "kill", "hold_the_interpreter", "raise") or verifier.name == "remote"
        else:
            assert (j.verdict.reason, j.verdict.feedback) == ("test.echo", f"{problem['n']}{candidate}")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_with_every_fault_at_once_each_item_is_judged_or_unknown(locked_store, closed_port, monkeypatch):
    impatient(monkeypatch)
    jumping_clock(monkeypatch)
    misbehaving, remote, echo = Misbehaving(), RemoteJudge(closed_port), Echo()
    deeds = ["kill", "hang", "hold_the_interpreter", "raise"]
    items = [(misbehaving, {"n": n}, deed) for n, deed in enumerate(deeds)]
    items += [(remote, {"n": n}, "x") for n in range(5)]
    items += [(echo, {"n": n}, "x") for n in range(300)]
    running = verify_many(
        items, backend="processes", workers=2, deadline_s=1.0, retries=1, max_unknown=None, store=locked_store
    )
    judged, killed = [next(running)], []

    def kill_workers():
        """Kill workers from outside as well, while they judge."""
        for _ in range(5):
            time.sleep(0.1)
            for children in Path("/proc/self/task").glob("*/children"):
                for pid in children.read_text().split():
                    with contextlib.suppress(OSError):
                        if b"verifiers.workers" in Path(f"/proc/{pid}/cmdline").read_bytes():
                            os.kill(int(pid), signal.SIGKILL)
                            killed.append(pid)

    killer = threading.Thread(target=kill_workers)
    killer.start()
    judged.extend(running)
    killer.join()
    assert killed
    passed = [j for j in judged if j.verdict.outcome is not Outcome.UNKNOWN]
    assert len(passed) >= 270  # retries made up for most of what was killed from outside
    lost = [j for j in judged if j.verdict.outcome is Outcome.UNKNOWN and items[j.index][2] == "x"]
    assert {j.verdict.reason for j in lost} <= {"infra.judge_unreachable", "infra.worker_died"}
    assert sorted(j.index for j in judged) == list(range(len(items)))
    for j in judged:
        assert (j.verdict.score is None) == (j.verdict.outcome is Outcome.UNKNOWN)
        if j in passed:
            assert j.verdict.feedback == f"{items[j.index][1]['n']}{items[j.index][2]}"


def test_a_judge_that_is_down_gives_unknown_with_its_reason(closed_port):
    remote = RemoteJudge(closed_port)
    items = [(remote, {"n": n}, "x") for n in range(10)]
    judged = list(verify_many(items, retries=1, max_unknown=None))
    assert_nothing_lost_or_made_up(judged, items)
    assert {j.verdict.reason for j in judged} == {"infra.judge_unreachable"}


def test_a_store_locked_by_another_process_delays_but_loses_nothing(locked_store, monkeypatch):
    impatient(monkeypatch)
    echo = Echo()
    items = [(echo, {"n": n}, "x") for n in range(50)]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        judged = list(verify_many(items, store=locked_store))
    assert_nothing_lost_or_made_up(judged, items)
    assert all(j.verdict.outcome is Outcome.FAIL for j in judged)
    assert [w.category for w in warned] == [RuntimeWarning]
    assert "locked" in str(warned[0].message)


def test_a_full_disk_loses_nothing(tmp_path):
    """In a process of its own, since the limit on the size of files holds for the whole process."""
    script = textwrap.dedent(f"""
        import resource, signal, sys, warnings
        sys.path.insert(0, {str(Path(__file__).parents[1] / "verifiers" / "doubles")!r})
        from pathlib import Path
        from misbehaving import Echo
        from proofgrad.verifiers.many import verify_many
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does: writing fails with EFBIG, like a full disk
        echo = Echo()
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            items = ((echo, {{"n": n}}, "x" * 100) for n in range(500))
            judged = list(verify_many(items, store=Path({str(tmp_path / "v")!r})))
        assert sorted(j.index for j in judged) == list(range(500))
        assert all(j.verdict.feedback == f"{{j.index}}" + "x" * 100 for j in judged)
        print(len(warned), warned[0].message if warned else "")
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 the verdict store could not be")


def test_a_jumping_clock_changes_no_verdict_and_no_deadline(monkeypatch):
    jumping_clock(monkeypatch)
    misbehaving = Misbehaving()
    items = [(misbehaving, {"n": n}, "hang" if n == 3 else "x") for n in range(20)]
    start = time.monotonic()
    judged = list(verify_many(items, backend="processes", deadline_s=1.0, retries=0, max_unknown=None))
    assert_nothing_lost_or_made_up(judged, items)
    assert [j.index for j in judged if j.verdict.reason == "infra.deadline"] == [3]
    assert 1.0 <= time.monotonic() - start < 15
