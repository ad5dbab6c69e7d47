"""What a policy may be told about its program: one clipped, printable line for each thing said.

An exception is told in two ways. Trusted, because it was put down before any hidden input was in the sandbox: class,
message and line. Otherwise only words of ours: a built-in class and a line of the candidate, never its message.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping

__all__ = ["FAULTS", "clean", "clip", "exception", "line_count", "module_fault", "show"]

_SHOWN_CHARS = 300
_BUILTIN_ERRORS = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)

FAULTS = {
    "wrong_output": "wrong output",
    "unserialisable": "the answer is not made of plain JSON types",
    "output_limit": "the answer is too large",
    "memory": "out of memory",
}


def line_count(candidate: str) -> int:
    """How many lines the candidate has."""
    return candidate.count("\n") + 1


def exception(answer: object, lines: int, *, trusted: bool) -> str:
    """A claimed exception in words; `lines` is how many the candidate has."""
    fields: Mapping[str, object] = answer if isinstance(answer, Mapping) else {}
    name, message, line = (fields.get(key) for key in ("error", "message", "line"))
    words = name if isinstance(name, str) and (trusted or name in _BUILTIN_ERRORS) else "an exception"
    if trusted and isinstance(message, str) and message:
        words += f": {message}"
    if type(line) is int and 1 <= line <= lines:
        words += f" (line {line})"
    return clean(words)


def module_fault(entry_point: str, fault: object, lines: int) -> tuple[str, str] | None:
    """Reason and feedback for a program that could not be loaded; None when the claim makes no sense.

    The text was written before any hidden input was sent, so all of it may be shown.
    """
    if not isinstance(fault, Mapping):
        return None
    if fault.get("kind") == "no_entry_point":
        return "code.no_entry_point", f"The program does not define a function named {entry_point}."
    described = exception(fault, lines, trusted=True)
    if fault.get("kind") == "syntax":
        return "code.syntax_error", f"The program does not compile: {described}."
    reason = "code.memory" if fault.get("error") == "MemoryError" else "code.exception"
    return reason, f"The program failed while it was being loaded: {described}."


def show(value: object) -> str:
    """A value as Python writes it."""
    try:
        return clip(repr(value))
    except (RecursionError, ValueError):  # an int of more digits than Python converts
        return "a deeply nested or very large value"


def clean(text: str) -> str:
    """One printable line: no line breaks that could pass for other feedback, no lone surrogates."""
    return clip("".join(char if char.isprintable() else " " for char in text))


def clip(text: str) -> str:
    """The beginning of a long text."""
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."
