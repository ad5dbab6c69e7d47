"""Held-out evaluation: the same problems before and after, each with an interval over problems.

Samples are taken in chunks of a size that the longest completion alone decides (`chunk_size`). An engine whose requests
have seeds of their own samples the same whatever the chunks; for one whose requests share a stream (both engines on a
CPU), samples of one chunk depend on each other and on no other chunk. So the same plan gives the same samples within a
training run and outside of it, however often it was interrupted.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from proofgrad.envs.base import HELD_OUT, Env, Task
from proofgrad.rl.config import EvaluationConfig
from proofgrad.rl.console import track
from proofgrad.rl.engine import Sampling
from proofgrad.rl.rollout import Pace, Rollout, sample_seed
from proofgrad.rl.run_directory import write_text
from proofgrad.rl.stats import Estimate, paired_gain, pass_at_k, rate_interval
from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.errors import ConfigError

if TYPE_CHECKING:
    from proofgrad.rl.session import Session

__all__ = [
    "OVERALL",
    "Comparison",
    "Evaluation",
    "TaskResult",
    "chunk_size",
    "chunked",
    "compare",
    "evaluate_once",
    "held_out_tasks",
    "pass_at",
    "sample_plan",
    "summarise",
]

OVERALL = "overall"

# Every run is asked the same held-out problems, whatever its seed, so that runs can be compared.
_HELD_OUT_SEED = 20_000

# A chunk keeps vLLM's batch (256 sequences) full twice over, and of short completions it takes more, so that starting
# and ending it costs little. What is lost with a killed process is one chunk.
_SAMPLES_IN_CHUNK = 512
_TOKENS_IN_CHUNK = 1 << 17

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How often one task was solved. UNKNOWN samples are counted apart and are no part of the rate."""

    task: str
    domain: str
    difficulty: float | None
    passed: int
    judged: int
    unknown: int


def pass_at(results: Sequence[TaskResult], k: int) -> Estimate | None:
    """pass@k with its 95% interval over problems; those with fewer than k judged samples are left out.

    None where fewer than two problems are left.
    """
    values = [pass_at_k(r.judged, r.passed, k) for r in results if r.judged >= k]
    return rate_interval(values).estimate if len(values) > 1 else None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Results by task, and what they were taken with.

    Attributes:
        seconds: wall clock of generation and verification together.
        waiting_seconds: of these, those in which nothing could be sampled because verdicts were outstanding.
        verifiers: the version of each.
        suite: the suite or environments that were asked.
        seed: of the tasks and the samples; 0 asks what every training run is asked.
        max_tokens: the longest completion of one turn.
        ks: the k for which pass@k is summarised; 1 and `samples` if not said.
    """

    policy: str
    engine: str
    samples: int
    temperature: float
    seconds: float
    tokens: int
    verifiers: Mapping[str, str]
    results: Sequence[TaskResult]
    waiting_seconds: float = 0.0
    suite: str = ""
    seed: int = 0
    max_tokens: int | None = None
    ks: Sequence[int] = ()

    @property
    def reported(self) -> list[int]:
        """The k for which pass@k is summarised, ascending."""
        return sorted(set(self.ks or (1, self.samples)))

    def domains(self) -> list[str]:
        """The domains, in order of first appearance, then the word for all of them together."""
        found = list(dict.fromkeys(r.domain for r in self.results))
        return [*found, OVERALL] if len(found) > 1 else found

    def scored(self, domain: str = OVERALL) -> list[TaskResult]:
        """Tasks of a domain with at least one judged sample."""
        return [r for r in self.results if r.judged and domain in (OVERALL, r.domain)]

    def pass_at(self, k: int, domain: str = OVERALL) -> Estimate | None:
        """pass@k of a domain, see `pass_at`."""
        return pass_at(self.scored(domain), k)

    def save(self, path: Path) -> None:
        """Write as JSON; what cannot be estimated is left out of the summary."""
        summary = {
            domain: {
                f"pass@{k}": dict(found._asdict(), problems=sum(r.judged >= k for r in self.scored(domain)))
                for k in self.reported
                if (found := self.pass_at(k, domain)) is not None
            }
            for domain in self.domains()
        }
        write_text(path, json.dumps({"summary": summary, **asdict(self)}, indent=1))

    @classmethod
    def load(cls, path: Path) -> Evaluation:
        """Read what `save` wrote."""
        data = json.loads(path.read_text(encoding="utf-8"))
        data.pop("summary")
        data["results"] = [TaskResult(**row) for row in data["results"]]
        data["ks"] = tuple(data.get("ks", ()))
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One domain before and after, over the problems that both scored."""

    domain: str
    problems: int
    before: Estimate
    after: Estimate
    gain: Estimate
    k: int


def held_out_tasks(envs: Mapping[str, Env], n: int | Mapping[str, int], seed: int = 0) -> list[Task]:
    """`n` held-out tasks of each environment, or so many as `n` says for its name: the same ones for every run."""
    return [
        task
        for name, env in envs.items()
        for task in env.tasks(HELD_OUT, n if isinstance(n, int) else n[name], _HELD_OUT_SEED + seed)
    ]


def sample_plan(tasks: Sequence[Task], samples: int, seed: int = 0) -> tuple[list[Task], list[int]]:
    """Each task `samples` times, with seeds that depend on `seed`, the task and the sample's number alone.

    So a policy is asked with the same random numbers before and after training.
    """
    repeated = [task for task in tasks for _ in range(samples)]
    also = (seed,) if seed else ()
    return repeated, [sample_seed("evaluate", *also, task.id, i % samples) for i, task in enumerate(repeated)]


def chunk_size(max_tokens: int) -> int:
    """How many samples of at most `max_tokens` tokens are taken together."""
    return max(_SAMPLES_IN_CHUNK, _TOKENS_IN_CHUNK // max_tokens)


def chunked(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """`items` in order, `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


def summarise(
    tasks: Sequence[Task],
    rollouts: Sequence[Rollout],
    settings: EvaluationConfig,
    *,
    policy: str,
    engine: str,
    verifiers: Mapping[str, str],
    seconds: float,
    **more: Any,
) -> Evaluation:
    """Count what became of every task's rollouts; `more` are further fields of the evaluation."""
    by_task: dict[str, list[Rollout]] = defaultdict(list)
    for rollout in rollouts:
        by_task[rollout.task.id].append(rollout)
    return Evaluation(
        policy=policy,
        engine=engine,
        samples=settings.samples,
        temperature=settings.temperature,
        seconds=round(seconds, 2),
        tokens=sum(r.tokens for r in rollouts),
        verifiers=dict(verifiers),
        results=[_result(task, by_task[task.id]) for task in tasks],
        **more,
    )


def evaluate_once(session: Session, tasks: Sequence[Task], name: str, policy: str) -> Evaluation:
    """Evaluate the session's engine, or read eval/NAME.json where an earlier process of this run already did."""
    path = session.run.path / "eval" / f"{name}.json"
    if path.exists():
        return Evaluation.load(path)
    settings = session.config.evaluation
    repeated, seeds = sample_plan(tasks, settings.samples)
    sampling = Sampling(settings.temperature, session.config.generation.max_tokens)
    size = chunk_size(sampling.max_tokens)
    start, pace = time.monotonic(), Pace()
    with track(f"evaluating {name} training", len(repeated)) as tracker:
        rollouts = [
            rollout
            for some, their_seeds in zip(chunked(repeated, size), chunked(seeds, size), strict=True)
            for rollout in session.roll_out(some, their_seeds, sampling, on_turn=tracker.advance, pace=pace)
        ]
    evaluation = summarise(
        tasks,
        rollouts,
        settings,
        policy=policy,
        engine=session.engine_name,
        verifiers=session.verifier_versions,
        seconds=time.monotonic() - start,
        waiting_seconds=round(pace.waited_s, 2),
        max_tokens=sampling.max_tokens,
        suite="-".join(session.envs),
    )
    if session.is_main_process():
        rows = [{**rollout.to_row(), "sample": i % settings.samples} for i, rollout in enumerate(rollouts)]
        session.run.write_rollouts(name, rows)
        evaluation.save(path)
    return evaluation


def _result(task: Task, rollouts: Sequence[Rollout]) -> TaskResult:
    outcomes = [rollout.verdict.outcome for rollout in rollouts]
    unknown = outcomes.count(Outcome.UNKNOWN)
    return TaskResult(
        task.id, task.domain, task.difficulty, outcomes.count(Outcome.PASS), len(outcomes) - unknown, unknown
    )


def compare(before: Evaluation, after: Evaluation, k: int = 1) -> list[Comparison]:
    """pass@k before and after by domain, paired over problems; a domain with fewer than two shared ones is left out.

    Raises:
        ConfigError: the two were judged by different verifiers, or no domain is left.
    """
    if before.verifiers != after.verifiers:
        raise ConfigError("these evaluations were judged by different verifier versions and cannot be compared")
    rows = []
    for domain in after.domains():
        old = {r.task: r for r in before.scored(domain) if r.judged >= k}
        new = {r.task: r for r in after.scored(domain) if r.judged >= k}
        shared = [task for task in old if task in new]
        if len(shared) < 2:
            continue  # no interval; the other domains have theirs
        was = [pass_at_k(old[t].judged, old[t].passed, k) for t in shared]
        now = [pass_at_k(new[t].judged, new[t].passed, k) for t in shared]
        rate_was, rate_now = (rate_interval(values).estimate for values in (was, now))
        rows.append(Comparison(domain, len(shared), rate_was, rate_now, paired_gain(was, now), k))
    if not rows:
        raise ConfigError("these evaluations share fewer than two judged problems in every domain: nothing to compare")
    return rows
