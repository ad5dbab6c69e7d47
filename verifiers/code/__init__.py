"""Programs judged by hidden tests, in a sandbox that never learns what is expected.

The way through: `verifier` (problem in, verdict out) -> `problem` (checked at the door) -> `runner` (a pool, and the
order of the conversation) -> `sandbox` (one zygote, from outside) -> `zygote` and `confine` (inside) -> `compare`.
"""

from proofgrad.verifiers.code.verifier import ProgramVerifier, sandbox_layers

__all__ = ["ProgramVerifier", "sandbox_layers"]
