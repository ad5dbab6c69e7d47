"""What TRL makes of our verdicts: an UNKNOWN moves nothing and biases nobody."""

import pytest
import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from proofgrad.rl.rollout import proved


def trainer_of(policy, tmp_path, **columns):
    """TRL's own trainer with a rollout function that gives these columns for one group."""
    ids, size = policy.tokenizer("theorem")["input_ids"], len(columns["verdict_reward"])

    def rollout(prompts, trainer):
        usual = {"completion_ids": [[5, 6]] * size, "logprobs": [[-1.0, -1.0]] * size}
        return {"prompt_ids": [ids] * size, **usual, **columns}

    return GRPOTrainer(
        model=policy.model,
        processing_class=policy.tokenizer,
        reward_funcs=proved,
        rollout_func=rollout,
        train_dataset=Dataset.from_list([{"prompt": "theorem"}]),
        args=GRPOConfig(
            output_dir=str(tmp_path), per_device_train_batch_size=size, num_generations=size, loss_type="dr_grpo",
            scale_rewards="none", use_cpu=True, bf16=False, report_to=[], max_completion_length=8,
        ),
    )  # fmt: skip


def scored(trainer, size):
    trainer.model.train()
    with torch.no_grad():
        return trainer._generate_and_score_completions([{"prompt": "theorem"} for _ in range(size)])


def advantages_of(policy, rewards, tmp_path):
    """Advantages that TRL's own trainer gives a group of completions with these rewards."""
    return scored(trainer_of(policy, tmp_path, verdict_reward=list(rewards)), len(rewards))["advantages"].tolist()


def gradient_of(policy, tmp_path, completions, masks):
    """The gradient of TRL's own loss on one group, as one vector."""
    logprobs = [[-1.0] * len(ids) for ids in completions]
    columns = {"completion_ids": completions, "logprobs": logprobs, "env_mask": masks}
    trainer = trainer_of(policy, tmp_path, verdict_reward=[1.0, 0.0], **columns)
    inputs = scored(trainer, 2)
    trainer.current_gradient_accumulation_steps = 1  # set by `train`, which is not called here
    trainer.model.zero_grad()
    trainer.compute_loss(trainer.model, inputs).backward()
    return torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])


@pytest.mark.filterwarnings("ignore")
def test_a_group_with_unknown_has_the_advantages_of_the_group_without_it(tiny_policy, tmp_path):
    whole = advantages_of(tiny_policy, [1.0, 0.0, 0.0, 1.0], tmp_path)
    with_unknown = advantages_of(tiny_policy, [1.0, None, 0.0, 0.0, None, 1.0], tmp_path)
    assert whole == pytest.approx([0.5, -0.5, -0.5, 0.5])
    assert with_unknown == pytest.approx([0.5, 0.0, -0.5, -0.5, 0.0, 0.5])


@pytest.mark.filterwarnings("ignore")
def test_feedback_carries_no_loss(tiny_policy, tmp_path):
    """Inserted tokens behind an attempt leave its gradient as it was; the same tokens as the policy's own do not."""
    attempts, feedback = [[5, 6, 7], [8, 9, 5]], [11, 12, 13]
    alone = gradient_of(tiny_policy, tmp_path, attempts, [[1] * 3] * 2)
    longer = [ids + feedback for ids in attempts]
    masked = gradient_of(tiny_policy, tmp_path, longer, [[1] * 3 + [0] * 3] * 2)
    own = gradient_of(tiny_policy, tmp_path, longer, [[1] * 6] * 2)
    assert alone.abs().max() > 0
    assert torch.allclose(masked, alone, atol=1e-6)
    assert not torch.allclose(own, alone, atol=1e-6)
