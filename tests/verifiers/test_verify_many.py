"""verify_many: every item answered exactly once, in its own slot, in bounded memory, whatever some of them are."""

import itertools
import random
import sqlite3
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.verifiers.base import Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError, ProblemError, UnhealthyError
from proofgrad.verifiers.many import verify_many
from proofgrad.verifiers.store import VerdictStore

sys.path.insert(0, str(Path(__file__).parent / "doubles"))

from misbehaving import Echo, Misbehaving, NeedsIsolation

PROBLEM = {"entry_point": "f", "tests": [{"args": [1], "expected": 2}]}


class Counting:
    """Counts what it is asked, and may take its time."""

    name, version = "counting", "1"

    def __init__(self, pause=0.0):
        self.asked, self.closed, self.pause, self._lock = Counter(), False, pause, threading.Lock()

    def verify(self, problem, candidate):
        with self._lock:
            self.asked[candidate] += 1
        time.sleep(self.pause * random.random())
        if candidate == "unknown":
            return Verdict.unknown("infra.worker_died")
        if candidate == "malformed":
            raise ProblemError("no tests")
        return Verdict.failed("x.y", feedback=f"{problem['n']}:{candidate}")

    def close(self):
        self.closed = True


def items_of(verifier, n, distinct=10**9):
    return ((verifier, {"n": i % distinct}, str(i % distinct), f"id{i}") for i in range(n))


@given(
    letters=st.lists(st.sampled_from("abcdefgh"), max_size=60),
    workers=st.integers(1, 4),
    window=st.integers(1, 20),
)
@settings(max_examples=25, deadline=None)
def test_every_item_is_answered_once_and_in_its_own_slot(letters, workers, window):
    verifier = Counting(pause=0.001)
    items = [(verifier, {"n": i % 3}, letter, f"id{i}") for i, letter in enumerate(letters)]
    judged = list(verify_many(items, workers=workers, window=window))
    assert sorted(j.index for j in judged) == list(range(len(items)))
    for j in judged:
        _, problem, candidate, name = items[j.index]
        assert (j.id, j.error, j.verdict.feedback) == (name, None, f"{problem['n']}:{candidate}")


def test_the_input_is_read_only_as_far_as_the_window_allows():
    taken = 0

    def endless():
        nonlocal taken
        for i in itertools.count():
            taken += 1
            yield (verifier, {"n": i}, str(i))

    verifier = Counting()
    judging = verify_many(endless(), window=8)
    for count in range(1, 200):
        next(judging)
        assert taken <= count + 8
    judging.close()
    assert taken < 220


def test_equal_items_are_judged_once_wherever_they_stand():
    verifier = Counting()
    judged = list(verify_many(items_of(verifier, 3000, distinct=50), window=16))
    assert len(judged) == 3000
    assert set(verifier.asked.values()) == {1}
    assert len(verifier.asked) == 50


def test_malformed_items_are_answered_with_an_error_in_their_place():
    verifier = Counting()
    items = [
        (verifier, {"n": 0}, "good", "a"),
        (verifier, {"n": 0}, "malformed", "b"),
        ("leen", {}, "x", "c"),
        (verifier, {"n": {1, 2}}, "x", "d"),
        (verifier, {"n": 0}),
        "nonsense",
        (7, {}, "x", "e"),
        (verifier, {"n": 0}, None, "f"),
        (verifier, {"n": 1}, "good", "g"),
    ]
    judged = {j.index: j for j in verify_many(items)}
    assert sorted(judged) == list(range(len(items)))
    assert judged[0].verdict.feedback == "0:good"
    assert judged[8].verdict.feedback == "1:good"
    kinds = [type(judged[i].error) for i in range(1, 8)]
    assert kinds == [ProblemError, ConfigError, *[ProblemError] * 5]
    assert all(judged[i].verdict is None for i in range(1, 8))
    assert "did you mean 'lean'" in str(judged[2].error)
    assert (judged[1].id, judged[3].id) == ("b", "d")


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_names_are_made_with_their_options_and_judge(backend):
    items = [("program", PROBLEM, f"def f(x):\n    return x + {i % 2}") for i in range(6)]
    judged = {j.index: j.verdict for j in verify_many(items, options={"program": {"workers": 1}}, backend=backend)}
    assert [judged[i].outcome for i in range(6)] == [Outcome.FAIL, Outcome.PASS] * 3
    wrong = next(verify_many(items, options={"program": {"nonsense": 1}}, backend=backend))
    assert isinstance(wrong.error, ConfigError)


def test_processes_survive_what_would_stop_a_thread():
    deeds = ["a", "hang", "b", "kill", "hold_the_interpreter", "c"] + [str(i) for i in range(30)]
    verifier = Misbehaving()
    judging = verify_many(
        [(verifier, {}, deed) for deed in deeds], backend="processes", deadline_s=1.0, retries=0, max_unknown=None
    )
    reasons = {deeds[j.index]: j.verdict.reason for j in judging}
    expected = {"hang": "infra.deadline", "kill": "infra.worker_died", "hold_the_interpreter": "infra.deadline"}
    assert reasons == {deed: expected.get(deed, "test.echo") for deed in deeds}


def test_a_verifier_that_asks_for_isolation_gets_it_among_threads():
    judged = list(verify_many([(NeedsIsolation(), {}, "kill"), (Echo(), {}, "x")], retries=0, max_unknown=None))
    assert {j.index: j.verdict.reason for j in judged} == {0: "infra.worker_died", 1: "test.echo"}


def test_a_new_instance_for_each_item_is_refused_before_it_fills_the_machine():
    errors = [j.error for j in verify_many((Echo(), {}, str(n)) for n in range(70)) if j.error is not None]
    assert len(errors) == 6
    assert "more than 64 verifiers" in str(errors[0])


def test_a_given_verifier_stays_open_and_so_does_a_given_store(tmp_path):
    verifier, store = Counting(), VerdictStore(tmp_path / "v.sqlite")
    list(verify_many(items_of(verifier, 5), store=store))
    assert not verifier.closed
    list(verify_many(items_of(verifier, 5), store=store))
    assert set(verifier.asked.values()) == {1}
    store.close()


def test_a_store_given_by_its_path_is_kept_for_the_next_call(tmp_path):
    verifier = Counting()
    for _ in range(2):
        assert len(list(verify_many(items_of(verifier, 20), store=tmp_path / "v.sqlite"))) == 20
    assert set(verifier.asked.values()) == {1}


def test_a_file_that_is_no_store_is_warned_about_and_left_as_it_is(tmp_path):
    (tmp_path / "v.sqlite").write_bytes(b"not a database, but somebody's notes" * 100)
    with pytest.warns(RuntimeWarning, match="cannot be used"):
        judged = list(verify_many(items_of(Counting(), 5), store=tmp_path / "v.sqlite"))
    assert all(j.verdict.outcome is Outcome.FAIL for j in judged)
    with pytest.raises(sqlite3.DatabaseError):
        VerdictStore(tmp_path / "v.sqlite")


def test_closing_early_stops_threads_and_drops_what_has_not_begun():
    verifier, before = Counting(pause=0.02), threading.active_count()
    judging = verify_many(items_of(verifier, 10_000), window=500)
    next(judging)
    judging.close()
    assert threading.active_count() == before
    assert sum(verifier.asked.values()) < 50


def test_a_generator_that_nobody_iterates_over_starts_nothing():
    before = threading.active_count()
    verify_many(items_of(Counting(), 10))
    assert threading.active_count() == before


def test_an_error_in_the_input_reaches_the_caller_and_stops_cleanly():
    def breaks():
        yield (verifier, {"n": 0}, "a")
        raise OSError("the file is gone")

    verifier, before = Counting(), threading.active_count()
    with pytest.raises(OSError, match="the file is gone"):
        list(verify_many(breaks()))
    assert threading.active_count() == before


def test_too_many_unknown_stop_it():
    verifier = Counting()
    items = ((verifier, {"n": i}, "unknown") for i in range(10_000))
    judged = []
    with pytest.raises(UnhealthyError, match=r"'infra\.worker_died'"):
        judged.extend(verify_many(items, retries=0, max_unknown=0.2, health_window=20, window=50))
    assert sum(verifier.asked.values()) <= 30
    assert all(j.verdict.outcome is Outcome.UNKNOWN for j in judged)


def test_wrong_options_are_refused_before_anything_is_read():
    wrong = [
        ({"backend": "forks"}, "no backend 'forks'"),
        ({"deadline_s": 5}, "a thread cannot be stopped"),
        ({"address": "x:1"}, "address is for"),
        ({"workers": 0}, "workers is 0"),
        ({"window": 0}, "window is 0"),
        ({"max_unknown": 2}, "max_unknown is 2"),
    ]
    for options, message in wrong:
        with pytest.raises(ConfigError, match=message):
            verify_many([], **options)
    assert list(verify_many([])) == []
