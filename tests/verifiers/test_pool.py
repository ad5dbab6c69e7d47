"""The pool: equal work once, UNKNOWN again, faults never scored, nobody waits for nothing."""

import itertools
import sqlite3
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from proofgrad.verifiers.base import Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError, ProblemError, UnhealthyError
from proofgrad.verifiers.guards import GuardedStore
from proofgrad.verifiers.pool import VerifierPool
from proofgrad.verifiers.store import VerdictStore

sys.path.insert(0, str(Path(__file__).parent / "doubles"))

from misbehaving import Misbehaving, NeedsIsolation


class Scripted:
    """A verifier whose answers a test writes."""

    name, version = "scripted", "1"

    def __init__(self, answer=lambda problem, candidate: Verdict.passed("test.ok")):
        self.answer, self.calls, self.closed = answer, [], False
        self._lock = threading.Lock()

    def verify(self, problem, candidate):
        with self._lock:
            self.calls.append(candidate)
        return self.answer(problem, candidate)

    def close(self):
        self.closed = True


class Batching(Scripted):
    batch_size = 8

    def __init__(self, *args):
        super().__init__(*args)
        self.batches = []

    def verify_batch(self, items):
        items = list(items)
        self.batches.append(len(items))
        return [self.verify(problem, candidate) for problem, candidate in items]


def pool_of(verifier, **options):
    return VerifierPool({verifier.name: verifier}, **options)


def test_verdicts_belong_to_their_candidates():
    verifier = Scripted(lambda p, c: Verdict.failed("x.y", feedback=f"{p['n']}{c}"))
    with pool_of(verifier, workers=3) as pool:
        futures = [pool.submit("scripted", {"n": n}, c) for n in range(20) for c in "ab"]
        assert [f.result(5).feedback for f in futures] == [f"{n}{c}" for n in range(20) for c in "ab"]


def test_equal_items_under_way_are_judged_once():
    gate = threading.Event()
    verifier = Scripted(lambda p, c: (gate.wait(5), Verdict.passed("test.ok"))[1])
    with pool_of(verifier) as pool:
        futures = [pool.submit("scripted", {}, "same") for _ in range(10)]
        gate.set()
        assert all(f.result(5).is_pass for f in futures)
    assert verifier.calls == ["same"]


def test_equal_items_later_come_from_the_store(tmp_path):
    verifier = Scripted()
    with pool_of(verifier, store=VerdictStore(tmp_path / "v.sqlite")) as pool:
        for _ in range(3):
            assert pool.submit("scripted", {}, "same").result(5).is_pass
    assert verifier.calls == ["same"]


def test_unknown_is_tried_again_and_then_stays_unknown():
    verifier = Scripted(lambda p, c: Verdict.unknown("infra.worker_died"))
    with pool_of(verifier, retries=2) as pool:
        verdict = pool.submit("scripted", {}, "x").result(10)
    assert verdict.outcome is Outcome.UNKNOWN
    assert len(verifier.calls) == 3


def test_an_infrastructure_fault_that_passes_leaves_a_verdict():
    answers = iter([Verdict.unknown("infra.worker_died"), Verdict.passed("test.ok")])
    with pool_of(Scripted(lambda p, c: next(answers))) as pool:
        assert pool.submit("scripted", {}, "x").result(10).is_pass


def test_a_verifiers_bug_is_unknown_never_a_score():
    def crash(problem, candidate):
        raise KeyError("lost")

    with pool_of(Scripted(crash), retries=0) as pool:
        verdict = pool.submit("scripted", {}, "x").result(5)
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.evidence["error"] == "KeyError: 'lost'"


def test_a_malformed_problem_raises_and_spares_its_neighbours():
    def judge(problem, candidate):
        if candidate == "bad":
            raise ProblemError("no tests")
        return Verdict.passed("test.ok")

    verifier = Batching(judge)
    with pool_of(verifier, workers=1) as pool:
        futures = {c: pool.submit("scripted", {}, c) for c in ("a", "bad", "b", "c")}
        with pytest.raises(ProblemError, match="no tests"):
            futures["bad"].result(5)
        assert all(futures[c].result(5).is_pass for c in "abc")


def test_batches_are_shared_among_the_workers_and_keep_order():
    gate = threading.Event()
    verifier = Batching(lambda p, c: (gate.wait(5), Verdict.failed("x.y", feedback=c))[1])
    with pool_of(verifier, workers=2) as pool:
        futures = [pool.submit("scripted", {}, str(i)) for i in range(40)]
        gate.set()
        assert [f.result(5).feedback for f in futures] == [str(i) for i in range(40)]
    assert max(verifier.batches) <= Batching.batch_size


def test_a_slow_verifier_does_not_hold_up_another():
    gate = threading.Event()
    slow, fast = Scripted(lambda p, c: (gate.wait(5), Verdict.passed("test.ok"))[1]), Scripted()
    fast.name = "fast"
    with VerifierPool({"slow": slow, "fast": fast}, workers=2) as pool:
        waiting = pool.submit("slow", {}, "x")
        assert pool.submit("fast", {}, "x").result(2).is_pass
        assert not waiting.done()
        gate.set()


def test_an_unknown_verifier_is_named():
    with pool_of(Scripted()) as pool, pytest.raises(ConfigError, match="no verifier named 'lean', only scripted"):
        pool.submit("lean", {}, "x")


def test_closing_stops_threads_and_verifiers():
    verifier = Scripted()
    before = threading.active_count()
    pool = pool_of(verifier, workers=4)
    pool.submit("scripted", {}, "x").result(5)
    pool.close()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
    assert verifier.closed
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit("scripted", {}, "x")


# Retries.


def test_an_item_that_waits_for_its_next_try_keeps_no_worker_from_others():
    failed_once = threading.Event()

    def judge(problem, candidate):
        if candidate == "slow" and not failed_once.is_set():
            failed_once.set()
            return Verdict.unknown("infra.worker_died")
        return Verdict.passed("test.ok")

    with pool_of(Scripted(judge), workers=1, retries=1) as pool:
        slow = pool.submit("scripted", {}, "slow")
        assert failed_once.wait(5)
        fast = [pool.submit("scripted", {}, f"fast {n}") for n in range(20)]
        assert all(f.result(5).is_pass for f in fast)
        assert not slow.done()  # the shortest pause is 0.1 s
        assert slow.result(5).is_pass


def test_pauses_between_tries_grow():
    times = []
    verifier = Scripted(lambda p, c: (times.append(time.monotonic()), Verdict.unknown("infra.x"))[1])
    with pool_of(verifier, retries=2) as pool:
        pool.submit("scripted", {}, "x").result(10)
    first, second = (later - earlier for earlier, later in itertools.pairwise(times))
    assert 0.1 <= first <= 1.0
    assert second >= 0.2


def test_closing_gives_an_item_between_two_tries_its_last_verdict_and_drops_what_has_not_begun():
    gate, begun = threading.Event(), threading.Event()

    def judge(problem, candidate):
        if candidate == "gate":
            begun.set()
            gate.wait(5)
        return Verdict.unknown("infra.worker_died")

    pool = pool_of(Scripted(judge), workers=1, retries=9)
    pausing = pool.submit("scripted", {}, "x")
    while not pool._pausing:
        time.sleep(0.01)
    under_way = pool.submit("scripted", {}, "gate")
    assert begun.wait(5)
    waiting = pool.submit("scripted", {}, "y")
    threading.Timer(0.1, gate.set).start()
    pool.close()
    assert pausing.result(1).reason == under_way.result(1).reason == "infra.worker_died"
    assert waiting.cancelled()


def test_a_verifier_that_breaks_its_contract_ends_no_thread():
    class Exits(BaseException):
        pass

    def judge(problem, candidate):
        if candidate == "base":
            raise Exits
        return None if candidate == "none" else Verdict.passed("test.ok")

    with pool_of(Scripted(judge), workers=1, retries=0) as pool:
        for candidate in ("base", "none"):
            assert pool.submit("scripted", {}, candidate).result(5).reason == "infra.verifier_raised"
        assert pool.submit("scripted", {}, "x").result(5).is_pass


def test_a_batch_with_too_few_verdicts_gives_none_of_them_to_anybody():
    class Short(Batching):
        def verify_batch(self, items):
            return super().verify_batch(items)[1:]

    gate = threading.Event()
    verifier = Short(lambda p, c: (gate.wait(5), Verdict.failed("x.y", feedback=c))[1])
    with pool_of(verifier, workers=1, retries=0) as pool:
        futures = [pool.submit("scripted", {}, str(n)) for n in range(9)]
        gate.set()
        verdicts = [f.result(5) for f in futures]
    assert any(v.outcome is Outcome.UNKNOWN for v in verdicts)
    assert all(v.outcome is Outcome.UNKNOWN or v.feedback == str(n) for n, v in enumerate(verdicts))


# A store that fails.


class FailingStore:
    def __init__(self, error):
        self.error, self.calls = error, 0

    def _fail(self, *args):
        self.calls += 1
        raise self.error

    get = put = close = _fail


@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("database is locked"), sqlite3.DatabaseError("malformed"), KeyError("outcome")]
)
def test_a_store_that_fails_loses_no_verdict_and_is_warned_about_once(error):
    store = FailingStore(error)
    with warnings.catch_warnings(record=True) as warned, pool_of(Scripted(), store=store) as pool:
        warnings.simplefilter("always")
        futures = [pool.submit("scripted", {}, str(n)) for n in range(20)]
        assert all(f.result(5).is_pass for f in futures)
    assert [w.category for w in warned] == [RuntimeWarning]
    assert "the verdict store could not be read" in str(warned[0].message)
    assert store.calls == 2  # one read, after which it was left alone, and the attempt to close it


def test_a_store_that_recovers_is_used_again(monkeypatch, tmp_path):
    clock = [0.0]
    monkeypatch.setattr("proofgrad.verifiers.guards.time.monotonic", lambda: clock[0])
    store = VerdictStore(tmp_path / "v.sqlite")
    guarded, verifier = GuardedStore(store), Scripted()
    put, broken = store.put, FailingStore(sqlite3.OperationalError("disk is full"))
    store.put = broken.put
    with pytest.warns(RuntimeWarning, match="disk is full"):
        guarded.put("k", verifier, Verdict.passed("test.ok"))
    store.put = put
    guarded.put("k", verifier, Verdict.passed("test.ok"))
    assert guarded.get("k") is None  # still left alone
    clock[0] = 61.0
    guarded.put("k", verifier, Verdict.passed("test.ok"))
    assert guarded.get("k").is_pass
    guarded.close()


def test_an_unknown_verdict_in_a_store_is_not_believed():
    class Odd:
        def get(self, key):
            return Verdict.unknown("infra.x")

    assert GuardedStore(Odd()).get("k") is None


# Health.


def test_too_many_unknown_stop_the_pool_and_name_the_most_frequent_reason():
    def judge(problem, candidate):
        return Verdict.unknown("infra.judge_unreachable" if int(candidate) % 3 else "infra.other")

    verifier = Scripted(judge)
    with pool_of(verifier, workers=1, retries=0, max_unknown=0.5, health_window=10) as pool:
        futures = [pool.submit("scripted", {}, str(n)) for n in range(200)]
        errors = [f.exception(10) for f in futures]
        with pytest.raises(UnhealthyError, match=r"10 of the last 10 .* 'infra.judge_unreachable' \(6\)"):
            pool.submit("scripted", {}, "more")
    assert errors[:10] == [None] * 10
    assert all(isinstance(error, UnhealthyError) for error in errors[10:])
    assert len(verifier.calls) == 10


def test_a_share_of_unknown_below_the_limit_stops_nothing():
    verifier = Scripted(lambda p, c: Verdict.passed("test.ok") if int(c) % 2 else Verdict.unknown("infra.x"))
    with pool_of(verifier, workers=1, retries=0, max_unknown=0.5, health_window=10) as pool:
        futures = [pool.submit("scripted", {}, str(n)) for n in range(100)]
        assert sum(f.result(10).is_pass for f in futures) == 50


def test_wrong_limits_are_configuration_errors():
    with pytest.raises(ConfigError, match=r"max_unknown is 1\.5"):
        pool_of(Scripted(), max_unknown=1.5)
    with pytest.raises(ConfigError, match="window"):
        pool_of(Scripted(), max_unknown=0.5, health_window=0)


# Killable processes.


def test_with_isolation_a_hang_and_a_crash_are_unknown_and_the_rest_is_judged():
    with VerifierPool({"m": Misbehaving()}, workers=2, retries=0, isolate=True, deadline_s=1.0) as pool:
        futures = {c: pool.submit("m", {}, c) for c in ("hang", "kill", "hold_the_interpreter", "a", "b", "refuse")}
        reasons = {c: f.result(20).reason for c, f in futures.items() if c != "refuse"}
        with pytest.raises(ProblemError, match="no tests"):
            futures["refuse"].result(20)
    assert reasons == {
        "hang": "infra.deadline",
        "kill": "infra.worker_died",
        "hold_the_interpreter": "infra.deadline",
        "a": "test.echo",
        "b": "test.echo",
    }


def test_a_verifier_may_ask_for_isolation_itself():
    with VerifierPool({"n": NeedsIsolation()}, retries=0, deadline_s=1.0) as pool:
        assert pool.submit("n", {}, "kill").result(20).reason == "infra.worker_died"


def test_a_verifier_that_can_be_killed_already_is_not_put_into_a_second_process():
    verifier = Scripted()
    verifier.killable = True  # with its lock it could not be sent to another process
    with pool_of(verifier, isolate=True) as pool:
        assert pool.submit("scripted", {}, "x").result(5).is_pass


def test_a_name_is_given_once():
    with pool_of(Scripted()) as pool, pytest.raises(ConfigError, match="'scripted' already"):
        pool.add("scripted", Scripted())


def test_without_faults_nothing_is_warned_about(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pool_of(Scripted(), store=VerdictStore(tmp_path / "v.sqlite")) as pool:
            assert pool.submit("scripted", {}, "x").result(5).is_pass
