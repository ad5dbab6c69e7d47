"""Which optional parts a command needs, checked before anything is started."""

from __future__ import annotations

import importlib.util

from proofgrad.rl.config import Config
from proofgrad.verifiers.errors import ConfigError, MissingExtraError

__all__ = ["TRAINING_PACKAGES", "require", "require_training"]

TRAINING_PACKAGES = ("torch", "transformers", "trl", "accelerate", "datasets", "scipy")


def require(packages: tuple[str, ...], extra: str, needed_for: str) -> None:
    """Check that packages are installed, without importing them.

    Raises:
        MissingExtraError: the first that is not, with the pip command that adds it.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra, needed_for)


def require_training(config: Config) -> None:
    """Check that training with this configuration can start.

    Raises:
        MissingExtraError: a package is not installed.
        ConfigError: a tracker is not.
    """
    require(TRAINING_PACKAGES, "train", "training")
    for tracker in config.report_to:
        if importlib.util.find_spec(tracker) is None:
            raise ConfigError(f"report_to names {tracker}, which is not installed: pip install {tracker}")
    if config.generation.engine == "vllm":
        require(("vllm",), "vllm", "generation.engine: vllm")
    if config.generation.vllm_mode == "server":
        require(("vllm",), "vllm", "generation.vllm_mode: server")
    if config.policy.lora:
        require(("peft",), "train", "policy.lora")
