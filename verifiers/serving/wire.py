"""What travels: strict JSON in, its shape checked by hand so that each refusal names the field, and JSON out.

All text leaves as ASCII JSON. So lone surrogates can be answered at all, and no terminal or log that a reply ends up in
meets control characters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from proofgrad.verifiers.base import Json, Problem, Verdict
from proofgrad.verifiers.code.compare import NotStrictJson, parse_strict

__all__ = [
    "BATCH_SCHEMA",
    "ERROR_SCHEMA",
    "LINE_SCHEMA",
    "NAME_CHARS",
    "VERDICT_SCHEMA",
    "VERIFY_SCHEMA",
    "Ask",
    "Refusal",
    "dumps",
    "one_line",
    "parse_batch",
    "parse_body",
    "parse_verify",
    "verdict_json",
]

NAME_CHARS = 128
"""The longest name of a verifier, and the longest id of an item."""

_DETAIL_CHARS = 500
_VERSION_CHARS = 1024


class Refusal(Exception):  # noqa: N818  # what the server does, not what is wrong with it
    """A request that is turned away: its status, one line that says why, and when to come again (seconds)."""

    def __init__(self, status: int, detail: str, *, cause: str = "", retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail = status, one_line(detail)
        self.cause, self.retry_after = cause, retry_after


@dataclass(frozen=True, slots=True)
class Ask:
    """One candidate to be judged.

    Attributes:
        id: the client's own name for it in a batch.
        version: the verifier's version that the client counts on, or None.
    """

    verifier: str
    problem: Problem
    candidate: str
    version: str | None = None
    id: str = ""


def one_line(text: str) -> str:
    """`text` as one printable line of bounded length."""
    line = "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))
    return line if len(line) <= _DETAIL_CHARS else line[: _DETAIL_CHARS - 1] + "…"


def dumps(value: object) -> bytes:
    """Strict JSON, in ASCII and on one line.

    Raises:
        ValueError, TypeError, RecursionError: the value is not JSON.
    """
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def parse_body(raw: bytes, depth: int) -> Json:
    """The JSON value in a body.

    Raises:
        Refusal: 422, it is not strict JSON (RFC 8259, unique keys) in UTF-8, or nested deeper than `depth`.
    """
    try:
        value = parse_strict(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise Refusal(422, "the body is not UTF-8 text") from None
    except NotStrictJson as error:
        raise Refusal(422, f"the body is not strict JSON: {str(error).partition(': ')[2]}") from None
    level: list[Any] = [value]
    for _ in range(depth + 1):
        level = [
            part
            for node in level
            if isinstance(node, dict | list)
            for part in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return value
    raise Refusal(422, f"the body is nested deeper than {depth} levels")


def parse_verify(value: Json) -> Ask:
    """The body of ``POST /verify``.

    Raises:
        Refusal: 422, naming the field.
    """
    return _ask(value, "", ("verifier", "problem", "candidate"))


def parse_batch(value: Json, most: int) -> list[Ask]:
    """The body of ``POST /verify_batch``: 1 to `most` items whose ids differ.

    Raises:
        Refusal: 422, naming the field.
    """
    items = _object(value, "the body", ("items",), ())["items"]
    if not isinstance(items, list):
        raise Refusal(422, f"items: must be a list, got {_kind(items)}")
    if not 1 <= len(items) <= most:
        raise Refusal(422, f"items: must be 1 to {most}, got {len(items)}; send more batches in place of a larger one")
    asks = [
        _ask(item, f"items[{number}]", ("id", "verifier", "problem", "candidate")) for number, item in enumerate(items)
    ]
    seen: dict[str, int] = {}
    for number, ask in enumerate(asks):
        if (first := seen.setdefault(ask.id, number)) != number:
            raise Refusal(422, f"items[{number}].id: is that of items[{first}]; ids must differ")
    return asks


def verdict_json(verdict: Verdict, *, include_evidence: bool) -> bytes:
    """A verdict as JSON; one that is not JSON-clean is a verifier's bug, and so UNKNOWN."""
    shown = verdict if include_evidence else replace(verdict, evidence={})
    try:
        return dumps(shown.to_json())
    except (ValueError, TypeError, RecursionError) as error:
        what = one_line(f"{type(error).__name__}: {error}")
        evidence: dict[str, Json] = {"error": what} if include_evidence else {}
        return dumps(Verdict.unknown("infra.verdict_not_json", evidence=evidence, seconds=0.0).to_json())


def _ask(value: Json, where: str, required: tuple[str, ...]) -> Ask:
    given = _object(value, where or "the body", required, ("version",))
    at = f"{where}." if where else ""
    for key, most in (("id", NAME_CHARS), ("verifier", NAME_CHARS), ("candidate", None), ("version", _VERSION_CHARS)):
        text = given.get(key)
        if key not in given or (key == "version" and text is None):
            continue
        if not isinstance(text, str):
            raise Refusal(422, f"{at}{key}: must be a string, got {_kind(text)}")
        if most is not None and not 1 <= len(text) <= most:
            raise Refusal(422, f"{at}{key}: must have 1 to {most} characters, got {len(text)}")
    if not isinstance(given["problem"], dict):
        raise Refusal(422, f"{at}problem: must be an object, got {_kind(given['problem'])}")
    return Ask(**given)


def _object(value: Json, where: str, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refusal(422, f"{where}: must be an object, got {_kind(value)}")
    for key in required:
        if key not in value:
            raise Refusal(422, f"{where}: lacks '{key}'")
    for key in value:
        if key not in required and key not in optional:
            raise Refusal(422, f"{where}: unknown key '{key[:80]}'; known: {', '.join((*required, *optional))}")
    return value


def _kind(value: object) -> str:
    names: Mapping[type, str] = {
        dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number",
    }  # fmt: skip
    return "null" if value is None else names.get(type(value), "something else")


def _name(what: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": NAME_CHARS, "description": what}


_ASK: dict[str, Any] = {
    "verifier": _name("A name of GET /verifiers."),
    "problem": {"type": "object", "description": "What the verifier documents as its problem."},
    "candidate": {"type": "string", "description": "What is to be judged."},
    "version": {
        "type": ["string", "null"],
        "minLength": 1,
        "maxLength": _VERSION_CHARS,
        "description": "Judge only if the verifier has this version; 409 otherwise.",
    },
}
VERIFY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["verifier", "problem", "candidate"],
    "properties": _ASK,
}
ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["detail"],
    "properties": {"detail": {"type": "string", "description": "One line that says what is wrong."}},
}
_OUTCOMES: list[dict[str, Any]] = [
    {"properties": {"outcome": {"enum": ["pass", "fail"]}, "score": {"type": "number", "minimum": 0, "maximum": 1}}},
    {"properties": {"outcome": {"const": "unknown"}, "score": {"type": "null"}}},
]
VERDICT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["outcome", "score", "reason", "feedback", "evidence", "seconds"],
    "properties": {
        "outcome": {"type": "string", "enum": ["pass", "fail", "unknown"]},
        "score": {"type": ["number", "null"], "description": "In [0, 1]; null exactly when the outcome is unknown."},
        "reason": {"type": "string", "minLength": 1, "description": "Stable dotted code."},
        "feedback": {"type": "string", "description": "What a policy may be shown."},
        "evidence": {"type": "object"},
        "seconds": {"type": "number", "minimum": 0},
    },
    "oneOf": _OUTCOMES,
}
LINE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "One line of the stream: an item's id with its verdict, or with what is wrong with it.",
    "required": ["id"],
    "oneOf": [
        {"required": ["verdict"], "properties": {"verdict": VERDICT_SCHEMA}},
        {
            "required": ["error"],
            "properties": {
                "error": {
                    "type": "object",
                    "required": ["status", "detail"],
                    "properties": {"status": {"type": "integer"}, "detail": {"type": "string"}},
                }
            },
        },
    ],
    "properties": {"id": {"type": "string"}},
}


def BATCH_SCHEMA(most: int) -> dict[str, Any]:  # noqa: N802  # a schema like the others, of which one number varies
    """The schema of a batch of 1 to `most` items."""
    item = {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", *VERIFY_SCHEMA["required"]],
        "properties": {"id": _name("Yours; it comes back with the verdict. Different for each item."), **_ASK},
    }
    items = {"type": "array", "minItems": 1, "maxItems": most, "items": item}
    return {"type": "object", "additionalProperties": False, "required": ["items"], "properties": {"items": items}}
