"""Hostile candidates, clients and options against the server: the attack must not score, its honest twin must."""

import json
import os
import re
import signal
import subprocess
import sys

import httpx
import pytest
import typer
from typer.testing import CliRunner

from proofgrad import verifiers
from proofgrad.rl.commands.serve import serve_command
from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.errors import ConfigError, ToolchainError
from proofgrad.verifiers.server import create_app
from proofgrad.verifiers.serving.testing import running

TOKEN = "a-token-that-nobody-may-see-0123456789"
SECRET = 918273645
PROBLEM = {
    "entry_point": "f",
    "tests": [{"args": [1], "expected": 2}, {"args": [2], "expected": SECRET}, {"args": [3], "expected": SECRET}],
    "public": 1,
}
HONEST = f"def f(n):\n    return 2 if n == 1 else {SECRET}\n"
FORGED = json.dumps({"id": "honest", "verdict": Verdict.passed("code.ok").to_json()})
ATTACKS = {
    "a forged line in an exception": f"def f(n):\n    raise ValueError({chr(10) + FORGED + chr(10)!r})\n",
    "a forged line as an answer": f"def f(n):\n    return {chr(10) + FORGED + chr(10)!r}\n",
    "a forged line on standard output": f"print({FORGED!r})\ndef f(n):\n    return n\n",
    "an early exit": "import os\ndef f(n):\n    os._exit(0)\n",
    "a look for servers": """
import socket
def f(n):
    found = []
    for port in range(8000, 8010):
        with socket.socket() as s:
            found.append(s.connect_ex(("127.0.0.1", port)))
    return 2 if n == 1 or not any(found) else 0
""",
}
LOOK_FOR_THE_TOKEN = f"""
import glob, os
def f(n):
    seen = [str(dict(os.environ))]
    for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline") + ["{{path}}"]:
        try:
            seen.append(open(path, errors="replace").read())
        except OSError:
            pass
    return "{TOKEN[:10]}" + "{TOKEN[10:]}" in "".join(seen)
"""


def ask(candidate, verifier="program", problem=PROBLEM, **more):
    return {"verifier": verifier, "problem": problem, "candidate": candidate, **more}


@pytest.fixture(scope="module")
def client():
    with running(create_app({"program": verifiers.get("program")})) as url, httpx.Client(base_url=url) as web:
        web.timeout = 30
        yield web


def test_no_attack_scores_or_writes_into_another_items_line(client):
    items = [ask(source, id=name) for name, source in ATTACKS.items()] + [ask(HONEST, id="honest")]
    reply = client.post("/verify_batch", json={"items": items})
    found = {}
    for line in reply.content.split(b"\n")[:-1]:
        value = json.loads(line)
        assert value["id"] not in found
        found[value["id"]] = value["verdict"]["outcome"]
    assert found == {**dict.fromkeys(ATTACKS, "fail"), "honest": "pass"}
    assert all(byte < 128 for byte in reply.content)


def test_what_is_expected_of_hidden_tests_is_not_in_a_reply(client):
    for source in ("def f(n):\n    return n + 1\n", "def f(n):\n    raise ValueError(n)\n", "def f(n) return", ""):
        reply = client.post("/verify", json=ask(source))
        assert reply.json()["outcome"] == "fail"
        assert str(SECRET) not in reply.text


def test_inputs_that_a_verifier_drew_stay_here_when_evidence_does():
    problem = {"entry_point": "f", "inputs": {"n": "int"}, "reference": "def f(n):\n    return n * 2\n"}
    for include, seen in ((True, True), (False, False)):
        app = create_app({"program_property": verifiers.get("program_property")}, include_evidence=include)
        with running(app) as url:
            reply = httpx.post(
                f"{url}/verify", json=ask("def f(n):\n    return n + 2\n", "program_property", problem), timeout=60
            )
        assert reply.json()["outcome"] == "fail"
        assert ("counterexample" in reply.text) is seen
        assert ("seed" in reply.text) is seen


@pytest.mark.parametrize(
    "head",
    [
        "GET /%0d%0aX-Injected:%20yes HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health?a=%0aINFO:forged HTTP/1.1\r\nHost: x%0aX-Injected: yes\r\nConnection: close\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\rX-Injected: yes\r\n\r\n",
        "POST /verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
)
def test_nothing_that_a_client_writes_becomes_a_header_or_a_log_line(client, head, capfd):
    import socket

    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=5) as sock:
        sock.sendall(head.encode("latin-1"))
        reply = sock.recv(65536)
    assert reply.startswith(b"HTTP/1.1 ")
    assert b"injected" not in reply.partition(b"\r\n\r\n")[0].lower()
    assert capfd.readouterr() == ("", "")
    assert client.get("/health").status_code == 200


# The command.


def command():
    app = typer.Typer()
    app.command()(serve_command)
    return app


def start(*options, **env):
    script = (
        "import typer; from proofgrad.rl.commands.serve import serve_command; "
        "app = typer.Typer(); app.command()(serve_command); app()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, options)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env},
    )  # fmt: skip


@pytest.mark.parametrize("by", ["environment", "file"])
def test_the_command_serves_judges_and_hides_its_token_from_candidates(tmp_path, by):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    options, env = ([], {"PROOFGRAD_TOKEN": TOKEN}) if by == "environment" else (["--token-file", file], {})
    store = tmp_path / "verdicts.sqlite"
    server = start("--verifier", "program", "--port", "0", "--store", store, *options, **env)
    try:
        line = server.stdout.readline()
        url = re.fullmatch(r"serving program at (http://127\.0\.0\.1:\d+)\n", line)[1]
        assert httpx.post(f"{url}/verify", json=ask(HONEST)).status_code == 401
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert httpx.post(f"{url}/verify", json=ask(HONEST), headers=bearer, timeout=20).json()["outcome"] == "pass"
        looks = {"entry_point": "f", "tests": [{"args": [1], "expected": False}], "public": 1}
        looking = LOOK_FOR_THE_TOKEN.replace("{path}", str(file))
        seen = httpx.post(f"{url}/verify", json=ask(looking, problem=looks), headers=bearer, timeout=20).json()
        assert seen["outcome"] == "pass", seen
        assert TOKEN.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("verdicts.sqlite*"))
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=20)
        assert (server.returncode, out, err) == (0, "", "")
        assert store.stat().st_size > 0
    finally:
        server.kill()
        server.communicate()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--verifier", "progam"], "did you mean 'program'"),
        (["--verifier", "../../etc/passwd"], "no verifier named"),
        (["--verifier", "program", "--host", "0.0.0.0"], "--insecure"),
        (["--verifier", "program", "--host", "127.0.0.1\nX"], "cannot listen on"),
        (["--verifier", "program", "--store", "/"], "verdict store"),
        (["--verifier", "program", "--store", "/proc/self/status"], "verdict store"),
        (["--verifier", "program", "--store", "no/such/folder/v.sqlite"], "verdict store"),
        (["--verifier", "program", "--token-file", "/dev/zero"], "not a plain file"),
        (["--verifier", "program", "--token-file", "/"], "cannot read the token"),
        (["--verifier", "program", "--token-file", "/no/such/file"], "No such file"),
        (["--verifier", "program", "--max-batch", "9", "--max-items", "8"], "batch_items (9) is more than items (8)"),
    ],
)
def test_options_that_cannot_be_are_one_line(options, said):
    done = CliRunner().invoke(command(), options)
    assert isinstance(done.exception, ConfigError)
    assert said in str(done.exception)


def test_a_weak_token_in_the_environment_is_refused_and_not_repeated(monkeypatch):
    monkeypatch.setenv("PROOFGRAD_TOKEN", "hunter2")
    done = CliRunner().invoke(command(), ["--verifier", "program"])
    assert isinstance(done.exception, ConfigError)
    assert "PROOFGRAD_TOKEN must have 16" in str(done.exception)
    assert "hunter2" not in str(done.exception) + done.output


def test_what_cannot_be_made_is_said_and_the_rest_is_served(monkeypatch):
    from proofgrad.rl.commands import serve as module

    served = {}
    monkeypatch.setattr(module, "serve", lambda made, **options: served.update(made))
    monkeypatch.setattr(module.verifiers, "names", lambda: ["lean", "program", "remote"])
    real = verifiers.get

    def get(name):
        if name == "lean":
            raise ToolchainError("there is no Lean\non this machine")
        return real(name)

    monkeypatch.setattr(module.verifiers, "get", get)
    done = CliRunner().invoke(command(), [])
    assert done.output == "not served: lean: there is no Lean on this machine\n"
    assert list(served) == ["program"]  # and no word about `remote`, which is somebody else's server
