"""problem.py: a malformed problem is the author's fault and is said in one line."""

import json

import pytest

from proofgrad.verifiers.code.problem import ProgramProblem
from proofgrad.verifiers.errors import ProblemError

GOOD = {"entry_point": "f", "tests": [{"args": [1], "expected": 2}, {"args": [2], "expected": 3}]}


def test_a_minimal_problem_gets_the_defaults():
    parsed = ProgramProblem.parse(GOOD)
    assert (parsed.public, parsed.timeout_s, parsed.tolerance.abs, parsed.tolerance.rel) == (0, 2.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"entry_point": "a b"}, "entry_point"),
        ({"entry_point": "lambda"}, "entry_point"),
        ({"entry_point": None}, "entry_point"),
        ({"tests": []}, "at least one"),
        ({"tests": "f(1)"}, "tests"),
        ({"tests": [{"args": [1]}]}, "tests[0]"),
        ({"tests": [{"args": [1], "expected": 1, "extra": 0}]}, "tests[0]"),
        ({"tests": [{"args": 1, "expected": 1}]}, "tests[0].args"),
        ({"tests": [{"args": [], "expected": (1, 2)}]}, "tests[0].expected"),
        ({"tests": [{"args": [], "expected": float("nan")}]}, "tests[0].expected"),
        ({"tests": [{"args": [{1: 2}], "expected": 1}]}, "tests[0].args"),
        ({"public": 3}, "public"),
        ({"public": True}, "public"),
        ({"public": -1}, "public"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": "2"}, "timeout_s"),
        ({"timeout_s": float("inf")}, "timeout_s"),
        ({"float_tolerance": 0.1}, "float_tolerance"),
        ({"float_tolerance": {"abs": -1}}, "float_tolerance.abs"),
        ({"time_out_s": 1}, "did you mean 'timeout_s'"),
    ],
)
def test_a_malformed_problem_is_named_in_one_line(change, named):
    with pytest.raises(ProblemError) as caught:
        ProgramProblem.parse({**GOOD, **change})
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_public_inputs_go_in_a_batch_before_the_hidden_ones():
    parsed = ProgramProblem.parse({**GOOD, "public": 1})
    assert parsed.batches() == [["[1]"], ["[2]"]]


def test_without_public_tests_loading_is_answered_before_any_input_is_sent():
    assert ProgramProblem.parse(GOOD).batches() == [[], ["[1]", "[2]"]]


def test_no_expected_value_is_in_what_enters_the_sandbox():
    problem = {"entry_point": "f", "tests": [{"args": [1], "expected": "needle"}], "public": 1}
    assert "needle" not in json.dumps(ProgramProblem.parse(problem).batches())
