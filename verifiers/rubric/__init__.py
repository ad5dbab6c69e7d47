"""Answers judged by a rubric, where nothing can be proved.

The way through: `verifier` (problem in, verdict out) -> `checks` (what code can check) -> `prompt` and `quoting` (one
criterion, the answer quoted as data) -> `judge` or `in_process` (an endpoint, or vLLM here) -> `decision` (findings to
an outcome). Beside it: `rubric` and `examples` (the files), `calibration` and `agreement` (how far to trust a judge).
"""

from proofgrad.verifiers.rubric.calibration import (
    Calibration,
    calibrate,
    load_calibrations,
    require_calibrated,
    save_calibration,
)
from proofgrad.verifiers.rubric.examples import Example, load_examples
from proofgrad.verifiers.rubric.judge import Judge, Mark, OpenAIJudge, make_judge
from proofgrad.verifiers.rubric.rubric import Rubric, load_rubric, shipped_rubrics
from proofgrad.verifiers.rubric.verifier import RubricVerifier

__all__ = [
    "Calibration",
    "Example",
    "Judge",
    "Mark",
    "OpenAIJudge",
    "Rubric",
    "RubricVerifier",
    "calibrate",
    "load_calibrations",
    "load_examples",
    "load_rubric",
    "make_judge",
    "require_calibrated",
    "save_calibration",
    "shipped_rubrics",
]
