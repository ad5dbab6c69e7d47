"""Finds verifiers by name through the entry-point group ``proofgrad.verifiers``.

A third party's package registers its own in its metadata; nothing here has to know about it.
"""

from __future__ import annotations

import difflib
from importlib.metadata import entry_points
from typing import Any, cast

from proofgrad.verifiers.base import Verifier
from proofgrad.verifiers.errors import ConfigError

__all__ = ["GROUP", "get", "load_plugin", "names", "plugin_names"]

GROUP = "proofgrad.verifiers"


def names() -> list[str]:
    """The names of all installed verifiers, sorted."""
    return plugin_names(GROUP)


def get(name: str, **options: Any) -> Verifier:
    """Make the verifier called `name`; `options` go to its constructor.

    Raises:
        ConfigError: no installed package offers a verifier of that name, or it does not take these options.
    """
    return cast(Verifier, load_plugin(GROUP, "verifier", name, options))


def plugin_names(group: str) -> list[str]:
    """The names registered in an entry-point group, sorted."""
    return sorted({point.name for point in entry_points(group=group)})


def load_plugin(group: str, noun: str, name: str, options: dict[str, Any]) -> Any:
    """Load the class registered as `name` in `group` and call it with `options`.

    Raises:
        ConfigError: no such name (the message offers the nearest one), or the class does not take these options.
    """
    found = {point.name: point for point in entry_points(group=group)}
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"installed: {', '.join(sorted(found)) or 'none'}"
        raise ConfigError(f"there is no {noun} named '{name}'; {hint}")
    made = found[name].load()
    try:
        return made(**options)
    except TypeError as error:
        raise ConfigError(f"{noun} '{name}': {error}") from error
