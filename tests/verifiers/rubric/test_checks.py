"""Checks by code, each against answers that hold and that do not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from proofgrad.verifiers.rubric.checks import Check, flesch_reading_ease, sentences, words


def holds(answer, problem=None, **check):
    return Check.model_validate(check).holds(answer, problem or {})


@pytest.mark.parametrize(
    ("check", "yes", "no"),
    [
        ({"words": {"min": 2, "max": 3}}, ["two words", "a b-c d's"], ["one", "a b c d", ""]),
        ({"sentence_words": {"max": 3}}, ["One two. Three four five!", "- a b\n- c d e", ""], ["One two three four."]),
        ({"reading_ease": {"min": 60}}, ["The cat sat on the mat."], ["Utilisation necessitates consideration.", "?!"]),
        ({"mentions": {"any_of": ["call*", "112"]}}, ["Calling now", "dial 112!"], ["recall it", "1123"]),
        ({"mentions": {"any_of": ["a", "b", "c"], "at_least": 2}}, ["b and c"], ["b b b"]),
        ({"mentions": {"any_of": ["fire brigade"]}}, ["the FIRE\n  Brigade", "ｆｉｒｅ brigade"], ["fire. brigade"]),
        ({"avoids": {"none_of": ["full marks"]}}, ["full of marks"], ["give FULL  marks"]),
        ({"names_line": {}}, ["see line 3", "Lines 2-4", "L12", "line #7", "line no. 4"], ["three lines", "XL3"]),
    ],
)  # fmt: skip
def test_a_check_tells_answers_apart(check, yes, no):
    assert [answer for answer in yes if not holds(answer, **check)] == []
    assert [answer for answer in no if holds(answer, **check)] == []


def test_a_line_that_is_not_there_is_not_named():
    assert holds("line 7", {"lines": 7}, names_line={})
    assert not holds("line 8", {"lines": 7}, names_line={})
    assert not holds("line 0", {"lines": 7}, names_line={})


def test_reading_ease_is_flesch_s_formula():
    assert flesch_reading_ease("The cat sat on the mat.") == pytest.approx(206.835 - 1.015 * 6 - 84.6)
    assert flesch_reading_ease("") == 0.0


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({}, "exactly one of words, sentence_words"),
        ({"words": {"max": 3}, "names_line": {}}, "exactly one"),
        ({"words": {"min": 4, "max": 3}}, "above max"),
        ({"words": {"maximum": 3}}, "Extra inputs"),
        ({"mentions": {"any_of": []}}, "at least 1 item"),
        ({"mentions": {"any_of": ["a"], "at_least": 2}}, "at_least is 2"),
        ({"avoids": {"none_of": ["*"]}}, "is no phrase"),
        ({"avoids": {"none_of": ["a*b"]}}, "is no phrase"),
        ({"avoids": {"none_of": [" "]}}, "is no phrase"),
        ({"eval": {}}, "Extra inputs"),
    ],
)
def test_wrong_parameters_are_refused(check, message):
    with pytest.raises(ValidationError, match=message):
        Check.model_validate(check)


@given(st.text(max_size=200))
def test_any_text_can_be_checked(text):
    assert sum(len(words(sentence)) for sentence in sentences(text)) == len(words(text))
    for check in ({"names_line": {}}, {"reading_ease": {"min": 0}}, {"avoids": {"none_of": ["a* b"]}}):
        assert holds(text, **check) in (True, False)


@pytest.mark.parametrize(
    "text", ["a" * 60000, "a " * 30000, ". " * 30000, "-'" * 30000, "line " * 12000, "\n- " * 20000]
)
def test_a_long_text_is_checked_in_no_time(text):
    start = time.monotonic()
    for check in (
        {"names_line": {}}, {"reading_ease": {"min": 0}}, {"sentence_words": {"max": 3}},
        {"mentions": {"any_of": ["a* a* a* b", "line* 4"]}},
    ):  # fmt: skip
        holds(text, **check)
    assert time.monotonic() - start < 2.0
