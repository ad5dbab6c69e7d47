"""Reads what leanprover-community's REPL answers, and writes what is asked of it. Pure functions.

A reply is one JSON object: ``env`` after a command, ``messages`` and ``sorries`` when there are any, or ``message``
alone when the REPL itself refuses. Lines count from 1 and columns from 0, in code points, as ``lean --json`` does; the
severity "info" stands for "information", and messages have no kind. Source: ``REPL/JSON.lean`` of
leanprover-community/repl.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from proofgrad.verifiers.lean.backend import Limits
from proofgrad.verifiers.lean.messages import Message, axioms_in
from proofgrad.verifiers.lean.source import fresh_name

__all__ = [
    "MARKER",
    "MATHLIB_HEADER",
    "RECENT",
    "UNIVERSES",
    "Fence",
    "MalformedReplyError",
    "marker_line",
    "messages_in",
    "newline_ended",
    "normalise",
    "option_lines",
    "options",
]

UNIVERSES = "universe u v w\n"
# What miniF2F-style benchmarks put before a statement, less their heartbeats: those come from `Limits`.
MATHLIB_HEADER = f"import Mathlib\nimport Aesop\nopen BigOperators Real Nat Topology Rat\n{UNIVERSES}"

_SEVERITIES = {"info": "information", "trace": "information"}
# The quotes around the word changed between releases. Only a hint: the axiom report is what decides.
_USES_SORRY = re.compile(r"declaration uses .?sorry")

RECENT = frozenset({"Elab.async"})
# Answered the same way by every Lean that has its library, and not at all by an environment whose import failed: the
# REPL keeps quiet about that (leanprover-community/repl, pull request 73).
MARKER = "#check And\n"
_MARKED = "And (a b : Prop) : Prop"


class MalformedReplyError(ValueError):
    """A reply that is none: our side of the connection is broken, whatever the text was."""


@dataclass(frozen=True, slots=True)
class Fence:
    """The last declaration of a text, with a name that nobody knows: whose report is there, answers this very text."""

    name: str
    lines: str

    @classmethod
    def fresh(cls) -> Fence:
        """A new one."""
        name = fresh_name()
        return cls(name, f"theorem {name} : ∀ p : Prop, p → p := fun _ h => h\n#print axioms {name}\n")

    def is_in(self, messages: Iterable[Message]) -> bool:
        """Whether Lean read so far."""
        return any(axioms_in(message.text, self.name) == [] for message in messages)


def options(limits: Limits) -> dict[str, str]:
    """The options under which every text is read, whatever Lean reads it; `RECENT` are unknown to older ones."""
    return {
        "autoImplicit": "false",
        "relaxedAutoImplicit": "false",
        "linter.all": "false",
        "maxHeartbeats": str(limits.heartbeats),
        "Elab.async": "false",
    }


def option_lines(limits: Limits) -> str:
    """The same as commands, one a line, for a Lean that takes no arguments."""
    return "".join(f"set_option {key} {value}\n" for key, value in options(limits).items())


def marker_line(messages: Iterable[Message]) -> int:
    """The line where `MARKER` first stands, as whoever answers counts lines.

    Raises:
        MalformedReplyError: it was not read, or not in an environment with Lean's library.
    """
    for message in messages:
        if message.severity == "information" and message.text.strip() == _MARKED:
            return message.line
    raise MalformedReplyError("nothing was imported: Lean does not know what `And` is")


def newline_ended(source: str) -> str:
    """`source`, ending with a newline unless it is empty."""
    return source if not source or source.endswith("\n") else source + "\n"


def normalise(messages: Iterable[Message]) -> list[Message]:
    """Messages of an older Lean, or of one behind the REPL, with the kind that a newer one gives to placeholders."""
    return [
        replace(m, kind="hasSorry") if not m.is_sorry and m.severity == "warning" and _USES_SORRY.match(m.text) else m
        for m in messages
    ]


def messages_in(reply: Mapping[str, object]) -> list[Message]:
    """The messages of a reply, with one for each placeholder that it lists.

    Raises:
        MalformedReplyError: it has another shape.
    """
    try:
        found = normalise(_message(item) for item in _items(reply.get("messages")))
        known = {(m.line, m.column) for m in found if m.is_sorry}
        sorries = [_placeholder(item) for item in _items(reply.get("sorries"))]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedReplyError(f"the reply holds a malformed message: {error}") from error
    return found + [m for m in sorries if (m.line, m.column) not in known]


def _items(value: object) -> Sequence[Mapping[str, object]]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TypeError("messages and sorries are lists of objects")
    return value


def _message(item: Mapping[str, object]) -> Message:
    severity, text = item["severity"], item["data"]
    if not isinstance(severity, str) or not isinstance(text, str):
        raise TypeError("severity and data are strings")
    line, column = _position(item["pos"])
    end_line, end_column = _position(item["endPos"]) if item.get("endPos") else (None, None)
    kind = item.get("kind")
    return Message(
        _SEVERITIES.get(severity, severity),
        line,
        column,
        kind if isinstance(kind, str) else "",
        text,
        end_line=end_line,
        end_column=end_column,
    )


def _placeholder(item: Mapping[str, object]) -> Message:
    line, column = _position(item["pos"]) if item.get("pos") else (1, 0)
    return Message("warning", line, column, "hasSorry", "declaration uses `sorry`")


def _position(value: object) -> tuple[int, int]:
    if not isinstance(value, dict):
        raise TypeError("a position is an object")
    line, column = value["line"], value["column"]
    if type(line) is not int or type(column) is not int:
        raise TypeError("a position has whole numbers")
    return line, column
