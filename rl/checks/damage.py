"""Small damage to right answers, of which a verifier should notice nearly all. Pure functions.

Damage is done to the text, so some of it changes nothing that matters: a damaged answer that still passes is a question
to be looked into, not a proof that the verifier is wrong.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Damaged", "damaged"]


class Damaged(NamedTuple):
    """A right answer after something was done to it, and what that was."""

    what: str
    candidate: str


_OTHER_TACTIC = {
    "intro": "exact", "exact": "intro", "apply": "cases", "cases": "apply", "constructor": "left", "left": "right",
    "right": "left", "assumption": "contradiction", "contradiction": "assumption", "rfl": "contradiction",
    "refine": "cases", "induction": "exact", "rw": "cases", "simp": "contradiction", "omega": "contradiction",
}  # fmt: skip
_OTHER_OPERATOR: dict[type[ast.AST], Callable[[], ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.And: ast.Or, ast.Or: ast.And, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def damaged(verifier: str, candidate: str, rng: random.Random) -> Damaged | None:
    """A damaged form of a right answer; None where there is no way that would mean anything.

    Each kind of damage that the answer allows is as likely as another, however many places it could be done at.

    Args:
        verifier: the name of the one that judges the answer: it says what kind of text this is.
        candidate: the right answer.
        rng: chooses.
    """
    if verifier == "rubric":
        return None  # what an answer in prose loses by a word is for its judge to say
    ways = {"lean": _proofs, "program": _programs, "program_property": _programs}.get(verifier, _texts)(candidate)
    kinds = list(ways)
    rng.shuffle(kinds)
    for kind in kinds:
        made = ways[kind](rng)
        if made is not None and made.split() != candidate.split():
            return Damaged(kind, made)
    return None


_Way = Callable[[random.Random], "str | None"]


def _proofs(proof: str) -> dict[str, _Way]:
    lines = proof.rstrip().split("\n")

    def without_last(_: random.Random) -> str | None:
        return "\n".join(lines[:-1]) if len(lines) > 1 else None

    def one_more(_: random.Random) -> str | None:
        return "\n".join([*lines, "  assumption"]) if len(lines) > 1 else None

    def other_tactic(rng: random.Random) -> str | None:
        known = [found for found in re.finditer(r"(?m)^\s*(?:·\s*)?(\w+)", proof) if found[1] in _OTHER_TACTIC]
        if not known:
            return None
        at = rng.choice(known)
        return proof[: at.start(1)] + _OTHER_TACTIC[at[1]] + proof[at.end(1) :]

    def other_hypothesis(rng: random.Random) -> str | None:
        return _replaced(proof, r"\bh\w*\b", lambda _: "unheard_of", rng)

    return {
        "last step left out": without_last,
        "a step after the end": one_more,
        "another tactic": other_tactic,
        "an unknown hypothesis": other_hypothesis,
        "a token left out": lambda rng: _replaced(proof, r"\S+", lambda _: "", rng),
    }


def _programs(code: str) -> dict[str, _Way]:
    try:
        code = _without_docstrings(code)
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _texts(code)
    constants = [i for i, node in enumerate(nodes) if isinstance(node, ast.Constant) and type(node.value) is int]
    operators = [i for i, node in enumerate(nodes) if type(node) in _OTHER_OPERATOR]
    bodies = [i for i, node in enumerate(nodes) if len(_body(node)) > 1 and not isinstance(node, ast.Module)]

    def other_constant(rng: random.Random) -> str | None:
        if not constants:
            return None
        tree, node = _again(code, rng.choice(constants))
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            node.value += rng.choice((-1, 1))
        return ast.unparse(tree)

    def other_operator(rng: random.Random) -> str | None:
        if not operators:
            return None
        tree, node = _again(code, rng.choice(operators))
        return ast.unparse(_Swapped(node).visit(tree))

    def without_statement(rng: random.Random) -> str | None:
        if not bodies:
            return None
        tree, node = _again(code, rng.choice(bodies))
        body = _body(node)
        body.pop(rng.randrange(len(body)))
        return ast.unparse(tree)

    return {
        "a constant off by one": other_constant,
        "another operator": other_operator,
        "a statement left out": without_statement,
        "a token left out": lambda rng: _replaced(code, r"\S+", lambda _: "", rng),
    }


def _without_docstrings(code: str) -> str:
    """The program without what would be damaged in vain."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        body = _body(node)
        if len(body) > 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            del body[0]
    return ast.unparse(tree)


class _Swapped(ast.NodeTransformer):
    """Puts another operator in place of one."""

    def __init__(self, operator: ast.AST) -> None:
        self._operator = operator

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._operator:
            return _OTHER_OPERATOR[type(node)]()
        return self.generic_visit(node)


def _again(code: str, index: int) -> tuple[ast.Module, ast.AST]:
    """The program read afresh, and the node of it that has this place in the order of `ast.walk`."""
    tree = ast.parse(code)
    # The parser shares one object among all uses of an operator; each gets its own, so that one use can be changed.
    _Unshared().visit(tree)
    return tree, list(ast.walk(tree))[index]


class _Unshared(ast.NodeTransformer):
    def visit(self, node: ast.AST) -> ast.AST:
        return type(node)() if type(node) in _OTHER_OPERATOR else self.generic_visit(node)


def _body(node: ast.AST) -> list[ast.stmt]:
    body = getattr(node, "body", None)
    return body if isinstance(body, list) else []


def _texts(text: str) -> dict[str, _Way]:
    def without_token(rng: random.Random) -> str | None:
        return _replaced(text, r"\S+", lambda _: "", rng) if len(text.split()) > 1 else None

    return {
        "another digit": lambda rng: _replaced(text, r"\d", lambda digit: str((int(digit) + 1) % 10), rng),
        "a token left out": without_token,
        "a letter doubled": lambda rng: _replaced(text, r"[^\W\d_]", lambda letter: letter * 2, rng),
    }


def _replaced(text: str, pattern: str, by: Callable[[str], str], rng: random.Random) -> str | None:
    """`text` with one match of a pattern replaced; None where there is none."""
    found = list(re.finditer(pattern, text))
    if not found:
        return None
    at = rng.choice(found)
    return text[: at.start()] + by(at[0]) + text[at.end() :]
