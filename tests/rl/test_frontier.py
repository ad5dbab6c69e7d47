"""The order of training tasks: by weight, in shuffled rounds, the same for the same seed."""

from collections import Counter
from types import SimpleNamespace

from proofgrad.rl.config import Config
from proofgrad.rl.frontier import training_order, training_tasks


def session_of(both_envs, *, seed=0, steps=50, weights=(1.0, 3.0)):
    config = Config.model_validate(
        {
            "name": "x",
            "seed": seed,
            "policy": {"scratch": {}},
            "envs": [{"name": name, "weight": w} for name, w in zip(both_envs, weights, strict=True)],
            "grpo": {"steps": steps, "prompts_per_step": 8},
        }
    )
    return SimpleNamespace(config=config, envs=both_envs)


def test_there_is_one_task_for_every_group_of_the_run(both_envs):
    session = session_of(both_envs)
    assert len(training_order(session, training_tasks(session, 40))) == 50 * 8


def test_environments_are_drawn_by_weight(both_envs):
    session = session_of(both_envs)
    domains = Counter(task.domain for task in training_order(session, training_tasks(session, 40)))
    assert 2.0 < domains["programs"] / domains["theorems"] < 4.5


def test_no_task_comes_back_before_all_others_of_its_environment_have_come(both_envs):
    session = session_of(both_envs)
    tasks = training_tasks(session, 40)
    for domain in ("theorems", "programs"):
        ids = [task.id for task in training_order(session, tasks) if task.domain == domain]
        size = len({task.id for task in tasks if task.domain == domain})
        rounds = [ids[i : i + size] for i in range(0, len(ids) - size, size)]
        assert rounds
        assert all(len(set(one)) == size for one in rounds)


def test_an_environment_without_frontier_tasks_is_left_out(both_envs):
    session = session_of(both_envs)
    only = [task for task in training_tasks(session, 40) if task.domain == "theorems"]
    assert {task.domain for task in training_order(session, only)} == {"theorems"}


def test_the_seed_decides_the_order(both_envs):
    tasks = training_tasks(session_of(both_envs), 40)
    orders = [[t.id for t in training_order(session_of(both_envs, seed=s), tasks)] for s in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
