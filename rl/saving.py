"""A policy's weights on their way to and from disk, whole, however a trainer has spread them over its processes.

Under FSDP, and under DeepSpeed's ZeRO-3, a process has only a part of each weight. `accelerate` collects them on all
processes together, so every function here is called by all of them.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from proofgrad.rl.config import PolicyConfig
from proofgrad.rl.lora import is_adapter, load_adapter, merged_policy
from proofgrad.rl.policy import Policy, load_policy, save_policy
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.rl.session import sharding
from proofgrad.verifiers.errors import ConfigError

__all__ = ["give_engine", "load_weights", "made_plain", "save_trained", "saved_tensors", "whole_state"]


def whole_state(trainer: Any) -> dict[str, torch.Tensor]:
    """The trained model's whole state dict on the main process; what the others get is of no use to them."""
    return dict(trainer.accelerator.get_state_dict(trainer.model_wrapped))


def made_plain(trainer: Any) -> dict[str, torch.Tensor] | None:
    """Leave the model that a trainer trained in place as plain as it came: an adapter is merged into its weights.

    Returns its whole state dict on the main process where the weights are spread, and None where the model has them.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):
        model.merge_and_unload()
    return whole_state(trainer) if sharding() else None


def save_trained(trainer: Any, run: RunDirectory, base: PolicyConfig | None) -> None:
    """Write RUN/policy, plain transformers files, from the trainer's weights.

    Args:
        trainer: what was trained.
        run: where to write.
        base: the policy that an adapter was trained on; the adapter goes to RUN/adapter and, merged, into the policy.
            None where the weights themselves were trained.
    """
    accelerator, written = trainer.accelerator, run.path / "policy.partial"
    model = accelerator.unwrap_model(trainer.model)
    state = whole_state(trainer) if base is None else None
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        shutil.rmtree(written, ignore_errors=True)
        if base is not None:
            adapter = run.path / "adapter.partial"
            shutil.rmtree(adapter, ignore_errors=True)
            model.save_pretrained(adapter, save_embedding_layers=False)
            save_policy(merged_policy(base, adapter), written)
            run.move_into_place(adapter, run.path / "adapter")
        else:
            save_policy(Policy(model, trainer.processing_class, str(run.policy)), written, state)
        # Last, since a run with a policy in place is finished.
        run.move_into_place(written, run.policy)
    accelerator.wait_for_everyone()


def load_weights(trainer: Any, directory: Path) -> None:
    """Put saved weights, a policy's or an adapter's, into the trainer's model."""
    accelerator = trainer.accelerator
    if is_adapter(directory):
        load_adapter(accelerator.unwrap_model(trainer.model), directory)
        return
    state = load_policy(PolicyConfig(path=str(directory))).model.state_dict()
    kind = sharding()
    if kind == "FSDP":
        from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

        # The main process has it all; the others may have read no weights (fsdp_cpu_ram_efficient_loading).
        options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
        set_model_state_dict(trainer.model_wrapped, state, options=options)
        return
    model = accelerator.unwrap_model(trainer.model_wrapped)
    if kind == "ZeRO-3":
        deepspeed = importlib.import_module("deepspeed")
        with deepspeed.zero.GatheredParameters(list(model.parameters()), modifier_rank=0):
            if accelerator.is_main_process:
                model.load_state_dict(state)
        return
    model.load_state_dict(state)


def saved_tensors(directory: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights in a policy's directory by name, one at a time, as transformers and vLLM name them.

    Raises:
        ConfigError: there are none in the safetensors format.
    """
    files = sorted(directory.glob("model*.safetensors"))
    if not files:
        raise ConfigError(f"there are no weights in '{directory}' (no model.safetensors)")
    for file in files:
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - it is no mapping
                yield name, opened.get_tensor(name)


def give_engine(trainer: Any, directory: Path) -> None:
    """Give vLLM the weights of a saved policy; transformers generation uses the trainer's as they are.

    TRL's own synchronisation is for the steps of training: before the first one FSDP has not yet spread the weights,
    and it adds an adapter into them and takes it away again. What was saved is whole, and is what will be used.
    """
    if not trainer.use_vllm:
        return
    generation = trainer.vllm_generation
    if generation.mode == "colocate":
        generation.llm.llm_engine.model_executor.driver_worker.model_runner.model.load_weights(saved_tensors(directory))
        generation.llm.reset_prefix_cache()
    elif trainer.accelerator.is_main_process:
        client, device = generation.vllm_client, trainer.accelerator.device
        client.update_named_params(
            [(name, str(t.dtype).removeprefix("torch."), list(t.shape)) for name, t in saved_tensors(directory)],
            ((name, tensor.to(device)) for name, tensor in saved_tensors(directory)),
        )
        client.reset_prefix_cache()
    # The server has them when the main process says so.
    trainer.accelerator.wait_for_everyone()
