"""Labelled examples of a rubric: one JSON object a line.

    {"prompt": "what was asked", "answer": "...", "labels": {"first_step": true, ...}, "passes": true}

and, where it applies, ``"reference"`` and ``"lines"`` as in the problem, and for a planted cheater ``"cheater": true``
with ``"trick": "how it tries"``. There is a label for every criterion. A file whose labels contradict the rubric, or
whose labels of code criteria contradict the code, is refused.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from proofgrad.verifiers.base import Json, Outcome
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.rubric.decision import Finding, checked, decide
from proofgrad.verifiers.rubric.rubric import Rubric
from proofgrad.verifiers.validation import validated

__all__ = ["Example", "load_examples"]


class Example(BaseModel):
    """One labelled answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(min_length=1)
    answer: str
    labels: dict[str, StrictBool]
    passes: StrictBool
    reference: str | None = None
    lines: int | None = None
    cheater: StrictBool = False
    trick: str | None = None

    def problem(self, rubric: Rubric) -> dict[str, Json]:
        """The problem that a verifier would get."""
        given: dict[str, Json] = {"rubric": rubric.name, "prompt": self.prompt}
        given |= {"reference": self.reference} if self.reference is not None else {}
        return given | ({"lines": self.lines} if self.lines is not None else {})


def load_examples(rubric: Rubric) -> list[Example]:
    """The labelled examples of a rubric.

    Raises:
        ConfigError: one line that names the file, the line and the key.
    """
    path = rubric.examples_path
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot read the examples '{path}': {reason}") from error
    found: list[Example] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"{path}, line {number}"
            found.append(_consistent(rubric, validated(Example, _parsed(line, where), where), where))
    if len({example.passes for example in found}) != 2:
        raise ConfigError(f"{path} must have examples that pass and examples that do not, got {len(found)} in all")
    return found


def _parsed(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{where} is not valid JSON: {error}") from error


def _consistent(rubric: Rubric, example: Example, where: str) -> Example:
    known = {criterion.id for criterion in rubric.criteria}
    if known != example.labels.keys():
        odd = ", ".join(sorted(known ^ example.labels.keys()))
        raise ConfigError(f"{where}: 'labels' must have one label for each criterion of '{rubric.name}'; see {odd}")
    for name, finding in checked(rubric, example.problem(rubric), example.answer).items():
        if finding.met != example.labels[name]:
            raise ConfigError(f"{where}: the label of '{name}' is {example.labels[name]}, and the code says otherwise")
    implied = decide(rubric, {name: Finding.of_label(label) for name, label in example.labels.items()})
    if (implied.outcome is Outcome.PASS) != example.passes:
        raise ConfigError(f"{where}: 'passes' is {example.passes}, and by its labels it would be {not example.passes}")
    if example.cheater and example.passes:
        raise ConfigError(f"{where}: a planted cheater cannot be one that passes")
    return example
