"""``proofgrad serve``: the installed verifiers over HTTP."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Annotated

import typer

from proofgrad import verifiers
from proofgrad.rl.console import console
from proofgrad.verifiers.base import Verifier
from proofgrad.verifiers.errors import ConfigError, ProofgradError
from proofgrad.verifiers.server import TOKEN_VARIABLE, ServerLimits, check_token, read_token, serve
from proofgrad.verifiers.store import VerdictStore

__all__ = ["serve_command"]

_DEFAULTS = ServerLimits()
# They cannot be made without a word about what they stand on: other verifiers, a server, a judge. Whoever asks for one
# by name is told.
_OF_ANOTHER = ("all_of", "remote", "rubric", "weighted")


def serve_command(
    verifier: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Verifier to serve; by default every installed one that can be made."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; any but this machine's own needs a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8000,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Judgements under way at once; by default one a core, 2 to 8.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help=f"File that holds the bearer token; else {TOKEN_VARIABLE} from the environment.")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Let anybody in, without a token, on any address.")] = (
        False
    ),
    store: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Verdict store: answers work that was judged before.")
    ] = None,
    evidence: Annotated[
        bool, typer.Option(help="Whether verdicts carry evidence, e.g. the input that a program failed on.")
    ] = True,
    max_items: Annotated[int, typer.Option(min=1, help="Candidates waiting and being judged; more get 429.")] = (
        _DEFAULTS.items
    ),
    max_batch: Annotated[int, typer.Option(min=1, help="Candidates in one batch.")] = _DEFAULTS.batch_items,
    max_body_mb: Annotated[int, typer.Option(min=1, help="Size of a request's body, in MiB.")] = (
        _DEFAULTS.body_bytes >> 20
    ),
    grace: Annotated[
        float, typer.Option(min=0.0, help="Seconds given to what is under way, after SIGTERM or Ctrl-C.")
    ] = 30.0,
) -> None:
    """Serve verifiers over HTTP, until SIGTERM or Ctrl-C."""
    # Taken out of the environment, so that nothing started from here on inherits it.
    from_environment = os.environ.pop(TOKEN_VARIABLE, None)
    token = None
    if token_file is not None:
        token = read_token(token_file)
    elif from_environment is not None:
        token = check_token(from_environment, f"the token in {TOKEN_VARIABLE}")
    body_bytes = max_body_mb << 20
    limits = ServerLimits(
        items=max_items,
        batch_items=max_batch,
        body_bytes=body_bytes,
        held_bytes=max(_DEFAULTS.held_bytes, body_bytes),
    )
    made = _make(verifier or [])
    serve(
        made,
        host=host,
        port=port,
        token=token,
        insecure=insecure,
        limits=limits,
        workers=workers or min(8, max(2, os.cpu_count() or 2)),
        store=_open_store(store),
        include_evidence=evidence,
        grace_s=grace,
        announce=lambda url: console.print(f"serving {', '.join(made)} at {url}", markup=False, soft_wrap=True),
    )


def _make(names: list[str]) -> dict[str, Verifier]:
    """The verifiers asked for, or all that can be made; says which could not.

    Raises:
        ProofgradError: one that was asked for by name cannot be made.
        ConfigError: there is none at all.
    """
    if names:
        return {name: verifiers.get(name) for name in names}
    made: dict[str, Verifier] = {}
    for name in verifiers.names():
        if name in _OF_ANOTHER:
            continue
        try:
            made[name] = verifiers.get(name)
        except ProofgradError as error:
            console.print(f"not served: {name}: {' '.join(str(error).split())}", markup=False, soft_wrap=True)
    if not made:
        raise ConfigError("no verifier can be served; proofgrad doctor says what is missing")
    return made


def _open_store(path: Path | None) -> VerdictStore | None:
    if path is None:
        return None
    try:
        return VerdictStore(path)
    except sqlite3.Error as error:
        raise ConfigError(f"cannot use '{path}' as a verdict store: {error}") from error
