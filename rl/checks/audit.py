"""``proofgrad audit RUN``: judge a sample of a run's verdicts again, more strictly, and bound how often they are wrong.

Accepted and refused candidates are sampled apart, each (problem, candidate) once however often it was sampled. The
judge is the verifier's own auditor where it has one (`AuditableVerifier`), else a fresh copy of it. A verdict that does
not stand is a *leak* where a candidate was accepted, and a *false refusal* where one was refused. The rates are given
with upper bounds; what was not judged again counts for neither.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from proofgrad import verifiers as registry
from proofgrad.rl.config import Config
from proofgrad.rl.console import console, track
from proofgrad.rl.evaluation.stored import read_rows
from proofgrad.rl.extras import require
from proofgrad.rl.run_directory import RunDirectory, write_text
from proofgrad.rl.stats import upper_bound
from proofgrad.verifiers.base import AuditableVerifier, Outcome, Problem, Verdict, Verifier
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.pool import VerifierPool

__all__ = ["Audit", "Disagreement", "Judged", "audit_run", "judge_again", "judged_in", "sample"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate and the verdict that the run gave it."""

    verifier: str
    task: str
    problem: Problem
    candidate: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A verdict that did not stand."""

    verifier: str
    task: str
    problem: Problem
    candidate: str
    was: str
    is_now: str
    feedback: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What judging again found, for one verifier and one outcome of the run.

    Attributes:
        verifier: its name.
        auditor: the version of the one that judged again.
        outcome: what the run had said: "pass" or "fail".
        looked_at: how many were judged again and got a verdict.
        unknown: how many could not be.
        disagreements: those that now have the other outcome.
        bound: upper 95% bound on the share of them in the run.
    """

    verifier: str
    auditor: str
    outcome: str
    looked_at: int
    unknown: int
    disagreements: tuple[Disagreement, ...]
    bound: float


def judged_in(run: RunDirectory) -> list[Judged]:
    """Every different candidate that a run judged, in the order of the files.

    Raises:
        ConfigError: the run has recorded none, or records that do not hold the problems.
    """
    columns = ("verifier", "task", "problem", "candidate", "outcome", "reason")
    found: dict[tuple[str, str, str], Judged] = {}
    for file in sorted((run.path / "rollouts").glob("*.parquet")):
        try:
            rows = read_rows(file, columns)
        except ConfigError as error:
            raise ConfigError(f"the run does not hold what an audit needs: {error}") from error
        for row in rows:
            if row["candidate"] is not None and row["outcome"] != Outcome.UNKNOWN:
                found.setdefault(
                    (row["verifier"], json.dumps(row["problem"]), row["candidate"]),
                    Judged(**{**row, "outcome": Outcome(row["outcome"])}),
                )
    if not found:
        raise ConfigError(f"the run '{run.path}' has judged no candidate yet: there is nothing to audit")
    return list(found.values())


def sample(judged: Sequence[Judged], size: int, seed: int) -> list[Judged]:
    """Up to `size` accepted and up to `size` refused candidates of each verifier, drawn without replacement."""
    strata: dict[tuple[str, Outcome], list[Judged]] = {}
    for one in judged:
        strata.setdefault((one.verifier, one.outcome), []).append(one)
    drawn: list[Judged] = []
    for key in sorted(strata):
        stratum = strata[key]
        drawn += random.Random(f"audit/{seed}/{key}").sample(stratum, min(size, len(stratum)))
    return drawn


def judge_again(items: Sequence[Judged], auditors: Mapping[str, Verifier], *, workers: int = 2) -> list[Audit]:
    """Judge everything again and compare; closes the auditors."""
    with (
        VerifierPool(auditors, workers=workers) as pool,
        track("judging again", len(items)) as tracker,
    ):
        futures = [pool.submit(one.verifier, one.problem, one.candidate) for one in items]
        verdicts = []
        for future in futures:
            verdicts.append(future.result())
            tracker.advance()
    strata: dict[tuple[str, Outcome], list[tuple[Judged, Verdict]]] = {}
    for one, verdict in zip(items, verdicts, strict=True):
        strata.setdefault((one.verifier, one.outcome), []).append((one, verdict))
    return [_audit(auditors[name].version, name, outcome, pairs) for (name, outcome), pairs in strata.items()]


def _audit(version: str, name: str, outcome: Outcome, pairs: Sequence[tuple[Judged, Verdict]]) -> Audit:
    known = [(one, verdict) for one, verdict in pairs if verdict.outcome is not Outcome.UNKNOWN]
    differing = tuple(
        Disagreement(name, one.task, one.problem, one.candidate, one.reason, verdict.reason, verdict.feedback)
        for one, verdict in known
        if verdict.outcome is not outcome
    )
    bound = upper_bound(len(differing), len(known)) if known else 1.0
    return Audit(name, version, outcome.value, len(known), len(pairs) - len(known), differing, bound)


def audit_run(path: Path, *, size: int, seed: int, as_json: bool = False) -> bool:
    """Audit a run, print the result and leave it in RUN/audit.json; whether every accepted candidate was again.

    Raises:
        ConfigError: there is no such run, or nothing to audit in it.
        MissingExtraError: a package is not installed.
    """
    run, config = RunDirectory.open(path)
    require(("pyarrow", "scipy"), "train", "proofgrad audit")
    items = sample(judged_in(run), size, seed)
    audits = judge_again(items, _auditors(config, {one.verifier for one in items}), workers=config.verification.workers)
    result = {"run": str(path), "seed": seed, "time": time.time(), "audits": [asdict(audit) for audit in audits]}
    write_text(path / "audit.json", json.dumps(result, indent=1))
    if as_json:
        print(json.dumps(result))
    else:
        _show(audits, path)
    return not any(audit.disagreements for audit in audits if audit.outcome == Outcome.PASS)


def _auditors(config: Config, names: set[str]) -> dict[str, Verifier]:
    made: dict[str, Verifier] = {}
    for name in sorted(names):
        verifier = registry.get(name, **config.verification.options.get(name, {}))
        made[name] = verifier.auditor() if isinstance(verifier, AuditableVerifier) else verifier
    return made


def _show(audits: Sequence[Audit], path: Path) -> None:
    table = Table(title="judged again", caption="upper bounds at 95% (Clopper-Pearson)", min_width=70)
    for heading in ("verifier", "the run said", "judged again", "otherwise now", "rate at most", "unknown"):
        table.add_column(heading, justify="left" if heading in ("verifier", "the run said") else "right", no_wrap=True)
    for audit in audits:
        differing = len(audit.disagreements)
        cells = [str(audit.looked_at), str(differing), f"{100 * audit.bound:.2f}%", str(audit.unknown)]
        table.add_row(audit.verifier, audit.outcome, *cells)
    console.print(table)
    for audit in audits:
        for one in audit.disagreements:
            kind = "leak" if audit.outcome == Outcome.PASS else "false refusal"
            console.print(f"{kind}: {one.verifier} {one.task}: {one.was} → {one.is_now}", markup=False, soft_wrap=True)
    console.print(f"the whole result, with every disagreement, is in {path / 'audit.json'}", soft_wrap=True)
