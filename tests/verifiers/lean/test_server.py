from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from doubles.install import HEADER, Installation
from doubles.kimina_double import CRASH, KiminaDouble

from proofgrad.verifiers import ToolchainError
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.lean.backend import Claim, Elaboration, Ending, Limits
from proofgrad.verifiers.lean.messages import axioms_in
from proofgrad.verifiers.lean.server import ServerLean

LIMITS = Limits(cpu_seconds=2, heartbeats=20_000)
HONEST = "theorem pg_a (p : Prop) : p → p :=\n fun h => h\n#print axioms pg_a\n"


def open_server(kimina: KiminaDouble, **options: Any) -> ServerLean:
    given = {"header": HEADER, "attempts": 3, "first_pause": 0.01, **options}
    return ServerLean(kimina.url, **given)


def read(lean: ServerLean, text: str = HONEST, header: str | None = None) -> Elaboration:
    return lean.elaborate(text, header=lean.header if header is None else header, candidates=1, limits=LIMITS)


def lines(found: Elaboration) -> list[int]:
    return [m.line for m in found.messages if axioms_in(m.text, "pg_a") == []]


def codes(kimina: KiminaDouble) -> list[str]:
    return [body["snippets"][0]["code"] for body in kimina.requests]


@pytest.mark.parametrize("counts_header", [True, False])
def test_lines_are_right_whichever_way_the_server_counts(installation: Installation, counts_header: bool) -> None:
    with KiminaDouble(str(installation.lean), counts_header=counts_header) as kimina:
        lean = open_server(kimina)
        assert lines(read(lean, "\n\n" + HONEST)) == [5]
        found = read(
            lean, "theorem pg_a (p q : Prop) : p → q :=\n fun h =>\n  h\n", "import Mathlib\n\n\nimport Aesop\n"
        )
        assert [(m.line, m.column) for m in found.messages if m.is_error] == [(3, 2)]


@pytest.mark.parametrize("turned_away", [429, 502, 503, 504, (500, "Failed to start REPL"), "close"])
def test_being_turned_away_is_tried_again(kimina: KiminaDouble, turned_away: Any) -> None:
    lean = open_server(kimina)
    kimina.script.extend([turned_away, turned_away])
    assert lines(read(lean)) == [3]
    kimina.script.extend([turned_away] * 3)
    found = read(lean)
    assert found.ending is Ending.BROKEN
    assert found.detail
    assert lines(read(lean)) == [3]


def test_pauses_grow(kimina: KiminaDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    lean = open_server(kimina, attempts=6, first_pause=1.0)
    slept: list[float] = []
    monkeypatch.setattr("proofgrad.verifiers.lean.server.time.sleep", slept.append)
    kimina.script.extend([429] * 6)
    assert read(lean).ending is Ending.BROKEN
    assert len(slept) == 5
    assert all(0.5 * 2**i <= pause <= 2**i for i, pause in enumerate(slept))
    assert len(set(slept)) == 5


def test_a_crash_is_the_texts_only_when_it_comes_again(kimina: KiminaDouble) -> None:
    lean = open_server(kimina)
    kimina.script.append((500, CRASH))
    assert lines(read(lean)) == [3]
    before = len(kimina.requests)
    kimina.script.extend([(500, CRASH)] * 3)
    found = read(lean)
    assert (found.ending, len(kimina.requests) - before) == (Ending.DIED, 2)
    kimina.script.clear()
    assert read(lean, "-- double: grow\n").ending is Ending.DIED


@pytest.mark.parametrize(
    ("reply", "ending", "said"),
    [
        ("malformed", Ending.BROKEN, "malformed"),
        ("other-id", Ending.BROKEN, "another snippet"),
        ("timeout", Ending.TIMEOUT, "timed out"),
        (401, Ending.BROKEN, "PROOFGRAD_KIMINA_KEY"),
        (404, Ending.BROKEN, "404"),
        ((500, "division by zero"), Ending.BROKEN, "division by zero"),
    ],
)
def test_what_an_odd_answer_means(kimina: KiminaDouble, reply: Any, ending: Ending, said: str) -> None:
    lean = open_server(kimina, attempts=1)
    kimina.script.append(reply)
    found = read(lean)
    assert found.ending is ending
    assert said in found.detail
    assert "\n" not in found.detail
    assert lines(read(lean)) == [3]


@pytest.mark.parametrize(
    ("result", "ending"),
    [
        ({"error": "Lean REPL header command timed out in 60 seconds"}, Ending.BROKEN),
        ({"error": "Lean REPL out of memory"}, Ending.DIED),
        ({"error": ""}, Ending.BROKEN),
        ({"response": None}, Ending.BROKEN),
        ({"response": []}, Ending.BROKEN),
        ({"response": {"message": "Unknown environment."}}, Ending.BROKEN),
        ({"response": {"env": 0}}, Ending.BROKEN),
        ({"response": {"env": 0, "messages": [{"severity": "error"}]}}, Ending.BROKEN),
        ({"response": {"env": 0, "messages": "none"}}, Ending.BROKEN),
        ({"response": {"env": 0, "messages": [{"severity": "info", "pos": {"line": "1", "column": 0}, "data": ""}]}},
         Ending.BROKEN),
    ],
)  # fmt: skip
def test_no_reply_is_taken_for_more_than_it_says(
    kimina: KiminaDouble, monkeypatch: pytest.MonkeyPatch, result: dict[str, Any], ending: Ending
) -> None:
    lean = open_server(kimina, attempts=1)
    monkeypatch.setattr(kimina, "_check", lambda snippet, timeout, reuse: result)
    assert read(lean).ending is ending


def test_a_slow_answer_is_waited_for_and_a_missing_one_is_not(
    kimina: KiminaDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    lean = open_server(kimina, attempts=1)
    kimina.script.append("slow")
    assert lines(read(lean)) == [3]
    monkeypatch.setattr("proofgrad.verifiers.lean.server._QUEUE_SECONDS", 0.3)
    monkeypatch.setattr("proofgrad.verifiers.lean.server.wall_seconds", lambda cpu: 0.0)
    kimina.script.append("hang")
    started = time.monotonic()
    assert read(lean).ending is Ending.BROKEN
    assert time.monotonic() - started < 5


def test_the_key_goes_along(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    with KiminaDouble(str(installation.lean), key="sesame") as kimina:
        monkeypatch.delenv("PROOFGRAD_KIMINA_KEY", raising=False)
        with pytest.raises(ToolchainError, match="PROOFGRAD_KIMINA_KEY"):
            open_server(kimina)
        assert lines(read(open_server(kimina, api_key="sesame"))) == [3]
        monkeypatch.setenv("PROOFGRAD_KIMINA_KEY", "sesame")
        lean = open_server(kimina)
        assert lines(read(lean)) == [3]
        assert "sesame" not in lean.identity + lean.description


def test_texts_share_nothing_even_without_a_header(kimina: KiminaDouble) -> None:
    """Without imports the server runs snippet N in the environment of snippet 1."""
    lean = open_server(kimina, header="universe u v w\n")
    for _ in range(3):
        assert lines(read(lean)) == [3]
    assert all(code.startswith("import ") for code in codes(kimina))


def test_a_header_that_the_server_would_misread_is_refused(kimina: KiminaDouble) -> None:
    for header in ("-- Mathlib\nimport Mathlib\n", "open Nat\nimport Mathlib\n", "prelude\nimport Init\n"):
        with pytest.raises(ConfigError, match="starts with its 'import' lines"):
            open_server(kimina, header=header)
        assert read(open_server(kimina), header=header).ending is Ending.BROKEN


def test_a_header_that_lean_cannot_read_is_told_at_once(kimina: KiminaDouble) -> None:
    with pytest.raises(ToolchainError, match="cannot read the header"):
        open_server(kimina, header="import Nonexistent\n")


def test_a_claim_is_audited_in_a_repl_of_its_own(kimina: KiminaDouble) -> None:
    lean = open_server(kimina)
    claim = Claim("∀ (p : Prop), p → p", "theorem pg_a (p : Prop) : p → p := fun h => h\n", "pg_a")
    [found] = lean.audit([claim], header=lean.header, limits=LIMITS)
    assert (found.reason, found.evidence["kernel"]) == (None, "not replayed: no leanchecker")
    assert [body["reuse"] for body in kimina.requests] == [True, False]
    kimina.script.extend([429] * 3)
    [found] = lean.audit([claim], header=lean.header, limits=LIMITS)
    assert found.reason == "infra.audit"


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ToolchainError, match="kimina-lean-server running"):
        ServerLean(f"http://127.0.0.1:{port}", attempts=2, first_pause=0.01)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://lean", "http://", ""])
def test_what_is_no_address_is_told_at_once(url: str) -> None:
    with pytest.raises(ConfigError, match="http://localhost:8000"):
        ServerLean(url)


def test_the_address_may_name_the_endpoint(kimina: KiminaDouble) -> None:
    for url in (kimina.url + "/", kimina.url + "/api/check"):
        assert lines(read(ServerLean(url, header=HEADER))) == [3]


def test_the_version_is_the_servers_own(kimina: KiminaDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    said = [
        {"severity": "info", "pos": {"line": 2, "column": 0}, "data": "And (a b : Prop) : Prop"},
        {"severity": "info", "pos": {"line": 3, "column": 0}, "data": '"4.26.0-rc1"'},
    ]
    monkeypatch.setattr(kimina, "_check", lambda *_, **__: {"response": {"env": 1, "messages": said}})
    assert open_server(kimina).description == "lean4 4.26.0-rc1 server 127.0.0.1"


def test_after_closing_nothing_is_sent(kimina: KiminaDouble) -> None:
    lean = open_server(kimina)
    lean.close()
    sent = len(kimina.requests)
    assert read(lean).ending is Ending.BROKEN
    assert len(kimina.requests) == sent
