"""Shared pieces: a policy small enough to make in a second, and tasks of both domains."""

from __future__ import annotations

import pytest
from hypothesis import settings

from proofgrad import envs, verifiers
from proofgrad.rl.config import ScratchPolicy
from proofgrad.verifiers.pool import VerifierPool

# How long an example takes says more about the machine than about the law; tests that are about time measure it.
settings.register_profile("proofgrad", deadline=None)
settings.load_profile("proofgrad")

TINY = ScratchPolicy(
    hidden_size=32, intermediate_size=64, layers=1, heads=2, key_value_heads=1, head_dim=32, vocab_size=300, context=192
)


@pytest.fixture(scope="session")
def both_envs():
    return {name: envs.get(name, max_level=2) for name in ("propositional", "synthesis")}


@pytest.fixture(scope="session")
def tiny_policy(both_envs):
    from proofgrad.rl.policy import make_policy

    texts = [c for env in both_envs.values() for _, c in env.demonstrations(20, 0)]
    return make_policy(TINY, texts, seed=0)


@pytest.fixture(scope="session")
def real_pool():
    with VerifierPool({name: verifiers.get(name) for name in ("lean", "program")}) as pool:
        yield pool
