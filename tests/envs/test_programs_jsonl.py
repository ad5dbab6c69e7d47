"""Programming problems from JSON Lines files: the formats, what is refused, and full runs in the real sandbox."""

from __future__ import annotations

import base64
import functools
import json
import os
import pickle
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.envs.base import HELD_OUT, TRAIN, Env, Task
from proofgrad.envs.programs.jsonl import JsonlProgramsEnv
from proofgrad.envs.programs.reading import solution_methods
from proofgrad.envs.splits import split_of
from proofgrad.envs.testing import judge, prompt_text
from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.code.verifier import ProgramVerifier
from proofgrad.verifiers.errors import ConfigError

SAMPLES = Path(__file__).parents[1] / "data" / "programs"


@functools.cache
def runner() -> ProgramVerifier:
    return ProgramVerifier()


def write(path: Path, rows: Iterable[object]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def mbpp(**fields: Any) -> dict[str, Any]:
    return {"text": "Double it.", "test_list": ["assert twice(2) == 4", "assert twice(-1) == -2"], **fields}


def apps(given: Any, expected: Any, **fields: Any) -> dict[str, Any]:
    packed = json.dumps({"inputs": given, "outputs": expected, **fields.pop("more", {})})
    return {"question": "Double it.", "input_output": packed, **fields}


def lcb(public: Any, private: Any = (), **fields: Any) -> dict[str, Any]:
    return {
        "question_content": "Double it.",
        "public_test_cases": json.dumps(public),
        "private_test_cases": json.dumps(private),
        **fields,
    }


def case(given: str, output: str, kind: str = "stdin") -> dict[str, str]:
    return {"input": given, "output": output, "testtype": kind}


def env_of(tmp_path: Path, *rows: object, **options: Any) -> JsonlProgramsEnv:
    return JsonlProgramsEnv(write(tmp_path / "rows.jsonl", rows), **options)


def all_tasks(env: JsonlProgramsEnv) -> dict[str, Task]:
    """The tasks of both splits by the name in their source."""
    tasks = [task for split, size in env.sizes.items() for task in env.tasks(split, size, 0)]
    return {task.source.split()[-1]: task for task in tasks}


def only(env: JsonlProgramsEnv) -> Task:
    (task,) = all_tasks(env).values()
    return task


def outcome(env: JsonlProgramsEnv, task: Task, completion: str) -> Outcome:
    (verdict,) = judge(runner(), [(task, env.extract(completion) or "")])
    return verdict.outcome


ANSWERS = {
    "1": "def rises(xs):\n    return [xs[i] for i in range(1, len(xs)) if xs[i] > xs[i - 1]]",
    "2": "def span(ws, w):\n    if w in ws:\n        return ws.index(w), len(ws) - 1 - ws[::-1].index(w)",
    "3": "def mean_distance(ns, p):\n    total = 0\n"
    "    for n in ns:\n        total += abs(n - p)\n    return total / len(ns)",
    "4": "from collections import Counter\ndef tally(word):\n    return dict(Counter(word.lower()))",
    "5": "def common(xs, ys):\n    return {x for x in xs if x in ys}",
    "101": "import sys\nfor line in sys.stdin.read().split('\\n')[1:]:\n"
    "    if line:\n        print(sum(map(int, line.split())))",
    "102": "def quiet(w):\n    for v in 'aeiou':\n        w = w.replace(v, '')\n    return w",
    "103": "class Solution:\n    def squares(self, xs):\n        return [x ** 2 for x in xs]",
    "sample_a": "print('odd' if int(input()) % 2 else 'even')",
    "9001": "class Solution:\n    def windowSums(self, ns, w):\n"
    "        return [sum(ns[i:i + w]) for i in range(len(ns) - w + 1)]",
}
WRONG = {
    "1": ("xs[i] > xs", "xs[i] >= xs"),
    "2": ("- 1 - ws", "- ws"),
    "3": ("abs(n - p)", "n - p"),
    "4": (".lower()", ""),
    "5": ("if x in ys", "if x not in ys"),
    "101": ("sum(", "max("),
    "102": ("'aeiou'", "'aeio'"),
    "103": ("** 2", "* 2"),
    "sample_a": ("% 2", "% 3"),
    "9001": ("- w + 1", "- w"),
}


@pytest.mark.parametrize("style", ["plain", "chat"])
def test_the_samples_run_from_rows_to_verdicts(style: str) -> None:
    env = JsonlProgramsEnv(SAMPLES, style=style)
    assert isinstance(env, Env)
    assert env.refused == {}
    tasks = all_tasks(env)
    assert tasks.keys() == ANSWERS.keys()
    wrap = "So:\n```python\n{}\n```\nDone.".format if style == "chat" else "{}".format
    right = [(tasks[name], env.extract(wrap(code)) or "") for name, code in ANSWERS.items()]
    for (task, code), verdict in zip(right, judge(runner(), right), strict=True):
        assert verdict.outcome is Outcome.PASS, f"{task.source}\n{code}\n{verdict}"
    wrong = []
    for name, (old, new) in WRONG.items():
        assert old in ANSWERS[name]
        wrong.append((tasks[name], env.extract(wrap(ANSWERS[name].replace(old, new))) or ""))
    for (task, code), verdict in zip(wrong, judge(runner(), wrong), strict=True):
        assert verdict.outcome is Outcome.FAIL, f"{task.source}\n{code}\n{verdict}"


@pytest.mark.parametrize("style", ["plain", "chat"])
def test_demonstrations_are_training_rows_with_a_solution_and_pass(style: str) -> None:
    env = JsonlProgramsEnv(SAMPLES, style=style)
    shown = list(env.demonstrations(6, 0))
    assert {task.split for task, _ in shown} == {TRAIN}
    verdicts = judge(runner(), [(task, env.extract(gold) or "") for task, gold in shown])
    assert {verdict.outcome for verdict in verdicts} == {Outcome.PASS}
    with pytest.raises(ConfigError, match="with a solution and 9 were asked for"):
        env.demonstrations(9, 0)


def test_tasks_name_where_they_stand_and_come_in_the_order_of_the_seed() -> None:
    env = JsonlProgramsEnv(SAMPLES)
    assert env.sizes[TRAIN] + env.sizes[HELD_OUT] == len(ANSWERS)
    tasks = all_tasks(env)
    assert tasks["2"].source == "programs_jsonl@mbpp.jsonl:2 2"
    assert (tasks["2"].split, tasks["1"].split, tasks["102"].split) == (HELD_OUT, TRAIN, HELD_OUT)
    first = [task.id for task in env.tasks(TRAIN, 5, 3)]
    assert first == [task.id for task in env.tasks(TRAIN, 5, 3)]
    assert len(set(first)) == 5
    assert {task.verifier for task in tasks.values()} == {"program"}
    assert all(json.loads(json.dumps(task.problem)) == task.problem for task in tasks.values())


def test_prompts_show_public_tests_at_most() -> None:
    for style in ("plain", "chat"):
        tasks = all_tasks(JsonlProgramsEnv(SAMPLES, style=style))
        text = prompt_text(tasks["1"])
        assert "assert rises([1, 3, 2, 5]) == [3, 5]" in text
        assert "[-2, -1]" not in text
        assert "[9, 1, 2, 3]" not in text
        assert "windowSums" in prompt_text(tasks["9001"])
        assert "standard input" in prompt_text(tasks["sample_a"])
        assert ("```python block" in text) == (style == "chat")


@pytest.mark.parametrize(("given", "public"), [(0, 0), (1, 1), (2, 2), (99, 3)])
def test_public_and_hidden_tests_are_told_apart(given: int, public: int, tmp_path: Path) -> None:
    row = mbpp(test_list=["assert twice(2) == 4", "assert twice(5) == 10", "assert twice(0) == 0"],
               challenge_test_list=["assert twice(-1) == -2"])  # fmt: skip
    task = only(env_of(tmp_path, row, public_tests=given))
    assert task.problem["public"] == public
    tests = task.problem["tests"]
    assert isinstance(tests, list)
    assert [test["args"] for test in tests] == [[2], [5], [0], [-1]]
    assert [f"twice({n})" in prompt_text(task) for n in (2, 5, 0, -1)] == [i < public for i in range(4)]


def test_a_failed_hidden_test_shows_nothing_of_it(tmp_path: Path) -> None:
    env = env_of(tmp_path, mbpp(test_list=["assert twice(2) == 4", "assert twice(77123) == 154246"]))
    (verdict,) = judge(runner(), [(only(env), "def twice(x):\n    return 4")])
    assert verdict.outcome is Outcome.FAIL
    assert "154246" not in env.feedback(verdict)
    assert "77123" not in env.feedback(verdict)
    (verdict,) = judge(runner(), [(only(env), "def twice(x):\n    return 5")])
    assert "twice(2) should return 4" in env.feedback(verdict)


def test_the_public_cases_of_livecodebench_are_the_public_tests(tmp_path: Path) -> None:
    env = env_of(tmp_path, lcb([case("1\n", "2\n")], [case("5\n", "10\n"), case("0\n", "0\n")]), public_tests=9)
    assert only(env).problem["public"] == 1
    assert outcome(env, only(env), "print(2 * int(input()))") is Outcome.PASS
    assert outcome(env, only(env), "print(2)") is Outcome.FAIL


def test_packed_cases_are_read_as_text_and_never_executed(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    def packed(value: object) -> str:
        return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()

    hidden = json.dumps([case("5\n", "10\n")])
    row = lcb([case("1\n", "2\n")]) | {"private_test_cases": packed(hidden)}
    assert len(only(env_of(tmp_path, row)).problem["tests"]) == 2  # type: ignore[arg-type]
    for trap in (packed(Trap()), packed([Trap(), hidden]), packed(3), "AAAA", base64.b64encode(b"\x80").decode()):
        with pytest.raises(ConfigError, match=r"rows\.jsonl:1: 'private_test_cases' is neither JSON nor packed JSON"):
            env_of(tmp_path, row | {"private_test_cases": trap})
    assert not (tmp_path / "sprung").exists()


def test_a_class_solution_will_do_for_a_function_and_keeps_its_line_numbers(tmp_path: Path) -> None:
    starter = "class Solution:\n    def twice(self, x: int) -> int:\n        "
    row = apps([[2], [-1]], [4, -2], more={"fn_name": "twice"}, starter_code=starter)
    env = env_of(tmp_path, row)
    head = "class Solution:\n    count = 0\n"
    method = f"{head}    def twice(self, x):\n        self.count += x\n        return 2 * self.count"
    assert outcome(env, only(env), method) is Outcome.PASS  # a fresh instance for each call
    assert outcome(env, only(env), "def twice(x):\n    return x + x") is Outcome.PASS
    assert outcome(env, only(env), method.replace("2 *", "3 *")) is Outcome.FAIL
    assert solution_methods(method).startswith(method)


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_reading_an_answer_never_fails_and_never_loses_a_line(text: str) -> None:
    assert solution_methods(text).startswith(text)


def test_outputs_that_are_wrapped_in_a_list_are_unwrapped_unless_lists_are_returned(tmp_path: Path) -> None:
    more = {"fn_name": "f"}
    wrapped = only(env_of(tmp_path, apps([[1], [2]], [[2], [4]], more=more))).problem["tests"]
    assert [test["expected"] for test in wrapped] == [2, 4]  # type: ignore[union-attr, index, call-overload]
    starter = "class Solution:\n    def f(self, x: int) -> List[int]:\n"
    listed = only(env_of(tmp_path, apps([[1], [2]], [[2], [4]], more=more, starter_code=starter))).problem["tests"]
    assert [test["expected"] for test in listed] == [[2], [4]]  # type: ignore[union-attr, index, call-overload]


def test_input_as_a_list_of_lines_is_standard_input(tmp_path: Path) -> None:
    env = env_of(tmp_path, apps([["2", "3\n"]], [["4", "6"]]))
    (test,) = only(env).problem["tests"]  # type: ignore[misc, union-attr]
    assert test == {"stdin": "2\n3\n", "expected_stdout": "4\n6\n"}


def test_what_a_row_has_to_begin_with_is_shown_and_is_part_of_its_solution(tmp_path: Path) -> None:
    setup = "class Pair:\n    def __init__(self, a, b):\n        self.a, self.b = a, b"
    code = "def twice(x):\n    return Pair(x, x).a + x"
    env = env_of(tmp_path, mbpp(code=code, test_setup_code=setup, split="train"))
    ((task, gold),) = env.demonstrations(1, 0)
    assert setup in prompt_text(task)
    assert outcome(env, task, gold) is Outcome.PASS


def test_assertions_that_cannot_be_tests_are_reported_with_reasons(tmp_path: Path) -> None:
    row = mbpp(test_list=["assert twice(2) == 4", "assert twice(3) != 5", "assert twice(0) == 1"],
               code="def twice(x):\n    return 2 * x")  # fmt: skip
    env = env_of(tmp_path, row)
    ((place, refused),) = env.refused.items()
    assert place == "rows.jsonl:1"
    assert [entry.text for entry in refused] == ["assert twice(3) != 5", "assert twice(0) == 1"]
    assert all(entry.reason for entry in refused)
    assert len(only(env).problem["tests"]) == 1  # type: ignore[arg-type]
    unchecked = env_of(tmp_path, row, check_solutions=False)
    assert len(only(unchecked).problem["tests"]) == 2  # type: ignore[arg-type]


def test_the_function_is_the_one_that_the_code_defines(tmp_path: Path) -> None:
    tests = ["assert sorted(near(add(1, 2))) == 3", "assert twice(add(1, 1)) == 4", "assert twice(0) == 0"]
    setup = "def add(a, b):\n    return a + b"
    env = env_of(tmp_path, mbpp(test_list=tests, code="def twice(x):\n    return 2 * x", test_setup_code=setup))
    assert only(env).problem["entry_point"] == "twice"
    assert [test["args"] for test in only(env).problem["tests"]] == [[2], [0]]  # type: ignore[union-attr, index, call-overload]


def test_rows_without_a_split_belong_where_the_hash_of_their_words_says(tmp_path: Path) -> None:
    rows = [mbpp(text=f"Double it, for the time number {i}.") for i in range(40)]
    env = env_of(tmp_path, *rows, check_solutions=False)
    assert env.sizes[TRAIN] + env.sizes[HELD_OUT] == 40
    assert 2 <= env.sizes[HELD_OUT] <= 16
    for split in (TRAIN, HELD_OUT):
        for task in env.tasks(split, env.sizes[split], 0):
            assert split_of(re.sub(r"\s+", " ", prompt_text(task)).strip()) == split == task.split


def test_the_same_words_twice_are_one_task_held_out_if_either_is(tmp_path: Path) -> None:
    rows = [mbpp(split="train", code="def twice(x):\n    return 2 * x"), mbpp(text="Double  it.", split="test")]
    env = env_of(tmp_path, *rows)
    assert env.sizes == {TRAIN: 0, HELD_OUT: 1}


CASES: dict[str, tuple[object, str]] = {
    "no object": ([1], "the row is no JSON object"),
    "no tests": ({"text": "Double it."}, "no field says what the tests are"),
    "no words": (mbpp(text=" "), "'text' is missing or empty"),
    "words of another type": (mbpp(text=3), "'text' is of type int"),
    "empty tests": (mbpp(test_list=[]), "'test_list' is missing or empty"),
    "tests as text": (mbpp(test_list="assert twice(2) == 4"), "'test_list' has to be a list of strings"),
    "tests that are no Python": (mbpp(test_list=["assert twice(2) == "]), "'test_list' has no Python in its item 0"),
    "no call": (mbpp(test_list=["assert 1 == 1"]), "'test_list' calls no function"),
    "no claim": (mbpp(test_list=["assert twice(1) != 3"]), "'test_list' makes no problem"),
    "code that is no Python": (mbpp(code="def twice(x"), "'code' is not Python"),
    "code of another function": (mbpp(code="def thrice(x): return x"), "'code' defines none of the functions"),
    "split": (mbpp(split="exam"), "'split' is 'exam'"),
    "no pairs": (apps(["1"], []), "'input_output' has to have two lists of the same length"),
    "broken JSON": ({"question": "Q", "input_output": "{"}, "'input_output' is neither JSON nor packed JSON"),
    "inputs of a type": (apps([1], ["2"]), "'input_output' has an input or output of type int"),
    "no output at all": (apps(["1"], [" \n"]), "'input_output' makes no problem: program problem: tests"),
    "no argument list": (apps([1], [2], more={"fn_name": "f"}), "'input_output' has an input that is no list"),
    "function's name": (apps([[1]], [2], more={"fn_name": "f g"}), "'input_output' makes no problem: .*entry_point"),
    "solutions": (apps(["1"], ["2"], solutions="[3]"), "'solutions' has to be a list of strings"),
    "no cases": (lcb([]), "'public_test_cases' and 'private_test_cases' are both missing or empty"),
    "case without output": (lcb([{"input": "1"}]), "'public_test_cases' has to have strings .* in item 0"),
    "kind of case": (lcb([case("1", "2", "oral")]), "'public_test_cases' has the 'testtype' 'oral' in item 0"),
    "two kinds": (lcb([case("1", "2")], [case("1", "2", "functional")]), "'private_test_cases' are of another"),
    "no function": (lcb([case("1", "2", "functional")]), "'metadata' has to name the function"),
    "no JSON argument": (
        lcb([case("x", "2", "functional")], metadata='{"func_name": "f"}'),
        "'public_test_cases' has a functional test that is not JSON",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_malformed_row_is_one_line_with_file_line_and_field(name: str, tmp_path: Path) -> None:
    row, said = CASES[name]
    with pytest.raises(ConfigError, match=rf"rows\.jsonl:2: {said}") as caught:
        env_of(tmp_path, mbpp(text="Another one."), row)
    assert "\n" not in str(caught.value)


def test_lines_that_are_no_json_and_files_that_are_no_text_are_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(mbpp()) + "\n\n{oops\n", "utf-8")
    with pytest.raises(ConfigError, match=r"rows\.jsonl:3: the row is not JSON"):
        JsonlProgramsEnv(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"rows\.jsonl: the file is not UTF-8"):
        JsonlProgramsEnv(file)
    file.write_text("\n", "utf-8")
    with pytest.raises(ConfigError, match="no row to read"):
        JsonlProgramsEnv(file)
    with pytest.raises(ConfigError, match="there is no file"):
        JsonlProgramsEnv(tmp_path / "nowhere.jsonl")


def test_two_problems_under_one_name_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rows\.jsonl:2: the name '7' belongs to another problem in rows\.jsonl:1"):
        env_of(tmp_path, mbpp(task_id=7), mbpp(task_id=7, text="Halve it."))


def test_wrong_options_are_configuration_errors(tmp_path: Path) -> None:
    wrong: list[dict[str, Any]] = [
        {"style": "prose"}, {"format": "codecontests"}, {"public_tests": -1}, {"public_tests": True},
    ]  # fmt: skip
    for options in wrong:
        with pytest.raises(ConfigError, match=re.escape(str(next(iter(options.values()))))):
            env_of(tmp_path, mbpp(), **options)
    env = env_of(tmp_path, mbpp())
    with pytest.raises(ConfigError, match="'test'"):
        env.tasks("test", 1, 0)
    with pytest.raises(ConfigError, match="ask for fewer"):
        env.tasks(TRAIN, 5, 0)


def test_a_format_can_be_given_where_fields_mislead(tmp_path: Path) -> None:
    row = apps(["2\n"], ["4\n"], test_list=None)
    with pytest.raises(ConfigError, match="'prompt' is missing"):
        env_of(tmp_path, row)
    env = env_of(tmp_path, row, format="apps")
    assert outcome(env, only(env), "print(2 * int(input()))") is Outcome.PASS
