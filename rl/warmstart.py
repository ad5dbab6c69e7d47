"""A supervised start on demonstrations, for a policy that cannot yet score (TRL's SFTTrainer).

With `warm_start.revisions` a second start follows, on what revising looks like: the policy tries demonstrated tasks
once, and each of its own failed attempts, with the verifier's feedback behind it, is a context in which the completion
that passes is learned. Plain demonstrations of the same tasks stand beside them, so that first attempts do not get
worse. Everything is a function of the configuration, so that a start that was cut short is made again as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from datasets import Dataset
from transformers import PrinterCallback
from trl import SFTConfig, SFTTrainer

from proofgrad import envs as env_registry
from proofgrad.envs.base import Prompt, Task
from proofgrad.rl.config import LoraSettings, PolicyConfig, WarmStartConfig
from proofgrad.rl.console import track
from proofgrad.rl.engine import Sampling, TransformersEngine
from proofgrad.rl.groups import grouped
from proofgrad.rl.loop import Attempt, follow_up
from proofgrad.rl.lora import adapter_config
from proofgrad.rl.policy import Policy, context_length, load_policy, make_policy, save_policy
from proofgrad.rl.progress import ProgressCallback
from proofgrad.rl.rollout import Judge, Rollout, sample_seed
from proofgrad.rl.saving import made_plain
from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.errors import ConfigError

if TYPE_CHECKING:
    from proofgrad.rl.session import Session

__all__ = ["collect_demonstrations", "feedback_texts", "learn_to_revise", "revision_rows", "start_policy", "warm_start"]

Demonstration = tuple[Prompt, str]
Row = dict[str, Any]

# Demonstrations of each environment from which feedback is made for a tokenizer: its words recur, a few are enough.
_WORDED = 128


def start_policy(session: Session) -> Policy:
    """The policy at the start of GRPO, from the run directory where an earlier process of this run made it."""
    config, run = session.config, session.run
    started = run.warm_start
    # Left to itself, accelerate takes several processes without a GPU for so many single ones.
    processes = PartialState(cpu=not torch.cuda.is_available())
    # One process looks: another might come late, and find what the first has made by then.
    (is_made,) = broadcast_object_list([(started / "config.json").exists()])
    if not is_made:
        if session.is_main_process():
            for phase in ("warm-start", "revisions"):
                run.forget_after(phase, 0)  # what a start that was cut short has logged
        demonstrations = collect_demonstrations(session)
        if config.policy.scratch is not None:
            if not demonstrations:
                raise ConfigError(
                    "policy.scratch needs demonstrations to make its tokenizer: set warm_start.demonstrations"
                )
            texts = chain(_texts(demonstrations), _feedback_words(session))
            policy = make_policy(config.policy.scratch, texts, config.seed)
            session.say(f"made a policy of {policy.model.num_parameters() / 1e6:.1f} M parameters from scratch")
        else:
            policy = load_policy(config.policy)
            session.say(f"loaded {policy.path}")
        # Adapters need weights that already know something: a policy from scratch learns all of them first.
        lora = None if config.policy.scratch else config.policy.lora
        state: dict[str, torch.Tensor] | None = None
        if demonstrations:
            log, state = warm_start(
                policy, demonstrations, config.warm_start, config.seed, run.path / "checkpoints", lora
            )
            for entry in log:
                if session.is_main_process():
                    run.log("warm-start", entry["step"], {"loss": entry["loss"]})
        if config.warm_start.revisions:
            learn_to_revise(session, policy, lora)
        if session.is_main_process():
            written = started.with_name("warm-start.partial")
            save_policy(policy, written, state)
            run.move_into_place(written, started)
        processes.wait_for_everyone()
    return load_policy(PolicyConfig(path=str(started), dtype=config.policy.dtype))


def collect_demonstrations(session: Session) -> list[Demonstration]:
    """Prompts of the training split, each with a completion that passes, from every environment in turn."""
    n = session.config.warm_start.demonstrations
    return [(task.prompt, completion) for task, completion in _demonstrated(session, n, session.config.seed)]


def learn_to_revise(session: Session, policy: Policy, lora: LoraSettings | None = None) -> None:
    """Train `policy` in place on its own failed attempts, each with what the verifier says and what would have passed.

    The attempts are recorded as rollouts/revisions-ROUND.parquet in the run directory.
    """
    config, run = session.config, session.run
    done = 0
    for number in range(config.warm_start.revision_rounds):
        if not (rows := _rows_of_round(session, policy, number)):
            continue
        told, _ = _fit(
            policy, rows, config.warm_start, config.seed, run.path / "checkpoints", "learning to revise", lora
        )
        if session.is_main_process():
            for entry in told:
                run.log("revisions", done + entry["step"], {"loss": entry["loss"]})
        done += told[-1]["step"] if told else 0


def _rows_of_round(session: Session, policy: Policy, number: int) -> list[Row]:
    """Have the policy try tasks once, and make rows of its failures; none where nothing failed or fits the context."""
    config = session.config
    # Other tasks than those of the first start, as far as there are any: there it fails as on what is new to it.
    shown = _demonstrated(session, config.warm_start.revisions, sample_seed("revisions", config.seed, number))
    seeds = [sample_seed("revisions", config.seed, number, index) for index in range(len(shown))]
    sampling = Sampling(config.generation.temperature, config.generation.max_tokens)
    session.engine = TransformersEngine(policy.model, policy.tokenizer)
    session.tokenizer, session.context = policy.tokenizer, context_length(policy.model)
    with track("attempts to revise", len(shown)) as tracker:
        rollouts = session.roll_out([task for task, _ in shown], seeds, sampling, on_turn=tracker.advance)
    del session.engine  # the trainer's takes its place, and this one's model is not to stay in memory
    rows = revision_rows(policy.tokenizer, session.judge, rollouts, [gold for _, gold in shown], session.context)
    failed = sum(rollout.verdict.outcome is Outcome.FAIL for rollout in rollouts)
    kept = len(rows) - len(shown)
    session.say(f"{failed} of {len(shown)} attempts failed; {kept} of these are learned from, the rest is too long")
    if session.is_main_process():
        session.run.write_rollouts(f"revisions-{number + 1}", [rollout.to_row() for rollout in rollouts])
    return rows if kept else []


def revision_rows(
    tokenizer: Any, judge: Judge, rollouts: Sequence[Rollout], golds: Sequence[str], longest: int
) -> list[Row]:
    """What a policy learns to revise from, tokenised: each task's passing completion behind its bare prompt, and again
    behind a failed attempt with its feedback, exactly as the loop would go on from there.

    Args:
        rollouts: one attempt at each task.
        golds: a completion that passes, for each of them.
        longest: revisions of more tokens are left out: cut off, they would lose what is to be learned.

    Returns:
        `input_ids` and `completion_mask` of equal length; the mask is 1 on the tokens of the passing completion.
    """
    rows: list[Row] = []
    for rollout, gold in zip(rollouts, golds, strict=True):
        answer = [*tokenizer(gold, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        rows.append(_masked(rollout.prompt_ids, answer))
        if rollout.verdict.outcome is not Outcome.FAIL:
            continue
        told = judge.feedback(rollout.task, rollout.verdict)
        turn = replace(rollout.turns[-1], follow_up_ids=follow_up(tokenizer, rollout.task, rollout.turns, told))
        seen = Attempt(rollout.task, rollout.prompt_ids, 0, [turn]).ids_so_far
        if len(seen) + len(answer) <= longest:
            rows.append(_masked(seen, answer))
    return rows


def feedback_texts(judge: Judge, shown: Sequence[tuple[Task, str]]) -> list[str]:
    """What the verifier says about wrong completions, made of right ones: those of others, and without their last line.

    Raises:
        UnhealthyError: too many of them could not be judged.
    """
    pending = []
    for place, (task, gold) in enumerate(shown):
        others = shown[place - 1][1], gold.rstrip().rpartition("\n")[0]
        pending += [(task, judge.submit(task, completion)[1]) for completion in others]
    verdicts = [(task, future.result()) for task, future in pending]
    return [judge.feedback(task, verdict) for task, verdict in verdicts if verdict.outcome is Outcome.FAIL]


def _feedback_words(session: Session) -> list[str]:
    """The feedback that a tokenizer has to know; the same on all processes, though one of them judges."""
    wanted = min(_WORDED, session.config.warm_start.revisions)
    texts: list[str] = []
    if wanted and session.is_main_process():
        shown = _demonstrated(session, wanted, session.config.seed)
        texts = [text for pairs in grouped(shown, wanted) for text in feedback_texts(session.judge, pairs)]
    return list(broadcast_object_list([texts])[0])


def _demonstrated(session: Session, n: int, seed: int) -> list[tuple[Task, str]]:
    """`n` tasks of the training split of every environment in turn, each with a completion that passes."""
    config = session.config
    found: list[tuple[Task, str]] = []
    if n:
        with track("making demonstrations", n * len(config.envs)) as tracker:
            for settings in config.envs:
                env = env_registry.get(settings.name, **{**settings.options, **settings.demonstration_options})
                for pair in env.demonstrations(n, seed):
                    found.append(pair)
                    tracker.advance()
    return found


def _texts(demonstrations: Sequence[Demonstration]) -> Iterator[str]:
    for prompt, completion in demonstrations:
        yield prompt if isinstance(prompt, str) else "".join(message["content"] for message in prompt)
        yield completion


def warm_start(
    policy: Policy,
    demonstrations: Sequence[Demonstration],
    settings: WarmStartConfig,
    seed: int,
    scratch_dir: Path,
    lora: LoraSettings | None = None,
) -> tuple[list[dict[str, Any]], dict[str, torch.Tensor] | None]:
    """Train `policy` in place on demonstrations; the loss counts completion tokens only.

    With `lora`, adapters are trained, and merged into the weights at the end.

    Returns the trainer's log, one mapping for each logged step; and the whole state dict where the weights are spread
    over processes, on the main one.
    """
    rows = [_row(prompt, completion) for prompt, completion in demonstrations]
    return _fit(policy, rows, settings, seed, scratch_dir, "warm start", lora)


def _fit(
    policy: Policy,
    rows: Sequence[Row],
    settings: WarmStartConfig,
    seed: int,
    scratch_dir: Path,
    label: str,
    lora: LoraSettings | None,
) -> tuple[list[dict[str, Any]], dict[str, torch.Tensor] | None]:
    trainer = SFTTrainer(
        model=policy.model,
        processing_class=policy.tokenizer,
        train_dataset=Dataset.from_list(list(rows)),
        peft_config=None if lora is None else adapter_config(lora, policy.model),
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
    with track(label, trainer_steps(trainer, len(rows), settings)) as tracker:
        trainer.add_callback(ProgressCallback(tracker, {"loss": "loss", "mean_token_accuracy": "token accuracy"}))
        trainer.train()
    return [entry for entry in trainer.state.log_history if "loss" in entry], made_plain(trainer)


def trainer_steps(trainer: Any, rows: int, settings: WarmStartConfig) -> int:
    """Optimizer steps that the warm start takes."""
    per_step = settings.batch_size * trainer.accelerator.num_processes
    return max(1, int(-(-rows // per_step) * settings.epochs))


def _masked(context_ids: Sequence[int], answer_ids: Sequence[int]) -> Row:
    return {
        "input_ids": [*context_ids, *answer_ids],
        "completion_mask": [0] * len(context_ids) + [1] * len(answer_ids),
    }


def _row(prompt: Prompt, completion: str) -> Row:
    if isinstance(prompt, str):
        return {"prompt": prompt, "completion": completion}
    return {"prompt": list(prompt), "completion": [{"role": "assistant", "content": completion}]}
