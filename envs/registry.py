"""Finds environments by name through the entry-point group ``proofgrad.envs``."""

from __future__ import annotations

from typing import Any, cast

from proofgrad.envs.base import Env
from proofgrad.verifiers.registry import load_plugin, plugin_names

__all__ = ["GROUP", "get", "names"]

GROUP = "proofgrad.envs"


def names() -> list[str]:
    """The names of all installed environments, sorted."""
    return plugin_names(GROUP)


def get(name: str, **options: Any) -> Env:
    """Make the environment called `name`; `options` go to its constructor.

    Raises:
        ConfigError: no installed package offers an environment of that name, or it does not take these options.
    """
    return cast(Env, load_plugin(GROUP, "environment", name, options))
