"""One pool of zygotes for all tests of a file."""

import pytest

from proofgrad.verifiers.code.runner import Runner
from proofgrad.verifiers.code.verifier import ProgramVerifier


@pytest.fixture(scope="module")
def verifier():
    made = ProgramVerifier(workers=2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def runner():
    made = Runner(workers=1)
    yield made
    made.close()
