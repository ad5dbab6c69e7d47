"""Tasks that nothing can prove right: what the prompts of rubrics ask, judged by the rubrics.

A prompt of a rubric is a template whose slots are filled in every way. What decides a task's split is named there: the
same situation, piece of code or step of a proof stays on one side, however else the prompt varies.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from string import Template

from proofgrad.envs.base import Task
from proofgrad.envs.fixed import FixedTasksEnv
from proofgrad.envs.splits import split_of, statement_digest
from proofgrad.envs.text import answer, user_prompt
from proofgrad.verifiers.base import Json
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.rubric.examples import load_examples
from proofgrad.verifiers.rubric.rubric import Prompts, Rubric, Variant, load_rubric, shipped_rubrics

__all__ = ["Asked", "OpenEndedEnv", "asked_of"]

_INSTRUCTIONS = "Reply with the text that is asked for and nothing else."
_PLAIN_ENDING = "\n\nAnswer:\n"


@dataclass(frozen=True, slots=True)
class Asked:
    """One way to fill a rubric's prompt.

    Attributes:
        prompt: what is asked.
        choice: which text fills each slot, by number, in the order of the slots.
        core: what decides the split.
        reference: what a good answer knows, if the prompt has it.
        lines: how many numbered lines it has, if any.
    """

    prompt: str
    choice: tuple[int, ...]
    core: str
    reference: str | None
    lines: int | None


def asked_of(rubric: Rubric) -> list[Asked]:
    """All that a rubric's prompts ask; nothing where it has none.

    Raises:
        ConfigError: the template, or a text, has a ``$name`` that is no slot.
    """
    prompts = rubric.prompts
    if prompts is None:
        return []
    slots = [[_variant(text) for text in texts] for texts in prompts.slots.values()]
    return [_asked(rubric, prompts, slots, choice) for choice in itertools.product(*(range(len(v)) for v in slots))]


def _variant(text: str | Variant) -> Variant:
    return text if isinstance(text, Variant) else Variant(text=text)


def _asked(rubric: Rubric, prompts: Prompts, slots: Sequence[Sequence[Variant]], choice: tuple[int, ...]) -> Asked:
    chosen = {name: slot[i] for name, slot, i in zip(prompts.slots, slots, choice, strict=True)}
    plain = {name: variant.text for name, variant in chosen.items()}
    filled: dict[str, str] = {}
    lines: int | None = None
    for name, variant in chosen.items():
        text = _fill(rubric, variant.text, plain)
        if variant.numbered:
            rows = text.split("\n")
            lines = len(rows)
            text = "\n".join(f"{number:>2}  {row}" for number, row in enumerate(rows, 1))
        filled[name] = text
    references = [_fill(rubric, v.reference, plain) for v in chosen.values() if v.reference is not None]
    return Asked(
        prompt=_fill(rubric, prompts.template, filled),
        choice=choice,
        core="\0".join(chosen[name].text for name in prompts.split_by),
        reference="\n".join(references) or None,
        lines=lines,
    )


def _fill(rubric: Rubric, text: str, texts: Mapping[str, str]) -> str:
    try:
        return Template(text).substitute(texts)
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"the rubric '{rubric.path}': prompts: {text[:60]!r} has a $ that names no slot ({error}); write $$ for a $"
        ) from error


class OpenEndedEnv(FixedTasksEnv):
    """Open-ended tasks of one or more rubrics, each a domain of its own.

    Args:
        rubric: a shipped rubric's name, the path of a YAML file, or several; by default all that are shipped. The
            verifier ``rubric`` needs the same ones.
        style: ``plain`` prompts are a text that the completion goes on from; ``chat`` prompts are one user message. The
            whole completion is the answer in both, since an answer may well have a block of code in it.

    Raises:
        ConfigError: a rubric is missing, malformed or asks nothing, or the style is unknown.
    """

    verifier = "rubric"
    solution_noun = "a labelled answer"

    def __init__(
        self, rubric: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None, style: str = "plain"
    ) -> None:
        super().__init__("open_ended", style)
        if rubric is None:
            given: list[str | PathLike[str]] = list(shipped_rubrics())
        else:
            given = [rubric] if isinstance(rubric, str | PathLike) else list(rubric)
        rubrics = [load_rubric(one) for one in given]
        if not rubrics:
            raise ConfigError("environment 'open_ended': no rubric is shipped with this installation; name one by path")
        for one in rubrics:
            self._add_rubric(one)

    def extract(self, completion: str) -> str | None:
        """The answer: the whole completion."""
        found = answer(completion, "plain")
        return None if found is None else found.strip()

    def _add_rubric(self, rubric: Rubric) -> None:
        asked = asked_of(rubric)
        if not asked:
            raise ConfigError(
                f"environment '{self.name}': the rubric '{rubric.path}' has no 'prompts': it asks nothing"
            )
        passing: dict[str, str] = {}
        for example in load_examples(rubric):
            if example.passes:
                passing.setdefault(example.prompt, example.answer)
        for one in {each.prompt: each for each in asked}.values():
            self._add(self._task(rubric, one), passing.get(one.prompt))

    def _task(self, rubric: Rubric, asked: Asked) -> Task:
        problem: dict[str, Json] = {"rubric": rubric.name, "prompt": asked.prompt}
        problem |= {"reference": asked.reference} if asked.reference is not None else {}
        problem |= {"lines": asked.lines} if asked.lines is not None else {}
        text = asked.prompt + (_PLAIN_ENDING if self._style == "plain" else "")
        return Task(
            id=f"{self.name}-{statement_digest(f'{rubric.name}: {asked.prompt}')[:12]}",
            prompt=user_prompt(text, self._style, _INSTRUCTIONS),
            problem=problem,
            verifier=self.verifier,
            domain=rubric.name,
            difficulty=None,
            split=split_of(asked.core),
            source=f"{self.name}@{rubric.name} {'-'.join(map(str, asked.choice))}",
        )
