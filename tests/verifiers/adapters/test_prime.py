"""Verdicts as rewards of PrimeIntellect's `verifiers`: its own rollouts, against a server that says what it is told."""

import asyncio
import importlib.metadata
import json
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from proofgrad.verifiers.adapters import prime
from proofgrad.verifiers.errors import ConfigError, ProblemError

try:
    importlib.metadata.version("verifiers")
except importlib.metadata.PackageNotFoundError:
    pytest.skip(
        "needs the package 'verifiers'; test_environments.py makes an environment with it", allow_module_level=True
    )

import httpx
import verifiers.v1 as vf

WANTS_X = {"want": "x", "credit": 0.25}
BROKEN = {"broken": True}


class Data(vf.TaskData):
    problem: dict | str
    solution: str = ""


class ChatHarness(vf.Harness[vf.HarnessConfig]):
    """One call of the model with the task's prompt, made in this process."""

    NEEDS_CONTAINER = EXECUTES_CODE = False

    async def launch(self, ctx, trace, runtime, endpoint, secret, mcp_urls, data):
        body = {"model": ctx.model, "messages": [{"role": "user", "content": data.prompt}]}
        async with httpx.AsyncClient() as client:
            await client.post(f"{endpoint}/chat/completions", headers={"authorization": f"Bearer {secret}"}, json=body)
        return vf.ProgramResult(exit_code=0, stdout="", stderr="")


class Echo(BaseHTTPRequestHandler):
    """A model that answers with the prompt."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = {"role": "assistant", "content": body["messages"][-1]["content"]}
        reply = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "echo",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
        text = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


@pytest.fixture
def roll_out(monkeypatch):
    """Rolls tasks out, all at once; each task's prompt is what the model will answer."""
    module = types.ModuleType("chat_harness")
    module.ChatHarness, module.__all__ = ChatHarness, ["ChatHarness"]
    monkeypatch.setitem(sys.modules, "chat_harness", module)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    config = vf.AgentConfig(
        model="echo",
        client=vf.EvalClientConfig(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key_var="NONE_NEEDED"),
        harness={"id": "chat_harness"},
        runtime=vf.SubprocessConfig(),
    )

    async def main(tasks):
        async with vf.Agent(config) as agent:
            return await asyncio.gather(*(agent.run(task) for task in tasks))

    yield lambda *tasks: asyncio.run(main(tasks))
    server.shutdown()
    thread.join()
    server.server_close()


def task_type(reward):
    class Proved(vf.Task[Data]):
        proved = reward

    return Proved


def recorded(trace):
    return {name: reward and reward.value for name, reward in trace.rewards.items()}


def test_pass_and_fail_are_rewards_and_unknown_is_an_error_of_the_rollout(roll_out, pool):
    task = task_type(prime.reward("obedient", pool=pool))
    problems = [WANTS_X, WANTS_X, BROKEN]
    right, wrong, unknown = roll_out(
        *(task(Data(prompt=text, problem=p)) for text, p in zip(["```\nx\n```", "y", "x"], problems, strict=True))
    )
    assert right.ok
    assert wrong.ok
    assert recorded(right) == {"obedient": 1.0}
    assert recorded(wrong) == {"obedient": 0.0}
    assert not unknown.ok
    assert recorded(unknown) == {"obedient": None}
    (error,) = unknown.errors
    assert error.type == "TaskError"
    assert "UnknownVerdictError: verifier 'obedient' could not judge this reply: infra.worker_died" in error.message


def test_a_trace_keeps_the_verdict_also_when_it_is_unknown(roll_out, pool):
    task = task_type(prime.reward("obedient", pool=pool, name="proved"))
    wrong, unknown = roll_out(task(Data(prompt="y", problem=WANTS_X)), task(Data(prompt="x", problem=BROKEN)))
    assert wrong.info["verdicts"]["proved"]["feedback"] == "y is wrong"
    assert unknown.info["verdicts"]["proved"]["outcome"] == "unknown"
    assert unknown.info["verdicts"]["proved"]["evidence"] == {"exit": -9}
    assert json.loads(json.dumps(wrong.to_record()))["rewards"]["proved"]["score"] == 0.0


def test_partial_credit_and_weight(roll_out, pool):
    task = task_type(prime.reward("obedient", pool=pool, partial_credit=True, weight=2.0))
    (trace,) = roll_out(task(Data(prompt="y", problem=WANTS_X)))
    assert trace.reward == 0.5


def test_a_reply_with_nothing_in_it_is_worth_nothing(roll_out, pool):
    (trace,) = roll_out(task_type(prime.reward("obedient", pool=pool))(Data(prompt="```\n```", problem=WANTS_X)))
    assert recorded(trace) == {"obedient": 0.0}
    assert trace.info["verdicts"]["obedient"]["reason"] == "env.no_answer"


def test_the_problem_may_be_text_or_found_by_a_function(roll_out, pool):
    text = task_type(prime.reward("obedient", pool=pool))
    found = task_type(prime.reward("obedient", pool=pool, problem=lambda data: {"want": data.solution}))
    traces = roll_out(
        text(Data(prompt="x", problem=json.dumps(WANTS_X))), found(Data(prompt="z", problem="", solution="z"))
    )
    assert [trace.reward for trace in traces] == [1.0, 1.0]


def test_a_malformed_problem_is_an_error_of_the_rollout_too(roll_out, pool):
    (trace,) = roll_out(task_type(prime.reward("obedient", pool=pool))(Data(prompt="x", problem={})))
    assert not trace.ok
    assert "'want' is missing" in trace.last_error.message
    assert recorded(trace) == {"obedient": None}


def test_a_reward_at_the_top_of_a_module_can_be_plugged_into_any_task(roll_out, tmp_path):
    module = tmp_path / "rewards.py"
    module.write_text("from proofgrad.verifiers.adapters import prime\ntested = prime.reward('program')\n")
    config = vf.TaskConfig(rewards={"tests": {"fn": f"{module}:tested", "weight": 0.5}})
    problem = {"entry_point": "double", "tests": [{"args": [2], "expected": 4}]}
    data = [Data(prompt=f"def double(n):\n    return {body}", problem=problem) for body in ("n + n", "n")]
    right, wrong = roll_out(*(vf.Task[Data](row, config) for row in data))
    assert recorded(right) == {"tests": 0.5}
    assert recorded(wrong) == {"tests": 0.0}


def test_a_field_that_is_missing_is_a_configuration_error(pool):
    reward = prime.reward("obedient", pool=pool, problem="problems")
    trace = types.SimpleNamespace(last_reply="x", info={})
    with pytest.raises(ConfigError, match="Data has no field 'problems'"):
        asyncio.run(reward(task=Data(problem=WANTS_X), trace=trace))
    with pytest.raises(ProblemError):
        asyncio.run(prime.reward("obedient", pool=pool)(task=Data(problem="{"), trace=trace))
