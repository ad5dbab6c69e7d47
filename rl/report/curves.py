"""Curves of a training run, from its metrics.jsonl: which figures belong on one chart, and in which unit."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["curves_of"]

_PHASES = {"warm-start": "Warm start", "revisions": "Warm start on revisions", "grpo": "GRPO"}

# Title, unit, note, and the figures on it: a whole name, or everything that begins with one that ends in "/".
_CHARTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("Reward", "number", "mean over the batch", ("reward",)),
    ("Solved", "share", "of the judged completions of a batch", ("solved/", "drawn_solved")),
    ("Loss", "number", "", ("loss",)),
    ("KL divergence", "number", "from the policy at the start, nats a token", ("kl",)),
    ("Entropy", "number", "nats a token", ("entropy",)),
    ("Unknown and cut off", "share", "of the completions of a batch", ("unknown", "truncated")),
    (
        "Groups that teach nothing", "share", "all verified or all failed",
        ("zero_variance", "zero_variance_left", "frac_reward_zero_std"),
    ),
    ("Turns", "number", "a rollout", ("turns",)),
    ("Tokens a second", "number", "", ("tokens_per_second",)),
    ("Waiting for verdicts", "share", "of the time of a rollout phase", ("wait_time_share",)),
    ("Seconds a step", "seconds", "", ("step_time",)),
    ("Gradient norm", "number", "before clipping", ("grad_norm",)),
    ("Completion length", "number", "tokens", ("completions/mean_length",)),
    ("Curriculum: solve rates", "share", "as believed, by level", ("curriculum/rate/", "curriculum/solved")),
    ("Curriculum: weights", "share", "of the groups, by level", ("curriculum/weight/",)),
)  # fmt: skip


def curves_of(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """One entry for each phase that logged something: its charts, each with its series of [step, value].

    What is no finite number is on no chart; ``not_finite`` counts the steps at which a figure of one was none. A row
    that is no object, or has no phase and step, is left out: a run that is being written can hold half a line.
    """
    phases: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    broken: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if not _is_step(row):
            continue
        for name, value in row.items():
            if name in ("phase", "step") or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if _is_finite(value):
                phases[row["phase"]][name].append([row["step"], value])
            elif any(_is_of(name, key) for *_, wanted in _CHARTS for key in wanted):
                broken[row["phase"]][name] += 1
    # What a run is about comes first.
    order = sorted(dict.fromkeys((*phases, *broken)), key=lambda phase: phase != "grpo")
    return [
        {
            "phase": _PHASES.get(phase, phase),
            **_charts(phases[phase]),
            "not_finite": [{"name": name, "steps": count} for name, count in broken[phase].items()],
        }
        for phase in order
    ]


def _is_step(row: Any) -> bool:
    if not isinstance(row, Mapping) or not isinstance(row.get("phase"), str):
        return False
    step = row.get("step")
    return isinstance(step, int | float) and not isinstance(step, bool) and _is_finite(step)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def _is_of(name: str, key: str) -> bool:
    return name == key or (key.endswith("/") and name.startswith(key))


def _charts(series: Mapping[str, list[list[float]]]) -> dict[str, list[dict[str, Any]]]:
    """``charts``, and as ``constant`` the figures of those on which nothing ever changes."""
    charts: list[dict[str, Any]] = []
    constant: list[dict[str, Any]] = []
    for title, unit, note, wanted in _CHARTS:
        found = [
            (name.removeprefix(key) if key.endswith("/") else name, points)
            for key in wanted
            for name, points in series.items()
            if _is_of(name, key)
        ]
        if any(len({value for _, value in points}) > 1 for _, points in found):
            shown = [{"name": name, "points": points} for name, points in found]
            charts.append({"title": title, "unit": unit, "note": note, "series": shown})
        else:
            constant += [{"name": name, "unit": unit, "value": points[0][1]} for name, points in found]
    return {"charts": charts, "constant": constant}
