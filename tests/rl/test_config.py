"""Configuration: every mistake is one line that names the key and the way out."""

from pathlib import Path

import pytest

from proofgrad.rl.config import load_config
from proofgrad.verifiers.errors import ConfigError

GOOD = "name: x\npolicy: {scratch: {}}\nenvs: [{name: propositional}]\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_fill_what_a_recipe_leaves_out(tmp_path):
    config = load_config(write(tmp_path, GOOD))
    assert config.grpo.group_size == 16
    assert config.run_dir == Path("runs/x")


def test_a_resolved_configuration_reads_back_as_itself(tmp_path):
    config = load_config(write(tmp_path, GOOD), ["grpo.steps=7", "evaluation.tasks=30"])
    assert load_config(write(tmp_path, config.to_yaml())) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "grpo: {setps: 3}\n", "unknown key 'grpo.setps'; did you mean 'steps'?"),
        (GOOD + "evals: {}\n", "unknown key 'evals'; did you mean 'envs'?"),
        (GOOD + "zzz: 1\n", "unknown key 'zzz'; valid keys: envs, evaluation"),
        (GOOD + "grpo: {steps: -3}\n", "grpo.steps: input should be greater than or equal to 0, got -3"),
        (GOOD + "grpo: {minibatches: 3}\n", "minibatches (3) must divide"),
        (GOOD + "evaluation: {temperature: 0}\n", "set samples to 1"),
        ("name: x\npolicy: {}\nenvs: [{name: a}]\n", "policy: give exactly one of 'path' and 'scratch'"),
        ("name: x\npolicy: {scratch: {}}\nenvs: [{name: a}, {name: a}]\n", "each environment may stand once"),
        ("policy: {scratch: {}}\nenvs: [{name: a}]\n", "'name' is missing"),
        ("name: x\npolicy: {scratch: {}}\nenvs: [{name: a, wieght: 2}]\n", "'envs.0.wieght'; did you mean 'weight'?"),
        ("name: [x\n", "is not valid YAML at line"),
        ("- 1\n", "must hold a mapping"),
        ("", "must hold a mapping"),
    ],
)
def test_a_mistake_is_explained_in_one_line(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read the configuration '.*nowhere.yaml': No such file"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_file_that_is_not_text_is_named(tmp_path):
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(path)


@pytest.mark.parametrize(
    ("override", "message"),
    [("grpo.steps", "is no override"), ("name.first=1", "holds a value, not a section"), ("name=[", "not valid YAML")],
)
def test_a_wrong_override_is_explained(tmp_path, override, message):
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path, GOOD), [override])
