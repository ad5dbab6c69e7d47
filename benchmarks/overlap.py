"""What a GRPO step costs when verification is slow, and when it is instant: ours and plain TRL, step by step in turn.

    python benchmarks/overlap.py [--engine vllm|transformers] [--rounds 16] [--prompts 8] [--group 8] [--workers 8]
                                 [--latency exponential|lognormal] [--hidden 128] [--layers 3] [--max-tokens 96]

On a machine whose cores others use too, set OMP_NUM_THREADS=1 and VLLM_CPU_OMP_THREADS_BIND=nobind: threads that wait
for one another at every layer measure the others' work.

Three ways to a reward, on one trainer with one policy and one generation engine:

    ours        the rollout function: a completion goes to the verifier pool when its last token is sampled
    TRL         GRPOTrainer's own generation, then a reward function that judges the batch on as many threads
    TRL, 1 by 1 the same with a reward function that judges one completion after the other

The ways take turns, so that whatever else the machine does falls on all of them; in one round they get the same
prompts and the same latencies. The verifier sleeps: latencies are drawn anew for every round (exponential, or
log-normal with sigma 1), seeded by the round, and every completion is judged (equal ones too: nothing is answered from
the store). Lengths are the policy's own at temperature 1 (a small policy warm-started on demonstrations, whose
learning rate is then so small that it stays as it is), so completions finish at different times, and each is
handed over as it ends. `--untrained` takes a policy that has learned nothing and writes on to the limit.

First a verifier that answers at once is measured, which gives the cost of our machinery and the time of generation;
then one whose mean latency is such that the threads together need as long for a batch as generation does.

Targets: with an instant verifier a step of at most 1.05 times plain TRL's; with the slow one a step of at most
1.25 x max(generation, verification) + update, at least 1.5 times as fast as plain TRL. Generation and verification are
taken from the plain steps, where one follows the other, and the update is what is left of a plain step:
log-probabilities, loss, gradients, optimizer and the new weights' way to the engine.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from trl import GRPOTrainer

from proofgrad.envs.base import Task
from proofgrad.rl.config import Config
from proofgrad.rl.frontier import training_tasks
from proofgrad.rl.rollout import Judge
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.rl.session import Session, make_pool
from proofgrad.rl.stream import TaskStream
from proofgrad.rl.trainer import ProofTrainer, build_trainer, fit
from proofgrad.rl.warmstart import start_policy
from proofgrad.verifiers.base import Problem, Verdict
from proofgrad.verifiers.store import VerdictStore

OURS, PLAIN, SERIAL = "ours", "TRL", "TRL, 1 by 1"
DISCARDED = 2  # rounds in which caches and kernels warm up


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the schedule."""

    way: str
    slow: bool
    round: int


class Sleeping:
    """Takes as long as is drawn, and passes every second completion or so."""

    name, version = "sleeping", "1"

    def __init__(self, distribution: str) -> None:
        self._distribution = distribution
        self._latencies: Iterator[float] = itertools.repeat(0.0)
        self.first_asked: float | None = None

    def begin(self, seed: int, mean: float) -> None:
        """The latencies of one step; a mean of 0 answers at once."""
        self._latencies = self._draw(random.Random(seed), mean) if mean else itertools.repeat(0.0)

    def _draw(self, rng: random.Random, mean: float) -> Iterator[float]:
        while True:
            # exp(N(-1/2, 1)) has mean 1.
            yield mean * (rng.expovariate(1.0) if self._distribution == "exponential" else rng.lognormvariate(-0.5, 1))

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """Sleep, and judge by the length."""
        self.first_asked = self.first_asked or time.perf_counter()
        latency = next(self._latencies)
        if latency:
            time.sleep(latency)
        return Verdict.passed("sleeping.even") if len(candidate) % 2 == 0 else Verdict.failed("sleeping.odd")


class Everything(Judge):
    """Has every completion judged, though another said the same."""

    numbers = itertools.count()

    def submit(self, task: Task, completion: str) -> tuple[str | None, Future[Verdict]]:
        """As `Judge` does, with a problem of its own for each completion."""
        candidate = self.envs[task.source.partition("@")[0]].extract(completion) or completion
        return candidate, self.pool.submit(Sleeping.name, {**task.problem, "number": next(self.numbers)}, candidate)


class Alternating(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Has a trainer take each step in the way that the schedule says, and times its parts."""

    def __init__(self, trainer: ProofTrainer, schedule: Sequence[Step], verifier: Sleeping, workers: int) -> None:
        self._trainer, self._schedule, self._verifier, self._workers = trainer, schedule, verifier, workers
        self._steps = {
            OURS: trainer._generate_and_score_completions,
            PLAIN: partial(GRPOTrainer._generate_and_score_completions, trainer),
        }
        self._rollout, self._reward = self._timed_rollout(trainer.rollout_func), trainer.reward_funcs
        self._threads = ThreadPoolExecutor(workers)
        self.mean_latency = 0.0
        self._parts: dict[str, float] = defaultdict(float)
        self.measured: dict[tuple[str, bool], list[dict[str, float]]] = defaultdict(list)
        trainer._generate_and_score_completions = self._score

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time noted under a name."""

        def call(*args: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                self._parts[name] += time.perf_counter() - started

        return call

    def _timed_rollout(self, rollout: Any) -> Callable[..., Any]:
        """The rollout function; when the verifier is asked first is noted as well."""

        def call(prompts: Sequence[Any], trainer: Any) -> dict[str, list[Any]]:
            started = time.perf_counter()
            self._verifier.first_asked = None
            output: dict[str, list[Any]] = rollout(prompts, trainer)
            self._parts["rollout"] = time.perf_counter() - started
            self._parts["first asked"] = (self._verifier.first_asked or started) - started
            return output

        return call

    def _score(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        step = self._schedule[self._trainer.state.global_step]
        if step.slow and not self.mean_latency:
            generation = self.median(PLAIN, slow=False, part="generation")
            self.mean_latency = generation * self._workers / len(inputs)
        self._verifier.begin(step.round, self.mean_latency if step.slow else 0.0)
        self._trainer.rollout_func = self._rollout if step.way == OURS else None
        self._trainer.reward_funcs = self._reward if step.way == OURS else [self._judge_batch]
        output: dict[str, Any] = self._steps[OURS if step.way == OURS else PLAIN](inputs)
        self._parts["tokens"] = output["completion_mask"].sum().item()
        return output

    def _judge_batch(self, completions: Sequence[str], **_: Any) -> list[float | None]:
        """The reward function of plain TRL."""
        started = time.perf_counter()
        one_by_one = self._schedule[self._trainer.state.global_step].way == SERIAL
        judge = partial(self._verifier.verify, {})
        verdicts = [judge(text) for text in completions] if one_by_one else self._threads.map(judge, completions)
        scores = [verdict.score for verdict in verdicts]
        self._parts["verification"] += time.perf_counter() - started
        return scores

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The clock starts."""
        self._parts.clear()
        self._started = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The clock stops."""
        self._parts["step"] = time.perf_counter() - self._started
        step = self._schedule[state.global_step - 1]
        if step.round >= DISCARDED:
            self.measured[step.way, step.slow].append(dict(self._parts))

    def median(self, way: str, *, slow: bool, part: str) -> float:
        """Median over the steps of one way."""
        return statistics.median(parts.get(part, 0.0) for parts in self.measured[way, slow])


def plan(rounds: int) -> list[Step]:
    """Each round has all ways, in an order that turns; judging one by one takes long, and has fewer rounds."""
    steps = []
    for slow in (False, True):
        for number in range(rounds + DISCARDED):
            ways = [OURS, PLAIN] if number % 2 else [PLAIN, OURS]
            if slow and number % 4 == 2:
                ways.append(SERIAL)
            steps += [Step(way, slow, number) for way in ways]
    return steps


def configuration(arguments: argparse.Namespace, steps: int, folder: str) -> Config:
    """The quickstart's policy and tasks."""
    return Config.model_validate(
        {
            "name": "overlap",
            "runs_dir": folder,
            "policy": {"scratch": {
                "hidden_size": arguments.hidden, "intermediate_size": 3 * arguments.hidden, "layers": arguments.layers,
                "heads": 4, "key_value_heads": 4,
                "context": 160 + arguments.max_tokens,
            }},
            "envs": [{"name": "propositional", "options": {"max_level": 2}}],
            "warm_start": {"demonstrations": arguments.demonstrations, "batch_size": 16,
                           "learning_rate": 1e-12 if arguments.untrained else 4e-3},
            "generation": {"engine": arguments.engine, "max_tokens": arguments.max_tokens},
            "grpo": {
                "steps": steps, "prompts_per_step": arguments.prompts, "group_size": arguments.group,
                "learning_rate": 1e-12, "collapse_ratio": 0, "save_steps": 10**6,
            },
            "verification": {"workers": arguments.workers},
        }
    )  # fmt: skip


def prompts_of(session: Session, schedule: Sequence[Step], per_step: int) -> list[Task]:
    """The tasks of each step: the same ones within a round."""
    tasks = training_tasks(session, per_step * (1 + max(step.round for step in schedule)))
    return [task for step in schedule for task in tasks[step.round * per_step : (step.round + 1) * per_step]]


def run(arguments: argparse.Namespace, folder: str) -> Alternating:
    """All steps of the schedule."""
    schedule = plan(arguments.rounds)
    config = configuration(arguments, len(schedule), folder)
    with Session(config, RunDirectory.create(config)) as session:
        verifier = Sleeping(arguments.latency)
        session.judge.pool.close()
        store = VerdictStore(session.run.path / "verdicts.sqlite")
        session.judge = Everything(session.envs, make_pool(config, {Sleeping.name: verifier}, store))
        trainer = build_trainer(session, start_policy(session))
        session.use_engine_of(trainer)
        alternating = Alternating(trainer, schedule, verifier, arguments.workers)
        if arguments.engine == "vllm":
            engine = trainer.vllm_generation.llm.llm_engine
            engine.step = alternating.timed("generation", engine.step)
        else:
            model = trainer.accelerator.unwrap_model(trainer.model)
            model.generate = alternating.timed("generation", model.generate)
        trainer.add_callback(alternating)
        order = prompts_of(session, schedule, arguments.prompts)
        fit(session, trainer, TaskStream(config, order, order))
    return alternating


def report(found: Alternating, workers: int) -> None:
    """Medians, ratios and targets."""
    parts = ("step", "generation", "verification")
    print(f"\n{'medians, ms':32}{'step':>8}{'generation':>12}{'verification':>14}{'rest':>8}{'tokens':>9}{'steps':>7}")
    for slow in (False, True):
        for way in (OURS, PLAIN, SERIAL):
            if not found.measured[way, slow]:
                continue
            step, generation, verification = (found.median(way, slow=slow, part=part) * 1e3 for part in parts)
            rest = statistics.median(
                1e3 * (p["step"] - p["generation"] - p.get("verification", 0.0)) for p in found.measured[way, slow]
            )
            print(
                f"{way + (', slow' if slow else ', instant') + ' verifier':32}{step:8.0f}{generation:12.0f}"
                f"{verification if way != OURS else float('nan'):14.0f}{rest:8.0f}"
                f"{found.median(way, slow=slow, part='tokens'):9.0f}{len(found.measured[way, slow]):7}"
            )
    print(f"mean latency of the slow verifier: {1e3 * found.mean_latency:.0f} ms, on {workers} threads")
    instant = [found.median(way, slow=False, part="step") for way in (OURS, PLAIN)]
    paired = [
        a["step"] / b["step"] for a, b in zip(found.measured[OURS, False], found.measured[PLAIN, False], strict=True)
    ]
    step, plain = (found.median(way, slow=True, part="step") for way in (OURS, PLAIN))
    generation, verification = (found.median(PLAIN, slow=True, part=part) for part in ("generation", "verification"))
    update = statistics.median(p["step"] - p["generation"] - p["verification"] for p in found.measured[PLAIN, True])
    bound = 1.25 * max(generation, verification) + update
    ideal_alone = (generation + verification) / max(generation, verification)
    print_target("instant: ours / TRL", instant[0] / instant[1], "at most", 1.05)
    print(f"    median of the ratios within a round: {statistics.median(paired):.3f}")
    print_target("slow: ours / (1.25 max(generation, verification) + update)", step / bound, "at most", 1.0)
    print_target("slow: TRL / ours", plain / step, "at least", 1.5)
    ideal = (generation + verification + update) / (max(generation, verification) + update)
    print(f"    with perfect overlap and nothing else gained it would be {ideal:.2f}")
    print(
        f"    without the update: {(plain - update) / (step - update):.2f}, of {ideal_alone:.2f} with perfect overlap"
    )
    asked, rollout, sampling = (found.median(OURS, slow=True, part=p) for p in ("first asked", "rollout", "generation"))
    print(
        f"    in ours the verifier is first asked after {1e3 * asked:.0f} ms; the rollout function takes "
        f"{1e3 * rollout:.0f} ms, {1e3 * (rollout - sampling):.0f} of them beside the engine's steps"
    )
    print(f"    TRL, 1 by 1 / ours: {found.median(SERIAL, slow=True, part='step') / step:.2f}")


def print_target(name: str, figure: float, which: str, bound: float) -> None:
    """One figure against its target."""
    met = figure <= bound if which == "at most" else figure >= bound
    print(f"{name}: {figure:.3f}, target {which} {bound}: {'met' if met else 'MISSED'}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["vllm", "transformers"], default="vllm")
    parser.add_argument("--rounds", type=int, default=16, help="steps of each way that count")
    parser.add_argument("--prompts", type=int, default=8, help="prompts a step")
    parser.add_argument("--group", type=int, default=8, help="completions of a prompt")
    parser.add_argument("--workers", type=int, default=8, help="judgements under way at once")
    parser.add_argument("--latency", choices=["exponential", "lognormal"], default="exponential")
    parser.add_argument("--max-tokens", type=int, default=96, help="longest completion")
    parser.add_argument("--hidden", type=int, default=128, help="the policy's width")
    parser.add_argument("--layers", type=int, default=3, help="the policy's depth")
    parser.add_argument("--demonstrations", type=int, default=1500, help="of the policy's warm start")
    parser.add_argument("--untrained", action="store_true", help="a policy that has learned nothing, and writes on")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(arguments, str(Path(folder)))
    report(found, arguments.workers)


if __name__ == "__main__":
    main()
