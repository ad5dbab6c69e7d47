"""The shipped verifiers keep the contract that plug-ins are held to."""

import re
import tempfile

import pytest

from proofgrad.verifiers.code.properties import PropertyVerifier
from proofgrad.verifiers.code.runner import Runner, WorkerDied
from proofgrad.verifiers.code.verifier import ProgramVerifier
from proofgrad.verifiers.lean.checker import LeanVerifier
from proofgrad.verifiers.maths import MathsVerifier
from proofgrad.verifiers.reasoning import ReasoningVerifier
from proofgrad.verifiers.testing import VerifierContract

SWAP = {"statement": "(p q : Prop) : p ∧ q → q ∧ p"}
DOUBLE = {"entry_point": "f", "tests": [{"args": [n], "expected": 2 * n} for n in (3, 0, -7)], "timeout_s": 0.5}
ECHO = {"tests": [{"stdin": text, "expected_stdout": text} for text in ("a\n", "b b\n")], "timeout_s": 0.5}
SORTED = {
    "entry_point": "f",
    "inputs": [{"list": {"items": {"int": {"min": -9, "max": 9}}, "max_size": 6}}],
    "reference": "def f(xs): return sorted(xs)",
    "examples": 30,
    "timeout_s": 1.0,
}


class WithoutSandbox:
    """What a program verifier stands on, on a machine that cannot start a process."""

    @pytest.fixture(autouse=True)
    def _no_sandbox_for_the_broken(self, monkeypatch, request):
        if "our_fault" in request.node.name:

            def refuse(*args, **kwargs):
                raise WorkerDied("no process can be started")

            monkeypatch.setattr(Runner, "_lend", refuse)


class TestProgram(WithoutSandbox, VerifierContract):
    deadline_s = 8.0

    def make_verifier(self):
        return ProgramVerifier(workers=2)

    def gold(self):
        return [(DOUBLE, "def f(n):\n    return n + n"), (ECHO, "print(input())")]

    def corrupted(self):
        return [
            (DOUBLE, "def f(n):\n    return n * n"),
            (ECHO, "print(input().upper())"),
            (DOUBLE, "def g(n): return n"),
        ]

    def malformed(self):
        return [{}, {**DOUBLE, "tests": []}, {**DOUBLE, "entry_point": "not a name"}, {**DOUBLE, "timeout_s": 0}]

    def slow(self):
        return [(DOUBLE, "def f(n):\n    while True: pass"), (ECHO, "while True: pass")]

    def broken(self):
        return ProgramVerifier(workers=1)


class TestProgramProperty(WithoutSandbox, VerifierContract):
    deadline_s = 12.0

    def make_verifier(self):
        return PropertyVerifier(workers=2, prove=False)

    def gold(self):
        return [(SORTED, "def f(xs):\n    return sorted(xs)"), (SORTED, "def f(xs):\n    xs.sort()\n    return xs")]

    def corrupted(self):
        return [(SORTED, "def f(xs): return sorted(set(xs))"), (SORTED, "def f(xs): return xs")]

    def malformed(self):
        return [{}, {**SORTED, "inputs": ["complex"]}, {**SORTED, "reference": "def g(xs): return xs"}]

    def slow(self):
        return [(SORTED, "def f(xs):\n    while True: pass")]

    def broken(self):
        return PropertyVerifier(workers=1, prove=False)


class TestLean(VerifierContract):
    @pytest.fixture
    def verifier(self, lean):
        return lean  # one for all tests: its auditing process takes two seconds to start

    def make_verifier(self):
        return LeanVerifier(toolchain="embedded")

    def gold(self):
        return [(SWAP, "fun h => ⟨h.2, h.1⟩"), (SWAP, "by\n  intro h\n  exact ⟨h.right, h.left⟩")]

    def corrupted(self):
        return [(SWAP, "fun h => h"), (SWAP, "by\n  intro h\n  sorry"), (SWAP, "axiom a : False")]

    def malformed(self):
        return [{}, {"statement": 3}, {"statement": ""}, {**SWAP, "header": "import Mathlib"}]

    def broken(self):
        return self.make_verifier()

    @pytest.fixture(autouse=True)
    def _no_room_for_the_broken(self, monkeypatch, request, tmp_path):
        if "our_fault" in request.node.name:
            monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))


HALF = {"answer": "1/2", "timeout_s": 2.0}


class TestMaths(VerifierContract):
    deadline_s = 20.0

    @pytest.fixture
    def verifier(self, maths):
        return maths  # one for all tests: sympy takes a second to load

    def make_verifier(self):
        return MathsVerifier(workers=1)

    def gold(self):
        return [(HALF, "So it is \\boxed{\\frac{1}{2}}."), (HALF, "The final answer is 0.5")]

    def corrupted(self):
        return [
            (HALF, "\\boxed{2}"),
            (HALF, "The answer is 1/2, or 1/3: \\boxed{1/2, 1/3}"),
            (HALF, "1/2 was asked for."),
        ]

    def malformed(self):
        return [{}, {"answer": []}, {"answer": "1/2", "decimals": -1}, {"answer": "\\frac{1}{"}]

    def slow(self):
        return [(HALF, "\\boxed{9^{9^{9^{9^{9}}}}}")]


@pytest.fixture(scope="module")
def maths():
    made = MathsVerifier(workers=1)
    yield made
    made.close()


ENTRY = {"question": "What is 2 + 3?", "answer": "5", "metadata": {}}
SUM = {"family": "basic_arithmetic", "entry": ENTRY}


class TestReasoning(VerifierContract):
    @pytest.fixture
    def verifier(self, reasoning):
        return reasoning

    def make_verifier(self):
        return ReasoningVerifier(workers=1)

    def gold(self):
        return [(SUM, "5")]

    def corrupted(self):
        return [(SUM, "6"), (SUM, "-5"), (SUM, "it is somewhere in 1 2 3 4 5 6")]

    def malformed(self):
        return [{}, {"family": "no_such_family", "entry": ENTRY}, {"family": "basic_arithmetic", "entry": 5}]


@pytest.fixture(scope="module")
def reasoning():
    made = ReasoningVerifier(workers=1)
    yield made
    made.close()


@pytest.fixture(scope="module")
def lean():
    made = LeanVerifier(toolchain="embedded")
    yield made
    made.close()


@pytest.mark.parametrize("made", [ProgramVerifier, PropertyVerifier, lambda: LeanVerifier(toolchain="embedded")])
def test_a_verdict_is_remembered_under_the_toolchain_that_gave_it(made):
    verifier = made()
    assert re.search(r"python-3\.\d+|lean4 4\.\d+", verifier.version), verifier.version
