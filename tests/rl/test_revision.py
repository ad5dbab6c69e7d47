"""Revising against best-of-n: equal tokens, the same problems, UNKNOWN on neither side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    ("attempts", "found"),
    [
        ([(5, FAIL), (6, PASS), (7, PASS)], (True, 11)),  # what follows a pass is not made
        ([(5, FAIL), (6, FAIL)], (False, 11)),
        ([(5, PASS), (5, UNKNOWN)], (True, 5)),
        ([(5, UNKNOWN), (5, PASS)], (True, 10)),
        ([(5, FAIL), (5, UNKNOWN)], None),
    ],
)
def test_independent_attempts_are_made_until_one_is_verified(attempts, found):
    assert best_of_n(singles(*attempts)) == found


ATTEMPTS = st.lists(st.tuples(st.integers(1, 9), st.sampled_from([PASS, FAIL])), min_size=4, max_size=4)


@given(pools=st.lists(ATTEMPTS, min_size=2, max_size=6), turns=st.integers(1, 4))
def test_beginning_again_each_time_is_best_of_n_and_gains_nothing(pools, turns):
    """The same attempts on both sides, up to the same number of them: neither way is better at equal tokens."""
    trajectories, attempts = [], []
    for number, pool in enumerate(pools):
        name = f"t{number}"
        attempts += [rollout(name, attempt) for attempt in pool[1:]]
        tried = pool[:turns]
        passed = [place for place, (_, verdict) in enumerate(tried) if verdict is PASS]
        trajectories.append(rollout(name, *tried[: passed[0] + 1 if passed else turns]))
    (row,) = compare_revision(trajectories, attempts)
    assert row.gain.mean == pytest.approx(0)
    assert row.tokens == pytest.approx(row.best_of_n_tokens)
    assert row.revising.mean == pytest.approx(row.best_of_n.mean)


def test_tokens_between_two_numbers_of_attempts_are_a_mixture_of_them():
    """One of two problems is solved by a second attempt: 5 tokens solve neither, 10 on average half of them."""
    trajectories = [rollout("a", (5, FAIL), (5, PASS)), rollout("b", (5, FAIL))]
    attempts = [rollout("a", (5, PASS)), rollout("b", (5, FAIL))]
    (row,) = compare_revision(trajectories, attempts)
    assert (row.tokens, row.best_of_n_tokens, row.n) == (7.5, 7.5, 1.5)
    assert row.best_of_n.mean == pytest.approx(0.25)
    assert row.gain.mean == pytest.approx(0.25)


def test_where_trajectories_wrote_more_than_all_attempts_that_is_said():
    trajectories = [rollout(name, (5, FAIL), (50, PASS)) for name in "ab"]
    attempts = [rollout(name, (5, FAIL)) for name in "ab" for _ in range(2)]
    (row,) = compare_revision(trajectories, attempts)
    assert (row.tokens, row.best_of_n_tokens, row.n) == (55, 15, 3)


def test_the_comparison_is_paired_by_problem_and_what_was_not_judged_is_on_neither_side():
    trajectories = [
        rollout("a", (5, FAIL), (5, PASS)),
        rollout("a", (5, FAIL), (5, FAIL)),
        rollout("b", (5, PASS)),
        rollout("b", (5, FAIL), (5, UNKNOWN)),
        rollout("c", (5, FAIL), (5, FAIL)),
    ]
    verdicts = {"a": [FAIL, FAIL], "b": [FAIL, FAIL], "c": [UNKNOWN, FAIL]}
    attempts = [rollout(name, (5, verdict)) for name, found in verdicts.items() for verdict in found]
    (row,) = compare_revision(trajectories, attempts)
    assert row.problems == 2
    assert row.first.mean == pytest.approx((0 + 1) / 2)
    assert row.revising.mean == pytest.approx((0.5 + 1) / 2)
    assert row.best_of_n.mean == pytest.approx((0 + 1) / 2)  # b's first attempt is on both sides
    assert (row.tokens, row.best_of_n_tokens) == ((10 + 5) / 2, (10 + 5) / 2)
    assert row.gain.mean == pytest.approx(row.revising.mean - row.best_of_n.mean)


def test_domains_are_told_apart_and_put_together():
    names = [(f"{domain}{n}", domain) for domain in ("programs", "theorems") for n in range(3)]
    trajectories = [rollout(name, (5, FAIL), (5, PASS), domain=domain) for name, domain in names]
    attempts = [rollout(t.task.id, (5, FAIL), domain=t.task.domain) for t in trajectories]
    rows = compare_revision(trajectories, attempts)
    assert [(row.domain, row.problems) for row in rows] == [("programs", 3), ("theorems", 3), ("overall", 6)]
    assert all(row.gain.mean == 1.0 for row in rows)


def test_too_few_problems_are_an_error_of_one_line():
    with pytest.raises(ConfigError, match="only 1 problems"):
        compare_revision([rollout("a", (5, PASS))], singles((5, PASS)))
