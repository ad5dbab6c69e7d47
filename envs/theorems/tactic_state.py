"""Turning what Lean prints of a proof back into what a file would say: states into statements, traces into scripts.

Lean prints a goal as hypotheses, one or more lines each, and ``⊢`` with the type to prove::

    α : Type u_1
    inst✝ : Inhabited α
    p q : α → Prop
    h : ∀ (x : α), p x
    ⊢ p default ∨ q default

Several goals are parted by blank lines; ``case NAME`` above a goal is its tag; ``✝`` marks a name that no source can
refer to. A printed term need not elaborate to the term it came from (coercions, implicit arguments, names that were
short because a namespace was open): what comes out here is a statement that Lean still has to accept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["NO_GOALS", "IrrecoverableError", "Step", "replay", "statement_from_state"]

NO_GOALS = "no goals"

_UNIVERSES = ("u", "v", "w")
_HYPOTHESIS = re.compile(r"(?P<names>\S+(?: \S+)*?) :(?=\s|\Z)(?P<type>.*)", re.DOTALL)
_INSTANCE = re.compile(r"inst✝[⁰¹²³⁴⁵⁶⁷⁸⁹]*")
# Where a universe level can stand: after Type and Sort, and in an explicit list of them.
_LEVEL = r"[A-Za-zα-κμ-ω_][\w']*"
_LEVELS = re.compile(
    rf"(?P<before>\b(?:Type|Sort) )(?P<level>{_LEVEL}|\((?:[^()]|\([^()]*\))*\))|\.\{{(?P<list>[^{{}}]*)\}}"
)


class IrrecoverableError(ValueError):
    """A state that cannot be turned back into a statement; `reason` is one of a few words to count by."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Step(NamedTuple):
    """One recorded tactic, with the goals before and after it as Lean prints them."""

    tactic: str
    before: str
    after: str


def statement_from_state(state: str) -> str:
    """Binders and type of the theorem whose only goal `state` is: ``(p q : Prop) (h : p ∧ q) : q``.

    All binders become explicit, which changes nothing about what is proved. Unnamed instances become ``[C α]`` again.
    Universe levels are renamed to u, v and w, which is what the verifier declares.

    Raises:
        IrrecoverableError: there is no goal or more than one, the goal has a case tag, a name is inaccessible
            (``✝``), Lean left out a part of a term (``⋯``), there is a metavariable, a local definition, or a fourth
            universe, or a line is none that Lean prints.
    """
    text = state.replace("\r\n", "\n").strip("\n")
    if not text.strip() or text.strip() == NO_GOALS:
        raise IrrecoverableError("no goal")
    if text.count("⊢") != 1 or "\n\n" in text:
        raise IrrecoverableError("several goals")
    if text.startswith("case "):
        raise IrrecoverableError("case tag")
    if "⋯" in text:
        raise IrrecoverableError("elided term")
    if re.search(r"(?<![\w'])\?\w", text):
        raise IrrecoverableError("metavariable")
    context, _turnstile, goal = text.partition("⊢")
    if context and not context.endswith("\n"):
        raise IrrecoverableError("unreadable state")
    binders = [_binder(hypothesis) for hypothesis in _hypotheses(context)]
    statement = f"{' '.join(binders)} : {' '.join(goal.split())}".strip()
    if "✝" in statement:
        raise IrrecoverableError("inaccessible name")
    if not goal.strip():
        raise IrrecoverableError("unreadable state")
    return _with_our_universes(statement)


def _hypotheses(context: str) -> list[str]:
    """The hypotheses, each with the indented lines that go on with its type."""
    found: list[str] = []
    for line in context.splitlines():
        if line[:1].isspace() and found:
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


def _binder(hypothesis: str) -> str:
    match = _HYPOTHESIS.fullmatch(hypothesis)
    if match is None:
        raise IrrecoverableError("unreadable state")
    kind = " ".join(match["type"].split())
    if not kind:
        raise IrrecoverableError("unreadable state")
    if ":=" in kind:
        raise IrrecoverableError("local definition")
    names = match["names"].split()
    if all(map(_INSTANCE.fullmatch, names)):
        return " ".join([f"[{kind}]"] * len(names))
    return f"({' '.join(names)} : {kind})"


def _with_our_universes(statement: str) -> str:
    """The statement with its universe levels named u, v, w in order of first occurrence."""
    names: dict[str, str] = {}

    def rename(levels: str) -> str:
        return re.sub(_LEVEL, lambda found: found[0] if found[0] in ("max", "imax") else named(found[0]), levels)

    def named(level: str) -> str:
        if level not in names and len(names) == len(_UNIVERSES):
            raise IrrecoverableError("more than three universes")
        return names.setdefault(level, _UNIVERSES[len(names) % len(_UNIVERSES)])

    def replace(found: re.Match[str]) -> str:
        if found["list"] is not None:
            return f".{{{rename(found['list'])}}}"
        return found["before"] + rename(found["level"])

    return _LEVELS.sub(replace, statement)


def replay(steps: Iterable[Step]) -> str | None:
    """The tactic block that leads from the first state to no goals, or None when the steps do not get there.

    A trace lists the tactics inside other tactics behind them, and some lists leave out the bullets (``·``) around
    a goal's tactics. So a step is taken only where it starts from the first of the goals that are open, and skipped
    where it is a part of one that was taken already.

    Returns:
        ``by`` and one tactic a line, indented by two spaces.
    """
    goals: list[str] | None = None
    taken: list[str] = []
    for step in steps:
        before, after = _goals(step.before), _goals(step.after)
        if goals is None:
            goals = before
        if not goals:
            break
        if before and before == goals[: len(before)] and step.tactic.strip():
            goals = after + goals[len(before) :]
            taken.append(step.tactic)
    if goals or not taken:
        return None
    return "\n".join(["by", *(f"  {line}".rstrip() for tactic in taken for line in tactic.strip("\n").split("\n"))])


def _goals(state: str) -> list[str]:
    text = state.replace("\r\n", "\n").strip("\n")
    return [] if text.strip() in ("", NO_GOALS) else [goal.strip("\n") for goal in text.split("\n\n")]
