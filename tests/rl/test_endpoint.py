"""A policy behind an OpenAI-compatible endpoint: the protocol, what fails and is tried again, and turns in messages.

The server here speaks the protocol as vLLM's does; the field names are those of its replies.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager

import httpx
import pytest
import typer
import uvicorn
from fastapi import FastAPI, Request, Response
from typer.testing import CliRunner

from proofgrad.envs.base import Task
from proofgrad.rl import endpoint as endpoints
from proofgrad.rl.commands.evaluate import evaluate_command
from proofgrad.rl.config import LoopConfig, ScratchPolicy
from proofgrad.rl.endpoint import UNKNOWN_TOKEN, EndpointDownError, EndpointEngine, NoTokenizer, is_endpoint
from proofgrad.rl.engine import Sampling
from proofgrad.rl.evaluate import Evaluation
from proofgrad.rl.evaluation.directory import EvaluationDirectory
from proofgrad.rl.evaluation.stored import read_rows
from proofgrad.rl.loop import Halt
from proofgrad.rl.rollout import roll_out
from proofgrad.rl.run_directory import write_rows
from proofgrad.verifiers.base import Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError, ProofgradError

ONE_TURN = LoopConfig()


class Fake:
    """Answers ``answer N`` to the Nth request with the same prompt; `script` gives replies in place of that."""

    def __init__(self, models=("tiny",), script=(), key=None, delay=0.0, logprobs=True):
        self.models, self.script, self.key, self.delay, self.logprobs = models, list(script), key, delay, logprobs
        self.bodies, self.counts, self.lock = [], Counter(), threading.Lock()
        self.under_way = self.most = 0
        self.app = FastAPI()
        self.app.get("/v1/models")(self.listing)
        self.app.post("/v1/completions")(self.plain)
        self.app.post("/v1/chat/completions")(self.chat)

    def listing(self, request: Request):
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return Response('{"error": {"message": "no"}}', 401)
        return {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}

    async def plain(self, request: Request):
        return await self.reply(await request.json(), is_chat=False)

    async def chat(self, request: Request):
        return await self.reply(await request.json(), is_chat=True)

    async def reply(self, body, is_chat):
        import asyncio

        prompt = json.dumps(body["messages"]) if is_chat else body["prompt"]
        if not self.logprobs and "logprobs" in body:
            self.bodies.append(body)
            return Response('{"error": {"message": "logprobs are not supported"}}', 400)
        with self.lock:
            self.bodies.append(body)
            self.counts[prompt] += 1
            number = self.counts[prompt]
            scripted = self.script.pop(0) if self.script else None
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        await asyncio.sleep(self.delay)
        self.under_way -= 1
        if isinstance(scripted, int):
            return Response('{"error": {"message": "not now"}}', scripted, {"retry-after": "0.01"})
        if isinstance(scripted, Response):
            return scripted
        text = f"answer {number}"
        words = ["answer", str(number)]
        wants = self.logprobs and "logprobs" in body
        choice = {"index": 0, "finish_reason": "length" if body.get("max_tokens") == 1 else "stop"}
        if is_chat:
            content = [{"token": word, "logprob": -0.5, "top_logprobs": []} for word in words]
            choice |= {"message": {"role": "assistant", "content": text},
                       "logprobs": {"content": content} if wants else None}  # fmt: skip
        else:
            choice |= {"text": text, "logprobs": {"tokens": words, "token_logprobs": [-0.5, -0.5]} if wants else None}
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        return {"id": "x", "object": "reply", "created": 0, "model": body["model"], "choices": [choice], "usage": usage}


@contextmanager
def serving(fake):
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(fake.app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(endpoints, "_FIRST_PAUSE", 0.01)


class WantsSecond:
    """Refuses all answers but second ones."""

    def submit(self, task, completion):
        from concurrent.futures import Future

        verdict = Future()
        right = completion.endswith(task.problem["wanted"])
        verdict.set_result(Verdict.passed("t.ok") if right else Verdict.failed("t.no", feedback=f"not {completion}"))
        return completion, verdict

    def feedback(self, task, verdict):
        return f"No: {verdict.feedback}"


def task(name, prompt=None, wanted="1"):
    asked = [{"role": "user", "content": name}] if prompt is None else prompt
    return Task(name, asked, {"wanted": wanted}, "scripted", "test", None, "held-out", "scripted@0")


def sampled(url, tasks, *, temperature=0.7, max_tokens=9, loop=ONE_TURN, **options):
    engine = EndpointEngine(url, **options)
    try:
        sampling = Sampling(temperature, max_tokens)
        return roll_out(tasks, range(1, 1 + len(tasks)), engine, NoTokenizer(), WantsSecond(), sampling, loop)
    finally:
        engine.close()


def test_messages_go_to_the_chat_and_text_to_plain_completions():
    fake = Fake()
    with serving(fake) as url:
        chat, plain = sampled(url, [task("a"), task("b", "theorem b :=")])
    by_kind = {"messages" in body: body for body in fake.bodies}
    assert by_kind[True]["messages"] == [{"role": "user", "content": "a"}]
    assert by_kind[False]["prompt"] == "theorem b :="
    assert (by_kind[True]["max_completion_tokens"], by_kind[False]["max_tokens"]) == (9, 9)
    assert {body["temperature"] for body in fake.bodies} == {0.7}
    assert (by_kind[True]["seed"], by_kind[False]["seed"]) == (1, 2)
    for rollout in (chat, plain):
        assert rollout.verdict.is_pass
        assert rollout.tokens == 2  # as the endpoint counts them
        assert rollout.completion_ids == [UNKNOWN_TOKEN] * 2
        assert rollout.logprobs == [-0.5, -0.5]


def test_an_endpoint_without_log_probabilities_is_asked_without():
    fake = Fake(logprobs=False)
    with serving(fake) as url:
        rollouts = sampled(url, [task(str(n)) for n in range(6)], concurrency=1)
    assert [r.verdict.outcome for r in rollouts] == [Outcome.PASS] * 6
    assert all(r.logprobs == [] and r.tokens == 2 for r in rollouts)
    assert sum("logprobs" in body for body in fake.bodies) == 1


def test_a_revision_goes_on_with_the_conversation():
    fake = Fake()
    with serving(fake) as url:
        chat, plain = sampled(url, [task("a", wanted="x"), task("b", "Q:", "x")], loop=LoopConfig(max_turns=2))
    assert [len(r.turns) for r in (chat, plain)] == [2, 2]
    second = [body for body in fake.bodies if len(body.get("messages", ())) == 3]
    assert second[0]["messages"] == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "answer 1"},
        {"role": "user", "content": "No: not answer 1"},
    ]
    assert "Q:answer 1\nNo: not answer 1\nQ:" in [body.get("prompt") for body in fake.bodies]
    assert len({body["seed"] for body in fake.bodies}) == 4


def test_an_answer_without_a_word_can_be_revised():
    said = {"message": {"role": "assistant", "content": None}, "finish_reason": "stop", "index": 0}
    empty = json.dumps({"choices": [said], "usage": {"completion_tokens": 1}})
    fake = Fake(script=[Response(empty, media_type="application/json")])
    with serving(fake) as url:
        (rollout,) = sampled(url, [task("a")], loop=LoopConfig(max_turns=2))
    assert [turn.completion.text for turn in rollout.turns] == ["", "answer 1"]
    assert rollout.verdict.is_pass


def test_requests_are_under_way_together_and_no_more_than_asked_for():
    fake = Fake(delay=0.05)
    with serving(fake) as url:
        started = time.monotonic()
        sampled(url, [task(str(n)) for n in range(24)], concurrency=6)
    assert 2 <= fake.most <= 6
    assert time.monotonic() - started < 24 * 0.05 + 2


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again(status):
    fake = Fake(script=[status, status])
    with serving(fake) as url:
        (rollout,) = sampled(url, [task("a", wanted="3")])
    assert rollout.verdict.is_pass


def test_a_request_that_fails_for_good_is_unknown_and_never_a_fail():
    fake = Fake(script=[400])
    with serving(fake) as url:
        failed, passed = sampled(url, [task("a"), task("b")], concurrency=1)
    assert (failed.verdict.outcome, failed.verdict.reason, failed.halt) == (
        Outcome.UNKNOWN, "infra.generation", Halt.UNKNOWN,
    )  # fmt: skip
    assert "status 400: " in failed.verdict.feedback
    assert failed.tokens == 0
    assert passed.verdict.is_pass
    assert len(fake.bodies) == 2  # a refusal is not asked again


@pytest.mark.parametrize(
    "body",
    ["no json", "[]", '{"choices": []}', '{"choices": [{"message": {"content": 7}}]}',
     '{"choices": [{"message": {"content": "no usage"}}]}'],
)  # fmt: skip
def test_a_reply_that_is_no_completion_is_asked_for_again(body):
    fake = Fake(script=[Response(body, media_type="application/json")], logprobs=True)
    with serving(fake) as url:
        (rollout,) = sampled(url, [task("a", wanted="2")])
    assert rollout.verdict.is_pass


@pytest.mark.parametrize("found", ['{"content": [{"token": "a"}]}', '{"content": [7]}', '{"content": [null]}'])
def test_log_probabilities_in_another_shape_are_none_and_cost_no_completion(found):
    reply = (
        f'{{"choices": [{{"message": {{"content": "1"}}, "logprobs": {found}}}], "usage": {{"completion_tokens": 1}}}}'
    )
    with serving(Fake(script=[Response(reply, media_type="application/json")])) as url:
        (rollout,) = sampled(url, [task("a")])
    assert (rollout.verdict.is_pass, rollout.logprobs, rollout.tokens) == (True, [], 1)


def test_half_a_character_does_not_keep_a_completion_from_being_stored(tmp_path):
    reply = '{"choices": [{"message": {"content": "\\ud83d1"}}], "usage": {"completion_tokens": 1}}'
    with serving(Fake(script=[Response(reply, media_type="application/json")])) as url:
        (rollout,) = sampled(url, [task("a")])
    write_rows(tmp_path / "x.parquet", [rollout.to_row()])
    assert read_rows(tmp_path / "x.parquet")[0]["completion"] == "?1"


def test_an_endpoint_that_fails_everything_stops_the_evaluation():
    with serving(Fake(script=[500] * 1000)) as url:
        with pytest.raises(ProofgradError, match="has failed 3 requests in a row: status 500"):
            sampled(url, [task(str(n)) for n in range(3)], retries=1)
        with pytest.raises(ProofgradError, match="has failed 5 requests in a row"):
            sampled(url, [task(str(n)) for n in range(50)], retries=0, concurrency=2)


@pytest.mark.parametrize("url", ["http:///v1", "http://[::1/v1", "http://127.0.0.1:x/v1", "http://127.0.0.1:99999/v1"])
def test_what_is_no_address_is_one_line(url):
    with pytest.raises(ConfigError, match="is no endpoint's address"):
        EndpointEngine(url)


def test_nobody_there_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ProofgradError, match=rf"the endpoint http://127.0.0.1:{port}/v1 cannot be reached"):
        EndpointEngine(f"http://127.0.0.1:{port}/v1")


def test_the_only_model_is_taken_and_others_are_asked_for_by_name():
    with serving(Fake(models=("tiny",))) as url:
        assert EndpointEngine(url).model == "tiny"
        with pytest.raises(ConfigError, match=r"does not serve 'tniy'; did you mean 'tiny'\?"):
            EndpointEngine(url, "tniy")
    with serving(Fake(models=("a", "b"))) as url:
        with pytest.raises(ConfigError, match=r"--served-model NAME \(one of a, b\)"):
            EndpointEngine(url)
        assert EndpointEngine(url, "b").model == "b"


def test_the_key_comes_from_the_environment_alone(monkeypatch):
    with serving(Fake(key="secret")) as url:
        monkeypatch.setenv("MY_KEY", "secret")
        assert EndpointEngine(url, api_key_env="MY_KEY").model == "tiny"
        monkeypatch.setenv("MY_KEY", "other")
        with pytest.raises(ProofgradError, match="refuses the key: set MY_KEY"):
            EndpointEngine(url, api_key_env="MY_KEY")
        with pytest.raises(ConfigError, match="must not hold a key") as caught:
            EndpointEngine(url.replace("http://", "http://me:secret@"))
    assert "secret" not in str(caught.value)


def test_what_is_an_endpoint_is_told_from_a_model():
    assert is_endpoint("http://127.0.0.1:8000/v1")
    assert not is_endpoint("runs/quickstart")


def stored_rows(path):
    """What is stored of each sample; seconds, to fewer digits each time that they are written, are left out."""
    rows = [row for file in EvaluationDirectory(path).chunks() for row in read_rows(file)]
    for part in (*rows, *(turn for row in rows for turn in row["turns"])):
        del part["generate_seconds"], part["verify_seconds"]
    return rows


def proofgrad(*args):
    app = typer.Typer()
    app.command()(evaluate_command)
    return CliRunner().invoke(app, [str(arg) for arg in args], env={"COLUMNS": "200"})


def test_the_command_evaluates_an_endpoint_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    monkeypatch.chdir(tmp_path)
    small = ("--tasks", "synthesis", "--limit", 3, "--samples", 2, "--max-tokens", 5, "--chunk", 2, "--max-turns", 2)
    fake = Fake(key="secret", script=[Response(status_code=400)])
    with serving(fake) as url:
        command = (url, *small, "--api-key-env", "MY_KEY", "--concurrency", 4)
        done = proofgrad(*command)
        assert done.exit_code == 0, done.exception
        found = tmp_path / "evaluations" / "tiny-synthesis"
        evaluation = Evaluation.load(found / "evaluation.json")
        assert (evaluation.engine, len(evaluation.results)) == ("endpoint", 3)
        assert sum(r.unknown for r in evaluation.results) == 1  # the one that was refused, and no fail
        rows = stored_rows(found)
        (refused,) = [place for place, row in enumerate(rows) if row["reason"] == "infra.generation"]
        sampled = len(fake.bodies)
        again = proofgrad(*command)
        assert again.exit_code == 0, again.exception
        assert "1 samples whose requests had failed were sampled again" in again.stdout
        assert fake.bodies[sampled]["seed"] == fake.bodies[0]["seed"]
        now = stored_rows(found)
        assert sum(r.unknown for r in Evaluation.load(found / "evaluation.json").results) == 0
        assert [row for place, row in enumerate(now) if place != refused] == rows[:refused] + rows[refused + 1 :]
        assert len(fake.bodies) - sampled == now[refused]["turn_count"]
        done_with = len(fake.bodies)
        assert "sampled again" not in proofgrad(*command).stdout
        assert len(fake.bodies) == done_with
    assert all("messages" in body for body in fake.bodies)  # an endpoint's model is taken for one that chats
    first = {body["seed"] for body in fake.bodies if len(body["messages"]) == 1}
    assert len(first) == 3 * 2 + 3 * 2 * 3  # pass@k, and what revising is set against; none of them twice
    stored = b"".join(path.read_bytes() for path in found.rglob("*") if path.is_file())
    assert b"secret" not in stored + done.stdout.encode()
    assert all(row["logprob"] == -1.0 for row in read_rows(found / "rollouts.parquet") if row["tokens"])


def test_a_request_that_fails_again_stays_unknown_and_costs_nothing_else(tmp_path):
    small = ("--tasks", "synthesis", "--limit", 3, "--samples", 2, "--max-tokens", 5, "--chunk", 2)
    fake = Fake(script=[Response('{"error": {"message": "too rude"}}', status_code=400)])
    with serving(fake) as url:
        command = (url, *small, "--output-dir", tmp_path / "e", "--concurrency", 1)
        assert proofgrad(*command).exit_code == 0
        before = stored_rows(tmp_path / "e")
        fake.script = [Response('{"error": {"message": "too rude"}}', status_code=400)]
        again = proofgrad(*command)
        assert again.exit_code == 0, again.exception
        said = " ".join(again.stdout.split())
        assert "1 samples whose requests had failed were sampled again; 1 have failed again and stay UNKNOWN: " in said
        assert "too rude" in said
    names = ("task", "completion", "outcome", "reason")
    after = stored_rows(tmp_path / "e")
    assert [[row[name] for name in names] for row in after] == [[row[name] for name in names] for row in before]


def test_a_revision_that_was_not_answered_is_asked_for_again_behind_the_attempt_before(tmp_path):
    small = ("--tasks", "synthesis", "--limit", 2, "--samples", 1, "--max-tokens", 5, "--max-turns", 2)
    fake = Fake()
    real, refused = fake.reply, []

    async def reply(body, is_chat):
        if len(body["messages"]) > 1 and not refused:
            refused.append(body)
            return Response('{"error": {"message": "no"}}', status_code=400)
        return await real(body, is_chat)

    fake.reply = reply
    with serving(fake) as url:
        command = (url, *small, "--output-dir", tmp_path / "e", "--concurrency", 1)
        assert proofgrad(*command).exit_code == 0
        pace = EvaluationDirectory(tmp_path / "e").pace().tokens
        sampled = len(fake.bodies)
        assert proofgrad(*command).exit_code == 0
    (again,) = fake.bodies[sampled:]
    assert (again["messages"], again["seed"]) == (refused[0]["messages"], refused[0]["seed"])
    rows = read_rows(tmp_path / "e" / "revised.parquet")
    assert [row["turn_count"] for row in rows] == [2, 2]
    assert "infra.generation" not in {row["reason"] for row in rows}
    assert EvaluationDirectory(tmp_path / "e").pace().tokens == pace + 2  # only what was written now


def test_an_endpoint_that_was_given_up_is_not_asked_again():
    with serving(Fake()) as url:
        engine = EndpointEngine(url)
        engine.close()
        with pytest.raises(EndpointDownError, match="was given up"):
            roll_out([task("a")], [1], engine, NoTokenizer(), WantsSecond(), Sampling(1.0, 9))


def test_an_endpoint_that_goes_away_leaves_what_is_finished(tmp_path):
    small = ("--tasks", "synthesis", "--limit", 3, "--samples", 2, "--max-tokens", 5, "--chunk", 2)
    fake = Fake(script=[])
    with serving(fake) as url:
        command = (url, *small, "--output-dir", tmp_path / "e")
        real, fake.fails_after = fake.reply, 2

        async def reply(body, is_chat):
            return Response(status_code=404) if len(fake.bodies) >= fake.fails_after else await real(body, is_chat)

        fake.reply = reply
        error = proofgrad(*command).exception
        assert isinstance(error, ProofgradError)
        assert "has failed" in str(error)
        assert str(error).endswith("what is finished is stored: then give the same command again")
        assert len(list((tmp_path / "e" / "completions").glob("*.parquet"))) == 1
        fake.fails_after = 1000
        assert proofgrad(*command).exit_code == 0
    assert len(fake.bodies) == 6  # the two that were finished before are not asked for again


@pytest.mark.slow
def test_vllms_own_server_is_sampled_and_streams_to_the_verifiers(both_envs, real_pool, tmp_path):
    from proofgrad.rl.policy import make_policy, save_policy
    from proofgrad.rl.rollout import Judge

    # Two attempts and the feedback between them have room in its context.
    shape = ScratchPolicy(hidden_size=32, intermediate_size=64, layers=1, heads=2, key_value_heads=1, context=640)
    texts = [c for env in both_envs.values() for _, c in env.demonstrations(20, 0)]
    save_policy(make_policy(shape, texts, seed=0), tmp_path / "tiny")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", tmp_path / "tiny", "--port", str(port),
         "--host", "127.0.0.1", "--served-model-name", "tiny", "--max-model-len", "640"],
        env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"},
        stdout=(tmp_path / "log").open("w"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            assert server.poll() is None, (tmp_path / "log").read_text()[-3000:]
            try:
                httpx.get(f"{url}/health").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(1)
        engine = EndpointEngine(f"{url}/v1", seeds=False)
        assert engine.model == "tiny"
        tasks = [one for env in both_envs.values() for one in env.tasks("train", 8, 0)]
        rollouts = roll_out(
            tasks, range(16), engine, NoTokenizer(), Judge(both_envs, real_pool), Sampling(1.0, 12),
            LoopConfig(max_turns=2),
        )  # fmt: skip
        assert [r.verdict.feedback for r in rollouts if r.verdict.outcome is Outcome.UNKNOWN] == []
        assert all(0 < r.turns[0].completion.token_ids.count(UNKNOWN_TOKEN) <= 12 for r in rollouts)
        assert all(len(r.logprobs) == len(r.completion_ids) for r in rollouts)
        assert any(len(r.turns) == 2 for r in rollouts)
    finally:
        server.terminate()
        server.wait(60)
