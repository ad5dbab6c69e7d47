"""What a program problem may say, checked once at the door; everything behind trusts it."""

from __future__ import annotations

import difflib
import json
import keyword
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proofgrad.verifiers.base import Json, Problem
from proofgrad.verifiers.code.compare import EXACT, WHITESPACE, Tolerance, is_json, same
from proofgrad.verifiers.code.values import NotPlain, untag
from proofgrad.verifiers.errors import ProblemError

__all__ = ["ProgramProblem", "ProgramTest", "StdioTest", "check_problem"]

_CALL_KEYS = ("entry_point", "tests", "public", "timeout_s", "float_tolerance", "values", "nan", "numbers")
_STDIO_KEYS = ("tests", "public", "timeout_s", "float_tolerance", "whitespace")
_KEYS = (*_CALL_KEYS, "whitespace")
_MAX_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class ProgramTest:
    """One call: the arguments as JSON, and the value it should return.

    Attributes:
        args: as they enter the sandbox: plain JSON, or tagged where the problem's values are.
        expected: the value itself, untagged.
        tolerance: for the floats in it: the test's own, or else the problem's.
    """

    args: list[Json]
    expected: Any
    tolerance: Tolerance = EXACT


@dataclass(frozen=True, slots=True)
class StdioTest:
    """One run of a whole program: what it reads, and what it should write; UTF-8 on both sides."""

    stdin: str
    expected_stdout: str


@dataclass(frozen=True, slots=True)
class ProgramProblem:
    """A validated problem; the fields are those of the mapping that `verifier` documents.

    Exactly one of `tests` (with an entry point) and `stdio` (without) has members.
    """

    entry_point: str
    tests: tuple[ProgramTest, ...]
    public: int
    timeout_s: float
    tolerance: Tolerance
    tagged: bool = False
    nan: str = "refuse"
    numbers: str = "typed"
    stdio: tuple[StdioTest, ...] = ()
    whitespace: str = "tokens"

    def batches(self) -> list[list[str]]:
        """The inputs as JSON texts, in the order they may enter the sandbox: first the public ones, then the hidden.

        The first batch may be empty: its reply then tells, still before any hidden input, how loading went.
        """
        texts = [json.dumps(test.args) for test in self.tests]
        split = [texts[: self.public], texts[self.public :]]
        return split if split[1] else split[:1]

    def right(self, number: int, value: object) -> bool:
        """Whether `value` is the answer that test `number` expects."""
        test = self.tests[number]
        return same(test.expected, value, test.tolerance, nan=self.nan, numbers=self.numbers)

    @classmethod
    def parse(cls, problem: Problem) -> ProgramProblem:
        """Check a problem.

        Raises:
            ProblemError: naming the key and what is wrong with its value.
        """
        if not isinstance(problem, Mapping):
            raise ProblemError(f"program problem: it must be an object, got {_kind(problem)}")
        for key in problem:
            if key not in _KEYS:
                near = difflib.get_close_matches(str(key), _KEYS, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(_KEYS)}"
                raise ProblemError(f"program problem: unknown key '{key}'; {hint}")
        if _is_stdio(problem):
            return _parse_stdio(problem)
        if "entry_point" not in problem:
            _listed(problem)  # what is missing may be the tests; their fault is named first
        entry_point = problem.get("entry_point")
        if not isinstance(entry_point, str) or not entry_point.isidentifier() or keyword.iskeyword(entry_point):
            raise ProblemError(f"program problem: entry_point must be a Python identifier, got {entry_point!r}")
        if "whitespace" in problem:
            raise ProblemError("program problem: whitespace is for tests with 'stdin'; this problem has an entry_point")
        tests = _listed(problem)
        values = _choice(problem, "values", ("json", "tagged"))
        nan = _choice(problem, "nan", ("refuse", "equal"))
        numbers = _choice(problem, "numbers", ("typed", "value"))
        if nan == "equal" and values != "tagged":
            raise ProblemError("program problem: nan 'equal' needs values 'tagged': plain JSON has no NaN")
        tolerance = _parse_tolerance(problem.get("float_tolerance"), "program problem: float_tolerance")
        parsed = tuple(_parse_test(number, test, tolerance, values, nan) for number, test in enumerate(tests))
        public, timeout_s = _public(problem, len(parsed)), _timeout(problem)
        return cls(entry_point, parsed, public, timeout_s, tolerance, values == "tagged", nan, numbers)


def check_problem(problem: Problem) -> None:
    """Check a program problem without running anything, for whoever builds tasks and can name the task in the error.

    Raises:
        ProblemError: naming the key and what is wrong with its value, in one line.
    """
    ProgramProblem.parse(problem)


def _is_stdio(problem: Problem) -> bool:
    """Whether the tests read standard input.

    Raises:
        ProblemError: some do and some do not.
    """
    tests = problem.get("tests")
    if not isinstance(tests, list | tuple):
        return False
    kinds = [isinstance(test, Mapping) and bool({"stdin", "expected_stdout"} & set(test)) for test in tests]
    if any(kinds) and not all(kinds):
        odd = kinds.index(not kinds[0])
        raise ProblemError(
            f"program problem: tests[{odd}] is of another kind than tests[0]; all of them must have 'args' and "
            "'expected', or all 'stdin' and 'expected_stdout'"
        )
    return any(kinds)


def _parse_stdio(problem: Problem) -> ProgramProblem:
    for key in problem:
        if key not in _STDIO_KEYS:
            raise ProblemError(f"program problem: {key} is for tests with 'args'; these tests have 'stdin'")
    tests = tuple(_parse_stdio_test(number, test) for number, test in enumerate(_listed(problem)))
    if not any(test.expected_stdout.strip() for test in tests):
        raise ProblemError("program problem: tests: no expected_stdout has any text; doing nothing would pass")
    whitespace = _choice(problem, "whitespace", WHITESPACE)
    tolerance = _parse_tolerance(problem.get("float_tolerance"), "program problem: float_tolerance")
    if tolerance != EXACT and whitespace != "tokens":
        raise ProblemError(f"program problem: float_tolerance needs whitespace 'tokens', not '{whitespace}'")
    public, timeout_s = _public(problem, len(tests)), _timeout(problem)
    return ProgramProblem("", (), public, timeout_s, tolerance, stdio=tests, whitespace=whitespace)


def _parse_stdio_test(number: int, test: Any) -> StdioTest:
    where = f"program problem: tests[{number}]"
    if set(test) != {"stdin", "expected_stdout"}:
        raise ProblemError(f"{where} must have exactly the keys 'stdin' and 'expected_stdout'")
    for key in ("stdin", "expected_stdout"):
        if not isinstance(test[key], str):
            raise ProblemError(f"{where}.{key} must be a string, got {_kind(test[key])}")
        try:
            test[key].encode("utf-8")
        except UnicodeEncodeError:
            raise ProblemError(f"{where}.{key} cannot be written as UTF-8: it has a lone surrogate") from None
    return StdioTest(test["stdin"], test["expected_stdout"])


def _parse_test(number: int, test: object, tolerance: Tolerance, values: str, nan: str) -> ProgramTest:
    where = f"program problem: tests[{number}]"
    if not isinstance(test, Mapping) or set(test) - {"float_tolerance"} != {"args", "expected"}:
        raise ProblemError(f"{where} must have exactly the keys 'args' and 'expected' (float_tolerance may be a third)")
    if type(test["args"]) is not list:
        raise ProblemError(f"{where}.args must be a list of the call's arguments")
    for key in ("args", "expected"):
        if not is_json(test[key]):
            raise ProblemError(f"{where}.{key} must be plain JSON: no tuples, sets, NaN or keys that are not strings")
    if "float_tolerance" in test:
        tolerance = _parse_tolerance(test["float_tolerance"], f"{where}.float_tolerance")
    expected = test["expected"]
    if values == "tagged":
        key = "args"
        try:
            untag(test["args"])
            key = "expected"
            expected = untag(expected)
        except NotPlain as error:
            raise ProblemError(f"{where}.{key} is not a tagged value: {error}") from None
        # NaN in args is data; among what is expected it must be able to match.
        if not same(expected, expected, nan=nan):
            raise ProblemError(f"{where}.expected has a NaN, which nothing equals unless the problem says nan 'equal'")
    return ProgramTest(test["args"], expected, tolerance)


def _listed(problem: Problem) -> list[Any] | tuple[Any, ...]:
    tests = problem.get("tests")
    if not isinstance(tests, list | tuple) or not tests:
        hint = "; parse its JSON first" if isinstance(tests, str) else ""
        raise ProblemError(f"program problem: tests must be a list of at least one test, got {_kind(tests)}{hint}")
    return tests


def _public(problem: Problem, most: int) -> int:
    public = problem.get("public", 0)
    if type(public) is not int or not 0 <= public <= most:
        raise ProblemError(f"program problem: public must be a number of tests, 0 to {most}, got {public!r}")
    return public


def _timeout(problem: Problem) -> float:
    timeout_s = _number(problem.get("timeout_s", 2.0), "program problem: timeout_s", _MAX_TIMEOUT_S)
    if timeout_s == 0:
        raise ProblemError("program problem: timeout_s must be more than 0")
    return timeout_s


def _choice(problem: Problem, key: str, known: tuple[str, ...]) -> str:
    value = problem.get(key, known[0])
    if not isinstance(value, str) or value not in known:
        raise ProblemError(f"program problem: {key} must be one of {', '.join(known)}, got {value!r}")
    return value


def _parse_tolerance(value: object, where: str) -> Tolerance:
    if value is None:
        return EXACT
    if not isinstance(value, Mapping) or not set(value) <= {"abs", "rel"}:
        raise ProblemError(f"{where} must be an object with the keys 'abs' and 'rel'")
    bounds = {key: _number(bound, f"{where}.{key}", 1.0) for key, bound in value.items()}
    return Tolerance(**bounds)


def _number(value: object, where: str, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ProblemError(f"{where} must be a number, got {value!r}")
    if not 0 <= value <= most:
        raise ProblemError(f"{where} must lie between 0 and {most:g}, got {value!r}")
    return float(value)


def _kind(value: object) -> str:
    return "nothing" if value is None else "an empty list" if value in ([], ()) else f"a {type(value).__name__}"
