"""Tables of samples that may lack something: what is left out is said in a notice, and the rest is shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proofgrad.rl.evaluation.stored import read_rows
from proofgrad.verifiers.errors import ConfigError

__all__ = ["Notices", "rows_of", "usable_rows"]


@dataclass(slots=True)
class Notices:
    """What a reader has to know beside the figures, each text once, in the order in which it came up."""

    found: list[dict[str, str]] = field(default_factory=list)

    def add(self, text: str, kind: str = "note") -> None:
        """Say `text`; `kind` is "note" or "warning"."""
        notice = {"kind": kind, "text": text}
        if notice not in self.found:
            self.found.append(notice)

    def lacks(self, what: str, path: Path, column: str) -> None:
        """Say that `what` is left out for want of a column."""
        self.add(f"{what} left out: '{path}' has no column '{column}', as it was written by another version.")

    def gone(self, what: str, path: Path) -> None:
        """Say that `what` is left out for want of its file, which was there a moment ago."""
        self.add(f"{what} left out: '{path}' was removed while it was read, as a run that resumes does.")

    def no_utf8(self, what: str, path: Path) -> None:
        """Say that `what` is left out for the name of its file."""
        self.add(f"{what} left out: '{path}' is no UTF-8, and tables are opened by no other names; rename it.")


def usable_rows(path: Path, columns: Sequence[str], of_turns: Sequence[str], what: str, notices: Notices) -> int:
    """How many rows a file has; none where it lacks a column, or its turns a key, which is then said.

    Raises:
        ConfigError: it is there and cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            count, missing = int(file.metadata.num_rows), _missing(file, columns, of_turns)
    except FileNotFoundError:
        notices.gone(what, path)
        return 0
    except UnicodeEncodeError:
        notices.no_utf8(what, path)
        return 0
    except (OSError, pa.ArrowInvalid) as error:
        raise ConfigError(f"cannot read '{path}': {str(error).splitlines()[0]}") from error
    if not count or missing is None:
        return count
    notices.lacks(what, path, missing)
    return 0


def _missing(file: Any, columns: Sequence[str], of_turns: Sequence[str]) -> str | None:
    """The first column, or key of the first turn, that is not there."""
    for column in columns:
        if column not in file.schema_arrow.names:
            return column
    first = next(file.iter_batches(batch_size=1, columns=["turns"]), None)
    if first is None or not first.num_rows:
        return None
    turns = first.to_pylist()[0]["turns"]
    try:
        turns = json.loads(turns) if isinstance(turns, str) else turns
    except ValueError:
        return None  # which reading it will say
    return next((f"turns.{key}" for key in of_turns if turns and key not in turns[0]), None)


def rows_of(path: Path, columns: Sequence[str], what: str, notices: Notices) -> list[dict[str, Any]]:
    """`read_rows`, or none where the file has gone, lacks a column or cannot be opened by its name; that is then said.

    Raises:
        ConfigError: it is there and cannot be read.
    """
    try:
        return read_rows(path, columns)
    except UnicodeEncodeError:
        notices.no_utf8(what, path)
        return []
    except ConfigError:
        if not path.is_file():
            notices.gone(what, path)
            return []
        count, missing = _lacking(path, columns)
        if missing is None:
            raise
        if count:  # a table without rows has no columns either, and nothing to lose
            notices.lacks(what, path, missing)
        return []


def _lacking(path: Path, columns: Sequence[str]) -> tuple[int, str | None]:
    """A file's rows, and the first of the columns that it has not; None where it has all, or cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path)
    except (OSError, pa.ArrowInvalid):
        return 0, None
    names = metadata.schema.to_arrow_schema().names
    return int(metadata.num_rows), next((column for column in columns if column not in names), None)
