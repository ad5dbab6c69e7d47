"""Open-ended tasks: made of rubrics' prompts, split by what they have in common, judged by the rubric verifier."""

import json
from pathlib import Path

import pytest
import yaml

from proofgrad.envs.base import HELD_OUT, TRAIN, Env
from proofgrad.envs.open_ended import OpenEndedEnv, asked_of
from proofgrad.envs.testing import prompt_text
from proofgrad.verifiers.base import Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.rubric import Mark, RubricVerifier, load_examples, load_rubric, shipped_rubrics

RUBRICS = Path(__file__).parents[2] / "configs" / "rubrics"
PATHS = sorted(RUBRICS.glob("*.yaml"))


@pytest.fixture(scope="module")
def env():
    return OpenEndedEnv(PATHS)


def all_tasks(env):
    return [task for split, size in env.sizes.items() for task in env.tasks(split, size, 0)]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_each_shipped_rubric_has_many_tasks_in_both_splits(path):
    sizes = OpenEndedEnv(path).sizes
    assert sum(sizes.values()) >= 200
    assert sizes[HELD_OUT] >= 30
    assert sizes[TRAIN] >= 120


def test_it_is_an_environment_and_its_tasks_are_distinct(env):
    assert isinstance(env, Env)
    tasks = all_tasks(env)
    assert len({task.id for task in tasks}) == len({prompt_text(task) for task in tasks}) == len(tasks)
    assert {task.domain for task in tasks} == {path.stem for path in PATHS}
    assert {task.verifier for task in tasks} == {"rubric"}


def test_the_same_arguments_give_the_same_tasks_and_another_seed_gives_others(env):
    first = list(env.tasks(TRAIN, 40, 3))
    assert first == list(OpenEndedEnv(PATHS).tasks(TRAIN, 40, 3))
    assert first != list(env.tasks(TRAIN, 40, 4))


def test_what_decides_the_split_is_never_on_both_sides():
    for path in PATHS:
        rubric = load_rubric(path)
        env = OpenEndedEnv(path)
        split = {task.problem["prompt"]: task.split for task in all_tasks(env)}
        sides = {}
        for asked in asked_of(rubric):
            sides.setdefault(asked.core, set()).add(split[asked.prompt])
        assert len(sides) >= 20
        assert all(len(side) == 1 for side in sides.values())


def test_no_slot_is_left_and_problems_are_clean_json(env):
    for task in all_tasks(env):
        assert "$" not in prompt_text(task)
        assert json.loads(json.dumps(task.problem)) == task.problem


def test_the_reference_is_for_the_judge_only(env):
    with_reference = [task for task in all_tasks(env) if "reference" in task.problem]
    assert with_reference
    assert not [task for task in with_reference if task.problem["reference"] in prompt_text(task)]


def test_code_is_shown_with_the_line_numbers_that_the_problem_counts():
    for task in OpenEndedEnv(RUBRICS / "code_review_comment.yaml").tasks(TRAIN, 60, 0):
        lines = task.problem["lines"]
        assert f"\n{lines:>2}  " in task.prompt
        assert f"\n{lines + 1:>2}  " not in task.prompt


class Generous:
    """A judge for whom everything is good."""

    model, special_tokens = "generous", ()

    def ask(self, questions):
        return [Mark(5) for _ in questions]

    def close(self):
        pass


@pytest.mark.parametrize("style", ["plain", "chat"])
def test_demonstrations_are_training_tasks_with_answers_that_were_labelled_as_passing(style):
    env = OpenEndedEnv(PATHS, style=style)
    shown = list(env.demonstrations(25, 0))
    assert {task.split for task, _ in shown} == {TRAIN}
    passing = {(e.prompt, e.answer) for path in PATHS for e in load_examples(load_rubric(path)) if e.passes}
    verifier = RubricVerifier(PATHS, Generous(), allow_uncalibrated=True)
    for task, completion in shown:
        assert (task.problem["prompt"], env.extract(completion)) in passing
        assert verifier.verify(task.problem, env.extract(completion)).outcome is Outcome.PASS
    with pytest.raises(ConfigError, match="with a labelled answer and 500 were asked for"):
        env.demonstrations(500, 0)


def test_the_verifier_takes_the_problem_of_every_task(env):
    verifier = RubricVerifier(PATHS, Generous(), allow_uncalibrated=True)
    verdicts = verifier.verify_batch([(task.problem, "Line 1 is short.") for task in all_tasks(env)])
    assert Outcome.UNKNOWN not in {verdict.outcome for verdict in verdicts}


def test_both_styles_have_the_same_tasks():
    plain, chat = OpenEndedEnv(PATHS), OpenEndedEnv(PATHS, style="chat")
    for one, other in zip(plain.tasks(TRAIN, 20, 0), chat.tasks(TRAIN, 20, 0), strict=True):
        assert one.id == other.id
        assert isinstance(one.prompt, str)
        assert other.prompt[0]["role"] == "user"
        assert one.problem["prompt"] in other.prompt[0]["content"]


@pytest.mark.parametrize("style", ["plain", "chat"])
def test_the_whole_completion_is_the_answer_blocks_of_code_included(style):
    env = OpenEndedEnv(PATHS[0], style=style)
    assert env.extract(" Line 3:\n```python\nreturn 0\n```\nbecause it fails.\n") == (
        "Line 3:\n```python\nreturn 0\n```\nbecause it fails."
    )
    assert env.extract(" \n\t") is None


def test_feedback_names_what_was_not_met(env):
    said = env.feedback(Verdict.failed("rubric.below_threshold", feedback="Not met:\n- It is short."))
    assert "- It is short." in said
    assert env.feedback(Verdict.passed("rubric.ok")) != said


def test_a_rubric_that_asks_nothing_or_has_a_slot_too_many_is_refused(tmp_path):
    data = yaml.safe_load((RUBRICS / "safety_advice.yaml").read_text())
    (tmp_path / "safety_advice.jsonl").write_bytes((RUBRICS / "safety_advice.jsonl").read_bytes())
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in data.items() if k != "prompts"}))
    with pytest.raises(ConfigError, match="it asks nothing"):
        OpenEndedEnv(path)
    data["prompts"]["template"] += " $reder"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match="names no slot"):
        OpenEndedEnv(path)


def test_wrong_options_are_configuration_errors(env):
    with pytest.raises(ConfigError, match="'test'"):
        env.tasks("test", 1, 0)
    with pytest.raises(ConfigError, match="ask for fewer"):
        env.tasks(HELD_OUT, 10**6, 0)
    with pytest.raises(ConfigError, match="n is -1"):
        env.tasks(TRAIN, -1, 0)
    with pytest.raises(ConfigError, match="style 'prose'"):
        OpenEndedEnv(PATHS, style="prose")


@pytest.mark.skipif(not shipped_rubrics(), reason="this installation has no package proofgrad.rubrics")
def test_by_default_it_has_every_shipped_rubric(env):
    assert OpenEndedEnv().sizes == env.sizes
    assert OpenEndedEnv("safety_advice").sizes == OpenEndedEnv(RUBRICS / "safety_advice.yaml").sizes
