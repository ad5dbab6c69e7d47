"""Train a policy on verified rewards: ``accelerate launch -m proofgrad.rl.train configs/quickstart.yaml``.

A run reads top to bottom in `train`. The update itself is TRL's GRPOTrainer; what is added here is where completions
come from (`rollout.py`: each is verified while others are still being written) and what they are worth: a verdict.

Departures from GRPO as Shao et al. wrote it (2024, arXiv 2402.03300), each a key of the configuration:
  1. A completion that could not be judged (UNKNOWN) has no reward: it is retried, then left out of its group's baseline
     and of the update. It never counts as a reward of 0.
  2. The tasks are those that the starting policy solves sometimes (`grpo.frontier`): others carry no advantage.
  3. Advantages are not divided by the group's standard deviation, nor the loss by a completion's length
     (`scale_rewards: none`, `loss_type: dr_grpo`; Liu et al. 2025, arXiv 2503.20783).
  4. The upper clip range is wider than the lower one (`clip_high`; DAPO, Yu et al. 2025, arXiv 2503.14476).
  5. Training stops when the solved share collapses, and the best checkpoint is kept (`collapse_ratio`).
Off unless asked for (docs/design/0008-groups-that-teach.md):
  6. A group that is all verified or all failed gives way to a group of another task (`grpo.refill`; DAPO, as above).
  7. Levels of difficulty are chosen by measured solve rates, instead of in an order fixed beforehand (`curriculum`).
  8. Of a group's verified completions the likelier are worth less (`unlikeliness`; He et al. 2025, arXiv 2506.02355).
  9. Training stops when the policy's entropy falls below a floor (`entropy_floor`).
"""

from __future__ import annotations

import sys

from proofgrad.rl.checks.examination import examine_verifiers
from proofgrad.rl.config import Config
from proofgrad.rl.console import comparison_table, console
from proofgrad.rl.evaluate import Comparison, compare, evaluate_once, held_out_tasks
from proofgrad.rl.frontier import frontier_tasks
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.rl.session import Session
from proofgrad.rl.stream import task_stream
from proofgrad.rl.trainer import build_trainer, fit
from proofgrad.rl.warmstart import start_policy

__all__ = ["main", "train"]


def train(config: Config, run: RunDirectory) -> list[Comparison]:
    """One run: warm start, evaluate, optimise, evaluate again. What `run` already holds is not done again.

    Returns held-out pass@1 before and after, by domain.
    """
    with Session(config, run) as session:
        # Do the verifiers tell right from wrong, here and now? What they reward is what will be learned.
        examine_verifiers(session)

        # A policy that can speak: loaded, or made from scratch and shown demonstrations.
        policy = start_policy(session)

        # The trainer holds the policy and its generation engine; from here on both stay in memory.
        trainer = build_trainer(session, policy)
        session.use_engine_of(trainer)

        # What can it do now, on problems that training will never see?
        held_out = held_out_tasks(session.envs, config.evaluation.tasks)
        before = evaluate_once(session, held_out, "before", policy=policy.path)

        # Which training tasks does it solve sometimes? Only those teach.
        tasks = frontier_tasks(session)

        # Group relative policy optimisation: sample, verify, compare within the group, update.
        fit(session, trainer, task_stream(session, tasks))

        # The same problems, the same random numbers, the trained policy.
        after = evaluate_once(session, held_out, "after", policy=str(run.policy))
        return compare(before, after)


def run_from(config: Config, run: RunDirectory) -> None:
    """Train and print the result."""
    rows = train(config, run)
    if Session.is_main_process():
        console.print(comparison_table(rows, "held-out pass@1"))
        console.print(
            f"everything about this run is in {run.path}; proofgrad report {run.path} shows it", soft_wrap=True
        )


def main() -> None:
    """``accelerate launch -m proofgrad.rl.train CONFIG`` is ``proofgrad train CONFIG`` on several processes."""
    from proofgrad.rl.cli import main as cli

    sys.argv.insert(1, "train")
    cli()


if __name__ == "__main__":
    main()
