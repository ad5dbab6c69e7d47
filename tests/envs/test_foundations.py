"""The environment of foundations keeps the contract, judged by real Lean; what it calls false is."""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Mapping
from itertools import islice, pairwise, permutations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.envs.base import HELD_OUT, TRAIN, Env, Task
from proofgrad.envs.splits import split_of
from proofgrad.envs.testing import EnvContract, corrupt_proof, judge
from proofgrad.envs.theorems.concrete import refute_concretely
from proofgrad.envs.theorems.drawing import (
    FAMILIES,
    HIGHEST_LEVEL,
    Proved,
    band,
    capacity,
    level_of,
    proved_theorems,
    refuted_theorems,
)
from proofgrad.envs.theorems.foundations import FoundationsEnv
from proofgrad.envs.theorems.models import Model, refute
from proofgrad.envs.theorems.nearmiss import near_misses
from proofgrad.envs.theorems.rewriting import Rule, rewrite, steps_in
from proofgrad.envs.theorems.terms import (
    Expr,
    Hypothesis,
    Theorem,
    app,
    bind,
    canonical,
    free_names,
    show,
    statement,
    var,
)
from proofgrad.verifiers.base import Outcome, Verifier
from proofgrad.verifiers.lean.checker import LeanVerifier

LEVELS = range(1, HIGHEST_LEVEL + 1)


@functools.cache
def lean() -> LeanVerifier:
    return LeanVerifier()


@functools.cache
def some(level: int, count: int = 12) -> list[Proved]:
    return list(islice(proved_theorems(level, TRAIN, 0), count))


class TestFoundations(EnvContract):
    sample_size = 20
    judged = 50

    def make_env(self, **options: Any) -> Env:
        return FoundationsEnv(**options)

    def make_verifier(self) -> Verifier:
        return lean()

    def corrupt(self, task: Task, completion: str, rng: random.Random) -> str:
        return corrupt_proof(completion, rng)


def test_a_plain_prompt_ends_where_the_proof_begins() -> None:
    task, gold = next(iter(FoundationsEnv().demonstrations(1, 0)))
    assert task.prompt == f"theorem {task.problem['statement']} :=\n"
    assert gold.startswith("by\n")


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_the_number_of_steps(level: int) -> None:
    for proved in some(level):
        tactics = re.sub(r"^ *\| .* =>\n", "", proved.script, flags=re.MULTILINE).split("\n")[1:]
        rules = sum(line.count(",") for line in tactics if re.match(r" *(· )?rw \[", line))
        steps = len(tactics) + rules - (0 if proved.named else 1)
        assert steps in band(level)
        assert level_of(steps) == level


def test_every_family_has_its_share_of_the_levels_that_it_serves() -> None:
    for level in LEVELS:
        counts = {name: sum(p.family == name for p in some(level)) for name in FAMILIES}
        serving = [name for name, family in FAMILIES.items() if level in family.levels]
        assert sum(counts[name] for name in serving) == 12
        assert max(counts[name] for name in serving) - min(counts[name] for name in serving) <= 1


@pytest.mark.parametrize("level", LEVELS)
def test_levels_have_thousands_of_statements_and_from_the_third_on_twenty(level: int) -> None:
    assert capacity(level, TRAIN) + capacity(level, HELD_OUT) >= {1: 6_000, 2: 10_000}.get(level, 20_000)


@pytest.mark.parametrize("level", [3, 6, 9])
def test_draws_of_two_seeds_hardly_overlap(level: int) -> None:
    """Of 12 and 12 draws from 20,000 or more, one in common is already a chance of one in a hundred."""
    other = {proved.key for proved in islice(proved_theorems(level, TRAIN, 1), 12)}
    assert len(other & {proved.key for proved in some(level)}) <= 1


def test_every_hypothesis_is_used_and_none_is_the_goal() -> None:
    for level in LEVELS:
        for proved in some(level):
            words = set(re.findall(r"\w+", "\n".join(proved.proof.lines)))
            assert {h.name for h in proved.theorem.hypotheses} <= words
            assert proved.theorem.goal not in [h.proposition for h in proved.theorem.hypotheses]


def test_no_theorem_has_a_counterexample() -> None:
    """The refuters never call a theorem false; they are right by the next test, so this is about the theorems."""
    rng = random.Random(0)
    for level in LEVELS:
        for proved in some(level):
            assert refute_concretely(proved.theorem, rng) is None
            if proved.family in ("quantifiers", "equations"):
                assert refute(proved.theorem, rng) is None


def test_false_variants_are_refused_with_a_proof_of_what_they_miss() -> None:
    variants = list(FoundationsEnv().false_variants(60, 3))
    assert len({variant.task.id for variant in variants}) == 60
    assert {variant.task.difficulty for variant in variants} == set(map(float, LEVELS))
    for variant, verdict in zip(variants, judge(lean(), [(v.task, v.candidate) for v in variants]), strict=True):
        assert verdict.outcome is Outcome.FAIL, f"{variant}\n{verdict}"
        assert variant.counterexample


def test_false_variants_come_from_every_family_and_keep_to_their_split() -> None:
    found = [r for level in (3, 4, 5) for r in islice(refuted_theorems(level, HELD_OUT, 0), 12)]
    assert {refuted.family for refuted in found} == set(FAMILIES)
    assert all(split_of(refuted.key) == HELD_OUT for refuted in found)
    variants = list(FoundationsEnv(max_level=3).false_variants(10, 0, HELD_OUT))
    assert {variant.task.split for variant in variants} == {HELD_OUT}


def true_in(expr: Expr, model: Model, known: Mapping[str, int]) -> bool:
    """Truth in one model, the plain way."""

    def value(term: Expr) -> int:
        if term.op in known:
            return known[term.op]
        return model.functions[term.op][tuple(value(arg) for arg in term.args)]

    op, args, _type = expr
    if op in ("∀", "∃"):
        cases = [true_in(args[1], model, {**known, args[0].op: x}) for x in range(model.size)]
        return all(cases) if op == "∀" else any(cases)
    if op in ("=", "≠"):
        return (value(args[0]) == value(args[1])) == (op == "=")
    if op in model.predicates:
        return bool(model.predicates[op][tuple(value(arg) for arg in args)])
    sides = [true_in(arg, model, known) for arg in args]
    return {
        "∧": lambda: sides[0] and sides[1],
        "∨": lambda: sides[0] or sides[1],
        "→": lambda: not sides[0] or sides[1],
        "↔": lambda: sides[0] == sides[1],
        "¬": lambda: not sides[0],
        "False": lambda: False,
    }[op]()


def test_a_model_that_refutes_makes_the_hypotheses_true_and_the_goal_false() -> None:
    rng, refuted = random.Random(1), 0
    for level in LEVELS:
        for proved in some(level):
            if proved.family not in ("quantifiers", "equations"):
                continue
            for theorem in near_misses(rng, proved.theorem, 6):
                model = refute(theorem, rng)
                if model is not None:
                    refuted += 1
                    assert all(true_in(h.proposition, model, {}) for h in theorem.hypotheses)
                    assert not true_in(theorem.goal, model, {})
    assert refuted > 50


def double() -> Theorem:
    f, n = "f", var("_1")
    step = app("=", app(f, app("+", n, var("1"))), app("+", app(f, n), var("2")))
    hypotheses = (
        Hypothesis("h1", app("=", app(f, var("0")), var("0"))),
        Hypothesis("h2", bind("∀", "_1", "Nat", step)),
    )
    return Theorem(
        (("f", "Nat → Nat"), ("n", "Nat")), hypotheses, app("=", app(f, var("n")), app("*", var("2"), var("n")))
    )


def test_numbers_refute_what_is_false_of_a_recurrence_and_only_that() -> None:
    rng, right = random.Random(2), double()
    assert refute_concretely(right, rng) is None
    wrong = right._replace(goal=app("=", app("f", var("n")), app("*", var("3"), var("n"))))
    assert "left" in (refute_concretely(wrong, rng) or "")
    without = right._replace(hypotheses=right.hypotheses[:1], goal=wrong.goal)
    assert refute_concretely(without, rng) is None, "f is not determined, so no value of it is known"


def renamed(theorem: Theorem, rng: random.Random) -> Theorem:
    """The theorem with other names for everything and its hypotheses in another order."""
    names = [name for name, _type in theorem.variables]
    fresh = rng.sample([f"{letter}{i}" for letter in "xyzPQfgα" for i in range(4)], len(names))
    new = dict(zip(names, fresh, strict=True))
    bound: dict[str, str] = {}

    def change(expr: Expr) -> Expr:
        op = expr.op
        if op.startswith("_"):
            op = bound.setdefault(op, f"_bound{len(bound)}")
        type_ = re.sub(r"\w+", lambda m: new.get(m[0], m[0]), expr.type)
        return Expr(new.get(op, op), tuple(change(arg) for arg in expr.args), type_)

    variables = [(new[name], re.sub(r"\w+", lambda m: new.get(m[0], m[0]), type_)) for name, type_ in theorem.variables]
    hypotheses = [Hypothesis(f"k{i}", change(h.proposition)) for i, h in enumerate(theorem.hypotheses)]
    rng.shuffle(hypotheses)
    rng.shuffle(variables)
    return Theorem(tuple(variables), tuple(hypotheses), change(theorem.goal))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(LEVELS), st.integers(0, 11), st.randoms(use_true_random=False))
def test_the_canonical_form_ignores_names_and_the_order_of_hypotheses(level: int, i: int, rng: random.Random) -> None:
    proved = some(level)[i]
    other = canonical(renamed(proved.theorem, rng))
    assert other == proved.key
    assert split_of(other) == TRAIN


def test_hypotheses_that_look_alike_do_not_blur_the_canonical_form() -> None:
    """A path a-b-c-d-e of five elements under one relation, its edges given in any order; a cycle is something else."""
    names = "abcde"

    def theorem(edges: list[tuple[str, str]]) -> str:
        hypotheses = [Hypothesis(f"h{i}", app("R", var(s), var(t))) for i, (s, t) in enumerate(edges)]
        variables = (("α", "Type"), ("R", "α → α → Prop"), *((name, "α") for name in names))
        return canonical(Theorem(variables, tuple(hypotheses), app("False")))

    path = list(pairwise(names))
    rng = random.Random(0)
    forms = {theorem(list(order)) for order in rng.sample(list(permutations(path)), 12)}
    moved = dict(zip(names, "cadbe", strict=True))
    forms.add(theorem([(moved[s], moved[t]) for s, t in reversed(path)]))
    assert len(forms) == 1
    others = {theorem([*path, edge]) for edge in product(names, repeat=2) if edge not in path}
    assert len(others) == 21
    assert not forms & others


def test_different_theorems_have_different_canonical_forms() -> None:
    x, y = var("_1"), var("_2")

    def about(*body: Expr) -> str:
        hypotheses = tuple(Hypothesis(f"h{i}", part) for i, part in enumerate(body[1:]))
        variables = (("α", "Type"), ("R", "α → α → Prop"), ("P", "α → Prop"), ("a", "α"), ("b", "α"))
        kept = set().union(*(free_names(part) for part in body))
        return canonical(Theorem(tuple(v for v in variables if v[0] in kept | {"α"}), hypotheses, body[0]))

    both = [("∀", "∃"), ("∃", "∀"), ("∀", "∀"), ("∃", "∃")]
    forms = [
        about(bind(p, "_1", "α", bind(q, "_2", "α", app("R", s, t)))) for p, q in both for s, t in ((x, y), (y, x))
    ]
    assert len(set(forms)) == 8
    a, b = var("a"), var("b")
    assert about(app("P", a), app("R", a, b)) != about(app("P", a), app("R", b, a))
    assert about(app("P", a), app("P", b)) != about(app("P", a), app("P", a))


def test_expressions_are_printed_as_lean_reads_them() -> None:
    """`X ↔ X` by identity, X printed on one side as usual and on the other with all parentheses."""

    def full(expr: Expr, names: dict[str, str]) -> str:
        if expr.op in ("∀", "∃"):
            inner = {**names, expr.args[0].op: f"v{len(names)}"}
            return f"({expr.op} v{len(names)}, {full(expr.args[1], inner)})"
        if expr.op == "¬":
            return f"(¬{full(expr.args[0], names)})"
        if expr.op in ("∧", "∨", "→", "↔", "="):
            return f"({full(expr.args[0], names)} {expr.op} {full(expr.args[1], names)})"
        if expr.args:
            return f"({expr.op} {' '.join(full(arg, names) for arg in expr.args)})"
        return names.get(expr.op, expr.op)

    items = []
    for level in (2, 5, 8, 10):
        for proved in some(level):
            if proved.family in ("quantifiers", "equations"):
                binders = statement(proved.theorem._replace(hypotheses=(), goal=var("X"))).removesuffix(" : X")
                for goal in (proved.theorem.goal, *(h.proposition for h in proved.theorem.hypotheses)):
                    text = f"{binders} : {show(goal, 30)} ↔ {full(goal, {})}"
                    items.append(({"statement": text}, "⟨fun h => h, fun h => h⟩"))
    assert len(items) > 80
    for (problem, _), verdict in zip(items, lean().verify_batch(items), strict=True):
        assert verdict.is_pass, f"{problem}\n{verdict}"


def test_rewriting_is_predicted_where_the_first_match_decides() -> None:
    f = functools.partial(app, "f")
    a, x = var("a"), var("_1")
    rule = Rule("h", ("_1",), f(f(x)), x)
    goal = app("=", f(f(f(a))), f(f(a)))
    assert rewrite(goal, rule) == app("=", f(a), f(f(a))), "the match at f a leaves f (f a) with a alone"
    assert rewrite(goal, rule.applied({"_1": a}, "h a")) == app("=", f(a), a), "f (f a) on both sides"
    assert rewrite(app("=", a, a), rule) is None


def test_steps_count_each_rule_of_a_rewriting() -> None:
    assert steps_in(["intro x", "cases h with", "| inl h =>", "  rw [a, ← b] at h", "| inr h =>", "  · exact h"]) == 5
