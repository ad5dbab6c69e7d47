"""problem.py: a malformed problem is the author's fault and is said in one line."""

import json

import pytest

from proofgrad.verifiers.code.problem import ProgramProblem, check_problem
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
        ({"tests": '[{"args": [1], "expected": 2}]'}, "parse its JSON first"),
        ({"tests": None}, "at least one test, got nothing"),
        (
            {"tests": [{"args": [1], "expected": 2}, {"stdin": "1", "expected_stdout": "2"}]},
            "tests[1] is of another kind",
        ),
        ({"tests": [{"args": [1], "expected": 1, "float_tolerance": {"abs": 2}}]}, "tests[0].float_tolerance.abs"),
        ({"whitespace": "lines"}, "whitespace"),
        ({"values": "pickle"}, "values"),
        ({"numbers": True}, "numbers"),
        ({"nan": "ignore"}, "nan"),
        ({"nan": "equal"}, "nan 'equal' needs values 'tagged'"),
        ({"values": "tagged", "tests": [{"args": [{"$tuple": 1}], "expected": 1}]}, "tests[0].args"),
        ({"values": "tagged", "tests": [{"args": [], "expected": {"$set": [1, 1]}}]}, "tests[0].expected"),
        ({"values": "tagged", "tests": [{"args": [], "expected": {"$float": "nan"}}]}, "tests[0].expected has a NaN"),
    ],
)
def test_a_malformed_problem_is_named_in_one_line(change, named):
    for check in (ProgramProblem.parse, check_problem):
        with pytest.raises(ProblemError) as caught:
            check({**GOOD, **change})
        assert named in str(caught.value)
        assert "\n" not in str(caught.value)


STDIO = {"tests": [{"stdin": "1", "expected_stdout": "2"}, {"stdin": "", "expected_stdout": ""}]}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"entry_point": "f"}, "entry_point"),
        ({"values": "tagged"}, "values"),
        ({"tests": [{"stdin": "1"}]}, "tests[0]"),
        ({"tests": [{"stdin": "1", "expected_stdout": "2", "args": []}]}, "tests[0]"),
        ({"tests": [{"stdin": ["1"], "expected_stdout": "2"}]}, "tests[0].stdin"),
        ({"tests": [{"stdin": "", "expected_stdout": None}]}, "tests[0].expected_stdout"),
        ({"tests": [{"stdin": "", "expected_stdout": "\ud800"}]}, "tests[0].expected_stdout"),
        ({"tests": [{"stdin": "1", "expected_stdout": "\n "}]}, "doing nothing would pass"),
        ({"tests": []}, "at least one test"),
        ({"public": 3}, "public"),
        ({"timeout_s": -1}, "timeout_s"),
        ({"whitespace": "none"}, "whitespace"),
        ({"whitespace": "lines", "float_tolerance": {"abs": 0.1}}, "float_tolerance needs whitespace 'tokens'"),
    ],
)
def test_a_malformed_stdin_problem_is_named_in_one_line(change, named):
    check_problem(STDIO)
    with pytest.raises(ProblemError) as caught:
        check_problem({**STDIO, **change})
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("problem", [None, "{}", [], 3])
def test_what_is_no_object_is_said_so(problem):
    with pytest.raises(ProblemError, match="must be an object"):
        check_problem(problem)


def test_tagged_values_are_taken_off_their_tags_for_comparison_only():
    parsed = ProgramProblem.parse(
        {**GOOD, "values": "tagged", "tests": [{"args": [{"$tuple": [1]}], "expected": {"$tuple": [1]}}], "public": 1}
    )
    assert parsed.tests[0].expected == (1,)
    assert parsed.batches() == [['[{"$tuple": [1]}]']]
    assert parsed.right(0, (1,))
    assert not parsed.right(0, [1])


def test_without_tagged_values_a_dollar_is_a_dollar():
    parsed = ProgramProblem.parse({**GOOD, "tests": [{"args": [], "expected": {"$tuple": [1]}}]})
    assert parsed.right(0, {"$tuple": [1]})
    assert not parsed.right(0, (1,))


def test_public_inputs_go_in_a_batch_before_the_hidden_ones():
    parsed = ProgramProblem.parse({**GOOD, "public": 1})
    assert parsed.batches() == [["[1]"], ["[2]"]]


def test_without_public_tests_loading_is_answered_before_any_input_is_sent():
    assert ProgramProblem.parse(GOOD).batches() == [[], ["[1]", "[2]"]]


def test_no_expected_value_is_in_what_enters_the_sandbox():
    problem = {"entry_point": "f", "tests": [{"args": [1], "expected": "needle"}], "public": 1}
    assert "needle" not in json.dumps(ProgramProblem.parse(problem).batches())
