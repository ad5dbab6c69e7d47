"""Which tasks a run asks: today's order without a curriculum, and draws that repeat themselves with one."""

import itertools
import json
import random
from collections import Counter, defaultdict
from types import SimpleNamespace

import pytest

from proofgrad.envs.base import TRAIN, Task
from proofgrad.rl.config import Config, GRPOSettings, load_config
from proofgrad.rl.engine import Completion, Sampling
from proofgrad.rl.frontier import training_order
from proofgrad.rl.rollout import Judge, RolloutFunction, env_name, sample_seed
from proofgrad.rl.stream import TaskStream, task_stream
from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.pool import VerifierPool

ENVS = ("propositional", "synthesis")
SIZE = 4


def config_of(grpo=None, **shares):
    return Config.model_validate(
        {
            "name": "x",
            "seed": 3,
            "policy": {"scratch": {}},
            "envs": [{"name": name, **shares.get(name, {})} for name in ENVS],
            "grpo": {"steps": 5, "prompts_per_step": 6, "group_size": SIZE, **(grpo or {})},
        }
    )


def tasks_of(levels=3, each=5):
    return [
        Task(f"{env}-{level}-{i}", f"{env} {level} {i}", {}, "lean", env, float(level), TRAIN, f"{env}@3")
        for env in ENVS for level in range(1, levels + 1) for i in range(each)
    ]  # fmt: skip


def stream_of(tasks, config):
    return task_stream(SimpleNamespace(config=config), tasks)


def test_plain_weights_give_the_order_that_they_always_gave():
    """Bit for bit: the figures of the quickstart were measured with it."""
    tasks, config = tasks_of(), config_of(propositional={"weight": 3.0})
    rng, by_env = random.Random(sample_seed("order", config.seed)), defaultdict(list)
    for task in tasks:
        by_env[env_name(task)].append(task)

    def rounds(found):
        return itertools.chain.from_iterable(rng.sample(found, len(found)) for _ in itertools.count())

    each = {name: rounds(found) for name, found in by_env.items()}
    expected = [next(each[name]) for name in rng.choices(ENVS, [3.0, 1.0], k=30)]
    assert training_order(SimpleNamespace(config=config), tasks) == expected
    stream = stream_of(tasks, config)
    assert stream.prompts() == [task.prompt for task in expected]
    assert stream.asked([task.prompt for task in expected[6:12]], 1) == expected[6:12]


@pytest.mark.parametrize("grpo", [{}, {"curriculum": {"enabled": True}}], ids=["order", "curriculum"])
def test_every_step_keeps_to_the_bounds(grpo):
    stream = stream_of(tasks_of(), config_of(grpo, synthesis={"weight": 1000, "at_most": 0.5}))
    prompts = stream.prompts()
    assert len(prompts) == 30
    for step in range(5):
        batch = stream.asked(prompts[step * 6 : step * 6 + 6], step)
        assert Counter(env_name(task) for task in batch) == {"synthesis": 3, "propositional": 3}


def test_the_curriculum_draws_the_same_batch_for_equal_results_and_follows_them():
    streams = [stream_of(tasks_of(each=40), config_of({"curriculum": {"enabled": True}})) for _ in range(3)]
    rows = [str(place) for place in range(6) for _ in range(SIZE)]
    results = [(("propositional", level), level == 1.0) for level in (1.0, 3.0) for _ in range(200)]
    results += [(("propositional", 2.0), i % 3 == 0) for i in range(200)]
    for stream in streams[:2]:
        stream.observe(results)
    drawn = [[task.id for step in range(20) for task in stream.asked(rows, step)] for stream in streams]
    assert drawn[0] == drawn[1] != drawn[2]
    levels = Counter(id_.split("-")[1] for id_ in drawn[0] if id_.startswith("propositional"))
    assert levels["2"] > 0.8 * levels.total()


def test_the_rows_of_one_group_stand_for_one_task_and_a_batch_has_no_task_twice():
    stream = stream_of(tasks_of(levels=2, each=6), config_of({"curriculum": {"enabled": True}}))
    for step in range(20):
        batch = stream.asked([str(place) for place in range(6) for _ in range(SIZE)], step)
        groups = [{task.id for task in batch[i : i + SIZE]} for i in range(0, len(batch), SIZE)]
        assert all(len(group) == 1 for group in groups)
        assert len(set.union(*groups)) == 6


@pytest.mark.parametrize("grpo", [{}, {"curriculum": {"enabled": True}}], ids=["order", "curriculum"])
def test_what_comes_instead_is_another_task_of_the_same_environment_and_depends_on_its_place_alone(grpo):
    tasks = tasks_of()
    stream, again = (stream_of(tasks, config_of(grpo)) for _ in range(2))
    asked = {task.id for task in tasks if not task.id.endswith("-4")}
    found = [stream.instead(tasks[0], asked, 7, 0, 1, place) for place in range(20)]
    assert found == [again.instead(tasks[0], asked, 7, 0, 1, place) for place in range(20)]
    assert {env_name(task) for task in found} == {"propositional"}
    assert all(task.id not in asked for task in found)
    assert len({task.id for task in found}) > 1
    assert stream.instead(tasks[0], {task.id for task in tasks}, 7, 0, 1, 0) in tasks


class Guessing:
    """An engine whose completions are verified by chance, from the seeds it is given."""

    name, has_own_seeds = "guessing", True

    def generate(self, source, temperature):
        while requests := source.take(wait=True):
            for request in requests:
                chosen = random.Random(request.seed).random()
                source.put(request.id, Completion([1, 2], [-chosen, -chosen], f"{chosen}", truncated=False))


class Lenient:
    """Verifies what was chosen below a task's own rate: never, sometimes or always."""

    name, version = "lean", "1"

    def verify(self, problem, candidate):
        found = float(candidate) < problem["rate"]
        return Verdict.passed("test.ok") if found else Verdict.failed("test.no")


@pytest.fixture
def call(both_envs, tiny_policy):
    """Run some steps of a rollout function; returns the batches, what TRL gets, and the stream."""

    def run(grpo, steps=6, state=None):
        config = config_of(grpo)
        rates = {1.0: 1.0, 2.0: 0.5, 3.0: 0.0}
        tasks = [
            Task(t.id, t.prompt, {"rate": rates[t.difficulty]}, "lean", t.domain, t.difficulty, t.split, t.source)
            for t in tasks_of(each=30)
        ]
        batches, outputs = [], []
        with VerifierPool({"lean": Lenient()}) as pool:
            judge = Judge(both_envs, pool)
            function = RolloutFunction(
                lambda _: Guessing(), judge, Sampling(1.0, 8), config.seed, batches.append, grpo=config.grpo
            )
            function.stream = stream = stream_of(tasks, config)
            if state is not None:
                stream.curriculum.load(json.loads(json.dumps(state)))
            prompts = stream.prompts()
            for step in steps if isinstance(steps, range) else range(steps):
                rows = [prompt for prompt in prompts[step % 5 * 6 : step % 5 * 6 + 6] for _ in range(SIZE)]
                trainer = SimpleNamespace(
                    state=SimpleNamespace(global_step=step),
                    accelerator=SimpleNamespace(process_index=0),
                    processing_class=tiny_policy.tokenizer,
                )
                outputs.append(function(rows, trainer))
        return batches, outputs, stream

    return run


def test_refilled_batches_have_their_size_and_mostly_teach(call):
    plain, _, _ = call({})
    batches, outputs, _ = call({"refill": {"rounds": 4}})
    assert all(len(column) == 6 * SIZE for output in outputs for column in output.values())
    for before, batch, output in zip(plain, batches, outputs, strict=True):
        groups = [batch.rollouts[i : i + SIZE] for i in range(0, 6 * SIZE, SIZE)]
        assert all(len({rollout.task.id for rollout in group}) == 1 for group in groups)
        assert output["prompt_ids"] == [rollout.prompt_ids for rollout in batch.rollouts]
        assert Counter(env_name(r.task) for r in batch.rollouts) == Counter(env_name(r.task) for r in before.rollouts)
        assert batch.metrics["refilled"] == len(batch.thrown) / SIZE
        assert batch.metrics["zero_variance_left"] <= batch.metrics["zero_variance"]
        assert batch.metrics["thrown_verified"] == sum(r.verdict.is_pass for r in batch.thrown)
        first = sum(r.verdict.is_pass for r in before.rollouts) / (6 * SIZE)
        assert batch.metrics["drawn_solved"] == pytest.approx(first)
    left, found = (sum(batch.metrics[key] for batch in batches) for key in ("zero_variance_left", "zero_variance"))
    assert 3 * left < found


def test_a_plain_run_samples_once_and_reports_its_pace_alone(call):
    batches, _, _ = call({})
    pace = {"tokens_per_second", "wait_time_share"}
    assert all(batch.thrown == [] and batch.metrics.keys() == pace for batch in batches)


def outline(batches):
    return [[(r.task.id, r.turns[0].completion.text) for r in (*b.rollouts, *b.thrown)] for b in batches]


@pytest.mark.parametrize("grpo", [{}, {"curriculum": {"enabled": True}}], ids=["order", "curriculum"])
def test_a_run_that_goes_on_from_a_state_refills_as_the_undisturbed_one(call, grpo):
    grpo = {"refill": {"rounds": 2}, **grpo}
    whole, _, _ = call(grpo, range(6))
    first, _, stream = call(grpo, range(3))
    rest, _, _ = call(grpo, range(3, 6), stream.curriculum.state() if stream.curriculum else None)
    assert outline(first) + outline(rest) == outline(whole)


def test_the_curriculum_learns_from_what_was_thrown_away_too(call):
    batches, _, stream = call({"refill": {"rounds": 2}, "curriculum": {"enabled": True, "decay": 1.0}})
    judged = sum(len(batch.rollouts) + len(batch.thrown) for batch in batches)
    assert sum(row["solved"] + row["failed"] for row in stream.curriculum.state()["levels"]) == judged
    assert batches[-1].metrics["curriculum/weight/propositional/2"] > 0.8
    assert batches[-1].metrics["curriculum/rate/propositional/1"] > 0.8


def test_unlikeliness_reaches_the_rewards_by_group(call):
    _, plain, _ = call({})
    _, outputs, _ = call({"unlikeliness": 0.5})
    for before, after in zip(plain, outputs, strict=True):
        for start in range(0, 6 * SIZE, SIZE):
            was, now = (output["verdict_reward"][start : start + SIZE] for output in (before, after))
            assert [value > 0 for value in was] == [value > 0 for value in now]
            if len(set(was)) == 1:
                assert now == was
            else:
                assert all(0.5 < value <= 1.0 for value in now if value)
    assert any(0 < value < 1 for output in outputs for value in output["verdict_reward"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grpo: {curriculum: {low: 0.6}}", "grpo.curriculum: low (0.6) must be below high (0.5)"),
        ("grpo: {refill: {round: 1}}", "unknown key 'grpo.refill.round'; did you mean 'rounds'?"),
        ("grpo: {unlikeliness: 1}", "grpo.unlikeliness: input should be less than 1"),
        ("envs: [{name: a, at_most: 0.4}, {name: b, at_most: 0.5}]", "envs: no batch of 16 tasks keeps to the bounds"),
    ],
)
def test_a_mistake_is_explained_in_one_line(tmp_path, text, message):
    envs = "" if "envs" in text else "envs: [{name: a}]\n"
    path = tmp_path / "recipe.yaml"
    path.write_text(f"name: x\npolicy: {{scratch: {{}}}}\n{envs}{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_everything_here_is_off_by_default():
    grpo = GRPOSettings()
    assert (grpo.refill.rounds, grpo.curriculum.enabled, grpo.unlikeliness, grpo.entropy_floor) == (0, False, 0.0, 0.0)
    assert TaskStream(config_of(), tasks_of(), []).curriculum is None
