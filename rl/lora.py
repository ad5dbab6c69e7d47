"""Low-rank adapters by peft: made for a policy, read back, and merged into plain weights."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from proofgrad.rl.config import LoraSettings, PolicyConfig
from proofgrad.rl.policy import Policy, load_policy
from proofgrad.rl.reference import Reference
from proofgrad.verifiers.errors import ConfigError, MissingExtraError

__all__ = ["StartReference", "adapter_config", "is_adapter", "load_adapter", "merged_policy", "unmerge_exactly"]


def adapter_config(settings: LoraSettings, model: Any) -> Any:
    """The settings as peft's `LoraConfig`, for this model.

    Raises:
        MissingExtraError: peft is not installed.
        ConfigError: the model has no such layers, or adapters there would not be trained.
    """
    if importlib.util.find_spec("peft") is None:
        raise MissingExtraError("peft", "train", "policy.lora")
    from peft import LoraConfig

    if settings.target_modules != "all-linear":
        check_targets(settings.target_modules, model)
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=settings.target_modules,
    )


def check_targets(names: list[str], model: Any) -> None:
    """Check that a model has each of the named layers; peft itself is content when it has one of them.

    Raises:
        ConfigError: it has not, or one is the output layer, whose weight TRL's loss reads past the adapter.
    """
    output = model.get_output_embeddings()
    adaptable = (torch.nn.Linear, torch.nn.Embedding)
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, adaptable) or type(module).__name__ == "Conv1D"  # GPT-2's transposed linear layer
    }
    for wanted in names:
        matches = [module for name, module in found.items() if name == wanted or name.endswith(f".{wanted}")]
        if not matches:
            known = sorted({name.rpartition(".")[2] for name, module in found.items() if module is not output})
            close = difflib.get_close_matches(wanted, known, 1)
            hint = f"did you mean '{close[0]}'" if close else f"it has {', '.join(known)}"
            raise ConfigError(f"policy.lora.target_modules: the model has no layer '{wanted}': {hint}")
        if any(module is output for module in matches):
            raise ConfigError(
                f"policy.lora.target_modules: '{wanted}' is the output layer, which cannot be trained by an adapter: "
                "leave it out"
            )


def is_adapter(directory: Path) -> bool:
    """Whether an adapter, rather than whole weights, was saved there."""
    return (directory / "adapter_config.json").is_file()


def load_adapter(model: Any, directory: Path) -> None:
    """Put a saved adapter's weights into a model that has one of the same shape."""
    from peft import load_peft_weights, set_peft_model_state_dict

    set_peft_model_state_dict(model, load_peft_weights(str(directory), device="cpu"))


def merged_policy(base: PolicyConfig, adapter: Path) -> Policy:
    """The policy at `base` with a saved adapter added into its weights: a plain transformers model again.

    The sum is made once, from the weights on disk: the model under training stays as it is.
    """
    from peft import PeftModel

    policy = load_policy(base)
    merged = PeftModel.from_pretrained(policy.model, str(adapter)).merge_and_unload()
    return Policy(merged, policy.tokenizer, policy.path)


def unmerge_exactly(model: Any) -> None:
    """Have a model put its weights back as they were when its adapter is taken out of them again.

    peft subtracts what it added, which rounds: TRL does so for vLLM at every step, and the weights drift. This costs
    a copy of the adapted weights while the adapter is in them.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    merge, unmerge = model.merge_adapter, model.unmerge_adapter
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []

    def merge_adapter() -> None:
        layers = [module.get_base_layer() for module in model.modules() if isinstance(module, BaseTunerLayer)]
        kept.extend((layer.weight, layer.weight.detach().clone()) for layer in layers)
        merge()

    def unmerge_adapter() -> None:
        unmerge()
        with torch.no_grad():
            for weight, before in kept:
                weight.copy_(before)
        kept.clear()

    model.merge_adapter, model.unmerge_adapter = merge_adapter, unmerge_adapter


class StartReference(Reference):
    """The policy at the start of GRPO is the one that is trained, with its adapter left out: no copy is needed."""

    def __init__(self, model: Any, temperature: float, batch_size: int) -> None:
        self._model = model
        self._temperature, self._batch_size = temperature, batch_size

    def divergence(self, output: Mapping[str, torch.Tensor]) -> torch.Tensor:
        was_training = self._model.training
        self._model.eval()
        try:
            with self._model.disable_adapter():
                return super().divergence(output)
        finally:
            self._model.train(was_training)
