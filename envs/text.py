"""Reading answers out of completions, and shared checks of options. Pure functions."""

from __future__ import annotations

from typing import Literal, TypeAlias

from proofgrad.envs.base import Message, Prompt
from proofgrad.verifiers.base import Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.fences import last_fenced_block, without_blank_edges

__all__ = [
    "Style",
    "answer",
    "check_levels",
    "check_style",
    "default_feedback",
    "user_prompt",
]

Style: TypeAlias = Literal["plain", "chat"]

_STYLES = ("plain", "chat")


def answer(completion: str, style: Style) -> str | None:
    """The candidate in `completion`.

    Plain style: all of it. Chat style: the last fenced block if there is one, else all of it. Trailing white space
    goes; leading blank lines go; indentation stays, because it has a meaning in Lean and in Python.

    Returns:
        The candidate, or None when nothing but white space is left.
    """
    text = completion
    if style == "chat":
        block = last_fenced_block(completion)
        text = completion if block is None else block
    return without_blank_edges(text)


def user_prompt(text: str, style: Style, instructions: str) -> Prompt:
    """`text` itself in plain style; one user message with the instructions first in chat style."""
    if style == "plain":
        return text
    return [Message(role="user", content=f"{instructions}\n\n{text}")]


def default_feedback(verdict: Verdict) -> str:
    """What the policy is told about a verdict: one of three openings and the verifier's own feedback."""
    if verdict.outcome is Outcome.PASS:
        return "Correct."
    if verdict.outcome is Outcome.UNKNOWN:
        return "Your answer could not be judged. Please give it again."
    detail = verdict.feedback.strip() or f"The verifier's reason: {verdict.reason}."
    return f"That answer was not accepted.\n{detail}\nPlease correct it."


def check_style(style: str) -> Style:
    """`style`, if there is one of that name.

    Raises:
        ConfigError: there is none.
    """
    if style == "plain":
        return "plain"
    if style == "chat":
        return "chat"
    raise ConfigError(f"style '{style}' is unknown; the styles are {' and '.join(repr(s) for s in _STYLES)}")


def check_levels(min_level: int, max_level: int, demo_max_level: int | None, highest: int) -> tuple[range, range]:
    """The levels of the tasks and those of the demonstrations.

    Raises:
        ConfigError: a level lies outside 1 to `highest`, or an upper bound lies under `min_level`.
    """
    top = max_level if demo_max_level is None else demo_max_level
    for name, value in (("min_level", min_level), ("max_level", max_level), ("demo_max_level", top)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
            raise ConfigError(f"{name} is {value!r}; allowed are the whole numbers from 1 to {highest}")
    for name, value in (("max_level", max_level), ("demo_max_level", top)):
        if value < min_level:
            raise ConfigError(f"{name} is {value}, under min_level {min_level}; allowed are {min_level} to {highest}")
    return range(min_level, max_level + 1), range(min_level, top + 1)
