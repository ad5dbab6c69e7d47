"""Whole runs: real vLLM, real Lean, the real sandbox, real processes that are really killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

# Small enough for seconds, whole enough to pass through every phase.
RECIPE = """
name: small
policy: {scratch: {hidden_size: 64, intermediate_size: 128, layers: 2, heads: 2, key_value_heads: 2, context: 384}}
envs:
  - {name: propositional, options: {max_level: 1}}
  - {name: synthesis, options: {max_level: 2}}
warm_start: {demonstrations: 200, batch_size: 16}
generation: {engine: ENGINE, max_tokens: 24}
loop: {max_turns: 2, discount: 0.5}
grpo: {steps: 6, prompts_per_step: 4, group_size: 4, minibatches: 2, save_steps: 2, kl_coefficient: 0.01}
evaluation: {tasks: 10, samples: 2}
"""
CLOCK = ("time", "runtime", "per_second")


def recipe(tmp_path: Path, engine: str) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(f"runs_dir: {tmp_path}/runs" + RECIPE.replace("ENGINE", engine), encoding="utf-8")
    return path


def start(*command, **env) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, command)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "COLUMNS": "160", **env},
    )  # fmt: skip


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output[-3000:]
    return output


def metrics(run: Path) -> list[dict]:
    """Everything that was logged but what a clock said."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{k: v for k, v in row.items() if not any(word in k for word in CLOCK)} for row in rows]


def completions(run: Path, name: str) -> list[tuple]:
    rows = pq.read_table(run / "rollouts" / f"{name}.parquet").to_pylist()
    return [(row["task"], untimed(row["turns"]), row["outcome"], row.get("advantage")) for row in rows]


def untimed(turns: str) -> list[dict]:
    """The turns without the seconds that they took."""
    return [{k: v for k, v in turn.items() if not k.endswith("_seconds")} for turn in json.loads(turns)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("undisturbed")
    output = finish(start("proofgrad.rl.cli", "train", recipe(path, "transformers")))
    assert "held-out pass@1" in output
    return path / "runs" / "small"


def test_vllm_lean_and_the_sandbox_train_a_policy_together(tmp_path):
    output = finish(start("proofgrad.rl.cli", "train", recipe(tmp_path, "auto")))
    run = tmp_path / "runs" / "small"
    assert "generation by vllm: it is installed" in output
    assert "held-out pass@1" in output
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["engine"] == "vllm"
    assert manifest["verifiers"].keys() == {"lean", "program"}
    steps = [row for row in metrics(run) if row["phase"] == "grpo"]
    assert [row["step"] for row in steps] == list(range(1, 13))
    sampled = steps[::2]  # two updates are made from each generation, and the first logs what was sampled
    # The ratio of the trainer's to vLLM's probabilities stays at one only if vLLM has the trainer's present weights.
    assert all(0.9 < row["sampling/importance_sampling_ratio/mean"] < 1.1 for row in sampled)
    assert all(row["unknown"] == 0 for row in sampled)
    assert all(row["turns"] >= 1 for row in sampled)
    logged = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    paced = [row for row in logged if "tokens_per_second" in row]
    assert len(paced) == len(sampled)
    assert all(row["tokens_per_second"] > 0 and 0 <= row["wait_time_share"] <= 1 for row in paced)
    rows = pq.read_table(run / "rollouts" / "before.parquet").to_pylist()
    assert {row["domain"] for row in rows} == {"theorems", "programs"}
    assert {row["split"] for row in rows} == {"held-out"}
    assert {row["reason"].partition(".")[0] for row in rows} <= {"lean", "code", "cheat", "env"}
    held_out = {row["task"] for row in rows}
    trained = {row["task"] for path in run.glob("rollouts/step-*.parquet") for row in pq.read_table(path).to_pylist()}
    assert not held_out & trained
    steps = [row for path in run.glob("rollouts/step-*.parquet") for row in pq.read_table(path).to_pylist()]
    assert {2} <= {row["turn_count"] for row in steps} <= {1, 2}  # this policy seldom gets anything right at once
    assert all(row["turn_count"] == len(json.loads(row["turns"])) for row in steps)


def test_the_same_seed_gives_the_same_run(undisturbed, tmp_path):
    finish(start("accelerate.commands.launch", "--num_processes", "1", "--cpu", "-m", "proofgrad.rl.train",
                 recipe(tmp_path, "transformers")))  # fmt: skip
    again = tmp_path / "runs" / "small"
    assert metrics(again) == metrics(undisturbed)
    for name in ("before", "step-000000", "step-000010", "after"):
        assert completions(again, name) == completions(undisturbed, name)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(undisturbed, tmp_path):
    process = start("proofgrad.rl.cli", "train", recipe(tmp_path, "transformers"))
    run = tmp_path / "runs" / "small"
    deadline = time.monotonic() + 300
    while not any(run.glob("checkpoints/checkpoint-*/trainer_state.json")) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0][-3000:]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    output = finish(start("proofgrad.rl.cli", "train", "--resume", run))
    assert "resuming from step" in output
    assert metrics(run) == metrics(undisturbed)
    assert completions(run, "after") == completions(undisturbed, "after")


def test_resuming_a_finished_run_only_prints_its_result(undisturbed):
    before = metrics(undisturbed)
    assert "held-out pass@1" in finish(start("proofgrad.rl.cli", "train", "--resume", undisturbed))
    assert metrics(undisturbed) == before


def test_a_finished_run_can_be_evaluated_again(undisturbed, tmp_path):
    output = finish(
        start("proofgrad.rl.cli", "eval", undisturbed, "--limit", "10", "--samples", "2", "--max-turns", "2",
              "--engine", "transformers", "--output-dir", tmp_path / "result")
    )  # fmt: skip
    assert "pass@2" in output
    assert "best-of-n" in output
    after = json.loads((undisturbed / "eval" / "after.json").read_text(encoding="utf-8"))
    again = json.loads((tmp_path / "result" / "evaluation.json").read_text(encoding="utf-8"))
    assert again["results"] == after["results"]
