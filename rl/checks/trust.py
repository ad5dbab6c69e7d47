"""How far a score can be believed: what was checked about an evaluation, what was not, and what it found.

Every part is read from files that other commands leave behind; a part that nobody measured is None, and is named with
the command that measures it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from proofgrad.rl.checks.contamination import Contamination
from proofgrad.rl.checks.self_test import SelfTest, load_self_test
from proofgrad.rl.config import load_config
from proofgrad.rl.evaluate import Evaluation
from proofgrad.rl.evaluation.stored import StoredEvaluation
from proofgrad.rl.stats import Estimate, rate_difference, rate_interval, upper_bound
from proofgrad.verifiers.base import Json, Outcome
from proofgrad.verifiers.errors import ConfigError

__all__ = ["TRUST", "Audited", "NotMeasured", "Trust", "run_of", "trust_in"]

TRUST = "trust.json"

_MUCH_UNKNOWN = 0.1
_MUCH_WAITING = 0.2
_MISSING = {"audit": 38.0, "self_test": 36.0, "contamination": 30.0, "environment": 15.0}
"""The weight of a part that nobody measured, on the scale of `_warnings`."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What `proofgrad audit` found for one verifier and one outcome of the run.

    Attributes:
        wrong: verdicts that did not stand.
        bound: upper 95% bound on their share.
    """

    verifier: str
    outcome: str
    looked_at: int
    unknown: int
    wrong: int
    bound: float


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A part that is missing, why that matters, and the command that measures it, where there is one."""

    part: str
    text: str
    command: str | None


@dataclass(frozen=True, slots=True)
class Trust:
    """What stands beside a score.

    Attributes:
        evaluation: its name.
        samples: how many completions it took.
        unknown: how many of them could not be judged; they are no part of the score.
        unknown_rate: share of a problem's completions that could not be judged, with its interval over problems; where
            every completion was judged, the upper end is the 95% bound on the share of problems with one that is not.
        waiting_share: share of the time in which nothing was sampled because verdicts were outstanding; None where
            none was recorded.
        verifiers: the version of each.
        self_test: right answers, damaged ones and cheats put to the verifiers.
        audit: verdicts of the run judged again, more strictly.
        contamination: held-out problems against the run's training data.
        environment: sandbox layers, toolchains, package versions.
        started_from: a policy that the run did not make; what it had seen is unknown.
        not_measured: the parts that are None.
        warnings: in plain words, the weightiest first.
    """

    evaluation: str
    samples: int
    unknown: int
    unknown_rate: Estimate | None
    waiting_share: float | None
    verifiers: Mapping[str, str]
    self_test: SelfTest | None
    audit: tuple[Audited, ...] | None
    contamination: Contamination | None
    environment: Mapping[str, Json] | None
    started_from: str | None
    not_measured: tuple[NotMeasured, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """The whole as plain JSON types."""
        return {
            "evaluation": self.evaluation,
            "samples": self.samples,
            "unknown": self.unknown,
            "unknown_rate": self.unknown_rate._asdict() if self.unknown_rate else None,
            "waiting_share": self.waiting_share,
            "verifiers": dict(self.verifiers),
            "self_test": self.self_test.to_json() if self.self_test else None,
            "audit": [asdict(one) for one in self.audit] if self.audit is not None else None,
            "contamination": self.contamination.to_json() if self.contamination else None,
            "environment": dict(self.environment) if self.environment is not None else None,
            "started_from": self.started_from,
            "not_measured": [asdict(one) for one in self.not_measured],
            "warnings": list(self.warnings),
        }


def trust_in(stored: StoredEvaluation, run: Path | None = None, contamination: Contamination | None = None) -> Trust:
    """Everything that is known about an evaluation besides its score.

    Args:
        stored: the evaluation.
        run: the training run of its policy; found by itself where the evaluation says it (`run_of`).
        contamination: one that was just measured; otherwise the one that `proofgrad trust` left behind, if it did.

    Raises:
        ConfigError: a file that should hold one of the parts cannot be read.
    """
    run = run or run_of(stored)
    evaluation = stored.evaluation
    unknown = sum(result.unknown for result in evaluation.results)
    parts: dict[str, Any] = {
        "self_test": load_self_test(stored.directory),
        "audit": _audit(run / "audit.json") if run else None,
        "contamination": contamination or _left_behind(stored),
        "environment": _read(stored.directory / "environment.json"),
    }
    known = Trust(
        evaluation=stored.name,
        samples=sum(result.judged + result.unknown for result in evaluation.results),
        unknown=unknown,
        unknown_rate=_unknown_rate(evaluation),
        waiting_share=evaluation.waiting_seconds / evaluation.seconds if evaluation.waiting_seconds else None,
        verifiers=evaluation.verifiers,
        started_from=_started_from(run, evaluation),
        **parts,
    )
    missing = tuple(_missing(known, stored, run))
    found = [*_warnings(known), *((_MISSING[one.part], one.text) for one in missing)]
    found.sort(key=lambda item: -item[0])
    return replace(known, not_measured=missing, warnings=tuple(text for _, text in found))


def run_of(stored: StoredEvaluation) -> Path | None:
    """The training run that an evaluation lies in, or whose policy it took; None where there is none."""
    policy = Path(stored.evaluation.policy)
    around = stored.directory.parent.parent
    # An evaluation can have been put into the run of another policy: where its own is at hand, that says whose it is.
    is_known = policy.is_dir() and not policy.resolve().is_relative_to(around.resolve())
    places: tuple[Path, ...] = (policy, policy.parent) if is_known else (around,)
    for place in (stored.directory, *places):
        if (place / "config.yaml").is_file():
            return place
    return None


def _unknown_rate(evaluation: Evaluation) -> Estimate | None:
    taken = [result for result in evaluation.results if result.judged + result.unknown]
    if len(taken) < 2:
        return None
    rates = [result.unknown / (result.judged + result.unknown) for result in taken]
    return rate_interval(rates).estimate if any(rates) else Estimate(0.0, 0.0, upper_bound(0, len(taken)))


def _started_from(run: Path | None, evaluation: Evaluation) -> str | None:
    return load_config(run / "config.yaml").policy.path if run else evaluation.policy


def _audit(path: Path) -> tuple[Audited, ...] | None:
    data = _read(path)
    if data is None:
        return None
    try:
        return tuple(
            Audited(
                one["verifier"], one["outcome"], one["looked_at"], one["unknown"], len(one["disagreements"]),
                one["bound"],
            )
            for one in data["audits"]
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise ConfigError(f"'{path}' is no result of proofgrad audit: {error}") from error


def _left_behind(stored: StoredEvaluation) -> Contamination | None:
    data = _read(stored.directory / TRUST)
    # A run directory has one such file and several evaluations.
    if data is None or data.get("rollouts") != stored.rollouts.name or data.get("contamination") is None:
        return None
    try:
        return Contamination.from_json(data["contamination"])
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"cannot read '{stored.directory / TRUST}' ({error}): proofgrad trust {stored.directory} writes it again"
        ) from error


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read '{path}': {str(error).splitlines()[0]}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"'{path}' does not hold a JSON object")
    return data


def _missing(trust: Trust, stored: StoredEvaluation, run: Path | None) -> Iterator[NotMeasured]:
    again = f"proofgrad eval {run or trust.started_from}"
    if trust.audit is None:
        command = f"proofgrad audit {run}" if run else None
        yield _named("audit", "no verdict was judged again", command, "only the verdicts of a training run can be")
    if trust.self_test is None:
        yield _named("self_test", "the verifiers were not put to the test with answers that are known", again)
    if trust.contamination is None:
        command = f"proofgrad trust {stored.directory}" if run else None
        why = "the policy's training run is not known"
        yield _named("contamination", "the problems were not compared with the training data", command, why)
    if trust.environment is None:
        yield _named("environment", "the sandbox and the versions were not recorded", again)


def _named(part: str, what: str, command: str | None, otherwise: str = "") -> NotMeasured:
    return NotMeasured(part, f"{what}: {command or otherwise}", command)


def _warnings(trust: Trust) -> Iterator[tuple[float, str]]:
    """Each warning with its weight: 100 for a score that may mean nothing, less for what may shift it."""
    yield from _about_self_test(trust.self_test)
    yield from _about_audit(trust.audit)
    yield from _about_contamination(trust.contamination)
    yield from _about_layers(trust.environment)
    if trust.unknown:
        share = trust.unknown / trust.samples
        text = f"{100 * share:.1f}% of the completions could not be judged and are left out of the score"
        yield 70 if share > _MUCH_UNKNOWN else 50, text
    if trust.started_from:
        yield 20, f"what '{trust.started_from}' was trained on before is not known"
    if trust.waiting_share is not None and trust.waiting_share > _MUCH_WAITING:
        yield 5, f"{100 * trust.waiting_share:.0f}% of the time nothing was sampled, as verdicts were outstanding"


def _about_self_test(found: SelfTest | None) -> Iterator[tuple[float, str]]:
    for check in found.checks if found else ():
        count, first = len(check.wrong), check.wrong[0].what if check.wrong else ""
        if count and check.kind == "cheat":
            yield 100, f"the verifier {check.verifier} accepted {count} of {check.looked_at} cheats, e.g. '{first}'"
        elif count and check.kind == "gold":
            yield 90, f"the verifier {check.verifier} refused {count} of {check.looked_at} right answers, e.g. {first}"
        elif count:
            text = f"the verifier {check.verifier} accepted {count} of {check.looked_at} damaged answers, e.g. {first}"
            yield 45, f"{text}: look whether they are still right"
        if check.unknown:
            of = check.looked_at + check.unknown
            yield 55, f"the verifier {check.verifier} gave no verdict on {check.unknown} of {of} test answers"
    for one in found.left_out if found else ():
        yield 12, f"not in the self-test: {one}"


def _about_audit(found: tuple[Audited, ...] | None) -> Iterator[tuple[float, str]]:
    for one in found or ():
        if one.wrong and one.outcome == Outcome.PASS:
            what = f"{one.wrong} of {one.looked_at} accepted answers were refused when {one.verifier} judged again"
            yield 95, f"{what}: up to {100 * one.bound:.1f}% of what was accepted may be wrong"
        elif one.wrong:
            yield 60, f"{one.wrong} of {one.looked_at} refused answers were accepted when {one.verifier} judged again"


def _about_contamination(found: Contamination | None) -> Iterator[tuple[float, str]]:
    if found is None:
        return
    if found.duplicates:
        yield 80, f"the training data holds {found.duplicates} of the {found.problems} held-out problems"
    if found.excess.low > 0:
        here, there = 100 * found.held_out.near, 100 * found.baseline.near
        text = f"{here:.0f}% of the problems are close to a training text"
        yield 40, f"{text}, and only {there:.0f}% of the training texts are to each other"
    more, less = found.overlapping.success, found.clean.success
    if more and less and rate_difference(more, less).low > 0:
        text = f"problems close to a training text are solved more often ({100 * more.mean:.0f}%)"
        yield 35, f"{text} than the others ({100 * less.mean:.0f}%)"


def _about_layers(environment: Mapping[str, Any] | None) -> Iterator[tuple[float, str]]:
    layers = (environment or {}).get("layers") or {}
    absent: dict[str, list[str]] = defaultdict(list)
    for verifier, states in layers.items():
        absent[verifier] += [name for name, state in states.items() if state != "active"]
    for verifier, names in absent.items():
        if names:
            yield 75, f"candidates of the verifier {verifier} ran without isolation of {', '.join(sorted(names))}"
