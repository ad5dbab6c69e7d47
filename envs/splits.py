"""Splits that are disjoint by construction: a task's split is a function of its statement alone."""

from __future__ import annotations

import hashlib

from proofgrad.envs.base import HELD_OUT, TRAIN
from proofgrad.verifiers.errors import ConfigError

__all__ = ["check_split", "split_of", "statement_digest"]

_HELD_OUT_ONE_IN = 5


def statement_digest(canonical_statement: str) -> str:
    """SHA-256 of a statement in canonical form, in hex. Canonical means: equal for all renamings of its variables."""
    return hashlib.sha256(canonical_statement.encode()).hexdigest()


def split_of(canonical_statement: str) -> str:
    """The split that a statement belongs to, on every machine and for every seed: one in five is held out."""
    return HELD_OUT if int(statement_digest(canonical_statement)[:8], 16) % _HELD_OUT_ONE_IN == 0 else TRAIN


def check_split(split: str) -> str:
    """`split`, if there is one of that name.

    Raises:
        ConfigError: there is none.
    """
    if split not in (TRAIN, HELD_OUT):
        raise ConfigError(f"there is no split named '{split}'; the splits are '{TRAIN}' and '{HELD_OUT}'")
    return split
