r"""`MathsVerifier`: is the final answer equal to the known one? By math-verify, in a process that can be killed.

The problem:

    {"answer": "\\frac{1}{2}",          as LaTeX or plain text; or a list, of which any one will do
     "decimals": 6,                     to how many decimals a decimal fraction must agree; default 6
     "timeout_s": 5.0}                  processor time for judging one candidate, rounded up to seconds; default 5

The candidate is a whole completion or the bare answer. What counts as its final answer, the first rule that applies:

1. the content of the last complete ``\boxed{...}`` (or ``\fbox{...}``), however many there are before it; if that box
   is empty, there is no answer;
2. what stands behind the last "final answer is", "the answer is" or "answer:" on its line, or if nothing does, on the
   next line;
3. a candidate of one line is the answer as a whole.

There is no fallback to the last number: a completion of several lines that names no answer has none, whatever numbers
occur in it. The answer is read as a whole. "I think 5" is a product of letters and a number, not 5.

Equal is what math-verify calls equal (numbers, expressions, sets, intervals, equations, matrices; ``x = 5`` for 5, and
50% for both 0.5 and 50), with these differences, each of which closes a way to score with a wrong answer:

- a chain of equations counts only if its sides agree: neither ``7 = 5`` nor ``x = 6 = 5`` is an answer of 5;
- a decimal fraction must agree to the same number of significant digits too: 0.0 is not 0.0000001;
- words (four letters or more that are no function's name) are compared as text without regard to case, never as a
  product of letters, of which an anagram would be equal;
- a unit belongs to the answer: "5 km" is not 5, give the unit in the problem where it may be there;
- digits, signs and operators from all of Unicode are read as what they mean, and any other character that is not ASCII
  makes the answer text.

math-verify's own deadlines are alarm signals, which work in a main thread only and not against a long computation in C;
they are off here. A candidate that uses up its processor time fails, on a busy machine as on an idle one; one whose
worker died otherwise, or was starved, is UNKNOWN.
"""

from __future__ import annotations

import importlib.util
import math
import re
import threading
import time
import unicodedata
from collections import OrderedDict
from dataclasses import dataclass, replace
from importlib.metadata import version as installed_version

from proofgrad.verifiers.base import Json, Outcome, Problem, Verdict
from proofgrad.verifiers.errors import ConfigError, MissingExtraError, ProblemError
from proofgrad.verifiers.remade import Remade
from proofgrad.verifiers.workers import TimedWorkers, overran

__all__ = ["MathsVerifier", "as_words", "final_answer", "normalise", "without_text_commands"]

_ANSWER_CHARS = 1000
_DEPTH = 40
_CACHED = 4096
_GOLD_S = 5.0
_KEYS = {"answer", "decimals", "timeout_s"}
_BRACES = re.compile(r"(?P<box>\\(?:boxed|fbox)\s*\{)|\\.|[{}]", re.DOTALL)
# What a well-known few-shot prompt has its answers end with.
_CLOSING = re.compile(r"\.?\s*I hope it is correct\.?\s*\Z", re.IGNORECASE)
# The words may be emphasised (**Answer:** 5); what follows is on the same line or on the next.
_MARKER = re.compile(
    r"(?:final\s+answer\s+is|the\s+answer\s+is|answer\s+is|answer\s*:)\s*:?[*_]*[^\S\n]*\n?(?P<rest>[^\n]*)",
    re.IGNORECASE,
)
_SYMBOLS = {
    "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": r"\div ", "π": r"\pi ",
    "∞": r"\infty ", "≤": r"\leq ", "≥": r"\geq ", "≠": r"\neq ", "±": r"\pm ", "∪": r"\cup ", "∩": r"\cap ",
    "∅": r"\emptyset ", "∈": r"\in ", "°": r"^\circ ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ",
    "½": r"\frac{1}{2}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}", "\u00a0": " ", "％": r"\%",
}  # fmt: skip
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_SCIENTIFIC = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+))[eE]([-+]?\d+)")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}")
_FUNCTIONS = frozenset(["sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "asin", "acos", "atan", "sqrt", "infty"])
_TEXT_COMMAND = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|operatorname)\s*\{([^{}]*)\}")


class MathsVerifier(Remade):
    """Judges final answers of mathematics problems.

    Args:
        workers: judgements at once; a process of about 100 MB each, started when it is first needed.
        memory_mb: address space of such a process in MiB; a candidate that needs more fails.

    Raises:
        MissingExtraError: math-verify is not installed.
    """

    name = "maths"
    killable = True

    def __init__(self, *, workers: int = 2, memory_mb: int = 2048) -> None:
        if importlib.util.find_spec("math_verify") is None:
            raise MissingExtraError("math-verify", "maths", "judging mathematical answers")
        if workers < 1:
            raise ConfigError(f"workers is {workers!r}; allowed are 1 and above")
        self._options = {"workers": workers, "memory_mb": memory_mb}
        libraries = {"math-verify": "math-verify", "latex2sympy": "latex2sympy2_extended", "sympy": "sympy"}
        self._installed = {name: installed_version(package) for name, package in libraries.items()}
        self.version = "1+" + "+".join(f"{name}-{number}" for name, number in self._installed.items())
        from proofgrad.verifiers.equality import Equality  # which builds on this module

        self._judges = TimedWorkers(Equality(), **self._options)
        self._sound: OrderedDict[tuple[tuple[str, ...], int], str] = OrderedDict()  # what is wrong with it, or ""
        self._lock = threading.Lock()

    def check_problem(self, problem: Problem) -> None:
        """Refuse a problem whose answer cannot be judged against: malformed, or not to be read.

        Raises:
            ProblemError: it is.
        """
        asked = _Question.parse(problem)
        verdict = self._check_gold(asked)
        if verdict is not None:
            raise ProblemError(f"problem['answer'] could not be checked ({verdict.reason}); try again")

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """Judge a completion, or a bare answer.

        Reasons: `maths.ok`, `maths.wrong`, `maths.no_answer`, `maths.unparseable`, `maths.too_long`, `maths.too_deep`,
        `maths.too_large` (memory) and `maths.timeout`.

        Raises:
            ProblemError: the problem is malformed, or its answer cannot be read.
        """
        start = time.monotonic()
        asked = _Question.parse(problem)
        unchecked = self._check_gold(asked)
        if unchecked is not None:
            return unchecked
        return replace(self._judge(asked, candidate), seconds=time.monotonic() - start)

    def close(self) -> None:
        """Stop the worker processes; the next `verify` starts new ones."""
        self._judges.close()

    def _judge(self, asked: _Question, candidate: str) -> Verdict:
        answer = final_answer(candidate)
        if answer is None:
            told = "There is no final answer. Put it into \\boxed{...} or on a line 'The final answer is ...'."
            return Verdict.failed("maths.no_answer", feedback=told)
        if len(answer) > _ANSWER_CHARS:
            return Verdict.failed("maths.too_long", feedback="The final answer is too long.")
        if _depth(answer) > _DEPTH:
            return Verdict.failed("maths.too_deep", feedback="The final answer is nested too deeply.")
        evidence: dict[str, Json] = {"answer": answer, **self._installed}
        message: Problem = {"golds": list(asked.golds), "decimals": asked.decimals, "cpu_s": asked.timeout_s}
        verdict = self._judges.verify(message, answer, asked.timeout_s)
        if overran(verdict, asked.timeout_s):
            told = "The final answer takes too long to evaluate. Simplify it."
            return Verdict.failed("maths.timeout", feedback=told, evidence=evidence)
        return replace(verdict, evidence={**evidence, **verdict.evidence})

    def _check_gold(self, asked: _Question) -> Verdict | None:
        """None for an answer that can be judged against; UNKNOWN where that could not be found out.

        Raises:
            ProblemError: it cannot.
        """
        key = (asked.golds, asked.decimals)
        with self._lock:
            wrong = self._sound.get(key)
        if wrong is None:
            message: Problem = {"golds": list(asked.golds), "decimals": asked.decimals, "cpu_s": _GOLD_S, "check": True}
            verdict = self._judges.verify(message, "", _GOLD_S)
            if verdict.outcome is Outcome.UNKNOWN:
                if not overran(verdict, _GOLD_S):
                    return verdict
                wrong = f"takes more than {_GOLD_S:g} s to evaluate"
            else:
                wrong = verdict.feedback
            with self._lock:
                self._sound[key] = wrong
                while len(self._sound) > _CACHED:
                    self._sound.popitem(last=False)
        if wrong:
            raise ProblemError(f"problem['answer'] {wrong}; give the answer as a number, an expression or a word")
        return None


@dataclass(frozen=True, slots=True)
class _Question:
    golds: tuple[str, ...]
    decimals: int
    timeout_s: float

    @classmethod
    def parse(cls, problem: Problem) -> _Question:
        unknown = sorted(set(problem) - _KEYS)
        if unknown:
            raise ProblemError(f"problem has the unknown key '{unknown[0]}'; the keys are {', '.join(sorted(_KEYS))}")
        given = problem.get("answer")
        golds = [given] if isinstance(given, str) else given
        if not isinstance(golds, list | tuple) or not golds:
            raise ProblemError("problem['answer'] must be a text, or a list of texts that are all right")
        read: list[str] = []
        for gold in golds:
            text = final_answer(gold) if isinstance(gold, str) else None
            if text is None or len(text) > _ANSWER_CHARS or _depth(text) > _DEPTH:
                raise ProblemError(f"problem['answer'] holds {gold!r:.100}, which is no final answer")
            read.append(text)
        decimals, timeout_s = problem.get("decimals", 6), problem.get("timeout_s", 5.0)
        if isinstance(decimals, bool) or not isinstance(decimals, int) or not 0 <= decimals <= 12:
            raise ProblemError(f"problem['decimals'] is {decimals!r}; allowed are the whole numbers from 0 to 12")
        if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0.1 <= timeout_s <= 300:
            raise ProblemError(f"problem['timeout_s'] is {timeout_s!r}; allowed are 0.1 to 300 seconds")
        return cls(tuple(read), decimals, float(math.ceil(timeout_s)))


def final_answer(candidate: str) -> str | None:
    """The final answer in a completion by the rules above, normalised; None when there is none."""
    text = candidate.replace("\r\n", "\n").strip()
    box = _last_box(text)
    if box is not None:
        return normalise(box) or None
    marked = [marker["rest"] for marker in _MARKER.finditer(text)]
    if marked:
        return normalise(_CLOSING.sub("", marked[-1])) or None
    if "\n" in text:
        return None
    return normalise(text) or None


def _last_box(text: str) -> str | None:
    """The content of the last box whose braces are balanced; of a box in a box, the inner one."""
    content, begins = None, -1
    open_braces: list[int] = []  # for each, where the content of its box begins, or -1 for one that opens no box
    for token in _BRACES.finditer(text):
        if token["box"]:
            open_braces.append(token.end())
        elif token[0] == "{":
            open_braces.append(-1)
        elif token[0] == "}" and open_braces:
            start = open_braces.pop()
            if start > begins:
                content, begins = text[start : token.start()], start
    return content


def normalise(answer: str) -> str:
    """An answer on one line, without the signs that only surround it, in ASCII as far as that has the same meaning."""
    text = answer.replace("$", " ").strip().strip("*_` ")
    text = re.sub(r"(?<!\\)\\[\[\]()]|\\(?:displaystyle|limits)\b", " ", text)
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda raised: f"^{{{raised[0].translate(_SUPERSCRIPTS)}}}", text)
    text = "".join(
        str(unicodedata.decimal(c)) if not c.isascii() and unicodedata.category(c) == "Nd" else _SYMBOLS.get(c, c)
        for c in text
    )
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"[\s.,;:]+\Z", "", text)
    scientific = _SCIENTIFIC.fullmatch(text)
    return rf"{scientific[1]} \times 10^{{{int(scientific[2])}}}" if scientific else text


def as_words(answer: str) -> str | None:
    """The answer as lower-case text where it is words rather than mathematics; else None."""
    bare = without_text_commands(answer)
    if any(not character.isascii() for character in bare) or any(
        word.lower() not in _FUNCTIONS for word in _WORD.findall(bare)
    ):
        return " ".join(bare.split()).casefold()
    return None


def without_text_commands(answer: str) -> str:
    r"""The answer with what stands in ``\text{...}`` and its like standing there bare."""
    return _TEXT_COMMAND.sub(r" \1 ", answer)


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    return deepest
