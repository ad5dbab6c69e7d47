from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles.install import HEADER, Installation, install

from proofgrad.verifiers import MissingExtraError, ToolchainError
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.lean.backend import Claim, Elaboration, Ending, Limits
from proofgrad.verifiers.lean.messages import axioms_in, classify
from proofgrad.verifiers.lean.project import ProjectLean, is_project

LIMITS = Limits(cpu_seconds=5, heartbeats=20_000)
HONEST = "theorem pg_a (p : Prop) : p → p :=\n fun h => h\n#print axioms pg_a\n"


def open_project(installation: Installation, **options: Any) -> ProjectLean:
    given = {"lake": installation.lake, "header": HEADER, "readable": installation.readable, "workers": 1, **options}
    return ProjectLean(installation.project, **given)


def read(lean: ProjectLean, text: str = HONEST, limits: Limits = LIMITS, header: str | None = None) -> Elaboration:
    return lean.elaborate(text, header=lean.header if header is None else header, candidates=1, limits=limits)


def is_good(found: Elaboration) -> bool:
    reports = [m.line for m in found.messages if axioms_in(m.text, "pg_a") == []]
    return found.ending is Ending.DONE and reports == [3] and not any(m.is_error for m in found.messages)


def running(lean: ProjectLean) -> int | None:
    """The process of the only REPL."""
    server = lean._repls[0]._server
    return None if server is None else server.pid


@pytest.fixture
def lean(installation: Installation) -> Iterator[ProjectLean]:
    opened = open_project(installation)
    yield opened
    opened.close()


def test_one_process_serves_many_texts_until_its_count_is_up(installation: Installation) -> None:
    lean = open_project(installation, requests=3)
    seen = []
    for _ in range(5):
        assert is_good(read(lean))
        seen.append(running(lean))
    lean.close()
    assert seen[0] is not None
    assert seen[:2] == [seen[0]] * 2
    assert seen[2] is None  # the third was its last; the next text gets a new one
    assert seen[3] not in (None, seen[0])


def test_the_header_is_read_once_for_each_process(lean: ProjectLean) -> None:
    assert is_good(read(lean))
    first = running(lean)
    assert is_good(read(lean, limits=Limits(5, 30_000)))  # other limits: another branch of the same import
    assert running(lean) == first
    assert lean._repls[0]._environments.keys() == {0, 20_000, 30_000}


def test_another_header_gets_a_process_of_its_own(installation: Installation) -> None:
    lean = open_project(installation, workers=2)
    other = "import Aesop\nuniverse u\n"
    for header in (lean.header, other, lean.header, other):
        assert is_good(read(lean, header=header))
    headers = {repl.header for repl in lean._repls}
    processes = {repl._server.pid for repl in lean._repls}
    for header in (lean.header, other):
        assert is_good(read(lean, header=header))
    assert headers == {lean.header, other}
    assert {repl._server.pid for repl in lean._repls} == processes
    lean.close()


def test_heartbeats_are_ours_to_set(lean: ProjectLean) -> None:
    deep = " ∧ ".join("p" * 60)
    text = f"theorem pg_a (p : Prop) (h : p) : {deep} := ⟨{', '.join('h' * 60)}⟩\n"
    header = f"{lean.header}set_option maxHeartbeats 10000000\n"
    assert not any(m.is_error for m in read(lean, text, header=header).messages)
    found = read(lean, text, Limits(5, heartbeats=1), header)
    assert {classify([m]) for m in found.messages if m.is_error} == {"lean.timeout"}


def test_a_repl_that_grows_is_killed_and_replaced(installation: Installation) -> None:
    lean = open_project(installation, memory_mib=300)
    found = read(lean, "-- double: grow\n", Limits(cpu_seconds=60, heartbeats=1))
    assert found.ending is Ending.DIED
    assert "memory" in found.detail
    assert is_good(read(lean))
    lean.close()


def test_a_repl_that_has_kept_too_much_is_replaced_between_texts(installation: Installation) -> None:
    lean = open_project(installation, memory_mib=160)
    assert is_good(read(lean))
    first = running(lean)
    found = read(lean, "-- double: bloat\n" + HONEST)
    assert (found.ending, running(lean)) == (Ending.DONE, first)  # far from the limit
    found = read(lean, "-- double: bloat\n" + HONEST)
    assert (found.ending, running(lean)) == (Ending.DONE, None)
    assert is_good(read(lean))
    lean.close()


def test_a_repl_that_waits_for_ever_is_told_from_one_that_works(
    lean: ProjectLean, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_good(read(lean))
    monkeypatch.setattr("proofgrad.verifiers.lean.repl.wall_seconds", lambda cpu: 0.3)
    started = time.monotonic()
    found = read(lean, "-- double: hang\n")
    assert found.ending is Ending.OVERLOADED  # it used no processor time: nobody's fault
    assert time.monotonic() - started < 10
    monkeypatch.undo()
    assert is_good(read(lean))


def test_what_is_no_reply_is_not_held_against_a_candidate(lean: ProjectLean) -> None:
    found = read(lean, "-- double: babble\n" + HONEST)
    assert found.ending is Ending.BROKEN
    assert is_good(read(lean))


def test_a_reply_to_another_text_is_not_taken_for_the_next(lean: ProjectLean) -> None:
    """A forged reply leaves the true one in the pipe; without its fence the process is not used again."""
    assert is_good(read(lean))
    first = running(lean)
    found = read(lean, '-- double: forge {"env": 7}\n' + HONEST)
    assert found.ending is Ending.DONE
    assert not found.messages
    assert running(lean) != first
    assert is_good(read(lean))


def test_a_process_killed_from_outside_is_replaced(lean: ProjectLean) -> None:
    assert is_good(read(lean))
    pid = running(lean)
    assert pid is not None
    os.killpg(pid, signal.SIGKILL)
    time.sleep(0.1)
    assert is_good(read(lean))


def test_closing_ends_a_text_under_way(installation: Installation) -> None:
    lean = open_project(installation)
    assert is_good(read(lean))
    found: list[Elaboration] = []
    thread = threading.Thread(target=lambda: found.append(read(lean, "-- double: hang\n")))
    thread.start()
    time.sleep(0.3)
    started = time.monotonic()
    lean.close()
    thread.join(10)
    assert time.monotonic() - started < 5
    assert [f.ending for f in found] == [Ending.BROKEN]
    assert read(lean).ending is Ending.BROKEN


def test_replies_in_the_form_of_the_real_repl_are_understood(tmp_path: Path) -> None:
    """As its README and issues show them: no kinds, "info", null ends, placeholders listed apart."""
    shown = json.loads((Path(__file__).parent / "doubles/replies.json").read_text("utf-8"))
    here = install(tmp_path / "here", recorded={f"-- {name}\n": reply for name, reply in shown.items()})
    lean = open_project(here)
    found = {name: read(lean, f"-- {name}\n") for name in shown}
    lean.close()
    assert {f.ending for f in found.values()} == {Ending.DONE}
    unsolved, placeholder = found["unsolved"].messages, found["placeholder"].messages
    assert [(m.severity, m.line, m.column, m.end_line) for m in unsolved] == [("error", 1, 33, 2)]
    assert {(m.kind, m.line, m.column) for m in placeholder} == {("hasSorry", 1, 4), ("hasSorry", 1, 18)}
    assert [(m.severity, m.end_line) for m in found["missing import"].messages] == [("error", None)]
    assert axioms_in(found["axioms"].messages[0].text, "pg_a") == ["propext", "Classical.choice", "Quot.sound"]


def test_an_audit_replays_in_the_kernel_where_a_checker_is(checked_installation: Installation) -> None:
    lean = open_project(checked_installation)
    honest = Claim("∀ (p : Prop), p → p", "theorem pg_a (p : Prop) : p → p := fun h => h\n", "pg_a")
    [found] = lean.audit([honest], header=lean.header, limits=LIMITS)
    lean.close()
    assert (found.reason, found.evidence["kernel"]) == (None, "replayed by leanchecker")


def test_no_repl_of_its_own_is_asked_for_in_words(installation: Installation, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lake build"):
        open_project(installation, repl_path=tmp_path)
    with pytest.raises(ConfigError, match="no Lake project"):
        ProjectLean(tmp_path)
    with pytest.raises(ConfigError, match="at least 1"):
        open_project(installation, workers=0)
    with pytest.raises(ToolchainError, match="there is no Lake"):
        open_project(installation, lake=tmp_path / "lake")
    assert is_project(installation.project)
    assert not is_project(tmp_path)


def test_a_repl_that_lean_interact_cannot_get_is_a_toolchain_error(tmp_path: Path) -> None:
    here = install(tmp_path / "here")
    (here.project / ".lake/packages/repl").rename(tmp_path / "elsewhere")

    class NoNetwork:
        def __init__(self, **_: object) -> None:
            raise RuntimeError("Failed to clone\nat length")

    library = importlib.import_module("lean_interact")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "LeanREPLConfig", NoNetwork)
        with pytest.raises(ToolchainError, match=r"Failed to clone; build .* and pass repl_path"):
            open_project(here)
    log = tmp_path / "log"
    bwrap = tmp_path / "bwrap"
    bwrap.write_text(f'#!/bin/sh\necho "$*" >> {log}\nwhile [ "$1" != "--" ]; do shift; done; shift; exec "$@"\n')
    bwrap.chmod(0o755)
    lean = open_project(here, repl_path=tmp_path / "elsewhere", bwrap=bwrap)
    assert is_good(read(lean))
    lean.close()
    # The REPL sees itself and the project, and can write to neither.
    words = log.read_text().splitlines()[-1].split(" -- ")[0].split()
    bound = {words[i + 1] for i, word in enumerate(words) if word == "--ro-bind"}
    assert {str(here.project), str((tmp_path / "elsewhere/.lake/build/bin").resolve())} <= bound
    assert "--bind" not in words


def test_without_lean_interact_the_command_to_run_is_named(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.import_module

    def fail(name: str) -> object:
        if name == "lean_interact":
            raise ModuleNotFoundError("No module named 'lean_interact'", name="lean_interact")
        return real(name)

    monkeypatch.setattr("proofgrad.verifiers.lean.repl.importlib.import_module", fail)
    with pytest.raises(MissingExtraError, match=r"pip install 'proofgrad\[lean-project\]'"):
        open_project(installation)


def test_its_identity_follows_what_can_change_a_verdict(tmp_path: Path) -> None:
    here = install(tmp_path / "here")

    def identity(**options: Any) -> str:
        lean = open_project(here, **options)
        lean.close()
        return lean.identity

    first = identity()
    assert identity() == first
    assert identity(header=HEADER + "open Classical\n") != first
    (here.project / "lake-manifest.json").write_text('{"packages": []}')
    assert identity() != first


ORPHAN = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_project import HEADER, ProjectLean, read, running
lean = ProjectLean({project!r}, lake={lake!r}, header=HEADER, workers=1)
read(lean)
print(running(lean), flush=True)
read(lean, "-- double: hang\\n")
"""


def test_a_repl_does_not_outlive_us(installation: Installation) -> None:
    """Not even when we are killed in the middle of a text."""
    given = {"tests": str(Path(__file__).parent), "project": str(installation.project), "lake": str(installation.lake)}
    with subprocess.Popen([sys.executable, "-c", ORPHAN.format(**given)], stdout=subprocess.PIPE, text=True) as ours:
        assert ours.stdout is not None
        repl = int(ours.stdout.readline())
        assert is_alive(repl)
        time.sleep(0.2)
        ours.kill()
    deadline = time.monotonic() + 10
    while is_alive(repl) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(repl)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
