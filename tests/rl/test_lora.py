"""Adapters: they alone are trained, the engine samples with them, and what is left at the end is a plain policy."""

import copy
import random

import peft
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, TrainerCallback

from proofgrad.rl import lora
from proofgrad.rl.config import Config, LoraSettings, PolicyConfig
from proofgrad.rl.engine import Request, TransformersEngine, VLLMEngine
from proofgrad.rl.frontier import training_order, training_tasks
from proofgrad.rl.lora import adapter_config, is_adapter, merged_policy, unmerge_exactly
from proofgrad.rl.policy import load_policy, save_policy
from proofgrad.rl.rollout import Judge
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.rl.saving import load_weights
from proofgrad.rl.session import Session
from proofgrad.rl.stream import TaskStream
from proofgrad.rl.trainer import build_trainer, fit
from proofgrad.rl.warmstart import start_policy
from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.errors import ConfigError, MissingExtraError
from proofgrad.verifiers.pool import VerifierPool


class Arbitrary:
    """A verdict that is a function of the candidate."""

    name, version = "program", "1"

    def verify(self, problem, candidate):
        is_good = random.Random(candidate).random() < 0.5
        return Verdict.passed("test.ok") if is_good else Verdict.failed("test.wrong")


class KilledError(Exception):
    """Ends a run in the middle."""


class KilledAt(TrainerCallback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise KilledError


def config_of(folder, **grpo):
    return Config.model_validate(
        {
            "name": "adapted",
            "runs_dir": str(folder / "runs"),
            "policy": {"path": str(folder / "start"), "lora": {"rank": 4, "alpha": 16}},
            "envs": [{"name": "synthesis", "options": {"max_level": 1}}],
            "warm_start": {"demonstrations": 0},
            "generation": {"engine": "transformers", "max_tokens": 8},
            "grpo": {
                "steps": 4,
                "prompts_per_step": 2,
                "group_size": 4,
                "learning_rate": 1e-2,
                "save_steps": 2,
                **grpo,
            },
        }
    )


def train(config, run, *callbacks):
    """Train from where the run is; returns the trainer."""
    with Session(config, run) as session:
        session.judge.pool.close()
        session.judge = Judge(session.envs, VerifierPool({"program": Arbitrary()}, retries=0))
        trainer = build_trainer(session, start_policy(session))
        for callback in callbacks:
            trainer.add_callback(callback)
        order = training_order(session, training_tasks(session, 8))
        fit(session, trainer, TaskStream(config, order, order))
    return trainer


@pytest.fixture(scope="module")
def trained(tiny_policy, tmp_path_factory):
    """A finished run with adapters, and its trainer."""
    folder = tmp_path_factory.mktemp("trained")
    save_policy(tiny_policy, folder / "start")
    config = config_of(folder, measure_kl=True)
    run = RunDirectory.create(config)
    return config, run, train(config, run)


def rollouts_of(run):
    columns = ["completion", "outcome", "advantage"]
    return {p.name: pq.read_table(p, columns=columns).to_pylist() for p in sorted(run.path.glob("rollouts/*.parquet"))}


def logits_of(model):
    ids = torch.arange(40, 60)[None]
    with torch.no_grad():
        return model.eval()(input_ids=ids).logits


def test_training_moves_the_adapters_and_nothing_else(trained):
    _, run, trainer = trained
    start = load_file(run.warm_start / "model.safetensors")
    state = trainer.model.state_dict()
    kept = {name: tensor for name, tensor in state.items() if "lora_" not in name and "lm_head" not in name}
    assert len(kept) == len(start)
    for name, tensor in kept.items():
        assert torch.equal(tensor, start[name.removeprefix("base_model.model.").replace(".base_layer", "")]), name
    moved = [tensor for name, tensor in state.items() if "lora_B" in name]
    assert len(moved) == 7  # four projections of attention and three of the feed-forward layer
    assert all(tensor.abs().max() > 1e-4 for tensor in moved)


def test_the_final_policy_is_a_plain_model_with_the_logits_of_the_adapted_one(trained):
    _, run, trainer = trained
    plain = AutoModelForCausalLM.from_pretrained(run.policy)
    assert type(plain).__name__ == "Qwen3ForCausalLM"
    assert not (run.policy / "adapter_config.json").exists()
    assert torch.allclose(logits_of(plain), logits_of(trainer.model), atol=1e-5)
    start = AutoModelForCausalLM.from_pretrained(run.warm_start)
    assert (logits_of(plain) - logits_of(start)).abs().max() > 1e-2


def test_the_adapter_is_kept_beside_the_policy(trained):
    _, run, trainer = trained
    assert is_adapter(run.path / "adapter")
    assert not is_adapter(run.policy)
    merged = merged_policy(PolicyConfig(path=str(run.warm_start)), run.path / "adapter")
    assert torch.allclose(logits_of(merged.model), logits_of(trainer.model), atol=1e-5)


def test_checkpoints_have_the_adapter_only(trained):
    _, run, _ = trained
    for checkpoint in run.checkpoints():
        assert (checkpoint / "adapter_model.safetensors").is_file()
        assert not (checkpoint / "model.safetensors").exists()


def test_generation_uses_the_adapter(trained):
    _, run, trainer = trained
    engine = TransformersEngine(trainer.accelerator.unwrap_model(trainer.model), trainer.processing_class)
    plain = load_policy(PolicyConfig(path=str(run.policy)))
    expected = TransformersEngine(plain.model, plain.tokenizer)
    start = load_policy(PolicyConfig(path=str(run.warm_start)))
    found = [sampled(each) for each in (engine, expected, TransformersEngine(start.model, start.tokenizer))]
    assert found[0].token_ids == found[1].token_ids
    assert found[0].logprobs == pytest.approx(found[1].logprobs, abs=1e-4)
    assert found[0].logprobs != pytest.approx(found[2].logprobs, abs=1e-2)


class One:
    """Asks for one completion."""

    def __init__(self):
        self.waiting, self.found = [Request(0, list(range(40, 50)), 7, 12)], None

    def take(self, wait):
        requests, self.waiting = self.waiting, []
        return requests

    def put(self, request_id, completion):
        self.found = completion


def sampled(engine):
    source = One()
    engine.generate(source, 0.0)
    return source.found


def test_the_distance_from_the_start_is_measured_with_the_adapter_left_out(trained):
    _, run, _ = trained
    kl = [row["kl"] for row in run.metrics() if row["phase"] == "grpo"]
    assert kl[0] == pytest.approx(0, abs=1e-6)
    assert kl[-1] > 1e-4


@pytest.mark.parametrize("lora", [None, {"rank": 4}])
def test_arithmetic_in_bfloat16_is_no_distance_from_the_start(tiny_policy, tmp_path, lora):
    save_policy(tiny_policy, tmp_path / "start")
    settings = config_of(tmp_path, measure_kl=True, bf16=True, steps=1, minibatches=2).model_dump()
    settings["policy"]["lora"] = lora
    config = Config.model_validate(settings)
    run = RunDirectory.create(config)
    train(config, run)
    kl = [row["kl"] for row in run.metrics() if row["phase"] == "grpo" and "kl" in row]
    assert kl == [pytest.approx(0, abs=1e-9)]


def test_a_run_that_was_cut_off_goes_on_from_an_adapter_checkpoint_as_if_nothing_had_been(
    tiny_policy, tmp_path, trained
):
    _, whole, _ = trained
    save_policy(tiny_policy, tmp_path / "start")
    config = config_of(tmp_path, measure_kl=True)
    run = RunDirectory.create(config)
    with pytest.raises(KilledError):
        train(config, run, KilledAt(3))
    assert [path.name for path in run.checkpoints()] == ["checkpoint-2"]
    train(config, run)
    assert rollouts_of(run) == rollouts_of(whole)
    ours, theirs = (load_file(each.policy / "model.safetensors") for each in (run, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_finished_run_takes_up_its_policy_again(trained):
    config, run, before = trained
    again = train(config, run)
    assert again.state.global_step == 0
    assert torch.equal(logits_of(again.model), logits_of(before.model))


def test_a_checkpoint_can_be_gone_back_to(trained):
    _, run, trainer = trained
    kept = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    try:
        load_weights(trainer, run.checkpoints()[0])
        back = load_file(run.checkpoints()[0] / "adapter_model.safetensors")
        now = peft.get_peft_model_state_dict(trainer.model)
        assert all(torch.equal(now[name], back[name]) for name in back)
        assert any(not torch.equal(now[name], kept[name.replace(".weight", ".default.weight")]) for name in back)
    finally:
        trainer.model.load_state_dict(kept)


def test_adapters_on_named_layers_only(tiny_policy):
    made = adapter_config(LoraSettings(rank=2, target_modules=["q_proj", "v_proj"]), tiny_policy.model)
    assert (made.r, made.lora_alpha, set(made.target_modules)) == (2, 32.0, {"q_proj", "v_proj"})


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["q_prjo"], r"target_modules: the model has no layer 'q_prjo': did you mean 'q_proj'"),
        (["q_proj", "c_attn"], r"no layer 'c_attn': it has down_proj, embed_tokens, gate_proj, k_proj, .*, v_proj$"),
        (["lm_head"], r"'lm_head' is the output layer, which cannot be trained by an adapter: leave it out"),
    ],
)
def test_layers_that_cannot_have_adapters_are_named(tiny_policy, names, told):
    with pytest.raises(ConfigError, match=told):
        adapter_config(LoraSettings(target_modules=names), tiny_policy.model)


def test_without_peft_the_error_says_how_to_get_it(tiny_policy, monkeypatch):
    monkeypatch.setattr(lora.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"policy\.lora needs the package 'peft'.*proofgrad\[train\]"):
        adapter_config(LoraSettings(), tiny_policy.model)


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"alpha": 0}, {"dropout": 1.0}, {"target_modules": []}, {"r": 8}])
def test_settings_that_make_no_adapter_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LoraSettings.model_validate(wrong)


def test_weights_are_trained_where_no_adapter_is_asked_for():
    assert PolicyConfig(path="x").lora is None


def test_merging_for_the_engine_leaves_no_trace_in_the_weights(tiny_policy):
    """peft's own way back leaves bfloat16 weights off by rounding, which this shows as well."""

    def drift(prepare):
        torch.manual_seed(0)
        model = copy.deepcopy(tiny_policy.model).to(torch.bfloat16)
        model = peft.get_peft_model(model, adapter_config(LoraSettings(rank=4), model))
        prepare(model)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.02)
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        logits = logits_of(model)
        for _ in range(3):
            model.merge_adapter()
            merged = logits_of(model)
            model.unmerge_adapter()
        assert torch.allclose(merged, logits, atol=0.1)
        return sum(not torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())

    assert drift(unmerge_exactly) == 0
    assert drift(lambda model: None) > 0


@pytest.mark.slow
def test_vllm_samples_with_the_adapters_merged(tiny_policy, tmp_path):
    save_policy(tiny_policy, tmp_path / "start")
    config = config_of(tmp_path, measure_kl=True)
    config = config.model_copy(update={"generation": config.generation.model_copy(update={"engine": "vllm"})})
    run = RunDirectory.create(config)
    trainer = train(config, run)
    steps = [row for row in run.metrics() if row["phase"] == "grpo"]
    assert steps[-1]["kl"] > 1e-3  # the adapters moved
    # In training: what the trainer computes with the adapters beside is what vLLM sampled with them merged in.
    assert all(0.95 < row["sampling/importance_sampling_ratio/mean"] < 1.05 for row in steps)
    # Afterwards: it has the weights of RUN/policy, and not those at the start.
    completion = sampled(VLLMEngine(trainer.vllm_generation.llm, trainer.processing_class))
    for folder, is_it in ((run.policy, True), (run.warm_start, False)):
        ids = torch.tensor([[*range(40, 50), *completion.token_ids]])
        with torch.no_grad():
            scored = torch.log_softmax(load_policy(PolicyConfig(path=str(folder))).model(ids).logits[0], dim=-1)
        expected = [scored[9 + t, token].item() for t, token in enumerate(completion.token_ids)]
        assert (completion.logprobs == pytest.approx(expected, abs=0.05)) == is_it
    # Merged for vLLM at every step, and taken away again: the weights are what they were.
    start = load_file(run.warm_start / "model.safetensors")
    for name, tensor in trainer.model.state_dict().items():
        if "lora_" not in name and "lm_head" not in name:
            assert torch.equal(tensor, start[name.removeprefix("base_model.model.").replace(".base_layer", "")])
