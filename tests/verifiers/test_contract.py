"""The shipped verifiers keep the contract that plug-ins are held to."""

import re
import tempfile

import pytest

from proofgrad.verifiers.code.properties import PropertyVerifier
from proofgrad.verifiers.code.runner import Runner, WorkerDied
from proofgrad.verifiers.code.verifier import ProgramVerifier
from proofgrad.verifiers.lean.checker import LeanVerifier
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


@pytest.fixture(scope="module")
def lean():
    made = LeanVerifier(toolchain="embedded")
    yield made
    made.close()


@pytest.mark.parametrize("made", [ProgramVerifier, PropertyVerifier, lambda: LeanVerifier(toolchain="embedded")])
def test_a_verdict_is_remembered_under_the_toolchain_that_gave_it(made):
    verifier = made()
    assert re.search(r"python-3\.\d+|lean4 4\.\d+", verifier.version), verifier.version
