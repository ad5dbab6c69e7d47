"""What a program problem may say, checked once at the door; everything behind trusts it."""

from __future__ import annotations

import difflib
import json
import keyword
import math
from collections.abc import Mapping
from dataclasses import dataclass

from proofgrad.verifiers.base import Json, Problem
from proofgrad.verifiers.code.compare import EXACT, Tolerance, is_json
from proofgrad.verifiers.errors import ProblemError

__all__ = ["ProgramProblem", "ProgramTest"]

_KEYS = ("entry_point", "tests", "public", "timeout_s", "float_tolerance")
_MAX_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class ProgramTest:
    """One call: the arguments and the value it should return, both plain JSON."""

    args: list[Json]
    expected: Json


@dataclass(frozen=True, slots=True)
class ProgramProblem:
    """A validated problem; the fields are those of the mapping that `verifier` documents."""

    entry_point: str
    tests: tuple[ProgramTest, ...]
    public: int
    timeout_s: float
    tolerance: Tolerance

    def batches(self) -> list[list[str]]:
        """The inputs as JSON texts, in the order they may enter the sandbox: first the public ones, then the hidden.

        The first batch may be empty: its reply then tells, still before any hidden input, how loading went.
        """
        texts = [json.dumps(test.args) for test in self.tests]
        split = [texts[: self.public], texts[self.public :]]
        return split if split[1] else split[:1]

    @classmethod
    def parse(cls, problem: Problem) -> ProgramProblem:
        """Check a problem.

        Raises:
            ProblemError: naming the key and what is wrong with its value.
        """
        for key in problem:
            if key not in _KEYS:
                near = difflib.get_close_matches(str(key), _KEYS, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(_KEYS)}"
                raise ProblemError(f"program problem: unknown key '{key}'; {hint}")
        entry_point = problem.get("entry_point")
        if not isinstance(entry_point, str) or not entry_point.isidentifier() or keyword.iskeyword(entry_point):
            raise ProblemError(f"program problem: entry_point must be a Python identifier, got {entry_point!r}")
        tests = problem.get("tests")
        if not isinstance(tests, list | tuple) or not tests:
            raise ProblemError("program problem: tests must be a list of at least one test")
        parsed = tuple(_parse_test(number, test) for number, test in enumerate(tests))
        public = problem.get("public", 0)
        if type(public) is not int or not 0 <= public <= len(parsed):
            raise ProblemError(f"program problem: public must be a number of tests, 0 to {len(parsed)}, got {public!r}")
        timeout_s = _number(problem.get("timeout_s", 2.0), "timeout_s", _MAX_TIMEOUT_S)
        if timeout_s == 0:
            raise ProblemError("program problem: timeout_s must be more than 0")
        return cls(entry_point, parsed, public, timeout_s, _parse_tolerance(problem.get("float_tolerance")))


def _parse_test(number: int, test: object) -> ProgramTest:
    where = f"program problem: tests[{number}]"
    if not isinstance(test, Mapping) or set(test) != {"args", "expected"}:
        raise ProblemError(f"{where} must have exactly the keys 'args' and 'expected'")
    if type(test["args"]) is not list:
        raise ProblemError(f"{where}.args must be a list of the call's arguments")
    for key in ("args", "expected"):
        if not is_json(test[key]):
            raise ProblemError(f"{where}.{key} must be plain JSON: no tuples, sets, NaN or keys that are not strings")
    return ProgramTest(test["args"], test["expected"])


def _parse_tolerance(value: object) -> Tolerance:
    if value is None:
        return EXACT
    if not isinstance(value, Mapping) or not set(value) <= {"abs", "rel"}:
        raise ProblemError("program problem: float_tolerance must be an object with the keys 'abs' and 'rel'")
    bounds = {key: _number(bound, f"float_tolerance.{key}", 1.0) for key, bound in value.items()}
    return Tolerance(**bounds)


def _number(value: object, key: str, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ProblemError(f"program problem: {key} must be a number, got {value!r}")
    if not 0 <= value <= most:
        raise ProblemError(f"program problem: {key} must lie between 0 and {most:g}, got {value!r}")
    return float(value)
