"""asserts.py and suites.py: assertion-style suites become inputs and expected values, or are refused with a reason."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.verifiers.code import Converted, check_problem, convert
from proofgrad.verifiers.code.values import tag, untag
from proofgrad.verifiers.errors import ProblemError

IDENTITY = "def f(*args): return args[0] if len(args) == 1 else args"


@pytest.fixture(scope="module")
def made(runner):
    """Convert with one sandbox for all."""

    def make(suite, reference=None, entry_point="f", **more):
        return convert(suite, entry_point, reference, runner=runner, **more)

    return make


def pairs(converted):
    return [(untag(test["args"]), untag(test["expected"])) for test in converted.tests]


@pytest.mark.parametrize(
    ("assertion", "args", "expected"),
    [
        ("assert f(1, 2) == 3", [1, 2], 3),
        ("assert 3 == f(1, 2)", [1, 2], 3),
        ("assert f() == None", [], None),
        ("assert f('a') is True", ["a"], True),
        ("assert f('a') is None", ["a"], None),
        ("assert f([1, [2]]) == {'k': -1.5}", [[1, [2]]], {"k": -1.5}),
        ("assert f((1, 'a'), {2, 3}) == (4, {5})", [(1, "a"), {2, 3}], (4, {5})),
        ("assert f({1: 2}) == {(1, 2): 'x'}", [{1: 2}], {(1, 2): "x"}),
        ("assert (f(+1) == -2), 'a message'", [1], -2),
    ],
)
def test_literal_assertions_are_read_without_running_anything(assertion, args, expected):
    converted = convert(assertion, "f", runner=object())  # which could run nothing
    assert pairs(converted) == [(args, expected)]
    assert [type(value) for value in pairs(converted)[0][0]] == [type(value) for value in args]
    assert (converted.refused, converted.notes) == ((), ())


def test_truth_is_made_stricter_and_said_so(made):
    converted = made(["assert f(1)", "assert not f(2)"])
    assert pairs(converted) == [([1], True), ([2], False)]
    assert [note.line for note in converted.notes] == [1, 2]
    assert "only True itself" in converted.notes[0].reason


def test_a_conjunction_is_several_tests_and_the_constant_true_none(made):
    converted = made("assert f(1) == 1 and f(2) == 2\nassert True, 'printed when it fails'")
    assert pairs(converted) == [([1], 1), ([2], 2)]
    assert converted.refused == ()


def test_a_humaneval_suite_is_read_through_its_check_function(made):
    suite = """
METADATA = {'author': 'x'}

def check(candidate):
    assert candidate([1, 2], 0.5) == True
    for given, wanted in [(1, 'a'), (2, 'b')]:
        assert candidate(given) == wanted
    limit = 7
    assert candidate(limit) == [limit, limit]

check(f)
"""
    converted = made(suite)
    assert pairs(converted) == [([[1, 2], 0.5], True), ([1], "a"), ([2], "b"), ([7], [7, 7])]
    assert (converted.refused, converted.notes) == ((), ())


def test_pytest_style_functions_are_read_too(made):
    assert pairs(made("def test_one():\n    assert f(1) == 1\n\ndef test_two():\n    assert f(2) == 4")) == [
        ([1], 1),
        ([2], 4),
    ]


@pytest.mark.parametrize(
    ("assertion", "tolerance"),
    [
        ("assert abs(f(1) - 0.5) < 1e-6", {"abs": math.nextafter(1e-6, 0), "rel": 0.0}),
        ("assert abs(0.5 - f(1)) <= 1e-6", {"abs": 1e-6, "rel": 0.0}),
        ("assert 1e-6 >= math.fabs(f(1) - 0.5)", {"abs": 1e-6, "rel": 0.0}),
        ("assert math.isclose(f(1), 0.5)", {"abs": 0.0, "rel": 1e-9}),
        ("assert math.isclose(0.5, f(1), rel_tol=1e-3, abs_tol=1e-4)", {"abs": 1e-4, "rel": 1e-3}),
    ],
)
def test_closeness_becomes_a_tolerance_of_that_test_alone(made, assertion, tolerance):
    converted = made([assertion, "assert f(2) == 0.25"])
    assert converted.tests[0]["float_tolerance"] == tolerance
    assert pairs(converted) == [([1], 0.5), ([2], 0.25)]
    assert "float_tolerance" not in converted.tests[1]


def test_a_tolerance_allows_what_the_assertion_allows_and_no_more(made, verifier):
    problem = made("assert abs(f(1) - 3) < 0.25").problem()
    for answer, right in (("3", True), ("3.2", True), ("2.75", False), ("3.25", False), ("True", False)):
        assert verifier.verify(problem, f"def f(x): return {answer}").is_pass is right


def test_what_is_no_literal_is_computed_in_the_sandbox_and_noted(made):
    suite = """
import random
def double(x): return [x] * 2
for n in range(3):
    assert f(n) == double(n)
assert f(random.randint(5, 5)) == 10 ** 2
values = [1]
values.append(2)
assert f(values) == sum(values)
"""
    converted = made(suite)
    assert pairs(converted) == [([n], [n, n]) for n in range(3)] + [([5], 100), ([[1, 2]], 3)]
    assert [note.line for note in converted.notes] == [5, 6, 9]
    assert all("computed" in note.reason for note in converted.notes)


def test_a_value_may_come_from_the_reference_solution(made):
    suite = "def check(candidate):\n    for n in range(2):\n        assert candidate(candidate(n)) == f(n) + 1"
    assert pairs(made(suite, "def f(x): return x + 1")) == [([1], 2), ([2], 3)]
    assert made("assert f(f(1)) == f(2)", "def f(x): return x + 1").tests == ({"args": [2], "expected": 3},)
    without = made("assert f(f(1)) == 3")
    assert without.tests == ()
    assert "no reference solution" in without.refused[0].reason


def test_a_container_made_of_the_answer_is_compared_through_the_reference(made, verifier):
    suite = "assert tuple(f([2, 1])) == tuple(sorted([2, 1]))"
    converted = made(suite, "def f(x): return sorted(x)")
    assert pairs(converted) == [([[2, 1]], [1, 2])]
    assert made(suite).tests == ()
    wrong = made("assert tuple(f([2, 1])) == (9,)", "def f(x): return sorted(x)")
    assert wrong.tests == ()
    assert "does not pass" in wrong.refused[0].reason


def test_keyword_arguments_take_their_places_from_the_reference(made):
    reference = "def f(a, b=2, c=3): return [a, b, c]"
    assert pairs(made("assert f(1, c=5, b=4) == [1, 4, 5]", reference)) == [([1, 4, 5], [1, 4, 5])]
    assert "by position" in made("assert f(1, c=5) == [1, 2, 5]", reference).refused[0].reason
    assert "keyword" in made("assert f(a=1) == 1").refused[0].reason


@pytest.mark.parametrize(
    ("suite", "why"),
    [
        ("assert f(1) != 2", "what the answer is not"),
        ("assert f(1) in (1, 2)", "not what it is"),
        ("assert f(1) > 0", "where the answer lies"),
        ("assert f(1) is not None", "not what it is"),
        ("assert f(1) is 5", "'is'"),
        ("assert len(f(1)) == 3", "something made of it"),
        ("assert sorted(f(1)) == [1]", "something made of it"),
        ("assert f(1)[0] == 3", "something made of it"),
        ("assert g(1) == 3", "something made of it"),
        ("assert 1 < f(1) < 2", "no comparison"),
        ("assert f(1) == 1 or f(1) == 2", "no comparison"),
        ("assert (f(1) == 2, 'a message')", "always true"),
        ("assert False", "no comparison"),
        ("assert abs(f(1) - 2) < 5", "tolerance"),
        ("assert abs(f(1) - 'a') < 0.1", "no number to be close to"),
        ("assert f(1) == b'bytes'", "type bytes"),
        ("assert f(object()) == 1", "plain value"),
        ("assert f(1) == float('nan')", "NaN"),
        ("assert f(1) == undefined", "NameError"),
        ("assert f({[]}) == 1", "TypeError"),
        ("assert f('\\ud800') == 1 / 0", "ZeroDivisionError"),
        ("try:\n    assert f(-1) == 2\nexcept ValueError:\n    pass", "exception"),
        ("with pytest.raises(ValueError):\n    f(-1)", "exception"),
        ("raise SystemExit\nassert f(g()) == 1", "not reached, or has no plain value: SystemExit"),
        ("import nowhere\nassert f(g()) == 1", "not reached"),
        ("while True: pass\nassert f(g()) == 1", "timeout"),
        ("assert f(1 == 2", "not Python"),
        ("\0", "not Python"),
        ("f = 3\nassert f(1) == 1", "something made of it"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_its_reason(made, suite, why):
    converted = made(suite, timeout_s=0.5)
    assert converted.tests == ()
    assert any(why in refused.reason for refused in converted.refused), converted.refused
    with pytest.raises(ProblemError, match="no assertion could be converted"):
        converted.problem()


def test_a_list_that_something_else_may_have_changed_is_not_read_as_it_was_written(made):
    suite = """
xs = [1]
def grow(): xs.append(2)
grow()
assert f(xs) == 1
def test_a():
    assert f(xs) == 2
xs.append(3)
"""
    assert pairs(made(suite)) == [([[1, 2]], 1), ([[1, 2, 3]], 2)]


def test_a_test_that_the_reference_fails_is_refused(made):
    converted = made(["assert f(1) == 2", "assert f(2) == 7", "assert f(0) == 1.0"], "def f(x): return x + 1")
    assert pairs(converted) == [([1], 2), ([0], 1.0)]
    assert [(refused.line, "wrong_output" in refused.reason) for refused in converted.refused] == [(2, True)]
    hopeless = made("assert f(1) == 2", "def f(x):\n    while True: pass", timeout_s=0.3)
    assert hopeless.tests == ()
    assert "code.timeout" in hopeless.refused[0].reason


def test_setup_is_there_for_the_suite(made):
    assert pairs(made("assert f(TWO) == math.floor(2.5)", setup="import math\nTWO = 2")) == [([2], 2)]


def test_the_problem_can_be_checked_and_tells_tuples_from_lists(made, verifier):
    problem = made("assert f((1, 2)) == (2, 1)").problem(public=1, timeout_s=1.0)
    check_problem(problem)
    assert verifier.verify(problem, "def f(t): return t[::-1]").is_pass
    verdict = verifier.verify(problem, "def f(t): return list(t[::-1])")
    assert verdict.feedback == "f((1, 2)) should return (2, 1), but returned [2, 1]."


def test_a_hostile_suite_runs_where_candidates_run(made):
    suite = "import os\nassert f(os.getpid()) == os.path.exists('/etc/passwd')\nassert f(os.listdir('/')) == 1"
    converted = made(suite)
    assert pairs(converted) == [([1], False)]
    assert "PermissionError" in converted.refused[0].reason


def test_a_sandbox_of_its_own_is_started_and_stopped_when_none_is_given():
    assert isinstance(convert("assert f(1 + 1) == 2", "f"), Converted)


SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=5)
HASHABLE = st.recursive(SCALARS, lambda part: st.tuples(part, part) | st.frozensets(part, max_size=3), max_leaves=5)
VALUES = st.recursive(
    HASHABLE | st.sets(HASHABLE, max_size=3),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(HASHABLE, part, max_size=3),
    max_leaves=10,
)


@settings(deadline=None, max_examples=60)  # a busy machine is no failure
@given(st.lists(VALUES.filter(lambda value: "nan" not in repr(value)), min_size=1, max_size=3))
def test_a_suite_written_from_a_functions_own_answers_accepts_it(verifier, runner, values):
    suite = [f"assert f({value!r}) == {value!r}" for value in values]
    suite = [line.replace("frozenset()", "frozenset(())") for line in suite]
    converted = convert(suite, "f", IDENTITY, runner=runner, setup="inf = float('inf')")
    assert converted.refused == ()
    assert [untag(test["expected"]) for test in converted.tests] == values
    assert verifier.verify(converted.problem(), IDENTITY).is_pass
    assert not verifier.verify(converted.problem(), "def f(x): return [x]").is_pass


@settings(deadline=None)
@given(VALUES)
def test_a_value_is_the_same_after_tagging(value):
    assert repr(untag(tag(value))) == repr(value) or untag(tag(value)) == value or "nan" in repr(value)
