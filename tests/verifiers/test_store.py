"""The verdict store: what may be remembered, and for what exactly."""

import random
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.store import VerdictStore, verdict_key


class Named:
    def __init__(self, name="v", version="1"):
        self.name, self.version = name, version

    def verify(self, problem, candidate):
        return Verdict.passed("test.ok")


@pytest.fixture
def store(tmp_path):
    opened = VerdictStore(tmp_path / "verdicts.sqlite")
    yield opened
    opened.close()


def test_a_verdict_comes_back_as_it_was(store):
    verdict = Verdict.failed("x.y", score=0.25, feedback="∧ broken", evidence={"a": [1, None]}, seconds=0.5)
    store.put("k", Named(), verdict)
    assert store.get("k") == verdict
    assert store.get("other") is None


@pytest.mark.parametrize("verdict", [Verdict.unknown("infra.worker_died"), Verdict.failed("lean.timeout")])
def test_what_another_try_could_change_is_not_remembered(store, verdict):
    store.put("k", Named(), verdict)
    assert store.get("k") is None
    assert len(store) == 0


def test_the_key_depends_on_everything_a_judgement_depends_on():
    keys = {
        verdict_key(Named(), {"a": 1}, "x"),
        verdict_key(Named(name="w"), {"a": 1}, "x"),
        verdict_key(Named(version="2"), {"a": 1}, "x"),
        verdict_key(Named(), {"a": 2}, "x"),
        verdict_key(Named(), {"a": 1}, "y"),
    }
    assert len(keys) == 5


def test_the_order_of_a_problems_keys_does_not_matter():
    assert verdict_key(Named(), {"a": 1, "b": 2}, "x") == verdict_key(Named(), {"b": 2, "a": 1}, "x")


@given(st.text(), st.text())
def test_no_candidate_can_stand_for_another(one, other):
    assert (verdict_key(Named(), {}, one) == verdict_key(Named(), {}, other)) == (one == other)


def test_many_threads_share_a_store(store):
    def work(start):
        for i in range(start, start + 100):
            store.put(str(i), Named(), Verdict.passed("test.ok"))

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 50, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store) == 200


def test_what_a_killed_process_had_written_is_still_there(tmp_path):
    path = tmp_path / "verdicts.sqlite"
    script = (
        "import os, sys; from pathlib import Path\n"
        "from proofgrad.verifiers import Verdict, get\n"
        "from proofgrad.verifiers.store import VerdictStore\n"
        "store = VerdictStore(Path(sys.argv[1])); verifier = get('program')\n"
        "for i in range(50): store.put(str(i), verifier, Verdict.passed('test.ok'))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -9
    survivor = VerdictStore(path)
    assert len(survivor) == 50
    survivor.close()


WRITER = """
import sys
from pathlib import Path
from proofgrad.verifiers import Verdict
from proofgrad.verifiers.store import VerdictStore
class Named: name, version = "v", "1"
store = VerdictStore(Path(sys.argv[1]))
for i in range(int(sys.argv[2]), 10**9):
    store.put(str(i), Named, Verdict.failed("x.y", feedback="f" * (i % 3000)))
    print(i, flush=True)
"""


def test_it_survives_being_killed_at_any_moment(tmp_path):
    """Killed again and again in the middle of writing: what had been put down is there and whole, each time."""
    path, rng, first = tmp_path / "verdicts.sqlite", random.Random(0), 0
    for _ in range(8):
        command = [sys.executable, "-c", WRITER, str(path), str(first)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert int(writer.stdout.readline()) == first
        time.sleep(rng.random() * 0.05)
        writer.kill()
        said = writer.communicate()[0].split("\n")[:-1]  # a last line without its end may be half a number
        last = int(said[-1]) if said else first
        store = VerdictStore(path)
        for i in range(last + 1):
            assert store.get(str(i)) == Verdict.failed("x.y", feedback="f" * (i % 3000))
        assert len(store) in (last + 1, last + 2)  # one more may have been written than was said
        store.close()
        check = sqlite3.connect(path)
        assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        check.close()
        first = last + 1
    assert first > 100


def test_a_candidate_may_hold_what_is_no_utf_8(store):
    key = verdict_key(Named(), {"a": "\ud800"}, "\udfff")
    store.put(key, Named(), Verdict.failed("x.y", feedback="\ud800"))
    assert store.get(key) == Verdict.failed("x.y", feedback="\ud800")
