"""Verdicts as scores of inspect-ai, in evaluations that it runs for real, with its mock model."""

import importlib.util
import json
import math

import pytest

from proofgrad.verifiers.adapters.inspect_ai import proved

if importlib.util.find_spec("inspect_ai") is None:
    pytest.skip(
        "needs the package 'inspect-ai'; test_environments.py makes an environment with it", allow_module_level=True
    )

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model

WANTS_X = {"want": "x", "credit": 0.25}
BROKEN = {"broken": True}


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    monkeypatch.setenv("INSPECT_DISPLAY", "none")

    def evaluate(samples, answers, scorer):
        outputs = [ModelOutput.from_content("mockllm/model", answer) for answer in answers]
        for output in outputs:
            # Otherwise the mock counts tokens, with a table that it fetches from the network.
            output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        model = get_model("mockllm/model", custom_outputs=outputs, memoize=False)
        task = Task(dataset=samples, scorer=scorer)
        (log,) = eval(task, model=model, log_dir=str(tmp_path), max_connections=1, max_samples=1)
        return log

    return evaluate


def scores_of(log):
    """By sample, in the order of the dataset."""
    return [next(iter(sample.scores.values())) for sample in sorted(log.samples, key=lambda sample: sample.id)]


def metrics_of(log):
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


def problem(value):
    return Sample(input="?", metadata={"problem": value})


def test_unknown_is_left_unscored_and_not_counted_as_wrong(evaluate, pool):
    samples = [problem(value) for value in (WANTS_X, WANTS_X, BROKEN, WANTS_X)]
    log = evaluate(samples, ["x", "y", "x", "So:\n```\nx\n```"], proved("obedient", pool=pool))
    assert log.status == "success"
    right, wrong, unknown, fenced = scores_of(log)
    assert [right.value, wrong.value, fenced.value] == ["C", "I", "C"]
    assert math.isnan(unknown.value)
    assert unknown.reason == "scoring_failed"
    assert metrics_of(log)["accuracy"] == pytest.approx(2 / 3)
    assert log.results.scores[0].scored_samples == 3
    assert log.results.scores[0].unscored_samples == 1


def test_a_score_says_what_was_judged_and_why(evaluate, pool):
    log = evaluate(
        [problem(value) for value in (WANTS_X, WANTS_X, BROKEN)], ["x", "y", "x"], proved("obedient", pool=pool)
    )
    right, wrong, unknown = scores_of(log)
    assert [score.answer for score in (right, wrong, unknown)] == ["x", "y", "x"]
    assert [score.explanation for score in (right, wrong, unknown)] == ["test.right", "y is wrong", "infra.worker_died"]
    assert right.metadata == {"outcome": "pass", "reason": "test.right", "evidence": {"seen": "x"}, "seconds": 0.0}
    assert unknown.metadata["evidence"] == {"exit": -9}


def test_partial_credit_is_a_number(evaluate, pool):
    scorer = proved("obedient", pool=pool, partial_credit=True)
    log = evaluate([problem(value) for value in (WANTS_X, WANTS_X, BROKEN)], ["x", "y", "x"], scorer)
    right, wrong, unknown = scores_of(log)
    assert [right.value, wrong.value] == [1.0, 0.25]
    assert math.isnan(unknown.value)
    assert metrics_of(log)["accuracy"] == pytest.approx(0.625)


def test_the_problem_may_be_the_target_or_found_by_a_function(evaluate, pool):
    samples = [
        Sample(input="?", target=json.dumps(WANTS_X)),
        Sample(input="?", metadata={"problem": json.dumps(WANTS_X)}),
    ]
    assert [s.value for s in scores_of(evaluate(samples, ["x", "y"], proved("obedient", pool=pool)))] == ["C", "I"]
    found = proved("obedient", pool=pool, problem=lambda state, target: {"want": target.text + state.metadata["end"]})
    samples = [Sample(input="?", target="a", metadata={"end": "b"}) for _ in range(2)]
    assert [s.value for s in scores_of(evaluate(samples, ["ab", "a"], found))] == ["C", "I"]


def test_an_empty_completion_is_wrong(evaluate, pool):
    (score,) = scores_of(evaluate([problem(WANTS_X)], [" "], proved("obedient", pool=pool)))
    assert (score.value, score.metadata["reason"]) == ("I", "env.no_answer")


def test_a_malformed_problem_fails_the_evaluation_and_scores_nothing(evaluate, pool):
    log = evaluate([problem({})], ["x"], proved("obedient", pool=pool))
    assert log.status == "error"
    assert "'want' is missing" in log.error.message
    assert not log.samples[0].scores


def test_a_scorer_can_be_made_from_a_name_alone(evaluate):
    tests = {"entry_point": "double", "tests": [{"args": [2], "expected": 4}]}
    answers = ["```python\ndef double(n):\n    return 2 * n\n```", "def double(n):\n    return n"]
    log = evaluate([problem(tests), problem(tests)], answers, proved("program"))
    assert [score.value for score in scores_of(log)] == ["C", "I"]
    assert log.eval.scorers[0].name.endswith("proved")
    assert log.eval.scorers[0].options["verifier"] == "program"
