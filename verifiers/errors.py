"""Every error that proofgrad raises on purpose.

    ProofgradError                  one line: what happened, where, what to do
    ├── ConfigError                 a configuration file or option is wrong
    ├── MissingExtraError           an optional dependency is not installed (names the pip command)
    ├── ProblemError                a problem is malformed: the task's author is at fault, not the candidate
    ├── ToolchainError              Lean, or another tool that a verifier drives, is missing or unusable
    ├── SandboxError                an isolation layer that was required is not to be had
    └── UnhealthyError              too many judgements ended UNKNOWN: the machinery is at fault, so judging stopped

A candidate's own mistake is never an exception: it is a `Verdict` with outcome FAIL.
"""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "MissingExtraError",
    "ProblemError",
    "ProofgradError",
    "SandboxError",
    "ToolchainError",
    "UnhealthyError",
]


class ProofgradError(Exception):
    """Base class; its message is one line that a user can act on."""


class ConfigError(ProofgradError):
    """A configuration file, key or command-line option is wrong."""


class MissingExtraError(ProofgradError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, needed_for: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(
            f"{needed_for} needs the package '{package}', which is not installed: pip install 'proofgrad[{extra}]'"
        )


class ProblemError(ProofgradError):
    """A problem handed to a verifier is malformed."""


class ToolchainError(ProofgradError):
    """A tool that a verifier drives is missing or cannot be trusted."""


class SandboxError(ProofgradError):
    """Isolation was required and this machine cannot give it."""


class UnhealthyError(ProofgradError):
    """Too large a share of the last judgements ended UNKNOWN; judging stopped before it burnt through the rest."""
