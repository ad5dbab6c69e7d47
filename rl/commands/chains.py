"""``proofgrad chains``: how many steps in a row a policy gets right, beside p^n, and how far it can be trusted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from proofgrad.envs.base import HELD_OUT, Env
from proofgrad.envs.chains import Chain, check_context, draw_chains
from proofgrad.rl.commands.evaluate import SELF_TEST_SIZE, SelfTestOption, StyleOption, going_on, judging
from proofgrad.rl.console import console, track
from proofgrad.verifiers.errors import ConfigError

if TYPE_CHECKING:
    from proofgrad.rl.evaluation.chain_directory import ChainDirectory, ChainSettings, Finished
    from proofgrad.rl.evaluation.chain_results import ChainCurve, ChainEvaluation, ChainResult
    from proofgrad.rl.evaluation.sampler import Sampler
    from proofgrad.rl.rollout import Judge

__all__ = ["chain_tables", "chains_command", "evaluate_chains"]

# The same chains for every policy, and other tasks than those of a plain evaluation.
_SEED = 30_000


def chains_command(
    model: Annotated[str, typer.Argument(help="A run directory, a model directory, or a Hub name.")],
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Environment to take steps from, or a suite; by default those of the run."),
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
        typer.Option(
            metavar="DIR",
            help="Where results go; by default RUN/evaluations/chains, or evaluations/MODEL-chains.",
            show_default=False,
        ),
    ] = None,
    style: StyleOption = "auto",
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Go on with what DIR holds of these chains, or start over.")
    ] = True,
    self_test: SelfTestOption = SELF_TEST_SIZE,
) -> None:
    """Measure chains of held-out tasks, each step verified: the share that gets n steps right, beside p^n.

    Interrupted, the same command goes on where it was.
    """
    evaluate_chains(
        model, envs=env or [], length=length, chains=chains, revisions=revisions, context=context, apart=apart,
        temperature=temperature, max_tokens=max_tokens, engine=engine, output_dir=output_dir, style=style,
        fresh=not resume, self_test=self_test,
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
    style: str = "auto",
    fresh: bool = False,
    self_test: int = SELF_TEST_SIZE,
) -> ChainEvaluation:
    """Take a run's final policy, or any model, through chains, or go on with that; print tables.

    Each result is stored when it is finished, and the chains of one before their steps are asked alone.

    Raises:
        ConfigError: no such model or environment, settings that contradict each other or those of the directory, or
            nothing could be judged.
        MissingExtraError: a package is not installed.
        UnhealthyError: too many verdicts were UNKNOWN; what was finished before is stored.
    """
    from proofgrad.rl.evaluation.settings import EvaluationOptions, check_engine, default_directory
    from proofgrad.rl.extras import TRAINING_PACKAGES, require

    require(TRAINING_PACKAGES, "train", "evaluation")
    check_engine(engine)
    shown = check_context(context)
    _check_asked(model, envs)
    from proofgrad.rl.checks.examination import examine
    from proofgrad.rl.engine import choose_engine
    from proofgrad.rl.evaluation.chain_directory import ChainDirectory, ChainSettings
    from proofgrad.rl.evaluation.sampler import open_sampler
    from proofgrad.rl.session import make_envs, quiet_libraries

    quiet_libraries()
    name, why = choose_engine(engine)
    options = EvaluationOptions(
        model, tasks=tuple(envs), samples=1, temperature=temperature, seed=_SEED, max_turns=1 + revisions,
        max_tokens=max_tokens, engine=engine, style=style,
    )  # fmt: skip
    settings = ChainSettings.of(options, name, chains=chains, length=length, context=shown, apart=apart)
    environments = make_envs(settings.config())
    drawn = _draw(environments, chains, length, apart)
    for chain in drawn[0][1][:1]:
        chain.asked(["" for _ in chain.steps[1:]], shown)  # says before anything is loaded if it cannot be carried
    directory = ChainDirectory(output_dir or default_directory(options, settings))
    with judging(settings, environments) as (judge, verifiers):
        settings = settings.model_copy(update={"verifiers": {key: made.version for key, made in verifiers.items()}})
        directory.begin(settings, fresh=fresh)
        missing = [number for number in range(len(drawn)) if not directory.is_finished(number)]
        if missing and directory.is_all_of_it:
            examine(directory.path, environments, verifiers, self_test)
        if missing:
            console.print(f"generation by {name}: {why}", markup=False, soft_wrap=True)
            with open_sampler(settings) as sampler, going_on():
                for number in missing:
                    _take(sampler, judge, settings, directory, number, *drawn[number])
                    _measured(directory, settings, drawn)
    with going_on():
        evaluation, unjudged = _measured(directory, settings, drawn)
    for number in unjudged:
        directory.drop(number)
    if not evaluation.results:
        raise ConfigError(f"{next(iter(unjudged.values()))}; they are in {directory.path / 'chains.parquet'}")
    for table in chain_tables(evaluation):
        console.print(table)
    for said in unjudged.values():
        console.print(f"{said}: the same command takes them again", markup=False, soft_wrap=True)
    console.print(f"written to {directory.path}", markup=False, soft_wrap=True)
    return evaluation


def _check_asked(model: str, envs: list[str]) -> None:
    """Say in the words of this command what its options cannot mean."""
    from proofgrad.rl.endpoint import is_endpoint

    if is_endpoint(model):
        raise ConfigError(f"chains are taken by a policy that is loaded here, and '{model}' is an endpoint: name a run")
    if not envs and not (Path(model).expanduser() / "config.yaml").is_file():
        raise ConfigError("say what the steps are: --env NAME, e.g. --env propositional")


def _take(
    sampler: Sampler,
    judge: Judge,
    settings: ChainSettings,
    directory: ChainDirectory,
    number: int,
    names: list[str],
    chains: list[Chain],
) -> None:
    """Sample what is missing of a result, and store each part as it is finished."""
    from proofgrad.rl.engine import Sampling
    from proofgrad.rl.evaluation.chains import follow_chains, isolate_steps

    label, sampling = "+".join(names), Sampling(settings.temperature, settings.max_tokens)
    asked = (sampler.engine, sampler.tokenizer, judge, sampling, settings.loop)
    if directory.kept(number, "chain", chains) is None:
        started = time.monotonic()
        with track(f"chains of {label}", len(chains)) as tracker:
            walks = follow_chains(
                chains, *asked, context=settings.context, longest=sampler.context, on_end=tracker.advance
            )
        directory.keep(number, "chain", [walk.steps for walk in walks], time.monotonic() - started)
    if directory.kept(number, "alone", chains) is None:
        started = time.monotonic()
        with track(f"steps of {label} alone", len(chains) * settings.length * settings.loop.max_turns) as tracker:
            alone = isolate_steps(chains, *asked, longest=sampler.context, on_turn=tracker.advance)
        directory.keep(number, "alone", alone, time.monotonic() - started)


def _measured(
    directory: ChainDirectory, settings: ChainSettings, drawn: Sequence[tuple[list[str], list[Chain]]]
) -> tuple[ChainEvaluation, dict[int, str]]:
    """Measure and write what is finished; and why, by their numbers, results could not be measured."""
    from proofgrad.rl.evaluation.chain_results import measure_chains

    results: list[ChainResult] = []
    finished: list[Finished] = []
    unjudged: dict[int, str] = {}
    for number, (names, chains) in enumerate(drawn):
        if (one := directory.finished(number, chains)) is None:
            continue
        finished.append(one)
        try:
            results.append(
                measure_chains(
                    one.walks, one.alone, revisions=settings.revisions, max_tokens=settings.max_tokens, envs=names
                )
            )
        except ConfigError as error:
            unjudged[number] = f"{'+'.join(names)}: {error}"
    return directory.write(settings, results, finished), unjudged


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
