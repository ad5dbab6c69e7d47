"""Samples of runs and evaluations for the browser: which are shown, how they are cut, how they are packed.

What is packed is an index, which the page needs at once, and the texts in parts, which it unpacks behind it. Both are
JSON, gzip and base64: text of a candidate is nowhere in the page as it stands.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofgrad.rl.plain import plain
from proofgrad.rl.report.names import LONGEST_NAME, short
from proofgrad.rl.report.tables import Notices, rows_of, usable_rows

__all__ = ["Packed", "Source", "pack", "read_samples"]

_COLUMNS = (
    "task", "domain", "difficulty", "split", "prompt", "verifier", "outcome", "score", "reason", "tokens",
    "generate_seconds", "verify_seconds", "halt", "turns",
)  # fmt: skip
_OF_TURNS = (
    "completion", "candidate", "outcome", "score", "reason", "feedback", "tokens", "generate_seconds", "verify_seconds",
)  # fmt: skip
_FILTERS = ("evaluation", "domain", "outcome", "reason", "split", "turns", "verifier")
_CHUNK = 500
_PREVIEW = 90
_LONGEST_TEXT = 4000
# base64 makes four bytes of three: this leaves the page under 15 MB with room for everything else.
_BUDGET_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """A file of samples.

    Attributes:
        label: how it is called among the filters.
        path: the parquet file.
        training: whether it was recorded while training; evaluations go first where not all can be shown.
    """

    label: str
    path: Path
    training: bool = False


@dataclass(frozen=True, slots=True)
class Packed:
    """What goes into the page: base64 text, and what a reader has to know about what was left out."""

    index: str
    texts: tuple[str, ...]
    shown: int
    note: str


def read_samples(sources: Sequence[Source], most: int, notices: Notices, seed: int = 0) -> dict[str, Any]:
    """Up to `most` samples of all the files, drawn at random where there are more: first those of evaluations.

    What lacks a column, or is removed while it is read, is left out and said in `notices`. Returns ``rows``, how many
    there were and are (``total``, ``shown``), the ``seed``, and a ``note`` that says so.

    Raises:
        ConfigError: a file cannot be read.
    """
    sizes = [usable_rows(one.path, _COLUMNS, _OF_TURNS, _what(one), notices) for one in sources]
    if not most:
        return {
            "total": sum(sizes),
            "shown": 0,
            "seed": seed,
            "note": f"{sum(sizes):,} samples, not shown.",
            "rows": [],
        }
    kept: list[dict[str, Any]] = []
    notes = []
    for training, what in ((False, "evaluation"), (True, "training")):
        places = [(s, n) for s, source in enumerate(sources) if source.training is training for n in range(sizes[s])]
        room = max(0, most - len(kept))
        drawn = places
        how = ""
        if len(places) > room:
            drawn = sorted(random.Random(f"report/{seed}/{what}").sample(places, room))
            how = f", drawn at random with seed {seed}"
        rows = list(_rows(sources, drawn, notices))
        if places:
            some = "all" if len(rows) == len(places) else f"{len(rows):,} of"
            notes.append(f"{some} {len(places):,} {what} samples{how}")
        kept += rows
    note = f"Shown: {'; '.join(notes)}." if notes else "Nothing was recorded sample by sample."
    return {"total": sum(sizes), "shown": len(kept), "seed": seed, "note": note, "rows": kept}


def _what(source: Source) -> str:
    return f"The samples of '{source.label}' are"


def _columns_of(path: Path) -> Sequence[str]:
    import pyarrow.parquet as pq

    try:
        return [*_COLUMNS, "advantage"] if "advantage" in pq.read_schema(path).names else _COLUMNS
    except OSError:  # gone since it was counted, which reading it will say
        return _COLUMNS


def _rows(sources: Sequence[Source], places: Sequence[tuple[int, int]], notices: Notices) -> Iterator[dict[str, Any]]:
    wanted: dict[int, list[int]] = {}
    for number, index in places:
        wanted.setdefault(number, []).append(index)
    for number, chosen in wanted.items():
        source = sources[number]
        rows = rows_of(source.path, _columns_of(source.path), _what(source), notices)
        for index in chosen:
            if index < len(rows):  # a file can have been replaced since it was counted
                yield plain({"evaluation": source.label, **rows[index]})


def pack(rows: Sequence[Mapping[str, Any]], note: str, budget: int = _BUDGET_BYTES) -> Packed:
    """Pack samples into at most `budget` bytes before base64, cutting long texts and then leaving out samples.

    Both are said in the note, and so is that reasons and identities of tasks are cut. What was cut says so at its end.
    """
    longest, kept, cut = _LONGEST_TEXT, list(rows), False
    while True:
        texts, cut = _texts(kept, longest)
        packed = [_gzip(texts[i : i + _CHUNK]) for i in range(0, len(texts), _CHUNK)]
        index = _gzip(_index(kept))
        size = len(index) + sum(map(len, packed))
        if size <= budget or not kept:
            break
        if longest > _LONGEST_TEXT // 8:
            longest //= 2
        else:
            # What texts are left differ little in size, so the share that fits is known; a little less, to be done.
            fits = int(len(kept) * budget / size * 0.95)
            kept = [kept[i] for i in sorted(random.Random("report/size").sample(range(len(kept)), fits))]
    if cut:
        note += f" Texts longer than {longest:,} characters are cut."
    if any(len(str(name)) > LONGEST_NAME for row in kept for name in (row["reason"], row["task"])):
        note += f" Reasons and tasks with names longer than {LONGEST_NAME:,} characters are cut."
    if len(kept) < len(rows):
        note += f" To keep the page small {len(rows) - len(kept):,} of these, drawn at random, are left out."
    encoded = [base64.b64encode(part).decode() for part in (index, *packed)]
    return Packed(encoded[0], tuple(encoded[1:]), len(kept), note)


def _gzip(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # A lone surrogate, which no UTF-8 has, is shown as what it is.
    return gzip.compress(text.encode("utf-8", "backslashreplace"), 6, mtime=0)


def _index(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {}
    names: dict[str, list[str]] = {}
    for name in _FILTERS:
        values = [short(str(len(row["turns"]) if name == "turns" else row[name])) for row in rows]
        known = {value: i for i, value in enumerate(sorted(set(values)))}
        names[name], columns[name] = list(known), [known[value] for value in values]
    columns["task"] = [short(str(row["task"])) for row in rows]
    columns["score"] = [plain(row["score"]) for row in rows]
    columns["tokens"] = [row["tokens"] for row in rows]
    columns["preview"] = [_preview(row) for row in rows]
    return {"columns": columns, "names": names, "chunk": _CHUNK}


def _preview(row: Mapping[str, Any]) -> str:
    last = row["turns"][-1]
    text = last["candidate"] if last["candidate"] is not None else last["completion"]
    return " ".join(text[: 4 * _PREVIEW].split())[:_PREVIEW]


def _texts(rows: Sequence[Mapping[str, Any]], longest: int) -> tuple[list[Any], bool]:
    """For each sample [prompt, turns, further facts], and whether anything had to be cut."""
    was_cut = False

    def cut(text: str | None) -> str | None:
        nonlocal was_cut
        if text is None or len(text) <= longest:
            return text
        was_cut = True
        return f"{text[:longest]}\n… cut here: {len(text) - longest:,} more characters"

    found: list[Any] = []
    for row in rows:
        turns = [
            [
                cut(turn["completion"]), cut(turn["candidate"]), turn["outcome"], plain(turn["score"]),
                short(str(turn["reason"])), cut(turn["feedback"]), turn["tokens"], plain(turn["generate_seconds"]),
                plain(turn["verify_seconds"]),
            ]
            for turn in row["turns"]
        ]  # fmt: skip
        extra = {
            "halt": row["halt"],
            "generate_seconds": _seconds(row["generate_seconds"]),
            "verify_seconds": _seconds(row["verify_seconds"]),
        }
        extra |= {key: value for key in ("difficulty", "advantage") if (value := plain(row.get(key))) is not None}
        found.append([cut(row["prompt"]), turns, extra])
    return found, was_cut


def _seconds(value: float | None) -> float | None:
    known: float | None = plain(value)
    return None if known is None else round(known, 4)
