"""Counting, comparing, and what an UNKNOWN does to neither."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.envs.base import HELD_OUT, Task
from proofgrad.rl import evaluate
from proofgrad.rl.config import Config, EvaluationConfig
from proofgrad.rl.engine import Completion
from proofgrad.rl.evaluate import Evaluation, chunk_size, chunked, compare, held_out_tasks, sample_plan, summarise
from proofgrad.rl.frontier import on_frontier
from proofgrad.rl.loop import Halt, Turn
from proofgrad.rl.rollout import Rollout
from proofgrad.rl.session import make_envs, make_verifiers
from proofgrad.rl.trainer import rollout_metrics
from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.errors import ConfigError

PASS, FAIL, UNKNOWN = Verdict.passed("t.ok"), Verdict.failed("t.no"), Verdict.unknown("infra.gone")


def task(name, domain="theorems"):
    return Task(name, name, {}, "lean", domain, 1.0, HELD_OUT, "test@0")


def rollouts(task, *verdicts):
    turns = [Turn(Completion([1, 2], [0.0, 0.0], "x", truncated=False), "x", verdict) for verdict in verdicts]
    return [Rollout(task, [1], (turn,), Halt.TURNS) for turn in turns]


def evaluation(*by_task, verifiers=None):
    tasks = [t for t, _ in by_task]
    found = [r for t, verdicts in by_task for r in rollouts(t, *verdicts)]
    settings = EvaluationConfig(tasks=2, samples=2)
    return summarise(tasks, found, settings, policy="p", engine="e", verifiers=verifiers or {"lean": "1"}, seconds=1.0)


def test_unknown_samples_are_no_part_of_the_rate():
    result = evaluation((task("a"), [PASS, UNKNOWN]), (task("b"), [PASS, FAIL]), (task("c"), [UNKNOWN, UNKNOWN]))
    assert [(r.passed, r.judged, r.unknown) for r in result.results] == [(1, 1, 1), (1, 2, 0), (0, 0, 2)]
    assert result.pass_at(1).mean == pytest.approx((1.0 + 0.5) / 2)


def test_pass_at_k_leaves_out_tasks_with_too_few_samples():
    result = evaluation((task("a"), [PASS, FAIL]), (task("b"), [FAIL, FAIL]), (task("c"), [PASS, UNKNOWN]))
    assert result.pass_at(2).mean == pytest.approx(0.5)


def test_an_evaluation_reads_back_as_it_was_written(tmp_path):
    result = evaluation(
        (task("a"), [PASS, FAIL]),
        (task("b", "programs"), [FAIL, FAIL]),
        (task("c"), [PASS, PASS]),
        (task("d", "programs"), [PASS, FAIL]),
    )
    result.save(tmp_path / "e.json")
    assert Evaluation.load(tmp_path / "e.json") == result


def test_the_gain_is_paired_by_problem():
    before = evaluation((task("a"), [FAIL, FAIL]), (task("b"), [PASS, FAIL]), (task("only before"), [PASS, PASS]))
    after = evaluation((task("a"), [PASS, FAIL]), (task("b"), [PASS, PASS]), (task("only after"), [FAIL, FAIL]))
    (row,) = compare(before, after)
    assert row.problems == 2
    assert row.gain == pytest.approx((0.5, 0.5, 0.5))


def test_domains_are_told_apart_and_summed_up():
    pairs = [(task(f"{d}{i}", d), [PASS, FAIL]) for d in ("theorems", "programs") for i in range(2)]
    rows = compare(evaluation(*pairs), evaluation(*pairs))
    assert [row.domain for row in rows] == ["theorems", "programs", "overall"]
    assert [row.problems for row in rows] == [2, 2, 4]


def test_different_verifier_versions_are_not_compared():
    pair = (task("a"), [PASS, FAIL])
    with pytest.raises(ConfigError, match="different verifier versions"):
        compare(evaluation(pair), evaluation(pair, verifiers={"lean": "2"}))


def test_nothing_in_common_is_not_compared():
    with pytest.raises(ConfigError, match="share fewer than two judged problems in every domain"):
        compare(evaluation((task("a"), [PASS, FAIL])), evaluation((task("b"), [PASS, FAIL])))


def test_every_run_is_asked_the_same_held_out_tasks(both_envs):
    once, again = held_out_tasks(both_envs, 10), held_out_tasks(both_envs, 10)
    assert once == again
    assert {t.split for t in once} == {HELD_OUT}


def test_samples_of_a_task_differ_in_seed_and_tasks_do_not_share_any():
    repeated, seeds = sample_plan([task("a"), task("b")], 3)
    assert [t.id for t in repeated] == ["a"] * 3 + ["b"] * 3
    assert len(set(seeds)) == 6
    assert sample_plan([task("b")], 3)[1] == seeds[3:]


def test_another_seed_gives_other_samples_and_the_same_one_the_same():
    plans = [sample_plan([task("a")], 3, seed)[1] for seed in (0, 1, 2, 1)]
    assert len({seed for plan in plans[:3] for seed in plan}) == 9
    assert plans[1] == plans[3]


def test_environments_can_be_asked_different_numbers_of_tasks(both_envs):
    asked = held_out_tasks(both_envs, {"propositional": 2, "synthesis": 3})
    assert [t.domain for t in asked] == ["theorems"] * 2 + ["programs"] * 3


@given(st.lists(st.integers()), st.integers(1, 50))
def test_chunks_hold_everything_once_and_in_order(items, size):
    chunks = list(chunked(items, size))
    assert [item for chunk in chunks for item in chunk] == items
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert all(chunks)


@given(st.integers(1, 100_000))
def test_a_chunk_keeps_the_engine_full_whatever_is_sampled(max_tokens):
    assert chunk_size(max_tokens) >= 512
    assert chunk_size(max_tokens) >= chunk_size(max_tokens + 1)


def test_a_training_runs_evaluation_is_taken_in_the_same_chunks(tmp_path, both_envs, monkeypatch):
    monkeypatch.setattr(evaluate, "chunk_size", lambda max_tokens: 5)
    asked = []

    def roll_out(tasks, seeds, sampling, on_turn, pace):
        asked.append(list(seeds))
        return [r for t in tasks for r in rollouts(t, PASS)]

    config = Config.model_validate(
        {"name": "x", "policy": {"scratch": {}}, "envs": [{"name": "synthesis"}], "evaluation": {"samples": 3}}
    )
    (tmp_path / "eval").mkdir()
    written = []
    session = SimpleNamespace(
        run=SimpleNamespace(path=tmp_path, write_rollouts=lambda name, rows: written.extend(rows)),
        config=config, envs=both_envs, roll_out=roll_out, engine_name="e", verifier_versions={"lean": "1"},
        is_main_process=lambda: True,
    )  # fmt: skip
    tasks = [task(name) for name in "abcd"]
    result = evaluate.evaluate_once(session, tasks, "before", "p")
    assert [len(seeds) for seeds in asked] == [5, 5, 2]
    assert [seed for seeds in asked for seed in seeds] == sample_plan(tasks, 3)[1]
    assert [(row["task"], row["sample"]) for row in written] == [(name, n) for name in "abcd" for n in range(3)]
    assert result.suite == "propositional-synthesis"
    assert evaluate.evaluate_once(session, tasks, "before", "p") == result
    assert len(asked) == 3


def test_what_cannot_be_estimated_is_left_out_and_loses_nothing(tmp_path):
    result = evaluation((task("a"), [UNKNOWN, UNKNOWN]), (task("b"), [PASS, UNKNOWN]))
    assert result.pass_at(1) is None
    result.save(tmp_path / "e.json")
    assert Evaluation.load(tmp_path / "e.json") == result


def test_the_ks_that_were_asked_for_are_summarised(tmp_path):
    pairs = [(task(name), [PASS, FAIL]) for name in "ab"]
    assert evaluation(*pairs).reported == [1, 2]
    result = replace(evaluation(*pairs), ks=(2,))
    result.save(tmp_path / "e.json")
    summary = json.loads((tmp_path / "e.json").read_text(encoding="utf-8"))["summary"]
    assert list(summary["theorems"]) == ["pass@2"]
    assert Evaluation.load(tmp_path / "e.json") == result


def test_the_frontier_is_what_is_solved_sometimes():
    cases = {"never": [FAIL, FAIL], "always": [PASS, PASS], "sometimes": [PASS, FAIL], "unjudged": [PASS, UNKNOWN]}
    tasks = [task(name) for name in cases]
    found = [r for t in tasks for r in rollouts(t, *cases[t.id])]
    assert [t.id for t in on_frontier(tasks, found)] == ["sometimes"]


def test_batch_metrics_leave_unknown_out_of_the_solved_share():
    metrics = rollout_metrics(rollouts(task("a"), PASS, FAIL, UNKNOWN, UNKNOWN) + rollouts(task("b", "programs"), PASS))
    assert metrics["solved/theorems"] == 0.5
    assert metrics["solved/programs"] == 1.0
    assert metrics["unknown"] == pytest.approx(2 / 5)


def test_an_environment_for_evaluation_alone_can_be_evaluated():
    """HumanEval has no training task to ask for the name of its verifier."""
    config = Config.model_validate({"name": "x", "policy": {"scratch": {}}, "envs": [{"name": "human_eval"}]})
    made = make_verifiers(config, make_envs(config), HELD_OUT)
    assert list(made) == ["program"]
    made["program"].close()
