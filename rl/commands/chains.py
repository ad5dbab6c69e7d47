"""``proofgrad chains``: how many steps in a row a policy gets right, beside p^n, and how far it can be trusted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from proofgrad.envs.base import HELD_OUT, Env
from proofgrad.envs.chains import Chain, check_context, draw_chains
from proofgrad.rl.console import console, track
from proofgrad.verifiers.errors import ConfigError

if TYPE_CHECKING:
    from proofgrad.rl.config import Config
    from proofgrad.rl.engine import Engine
    from proofgrad.rl.evaluation.chain_results import ChainCurve, ChainEvaluation, ChainResult
    from proofgrad.rl.evaluation.chains import ChainWalk
    from proofgrad.rl.rollout import Rollout

__all__ = ["chain_tables", "chains_command", "evaluate_chains"]

# The same chains for every policy, and other tasks than those of a plain evaluation.
_SEED = 30_000


def chains_command(
    model: Annotated[str, typer.Argument(help="A run directory, a model directory, or a Hub name.")],
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Environment to take steps from; by default those of the run."),
    ] = None,
    length: Annotated[int, typer.Option(min=1, help="Steps of a chain.")] = 8,
    chains: Annotated[int, typer.Option(min=2, help="How many chains.")] = 100,
    revisions: Annotated[int, typer.Option(min=0, help="How often a failed step may be revised.")] = 1,
    context: Annotated[
        str,
        typer.Option(help="carried: the verified answers so far stand before a step; none: nothing does."),
    ] = "carried",
    apart: Annotated[bool, typer.Option("--apart", help="Chains for each environment in place of mixed ones.")] = False,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 is greedy decoding.")] = 1.0,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest completion; by default the run's.")] = None,
    engine: Annotated[str, typer.Option(help="auto, vllm or transformers.")] = "auto",
    output_dir: Annotated[
        Path | None,
        typer.Option(help="Where results go; by default RUN/evaluations/chains.", show_default=False),
    ] = None,
) -> None:
    """Measure chains of held-out tasks, each step verified: the share that gets n steps right, beside p^n."""
    evaluate_chains(
        model, envs=env or [], length=length, chains=chains, revisions=revisions, context=context, apart=apart,
        temperature=temperature, max_tokens=max_tokens, engine=engine, output_dir=output_dir,
    )  # fmt: skip


def evaluate_chains(
    model: str,
    *,
    envs: list[str],
    length: int,
    chains: int,
    revisions: int,
    context: str,
    apart: bool,
    temperature: float,
    max_tokens: int | None,
    engine: str,
    output_dir: Path | None,
) -> ChainEvaluation:
    """Take a run's final policy, or any model, through chains; print tables, and write the result where it belongs.

    Raises:
        ConfigError: no such model or environment, settings that contradict each other, or nothing could be judged.
        MissingExtraError: a package is not installed.
    """
    from proofgrad.rl.evaluation.settings import check_engine
    from proofgrad.rl.extras import TRAINING_PACKAGES, require

    require(TRAINING_PACKAGES, "train", "evaluation")
    check_engine(engine)
    shown = check_context(context)
    path = Path(model)
    is_run = (path / "config.yaml").is_file()
    config = _settings(path, model, is_run, envs, max_tokens, engine, revisions)
    if output_dir is None and is_run:
        output_dir = path / "evaluations" / "chains"

    from proofgrad.rl.engine import Sampling, TransformersEngine, VLLMEngine, choose_engine, start_vllm
    from proofgrad.rl.evaluation.chain_results import ChainEvaluation, measure_chains, write_chains
    from proofgrad.rl.evaluation.chains import follow_chains, isolate_steps
    from proofgrad.rl.policy import context_length, find_policy, load_policy
    from proofgrad.rl.rollout import Judge
    from proofgrad.rl.session import make_envs, make_pool, make_verifiers, quiet_libraries

    find_policy(config.policy)
    environments = make_envs(config)
    drawn = _draw(environments, chains, length, apart)
    for chain in drawn[0][1][:1]:
        chain.asked(["" for _ in chain.steps[1:]], shown)  # says before anything is loaded if it cannot be carried
    quiet_libraries()
    name, why = choose_engine(engine)
    console.print(f"generation by {name}: {why}")
    policy = load_policy(config.policy)
    verifiers = make_verifiers(config, environments, HELD_OUT)
    longest = context_length(policy.model)
    sampler: Engine
    if name == "vllm":
        llm = start_vllm(policy.path, max_model_len=longest, memory=config.generation.vllm_memory)
        sampler = VLLMEngine(llm, policy.tokenizer)
    else:
        sampler = TransformersEngine(policy.model, policy.tokenizer)
    sampling = Sampling(temperature, config.generation.max_tokens)
    start = time.monotonic()
    results: list[ChainResult] = []
    walks: list[ChainWalk] = []
    alone: list[list[Rollout]] = []
    with make_pool(config, verifiers) as pool:
        for names, found in drawn:
            judge, label = Judge(environments, pool), "+".join(names)
            with track(f"chains of {label}", len(found)) as tracker:
                followed = follow_chains(
                    found, sampler, policy.tokenizer, judge, sampling, config.loop, context=shown, longest=longest,
                    on_end=tracker.advance,
                )  # fmt: skip
            with track(f"steps of {label} alone", len(found) * length * config.loop.max_turns) as tracker:
                singles = isolate_steps(
                    found, sampler, policy.tokenizer, judge, sampling, config.loop, longest=longest,
                    on_turn=tracker.advance,
                )  # fmt: skip
            results.append(
                measure_chains(followed, singles, revisions=revisions, max_tokens=sampling.max_tokens, envs=names)
            )
            walks += followed
            alone += singles
    evaluation = ChainEvaluation(
        policy=policy.path, engine=name, split=HELD_OUT, chains=chains, length=length, revisions=revisions,
        context=shown, temperature=temperature, max_tokens=sampling.max_tokens, seed=_SEED,
        seconds=round(time.monotonic() - start, 2),
        tokens=sum(r.tokens for steps in [*(walk.steps for walk in walks), *alone] for r in steps),
        verifiers={key: verifier.version for key, verifier in verifiers.items()}, results=tuple(results),
    )  # fmt: skip
    for table in chain_tables(evaluation):
        console.print(table)
    if output_dir is not None:
        write_chains(output_dir, evaluation, walks, alone)
        console.print(f"written to {output_dir}", soft_wrap=True)
    return evaluation


def _settings(
    path: Path, model: str, is_run: bool, envs: list[str], max_tokens: int | None, engine: str, revisions: int
) -> Config:
    """The run's own configuration where `path` is a run directory, else defaults, with the options on top."""
    from proofgrad.rl.config import Config, EnvConfig, PolicyConfig, load_config

    run = load_config(path / "config.yaml") if is_run else None
    if run is not None and not (path / "policy" / "config.json").is_file():
        raise ConfigError(f"the run '{path}' is not finished: go on with proofgrad train --resume {path}")
    known = {env.name: env for env in run.envs} if run else {}
    names = envs or list(known)
    if not names:
        raise ConfigError("say what the steps are: --env NAME, e.g. --env propositional")
    base = run or Config(name="chains", policy=PolicyConfig(path=model), envs=[EnvConfig(name=names[0])])
    generation, loop = base.generation, base.loop
    return Config(
        name="chains",
        policy=PolicyConfig(path=str(path / "policy") if run else model, dtype=base.policy.dtype),
        envs=[known.get(name, EnvConfig(name=name)) for name in names],
        generation=generation.model_copy(update={"engine": engine, "max_tokens": max_tokens or generation.max_tokens}),
        loop=loop.model_copy(update={"max_turns": 1 + revisions}),
        verification=base.verification,
    )


def _draw(envs: Mapping[str, Env], chains: int, length: int, apart: bool) -> list[tuple[list[str], list[Chain]]]:
    """The chains of each environment, or of all together."""
    sets = [{name: env} for name, env in envs.items()] if apart else [envs]
    return [(list(each), draw_chains(each, HELD_OUT, chains, length, _SEED)) for each in sets]


def chain_tables(evaluation: ChainEvaluation) -> list[Table]:
    """For each result a table by length, and one of horizons for all."""
    tables = [_lengths(evaluation, result) for result in evaluation.results]
    horizons = Table(
        title="how many steps a share of the chains gets through",
        caption="95% bootstrap intervals over chains; from p: log(share) / log(p)",
        min_width=70,
    )
    for heading in ("chains of", "revisions", "share", "measured", "from p"):
        horizons.add_column(heading, justify="left" if heading == "chains of" else "right", no_wrap=True)
    for result in evaluation.results:
        for curve in result.curves:
            for row in curve.horizons:
                horizons.add_row(
                    result.name, str(curve.revisions), f"{row.share:.0%}",
                    row.measured.within(evaluation.length), row.independent.within(None),
                )  # fmt: skip
    return [*tables, horizons]


def _lengths(evaluation: ChainEvaluation, result: ChainResult) -> Table:
    table = Table(
        title=f"chains of {result.name}, context {evaluation.context}", caption=_notes(result.curves), min_width=70
    )
    table.add_column("n", justify="right")
    for curve in result.curves:
        said = f"revised up to {curve.revisions}x" if curve.revisions else "first attempts"
        table.add_column(said, justify="right", no_wrap=True)
        table.add_column("p^n", justify="right", no_wrap=True)
    for rows in zip(*(curve.points for curve in result.curves), strict=True):
        cells = [cell for p in rows for cell in (str(p.measured), f"{100 * p.independent.mean:.1f}%")]
        table.add_row(str(rows[0].length), *cells)
    return table


def _notes(curves: tuple[ChainCurve, ...]) -> str:
    notes = ["95% intervals over chains"]
    for curve in curves:
        note = (
            f"revisions {curve.revisions}: {curve.chains} chains, p = {curve.single} over {curve.singles} steps alone"
        )
        if curve.unknown:
            note += f", {curve.unknown} chains could not be judged and are left out"
        if curve.out_of_context:
            note += f", {curve.out_of_context} failed for want of room in the context"
        notes.append(note)
    return "\n".join(notes)
