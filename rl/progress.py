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
        self._tracker, self._shown = tracker, shown
        self._latest: dict[str, float] = {}

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float], **kwargs: Any) -> None:
        # Only updates that follow a generation log a reward; its last value stays in view.
        self._latest |= {key: logs[key] for key in self._shown if logs.get(key) is not None}

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        latest = self._latest
        self._tracker.advance(
            1, "  ".join(f"{label} {latest[key]:.3g}" for key, label in self._shown.items() if key in latest)
        )
