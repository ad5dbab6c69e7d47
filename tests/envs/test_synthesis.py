"""The environment of small programs keeps the contract, judged by the real sandboxed runner."""

from __future__ import annotations

import ast
import copy
import functools
import json
import random
from itertools import islice
from typing import Any

import pytest

from proofgrad.envs.base import HELD_OUT, TRAIN, Env, Task
from proofgrad.envs.programs.generate import (
    behaviour,
    canonical,
    capacity,
    gold_code,
    make_tests,
    programs,
)
from proofgrad.envs.programs.operations import OPERATIONS, Operation, Step, run_chain
from proofgrad.envs.programs.synthesis import SynthesisEnv
from proofgrad.envs.testing import EnvContract, corrupt_program, prompt_text
from proofgrad.verifiers.base import Verifier
from proofgrad.verifiers.code.verifier import ProgramVerifier


@functools.cache
def runner() -> ProgramVerifier:
    return ProgramVerifier()


def run(code: str, value: Any) -> Any:
    names: dict[str, Any] = {}
    exec(code, names)
    return names["f"](copy.deepcopy(value))


INPUTS: dict[str, list[Any]] = {
    "list": [[], [4], [3, 1, 2, 2, -5], [0, 0, 7, 12, -3, 5, 20, 9], [9, 8, 7, 6, 5, 4]],
    "int": [0, 1, -1, 7, 10, -36, 121, 990],
    "str": ["", "a", "Anna b2b", "level 9lives  x", "ICE aeiou tree"],
}


class TestSynthesis(EnvContract):
    def make_env(self, **options: Any) -> Env:
        return SynthesisEnv(**options)

    def make_verifier(self) -> Verifier:
        return runner()

    def corrupt(self, task: Task, completion: str, rng: random.Random) -> str:
        return corrupt_program(task, completion, rng)

    def test_prompts_hold_no_test_and_no_expected_value(self) -> None:
        for task in self.make_env().tasks(TRAIN, self.sample_size, 0):
            tests = task.problem["tests"]
            assert isinstance(tests, list)
            for test in tests:
                for value in (test["expected"], *test["args"]):
                    if isinstance(value, list | str) and len(value) > 2:
                        assert json.dumps(value) not in prompt_text(task)
            without_tests = prompt_text(task).split(". ", 1)[0]
            assert without_tests in {"# xs: list of int", "# n: int", "# s: str"}

    def test_a_prompt_depends_on_the_chain_alone(self) -> None:
        first = {task.id: task.prompt for task in SynthesisEnv(max_level=1).tasks(TRAIN, 200, 0)}
        again = {task.id: task.prompt for task in SynthesisEnv(max_level=1).tasks(TRAIN, 200, 1)}
        shared = first.keys() & again.keys()
        assert shared
        assert all(first[key] == again[key] for key in shared)

    def test_expected_values_stay_small(self) -> None:
        for task in self.make_env().tasks(TRAIN, 200, 0):
            assert all(abs(number) < 10**9 for number in _numbers(task.problem["tests"]))

    def test_a_program_that_ignores_its_input_never_passes(self) -> None:
        for task in self.make_env().tasks(TRAIN, 200, 0):
            tests = task.problem["tests"]
            assert isinstance(tests, list)
            assert 8 <= len(tests) <= 12
            assert len({json.dumps(test["expected"]) for test in tests}) > 1


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.key)
def test_the_code_of_an_operation_does_what_its_reference_does(operation: Operation) -> None:
    for constant in operation.constants:
        code = gold_code((Step(operation, constant),))
        for value in INPUTS[operation.source]:
            before = copy.deepcopy(value)
            expected = run_chain((Step(operation, constant),), value)
            result = run(code, value)
            assert (type(result), result) == (type(expected), expected)
            assert value == before


def test_keys_are_distinct_and_phrases_name_their_constant() -> None:
    assert len({operation.key for operation in OPERATIONS}) == len(OPERATIONS) >= 30
    for operation in OPERATIONS:
        has_constant = operation.constants != (0,)
        assert ("{k}" in operation.phrase) == ("{k}" in operation.code) == has_constant


def test_no_two_operations_say_the_same_about_one_type() -> None:
    said = [(operation.source, operation.phrase) for operation in OPERATIONS]
    assert len(set(said)) == len(said)


def test_gold_code_is_as_long_as_the_chain() -> None:
    for program in islice(programs(4, TRAIN, 0), 20):
        steps = program.steps
        (function,) = ast.parse(gold_code(steps)).body
        assert isinstance(function, ast.FunctionDef)
        assert len(function.body) == len(steps) == canonical(steps).count("|")


def test_leaving_out_a_step_or_moving_a_constant_fails_some_test() -> None:
    for program in islice(programs(3, TRAIN, 0), 40):
        for i, step in enumerate(program.steps):
            wrong = (
                [(*program.steps[:i], *program.steps[i + 1 :])]
                if step.operation.source == step.operation.target
                else []
            )
            if step.operation.constants != (0,):
                wrong.append((*program.steps[:i], Step(step.operation, step.constant + 1), *program.steps[i + 1 :]))
            for steps in wrong:
                assert any(run_chain(steps, value) != expected for value, expected in program.tests)


def test_a_chain_in_which_a_step_does_nothing_is_no_task() -> None:
    by_key = {operation.key: operation for operation in OPERATIONS}
    assert make_tests((Step(by_key["sort"]), Step(by_key["sum"]))) is None
    assert make_tests((Step(by_key["abs"]), Step(by_key["sum"]))) is not None


def test_steps_that_commute_leave_a_program_in_its_split() -> None:
    by_key = {operation.key: operation for operation in OPERATIONS}
    tail = (Step(by_key["sum"]),)
    plus, minus = Step(by_key["plus"], 3), Step(by_key["minus"], 1)
    assert behaviour((plus, minus)) == behaviour((minus, plus)) == behaviour((Step(by_key["plus"], 2),))
    assert behaviour((Step(by_key["sort"]), *tail)) == behaviour(tail)
    assert behaviour((plus, Step(by_key["square"]))) != behaviour((Step(by_key["square"]), plus))


def test_no_held_out_program_behaves_like_a_training_program_in_another_wording() -> None:
    behaves = {
        split: {behaviour(p.steps) for level in (1, 2, 3) for p in islice(programs(level, split, 0), n)}
        for split, n in ((TRAIN, 400), (HELD_OUT, 100))
    }
    assert not behaves[TRAIN] & behaves[HELD_OUT]
    env = SynthesisEnv(max_level=2)
    assert all(task.split == HELD_OUT for task in env.tasks(HELD_OUT, 50, 0))


@pytest.mark.parametrize("level", range(2, 6))
def test_levels_above_the_first_have_twenty_thousand_programs(level: int) -> None:
    assert capacity(level, TRAIN) + capacity(level, HELD_OUT) >= 20_000


def _numbers(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [n for part in value.values() for n in _numbers(part)]
    if isinstance(value, list):
        return [n for part in value for n in _numbers(part)]
    return [value] if isinstance(value, int) else []
