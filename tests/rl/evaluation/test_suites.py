"""Suites: what is shipped can be asked, and whatever is wrong with one of your own is one line."""

import json
from pathlib import Path

import pytest

from proofgrad import envs
from proofgrad.envs.base import HELD_OUT
from proofgrad.rl.config import EnvConfig
from proofgrad.rl.evaluation.suites import Suite, find_suite, load_suite, styled, tasks_in
from proofgrad.verifiers.errors import ConfigError

SHIPPED = sorted((Path(__file__).parents[3] / "configs" / "suites").glob("*.yaml"))
GOOD = "name: mine\nenvs: [{name: propositional}]\n"


def written(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_suites_are_those_that_the_help_names():
    assert [path.stem for path in SHIPPED] == ["maths", "mixed", "programs", "quick", "theorems"]


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow if path.stem == "mixed" else (), id=path.stem) for path in SHIPPED],
)
def test_a_shipped_suite_can_be_asked(path):
    suite = load_suite(path)
    assert suite.name == path.stem
    assert suite.description
    assert f"--tasks {suite.name}" in path.read_text(encoding="utf-8").splitlines()[0]
    for asked in suite.envs:
        env = envs.get(asked.name, **asked.options)
        n = tasks_in(env, asked.limit)
        assert n >= 80  # an interval over fewer problems says little
        some = list(env.tasks(HELD_OUT, 4, 20_000))
        assert {task.split for task in some} == {HELD_OUT}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "samlpes: 2\n", "unknown key 'samlpes'; did you mean 'samples'?"),
        (
            GOOD.replace("propositional", "propositoinal"),
            "envs.0.name: there is no environment named 'propositoinal'; did",
        ),
        (GOOD.replace("propositional}", "propositional, limit: 1}"), "envs.0.limit: input should be greater than"),
        (
            GOOD.replace("propositional}", "propositional, opts: {}}"),
            "unknown key 'envs.0.opts'; did you mean 'options'?",
        ),
        (GOOD.replace("}]", "}, {name: propositional}]"), "envs: the environment 'propositional' stands twice"),
        ("name: mine\n", "'envs' is missing"),
        ("name: mine\nenvs: []\n", "envs: list should have at least 1 item"),
        (GOOD.replace("mine", "a/b"), "name: string should match pattern"),
        (GOOD + "samples: 2\ntemperature: 0\n", "temperature 0 always gives the same completion"),
        (GOOD + "verification: {optoins: {}}\n", "unknown key 'verification.optoins'; did you mean 'options'?"),
        ("name: [x\n", "is not valid YAML at line"),
        ("- x\n", "must hold a mapping"),
    ],
)
def test_a_malformed_suite_is_one_line_with_file_and_field(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_suite(path)
    said = str(caught.value)
    assert message in said
    assert str(path) in said
    assert "\n" not in said


def test_a_suite_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read the suite '.*nowhere.yaml': No such file"):
        load_suite(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("given", ["rows.jsonl", ["rows.jsonl"]])
def test_files_of_tasks_are_found_beside_the_suite_whatever_the_working_directory(tmp_path, monkeypatch, given):
    rows = [
        {"name": f"t{n}", "formal_statement": f"theorem t{n} (p : Prop) (h : p) : p {'∨ p ' * n}:= by", "split": "test"}
        for n in range(3)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    path = written(tmp_path, f"name: mine\nenvs: [{{name: theorems_jsonl, options: {{path: {json.dumps(given)}}}}}]\n")
    monkeypatch.chdir("/")
    (asked,) = load_suite(path).envs
    env = envs.get(asked.name, **asked.options)
    assert tasks_in(env, None) == 3
    assert tasks_in(env, 2) == 2
    assert len(list(env.tasks(HELD_OUT, 3, 0))) == 3


def test_a_malformed_row_of_a_suites_file_is_one_line_with_file_line_and_field(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"name": "t"}\n', encoding="utf-8")
    path = written(tmp_path, "name: mine\nenvs: [{name: theorems_jsonl, options: {path: rows.jsonl}}]\n")
    (asked,) = load_suite(path).envs
    with pytest.raises(ConfigError, match=r"rows.jsonl:1: 'formal_statement' is missing"):
        envs.get(asked.name, **asked.options)


def test_environments_that_make_tasks_are_asked_200_and_fixed_ones_all_they_have():
    assert tasks_in(envs.get("propositional"), None) == 200
    assert tasks_in(envs.get("human_eval"), None) == envs.get("human_eval").sizes[HELD_OUT] > 100
    assert tasks_in(envs.get("human_eval"), 10_000) == tasks_in(envs.get("human_eval"), None)


def test_a_style_is_given_where_none_is_named():
    assert styled(EnvConfig(name="propositional"), "chat").options == {"style": "chat"}
    assert styled(EnvConfig(name="propositional", options={"style": "plain"}), "chat").options == {"style": "plain"}


def test_a_path_is_a_file_and_a_word_is_a_shipped_suite():
    assert find_suite("some/where.yaml") == Path("some/where.yaml")
    assert find_suite("no-such-suite") is None


def test_a_suite_has_the_defaults_of_training():
    suite = Suite(name="x", envs=[{"name": "propositional"}])
    assert (suite.samples, suite.temperature, suite.max_tokens) == (4, 1.0, None)
