"""Lean proofs a second: ours, with audit and isolation, against one ``lean`` process for each proof, in one run.

    python benchmarks/lean_throughput.py [--candidates 256] [--alone 48] [--workers 2] [--seed 0]

Half the candidates are right and half are wrong, from the environments `propositional` and `foundations`. The rows:

    one process a proof    ``lean`` on a file of that one theorem: no axiom report, no isolation, no audit. Verdicts by
                           exit status alone, which is what a simple harness does.
    one by one             LeanVerifier.verify: isolation and audit, no batches
    batches                LeanVerifier through the pool, as in training: isolation and audit
    batches, no audit      the same without the second tier

Every row is run with as many threads as `--workers`. The first two judge the first `--alone` candidates only. Latency
is from handing a candidate in to its verdict; in batches all of them are handed in at once. Memory is the largest
resident set of a Lean process and of this one.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from proofgrad import envs
from proofgrad.envs.testing import corrupt_proof
from proofgrad.verifiers.base import Problem
from proofgrad.verifiers.lean.checker import LeanVerifier
from proofgrad.verifiers.lean.embedded import EmbeddedLean
from proofgrad.verifiers.lean.source import statement_of
from proofgrad.verifiers.lean.toolchain import Toolchain
from proofgrad.verifiers.pool import VerifierPool

Item = tuple[Problem, str]
Timed = tuple[list[bool], list[float], float]  # passes, latencies, seconds in all


def candidates(n: int, seed: int) -> list[Item]:
    """`n` candidates, every second one of which was damaged."""
    rng = random.Random(seed)
    items: list[Item] = []
    each = -(-n // 2)
    for name in ("propositional", "foundations"):
        for task, proof in envs.get(name).demonstrations(each, seed):
            damaged = corrupt_proof(proof, rng) if len(items) % 2 else proof
            items.append((task.problem, damaged))
    rng.shuffle(items)
    return items[:n]


def one_process_each(items: Sequence[Item], workers: int) -> Timed:
    """What a harness does that starts ``lean`` for each proof and looks at its exit status."""
    toolchain = Toolchain()

    def judge(item: Item) -> bool:
        statement = statement_of(item[0])
        with tempfile.TemporaryDirectory() as name:
            text = f"{EmbeddedLean.header}theorem x {statement.signature} :=\n" + "".join(
                f" {line}\n" for line in item[1].split("\n")
            )
            (Path(name) / "x.lean").write_text(text, "utf-8")
            run = toolchain.run(["x.lean"], Path(name), cpu_seconds=10, wall_seconds=120, is_trusted=True)
            return run.status == 0

    return timed(judge, items, workers)


def timed(judge: Callable[[Item], bool], items: Sequence[Item], workers: int) -> Timed:
    """Judge each item on one of `workers` threads."""
    latencies: list[float] = []

    def one(item: Item) -> bool:
        started = time.monotonic()
        passed = judge(item)
        latencies.append(time.monotonic() - started)
        return passed

    started = time.monotonic()
    with ThreadPoolExecutor(workers) as threads:
        passes = list(threads.map(one, items))
    return passes, latencies, time.monotonic() - started


def one_by_one(items: Sequence[Item], workers: int) -> Timed:
    """Our verifier without batches."""
    lean = LeanVerifier(toolchain="embedded")
    result = timed(lambda item: lean.verify(*item).is_pass, items, workers)
    lean.close()
    return result


def batches(items: Sequence[Item], workers: int, *, audit: bool) -> Timed:
    """Our verifier as training uses it: everything handed to the pool at once."""
    latencies: list[float] = []
    lean = LeanVerifier(toolchain="embedded", audit=audit)
    # Starts what is kept between judgements, an auditing process for each thread (about 1.5 s, once in a training run).
    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(lambda _: lean.verify({"statement": "(p : Prop) : p → p"}, "id"), range(workers)))
    with VerifierPool({"lean": lean}, workers=workers) as pool:
        started = time.monotonic()
        futures = [pool.submit("lean", *item) for item in items]
        for future in futures:
            future.add_done_callback(lambda _: latencies.append(time.monotonic() - started))
        passes = [future.result().is_pass for future in futures]
        seconds = time.monotonic() - started
    return passes, latencies, seconds


def main() -> None:
    """Run all rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--candidates", type=int, default=256)
    parser.add_argument("--alone", type=int, default=48)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    items = candidates(arguments.candidates, arguments.seed)
    alone = items[: arguments.alone]
    LeanVerifier(toolchain="embedded").verify(*items[0])  # compiles the base library where that has not been done
    rows: list[tuple[str, Timed]] = [
        ("one process a proof", one_process_each(alone, arguments.workers)),
        ("one by one", one_by_one(alone, arguments.workers)),
        ("batches", batches(items, arguments.workers, audit=True)),
        ("batches, no audit", batches(items, arguments.workers, audit=False)),
        ("one process a proof, again", one_process_each(alone, arguments.workers)),
    ]
    base = statistics.mean(len(alone) / row[1][2] for row in (rows[0], rows[-1]))
    print(f"{'':28}{'proofs/s':>9}{'ratio':>7}{'p50 ms':>9}{'p95 ms':>9}{'passed':>8}")
    for name, (passes, latencies, seconds) in rows:
        ordered = sorted(latencies)
        p50, p95 = (1000 * ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0.5, 0.95))
        rate = len(passes) / seconds
        print(f"{name:28}{rate:9.1f}{rate / base:7.1f}{p50:9.0f}{p95:9.0f}{sum(passes) / len(passes):8.1%}")
    (naive, _, _), (single, _, _), (batched, _, _) = (row[1] for row in rows[:3])
    print(f"batches judge as one by one does: {'yes' if single == batched[: len(alone)] else 'NO'}")
    fooled = sum(theirs and not ours for theirs, ours in zip(naive, single, strict=True))
    print(f"accepted by exit status and refused by us (sorry): {fooled} of {len(alone)}")
    mebibytes = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    print(f"largest resident set: {mebibytes[0]:.0f} MiB of a child, {mebibytes[1]:.0f} MiB of this process")


if __name__ == "__main__":
    main()
