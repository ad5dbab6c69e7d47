"""The command line: ``proofgrad train | eval | verify | doctor``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from proofgrad.verifiers.errors import ProofgradError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _root() -> None: ...


@app.command()
def train(config: Path, set_: Annotated[list[str] | None, typer.Option("--set")] = None, resume: Annotated[Path | None, typer.Option()] = None) -> None:
    """Train."""
    from proofgrad.rl.config import load_config
    from proofgrad.rl.run_directory import RunDirectory
    from proofgrad.rl.train import run_from

    if resume:
        run, settings = RunDirectory.open(resume)
    else:
        settings = load_config(config, set_)
        run = RunDirectory.create(settings)
    run_from(settings, run)


def main() -> None:
    try:
        app()
    except ProofgradError as e:
        print(e, file=sys.stderr)
        sys.exit(2)
