"""A verifier as a scorer of inspect-ai (release 0.3.285).

PASS is scored "C" and FAIL "I". UNKNOWN is `Score.unscored`, whose value is NaN: inspect's metrics and reducers leave
it out and count it among the unscored samples. It is never an "I".
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any, TypeAlias

from proofgrad.verifiers.adapters.bench import bench
from proofgrad.verifiers.adapters.reading import Extract, fenced_or_all, read_problem, reward_of
from proofgrad.verifiers.base import Verdict, Verifier
from proofgrad.verifiers.errors import MissingExtraError
from proofgrad.verifiers.pool import VerifierPool

__all__ = ["Find", "proved"]

Find: TypeAlias = Callable[[Any, Any], object]


def proved(
    verifier: Verifier | str,
    *,
    problem: str | Find = "problem",
    extract: Extract = fenced_or_all,
    partial_credit: bool = False,
    pool: VerifierPool | None = None,
    workers: int = 2,
) -> Any:
    """A scorer with the metrics accuracy and stderr.

    A score's answer is the candidate, its explanation the verdict's feedback, its metadata the verdict's outcome,
    reason, evidence and seconds. It waits with asyncio, inspect's default backend, not with trio.

    Args:
        verifier: a name in the registry, or a verifier; with `pool`, its name there.
        problem: the key of the sample's metadata with the problem, as JSON text or as an object; a sample without the
            key has it in its target, as JSON text. Or a function of inspect's `TaskState` and `Target`.
        extract: the candidate in the completion, or None for a completion without an answer, which is a FAIL.
        partial_credit: score the verdict's score, a number, instead of "C" and "I".
        pool: judges in it; it stays the caller's to close. By default one is made that lives as long as the process.
        workers: judgements under way at once in a pool of its own.

    Returns:
        An inspect `Scorer`. A malformed problem raises `ProblemError` in it, which fails the sample.

    Raises:
        MissingExtraError: inspect-ai is not installed.
        ConfigError: there is no such verifier.
    """
    return _scorer(_library())(verifier, problem, extract, partial_credit, pool, workers)


@functools.cache
def _scorer(library: Any) -> Any:
    """Registers the scorer with inspect, once."""

    def scorer(
        verifier: Verifier | str,
        problem: str | Find,
        extract: Extract,
        partial_credit: bool,
        pool: VerifierPool | None,
        workers: int,
    ) -> Any:
        judges = bench(verifier, pool, workers)
        find = _in_sample(problem) if isinstance(problem, str) else problem

        async def score(state: Any, target: Any) -> Any:
            candidate = extract(state.output.completion)
            verdict = await judges.judge(read_problem(find(state, target)), candidate)
            return _score(library, verdict, candidate, partial_credit)

        return score

    return library.scorer(metrics=[library.accuracy(), library.stderr()], name="proved")(scorer)


def _library() -> Any:
    try:
        return importlib.import_module("inspect_ai.scorer")
    except ImportError as error:
        raise MissingExtraError("inspect-ai", "inspect", "a scorer for inspect-ai") from error


def _in_sample(key: str) -> Find:
    return lambda state, target: state.metadata.get(key, target.text)


def _score(library: Any, verdict: Verdict, candidate: str | None, partial_credit: bool) -> Any:
    record = verdict.to_json()
    said = {
        "answer": candidate,
        "explanation": verdict.feedback or verdict.reason,
        "metadata": {key: record[key] for key in ("outcome", "reason", "evidence", "seconds")},
    }
    value = reward_of(verdict, partial_credit=partial_credit)
    if value is None:
        return library.Score.unscored(reason="scoring_failed", **said)
    if not partial_credit:
        return library.Score(value=library.CORRECT if verdict.is_pass else library.INCORRECT, **said)
    return library.Score(value=value, **said)
