"""A judge in this process: vLLM with a model of its own, no server."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proofgrad.verifiers.errors import ConfigError, MissingExtraError
from proofgrad.verifiers.rubric.judge import Mark, parse_reply
from proofgrad.verifiers.rubric.prompt import SCHEMA, Question
from proofgrad.verifiers.vllm_environment import prepare_vllm_environment

__all__ = ["VLLMJudge", "model_identity"]

_SAMPLED_BYTES = 1 << 16
_WEIGHTS = (".safetensors", ".bin", ".json", ".jinja", ".model")


class VLLMJudge:
    """A model that vLLM runs in this process. Greedy, with replies constrained by the JSON schema.

    Greedy decoding needs no seed. Numbers may still depend in their last digits on what else is in a batch, so that a
    judge on the fence between two scores can fall to either side; the calibration's consistency measures how often.

    Args:
        model: a directory, or a name on the Hugging Face Hub.
        max_model_len: longest prompt and reply together, in tokens.
        memory: share of GPU memory; without a GPU, ``VLLM_CPU_KVCACHE_SPACE`` (GiB) decides.
        max_tokens: of a reply.

    Raises:
        MissingExtraError: vLLM is not installed.
        ConfigError: there is no such model, or vLLM cannot load it.
    """

    def __init__(self, model: str, *, max_model_len: int = 4096, memory: float = 0.3, max_tokens: int = 64) -> None:
        prepare_vllm_environment()
        self.model = model_identity(model)
        try:
            from vllm import LLM
        except ImportError as error:
            raise MissingExtraError("vllm", "vllm", "a judge in this process") from error
        try:
            self._llm: Any = LLM(
                model=model,
                max_model_len=max_model_len,
                max_num_seqs=32,
                gpu_memory_utilization=memory,
                seed=0,
                # White space is allowed between tokens of JSON, and a small model can go on with it for ever.
                structured_outputs_config={"backend": "xgrammar", "disable_any_whitespace": True},
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigError(f"vLLM cannot load the judge '{model}': {' '.join(str(error).split())[:300]}") from error
        tokenizer: Any = self._llm.get_tokenizer()
        self.special_tokens: Sequence[str] = tuple(
            {*tokenizer.all_special_tokens, *(str(token) for token in tokenizer.get_added_vocab())}
        )
        self._max_tokens = max_tokens
        self._lock = threading.Lock()

    def ask(self, questions: Sequence[Question]) -> list[Mark]:
        """One mark for each question, in order; all of them in one batch."""
        try:
            with self._lock:
                return self._ask(questions)
        # One prompt that is too long spoils the batch, and what vLLM raises has no base class of its own.
        except Exception as error:
            if len(questions) == 1:
                return [Mark.none("rejected", f"{type(error).__name__}: {error}")]
        return [mark for question in questions for mark in self.ask([question])]

    def close(self) -> None:
        """Drop the model."""
        with self._lock:
            self._llm = None

    def _ask(self, questions: Sequence[Question]) -> list[Mark]:
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        params = SamplingParams(
            temperature=0.0,
            max_tokens=self._max_tokens,
            structured_outputs=StructuredOutputsParams(json=SCHEMA),
        )
        outputs = self._llm.chat([question.messages() for question in questions], params, use_tqdm=False)
        return [self._mark(output.outputs[0]) for output in outputs]

    def _mark(self, output: Any) -> Mark:
        if output.finish_reason == "length":
            return Mark.none("unparseable", "the reply was cut off")
        return parse_reply(output.text)


def model_identity(model: str) -> str:
    """The name of a judge: that of its directory with a digest, or the Hub name as it is.

    The digest is over names, sizes, and the first and last 64 KiB of the files: it tells a retrained model from the one
    that was calibrated, without reading tens of gigabytes.

    Raises:
        ConfigError: the directory has no model in it.
    """
    path = Path(model)
    if not path.is_dir():
        if path.is_absolute() or model.startswith("."):
            raise ConfigError(f"there is no model directory '{model}'")
        return model
    digest = hashlib.sha256()
    files = sorted(file for file in path.iterdir() if file.suffix in _WEIGHTS)
    if not (path / "config.json").is_file():
        raise ConfigError(f"'{model}' is no model directory: it has no config.json")
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.name}\0{size}\0".encode())
        with file.open("rb") as data:
            digest.update(data.read(_SAMPLED_BYTES))
            data.seek(max(0, size - _SAMPLED_BYTES))
            digest.update(data.read())
    return f"{path.resolve().name}@{digest.hexdigest()[:12]}"
