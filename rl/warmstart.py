"""A supervised start on demonstrations, for a policy that cannot yet score (TRL's SFTTrainer)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import PartialState
from datasets import Dataset
from transformers import PrinterCallback
from trl import SFTConfig, SFTTrainer

from proofgrad import envs as env_registry
from proofgrad.envs.base import Prompt
from proofgrad.rl.config import PolicyConfig, WarmStartConfig
from proofgrad.rl.console import track
from proofgrad.rl.policy import Policy, load_policy, make_policy, save_policy
from proofgrad.rl.progress import ProgressCallback
from proofgrad.verifiers.errors import ConfigError

if TYPE_CHECKING:
    from proofgrad.rl.session import Session

__all__ = ["collect_demonstrations", "start_policy", "warm_start"]

Demonstration = tuple[Prompt, str]


def start_policy(session: Session) -> Policy:
    """The policy at the start of GRPO, from the run directory where an earlier process of this run made it."""
    config, run = session.config, session.run
    started = run.warm_start
    if not (started / "config.json").exists():
        demonstrations = collect_demonstrations(session)
        if config.policy.scratch is not None:
            if not demonstrations:
                raise ConfigError(
                    "policy.scratch needs demonstrations to make its tokenizer: set warm_start.demonstrations"
                )
            policy = make_policy(config.policy.scratch, _texts(demonstrations), config.seed)
            session.say(f"made a policy of {policy.model.num_parameters() / 1e6:.1f} M parameters from scratch")
        else:
            policy = load_policy(config.policy)
            session.say(f"loaded {policy.path}")
        if demonstrations:
            for entry in warm_start(policy, demonstrations, config.warm_start, config.seed, run.path / "checkpoints"):
                if session.is_main_process():
                    run.log("warm-start", entry["step"], {"loss": entry["loss"]})
        if session.is_main_process():
            written = started.with_name("warm-start.partial")
            save_policy(policy, written)
            run.move_into_place(written, started)
        PartialState().wait_for_everyone()
    return load_policy(PolicyConfig(path=str(started), dtype=config.policy.dtype))


def collect_demonstrations(session: Session) -> list[Demonstration]:
    """Prompts of the training split, each with a completion that passes, from every environment in turn."""
    config, n = session.config, session.config.warm_start.demonstrations
    found: list[Demonstration] = []
    if n:
        with track("making demonstrations", n * len(config.envs)) as tracker:
            for settings in config.envs:
                env = env_registry.get(settings.name, **{**settings.options, **settings.demonstration_options})
                for task, completion in env.demonstrations(n, config.seed):
                    found.append((task.prompt, completion))
                    tracker.advance()
    return found


def _texts(demonstrations: Sequence[Demonstration]) -> Iterator[str]:
    for prompt, completion in demonstrations:
        yield prompt if isinstance(prompt, str) else "".join(message["content"] for message in prompt)
        yield completion


def warm_start(
    policy: Policy, demonstrations: Sequence[Demonstration], settings: WarmStartConfig, seed: int, scratch_dir: Path
) -> list[dict[str, Any]]:
    """Train `policy` in place on demonstrations; the loss counts completion tokens only.

    Returns the trainer's log, one mapping for each logged step.
    """
    rows = [_row(prompt, completion) for prompt, completion in demonstrations]
    trainer = SFTTrainer(
        model=policy.model,
        processing_class=policy.tokenizer,
        train_dataset=Dataset.from_list(rows),
        args=SFTConfig(
            output_dir=str(scratch_dir),
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=20,
            weight_decay=0.01,
            adam_beta2=0.98,  # a few hundred steps are too short for the default's memory of a thousand
            train_sampling_strategy="group_by_length",  # little padding
            max_length=policy.model.config.max_position_embeddings,
            completion_only_loss=True,
            gradient_checkpointing=False,
            bf16=torch.cuda.is_available() and policy.model.dtype == torch.bfloat16,
            use_cpu=not torch.cuda.is_available(),
            dataloader_pin_memory=torch.cuda.is_available(),
            logging_steps=10,
            save_strategy="no",
            report_to=[],
            seed=seed,
            disable_tqdm=True,
        ),
    )
    trainer.remove_callback(PrinterCallback)
    with track("warm start", trainer_steps(trainer, len(rows), settings)) as tracker:
        trainer.add_callback(ProgressCallback(tracker, {"loss": "loss", "mean_token_accuracy": "token accuracy"}))
        trainer.train()
    return [entry for entry in trainer.state.log_history if "loss" in entry]


def trainer_steps(trainer: Any, rows: int, settings: WarmStartConfig) -> int:
    """Optimizer steps that the warm start takes."""
    per_step = settings.batch_size * trainer.accelerator.num_processes
    return max(1, int(-(-rows // per_step) * settings.epochs))


def _row(prompt: Prompt, completion: str) -> dict[str, Any]:
    if isinstance(prompt, str):
        return {"prompt": prompt, "completion": completion}
    return {"prompt": list(prompt), "completion": [{"role": "assistant", "content": completion}]}
