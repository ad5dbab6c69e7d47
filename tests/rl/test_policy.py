"""Policies from scratch and from disk."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.rl.config import PolicyConfig
from proofgrad.rl.policy import load_policy, make_tokenizer, prompt_ids, save_policy
from proofgrad.verifiers.errors import ConfigError

TOKENIZER = make_tokenizer(["by\n  intro h1 h2\n  exact h1", "x intro h1\ndef f(xs):\n    return sum(xs)"] * 50, 400)


@given(st.text())
def test_every_text_survives_the_tokenizer(text):
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"]) == text


def test_a_word_of_the_demonstrations_is_one_token():
    assert len(TOKENIZER(" intro h1")["input_ids"]) == 2


def test_prompt_and_completion_tokenize_as_they_do_together(both_envs):
    for env in both_envs.values():
        for task, completion in env.demonstrations(20, 1):
            apart = prompt_ids(TOKENIZER, task.prompt) + TOKENIZER(completion)["input_ids"]
            assert TOKENIZER(task.prompt + completion)["input_ids"] == apart


def test_a_saved_policy_loads_as_it_was(tiny_policy, tmp_path):
    save_policy(tiny_policy, tmp_path)
    loaded = load_policy(PolicyConfig(path=str(tmp_path)))
    ids = torch.tensor([loaded.tokenizer("theorem (p : Prop)")["input_ids"]])
    with torch.no_grad():
        assert torch.equal(loaded.model(ids).logits, tiny_policy.model(ids).logits)
    assert loaded.tokenizer.eos_token == tiny_policy.tokenizer.eos_token


def test_a_directory_without_a_model_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no model in .*no config.json"):
        load_policy(PolicyConfig(path=str(tmp_path)))


def test_a_missing_directory_is_named():
    with pytest.raises(ConfigError, match=r"there is no model in '\./nowhere'"):
        load_policy(PolicyConfig(path="./nowhere"))


def test_a_broken_model_directory_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot load") as caught:
        load_policy(PolicyConfig(path=str(tmp_path)))
    assert "\n" not in str(caught.value)
