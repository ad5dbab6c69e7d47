"""A verifier as a reward of PrimeIntellect's `verifiers`, in its v1 API (release 0.4).

    import verifiers.v1 as vf

    class Program(vf.Task[ProgramData]):
        proved = prime.reward("program")

A reward there is a float and nothing else. UNKNOWN therefore raises: the rollout is recorded as an error of the task's
scoring, which that library leaves out of training and may retry. It is never a reward of 0.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, cast

from proofgrad.verifiers.adapters.bench import bench
from proofgrad.verifiers.adapters.reading import Extract, fenced_or_all, read_problem, reward_of
from proofgrad.verifiers.base import Verifier
from proofgrad.verifiers.errors import ConfigError, MissingExtraError, ProofgradError
from proofgrad.verifiers.pool import VerifierPool

__all__ = ["Reward", "UnknownVerdictError", "reward"]

Reward: TypeAlias = Callable[..., Coroutine[Any, Any, float]]


class UnknownVerdictError(ProofgradError):
    """A completion could not be judged, in a place that has no other way to say so."""


def reward(
    verifier: Verifier | str,
    *,
    problem: str | Callable[[Any], object] = "problem",
    extract: Extract = fenced_or_all,
    partial_credit: bool = False,
    weight: float = 1.0,
    name: str | None = None,
    pool: VerifierPool | None = None,
    workers: int = 2,
) -> Reward:
    """A reward for the body of a `vf.Task`, or, at the top of a module, for `TaskConfig.rewards` to name.

    The verdict itself, with its feedback and evidence, is kept in `trace.info["verdicts"][NAME]`.

    Args:
        verifier: a name in the registry, or a verifier; with `pool`, its name there.
        problem: the field of the task's data with the problem, as JSON text or as an object; or a function of the
            task's data. That library hands the data to harnesses and tool servers too: where a policy could read them
            there, let the function look the problem up by the task's id.
        extract: the candidate in the last reply, or None for a reply without an answer, which is a FAIL.
        partial_credit: reward the verdict's score instead of the outcome.
        weight: of this reward in the sum.
        name: under which the trace records it; by default the verifier's.
        pool: judges in it; it stays the caller's to close. By default one is made that lives as long as the process.
        workers: judgements under way at once in a pool of its own.

    Returns:
        A coroutine function that raises `UnknownVerdictError` for UNKNOWN, `ProblemError` for a malformed problem and
        `ConfigError` for data without the problem's field.

    Raises:
        MissingExtraError: `verifiers` 0.4 is not installed.
        ConfigError: there is no such verifier.
    """
    try:
        library = importlib.import_module("verifiers.v1")
    except ImportError as error:
        raise MissingExtraError("verifiers", "prime", "a reward for PrimeIntellect's verifiers") from error
    judges = bench(verifier, pool, workers)
    title = name or judges.verifier

    # As a method it is called with the task first, as a plugged function without; it needs neither.
    async def scored(*_task: object, task: Any, trace: Any) -> float:
        verdict = await judges.judge(read_problem(_problem(problem, task)), extract(trace.last_reply))
        trace.info.setdefault("verdicts", {})[title] = verdict.to_json()
        value = reward_of(verdict, partial_credit=partial_credit)
        if value is None:
            raise UnknownVerdictError(f"verifier '{judges.verifier}' could not judge this reply: {verdict.reason}")
        return value

    scored.__name__ = scored.__qualname__ = title
    return cast(Reward, library.reward(scored, weight=weight))


def _problem(source: str | Callable[[Any], object], data: Any) -> object:
    if not isinstance(source, str):
        return source(data)
    if not hasattr(data, source):
        raise ConfigError(f"{type(data).__name__} has no field '{source}' for the problem; add it, or give a function")
    return getattr(data, source)
