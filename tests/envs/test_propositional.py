"""The environment of propositional theorems keeps the contract, judged by real Lean."""

from __future__ import annotations

import functools
import random
from itertools import islice
from typing import Any

import pytest

from proofgrad.envs.base import HELD_OUT, TRAIN, Env, Task
from proofgrad.envs.testing import EnvContract, corrupt_proof
from proofgrad.envs.theorems.generate import capacity, level_of, proved_theorems
from proofgrad.envs.theorems.propositional import PropositionalEnv
from proofgrad.verifiers.base import Verifier
from proofgrad.verifiers.lean.checker import LeanVerifier


@functools.cache
def lean() -> LeanVerifier:
    return LeanVerifier()


class TestPropositional(EnvContract):
    def make_env(self, **options: Any) -> Env:
        return PropositionalEnv(**options)

    def make_verifier(self) -> Verifier:
        return lean()

    def corrupt(self, task: Task, completion: str, rng: random.Random) -> str:
        return corrupt_proof(completion, rng)

    def test_a_plain_prompt_ends_where_the_proof_begins(self) -> None:
        task, gold = next(iter(PropositionalEnv().demonstrations(1, 0)))
        assert task.prompt == f"theorem {task.problem['statement']} :=\n"
        assert gold.startswith("by\n")

    def test_levels_are_bands_of_proof_length(self) -> None:
        for task, gold in PropositionalEnv().demonstrations(60, 4):
            tactics = [line for line in gold.split("\n")[1:] if not line.lstrip().startswith("|")]
            assert task.difficulty == level_of(len(tactics))

    @pytest.mark.parametrize("level", range(2, 7))
    def test_levels_above_the_first_have_twenty_thousand_statements(self, level: int) -> None:
        assert capacity(level, TRAIN) + capacity(level, HELD_OUT) >= 20_000

    @pytest.mark.parametrize("level", range(2, 7))
    def test_no_goal_above_the_first_level_is_a_hypothesis(self, level: int) -> None:
        for proved in islice(proved_theorems(level, TRAIN, 0), 20):
            assert proved.theorem.goal not in proved.theorem.hypotheses
