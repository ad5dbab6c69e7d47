"""``proofgrad rubric``: look a rubric over, and measure a judge on its labelled examples.

Exit status: 0 all is well, 1 the judge falls short of the rubric's minimum, 2 wrong usage or a missing part.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from proofgrad.rl.console import console, track
from proofgrad.verifiers.errors import ConfigError

if TYPE_CHECKING:
    from proofgrad.verifiers.rubric.calibration import Calibration
    from proofgrad.verifiers.rubric.rubric import Rubric

__all__ = ["calibration_table", "rubric_app"]

rubric_app = typer.Typer(no_args_is_help=True, help="Rubrics: check one, or calibrate a judge with it.")

RubricFile = Annotated[str, typer.Argument(metavar="FILE", help="A rubric's YAML file, or the name of a shipped one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@rubric_app.command()
def check(file: RubricFile) -> None:
    """Validate a rubric, its labelled examples and its prompts."""
    from proofgrad.envs.open_ended import asked_of
    from proofgrad.verifiers.rubric import load_examples, load_rubric

    rubric = load_rubric(file)
    examples = load_examples(rubric)
    asked = asked_of(rubric)
    table = Table(title=rubric.name, caption=f"passes from a weighted score of {rubric.threshold:g}", min_width=60)
    for heading in ("criterion", "kind", "weight", "gate", "met in examples"):
        table.add_column(heading, justify="left" if heading in ("criterion", "kind") else "right", no_wrap=True)
    for criterion in rubric.criteria:
        met = sum(example.labels[criterion.id] for example in examples)
        table.add_row(
            criterion.id, criterion.kind, f"{criterion.weight:g}", "yes" if criterion.gate else "",
            f"{met} of {len(examples)}",
        )  # fmt: skip
    console.print(table)
    passing = sum(example.passes for example in examples)
    cheaters = sum(example.cheater for example in examples)
    console.print(
        f"{len(examples)} labelled examples: {passing} pass, {len(examples) - passing} do not, {cheaters} of these are "
        f"planted cheaters; {len(asked)} prompts",
        soft_wrap=True,
    )


@rubric_app.command()
def calibrate(
    file: RubricFile,
    judge_url: Annotated[
        str | None, typer.Option(metavar="URL", help="OpenAI-compatible endpoint, e.g. http://127.0.0.1:8000/v1.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The judge, as the endpoint names it.")] = None,
    in_process: Annotated[
        str | None, typer.Option(metavar="PATH", help="A model for vLLM to run in this process, in place of a URL.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File of results to add this one to: what 'calibration' of the verifier names.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=2, help="How often each judgement is asked for.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Have a judge judge the labelled examples, and say how far it agrees with them and what sways it."""
    from proofgrad.verifiers.rubric import calibrate as measure
    from proofgrad.verifiers.rubric import load_calibrations, load_examples, load_rubric, make_judge, save_calibration

    rubric = load_rubric(file)
    total = len(load_examples(rubric)) * len(rubric.judged) * (repeats + 1)
    if output is not None and output.exists():
        load_calibrations(output)  # a file of something else is found before the judge has worked for an hour
    judge = make_judge(_judge(judge_url, model, in_process))
    try:
        if as_json:
            result = measure(rubric, judge, repeats=repeats)
        else:
            with track(f"asking {judge.model}", total) as tracker:
                result = measure(rubric, judge, repeats=repeats, on_judgement=tracker.advance)
    finally:
        judge.close()
    if output is not None:
        save_calibration(result, output)
    meets = result.meets(rubric)
    if as_json:
        print(json.dumps(result.to_json() | {"meets_minimum": meets, "shortfalls": result.shortfalls(rubric)}))
    else:
        console.print(calibration_table(result, rubric))
        _say(result, rubric, output)
    raise typer.Exit(0 if meets else 1)


def _judge(url: str | None, model: str | None, in_process: str | None) -> dict[str, Any]:
    if (url is None) == (in_process is None):
        raise ConfigError("give either --judge-url URL with --model NAME, or --in-process PATH")
    if url is not None and model is None:
        raise ConfigError("--judge-url needs --model NAME, the name under which the endpoint serves the judge")
    if in_process is not None and model is not None:
        raise ConfigError("--model names a judge at an endpoint; --in-process PATH is a judge of its own")
    return {"in_process": in_process} if in_process is not None else {"url": url, "model": model}


def calibration_table(result: Calibration, rubric: Rubric) -> Table:
    """What was measured beside the rubric's minimum."""
    wanted = rubric.calibration
    table = Table(
        title=f"{result.model} on {result.rubric}",
        caption=f"{result.examples} examples, {result.judgements} judgements in {result.seconds:.0f} s; 95% intervals",
        min_width=70,
    )
    for heading in ("measure", "judge", "minimum"):
        table.add_column(heading, justify="left" if heading == "measure" else "right", no_wrap=True)
    rows = [
        ("kappa, pass or fail", str(result.kappa), f"≥ {wanted.min_kappa:g}"),
        ("kappa, single criteria", str(result.criteria_kappa), f"≥ {wanted.min_criteria_kappa:g}"),
        (
            "kappa, worse half by length",
            _number(result.length_controlled_kappa),
            f"≥ {wanted.min_length_controlled_kappa:g}",
        ),
        ("planted cheaters caught", str(result.caught), f"≥ {wanted.min_cheaters_caught:g}"),
        ("same in every repeat", _number(result.consistency), f"≥ {wanted.min_consistency:g}"),
        ("flips when order is swapped", _number(result.order_flips), f"≤ {wanted.max_order_flips:g}"),
        ("points gained by swapping", _number(result.order_shift), ""),
        (
            "rank correlation with length",
            _number(result.length_correlation),
            f"≤ {wanted.max_length_correlation:g} either way",
        ),
        ("not judged", _number(result.unknown), f"≤ {wanted.max_unknown:g}"),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"


def _say(result: Calibration, rubric: Rubric, output: Path | None) -> None:
    if result.unknown_reasons:
        reasons = ", ".join(f"{reason} {count}" for reason, count in result.unknown_reasons.items())
        console.print(f"not judged: {reasons}", markup=False, soft_wrap=True)
    if result.tricks_that_passed:
        console.print(f"cheaters that passed: {', '.join(result.tricks_that_passed)}", markup=False, soft_wrap=True)
    if short := result.shortfalls(rubric):
        console.print(f"[red]falls short[/]: {'; '.join(short)}", soft_wrap=True)
    else:
        console.print("[green]meets the rubric's minimum[/]")
    if output is not None:
        console.print(f"written to {output}", markup=False, soft_wrap=True)
