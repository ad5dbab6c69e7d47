"""Which tasks to train on, and in which order."""

from __future__ import annotations

import itertools
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from proofgrad.envs.base import TRAIN, Task
from proofgrad.rl.console import track
from proofgrad.rl.engine import Sampling
from proofgrad.rl.rollout import Rollout, env_name, sample_seed
from proofgrad.rl.run_directory import write_text
from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.errors import ConfigError

if TYPE_CHECKING:
    from proofgrad.rl.session import Session

__all__ = ["frontier_tasks", "on_frontier", "training_order", "training_tasks"]


def training_tasks(session: Session, n: int) -> list[Task]:
    """`n` training tasks, shared out among the environments by weight."""
    total = sum(env.weight for env in session.config.envs)
    return [
        task
        for env in session.config.envs
        for task in session.envs[env.name].tasks(TRAIN, round(n * env.weight / total), session.config.seed)
    ]


def frontier_tasks(session: Session) -> list[Task]:
    """Tasks that the policy in the engine solves sometimes, found by trying each of a pool a few times.

    The choice is written to frontier.json in the run directory, and read from there when the run is resumed.
    """
    config = session.config
    frontier = config.grpo.frontier
    if not frontier.pool:
        return training_tasks(session, config.grpo.steps * config.grpo.prompts_per_step)
    tasks = training_tasks(session, frontier.pool)
    path = session.run.path / "frontier.json"
    if path.exists():
        kept = set(json.loads(path.read_text(encoding="utf-8"))["kept"])
        return [task for task in tasks if task.id in kept]
    repeated = [task for task in tasks for _ in range(frontier.samples)]
    seeds = [sample_seed("frontier", config.seed, index) for index in range(len(repeated))]
    sampling = Sampling(config.generation.temperature, config.generation.max_tokens)
    with track("finding the frontier", len(repeated)) as tracker:
        rollouts = session.roll_out(repeated, seeds, sampling, on_turn=tracker.advance)
    chosen = on_frontier(tasks, rollouts)
    session.say(f"{len(chosen)} of {len(tasks)} training tasks are solved sometimes, and are trained on")
    if not chosen:
        raise ConfigError(
            "grpo.frontier: the policy solves no task of the pool sometimes: change the environments' levels, "
            "the warm start or the pool"
        )
    if session.is_main_process():
        write_text(path, json.dumps({"pool": len(tasks), "kept": [task.id for task in chosen]}))
    return chosen


def on_frontier(tasks: Sequence[Task], rollouts: Sequence[Rollout]) -> list[Task]:
    """Tasks with at least one PASS and at least one FAIL among their rollouts."""
    outcomes: dict[str, set[Outcome]] = defaultdict(set)
    for rollout in rollouts:
        outcomes[rollout.task.id].add(rollout.verdict.outcome)
    return [task for task in tasks if {Outcome.PASS, Outcome.FAIL} <= outcomes[task.id]]


def training_order(session: Session, tasks: Sequence[Task]) -> list[Task]:
    """One task for each group of the whole run: environments drawn by weight, each one's tasks in shuffled rounds.

    Raises:
        ConfigError: the environments' bounds leave no room for a step's groups, e.g. since one has no frontier task.
    """
    config = session.config
    rng = random.Random(sample_seed("order", config.seed))
    by_env: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        by_env[env_name(task)].append(task)
    if not by_env:
        return []
    rounds = {name: _shuffled_rounds(found, rng) for name, found in by_env.items()}
    mixture, size = config.mixture(by_env), config.grpo.prompts_per_step
    names = [name for _ in range(config.grpo.steps) for name in mixture.draw(size, rng)]
    return [next(rounds[name]) for name in names]


def _shuffled_rounds(tasks: Sequence[Task], rng: random.Random) -> Iterator[Task]:
    return itertools.chain.from_iterable(rng.sample(tasks, len(tasks)) for _ in itertools.count())
