"""How far training has led away from the policy at its start, measured where no penalty has it measured anyway."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["Reference"]


class Reference:
    """A frozen copy of the policy at the start of GRPO.

    Args:
        model: the policy; it is copied.
        temperature: of the sampling, by which logits are divided here as there.
        batch_size: sequences in one forward pass.
    """

    def __init__(self, model: Any, temperature: float, batch_size: int) -> None:
        self._model = copy.deepcopy(model).eval().requires_grad_(False)
        self._temperature, self._batch_size = temperature, batch_size

    def divergence(self, output: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Sum and number of the per-token KL divergences of the policy that sampled from the copy, in nats; shape (2,).

        Estimated as TRL does where it penalises: exp(d) - d - 1 with d the copy's log-probability of a token less the
        policy's, which is unbiased and never below 0 (k3 of Schulman 2020, joschu.net/blog/kl-approx.html). Tokens that
        were put in, and padding, do not count.

        Args:
            output: what TRL's trainer makes of a generation step; all tensors (batch, time).
        """
        mask_BT = output["completion_mask"]
        if "tool_mask" in output:
            mask_BT = mask_BT * output["tool_mask"]
        # TRL computes the former where it needs them: several updates a step, or another engine's probabilities.
        policy_BT = output.get("old_per_token_logps", output["sampling_per_token_logps"])
        difference_BT = (self._logprobs(output) - policy_BT) * mask_BT
        kl_BT = difference_BT.exp() - difference_BT - 1
        return torch.stack([(kl_BT * mask_BT).sum().double(), mask_BT.sum().double()])

    def _logprobs(self, output: Mapping[str, torch.Tensor]) -> torch.Tensor:
        ids_BT = torch.cat([output["prompt_ids"], output["completion_ids"]], dim=1)
        seen_BT = torch.cat([output["prompt_mask"], output["completion_mask"]], dim=1)
        new_BT = output["completion_ids"]
        self._model.to(ids_BT.device)
        parts = []
        with torch.no_grad():
            for start in range(0, len(ids_BT), self._batch_size):
                rows = slice(start, start + self._batch_size)
                logits_BTV = self._model(input_ids=ids_BT[rows], attention_mask=seen_BT[rows]).logits
                logits_BTV = logits_BTV[:, -new_BT.shape[1] - 1 : -1].float() / self._temperature
                parts.append(torch.log_softmax(logits_BTV, dim=-1).gather(-1, new_BT[rows].unsqueeze(-1)).squeeze(-1))
        return torch.cat(parts)
