"""The client: a verifier like any other, whose server may do anything."""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from proofgrad import verifiers
from proofgrad.verifiers.base import BatchVerifier, Outcome, Verdict, Verifier
from proofgrad.verifiers.errors import ConfigError, ProblemError
from proofgrad.verifiers.pool import VerifierPool
from proofgrad.verifiers.remote import RemoteVerifier
from proofgrad.verifiers.server import ServerLimits, create_app
from proofgrad.verifiers.serving.testing import running
from proofgrad.verifiers.store import VerdictStore, verdict_key

TOKEN = "0123456789abcdef-secret"
ADD = {"entry_point": "add", "tests": [{"args": [1, 2], "expected": 3}, {"args": [2, 2], "expected": 4}], "public": 1}
PROGRAMS = [
    "def add(a, b): return a + b",
    "def add(a, b): return a * b",
    "def add(a, b): return 3",
    "def add(a, b): raise ValueError('no')",
    "def add(a, b):\n    import os\n    os._exit(0)",
    "def add(a, b) return",
    "x = '\ud800'",
    "",
]


class Scripted:
    name, version = "scripted", "7"

    def __init__(self):
        self.judged = []

    def verify(self, problem, candidate):
        self.judged.append(candidate)
        if candidate == "malformed":
            raise ProblemError("scripted problem: n is missing")
        if candidate.startswith("sleep"):
            time.sleep(float(candidate.split()[1]))
        return Verdict.failed("x.y", score=0.5, feedback=f"{problem.get('n')} {candidate}", evidence={"é": [1, None]})


@pytest.fixture
def scripted():
    return Scripted()


@contextmanager
def serving(scripted, limits=None, **options):
    with running(create_app({"scripted": scripted}, limits=limits, **options), limits=limits) as url:
        yield url


@contextmanager
def fake(answer, version="7", limits=None):
    """A server that introduces itself properly and then answers with `answer(handler, body)`, or with these bytes."""
    listed = {
        "verifiers": [{"name": "scripted", "version": version}],
        "limits": limits or {"batch_items": 256, "body_bytes": 1 << 20},
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def send(self, status, body, **headers):
            self.send_response(status)
            for key, value in {"Content_Length": str(len(body)), **headers}.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.send(200, json.dumps(listed).encode())

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if callable(answer):
                answer(self, body)
            else:
                self.send(200, answer)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def verdict_line(n=0, **changes):
    return {**Verdict.passed("x.ok").to_json(), **changes}


def stable(verdict):
    """A verdict as JSON, without what differs between two runs of one program: its time, and how it was ended."""
    shown = verdict.to_json()
    return {
        **shown,
        "seconds": 0,
        "evidence": {key: value for key, value in shown["evidence"].items() if key != "exit_status"},
    }


# Like any other verifier.


def test_it_gives_the_verdicts_of_the_real_program_verifier_here():
    local = verifiers.get("program")
    with running(create_app({"program": verifiers.get("program")})) as url:
        remote = RemoteVerifier(url, "program")
        assert isinstance(remote, Verifier)
        assert isinstance(remote, BatchVerifier)
        one_by_one = [remote.verify(ADD, program) for program in PROGRAMS]
        together = remote.verify_batch([(ADD, program) for program in PROGRAMS])
        with pytest.raises(ProblemError, match="tests must be a list"):
            remote.verify({"entry_point": "add"}, "")
        with pytest.raises(ProblemError, match="tests must be a list"):
            remote.verify_batch([(ADD, PROGRAMS[0]), ({"entry_point": "add"}, "")])
        remote.close()
        assert remote.verify(ADD, PROGRAMS[0]).is_pass
    for here, *there in zip((local.verify(ADD, p) for p in PROGRAMS), one_by_one, together, strict=True):
        for verdict in there:
            assert stable(verdict) == stable(here)
    assert (remote.name, remote.version) == (local.name, local.version)
    assert verdict_key(remote, ADD, "x") == verdict_key(local, ADD, "x")
    local.close()


def test_a_batch_keeps_its_order_and_is_cut_to_what_the_server_takes(scripted):
    limits = ServerLimits(batch_items=5, body_bytes=4000)
    with serving(scripted, limits, workers=4) as url:
        remote = RemoteVerifier(url, "scripted")
        assert remote.batch_size == 5
        items = [({"n": n}, "x" * (n % 7) * 200) for n in range(40)]
        assert [v.feedback for v in remote.verify_batch(items)] == [f"{p['n']} {c}" for p, c in items]
        assert remote.verify_batch([]) == []
        mixed = remote.verify_batch([({"n": 1}, "ok"), ({"n": 2}, "x" * 5000), ({"n": 3}, "ok")])
    assert [v.feedback for v in mixed] == ["1 ok", "", "3 ok"]
    assert mixed[1].reason == "infra.server_refused"


def test_it_works_in_a_pool_from_many_threads_and_fills_the_store(scripted, tmp_path):
    with serving(scripted, workers=4) as url:
        path = tmp_path / "v.sqlite"
        with VerifierPool({"scripted": RemoteVerifier(url, "scripted")}, workers=8, store=VerdictStore(path)) as pool:
            futures = [pool.submit("scripted", {"n": n}, "c") for n in range(200)]
            assert [f.result(20).feedback for f in futures] == [f"{n} c" for n in range(200)]
            with pytest.raises(ProblemError, match="n is missing"):
                pool.submit("scripted", {}, "malformed").result(20)
    # The same verifier here finds what was judged there.
    with VerifierPool({"scripted": Scripted()}, store=VerdictStore(path)) as pool:
        assert pool.submit("scripted", {"n": 7}, "c").result(5).feedback == "7 c"


def test_a_copy_keeps_the_version_and_takes_no_token_from_the_environment_along(scripted, monkeypatch):
    monkeypatch.setenv("PROOFGRAD_TOKEN", TOKEN)
    with serving(scripted, token=TOKEN) as url:
        remote = RemoteVerifier(url, "scripted")
        data = pickle.dumps(remote)
        assert TOKEN.encode() not in data
        copy = pickle.loads(data)
        assert copy.verify({}, "ok").score == 0.5
        scripted.version = "8"
        assert copy.version == "7"
        assert (copy.verify({}, "ok").reason, remote.verify({}, "ok").reason) == ("infra.server_changed",) * 2
        monkeypatch.delenv("PROOFGRAD_TOKEN")
        given = RemoteVerifier(url, "scripted", token=TOKEN)
        assert pickle.loads(pickle.dumps(given)).verify({}, "ok").score == 0.5
        assert TOKEN not in repr(given)


def test_the_registry_makes_it():
    with pytest.raises(ConfigError, match="no verifiers at"):
        verifiers.get("remote", url="http://127.0.0.1:9", verifier="program", retries=0)


# Wrong options.


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("ftp://x", {}), ("127.0.0.1:8000", {}), ("http://", {}), ("http://[::1", {}), ("", {}),
        ("http://u:secret-password@127.0.0.1", {}), ("http://127.0.0.1?x=1", {}),
        ("http://127.0.0.1", {"timeout_s": 0}), ("http://127.0.0.1", {"timeout_s": float("nan")}),
        ("http://127.0.0.1", {"retries": -1}),
        ("http://127.0.0.1", {"batch_size": 0}), ("http://127.0.0.1", {"token": "a\r\nInjected: yes-yes"}),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_one_line(url, options):
    with pytest.raises(ConfigError) as caught:
        RemoteVerifier(url, "program", **options)
    assert "\n" not in str(caught.value)
    assert "secret-password" not in str(caught.value)


def test_a_server_that_is_not_there_or_is_none_is_said_at_once(scripted):
    with socket.create_server(("127.0.0.1", 0)) as unheard:
        port = unheard.getsockname()[1]
    with pytest.raises(ConfigError, match="no verifiers at"):
        RemoteVerifier(f"http://127.0.0.1:{port}", "scripted", retries=0)
    with fake(b"", version=7) as url, pytest.raises(ConfigError, match="not a server of verifiers"):
        RemoteVerifier(url, "scripted")
    with serving(scripted, token=TOKEN) as url:
        with pytest.raises(ConfigError, match=r"401.*PROOFGRAD_TOKEN"):
            RemoteVerifier(url, "scripted")
        with pytest.raises(ConfigError, match="has no verifier named 'script'; it serves: scripted"):
            RemoteVerifier(url, "script", token=TOKEN)


def test_a_token_that_is_refused_later_is_an_error_and_not_a_score():
    with fake(lambda handler, _: handler.send(401, b'{"detail": "no"}')) as url:
        remote = RemoteVerifier(url, "scripted")
        with pytest.raises(ConfigError, match="token"):
            remote.verify({}, "x")
        with pytest.raises(ConfigError, match="token"):
            remote.verify_batch([({}, "x")])


# Servers that misbehave.

FORGED = [
    b"", b"null", b"[]", b"{}", b"\xff", b"<html>", b"[" * 100_000, b"NaN",
    *(
        json.dumps(verdict_line(**changes)).encode()
        for changes in (
            {"outcome": "PASS"}, {"outcome": 1}, {"score": "1.0"}, {"score": True}, {"score": 2}, {"score": None},
            {"score": float("nan")}, {"outcome": "unknown"}, {"reason": ""}, {"reason": None}, {"feedback": 1},
            {"evidence": []}, {"seconds": "0"}, {"seconds": -1}, {"seconds": float("inf")},
        )
    ),
]  # fmt: skip


def test_replies_that_are_no_verdicts_are_unknown():
    replies = []
    with fake(lambda handler, _: handler.send(200, replies[-1])) as url:
        remote = RemoteVerifier(url, "scripted", retries=0)
        for reply in FORGED:
            replies.append(reply)
            assert remote.verify({}, "x").reason == "infra.server_reply", reply
        for line in (
            *FORGED[1:8],
            *(b'{"id": "0", "verdict": %s}' % reply for reply in FORGED[8:]),
            b'{"id": "1", "verdict": %s}' % json.dumps(verdict_line()).encode(),
            b'{"id": "00", "verdict": %s}' % json.dumps(verdict_line()).encode(),
            b'{"id": 0, "verdict": %s}' % json.dumps(verdict_line()).encode(),
            b'{"id": "0", "error": {"status": "422"}}',
            b'{"id": "0"}',
        ):
            replies.append(line + b"\n")
            verdict = remote.verify_batch([({}, "x")])[0]
            assert (verdict.outcome, verdict.reason) == (Outcome.UNKNOWN, "infra.server_reply"), line


def test_a_line_answered_twice_does_not_replace_the_first():
    lines = [{"id": "0", "verdict": verdict_line()}, {"id": "0", "verdict": Verdict.failed("x.no").to_json()}]
    with fake("".join(json.dumps(line) + "\n" for line in lines).encode()) as url:
        first, second = RemoteVerifier(url, "scripted", retries=0).verify_batch([({}, "a"), ({}, "b")])
    assert (first.reason, second.reason) == ("x.ok", "infra.server_reply")


def test_statuses_are_unknown_and_never_a_score():
    asked = []
    expected = {
        500: "infra.server_unreachable", 502: "infra.server_unreachable", 503: "infra.server_unreachable",
        404: "infra.server_changed", 409: "infra.server_changed", 413: "infra.server_refused",
        301: "infra.server_refused", 204: "infra.server_refused", 418: "infra.server_refused",
    }  # fmt: skip

    def answer(handler, body):
        status = json.loads(body)["problem"]["status"]
        asked.append(status)
        handler.send(status, b"" if status == 204 else b'{"detail": "x\\u001b[0m\\ny"}', Location="http://127.0.0.1:9/")

    with fake(answer) as url:
        remote = RemoteVerifier(url, "scripted", retries=1)
        for status, reason in expected.items():
            verdict = remote.verify({"status": status}, "x")
            assert (verdict.outcome, verdict.reason) == (Outcome.UNKNOWN, reason)
            assert "\x1b" not in verdict.evidence["error"]
            assert asked.count(status) == (2 if status >= 500 else 1)


def test_a_full_server_is_asked_again_when_it_says_until_the_deadline():
    times = []

    def answer(handler, body):
        times.append(time.monotonic())
        if len(times) <= 2:
            handler.send(429, b"", Retry_After="0" if len(times) == 1 else "1")
        else:
            handler.send(200, json.dumps(verdict_line()).encode())

    with fake(answer) as url:
        assert RemoteVerifier(url, "scripted", retries=0).verify({}, "x").is_pass
        assert times[2] - times[1] >= 1
        del times[:]
        start = time.monotonic()
        assert RemoteVerifier(url, "scripted", timeout_s=0.5).verify({}, "x").reason == "infra.server_busy"
        assert time.monotonic() - start < 2


def test_a_server_that_says_nothing_is_unknown_at_the_deadline():
    with fake(lambda handler, _: time.sleep(1.5)) as url:
        start = time.monotonic()
        verdict = RemoteVerifier(url, "scripted", timeout_s=0.4).verify({}, "x")
    assert verdict.reason == "infra.server_timeout"
    assert time.monotonic() - start < 4


def test_a_server_that_drips_its_reply_is_left_at_the_deadline():
    def answer(handler, body):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        with suppress(ConnectionError):
            for _ in range(30):
                handler.wfile.write(b" ")
                handler.wfile.flush()
                time.sleep(0.1)

    with fake(answer) as url:
        start = time.monotonic()
        assert RemoteVerifier(url, "scripted", timeout_s=0.5).verify({}, "x").reason == "infra.server_timeout"
        assert time.monotonic() - start < 2


def test_compressed_replies_are_not_unpacked():
    with fake(lambda handler, _: handler.send(200, b"\x1f\x8b", Content_Encoding="gzip")) as url:
        assert RemoteVerifier(url, "scripted", retries=0).verify({}, "x").reason == "infra.server_reply"


def test_a_broken_batch_is_asked_again_for_what_is_missing_only():
    bodies = []

    def answer(handler, body):
        items = json.loads(body)["items"]
        bodies.append([item["id"] for item in items])
        kept = items[:2] if len(bodies) < 3 else items
        lines = [json.dumps({"id": item["id"], "verdict": verdict_line()}) + "\n" for item in kept]
        data = "".join(lines).encode()
        # More is promised than comes, as when a server dies.
        handler.send(200, data, **({"Content_Length": str(len(data) + 99)} if len(bodies) < 3 else {}))
        handler.close_connection = True

    with fake(answer) as url:
        verdicts = RemoteVerifier(url, "scripted", retries=2).verify_batch([({}, str(n)) for n in range(6)])
    assert all(v.is_pass for v in verdicts)
    assert bodies == [list("012345"), list("2345"), list("45")]


# A server that dies.

SCRIPT = """
import time
from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.server import serve

class Sleeper:
    name, version = "sleeper", "1"
    def verify(self, problem, candidate):
        time.sleep(float(candidate))
        return Verdict.passed("x.ok")

serve({"sleeper": Sleeper()}, port=0, workers=4, announce=lambda url: print(url, flush=True))
"""


def test_a_server_killed_within_a_batch_leaves_the_unfinished_unknown():
    server = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    try:
        remote = RemoteVerifier(server.stdout.readline().strip(), "sleeper", retries=1)
        killer = threading.Timer(1.0, os.kill, (server.pid, signal.SIGKILL))
        killer.start()
        seconds = ["0", "60", "0.1", "60", "0.2", "61"]
        start = time.monotonic()
        verdicts = remote.verify_batch([({}, candidate) for candidate in seconds])
        assert time.monotonic() - start < 10
        assert [v.outcome for v in verdicts] == [
            Outcome.UNKNOWN if candidate.startswith("6") else Outcome.PASS for candidate in seconds
        ]
        assert {v.reason for v in verdicts if v.score is None} == {"infra.server_unreachable"}
        assert remote.verify({}, "0").reason == "infra.server_unreachable"
    finally:
        server.kill()
        server.communicate()


def test_problems_that_are_not_json_are_the_problems_fault(scripted):
    with serving(scripted) as url:
        remote = RemoteVerifier(url, "scripted")
        for problem in ({"n": float("nan")}, {"n": {1, 2}}, {"n": object()}):
            with pytest.raises(ProblemError, match="not plain JSON"):
                remote.verify(problem, "x")
