"""Random theorems of predicate logic, each built together with its proof.

A goal is drawn, and a proof of it is grown backwards from the goal and forwards from facts. Wherever the proof needs
something that is not there, a hypothesis is invented that gives it: what is local to the place is generalised, so that
the hypothesis stands before the theorem. So every hypothesis is used, and what comes out holds by construction.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import reduce

from proofgrad.envs.theorems.predicates import Fact, Scope, Vocabulary, parts
from proofgrad.envs.theorems.rewriting import Proof, indented, match, steps_in
from proofgrad.envs.theorems.terms import (
    BINDERS,
    FALSE,
    Expr,
    Hypothesis,
    Theorem,
    alpha,
    app,
    bind,
    free_names,
    show,
    subexpressions,
    substitute,
    var,
    well_shaped,
)

__all__ = ["quantified"]

_MOST_HYPOTHESES, _MOST_GOALS, _ATTEMPTS = 8, 4, 4


def quantified(rng: random.Random, steps: range, depth: int) -> Proof | None:
    """A theorem whose proof takes so many steps and whose goal nests about `depth` connectives; None if it failed.

    Statements are over one type, its elements, predicates of one or two arguments and now and then a function. Where
    one goal does not take enough steps, there are up to four, joined by ∧.
    """
    return _Builder(rng).build(steps, depth)


class _Builder(Vocabulary):
    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._hypotheses: list[Hypothesis] = []

    def build(self, steps: range, depth: int) -> Proof | None:
        scope = Scope(tuple(var(name) for name in self._constants))
        goals: list[Expr] = []
        lines: list[str] = []
        while (missing := steps[-1] - steps_in(lines) - (1 if goals else 0)) > steps[-1] - steps[0]:
            made = self._part(missing, depth, scope, goals) if len(goals) < _MOST_GOALS else None
            if made is None:
                return None
            goal, proof = made
            lines = ["constructor", *indented(lines, "· "), *indented(proof, "· ")] if goals else proof
            goals.append(goal)
        goal = reduce(lambda left, right: app("∧", left, right), goals)
        propositions = [hypothesis.proposition for hypothesis in self._hypotheses]
        used = set().union(*(free_names(p) for p in (goal, *propositions)))
        # A proof may speak of what does not stand in the statement, such as a constant that serves as a witness.
        used.update(re.findall(r"\w+", " ".join(lines)))
        return Proof(Theorem(self._variables(used), tuple(self._hypotheses), goal), tuple(lines), "quantifiers")

    def _part(self, most: int, depth: int, scope: Scope, others: Sequence[Expr]) -> tuple[Expr, list[str]] | None:
        """A goal that is none of the others, and a proof of it that takes at most so many steps."""
        before = list(self._hypotheses), list(self._constants), self._names.copy()
        for _ in range(_ATTEMPTS):
            goal = self._formula(depth, scope.terms, ())
            if goal is None or not well_shaped(goal) or goal in others:
                continue
            # Goals tend to take less than their fuel.
            proof = self._prove(goal, scope, max(1, round(most * self._rng.uniform(0.6, 1.5))))
            propositions = [hypothesis.proposition for hypothesis in self._hypotheses]
            if (
                steps_in(proof) <= most
                and len(propositions) <= _MOST_HYPOTHESES
                and goal not in propositions
                and all(well_shaped(p) for p in propositions)
            ):
                return goal, proof
            self._hypotheses, self._constants, self._names = list(before[0]), list(before[1]), before[2].copy()
        return None

    # The proof

    def _prove(self, goal: Expr, scope: Scope, fuel: int) -> list[str]:
        """Tactic lines that close the goal, inventing hypotheses as needed."""
        op, args = goal.op, goal.args
        if fuel > 1 and (opened := self._open(goal, scope, fuel)) is not None:
            return opened
        if op in ("∀", "→", "¬"):
            return self._introduce(goal, scope, fuel)
        if op in ("∧", "↔"):
            parts = args if op == "∧" else (app("→", *args), app("→", args[1], args[0]))
            first, second = self._split(fuel - 1)
            left, right = self._prove(parts[0], scope, first), self._prove(parts[1], scope, second)
            return ["constructor", *indented(left, "· "), *indented(right, "· ")]
        if self._rng.random() < (0.3 if fuel > 1 else 0.6):
            return self._by_rule(goal, scope, fuel)
        if op == "∨":
            side = self._rng.randrange(2)
            return [("left", "right")[side], *self._prove(args[side], scope, fuel - 1)]
        if op == "∃":
            return self._exhibit(goal, scope, fuel)
        return self._by_rule(goal, scope, fuel)

    def _introduce(self, goal: Expr, scope: Scope, fuel: int) -> list[str]:
        """`intro` for a run of ∀, → and ¬ before the goal."""
        names = []
        while goal.op in ("∀", "→", "¬"):
            if goal.op == "∀":
                names.append(self._names.fresh("local"))
                goal = substitute(goal.args[1], {goal.args[0].op: var(names[-1])})
                scope = scope.with_term(names[-1])
            else:
                names.append(self._names.hypothesis())
                scope = scope.with_fact(names[-1], goal.args[0])
                goal = FALSE if goal.op == "¬" else goal.args[1]
        return [f"intro {' '.join(names)}", *self._prove(goal, scope, fuel - 1)]

    def _exhibit(self, goal: Expr, scope: Scope, fuel: int) -> list[str]:
        if fuel > 4 and self._rng.random() < 0.3:
            return self._by_duality(goal)
        bound, body = goal.args
        for fact in scope.facts:
            values = match(body, fact.proposition, [bound.op])
            if values and bound.op in values:
                return [f"exact ⟨{show(values[bound.op])}, {fact.name}⟩"]
        witness = self._term(scope.terms[-2:])
        rest = self._prove(substitute(body, {bound.op: witness}), scope, fuel - 1)
        if len(rest) == 1 and rest[0].startswith("exact ") and not rest[0].startswith("exact ⟨"):
            return [f"exact ⟨{show(witness)}, {rest[0].removeprefix('exact ')}⟩"]
        return [f"refine ⟨{show(witness)}, ?_⟩", *rest]

    def _by_duality(self, goal: Expr) -> list[str]:
        """∃ x, ¬A from ¬∀ x, A, or ∃ x, A from ¬∀ x, ¬A, which needs excluded middle."""
        bound, body = goal.args
        negated = body.op == "¬"
        against, name, fact = self._names.hypothesis(), self._names.fresh("local"), self._names.hypothesis()
        inner = body.args[0] if negated else app("¬", body)
        # The hypothesis gets a bound variable of its own.
        own = self._names.bound()
        dual = app("¬", bind("∀", own, self._type, substitute(inner, {bound.op: var(own)})))
        cited, _explicit = self._invent([], dual)
        lines = ["apply Classical.byContradiction", f"intro {against}", f"apply {cited}"]
        if negated:
            lines += [f"intro {name}", "apply Classical.byContradiction", f"intro {fact}"]
        else:
            lines += [f"intro {name} {fact}"]
        return [*lines, f"exact {against} ⟨{name}, {fact}⟩"]

    def _open(self, goal: Expr, scope: Scope, fuel: int) -> list[str] | None:
        """Take a fact apart, or get a new one; None if that is not wanted here."""
        rng = self._rng
        for fact in reversed(scope.facts):
            if fact.proposition.op in ("∃", "∧", "∨") and fact.name in scope.unused:
                return self._take_apart(fact.name, fact.proposition, goal, scope.without(fact), fuel - 1)
        if goal.op in ("∀", "→", "¬", "∧", "↔"):
            return None
        for fact in scope.facts:
            if fact.proposition.op == "∀" and fact.name in scope.unused:
                bound, body = fact.proposition.args
                term = self._term(scope.terms)
                name = self._names.hypothesis()
                body = substitute(body, {bound.op: term})
                rest = self._prove(goal, scope.having_used([fact]).with_fact(name, body), fuel - 1)
                return [f"have {name} := {fact.name} {_argument(term)}", *rest]
        if fuel < 3 or rng.random() < (0.5 if fuel < 7 else 0.25):
            return None
        if rng.random() < 0.12:
            atom = self._atom(scope.terms, ())
            if atom is not None and atom not in [fact.proposition for fact in scope.facts]:
                either = app("∨", atom, app("¬", atom))
                return self._take_apart(f"Classical.em {_argument(atom)}", either, goal, scope, fuel - 1)
        return self._forward(goal, scope, fuel)

    def _forward(self, goal: Expr, scope: Scope, fuel: int) -> list[str] | None:
        """A new fact from facts at hand, by an invented hypothesis, and on with the goal."""
        rng = self._rng
        if rng.random() < 0.5 and (again := self._forward_again(goal, scope, fuel)) is not None:
            return again
        facts = self._choose(scope)
        if not facts and rng.random() < 0.6:
            return None
        shape = rng.choice("aaa∃∃∧∨")
        terms = scope.terms or (self._constant(),)
        depth = 0 if shape == "a" else 1
        new: Expr | None
        if shape == "∃":
            bound = var(self._names.bound())
            about = [rng.choice(terms)] if rng.random() < 0.6 and 2 in self._arities.values() else []
            body = self._atom(terms, [bound, *about])
            new = None if body is None else bind("∃", bound.op, self._type, body)
        else:
            parts = [self._atom(terms, [rng.choice(terms)]) for _ in range(depth + 1)]
            if any(part is None for part in parts) or (depth and parts[0] == parts[1]):
                return None
            new = parts[0] if shape == "a" else app(shape, *(part for part in parts if part is not None))
        if new is None or new == goal or new in scope.known:
            return None
        if not facts and shape == "a":
            return None
        cited = self._cite([fact.proposition for fact in facts], new, [fact.name for fact in facts])
        return self._with_new(cited, new, goal, scope.having_used(facts), fuel - 1)

    def _forward_again(self, goal: Expr, scope: Scope, fuel: int) -> list[str] | None:
        """A new fact by a hypothesis that is there already; None if none fits."""
        known = {fact.proposition: fact for fact in scope.facts}
        for hypothesis in self._shuffled():
            variables, premises, conclusion = parts(hypothesis.proposition)
            if not premises or conclusion.op in ("False", "∀", "¬", "→", "↔"):
                continue
            for fact in scope.facts:
                values = match(premises[0], fact.proposition, variables)
                if values is None or len(values) < len(variables):
                    continue
                proofs = [known.get(substitute(premise, values)) for premise in premises]
                new = substitute(conclusion, values)
                if None in proofs or new in scope.known or new == goal:
                    continue
                used = [proof for proof in proofs if proof is not None]
                terms = [_argument(values[variable]) for variable in variables]
                cited = " ".join([hypothesis.name, *terms, *(fact.name for fact in used)])
                return self._with_new(cited, new, goal, scope.having_used(used), fuel - 1)
        return None

    def _with_new(self, cited: str, new: Expr, goal: Expr, scope: Scope, fuel: int) -> list[str]:
        """On with the goal, having a proof of something new."""
        if new.op in ("∃", "∧", "∨"):
            return self._take_apart(cited, new, goal, scope._replace(known=scope.known | {new}), fuel)
        name = self._names.hypothesis()
        return [f"have {name} := {cited}", *self._prove(goal, scope.with_fact(name, new), fuel)]

    def _take_apart(self, proof: str, fact: Expr, goal: Expr, scope: Scope, fuel: int) -> list[str]:
        """`obtain` or `cases` on a proof of ∃, ∧ or ∨, and on with the goal."""
        if fact.op == "∨":
            lines = [f"cases {proof} with"]
            for tag, part, share in zip(("inl", "inr"), fact.args, self._split(fuel), strict=True):
                name = self._names.hypothesis()
                lines += [f"| {tag} {name} =>", *indented(self._prove(goal, scope.with_fact(name, part), share))]
            return lines
        first, second = fact.args
        if fact.op == "∃":
            left = self._names.fresh("local")
            scope = scope.with_term(left)
            second = substitute(second, {first.op: var(left)})
        else:
            left = self._names.hypothesis()
            scope = scope.with_fact(left, first)
        right = self._names.hypothesis()
        rest = self._prove(goal, scope.with_fact(right, second), fuel)
        return [f"obtain ⟨{left}, {right}⟩ := {proof}", *rest]

    def _by_rule(self, goal: Expr, scope: Scope, fuel: int) -> list[str]:
        """The goal by a fact, by a hypothesis about facts, or by one whose premises are goals in turn."""
        rng = self._rng
        for fact in scope.facts:
            if fact.proposition == goal:
                return [f"exact {fact.name}"]
        if goal == FALSE:
            denied = [f for f in scope.facts if f.proposition.op == "¬"]
            held = {f.proposition: f.name for f in scope.facts}
            for fact in denied:
                if fact.proposition.args[0] in held:
                    return [f"exact {fact.name} {held[fact.proposition.args[0]]}"]
            if denied and (fuel > 1 or rng.random() < 0.5):
                fact = rng.choice(denied)
                rest = self._prove(fact.proposition.args[0], scope.without(fact), fuel - 1)
                return [f"apply {fact.name}", *rest]
        facts = self._choose(scope)
        if fuel > 1 and (goal != FALSE or not facts or rng.random() < 0.5):
            return self._backward(goal, scope, fuel)
        if goal == FALSE and not facts:
            return self._backward(goal, scope, fuel)
        if goal == FALSE and len(facts) == 1 and rng.random() < 0.4 and (said := self._nowhere(facts[0], scope)):
            return said
        return [f"exact {self._cite([fact.proposition for fact in facts], goal, [fact.name for fact in facts])}"]

    def _nowhere(self, fact: Fact, scope: Scope) -> list[str] | None:
        """False from a fact about a local element and the hypothesis that there is no such element."""
        own = [term for term in scope.terms if term.op in free_names(fact.proposition)]
        if not own:
            return None
        term = own[-1]
        bound = self._names.bound()
        nowhere = app("¬", bind("∃", bound, self._type, substitute(fact.proposition, {term.op: var(bound)})))
        return [f"exact {self._cite([], nowhere, [])} ⟨{show(term)}, {fact.name}⟩"]

    def _backward(self, goal: Expr, scope: Scope, fuel: int) -> list[str]:
        rng = self._rng
        if goal != FALSE:
            scope = scope._replace(goals=scope.goals | {goal})
        if rng.random() < 0.5 and (again := self._backward_again(goal, scope, fuel)) is not None:
            return again
        terms = scope.terms or (self._constant(),)
        local = tuple(term for term in terms if term.op not in self._constants) or terms
        count = 2 if fuel > 3 and rng.random() < 0.35 else 1
        premises: list[Expr] = []
        for _ in range(count):
            about = (rng.choice(local[-3:]),)
            premise = self._formula(rng.choice((0, 0, 0, 1, 1, 2)) if fuel > 2 else 0, terms, about)
            if premise is not None and premise not in (goal, *scope.goals, *premises):
                premises.append(premise)
        if not premises:
            atom = self._atom(terms, ())
            premises = [] if atom is None or atom in (goal, *scope.goals) else [atom]
        if not premises and goal != FALSE:
            return [f"exact {self._cite([], goal, [])}"]
        premises = premises or [self._some_atom(terms)]
        name, explicit = self._invent(premises, goal)
        return self._applied(" ".join([name, *explicit]), premises, scope, fuel)

    def _backward_again(self, goal: Expr, scope: Scope, fuel: int) -> list[str] | None:
        """The goal by a hypothesis that is there already, its premises as new goals; None if none fits."""
        for hypothesis in self._shuffled():
            variables, premises, conclusion = parts(hypothesis.proposition)
            if not 1 <= len(premises) <= 2 or conclusion.op in BINDERS or fuel <= len(premises):
                continue
            values = match(conclusion, goal, variables)
            if values is None:
                continue
            free = [variable for variable in variables if variable not in values]
            values |= {variable: self._term(scope.terms) for variable in free}
            needed = [substitute(premise, values) for premise in premises]
            if any(premise in scope.goals for premise in needed):
                continue
            terms = [_argument(values[variable]) for variable in variables] if free else []
            return self._applied(" ".join([hypothesis.name, *terms]), needed, scope, fuel)
        return None

    def _applied(self, cited: str, premises: Sequence[Expr], scope: Scope, fuel: int) -> list[str]:
        """`apply`, and the proofs of the premises."""
        shares = self._split(fuel - 1) if len(premises) == 2 else (fuel - 1,)
        lines = [f"apply {cited}"]
        for premise, share in zip(premises, shares, strict=True):
            proof = self._prove(premise, scope, share)
            lines += indented(proof, "· ") if len(premises) == 2 else proof
        return lines

    def _shuffled(self) -> list[Hypothesis]:
        return self._rng.sample(self._hypotheses, len(self._hypotheses))

    def _choose(self, scope: Scope) -> list[Fact]:
        """One or two facts to use, those first that nothing has used."""
        fresh = [fact for fact in scope.facts if fact.name in scope.unused]
        pool = fresh or list(scope.facts)
        if not pool:
            return []
        count = 2 if len(pool) > 1 and self._rng.random() < 0.4 else 1
        chosen = [pool[-1], *self._rng.sample(pool[:-1], count - 1)]
        return chosen if len({fact.proposition for fact in chosen}) == count else chosen[:1]

    def _split(self, fuel: int) -> tuple[int, int]:
        first = self._rng.randint(1, max(1, fuel - 1))
        return first, max(1, fuel - first)

    # Hypotheses

    def _cite(self, premises: Sequence[Expr], conclusion: Expr, proofs: Sequence[str]) -> str:
        """An invented hypothesis applied to its terms and to proofs of its premises."""
        name, _explicit = self._invent(premises, conclusion)
        return " ".join([name, *self._arguments, *proofs])

    def _invent(self, premises: Sequence[Expr], conclusion: Expr) -> tuple[str, list[str]]:
        """A new hypothesis; its name, and its terms where `apply` could not find them from the conclusion alone."""
        rng = self._rng
        whole = conclusion
        for premise in reversed(premises):
            whole = app("¬", premise) if whole == FALSE and rng.random() < 0.7 else app("→", premise, whole)
        mentioned = dict.fromkeys(sub.op for sub in subexpressions(whole) if not sub.args)
        closed = set(self._constants)
        symbols = {name for name in mentioned if name != "False" and not name.startswith("_")} - set(self._arities)
        general = [name for name in mentioned if name in symbols and (name not in closed or rng.random() < 0.5)]
        rng.shuffle(general)
        values = {name: var(self._names.bound()) for name in general}
        proposition = substitute(whole, values)
        for name in reversed(general):
            proposition = bind("∀", values[name].op, self._type, proposition)
        self._arguments = general
        found = free_names(conclusion)
        key = alpha(proposition)
        hypothesis = next((h for h in self._hypotheses if alpha(h.proposition) == key), None)
        if hypothesis is None:
            hypothesis = Hypothesis(self._names.hypothesis(), proposition)
            self._hypotheses.append(hypothesis)
        return hypothesis.name, [] if all(name in found for name in general) else list(general)


def _argument(term: Expr) -> str:
    return show(term, 1024)
