"""Rows of programming data sets as records: the manners of MBPP, of APPS and of LiveCodeBench.

Sources of the formats: J. Austin et al., arXiv 2108.07732 (MBPP); D. Hendrycks et al., arXiv 2105.09938 (APPS);
N. Jain et al., arXiv 2403.07974 (LiveCodeBench).
"""

from __future__ import annotations

import ast
import base64
import builtins
import io
import json
import pickle
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proofgrad.envs.base import HELD_OUT, TRAIN
from proofgrad.envs.programs.reading import parsed, solution_methods
from proofgrad.envs.programs.recorded import Record
from proofgrad.envs.theorems.recorded import RowError
from proofgrad.verifiers.base import Json
from proofgrad.verifiers.code import Refused, check_problem, convert
from proofgrad.verifiers.code.runner import Runner
from proofgrad.verifiers.errors import ProblemError

__all__ = ["FORMATS", "Reader", "recognised", "record_of"]

_SPLITS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("valid", "val", "validation", "dev", "test", "prompt", HELD_OUT), HELD_OUT),
}
_MAX_UNPACKED = 1 << 28
_LISTS = re.compile(r"->\s*['\"]?(?:typing\.)?(List|list|Tuple|tuple|Sequence)\b")


@dataclass(slots=True)
class Reader:
    """How rows are to be read.

    Attributes:
        runner: the sandboxes in which assertions are evaluated.
        public_tests: how many of the first tests the policy may see, where a row does not tell them apart.
        timeout_s: for a candidate on all tests of a function, or on each test of a program.
        check_solutions: whether a row's solution must pass the tests that are made of its assertions.
        refused: assertions that are not among the tests, by the row's place.
    """

    runner: Runner
    public_tests: int
    timeout_s: float
    check_solutions: bool
    refused: dict[str, tuple[Refused, ...]]


def recognised(row: Mapping[str, Any]) -> str | None:
    """The name of the format that a row's fields are those of, or None."""
    if "test_list" in row:
        return "mbpp"
    if "public_test_cases" in row or "private_test_cases" in row:
        return "livecodebench"
    return "apps" if "input_output" in row else None


def record_of(row: object, place: str, form: str | None, reader: Reader) -> Record:
    """The record of one row.

    Args:
        row: what `json.loads` made of the line.
        place: the file and line, for the record.
        form: the format; recognised by the row's fields if None.

    Raises:
        RowError: the row is malformed; the message begins with the field.
    """
    if not isinstance(row, dict):
        raise RowError("the row is no JSON object")
    form = form or recognised(row)
    if form is None:
        raise RowError("no field says what the tests are; there has to be 'test_list', 'public_test_cases', "
                       "'private_test_cases' or 'input_output'")  # fmt: skip
    split = row.get("split")
    if split is not None and (not isinstance(split, str) or split not in _SPLITS):
        raise RowError(f"'split' is {str(split)[:40]!r}; allowed are {', '.join(_SPLITS)}")
    record = FORMATS[form](row, place, reader)
    return replace(record, split=None if split is None else _SPLITS[split])


def _mbpp(row: Mapping[str, Any], place: str, reader: Reader) -> Record:
    key = "text" if row.get("text") is not None else "prompt"
    words = _text(row, key, required=True).strip()
    code = _text(row, "code").replace("\r\n", "\n").strip()
    shown, hidden = _strings(row, "test_list"), _strings(row, "challenge_test_list")
    if not shown:
        raise RowError("'test_list' is missing or empty; it has to be a list of assertions")
    setup = "\n".join(part for part in (_text(row, "test_setup_code"), *_strings(row, "test_imports")) if part.strip())
    entry_point = _entry_point(shown, code)
    public, rest = shown[: reader.public_tests], [*shown[reader.public_tests :], *hidden]
    reference = f"{setup}\n{code}" if code and reader.check_solutions else None

    def converted(suite: list[str]) -> Any:
        return convert(suite, entry_point, reference, setup=setup, runner=reader.runner)

    first, others = converted(public), converted(rest)
    problem = _checked("test_list", lambda: replace(first, tests=first.tests + others.tests).problem(
        public=len(first.tests), timeout_s=reader.timeout_s))  # fmt: skip
    if refused := first.refused + others.refused:
        reader.refused[place] = refused
    examples = "\n".join(public)
    question = f"{words}\nThe function is called `{entry_point}`."
    if setup:
        question += f" The code has to begin with:\n\n{setup}\n"
    if public:
        question += f"{'' if setup else ' '}Your code should pass tests such as:\n\n{examples}"
    return Record(
        place=place,
        name=_name(row, "task_id"),
        plain=f'"""\n{question}\n"""\n',
        chat=question,
        what="function",
        problem=problem,
        solution=f"{setup}\n\n{code}".strip() if code else None,
    )


def _apps(row: Mapping[str, Any], place: str, reader: Reader) -> Record:
    found = _unpacked(row, "input_output")
    if not isinstance(found, dict):
        raise RowError("'input_output' has to be a JSON object with 'inputs' and 'outputs'")
    inputs, outputs = found.get("inputs"), found.get("outputs")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs) or not inputs:
        raise RowError("'input_output' has to have two lists of the same length, 'inputs' and 'outputs', not empty")
    function = found.get("fn_name")
    solutions = _unpacked(row, "solutions") if row.get("solutions") else []
    if not isinstance(solutions, list) or not all(isinstance(solution, str) for solution in solutions):
        raise RowError("'solutions' has to be a list of strings")
    starter = _text(row, "starter_code")
    if function is None:
        lines = [(_lines(pair[0]), _lines(pair[1])) for pair in zip(inputs, outputs, strict=True)]
        tests = [_stdio(given, expected, "input_output") for given, expected in lines]
    else:
        for given in inputs:
            if not isinstance(given, list):
                raise RowError("'input_output' has an input that is no list of arguments, though it has 'fn_name'")
        if all(isinstance(output, list) and len(output) == 1 for output in outputs) and not _LISTS.search(starter):
            outputs = [output[0] for output in outputs]  # many rows wrap what is returned in a list
        tests = [{"args": given, "expected": expected} for given, expected in zip(inputs, outputs, strict=True)]
    public = min(reader.public_tests, len(tests))
    return _exercise(row, place, reader, tests, public, function, starter, solutions, "input_output")


def _livecodebench(row: Mapping[str, Any], place: str, reader: Reader) -> Record:
    public, private = _cases(row, "public_test_cases"), _cases(row, "private_test_cases")
    cases = [*public, *private]
    if not cases:
        raise RowError("'public_test_cases' and 'private_test_cases' are both missing or empty")
    kinds = {case["testtype"] for case in cases}
    if len(kinds) != 1:
        raise RowError("'private_test_cases' are of another 'testtype' than 'public_test_cases', or of two")
    field = "public_test_cases" if public else "private_test_cases"
    if kinds == {"stdin"}:
        tests = [_stdio(case["input"], case["output"], field) for case in cases]
        return _exercise(row, place, reader, tests, len(public), None, _text(row, "starter_code"), [], field)
    metadata = _unpacked(row, "metadata") if row.get("metadata") else {}
    function = metadata.get("func_name") if isinstance(metadata, dict) else None
    if not isinstance(function, str):
        raise RowError("'metadata' has to name the function as 'func_name', as the tests are functional")
    tests = []
    for case in cases:
        try:
            # One argument a line, each as JSON; the output is one JSON value.
            args = [json.loads(line) for line in case["input"].split("\n") if line.strip()]
            tests.append({"args": args, "expected": json.loads(case["output"])})
        except ValueError as error:
            raise RowError(f"'{field}' has a functional test that is not JSON ({error})") from error
    return _exercise(row, place, reader, tests, len(public), function, _text(row, "starter_code"), [], field)


def _exercise(
    row: Mapping[str, Any],
    place: str,
    reader: Reader,
    tests: Sequence[Mapping[str, Any]],
    public: int,
    function: object,
    starter: str,
    solutions: Sequence[str],
    field: str,
) -> Record:
    """A record of a problem with inputs and outputs: of a whole program, or of a function or method."""
    key = "question" if row.get("question") is not None else "question_content"
    words = _text(row, key, required=True).strip()
    problem: dict[str, Json] = {
        "tests": [dict(test) for test in tests],
        "public": public,
        "timeout_s": reader.timeout_s,
    }
    if function is None:
        what = "program"
        task = "Read the input from standard input and write the answer to standard output."
    else:
        problem |= {"entry_point": function, "numbers": "value"}  # type: ignore[dict-item]  # checked right below
        what = "class" if "class Solution" in starter else "function"
        task = f"Start from this code:\n\n{starter.rstrip()}" if starter.strip() else f"The function is `{function}`."
    _checked(field, lambda: check_problem(problem))
    question = f"{words}\n\n{task}"
    return Record(
        place=place,
        name=_name(row, "question_id", "problem_id", "id"),
        plain=f'"""\n{question}\n"""\n',
        chat=question,
        what=what,
        problem=problem,
        solution=solution_methods(solutions[0].rstrip()) if solutions else None,
    )


FORMATS: dict[str, Callable[[Mapping[str, Any], str, Reader], Record]] = {
    "mbpp": _mbpp,
    "apps": _apps,
    "livecodebench": _livecodebench,
}


def _entry_point(tests: Sequence[str], code: str) -> str:
    """The function that the assertions call: one that the code defines, or else the only strange name called."""
    called: list[str] = []
    for number, test in enumerate(tests):
        tree = parsed(test)
        if tree is None:
            raise RowError(f"'test_list' has no Python in its item {number}")
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        called += [name.id for name in calls if isinstance(name, ast.Name) and not hasattr(builtins, name.id)]
    module = parsed(code) if code else None
    if code and module is None:
        raise RowError("'code' is not Python")
    if module is not None:
        own = {node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        called = [name for name in called if name in own]
        if not called:
            raise RowError("'code' defines none of the functions that 'test_list' calls")
    if not called:
        raise RowError("'test_list' calls no function")
    return max(dict.fromkeys(called), key=called.count)


def _cases(row: Mapping[str, Any], key: str) -> list[dict[str, str]]:
    """Test cases: a JSON list of objects with input, output and testtype."""
    if not row.get(key):
        return []
    found = _unpacked(row, key)
    if not isinstance(found, list):
        raise RowError(f"'{key}' has to be a list of test cases")
    for number, case in enumerate(found):
        if not isinstance(case, dict) or not all(isinstance(case.get(part), str) for part in ("input", "output")):
            raise RowError(f"'{key}' has to have strings 'input' and 'output' in item {number}")
        if case.setdefault("testtype", "stdin") not in ("stdin", "functional"):
            raise RowError(f"'{key}' has the 'testtype' {str(case['testtype'])[:40]!r} in item {number}; "
                           "allowed are stdin, functional")  # fmt: skip
    return found


def _unpacked(row: Mapping[str, Any], key: str) -> Any:
    """A field that holds JSON, as text or as it is; LiveCodeBench packs long ones: base64 of zlib of a pickled text."""
    value = row.get(key)
    if value is None:
        raise RowError(f"'{key}' is missing")
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        wrong = error
    try:
        packed = zlib.decompressobj()
        data = packed.decompress(base64.b64decode(value, validate=True), _MAX_UNPACKED)
        text = _TextOnly(io.BytesIO(data)).load() if data[:1] == b"\x80" else data.decode("utf-8")
        return json.loads(text)
    except Exception as error:  # whatever a pickle or an archive that is none may raise
        said = str(wrong).splitlines()[0]
        raise RowError(f"'{key}' is neither JSON nor packed JSON ({said})") from error


class _TextOnly(pickle.Unpickler):
    """Reads a pickled text and nothing that would have to be imported: a file is data, never code."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a data set")


def _stdio(given: object, expected: object, field: str) -> dict[str, Json]:
    if not isinstance(given, str) or not isinstance(expected, str):
        raise RowError(f"'{field}' has an input or output of type {type(given).__name__}; both have to be strings")
    return {"stdin": given, "expected_stdout": expected}


def _lines(value: object) -> object:
    """Some rows give standard input as a list of its lines."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(line.rstrip("\n") for line in value) + "\n"
    return value


def _checked(field: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ProblemError as error:
        raise RowError(f"'{field}' makes no problem: {error}") from error


def _text(row: Mapping[str, Any], key: str, *, required: bool = False) -> str:
    value = row.get(key)
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise RowError(f"'{key}' is of type {type(value).__name__}; it has to be a string")
    if required and not value.strip():
        raise RowError(f"'{key}' is missing or empty")
    return value


def _strings(row: Mapping[str, Any], key: str) -> list[str]:
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RowError(f"'{key}' has to be a list of strings")
    return value


def _name(row: Mapping[str, Any], *keys: str) -> str:
    for key in keys:
        if isinstance(row.get(key), str | int):
            return re.sub(r"\s+", "_", str(row[key])) or "?"
    return "?"
