"""Expressions of predicate logic and arithmetic: structure, Lean notation, and a canonical form for theorems."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

__all__ = [
    "BINDERS",
    "CONNECTIVES",
    "FALSE",
    "Expr",
    "Hypothesis",
    "Theorem",
    "alpha",
    "app",
    "bind",
    "canonical",
    "free_names",
    "show",
    "statement",
    "subexpressions",
    "substitute",
    "var",
    "well_shaped",
]


class Expr(NamedTuple):
    """An expression, term or proposition.

    `op` is a connective or operator (``∧ ∨ → ↔ ¬ = ≤ < + * :: ++``), a binder (``∀ ∃``), or a name or numeral applied
    to `args`. A binder's two arguments are its variable and its body, and `type` is the variable's type. Bound
    variables begin with ``_``, and no two binders of an expression have the same one, so substitution never captures.
    """

    op: str
    args: tuple[Expr, ...] = ()
    type: str = ""


class Hypothesis(NamedTuple):
    """A named hypothesis of a theorem."""

    name: str
    proposition: Expr


class Theorem(NamedTuple):
    """Typed variables (types among them), hypotheses, and a goal."""

    variables: tuple[tuple[str, str], ...]
    hypotheses: tuple[Hypothesis, ...]
    goal: Expr


FALSE = Expr("False")
BINDERS = ("∀", "∃")
CONNECTIVES = ("∧", "∨", "→", "↔", "¬")


def var(name: str) -> Expr:
    """A variable, constant or numeral."""
    return Expr(name)


def app(head: str, *args: Expr) -> Expr:
    """A function, predicate, connective or operator applied to arguments."""
    return Expr(head, args)


def bind(binder: str, variable: str, type_: str, body: Expr) -> Expr:
    """``∀ variable : type, body`` or ``∃ ...``."""
    return Expr(binder, (Expr(variable), body), type_)


def subexpressions(expr: Expr) -> Iterator[Expr]:
    """The expression and all that it is made of, outermost first, from left to right; not the variables of binders."""
    yield expr
    for arg in expr.args[1:] if expr.op in BINDERS else expr.args:
        yield from subexpressions(arg)


def free_names(expr: Expr, bound: frozenset[str] = frozenset()) -> set[str]:
    """Names in the expression that no binder binds; numerals and constants of the library among them."""
    if expr.op in BINDERS:
        return free_names(expr.args[1], bound | {expr.args[0].op})
    found = set() if expr.op in bound or expr.op in _LEVELS or expr.op == "¬" else {expr.op}
    for arg in expr.args:
        found |= free_names(arg, bound)
    return found


def substitute(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """The expression with variables (those without arguments) replaced."""
    if not expr.args:
        return values.get(expr.op, expr)
    return Expr(expr.op, tuple([substitute(arg, values) for arg in expr.args]), expr.type)


def well_shaped(proposition: Expr) -> bool:
    """Whether every bound variable occurs in its scope and no connective or equality has two equal sides."""
    for sub in subexpressions(proposition):
        if sub.op in BINDERS and sub.args[0].op not in free_names(sub.args[1]):
            return False
        if len(sub.args) == 2 and sub.op in _DISTINCT and sub.args[0] == sub.args[1]:
            return False
    return True


_DISTINCT = ("∧", "∨", "→", "↔", "=", "≠", "<")


# Binding strength and the strengths that the left and right argument need, as in Lean 4's `Init`; ↔ asks for
# parentheses around → on both sides, where Lean would need none.
_LEVELS = {
    "↔": (20, 26, 26),
    "→": (25, 26, 25),
    "∨": (30, 31, 30),
    "∧": (35, 36, 35),
    "=": (50, 51, 51),
    "≠": (50, 51, 51),
    "≤": (50, 51, 51),
    "<": (50, 51, 51),
    "+": (65, 65, 66),
    "-": (65, 65, 66),
    "++": (65, 65, 66),
    "::": (67, 68, 67),
    "*": (70, 70, 71),
    "^": (75, 76, 75),
}
_QUANTIFIER, _NOT_ARGUMENT, _APPLICATION, _ARGUMENT = 25, 40, 1022, 1024
_BOUND_NAMES = {"Nat": ("n", "m", "k", "i", "j"), "List": ("l", "r", "s", "t", "u"), "": ("x", "y", "z", "w", "u", "v")}


def show(expr: Expr, strength: int = 0, names: Mapping[str, str] | None = None) -> str:
    """The expression in Lean notation; parentheses only where its strength lies under `strength`.

    Bound variables get the first usual name that is free in the scope.
    """
    known = names or {}
    op, args, _type = expr
    if op in BINDERS:
        text, own = _show_binders(expr, known), _QUANTIFIER
    elif op in _LEVELS and len(args) == 2:
        own, left, right = _LEVELS[op]
        text = f"{show(args[0], left, known)} {op} {show(args[1], right, known)}"
    elif op == "¬":
        text = f"¬{show(args[0], _QUANTIFIER if args[0].op in BINDERS else _NOT_ARGUMENT, known)}"
        own = _QUANTIFIER if args[0].op in BINDERS else _ARGUMENT
    elif args:
        text = " ".join([known.get(op, op), *(show(arg, _ARGUMENT, known) for arg in args)])
        own = _APPLICATION
    else:
        return known.get(op, op)
    return f"({text})" if own < strength else text


def _show_binders(expr: Expr, known: Mapping[str, str]) -> str:
    """A run of equal binders over one type as one: ``∀ x y, R x y``."""
    op, type_ = expr.op, expr.type
    inner = dict(known)
    shown: list[str] = []
    annotated = type_ == "Nat" or type_.startswith("List")
    body = expr
    while body.op == op and body.type == type_:
        variable = body.args[0].op
        body = body.args[1]
        taken = {inner.get(name, name) for name in free_names(body)} | set(shown)
        inner[variable] = next(name for name in _bound_names(type_) if name not in taken)
        shown.append(inner[variable])
        annotated = annotated or not _has_argument(body, variable)
    names = " ".join(shown)
    return f"{op} {names}{f' : {type_}' if annotated else ''}, {show(body, 0, inner)}"


def _bound_names(type_: str) -> Iterator[str]:
    usual = _BOUND_NAMES.get(type_.split(" ")[0], _BOUND_NAMES[""])
    yield from usual
    for number in range(1, 100):
        yield f"{usual[0]}{number}"


def _has_argument(expr: Expr, variable: str) -> bool:
    """Whether the variable is an argument of a named function or predicate, so that Lean can infer its type."""
    if expr.args and expr.op not in _LEVELS and expr.op not in BINDERS and any(arg.op == variable for arg in expr.args):
        return True
    return any(_has_argument(arg, variable) for arg in expr.args)


def statement(theorem: Theorem, named: bool = True) -> str:
    """Binders and type as a Lean declaration has them: ``(α : Type) (P : α → Prop) (h : ∀ x, P x) : ...``.

    Args:
        named: whether hypotheses are binders; if not, they stand before the goal with arrows, and a proof has to
            introduce them.
    """
    groups: list[tuple[list[str], str]] = []
    for name, type_ in theorem.variables:
        if groups and groups[-1][1] == type_:
            groups[-1][0].append(name)
        else:
            groups.append(([name], type_))
    parts = [f"({' '.join(names)} : {type_})" for names, type_ in groups]
    goal = theorem.goal
    if named:
        parts += [f"({hypothesis.name} : {show(hypothesis.proposition)})" for hypothesis in theorem.hypotheses]
    else:
        for hypothesis in reversed(theorem.hypotheses):
            goal = app("→", hypothesis.proposition, goal)
    return f"{' '.join(parts)} : {show(goal)}".strip()


def canonical(theorem: Theorem) -> str:
    """A text that is equal for two theorems exactly when they differ in names and in the order of hypotheses only.

    The goal comes first and numbers the variables by first occurrence; then always the hypothesis whose text under the
    numbering so far is smallest. Where several are equal, each is tried and the smallest text as a whole wins.
    """
    own = frozenset(name for name, _type in theorem.variables)
    numbers: dict[str, int] = {}
    goal = _code(theorem.goal, numbers, own)
    rest = tuple(hypothesis.proposition for hypothesis in theorem.hypotheses)
    return min(
        f"{text} | {_types(theorem.variables, numbering)}" for text, numbering in _orders(goal, rest, numbers, own)
    )


def _orders(
    text: str, rest: tuple[Expr, ...], numbers: dict[str, int], own: frozenset[str]
) -> Iterator[tuple[str, dict[str, int]]]:
    if not rest:
        yield text, numbers
        return
    coded: list[tuple[str, int, dict[str, int]]] = []
    for i, proposition in enumerate(rest):
        extended = dict(numbers)
        coded.append((_code(proposition, extended, own), i, extended))
    smallest = min(code for code, _i, _numbers in coded)
    tried: set[Expr] = set()
    for code, i, extended in coded:
        if code == smallest and rest[i] not in tried:
            tried.add(rest[i])
            yield from _orders(f"{text} ; {code}", rest[:i] + rest[i + 1 :], extended, own)
            if extended == numbers:
                return  # it brought no new variable, so an equal text is the same proposition


def alpha(expr: Expr) -> str:
    """A text that two expressions share exactly when they differ in the names of bound variables only."""
    return _code(expr, {}, frozenset())


def _code(expr: Expr, numbers: dict[str, int], own: frozenset[str]) -> str:
    parts: list[str] = []
    _write_code(expr, numbers, own, [], parts)
    return " ".join(parts)


def _write_code(expr: Expr, numbers: dict[str, int], own: frozenset[str], bound: list[str], parts: list[str]) -> None:
    op, args, type_ = expr
    if op in BINDERS:
        parts.append(f"{op}{'N' if type_ == 'Nat' else 'L' if type_.startswith('List') else ''}")
        bound.append(args[0].op)
        _write_code(args[1], numbers, own, bound, parts)
        bound.pop()
        return
    if op in bound:
        parts.append(f"#{len(bound) - 1 - bound.index(op)}")
    elif op in own:
        parts.append(f"v{numbers.setdefault(op, len(numbers))}")
    else:
        parts.append(op)
    for arg in args:
        _write_code(arg, numbers, own, bound, parts)


def _types(variables: Sequence[tuple[str, str]], numbers: Mapping[str, int]) -> str:
    """The types of the variables in the order of their numbers; those that occur nowhere come last, sorted."""
    types = {name for name, type_ in variables if type_ == "Type"}
    used = [type_ for name, type_ in sorted(variables, key=lambda v: numbers.get(v[0], -1)) if name in numbers]
    spare = [type_ for name, type_ in variables if name not in numbers and name not in types]
    names: dict[str, str] = {}

    def plain(type_: str) -> str:
        def number(match: re.Match[str]) -> str:
            return names.setdefault(match[0], f"T{len(names)}") if match[0] in types else match[0]

        return re.sub(r"\w+", number, type_)

    ordered = [plain(type_) for type_ in used]
    return " , ".join(ordered + sorted(plain(type_) for type_ in sorted(spare)))
