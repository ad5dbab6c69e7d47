"""The cheap scan: a proof body may hold terms and tactics, nothing else. Pure functions, no Lean involved.

This is an allow-list over tokens. What it refuses never reaches Lean: comments (`candidate` has blanked out the honest
ones), strings and character literals (an open one would swallow what follows it in the file), every command keyword,
macros, quotations, options and placeholders. A body that passes can therefore not end its own theorem and begin
something else. The axiom report and the second theorem of `checker` are the second line of defence, and the audit is
the third.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from proofgrad.verifiers.lean.tokens import FULL_SYMBOLS, PLACEHOLDERS, REFUSED_WORDS, SYMBOLS

__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "MAX_NAME", "Finding", "Token", "place", "scan", "tokenize"]

MAX_CHARACTERS = 16_000
MAX_DEPTH = 100
MAX_NAME = 200  # Lean takes time quadratic in the parts of a dotted name

# What Lean calls an identifier, less the guillemets and the letters beyond Greek: a quote mark only ever continues a
# name, so that it cannot open a character literal.
_START = "A-Za-z_α-κμ-ωΓΔΘΛΞΦΨΩ"


def _tokens(start: str, symbols: Collection[str]) -> re.Pattern[str]:
    name = rf"[{start}][{start}0-9'₀-₉]*"
    ordered = sorted(symbols, key=len, reverse=True)
    return re.compile(
        rf"(?P<name>{name}(?:\.{name})*)|(?P<number>[0-9]+)|(?P<space>[ \n]+)|(?P<symbol>"
        + "|".join(re.escape(symbol) for symbol in ordered)
        + ")"
    )


_TOKEN = _tokens(_START, SYMBOLS)
# Lean's whole library also has blackboard and script letters, superscripts as operators, and more.
_FULL_TOKEN = _tokens(f"{_START}ℂℕℚℝℤℙ𝓝𝓤ℵ", SYMBOLS | FULL_SYMBOLS)
_OPENING = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "⦃": "⦄", "‹": "›"}
_CLOSING = frozenset(_OPENING.values())


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a body: its `kind` ("name", "number", "symbol"), text and offset from the start."""

    kind: str
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a body is refused: a stable reason code and a line for the policy."""

    reason: str
    message: str


def tokenize(text: str, *, is_full: bool = False) -> Iterator[Token | Finding]:
    """The tokens of `text`; ends with a finding where something that is no allowed token begins."""
    offset, pattern = 0, _FULL_TOKEN if is_full else _TOKEN
    while offset < len(text):
        match = pattern.match(text, offset)
        if match is None:
            yield Finding("lean.parse_error", f"{place(text, offset)}: {_character(text[offset])} is not allowed here")
            return
        if match.lastgroup != "space":
            yield Token(str(match.lastgroup), match[0], offset)
        offset = match.end()


def scan(body: str, *, is_full: bool = False) -> Finding | None:
    """The first reason to refuse `body`, or None; `is_full` allows the symbols of Lean's whole library.

    Reasons: ``cheat.sorry`` (a placeholder), ``cheat.command`` (anything that starts a command or reaches the
    elaborator's own machinery), ``lean.parse_error`` (a character or an unbalanced bracket that no proof needs),
    ``lean.resource`` (too long, too deep, or a name too long).
    """
    if len(body) > MAX_CHARACTERS:
        return Finding("lean.resource", f"the proof is longer than {MAX_CHARACTERS} characters")
    if not body.strip():
        return Finding("lean.parse_error", "the proof is empty")
    for mark in ("--", "/-", "-/"):
        if mark in body:
            return Finding("cheat.command", f"{place(body, body.index(mark))}: comments are not allowed")
    open_brackets: list[str] = []
    previous = ""
    for token in tokenize(body, is_full=is_full):
        if isinstance(token, Finding):
            return token
        if token.kind == "name" and (finding := _check_name(body, token, is_full)):
            return finding
        if token.text == "%" and previous and body[token.offset - 1 : token.offset].strip():
            # `eval%x` and its like run code; `a % b` is a remainder.
            return Finding("cheat.command", f"{place(body, token.offset)}: '%' needs a space before it")
        if token.kind == "symbol":
            if token.text == "[" and previous == "@":
                return Finding("cheat.command", f"{place(body, token.offset)}: attributes are not allowed")
            if token.text in _OPENING:
                open_brackets.append(_OPENING[token.text])
                if len(open_brackets) > MAX_DEPTH:
                    return Finding("lean.resource", f"brackets are nested more than {MAX_DEPTH} deep")
            elif token.text in _CLOSING and (not open_brackets or open_brackets.pop() != token.text):
                return Finding("lean.parse_error", f"{place(body, token.offset)}: unexpected '{token.text}'")
        previous = token.text
    if open_brackets:
        return Finding("lean.parse_error", f"a '{open_brackets[-1]}' is missing at the end of the proof")
    return None


def _check_name(body: str, token: Token, is_full: bool) -> Finding | None:
    if len(token.text) > MAX_NAME:
        return Finding("lean.resource", f"{place(body, token.offset)}: a name is longer than {MAX_NAME} characters")
    parts = token.text.split(".")
    for part in parts:
        if part in PLACEHOLDERS:
            return Finding("cheat.sorry", f"{place(body, token.offset)}: '{part}' does not prove anything")
    # `decide +native` and `simp (config := ..)` evaluate code; the embedded library has no configurations at all.
    if parts[0] in REFUSED_WORDS or (is_full and parts[0] in ("native", "config")):
        return Finding("cheat.command", f"{place(body, token.offset)}: '{parts[0]}' is not allowed in a proof")
    return None


def place(text: str, offset: int) -> str:
    """Line, from 1, and column, from 0, of an offset."""
    line = text.count("\n", 0, offset) + 1
    return f"line {line}, column {offset - (text.rfind(chr(10), 0, offset) + 1)}"


def _character(character: str) -> str:
    return f"'{character}'" if character.isprintable() else f"the character U+{ord(character):04X}"
