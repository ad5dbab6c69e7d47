"""Random theorems that need induction on a number or a list, each built together with its proof.

A sequence F is given by F 0 and F (n + 1) in terms of F n, or by F [] and F (x :: l). Rewriting φ of the next value
until φ of the last one shows defines a second sequence G, and the theorem is φ (F n) = G n. Elements are abstract, with
assumed laws, or numbers, with the laws of + and *. Closed forms of linear recurrences are a kind of their own.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from proofgrad.envs.theorems.library import NAT_RULES, ONE, ZERO, plus, times
from proofgrad.envs.theorems.naming import Names
from proofgrad.envs.theorems.rewriting import Proof, Rule, indented, match, replaced, rule_of
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
from proofgrad.envs.theorems.walks import Step, moves_of, rw_lines, size

__all__ = ["inductive"]

_LARGEST = 9


def inductive(rng: random.Random, steps: range) -> Proof | None:
    """A theorem whose proof by induction takes about so many steps; None if it failed."""
    if steps[0] < 12 and rng.random() < 0.12:
        return _Closed(rng).build()
    return _Folds(rng).build(rng.choice(steps))


class _Induction:
    """What the kinds share: the thing inducted on, hypotheses, and the layout of the proof."""

    def __init__(self, rng: random.Random, on_lists: bool, type_: str, names: Names) -> None:
        self._rng, self._names, self._type = rng, names, type_
        self._domain = f"List {type_}" if on_lists else "Nat"
        self._index = var(names.fresh("list" if on_lists else "number"))
        self._head = var(names.fresh("local")) if on_lists else None
        self._first = var("[]") if on_lists else ZERO
        self._next = app("::", self._head, self._index) if self._head is not None else plus(self._index, ONE)
        self._hypotheses: list[Hypothesis] = []

    def _assume(self, proposition: Expr, general: Sequence[tuple[Expr, str]] = ()) -> Rule:
        """A hypothesis that says an equation for all values of `general`, and the rule that it gives."""
        present = free_names(proposition)
        general = [(variable, type_) for variable, type_ in general if variable.op in present]
        bound = {variable.op: var(self._names.bound()) for variable, _type in general}
        proposition = substitute(proposition, bound)
        for variable, type_ in reversed(general):
            proposition = bind("∀", bound[variable.op].op, type_, proposition)
        name = self._names.hypothesis()
        self._hypotheses.append(Hypothesis(name, proposition))
        return rule_of(name, proposition)

    def _places(self) -> list[tuple[Expr, str]]:
        """The variables of a step: the number, or head and tail of the list."""
        head = [(self._head, self._type)] if self._head is not None else []
        return [*head, (self._index, self._domain)]

    def _values(self, rule: Rule) -> dict[str, Expr]:
        """The rule of a step at the variables of the induction's step."""
        return dict(zip(rule.variables, (place for place, _type in self._places()), strict=True))

    def _finish(
        self,
        left: Expr,
        right: Expr,
        first: Sequence[Step],
        then: Sequence[Step],
        variables: Sequence[tuple[str, str]],
    ) -> Proof | None:
        """The theorem left = right, by these rewritings in the two cases."""
        rng = self._rng
        goal = app("=", left, right)
        cases = []
        for place, steps in ((self._first, first), (self._next, then)):
            # With numbers one `rw` for all: it tries to close the goal at its end only, so it cannot come too early.
            together = None if self._type == "Nat" else 3
            made = rw_lines(rng, substitute(goal, {self._index.op: place}), steps, together=together)
            if made is None or made[1].args[0] != made[1].args[1]:
                return None
            cases.append(indented(made[0]))
        index = self._index.op
        tags = ("nil", f"cons {self._head.op} {index} ih") if self._head is not None else ("zero", f"succ {index} ih")
        lines = [f"induction {index} with"]
        for tag, case in zip(tags, cases, strict=True):
            lines += [f"| {tag} =>", *case]
        if rng.random() < 0.5:
            bound = self._names.bound()
            goal = bind("∀", bound, self._domain, substitute(goal, {index: var(bound)}))
            lines.insert(0, f"intro {index}")
            variables = list(variables)
        else:
            variables = [*variables, (index, self._domain)]
        words = set(re.findall(r"\w+", " ".join(lines)))
        hypotheses = tuple(h for h in self._hypotheses if h.name in words)
        used = words.union(*(free_names(p) for p in (goal, *(h.proposition for h in hypotheses))))
        kept = tuple((name, kind) for name, kind in variables if name in used or kind == "Type")
        return Proof(Theorem(kept, hypotheses, goal), tuple(lines), "induction")


class _Folds(_Induction):
    """φ (F n) = G n, over abstract elements or numbers."""

    def __init__(self, rng: random.Random) -> None:
        names = Names(rng)
        self._numbers = rng.random() < 0.4
        super().__init__(rng, rng.random() < 0.45, "Nat" if self._numbers else names.fresh("type"), names)
        self._maps = [names.fresh("function") for _ in range(4)]
        if self._numbers and self._head is None:
            self._constants = [var(name) for name in rng.sample("abcde", 2)]
        else:
            self._constants = [var(names.fresh("element")) for _ in range(2)]
        self._operation = names.fresh("operation")
        self._laws: list[Rule] = []

    def build(self, fuel: int) -> Proof | None:
        rng = self._rng
        fold, other = self._maps.pop(), self._maps.pop()
        here = app(fold, self._index)
        step = self._step(here)
        start = rng.choice([*self._constants, *([ZERO] if self._numbers else [])])
        outer = self._outer()
        if self._numbers:
            self._laws = list(NAT_RULES)
        firsts = [self._assume(app("=", app(fold, self._first), start))]
        thens = [self._assume(app("=", app(fold, self._next), step), self._places())]
        # Four or five steps are the frame: induction, the two sequences in two cases, the induction hypothesis.
        more = max(0, fuel - 6)
        if more > 3 and not self._numbers:
            self._laws += [self._extra() for _ in range(rng.choice((1, 1, 2)))]
        base = self._way(outer(start), None, rng.randint(0, min(2, more)))
        seen = outer(here)
        way = self._way(outer(step), seen, max(1, more - len(base or [])))
        if base is None or not way:
            return None
        begin = base[-1].result if base else outer(start)
        after = replaced(way[-1].result, seen, app(other, self._index))
        if fold in free_names(after):
            return None
        firsts.append(self._assume(app("=", app(other, self._first), begin)))
        thens.append(self._assume(app("=", app(other, self._next), after), self._places()))
        ih = Rule("ih", (), seen, app(other, self._index))
        first = [Step(firsts[0], {}, start), *base, Step(firsts[1], {}, begin)]
        then = [Step(thens[0], self._values(thens[0]), step), *way, Step(ih, {}, after)]
        then.append(Step(thens[1], self._values(thens[1]), after))
        return self._finish(seen, app(other, self._index), first, then, self._variables(fold, other))

    def _extra(self) -> Rule:
        """A law that lets the rewriting take some turns."""
        rng = self._rng
        x, y = var(self._names.bound()), var(self._names.bound())
        f, g, h = (rng.choice(self._maps) for _ in range(3))
        op = self._operation
        left, right = rng.choice(
            (
                (app(f, app(g, x)), app(h, x)),
                (app(f, app(g, x)), app(g, app(h, x))),
                (app(op, x, y), app(op, y, x)),
                (app(op, app(f, x), y), app(op, x, app(g, y))),
                (app(f, app(op, x, y)), app(op, x, app(g, y))),
            )
        )
        return self._assume(app("=", left, right), [(x, self._type), (y, self._type)])

    def _variables(self, *folds: str) -> list[tuple[str, str]]:
        type_ = self._type
        variables = [] if self._numbers else [(type_, "Type"), (self._operation, f"{type_} → {type_} → {type_}")]
        variables += [(name, f"{self._domain} → {type_}") for name in sorted(folds)]
        if not self._numbers:
            variables += [(name, f"{type_} → {type_}") for name in sorted(self._maps)]
        return variables + [(constant.op, type_) for constant in sorted(self._constants)]

    def _step(self, here: Expr) -> Expr:
        """The next value in terms of the last one, `here`."""
        rng = self._rng
        if self._head is not None:
            others = [self._head, self._head, *self._constants[:1]]
        elif self._numbers:
            others = [*self._constants, self._index, var(str(rng.randint(1, 9)))]
        else:
            others = self._constants
        term, wraps = here, rng.choice((1, 1, 2))
        for i in range(wraps):
            beside = rng.choice(others) if i or self._head is None else self._head
            if self._numbers or rng.random() < (0.5 if self._head is None else 0.9):
                op = "+" if self._numbers else self._operation
                term = app(op, *((term, beside) if rng.random() < 0.5 else (beside, term)))
            else:
                term = app(rng.choice(self._maps), term)
        return term

    def _outer(self) -> Callable[[Expr], Expr]:
        """A random φ."""
        rng = self._rng
        if self._numbers:
            beside = rng.choice([*self._constants, var(str(rng.randint(2, 9)))])
            op = rng.choice("++***")
        elif rng.random() < 0.6:
            name = self._maps[-1]
            return lambda term: app(name, term)
        else:
            beside, op = self._constants[1], self._operation
        if rng.random() < 0.5:
            return lambda term: app(op, term, beside)
        return lambda term: app(op, beside, term)

    def _way(self, term: Expr, seen: Expr | None, length: int) -> list[Step] | None:
        """About `length` rewritings; with `seen`, ones after which the sequence occurs in `seen` only, or None."""
        rng = self._rng
        steps: list[Step] = []
        before = {term}
        fold = None if seen is None else next(e.op for e in subexpressions(seen) if e.args[-1:] == (self._index,))
        done = seen is None
        for _ in range(length + 4):
            if (done and len(steps) >= length) or len(steps) > length + 2:
                break
            if not done and not self._numbers and (law := self._needed(term, seen, fold)) is not None:
                self._laws.append(law)
            rules = [*self._laws, *(law.reversed() for law in self._laws if done or self._numbers)]
            moves = [step for rule in rules for step in moves_of(rule, term, _LARGEST) if step.result not in before]
            if seen is not None:
                there = [step for step in moves if fold not in free_names(replaced(step.result, seen, ZERO))]
                moves = there or ([] if done else moves)
                done = done or bool(there)
            if not moves:
                break
            steps.append(rng.choice(moves))
            term = steps[-1].result
            before.add(term)
        return steps if done else None

    def _needed(self, term: Expr, seen: Expr | None, fold: str | None) -> Rule | None:
        """A law by which φ moves inwards over the function or operation before it, unless there is one."""
        rng = self._rng
        x, y, z = (var(self._names.bound()) for _ in range(3))
        outer = next((e for e in subexpressions(term) if seen is not None and _alike(e, seen, fold)), None)
        if outer is None:
            return None
        at = 0 if len(outer.args) == 1 or fold in free_names(outer.args[0]) else 1
        inner, op = outer.args[at], self._operation
        if len(inner.args) == 1:
            order = [x] if len(outer.args) == 1 else [x, y] if at == 0 else [y, x]
            args = [app(inner.op, x) if variable == x else variable for variable in order]
            left, right = app(outer.op, *args), app(rng.choice(self._maps), app(outer.op, *order))
        elif len(inner.args) != 2:
            return None
        elif len(outer.args) == 1:
            deep = 0 if fold in free_names(inner.args[0]) else 1
            left = app(outer.op, app(op, x, y))
            under = app(outer.op, (x, y)[deep])
            beside = rng.choice(((y, x)[deep], app(outer.op, (y, x)[deep]), app(rng.choice(self._maps), (y, x)[deep])))
            right = app(op, *((under, beside) if (deep == 0) == (rng.random() < 0.8) else (beside, under)))
        elif at == 0:
            left = app(op, app(op, x, y), z)
            right = app(op, x, app(op, y, z)) if fold in free_names(inner.args[1]) else app(op, app(op, x, z), y)
        else:
            left = app(op, z, app(op, x, y))
            right = app(op, app(op, z, x), y) if fold in free_names(inner.args[0]) else app(op, x, app(op, z, y))
        variables = [(variable, self._type) for variable in (x, y, z)]
        if any(law.left.op == left.op and size(law.left) == size(left) and _same(law, left) for law in self._laws):
            return None
        return self._assume(app("=", left, right), variables)


def _alike(place: Expr, seen: Expr, fold: str | None) -> bool:
    """Whether a place is φ of something that holds the sequence, but not of the sequence itself."""
    if place.op != seen.op or len(place.args) != len(seen.args) or place == seen or fold not in free_names(place):
        return False
    pairs = list(zip(place.args, seen.args, strict=True))
    return all(place_arg == arg or {fold} <= free_names(place_arg) & free_names(arg) for place_arg, arg in pairs)


def _same(law: Rule, left: Expr) -> bool:
    return match(law.left, left, law.variables) is not None


class _Closed(_Induction):
    """f n = c + d * n and its like, for f that starts at c and grows by d."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng, False, "Nat", Names(rng))

    def build(self) -> Proof | None:
        rng, n = self._rng, self._index
        sequence = self._names.fresh("function")
        numerals = rng.random() < 0.6
        d = var(str(rng.randint(2, 30))) if numerals else var("d")
        c = var(rng.choice(("0", str(rng.randint(1, 60))))) if rng.random() < 0.6 else var("c")
        swapped, before, added = (rng.random() < 0.5 for _ in range(3))

        def product(k: Expr) -> Expr:
            return times(k, d) if swapped else times(d, k)

        def closed(k: Expr) -> Expr:
            return product(k) if c == ZERO else plus(c, product(k)) if before else plus(product(k), c)

        here = app(sequence, n)
        start = self._assume(app("=", app(sequence, ZERO), c))
        step = plus(d, here) if added else plus(here, d)
        grow = self._assume(app("=", app(sequence, self._next), step), self._places())
        zero = [start, Rule("Nat.zero_mul", ("_x",), times(ZERO, _X), ZERO) if swapped else _MUL_ZERO]
        if c != ZERO:
            zero.append(_ADD_ZERO if before else _ZERO_ADD)
        more = [_rule("Nat.add_mul"), _ONE_MUL] if swapped else [_rule("Nat.mul_add"), _MUL_ONE]
        # How W = E(n + 1) comes out, by the shape of both.
        if c == ZERO:
            last = [self._commuted(d, product(n))] if added else []
        elif added:
            last = [self._commuted(d, closed(n)), _rule("Nat.add_assoc" if before else "Nat.add_right_comm")]
        else:
            last = [_rule("Nat.add_assoc" if before else "Nat.add_right_comm")]
        ih = Rule("ih", (), here, closed(n))
        first = [Step(rule, {}, ZERO) for rule in zero]
        then = [Step(rule, {}, ZERO) for rule in (grow, ih, *more, *last)]
        names = [(sequence, "Nat → Nat"), *((v.op, "Nat") for v in (c, d) if not v.op.isdecimal())]
        return self._finish(here, closed(n), first, then, names)

    def _commuted(self, a: Expr, b: Expr) -> Rule:
        """a + b = b + a"""
        return _rule("Nat.add_comm").applied({"_x": a, "_y": b}, f"Nat.add_comm {show(a, 1024)} {show(b, 1024)}")


_X = var("_x")
_MUL_ZERO = Rule("Nat.mul_zero", ("_x",), times(_X, ZERO), ZERO)
_ADD_ZERO = Rule("Nat.add_zero", ("_x",), plus(_X, ZERO), _X)
_ZERO_ADD = Rule("Nat.zero_add", ("_x",), plus(ZERO, _X), _X)
_MUL_ONE = Rule("Nat.mul_one", ("_x",), times(_X, ONE), _X)
_ONE_MUL = Rule("Nat.one_mul", ("_x",), times(ONE, _X), _X)


def _rule(name: str) -> Rule:
    return next(rule for rule in NAT_RULES if rule.name == name)
