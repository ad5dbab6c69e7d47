"""The second look at an accepted theorem, for a Lean whose kernel we cannot call ourselves: by what it says of a text.

The text holds one claim and nothing of any other candidate:

    def S : Prop := <goal>                       before anything of the candidate is read
    theorem A1 : <type of propext> := @propext   elaborates only when that axiom has its own type
    ...
    <block>
    #print axioms <theorem>
    theorem C : S := @<theorem>                  what was proved is what we asked for
    #print axioms C
    a canary                                     nothing cut the text short

All names but the candidate's are random. Where the Lean comes with ``leanchecker`` (or the project with
``lean4checker``), the claim is also compiled alone and its declarations are replayed from the module file through the
kernel, which finds what an elaborator that had been tampered with let through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum

from proofgrad.verifiers.base import Json
from proofgrad.verifiers.lean.backend import Audit, Claim, Elaboration, Ending
from proofgrad.verifiers.lean.messages import Message, axioms_in
from proofgrad.verifiers.lean.source import fresh_name

__all__ = ["AXIOMS", "AuditText", "Replay", "Replayed", "audit_claim", "audit_claims", "findings", "write_audit"]

# The allowed axioms, each with a declaration that only elaborates when the axiom has the type that Lean gives it.
AXIOMS: Mapping[str, str] = {
    "propext": "theorem {name} : ∀ {{a b : Prop}}, (a ↔ b) → a = b := @propext",
    "Classical.choice": "noncomputable def {name}.{{pg_u}} : {{α : Sort pg_u}} → Nonempty α → α := @Classical.choice",
    "Quot.sound": (
        "theorem {name}.{{pg_u}} : ∀ {{α : Sort pg_u}} {{r : α → α → Prop}} {{a b : α}}, r a b → "
        "Quot.mk r a = Quot.mk r b := @Quot.sound"
    ),
}
# Lean's option that keeps the kernel from looking. The scan refuses it; where nothing replays, this is the second look.
_KERNEL_SWITCH = "skipKernelTC"
_EXHAUSTED = {Ending.TIMEOUT: "lean.timeout", Ending.DIED: "lean.resource"}


class Replayed(StrEnum):
    """What came of giving a compiled claim to the kernel again."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    EXHAUSTED = "exhausted"  # it took more time than the claim is allowed
    FAILED = "failed"  # the checker itself did not run
    ABSENT = "absent"  # there is none


# Takes a text that elaborates without an error; gives the result and the checker's name, or why there is no result.
Replay = Callable[[str], tuple[Replayed, str]]


@dataclass(frozen=True, slots=True)
class AuditText:
    """The text for one claim, and where what in it is; lines count from 1.

    Attributes:
        lines: the text.
        canary: name of the declaration at the end.
        goal: line of the statement.
        axioms: line of each allowed axiom's check.
        block: first and last line of the claim's own.
        report: line of the theorem's axiom report.
        check: name of the theorem that closes the statement; it stands on the line after `report`.
    """

    lines: Sequence[str]
    canary: str
    goal: int
    axioms: Mapping[str, int]
    block: tuple[int, int]
    report: int
    check: str
    text: str = field(default="", compare=False)

    def without(self, refused: Iterable[int]) -> str:
        """The text with these lines emptied, so that it can be compiled."""
        gone = set(refused)
        return "".join(f"{'' if number in gone else line}\n" for number, line in enumerate(self.lines, 1))


def write_audit(claim: Claim) -> AuditText:
    """The text that audits one claim."""
    lines = [f"def {(goal := fresh_name())} : Prop := {' '.join(claim.goal.split())}"]
    axioms = {}
    for axiom, template in AXIOMS.items():
        lines.append(template.format(name=fresh_name()))
        axioms[axiom] = len(lines)
    first = len(lines) + 1
    lines += claim.block.rstrip("\n").split("\n")
    last = len(lines)
    lines.append(f"#print axioms {claim.theorem}")
    report = len(lines)
    check, canary = fresh_name(), fresh_name()
    lines += [f"theorem {check} : {goal} := @{claim.theorem}", f"#print axioms {check}"]
    lines += [f"theorem {canary} (p q : Prop) : p ∧ q → q ∧ p := fun h => ⟨h.2, h.1⟩", f"#print axioms {canary}"]
    text = "".join(f"{line}\n" for line in lines)
    return AuditText(lines, canary, 1, axioms, (first, last), report, check, text)


def findings(claim: Claim, audit: AuditText, elaboration: Elaboration) -> Audit:
    """What Lean's answer to the text says about the claim."""
    evidence: dict[str, Json] = {"audit": "again, alone, in a process that no candidate's text has run in"}
    if reason := _EXHAUSTED.get(elaboration.ending):
        return Audit(reason, elaboration.detail or "the audit runs out of time, memory or stack", evidence=evidence)
    if elaboration.ending is not Ending.DONE:
        return Audit("infra.audit", elaboration.detail or f"the audit ended {elaboration.ending}", evidence=evidence)
    errors = {m.line: m for m in reversed(elaboration.messages) if m.is_error}
    if audit.goal in errors:
        detail = f"the statement does not elaborate by itself: {_first(errors[audit.goal])}"
        return Audit("infra.audit", detail, evidence=evidence)
    first, last = audit.block
    inside = [error for line, error in sorted(errors.items()) if first <= line <= last]
    # A parse error at the block's end is reported where the next command begins.
    inside += [errors[audit.report]] if audit.report in errors else []
    found = _report(elaboration.messages, claim.theorem, audit.report)
    if inside or found is None:
        said = _first(inside[0]) if inside else "no axiom report on it"
        return Audit(
            "cheat.missing", f"the theorem is not there when its proof stands alone: {said}", evidence=evidence
        )
    evidence["axioms"] = sorted(found)
    if foreign := found - AXIOMS.keys():
        return Audit("cheat.axiom", f"the proof rests on {', '.join(sorted(foreign))}", found, evidence)
    for axiom in sorted(found):
        if audit.axioms[axiom] in errors:
            return Audit("cheat.axiom", f"{axiom} does not have the type of Lean's own", found, evidence)
    if audit.report + 1 in errors:
        said = _first(errors[audit.report + 1])
        return Audit("cheat.statement", f"the proof proves something else: {said}", found, evidence)
    closed = _report(elaboration.messages, audit.check, audit.report + 2)
    if closed != found or _report(elaboration.messages, audit.canary, len(audit.lines)) != frozenset():
        return Audit("infra.audit", "the audit's own declarations were not read to the end", found, evidence)
    return Audit(None, "", found, evidence)


def audit_claim(claim: Claim, elaborate: Callable[[str], Elaboration], replay: Replay | None) -> Audit:
    """Audit one claim.

    Args:
        claim: what to audit.
        elaborate: reads a text in a process or environment that no candidate's text has run in.
        replay: compiles a text and gives it to the kernel again; None where that cannot be done.
    """
    if _KERNEL_SWITCH in claim.block:
        return Audit("cheat.kernel", f"the proof sets the option {_KERNEL_SWITCH}")
    audit = write_audit(claim)
    elaboration = elaborate(audit.text)
    found = findings(claim, audit, elaboration)
    if found.reason is not None:
        return found
    # An axiom that this environment lacks, and the claim does not rest on, keeps the text from compiling.
    refused = {m.line for m in elaboration.messages if m.is_error} & set(audit.axioms.values())
    outcome, said = replay(audit.without(refused)) if replay else (Replayed.ABSENT, "no leanchecker")
    told = f"replayed by {said}" if outcome is Replayed.ACCEPTED else f"not replayed: {said}"
    evidence = {**found.evidence, "kernel": told}
    match outcome:
        case Replayed.REFUSED:
            evidence["kernel"] = "refused"
            return Audit("cheat.kernel", f"the kernel refuses the compiled proof: {said}", found.axioms, evidence)
        case Replayed.EXHAUSTED:
            return Audit("lean.timeout", said, found.axioms, evidence)
        case Replayed.FAILED:  # not a pass: a claim must not be able to keep the kernel away from itself
            return Audit("infra.audit", said, found.axioms, evidence)
        case _:
            return Audit(None, "", found.axioms, evidence)


def audit_claims(
    claims: Sequence[Claim], elaborate: Callable[[str], Elaboration], replay: Replay | None, *, threads: int = 1
) -> list[Audit]:
    """Audit each claim for itself, `threads` of them at a time; one result each."""
    with ThreadPoolExecutor(min(threads, len(claims)) or 1, "proofgrad-audit") as workers:
        return list(workers.map(lambda claim: audit_claim(claim, elaborate, replay), claims))


def _report(messages: Iterable[Message], name: str, line: int) -> frozenset[str] | None:
    """The axioms that the one report on `name` in `line` lists; None when it is missing or not alone there."""
    reports = [axioms_in(m.text, name) for m in messages if m.line == line and m.severity == "information"]
    return frozenset(reports[0]) if len(reports) == 1 and reports[0] is not None else None


def _first(message: Message) -> str:
    lines = message.text.strip().splitlines()
    return lines[0][:200] if lines else "an error without a text"
