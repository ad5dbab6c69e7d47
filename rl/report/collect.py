"""Everything that runs and evaluations hold, as one JSON-able model for every way of showing it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofgrad.rl.evaluation.stored import StoredEvaluation, evaluations_in
from proofgrad.rl.plain import plain
from proofgrad.rl.report.curves import curves_of
from proofgrad.rl.report.headline import headline
from proofgrad.rl.report.names import LONGEST_NAME, read_json, short
from proofgrad.rl.report.samples import Source, read_samples
from proofgrad.rl.report.tables import Notices, rows_of
from proofgrad.rl.report.trust_panel import trust_panel, unread_panel
from proofgrad.verifiers.errors import ConfigError

if TYPE_CHECKING:
    from proofgrad.rl.evaluate import TaskResult

__all__ = ["MAX_SAMPLES", "collect"]

MAX_SAMPLES = 20_000

_OF_DISAGREEMENTS = ("task", "was", "is_now")
_CUT = f"Reasons and tasks with names longer than {LONGEST_NAME:,} characters are cut."


@dataclass(frozen=True, slots=True)
class _Found:
    """A directory that was named, with what it holds.

    Attributes:
        taken: evaluations, in the order in which they were taken; the last stands for the directory in comparisons.
        nested: evaluations taken of the run afterwards, by ``proofgrad eval RUN``.
        chains: directories that hold chains, by the names they are shown under.
    """

    path: Path
    name: str
    taken: list[StoredEvaluation]
    nested: list[StoredEvaluation]
    chains: dict[str, Path]


def collect(
    paths: Sequence[Path], *, force: bool = False, max_samples: int = MAX_SAMPLES, seed: int = 0
) -> dict[str, Any]:
    """The model of one or more run and evaluation directories; the first is what the others are compared with.

    Args:
        paths: directories of train or eval.
        force: compare what was judged by different verifier versions all the same; the model then says so.
        max_samples: most samples to take along, drawn with `seed` where there are more.
        seed: of that draw.

    Raises:
        ConfigError: no such run, an unfinished evaluation, a file that cannot be read, or evaluations that must not be
            compared. A table that lacks a column costs what would be made of it, and a notice says so.
    """
    from proofgrad.rl.evaluation.compare import compare_all

    notices = Notices()
    given: set[str] = set()
    found = [
        _find(path, name, len(paths) == 1, given, notices) for path, name in zip(paths, _names(paths), strict=True)
    ]
    together = [one.taken for one in found if len(one.taken) > 1]
    if len(found) > 1:
        together.append([one.taken[-1] for one in found])
    comparisons = [_comparison(one, notices) for group in together for one in compare_all(group, force=force)]
    for comparison in comparisons:
        if comparison["forced"]:
            text = f"{comparison['b']} and {comparison['a']} were judged by different verifier versions and compared "
            notices.add(f"{text}by force (--force): the difference may be the judges'.", "warning")
    evaluations = [
        _evaluation(stored, one, stored in one.nested, notices) for one in found for stored in (*one.taken, *one.nested)
    ]
    samples = read_samples(_sources(found), max_samples, notices, seed)
    main = (found[-1] if len(found) == 2 else found[0]).taken[-1].name
    return {
        "title": f"{', '.join(one.name for one in found)} · proofgrad report",
        "version": version("proofgrad"),
        "made": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "headline": headline(comparisons, evaluations, [one.name for one in found]),
        "notices": notices.found,
        "trust": next(one["trust"] for one in evaluations if one["name"] == main),
        "runs": [_run(one) for one in found],
        "evaluations": evaluations,
        "comparisons": comparisons,
        "chains": [_chains(name, path) for one in found for name, path in one.chains.items()],
        "samples": samples,
    }


def _names(paths: Sequence[Path]) -> list[str]:
    """Last parts of the paths; whole paths where these are not distinct, numbered where one is given twice."""
    last = [path.resolve().name for path in paths]
    given: set[str] = set()
    return [_free(name, given) for name in (last if len(set(last)) == len(last) else map(str, paths))]


def _free(name: str, given: set[str]) -> str:
    """A name that nothing has been given yet: `name`, or with a number behind it."""
    free, number = name, 1
    while free in given:
        number += 1
        free = f"{name} ({number})"
    given.add(free)
    return free


def _find(path: Path, name: str, alone: bool, given: set[str], notices: Notices) -> _Found:
    """What a directory holds. A run that is shown alone need not be named with each of its evaluations."""
    taken = evaluations_in(path)
    if len(taken) > 1 or _is_run(path):
        of = "" if alone else f"{name}:"
        taken = [_renamed(stored, _free(of + stored.name.rpartition(":")[2], given)) for stored in taken]
    else:
        taken = [_renamed(stored, _free(name, given)) for stored in taken]
    nested = []
    chains = {taken[0].name: path} if (path / "chains.json").is_file() else {}
    for directory in sorted(path.glob("evaluations/*/")):
        inner = f"{'' if alone else name + '/'}{directory.name}"
        inner = _free(f"evaluations/{inner}" if inner in given else inner, given)
        if (directory / "chains.json").is_file():
            chains[inner] = directory
        if (directory / "evaluation.json").is_file():
            nested += [_renamed(stored, inner) for stored in evaluations_in(directory)]
        elif inner not in chains:
            notices.add(f"The evaluation '{directory}' is not finished and is left out.")
    return _Found(path, name, taken, nested, chains)


def _renamed(stored: StoredEvaluation, name: str) -> StoredEvaluation:
    return StoredEvaluation(name, stored.directory, stored.evaluation, stored.rollouts)


def _is_run(path: Path) -> bool:
    return (path / "config.yaml").is_file()


def _run(found: _Found) -> dict[str, Any]:
    path = found.path
    config, metrics = None, []
    if _is_run(path):
        from proofgrad.rl.run_directory import RunDirectory
        from proofgrad.verifiers.validation import read_yaml

        # As it was written: a run of an older version may have keys that this one does not know.
        config = read_yaml(path / "config.yaml", "configuration", "configs/quickstart.yaml")
        metrics = RunDirectory(path).metrics()
    return {
        "name": found.name,
        "path": str(path),
        "kind": "evaluation" if config is None else "run",
        "config": plain(config),
        "manifest": read_json(path / "manifest.json"),
        "audit": _audit(path / "audit.json"),
        "lineage": _lineage(path / "lineage.json"),
        "curves": plain(curves_of(metrics)),
    }


def _audit(path: Path) -> list[dict[str, Any]] | None:
    """What an audit found, without the candidates and without the problems, which hold hidden tests."""
    data = read_json(path)
    if data is None:
        return None
    kept = ("verifier", "outcome", "looked_at", "unknown", "bound")
    try:
        return [
            {key: one[key] for key in kept}
            | {"disagreements": [{key: short(str(d[key])) for key in _OF_DISAGREEMENTS} for d in one["disagreements"]]}
            for one in data["audits"]
        ]
    except (KeyError, TypeError) as error:
        raise ConfigError(f"'{path}' is no result of proofgrad audit: {error}") from error


def _lineage(path: Path) -> list[dict[str, Any]] | None:
    rows = read_json(path)
    if rows is None:
        return None
    keys = ("name", "parent", "generation", "promoted", "score")
    if not isinstance(rows, list) or any(not isinstance(row, dict) or not set(keys) <= set(row) for row in rows):
        raise ConfigError(f"'{path}' must be a list of objects with {', '.join(keys)}")
    return [{key: row[key] for key in keys} for row in rows]


def _comparison(comparison: Any, notices: Notices) -> dict[str, Any]:
    found: dict[str, Any] = plain(comparison)
    for side in ("only_a", "only_b"):
        found[side] = _shortened(found[side], notices)
    return found


def _shortened(names: Sequence[str], notices: Notices) -> list[str]:
    """The names as they are shown; where one is cut, that is said."""
    if any(len(name) > LONGEST_NAME for name in names):
        notices.add(_CUT)
    return [short(name) for name in names]


def _evaluation(stored: StoredEvaluation, found: _Found, nested: bool, notices: Notices) -> dict[str, Any]:
    evaluation, directory = stored.evaluation, stored.directory
    has_rows = evaluation.samples > 1 and stored.rollouts.is_file()
    own = nested or (directory / "evaluation.json").is_file()
    return {
        "name": stored.name,
        "run": found.name,
        "facts": plain(
            {
                "policy": evaluation.policy,
                "engine": evaluation.engine,
                "suite": evaluation.suite,
                "seed": evaluation.seed,
                "samples": evaluation.samples,
                "temperature": evaluation.temperature,
                "max_tokens": evaluation.max_tokens,
                "tokens": evaluation.tokens,
                "seconds": evaluation.seconds,
                "waiting_seconds": evaluation.waiting_seconds,
                "verifiers": dict(evaluation.verifiers),
            }
        ),
        "trust": _trust(stored, found.path, notices),
        "domains": [_domain(stored, domain) for domain in evaluation.domains()],
        "levels": _levels(stored),
        "jaggedness": _jaggedness(stored),
        "test_time": _test_time(stored, notices) if has_rows else [],
        "revision": _revision(directory / "revision.json") if own else None,
        "reasons": _reasons(stored, notices),
        "settings": read_json(directory / "settings.json") if own else None,
        "environment": read_json(directory / "environment.json") if own else None,
    }


def _trust(stored: StoredEvaluation, path: Path, notices: Notices) -> dict[str, Any]:
    from proofgrad.rl.checks.trust import trust_in

    try:
        return trust_panel(trust_in(stored, path if _is_run(path) else None).to_json())
    except ConfigError as error:  # such as the configuration of a run of another version
        notices.add(f"What was checked about '{stored.name}' is left out: {error}.", "warning")
        return unread_panel(stored.name)


def _domain(stored: StoredEvaluation, domain: str) -> dict[str, Any]:
    from proofgrad.rl.evaluate import OVERALL, pass_at

    evaluation = stored.evaluation
    scored = evaluation.scored(domain)
    doubled = [1 << power for power in range(evaluation.samples.bit_length())]
    ks = sorted({*evaluation.reported, *doubled})
    rows = [result for result in evaluation.results if domain in (OVERALL, result.domain)]
    return {
        "domain": domain,
        "problems": len(scored),
        "judged": sum(result.judged for result in rows),
        "unknown": sum(result.unknown for result in rows),
        "pass_at": [{"k": k, "estimate": plain(found)} for k in ks if (found := pass_at(scored, k)) is not None],
    }


def _levels(stored: StoredEvaluation) -> list[dict[str, Any]]:
    """pass@1 by domain and difficulty, where a domain has more than one difficulty with two problems."""
    from proofgrad.rl.evaluate import pass_at

    by_level: dict[str, dict[float, list[TaskResult]]] = {}
    for result in stored.evaluation.scored():
        if result.difficulty is not None:
            by_level.setdefault(result.domain, {}).setdefault(result.difficulty, []).append(result)
    return [
        {"domain": domain, "difficulty": level, "problems": len(results), "estimate": plain(found)}
        for domain, levels in by_level.items()
        if sum(len(results) > 1 for results in levels.values()) > 1
        for level, results in sorted(levels.items())
        if (found := pass_at(results, 1)) is not None
    ]


def _jaggedness(stored: StoredEvaluation) -> dict[str, Any] | None:
    from proofgrad.rl.evaluation.compare import jaggedness

    found: dict[str, Any] | None = plain(jaggedness(stored.evaluation))
    return found


def _revision(path: Path) -> list[dict[str, Any]] | None:
    from proofgrad.rl.stats import Estimate

    rows = read_json(path)
    try:
        # Its estimates are [mean, low, high] there.
        return rows and [
            {key: plain(Estimate(*value)) if isinstance(value, list) else value for key, value in row.items()}
            for row in rows
        ]
    except (TypeError, AttributeError) as error:
        raise ConfigError(f"cannot read '{path}': it holds no comparison of revisions") from error


def _chains(name: str, directory: Path) -> dict[str, Any]:
    from proofgrad.rl.evaluation.chain_results import load_chains

    evaluation = load_chains(directory)
    results = [
        {
            "name": result.name,
            "curves": [
                {**plain(curve), "horizons": [_horizon(curve, horizon) for horizon in curve.horizons]}
                for curve in result.curves
            ],
        }
        for result in evaluation.results
    ]
    return {
        "name": name,
        "chains": evaluation.chains,
        "length": evaluation.length,
        "context": evaluation.context,
        "results": results,
    }


def _test_time(stored: StoredEvaluation, notices: Notices) -> list[dict[str, Any]]:
    from proofgrad.rl.evaluation.test_time import test_time_curves

    what = f"What more sampling buys, for '{stored.name}', is"
    try:
        found: list[dict[str, Any]] = plain([curve.to_json() for curve in test_time_curves(stored)])
    except ConfigError as error:
        notices.add(f"{what} left out: {error}.")
    except UnicodeEncodeError:
        notices.no_utf8(what, stored.rollouts)
    except (KeyError, TypeError) as error:
        # A turn without a figure, or a figure that is null, as in tables of other versions.
        notices.add(f"{what} left out: a table in '{stored.directory}' lacks {error}.")
    else:
        return found
    return []


def _horizon(curve: Any, horizon: Any) -> dict[str, Any]:
    length = len(curve.points)
    words = {"measured": horizon.measured.within(length), "independent": horizon.independent.within(length)}
    return {**plain(horizon), "words": words}


def _reasons(stored: StoredEvaluation, notices: Notices) -> list[dict[str, Any]]:
    """How the samples ended, most frequent first."""
    if not stored.rollouts.is_file():
        return []
    rows = rows_of(stored.rollouts, ("outcome", "reason"), f"How attempts of '{stored.name}' end is", notices)
    counts = Counter((row["outcome"], row["reason"]) for row in rows).most_common()
    reasons = _shortened([str(reason) for (_, reason), _ in counts], notices)
    return [
        {"outcome": outcome, "reason": reason, "count": n}
        for ((outcome, _), n), reason in zip(counts, reasons, strict=True)
    ]


def _sources(found: Sequence[_Found]) -> list[Source]:
    sources = []
    for one in found:
        for stored in (*one.taken, *one.nested):
            sources.append(Source(stored.name, stored.rollouts))
            if (revised := stored.directory / "revised.parquet").is_file():
                sources.append(Source(f"{stored.name}, revised", revised))
        sources += [Source(f"{name}, steps", path / "chains.parquet") for name, path in one.chains.items()]
        known = {source.path for source in sources}
        recorded = [path for path in sorted(one.path.glob("rollouts/*.parquet")) if path not in known]
        sources += [Source(f"{one.name}, training", path, training=True) for path in recorded]
    return [source for source in sources if source.path.is_file()]
