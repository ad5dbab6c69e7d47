"""Theorems of LeanDojo Benchmark 4, and of any Lean repository that lean-dojo can trace.

A file of the benchmark is one JSON list of theorems, each an object with ``url``, ``commit``, ``file_path``,
``full_name``, ``start``, ``end`` and ``traced_tactics``, a list of objects with ``tactic``, ``annotated_tactic``,
``state_before`` and ``state_after`` (Yang et al. 2023, arXiv 2306.15626). What is stated is not in it: the statement is
rebuilt from the state before the first tactic.
"""

from __future__ import annotations

import importlib
import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from proofgrad.envs.base import HELD_OUT, TRAIN
from proofgrad.envs.theorems.declaration import SourceError, read_header
from proofgrad.envs.theorems.recorded import (
    REFUSED,
    PathOption,
    Record,
    RecordedTheorems,
    RowError,
    check_record,
    files_of,
)
from proofgrad.envs.theorems.tactic_state import IrrecoverableError, Step, replay, statement_from_state
from proofgrad.verifiers.base import Json
from proofgrad.verifiers.errors import ConfigError, MissingExtraError, ToolchainError

__all__ = ["LeanDojoEnv", "record_of", "row_of", "trace_repository", "write_rows"]

_LOG = logging.getLogger(__name__)

_SPLITS = {"train": TRAIN, "val": HELD_OUT, "test": HELD_OUT}


class LeanDojoEnv(RecordedTheorems):
    """Theorems from files of LeanDojo Benchmark 4, or from files that `write_rows` wrote.

    The statement comes from the state before the first tactic, so where a proof is a term with tactics inside, what is
    asked is that part of the theorem. Theorems without a tactic have no state, and some states cannot be turned back
    into a statement (see `statement_from_state`): they are left out, counted in `left_out`, and reported in one log
    line. The demonstration is the recorded tactics, where they can be put together again; that this Lean and this
    library accept it is for the verifier to say.

    ``train.json`` is for training; ``val.json`` and ``test.json`` are held out. The theorems of a file of another name
    belong to the split that the hash of their statement decides: one in five is held out. Theorems with the same
    statement, up to the names of its binders, are one task, held out if any of them is.

    The header is the same for all tasks. Mind that ``import Mathlib`` also imports the theorem to be proved, under its
    own name, which a policy may come to use.

    Args:
        path: a file, a folder with ``train.json``, ``val.json`` and ``test.json`` such as ``random`` and
            ``novel_premises`` (all ``*.json`` in it are read), or a list of these.
        style: ``plain`` prompts end in ``:=`` and the completion goes on from there; ``chat`` prompts are one user
            message with a ```lean4 block to complete.
        header: lines of ``import``, ``open``, ``set_option`` and ``universe`` for all tasks.
        verifier: the name of the tasks' verifier.

    Attributes:
        left_out: how many theorems were left out, by reason.

    Raises:
        ConfigError: an option is wrong, a file has another shape (one line names the file, the row and the field), or
            no theorem is left.
    """

    left_out: Mapping[str, int]

    def __init__(self, path: PathOption, style: str = "plain", header: str = "", verifier: str = "lean") -> None:
        name = "lean_dojo"
        try:
            header = read_header(header)
        except SourceError as error:
            raise ConfigError(f"environment '{name}': the option 'header' {error}") from error
        records: list[Record] = []
        left_out: Counter[str] = Counter()
        for file in files_of(name, path, ".json"):
            for row, place in _read(file):
                try:
                    records.append(record_of(row, header, _SPLITS.get(file.stem)))
                except IrrecoverableError as error:
                    left_out[error.reason] += 1
                except RowError as error:
                    raise ConfigError(f"{place}: {error}") from error
        self.left_out = dict(left_out.most_common())
        reasons = ", ".join(f"{count} × {reason}" for reason, count in self.left_out.items())
        if not records:
            raise ConfigError(
                f"environment '{name}': no theorem is left of {path} ({reasons or 'the files are empty'})"
            )
        if left_out:
            _LOG.warning(
                "%s: left out %d of %d theorems: %s", name, left_out.total(), left_out.total() + len(records), reasons
            )
        super().__init__(name, records, style, verifier)


def record_of(row: object, header: str = "", split: str | None = None) -> Record:
    """The record of one theorem of the benchmark.

    Raises:
        RowError: the row has another shape; the message begins with the field.
        IrrecoverableError: it has no tactics, or a state that cannot be turned back into a statement that the verifier
            takes.
    """
    if not isinstance(row, dict):
        raise RowError("the row is no JSON object")
    texts = {key: _text(row, key) for key in ("url", "commit", "file_path", "full_name")}
    steps = _steps(row)
    if not steps:
        raise IrrecoverableError("no tactics")
    statement = statement_from_state(steps[0].before)
    name = texts["full_name"]
    record = Record(
        place=f"{texts['url']}@{texts['commit']}:{texts['file_path']}",
        name=name,
        statement=statement,
        head=f"theorem {name} {statement}",
        header=header,
        proof=replay(steps),
        split=split,
    )
    try:
        check_record(record)
    except RowError as error:
        raise IrrecoverableError(REFUSED) from error
    return record


def trace_repository(url: str, commit: str, *, dependencies: bool = False) -> list[dict[str, Json]]:
    """Trace a Lean repository with lean-dojo, and give its theorems in the form of the benchmark.

    This clones and builds the repository: it needs git, network and Lean's build tool lake, and for Mathlib hours and
    tens of gigabytes. lean-dojo keeps the result in its own cache.

    Args:
        url: the repository's.
        commit: a hash or a tag.
        dependencies: also trace what it depends on; its own theorems are all that is returned either way.

    Raises:
        MissingExtraError: lean-dojo is not installed.
        ToolchainError: lean-dojo failed.
    """
    lean_dojo = _library()
    try:
        repo = lean_dojo.LeanGitRepo(url, commit)
        traced = lean_dojo.trace(repo, build_deps=dependencies)
        # A traced repository is read from lean-dojo's cache and bears the path there as its URL.
        own = (traced.repo.url, traced.repo.commit)
        theorems = [t for t in traced.get_traced_theorems() if (t.repo.url, t.repo.commit) == own]
        return [row_of(theorem, repo.url, repo.commit) for theorem in theorems]
    except Exception as error:  # whatever git, lake, GitHub and lean-dojo's own assertions raise
        raise ToolchainError(f"lean-dojo could not trace {url} at {commit}: {_first_line(error)}") from error


def row_of(theorem: Any, url: str, commit: str) -> dict[str, Json]:
    """A `lean_dojo.TracedTheorem` in the form of the benchmark.

    The benchmark leaves out the tactics that are a bullet; here they stay, because a proof is put together better with
    them. A theorem whose proof is a term has no tactics here, since the first state inside is not its statement.
    """
    tactics = theorem.get_traced_tactics() if theorem.has_tactic_proof() else []
    return {
        "url": url,
        "commit": commit,
        "file_path": str(theorem.file_path),
        "full_name": str(theorem.theorem.full_name),
        "start": list(theorem.start),
        "end": list(theorem.end),
        "traced_tactics": [
            {
                "tactic": tactic.tactic,
                "annotated_tactic": list(tactic.get_annotated_tactic()),
                "state_before": tactic.state_before,
                "state_after": tactic.state_after,
            }
            for tactic in tactics
        ],
    }


def write_rows(rows: Iterable[Mapping[str, Json]], path: str | Path) -> None:
    """Write theorems in the form of the benchmark to a file that `LeanDojoEnv` reads.

    A file called ``train.json``, ``val.json`` or ``test.json`` is of that split; in any other the statements' hashes
    decide.
    """
    Path(path).write_text(json.dumps(list(rows), ensure_ascii=False), "utf-8")


def _library() -> Any:
    """lean-dojo, imported when it is needed: that starts git and reads a ``.env`` file."""
    try:
        return importlib.import_module("lean_dojo")
    except ModuleNotFoundError as error:
        if error.name != "lean_dojo":
            raise ToolchainError(f"lean-dojo is installed but cannot be imported: {_first_line(error)}") from error
        raise MissingExtraError("lean-dojo", "lean-dojo", "tracing a Lean repository") from error
    except Exception as error:  # it runs git when imported and asserts its version
        raise ToolchainError(f"lean-dojo cannot be imported: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _read(file: Path) -> Iterator[tuple[object, str]]:
    """The theorems of a file, each with its place."""
    try:
        rows = json.loads(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: the file is not UTF-8 (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: the file is not JSON ({_first_line(error)})") from error
    if not isinstance(rows, list):
        raise ConfigError(f"{file}: the file is no JSON list of theorems")
    return ((row, f"{file}[{index}]") for index, row in enumerate(rows))


def _text(row: Mapping[str, Any], key: str, field: str = "") -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise RowError(f"'{field or key}' is of type {type(value).__name__}; it has to be a string")
    if found := re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]", value):
        raise RowError(f"'{field or key}' holds the character U+{ord(found[0]):04X}, which has no place in text")
    return value


def _steps(row: Mapping[str, Any]) -> list[Step]:
    tactics = row.get("traced_tactics")
    if not isinstance(tactics, list):
        raise RowError(f"'traced_tactics' is of type {type(tactics).__name__}; it has to be a list")
    steps = []
    for index, tactic in enumerate(tactics):
        place = f"traced_tactics[{index}]"
        if not isinstance(tactic, dict):
            raise RowError(f"'{place}' is of type {type(tactic).__name__}; it has to be an object")
        fields = ("tactic", "state_before", "state_after")
        steps.append(Step(*(_text(tactic, key, f"{place}.{key}") for key in fields)))
    return steps
