"""Turns the runs of a whole program, one for each test, into a verdict.

What decides is the output, which was read from outside, and the status that the kernel gave. The program's own words
(`Run.replies[1]`, what it died of) only serve the feedback. Each public test had a process of its own, which never
held a hidden input: what it left behind may be shown.
"""

from __future__ import annotations

from collections.abc import Sequence

from proofgrad.verifiers.base import Json, Verdict
from proofgrad.verifiers.code.compare import Difference, output_difference
from proofgrad.verifiers.code.judge import ABUSE, SHOWN_TESTS
from proofgrad.verifiers.code.problem import ProgramProblem
from proofgrad.verifiers.code.runner import Ending, Run
from proofgrad.verifiers.code.wording import clean, clip, exception, line_count, module_fault

__all__ = ["judge_stdio", "stops"]

_ENDINGS = {
    Ending.TIMEOUT: "timeout",
    Ending.DIED: "died",
    Ending.OUTPUT_LIMIT: "output_limit",
    Ending.CHANNEL_ABUSE: "abuse",
}
_ALIKE = {
    "timeout": "the program did not finish within {timeout:g} s",
    "output_limit": "the program wrote too much",
    "memory": "out of memory",
    "abuse": "the program wrote to a channel that is not its own",
}


def stops(run: Run) -> bool:
    """Whether the other tests need not be run: the program does not compile, or has already taken all its time."""
    return run.ending is Ending.TIMEOUT or (bool(run.replies) and run.replies[0].get("module") is not None)


def judge_stdio(problem: ProgramProblem, candidate: str, runs: Sequence[Run], seconds: float) -> Verdict:
    """The verdict on `candidate`, which was run on the first `len(runs)` tests, at least one, in `seconds` in all."""
    lines = line_count(candidate)
    first, last = runs[0], runs[-1]
    statuses: list[str] = []
    shown: list[str] = []
    hidden = ""
    uncompiled = last.replies[0].get("module") if last.replies else None
    if uncompiled is None:
        for number, run in enumerate(runs):
            status, difference = _grade(problem, number, run)
            statuses.append(status)
            if status == "ok":
                continue
            if number < problem.public:
                shown.append(_public_failure(problem, number, status, difference, run, lines))
            elif not hidden:
                hidden = f"A hidden test failed: {_told(problem, status, run, lines, trusted=False)}."
        statuses += ["not_run"] * (len(problem.stdio) - len(runs))
    failed = [status for status in statuses if status != "ok"]
    evidence: dict[str, Json] = {
        "tests_total": len(problem.stdio),
        "tests_passed": statuses.count("ok"),
        "statuses": list(statuses),
        "timeout_s": problem.timeout_s,
        "whitespace": problem.whitespace,
        "python": first.python,
        "sandbox": dict(first.layers),
    }
    if uncompiled is None and not failed and len(statuses) == len(problem.stdio):
        return Verdict.passed("code.ok", evidence=evidence, seconds=seconds)
    if uncompiled is not None:
        reason, feedback = module_fault("", uncompiled, lines) or ABUSE
    else:
        reason = ABUSE[0] if "abuse" in failed else f"code.{failed[0]}"
        feedback = "\n".join(part for part in [*shown[:SHOWN_TESTS], hidden] if part)
    return Verdict.failed(reason, feedback=feedback, evidence=evidence, seconds=seconds)


def _grade(problem: ProgramProblem, number: int, run: Run) -> tuple[str, Difference | None]:
    """(status, where the output went wrong) of one run. A right output does not redeem a crash: no judge takes it."""
    if run.ending is not Ending.COMPLETE:
        return _ENDINGS[run.ending], None
    if run.status < 0:
        return "died", None
    if run.status > 0:
        fault = _fault(run)
        if fault is None:
            return "exit_status", None
        return ("memory" if fault.get("error") == "MemoryError" else "exception"), None
    test = problem.stdio[number]
    difference = output_difference(test.expected_stdout, run.stdout, problem.whitespace, problem.tolerance)
    return ("ok" if difference is None else "wrong_output"), difference


def _fault(run: Run) -> dict[str, object] | None:
    fault = run.replies[1].get("fault") if len(run.replies) > 1 else None
    return fault if isinstance(fault, dict) else None


def _public_failure(
    problem: ProgramProblem, number: int, status: str, difference: Difference | None, run: Run, lines: int
) -> str:
    given = f"On the input {clip(repr(problem.stdio[number].stdin))}"
    if difference is None:
        return f"{given}: {_told(problem, status, run, lines, trusted=True)}."
    line, expected, got = difference.line, difference.expected, difference.got
    if got is None:
        return f"{given}, line {line} of the output should be {_quote(expected)}, but the output ends before it."
    if expected is None:
        return f"{given}, the output should end before line {line}, but goes on with {_quote(got)}."
    return f"{given}, line {line} of the output should be {_quote(expected)}, but is {_quote(got)}."


def _told(problem: ProgramProblem, status: str, run: Run, lines: int, *, trusted: bool) -> str:
    """How a run failed, in words."""
    if status == "exception":
        return f"the program raised {exception(_fault(run), lines, trusted=trusted)}"
    if status == "exit_status":
        # A status is eight bits of the program's choosing: after a hidden input it is not repeated.
        return f"the program ended with exit status {run.status}" if trusted else "the program reported an error"
    if status == "died":
        return "the program's process was killed" + (f" (signal {-run.status})" if run.status < 0 else "")
    return _ALIKE[status].format(timeout=problem.timeout_s) if status in _ALIKE else "wrong output"


def _quote(line: str | None) -> str:
    return clean(repr(line))
