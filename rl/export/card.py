"""A model card that says what a run recorded, and where it recorded nothing, that.

The front matter is huggingface_hub's (`ModelCardData`, with pass@1 by domain as `model-index`), so that the Hub reads
it; the text below it is written from `Facts` alone. What a candidate or a plug-in wrote is quoted, never rendered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from proofgrad.rl.export.facts import Facts
from proofgrad.rl.export.markdown import unbroken
from proofgrad.rl.export.redaction import REMOVED, without_paths, without_secrets
from proofgrad.rl.export.sections import SECTIONS
from proofgrad.rl.export.texts import HUB_LICENSES

__all__ = ["card_data", "has_card", "model_card"]

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def model_card(facts: Facts) -> str:
    """README.md: front matter and text."""
    from huggingface_hub import ModelCard

    text = "\n".join("\n".join(section(facts)) + "\n" for section in SECTIONS)
    public = "".join(_outside_blocks(text, without_secrets))
    shown = "".join(_outside_blocks(public, without_paths))
    text = "\n".join([shown, *_taken_out(facts, public != text, shown != public)])
    return str(ModelCard(f"---\n{card_data(facts).to_yaml()}\n---\n\n{text}"))


def has_card(directory: Path) -> bool:
    """Whether an export was written there: a model, with a card of ours beside it."""
    try:
        text = (directory / "README.md").read_text(encoding="utf-8")
        front = re.match(r"---\n(.*?)\n---\n", text, re.S)
        data = yaml.safe_load(front[1]) if front else None
    except (OSError, ValueError, yaml.YAMLError):
        return False
    tags = data.get("tags") if isinstance(data, dict) else None
    return (directory / "config.json").is_file() and isinstance(tags, list) and "proofgrad" in tags


def _outside_blocks(text: str, changed: Callable[[str], str]) -> Iterator[str]:
    """The lines as `changed` makes them, but for those of blocks: what stands there is quoted, or is to be run."""
    fence = ""
    for line in text.splitlines(keepends=True):
        opening = re.match("`{3,}", line)
        yield line if fence or opening else changed(line)
        if fence and line.rstrip("\n") == fence:
            fence = ""
        elif not fence and opening:
            fence = opening[0]


def _taken_out(facts: Facts, is_redacted: bool, is_shortened: bool) -> Iterator[str]:
    """What was not published, where something was not."""
    shortened = [*facts.shortened, *(["this card"] if is_shortened else [])]
    is_redacted = is_redacted or bool(facts.redacted)
    if not is_redacted and not shortened:
        return
    yield "## What was taken out\n"
    if is_redacted:
        where = _listed([*facts.redacted, "this card"])
        yield f"Values that looked secret were replaced by `{REMOVED}` in {where}."
    if shortened:
        yield f"Absolute paths of the machine it was made on are cut to their last part in {_listed(shortened)}."


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _is_on_hub(path: str) -> bool:
    """Whether it names a model there and is no directory here, which transformers would have taken instead."""
    return _HUB_NAME.fullmatch(path) is not None and not Path(path).is_dir()


def card_data(facts: Facts) -> Any:
    """The front matter, as huggingface_hub's ModelCardData."""
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="text-generation",
            task_name="Text generation",
            dataset_type=f"proofgrad-{unbroken(domain)}",
            dataset_name=f"proofgrad {unbroken(domain)}",
            dataset_config=unbroken(stored.evaluation.suite) or "-".join(env.name for env in facts.config.envs),
            dataset_split="held-out",
            metric_type="pass@1",
            metric_name="pass@1",
            metric_value=rate.mean,
            metric_args={
                "low": rate.low, "high": rate.high, "interval": "95% over problems",
                "problems": len(stored.evaluation.scored(domain)), "samples": stored.evaluation.samples,
                "temperature": stored.evaluation.temperature,
            },
        )
        for stored in facts.own[:1]
        for domain in stored.evaluation.domains()
        if (rate := stored.evaluation.pass_at(1, domain)) is not None
    ]  # fmt: skip
    license_ = facts.license.lower() if facts.license else None
    is_known = license_ in HUB_LICENSES
    return ModelCardData(
        base_model=path if (path := facts.config.policy.path) and _is_on_hub(path) else None,
        eval_results=results or None,
        library_name="transformers",
        license=license_ if is_known else "other" if license_ else None,
        license_name=None if is_known or not license_ else license_,
        metrics=["pass@1"] if results else None,
        model_name=facts.name if results else None,
        pipeline_tag="text-generation",
        tags=[
            "proofgrad",
            "reinforcement-learning",
            "grpo",
            "trl",
            *(f"verifier-{unbroken(v)}" for v in facts.verifiers),
        ],
    )
