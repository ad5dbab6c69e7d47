"""The fragment of Python that can be followed symbolically: its syntax, its values and its names.

`symbolic` says what is in it. Every node of the syntax is checked against a list of what is understood, never of what
is not, before anything is followed.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = [
    "EXCEPTIONS",
    "FUNCTIONS",
    "MAX_BITS",
    "NONE",
    "RAISED",
    "Environment",
    "Names",
    "OutsideFragment",
    "Program",
    "Value",
    "as_int",
    "at_line",
    "concrete",
    "number_value",
    "parameters_of",
    "truth_of",
]

_NODES = (
    *(ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.If, ast.For),
    *(
        ast.While,
        ast.Break,
        ast.Continue,
        ast.Pass,
        ast.Expr,
        ast.Assert,
        ast.Raise,
        ast.BoolOp,
        ast.BinOp,
        ast.UnaryOp,
    ),
    *(ast.IfExp, ast.Compare, ast.Call, ast.Constant, ast.Name, ast.Tuple, ast.Load, ast.Store, ast.boolop, ast.cmpop),
    *(ast.operator, ast.unaryop),
)
FUNCTIONS = ("abs", "min", "max", "int", "bool")
EXCEPTIONS = (
    *("ArithmeticError", "AssertionError", "Exception", "IndexError", "KeyError", "NotImplementedError"),
    *("OverflowError", "RuntimeError", "TypeError", "ValueError", "ZeroDivisionError"),
)
MAX_BITS = 4096  # of a constant; beyond some 4300 digits Python itself refuses to write an int down


class OutsideFragment(Exception):  # noqa: N818  # an answer, not an error
    """Nothing is claimed about this program; says why."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value of known type.

    Attributes:
        kind: "int", "bool" or "none".
        term: a Python value where it is the same for all inputs, else a z3 term.
    """

    kind: str
    term: Any


RAISED = Value("raised", None)
"""In the place of a value: an exception, of whatever class."""

NONE = Value("none", None)
Environment: TypeAlias = dict[str, Value]


class Program:
    """A parsed module of the fragment's shape.

    Raises:
        OutsideFragment: it is not of that shape.
    """

    def __init__(self, source: str) -> None:
        self.functions: dict[str, ast.FunctionDef] = {}
        self.locals: dict[str, frozenset[str]] = {}
        self.constants: dict[str, Value] = {}
        try:
            tree = ast.parse(source)
            compile(source, "<program>", "exec", dont_inherit=True)  # finds what is only wrong in its place
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise OutsideFragment(f"it cannot be parsed here: {type(error).__name__}") from None
        for statement in tree.body:
            for node in ast.walk(statement):
                if not isinstance(node, _NODES):
                    raise OutsideFragment(at_line(node, f"'{type(node).__name__}'"))
            match statement:
                case ast.FunctionDef(name=name):
                    self._define(name, statement)
                    _check_function(statement)
                    self.functions[name] = statement
                    self.locals[name] = _locals(statement)
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=bool() | int() as value)):
                    self._define(name, statement)
                    self.constants[name] = concrete(value)
                case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                    pass
                case _:
                    raise OutsideFragment(
                        at_line(statement, "a statement of the module other than a function or constant")
                    )

    def _define(self, name: str, node: ast.stmt) -> None:
        # A module may replace any built-in, by its name or through __builtins__; and a later definition an earlier one.
        if hasattr(builtins, name) or name.startswith("__") or name in self.functions or name in self.constants:
            raise OutsideFragment(at_line(node, f"a definition of '{name}' that hides another"))


def _check_function(function: ast.FunctionDef) -> None:
    arguments = function.args
    if arguments.defaults or arguments.kw_defaults or arguments.vararg or arguments.kwarg or function.decorator_list:
        raise OutsideFragment(at_line(function, "a function with defaults, keyword arguments or a decorator"))
    annotations = [function.returns, *(arg.annotation for arg in (*arguments.posonlyargs, *arguments.args))]
    for node in ast.walk(function):
        if isinstance(node, ast.FunctionDef) and node is not function:
            raise OutsideFragment(at_line(node, "a function within a function"))
        if isinstance(node, ast.AnnAssign):
            if not node.simple:
                raise OutsideFragment(at_line(node, "an annotation of something else than a name"))
            annotations.append(node.annotation)
    for note in annotations:  # those of a signature are evaluated, and a name that is not there would raise
        if not (
            note is None
            or isinstance(note, ast.Constant)
            or (isinstance(note, ast.Name) and note.id in ("int", "bool"))
        ):
            raise OutsideFragment(at_line(note, "an annotation other than int or bool"))


def _locals(function: ast.FunctionDef) -> frozenset[str]:
    stored = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return frozenset(stored | set(parameters_of(function)))


def parameters_of(function: ast.FunctionDef) -> list[str]:
    return [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]


@dataclass(frozen=True, slots=True)
class Names:
    """What a name means at one point of a function."""

    program: Program
    local: frozenset[str]
    environment: Environment

    def read(self, name: str, node: ast.AST) -> Value:
        if name in self.local:
            return self.environment.get(name, RAISED)  # UnboundLocalError
        if name in self.program.constants:
            return self.program.constants[name]
        raise OutsideFragment(at_line(node, f"the name '{name}'"))

    def is_builtin(self, name: str, known: Sequence[str]) -> bool:
        return name in known and name not in self.local  # no module of the fragment defines such a name


def concrete(value: bool | int | None) -> Value:
    if value is None:
        return NONE
    return Value("bool", value) if isinstance(value, bool) else number_value(value)


def number_value(term: Any) -> Value:
    if type(term) is int and term.bit_length() > MAX_BITS:
        raise OutsideFragment(f"a constant of more than {MAX_BITS} bits")
    return Value("int", term)


def as_int(z3: Any, value: Value) -> Any:
    """The value as an int, for arithmetic: True is 1."""
    if value.kind == "int":
        return value.term
    return int(value.term) if isinstance(value.term, bool) else z3.If(value.term, z3.IntVal(1), z3.IntVal(0))


def truth_of(value: Value) -> Any:
    if value.kind == "none":
        return False
    return value.term if value.kind == "bool" else value.term != 0


def at_line(node: ast.AST, what: str) -> str:
    line = getattr(node, "lineno", None)
    return what if line is None else f"{what} (line {line})"
