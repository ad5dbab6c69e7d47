"""Reads the goals out of Lean's messages. Pure functions.

Lean shows a goal as lines of text: ``case NAME`` if it has a name, one hypothesis a line (``names : type`` or
``name : type := value``; a long one goes on in indented lines), and ``⊢ target``. A blank line parts it from the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from proofgrad.verifiers.base import Json
from proofgrad.verifiers.lean.messages import Message

__all__ = ["LONGEST", "Goal", "Hypothesis", "clean", "goals_in", "split_goals"]

# Header names are random; whichever file they come from, nobody is to see one.
_HEADER_NAME = re.compile(r"\bpg_[0-9a-f]{8,}\b")
_UNPRINTABLE = re.compile(r"failed to pretty print expression( \(use [^)\n]*\))?")
_SORRY = re.compile(r"(?<![\w.])sorry(?![\w.])")
_COUNTER = re.compile(r"\?([mu])\.(\d+)")

LONGEST = 12_000  # characters of a message that are read

_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_CASE = re.compile(r"case (\S+)[ \t]*\Z")
_HYPOTHESIS = re.compile(r"(?P<names>[^\s:`'\"⊢()][^\s:`\"⊢()]*(?: [^\s:`\"⊢()]+)*) :(?: (?P<type>.*))?\Z")
_OPEN, _CLOSE = frozenset("([{⟨⦃"), frozenset(")]}⟩⦄")


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One line of a goal's context: names that share a type, and the value of a ``let``."""

    names: tuple[str, ...]
    type: str
    value: str | None = None

    def __str__(self) -> str:
        value = "" if self.value is None else f" := {self.value}"
        return f"{' '.join(self.names)} : {self.type}{value}"


@dataclass(frozen=True, slots=True)
class Goal:
    """What is still to be proved: the name of its case if it has one, its context and its target."""

    case: str | None
    hypotheses: tuple[Hypothesis, ...]
    target: str

    def to_json(self) -> dict[str, Json]:
        """The goal as plain JSON types; a hypothesis has the key ``value`` only where it has one."""
        hypotheses: list[Json] = []
        for hypothesis in self.hypotheses:
            entry: dict[str, Json] = {"names": list(hypothesis.names), "type": hypothesis.type}
            if hypothesis.value is not None:
                entry["value"] = hypothesis.value
            hypotheses.append(entry)
        return {"case": self.case, "hypotheses": hypotheses, "target": self.target}


def goals_in(messages: Iterable[Message], *, hide: Iterable[str] = (), limit: int = 16) -> list[dict[str, Json]]:
    """The first distinct goals in these messages, in order, as plain JSON types.

    Each is ``{"case": str | None, "hypotheses": [{"names": [str], "type": str, "value"?: str}], "target": str}``.

    Args:
        messages: of Lean.
        hide: names that must not appear.
        limit: goals to return at most.
    """
    hidden = tuple(hide)
    found: dict[Goal, None] = {}
    for message in messages:
        if len(found) >= limit:
            break
        found.update(dict.fromkeys(split_goals(clean(message.text, hidden))[1]))
    return [goal.to_json() for goal in found][: max(0, limit)]


def clean(text: str, hide: Iterable[str] = ()) -> str:
    """`text` without the names in `hide` and without what changes from run to run or is of no use to a prover.

    Names of our header become "this theorem"; the elaborator's stand-in for a term that failed becomes ``_``, what it
    could not print ``…``; its own variables are numbered in the order of their appearance.
    """
    text = text[:LONGEST].encode("utf-8", "replace").decode().replace("\r\n", "\n")
    for name in sorted(filter(None, hide), key=len, reverse=True):
        text = text.replace(name, "this theorem")
    text = _HEADER_NAME.sub("this theorem", text)
    text = _SORRY.sub("_", _UNPRINTABLE.sub("…", text))
    numbers: dict[str, int] = {}
    return _COUNTER.sub(lambda match: f"?{match[1]}.{numbers.setdefault(match[0], len(numbers) + 1)}", text)


def split_goals(text: str) -> tuple[list[str], list[Goal]]:
    """The paragraphs of a message that are prose, and its goals."""
    paragraphs: list[str] = []
    goals: list[Goal] = []
    for block in _BLANK_LINE.split(text.strip("\n")):
        lines, start = block.split("\n"), 0
        prose: list[str] = []
        for turnstile in [i for i, line in enumerate(lines) if line.startswith("⊢")]:
            if turnstile < start:
                continue
            first = _first_line(lines, start, turnstile)
            prose += lines[start:first]
            start = _after(lines, turnstile)
            goals.append(_goal(lines[first:turnstile], _joined(lines[turnstile:start])[1:].strip()))
        prose += lines[start:]
        if kept := "\n".join(prose).strip("\n"):
            paragraphs.append(kept)
    return paragraphs, goals


def _first_line(lines: list[str], start: int, turnstile: int) -> int:
    """Where the goal with this ``⊢`` begins, not before `start`."""
    first = turnstile
    for i in range(turnstile - 1, start - 1, -1):
        if _HYPOTHESIS.match(lines[i]):
            first = i
        elif _CASE.match(lines[i]):
            return i
        elif not lines[i].startswith(" "):
            break
    return first


def _after(lines: list[str], i: int) -> int:
    """The first line after the i-th that does not continue it."""
    i += 1
    while i < len(lines) and lines[i].startswith(" "):
        i += 1
    return i


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)


def _goal(lines: list[str], target: str) -> Goal:
    case, hypotheses, i = None, [], 0
    while i < len(lines):
        after = _after(lines, i)
        if named := _CASE.match(lines[i]):
            case = named[1]
        elif match := _HYPOTHESIS.match(lines[i]):
            said = _joined([match["type"] or "", *lines[i + 1 : after]]).strip()
            type_, value = _split_value(said)
            hypotheses.append(Hypothesis(tuple(match["names"].split()), type_, value))
        i = after
    return Goal(case, tuple(hypotheses), target)


def _split_value(text: str) -> tuple[str, str | None]:
    """``T := v`` into its two parts; a ``:=`` inside brackets belongs to the type."""
    depth = 0
    for i, character in enumerate(text):
        depth += (character in _OPEN) - (character in _CLOSE)
        if depth == 0 and text.startswith(" := ", i):
            return text[:i], text[i + 4 :]
    return text, None
