"""reasoning-gym's families as tasks: algebra, algorithms, games, graphs, logic and more, made as they are needed.

Levels 1 to 3 are the first three of a family's own curriculum; a family without one has its default as level 1.
Families that are not deterministic, whose entries do not survive JSON, or whose scorers accept what they should not,
are left out, each with its reason in `proofgrad.verifiers.reasoning.EXCLUDED`.

A task's split is the hash of its normalised question, so no held-out question is ever trained on, whatever the options.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import importlib.util
import json
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from proofgrad.envs.base import Task
from proofgrad.envs.procedural import ProceduralEnv
from proofgrad.envs.splits import split_of, statement_digest
from proofgrad.envs.text import answer, user_prompt
from proofgrad.verifiers.base import Json
from proofgrad.verifiers.errors import ConfigError, MissingExtraError
from proofgrad.verifiers.reasoning import EXCLUDED, READ

__all__ = ["HIGHEST", "ReasoningEnv"]

HIGHEST: Mapping[str, int] = {
    "acre": 1,  # it has no curriculum
    "bf": 2,  # its third takes a second a question
    "caesar_cipher": 2,  # its third level is refused by its own checks
    "game_of_life": 2,  # as for bf
    "jugs": 1,  # its scorer refuses answers of its own second level, and making its third does not end
    "modulo_grid": 1,  # its second level is refused by its own checks
    "survo": 2,  # as its third
}
"""The highest level of the families that do not have all of them."""

_INSTRUCTIONS = "Answer the question. Think first if you like, then give the answer alone in a block fenced by ```."
_DEFAULT_FIRST = frozenset({"acre", "sokoban"})  # level 1 is their default: the first of sokoban's own has no end
_DULL = 40  # questions in a row that are known, too long or of the other split, after which a family is exhausted
_QUESTIONS = 1 << 14  # that one family is asked for at most, both splits together
_EAGER = {"acre": 256}  # fewer of those that make all their entries at once


@dataclass(frozen=True, slots=True)
class _Drawn:
    family: str
    config: Mapping[str, Json]
    entry: Mapping[str, Json]

    @property
    def question(self) -> str:
        return str(self.entry["question"])

    @property
    def statement(self) -> str:
        """What decides the split and the identity: the question without regard to case and white space."""
        return f"{self.family}: {' '.join(self.question.casefold().split())}"


class ReasoningEnv(ProceduralEnv[_Drawn]):
    """Questions from reasoning-gym, judged by the verifier `reasoning`.

    Args:
        families: names from reasoning-gym; all that can be used if not given.
        options: of single families, by name: arguments of their configurations, over those of the level.
        max_prompt_chars: longer questions are left out; some families grow to tens of thousands of characters.
        min_level, max_level, demo_max_level, style: as in `ProceduralEnv`; `max_level` is 1 if not given.

    Raises:
        MissingExtraError: reasoning-gym is not installed.
        ConfigError: a family does not exist or is not used, or an option is wrong.
    """

    name = "reasoning"
    verifier = "reasoning"
    domain = "reasoning"
    highest_level: ClassVar[int] = 3
    default_level: ClassVar[int] = 1
    fence: ClassVar[str] = ""

    def __init__(
        self,
        families: Sequence[str] | None = None,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        max_prompt_chars: int = 4000,
        min_level: int = 1,
        max_level: int | None = None,
        demo_max_level: int | None = None,
        style: str = "plain",
    ) -> None:
        super().__init__(min_level, max_level, demo_max_level, style)
        if importlib.util.find_spec("reasoning_gym") is None:
            raise MissingExtraError("reasoning-gym", "reasoning", "the environment 'reasoning'")
        if isinstance(max_prompt_chars, bool) or not isinstance(max_prompt_chars, int) or max_prompt_chars < 1:
            raise ConfigError(f"max_prompt_chars is {max_prompt_chars!r}; allowed are 1 and above")
        self._max_prompt_chars = max_prompt_chars
        usable = _usable()
        chosen = usable if families is None else [families] if isinstance(families, str) else list(families)
        for family in [*chosen, *(options or {})]:
            _check_family(family, usable)
        if not chosen:
            raise ConfigError("families is empty; leave it out for all of them")
        self._families = sorted(set(chosen))
        self._options = {family: dict(given) for family, given in (options or {}).items()}
        for family in self._options:
            _config(family, 1, self._options[family])

    def _stream(self, level: int, split: str, seed: int) -> Iterator[_Drawn]:
        """The families in turn, until each has nothing new to ask."""
        turns = {
            family: self._questions(family, level, split, seed)
            for family in self._families
            if level <= HIGHEST.get(family, self.highest_level)
        }
        while turns:
            for family in list(turns):
                drawn = next(turns[family], None)
                if drawn is None:
                    del turns[family]
                else:
                    yield drawn

    def _capacity(self, level: int, split: str) -> int:
        usable = sum(level <= HIGHEST.get(family, self.highest_level) for family in self._families)
        return usable * _QUESTIONS

    def _questions(self, family: str, level: int, split: str, seed: int) -> Iterator[_Drawn]:
        from reasoning_gym.factory import DATASETS

        # Each seed of ours starts reasoning-gym's far away from the others: there, question i of seed s is question 0
        # of seed s + i.
        text = json.dumps([family, level, seed, self._options.get(family, {})], sort_keys=True, default=str)
        first = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
        size = _EAGER.get(family, _QUESTIONS)
        config = _config(family, level, self._options.get(family, {}), seed=first, size=size)
        dataset = DATASETS[family][0](config=config)
        read: dict[str, Json] = {name: getattr(config, name) for name in READ.get(family, ())}
        known: set[str] = set()
        index = dull = 0
        while dull < _DULL and index < size:
            drawn = _Drawn(family, read, _entry(dataset, index))
            index, dull = index + 1, dull + 1
            gold = drawn.entry["answer"]
            if drawn.statement in known or len(drawn.question) > self._max_prompt_chars:
                continue
            known.add(drawn.statement)
            # An answer that reading a completion would change, an empty one above all, cannot be given.
            if split_of(drawn.statement) == split and isinstance(gold, str) and answer(gold, "chat") == gold:
                dull = 0
                yield drawn

    def _task(self, level: int, drawn: _Drawn, seed: int) -> Task:
        text = drawn.question
        return Task(
            id=f"reasoning/{drawn.family}/{statement_digest(drawn.statement)[:24]}",
            prompt=f"{text}\n\nAnswer:\n" if self._style == "plain" else user_prompt(text, self._style, _INSTRUCTIONS),
            problem={"family": drawn.family, "config": drawn.config, "entry": drawn.entry},
            verifier=self.verifier,
            domain=self.domain,
            difficulty=float(level),
            split=split_of(drawn.statement),
            source=f"{self.name}@{seed}",
        )

    def _gold(self, drawn: _Drawn) -> str:
        return str(drawn.entry["answer"])


def _usable() -> list[str]:
    from reasoning_gym.factory import DATASETS

    return sorted(set(DATASETS) - set(EXCLUDED))


def _check_family(family: str, usable: Sequence[str]) -> None:
    if family in EXCLUDED:
        raise ConfigError(f"the family '{family}' of reasoning-gym is not used: {EXCLUDED[family]}")
    if family not in usable:
        near = difflib.get_close_matches(family, usable, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "see reasoning-gym's gallery"
        raise ConfigError(f"reasoning-gym has no family '{family}'; {hint}")


def _config(family: str, level: int, options: Mapping[str, Any], seed: int = 0, size: int = 1) -> Any:
    """A family's configuration at a level.

    Raises:
        ConfigError: it does not take these options.
    """
    from reasoning_gym.factory import CURRICULA, DATASETS

    given: dict[str, Any] = {}
    if family in CURRICULA and not (level == 1 and family in _DEFAULT_FIRST):
        curriculum = CURRICULA[family]()
        curriculum.set_global_level(level - 1)
        given = _fields(curriculum.generate_configuration())
    try:
        config = DATASETS[family][1](**{**given, **options, "seed": seed, "size": size})
        if hasattr(config, "validate"):
            config.validate()
    except (AssertionError, TypeError, ValueError) as error:
        raise ConfigError(f"options of the family '{family}': {error}") from error
    return config


def _fields(config: Any) -> dict[str, Any]:
    """The fields of a configuration without seed and size."""
    names = [f.name for f in dataclasses.fields(config)]
    return {name: getattr(config, name) for name in names if name not in ("seed", "size")}


def _entry(dataset: Any, index: int) -> dict[str, Json]:
    """One entry in plain JSON. Some families draw from the global generator, which is set and put back."""
    state = random.getstate()
    random.seed(index)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            entry: dict[str, Json] = json.loads(json.dumps(dataset[index]))
    finally:
        random.setstate(state)
    return entry
