"""compare.py: strict JSON and exact comparison."""

import copy
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.verifiers.code.compare import (
    Difference,
    NotStrictJson,
    Tolerance,
    is_json,
    output_difference,
    parse_strict,
    same,
)
from proofgrad.verifiers.code.values import NotPlain, tag, untag

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda part: st.lists(part) | st.dictionaries(st.text(), part), max_leaves=20)


@settings(deadline=None)  # a busy machine is no failure
@given(VALUES)
def test_a_value_is_the_same_as_its_copy_and_as_itself_after_json(value):
    assert same(value, copy.deepcopy(value))
    assert same(value, parse_strict(json.dumps(value)))
    assert is_json(value)


@settings(deadline=None)  # a busy machine is no failure
@given(VALUES, VALUES)
def test_sameness_is_symmetric_and_means_equal_json_text(one, other):
    assert same(one, other) == same(other, one)
    if same(one, other):
        assert one == other


@settings(deadline=None)  # a busy machine is no failure
@given(SCALARS, SCALARS)
def test_values_of_different_types_are_never_the_same(one, other):
    if type(one) is not type(other):
        assert not same(one, other)
        assert not same([one], [other])
        assert not same({"k": one}, {"k": other})


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(VALUES, min_size=1))
def test_a_shorter_or_longer_list_is_never_the_same(values):
    assert not same(values, values[:-1])
    assert not same(values[:-1], values)
    assert not same(values, [*values, values[-1]])


@settings(deadline=None)  # a busy machine is no failure
@given(st.dictionaries(st.text(), VALUES, min_size=1))
def test_a_missing_key_is_noticed(mapping):
    fewer = dict(list(mapping.items())[1:])
    assert not same(mapping, fewer)
    assert not same(fewer, mapping)


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(max_size=50))
def test_any_text_is_parsed_or_refused(text):
    try:
        value = parse_strict(text)
    except NotStrictJson:
        return
    assert is_json(value)


@pytest.mark.parametrize(("one", "other"), [(True, 1), (1, 1.0), (0, False), (0, None), ("1", 1), ([], {}), ("", [])])
def test_look_alikes_of_different_types_differ(one, other):
    assert not same(one, other)


def test_zero_and_minus_zero_are_the_same_number():
    assert same(0.0, -0.0)


def test_floats_are_exact_without_a_tolerance_and_close_with_one():
    assert not same(0.3, 0.1 + 0.2)
    assert same(0.3, 0.1 + 0.2, Tolerance(abs=1e-9))
    assert not same(0.3, 0.31, Tolerance(abs=1e-9))
    assert same([1e9], [1e9 + 1], Tolerance(rel=1e-6))


def test_a_tolerance_turns_no_int_into_a_float():
    assert not same(1.0, 1, Tolerance(abs=1.0))
    assert not same(1, 2, Tolerance(abs=1.0))


@pytest.mark.parametrize(
    "text",
    ["NaN", "Infinity", "-Infinity", "1e999", '{"a": 1, "a": 2}', "[1, 2", "1 2", "", "[1,]", "'a'", "9" * 5000],
)
def test_what_python_would_let_through_is_refused(text):
    with pytest.raises(NotStrictJson):
        parse_strict(text)


def test_bottomless_nesting_is_refused_not_a_crash():
    with pytest.raises(NotStrictJson):
        parse_strict("[" * 200_000)


def test_deep_values_are_compared_without_recursion():
    one: list = []
    other: list = []
    for _ in range(100_000):
        one, other = [one], [other]
    assert same(one, other)


@pytest.mark.parametrize("value", [(1, 2), {1: 2}, {1}, math.nan, math.inf, b"a", object(), type("I", (int,), {})(1)])
def test_values_that_json_cannot_carry_unchanged_are_not_json(value):
    assert not is_json(value)
    assert not is_json([value])


def test_a_list_that_contains_itself_is_not_json():
    loop: list = []
    loop.append(loop)
    assert not is_json(loop)


def test_an_int_and_a_float_are_one_number_only_where_the_problem_says_so():
    for one, other in ((1, 1.0), ([2], [2.0]), ({"k": 0}, {"k": -0.0}), ({1}, {1.0}), ({1: 2}, {1.0: 2.0})):
        assert not same(one, other)
        assert same(one, other, numbers="value")
        assert same(other, one, numbers="value")
    assert not same(1, True, numbers="value")
    assert not same(0.0, False, numbers="value")
    assert not same(2**53 + 1, float(2**53), numbers="value")  # equal only after rounding
    assert not same(10**400, 1.0, Tolerance(rel=1.0), numbers="value")
    assert same(3, 3.1, Tolerance(abs=0.2), numbers="value")
    assert not same(3, 4, Tolerance(abs=1.0), numbers="value")  # a tolerance is for floats


def test_nan_equals_nan_only_where_the_problem_says_so_and_infinities_equal_themselves():
    for value in (math.nan, [math.nan], (math.nan,), {"k": math.nan}, {math.nan}, {math.nan: 1}):
        assert not same(value, value)
        assert same(value, value, nan="equal")
    assert not same(math.nan, 0.0, Tolerance(abs=1.0), nan="equal")
    assert same(math.inf, math.inf)
    assert not same(math.inf, -math.inf, Tolerance(rel=1.0))
    assert not same(math.inf, 1e308, Tolerance(abs=1.0, rel=1.0))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 2), [1, 2]),
        ({1, 2}, frozenset({1, 2})),
        ({1, 2}, {1, 2, 3}),
        ({1}, {True}),
        ({(1, 2)}, {(1, 3)}),
        ({1: "a"}, {"1": "a"}),
        ({1: "a"}, {True: "a"}),
        ({1: "a"}, {1: "b"}),
        ({1, 2}, [1, 2]),
    ],
)
def test_tagged_values_differ_type_for_type(one, other):
    assert same(one, copy.deepcopy(one))
    assert not same(one, other)
    assert not same(other, one)


def test_a_tagged_form_stands_for_one_value():
    value = {"a": [(1, {2.5, None}), {(1,): math.inf}], "b": frozenset({"x"}), "c": {"$": 1}}
    tagged = tag(value)
    assert is_json(tagged)
    assert same(untag(tagged), value)
    assert tag({3, 1, 2}) == {"$set": [1, 2, 3]}


@pytest.mark.parametrize(
    "tagged",
    [
        {"$tuple": 1},
        {"$tuple": [], "$set": []},
        {"$tuple": [], "k": 1},
        {"$set": [1, 1]},
        {"$set": [[1]]},
        {"$dict": [[1]]},
        {"$dict": [[1, 2], [1, 3]]},
        {"$dict": [[[], 2]]},
        {"$float": "1.0"},
        {"$float": 1},
        {"$nothing": []},
    ],
)
def test_a_malformed_tag_is_refused(tagged):
    for wrapped in (tagged, [tagged], {"k": tagged}, {"$tuple": [tagged]}):
        with pytest.raises(NotPlain):
            untag(wrapped)


def test_what_has_no_tagged_form_is_refused():
    loop: list = []
    loop.append(loop)
    shared: list = []
    for _ in range(60):
        shared = [shared, shared]
    for value in (object(), b"a", 1j, type("I", (int,), {})(1), range(3), loop, shared):
        with pytest.raises(NotPlain):
            tag(value)


WORDS = st.text(alphabet="ab1.-", min_size=1, max_size=4)
LINES = st.lists(st.lists(WORDS, min_size=1, max_size=4), max_size=5)


def _written(lines, gap=" ", end=""):
    return "".join(gap.join(line) + end + "\n" for line in lines)


@settings(deadline=None)  # a busy machine is no failure
@given(LINES, LINES)
def test_outputs_agree_exactly_when_their_words_do_line_by_line(one, other):
    got = _written(other, gap=" \t ", end="  \r").encode()
    assert (output_difference(_written(one), got) is None) == (one == other)


@settings(deadline=None)  # a busy machine is no failure
@given(LINES, st.sampled_from(["tokens", "lines", "exact"]))
def test_an_output_agrees_with_itself_and_not_with_a_shorter_or_longer_one(lines, whitespace):
    text = _written(lines)
    assert output_difference(text, text.encode(), whitespace) is None
    longer = text + "a\n"
    assert output_difference(text, longer.encode(), whitespace) == Difference(
        len(lines) + 1, "" if whitespace == "exact" else None, "a"
    )
    assert output_difference(longer, text.encode(), whitespace) == Difference(
        len(lines) + 1, "a", "" if whitespace == "exact" else None
    )


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(max_size=30), st.binary(max_size=30))
def test_exact_means_every_byte(expected, got):
    same_bytes = expected.encode("utf-8", "surrogatepass") == got
    assert (output_difference(expected, got, "exact") is None) == same_bytes


@pytest.mark.parametrize(
    ("expected", "got", "close"),
    [
        ("0.30", "0.3", True),
        ("0.3", "0.30000000001", True),
        ("0.3", "3e-1", True),
        ("3.0", "3", True),
        ("3", "3.0", False),  # an int was expected
        ("1000000001", "1000000000", False),
        ("-1000000001", "-1000000000", False),
        ("0.3", "0.31", False),
        ("0.3", "0.3x", False),
        ("0.3", "nan", False),
        ("1e999", "2e999", False),
        ("nan", "nan", True),
        ("0.3", "0_0.3", False),
        ("0.3", "٠.3", False),
    ],
)
def test_a_tolerance_is_for_words_that_are_decimal_floats(expected, got, close):
    assert (output_difference(expected, got.encode(), "tokens", Tolerance(rel=1e-6)) is None) is close


def test_output_that_is_no_text_is_never_right_even_where_its_shown_form_would_be():
    assert output_difference("\\xff", b"\xff") is not None
    assert output_difference("", b"\xff") is not None
