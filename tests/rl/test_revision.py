"""Revising against best-of-n: equal tokens, the same problems, UNKNOWN on neither side."""

import pytest

from proofgrad.envs.base import HELD_OUT, Task
from proofgrad.rl.engine import Completion
from proofgrad.rl.loop import Halt, Turn
from proofgrad.rl.revision import best_of_n, compare_revision
from proofgrad.rl.rollout import Rollout
from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.errors import ConfigError

PASS, FAIL, UNKNOWN = Verdict.passed("t.ok"), Verdict.failed("t.no"), Verdict.unknown("infra.gone")


def rollout(name, *turns, domain="theorems"):
    """A trajectory of (tokens, verdict) turns."""
    task = Task(name, name, {}, "lean", domain, 1.0, HELD_OUT, "test@0")
    made = [Turn(Completion([1] * n, [0.0] * n, "x", truncated=False), "x", verdict) for n, verdict in turns]
    return Rollout(task, [1], tuple(made), Halt.TURNS)


def singles(*pairs):
    return [rollout("a", pair) for pair in pairs]


@pytest.mark.parametrize(
    ("attempts", "tokens", "solved"),
    [
        ([(5, FAIL), (5, PASS)], 10, True),
        ([(5, FAIL), (5, PASS)], 9, False),  # the second does not fit
        ([(50, PASS)], 10, True),  # the first is always made
        ([(5, PASS), (5, UNKNOWN)], 10, True),
        ([(5, FAIL), (5, UNKNOWN)], 10, None),
        ([(5, FAIL), (5, UNKNOWN)], 9, False),
        ([(5, UNKNOWN), (5, PASS)], 10, True),
    ],
)
def test_independent_attempts_count_as_far_as_their_tokens_reach(attempts, tokens, solved):
    assert best_of_n(singles(*attempts), tokens) is solved


def test_the_comparison_is_paired_by_problem():
    trajectories = [
        rollout("a", (5, FAIL), (5, PASS)),
        rollout("a", (5, FAIL), (5, FAIL)),
        rollout("b", (5, PASS)),
        rollout("b", (5, FAIL), (5, UNKNOWN)),
    ]
    attempts = [rollout(name, (5, verdict)) for name, verdicts in {
        "a": [FAIL, FAIL, FAIL, PASS], "b": [FAIL, PASS, FAIL, FAIL],
    }.items() for verdict in verdicts]  # fmt: skip
    (row,) = compare_revision(trajectories, attempts)
    assert row.problems == 2
    assert row.first.mean == pytest.approx((0 + 1) / 2)
    assert row.revising.mean == pytest.approx((0.5 + 1) / 2)
    assert row.best_of_n.mean == pytest.approx((0.5 + 0) / 2)  # b's one trajectory had tokens for one attempt
    assert row.gain.mean == pytest.approx(row.revising.mean - row.best_of_n.mean)


def test_domains_are_told_apart_and_put_together():
    trajectories = [rollout(f"{d}{n}", (5, PASS), domain=d) for d in ("programs", "theorems") for n in range(3)]
    attempts = [rollout(t.task.id, (5, FAIL), domain=t.task.domain) for t in trajectories]
    rows = compare_revision(trajectories, attempts)
    assert [(row.domain, row.problems) for row in rows] == [("programs", 3), ("theorems", 3), ("overall", 6)]
    assert all(row.gain.mean == 1.0 for row in rows)


def test_too_few_problems_are_an_error_of_one_line():
    with pytest.raises(ConfigError, match="only 1 problems"):
        compare_revision([rollout("a", (5, PASS))], singles((5, PASS)))
