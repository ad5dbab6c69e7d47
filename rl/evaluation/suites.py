"""Suites: what an evaluation asks, as a YAML file that can be shared.

    name: algebra
    description: what it measures, in a sentence
    envs:
      - {name: propositional, options: {max_level: 2}, limit: 100}
      - {name: theorems_jsonl, options: {path: algebra.jsonl}}   # beside the suite's own file
    samples: 4            # these four are defaults that the command line overrides
    temperature: 1.0
    max_tokens: 256
    verification: {workers: 4, options: {lean: {toolchain: embedded}}}

Environments with a fixed set of tasks are asked all of them where no limit is given, others 200.
"""

from __future__ import annotations

import difflib
import importlib.util
import inspect
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from proofgrad import envs as registry
from proofgrad.envs.base import HELD_OUT, Env
from proofgrad.envs.registry import GROUP
from proofgrad.rl.config import EnvConfig, VerificationConfig
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.validation import read_yaml, validated

__all__ = ["DEFAULT_LIMIT", "Suite", "SuiteEnv", "find_suite", "load_suite", "shipped_suites", "styled", "tasks_in"]

PACKAGE = "proofgrad.suites"
"""The data-only package that holds the shipped suites."""

DEFAULT_LIMIT = 200
_SUFFIXES = (".yaml", ".yml")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class SuiteEnv(_Section):
    """One environment of a suite."""

    name: str
    """As registered: `proofgrad doctor` lists the installed ones."""
    options: dict[str, Any] = Field(default_factory=dict)
    """For the environment's constructor."""
    limit: int | None = Field(None, ge=2)
    """Most held-out tasks to ask; None asks all of a fixed set, and 200 where tasks are made."""


class Suite(_Section):
    """What to ask, and how."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    envs: list[SuiteEnv] = Field(min_length=1)
    samples: int = Field(4, ge=1)
    temperature: float = Field(1.0, ge=0)
    max_tokens: int | None = Field(None, ge=1)
    """Longest completion of one turn; None leaves it to the policy's run, or to the default of training."""
    verification: VerificationConfig = VerificationConfig()

    @field_validator("envs")
    @classmethod
    def _each_once(cls, envs: list[SuiteEnv]) -> list[SuiteEnv]:
        names = [env.name for env in envs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the environment '{twice[0]}' stands twice")
        return envs

    @model_validator(mode="after")
    def _greedy_once(self) -> Suite:
        if self.temperature == 0 and self.samples != 1:
            raise ValueError("temperature 0 always gives the same completion: set samples to 1")
        return self


def shipped_suites() -> dict[str, Path]:
    """The suites that are installed with proofgrad, by name."""
    spec = importlib.util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    return {path.stem: path for place in places for path in sorted(Path(place).glob("*.yaml"))}


def find_suite(text: str) -> Path | None:
    """The file that a suite's name or path means; None for what is neither."""
    if Path(text).suffix in _SUFFIXES:
        return Path(text)
    return shipped_suites().get(text)


def load_suite(path: Path) -> Suite:
    """Read a suite's file; paths in the options of its environments are relative to it.

    Raises:
        ConfigError: one line that names the file, the key and what is allowed there.
    """
    where = f"the suite '{path}'"
    suite = validated(Suite, read_yaml(path, "suite", "configs/suites"), where)
    installed = registry.names()
    for number, env in enumerate(suite.envs):
        if env.name not in installed:
            near = difflib.get_close_matches(env.name, installed, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"installed: {', '.join(installed)}"
            raise ConfigError(f"{where}: envs.{number}.name: there is no environment named '{env.name}'; {hint}")
    here = path.expanduser().resolve().parent
    placed = [env.model_copy(update={"options": _placed(env.options, here)}) for env in suite.envs]
    return suite.model_copy(update={"envs": placed})


def _placed(options: dict[str, Any], here: Path) -> dict[str, Any]:
    """Options whose `path`, a file or a list of them, no longer hangs on the working directory."""
    match options.get("path"):
        case str(path):
            return options | {"path": str(here / Path(path).expanduser())}
        case [*paths] if all(isinstance(path, str) for path in paths):
            return options | {"path": [str(here / Path(path).expanduser()) for path in paths]}
        case _:
            return options


def styled(env: EnvConfig, style: str) -> EnvConfig:
    """An environment with this style of prompts, unless its options name one or it has no choice."""
    made = next((point for point in entry_points(group=GROUP) if point.name == env.name), None)
    if "style" in env.options or made is None or "style" not in inspect.signature(made.load()).parameters:
        return env
    return env.model_copy(update={"options": env.options | {"style": style}})


def tasks_in(env: Env, limit: int | None) -> int:
    """How many held-out tasks an environment is asked: `limit`, or as many as it has where they are fixed."""
    sizes = getattr(env, "sizes", None)
    if not isinstance(sizes, dict):
        return limit or DEFAULT_LIMIT
    found = int(sizes[HELD_OUT])
    if found < 2:
        raise ConfigError(f"environment '{env.name}' has {found} held-out tasks; an evaluation needs at least two")
    return min(limit or found, found)
