"""Random theorems that follow by rewriting with assumed equations, each built together with its proof.

Laws are drawn for one or two functions and perhaps an operation; a random walk rewrites a term with them; the theorem
says something about where the walk began and where it ended.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from proofgrad.envs.theorems.naming import Names
from proofgrad.envs.theorems.rewriting import Proof, Rule, indented, match, replaced, rule_of, steps_in
from proofgrad.envs.theorems.terms import (
    Expr,
    Hypothesis,
    Theorem,
    app,
    bind,
    free_names,
    show,
    subexpressions,
    substitute,
    var,
)
from proofgrad.envs.theorems.walks import Step, rw_lines, size, walk

__all__ = ["equational"]

# The largest term on a walk, and the longest walk; what needs more steps is put together from several.
_LARGEST, _LONGEST_WALK = 8, 7


def equational(rng: random.Random, steps: range) -> Proof | None:
    """A theorem whose proof takes so many steps, nearly all of them rewritings; None if it failed."""
    return _Builder(rng).build(rng.choice(steps))


class _Builder:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._names = names = Names(rng)
        self._type = names.fresh("type")
        self._functions = [names.fresh("function") for _ in range(rng.choice((1, 2, 2)))]
        self._operation = names.fresh("operation") if rng.random() < 0.5 else ""
        self._constants = [var(names.fresh("element")) for _ in range(rng.choice((1, 2, 3)))]
        self._predicate = ""
        self._hypotheses: list[Hypothesis] = []
        self._rules: list[Rule] = []

    def build(self, fuel: int) -> Proof | None:
        wanted = self._rng.choice((1, 2, 3, 3) if fuel < 8 else (3, 3, 4))
        for _ in range(8 * wanted):
            if len(self._rules) < wanted and (rule := self._law()) is not None:
                self._rules.append(rule)
        made = self._about(fuel)
        if made is None:
            return None
        goal, lines = made
        text = " ".join(lines)
        words = set(re.findall(r"\w+", text))
        hypotheses = [hypothesis for hypothesis in self._hypotheses if hypothesis.name in words]
        propositions = [hypothesis.proposition for hypothesis in hypotheses]
        if goal in propositions or len(set(propositions)) < len(propositions):
            return None
        used = words.union(*(free_names(p) for p in (goal, *propositions)))
        type_ = self._type
        variables = [(type_, "Type"), (self._operation, f"{type_} → {type_} → {type_}")]
        variables += [(name, f"{type_} → {type_}") for name in sorted(self._functions)]
        variables += [(self._predicate, f"{type_} → Prop")]
        variables += [(constant.op, type_) for constant in sorted(self._constants)]
        kept = tuple((name, kind) for name, kind in variables if name in used or kind == "Type")
        return Proof(Theorem(kept, tuple(hypotheses), goal), tuple(lines), "equations")

    # Terms and laws

    def _term(self, symbols: int, leaves: Sequence[Expr]) -> Expr:
        """A random term of about so many functions and operations."""
        rng = self._rng
        if symbols <= 0:
            return rng.choice(leaves)
        if self._operation and rng.random() < 0.5:
            left = rng.randrange(symbols)
            return app(self._operation, self._term(left, leaves), self._term(symbols - 1 - left, leaves))
        return app(rng.choice(self._functions), self._term(symbols - 1, leaves))

    def _law(self) -> Rule | None:
        """A new hypothesis: a usual law, a random one, or an equation between two elements."""
        rng = self._rng
        x, y, z = (var(self._names.bound()) for _ in range(3))
        way = rng.random()
        if way < 0.3:
            left, right = self._usual(x, y, z)
        elif way < 0.75:
            leaves = [x, y] if self._operation and rng.random() < 0.6 else [x]
            left, right = self._term(rng.choice((1, 2, 2, 3)), leaves), self._term(rng.choice((0, 1, 1, 2)), leaves)
            if free_names(left) & {x.op, y.op} != free_names(right) & {x.op, y.op}:
                return None
        else:
            left, right = (self._term(n, self._constants) for n in (rng.choice((0, 1, 1, 2)), rng.choice((0, 0, 1))))
        if left == right or (not left.args and not right.args and rng.random() < 0.8):
            return None
        if any(_same_law(left, right, rule) for rule in self._rules):
            return None
        proposition = app("=", left, right)
        present = free_names(proposition)
        for variable in (z, y, x):
            if variable.op in present:
                proposition = bind("∀", variable.op, self._type, proposition)
        name = self._names.hypothesis()
        self._hypotheses.append(Hypothesis(name, proposition))
        return rule_of(name, proposition)

    def _usual(self, x: Expr, y: Expr, z: Expr) -> tuple[Expr, Expr]:
        rng = self._rng
        f, g = rng.choice(self._functions), rng.choice(self._functions)
        c = rng.choice(self._constants)
        if not self._operation:
            choices = [
                (app(f, app(g, x)), app(g, app(f, x))),
                (app(f, app(f, x)), x),
                (app(f, app(f, x)), app(f, x)),
                (app(f, app(g, x)), x),
                (app(f, c), c),
            ]
            return rng.choice(choices)
        op = self._operation
        choices = [
            (app(op, x, y), app(op, y, x)),
            (app(op, app(op, x, y), z), app(op, x, app(op, y, z))),
            (app(op, app(op, x, y), z), app(op, x, app(op, y, z))),
            (app(op, c, x), x),
            (app(op, x, c), x),
            (app(op, x, x), x),
            (app(op, app(f, x), x), c),
            (app(f, app(op, x, y)), app(op, app(f, x), app(f, y))),
            (app(f, app(op, x, y)), app(op, app(f, y), app(f, x))),
            (app(op, app(f, x), y), app(f, app(op, x, y))),
            (app(op, app(f, x), y), app(op, x, app(g, y))),
        ]
        return rng.choice(choices)

    def _start(self, leaves: Sequence[Expr]) -> Expr:
        """A term that some law rewrites, most likely."""
        rng = self._rng
        rule = rng.choice(self._rules)
        values = {variable: self._term(rng.choice((0, 0, 1)), leaves) for variable in rule.variables}
        term = substitute(rng.choice((rule.left, rule.left, rule.right)), values)
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            if self._operation and rng.random() < 0.4:
                other = self._term(rng.choice((0, 1)), leaves)
                term = app(self._operation, *((term, other) if rng.random() < 0.5 else (other, term)))
            else:
                term = app(rng.choice(self._functions), term)
        return term

    def _walk(self, length: int, leaves: Sequence[Expr] = ()) -> tuple[Expr, list[Step]] | None:
        start = self._start(leaves or self._constants)
        steps = walk(self._rng, self._rules, start, length, max(_LARGEST, size(start)))
        return None if steps is None else (start, steps)

    # Theorems about walks

    def _goal(self, fuel: int) -> tuple[Expr, list[str]] | None:
        """A goal of one of the kinds below, with tactics that prove it."""
        if fuel > _LONGEST_WALK or (fuel > 3 and self._rng.random() < 0.1):
            return self._both(fuel)
        makers: list[Callable[[int], tuple[Expr, list[str]] | None]] = [self._equation] * 4
        makers += [self._in_predicate, self._at_hypothesis]
        if fuel > 2:
            makers += [self._injective, self._witness, self._for_all]
        return self._rng.choice(makers)(fuel)

    def _about(self, fuel: int) -> tuple[Expr, list[str]] | None:
        """A goal whose proof has `fuel` steps, or one fewer when there are many, if a few draws give one."""
        least = fuel if fuel < 4 else fuel - 1
        made = (self._goal(fuel) for _ in range(5 if fuel <= _LONGEST_WALK else 2))
        return next((one for one in made if one is not None and least <= steps_in(one[1]) <= fuel), None)

    def _equation(self, fuel: int, leaves: Sequence[Expr] = ()) -> tuple[Expr, list[str]] | None:
        made = self._walk(fuel, leaves)
        if made is None:
            return None
        start, steps = made
        if len(steps) <= 3 and self._rng.random() < 0.25:
            term = self._as_term(start, steps)
            if term is not None:
                return app("=", start, steps[-1].result), [f"exact {term}"]
        goal = app("=", start, steps[-1].result)
        if self._rng.random() < 0.3:
            goal = app("=", steps[-1].result, start)
        lines = self._rewritten(goal, steps)
        return None if lines is None else (goal, lines)

    def _rewritten(self, goal: Expr, steps: Sequence[Step]) -> list[str] | None:
        """The `rw` lines that make both sides equal, which closes the goal."""
        made = rw_lines(self._rng, goal, steps)
        if made is None:
            return None
        lines, end = made
        return lines if end.args[0] == end.args[1] else None

    def _as_term(self, start: Expr, steps: Sequence[Step]) -> str | None:
        """``Eq.trans``, ``congrArg`` and ``.symm`` for a walk; None where a step changes two places at once."""
        parts = []
        for before, step in zip([start, *(step.result for step in steps)], steps, strict=False):
            rule = step.applied
            places = [sub for sub in subexpressions(before) if sub == rule.left]
            if len(places) != 1:
                return None
            terms = rule.name.removeprefix("← ")
            proof = f"({terms})" if " " in terms else terms
            proof = f"{proof}.symm" if rule.name.startswith("← ") else proof
            if before != rule.left:
                hole = self._hole(before, rule.left)
                proof = f"(congrArg {hole} {proof})"
            parts.append(proof)
        text = parts[-1]
        for part in reversed(parts[:-1]):
            text = f"Eq.trans {part} {text}" if text == parts[-1] else f"Eq.trans {part} ({text})"
        return text[1:-1] if len(parts) == 1 and text.startswith("(congrArg") else text

    def _hole(self, whole: Expr, part: Expr) -> str:
        if len(whole.args) == 1 and whole.args[0] == part:
            return whole.op
        taken = {constant.op for constant in self._constants}
        local = next(name for name in "xyzwuv" if name not in taken)
        context = replaced(whole, part, var(local))
        return f"(fun {local} => {show(context)})"

    def _in_predicate(self, fuel: int) -> tuple[Expr, list[str]] | None:
        """P s → P t."""
        made = self._walk(max(1, fuel - 1))
        if made is None:
            return None
        start, steps = made
        end = steps[-1].result
        self._predicate = self._predicate or self._names.fresh("predicate")
        name = self._names.hypothesis()
        if self._rng.random() < 0.5:
            said, goal, at = app(self._predicate, start), app(self._predicate, end), name
        else:
            said, goal, at = app(self._predicate, end), app(self._predicate, start), ""
        lines = rw_lines(self._rng, app(self._predicate, start), steps, at)
        if lines is None or lines[1] != app(self._predicate, end):
            return None
        self._hypotheses.append(Hypothesis(name, said))
        return goal, [*lines[0], f"exact {name}"]

    def _at_hypothesis(self, fuel: int) -> tuple[Expr, list[str]] | None:
        """s = u → t = u."""
        made = self._walk(max(1, fuel - 1))
        if made is None:
            return None
        start, steps = made
        other = self._term(self._rng.choice((0, 1)), self._constants)
        if other in (start, *(step.result for step in steps)):
            return None
        name = self._names.hypothesis()
        said = app("=", start, other) if self._rng.random() < 0.6 else app("=", other, start)
        lines = rw_lines(self._rng, said, steps, name)
        if lines is None:
            return None
        self._hypotheses.append(Hypothesis(name, said))
        goal, flipped = lines[1], self._rng.random() < 0.3
        if flipped:
            goal = app("=", goal.args[1], goal.args[0])
        return (
            None if goal.args[0] == goal.args[1] else (goal, [*lines[0], f"exact {name}{'.symm' if flipped else ''}"])
        )

    def _injective(self, fuel: int) -> tuple[Expr, list[str]] | None:
        """s = t because f s = f t and f is injective."""
        f = self._rng.choice(self._functions)
        made = self._walk(max(1, fuel - 1))
        if made is None or made[0].op != f:
            return None
        start, steps = made
        while steps and steps[-1].result.op != f:
            steps = steps[:-1]
        if not steps or steps[-1].result == start:
            return None
        goal = app("=", start.args[0], steps[-1].result.args[0])
        lines = self._rewritten(app("=", start, steps[-1].result), steps)
        if lines is None:
            return None
        x, y = var(self._names.bound()), var(self._names.bound())
        said = app("→", app("=", app(f, x), app(f, y)), app("=", x, y))
        name = self._names.hypothesis()
        self._hypotheses.append(Hypothesis(name, bind("∀", x.op, self._type, bind("∀", y.op, self._type, said))))
        return goal, [f"apply {name}", *lines]

    def _witness(self, fuel: int) -> tuple[Expr, list[str]] | None:
        """∃ x, s = t, where the walk went through the instance at a witness."""
        made = self._walk(max(1, fuel - 1))
        if made is None:
            return None
        start, steps = made
        end = steps[-1].result
        inner = [sub for sub in subexpressions(start) if sub != start]
        if not inner:
            return None
        witness, bound = self._rng.choice(inner), self._names.bound()
        left = replaced(start, witness, var(bound))
        lines = self._rewritten(app("=", start, end), steps)
        if lines is None:
            return None
        return bind("∃", bound, self._type, app("=", left, end)), [f"refine ⟨{show(witness)}, ?_⟩", *lines]

    def _for_all(self, fuel: int) -> tuple[Expr, list[str]] | None:
        """∀ x, s = t."""
        local = var(self._names.fresh("local"))
        made = self._equation(max(1, fuel - 1), [local, local, *self._constants])
        if made is None or local.op not in free_names(made[0]):
            return None
        bound = self._names.bound()
        goal = bind("∀", bound, self._type, substitute(made[0], {local.op: var(bound)}))
        return goal, [f"intro {local.op}", *made[1]]

    def _both(self, fuel: int) -> tuple[Expr, list[str]] | None:
        """Two theorems joined by ∧."""
        share = self._rng.randint(max(1, fuel // 3), max(1, fuel // 2))
        left, right = self._about(share), self._about(fuel - 1 - share)
        if left is None or right is None or left[0] == right[0]:
            return None
        lines = ["constructor", *indented(left[1], "· "), *indented(right[1], "· ")]
        return app("∧", left[0], right[0]), lines


def _same_law(left: Expr, right: Expr, rule: Rule) -> bool:
    """Whether an equation is the rule, in either direction, but for the names of variables."""
    for one, other in ((left, right), (right, left)):
        values = match(app("=", rule.left, rule.right), app("=", one, other), rule.variables)
        if values is not None and len(set(values.values())) == len(values):
            return all(value.op.startswith("_") for value in values.values())
    return False
