"""Python values that JSON has no form for, as tagged JSON, for problems that ask for it with `"values": "tagged"`.

    {"$tuple": [...]}   {"$set": [...]}   {"$frozenset": [...]}   {"$float": "nan" | "inf" | "-inf"}
    {"$dict": [[key, value], ...]}        a dict with a key that is no string, or a string that starts with "$"

Everything else is itself: null, booleans, numbers, strings, lists, and objects whose keys do not start with "$".

Loaded by its path inside the sandbox (`zygote.py`) and imported outside of it: standard library only.
"""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["NotPlain", "tag", "untag"]

_SCALARS = frozenset({int, float, str, bool, type(None)})
_MAX_DEPTH = 200
_MAX_NODES = 2_000_000
_MAX_ALIKE = 64
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_isfinite = math.isfinite
_text = json.JSONEncoder(sort_keys=True).encode  # bound here: a program may replace what the module holds


class NotPlain(ValueError):  # noqa: N818  # reads as what the value is
    """The value has no tagged form, or the tagged form stands for no value; the message says why."""


def tag(value: object) -> Any:
    """The tagged form of `value`, made of JSON's types only.

    Raises:
        NotPlain: some part of it is of another type (a subclass could lie about itself), or it is too large or deep.
    """
    return _tag(value, 0, [0])


def _tag(value: object, depth: int, seen: list[int]) -> Any:
    seen[0] += 1
    if depth > _MAX_DEPTH or seen[0] > _MAX_NODES:
        raise NotPlain("too many values, or nested too deep, or a cycle")
    kind = type(value)
    if kind is float and not _isfinite(value):  # type: ignore[arg-type]
        return {"$float": repr(value)}
    if kind in _SCALARS:
        return value
    if kind is dict:
        parts = value.items()  # type: ignore[attr-defined]
        if all(type(key) is str and not key.startswith("$") for key, _ in parts):
            return {key: _tag(part, depth + 1, seen) for key, part in parts}
        return {"$dict": [[_tag(key, depth + 1, seen), _tag(part, depth + 1, seen)] for key, part in parts]}
    if kind not in (list, tuple, set, frozenset):
        raise NotPlain(f"a value of type {kind.__name__}")
    tagged = [_tag(part, depth + 1, seen) for part in value]  # type: ignore[attr-defined]
    if kind is list:
        return tagged
    if kind is not tuple:
        tagged.sort(key=_text)  # one form for one set
    return {f"${kind.__name__}": tagged}


def untag(tagged: Any) -> Any:
    """The value that a tagged form stands for.

    Raises:
        NotPlain: an unknown or malformed tag, an element twice in a set or dict, or nested too deep.
    """
    return _untag(tagged, 0)


def _untag(tagged: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise NotPlain("nested too deep")
    if isinstance(tagged, list):
        return [_untag(part, depth + 1) for part in tagged]
    if not isinstance(tagged, dict):
        return tagged
    name = next((key for key in tagged if key.startswith("$")), None)
    if name is None:
        return {key: _untag(part, depth + 1) for key, part in tagged.items()}
    content = tagged[name]
    if len(tagged) != 1 or (name == "$float") != isinstance(content, str):
        raise NotPlain(f"a malformed {name}")
    if name == "$float" and content in _FLOATS:
        return _FLOATS[content]
    if name not in ("$tuple", "$set", "$frozenset", "$dict") or not isinstance(content, list):
        raise NotPlain(f"an unknown or malformed {name}")
    parts = [_untag(part, depth + 1) for part in content]
    if name == "$tuple":
        return tuple(parts)
    if name == "$dict" and not all(isinstance(part, list) and len(part) == 2 for part in parts):
        raise NotPlain("a $dict that is no list of pairs")
    try:
        _check_hashes([part[0] for part in parts] if name == "$dict" else parts, name)
        made: Any = dict(parts) if name == "$dict" else set(parts) if name == "$set" else frozenset(parts)
    except TypeError:
        raise NotPlain(f"a {name} with an element that cannot be hashed") from None
    if len(made) != len(parts):
        raise NotPlain(f"a {name} with an element twice")
    return made


def _check_hashes(keys: list[Any], name: str) -> None:
    """Refuse keys that were chosen to share a hash: a set of n of them takes n² steps, a minute for a megabyte."""
    counts: dict[int, int] = {}
    for key in keys:
        value = hash(key)
        counts[value] = counts.get(value, 0) + 1
        if counts[value] > _MAX_ALIKE:
            raise NotPlain(f"a {name} with too many elements of one hash")
