"""A whole training run that is small enough to make once for the tests that read run directories."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from proofgrad.rl.config import Config
from proofgrad.rl.run_directory import RunDirectory

RUN = {
    "name": "small",
    "policy": {
        "scratch": {
            "hidden_size": 32, "intermediate_size": 64, "layers": 1, "heads": 2, "key_value_heads": 1,
            "vocab_size": 300, "context": 192,
        }
    },
    "envs": [
        {"name": "propositional", "options": {"max_level": 1}},
        {"name": "synthesis", "options": {"max_level": 2}, "demonstration_options": {"max_level": 1}},
    ],
    "warm_start": {"demonstrations": 80, "batch_size": 8, "learning_rate": 1e-2},
    "generation": {"engine": "transformers", "max_tokens": 12},
    "grpo": {"steps": 3, "prompts_per_step": 4, "group_size": 4, "minibatches": 2, "save_steps": 1,
             "kl_coefficient": 0.01},
    "evaluation": {"tasks": 6, "samples": 2},
    "verification": {"options": {"lean": {"toolchain": "embedded"}}},
}  # fmt: skip


@pytest.fixture(scope="session")
def recorded_run(tmp_path_factory):
    """The run's directory. Read it only; `small_run` is a copy to change."""
    from proofgrad.rl.train import train

    config = Config.model_validate({**RUN, "runs_dir": tmp_path_factory.mktemp("runs")})
    run = RunDirectory.create(config)
    train(config, run)
    return run.path


@pytest.fixture
def small_run(recorded_run, tmp_path) -> Path:
    """A copy of the recorded run."""
    return Path(shutil.copytree(recorded_run, tmp_path / "small"))
