"""Verdicts a second that the store answers, and takes in, on verdicts of the program verifier.

    python benchmarks/store_throughput.py [--verdicts 20000] [--rounds 3]

The rows: `put` remembers verdicts that are new; `get` makes the key of a problem and a candidate and reads its verdict,
which is what repeated work costs; `get, 2 processes` does so from two processes on one file; `pool` hands the same
work to a VerifierPool over that store. Problems have ten tests, candidates five lines.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from proofgrad.verifiers.base import Problem, Verdict
from proofgrad.verifiers.code import ProgramVerifier
from proofgrad.verifiers.pool import VerifierPool
from proofgrad.verifiers.store import VerdictStore, verdict_key

Item = tuple[Problem, str]


def items(count: int) -> list[Item]:
    """Problems and candidates as a training step has them: sixteen candidates of each problem."""
    body = "\n".join(f"    x = x + {n}" for n in range(4))
    return [
        (
            {
                "entry_point": "f",
                "tests": [{"args": [[n, at // 16, 3]], "expected": n} for n in range(10)],
                "public": 2,
            },
            f"def f(x):\n{body}\n    return x  # {at}",
        )
        for at in range(count)
    ]


def put(path: Path, verifier: ProgramVerifier, work: list[Item], verdict: Verdict) -> None:
    """Remember a verdict for everything."""
    store = VerdictStore(path)
    for problem, candidate in work:
        store.put(verdict_key(verifier, problem, candidate), verifier, verdict)
    store.close()


def get(path: Path, verifier: ProgramVerifier, work: list[Item]) -> None:
    """Ask the store for everything."""
    store = VerdictStore(path)
    for problem, candidate in work:
        if store.get(verdict_key(verifier, problem, candidate)) is None:
            raise SystemExit("store_throughput: a stored verdict was not found")
    store.close()


def get_in_two(path: Path, verifier: ProgramVerifier, work: list[Item]) -> None:
    """The same from two processes, each its half."""
    context = multiprocessing.get_context("fork")
    halves = [work[::2], work[1::2]]
    processes = [context.Process(target=get, args=(path, verifier, half)) for half in halves]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise SystemExit("store_throughput: a reading process failed")


def pool(path: Path, verifier: ProgramVerifier, work: list[Item]) -> None:
    """The same through a pool."""
    with VerifierPool({"program": verifier}, store=VerdictStore(path)) as judging:
        for future in [judging.submit("program", *item) for item in work]:
            if not future.result().is_pass:
                raise SystemExit("store_throughput: a stored verdict was not found")


def main() -> None:
    """Run all rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--verdicts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    verifier = ProgramVerifier(workers=1)
    work = items(arguments.verdicts)
    verdict = verifier.verify(work[0][0], "def f(x):\n    return x[0]")
    reading: dict[str, Callable[[Path, ProgramVerifier, list[Item]], None]] = {
        "get": get,
        "get, 2 processes": get_in_two,
        "pool": pool,
    }
    seconds: dict[str, list[float]] = {"put": [], **{name: [] for name in reading}}
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "verdicts.sqlite"
            started = time.monotonic()
            put(path, verifier, work, verdict)
            seconds["put"].append(time.monotonic() - started)
            for name, read in reading.items():
                started = time.monotonic()
                read(path, verifier, work)
                seconds[name].append(time.monotonic() - started)
            size = sum(file.stat().st_size for file in Path(folder).iterdir())
    verifier.close()
    print(f"{len(work)} verdicts, median of {arguments.rounds} rounds (min to max); {size / len(work):.0f} bytes each")
    for name, took in seconds.items():
        low, middle, high = (len(work) / t for t in (max(took), statistics.median(took), min(took)))
        print(f"{name:20}{middle:10.0f} a second ({low:.0f} to {high:.0f})")


if __name__ == "__main__":
    main()
