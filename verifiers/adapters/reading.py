"""What the adapters read: a problem out of a row of data, a candidate out of a completion. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from proofgrad.verifiers.base import Json, Outcome, Problem, Verdict
from proofgrad.verifiers.errors import ProblemError
from proofgrad.verifiers.fences import last_fenced_block, without_blank_edges

__all__ = ["Extract", "fenced_or_all", "message_text", "read_problem", "reward_of"]

Extract: TypeAlias = Callable[[str], "str | None"]

# A null in the problem itself, or in an object that one of its keys holds (`tests[3].stdin`), is a key that another
# row has. Deeper down are a test's own data, where nobody can tell a filled-in key from a null that is meant.
_FILLER_DEPTH = 2


def fenced_or_all(text: str) -> str | None:
    """The candidate in a completion: the last ``` block, or all of the text when there is none.

    White space at the end and blank lines at the start go; indentation stays, since it means something in Lean and in
    Python. None when nothing is left.
    """
    text = text.replace("\r\n", "\n")
    block = last_fenced_block(text)
    return without_blank_edges(text if block is None else block)


def message_text(completion: str | Sequence[Mapping[str, Any]]) -> str:
    """A completion as text: itself, or what the last assistant message says; "" when there is no such message.

    A message's content may be a string, None (tool calls only), or a list of parts, of which the text ones count.
    """
    if isinstance(completion, str):
        return completion
    content = next((m.get("content") for m in reversed(completion) if m.get("role") == "assistant"), None)
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part["text"] for part in content if part.get("type") == "text")


def read_problem(value: object) -> Problem:
    """A row's problem: JSON text, which arrives as it was written, or an object.

    `datasets` keeps the objects of a column in one struct, and gives each the keys that only others have, with null in
    them. Such keys are taken out of the problem and of the objects it holds directly. JSON text needs no such repair,
    and keeps what a struct loses for good: whether a number was 1 or 1.0.

    Raises:
        ProblemError: it is neither, or a null lies so deep that it may have been meant.
    """
    if isinstance(value, str):
        try:
            parsed = json.loads(value)
        except ValueError as error:
            raise ProblemError(f"a problem that is text must be JSON: {error}") from error
        if not isinstance(parsed, dict):
            raise ProblemError(f"a problem that is text must hold a JSON object, not {type(parsed).__name__}")
        return parsed
    if isinstance(value, Mapping):
        return cast(Problem, _without_filler(value, "", 1))
    raise ProblemError(f"a problem is JSON text or an object, not {type(value).__name__}")


def _without_filler(value: Json, path: str, depth: int) -> Json:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if item is None and depth > _FILLER_DEPTH:
                raise ProblemError(
                    f"problem: '{path}{key}' is null, which may be a key that `datasets` filled in or may be meant; "
                    "give the problem as JSON text: json.dumps(problem)"
                )
        kept = {key: item for key, item in value.items() if item is not None}
        return {key: _without_filler(item, f"{path}{key}.", depth + 1) for key, item in kept.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        # The items of a list lie as deep as the list; those of a list in a list are data.
        stem = path.removesuffix(".")
        inner = depth + 1 if stem.endswith("]") else depth
        return [_without_filler(item, f"{stem}[{n}].", inner) for n, item in enumerate(value)]
    return value


def reward_of(verdict: Verdict, *, partial_credit: bool) -> float | None:
    """A verdict as a reward: 1 for PASS and 0 for FAIL, or with partial credit its score. None for UNKNOWN."""
    if verdict.outcome is Outcome.UNKNOWN:
        return None
    return verdict.score if partial_credit else float(verdict.is_pass)
