"""Reads what ``lean --json`` prints and turns it into something that a policy can learn from. Pure functions.

Lean prints one JSON object a line. Lines count from 1 and columns from 0, in code points. Whether a proof leans on a
placeholder is told by ``kind == "hasSorry"``, never by the text, which changes between releases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

__all__ = ["Message", "axioms_in", "classify", "parse"]

_PARSE_ERROR = re.compile(
    r"unexpected (token|identifier|end of input|character|syntax)|expected (checkCol|command|token|term|tactic|'|\w+$)"
    r"|unknown tactic|unterminated|missing end of|tabs are not allowed"
)
_TYPE_MISMATCH = re.compile(r"(application )?type mismatch|(function|type) expected", re.IGNORECASE)
_UNKNOWN_NAME = re.compile(r"unknown (identifier|constant)|invalid field|unknown free variable", re.IGNORECASE)
_TACTIC_FAILED = re.compile(r"tactic (`|failed)|'\w+' tactic failed|`\w+` made no progress", re.IGNORECASE)
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
        end_line: where it ends, counted like `line`; None when Lean names only a start.
        end_column: the column just behind its last character, None likewise.
    """

    severity: str
    line: int
    column: int
    kind: str
    text: str
    end_line: int | None = None
    end_column: int | None = None

    @property
    def is_error(self) -> bool:
        """Whether Lean refused something."""
        return self.severity == "error"

    @property
    def is_sorry(self) -> bool:
        """Whether it reports the use of a placeholder."""
        return "hasSorry" in self.kind

    @property
    def is_parse_error(self) -> bool:
        """Whether Lean could not read the text, so that what it says besides follows from that."""
        return bool(_PARSE_ERROR.match(self.text))

    @property
    def is_unsolved(self) -> bool:
        """Whether a tactic block ended with goals left."""
        return self.kind == "Tactic.unsolvedGoals" or self.text.startswith("unsolved goals")

    def moved(self, lines: int, columns: int) -> Message:
        """The same message with both ends moved; a column that would be negative is 0."""
        return replace(
            self,
            line=self.line + lines,
            column=max(0, self.column + columns),
            end_line=None if self.end_line is None else self.end_line + lines,
            end_column=None if self.end_column is None else max(0, self.end_column + columns),
        )


def parse(stdout: str) -> list[Message] | None:
    """The messages in Lean's output, in order; None when a line is not one (the process died while it printed)."""
    messages = []
    for line in stdout.split("\n"):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            position, end = data["pos"], data.get("endPos")
            messages.append(
                Message(
                    str(data["severity"]),
                    int(position["line"]),
                    int(position["column"]),
                    str(data.get("kind", "")),
                    str(data["data"]),
                    None if end is None else int(end["line"]),
                    None if end is None else int(end["column"]),
                )
            )
        except (ValueError, KeyError, TypeError, OverflowError):
            return None
    return messages


def axioms_in(text: str, name: str) -> list[str] | None:
    """The axioms that a ``#print axioms`` report on `name` lists; None when `text` is no such report."""
    if text.strip() == f"'{name}' does not depend on any axioms":
        return []
    found = re.fullmatch(rf"'{re.escape(name)}' depends on axioms: \[([^\[\]]*)\]", text.strip())
    return [axiom.strip() for axiom in found[1].split(",")] if found else None


def classify(errors: Sequence[Message]) -> str:
    """The reason code for a candidate with these errors (at least one, in Lean's order).

    What Lean could not read comes first; else the first error decides: ``lean.timeout``, ``lean.resource``,
    ``lean.unsolved_goals``, ``lean.type_mismatch``, ``lean.unknown_identifier``, ``lean.tactic_failed`` (a tactic that
    does not apply to its goal), and ``lean.error`` for the rest.
    """
    if any(error.is_parse_error for error in errors):
        return "lean.parse_error"
    first = errors[0]
    if _TIMEOUT.search(first.text):
        return "lean.timeout"
    if _RESOURCE.search(first.text):
        return "lean.resource"
    if first.is_unsolved:
        return "lean.unsolved_goals"
    if _TYPE_MISMATCH.match(first.text):
        return "lean.type_mismatch"
    if first.kind.startswith("lean.unknownIdentifier") or _UNKNOWN_NAME.match(first.text):
        return "lean.unknown_identifier"
    if _TACTIC_FAILED.match(first.text):
        return "lean.tactic_failed"
    return "lean.error"
