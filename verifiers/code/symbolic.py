"""What a small Python function computes, as z3 terms with Python's exact semantics; or that it is not in the fragment.

The source is parsed and never executed. In the fragment are modules that hold nothing but functions without defaults
or decorators, docstrings and constants, whose functions work on ints, bools and None with:

- assignments (tuples of names included), `if`, `while`, `for ... in range(...)`, `break`, `continue`, `return`,
  `raise` of a built-in exception, `assert`; calls of each other, recursive ones included;
- `+ - * // %` with floors as in Python, `**` and shifts by constants, `&` with masks of the lowest bits, `& | ^` of
  bools, `~`, comparison chains, `and or not`, conditional expressions; `abs`, `min`, `max`, `int`, `bool`.

Ints have no bounds and bools are kept apart from ints. Loops and recursion are followed as deep as some input may go;
one that goes deeper than the budget is outside the fragment, and so is every node of the syntax that is not named here,
even where it can never be reached. Time and memory that a run would take are not modelled.

Meant for the process of `equivalence`: a hostile source may well exhaust the one that it is analysed in.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proofgrad.verifiers.code.expressions import Conditions, Expressions, Results
from proofgrad.verifiers.code.fragment import (
    EXCEPTIONS,
    NONE,
    RAISED,
    Environment,
    Names,
    OutsideFragment,
    Program,
    Value,
    as_int,
    at_line,
    parameters_of,
    truth_of,
)

__all__ = ["RAISED", "TAGS", "Executor", "Outcome", "OutsideFragment", "Path", "Program", "Value"]

_MAX_CALLS = 50


@dataclass(frozen=True, slots=True)
class Path:
    """One way through the function: the conditions under which it is taken, and what comes out."""

    conditions: Conditions
    value: Value


@dataclass(frozen=True, slots=True)
class Outcome:
    """All paths as two z3 terms: `tag` says of what kind the outcome is (`TAGS`), `number` its value as an int."""

    tag: Any
    number: Any


TAGS = {"int": 0, "bool": 1, "none": 2, "raised": 3}


@dataclass(frozen=True, slots=True)
class _End:
    """How a statement ended: "on", "break", "continue", or "return" with its value (RAISED for an exception)."""

    how: str
    environment: Environment
    conditions: Conditions
    value: Value = NONE


class Executor(Expressions):
    """Follows all paths of a program on symbolic arguments.

    Args:
        z3: the module; the caller loads it.
        program: what to follow.
        domain: what is known of the arguments, as z3 terms; paths that it excludes are left out.
        deadline: `time.monotonic` after which `paths` raises TimeoutError.
    """

    def paths(self, entry_point: str, arguments: Sequence[Value]) -> list[Path]:
        """All paths of a call: their conditions exclude each other, and one of them holds for each input of the domain.

        Raises:
            OutsideFragment: something on the way is not in the fragment, or there is too much of it.
            TimeoutError: the deadline has passed.
        """
        if entry_point not in self._program.functions:
            raise OutsideFragment(f"it defines no function '{entry_point}'")
        try:
            return [Path(conditions, value) for conditions, value in self._call(entry_point, arguments, ())]
        except RecursionError:
            raise OutsideFragment("it is nested too deep") from None

    def outcome(self, paths: Sequence[Path]) -> Outcome:
        """The paths in one; for inputs in the domain only."""
        tag, number = self._z3.IntVal(TAGS["raised"]), self._z3.IntVal(0)
        for path in paths:
            taken = self._z3.And(*path.conditions) if path.conditions else self._z3.BoolVal(True)
            tag = self._z3.If(taken, TAGS[path.value.kind], tag)
            if path.value.kind in ("int", "bool"):
                number = self._z3.If(taken, self._term(as_int(self._z3, path.value)), number)
        return Outcome(tag, number)

    # Statements.

    def _call(self, name: str, arguments: Sequence[Value], conditions: Conditions) -> Results:
        function = self._program.functions[name]
        parameters = parameters_of(function)
        if len(parameters) != len(arguments):
            raise OutsideFragment(at_line(function, "a call with another number of arguments"))
        self._calls += 1
        if self._calls > _MAX_CALLS:
            raise OutsideFragment(at_line(function, "a recursion that goes too deep"))
        ends = self._block(function, function.body, dict(zip(parameters, arguments, strict=True)), conditions)
        self._calls -= 1
        return [(end.conditions, end.value if end.how == "return" else NONE) for end in ends]

    def _block(
        self,
        function: ast.FunctionDef,
        statements: Sequence[ast.stmt],
        environment: Environment,
        conditions: Conditions,
    ) -> list[_End]:
        ends = [_End("on", environment, conditions)]
        for statement in statements:
            after: list[_End] = []
            for end in ends:
                after += (
                    [end] if end.how != "on" else self._statement(function, statement, end.environment, end.conditions)
                )
            self._spend(len(after))
            ends = after
        return ends

    def _statement(
        self, function: ast.FunctionDef, node: ast.stmt, environment: Environment, conditions: Conditions
    ) -> list[_End]:
        self._spend()
        names = Names(self._program, self._program.locals[function.name], environment)
        match node:
            case ast.Pass() | ast.Expr(value=ast.Constant()) | ast.AnnAssign(value=None):
                return [_End("on", environment, conditions)]
            case ast.Break():
                return [_End("break", environment, conditions)]
            case ast.Continue():
                return [_End("continue", environment, conditions)]
            case ast.Return(value=None):
                return [_End("return", environment, conditions, NONE)]
            case ast.Return(value=ast.expr() as value):
                return [
                    _End("return", environment, known, got) for known, got in self._evaluate(value, names, conditions)
                ]
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                return self._assign([name], [value], names, conditions)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                return self._assign([name], [value], names, conditions)
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(
                values
            ) and all(isinstance(target, ast.Name) for target in targets):
                return self._assign(
                    [target.id for target in targets if isinstance(target, ast.Name)], values, names, conditions
                )
            case ast.AugAssign(target=ast.Name(id=name) as target, op=operator, value=value):
                read = ast.copy_location(ast.Name(name, ast.Load()), target)
                whole = ast.copy_location(ast.BinOp(read, operator, value), node)
                return self._assign([name], [whole], names, conditions)
            case ast.Raise(cause=None, exc=ast.Name(id=name)) if names.is_builtin(name, EXCEPTIONS):
                return [_End("return", environment, conditions, RAISED)]
            case ast.Raise(cause=None, exc=ast.Call(func=ast.Name(id=name), args=values, keywords=[])) if (
                names.is_builtin(name, EXCEPTIONS) and all(isinstance(value, ast.Constant) for value in values)
            ):
                return [_End("return", environment, conditions, RAISED)]
            case ast.Assert(test=test, msg=None | ast.Constant()):
                fail = [ast.copy_location(ast.Raise(ast.Name("AssertionError", ast.Load()), None), node)]
                return self._if(function, test, [], fail, names, conditions)
            case ast.If(test=test, body=body, orelse=orelse):
                return self._if(function, test, body, orelse, names, conditions)
            case ast.While(test=test, body=body, orelse=[]):
                return self._while(function, test, body, environment, conditions)
            case ast.For(
                target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range"), args=values, keywords=[]), orelse=[]
            ):
                if names.is_builtin("range", ("range",)) and 1 <= len(values) <= 3:
                    return self._for(function, name, values, node.body, names, conditions)
        raise OutsideFragment(at_line(node, f"this form of '{type(node).__name__}'"))

    def _assign(self, targets: list[str], values: list[ast.expr], names: Names, conditions: Conditions) -> list[_End]:
        ends = []
        for known, got in self._all(values, names, conditions):
            if got is None:
                ends.append(_End("return", names.environment, known, RAISED))
            else:
                ends.append(_End("on", {**names.environment, **dict(zip(targets, got, strict=True))}, known))
        return ends

    def _if(
        self,
        function: ast.FunctionDef,
        test: ast.expr,
        body: Sequence[ast.stmt],
        orelse: Sequence[ast.stmt],
        names: Names,
        conditions: Conditions,
    ) -> list[_End]:
        ends: list[_End] = []
        for known, got in self._evaluate(test, names, conditions):
            if got is RAISED:
                ends.append(_End("return", names.environment, known, RAISED))
                continue
            ways = self._fork(known, truth_of(got))
            found = [self._block(function, body if truth else orelse, names.environment, way) for way, truth in ways]
            joined = self._join(known, ways[0][0], *found) if len(ways) == 2 else None
            ends += [joined] if joined is not None else [end for way in found for end in way]
        return ends

    def _join(self, conditions: Conditions, way: Conditions, first: list[_End], second: list[_End]) -> _End | None:
        """Both ways of an `if` in one state, where each just went on; this keeps ten ifs from making 1024 paths."""
        if len(first) != 1 or len(second) != 1 or {first[0].how, second[0].how} != {"on"}:
            return None
        if not len(first[0].conditions) == len(second[0].conditions) == len(conditions) + 1:
            return None
        one, two = first[0].environment, second[0].environment
        if one.keys() != two.keys() or any(one[name].kind != two[name].kind for name in one):
            return None
        return _End("on", {name: self._choose(way[-1], one[name], two[name]) for name in one}, conditions)

    def _while(
        self,
        function: ast.FunctionDef,
        test: ast.expr,
        body: Sequence[ast.stmt],
        environment: Environment,
        conditions: Conditions,
    ) -> list[_End]:
        ends: list[_End] = []
        live = [(environment, conditions)]
        while live:
            state, known = live.pop()
            self._spend(len(ends) + len(live))
            names = Names(self._program, self._program.locals[function.name], state)
            for then, got in self._evaluate(test, names, known):
                if got is RAISED:
                    ends.append(_End("return", state, then, RAISED))
                    continue
                for way, truth in self._fork(then, truth_of(got)):
                    if truth:
                        self._round(self._block(function, body, state, way), ends, live)
                    else:
                        ends.append(_End("on", state, way))
        return ends

    def _for(
        self,
        function: ast.FunctionDef,
        target: str,
        values: list[ast.expr],
        body: Sequence[ast.stmt],
        names: Names,
        conditions: Conditions,
    ) -> list[_End]:
        ends: list[_End] = []
        for known, got in self._all(values, names, conditions):
            if got is None or any(bound.kind == "none" for bound in got):
                ends.append(_End("return", names.environment, known, RAISED))
                continue
            bounds = [as_int(self._z3, bound) for bound in got]
            start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
            if type(step) is not int or step == 0:
                raise OutsideFragment("a range whose step is not a constant")
            rounds = [(start, names.environment, known)]
            while rounds:
                at, state, now = rounds.pop()
                self._spend(len(ends) + len(rounds))
                for way, truth in self._fork(now, at < stop if step > 0 else at > stop):
                    if not truth:
                        ends.append(_End("on", state, way))
                        continue
                    live: list[tuple[Environment, Conditions]] = []
                    self._round(self._block(function, body, {**state, target: Value("int", at)}, way), ends, live)
                    rounds += [(at + step, environment, then) for environment, then in live]
        return ends

    def _round(self, found: list[_End], ends: list[_End], live: list[tuple[Environment, Conditions]]) -> None:
        for end in found:
            if end.how in ("on", "continue"):
                live.append((end.environment, end.conditions))
            else:
                ends.append(_End("on", end.environment, end.conditions) if end.how == "break" else end)
