"""Quoting text that nobody vouches for, so that a reader can always tell it from what we say ourselves.

A quoted text stands between two lines that carry a tag which its author could not know, and every line of it starts
with ``| ``. So no text can end its own quotation: it has no line of its own at the margin, and it does not know the
tag. What no reader sees (control and format characters, variation selectors, the tag block in which whole sentences can
hide) is taken out first, and what a tokenizer could take for one of its special tokens is broken by a space: a chat
template is flat text in which ``<|im_end|>`` ends a message, whoever wrote it.

Marking every line follows K. Hines et al., "Defending Against Indirect Prompt Injection Attacks With Spotlighting"
(arXiv 2403.14720). Pure functions.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Sequence

__all__ = ["MARGIN", "defused", "quote", "tag_for", "visible"]

MARGIN = "| "

_LINE_BREAKS = re.compile("\r\n|[\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Combining grapheme joiner, Hangul fillers, Khmer inherent vowels, braille blank: no mark on the page, yet not "Cf".
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# With what looks the same after compatibility normalisation, which some tokenizers apply before they match.
_ANGLE = re.compile(r"([<\uff1c\ufe64])(?=[^\s=-])")
_BRACKET = re.compile(r"([\[\uff3b])(?=/?[A-Za-z_]{2,}[\]\uff3d])")


def visible(text: str) -> str:
    """`text` with one kind of line break and without the characters that a reader cannot see; tabs stay."""
    text = _LINE_BREAKS.sub("\n", text)
    return "".join(c for c in text if c in "\n\t" or not _is_unseen(c))


def _is_unseen(character: str) -> bool:
    return (
        unicodedata.category(character) in _UNSEEN_CATEGORIES
        or character in _UNSEEN
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )


def defused(text: str, special_tokens: Sequence[str] = ()) -> str:
    """`text` in which no tokenizer finds a special token: a space breaks whatever looks like one.

    Args:
        text: as `visible` returns it.
        special_tokens: the tokenizer's own, where they are known. Without them the shapes that are in use are broken:
            ``<...``, ``[WORD]`` and ``[/WORD]``.
    """
    text = _BRACKET.sub(r"\1 ", _ANGLE.sub(r"\1 ", text))
    # Without their outer spaces, or a space inserted into one could leave it as it was.
    tokens = [bare for token in special_tokens if len(bare := token.strip()) > 1]
    # One can come about by breaking another. Every round widens a gap that no token can have twice, so this ends.
    while found := [token for token in tokens if token in text]:
        for token in found:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def tag_for(key: bytes, material: Sequence[str], texts: Sequence[str]) -> str:
    """A tag of 128 bits that only a holder of `key` can foresee, and that occurs in none of `texts`.

    It is the same for the same key and material, so that a judgement can be repeated word for word.
    """
    for attempt in range(1_000_000):
        message = json.dumps([*material, attempt]).encode()
        tag = hmac.new(key, message, hashlib.sha256).hexdigest()[:32]
        if not any(tag in text for text in texts):
            return tag
    raise RuntimeError("a million tags occur in the texts")  # not in this universe: each has 128 bits


def quote(name: str, text: str, tag: str, special_tokens: Sequence[str] = ()) -> str:
    """`text` as a block that it cannot leave; `name` says what it is, e.g. ``ANSWER``."""
    lines = defused(visible(text), special_tokens).split("\n")
    body = "\n".join(f"{MARGIN}{line}".rstrip() for line in lines)
    return f"BEGIN {name} {tag}\n{body}\nEND {name} {tag}"
