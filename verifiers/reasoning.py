"""`ReasoningVerifier`: reasoning-gym's own scorers behind our verdicts, in a process that can be killed.

The problem holds all that a scorer needs:

    {"family": "countdown",
     "config": {...},                              what the family's scorer reads of its configuration (`READ`), or {}
     "entry": {"question", "answer", "metadata"},  as reasoning-gym made it, in plain JSON; the answer is hidden
     "timeout_s": 5.0}                             processor time for scoring one candidate, rounded up to seconds

A score of 1.0 is a PASS. Less is a FAIL, and of what the scorer gives then, two kinds of credit do not count:

- up to 0.1, which scorers give for an answer of the right form whatever it says;
- what is given for containing the known answer (its length over the candidate's): that pays for listing many answers.

A scorer that raises on a candidate fails it, because it has accepted the known answer before; one that raises on the
known answer, or does not give it 1.0, makes the problem malformed.

Some families are refused, and are never asked either (`proofgrad.envs.reasoning`): `EXCLUDED` says why. Of others the
scorer hands the candidate to `eval`, or to sympy's parser, which is `eval` too; they are judged only where the
candidate consists of the characters in `GUARDED`, from which no name that means anything can be spelt.
"""

from __future__ import annotations

import importlib.util
import json
import math
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version as installed_version
from typing import Any

from proofgrad.verifiers.base import Json, Problem, Verdict
from proofgrad.verifiers.errors import MissingExtraError, ProblemError
from proofgrad.verifiers.remade import Remade
from proofgrad.verifiers.workers import TimedWorkers, limit_cpu, overran

__all__ = ["EXCLUDED", "GUARDED", "READ", "ReasoningVerifier"]

_NO_GOLD = "its entries hold no known answer as text, so that nothing shows its scorer to be right"
_NOT_DETERMINISTIC = "the same seed gives other entries in another process (sets and hashes of strings)"
_NOT_JSON = "its scorer does not accept the known answer once the entry has been through JSON"
_EVALUATED = "its scorer hands the candidate to sympy's parser, which evaluates names as Python"

EXCLUDED: Mapping[str, str] = {
    "arc_agi": _NOT_JSON,
    "boxnet": _NO_GOLD,
    "codeio": "it runs programs of a data set to make entries, which differ from process to process",
    "composite": "it is a mixture of other families",
    "game_of_life_halting": "its scorer accepts any text where the known answer is True",
    "graph_color": _NO_GOLD,
    "gsm_symbolic": "its entries hold fractions, which JSON does not have",
    "intermediate_integration": f"{_EVALUATED}; {_NOT_DETERMINISTIC}",
    "isomorphic_strings": _NOT_DETERMINISTIC,
    "knight_swap": _NOT_DETERMINISTIC,
    "list_functions": _NOT_DETERMINISTIC,
    "polynomial_multiplication": f"{_EVALUATED}; {_NOT_DETERMINISTIC}",
    "propositional_logic": _NO_GOLD,
    "puzzle24": "its scorer does not look at which numbers were given: one expression answers every question",
    "ransom_note": _NOT_DETERMINISTIC,
    "rearc": _NOT_JSON,
    "rubiks_cube": _NO_GOLD,
    "rush_hour": _NO_GOLD,
    "simple_integration": _EVALUATED,
    "word_ladder": _NOT_DETERMINISTIC,
}
"""Families that are not used, each with its reason (reasoning-gym 0.1.25; a slow test goes through all of them)."""

_MATRIX = re.compile(r"[-\d\s.,\[\]]*")
GUARDED: Mapping[str, re.Pattern[str]] = {
    "binary_matrix": _MATRIX,
    "spiral_matrix": _MATRIX,
    "countdown": re.compile(r"[-\d\s.+*/()]*"),
    "n_queens": re.compile(r"[Q_\s,'\"\[\]]*"),
    "string_insertion": re.compile(r"[A-E\s,'\"\[\]]*"),
}
"""Families whose scorer evaluates the candidate, with all that a candidate may be made of."""

READ: Mapping[str, tuple[str, ...]] = {
    "decimal_arithmetic": ("max_num_decimal_places",),
    "time_intervals": ("max_date_difference_days", "max_time_difference_seconds"),
}
"""What scorers read of the configuration that an entry was made with; those of the other families read nothing."""

_KEYS = {"family", "config", "entry", "timeout_s"}
_CANDIDATE_CHARS = 20_000
_FORM_CREDIT = 0.1
_CACHED = 64


class ReasoningVerifier(Remade):
    """Judges answers to reasoning-gym's questions.

    Args:
        workers: judgements at once; a process of about 200 MB each, started when it is first needed.
        memory_mb: address space of such a process in MiB; a candidate that needs more fails.

    Raises:
        MissingExtraError: reasoning-gym is not installed.
    """

    name = "reasoning"
    killable = True

    def __init__(self, *, workers: int = 2, memory_mb: int = 4096) -> None:
        if importlib.util.find_spec("reasoning_gym") is None:
            raise MissingExtraError("reasoning-gym", "reasoning", "judging answers to reasoning-gym's questions")
        self._options = {"workers": workers, "memory_mb": memory_mb}
        self._gym = installed_version("reasoning-gym")
        self.version = f"1+reasoning-gym-{self._gym}"
        self._judges = TimedWorkers(_Scorer(), **self._options)

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """Judge an answer.

        Reasons: `reasoning.ok`, `reasoning.wrong`, `reasoning.unreadable` (the scorer raised, or the characters are
        not those of an answer), `reasoning.too_long`, `reasoning.too_large` (memory) and `reasoning.timeout`.

        Raises:
            ProblemError: the problem is malformed, its family is not used, or its own answer does not score 1.0.
        """
        start = time.monotonic()
        family, cpu_s = _check(problem)
        evidence: dict[str, Json] = {"family": family, "reasoning_gym": self._gym}
        if len(candidate) > _CANDIDATE_CHARS:
            return Verdict.failed("reasoning.too_long", feedback="The answer is too long.", evidence=evidence)
        if family in GUARDED and not GUARDED[family].fullmatch(candidate):
            told = "The answer has characters that no answer to this question has."
            return Verdict.failed("reasoning.unreadable", feedback=told, evidence=evidence)
        verdict = self._judges.verify(problem, candidate, cpu_s)
        if overran(verdict, cpu_s):
            told = "The answer takes too long to judge."
            verdict = Verdict.failed("reasoning.timeout", feedback=told)
        return replace(verdict, evidence={**evidence, **verdict.evidence}, seconds=time.monotonic() - start)

    def close(self) -> None:
        """Stop the worker processes; the next `verify` starts new ones."""
        self._judges.close()


def _check(problem: Problem) -> tuple[str, float]:
    unknown = sorted(set(problem) - _KEYS)
    if unknown:
        raise ProblemError(f"problem has the unknown key '{unknown[0]}'; the keys are {', '.join(sorted(_KEYS))}")
    family, entry, config = problem.get("family"), problem.get("entry"), problem.get("config", {})
    if not isinstance(family, str) or not isinstance(entry, Mapping) or not isinstance(config, Mapping):
        raise ProblemError("a problem needs a 'family' (text) and an 'entry' (object); 'config' is an object")
    for name in sorted(set(config) - set(READ.get(family, ()))):
        raise ProblemError(f"problem['config'] has '{name}', which the scorer of '{family}' does not read")
    if family in EXCLUDED:
        raise ProblemError(f"problem['family'] is '{family}', which is not used: {EXCLUDED[family]}")
    if not isinstance(entry.get("answer"), str) or not isinstance(entry.get("metadata"), Mapping):
        raise ProblemError("problem['entry'] needs an 'answer' (text) and 'metadata' (object)")
    timeout_s = problem.get("timeout_s", 5.0)
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0.1 <= timeout_s <= 300:
        raise ProblemError(f"problem['timeout_s'] is {timeout_s!r}; allowed are 0.1 to 300 seconds")
    return family, float(math.ceil(timeout_s))


class _Scorer:
    """Runs in the worker: reasoning-gym is imported here only. A problem has been checked before."""

    name, version = "reasoning-scorer", "1"

    def __init__(self) -> None:
        self._datasets: OrderedDict[str, Any] = OrderedDict()

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        family, entry = str(problem["family"]), problem["entry"]
        dataset = self._dataset(family, problem.get("config", {}))  # not on the candidate's time
        _, cpu_s = _check(problem)
        limit_cpu(cpu_s)
        gold = str(entry["answer"])  # type: ignore[call-overload,index]  # an object, as was checked
        try:
            sound = float(dataset.score_answer(gold, _copy(entry))) == 1.0
        except Exception as error:  # whatever a scorer of another's raises
            raise ProblemError(f"the scorer of '{family}' raises on the problem's own answer: {error!r}") from error
        if not sound:
            raise ProblemError(f"the scorer of '{family}' does not accept the problem's own answer")
        try:
            score = float(dataset.score_answer(candidate, _copy(entry)))
        except MemoryError:
            return Verdict.failed("reasoning.too_large", feedback="The answer is too large to judge.")
        except Exception as error:  # it read the known answer a moment ago, so this is the candidate's doing
            told = "The answer could not be read."
            return Verdict.failed("reasoning.unreadable", feedback=told, evidence={"error": repr(error)[:200]})
        evidence: dict[str, Json] = {"scorer": score if score == score else None}
        if score == 1.0:
            return Verdict.passed("reasoning.ok", evidence=evidence)
        credit = _credit(score, candidate, gold)
        return Verdict.failed("reasoning.wrong", score=credit, feedback="The answer is not right.", evidence=evidence)

    def _dataset(self, family: str, config: Json) -> Any:
        from reasoning_gym.factory import DATASETS

        key = json.dumps([family, config], sort_keys=True)
        if key not in self._datasets:
            if family not in DATASETS:
                raise ProblemError(f"reasoning-gym has no family '{family}'")
            made, config_class = DATASETS[family]
            given = {"seed": 0, "size": 1, **(config if isinstance(config, Mapping) else {})}
            try:
                self._datasets[key] = made(config=config_class(**given))
            except Exception as error:  # a configuration's checks are assertions
                raise ProblemError(f"problem['config'] does not suit '{family}': {error!r}") from error
            while len(self._datasets) > _CACHED:
                self._datasets.popitem(last=False)
        return self._datasets[key]


def _copy(entry: Json) -> Any:
    """A fresh copy: a scorer that changes what it is given must not change the next judgement."""
    return json.loads(json.dumps(entry))


def _credit(score: float, candidate: str, gold: str) -> float:
    """What of a scorer's partial credit counts, in [0, 1)."""
    if not _FORM_CREDIT < score < 1.0:  # not a number, negative, or more than 1, too
        return 0.0
    stripped = candidate.strip()
    for text, known in ((candidate, gold), (stripped, gold.strip())):
        if known in text and abs(score - len(known) / len(text)) < 1e-9:
            return 0.0
    return score
