"""What TRL makes of our verdicts: an UNKNOWN moves nothing and biases nobody."""

import pytest
import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from proofgrad.rl.rollout import proved


def advantages_of(policy, scores, tmp_path):
    """Advantages that TRL's own trainer gives a group of completions with these scores."""
    ids = policy.tokenizer("theorem")["input_ids"]

    def rollout(prompts, trainer):
        return {
            "prompt_ids": [ids] * len(prompts),
            "completion_ids": [[5, 6]] * len(prompts),
            "logprobs": [[-1.0, -1.0]] * len(prompts),
            "verdict_score": list(scores),
        }

    trainer = GRPOTrainer(
        model=policy.model,
        processing_class=policy.tokenizer,
        reward_funcs=proved,
        rollout_func=rollout,
        train_dataset=Dataset.from_list([{"prompt": "theorem"}]),
        args=GRPOConfig(
            output_dir=str(tmp_path), per_device_train_batch_size=len(scores), num_generations=len(scores),
            scale_rewards="none", use_cpu=True, bf16=False, report_to=[], max_completion_length=4,
        ),
    )  # fmt: skip
    trainer.model.train()
    with torch.no_grad():
        output = trainer._generate_and_score_completions([{"prompt": "theorem"} for _ in scores])
    return output["advantages"].tolist()


@pytest.mark.filterwarnings("ignore")
def test_a_group_with_unknown_has_the_advantages_of_the_group_without_it(tiny_policy, tmp_path):
    whole = advantages_of(tiny_policy, [1.0, 0.0, 0.0, 1.0], tmp_path)
    with_unknown = advantages_of(tiny_policy, [1.0, None, 0.0, 0.0, None, 1.0], tmp_path)
    assert whole == pytest.approx([0.5, -0.5, -0.5, 0.5])
    assert with_unknown == pytest.approx([0.5, 0.0, -0.5, -0.5, 0.0, 0.5])
