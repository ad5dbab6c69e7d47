"""A small rubric with examples, judges that do as they are told, and an endpoint on the loopback interface."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml

from proofgrad.verifiers.rubric import Mark, load_rubric

RUBRIC = {
    "name": "tea",
    "asked": "how to make tea",
    "criteria": [
        {"id": "short", "kind": "code", "gate": True, "weight": 0, "text": "It is short.",
         "check": {"words": {"max": 40}}},
        {"id": "safe", "kind": "judge", "gate": True, "weight": 0, "text": "Nobody gets hurt."},
        {"id": "water", "kind": "judge", "weight": 2, "text": "It says how hot the water is."},
        {"id": "time", "kind": "judge", "weight": 1, "text": "It says how long the tea stays in."},
        {"id": "plain", "kind": "code", "weight": 1, "text": "It avoids jargon.",
         "check": {"avoids": {"none_of": ["steep*"]}}},
    ],
    "threshold": 0.75,
    "max_answer_bytes": 1000,
    "examples": "tea.jsonl",
}  # fmt: skip


def example(answer: str, met: str, **extra: Any) -> dict[str, Any]:
    """A labelled answer; `met` has the first letters of the criteria of the judge that it meets."""
    labels = {
        "short": True,
        "safe": "s" in met,
        "water": "w" in met,
        "time": "t" in met,
        "plain": "steep" not in answer,
    }
    score = (2 * labels["water"] + labels["time"] + labels["plain"]) / 4
    return {
        "prompt": "How do I make tea?", "answer": answer, "labels": labels,
        "passes": labels["safe"] and score >= 0.75, **extra,
    }  # fmt: skip


def examples() -> list[dict[str, Any]]:
    """Twenty-four answers, of which half pass; six are planted cheaters. Their texts carry what they meet."""
    good = [example(f"water safe {'time ' * (i % 3 > 0)}{'leaf ' * i}", "sw" + "t" * (i % 3 > 0)) for i in range(12)]
    bad = [example(f"safe time {'leaf ' * (2 * i)}", "st") for i in range(6)]
    cheating = [example(f"trust me {'leaf ' * (3 * i)}", "s", cheater=True, trick=f"trick {i}") for i in range(6)]
    return good + bad + cheating


@pytest.fixture
def write_rubric(tmp_path):
    """Write a variant of the small rubric, and its examples, and give its path."""

    def write(rows: list[dict[str, Any]] | None = None, **changes: Any):
        data = {**RUBRIC, **changes}
        path = tmp_path / "tea.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in data.items() if v is not None}), "utf-8")
        lines = [json.dumps(row) for row in (examples() if rows is None else rows)]
        (tmp_path / "tea.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        return path

    return write


@pytest.fixture
def tea(write_rubric):
    return load_rubric(write_rubric())


def asked(user: str) -> tuple[str, str]:
    """The criterion and the answer in a question."""
    criterion = re.findall(r'meet the criterion "(.*)"\?', user)[-1]
    (block,) = re.findall(r"^BEGIN ANSWER (\w+)\n(.*)\nEND ANSWER \1$", user, re.DOTALL | re.MULTILINE)
    return criterion, "\n".join(line.removeprefix("|").removeprefix(" ") for line in block[1].split("\n"))


@dataclass
class ScriptedJudge:
    """Scores by a function of criterion and answer, and remembers what it was asked."""

    score: Callable[[str, str], Any]
    model: str = "scripted"
    special_tokens: tuple[str, ...] = ()
    questions: list[Any] = field(default_factory=list)
    closed: bool = False

    def ask(self, questions):
        self.questions += questions
        marks = [self.score(*asked(question.user)) for question in questions]
        return [mark if isinstance(mark, Mark) else Mark(mark) for mark in marks]

    def close(self):
        self.closed = True

    @property
    def criteria(self) -> list[str]:
        return [asked(question.user)[0] for question in self.questions]


def honest(criterion: str, answer: str) -> int:
    """Reads what the answers of `examples` carry."""
    word = {"Nobody gets hurt.": "", "It says how hot the water is.": "water"}.get(criterion, "time")
    return 5 if word in answer else 1


@pytest.fixture
def scripted():
    return ScriptedJudge


@pytest.fixture
def honest_judge():
    return ScriptedJudge(honest)


@dataclass
class Endpoint:
    """An OpenAI-compatible endpoint. `reply` makes the answer: a status and a body, or a text for the message."""

    url: str
    reply: Callable[[dict[str, Any]], Any]
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)


def completion(content: Any, **extra: Any) -> dict[str, Any]:
    """A chat completion as servers send it."""
    message = {"role": "assistant", "content": content, **extra.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": extra.pop("finish_reason", "stop")}
    return {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], **extra}


@pytest.fixture
def endpoint():
    """A server on the loopback interface, which stops with the test."""
    made = Endpoint("", lambda body: '{"score": 5}')

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # headers and body in one packet, or each reply waits for an acknowledgement

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.requests.append(body)
            made.headers.append(self.headers)
            answer = made.reply(body)
            status, content = answer if isinstance(answer, tuple) else (200, completion(answer))
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                pass  # the client did not wait

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    made.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def sleepy():
    """A reply that comes too late."""

    def reply(body):
        time.sleep(1.0)
        return '{"score": 5}'

    return reply


@pytest.fixture
def chat_completion():
    return completion
