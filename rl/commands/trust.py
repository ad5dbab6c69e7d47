"""``proofgrad trust``: what is known about an evaluation besides its score."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from proofgrad.rl.console import console, track

if TYPE_CHECKING:
    from proofgrad.rl.checks.contamination import Contamination, Text
    from proofgrad.rl.checks.trust import Trust
    from proofgrad.rl.config import Config
    from proofgrad.rl.evaluation.stored import StoredEvaluation

__all__ = ["examine_trust", "training_texts", "trust_command", "trust_table"]


def trust_command(
    evaluation: Annotated[
        str, typer.Argument(metavar="RUN", help="A run directory, RUN:before, or a directory of proofgrad eval.")
    ],
    words: Annotated[int, typer.Option(min=1, help="Words in a passage, to find overlap with training data.")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")] = False,
) -> None:
    """Say how far a score can be believed, and compare its problems with what the policy was trained on."""
    from proofgrad.rl.evaluation.stored import open_evaluation

    trust = examine_trust(open_evaluation(evaluation), words=words, quiet=as_json)
    if as_json:
        print(json.dumps(trust.to_json(), ensure_ascii=False))
        return
    console.print(trust_table(trust))
    for warning in trust.warnings:
        console.print(f"[yellow]![/] {warning}", soft_wrap=True)
    if not trust.warnings:
        console.print("[green]nothing speaks against this score[/]")


def examine_trust(stored: StoredEvaluation, *, words: int = 8, quiet: bool = False) -> Trust:
    """Look for the problems in the training data where the run is known, and leave all in DIRECTORY/trust.json.

    Raises:
        ConfigError: a part cannot be read.
        MissingExtraError: a package is not installed.
    """
    from proofgrad.rl.checks.trust import TRUST, run_of, trust_in
    from proofgrad.rl.extras import require
    from proofgrad.rl.run_directory import write_text

    require(("pyarrow", "scipy"), "train", "proofgrad trust")
    run = run_of(stored)
    trust = trust_in(stored, run, _contamination(stored, run, words, quiet) if run else None)
    content = {"rollouts": stored.rollouts.name, **trust.to_json()}
    write_text(stored.directory / TRUST, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return trust


def _contamination(stored: StoredEvaluation, run: Path, words: int, quiet: bool) -> Contamination | None:
    from proofgrad.rl.checks.contamination import contamination_of
    from proofgrad.rl.config import load_config
    from proofgrad.rl.evaluation.stored import read_rows

    config = load_config(run / "config.yaml")
    recorded = run / "rollouts"
    files = sorted([*recorded.glob("step-*.parquet"), *recorded.glob("revisions-*.parquet")])
    if not files and not config.warm_start.demonstrations:
        return None  # nothing was trained on
    rows = read_rows(stored.rollouts, ("task", "domain", "prompt", "problem", "outcome"))
    return contamination_of(rows, training_texts(config, files, quiet=quiet), n=words)


def training_texts(config: Config, files: list[Path], *, quiet: bool = False) -> dict[str, Iterator[Text]]:
    """What a run trained on: the prompts of its steps and revisions, and its demonstrations, which are made again.

    Args:
        config: of the run.
        files: its rollouts, a file for each step and each round of revisions.
        quiet: show no progress.
    """
    return {"prompts": _prompts(files), "demonstrations and their answers": _demonstrations(config, quiet)}


def _prompts(files: list[Path]) -> Iterator[Text]:
    from proofgrad.rl.checks.contamination import Text
    from proofgrad.rl.evaluation.stored import read_rows

    seen: set[str] = set()
    for file in files:
        for row in read_rows(file, ("task", "prompt", "problem")):
            if row["task"] not in seen:
                seen.add(row["task"])
                yield Text.of(row["task"], row["prompt"], row["problem"])


def _demonstrations(config: Config, quiet: bool) -> Iterator[Text]:
    from proofgrad import envs as env_registry
    from proofgrad.rl.checks.contamination import Text

    n = config.warm_start.demonstrations
    if not n:
        return
    with nullcontext() if quiet else track("making demonstrations again", n * len(config.envs)) as tracker:
        for settings in config.envs:
            env = env_registry.get(settings.name, **{**settings.options, **settings.demonstration_options})
            for task, completion in env.demonstrations(n, config.seed):
                prompt = task.prompt if isinstance(task.prompt, str) else task.prompt[-1]["content"]
                yield Text.of(task.id, prompt, task.problem)
                yield Text("", completion)
                if tracker is not None:
                    tracker.advance()


def trust_table(trust: Trust) -> Table:
    """Each part in a line, with what it found or the command that measures it."""
    table = Table(title=f"trust in {trust.evaluation}", caption="95% intervals and bounds", min_width=70)
    table.add_column("checked", no_wrap=True)
    table.add_column("found")
    rate = f"{trust.unknown_rate}" if trust.unknown_rate else "too few problems for an interval"
    table.add_row("could not be judged", f"{trust.unknown} of {trust.samples} completions, {rate}")
    missing = {one.part: one.command or "cannot be" for one in trust.not_measured}
    parts = {
        "self_test": _self_test(trust), "audit": _audit(trust), "contamination": _found(trust),
        "environment": _environment(trust),
    }  # fmt: skip
    for part, lines in parts.items():
        said = "\n".join(lines) if part not in missing else f"[dim]not measured: {missing[part]}[/]"
        table.add_row(part.replace("_", "-"), said)
    if trust.waiting_share is not None:
        table.add_row("waiting for verdicts", f"{100 * trust.waiting_share:.0f}% of the time")
    return table


def _self_test(trust: Trust) -> list[str]:
    words = {"gold": "right answers refused", "corrupted": "damaged answers accepted", "cheat": "cheats accepted"}
    return [
        f"{check.verifier}: {len(check.wrong)} of {check.looked_at} {words[check.kind]} "
        f"(at most {100 * check.bound:.1f}%)"
        for check in (trust.self_test.checks if trust.self_test else ())
    ]


def _audit(trust: Trust) -> list[str]:
    return [
        f"{one.verifier}: {one.wrong} of {one.looked_at} {'accepted' if one.outcome == 'pass' else 'refused'} answers "
        f"judged otherwise (at most {100 * one.bound:.2f}%)"
        for one in trust.audit or ()
    ]


def _found(trust: Trust) -> list[str]:
    found = trust.contamination
    if found is None:
        return []
    sizes = ", ".join(f"{count} {source}" for source, count in found.training.items())
    near = f"{100 * found.held_out.near:.0f}% close to a training text ({100 * found.baseline.near:.0f}% of these are)"
    return [f"{found.duplicates} of {found.problems} problems in the training data ({sizes})", near]


def _environment(trust: Trust) -> list[str]:
    found = trust.environment or {}
    layers, toolchains = found.get("layers"), found.get("toolchains")
    lines = []
    for verifier, states in layers.items() if isinstance(layers, dict) else ():
        active = sum(state == "active" for state in states.values())
        lines.append(f"{verifier}: {active} of {len(states)} isolation layers active")
    lines += [f"{name}: {said}" for name, said in (toolchains.items() if isinstance(toolchains, dict) else ())]
    return lines or ["recorded"]
