"""The verdict: three outcomes, and a score that cannot be invented."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers.base import Outcome, Verdict

reasons = st.from_regex(r"[a-z]+\.[a-z_]+", fullmatch=True)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
verdicts = st.one_of(
    st.builds(Verdict.passed, reasons, evidence=st.dictionaries(st.text(), json_values)),
    st.builds(Verdict.failed, reasons, score=st.floats(0, 1), feedback=st.text()),
    st.builds(Verdict.unknown, reasons, seconds=st.floats(0, 10)),
)


@given(verdicts)
def test_json_gives_back_the_same_verdict(verdict):
    assert Verdict.from_json(verdict.to_json()) == verdict


@given(verdicts)
def test_a_score_is_missing_exactly_when_the_outcome_is_unknown(verdict):
    assert (verdict.score is None) == (verdict.outcome is Outcome.UNKNOWN)


@pytest.mark.parametrize(
    ("outcome", "score"),
    [(Outcome.UNKNOWN, 0.0), (Outcome.FAIL, None), (Outcome.PASS, None), (Outcome.PASS, 1.5), (Outcome.FAIL, -0.1)],
)
def test_a_contradictory_verdict_is_refused(outcome, score):
    with pytest.raises(ValueError, match="score"):
        Verdict(outcome, score, "x.y")


def test_a_nan_score_is_refused():
    with pytest.raises(ValueError, match="score must lie"):
        Verdict(Outcome.FAIL, float("nan"), "x.y")


def test_a_verdict_needs_a_reason():
    with pytest.raises(ValueError, match="reason"):
        Verdict(Outcome.PASS, 1.0, "")
