"""The section of a model card about the verdicts themselves: what was checked, and what was not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from proofgrad.rl.export.facts import Facts
from proofgrad.rl.export.markdown import code, plain, table

if TYPE_CHECKING:
    from proofgrad.rl.checks.trust import Trust

__all__ = ["trust"]

_NOT_MEASURED = "not measured"


def trust(facts: Facts) -> Iterator[str]:
    """What is known about the verdicts."""
    yield "## How far the verdicts can be trusted\n"
    found = facts.trust
    if found is None:
        yield "Not measured: there is no evaluation of these weights."
        return
    yield from table(
        ("check", "what was found"),
        [
            ["completions of the evaluation without a verdict", _unknown(found)],
            ["verdicts of the run judged again, more strictly", _audit(found)],
            ["right answers, damaged ones and cheats put to the verifiers", _self_test(found)],
            ["held-out problems against the training data", _contamination(found)],
            ["isolation of the candidates", _isolation(found)],
        ],
    )
    missing = {one.text for one in found.not_measured}
    warnings = [text for text in found.warnings if text not in missing]
    if warnings:
        yield "\nWhat speaks against the figures:\n"
        yield from (f"- {plain(text)}" for text in warnings)


def _unknown(found: Trust) -> str:
    rate = f"; by problem {found.unknown_rate}" if found.unknown_rate is not None else ""
    return f"{found.unknown} of {found.samples}{rate}"


def _audit(found: Trust) -> str:
    if found.audit is None:
        return _NOT_MEASURED
    return "; ".join(
        f"{code(one.verifier)}, {plain(one.outcome)}: {one.wrong} of {one.looked_at} did not stand, "
        f"at most {100 * one.bound:.2f}% (95%)"
        for one in found.audit
    )


def _self_test(found: Trust) -> str:
    if found.self_test is None:
        return _NOT_MEASURED
    return "; ".join(
        f"{code(one.verifier)}, {plain(one.kind)}: {len(one.wrong)} of {one.looked_at} judged wrongly, "
        f"at most {100 * one.bound:.2f}% (95%)" + (f", {one.unknown} without a verdict" if one.unknown else "")
        for one in found.self_test.checks
    )


def _contamination(found: Trust) -> str:
    overlap = found.contamination
    if overlap is None:
        return _NOT_MEASURED
    return (
        f"{overlap.duplicates} of {overlap.problems} are in it; {100 * overlap.held_out.near:.1f}% are close to a "
        f"training text, {100 * overlap.baseline.near:.1f}% of the training texts are to each other"
    )


def _isolation(found: Trust) -> str:
    layers = (found.environment or {}).get("layers")
    if not isinstance(layers, dict):
        return _NOT_MEASURED
    return "; ".join(f"{code(name)}: {_states(states)}" for name, states in layers.items()) or "no verifier isolates"


def _states(states: object) -> str:
    found = states if isinstance(states, dict) else {}
    return ", ".join(f"{plain(layer)} {plain(state)}" for layer, state in found.items())
