"""Small changes of a theorem: near misses, some of which are false."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from proofgrad.envs.theorems.terms import BINDERS, Expr, Theorem, app, well_shaped

__all__ = ["near_misses"]

_SWAPPED = {"∀": "∃", "∃": "∀", "∧": "∨", "∨": "∧", "+": "*", "*": "+", "≤": "<"}


def near_misses(rng: random.Random, theorem: Theorem, tries: int, goal_only: bool = False) -> Iterator[Theorem]:
    """Theorems that differ from this one in one place, over the same variables.

    Args:
        tries: how many changes to draw; those that change nothing or make an odd shape give nothing.
        goal_only: leave the hypotheses alone.
    """
    types = dict(theorem.variables)
    for _ in range(tries):
        at = rng.randrange(-2, 0 if goal_only else len(theorem.hypotheses))
        old = theorem.goal if at < 0 else theorem.hypotheses[at].proposition
        places = list(_places(old, ()))
        path, place, scope = rng.choice(places)
        changed = _change(rng, place, scope, types)
        if changed is None or changed == place:
            continue
        new = _put(old, path, changed)
        if new == old or not well_shaped(new):
            continue
        if at < 0:
            yield theorem._replace(goal=new)
        else:
            hypotheses = list(theorem.hypotheses)
            hypotheses[at] = hypotheses[at]._replace(proposition=new)
            yield theorem._replace(hypotheses=tuple(hypotheses))


def _places(
    expr: Expr, path: tuple[int, ...], scope: tuple[tuple[str, str], ...] = ()
) -> Iterator[tuple[tuple[int, ...], Expr, tuple[tuple[str, str], ...]]]:
    """Every subexpression with the way to it and the bound variables that it may use, with their types."""
    yield path, expr, scope
    if expr.op in BINDERS:
        yield from _places(expr.args[1], (*path, 1), (*scope, (expr.args[0].op, expr.type)))
        return
    for i, arg in enumerate(expr.args):
        yield from _places(arg, (*path, i), scope)


def _put(whole: Expr, path: tuple[int, ...], new: Expr) -> Expr:
    if not path:
        return new
    args = list(whole.args)
    args[path[0]] = _put(args[path[0]], path[1:], new)
    return whole._replace(args=tuple(args))


def _change(
    rng: random.Random, place: Expr, scope: tuple[tuple[str, str], ...], types: Mapping[str, str]
) -> Expr | None:
    """Something else of the same type, or None."""
    op, args, _type = place
    ways: list[Expr] = []
    if op in _SWAPPED:
        ways.append(place._replace(op=_SWAPPED[op]))
    if op in BINDERS and args[1].op in BINDERS and args[1].op != op:
        inner = args[1]
        ways.append(inner._replace(args=(inner.args[0], place._replace(args=(args[0], inner.args[1])))))
    if op == "→":
        ways += [app("→", args[1], args[0]), args[1]]
    if op == "¬":
        ways.append(args[0])
    if op == "∧":
        ways += list(args)
    if op in types and types[op].endswith("Prop"):
        ways.append(app("¬", place))
    own = dict(scope).get(op) or types.get(op)
    if own is not None and own != "Type":
        others = [name for name, type_ in (*types.items(), *scope) if type_ == own and name != op]
        if others:
            ways.append(place._replace(op=rng.choice(others)))
        if len(args) == 2 and own.count("→") == 2:
            ways.append(app(op, args[1], args[0]))
        if len(args) == 1 and own.split(" → ")[0] == own.split(" → ")[-1]:
            ways.append(args[0])
    if op.isdecimal():
        ways.append(place._replace(op=str(int(op) + 1)))
    if op in ("+", "*"):
        ways.append(rng.choice(args))
    return rng.choice(ways) if ways else None
