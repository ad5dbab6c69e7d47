from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers.lean.backend import Limits
from proofgrad.verifiers.lean.messages import Message
from proofgrad.verifiers.lean.replies import (
    MARKER,
    Fence,
    MalformedReplyError,
    marker_line,
    messages_in,
    newline_ended,
    option_lines,
    options,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["messages", "sorries", "severity", "pos", "endPos", "data", "line", "column", "kind"]),
            inner,
        )
    ),
    max_leaves=12,
)
REPLIES = st.dictionaries(st.sampled_from(["messages", "sorries", "env", "message"]), JSON, max_size=4)


@given(REPLIES)
def test_every_object_is_read_or_refused(reply: dict[str, object]) -> None:
    try:
        found = messages_in(reply)
    except MalformedReplyError:
        return
    assert all(isinstance(message, Message) for message in found)
    assert len(found) >= len(reply.get("messages") or ())  # type: ignore[arg-type]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["error", "warning", "info", "trace"]), st.integers(1, 99), st.integers(0, 99), st.text()
        )
    )
)
def test_nothing_is_lost_or_moved(items: list[tuple[str, int, int, str]]) -> None:
    reply = {
        "messages": [
            {"severity": s, "pos": {"line": i, "column": c}, "endPos": None, "data": t} for s, i, c, t in items
        ]
    }
    found = messages_in(reply)
    assert [(m.line, m.column, m.text, m.is_error) for m in found] == [(i, c, t, s == "error") for s, i, c, t in items]


@pytest.mark.parametrize("said", ["declaration uses 'sorry'", "declaration uses `sorry`", "declaration uses ‘sorry’"])
def test_a_placeholder_is_known_in_every_release(said: str) -> None:
    place = {"line": 4, "column": 8}
    warning = {"severity": "warning", "pos": place, "endPos": None, "data": said}
    [found] = messages_in({"messages": [warning]})
    assert found.is_sorry
    assert len(messages_in({"messages": [warning], "sorries": [{"pos": place, "goal": "⊢ p"}]})) == 1
    assert [m.line for m in messages_in({"sorries": [{"goal": "⊢ p"}, {"pos": place, "goal": "⊢ q"}]})] == [1, 4]
    [found] = messages_in({"messages": [{**warning, "severity": "error"}]})
    assert not found.is_sorry


def test_a_fence_is_known_by_its_name_alone() -> None:
    fence, other = Fence.fresh(), Fence.fresh()
    assert fence.name != other.name
    said = Message("information", 9, 0, "", f"'{fence.name}' does not depend on any axioms")
    assert fence.is_in([said])
    assert not other.is_in([said])
    assert not fence.is_in([Message("error", 9, 0, "", f"unknown constant '{fence.name}'")])


def test_the_marker_tells_its_line_or_that_nothing_was_imported() -> None:
    shown = Message("information", 7, 0, "", "And (a b : Prop) : Prop")
    assert MARKER == "#check And\n"
    assert marker_line([Message("information", 2, 0, "", "something"), shown]) == 7
    with pytest.raises(MalformedReplyError, match="nothing was imported"):
        marker_line([Message("error", 7, 0, "", "Unknown identifier `And`")])


def test_every_lean_reads_under_the_same_options() -> None:
    limits = Limits(cpu_seconds=1, heartbeats=77)
    lines = option_lines(limits).splitlines()
    assert lines == [f"set_option {key} {value}" for key, value in options(limits).items()]
    assert "set_option maxHeartbeats 77" in lines
    assert "set_option autoImplicit false" in lines


@given(st.text())
def test_a_header_ends_with_a_newline_or_is_empty(text: str) -> None:
    ended = newline_ended(text)
    assert ended == "" or ended.endswith("\n")
    assert newline_ended(ended) == ended
