"""What a report says first: one sentence that its figures bear out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["headline", "main_domain", "percent", "points"]

_WAYS = {
    "better": "raised held-out pass@{k} from {a} to {b}: {gain} points.",
    "worse": "lowered held-out pass@{k} from {a} to {b}: {gain} points.",
    "tied": "left held-out pass@{k} where it was, at {a} and {b}: tied within {margin} points.",
    "undecided": "has not been shown to change held-out pass@{k}: {a} before, {b} after, undecided.",
}
_AGAINST = {
    "better": "is better than {name}: pass@{k} of {b} against {a}, {gain} points.",
    "worse": "is worse than {name}: pass@{k} of {b} against {a}, {gain} points.",
    "tied": "and {name} are tied within {margin} points: pass@{k} of {b} and {a}.",
    "undecided": "has not been shown to differ from {name}: pass@{k} of {b} against {a}, undecided.",
}


def percent(value: float) -> str:
    """A share, e.g. 38.8%."""
    return f"{100 * value:.1f}%".replace("-", "−")


def points(value: float) -> str:
    """A difference of shares in percentage points, e.g. +15.6."""
    return f"{100 * value:+.1f}".replace("-", "−")


def main_domain(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The row for all domains together, or the only one."""
    return next((row for row in rows if row["domain"] == "overall"), rows[-1])


def headline(
    comparisons: Sequence[Mapping[str, Any]], evaluations: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> dict[str, Any]:
    """``sentence``, ``detail``, ``kind`` (a conclusion, or "measured") and ``figures`` with their intervals.

    Args:
        comparisons: before and after of each run that has both, then of each further directory with the first.
        evaluations: all of them.
        names: of the directories.
    """
    if not comparisons:
        return _measured(evaluations[0])
    if len(names) > 2:
        return _several(comparisons[-(len(names) - 1) :], names[0])
    comparison = comparisons[-1]
    row = main_domain(comparison["domains"])
    ways, subject = (_WAYS, "GRPO") if len(names) == 1 else (_AGAINST, names[1])
    said = ways[row["conclusion"]].format(
        k=comparison["k"], a=percent(row["a"]["mean"]), b=percent(row["b"]["mean"]), name=names[0],
        gain=points(row["difference"]["mean"]), margin=f"{100 * comparison['margin']:g}",
    )  # fmt: skip
    gain = row["difference"]
    detail = (
        f"The difference is {points(gain['mean'])} points with a 95% interval of {points(gain['low'])} to "
        f"{points(gain['high'])}, paired over {row['problems']:,} held-out problems."
    )
    if row["conclusion"] == "undecided":
        detail += f" A difference of {100 * row['detectable']:.1f} points would be found four times in five."
        if row["needed"]:
            detail += (
                f" Were the true one as large as measured, about {row['needed']:,} problems would decide it as often."
            )
    for conclusion in ("better", "worse"):
        parts = [one["domain"] for one in comparison["domains"] if one["conclusion"] == conclusion and one is not row]
        if parts and conclusion != row["conclusion"]:
            detail += f" It is {conclusion} in {', '.join(parts)}."
    labels = ("Before GRPO", "After GRPO", "Gain") if len(names) == 1 else (names[0], names[1], "Difference")
    return {
        "sentence": f"{subject} {said}" + (" Judged by different verifiers." if comparison["forced"] else ""),
        "detail": detail,
        "kind": row["conclusion"],
        "figures": [
            {"label": labels[0], "value": row["a"], "signed": False},
            {"label": labels[1], "value": row["b"], "signed": False},
            {"label": labels[2], "value": gain, "signed": True},
        ],
    }


def _several(comparisons: Sequence[Mapping[str, Any]], first: str) -> dict[str, Any]:
    rows = [(comparison["b"], main_domain(comparison["domains"])) for comparison in comparisons]
    words = {"better": "better than", "worse": "worse than", "tied": "tied with", "undecided": "undecided against"}
    parts = [f"{count} {words[kind]}" for kind in words if (count := sum(row["conclusion"] == kind for _, row in rows))]
    figures = [{"label": comparisons[0]["a"], "value": rows[0][1]["a"], "signed": False}]
    figures += [{"label": name, "value": row["b"], "signed": False} for name, row in rows]
    return {
        "sentence": f"Of {len(rows)} others, {', '.join(parts)} {first}.",
        "detail": "Each is compared with it on the problems that both were asked.",
        "kind": "measured",
        "figures": figures,
    }


def _measured(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    row = main_domain(evaluation["domains"])
    known = [found for found in row["pass_at"] if found["estimate"] is not None]
    if not known:
        return {
            "sentence": f"{evaluation['name']} has too few judged problems for an estimate.",
            "detail": f"{row['problems']} problems with a judged sample.",
            "kind": "measured",
            "figures": [],
        }
    first, last = known[0], known[-1]
    value = first["estimate"]
    return {
        "sentence": f"{evaluation['name']} solves {percent(value['mean'])} of held-out problems at the first attempt.",
        "detail": (
            f"95% interval {percent(value['low'])} to {percent(value['high'])}, over {row['problems']:,} problems."
        ),
        "kind": "measured",
        "figures": [
            {"label": f"pass@{one['k']}", "value": one["estimate"], "signed": False}
            for one in ([first, last] if last is not first else [first])
        ],
    }
