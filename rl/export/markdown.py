"""Markdown that quoted text cannot leave: a candidate's completion in a model card is shown, never rendered.

Sites make links of words that no Markdown escapes: mentions, references to issues and commits, addresses. Inside code
they do not (https://docs.github.com/en/get-started/writing-on-github), so that is where such words go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from proofgrad.verifiers.rubric.quoting import visible

__all__ = ["LONGEST_NAME", "LONGEST_TEXT", "code", "cut", "fenced", "plain", "table", "unbroken"]

LONGEST_NAME, LONGEST_TEXT = 200, 4000  # characters that are shown

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")
# Mentions, issues, addresses, GitHub's identifiers, commits, emoji, formulas, and entities that would spell these.
_ACTIVE = re.compile(
    r"[@#$&]|://|(?:www\.|mailto:|xmpp:)|\b(?:GH|GHSA|CVE)-|(?<![0-9a-z])[0-9a-f]{7,64}(?![0-9a-z])|:[\w+-]+:", re.I
)


def unbroken(text: object) -> str:
    """Text on one line, without characters that a reader cannot see."""
    return " ".join(visible(str(text)).split())


def plain(text: object) -> str:
    """Text on one line that is shown as it is, whatever Markdown would make of it.

    A word that a site would make a link of is inline code.
    """
    words = unbroken(text).split(" ")
    return " ".join(code(word) if _ACTIVE.search(word) else _SPECIAL.sub(r"\\\1", word) for word in words)


def code(text: object) -> str:
    """Text as inline code, in a table too."""
    line = unbroken(text) or " "
    fence = "`" * (1 + _longest_run(line))
    pad = " " if fence != "`" else ""
    return f"{fence}{pad}{line}{pad}{fence}".replace("|", "\\|")


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    """`text`, or its first `longest` characters and how many more there are."""
    return text if len(text) <= longest else f"{text[:longest]}… {len(text) - longest:,} more characters"


def fenced(text: str, language: str = "text") -> Iterator[str]:
    """The lines of a block of code."""
    fence = "`" * max(3, 1 + _longest_run(text))
    yield f"{fence}{language}"
    yield text
    yield fence


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table; cells are Markdown already."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
