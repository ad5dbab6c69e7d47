"""`ProgramVerifier`: judges Python programs by hidden tests, in a sandbox that never learns what is expected.

The problem, for a function:

    {"entry_point": "f",
     "tests": [{"args": [1, 2], "expected": 3}, ...],     at least one; arguments and expected values are JSON
     "public": 1,                                         the first so many tests may be shown in feedback; default 0
     "timeout_s": 2.0,                                    the whole candidate, all tests together
     "float_tolerance": {"abs": 1e-9, "rel": 0.0},        default: floats must be equal; a test may have its own
     "numbers": "typed",                                  or "value": 1 and 1.0 are the same answer
     "values": "json",                                    or "tagged": tuples, sets, any dict, NaN, as in `values.py`
     "nan": "refuse"}                                     or "equal": NaN is the same as NaN; needs tagged values

The candidate is the source of a module that defines the entry point. Or, for a program that reads standard input:

    {"tests": [{"stdin": "1 2\n", "expected_stdout": "3\n"}, ...],
     "public": 1,
     "timeout_s": 2.0,                                    each test: the program is run afresh for each
     "whitespace": "tokens",                              or "lines" or "exact": `compare.py` says what they mean
     "float_tolerance": {"abs": 1e-9}}                    default: words are compared as text

The candidate is that whole program. Either passes when every test does; a program must also exit with status 0.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import replace

from proofgrad.verifiers.base import Json, Problem, Verdict
from proofgrad.verifiers.code.judge import judge
from proofgrad.verifiers.code.judge_stdio import judge_stdio, stops
from proofgrad.verifiers.code.problem import ProgramProblem
from proofgrad.verifiers.code.runner import Run, Runner, WorkerDied
from proofgrad.verifiers.code.sandbox import ISOLATION, Limits, python_version
from proofgrad.verifiers.errors import SandboxError
from proofgrad.verifiers.remade import Remade

__all__ = ["ProgramVerifier", "sandbox_layers"]

_SOURCE_CHARS = 256 << 10


class ProgramVerifier(Remade):
    """Judges a Python program by tests, each run isolated in a throwaway child of a warm zygote.

    Args:
        workers: programs run at once; by default one a core, at least 2 and at most 8. More callers wait their turn,
            which does not count as the candidate's time.
        memory_mb: address space of the candidate in MiB, the interpreter (about 50) included.
        processes: processes it may have; 1 means no others.
        threads: threads it may have, those of all its processes together; 1 means no others.
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
        threads: int = 64,
        require_isolation: bool = False,
        interpreter: str | None = None,
    ) -> None:
        self._options = {
            "workers": workers,
            "memory_mb": memory_mb,
            "processes": processes,
            "threads": threads,
            "require_isolation": require_isolation,
            "interpreter": interpreter,
        }
        self._limits = Limits(memory_bytes=memory_mb << 20, processes=processes, threads=threads)
        self._require_isolation = require_isolation
        self._warned = False
        self._runner = Runner(workers, interpreter)
        self.version = f"3+python-{python_version(interpreter)}+{memory_mb}MiB+{processes}p+{threads}t"

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """Run `candidate` on the problem's tests.

        Reasons: `code.ok`; `code.wrong_output`, `code.exception`, `code.memory`, `code.unserialisable`,
        `code.output_limit`, `code.exit_status` (of the first failed test); `code.syntax_error`,
        `code.no_entry_point`, `code.timeout`, `code.died`, `code.too_long`, `cheat.answer_channel`;
        `infra.worker_died`.

        Raises:
            ProblemError: the problem is malformed.
            SandboxError: isolation was required and is not to be had.
        """
        start = time.monotonic()
        parsed = ProgramProblem.parse(problem)
        if len(candidate) > _SOURCE_CHARS:
            evidence: dict[str, Json] = {"tests_total": len(parsed.tests or parsed.stdio), "tests_passed": 0}
            return Verdict.failed("code.too_long", feedback="The program is too long.", evidence=evidence)
        limits = replace(self._limits, timeout_s=parsed.timeout_s)
        try:
            if parsed.stdio:
                runs = self._run_programs(parsed, candidate, limits)
                return judge_stdio(parsed, candidate, runs, time.monotonic() - start)
            batches = parsed.batches()
            run = self._runner.run(candidate, parsed.entry_point, batches, limits, self._admit, parsed.tagged)
        except WorkerDied as error:
            return Verdict.unknown(
                "infra.worker_died", evidence={"error": str(error)}, seconds=time.monotonic() - start
            )
        return judge(parsed, candidate, run, time.monotonic() - start)

    def _run_programs(self, problem: ProgramProblem, candidate: str, limits: Limits) -> list[Run]:
        runs: list[Run] = []
        for test in problem.stdio:
            # Never less than a right answer needs; only the parent knows the number.
            room = limits.answer_bytes + 2 * len(test.expected_stdout.encode())
            run = self._runner.run_program(
                candidate, test.stdin.encode(), replace(limits, answer_bytes=room), self._admit
            )
            runs.append(run)
            if stops(run):
                break
        return runs

    def auditor(self) -> ProgramVerifier:
        """A stricter verifier for the same problems, which runs every test in a process of its own."""
        from proofgrad.verifiers.code.separate import SeparateTestsVerifier  # which builds on this module

        return SeparateTestsVerifier(**self._options)

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
