"""The maths verifier: what the final answer is, and when it equals the known one."""

import pickle
import random
import signal
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofgrad.verifiers.base import Outcome, Verifier
from proofgrad.verifiers.errors import ConfigError, MissingExtraError, ProblemError
from proofgrad.verifiers.maths import MathsVerifier, final_answer

QUICK = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def maths():
    verifier = MathsVerifier(workers=1)
    yield verifier
    verifier.close()


def judged(maths, gold, candidate, **options):
    return maths.verify({"answer": gold, **options}, candidate).outcome is Outcome.PASS


# What the final answer is.


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("\\boxed{5}", "5"),
        ("First \\boxed{4}, no: \\boxed{5}.", "5"),
        ("so \\boxed{\\frac{1}{2}} it is", "\\frac{1}{2}"),
        ("\\boxed{\\boxed{5}}", "5"),
        ("\\fbox {5}", "5"),
        ("\\boxed{5} and, cut off, \\boxed{6", "5"),
        ("The final answer is 7, says \\boxed{5}", "5"),
        ("a } brace \\{ or two { before \\boxed{5}", "5"),
        ("The final answer is $7$. I hope it is correct.", "7"),
        ("The answer is 6.\nNo: the final answer is 7.", "7"),
        ("**Answer:** 7", "7"),
        ("Answer: **7**", "7"),
        ("Thus, the answer is:\n$$7$$\nDone.", "7"),
        ("  $x = 5$ ", "x = 5"),
        ("5!", "5!"),
        ("1,234.", "1,234"),
        ("５", "5"),
        ("−3", "-3"),
        ("x¹²", "x^{12}"),
        ("2.5e-3", "2.5 \\times 10^{-3}"),
        ("\\sum_{i=1}^{10} i", "\\sum_{i=1}^{10} i"),
        ("\\boxed{\\}}", "\\}"),
    ],
)
def test_the_final_answer_of(completion, answer):
    assert final_answer(completion) == answer


@pytest.mark.parametrize(
    "completion",
    ["", " \n ", "\\boxed{}", "\\boxed{4} \\boxed{ }", "I get 5\nso it is", "5\n6", "The answer is:", "$$"],
)
def test_there_is_no_final_answer_in(completion):
    assert final_answer(completion) is None


@given(text=st.text(alphabet="\\boxed{}$ 5a\nnswer:is", max_size=200))
@settings(max_examples=200, deadline=None)
def test_reading_any_text_gives_an_answer_of_one_line_or_none(text):
    answer = final_answer(text)
    assert answer is None or (answer and "\n" not in answer)


def test_reading_a_long_hostile_text_takes_no_time():
    start = time.monotonic()
    for piece in ("\\boxed{", "{", "answer is ", "\\boxed{5}", "final " + " " * 50, "**"):
        final_answer(piece * 50_000)
    assert time.monotonic() - start < 5


# Equality.


@pytest.mark.parametrize(
    ("gold", "candidate"),
    [
        ("5", "5.0"), ("5", "x = 5"), ("5", "f(x) = 5"), ("5", "2+3=5"), ("1/2", "0.5"), ("\\frac{1}{2}", "\\frac12"),
        ("1/3", "0.333333"), ("0.5", "50%"), ("50\\%", "0.5"), ("50%", "50"), ("1,234", "1234"), ("1000", "1{,}000"),
        ("(x+1)^2", "x^2+2x+1"), ("\\sqrt{8}", "2\\sqrt{2}"), ("3e5", "300000"), ("1 \\frac{1}{2}", "3/2"),
        ("\\{1,2\\}", "2, 1"), ("5,6", "6 and 5"), ("[0,1)", "0 \\le x < 1"), ("\\infty", "∞"), ("10^{12}", "10¹²"),
        ("x<5", "5>x"), ("\\text{Paris}", "paris"), ("True", "true"), ("B", "(B)"), ("120", "5!"), ("\\emptyset", "∅"),
        ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"), ("x=5", "5"),
        (["7", "5"], "5"), (["Paris", "5"], "5"), ("5 \\text{ km}", "5 km"),
    ],
)  # fmt: skip
def test_it_accepts(maths, gold, candidate):
    assert judged(maths, gold, candidate)


@pytest.mark.parametrize(
    ("gold", "candidate"),
    [
        ("5", "6"), ("5", "5.01"), ("5", "-5"), ("1/3", "0.33"), ("(1,2)", "[1,2]"), ("[1,2]", "(1,2)"),
        ("(1,2)", "(2,1)"), ("(1,2)", "2,1"), ("5,6", "5"), ("5", "5, 6"), ("x=5", "y=5"), ("x<5", "x>5"),
        ("x<5", "x \\le 5"), ("\\infty", "-\\infty"), ("Paris", "London"), ("A", "B"), ("5", "5 km"),
        ("x^2", "x^3"), ("1", "0.9999"), ("100000000", "100000000.4"),
    ],
)  # fmt: skip
def test_it_refuses(maths, gold, candidate):
    verdict = maths.verify({"answer": gold}, candidate)
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.FAIL, 0.0, "maths.wrong")


def test_decimals_say_how_exactly_fractions_must_agree(maths):
    assert not judged(maths, "1/3", "0.33")
    assert judged(maths, "1/3", "0.33", decimals=2)
    assert not judged(maths, "1/3", "0.3", decimals=2)


numbers = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.builds(lambda a, b: f"\\frac{{{a}}}{{{b}}}", st.integers(-99, 99), st.integers(1, 99)),
    st.decimals(-1000, 1000, places=3, allow_nan=False).map(str),
)


@given(number=numbers)
@QUICK
def test_a_number_equals_itself_however_it_is_presented(maths, number):
    shown = random.Random(number).choice(
        [number, f"${number}$", f"\\boxed{{{number}}}", f"So:\nthe final answer is {number}."]
    )
    assert judged(maths, number, shown)


@given(one=numbers, other=numbers)
@QUICK
def test_equality_of_numbers_is_symmetric(maths, one, other):
    assert judged(maths, one, other) == judged(maths, other, one)


@given(number=st.integers(-1000, 1000), off=st.integers(1, 1000))
@QUICK
def test_different_whole_numbers_are_never_equal(maths, number, off):
    assert not judged(maths, str(number), str(number + off))


# The verifier.


def test_it_is_a_verifier_whose_version_names_what_it_rests_on(maths):
    assert isinstance(maths, Verifier)
    for library in ("math-verify-", "latex2sympy-", "sympy-"):
        assert library in maths.version


def test_a_verdict_shows_what_was_read_and_never_what_was_expected(maths):
    verdict = maths.verify({"answer": "987654321"}, "so \\boxed{41}")
    assert verdict.evidence["answer"] == "41"
    assert "987654321" not in str(verdict.to_json())
    assert verdict.seconds > 0


@pytest.mark.parametrize(
    "answer", [None, "", [], 5, ["5", 6], "\\boxed{}", "\\frac{", "1/0", "a\nb", "(" * 50 + "5" + ")" * 50, "1" * 2000]
)
def test_an_answer_that_cannot_be_judged_against_is_the_problems_fault(maths, answer):
    with pytest.raises(ProblemError, match="answer"):
        maths.check_problem({"answer": answer})
    with pytest.raises(ProblemError, match="answer"):
        maths.verify({"answer": answer}, "5")


def test_a_sound_problem_passes_the_check(maths):
    maths.check_problem({"answer": ["\\frac{1}{2}", "a half"], "decimals": 3, "timeout_s": 2})


@pytest.mark.parametrize(
    "wrong", [{"tolerance": 1}, {"decimals": -1}, {"decimals": True}, {"timeout_s": 0}, {"timeout_s": "5"}]
)
def test_wrong_options_are_the_problems_fault(maths, wrong):
    with pytest.raises(ProblemError, match=next(iter(wrong))):
        maths.verify({"answer": "5", **wrong}, "5")


def test_a_worker_that_dies_is_unknown_and_the_next_candidate_is_judged():
    verifier = MathsVerifier(workers=1)
    assert judged(verifier, "5", "5")
    worker = verifier._judges._made[3]._workers[0]
    worker._process.send_signal(signal.SIGKILL)
    worker._process.wait()
    assert verifier.verify({"answer": "5"}, "5").reason == "infra.worker_died"
    assert judged(verifier, "5", "5")
    verifier.close()


def test_a_worker_that_is_starved_is_unknown():
    verifier = MathsVerifier(workers=1)
    assert judged(verifier, "5", "5")
    isolated = verifier._judges._made[3]
    isolated._deadline_s = 0.3
    isolated._workers[0]._process.send_signal(signal.SIGSTOP)
    assert verifier.verify({"answer": "5"}, "5").reason == "infra.deadline"
    isolated._deadline_s = 10.0
    assert judged(verifier, "5", "5")
    verifier.close()


def test_a_copy_for_another_process_works(maths):
    copy = pickle.loads(pickle.dumps(maths))
    assert copy.version == maths.version
    assert judged(copy, "5", "5")
    copy.close()


def test_without_math_verify_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"proofgrad\[maths\]"):
        MathsVerifier()


def test_wrong_workers_are_a_configuration_error():
    with pytest.raises(ConfigError, match="workers is 0"):
        MathsVerifier(workers=0)
