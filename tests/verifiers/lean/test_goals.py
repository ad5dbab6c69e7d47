import json

from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers.lean.goals import Goal, Hypothesis, goals_in, split_goals
from proofgrad.verifiers.lean.messages import Message

SHAPES = [
    "unsolved goals\n", "case left\n", "p q : Prop\n", "h✝ : p ∧ q\n", "x : Nat := 2\n", "⊢ q", "⊢", "\n\n", "\n", "  ",
    " : ", " := ", "case ", "case a b\n", "has type\n  p\n", "context:\n", "h :\n  p\n", "⊢ sorry", "\ud800",
]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(SHAPES), st.text(max_size=20)), max_size=12).map("".join)
messages = st.lists(st.builds(Message, st.just("error"), st.just(1), st.just(0), st.just("k"), texts), max_size=4)


@given(messages)
def test_goals_are_clean_json(errors: list[Message]) -> None:
    goals = goals_in(errors)
    assert json.loads(json.dumps(goals)) == goals
    for goal in goals:
        assert set(goal) == {"case", "hypotheses", "target"}
        assert all({"names", "type"} <= set(h) <= {"names", "type", "value"} for h in goal["hypotheses"])  # type: ignore


names = st.sampled_from(["p", "h₁", "h✝", "this", "α", "ih'", "x.y"])
terms = st.sampled_from(["p ∧ q", "∀ (n : Nat), f n = n", "Nat", "(let x := 1; x) = 1", "{ left := a, right := b }"])
goals = st.builds(
    Goal,
    st.one_of(st.none(), st.sampled_from(["left", "inl.inr", "zero"])),
    st.lists(
        st.builds(Hypothesis, st.lists(names, min_size=1, max_size=3).map(tuple), terms, st.one_of(st.none(), terms)),
        max_size=4,
    ).map(tuple),
    terms,
)


@given(st.lists(goals, max_size=4))
def test_goals_are_read_as_lean_shows_them(wanted: list[Goal]) -> None:
    shown = [
        "\n".join([*([f"case {g.case}"] if g.case else []), *map(str, g.hypotheses), f"⊢ {g.target}"]) for g in wanted
    ]
    assert split_goals("\n\n".join(shown))[1] == wanted
    assert split_goals("unsolved goals\n" + "\n\n".join(shown))[1] == wanted
    assert split_goals("Tactic `x` failed: why\n\n" + "\n\n".join(shown)) == (["Tactic `x` failed: why"], wanted)


def test_a_long_hypothesis_goes_on_in_indented_lines() -> None:
    text = "unsolved goals\nh :\n  p ∧\n    q\nx : Nat :=\n  f\n    n\n⊢ p ∧\n    q"
    wanted = Goal(None, (Hypothesis(("h",), "p ∧ q"), Hypothesis(("x",), "Nat", "f n")), "p ∧ q")
    assert split_goals(text) == (["unsolved goals"], [wanted])
