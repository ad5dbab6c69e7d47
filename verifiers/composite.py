"""Several judgements of one candidate as one verdict: `AllOf`, and `Weighted` behind gates.

The problem names the parts, each a verifier and that verifier's own problem:

    {"parts": [{"verifier": "program", "problem": {...}, "gate": true},
               {"verifier": "rubric", "problem": {...}, "weight": 2.0}]}

A failed gate decides: FAIL with score 0 and that part's reason, and parts that were not judged yet are left out. With
no failed gate, an UNKNOWN part makes the whole UNKNOWN. In `AllOf` every part is a gate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proofgrad.verifiers.base import Json, Outcome, Problem, Verdict, Verifier
from proofgrad.verifiers.errors import ConfigError, ProblemError
from proofgrad.verifiers.registry import get

__all__ = ["AllOf", "Weighted"]


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    verifier: Verifier
    problem: Problem
    gate: bool
    weight: float


class _Composite:
    """What both have in common: the verifiers, reading the parts, and judging them in order."""

    name: str

    def __init__(self, verifiers: Mapping[str, Verifier | Mapping[str, Any]]) -> None:
        if not verifiers:
            raise ConfigError(f"{self.name}: name at least one verifier, e.g. verifiers={{'program': {{}}}}")
        self._verifiers: dict[str, Verifier] = {}
        for name, given in verifiers.items():
            self._verifiers[name] = get(name, **given) if isinstance(given, Mapping) else given
        versions = [f"{name}={self._verifiers[name].version}" for name in sorted(self._verifiers)]
        self.version = f"1+{'+'.join(versions)}"

    def close(self) -> None:
        """Close the verifiers."""
        for verifier in self._verifiers.values():
            close = getattr(verifier, "close", None)
            if close is not None:
                close()

    def _parts(self, problem: Problem, *, gates_only: bool) -> list[_Part]:
        given = problem.get("parts")
        if not isinstance(given, Sequence) or isinstance(given, str) or not given:
            raise ProblemError(f"{self.name} problem: 'parts' must be a list with at least one part")
        if odd := sorted(problem.keys() - {"parts"}):
            raise ProblemError(f"{self.name} problem: unknown key '{odd[0]}'; the only one is 'parts'")
        return [self._part(part, f"parts[{i}]", gates_only) for i, part in enumerate(given)]

    def _part(self, part: Json, where: str, gates_only: bool) -> _Part:
        if not isinstance(part, Mapping):
            raise ProblemError(f"{self.name} problem: {where} must be an object with 'verifier' and 'problem'")
        known = {"verifier", "problem"} | (set() if gates_only else {"gate", "weight"})
        if odd := sorted(part.keys() - known):
            raise ProblemError(
                f"{self.name} problem: {where}: unknown key '{odd[0]}'; known: {', '.join(sorted(known))}"
            )
        name, inner = part.get("verifier"), part.get("problem")
        if not isinstance(name, str) or name not in self._verifiers:
            have = ", ".join(sorted(self._verifiers))
            raise ProblemError(f"{self.name} problem: {where}: 'verifier' is {name!r}; this one was made with {have}")
        if not isinstance(inner, Mapping):
            raise ProblemError(f"{self.name} problem: {where}: 'problem' must be the problem of '{name}'")
        gate, weight = part.get("gate", gates_only), part.get("weight", 1.0)
        if not isinstance(gate, bool):
            raise ProblemError(f"{self.name} problem: {where}: 'gate' must be true or false, got {gate!r}")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            raise ProblemError(f"{self.name} problem: {where}: 'weight' must be a number from 0 on, got {weight!r}")
        return _Part(name, self._verifiers[name], inner, gate, float(weight))

    def _judge(
        self, parts: Sequence[_Part], candidate: str, score: Callable[[list[float]], float], least: float
    ) -> Verdict:
        """The verdict on all parts.

        Args:
            parts: gates and others.
            candidate: what each of them judges.
            score: the score of the whole, from those of the parts in their order.
            least: the score from which the whole passes.
        """
        start = time.monotonic()
        verdicts: dict[int, Verdict] = {}
        for gates in (True, False):
            if any(verdict.outcome is Outcome.UNKNOWN for verdict in verdicts.values()):
                break  # nothing that is not a gate can decide any more
            for i, part in enumerate(parts):
                if part.gate is not gates:
                    continue
                verdicts[i] = part.verifier.verify(part.problem, candidate)
                if gates and verdicts[i].outcome is Outcome.FAIL:
                    return self._whole(Outcome.FAIL, 0.0, verdicts[i], parts, verdicts, start)
        undecided = next((verdicts[i] for i in sorted(verdicts) if verdicts[i].outcome is Outcome.UNKNOWN), None)
        if undecided is not None:
            return self._whole(Outcome.UNKNOWN, None, undecided, parts, verdicts, start)
        value = round(score([verdicts[i].score or 0.0 for i in range(len(parts))]), 9)
        failed = next((verdicts[i] for i in sorted(verdicts) if not verdicts[i].is_pass), None)
        if value >= least:
            return self._whole(Outcome.PASS, value, None, parts, verdicts, start)
        return self._whole(Outcome.FAIL, value, failed, parts, verdicts, start)

    def _whole(
        self,
        outcome: Outcome,
        score: float | None,
        cause: Verdict | None,
        parts: Sequence[_Part],
        verdicts: Mapping[int, Verdict],
        start: float,
    ) -> Verdict:
        evidence: dict[str, Json] = {
            "parts": [
                {"verifier": parts[i].name, "version": parts[i].verifier.version, "verdict": verdicts[i].to_json()}
                for i in sorted(verdicts)
            ]
        }
        said = [v.feedback for _, v in sorted(verdicts.items()) if v.outcome is Outcome.FAIL and v.feedback]
        feedback = "\n".join(said) if outcome is Outcome.FAIL else ""
        reason = (
            cause.reason
            if cause is not None
            else f"{self.name}.{'ok' if outcome is Outcome.PASS else 'below_threshold'}"
        )
        return Verdict(outcome, score, reason, feedback, evidence, time.monotonic() - start)


class AllOf(_Composite):
    """Passes what every part passes; its score is then the lowest of theirs.

    Args:
        verifiers: by name, each with its constructor's options, or a verifier.

    Raises:
        ConfigError: there is no verifier of a name, or it refuses its options.
    """

    name = "all_of"

    def __init__(self, verifiers: Mapping[str, Verifier | Mapping[str, Any]]) -> None:
        super().__init__(verifiers)

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """Judge `candidate` by the parts in their order. Reasons: ``all_of.ok``, or that of the part that decided.

        Raises:
            ProblemError: the problem, or that of a part, is malformed.
        """
        return self._judge(self._parts(problem, gates_only=True), candidate, min, 0.0)


class Weighted(_Composite):
    """Passes what passes every gate and reaches a weighted mean of the parts' scores.

    A gate counts towards the mean as well, with its weight; give it weight 0 to have it decide only.

    Args:
        verifiers: by name, each with its constructor's options, or a verifier.
        threshold: the mean from which the whole passes.

    Raises:
        ConfigError: there is no verifier of a name, it refuses its options, or the threshold is out of range.
    """

    name = "weighted"

    def __init__(self, verifiers: Mapping[str, Verifier | Mapping[str, Any]], *, threshold: float = 1.0) -> None:
        super().__init__(verifiers)
        if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 < threshold <= 1:
            raise ConfigError(f"{self.name}: threshold is {threshold!r}; allowed is above 0 and up to 1")
        self._threshold = float(threshold)
        self.version += f"+{self._threshold:g}"

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """Judge `candidate` by the gates, then by the rest. Reasons: ``weighted.ok``, or that of the part that decided.

        Where the mean falls short, the reason is the first failed part's, or ``weighted.below_threshold``.

        Raises:
            ProblemError: the problem, or that of a part, is malformed.
        """
        parts = self._parts(problem, gates_only=False)
        total = sum(part.weight for part in parts)
        if not total:
            raise ProblemError(f"{self.name} problem: at least one part must have a weight above 0")

        def mean(scores: list[float]) -> float:
            return sum(part.weight * value for part, value in zip(parts, scores, strict=True)) / total

        return self._judge(parts, candidate, mean, self._threshold)
