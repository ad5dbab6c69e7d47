"""A whole run whose tasks depend on its results: full batches, and the same again when it is resumed.

This file is also the script that its last test starts on two processes.
"""

import json
import shutil
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from proofgrad.envs.base import Task
from proofgrad.rl import session as session_module
from proofgrad.rl.config import Config
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.rl.train import train
from proofgrad.verifiers.base import Verdict

# Two updates a step; checkpoints after updates 4, 8 and 12.
RECIPE = {
    "name": "small",
    "policy": {"scratch": {"hidden_size": 32, "intermediate_size": 64, "layers": 1, "heads": 2, "context": 64}},
    "envs": [{"name": "propositional"}],
    "warm_start": {"demonstrations": 16, "batch_size": 16},
    "generation": {"engine": "transformers", "max_tokens": 6},
    "grpo": {
        "steps": 6, "prompts_per_step": 4, "group_size": 4, "minibatches": 2, "save_steps": 2, "measure_kl": True,
        "unlikeliness": 0.25, "refill": {"rounds": 2}, "curriculum": {"enabled": True},
    },
    "evaluation": {"tasks": 2, "samples": 1},
}  # fmt: skip
ONE_IN = {1.0: 1, 2.0: 3, 3.0: 10**9}
"""For each level, of how many completions one is verified: all, some, none."""


class Lottery:
    """Tasks that an untrained policy solves always, sometimes or never."""

    name = "propositional"

    def tasks(self, split, n, seed):
        for i in range(n):
            level = 1.0 + i % 3
            problem = {"name": f"{split}/{i}", "one_in": ONE_IN[level]}
            source = f"{self.name}@{seed}"
            yield Task(problem["name"], f"task {i}:", problem, "lean", "theorems", level, split, source)

    def extract(self, completion):
        return completion

    def feedback(self, verdict):
        return verdict.feedback

    def demonstrations(self, n, seed):
        return [(task, "word " * 3) for task in self.tasks("train", n, seed)]


class Draw:
    """Verifies a completion by its checksum."""

    name, version = "lean", "1"

    def verify(self, problem, candidate):
        found = zlib.crc32(f"{problem['name']}/{candidate}".encode()) % problem["one_in"] == 0
        return Verdict.passed("test.ok") if found else Verdict.failed("test.no")


def start(run, config):
    """Start, or go on with, a run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_module, "make_envs", lambda config: {"propositional": Lottery()})
        patch.setattr(session_module, "make_verifiers", lambda config, envs, split: {"lean": Draw()})
        patch.setattr("proofgrad.envs.get", lambda name, **options: Lottery())
        train(config, run)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    config = config_in(tmp_path_factory.mktemp("adaptive"))
    run = RunDirectory.create(config)
    start(run, config)
    return run, config


def config_in(path: Path) -> Config:
    return Config.model_validate({**RECIPE, "runs_dir": path})


def figures(run: Path) -> list[dict]:
    """What was logged of the steps, but what a clock said."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["phase"] == "grpo"]
    return [{k: v for k, v in row.items() if not any(c in k for c in ("time", "per_second"))} for row in rows]


def sampled(run: Path, step: int, rank: str = "") -> list[tuple]:
    rows = pq.read_table(run / "rollouts" / f"step-{step:06d}{rank}.parquet").to_pylist()
    return [(row["task"], row["completion"], row["outcome"], row["advantage"]) for row in rows]


def test_every_step_trains_on_full_groups_and_records_what_it_threw_away(finished):
    run, _ = finished
    rows = figures(run.path)[::2]  # the first update of each step logs what was sampled
    assert len(rows) == 6
    for step, row in enumerate(rows):
        found = sampled(run.path, 2 * step)
        kept, thrown = found[:16], found[16:]
        assert all(advantage is not None for *_, advantage in kept)
        assert all(advantage is None for *_, advantage in thrown)
        assert all(len({task for task, *_ in kept[i : i + 4]}) == 1 for i in range(0, 16, 4))
        assert len(thrown) == 4 * row["refilled"]
        assert row["thrown_verified"] == Counter(outcome for _, _, outcome, _ in thrown)["pass"]
        weights = [value for key, value in row.items() if key.startswith("curriculum/weight/")]
        assert len(weights) == 3
        assert sum(weights) == pytest.approx(1)
    assert sum(row["refilled"] for row in rows) > 0
    assert sum(row["zero_variance_left"] for row in rows) < sum(row["zero_variance"] for row in rows)
    assert rows[-1]["curriculum/weight/propositional/2"] > 0.8
    distances = [row["kl"] for row in rows]
    assert distances[0] == pytest.approx(0, abs=1e-6)
    assert min(distances[1:]) > 1e-6


def test_a_resumed_run_draws_and_refills_as_the_undisturbed_one(finished, tmp_path):
    run, config = finished
    again = RunDirectory(tmp_path / "small")
    shutil.copytree(run.path, again.path)
    shutil.rmtree(again.path / "checkpoints" / "checkpoint-12")
    shutil.rmtree(again.policy)
    # As if it had been killed between the trainer's last file of this checkpoint and the curriculum's.
    (again.path / "checkpoints" / "checkpoint-8" / "curriculum.json").unlink()
    sampled_before = {step: sampled(run.path, step) for step in range(0, 12, 2)}
    start(again, config)
    assert figures(again.path) == figures(run.path)
    assert {step: sampled(again.path, step) for step in range(0, 12, 2)} == sampled_before
    first, second = (
        (one.path / "checkpoints" / "checkpoint-12" / "curriculum.json").read_text(encoding="utf-8")
        for one in (run, again)
    )
    assert first == second


def test_a_run_whose_entropy_is_under_its_floor_stops_and_keeps_a_checkpoint(tmp_path, capsys):
    grpo = {**RECIPE["grpo"], "save_steps": 6, "collapse_window": 2, "entropy_floor": 100.0}
    config = Config.model_validate({**RECIPE, "runs_dir": tmp_path, "grpo": grpo})
    run = RunDirectory.create(config)
    start(run, config)
    # The window is full at the first update of the second step.
    assert [row["step"] for row in figures(run.path)] == [1, 2, 3]
    assert [path.name for path in run.checkpoints()] == ["checkpoint-3"]
    assert "the entropy fell below its floor; going back to checkpoint-3" in capsys.readouterr().out
    assert (run.policy / "config.json").exists()


@pytest.mark.slow
def test_two_processes_have_whole_groups_of_one_batch_and_count_together(tmp_path):
    launcher = Path(__file__).parents[2] / "configs" / "accelerate" / "two_cpu.yaml"
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", launcher, __file__, tmp_path]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    run = tmp_path / "small"
    for step, row in enumerate(figures(run)[::2]):
        of_each = [sampled(run, 2 * step, rank) for rank in ("-0", "-1")]
        kept, thrown = [found[:8] for found in of_each], [found[8:] for found in of_each]
        for one in kept:
            assert all(len({task for task, *_ in one[i : i + 4]}) == 1 for i in range(0, 8, 4))
            assert all(advantage is not None for *_, advantage in one)
        assert 4 * row["refilled"] == sum(map(len, thrown))
        assert row["thrown_verified"] == Counter(outcome for one in thrown for _, _, outcome, _ in one)["pass"]
    assert sum(row["refilled"] for row in figures(run)[::2]) > 0


if __name__ == "__main__":
    settings = config_in(Path(sys.argv[1]))
    start(RunDirectory.create_once(settings), settings)
