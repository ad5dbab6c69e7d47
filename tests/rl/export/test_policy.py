"""proofgrad export: the very policy, whole or not at all, and never in place of what somebody needs."""

import ast
import json
import os
import re
import runpy
import shutil
import subprocess
import sys

import pytest
import typer
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from proofgrad.rl.commands.export import export_command
from proofgrad.rl.export.policy import export_run
from proofgrad.verifiers.errors import ConfigError

PROMPT = "theorem (p q : Prop) : p → q → p :=\n"


def names(directory):
    return {path.name for path in directory.iterdir()}


def logits(directory):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ids = AutoTokenizer.from_pretrained(directory)(PROMPT, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(directory)(ids).logits


def snippets(directory):
    return re.findall(r"```python\n(.*?)\n```", (directory / "README.md").read_text("utf-8"), re.S)


def test_the_exported_policy_gives_the_very_logits_of_the_run(recorded_run, tmp_path):
    import torch

    export_run(recorded_run, tmp_path / "out")
    assert torch.equal(logits(tmp_path / "out"), logits(recorded_run / "policy"))


def test_an_export_holds_the_policy_the_records_and_the_card_and_nothing_else(recorded_run, tmp_path):
    export_run(recorded_run, tmp_path / "deep" / "out")
    policy = names(recorded_run / "policy")
    assert names(tmp_path / "deep" / "out") == policy | {"README.md", "config.yaml", "manifest.json"}
    assert {"model.safetensors", "config.json", "generation_config.json", "tokenizer.json"} <= policy
    assert (tmp_path / "deep" / "out" / "config.yaml").read_bytes() == (recorded_run / "config.yaml").read_bytes()
    assert names(tmp_path / "deep") == {"out"}


def test_the_copied_configuration_is_one_that_train_takes(recorded_run, tmp_path):
    from proofgrad.rl.config import load_config

    export_run(recorded_run, tmp_path / "out")
    assert load_config(tmp_path / "out" / "config.yaml") == load_config(recorded_run / "config.yaml")


def test_a_checkpoint_is_exported_without_the_trainers_files_and_says_what_it_is(small_run, tmp_path):
    weights = small_run / "checkpoints" / "checkpoint-4" / "model.safetensors"
    changed = {name: tensor + 1 for name, tensor in load_file(weights).items()}
    save_file(changed, weights, {"format": "pt"})
    facts = export_run(small_run, tmp_path / "out", checkpoint=4)
    assert all(
        tensor.equal(changed[name]) for name, tensor in load_file(tmp_path / "out" / "model.safetensors").items()
    )
    assert not [name for name in names(tmp_path / "out") if name.endswith((".pt", ".pth", ".bin"))]
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "after 4 of 6 updates" in card
    assert "**These weights were not evaluated.**" in card
    assert "model-index" not in card
    assert sum(one.completions for one in facts.asked) == 32  # of the two steps before it


def test_a_checkpoint_of_an_unfinished_run_can_be_exported(small_run, tmp_path):
    shutil.rmtree(small_run / "policy")
    export_run(small_run, tmp_path / "out", checkpoint=2)
    assert "was not finished when this was exported" in (tmp_path / "out" / "README.md").read_text("utf-8")


def refused(run, target, match, **options):
    before = sorted(path for path in target.parent.rglob("*"))
    with pytest.raises(ConfigError, match=match) as error:
        export_run(run, target, **options)
    assert "\n" not in str(error.value)
    assert sorted(path for path in target.parent.rglob("*")) == before


def test_an_unfinished_run_is_refused(small_run, tmp_path):
    shutil.rmtree(small_run / "policy")
    refused(small_run, tmp_path / "out", r"is not finished: go on with proofgrad train --resume")


def test_no_run_no_such_checkpoint_no_weights(small_run, tmp_path):
    refused(tmp_path / "nothing", tmp_path / "out", "there is no run in")
    refused(small_run, tmp_path / "out", r"no complete checkpoint 3; there are: 2, 4, 6", checkpoint=3)
    (small_run / "policy" / "model.safetensors").unlink()
    refused(small_run, tmp_path / "out", "there are no weights")


@pytest.mark.parametrize("license_", ["apache2", "nonsense", "", "MIT AND", "Apache-2.0; rm -rf /"])
def test_a_licence_that_is_none_is_refused(recorded_run, tmp_path, license_):
    refused(recorded_run, tmp_path / "out", "is no SPDX licence expression", license=license_)


@pytest.mark.parametrize("name", ["a b", "x/y/z", "../up", "-x", "a" * 97, "évidence", "n\n# Owned"])
def test_a_name_that_the_hub_would_not_take_is_refused(recorded_run, tmp_path, name):
    refused(recorded_run, tmp_path / "out", "is no name for a model", name=name)


def test_a_directory_with_something_in_it_is_replaced_only_by_force(recorded_run, tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    export_run(recorded_run, target)  # an empty one is free
    (target / "old").write_text("x", "utf-8")
    refused(recorded_run, target, "is not empty")
    assert "old" in names(target)
    export_run(recorded_run, target, force=True)
    assert "old" not in names(target)
    assert names(tmp_path) == {"out"}


def test_no_force_replaces_the_run_a_file_a_repository_or_the_ground_under_ones_feet(small_run, tmp_path, monkeypatch):
    refused(small_run, small_run, "a part of the run", force=True)
    refused(small_run, small_run.parent, "a part of the run", force=True)
    refused(small_run, small_run / "policy", "a part of the run", force=True)
    refused(small_run, small_run / "new", "a part of the run", force=True)
    (tmp_path / "file").write_text("x", "utf-8")
    refused(small_run, tmp_path / "file", "is a file", force=True)
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    refused(small_run, tmp_path / "repository", "is a git repository", force=True)
    (tmp_path / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "below")
    refused(small_run, tmp_path / "here", "the directory that you are in", force=True)
    (tmp_path / "homes" / "me").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "homes" / "me"))
    refused(small_run, tmp_path / "homes", "holds your home directory", force=True)
    refused(small_run, tmp_path / "homes" / "me", "holds your home directory", force=True)


@pytest.mark.parametrize(
    "card", [None, "# A model", "---\ntags: [x]\n---\n", "---\ntags: proofgrad\n---\n", "---\n[\n---\n"]
)
def test_no_force_replaces_a_directory_that_no_export_wrote(recorded_run, tmp_path, card):
    target = tmp_path / "out"
    target.mkdir()
    (target / "thesis.txt").write_text("x", "utf-8")
    (target / "config.json").write_text("{}", "utf-8")
    if card is not None:
        (target / "README.md").write_text(card, "utf-8")
    refused(recorded_run, target, "is no earlier export", force=True)
    assert (target / "thesis.txt").is_file()


def test_lines_that_are_no_steps_and_files_that_vanish_are_skipped(small_run, tmp_path, monkeypatch):
    from proofgrad.rl.export import policy

    expected = export_run(small_run, tmp_path / "first")
    odd = [1, None, [], {"step": 9}, {"phase": "grpo"}, {"phase": "grpo", "step": "9"}]
    odd.append({"phase": "grpo", "step": 6, "step_time": float("nan")})
    with (small_run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in odd)
    facts = export_run(small_run, tmp_path / "second")
    assert (facts.updates, facts.step_seconds) == (expected.updates, expected.step_seconds)
    real = policy.read_rows

    def racing(path, columns):
        (small_run / "rollouts" / "step-000002.parquet").unlink(missing_ok=True)
        return real(path, columns)

    monkeypatch.setattr(policy, "read_rows", racing)
    left = export_run(small_run, tmp_path / "third")
    assert 0 < sum(one.completions for one in left.asked) < sum(one.completions for one in expected.asked)


def test_a_link_is_followed_and_stays_a_link(recorded_run, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    export_run(recorded_run, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert "README.md" in names(tmp_path / "real")


@pytest.mark.parametrize("name", ["policy/vocab.json", "manifest.json"])
def test_a_link_out_of_the_run_is_not_published(small_run, tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    secret = tmp_path / "elsewhere" / "key"
    secret.write_text("a secret", "utf-8")
    (small_run / name).unlink(missing_ok=True)
    (small_run / name).symlink_to(secret)
    refused(small_run, tmp_path / "out", "is a link out of the run")


def test_weights_that_are_cut_short_are_one_line(small_run, tmp_path):
    weights = small_run / "policy" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    refused(small_run, tmp_path / "out", r"cannot read the weights 'model\.safetensors'")


def test_what_fails_midway_leaves_what_was_there(small_run, tmp_path, monkeypatch):
    target = tmp_path / "out"
    export_run(small_run, target)
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    (small_run / "eval" / "after.json").write_text("{", "utf-8")
    refused(small_run, target, "cannot read the evaluation", force=True)

    def full(*_):
        raise OSError(28, "No space left on device")

    (small_run / "eval" / "after.json").unlink()
    monkeypatch.setattr(shutil, "copyfile", full)
    refused(small_run, target, "No space left on device", force=True)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before


def test_the_run_is_not_changed(small_run, tmp_path):
    def state():
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in small_run.rglob("*")}

    before = state()
    export_run(small_run, tmp_path / "out")
    assert state() == before


def test_an_adapters_checkpoint_is_merged_into_plain_weights(small_run, tmp_path):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(small_run / "checkpoints" / "warm-start")
    adapted = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"]))
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_()
    checkpoint = small_run / "checkpoints" / "checkpoint-4"
    (checkpoint / "model.safetensors").unlink()
    (checkpoint / "config.json").unlink()
    adapted.save_pretrained(checkpoint)
    export_run(small_run, tmp_path / "out", checkpoint=4)
    assert not [name for name in names(tmp_path / "out") if "adapter" in name]
    expected = adapted.merge_and_unload().state_dict()["model.layers.0.self_attn.q_proj.weight"]
    written = load_file(tmp_path / "out" / "model.safetensors")["model.layers.0.self_attn.q_proj.weight"]
    assert torch.allclose(written, expected)


def test_the_snippet_for_transformers_runs_as_it_stands(recorded_run, tmp_path, monkeypatch, capsys):
    export_run(recorded_run, tmp_path / "out")
    (tmp_path / "snippet.py").write_text(snippets(tmp_path / "out")[0], "utf-8")
    monkeypatch.chdir(tmp_path / "out")
    runpy.run_path(str(tmp_path / "snippet.py"))
    assert capsys.readouterr().out.strip()


def test_the_command_says_what_was_written_and_what_is_missing(recorded_run, tmp_path):
    app = typer.Typer()
    app.command()(export_command)
    done = CliRunner().invoke(app, [str(recorded_run), str(tmp_path / "out"), "--name", "me/mine"])
    assert done.exit_code == 0
    assert "no licence is stated" in done.stdout
    assert "\n# me/mine\n" in (tmp_path / "out" / "README.md").read_text("utf-8")
    done = CliRunner().invoke(app, [str(recorded_run), str(tmp_path / "out"), "--force", "--license", "MIT"])
    assert done.exit_code == 0
    assert "licence" not in done.stdout


@pytest.mark.slow
def test_vllm_writes_what_transformers_writes_and_its_snippet_runs(recorded_run, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    export_run(recorded_run, tmp_path / "out")
    snippet = snippets(tmp_path / "out")[1]
    greedy = re.sub(r"temperature=[\d.]+, max_tokens=\d+", "temperature=0.0, max_tokens=24", snippet)
    greedy = greedy.replace(".outputs[0].text)", ".outputs[0].token_ids)").replace("print(", "print('TOKENS', ")
    assert greedy.count("max_tokens=24") == greedy.count("TOKENS") == 1
    (tmp_path / "snippet.py").write_text(greedy, "utf-8")
    env = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    done = subprocess.run(
        [sys.executable, tmp_path / "snippet.py"],
        cwd=tmp_path / "out", capture_output=True, text=True, check=False, timeout=600, env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    written = json.loads(re.search(r"TOKENS (\[.*\])", done.stdout).group(1))
    prompt = re.search(r"prompt = (.*)", snippet).group(1)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    ids = tokenizer(ast.literal_eval(prompt), add_special_tokens=False, return_tensors="pt")["input_ids"]
    expected = model.generate(ids, max_new_tokens=24, do_sample=False)[0, ids.shape[1] :].tolist()
    assert written == expected
