"""``proofgrad compare A B``: what one evaluation is, measured against another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from proofgrad.rl.console import console, signed
from proofgrad.verifiers.errors import ConfigError

if TYPE_CHECKING:
    from proofgrad.rl.evaluation.compare import DomainComparison, EvaluationComparison
    from proofgrad.rl.evaluation.jaggedness import Jaggedness
    from proofgrad.rl.evaluation.stored import StoredEvaluation

__all__ = ["compare_command", "to_markdown"]

_SHOWN = 10
_COLOURS = {"better": "green", "worse": "red", "tied": "blue", "undecided": "yellow"}
_HEADINGS = ("domain", "n", "A", "B", "B - A", "p", "B is", "detects")


def compare_command(
    evaluations: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C]...", help="Run or evaluation directories; RUN means RUN:after. All are held against A."
        ),
    ],
    k: Annotated[int, typer.Option(min=1, help="Compare by pass@k.")] = 1,
    margin: Annotated[float, typer.Option(help="Differences within it count as none, for the word tied.")] = 0.05,
    force: Annotated[
        bool, typer.Option("--force", help="Compare although different verifier versions judged them, with a warning.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
) -> None:
    """Compare evaluations over the problems they share: better, worse, tied or undecided, domain by domain."""
    from proofgrad.rl.evaluation.compare import compare_all

    if as_json and as_markdown:
        raise ConfigError("--json and --markdown exclude each other: give one of them")
    found = compare_all(_opened(evaluations), k=k, margin=margin, force=force)
    if as_json:
        print(json.dumps({"comparisons": [comparison.to_json() for comparison in found]}))
    elif as_markdown:
        print(to_markdown(found))
    else:
        for comparison in found:
            _show(comparison)


def _opened(names: Sequence[str]) -> list[StoredEvaluation]:
    """The evaluations; those whose names would be the same get their paths for names."""
    from proofgrad.rl.evaluation.stored import open_evaluation

    opened = [open_evaluation(name) for name in names]
    shown = [stored.name for stored in opened]
    return [
        replace(stored, name=path) if shown.count(stored.name) > 1 else stored
        for path, stored in zip(names, opened, strict=True)
    ]


def _show(comparison: EvaluationComparison) -> None:
    table = Table(title=_title(comparison), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in _HEADINGS:
        is_left = heading in ("domain", "B is")
        # On a narrow terminal a rate's interval goes under it, and no word is cut.
        table.add_column(heading, justify="left" if is_left else "right", no_wrap=heading not in ("A", "B", "B - A"))
    for row in comparison.domains:
        *cells, conclusion, detectable = _cells(row)
        table.add_row(*cells, f"[{_COLOURS[conclusion]}]{conclusion}[/]", detectable)
    console.print(table)
    for line in _notes(comparison):
        console.print(line, markup=False, soft_wrap=True)


def to_markdown(comparisons: Sequence[EvaluationComparison]) -> str:
    """A heading, a table and notes for each comparison."""
    parts = []
    for comparison in comparisons:
        rows = [_HEADINGS, ("---",) + ("---:",) * 5 + ("---", "---:"), *(_cells(row) for row in comparison.domains)]
        table = "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows)
        notes = "\n".join(f"- {line}" for line in _notes(comparison))
        parts.append(f"### {_title(comparison)}\n\n{table}\n\n{notes}")
    return "\n\n".join(parts)


def _title(comparison: EvaluationComparison) -> str:
    return f"pass@{comparison.k}: A is {comparison.a}, B is {comparison.b}"


def _cells(row: DomainComparison) -> tuple[str, ...]:
    return (
        row.domain, str(row.problems), str(row.a), str(row.b), signed(row.difference),
        "<0.001" if row.p_adjusted < 0.001 else f"{row.p_adjusted:.3f}", row.conclusion, f"{100 * row.detectable:.1f}",
    )  # fmt: skip


def _notes(comparison: EvaluationComparison) -> list[str]:
    """What the table cannot say, a line each; warnings first."""
    lines = [f"warning: {warning}" for warning in comparison.warnings]
    lines += [_undecided(row) for row in comparison.domains if row.conclusion == "undecided"]
    for name, uneven in (("A", comparison.jaggedness_a), ("B", comparison.jaggedness_b)):
        if uneven is not None:
            lines.append(_uneven(name, uneven))
    for name, tasks in (("A", comparison.only_a), ("B", comparison.only_b)):
        shown = ", ".join(tasks[:_SHOWN]) + (", ..." if len(tasks) > _SHOWN else "")
        lines.append(f"only {name} solves {len(tasks)} of the shared problems" + (f": {shown}" if tasks else ""))
    lines.append(
        "n is the problems that both were judged on; intervals are at 95%; p is Holm's, over every row of every "
        f"comparison; tied: the 90% interval lies within ±{100 * comparison.margin:g} points; detects: the difference, "
        "in points, that 8 of 10 such comparisons find"
    )
    return lines


def _undecided(row: DomainComparison) -> str:
    needed = (
        "no number of them would settle a difference like this"
        if row.needed is None
        else (f"about {row.needed:,} would be needed if the difference is what it looks like")
    )
    return f"{row.domain}: too few problems to say; {needed}"


def _uneven(name: str, uneven: Jaggedness) -> str:
    low, high = 100 * uneven.spread.low, 100 * uneven.spread.high
    return (
        f"{name} over domains: {100 * uneven.spread.mean:.1f} points from best to worst [{low:.1f}, {high:.1f}]; "
        f"worst is {uneven.worst}, {uneven.worst_rate}"
    )
