"""``proofgrad report RUN [RUN ...]``: a page about runs and evaluations, or the same as tables or JSON."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Annotated

import typer

from proofgrad.rl.console import console
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.rubric.quoting import visible

__all__ = ["report_command"]


def report_command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Directories of train or eval; the others are compared with the first."),
    ],
    output: Annotated[
        Path | None, typer.Option(help="File to write; by default RUN/report.html, and the terminal for text.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything as JSON, but for the samples, in place of the page.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Tables for a pull request in place of the page.")] = (
        False
    ),
    max_samples: Annotated[
        int, typer.Option(min=0, help="Most samples on the page; where there are more, some are drawn at random.")
    ] = 20_000,
    seed: Annotated[int, typer.Option(help="Which ones are drawn.")] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Compare what different verifier versions judged; the report then says so.")
    ] = False,
) -> None:
    """Make one page of runs and evaluations that opens anywhere: results, curves, trust, and every sample."""
    from proofgrad.rl.extras import require
    from proofgrad.rl.report import collect, to_html, to_markdown
    from proofgrad.rl.run_directory import write_text

    if as_json and markdown:
        raise ConfigError("--json and --markdown are two forms of the same report: give one of them")
    if output is not None and output.is_dir():
        raise ConfigError(f"cannot write '{visible(str(output))}': it is a directory; name a file in it")
    require(("pyarrow", "scipy"), "train", "proofgrad report")
    wants_page = not (as_json or markdown)
    model = collect(runs, force=force, max_samples=max_samples if wants_page else 0, seed=seed)
    if as_json:
        samples = {key: value for key, value in model["samples"].items() if key != "rows"}
        # In ASCII: names may hold characters that a terminal obeys, and that JSON would leave as they are.
        text = json.dumps({**model, "samples": samples}, indent=1, allow_nan=False)
    else:
        text = to_html(model) if wants_page else to_markdown(model).rstrip("\n")
    target = output or (runs[0] / "report.html" if wants_page else None)
    if target is None:
        print(text)
        return
    try:
        write_text(target, text)
    except OSError as error:
        with contextlib.suppress(OSError):
            target.with_suffix(".partial").unlink(missing_ok=True)
        raise ConfigError(f"cannot write '{visible(str(target))}': {error.strerror}") from error
    said = visible(f"{model['headline']['sentence']}\nwritten to {target}")
    console.print(said, markup=False, soft_wrap=True)
