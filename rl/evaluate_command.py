"""``proofgrad eval``: held-out evaluation of any policy, outside a training run."""

from __future__ import annotations

import time
from pathlib import Path

from rich.table import Table

from proofgrad.rl.config import (
    Config,
    EnvConfig,
    EvaluationConfig,
    GenerationConfig,
    PolicyConfig,
    VerificationConfig,
    load_config,
)
from proofgrad.rl.console import console, track
from proofgrad.rl.engine import Engine, Sampling, TransformersEngine, VLLMEngine, choose_engine, start_vllm
from proofgrad.rl.evaluate import Evaluation, held_out_tasks, sample_plan, summarise
from proofgrad.rl.extras import TRAINING_PACKAGES, require
from proofgrad.verifiers.errors import ConfigError

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
    output: Path | None,
) -> Evaluation:
    """Evaluate a run's final policy, or any model, print a table, and write the result where `output` says.

    Raises:
        ConfigError: no such model or environment, or settings that contradict each other.
        MissingExtraError: a package is not installed.
    """
    require(TRAINING_PACKAGES, "train", "evaluation")
    if engine not in ("auto", "vllm", "transformers"):
        raise ConfigError(f"there is no engine named '{engine}'; choose auto, vllm or transformers")
    if temperature == 0 and samples != 1:
        raise ConfigError("--temperature 0 always gives the same completion: add --samples 1")
    config = _settings(Path(model), model, envs, tasks, samples, temperature, max_tokens, engine)

    from proofgrad.rl.policy import context_length, find_policy, load_policy
    from proofgrad.rl.rollout import Judge, roll_out
    from proofgrad.rl.session import make_envs, make_verifiers, quiet_libraries
    from proofgrad.verifiers.pool import VerifierPool

    find_policy(config.policy)
    quiet_libraries()
    name, why = choose_engine(engine)
    console.print(f"generation by {name}: {why}")
    policy = load_policy(config.policy)
    environments = make_envs(config)
    verifiers = make_verifiers(config, environments)
    held_out = held_out_tasks(environments, tasks)
    repeated, seeds = sample_plan(held_out, samples)
    sampler: Engine
    if name == "vllm":
        llm = start_vllm(policy.path, max_model_len=context_length(policy), memory=config.generation.vllm_memory)
        sampler = VLLMEngine(llm, policy.tokenizer)
    else:
        sampler = TransformersEngine(policy.model, policy.tokenizer)
    start = time.monotonic()
    with (
        VerifierPool(verifiers, workers=config.verification.workers, retries=config.verification.retries) as pool,
        track("evaluating", len(repeated)) as tracker,
    ):
        rollouts = roll_out(
            repeated, seeds, sampler, policy.tokenizer, Judge(environments, pool),
            Sampling(temperature, config.generation.max_tokens), tracker.advance,
        )  # fmt: skip
    evaluation = summarise(
        held_out, rollouts, config.evaluation, policy=policy.path, engine=name,
        verifiers={key: verifier.version for key, verifier in verifiers.items()}, seconds=time.monotonic() - start,
    )  # fmt: skip
    console.print(_table(evaluation))
    if output is not None:
        from proofgrad.rl.run_directory import write_rows

        output.mkdir(parents=True, exist_ok=True)
        evaluation.save(output / "evaluation.json")
        write_rows(output / "rollouts.parquet", [rollout.to_row() for rollout in rollouts])
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
    return Config(
        name="evaluation",
        policy=PolicyConfig(path=str(path / "policy") if run else model),
        envs=[known.get(name, EnvConfig(name=name)) for name in names],
        generation=generation.model_copy(update={"engine": engine, "max_tokens": max_tokens or generation.max_tokens}),
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
