"""From Lean's errors to the mistakes behind them: ordered, without echoes, in a prover's words. Pure functions.

One mistake often makes Lean say several things. The rules below drop an error that follows from another one:

* What Lean could not read ends what it reads, so later errors, and goals left open up to there, follow from it.
* An error whose span holds that of an error reported before it, or that speaks of a term which failed, is its echo.
* "unsolved goals" is an echo of an error in the last line of its block: the goals are kept with that error.
* The same thing said twice is one mistake with two places.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from proofgrad.verifiers.lean.goals import LONGEST, Goal, clean, split_goals
from proofgrad.verifiers.lean.messages import Message

__all__ = ["Mistake", "find_mistakes"]

_NAME_CHARACTER = re.compile(r"[\w.']")
_STAND_IN = re.compile(r"(?<![\w.])sorry(?![\w.])")
_UNDETERMINED = re.compile(r"could not be determined|don't know how to synthesize|failed to infer", re.IGNORECASE)
_CUT_SHORT = re.compile(r"Missing cases|Alternative `[^`]*` has not been provided")
_NO_ALTERNATIVE = re.compile(r"Alternative `([^`]*)` has not been provided")
_WRONG_ALTERNATIVE = re.compile(r"Invalid alternative name `[^`]*`: Expected (.*)")
_UNKNOWN_CONSTANT = re.compile(r"Unknown constant `([^`]*)`")
_FAILED_TACTIC = re.compile(r"Tactic `(\w+)` failed")
_NOISE = re.compile(r"(use `set_option|context:|additional diagnostic|\[[\w.]+\])", re.IGNORECASE)
_UNEXPECTED_TOKEN = re.compile(r"unexpected token '([^']+)'")
_OWN_GOAL = re.compile(r"·|(\||\bcase\b|\bnext\b)[^·]*=>")

_MOST = 64  # errors that are looked at; a long candidate can cause thousands

# What a tactic's error calls it, and what provers write for it.
_SPELLINGS = {"introN": "intro", "rewrite": "rw"}
_REPLACED = [
    (re.compile(r"The environment does not contain (`[^`]*`), so it is not possible to project the field `[^`]*` "
                r"from an expression"), r"there is no \1 for the expression"),
    (re.compile(r"Field projection operates on types of the form `C \.\.\.` where C is a constant\. "), ""),
    (re.compile(r"Projection operates on types of the form `C \.\.\.` where C is a constant\. "), ""),
    (re.compile(r"major premise type is not an inductive type"), "it needs an argument of an inductive type, not"),
    (re.compile(r"\A(Tactic `apply` failed: .*? of `[^`]*`) (`[^`]*`) with"), r"\1, which is \2, with"),
    (re.compile(r"\(deterministic\) timeout.*", re.DOTALL), "this takes too long to check"),
    (re.compile(r"maximum recursion depth has been reached.*", re.DOTALL), "this nests too deep to check"),
    (re.compile(r"expected checkCol\w*"), "expected another indentation"),
    (re.compile(r"\brcasesPat\b"), "a pattern"),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with a candidate.

    Attributes:
        text: what is wrong, on one line, Lean's expressions in backquotes.
        start: offset of the offending span in the candidate, in code points.
        end: offset just behind it; equal to `start` where something is missing.
        goals: what was to be proved there.
        again: the other lines that have the same mistake, from 1.
    """

    text: str
    start: int
    end: int
    goals: tuple[Goal, ...]
    again: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Located:
    """An error with its span; `read_to` is where Lean stopped reading, before the blank space that follows."""

    error: Message
    start: int
    end: int
    read_to: int

    def holds(self, other: _Located) -> bool:
        return self.start <= other.start and other.end <= self.end


def find_mistakes(errors: Iterable[Message], candidate: str, hide: Iterable[str] = ()) -> list[Mistake]:
    """The mistakes behind these errors, the one to repair first in front; at least one if there is an error.

    Args:
        errors: of Lean, in its order, with lines counted from the candidate's first; positions outside are moved in.
        candidate: the text that Lean read.
        hide: names that must not appear in the result.
    """
    told = list(errors)
    told = told[:_MOST] + [error for error in told[_MOST:] if error.is_parse_error][:1]
    told = [replace(error, text=error.text[:LONGEST]) for error in told]
    lines = candidate.count("\n") + 1
    inside = [e for e in told if e.line >= 1 and (e.line <= lines or e.is_parse_error)]
    located = [_locate(error, candidate) for error in inside or told]
    hidden = tuple(hide)
    unread, others = _unread(located, candidate, hidden)
    mistakes: list[Mistake] = []
    kept: list[_Located] = []
    if unread is not None:
        first, goals = unread
        mistakes.append(replace(_mistake(first, candidate, hidden), goals=goals))
        kept.append(first)
    for item in others:
        if not item.error.is_unsolved and _is_echo(item, kept):
            continue
        mistake = _mistake(item, candidate, hidden)
        if item.error.is_unsolved and kept:
            if _STAND_IN.search(item.error.text.rpartition("⊢")[2]):
                continue
            cause = next((i for i, k in enumerate(kept) if _ends_block(k, item, candidate)), None)
            if cause is not None:
                mistakes[cause] = _with_goals(mistakes[cause], mistake.goals)
                continue
        _add(mistakes, kept, mistake, item, candidate)
    return mistakes


def _add(mistakes: list[Mistake], kept: list[_Located], new: Mistake, item: _Located, candidate: str) -> None:
    """Append `new`, or note a second place or more goals with the one that says the same."""
    for i, known in enumerate(mistakes):
        if known.text != new.text:
            continue
        if (known.start, known.end) == (new.start, new.end):
            mistakes[i] = replace(known, goals=tuple(dict.fromkeys((*known.goals, *new.goals))))
            return
        if not new.goals:
            line = candidate.count("\n", 0, new.start) + 1
            here = candidate.count("\n", 0, known.start) + 1
            if line != here and line not in known.again:
                mistakes[i] = replace(known, again=(*known.again, line))
            return
    mistakes.append(new)
    kept.append(item)


def _with_goals(mistake: Mistake, goals: tuple[Goal, ...]) -> Mistake:
    return mistake if mistake.goals else replace(mistake, goals=goals)


def _unread(
    located: Sequence[_Located], candidate: str, hide: Sequence[str]
) -> tuple[tuple[_Located, tuple[Goal, ...]] | None, list[_Located]]:
    """What Lean could not read first, with the goals open there, and the errors that do not follow from it."""
    unreadable = [item for item in located if item.error.is_parse_error]
    if not unreadable:
        return None, list(located)
    first = min(unreadable, key=lambda item: item.start)
    goals: tuple[Goal, ...] = ()
    others = []
    for item in located:
        gap = candidate[item.end : first.read_to]
        if item.error.is_parse_error or _CUT_SHORT.match(item.error.text):
            continue
        if item.error.kind.startswith("lean.inductionWithNoAlts") and item.holds(first):
            first = item  # it names what is missing; the other only says that a word is no tactic
        elif item.start >= first.start or item.end >= first.read_to or not gap.strip():
            if item.error.is_unsolved:
                goals = goals or tuple(split_goals(clean(item.error.text, hide))[1])
            elif "\n" in gap and item.end <= first.read_to:
                others.append(item)
        else:
            others.append(item)
    return (first, goals), others


def _is_echo(item: _Located, kept: Sequence[_Located]) -> bool:
    """Whether this error follows from one that was reported before it."""
    text = item.error.text
    if missing := _NO_ALTERNATIVE.match(text):
        wrong = [_WRONG_ALTERNATIVE.match(k.error.text) for k in kept]
        return any(match is not None and f"`{missing[1]}`" in match[1] for match in wrong)
    if _UNDETERMINED.search(text):
        return any(k.holds(item) for k in kept)
    if kept and _STAND_IN.search(text):
        return True
    return any(item.holds(k) and (k.start, k.end) != (item.start, item.end) for k in kept)


def _ends_block(cause: _Located, block: _Located, candidate: str) -> bool:
    """Whether an error stopped the tactic block whose open goals Lean then reported.

    It did when it lies in the block's last line, and not in a part of that line with a goal of its own. A rewrite that
    fails and a term with something left to find stop their block wherever they stand.
    """
    if not block.holds(cause):
        return False
    line_start = candidate.rfind("\n", 0, cause.start) + 1
    is_rewrite = candidate[line_start : cause.start].lstrip(" ").startswith("rw ")
    if is_rewrite or _UNDETERMINED.search(cause.error.text):
        return True
    before = candidate[max(line_start, block.start + 1) : cause.start]
    return "\n" not in candidate[cause.start : block.end] and not _OWN_GOAL.search(before)


def _locate(error: Message, candidate: str) -> _Located:
    starts = [0]
    for match in re.finditer("\n", candidate):
        starts.append(match.end())

    def offset(line: int, column: int) -> int:
        if line < 1 or line > len(starts):
            return 0 if line < 1 else len(candidate)
        end = starts[line] - 1 if line < len(starts) else len(candidate)
        return min(starts[line - 1] + max(0, column), end)

    start = read_to = offset(error.line, error.column)
    end = start
    if error.end_line is not None and error.end_column is not None:
        end = max(start, offset(error.end_line, error.end_column))
    if error.text.startswith("unknown tactic") and error.end_line is None:
        start = read_to = end = max(0, start - 1)  # Lean names the place behind the word's first character
    while start < end and candidate[start].isspace():
        start += 1
    if start == end and end < len(candidate):
        start, end = _word_at(candidate, start)
        read_to = min(read_to, start)
    unexpected = _UNEXPECTED_TOKEN.match(error.text)
    if start == end == len(candidate) or (unexpected and unexpected[1] not in candidate):
        start = end = len(candidate.rstrip())  # what Lean met is ours
    return _Located(error, start, end, read_to)


def _word_at(candidate: str, at: int) -> tuple[int, int]:
    """The span of the name around this place, or of the one character there; empty where that is a space."""
    start = end = at
    while end < len(candidate) and _NAME_CHARACTER.match(candidate[end]):
        end += 1
    while start > 0 and end > at and _NAME_CHARACTER.match(candidate[start - 1]):
        start -= 1
    if start == end and not candidate[at].isspace():
        end += 1
    return start, end


def _mistake(item: _Located, candidate: str, hide: Sequence[str]) -> Mistake:
    paragraphs, goals = split_goals(clean(item.error.text, hide))
    text = _on_one_line(paragraphs[0]) if paragraphs else ""
    text = _in_words(text, item, candidate) or "Lean refuses this"
    return Mistake(text, item.start, item.end, tuple(dict.fromkeys(goals)))


def _on_one_line(paragraph: str) -> str:
    """Lean sets expressions apart by indenting them; here they stand in backquotes."""
    parts: list[tuple[bool, list[str]]] = []
    for line in paragraph.split("\n"):
        is_expression = line.startswith(" ")
        if not line.strip() or _NOISE.match(line.strip()):
            continue
        if is_expression and parts and parts[-1][0]:
            parts[-1][1].append(line.strip())
        else:
            parts.append((is_expression, [line.strip()]))
    said = [f"`{' '.join(part)}`" if is_expression else part[0] for is_expression, part in parts]
    if said[:1] == ["Missing cases:"]:
        return f"Missing cases: {', '.join(said[1:])}".rstrip(": ")
    text = " ".join(said)
    return re.sub(r"\A(Type mismatch) `", r"\1: `", text).rstrip(" :,;")


def _in_words(text: str, item: _Located, candidate: str) -> str:
    """The message in terms of the proof, where Lean speaks of its own inner workings."""
    marked = " ".join(candidate[item.start : item.end].split())
    for pattern, replacement in _REPLACED:
        text = pattern.sub(replacement, text)
    if item.error.is_parse_error:
        return _parse_error_in_words(text, marked, item, candidate)
    if unknown := _UNKNOWN_CONSTANT.match(text):
        name = unknown[1]
        if name.rpartition(".")[2] not in candidate:
            return f"`{marked}` cannot be used here: this library has no `{name}`"
    if failed := _FAILED_TACTIC.match(text):
        text = _tactic_in_words(text, failed[1], marked, candidate)
    return text


def _parse_error_in_words(text: str, marked: str, item: _Located, candidate: str) -> str:
    before = candidate[: item.start].rstrip()
    if not marked:
        text = re.sub(r"\Aunexpected (token '[^']*'|identifier|\w+( of input)?)", "unexpected end of the proof", text)
    text = re.sub(r"\Aunexpected (identifier|token(?=;))", lambda _: f"unexpected `{marked}`", text)
    if text.startswith("unknown tactic"):
        suffix = re.match(r"[?!]?", candidate[item.end :])
        return f"unknown tactic `{marked}{suffix[0] if suffix else ''}`"
    if text.startswith("expected token"):
        return f"`{marked}` is not known here"
    if "expected command" not in text:
        return text
    if re.search(r"(\bby|·|=>|;)\Z", before):
        return text.replace("expected command", "expected a tactic")
    text = text.replace("expected command", "expected the end of the proof")
    line_start = candidate.rfind("\n", 0, item.start) + 1
    indent = item.start - line_start
    if before and not candidate[line_start : item.start].strip():
        last = before[before.rfind("\n") + 1 :]
        if indent != len(last) - len(last.lstrip(" ")):
            text += " (this line is not indented like the one before)"
    return text


def _tactic_in_words(text: str, tactic: str, marked: str, candidate: str) -> str:
    """Names the tactic that the prover wrote, where the one that failed works under another's name."""
    if re.search(rf"\b{re.escape(tactic)}\b", candidate):
        return text
    if tactic == "rcases":
        return text.replace("Tactic `rcases` failed", "The pattern does not fit", 1)
    written = _SPELLINGS.get(tactic) or (marked if marked.isidentifier() else tactic)
    return text.replace(f"`{tactic}`", f"`{written}`", 1)
