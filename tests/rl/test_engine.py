"""transformers generation: what comes back is what the policy said, with its log-probabilities."""

from types import SimpleNamespace

import pytest
import torch

from proofgrad.rl import engine as engines
from proofgrad.rl.engine import Request, TransformersEngine, choose_engine, end_tokens
from proofgrad.verifiers.errors import MissingExtraError


class Once:
    """Gives its requests and has no more."""

    def __init__(self, requests):
        self.requests, self.found, self._left = requests, {}, [requests]

    def take(self, wait):
        return self._left.pop() if self._left else []

    def put(self, request_id, completion):
        assert request_id not in self.found
        self.found[request_id] = completion


def sample(policy, prompts, temperature=1.0, max_tokens=10):
    source = Once([Request(i, policy.tokenizer(p)["input_ids"], i, max_tokens) for i, p in enumerate(prompts)])
    TransformersEngine(policy.model, policy.tokenizer).generate(source, temperature)
    return source.requests, [source.found[i] for i in range(len(prompts))]


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_logprobs_are_those_of_the_sampling_distribution(tiny_policy, temperature):
    requests, completions = sample(tiny_policy, ["theorem (p : Prop)", "# xs"], temperature)
    for request, completion in zip(requests, completions, strict=True):
        ids = torch.tensor([[*request.prompt_ids, *completion.token_ids]])
        with torch.no_grad():
            logprobs_TV = torch.log_softmax(tiny_policy.model(ids).logits[0] / temperature, dim=-1)
        start = len(request.prompt_ids) - 1
        expected = [logprobs_TV[start + t, token].item() for t, token in enumerate(completion.token_ids)]
        assert completion.logprobs == pytest.approx(expected, abs=1e-4)


def test_a_models_own_settings_for_sampling_change_nothing(tiny_policy, monkeypatch):
    _, plain = sample(tiny_policy, ["theorem theorem", "# xs"])
    for name, value in {"repetition_penalty": 5.0, "min_p": 0.5, "top_k": 2, "suppress_tokens": [5, 6, 7]}.items():
        monkeypatch.setattr(tiny_policy.model.generation_config, name, value)
    assert sample(tiny_policy, ["theorem theorem", "# xs"])[1] == plain


def test_every_request_is_answered_once_whatever_the_lengths(tiny_policy):
    _, completions = sample(tiny_policy, ["x" * n for n in (1, 40, 3, 17)])
    assert len(completions) == 4
    assert all(1 <= len(c.token_ids) <= 10 for c in completions)


def test_a_completion_is_handed_back_while_others_are_still_being_written(tiny_policy):
    ids = tiny_policy.tokenizer("theorem")["input_ids"]
    requests = [Request(0, ids, 0, 40), Request(1, ids, 0, 2), Request(2, ids, 0, 5)]
    source, steps, at = Once(requests), [], {}
    counting = tiny_policy.model.register_forward_hook(lambda *_: steps.append(1))
    put = source.put

    def noted(request_id, completion):
        at[request_id] = len(steps)
        put(request_id, completion)

    source.put = noted
    try:
        TransformersEngine(tiny_policy.model, tiny_policy.tokenizer).generate(source, 1.0)
    finally:
        counting.remove()
    written = {i: len(source.found[i].token_ids) for i in source.found}
    assert written[1] <= 2
    assert written[2] <= 5
    longest = max(written, key=written.get)
    for request_id, tokens in written.items():
        assert at[request_id] <= tokens + 1
    assert at[longest] == len(steps)


def test_a_completion_without_an_end_is_marked_truncated(tiny_policy):
    _, completions = sample(tiny_policy, ["theorem"] * 20, max_tokens=4)
    for completion in completions:
        ended = tiny_policy.tokenizer.eos_token_id in completion.token_ids
        assert completion.truncated != ended
        assert completion.token_ids.count(tiny_policy.tokenizer.eos_token_id) <= 1


def test_greedy_decoding_repeats_itself(tiny_policy):
    _, completions = sample(tiny_policy, ["theorem"] * 3, temperature=0)
    assert len({tuple(c.token_ids) for c in completions}) == 1


def test_sampling_leaves_the_trainers_random_numbers_alone(tiny_policy):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    sample(tiny_policy, ["theorem"])
    assert torch.equal(torch.rand(3), expected)


def test_auto_says_which_engine_it_took_and_why(monkeypatch):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    assert choose_engine("auto") == ("transformers", "vllm is not installed (pip install 'proofgrad[vllm]')")
    with pytest.raises(MissingExtraError, match=r"pip install 'proofgrad\[vllm\]'"):
        choose_engine("vllm")


def test_without_a_compiler_vllm_on_a_cpu_is_not_taken(monkeypatch):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(engines, "_is_cuda_build", lambda: False)
    monkeypatch.setattr(engines.shutil, "which", lambda name: None)
    assert choose_engine("auto") == (
        "transformers",
        "vllm on a CPU compiles its kernels, and no C++ compiler is on PATH (install g++)",
    )
    monkeypatch.setattr(engines.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert choose_engine("auto") == ("vllm", "it is installed")


def test_a_named_engine_is_taken():
    assert choose_engine("transformers")[0] == "transformers"


@pytest.mark.parametrize(("configured", "ends"), [(None, [7]), (5, [5]), ([5, 6], [5, 6])])
def test_a_model_ends_where_its_generation_config_says_or_else_its_tokenizer(configured, ends):
    model = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=configured))
    assert end_tokens(model, SimpleNamespace(eos_token_id=7)) == ends
