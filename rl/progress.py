"""Callbacks that tie TRL's trainers to our progress display and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback

from proofgrad.rl.console import Tracker

__all__ = ["ProgressCallback"]


class ProgressCallback(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Advances a progress display by optimizer steps and shows the named metrics behind it."""

    def __init__(self, tracker: Tracker, shown: Mapping[str, str]) -> None:
        self._tracker, self._shown, self._note = tracker, shown, ""

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float], **kwargs: Any) -> None:
        self._note = "  ".join(f"{label} {logs[key]:.3g}" for key, label in self._shown.items() if key in logs)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._tracker.advance(1, self._note)
