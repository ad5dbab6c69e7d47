import json

from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers.lean.messages import Message, axioms_in, classify, feedback, parse


def error(text: str, kind: str = "[anonymous]", line: int = 1) -> Message:
    return Message("error", line, 0, kind, text)


def test_a_line_of_json_becomes_a_message() -> None:
    line = json.dumps(
        {
            "severity": "error",
            "pos": {"line": 3, "column": 2},
            "data": "boom",
            "kind": "k",
            "fileName": "f",
            "endPos": None,
        }
    )
    assert parse(line + "\n\n") == [Message("error", 3, 2, "k", "boom")]


def test_a_torn_line_makes_the_whole_output_unreadable() -> None:
    assert parse('{"severity":"err') is None
    assert parse("Lean is unwell") is None
    assert parse("[]") is None
    assert parse("") == []


@given(st.text())
def test_parse_never_raises(text: str) -> None:
    parse(text)


def test_axiom_reports_are_read_in_full_or_not_at_all() -> None:
    assert axioms_in("'t' does not depend on any axioms", "t") == []
    assert axioms_in("'t' depends on axioms: [propext,\n Classical.choice]", "t") == ["propext", "Classical.choice"]
    assert axioms_in("'u' does not depend on any axioms", "t") is None
    assert axioms_in("'t' does not depend on any axioms, honestly", "t") is None
    assert axioms_in("x 't' depends on axioms: []", "t") is None


def test_a_placeholder_is_told_by_its_kind() -> None:
    assert Message("warning", 1, 0, "hasSorry", "whatever").is_sorry
    assert not Message("warning", 1, 0, "[anonymous]", "declaration uses `sorry`").is_sorry


def test_errors_are_classified() -> None:
    assert classify([error("unsolved goals\n⊢ p", "Tactic.unsolvedGoals")]) == "lean.unsolved_goals"
    assert classify([error("Type mismatch\n  h")]) == "lean.type_mismatch"
    assert classify([error("Application type mismatch: The argument")]) == "lean.type_mismatch"
    assert (
        classify([error("Unknown identifier `x`", "lean.unknownIdentifier._namedError")]) == "lean.unknown_identifier"
    )
    assert classify([error("(deterministic) timeout at `whnf`, maximum number of heartbeats")]) == "lean.timeout"
    assert classify([error("maximum recursion depth has been reached")]) == "lean.resource"
    assert classify([error("Tactic `assumption` failed")]) == "lean.error"


def test_what_lean_could_not_read_outranks_what_follows_from_it() -> None:
    both = [error("unsolved goals\n⊢ p", "Tactic.unsolvedGoals"), error("unknown tactic", line=4)]
    assert classify(both) == "lean.parse_error"
    assert feedback(both).startswith("line 4, column 0: unknown tactic")


def test_feedback_hides_names_and_keeps_its_budget() -> None:
    told = feedback([error("pg_secret fails " * 200)] * 9, hide=["pg_secret"])
    assert "pg_secret" not in told
    assert "this theorem" in told
    assert len(told) <= 600
    assert told.count("line 1, column 0") == 3


@given(st.lists(st.text(max_size=2000), max_size=6))
def test_feedback_never_exceeds_its_budget(texts: list[str]) -> None:
    assert len(feedback([error(text) for text in texts])) <= 600
