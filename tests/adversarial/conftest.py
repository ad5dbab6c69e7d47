"""What the gauntlets of programs share: a verifier, and the verdicts to come on a module's cases."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from proofgrad.verifiers.code import ProgramVerifier

from .program_cases import jobs


@pytest.fixture(scope="module")
def verifier():
    made = ProgramVerifier(workers=2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def gauntlet(request):
    """The verdicts to come on all cases of the module's KIND, by name and role.

    Four at a time, since most attacks only wait for their end: they have ATTACK_S seconds, the twins the problem's.
    """
    several = ProgramVerifier(workers=4)
    with ThreadPoolExecutor(4) as threads:
        yield {
            (job["name"], job["role"]): threads.submit(several.verify, job["problem"], job["candidate"])
            for job in jobs(request.module.KIND, request.module.ATTACK_S)
        }
        threads.shutdown(cancel_futures=True)
    several.close()
