"""A verifier at work inside somebody else's event loop."""

from __future__ import annotations

import asyncio
import atexit
from dataclasses import dataclass

from proofgrad.verifiers.base import Problem, Verdict, Verifier
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.pool import VerifierPool
from proofgrad.verifiers.registry import get

__all__ = ["Bench", "bench"]


@dataclass(frozen=True, slots=True)
class Bench:
    """One verifier of a pool."""

    pool: VerifierPool
    verifier: str

    async def judge(self, problem: Problem, candidate: str | None) -> Verdict:
        """The verdict on a candidate; other coroutines run meanwhile. None, no candidate, is a FAIL.

        Raises:
            ProblemError: the problem is malformed.
        """
        if candidate is None:
            return Verdict.failed("env.no_answer", feedback="There is no answer in this completion.")
        future = self.pool.submit(self.verifier, problem, candidate)
        # Equal items share one future in the pool: whoever stops waiting must not cancel it for the others.
        return await asyncio.shield(asyncio.wrap_future(future))


def bench(verifier: Verifier | str, pool: VerifierPool | None, workers: int) -> Bench:
    """The verifier in `pool`, or in a pool of its own that lives as long as the process.

    Args:
        verifier: with a pool, its name there; without, a name in the registry, or a verifier.
        workers: judgements under way at once in a pool of its own.

    Raises:
        ConfigError: there is no such verifier, or a pool came with a verifier that is not a name.
    """
    if pool is not None:
        if not isinstance(verifier, str):
            raise ConfigError(f"with a pool, the verifier is a name in it; got {type(verifier).__name__}")
        return Bench(pool, verifier)
    made = get(verifier) if isinstance(verifier, str) else verifier
    own = VerifierPool({made.name: made}, workers=workers)
    atexit.register(own.close)
    return Bench(own, made.name)
