"""The reasoning verifier: reasoning-gym's scorers, without the credit that can be had for nothing."""

import json
import pickle
import subprocess
import sys
import time

import pytest

from proofgrad.verifiers.base import Outcome, Verifier
from proofgrad.verifiers.errors import MissingExtraError, ProblemError
from proofgrad.verifiers.reasoning import EXCLUDED, GUARDED, READ, ReasoningVerifier


@pytest.fixture(scope="module")
def reasoning():
    verifier = ReasoningVerifier(workers=1)
    yield verifier
    verifier.close()


def problem(family, index=0, **options):
    import reasoning_gym

    entry = reasoning_gym.create_dataset(family, seed=5, size=50, **options)[index]
    return {"family": family, "entry": json.loads(json.dumps(entry))}


def test_it_is_a_verifier_whose_version_names_the_library(reasoning):
    assert isinstance(reasoning, Verifier)
    assert "reasoning-gym-" in reasoning.version


@pytest.mark.parametrize(
    "family", ["chain_sum", "countdown", "basic_arithmetic", "sudoku", "syllogism", "tower_of_hanoi"]
)
def test_the_known_answer_passes_and_others_fail(reasoning, family):
    asked = problem(family)
    good = reasoning.verify(asked, asked["entry"]["answer"])
    assert (good.outcome, good.reason) == (Outcome.PASS, "reasoning.ok")
    for wrong in ("", "nonsense", "0"):
        verdict = reasoning.verify(asked, wrong)
        assert (verdict.outcome, verdict.score) == (Outcome.FAIL, 0.0)


def test_another_right_answer_passes_too(reasoning):
    asked = problem("countdown")
    swapped = f"({asked['entry']['answer']}) + 0 * 1"
    assert reasoning.verify(asked, f"({asked['entry']['answer']})").is_pass
    assert reasoning.verify(asked, swapped).score == 0.0  # it uses numbers that were not given


def test_partial_credit_that_the_scorer_measures_counts(reasoning):
    asked = problem("polynomial_equations")
    close = reasoning.verify(asked, "0")
    assert close.outcome is Outcome.FAIL
    assert close.score == (close.evidence["scorer"] if close.evidence["scorer"] > 0.1 else 0.0)
    similar = reasoning.verify(problem("spell_backward"), problem("spell_backward")["entry"]["answer"][:-1])
    assert similar.outcome is Outcome.FAIL
    assert 0.1 < similar.score < 1.0


@pytest.mark.parametrize("family", ["gcd", "leg_counting", "base_conversion", "word_sequence_reversal"])
def test_credit_for_listing_answers_or_for_their_form_does_not_count(reasoning, family):
    asked = problem(family)
    gold = asked["entry"]["answer"]
    for hedge in (f"{gold} or 17", f"17, {gold}", f"{gold} {gold}", f" 1 2 3 {gold} 4"):
        verdict = reasoning.verify(asked, hedge)
        assert (verdict.outcome, verdict.score) == (Outcome.FAIL, 0.0)
        assert verdict.evidence["scorer"] < 1.0


def test_a_scorer_that_raises_on_a_candidate_fails_it(reasoning):
    verdict = reasoning.verify(problem("prime_factorization"), "not a number")
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "reasoning.unreadable")


@pytest.mark.parametrize("family", sorted(GUARDED))
def test_where_a_scorer_evaluates_the_candidate_nothing_but_an_answer_gets_there(reasoning, family, tmp_path):
    asked, mark = problem(family), tmp_path / "mark"
    assert reasoning.verify(asked, asked["entry"]["answer"]).is_pass
    for attack in (
        f"open({str(mark)!r}, 'w')",
        f"__import__('pathlib').Path({str(mark)!r}).touch()",
        "exec('1')",
        "[x for x in ()]",
        "print",
        "entry['answer']",
        "oracle_answer",
        asked["entry"]["answer"] + "\nimport os",
    ):
        verdict = reasoning.verify(asked, attack)
        assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "reasoning.unreadable"), attack
    assert not mark.exists()


def test_a_candidate_that_takes_for_ever_fails_and_the_next_is_judged(reasoning):
    asked = {**problem("countdown"), "timeout_s": 1.0}
    start = time.monotonic()
    verdict = reasoning.verify(asked, "9**9**9**9")
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "reasoning.timeout")
    assert time.monotonic() - start < 15
    assert reasoning.verify(asked, asked["entry"]["answer"]).is_pass


def test_a_long_candidate_is_refused_at_the_door(reasoning):
    assert reasoning.verify(problem("gcd"), "7" * 30_000).reason == "reasoning.too_long"


def test_feedback_never_holds_the_known_answer(reasoning):
    asked = problem("chain_sum")
    for candidate in ("1", "nonsense", f"{asked['entry']['answer']} or 1"):
        assert asked["entry"]["answer"] not in reasoning.verify(asked, candidate).feedback


def test_a_known_answer_that_does_not_score_is_the_problems_fault(reasoning):
    asked = problem("countdown")
    with pytest.raises(ProblemError, match="does not accept the problem's own answer"):
        reasoning.verify({**asked, "entry": {**asked["entry"], "answer": "1 + 1"}}, "1")
    asked = problem("prime_factorization")
    with pytest.raises(ProblemError, match="raises on the problem's own answer"):
        reasoning.verify({**asked, "entry": {**asked["entry"], "answer": "x"}}, "1")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"family": "chain_summ"}, "no family 'chain_summ'"),
        ({"family": "puzzle24"}, "one expression answers every question"),
        ({"family": 5}, "'family'"),
        ({"entry": {"answer": "5"}}, "'metadata'"),
        ({"entry": {"answer": None, "metadata": {}}}, "'answer'"),
        ({"config": {"size": 7}}, "does not read"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"extra": 1}, "unknown key 'extra'"),
    ],
)
def test_a_malformed_problem_is_named(reasoning, wrong, message):
    with pytest.raises(ProblemError, match=message):
        reasoning.verify({**problem("chain_sum"), **wrong}, "5")


def test_the_precision_that_a_question_was_made_with_is_the_one_it_is_judged_by(reasoning):
    entry = {"question": "", "answer": "0.25", "metadata": {}}
    exact = {"family": "decimal_arithmetic", "entry": entry, "config": {"max_num_decimal_places": 9}}
    assert reasoning.verify({**exact, "config": {"max_num_decimal_places": 1}}, "0.26").is_pass
    assert not reasoning.verify(exact, "0.26").is_pass
    assert "decimal_arithmetic" in READ


def test_a_copy_for_another_process_works(reasoning):
    copy = pickle.loads(pickle.dumps(reasoning))
    asked = problem("gcd")
    assert copy.verify(asked, asked["entry"]["answer"]).is_pass
    copy.close()


def test_without_reasoning_gym_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"proofgrad\[reasoning\]"):
        ReasoningVerifier()


def test_every_excluded_family_exists_and_says_why():
    from reasoning_gym.factory import DATASETS

    assert set(EXCLUDED) | set(GUARDED) | set(READ) <= set(DATASETS)
    assert all(len(reason) > 20 for reason in EXCLUDED.values())
    assert not set(EXCLUDED) & set(GUARDED)


_EVALUATING = """
import ast, inspect, json, sys
from reasoning_gym.factory import DATASETS
found = []
for name, (made, _) in DATASETS.items():
    tree = ast.parse(inspect.getsource(sys.modules[made.__module__]))
    called = set()
    for scorer in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "score_answer"):
        for call in (n for n in ast.walk(scorer) if isinstance(n, ast.Call)):
            called.add(getattr(call.func, "id", getattr(call.func, "attr", "")))
    if called & {"eval", "exec", "parse_expr", "sympify", "compile"}:
        found.append(name)
print(json.dumps(sorted(found)))
"""


def test_every_scorer_that_evaluates_is_excluded_or_guarded():
    done = subprocess.run([sys.executable, "-c", _EVALUATING], capture_output=True, text=True, check=True)
    evaluating = set(json.loads(done.stdout))
    evaluating.discard("number_sorting")  # it evaluates the known answer only
    assert evaluating <= set(EXCLUDED) | set(GUARDED)
    assert evaluating >= set(GUARDED)
