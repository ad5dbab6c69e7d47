"""What a candidate hands in: a proof body, or a whole file whose last theorem is the answer. Pure functions, no Lean.

A body is what stands after ``:=``. A file is theorems and lemmas, one after the other; it is recognised by its first
word. Either is read by `soundness.scan`, so that neither holds a command of any other kind. Comments are blanked out
beforehand, character by character, which leaves every line and column where it was.

In a file, imports and resource limits are ours to choose, so those lines are blanked as well; ``open NAMES`` stays, and
ends with the namespace that the file is put into. What such a file *says* it proves is not trusted: the checker
compares it with our statement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from proofgrad.verifiers.lean.soundness import Finding, place, scan, tokenize

__all__ = ["Candidate", "blank_comments", "read_candidate"]

_FILE_WORDS = ("theorem", "lemma", "import", "open", "set_option")
_NAME = re.compile(r"[A-Za-z_α-κμ-ωΓΔΘΛΞΦΨΩ][\w'₀-₉]*(?:\.[A-Za-z_α-κμ-ωΓΔΘΛΞΦΨΩ][\w'₀-₉]*)*")
# Lines of a file that are ours to decide, and one that may stay.
_OURS = re.compile(r"import [\w.]+|set_option (?:maxHeartbeats|maxRecDepth) [0-9]+(?! *in\b)")
_OPEN = re.compile(rf"open(?: {_NAME.pattern})+")
_HEAD = re.compile(rf"(theorem|lemma)[ \n]+({_NAME.pattern})")
_COMMENT = re.compile(r"--|/-")
_MARK = re.compile(r"/-|-/")
_OPENING, _CLOSING = frozenset("([{⟨⦃"), frozenset(")]}⟩⦄")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate that may be shown to Lean.

    Attributes:
        text: what Lean reads; its lines and columns are those of what was handed in.
        theorem: the name of a file's last theorem; None for a body.
        signature: what a file says about that theorem between its name and ``:=``; empty for a body.
        body: a body, or that of a file's last theorem.
    """

    text: str
    theorem: str | None
    signature: str
    body: str


def read_candidate(handed_in: str, *, is_full: bool = False) -> Candidate | Finding:
    """The candidate, or the first reason to refuse it (see `scan` for the reasons).

    Args:
        handed_in: a body or a file.
        is_full: whether it is for a Lean with its whole library, whose vocabulary is wider.
    """
    text = blank_comments(handed_in.replace("\r\n", "\n"))
    if isinstance(text, Finding):
        return text
    text = text.rstrip("\n ")
    stripped = text.lstrip("\n ")
    if not stripped.startswith(_FILE_WORDS) or not re.match(rf"(?:{'|'.join(_FILE_WORDS)})\b", stripped):
        return scan(text, is_full=is_full) or Candidate(text, None, "", stripped)
    return _read_file(text, is_full)


def _read_file(text: str, is_full: bool) -> Candidate | Finding:
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if re.match(r"(?:theorem|lemma)\b", line):
            break
        if _OURS.fullmatch(line.strip()):
            lines[i] = ""
        elif line.strip() and (not _OPEN.fullmatch(line.strip()) or "in" in line.split()):
            word = line.split()[0]
            return Finding("cheat.command", f"line {i + 1}, column 0: '{word}' is not allowed in a proof")
    text = "\n".join(lines)
    starts = [match.start() for match in re.finditer(r"^(?:theorem|lemma)\b", text, re.MULTILINE)]
    if not starts:
        return Finding("lean.parse_error", "the file holds no theorem")
    name = signature = body = ""
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        found = _read_theorem(text, start, end, is_full)
        if isinstance(found, Finding):
            return found
        name, signature, body = found
    # Lean itself has no `lemma`.
    return Candidate(re.sub(r"^lemma\b", "theorem", text, flags=re.MULTILINE), name, signature, body)


def _read_theorem(text: str, start: int, end: int, is_full: bool) -> tuple[str, str, str] | Finding:
    """Name, signature and body of the theorem that stands from `start` to `end`."""
    head = _HEAD.match(text, start, end)
    if head is None:
        return Finding("lean.parse_error", f"{place(text, start)}: a theorem has no name")
    name = head[2]
    # A name may not leave the namespace that the file is put into.
    if finding := scan(name, is_full=is_full):
        return Finding(finding.reason, f"{place(text, head.start(2))}: a theorem cannot be called '{name}'")
    if "_root_" in name.split("."):
        return Finding("cheat.command", f"{place(text, head.start(2))}: '_root_' is not allowed in a name")
    rest, depth = text[head.end() : end], 0
    for token in tokenize(rest, is_full=is_full):
        if isinstance(token, Finding):
            break  # `scan` will say the same, with the right place
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if token.text == ":=" and depth == 0:
            # Blanked rather than cut off, so that findings name places of the file.
            before, after = head.end() + token.offset, head.end() + token.offset + 2
            for part in (_only(text, head.end(), before), _only(text, after, end)):
                if finding := scan(part, is_full=is_full):
                    return finding
            return name, text[head.end() : before].strip(), text[after:end].strip()
    finding = scan(_only(text, head.end(), end), is_full=is_full)
    missing = Finding("lean.parse_error", f"{place(text, start)}: the theorem has no ':=' with a proof after it")
    return finding or missing


def _only(text: str, start: int, end: int) -> str:
    return re.sub(r"[^\n]", " ", text[:start]) + text[start:end]


def blank_comments(text: str) -> str | Finding:
    """`text` with blanks in place of comments; a finding when one is not closed.

    Comments nest. Strings need no care: no candidate may hold one.
    """
    parts, offset = [], 0
    while match := _COMMENT.search(text, offset):
        parts.append(text[offset : match.start()])
        if match[0] == "--":
            end = text.find("\n", match.end())
            end = len(text) if end < 0 else end
        else:
            depth, end = 1, match.end()
            while depth:
                mark = _MARK.search(text, end)
                if mark is None:
                    return Finding("lean.parse_error", f"{place(text, match.start())}: a comment is not closed")
                depth += 1 if mark[0] == "/-" else -1
                end = mark.end()
        parts.append(re.sub(r"[^\n]", " ", text[match.start() : end]))
        offset = end
    return "".join(parts) + text[offset:]
