"""Expressions of the fragment as z3 terms: operators, comparisons, built-ins, and the branching that they cause."""

from __future__ import annotations

import ast
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from proofgrad.verifiers.code.fragment import (
    FUNCTIONS,
    MAX_BITS,
    RAISED,
    Names,
    OutsideFragment,
    Program,
    Value,
    as_int,
    at_line,
    concrete,
    number_value,
    truth_of,
)

__all__ = ["Conditions", "Expressions", "Results"]

_MAX_PATHS = 400
_MAX_STEPS = 20_000
_MAX_EXPONENT = 16
_FEASIBLE_MS = 200

Conditions: TypeAlias = tuple[Any, ...]
"""z3 terms that all hold."""
Results: TypeAlias = list[tuple[Conditions, Value]]


class Expressions:
    """Evaluates expressions on symbolic values; see `symbolic.Executor`."""

    def __init__(self, z3: Any, program: Program, domain: Sequence[Any], deadline: float = math.inf) -> None:
        self._z3, self._program, self._deadline = z3, program, deadline
        self._solver = z3.Solver()
        self._solver.set("timeout", _FEASIBLE_MS)
        self._solver.add(*domain)
        self._steps = self._calls = 0

    def _call(self, name: str, arguments: Sequence[Value], conditions: Conditions) -> Results:
        raise NotImplementedError

    # Branching.

    def _fork(self, conditions: Conditions, test: Any) -> list[tuple[Conditions, bool]]:
        """The truth values that `test` may have, each with what is known then."""
        if not isinstance(test, bool):
            test = self._z3.simplify(test)
            if self._z3.is_true(test) or self._z3.is_false(test):
                test = self._z3.is_true(test)
        if isinstance(test, bool):
            return [(conditions, test)]
        ways = [((*conditions, test), True), ((*conditions, self._z3.Not(test)), False)]
        possible = [way for way in ways if self._feasible(way[0])]
        return [(conditions, possible[0][1])] if len(possible) == 1 else possible

    def _feasible(self, conditions: Conditions) -> bool:
        self._spend()
        self._solver.push()
        self._solver.add(*conditions)
        answer = self._solver.check()
        self._solver.pop()
        return bool(answer != self._z3.unsat)  # one that cannot be decided is followed

    def _branch(
        self,
        conditions: Conditions,
        test: Any,
        then: Callable[[Conditions], Results],
        other: Callable[[Conditions], Results],
    ) -> Results:
        """Follow both ways, and join them again where neither forked or raised."""
        ways = self._fork(conditions, test)
        results = [(then if truth else other)(known) for known, truth in ways]
        if len(ways) == 2 and all(len(result) == 1 for result in results):
            (known_1, first), (known_2, second) = results[0][0], results[1][0]
            if len(known_1) == len(known_2) == len(conditions) + 1 and first.kind == second.kind != "raised":
                return [(conditions, self._choose(ways[0][0][-1], first, second))]
        return [item for result in results for item in result]

    def _choose(self, test: Any, first: Value, second: Value) -> Value:
        if first is second or first.kind == "none":
            return first
        return Value(first.kind, self._z3.If(test, self._term(first.term), self._term(second.term)))

    def _spend(self, paths: int = 0) -> None:
        self._steps += 1
        if time.monotonic() > self._deadline:
            raise TimeoutError
        if self._steps > _MAX_STEPS or paths > _MAX_PATHS:
            raise OutsideFragment("it has too many paths, or a loop without a bound that can be found")

    def _term(self, term: Any) -> Any:
        if isinstance(term, bool):
            return self._z3.BoolVal(term)
        return self._z3.IntVal(term) if isinstance(term, int) else term

    # Expressions. They change no variable, so their results are conditions and a value.

    def _all(
        self, nodes: Sequence[ast.expr], names: Names, conditions: Conditions
    ) -> list[tuple[Conditions, list[Value] | None]]:
        """The values of expressions evaluated from left to right; None where one of them raised."""
        found: list[tuple[Conditions, list[Value] | None]] = [(conditions, [])]
        for node in nodes:
            after: list[tuple[Conditions, list[Value] | None]] = []
            for known, got in found:
                if got is None:
                    after.append((known, None))
                    continue
                for then, value in self._evaluate(node, names, known):
                    after.append((then, None if value is RAISED else [*got, value]))
            self._spend(len(after))
            found = after
        return found

    def _evaluate(self, node: ast.expr, names: Names, conditions: Conditions) -> Results:
        self._spend()
        match node:
            case ast.Constant(value=bool() | int() | None as value):
                return [(conditions, concrete(value))]
            case ast.Name(id=name):
                return [(conditions, names.read(name, node))]
            case ast.BinOp(left=left, right=right):

                def combine(got: list[Value], now: Conditions) -> Results:
                    return self._binary(node, node.op, got[0], got[1], now)

                return self._apply([left, right], names, conditions, combine)
            case ast.UnaryOp(op=sign, operand=operand):
                return self._apply([operand], names, conditions, lambda got, now: self._unary(sign, got[0], now))
            case ast.BoolOp(op=junction, values=values):
                return self._bool(isinstance(junction, ast.And), values, names, conditions)
            case ast.Compare(left=left, ops=tests, comparators=others):
                return self._apply(
                    [left], names, conditions, lambda got, now: self._chain(got[0], tests, others, names, now)
                )
            case ast.IfExp(test=test, body=body, orelse=orelse):

                def choose(got: list[Value], now: Conditions) -> Results:
                    return self._branch(
                        now,
                        truth_of(got[0]),
                        lambda way: self._evaluate(body, names, way),
                        lambda way: self._evaluate(orelse, names, way),
                    )

                return self._apply([test], names, conditions, choose)
            case ast.Call(func=ast.Name(id=name), args=values, keywords=[]):
                if name not in names.local and name in self._program.functions:
                    return self._apply(values, names, conditions, lambda got, now: self._call(name, got, now))
                if names.is_builtin(name, FUNCTIONS):
                    return self._apply(values, names, conditions, lambda got, now: self._builtin(node, name, got, now))
        raise OutsideFragment(at_line(node, f"this form of '{type(node).__name__}'"))

    def _apply(
        self,
        nodes: Sequence[ast.expr],
        names: Names,
        conditions: Conditions,
        operation: Callable[[list[Value], Conditions], Results],
    ) -> Results:
        results: Results = []
        for known, got in self._all(nodes, names, conditions):
            results += [(known, RAISED)] if got is None else operation(got, known)
        return results

    def _bool(self, conjunction: bool, values: Sequence[ast.expr], names: Names, conditions: Conditions) -> Results:
        def decide(got: list[Value], now: Conditions) -> Results:
            def stop(way: Conditions) -> Results:
                return [(way, got[0])]

            def go_on(way: Conditions) -> Results:
                return self._bool(conjunction, values[1:], names, way)

            return self._branch(now, truth_of(got[0]), go_on if conjunction else stop, stop if conjunction else go_on)

        if len(values) == 1:
            return self._evaluate(values[0], names, conditions)
        return self._apply(values[:1], names, conditions, decide)

    def _chain(
        self,
        left: Value,
        operators: Sequence[ast.cmpop],
        others: Sequence[ast.expr],
        names: Names,
        conditions: Conditions,
    ) -> Results:
        def compare(got: list[Value], now: Conditions) -> Results:
            test = self._compare(operators[0], left, got[0])
            if test is None:
                return [(now, RAISED)]
            if len(operators) == 1:
                return [(now, Value("bool", test))]
            return self._branch(
                now,
                test,
                lambda way: self._chain(got[0], operators[1:], others[1:], names, way),
                lambda way: [(way, Value("bool", False))],
            )

        return self._apply(others[:1], names, conditions, compare)

    def _compare(self, operator: ast.cmpop, left: Value, right: Value) -> Any:
        """The result, or None for a TypeError."""
        nones = "none" in (left.kind, right.kind)
        match operator:
            case ast.Is() | ast.Eq() if nones:
                return left.kind == right.kind
            case ast.IsNot() | ast.NotEq() if nones:
                return left.kind != right.kind
            case ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE() if nones:
                return None
        if nones:
            raise OutsideFragment(f"'{type(operator).__name__}' with None")
        a, b = as_int(self._z3, left), as_int(self._z3, right)
        match operator:
            case ast.Eq():
                return a == b
            case ast.NotEq():
                return a != b
            case ast.Lt():
                return a < b
            case ast.LtE():
                return a <= b
            case ast.Gt():
                return a > b
            case ast.GtE():
                return a >= b
        raise OutsideFragment(f"'{type(operator).__name__}' between numbers")  # `is`: a matter of the implementation

    def _unary(self, operator: ast.unaryop, value: Value, conditions: Conditions) -> Results:
        if isinstance(operator, ast.Not):
            test = truth_of(value)
            return [(conditions, Value("bool", not test if isinstance(test, bool) else self._z3.Not(test)))]
        if value.kind == "none":
            return [(conditions, RAISED)]
        number = as_int(self._z3, value)
        match operator:
            case ast.USub():
                return [(conditions, Value("int", -number))]
            case ast.UAdd():
                return [(conditions, Value("int", number))]
        return [(conditions, Value("int", -number - 1))]

    def _binary(
        self, node: ast.AST, operator: ast.operator, left: Value, right: Value, conditions: Conditions
    ) -> Results:
        if "none" in (left.kind, right.kind):
            return [(conditions, RAISED)]
        if left.kind == right.kind == "bool" and isinstance(operator, ast.BitAnd | ast.BitOr | ast.BitXor):
            return [(conditions, Value("bool", self._logic(operator, left.term, right.term)))]
        a, b = as_int(self._z3, left), as_int(self._z3, right)
        match operator:
            case ast.Add():
                return [(conditions, number_value(a + b))]
            case ast.Sub():
                return [(conditions, number_value(a - b))]
            case ast.Mult():
                return [(conditions, number_value(a * b))]
            case ast.FloorDiv() | ast.Mod():
                wanted = self._floor if isinstance(operator, ast.FloorDiv) else self._modulo
                return self._branch(
                    conditions, b == 0, lambda way: [(way, RAISED)], lambda way: [(way, Value("int", wanted(a, b)))]
                )
            case ast.Pow() if type(b) is int and 0 <= b <= _MAX_EXPONENT:
                power: Any = 1
                for _ in range(b):
                    power = number_value(power * a).term
                return [(conditions, Value("int", power))]
            case ast.LShift() if type(b) is int and 0 <= b <= MAX_BITS:
                return [(conditions, number_value(a * 2**b))]
            case ast.RShift() if type(b) is int and 0 <= b <= MAX_BITS:
                return [(conditions, Value("int", self._floor(a, 2**b)))]
            case ast.BitAnd() | ast.BitOr() | ast.BitXor() if type(a) is int and type(b) is int:
                both = {ast.BitAnd: a & b, ast.BitOr: a | b, ast.BitXor: a ^ b}
                return [(conditions, Value("int", both[type(operator)]))]
            case ast.BitAnd():
                number, mask = (a, b) if type(b) is int else (b, a)
                if type(mask) is int and mask >= 0 and mask & (mask + 1) == 0:  # the lowest bits: a remainder
                    return [(conditions, Value("int", self._modulo(number, mask + 1)))]
        raise OutsideFragment(at_line(node, f"this use of '{type(operator).__name__}'"))

    def _logic(self, operator: ast.operator, left: Any, right: Any) -> Any:
        a, b = self._term(left), self._term(right)
        if isinstance(operator, ast.BitAnd):
            return self._z3.And(a, b)
        return self._z3.Or(a, b) if isinstance(operator, ast.BitOr) else self._z3.Xor(a, b)

    def _floor(self, a: Any, b: Any) -> Any:
        # z3's remainder is never negative (SMT-LIB, theory Ints), so its quotient is the floor for a positive divisor.
        if type(a) is int and type(b) is int:
            return a // b
        a, b = self._term(a), self._term(b)
        return self._z3.If(b > 0, a / b, -a / -b)

    def _modulo(self, a: Any, b: Any) -> Any:
        if type(a) is int and type(b) is int:
            return a % b
        a, b = self._term(a), self._term(b)
        return self._z3.If(b > 0, a % b, -(-a % -b))

    def _builtin(self, node: ast.AST, name: str, arguments: list[Value], conditions: Conditions) -> Results:
        if any(argument.kind == "none" for argument in arguments) or len(arguments) < (
            2 if name in ("min", "max") else 1
        ):
            raise OutsideFragment(at_line(node, f"this call of '{name}'"))
        if name in ("min", "max"):
            results: Results = [(conditions, arguments[0])]
            for argument in arguments[1:]:  # the first of equals stays, which tells True from 1
                results = [item for known, best in results for item in self._better(name, best, argument, known)]
            return results
        if len(arguments) > 1:
            raise OutsideFragment(at_line(node, f"this call of '{name}'"))
        if name == "bool":
            return [(conditions, Value("bool", truth_of(arguments[0])))]
        number = as_int(self._z3, arguments[0])
        if name == "int":
            return [(conditions, Value("int", number))]
        positive = abs(number) if type(number) is int else self._z3.If(number < 0, -number, number)
        return [(conditions, Value("int", positive))]

    def _better(self, name: str, best: Value, other: Value, conditions: Conditions) -> Results:
        a, b = as_int(self._z3, best), as_int(self._z3, other)
        replaced = b < a if name == "min" else b > a
        return self._branch(conditions, replaced, lambda way: [(way, other)], lambda way: [(way, best)])
