"""What a problem of `PropertyVerifier` may say, checked once at the door; `properties` documents it."""

from __future__ import annotations

import ast
import difflib
import json
import keyword
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proofgrad.verifiers.base import Json, Problem
from proofgrad.verifiers.code.equivalence import WHERE
from proofgrad.verifiers.code.problem import ProgramProblem
from proofgrad.verifiers.code.strategies import Type, parse_type
from proofgrad.verifiers.errors import ProblemError

__all__ = ["RELATION", "Specification"]

RELATION = "check"
"""The name of a relation's function."""

_TEST_KEYS = ("entry_point", "tests", "public", "timeout_s", "float_tolerance", "numbers")
_KEYS = (*_TEST_KEYS, "inputs", "where", "reference", "relation", "returns", "examples", "show_counterexample")
_MAX_EXAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Specification:
    """A validated problem.

    Attributes:
        program: entry point, tests, limits and tolerance; without `tests` it holds a test that is never run.
        tests: the problem of those tests for `ProgramVerifier`, or None.
        names: of the arguments.
        types: of the arguments.
        where: source of a module with the function `WHERE`, or None.
        reference: source of the oracle, or None; then there is a `relation`.
        relation: source of a module with the function `RELATION`.
        returns: type of the results that the relation is asked about.
        examples: inputs to draw.
        show_counterexample: whether feedback may show a failing input, and what was expected.
    """

    program: ProgramProblem
    tests: Problem | None
    names: tuple[str, ...]
    types: tuple[Type, ...]
    where: str | None
    reference: str | None
    relation: str | None
    returns: Type | None
    examples: int
    show_counterexample: bool

    @property
    def entry_point(self) -> str:
        """The name of the function asked for."""
        return self.program.entry_point

    @classmethod
    def parse(cls, problem: Problem) -> Specification:
        """Check a problem.

        Raises:
            ProblemError: naming the key and what is wrong with its value.
        """
        if not isinstance(problem, Mapping):
            raise ProblemError(f"program problem: it must be an object, got a {type(problem).__name__}")
        for key in problem:
            if key not in _KEYS:
                near = difflib.get_close_matches(str(key), _KEYS, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(_KEYS)}"
                raise ProblemError(f"program problem: unknown key '{key}'; {hint}")
        named = {key: problem[key] for key in _TEST_KEYS if key in problem}
        tests = named if named.get("tests") else None
        program = ProgramProblem.parse(tests or {**named, "tests": [{"args": [], "expected": None}]})
        if program.stdio:
            raise ProblemError("program problem: tests must have 'args' and 'expected'; properties are of functions")
        reference, relation = _sources(problem, program.entry_point)
        names, types = _inputs(problem.get("inputs"), reference, program.entry_point)
        for number, test in enumerate(program.tests if tests else ()):
            if len(test.args) != len(types):
                raise ProblemError(f"program problem: tests[{number}].args must be {len(types)}, one for each input")
        if reference is not None:
            _check_arity(reference, program.entry_point, len(types), "reference")
        if relation is not None:
            _check_arity(relation, RELATION, 2, "relation")
            if "returns" not in problem:
                raise ProblemError(
                    "program problem: relation needs 'returns', the type of the results; others are wrong unasked"
                )
        elif "returns" in problem:
            raise ProblemError("program problem: returns goes with a relation; a reference shows what is returned")
        examples = problem.get("examples", 100)
        if type(examples) is not int or not 0 <= examples <= _MAX_EXAMPLES:
            raise ProblemError(f"program problem: examples must be 0 to {_MAX_EXAMPLES}, got {examples!r}")
        if examples == 0 and tests is None:
            raise ProblemError("program problem: examples 0 leaves nothing to judge by; give tests or examples")
        show = problem.get("show_counterexample", False)
        if type(show) is not bool:
            raise ProblemError(f"program problem: show_counterexample must be true or false, got {show!r}")
        returns = parse_type(problem["returns"], "program problem: returns") if relation is not None else None
        where = _where(problem.get("where"), names)
        return cls(program, tests, names, types, where, reference, relation, returns, examples, show)

    def key(self) -> str:
        """A text that is the same for problems whose inputs and answers are the same."""
        parts: list[Json] = [
            self.entry_point,
            repr(self.types),
            repr(self.program.tolerance),
            self.program.timeout_s,
            self.program.numbers,
            self.where,
            self.reference,
            self.relation,
            repr(self.returns),
            self.examples,
        ]
        return json.dumps(parts)


def _sources(problem: Problem, entry_point: str) -> tuple[str | None, str | None]:
    found = [problem.get(key) for key in ("reference", "relation")]
    if (found[0] is None) == (found[1] is None):
        raise ProblemError("program problem: give a reference or a relation, one of the two")
    for key, source, function in zip(("reference", "relation"), found, (entry_point, RELATION), strict=True):
        if source is None:
            continue
        if not isinstance(source, str):
            raise ProblemError(f"program problem: {key} must be the source of a module, got {source!r}")
        if _defined(_parsed(source, key), function) is None:
            raise ProblemError(f"program problem: {key} must define a function '{function}'")
    return found[0], found[1]  # type: ignore[return-value]  # checked above


def _parsed(source: str, key: str, mode: str = "exec") -> Any:
    try:
        tree: Any = compile(source, f"<{key}>", mode, ast.PyCF_ONLY_AST, dont_inherit=True)
        compile(tree, f"<{key}>", mode, dont_inherit=True)  # finds what is only wrong in its place, as a lone return
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ProblemError(f"program problem: {key} does not compile: {error}") from None
    return tree


def _defined(tree: Any, name: str) -> ast.FunctionDef | None:
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return found[-1] if found else None


def _check_arity(source: str, name: str, count: int, key: str) -> None:
    function = _defined(_parsed(source, key), name)
    if function is None or function.decorator_list:
        return
    arguments = function.args
    most = len(arguments.posonlyargs) + len(arguments.args)
    least = most - len(arguments.defaults)
    if not least <= count <= (count if arguments.vararg else most):
        raise ProblemError(f"program problem: {key}: '{name}' must take {count} arguments, it takes {most}")


def _inputs(value: object, reference: str | None, entry_point: str) -> tuple[tuple[str, ...], tuple[Type, ...]]:
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
                raise ProblemError(f"program problem: inputs has the name {name!r}, which is no Python identifier")
        types = tuple(parse_type(spec, f"program problem: inputs.{name}") for name, spec in value.items())
        return tuple(value), types
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ProblemError(f"program problem: inputs must be a list of types, or an object of them, got {value!r}")
    types = tuple(parse_type(spec, f"program problem: inputs[{number}]") for number, spec in enumerate(value))
    function = _defined(_parsed(reference, "reference"), entry_point) if reference is not None else None
    named = [] if function is None else [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]
    return tuple(named[: len(types)]), types


def _where(value: object, names: Sequence[str]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ProblemError(f"program problem: where must be a Python expression, got {value!r}")
    if not names:
        raise ProblemError("program problem: where needs names for the arguments; write inputs as an object of them")
    _parsed(value.strip(), "where", "eval")
    return f"def {WHERE}({', '.join(names)}):\n    return True if (\n{value.strip()}\n    ) else False\n"
