"""Assertion-style test suites turned into tests with an input and an expected value, when a data set is built.

Such suites (HumanEval's `check(candidate)`, MBPP's lists of `assert f(1) == 2`) are meant to be executed beside the
candidate, which then only has to patch `assert`'s surroundings, or return an object that equals everything, to pass.
Converted, their expected values never enter the candidate's sandbox:

- literal arguments and values are read from the syntax tree: `==`, `is True`, `f(x)`, `not f(x)`, `and`,
  `math.isclose`, `abs(f(x) - y) < bound`, also in loops over literal lists;
- whatever else an argument or a value is made of (a helper, a random number, the reference solution) is evaluated
  once, in the sandbox that candidates get, for a suite is trusted no more than they are. It is noted as computed;
- the rest is refused, each with its reason: exceptions that are expected, `!=`, `in`, a property of the answer.

With a reference solution, a test that it does not pass is refused too, so that a converted suite accepts its reference.

Sources: M. Chen et al., "Evaluating Large Language Models Trained on Code" (2021), for HumanEval's form; J. Austin et
al., "Program Synthesis with Large Language Models" (2021), for MBPP's.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from proofgrad.verifiers.base import Json
from proofgrad.verifiers.code.compare import NotStrictJson, parse_strict, same
from proofgrad.verifiers.code.judge import judge
from proofgrad.verifiers.code.problem import ProgramProblem, check_problem
from proofgrad.verifiers.code.runner import Ending, Runner, WorkerDied
from proofgrad.verifiers.code.sandbox import Limits
from proofgrad.verifiers.code.suites import Claim, Suite, Unconvertible, read_suite
from proofgrad.verifiers.code.values import NotPlain, tag, untag
from proofgrad.verifiers.errors import ProblemError, SandboxError

__all__ = ["Converted", "Refused", "convert"]

_MAX_COMPUTED = 500
_ANSWER_BYTES = 16 << 20
_COMPUTED = "computed in the sandbox, not written down in the suite"


@dataclass(frozen=True, slots=True)
class Refused:
    """An assertion, and what is to be said about it.

    Attributes:
        line: its line in the suite, from 1.
        text: its source, clipped.
        reason: why it is no test, or a test of lower trust.
    """

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Converted:
    """A suite as tests.

    Attributes:
        entry_point: the function that the tests call.
        tests: as a problem has them, with tagged values: args, expected and, for some, float_tolerance.
        refused: assertions of which there is no test, or not for each turn of their loop.
        notes: assertions whose tests deserve less trust: computed, or stricter than the assertion.
    """

    entry_point: str
    tests: tuple[dict[str, Json], ...]
    refused: tuple[Refused, ...]
    notes: tuple[Refused, ...]

    def problem(self, *, public: int = 0, timeout_s: float = 2.0) -> dict[str, Json]:
        """The program problem that asks for these tests; 1 and 1.0 are the same answer there, as `==` has it.

        Raises:
            ProblemError: there are no tests, or an argument is out of range.
        """
        if not self.tests:
            why = f"; the first of {len(self.refused)} refused: {self.refused[0].reason}" if self.refused else ""
            raise ProblemError(f"converted suite of {self.entry_point}: no assertion could be converted{why}")
        problem: dict[str, Json] = {
            "entry_point": self.entry_point,
            "tests": list(self.tests),
            "public": public,
            "timeout_s": timeout_s,
            "values": "tagged",
            "numbers": "value",
        }
        check_problem(problem)
        return problem


def convert(
    suite: str | Sequence[str],
    entry_point: str,
    reference: str | None = None,
    *,
    setup: str = "",
    runner: Runner | None = None,
    timeout_s: float = 5.0,
) -> Converted:
    """Convert a suite.

    Args:
        suite: its source, or a list of assertions.
        entry_point: the function it tests, also when its own name for it is another (`candidate`).
        reference: the source of a module that defines the entry point and passes; it must stand alone.
        setup: code that the suite needs before it: imports, helpers.
        runner: the sandboxes to evaluate in; by default one is started when needed, and stopped.
        timeout_s: for each evaluation: of the suite, and of the reference on all tests.

    Raises:
        SandboxError: a sandbox was needed and does not work here.
    """
    text = suite if isinstance(suite, str) else "\n".join(suite)
    try:
        read = read_suite(text, entry_point, _parameters(reference, entry_point))
    except Unconvertible as error:
        return Converted(entry_point, (), (Refused(1, "", str(error)),), ())
    lent = runner or Runner(workers=1)
    try:
        return _Conversion(read, entry_point, reference, setup, lent, timeout_s).result()
    except WorkerDied as error:
        raise SandboxError(f"the program sandbox, needed to convert a test suite, failed: {error}") from error
    finally:
        if runner is None:
            lent.close()


class _Conversion:
    """The work on one suite, step by step: resolved claims, computed claims, the reference's consent."""

    def __init__(
        self, suite: Suite, entry_point: str, reference: str | None, setup: str, runner: Runner, timeout_s: float
    ) -> None:
        self.suite, self.entry_point, self.reference, self.setup = suite, entry_point, reference, setup
        self.runner, self.limits = runner, Limits(timeout_s=timeout_s, answer_bytes=_ANSWER_BYTES)
        self.claims = [claim for claims in suite.claims.values() for claim in claims]
        self.made: list[tuple[Claim, dict[str, Json]]] = []
        self.refused = [Refused(*entry) for entry in suite.refused]
        self.computed: set[int] = set()

    def result(self) -> Converted:
        open_claims = [(number, claim) for number, claim in enumerate(self.claims) if claim.pairs is None]
        for claim in self.claims:
            for args, expected in claim.pairs or ():
                self._add(claim, args, expected)
        if open_claims:
            self._compute(dict(open_claims))
        self.made.sort(key=lambda entry: entry[0].line)
        if self.reference is not None and self.made:
            self._ask_reference(self.reference)
        notes = []
        for claim in self.claims:
            if any(claim is kept for kept, _ in self.made):
                reasons = [claim.stricter, _COMPUTED if id(claim) in self.computed else ""]
                notes += [Refused(claim.line, claim.text, reason) for reason in reasons if reason]
        self.refused.sort(key=lambda entry: entry.line)
        return Converted(self.entry_point, tuple(test for _, test in self.made), tuple(self.refused), tuple(notes))

    def _refuse(self, claim: Claim, reason: str) -> None:
        entry = Refused(claim.line, claim.text, reason)
        if entry not in self.refused:  # once for all turns of a loop
            self.refused.append(entry)

    def _add(self, claim: Claim, args: list[Any], expected: Any) -> bool:
        if claim.tolerance is not None:
            if type(expected) not in (int, float):
                self._refuse(claim, "a tolerance, and no number to be close to")
                return False
            try:
                expected = float(expected)
            except OverflowError:
                self._refuse(claim, "a number outside the range of floats")
                return False
        if not same(expected, expected):
            self._refuse(claim, "it expects a NaN, which equals nothing")
            return False
        try:
            test: dict[str, Json] = {"args": tag(args), "expected": tag(expected)}
        except NotPlain as error:
            self._refuse(claim, f"it cannot be written as JSON: {error}")
            return False
        if claim.tolerance is not None:
            test["float_tolerance"] = dict(claim.tolerance)
        try:
            check_problem({"entry_point": "f", "tests": [test], "values": "tagged"})
        except ProblemError as error:  # lone surrogates, numbers of thousands of digits
            self._refuse(claim, str(error))
            return False
        self.made.append((claim, test))
        return True

    def _compute(self, claims: dict[int, Claim]) -> None:
        """Evaluate in the sandbox what the claims are made of."""
        program = _evaluation(self.suite, claims, self.entry_point, self.reference, self.setup)
        batches = [["[]"], [f"[{index}]" for index in range(_MAX_COMPUTED)]]
        run = self.runner.run(program, "_proofgrad_result", batches, self.limits, tagged=True)
        fault = run.replies[0].get("module") if run.replies else None
        answers = [answer for reply in run.replies for answer in _answers(reply)]
        if run.ending is not Ending.COMPLETE or fault is not None or not answers:
            why = str(fault.get("message", "")) if isinstance(fault, dict) else f"the suite's evaluation: {run.ending}"
            for claim in claims.values():
                self._refuse(claim, f"it could not be evaluated: {why}"[:200])
            return
        stopped = _value(answers[0])
        reached: set[int] = set()
        for answer in answers[1:]:
            found = _value(answer)
            number = found[0] if isinstance(found, list) and found else None
            if type(number) is not int or number not in claims:
                continue
            reached.add(number)
            if len(found) == 3 and isinstance(found[1], list):
                if self._add(claims[number], found[1], found[2]):
                    self.computed.add(id(claims[number]))
            else:
                self._refuse(claims[number], f"it could not be evaluated: {found[-1]}"[:200])
        for number, claim in claims.items():
            if number not in reached:
                why = f": {stopped}" if stopped else ""
                self._refuse(claim, f"it was not reached, or has no plain value{why}"[:200])
        if isinstance(stopped, str) and stopped:
            self.refused.append(Refused(1, "", f"the suite stopped before its end: {stopped}"[:200]))

    def _ask_reference(self, reference: str) -> None:
        """Move tests that the reference does not pass to the refused ones."""
        converted = Converted(self.entry_point, tuple(test for _, test in self.made), (), ())
        parsed = ProgramProblem.parse(converted.problem())
        limits = replace(self.limits, answer_bytes=Limits().answer_bytes)  # what a candidate will have
        run = self.runner.run(reference, self.entry_point, parsed.batches(), limits, tagged=True)
        verdict = judge(parsed, reference, run, 0.0)
        statuses = verdict.evidence["statuses"]
        kept: list[tuple[Claim, dict[str, Json]]] = []
        complete = isinstance(statuses, list) and len(statuses) == len(self.made) and run.ending is Ending.COMPLETE
        for number, (claim, test) in enumerate(self.made):
            if not complete:
                self._refuse(claim, f"the reference solution fails as a whole: {verdict.reason}")
            elif isinstance(statuses, list) and statuses[number] != "ok":
                self._refuse(claim, f"the reference solution does not pass it: {statuses[number]}")
            else:
                kept.append((claim, test))
        self.made = kept


def _parameters(reference: str | None, entry_point: str) -> list[str] | None:
    """The names of the entry point's positional parameters, as far as its source tells."""
    try:
        tree = ast.parse(reference or "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == entry_point]
    return [argument.arg for argument in found[-1].args.args] if found else None


def _answers(reply: dict[str, object]) -> list[object]:
    answers = reply.get("answers")
    return answers if isinstance(answers, list) else []


def _value(answer: object) -> Any:
    """The value of one claimed answer; None when it has none."""
    text = answer.get("value") if isinstance(answer, dict) else None
    if not isinstance(text, str):
        return None
    try:
        return untag(parse_strict(text))
    except (NotStrictJson, NotPlain):
        return None


# What surrounds the suite in the sandbox. Each part is executed on its own, since each may begin with future imports.
_SURROUNDINGS = """
import copy as _proofgrad_copy

_proofgrad_seen = []

def _proofgrad_claim(number, made):
    try:
        args, expected = made()
        _proofgrad_seen.append(_proofgrad_copy.deepcopy([number, args, expected]))
    except Exception as error:
        _proofgrad_seen.append([number, type(error).__name__ + ": " + str(error)])

def _proofgrad_wrapped(wrapper, args, expected):
    answer = _proofgrad_entry(*_proofgrad_copy.deepcopy(args))
    if wrapper(answer) != expected:
        raise ValueError("the reference solution does not pass it")
    return args, answer

def _proofgrad_entry(*args, **named):
    raise NameError("it calls the function itself, and there is no reference solution")

def _proofgrad_result(index=None):
    if index is not None:
        return _proofgrad_seen[index] if index < len(_proofgrad_seen) else None
    space = globals()
    try:
        space[{entry_point!r}] = _proofgrad_entry
        for part in {before!r}:
            exec(compile(part, "<candidate>", "exec", dont_inherit=True), space)
        space["_proofgrad_entry"] = space[{entry_point!r}]
        exec(compile({suite!r}, "<candidate>", "exec", dont_inherit=True), space)
        for name in {checks!r}:
            space[name](_proofgrad_entry)
        for name in {tests!r}:
            space[name]()
    except BaseException as error:
        return type(error).__name__ + ": " + str(error)
    return "more than {most} tests" if len(_proofgrad_seen) > {most} else ""
"""


def _evaluation(suite: Suite, claims: dict[int, Claim], entry_point: str, reference: str | None, setup: str) -> str:
    """The program that evaluates the claims: the suite, with its assertions replaced by records of their parts."""
    numbers = {id(claim): number for number, claim in claims.items()}
    tree = ast.fix_missing_locations(_Recording(suite, numbers).visit(suite.tree))
    filled = {
        "entry_point": entry_point,
        "before": [part for part in (setup, reference) if part],
        "suite": ast.unparse(tree),
        "checks": suite.checks,
        "tests": suite.tests,
        "most": _MAX_COMPUTED,
    }
    return _SURROUNDINGS.format(**filled)


class _Recording(ast.NodeTransformer):
    def __init__(self, suite: Suite, numbers: dict[int, int]) -> None:
        self.suite, self.numbers = suite, numbers

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        records: list[ast.stmt] = [ast.Pass()]
        for claim in self.suite.claims.get(id(node), ()):
            number = self.numbers.get(id(claim))
            if number is None:
                continue
            parts: list[ast.expr] = [ast.List(claim.args, ast.Load()), claim.expected]
            made: ast.expr = ast.Tuple(parts, ast.Load())
            if claim.wrapper:
                named = [ast.Name(claim.wrapper, ast.Load()), *parts]
                made = ast.Call(ast.Name("_proofgrad_wrapped", ast.Load()), named, [])
            arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
            call = ast.Call(
                ast.Name("_proofgrad_claim", ast.Load()), [ast.Constant(number), ast.Lambda(arguments, made)], []
            )
            records.append(ast.Expr(call))
        return records
