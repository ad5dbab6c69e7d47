"""Judging from inside an event loop, and what the adapters need for it."""

import asyncio
import subprocess
import sys
import threading

import pytest

from proofgrad.verifiers.adapters import inspect_ai, prime
from proofgrad.verifiers.adapters.bench import bench
from proofgrad.verifiers.base import Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError, MissingExtraError
from proofgrad.verifiers.pool import VerifierPool


class Gated:
    """Judges when its gate is opened."""

    name, version = "gated", "1"

    def __init__(self):
        self.gate = threading.Event()

    def verify(self, problem, candidate):
        self.gate.wait(10)
        return Verdict.passed("test.right")


def test_the_loop_runs_on_while_candidates_are_judged():
    async def main(judges, gate):
        tasks = [asyncio.create_task(judges.judge({}, candidate)) for candidate in "abc"]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in tasks)
        gate.set()
        return await asyncio.gather(*tasks)

    verifier = Gated()
    with VerifierPool({"gated": verifier}, workers=3) as pool:
        verdicts = asyncio.run(main(bench("gated", pool, 1), verifier.gate))
    assert [verdict.outcome for verdict in verdicts] == [Outcome.PASS] * 3


def test_whoever_stops_waiting_takes_nothing_from_others():
    async def main(judges, gate):
        impatient, patient = (asyncio.create_task(judges.judge({}, "the same")) for _ in range(2))
        await asyncio.sleep(0.05)
        impatient.cancel()
        await asyncio.sleep(0)
        gate.set()
        return await patient, await judges.judge({}, "another")

    verifier = Gated()
    with VerifierPool({"gated": verifier}, workers=1) as pool:
        verdicts = asyncio.run(asyncio.wait_for(main(bench("gated", pool, 1), verifier.gate), 10))
    assert [verdict.outcome for verdict in verdicts] == [Outcome.PASS] * 2


def test_nothing_to_judge_is_a_fail(pool):
    verdict = asyncio.run(bench("obedient", pool, 1).judge({}, None))
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "env.no_answer")


def test_a_verifier_is_named_or_handed_over(obedient):
    assert bench("program", None, 1).verifier == "program"
    assert asyncio.run(bench(obedient, None, 1).judge({"want": "x"}, "x")).is_pass


def test_an_unknown_name_is_a_configuration_error():
    with pytest.raises(ConfigError, match="did you mean 'program'"):
        bench("programm", None, 1)


def test_a_pool_comes_with_a_name_in_it(pool, obedient):
    with pytest.raises(ConfigError, match="a name in it"):
        bench(obedient, pool, 1)
    with pytest.raises(ConfigError, match="no verifier named 'lean'"):
        asyncio.run(bench("lean", pool, 1).judge({}, "x"))


@pytest.mark.parametrize(
    ("make", "module", "extra"),
    [(prime.reward, "verifiers.v1", "prime"), (inspect_ai.proved, "inspect_ai.scorer", "inspect")],
)
def test_a_library_that_is_missing_is_named_with_its_extra(make, module, extra, monkeypatch, obedient):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"proofgrad\[{extra}\]"):
        make(obedient)


def test_nothing_foreign_is_imported_before_it_is_used():
    script = (
        "import sys, proofgrad.verifiers as v\n"
        "print([m for m in sys.modules if m.startswith('proofgrad.verifiers.adapters')])\n"
        "from proofgrad.verifiers.adapters import inspect_ai, prime, trl\n"
        "print([m for m in ('trl', 'torch', 'verifiers', 'inspect_ai', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
