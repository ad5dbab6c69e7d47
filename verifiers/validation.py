"""What users write, read and checked at the door; whatever is wrong with it is one line with the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from proofgrad.verifiers.errors import ConfigError

__all__ = ["keys_of", "read_yaml", "validated"]

Model = TypeVar("Model", bound=BaseModel)
Members = Mapping[str, type[BaseModel]]


def read_yaml(path: Path, what: str, example: str) -> dict[str, Any]:
    """The mapping in a YAML file; `what` it is, e.g. "configuration", and an example of one are for the errors.

    Raises:
        ConfigError: it cannot be read, is not YAML, or holds no mapping.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot read the {what} '{path}': {reason}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(
            f"the {what} '{path}' is not valid YAML{where}: {getattr(error, 'problem', error)}"
        ) from error
    if not isinstance(data, dict):
        raise ConfigError(f"the {what} '{path}' must hold a mapping of keys to values, see {example}")
    return data


def validated(model: type[Model], data: Any, where: str, members: Members | None = None) -> Model:
    """`data` as a `model`.

    Args:
        model: what it should be.
        data: plain values.
        where: names the file in the error.
        members: the models of tagged unions by their tags, which pydantic puts into the places of errors.

    Raises:
        ConfigError: one line: `where`, the key, and what is allowed there.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_explain(model, error, members or {})}") from error


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that a model takes."""
    return sorted(name for name, field in model.model_fields.items() if not field.exclude)


def _explain(model: type[BaseModel], error: ValidationError, members: Members) -> str:
    first, *others = error.errors()
    loc = [part for part in first["loc"] if part not in members and part != "str"]
    where = ".".join(str(part) for part in loc)
    more = f" (and {len(others)} more)" if others else ""
    if first["type"] == "extra_forbidden":
        valid = keys_of(_section_at(model, first["loc"][:-1], members))
        near = difflib.get_close_matches(str(loc[-1]), valid, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"valid keys: {', '.join(valid)}"
        return f"unknown key '{where}'; {hint}{more}"
    if first["type"] == "missing":
        return f"'{where}' is missing{more}"
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"{where}: 'kind' must be {' or '.join(repr(tag) for tag in members if tag.islower())}{more}"
    message = first["msg"].removeprefix("Value error, ")
    given = "" if isinstance(first["input"], dict | list | BaseModel) else f", got {first['input']!r}"
    return f"{where + ': ' if where else ''}{message[0].lower()}{message[1:]}{given}{more}"


def _section_at(section: type[BaseModel], loc: tuple[int | str, ...], members: Members) -> type[BaseModel]:
    """The section that a validation error's location lies in; a union's location also names the member."""
    for part in loc:
        if part in members:
            section = members[str(part)]
        elif isinstance(part, str) and part in section.model_fields:
            section = _model_in(section.model_fields[part].annotation) or section
    return section


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (list, Union, UnionType, Annotated):
        return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
    return None
