"""Statements, and splitting a Lean file into the statement and what claims to prove it. Pure functions."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from proofgrad.verifiers.errors import ProblemError
from proofgrad.verifiers.lean.candidate import read_candidate
from proofgrad.verifiers.lean.soundness import Finding, scan, tokenize

__all__ = ["Statement", "fresh_name", "header_in", "header_of", "parse_statement", "split_file", "statement_of"]

_HEADER_WORDS = ("import ", "open ", "set_option ", "universe ", "noncomputable section", "--")
_OPEN, _CLOSE = frozenset("([{⟨⦃"), frozenset(")]}⟩⦄")


@dataclass(frozen=True, slots=True)
class Statement:
    """What is to be proved: ``(p q : Prop) : p ∧ q → q`` has binders ``(p q : Prop)`` and type ``p ∧ q → q``."""

    binders: str
    type: str

    @property
    def signature(self) -> str:
        """What stands between a theorem's name and ``:=``, on one line."""
        return f"{self.binders} : {self.type}".strip()

    @property
    def proposition(self) -> str:
        """The same as one closed proposition."""
        return f"∀ {self.binders}, {self.type}" if self.binders else self.type


def fresh_name() -> str:
    """A name that no candidate can know or guess."""
    return f"pg_{secrets.token_hex(16)}"


def header_of(problem: Mapping[str, object]) -> str | None:
    """The imports and options that a problem brings, for a Lean that is not the embedded one; None if it brings none.

    Raises:
        ProblemError: it is no text, or holds a line that is neither an import, an option nor an open namespace.
    """
    text = problem.get("header")
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise ProblemError("a Lean problem's 'header' is a string of import, open and set_option lines")
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith(_HEADER_WORDS):
            raise ProblemError(f"line {number} of a Lean problem's 'header' is no import, open or set_option: {line!r}")
    return text.rstrip("\n") + "\n"


def header_in(text: str) -> str:
    """The imports, options and opened namespaces at the beginning of a Lean file, one a line."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if line.startswith(_HEADER_WORDS):
            lines.append(line)
        elif line.strip():
            break
    return "".join(f"{line}\n" for line in lines if not line.startswith("--"))


def statement_of(problem: Mapping[str, object]) -> Statement:
    """The statement of a problem ``{"statement": "(p : Prop) : p → p"}``.

    Raises:
        ProblemError: there is none, or it cannot be one.
    """
    text = problem.get("statement")
    if not isinstance(text, str):
        raise ProblemError("a Lean problem needs the key 'statement' with a string such as '(p : Prop) : p → p'")
    return parse_statement(text, is_full=header_of(problem) is not None)


def parse_statement(text: str, *, is_full: bool = False) -> Statement:
    """Split a statement at its outermost colon.

    Args:
        text: binders, a colon, and a proposition.
        is_full: whether Lean's whole library is at hand, where ``|x|``, ``{x | p x}`` and ``let x := ..`` mean much.

    Raises:
        ProblemError: no such colon, or a token that has no place in a statement.
    """
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    if finding := scan(text, is_full=True):
        raise ProblemError(f"the Lean statement {shown!r} is refused: {finding.message}")
    colon, depth = -1, 0
    for token in tokenize(text, is_full=True):
        if isinstance(token, Finding):
            raise ProblemError(f"the Lean statement {shown!r} is refused: {token.message}")
        if not is_full and token.text in (":=", "by", "|", ";"):
            raise ProblemError(f"the Lean statement {shown!r} is refused: it holds '{token.text}'")
        depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if token.text == ":" and depth == 0 and colon < 0:
            colon = token.offset
    if colon < 0:
        raise ProblemError(f"the Lean statement {shown!r} has no ':' between its binders and its type")
    statement = Statement(" ".join(text[:colon].split()), " ".join(text[colon + 1 :].split()))
    if not statement.type:
        raise ProblemError(f"the Lean statement {shown!r} has no type after ':'")
    return statement


def split_file(text: str) -> tuple[str, str]:
    """Split a file into the statement of its last theorem and what is to be judged for it.

    With one ``theorem NAME STATEMENT := BODY`` that is the body; with lemmas before it, the whole file.

    Raises:
        ProblemError: the file has another shape.
    """
    found = read_candidate(text, is_full=True)
    if isinstance(found, Finding):
        raise ProblemError(f"the Lean file cannot be read: {found.message}")
    if found.theorem is None:
        raise ProblemError("a Lean file to verify holds theorems: 'theorem NAME STATEMENT := PROOF'")
    parse_statement(found.signature)
    is_alone = len(re.findall(r"^theorem\b", found.text, re.MULTILINE)) == 1
    return found.signature, found.body if is_alone and "\nopen " not in f"\n{found.text}" else text
