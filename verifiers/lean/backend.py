"""What LeanVerifier asks of a Lean, wherever that Lean runs: embedded, installed, in a project, or behind a server.

A backend knows how to start Lean and how to read its answers. What a file means, and what a verdict needs, is known to
`checker` alone; a backend never sees which candidates are hoped to pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from proofgrad.verifiers.base import Json
from proofgrad.verifiers.lean.messages import Message

__all__ = ["Audit", "Backend", "Claim", "Elaboration", "Ending", "Limits"]


class Ending(StrEnum):
    """How an elaboration ended."""

    DONE = "done"  # Lean read the whole text and said what it had to say
    TIMEOUT = "timeout"  # the candidates used up their processor time
    DIED = "died"  # Lean crashed, or ran out of memory, stack or room for output
    OVERLOADED = "overloaded"  # it got too little processor time to tell; nobody's fault but ours
    BROKEN = "broken"  # it could not be run or reached at all; nobody's fault but ours


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one elaboration.

    Attributes:
        cpu_seconds: processor time beyond the start of Lean.
        heartbeats: of each theorem, in Lean's unit of 1000 small allocations.
    """

    cpu_seconds: int
    heartbeats: int


@dataclass(frozen=True, slots=True)
class Elaboration:
    """What Lean said about one text.

    Attributes:
        ending: how it ended.
        messages: in order; lines count from the text's first, which is 1, without the header. What was said before
            a bad ending may be here: it tells whom to suspect, and nothing else.
        seconds: wall-clock time.
        detail: one line about a bad ending, for people.
    """

    ending: Ending
    messages: Sequence[Message] = ()
    seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A theorem that was elaborated without a complaint, to be audited.

    Attributes:
        goal: the closed proposition that it has to prove, as source.
        block: the lines that declare it, and nothing else.
        theorem: its full name in that block.
    """

    goal: str
    block: str
    theorem: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What the second look at one claim found.

    Attributes:
        reason: None when the claim stands; ``cheat.missing``, ``cheat.statement``, ``cheat.axiom``, ``cheat.kernel``,
            ``lean.unstable``, ``lean.timeout`` or ``lean.resource`` when it falls; ``infra.audit`` when the audit
            itself failed; ``problem.statement`` when the goal does not elaborate.
        detail: one line about a reason.
        axioms: what the proof rests on.
        evidence: how it was looked at.
    """

    reason: str | None
    detail: str = ""
    axioms: frozenset[str] = frozenset()
    evidence: Mapping[str, Json] = field(default_factory=dict)


class Backend(Protocol):
    """One Lean. Safe to call from several threads.

    Attributes:
        name: "embedded", "toolchain", "project" or "server".
        description: one line for evidence and reports, with Lean's version.
        identity: everything about this Lean that can change a verdict; part of the verifier's version.
        header: source that stands before every text: imports and the like. It ends with a newline.
        takes_header: whether a problem may bring a header of its own in place of that one.
        layers: the isolation layers around Lean: name -> "active" or "missing: why".
    """

    name: str
    description: str
    identity: str
    header: str
    takes_header: bool

    @property
    def layers(self) -> Mapping[str, str]: ...

    def elaborate(self, text: str, *, header: str, candidates: int, limits: Limits) -> Elaboration:
        """Read `text` after `header` in an environment that no earlier text has touched.

        Never raises for what a candidate did; what happened is in the result's `ending`.

        Args:
            text: declarations, `candidates` of which are candidates' own.
            header: what to import; `self.header`, or a problem's.
            candidates: how many share the text; the processor time allowed grows with them.
            limits: bounds.
        """
        ...

    def audit(self, claims: Sequence[Claim], *, header: str, limits: Limits) -> list[Audit]:
        """Look at accepted theorems again, in a process that no candidate's text has run in. One result each."""
        ...

    def close(self) -> None:
        """End every process. It can be called twice."""
        ...
