"""Judges: whoever scores one criterion of one answer. An OpenAI-compatible endpoint here, vLLM itself in `in_process`.

A judge that says anything but what it was asked for has said nothing: a reply in prose, with a second key, a score as
a string, or one out of range is no mark. Nothing is repaired: what a repair would read could come from the answer.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, model_validator

from proofgrad.verifiers.errors import ConfigError, MissingExtraError
from proofgrad.verifiers.rubric.prompt import HIGHEST, LOWEST, SCHEMA, Question
from proofgrad.verifiers.validation import validated

__all__ = ["Judge", "Mark", "OpenAIJudge", "judge_model", "make_judge", "parse_reply"]

_REPLY_CHARS = 4096
_DETAIL_CHARS = 300
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0  # seconds between attempts
_LOCAL_KEY = "none"  # what a server of one's own wants to see in place of a key


@dataclass(frozen=True, slots=True)
class Mark:
    """A judge's answer to one question.

    Attributes:
        score: from 1 to 5; None when there is none.
        reason: why there is none: ``infra.judge_unreachable``, ``infra.judge_timeout``, ``infra.judge_rejected`` (the
            server refuses the request), ``infra.judge_refused`` (the model refuses to judge) or
            ``infra.judge_unparseable``.
        detail: the same in words. Never to be shown to a policy: an answer may have steered it.
    """

    score: int | None
    reason: str = ""
    detail: str = ""

    @classmethod
    def none(cls, reason: str, detail: object) -> Mark:
        """No mark, and why."""
        return cls(None, f"infra.judge_{reason}", " ".join(str(detail).split())[:_DETAIL_CHARS])


@runtime_checkable
class Judge(Protocol):
    """Scores answers by criteria. Safe to call from several threads.

    Attributes:
        model: names the judge in verdicts and calibrations: another name is another judge.
        special_tokens: of its tokenizer, as far as they are known.
    """

    model: str

    @property
    def special_tokens(self) -> Sequence[str]: ...

    def ask(self, questions: Sequence[Question]) -> list[Mark]:
        """One mark for each question, in order. Raises nothing for what goes wrong with the judge."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class _NoMarkError(ValueError):
    """A reply is not what was asked for."""


def parse_reply(text: object) -> Mark:
    """The mark in a judge's reply: exactly ``{"score": n}`` with a whole number from 1 to 5, or none."""
    if not isinstance(text, str):
        return Mark.none("unparseable", f"the reply is no text but {type(text).__name__}")
    if len(text) > _REPLY_CHARS:
        return Mark.none("unparseable", f"the reply has {len(text)} characters")
    try:
        found = json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return Mark.none("unparseable", f"{error}: {text[:80]!r}")
    if not isinstance(found, dict) or found.keys() != {"score"}:
        return Mark.none("unparseable", f"no object with the one key 'score': {text[:80]!r}")
    score = found["score"]
    if type(score) is not int or not LOWEST <= score <= HIGHEST:
        return Mark.none("unparseable", f"the score is no whole number from {LOWEST} to {HIGHEST}: {text[:80]!r}")
    return Mark(score)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NoMarkError("a key stands twice")
    return found


def _no_constant(name: str) -> None:
    raise _NoMarkError(f"{name} is no JSON")


class OpenAIJudge:
    """A model behind an OpenAI-compatible endpoint, vLLM's server included.

    Replies are constrained by a JSON schema, at temperature 0 with a fixed seed. What may be different next time (no
    connection, no answer in time, 429, 5xx, a reply that is no mark) is asked again; what may not be is not.

    JSON allows white space, and a small model can go on with it until its reply is cut off. vLLM's server leaves it out
    with ``--structured-outputs-config '{"backend": "xgrammar", "disable_any_whitespace": true}'``.

    Args:
        url: of the API, e.g. ``http://127.0.0.1:8000/v1``.
        model: as the endpoint names it.
        api_key_env: environment variable that holds the key; without it a word is sent that local servers ignore.
        timeout_s: how long the endpoint may be silent.
        retries: how often a question is asked again.
        concurrency: questions under way at once.
        max_tokens: of a reply; a model that thinks before it replies needs more.
        special_tokens: of its tokenizer, where they are not of a usual shape (`quoting.defused`).

    Raises:
        MissingExtraError: the client is not installed.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key_env: str = "OPENAI_API_KEY",
        timeout_s: float = 60.0,
        retries: int = 2,
        concurrency: int = 8,
        max_tokens: int = 64,
        special_tokens: Sequence[str] = (),
    ) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError("openai", "rubric", "a judge behind an endpoint") from error
        self.model = model
        self.special_tokens = tuple(special_tokens)
        self._retries, self._max_tokens = retries, max_tokens
        self._errors = openai
        self._client: Any = openai.OpenAI(
            base_url=url,
            api_key=os.environ.get(api_key_env) or _LOCAL_KEY,
            timeout=timeout_s,
            max_retries=0,  # the client's own retries obey a server that says "in two minutes"
        )
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="judge")

    def ask(self, questions: Sequence[Question]) -> list[Mark]:
        """One mark for each question, in order."""
        if len(questions) == 1:
            return [self._mark(questions[0])]
        return list(self._threads.map(self._mark, questions))

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown()
        self._client.close()

    def _mark(self, question: Question) -> Mark:
        mark = Mark.none("unreachable", "it was not asked")
        for attempt in range(self._retries + 1):
            if attempt:
                time.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt - 1)))
            mark, is_final = self._mark_once(question)
            if is_final:
                break
        return mark

    def _mark_once(self, question: Question) -> tuple[Mark, bool]:
        """A mark, and whether asking again is of no use."""
        openai = self._errors
        try:
            reply: Any = self._client.chat.completions.create(
                model=self.model,
                messages=question.messages(),
                temperature=0.0,
                seed=0,
                max_completion_tokens=self._max_tokens,
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "mark", "strict": True, "schema": SCHEMA},
                },
            )
        except openai.APITimeoutError as error:
            return Mark.none("timeout", error), False
        except openai.APIStatusError as error:
            passing = error.status_code in (408, 409, 429) or error.status_code >= 500
            status = f"status {error.status_code}: {error.message}"
            return Mark.none("unreachable" if passing else "rejected", status), not passing
        except openai.APIConnectionError as error:
            return Mark.none("unreachable", f"{error} {error.__cause__ or ''}"), False
        except (openai.OpenAIError, ValueError) as error:  # a body that is no JSON is a ValueError
            return Mark.none("unparseable", error), False
        mark = _mark_of(reply)
        return mark, mark.score is not None or mark.reason == "infra.judge_refused"


def _mark_of(reply: Any) -> Mark:
    """The mark in a chat completion; the client hands on whatever a server sends, whether it is one or not."""
    choices = getattr(reply, "choices", None)
    if not isinstance(choices, list) or len(choices) != 1 or not hasattr(choices[0], "message"):
        return Mark.none("unparseable", f"the endpoint's reply is no chat completion: {str(reply)[:80]!r}")
    message, ending = choices[0].message, getattr(choices[0], "finish_reason", None)
    refusal = getattr(message, "refusal", None)
    if refusal or ending == "content_filter":
        return Mark.none("refused", refusal or "content filter")
    if ending == "length":
        return Mark.none("unparseable", "the reply was cut off; a model that thinks first needs a larger max_tokens")
    return parse_reply(getattr(message, "content", None))


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = None
    model: str | None = None
    in_process: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    timeout_s: float = Field(60.0, gt=0)
    retries: int = Field(2, ge=0, le=10)
    concurrency: int = Field(8, ge=1, le=256)
    max_tokens: int = Field(64, ge=8)
    special_tokens: tuple[str, ...] = ()
    max_model_len: int = Field(4096, ge=256)
    memory: float = Field(0.3, gt=0, lt=1)

    @model_validator(mode="after")
    def _one_of(self) -> _Spec:
        if (self.url is None) == (self.in_process is None):
            raise ValueError("give either 'url' and 'model' of an endpoint, or 'in_process' with a model's directory")
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url must begin with http:// or https://, got {self.url!r}")
        if self.url is not None and not self.model:
            raise ValueError("an endpoint needs 'model', the name under which it serves the judge")
        unused = {"max_model_len", "memory"} if self.url is not None else set(_ENDPOINT_ONLY)
        if odd := sorted(unused & self.model_fields_set):
            raise ValueError(f"{odd[0]} is of no use with {'url' if self.url is not None else 'in_process'}")
        return self


_ENDPOINT_ONLY = ("model", "api_key_env", "timeout_s", "retries", "concurrency", "special_tokens")


def judge_model(judge: Judge | Mapping[str, Any]) -> str:
    """The name of the judge that `make_judge` would make, without loading or reaching anything.

    Raises:
        ConfigError: a key is unknown, missing or out of range, or there is no such model directory.
    """
    if isinstance(judge, Mapping):
        from proofgrad.verifiers.rubric.in_process import model_identity

        spec = _spec(judge)
        return spec.model or model_identity(spec.in_process or "")
    return _is_judge(judge).model


def make_judge(judge: Judge | Mapping[str, Any]) -> Judge:
    """The judge that a configuration describes: ``{url, model, ...}`` or ``{in_process: DIRECTORY, ...}``.

    The other keys are the options of `OpenAIJudge` and `VLLMJudge`.

    Raises:
        ConfigError: a key is unknown, missing or out of range.
        MissingExtraError: the client, or vLLM, is not installed.
    """
    if not isinstance(judge, Mapping):
        return _is_judge(judge)
    spec = _spec(judge)
    if spec.url is not None and spec.model is not None:
        options = {name: getattr(spec, name) for name in (*_ENDPOINT_ONLY[1:], "max_tokens")}
        return OpenAIJudge(spec.url, spec.model, **options)
    from proofgrad.verifiers.rubric.in_process import VLLMJudge

    return VLLMJudge(
        spec.in_process or "", max_model_len=spec.max_model_len, memory=spec.memory, max_tokens=spec.max_tokens
    )


def _spec(judge: Mapping[str, Any]) -> _Spec:
    return validated(_Spec, dict(judge), "judge")


def _is_judge(judge: object) -> Judge:
    if not isinstance(judge, Judge):
        raise ConfigError(f"judge: give a mapping with 'url' and 'model' or with 'in_process', got {judge!r}")
    return judge
