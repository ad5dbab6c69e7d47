"""Which task each group of a run is about: in an order fixed before the first step, or as a curriculum chooses."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from proofgrad.envs.base import Prompt, Task
from proofgrad.envs.curriculum import Curriculum, Level
from proofgrad.rl.config import Config
from proofgrad.rl.frontier import training_order
from proofgrad.rl.rollout import Result, env_name, level_of, prompt_key, sample_seed

if TYPE_CHECKING:
    from proofgrad.rl.session import Session

__all__ = ["TaskStream", "task_stream"]


def task_stream(session: Session, tasks: Sequence[Task]) -> TaskStream:
    """The stream that the configuration asks for."""
    with_curriculum = session.config.grpo.curriculum.enabled
    return TaskStream(session.config, tasks, [] if with_curriculum else training_order(session, tasks))


class TaskStream:
    """The tasks of a run, step by step.

    With a curriculum the rows of the trainer's data set stand for no task: a row is a place in its step's batch, and
    which task that is, is drawn when the step begins, from the results of those before.

    Args:
        tasks: all training tasks.
        order: one task for each group of the run; used where there is no curriculum.

    Attributes:
        curriculum: None where the order is fixed.
    """

    def __init__(self, config: Config, tasks: Sequence[Task], order: Sequence[Task]) -> None:
        self._config = config
        self._order = list(order)
        self._by_prompt = {prompt_key(task.prompt): task for task in order}
        self._by_env: dict[str, list[Task]] = {}
        self._by_level: dict[Level, list[Task]] = {}
        for task in tasks:
            self._by_env.setdefault(env_name(task), []).append(task)
            self._by_level.setdefault(level_of(task), []).append(task)
        settings = config.grpo.curriculum
        self.curriculum: Curriculum | None = None
        if settings.enabled and tasks:
            levels = sorted(self._by_level, key=lambda level: (level[0], level[1] is not None, level[1] or 0.0))
            self.curriculum = Curriculum(levels, settings.low, settings.high, settings.floor, settings.decay)

    @property
    def domains(self) -> list[str]:
        """The domains of its tasks."""
        return sorted({task.domain for tasks in self._by_env.values() for task in tasks})

    def prompts(self) -> list[Prompt]:
        """The rows of the trainer's data set: one for each group of the run."""
        if self.curriculum is None:
            return [task.prompt for task in self._order]
        grpo = self._config.grpo
        return [str(place) for _ in range(grpo.steps) for place in range(grpo.prompts_per_step)]

    def asked(self, prompts: Sequence[Prompt], step: int) -> list[Task]:
        """The tasks that rows of the data set stand for, in a step; all processes draw the same ones."""
        if self.curriculum is None:
            return [self._by_prompt[prompt_key(prompt)] for prompt in prompts]
        rng = random.Random(sample_seed("curriculum", self._config.seed, step))
        batch: list[Task] = []
        for env in self._config.mixture(self._by_env).draw(self._config.grpo.prompts_per_step, rng):
            batch.append(self._draw(env, {task.id for task in batch}, rng))
        return [batch[int(str(prompt))] for prompt in prompts]

    def instead(self, task: Task, asked: Collection[str], *where: int) -> Task:
        """Another task of the same environment, so that the mixture stays as it is; a function of `where` and the seed.

        Args:
            asked: ids not to be taken as long as there are others.
            where: the step, the process, the round and the group's place.
        """
        return self._draw(env_name(task), asked, random.Random(sample_seed("refill", self._config.seed, *where)))

    def observe(self, results: Iterable[Result]) -> None:
        """Tell the curriculum, if there is one, how one step went; the same results on all processes."""
        if self.curriculum is not None:
            self.curriculum.observe(results)

    def _draw(self, env: str, asked: Collection[str], rng: random.Random) -> Task:
        tasks = self._by_env[env] if self.curriculum is None else self._by_level[self.curriculum.draw(env, rng)]
        return rng.choice([task for task in tasks if task.id not in asked] or tasks)
