"""``proofgrad export RUN DIR``: a policy to publish, with a model card of what the run recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from proofgrad.rl.console import console
from proofgrad.rl.extras import require

__all__ = ["export_command"]


def export_command(
    run: Annotated[Path, typer.Argument(help="A finished run directory.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory to make.")],
    license_: Annotated[
        str | None, typer.Option("--license", metavar="SPDX", help="Licence of the model, e.g. Apache-2.0.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The model's name, NAME or OWNER/NAME; by default the run's.")
    ] = None,
    checkpoint: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Take the checkpoint after update N, not the final policy.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace everything that is in DIR.")] = False,
) -> None:
    """Write a run's policy as plain transformers files, with a model card and what it takes to train it again."""
    require(("huggingface_hub", "packaging", "pyarrow", "safetensors", "scipy", "torch"), "train", "proofgrad export")
    from proofgrad.rl.export.policy import export_run

    facts = export_run(run, directory, license=license_, name=name, checkpoint=checkpoint, force=force)
    what = "the final policy" if checkpoint is None else f"checkpoint {checkpoint}"
    console.print(f"{what} of {run} is in {directory}; its card is README.md", markup=False, soft_wrap=True)
    if facts.redacted:
        where = " and ".join(facts.redacted)
        console.print(f"values in {where} that look secret are not published: see its card", soft_wrap=True)
    if facts.license is None:
        console.print("no licence is stated: say one with --license SPDX", markup=False, soft_wrap=True)
    if not facts.own:
        console.print("its card says that it was not evaluated", markup=False, soft_wrap=True)
