"""verifier.py: verdicts, feedback and evidence."""

import json
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from proofgrad.verifiers import Outcome, Verifier, get
from proofgrad.verifiers.code import ProgramVerifier, sandbox_layers
from proofgrad.verifiers.code.runner import WorkerDied
from proofgrad.verifiers.errors import ProblemError, SandboxError, ToolchainError


def problem(*tests, entry_point="f", **more):
    pairs = tests or (([1], 2), ([41], 42))
    return {
        "entry_point": entry_point,
        "tests": [{"args": args, "expected": expected} for args, expected in pairs],
        **more,
    }


def test_it_is_the_registered_verifier_named_program(verifier):
    assert isinstance(verifier, Verifier)
    assert isinstance(get("program"), ProgramVerifier)


def test_a_right_program_passes_with_score_one(verifier):
    verdict = verifier.verify(problem(), "def f(x):\n    return x + 1\n")
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.PASS, 1.0, "code.ok")
    assert verdict.evidence["tests_passed"] == verdict.evidence["tests_total"] == 2


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def f(x): return x", "code.wrong_output"),
        ("def f(x): return 2", "code.wrong_output"),
        ("def f(x): return 1 / 0", "code.exception"),
        ("import nowhere\ndef f(x): return x + 1", "code.exception"),
        ("raise SystemExit\ndef f(x): return x + 1", "code.exception"),
        ("def f(x) return x + 1", "code.syntax_error"),
        ("def f(x): return x + 1\n\0", "code.syntax_error"),
        ("def f(x): return '\ud800'", "code.syntax_error"),
        ("", "code.no_entry_point"),
        ("f = 3", "code.no_entry_point"),
        ("def g(x): return x + 1", "code.no_entry_point"),
        ("def f(x):\n    while True: pass", "code.timeout"),
        ("def f(x): return bytearray(1 << 40)", "code.memory"),
        ("x = bytearray(1 << 40)", "code.memory"),
        ("def f(x): return 'a' * (2 << 20)", "code.output_limit"),
        ("def f(x): return {1, 2}", "code.unserialisable"),
        ("import os\ndef f(x): os._exit(0)", "code.died"),
        ("#" * 300_000, "code.too_long"),
    ],
)
def test_each_fault_of_a_candidate_is_a_fail_with_its_reason(verifier, source, reason):
    verdict = verifier.verify(problem(timeout_s=0.5), source)
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.FAIL, 0.0, reason)
    assert verdict.feedback
    verdict.feedback.encode()


def test_tests_after_a_failed_one_still_run_and_are_counted(verifier):
    verdict = verifier.verify(problem(([0], 1), ([1], 2), ([2], 3)), "def f(x): return 3 // x and x + 1")
    assert verdict.evidence["statuses"] == ["exception", "ok", "ok"]
    assert verdict.evidence["tests_passed"] == 2
    assert verdict.score == 0.0


def test_arguments_are_fresh_for_each_test(verifier):
    tests = [([[3, 1]], [1, 3]), ([[3, 1]], [1, 3])]
    assert verifier.verify(problem(*tests), "def f(x):\n    x.sort()\n    return x").is_pass


def test_a_tuple_counts_as_a_list_because_json_has_no_tuples(verifier):
    assert verifier.verify(problem(([1], [1, 2])), "def f(x): return (1, 2)").is_pass


def test_the_type_of_an_answer_matters(verifier):
    for returned in ("True", "1.0", "'1'", "[1]"):
        assert verifier.verify(problem(([0], 1)), f"def f(x): return {returned}").reason == "code.wrong_output"


def test_a_float_tolerance_is_the_problems_to_give(verifier):
    source = "def f(): return 0.1 + 0.2"
    assert not verifier.verify(problem(([], 0.3)), source).is_pass
    assert verifier.verify(problem(([], 0.3), float_tolerance={"abs": 1e-9}), source).is_pass


def test_a_tolerance_may_be_one_tests_own(verifier):
    tests = problem(([1], 0.5), ([2], 0.5))
    tests["tests"][0]["float_tolerance"] = {"abs": 0.1}
    assert verifier.verify(tests, "def f(x): return 0.55").evidence["statuses"] == ["ok", "wrong_output"]


def test_tagged_values_reach_the_candidate_as_what_they_stand_for(verifier):
    args = [{"$tuple": [1, {"$set": [2]}]}, {"$dict": [[3, {"$float": "-inf"}]]}]
    tests = problem((args, True), values="tagged", public=1)
    assert verifier.verify(tests, "def f(t, d): return (t, d) == ((1, {2}), {3: float('-inf')})").is_pass
    shown = verifier.verify(tests, "def f(t, d): return d").feedback
    assert shown == "f((1, {2}), {3: -inf}) should return True, but returned {3: -inf}."


@pytest.mark.parametrize(
    ("expected", "right", "wrong"),
    [
        ({"$tuple": [1, 2]}, "(1, 2)", "[1, 2]"),
        ([1, 2], "[1, 2]", "(1, 2)"),
        ({"$set": [1, 2]}, "{2, 1}", "frozenset({1, 2})"),
        ({"$set": []}, "set()", "{}"),
        ({"$dict": [[1, "a"]]}, "{1: 'a'}", "{'1': 'a'}"),
        ({"k": 1}, "{'k': 1}", "__import__('collections').OrderedDict(k=1)"),
        ({"$float": "inf"}, "float('inf')", "float('nan')"),
        (1, "1", "True"),
        (1, "1", "{'$float': '1'}"),
        ({"$dict": [["$tuple", [1]]]}, "{'$tuple': [1]}", "(1,)"),
    ],
)
def test_tagged_answers_are_told_apart(verifier, expected, right, wrong):
    tests = problem(([], expected), values="tagged")
    assert verifier.verify(tests, f"def f(): return {right}").is_pass
    assert not verifier.verify(tests, f"def f(): return {wrong}").is_pass


def test_lying_values_gain_nothing_when_values_are_tagged(verifier):
    tests = problem(([1], {"$tuple": [2]}), values="tagged", nan="equal", numbers="value")
    for source, reason in (
        (
            "class A(tuple):\n    __eq__ = lambda s, o: True\n    __hash__ = tuple.__hash__\ndef f(x): return A()",
            "unserialisable",
        ),
        ("class A:\n    __class__ = tuple\n    __eq__ = lambda s, o: True\ndef f(x): return A()", "unserialisable"),
        ("def f(x): return (float('nan'),)", "wrong_output"),
        ("def f(x): return (True,)", "wrong_output"),
        ("def f(x): return {'$tuple': [2]}", "wrong_output"),
        ("def f(x):\n    a = []\n    a.append(a)\n    return a", "unserialisable"),
        ("def f(x):\n    a = ()\n    for _ in range(10**5): a = (a,)\n    return a", "unserialisable"),
        ("def f(x): return 10 ** 5000", "unserialisable"),
        ("import __main__\n__main__._tag = __main__._encode = lambda v: '2'\ndef f(x): return 0", "wrong_output"),
    ):
        assert verifier.verify(tests, source).reason == f"code.{reason}"


def test_nan_is_right_only_where_the_problem_says_so(verifier):
    source = "def f(): return float('nan')"
    expected = ([], {"$float": "nan"})
    assert verifier.verify(problem(expected, values="tagged", nan="equal"), source).is_pass
    with pytest.raises(ProblemError, match="NaN"):
        verifier.verify(problem(expected, values="tagged"), source)


def test_an_int_may_stand_for_a_float_where_the_problem_says_so(verifier):
    assert not verifier.verify(problem(([], 2.0)), "def f(): return 2").is_pass
    assert verifier.verify(problem(([], 2.0), numbers="value"), "def f(): return 2").is_pass
    assert not verifier.verify(problem(([], 1.0), numbers="value"), "def f(): return True").is_pass


def test_a_candidate_may_use_classes_and_the_standard_library(verifier):
    source = """
from __future__ import annotations
import csv, dataclasses, functools, heapq, math, re, typing

@dataclasses.dataclass
class Box:
    size: int
    next: typing.Optional[Box] = None

@functools.cache
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)

def f(x):
    print("noise on stdout")
    return [fib(x), Box(3).size, math.comb(5, 2), re.sub("a", "b", "banana"), heapq.nsmallest(1, [3, 1])]
"""
    assert verifier.verify(problem(([30], [832040, 3, 10, "bbnbnb", [1]])), source).is_pass


def test_a_failed_public_test_is_shown_in_full(verifier):
    verdict = verifier.verify(problem(public=1), "def f(x): return x")
    assert "f(1) should return 2, but returned 1." in verdict.feedback


def test_a_public_exception_is_shown_with_its_message_and_line(verifier):
    verdict = verifier.verify(problem(public=2), "def f(x):\n    raise ValueError('no luck')")
    assert "raised ValueError: no luck (line 2)" in verdict.feedback


def test_a_failed_hidden_test_shows_neither_input_nor_expected_nor_answer(verifier):
    tests = [([7654321], 1234567)]
    for body in ("return 5550123", "raise ValueError(x)", "raise type('E' + str(x), (Exception,), {})", "return {x}"):
        verdict = verifier.verify(problem(*tests), f"def f(x):\n    {body}")
        assert not verdict.is_pass
        for secret in ("7654321", "1234567", "5550123"):
            assert secret not in verdict.feedback
    assert "ValueError (line 2)" in verifier.verify(problem(*tests), "def f(x):\n    raise ValueError(x)").feedback


def test_no_hidden_value_is_in_the_evidence(verifier):
    verdict = verifier.verify(problem(([7654321], 1234567)), "def f(x): return x")
    text = json.dumps(verdict.to_json())
    assert "7654321" not in text
    assert "1234567" not in text


def test_feedback_is_clipped_and_stays_on_its_line(verifier):
    source = "def f(x): raise ValueError('\\n\\ud800' + 'a' * 100000)"
    verdict = verifier.verify(problem(public=1), source)
    assert len(verdict.feedback) < 1000
    verdict.feedback.encode("utf-8")
    long = verifier.verify(problem(([["a" * 9999]], 1), public=1), "def f(x): return x")
    assert len(long.feedback) < 1500


def test_a_malformed_problem_raises_before_anything_runs(verifier):
    with pytest.raises(ProblemError, match="at least one test"):
        verifier.verify({"entry_point": "f", "tests": []}, "def f(): pass")


def test_the_same_program_gets_the_same_verdict_from_every_zygote():
    source = "import random\ndef f(): return [list({'a', 'b', 'c', 'd', 'e'}), random.random()]"
    tests = problem(([], None), public=1)
    seen = set()
    for _ in range(3):
        verifier = ProgramVerifier(workers=1)
        seen.add(verifier.verify(tests, source).feedback)
        verifier.close()
    assert len(seen) == 1


def test_many_threads_share_the_pool(verifier):
    def one(number):
        return verifier.verify(problem(([number], number + 1)), f"def f(x): return {number + 1}").is_pass

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(one, range(40)))


def test_a_pickled_copy_works_on_its_own(verifier):
    copy = pickle.loads(pickle.dumps(verifier))
    assert copy.version == verifier.version
    assert copy.verify(problem(), "def f(x): return x + 1").is_pass
    copy.close()


def test_a_closed_verifier_starts_again_when_asked():
    verifier = ProgramVerifier(workers=1)
    verifier.close()
    assert verifier.verify(problem(), "def f(x): return x + 1").is_pass
    verifier.close()
    assert verifier.verify(problem(), "def f(x): return x + 1").is_pass
    verifier.close()


def test_a_sandbox_that_cannot_start_is_unknown_never_a_fail(monkeypatch):
    verifier = ProgramVerifier(workers=1)

    def refuse(*arguments):
        raise WorkerDied("gone")

    monkeypatch.setattr(verifier._runner, "run", refuse)
    verdict = verifier.verify(problem(), "def f(x): return x + 1")
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.UNKNOWN, None, "infra.worker_died")


def test_an_interpreter_that_is_not_there_is_a_toolchain_error():
    with pytest.raises(ToolchainError, match="cannot be run"):
        ProgramVerifier(interpreter="/nowhere/python")


def test_required_isolation_that_is_missing_raises_and_otherwise_warns_once(monkeypatch):
    layers = {"network": "active", "pid": "missing: unshare: EPERM", "filesystem": "active"}
    strict, lax = ProgramVerifier(workers=1, require_isolation=True), ProgramVerifier(workers=1)
    with pytest.raises(SandboxError, match="pid"):
        strict._admit(layers)
    with pytest.warns(RuntimeWarning, match="pid"):
        lax._admit(layers)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lax._admit(layers)


def test_the_layers_are_reported_and_kept_as_evidence(verifier):
    layers = sandbox_layers()
    assert {"network", "pid", "filesystem", "limits", "no_new_privs", "seccomp", "landlock"} <= set(layers)
    assert all(state == "active" or state.startswith("missing: ") for state in layers.values())
    assert verifier.verify(problem(), "def f(x): return x + 1").evidence["sandbox"] == layers
