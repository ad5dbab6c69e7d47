"""Programs judged by hidden tests, in a sandbox that never learns what is expected.

The way through: `verifier` (problem in, verdict out) -> `problem` (checked at the door) -> `runner` (a pool, and the
order of the conversation) -> `sandbox` (one zygote, from outside) -> `zygote`, `program` and `confine` (inside) ->
`judge` and `judge_stdio` (replies to a verdict) -> `compare`. Beside it: `asserts` (test suites turned into problems).
"""

from proofgrad.verifiers.code.asserts import Converted, Refused, convert
from proofgrad.verifiers.code.problem import check_problem
from proofgrad.verifiers.code.verifier import ProgramVerifier, sandbox_layers

__all__ = ["Converted", "ProgramVerifier", "Refused", "check_problem", "convert", "sandbox_layers"]
