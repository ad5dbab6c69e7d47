"""What every backend owes its callers, whichever Lean is behind it.

Run over the embedded Lean and over doubles of the others; with ``PROOFGRAD_LEAN_PROJECT`` or ``PROOFGRAD_KIMINA_URL``
set, over the real ones too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from doubles.install import DECIDE_WITH_OPTIONS, HEADER, KERNEL_OFF, Installation
from doubles.kimina_double import KiminaDouble

from proofgrad.verifiers.lean.backend import Audit, Backend, Claim, Elaboration, Ending, Limits
from proofgrad.verifiers.lean.checker import ALLOWED_AXIOMS
from proofgrad.verifiers.lean.embedded import EmbeddedLean
from proofgrad.verifiers.lean.installed import InstalledLean
from proofgrad.verifiers.lean.lean_command import wall_seconds
from proofgrad.verifiers.lean.messages import axioms_in
from proofgrad.verifiers.lean.project import ProjectLean
from proofgrad.verifiers.lean.replies import MATHLIB_HEADER
from proofgrad.verifiers.lean.server import ServerLean

LIMITS = Limits(cpu_seconds=5, heartbeats=20_000)
HONEST = "theorem pg_a (p : Prop) : p → p :=\n fun h => h\n#print axioms pg_a\n"
WRONG = "theorem pg_a (p q : Prop) : p → q :=\n fun h =>\n  h\n"
LOOP = (
    "theorem pg_a : True := (fun _ => trivial)\n"
    " (rfl : Nat.rec (motive := fun _ => Nat) 0 (fun _ k => k) 1000000000 = 0)\n"
)
CRASH, HANG = "-- double: crash\n", "-- double: hang\n"
EM = "theorem pg_a (p : Prop) : p ∨ ¬p :=\n Classical.em p\n"
EM_GOAL = "∀ (p : Prop), p ∨ ¬p"

REAL = [name for name, variable in (("real project", "PROOFGRAD_LEAN_PROJECT"), ("real server", "PROOFGRAD_KIMINA_URL"))
        if os.environ.get(variable)]  # fmt: skip
DOUBLES = ["toolchain", "project", "server"]


@dataclass
class Subject:
    """A backend, and a text that it cannot read to the end in a second of processor time."""

    backend: Backend
    endless: str = LOOP
    is_real: bool = False

    def read(self, text: str, limits: Limits = LIMITS) -> Elaboration:
        return self.backend.elaborate(text, header=self.backend.header, candidates=1, limits=limits)

    def audit(self, goal: str, block: str) -> Audit:
        [found] = self.backend.audit([Claim(goal, block, "pg_a")], header=self.backend.header, limits=LIMITS)
        return found


def open_subject(name: str, installation: Installation, server: KiminaDouble) -> Subject:
    match name:
        case "embedded":
            return Subject(EmbeddedLean())
        case "toolchain":
            return Subject(InstalledLean(installation.lean, readable=installation.readable))
        case "project":
            return Subject(
                ProjectLean(
                    installation.project,
                    lake=installation.lake,
                    header=HEADER,
                    readable=installation.readable,
                    workers=2,
                )
            )
        case "server":  # the double's clock is the test's: it is told what to run out of time on
            return Subject(ServerLean(server.url, header=HEADER, first_pause=0.01), HANG)
        case "real project":
            return Subject(ProjectLean(os.environ["PROOFGRAD_LEAN_PROJECT"]), is_real=True)
        case _:
            return Subject(ServerLean(os.environ["PROOFGRAD_KIMINA_URL"]), is_real=True)


@pytest.fixture(scope="module")
def server(installation: Installation) -> Iterator[KiminaDouble]:
    with KiminaDouble(str(installation.lean)) as double:
        yield double


@pytest.fixture(scope="module")
def opened(installation: Installation, server: KiminaDouble) -> Iterator[Callable[[str], Subject]]:
    """Opens each backend once."""
    known: dict[str, Subject] = {}

    def get(name: str) -> Subject:
        if name not in known:
            known[name] = open_subject(name, installation, server)
        return known[name]

    yield get
    for subject in known.values():
        subject.backend.close()


@pytest.fixture(params=["embedded", *DOUBLES, *REAL])
def subject(request: pytest.FixtureRequest, opened: Callable[[str], Subject]) -> Subject:
    return opened(request.param)


@pytest.fixture(params=DOUBLES)
def double(request: pytest.FixtureRequest, opened: Callable[[str], Subject]) -> Subject:
    return opened(request.param)


def reports(found: Elaboration, name: str = "pg_a") -> list[tuple[int, list[str]]]:
    return [(m.line, axioms) for m in found.messages if (axioms := axioms_in(m.text, name)) is not None]


def children() -> set[int]:
    """Live processes whose parent is this one."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z" and int(fields[1]) == os.getpid():
                found.add(int(entry.name))
    return found


def test_it_says_what_it_is(subject: Subject) -> None:
    backend = subject.backend
    assert backend.name in ("embedded", "toolchain", "project", "server")
    assert "lean4" in backend.description
    assert "\n" not in backend.description
    assert backend.identity
    assert backend.header.endswith("\n")
    assert backend.layers
    assert all(state == "active" or state.startswith("missing: ") for state in backend.layers.values())


def test_an_honest_text_gets_its_report_on_its_line(subject: Subject) -> None:
    found = subject.read("\n" + HONEST)
    assert found.ending is Ending.DONE, found.detail
    assert reports(found) == [(4, [])]
    assert not any(m.is_error for m in found.messages)
    assert {m.severity for m in found.messages} == {"information"}


def test_an_error_stands_where_it_is(subject: Subject) -> None:
    found = subject.read(WRONG + HONEST.replace("pg_a", "pg_b"))
    assert found.ending is Ending.DONE, found.detail
    errors = [m for m in found.messages if m.is_error]
    assert [(m.line, m.column) for m in errors] == [(3, 2)]
    assert (errors[0].end_line, errors[0].end_column) == (3, 3)
    assert reports(found, "pg_b") == [(6, [])]


def test_a_placeholder_is_named_as_one(subject: Subject) -> None:
    found = subject.read("theorem pg_a : True :=\n sorry\n#print axioms pg_a\n")
    assert [m.line for m in found.messages if m.is_sorry] == [1]
    assert reports(found) == [(3, ["sorryAx"])]


def test_texts_do_not_see_each_other(subject: Subject) -> None:
    for _ in range(2):
        assert reports(subject.read(HONEST)) == [(3, [])]  # the same name, twice
    found = subject.read("theorem pg_b (p : Prop) : p → p := pg_a p\n")
    assert found.ending is Ending.DONE
    assert any(m.is_error and m.line == 1 for m in found.messages)


def test_what_a_text_sets_ends_with_it(subject: Subject) -> None:
    subject.read("namespace Odd\nset_option maxRecDepth 1\nvariable (p q : Prop)\nopen Classical\n")
    found = subject.read(HONEST)
    assert reports(found) == [(3, [])], found


def test_more_errors_than_lean_counts_by_itself(subject: Subject) -> None:
    found = subject.read("".join(f"theorem pg_{i} (p q : Prop) : p → q := fun h => h\n" for i in range(120)) + HONEST)
    assert len({m.line for m in found.messages if m.is_error}) == 120
    assert reports(found) == [(123, [])]


def test_a_text_without_an_end_runs_out_of_time(subject: Subject) -> None:
    started = time.monotonic()
    found = subject.read(subject.endless, Limits(cpu_seconds=1, heartbeats=10_000_000))
    assert found.ending is Ending.TIMEOUT
    assert found.detail
    assert time.monotonic() - started < wall_seconds(2) + 5
    assert reports(subject.read(HONEST)) == [(3, [])]


def test_a_text_that_kills_lean_takes_nobody_along(double: Subject) -> None:
    found = double.read(HONEST + CRASH)
    assert found.ending is Ending.DIED
    assert found.detail
    assert reports(double.read(HONEST)) == [(3, [])]


ODD = ["", "/- never closed", "theorem", "end Nowhere", "#exit", "import Nowhere", "«\x00", "-- " + "x" * 100_000]


def test_no_text_raises_or_spoils_the_next(double: Subject) -> None:
    for text in ODD:
        found = double.read(text)
        assert found.ending in (Ending.DONE, Ending.DIED), text
        assert all(m.line >= 1 for m in found.messages), text
        assert reports(double.read(HONEST)) == [(3, [])], text


def test_a_header_that_cannot_be_read_is_nobodys_failure(double: Subject) -> None:
    found = double.backend.elaborate(HONEST, header="import Nonexistent.Module\n", candidates=1, limits=LIMITS)
    assert found.ending is Ending.BROKEN
    assert found.detail
    assert reports(double.read(HONEST)) == [(3, [])]


def test_a_problem_can_bring_its_own_header(double: Subject) -> None:
    assert double.backend.takes_header
    header = double.backend.header + "theorem pg_given : True := trivial\n"
    text = HONEST.replace("h => h", "h => (fun _ => h) pg_given")
    for given, good in ((header, True), (double.backend.header, False), (header, True)):
        found = double.backend.elaborate(text, header=given, candidates=1, limits=LIMITS)
        assert any(m.is_error for m in found.messages) is not good


def test_threads_get_their_own_answers(double: Subject) -> None:
    def read(number: int) -> list[tuple[int, list[str]]]:
        return reports(double.read("\n" * number + HONEST))

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(read, range(6))) == [[(number + 3, [])] for number in range(6)]


def test_an_honest_claim_stands(subject: Subject) -> None:
    found = subject.audit(EM_GOAL, EM)
    assert found.reason is None, found.detail
    assert found.axioms == {"propext", "Classical.choice", "Quot.sound"}
    assert "kernel" in found.evidence


@pytest.mark.parametrize(
    ("goal", "block", "reason"),
    [
        ("∀ (p : Prop), p", EM, "cheat.statement"),
        (EM_GOAL, EM.replace("pg_a", "pg_b"), "cheat.missing"),
        (EM_GOAL, EM.replace("Classical.em p", "sorry"), "cheat.axiom"),
        ("False", "axiom pg_no : False\ntheorem pg_a : False := pg_no\n", "cheat.axiom"),
        ("False", KERNEL_OFF, "cheat.kernel"),
    ],
)
def test_a_claim_that_cheats_falls(subject: Subject, goal: str, block: str, reason: str) -> None:
    if block == KERNEL_OFF and not subject.is_real:
        block = DECIDE_WITH_OPTIONS + block
    found = subject.audit(goal, block)
    if found.reason is None:  # which axioms are allowed is the caller's to say
        assert reason == "cheat.axiom"
        assert found.axioms - ALLOWED_AXIOMS
    else:
        assert found.reason == reason, found
        assert found.detail


def test_claims_are_audited_each_for_itself(double: Subject) -> None:
    claims = [Claim(EM_GOAL, EM, "pg_a"), Claim("False", EM, "pg_a"), Claim(EM_GOAL, EM, "pg_a")]
    found = double.backend.audit(claims, header=double.backend.header, limits=LIMITS)
    assert [audit.reason for audit in found] == [None, "cheat.statement", None]


def test_an_audit_that_cannot_be_made_accuses_nobody(double: Subject) -> None:
    [found] = double.backend.audit([Claim(EM_GOAL, EM, "pg_a")], header="import Nonexistent.Module\n", limits=LIMITS)
    assert found.reason == "infra.audit"


@pytest.mark.parametrize("name", ["embedded", *DOUBLES])
def test_closing_leaves_no_process_behind(name: str, installation: Installation, server: KiminaDouble) -> None:
    before = children()
    opened = open_subject(name, installation, server)
    assert reports(opened.read(HONEST)) == [(3, [])]
    opened.backend.close()
    opened.backend.close()
    opened.read(HONEST)  # what it says is its own affair; it must not raise
    opened.backend.close()
    assert children() <= before


def test_the_header_for_mathlib_names_what_benchmarks_name() -> None:
    assert MATHLIB_HEADER.startswith("import Mathlib\n")
    assert "universe u v w" in MATHLIB_HEADER
