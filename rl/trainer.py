"""TRL's GRPOTrainer, set up from our configuration and recorded into the run directory."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from proofgrad.envs.curriculum import Curriculum
from proofgrad.rl.config import Config, GRPOSettings, PolicyConfig
from proofgrad.rl.console import track
from proofgrad.rl.engine import Sampling, keep_weights_replaceable
from proofgrad.rl.groups import Batch
from proofgrad.rl.lora import StartReference, adapter_config, unmerge_exactly
from proofgrad.rl.monitors import CollapseMonitor, EntropyMonitor
from proofgrad.rl.policy import Policy, context_length
from proofgrad.rl.progress import ProgressCallback
from proofgrad.rl.reference import Reference
from proofgrad.rl.rollout import Rollout, RolloutFunction, proved
from proofgrad.rl.run_directory import write_text
from proofgrad.rl.saving import give_engine, load_weights, save_trained
from proofgrad.rl.session import sharding
from proofgrad.rl.stream import TaskStream
from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.errors import ConfigError

if TYPE_CHECKING:
    from proofgrad.rl.session import Session

__all__ = ["ProofTrainer", "build_trainer", "fit", "rollout_metrics"]

CURRICULUM = "curriculum.json"
"""The curriculum's state in a checkpoint."""


class ProofTrainer(GRPOTrainer):  # type: ignore[misc]  # trl is untyped here
    """GRPOTrainer that records every completion with its verdict and advantage."""

    session: Session
    batch: Batch
    reference: Reference | None = None

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        batch, advantages = self.batch, output["advantages"].tolist()
        # Of all processes, since the first one alone writes the log.
        shares = rollout_metrics(gather_object(batch.rollouts))
        for name, value in {**shares, **batch.metrics}.items():
            self._metrics["train"][name].append(value)
        rows = [dict(r.to_row(), advantage=a) for r, a in zip(batch.rollouts, advantages, strict=True)]
        if self.reference is not None:
            # In the arithmetic that scored the policy, the trainer's or the engine's: rounding is no distance.
            is_ours = "old_per_token_logps" in output
            with self.accelerator.autocast() if is_ours else nullcontext():
                divergence = self.reference.divergence(output)
            total, count = self.accelerator.reduce(divergence, reduction="sum").tolist()
            self._metrics["train"]["kl"].append(total / max(1.0, count))
        # What was sampled and replaced was judged all the same: it is recorded, without an advantage.
        rows += [dict(r.to_row(), advantage=None) for r in batch.thrown]
        rank = f"-{self.accelerator.process_index}" if self.accelerator.num_processes > 1 else ""
        self.session.run.write_rollouts(f"step-{self.state.global_step:06d}{rank}", rows)
        return output

    def keep_batch(self, batch: Batch) -> None:
        """Called by the rollout function; the advantages follow later in the step."""
        self.batch = batch


def rollout_metrics(rollouts: Sequence[Rollout]) -> dict[str, float]:
    """Shares over one batch: solved by domain, UNKNOWN, cut off."""
    outcomes = Counter(r.verdict.outcome for r in rollouts)
    judged: dict[str, list[bool]] = defaultdict(list)
    for rollout in rollouts:
        if rollout.verdict.outcome is not Outcome.UNKNOWN:
            judged[rollout.task.domain].append(rollout.verdict.is_pass)
    solved = {f"solved/{domain}": sum(passes) / len(passes) for domain, passes in judged.items()}
    return {
        **solved,
        "unknown": outcomes[Outcome.UNKNOWN] / len(rollouts),
        "truncated": sum(r.truncated for r in rollouts) / len(rollouts),
        "turns": sum(len(r.turns) for r in rollouts) / len(rollouts),
    }


def build_trainer(session: Session, policy: Policy) -> ProofTrainer:
    """The trainer, with vLLM started or found where that is the engine. Its tasks are set by `fit`.

    Raises:
        ConfigError: the processes cannot share the batch evenly, or in whole groups where the configuration needs them
            to; adapters do not fit the model; there is no server, or it was not started for this policy.
        MissingExtraError: peft is not installed, and the configuration asks for adapters.
    """
    config = session.config
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    refuse_uneven_batches(config.grpo, processes)
    refuse_split_groups(config.grpo, processes)
    adapter = adapter_config(config.policy.lora, policy.model) if config.policy.lora else None
    if session.uses_server:
        session.say(f"waiting for the vLLM server at {config.generation.server_url}")
        session.server(policy.model)
    elif session.engine_name == "vllm":
        session.say("starting vLLM (half a minute or so)")
        keep_weights_replaceable()
    rollout = (_InStep if session.uses_server else RolloutFunction)(
        session.engine_from,
        session.judge,
        Sampling(config.generation.temperature, config.generation.max_tokens),
        config.seed,
        on_batch=lambda batch: trainer.keep_batch(batch),
        loop=config.loop,
        context=context_length(policy.model),
        grpo=config.grpo,
    )
    arguments = grpo_arguments(config, session.engine_name, str(session.run.path / "checkpoints"), policy)
    measures_kl = config.grpo.measure_kl and not config.grpo.kl_coefficient
    scored = (config.generation.temperature, arguments.per_device_train_batch_size)
    reference = Reference(policy.model, *scored) if measures_kl and not adapter else None
    trainer = ProofTrainer(
        model=policy.model,
        processing_class=policy.tokenizer,
        reward_funcs=proved,
        train_dataset=Dataset.from_list([{"prompt": ""}]),
        rollout_func=rollout,
        args=arguments,
        peft_config=adapter,
    )
    if adapter:
        unmerge_exactly(trainer.model)
        reference = StartReference(trainer.model, *scored) if measures_kl else None
    trainer.session, trainer.reference = session, reference
    trainer.remove_callback(PrinterCallback)
    if session.uses_server:
        # It was started with the policy as it was before the warm start, or by a run that trained it further.
        give_engine(trainer, session.run.warm_start)
    return trainer


def refuse_uneven_batches(grpo: GRPOSettings, processes: int) -> None:
    """TRL would round the batch down to what the processes' passes hold: fewer groups a step than configured, or none.

    Raises:
        ConfigError: a minibatch cannot be split so.
    """
    minibatch = grpo.prompts_per_step * grpo.group_size // grpo.minibatches
    if minibatch % (processes * (grpo.micro_batch or 1)):
        each = f" of micro_batch ({grpo.micro_batch}) each" if grpo.micro_batch else ""
        raise ConfigError(
            f"grpo: {processes} processes cannot share a minibatch of {minibatch} completions (prompts_per_step * "
            f"group_size / minibatches) evenly in passes{each}: change one of these, or the number of processes"
        )


def refuse_split_groups(grpo: GRPOSettings, processes: int) -> None:
    """TRL deals the batch out evenly; a process that decides about a group must have all of it.

    Raises:
        ConfigError: groups would be split.
    """
    needed = [
        key
        for key, is_on in {
            "refill": grpo.refill.rounds,
            "curriculum": grpo.curriculum.enabled,
            "unlikeliness": grpo.unlikeliness,
        }.items()
        if is_on
    ]
    if needed and grpo.prompts_per_step % processes:
        raise ConfigError(
            f"grpo.{needed[0]} needs whole groups on each of the {processes} processes: make prompts_per_step "
            f"({grpo.prompts_per_step}) a multiple of {processes}"
        )


def grpo_arguments(config: Config, engine: str, output_dir: str, policy: Policy) -> GRPOConfig:
    """Our configuration in TRL's words."""
    grpo, cuda = config.grpo, torch.cuda.is_available()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    completions = grpo.prompts_per_step * grpo.group_size
    micro_batch = grpo.micro_batch or completions // (grpo.minibatches * processes)
    return GRPOConfig(
        output_dir=output_dir,
        max_steps=max(1, grpo.steps * grpo.minibatches),
        per_device_train_batch_size=micro_batch,
        steps_per_generation=completions // (micro_batch * processes),
        gradient_accumulation_steps=completions // (micro_batch * processes * grpo.minibatches),
        num_generations=grpo.group_size,
        max_completion_length=config.generation.max_tokens * config.loop.max_turns,
        temperature=config.generation.temperature,
        learning_rate=grpo.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=grpo.warmup_steps,
        beta=grpo.kl_coefficient,
        epsilon=grpo.clip_low,
        epsilon_high=grpo.clip_high,
        loss_type=grpo.loss_type,
        scale_rewards=grpo.scale_rewards,
        max_grad_norm=grpo.max_grad_norm,
        shuffle_dataset=False,
        use_vllm=engine == "vllm",
        vllm_mode=config.generation.vllm_mode,
        vllm_server_base_url=config.generation.server_url,
        vllm_server_timeout=config.generation.server_timeout_s,
        vllm_group_port=config.generation.server_group_port,
        vllm_gpu_memory_utilization=config.generation.vllm_memory,
        vllm_max_model_length=context_length(policy.model),
        bf16=grpo.bf16 or (cuda and policy.model.dtype == torch.bfloat16),
        gradient_checkpointing=grpo.gradient_checkpointing,
        use_cpu=not cuda,
        dataloader_pin_memory=cuda,
        logging_steps=1,
        save_strategy="steps",
        save_steps=grpo.save_steps * grpo.minibatches,
        report_to=list(config.report_to),
        run_name=config.name,
        seed=config.seed,
        disable_tqdm=True,
    )


class _InStep(RolloutFunction):
    """Rollouts from a server: the main process gives it the new weights, and the others wait until it has."""

    def __call__(self, prompts: Sequence[Any], trainer: Any) -> dict[str, list[Any]]:
        trainer.accelerator.wait_for_everyone()
        return super().__call__(prompts, trainer)


class _Metrics(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Copies the trainer's log into metrics.jsonl."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any], **kwargs: Any) -> None:
        if state.is_world_process_zero and "loss" in logs:
            self._session.run.log("grpo", state.global_step, logs)


class _SaveCurriculum(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Puts the curriculum's state into each checkpoint."""

    def __init__(self, curriculum: Curriculum) -> None:
        self._curriculum = curriculum

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            path = Path(args.output_dir) / f"checkpoint-{state.global_step}" / CURRICULUM
            write_text(path, json.dumps(self._curriculum.state()))


def fit(session: Session, trainer: ProofTrainer, stream: TaskStream) -> None:
    """Optimise, or go on from the last checkpoint, and leave the final policy in the run directory.

    The trainer and the engine hold the final policy's weights afterwards.
    """
    run, config = session.run, session.config
    if (run.policy / "config.json").exists():
        if not sharding():  # else its engine is vLLM, and its own weights are of no use before they are spread
            load_weights(trainer, run.path / "adapter" if config.policy.lora else run.policy)
        give_engine(trainer, run.policy)
        return
    if prompts := stream.prompts():
        trainer.rollout_func.stream = stream
        trainer.train_dataset = Dataset.from_list([{"prompt": prompt} for prompt in prompts])
        monitor = CollapseMonitor(config.grpo.collapse_window, config.grpo.collapse_ratio, comparable_figure(config))
        entropy = EntropyMonitor(config.grpo.collapse_window, config.grpo.entropy_floor)
        checkpoints = run.checkpoints()
        if stream.curriculum is not None:
            # Its state is written behind the checkpoint's last file: one that a kill left without it does not count.
            checkpoints = [path for path in checkpoints if (path / CURRICULUM).exists()]
            if checkpoints:
                stream.curriculum.load(json.loads((checkpoints[-1] / CURRICULUM).read_text(encoding="utf-8")))
            trainer.add_callback(_SaveCurriculum(stream.curriculum))
        done = int(checkpoints[-1].name.rpartition("-")[2]) if checkpoints else 0
        if session.is_main_process():
            run.forget_after("grpo", done)
        if done:
            session.say(f"resuming from step {done}")
        with track("GRPO", trainer.args.max_steps) as tracker:
            tracker.advance(done)
            shown = {"reward": "reward", "unknown": "unknown", "kl": "kl", "step_time": "s/step"}
            shown |= {"tokens_per_second": "tokens/s", "wait_time_share": "waiting"}
            shown |= {f"solved/{domain}": domain for domain in stream.domains}
            for callback in (_Metrics(session), monitor, entropy, ProgressCallback(tracker, shown)):
                trainer.add_callback(callback)
            trainer.train(resume_from_checkpoint=str(checkpoints[-1]) if checkpoints else None)
        if monitor.collapsed or entropy.fell:
            what = "the solved share collapsed" if monitor.collapsed else "the entropy fell below its floor"
            if monitor.best_checkpoint is None:
                session.say(f"{what} before any checkpoint to go back to; lower grpo.save_steps to have one")
            else:
                session.say(f"{what}; going back to {monitor.best_checkpoint.name}")
                load_weights(trainer, monitor.best_checkpoint)
    start = PolicyConfig(path=str(run.warm_start), dtype=config.policy.dtype)
    save_trained(trainer, run, start if config.policy.lora else None)
    give_engine(trainer, run.policy)


def comparable_figure(config: Config) -> str:
    """The logged figure that says over the whole run how much is solved, whatever groups are drawn for training."""
    if config.grpo.curriculum.enabled:
        return "curriculum/solved"
    return "drawn_solved" if config.grpo.refill.rounds else "reward"
