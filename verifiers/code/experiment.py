"""Runs references, relations, preconditions and candidates on inputs, each in a sandbox run of its own.

A candidate's run holds its source and the inputs and nothing else; what it answers is compared out here. Each input is
a batch of its own, so that no answer can depend on a later input and the first input that a program dies on is known.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proofgrad.verifiers.base import Json
from proofgrad.verifiers.code.compare import NotStrictJson, parse_strict, same
from proofgrad.verifiers.code.equivalence import WHERE
from proofgrad.verifiers.code.runner import Ending, Run, Runner
from proofgrad.verifiers.code.sandbox import Limits
from proofgrad.verifiers.code.specification import RELATION, Specification
from proofgrad.verifiers.code.strategies import draw, smaller
from proofgrad.verifiers.code.wording import FAULTS, exception, line_count, module_fault, show

__all__ = ["Case", "Experiment", "Failure", "ProblemFault"]

_TRUSTED_S = 10.0  # at least, for the problem's own code: it must not fail for a busy machine
_SHRINK_ROUNDS = 24
_SHRINK_S = 5.0
_TRUSTED_BATCH = 16
_DRAWN_ANSWERS = 20
_ENDINGS = {
    Ending.TIMEOUT: ("code.timeout", "The program did not finish {count} calls within {timeout:g} s."),
    Ending.DIED: ("code.died", "The program's process ended before it had answered all calls."),
    Ending.OUTPUT_LIMIT: ("code.output_limit", "The program's answers are too large."),
    Ending.CHANNEL_ABUSE: ("cheat.answer_channel", "The program wrote to a channel that is not its own."),
}


class ProblemFault(Exception):  # noqa: N818  # named for the verdict it becomes
    """The problem's own code failed: the judgement is UNKNOWN, with this reason and evidence."""

    def __init__(self, reason: str, what: str, args: Sequence[Json] | None = None) -> None:
        super().__init__(what)
        self.reason = reason
        self.evidence: dict[str, Json] = {"error": what, **({} if args is None else {"input": list(args)})}


@dataclass(frozen=True, slots=True)
class Case:
    """An input.

    Attributes:
        args: the arguments.
        expected: what the reference returns for them; None where there is a relation.
        given: whether it is one of the problem's own tests.
        public: whether it is one that may be shown.
    """

    args: list[Json]
    expected: Json = None
    given: bool = False
    public: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """The first thing that a candidate failed at.

    Attributes:
        reason: the verdict's.
        said: one line in words that reveal no input.
        case: the input; None when the program could not be loaded.
        got: what was returned, where `returned`.
        returned: whether it returned a value at all.
        ended: the run ended before it answered this input: for the time, all inputs before it count too.
    """

    reason: str
    said: str
    case: Case | None = None
    got: Json = None
    returned: bool = False
    ended: bool = False


@dataclass(frozen=True, slots=True)
class _Answer:
    status: str
    value: Any = None
    claim: object = None


class Experiment:
    """What can be asked about one problem.

    Args:
        runner: where everything runs.
        specification: the problem.
        limits: of a run; the time is the problem's.
        admit: as in `Runner.run`.
    """

    def __init__(
        self,
        runner: Runner,
        specification: Specification,
        limits: Limits,
        admit: Callable[[dict[str, str]], None],
    ) -> None:
        self._runner, self._spec, self._admit = runner, specification, admit
        self._limits = replace(limits, timeout_s=specification.program.timeout_s)
        self.last_run: Run | None = None

    # The problem's own code.

    def check_tests(self) -> None:
        """That the reference, or the relation, agrees with the problem's own tests.

        Raises:
            ProblemFault: it does not.
        """
        spec = self._spec
        tests = spec.program.tests if spec.tests is not None else ()
        if not tests:
            return
        if spec.reference is not None:
            cases = self.prepare([test.args for test in tests], checked=True)
            wrong = [i for i, case in enumerate(cases) if not spec.program.right(i, case.expected)]
        else:
            wrong = [i for i, right in enumerate(self._related([(t.args, t.expected) for t in tests])) if not right]
        if wrong:
            which, test = ("reference" if spec.reference is not None else "relation"), tests[wrong[0]]
            raise ProblemFault(f"problem.{which}_wrong", f"the {which} contradicts tests[{wrong[0]}]", test.args)

    def given(self) -> list[Case]:
        """The problem's own tests as cases, the public ones first."""
        spec = self._spec
        if spec.tests is None:
            return []
        return [
            Case(test.args, given=True, public=i < spec.program.public) for i, test in enumerate(spec.program.tests)
        ]

    def prepare(self, inputs: Sequence[list[Json]], *, checked: bool = False) -> list[Case]:
        """Those of the inputs that satisfy the precondition (all, where `checked`), with the expected answers.

        Raises:
            ProblemFault: the reference or the precondition fails on one of them.
        """
        spec = self._spec
        if spec.where is not None and not checked:
            answers = self._trusted(spec.where, WHERE, inputs, "where")
            inputs = [args for args, holds in zip(inputs, answers, strict=True) if holds]
        if spec.reference is None:
            return [Case(args) for args in inputs]
        answers = self._trusted(spec.reference, spec.entry_point, inputs, "reference")
        return [Case(args, expected) for args, expected in zip(inputs, answers, strict=True)]

    def prepare_some(self, inputs: Sequence[list[Json]]) -> list[Case]:
        """As `prepare`, without the inputs on which the problem's own code fails.

        For inputs that a candidate had a hand in: it must not be able to choose one that makes its judgement UNKNOWN.
        """
        spec = self._spec
        for source, function in ((spec.where, WHERE), (spec.reference, spec.entry_point)):
            if source is None or not inputs:
                continue
            answers, _ = self._ask(source, function, inputs, self._limits, 1)
            pairs = [(args, answer) for args, answer in zip(inputs, answers, strict=False) if answer.status == "ok"]
            if source is spec.reference:
                return [Case(args, answer.value) for args, answer in pairs]
            inputs = [args for args, answer in pairs if answer.value is True]
        return [Case(args) for args in inputs]

    def _related(self, pairs: Sequence[tuple[list[Json], Json]]) -> list[bool]:
        answers = self._trusted(
            self._spec.relation or "", RELATION, [[args, value] for args, value in pairs], "relation"
        )
        for (args, _), answer in zip(pairs, answers, strict=False):
            if type(answer) is not bool:
                raise ProblemFault("problem.relation_failed", "the relation returned something else than a bool", args)
        return answers

    def _accepted(self, pairs: Sequence[tuple[list[Json], Json]]) -> list[bool]:
        """What the relation says of a candidate's answers, until its first no.

        An answer on which it fails, though it works on values that were drawn for the same input, is wrong: a candidate
        could otherwise choose to be UNKNOWN, say by a list on which the relation takes for ever.

        Raises:
            ProblemFault: the relation fails on drawn values too.
        """
        try:
            return self._related(pairs)
        except ProblemFault as fault:
            found: list[bool] = []
            for args, value in pairs:
                try:
                    found += self._related([(args, value)])
                except ProblemFault:
                    if not self._relates_what_is_drawn(args):
                        raise fault from None
                    found.append(False)
                if not found[-1]:
                    break
            return found

    def _relates_what_is_drawn(self, args: list[Json]) -> bool:
        if self._spec.returns is None:
            return False
        drawn = draw((self._spec.returns,), _DRAWN_ANSWERS, 0)
        inputs: list[list[Json]] = [[args, value] for (value,) in drawn]
        answers, _ = self._ask(self._spec.relation or "", RELATION, inputs, self._trusted_limits(), 1)
        return len(answers) == len(drawn) and all(type(answer.value) is bool for answer in answers)

    def _trusted_limits(self) -> Limits:
        return replace(self._limits, timeout_s=max(_TRUSTED_S, 5 * self._limits.timeout_s))

    def _trusted(self, source: str, function: str, inputs: Sequence[list[Json]], key: str) -> list[Any]:
        """The answers of the problem's own code, which must not fail; of a relation, only until it says no."""
        if not inputs:
            return []
        answers, run = self._ask(source, function, inputs, self._trusted_limits(), _TRUSTED_BATCH)
        reason = f"problem.{key}_failed"
        for number, (args, answer) in enumerate(zip(inputs, answers, strict=False), 1):
            if answer.status != "ok":
                told = FAULTS.get(answer.status) or exception(answer.claim, line_count(source), trusted=True)
                raise ProblemFault(reason, f"the {key} failed: {told}", args)
            if key == "relation" and answer.value is False:
                return [earlier.value for earlier in answers[:number]]
        if len(answers) < len(inputs):
            fault = run.replies[0].get("module") if run.replies else None
            loading = module_fault(function, fault, line_count(source)) if fault is not None else None
            told = loading[1] if loading else f"its run ended with '{run.ending}'"
            raise ProblemFault(reason, f"the {key} failed: {told}", inputs[len(answers)])
        return [answer.value for answer in answers]

    # Candidates.

    def first_failure(self, candidate: str, cases: Sequence[Case]) -> Failure | None:
        """The first of the cases that the candidate fails, or None.

        Raises:
            ProblemFault: the relation failed on one of its answers, and on values drawn from the type announced.
        """
        spec, lines = self._spec, line_count(candidate)
        if not cases:
            return None
        answers, run = self._ask(candidate, spec.entry_point, [case.args for case in cases], self._limits, 1)
        self.last_run = run
        fault = run.replies[0].get("module") if run.replies else None
        if fault is not None and run.ending is Ending.COMPLETE:
            loading = module_fault(spec.entry_point, fault, lines)
            return Failure(*(loading or _ENDINGS[Ending.CHANNEL_ABUSE]))
        right = [self._acceptable(case, answer) for case, answer in zip(cases, answers, strict=False)]
        if spec.relation is not None:
            asked = right.index(False) if False in right else len(right)
            related = self._accepted([(cases[i].args, answers[i].value) for i in range(asked)])
            right[: len(related)] = related
        if False in right:
            at = right.index(False)
            return _failure(cases[at], answers[at], lines)
        if len(answers) < len(cases):
            reason, said = _ENDINGS.get(run.ending, _ENDINGS[Ending.CHANNEL_ABUSE])
            return Failure(
                reason, said.format(count=len(cases), timeout=self._limits.timeout_s), cases[len(answers)], ended=True
            )
        if run.ending is not Ending.COMPLETE:
            return Failure(*_ENDINGS[Ending.CHANNEL_ABUSE])
        return None

    def shrink(self, candidate: str, failure: Failure) -> Failure:
        """A failure on the simplest input that a bounded search from this one finds; failures to answer are left be."""
        deadline = time.monotonic() + _SHRINK_S
        for _ in range(_SHRINK_ROUNDS):
            if failure.case is None or failure.case.given or failure.ended or time.monotonic() > deadline:
                break
            try:
                cases = self.prepare_some(smaller(self._spec.types, failure.case.args))
                found = self.first_failure(candidate, cases)
            except ProblemFault:
                break
            if found is None or found.case is None or found.ended:
                break
            failure = found
        return failure

    def told(self, failure: Failure) -> str:
        """The failure in words for the policy."""
        if failure.case is None or failure.ended:
            return failure.said
        if failure.case.given and not failure.case.public:
            return f"A hidden test failed: {failure.said}."
        if not self._spec.show_counterexample and not failure.case.public:
            return f"A freshly drawn input failed: {failure.said}."
        call = f"{self._spec.entry_point}({', '.join(show(arg) for arg in failure.case.args)})"
        if self._spec.reference is None:
            ending = (
                f"returned {show(failure.got)}, which is not allowed" if failure.returned else f"failed: {failure.said}"
            )
            return f"{call} {ending}."
        ending = f"it returned {show(failure.got)}" if failure.returned else failure.said
        return f"{call} should return {show(failure.case.expected)}, but: {ending}."

    def _acceptable(self, case: Case, answer: _Answer) -> bool:
        """Whether a value is right, as far as that can be told without the relation."""
        spec = self._spec
        if answer.status != "ok":
            return False
        if spec.returns is not None:
            return spec.returns.accepts(answer.value)
        return same(case.expected, answer.value, spec.program.tolerance, numbers=spec.program.numbers)

    def _ask(
        self, source: str, function: str, inputs: Sequence[list[Json]], limits: Limits, size: int
    ) -> tuple[list[_Answer], Run]:
        texts = [json.dumps(args) for args in inputs]
        batches = [texts[at : at + size] for at in range(0, len(texts), size)]
        run = self._runner.run(source, function, batches, limits, self._admit)
        answers: list[_Answer] = []
        for batch, reply in zip(batches, run.replies, strict=False):
            claimed = reply.get("answers")
            if reply.get("module") is not None or not isinstance(claimed, list) or len(claimed) != len(batch):
                break
            answers += map(_graded, claimed)
        return answers, run


def _graded(claim: object) -> _Answer:
    """One claimed answer: "ok" with its value, or what kind of fault it was."""
    if not isinstance(claim, dict):
        return _Answer("unserialisable")
    if "error" in claim:
        return _Answer("memory" if claim["error"] == "MemoryError" else "exception", claim=claim)
    if "overflow" in claim:
        return _Answer("output_limit")
    try:
        text = claim.get("value")
        return _Answer("ok", parse_strict(text)) if isinstance(text, str) else _Answer("unserialisable")
    except NotStrictJson:
        return _Answer("unserialisable")


def _failure(case: Case, answer: _Answer, lines: int) -> Failure:
    if answer.status == "ok":
        return Failure("code.wrong_output", FAULTS["wrong_output"], case, answer.value, returned=True)
    said = FAULTS.get(answer.status) or exception(answer.claim, lines, trusted=False)
    return Failure(f"code.{answer.status}", said, case)
