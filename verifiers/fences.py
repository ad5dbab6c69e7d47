"""Reading an answer out of a completion: the last fenced block. Pure functions."""

from __future__ import annotations

import re

__all__ = ["last_fenced_block", "without_blank_edges"]

# A fence is a line that starts with at least three backticks; one that is never closed runs to the end of the text,
# because a completion that was cut off at its last line still holds a whole answer now and then.
_FENCE = re.compile(r"^[ \t]*```[^\n`]*\n(?P<body>.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)


def last_fenced_block(text: str) -> str | None:
    """The content of the last ``` block in `text`, without its fences; None when there is none."""
    body: str | None = None
    for match in _FENCE.finditer(text.replace("\r\n", "\n")):
        body = match["body"]
    return body


def without_blank_edges(text: str) -> str | None:
    """`text` without white space at its end and blank lines at its start; None when nothing is left.

    Indentation stays, because it has a meaning in Lean and in Python.
    """
    return re.sub(r"\A(?:[ \t]*\n)+", "", text.rstrip()) or None
