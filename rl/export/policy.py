"""A run's policy as a directory to publish: weights, tokenizer, the run's configuration and manifest, and a model card.

The directory is written beside its place and moved there when it is complete. Of a checkpoint nothing is taken but what
transformers reads: the trainer's own files hold pickles.
"""

from __future__ import annotations

import difflib
import filecmp
import inspect
import json
import math
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from proofgrad.envs.registry import GROUP
from proofgrad.rl.config import Config, EnvConfig, PolicyConfig
from proofgrad.rl.evaluation.stored import StoredEvaluation, evaluations_in, read_rows
from proofgrad.rl.export.card import has_card, model_card
from proofgrad.rl.export.facts import Asked, Example, Facts
from proofgrad.rl.export.redaction import RECORDS, clean_records, without_paths, without_secrets
from proofgrad.rl.export.texts import HUB_LICENSES
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.errors import ConfigError

__all__ = ["checked_license", "checked_name", "export_run", "facts_of"]

_WEIGHTS = "*.safetensors"
_FILES = (
    "config.json", "generation_config.json", _WEIGHTS, "*.safetensors.index.json", "tokenizer.json", "tokenizer.model",
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    "chat_template.jinja", "chat_template.json",
)  # fmt: skip
_LOOKED_AT = 20  # files of rollouts, from the last back, in which an example of each domain is looked for


def export_run(
    path: Path,
    target: Path,
    *,
    license: str | None = None,
    name: str | None = None,
    checkpoint: int | None = None,
    force: bool = False,
) -> Facts:
    """Write a run's policy, or a checkpoint's, with its model card to `target`; whole, or not at all.

    Args:
        path: the run.
        target: a directory to make; its parents are made too.
        license: an SPDX expression.
        name: as a name on the Hub; the run's if not given.
        checkpoint: the update after which it was saved; the final policy if not given.
        force: whether what is in `target` may be replaced.

    Raises:
        ConfigError: no such run or checkpoint, an unfinished run, a target that is taken or cannot be written, or an
            argument that is not valid.
    """
    run, config = RunDirectory.open(path)
    called, spdx = checked_name(name or config.name), checked_license(license)
    source = _source(run, checkpoint)
    place = _place(run, target, force)
    written = place.with_name(f"{place.name}.partial-{os.getpid()}")
    try:
        written.mkdir(parents=True)
        _write_policy(run, config, source, written)
        for record in RECORDS:
            if (path / record).is_file():
                _copy(run, path / record, written)
        facts = facts_of(run, config, written, source, name=called, license=spdx, checkpoint=checkpoint)
        clean_records(written)
        (written / "README.md").write_text(model_card(facts), encoding="utf-8")
        _move(written, place)
    except OSError as error:
        raise ConfigError(f"cannot write '{target}': {error.strerror or error}") from error
    finally:
        shutil.rmtree(written, ignore_errors=True)
    return facts


def checked_license(text: str | None) -> str | None:
    """The canonical form of an SPDX expression.

    Raises:
        ConfigError: it is none; offers the nearest identifier.
    """
    if text is None:
        return None
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression as error:
        near = difflib.get_close_matches(text.lower(), sorted(HUB_LICENSES), n=1)
        hint = f"did you mean '{near[0]}'?" if near else "one of your own is LicenseRef-NAME"
        raise ConfigError(f"--license: '{text}' is no SPDX licence expression; {hint}") from error


def checked_name(name: str) -> str:
    """A name that the Hub takes.

    Raises:
        ConfigError: it would not.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # public, yet not in an __all__

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise ConfigError(
            f"{name!r} is no name for a model: letters, digits and - _ . only, and at most one /; say --name NAME"
        ) from error
    return name


def _source(run: RunDirectory, checkpoint: int | None) -> Path:
    """The directory of the weights that are asked for."""
    if checkpoint is None:
        if not (run.policy / "config.json").is_file():
            raise ConfigError(f"the run '{run.path}' is not finished: go on with proofgrad train --resume {run.path}")
        return run.policy
    found = {int(path.name.rpartition("-")[2]): path for path in run.checkpoints()}
    if checkpoint not in found:
        there = ", ".join(map(str, found)) or "none"
        raise ConfigError(f"the run '{run.path}' has no complete checkpoint {checkpoint}; there are: {there}")
    return found[checkpoint]


def _place(run: RunDirectory, target: Path, force: bool) -> Path:
    """Where the target really is, if it may be written there."""
    try:
        place, here, home, root = (path.resolve() for path in (target, Path.cwd(), Path.home(), run.path))
    except OSError as error:
        raise ConfigError(f"cannot write '{target}': {error.strerror}") from error
    if root == place or place in root.parents or root in place.parents:
        raise ConfigError(f"'{target}' is a part of the run or holds it: name a directory outside the run")
    if not place.exists():
        return place
    if not place.is_dir():
        raise ConfigError(f"'{target}' is a file: name a directory")
    if place == here or place in here.parents:
        raise ConfigError(f"'{target}' holds the directory that you are in: name another")
    if place == home or place in home.parents:
        raise ConfigError(f"'{target}' holds your home directory: name another")
    if any(place.iterdir()):
        if not force:
            raise ConfigError(f"'{target}' is not empty: name another directory, or replace all of it with --force")
        if (place / ".git").exists():
            raise ConfigError(f"'{target}' is a git repository, which is not replaced: export beside it and copy")
        if not has_card(place):
            raise ConfigError(
                f"'{target}' is no earlier export (a config.json and a README.md tagged proofgrad): name another "
                "directory, or empty it yourself"
            )
    return place


def _move(written: Path, place: Path) -> None:
    """Put what is complete in its place; what is there already goes first, and comes back if that fails."""
    if not place.exists():
        os.replace(written, place)
        return
    old = place.with_name(f"{place.name}.replaced-{os.getpid()}")
    os.replace(place, old)
    try:
        os.replace(written, place)
    except OSError:
        os.replace(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write_policy(run: RunDirectory, config: Config, source: Path, written: Path) -> None:
    """Plain transformers files: copied as they are, or made of a checkpoint that is an adapter."""
    if (source / "adapter_config.json").is_file():
        from proofgrad.rl.lora import merged_policy
        from proofgrad.rl.policy import save_policy

        save_policy(merged_policy(PolicyConfig(path=str(run.warm_start), dtype=config.policy.dtype), source), written)
        return
    if not any(source.glob(_WEIGHTS)):
        raise ConfigError(f"there are no weights in '{source}' (no model.safetensors)")
    for file in {file for pattern in _FILES for file in source.glob(pattern) if file.is_file()}:
        _copy(run, file, written)


def _copy(run: RunDirectory, file: Path, written: Path) -> None:
    """Copy a file of the run; one that is a link to somewhere else could be anything on this machine."""
    if not file.resolve().is_relative_to(run.path.resolve()):
        raise ConfigError(f"'{file}' is a link out of the run: put the file itself there if it is to be published")
    shutil.copyfile(file, written / file.name)


def facts_of(
    run: RunDirectory,
    config: Config,
    written: Path,
    source: Path,
    *,
    name: str,
    license: str | None,
    checkpoint: int | None,
) -> Facts:
    """What a run recorded about the weights in `written`, which are those in `source`.

    Raises:
        ConfigError: a record cannot be read.
    """
    from proofgrad.rl.checks.trust import trust_in

    stored = {s.name.rpartition(":")[2]: s for s in _evaluations(run.path)}
    more = [s for file in sorted(run.path.glob("evaluations/*/evaluation.json")) for s in evaluations_in(file.parent)]
    others = [one for one in more if _is_of(one, run, source)]
    steps = [row for row in run.metrics() if _is_step(row)]
    configuration, manifest = config.model_dump(mode="json"), _read_json(run.path / "manifest.json")
    public, known = without_secrets(configuration), without_secrets(manifest)
    updates = steps[-1]["step"] if steps else None
    files = _step_files(run, checkpoint)
    asked, trained = _asked(files)
    trusted = next((one for one in (stored.get("after") if checkpoint is None else None, *others) if one), None)
    total = config.grpo.steps * config.grpo.minibatches
    stopped_early = checkpoint is None and updates is not None and updates < total
    evaluated = {r.task for one in (*stored.values(), *more) for r in one.evaluation.results}
    return Facts(
        name=name,
        license=license,
        config=config if public == configuration else Config.model_validate(public),
        manifest=without_paths(known),
        checkpoint=checkpoint,
        is_finished=(run.policy / "config.json").is_file(),
        same_as=_same_weights(run) if stopped_early else None,
        architecture=_read_json(written / "config.json"),
        parameters=_parameters(written),
        updates=updates,
        step_seconds=math.fsum(
            seconds
            for row in steps
            if isinstance(seconds := row.get("step_time"), int | float) and math.isfinite(seconds)
            if checkpoint is None or row["step"] <= checkpoint
        ),
        before=stored.get("before"),
        after=stored.get("after"),
        others=others,
        asked=asked,
        frontier=_frontier(run),
        shared=len(evaluated & trained) if evaluated and trained else None,
        examples=_examples(run, config, files),
        trust=trust_in(trusted, run.path) if trusted is not None else None,
        redacted=[
            name for name, is_so in zip(RECORDS, (public != configuration, known != manifest), strict=True) if is_so
        ],
        shortened=["manifest.json"] if without_paths(known) != known else [],
    )


def _is_step(row: Any) -> bool:
    """Whether a line of metrics.jsonl is an update of GRPO; a run that is being written can hold half a line."""
    return isinstance(row, Mapping) and row.get("phase") == "grpo" and type(row.get("step")) is int


def _evaluations(path: Path) -> list[StoredEvaluation]:
    """The run's own evaluations, of which there may be none."""
    return evaluations_in(path) if any(path.glob("eval/*.json")) else []


def _is_of(stored: StoredEvaluation, run: RunDirectory, source: Path) -> bool:
    """Whether an evaluation within the run was of the policy in `source`, wherever the run was then."""
    where = source.relative_to(run.path).parts
    return Path(stored.evaluation.policy).parts[-len(where) :] == where


def _same_weights(run: RunDirectory) -> str | None:
    """The checkpoint whose weights are those of the final policy, byte by byte."""
    files = sorted(file.name for file in run.policy.glob(_WEIGHTS))
    for path in reversed(run.checkpoints()):
        if all(
            (path / name).is_file() and filecmp.cmp(path / name, run.policy / name, shallow=False) for name in files
        ):
            return path.name
    return None


def _parameters(directory: Path) -> int:
    """Numbers in the weights; those that two layers share are stored, and counted, once.

    Raises:
        ConfigError: they cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    total = 0
    for file in directory.glob(_WEIGHTS):
        try:
            with safe_open(file, framework="pt") as opened:
                total += sum(math.prod(opened.get_slice(key).get_shape()) for key in opened.keys())  # noqa: SIM118
        except SafetensorError as error:
            raise ConfigError(f"cannot read the weights '{file.name}': {str(error).splitlines()[0]}") from error
    return total


def _asked(files: Iterable[Path]) -> tuple[list[Asked], set[str]]:
    """What GRPO asked of each environment, and the tasks' identities."""
    tasks: dict[str, set[str]] = defaultdict(set)
    levels: dict[str, set[float]] = defaultdict(set)
    completions: dict[str, int] = defaultdict(int)
    unknown: dict[str, int] = defaultdict(int)
    for file in files:
        for row in _rows(file, ("task", "source", "difficulty", "outcome")):
            env = row["source"].partition("@")[0]
            tasks[env].add(row["task"])
            completions[env] += 1
            unknown[env] += row["outcome"] == Outcome.UNKNOWN
            if row["difficulty"] is not None:
                levels[env].add(row["difficulty"])
    asked = [Asked(e, len(tasks[e]), completions[e], unknown[e], tuple(sorted(levels[e]))) for e in tasks]
    return asked, set().union(*tasks.values()) if tasks else set()


def _rows(file: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a file; none where it was removed since it was listed, as a run that resumes does."""
    try:
        return read_rows(file, columns)
    except ConfigError:
        if file.is_file():
            raise
        return []


def _step_files(run: RunDirectory, checkpoint: int | None) -> list[Path]:
    """What training sampled, up to a checkpoint where one is named; a file's number is that of the updates before."""
    files = sorted((run.path / "rollouts").glob("step-*.parquet"))
    return [file for file in files if checkpoint is None or int(file.stem.split("-")[1]) < checkpoint]


def _frontier(run: RunDirectory) -> tuple[int, int] | None:
    found = _read_json(run.path / "frontier.json")
    return (int(found["pool"]), len(found["kept"])) if found else None


def _examples(run: RunDirectory, config: Config, sampled: Sequence[Path]) -> list[Example]:
    """A prompt of each environment with the first completion of it; one that passed where there is one.

    Those of training come first: printing a held-out problem would hand it to whoever trains on this card.
    """
    files = [*reversed(sampled[-_LOOKED_AT:])]
    if not files:
        files = [file for name in ("after", "before") if (file := run.path / "rollouts" / f"{name}.parquet").is_file()]
    found: dict[str, Example] = {}
    for file in files:
        for row in _rows(file, ("domain", "source", "prompt", "turns")):
            env, first = row["source"].partition("@")[0], row["turns"][0]
            if env not in found or (first["outcome"] == Outcome.PASS != found[env].outcome):
                found[env] = Example(
                    env, row["domain"], _where(file), row["prompt"], first["completion"], first["outcome"],
                    first["reason"], _is_chat(env, config.envs),
                )  # fmt: skip
        if len(found) == len(config.envs) and all(one.outcome == Outcome.PASS for one in found.values()):
            break
    return sorted(found.values(), key=lambda one: (one.outcome != Outcome.PASS, one.env))


def _where(file: Path) -> str:
    kind, _, number = file.stem.partition("-")
    if kind != "step":
        return f"a held-out problem, from the evaluation {file.stem}"
    return f"a training problem, sampled after {int(number.partition('-')[0])} updates"


def _is_chat(env: str, envs: Iterable[EnvConfig]) -> bool | None:
    """Whether an environment's prompts are messages, by its option or the option's default; None if it has neither."""
    options = next((one.options for one in envs if one.name == env), {})
    style = options.get("style")
    if style is None:
        for point in entry_points(group=GROUP, name=env):
            parameter = inspect.signature(point.load()).parameters.get("style")
            style = parameter.default if parameter is not None else None
    return {"chat": True, "plain": False}.get(style) if isinstance(style, str) else None


def _read_json(path: Path) -> Mapping[str, Any]:
    """A JSON object; empty where there is no such file.

    Raises:
        ConfigError: it is not one.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read '{path}': {str(error).splitlines()[0]}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"cannot read '{path}': it holds no JSON object")
    return data
