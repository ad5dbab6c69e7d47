"""Reading Lean source leniently: where a comment ends, what a theorem's signature is, what stands after ``:=``.

Data sets hold Lean for libraries that are not here, so nothing in this module knows Lean's grammar beyond its comments,
strings, brackets and commands. It decides what is asked and what is handed on; it never decides what is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import NamedTuple

__all__ = [
    "Declaration",
    "Lexeme",
    "SourceError",
    "body_of",
    "lexemes",
    "normal_form",
    "on_one_line",
    "read_declaration",
    "read_header",
    "split_header",
    "without_blank_lines",
    "without_comments",
]

# Letters of identifiers as Lean's `isLetterLike` and `isSubScriptAlnum` have them. Python's own idea of a letter takes
# in superscripts, and `Aᵀ` or `sᶜ` would be one name.
_LETTER = r"A-Za-z_À-ÖØ-öø-ſα-κμ-ωΑ-ΟΡΤ-Ωϊ-ϻἀ-῾℀-⅏\U0001D49C-\U0001D59F"
_SUBSCRIPT = r"₀-₉ₐ-ₜᵢ-ᵪⱼ"
_NAME_PART = rf"(?:[{_LETTER}][{_LETTER}{_SUBSCRIPT}0-9'!?]*|«[^»\n]*»)"
_LEXEME = re.compile(
    r"(?P<comment>--[^\n]*|/-)"
    r'|(?P<string>r#"(?:[^"]|"(?!#))*"#|r"[^"]*"|"(?:\\.|[^"\\])*")'
    r"|(?P<character>'(?:\\[^'\n]+|\\'|[^'\\\n])')"
    rf"|(?P<name>{_NAME_PART}(?:\.{_NAME_PART})*)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<space>\s+)"
    r"|(?P<symbol>:=|.)",
    re.DOTALL,
)
_BLOCK_MARK = re.compile(r"/-|-/")
_OPENING = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "⦃": "⦄"}
_CLOSING = frozenset(_OPENING.values())

# What a problem's header may hold: see `header_of` in proofgrad.verifiers.lean.source.
_HEADER_LINE = re.compile(r"(?:import|open|set_option|universe) |noncomputable section\s*\Z")
_THEOREM_COMMANDS = ("theorem", "lemma")
_MODIFIERS = frozenset({"private", "protected", "noncomputable", "nonrec", "unsafe", "public"})
# What can begin a command at the left margin. `end` is not here: it closes a tactic block now and then.
_COMMANDS = _MODIFIERS | frozenset(
    re.findall(
        r"\w+",
        """
        abbrev attribute axiom class def deriving elab example export import inductive infix infixl infixr initialize
        instance lemma local macro macro_rules mutual namespace notation opaque open postfix prefix scoped section
        set_option structure syntax theorem universe variable
        """,
    )
)


class SourceError(ValueError):
    """This text is not what it should be; the message is a clause that goes on from the name of what was read."""


class Lexeme(NamedTuple):
    """A piece of source: its `kind` (comment, string, character, name, number, space, symbol), text and offset."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset just behind it."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Declaration:
    """A theorem as a file has it.

    Attributes:
        name: as written.
        head: from ``theorem`` to before ``:=``, in the file's own layout, without comments.
        statement: binders and type on one line: ``(p : Prop) : p → p``.
        body: what stands after ``:=``, without comments; None when there is no ``:=``.
    """

    name: str
    head: str
    statement: str
    body: str | None


def lexemes(text: str) -> Iterator[Lexeme]:
    """All pieces of `text`; together they are the text.

    Raises:
        SourceError: a block comment or a string is never closed.
    """
    start = 0
    while start < len(text):
        match = _LEXEME.match(text, start)
        if match is None:  # every character is at least a symbol
            raise SourceError(f"cannot be read from character {start} on")
        kind, piece = str(match.lastgroup), match[0]
        if piece == "/-":
            piece = text[start : _comment_end(text, start)]
        elif piece == '"':
            raise SourceError(f"holds a string that begins in line {_line(text, start)} and never ends")
        yield Lexeme(kind, piece, start)
        start += len(piece)


def _comment_end(text: str, start: int) -> int:
    """Block comments nest."""
    depth = 0
    for mark in _BLOCK_MARK.finditer(text, start):
        depth += 1 if mark[0] == "/-" else -1
        if depth == 0:
            return mark.end()
    raise SourceError(f"holds a comment that begins in line {_line(text, start)} and never ends")


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def without_comments(text: str) -> str:
    """`text` with blanks for its comments, so that lines and columns still hold.

    Raises:
        SourceError: a block comment or a string is never closed.
    """
    kept = [re.sub(r"[^\n]", " ", piece.text) if piece.kind == "comment" else piece.text for piece in lexemes(text)]
    return re.sub(r"[ \t]+$", "", "".join(kept), flags=re.MULTILINE)


def without_blank_lines(text: str) -> str:
    """`text` without the lines that hold nothing, such as those that `without_comments` leaves behind."""
    return "\n".join(line for line in text.rstrip().split("\n") if line.strip())


def on_one_line(text: str) -> str:
    """`text` with every run of white space made one space, strings excepted."""
    return "".join(" " if piece.kind == "space" else piece.text for piece in lexemes(text)).strip()


def split_header(text: str) -> tuple[str, str]:
    """The commands at the top of `text` that a header may hold, one a line, and what follows them.

    These are ``import``, ``open``, ``set_option``, ``universe`` and ``noncomputable section``. ``open X in`` and
    ``set_option o v in`` before the only declaration are the same as the command without ``in``. A command goes on over
    the indented lines below it.

    Args:
        text: source without comments.
    """
    header: list[str] = []
    lines = text.split("\n")
    while lines:
        first = lines[0]
        if not first.strip():
            lines.pop(0)
        elif _HEADER_LINE.match(first):
            header.append(lines.pop(0).strip())
        elif header and first[0].isspace() and not header[-1].endswith(" in"):
            header[-1] += " " + lines.pop(0).strip()
        else:
            break
    return "\n".join(re.sub(r"\s+in\Z", "", line) for line in header), "\n".join(lines)


def read_header(text: str) -> str:
    """The lines of a header, without its comments.

    Raises:
        SourceError: it holds something else than `split_header` knows.
    """
    header, rest = split_header(without_comments(text))
    if rest.strip():
        raise SourceError(
            f"holds {rest.strip().splitlines()[0][:60]!r}; allowed are lines of import, open, set_option and universe"
        )
    return header


def read_declaration(text: str) -> Declaration:
    """The one ``theorem`` or ``lemma`` in `text`, which holds no comments and no header.

    Attributes such as ``@[simp]`` and modifiers such as ``private`` may stand before it.

    Raises:
        SourceError: there is something else, more, or nothing.
    """
    pieces = [piece for piece in lexemes(text) if piece.kind != "space"]
    at = _after_modifiers(pieces)
    if at >= len(pieces):
        raise SourceError("holds no 'theorem' or 'lemma'")
    if pieces[at].text not in _THEOREM_COMMANDS:
        raise SourceError(f"must hold one 'theorem' or 'lemma'; it has {_shown(pieces[at].text)} in its place")
    if at + 1 >= len(pieces) or pieces[at + 1].kind != "name":
        raise SourceError(f"has a '{pieces[at].text}' without a name")
    begin, name = pieces[at].start, pieces[at + 1]
    signature_end, body = len(text), None
    colon = False
    for piece, depth in _with_depth(pieces[at + 2 :]):
        if depth == 0 and piece.text == ":=":
            signature_end, body = piece.start, text[piece.end :].strip("\n ")
            break
        if piece.kind == "name" and piece.text in _COMMANDS and _at_margin(text, piece.start):
            raise SourceError(f"holds more than one command: '{piece.text}' in line {_line(text, piece.start)}")
        colon = colon or (depth == 0 and piece.text == ":")
    if not colon:
        raise SourceError(f"has no ':' between the binders of '{name.text}' and its type")
    if body and (other := _second_command(body)):
        raise SourceError(f"holds more than one command: '{other}' after the proof of '{name.text}'")
    statement = on_one_line(text[name.end : signature_end])
    if statement.endswith(":"):
        raise SourceError(f"has no type after the ':' of '{name.text}'")
    return Declaration(name.text, without_blank_lines(text[begin:signature_end]), statement, body)


def body_of(block: str) -> str:
    """What a policy's Lean block hands to the verifier.

    Comments go. A block that does not begin with a command is a body already, but for a ``:=`` at its start. Of a block
    that repeats the theorem, only what stands after ``:=`` is taken: the statement is ours, whatever the block says. A
    block with other declarations before the theorem is handed on whole, less the lines at its top that the problem's
    header decides; ``open`` stays. What cannot be read is handed on as it is.
    """
    try:
        text = without_comments(block)
        if not _begins_with_command(text):
            return re.sub(r"\A\s*:=[ \t]*", "", text)
        header, rest = split_header(text)
        if not _begins_with_command(rest):
            return rest
    except SourceError:
        return block
    try:
        return read_declaration(rest).body or rest
    except SourceError:
        opened = [line for line in header.split("\n") if line.startswith("open ")]
        return "\n".join([*opened, rest])


def normal_form(statement: str) -> str:
    """A text that is equal for statements which differ only in white space or in the names of their outer binders.

    Two statements with the same form say the same; statements that say the same may have different forms, since inner
    binders keep their names.

    Raises:
        SourceError: a string or comment is never closed, or brackets do not match.
    """
    pieces = [piece for piece in lexemes(statement) if piece.kind != "space"]
    names: dict[str, str] = {}
    group: list[str] | None = None  # the names at the start of a bracket; binders only if a colon follows them
    bound: list[str] = []  # in scope from the end of their bracket on
    form: list[str] = []
    outer, count = True, 0
    previous: Lexeme | None = None
    renaming = _renaming_is_safe(pieces)
    for piece, depth in _with_depth(pieces):
        outer = outer and not (depth == 0 and piece.text == ":")
        projection = previous is not None and previous.text == "." and previous.end == piece.start
        form.append(_renamed(piece, names) if renaming and not projection else piece.text)
        if depth == 1 and piece.text in _OPENING:
            group = []
        elif group is not None and piece.kind == "name":
            group.append(piece.text)
        elif group is not None:
            if outer and depth == 1 and piece.text == ":" and renaming:
                bound = group
                for i in range(len(group)):
                    form[len(form) - 1 - len(group) + i] = f"§{count + i}"
            group = None
        if bound and depth == 1 and piece.text in _CLOSING:
            names.update({name: f"§{count + i}" for i, name in enumerate(bound)})
            count += len(bound)
            bound = []
        previous = piece
    return " ".join(form)


def _renaming_is_safe(pieces: list[Lexeme]) -> bool:
    """Whether every name stands for a variable or a constant: `(p := h)` may name an argument, a string may hold code.

    Where that is in doubt the statement keeps its names, so that two statements never get one form by mistake.
    """
    before_assignment = (a.kind == "name" and b.text == ":=" for a, b in pairwise(pieces))
    return not any(before_assignment) and all(piece.kind != "string" for piece in pieces)


def _renamed(piece: Lexeme, names: dict[str, str]) -> str:
    if piece.kind != "name":
        return piece.text
    head, dot, rest = piece.text.partition(".")
    return names.get(head, head) + dot + rest


def _with_depth(pieces: list[Lexeme]) -> Iterator[tuple[Lexeme, int]]:
    """Each piece with the number of brackets around it; a bracket counts as inside itself."""
    expected: list[str] = []
    for piece in pieces:
        if piece.text in _OPENING:
            expected.append(_OPENING[piece.text])
        yield piece, len(expected)
        if piece.text in _CLOSING and (not expected or expected.pop() != piece.text):
            raise SourceError(f"has a '{piece.text}' that closes nothing")
    if expected:
        raise SourceError(f"lacks a '{expected[-1]}'")


def _after_modifiers(pieces: list[Lexeme]) -> int:
    """The index of the first piece behind attributes and modifiers."""
    at = 0
    while at < len(pieces):
        if [piece.text for piece in pieces[at : at + 2]] == ["@", "["]:
            depths = (depth for _piece, depth in _with_depth(pieces[at + 1 :]))
            at += 1 + sum(1 for _depth in takewhile(bool, depths))
        elif pieces[at].text in _MODIFIERS:
            at += 1
        else:
            break
    return at


def _at_margin(text: str, start: int) -> bool:
    return start == 0 or text[start - 1] == "\n"


def _begins_with_command(text: str) -> bool:
    first = re.match(r"\s*(@\[|#|[A-Za-z_]+)", text)
    return first is not None and (first[1] in ("@[", "#") or first[1] in _COMMANDS)


def _second_command(body: str) -> str | None:
    """The first command at the left margin of a body, beyond its first line."""
    for found in re.finditer(r"\n(@\[|#[a-z]+|[a-z_]+\b)", body):
        if found[1] in _COMMANDS or found[1][0] in "@#":
            return found[1]
    return None


def _shown(text: str) -> str:
    return f"'{text}'" if len(text) <= 40 else f"'{text[:37]}...'"
