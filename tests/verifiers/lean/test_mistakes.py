import re
import tempfile
from pathlib import Path

import pytest

from proofgrad.verifiers.lean.feedback import CLOSE, OPEN, render, token_estimate
from proofgrad.verifiers.lean.goals import goals_in
from proofgrad.verifiers.lean.messages import Message, classify, parse
from proofgrad.verifiers.lean.toolchain import BASE_MODULE, Toolchain

SWAP = "(p q : Prop) : p ∧ q → q ∧ p"
FLIP = "(p q : Prop) (h : p ∨ q) : q ∨ p"
CHAIN = "(p q r : Prop) (h : p → q) (k : q → r) : p → r"
KEEP = "(p q : Prop) : p → q → p"
TRANS = "(a b c : Nat) (h : a = b) (k : b = c) : a = c"
ZERO = "(n : Nat) : Nat.add Nat.zero n = n"
BOTH = "(P : Bool → Prop) (t : P true) (f : P false) (b : Bool) : P b"
SOME = "(α : Type) (P : α → Prop) (a : α) (h : P a) : ∃ x, P x"

# statement, proof, reason, the first line of the feedback, the first marked span
MISTAKES = [
    (SWAP, "by", "lean.unsolved_goals", "line 1, column 0: unsolved goals", "by"),
    (SWAP, "by\n  intro h", "lean.unsolved_goals", "line 1, column 0: unsolved goals", "by\n  intro h"),
    (SWAP, "by\n  intro h\n  exact h", "lean.type_mismatch",
     "line 3, column 2: Type mismatch: `h` has type `p ∧ q` but is expected to have type `q ∧ p`",
     "exact h"),
    (SWAP, "fun h => nothing h", "lean.unknown_identifier",
     "line 1, column 9: Unknown identifier `nothing`",
     "nothing"),
    (SWAP, "fun h =>", "lean.parse_error", "line 1, column 8: unexpected end of the proof; expected term", ""),
    (SWAP, "by\n  intro h\n  frobnicate", "lean.parse_error",
     "line 3, column 2: unknown tactic `frobnicate`",
     "frobnicate"),
    (SWAP, "by\n  intro h\n  exact?", "lean.parse_error", "line 3, column 2: unknown tactic `exact?`", "exact"),
    (SWAP, "by\n  intro h\n exact ⟨h.2, h.1⟩", "lean.parse_error",
     "line 3, column 1: unexpected `exact`; expected the end of the proof (this line is not indented like the "
     "one before)",
     "exact"),
    (SWAP, "by\n  intro h\n    exact ⟨h.2, h.1⟩", "lean.tactic_failed",
     "line 3, column 4: Tactic `intro` failed: There are no additional binders or `let` bindings in the goal "
     "to introduce",
     "exact"),
    (SWAP, "intro h\nexact ⟨h.2, h.1⟩", "lean.unknown_identifier",
     "line 1, column 0: Unknown identifier `intro`",
     "intro"),
    (SWAP, "by\n  intro h,\n  exact ⟨h.2, h.1⟩", "lean.parse_error",
     "line 2, column 9: unexpected token ','; expected the end of the proof",
     ","),
    (SWAP, "by\n  intro h\n  have hq : q\n  exact ⟨hq, h.1⟩", "lean.parse_error",
     "line 4, column 2: unexpected `exact`; expected ':=' or '|'",
     "exact"),
    (SWAP, "by by", "lean.parse_error", "line 1, column 3: unexpected token 'by'; expected a tactic", "by"),
    (SWAP, "by\n  intro h\n  rw h\n  exact h", "lean.parse_error",
     "line 3, column 5: unexpected `h`; expected '['",
     "h"),
    (SWAP, "by\n  intro h\n  cases h with h1 h2\n  exact h1", "lean.parse_error",
     "line 3, column 10: Invalid syntax for case analysis tactic: The `with` keyword must be followed by a "
     "tactic or by an alternative (e.g. `| zero =>`), but here it is followed by the identifier `h1`.",
     "with h1"),
    (SWAP, "by\n  intro h\n  cases h with\n  | inl a => exact a\n  | inr b => exact b", "lean.error",
     "line 4, column 2: Invalid alternative name `inl`: Expected `intro`",
     "| inl a => exact a"),
    (SWAP, "by\n  intro h\n  cases h with\n  | intro a b => exact ⟨a, b⟩", "lean.type_mismatch",
     "line 4, column 24: Application type mismatch: The argument `a` has type `p` but is expected to have "
     "type `q` in the application `And.intro a`",
     "a"),
    (SWAP, "by\n  intro h k\n  exact ⟨h.2, h.1⟩", "lean.tactic_failed",
     "line 2, column 10: Tactic `intro` failed: There are no additional binders or `let` bindings in the goal "
     "to introduce",
     "k"),
    (SWAP, "by\n  intro h\n  left\n  exact h", "lean.tactic_failed",
     "line 3, column 2: Tactic `left` failed: left tactic works for inductive types with exactly 2 constructors",
     "left"),
    (SWAP, "by\n  constructor\n  intro h", "lean.tactic_failed",
     "line 2, column 2: Tactic `constructor` failed: target is not an inductive datatype",
     "constructor"),
    (SWAP, "by trivial", "lean.tactic_failed", "line 1, column 3: Tactic `trivial` failed", "trivial"),
    (SWAP, "by\n  intro h\n  exact ⟨h.2, h.1⟩\n  exact h", "lean.error",
     "line 4, column 2: No goals to be solved",
     "exact h"),
    (SWAP, "by\n  intro h\n  exact ⟨h.3, h.1⟩", "lean.error",
     "line 3, column 9: Invalid projection: Index `3` is invalid for this structure; it must be between 1 and 2",
     "h.3"),
    (SWAP, "by\n  intro h\n  exact ⟨h.right.left, h.1⟩", "lean.unknown_identifier",
     "line 3, column 9: Invalid field notation: The expression `h.right` has type `q` which does not have the "
     "necessary form.",
     "h.right.left"),
    (SWAP, "by\n  intro h\n  exact h.swap", "lean.unknown_identifier",
     "line 3, column 10: Invalid field `swap`: there is no `And.swap` for the expression `h` of type `p ∧ q`",
     "swap"),
    (SWAP, "by\n  intro h\n  exact And.swap h", "lean.unknown_identifier",
     "line 3, column 8: Unknown constant `And.swap`",
     "And.swap"),
    (SWAP, "by\n  intro h\n  obtain ⟨a, b, c⟩ := h\n  exact ⟨b, a⟩", "lean.tactic_failed",
     "line 3, column 9: The pattern does not fit: `right✝ : q` is not an inductive datatype",
     "⟨a, b, c⟩"),
    (SWAP, "fun h => ⟨h.2⟩", "lean.error",
     "line 1, column 9: Insufficient number of fields for `⟨...⟩` constructor: Constructor `And.intro` has 2 "
     "explicit field, but only 1 was provided",
     "⟨h.2⟩"),
    (SWAP, "fun h => (h.2 : h)", "lean.type_mismatch", "line 1, column 16: type expected, got `(h : p ∧ q)`", "h"),
    (SWAP, "by\n  intro h\n  refine ⟨_, h.1⟩", "lean.error",
     "line 3, column 10: don't know how to synthesize placeholder for argument `left`",
     "_"),
    (SWAP, "by\n  intro h\n  apply h.1", "lean.tactic_failed",
     "line 3, column 2: Tactic `apply` failed: could not unify the type of `h.left`, which is `p`, with the "
     "goal `q ∧ p`",
     "apply h.1"),
    (SWAP, "by\n  intro h\n  show p ∧ q\n  exact h", "lean.tactic_failed",
     "line 3, column 2: 'show' tactic failed, pattern `p ∧ q` is not definitionally equal to target `q ∧ p`",
     "show p ∧ q"),
    (SWAP, "by\n  intro h\n  rw [And.swapped]\n  exact h", "lean.unknown_identifier",
     "line 3, column 6: Unknown constant `And.swapped`",
     "And.swapped"),
    (SWAP, "by\n  intro h\n  constructor <;> assumption", "lean.tactic_failed",
     "line 3, column 18: Tactic `assumption` failed",
     "assumption"),
    (SWAP, "rfl", "lean.type_mismatch",
     "line 1, column 0: Type mismatch: `rfl` has type `?m.1 = ?m.1` but is expected to have type `p ∧ q → q ∧ p`",
     "rfl"),
    (FLIP, "by\n  cases h with\n  | inl a => exact Or.inr a", "lean.error",
     "line 2, column 2: Alternative `inr` has not been provided",
     "cases"),
    (FLIP, "by\n  cases h\n  · right; assumption", "lean.unsolved_goals",
     "line 1, column 0: unsolved goals",
     "by\n  cases h\n  · right; assumption"),
    (FLIP, "by\n  induction h with\n  | inl => exact Or.inr h\n  | inr => exact Or.inl h", "lean.unknown_identifier",
     "line 3, column 24: Unknown identifier `h` (also on line 4)",
     "h"),
    (FLIP, "match h with\n| .inl a => Or.inr a", "lean.error", "line 1, column 0: Missing cases: (Or.inr _)", "match"),
    (FLIP, "match h with\n| .inl a => Or.inr a\n| .inx b => Or.inl b", "lean.unknown_identifier",
     "line 3, column 2: Unknown constant `Or.inx`",
     ".inx"),
    (FLIP, "match h with\n| .inl a => Or.inr a\n=> .inr b => Or.inl b", "lean.parse_error",
     "line 3, column 0: unexpected token '=>'; expected the end of the proof",
     "=>"),
    (FLIP, "Or.inl h", "lean.type_mismatch",
     "line 1, column 7: Application type mismatch: The argument `h` has type `p ∨ q` but is expected to have "
     "type `q` in the application `Or.inl h`",
     "h"),
    (CHAIN, "fun hp => k (h hp) hp", "lean.type_mismatch",
     "line 1, column 10: Function expected at `k (h hp)` but this term has type `r`",
     "k (h hp) hp"),
    (CHAIN, "fun hp => k h hp", "lean.type_mismatch",
     "line 1, column 12: Application type mismatch: The argument `h` has type `p → q` but is expected to have "
     "type `q` in the application `k h`",
     "h"),
    (CHAIN, "by\n  intro hp\n  apply k\n  apply h", "lean.unsolved_goals",
     "line 1, column 0: unsolved goals",
     "by\n  intro hp\n  apply k\n  apply h"),
    (KEEP, "by\n  intro a b\n  cases a with\n  | mk x => exact x", "lean.tactic_failed",
     "line 3, column 2: Tactic `cases` failed: it needs an argument of an inductive type, not `p`",
     "cases a with\n  | mk x => exact x"),
    (SWAP, "by\n  intro h\n  refine ⟨?_, _⟩\n  exact h.2", "lean.error",
     "line 3, column 14: don't know how to synthesize placeholder for argument `right`",
     "_"),
    (KEEP, "by\n  intro a b\n  have c d : p := a\n  exact c", "lean.error",
     "line 3, column 9: Failed to infer type of binder `d`",
     "d"),
    (KEEP, "by\n  intro a b\n  cases c\n  exact a", "lean.unknown_identifier",
     "line 3, column 8: Unknown identifier `c`",
     "c"),
    (KEEP, "by\n  intro a b\n  exact ‹r›", "lean.unknown_identifier", "line 3, column 9: Unknown identifier `r`", "r"),
    (KEEP, "The proof is easy.", "lean.unknown_identifier", "line 1, column 0: Unknown identifier `The`", "The"),
    (TRANS, "by\n  rw [k, h]", "lean.tactic_failed",
     "line 2, column 6: Tactic `rw` failed: Did not find an occurrence of the pattern `b` in the target "
     "expression `a = c`",
     "k"),
    (TRANS, "by\n  rw [h]", "lean.unsolved_goals", "line 1, column 0: unsolved goals", "by\n  rw [h]"),
    (TRANS, "h.trans h", "lean.type_mismatch",
     "line 1, column 8: Application type mismatch: The last `h` argument has type `a = b` but is expected to "
     "have type `b = c` in the application `Eq.trans h h`",
     "h"),
    (SWAP, "by contradiction", "lean.tactic_failed",
     "line 1, column 3: Tactic `contradiction` failed",
     "contradiction"),
    (BOTH, "by\n  cases b with\n  | true => exact f\n  | false => exact f", "lean.type_mismatch",
     "line 3, column 12: Type mismatch: `f` has type `P false` but is expected to have type `P true`",
     "exact f"),
    (ZERO, "by\n  induction n with\n  | zero => rfl", "lean.error",
     "line 2, column 2: Alternative `succ` has not been provided",
     "induction"),
    (SOME, "by\n  exists b", "lean.unknown_identifier", "line 2, column 9: Unknown identifier `b`", "b"),
    (SOME, "⟨h, a⟩", "lean.type_mismatch",
     "line 1, column 1: Application type mismatch: The argument `h` has type `P a` of sort `Prop` but is "
     "expected to have type `α` of sort `Type` in the application `Exists.intro h`",
     "h"),
]  # fmt: skip


def judge(cases: list[tuple[str, str]]) -> list[list[Message]]:
    """Lean's errors about each (statement, proof), from one file, as the checker hands them on."""
    lines = ["prelude", f"import {BASE_MODULE}", "universe u v w"]
    spans = []
    for i, (statement, proof) in enumerate(cases):
        lines.append(f"theorem {name(i)} {statement} :=")
        first = len(lines)
        lines += [f" {line}" for line in proof.split("\n")]
        lines.append(f"#print axioms {name(i)}")
        spans.append((first, len(lines)))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o777)  # Lean may run as nobody
        (place / "check.lean").write_text("\n".join(lines) + "\n", "utf-8")
        options = ["-DElab.async=false", "-DautoImplicit=false", "-DmaxErrors=0", "-Dlinter.all=false"]
        run = Toolchain().run(["--json", *options, "check.lean"], place, cpu_seconds=60, wall_seconds=120)
    messages = parse(run.stdout)
    assert messages, run.stderr
    return [[m.moved(-first, -1) for m in messages if m.is_error and first <= m.line <= last] for first, last in spans]


def name(i: int) -> str:
    return f"pg_{i:032x}"


@pytest.fixture(scope="module")
def told() -> list[list[Message]]:
    return judge([(statement, proof) for statement, proof, *_ in MISTAKES])


@pytest.mark.parametrize("i", range(len(MISTAKES)), ids=lambda i: " ".join(MISTAKES[i][1].split())[:50])
def test_feedback_names_the_mistake_and_marks_its_place(told: list[list[Message]], i: int) -> None:
    _, proof, reason, first_line, marked = MISTAKES[i]
    text = render(told[i], proof, hide=[name(i)])
    assert classify(told[i]) == reason
    assert text.split("\n")[0] == first_line
    assert text.partition(OPEN)[2].partition(CLOSE)[0] == marked
    assert token_estimate(text) <= 300
    assert "sorry" not in text
    assert not re.search(r"pg_|#print|Coe|command|Note:|Hint:|Explanation:", text)


def test_one_mistake_that_makes_lean_say_several_things_is_told_once(told: list[list[Message]]) -> None:
    several = [i for i, errors in enumerate(told) if len(errors) > 1]
    assert len(several) >= 15
    texts = [render(told[i], MISTAKES[i][1], budget=2000) for i in several]
    assert [text for text in texts if text.count(OPEN) != 1 and "Invalid alternative name `inr`" not in text] == []


def told_of(statement: str, proof: str) -> str:
    return render(judge([(statement, proof)])[0], proof)


def test_the_whole_of_a_mismatch() -> None:
    assert told_of(SWAP, "by\n  intro h\n  constructor\n  · exact h.2\n  · exact h.2") == (
        "line 5, column 4: Type mismatch: `h.right` has type `q` but is expected to have type `p`\n"
        "In your proof:\n"
        "by\n"
        "  intro h\n"
        "  constructor\n"
        "  · exact h.2\n"
        f"  · {OPEN}exact h.2{CLOSE}"
    )


def test_the_whole_of_two_mistakes_and_a_goal() -> None:
    proof = "by\n  cases h with\n  | inl a => exact b\n  | inr b =>\n    right"
    assert told_of(FLIP, proof) == (
        "line 3, column 19: Unknown identifier `b`\n"
        "In your proof:\n"
        "by\n"
        "  cases h with\n"
        f"  | inl a => exact {OPEN}b{CLOSE}\n"
        "  | inr b =>\n"
        "\n"
        "line 4, column 10: unsolved goals\n"
        "In your proof:\n"
        "  | inl a => exact b\n"
        f"  | inr b {OPEN}=>\n"
        f"    right{CLOSE}\n"
        "Goal:\n"
        "case inr\n"
        "p q : Prop\n"
        "b : q\n"
        "⊢ p"
    )


def test_an_unreadable_tactic_keeps_the_goals_that_were_open_there() -> None:
    text = told_of(SWAP, "by\n  intro h\n  frobnicate\n  exact h")
    assert text.count("line ") == 1
    assert text.endswith("Goal:\np q : Prop\nh : p ∧ q\n⊢ q ∧ p")


def test_goals_of_a_real_message() -> None:
    errors = judge([("(f : Nat → Nat) (n : Nat) : f n = n", "by\n  let g := f n\n  by_cases h : g = n")])[0]
    context = [{"names": ["f"], "type": "Nat → Nat"}, {"names": ["n"], "type": "Nat"}]
    context.append({"names": ["g"], "type": "Nat", "value": "f n"})
    assert goals_in(errors) == [
        {"case": case, "hypotheses": [*context, {"names": ["h"], "type": kind}], "target": "f n = n"}
        for case, kind in (("pos", "g = n"), ("neg", "¬g = n"))
    ]
