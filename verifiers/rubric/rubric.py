"""A rubric: what makes an answer good where nothing can be proved, as a validated YAML file.

    name: safety_advice
    asked: what is asked of whoever answers; the judge reads it
    criteria:
      - {id: length, kind: code, gate: true, weight: 0, text: "It is short.", check: {words: {max: 130}}}
      - {id: first_step, kind: judge, weight: 2, text: "It says first what to do first."}
    threshold: 0.7                      of the weighted score, for a pass
    examples: safety_advice.jsonl       labelled answers, beside this file (`examples.py`)
    calibration: {min_kappa: 0.6}       what a judge must reach on them before it may judge anything else
    prompts: ...                        what to ask (for the environment `open_ended`), if anything

Everything is checked once, here. An unknown key is an error that names the nearest valid one.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
from os import PathLike
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.rubric.checks import Check
from proofgrad.verifiers.validation import keys_of, read_yaml, validated

__all__ = [
    "PACKAGE",
    "CodeCriterion",
    "Criterion",
    "JudgeCriterion",
    "Minimum",
    "Prompts",
    "Rubric",
    "load_rubric",
    "shipped_rubrics",
]

PACKAGE = "proofgrad.rubrics"
"""The data-only package that holds the shipped rubrics."""

_NAME = r"^[a-z][a-z0-9_]*$"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class _Common(_Section):
    id: str = Field(pattern=_NAME)
    text: str = Field(min_length=1)
    """The criterion as a statement about the answer. The judge is asked how far it holds, and feedback quotes it."""
    weight: float = Field(1.0, ge=0)
    gate: bool = False
    """A gate that is not met decides: the answer fails with score 0."""


class CodeCriterion(_Common):
    """A criterion that code checks."""

    kind: Literal["code"]
    check: Check


class JudgeCriterion(_Common):
    """A criterion that a judge scores from 1 to 5."""

    kind: Literal["judge"]
    met_at: int = Field(4, ge=2, le=5)
    """The lowest score with which it counts as met."""


Criterion: TypeAlias = Annotated[CodeCriterion | JudgeCriterion, Field(discriminator="kind")]


class Minimum(_Section):
    """What a judge must reach on the labelled examples; `calibration.py` says how each figure is measured."""

    min_kappa: float = Field(0.6, gt=0, le=1)
    """Cohen's kappa of pass and fail. Above 0.6 is "substantial" by Landis and Koch, Biometrics 33 (1977)."""
    min_criteria_kappa: float = Field(0.4, gt=0, le=1)
    """The same over all single judgements of the judge."""
    min_length_controlled_kappa: float = Field(0.4, ge=-1, le=1)
    """Kappa of pass and fail in the worse of the halves of shorter and longer answers."""
    min_cheaters_caught: float = Field(0.9, ge=0, le=1)
    min_consistency: float = Field(0.9, ge=0, le=1)
    """Share of judgements that are the same each time they are asked for."""
    max_order_flips: float = Field(0.15, ge=0, le=1)
    """Share of judgements that change when the criterion stands behind the answer and not before it."""
    max_length_correlation: float = Field(0.4, ge=0, le=1)
    """Absolute rank correlation of score and length among answers with the same label."""
    max_unknown: float = Field(0.05, ge=0, lt=1)
    """Share of judgements that did not come about."""


class Variant(_Section):
    """One way to fill a slot of a prompt."""

    text: str = Field(min_length=1)
    reference: str | None = None
    """What a good answer knows; for the judge only."""
    numbered: bool = False
    """Whether its lines are shown with numbers."""


class Prompts(_Section):
    """What to ask: a text with ``$slots``, each of which is filled in every way."""

    template: str = Field(min_length=1)
    slots: dict[Annotated[str, Field(pattern=_NAME)], list[str | Variant]] = Field(min_length=1)
    """Texts may have slots of their own; those are filled from the same choice."""
    split_by: list[str] = Field(min_length=1)
    """The slots that decide a task's split: what they have in common stays on one side."""

    @model_validator(mode="after")
    def _complete(self) -> Prompts:
        for name, variants in self.slots.items():
            if not variants:
                raise ValueError(f"slot '{name}' has no text")
        for name in self.split_by:
            if name not in self.slots:
                raise ValueError(f"split_by names '{name}', which is no slot; slots: {', '.join(self.slots)}")
        return self


class Rubric(_Section):
    """A validated rubric."""

    name: str = Field(pattern=_NAME)
    asked: str = Field(min_length=1)
    """What is asked of whoever answers, for the judge."""
    criteria: list[Criterion] = Field(min_length=1)
    threshold: float = Field(gt=0, le=1)
    """Weighted score from which an answer passes."""
    max_answer_bytes: int = Field(4000, ge=100)
    """Size of an answer as it is quoted, in UTF-8. A longer one fails unread: what overflows a judge's context would
    otherwise be left unjudged, and a candidate could choose that. No tokenizer makes more tokens than bytes."""
    examples: str = Field(min_length=1)
    """The file of labelled examples, relative to the rubric's."""
    calibration: Minimum = Minimum()
    prompts: Prompts | None = None
    path: Path = Field(Path(), exclude=True)

    @model_validator(mode="after")
    def _consistent(self) -> Rubric:
        ids = [criterion.id for criterion in self.criteria]
        if doubled := next((name for name in ids if ids.count(name) > 1), None):
            raise ValueError(f"criteria: two have the id '{doubled}'")
        if not sum(criterion.weight for criterion in self.criteria):
            raise ValueError("criteria: at least one must have a weight above 0")
        return self

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of all that a verdict or a calibration depends on; `prompts` and comments do not count."""
        content = self.model_dump(mode="json", exclude={"prompts"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def judged(self) -> list[JudgeCriterion]:
        """The criteria that need a judge."""
        return [criterion for criterion in self.criteria if isinstance(criterion, JudgeCriterion)]

    @property
    def coded(self) -> list[CodeCriterion]:
        """The criteria that code checks."""
        return [criterion for criterion in self.criteria if isinstance(criterion, CodeCriterion)]

    @property
    def examples_path(self) -> Path:
        """The file of labelled examples."""
        return self.path.parent / self.examples


def shipped_rubrics() -> dict[str, Path]:
    """The rubrics that are installed with proofgrad, by name."""
    spec = importlib.util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    return {path.stem: path for place in places for path in sorted(Path(place).glob("*.yaml"))}


def load_rubric(rubric: str | PathLike[str]) -> Rubric:
    """Read a rubric: a shipped one by its name, any other by its path.

    Raises:
        ConfigError: one line that names the file, the key and what is allowed there.
    """
    path = _find(rubric)
    data = read_yaml(path, "rubric", "configs/rubrics")
    if "path" in data:
        raise ConfigError(f"the rubric '{path}': unknown key 'path'; valid keys: {', '.join(keys_of(Rubric))}")
    return validated(Rubric, data, f"the rubric '{path}'", _MEMBERS).model_copy(update={"path": path})


_MEMBERS: dict[str, type[BaseModel]] = {"code": CodeCriterion, "judge": JudgeCriterion, "Variant": Variant}


def _find(rubric: str | PathLike[str]) -> Path:
    path = Path(rubric)
    if isinstance(rubric, str) and path.suffix not in (".yaml", ".yml") and path.name == rubric:
        shipped = shipped_rubrics()
        if rubric in shipped:
            return shipped[rubric]
        near = difflib.get_close_matches(rubric, shipped, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"shipped: {', '.join(shipped) or 'none'}"
        raise ConfigError(f"there is no rubric named '{rubric}'; {hint} A path must end in .yaml")
    return path
