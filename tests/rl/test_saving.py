"""Weights that are spread over processes are saved and taken up whole.

accelerate knows FSDP on GPUs only; torch's own works on CPUs as well, over gloo. So the two processes of these tests
tell accelerate that theirs are GPU processes, and all that follows (sharding, training, gathering, loading) is real.
This file is also the script that they run.
"""

import copy
import json
import os
import random
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from proofgrad.rl import session as sessions
from proofgrad.rl.config import Config, PolicyConfig
from proofgrad.rl.policy import load_policy, save_policy
from proofgrad.rl.saving import give_engine, load_weights, saved_tensors, whole_state
from proofgrad.rl.session import refuse_impossible, sharding
from proofgrad.verifiers.errors import ConfigError

ROOT = Path(__file__).parents[2]
FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
}


def config_of(folder, **changed):
    settings = {
        "name": "spread",
        "runs_dir": str(folder / "runs"),
        "policy": {"path": str(folder / "start")},
        "envs": [{"name": "synthesis", "options": {"max_level": 1}}],
        "warm_start": {"demonstrations": 0},
        "generation": {"engine": "transformers", "max_tokens": 8},
        "grpo": {"steps": 2, "prompts_per_step": 2, "group_size": 4, "learning_rate": 1e-3, "save_steps": 1},
    }
    return Config.model_validate(settings | changed)


def record(folder):
    """Train in these processes; then take up the first checkpoint, and save what came of it."""
    from accelerate import PartialState
    from accelerate.utils import DistributedType
    from transformers import TrainerCallback

    if os.environ.get("ACCELERATE_USE_FSDP"):
        started = PartialState.__init__

        def start(self, *args, **kwargs):
            started(self, *args, **kwargs)
            if self.distributed_type is DistributedType.MULTI_CPU:
                self.distributed_type = DistributedType.MULTI_GPU

        PartialState.__init__ = start
        sessions.refuse_impossible = lambda *_: None  # completions are recited, not generated

    from proofgrad.rl.engine import Completion
    from proofgrad.rl.frontier import training_order, training_tasks
    from proofgrad.rl.rollout import Judge
    from proofgrad.rl.run_directory import RunDirectory
    from proofgrad.rl.stream import TaskStream
    from proofgrad.rl.trainer import build_trainer, fit
    from proofgrad.rl.warmstart import start_policy
    from proofgrad.verifiers.base import Verdict
    from proofgrad.verifiers.pool import VerifierPool

    class Reciting:
        """The same tokens for each place in the whole batch, whoever asks."""

        name, has_own_seeds = "reciting", False

        def __init__(self, trainer):
            self.trainer = trainer

        def generate(self, source, temperature):
            while requests := source.take(wait=True):
                first = self.trainer.accelerator.process_index * len(requests)
                for request in requests:
                    rng = random.Random(f"{self.trainer.state.global_step} {first + request.id}")
                    ids = [rng.randrange(40, 200) for _ in range(8)]
                    text = self.trainer.processing_class.decode(ids)
                    source.put(request.id, Completion(ids, [-1.0] * len(ids), text, truncated=False))

    class Arbitrary:
        name, version = "program", "1"

        def verify(self, problem, candidate):
            is_good = random.Random(candidate).random() < 0.5
            return Verdict.passed("test.ok") if is_good else Verdict.failed("test.wrong")

    class Scripted(sessions.Session):
        def engine_from(self, trainer):
            return Reciting(trainer)

    class StopAt(TrainerCallback):
        """Ends the run as a kill would, behind a checkpoint."""

        def on_step_begin(self, args, state, control, **kwargs):
            if state.global_step == 1:
                raise InterruptedError

    def train(run, config, *callbacks):
        with Scripted(config, run) as session:
            session.judge.pool.close()
            session.judge = Judge(session.envs, VerifierPool({"program": Arbitrary()}, retries=0))
            trainer = build_trainer(session, start_policy(session))
            for callback in callbacks:
                trainer.add_callback(callback)
            order = training_order(session, training_tasks(session, 4))
            fit(session, trainer, TaskStream(config, order, order))
            return trainer

    # Cut off behind its first checkpoint, and gone on with.
    cut = config_of(folder, name="cut")
    run = RunDirectory.create_once(cut)
    try:
        train(run, cut, StopAt())
    except InterruptedError:
        train(run, cut)
    config = config_of(folder)
    run = RunDirectory.create_once(config)
    trainer = train(run, config)
    local = sum((p.to_local() if hasattr(p, "to_local") else p).numel() for p in trainer.model.parameters())
    load_weights(trainer, run.checkpoints()[0])
    state = whole_state(trainer)
    facts = {"type": trainer.accelerator.distributed_type.value, "parameters": local}
    (folder / f"facts-{trainer.accelerator.process_index}.json").write_text(json.dumps(facts), encoding="utf-8")
    if trainer.accelerator.is_main_process:
        save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, folder / "back.safetensors")
    trainer.accelerator.wait_for_everyone()


def launch(folder, policy, *launcher, **env):
    save_policy(policy, folder / "start")
    command = [sys.executable, "-m", "accelerate.commands.launch", *map(str, launcher), __file__, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **env})
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return folder


@pytest.fixture(scope="module")
def both(tiny_policy, tmp_path_factory):
    """The same training by one process, and by two that share the weights."""
    whole = launch(tmp_path_factory.mktemp("whole"), tiny_policy, "--num_processes", "1", "--cpu")
    # A port of its own: two launches on one machine would otherwise meet at accelerate's default.
    two = ("--config_file", ROOT / "configs" / "accelerate" / "two_cpu.yaml", "--main_process_port", "0")
    return whole, launch(tmp_path_factory.mktemp("spread"), tiny_policy, *two, **FSDP)


@pytest.mark.slow
def test_the_weights_were_spread_over_two_processes(both):
    (one,), two = ([json.loads(p.read_text(encoding="utf-8")) for p in sorted(f.glob("facts-*"))] for f in both)
    assert [facts["type"] for facts in two] == ["FSDP", "FSDP"]
    assert sum(facts["parameters"] for facts in two) == one["parameters"]
    assert max(facts["parameters"] for facts in two) < 0.6 * one["parameters"]


@pytest.mark.slow
def test_the_policy_that_two_processes_leave_is_whole_and_the_one_that_one_process_leaves(both):
    one, two = (load_file(folder / "runs" / "spread" / "policy" / "model.safetensors") for folder in both)
    start = load_file(both[0] / "start" / "model.safetensors")
    assert one.keys() == two.keys() == start.keys()
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
    assert any((one[name] - start[name]).abs().max() > 1e-4 for name in one)
    assert load_policy(PolicyConfig(path=str(both[1] / "runs" / "spread" / "policy"))).model.num_parameters() > 0


@pytest.mark.slow
def test_a_run_with_spread_weights_that_was_cut_off_ends_as_if_nothing_had_been(both):
    whole, cut = (both[1] / "runs" / name for name in ("spread", "cut"))
    steps = [json.loads(line)["step"] for line in (cut / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert steps == [1, 2]
    ours, theirs = (load_file(run / "policy" / "model.safetensors") for run in (cut, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_a_checkpoint_is_taken_up_by_all_processes(both):
    checkpoint = load_file(both[1] / "runs" / "spread" / "checkpoints" / "checkpoint-1" / "model.safetensors")
    back = load_file(both[1] / "back.safetensors")
    final = load_file(both[1] / "runs" / "spread" / "policy" / "model.safetensors")
    assert all(torch.equal(back[name], checkpoint[name]) for name in checkpoint)
    assert any(not torch.equal(final[name], checkpoint[name]) for name in final)


def test_weights_of_several_files_are_read_by_name(tiny_policy, tmp_path):
    tiny_policy.model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    found, state = dict(saved_tensors(tmp_path)), tiny_policy.model.state_dict()
    assert set(found) == set(state) - {"lm_head.weight"}  # tied to the embedding, and saved once
    assert all(torch.equal(tensor, state[name]) for name, tensor in found.items())


def test_a_directory_without_weights_is_named(tmp_path):
    with pytest.raises(ConfigError, match="there are no weights in"):
        list(saved_tensors(tmp_path))


@pytest.mark.parametrize(
    ("env", "kind"),
    [
        ({}, None),
        ({"ACCELERATE_USE_FSDP": "true", "WORLD_SIZE": "1"}, None),
        ({"ACCELERATE_USE_FSDP": "true"}, "FSDP"),
        ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}, "ZeRO-3"),
        ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"}, None),
    ],
)
def test_sharding_is_what_the_launcher_says(monkeypatch, env, kind):
    for name in ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_DEEPSPEED_ZERO_STAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert sharding() == kind


@pytest.mark.parametrize(
    ("changed", "engine", "told"),
    [
        ({}, "transformers", r"generation\.engine: transformers needs whole weights in each process, and FSDP spreads"),
        ({"policy": {"path": "x", "lora": {}}}, "vllm", r"policy\.lora: an adapter is too small to be spread by FSDP"),
        ({"warm_start": {"revisions": 8}}, "vllm", r"warm_start\.revisions samples with whole weights in each process"),
        ({"grpo": {"measure_kl": True}}, "vllm", r"grpo\.measure_kl keeps a whole copy of the policy in each process"),
    ],
)
def test_what_cannot_be_spread_is_refused_before_anything_starts(monkeypatch, tmp_path, changed, engine, told):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=told):
        refuse_impossible(config_of(tmp_path, **changed), engine)
    monkeypatch.delenv("ACCELERATE_USE_FSDP")
    refuse_impossible(config_of(tmp_path, **changed), engine)


class Zero3Engine:
    """What accelerate asks of a DeepSpeed engine whose weights are spread."""

    def __init__(self, module):
        self.module = module
        self.asked = 0

    def zero_gather_16bit_weights_on_model_save(self):
        return True

    def _zero3_consolidated_16bit_state_dict(self):
        self.asked += 1
        return self.module.state_dict()


def test_under_zero_3_the_whole_state_is_asked_of_deepspeed(tiny_policy):
    """DeepSpeed itself is not installed: this ends where accelerate hands over to it."""
    from accelerate import Accelerator
    from accelerate.utils import DistributedType

    class Zero3(Accelerator):
        distributed_type = DistributedType.DEEPSPEED
        deepspeed_config = {"zero_optimization": {"stage": 3}}  # noqa: RUF012

    engine = Zero3Engine(tiny_policy.model)
    state = whole_state(SimpleNamespace(accelerator=Zero3(cpu=True), model_wrapped=engine))
    assert engine.asked == 1
    assert set(state) == set(tiny_policy.model.state_dict())


@pytest.mark.parametrize("is_main", [True, False])
def test_under_zero_3_the_main_process_loads_while_the_weights_are_gathered(
    tiny_policy, tmp_path, monkeypatch, is_main
):
    save_policy(tiny_policy, tmp_path)
    model, gathered = copy.deepcopy(tiny_policy.model), []
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()

    @contextmanager
    def gathered_parameters(parameters, modifier_rank):
        gathered.append((len(parameters), modifier_rank))
        yield
        gathered.append("ended")

    zero = SimpleNamespace(GatheredParameters=gathered_parameters)
    monkeypatch.setitem(sys.modules, "deepspeed", SimpleNamespace(zero=zero))
    for name, value in (("USE_DEEPSPEED", "true"), ("DEEPSPEED_ZERO_STAGE", "3")):
        monkeypatch.setenv(f"ACCELERATE_{name}", value)
    monkeypatch.setenv("WORLD_SIZE", "2")
    accelerator = SimpleNamespace(is_main_process=is_main, unwrap_model=lambda engine: engine.module)
    load_weights(SimpleNamespace(accelerator=accelerator, model_wrapped=Zero3Engine(model)), tmp_path)
    assert gathered == [(len(list(model.parameters())), 0), "ended"]
    expected = tiny_policy.model.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items()) == is_main


class Transferred:
    """Stands where vLLM's model does, and TRL's client of a server."""

    def __init__(self):
        self.announced, self.given, self.resets = [], {}, 0

    def load_weights(self, tensors):
        self.given.update(tensors)

    def update_named_params(self, announced, tensors):
        self.announced = announced
        self.load_weights(tensors)

    def reset_prefix_cache(self):
        self.resets += 1


@pytest.mark.parametrize("mode", ["colocate", "server"])
def test_vllm_is_given_the_weights_that_were_saved(tiny_policy, tmp_path, mode):
    save_policy(tiny_policy, tmp_path)
    vllm = Transferred()
    worker = SimpleNamespace(model_runner=SimpleNamespace(model=vllm))
    llm = SimpleNamespace(
        llm_engine=SimpleNamespace(model_executor=SimpleNamespace(driver_worker=worker)),
        reset_prefix_cache=vllm.reset_prefix_cache,
    )
    accelerator = SimpleNamespace(is_main_process=True, device=torch.device("cpu"), wait_for_everyone=lambda: None)
    generation = SimpleNamespace(mode=mode, llm=llm, vllm_client=vllm)
    give_engine(SimpleNamespace(use_vllm=True, vllm_generation=generation, accelerator=accelerator), tmp_path)
    expected = load_file(tmp_path / "model.safetensors")
    assert vllm.given.keys() == expected.keys()
    assert all(torch.equal(vllm.given[name], expected[name]) for name in expected)
    assert vllm.resets == 1
    if mode == "server":
        assert vllm.announced == [(name, "float32", list(tensor.shape)) for name, tensor in vllm.given.items()]


if __name__ == "__main__":
    record(Path(sys.argv[1]))
