"""The audit: the kernel alone, in a process of its own, accepts what is proved and refuses the rest."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from proofgrad.verifiers.lean.audit import AuditDiedError, KernelAudit
from proofgrad.verifiers.lean.audit_worker import Auditor
from proofgrad.verifiers.lean.kernel import RefusedError
from proofgrad.verifiers.lean.olean import read_module
from proofgrad.verifiers.lean.toolchain import Toolchain

from .test_olean import compiled

GOALS = """
def Swap : Prop := ∀ (p q : Prop), p ∧ q → q ∧ p
universe u
def Same : Prop := ∀ (α : Sort u) (a : α), a = a
def Middle : Prop := ∀ p : Prop, p ∨ ¬p
def Wrong : Prop := ∀ p q : Prop, p → q
"""
PROOFS = """
theorem N.swap (p q : Prop) : p ∧ q → q ∧ p := fun h => ⟨h.2, h.1⟩
universe u
theorem N.same (α : Sort u) (a : α) : a = a := rfl
theorem N.middle (p : Prop) : p ∨ ¬p := Classical.em p
theorem N.helper (p : Prop) : p → p := id
theorem N.uses (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨N.helper q h.2, h.1⟩
axiom N.bad (p : Prop) : p
theorem N.rests (p q : Prop) : p → q := fun _ => N.bad q
theorem N.sorry (p q : Prop) : p → q := fun _ => sorryAx q true
def N.swap_as_definition : Nat := 0
"""


@pytest.fixture(scope="module")
def audit() -> Iterator[KernelAudit]:
    toolchain = Toolchain()
    kernel = KernelAudit(toolchain.library, toolchain.base_modules())
    yield kernel
    kernel.close()


def ask(audit: KernelAudit, *claims: tuple[str, str], **limits: int) -> list[dict[str, Any]]:
    bounds = {"cpu_seconds": 5, "heartbeats": 0, **limits}
    return audit.audit(compiled(GOALS), compiled(PROOFS), claims, **bounds)  # type: ignore[return-value]


def test_theorems_stand_with_the_axioms_that_they_rest_on(audit: KernelAudit) -> None:
    found = ask(audit, ("N.swap", "Swap"), ("N.same", "Same"), ("N.middle", "Middle"), ("N.uses", "Swap"))
    assert [answer["axioms"] for answer in found] == [[], [], ["Classical.choice", "Quot.sound", "propext"], []]
    assert [answer["replayed"] for answer in found] == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (("N.swap", "Wrong"), "cheat.statement"),
        (("N.middle", "Swap"), "cheat.statement"),
        (("N.same", "Swap"), "cheat.statement"),
        (("N.rests", "Wrong"), "cheat.axiom"),
        (("N.absent", "Swap"), "cheat.missing"),
        (("N.swap_as_definition", "Swap"), "cheat.missing"),
        (("N.bad", "Swap"), "cheat.missing"),
    ],
)
def test_what_is_not_the_theorem_asked_for_falls_alone(audit: KernelAudit, claim: tuple[str, str], reason: str) -> None:
    fallen, standing = ask(audit, claim, ("N.swap", "Swap"))
    assert fallen["reason"] == reason
    assert standing["axioms"] == []


def test_a_placeholder_of_the_base_library_shows_among_the_axioms(audit: KernelAudit) -> None:
    assert ask(audit, ("N.sorry", "Wrong"))[0]["axioms"] == ["sorryAx"]


def test_every_isolation_layer_is_reported(audit: KernelAudit) -> None:
    assert {name for name, state in audit.layers.items() if state != "active"} == set()
    assert {"network", "pid", "root", "seccomp", "landlock"} <= audit.layers.keys()


def test_bytes_that_are_no_module_are_refused_and_hurt_nobody(audit: KernelAudit) -> None:
    junk = b"olean\x02 and more" * 20
    answers = audit.audit(compiled(GOALS), junk, [("N.swap", "Swap")], cpu_seconds=5, heartbeats=0)
    assert answers[0]["reason"] == "cheat.kernel"
    assert ask(audit, ("N.swap", "Swap"))[0]["axioms"] == []


def test_a_declaration_that_costs_more_than_its_heartbeats_is_told_apart(audit: KernelAudit) -> None:
    assert ask(audit, ("N.swap", "Swap"), heartbeats=1)[0]["reason"] == "lean.resource"


def test_a_fork_that_runs_out_of_time_is_killed_and_the_next_one_served(audit: KernelAudit) -> None:
    # Leaves of a tree of this height are counted one by one, each with an argument of its own: no cache helps. The
    # elaborator never looks at it; the kernel does when it compares what was proved with the goal.
    goal = compiled(
        "noncomputable def leaves : Nat → Nat → Nat := fun height => Nat.rec (fun _ => 1)\n"
        "  (fun _ below at_ => Nat.add (below (Nat.add at_ at_)) (below (Nat.succ (Nat.add at_ at_)))) height\n"
        "def Goal : Prop := leaves 24 1 = 16777216\n"
    )
    proof = compiled("theorem N.long : (16777216 : Nat) = 16777216 := rfl")
    started = time.monotonic()
    with pytest.raises(AuditDiedError) as caught:
        audit.audit(goal, proof, [("N.long", "Goal")], cpu_seconds=1, heartbeats=0)
    assert not caught.value.is_worker
    assert time.monotonic() - started < 20
    assert audit.audit(goal, proof, [("N.long", "Goal")], cpu_seconds=9, heartbeats=100)[0]["reason"] == "lean.resource"
    assert ask(audit, ("N.swap", "Swap"))[0]["axioms"] == []


def test_a_killed_worker_is_replaced(audit: KernelAudit) -> None:
    assert ask(audit, ("N.swap", "Swap"))
    os.kill(audit._idle[0]._process.pid, signal.SIGKILL)
    assert ask(audit, ("N.swap", "Swap"))[0]["axioms"] == []


@pytest.fixture(scope="module")
def auditor() -> Auditor:
    toolchain = Toolchain()
    return Auditor(str(toolchain.library), [str(path) for path in toolchain.base_modules()])


class TestKernel:
    """The kernel in this process, with declarations that no elaborator would have made."""

    def test_a_value_of_another_type_is_refused(self, auditor: Auditor) -> None:
        module = read_module(compiled(PROOFS))
        swap, same = module.declarations["N", "swap"], module.declarations["N", "helper"]
        forged = replace(module, declarations={swap.name: replace(swap, value=same.value)})
        with pytest.raises(RefusedError, match="type mismatch"):
            auditor.kernel.add(auditor._environment, swap.name, auditor.kernel.builder(forged).declaration(swap.name))

    def test_a_loose_variable_is_refused(self, auditor: Auditor) -> None:
        module = read_module(compiled(PROOFS))
        swap = module.declarations["N", "swap"]
        terms = [*module.terms, ("bvar", 3)]
        forged = replace(module, terms=terms, declarations={swap.name: replace(swap, value=len(terms) - 1)})
        with pytest.raises((RefusedError, ValueError)):
            auditor.kernel.add(auditor._environment, swap.name, auditor.kernel.builder(forged).declaration(swap.name))

    def test_a_theorem_that_is_no_proposition_is_refused(self, auditor: Auditor) -> None:
        module = read_module(compiled(PROOFS))
        number = module.declarations["N", "swap_as_definition"]
        forged = replace(module, declarations={number.name: replace(number, kind="theorem")})
        made = auditor.kernel.builder(forged).declaration(number.name)
        with pytest.raises(RefusedError, match="no proposition"):
            auditor.kernel.add(auditor._environment, number.name, made)

    def test_what_one_proof_added_no_other_sees(self, auditor: Auditor) -> None:
        builder = auditor.kernel.builder(read_module(compiled(PROOFS)))
        helper, uses = ("N", "helper"), ("N", "uses")
        larger = auditor.kernel.add(auditor._environment, helper, builder.declaration(helper))
        auditor.kernel.add(larger, uses, builder.declaration(uses))
        with pytest.raises(RefusedError, match="unknown constant"):
            auditor.kernel.add(auditor._environment, uses, builder.declaration(uses))
        with pytest.raises(RefusedError, match="already declared"):
            auditor.kernel.add(larger, helper, builder.declaration(helper))

    def test_the_whole_base_library_is_replayed(self, auditor: Auditor) -> None:
        assert auditor.constants > 500
        assert auditor._axioms_of(("Classical", "em"), auditor._known) == {"propext", "Classical.choice", "Quot.sound"}
