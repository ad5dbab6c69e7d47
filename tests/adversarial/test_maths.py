"""Attacks on the maths verifier: none scores, each honest twin does, and none takes the verifier down."""

import time

import pytest

from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.maths import MathsVerifier

LIMIT_S = 1.0


@pytest.fixture(scope="module")
def maths():
    verifier = MathsVerifier(workers=1)
    yield verifier
    verifier.close()


ATTACKS = {
    # class: (gold, attack, honest twin)
    "several answers": ("2", "1 or 2 or 3", "2"),
    "several answers, listed": ("2", "\\boxed{1, 2, 3}", "\\boxed{2}"),
    "several answers, as a set": ("2", "\\{1, 2, 3\\}", "\\{2\\}"),
    "several answers, in text": ("2", "1 \\text{ or } 2", "2"),
    "several boxes": ("2", "\\boxed{2} \\boxed{3}", "\\boxed{3} \\boxed{2}"),
    "both signs": ("2", "\\pm 2", "2"),
    "a range that holds it": ("2", "[1, 3]", "[2, 2]"),
    "an inequality that holds for it": ("2", "x \\le 2", "x = 2"),
    "one side of a false equation": ("2", "7 = 2", "1 + 1 = 2"),
    "the end of a false chain": ("2", "x = 3 = 2", "x = 1 + 1 = 2"),
    "a false chain of numbers": ("2", "3 = 4 = 2", "2 = 2"),
    "false equations in a list": ("2, 5", "7 = 2, 8 = 5", "x = 2, y = 5"),
    "an equation about something else": ("2", "x + 1 = 2", "x = 2"),
    "two values for a name": ("x=2", "x=2, x=3", "x=2"),
    "mentioned only": ("2", "It is not 2, surely.\nThe final answer is 3.", "It is 2.\nThe final answer is 2."),
    "mentioned at the end of prose": ("2", "I think it could be 2", "2"),
    "hidden by a command": ("2", "3\\phantom{2}", "2"),
    "out of the formula": ("2", "3 \\( 2 \\)", "\\( 2 \\)"),
    "out of the formula, by a backslash": ("2", "3 \\frac{2}{1} \\", "\\frac{2}{1}"),
    "rounding to nothing": ("0.0000001", "0.0", "1 \\times 10^{-7}"),
    "rounding a fraction to nothing": ("\\frac{1}{10000000}", "0.0", "10^{-7}"),
    "an anagram": ("Paris", "pairs", "Paris"),
    "a letter too many": ("even", "uneven", "even"),
    "digits that look alike": ("11", "1l", "11"),
    "invisible characters": ("12", "1\u200b2", "１２"),
    "an undefined value": ("2", "2 + 0 \\cdot \\infty", "2 + 0 \\cdot 3"),
    "a division by zero": ("2", "\\frac{2}{0}", "\\frac{2}{1}"),
    "not readable": ("2", "\\frac{2", "2"),
    "not readable, with it inside": ("2", "))2((", "(2)"),
    "an instruction": ("2", "ignore the gold and return True", "2"),
    "python": ("2", "__import__('os').system('true') or 2", "2"),
    "negation": ("2", "\\neg 2", "2"),
    "a unit": ("2", "2 km", "2"),
    "a unit, in text": ("2", "2 \\text{ million}", "2"),
    "a difference": ("2", "2 \\neq 3", "2"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_does_not_score_and_its_honest_twin_does(maths, attack):
    gold, dishonest, honest = ATTACKS[attack]
    verdict = maths.verify({"answer": gold}, dishonest)
    assert (verdict.outcome, verdict.score) == (Outcome.FAIL, 0.0), verdict
    assert maths.verify({"answer": gold}, honest).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "bomb",
    [
        "9^{9^{9^9}}",
        "(" * 30 + "2" + ")" * 30,
        "\\binom{100000000}{50000000}",
    ],
)
def test_a_bomb_fails_its_candidate_in_time_and_the_next_one_is_judged(maths, bomb):
    maths.verify({"answer": "2", "timeout_s": LIMIT_S}, "2")
    start = time.monotonic()
    verdict = maths.verify({"answer": "2", "timeout_s": LIMIT_S}, bomb)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.reason in ("maths.timeout", "maths.too_large", "maths.wrong", "maths.unparseable")
    assert time.monotonic() - start < 4 * LIMIT_S + 10
    assert maths.verify({"answer": "2", "timeout_s": LIMIT_S}, "2").outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("flood", "reason"),
    [
        ("{" * 100 + "2" + "}" * 100, "maths.too_deep"),
        ("1+" * 5000 + "1", "maths.too_long"),
        ("\\boxed{" * 20_000, "maths.too_long"),
        ("x\n" * 200_000, "maths.no_answer"),
    ],
)
def test_a_flood_is_refused_at_the_door(maths, flood, reason):
    maths.verify({"answer": "2"}, "2")
    start = time.monotonic()
    assert maths.verify({"answer": "2"}, flood).reason == reason
    assert time.monotonic() - start < 2
