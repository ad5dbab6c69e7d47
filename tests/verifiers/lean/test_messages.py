import json

from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers.lean.messages import Message, axioms_in, classify, parse


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


def test_the_end_of_a_message_is_read_and_moves_with_its_start() -> None:
    data = {"severity": "error", "pos": {"line": 3, "column": 2}, "endPos": {"line": 4, "column": 7}, "data": "boom"}
    (message,) = parse(json.dumps(data)) or []
    assert message == Message("error", 3, 2, "", "boom", 4, 7)
    assert message.moved(-2, -3) == Message("error", 1, 0, "", "boom", 2, 4)
    assert error("boom", line=3).moved(-2, 5) == Message("error", 1, 5, "[anonymous]", "boom")


def test_a_torn_line_makes_the_whole_output_unreadable() -> None:
    assert parse('{"severity":"err') is None
    assert parse("Lean is unwell") is None
    assert parse("[]") is None
    assert parse('{"severity": "error", "pos": {"line": 1, "column": 0}, "endPos": 3, "data": "x"}') is None
    assert parse('{"severity": "error", "pos": {"line": Infinity, "column": 0}, "data": "x"}') is None
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
    assert classify([error("type expected, got\n  (h : p)")]) == "lean.type_mismatch"
    assert classify([error("Tactic `assumption` failed")]) == "lean.tactic_failed"
    assert classify([error("`simp` made no progress")]) == "lean.tactic_failed"
    assert classify([error("Function expected at\n  h")]) == "lean.type_mismatch"
    assert classify([error("'show' tactic failed, pattern")]) == "lean.tactic_failed"
    assert classify([error("No goals to be solved")]) == "lean.error"


def test_what_lean_could_not_read_outranks_what_follows_from_it() -> None:
    both = [error("unsolved goals\n⊢ p", "Tactic.unsolvedGoals"), error("unknown tactic", line=4)]
    assert classify(both) == "lean.parse_error"
