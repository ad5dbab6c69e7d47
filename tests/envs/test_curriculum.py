"""The curriculum: honest weights, nobody starves, and the draws go where the policy learns."""

import json
import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.envs.curriculum import Curriculum, band_probability
from proofgrad.verifiers.errors import ConfigError

LEVELS = [("proofs", float(level)) for level in range(1, 7)]
counts = st.integers(0, 400)
histories = st.lists(st.lists(st.tuples(st.sampled_from(LEVELS), st.booleans()), max_size=60), max_size=6)


def curriculum_after(history, **settings):
    curriculum = Curriculum(LEVELS, **settings)
    for results in history:
        curriculum.observe(results)
    return curriculum


@given(histories, st.floats(0.01, 1), st.floats(0.5, 1))
def test_weights_sum_to_one_and_no_level_falls_under_its_share_of_the_floor(history, floor, decay):
    weights = curriculum_after(history, floor=floor, decay=decay).weights("proofs")
    assert list(weights) == LEVELS
    assert math.isclose(sum(weights.values()), 1)
    assert all(weight >= floor / len(LEVELS) * (1 - 1e-12) > 0 for weight in weights.values())


@given(histories, histories, st.integers(0, 2**32))
def test_a_saved_state_goes_on_as_the_curriculum_itself(before, after, seed):
    curriculum, restored = curriculum_after(before), Curriculum(LEVELS)
    restored.load(json.loads(json.dumps(curriculum.state())))
    for results in after:
        curriculum.observe(results)
        restored.observe(results)
    assert restored.state() == curriculum.state()
    assert restored.weights("proofs") == curriculum.weights("proofs")
    assert [restored.draw("proofs", random.Random(seed)) for _ in range(5)] == [
        curriculum.draw("proofs", random.Random(seed)) for _ in range(5)
    ]


def below(a, b, x):
    """P(p <= x) for p ~ Beta(a, b) with whole a and b, as the upper tail of a binomial distribution."""
    n = a + b - 1
    return math.fsum(math.comb(n, j) * x**j * (1 - x) ** (n - j) for j in range(a, n + 1))


@given(st.integers(1, 200), st.integers(1, 200), st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_the_probability_of_the_band_is_that_of_the_binomial_tail(a, b, one, other):
    low, high = sorted((one, other))
    assert band_probability(a, b, low, high) == pytest.approx(below(a, b, high) - below(a, b, low), abs=1e-6)


def test_the_probability_of_the_band_by_hand():
    assert band_probability(1, 1, 0.1, 0.5) == pytest.approx(0.4)
    assert band_probability(2, 1, 0.1, 0.5) == pytest.approx(0.5**2 - 0.1**2)
    assert band_probability(1, 3, 0.1, 0.5) == pytest.approx(0.9**3 - 0.5**3)


def test_a_level_in_the_band_is_preferred_to_those_solved_always_or_never():
    results = [(LEVELS[0], True)] * 40 + [(LEVELS[1], i % 4 == 0) for i in range(40)] + [(LEVELS[2], False)] * 40
    weights = Curriculum(LEVELS[:3]), Curriculum(LEVELS[:3])
    weights[1].observe(results)
    uniform, informed = (one.weights("proofs") for one in weights)
    assert len(set(uniform.values())) == 1
    assert informed[LEVELS[1]] > 0.9
    assert informed[LEVELS[1]] > 20 * max(informed[LEVELS[0]], informed[LEVELS[2]])


def test_levels_so_far_from_the_band_that_nothing_is_left_are_drawn_alike():
    curriculum = Curriculum(LEVELS[:2], decay=1.0)
    curriculum.observe([(level, True) for level in LEVELS[:2] for _ in range(4000)])
    assert set(curriculum.weights("proofs").values()) == {0.5}


def test_a_level_that_was_not_asked_for_long_is_tried_again():
    in_band = [(LEVELS[1], i % 3 == 0) for i in range(100)]
    curriculum = Curriculum(LEVELS[:2])
    curriculum.observe([(LEVELS[0], False)] * 100 + in_band)
    at_first = curriculum.weights("proofs")[LEVELS[0]]
    for _ in range(40):
        curriculum.observe(in_band)
    assert curriculum.weights("proofs")[LEVELS[0]] > 0.2 > 0.06 > at_first


def learning_run(choose, *, steps=150, groups=8, group_size=8, seed=0):
    """A learner whose skill at each level grows with the groups that teach there, and half as much a level higher up.

    Returns the share of groups whose true solve rate was in the band, of the steps in which a level's was, and the mean
    solve rate at the end.
    """
    rng, skill = random.Random(seed), [0.5, -1.5, -3.5, -5.5, -7.5, -9.5]
    in_band = possible = 0
    for _ in range(steps):
        possible += groups * any(0.1 <= rate_at(one) <= 0.5 for one in skill)
        results, taught = [], Counter()
        for _ in range(groups):
            level = choose(rng)
            rate = rate_at(skill[LEVELS.index(level)])
            in_band += 0.1 <= rate <= 0.5
            solved = [rng.random() < rate for _ in range(group_size)]
            results += [(level, one) for one in solved]
            taught[LEVELS.index(level)] += 0 < sum(solved) < group_size
        for place, count in taught.items():
            for other in range(place, len(skill)):
                skill[other] += 0.02 * count * 0.5 ** (other - place)
        choose.observe(results)
    return in_band / possible, sum(map(rate_at, skill)) / len(skill)


def rate_at(skill):
    return 1 / (1 + math.exp(-skill))


class Adaptive:
    def __init__(self):
        self.curriculum = Curriculum(LEVELS)
        self.observe = self.curriculum.observe

    def __call__(self, rng):
        return self.curriculum.draw("proofs", rng)


class Uniform:
    def __call__(self, rng):
        return rng.choice(LEVELS)

    def observe(self, results):
        pass


@pytest.mark.parametrize("seed", range(3))
def test_a_simulated_learner_is_kept_on_its_frontier_and_learns_more(seed):
    adaptive, end_adaptive = learning_run(Adaptive(), seed=seed)
    uniform, end_uniform = learning_run(Uniform(), seed=seed)
    assert adaptive > 0.6
    assert adaptive > 2.5 * uniform
    assert end_adaptive > end_uniform + 0.05


def test_environments_do_not_share_their_weights():
    curriculum = Curriculum([("proofs", 1.0), ("programs", 1.0), ("programs", 2.0), ("answers", None)])
    assert curriculum.weights("proofs") == {("proofs", 1.0): 1.0}
    assert curriculum.weights("answers") == {("answers", None): 1.0}
    assert sum(curriculum.weights("programs").values()) == pytest.approx(1)


def test_the_solved_share_is_the_levels_mean_and_does_not_fall_with_what_is_drawn():
    curriculum = Curriculum(LEVELS[:2])
    assert curriculum.solved_share == 0
    curriculum.observe([(LEVELS[0], True), (LEVELS[1], True), (LEVELS[1], False)])
    assert curriculum.solved_share == pytest.approx(0.75)
    curriculum.observe([(LEVELS[1], True), (LEVELS[1], False)] * 10)
    assert curriculum.solved_share == pytest.approx(0.75)


@pytest.mark.parametrize(
    "settings", [{"low": 0.5, "high": 0.5}, {"floor": 0}, {"decay": 1.1}, {"levels": []}, {"levels": LEVELS * 2}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        Curriculum(**{"levels": LEVELS, **settings})


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "no state of a curriculum"),
        ({"levels": [{"env": "proofs"}]}, "no state of a curriculum"),
        ({"levels": [{"env": "proofs", "level": 9.0, "solved": 1, "failed": 0}]}, "other levels"),
        ({"levels": [{"env": "proofs", "level": 1.0, "solved": -1, "failed": 0}]}, "counts -1"),
    ],
)
def test_a_state_that_is_not_its_own_is_refused(state, message):
    with pytest.raises(ConfigError, match=message):
        Curriculum(LEVELS[:1]).load(state)
    with pytest.raises(ConfigError, match="no tasks of the environment"):
        Curriculum(LEVELS).weights("elsewhere")
