"""The policy loops on its own outputs: turns, budgets, halting, and what of a trajectory is the policy's own."""

import json
import sys
import threading
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.envs.base import Task
from proofgrad.rl.config import LoopConfig
from proofgrad.rl.engine import Completion, Sampling, TransformersEngine
from proofgrad.rl.loop import Attempt, Halt, Loop, Turn, follow_up, last_segment
from proofgrad.rl.policy import prompt_ids
from proofgrad.rl.rollout import Judge, Pace, Rollout, reward, roll_out
from proofgrad.verifiers.base import Outcome, Verdict

sys.path.insert(0, str(Path(__file__).parent / "doubles"))
from scripted import Letters, ScriptedJudge

RIGHT = Verdict.passed("test.ok")


def wrong(words="it is wrong", score=0.0):
    return Verdict.failed("test.wrong", score=score, feedback=words)


def task_of(name, prompt="Q:"):
    return Task(name, prompt, {}, "scripted", "test", None, "train", "scripted@0")


class ScriptedEngine:
    """Writes numbered answers, a token for each letter; keeps what it was asked for."""

    name = "scripted"

    def __init__(self, has_own_seeds=False, texts=None):
        self.has_own_seeds, self.texts = has_own_seeds, texts
        self.rounds, self.counts = [], defaultdict(int)

    def generate(self, source, temperature):
        while requests := source.take(wait=True):
            self.rounds.append(list(requests))
            for request in requests:
                self.counts[request.id] += 1
                text = self.texts or f"answer {request.id} {self.counts[request.id]}"
                ids = [ord(letter) for letter in text][: request.max_tokens]
                source.put(request.id, Completion(ids, [-1.0] * len(ids), text, truncated=False))


def run(verdicts, engine=None, max_tokens=40, context=None, **settings):
    tasks = [task_of(name) for name in verdicts]
    engine = engine or ScriptedEngine()
    judge = ScriptedJudge(verdicts)
    config = LoopConfig(**settings)
    rollouts = roll_out(tasks, range(len(tasks)), engine, Letters(), judge, Sampling(1.0, max_tokens), config, context)
    return rollouts, engine


def text_of(request):
    return "".join(map(chr, request.prompt_ids))


def test_a_failed_attempt_comes_back_with_its_feedback_until_it_passes():
    (rollout,), engine = run({"a": [wrong("first"), wrong("second"), RIGHT]}, max_turns=4)
    assert rollout.halt is Halt.VERIFIED
    assert [turn.verdict.feedback for turn in rollout.turns] == ["first", "second", ""]
    assert [text_of(requests[0]) for requests in engine.rounds] == [
        "Q:",
        "Q:answer 0 1\nNo: first\nQ:",
        "Q:answer 0 1\nNo: first\nQ:answer 0 2\nNo: second\nQ:",
    ]
    assert rollout.verdict is RIGHT


def test_only_what_the_policy_wrote_is_an_action():
    (rollout,), _ = run({"a": [wrong("x"), RIGHT]}, max_turns=2)
    inserted = "\nNo: x\nQ:"
    assert "".join(map(chr, rollout.completion_ids)) == f"answer 0 1{inserted}answer 0 2"
    assert rollout.is_action == [1] * 10 + [0] * len(inserted) + [1] * 10
    assert rollout.logprobs == [-1.0] * 10 + [0.0] * len(inserted) + [-1.0] * 10
    assert rollout.tokens == 20


@pytest.mark.parametrize(
    ("script", "settings", "halt", "turns"),
    [
        ([RIGHT], {"max_turns": 3}, Halt.VERIFIED, 1),
        ([wrong()], {"max_turns": 1}, Halt.TURNS, 1),
        ([wrong("a"), wrong("b"), wrong("c")], {"max_turns": 3}, Halt.TURNS, 3),
        ([wrong("a"), Verdict.unknown("infra.x")], {"max_turns": 3}, Halt.UNKNOWN, 2),
        ([wrong("a"), wrong("a")], {"max_turns": 5}, Halt.REPEATED, 2),
        ([wrong("a"), wrong("a"), RIGHT], {"max_turns": 5, "halt_on_repeat": False}, Halt.VERIFIED, 3),
        ([wrong("a"), wrong("b")], {"max_turns": 5, "token_budget": 20}, Halt.BUDGET, 2),
        ([wrong("a"), wrong("b")], {"max_turns": 5, "context": 40}, Halt.BUDGET, 2),
    ],
)
def test_why_a_task_halts(script, settings, halt, turns):
    (rollout,), _ = run({"a": script}, **settings)
    assert (rollout.halt, len(rollout.turns)) == (halt, turns)
    assert rollout.turns[-1].follow_up_ids == ()  # feedback that nobody reads is not in the trajectory


def test_the_same_answer_again_halts_whatever_the_verifier_says():
    (rollout,), _ = run({"a": [wrong("a"), wrong("b")]}, ScriptedEngine(texts="the same"), max_turns=5)
    assert rollout.halt is Halt.REPEATED


def test_a_budget_of_tokens_shortens_the_last_turn():
    (rollout,), engine = run({"a": [wrong("a"), wrong("b")]}, max_turns=5, token_budget=13)
    assert [requests[0].max_tokens for requests in engine.rounds] == [13, 3]
    assert rollout.tokens == 13


def freshness(rollout):
    return "".join("F" if turn.is_fresh else "-" for turn in rollout.turns)


A, B, C = wrong("a"), wrong("b"), wrong("c")


@pytest.mark.parametrize(
    ("policy", "script", "pattern", "halt"),
    [
        ("revise", [A, B, C, A, B], "-----", Halt.TURNS),
        ("fresh", [A, B, C, A, B], "-FFFF", Halt.TURNS),
        ("fresh", [A, A, A, A, A], "-FFFF", Halt.TURNS),  # drawn anew, the same is no sign of being stuck
        ("alternate", [A, B, C, A, B], "--F-F", Halt.TURNS),
        ("alternate", [A, A, A, A, A], "--F-F", Halt.TURNS),
        ("when_stuck", [A, B, C, A, B], "-----", Halt.TURNS),
        ("when_stuck", [A, A, A, B, B], "--F--", Halt.TURNS),  # the third saw neither of those before it
        ("when_stuck", [A, A, A, A, RIGHT], "--F-F", Halt.VERIFIED),
        ("revise", [A, A], "--", Halt.REPEATED),
        ("fresh", [A, Verdict.unknown("infra.x")], "-F", Halt.UNKNOWN),
    ],
)
def test_what_follows_a_failed_attempt_is_a_named_choice(policy, script, pattern, halt):
    (rollout,), engine = run({"a": script}, max_turns=5, next_attempt=policy)
    assert (freshness(rollout), rollout.halt) == (pattern, halt)
    for turn, (request,) in zip(rollout.turns, engine.rounds, strict=True):
        if turn.is_fresh:
            assert text_of(request) == "Q:"


def test_only_the_last_segment_is_trained_on_and_all_of_it_is_paid_for():
    (rollout,), _ = run({"a": [wrong("x"), wrong("y"), wrong("z"), RIGHT]}, max_turns=4, next_attempt="alternate")
    inserted = "\nNo: z\nQ:"
    assert "".join(map(chr, rollout.completion_ids)) == f"answer 0 3{inserted}answer 0 4"
    assert rollout.is_action == [1] * 10 + [0] * len(inserted) + [1] * 10
    assert rollout.logprobs == [-1.0] * 10 + [0.0] * len(inserted) + [-1.0] * 10
    assert rollout.tokens == 40
    assert rollout.turns[1].follow_up_ids == ()  # what nobody reads is not put in
    row = rollout.to_row()
    assert (row["turn_count"], row["tokens"], row["logprob"]) == (4, 40, -20.0)
    assert [turn["is_fresh"] for turn in json.loads(row["turns"])] == [False, False, True, False]


def test_a_revision_without_room_in_the_context_gives_way_to_a_fresh_attempt():
    for policy in ("alternate", "when_stuck"):
        (rollout,), _ = run({"a": [A, B, RIGHT]}, max_turns=3, next_attempt=policy, context=15)
        assert (freshness(rollout), rollout.halt) == ("-FF", Halt.VERIFIED)
        assert all(turn.follow_up_ids == () for turn in rollout.turns)


VERDICTS = st.one_of(
    st.just(RIGHT), st.just(Verdict.unknown("infra.x")),
    st.builds(wrong, st.sampled_from("ab"), st.sampled_from([0.0, 0.5, 1.0])),
    st.builds(wrong, st.sampled_from("ab"), st.sampled_from([0.0, 0.5, 1.0])),
    st.builds(wrong, st.sampled_from("ab"), st.sampled_from([0.0, 0.5, 1.0])),
)  # fmt: skip
LOOPS = st.fixed_dictionaries(
    {
        "next_attempt": st.sampled_from(["revise", "fresh", "alternate", "when_stuck"]),
        "max_turns": st.integers(1, 6),
        "token_budget": st.none() | st.integers(1, 60),
        "context": st.none() | st.integers(5, 90),
        "halt_on_repeat": st.booleans(),
    }
)


@settings(max_examples=150)
@given(scripts=st.lists(st.lists(VERDICTS, min_size=6, max_size=6), min_size=1, max_size=3), loop=LOOPS)
def test_whatever_the_verdicts_the_last_segment_is_what_the_policy_saw_and_wrote(scripts, loop):
    rollouts, engine = run({f"t{n}": script for n, script in enumerate(scripts)}, **loop)
    for number, rollout in enumerate(rollouts):
        asked = [request for requests in engine.rounds for request in requests if request.id == number]
        last = rollout.turns[-1].completion.token_ids
        assert len(asked) == len(rollout.turns) <= loop["max_turns"]
        assert [*rollout.prompt_ids, *rollout.completion_ids] == [*asked[-1].prompt_ids, *last]
        assert len(rollout.completion_ids) == len(rollout.is_action) == len(rollout.logprobs)
        assert sum(rollout.is_action) == sum(len(turn.completion.token_ids) for turn in last_segment(rollout.turns))
        assert rollout.tokens == sum(len(turn.completion.token_ids) for turn in rollout.turns)
        assert rollout.tokens <= (loop["token_budget"] or 1000)
        assert len(rollout.prompt_ids) + len(rollout.completion_ids) <= (loop["context"] or 1000)
        assert all(turn.verdict.outcome is Outcome.FAIL for turn in rollout.turns[:-1])
        assert not rollout.turns[0].is_fresh
        assert loop["next_attempt"] != "revise" or not any(turn.is_fresh for turn in rollout.turns)
        assert len({request.seed for request in asked}) == len(asked)


@given(
    verdicts=st.lists(st.tuples(VERDICTS, st.booleans()), min_size=2, max_size=6),
    discount=st.floats(0.1, 1.0), partial=st.floats(0.0, 0.99),
)  # fmt: skip
def test_a_reward_is_what_the_last_segment_alone_is_worth_and_a_failure_is_under_every_pass(
    verdicts, discount, partial
):
    loop = LoopConfig(max_turns=6, discount=discount, partial_credit=partial, next_attempt="when_stuck")
    turns = [Turn(Completion([1], [0.0], "x", False), "x", v, is_fresh=fresh) for v, fresh in verdicts]
    rollout = Rollout(task_of("a"), [1], tuple(turns), Halt.TURNS)
    worth = reward(rollout, loop)
    assert worth == reward(Rollout(task_of("a"), [1], tuple(rollout.segment), Halt.TURNS), loop)
    if rollout.verdict.outcome is Outcome.FAIL:
        latest_pass = reward(a_rollout(*[wrong()] * 5, RIGHT), loop)
        assert 0 <= worth < latest_pass


def test_a_prompt_that_fills_the_context_fails_without_an_attempt():
    tasks = [task_of("long", "Q" * 50), task_of("short")]
    engine = ScriptedEngine()
    judge = ScriptedJudge({"short": [RIGHT]})
    long, short = roll_out(tasks, [0, 1], engine, Letters(), judge, Sampling(1.0, 40), LoopConfig(), 50)
    assert (long.verdict.reason, long.halt, long.completion_ids) == ("env.prompt_too_long", Halt.BUDGET, [])
    assert short.verdict is RIGHT
    assert [[request.id for request in requests] for requests in engine.rounds] == [[1]]


def test_no_compute_is_spent_on_what_is_solved():
    rollouts, engine = run({"a": [RIGHT], "b": [wrong("1"), wrong("2"), RIGHT], "c": [RIGHT]}, max_turns=3)
    assert [len(requests) for requests in engine.rounds] == [3, 1, 1]
    assert [len(r.turns) for r in rollouts] == [1, 3, 1]


def test_rounds_do_not_hang_on_the_order_of_verdicts():
    """With a stream shared by all requests of a round, the second round waits for every verdict of the first."""
    judge = ScriptedJudge({"slow": [wrong("s"), RIGHT], "fast": [wrong("f"), RIGHT]}, holding=["slow"])
    attempts = [Attempt(task_of(name), [1], 0) for name in ("slow", "fast")]
    loop = Loop(attempts, judge, Letters(), LoopConfig(max_turns=2), max_tokens=5)
    requests = loop.take(wait=True)
    for request in requests:
        loop.put(request.id, Completion([5], [0.0], f"t{request.id}", truncated=False))
    assert loop.take(wait=False) == []
    threading.Timer(0.05, judge.release, ["slow"]).start()
    assert [request.id for request in loop.take(wait=True)] == [0, 1]
    assert loop.waited_s > 0.02


def test_an_engine_whose_requests_have_their_own_seeds_goes_on_with_what_is_ready():
    judge = ScriptedJudge({"slow": [wrong("s"), RIGHT], "fast": [wrong("f"), RIGHT]}, holding=["slow"])
    attempts = [Attempt(task_of(name), [1], 0) for name in ("slow", "fast")]
    loop = Loop(attempts, judge, Letters(), LoopConfig(max_turns=2), max_tokens=5, in_rounds=False)
    for request in loop.take(wait=True):
        loop.put(request.id, Completion([5], [0.0], f"t{request.id}", truncated=False))
    (revision,) = loop.take(wait=False)
    assert revision.id == 1
    loop.put(1, Completion([5], [0.0], "better", truncated=False))
    assert loop.take(wait=False) == []
    del judge.held["slow"][1:]
    judge.release("slow")
    assert [request.id for request in loop.take(wait=True)] == [0]


def test_a_turns_seed_is_its_own_and_the_same_each_time():
    def seeds():
        tasks = {"a": [wrong("1"), wrong("2"), RIGHT], "b": [wrong("1"), RIGHT]}
        return [[r.seed for r in requests] for requests in run(tasks, max_turns=3)[1].rounds]

    found = seeds()
    assert found == seeds()
    flat = [seed for requests in found for seed in requests]
    assert len(set(flat)) == len(flat) == 5
    assert all(0 <= seed < 2**63 for seed in flat)


def a_rollout(*verdicts):
    turns = tuple(Turn(Completion([1], [0.0], "x", False), "x", verdict) for verdict in verdicts)
    return Rollout(task_of("a"), [1], turns, Halt.TURNS)


def test_what_rollouts_took_is_told():
    pace = Pace()
    judge = ScriptedJudge({"a": [wrong("x"), RIGHT]}, holding=["a"])
    threading.Timer(0.05, lambda: judge.held["a"].pop()[0].set_result(wrong("x"))).start()
    threading.Timer(0.1, lambda: judge.release("a")).start()
    roll_out(
        [task_of("a")], [0], ScriptedEngine(), Letters(), judge, Sampling(1.0, 40), LoopConfig(max_turns=2), pace=pace
    )
    assert pace.tokens == 20
    assert 0.05 < pace.waited_s <= pace.seconds
    told = pace.metrics()
    assert told["tokens_per_second"] == pytest.approx(20 / pace.seconds)
    assert 0 < told["wait_time_share"] <= 1


def test_a_later_success_is_worth_less_and_unknown_nothing_at_all():
    loop = LoopConfig(max_turns=3, discount=0.5)
    assert reward(a_rollout(RIGHT), loop) == 1.0
    assert reward(a_rollout(wrong(), wrong(), RIGHT), loop) == 0.25
    assert reward(a_rollout(wrong()), loop) == 0.0
    assert reward(a_rollout(wrong(score=0.9), Verdict.unknown("infra.x")), loop) is None


def test_partial_credit_never_reaches_what_a_pass_is_worth():
    loop = LoopConfig(max_turns=3, discount=0.5, partial_credit=0.99)
    least = reward(a_rollout(wrong(), wrong(), RIGHT), loop)
    assert 0 < reward(a_rollout(wrong(score=1.0), wrong(score=0.2)), loop) < least


TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.mark.parametrize("truncated", [False, True])
@pytest.mark.parametrize("answer", ["an answer", "an answer\n", "<assistant>an answer<assistant>"])
def test_a_conversation_in_tokens_is_what_the_chat_template_makes_of_it(tiny_policy, truncated, answer):
    tokenizer = tiny_policy.tokenizer
    tokenizer.chat_template = TEMPLATE
    task = task_of("a", [{"role": "user", "content": "prove it"}])
    ids = tokenizer(answer + ("" if truncated else "<|end|>"), add_special_tokens=False)["input_ids"]
    turn = Turn(Completion(ids, [0.0] * len(ids), answer, truncated), answer, wrong())
    inserted = follow_up(tokenizer, task, [turn], "No: it is wrong")
    whole = tokenizer.decode([*prompt_ids(tokenizer, task.prompt), *ids, *inserted])
    assert whole == (f"<user>prove it<|end|>\n<assistant>{answer}<|end|>\n<user>No: it is wrong<|end|>\n<assistant>")
    tokenizer.chat_template = None


# As Qwen3's does, it shows thoughts, even none, with the last answer only.
THINKING = TEMPLATE.replace(
    "<{{ m['role'] }}>", "<{{ m['role'] }}>{% if loop.last and m['role'] == 'assistant' %}<think></think>{% endif %}"
)


def test_a_template_that_shows_the_last_answer_otherwise_costs_the_feedback_nothing(tiny_policy):
    tokenizer = tiny_policy.tokenizer
    tokenizer.chat_template = THINKING
    task = task_of("a", [{"role": "user", "content": "prove it"}])
    ids = tokenizer("an answer<|end|>", add_special_tokens=False)["input_ids"]
    turn = Turn(Completion(ids, [0.0] * len(ids), "an answer", False), "an answer", wrong())
    inserted = follow_up(tokenizer, task, [turn], "No: an answer is wrong")
    tokenizer.chat_template = None
    assert tokenizer.decode(inserted) == "\n<user>No: an answer is wrong<|end|>\n<assistant>"


def test_a_real_policy_revises_and_repeats_itself_for_equal_seeds_only(tiny_policy, both_envs, real_pool):
    engine = TransformersEngine(tiny_policy.model, tiny_policy.tokenizer)
    tasks = [task for env in both_envs.values() for task in env.tasks("train", 3, 0)]

    def trajectories(first):
        rollouts = roll_out(
            tasks, range(first, first + len(tasks)), engine, tiny_policy.tokenizer, Judge(both_envs, real_pool),
            Sampling(1.0, 12), LoopConfig(max_turns=2, halt_on_repeat=False), context=192,
        )  # fmt: skip
        for rollout in rollouts:
            lengths = {len(rollout.completion_ids), len(rollout.is_action), len(rollout.logprobs)}
            assert len(lengths) == 1
            assert rollout.verdict.outcome is Outcome.FAIL
        assert any(len(rollout.turns) == 2 for rollout in rollouts)
        return [rollout.completion_ids for rollout in rollouts]

    once = trajectories(0)
    assert trajectories(0) == once
    assert trajectories(100) != once
