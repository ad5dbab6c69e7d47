"""`ProgramVerifier`: judges a Python function by hidden tests, in a sandbox that never learns what is expected.

The problem:

    {"entry_point": "f",
     "tests": [{"args": [1, 2], "expected": 3}, ...],     at least one; arguments and expected values are JSON
     "public": 1,                                         the first so many tests may be shown in feedback; default 0
     "timeout_s": 2.0,                                    the whole candidate, all tests together
     "float_tolerance": {"abs": 1e-9, "rel": 0.0}}        default: floats must be equal

The candidate is the source of a module that defines the entry point. It passes when every test does.
"""

from __future__ import annotations

import builtins
import time
import warnings
from collections.abc import Mapping
from typing import cast

from proofgrad.verifiers.base import Json, Problem, Verdict
from proofgrad.verifiers.code.compare import NotStrictJson, parse_strict, same
from proofgrad.verifiers.code.problem import ProgramProblem
from proofgrad.verifiers.code.runner import Ending, Run, Runner, WorkerDied
from proofgrad.verifiers.code.sandbox import ISOLATION, Limits, python_version
from proofgrad.verifiers.errors import SandboxError

__all__ = ["ProgramVerifier", "sandbox_layers"]

_SOURCE_CHARS = 256 << 10
_SHOWN_CHARS = 300
_SHOWN_TESTS = 3
_BUILTIN_ERRORS = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)
_ENDINGS = {
    Ending.TIMEOUT: ("code.timeout", "The program did not finish within {timeout:g} s."),
    Ending.DIED: ("code.died", "The program's process ended before it had answered all tests{signal}."),
    Ending.OUTPUT_LIMIT: ("code.output_limit", "The program's answers are too large."),
    Ending.CHANNEL_ABUSE: ("cheat.answer_channel", "The program wrote to a channel that is not its own."),
}
_FAULTS = {
    "wrong_output": "wrong output",
    "unserialisable": "the answer is not made of plain JSON types",
    "output_limit": "the answer is too large",
    "memory": "out of memory",
}


class ProgramVerifier:
    """Judges a Python program by tests, each run isolated in a throwaway child of a warm zygote.

    Args:
        workers: programs run at once; by default one a core, at least 2 and at most 8. More callers wait their turn,
            which does not count as the candidate's time.
        memory_mb: address space of the candidate in MiB, the interpreter (about 50) included.
        processes: processes and threads it may have; 1 means no others.
        require_isolation: refuse to run without network, PID and file system isolation, instead of warning.
        interpreter: the Python that runs the candidates; by default the running one.

    Raises:
        ToolchainError: `interpreter` cannot be run.
    """

    name = "program"

    def __init__(
        self,
        *,
        workers: int | None = None,
        memory_mb: int = 512,
        processes: int = 1,
        require_isolation: bool = False,
        interpreter: str | None = None,
    ) -> None:
        self._options = {
            "workers": workers,
            "memory_mb": memory_mb,
            "processes": processes,
            "require_isolation": require_isolation,
            "interpreter": interpreter,
        }
        self._limits = Limits(memory_bytes=memory_mb << 20, processes=processes)
        self._require_isolation = require_isolation
        self._warned = False
        self._runner = Runner(workers, interpreter)
        self.version = f"1+python-{python_version(interpreter)}+{memory_mb}MiB+{processes}p"

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """Run `candidate` on the problem's tests.

        Reasons: `code.ok`; `code.wrong_output`, `code.exception`, `code.memory`, `code.unserialisable`,
        `code.output_limit` (of the first failed test); `code.syntax_error`, `code.no_entry_point`, `code.timeout`,
        `code.died`, `code.too_long`, `cheat.answer_channel`; `infra.worker_died`.

        Raises:
            ProblemError: the problem is malformed.
            SandboxError: isolation was required and is not to be had.
        """
        start = time.monotonic()
        parsed = ProgramProblem.parse(problem)
        if len(candidate) > _SOURCE_CHARS:
            evidence: dict[str, Json] = {"tests_total": len(parsed.tests), "tests_passed": 0}
            return Verdict.failed("code.too_long", feedback="The program is too long.", evidence=evidence)
        limits = Limits(parsed.timeout_s, self._limits.memory_bytes, self._limits.processes)
        try:
            run = self._runner.run(candidate, parsed.entry_point, parsed.batches(), limits, self._admit)
        except WorkerDied as error:
            return Verdict.unknown(
                "infra.worker_died", evidence={"error": str(error)}, seconds=time.monotonic() - start
            )
        return _judge(parsed, candidate, run, time.monotonic() - start)

    def layers(self) -> dict[str, str]:
        """Each isolation layer of this sandbox: "active", or "missing: <why>".

        Raises:
            SandboxError: no sandbox process can be started.
        """
        try:
            return self._runner.layers()
        except WorkerDied as error:
            raise SandboxError(f"the program sandbox cannot be started: {error}") from error

    def close(self) -> None:
        """Stop the sandbox processes; the next `verify` starts new ones."""
        self._runner.close()

    def _admit(self, layers: dict[str, str]) -> None:
        absent = [f"{name} ({layers[name]})" for name in ISOLATION if layers[name] != "active"]
        if not absent:
            return
        if self._require_isolation:
            raise SandboxError(f"isolation is required and not to be had here: {'; '.join(absent)}")
        if not self._warned:
            self._warned = True
            warnings.warn(f"programs run without full isolation: {'; '.join(absent)}", RuntimeWarning, stacklevel=4)

    def __getstate__(self) -> dict[str, object]:
        return dict(self._options)  # a copy in another process gets zygotes of its own

    def __setstate__(self, options: dict[str, object]) -> None:
        self.__init__(**options)  # type: ignore[misc]  # the constructor's own arguments


def sandbox_layers() -> dict[str, str]:
    """Each isolation layer that programs get on this machine: "active", or "missing: <why>".

    Raises:
        SandboxError: no sandbox process can be started.
    """
    verifier = ProgramVerifier(workers=1)
    try:
        return verifier.layers()
    finally:
        verifier.close()


def _judge(problem: ProgramProblem, candidate: str, run: Run, seconds: float) -> Verdict:
    """Turn what the run left behind into a verdict; everything in `run.replies` is only claimed."""
    lines = candidate.count("\n") + 1
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
        reason, feedback = _module_fault(problem, fault, lines)
    elif fault is None:
        for index, reply in enumerate(run.replies):
            answers = reply.get("answers")
            if not isinstance(answers, list) or len(answers) != len(batches[index]):
                reason, feedback = _ENDINGS[Ending.CHANNEL_ABUSE]
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
    parts = [feedback, *shown[:_SHOWN_TESTS], hidden]
    return Verdict.failed(
        reason or "cheat.answer_channel",
        feedback="\n".join(part for part in parts if part),
        evidence=evidence,
        seconds=seconds,
    )


def _grade(problem: ProgramProblem, number: int, answer: object) -> tuple[str, Json]:
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
    except NotStrictJson:
        return "unserialisable", None
    return ("ok" if same(problem.tests[number].expected, value, problem.tolerance) else "wrong_output"), value


def _module_fault(problem: ProgramProblem, fault: object, lines: int) -> tuple[str, str]:
    """Reason and feedback for a program that could not be loaded.

    The text was written before any hidden input was sent, so all of it may be shown.
    """
    if not isinstance(fault, Mapping):
        return _ENDINGS[Ending.CHANNEL_ABUSE]
    if fault.get("kind") == "no_entry_point":
        return "code.no_entry_point", f"The program does not define a function named {problem.entry_point}."
    described = _exception(fault, lines, trusted=True)
    if fault.get("kind") == "syntax":
        return "code.syntax_error", f"The program does not compile: {described}."
    reason = "code.memory" if fault.get("error") == "MemoryError" else "code.exception"
    return reason, f"The program failed while it was being loaded: {described}."


def _public_failure(problem: ProgramProblem, number: int, status: str, got: Json, answer: object, lines: int) -> str:
    """A failed public test in full: this reply was written before any hidden input was sent."""
    test = problem.tests[number]
    call = f"{problem.entry_point}({', '.join(_show(arg) for arg in test.args)})"
    wanted = f"{_clip(call)} should return {_show(test.expected)}"
    if status == "wrong_output":
        return f"{wanted}, but returned {_show(got)}."
    if status == "unserialisable" and isinstance(answer, Mapping) and isinstance(answer.get("unserialisable"), str):
        return f"{wanted}, but returned {_clean(cast(str, answer['unserialisable']))}."
    if status in _FAULTS:
        return f"{wanted}, but: {_FAULTS[status]}."
    return f"{wanted}, but raised {_exception(answer, lines, trusted=True)}."


def _hidden_fault(status: str, answer: object, lines: int) -> str:
    """A failed hidden test: only words of ours, since the candidate has seen hidden inputs and could repeat them."""
    return _FAULTS[status] if status in _FAULTS else _exception(answer, lines, trusted=False)


def _exception(answer: object, lines: int, *, trusted: bool) -> str:
    """An exception in words. Untrusted: a built-in class name and a line of the candidate, never its message."""
    fields: Mapping[str, object] = answer if isinstance(answer, Mapping) else {}
    name, message, line = (fields.get(key) for key in ("error", "message", "line"))
    words = name if isinstance(name, str) and (trusted or name in _BUILTIN_ERRORS) else "an exception"
    if trusted and isinstance(message, str) and message:
        words += f": {message}"
    if type(line) is int and 1 <= line <= lines:
        words += f" (line {line})"
    return _clean(words)


def _show(value: Json) -> str:
    try:
        return _clip(repr(value))
    except RecursionError:
        return "a deeply nested value"


def _clean(text: str) -> str:
    """One printable line: no line breaks that could pass for other feedback, no lone surrogates."""
    return _clip("".join(char if char.isprintable() else " " for char in text))


def _clip(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."
