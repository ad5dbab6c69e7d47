"""What a policy is told about a proof that Lean refused: the mistake, the place, and what was to be proved there.

    line 3, column 8: Type mismatch: `h.left` has type `p` but is expected to have type `q`
    In your proof:
      intro h
      exact <error>h.1</error>
    Goal:
    h : p ∧ q
    ⊢ q

Lines count from 1 and columns from 0, as Lean's do. The marks around the span, with up to four lines before it and one
after, are those of Goedel-Prover-V2 (arXiv 2508.03613). The text never takes more tokens than its budget: details go in
by importance, each only if what is there by then still fits. Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from proofgrad.verifiers.lean.goals import Goal, Hypothesis, goals_in
from proofgrad.verifiers.lean.messages import Message
from proofgrad.verifiers.lean.mistakes import Mistake, find_mistakes

__all__ = ["CLOSE", "OPEN", "goals_in", "render", "token_estimate"]

OPEN, CLOSE = "<error>", "</error>"

# How an excerpt grows: (lines before, lines after, characters kept on each side of what is cut).
_EXCERPTS = ((0, 0, 30), (1, 1, 60), (4, 1, 100))
_SPAN_HEAD, _SPAN_TAIL = 2, 3  # of a span of more lines than these and one, the middle is left out
_EXPRESSION_LIMITS = (400, 120, 50, 20)  # characters kept of each expression in a message, the first that fits
_FIRST_SHARE, _LATER_SHARE = 0.6, 0.4  # the most of the budget that one message may take
_EXPRESSION = re.compile(r"`[^`]*`")
# What a mismatch says besides the term and its two types.
_DETAILS = re.compile(r" of sort `[^`]*`| in the application `[^`]*`")
_NAMES = re.compile(r"[^\W\d][\w'✝¹²³⁴⁵⁶⁷⁸⁹⁰]*")
_SORTS = re.compile(r"(Prop|Type|Sort)\b")


def token_estimate(text: str) -> int:
    """A third of the bytes of `text` in UTF-8, rounded up: an ASCII token seldom has fewer than three characters."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 3)


def render(
    errors: Iterable[Message],
    candidate: str,
    *,
    hide: Iterable[str] = (),
    budget: int = 300,
    limit: int = 8,
    count_tokens: Callable[[str], int] | None = None,
) -> str:
    """The first mistakes in `candidate` as text for a policy; "" when there is no error or no budget.

    Args:
        errors: Lean's errors in its order, with lines counted from the candidate's first and columns from 0.
        candidate: the text that Lean read, which excerpts are taken from.
        hide: names that must not appear, such as the theorem's.
        budget: tokens that the result may have at most.
        limit: mistakes that are named at most.
        count_tokens: how tokens are counted; `token_estimate` if not given.
    """
    count = count_tokens or token_estimate
    mistakes = find_mistakes(errors, candidate, hide)
    if not mistakes or budget < 1:
        return ""
    page = _Page(candidate, budget, count, len(mistakes))
    for mistake in mistakes[:limit]:
        if not page.add(mistake):
            break
    # First what each mistake is and what is open there, then more of the surroundings.
    for goals, excerpt in ((1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (4, 2), (5, 2), (5, 3)):
        for i in range(len(page.blocks)):
            page.grow(i, goals, excerpt if i == 0 else min(excerpt, 2))
    return page.text


@dataclass(frozen=True, slots=True)
class _Block:
    """What is shown of one mistake: its message, and how much of the excerpt and of the goals (0 is none)."""

    mistake: Mistake
    message: str
    excerpt: int = 0
    goals: int = 0


class _Page:
    """A text that grows within a budget: `text` is always the last version that fitted."""

    def __init__(self, candidate: str, budget: int, count: Callable[[str], int], total: int) -> None:
        self._candidate, self._budget, self._count, self._total = candidate, budget, count, total
        self.blocks: list[_Block] = []
        self.text = ""

    def add(self, mistake: Mistake) -> bool:
        """Name one more mistake; False when there is no room."""
        messages = list(self._messages(mistake))
        for share in (_LATER_SHARE,) if self.blocks else (_FIRST_SHARE, 1.0):
            for message in messages:
                block = _Block(mistake, message)
                if self._count(message) <= share * self._budget and self._try([*self.blocks, block]):
                    return True
        if not self.blocks:
            self._cut(messages[-1])
        return False

    def grow(self, i: int, goals: int, excerpt: int) -> None:
        """Show up to this much of the i-th mistake's goals and surroundings, if there is room."""
        block = self.blocks[i]
        if excerpt == block.excerpt + 1:
            self._try([*self.blocks[:i], replace(block, excerpt=excerpt), *self.blocks[i + 1 :]])
            block = self.blocks[i]
        if goals == block.goals + 1 and block.mistake.goals:
            self._try([*self.blocks[:i], replace(block, goals=goals), *self.blocks[i + 1 :]])

    def _messages(self, mistake: Mistake) -> Iterator[str]:
        """The mistake's message, ever shorter."""
        line, column = _position(self._candidate, mistake.start)
        again = f" (also on line {', '.join(map(str, mistake.again[:3]))})" if mistake.again else ""
        texts = [mistake.text, _DETAILS.sub("", mistake.text)]
        for text, limit in ((texts[0], _EXPRESSION_LIMITS[0]), *((texts[1], limit) for limit in _EXPRESSION_LIMITS)):
            short = _cut_middle(_with_short_expressions(text, limit), 6 * limit)
            yield _without_marks(f"line {line}, column {column}: {short}{again}")

    def _try(self, blocks: list[_Block]) -> bool:
        shown = [_block_text(block, self._candidate) for block in blocks]
        left = self._total - len(blocks)
        more = [f"({left} more {'error' if left == 1 else 'errors'})"] if left else []
        for parts in ([*shown, *more], shown) if more else (shown,):
            text = "\n\n".join(parts)
            if self._count(text) <= self._budget:
                self.blocks, self.text = blocks, text
                return True
        return False

    def _cut(self, message: str) -> None:
        """The longest beginning of the message that fits, when nothing else does."""
        low, high = 0, len(message)
        while low < high:
            middle = (low + high + 1) // 2
            if self._count(_beginning(message, middle)) <= self._budget:
                low = middle
            else:
                high = middle - 1
        text = _beginning(message, low)
        self.text = text if low and self._count(text) <= self._budget else ""


def _beginning(text: str, length: int) -> str:
    return text if length >= len(text) else f"{text[:length].rstrip()}…"


def _block_text(block: _Block, candidate: str) -> str:
    lines = [block.message]
    if block.excerpt:
        lines += ["In your proof:", *_excerpt(candidate, block.mistake, *_EXCERPTS[block.excerpt - 1])]
    if block.goals:
        goals = block.mistake.goals
        lines += ["Goal:" if len(goals) == 1 else "Goals:", *map(_without_marks, _goal_lines(goals, block.goals))]
    return "\n".join(lines)


def _excerpt(candidate: str, mistake: Mistake, before: int, after: int, width: int) -> list[str]:
    """The lines of the span, marked, and those around it."""
    start, end = mistake.start, mistake.end
    head, tail = candidate[:start].split("\n"), candidate[end:].split("\n")
    span = candidate[start:end].split("\n")
    if len(span) > _SPAN_HEAD + _SPAN_TAIL + 1:
        span = [*span[:_SPAN_HEAD], "…", *span[-_SPAN_TAIL:]]
    span = [_without_marks(_cut_middle(line, 2 * width)) for line in span]
    span[0] = f"{_without_marks(_cut_start(head[-1], width))}{OPEN}{span[0]}"
    span[-1] = f"{span[-1]}{CLOSE}{_without_marks(_cut_end(tail[0], width))}"
    first = max(0, len(head) - 1 - before)
    around = [[_without_marks(_cut_end(line, 2 * width)) for line in lines]
              for lines in (head[first : len(head) - 1], tail[1 : 1 + after])]  # fmt: skip
    return [*around[0], *span, *around[1]]


def _goal_lines(goals: Sequence[Goal], level: int) -> list[str]:
    """The goals as Lean shows them: 1 is the first one's target only, 5 is everything."""
    lines: list[str] = []
    for i, goal in enumerate(goals):
        if i and level <= 2:
            left = len(goals) - 1
            return [*lines, f"({left} more {'goal' if left == 1 else 'goals'})"]
        if goal.case:
            lines.append(f"case {goal.case}")
        hypotheses = _shown(goal, level if i == 0 or level > 3 else 1)
        lines += map(str, hypotheses)
        if hypotheses and len(hypotheses) < len(goal.hypotheses):
            lines.append("…")
        lines.append(f"⊢ {goal.target}")
    return lines


def _shown(goal: Goal, level: int) -> list[Hypothesis]:
    """Hypotheses by level: none, those that have to do with the target less what only says Prop or Type, those, all."""
    if level <= 1:
        return []
    if level >= 5:
        return list(goal.hypotheses)
    wanted = set(_NAMES.findall(goal.target))
    related = [h for h in goal.hypotheses if wanted & {*h.names, *_NAMES.findall(h.type)}]
    return [h for h in related if level > 2 or not _SORTS.match(h.type)]


def _position(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1)


def _without_marks(text: str) -> str:
    """`text` with nothing in it that could be taken for a mark of ours."""
    return text.replace(OPEN, "< error>").replace(CLOSE, "< /error>")


def _with_short_expressions(text: str, limit: int) -> str:
    return _EXPRESSION.sub(lambda match: f"`{_cut_middle(match[0][1:-1], limit)}`", text)


def _cut_middle(text: str, limit: int) -> str:
    """What went wrong tends to stand at the start, and what was expected at the end."""
    if len(text) <= limit:
        return text
    tail = limit // 3
    return f"{text[: limit - tail - 1]}…{text[len(text) - tail :]}"


def _cut_start(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"…{text[-limit + 1 :]}"


def _cut_end(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
