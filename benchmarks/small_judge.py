"""How far a small language model can be trusted as a judge: the calibration of the shipped rubrics, in one run.

    python benchmarks/small_judge.py MODEL_DIRECTORY [--repeats 2] [--rubrics safety_advice ...] [--output FILE]

The model runs in this process, in vLLM, with replies constrained to the JSON schema. What is printed is what
``proofgrad rubric calibrate`` prints, beside two judges that read nothing: one that always gives full marks, one that
always gives none. The last line of each rubric is what a training run says about the judge: whether it would take it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from proofgrad.rl.commands.rubric import calibration_table
from proofgrad.rl.console import console, track
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.rubric import (
    Judge,
    Mark,
    Rubric,
    calibrate,
    load_examples,
    load_rubric,
    make_judge,
    save_calibration,
)
from proofgrad.verifiers.rubric.calibration import require_calibrated
from proofgrad.verifiers.rubric.prompt import Question

RUBRICS = Path(__file__).parents[1] / "configs" / "rubrics"


@dataclass
class Constant:
    """A judge that gives every answer the same score."""

    score: int
    model: str
    special_tokens: Sequence[str] = ()

    def ask(self, questions: Sequence[Question]) -> list[Mark]:
        """The same mark for each question."""
        return [Mark(self.score) for _ in questions]

    def close(self) -> None:
        """It holds nothing."""


def measure(rubric: Rubric, judge: Judge, repeats: int, output: Path) -> None:
    """Calibrate one judge with one rubric, and say what a training run would."""
    total = len(load_examples(rubric)) * len(rubric.judged) * (repeats + 1)
    with track(f"{judge.model} on {rubric.name}", total) as tracker:
        result = calibrate(rubric, judge, repeats=repeats, on_judgement=tracker.advance)
    save_calibration(result, output)
    console.print(calibration_table(result, rubric))
    if result.tricks_that_passed:
        console.print(f"cheaters that passed: {', '.join(result.tricks_that_passed)}", markup=False, soft_wrap=True)
    try:
        require_calibrated([rubric], judge.model, output)
        console.print("a training run takes this judge", soft_wrap=True)
    except ConfigError as error:
        console.print(f"a training run refuses it: {error}", markup=False, soft_wrap=True)


def main() -> None:
    """Calibrate the model and the two constant judges."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a model's directory")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--rubrics", nargs="*", default=[path.stem for path in sorted(RUBRICS.glob("*.yaml"))])
    parser.add_argument("--output", type=Path, help="file of results; by default they are not kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        output = arguments.output or Path(name) / "calibration.json"
        judge = make_judge({"in_process": arguments.model})
        for name in arguments.rubrics:
            rubric = load_rubric(RUBRICS / f"{name}.yaml")
            for one in (Constant(5, "always 5"), Constant(1, "always 1"), judge):
                measure(rubric, one, arguments.repeats, output)
        judge.close()


if __name__ == "__main__":
    main()
