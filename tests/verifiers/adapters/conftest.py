"""A verifier that answers as its problem says, so that each test can have any verdict it needs."""

import pytest

from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.errors import ProblemError
from proofgrad.verifiers.pool import VerifierPool


class Obedient:
    """Accepts the candidate that its problem wants; fails others with the problem's `credit`, 0 unless it says so.

    A problem that says `broken` is UNKNOWN, and one without `want` is malformed.
    """

    name, version = "obedient", "1"

    def verify(self, problem, candidate):
        if problem.get("broken"):
            return Verdict.unknown("infra.worker_died", evidence={"exit": -9})
        if "want" not in problem:
            raise ProblemError("obedient problem: 'want' is missing")
        if candidate == problem["want"]:
            return Verdict.passed("test.right", evidence={"seen": candidate})
        return Verdict.failed("test.wrong", score=problem.get("credit", 0.0), feedback=f"{candidate} is wrong")


@pytest.fixture
def obedient():
    return Obedient()


@pytest.fixture
def pool(obedient):
    with VerifierPool({"obedient": obedient}, workers=4, retries=0) as pool:
        yield pool
