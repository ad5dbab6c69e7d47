"""Verdicts that can be trusted, as a library of its own: no torch in sight.

>>> from proofgrad import verifiers
>>> lean = verifiers.get("lean")
>>> lean.verify({"statement": "(p : Prop) : p → p"}, "fun h => h").outcome
<Outcome.PASS: 'pass'>
"""

from proofgrad.verifiers.base import AuditableVerifier, BatchVerifier, Json, Outcome, Problem, Verdict, Verifier
from proofgrad.verifiers.errors import (
    ConfigError,
    MissingExtraError,
    ProblemError,
    ProofgradError,
    SandboxError,
    ToolchainError,
    UnhealthyError,
)
from proofgrad.verifiers.many import Judged, verify_many
from proofgrad.verifiers.pool import VerifierPool
from proofgrad.verifiers.registry import get, names

__all__ = [
    "AuditableVerifier",
    "BatchVerifier",
    "ConfigError",
    "Json",
    "Judged",
    "MissingExtraError",
    "Outcome",
    "Problem",
    "ProblemError",
    "ProofgradError",
    "SandboxError",
    "ToolchainError",
    "UnhealthyError",
    "Verdict",
    "Verifier",
    "VerifierPool",
    "get",
    "names",
    "verify_many",
]
