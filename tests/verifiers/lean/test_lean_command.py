"""InstalledLean, and the throwaway processes that it and the project's audits are made of."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from doubles.install import DECIDE_WITH_OPTIONS, KERNEL_OFF, NO_BWRAP, Installation

from proofgrad.verifiers import ToolchainError
from proofgrad.verifiers.lean.backend import Claim, Elaboration, Ending, Limits
from proofgrad.verifiers.lean.bubblewrap import LAYERS, Bubblewrap
from proofgrad.verifiers.lean.installed import InstalledLean
from proofgrad.verifiers.lean.lean_command import LeanCommand, find_lean
from proofgrad.verifiers.lean.messages import axioms_in
from proofgrad.verifiers.lean.text_audit import Replayed

LIMITS = Limits(cpu_seconds=5, heartbeats=20_000)
HONEST = "theorem pg_a (p : Prop) : p → p :=\n fun h => h\n#print axioms pg_a\n"


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def read(lean: InstalledLean, text: str = HONEST, limits: Limits = LIMITS) -> Elaboration:
    return lean.elaborate(text, header=lean.header, candidates=1, limits=limits)


@pytest.fixture(scope="module")
def lean(installation: Installation) -> InstalledLean:
    return InstalledLean(installation.lean, readable=installation.readable)


def test_it_is_found_on_the_path(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{installation.lean.parent}:{os.environ['PATH']}")
    assert find_lean() == installation.lean


def test_it_is_found_through_elan(installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """elan's `lean` is a stand-in that picks a toolchain each time; the one that it picks here is used directly."""
    script(tmp_path / "bin/lean", "#!/bin/sh\nexit 9\n")
    script(tmp_path / "bin/elan", f'#!/bin/sh\n[ "$1 $2" = "which lean" ] && echo {installation.lean}\n')
    monkeypatch.setenv("ELAN_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert find_lean() == installation.lean
    script(tmp_path / "bin/elan", "#!/bin/sh\necho 'error: no default toolchain configured' >&2\nexit 1\n")
    with pytest.raises(ToolchainError, match="no default toolchain configured"):
        find_lean()
    script(tmp_path / "bin/elan", "#!/bin/sh\necho /nowhere/bin/lean\n")
    with pytest.raises(ToolchainError, match="not there"):
        find_lean()


def test_none_at_all_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELAN_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(ToolchainError, match="install it with elan"):
        find_lean()
    with pytest.raises(ToolchainError, match=r"does not run|failed"):
        InstalledLean(script(tmp_path / "broken", "#!/bin/sh\nexit 3\n"))


def test_it_says_its_version(lean: InstalledLean) -> None:
    assert lean.description == "lean4 4.35.0 installed"
    assert "commit" in lean.identity
    assert "no leanchecker" in lean.identity


def test_endless_output_is_cut_off(lean: InstalledLean) -> None:
    started = time.monotonic()
    found = read(lean, "-- double: flood\n")
    assert found.ending is Ending.DIED
    assert time.monotonic() - started < 20
    assert [m.line for m in read(lean).messages] == [3]


def test_waiting_is_told_from_working(lean: InstalledLean, monkeypatch: pytest.MonkeyPatch) -> None:
    read(lean)
    monkeypatch.setattr("proofgrad.verifiers.lean.lean_command.wall_seconds", lambda cpu: 0.5)
    started = time.monotonic()
    assert read(lean, "-- double: hang\n").ending is Ending.OVERLOADED
    assert time.monotonic() - started < 10


def test_what_was_said_before_a_death_is_kept(lean: InstalledLean, installation: Installation, tmp_path: Path) -> None:
    line = '{"severity":"information","pos":{"line":3,"column":0},"endPos":null,"data":"so far","kind":""}'
    answers = f'case "$*" in *--version*) echo "Lean (version 4.9.0)";; *prefix*) echo {tmp_path};; '
    dying = script(
        tmp_path / "bin/lean",
        f"""#!/bin/sh
{answers}*) grep -q DIE check.lean 2>/dev/null && {{ echo '{line}'; printf '{{"half'; kill -SEGV $$; }}; exit 0;; esac
""",
    )
    found = read(InstalledLean(dying, header=""), "\n-- DIE\n")
    assert found.ending is Ending.DIED
    assert [(m.line, m.text) for m in found.messages] == [(2, "so far")]


def test_a_lean_without_newer_options_is_run_without_them(tmp_path: Path) -> None:
    log = tmp_path / "log"
    old = script(
        tmp_path / "bin/lean",
        f"""#!/bin/sh
echo "$*" >> {log}
case "$*" in *--version*) echo "Lean (version 4.9.0)";; *prefix*) echo {tmp_path};; *DmaxErrors*) exit 1;; esac
""",
    )
    read(InstalledLean(old, bwrap=NO_BWRAP))
    assert [("maxErrors" in line) for line in log.read_text().splitlines() if "--json" in line] == [False, False]


def test_placeholders_of_an_older_lean_have_no_kind(tmp_path: Path) -> None:
    line = '{"severity":"warning","pos":{"line":2,"column":8},"endPos":null,"data":"declaration uses \'sorry\'"}'
    (tmp_path / "said").write_text(line + "\n")
    old = script(
        tmp_path / "bin/lean",
        f"""#!/bin/sh
case "$*" in *--version*) echo "Lean (version 4.9.0)";; *prefix*) echo {tmp_path};; *--json*) cat {tmp_path}/said;; esac
""",
    )
    assert [(m.line, m.is_sorry) for m in read(InstalledLean(old, header="")).messages] == [(1, True)]


def test_a_compiled_claim_is_replayed(checked_installation: Installation) -> None:
    command = LeanCommand(checked_installation.lean, readable=checked_installation.readable)
    assert command.replay(HONEST, header="", limits=LIMITS) == (Replayed.ACCEPTED, "leanchecker")
    outcome, said = command.replay(DECIDE_WITH_OPTIONS + KERNEL_OFF, header="", limits=LIMITS)
    assert outcome is Replayed.REFUSED
    assert "problem" in said
    outcome, said = command.replay("theorem pg_a : False := trivial\n", header="", limits=LIMITS)
    assert outcome is Replayed.FAILED
    assert "does not compile" in said


def test_a_checker_that_does_not_run_is_said_and_blames_nobody(installation: Installation, tmp_path: Path) -> None:
    broken = script(tmp_path / "lean4checker", "#!/bin/sh\necho incompatible header >&2\nexit 1\n")
    command = LeanCommand(installation.lean, readable=installation.readable, checker=broken)
    outcome, said = command.replay(HONEST, header="", limits=LIMITS)
    assert (outcome, said) == (Replayed.ABSENT, "lean4checker fails here: incompatible header")


def test_a_checker_that_takes_for_ever_is_stopped(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = tmp_path / "stuck"
    slow = script(tmp_path / "lean4checker", f"#!/bin/sh\n[ -e {stuck} ] || exit 0\nsleep 600\n")
    command = LeanCommand(installation.lean, checker=slow, bwrap=NO_BWRAP)
    assert command.replay(HONEST, header="", limits=LIMITS) == (Replayed.ACCEPTED, "lean4checker")
    stuck.touch()
    monkeypatch.setattr("proofgrad.verifiers.lean.lean_command.wall_seconds", lambda cpu: 5.0)
    assert command.replay(HONEST, header="", limits=LIMITS)[0] is Replayed.EXHAUSTED


def test_the_switch_of_the_kernel_is_caught_without_a_checker(lean: InstalledLean) -> None:
    [found] = lean.audit([Claim("False", KERNEL_OFF, "pg_a")], header=lean.header, limits=LIMITS)
    assert found.reason == "cheat.kernel"


BWRAP = """#!/bin/sh
echo "$*" >> LOG
while [ "$1" != "--" ]; do shift; done
shift
exec "$@"
"""


def test_bubblewrap_gets_what_lean_needs_and_nothing_else(installation: Installation, tmp_path: Path) -> None:
    log = tmp_path / "log"
    bwrap = script(tmp_path / "bwrap", BWRAP.replace("LOG", str(log)))
    modules = tmp_path / "modules"
    modules.mkdir()
    lean = InstalledLean(installation.lean, bwrap=bwrap, path=[modules])
    assert lean.layers == {"limits": "active", **dict.fromkeys(LAYERS, "active")}
    assert [axioms_in(m.text, "pg_a") for m in read(lean).messages] == [[]]
    words = log.read_text().splitlines()[-1].split(" -- ")[0].split()
    assert {"--unshare-all", "--die-with-parent", "--new-session"} <= set(words)
    bound = {words[i + 1]: word for i, word in enumerate(words) if word in ("--ro-bind", "--bind")}
    assert [place for place, how in bound.items() if how == "--bind"] == [words[words.index("--chdir") + 1]]
    assert {str(modules), str(installation.lean.parent)} <= bound.keys()
    assert "/" not in bound
    assert str(Path.home()) not in bound


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n", "No permissions"),
        ("#!/nowhere\n", "FileNotFoundError"),
        ("#!/bin/sh\nexit 4\n", "status 4"),
    ],
)
def test_without_a_working_bubblewrap_the_layers_say_so(
    installation: Installation, tmp_path: Path, text: str, why: str
) -> None:
    lean = InstalledLean(installation.lean, readable=installation.readable, bwrap=script(tmp_path / "bwrap", text))
    assert lean.layers["limits"] == "active"
    assert all(lean.layers[name].startswith("missing: ") and why in lean.layers[name] for name in LAYERS)
    assert [axioms_in(m.text, "pg_a") for m in read(lean).messages] == [[]]


def test_bubblewrap_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    plain = Bubblewrap([], ["true"])
    assert set(plain.layers.values()) == {"missing: bubblewrap is not installed"}
    assert plain.wrap(["true"], folder=tmp_path, writable=True) == ["true"]


def test_a_signal_that_comes_through_bubblewrap_is_understood(installation: Installation, tmp_path: Path) -> None:
    """bwrap ends with 128 + the number of the signal that ended what it ran."""
    answers = f'case "$*" in *--version*) echo "Lean (version 4.9.0)";; *prefix*) echo {tmp_path};; '
    wanted = tmp_path / "status"
    lean = InstalledLean(
        script(
            tmp_path / "bin/lean", f"#!/bin/sh\n{answers}*) [ -e {wanted} ] && exit $(cat {wanted});; esac\nexit 0\n"
        ),
        header="",
    )
    read(lean)
    for number, ending in (
        (signal.SIGXCPU, Ending.TIMEOUT),
        (signal.SIGABRT, Ending.DIED),
        (signal.SIGSEGV, Ending.DIED),
    ):
        wanted.write_text(str(128 + number))
        assert read(lean).ending is ending


def test_the_limits_hold(tmp_path: Path) -> None:
    """Address space, processor time and file size, seen by what runs in place of Lean."""
    shown = tmp_path / "limits"
    probe = (
        "import resource as r; "
        "print([list(r.getrlimit(getattr(r, 'RLIMIT_' + k))) for k in ('AS', 'CPU', 'FSIZE', 'CORE')])"
    )
    lean = InstalledLean(
        script(tmp_path / "bin/lean", f"""#!/bin/sh
case "$*" in *--version*) echo "Lean (version 4.9.0)";; *prefix*) echo {tmp_path};;
*--json*) {sys.executable} -c "{probe}" > {shown};; esac
"""),
        header="",
        address_space_mib=4096,
        bwrap=NO_BWRAP,
    )  # fmt: skip
    read(lean)
    space, cpu, size, core = json.loads(shown.read_text())
    assert space == [4 << 30, 4 << 30]
    assert cpu[0] <= LIMITS.cpu_seconds + 3
    assert size == [8 << 20, 8 << 20]
    assert core == [0, 0]
