"""The run directory: nothing half-written is ever taken for whole."""

import pytest

from proofgrad.rl.config import Config
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.verifiers.errors import ConfigError


@pytest.fixture
def config(tmp_path):
    return Config.model_validate(
        {"name": "x", "runs_dir": tmp_path, "policy": {"scratch": {}}, "envs": [{"name": "synthesis"}]}
    )


def test_a_second_run_gets_a_directory_of_its_own(config):
    assert [RunDirectory.create(config).path.name for _ in range(3)] == ["x", "x-2", "x-3"]


def test_a_run_opens_with_the_configuration_it_was_started_with(config):
    path = RunDirectory.create(config).path
    assert RunDirectory.open(path)[1] == config


def test_a_directory_that_is_no_run_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no run in '.*' \(no config.yaml\)"):
        RunDirectory.open(tmp_path)


def test_only_complete_checkpoints_count_and_the_newest_comes_last(config):
    run = RunDirectory.create(config)
    for name, complete in [("checkpoint-10", True), ("checkpoint-9", True), ("checkpoint-20", False)]:
        (run.path / "checkpoints" / name).mkdir()
        if complete:
            (run.path / "checkpoints" / name / "trainer_state.json").write_text("{}", encoding="utf-8")
    assert [path.name for path in run.checkpoints()] == ["checkpoint-9", "checkpoint-10"]


def test_a_metrics_line_that_a_kill_cut_short_is_left_out(config):
    run = RunDirectory.create(config)
    run.log("grpo", 1, {"reward": 0.5})
    with (run.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"phase": "grpo", "st')
    assert run.metrics() == [{"phase": "grpo", "step": 1, "reward": 0.5}]
    run.log("grpo", 2, {"reward": 0.6})
    run.log("grpo", 3, {"reward": 0.7})
    assert [row["step"] for row in run.metrics()] == [1, 2, 3]


def test_steps_that_will_be_done_again_are_forgotten(config):
    run = RunDirectory.create(config)
    run.log("warm-start", 50, {"loss": 1.0})
    for step in (1, 2, 3):
        run.log("grpo", step, {"reward": 0.1 * step})
        run.write_rollouts(f"step-{step - 1:06d}", [{"task": "t"}])  # named by the updates made before it
    run.forget_after("grpo", 2)
    assert [(row["phase"], row["step"]) for row in run.metrics()] == [("warm-start", 50), ("grpo", 1), ("grpo", 2)]
    assert sorted(p.stem for p in (run.path / "rollouts").iterdir()) == ["step-000000", "step-000001"]


def test_moving_into_place_replaces_what_was_there(config):
    run = RunDirectory.create(config)
    for text in ("old", "new"):
        written = run.path / "policy.partial"
        written.mkdir()
        (written / "weights").write_text(text, encoding="utf-8")
        run.move_into_place(written, run.policy)
    assert (run.policy / "weights").read_text(encoding="utf-8") == "new"
    assert not written.exists()
