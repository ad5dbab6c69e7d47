"""The audit by text, over scripted answers; with real Leans it is tested in `test_backends`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers.lean.backend import Audit, Claim, Elaboration, Ending
from proofgrad.verifiers.lean.checker import ALLOWED_AXIOMS
from proofgrad.verifiers.lean.messages import Message
from proofgrad.verifiers.lean.text_audit import (
    AXIOMS,
    AuditText,
    Replayed,
    audit_claim,
    findings,
    write_audit,
)

CLAIM = Claim("∀ (p : Prop),\n  p ∨ ¬p", "theorem pg_a (p : Prop) : p ∨ ¬p :=\n  Classical.em p\n", "pg_a")
USED = ["propext", "Classical.choice", "Quot.sound"]


def report(name: str, line: int, axioms: list[str]) -> Message:
    said = f"depends on axioms: [{', '.join(axioms)}]" if axioms else "does not depend on any axioms"
    return Message("information", line, 0, "[anonymous]", f"'{name}' {said}")


def error(line: int) -> Message:
    return Message("error", line, 0, "[anonymous]", "Type mismatch")


def honest(audit: AuditText, axioms: list[str]) -> list[Message]:
    return [
        report("pg_a", audit.report, axioms),
        report(audit.check, audit.report + 2, axioms),
        report(audit.canary, len(audit.lines), []),
    ]


def judge(messages: list[Message], audit: AuditText) -> Audit:
    return findings(CLAIM, audit, Elaboration(Ending.DONE, messages))


def test_the_allowed_axioms_are_the_checkers() -> None:
    assert AXIOMS.keys() == ALLOWED_AXIOMS


def test_the_text_states_the_goal_before_it_shows_the_claim() -> None:
    audit = write_audit(CLAIM)
    assert audit.lines[audit.goal - 1].endswith(": Prop := ∀ (p : Prop), p ∨ ¬p")
    first, last = audit.block
    assert "\n".join(audit.lines[first - 1 : last]) + "\n" == CLAIM.block
    assert audit.goal < min(audit.axioms.values()) <= max(audit.axioms.values()) < first
    assert audit.lines[audit.report - 1] == "#print axioms pg_a"
    assert audit.text == "".join(f"{line}\n" for line in audit.lines)


def test_no_name_can_be_known_beforehand() -> None:
    one, other = write_audit(CLAIM), write_audit(CLAIM)
    assert not {one.check, one.canary} & {other.check, other.canary}
    assert one.check not in CLAIM.block


def test_a_claim_that_elaborates_stands() -> None:
    audit = write_audit(CLAIM)
    found = judge(honest(audit, USED), audit)
    assert (found.reason, found.axioms) == (None, frozenset(USED))
    assert found.evidence["axioms"] == sorted(USED)


@given(st.data())
def test_nothing_stands_with_an_error_where_it_matters(data: st.DataObject) -> None:
    """Whatever else is said, an error anywhere but at an axiom that the claim does not rest on is no pass."""
    audit = write_audit(CLAIM)
    axioms = data.draw(st.lists(st.sampled_from(USED), unique=True))
    broken = data.draw(st.sets(st.integers(1, len(audit.lines)), max_size=3))
    spare = {line for axiom, line in audit.axioms.items() if axiom not in axioms}
    # Lean gives no report on what it refused; what it refuses besides does not matter here.
    lost = {audit.report + 2: audit.report + 1, len(audit.lines): len(audit.lines) - 1}
    messages = [m for m in honest(audit, axioms) if not {m.line, lost.get(m.line)} & broken]
    found = judge([*messages, *map(error, broken)], audit)
    assert (found.reason is None) == (broken <= spare)


@given(st.sampled_from(range(3)), st.sampled_from(["drop", "double", "line", "name", "more"]))
def test_every_report_must_be_there_alone_and_in_its_place(which: int, change: str) -> None:
    audit = write_audit(CLAIM)
    messages = honest(audit, ["propext"])
    old = messages.pop(which)
    match change:
        case "double":
            messages += [old, old]
        case "line":
            messages.append(Message(old.severity, old.line - 1, 0, old.kind, old.text))
        case "name":
            messages.append(Message(old.severity, old.line, 0, old.kind, old.text.replace("'pg_", "'pg_x")))
        case "more":
            messages.append(Message(old.severity, old.line, 0, old.kind, old.text.split("'")[1].join(
                ["'", "' depends on axioms: [propext, mine]"])))  # fmt: skip
    assert judge(messages, audit).reason is not None


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (Ending.TIMEOUT, "lean.timeout"),
        (Ending.DIED, "lean.resource"),
        (Ending.OVERLOADED, "infra.audit"),
        (Ending.BROKEN, "infra.audit"),
    ],
)
def test_a_bad_ending_is_judged_by_whose_fault_it_is(ending: Ending, reason: str) -> None:
    audit = write_audit(CLAIM)
    said = Elaboration(ending, honest(audit, []), detail="so it went")
    found = findings(CLAIM, audit, said)
    assert (found.reason, found.detail) == (reason, "so it went")


def test_an_axiom_with_another_type_than_leans_own_is_not_allowed() -> None:
    audit = write_audit(CLAIM)
    found = judge([*honest(audit, ["propext"]), error(audit.axioms["propext"])], audit)
    assert found.reason == "cheat.axiom"
    assert "propext" in found.detail


@pytest.mark.parametrize(
    ("outcome", "reason", "kernel"),
    [
        (Replayed.ACCEPTED, None, "replayed by leanchecker"),
        (Replayed.ABSENT, None, "not replayed: why"),
        (Replayed.REFUSED, "cheat.kernel", "refused"),
        (Replayed.EXHAUSTED, "lean.timeout", "not replayed: why"),
        (Replayed.FAILED, "infra.audit", "not replayed: why"),
    ],
)
def test_what_the_replay_says_decides(outcome: Replayed, reason: str | None, kernel: str) -> None:
    compiled: list[str] = []

    def elaborate(text: str) -> Elaboration:
        lines = text.split("\n")
        audit = write_audit(CLAIM)
        names = [line.split()[-1] for line in lines if line.startswith("#print axioms")]
        places = [number for number, line in enumerate(lines, 1) if line.startswith("#print axioms")]
        messages = [report(name, line, []) for name, line in zip(names, places, strict=True)]
        return Elaboration(Ending.DONE, [*messages, error(audit.axioms["Quot.sound"])])

    def replay(text: str) -> tuple[Replayed, str]:
        compiled.append(text)
        return outcome, "leanchecker" if outcome is Replayed.ACCEPTED else "why"

    found = audit_claim(CLAIM, elaborate, replay)
    assert (found.reason, found.evidence["kernel"]) == (reason, kernel)
    # What this environment does not have is left out of what is compiled, and nothing else is.
    assert "Quot.sound" not in compiled[0]
    assert "@propext" in compiled[0]
    assert compiled[0].count("\n") == len(write_audit(CLAIM).lines)


def test_what_does_not_stand_is_not_replayed() -> None:
    def never(text: str) -> tuple[Replayed, str]:
        raise AssertionError("nothing to replay")

    found = audit_claim(CLAIM, lambda text: Elaboration(Ending.DONE, ()), never)
    assert found.reason == "cheat.missing"
