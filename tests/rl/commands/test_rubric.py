"""``proofgrad rubric`` as a person meets it, with a judge that speaks the OpenAI protocol."""

import functools
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proofgrad.rl.commands.rubric import rubric_app
from proofgrad.verifiers.errors import ConfigError, ProofgradError
from proofgrad.verifiers.rubric import RubricVerifier, load_examples, load_rubric

SAFETY = Path(__file__).parents[3] / "configs" / "rubrics" / "safety_advice.yaml"


def proofgrad(*args):
    return CliRunner().invoke(rubric_app, [str(arg) for arg in args], env={"COLUMNS": "200"})


def refusal(*args):
    """The error that the command line prints as one line, with exit status 2."""
    error = proofgrad(*args).exception
    assert isinstance(error, ProofgradError)
    return str(error)


@functools.cache
def safety():
    rubric = load_rubric(SAFETY)
    return rubric, load_examples(rubric)


class Knows(BaseHTTPRequestHandler):
    """A judge that knows the labels of the shipped examples."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # headers and body in one packet, or each reply waits for an acknowledgement

    def do_POST(self):
        user = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][1]["content"]
        rubric, examples = safety()
        text = re.findall(r'meet the criterion "(.*)"\?', user)[-1]
        criterion = next(one.id for one in rubric.judged if one.text == text)
        block = re.search(r"^BEGIN ANSWER \w+\n(.*)\nEND ANSWER", user, re.DOTALL | re.MULTILINE)[1].replace("| ", "")
        words = re.findall(r"\w+", block)
        example = next(one for one in examples if re.findall(r"\w+", one.answer) == words)
        score = (5 if example.labels[criterion] else 1) if self.server.honest else 5
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": f'{{"score": {score}}}'},
            "finish_reason": "stop",
        }
        data = json.dumps({"id": "x", "object": "chat.completion", "created": 0, "model": "j", "choices": [choice]})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data.encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def judge():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Knows)
    server.honest = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def at(judge):
    return ["--judge-url", f"http://127.0.0.1:{judge.server_port}/v1", "--model", "j", "--repeats", 2]


def test_check_shows_the_criteria_and_counts_the_examples():
    done = proofgrad("check", SAFETY)
    assert done.exit_code == 0
    assert "first_step" in done.output
    assert "30 labelled examples: 14 pass, 16 do not, 9 of these are planted cheaters; 220 prompts" in done.output


def test_a_good_judge_is_calibrated_stored_and_then_taken(judge, tmp_path):
    path = tmp_path / "calibration.json"
    done = proofgrad("calibrate", SAFETY, *at(judge), "--output", path)
    assert done.exit_code == 0, done.output
    assert "meets the rubric's minimum" in done.output
    assert "1.00 [1.00, 1.00]" in done.output
    verifier = RubricVerifier(SAFETY, {"url": "http://127.0.0.1:9/v1", "model": "j"}, calibration=path)
    verifier.close()


def test_a_bad_judge_ends_with_status_1_and_says_what_falls_short(judge, tmp_path):
    judge.honest = False
    path = tmp_path / "calibration.json"
    done = proofgrad("calibrate", SAFETY, *at(judge), "--output", path, "--json")
    assert done.exit_code == 1
    result = json.loads(done.output)
    assert result["meets_minimum"] is False
    assert any(text.startswith("kappa ") for text in result["shortfalls"])
    assert "restating the rubric" in result["tricks_that_passed"]
    with pytest.raises(ConfigError, match="falls short of the minimum"):
        RubricVerifier(SAFETY, {"url": "http://127.0.0.1:9/v1", "model": "j"}, calibration=path)


def test_wrong_usage_is_one_line(tmp_path):
    assert "give either --judge-url" in refusal("calibrate", SAFETY)
    assert "--judge-url needs --model" in refusal("calibrate", SAFETY, "--judge-url", "http://x/v1")
    assert "--model names a judge at an endpoint" in refusal("calibrate", SAFETY, "--in-process", "x", "--model", "j")
    assert "there is no model directory" in refusal("calibrate", SAFETY, "--in-process", "/nowhere/at/all")
    assert "cannot read the rubric" in refusal("check", tmp_path / "no.yaml")
    (tmp_path / "other.json").write_text("{}")
    found = refusal(
        "calibrate", SAFETY, "--judge-url", "http://x/v1", "--model", "j", "--output", tmp_path / "other.json"
    )
    assert "is no calibration that proofgrad wrote" in found
