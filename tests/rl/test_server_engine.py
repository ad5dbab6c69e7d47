"""A vLLM server: what is asked of it, what comes back, and what is said when it is not the right one.

The fake speaks the routes that TRL 1.16 calls, with answers as vLLM 0.31 gives them (recorded from `vllm serve` on a
CPU). The slow test at the end has that server itself.
"""

import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from types import SimpleNamespace

import pytest
import torch
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

from proofgrad.rl import session as sessions
from proofgrad.rl import trainer as trainers
from proofgrad.rl.config import Config, GenerationConfig
from proofgrad.rl.engine import Request as Asked
from proofgrad.rl.engine import end_tokens
from proofgrad.rl.policy import save_policy
from proofgrad.rl.server_engine import ServerEngine, connect
from proofgrad.verifiers.errors import ConfigError, ProofgradError

pytest.importorskip("vllm")
uvicorn = pytest.importorskip("uvicorn")

END = 1


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class FakeServer:
    """vLLM's OpenAI-compatible server, as far as TRL's client goes."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.model, self.max_model_len = "some/model", 64
        self.weight_transfer, self.logprobs_mode, self.has_dev_mode = {"backend": "nccl"}, "processed_logprobs", True
        self.asked, self.under_way, self.most_under_way = [], 0, 0
        self.held = threading.Event()  # requests with an odd seed wait for it
        self.held.set()
        self.status = 200
        self._lock = threading.Lock()
        self.server = uvicorn.Server(uvicorn.Config(self.app(), port=port, log_level="error"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def app(self):
        app = FastAPI()

        @app.get("/health", response_class=PlainTextResponse)
        def health():
            return ""

        @app.get("/v1/models")
        def models():
            return {"object": "list", "data": [{"id": self.model, "object": "model", "root": self.model}]}

        @app.get("/server_info")
        def server_info(config_format: str):
            if not self.has_dev_mode:
                raise HTTPException(404)
            assert config_format == "json"
            model = {"model": self.model, "max_model_len": self.max_model_len, "logprobs_mode": self.logprobs_mode}
            return {"vllm_config": {"model_config": model, "weight_transfer_config": self.weight_transfer}}

        @app.post("/v1/completions")
        def completions(body: dict, request: Request):
            with self._lock:
                self.asked.append(body)
                self.under_way += 1
                self.most_under_way = max(self.most_under_way, self.under_way)
            try:
                if body["seed"] % 2:
                    self.held.wait(10)
                if self.status != 200:
                    raise HTTPException(self.status, "the engine has died")
                return {"object": "text_completion", "model": self.model, "choices": [self.choice(body)]}
            finally:
                with self._lock:
                    self.under_way -= 1

        return app

    def choice(self, body):
        (prompt,), rng = body["prompt"], random.Random(body["seed"])
        ids = [rng.randrange(40, 200) for _ in range(rng.randint(1, body["max_tokens"] + 3))]
        is_cut = len(ids) > body["max_tokens"]
        ids = ids[: body["max_tokens"]] if is_cut else [*ids[:-1], END]
        names, logprobs = [f"token_id:{token}" for token in ids], [-token / 100 for token in ids]
        return {
            "index": 0,
            "text": "not what is read",
            "logprobs": {
                "text_offset": [0] * len(ids),
                "token_logprobs": logprobs,
                "tokens": names,
                "top_logprobs": [{name: value} for name, value in zip(names, logprobs, strict=True)],
            },
            "finish_reason": "length" if is_cut else "stop",
            "stop_reason": None,
            "token_ids": ids,
            "prompt_logprobs": None,
            "prompt_token_ids": prompt,
        }


@pytest.fixture
def server():
    fake = FakeServer(free_port())
    fake.thread.start()
    while not fake.server.started:
        time.sleep(0.01)
    yield fake
    fake.held.set()
    fake.server.should_exit = True
    fake.thread.join(10)


class Listed:
    """Gives its requests as they are due, and notes when each completion comes."""

    def __init__(self, requests, later=None):
        self.waiting, self.later, self.found = list(requests), later or {}, {}

    def take(self, wait):
        requests, self.waiting = self.waiting, []
        return requests

    def put(self, request_id, completion):
        assert request_id not in self.found
        self.found[request_id] = completion
        self.waiting += self.later.pop(request_id, [])


def settings(server, **changed):
    return GenerationConfig(vllm_mode="server", server_url=server.url, server_timeout_s=0, **changed)


def engine_of(server, policy, requests=8, **changed):
    configured = settings(server, server_requests=requests, **changed)
    client = connect(configured, [server.model], 64)
    return ServerEngine(client, policy.tokenizer, [END], requests)


def test_each_completion_is_asked_for_with_its_own_seed_and_length(server, tiny_policy):
    asked = [Asked(i, [60 + i, 61], 100 + i, 4 + i) for i in range(5)]
    source = Listed(asked)
    engine_of(server, tiny_policy).generate(source, 0.7)
    bodies = sorted(server.asked, key=lambda body: body["seed"])
    assert [body["prompt"] for body in bodies] == [[[60 + i, 61]] for i in range(5)]
    assert [(body["seed"], body["max_tokens"]) for body in bodies] == [(100 + i, 4 + i) for i in range(5)]
    # Whatever the model's own generation_config says, nothing is cut off the distribution that the loss assumes.
    plain = {"temperature": 0.7, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "n": 1}
    assert all(plain.items() <= body.items() for body in bodies)
    for request in asked:
        answer, completion = server.choice({**bodies[request.id]}), source.found[request.id]
        assert completion.token_ids == answer["token_ids"]
        assert completion.logprobs == answer["logprobs"]["token_logprobs"]
        assert completion.truncated == (answer["finish_reason"] == "length")
        assert completion.text == tiny_policy.tokenizer.decode(completion.token_ids, skip_special_tokens=True)
    assert {completion.truncated for completion in source.found.values()} == {True, False}


def test_a_completion_is_handed_on_while_others_are_being_sampled_and_may_free_new_requests(server, tiny_policy):
    server.held.clear()
    late = Asked(2, [63], 4, 5)
    source = Listed([Asked(0, [61], 2, 5), Asked(1, [62], 3, 5)], {0: [late]})
    engine = engine_of(server, tiny_policy)
    running = threading.Thread(target=engine.generate, args=(source, 1.0))
    running.start()
    end = time.monotonic() + 10
    while 2 not in source.found and time.monotonic() < end:
        time.sleep(0.01)
    assert set(source.found) == {0, 2}  # the one in the middle is still under way
    server.held.set()
    running.join(10)
    assert set(source.found) == {0, 1, 2}


def test_no_more_requests_are_under_way_than_configured(server, tiny_policy):
    source = Listed([Asked(i, [60], 2 * i + 1, 5) for i in range(12)])
    server.held.clear()
    threading.Timer(0.5, server.held.set).start()
    engine_of(server, tiny_policy, requests=3).generate(source, 1.0)
    assert server.most_under_way == 3
    assert len(source.found) == 12


def test_a_server_that_fails_ends_the_run_in_one_line(server, tiny_policy):
    engine = engine_of(server, tiny_policy)
    server.status = 400
    with pytest.raises(ProofgradError, match=r"the vLLM server at http://\S+ failed \(Request failed: 400, .*died"):
        engine.generate(Listed([Asked(0, [60], 2, 5)]), 1.0)


def test_a_server_that_does_not_answer_ends_the_run_in_time(server, tiny_policy):
    server.held.clear()
    engine = engine_of(server, tiny_policy, request_timeout_s=0.3)
    started = time.monotonic()
    with pytest.raises(ProofgradError, match=r"failed \(.*timed? ?out.*start it again"):
        engine.generate(Listed([Asked(0, [60], 1, 5)]), 1.0)
    assert time.monotonic() - started < 5
    assert len(server.asked) == 1  # not asked a second time behind its own first


def test_no_server_is_said_with_the_command_that_starts_one():
    nowhere = GenerationConfig(vllm_mode="server", server_url=f"http://127.0.0.1:{free_port()}", server_timeout_s=0.1)
    told = r"no vLLM server answers at http://127.*refused.*VLLM_SERVER_DEV_MODE=1 vllm serve some/model.* 64"
    with pytest.raises(ConfigError, match=told) as caught:
        connect(nowhere, ["some/model"], 64)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"model": "other/model"}, r"has the model 'other/model', and this run trains 'some/model'"),
        ({"weight_transfer": None}, r"was started without a weight-transfer engine"),
        ({"logprobs_mode": "raw_logprobs"}, r"was started without --logprobs-mode processed_logprobs"),
        ({"max_model_len": 63}, r"was started without room for 64 tokens"),
        ({"has_dev_mode": False}, r"is no vLLM server with its development endpoints"),
    ],
)
def test_a_server_that_cannot_be_trained_with_is_refused(server, fault, told):
    for name, value in fault.items():
        setattr(server, name, value)
    with pytest.raises(ConfigError, match=told) as caught:
        connect(settings(server), ["some/model"], 64)
    assert "start it with VLLM_SERVER_DEV_MODE=1 vllm serve some/model" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_policy_may_be_served_by_directory(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server.model = str(tmp_path / "run" / "warm-start")
    assert connect(settings(server), ["some/model", "run/warm-start"], 64).model == server.model


def test_a_server_without_a_gpu_here_is_refused_at_once(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    config = Config.model_validate(
        {"name": "n", "policy": {"path": "x"}, "envs": [{"name": "synthesis"}], "generation": {"vllm_mode": "server"}}
    )
    with pytest.raises(ConfigError, match=r"vllm_mode: server needs a GPU here.*NCCL: take colocate"):
        sessions.refuse_impossible(config, "vllm")


def test_processes_wait_for_the_main_one_to_send_the_weights_before_they_sample(monkeypatch):
    order = []
    monkeypatch.setattr(trainers.RolloutFunction, "__call__", lambda *_: order.append("sampled") or {})
    rollouts = trainers._InStep(None, None, None, 0, None)
    waiting = SimpleNamespace(accelerator=SimpleNamespace(wait_for_everyone=lambda: order.append("waited")))
    assert rollouts([], waiting) == {}
    assert order == ["waited", "sampled"]


def test_trl_is_told_where_the_server_is(tiny_policy, tmp_path):
    generation = {
        "vllm_mode": "server",
        "server_url": "http://gpu9:8123",
        "server_timeout_s": 9,
        "server_group_port": 99,
    }
    config = Config.model_validate(
        {"name": "n", "policy": {"path": "x"}, "envs": [{"name": "synthesis"}], "generation": generation}
    )
    told = trainers.grpo_arguments(config, "vllm", str(tmp_path), tiny_policy)
    assert (told.use_vllm, told.vllm_mode, told.vllm_server_base_url) == (True, "server", "http://gpu9:8123")
    assert (told.vllm_server_timeout, told.vllm_group_port) == (9, 99)


@pytest.mark.parametrize(
    "wrong",
    [
        {"vllm_mode": "server", "engine": "transformers"},
        {"server_url": "localhost:8000"},
        {"request_timeout_s": 0},
        {"vllm_mode": "remote"},
    ],
)
def test_settings_of_no_server_are_refused(wrong):
    with pytest.raises(ValueError, match="engine" if "engine" in wrong else next(iter(wrong))):
        GenerationConfig.model_validate(wrong)


@pytest.fixture
def vllm_itself(tiny_policy, tmp_path):
    """`vllm serve` with what TRL's `trl vllm-serve` would start it with."""
    save_policy(tiny_policy, tmp_path / "tiny")
    port = free_port()
    log = (tmp_path / "log").open("w", encoding="utf-8")
    arguments = [
        "--model", tmp_path / "tiny", "--host", "127.0.0.1", "--port", port, "--max-model-len", 64,
        "--weight-transfer-config", '{"backend": "nccl"}', "--logprobs-mode", "processed_logprobs",
    ]  # fmt: skip
    # The command `vllm` of the CPU build ends in a PackageNotFoundError: it asks for the version of a package `vllm`.
    process = subprocess.Popen(
        [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *map(str, arguments)],
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**sessions.os.environ, "VLLM_SERVER_DEV_MODE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"},
    )
    try:
        yield f"http://127.0.0.1:{port}", str(tmp_path / "tiny"), process
    finally:
        process.terminate()
        process.wait(60)
        log.close()


@pytest.mark.slow
def test_vllm_itself_samples_by_the_same_protocol(vllm_itself, tiny_policy):
    url, model, process = vllm_itself
    configured = GenerationConfig(vllm_mode="server", server_url=url, server_timeout_s=300)
    client = connect(configured, [model], 64)
    assert process.poll() is None
    with pytest.raises(ConfigError, match="and this run trains 'some/model'"):
        connect(configured, ["some/model"], 64)
    engine = ServerEngine(client, tiny_policy.tokenizer, end_tokens(tiny_policy.model, tiny_policy.tokenizer), 8)
    prompts = [tiny_policy.tokenizer(text)["input_ids"] for text in ("theorem (p : Prop)", "# xs", "x", "theorem")]
    asked = [Asked(i, prompt, 1000 + i, 20) for i, prompt in enumerate(prompts * 5)]
    first, second = Listed(asked), Listed(reversed(asked))
    for source in (first, second):
        engine.generate(source, 0.8)
    assert [first.found[i].token_ids for i in range(20)] == [second.found[i].token_ids for i in range(20)]
    assert len({tuple(first.found[i].token_ids) for i in range(0, 20, 4)}) == 5  # one prompt, five seeds
    for request in asked:
        completion = first.found[request.id]
        ids = torch.tensor([[*request.prompt_ids, *completion.token_ids]])
        with torch.no_grad():
            logprobs_TV = torch.log_softmax(tiny_policy.model(ids).logits[0].float() / 0.8, dim=-1)
        start = len(request.prompt_ids) - 1
        expected = [logprobs_TV[start + t, token].item() for t, token in enumerate(completion.token_ids)]
        assert completion.logprobs == pytest.approx(expected, abs=0.1)  # the server computes in bfloat16
        assert completion.truncated == (len(completion.token_ids) == 20 and completion.token_ids[-1] != END)
    with urllib.request.urlopen(f"{url}/get_world_size", timeout=10) as answer:
        assert answer.read() == b'{"world_size":1}'
    client.reset_prefix_cache()
    with pytest.raises(NotImplementedError, match="NCCL"):
        client.init_communicator(device="cpu")  # what a machine without a GPU cannot show
