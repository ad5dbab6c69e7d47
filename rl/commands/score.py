"""``proofgrad score``: judge an evaluation's stored completions again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from proofgrad.rl.console import console
from proofgrad.verifiers.errors import ConfigError

__all__ = ["score_command", "score_evaluation"]


def score_command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A directory of proofgrad eval.")],
    only_unknown: Annotated[
        bool, typer.Option("--only-unknown", help="Judge only what is unjudged or UNKNOWN; the other verdicts stand.")
    ] = False,
) -> None:
    """Judge stored completions again with the verifiers of today, and write a new result beside the old one."""
    score_evaluation(directory, only_unknown=only_unknown)


def score_evaluation(path: Path, *, only_unknown: bool = False) -> None:
    """Judge stored completions again, print what changed, and the new result.

    Raises:
        ConfigError: there is no evaluation, or nothing stored in it; or an environment or verifier cannot be made.
        UnhealthyError: too many verdicts were UNKNOWN; what was judged before is kept, and the same command goes on.
    """
    from proofgrad.rl.checks.examination import examine
    from proofgrad.rl.commands.evaluate import SELF_TEST_SIZE, going_on, judging, report, tasks_of
    from proofgrad.rl.evaluation.directory import EvaluationDirectory, plan
    from proofgrad.rl.evaluation.sampler import missing_chunks
    from proofgrad.rl.evaluation.scoring import every_turn, judge_stored, unknown_turns
    from proofgrad.rl.evaluation.tables import changes_line
    from proofgrad.rl.extras import require
    from proofgrad.rl.run_directory import write_text
    from proofgrad.rl.session import make_envs, quiet_libraries

    require(("scipy", "pyarrow"), "train", "scoring")
    quiet_libraries()
    directory = EvaluationDirectory(path)
    settings = directory.settings()
    environments = make_envs(settings.config())
    with judging(settings, environments) as (judge, verifiers):
        versions = {name: made.version for name, made in verifiers.items()}
        if only_unknown and settings.verifiers and settings.verifiers != versions:
            raise ConfigError(
                f"the verdicts in '{path}' are of other versions of the verifiers, and cannot be mixed with today's: "
                "leave out --only-unknown"
            )
        choice, what = (unknown_turns, "unknown") if only_unknown else (every_turn, "all")
        with going_on():
            scored = judge_stored(directory, judge, versions, choice, what)
        examine(directory.path, environments, verifiers, SELF_TEST_SIZE)
    kept = None if scored.kept is None else scored.kept.name
    changes = {f"{was} to {now}": n for (was, now), n in scored.changes.items()}
    told = {
        "what": what, "judged": scored.judged, "changed": sum(changes.values()), "changes": changes,
        "stopped_early": scored.stopped_early, "kept": kept, "verifiers": versions,
    }  # fmt: skip
    write_text(path / "score.json", json.dumps(told, indent=1) + "\n")
    console.print(f"{scored.judged} attempts judged; {changes_line(scored.changes)}", soft_wrap=True)
    if scored.stopped_early:
        console.print(
            f"{scored.stopped_early} trajectories had stopped at a verdict that is a fail now: what would have "
            "followed was not sampled, so they count as failed and are left out where revising is compared",
            soft_wrap=True,
        )
    if scored.kept is not None:
        console.print(f"the old result is in {scored.kept}", markup=False, soft_wrap=True)
    settings = directory.settings()
    tasks = tasks_of(settings, environments)
    if missing_chunks(directory, plan(tasks, settings), settings):
        console.print("not all is sampled yet: the command of proofgrad eval goes on with it", soft_wrap=True)
        return
    report(directory, tasks, settings)
