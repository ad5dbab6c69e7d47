"""Verdicts that can be trusted, as a library of its own: no torch in sight.

>>> from proofgrad import verifiers
>>> lean = verifiers.get("lean")
>>> lean.verify({"statement": "(p : Prop) : p → p"}, "fun h => h").outcome
<Outcome.PASS: 'pass'>
"""

from proofgrad.verifiers.base import BatchVerifier, Json, Outcome, Problem, Verdict, Verifier
from proofgrad.verifiers.errors import (
    ConfigError,
    MissingExtraError,
    ProblemError,
    ProofgradError,
    SandboxError,
    ToolchainError,
)
from proofgrad.verifiers.registry import get, names

__all__ = [
    "BatchVerifier",
    "ConfigError",
    "Json",
    "MissingExtraError",
    "Outcome",
    "Problem",
    "ProblemError",
    "ProofgradError",
    "SandboxError",
    "ToolchainError",
    "Verdict",
    "Verifier",
    "get",
    "names",
]
