"""From tasks to verified completions, with a real (untrained) policy and real verifiers."""

from types import SimpleNamespace

import pytest

from proofgrad.rl.config import Config
from proofgrad.rl.engine import Completion, Sampling, TransformersEngine
from proofgrad.rl.rollout import Judge, RolloutFunction, prompt_key, proved, roll_out, sample_seed
from proofgrad.rl.stream import TaskStream
from proofgrad.verifiers.base import Outcome, Verdict
from proofgrad.verifiers.pool import VerifierPool

CONFIG = Config.model_validate(
    {"name": "x", "policy": {"scratch": {}}, "envs": [{"name": "propositional"}, {"name": "synthesis"}]}
)


class Reciting:
    """An engine that recites a given completion for each prompt, last prompt first."""

    name, has_own_seeds = "reciting", False

    def __init__(self, texts):
        self.texts = texts

    def generate(self, source, temperature):
        for request in reversed(source.take(wait=True)):
            source.put(request.id, Completion([1, 2], [-0.1, -0.2], self.texts[request.id], truncated=False))


@pytest.fixture
def demonstrations(both_envs):
    return [pair for env in both_envs.values() for pair in env.demonstrations(6, 0)]


@pytest.fixture
def judge(both_envs, real_pool):
    return Judge(both_envs, real_pool)


def test_gold_completions_pass_and_others_do_not(demonstrations, judge, tiny_policy):
    tasks = [task for task, _ in demonstrations] * 2
    texts = [gold for _, gold in demonstrations] + ["by\n  exact nothing"] * len(demonstrations)
    rollouts = roll_out(tasks, range(len(tasks)), Reciting(texts), tiny_policy.tokenizer, judge, Sampling(1.0, 8))
    assert [r.task for r in rollouts] == tasks
    assert [r.turns[-1].completion.text for r in rollouts] == texts
    outcomes = [r.verdict.outcome for r in rollouts]
    assert outcomes == [Outcome.PASS] * len(demonstrations) + [Outcome.FAIL] * len(demonstrations)


def test_an_empty_completion_fails_without_a_judgement(demonstrations, judge, tiny_policy):
    task = demonstrations[0][0]
    (rollout,) = roll_out([task], [0], Reciting([" \n"]), tiny_policy.tokenizer, judge, Sampling(1.0, 8))
    assert rollout.verdict.reason == "env.no_answer"
    assert rollout.turns[-1].candidate is None


def test_verification_starts_while_other_completions_are_still_to_come(demonstrations, both_envs, tiny_policy):
    seen = []

    class Watching:
        name, version = "lean", "1"

        def verify(self, problem, candidate):
            seen.append(candidate)
            return Verdict.passed("test.ok")

    class Patient(Reciting):
        def generate(self, source, temperature):
            source.take(wait=True)
            source.put(0, Completion([1], [0.0], "first", truncated=False))
            futures[0].result(5)
            assert seen == ["first"]
            source.put(1, Completion([1], [0.0], "second", truncated=False))

    futures = []

    class Noting(VerifierPool):
        def submit(self, *args):
            futures.append(super().submit(*args))
            return futures[-1]

    tasks = [task for task, _ in demonstrations if task.verifier == "lean"][:2]
    with Noting({"lean": Watching()}) as pool:
        roll_out(tasks, [0, 1], Patient([]), tiny_policy.tokenizer, Judge(both_envs, pool), Sampling(1.0, 8))
    assert seen == ["first", "second"]


def test_trl_gets_equal_lengths_and_the_score_of_each_verdict(demonstrations, judge, tiny_policy):
    task, gold = demonstrations[0]
    trainer = SimpleNamespace(
        state=SimpleNamespace(global_step=3),
        accelerator=SimpleNamespace(process_index=0),
        processing_class=tiny_policy.tokenizer,
    )
    kept = []
    function = RolloutFunction(lambda _: Reciting([gold, "wrong"]), judge, Sampling(1.0, 8), 0, kept.append)
    function.stream = TaskStream(CONFIG, [task], [task])
    output = function([task.prompt, task.prompt], trainer)
    assert output["verdict_reward"] == [1.0, 0.0]
    assert {len(column) for column in output.values()} == {2}
    for ids, *others in zip(*(output[key] for key in ("completion_ids", "logprobs", "env_mask")), strict=True):
        assert {len(other) for other in others} == {len(ids)}
    (batch,) = kept
    assert [r.verdict.is_pass for r in batch.rollouts] == [True, False]
    assert (batch.thrown, batch.metrics.keys()) == ([], {"tokens_per_second", "wait_time_share"})


def test_trl_gets_a_token_without_loss_where_a_prompt_left_no_room_for_one(demonstrations, judge, tiny_policy):
    task, _ = demonstrations[0]
    trainer = SimpleNamespace(
        state=SimpleNamespace(global_step=0),
        accelerator=SimpleNamespace(process_index=0),
        processing_class=tiny_policy.tokenizer,
    )
    function = RolloutFunction(lambda _: Reciting([]), judge, Sampling(1.0, 8), 0, lambda _: None, context=2)
    function.stream = TaskStream(CONFIG, [task], [task])
    output = function([task.prompt], trainer)
    assert output["completion_ids"] == [[tiny_policy.tokenizer.eos_token_id]]
    assert (output["logprobs"], output["env_mask"], output["verdict_reward"]) == ([[0.0]], [[0]], [0.0])


def test_unknown_reaches_trl_as_none():
    assert proved(["p"] * 3, verdict_reward=[1.0, None, 0.0]) == [1.0, None, 0.0]


def test_seeds_depend_on_every_part_and_on_nothing_else():
    assert sample_seed(0, 1, 2) == sample_seed(0, 1, 2)
    assert len({sample_seed(a, b) for a in range(20) for b in range(20)}) == 400
    assert all(0 <= sample_seed(i) < 2**63 for i in range(100))


def test_the_key_of_a_chat_prompt_ignores_the_order_of_keys():
    assert prompt_key([{"role": "user", "content": "x"}]) == prompt_key([{"content": "x", "role": "user"}])


def test_the_engine_repeats_itself_for_equal_seeds_only(demonstrations, judge, tiny_policy):
    engine = TransformersEngine(tiny_policy.model, tiny_policy.tokenizer)
    tasks = [task for task, _ in demonstrations]

    def texts(seeds):
        rollouts = roll_out(tasks, seeds, engine, tiny_policy.tokenizer, judge, Sampling(1.0, 12))
        return [r.turns[-1].completion.text for r in rollouts]

    once = texts(range(len(tasks)))
    assert texts(range(len(tasks))) == once
    assert texts(range(50, 50 + len(tasks))) != once
