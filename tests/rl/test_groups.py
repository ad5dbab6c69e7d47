"""Groups that teach: whole groups give way, outcomes alone decide, and rare proofs are worth more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.envs.base import TRAIN, Task
from proofgrad.rl.config import GRPOSettings, LoopConfig
from proofgrad.rl.engine import Completion
from proofgrad.rl.groups import grouped, has_no_variance, refill, unlikeliness_rewards
from proofgrad.rl.loop import Halt, Turn
from proofgrad.rl.rollout import Rollout, reward
from proofgrad.rl.trainer import refuse_split_groups, refuse_uneven_batches
from proofgrad.verifiers.base import Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError

GROUP = 4
outcomes = st.sampled_from([Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN])
groups_of = st.lists(st.lists(outcomes, min_size=GROUP, max_size=GROUP), min_size=1, max_size=6)


def task_of(name: str) -> Task:
    return Task(name, name, {}, "lean", "theorems", 1.0, TRAIN, "propositional@0")


def verdict_of(outcome, score=0.0):
    if outcome is Outcome.PASS:
        return Verdict.passed("test.ok")
    return Verdict(outcome, None if outcome is Outcome.UNKNOWN else score, "test.no")


def rollout_of(outcome, task=None, *, logprobs=(-1.0,), score=0.0):
    completion = Completion(list(range(len(logprobs))), list(logprobs), "text", truncated=False)
    turn = Turn(completion, "text", verdict_of(outcome, score))
    return Rollout(task or task_of("a"), [1], (turn,), Halt.TURNS)


def group_of(found, task=None):
    return [rollout_of(outcome, task) for outcome in found]


class Sampler:
    """Gives fresh groups from a list of outcomes, with tasks of their own, and notes what was asked."""

    def __init__(self, found):
        self.found, self.instead_of, self.rounds = iter(found), [], []

    def instead(self, task, asked, number, place):
        fresh = task_of(f"fresh-{number}-{place}")
        assert fresh.id not in asked
        self.instead_of.append((task.id, number, place))
        return fresh

    def sample(self, tasks, number):
        self.rounds.append(len(tasks))
        return [group_of(next(self.found), task) for task in tasks]


@given(groups_of, st.integers(0, 3), st.data())
def test_the_batch_stays_full_of_whole_groups_and_nothing_that_was_judged_is_lost(found, rounds, data):
    groups = [group_of(one, task_of(str(i))) for i, one in enumerate(found)]
    fresh = (data.draw(st.lists(outcomes, min_size=GROUP, max_size=GROUP)) for _ in range(10**6))
    sampler = Sampler(fresh)
    kept, thrown = refill(groups, rounds, sampler.instead, sampler.sample)
    assert [len(group) for group in kept] == [GROUP] * len(groups)
    assert all(len({rollout.task.id for rollout in group}) == 1 for group in kept)
    assert len(sampler.rounds) <= rounds
    assert len(thrown) == sum(sampler.rounds)
    assert all(has_no_variance(group) for group in thrown)
    for before, after in zip(groups, kept, strict=True):
        assert (after is before) != has_no_variance(before) or rounds == 0
    assert all(not has_no_variance(group) for group in kept) or len(sampler.rounds) == rounds
    everything = len(groups) + sum(sampler.rounds)
    assert len(kept) + len(thrown) == everything


@pytest.mark.parametrize(
    ("found", "expected"),
    [("PPPP", True), ("FFFF", True), ("PFPF", False), ("PUUU", True), ("FUFU", True), ("PFUU", False), ("UUUU", False)],
)
def test_unknown_has_no_part_in_the_decision(found, expected):
    by_letter = {"P": Outcome.PASS, "F": Outcome.FAIL, "U": Outcome.UNKNOWN}
    assert has_no_variance(group_of([by_letter[letter] for letter in found])) is expected


def test_partial_credit_does_not_keep_a_group_of_failures():
    group = [rollout_of(Outcome.FAIL, score=score) for score in (0.0, 0.4, 0.9, 0.2)]
    loop = LoopConfig(partial_credit=0.5)
    assert len({reward(rollout, loop) for rollout in group}) == 4
    assert has_no_variance(group)
    sampler = Sampler([[Outcome.PASS, Outcome.FAIL] * 2])
    kept, thrown = refill([group], 1, sampler.instead, sampler.sample)
    assert thrown == [group]
    assert kept[0][0].task.id == "fresh-1-0"


def test_a_discount_does_not_keep_a_group_that_is_all_verified():
    late = rollout_of(Outcome.PASS)
    late = Rollout(late.task, late.prompt_ids, (rollout_of(Outcome.FAIL).turns[0], late.turns[0]), Halt.VERIFIED)
    group, loop = [rollout_of(Outcome.PASS), late], LoopConfig(max_turns=2, discount=0.5)
    assert [reward(rollout, loop) for rollout in group] == [1.0, 0.5]
    assert has_no_variance(group)


def test_the_budget_ends_the_search_and_each_round_asks_only_for_what_is_missing():
    good, bad = [Outcome.PASS, Outcome.FAIL] * 2, [Outcome.FAIL] * 4
    groups = [group_of(one, task_of(str(i))) for i, one in enumerate([bad, good, bad])]
    sampler = Sampler([good, bad, bad])
    kept, thrown = refill(groups, 2, sampler.instead, sampler.sample)
    assert sampler.rounds == [2, 1]
    assert sampler.instead_of == [("0", 1, 0), ("2", 1, 2), ("fresh-1-2", 2, 2)]
    assert [group[0].task.id for group in kept] == ["fresh-1-0", "1", "fresh-2-2"]
    assert [group[0].task.id for group in thrown] == ["0", "2", "fresh-1-2"]


def test_nothing_is_sampled_where_every_group_teaches():
    sampler = Sampler([])
    groups = [group_of([Outcome.PASS, Outcome.FAIL])] * 3
    assert refill(groups, 5, sampler.instead, sampler.sample) == (groups, [])


def unlikely(found, means, beta, rewards=None):
    by_letter = {"P": Outcome.PASS, "F": Outcome.FAIL, "U": Outcome.UNKNOWN}
    group = [rollout_of(by_letter[one], logprobs=[mean] * 3) for one, mean in zip(found, means, strict=True)]
    worth = {"P": 1.0, "F": 0.0, "U": None}
    return unlikeliness_rewards(group, rewards or [worth[one] for one in found], beta)


@pytest.mark.parametrize(
    ("found", "means", "beta", "expected"),
    [
        # From the likeliest on, three, two, one and no completions of four are less likely.
        ("PPPF", [-1.0, -2.0, -3.0, -4.0], 0.4, [1 - 0.4 * 3 / 4, 1 - 0.4 * 2 / 4, 1 - 0.4 / 4, 0.0]),
        # Failures count in the ranks, and the least likely keeps its reward.
        ("FPFP", [-4.0, -3.0, -2.0, -1.0], 0.8, [0.0, 1 - 0.8 / 4, 0.0, 1 - 0.8 * 3 / 4]),
        ("PF", [-5.0, -1.0], 0.5, [1.0, 0.0]),
        # The same text twice is worth the same.
        ("PPF", [-1.0, -1.0, -2.0], 0.3, [1 - 0.3 / 3, 1 - 0.3 / 3, 0.0]),
        # Nothing to weigh against.
        ("PPP", [-1.0, -2.0, -3.0], 0.5, [1.0, 1.0, 1.0]),
        ("FFF", [-1.0, -2.0, -3.0], 0.5, [0.0, 0.0, 0.0]),
    ],
)
def test_unlikeliness_by_hand(found, means, beta, expected):
    assert unlikely(found, means, beta) == pytest.approx(expected)


def test_unlikeliness_of_a_group_with_unknown_is_that_of_the_group_without_it():
    with_unknown = unlikely("PUPF", [-1.0, -1.5, -2.0, -3.0], 0.5)
    without = unlikely("PPF", [-1.0, -2.0, -3.0], 0.5)
    assert with_unknown[1] is None
    assert [value for value in with_unknown if value is not None] == pytest.approx(without)


def test_likelihood_is_the_mean_over_the_policys_own_tokens():
    long = rollout_of(Outcome.PASS, logprobs=[-1.0] * 10)
    fed = Turn(long.turns[0].completion, "text", long.verdict, follow_up_ids=(7, 8, 9))
    long = Rollout(long.task, long.prompt_ids, (fed,), Halt.VERIFIED)
    short, failed = rollout_of(Outcome.PASS, logprobs=[-2.0]), rollout_of(Outcome.FAIL, logprobs=[-9.0])
    assert unlikeliness_rewards([long, short, failed], [1.0, 1.0, 0.0], 0.6) == pytest.approx([0.6, 0.8, 0.0])


@given(
    st.lists(st.tuples(outcomes, st.floats(-9, 0), st.floats(0, 1)), min_size=2, max_size=8),
    st.floats(0, 0.99),
    st.floats(0, 0.99),
)
def test_no_failure_outranks_a_verified_completion_and_rarer_ones_are_worth_no_less(drawn, beta, partial_credit):
    group = [rollout_of(outcome, logprobs=[mean], score=score) for outcome, mean, score in drawn]
    loop = LoopConfig(partial_credit=partial_credit)
    scaled = unlikeliness_rewards(group, [reward(rollout, loop) for rollout in group], beta)
    assert [value is None for value in scaled] == [outcome is Outcome.UNKNOWN for outcome, _, _ in drawn]
    verified = [(mean, value) for (one, mean, _), value in zip(drawn, scaled, strict=True) if one is Outcome.PASS]
    failed = [value for (one, _, _), value in zip(drawn, scaled, strict=True) if one is Outcome.FAIL]
    assert all(value > other for _, value in verified for other in failed)
    assert all(one[1] >= other[1] for one in verified for other in verified if one[0] <= other[0])


def test_items_are_grouped_in_a_row():
    assert grouped([1, 2, 3, 4, 5, 6], 2) == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize(
    ("key", "setting"), [("refill", {"rounds": 1}), ("curriculum", {"enabled": True}), ("unlikeliness", 0.2)]
)
def test_processes_that_would_split_a_group_are_refused_in_one_line(key, setting):
    grpo = GRPOSettings.model_validate({"prompts_per_step": 6, key: setting})
    for processes in (1, 2, 3):
        refuse_split_groups(grpo, processes)
    with pytest.raises(ConfigError, match=rf"grpo.{key} needs whole groups on each of the 4 processes") as caught:
        refuse_split_groups(grpo, 4)
    assert "\n" not in str(caught.value)
    refuse_split_groups(GRPOSettings(prompts_per_step=6), 4)


def test_a_batch_that_processes_cannot_share_evenly_is_refused_in_one_line():
    # 16 groups of 16 in 2 minibatches, 4 completions a pass: six processes would leave one group of each step out.
    grpo = GRPOSettings(prompts_per_step=16, group_size=16, minibatches=2, micro_batch=4)
    for processes in (1, 2, 8, 32):
        refuse_uneven_batches(grpo, processes)
    with pytest.raises(ConfigError, match=r"6 processes cannot share a minibatch of 128 completions") as caught:
        refuse_uneven_batches(grpo, 6)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"6 processes"):
        refuse_uneven_batches(GRPOSettings(prompts_per_step=16, group_size=16, minibatches=2), 6)
