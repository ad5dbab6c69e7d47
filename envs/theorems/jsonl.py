"""Theorems from JSON Lines files in the manner of miniF2F: one JSON object a line, each with a formal statement."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from proofgrad.envs.base import HELD_OUT, TRAIN
from proofgrad.envs.theorems.declaration import (
    Declaration,
    SourceError,
    body_of,
    normal_form,
    read_declaration,
    read_header,
    split_header,
    without_blank_lines,
    without_comments,
)
from proofgrad.envs.theorems.recorded import (
    REFUSED,
    PathOption,
    Record,
    RecordedTheorems,
    RefusedError,
    RowError,
    check_record,
    files_of,
)
from proofgrad.verifiers.errors import ConfigError

__all__ = ["JsonlTheoremsEnv", "record_of"]

_LOG = logging.getLogger(__name__)

_SPLITS = {
    "train": TRAIN,
    "training": TRAIN,
    "valid": HELD_OUT,
    "val": HELD_OUT,
    "validation": HELD_OUT,
    "dev": HELD_OUT,
    "test": HELD_OUT,
    HELD_OUT: HELD_OUT,
}
_PLACEHOLDER = re.compile(r"\b(sorry|admit)\b")
_NO_PROOF = re.compile(r"(by\b)?\s*(sorry|admit)?")
_GOES_ON = re.compile(r"(\b(by|with|then|else|from|at|fun|do)|=>|↦|:=|[,(\[{⟨])\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class JsonlTheoremsEnv(RecordedTheorems):
    """Theorems from files whose lines are objects with these keys; others are not read.

    - ``formal_statement``: ``theorem NAME (x : ℝ) (h : x = 1) : x + 1 = 2 := by``, or with ``lemma``; what follows the
      type may be nothing, ``:=``, ``:= by``, ``:= sorry`` or ``:= by sorry``. Anything else there without a ``sorry``
      is the theorem's proof. Comments are left out; lines of ``import``, ``open``, ``set_option`` and ``universe``
      before the theorem join the header.
    - ``name``: if not given, the theorem's own.
    - ``header``: lines of ``import``, ``open``, ``set_option`` and ``universe``.
    - ``split``: ``valid`` (also ``val``, ``validation``, ``dev``) and ``test`` are held out, ``train`` is for training.
      A row without one belongs to the split that the hash of its statement decides: one in five is held out.
    - ``informal_prefix``: what the theorem says in words, usually a comment; shown in chat style.
    - ``formal_proof`` or ``proof``: the body after ``:=``, or the whole theorem again, or tactics alone if the formal
      statement ends in ``by`` or ``by sorry``. One that holds a ``sorry`` counts as none.

    Two rows of one name with different statements are an error. Rows with the same statement, up to white space and
    the names of its binders, are one task: that of the first of them with a proof, or else of the first; it is held
    out if any of them is.

    A statement that the verifier ``lean`` does not take is an error too, unless `skip_refused` leaves it out; whether
    one that it takes also elaborates is seen when it is judged.

    Args:
        path: a file, a folder (all its ``*.jsonl``, by name), or a list of these.
        style: ``plain`` prompts end in ``:=`` and the completion goes on from there; ``chat`` prompts are one user
            message with a ```lean4 block to complete.
        header: instead of the rows' own headers; "" for none.
        only_splits: read only rows whose ``split`` is one of these words, e.g. ``["test"]``.
        skip_refused: leave rows out whose statement the verifier does not take; `left_out` counts them.
        verifier: the name of the tasks' verifier.

    Attributes:
        left_out: how many rows were left out, by reason.

    Raises:
        ConfigError: an option is wrong, or a row is malformed; then one line names the file, the line and the field.
    """

    def __init__(
        self,
        path: PathOption,
        style: str = "plain",
        header: str | None = None,
        only_splits: Sequence[str] | None = None,
        skip_refused: bool = False,
        verifier: str = "lean",
    ) -> None:
        name = "theorems_jsonl"
        wanted = None if only_splits is None else frozenset(only_splits)
        if isinstance(only_splits, str) or (wanted is not None and not wanted <= _SPLITS.keys()):
            raise ConfigError(
                f"environment '{name}': only_splits is {only_splits!r}; it is a list of {', '.join(_SPLITS)}"
            )
        own_header = _option_header(name, header)
        refused: list[str] = []
        records = [
            record
            for file in files_of(name, path, ".jsonl")
            for record in _read(file, own_header, wanted, refused if skip_refused else None)
        ]
        self.left_out = {REFUSED: len(refused)} if refused else {}
        if not records:
            left_out = f" ({refused[0]})" if refused else ""
            raise ConfigError(f"environment '{name}': there is no row to read in {path}{left_out}")
        if refused:
            total = len(refused) + len(records)
            _LOG.warning("%s: left out %d of %d rows, the first one: %s", name, len(refused), total, refused[0])
        _check_names(records)
        super().__init__(name, records, style, verifier)


def record_of(row: object, place: str, header: str | None = None) -> Record:
    """The record of one row, as `JsonlTheoremsEnv` describes it.

    Args:
        row: what `json.loads` made of the line.
        place: the file and line, for the record.
        header: instead of the row's own.

    Raises:
        RowError: the row is malformed; the message begins with the field.
        RefusedError: the verifier does not take the statement.
    """
    if not isinstance(row, dict):
        raise RowError("the row is no JSON object")
    fields = _Fields(row)
    try:
        inner_header, rest = split_header(without_comments(fields.required("formal_statement")))
        declaration = read_declaration(rest)
    except SourceError as error:
        raise RowError(f"'formal_statement' {error}") from error
    try:
        outer_header = read_header(fields.text("header")) if header is None else header
    except SourceError as error:
        raise RowError(f"'header' {error}") from error
    split = fields.text("split")
    if split and split not in _SPLITS:
        raise RowError(f"'split' is {split[:40]!r}; allowed are {', '.join(_SPLITS)}")
    record = Record(
        place=place,
        name=fields.text("name").strip() or declaration.name,
        statement=declaration.statement,
        head=declaration.head,
        header="\n".join(part for part in (outer_header, inner_header if header is None else "") if part),
        informal=_as_comment(fields.text("informal_prefix").strip()),
        proof=_proof(fields, declaration),
        split=_SPLITS.get(split),
    )
    try:
        check_record(record)
    except RowError as error:
        raise type(error)(f"'formal_statement' {error}") from error
    return record


class _Fields:
    """A row's strings; null is the same as not there."""

    def __init__(self, row: dict[str, Any]) -> None:
        self._row = row

    def text(self, key: str) -> str:
        value = self._row.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise RowError(f"'{key}' is of type {type(value).__name__}; it has to be a string")
        if found := _CONTROL.search(value):
            raise RowError(f"'{key}' holds the character U+{ord(found[0]):04X}, which has no place in text")
        return value.replace("\r\n", "\n").replace("\r", "\n")

    def required(self, key: str) -> str:
        text = self.text(key)
        if not text.strip():
            raise RowError(f"'{key}' is missing or empty")
        return text


def _proof(fields: _Fields, declaration: Declaration) -> str | None:
    """The body that proves the theorem, if the row has one."""
    own = declaration.body or ""
    for key in ("formal_proof", "proof"):
        given = fields.text(key)
        if not given.strip():
            continue
        try:
            code = without_comments(given)
        except SourceError as error:
            raise RowError(f"'{key}' {error}") from error
        body = without_blank_lines(body_of(code))
        if _PLACEHOLDER.search(body) or not body.strip():
            continue
        tactics = own.startswith("by") and _NO_PROOF.fullmatch(own) is not None
        if tactics and body == without_blank_lines(code) and not re.match(r"\s*by\b", body):
            return "by\n" + _indented(body)
        return body.strip(" ")
    return without_blank_lines(own) if own and not _NO_PROOF.fullmatch(own) and not _PLACEHOLDER.search(own) else None


def _indented(tactics: str) -> str:
    """The lines of a tactic block, indented by two spaces at least."""
    lines = tactics.split("\n")
    margins = [len(line) - len(line.lstrip()) for line in lines]
    if margins[0] > 0:
        return tactics
    # A block that stood behind `by` and its line break has lost the indentation of its first line only, unless the
    # first tactic goes on below.
    if len(lines) > 1 and min(margins[1:]) > 0 and not _GOES_ON.search(lines[0]):
        return " " * min(margins[1:]) + tactics
    return "\n".join(f"  {line}" for line in lines)


def _as_comment(text: str) -> str:
    return text if not text or text.startswith(("/-", "--")) else f"/-- {text} -/"


def _option_header(name: str, header: str | None) -> str | None:
    if header is None:
        return None
    try:
        return read_header(header)
    except SourceError as error:
        raise ConfigError(f"environment '{name}': the option 'header' {error}") from error


def _read(
    file: Path, header: str | None, wanted: Collection[str] | None, refused: list[str] | None
) -> Iterator[Record]:
    """The records of a file; the places of refused statements go to `refused`, if there is such a list."""
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: the file is not UTF-8 (byte {error.start})") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            record = record_of(row, f"{file.name}:{number}", header)
            if wanted is None or row.get("split") in wanted:
                yield record
        except RefusedError as error:
            if refused is None:
                hint = "; the option skip_refused leaves such rows out"
                raise ConfigError(f"{file}:{number}: {error}{hint}") from error
            if wanted is None or row.get("split") in wanted:
                refused.append(f"{file}:{number}: {error}")
        except RowError as error:
            raise ConfigError(f"{file}:{number}: {error}") from error
        except (ValueError, RecursionError) as error:
            said = str(error).splitlines()[0]
            raise ConfigError(f"{file}:{number}: the row is not JSON ({said})") from error


def _check_names(records: Sequence[Record]) -> None:
    """Refuse two statements under one name."""
    first: dict[str, Record] = {}
    for record in records:
        other = first.setdefault(record.name, record)
        if other.statement != record.statement and normal_form(other.statement) != normal_form(record.statement):
            raise ConfigError(
                f"{record.place}: 'name' {record.name[:60]!r} belongs to another statement in {other.place}"
            )
