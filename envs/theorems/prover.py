"""A small prover for intuitionistic propositional logic that writes Lean tactic scripts.

Backward search in the manner of a focused sequent calculus (Dyckhoff, "Contraction-free sequent calculi for
intuitionistic logic", 1992, is the model for its left rules). Steps that cannot lose a proof are taken at once and in a
fixed order: close the goal, `intro`, `cases`, `constructor`. Only `left`, `right` and `apply` are choices, and their
number on a branch is deepened step by step, so that the first proof found is short. What it finds is a proof; what it
does not find may still be a theorem.

Hypotheses are named h1, h2, ... in the order in which a branch introduces them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from proofgrad.envs.theorems.formula import FALSE, TRUE, Formula, Theorem, chain

__all__ = ["Proof", "prove"]

MAX_CHOICES = 7
MAX_NODES = 1500
_SPLIT = ("∧", "↔")
_ARROWS = ("→", "¬")


@dataclass(frozen=True, slots=True)
class Proof:
    """A tactic script.

    Attributes:
        script: what follows ``:=``; starts with ``by`` and has no line end at its end.
        steps: number of tactics in it.
    """

    script: str
    steps: int


class _Term(NamedTuple):
    """A proof term over the hypotheses: a hypothesis (no arguments), or `head` with arguments."""

    head: Formula | str
    args: tuple[_Term, ...] = ()


class _Node(NamedTuple):
    """One tactic and what remains after it.

    `new` holds, for each remaining goal, the hypotheses that it gains; `spent` is the hypothesis that `cases` consumes.
    """

    tactic: str
    cost: int
    children: tuple[_Node, ...] = ()
    term: _Term | None = None
    new: tuple[tuple[Formula, ...], ...] = ()
    spent: Formula | None = None


_Context = tuple[Formula, ...]


def prove(theorem: Theorem, max_nodes: int = MAX_NODES) -> Proof | None:
    """A short proof of the theorem, or None when a search through `max_nodes` goals finds none.

    A larger bound may find more proofs, never other ones.
    """
    search = _Search(max_nodes)
    for choices in range(MAX_CHOICES + 1):
        node = search.solve((), theorem.formula(), choices)
        if node is not None:
            return Proof("\n".join(["by", *_render(node, {}, 0, 1)]), node.cost)
        if search.nodes > max_nodes or not search.cut:
            return None
    return None


class _Search:
    def __init__(self, max_nodes: int) -> None:
        self.max_nodes = max_nodes
        self.nodes = 0
        self.cut = False  # whether some branch ended for want of choices: only then can deepening help
        self._failed: dict[tuple[frozenset[Formula], Formula], int] = {}
        self._solved: dict[tuple[frozenset[Formula], Formula], _Node] = {}

    def solve(self, context: _Context, goal: Formula, choices: int) -> _Node | None:
        key = (frozenset(context), goal)
        known = self._solved.get(key)
        if known is not None:
            return known
        if self._failed.get(key, -1) >= choices:
            self.cut = True
            return None
        self.nodes += 1
        if self.nodes > self.max_nodes:
            self.cut = True
            return None
        node = _close(context, goal)
        if node is None:
            forced = _forced(context, goal)
            node = self._choose(context, goal, choices) if forced is None else self._follow(forced, choices)
        if node is None:
            self._failed[key] = choices
        else:
            self._solved[key] = node
        return node

    def _follow(self, step: _Step, choices: int) -> _Node | None:
        children: list[_Node] = []
        for context, goal in step.goals:
            child = self.solve(context, goal, choices)
            if child is None:
                return None
            children.append(child)
        cost = 1 + sum(child.cost for child in children)
        return _Node(step.tactic, cost, tuple(children), step.term, step.new, step.spent)

    def _choose(self, context: _Context, goal: Formula, choices: int) -> _Node | None:
        steps = _options(context, goal)
        if not steps:
            return None
        if choices == 0:
            self.cut = True
            return None
        best: _Node | None = None
        for step in steps:
            node = self._follow(step, choices - 1)
            if node is not None and (best is None or node.cost < best.cost):
                best = node
        return best


class _Step(NamedTuple):
    """A tactic that leaves goals, each with its context."""

    tactic: str
    goals: tuple[tuple[_Context, Formula], ...]
    term: _Term | None = None
    new: tuple[tuple[Formula, ...], ...] = ()
    spent: Formula | None = None


def _close(context: _Context, goal: Formula) -> _Node | None:
    """The tactic that ends this goal at once, if there is one."""
    if goal in context:
        return _Node("exact", 1, term=_Term(goal))
    if goal == TRUE:
        return _Node("exact", 1, term=_Term("True.intro"))
    if FALSE in context:
        return _Node("contradiction", 1)
    for hypothesis in context:
        if hypothesis.op not in _ARROWS:
            continue
        antecedents, conclusion = chain(hypothesis)
        if conclusion == goal and all(a in context for a in antecedents):
            return _Node("exact", 1, term=_Term(hypothesis, tuple(_Term(a) for a in antecedents)))
    for hypothesis in context:
        if hypothesis.op == "¬" and hypothesis.args[0] in context:
            return _Node("contradiction", 1)
    return None


def _forced(context: _Context, goal: Formula) -> _Step | None:
    """The next step that loses nothing, if there is one."""
    if goal.op in _ARROWS:
        antecedents, conclusion = chain(goal)
        return _Step("intro", ((_grown(context, antecedents), conclusion),), new=(antecedents,))
    for hypothesis in context:
        if hypothesis.op in _SPLIT:
            rest = tuple(h for h in context if h != hypothesis)
            return _split(_Term(hypothesis), hypothesis, rest, goal, hypothesis)
    for hypothesis in context:
        if hypothesis.op == "∨":
            rest = tuple(h for h in context if h != hypothesis)
            return _split(_Term(hypothesis), hypothesis, rest, goal, hypothesis)
    for hypothesis in context:
        if hypothesis.op not in _ARROWS:
            continue
        antecedents, conclusion = chain(hypothesis)
        if conclusion.op in ("∧", "↔", "∨"):
            found = [_obtain(a, context) for a in antecedents]
            terms = tuple(term for term in found if term is not None)
            if len(terms) == len(antecedents):
                # The implication has given all that it can, so the search forgets it; Lean's context keeps it.
                rest = tuple(h for h in context if h != hypothesis)
                return _split(_Term(hypothesis, terms), conclusion, rest, goal, None)
    if goal.op == "∧":
        return _Step("constructor", ((context, goal.args[0]), (context, goal.args[1])), new=((), ()))
    if goal.op == "↔":
        a, b = goal.args
        return _Step("constructor", ((context, Formula("→", (a, b))), (context, Formula("→", (b, a)))), new=((), ()))
    return None


def _options(context: _Context, goal: Formula) -> list[_Step]:
    """The steps among which the search has to choose."""
    steps: list[_Step] = []
    for hypothesis in context:
        if hypothesis.op not in _ARROWS:
            continue
        antecedents, conclusion = chain(hypothesis)
        if conclusion == goal:
            goals = tuple((context, a) for a in antecedents)
            steps.append(_Step("apply", goals, _Term(hypothesis), ((),) * len(goals)))
    if goal.op == "∨":
        steps.append(_Step("left", ((context, goal.args[0]),), new=((),)))
        steps.append(_Step("right", ((context, goal.args[1]),), new=((),)))
    if goal != FALSE and any(h.op in _ARROWS and chain(h)[1] == FALSE for h in context):
        steps.append(_Step("apply", ((context, FALSE),), _Term("False.elim"), ((),)))
    return steps


def _split(term: _Term, formula: Formula, rest: _Context, goal: Formula, spent: Formula | None) -> _Step:
    """`cases` on a term that proves a conjunction, an equivalence or a disjunction."""
    a, b = formula.args
    if formula.op == "∨":
        return _Step("cases ∨", ((_grown(rest, (a,)), goal), (_grown(rest, (b,)), goal)), term, ((a,), (b,)), spent)
    parts = (a, b) if formula.op == "∧" else (Formula("→", (a, b)), Formula("→", (b, a)))
    return _Step("cases ∧", ((_grown(rest, parts), goal),), term, (parts,), spent)


def _obtain(formula: Formula, context: _Context) -> _Term | None:
    """A short term for an antecedent: a hypothesis, an application of one to hypotheses, a pair, or an injection."""
    if formula in context:
        return _Term(formula)
    for hypothesis in context:
        if hypothesis.op not in _ARROWS:
            continue
        antecedents, conclusion = chain(hypothesis)
        if conclusion == formula and all(a in context for a in antecedents):
            return _Term(hypothesis, tuple(_Term(a) for a in antecedents))
    if formula.op == "∧":
        left, right = (_obtain(arg, context) for arg in formula.args)
        return None if left is None or right is None else _Term("⟨⟩", (left, right))
    if formula.op == "∨":
        for constructor, arg in zip(("Or.inl", "Or.inr"), formula.args, strict=True):
            term = _obtain(arg, context)
            if term is not None:
                return _Term(constructor, (term,))
    return None


def _grown(context: _Context, new: tuple[Formula, ...]) -> _Context:
    return (*context, *(formula for formula in dict.fromkeys(new) if formula not in context))


def _show_term(term: _Term, names: dict[Formula, str], nested: bool = False) -> str:
    if term.head == "⟨⟩":
        return f"⟨{', '.join(_show_term(arg, names) for arg in term.args)}⟩"
    head = term.head if isinstance(term.head, str) else names[term.head]
    if not term.args:
        return head
    text = " ".join([head, *(_show_term(arg, names, nested=True) for arg in term.args)])
    return f"({text})" if nested else text


def _render(node: _Node, names: dict[Formula, str], used: int, depth: int) -> list[str]:
    """The script's lines; `used` hypotheses have had names on this branch, which stands `depth` blocks deep."""
    pad = "  " * depth
    shown = "" if node.term is None else " " + _show_term(node.term, names)
    if node.tactic == "intro":
        (new,) = node.new
        inner, labels = _named(names, new, used, None)
        return [f"{pad}intro {' '.join(labels)}", *_render(node.children[0], inner, used + len(new), depth)]
    if node.tactic.startswith("cases"):
        lines = [f"{pad}cases{shown} with"]
        constructors = ("inl", "inr") if node.tactic == "cases ∨" else ("intro",)
        for constructor, new, child in zip(constructors, node.new, node.children, strict=True):
            inner, labels = _named(names, new, used, node.spent)
            lines.append(f"{pad}| {constructor} {' '.join(labels)} =>")
            lines += _render(child, inner, used + len(new), depth + 1)
        return lines
    lines = [f"{pad}{node.tactic}{shown}"]
    for child in node.children:
        lines += _render(child, names, used, depth)
    return lines


def _named(
    names: dict[Formula, str], new: tuple[Formula, ...], used: int, spent: Formula | None
) -> tuple[dict[Formula, str], list[str]]:
    labels = [f"h{used + i + 1}" for i in range(len(new))]
    inner = {formula: name for formula, name in names.items() if formula != spent}
    for formula, label in zip(new, labels, strict=True):
        inner.setdefault(formula, label)
    return inner, labels
