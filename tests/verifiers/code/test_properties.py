"""properties.py and what it stands on: specifications, drawn inputs, counterexamples, assurance."""

import json
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofgrad.verifiers import Outcome, Verifier
from proofgrad.verifiers.code import experiment
from proofgrad.verifiers.code.properties import PropertyVerifier
from proofgrad.verifiers.code.runner import WorkerDied
from proofgrad.verifiers.code.strategies import constants_of, draw, parse_type, planted, smaller
from proofgrad.verifiers.errors import MissingExtraError, ProblemError, SandboxError


@pytest.fixture(scope="module")
def prover():
    made = PropertyVerifier(workers=2, salt="not told")
    yield made
    made.close()


@pytest.fixture(scope="module")
def tester():
    made = PropertyVerifier(workers=2, salt="not told", prove=False)
    yield made
    made.close()


def problem(**changes):
    made = {
        "entry_point": "f",
        "inputs": ["int"],
        "reference": "def f(x):\n    return x + 1\n",
        "tests": [{"args": [1], "expected": 2}, {"args": [41], "expected": 42}],
        "public": 1,
        "examples": 40,
        **changes,
    }
    return {key: value for key, value in made.items() if value is not None}


SORTING = {"inputs": [{"list": "int"}], "reference": "def f(xs): return sorted(xs)", "tests": None, "public": None}
DIVISOR = {
    "inputs": {"n": {"int": {"min": 2, "max": 5000}}},
    "reference": None,
    "relation": "def check(args, result):\n    return 1 < result and args[0] % result == 0",
    "returns": {"int": {"min": 0}},
    "tests": [{"args": [6], "expected": 2}],
}


def test_it_is_a_verifier(prover):
    assert isinstance(prover, Verifier)
    assert prover.name == "program_property"


HONEST = {
    "proved": (problem(), "def f(x): return 1 + x", "proved"),
    "proved with a condition": (
        problem(
            inputs={"a": "int", "b": "int"}, where="b != 0", reference="def f(a, b): return a // b", tests=[], public=0
        ),
        "def f(a, b):\n    q = -a // -b\n    return q",
        "proved",
    ),
    "outside the fragment": (problem(), "def f(x): return sum([x, 1])", "property-tested"),
    "lists": (problem(**SORTING), "def f(xs):\n    xs.sort()\n    return xs", "property-tested"),
    "a relation": (problem(**DIVISOR), "def f(n): return n", "property-tested"),
    "a tolerance": (
        problem(
            inputs=[{"float": {"min": 0.0, "max": 9.0}}],
            reference="def f(x): return x * 0.1",
            tests=None,
            public=None,
            float_tolerance={"abs": 1e-9},
        ),
        "def f(x): return x / 10",
        "property-tested",
    ),
    "no inputs": (
        problem(inputs=[], reference="def f(): return 5", tests=None, public=None),
        "def f(): return 2 + 3",
        "proved",
    ),
    "tests only": (problem(examples=0), "def f(x): return int(str(x)) + 1", "tested 2"),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_program_passes_with_the_assurance_it_has(prover, name):
    task, source, assurance = HONEST[name]
    verdict = prover.verify(task, source)
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.PASS, 1.0, "code.ok"), verdict
    assert verdict.evidence["assurance"].startswith(assurance)
    assert "counterexample" not in verdict.evidence
    json.dumps(verdict.to_json())


CHEATS = {
    "one answer": (problem(tests=[{"args": [1], "expected": 2}]), "def f(x): return 2"),
    "special-casing": (problem(), "def f(x):\n    if x == 1: return 2\n    if x == 41: return 42\n    return 0"),
    "a lookup table": (problem(), "T = {1: 2, 41: 42}\ndef f(x): return T.get(x, 7)"),
    "a lookup table that raises": (problem(), "T = {1: 2, 41: 42}\ndef f(x): return T[x]"),
    "a back door": (problem(), "def f(x): return 0 if x == 918273645546 else x + 1"),
    "a back door with a list": (
        problem(**SORTING),
        "def f(xs): return [] if 918273645546 in xs else sorted(xs)",
    ),
    "a back door of two numbers": (
        problem(inputs=["int", "int"], reference="def f(x, y): return x", tests=None, public=None),
        "def f(x, y): return 0 if x == 76543 and y == 98765 else x",
    ),
    "a back door of a word": (
        problem(inputs=["str"], reference="def f(s): return len(s)", tests=None, public=None),
        "def f(s): return 0 if s == 'open sesame' else len(s)",
    ),
    "another type": (problem(tests=None, public=None), "def f(x): return float(x + 1)"),
    "a number below its range": (problem(**DIVISOR), "def f(n): return -n"),
    "garbage for the relation": (problem(**DIVISOR), "def f(n): return None"),
    "sorting without duplicates": (problem(**SORTING), "def f(xs): return sorted(set(xs))"),
    "not sorting": (problem(**SORTING), "def f(xs): return xs"),
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_that_passes_the_tests_fails_the_property(tester, name):
    task, source = CHEATS[name]
    verdict = tester.verify(task, source)
    assert (verdict.outcome, verdict.score) == (Outcome.FAIL, 0.0)
    assert "counterexample" in verdict.evidence
    assert "assurance" not in verdict.evidence


def test_a_back_door_that_no_draw_finds_is_found_by_the_solver(prover, tester):
    source = "def f(x):\n    if x * 7 + 3 == 8641975238641: return 0\n    return x + 1"
    assert tester.verify(problem(), source).is_pass
    verdict = prover.verify(problem(), source)
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "code.wrong_output")
    assert verdict.evidence["counterexample"]["args"] == [1234567891234]
    assert verdict.evidence["proof"] == "refuted"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def f(x) return x", "code.syntax_error"),
        ("def g(x): return x", "code.no_entry_point"),
        ("def f(x):\n    while True: pass", "code.timeout"),
        ("import os\ndef f(x): os._exit(0)", "code.died"),
        ("def f(x): return bytearray(1 << 40)", "code.memory"),
        ("def f(x): return {x}", "code.unserialisable"),
        ("def f(x): return 'a' * (2 << 20)", "code.output_limit"),
        ("def f(x): raise KeyError(x)", "code.exception"),
        ("#" * 300_000, "code.too_long"),
    ],
)
def test_each_fault_of_a_candidate_is_a_fail_with_its_reason(tester, source, reason):
    for tests in (problem()["tests"], None):
        verdict = tester.verify(problem(timeout_s=0.5, tests=tests, public=None), source)
        assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.FAIL, 0.0, reason)
        assert verdict.feedback


def test_a_counterexample_is_made_small(tester):
    smallest = tester.verify(problem(inputs=[{"int": {"min": 0}}]), "def f(x): return x + 1 if x < 300 else 0")
    assert smallest.evidence["counterexample"]["args"] == [300]
    unique = tester.verify(problem(**SORTING), "def f(xs): return sorted(set(xs))")
    assert unique.evidence["counterexample"]["args"] == [[0, 0]]
    assert unique.evidence["counterexample"]["expected"] == [0, 0]
    assert unique.evidence["counterexample"]["got"] == [0]


def test_feedback_shows_the_counterexample_only_where_the_task_says_so(tester):
    source = "def f(x): return x + 1 if x < 300 else 1234"
    task = problem(inputs=[{"int": {"min": 0}}])
    kept = tester.verify(task, source).feedback
    assert kept == "A freshly drawn input failed: wrong output."
    shown = tester.verify({**task, "show_counterexample": True}, source).feedback
    assert shown == "f(300) should return 301, but: it returned 1234."
    raised = tester.verify(problem(tests=None, public=None), "def f(x): raise ValueError(x)").feedback
    assert raised == "A freshly drawn input failed: ValueError (line 1)."


def test_hidden_tests_stay_hidden_where_counterexamples_are_shown(tester):
    tests = [{"args": [6], "expected": 2}, {"args": [4321], "expected": 29}]
    task = problem(**{**DIVISOR, "tests": tests, "examples": 5, "show_counterexample": True})
    verdict = tester.verify(task, "def f(n): return 0 if n == 4300 + 21 else n")
    assert verdict.feedback == "A hidden test failed: wrong output."
    public = tester.verify({**task, "public": 2}, "def f(n): return 0 if n == 4300 + 21 else n")
    assert public.feedback == "f(4321) returned 0, which is not allowed."


def test_a_public_test_is_shown_as_the_program_verifier_shows_it(tester):
    assert "f(1) should return 2, but returned 1." in tester.verify(problem(), "def f(x): return x").feedback


def test_inputs_follow_from_the_seed_and_the_salt(tester):
    source = "def f(x): return sum([x, 1])"
    again = PropertyVerifier(workers=1, salt="not told", prove=False)
    other = PropertyVerifier(workers=1, salt="another", prove=False)
    seen = [verifier.verify(problem(), source).evidence for verifier in (tester, again, other)]
    assert seen[0]["seed"] == seen[1]["seed"] != seen[2]["seed"]
    assert seen[0]["inputs_sha256"] == seen[1]["inputs_sha256"] != seen[2]["inputs_sha256"]
    assert tester.version == again.version != other.version
    assert "another" not in other.version
    again.close()
    other.close()


def test_where_counterexamples_are_shown_each_candidate_gets_inputs_of_its_own(tester):
    sources = ("def f(x): return sum([x, 1])", "def f(x): return sum((x, 1))")
    for show, distinct in ((False, 1), (True, 2)):
        task = problem(show_counterexample=show)
        assert len({tester.verify(task, source).evidence["inputs_sha256"] for source in sources}) == distinct


def test_a_candidate_cannot_choose_an_input_that_makes_its_judgement_unknown(tester):
    task = problem(reference="def f(x):\n    return x + 1 if x != 918273645546 else nowhere", tests=None, public=None)
    assert tester.verify(task, "def f(x): return x + 1 if x != 918273645546 else 0").is_pass
    slow = "def f(x):\n    while x == 918273645546: pass\n    return x + 1"
    verdict = tester.verify({**task, "reference": slow, "timeout_s": 0.5}, "def f(x): return 918273645546")
    assert verdict.outcome is Outcome.FAIL
    picky = "def check(args, result):\n    return result == args[0] if args[0] % 2 else nowhere"
    tests = [{"args": [3], "expected": 3}]
    odd = problem(**{**DIVISOR, "relation": picky, "tests": tests, "public": None, "inputs": {"n": {"choice": [3, 4]}}})
    assert tester.verify(odd, "def f(n): return 0").outcome is Outcome.FAIL  # before the relation breaks on 4
    assert tester.verify(odd, "def f(n): return n").reason == "problem.relation_failed"


def test_a_candidate_cannot_choose_an_answer_that_makes_its_judgement_unknown(tester, monkeypatch):
    monkeypatch.setattr(experiment, "_TRUSTED_S", 1.0)
    relation = (
        "def check(args, result):\n    return result == args[0] and all(a <= 10**99 for a in result for b in result)"
    )
    numbers = {"inputs": {"xs": {"list": "int"}}, "returns": {"list": "int"}, "reference": None, "relation": relation}
    task = problem(**numbers, tests=None, public=None, timeout_s=0.2)
    assert tester.verify(task, "def f(xs): return xs").is_pass
    endless = {**task, "relation": relation.replace("result == args[0]", "len(result) >= len(args[0])")}
    assert tester.verify(endless, "def f(xs): return xs").is_pass
    verdict = tester.verify(endless, "def f(xs): return [1] * 40_000")
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "code.wrong_output")


BROKEN = {
    "a reference that raises": (
        {"reference": "def f(x): return x + 1 // x", "tests": None},
        "problem.reference_failed",
    ),
    "a reference that does not load": ({"reference": "import nowhere\ndef f(x): return x"}, "problem.reference_failed"),
    "a reference that dies": ({"reference": "import os\ndef f(x): os._exit(0)"}, "problem.reference_failed"),
    "a reference that returns no value": ({"reference": "def f(x): return {x}"}, "problem.reference_failed"),
    "a reference against its tests": ({"reference": "def f(x): return x"}, "problem.reference_wrong"),
    "a condition that raises": ({"where": "1 // x"}, "problem.where_failed"),
    "a condition with another name": ({"where": "y > 0"}, "problem.where_failed"),
    "a condition that nothing meets": ({"where": "x == x + 1"}, "problem.where_too_narrow"),
    "a relation that raises": (
        {**DIVISOR, "relation": "def check(args, result): return nowhere"},
        "problem.relation_failed",
    ),
    "a relation that returns no bool": (
        {**DIVISOR, "relation": "def check(args, result): return 1"},
        "problem.relation_failed",
    ),
    "a relation against its tests": (
        {**DIVISOR, "relation": "def check(args, result): return False"},
        "problem.relation_wrong",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_problem_is_unknown_whatever_the_candidate(tester, name):
    changes, reason = BROKEN[name]
    for source in ("def f(x): return x + 1", "def f(x): return 'wrong'", "def f(x) return"):
        verdict = tester.verify(problem(**{"public": None, **changes}), source)
        assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.UNKNOWN, None, reason)
        assert verdict.evidence["error"]
        assert verdict.feedback == ""


def test_a_reference_that_raises_where_only_the_solver_looks_is_unknown(prover):
    task = problem(reference="def f(x): return x + 1 + 0 * (1 // (7 * x - 8641975238638))", tests=None, public=None)
    verdict = prover.verify(task, "def f(x): return x + 1")
    assert (verdict.outcome, verdict.reason) == (Outcome.UNKNOWN, "problem.reference_failed")
    assert verdict.evidence["input"] == [1234567891234]


MALFORMED = [
    ({"reference": None}, "a reference or a relation"),
    ({"relation": "def check(a, r): return True"}, "one of the two"),
    ({"reference": "def f(x) return"}, "reference does not compile"),
    ({"reference": "return 3"}, "reference"),
    ({"reference": "def g(x): return x"}, "must define a function 'f'"),
    ({"reference": "def f(): return 3"}, "'f' must take 1 arguments"),
    ({"reference": 3}, "reference must be the source"),
    ({**DIVISOR, "returns": None}, "relation needs 'returns'"),
    ({**DIVISOR, "relation": "def check(result): return True"}, "'check' must take 2"),
    ({"returns": "int"}, "returns goes with a relation"),
    ({"inputs": None}, "inputs must be a list"),
    ({"inputs": "int"}, "inputs must be a list"),
    ({"inputs": ["integer"]}, r"inputs\[0\] must be a type"),
    ({"inputs": [{"int": {"least": 3}}]}, r"inputs\[0\]\.int has an unknown key 'least'"),
    ({"inputs": [{"int": {"min": 3, "max": 2}}]}, "more than its greatest"),
    ({"inputs": [{"int": {"min": 1.5}}]}, r"inputs\[0\]\.int\.min"),
    ({"inputs": [{"int": {"min": True}}]}, r"inputs\[0\]\.int\.min"),
    ({"inputs": [{"float": {"max": float("nan")}}]}, "finite number"),
    ({"inputs": {"x": {"list": "what"}}}, r"inputs\.x\.list\.items must be a type"),
    ({"inputs": [{"list": {"items": "int", "max_size": -1}}]}, "max_size"),
    ({"inputs": [{"dict": {"values": "int", "keys": "int"}}]}, "JSON has no other keys"),
    ({"inputs": [{"choice": []}]}, "choice must be a list of values"),
    ({"inputs": [{"choice": [{1, 2}]}]}, "plain JSON"),
    ({"inputs": [{"tuple": "int"}]}, "tuple must be a list of types"),
    ({"inputs": {"not a name": "int"}}, "no Python identifier"),
    ({"where": "x >"}, "where does not compile"),
    ({"where": "x = 3"}, "where does not compile"),
    ({"where": 3}, "where must be"),
    ({**DIVISOR, "inputs": ["int"], "where": "x > 0"}, "where needs names"),
    ({"examples": -1}, "examples"),
    ({"examples": True}, "examples"),
    ({"examples": 0, "tests": None}, "nothing to judge by"),
    ({"tests": [{"args": [1, 2], "expected": 3}]}, r"tests\[0\].args must be 1"),
    ({"tests": [{"args": [1]}]}, r"tests\[0\]"),
    ({"show_counterexample": 1}, "show_counterexample"),
    ({"example": 3}, "did you mean 'examples'"),
    ({"entry_point": "1f"}, "entry_point"),
    ({"timeout_s": 0}, "timeout_s"),
]


@pytest.mark.parametrize(("changes", "message"), MALFORMED)
def test_a_malformed_problem_is_refused_naming_what_is_wrong(tester, changes, message):
    with pytest.raises(ProblemError, match=message) as caught:
        tester.verify(problem(public=None, **changes), "def f(x): return x + 1")
    assert "\n" not in str(caught.value)


def test_a_type_without_values_is_refused(tester):
    narrow = {"list": {"items": "bool", "min_size": 5, "unique": True}}
    with pytest.raises(ProblemError, match="no value can be drawn"):
        tester.verify(problem(inputs=[narrow], tests=None, public=None), "def f(x): return x")


def test_without_z3_it_still_tests_and_says_so(monkeypatch):
    real = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "z3" else real(name))
    with pytest.raises(MissingExtraError, match=r"z3-solver.*proofgrad\[code\]"):
        PropertyVerifier(prove=True)
    verifier = PropertyVerifier(workers=1)
    verdict = verifier.verify(problem(), "def f(x): return x + 1")
    verifier.close()
    assert verdict.is_pass
    assert verdict.evidence["assurance"].startswith("property-tested")
    assert verdict.evidence["proof"] == "gave up: z3-solver is not installed"
    assert "no-z3" in verifier.version


def test_without_hypothesis_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"hypothesis.*proofgrad\[code\]"):
        PropertyVerifier()


def test_a_sandbox_that_cannot_start_is_unknown_never_a_fail(monkeypatch):
    def refuse(*arguments, **named):
        raise WorkerDied("gone")

    verifier = PropertyVerifier(workers=1)
    monkeypatch.setattr("proofgrad.verifiers.code.runner.Runner.run", refuse)
    verdict = verifier.verify(problem(), "def f(x): return x + 1")
    assert (verdict.outcome, verdict.reason) == (Outcome.UNKNOWN, "infra.worker_died")


def test_required_isolation_is_insisted_on(monkeypatch):
    monkeypatch.setattr("proofgrad.verifiers.code.properties.ISOLATION", ("elsewhere",))
    monkeypatch.setattr("proofgrad.verifiers.code.runner._hello", lambda channel: ({"elsewhere": "missing: no"}, "3"))
    verifier = PropertyVerifier(workers=1, require_isolation=True)
    with pytest.raises(SandboxError, match="elsewhere"):
        verifier.verify(problem(), "def f(x): return x + 1")
    verifier.close()


def test_a_candidate_sees_neither_the_reference_nor_what_is_expected(tester):
    source = """
import gc
def f(x):
    for item in gc.get_objects():
        if isinstance(item, dict) and ("reference" in item or "expected" in item):
            return x + 1
        if isinstance(item, str) and "x + 1" in item and "get_objects" not in item:
            return x + 1
    return None
"""
    verdict = tester.verify(problem(tests=None, public=None), source)
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "code.wrong_output")


def test_many_threads_agree_and_a_pickled_copy_works_on_its_own(tester):
    sources = [f"def f(x): return sum([x, {number % 2}])" for number in range(12)]
    with ThreadPoolExecutor(4) as threads:
        verdicts = list(threads.map(lambda source: tester.verify(problem(), source), sources))
    assert [verdict.is_pass for verdict in verdicts] == [number % 2 == 1 for number in range(12)]
    copy = pickle.loads(pickle.dumps(tester))
    assert copy.version == tester.version
    assert copy.verify(problem(), sources[1]).evidence["seed"] == verdicts[1].evidence["seed"]
    copy.close()


def test_an_endless_program_is_not_run_again_and_again(tester):
    start = time.monotonic()
    verdict = tester.verify(problem(timeout_s=0.5), "def f(x):\n    while x > 50: pass\n    return x + 1")
    assert verdict.reason == "code.timeout"
    assert verdict.evidence["stopped_at"]["args"][0] > 50
    assert time.monotonic() - start < 5


TYPES = st.recursive(
    st.sampled_from(
        [
            *("int", "bool", "float", "str", "none"),
            *({"int": {"min": 3}}, {"int": {"min": -9, "max": -2}}, {"float": {"min": 0, "max": 1.5}}),
            *({"str": {"alphabet": "xyz", "min_size": 1, "max_size": 4}}, {"choice": [1, "a", None, [2]]}),
        ]
    ),
    lambda part: st.one_of(
        part.map(lambda of: {"list": of}),
        part.map(lambda of: {"list": {"items": of, "max_size": 3}}),
        part.map(lambda of: {"dict": {"values": of, "max_size": 3}}),
        st.lists(part, max_size=3).map(lambda of: {"tuple": of}),
        st.lists(part, min_size=1, max_size=3).map(lambda of: {"one_of": of}),
    ),
    max_leaves=4,
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(TYPES, min_size=1, max_size=2), st.integers(0, 2**48))
def test_what_is_drawn_is_of_its_type_and_so_is_all_that_is_smaller(specs, seed):
    types = [parse_type(spec, "inputs") for spec in specs]
    drawn = draw(types, 4, seed)
    assert drawn
    for args in drawn:
        args = json.loads(json.dumps(args))
        assert all(part.accepts(arg) for part, arg in zip(types, args, strict=True))
        seen = {json.dumps(args)}
        for _ in range(100):  # going down by the boldest step comes to an end
            options = smaller(types, args)
            for made in options:
                assert all(part.accepts(arg) for part, arg in zip(types, made, strict=True))
            if not options:
                break
            args = options[0]
            assert json.dumps(args) not in seen
            seen.add(json.dumps(args))
        else:
            pytest.fail(f"no end to what is smaller than {args}")


def test_values_of_other_types_are_not_accepted():
    for spec, value in (
        ("int", True),
        ("int", 1.0),
        ("float", 1),
        ("bool", 1),
        ("none", 0),
        ({"list": "int"}, [1, "a"]),
    ):
        assert not parse_type(spec, "inputs").accepts(value)
    assert not parse_type({"list": {"items": "int", "unique": True}}, "inputs").accepts([1, 1])
    assert not parse_type({"choice": [1]}, "inputs").accepts(True)


def test_constants_are_found_without_parsing_and_planted_where_they_fit():
    found = constants_of("def f(x) return 4_711 if 'abc' else \"de\" + x1 + 2.5 + 0x7 #")
    assert {4711, 4710, 4712, -4711, "abc", "de"} <= set(found)
    assert not {1, 2, 5, 7} & {value for value in found if isinstance(value, int)}
    types = [parse_type({"list": {"int": {"max": 4711}}}, "inputs"), parse_type("str", "inputs")]
    made = planted(types, [[[0], "a"], [[], ""]], found, 50, 1)
    assert made == planted(types, [[[0], "a"], [[], ""]], found, 50, 1)
    assert any(args[0] == [4711] for args in made)
    assert any(args[1] == "abc" for args in made)
    assert not any(4712 in args[0] for args in made)
