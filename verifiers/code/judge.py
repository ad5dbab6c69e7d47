"""Turns what a run of a function's tests left behind into a verdict; everything in its replies is only claimed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from proofgrad.verifiers.base import Json, Verdict
from proofgrad.verifiers.code.compare import NotStrictJson, parse_strict
from proofgrad.verifiers.code.problem import ProgramProblem
from proofgrad.verifiers.code.runner import Ending, Run
from proofgrad.verifiers.code.values import NotPlain, untag
from proofgrad.verifiers.code.wording import FAULTS, clean, clip, exception, line_count, module_fault, show

__all__ = ["ABUSE", "SHOWN_TESTS", "judge"]

SHOWN_TESTS = 3
"""Failed public tests shown in full; more would only crowd out the program in a policy's context."""

ABUSE = ("cheat.answer_channel", "The program wrote to a channel that is not its own.")
_ENDINGS = {
    Ending.TIMEOUT: ("code.timeout", "The program did not finish within {timeout:g} s."),
    Ending.DIED: ("code.died", "The program's process ended before it had answered all tests{signal}."),
    Ending.OUTPUT_LIMIT: ("code.output_limit", "The program's answers are too large."),
    Ending.CHANNEL_ABUSE: ABUSE,
}


def judge(problem: ProgramProblem, candidate: str, run: Run, seconds: float) -> Verdict:
    """The verdict on `candidate`, whose run on the problem's batches took `seconds` in all."""
    lines = line_count(candidate)
    statuses: list[str] = []
    shown: list[str] = []
    hidden = ""
    reason = feedback = ""
    batches = problem.batches()
    if run.ending in _ENDINGS:
        reason, template = _ENDINGS[run.ending]
        signal = f" (signal {-run.status})" if run.status < 0 and run.status != -9 else ""
        feedback = template.format(timeout=problem.timeout_s, signal=signal)
    fault = run.replies[0].get("module") if run.replies else None
    if fault is not None and not reason:
        reason, feedback = module_fault(problem.entry_point, fault, lines) or ABUSE
    elif fault is None:
        for index, reply in enumerate(run.replies):
            answers = reply.get("answers")
            if not isinstance(answers, list) or len(answers) != len(batches[index]):
                reason, feedback = ABUSE
                break
            for answer in answers:
                number = len(statuses)
                status, got = _grade(problem, number, answer)
                statuses.append(status)
                if status == "ok":
                    continue
                if number < problem.public:
                    shown.append(_public_failure(problem, number, status, got, answer, lines))
                elif not hidden:
                    hidden = f"A hidden test failed: {_hidden_fault(status, answer, lines)}."
    failed = [status for status in statuses if status != "ok"]
    if not reason and failed:
        reason = f"code.{failed[0]}"
    evidence: dict[str, Json] = {
        "tests_total": len(problem.tests),
        "tests_passed": statuses.count("ok"),
        "statuses": list(statuses),
        "timeout_s": problem.timeout_s,
        "python": run.python,
        "sandbox": dict(run.layers),
    }
    if not reason and len(statuses) == len(problem.tests):
        return Verdict.passed("code.ok", evidence=evidence, seconds=seconds)
    if run.status:
        evidence["exit_status"] = run.status
    parts = [feedback, *shown[:SHOWN_TESTS], hidden]
    return Verdict.failed(
        reason or ABUSE[0],
        feedback="\n".join(part for part in parts if part),
        evidence=evidence,
        seconds=seconds,
    )


def _grade(problem: ProgramProblem, number: int, answer: object) -> tuple[str, Any]:
    """(status, the answer's value where it has one) of one claimed answer."""
    if not isinstance(answer, Mapping):
        return "unserialisable", None
    if "error" in answer:
        return ("memory" if answer["error"] == "MemoryError" else "exception"), None
    if "overflow" in answer:
        return "output_limit", None
    text = answer.get("value")
    if not isinstance(text, str):
        return "unserialisable", None
    try:
        value = parse_strict(text)
        value = untag(value) if problem.tagged else value
    except (NotStrictJson, NotPlain):
        return "unserialisable", None
    return ("ok" if problem.right(number, value) else "wrong_output"), value


def _public_failure(problem: ProgramProblem, number: int, status: str, got: Any, answer: object, lines: int) -> str:
    """A failed public test in full: this reply was written before any hidden input was sent."""
    test = problem.tests[number]
    args = untag(test.args) if problem.tagged else test.args
    call = f"{problem.entry_point}({', '.join(show(arg) for arg in args)})"
    wanted = f"{clip(call)} should return {show(test.expected)}"
    if status == "wrong_output":
        return f"{wanted}, but returned {show(got)}."
    if status == "unserialisable" and isinstance(answer, Mapping) and isinstance(answer.get("unserialisable"), str):
        return f"{wanted}, but returned {clean(cast(str, answer['unserialisable']))}."
    if status in FAULTS:
        return f"{wanted}, but: {FAULTS[status]}."
    return f"{wanted}, but raised {exception(answer, lines, trusted=True)}."


def _hidden_fault(status: str, answer: object, lines: int) -> str:
    """A failed hidden test: only words of ours, since the candidate has seen hidden inputs and could repeat them."""
    return FAULTS[status] if status in FAULTS else exception(answer, lines, trusted=False)
