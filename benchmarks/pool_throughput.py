"""Verdicts a second from `verify_many`: threads, killable processes and Ray actors, in one run.

    python benchmarks/pool_throughput.py [--instant 20000] [--programs 400] [--workers 2] [--no-ray]

Two verifiers: one that answers at once, so that the figure is what the machinery itself costs, and the real program
verifier, whose programs run in a sandbox (half of them right). All items differ, so that nothing is judged only once
for many. Starting workers and actors is outside the figure (one item is judged first) and given beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

from proofgrad.verifiers.base import Outcome, Problem, Verdict
from proofgrad.verifiers.code.verifier import ProgramVerifier
from proofgrad.verifiers.many import Item, verify_many

TESTS: Problem = {"entry_point": "f", "tests": [{"args": [n], "expected": n + 1} for n in range(5)]}


def instant_items(n: int) -> Iterator[Item]:
    """For a verifier that answers at once."""
    import pool_throughput  # by its name, for the workers that have to import the class

    verifier = pool_throughput.Instant()
    return ((verifier, {"n": i}, "x") for i in range(n))


def program_items(n: int) -> Iterator[Item]:
    """Programs, every second one of which is wrong."""
    verifier = ProgramVerifier()
    return ((verifier, TESTS, f"def f(x):\n    return x + {1 + i % 2}  # {i}") for i in range(n))


class Instant:
    """Answers at once."""

    name, version = "instant", "1"

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """A pass."""
        return Verdict.passed("instant.ok")


def measure(items: Callable[[int], Iterator[Item]], n: int, **options: Any) -> tuple[float, float, int]:
    """Seconds until the first verdict, verdicts a second after it, and passes."""
    start = time.perf_counter()
    judging = verify_many(items(n + 1), window=256, **options)
    verdicts = [next(judging).verdict]
    first = time.perf_counter()
    verdicts += [judged.verdict for judged in judging]
    rate = n / (time.perf_counter() - first)
    if any(verdict is None or verdict.outcome is Outcome.UNKNOWN for verdict in verdicts):
        raise SystemExit(f"not every item was judged: {options}")
    return first - start, rate, sum(verdict is not None and verdict.is_pass for verdict in verdicts)


def main() -> None:
    """Print one row for each verifier and backend."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instant", type=int, default=20_000, help="items for the instant verifier")
    parser.add_argument("--programs", type=int, default=400, help="items for the program verifier")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-ray", action="store_true", help="leave Ray out")
    arguments = parser.parse_args()
    print(f"{'':22}{'verdicts/s':>12}{'first after s':>15}{'passed':>9}")
    for name, items, n in (
        ("instant", instant_items, arguments.instant),
        ("program", program_items, arguments.programs),
    ):
        for backend in ("threads", "processes", *(() if arguments.no_ray else ("ray",))):
            count = n // 10 if backend == "ray" and name == "instant" else n
            first, rate, passed = measure(items, count, backend=backend, workers=arguments.workers)
            print(f"{name + ', ' + backend:22}{rate:12,.0f}{first:15.2f}{passed:9}", flush=True)


if __name__ == "__main__":
    main()
