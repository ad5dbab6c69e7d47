"""Random walks by rewriting, and the ``rw`` lines that follow them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from proofgrad.envs.theorems.rewriting import Rule, instances, match, replaced, rewrite
from proofgrad.envs.theorems.terms import Expr, show, substitute

__all__ = ["Step", "moves_of", "rw_lines", "size", "walk"]


class Step(NamedTuple):
    """One rewriting: the rule, the values of its variables, and the term that comes out."""

    rule: Rule
    values: dict[str, Expr]
    result: Expr

    @property
    def applied(self) -> Rule:
        """The rule with its terms filled in."""
        terms = " ".join(show(self.values[variable], 1024) for variable in self.rule.variables)
        return self.rule.applied(self.values, f"{self.rule.name} {terms}".strip())


def size(term: Expr) -> int:
    """How many symbols a term has."""
    return 1 + sum(map(size, term.args))


def walk(
    rng: random.Random, rules: Sequence[Rule], start: Expr, length: int, largest: int, patience: int = 2
) -> list[Step] | None:
    """A way of about `length` rewritings from `start`, through terms of at most `largest` symbols.

    A random walk of up to `patience` times the length, in which rules that were used less are preferred, explores some
    terms; the way leads to one of these, and it has no shortcut among all terms that the walk saw. None when there is
    no first step.
    """
    both = [*rules, *(rule.reversed() for rule in rules)]
    term, seen = start, dict[Expr, list[Step]]()
    counts: dict[str, int] = {}
    while len(seen) < patience * length:
        seen[term] = [step for rule in both for step in moves_of(rule, term, largest)]
        moves = [step for step in seen[term] if step.result not in seen]
        if not moves:
            break
        times = [counts.get(step.rule.name.removeprefix("← "), 0) for step in moves]
        fresh = [step for step, count in zip(moves, times, strict=True) if count == min(times)]
        step = rng.choice(fresh if rng.random() < 0.7 else moves)
        name = step.rule.name.removeprefix("← ")
        counts[name] = counts.get(name, 0) + 1
        term = step.result
    steps: list[Step] = []
    terms = _way(rng, start, seen, length)
    for before, after in pairwise(terms):
        known = seen.get(before) or [step for rule in both for step in moves_of(rule, before, largest)]
        fitting = [step for step in known if step.result == after]
        if not fitting:
            break  # replacing all occurrences of a term cannot always be undone in one step
        steps.append(rng.choice(fitting))
    return steps or None


def _way(rng: random.Random, start: Expr, seen: Mapping[Expr, Sequence[Step]], length: int) -> list[Expr]:
    """The terms on a shortest way from `start` to one at the wanted distance, or as far away as there is one."""
    # Terms beside the walk are not explored, but two walked terms that share one are two steps apart.
    back: dict[Expr, list[Expr]] = {}
    for term, steps in seen.items():
        for step in steps:
            back.setdefault(step.result, []).append(term)
    distance, order = {start: 0}, [start]
    parent: dict[Expr, Expr] = {}
    for term in order:
        nexts = [step.result for step in seen[term]] if term in seen else back.get(term, [])
        for other in nexts:
            if other not in distance:
                distance[other] = distance[term] + 1
                parent[other] = term
                order.append(other)
    farthest = min(length, max(distance.values()))
    term = rng.choice([term for term, far in distance.items() if far == farthest])
    terms = [term]
    while term != start:
        term = parent[term]
        terms.append(term)
    terms.reverse()
    return terms


def moves_of(rule: Rule, term: Expr, largest: int) -> list[Step]:
    """The terms that one use of a rule makes of a term, of at most `largest` symbols."""
    found = []
    general = rule.left.op in rule.variables
    for place in dict.fromkeys(instances(term)):
        if not general and (place.op != rule.left.op or len(place.args) != len(rule.left.args)):
            continue
        values = match(rule.left, place, rule.variables)
        if values is None or len(values) < len(rule.variables):
            continue
        result = replaced(term, place, substitute(rule.right, values))
        if result != term and size(result) <= largest:
            found.append(Step(rule, values, result))
    return found


def rw_lines(
    rng: random.Random, goal: Expr, steps: Sequence[Step], at: str = "", together: int | None = 3
) -> tuple[list[str], Expr] | None:
    """``rw`` lines that make these steps in a goal (or in the fact `at`), and what it is then.

    A rule is cited without its terms where Lean finds the same ones by itself. None when a step would change more
    than the part of the goal that the walk went through, or close the goal early.

    Args:
        together: at most so many rules in one ``rw``; None for all in a single one.
    """
    cited: list[str] = []
    for step in steps:
        # A step without values leaves it to Lean, and to `rewrite`, to find them.
        applied = step.applied if step.values else step.rule
        after = rewrite(goal, applied)
        if after is None:
            return None
        plain = step.rule.left.op not in step.rule.variables and rewrite(goal, step.rule) == after
        if step.rule.implicit and not plain:
            return None
        cited.append(step.rule.name if step.rule.implicit or (plain and rng.random() < 0.9) else applied.name)
        goal = after
        if goal.op == "=" and goal.args[0] == goal.args[1] and not at and len(cited) < len(steps):
            return None  # rw closes such a goal by itself, and the rest would have nothing to work on
    lines = []
    while cited:
        count = rng.randint(1, together) if together else len(cited)
        lines.append(f"rw [{', '.join(cited[:count])}]{f' at {at}' if at else ''}")
        cited = cited[count:]
    return lines, goal
