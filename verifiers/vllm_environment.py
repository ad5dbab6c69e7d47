"""Settings that vLLM reads from the environment when it is imported, for a judge and for generation in training."""

from __future__ import annotations

import os

__all__ = ["prepare_vllm_environment"]


def prepare_vllm_environment() -> None:
    """Small and quiet, without statistics, in this process; what the user has set stays."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
