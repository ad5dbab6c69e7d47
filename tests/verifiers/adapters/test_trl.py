"""Verdicts as rewards of TRL's GRPOTrainer, which trains on them here for real."""

import asyncio
import copy
import inspect
import json
import math

import pytest

from proofgrad.verifiers.adapters.trl import reward_function
from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.errors import ConfigError, ProblemError
from proofgrad.verifiers.pool import VerifierPool

WANTS_X = {"want": "x", "credit": 0.25}
BROKEN = {"broken": True}


def rewards(function, completions, **columns):
    """What TRL's call gives."""
    batch = {
        "prompts": ["?"] * len(completions),
        "completions": completions,
        "completion_ids": [[1]] * len(completions),
    }
    return asyncio.run(function(**batch, **columns, trainer_state=object()))


def test_pass_is_one_fail_is_zero_and_unknown_is_none(pool):
    function = reward_function("obedient", pool=pool)
    problems = [WANTS_X, WANTS_X, BROKEN, WANTS_X]
    assert rewards(function, ["x", "y", "x", ""], problem=problems) == [1.0, 0.0, None, 0.0]


def test_partial_credit_is_the_score(pool):
    function = reward_function("obedient", pool=pool, partial_credit=True)
    assert rewards(function, ["x", "y", "x"], problem=[WANTS_X, WANTS_X, BROKEN]) == [1.0, 0.25, None]


def test_chat_completions_are_read_like_plain_ones(pool):
    function = reward_function("obedient", pool=pool)
    chats = [[{"role": "assistant", "content": f"So:\n```\n{answer}\n```"}] for answer in "xy"]
    assert rewards(function, chats, problem=[WANTS_X] * 2) == [1.0, 0.0]


def test_how_a_candidate_is_read_is_an_option(pool):
    function = reward_function("obedient", pool=pool, extract=lambda text: text.removeprefix("answer: ") or None)
    assert rewards(function, ["answer: x", "answer: "], problem=[WANTS_X] * 2) == [1.0, 0.0]


def test_problems_may_be_text_and_lie_in_any_column(pool):
    function = reward_function("obedient", pool=pool, problem="task")
    assert rewards(function, ["x", "x"], task=[json.dumps(WANTS_X), BROKEN]) == [1.0, None]


def test_a_function_may_find_the_problem_in_a_rows_columns(pool):
    function = reward_function("obedient", pool=pool, problem=lambda row: {"want": row["prompt"] + row["solution"]})
    assert rewards(function, ["?a", "?a"], solution=["a", "b"]) == [1.0, 0.0]


def test_a_row_without_a_problem_is_somebody_elses(pool):
    assert rewards(reward_function("obedient", pool=pool), ["x", "x"], problem=[None, WANTS_X]) == [None, 1.0]


def test_a_malformed_problem_is_named_by_its_row(pool):
    with pytest.raises(ProblemError, match=r"reward 'obedient', row 1 of the batch: .*'want' is missing"):
        rewards(reward_function("obedient", pool=pool), ["x", "x"], problem=[WANTS_X, {}])
    with pytest.raises(ProblemError, match=r"row 0 of the batch: .*must be JSON"):
        rewards(reward_function("obedient", pool=pool), ["x"], problem=["{"])


def test_a_column_that_is_missing_is_a_configuration_error(pool):
    with pytest.raises(ConfigError, match="no column 'problem' for the problem; did you mean 'problems'"):
        rewards(reward_function("obedient", pool=pool), ["x"], problems=[WANTS_X])


def test_trl_is_given_a_coroutine_function_with_a_name(pool):
    assert inspect.iscoroutinefunction(reward_function("obedient", pool=pool))
    assert reward_function("obedient", pool=pool).__name__ == "obedient"
    assert reward_function("obedient", pool=pool, name="proved").__name__ == "proved"


def test_the_share_of_unknown_and_the_reasons_are_logged(pool):
    metrics, extra = {}, {}
    function = reward_function("obedient", pool=pool, name="proved")
    problems = [WANTS_X, BROKEN, None, WANTS_X, BROKEN]
    rewards(function, ["x"] * 5, problem=problems, log_metric=metrics.__setitem__, log_extra=extra.__setitem__)
    assert metrics == {"rewards/proved/unknown": 0.5}
    right, died = "test.right", "infra.worker_died"
    assert extra == {"proved_reason": [right, died, None, right, died]}


class Parity:
    """Takes a candidate of even length; cannot judge every third, counted by its length."""

    name, version = "parity", "1"

    def verify(self, problem, candidate):
        if problem["flaky"] and len(candidate) % 3 == 0:
            return Verdict.unknown("infra.worker_died")
        if len(candidate) % 2 == 0:
            return Verdict.passed("test.even")
        return Verdict.failed("test.odd")


def test_the_real_trainer_leaves_unknown_out_of_baseline_and_update(tiny_policy, tmp_path):
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    # Structs of two shapes: each row arrives with the other's keys as well, holding null.
    rows = [
        {"prompt": "theorem t", "problem": {"flaky": True}},
        {"prompt": "def f", "problem": {"flaky": False, "n": 1}},
    ]
    config = GRPOConfig(
        output_dir=str(tmp_path),
        use_cpu=True,
        bf16=False,
        max_steps=2,
        per_device_train_batch_size=16,
        num_generations=8,
        max_completion_length=6,
        scale_rewards="none",
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        seed=3,
    )
    with VerifierPool({"parity": Parity()}, retries=0) as pool:
        trainer = GRPOTrainer(
            model=copy.deepcopy(tiny_policy.model),
            processing_class=tiny_policy.tokenizer,
            reward_funcs=reward_function("parity", pool=pool),
            args=config,
            train_dataset=Dataset.from_list(rows * 8),
        )
        trainer.train()

    steps = [entry for entry in trainer.state.log_history if "rewards/parity/mean" in entry]
    assert len(steps) == 2
    assert all(math.isfinite(entry["loss"]) for entry in steps)
    # TRL keeps the last batch: two groups of 8.
    given, advantages = list(trainer._logs["rewards"]["parity"]), list(trainer._logs["advantages"])
    missing = [math.isnan(reward) for reward in given]
    assert len(given) == 16
    assert any(missing)
    assert {0.0, 1.0} <= set(given)
    assert steps[-1]["rewards/parity/unknown"] == sum(missing) / 16
    for start in (0, 8):
        group = range(start, start + 8)
        scored = [given[i] for i in group if not missing[i]]
        baseline = sum(scored) / len(scored)
        expected = [0.0 if missing[i] else given[i] - baseline for i in group]
        assert [advantages[i] for i in group] == pytest.approx(expected, abs=1e-6)
