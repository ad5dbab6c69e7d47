"""The contract between whoever proposes an answer and whoever judges it.

A verdict is pass, fail or unknown. *Fail* is the candidate's fault: wrong, malformed, too slow, cheating. *Unknown* is
ours: a worker died, the toolchain is missing, the machine ran out of memory. Unknown has no score, so that it can never
be mistaken for a reward of 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias, runtime_checkable

__all__ = ["AuditableVerifier", "BatchVerifier", "Json", "Outcome", "Problem", "Verdict", "Verifier"]

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Problem: TypeAlias = Mapping[str, Json]


class Outcome(StrEnum):
    """How a judgement ended."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement of one candidate.

    Attributes:
        outcome: PASS, FAIL or UNKNOWN.
        score: in [0, 1]; None exactly when the outcome is UNKNOWN.
        reason: stable dotted code, e.g. ``lean.type_mismatch``, ``code.wrong_output``, ``cheat.axiom``,
            ``infra.worker_died``. Programs may branch on it; people read `feedback`.
        feedback: what the policy may be shown. Never a hidden test or an expected value.
        evidence: JSON-clean facts that let the judgement be repeated (toolchain, axioms, tests run, seeds).
        seconds: wall-clock cost of the judgement.

    Raises:
        ValueError: the parts contradict each other.
    """

    outcome: Outcome
    score: float | None
    reason: str
    feedback: str = ""
    evidence: Mapping[str, Json] = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if (self.score is None) != (self.outcome is Outcome.UNKNOWN):
            raise ValueError(f"score is None exactly when the outcome is UNKNOWN, got {self.outcome} with {self.score}")
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise ValueError(f"score must lie in [0, 1], got {self.score}")
        if not self.reason:
            raise ValueError("a verdict needs a reason code")

    @classmethod
    def passed(
        cls, reason: str, *, feedback: str = "", evidence: Mapping[str, Json] | None = None, seconds: float = 0.0
    ) -> Verdict:
        """A full pass: score 1."""
        return cls(Outcome.PASS, 1.0, reason, feedback, evidence or {}, seconds)

    @classmethod
    def failed(
        cls,
        reason: str,
        *,
        score: float = 0.0,
        feedback: str = "",
        evidence: Mapping[str, Json] | None = None,
        seconds: float = 0.0,
    ) -> Verdict:
        """The candidate's fault; `score` may hold partial credit."""
        return cls(Outcome.FAIL, score, reason, feedback, evidence or {}, seconds)

    @classmethod
    def unknown(
        cls, reason: str, *, feedback: str = "", evidence: Mapping[str, Json] | None = None, seconds: float = 0.0
    ) -> Verdict:
        """Our fault: no score."""
        return cls(Outcome.UNKNOWN, None, reason, feedback, evidence or {}, seconds)

    @property
    def is_pass(self) -> bool:
        """Whether the candidate was accepted."""
        return self.outcome is Outcome.PASS

    def to_json(self) -> dict[str, Json]:
        """The verdict as plain JSON types."""
        return {
            "outcome": self.outcome.value,
            "score": self.score,
            "reason": self.reason,
            "feedback": self.feedback,
            "evidence": dict(self.evidence),
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Verdict:
        """The inverse of `to_json`."""
        outcome = Outcome(str(data["outcome"]))
        rest = (data["score"], data["reason"], data["feedback"], data["evidence"], data["seconds"])
        return cls(outcome, *rest)  # type: ignore[arg-type]  # the constructor validates what JSON cannot type


@runtime_checkable
class Verifier(Protocol):
    """Judges candidates for problems of one kind.

    `verify` is synchronous and may block; concurrency, retries and de-duplication are the pool's. It keeps its own
    deadline: a candidate that runs out of time is a FAIL, a verifier that does is an UNKNOWN. It is safe to call from
    several threads. It raises `ProblemError` for a malformed problem and never for a bad candidate.

    Attributes:
        name: the name in the registry.
        version: part of the verdict store's key; bump it when a judgement can change. It names the toolchain too where
            one is involved.
    """

    name: str
    version: str

    def verify(self, problem: Problem, candidate: str) -> Verdict: ...


@runtime_checkable
class BatchVerifier(Verifier, Protocol):
    """A verifier for which judging several candidates at once is cheaper than one by one.

    `verify_batch` returns one verdict for each item, in order, and each must be the verdict that `verify` would give:
    no candidate can change a neighbour's.
    """

    batch_size: int

    def verify_batch(self, items: Iterable[tuple[Problem, str]]) -> list[Verdict]: ...


@runtime_checkable
class AuditableVerifier(Verifier, Protocol):
    """A verifier that knows a stricter or slower one for the same problems, to be asked about a sample of its verdicts.

    `auditor` makes one that shares no process with this one, takes none of the short cuts that it takes for speed, and
    asks as much or more of a candidate.
    """

    def auditor(self) -> Verifier: ...
