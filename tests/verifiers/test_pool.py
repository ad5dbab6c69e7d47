"""The pool: equal work once, UNKNOWN again, faults never scored, nobody waits for nothing."""

import threading
import time

import pytest

from proofgrad.verifiers.base import Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError, ProblemError
from proofgrad.verifiers.pool import VerifierPool
from proofgrad.verifiers.store import VerdictStore


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
