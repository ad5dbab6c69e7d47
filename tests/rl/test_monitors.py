"""The monitor stops a collapsing run, and only that."""

from types import SimpleNamespace

import pytest

from proofgrad.rl.monitors import CollapseMonitor, EntropyMonitor


def run_through(monitor, rewards, tmp_path, save_every=2):
    """Feed one reward a step, saving now and then; the step it stopped at, or None."""
    args = SimpleNamespace(output_dir=str(tmp_path))
    control = SimpleNamespace(should_training_stop=False)
    for step, reward in enumerate(rewards, start=1):
        state = SimpleNamespace(global_step=step, log_history=[])
        monitor.on_log(args, state, control, {"reward": reward})
        if step % save_every == 0:
            (tmp_path / f"checkpoint-{step}").mkdir(exist_ok=True)
            monitor.on_save(args, state, control)
        if control.should_training_stop:
            return step
    return None


def test_a_collapse_stops_the_run_and_the_best_checkpoint_is_known(tmp_path):
    monitor = CollapseMonitor(window=2, ratio=0.5)
    assert run_through(monitor, [0.2, 0.3, 0.4, 0.5, 0.3, 0.1, 0.0, 0.0], tmp_path) == 6
    assert monitor.collapsed
    assert monitor.best_checkpoint == tmp_path / "checkpoint-4"


@pytest.mark.parametrize("rewards", [[0.2] * 12, [0.1, 0.5, 0.1, 0.5] * 3, [0.0] * 12, [0.1 * i for i in range(10)]])
def test_steady_noisy_silent_and_improving_runs_go_on(rewards, tmp_path):
    monitor = CollapseMonitor(window=4, ratio=0.5)
    assert run_through(monitor, rewards, tmp_path) is None
    assert not monitor.collapsed


def test_a_ratio_of_zero_never_stops(tmp_path):
    assert run_through(CollapseMonitor(window=1, ratio=0.0), [0.9, 0.0, 0.0], tmp_path) is None


def test_a_step_without_a_single_verdict_is_left_out(tmp_path):
    monitor = CollapseMonitor(window=2, ratio=0.5)
    run_through(monitor, [0.4, None, 0.4], tmp_path)
    assert monitor.average == pytest.approx(0.4)


def test_a_resumed_run_remembers_its_best(tmp_path):
    (tmp_path / "checkpoint-2").mkdir()
    history = [{"reward": 0.5, "step": 1}, {"reward": 0.5, "step": 2}, {"loss": 1.0, "step": 2}]
    monitor = CollapseMonitor(window=2, ratio=0.5)
    monitor.on_train_begin(SimpleNamespace(output_dir=str(tmp_path)), SimpleNamespace(log_history=history), None)
    assert monitor.best_checkpoint == tmp_path / "checkpoint-2"
    assert run_through(monitor, [0.0, 0.0], tmp_path) == 2


def test_the_collapse_of_another_figure_is_seen_and_the_reward_is_not_looked_at(tmp_path):
    monitor = CollapseMonitor(window=1, ratio=0.5, watched="drawn_solved")
    control = SimpleNamespace(should_training_stop=False)
    args, state = SimpleNamespace(output_dir=str(tmp_path)), SimpleNamespace(global_step=1, log_history=[])
    for solved, reward, stops in [(0.8, 0.5, False), (0.7, 0.1, False), (0.3, 0.5, True)]:
        monitor.on_log(args, state, control, {"drawn_solved": solved, "reward": reward})
        assert control.should_training_stop is stops


def entropies(monitor, values, history=()):
    """Feed one entropy a step, with a later update of the same step in between; the step it stopped at, or None."""
    control = SimpleNamespace(should_training_stop=False, should_save=False)
    monitor.on_train_begin(None, SimpleNamespace(log_history=list(history)), control)
    for step, value in enumerate(values, start=1):
        monitor.on_log(None, None, control, {"entropy": value, "reward": 0.5})
        monitor.on_log(None, None, control, {"entropy": 0.0})
        if control.should_training_stop:
            assert control.should_save
            return step
    return None


def test_entropy_below_its_floor_for_a_window_stops_the_run():
    monitor = EntropyMonitor(window=2, floor=0.3)
    assert entropies(monitor, [0.5, 0.4, 0.25, 0.2, 0.1]) == 4
    assert monitor.fell


@pytest.mark.parametrize(("floor", "values"), [(0.3, [0.5, 0.1, 0.5, 0.2, 0.5]), (0.0, [0.0] * 5), (0.3, [0.1])])
def test_a_short_dip_no_floor_and_a_window_not_full_go_on(floor, values):
    assert entropies(EntropyMonitor(window=2, floor=floor), values) is None


def test_a_resumed_run_remembers_its_entropy():
    history = [{"entropy": 0.2, "reward": 0.1}, {"entropy": 0.9}]
    assert entropies(EntropyMonitor(window=2, floor=0.3), [0.2], history) == 1
