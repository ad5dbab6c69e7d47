"""``proofgrad eval``: held-out evaluation of any policy, outside a training run."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from proofgrad.envs.base import HELD_OUT, Task
from proofgrad.rl.config import (
    Config,
    EnvConfig,
    EvaluationConfig,
    GenerationConfig,
    LoopConfig,
    PolicyConfig,
    VerificationConfig,
    load_config,
)
from proofgrad.rl.console import console, signed, track
from proofgrad.rl.engine import Engine, Sampling, TransformersEngine, VLLMEngine, choose_engine, start_vllm
from proofgrad.rl.evaluate import Evaluation, held_out_tasks, sample_plan, summarise
from proofgrad.rl.extras import TRAINING_PACKAGES, require
from proofgrad.verifiers.errors import ConfigError

if TYPE_CHECKING:
    from proofgrad.rl.revision import Revision
    from proofgrad.rl.rollout import Rollout

__all__ = ["evaluate_model"]


def evaluate_model(
    model: str,
    *,
    envs: list[str],
    tasks: int,
    samples: int,
    temperature: float,
    max_tokens: int | None,
    engine: str,
    max_turns: int | None,
    output: Path | None,
) -> Evaluation:
    """Evaluate a run's final policy, or any model, print a table, and write the result where `output` says.

    With more than one turn, by `max_turns` or the run's own `loop`, what revising buys is measured as well, against
    best-of-n at equal tokens.

    Raises:
        ConfigError: no such model or environment, or settings that contradict each other.
        MissingExtraError: a package is not installed.
    """
    require(TRAINING_PACKAGES, "train", "evaluation")
    if engine not in ("auto", "vllm", "transformers"):
        raise ConfigError(f"there is no engine named '{engine}'; choose auto, vllm or transformers")
    if temperature == 0 and samples != 1:
        raise ConfigError("--temperature 0 always gives the same completion: add --samples 1")
    config = _settings(Path(model), model, envs, tasks, samples, temperature, max_tokens, engine, max_turns)

    from proofgrad.rl.policy import context_length, find_policy, load_policy
    from proofgrad.rl.revision import ATTEMPTS_PER_TURN, compare_revision
    from proofgrad.rl.rollout import Judge, roll_out, sample_seed
    from proofgrad.rl.session import make_envs, make_pool, make_verifiers, quiet_libraries

    find_policy(config.policy)
    quiet_libraries()
    name, why = choose_engine(engine)
    console.print(f"generation by {name}: {why}")
    policy = load_policy(config.policy)
    environments = make_envs(config)
    verifiers = make_verifiers(config, environments, HELD_OUT)
    held_out = held_out_tasks(environments, tasks)
    repeated, seeds = sample_plan(held_out, samples)
    loop, context = config.loop, context_length(policy.model)
    sampler: Engine
    if name == "vllm":
        llm = start_vllm(policy.path, max_model_len=context, memory=config.generation.vllm_memory)
        sampler = VLLMEngine(llm, policy.tokenizer)
    else:
        sampler = TransformersEngine(policy.model, policy.tokenizer)
    start = time.monotonic()
    revised: list[Rollout] = []
    with make_pool(config, verifiers) as pool:

        def sampled(label: str, tasks: list[Task], seeds: list[int], loop: LoopConfig) -> list[Rollout]:
            with track(label, len(tasks) * loop.max_turns) as tracker:
                return roll_out(
                    tasks, seeds, sampler, policy.tokenizer, Judge(environments, pool),
                    Sampling(temperature, config.generation.max_tokens), loop, context, tracker.advance,
                )  # fmt: skip

        rollouts = sampled("evaluating", repeated, seeds, LoopConfig())
        if loop.max_turns > 1:
            revised = sampled("revising", repeated, seeds, loop)
            many = [task for task in repeated for _ in range(ATTEMPTS_PER_TURN * loop.max_turns)]
            others = [sample_seed("best-of-n", task.id, index) for index, task in enumerate(many)]
            attempts = sampled("best-of-n", many, others, LoopConfig())
    evaluation = summarise(
        held_out, rollouts, config.evaluation, policy=policy.path, engine=name,
        verifiers={key: verifier.version for key, verifier in verifiers.items()}, seconds=time.monotonic() - start,
    )  # fmt: skip
    console.print(_table(evaluation))
    if revised:
        revisions = compare_revision(revised, attempts)
        console.print(_revision_table(revisions, loop.max_turns))
    if output is not None:
        from proofgrad.rl.run_directory import write_rows, write_text

        output.mkdir(parents=True, exist_ok=True)
        evaluation.save(output / "evaluation.json")
        write_rows(output / "rollouts.parquet", [rollout.to_row() for rollout in rollouts])
        if revised:
            write_text(output / "revision.json", json.dumps([asdict(row) for row in revisions], indent=1))
            write_rows(output / "revised.parquet", [rollout.to_row() for rollout in revised])
            write_rows(output / "best-of-n.parquet", [rollout.to_row() for rollout in attempts])
        console.print(f"written to {output}", soft_wrap=True)
    return evaluation


def _settings(
    path: Path,
    model: str,
    envs: list[str],
    tasks: int,
    samples: int,
    temperature: float,
    max_tokens: int | None,
    engine: str,
    max_turns: int | None,
) -> Config:
    """The run's own configuration where `path` is a run directory, else defaults, with the options on top."""
    run = load_config(path / "config.yaml") if (path / "config.yaml").is_file() else None
    if run is not None and not (path / "policy" / "config.json").is_file():
        raise ConfigError(f"the run '{path}' is not finished: go on with proofgrad train --resume {path}")
    known = {env.name: env for env in run.envs} if run else {}
    names = envs or list(known)
    if not names:
        raise ConfigError("say what to evaluate on: --env NAME, e.g. --env propositional")
    generation = run.generation if run else GenerationConfig()
    loop = run.loop if run else LoopConfig()
    return Config(
        name="evaluation",
        policy=PolicyConfig(path=str(path / "policy") if run else model),
        envs=[known.get(name, EnvConfig(name=name)) for name in names],
        generation=generation.model_copy(update={"engine": engine, "max_tokens": max_tokens or generation.max_tokens}),
        loop=loop.model_copy(update={"max_turns": max_turns or loop.max_turns}),
        evaluation=EvaluationConfig(tasks=tasks, samples=samples, temperature=temperature),
        verification=run.verification if run else VerificationConfig(),
    )


def _table(evaluation: Evaluation) -> Table:
    ks = sorted({1, evaluation.samples})
    table = Table(title="held-out", caption="95% intervals over problems", min_width=60)
    table.add_column("domain")
    table.add_column("problems", justify="right")
    for k in ks:
        table.add_column(f"pass@{k}", justify="right", no_wrap=True)
    unknown = sum(result.unknown for result in evaluation.results)
    for domain in evaluation.domains():
        cells = [str(evaluation.pass_at(k, domain)) for k in ks]
        table.add_row(domain, str(len(evaluation.scored(domain))), *cells)
    if unknown:
        table.caption = f"95% intervals over problems; {unknown} completions could not be judged and are left out"
    return table


def _revision_table(rows: list[Revision], turns: int) -> Table:
    table = Table(
        title=f"revising, up to {turns} turns, against best-of-n at equal tokens",
        caption="share solved; 95% intervals over problems, the gain is paired by problem",
        min_width=70,
    )
    for heading in ("domain", "problems", "first attempt", "revising", "best-of-n", "gain"):
        table.add_column(heading, justify="left" if heading == "domain" else "right", no_wrap=True)
    for row in rows:
        gain = signed(row.gain)
        table.add_row(row.domain, str(row.problems), str(row.first), str(row.revising), str(row.best_of_n), gain)
    return table
