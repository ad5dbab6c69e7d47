"""What is not published: values that look secret, and where on this machine things lie.

A name tells a secret (``api_key``, ``--token``, ``password``), and so do the shapes of widespread tokens and a URL with
credentials. That is a net, not a proof: what somebody writes into a prompt or an unsuspicious option stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

__all__ = ["RECORDS", "REMOVED", "clean_records", "looks_secret", "without_paths", "without_secrets"]

RECORDS = ("config.yaml", "manifest.json")
REMOVED = "[removed]"

# Only as the last word of a name: max_tokens and key_value_heads are no secrets.
_LAST_WORDS = frozenset({"key", "keys", "apikey", "apikeys", "token", "accesstoken", "authtoken", "pwd", "auth"})
_ANYWHERE = re.compile(r"secret|passw|passphrase|credential|authorization|bearer|cookie", re.I)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/@?#]+@")
_QUERY = re.compile(r"(?<=[?&;])([\w.-]+)=([^&;#\s\"']+)")
# Of Hugging Face, OpenAI and its like, GitHub and Slack.
_TOKEN = re.compile(r"\b(?:hf_|sk-|gh[opsu]_|github_pat_|xox[abp]-)[\w-]{12,}")
_ASSIGNED = re.compile(r"([\w.-]+)([\"']?\s*[=:]\s*[\"']?)(?!\[removed)([^\s\"',;&}\]]+)")
# Absolute, with a directory before the last part; neither in a URL nor in the middle of a word.
_PATH = re.compile(r"(?<![\w.:/~])~?/(?:[^\s/'\"`,;:|()]+/)+([^\s/'\"`,;:|()]*)")
_WINDOWS_PATH = re.compile(r"\b[A-Za-z]:\\(?:[^\\\s'\"`|]+\\)+")


def looks_secret(name: str) -> bool:
    """Whether what goes by this name is for its owner alone."""
    words = _WORD.findall(name)
    return _ANYWHERE.search(name) is not None or (bool(words) and words[-1].lower() in _LAST_WORDS)


def without_secrets(value: Any, name: str = "") -> Any:
    """A JSON value of any depth with `REMOVED` in place of what looks secret; the key "command" holds arguments."""
    if isinstance(value, Mapping):
        within = name if looks_secret(name) else ""
        return {key: without_secrets(inner, within or str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return _arguments(value) if name == "command" else [without_secrets(inner, name) for inner in value]
    if looks_secret(name) and value is not None and not isinstance(value, bool):
        # A number is a secret only where no other thing goes by that name.
        return value if isinstance(value, int | float) and not _ANYWHERE.search(name) else REMOVED
    if not isinstance(value, str):
        return value
    return _argument(value) if name == "command" else _text(value)


def _text(text: str) -> str:
    text = _TOKEN.sub(REMOVED, _URL.sub(rf"\1{REMOVED}@", text))
    return _QUERY.sub(lambda found: f"{found[1]}={REMOVED}" if looks_secret(found[1]) else found[0], text)


def _arguments(command: Sequence[Any]) -> list[Any]:
    """A command line: ``--token X``, ``--token=X``, and ``--set options.token=X``."""
    found: list[Any] = []
    is_secret = False
    for argument in command:
        if not isinstance(argument, str):
            found.append(argument)
            continue
        found.append(REMOVED if is_secret and not argument.startswith("--") else _argument(argument))
        is_secret = argument.startswith("-") and "=" not in argument and looks_secret(argument)
    return found


def _argument(argument: str) -> str:
    name, equals, _ = argument.partition("=")
    if equals and looks_secret(name):
        return f"{name}={REMOVED}"
    return _ASSIGNED.sub(
        lambda found: f"{found[1]}{found[2]}{REMOVED}" if looks_secret(found[1]) else found[0], _text(argument)
    )


def clean_records(directory: Path) -> None:
    """Take out of an export's records what is not for publishing; one without such things stays byte for byte.

    Raises:
        OSError: one cannot be written.
    """
    config, manifest = (directory / name for name in RECORDS)
    data = yaml.safe_load(config.read_text(encoding="utf-8"))
    if (public := without_secrets(data)) != data:
        config.write_text(yaml.safe_dump(public, sort_keys=False, allow_unicode=True), encoding="utf-8")
    if not manifest.is_file():
        return
    record = json.loads(manifest.read_text(encoding="utf-8"))
    if (known := without_paths(without_secrets(record))) != record:
        manifest.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def without_paths(value: Any) -> Any:
    """A JSON value, or a text, with every absolute path in it cut to its last part."""
    if isinstance(value, Mapping):
        return {key: without_paths(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_last(inner) if isinstance(inner, str) else without_paths(inner) for inner in value]
    return _shortened(value) if isinstance(value, str) else value


def _last(argument: str) -> str:
    """An element of a list, such as an argument, which may be a path with spaces as a whole."""
    name, equals, path = argument.partition("=") if re.match(r"[\w.-]+=[~/]", argument) else ("", "", argument)
    if path.startswith(("/", "~/")) and "\n" not in path and len(PurePosixPath(path).parts) > 2:
        return f"{name}{equals}{PurePosixPath(path).name}"
    return _shortened(argument)


def _shortened(text: str) -> str:
    # A path that ends in a slash keeps the name of its last directory.
    text = _PATH.sub(lambda found: found[1] or PurePosixPath(found[0]).name, text)
    return _WINDOWS_PATH.sub("", text)
