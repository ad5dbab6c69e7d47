"""Statements, and splitting a Lean file into the statement and what claims to prove it. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from proofgrad.verifiers.errors import ProblemError
from proofgrad.verifiers.lean.soundness import Finding, scan, tokenize

__all__ = ["Statement", "parse_statement", "split_file", "statement_of"]

_COMMENT = re.compile(r"\A\s*(--[^\n]*\n|/-.*?-/)", re.DOTALL)
_THEOREM = re.compile(r"\Atheorem\s+[^\s:(){}\[\]⟨⟩]+\s*")
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


def statement_of(problem: Mapping[str, object]) -> Statement:
    """The statement of a problem ``{"statement": "(p : Prop) : p → p"}``.

    Raises:
        ProblemError: there is none, or it cannot be one.
    """
    text = problem.get("statement")
    if not isinstance(text, str):
        raise ProblemError("a Lean problem needs the key 'statement' with a string such as '(p : Prop) : p → p'")
    return parse_statement(text)


def parse_statement(text: str) -> Statement:
    """Split a statement at its outermost colon.

    Raises:
        ProblemError: no such colon, ``:=``, or a token that has no place in a statement.
    """
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    if finding := scan(text):
        raise ProblemError(f"the Lean statement {shown!r} is refused: {finding.message}")
    colon, depth = -1, 0
    for token in tokenize(text):
        if isinstance(token, Finding):
            raise ProblemError(f"the Lean statement {shown!r} is refused: {token.message}")
        if token.text in (":=", "by", "|", ";"):
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
    """Split a file with exactly one ``theorem NAME STATEMENT := BODY`` into statement and body.

    Blank lines and comments may stand before it; nothing may stand after it that is not its body.

    Raises:
        ProblemError: the file has another shape.
    """
    rest = text.replace("\r\n", "\n")
    while match := _COMMENT.match(rest):
        rest = rest[match.end() :]
    rest = rest.strip()
    head = _THEOREM.match(rest)
    if head is None:
        raise ProblemError(
            "a Lean file to verify starts with 'theorem NAME STATEMENT := PROOF'; imports are not needed"
        )
    rest = rest[head.end() :]
    depth = 0
    for token in tokenize(rest):
        if isinstance(token, Finding):
            raise ProblemError(f"the theorem's statement cannot be read: {token.message}")
        depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if token.text == ":=" and depth == 0:
            statement, body = rest[: token.offset].strip(), rest[token.offset + 2 :].strip()
            break
    else:
        raise ProblemError("the theorem has no ':=' with a proof after it")
    if re.search(r"^(theorem|lemma|example|def)\b", body, re.MULTILINE):
        raise ProblemError("a Lean file to verify holds exactly one theorem; helper lemmas are not supported yet")
    parse_statement(statement)
    return statement, body
