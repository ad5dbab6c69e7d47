"""Comparing evaluations: better, worse, tied or undecided, over the problems that both were asked.

A difference in a domain is paired by problem (`paired_test`), and its p-value is corrected by Holm over every domain,
the whole and all evaluations that are compared at once. The conclusion, on the second evaluation against the first:

    better, worse    the corrected p-value is below 0.05
    tied             else, where the 90% interval lies within the margin: a larger difference, either way, is refuted
    undecided        else: nothing can be said, and about so many problems would be needed

So a difference that is smaller than the margin, but sure, is a difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from proofgrad.rl.evaluate import OVERALL, Evaluation, TaskResult
from proofgrad.rl.evaluation.jaggedness import Jaggedness, jaggedness
from proofgrad.rl.evaluation.stored import StoredEvaluation
from proofgrad.rl.extras import require
from proofgrad.rl.stats import (
    Estimate,
    PairedTest,
    RateInterval,
    RateMethod,
    detectable_difference,
    holm,
    paired_test,
    pass_at_k,
    problems_to_find,
    problems_to_tie,
    rate_interval,
)
from proofgrad.verifiers.errors import ConfigError

__all__ = [
    "ALPHA",
    "POWER",
    "Conclusion",
    "DomainComparison",
    "EvaluationComparison",
    "Jaggedness",
    "compare_all",
    "compare_evaluations",
    "jaggedness",
]

Conclusion = Literal["better", "worse", "tied", "undecided"]

ALPHA = 0.05
POWER = 0.8

# Problems that could not be judged are left out; beyond this share of samples that is worth a warning.
_MUCH_UNKNOWN = 0.01


@dataclass(frozen=True, slots=True)
class DomainComparison:
    """One domain, over the problems that both evaluations judged often enough.

    Attributes:
        domain: its name, or "overall" for all of them.
        problems: how many.
        a: pass@k of the first, with its 95% interval.
        b: of the second.
        a_method: which interval that is (`rate_interval`).
        b_method: of the second.
        difference: b less a, paired by problem, with its 95% interval, uncorrected.
        p_value: of the hypothesis that there is no difference.
        p_adjusted: the same after Holm's correction.
        conclusion: of b, relative to a.
        detectable: the least true difference that is found in 8 of 10 such comparisons, whatever the others come to.
        needed: where undecided, about how many problems would decide it in 8 of 10 cases, were the difference as large
            as it looks; None where it is decided, and where no number would do.
    """

    domain: str
    problems: int
    a: Estimate
    b: Estimate
    a_method: RateMethod
    b_method: RateMethod
    difference: Estimate
    p_value: float
    p_adjusted: float
    conclusion: Conclusion
    detectable: float
    needed: int | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "domain": self.domain,
            "problems": self.problems,
            "a": self.a._asdict() | {"interval": self.a_method},
            "b": self.b._asdict() | {"interval": self.b_method},
            "difference": self.difference._asdict(),
            "p_value": self.p_value,
            "p_adjusted": self.p_adjusted,
            "conclusion": self.conclusion,
            "detectable": self.detectable,
            "needed": self.needed,
        }


@dataclass(frozen=True, slots=True)
class EvaluationComparison:
    """Evaluation `b` against evaluation `a`.

    Attributes:
        a: name of the first.
        b: name of the second.
        k: of pass@k.
        margin: differences of rates within it count as none.
        forced: whether they were compared although different verifier versions judged them.
        warnings: what speaks against reading a difference as one of the policies; belongs next to every figure.
        domains: each domain that both have, then all of them together where there are several.
        only_a: the tasks that a solves at least once and b never does.
        only_b: the reverse.
        jaggedness_a: how uneven a is over domains, on all its own problems; None where it has one domain.
        jaggedness_b: how uneven b is.
    """

    a: str
    b: str
    k: int
    margin: float
    forced: bool
    warnings: tuple[str, ...]
    domains: tuple[DomainComparison, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    jaggedness_a: Jaggedness | None
    jaggedness_b: Jaggedness | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "a": self.a,
            "b": self.b,
            "k": self.k,
            "margin": self.margin,
            "alpha": ALPHA,
            "power": POWER,
            "forced": self.forced,
            "warnings": list(self.warnings),
            "domains": [domain.to_json() for domain in self.domains],
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            "jaggedness_a": self.jaggedness_a and self.jaggedness_a.to_json(),
            "jaggedness_b": self.jaggedness_b and self.jaggedness_b.to_json(),
        }


def compare_evaluations(
    a: StoredEvaluation, b: StoredEvaluation, *, k: int = 1, margin: float = 0.05, force: bool = False
) -> EvaluationComparison:
    """Compare `b` with `a` by pass@k, domain by domain.

    Raises:
        ConfigError: different verifier versions judged them (unless `force`), they share fewer than two problems, or k
            or the margin makes no sense.
        MissingExtraError: a package is not installed.
    """
    return compare_all([a, b], k=k, margin=margin, force=force)[0]


def compare_all(
    evaluations: Sequence[StoredEvaluation], *, k: int = 1, margin: float = 0.05, force: bool = False
) -> list[EvaluationComparison]:
    """Compare each evaluation after the first with the first; Holm's correction is over everything together.

    Raises:
        ConfigError: as of `compare_evaluations`, or fewer than two evaluations.
        MissingExtraError: a package is not installed.
    """
    require(("scipy", "statsmodels"), "train", "comparing evaluations")
    if len(evaluations) < 2:
        raise ConfigError("a comparison needs two evaluations or more, e.g. proofgrad compare RUN:before RUN:after")
    if not 0 < margin < 1:
        raise ConfigError(f"the margin is a difference of rates between 0 and 1, such as 0.05; got {margin:g}")
    first, *others = evaluations
    pairs = [_Pair(first, other, k, force) for other in others]
    adjusted = iter(holm([row.test.p_value for pair in pairs for row in pair.rows]))
    tests = sum(len(pair.rows) for pair in pairs)
    uneven = jaggedness(first.evaluation, k)
    return [
        EvaluationComparison(
            first.name,
            other.name,
            k,
            margin,
            pair.forced,
            tuple(pair.warnings),
            tuple(row.conclude(next(adjusted), margin, tests) for row in pair.rows),
            *pair.only(),
            uneven,
            jaggedness(other.evaluation, k),
        )
        for other, pair in zip(others, pairs, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Row:
    """A domain before the correction, which needs the p-values of all of them."""

    domain: str
    a: RateInterval
    b: RateInterval
    test: PairedTest

    def conclude(self, p_adjusted: float, margin: float, tests: int) -> DomainComparison:
        test, conclusion, needed = self.test, self._conclusion(p_adjusted, margin), None
        gap, strictest = abs(test.difference.mean), ALPHA / tests
        if conclusion == "undecided":
            enough = [problems_to_find(gap, test.deviation, strictest, POWER)]
            if gap < margin:
                enough.append(problems_to_tie(gap, test.deviation, margin, ALPHA, POWER))
            # What small samples add to the test is no part of the plan, which may then ask for no more than there are.
            needed = min((max(n, test.problems + 1) for n in enough if n is not None), default=None)
        return DomainComparison(
            self.domain, test.problems, self.a.estimate, self.b.estimate, self.a.method, self.b.method,
            test.difference, test.p_value, p_adjusted, conclusion,
            detectable_difference(test.deviation, test.problems, strictest, POWER), needed,
        )  # fmt: skip

    def _conclusion(self, p_adjusted: float, margin: float) -> Conclusion:
        if p_adjusted < ALPHA:
            return "better" if self.test.difference.mean > 0 else "worse"
        return "tied" if self.test.is_within(margin) else "undecided"


class _Pair:
    """Two evaluations over their shared problems, and what speaks against comparing them."""

    def __init__(self, a: StoredEvaluation, b: StoredEvaluation, k: int, force: bool) -> None:
        for side in (a, b):
            if not 1 <= k <= side.evaluation.samples:
                raise ConfigError(
                    f"pass@{k} cannot be had from '{side.name}', which has {side.evaluation.samples} samples a problem"
                )
        self._a, self._b = ({r.task: r for r in side.evaluation.results} for side in (a, b))
        self._shared = [task for task in self._a if task in self._b]
        judged = [t for t in self._shared if self._a[t].judged >= k and self._b[t].judged >= k]
        if len(judged) < 2:
            raise ConfigError(
                f"'{a.name}' and '{b.name}' share {len(judged)} problems with {_counted(k, 'judged sample')}: "
                "a comparison needs two or more of the same"
            )
        differing = self._differing_verifiers(a.evaluation, b.evaluation)
        if differing and not force:
            name, was, now = differing[0]
            raise ConfigError(
                f"verifier '{name}' is '{was}' in '{a.name}' and '{now}' in '{b.name}', so their rates cannot be "
                "compared: evaluate one of them again, or force it (--force) and be warned"
            )
        self.forced = bool(differing)
        self.warnings = [
            f"verifier '{name}' is '{was}' in '{a.name}' and '{now}' in '{b.name}': "
            "a difference may be the verifiers' and not the policies'"
            for name, was, now in differing
        ]
        self.warnings += _differing_settings(a, b) + self._left_out(a, b, len(judged), k)
        self.rows = self._rows(judged, k, a.evaluation == b.evaluation)

    def only(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The shared tasks that the first alone solves, and those that the second alone does."""
        judged = [t for t in self._shared if self._a[t].judged and self._b[t].judged]
        return (
            tuple(t for t in judged if self._a[t].passed and not self._b[t].passed),
            tuple(t for t in judged if self._b[t].passed and not self._a[t].passed),
        )

    def _differing_verifiers(self, a: Evaluation, b: Evaluation) -> list[tuple[str, str, str]]:
        """(name, version in a, version in b) of those that differ.

        A verifier that one side lacks does not count where it can have judged the other's own problems alone.
        """
        found, is_one_shared = [], not a.verifiers.keys().isdisjoint(b.verifiers)
        for name in dict.fromkeys((*a.verifiers, *b.verifiers)):
            was, now = a.verifiers.get(name), b.verifiers.get(name)
            has_own_problems = len(self._a if now is None else self._b) > len(self._shared)
            if was != now and not (None in (was, now) and has_own_problems and is_one_shared):
                found.append((name, was or "absent", now or "absent"))
        return found

    def _left_out(self, a: StoredEvaluation, b: StoredEvaluation, judged: int, k: int) -> list[str]:
        found, shared = [], len(self._shared)
        own_a, own_b = len(self._a) - shared, len(self._b) - shared
        if own_a or own_b:
            found.append(
                f"left out, as the other was not asked: {_counted(own_a, 'problem')} of '{a.name}' and {own_b} of "
                f"'{b.name}'; {shared} are shared"
            )
        if judged < shared:
            found.append(
                f"left out: {_counted(shared - judged, 'shared problem')} with fewer than "
                f"{_counted(k, 'judged sample')} on one side"
            )
        for side in (a, b):
            unknown = sum(r.unknown for r in side.evaluation.results)
            total = unknown + sum(r.judged for r in side.evaluation.results)
            if unknown > _MUCH_UNKNOWN * total:
                found.append(f"{unknown} of {total} samples of '{side.name}' could not be judged and are left out")
        return found

    def _rows(self, judged: Sequence[str], k: int, is_same: bool) -> list[_Row]:
        by_domain: dict[str, list[str]] = {}
        for task in judged:
            by_domain.setdefault(self._a[task].domain, []).append(task)
        if len(by_domain) > 1:
            by_domain[OVERALL] = list(judged)
        rows = []
        for domain, tasks in by_domain.items():
            if len(tasks) < 2:
                self.warnings.append(f"'{domain}' has one shared problem and no row of its own")
                continue
            was, now = _rates(self._a, tasks, k), _rates(self._b, tasks, k)
            test = _same(paired_test(was, now, alpha=ALPHA)) if is_same else paired_test(was, now, alpha=ALPHA)
            rows.append(_Row(domain, rate_interval(was), rate_interval(now), test))
        return rows


def _rates(results: Mapping[str, TaskResult], tasks: Sequence[str], k: int) -> list[float]:
    return [pass_at_k(results[task].judged, results[task].passed, k) for task in tasks]


def _same(test: PairedTest) -> PairedTest:
    """One and the same evaluation on both sides: that there is no difference is known, and not estimated."""
    nothing = Estimate(0.0, 0.0, 0.0)
    return PairedTest(test.problems, nothing, 1.0, test.deviation, nothing)


def _differing_settings(a: StoredEvaluation, b: StoredEvaluation) -> list[str]:
    found = []
    for name in ("suite", "samples", "temperature", "max_tokens"):
        was, now = getattr(a.evaluation, name), getattr(b.evaluation, name)
        # What is empty was not recorded, by an older version: that is no difference.
        if was != now and not {was, now} & {"", None}:
            found.append(f"{name.replace('_', ' ')} differs: {was} in '{a.name}', {now} in '{b.name}'")
    return found


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
