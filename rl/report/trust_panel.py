"""What was checked about a score, as the few lines that stand beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from proofgrad.rl.report.headline import percent

__all__ = ["trust_panel", "unread_panel"]

_MUCH_UNKNOWN = 0.1
_UNKNOWN = "Unknown verdicts"
_PARTS = {
    "self_test": "Verifiers' self-test",
    "audit": "Verdicts judged again",
    "contamination": "Overlap with training",
    "environment": "Isolation",
}

_Look: TypeAlias = Callable[[Any], tuple[str, str, str]]


def trust_panel(trust: Mapping[str, Any]) -> dict[str, Any]:
    """``of`` which evaluation, ``checks`` and further ``warnings``.

    Each check has a ``name``, a ``state`` (good, warn, bad, or none where nobody measured it), the ``word`` for it, and
    a ``text``; one that was not measured has the ``command`` that measures it, where there is one.

    Args:
        trust: `proofgrad.rl.checks.trust.Trust` as plain JSON types.
    """
    missing = {one["part"]: one for one in trust["not_measured"]}
    looks: dict[str, _Look] = {
        "self_test": _self_test, "audit": _audit, "contamination": _contamination, "environment": _isolation,
    }  # fmt: skip
    checks = [_check(_UNKNOWN, *_unknown(trust))]
    for key, name in _PARTS.items():
        if trust[key] is None:
            command = missing[key]["command"]
            text = missing[key]["text"].removesuffix(f": {command}") + ("" if command is None else ":")
            checks.append(_check(name, "none", "not measured", _sentence(text), command))
        else:
            checks.append(_check(name, *looks[key](trust[key])))
    said = {one["text"] for one in missing.values()}
    warnings = [_sentence(warning) for warning in trust["warnings"] if warning not in said]
    return {"of": trust["evaluation"], "checks": checks, "warnings": warnings}


def unread_panel(evaluation: str) -> dict[str, Any]:
    """The same of an evaluation for which none of it can be read."""
    checks = [_check(name, "none", "not read", "See the notice about it.") for name in (_UNKNOWN, *_PARTS.values())]
    return {"of": evaluation, "checks": checks, "warnings": []}


def _check(name: str, state: str, word: str, text: str, command: str | None = None) -> dict[str, str | None]:
    return {"name": name, "state": state, "word": word, "text": text, "command": command}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _unknown(trust: Mapping[str, Any]) -> tuple[str, str, str]:
    unknown, samples = trust["unknown"], trust["samples"]
    if not samples:
        return "none", "no samples", "Nothing was sampled, so that there is nothing to judge."
    if not unknown:
        return "good", "none", f"Each of the {samples:,} samples has a verdict."
    share = unknown / samples
    text = f"{unknown:,} of {samples:,} samples could not be judged. They are no part of any rate."
    return "bad" if share > _MUCH_UNKNOWN else "warn", percent(share), text


def _self_test(found: Mapping[str, Any]) -> tuple[str, str, str]:
    def counted(kind: str) -> tuple[int, int]:
        checks = [check for check in found["checks"] if check["kind"] == kind]
        return sum(len(check["wrong"]) for check in checks), sum(check["looked_at"] for check in checks)

    refused, right = counted("gold")
    leaked, cheats = counted("cheat")
    damaged_passed, damaged = counted("corrupted")
    text = (
        f"{right - refused} of {right} right answers accepted, {cheats - leaked} of {cheats} cheats and "
        f"{damaged - damaged_passed} of {damaged} damaged answers refused."
    )
    unknown = sum(check["unknown"] for check in found["checks"])
    if unknown:
        text += f" {unknown} got no verdict."
    if not found["is_sound"]:
        return "bad", "not sound", text
    if not right and not cheats:
        return "warn", "nothing judged", text
    return ("warn", "sound, look closer", text) if damaged_passed or unknown else ("good", "sound", text)


def _audit(found: list[Mapping[str, Any]]) -> tuple[str, str, str]:
    accepted = [one for one in found if one["outcome"] == "pass"]
    refused = [one for one in found if one["outcome"] == "fail"]
    leaks, looked = sum(one["wrong"] for one in accepted), sum(one["looked_at"] for one in accepted)
    bounds = ", ".join(f"{one['verifier']} {percent(one['bound'])}" for one in accepted)
    text = f"{leaks} of {looked} accepted answers refused the second time"
    text += f" (at 95% at most: {bounds})." if bounds else "."
    wrong = sum(one["wrong"] for one in refused)
    if wrong:
        text += f" {wrong} of {sum(one['looked_at'] for one in refused)} refused ones accepted."
    unknown = sum(one["unknown"] for one in found)
    if unknown:
        text += f" {unknown} got no verdict the second time."
    if leaks:
        return "bad", f"{leaks} did not stand", text
    if not looked:
        return "warn", "no second verdict" if unknown else "nothing accepted", text
    if wrong:
        return "warn", "some refused wrongly", text
    return ("warn", "not all judged again", text) if unknown else ("good", "all stood", text)


def _contamination(found: Mapping[str, Any]) -> tuple[str, str, str]:
    duplicates, problems = found["duplicates"], found["problems"]
    text = f"{duplicates:,} of {problems:,} problems are in the training data themselves."
    if duplicates:
        return "bad", f"{duplicates:,} duplicates", text
    if found["excess"]["low"] <= 0:
        return "good", "no duplicate", text
    here, there = (100 * found[which]["near"] for which in ("held_out", "baseline"))
    return (
        "warn",
        "close to training",
        f"{text} {here:.0f}% are close to a training text, of the training texts {there:.0f}% are to another.",
    )


def _isolation(found: Mapping[str, Any]) -> tuple[str, str, str]:
    layers = found.get("layers")
    if not isinstance(layers, Mapping):
        return "none", "not measured", "The layers of isolation were not recorded."
    absent = [
        f"{verifier}: {name}"
        for verifier, states in layers.items()
        for name, state in states.items()
        if state != "active"
    ]
    if absent:
        return "bad", f"{len(absent)} layers missing", f"Candidates ran without {', '.join(absent)}."
    if not layers:
        return (
            "none",
            "none reported",
            "No verifier here reports a layer of isolation; one that runs no candidate needs none.",
        )
    return "good", "every layer active", f"Around the candidates of {', '.join(layers)}."
