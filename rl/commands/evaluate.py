"""``proofgrad eval``: held-out evaluation of any policy, outside a training run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proofgrad.rl.console import console
from proofgrad.verifiers.errors import ConfigError, ProofgradError, UnhealthyError

if TYPE_CHECKING:
    from proofgrad.envs.base import Env, Task
    from proofgrad.rl.endpoint import EndpointEngine
    from proofgrad.rl.evaluate import Evaluation
    from proofgrad.rl.evaluation.directory import EvaluationDirectory, Item
    from proofgrad.rl.evaluation.settings import EvaluationOptions, EvaluationSettings
    from proofgrad.rl.loop import Judging
    from proofgrad.rl.rollout import Judge
    from proofgrad.verifiers.base import Verifier

__all__ = [
    "SELF_TEST_SIZE",
    "SelfTestOption",
    "StyleOption",
    "evaluate_command",
    "evaluate_model",
    "going_on",
    "judging",
    "report",
    "tasks_of",
]

SELF_TEST_SIZE = 20

SelfTestOption = Annotated[
    int,
    typer.Option(
        min=0, help="Right answers of each environment to test the verifiers with, beside damaged ones and cheats."
    ),
]
StyleOption = Annotated[str, typer.Option(help="Prompts: plain, chat, or auto for what the model is made for.")]


def evaluate_command(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A run directory, a model directory, a Hub name, or the address of an OpenAI-compatible endpoint, "
            "e.g. http://127.0.0.1:8000/v1.",
            show_default=False,
        ),
    ] = None,
    model_option: Annotated[
        str | None, typer.Option("--model", metavar="MODEL", help="The same, as an option.", show_default=False)
    ] = None,
    served_model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Model to ask of an endpoint; by default the only one it serves.")
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Environment, repeatable; or a suite, by its name or its file (.yaml). By default those of the run.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Held-out tasks of each environment, at most; by default as the run or suite has it, else 200, and "
            "all where they are fixed.",
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Completions of each task; by default the run's or suite's, else 4.")
    ] = None,
    k: Annotated[
        list[int] | None, typer.Option("--k", help="Show pass@K, repeatable; by default 1 and --samples.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, help="0 is greedy; by default the run's or suite's, else 1.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the tasks and the samples; 0 asks what every training run is asked.")
    ] = 0,
    max_turns: Annotated[
        int | None,
        typer.Option(min=1, help="Attempts at a task, with feedback; above 1, set against best-of-n at equal tokens."),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Longest completion of a turn; by default the suite's, or the run's.")
    ] = None,
    engine: Annotated[str, typer.Option(help="auto, vllm or transformers; an endpoint needs none.")] = "auto",
    style: StyleOption = "auto",
    output_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where everything is kept; by default RUN/evaluations/TASKS, or evaluations/MODEL-TASKS.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Go on with what DIR holds of this evaluation, or start over.")
    ] = True,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Judge completions, or leave that to proofgrad score.")
    ] = True,
    self_test: SelfTestOption = SELF_TEST_SIZE,
    chunk: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Samples that are stored together; by default 512, or more of short ones. Without a GPU, what is "
            "sampled depends on it.",
        ),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=1024, help="Requests to an endpoint at once.")] = 16,
    api_key_env: Annotated[
        str, typer.Option(metavar="VARIABLE", help="Environment variable that holds an endpoint's key.")
    ] = "OPENAI_API_KEY",
    endpoint_seeds: Annotated[
        bool, typer.Option(help="Whether to send seeds to an endpoint; vLLM without a GPU cannot sample with them.")
    ] = True,
) -> None:
    """Measure a policy on held-out tasks: pass@k by domain, with 95% intervals over problems.

    Interrupted, the same command goes on where it was, and samples again what an endpoint had failed to answer.
    """
    from proofgrad.rl.endpoint import EndpointEngine, is_endpoint
    from proofgrad.rl.evaluation.settings import EvaluationOptions
    from proofgrad.rl.extras import TRAINING_PACKAGES, require

    if (model is None) == (model_option is None):
        raise ConfigError("name one model to evaluate: proofgrad eval MODEL, see proofgrad eval --help")
    options = EvaluationOptions(
        model=model or model_option or "", served_model=served_model, tasks=tuple(tasks or ()), limit=limit,
        samples=samples, ks=tuple(k or ()), temperature=temperature, seed=seed, max_turns=max_turns,
        max_tokens=max_tokens, engine=engine, style=style, chunk=chunk,
    )  # fmt: skip
    endpoint = None
    if is_endpoint(options.model):
        require(("scipy", "pyarrow"), "train", "evaluation")
        endpoint = EndpointEngine(
            options.model, served_model, api_key_env=api_key_env, concurrency=concurrency, seeds=endpoint_seeds
        )
    else:
        require(TRAINING_PACKAGES, "train", "evaluation")
        if served_model is not None:
            raise ConfigError("--served-model names a model of an endpoint: give its address, http://HOST/v1, as MODEL")
    evaluate_model(options, output_dir, fresh=not resume, verify=verify, self_test=self_test, endpoint=endpoint)


def evaluate_model(
    options: EvaluationOptions,
    output_dir: Path | None = None,
    *,
    fresh: bool = False,
    verify: bool = True,
    self_test: int = SELF_TEST_SIZE,
    endpoint: EndpointEngine | None = None,
) -> Evaluation | None:
    """Take an evaluation, or go on with it; print it and leave everything in its directory.

    With more than one turn, by `max_turns` or the run's own `loop`, what revising buys is measured as well, against
    best-of-n at equal tokens.

    Args:
        options: what to ask of which policy.
        output_dir: where everything is kept.
        fresh: start over.
        verify: judge completions; if not, they wait for ``proofgrad score``.
        self_test: right answers of each environment to test the verifiers with; 0 for none.
        endpoint: what samples, where the policy is behind one.

    Returns:
        The result; None where completions are not judged yet.

    Raises:
        ConfigError: no such model or environment, or settings that contradict each other or those of the directory.
        MissingExtraError: a package is not installed.
        UnhealthyError: too many verdicts were UNKNOWN; what was finished before is stored.
    """
    from proofgrad.rl.checks.examination import examine
    from proofgrad.rl.engine import choose_engine
    from proofgrad.rl.evaluation.directory import EvaluationDirectory, plan
    from proofgrad.rl.evaluation.sampler import Unjudged, failed_samples, missing_chunks
    from proofgrad.rl.evaluation.settings import check_engine, default_directory, resolve
    from proofgrad.rl.session import make_envs, quiet_libraries

    quiet_libraries()
    check_engine(options.engine)
    name, why = (endpoint.name, options.model) if endpoint else choose_engine(options.engine)
    settings = resolve(options, name, endpoint.model if endpoint else None)
    if settings.loop.max_turns > 1 and not verify:
        raise ConfigError("a revision needs the verdict before it: add --max-turns 1 to --no-verify")
    environments = make_envs(settings.config())
    directory = EvaluationDirectory(output_dir or default_directory(options, settings))
    if not verify:
        directory.begin(settings, fresh=fresh)
        chunks = missing_chunks(directory, plan(tasks_of(settings, environments), settings), settings)
        failed = failed_samples(directory)
        _sample(chunks, failed, directory, settings, Unjudged(environments), endpoint, f"{name}: {why}")
        console.print(
            f"completions are in {directory.path}; proofgrad score {directory.path} judges them", soft_wrap=True
        )
        return None
    with judging(settings, environments) as (judge, verifiers):
        settings = settings.model_copy(update={"verifiers": {key: made.version for key, made in verifiers.items()}})
        directory.begin(settings, fresh=fresh)
        tasks = tasks_of(settings, environments)
        chunks = missing_chunks(directory, plan(tasks, settings), settings)
        failed = failed_samples(directory)
        if chunks or failed or not (directory.path / "evaluation.json").is_file():
            examine(directory.path, environments, verifiers, self_test)
        _sample(chunks, failed, directory, settings, judge, endpoint, f"{name}: {why}")
        with going_on():
            _judge_the_rest(directory, settings, judge)
    with going_on():
        return report(directory, tasks, settings)


def _sample(
    chunks: Sequence[tuple[int, Sequence[Item]]],
    failed: Mapping[int, Sequence[int]],
    directory: EvaluationDirectory,
    settings: EvaluationSettings,
    judge: Judging,
    endpoint: EndpointEngine | None,
    engine: str,
) -> None:
    """Sample the missing chunks, and again what failed in those that an earlier command finished."""
    from proofgrad.rl.evaluation.sampler import open_sampler, sample_chunks, sample_failed

    if not chunks and not failed:
        return
    console.print(f"generation by {engine}", markup=False, soft_wrap=True)
    with open_sampler(settings, endpoint) as sampler, going_on():
        sample_chunks(chunks, directory, settings, sampler, judge)
        if failed:
            console.print(sample_failed(failed, directory, settings, sampler, judge), markup=False, soft_wrap=True)


def tasks_of(settings: EvaluationSettings, environments: dict[str, Env]) -> list[Task]:
    """The held-out tasks of an evaluation, in order."""
    from proofgrad.rl.evaluate import held_out_tasks
    from proofgrad.rl.evaluation.suites import tasks_in

    limits = {env.name: tasks_in(environments[env.name], env.limit) for env in settings.envs}
    return held_out_tasks(environments, limits, settings.seed)


@contextmanager
def judging(settings: EvaluationSettings, environments: dict[str, Env]) -> Iterator[tuple[Judge, dict[str, Verifier]]]:
    """A judge of an evaluation's tasks, and the verifiers that it asks."""
    from proofgrad.envs.base import HELD_OUT
    from proofgrad.rl.rollout import Judge
    from proofgrad.rl.session import make_pool, make_verifiers

    config = settings.config()
    verifiers = make_verifiers(config, environments, HELD_OUT)
    with make_pool(config, verifiers) as pool:
        yield Judge(environments, pool), verifiers


def report(directory: EvaluationDirectory, tasks: list[Task], settings: EvaluationSettings) -> Evaluation:
    """Put the chunks together, print the result, and say where it is."""
    from proofgrad.rl.evaluation.tables import evaluation_table, pace_line, revision_table

    evaluation, revisions = directory.finish(tasks, settings)
    console.print(evaluation_table(evaluation))
    if revisions:
        console.print(revision_table(revisions, settings.loop.max_turns))
    console.print(pace_line(evaluation), soft_wrap=True)
    console.print(f"written to {directory.path}", markup=False, soft_wrap=True)
    return evaluation


def _judge_the_rest(directory: EvaluationDirectory, settings: EvaluationSettings, judge: Judge) -> None:
    """Judge what an earlier ``--no-verify`` left unjudged, or end a scoring of it that was cut short."""
    from proofgrad.rl.evaluation.directory import read_chunk
    from proofgrad.rl.evaluation.scoring import is_cut_short, judge_stored, unjudged_turns

    if not is_cut_short(directory) and all(one.is_judged for file in directory.chunks() for one in read_chunk(file)):
        return
    judge_stored(directory, judge, settings.verifiers, unjudged_turns, "unjudged")


@contextmanager
def going_on() -> Iterator[None]:
    """Say how to go on, in what ends an evaluation half way."""
    try:
        yield
    except UnhealthyError as error:
        raise UnhealthyError(f"{error}; what is finished is stored: then give the same command again") from error
    except ConfigError:
        raise
    except (ProofgradError, OSError) as error:  # a full disk is one of the latter
        raise ProofgradError(f"{error}; what is finished is stored: then give the same command again") from error
