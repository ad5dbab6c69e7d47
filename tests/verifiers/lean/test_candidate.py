"""candidate.py: what is a body, what is a file, and what is refused in either before Lean sees it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers.lean.candidate import Candidate, blank_comments, read_candidate
from proofgrad.verifiers.lean.soundness import Finding, scan

FILE = (
    "import Mathlib\nopen Nat\n\nlemma a (p : Prop) : p → p := id\n\n"
    "theorem b (q : Prop) :\n    q → q := by\n  exact a q"
)


def test_a_body_is_taken_as_it_stands() -> None:
    assert read_candidate("by\n  intro h\n  exact h\n\n") == Candidate(
        "by\n  intro h\n  exact h", None, "", "by\n  intro h\n  exact h"
    )


def test_a_file_keeps_its_lines_and_loses_its_imports() -> None:
    found = read_candidate(FILE)
    assert isinstance(found, Candidate)
    assert (found.theorem, found.signature, found.body) == ("b", "(q : Prop) :\n    q → q", "by\n  exact a q")
    assert found.text.split("\n")[:4] == ["", "open Nat", "", "theorem a (p : Prop) : p → p := id"]
    assert found.text.count("\n") == FILE.count("\n")


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("fun h => h\naxiom c : False", "cheat.command", "line 2, column 0"),
        ("theorem a : True := trivial\naxiom c : False", "cheat.command", "line 2, column 0"),
        ("theorem a : True := trivial\n#eval 1", "lean.parse_error", "line 2, column 0"),
        ("theorem a : True := by\n  sorry", "cheat.sorry", "line 2, column 2"),
        ("theorem _root_.a : True := trivial", "cheat.command", "line 1, column 8"),
        ("theorem sorry : True := trivial", "cheat.sorry", "line 1, column 8"),
        ("theorem a : True", "lean.parse_error", "line 1, column 0"),
        ("theorem (a : True) := a", "lean.parse_error", "line 1, column 0"),
        ("import Mathlib\nvariable (p : Prop)\ntheorem a : True := trivial", "cheat.command", "line 2, column 0"),
        ("set_option debug.skipKernelTC true\ntheorem a : True := trivial", "cheat.command", "line 1, column 0"),
        ("open Nat in\ntheorem a : True := trivial", "cheat.command", "line 1, column 0"),
        ("import Mathlib", "lean.parse_error", ""),
        ("fun h => h /- open", "lean.parse_error", "line 1, column 11"),
        ("fun h => h -/", "cheat.command", "line 1, column 11"),
    ],
)
def test_what_is_refused_is_named_with_its_place(text: str, reason: str, place: str) -> None:
    found = read_candidate(text)
    assert isinstance(found, Finding)
    assert found.reason == reason
    assert found.message.startswith(place)


def test_a_name_that_begins_like_a_command_makes_no_file() -> None:
    found = read_candidate("theorems_of h")
    assert isinstance(found, Candidate)
    assert found.theorem is None


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("by -- one\n  exact h", "by       \n  exact h"),
        ("/- a /- b -/ c -/ h", "                  h"),
        ("/-- doc\nof two lines -/\nh", "       \n               \nh"),
        ("a -- /- not open\nb", "a               \nb"),
        ("/- -- -/ h", "         h"),
        ("", ""),
    ],
)
def test_comments_become_blanks(text: str, left: str) -> None:
    assert blank_comments(text) == left


@given(st.text(alphabet="ab-/ \n", max_size=60))
def test_blanking_keeps_every_line_and_column_and_leaves_no_comment(text: str) -> None:
    blanked = blank_comments(text)
    if isinstance(blanked, Finding):
        return
    assert [len(line) for line in blanked.split("\n")] == [len(line) for line in text.split("\n")]
    assert "--" not in blanked
    assert "/-" not in blanked
    assert all(new in (old, " ") for old, new in zip(text, blanked, strict=True))


@given(st.text(max_size=200), st.booleans())
def test_whatever_is_handed_in_is_read_or_refused(text: str, is_full: bool) -> None:
    found = read_candidate(text, is_full=is_full)
    if isinstance(found, Candidate):
        assert scan(found.body, is_full=is_full) is None


FULL = [
    "by\n  norm_num [mul_comm] at h ⊢\n  nlinarith [sq_nonneg (x - y), h₀]",
    "by\n  have h₁ : (x : ℝ) ^ 2 - 2 * x + 1 = 0 := by linarith\n  field_simp at *\n  ring_nf\n  omega",
    "by\n  simp only [Finset.sum_range_succ, ← two_mul] <;> norm_cast\n  exact ⟨_, by positivity⟩",
    "by\n  rcases h with ⟨k, hk⟩ | h\n  · exact Nat.le_of_dvd (by norm_num) ⟨k, hk⟩\n  · decide",
    "by\n  rw [Set.ext_iff]; intro y; constructor <;> rintro ⟨a, ha⟩ <;> use a ∩ b ∪ ∅; simp_all [x % 2 = 0, n !]",
]


@pytest.mark.parametrize("body", FULL)
def test_proofs_for_the_whole_library_pass_the_wider_scan(body: str) -> None:
    assert scan(body, is_full=True) is None


@pytest.mark.parametrize(
    "body",
    [
        "by decide +native", "by native_decide", "by simp (config := {decide := true})", "by run_tac x", "eval% x",
        "by\n  exact x%y", "`(x)", "s!\"x\"", "#eval 1", "fun h => h\nmacro x", "by_elab x", "include_str x",
        "by\n  set_option maxRecDepth 9 in exact h", "Lean.ofReduceBool a b rfl",
    ],
)  # fmt: skip
def test_what_runs_code_is_refused_for_the_whole_library_too(body: str) -> None:
    assert scan(body, is_full=True) is not None
