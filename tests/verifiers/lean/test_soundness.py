import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers.lean.soundness import MAX_CHARACTERS, MAX_DEPTH, MAX_NAME, Finding, scan, tokenize
from proofgrad.verifiers.lean.tokens import ALLOWED_KEYWORDS, KEYWORDS, PLACEHOLDERS, REFUSED_WORDS, SYMBOLS


def reason(body: str) -> str | None:
    finding = scan(body)
    return finding.reason if finding else None


@pytest.mark.parametrize(
    "body",
    [
        "fun h => ⟨h.2, h.1⟩",
        "by\n  intro h\n  exact ⟨h.right, h.left⟩",
        "by\n  cases h with\n  | inl a => exact Or.inr a\n  | inr b' => exact .inl b'",
        "by\n  refine ⟨?_, ?a⟩\n  · assumption\n  · exact fun x₁ ↦ x₁",
        "by constructor <;> first | assumption | trivial",
        "λ f n h => n (f h)",
        "fun ⟨x, hx⟩ => ⟨_, hx⟩",
        "by\n  rw [← h] at k ⊢\n  exact ‹p›",
        "@id _ h",
        "by\n  rw [Nat.pow_succ, <- h] at k\n  simp [-Nat.add_comm, k]",
        "fun n => Nat.le_trans (Nat.sub_le (n ^ 2 - 1) 1) <| h n",
        "by\n  induction n with\n  | zero => rfl\n  | succ n ih => exact show n + 1 ≥ 1 from k",
        "by\n  show ∀ x ∈ a :: l ++ [b], x ≤ 3 ∧ x < 4 ∧ 4 > x ∧ x >= 0 ∧ x <= 3 ∧ x ∉ m\n  exact h",
        "calc a < b := h\n  _ = c := k",
    ],
)
def test_ordinary_proofs_pass_the_scan(body: str) -> None:
    assert scan(body) is None


@pytest.mark.parametrize("word", sorted(REFUSED_WORDS - PLACEHOLDERS))
def test_words_that_begin_a_command_are_refused_wherever_they_stand(word: str) -> None:
    assert reason(f"trivial\n{word} x") == "cheat.command"
    assert reason(f"by exact ({word})") == "cheat.command"


@pytest.mark.parametrize("word", sorted(PLACEHOLDERS))
def test_placeholders_are_refused_even_inside_a_dotted_name(word: str) -> None:
    assert reason(f"by exact {word}") == "cheat.sorry"
    assert reason(f"Lean.{word}.x") == "cheat.sorry"


@pytest.mark.parametrize(
    "character", list("#$%&!\"'`~\\/\t\r\x00\x0b\x0c\x7f«»\u00a0\u200b\u2028\u202e\ufeff！；，ａ𝐚ℕ⟦")
)
def test_characters_that_no_proof_needs_are_refused(character: str) -> None:
    assert scan(f"fun h => {character} h") is not None


@pytest.mark.parametrize("body", ["a--b", "a<--b", "a+--b", "[--h]", "(--", "a ---", "h.1--", "x^--y", "a -\n--b"])
def test_no_symbol_beside_a_minus_opens_a_comment(body: str) -> None:
    assert reason(body) == "cheat.command"


def test_comments_are_refused() -> None:
    assert reason("trivial -- done") == "cheat.command"
    assert reason("trivial /- open") == "cheat.command"
    assert reason("trivial -/") == "cheat.command"


def test_attributes_are_refused_with_and_without_a_space() -> None:
    assert reason("@[simp] x") == "cheat.command"
    assert reason("@ [simp] x") == "cheat.command"


@pytest.mark.parametrize("body", ["(", ")", "⟨(⟩)", "fun h => ⟨h", "[}"])
def test_unbalanced_brackets_are_refused(body: str) -> None:
    assert reason(body) == "lean.parse_error"


def test_size_and_depth_are_capped() -> None:
    assert reason("x " * MAX_CHARACTERS) == "lean.resource"
    assert reason("(" * (MAX_DEPTH + 1) + "x" + ")" * (MAX_DEPTH + 1)) == "lean.resource"
    assert reason("(" * MAX_DEPTH + "x" + ")" * MAX_DEPTH) is None
    assert reason("h" + ".x" * MAX_NAME) == "lean.resource"


@pytest.mark.parametrize("body", ["", " ", "\n\n"])
def test_an_empty_proof_is_a_parse_error(body: str) -> None:
    assert reason(body) == "lean.parse_error"


def test_a_quote_mark_only_continues_a_name() -> None:
    assert reason("h'") is None
    assert reason("h ' x") == "lean.parse_error"
    assert reason("1'") == "lean.parse_error"


def test_a_finding_says_where() -> None:
    finding = scan("by\n  intro h\n  sorry")
    assert finding is not None
    assert finding.message.startswith("line 3, column 2")


def test_the_allowed_keywords_are_keywords() -> None:
    assert ALLOWED_KEYWORDS <= KEYWORDS
    assert not any(mark in symbol for symbol in SYMBOLS for mark in ("--", "/-", "#", '"', "'", "`", "%", "!"))


@given(st.text())
def test_the_scan_never_raises_and_what_passes_is_made_of_allowed_pieces(text: str) -> None:
    if scan(text) is not None:
        return
    pieces = [token for token in tokenize(text) if not isinstance(token, Finding)]
    assert "".join(token.text for token in pieces) == text.replace(" ", "").replace("\n", "")
    assert all(token.text in SYMBOLS for token in pieces if token.kind == "symbol")


PIECES = st.sampled_from([*sorted(SYMBOLS), "h", "x'", "7", "Nat.rec", " ", "\n", "simp", "native", "/", "#", "%", "$"])


@given(st.lists(PIECES, max_size=12).map("".join))
def test_however_symbols_join_what_passes_opens_nothing(text: str) -> None:
    if scan(text) is None:
        assert not re.search(r"--|/-|-/|@\s*\[|[#%!`$\"«»\\]|(?<![\w'])'", text)


ALPHABET = st.sampled_from(
    [*"abhpq'._@?:;|()[]⟨⟩<>+*^", " ", "\n", "=>", "axiom", "end", "sorry", "by", "#", "-", '"', "fun"]
)


@given(st.lists(ALPHABET, max_size=30).map("".join), st.lists(ALPHABET, max_size=30).map("".join))
def test_an_allowed_text_beside_a_refused_character_is_refused(left: str, right: str) -> None:
    assert scan(f"{left}#{right}") is not None
    assert scan(f'{left}"{right}') is not None
