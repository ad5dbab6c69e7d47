"""TRL's GRPOTrainer, set up from our configuration and recorded into the run directory."""

from __future__ import annotations

import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from proofgrad.envs.base import Task
from proofgrad.rl.config import Config, PolicyConfig
from proofgrad.rl.console import track
from proofgrad.rl.engine import Sampling, keep_weights_replaceable
from proofgrad.rl.monitors import CollapseMonitor
from proofgrad.rl.policy import Policy, context_length, load_policy, save_policy
from proofgrad.rl.progress import ProgressCallback
from proofgrad.rl.rollout import Rollout, RolloutFunction, prompt_key, proved
from proofgrad.verifiers.base import Outcome

if TYPE_CHECKING:
    from proofgrad.rl.session import Session

__all__ = ["ProofTrainer", "build_trainer", "fit", "rollout_metrics"]


class ProofTrainer(GRPOTrainer):  # type: ignore[misc]  # trl is untyped here
    """GRPOTrainer that records every completion with its verdict and advantage."""

    session: Session
    tasks: dict[str, Task]
    session_rollouts: Sequence[Rollout] = ()

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        rollouts, advantages = self.session_rollouts, output["advantages"].tolist()
        for name, value in rollout_metrics(rollouts).items():
            self._metrics["train"][name].append(value)
        rows = [dict(r.to_row(), advantage=a) for r, a in zip(rollouts, advantages, strict=True)]
        rank = f"-{self.accelerator.process_index}" if self.accelerator.num_processes > 1 else ""
        self.session.run.write_rollouts(f"step-{self.state.global_step:06d}{rank}", rows)
        return output

    def keep_rollouts(self, rollouts: list[Rollout]) -> None:
        """Called by the rollout function; the advantages follow later in the step."""
        self.session_rollouts = rollouts


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
    """The trainer, with vLLM started where that is the engine. Its tasks are set by `fit`."""
    config = session.config
    if session.engine_name == "vllm":
        session.say("starting vLLM (half a minute or so)")
        keep_weights_replaceable()
    tasks: dict[str, Task] = {}
    rollout = RolloutFunction(
        tasks,
        session.engine_from,
        session.judge,
        Sampling(config.generation.temperature, config.generation.max_tokens),
        config.seed,
        on_rollouts=lambda rollouts: trainer.keep_rollouts(rollouts),
        loop=config.loop,
        context=context_length(policy.model),
    )
    trainer = ProofTrainer(
        model=policy.model,
        processing_class=policy.tokenizer,
        reward_funcs=proved,
        train_dataset=Dataset.from_list([{"prompt": ""}]),
        rollout_func=rollout,
        args=grpo_arguments(config, session.engine_name, str(session.run.path / "checkpoints"), policy),
    )
    trainer.session, trainer.tasks = session, tasks
    trainer.remove_callback(PrinterCallback)
    return trainer


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
        vllm_mode="colocate",
        vllm_gpu_memory_utilization=config.generation.vllm_memory,
        vllm_max_model_length=context_length(policy.model),
        bf16=cuda and policy.model.dtype == torch.bfloat16,
        gradient_checkpointing=False,
        use_cpu=not cuda,
        dataloader_pin_memory=cuda,
        logging_steps=1,
        save_strategy="steps",
        save_steps=grpo.save_steps * grpo.minibatches,
        report_to=[],
        seed=config.seed,
        disable_tqdm=True,
    )


class _Metrics(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Copies the trainer's log into metrics.jsonl."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any], **kwargs: Any) -> None:
        if state.is_world_process_zero and "loss" in logs:
            self._session.run.log("grpo", state.global_step, logs)


def fit(session: Session, trainer: ProofTrainer, order: Sequence[Task]) -> None:
    """Optimise, or go on from the last checkpoint, and leave the final policy in the run directory.

    The trainer and the engine hold the final policy's weights afterwards.
    """
    run, config = session.run, session.config
    if (run.policy / "config.json").exists():
        load_weights(trainer, str(run.policy))
        return
    if order:
        trainer.tasks.update({prompt_key(task.prompt): task for task in order})
        trainer.train_dataset = Dataset.from_list([{"prompt": task.prompt} for task in order])
        monitor = CollapseMonitor(config.grpo.collapse_window, config.grpo.collapse_ratio)
        checkpoints = run.checkpoints()
        done = int(checkpoints[-1].name.rpartition("-")[2]) if checkpoints else 0
        if session.is_main_process():
            run.forget_after("grpo", done)
        if done:
            session.say(f"resuming from step {done}")
        with track("GRPO", trainer.args.max_steps) as tracker:
            tracker.advance(done)
            shown = {"reward": "reward", "unknown": "unknown", "kl": "kl", "step_time": "s/step"}
            shown |= {f"solved/{task.domain}": task.domain for task in order}
            trainer.add_callback(_Metrics(session))
            trainer.add_callback(monitor)
            trainer.add_callback(ProgressCallback(tracker, shown))
            trainer.train(resume_from_checkpoint=str(checkpoints[-1]) if checkpoints else None)
        if monitor.collapsed and monitor.best_checkpoint is not None:
            session.say(f"the solved share collapsed; going back to {monitor.best_checkpoint.name}")
            load_weights(trainer, str(monitor.best_checkpoint))
    synchronise_engine(trainer)
    trainer.accelerator.wait_for_everyone()
    if session.is_main_process():
        written = run.path / "policy.partial"
        shutil.rmtree(written, ignore_errors=True)
        model = trainer.accelerator.unwrap_model(trainer.model)
        save_policy(Policy(model, trainer.processing_class, str(run.policy)), written)
        run.move_into_place(written, run.policy)
    trainer.accelerator.wait_for_everyone()


def load_weights(trainer: ProofTrainer, path: str) -> None:
    """Put a saved policy's weights into the trainer's model and its engine."""
    saved = load_policy(PolicyConfig(path=path)).model.state_dict()
    trainer.accelerator.unwrap_model(trainer.model).load_state_dict(saved)
    synchronise_engine(trainer)


def synchronise_engine(trainer: ProofTrainer) -> None:
    """Give vLLM the trainer's present weights; transformers generation uses them as they are."""
    if trainer.use_vllm:
        trainer.vllm_generation.sync_weights()
