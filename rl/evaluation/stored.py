"""Stored evaluations, opened by name: those that a training run took, and those of ``proofgrad eval``.

A directory of ``proofgrad eval`` holds evaluation.json, rollouts.parquet and, with more than one turn, revision.json,
revised.parquet and best-of-n.parquet. A run directory holds eval/NAME.json with rollouts/NAME.parquet, for NAME before
and after; ``RUN`` means the last of them, ``RUN:before`` names one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofgrad.rl.evaluate import Evaluation
from proofgrad.verifiers.errors import ConfigError

__all__ = ["StoredEvaluation", "evaluations_in", "open_evaluation", "read_rows"]

_NAMES = ("before", "after")


@dataclass(frozen=True, slots=True)
class StoredEvaluation:
    """An evaluation on disk.

    Attributes:
        name: how it is shown, e.g. ``quickstart:after``.
        directory: of the evaluation or the run.
        evaluation: its results.
        rollouts: the parquet file with a row for every sample (`Rollout.to_row`).
    """

    name: str
    directory: Path
    evaluation: Evaluation
    rollouts: Path


def evaluations_in(path: Path) -> list[StoredEvaluation]:
    """Every evaluation that a run or evaluation directory holds, in the order in which they were taken.

    Raises:
        ConfigError: there is no such directory, it holds no finished evaluation, or one cannot be read.
    """
    if not path.is_dir():
        raise ConfigError(f"there is no run and no evaluation in '{path}': name a directory of train or eval")
    if (path / "evaluation.json").is_file():
        return [StoredEvaluation(path.name, path, _load(path / "evaluation.json"), path / "rollouts.parquet")]
    found = [
        StoredEvaluation(f"{path.name}:{name}", path, _load(file), path / "rollouts" / f"{name}.parquet")
        for name in _NAMES
        if (file := path / "eval" / f"{name}.json").is_file()
    ]
    if not found and (path / "settings.json").is_file():
        raise ConfigError(f"the evaluation in '{path}' is not finished: give its command again, and it goes on")
    if not found and (path / "config.yaml").is_file():
        raise ConfigError(
            f"the run '{path}' has no finished evaluation yet: go on with proofgrad train --resume {path}"
        )
    if not found:
        raise ConfigError(f"there is no evaluation in '{path}' (no evaluation.json, no config.yaml)")
    return found


def open_evaluation(text: str) -> StoredEvaluation:
    """The evaluation that ``DIRECTORY`` or ``RUN:NAME`` means.

    Raises:
        ConfigError: there is none of that name, or it is not finished.
    """
    directory, _, name = text.rpartition(":")
    if name not in _NAMES or not directory:
        return evaluations_in(Path(text))[-1]
    opened = evaluations_in(Path(directory))
    for found in opened:
        if found.name.endswith(f":{name}"):
            return found
    if (Path(directory) / "evaluation.json").is_file():
        raise ConfigError(f"'{directory}' is one evaluation and no run: it has no '{name}'; name it without that")
    raise ConfigError(f"the run '{directory}' has no evaluation '{name}' yet")


def _load(path: Path) -> Evaluation:
    try:
        return Evaluation.load(path)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"cannot read the evaluation '{path}': {str(error).splitlines()[0]}") from error


def read_rows(path: Path, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The rows of a parquet file of rollouts; `turns` and `problem`, which are JSON there, are decoded.

    Raises:
        ConfigError: it cannot be read, lacks a column, or holds something else than JSON there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            missing = [name for name in columns or () if name not in file.schema_arrow.names]
            if missing:
                raise ConfigError(f"'{path}' has no column '{missing[0]}': record it again")
            rows: list[dict[str, Any]] = file.read(columns=list(columns) if columns else None).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise ConfigError(f"cannot read '{path}': {str(error).splitlines()[0]}") from error
    for row in rows:
        for key in ("problem", "turns"):
            if isinstance(row.get(key), str):
                row[key] = _decoded(path, key, row[key])
    return rows


def _decoded(path: Path, key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError(f"'{path}' has a row whose '{key}' is no JSON: {error}") from error
