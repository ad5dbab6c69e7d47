"""Sampling from a model behind an OpenAI-compatible endpoint: vLLM's own server, another server, or a provider.

Messages go to ``/chat/completions``, plain prompts to ``/completions``, many at a time; each reply goes to its source
as it comes. The endpoint has the tokenizer, so there are no token ids here: a completion has as many ids as the
endpoint counted tokens, all of them `UNKNOWN_TOKEN`, and log-probabilities where the endpoint gives them.

A seed is sent with every request. Whether equal seeds give equal completions is the endpoint's affair.
"""

from __future__ import annotations

import difflib
import os
import queue
import random
import threading
from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from proofgrad.rl.engine import Completion, Request, Source
from proofgrad.verifiers.errors import ConfigError, MissingExtraError, ProofgradError

__all__ = ["UNKNOWN_TOKEN", "EndpointDownError", "EndpointEngine", "NoTokenizer", "is_endpoint"]

UNKNOWN_TOKEN = -1
"""Stands for each token of a completion whose ids are the endpoint's secret."""

_LOCAL_KEY = "none"  # what a server of one's own wants to see in place of a key
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts
_POLL_SECONDS = 0.05  # how long a verdict that brings another turn may go unnoticed
_DETAIL_CHARS = 300

_Waiting: TypeAlias = "queue.SimpleQueue[Request | None]"
_Done: TypeAlias = "queue.SimpleQueue[tuple[int, Completion | BaseException]]"


def is_endpoint(model: str) -> bool:
    """Whether a model's name is an endpoint's address."""
    return model.startswith(("http://", "https://"))


class EndpointDownError(ProofgradError):
    """An endpoint answers no request any more."""


class NoTokenizer:
    """In place of the tokenizer of an endpoint's model: there are no tokens to be had."""

    def __call__(self, text: str, add_special_tokens: bool = False) -> dict[str, list[int]]:
        """No ids, whatever the text."""
        return {"input_ids": []}

    def apply_chat_template(self, messages: object, **_: object) -> str:
        """No text: the endpoint has the template."""
        return ""

    def decode(self, ids: object, **_: object) -> str:
        """No text."""
        return ""


class EndpointEngine:
    """Samples from an endpoint; safe to use for one source at a time.

    What may be different next time (no connection, no answer in time, 408, 409, 429, 5xx) is asked again after pauses
    that double and vary by half, or as long as the endpoint asks for up to half a minute. A request that fails for good
    is a completion with a `failure`, whose verdict is UNKNOWN.

    Args:
        url: of the API, e.g. ``http://127.0.0.1:8000/v1``.
        model: as the endpoint names it; if not given, the only one that it serves.
        api_key_env: environment variable that holds the key; without it a word is sent that local servers ignore.
        concurrency: requests under way at once.
        retries: how often one is sent again.
        timeout_s: how long the endpoint may take for one.
        seeds: send seeds. vLLM 0.31 on a CPU cannot sample with them.

    Raises:
        MissingExtraError: the client is not installed.
        ConfigError: the address is none, or the endpoint does not serve this model.
        ProofgradError: the endpoint cannot be reached, or refuses the key.
    """

    name = "endpoint"
    has_own_seeds = True

    def __init__(
        self,
        url: str,
        model: str | None = None,
        *,
        api_key_env: str = "OPENAI_API_KEY",
        concurrency: int = 16,
        retries: int = 5,
        timeout_s: float = 600.0,
        seeds: bool = True,
    ) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError("openai", "rubric", "a policy behind an endpoint") from error
        _check_url(url)
        self._openai, self._url, self._key_env = openai, url, api_key_env
        self._concurrency, self._retries, self._sends_seeds = concurrency, retries, seeds
        self._wants_logprobs = True
        self._stopped = threading.Event()
        self._client: Any = openai.OpenAI(
            base_url=url,
            api_key=os.environ.get(api_key_env) or _LOCAL_KEY,
            timeout=timeout_s,
            max_retries=0,  # the client's own retries obey a server that says "in two minutes"
        )
        self.model = self._find(model)

    def close(self) -> None:
        """Close the connections."""
        self._stopped.set()
        self._client.close()

    def generate(self, source: Source, temperature: float) -> None:
        """Send requests as the source gives them, and hand each completion back as it comes.

        Raises:
            EndpointDownError: every request has failed, or more in a row than are under way at once, twice over; after
                the latter, or when it is closed, nothing more is sent.
        """
        if self._stopped.is_set():
            raise EndpointDownError(f"the endpoint {self._url} was given up: start again")
        waiting: _Waiting = queue.SimpleQueue()
        done: _Done = queue.SimpleQueue()

        def work() -> None:
            while (request := waiting.get()) is not None and not self._stopped.is_set():
                try:
                    done.put((request.id, self._sample(request, temperature)))
                except BaseException as error:
                    done.put((request.id, error))

        # Daemons: whoever interrupts does not wait for what the endpoint is still writing.
        for number in range(self._concurrency):
            threading.Thread(target=work, name=f"endpoint-{number}", daemon=True).start()
        try:
            failed = self._feed(source, waiting, done)
        except BaseException:
            self._stopped.set()
            raise
        finally:
            for _ in range(self._concurrency):
                waiting.put(None)
        if failed is not None:
            raise failed

    def _feed(self, source: Source, waiting: _Waiting, done: _Done) -> EndpointDownError | None:
        """Send all there is; the error to raise where every request has failed."""
        under_way = failed_in_a_row = succeeded = 0
        failure = ""
        while True:
            for request in source.take(wait=not under_way):
                waiting.put(request)
                under_way += 1
            if not under_way:
                break
            for number, found in _arrived(done):
                under_way -= 1
                if isinstance(found, BaseException):
                    raise found
                failure = found.failure
                failed_in_a_row = failed_in_a_row + 1 if failure else 0
                succeeded += not failure
                if failed_in_a_row > 2 * self._concurrency:
                    raise self._down(failed_in_a_row, failure)
                source.put(number, found)
        return self._down(failed_in_a_row, failure) if failed_in_a_row and not succeeded else None

    def _down(self, requests: int, failure: str) -> EndpointDownError:
        return EndpointDownError(f"the endpoint {self._url} has failed {requests} requests in a row: {failure}")

    def _sample(self, request: Request, temperature: float) -> Completion:
        failure, pause = "", None
        for attempt in range(self._retries + 1):
            if pause is not None and self._stopped.wait(pause):
                break
            found, pause = self._sample_once(request, temperature, attempt)
            if isinstance(found, Completion):
                return found
            failure = found
            if pause is None:
                break
        return Completion([], [], "", truncated=False, failure=failure)

    def _sample_once(self, request: Request, temperature: float, attempt: int) -> tuple[Completion | str, float | None]:
        """A completion, or what went wrong and the seconds after which to try again: None for never."""
        openai = self._openai
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt) * random.uniform(0.5, 1.5)
        try:
            return _completion(self._send(request, temperature)), None
        except openai.APIStatusError as error:
            passing = error.status_code in (408, 409, 429) or error.status_code >= 500
            asked = _seconds(error.response.headers)
            return _words(f"status {error.status_code}: {error.message}"), (asked or pause) if passing else None
        except openai.APIConnectionError as error:  # a timeout is one of them
            return _words(f"{error} {error.__cause__ or ''}"), pause
        except (openai.OpenAIError, ValueError) as error:  # a body that is no JSON, or no completion
            return _words(error), pause

    def _send(self, request: Request, temperature: float) -> Any:
        """One request; sent again without asking for log-probabilities where the endpoint refuses them."""
        with_logprobs = self._wants_logprobs
        try:
            return self._post(request, temperature, with_logprobs)
        except self._openai.BadRequestError as error:
            if not (with_logprobs and "logprob" in str(error).lower()):
                raise
            self._wants_logprobs = False
            return self._post(request, temperature, with_logprobs=False)

    def _post(self, request: Request, temperature: float, with_logprobs: bool) -> Any:
        options: dict[str, Any] = {"model": self.model, "temperature": temperature}
        if self._sends_seeds:
            options["seed"] = request.seed
        if isinstance(request.prompt, str):
            options |= {"logprobs": 0} if with_logprobs else {}
            return self._client.completions.create(prompt=request.prompt, max_tokens=request.max_tokens, **options)
        options |= {"logprobs": True} if with_logprobs else {}
        messages = [dict(message) for message in request.prompt]
        return self._client.chat.completions.create(
            messages=messages, max_completion_tokens=request.max_tokens, **options
        )

    def _find(self, model: str | None) -> str:
        """The model to ask for, as the endpoint names it; an endpoint that lists none is believed."""
        openai = self._openai
        try:
            served = [str(found.id) for found in self._client.models.list().data or ()]
        except openai.AuthenticationError as error:
            raise ProofgradError(f"the endpoint {self._url} refuses the key: set {self._key_env}") from error
        except openai.APIStatusError as error:
            if error.status_code >= 500:
                said = _words(error.message)
                raise ProofgradError(
                    f"the endpoint {self._url} is not ready: status {error.status_code} {said}"
                ) from error
            served = []
        except openai.APIConnectionError as error:
            why = _words(error.__cause__ or error)
            raise ProofgradError(f"the endpoint {self._url} cannot be reached: {why}") from error
        except (openai.OpenAIError, ValueError, AttributeError, TypeError) as error:
            raise ProofgradError(f"{self._url} is no OpenAI-compatible endpoint: {_words(error)}") from error
        if model is None and len(served) == 1:
            return served[0]
        if model is None:
            listed = f"one of {', '.join(served)}" if served else "it lists none"
            raise ConfigError(f"say which model of {self._url} to ask with --served-model NAME ({listed})")
        if served and model not in served:
            near = difflib.get_close_matches(model, served, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it serves {', '.join(served)}"
            raise ConfigError(f"the endpoint {self._url} does not serve '{model}'; {hint}")
        return model


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_address = bool(parts.hostname) and url.isprintable() and parts.port != 0
    except ValueError:  # of brackets, or of the port
        is_address = False
    if not is_address:
        raise ConfigError(f"'{url}' is no endpoint's address: give one such as http://127.0.0.1:8000/v1")
    if parts.password or parts.username:
        raise ConfigError("an endpoint's address must not hold a key: name its environment variable with --api-key-env")


def _arrived(done: _Done) -> list[tuple[int, Completion | BaseException]]:
    """What is there, or comes within a moment."""
    try:
        found = [done.get(timeout=_POLL_SECONDS)]
    except queue.Empty:
        return []
    while not done.empty():
        found.append(done.get())
    return found


def _completion(reply: Any) -> Completion:
    """The completion in a reply; the client hands on whatever a server sends, whether it is one or not.

    Raises:
        ValueError: it is none.
    """
    choices = getattr(reply, "choices", None)
    if not isinstance(choices, list) or len(choices) != 1:
        raise ValueError(f"the reply is no completion: {str(reply)[:80]!r}")
    choice = choices[0]
    message = getattr(choice, "message", None)
    text = getattr(message, "content", None) if message is not None else getattr(choice, "text", None)
    if text is None and message is not None:  # a model that said nothing, or refused
        text = getattr(message, "refusal", None) or ""
    if not isinstance(text, str):
        raise ValueError(f"the reply's text is {type(text).__name__}")
    text = text.encode("utf-8", "replace").decode()  # half a character, as JSON can escape it, can be stored nowhere
    logprobs = _logprobs(getattr(choice, "logprobs", None))
    counted = getattr(getattr(reply, "usage", None), "completion_tokens", None)
    tokens = counted if isinstance(counted, int) and not isinstance(counted, bool) and counted >= 0 else len(logprobs)
    if not tokens and text:
        raise ValueError("the reply does not count its tokens (usage.completion_tokens)")
    known = logprobs if len(logprobs) == tokens else []
    truncated = getattr(choice, "finish_reason", None) == "length"
    return Completion([UNKNOWN_TOKEN] * tokens, known, text, truncated)


def _logprobs(found: Any) -> list[float]:
    """The log-probability of each token, as either protocol puts it; empty where there are none, or not all."""
    content, listed = getattr(found, "content", None), getattr(found, "token_logprobs", None)
    values = [getattr(entry, "logprob", None) for entry in content] if isinstance(content, list) else listed
    if not isinstance(values, list) or not all(isinstance(value, int | float) for value in values):
        return []
    return [float(value) for value in values]


def _seconds(headers: Mapping[str, str]) -> float | None:
    """How long the endpoint asks to be left alone, at most half a minute."""
    try:
        return min(_LONGEST_PAUSE, max(0.0, float(headers.get("retry-after", "")))) or None
    except ValueError:
        return None


def _words(error: object) -> str:
    return " ".join(str(error).split())[:_DETAIL_CHARS]
