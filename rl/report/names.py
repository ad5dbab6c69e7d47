"""What the report reads and shows of files and names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from proofgrad.rl.plain import plain
from proofgrad.verifiers.errors import ConfigError

__all__ = ["LONGEST_NAME", "read_json", "short"]

LONGEST_NAME = 200  # characters of a reason or a task's identity that are shown


def short(name: str) -> str:
    """`name`, or its first `LONGEST_NAME` characters and how many more there are."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}… ({len(name) - LONGEST_NAME:,} more characters)"


def read_json(path: Path) -> Any:
    """What a JSON file holds, or None where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    if not path.is_file():
        return None
    try:
        return plain(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read '{path}': {str(error).splitlines()[0]}") from error
