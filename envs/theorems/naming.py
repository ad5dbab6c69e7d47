"""Names for the variables, hypotheses and facts of one theorem and its proof, drawn so that prompts vary."""

from __future__ import annotations

import random
from typing import Literal, TypeAlias

__all__ = ["Kind", "Names"]

Kind: TypeAlias = Literal["type", "predicate", "function", "operation", "element", "local", "number", "list"]

_POOLS: dict[Kind, tuple[str, ...]] = {
    "type": ("α", "β", "γ"),
    "predicate": ("P", "Q", "R", "S", "T", "U"),
    "function": ("f", "g", "p", "q"),
    "operation": ("op", "mul", "add"),
    "element": ("a", "b", "c", "d", "e"),
    "local": ("x", "y", "z", "w", "u", "v"),
    "number": ("n", "m", "k", "i", "j"),
    "list": ("l", "r", "s", "t"),
}
_HYPOTHESES = ("h", "H", "e")


class Names:
    """Gives each name once. Types, predicates and the like come in random order, locals and facts in the usual one."""

    def __init__(self, rng: random.Random) -> None:
        self._pools = {kind: list(pool) for kind, pool in _POOLS.items()}
        for kind, pool in self._pools.items():
            if kind not in ("local", "number", "list"):
                rng.shuffle(pool)
        self._prefix = rng.choice(_HYPOTHESES)
        self._counts: dict[str, int] = {}

    def copy(self) -> Names:
        """Names that go on from here by themselves."""
        other = Names.__new__(Names)
        other._pools = {kind: list(pool) for kind, pool in self._pools.items()}
        other._prefix, other._counts = self._prefix, dict(self._counts)
        return other

    def fresh(self, kind: Kind) -> str:
        """A name of a kind that was not given before."""
        pool = self._pools[kind]
        return pool.pop(0) if pool else self._numbered(_POOLS[kind][0])

    def hypothesis(self) -> str:
        """The next of h1, h2, ... (or H1, e1)."""
        return self._numbered(self._prefix)

    def bound(self) -> str:
        """The internal name of a bound variable; see `Expr`."""
        return self._numbered("_")

    def _numbered(self, prefix: str) -> str:
        self._counts[prefix] = self._counts.get(prefix, 0) + 1
        return f"{prefix}{self._counts[prefix]}"
