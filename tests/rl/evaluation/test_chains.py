"""Chains through a policy: what stands before a step, when a chain ends, and figures against closed forms."""

import io
import math
import random
import sys
import threading
from concurrent.futures import CancelledError, Future
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.envs.base import HELD_OUT, Message, Task
from proofgrad.envs.chains import Chain, draw_chains
from proofgrad.rl.commands.chains import chain_tables
from proofgrad.rl.config import LoopConfig
from proofgrad.rl.engine import Completion, Sampling, TransformersEngine
from proofgrad.rl.evaluation.chain_directory import ChainDirectory
from proofgrad.rl.evaluation.chain_results import (
    ChainEvaluation,
    horizon,
    load_chains,
    measure_chains,
    write_chains,
)
from proofgrad.rl.evaluation.chains import ChainSource, ChainWalk, follow_chains, isolate_steps
from proofgrad.rl.loop import Halt, Turn
from proofgrad.rl.rollout import Judge, Rollout
from proofgrad.verifiers.base import Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError

sys.path.insert(0, str(Path(__file__).parents[1] / "doubles"))
from scripted import Letters, ScriptedJudge

PASS, FAIL, UNKNOWN = Verdict.passed("t.ok"), Verdict.failed("t.no", feedback="wrong"), Verdict.unknown("infra.gone")


def task_of(name, prompt=None, domain="test"):
    return Task(name, f"{name}?\n" if prompt is None else prompt, {}, "scripted", domain, None, HELD_OUT, "test@0")


def chain_of(name, length, **options):
    return Chain.of([task_of(f"{name}{step}", **options) for step in range(1, length + 1)], "test@0")


class ScriptedEngine:
    """Writes numbered answers, a token for each letter; keeps what it was asked for."""

    name = "scripted"

    def __init__(self, has_own_seeds=False):
        self.has_own_seeds, self.rounds, self.written = has_own_seeds, [], 0

    def generate(self, source, temperature):
        while requests := source.take(wait=True):
            self.rounds.append(list(requests))
            for request in requests:
                self.written += 1
                text = f"answer {self.written}"
                ids = [ord(letter) for letter in text][: request.max_tokens]
                source.put(request.id, Completion(ids, [-1.0] * len(ids), text, truncated=len(ids) < len(text)))


def follow(chains, judge, engine=None, revisions=0, **options):
    engine = engine or ScriptedEngine()
    loop = LoopConfig(max_turns=1 + revisions)
    return follow_chains(chains, engine, Letters(), judge, Sampling(1.0, 40), loop, **options), engine


def texts(engine):
    return [["".join(map(chr, request.prompt_ids)) for request in requests] for requests in engine.rounds]


def test_a_step_is_asked_behind_the_verified_answers_before_it_until_one_fails():
    judge = ScriptedJudge({"a1": [PASS], "a2": [PASS], "a3": [FAIL]})
    (walk,), engine = follow([chain_of("a", 4)], judge)
    assert [rollout.verdict for rollout in walk.steps] == [PASS, PASS, FAIL]
    first, second = "a1?\nanswer 1\n\n", "a2?\nanswer 2\n\n"
    assert texts(engine) == [["a1?\n"], [f"{first}a2?\n"], [f"{first}{second}a3?\n"]]
    assert [task.prompt for task, _ in judge.asked] == [text for (text,) in texts(engine)]


def test_without_context_a_step_is_asked_alone():
    judge = ScriptedJudge({"a1": [PASS], "a2": [PASS]})
    (walk,), engine = follow([chain_of("a", 2)], judge, context="none")
    assert len(walk.steps) == 2
    assert texts(engine) == [["a1?\n"], ["a2?\n"]]


def test_a_revised_step_hands_on_its_verified_answer_and_not_the_failed_one():
    judge = ScriptedJudge({"a1": [PASS], "a2": [FAIL, PASS], "a3": [PASS]})
    (walk,), engine = follow([chain_of("a", 3)], judge, revisions=1)
    assert [len(rollout.turns) for rollout in walk.steps] == [1, 2, 1]
    before = "a1?\nanswer 1\n\n"
    # Behind feedback a plain step is asked again by itself, not with all that stands before it.
    assert texts(engine)[2:] == [
        [f"{before}a2?\nanswer 2\nNo: wrong\na2?\n"],
        [f"{before}a2?\nanswer 3\n\na3?\n"],
    ]


def test_messages_are_carried_as_a_conversation():
    steps = [task_of(name, [Message(role="user", content=f"{name}?")]) for name in ("a1", "a2")]
    judge = ScriptedJudge({"a1": [PASS], "a2": [FAIL, PASS]})
    (walk,), engine = follow([Chain.of(steps, "test@0")], judge, revisions=1)
    said = "<user>a1?\n<assistant>answer 1\n<user>a2?\n<assistant>"
    assert texts(engine)[1:] == [[said], [f"{said}answer 2\n<user>No: wrong\n<assistant>"]]
    assert walk.steps[-1].verdict is PASS


def test_no_step_is_asked_behind_one_that_could_not_be_judged():
    (walk,), _ = follow([chain_of("a", 3)], ScriptedJudge({"a1": [PASS], "a2": [UNKNOWN]}), revisions=2)
    assert [rollout.verdict for rollout in walk.steps] == [PASS, UNKNOWN]


def test_a_step_whose_context_leaves_no_room_fails_without_an_attempt():
    judge = ScriptedJudge({"a1": [PASS]})
    (walk,), engine = follow([chain_of("a", 3)], judge, longest=14)
    assert [rollout.verdict.reason for rollout in walk.steps] == ["t.ok", "env.prompt_too_long"]
    assert len(engine.rounds) == 1
    result = measure_chains([walk, walk], [walk.steps] * 2, revisions=0, max_tokens=40, envs=["test"])
    assert result.curves[0].out_of_context == 2


def test_chains_share_rounds_and_no_compute_goes_to_one_that_ended():
    judge = ScriptedJudge({"a1": [PASS], "a2": [PASS], "b1": [FAIL], "c1": [PASS], "c2": [PASS]})
    ended = []
    chains = [chain_of("a", 2), chain_of("b", 2), chain_of("c", 2)]
    walks, engine = follow(chains, judge, on_end=lambda: ended.append(1))
    assert [len(requests) for requests in engine.rounds] == [3, 2]
    assert [len(walk.steps) for walk in walks] == [2, 1, 2]
    assert len(ended) == 3


def source_of(judge, in_rounds):
    chains = [chain_of("slow", 2), chain_of("fast", 2)]
    return ChainSource(chains, judge, Letters(), LoopConfig(), max_tokens=9, in_rounds=in_rounds)


def answer_all(source, requests):
    for request in requests:
        source.put(request.id, Completion([5], [0.0], "x", truncated=False))


def test_rounds_do_not_hang_on_the_order_of_verdicts():
    judge = ScriptedJudge({"slow1": [PASS], "slow2": [PASS], "fast1": [PASS], "fast2": [PASS]}, holding=["slow1"])
    source = source_of(judge, in_rounds=True)
    answer_all(source, source.take(wait=True))
    assert source.take(wait=False) == []
    threading.Timer(0.05, judge.release, ["slow1"]).start()
    requests = source.take(wait=True)
    assert [request.id for request in requests] == [0, 1]
    answer_all(source, requests)
    assert source.take(wait=True) == []


def test_a_chain_goes_on_while_another_waits_where_requests_have_their_own_seeds():
    judge = ScriptedJudge({"slow1": [PASS], "slow2": [FAIL], "fast1": [PASS], "fast2": [PASS]}, holding=["slow1"])
    source = source_of(judge, in_rounds=False)
    answer_all(source, source.take(wait=True))
    requests = source.take(wait=False)
    assert [request.id for request in requests] == [1]
    answer_all(source, requests)
    assert source.take(wait=False) == []
    threading.Timer(0.05, judge.release, ["slow1"]).start()
    answer_all(source, source.take(wait=True))
    assert source.take(wait=True) == []
    assert [len(walk.steps) for walk in source.walks] == [2, 2]


@pytest.mark.parametrize("ending", [RuntimeError("the pool is gone"), None])
def test_what_goes_wrong_with_a_verdict_is_raised_and_does_not_hang(ending):
    class Broken(ScriptedJudge):
        def submit(self, task, completion):
            future = Future()
            if ending is None:
                future.cancel()
                future.set_running_or_notify_cancel()
            else:
                future.set_exception(ending)
            return completion, future

    with pytest.raises(RuntimeError if ending else CancelledError):
        follow([chain_of("a", 2)], Broken({}))


def test_requests_have_seeds_of_their_own_and_the_same_each_time():
    def seeds():
        judge = ScriptedJudge({f"{c}{n}": [FAIL, PASS] for c in "ab" for n in (1, 2)})
        _, engine = follow([chain_of("a", 2), chain_of("b", 2)], judge, revisions=1)
        return [request.seed for requests in engine.rounds for request in requests]

    found = seeds()
    assert found == seeds()
    assert len(set(found)) == len(found) == 8


# Figures: chains of a policy that is a function of chance.


def a_rollout(task, *verdicts):
    turns = tuple(Turn(Completion([1], [0.0], "x", False), "x", verdict) for verdict in verdicts)
    return Rollout(task, [1], turns, Halt.VERIFIED if verdicts[-1].is_pass else Halt.TURNS)


def attempt(task, rng, rates):
    """A rollout of a policy that succeeds at its first try by the first rate, at the second by the second."""
    verdicts = []
    for rate in rates:
        verdicts.append(PASS if rng.random() < rate else FAIL)
        if verdicts[-1].is_pass:
            break
    return a_rollout(task, *verdicts)


def simulated(rates_at, chains=1500, length=6, seed=0, revisions=0):
    """`rates_at(chain, step, alone)` gives the success rate of each turn; step counts from 1."""
    rng = random.Random(seed)
    walks, alone = [], []
    for number in range(chains):
        chain = chain_of(f"{number}-", length)
        walk = ChainWalk(chain)
        for step, task in enumerate(chain.steps, 1):
            walk.steps.append(attempt(task, rng, rates_at(number, step, False)))
            if not walk.steps[-1].verdict.is_pass:
                break
        walks.append(walk)
        alone.append([attempt(task, rng, rates_at(number, step, True)) for step, task in enumerate(chain.steps, 1)])
    return measure_chains(walks, alone, revisions=revisions, max_tokens=40, envs=["test"])


def close(measured, expected, n=1500):
    """Within 4.5 standard errors of a share over n chains."""
    return abs(measured - expected) <= 4.5 * math.sqrt(max(expected * (1 - expected), 1e-4) / n)


@pytest.mark.parametrize("p", [0.5, 0.8, 0.95])
def test_steps_that_succeed_independently_give_p_to_the_n(p):
    (curve,) = simulated(lambda *_: [p]).curves
    assert close(curve.single.mean, p)
    assert all(close(point.measured.mean, p**point.length) for point in curve.points)
    assert all(point.independent.mean == pytest.approx(curve.single.mean**point.length) for point in curve.points)
    for row in curve.horizons:
        exact = math.log(row.share) / math.log(p)
        assert row.independent.steps == pytest.approx(exact, rel=0.1)
        if exact < 5:
            assert row.measured.steps == pytest.approx(exact, rel=0.15)
            assert row.measured.low <= row.measured.steps <= row.measured.high


def test_steps_of_one_chain_that_are_alike_make_long_chains_likelier_than_p_to_the_n():
    """E[p_c^n] is never under (E p_c)^n, by Jensen; here half of the chains have p_c 0.9 and half 0.5."""
    (curve,) = simulated(lambda chain, *_: [0.9 if chain % 2 else 0.5]).curves
    assert close(curve.single.mean, 0.7)
    for point in curve.points:
        assert close(point.measured.mean, (0.9**point.length + 0.5**point.length) / 2)
    assert curve.points[-1].measured.low > curve.points[-1].independent.high
    assert curve.horizons[0].measured.steps > curve.horizons[0].independent.steps


def test_steps_that_are_harder_in_a_chain_than_alone_make_it_less_likely():
    """A policy that is led astray by what stands before a step: 0.9 alone, less with each step before it."""
    (curve,) = simulated(lambda _, step, alone: [0.9 if alone else 0.9 - 0.1 * (step - 1)]).curves
    for point in curve.points:
        assert close(point.measured.mean, math.prod(0.9 - 0.1 * i for i in range(point.length)))
    assert curve.points[-1].measured.high < curve.points[-1].independent.low


def test_a_revision_raises_success_of_a_step_to_that_of_either_try():
    p, q = 0.6, 0.5
    first, revised = simulated(lambda *_: [p, q], revisions=1).curves
    either = 1 - (1 - p) * (1 - q)
    assert (first.revisions, revised.revisions) == (0, 1)
    assert close(first.single.mean, p)
    assert close(revised.single.mean, either)
    for one, other in zip(first.points, revised.points, strict=True):
        assert close(one.measured.mean, p**one.length)
        assert close(other.measured.mean, either**other.length)
    assert revised.horizons[0].measured.steps > first.horizons[0].measured.steps


def test_what_failed_at_each_step_and_what_is_left_is_all_there_is():
    (curve,) = simulated(lambda *_: [0.7], chains=200).curves
    assert sum(point.failed for point in curve.points) + curve.points[-1].measured.mean == pytest.approx(1)
    for one, other in zip(curve.points, curve.points[1:], strict=False):
        assert other.reached == round(one.measured.mean * curve.chains)
        assert other.measured.mean <= one.measured.mean


def test_a_chain_that_could_not_be_judged_is_left_out_of_the_curve_it_ends_and_of_no_other():
    chains = [chain_of(name, 2) for name in "abcd"]
    scripts = [[[PASS], [PASS]], [[PASS], [UNKNOWN]], [[FAIL, UNKNOWN]], [[FAIL, PASS], [PASS]]]
    walks = [
        ChainWalk(chain, [a_rollout(task, *verdicts) for task, verdicts in zip(chain.steps, script, strict=False)])
        for chain, script in zip(chains, scripts, strict=True)
    ]
    alone = [[a_rollout(chain.steps[0], PASS), a_rollout(chain.steps[1], UNKNOWN)] for chain in chains]
    first, revised = measure_chains(walks, alone, revisions=1, max_tokens=40, envs=["test"]).curves
    assert (first.chains, first.unknown, revised.chains, revised.unknown) == (3, 1, 2, 2)
    assert [point.measured.mean for point in first.points] == [1 / 3, 1 / 3]
    assert [point.measured.mean for point in revised.points] == [1.0, 1.0]
    assert (first.single.mean, first.singles) == (1.0, 4)


def test_nothing_judged_is_an_error_and_not_a_score():
    chain = chain_of("a", 1)
    walk = ChainWalk(chain, [a_rollout(chain.steps[0], UNKNOWN)])
    with pytest.raises(ConfigError, match="none of 1 chains"):
        measure_chains([walk], [walk.steps], revisions=0, max_tokens=40, envs=["test"])
    judged = ChainWalk(chain, [a_rollout(chain.steps[0], PASS)])
    with pytest.raises(ConfigError, match="none of 1 steps alone could be judged"):
        measure_chains([judged], [walk.steps], revisions=0, max_tokens=40, envs=["test"])


@given(st.floats(0.05, 0.99), st.floats(0.1, 0.9))
def test_the_horizon_of_p_to_the_n_is_its_closed_form(p, share):
    exact = math.log(share) / math.log(p)
    found = horizon([p**n for n in range(1, 101)], share, floor=1e-300)
    assert found is None if p**100 >= share else found == pytest.approx(exact, rel=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.05, 0.95))
def test_a_horizon_lies_where_the_curve_crosses_and_falls_with_the_share(values, share):
    curve = sorted(values, reverse=True)
    found = horizon(curve, share, floor=0.01)
    if found is None:
        assert curve[-1] >= share
    else:
        before = [1.0, *curve][math.floor(found)] if found < len(curve) else curve[-2:][0]
        assert before >= share > curve[min(math.ceil(found) or 1, len(curve)) - 1] or found == math.floor(found)
        stricter = horizon(curve, share + (1 - share) / 2, floor=0.01)
        assert stricter is not None
        assert stricter <= found


@pytest.mark.parametrize(("rate", "steps"), [(1.0, None), (0.0, 0.0)])
def test_a_policy_that_always_or_never_succeeds_has_no_horizon_or_none_at_all(rate, steps):
    (curve,) = simulated(lambda *_: [rate], chains=20, length=3).curves
    assert {row.independent.steps for row in curve.horizons} == {steps}
    assert curve.horizons[0].measured.steps is None if rate else curve.horizons[0].measured.steps < 1


def an_evaluation(*results):
    return ChainEvaluation(
        "p", "e", HELD_OUT, 20, 3, 1, "carried", 1.0, 40, 0, 1.5, 99, {"lean": "1"}, tuple(results)
    )  # fmt: skip


def test_an_evaluation_reads_back_as_it_was_written(tmp_path):
    chain = chain_of("a", 2)
    walk = ChainWalk(chain, [a_rollout(chain.steps[0], FAIL, PASS), a_rollout(chain.steps[1], FAIL, FAIL)])
    alone = [a_rollout(task, PASS) for task in chain.steps]
    results = [simulated(lambda *_, r=rate: [r, 0.5], chains=20, length=3, revisions=1) for rate in (0.4, 1.0)]
    evaluation = an_evaluation(*results)
    write_chains(tmp_path / "chains", evaluation, [walk], [alone])
    assert load_chains(tmp_path / "chains") == load_chains(tmp_path / "chains" / "chains.json") == evaluation
    rows = pq.read_table(tmp_path / "chains" / "chains.parquet").to_pylist()
    assert [(row["condition"], row["step"], row["revision"], row["outcome"]) for row in rows] == [
        ("chain", 1, 1, "pass"), ("chain", 2, 1, "fail"), ("alone", 1, 0, "pass"), ("alone", 2, 0, "pass"),
    ]  # fmt: skip
    assert {row["chain"] for row in rows} == {chain.id}


@pytest.mark.parametrize("text", [None, "{}", "not JSON", '{"results": [{}]}'])
def test_what_is_no_evaluation_of_chains_is_a_configuration_error(tmp_path, text):
    if text is not None:
        (tmp_path / "chains.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot read the chains"):
        load_chains(tmp_path)


def test_tables_say_what_was_measured_what_was_expected_and_what_is_out_of_reach():
    from rich.console import Console

    console = Console(width=160, record=True, file=io.StringIO())
    result = simulated(lambda *_: [1.0], chains=20, length=3, revisions=1)
    for table in chain_tables(an_evaluation(result)):
        console.print(table)
    text = console.export_text()
    assert text.count("100.0%") >= 12
    assert "beyond 3" in text
    assert "no end" in text


def test_what_is_stored_of_other_tasks_is_not_gone_on_with(tmp_path):
    directory, chain = ChainDirectory(tmp_path), chain_of("a", 2)
    (tmp_path / "chains").mkdir()
    steps = [a_rollout(task, PASS) for task in chain.steps]
    directory.keep(0, "chain", [steps], 1.0)
    assert directory.kept(0, "chain", [chain]) == [steps]
    for others in ([chain_of("b", 2)], [chain_of("a", 1)], []):
        with pytest.raises(ConfigError, match="was asked other tasks than those of now"):
            directory.kept(0, "chain", others)


# The real thing.


def test_a_real_policy_walks_real_chains_to_real_verdicts(tiny_policy, both_envs, real_pool):
    engine = TransformersEngine(tiny_policy.model, tiny_policy.tokenizer)
    chains = draw_chains(both_envs, HELD_OUT, 4, 2, 0)
    judge, sampling, loop = Judge(both_envs, real_pool), Sampling(1.0, 12), LoopConfig(max_turns=2)

    def walked():
        return follow_chains(chains, engine, tiny_policy.tokenizer, judge, sampling, loop, longest=192)

    walks = walked()
    alone = isolate_steps(chains, engine, tiny_policy.tokenizer, judge, sampling, loop, longest=192)
    assert [len(steps) for steps in alone] == [2] * 4
    assert {walk.steps[0].verdict.outcome for walk in walks} == {Outcome.FAIL}
    assert [[r.completion_ids for r in w.steps] for w in walks] == [
        [r.completion_ids for r in w.steps] for w in walked()
    ]
    result = measure_chains(walks, alone, revisions=1, max_tokens=12, envs=list(both_envs))
    assert result.name == "theorems + programs"
    assert [point.measured.mean for curve in result.curves for point in curve.points] == [0.0] * 4


def test_right_answers_pass_every_step_in_the_context_of_those_before(both_envs, real_pool):
    """An engine that writes known solutions: what is carried must not stand in the way of a right answer."""
    solved = [list(env.demonstrations(4, 3)) for env in both_envs.values()]
    gold = {task.id: answer for pairs in solved for task, answer in pairs}
    chains = [Chain.of([task for pairs in solved for task, _ in pairs], "both@3")]

    class Gold(ScriptedEngine):
        def generate(self, source, temperature):
            while requests := source.take(wait=True):
                for request in requests:
                    task = chains[request.id].steps[len(source.walks[request.id].steps)]
                    source.put(request.id, Completion([1], [0.0], gold[task.id], truncated=False))

    judge = Judge(both_envs, real_pool)
    (walk,) = follow_chains(chains, Gold(), Letters(), judge, Sampling(1.0, 200), LoopConfig())
    assert [rollout.verdict.outcome for rollout in walk.steps] == [Outcome.PASS] * 8


class FileSoFar:
    """Functions of one file, each of which may call those before it; the carried text is the file."""

    name = "file"

    def chains(self, split, n, length, seed):
        tests = [{"args": [n], "expected": 2 * n + 1} for n in range(4)]
        steps = [("f1", "Add 1", [{"args": [n], "expected": n + 1} for n in range(4)]), ("f2", "Double, add 1", tests)]
        return [
            [Task(name, f"# {name}: {words}.\n", {"entry_point": name, "tests": cases, "public": 1}, "program",
                  "files", None, split, "file@0") for name, words, cases in steps[:length]]
        ]  # fmt: skip

    def candidate(self, task, completion):
        return f"{task.prompt}{completion}"

    def extract(self, completion):
        return completion

    def feedback(self, verdict):
        return verdict.feedback


def test_an_environment_may_let_a_step_call_what_was_verified_before_it(real_pool):
    class Written(ScriptedEngine):
        def generate(self, source, temperature):
            answers = iter(["def f1(n):\n    return n + 1", "def f2(n):\n    return f1(2 * n)"])
            while requests := source.take(wait=True):
                source.put(requests[0].id, Completion([1], [0.0], next(answers), truncated=False))

    chains = draw_chains({"file": FileSoFar()}, HELD_OUT, 1, 2, 0)
    judge, settings = Judge({"file": FileSoFar()}, real_pool), (Sampling(1.0, 99), LoopConfig())
    (carried,) = follow_chains(chains, Written(), Letters(), judge, *settings)
    (none,) = follow_chains(chains, Written(), Letters(), judge, *settings, context="none")
    assert [rollout.verdict.outcome for rollout in carried.steps] == [Outcome.PASS, Outcome.PASS]
    assert [rollout.verdict.outcome for rollout in none.steps] == [Outcome.PASS, Outcome.FAIL]
