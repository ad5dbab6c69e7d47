"""The prover proves what holds, never what does not, and formulas are printed as Lean reads them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.envs.splits import split_of
from proofgrad.envs.theorems.formula import (
    FALSE,
    TRUE,
    Formula,
    Theorem,
    canonical,
    conj,
    disj,
    iff,
    implies,
    neg,
    rename,
    show,
    statement,
    var,
    variables,
)
from proofgrad.envs.theorems.kripke import is_refuted
from proofgrad.envs.theorems.prover import prove
from proofgrad.verifiers.lean.checker import LeanVerifier

p, q, r, s = (var(name) for name in "pqrs")


def formulas(names: str = "pqr") -> st.SearchStrategy[Formula]:
    atoms = st.sampled_from([*(var(name) for name in names), FALSE, TRUE])
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.builds(neg, inner), *(st.builds(make, inner, inner) for make in (conj, disj, implies, iff))
        ),
        max_leaves=7,
    )


UNPROVABLE = {
    "excluded middle": disj(p, neg(p)),
    "Peirce's law": implies(implies(implies(p, q), p), p),
    "double negation": implies(neg(neg(p)), p),
    "weak excluded middle": disj(neg(p), neg(neg(p))),
    "Dummett's law": disj(implies(p, q), implies(q, p)),
    "De Morgan's fourth law": implies(neg(conj(p, q)), disj(neg(p), neg(q))),
    "independence of premises": implies(implies(neg(p), disj(q, r)), disj(implies(neg(p), q), implies(neg(p), r))),
    "material implication": implies(implies(p, q), disj(neg(p), q)),
    "a variable": p,
    "affirming the consequent": implies(implies(p, q), implies(q, p)),
    "False": FALSE,
    "Scott's axiom": implies(implies(implies(neg(neg(p)), p), disj(p, neg(p))), disj(neg(p), neg(neg(p)))),
}

PROVABLE = {
    "identity": implies(p, p),
    "swap": implies(conj(p, q), conj(q, p)),
    "triple negation": implies(neg(neg(neg(p))), neg(p)),
    "not not excluded middle": neg(neg(disj(p, neg(p)))),
    "De Morgan": iff(neg(disj(p, q)), conj(neg(p), neg(q))),
    "distribution": iff(conj(p, disj(q, r)), disj(conj(p, q), conj(p, r))),
    "contraposition": implies(implies(p, q), implies(neg(q), neg(p))),
    "currying": iff(implies(conj(p, q), r), implies(p, implies(q, r))),
    "from False": implies(FALSE, p),
    "True": TRUE,
    "equivalence is transitive": implies(iff(p, q), implies(iff(q, r), iff(p, r))),
    "cases": implies(implies(p, r), implies(implies(q, r), implies(disj(p, q), r))),
    "an implication that gives a disjunction": implies(p, implies(implies(p, disj(q, r)), disj(r, q))),
    "disjunctive syllogism": implies(disj(p, q), implies(neg(p), q)),
}


@pytest.mark.parametrize("name", UNPROVABLE)
def test_what_has_no_intuitionistic_proof_gets_none(name: str) -> None:
    assert prove(Theorem.of(UNPROVABLE[name])) is None


@pytest.mark.parametrize("name", PROVABLE)
def test_well_known_theorems_are_proved(name: str) -> None:
    assert prove(Theorem.of(PROVABLE[name])) is not None


def test_lean_accepts_the_scripts_of_well_known_theorems() -> None:
    proofs = {statement(Theorem.of(formula)): prove(Theorem.of(formula)) for formula in PROVABLE.values()}
    items = [({"statement": text}, proof.script) for text, proof in proofs.items() if proof is not None]
    for (problem, script), verdict in zip(items, LeanVerifier().verify_batch(items), strict=True):
        assert verdict.is_pass, f"{problem}\n{script}\n{verdict}"


@settings(max_examples=300, deadline=None)
@given(formulas())
def test_nothing_that_a_kripke_model_refutes_is_proved(formula: Formula) -> None:
    theorem = Theorem.of(formula)
    if is_refuted(theorem):
        assert prove(theorem) is None


def test_lean_accepts_every_script_for_random_formulas() -> None:
    found: dict[str, str] = {}

    @settings(max_examples=400, deadline=None, derandomize=True, database=None)
    @given(formulas())
    def collect(formula: Formula) -> None:
        proof = prove(Theorem.of(formula))
        if proof is not None:
            found[statement(Theorem.of(formula))] = proof.script

    collect()
    assert len(found) > 20
    items = [({"statement": text}, script) for text, script in found.items()]
    for (problem, script), verdict in zip(items, LeanVerifier().verify_batch(items), strict=True):
        assert verdict.is_pass, f"{problem}\n{script}\n{verdict}"


def test_lean_reads_a_printed_formula_as_it_was_meant() -> None:
    """`X ↔ X` by identity, X printed on one side with the usual and on the other with all parentheses."""

    def full(formula: Formula) -> str:
        if not formula.args:
            return formula.op
        if formula.op == "¬":
            return f"(¬{full(formula.args[0])})"
        return f"({full(formula.args[0])} {formula.op} {full(formula.args[1])})"

    makers = (conj, disj, implies, iff)
    samples = [make(inner(p, q), r) for make in makers for inner in makers]
    samples += [make(p, inner(q, r)) for make in makers for inner in makers]
    samples += [make(neg(p), neg(inner(q, r))) for make in makers for inner in makers]
    samples += [neg(make(p, q)) for make in makers] + [neg(neg(p)), implies(neg(neg(p)), q)]
    items = [
        ({"statement": f"(p q r : Prop) : ({show(sample)}) → {full(sample)}"}, "by\n  intro h\n  exact h")
        for sample in samples
    ]
    for (problem, _), verdict in zip(items, LeanVerifier().verify_batch(items), strict=True):
        assert verdict.is_pass, f"{problem}\n{verdict}"


def test_parentheses_are_printed_only_where_needed() -> None:
    assert show(implies(conj(p, q), conj(q, p))) == "p ∧ q → q ∧ p"
    assert show(neg(conj(p, neg(q)))) == "¬(p ∧ ¬q)"
    assert show(iff(iff(p, q), r)) == "(p ↔ q) ↔ r"
    assert show(conj(p, conj(q, r))) == "p ∧ q ∧ r"
    assert show(conj(conj(p, q), r)) == "(p ∧ q) ∧ r"
    assert show(implies(implies(p, q), r)) == "(p → q) → r"
    assert statement(Theorem.of(implies(q, p))) == "(p q : Prop) : q → p"


@given(st.lists(formulas("pqrs"), max_size=3, unique=True), formulas("pqrs"), st.permutations("pqrs"), st.randoms())
def test_the_canonical_form_ignores_names_and_the_order_of_hypotheses(
    hypotheses: list[Formula], goal: Formula, names: list[str], rng: object
) -> None:
    renaming = dict(zip("pqrs", names, strict=True))
    theorem = Theorem.of(Theorem(tuple(hypotheses), goal).formula())
    renamed = [rename(hypothesis, renaming) for hypothesis in theorem.hypotheses]
    rng.shuffle(renamed)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    other = Theorem(tuple(renamed), rename(theorem.goal, renaming))
    assert canonical(other) == canonical(theorem)
    assert split_of(statement(canonical(other))) == split_of(statement(canonical(theorem)))


@given(formulas("qs"))
def test_the_canonical_form_is_a_fixed_point_with_variables_in_order(formula: Formula) -> None:
    once = canonical(Theorem.of(formula))
    assert canonical(once) == once
    assert variables(once.formula()) == ["p", "q"][: len(variables(formula))]


def test_scripts_name_hypotheses_in_order() -> None:
    proof = prove(Theorem.of(PROVABLE["cases"]))
    assert proof is not None
    assert re.findall(r"h\d+", proof.script.split("\n")[1]) == ["h1", "h2", "h3"]
    assert proof.script.startswith("by\n  intro h1 h2 h3\n  cases h3 with\n  | inl h4 =>\n")


def test_a_wider_search_finds_the_same_proof() -> None:
    theorem = Theorem.of(PROVABLE["distribution"])
    assert prove(theorem, 200) == prove(theorem, 1000)
