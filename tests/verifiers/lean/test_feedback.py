import json
import re

from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers.lean.feedback import CLOSE, OPEN, render, token_estimate
from proofgrad.verifiers.lean.goals import goals_in
from proofgrad.verifiers.lean.messages import Message, classify
from proofgrad.verifiers.lean.mistakes import find_mistakes

SECRET = "pg_" + "0123456789abcdef" * 2
MISMATCH = "Type mismatch\n  h.left\nhas type\n  p\nbut is expected to have type\n  q"
UNSOLVED = "unsolved goals\ncase left\np q : Prop\nh : p ∧ q\n⊢ q\n\ncase right\np q : Prop\nh : p ∧ q\n⊢ p"
FRAGMENTS = [
    MISMATCH, UNSOLVED, "unknown tactic", "unexpected token '#print'; expected command", "Unknown identifier `x`",
    "unexpected identifier; expected command", "Unknown constant `Monad.bind`", "\n\nNote: do not\n  look here",
    "Tactic `assumption` failed\n\nx : sorry\n⊢ sorry", f"the theorem {SECRET} is broken", "expected token", "\n", "  ",
    "Alternative `inl` has not been provided", "Invalid alternative name `a`: Expected `inl`", OPEN, CLOSE, "⊢",
    "case ", "Missing cases:\n", "`",
    "don't know how to synthesize placeholder\ncontext:\n⊢ p", " := ", " : ", "[trace] x", "…",
]  # fmt: skip
texts = st.one_of(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=30)), max_size=4).map("".join))
places = st.integers(-3, 12)
kinds = st.sampled_from(["[anonymous]", "Tactic.unsolvedGoals", "lean.inductionWithNoAlts._namedError"])
ends = st.one_of(st.none(), places)
messages = st.lists(st.builds(Message, st.just("error"), places, places, kinds, texts, ends, ends), max_size=6)
candidates = st.lists(
    st.one_of(st.sampled_from(["by", "\n", "  ", "· ", "exact h", "rw [h]", "=>", OPEN, CLOSE]), st.text(max_size=20)),
    max_size=10,
).map("".join)


@given(messages, candidates, st.integers(-1, 250), st.sampled_from([None, len, lambda text: len(text.split())]))
def test_feedback_never_exceeds_its_budget(errors, candidate, budget, count) -> None:  # type: ignore[no-untyped-def]
    text = render(errors, candidate, budget=budget, count_tokens=count)
    assert (count or token_estimate)(text) <= max(0, budget)
    assert render(errors, candidate, budget=budget, count_tokens=count) == text


@given(messages, candidates, st.integers(1, 250))
def test_marks_come_in_pairs_and_positions_lie_in_the_candidate(
    errors: list[Message], candidate: str, budget: int
) -> None:
    text = render(errors, candidate, budget=budget)
    marks = re.findall(f"{OPEN}|{CLOSE}", text)
    assert marks == [OPEN, CLOSE] * (len(marks) // 2)
    lines = candidate.split("\n")
    if first := re.match(r"line (\d+), column (\d+): ", text):
        assert 1 <= int(first[1]) <= len(lines)
        assert int(first[2]) <= len(lines[int(first[1]) - 1])
    found = find_mistakes(errors, candidate)
    assert bool(found) == bool(errors)
    assert all(0 <= m.start <= m.end <= len(candidate) for m in found)


@given(messages, st.lists(st.sampled_from(["by", "  exact h", "", "· simp", "  rw [a]"]), max_size=8).map("\n".join))
def test_what_is_marked_stands_in_the_candidate(errors: list[Message], candidate: str) -> None:
    text = render(errors, candidate, budget=5000, limit=1)
    if OPEN in text:
        excerpt = text.partition("In your proof:\n")[2].replace(OPEN, "").replace(CLOSE, "")
        head = excerpt.partition("\nGoal")[0].partition("\n\n(")[0].partition("…")[0]
        assert head in candidate


@given(messages, candidates.filter(lambda text: "pg_" not in text), st.integers(1, 400))
def test_header_names_never_appear(errors: list[Message], candidate: str, budget: int) -> None:
    secret = Message("error", 1, 0, "[anonymous]", f"{SECRET} and hidden_header\n{SECRET} : p\n⊢ hidden_header")
    for told in ([secret, *errors], [*errors, secret]):
        text = render(told, candidate, budget=budget, hide=["hidden_header"])
        text += json.dumps(goals_in(told, hide=["hidden_header"]))
        assert "pg_0" not in text
        assert "hidden_header" not in text


def error(text: str, line: int = 1, column: int = 0, end: tuple[int, int] | None = None) -> Message:
    kind = "Tactic.unsolvedGoals" if text.startswith("unsolved") else "[anonymous]"
    return Message("error", line, column, kind, text, *(end or (None, None)))


def test_hypotheses_that_have_nothing_to_do_with_the_target_go_first() -> None:
    other, about, target = "far : r ∨ s ∨ t", "near : p ∧ q", "⊢ q ∧ p"
    message = error(f"unsolved goals\np q : Prop\n{other}\n{about}\n{target}", end=(1, 2))
    seen = set()
    for budget in range(1, 120):
        text = render([message], "by", budget=budget)
        seen.add(tuple(part in text for part in (target, about, "p q : Prop", other)))
    assert seen == {tuple(i < shown for i in range(4)) for shown in range(5)}


def test_a_later_mistake_is_told_only_when_the_first_one_is() -> None:
    errors = [error(MISMATCH, 1, 0, (1, 4)), error("Unknown identifier `foo`", 2, 0, (2, 3))]
    both = 0
    for budget in range(1, 200):
        text = render(errors, "h.left\nfoo", budget=budget)
        both += "identifier" in text
        assert "identifier" not in text or text.startswith("line 1, column 0: Type mismatch: `h.left`")
        assert "identifier" in text or budget < 60
    assert both


def test_expressions_are_shortened_before_sentences() -> None:
    text = render([error(MISMATCH.replace("h.left", "x" * 5000))], "x" * 5000, budget=100)
    assert re.search(r"Type mismatch: `x+…x+` has type `p` but is expected to have type `q`", text)
    assert len(text) < 300


def test_more_mistakes_than_the_limit_are_counted() -> None:
    errors = [error(f"Unknown identifier `x{i}`", i + 1, 0, (i + 1, 2)) for i in range(5)]
    assert render(errors, "\n".join(f"x{i}" for i in range(5)), limit=2).endswith("\n\n(3 more errors)")


def test_a_constant_that_the_prover_did_not_write_is_what_the_library_lacks() -> None:
    told = [error("Unknown constant `HPow`", 1, 6, (1, 9))]
    assert render(told, "exact 2^3").startswith(
        "line 1, column 6: `2^3` cannot be used here: this library has no `HPow`\n"
    )
    assert render(told, "exact HPow").startswith("line 1, column 6: Unknown constant `HPow`\n")


def test_missing_cases_are_listed() -> None:
    missing = error("Missing cases:\n(Or.inl _)\n(Or.inr _)", 1, 0, (1, 5))
    assert render([missing], "nofun").startswith("line 1, column 0: Missing cases: (Or.inl _), (Or.inr _)\n")
    assert render([error("Missing cases:\n")], "nofun").startswith("line 1, column 0: Missing cases\n")


def test_the_middle_of_a_long_block_is_left_out() -> None:
    proof = "\n".join(["by", *(f"  have h{i} := h" for i in range(40))])
    text = render([error("unsolved goals\n⊢ p", 1, 0, (41, 16))], proof)
    assert f"{OPEN}by\n  have h0 := h\n…\n  have h37 := h\n  have h38 := h\n  have h39 := h{CLOSE}" in text


def test_no_error_and_no_budget_give_no_text() -> None:
    assert render([], "by") == ""
    assert render([error("x")], "by", budget=0) == ""


def test_an_error_outside_the_candidate_counts_only_alone() -> None:
    header = error("Not a definitional equality", 0, 7)
    assert render([header], "rfl").startswith("line 1, column 0: Not a definitional equality\n")
    assert "Not a def" not in render([header, error("Type mismatch", 1, 0, (1, 3))], "rfl")


def test_a_token_behind_the_candidate_is_its_end() -> None:
    ours = "unexpected token '#print'; expected term"
    for message in (error(ours, 1, 8, (4, 5)), error(ours, 1, 8), error(ours, 1, 9), error(ours, 4, 0, (4, 5))):
        for candidate in ("fun h =>", "fun h => ", "fun h => -- why not\n"):
            said, _, excerpt = render([message], candidate).partition("\n")
            assert said.endswith(": unexpected end of the proof; expected term")
            assert excerpt.rstrip().endswith(f"{OPEN}{CLOSE}")


def test_limits_of_the_machine_are_told_in_words() -> None:
    slow = error("(deterministic) timeout at `whnf`, maximum number of heartbeats (20) has been reached\n\nNote: use x")
    deep = error("maximum recursion depth has been reached\nuse `set_option maxRecDepth <num>` to increase limit")
    assert render([slow], "rfl").startswith("line 1, column 0: this takes too long to check\n")
    assert render([deep], "rfl").startswith("line 1, column 0: this nests too deep to check\n")
    assert [classify([slow]), classify([deep])] == ["lean.timeout", "lean.resource"]


def test_thousands_of_errors_do_not_hold_up_the_verdict() -> None:
    errors = [error(f"Unknown identifier `x{i}`", 1, i, (1, i + 1)) for i in range(5000)]
    text = render([*errors, error("unknown tactic", 2, 0)], "x" * 5000 + "\n foo")
    assert "unknown tactic" in text
    left = re.search(r"\((\d+) more errors\)\Z", text)
    assert left is None or int(left[1]) < 100
    assert len(find_mistakes(errors, "x" * 5000)) < 100


def test_what_speaks_of_a_term_that_failed_is_an_echo() -> None:
    first = error("Unknown identifier `f`", 1, 0, (1, 1))
    echo = error("Type mismatch\n  x\nhas type\n  sorry\nbut is expected to have type\n  p", 2, 0, (2, 1))
    assert [mistake.text for mistake in find_mistakes([first, echo], "f\nx")] == ["Unknown identifier `f`"]
    assert [mistake.text for mistake in find_mistakes([echo], "f\nx")] == [
        "Type mismatch: `x` has type `_` but is expected to have type `p`"
    ]
