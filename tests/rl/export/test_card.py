"""The model card: its metadata read back, its figures are the evaluations', and nothing in it was made up."""

import json
import re
import shutil
from dataclasses import replace
from importlib.metadata import entry_points

import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from proofgrad.envs.registry import GROUP as ENVS
from proofgrad.rl.config import Config, GRPOSettings
from proofgrad.rl.console import signed
from proofgrad.rl.evaluate import Evaluation, compare
from proofgrad.rl.export.card import card_data, model_card
from proofgrad.rl.export.markdown import code, fenced, plain
from proofgrad.rl.export.policy import export_run, facts_of
from proofgrad.rl.export.texts import ENVIRONMENTS, VERDICTS, departures
from proofgrad.rl.run_directory import RunDirectory, write_rows
from proofgrad.verifiers.registry import GROUP as VERIFIERS


@pytest.fixture(scope="session")
def facts(recorded_run):
    run, config = RunDirectory.open(recorded_run)
    return facts_of(run, config, run.policy, run.policy, name="small", license="Apache-2.0", checkpoint=None)


def rows_under(card, heading):
    """The cells of the first table after a heading."""
    table = re.search(r"(?:^\|.*\n)+", card[card.index(heading) :], re.M).group(0).splitlines()
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in [table[0], *table[2:]]]


def evaluations(run):
    return [Evaluation.load(run / "eval" / f"{name}.json") for name in ("before", "after")]


def test_every_figure_of_the_table_is_that_of_the_evaluations(facts, recorded_run):
    before, after = evaluations(recorded_run)
    heads, *rows = rows_under(model_card(facts), "## Held-out results")
    assert heads == ["domain", "problems", "before", "after", "gain"]
    assert rows == [
        [r.domain, str(r.problems), str(r.before), str(r.after), signed(r.gain)] for r in compare(before, after)
    ]


def test_the_metadata_read_back_as_pass_at_1_of_every_domain(facts, recorded_run):
    _, after = evaluations(recorded_run)
    card = ModelCard(model_card(facts))
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "transformers"
    assert card.data.pipeline_tag == "text-generation"
    assert {"proofgrad", "verifier-lean", "verifier-program"} <= set(card.data.tags)
    name, results = model_index_to_eval_results(card.data.to_dict()["model-index"])
    assert name == "small"
    assert [r.dataset_type.removeprefix("proofgrad-") for r in results] == after.domains()
    for result, domain in zip(results, after.domains(), strict=True):
        rate = after.pass_at(1, domain)
        assert (result.metric_type, result.dataset_split) == ("pass@1", "held-out")
        assert result.metric_value == pytest.approx(rate.mean)
        args = result.metric_args
        assert (args["low"], args["high"]) == pytest.approx((rate.low, rate.high))
        assert (args["problems"], args["samples"]) == (len(after.scored(domain)), after.samples)
    assert ModelCard(str(card)).content == card.content


def test_what_was_recorded_about_training_is_told(facts, recorded_run):
    card = model_card(facts)
    assert "6 of 6 updates are recorded." in card
    for env in ("propositional", "synthesis"):
        rows = [
            row
            for path in sorted((recorded_run / "rollouts").glob("step-*.parquet"))
            for row in pq.read_table(path).to_pylist()
            if row["source"].startswith(f"{env}@")
        ]
        told = f"{len({row['task'] for row in rows})} different tasks"
        assert told in card[card.index(f"**{env}**") :].partition("\n- **")[0]
        assert f"{len(rows)} completions" in card[card.index(f"**{env}**") :].partition("\n- **")[0]
    manifest = json.loads((recorded_run / "manifest.json").read_text("utf-8"))
    recorded = dict(row for row in rows_under(card, "## How to train it again")[1:])
    assert recorded["seed"] == str(manifest["seed"])
    assert recorded["Python"] == manifest["python"]
    for name, version in manifest["packages"].items():
        assert f"{name} {version}" in recorded["packages"]
    for name, version in manifest["verifiers"].items():
        assert code(name) in recorded["verifiers"]
        assert code(version) in recorded["verifiers"]
    step_times = sum(row["step_time"] for row in RunDirectory(recorded_run).metrics() if row["phase"] == "grpo")
    assert recorded["time of the recorded updates"] == f"{step_times:.0f} s"


def test_no_held_out_problem_was_asked_in_training(facts):
    assert facts.shared == 0
    assert "0 were among the tasks that GRPO asked" in model_card(facts)


def test_the_parameters_are_counted_in_the_weights(facts, recorded_run):
    from transformers import AutoModelForCausalLM

    assert facts.parameters == AutoModelForCausalLM.from_pretrained(recorded_run / "policy").num_parameters()


def test_an_example_of_each_environment_is_from_training(facts, recorded_run):
    assert {example.env for example in facts.examples} == {"propositional", "synthesis"}
    held_out = {
        row["prompt"]
        for name in ("before", "after")
        for row in pq.read_table(recorded_run / "rollouts" / f"{name}.parquet").to_pylist()
    }
    card = model_card(facts)
    for example in facts.examples:
        assert example.prompt not in held_out
        assert example.is_chat is False
        assert example.prompt.rstrip("\n") in card
        assert example.completion.rstrip("\n") in card


def test_what_is_not_recorded_is_said_not_to_be(small_run):
    for name in ("manifest.json", "metrics.jsonl"):
        (small_run / name).unlink()
    shutil.rmtree(small_run / "rollouts")
    shutil.rmtree(small_run / "eval")
    run, config = RunDirectory.open(small_run)
    facts = facts_of(run, config, run.policy, run.policy, name="small", license=None, checkpoint=None)
    card = model_card(facts)
    for said in (
        "**This run was not evaluated**",
        "verifiers that are not recorded",
        "How many of the 6 updates were made is not recorded.",
        "asked in GRPO: nothing is recorded",
        "No completion is recorded",
        "None was stated when this was exported.",
        "How often it is right is not known.",
        "Not measured: there is no evaluation of these weights.",
    ):
        assert said in card
    data = ModelCard(card).data.to_dict()
    assert "license" not in data
    assert "model-index" not in data
    assert [row[1] for row in rows_under(card, "## How to train it again")[1:]] == ["not recorded"] * 10


def test_a_run_that_stopped_early_says_so_and_which_checkpoint_it_took(small_run):
    run, config = RunDirectory.open(small_run)
    run.forget_after("grpo", 4)
    weights = small_run / "checkpoints" / "checkpoint-2" / "model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    shutil.copy(weights, run.policy / "model.safetensors")
    facts = facts_of(run, config, run.policy, run.policy, name="small", license=None, checkpoint=None)
    card = model_card(facts)
    assert "4 of 6 updates are recorded. Why there are no more is not recorded." in card
    assert "monitor" not in card.partition("4 of 6 updates")[2].partition("\n")[0]
    assert "The weights are those of checkpoint-2." in card


def test_different_verifiers_are_not_compared(small_run):
    path = small_run / "eval" / "after.json"
    path.write_text(path.read_text("utf-8").replace('"program": "', '"program": "other '), "utf-8")
    run, config = RunDirectory.open(small_run)
    card = model_card(facts_of(run, config, run.policy, run.policy, name="x", license=None, checkpoint=None))
    assert "No comparison: these evaluations were judged by different verifier versions" in card
    assert str(Evaluation.load(path).pass_at(1, "theorems")) in card


def test_an_unevaluated_policy_has_the_figures_of_its_start_and_no_metadata_of_them(small_run):
    (small_run / "eval" / "after.json").unlink()
    run, config = RunDirectory.open(small_run)
    facts = facts_of(run, config, run.policy, run.policy, name="x", license=None, checkpoint=None)
    assert "**The final policy was not evaluated.**" in model_card(facts)
    assert "model-index" not in card_data(facts).to_dict()


def test_later_evaluations_of_the_same_weights_are_in_it(small_run):
    directory = small_run / "evaluations" / "hard"
    directory.mkdir(parents=True)
    after = replace(evaluations(small_run)[1], policy="elsewhere/small/policy", suite="hard")
    after.save(directory / "evaluation.json")
    of_others = small_run / "evaluations" / "other"
    of_others.mkdir()
    replace(after, policy="elsewhere/small/checkpoints/checkpoint-1").save(of_others / "evaluation.json")
    run, config = RunDirectory.open(small_run)
    facts = facts_of(run, config, run.policy, run.policy, name="x", license=None, checkpoint=None)
    assert [one.directory.name for one in facts.others] == ["hard"]
    assert "`hard`:" in model_card(facts)


@pytest.mark.parametrize(
    ("license_", "expected"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("LicenseRef-mine", {"license": "other", "license_name": "licenseref-mine"}),
        ("MIT OR Apache-2.0", {"license": "other", "license_name": "mit or apache-2.0"}),
        (None, {}),
    ],
)
def test_licences_that_the_hub_does_not_know_are_other(facts, license_, expected):
    data = card_data(replace(facts, license=license_)).to_dict()
    assert {key: data[key] for key in ("license", "license_name") if key in data} == expected


def test_a_base_model_of_the_hub_is_in_the_metadata_and_a_directory_is_not(facts, tmp_path, monkeypatch):
    def data(path):
        policy = facts.config.policy.model_copy(update={"path": path, "scratch": None})
        return replace(facts, config=facts.config.model_copy(update={"policy": policy}))

    hub, local = data("Qwen/Qwen2.5-0.5B"), data("/models/mine")
    assert card_data(hub).to_dict()["base_model"] == "Qwen/Qwen2.5-0.5B"
    assert "trained from `Qwen/Qwen2.5-0.5B`" in model_card(hub)
    assert "The licence of the base model is not recorded" in model_card(hub)
    assert "base_model" not in card_data(local).to_dict()
    assert "`mine`" in model_card(local)
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert "base_model" not in card_data(data("models/mine")).to_dict()


def test_every_shipped_part_has_its_words():
    for group, words in ((ENVS, ENVIRONMENTS), (VERIFIERS, VERDICTS)):
        assert {p.name for p in entry_points(group=group) if p.value.startswith("proofgrad.")} == set(words)


def test_settings_that_are_as_published_are_no_departures():
    plain_grpo = GRPOSettings(
        loss_type="grpo", scale_rewards="group", clip_high=0.2, kl_coefficient=0.04, collapse_ratio=0.0
    )
    assert len(list(departures(plain_grpo))) == 1  # what cannot be judged is left out, always


def test_a_chat_prompt_goes_through_the_template(small_run):
    config = Config.model_validate(
        {
            **RunDirectory.open(small_run)[1].model_dump(),
            "envs": [{"name": "synthesis", "options": {"style": "chat"}}, {"name": "propositional"}],
        }
    )
    run = RunDirectory(small_run)
    facts = facts_of(run, config, run.policy, run.policy, name="x", license=None, checkpoint=None)
    kinds = {example.env: example.is_chat for example in facts.examples}
    assert kinds == {"synthesis": True, "propositional": False}
    chat = replace(facts, examples=[example for example in facts.examples if example.is_chat])
    assert "apply_chat_template" in model_card(chat)
    assert "llm.chat" in model_card(chat)


HOSTILE = "```\n# Owned\n\n<script>alert(1)</script>\n---\n| a | b |\n\x1b[2J\u202e````"


def test_hostile_completions_stay_in_their_block(small_run):
    run, config = RunDirectory.open(small_run)
    for path in (small_run / "rollouts").glob("step-*.parquet"):
        turn = {"completion": HOSTILE, "outcome": "fail", "reason": "x`|\n# y"}
        row = {"domain": "d|\n---\n# e", "source": "synthesis@0", "prompt": HOSTILE, "turns": json.dumps([turn])}
        write_rows(path, [{**row, "task": "t", "difficulty": None, "outcome": "fail"}])
    card = model_card(facts_of(run, config, run.policy, run.policy, name="x", license=None, checkpoint=None))
    ModelCard(card)
    outside, fence = [], None
    for line in card.splitlines():
        if fence is None and (opening := re.match("`{3,}", line)):
            fence = opening.group(0)
        elif fence is not None and line == fence:
            fence = None
        elif fence is None:
            outside.append(line)
    assert fence is None
    assert not [line for line in outside if "<script>" in line or (line.startswith("# ") and line != "# x")]
    assert "\x1b" not in card
    assert "\u202e" not in card


@given(st.text())
def test_a_block_of_code_cannot_be_left(text):
    opening, *_, closing = list(fenced(text))
    fence = opening.removesuffix("text")
    assert closing == fence
    assert fence not in text


def test_long_texts_of_an_example_are_cut_and_that_is_said(facts):
    example = replace(facts.examples[0], prompt="p" * 9_000, completion="c" * 9_000, reason="r" * 9_000)
    card = model_card(replace(facts, examples=[example]))
    assert card.count("… 5,000 more characters") == 2
    assert "… 8,800 more characters" in card
    assert "Texts longer than 4,000 characters are cut" in card
    for letter in "pcr":
        assert letter * 4_001 not in card
    assert "are cut, in the code" not in model_card(facts)


@pytest.mark.parametrize(
    "word",
    ["@all", "#12", "owner/repo#12", "GH-12", "https://evil.example", "www.evil.example", "a@b.example",
     "&commat;all", "&#64;all", "1234567", "0123456789abcdef0123456789abcdef01234567", ":skull:", "$x$",
     "CVE-2026-1", "`@all`", "a|@b"],
)  # fmt: skip
def test_a_word_that_a_site_would_make_a_link_of_is_inline_code(word):
    shown = plain(f"the domain {word} it says")
    assert re.fullmatch(r"the domain (`+) ?(.+?) ?\1 it says", shown).group(2) == word.replace("|", "\\|")
    assert plain("theorems of_a kind, 12.5% and 95%") == "theorems of\\_a kind, 12.5% and 95%"


@given(st.text())
def test_inline_text_is_one_line_and_breaks_no_table(text):
    for shown in (plain(text), code(text)):
        assert len(shown.splitlines()) <= 1
        assert "|" not in shown.replace("\\|", "")


def test_the_card_in_an_export_is_this_card(recorded_run, tmp_path, facts):
    export_run(recorded_run, tmp_path / "out", license="Apache-2.0", name="small")
    assert (tmp_path / "out" / "README.md").read_text("utf-8") == model_card(facts)
