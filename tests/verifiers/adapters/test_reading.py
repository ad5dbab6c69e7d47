"""Problems out of rows, candidates out of completions, rewards out of verdicts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers.adapters.reading import fenced_or_all, message_text, read_problem, reward_of
from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.errors import ProblemError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
WITHOUT_NULL = st.recursive(
    st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON))
def test_a_problem_that_is_text_arrives_as_it_was_written(problem):
    assert read_problem(json.dumps(problem)) == problem


@given(st.dictionaries(st.text(), WITHOUT_NULL))
def test_a_problem_without_null_arrives_as_it_is(problem):
    assert read_problem(problem) == problem


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "null", "3"])
def test_text_that_holds_no_object_is_a_malformed_problem(text):
    with pytest.raises(ProblemError, match="must"):
        read_problem(text)


@pytest.mark.parametrize("value", [None, 3, ["x"], b"{}"])
def test_what_is_neither_text_nor_an_object_is_a_malformed_problem(value):
    with pytest.raises(ProblemError, match="JSON text or an object"):
        read_problem(value)


def test_the_keys_that_a_struct_column_filled_in_are_taken_out():
    filled = {
        "entry_point": None,
        "float_tolerance": {"abs": 1e-9, "rel": None},
        "tests": [{"args": None, "expected": None, "stdin": "1", "expected_stdout": "2"}],
    }
    assert read_problem(filled) == {
        "float_tolerance": {"abs": 1e-9},
        "tests": [{"stdin": "1", "expected_stdout": "2"}],
    }


@pytest.mark.parametrize(
    ("problem", "place"),
    [
        ({"tests": [{"args": [{"a": 1, "b": None}], "expected": 1}]}, "tests[0].args[0].b"),
        ({"tests": [{"args": [1], "expected": {"a": None}}]}, "tests[0].expected.a"),
        ({"tests": [[{"a": None}]]}, "tests[0][0].a"),
    ],
)
def test_a_null_in_a_tests_own_data_is_never_guessed_at(problem, place):
    with pytest.raises(ProblemError) as raised:
        read_problem(problem)
    assert f"'{place}' is null" in str(raised.value)
    assert read_problem(json.dumps(problem)) == problem


def test_a_null_among_the_items_of_a_list_is_data():
    problem = {"tests": [{"args": [None, [None]], "expected": [None]}]}
    assert read_problem(problem) == problem


def test_struct_columns_of_a_real_dataset_are_read():
    datasets = pytest.importorskip("datasets", reason="needs the package 'datasets'")
    problems = [
        {"entry_point": "f", "tests": [{"args": [1], "expected": 2}]},
        {"statement": "p", "tests": [{"stdin": "a", "expected_stdout": "b"}], "public": 1},
    ]
    rows = datasets.Dataset.from_list([{"problem": problem} for problem in problems])
    assert rows[0]["problem"] != problems[0]
    assert [read_problem(row["problem"]) for row in rows] == problems


@pytest.mark.parametrize(
    ("text", "candidate"),
    [
        ("by simp", "by simp"),
        ("\n  \n  by simp \n", "  by simp"),
        ("First:\n```lean\nwrong\n```\nRather:\n```lean4\n  by\n    simp\n```\nThat is it.", "  by\n    simp"),
        ("```\ncut off", "cut off"),
        ("a\r\n```\r\nx\r\n```\r\n", "x"),
        ("say `x`", "say `x`"),
        ("```\n\n```", None),
        (" \n\t\n", None),
        ("", None),
    ],
)
def test_the_candidate_is_the_last_block_or_all_of_the_text(text, candidate):
    assert fenced_or_all(text) == candidate


@given(st.text())
def test_every_completion_has_a_candidate_with_something_in_it_or_none(text):
    candidate = fenced_or_all(text)
    assert candidate is None or candidate.strip()


def test_the_text_of_a_chat_is_what_the_assistant_said_last():
    assert message_text("plain") == "plain"
    assert message_text([{"role": "assistant", "content": "one"}, {"role": "assistant", "content": "two"}]) == "two"
    assert message_text([{"role": "assistant", "content": "one"}, {"role": "tool", "content": "out"}]) == "one"
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    assert message_text([{"role": "assistant", "content": parts}]) == "ab"


@pytest.mark.parametrize(
    "messages", [[], [{"role": "tool", "content": "out"}], [{"role": "assistant", "content": None}]]
)
def test_a_chat_in_which_the_assistant_says_nothing_has_no_text(messages):
    assert message_text(messages) == ""


@given(st.floats(0, 1))
def test_only_partial_credit_looks_at_the_score(score):
    verdict = Verdict.failed("test.wrong", score=score)
    assert reward_of(verdict, partial_credit=False) == 0.0
    assert reward_of(verdict, partial_credit=True) == score
    assert reward_of(Verdict.passed("test.right"), partial_credit=False) == 1.0


@pytest.mark.parametrize("partial_credit", [True, False])
def test_unknown_is_no_reward(partial_credit):
    assert reward_of(Verdict.unknown("infra.worker_died"), partial_credit=partial_credit) is None
