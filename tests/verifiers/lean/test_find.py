from __future__ import annotations

import os
from pathlib import Path

import pytest
from doubles.install import HEADER, Installation
from doubles.kimina_double import KiminaDouble

from proofgrad.verifiers import ToolchainError
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.lean.find import NAMES, found, open_backend


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any other Lean than the embedded one."""
    for name in ("PROOFGRAD_LEAN_PROJECT", "PROOFGRAD_KIMINA_URL", "PROOFGRAD_KIMINA_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ELAN_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


def test_the_embedded_one_is_the_last_resort() -> None:
    backend = open_backend()
    assert backend.name == "embedded"
    backend.close()


def test_what_is_configured_comes_first(
    installation: Installation, kimina: KiminaDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = []

    def choose(**options: object) -> None:
        backend = open_backend(**options)
        chosen.append(backend.name)
        backend.close()

    monkeypatch.setenv("PROOFGRAD_KIMINA_URL", kimina.url)
    choose(header=HEADER)
    monkeypatch.setenv("PATH", f"{installation.lean.parent}:{os.environ['PATH']}")
    choose()
    monkeypatch.setenv("PROOFGRAD_LEAN_PROJECT", str(installation.project))
    choose(header=HEADER)
    assert chosen == ["server", "toolchain", "project"]
    assert chosen == list(reversed(NAMES[:3]))


def test_a_name_overrules_what_is_found(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{installation.lean.parent}:{os.environ['PATH']}")
    for name, options in (
        ("embedded", {}),
        ("toolchain", {}),
        ("project", {"project": installation.project, "header": HEADER}),
    ):
        backend = open_backend(name, **options)
        assert backend.name == name
        backend.close()


def test_a_server_by_option(kimina: KiminaDouble) -> None:
    assert open_backend(url=kimina.url, header=HEADER).name == "server"


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("lean5", {}, "project, toolchain, server, embedded"),
        ("project", {}, "PROOFGRAD_LEAN_PROJECT"),
        ("server", {}, "PROOFGRAD_KIMINA_URL"),
        ("embedded", {"header": "import Mathlib\n"}, "header"),
        ("toolchain", {"wheels": 4}, "refuses an option"),
    ],
)
def test_wrong_use_is_told_in_one_line(name: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        open_backend(name, **options)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_was_asked_for_and_is_not_there_is_no_reason_to_take_another(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError):
        open_backend("toolchain")
    with pytest.raises(ConfigError, match="no Lake project"):
        open_backend(project=tmp_path)


def test_the_report_names_each_and_opens_none(
    installation: Installation, kimina: KiminaDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = dict(found())
    assert tuple(said) == NAMES
    assert said["project"].startswith("not configured: set PROOFGRAD_LEAN_PROJECT")
    assert said["toolchain"].startswith("not found: ")
    assert said["server"].startswith("not configured: set PROOFGRAD_KIMINA_URL")
    assert said["embedded"].startswith("lean4 ")
    monkeypatch.setenv("PATH", f"{installation.lean.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PROOFGRAD_KIMINA_URL", kimina.url)
    monkeypatch.setenv("PROOFGRAD_LEAN_PROJECT", str(installation.project))
    said = dict(found())
    assert "leanprover/lean4:v4.35.0" in said["project"]
    assert said["toolchain"].startswith("Lean (version 4.35.0")
    assert said["server"] == kimina.url
    assert not kimina.requests
    monkeypatch.setenv("PROOFGRAD_LEAN_PROJECT", str(tmp_path))
    assert dict(found())["project"].startswith("not usable: ")
