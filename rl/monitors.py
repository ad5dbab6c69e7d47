"""Watches a run and stops it before it destroys what it learned."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

__all__ = ["CollapseMonitor", "EntropyMonitor"]


class CollapseMonitor(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Stops training when the solved share, averaged over a window, falls far below its best.

    The figure that it watches must be comparable over time: the mean reward is where tasks are drawn from one
    distribution all along; where groups are replaced or levels chosen by results, it is not.

    Args:
        window: steps to average over.
        ratio: stop below this share of the best average; 0 never stops.
        watched: the name of the figure in the trainer's log.

    Attributes:
        collapsed: whether it stopped the run.
        best_checkpoint: the checkpoint saved at the highest average so far.
    """

    def __init__(self, window: int, ratio: float, watched: str = "reward") -> None:
        self._recent: deque[float] = deque(maxlen=window)
        self._ratio, self._watched = ratio, watched
        self._best_average = 0.0
        self._best_saved = -1.0
        self.collapsed = False
        self.best_checkpoint: Path | None = None

    @property
    def average(self) -> float | None:
        """The solved share over the window, or None while that is not full."""
        return sum(self._recent) / len(self._recent) if len(self._recent) == self._recent.maxlen else None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # A resumed run has its past in the trainer's state: live through it again.
        for entry in state.log_history:
            self._see(entry)
            path = Path(args.output_dir) / f"checkpoint-{entry.get('step')}"
            if path.exists():
                self._saved(path)

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float], **kwargs: Any) -> None:
        self._see(logs)
        if self.average is not None and self.average < self._ratio * self._best_average:
            self.collapsed = control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._saved(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def _see(self, logs: Mapping[str, float | None]) -> None:
        solved = logs.get(self._watched)
        if solved is not None:
            self._recent.append(solved)
            self._best_average = max(self._best_average, self.average or 0.0)

    def _saved(self, checkpoint: Path) -> None:
        if self.average is not None and self.average > self._best_saved:
            self._best_saved, self.best_checkpoint = self.average, checkpoint


class EntropyMonitor(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Stops training when the policy's mean entropy per token, averaged over a window, falls below a floor.

    What can still be gained is bounded by the entropy that is left (Cui et al. 2025, arXiv 2505.22617), and it does not
    come back by itself. The stopped run saves a checkpoint, so that its last policy is among those the best is chosen
    from.

    Args:
        window: steps to average over; a step counts with its first update, made by the policy that sampled.
        floor: nats per token; 0 never stops.

    Attributes:
        fell: whether it stopped the run.
    """

    def __init__(self, window: int, floor: float) -> None:
        self._recent: deque[float] = deque(maxlen=window)
        self._floor = floor
        self.fell = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        for entry in state.log_history:
            self._see(entry)

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float], **kwargs: Any) -> None:
        self._see(logs)
        full = len(self._recent) == self._recent.maxlen
        if full and sum(self._recent) / len(self._recent) < self._floor:
            self.fell = control.should_training_stop = control.should_save = True

    def _see(self, logs: Mapping[str, float | None]) -> None:
        # A step's later updates log no reward.
        entropy = logs.get("entropy")
        if entropy is not None and "reward" in logs:
            self._recent.append(entropy)
