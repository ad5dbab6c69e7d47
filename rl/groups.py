"""Groups that teach: which carry a signal, what takes the place of those that do not, and rewards against sharpening.

A group is the completions of one task, compared with each other. All verified or all failed, they are worth the same,
every advantage is 0, and the group's share of the batch is wasted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from proofgrad.envs.base import Task
from proofgrad.verifiers.base import Outcome

if TYPE_CHECKING:
    from proofgrad.rl.rollout import Rollout

__all__ = ["Batch", "Group", "grouped", "has_no_variance", "refill", "unlikeliness_rewards"]

Group: TypeAlias = "list[Rollout]"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch:
    """One process's part of a generation step.

    Attributes:
        rollouts: what is trained on, group by group.
        thrown: what was sampled and judged, and then replaced.
        metrics: figures about the groups.
    """

    rollouts: list[Rollout]
    thrown: list[Rollout] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)


def grouped(items: Sequence[T], size: int) -> list[list[T]]:
    """Consecutive items in groups of `size`: rollouts as TRL groups them, or anything that goes with them."""
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def has_no_variance(group: Sequence[Rollout]) -> bool:
    """Whether all that was judged is verified, or all of it failed.

    Outcomes decide, whatever partial credit or a discount make of them. UNKNOWN is no outcome of the policy's; a group
    of nothing else is not counted either: more samples are no answer to machinery that does not work.
    """
    judged = {rollout.verdict.outcome for rollout in group} - {Outcome.UNKNOWN}
    return len(judged) == 1


def refill(
    groups: Sequence[Group],
    rounds: int,
    instead: Callable[[Task, Collection[str], int, int], Task],
    sample: Callable[[Sequence[Task], int], Sequence[Group]],
) -> tuple[list[Group], list[Group]]:
    """Replace whole groups that have no variance, for at most so many rounds.

    Args:
        groups: as they were sampled first.
        rounds: each replaces every group that has no variance then; what the last one brought stays.
        instead: another task for (a task, ids that were asked in this step already, the round, the group's place).
        sample: one group for each of some tasks, in a round (from 1).

    Returns:
        As many groups as there were, each in the place of the one it replaces; and the groups that were replaced.
    """
    kept, thrown = list(groups), list[Group]()
    asked = {group[0].task.id for group in groups}
    for number in range(1, rounds + 1):
        places = [place for place, group in enumerate(kept) if has_no_variance(group)]
        if not places:
            break
        tasks = []
        for place in places:
            tasks.append(instead(kept[place][0].task, asked, number, place))
            asked.add(tasks[-1].id)
        for place, group in zip(places, sample(tasks, number), strict=True):
            thrown.append(kept[place])
            kept[place] = group
    return kept, thrown


def unlikeliness_rewards(group: Sequence[Rollout], rewards: Sequence[float | None], beta: float) -> list[float | None]:
    """Rewards of one group, the less the likelier a verified completion is (He et al. 2025, arXiv 2506.02355).

        r_i = r_i * (1 - beta * (G - rank_i) / G)

    with rank 1 for the likeliest of the group's G completions and G for the least likely, so that this one keeps its
    reward. As in the authors' code likelihood is the mean log-probability of a token, under the policy that sampled it;
    G - rank_i is counted as the completions that are less likely, so that equal completions are worth the same. UNKNOWN
    counts in neither. A failed completion's partial credit is taken down by 1 - beta, and so stays under the least that
    a verified one is worth. A group without both outcomes keeps its rewards: there is nothing to weigh them against.

    Args:
        rewards: None for UNKNOWN.
        beta: in [0, 1).
    """
    if {Outcome.PASS, Outcome.FAIL} - {rollout.verdict.outcome for rollout in group}:
        return list(rewards)
    likelihood = [sum(rollout.logprobs) / max(1, sum(rollout.is_action)) for rollout in group]
    judged = [value for value, reward in zip(likelihood, rewards, strict=True) if reward is not None]
    scaled: list[float | None] = []
    for rollout, reward, value in zip(group, rewards, likelihood, strict=True):
        less_likely = sum(other < value for other in judged)
        factor = 1 - beta * less_likely / len(judged) if rollout.verdict.is_pass else 1 - beta
        scaled.append(None if reward is None else reward * factor)
    return scaled
