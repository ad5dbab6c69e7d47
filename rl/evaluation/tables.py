"""What is printed of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from proofgrad.rl.console import signed
from proofgrad.rl.evaluate import Evaluation
from proofgrad.rl.revision import Revision

__all__ = ["changes_line", "evaluation_table", "pace_line", "revision_table"]


def evaluation_table(evaluation: Evaluation) -> Table:
    """pass@k by domain, with intervals."""
    table = Table(title="held-out", caption="95% intervals over problems", min_width=60)
    table.add_column("domain")
    table.add_column("problems", justify="right")
    for k in evaluation.reported:
        table.add_column(f"pass@{k}", justify="right", no_wrap=True)
    unknown = sum(result.unknown for result in evaluation.results)
    for domain in evaluation.domains():
        found = [evaluation.pass_at(k, domain) for k in evaluation.reported]
        cells = ["too few judged" if estimate is None else str(estimate) for estimate in found]
        table.add_row(domain, str(len(evaluation.scored(domain))), *cells)
    if unknown:
        table.caption = f"95% intervals over problems; {unknown} completions could not be judged and are left out"
    return table


def pace_line(evaluation: Evaluation) -> str:
    """How fast it went, and what share of the time went into waiting for verdicts."""
    seconds = max(evaluation.seconds, 1e-9)
    return (
        f"{evaluation.tokens} tokens in {evaluation.seconds:.0f} s: {evaluation.tokens / seconds:.0f} tokens/s; "
        f"{100 * evaluation.waiting_seconds / seconds:.1f}% of the time went into waiting for verdicts"
    )


def revision_table(rows: list[Revision], turns: int) -> Table:
    """Revising against best-of-n by domain."""
    table = Table(
        title=f"revising, up to {turns} turns, against best-of-n at equal tokens",
        caption="share solved; 95% intervals over problems, the gain is paired by problem",
        min_width=70,
    )
    for heading in ("domain", "problems", "first attempt", "revising", "best-of-n", "gain"):
        table.add_column(heading, justify="left" if heading == "domain" else "right", no_wrap=True)
    for row in rows:
        gain = signed(row.gain)
        table.add_row(row.domain, str(row.problems), str(row.first), str(row.revising), str(row.best_of_n), gain)
    return table


def changes_line(changes: Mapping[tuple[str, str], int]) -> str:
    """How many verdicts changed, and how."""
    if not changes:
        return "no verdict changed"
    each = ", ".join(f"{n} from {was} to {now}" for (was, now), n in sorted(changes.items()))
    return f"{sum(changes.values())} verdicts changed: {each}"
