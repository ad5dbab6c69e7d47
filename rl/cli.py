"""The command line: train and watch a run; evaluate it and say what that is worth; judge; serve.

Exit status: 0 done (for `verify`: passed), 1 the candidate failed, 2 wrong usage or a missing part, 3 unknown.
"""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proofgrad.rl.commands.chains import chains_command
from proofgrad.rl.commands.compare import compare_command
from proofgrad.rl.commands.evaluate import evaluate_command
from proofgrad.rl.commands.export import export_command
from proofgrad.rl.commands.report import report_command
from proofgrad.rl.commands.rubric import rubric_app
from proofgrad.rl.commands.score import score_command
from proofgrad.rl.commands.serve import serve_command
from proofgrad.rl.commands.trust import trust_command
from proofgrad.rl.commands.watch import watch_command
from proofgrad.rl.console import console
from proofgrad.verifiers.base import Outcome, Problem, Verdict
from proofgrad.verifiers.errors import ConfigError, ProblemError, ProofgradError

if TYPE_CHECKING:
    from proofgrad.rl.config import Config

__all__ = ["app", "main"]

TRAIN, EVALUATE, VERIFY = "Train", "Evaluate", "Verify"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Train small language models on rewards that were proved: Lean proofs and sandboxed programs.",
)
verify_app = typer.Typer(no_args_is_help=True, help="Judge one candidate, and say why.")
app.add_typer(verify_app, name="verify", rich_help_panel=VERIFY)
app.add_typer(rubric_app, name="rubric", rich_help_panel=VERIFY)

# What the machine refuses, which is no bug of ours.
_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)

_STATUS = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.UNKNOWN: 3}

RequireIsolation = Annotated[
    bool, typer.Option("--require-isolation", help="Refuse to run where the sandbox is not complete.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole verdict as JSON.")]


@app.command(rich_help_panel=TRAIN)
def train(
    config: Annotated[
        Path | None, typer.Argument(help="A recipe such as configs/quickstart.yaml.", show_default=False)
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run directory in place of starting a new run.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key, e.g. grpo.steps=10.")
    ] = None,
) -> None:
    """Train a policy: warm start, held-out evaluation, GRPO, the same evaluation again.

    For several processes: [bold]accelerate launch -m proofgrad.rl.train CONFIG[/].
    """
    from proofgrad.rl.config import load_config
    from proofgrad.rl.extras import require_training
    from proofgrad.rl.run_directory import RunDirectory

    if (config is None) == (resume is None):
        raise ConfigError("give either a recipe (proofgrad train CONFIG) or --resume RUN, see proofgrad train --help")
    if resume is not None:
        if set_:
            raise ConfigError("--set changes a recipe; a resumed run keeps the configuration it was started with")
        run, settings = RunDirectory.open(resume)
        require_training(settings)
    else:
        settings = load_config(config or Path(), set_)
        require_training(settings)
        _find_parts(settings)
        run = RunDirectory.create_once(settings)

    from proofgrad.rl.train import run_from

    run_from(settings, run)


def _find_parts(settings: Config) -> None:
    """Look for what a recipe names before anything heavy is imported, and before a run directory is made."""
    from proofgrad import envs, verifiers
    from proofgrad.rl.policy import find_policy

    for env in settings.envs:
        if env.name not in envs.names() or "path" not in env.options:
            made = envs.get(env.name, **env.options)  # says what is wrong; files are read once, and later
            name = next(iter(made.tasks("train", 1, 0))).verifier
            if name not in verifiers.names():
                verifiers.get(name)  # one that is there is made once, and later: it may load a model
    if settings.policy.path is not None:
        find_policy(settings.policy)


@verify_app.command("lean")
def verify_lean(
    file: Annotated[Path, typer.Argument(help="A Lean file with a theorem and its proof, and lemmas before it.")],
    statement: Annotated[
        str | None,
        typer.Option(
            help="What has to be proved, e.g. '(p : Prop) : p → p'; FILE then holds a proof, or a file of theorems "
            "whose last one proves it."
        ),
    ] = None,
    toolchain: Annotated[
        str | None,
        typer.Option(help="project, toolchain, server or embedded; by default the first that is there."),
    ] = None,
    require_isolation: RequireIsolation = False,
    as_json: AsJson = False,
) -> None:
    """Have the Lean kernel judge a proof.

    Without --statement the file's own last theorem is judged, and printed, so that you see what was proved.
    """
    from proofgrad.verifiers.lean.checker import LeanVerifier
    from proofgrad.verifiers.lean.source import header_in, split_file

    lean = LeanVerifier(toolchain=toolchain, require_isolation=require_isolation)
    text = _read(file)
    if statement is None:
        try:
            statement, candidate = split_file(text)
        except ProblemError as error:
            raise ProblemError(f"{file}: {error}") from error
    else:
        candidate = text
    problem = {"statement": statement}
    if lean.backend.takes_header and (header := header_in(text)):
        problem["header"] = header
    _report(_verify_file(lean, file, problem, candidate), as_json, heading=f"theorem {statement}")


@verify_app.command("program")
def verify_program(
    task: Annotated[Path, typer.Argument(help='JSON: {"entry_point": "f", "tests": [{"args": [1], "expected": 2}]}')],
    candidate: Annotated[Path, typer.Argument(help="Python file that defines the entry point.")],
    require_isolation: RequireIsolation = False,
    as_json: AsJson = False,
) -> None:
    """Run a Python program on hidden tests, in the sandbox."""
    from proofgrad.verifiers import get

    try:
        problem: Any = json.loads(_read(task))
    except json.JSONDecodeError as error:
        raise ProblemError(f"{task} is not valid JSON: {error.msg} at line {error.lineno}") from error
    if not isinstance(problem, dict):
        raise ProblemError(f"{task} must hold a JSON object with 'entry_point' and 'tests'")
    verifier = get("program", require_isolation=require_isolation)
    _report(_verify_file(verifier, task, problem, _read(candidate)), as_json)


def _verify_file(verifier: Any, path: Path, problem: Problem, candidate: str) -> Verdict:
    try:
        verdict: Verdict = verifier.verify(problem, candidate)
    except ProblemError as error:
        raise ProblemError(f"{path}: {error}") from error
    return verdict


@app.command(rich_help_panel=EVALUATE)
def audit(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    sample: Annotated[int, typer.Option(min=1, help="Candidates to take of each verifier and outcome.")] = 200,
    seed: Annotated[int, typer.Option(help="Which ones are drawn.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")] = False,
) -> None:
    """Judge a sample of a run's verdicts again, more strictly, and bound how often they are wrong.

    Exit status 1 when a candidate that the run accepted is refused now.
    """
    from proofgrad.rl.checks.audit import audit_run

    raise typer.Exit(0 if audit_run(run, size=sample, seed=seed, as_json=as_json) else 1)


@app.command(rich_help_panel=TRAIN)
def doctor() -> None:
    """Say what is installed, what is missing, and the command that adds it."""
    from proofgrad.rl.doctor import examine

    raise typer.Exit(0 if examine(console) else 1)


app.command("watch", rich_help_panel=TRAIN)(watch_command)
app.command("eval", rich_help_panel=EVALUATE)(evaluate_command)
app.command("score", rich_help_panel=EVALUATE)(score_command)
app.command("compare", rich_help_panel=EVALUATE)(compare_command)
app.command("chains", rich_help_panel=EVALUATE)(chains_command)
app.command("trust", rich_help_panel=EVALUATE)(trust_command)
app.command("report", rich_help_panel=EVALUATE)(report_command)
app.command("export", rich_help_panel=TRAIN)(export_command)
app.command("serve", rich_help_panel=VERIFY)(serve_command)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read '{path}': it is not UTF-8 text") from error
    except OSError as error:
        raise ConfigError(f"cannot read '{path}': {error.strerror}") from error


def _report(verdict: Verdict, as_json: bool, heading: str = "") -> None:
    if as_json:
        print(json.dumps(verdict.to_json(), ensure_ascii=False))
    else:
        colour = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.UNKNOWN: "yellow"}[verdict.outcome]
        if heading:
            console.print(heading, markup=False, soft_wrap=True)
        console.print(f"[{colour}]{verdict.outcome.upper()}[/]  {verdict.reason}  ({verdict.seconds:.2f} s)")
        if verdict.feedback:
            console.print(verdict.feedback, markup=False, soft_wrap=True)
    raise typer.Exit(_STATUS[verdict.outcome])


def main() -> None:
    """Entry point: errors made on purpose are one line and exit status 2; a stack trace is for bugs."""
    try:
        status = app(standalone_mode=False)
    except ProofgradError as error:
        _complain(str(error))
        status = 2
    except (KeyboardInterrupt, typer.Abort):
        go_on = {"train": "; go on with proofgrad train --resume RUN"}
        go_on |= dict.fromkeys(("eval", "score"), "; the same command goes on where it was")
        _complain(f"interrupted{go_on.get(''.join(sys.argv[1:2]), '')}")
        status = 130
    except OSError as error:
        if error.errno not in _MACHINE:
            raise
        _complain(f"{error.strerror}: '{error.filename or 'a file'}'; what was written before is whole")
        status = 2
    except Exception as error:
        # Wrong usage: click's exceptions, which newer versions of typer carry in a private module of their own.
        if not hasattr(error, "format_message"):
            raise
        _complain(error.format_message())
        status = 2
    sys.exit(status if isinstance(status, int) else 0)


def _complain(message: str) -> None:
    line = " ".join(message.split())
    print(f"proofgrad: {line}", file=sys.stderr)


if __name__ == "__main__":
    main()
