"""Sampling from a vLLM server that has GPUs of its own, through TRL's client.

One HTTP request for each completion: each then has its own seed and its own end, and reaches its verifier while others
are still being written. New weights come to the server from the trainer (TRL's `VLLMGeneration`), by NCCL.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

from proofgrad.rl.config import GenerationConfig
from proofgrad.rl.engine import Completion, Request, Source
from proofgrad.verifiers.errors import ConfigError, ProofgradError

__all__ = ["ServerEngine", "connect", "server_command"]

# How often a source is asked for new requests while completions are under way.
_POLL_S = 0.02


def server_command(model: str, context: int) -> str:
    """What starts a server that a run can train with (docs/design/0009-lora-and-sharded-weights.md)."""
    return (
        f"VLLM_SERVER_DEV_MODE=1 vllm serve {model} --max-model-len {context} "
        """--weight-transfer-config '{"backend": "nccl"}' --logprobs-mode processed_logprobs"""
    )


def connect(settings: GenerationConfig, models: Collection[str], context: int) -> Any:
    """TRL's client of the configured server, once that is up, and found fit to train with.

    Args:
        settings: where it is, and how long to wait.
        models: the names and directories under which it may have been given the policy.
        context: the longest sequence to sample, in tokens.

    Raises:
        ConfigError: no server answers there, or it was started with another model or without what training needs.
    """
    url = settings.server_url.rstrip("/")
    command = server_command(next(iter(models)), context)
    _wait_for(url, settings.server_timeout_s, command)
    from trl.generation.vllm_client import VLLMClient

    try:
        client = VLLMClient(base_url=url)
        bound(client, settings)
        info = client.get_server_info()
    except Exception as error:  # TRL raises no narrower one
        raise ConfigError(
            f"generation.server_url: the server at {url} is no vLLM server with its development endpoints "
            f"({_first_line(error)}): start it with {command}"
        ) from error
    if not _is_among(info["model_config"]["model"], models):
        raise ConfigError(
            f"generation.server_url: the server at {url} has the model '{info['model_config']['model']}', and this "
            f"run trains '{next(iter(models))}': start it with {command}"
        )
    wanted = {
        "a weight-transfer engine": info["weight_transfer_config"] is not None,
        "--logprobs-mode processed_logprobs": info["model_config"]["logprobs_mode"] == "processed_logprobs",
        f"room for {context} tokens": info["model_config"]["max_model_len"] >= context,
    }
    for what, is_there in wanted.items():
        if not is_there:
            raise ConfigError(
                f"generation.server_url: the server at {url} was started without {what}: start it with {command}"
            )
    return client


def bound(client: Any, settings: GenerationConfig) -> None:
    """Give a client's requests a time limit, which TRL's have not, and connections for all that are made at once.

    A request that timed out is not sent again: it would come behind the one that the server is still at.
    """
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    retry = Retry(connect=5, read=0, status=3, status_forcelist=[502, 503], backoff_factor=1, allowed_methods=None)
    adapter = HTTPAdapter(max_retries=retry, pool_maxsize=settings.server_requests)
    for scheme in ("http://", "https://"):
        client.session.mount(scheme, adapter)
    client.session.request = partial(client.session.request, timeout=settings.request_timeout_s)


def _wait_for(url: str, seconds: float, command: str) -> None:
    """TRL's own wait does not end where something else listens."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=10):
                return
        except (OSError, ValueError) as error:  # urllib's URLError and HTTPError are OSErrors
            reason = getattr(error, "reason", None) or error
        if time.monotonic() >= deadline:
            raise ConfigError(
                f"generation.server_url: no vLLM server answers at {url} after {seconds:g} s ({reason}): start it "
                f"with {command}"
            )
        time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))


def _is_among(model: str, models: Collection[str]) -> bool:
    """Whether a server's model is one of those, by name or as the same directory."""
    return model in models or Path(model).resolve() in {Path(each).resolve() for each in models}


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


class ServerEngine:
    """Samples from a vLLM server.

    Args:
        client: TRL's, see `connect`.
        tokenizer: the policy's.
        end_tokens: the tokens that end a completion.
        requests: completions under way at once.
    """

    name = "vllm"
    has_own_seeds = True

    def __init__(self, client: Any, tokenizer: Any, end_tokens: Collection[int], requests: int) -> None:
        self._client, self._tokenizer = client, tokenizer
        self._end_tokens, self._requests = end_tokens, requests

    def generate(self, source: Source, temperature: float) -> None:
        """Keep `requests` completions under way as long as the source has some.

        Raises:
            ProofgradError: the server failed, or did not answer in time.
        """
        threads = ThreadPoolExecutor(self._requests, thread_name_prefix="vllm-server")
        under_way: dict[Future[Completion], int] = {}
        try:
            while True:
                for request in source.take(wait=not under_way):
                    under_way[threads.submit(self._sample, request, temperature)] = request.id
                if not under_way:
                    return
                # A verdict may free another request before the next completion is there.
                finished, _ = wait(under_way, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in finished:
                    source.put(under_way.pop(future), future.result())
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def _sample(self, request: Request, temperature: float) -> Completion:
        try:
            answer = self._client.generate(
                [list(request.prompt_ids)],
                temperature=temperature,
                max_tokens=request.max_tokens,
                logprobs=0,
                generation_kwargs={"seed": request.seed},
            )
        except Exception as error:  # TRL raises no narrower one for a status that is not 200
            raise ProofgradError(
                f"the vLLM server at {self._client.base_url} failed ({_first_line(error)}): see its log, start it "
                "again, and go on with the run by proofgrad train --resume"
            ) from error
        (token_ids,), (scored,), (scored_ids,) = (
            answer[key] for key in ("completion_ids", "logprobs", "logprob_token_ids")
        )
        logprobs = [values[ids.index(token)] for token, values, ids in zip(token_ids, scored, scored_ids, strict=True)]
        text = self._tokenizer.decode(token_ids, skip_special_tokens=True)
        return Completion(token_ids, logprobs, text, truncated=token_ids[-1] not in self._end_tokens)
