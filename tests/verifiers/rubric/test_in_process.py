"""The judge in this process, with a double in place of vLLM; `benchmarks/small_judge.py` runs the real one."""

import sys
import types
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from proofgrad.verifiers.errors import ConfigError, MissingExtraError
from proofgrad.verifiers.rubric import Mark, make_judge
from proofgrad.verifiers.rubric.prompt import SCHEMA, Question


@dataclass
class Double:
    """Stands for `vllm.LLM`: replies with the user's words, and refuses a batch with a prompt that is too long."""

    model: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    params: Any = None

    def __call__(self, model, **options):
        if "broken" in model:
            raise ValueError("no such architecture\nat all")
        self.model, self.options = model, options
        return self

    def get_tokenizer(self):
        return SimpleNamespace(all_special_tokens=["<eos>"], get_added_vocab=lambda: {"~~~": 7, "<eos>": 1})

    def chat(self, conversations, params, use_tqdm):
        self.batches.append(len(conversations))
        self.params = params
        said = [messages[1]["content"] for messages in conversations]
        if "too long" in said:
            raise ValueError("maximum context length")
        return [SimpleNamespace(outputs=[SimpleNamespace(text=t, finish_reason="length" if t == "cut" else "stop")]) for t in said]  # noqa: E501  # fmt: skip


@pytest.fixture
def vllm(monkeypatch):
    double, module = Double(), types.ModuleType("vllm")
    module.LLM, module.SamplingParams = double, lambda **options: SimpleNamespace(**options)
    sampling = types.ModuleType("vllm.sampling_params")
    sampling.StructuredOutputsParams = lambda **options: SimpleNamespace(**options)
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", sampling)
    return double


def asked(*texts):
    return [Question("s", text) for text in texts]


def test_replies_are_greedy_and_constrained_to_the_schema_without_white_space(vllm):
    assert make_judge({"in_process": "org/model"}).ask(asked('{"score": 3}')) == [Mark(3)]
    assert (vllm.params.temperature, vllm.params.structured_outputs.json) == (0.0, SCHEMA)
    assert vllm.options["structured_outputs_config"]["disable_any_whitespace"] is True


def test_one_prompt_that_is_refused_does_not_spoil_its_batch(vllm):
    marks = make_judge({"in_process": "org/model"}).ask(asked('{"score": 3}', "too long", '{"score": 4}'))
    assert [mark.score for mark in marks] == [3, None, 4]
    assert marks[1].reason == "infra.judge_rejected"
    assert vllm.batches == [3, 1, 1, 1]


def test_a_reply_that_was_cut_off_or_is_prose_is_no_mark(vllm):
    marks = make_judge({"in_process": "org/model"}).ask(asked("cut", "Well done!"))
    assert {mark.reason for mark in marks} == {"infra.judge_unparseable"}


def test_the_tokenizers_own_special_tokens_are_known(vllm):
    assert set(make_judge({"in_process": "org/model"}).special_tokens) == {"<eos>", "~~~"}


def test_a_closed_judge_gives_no_mark(vllm):
    judge = make_judge({"in_process": "org/model"})
    judge.close()
    assert judge.ask(asked('{"score": 3}'))[0].reason == "infra.judge_rejected"


def test_a_model_that_cannot_be_loaded_is_one_line(vllm):
    with pytest.raises(ConfigError, match="vLLM cannot load the judge 'org/broken': no such architecture at all"):
        make_judge({"in_process": "org/broken"})


def test_without_vllm_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtraError, match=r"proofgrad\[vllm\]"):
        make_judge({"in_process": "org/model"})
