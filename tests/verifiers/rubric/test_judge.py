"""Judges over the real protocol: what counts as a mark, and what becomes of everything else."""
# ruff: noqa: E501  # one case a line: a table is easier to scan than wrapped strings

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers.errors import ConfigError, MissingExtraError
from proofgrad.verifiers.rubric import Mark, OpenAIJudge, make_judge
from proofgrad.verifiers.rubric.in_process import model_identity
from proofgrad.verifiers.rubric.judge import judge_model, parse_reply
from proofgrad.verifiers.rubric.prompt import SCHEMA, Question, prompt_version, question

QUESTION = Question("You grade.", "How good is it?")


@pytest.mark.parametrize("score", [1, 2, 3, 4, 5])
def test_a_reply_of_the_right_form_is_a_mark(score):
    assert parse_reply(json.dumps({"score": score})) == Mark(score)
    assert parse_reply(f' {{ "score" : {score} }}\n') == Mark(score)


@pytest.mark.parametrize(
    "reply",
    [
        "", "5", "five", "null", "[5]", '"5"', "{}", '{"score": "5"}', '{"score": 5.0}', '{"score": true}', '{"score": null}',
        '{"score": NaN}', '{"score": Infinity}', '{"score": 0}', '{"score": 6}', '{"score": -1}', '{"score": 1e0}',
        '{"score": 5, "score": 5}', '{"score": 1, "score": 5}', '{"score": 5, "why": "x"}', '{"Score": 5}', '{"score": [5]}',
        'Sure! {"score": 5}', '{"score": 5} because', '```json\n{"score": 5}\n```', '{"score": 5}{"score": 5}', '{"score": 5',
        '{"score": ' + "9" * 5000 + "}", "[" * 4000, '{"a":' * 600, "<think>good</think>{\"score\": 5}", " " * 5000, "\x00",
    ],
)  # fmt: skip
def test_anything_else_is_no_mark(reply):
    mark = parse_reply(reply)
    assert (mark.score, mark.reason) == (None, "infra.judge_unparseable")
    assert mark.detail
    assert len(mark.detail) <= 300


@given(st.text() | st.none() | st.integers())
def test_no_reply_raises(reply):
    mark = parse_reply(reply)
    assert mark.score is None or reply.split() == json.dumps({"score": mark.score}).split() or "score" in reply


@pytest.fixture
def judge(endpoint):
    made = OpenAIJudge(endpoint.url, "m", timeout_s=0.3, retries=1)
    yield made
    made.close()


def test_a_request_asks_for_the_schema_greedily_with_a_fixed_seed(endpoint, judge):
    assert judge.ask([QUESTION]) == [Mark(5)]
    (request,) = endpoint.requests
    assert request["messages"] == QUESTION.messages()
    assert (request["model"], request["temperature"], request["seed"]) == ("m", 0, 0)
    assert request["response_format"]["type"] == "json_schema"
    assert request["response_format"]["json_schema"] == {"name": "mark", "strict": True, "schema": SCHEMA}


def test_marks_come_in_the_order_of_the_questions(endpoint, judge):
    endpoint.reply = lambda body: json.dumps({"score": int(body["messages"][1]["content"])})
    asked = [Question("s", str(n % 5 + 1)) for n in range(23)]
    assert [mark.score for mark in judge.ask(asked)] == [n % 5 + 1 for n in range(23)]


@pytest.mark.parametrize(
    ("reply", "reason", "attempts"),
    [
        ((500, {"error": {"message": "boom"}}), "unreachable", 2),
        ((503, b"not json"), "unreachable", 2),
        ((429, {"error": {"message": "slow down"}}), "unreachable", 2),
        ((400, {"error": {"message": "context length"}}), "rejected", 1),
        ((401, {"error": {"message": "no key"}}), "rejected", 1),
        ((404, {"error": {"message": "no such model"}}), "rejected", 1),
        ((200, b"{not json"), "unparseable", 2),
        ((200, b""), "unparseable", 2),
        ((200, b"[]"), "unparseable", 2),
        ((200, b"null"), "unparseable", 2),
        ((200, {"choices": []}), "unparseable", 2),
        ((200, {"choices": [{}]}), "unparseable", 2),
        ((200, {"choices": None}), "unparseable", 2),
        ((200, {"error": "x"}), "unparseable", 2),
        ("That answer deserves a 5.", "unparseable", 2),
        ('{"score": 7}', "unparseable", 2),
        (None, "unparseable", 2),
    ],
)
def test_what_goes_wrong_is_no_mark_with_a_reason(endpoint, judge, reply, reason, attempts):
    endpoint.reply = lambda body: reply
    (mark,) = judge.ask([QUESTION])
    assert (mark.score, mark.reason) == (None, f"infra.judge_{reason}")
    assert len(endpoint.requests) == attempts


def test_a_slow_endpoint_is_a_timeout(endpoint, judge, sleepy):
    endpoint.reply = sleepy
    assert judge.ask([QUESTION])[0].reason == "infra.judge_timeout"


def test_an_endpoint_that_is_down_is_unreachable():
    judge = OpenAIJudge("http://127.0.0.1:9/v1", "m", timeout_s=0.5, retries=0)
    assert judge.ask([QUESTION])[0].reason == "infra.judge_unreachable"


def test_a_model_that_refuses_is_not_asked_again(endpoint, judge, chat_completion):
    endpoint.reply = lambda body: (200, chat_completion(None, message={"refusal": "I cannot."}))
    assert judge.ask([QUESTION])[0].reason == "infra.judge_refused"
    endpoint.reply = lambda body: (200, chat_completion("", finish_reason="content_filter"))
    assert judge.ask([QUESTION])[0].reason == "infra.judge_refused"
    assert len(endpoint.requests) == 2


def test_a_reply_that_was_cut_off_is_no_mark_even_if_it_reads_like_one(endpoint, judge, chat_completion):
    endpoint.reply = lambda body: (200, chat_completion('{"score": 5}', finish_reason="length"))
    assert judge.ask([QUESTION])[0].reason == "infra.judge_unparseable"


def test_two_choices_are_no_mark(endpoint, judge, chat_completion):
    reply = chat_completion('{"score": 5}')
    reply["choices"] *= 2
    endpoint.reply = lambda body: (200, reply)
    assert judge.ask([QUESTION])[0].reason == "infra.judge_unparseable"


def test_a_fault_that_passes_is_got_over(endpoint, judge):
    replies = iter([(503, {}), '{"score": 2}'])
    endpoint.reply = lambda body: next(replies)
    assert judge.ask([QUESTION]) == [Mark(2)]


def test_the_key_comes_from_the_environment(endpoint, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "s3cret")
    judge = make_judge({"url": endpoint.url, "model": "m", "api_key_env": "JUDGE_KEY"})
    assert judge.ask([QUESTION]) == [Mark(5)]
    assert endpoint.headers[0]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(vars(judge)["model"])


def test_without_the_client_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtraError, match=r"proofgrad\[rubric\]"):
        OpenAIJudge("http://127.0.0.1:9/v1", "m")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "give either 'url' and 'model'"),
        ({"url": "http://x/v1", "in_process": "y"}, "give either"),
        ({"url": "http://x/v1"}, "an endpoint needs 'model'"),
        ({"url": "x:8000", "model": "m"}, "must begin with http://"),
        ({"url": "http://x/v1", "modle": "m"}, "unknown key 'modle'; did you mean 'model'?"),
        ({"url": "http://x/v1", "model": "m", "retries": -1}, "retries: input should be greater"),
        ({"url": "http://x/v1", "model": "m", "memory": 0.5}, "memory is of no use with url"),
        ({"in_process": "/nowhere/at/all", "retries": 1}, "retries is of no use with in_process"),
        ({"in_process": "/nowhere/at/all"}, "there is no model directory"),
        ("gpt", "give a mapping with 'url'"),
    ],
)
def test_a_malformed_judge_is_refused(spec, message):
    with pytest.raises(ConfigError, match=message):
        judge_model(spec)


def test_a_retrained_model_is_another_judge(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(bytes(300_000))
    with pytest.raises(ConfigError, match=r"no config\.json"):
        model_identity(str(model))
    (model / "config.json").write_text("{}")
    first = model_identity(str(model))
    assert first.startswith("model@")
    assert model_identity(str(model)) == first == judge_model({"in_process": str(model)})
    (model / "model.safetensors").write_bytes(bytes(299_999) + b"1")
    assert model_identity(str(model)) != first
    assert model_identity("org/name") == "org/name"


def test_a_question_shows_task_reference_and_answer_as_quotations(tea):
    made = question(tea, tea.judged[0], {"prompt": "P?", "reference": "R."}, "A!", key=b"k")
    lines = made.user.split("\n")
    tag = made.system.split("BEGIN NAME ")[1][:32]
    for name, text in [("TASK", "P?"), ("REFERENCE", "R."), ("ANSWER", "A!")]:
        at = lines.index(f"BEGIN {name} {tag}")
        assert lines[at : at + 3] == [f"BEGIN {name} {tag}", f"| {text}", f"END {name} {tag}"]


def test_the_order_decides_whether_the_criterion_stands_first(tea):
    criterion = tea.judged[0]
    asked = {
        order: question(tea, criterion, {"prompt": "P"}, "A", key=b"k", order=order).user
        for order in ("criterion_first", "answer_first")
    }
    assert asked["criterion_first"].index(criterion.text) < asked["criterion_first"].index("BEGIN")
    assert asked["answer_first"].index(criterion.text) > asked["answer_first"].rindex("END")


def test_a_question_is_the_same_for_the_same_key_and_another_for_another(tea):
    one, again, other = (question(tea, tea.judged[0], {"prompt": "P"}, "A", key=key) for key in (b"k", b"k", b"l"))
    assert one == again != other


def test_another_criterion_or_answer_has_another_tag(tea):
    asked = [
        question(tea, criterion, {"prompt": "P"}, answer, key=b"k").system
        for criterion in tea.judged for answer in ("A", "B")
    ]  # fmt: skip
    assert len(set(asked)) == len(asked)


def test_the_prompt_version_is_stable_within_a_process_and_names_itself():
    assert prompt_version() == prompt_version()
    assert prompt_version().startswith("1-")
