"""Proves that a function equals a reference for all inputs, or finds one where it does not; in a process of its own.

Both sources are translated (`symbolic`) and z3 is asked for an input on which the outcomes differ: in kind (int, bool,
None, exception) or in value. That there is none is a proof, as far as z3 and the translation can be trusted; to guard
the latter, both translations must first reproduce all answers that were seen in the sandbox. The process
(`python -m proofgrad.verifiers.code.equivalence`, one JSON object in and one out) can be killed, as z3's own deadlines
are requests, and has a limit on its memory. Candidates are read there but never run.

CrossHair, which executes the function that it analyses, is not used: z3 and CrossHair would have to be installed inside
the sandbox, beside the candidate, whose report would then be no more than a claim.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from proofgrad.verifiers.base import Json
from proofgrad.verifiers.code.strategies import Type
from proofgrad.verifiers.code.symbolic import TAGS, Executor, Outcome, OutsideFragment, Path, Program, Value
from proofgrad.verifiers.errors import MissingExtraError

__all__ = ["WHERE", "Equation", "Finding", "Proof", "prove", "require_z3"]

WHERE = "precondition"
"""The name of the function that says which inputs count."""

_MARGIN_S = 10.0  # to start Python and z3 on a busy machine, beyond the time for thinking
_GRACE_S = 0.5
_MAX_WITNESSES = 32
_RECURSION = 3000


class Finding(StrEnum):
    """What became of an attempt."""

    PROVED = "proved"
    REFUTED = "refuted"
    REFERENCE_RAISES = "reference raises"
    OUTSIDE = "not in the fragment"
    GAVE_UP = "gave up"


@dataclass(frozen=True, slots=True)
class Equation:
    """What to prove.

    Attributes:
        entry_point: the name of the function in both sources.
        candidate: source of a module.
        reference: source of a module.
        types: of the arguments.
        where: source of a module whose function `WHERE` says which inputs count, or None.
        witnesses: inputs with the answers that both gave when they were run.
    """

    entry_point: str
    candidate: str
    reference: str
    types: Sequence[Type]
    where: str | None = None
    witnesses: Sequence[tuple[list[Json], Json]] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """A finding; `args` is the input of a refutation (or on which the reference raises), `why` is one line."""

    finding: Finding
    why: str = ""
    args: list[Json] | None = None


def require_z3() -> None:
    """Raises MissingExtraError where z3 is not installed."""
    if importlib.util.find_spec("z3") is None:
        raise MissingExtraError("z3-solver", "code", "proving programs equal to a reference")


def prove(equation: Equation, timeout_s: float = 5.0, memory_bytes: int = 2 << 30) -> Proof:
    """Try to prove an equation.

    A refutation is a solver's model: run both on it before believing it.

    Args:
        equation: what to prove.
        timeout_s: wall clock for thinking; starting the process comes on top.
        memory_bytes: address space of the process.

    Raises:
        MissingExtraError: z3 is not installed.
    """
    require_z3()
    if any(part.kind not in ("int", "bool") for part in equation.types):
        return Proof(Finding.OUTSIDE, "an input of another type than int and bool")
    request = {
        "entry_point": equation.entry_point,
        "sources": [equation.candidate, equation.reference, *([equation.where] if equation.where else [])],
        "types": [[part.kind, part.low, part.high] for part in equation.types],
        "witnesses": [list(witness) for witness in equation.witnesses[:_MAX_WITNESSES]],
        "timeout_s": timeout_s,
        "memory_bytes": memory_bytes,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "proofgrad.verifiers.code.equivalence"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=timeout_s + _MARGIN_S,
            check=True,
        )
        reply = json.loads(done.stdout)
        return Proof(Finding(reply["finding"]), reply["why"], reply["args"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        late = isinstance(error, subprocess.TimeoutExpired) or getattr(error, "returncode", 0) == -signal.SIGALRM
        why = f"no answer within {timeout_s:g} s" if late else f"the solver's process failed ({type(error).__name__})"
        return Proof(Finding.GAVE_UP, why)


def answer(request: dict[str, Any]) -> Proof:
    """What the process does with a request; raises whatever z3 raises."""
    z3 = importlib.import_module("z3")
    try:
        return _solve(z3, request)
    except OutsideFragment as error:
        return Proof(Finding.OUTSIDE, str(error))
    except TimeoutError:
        return Proof(Finding.GAVE_UP, "following the programs took too long")


def _solve(z3: Any, request: dict[str, Any]) -> Proof:
    arguments: list[Value] = []
    domain: list[Any] = []
    for number, (kind, low, high) in enumerate(request["types"]):
        term = z3.Int(f"argument{number}") if kind == "int" else z3.Bool(f"argument{number}")
        arguments.append(Value(kind, term))
        domain += [term >= low] if low is not None else []
        domain += [term <= high] if high is not None else []
    name = request["entry_point"]
    deadline = time.monotonic() + request["timeout_s"]
    candidate, reference, *where = [Program(source) for source in request["sources"]]
    if where:
        domain.append(_holds(z3, Executor(z3, where[0], domain, deadline).paths(WHERE, arguments)))
    theirs, ours = (
        _outcome(Executor(z3, program, domain, deadline), name, arguments) for program in (candidate, reference)
    )
    if _check(z3, domain, deadline)[0] != z3.sat:
        return Proof(Finding.GAVE_UP, "no input was found that the precondition admits")
    for args, expected in request["witnesses"]:
        for outcome in (theirs, ours):
            if not _reproduces(z3, outcome, arguments, args, expected):
                return Proof(Finding.GAVE_UP, "the translation does not reproduce an answer that was seen")
    for question, finding in (
        (ours.tag == TAGS["raised"], Finding.REFERENCE_RAISES),
        (z3.Or(theirs.tag != ours.tag, theirs.number != ours.number), Finding.REFUTED),
    ):
        found, solver = _check(z3, [*domain, question], deadline)
        if found == z3.sat:
            return Proof(finding, args=[_plain(z3, solver.model(), argument) for argument in arguments])
        if found != z3.unsat:
            return Proof(Finding.GAVE_UP, "the solver found neither a proof nor a counterexample")
    return Proof(Finding.PROVED)


def _check(z3: Any, terms: Sequence[Any], deadline: float) -> tuple[Any, Any]:
    solver = z3.Solver()
    solver.set("timeout", max(1, int(1000 * (deadline - time.monotonic()))))
    solver.add(*terms)
    return solver.check(), solver


def _outcome(executor: Executor, name: str, arguments: Sequence[Value]) -> Outcome:
    return executor.outcome(executor.paths(name, arguments))


def _holds(z3: Any, paths: Sequence[Path]) -> Any:
    """That the precondition is True; where it raises, it is not."""
    true = [path for path in paths if path.value.kind == "bool"]
    return z3.Or(*(z3.And(*path.conditions, path.value.term) for path in true))


def _reproduces(z3: Any, outcome: Outcome, arguments: Sequence[Value], args: Sequence[Json], expected: Json) -> bool:
    kind = {int: "int", bool: "bool", type(None): "none"}.get(type(expected))
    if kind is None:
        return False
    made = [z3.BoolVal(arg) if isinstance(arg, bool) else z3.IntVal(arg) for arg in args]
    pairs = list(zip((argument.term for argument in arguments), made, strict=True))
    tag, number = (z3.simplify(z3.substitute(term, *pairs)) for term in (outcome.tag, outcome.number))
    wanted = int(cast(int, expected or 0))
    return bool(z3.is_int_value(tag) and tag.as_long() == TAGS[kind] and number.as_long() == wanted)


def _plain(z3: Any, model: Any, argument: Value) -> Json:
    value = model.eval(argument.term, model_completion=True)
    return bool(z3.is_true(value)) if argument.kind == "bool" else cast(int, value.as_long())


def _main() -> None:
    request = json.load(sys.stdin)
    seconds = int(request["timeout_s"] + _MARGIN_S) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))  # should the one who asked be gone
    resource.setrlimit(resource.RLIMIT_AS, (request["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(_RECURSION)
    importlib.import_module("z3")
    # z3 looks at its clock now and then only; the default action of this signal ends the process all the same.
    signal.setitimer(signal.ITIMER_REAL, request["timeout_s"] + _GRACE_S)
    proof = answer(request)
    json.dump({"finding": proof.finding, "why": proof.why, "args": proof.args}, sys.stdout)


if __name__ == "__main__":
    _main()
