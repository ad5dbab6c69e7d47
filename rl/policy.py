"""Make a small policy from scratch, or load any causal language model by path or Hub name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from proofgrad.envs.base import Prompt
from proofgrad.rl.config import PolicyConfig, ScratchPolicy
from proofgrad.verifiers.errors import ConfigError

__all__ = [
    "Policy",
    "context_length",
    "find_policy",
    "load_policy",
    "make_policy",
    "make_tokenizer",
    "prompt_ids",
    "save_policy",
]

PAD, EOS = "<|pad|>", "<|end|>"

# One token an identifier (`h1`, ` intro`), a digit, a symbol or a run of white space: the units in which proofs and
# programs are written, so that a small vocabulary still gives short sequences.
_WORDS = r" ?[\p{L}_][\p{L}\p{N}_]*| ?\p{N}| ?[^\s\p{L}\p{N}]|\n *|\s"


class Policy(NamedTuple):
    """A model with its tokenizer, and the directory or Hub name it was loaded from."""

    model: Any
    tokenizer: Any
    path: str


def make_tokenizer(texts: Iterable[str], vocab_size: int) -> Any:
    """A byte-level BPE tokenizer trained on `texts`; every string can be encoded.

    Args:
        texts: what the policy will read and write.
        vocab_size: upper bound on the number of tokens, the 256 bytes and 2 special tokens included.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=EOS, clean_up_tokenization_spaces=False
    )


def make_policy(shape: ScratchPolicy, texts: Iterable[str], seed: int) -> Policy:
    """A randomly initialised Qwen3-shaped policy with a tokenizer fitted to `texts`."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = make_tokenizer(texts, shape.vocab_size)
    torch.manual_seed(seed)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=-(-len(tokenizer) // 64) * 64,  # a multiple of 64 suits every matrix kernel
            hidden_size=shape.hidden_size,
            intermediate_size=shape.intermediate_size,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.key_value_heads,
            head_dim=shape.head_dim,
            max_position_embeddings=shape.context,
            initializer_range=shape.initializer_range,
            tie_word_embeddings=True,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
        )
    )
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return Policy(model, tokenizer, "scratch")


def save_policy(policy: Policy, directory: Path, state: Mapping[str, Any] | None = None) -> None:
    """Write weights, configuration and tokenizer as plain transformers files.

    Args:
        policy: what to write.
        directory: where to.
        state: its whole state dict, where the model itself has only this process's share of the weights.
    """
    if state is not None:
        # Gathered one by one, tied weights no longer look like the one tensor that they are.
        state = {name: tensor for name, tensor in state.items() if name not in policy.model.all_tied_weights_keys}
    policy.model.save_pretrained(directory, state_dict=state)
    policy.tokenizer.save_pretrained(directory)


def find_policy(config: PolicyConfig) -> str:
    """The directory or Hub name of a policy; imports nothing heavy, so that a mistyped path is answered at once.

    Raises:
        ConfigError: it is a directory without a model.
    """
    path = str(config.path)
    looks_local = path.startswith((".", "/", "~")) or Path(path).exists()
    if looks_local and not (Path(path).expanduser() / "config.json").is_file():
        raise ConfigError(f"policy.path: there is no model in '{path}' (no config.json): name a model directory")
    return str(Path(path).expanduser()) if looks_local else path


def load_policy(config: PolicyConfig) -> Policy:
    """Load a policy that `save_policy` wrote, or any causal language model.

    Raises:
        ConfigError: there is nothing usable at that path or name.
    """
    path = find_policy(config)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, config.dtype))
    except (OSError, ValueError) as error:
        raise ConfigError(f"policy.path: cannot load '{path}': {str(error).splitlines()[0]}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Policy(model, tokenizer, path)


def prompt_ids(tokenizer: Any, prompt: Prompt) -> list[int]:
    """Token ids of a prompt: plain text as it is, messages through the tokenizer's chat template."""
    if isinstance(prompt, str):
        return list(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    rendered = tokenizer.apply_chat_template(list(prompt), add_generation_prompt=True, tokenize=False)
    return list(tokenizer(rendered, add_special_tokens=False)["input_ids"])


def context_length(model: Any) -> int:
    """Longest sequence that an engine must hold; long-context models are capped to what a small GPU has memory for."""
    return int(min(model.config.get_text_config().max_position_embeddings, 8192))
