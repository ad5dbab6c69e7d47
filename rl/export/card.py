"""A model card that says what a run recorded, and where it recorded nothing, that.

The front matter is huggingface_hub's (`ModelCardData`, with pass@1 by domain as `model-index`), so that the Hub reads
it; the text below it is written from `Facts` alone. What a candidate or a plug-in wrote is quoted, never rendered.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from proofgrad.rl.export.facts import Facts
from proofgrad.rl.export.markdown import unbroken
from proofgrad.rl.export.sections import SECTIONS
from proofgrad.rl.export.texts import HUB_LICENSES

__all__ = ["card_data", "model_card"]

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def model_card(facts: Facts) -> str:
    """README.md: front matter and text."""
    from huggingface_hub import ModelCard

    text = "\n".join("\n".join(section(facts)) + "\n" for section in SECTIONS)
    return str(ModelCard(f"---\n{card_data(facts).to_yaml()}\n---\n\n{text}"))


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
