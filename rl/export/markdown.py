"""Markdown that quoted text cannot leave: a candidate's completion in a model card is shown, never rendered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from proofgrad.verifiers.rubric.quoting import visible

__all__ = ["code", "fenced", "plain", "table", "unbroken"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def unbroken(text: object) -> str:
    """Text on one line, without characters that a reader cannot see."""
    return " ".join(visible(str(text)).split())


def plain(text: object) -> str:
    """Text on one line that is shown as it is, whatever Markdown would make of it."""
    return _SPECIAL.sub(r"\\\1", unbroken(text))


def code(text: object) -> str:
    """Text as inline code, in a table too."""
    line = unbroken(text)
    fence = "`" * (1 + _longest_run(line))
    pad = " " if fence != "`" else ""
    return f"{fence}{pad}{line}{pad}{fence}".replace("|", "\\|")


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
