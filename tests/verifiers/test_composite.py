"""Composites: a failed gate decides, otherwise UNKNOWN does, otherwise the scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers import ConfigError, Outcome, ProblemError, Verdict, Verifier
from proofgrad.verifiers.composite import AllOf, Weighted


@dataclass
class Scripted:
    """Says what its problem tells it to, and remembers that it was asked."""

    name: str = "scripted"
    version: str = "1"
    asked: list[Any] = field(default_factory=list)
    closed: bool = False

    def verify(self, problem, candidate):
        self.asked.append(problem["says"])
        says = problem["says"]
        if says == "unknown":
            return Verdict.unknown("infra.worker_died", evidence={"candidate": candidate})
        if says == "fail":
            return Verdict.failed("x.wrong", score=problem.get("score", 0.0), feedback=f"wrong: {candidate}")
        return Verdict(Outcome.PASS, problem.get("score", 1.0), "x.ok")

    def close(self):
        self.closed = True


def part(says, **extra):
    problem = {"says": says} | ({"score": extra.pop("score")} if "score" in extra else {})
    return {"verifier": "x", "problem": problem, **extra}


def judged(made, *parts, candidate="c"):
    return made.verify({"parts": list(parts)}, candidate)


def test_both_are_verifiers():
    assert isinstance(AllOf({"x": Scripted()}), Verifier)
    assert isinstance(Weighted({"x": Scripted()}), Verifier)


def test_all_of_passes_what_every_part_passes_with_the_lowest_score():
    verdict = judged(AllOf({"x": Scripted()}), part("pass"), part("pass", score=0.8))
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.PASS, 0.8, "all_of.ok")


def test_all_of_fails_with_the_failed_parts_reason_and_feedback_and_asks_no_further():
    scripted = Scripted()
    verdict = judged(AllOf({"x": scripted}), part("pass"), part("fail", score=0.9), part("pass"))
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.FAIL, 0.0, "x.wrong")
    assert verdict.feedback == "wrong: c"
    assert scripted.asked == ["pass", "fail"]


def test_a_failed_gate_decides_even_after_an_unknown_one():
    assert judged(AllOf({"x": Scripted()}), part("unknown"), part("fail")).outcome is Outcome.FAIL


def test_an_unknown_gate_leaves_the_rest_unasked_and_the_whole_unknown():
    scripted = Scripted()
    verdict = judged(Weighted({"x": scripted}), part("pass"), part("unknown", gate=True))
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.UNKNOWN, None, "infra.worker_died")
    assert scripted.asked == ["unknown"]


def test_an_unknown_part_is_not_averaged_away():
    verdict = judged(Weighted({"x": Scripted()}, threshold=0.1), part("pass", weight=99), part("unknown", weight=0.1))
    assert verdict.outcome is Outcome.UNKNOWN


def test_gates_are_judged_first_whatever_their_place():
    scripted = Scripted()
    judged(Weighted({"x": scripted}), part("pass"), part("fail", gate=True))
    assert scripted.asked == ["fail"]


def test_weighted_takes_the_weighted_mean_and_the_threshold():
    made = Weighted({"x": Scripted()}, threshold=0.75)
    verdict = judged(made, part("pass", weight=3), part("fail"))
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.PASS, 0.75, "weighted.ok")
    verdict = judged(made, part("pass", weight=2), part("fail"))
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.FAIL, pytest.approx(2 / 3), "x.wrong")


def test_a_mean_that_falls_short_without_a_failed_part_has_a_reason_of_its_own():
    assert judged(Weighted({"x": Scripted()}), part("pass", score=0.9)).reason == "weighted.below_threshold"


def test_a_gate_of_weight_zero_decides_and_does_not_count():
    verdict = judged(Weighted({"x": Scripted()}), part("pass", gate=True, weight=0, score=0.5), part("pass"))
    assert (verdict.outcome, verdict.score) == (Outcome.PASS, 1.0)


says = st.sampled_from(["pass", "fail", "unknown"])


@given(st.lists(st.tuples(says, st.booleans(), st.integers(0, 3), st.floats(0, 1)), min_size=1, max_size=5))
def test_the_law_of_composition(parts):
    if not sum(weight for _, _, weight, _ in parts):
        return
    made = Weighted({"x": Scripted()}, threshold=0.5)
    verdict = judged(made, *(part(s, gate=g, weight=w, score=v) for s, g, w, v in parts))
    if any(s == "fail" and g for s, g, _, _ in parts):
        assert (verdict.outcome, verdict.score) == (Outcome.FAIL, 0.0)
    elif any(s == "unknown" for s, _, _, _ in parts):
        assert verdict.outcome is Outcome.UNKNOWN
    else:
        mean = sum(w * v for _, _, w, v in parts) / sum(w for _, _, w, _ in parts)
        assert verdict.score == pytest.approx(mean, abs=1e-8)
        assert verdict.is_pass == (round(mean, 9) >= 0.5)


def test_the_evidence_holds_every_parts_verdict_and_version():
    verdict = judged(AllOf({"x": Scripted(version="7")}), part("pass"), part("pass"))
    assert [one["version"] for one in verdict.evidence["parts"]] == ["7", "7"]
    assert Verdict.from_json(verdict.to_json()) == verdict


def test_the_version_changes_with_that_of_a_part_and_with_the_threshold():
    versions = {
        AllOf({"x": Scripted()}).version,
        AllOf({"x": Scripted(version="2")}).version,
        Weighted({"x": Scripted()}, threshold=0.5).version,
        Weighted({"x": Scripted()}, threshold=0.6).version,
    }
    assert len(versions) == 4


def test_verifiers_can_be_made_by_name_and_are_closed_with_it():
    scripted = Scripted()
    made = AllOf({"program": {"workers": 2}, "x": scripted})
    problem = {"entry_point": "f", "tests": [{"args": [1], "expected": 2}]}
    verdict = made.verify(
        {"parts": [{"verifier": "program", "problem": problem}, part("pass")]}, "def f(n):\n    return n + 1\n"
    )
    assert verdict.is_pass
    made.close()
    assert scripted.closed


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({}, "'parts' must be a list"),
        ({"parts": []}, "'parts' must be a list"),
        ({"parts": "x"}, "'parts' must be a list"),
        ({"parts": [part("pass")], "part": 1}, "unknown key 'part'"),
        ({"parts": [1]}, r"parts\[0\] must be an object"),
        ({"parts": [{"verifier": "y", "problem": {}}]}, "'verifier' is 'y'; this one was made with x"),
        ({"parts": [{"verifier": "x"}]}, "'problem' must be the problem of 'x'"),
        ({"parts": [part("pass", gat=True)]}, "unknown key 'gat'"),
        ({"parts": [part("pass", gate=1)]}, "'gate' must be true or false"),
        ({"parts": [part("pass", weight=-1)]}, "'weight' must be a number"),
        ({"parts": [part("pass", weight=float("nan"))]}, "'weight' must be a number"),
        ({"parts": [part("pass", weight=0)]}, "at least one part must have a weight"),
    ],
)
def test_a_malformed_problem_is_a_problem_error(problem, message):
    with pytest.raises(ProblemError, match=message):
        Weighted({"x": Scripted()}).verify(problem, "c")


def test_all_of_knows_no_weights():
    with pytest.raises(ProblemError, match="unknown key 'weight'"):
        judged(AllOf({"x": Scripted()}), part("pass", weight=2))


def test_wrong_options_are_configuration_errors():
    with pytest.raises(ConfigError, match="at least one verifier"):
        AllOf({})
    with pytest.raises(ConfigError, match="did you mean 'program'"):
        AllOf({"progam": {}})
    with pytest.raises(ConfigError, match="threshold is 0"):
        Weighted({"x": Scripted()}, threshold=0)
