"""Sharing out a batch of tasks among domains: by weight, within bounds, the same for the same random numbers."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from proofgrad.verifiers.errors import ConfigError

__all__ = ["Mixture", "Share"]

# So that 0.3 of 10 is 3 whatever 0.3 * 10 comes to in binary.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Share:
    """One domain's part of every batch.

    Attributes:
        name: the domain's, unique in the mixture.
        weight: above 0, relative to the other domains.
        at_least: the smallest share of a batch, in [0, 1]; rounded up to whole tasks.
        at_most: the largest share of a batch, in [0, 1]; rounded down to whole tasks.
    """

    name: str
    weight: float
    at_least: float = 0.0
    at_most: float = 1.0

    def bounds(self, size: int) -> tuple[int, int]:
        """Fewest and most tasks of a batch of `size`."""
        return math.ceil(self.at_least * size - _ROUNDING), math.floor(self.at_most * size + _ROUNDING)


class Mixture:
    """Domains drawn by weight; a bound takes a domain out of the draw, or the others, only where it binds.

    Raises:
        ConfigError: there is no domain, two have one name, or a weight or bound is out of its range.
    """

    def __init__(self, shares: Sequence[Share]) -> None:
        self.shares = tuple(shares)
        names = [share.name for share in shares]
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"a mixture needs distinct domains, got {names}")
        for share in shares:
            if not (math.isfinite(share.weight) and share.weight > 0 and 0 <= share.at_least <= share.at_most <= 1):
                raise ConfigError(
                    f"domain '{share.name}': weight {share.weight} must be above 0 and its bounds "
                    f"{share.at_least} to {share.at_most} in order between 0 and 1"
                )

    def check(self, size: int) -> None:
        """Whether a batch of `size` can be made within the bounds.

        Raises:
            ConfigError: it cannot; the message says which bounds leave no room.
        """
        bounds = {share.name: share.bounds(size) for share in self.shares}
        crossed = [f"'{name}' {least} to {most}" for name, (least, most) in bounds.items() if least > most]
        least, most = sum(low for low, _ in bounds.values()), sum(high for _, high in bounds.values())
        if crossed or not least <= size <= most:
            found = ", ".join(crossed) or f"together {least} to {most}"
            raise ConfigError(
                f"no batch of {size} tasks keeps to the bounds of {', '.join(bounds)} (tasks: {found}): "
                "change at_least, at_most or the batch"
            )

    def draw(self, size: int, rng: random.Random) -> list[str]:
        """The domain of each task of one batch.

        Without bounds these are the names that ``rng.choices`` gives. With them, each place is drawn by weight among
        the domains that may still have it: those under their most, and only those short of their least once these need
        all the places that are left.

        Raises:
            ConfigError: the bounds leave no room for a batch of this size.
        """
        self.check(size)
        bounds = {share.name: share.bounds(size) for share in self.shares}
        drawn: list[str] = []
        count: Counter[str] = Counter()
        for place in range(size):
            missing = {name: low - count[name] for name, (low, _) in bounds.items() if low > count[name]}
            bound_to = missing if sum(missing.values()) == size - place else bounds
            open_to = [s for s in self.shares if s.name in bound_to and count[s.name] < bounds[s.name][1]]
            name = rng.choices([s.name for s in open_to], [s.weight for s in open_to])[0]
            drawn.append(name)
            count[name] += 1
        return drawn
