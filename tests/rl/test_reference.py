"""The distance from the start: none at first, and then what the formula says."""

import copy

import pytest
import torch

from proofgrad.rl.reference import Reference

TEMPERATURE = 0.8


def logprobs(model, prompt, completion):
    """Log-probabilities of one sequence's completion, without padding."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt + completion])).logits[0] / TEMPERATURE
    scored = torch.log_softmax(logits.float(), dim=-1)
    return [scored[len(prompt) + i - 1, token].item() for i, token in enumerate(completion)]


def output_of(model, sequences, tool_mask=None):
    """What TRL's trainer makes of a batch: prompts padded on the left, completions on the right."""
    left, right = (max(len(part) for part in parts) for parts in zip(*sequences, strict=True))
    columns = {key: [] for key in ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")}
    sampled = []
    for prompt, completion in sequences:
        before, behind = left - len(prompt), right - len(completion)
        columns["prompt_ids"].append([0] * before + prompt)
        columns["prompt_mask"].append([0] * before + [1] * len(prompt))
        columns["completion_ids"].append(completion + [0] * behind)
        columns["completion_mask"].append([1] * len(completion) + [0] * behind)
        sampled.append(logprobs(model, prompt, completion) + [0.0] * behind)
    output = {key: torch.tensor(rows) for key, rows in columns.items()}
    output["sampling_per_token_logps"] = torch.tensor(sampled)
    if tool_mask is not None:
        output["tool_mask"] = torch.tensor(tool_mask)
    return output


SEQUENCES = [([5, 6, 7], [8, 9]), ([5], [10, 11, 12]), ([6, 7], [13])]


@pytest.fixture
def moved(tiny_policy):
    model = copy.deepcopy(tiny_policy.model).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return model


def test_the_policy_is_at_no_distance_from_its_own_copy(tiny_policy):
    reference = Reference(tiny_policy.model, TEMPERATURE, batch_size=2)
    total, count = reference.divergence(output_of(tiny_policy.model.eval(), SEQUENCES)).tolist()
    assert count == 6
    assert total == pytest.approx(0, abs=1e-6)


def test_the_distance_is_what_the_formula_says_and_the_copy_stays_where_it_was(tiny_policy, moved):
    policy = copy.deepcopy(tiny_policy.model).eval()
    reference = Reference(policy, TEMPERATURE, batch_size=2)
    policy.load_state_dict(moved.state_dict())
    differences = [
        start - now
        for prompt, completion in SEQUENCES
        for start, now in zip(
            logprobs(tiny_policy.model.eval(), prompt, completion), logprobs(policy, prompt, completion), strict=True
        )
    ]
    expected = sum(torch.tensor(d).exp().item() - d - 1 for d in differences)
    total, count = reference.divergence(output_of(policy, SEQUENCES)).tolist()
    assert (total, count) == (pytest.approx(expected, rel=1e-3), 6)
    assert total > 1e-3


def test_tokens_that_were_put_in_do_not_count(tiny_policy, moved):
    reference = Reference(tiny_policy.model, TEMPERATURE, batch_size=8)
    all_own = reference.divergence(output_of(moved, SEQUENCES[1:2], [[1, 1, 1]]))
    masked = reference.divergence(output_of(moved, SEQUENCES[1:2], [[1, 0, 1]]))
    assert masked[1] == 2
    assert 0 < masked[0] < all_own[0]
