"""compare.py: strict JSON and exact comparison."""

import copy
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.verifiers.code.compare import NotStrictJson, Tolerance, is_json, parse_strict, same

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
