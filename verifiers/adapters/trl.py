"""A verifier as a reward function of TRL's GRPOTrainer (TRL 1.16).

TRL itself is not imported: a reward function is a coroutine function, called with lists of equal length.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias

from proofgrad.verifiers.adapters.bench import bench
from proofgrad.verifiers.adapters.reading import Extract, fenced_or_all, message_text, read_problem, reward_of
from proofgrad.verifiers.base import Outcome, Verdict, Verifier
from proofgrad.verifiers.errors import ConfigError, ProblemError
from proofgrad.verifiers.pool import VerifierPool

__all__ = ["RewardFunction", "Row", "reward_function"]

Row: TypeAlias = Mapping[str, Any]
RewardFunction: TypeAlias = Callable[..., Coroutine[Any, Any, "list[float | None]"]]


def reward_function(
    verifier: Verifier | str,
    *,
    problem: str | Callable[[Row], object] = "problem",
    extract: Extract = fenced_or_all,
    partial_credit: bool = False,
    name: str | None = None,
    pool: VerifierPool | None = None,
    workers: int = 2,
) -> RewardFunction:
    """A reward function that has each completion judged, all of a batch at once.

    It returns one reward for each completion: 1 for PASS, 0 for FAIL, None for UNKNOWN, which TRL leaves out of the
    group's baseline and of the update. A row whose problem is None is not this function's to reward: None as well, so
    that several verifiers can share one dataset. TRL's log gets `rewards/NAME/unknown`, the share of judgements that
    ended UNKNOWN, and its table of completions a column `NAME_reason`.

    Args:
        verifier: a name in the registry, or a verifier; with `pool`, its name there.
        problem: the dataset's column with the problem, as JSON text or as an object; or a function of a row (its
            columns, and "prompt") that gives it.
        extract: the candidate in a completion's text (of chat messages: the last of the assistant's), or None for a
            completion without an answer, which is a FAIL. An environment's `extract` does.
        partial_credit: reward the verdict's score instead of the outcome.
        name: under which TRL logs it; by default the verifier's.
        pool: judges in it; it stays the caller's to close. By default one is made that lives as long as the process.
        workers: judgements under way at once in a pool of its own.

    Returns:
        A coroutine function that raises `ProblemError` for a malformed problem, naming the row, and `ConfigError` for
        a dataset without the problem's column.

    Raises:
        ConfigError: there is no such verifier.
    """
    judges = bench(verifier, pool, workers)
    title = name or judges.verifier

    async def judged(number: int, row: Row, completion: str | Sequence[Mapping[str, Any]]) -> Verdict | None:
        found = problem(row) if callable(problem) else row[problem]
        if found is None:
            return None
        try:
            return await judges.judge(read_problem(found), extract(message_text(completion)))
        except ProblemError as error:
            raise ProblemError(f"reward '{title}', row {number} of the batch: {error}") from error

    async def reward(
        *,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        if isinstance(problem, str):
            _check_column(problem, columns)
        rows = _rows(prompts, columns)
        verdicts = await asyncio.gather(
            *(judged(number, *pair) for number, pair in enumerate(zip(rows, completions, strict=True)))
        )
        if log_extra is not None:
            log_extra(f"{title}_reason", [None if verdict is None else verdict.reason for verdict in verdicts])
        outcomes = [verdict.outcome for verdict in verdicts if verdict is not None]
        if log_metric is not None and outcomes:
            log_metric(f"rewards/{title}/unknown", outcomes.count(Outcome.UNKNOWN) / len(outcomes))
        return [None if verdict is None else reward_of(verdict, partial_credit=partial_credit) for verdict in verdicts]

    reward.__name__ = reward.__qualname__ = title
    return reward


def _rows(prompts: Sequence[Any], columns: Mapping[str, Any]) -> list[Row]:
    """The batch by rows. What TRL hands over beside the columns, such as the trainer's state, is no list."""
    lists = {"prompt": prompts, **{key: value for key, value in columns.items() if isinstance(value, list)}}
    return [{key: value[number] for key, value in lists.items()} for number in range(len(prompts))]


def _check_column(name: str, columns: Mapping[str, Any]) -> None:
    if name in columns:
        return
    near = difflib.get_close_matches(name, columns, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "name the column, or give a function of the row"
    raise ConfigError(f"the dataset has no column '{name}' for the problem; {hint}")
