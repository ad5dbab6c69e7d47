"""The model as Markdown tables, for a pull request.

Names, domains and reasons come from outside: in a table they are inline code, in a sentence `plain`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proofgrad.rl.export.markdown import code, plain
from proofgrad.rl.report.headline import percent, points

__all__ = ["to_markdown"]

_REASONS = 8  # the most frequent ones


def to_markdown(model: Mapping[str, Any]) -> str:
    """`collect`'s model in short: the verdict, trust, pass@k, comparisons, revision, chains and reasons."""
    parts = [f"## {plain(model['headline']['sentence'])}", plain(model["headline"]["detail"])]
    parts += [f"> **{notice['kind'].capitalize()}:** {plain(notice['text'])}" for notice in model["notices"]]
    parts.append(_trust(model["trust"]))
    parts.append(_pass_at(model["evaluations"]))
    parts += [_comparison(comparison) for comparison in model["comparisons"]]
    for evaluation in model["evaluations"]:
        parts += _further(evaluation)
    parts += [_chain(one["name"], result) for one in model["chains"] for result in one["results"]]
    parts += [_lineage(run) for run in model["runs"] if run["lineage"]]
    parts.append(f"{model['samples']['note']} Made {model['made']} by proofgrad {model['version']}.")
    return "\n\n".join(parts) + "\n"


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of what is Markdown already."""
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return f"### {title}\n\n" + "\n".join(lines)


def _estimate(value: Mapping[str, float] | None) -> str:
    if value is None:
        return "–"
    return f"{percent(value['mean'])} ({100 * value['low']:.1f} to {100 * value['high']:.1f})"


def _difference(value: Mapping[str, float]) -> str:
    return f"{points(value['mean'])} ({points(value['low'])} to {points(value['high'])})"


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _trust(trust: Mapping[str, Any]) -> str:
    rows = [
        (check["name"], plain(check["word"]), plain(f"{check['text']} {check['command'] or ''}"))
        for check in trust["checks"]
    ]
    text = _table(f"Trust in {code(trust['of'])}", ("check", "result", "what it says"), rows)
    return "\n".join([text, "", *(f"- {plain(warning)}" for warning in trust["warnings"])]).rstrip()


def _pass_at(evaluations: Sequence[Mapping[str, Any]]) -> str:
    ks = sorted({one["k"] for e in evaluations for domain in e["domains"] for one in domain["pass_at"]})
    rows = []
    for evaluation in evaluations:
        for domain in evaluation["domains"]:
            known = {one["k"]: one["estimate"] for one in domain["pass_at"]}
            cells = [_estimate(known.get(k)) for k in ks]
            rows.append(
                [code(domain["domain"]), code(evaluation["name"]), domain["problems"], *cells, domain["unknown"]]
            )
    heads = ("domain", "evaluation", "problems", *(f"pass@{k}" for k in ks), "not judged")
    return _table("Held-out, 95% intervals over problems", heads, rows)


def _comparison(comparison: Mapping[str, Any]) -> str:
    rows = [
        (
            code(row["domain"]), row["problems"], _estimate(row["a"]), _estimate(row["b"]),
            _difference(row["difference"]), _p(row["p_value"]), _p(row["p_adjusted"]), row["conclusion"],
        )
        for row in comparison["domains"]
    ]  # fmt: skip
    a, b = code(comparison["a"]), code(comparison["b"])
    heads = ("domain", "problems", a, b, "difference", "p", "p adjusted", "conclusion")
    title = f"{b} against {a}, pass@{comparison['k']}, tie within {100 * comparison['margin']:g} points"
    text = _table(title, heads, rows)
    return "\n\n".join([text, *(f"> **Warning:** {plain(warning)}" for warning in comparison["warnings"])])


def _further(evaluation: Mapping[str, Any]) -> Iterator[str]:
    name = evaluation["name"]
    if evaluation["revision"]:
        yield _revision(name, evaluation["revision"])
    if evaluation["reasons"]:
        yield _reasons(name, evaluation["reasons"])


def _revision(name: str, revision: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            code(row["domain"]), row["problems"], _estimate(row["first"]), _estimate(row["revising"]),
            _estimate(row["best_of_n"]), _difference(row["gain"]), f"{row['tokens']:.0f}", f"{row['n']:.1f}",
        )
        for row in revision
    ]  # fmt: skip
    heads = ("domain", "problems", "first attempt", "revising", "best-of-n", "gain", "tokens", "attempts n")
    return _table(f"{code(name)}: revising against best-of-n at equal tokens", heads, rows)


def _chain(name: str, chain: Mapping[str, Any]) -> str:
    rows = [
        (curve["revisions"], point["length"], _estimate(point["measured"]), _estimate(point["independent"]))
        for curve in chain["curves"]
        for point in curve["points"]
    ]
    return _table(
        f"{code(name)}: chains of {code(chain['name'])}", ("revisions", "steps", "chains solved", "p^n"), rows
    )


def _reasons(name: str, reasons: Sequence[Mapping[str, Any]]) -> str:
    total = sum(one["count"] for one in reasons)
    rows = [
        (code(one["reason"]), plain(one["outcome"]), one["count"], percent(one["count"] / total))
        for one in reasons[:_REASONS]
    ]
    return _table(f"{code(name)}: how attempts end", ("reason", "outcome", "samples", "share"), rows)


def _lineage(run: Mapping[str, Any]) -> str:
    rows = [
        (
            code(node["name"]), code(node["parent"]) if node["parent"] else "–",
            plain(node["generation"]), "yes" if node["promoted"] else "no",
            "–" if node["score"] is None else percent(node["score"]),
        )
        for node in run["lineage"]
    ]  # fmt: skip
    return _table(f"{code(run['name'])}: lineage", ("policy", "parent", "generation", "promoted", "score"), rows)
