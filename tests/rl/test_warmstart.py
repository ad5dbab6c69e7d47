"""The supervised start: what is learned from a failed attempt, and that a start is made again as it was."""

from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch

from proofgrad import envs
from proofgrad.rl.config import Config, LoopConfig
from proofgrad.rl.engine import Completion, Sampling
from proofgrad.rl.rollout import Judge, roll_out
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.rl.session import Session
from proofgrad.rl.warmstart import feedback_texts, revision_rows, start_policy
from proofgrad.verifiers.base import Outcome, Verdict

TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


class Reciting:
    """Recites a text in answer to every request, and keeps the requests."""

    name, has_own_seeds = "reciting", False

    def __init__(self, tokenizer, text):
        self.tokenizer, self.text, self.asked = tokenizer, text, []

    def generate(self, source, temperature):
        while requests := source.take(wait=True):
            for request in requests:
                self.asked.append(request)
                ids = [*self.tokenizer(self.text)["input_ids"], self.tokenizer.eos_token_id]
                source.put(request.id, Completion(ids, [-0.5] * len(ids), self.text, truncated=False))


@pytest.fixture(params=["plain", "chat"])
def conversing(request, tiny_policy, real_pool):
    """A tokenizer, a judge, and three tasks with their gold completions, in each style of prompts."""
    env = envs.get("synthesis", max_level=1, style=request.param)
    tokenizer = tiny_policy.tokenizer
    tokenizer.chat_template = TEMPLATE if request.param == "chat" else None
    yield tokenizer, Judge({"synthesis": env}, real_pool), list(env.demonstrations(3, 0))
    tokenizer.chat_template = None


def attempted(conversing, text, turns=1):
    tokenizer, judge, shown = conversing
    engine = Reciting(tokenizer, text)
    tasks = [task for task, _ in shown]
    loop = LoopConfig(max_turns=turns, halt_on_repeat=False)
    return roll_out(tasks, range(3), engine, tokenizer, judge, Sampling(1.0, 64), loop), engine


def test_a_revision_is_learned_in_the_very_context_that_the_loop_makes(conversing):
    tokenizer, judge, shown = conversing
    wrong = "def f(x):\n    return None"
    rollouts, _ = attempted(conversing, wrong)
    _, engine = attempted(conversing, wrong, turns=2)
    rows = revision_rows(tokenizer, judge, rollouts, [gold for _, gold in shown], 10_000)
    contexts = [[id_ for id_, mine in zip(r["input_ids"], r["completion_mask"], strict=True) if not mine] for r in rows]
    asked = [list(request.prompt_ids) for request in engine.asked]
    assert contexts[::2] == asked[:3]  # plain demonstrations: the first turns
    assert contexts[1::2] == asked[3:]  # and the second turns, behind the attempt and its feedback
    for place, row in enumerate(rows):
        answer = row["input_ids"][len(contexts[place]) :]
        assert row["completion_mask"] == [0] * len(contexts[place]) + [1] * len(answer)
        assert tokenizer.decode(answer) == shown[place // 2][1] + tokenizer.eos_token


def test_nothing_is_to_be_revised_of_what_passed_could_not_be_judged_or_does_not_fit(conversing):
    tokenizer, judge, shown = conversing
    golds = [gold for _, gold in shown]
    rollouts, _ = attempted(conversing, "def f(x):\n    return None")
    for verdict in (Verdict.passed("test.ok"), Verdict.unknown("infra.x")):
        judged = [replace(r, turns=(replace(r.turns[0], verdict=verdict),)) for r in rollouts]
        assert len(revision_rows(tokenizer, judge, judged, golds, 10_000)) == 3
    whole = revision_rows(tokenizer, judge, rollouts, golds, 10_000)
    longest = sorted(len(row["input_ids"]) for row in whole[1::2])[1]
    kept = revision_rows(tokenizer, judge, rollouts, golds, longest)
    assert max(len(row["input_ids"]) for row in kept) == longest
    assert len(kept) == 5


def test_a_tokenizer_is_shown_what_verifiers_really_say(both_envs, real_pool):
    judge = Judge(both_envs, real_pool)
    for env in both_envs.values():
        texts = feedback_texts(judge, list(env.demonstrations(6, 0)))
        assert len(texts) > 6
        assert all(text.startswith("That answer was not accepted.") for text in texts)
        assert len(set(texts)) > 3


def made(path, **warm_start):
    """A start in a run directory of its own, and what it left there."""
    shape = {"hidden_size": 32, "intermediate_size": 64, "layers": 1, "heads": 2, "key_value_heads": 1, "context": 320}
    config = Config.model_validate(
        {
            "name": "tiny",
            "runs_dir": str(path),
            "policy": {"scratch": {**shape, "vocab_size": 450}},
            "envs": [{"name": "synthesis", "options": {"max_level": 1}}],
            "warm_start": {"demonstrations": 24, "batch_size": 16, **warm_start},
            "generation": {"engine": "transformers", "max_tokens": 16},
        }
    )
    run = RunDirectory.create(config)
    # What a kill leaves behind: a start that was not written to its end.
    (run.path / "checkpoints" / "warm-start.partial").mkdir()
    for phase in ("warm-start", "revisions"):
        run.log(phase, 10, {"loss": 99.0})
    with Session(config, run) as session:
        return start_policy(session), run


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    return made(tmp_path_factory.mktemp("started"), revisions=12, revision_rounds=2)


def test_a_start_with_revisions_is_a_function_of_its_configuration(tmp_path, started):
    once, run = started
    again, _ = made(tmp_path / "again", revisions=12, revision_rounds=2)
    assert once.tokenizer.get_vocab() == again.tokenizer.get_vocab()
    assert all(torch.equal(a, b) for a, b in zip(once.model.parameters(), again.model.parameters(), strict=True))
    assert all(row["loss"] < 99 for row in run.metrics())
    rounds = [pq.read_table(run.path / "rollouts" / f"revisions-{n}.parquet").to_pylist() for n in (1, 2)]
    for rows in rounds:
        assert len(rows) == 12
        assert {(row["split"], row["outcome"]) for row in rows} == {("train", Outcome.FAIL.value)}
    assert {row["task"] for row in rounds[0]} != {row["task"] for row in rounds[1]}


def test_without_revisions_nothing_is_tried_and_no_word_of_feedback_is_known(tmp_path, started):
    told, _ = started
    plain, run = made(tmp_path / "plain")
    assert not list((run.path / "rollouts").iterdir())
    words = "That answer was not accepted."
    assert len(told.tokenizer(words)["input_ids"]) < len(plain.tokenizer(words)["input_ids"])
