"""Reads an assertion-style test suite as Python's syntax tree: which assertions there are, and what each one claims.

Nothing is executed here. An assertion whose claim consists of literals is resolved at once, loops over literal lists
included; one that needs more (a helper, a random number, the reference solution) is left as expressions for
`asserts.py` to evaluate in the sandbox.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Claim", "Suite", "Unconvertible", "read_suite"]

_CLIP = 160
_MAX_UNROLLED = 1000


class Unconvertible(ValueError):  # noqa: N818  # reads as what the assertion is
    """The assertion is no claim about one call's value; the message says why."""


class _NotLiteral(Exception):  # noqa: N818
    """The expression has to be evaluated."""


@dataclass(slots=True)
class Claim:
    """What one assertion says about one call of the entry point.

    Attributes:
        line: line of the assertion in the suite, from 1.
        text: its source, clipped.
        args: the arguments of the call.
        expected: the value it is compared with.
        wrapper: "tuple" or "list", when that of the answer is what is compared.
        tolerance: bounds for a float answer, as `compare.Tolerance` has them.
        stricter: how the test asks for more than the assertion does, or "".
        pairs: arguments and expected values, when all are literals: one pair, or one for each turn of its loops.
            None when they have to be evaluated.
    """

    line: int
    text: str
    args: list[ast.expr]
    expected: ast.expr
    wrapper: str = ""
    tolerance: dict[str, float] | None = None
    stricter: str = ""
    pairs: list[tuple[list[Any], Any]] | None = field(default_factory=list)


@dataclass(slots=True)
class Suite:
    """A suite that has been read.

    Attributes:
        tree: its module; calls of `check` at the top are taken out.
        claims: by the `id` of their `ast.Assert` node in the tree, in order; more than one for a conjunction.
        refused: (line, text, why) of every assertion that is no claim.
        checks: names of the functions to call with the candidate, as HumanEval's `check` is.
        tests: names of the functions to call without arguments.
    """

    tree: ast.Module
    claims: dict[int, list[Claim]] = field(default_factory=dict)
    refused: list[tuple[int, str, str]] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)


def read_suite(text: str, entry_point: str, parameters: Sequence[str] | None) -> Suite:
    """Read a suite; `parameters` are the entry point's, where they are known, to put keyword arguments in their place.

    Raises:
        Unconvertible: the text is not Python.
    """
    try:
        tree = ast.parse(text)
        suite = Suite(ast.Module([node for node in tree.body if not _calls_check(node)], []))
        reader = _Reader(suite, parameters, shared=any(isinstance(node, ast.Global) for node in ast.walk(tree)))
        reader.walk(suite.tree.body, {entry_point}, {}, top=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unconvertible(f"the suite is not Python: {type(error).__name__}: {error}"[:_CLIP]) from None
    return suite


def _calls_check(node: ast.stmt) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check"


@dataclass(slots=True)
class _Reader:
    suite: Suite
    parameters: Sequence[str] | None
    turns: int = 0
    shared: bool = False

    def walk(self, body: Sequence[ast.stmt], names: set[str], known: dict[str, Any], *, top: bool = False) -> None:
        """Read statements in order. `names` are what the entry point is called; `known` the values of variables.

        A variable is known from its assignment to a literal up to the first statement that could do anything else
        than assert: from then on a list in it may have been changed, by whatever name.
        """
        functions: list[ast.FunctionDef] = []
        for node in body:
            if isinstance(node, ast.FunctionDef) and top and self._is_test(node):
                functions.append(node)
                continue
            _rename(node, names)
            if isinstance(node, ast.Assert):
                self._assertion(node, names, known)
            elif isinstance(node, ast.For) and self._unroll(node, names, known):
                known.clear()
            elif _assigns_literal(node, known):
                continue
            elif not isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) and not _is_text(node):
                known.clear()
                self._evaluated(node, names)
        constants = {name: value for name, value in known.items() if _is_constant(value)}
        for function in functions:  # they are called when the rest of the module has been executed
            arguments = [argument.arg for argument in function.args.args]
            visible = {name: value for name, value in constants.items() if name not in arguments and not self.shared}
            self.walk(function.body, {*names, *arguments[:1]}, visible)

    def _is_test(self, node: ast.FunctionDef) -> bool:
        many = len(node.args.args)
        if node.name == "check" and many >= 1:
            self.suite.checks.append(node.name)
        elif node.name.startswith("test") and many == 0:
            self.suite.tests.append(node.name)
        else:
            return False
        return True

    def _unroll(self, node: ast.For, names: set[str], known: dict[str, Any]) -> bool:
        """Go through a loop over literals whose body only asserts and assigns; False when it is another one."""
        if node.orelse or not all(isinstance(part, ast.Assert | ast.Assign) for part in node.body):
            return False
        try:
            values = list(_literal(node.iter, known))
        except (_NotLiteral, TypeError):
            return False
        for value in values:
            self.turns += 1
            bound = dict(known)
            if self.turns > _MAX_UNROLLED or not _bind(node.target, value, bound):
                self._evaluated(node, names)
                return True
            self.walk(node.body, names, bound)
        return True

    def _evaluated(self, node: ast.stmt, names: set[str]) -> None:
        """Claims inside a statement that has to be executed: none of them is resolved here."""
        for part in ast.walk(node):
            if isinstance(part, ast.With) and "raises" in _source(part):
                self._refuse(part, "it expects an exception")
            if isinstance(part, ast.Try):
                for inner in ast.walk(part):
                    if isinstance(inner, ast.Assert) and id(inner) not in self.suite.claims:
                        self._refuse(inner, "it expects or catches an exception")
        for part in ast.walk(node):
            if isinstance(part, ast.Assert):
                self._assertion(part, names, None)

    def _assertion(self, node: ast.Assert, names: set[str], known: Mapping[str, Any] | None) -> None:
        claims = self.suite.claims.get(id(node))
        if claims is None:
            try:
                parts = list(_conjuncts(node.test))
                claims = [_claim(part, node, names, self.parameters) for part in parts]
            except Unconvertible as error:
                claims = []
                self._refuse(node, str(error))
            self.suite.claims[id(node)] = claims
        for claim in claims:
            try:
                if claim.pairs is not None:
                    if known is None or claim.wrapper:
                        raise _NotLiteral
                    args = [_literal(arg, known) for arg in claim.args]
                    claim.pairs.append((args, _literal(claim.expected, known)))
            except (_NotLiteral, TypeError):
                claim.pairs = None

    def _refuse(self, node: ast.stmt, why: str) -> None:
        self.suite.claims[id(node)] = []
        self.suite.refused.append((node.lineno, _source(node), why))


def _conjuncts(test: ast.expr) -> Iterator[ast.expr]:
    """The parts of `a and b`, all of which must hold; nothing for the constant True."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        for part in test.values:
            yield from _conjuncts(part)
    elif not (isinstance(test, ast.Constant) and test.value is True):
        yield test


def _claim(test: ast.expr, node: ast.Assert, names: set[str], parameters: Sequence[str] | None) -> Claim:
    """What `test` says about a call.

    Raises:
        Unconvertible: nothing that a test with an expected value could say.
    """

    def made(call: ast.Call, expected: ast.expr, **more: Any) -> Claim:
        return Claim(node.lineno, _source(node), _arguments(call, parameters), expected, **more)

    def subject(part: ast.expr) -> ast.Call | None:
        found = isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in names
        return part if found and isinstance(part, ast.Call) else None

    call = subject(test)
    if call is not None:
        return made(call, ast.Constant(True), stricter="only True itself passes, not every true value")
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        call = subject(test.operand)
        if call is not None:
            return made(call, ast.Constant(False), stricter="only False itself passes, not every false value")
    if isinstance(test, ast.Tuple):
        raise Unconvertible("a tuple is always true, whatever the function returns")
    if isinstance(test, ast.Call) and ast.unparse(test.func) in ("math.isclose", "isclose"):
        return _isclose(test, subject, made)
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        raise Unconvertible("it is no comparison of a call with a value")
    left, operator, right = test.left, test.ops[0], test.comparators[0]
    if isinstance(operator, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
        return _within(left, operator, right, subject, made)
    if isinstance(operator, ast.Is):
        call = subject(left)
        if call is not None and isinstance(right, ast.Constant) and (right.value is None or type(right.value) is bool):
            return made(call, right)
        raise Unconvertible("'is' with anything but True, False or None")
    if not isinstance(operator, ast.Eq):
        raise Unconvertible("it says what the answer is not, or where it lies, not what it is")
    for one, other in ((left, right), (right, left)):
        call = subject(one)
        if call is not None:
            return made(call, other)
    for one, other in ((left, right), (right, left)):
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id in ("tuple", "list"):
            call = subject(one.args[0]) if len(one.args) == 1 and not one.keywords else None
            if call is not None:
                return made(call, other, wrapper=one.func.id, stricter="the answer must be what the reference returns")
    raise Unconvertible("the answer itself is not compared, but something made of it")


def _isclose(test: ast.Call, subject: Any, made: Any) -> Claim:
    bounds = {"rel_tol": 1e-9, "abs_tol": 0.0}  # math.isclose's own defaults
    for keyword in test.keywords:
        if keyword.arg not in bounds:
            raise Unconvertible("arguments of isclose that are not known")
        bounds[keyword.arg] = _bound(keyword.value)
    for one, other in (test.args, test.args[::-1]) if len(test.args) == 2 else ():
        call = subject(one)
        if call is not None:
            claim: Claim = made(call, other, tolerance={"abs": bounds["abs_tol"], "rel": bounds["rel_tol"]})
            return claim
    raise Unconvertible("isclose of something else than a call and a value")


def _within(left: ast.expr, operator: ast.cmpop, right: ast.expr, subject: Any, made: Any) -> Claim:
    """`abs(f(x) - y) < bound`, the bound being turned into the largest difference that is still allowed."""
    if isinstance(operator, ast.Gt | ast.GtE):
        left, right = right, left
    inner = left.args[0] if isinstance(left, ast.Call) and len(left.args) == 1 and not left.keywords else None
    called = ast.unparse(left.func) if isinstance(left, ast.Call) else ""
    if called in ("abs", "math.fabs", "fabs") and isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Sub):
        for one, other in ((inner.left, inner.right), (inner.right, inner.left)):
            call = subject(one)
            if call is not None:
                bound = _bound(right)
                if isinstance(operator, ast.Lt | ast.Gt):
                    bound = math.nextafter(bound, -math.inf)
                if bound < 0:
                    raise Unconvertible("no difference is that small")
                claim: Claim = made(call, other, tolerance={"abs": bound, "rel": 0.0})
                return claim
    raise Unconvertible("it says where the answer lies, not what it is")


def _bound(node: ast.expr) -> float:
    try:
        value = _literal(node, {})
    except _NotLiteral:
        value = None
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise Unconvertible("a tolerance that is no number between 0 and 1")
    return float(value)


def _arguments(call: ast.Call, parameters: Sequence[str] | None) -> list[ast.expr]:
    """The arguments by position."""
    args = list(call.args)
    if not call.keywords:
        return args
    if parameters is None or any(isinstance(arg, ast.Starred) for arg in args):
        raise Unconvertible("keyword arguments, and no reference solution that tells their places")
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    for name in parameters[len(args) :]:
        if name in named:
            args.append(named.pop(name))
        else:
            break
    if named:
        raise Unconvertible("keyword arguments that cannot be given by position")
    return args


def _rename(node: ast.stmt, names: set[str]) -> None:
    """Keep `names` true over a statement that binds one of them, or gives the entry point another name."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in names:
        names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        return
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.ClassDef):
            names.discard(part.name)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.discard(part.id)


def _is_constant(value: object) -> bool:
    """Whether nothing can change the value, whoever holds it."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _assigns_literal(node: ast.stmt, known: dict[str, Any]) -> bool:
    """Take note of `name = literal`. Not of a value that another name has too: it could be changed through it."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
        return False
    try:
        known[node.targets[0].id] = _literal(node.value, {})
    except (_NotLiteral, TypeError):
        return False
    return True


def _bind(target: ast.expr, value: Any, known: dict[str, Any]) -> bool:
    if isinstance(target, ast.Name):
        known[target.id] = value
        return True
    if isinstance(target, ast.Tuple | ast.List) and isinstance(value, list | tuple) and len(value) == len(target.elts):
        return all(_bind(part, item, known) for part, item in zip(target.elts, value, strict=True))
    return False


def _literal(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """The value of an expression made of literals and known names.

    Raises:
        _NotLiteral: it is more than that.
        TypeError: a set or dict with an element that cannot be hashed.
    """
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.List):
        return [_literal(part, known) for part in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_literal(part, known) for part in node.elts)
    if isinstance(node, ast.Set):
        return {_literal(part, known) for part in node.elts}
    if isinstance(node, ast.Dict) and None not in node.keys:
        keys = [_literal(key, known) for key in node.keys if key is not None]
        return dict(zip(keys, (_literal(value, known) for value in node.values), strict=True))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _literal(node.operand, known)
        if type(value) in (int, float):
            return -value if isinstance(node.op, ast.USub) else value
    raise _NotLiteral


def _source(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _CLIP else f"{text[:_CLIP]}..."


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
