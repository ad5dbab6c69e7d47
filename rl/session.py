"""What the phases of a run share: environments, the verifier pool, the engine, the run directory, the processes."""

from __future__ import annotations

import importlib.util
import logging
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from proofgrad import envs as env_registry
from proofgrad import verifiers as verifier_registry
from proofgrad.envs.base import TRAIN, Env, Task
from proofgrad.rl.config import Config, LoopConfig
from proofgrad.rl.console import console
from proofgrad.rl.engine import Engine, Sampling, TransformersEngine, VLLMEngine, choose_engine, end_tokens
from proofgrad.rl.policy import context_length
from proofgrad.rl.rollout import Judge, Pace, Rollout, roll_out
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.rl.server_engine import ServerEngine, connect
from proofgrad.verifiers.base import Verifier
from proofgrad.verifiers.errors import ConfigError, ProofgradError, UnhealthyError
from proofgrad.verifiers.pool import VerifierPool
from proofgrad.verifiers.store import VerdictStore
from proofgrad.verifiers.vllm_environment import prepare_vllm_environment

__all__ = ["Session", "make_envs", "make_pool", "make_verifiers", "sharding"]


_ONE_TURN = LoopConfig()


class Session:
    """One process's view of a run. Use it as a context manager: it stops the verifiers on the way out."""

    envs: dict[str, Env]
    verifiers: dict[str, Verifier]
    judge: Judge
    engine: Engine

    def __init__(self, config: Config, run: RunDirectory) -> None:
        self.config, self.run = config, run
        quiet_libraries()
        self.uses_server = config.generation.vllm_mode == "server"
        self.engine_name, why = choose_engine("vllm" if self.uses_server else config.generation.engine)
        self.say(f"generation by {self.engine_name}: {config.generation.server_url if self.uses_server else why}")
        refuse_impossible(config, self.engine_name)
        if self.engine_name == "vllm":
            prepare_vllm_environment()
        self.envs = make_envs(config)
        self.verifiers = make_verifiers(config, self.envs, TRAIN)
        pool = make_pool(config, self.verifiers, VerdictStore(run.path / "verdicts.sqlite"))
        self.judge = Judge(self.envs, pool)
        self.tokenizer: Any = None
        self.context: int | None = None
        self._server: Any = None
        if self.is_main_process():
            run.write_manifest(
                config,
                {"engine": self.engine_name, "verifiers": self.verifier_versions, "environments": sorted(self.envs)},
            )

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.judge.pool.close()
        go_on = f"go on with proofgrad train --resume {self.run.path}"
        if isinstance(error, UnhealthyError):
            raise UnhealthyError(f"{error}; then {go_on}") from error
        if _is_out_of_memory(error):
            said = str(error).partition("\n")[0] or type(error).__name__
            raise ProofgradError(
                f"out of memory ({said}): lower grpo.micro_batch or generation.max_tokens in "
                f"{self.run.path / 'config.yaml'}, and {go_on}"
            ) from error

    @property
    def verifier_versions(self) -> dict[str, str]:
        """Version of each verifier in use: evaluations are only comparable where they agree."""
        return {name: verifier.version for name, verifier in self.verifiers.items()}

    @staticmethod
    def is_main_process() -> bool:
        """Whether this process is the one that prints and writes."""
        return int(os.environ.get("RANK", "0")) == 0

    def say(self, text: str) -> None:
        """Tell the person at the terminal, once, however many processes there are."""
        if self.is_main_process():
            console.print(f"[bold]›[/] {text}", soft_wrap=True)

    def use_engine_of(self, trainer: Any) -> None:
        """Sample with the trainer's weights from now on."""
        self.tokenizer = trainer.processing_class
        self.context = context_length(trainer.accelerator.unwrap_model(trainer.model))
        self.engine = self.engine_from(trainer)

    def engine_from(self, trainer: Any) -> Engine:
        """The vLLM server, the trainer's colocated vLLM, or its model itself."""
        model, tokenizer = trainer.accelerator.unwrap_model(trainer.model), trainer.processing_class
        if self.uses_server:
            requests = self.config.generation.server_requests
            return ServerEngine(self.server(model), tokenizer, end_tokens(model, tokenizer), requests)
        if self.engine_name == "vllm":
            return VLLMEngine(trainer.vllm_generation.llm, tokenizer)
        return TransformersEngine(model, tokenizer)

    def server(self, model: Any) -> Any:
        """This process's client of the vLLM server.

        Raises:
            ConfigError: there is none, or it was not started for this policy.
        """
        if self._server is None:
            # The server was given the policy before its warm start, if there was one to be had then.
            models = [name for name in (self.config.policy.path, str(self.run.warm_start)) if name]
            self._server = connect(self.config.generation, models, context_length(model))
        return self._server

    def roll_out(
        self,
        tasks: Sequence[Task],
        seeds: Sequence[int],
        sampling: Sampling,
        loop: LoopConfig = _ONE_TURN,
        on_turn: Callable[[], None] = lambda: None,
        pace: Pace | None = None,
    ) -> list[Rollout]:
        """Roll out on all processes together: each takes its share, and all get the whole."""
        from accelerate import PartialState
        from accelerate.utils import gather_object

        state = PartialState()
        mine = range(state.process_index, len(tasks), state.num_processes)
        rollouts = roll_out(
            [tasks[i] for i in mine], [seeds[i] for i in mine],
            self.engine, self.tokenizer, self.judge, sampling, loop, self.context, on_turn, pace,
        )  # fmt: skip
        if state.num_processes == 1:
            return rollouts
        everyone = dict(gather_object(list(zip(mine, rollouts, strict=True))))
        return [everyone[i] for i in range(len(tasks))]


def sharding() -> str | None:
    """What spreads the weights over the processes: ``FSDP``, ``ZeRO-3``, or nothing; as accelerate's launcher says."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return None
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true":
        return "FSDP"
    is_deepspeed = os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() == "true"
    return "ZeRO-3" if is_deepspeed and os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3" else None


def refuse_impossible(config: Config, engine: str) -> None:
    """Settings that cannot go together on this machine, said before anything is started.

    Raises:
        ConfigError: the first of them.
    """
    kind = sharding()
    if kind and engine == "transformers":
        raise ConfigError(
            f"generation.engine: transformers needs whole weights in each process, and {kind} spreads them: take vllm, "
            "or launch with --multi_gpu"
        )
    if kind and config.policy.lora:
        raise ConfigError(
            f"policy.lora: an adapter is too small to be spread by {kind}: launch with --multi_gpu, or leave lora out"
        )
    if kind and config.grpo.measure_kl and not config.grpo.kl_coefficient:
        raise ConfigError(
            f"grpo.measure_kl keeps a whole copy of the policy in each process, and {kind} spreads it: leave it out, "
            "or set kl_coefficient"
        )
    if kind and config.warm_start.revisions:
        raise ConfigError(
            f"warm_start.revisions samples with whole weights in each process, and {kind} spreads them: set it to 0"
        )
    if config.generation.vllm_mode == "server":
        import torch

        if not torch.cuda.is_available():
            raise ConfigError(
                "generation.vllm_mode: server needs a GPU here, since its weights arrive by NCCL: take colocate"
            )


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Python's own, torch's for a GPU (a RuntimeError that says so), or that of torch's CPU allocator."""
    said = str(error).lower()
    is_torch = isinstance(error, RuntimeError) and ("out of memory" in said or "can't allocate memory" in said)
    return isinstance(error, MemoryError) or is_torch


def make_envs(config: Config) -> dict[str, Env]:
    """The configured environments by name.

    Raises:
        ConfigError: there is none of that name, or it refuses its options.
    """
    return {env.name: env_registry.get(env.name, **env.options) for env in config.envs}


def make_verifiers(config: Config, envs: dict[str, Env], split: str) -> dict[str, Verifier]:
    """Every verifier that the environments' tasks of a split name.

    Raises:
        ToolchainError, SandboxError, MissingExtraError: a verifier cannot work on this machine.
    """
    needed = {next(iter(env.tasks(split, 1, 0))).verifier for env in envs.values()}
    return {name: verifier_registry.get(name, **config.verification.options.get(name, {})) for name in sorted(needed)}


def make_pool(config: Config, verifiers: dict[str, Verifier], store: VerdictStore | None = None) -> VerifierPool:
    """The pool that the configuration asks for."""
    settings = config.verification
    return VerifierPool(
        verifiers,
        workers=settings.workers,
        retries=settings.retries,
        store=store,
        isolate=settings.isolate,
        deadline_s=settings.deadline_s,
        max_unknown=settings.max_unknown,
    )


def quiet_libraries() -> None:
    """Keep the terminal for progress: the libraries' notes go to the log level the user sets, warnings of ours stay."""
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("transformers", "trl", "accelerate", "datasets", "huggingface_hub", "vllm", "torch", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if importlib.util.find_spec("datasets") is not None:
        from datasets.utils.logging import disable_progress_bar
        from transformers.utils.logging import disable_progress_bar as disable_transformers_progress_bar

        disable_progress_bar()
        disable_transformers_progress_bar()
    for module in ("trl", "transformers", "torch", "vllm", "accelerate"):
        warnings.filterwarnings("ignore", module=rf"{module}(\.|$)")
