"""What a person sees while a run goes on: headings, progress, tables."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from proofgrad.rl.evaluate import Comparison
    from proofgrad.rl.stats import Estimate

__all__ = ["Tracker", "comparison_table", "console", "signed", "track"]

# A pipe or a log has no width of its own; 80 columns would cut the tables.
console = Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 110)

_LINE_EVERY_SECONDS = 15.0


class Tracker(Protocol):
    """Counts work done."""

    def advance(self, n: int = 1, note: str = "") -> None:
        """`n` more are done; `note` replaces the text behind the bar."""
        ...


class _Bar:
    def __init__(self, progress: Progress, label: str, total: int) -> None:
        self._progress, self._task = progress, progress.add_task(label, total=total, note="")

    def advance(self, n: int = 1, note: str = "") -> None:
        self._progress.advance(self._task, n)
        if note:
            self._progress.update(self._task, note=note)


class _Lines:
    """For logs and pipes: a line now and then in place of a bar."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total, self._done, self._note = label, total, 0, ""
        self._start = self._last = time.monotonic()

    def advance(self, n: int = 1, note: str = "") -> None:
        self._done, self._note = self._done + n, note or self._note
        now = time.monotonic()
        if self._done >= self._total or now - self._last >= _LINE_EVERY_SECONDS:
            self._last = now
            console.print(
                f"  {self._label} {self._done}/{self._total} {now - self._start:.0f}s {self._note}".rstrip(),
                soft_wrap=True,
            )


class _Silent:
    """For all processes but the first."""

    def advance(self, n: int = 1, note: str = "") -> None:
        pass


@contextmanager
def track(label: str, total: int) -> Iterator[Tracker]:
    """A progress bar on a terminal, occasional lines elsewhere, from the first of several processes."""
    if int(os.environ.get("RANK", "0")):
        yield _Silent()
        return
    if not console.is_terminal:
        yield _Lines(label, total)
        return
    columns = (
        TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        yield _Bar(progress, label, total)


def signed(gain: Estimate) -> str:
    """A difference of two rates, in percentage points."""
    return f"{100 * gain.mean:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def comparison_table(rows: list[Comparison], title: str) -> Table:
    """Before, after and gain by domain."""
    table = Table(title=title, caption="95% intervals over problems; the gain is paired by problem", min_width=70)
    for heading in ("domain", "problems", "before", "after", "gain"):
        table.add_column(heading, justify="left" if heading == "domain" else "right", no_wrap=True)
    for row in rows:
        table.add_row(row.domain, str(row.problems), str(row.before), str(row.after), signed(row.gain))
    return table
