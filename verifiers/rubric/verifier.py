"""`RubricVerifier`: judges an answer by a rubric, where nothing can be proved.

The problem:

    {"prompt": "what was asked",
     "reference": "what a good answer knows",   optional; the judge reads it, the policy does not
     "lines": 12,                               optional; how many lines what was asked about has
     "rubric": "safety_advice"}                 which rubric; may be left out where the verifier has only one

The candidate is the answer. What code can check is checked first, then the gates are judged, then the rest: a failed
gate decides, and nothing more is asked. A criterion that could not be judged leaves the verdict UNKNOWN, unless a gate
has failed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

from proofgrad.verifiers.base import Json, Outcome, Problem, Verdict
from proofgrad.verifiers.errors import ConfigError, ProblemError
from proofgrad.verifiers.rubric.calibration import require_calibrated
from proofgrad.verifiers.rubric.decision import Decision, Finding, checked, decide
from proofgrad.verifiers.rubric.judge import Judge, judge_model, make_judge
from proofgrad.verifiers.rubric.prompt import Question, prompt_version, question
from proofgrad.verifiers.rubric.quoting import quote, visible
from proofgrad.verifiers.rubric.rubric import JudgeCriterion, Rubric, load_rubric, shipped_rubrics

__all__ = ["RubricVerifier"]

RubricOption = str | PathLike[str] | Rubric


@dataclass(slots=True)
class _Hearing:
    """One answer on its way to a verdict."""

    rubric: Rubric
    problem: Problem
    answer: str
    findings: dict[str, Finding] = field(default_factory=dict)
    refused: tuple[str, str] | None = None  # reason and feedback, for an answer that is not read
    asked: int = 0

    @property
    def is_decided(self) -> bool:
        """Whether a gate has failed, or the answer is not read."""
        gates = (self.findings.get(criterion.id) for criterion in self.rubric.criteria if criterion.gate)
        return self.refused is not None or any(gate is not None and gate.met is False for gate in gates)

    @property
    def is_open(self) -> bool:
        """Whether a criterion could not be judged."""
        return any(finding.met is None for finding in self.findings.values())


class RubricVerifier:
    """Judges answers by rubrics: what code can check by code, the rest by a judge, one criterion at a time.

    Args:
        rubric: a shipped rubric's name, the path of a YAML file, or several of them; by default all that are shipped.
        judge: ``{url: ..., model: ...}`` of an OpenAI-compatible endpoint, ``{in_process: DIRECTORY}`` for vLLM in this
            process (`make_judge` lists the other keys), or a `Judge`. Rubrics that code alone can check need none.
        calibration: file of results of ``proofgrad rubric calibrate``. A judge that has none there for a rubric, or
            falls short of the rubric's minimum, is refused.
        allow_uncalibrated: take such a judge all the same; the evidence of every verdict says so.
        delimiter_key: decides the delimiters around quoted answers. Keep it secret; give one to have judgements
            repeated word for word in another process. By default it is drawn anew in each.

    Raises:
        ConfigError: a rubric, the judge or the calibration is missing, malformed or falls short.
        MissingExtraError: the client, or vLLM, is not installed.
    """

    name = "rubric"
    batch_size = 16

    def __init__(
        self,
        rubric: RubricOption | Sequence[RubricOption] | None = None,
        judge: Judge | Mapping[str, Any] | None = None,
        *,
        calibration: str | PathLike[str] | None = None,
        allow_uncalibrated: bool = False,
        delimiter_key: str | None = None,
    ) -> None:
        if rubric is None:
            rubric = list(shipped_rubrics())
        given = [rubric] if isinstance(rubric, str | PathLike | Rubric) else list(rubric)
        rubrics = [one if isinstance(one, Rubric) else load_rubric(one) for one in given]
        self._rubrics = {one.name: one for one in rubrics}
        if not rubrics or len(self._rubrics) != len(rubrics):
            raise ConfigError(f"rubric: give one or more rubrics, each once, got {[one.name for one in rubrics]}")
        self._judge: Judge | None = None
        self._model = "none"
        self._calibrations: dict[str, bool] = {}
        if needy := [one for one in rubrics if one.judged]:
            if judge is None:
                raise ConfigError(
                    f"the rubric '{needy[0].name}' needs a judge: give judge={{'url': ..., 'model': ...}} or "
                    "{'in_process': DIRECTORY}"
                )
            self._model = judge_model(judge)
            found = require_calibrated(needy, self._model, calibration, allow_uncalibrated=allow_uncalibrated)
            self._calibrations = {name: result.meets(self._rubrics[name]) for name, result in found.items()}
            self._judge = make_judge(judge)  # last: it may load a model
        self._key = secrets.token_bytes(32) if delimiter_key is None else delimiter_key.encode("utf-8", "surrogatepass")
        parts = [f"{one.name}-{one.digest[:12]}" for one in sorted(rubrics, key=lambda one: one.name)]
        self.version = f"1+{'+'.join(parts)}+prompt-{prompt_version()}+{self._model}"

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """Judge `candidate` as an answer to `problem`.

        Reasons: ``rubric.ok``, ``rubric.gate_failed``, ``rubric.below_threshold``, ``rubric.empty``,
        ``rubric.too_long``, and with outcome UNKNOWN ``infra.judge_...`` as in `Mark`.

        Raises:
            ProblemError: the problem is malformed, or of a rubric that this verifier does not have.
        """
        return self.verify_batch([(problem, candidate)])[0]

    def verify_batch(self, items: Iterable[tuple[Problem, str]]) -> list[Verdict]:
        """Judge several answers; what the judge is asked about them goes out together.

        Raises:
            ProblemError: a problem is malformed.
        """
        start = time.monotonic()
        hearings = [self._hearing(problem, candidate) for problem, candidate in items]
        for gates in (True, False):
            self._ask([h for h in hearings if not h.is_decided and not h.is_open], gates)
        seconds = (time.monotonic() - start) / max(1, len(hearings))
        return [self._verdict(hearing, seconds) for hearing in hearings]

    def close(self) -> None:
        """Give back what the judge holds."""
        if self._judge is not None:
            self._judge.close()

    def _hearing(self, problem: Problem, candidate: str) -> _Hearing:
        rubric = self._rubric_of(problem)
        hearing = _Hearing(rubric, problem, candidate)
        most = rubric.max_answer_bytes
        if len(candidate) > 2 * most or self._quoted_bytes(candidate) > most:
            hearing.refused = ("rubric.too_long", "The answer is too long to be read.")
        elif not visible(candidate).strip():
            hearing.refused = ("rubric.empty", "The answer is empty.")
        else:
            hearing.findings |= checked(rubric, problem, candidate)
        return hearing

    def _quoted_bytes(self, candidate: str) -> int:
        tokens = self._judge.special_tokens if self._judge is not None else ()
        return len(quote("ANSWER", candidate, "", tokens).encode())

    def _rubric_of(self, problem: Problem) -> Rubric:
        if not isinstance(problem.get("prompt"), str) or not str(problem["prompt"]).strip():
            raise ProblemError(
                f"rubric problem: 'prompt' must be what was asked, as text, got {problem.get('prompt')!r}"
            )
        if "reference" in problem and not isinstance(problem["reference"], str):
            raise ProblemError(f"rubric problem: 'reference' must be text, got {problem['reference']!r}")
        lines = problem.get("lines", 1)
        if not isinstance(lines, int) or isinstance(lines, bool) or lines < 1:
            raise ProblemError(f"rubric problem: 'lines' must be a whole number from 1 on, got {lines!r}")
        if odd := sorted(problem.keys() - {"prompt", "reference", "lines", "rubric"}):
            raise ProblemError(f"rubric problem: unknown key '{odd[0]}'; known are prompt, reference, lines and rubric")
        if "rubric" not in problem and len(self._rubrics) == 1:
            return next(iter(self._rubrics.values()))
        name = problem.get("rubric")
        if not isinstance(name, str) or name not in self._rubrics:
            have = ", ".join(sorted(self._rubrics))
            raise ProblemError(f"rubric problem: 'rubric' is {name!r}; this verifier has {have}")
        return self._rubrics[name]

    def _ask(self, hearings: Sequence[_Hearing], gates: bool) -> None:
        asked: list[tuple[_Hearing, JudgeCriterion, Question]] = []
        for hearing in hearings:
            for criterion in hearing.rubric.judged:
                if criterion.gate is gates:
                    asked.append((hearing, criterion, self._question(hearing, criterion)))
        if not asked or self._judge is None:
            return
        marks = self._judge.ask([question for _, _, question in asked])
        for (hearing, criterion, _), mark in zip(asked, marks, strict=True):
            hearing.findings[criterion.id] = Finding.of_mark(criterion, mark)
            hearing.asked += 1

    def _question(self, hearing: _Hearing, criterion: JudgeCriterion) -> Question:
        tokens = self._judge.special_tokens if self._judge is not None else ()
        return question(
            hearing.rubric, criterion, hearing.problem, hearing.answer, key=self._key, special_tokens=tokens
        )

    def _verdict(self, hearing: _Hearing, seconds: float) -> Verdict:
        rubric = hearing.rubric
        evidence: dict[str, Json] = {
            "rubric": rubric.name,
            "rubric_sha256": rubric.digest,
            "criteria": {name: finding.to_json() for name, finding in hearing.findings.items()},
            "judge": self._model,
            "prompt_version": prompt_version(),
            "asked": hearing.asked,
        }
        if rubric.judged:
            evidence["judge_meets_minimum"] = self._calibrations.get(rubric.name, False)
        if hearing.refused is not None:
            reason, feedback = hearing.refused
            return Verdict.failed(reason, feedback=feedback, evidence=evidence, seconds=seconds)
        decision = decide(rubric, hearing.findings)
        return Verdict(
            decision.outcome, decision.score, decision.reason, _feedback(rubric, decision), evidence, seconds
        )


def _feedback(rubric: Rubric, decision: Decision) -> str:
    """The criteria that were not met, in the rubric's own words; nothing that a judge wrote."""
    if decision.outcome is not Outcome.FAIL:
        return ""
    texts = [f"- {criterion.text}" for criterion in rubric.criteria if criterion.id in decision.unmet]
    return "Not met:\n" + "\n".join(texts) if texts else "Several points are met only in part."
