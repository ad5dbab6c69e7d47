"""Equations about + and * on ``Nat`` and about lists that Lean's ``Init`` proves, as rewriting rules."""

from __future__ import annotations

from proofgrad.envs.theorems.rewriting import Rule
from proofgrad.envs.theorems.terms import Expr, app, var

__all__ = ["LIST_RULES", "NAT_RULES", "ONE", "ZERO", "plus", "times"]

ZERO, ONE = var("0"), var("1")
_X, _Y, _Z, _F = var("_x"), var("_y"), var("_z"), var("_f")


def plus(a: Expr, b: Expr) -> Expr:
    """a + b"""
    return app("+", a, b)


def times(a: Expr, b: Expr) -> Expr:
    """a * b"""
    return app("*", a, b)


def _append(a: Expr, b: Expr) -> Expr:
    return app("++", a, b)


def _length(a: Expr) -> Expr:
    return app("List.length", a)


def _reverse(a: Expr) -> Expr:
    return app("List.reverse", a)


def _map(a: Expr) -> Expr:
    return app("List.map", _F, a)


NAT_RULES = (
    Rule("Nat.add_comm", ("_x", "_y"), plus(_X, _Y), plus(_Y, _X)),
    Rule("Nat.add_assoc", ("_x", "_y", "_z"), plus(plus(_X, _Y), _Z), plus(_X, plus(_Y, _Z))),
    Rule("Nat.add_left_comm", ("_x", "_y", "_z"), plus(_X, plus(_Y, _Z)), plus(_Y, plus(_X, _Z))),
    Rule("Nat.add_right_comm", ("_x", "_y", "_z"), plus(plus(_X, _Y), _Z), plus(plus(_X, _Z), _Y)),
    Rule("Nat.mul_comm", ("_x", "_y"), times(_X, _Y), times(_Y, _X)),
    Rule("Nat.mul_assoc", ("_x", "_y", "_z"), times(times(_X, _Y), _Z), times(_X, times(_Y, _Z))),
    Rule("Nat.mul_add", ("_x", "_y", "_z"), times(_X, plus(_Y, _Z)), plus(times(_X, _Y), times(_X, _Z))),
    Rule("Nat.add_mul", ("_x", "_y", "_z"), times(plus(_X, _Y), _Z), plus(times(_X, _Z), times(_Y, _Z))),
)

# Some of these take their lists as implicit arguments, so none is ever given any.
LIST_RULES = (
    Rule("List.append_assoc", ("_x", "_y", "_z"), _append(_append(_X, _Y), _Z), _append(_X, _append(_Y, _Z)), True),
    Rule("List.reverse_append", ("_x", "_y"), _reverse(_append(_X, _Y)), _append(_reverse(_Y), _reverse(_X)), True),
    Rule("List.reverse_reverse", ("_x",), _reverse(_reverse(_X)), _X, True),
    Rule("List.length_append", ("_x", "_y"), _length(_append(_X, _Y)), plus(_length(_X), _length(_Y)), True),
    Rule("List.length_reverse", ("_x",), _length(_reverse(_X)), _length(_X), True),
    Rule("List.map_append", ("_f", "_x", "_y"), _map(_append(_X, _Y)), _append(_map(_X), _map(_Y)), True),
    Rule("List.map_reverse", ("_f", "_x"), _map(_reverse(_X)), _reverse(_map(_X)), True),
    Rule("List.length_map", ("_f", "_x"), _length(_map(_X)), _length(_X), True),
)
