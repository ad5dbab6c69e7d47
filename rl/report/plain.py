"""Dataclasses, tuples and numbers of any library as plain JSON values."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from proofgrad.verifiers.errors import ConfigError

__all__ = ["LONGEST_NAME", "plain", "read_json", "short"]

LONGEST_NAME = 200  # characters of a reason or a task's identity that are shown


def plain(value: Any) -> Any:
    """`value` in JSON's own types; named tuples become objects, and what is no finite number becomes null."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Path | str):
        return str(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "item"):  # a number of numpy's
        return plain(value.item())
    return str(value)


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
