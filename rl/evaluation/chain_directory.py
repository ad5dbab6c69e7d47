"""A directory of ``proofgrad chains``: what was asked, what is finished, and how it is gone on with.

chains-settings.json  what was asked; first
chains/NN-*.parquet   a finished part: the chains of one result, or their steps alone, with how long it took (json)
chains.parquet        a row for every step that was asked, of the results so far
chains.json           the results so far; written after each

A part's rows hold all that its rollouts are made of, so that a result is measured again without a sample taken.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field

from proofgrad.envs.base import HELD_OUT
from proofgrad.envs.chains import Chain, Context
from proofgrad.rl.evaluation.chain_results import ChainEvaluation, ChainResult, write_chains
from proofgrad.rl.evaluation.chains import ChainWalk
from proofgrad.rl.evaluation.directory import Item, Sampled, read_chunk, write_chunk_rows
from proofgrad.rl.evaluation.settings import EvaluationOptions, EvaluationSettings, difference, resolve
from proofgrad.rl.rollout import Rollout
from proofgrad.rl.run_directory import write_text
from proofgrad.verifiers.errors import ConfigError

__all__ = ["ChainDirectory", "ChainSettings", "Finished", "Part"]

Part: TypeAlias = Literal["chain", "alone"]
"""Chains, or each of their steps alone."""

_SETTINGS, _PARTS = "chains-settings.json", "chains"


class ChainSettings(EvaluationSettings):
    """What chains are asked, with nothing left open.

    Attributes:
        chains: of each result.
        length: steps of a chain.
        revisions: of a failed step, at most.
        context: what stands before a step.
        apart: whether each environment has chains of its own.
    """

    chains: int = Field(ge=2)
    length: int = Field(ge=1)
    revisions: int = Field(ge=0)
    context: Context
    apart: bool

    @classmethod
    def of(
        cls, options: EvaluationOptions, engine: str, *, chains: int, length: int, context: Context, apart: bool
    ) -> ChainSettings:
        """Settings from an evaluation's options, with the run's defaults and the same style of prompts.

        Args:
            options: `max_turns` is one more than the revisions; `seed` is that of the chains.
            engine: what samples.
            chains: of each result.
            length: steps of a chain.
            context: what stands before a step.
            apart: whether each environment has chains of its own.

        Raises:
            ConfigError: as `resolve`.
        """
        found = resolve(options, engine)
        revisions = found.loop.max_turns - 1
        own = {"chains": chains, "length": length, "revisions": revisions, "context": context, "apart": apart}
        return cls.model_validate(found.model_dump() | {"suite": "chains"} | own)


@dataclass(frozen=True, slots=True)
class Finished:
    """The chains of one result, and their steps alone.

    Attributes:
        walks: how far each chain got.
        alone: for each chain a rollout for every step.
        seconds: that both took.
    """

    walks: Sequence[ChainWalk]
    alone: Sequence[Sequence[Rollout]]
    seconds: float

    @property
    def tokens(self) -> int:
        """That the policy wrote."""
        return sum(r.tokens for steps in [*(walk.steps for walk in self.walks), *self.alone] for r in steps)


class ChainDirectory:
    """Paths, readers and writers of one measurement of chains."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_all_of_it(self) -> bool:
        """Whether it is chains alone that were taken here, and no run or evaluation besides."""
        return not any((self.path / name).is_file() for name in ("config.yaml", "settings.json"))

    def begin(self, settings: ChainSettings, *, fresh: bool = False) -> None:
        """Make the directory, or go on with it.

        Raises:
            ConfigError: it holds chains with other settings, or some whose settings nobody recorded.
        """
        file = self.path / _SETTINGS
        remedy = "name another --output-dir, or take them again with --fresh"
        if fresh:
            for name in ("chains.json", "chains.parquet"):
                (self.path / name).unlink(missing_ok=True)
            shutil.rmtree(self.path / _PARTS, ignore_errors=True)
        elif file.is_file():
            if (found := difference(ChainSettings.load(file), settings)) is not None:
                raise ConfigError(f"the chains in '{self.path}' were taken with {found}: {remedy}")
        elif (self.path / "chains.json").exists():
            raise ConfigError(f"'{self.path}' holds chains of which no settings are recorded: {remedy}")
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"'{self.path}' is no directory: name another --output-dir")
        (self.path / _PARTS).mkdir(parents=True, exist_ok=True)
        write_text(file, settings.to_text())

    def is_finished(self, number: int) -> bool:
        """Whether both parts of a result are there."""
        return self._file(number, "chain").is_file() and self._file(number, "alone").is_file()

    def keep(self, number: int, part: Part, steps: Sequence[Sequence[Rollout]], seconds: float) -> None:
        """Store a finished part: for each chain the rollouts of its steps."""
        file = self._file(number, part)
        write_text(file.with_suffix(".json"), json.dumps({"seconds": seconds}))
        write_chunk_rows(
            file,
            [
                Sampled(Item(part, rollout.task, step, chain), rollout)
                for chain, rollouts in enumerate(steps)
                for step, rollout in enumerate(rollouts)
            ],
        )

    def kept(self, number: int, part: Part, chains: Sequence[Chain]) -> list[list[Rollout]] | None:
        """What `keep` stored of these chains; None where the part is not finished.

        Raises:
            ConfigError: it holds something else, as after a file of tasks was changed.
        """
        file = self._file(number, part)
        if not file.is_file():
            return None
        steps: list[list[Rollout]] = [[] for _ in chains]
        try:
            for one in read_chunk(file):
                rollouts = steps[one.item.seed]
                if one.item.task.id != chains[one.item.seed].steps[len(rollouts)].id:
                    raise IndexError
                rollouts.append(one.rollout)
        except IndexError:
            raise ConfigError(
                f"'{file}' was asked other tasks than those of now (their file or their environment has changed): "
                "name another --output-dir, or take them again with --fresh"
            ) from None
        return steps

    def finished(self, number: int, chains: Sequence[Chain]) -> Finished | None:
        """Both parts of a result; None where one is missing."""
        walked, alone = (self.kept(number, part, chains) for part in ("chain", "alone"))
        if walked is None or alone is None:
            return None
        files = [self._file(number, part).with_suffix(".json") for part in ("chain", "alone")]
        seconds = sum(json.loads(file.read_text(encoding="utf-8"))["seconds"] for file in files)
        return Finished([ChainWalk(*each) for each in zip(chains, walked, strict=True)], alone, seconds)

    def drop(self, number: int) -> None:
        """Forget the parts of a result that could not be measured, so that the same command samples them again."""
        for part in ("chain", "alone"):
            self._file(number, part).unlink(missing_ok=True)

    def write(
        self, settings: ChainSettings, results: Sequence[ChainResult], finished: Sequence[Finished]
    ) -> ChainEvaluation:
        """Write what there is: the results, and the rows of all that was asked, measured or not."""
        evaluation = ChainEvaluation(
            policy=settings.model, engine=settings.engine, split=HELD_OUT,
            chains=settings.chains, length=settings.length, revisions=settings.revisions,
            context=settings.context, temperature=settings.temperature, max_tokens=settings.max_tokens,
            seed=settings.seed,
            seconds=round(sum(one.seconds for one in finished), 2), tokens=sum(one.tokens for one in finished),
            verifiers=settings.verifiers, results=tuple(results),
        )  # fmt: skip
        walks = [walk for one in finished for walk in one.walks]
        write_chains(self.path, evaluation, walks, [steps for one in finished for steps in one.alone])
        return evaluation

    def _file(self, number: int, part: str) -> Path:
        return self.path / _PARTS / f"{number:02d}-{part}.parquet"
