"""Drawing evenly over levels: a small level gives what it has, the others make up for it."""

from collections import Counter
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.envs.sampling import balanced
from proofgrad.verifiers.errors import ConfigError


def draw(n, capacities):
    levels = range(1, len(capacities) + 1)
    return balanced("env", levels, n, 0, lambda level: iter(count(1000 * level)), lambda level: capacities[level - 1])


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.integers(0, 200))
def test_as_even_as_capacities_allow_or_refused(capacities, n):
    if n > sum(capacities):
        with pytest.raises(ConfigError, match=rf"(have|has) {sum(capacities)} distinct tasks"):
            draw(n, capacities)
        return
    drawn = draw(n, capacities)
    counts = Counter(level for level, _ in drawn)
    assert len({item for _, item in drawn}) == len(drawn) == n
    assert all(counts[level] <= capacity for level, capacity in enumerate(capacities, start=1))
    open_levels = [counts[level] for level, capacity in enumerate(capacities, start=1) if counts[level] < capacity]
    # Whoever has something left over gives no less, by more than one, than anybody else.
    assert not open_levels or min(open_levels) >= max(counts.values(), default=0) - 1


def test_a_stream_that_ends_early_is_an_error_not_a_short_list():
    with pytest.raises(ConfigError, match="level 1 has 3 distinct tasks"):
        balanced("env", range(1, 2), 5, 0, lambda level: iter(range(3)), lambda level: 10)
