"""Mixing domains: the weights' own draw where nothing binds, and bounds that always hold."""

import random
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proofgrad.envs.mixture import Mixture, Share
from proofgrad.verifiers.errors import ConfigError

weights = st.lists(st.floats(0.01, 100), min_size=1, max_size=6)
bounds = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)


@given(weights, st.integers(0, 60), st.integers(0, 2**32))
def test_without_bounds_the_draw_is_that_of_random_choices(weights, size, seed):
    names = [str(i) for i in range(len(weights))]
    drawn = Mixture([Share(name, w) for name, w in zip(names, weights, strict=True)]).draw(size, random.Random(seed))
    assert drawn == random.Random(seed).choices(names, weights, k=size)


@given(
    st.lists(st.tuples(st.floats(0.01, 100), bounds), min_size=1, max_size=5), st.integers(1, 40), st.integers(0, 99)
)
def test_a_batch_that_can_be_made_keeps_to_every_bound(domains, size, seed):
    shares = [Share(str(i), weight, *bound) for i, (weight, bound) in enumerate(domains)]
    mixture = Mixture(shares)
    try:
        mixture.check(size)
    except ConfigError:
        assume(False)
    count = Counter(mixture.draw(size, random.Random(seed)))
    assert count.total() == size
    assert all(share.at_least * size - 1e-6 <= count[share.name] <= share.at_most * size + 1e-6 for share in shares)


def test_equal_seeds_give_equal_batches_and_others_do_not():
    mixture = Mixture([Share("a", 1, at_least=0.2), Share("b", 2, at_most=0.5), Share("c", 1)])
    once, again, other = (mixture.draw(40, random.Random(seed)) for seed in (1, 1, 2))
    assert once == again != other


def test_a_light_domain_gets_its_least_and_a_heavy_one_no_more_than_its_most():
    mixture = Mixture([Share("light", 1, at_least=0.25), Share("heavy", 1000, at_most=0.5), Share("other", 10)])
    count = Counter(mixture.draw(16, random.Random(0)))
    assert count["light"] >= 4
    assert count["heavy"] == 8


def test_bounds_are_whole_tasks_whatever_their_binary_fractions():
    assert Share("a", 1, at_least=0.7, at_most=0.7).bounds(10) == (7, 7)
    assert Share("a", 1, at_least=0.1, at_most=0.9).bounds(16) == (2, 14)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ([Share("a", 1, at_least=0.6), Share("b", 1, at_least=0.6)], "together 12 to 20"),
        ([Share("a", 1, at_most=0.4), Share("b", 1, at_most=0.4)], "together 0 to 8"),
        ([Share("a", 1, at_least=0.41, at_most=0.49), Share("b", 1)], "'a' 5 to 4"),
    ],
)
def test_bounds_that_leave_no_room_are_refused_in_one_line(shares, message):
    with pytest.raises(ConfigError) as caught:
        Mixture(shares).check(10)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "shares",
    [[], [Share("a", 1), Share("a", 1)], [Share("a", 0)], [Share("a", float("inf"))], [Share("a", 1, 0.5, 0.4)]],
)
def test_what_is_no_mixture_is_refused(shares):
    with pytest.raises(ConfigError):
        Mixture(shares)
