"""Killable workers: every way to go wrong is UNKNOWN with a reason, the next item is judged, and nobody is left."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from proofgrad import verifiers
from proofgrad.verifiers.base import BatchVerifier, Outcome, Verdict, Verifier
from proofgrad.verifiers.errors import ConfigError, ProblemError
from proofgrad.verifiers.workers import IsolatedVerifier, isolated, overran

DOUBLES = str(Path(__file__).parent / "doubles")
sys.path.insert(0, DOUBLES)

from misbehaving import Batching, Echo, Misbehaving, Unmakeable  # noqa: E402


@pytest.fixture
def misbehaving():
    with_limits = IsolatedVerifier(Misbehaving(), deadline_s=0.5, memory_mb=2048)
    yield with_limits
    with_limits.close()


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids, seconds=5.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(map(is_running, pids)):
        time.sleep(0.02)
    return not any(map(is_running, pids))


def test_it_is_the_same_verifier_in_another_process(misbehaving):
    assert isinstance(misbehaving, Verifier)
    assert (misbehaving.name, misbehaving.version) == ("misbehaving", "1")
    verdict = misbehaving.verify({"n": 7}, "é\ud800")
    assert verdict.feedback == "7é\ud800"
    assert verdict.evidence["pid"] != os.getpid()
    assert misbehaving.verify({}, "x").evidence["pid"] == verdict.evidence["pid"]  # a warm one is used again


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("hang", "infra.deadline"),
        ("hold_the_interpreter", "infra.deadline"),
        ("ignore_signals", "infra.deadline"),
        ("kill", "infra.worker_died"),
        ("segfault", "infra.worker_died"),
        ("exit", "infra.worker_died"),
        ("system_exit", "infra.verifier_raised"),
        ("raise", "infra.verifier_raised"),
        ("eat", "infra.verifier_raised"),
        ("return_nothing", "infra.verifier_raised"),
    ],
)
def test_whatever_goes_wrong_is_unknown_and_the_next_item_is_judged(misbehaving, deed, reason):
    misbehaving.verify({}, "warm")
    start = time.monotonic()
    verdict = misbehaving.verify({}, deed)
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.UNKNOWN, None, reason)
    assert time.monotonic() - start < 5
    assert misbehaving.verify({}, "next").feedback == "next"


def test_a_deadline_says_how_much_of_it_was_work(misbehaving):
    misbehaving.verify({}, "warm")
    assert misbehaving.verify({}, "hang").evidence["cpu_s"] < 0.25
    assert misbehaving.verify({}, "hold_the_interpreter").evidence["cpu_s"] > 0
    worked, starved = ({"deadline_s": 1, "cpu_s": seconds} for seconds in (0.8, 0.1))
    assert overran(Verdict.unknown("infra.deadline", evidence=worked), 1.0)
    assert not overran(Verdict.unknown("infra.deadline", evidence=starved), 1.0)
    assert not overran(Verdict.unknown("infra.worker_died", evidence={"exit_status": -9}), 1.0)
    assert not overran(Verdict.failed("x.y"), 1.0)


def test_what_a_verifier_prints_neither_blocks_it_nor_counts_as_an_answer(misbehaving):
    verdict = misbehaving.verify({}, "print")
    assert (verdict.reason, verdict.feedback) == ("test.echo", "print")
    assert misbehaving.verify({}, "next").feedback == "next"


def test_errors_of_ours_cross_over_as_they_are(misbehaving):
    with pytest.raises(ProblemError, match=r"^no tests$"):
        misbehaving.verify({}, "refuse")
    assert misbehaving.verify({}, "next").feedback == "next"


def test_a_problem_that_is_not_json_is_refused_here(misbehaving):
    with pytest.raises(ProblemError, match="plain JSON"):
        misbehaving.verify({"x": {1, 2}}, "x")
    assert misbehaving.verify({}, "next").feedback == "next"


def test_everything_that_a_judgement_started_is_killed_with_it(tmp_path):
    slow = IsolatedVerifier(Misbehaving(), deadline_s=3.0)
    assert slow.verify({"file": str(tmp_path / "pids")}, "leave_children").reason == "infra.deadline"
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 4
    assert gone(pids)
    slow.close()


def test_closing_leaves_no_process_and_a_closed_one_starts_again():
    echo = IsolatedVerifier(Echo())
    pid = echo.verify({}, "x").evidence["pid"]
    echo.close()
    assert gone([pid])
    again = echo.verify({}, "x").evidence["pid"]
    assert again != pid
    echo.close()
    assert gone([again])


@pytest.mark.parametrize(
    ("ending", "deed"),
    [
        (signal.SIGKILL, "x"),
        (signal.SIGKILL, "hang"),
        (signal.SIGKILL, "hold_the_interpreter"),
        (signal.SIGTERM, "hang"),
        (signal.SIGINT, "hang"),
    ],
)
def test_no_worker_outlives_its_parent_however_it_ends(ending, deed):
    script = textwrap.dedent(f"""
        import sys, threading, time
        sys.path.insert(0, {DOUBLES!r})
        from misbehaving import Misbehaving
        from proofgrad.verifiers.workers import IsolatedVerifier
        verifier = IsolatedVerifier(Misbehaving(), deadline_s=600)
        print(verifier.verify({{}}, "first").evidence["pid"], flush=True)
        threading.Thread(target=verifier.verify, args=({{}}, {deed!r}), daemon=True).start()
        time.sleep(0.2)
        print("begun", flush=True)
        time.sleep(600)
    """)
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    worker = int(parent.stdout.readline())
    assert parent.stdout.readline().strip() == "begun"
    assert is_running(worker)
    parent.send_signal(ending)
    parent.wait(10)
    parent.stdout.close()
    assert gone([worker])


def test_workers_judge_side_by_side_and_answers_belong_to_their_items():
    echo = IsolatedVerifier(Echo(), workers=2)
    verdicts = {}

    def ask(letter):
        for n in range(50):
            verdicts[letter, n] = echo.verify({"n": n}, letter)

    threads = [threading.Thread(target=ask, args=(letter,)) for letter in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    echo.close()
    assert {key: v.feedback for key, v in verdicts.items()} == {(c, n): f"{n}{c}" for c in "abc" for n in range(50)}
    assert 1 <= len({v.evidence["pid"] for v in verdicts.values()}) <= 2


def test_a_jump_of_the_clock_changes_no_deadline(misbehaving, monkeypatch):
    misbehaving.verify({}, "warm")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert misbehaving.verify({}, "x").feedback == "x"
    start = time.monotonic()
    assert misbehaving.verify({}, "hang").reason == "infra.deadline"
    assert 0.4 < time.monotonic() - start < 5


def test_batches_go_over_as_one_and_a_lost_batch_is_judged_one_by_one():
    batching = isolated(Batching(), deadline_s=5)
    assert isinstance(batching, BatchVerifier)
    assert not isinstance(IsolatedVerifier(Echo()), BatchVerifier)
    good = batching.verify_batch([({"n": n}, "x") for n in range(3)])
    assert [v.feedback for v in good] == ["0x", "1x", "2x"]
    assert {v.evidence["size"] for v in good} == {3}
    mixed = batching.verify_batch([({}, "a"), ({}, "kill"), ({}, "b")])
    assert [v.reason for v in mixed] == ["test.echo", "infra.worker_died", "test.echo"]
    batching.close()


def test_a_registered_name_with_options_makes_it_in_the_worker():
    program = isolated("program", options={"workers": 1})
    assert program.version == verifiers.get("program").version
    problem = {"entry_point": "f", "tests": [{"args": [1], "expected": 2}]}
    assert program.verify(problem, "def f(x):\n    return x + 1").is_pass
    assert program.verify(problem, "def f(x):\n    return x").outcome is Outcome.FAIL
    program.close()


def test_what_cannot_be_made_elsewhere_is_a_configuration_error():
    with pytest.raises(ConfigError, match="no verifier named 'leen'"):
        isolated("leen")
    with pytest.raises(ConfigError, match="verifier 'program'"):
        isolated("program", options={"nonsense": 1})
    unpicklable = Echo()
    unpicklable.lock = threading.Lock()
    with pytest.raises(ConfigError, match="cannot be sent to another process"):
        isolated(unpicklable)
    with pytest.raises(ConfigError, match=r"cannot be made in a worker process \(OSError: no such device\)"):
        isolated(Unmakeable()).verify({}, "x")
    with pytest.raises(ConfigError, match="deadline_s is 0"):
        isolated(Echo(), deadline_s=0)
    with pytest.raises(TypeError, match="stays in its process"):
        pickle.dumps(isolated(Echo()))
