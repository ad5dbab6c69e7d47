"""Reads what ``lean --json`` prints and turns it into something that a policy can learn from. Pure functions.

Lean prints one JSON object a line. Lines count from 1 and columns from 0, in code points. Whether a proof leans on a
placeholder is told by ``kind == "hasSorry"``, never by the text, which changes between releases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Message", "axioms_in", "classify", "feedback", "parse"]

_PARSE_ERROR = re.compile(
    r"unexpected (token|identifier|end of input|character|syntax)|expected (checkCol|command|token|term|tactic|'|\\w+$)"
    r"|unknown tactic|unterminated|missing end of|tabs are not allowed"
)
_TYPE_MISMATCH = re.compile(r"(application )?type mismatch", re.IGNORECASE)
_UNKNOWN_NAME = re.compile(r"unknown (identifier|constant)|invalid field|unknown free variable", re.IGNORECASE)
_TIMEOUT = re.compile(r"deterministic\)? timeout|maximum number of heartbeats")
_RESOURCE = re.compile(r"maximum recursion depth|deep recursion|excessive memory|stack overflow", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of Lean.

    Attributes:
        severity: "error", "warning" or "information".
        line: where it starts, from 1.
        column: from 0, in code points.
        kind: Lean's name for this sort of message; "[anonymous]" for most.
        text: what it says.
    """

    severity: str
    line: int
    column: int
    kind: str
    text: str

    @property
    def is_error(self) -> bool:
        """Whether Lean refused something."""
        return self.severity == "error"

    @property
    def is_sorry(self) -> bool:
        """Whether it reports the use of a placeholder."""
        return "hasSorry" in self.kind


def parse(stdout: str) -> list[Message] | None:
    """The messages in Lean's output, in order; None when a line is not one (the process died while it printed)."""
    messages = []
    for line in stdout.splitlines():
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            position = data["pos"]
            messages.append(
                Message(
                    str(data["severity"]),
                    int(position["line"]),
                    int(position["column"]),
                    str(data.get("kind", "")),
                    str(data["data"]),
                )
            )
        except (ValueError, KeyError, TypeError):
            return None
    return messages


def axioms_in(text: str, name: str) -> list[str] | None:
    """The axioms that a ``#print axioms`` report on `name` lists; None when `text` is no such report."""
    if text.strip() == f"'{name}' does not depend on any axioms":
        return []
    found = re.fullmatch(rf"'{re.escape(name)}' depends on axioms: \[([^\[\]]*)\]", text.strip())
    return [axiom.strip() for axiom in found[1].split(",")] if found else None


def classify(errors: Sequence[Message]) -> str:
    """The reason code for a candidate with these errors (at least one); what Lean could not read comes first."""
    if any(_is_parse_error(error) for error in errors):
        return "lean.parse_error"
    first = errors[0]
    if _TIMEOUT.search(first.text):
        return "lean.timeout"
    if _RESOURCE.search(first.text):
        return "lean.resource"
    if first.kind == "Tactic.unsolvedGoals" or first.text.startswith("unsolved goals"):
        return "lean.unsolved_goals"
    if first.kind.startswith("lean.unknownIdentifier") or _UNKNOWN_NAME.match(first.text):
        return "lean.unknown_identifier"
    if _TYPE_MISMATCH.match(first.text):
        return "lean.type_mismatch"
    return "lean.error"


def _is_parse_error(error: Message) -> bool:
    return bool(_PARSE_ERROR.match(error.text))


def feedback(errors: Iterable[Message], *, hide: Iterable[str] = (), limit: int = 3, budget: int = 600) -> str:
    """The first `limit` errors as text of at most `budget` characters, what Lean could not read first.

    `hide` holds names that the policy must not see; positions are printed as they stand in the messages.
    """
    ordered = sorted(errors, key=lambda error: not _is_parse_error(error))[:limit]
    if not ordered:
        return ""
    share = max(40, budget // len(ordered) - 1)
    return "\n".join(_shorten(_one(error, hide), share) for error in ordered)[:budget]


def _one(error: Message, hide: Iterable[str]) -> str:
    text = error.text.strip()
    for name in hide:
        text = text.replace(name, "this theorem")
    text = text.replace("expected command", "expected the end of the proof")
    text = text.replace("unexpected token '#print'", "unexpected end of the proof")
    return f"line {error.line}, column {error.column}: {text}"


def _shorten(text: str, limit: int) -> str:
    """Cut in the middle: a message's first line says what went wrong, its last one the goal."""
    if len(text) <= limit:
        return text
    tail = (limit - 5) // 3
    return f"{text[: limit - 5 - tail]} ... {text[-tail:]}"
