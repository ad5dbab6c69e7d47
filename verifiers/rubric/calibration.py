"""How far a judge can be trusted with a rubric: measured on labelled answers, and required before training.

What is measured, each example being one labelled answer:

    kappa                   of pass and fail, the judge's against the labels (`agreement.py` for it and its interval)
    criteria_kappa          of the judge's single judgements, "met" against the labels, over all criteria
    length_controlled_kappa kappa in the halves of shorter and longer answers, the lower; answers are halved at the
                            median length of their own label, so that the halves have the same labels
    consistency             share of judgements that are the same in all repeats; each repeat has other delimiters
    order_flips             share of judgements that change when the criterion stands behind the answer only
    order_shift             mean change of the score by that, in points of 1 to 5
    length_correlation      Spearman's, of the judge's mean score and the number of words, in each label; weighted mean
    cheaters                planted ones, and how many of them failed; one that was not judged was not caught
    unknown                 share of judgements that did not come about

A result belongs to a rubric, its examples, a judge's model and a prompt version. Another of any of them is another
judge.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.rubric.agreement import Estimate, bootstrap_kappa, cohen_kappa, spearman, wilson
from proofgrad.verifiers.rubric.checks import words
from proofgrad.verifiers.rubric.decision import Decision, Finding, checked, decide
from proofgrad.verifiers.rubric.examples import Example, load_examples
from proofgrad.verifiers.rubric.judge import Judge, Mark
from proofgrad.verifiers.rubric.prompt import Order, prompt_version, question
from proofgrad.verifiers.rubric.rubric import Rubric

__all__ = ["Calibration", "calibrate", "load_calibrations", "require_calibrated", "save_calibration"]

_FORMAT = 1
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured; the module's docstring says how. None where the examples do not define a figure."""

    rubric: str
    rubric_sha256: str
    examples_sha256: str
    model: str
    prompt_version: str
    examples: int
    judgements: int
    repeats: int
    kappa: Estimate
    criteria_kappa: Estimate
    length_controlled_kappa: float | None
    consistency: float | None
    order_flips: float | None
    order_shift: float | None
    length_correlation: float | None
    cheaters: int
    cheaters_caught: int
    tricks_that_passed: tuple[str, ...]
    unknown: float
    unknown_reasons: Mapping[str, int]
    seconds: float

    @property
    def caught(self) -> Estimate:
        """Share of the planted cheaters that failed."""
        return wilson(self.cheaters_caught, self.cheaters)

    def shortfalls(self, rubric: Rubric) -> list[str]:
        """What falls short of the rubric's minimum, in words; empty when nothing does. What is undefined does."""
        wanted = rubric.calibration
        at_least = [
            ("kappa", self.kappa.value, wanted.min_kappa),
            ("kappa of criteria", self.criteria_kappa.value, wanted.min_criteria_kappa),
            ("length-controlled kappa", self.length_controlled_kappa, wanted.min_length_controlled_kappa),
            ("cheaters caught", self.caught.value, wanted.min_cheaters_caught),
            ("consistency", self.consistency, wanted.min_consistency),
        ]
        correlation = None if self.length_correlation is None else abs(self.length_correlation)
        at_most = [
            ("order flips", self.order_flips, wanted.max_order_flips),
            ("length correlation", correlation, wanted.max_length_correlation),
            ("unknown", self.unknown, wanted.max_unknown),
        ]
        low = [(name, value, f"under {least:g}") for name, value, least in at_least if value is None or value < least]
        high = [(name, value, f"over {most:g}") for name, value, most in at_most if value is None or value > most]
        return [
            f"{name} {'undefined' if value is None else f'{value:.2f} is {bound}'}" for name, value, bound in low + high
        ]

    def meets(self, rubric: Rubric) -> bool:
        """Whether the judge may judge by this rubric."""
        return self._is_of(rubric, self.model) and not self.shortfalls(rubric)

    def _is_of(self, rubric: Rubric, model: str) -> bool:
        return self.key == (rubric.digest, _examples_digest(rubric), model, prompt_version())

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it belongs to."""
        return self.rubric_sha256, self.examples_sha256, self.model, self.prompt_version

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return dataclasses.asdict(self) | {"tricks_that_passed": list(self.tricks_that_passed)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        """The inverse of `to_json`."""
        fields = {field.name: data[field.name] for field in dataclasses.fields(cls)}
        for name in ("kappa", "criteria_kappa"):
            fields[name] = Estimate(*fields[name])
        return cls(**fields | {"tricks_that_passed": tuple(fields["tricks_that_passed"])})


def calibrate(
    rubric: Rubric, judge: Judge, *, repeats: int = 3, on_judgement: Callable[[int], None] = lambda n: None
) -> Calibration:
    """Have `judge` judge the rubric's labelled examples, and compare.

    Args:
        rubric: the rubric; it must have criteria for a judge.
        judge: the judge.
        repeats: how often each judgement is asked for in the usual order, at least 2. One more in the other order.
        on_judgement: called with the number of judgements that came in.

    Raises:
        ConfigError: the rubric has no criterion for a judge, or its examples are malformed.
    """
    if not rubric.judged:
        raise ConfigError(f"the rubric '{rubric.name}' has no criterion for a judge: there is nothing to calibrate")
    if repeats < 2:
        raise ConfigError(f"repeats is {repeats}; it takes 2 to see whether a judge repeats itself")
    examples = load_examples(rubric)
    start = time.monotonic()
    rounds = [_ask(rubric, judge, examples, f"repeat {i}", "criterion_first", on_judgement) for i in range(repeats)]
    swapped = _ask(rubric, judge, examples, "repeat 0", "answer_first", on_judgement)
    first = rounds[0]
    decisions = [_decision(rubric, example, marks) for example, marks in zip(examples, first, strict=True)]
    cheaters = [(e, d) for e, d in zip(examples, decisions, strict=True) if e.cheater]
    marks = [mark for each in (*rounds, swapped) for row in each for mark in row.values()]
    missing = Counter(mark.reason for mark in marks if mark.score is None)
    known = [(e, d) for e, d in zip(examples, decisions, strict=True) if d.outcome is not Outcome.UNKNOWN]
    flips, shift = _order(rubric, first, swapped)
    return Calibration(
        rubric=rubric.name,
        rubric_sha256=rubric.digest,
        examples_sha256=_examples_digest(rubric),
        model=judge.model,
        prompt_version=prompt_version(),
        examples=len(examples),
        judgements=len(marks),
        repeats=repeats,
        kappa=bootstrap_kappa([[_pair(e, d)] for e, d in known]),
        criteria_kappa=bootstrap_kappa(_single_pairs(rubric, examples, first)),
        length_controlled_kappa=_length_controlled(known),
        consistency=_consistency(rubric, rounds),
        order_flips=flips,
        order_shift=shift,
        length_correlation=_length_correlation(examples, first),
        cheaters=len(cheaters),
        cheaters_caught=sum(decision.outcome is Outcome.FAIL for _, decision in cheaters),
        tricks_that_passed=tuple(e.trick or "" for e, decision in cheaters if decision.outcome is Outcome.PASS),
        unknown=sum(missing.values()) / len(marks),
        unknown_reasons=dict(missing),
        seconds=time.monotonic() - start,
    )


_Marks = Mapping[str, Mark]  # of one example, by criterion


def _ask(
    rubric: Rubric,
    judge: Judge,
    examples: Sequence[Example],
    key: str,
    order: Order,
    on_judgement: Callable[[int], None],
) -> list[_Marks]:
    """The marks of every example on every criterion."""
    questions = [
        question(rubric, criterion, example.problem(rubric), example.answer, key=key.encode(),
                 special_tokens=judge.special_tokens, order=order)
        for example in examples for criterion in rubric.judged
    ]  # fmt: skip
    marks: list[Mark] = []
    for start in range(0, len(questions), _AT_ONCE):
        some = judge.ask(questions[start : start + _AT_ONCE])
        on_judgement(len(some))
        marks += some
    ids, rest = [criterion.id for criterion in rubric.judged], iter(marks)
    return [{name: next(rest) for name in ids} for _ in examples]


def _decision(rubric: Rubric, example: Example, marks: _Marks) -> Decision:
    judged = {criterion.id: Finding.of_mark(criterion, marks[criterion.id]) for criterion in rubric.judged}
    return decide(rubric, checked(rubric, example.problem(rubric), example.answer) | judged)


def _pair(example: Example, decision: Decision) -> tuple[bool, bool]:
    return example.passes, decision.outcome is Outcome.PASS


def _mets(rubric: Rubric, marks: _Marks) -> Iterator[tuple[str, bool | None]]:
    return ((criterion.id, Finding.of_mark(criterion, marks[criterion.id]).met) for criterion in rubric.judged)


def _single_pairs(
    rubric: Rubric, examples: Sequence[Example], marks: Sequence[_Marks]
) -> list[list[tuple[bool, bool]]]:
    return [
        [(example.labels[name], met) for name, met in _mets(rubric, row) if met is not None]
        for example, row in zip(examples, marks, strict=True)
    ]


def _consistency(rubric: Rubric, rounds: Sequence[Sequence[_Marks]]) -> float | None:
    same = [
        len(set(mets)) == 1
        for rows in zip(*rounds, strict=True)
        for mets in zip(*([met for _, met in _mets(rubric, row)] for row in rows), strict=True)
        if None not in mets
    ]
    return statistics.fmean(same) if same else None


def _order(rubric: Rubric, first: Sequence[_Marks], swapped: Sequence[_Marks]) -> tuple[float | None, float | None]:
    """How many judgements flip in the other order, and by how much scores change on average."""
    flips: list[bool] = []
    shifts: list[int] = []
    for one, other in zip(first, swapped, strict=True):
        for (name, before), (_, after) in zip(_mets(rubric, one), _mets(rubric, other), strict=True):
            a, b = one[name].score, other[name].score
            if a is not None and b is not None:
                flips.append(before != after)
                shifts.append(b - a)
    return (statistics.fmean(flips), statistics.fmean(shifts)) if flips else (None, None)


def _length_correlation(examples: Sequence[Example], marks: Sequence[_Marks]) -> float | None:
    found: list[tuple[float, int]] = []
    for label in (True, False):
        scored = [
            (len(words(example.answer)), statistics.fmean(scores))
            for example, row in zip(examples, marks, strict=True)
            if example.passes is label and (scores := [mark.score for mark in row.values() if mark.score is not None])
        ]
        rho = spearman([length for length, _ in scored], [score for _, score in scored])
        if rho is not None:
            found.append((rho, len(scored)))
    return sum(rho * n for rho, n in found) / sum(n for _, n in found) if found else None


def _length_controlled(known: Sequence[tuple[Example, Decision]]) -> float | None:
    halves: list[list[tuple[bool, bool]]] = [[], []]
    for label in (True, False):
        group = sorted((len(words(e.answer)), _pair(e, d)) for e, d in known if e.passes is label)
        for half, part in zip(halves, (group[: len(group) // 2], group[len(group) // 2 :]), strict=True):
            half += [pair for _, pair in part]
    kappas = [cohen_kappa(half) for half in halves]
    return None if None in kappas else min(kappa for kappa in kappas if kappa is not None)


def _examples_digest(rubric: Rubric) -> str:
    try:
        return hashlib.sha256(rubric.examples_path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"cannot read the examples '{rubric.examples_path}': {error.strerror}") from error


def save_calibration(result: Calibration, path: Path) -> None:
    """Put a result into a file of results, in place of an earlier one of the same rubric, judge and prompt version.

    Raises:
        ConfigError: the file is none of results, or cannot be written.
    """
    kept = [one for one in load_calibrations(path) if one.key != result.key] if path.exists() else []
    content = {"format": _FORMAT, "results": [one.to_json() for one in (*kept, result)]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".part")
        unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(unfinished, path)
    except OSError as error:
        raise ConfigError(f"cannot write the calibration '{path}': {error.strerror}") from error


def load_calibrations(path: str | os.PathLike[str]) -> list[Calibration]:
    """The results in a file.

    Raises:
        ConfigError: there is no such file, or it is none of results.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        if data["format"] != _FORMAT:
            raise ValueError(f"its format is {data['format']!r}, not {_FORMAT}")
        return [Calibration.from_json(one) for one in data["results"]]
    except OSError as error:
        raise ConfigError(f"cannot read the calibration '{path}': {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"'{path}' is no calibration that proofgrad wrote: {error}") from error


def require_calibrated(
    rubrics: Sequence[Rubric],
    model: str,
    calibration: str | os.PathLike[str] | None,
    *,
    allow_uncalibrated: bool = False,
) -> dict[str, Calibration]:
    """The calibrations of a judge for `rubrics`, by rubric; only those that have criteria for a judge need one.

    Args:
        rubrics: what it is to judge by.
        model: the judge's.
        calibration: a file that `save_calibration` wrote.
        allow_uncalibrated: accept a judge that was not calibrated, or falls short.

    Raises:
        ConfigError: a calibration is missing or falls short of its rubric's minimum, and that is not allowed.
    """
    results = load_calibrations(calibration) if calibration is not None else []
    found: dict[str, Calibration] = {}
    for rubric in rubrics:
        if not rubric.judged:
            continue
        result = next((one for one in results if one._is_of(rubric, model)), None)
        if result is not None:
            found[rubric.name] = result
        if allow_uncalibrated:
            continue
        where = calibration if calibration is not None else "calibration.json"
        command = f"proofgrad rubric calibrate {rubric.path} --output {where}"
        if result is None:
            given = f"'{calibration}' has none for it" if calibration is not None else "no 'calibration' is given"
            raise ConfigError(
                f"the judge '{model}' is not calibrated for the rubric '{rubric.name}' ({given}): run {command}, "
                "or set allow_uncalibrated"
            )
        if short := result.shortfalls(rubric):
            raise ConfigError(
                f"the judge '{model}' falls short of the minimum of the rubric '{rubric.name}': {'; '.join(short)}. "
                f"Take another judge and run {command}, or set allow_uncalibrated"
            )
    return found
