"""Which difficulty to ask next: the levels that the policy solves sometimes, as measured while it trains.

Solved always or never, a task teaches nothing: what a group can teach grows with the variance of its outcomes, and is
greatest at intermediate solve rates (Bae et al. 2025, arXiv 2504.03380). For each level the curriculum keeps a belief
about the solve rate, and draws the level by the probability that the rate lies in a band, 10% to 50% unless it is told
otherwise: below the middle, because a level is left behind as it is learned.

With c levels, of which level k was solved a_k times and failed b_k times (older results count less), the weight is

    w_k = floor / c + (1 - floor) * m_k / sum_j m_j,     m_k = P(low <= p <= high),  p ~ Beta(1 + a_k, 1 + b_k)

a_k and b_k are multiplied by `decay` once a step, as in discounted Thompson sampling (Raj and Kalyani 2017,
arXiv 1707.09727), so that the belief follows a policy that changes, and widens for a level that was not asked for long.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proofgrad.verifiers.base import Json
from proofgrad.verifiers.errors import ConfigError

__all__ = ["Curriculum", "Level", "band_probability"]

Level = tuple[str, float | None]
"""An environment's name and one of its levels; None where it has no levels."""

_INTERVALS = 400  # of Simpson's rule; a belief from 3,000 results is still 8 of them wide


@dataclass(slots=True)
class _Results:
    solved: float = 0.0
    failed: float = 0.0


@dataclass(slots=True)
class Curriculum:
    """Beliefs about the levels of a set of tasks. Draws depend on them and the random numbers given, on nothing else.

    Attributes:
        levels: what there is to choose from.
        low: lower end of the band of solve rates.
        high: its upper end.
        floor: share of the draws that goes to all levels of an environment alike, so that none starves; in (0, 1].
        decay: what results count for one step later, in (0, 1].

    Raises:
        ConfigError: there is no level, one stands twice, or a number is out of its range.
    """

    levels: Sequence[Level]
    low: float = 0.1
    high: float = 0.5
    floor: float = 0.1
    decay: float = 0.95
    _results: dict[Level, _Results] = field(init=False)

    def __post_init__(self) -> None:
        if not self.levels or len(set(self.levels)) != len(self.levels):
            raise ConfigError(f"a curriculum needs distinct levels, got {list(self.levels)}")
        if not (0 <= self.low < self.high <= 1 and 0 < self.floor <= 1 and 0 < self.decay <= 1):
            raise ConfigError(
                f"curriculum: low {self.low} and high {self.high} must be in order between 0 and 1, "
                f"floor {self.floor} and decay {self.decay} above 0 and at most 1"
            )
        self._results = {level: _Results() for level in self.levels}

    def solve_rate(self, level: Level) -> float:
        """Expected solve rate of a level, in (0, 1); one half where nothing is known."""
        found = self._results[level]
        return (1 + found.solved) / (2 + found.solved + found.failed)

    @property
    def solved_share(self) -> float:
        """Share of the results that are verified, averaged over the levels; one never asked counts 0.

        Unlike the share over what was drawn, it can be compared over time: it does not fall when harder levels are
        drawn more often. Decay leaves it as it is.
        """
        shares = [r.solved / (r.solved + r.failed) if r.solved + r.failed > 0 else 0.0 for r in self._results.values()]
        return sum(shares) / len(shares)

    def weights(self, env: str) -> dict[Level, float]:
        """For each level of an environment its chance to be drawn; above 0, together 1."""
        of_env = [level for level in self.levels if level[0] == env]
        if not of_env:
            raise ConfigError(f"curriculum: there are no tasks of the environment '{env}'")
        beliefs = [(1 + self._results[level].solved, 1 + self._results[level].failed) for level in of_env]
        masses = [band_probability(a, b, self.low, self.high) for a, b in beliefs]
        total = sum(masses)
        # Every rate may be so far from the band that no mass is left in it: then nothing is preferred.
        shares = [mass / total for mass in masses] if total > 0 else [1 / len(of_env)] * len(of_env)
        floor = self.floor / len(of_env)
        return {level: floor + (1 - self.floor) * share for level, share in zip(of_env, shares, strict=True)}

    def draw(self, env: str, rng: random.Random) -> Level:
        """A level of an environment, by weight."""
        weights = self.weights(env)
        return rng.choices(list(weights), list(weights.values()))[0]

    def observe(self, results: Iterable[tuple[Level, bool]]) -> None:
        """Take in one step's results: for each judged completion its level and whether it was verified.

        What could not be judged is no result and must be left out.
        """
        for found in self._results.values():
            found.solved *= self.decay
            found.failed *= self.decay
        for level, solved in results:
            if solved:
                self._results[level].solved += 1
            else:
                self._results[level].failed += 1

    def state(self) -> dict[str, Json]:
        """The beliefs as plain JSON."""
        return {
            "levels": [
                {"env": env, "level": level, "solved": found.solved, "failed": found.failed}
                for (env, level), found in self._results.items()
            ]
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take on a state; it must be of a curriculum with the same levels.

        Raises:
            ConfigError: it is malformed or of other levels.
        """
        try:
            found = {
                (str(row["env"]), None if row["level"] is None else float(row["level"])): _Results(
                    float(row["solved"]), float(row["failed"])
                )
                for row in state["levels"]
            }
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"this is no state of a curriculum ({error!r})") from error
        if found.keys() != self._results.keys():
            raise ConfigError("this state is of a curriculum with other levels: go on with the configuration it is of")
        for results in found.values():
            if not all(math.isfinite(n) and n >= 0 for n in (results.solved, results.failed)):
                raise ConfigError(f"this is no state of a curriculum (counts {results.solved} and {results.failed})")
        self._results = {level: found[level] for level in self.levels}


def band_probability(a: float, b: float, low: float, high: float) -> float:
    """P(low <= p <= high) for p ~ Beta(a, b) with a, b >= 1, by Simpson's rule."""
    log_scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)

    def density(p: float) -> float:
        log_p = (a - 1) * math.log(p) if p > 0 else (0.0 if a == 1 else -math.inf)
        log_q = (b - 1) * math.log1p(-p) if p < 1 else (0.0 if b == 1 else -math.inf)
        return math.exp(log_scale + log_p + log_q)

    step = (high - low) / _INTERVALS
    inner = sum((4 if i % 2 else 2) * density(low + i * step) for i in range(1, _INTERVALS))
    return min(1.0, (density(low) + inner + density(high)) * step / 3)
