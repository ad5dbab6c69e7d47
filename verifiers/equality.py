"""Whether two answers are equal by math-verify and our conditions. Runs inside a worker of `maths.MathsVerifier`.

The problem here is {"golds": [...], "decimals": n, "cpu_s": seconds}, or with "check" a question about the golds alone:
PASS, or FAIL with what is wrong with them as feedback. Both golds and candidates are normalised already.

Names with a suffix `_gold` and `_answer` are sympy objects, of which sympy has no common type.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from proofgrad.verifiers.base import Problem, Verdict
from proofgrad.verifiers.maths import as_words, without_text_commands
from proofgrad.verifiers.workers import limit_cpu

__all__ = ["Equality"]

_WRONG = "The final answer is not right."


class Equality:
    """Judges normalised answers. The process ends when the processor time in the problem is used up."""

    name, version = "equality", "1"

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """Compare with each gold."""
        logging.disable(logging.CRITICAL)  # math-verify warns at each call that its own deadlines are off
        limit_cpu(float(str(problem["cpu_s"])))
        golds, decimals = [str(gold) for gold in _texts(problem["golds"])], int(str(problem["decimals"]))
        if problem.get("check"):
            return _check(golds, decimals)
        try:
            return _compare(golds, decimals, candidate)
        except (MemoryError, RecursionError, OverflowError):
            return Verdict.failed("maths.too_large", feedback="The final answer is too large to evaluate.")


def _texts(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _check(golds: list[str], decimals: int) -> Verdict:
    for gold in golds:
        if as_words(gold) is not None:
            continue
        try:
            parsed = _parse(gold)
            sound = parsed is not None and _equal(parsed, parsed, decimals)
        except (MemoryError, RecursionError, OverflowError):
            sound = False
        if not sound:
            return Verdict.failed("problem.answer", feedback=f"holds {gold[:100]!r}, which math-verify cannot read")
    return Verdict.passed("maths.ok")


def _compare(golds: list[str], decimals: int, candidate: str) -> Verdict:
    words = as_words(candidate)
    mathematical = [gold for gold in golds if as_words(gold) is None]
    if candidate in golds or (words is not None and words in [as_words(gold) for gold in golds]):
        return Verdict.passed("maths.ok")
    answer = None if words is not None else _parse(candidate)
    if answer is None:
        if words is not None:
            return Verdict.failed("maths.wrong", feedback=_WRONG)
        return Verdict.failed("maths.unparseable", feedback="The final answer is not readable mathematics.")
    if any(_equal(_parse(gold), answer, decimals) for gold in mathematical):
        return Verdict.passed("maths.ok")
    return Verdict.failed("maths.wrong", feedback=_WRONG)


def _parse(text: str) -> Any:
    """The sympy object that the whole of `text` stands for, or None."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse

    # Units stay, or "5 km" would be 5. No search for boxes or anchors: the text is one formula as a whole, or nothing.
    # The space before the closing sign keeps a backslash at the end from escaping it, after which a part of the text
    # would be found instead.
    written = NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="none")
    found = parse(
        f"$ {without_text_commands(text)} $",
        [LatexExtractionConfig(boxed_match_priority=-1, normalization_config=written)],
        fallback_mode="no_fallback",
        extraction_mode="first_match",
        parsing_timeout=None,
    )
    return found[0] if len(found) == 1 and not isinstance(found[0], str) else None


def _equal(gold: Any, answer: Any, decimals: int) -> bool:
    from math_verify import verify

    if gold is None:
        return False
    if not verify(gold, answer, float_rounding=decimals, allow_set_relation_comp=True, timeout_seconds=None):
        return False
    return _is_consistent(gold, answer, decimals) and _agrees_in_digits(gold, answer, decimals)


def _is_consistent(gold: Any, answer: Any, decimals: int) -> bool:
    """Whether equations given for something that is none say the same on all their sides but a bare name."""
    from latex2sympy2_extended.logic import And
    from sympy import Eq, FiniteSet, Tuple

    if isinstance(gold, Eq | And) or (isinstance(gold, FiniteSet | Tuple) and gold.has(Eq)):
        return True
    parts = answer.args if isinstance(answer, FiniteSet | Tuple) else [answer]
    return all(_sides_agree(part, decimals) for part in parts)


def _sides_agree(answer: Any, decimals: int) -> bool:
    from latex2sympy2_extended import is_expr_of_only_symbols
    from latex2sympy2_extended.logic import And
    from math_verify import verify
    from sympy import Eq

    relations = list(answer._unsorted_args) if isinstance(answer, And) else [answer]
    if not relations or not all(isinstance(relation, Eq) for relation in relations):
        return True
    sides = [relations[0].lhs, *(relation.rhs for relation in relations)]
    last = sides[-1]
    named = sides[1:] if is_expr_of_only_symbols(sides[0]) else sides
    return all(verify(last, side, float_rounding=decimals, timeout_seconds=None) for side in named)


def _agrees_in_digits(gold: Any, answer: Any, decimals: int) -> bool:
    """Whether two numbers, one of them a decimal fraction, agree relative to their size as well."""
    from sympy import Eq, Expr, Float

    def number(value: Any) -> Any:
        while isinstance(value, Eq):
            value = value.rhs
        return value if isinstance(value, Expr) and not value.free_symbols else None

    left, right = number(gold), number(answer)
    if left is None or right is None or not (left.has(Float) or right.has(Float)):
        return True
    try:
        size, distance = abs(complex(left.doit().evalf())), abs(complex((left - right).doit().evalf()))
    except TypeError:
        return True  # no number after all, or an infinite one: nothing to add to what was found
    # Half a unit in the last place would refuse 0.333333 for 1/3; ten of them tell apart what differs in size.
    return size >= 1.0 or size == 0.0 or distance <= 10.0 ** (1 - decimals) * size or _is_percentage(gold, answer)


def _is_percentage(gold: Any, answer: Any) -> bool:
    from sympy import UnevaluatedExpr

    return bool(gold.has(UnevaluatedExpr) or answer.has(UnevaluatedExpr))
