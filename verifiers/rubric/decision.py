"""From findings on single criteria to one decision. Pure functions.

A failed gate decides. Otherwise a criterion that could not be judged leaves the whole undecided. Otherwise the weighted
score does: each criterion gives its weight times its value, from 0 to 1, over the sum of weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from proofgrad.verifiers.base import Json, Outcome, Problem
from proofgrad.verifiers.rubric.judge import Mark
from proofgrad.verifiers.rubric.quoting import visible
from proofgrad.verifiers.rubric.rubric import JudgeCriterion, Rubric

__all__ = ["Decision", "Finding", "checked", "decide"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found on one criterion.

    Attributes:
        met: whether the answer meets it; None when it could not be judged.
        value: in [0, 1]; None exactly when `met` is.
        score: the judge's, from 1 to 5, if there was one.
        reason: why it could not be judged, e.g. ``infra.judge_unreachable``, or "".
        detail: the same in words, for the evidence.
    """

    met: bool | None
    value: float | None
    score: int | None = None
    reason: str = ""
    detail: str = ""

    @classmethod
    def of_label(cls, met: bool) -> Finding:
        """What a label, or a check by code, says."""
        return cls(met, float(met))

    @classmethod
    def of_mark(cls, criterion: JudgeCriterion, mark: Mark) -> Finding:
        """What a judge's mark says."""
        if mark.score is None:
            return cls(None, None, None, mark.reason, mark.detail)
        return cls(mark.score >= criterion.met_at, (mark.score - 1) / 4, mark.score)

    def to_json(self) -> dict[str, Json]:
        """The finding as plain JSON types."""
        found: dict[str, Json] = {"met": self.met}
        found |= {"score": self.score} if self.score is not None else {}
        return found | ({"reason": self.reason, "detail": self.detail} if self.reason else {})


@dataclass(frozen=True, slots=True)
class Decision:
    """What the findings come to.

    Attributes:
        outcome: PASS, FAIL or UNKNOWN.
        score: None exactly when UNKNOWN. A PASS has at least the threshold, a FAIL less.
        reason: ``rubric.ok``, ``rubric.gate_failed``, ``rubric.below_threshold``, or the first finding's that is None.
        unmet: the criteria that were found not to be met, in the rubric's order.
    """

    outcome: Outcome
    score: float | None
    reason: str
    unmet: tuple[str, ...]


def checked(rubric: Rubric, problem: Problem, answer: str) -> dict[str, Finding]:
    """The findings on all criteria that code checks."""
    text = visible(answer)
    return {criterion.id: Finding.of_label(criterion.check.holds(text, problem)) for criterion in rubric.coded}


def decide(rubric: Rubric, findings: Mapping[str, Finding]) -> Decision:
    """The decision on an answer.

    Args:
        rubric: the rubric.
        findings: by criterion. Criteria may be missing once a gate has failed, or once one could not be judged.

    Raises:
        KeyError: a finding is missing that the decision depends on.
    """
    unmet = tuple(c.id for c in rubric.criteria if c.id in findings and findings[c.id].met is False)
    if any(c.gate and c.id in unmet for c in rubric.criteria):
        return Decision(Outcome.FAIL, 0.0, "rubric.gate_failed", unmet)
    open_ = [findings[c.id] for c in rubric.criteria if c.id in findings and findings[c.id].met is None]
    if open_:
        return Decision(Outcome.UNKNOWN, None, open_[0].reason, unmet)
    total = sum(c.weight for c in rubric.criteria)
    # Rounded, so that three criteria of weight 0.1 reach a threshold of 0.3.
    score = round(sum(c.weight * (findings[c.id].value or 0.0) for c in rubric.criteria) / total, 9)
    if score >= rubric.threshold:
        return Decision(Outcome.PASS, score, "rubric.ok", unmet)
    return Decision(Outcome.FAIL, score, "rubric.below_threshold", unmet)
