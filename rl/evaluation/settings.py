"""What an evaluation asks and how: the options of ``proofgrad eval``, a run's or a suite's defaults, settings.json.

`resolve` turns options into settings that leave nothing open. They are written before the first sample is taken, and an
evaluation is gone on with under the same settings only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from proofgrad import envs as registry
from proofgrad.rl.config import (
    Config,
    EnvConfig,
    EvaluationConfig,
    GenerationConfig,
    LoopConfig,
    PolicyConfig,
    VerificationConfig,
    load_config,
)
from proofgrad.rl.endpoint import is_endpoint
from proofgrad.rl.evaluate import chunk_size
from proofgrad.rl.evaluation.suites import Suite, SuiteEnv, find_suite, load_suite, shipped_suites, styled
from proofgrad.rl.policy import find_policy
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.rubric.in_process import model_identity
from proofgrad.verifiers.validation import validated

__all__ = ["EvaluationOptions", "EvaluationSettings", "check_engine", "default_directory", "difference", "resolve"]

_ENGINES = ("auto", "vllm", "transformers")
_STYLES = ("auto", "plain", "chat")
_SEQUENCES = 256  # that vLLM has under way at once
# What says how candidates are judged and not what the verdict is, or how the result is shown.
_FREE = ("model", "description", "ks", "verification.workers", "verification.retries", "verification.isolate",
         "verification.deadline_s", "verification.max_unknown")  # fmt: skip


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """The command line. None leaves a choice to the run, to the suite, or to the default of training.

    Attributes:
        model: a run directory, a model directory, a Hub name, or an endpoint's address.
        served_model: the model that an endpoint is asked for.
        tasks: environments, one suite's name, or one suite's file; nothing for the environments of the run.
        limit: held-out tasks of each environment, at most.
        ks: the k for which pass@k is shown.
        seed: of the tasks and the samples; 0 asks what training runs are asked.
        style: of prompts: plain, chat, or auto for what the model is made for.
        chunk: samples that are taken and stored together.
    """

    model: str
    served_model: str | None = None
    tasks: tuple[str, ...] = ()
    limit: int | None = None
    samples: int | None = None
    ks: tuple[int, ...] = ()
    temperature: float | None = None
    seed: int = 0
    max_turns: int | None = None
    max_tokens: int | None = None
    engine: str = "auto"
    style: str = "auto"
    chunk: int | None = None


class EvaluationSettings(BaseModel):
    """An evaluation with nothing left open; what settings.json holds.

    Attributes:
        model: where the policy is.
        weights: a digest of it, or its name where there are no files to look at.
        is_run: whether it is the policy of a training run, which is sampled as it was in training.
        dtype: of its weights, as they are loaded.
        sequences: that vLLM has under way at once; on a CPU samples depend on it.
        suite: its name, or those of the environments.
        envs: each with its options; a limit of None asks as `suites.tasks_in` says.
        loop: turns and what follows a failed one.
        chunk: samples that are taken and stored together.
        verifiers: the version of each; empty where nothing has been judged.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    weights: str
    is_run: bool
    dtype: str
    engine: str
    sequences: int
    vllm_memory: float
    suite: str
    description: str = ""
    envs: tuple[SuiteEnv, ...]
    samples: int = Field(ge=1)
    temperature: float = Field(ge=0)
    seed: int
    max_tokens: int = Field(ge=1)
    loop: LoopConfig
    chunk: int = Field(ge=1)
    ks: tuple[int, ...]
    verification: VerificationConfig
    verifiers: dict[str, str] = Field(default_factory=dict)

    @property
    def evaluation(self) -> EvaluationConfig:
        """How tasks are sampled, as a training run's configuration says it."""
        return EvaluationConfig(samples=self.samples, temperature=self.temperature)

    def config(self) -> Config:
        """The same as a run's configuration, for whatever makes environments, verifiers and policies of one."""
        return Config(
            name="evaluation",
            policy=PolicyConfig.model_validate({"path": self.model, "dtype": self.dtype}),
            envs=[EnvConfig(name=env.name, options=env.options) for env in self.envs],
            generation=GenerationConfig(max_tokens=self.max_tokens, vllm_memory=self.vllm_memory),
            loop=self.loop,
            evaluation=self.evaluation,
            verification=self.verification,
        )

    def to_text(self) -> str:
        """JSON with a key a line."""
        return json.dumps(self.model_dump(mode="json"), indent=1) + "\n"

    @classmethod
    def load(cls, path: Path) -> EvaluationSettings:
        """Read what `to_text` wrote.

        Raises:
            ConfigError: it cannot be read, or holds something else.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read the settings '{path}': {str(error).splitlines()[0]}") from error
        return validated(cls, data, f"'{path}'")


def difference(was: EvaluationSettings, now: EvaluationSettings) -> str | None:
    """The first setting in which two evaluations differ, in words; None where they take the same samples."""
    before, after = dict(_flat(was.model_dump(mode="json"))), dict(_flat(now.model_dump(mode="json")))
    for key in dict.fromkeys([*before, *after]):
        if key in _FREE or (key.startswith("verifiers") and not (was.verifiers and now.verifiers)):
            continue
        if before.get(key) != after.get(key):
            return f"{key} {_shown(before.get(key))}, and {_shown(after.get(key))} is asked for now"
    return None


def _flat(data: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            yield from _flat(value, f"{above}.{key}" if above else str(key))
    elif isinstance(data, list) and all(isinstance(entry, Mapping) for entry in data):
        names = [str(entry.get("name")) for entry in data]
        yield above, names  # in their order, which is that of the samples
        for number, (name, entry) in enumerate(zip(names, data, strict=True)):
            yield from _flat(entry, f"{above}.{name if names.count(name) == 1 else number}")
    else:
        yield above, data


def _shown(value: Any) -> str:
    return "nothing" if value in (None, {}, []) else str(value)


def default_directory(options: EvaluationOptions, settings: EvaluationSettings) -> Path:
    """Where an evaluation goes that names no place: into its run, or ``evaluations/MODEL-TASKS``."""
    if settings.is_run:
        return Path(options.model) / "evaluations" / settings.suite
    name = settings.weights if is_endpoint(options.model) else options.model
    last = Path(name).expanduser().resolve().name if Path(name).expanduser().is_dir() else name.rsplit("/", 1)[-1]
    return Path("evaluations") / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', last)}-{settings.suite}"


def resolve(options: EvaluationOptions, engine: str, served: str | None = None) -> EvaluationSettings:
    """Settings from options, with the defaults of the run and the suite that they name.

    Args:
        options: the command line.
        engine: what samples.
        served: the model that an endpoint is asked for.

    Raises:
        ConfigError: there is no such model, run, environment or suite, or the options contradict each other.
    """
    if options.style not in _STYLES:
        raise ConfigError(f"--style is '{options.style}'; choose {', '.join(_STYLES)}")
    path = Path(options.model).expanduser()
    run = (
        None
        if is_endpoint(options.model) or not (path / "config.yaml").is_file()
        else load_config(path / "config.yaml")
    )
    suite = _suite(options, run)
    samples = options.samples or suite.samples
    temperature = suite.temperature if options.temperature is None else options.temperature
    if temperature == 0 and samples != 1:
        raise ConfigError("--temperature 0 always gives the same completion: add --samples 1")
    if too_large := [k for k in options.ks if not 1 <= k <= samples]:
        raise ConfigError(f"--k {too_large[0]} cannot be estimated from {samples} samples: --k is from 1 to --samples")
    generation = run.generation if run else GenerationConfig()
    max_tokens = options.max_tokens or suite.max_tokens or generation.max_tokens
    loop = run.loop if run else LoopConfig()
    model, weights = _found(options, path, run, served)
    return EvaluationSettings(
        model=model,
        weights=weights,
        is_run=run is not None,
        dtype=run.policy.dtype if run else "float32",
        engine=engine,
        sequences=run.grpo.prompts_per_step * run.grpo.group_size if run else _SEQUENCES,
        vllm_memory=generation.vllm_memory,
        suite=suite.name,
        description=suite.description,
        envs=_styled(suite, _style(options, run, model)),
        samples=samples,
        temperature=temperature,
        seed=options.seed,
        max_tokens=max_tokens,
        loop=loop.model_copy(update={"max_turns": options.max_turns or loop.max_turns}),
        chunk=options.chunk or chunk_size(max_tokens),
        ks=tuple(sorted(set(options.ks))) or tuple(sorted({1, samples})),
        verification=run.verification if run and "verification" not in suite.model_fields_set else suite.verification,
    )


def check_engine(name: str) -> None:
    """Refuse what is no engine.

    Raises:
        ConfigError: it is none.
    """
    if name not in _ENGINES:
        raise ConfigError(f"there is no engine named '{name}'; choose {', '.join(_ENGINES)}")


def _found(options: EvaluationOptions, path: Path, run: Config | None, served: str | None) -> tuple[str, str]:
    """Where the policy is, and what tells it from another one there."""
    if served is not None:
        return options.model, served
    if run is not None:
        if not (path / "policy" / "config.json").is_file():
            raise ConfigError(f"the run '{path}' is not finished: go on with proofgrad train --resume {path}")
        path = path / "policy"
    model = find_policy(PolicyConfig(path=str(path) if run else options.model))
    return model, model_identity(model)


def _suite(options: EvaluationOptions, run: Config | None) -> Suite:
    """The suite that the options name, or one made of environments: those of the run, or the named ones."""
    known = {env.name: SuiteEnv(name=env.name, options=env.options) for env in run.envs} if run else {}
    asked = options.tasks or tuple(known)
    if not asked:
        raise ConfigError(
            "say what to evaluate on: --tasks NAME, an environment or a suite, e.g. --tasks propositional"
        )
    installed = registry.names()
    files = {name: file for name in asked if name not in installed and (file := find_suite(name)) is not None}
    if files and len(asked) > 1:
        raise ConfigError(
            f"--tasks '{next(iter(files))}' is a suite, which stands alone: name one suite, or environments"
        )
    if files:
        suite = load_suite(next(iter(files.values())))
    else:
        if unknown := [name for name in asked if name not in installed]:
            others = f"environments: {', '.join(installed)}; suites: {', '.join(shipped_suites()) or 'none'}"
            raise ConfigError(f"there is no environment and no suite named '{unknown[0]}'; {others}")
        suite = Suite(
            name="-".join(dict.fromkeys(asked)),
            envs=[known.get(name, SuiteEnv(name=name)) for name in dict.fromkeys(asked)],
            samples=run.evaluation.samples if run else 4,
            temperature=run.evaluation.temperature if run else 1.0,
        )
        if run is not None and options.limit is None and not options.tasks:
            limit = run.evaluation.tasks
            return suite.model_copy(update={"envs": [_limited(env, limit) for env in suite.envs]})
    if options.limit is None:
        return suite
    return suite.model_copy(update={"envs": [_limited(env, options.limit) for env in suite.envs]})


def _limited(env: SuiteEnv, limit: int) -> SuiteEnv:
    return env.model_copy(update={"limit": limit})


def _style(options: EvaluationOptions, run: Config | None, model: str) -> str:
    """The style of prompts for environments that do not say theirs."""
    if options.style != "auto":
        return options.style
    if run is not None:
        return str(next((env.options["style"] for env in run.envs if "style" in env.options), "plain"))
    if is_endpoint(model):
        return "chat"
    from transformers import AutoTokenizer

    try:
        has_template = AutoTokenizer.from_pretrained(model).chat_template is not None
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot load the tokenizer of '{model}': {str(error).splitlines()[0]}") from error
    return "chat" if has_template else "plain"


def _styled(suite: Suite, style: str) -> tuple[SuiteEnv, ...]:
    return tuple(
        env.model_copy(update={"options": styled(EnvConfig(name=env.name, options=env.options), style).options})
        for env in suite.envs
    )
