"""How much of an evaluation's problems stands in what the policy was trained on.

Two questions, the plain one first:

- *Duplicates*: is a held-out problem itself in the training data? Two problems are the same when their ids are (the
  digest of a statement in canonical form), or their words.
- *Overlap*: how much of a problem's words lies in passages of n words that occur there too? Counted over all training
  texts together this is the token-level measure of Touvron et al. 2023 (Llama 2, arXiv 2307.09288, appendix A.6), for
  which a problem under 20% is clean and one from 80% on dirty; their allowance for skipped tokens is left out. How many
  problems share any passage at all is the rule of Brown et al. 2020 (GPT-3, arXiv 2005.14165, appendix C), who take n
  between 8 and 13, and drop punctuation, which in formal statements is the content. Counted over one training text,
  the one that has most, it finds near duplicates: what other texts have in bits and pieces does not add up.

Statements of formal tasks are short and made of the same few phrases: over all texts together nearly every problem of a
generator overlaps, and that proves nothing. Therefore passages that occur in many training texts are taken out as
boilerplate; theorems are compared with their variables renamed; and training problems are measured against each other
in the same way, one for each held-out problem and as long as that. A held-out problem that has nothing to do with
training overlaps as much as such a problem does with the others: only what exceeds that is suspicious. Problems that
overlap are often the short and easy ones, so that a higher success on them is no proof either.

What a policy was trained on before its run is unknown here.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypeAlias

from proofgrad.envs.theorems.declaration import SourceError, normal_form
from proofgrad.rl.stats import Estimate, rate_difference, rate_interval
from proofgrad.verifiers.base import Json, Outcome
from proofgrad.verifiers.errors import ConfigError

__all__ = ["CLEAN", "DIRTY", "Contamination", "Group", "Overlap", "Overlapping", "Text", "contamination_of"]

CLEAN, DIRTY = 0.2, 0.8
"""Shares of a problem's words under which it is called clean, and from which on dirty (Llama 2)."""

_WORDS = 8
_BOILERPLATE = 0.01  # of the training prompts
_BOILERPLATE_AT_LEAST = 10  # prompts: in a small run a phrase that two or three share is no boilerplate yet
_WORST = 10
_SEED = 0

# A word of letters and digits, or one sign.
_TOKEN = re.compile(r"\w+|[^\w\s]")

Gram: TypeAlias = tuple[str, ...]


class Text(NamedTuple):
    """A problem as it was asked, or a text that was trained on.

    Attributes:
        task: its id; "" for a text that is no problem.
        text: the prompt.
        statement: the theorem, where the problem is one.
    """

    task: str
    text: str
    statement: str | None = None

    @classmethod
    def of(cls, task: str, prompt: str, problem: Mapping[str, Any]) -> Text:
        """The text of a problem."""
        statement = problem.get("statement")
        return cls(task, prompt, statement if isinstance(statement, str) else None)

    def words(self) -> Gram:
        """Its words and signs, in lower case; of a theorem with its variables renamed."""
        if self.statement is not None:
            try:
                return tuple(normal_form(self.statement).split())
            except SourceError:
                return tuple(_TOKEN.findall(self.statement))
        return tuple(_TOKEN.findall(self.text.casefold()))


@dataclass(frozen=True, slots=True)
class Overlap:
    """How far texts overlap with the training data; shares are of `measured`.

    Attributes:
        texts: how many there are.
        measured: those with a passage of n words that is no boilerplate; the others are too short to say.
        any: share with any passage that occurs in training.
        not_clean: share with 20% of their words or more in such passages.
        dirty: share with 80% or more.
        near: share with 80% or more in passages of one training text.
    """

    texts: int
    measured: int
    any: float
    not_clean: float
    dirty: float
    near: float


@dataclass(frozen=True, slots=True)
class Overlapping:
    """A held-out problem, and the training text that shares most with it.

    Attributes:
        duplicate: whether that text is the problem itself.
        share: of the problem's words, in passages of that text.
    """

    task: str
    domain: str
    duplicate: bool
    share: float
    text: str
    nearest: str


@dataclass(frozen=True, slots=True)
class Group:
    """Success on some of the problems; without an interval where fewer than two were judged."""

    problems: int
    success: Estimate | None

    def to_json(self) -> dict[str, Json]:
        """The group as plain JSON types."""
        return {"problems": self.problems, "success": self.success._asdict() if self.success else None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Group:
        """The inverse of `to_json`."""
        return cls(data["problems"], Estimate(**data["success"]) if data["success"] else None)


@dataclass(frozen=True, slots=True)
class Contamination:
    """What was found.

    Attributes:
        n: words in a passage.
        problems: held-out problems.
        training: how many different training texts there were, by where they come from.
        duplicates: how many of the problems are in the training data themselves.
        held_out: their overlap.
        baseline: the overlap of training problems of the same lengths with the other training texts.
        worst: the problems that overlap most, duplicates first.
        overlapping: success on the problems that are duplicates or, by 80% of their words, near ones.
        clean: success on the others.
    """

    n: int
    problems: int
    training: Mapping[str, int]
    duplicates: int
    held_out: Overlap
    baseline: Overlap
    worst: tuple[Overlapping, ...]
    overlapping: Group
    clean: Group

    @property
    def excess(self) -> Estimate:
        """How much larger the share of near duplicates is among the held-out problems than in the baseline, with the
        95% interval of two independent shares (`rate_difference`); all there can be where one of them has no text."""
        here, there = self.held_out, self.baseline
        if not here.measured or not there.measured:
            return Estimate(here.near - there.near, -1.0, 1.0)
        return rate_difference(_share(here), _share(there))

    def to_json(self) -> dict[str, Json]:
        """The result as plain JSON types."""
        plain: dict[str, Json] = asdict(self) | {"excess": self.excess._asdict()}
        plain |= {"overlapping": self.overlapping.to_json(), "clean": self.clean.to_json()}
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Contamination:
        """The inverse of `to_json`."""
        plain = {name: data[name] for name in ("n", "problems", "training", "duplicates")}
        return cls(
            **plain,
            held_out=Overlap(**data["held_out"]),
            baseline=Overlap(**data["baseline"]),
            worst=tuple(Overlapping(**one) for one in data["worst"]),
            overlapping=Group.from_json(data["overlapping"]),
            clean=Group.from_json(data["clean"]),
        )


def contamination_of(
    rows: Iterable[Mapping[str, Any]],
    training: Mapping[str, Iterable[Text]],
    *,
    n: int = _WORDS,
    boilerplate: float = _BOILERPLATE,
) -> Contamination:
    """Compare an evaluation's problems with training texts.

    Args:
        rows: of the evaluation: task, domain, prompt, problem, outcome.
        training: texts by where they come from, e.g. prompts and demonstrations. Each is read once; equal ones count
            once.
        n: words in a passage.
        boilerplate: share of the training texts; a passage that occurs in more of them is left out.

    Raises:
        ConfigError: there is no problem or no training text, or a number lies outside its bounds.
    """
    if n < 1 or not 0 < boilerplate <= 1:
        raise ConfigError(f"contamination: n is {n} and boilerplate {boilerplate}; allowed are 1 and above, 0 to 1")
    problems, domains, outcomes = _problems(rows)
    index = _Index(training, n)
    if not problems or not index.texts:
        raise ConfigError("contamination: there are no problems, or no training texts, to compare")
    held_out = {task: _grams(text.words(), n) for task, text in problems.items()}
    sample = index.like(text.words() for text in problems.values())
    index.find({gram for grams in (*held_out.values(), *sample.values()) for gram in grams})
    most = max(boilerplate * len(index.texts), _BOILERPLATE_AT_LEAST)
    shares = {task: index.shares(grams, most) for task, grams in held_out.items()}
    same = {task: number for task, text in problems.items() if (number := index.number(text)) is not None}
    worst = [
        Overlapping(
            task, domains[task], task in same, 1.0 if task in same else shares[task].single, text.text,
            index.texts[same.get(task, shares[task].nearest)].text,
        )
        for task, text in problems.items()
        if task in same or shares[task].single > 0
    ]  # fmt: skip
    worst.sort(key=lambda one: (one.duplicate, one.share), reverse=True)
    suspicious = {task for task in problems if task in same or shares[task].single >= DIRTY}
    return Contamination(
        n=n,
        problems=len(problems),
        training=index.sizes,
        duplicates=len(same),
        held_out=_overlap(shares.values()),
        baseline=_overlap(index.shares(grams, most, but=number) for number, grams in sample.items()),
        worst=tuple(worst[:_WORST]),
        overlapping=_group([outcomes[task] for task in problems if task in suspicious]),
        clean=_group([outcomes[task] for task in problems if task not in suspicious]),
    )


def _problems(
    rows: Iterable[Mapping[str, Any]],
) -> tuple[dict[str, Text], dict[str, str], dict[str, list[bool]]]:
    """Each task's text, domain, and whether each of its judged samples passed."""
    texts: dict[str, Text] = {}
    domains: dict[str, str] = {}
    outcomes: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        task = row["task"]
        if task not in texts:
            texts[task], domains[task] = Text.of(task, row["prompt"], row["problem"]), row["domain"]
        if row["outcome"] != Outcome.UNKNOWN:
            outcomes[task].append(row["outcome"] == Outcome.PASS)
    return texts, domains, outcomes


class _Index:
    """The training texts, each once, and in which of them passages occur."""

    def __init__(self, training: Mapping[str, Iterable[Text]], n: int) -> None:
        self._n = n
        self._tasks: dict[str, int] = {}
        self._seen: dict[Gram, int] = {}
        self.texts: list[Text] = []
        self.sizes: dict[str, int] = {}
        for source, texts in training.items():
            before = len(self.texts)
            for text in texts:
                self._add(text)
            self.sizes[source] = len(self.texts) - before
        self._places: dict[Gram, list[int]] = {}

    def _add(self, text: Text) -> None:
        if text.task and text.task in self._tasks:
            return
        number = self._seen.setdefault(text.words(), len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        if text.task:
            self._tasks[text.task] = number

    def like(self, texts: Iterable[Gram]) -> dict[int, list[Gram]]:
        """For each of these the passages of a training problem that is as long, or nearly, by the problem's number.

        No problem is taken twice, so that there are fewer where training has fewer.
        """
        drawn = list(self._seen.items())
        random.Random(_SEED).shuffle(drawn)
        by_length: dict[int, list[tuple[Gram, int]]] = defaultdict(list)
        for words, number in drawn:
            if self.texts[number].task:
                by_length[len(words)].append((words, number))
        found: dict[int, list[Gram]] = {}
        for text in texts:
            if by_length:
                length = min(by_length, key=lambda length: abs(length - len(text)))
                words, number = by_length[length].pop()
                found[number] = _grams(words, self._n)
                if not by_length[length]:
                    del by_length[length]
        return found

    def find(self, wanted: set[Gram]) -> None:
        """Look up in which texts each of these passages occurs; no others are kept."""
        self._places = {gram: [] for gram in wanted}
        for number, words in enumerate(self._seen):
            for gram in wanted.intersection(_grams(words, self._n)):
                self._places[gram].append(number)

    def number(self, text: Text) -> int | None:
        """The text that is this problem, if there is one."""
        return self._tasks.get(text.task, self._seen.get(text.words()))

    def shares(self, grams: Sequence[Gram], most: float, but: int = -1) -> _Shares:
        """How much of a text lies in passages of the training texts.

        Args:
            grams: all passages of the text, in order.
            most: texts in which a passage may occur without being boilerplate.
            but: the number of the training text that this one is itself.
        """
        others = [[number for number in self._places[gram] if number != but] for gram in grams]
        places = [(start, found) for start, found in enumerate(others) if len(found) <= most]
        words = self._covered(start for start, _ in places)
        if not words:
            return _Shares(None, 0.0, -1)
        pooled = self._covered(start for start, found in places if found)
        nearest, _ = max(Counter(i for _, found in places for i in found).items(), key=_most, default=(-1, 0))
        single = self._covered(start for start, found in places if nearest in found)
        return _Shares(len(pooled) / len(words), len(single) / len(words), nearest)

    def _covered(self, starts: Iterable[int]) -> set[int]:
        """The places of all words of the passages that start there."""
        return {place for start in starts for place in range(start, start + self._n)}


class _Shares(NamedTuple):
    """Shares of a text's words, over all training texts and over the nearest.

    `pooled` is None where all of the text is boilerplate or it is shorter than a passage.
    """

    pooled: float | None
    single: float
    nearest: int


def _most(item: tuple[int, int]) -> tuple[int, int]:
    """Most passages, then the first text."""
    return item[1], -item[0]


def _grams(words: Gram, n: int) -> list[Gram]:
    return [words[i : i + n] for i in range(len(words) - n + 1)]


def _overlap(shares: Iterable[_Shares]) -> Overlap:
    found = list(shares)
    known = [(one.pooled, one.single) for one in found if one.pooled is not None]
    of = len(known) or 1
    return Overlap(
        texts=len(found),
        measured=len(known),
        any=sum(share > 0 for share, _ in known) / of,
        not_clean=sum(share >= CLEAN for share, _ in known) / of,
        dirty=sum(share >= DIRTY for share, _ in known) / of,
        near=sum(single >= DIRTY for _, single in known) / of,
    )


def _share(overlap: Overlap) -> Estimate:
    """Of near duplicates, each text being one toss of a coin."""
    near = round(overlap.near * overlap.measured)
    return rate_interval([1.0] * near + [0.0] * (overlap.measured - near)).estimate


def _group(outcomes: Sequence[Sequence[bool]]) -> Group:
    rates = [sum(passes) / len(passes) for passes in outcomes if passes]
    return Group(len(outcomes), rate_interval(rates).estimate if len(rates) > 1 else None)
