"""`PropertyVerifier`: judges a Python function by a specification: on freshly drawn inputs, and by proof where it can.

The problem:

    {"entry_point": "f",
     "inputs": {"x": "int", "y": {"int": {"min": 1}}},    a type for each argument (`strategies.py`); or a list of
                                                          types, named like the reference's parameters
     "where": "x != y",                                   a Python expression over the names; default: all inputs count
     "reference": "def f(x, y): ...",                     source of an oracle; or, where many answers are right:
     "relation": "def check(args, result): ...",          source of a function that returns True for a right result
     "returns": "int",                                    with a relation: the type of results; others are wrong unasked
     "tests": [...], "public": 1, "timeout_s": 2.0,       as for `ProgramVerifier`; the tests are optional here, and the
     "float_tolerance": {...}, "numbers": "typed",        time is for all calls of a run together
     "examples": 100,                                     inputs to draw
     "show_counterexample": false}                        whether feedback may show a failing input with its answer

A candidate passes when it passes the tests, agrees with the reference (or satisfies the relation) on the drawn inputs
and on inputs built around the constants in its own source, and is not refuted by the solver. How far that carries is
in the evidence as `assurance`: "tested n", "property-tested n" or "proved". A failing input is made smaller and put
down as `counterexample`. Where there is a relation, it judges the results of the tests too, in place of equality.

The inputs are drawn out here, deterministically from a seed in the evidence, which derives from the problem and a
secret `salt`; where counterexamples may be shown, also from the candidate, so that what is shown is of no use later.
Reference, relation and precondition run in sandbox runs of their own, which no candidate can reach; the precondition is
the problem author's code and is trusted no more than the candidate's. Where they fail or contradict the tests, the
verdict is UNKNOWN; but an answer on which a relation fails that works on drawn values for the same input is wrong.

A proof (`equivalence.py`) needs a reference, inputs of ints and bools, and both functions in the fragment that
`symbolic.py` describes. It is about values, not about time and memory, and for the inputs that the problem admits.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
import threading
import time
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from importlib.metadata import version as installed_version

from proofgrad.verifiers.base import Json, Outcome, Problem, Verdict
from proofgrad.verifiers.code.equivalence import Equation, Finding, Proof, prove, require_z3
from proofgrad.verifiers.code.experiment import Case, Experiment, Failure, ProblemFault
from proofgrad.verifiers.code.runner import Runner, WorkerDied
from proofgrad.verifiers.code.sandbox import ISOLATION, Limits
from proofgrad.verifiers.code.specification import Specification
from proofgrad.verifiers.code.strategies import constants_of, draw, planted, require_hypothesis
from proofgrad.verifiers.code.verifier import ProgramVerifier
from proofgrad.verifiers.errors import SandboxError
from proofgrad.verifiers.remade import Remade

__all__ = ["PropertyVerifier"]

_SOURCE_CHARS = 256 << 10
_PROVABLE_CHARS = 20_000
_EVIDENCE_CHARS = 2000
_PLANTED = 64
_DRAWS = 4  # rounds, while a precondition leaves too few inputs
_CACHED = 64


@dataclass(frozen=True, slots=True)
class _Sample:
    """The inputs of a problem for one seed, with their answers."""

    seed: int
    cases: tuple[Case, ...]
    digest: str


class PropertyVerifier(Remade):
    """Judges Python functions by property-based testing against a specification, and by proof in a fragment.

    Args:
        salt: mixed into the seeds; keep it secret, and a policy cannot foresee the inputs even where it knows the
            problem. It is told apart in `version` by a digest.
        prove: True to insist on z3, False never to use it; by default it is used where it is installed.
        proof_timeout_s: wall clock of one attempt at a proof, starting the solver's process not included.
        workers: programs run at once; as for `ProgramVerifier`, like the rest.
        memory_mb: address space of a program in MiB.
        processes: processes it may have.
        threads: threads it may have.
        require_isolation: refuse to run without network, PID and file system isolation, instead of warning.
        interpreter: the Python that runs the programs; by default the running one.

    Raises:
        MissingExtraError: Hypothesis, or with `prove=True` z3, is not installed.
        ToolchainError: `interpreter` cannot be run.
    """

    name = "program_property"

    def __init__(
        self,
        *,
        salt: str = "",
        prove: bool | None = None,
        proof_timeout_s: float = 5.0,
        workers: int | None = None,
        memory_mb: int = 512,
        processes: int = 1,
        threads: int = 64,
        require_isolation: bool = False,
        interpreter: str | None = None,
    ) -> None:
        require_hypothesis()
        if prove:
            require_z3()
        self._options = {
            "salt": salt,
            "prove": prove,
            "proof_timeout_s": proof_timeout_s,
            "workers": workers,
            "memory_mb": memory_mb,
            "processes": processes,
            "threads": threads,
            "require_isolation": require_isolation,
            "interpreter": interpreter,
        }
        self._salt = salt.encode("utf-8", "surrogatepass")
        self._solver = "off" if prove is False else "z3" if importlib.util.find_spec("z3") else "not installed"
        self._proof_timeout_s = proof_timeout_s
        self._limits = Limits(memory_bytes=memory_mb << 20, processes=processes, threads=threads)
        self._require_isolation = require_isolation
        self._warned = False
        self._program = ProgramVerifier(
            workers=workers,
            memory_mb=memory_mb,
            processes=processes,
            threads=threads,
            require_isolation=require_isolation,
            interpreter=interpreter,
        )
        self._runner = Runner(workers, interpreter)
        self._samples: OrderedDict[str, _Sample] = OrderedDict()
        self._lock = threading.Lock()
        z3 = f"z3-{installed_version('z3-solver')}" if self._solver == "z3" else "no-z3"
        salted = hashlib.sha256(b"salt:" + self._salt).hexdigest()[:12]
        self.version = (
            f"1+{self._program.version}+hypothesis-{installed_version('hypothesis')}+{z3}+{proof_timeout_s:g}s+{salted}"
        )

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """Judge `candidate` by the problem's tests, by drawn inputs, and by proof where one can be had.

        Reasons: those of `ProgramVerifier`; `problem.reference_failed`, `problem.relation_failed`,
        `problem.where_failed`, `problem.reference_wrong`, `problem.relation_wrong` (it contradicts the tests) and
        `problem.where_too_narrow` with outcome UNKNOWN.

        Raises:
            ProblemError: the problem is malformed.
            SandboxError: isolation was required and is not to be had.
        """
        start = time.monotonic()
        spec = Specification.parse(problem)
        if len(candidate) > _SOURCE_CHARS:
            return Verdict.failed("code.too_long", feedback="The program is too long.")
        experiment = Experiment(self._runner, spec, self._limits, self._admit)
        try:
            verdict = self._judge(spec, experiment, candidate)
        except WorkerDied as error:
            verdict = Verdict.unknown("infra.worker_died", evidence={"error": str(error)})
        except ProblemFault as fault:
            verdict = Verdict.unknown(fault.reason, evidence=fault.evidence)
        seconds = time.monotonic() - start
        return Verdict(
            verdict.outcome, verdict.score, verdict.reason, verdict.feedback, verdict.evidence, seconds=seconds
        )

    def layers(self) -> dict[str, str]:
        """Each isolation layer of this sandbox: "active", or "missing: <why>".

        Raises:
            SandboxError: no sandbox process can be started.
        """
        return self._program.layers()

    def auditor(self) -> PropertyVerifier:
        """The same verifier with another salt: it draws inputs that this one has never drawn."""
        return PropertyVerifier(**{**self._options, "salt": f"{self._options['salt']}/audit"})

    def close(self) -> None:
        """Stop the sandbox processes; the next `verify` starts new ones."""
        self._program.close()
        self._runner.close()

    def _judge(self, spec: Specification, experiment: Experiment, candidate: str) -> Verdict:
        sample = self._sample(spec, experiment, candidate)  # first: a broken problem is nobody's failure
        evidence: dict[str, Json] = {
            "seed": sample.seed,
            "inputs_sha256": sample.digest,
            "hypothesis": installed_version("hypothesis"),
        }
        if spec.tests is not None and spec.reference is not None:
            tested = self._program.verify(spec.tests, candidate)
            evidence = {**tested.evidence, **evidence}
            if tested.outcome is not Outcome.PASS:
                return Verdict(tested.outcome, tested.score, tested.reason, tested.feedback, evidence)
        given = experiment.given() if spec.relation is not None else []
        cases = [*given, *sample.cases, *self._own_cases(spec, experiment, candidate, sample)]
        failure = experiment.first_failure(candidate, cases)
        if experiment.last_run is not None:
            evidence |= {"python": experiment.last_run.python, "sandbox": dict(experiment.last_run.layers)}
        evidence["inputs_tested"] = len(cases)
        if failure is None:
            proof, failure = self._prove(spec, experiment, candidate, cases)
            evidence["proof"] = f"{proof.finding}: {proof.why}" if proof.why else proof.finding.value
            if proof.finding is Finding.PROVED:
                evidence |= {"assurance": "proved", "z3": installed_version("z3-solver")}
        if failure is not None:
            return self._failed(experiment, candidate, failure, evidence)
        if "assurance" not in evidence:
            tests = len(spec.program.tests) if spec.tests is not None else 0
            evidence["assurance"] = f"property-tested {len(cases)}" if len(cases) > len(given) else f"tested {tests}"
        return Verdict.passed("code.ok", evidence=evidence)

    def _failed(self, experiment: Experiment, candidate: str, failure: Failure, evidence: dict[str, Json]) -> Verdict:
        failure = experiment.shrink(candidate, failure)
        if failure.case is not None:
            found: dict[str, Json] = {"args": failure.case.args, "status": failure.reason}
            found |= {"expected": failure.case.expected} if failure.case.expected is not None else {}
            found |= {"got": failure.got} if failure.returned and _is_short(failure.got) else {}
            evidence["stopped_at" if failure.ended else "counterexample"] = found
        return Verdict.failed(failure.reason, feedback=experiment.told(failure), evidence=evidence)

    # Inputs.

    def _sample(self, spec: Specification, experiment: Experiment, candidate: str) -> _Sample:
        key = spec.key() + (json.dumps(spec.tests, sort_keys=True) if spec.tests is not None else "")
        fresh = "\0" + candidate if spec.show_counterexample else ""
        text = (key + fresh).encode("utf-8", "surrogatepass")
        mixed = hmac.new(self._salt, text, hashlib.sha256).digest()
        with self._lock:
            if key + fresh in self._samples:
                self._samples.move_to_end(key + fresh)
                return self._samples[key + fresh]
        experiment.check_tests()
        seed = int.from_bytes(mixed[:6], "big")
        cases = self._draw(spec, experiment, seed)
        digest = hashlib.sha256(json.dumps([case.args for case in cases]).encode()).hexdigest()
        sample = _Sample(seed, tuple(cases), digest)
        with self._lock:
            self._samples[key + fresh] = sample
            while len(self._samples) > _CACHED:
                self._samples.popitem(last=False)
        return sample

    def _draw(self, spec: Specification, experiment: Experiment, seed: int) -> list[Case]:
        if spec.examples == 0:
            return []
        cases: dict[str, Case] = {}
        for attempt in range(_DRAWS if spec.where is not None else 1):
            drawn = draw(spec.types, spec.examples * 2**attempt, seed + attempt)
            new = [args for args in drawn if json.dumps(args) not in cases]
            cases |= {json.dumps(case.args): case for case in experiment.prepare(new)}
            if len(cases) >= spec.examples:
                break
        if spec.where is not None and len(cases) < max(1, spec.examples // 20):
            what = f"where admits {len(cases)} of the inputs that were drawn; narrow the types of the inputs instead"
            raise ProblemFault("problem.where_too_narrow", what)
        return list(cases.values())[: spec.examples]

    def _own_cases(self, spec: Specification, experiment: Experiment, candidate: str, sample: _Sample) -> list[Case]:
        """Inputs around the constants in the candidate's own source."""
        known = {json.dumps(case.args) for case in sample.cases}
        inputs = [case.args for case in sample.cases]
        made = planted(spec.types, inputs, constants_of(candidate), _PLANTED, sample.seed)
        return experiment.prepare_some([args for args in made if json.dumps(args) not in known])

    # Proof.

    def _prove(
        self, spec: Specification, experiment: Experiment, candidate: str, cases: list[Case]
    ) -> tuple[Proof, Failure | None]:
        """A proof, or what became of it; and the failure, where a refutation was seen to be one."""
        if self._solver != "z3":
            why = "proofs are switched off" if self._solver == "off" else "z3-solver is not installed"
            return Proof(Finding.GAVE_UP, why), None
        if spec.reference is None:
            return Proof(Finding.OUTSIDE, "a relation, not a reference"), None
        if max(len(candidate), len(spec.reference)) > _PROVABLE_CHARS:
            return Proof(Finding.OUTSIDE, "a source of this length"), None
        witnesses = [(case.args, case.expected) for case in cases]
        equation = Equation(spec.entry_point, candidate, spec.reference, spec.types, spec.where, witnesses)
        proof = prove(equation, self._proof_timeout_s)
        if proof.finding not in (Finding.REFUTED, Finding.REFERENCE_RAISES) or proof.args is None:
            return proof, None
        found = experiment.prepare([proof.args])  # raises where the reference does
        failure = experiment.first_failure(candidate, found)
        if failure is None:
            return Proof(Finding.GAVE_UP, "the solver's counterexample is none when it is run"), None
        return proof, failure

    def _admit(self, layers: dict[str, str]) -> None:
        absent = [f"{name} ({layers[name]})" for name in ISOLATION if layers[name] != "active"]
        if absent and self._require_isolation:
            raise SandboxError(f"isolation is required and not to be had here: {'; '.join(absent)}")
        if absent and not self._warned:
            self._warned = True
            warnings.warn(f"programs run without full isolation: {'; '.join(absent)}", RuntimeWarning, stacklevel=4)


def _is_short(value: Json) -> bool:
    try:
        return len(json.dumps(value)) <= _EVIDENCE_CHARS
    except (ValueError, RecursionError):
        return False
