"""The auditor of program verdicts: each test of a function alone, in a process that has seen no other."""

from __future__ import annotations

from proofgrad.verifiers.base import Problem, Verdict
from proofgrad.verifiers.code.problem import ProgramProblem
from proofgrad.verifiers.code.verifier import ProgramVerifier

__all__ = ["SeparateTestsVerifier"]


class SeparateTestsVerifier(ProgramVerifier):
    """`ProgramVerifier`, but stricter: a program may not carry anything from one test to the next.

    What counts calls, remembers earlier inputs or tells public tests from hidden ones by their order answers otherwise
    when each test stands alone. It costs a process for each test. Arguments are those of `ProgramVerifier`.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # the same arguments
        self.version += "+separate"

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """The first verdict that is not a pass, or else the last one.

        Reasons and errors are those of `ProgramVerifier`.
        """
        if ProgramProblem.parse(problem).stdio:
            return super().verify(problem, candidate)  # which gives every test a process of its own
        alone = [{**problem, "tests": [test], "public": 0} for test in problem["tests"]]  # type: ignore[union-attr]  # parsed
        verdict = super().verify(alone[0], candidate)
        for one in alone[1:]:
            if not verdict.is_pass:
                break
            verdict = super().verify(one, candidate)
        return verdict
