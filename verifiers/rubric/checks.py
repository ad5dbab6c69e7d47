"""Criteria that code can check: a small closed set, each with validated parameters and linear in the answer's length.

Phrases are words, not regular expressions, so that no answer can make a search run away. ``*`` at the end of a word
stands for any ending: ``ventilat*`` finds "ventilate" and "ventilation". Case, width and spacing do not matter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from proofgrad.verifiers.base import Json

__all__ = ["Check", "flesch_reading_ease", "sentences", "words"]

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+|\n\s*\n|\n(?=\s*(?:[-*•]|\d+[.)])\s)")
_VOWELS = re.compile(r"[aeiouy]+")
# "line 3", "lines 3-5", "line no. 3", "L3", "line #3"
_LINE = re.compile(r"\b(?:lines?\s*(?:no\.?|number|#)?\s*|L)(\d{1,6})\b", re.IGNORECASE)


def words(text: str) -> list[str]:
    """The words of a text: runs of letters and digits, with hyphens and apostrophes inside."""
    return _WORD.findall(text)


def sentences(text: str) -> list[str]:
    """The sentences of a text that have a word; list items and paragraphs end one as well."""
    return [part for part in _SENTENCE_END.split(text) if part and words(part)]


def flesch_reading_ease(text: str) -> float:
    """206.835 - 1.015 · words / sentences - 84.6 · syllables / words: higher is easier, 60 is plain English.

    R. Flesch, "A new readability yardstick", Journal of Applied Psychology 32 (1948). Syllables are counted as groups
    of vowels without a silent e at the end, so single words can be off by one. A text without words has 0.
    """
    found = words(text)
    if not found:
        return 0.0
    syllables = sum(_syllables(word) for word in found)
    return 206.835 - 1.015 * len(found) / len(sentences(text)) - 84.6 * syllables / len(found)


def _syllables(word: str) -> int:
    word = word.lower()
    count = len(_VOWELS.findall(word))
    if word.endswith("e") and not word.endswith(("le", "ee")):
        count -= 1
    return max(1, count)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().replace("’", "'").split())


def _is_phrase(phrase: str) -> str:
    folded = _folded(phrase)
    if not folded.strip("* ") or "*" in re.sub(r"(?<=\w)\*(?=\s|$)", "", folded):
        raise ValueError(f"{phrase!r} is no phrase: write words, with * only at the end of a word")
    return phrase


def _pattern(phrase: str) -> re.Pattern[str]:
    parts = [
        re.escape(word.removesuffix("*")) + (r"\w*" if word.endswith("*") else "") for word in _folded(phrase).split()
    ]
    return re.compile(rf"(?<!\w){' '.join(parts)}(?!\w)")


Phrase: TypeAlias = Annotated[str, AfterValidator(_is_phrase)]


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Words(_Parameters):
    """How long the answer is, in words."""

    min: int = Field(0, ge=0)
    max: int = Field(1_000_000, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Words:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        return self

    def holds(self, answer: str, problem: Mapping[str, Json]) -> bool:
        return self.min <= len(words(answer)) <= self.max


class SentenceWords(_Parameters):
    """How long its longest sentence is, in words."""

    max: int = Field(ge=1)

    def holds(self, answer: str, problem: Mapping[str, Json]) -> bool:
        return all(len(words(sentence)) <= self.max for sentence in sentences(answer))


class ReadingEase(_Parameters):
    """How easy it is to read, by Flesch's formula."""

    min: float = Field(ge=-200, le=121.22)
    """121.22 is what sentences of one word of one syllable have."""

    def holds(self, answer: str, problem: Mapping[str, Json]) -> bool:
        return flesch_reading_ease(answer) >= self.min


class Mentions(_Parameters):
    """Whether it has phrases that it needs."""

    any_of: list[Phrase] = Field(min_length=1)
    at_least: int = Field(1, ge=1)
    """How many different ones."""

    @model_validator(mode="after")
    def _attainable(self) -> Mentions:
        if self.at_least > len(self.any_of):
            raise ValueError(f"at_least is {self.at_least}, and any_of has {len(self.any_of)} phrases")
        return self

    def holds(self, answer: str, problem: Mapping[str, Json]) -> bool:
        text = _folded(answer)
        return sum(_pattern(phrase).search(text) is not None for phrase in self.any_of) >= self.at_least


class Avoids(_Parameters):
    """Whether it is free of phrases that it must not have."""

    none_of: list[Phrase] = Field(min_length=1)

    def holds(self, answer: str, problem: Mapping[str, Json]) -> bool:
        text = _folded(answer)
        return not any(_pattern(phrase).search(text) for phrase in self.none_of)


class NamesLine(_Parameters):
    """Whether it names a line by its number: "line 3". The problem's `lines`, if given, says how many there are."""

    def holds(self, answer: str, problem: Mapping[str, Json]) -> bool:
        last = problem.get("lines")
        numbers = [int(number) for number in _LINE.findall(answer)]
        return any(n >= 1 and (not isinstance(last, int) or n <= last) for n in numbers)


class Check(_Parameters):
    """One check: exactly one of the keys."""

    words: Words | None = None
    sentence_words: SentenceWords | None = None
    reading_ease: ReadingEase | None = None
    mentions: Mentions | None = None
    avoids: Avoids | None = None
    names_line: NamesLine | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Check:
        if len(self.model_fields_set) != 1 or self._chosen() is None:
            raise ValueError(f"give exactly one of {', '.join(type(self).model_fields)}")
        return self

    def _chosen(self) -> Words | SentenceWords | ReadingEase | Mentions | Avoids | NamesLine | None:
        chosen = (self.words, self.sentence_words, self.reading_ease, self.mentions, self.avoids, self.names_line)
        return next((check for check in chosen if check is not None), None)

    def holds(self, answer: str, problem: Mapping[str, Json]) -> bool:
        """Whether `answer`, as `quoting.visible` returns it, meets the criterion."""
        chosen = self._chosen()
        return chosen is not None and chosen.holds(answer, problem)
