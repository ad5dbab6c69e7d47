"""reasoning-gym's families as tasks: the contract, every family's known answers, and why some are left out."""

import json
import os
import random
import subprocess
import sys

import pytest

from proofgrad.envs.base import HELD_OUT, TRAIN
from proofgrad.envs.reasoning import HIGHEST, ReasoningEnv
from proofgrad.envs.testing import EnvContract, prompt_text
from proofgrad.verifiers.errors import ConfigError, MissingExtraError
from proofgrad.verifiers.reasoning import EXCLUDED, ReasoningVerifier

FAMILIES = ["chain_sum", "base_conversion", "gcd", "letter_counting", "spell_backward", "syllogism"]


@pytest.fixture(scope="module")
def verifier():
    made = ReasoningVerifier(workers=1)
    yield made
    made.close()


class TestReasoningEnv(EnvContract):
    judged = 60

    @pytest.fixture(autouse=True)
    def shared_verifier(self, verifier):
        self.shared = verifier

    def make_env(self, **options):
        return ReasoningEnv(**{"families": FAMILIES, **options})

    def make_verifier(self):
        return self.shared

    def corrupt(self, task, completion, rng):
        return rng.choice([completion + "1", completion[:-1] + "x", "", completion + " or 12"])


def usable():
    from reasoning_gym.factory import DATASETS

    return sorted(set(DATASETS) - set(EXCLUDED))


def test_by_default_every_usable_family_is_asked():
    # The slowest families take a third of a second a question and are left to the slow test.
    quick = [family for family in usable() if family not in ("sokoban", "acre")]
    env = ReasoningEnv(families=quick, max_prompt_chars=20_000)
    tasks = list(env.tasks(TRAIN, len(quick), 0))
    assert {task.problem["family"] for task in tasks} == set(quick)
    assert len(usable()) >= 80
    assert ReasoningEnv()._families == usable()


def test_prompts_show_the_question_and_nothing_of_the_answer():
    for task in ReasoningEnv(families=["countdown", "sudoku"], style="chat").tasks(TRAIN, 10, 0):
        shown = prompt_text(task)
        assert task.problem["entry"]["question"] in shown
        assert task.problem["entry"]["answer"] not in shown


def test_levels_come_from_the_familys_curriculum():
    easy, hard = (
        list(ReasoningEnv(families=["spell_backward"], min_level=level, max_level=level).tasks(TRAIN, 20, 0))
        for level in (1, 3)
    )
    words = [[len(task.problem["entry"]["answer"]) for task in tasks] for tasks in (easy, hard)]
    assert max(words[1]) > max(words[0])
    assert {task.difficulty for task in hard} == {3.0}


def test_a_level_that_no_chosen_family_has_is_refused():
    family = next(family for family, highest in HIGHEST.items() if highest == 1)
    with pytest.raises(ConfigError, match="level 2 has 0 distinct tasks"):
        list(ReasoningEnv(families=[family], min_level=2, max_level=2).tasks(TRAIN, 1, 0))


def test_options_reach_the_family():
    env = ReasoningEnv(families=["chain_sum"], options={"chain_sum": {"min_terms": 7, "max_terms": 7}})
    for task in env.tasks(TRAIN, 10, 0):
        assert task.problem["entry"]["metadata"]["num_terms"] == 7


def test_long_questions_are_left_out():
    short = ReasoningEnv(families=["letter_counting"], max_prompt_chars=120)
    assert all(len(task.problem["entry"]["question"]) <= 120 for task in short.tasks(TRAIN, 20, 0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"families": ["chain_summ"]}, "did you mean 'chain_sum'"),
        ({"families": ["rearc"]}, "not used: its scorer does not accept"),
        ({"families": []}, "families is empty"),
        ({"options": {"chain_summ": {}}}, "no family 'chain_summ'"),
        ({"options": {"chain_sum": {"nonsense": 1}}}, "options of the family 'chain_sum'.*nonsense"),
        ({"options": {"chain_sum": {"min_terms": 9, "max_terms": 2}}}, "options of the family 'chain_sum'"),
        ({"max_prompt_chars": 0}, "max_prompt_chars is 0"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        ReasoningEnv(**options)


def test_without_reasoning_gym_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"proofgrad\[reasoning\]"):
        ReasoningEnv()


_DIGEST = """
import hashlib, json, sys
from proofgrad.envs.reasoning import ReasoningEnv
for family in sys.argv[2:]:
    try:
        tasks = list(ReasoningEnv(families=[family]).tasks("train", int(sys.argv[1]), 1))
        text = json.dumps([[task.id, task.prompt, task.problem] for task in tasks])
    except Exception as error:
        text = repr(error)
    print(family, hashlib.sha256(text.encode()).hexdigest(), flush=True)
"""


def digests(hash_seed, n, families):
    """A digest of each family's first tasks, from a fresh process."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-c", _DIGEST, str(n), *families]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    # Some families print dots while they load their data.
    return [line.lstrip(".") for line in done.stdout.splitlines() if line.count(" ") == 1]


def test_tasks_are_the_same_in_every_process():
    first, second = (digests(seed, 5, FAMILIES) for seed in (1, 2))
    assert first == second
    assert len(first) == len(FAMILIES)


def test_drawing_tasks_leaves_the_global_generator_alone():
    random.seed(3)
    expected = random.random()
    random.seed(3)
    list(ReasoningEnv(families=FAMILIES).tasks(HELD_OUT, 12, 0))
    assert random.random() == expected


@pytest.mark.slow
def test_every_family_is_deterministic_clean_and_accepts_its_own_answers(verifier):
    families = usable()
    assert digests(1, 6, families) == digests(2, 6, families)
    for family in families:
        for level in range(1, HIGHEST.get(family, 3) + 1):
            env = ReasoningEnv(families=[family], min_level=level, max_level=level, max_prompt_chars=10**6)
            n = 2 if family == "tower_of_hanoi" else 6  # its first level has few distinct questions
            for task, completion in env.demonstrations(n, 2):
                assert json.loads(json.dumps(task.problem)) == task.problem
                verdict = verifier.verify(task.problem, env.extract(completion))
                assert verdict.is_pass, (family, level, verdict, completion)


@pytest.mark.slow
def test_no_family_accepts_nonsense_or_most_of_its_neighbours_answers(verifier):
    for family in usable():
        n = 2 if family == "tower_of_hanoi" else 8
        pairs = list(ReasoningEnv(families=[family], max_prompt_chars=10**6).demonstrations(n, 4))
        for nonsense in ("zz qq", "?", "[]"):
            passed = [verifier.verify(task.problem, nonsense).is_pass for task, _ in pairs]
            assert not any(passed), (family, nonsense)
        others = [
            verifier.verify(task.problem, other["answer"]).is_pass
            for task, _ in pairs
            for other in (neighbour.problem["entry"] for neighbour, _ in pairs)
            if other["answer"] != task.problem["entry"]["answer"]
        ]
        assert sum(others) <= len(others) // 4, family
