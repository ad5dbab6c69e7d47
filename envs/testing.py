"""A contract suite that any environment can inherit, and ways to spoil a right answer.

A test module of a plug-in needs no more than this::

    class TestMyEnv(EnvContract):
        def make_env(self, **options):
            return MyEnv(**options)

        def make_verifier(self):
            return MyVerifier()

        def corrupt(self, task, completion, rng):
            return corrupt_program(task, completion, rng)
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from proofgrad.envs.base import HELD_OUT, TRAIN, Env, Task
from proofgrad.verifiers.base import BatchVerifier, Json, Outcome, Verdict, Verifier
from proofgrad.verifiers.errors import ConfigError

__all__ = ["EnvContract", "corrupt_program", "corrupt_proof", "judge", "prompt_text"]


def prompt_text(task: Task) -> str:
    """All that the policy reads of a task, as one text."""
    prompt = task.prompt
    return prompt if isinstance(prompt, str) else "\n".join(message["content"] for message in prompt)


def judge(verifier: Verifier, items: Iterable[tuple[Task, str]]) -> list[Verdict]:
    """The verdicts on (task, candidate) pairs, in one batch where the verifier offers that."""
    pairs = [(task.problem, candidate) for task, candidate in items]
    if isinstance(verifier, BatchVerifier):
        return verifier.verify_batch(pairs)
    return [verifier.verify(problem, candidate) for problem, candidate in pairs]


def corrupt_proof(completion: str, rng: random.Random) -> str:
    """A tactic script that cannot be a proof, made from a gold script in which no step is superfluous.

    Every goal of a gold script is closed by its last steps, so a script that stops early leaves a goal open, one that
    goes on after the end has no goal to work on, and one that names a hypothesis nobody introduced does not elaborate.
    """
    lines = completion.rstrip().split("\n")
    ways: list[Callable[[], list[str]]] = [
        lambda: lines[:-1],
        lambda: lines[: rng.randrange(2, len(lines))] if len(lines) > 2 else ["by", "  constructor"],
        lambda: [*lines, "  exact h1"],
        lambda: [*lines[:-1], re.sub(r"\S.*", "exact h99", lines[-1])],
        lambda: [lines[0], "  exact h1", *lines[1:]],
        lambda: [*lines[:-1], re.sub(r"\S.*", "sorry", lines[-1])],
    ]
    return "\n".join(rng.choice(ways)())


def corrupt_program(task: Task, completion: str, rng: random.Random) -> str:
    """A program near to a gold one that at least one of the task's tests tells from it.

    Meant for gold programs only: near misses are run in this process to see whether the tests notice.
    """
    near = _near_misses(completion)
    rng.shuffle(near)
    for candidate in near:
        if not _passes(task, candidate):
            return candidate
    return re.sub(r"return .*", "return None", completion)


_SWAPS = ((" == ", " != "), (" > ", " >= "), (" < ", " <= "), (" + ", " - "), ("max(", "min("), ("min(", "max("))


def _near_misses(code: str) -> list[str]:
    lines = code.split("\n")
    found = ["\n".join([*lines[:i], *lines[i + 1 :]]) for i in range(1, len(lines) - 1)]
    for match in re.finditer(r"\b\d+\b", code):
        found.append(f"{code[: match.start()]}{int(match[0]) + 1}{code[match.end() :]}")
    for old, new in _SWAPS:
        at = code.find(old)
        if at >= 0:
            found.append(code[:at] + new + code[at + len(old) :])
    return found


def _passes(task: Task, code: str) -> bool:
    names: dict[str, Any] = {}
    try:
        exec(code, names)
        for test in _tests(task):
            result = names[str(task.problem["entry_point"])](*copy.deepcopy(test["args"]))
            if type(result) is not type(test["expected"]) or result != test["expected"]:
                return False
    except Exception:
        return False  # a near miss that raises has failed its test, whatever it raised
    return True


def _tests(task: Task) -> Sequence[Any]:
    tests = task.problem.get("tests", ())
    return tests if isinstance(tests, Sequence) else ()


class EnvContract:
    """What every procedural environment promises. Inherit it, and override the three makers and the numbers."""

    sample_size = 60
    judged = 150
    unattainable = 10**6
    unattainable_options: dict[str, Any] = {"max_level": 1}  # noqa: RUF012  read only; a plug-in replaces it whole

    def make_env(self, **options: Any) -> Env:
        """The environment under test."""
        raise NotImplementedError

    def make_verifier(self) -> Verifier:
        """The real verifier of its tasks."""
        raise NotImplementedError

    def corrupt(self, task: Task, completion: str, rng: random.Random) -> str:
        """A wrong answer made from a right one."""
        raise NotImplementedError

    def test_it_is_an_environment(self) -> None:
        assert isinstance(self.make_env(), Env)

    def test_the_same_arguments_give_the_same_tasks(self) -> None:
        first = list(self.make_env().tasks(TRAIN, self.sample_size, 3))
        assert first == list(self.make_env().tasks(TRAIN, self.sample_size, 3))
        assert first != list(self.make_env().tasks(TRAIN, self.sample_size, 4))

    def test_it_gives_as_many_distinct_tasks_as_asked_for(self) -> None:
        tasks = list(self.make_env().tasks(TRAIN, self.sample_size, 0))
        assert len(tasks) == len({task.id for task in tasks}) == self.sample_size

    def test_every_level_gets_its_share(self) -> None:
        tasks = list(self.make_env().tasks(HELD_OUT, self.sample_size, 0))
        counts = [sum(task.difficulty == level for task in tasks) for level in {task.difficulty for task in tasks}]
        assert max(counts) - min(counts) <= 1

    def test_no_held_out_task_occurs_in_training_whatever_the_seed(self) -> None:
        env = self.make_env()
        train = {task.id for seed in range(4) for task in env.tasks(TRAIN, self.sample_size, seed)}
        train |= {task.id for task, _ in env.demonstrations(self.sample_size, 9)}
        held_out = {task.id for seed in range(4) for task in env.tasks(HELD_OUT, self.sample_size, seed)}
        assert train
        assert held_out
        assert not train & held_out

    def test_tasks_name_their_split_source_and_verifier(self) -> None:
        env, verifier = self.make_env(), self.make_verifier()
        for split in (TRAIN, HELD_OUT):
            for task in env.tasks(split, 12, 5):
                assert (task.split, task.source, task.verifier) == (split, f"{env.name}@5", verifier.name)

    def test_problems_are_clean_json(self) -> None:
        for task in self.make_env().tasks(TRAIN, self.sample_size, 0):
            assert json.loads(json.dumps(task.problem)) == task.problem

    def test_demonstrations_come_from_the_training_split(self) -> None:
        assert {task.split for task, _ in self.make_env().demonstrations(self.sample_size, 0)} == {TRAIN}

    def test_every_gold_completion_passes_the_real_verifier(self) -> None:
        env = self.make_env()
        pairs = [(task, env.extract(gold) or "") for task, gold in env.demonstrations(self.judged, 1)]
        for (task, gold), verdict in zip(pairs, judge(self.make_verifier(), pairs), strict=True):
            assert verdict.outcome is Outcome.PASS, f"{prompt_text(task)}{gold}\n{verdict}"

    def test_every_corrupted_completion_scores_zero(self) -> None:
        env, rng = self.make_env(), random.Random(0)
        pairs = [(task, self.corrupt(task, gold, rng)) for task, gold in env.demonstrations(self.judged, 2)]
        for (task, wrong), verdict in zip(pairs, judge(self.make_verifier(), pairs), strict=True):
            assert verdict.outcome is Outcome.FAIL, f"{prompt_text(task)}{wrong}\n{verdict}"

    def test_chat_prompts_ask_for_a_block_and_the_gold_gives_one(self) -> None:
        plain, chat = self.make_env(), self.make_env(style="chat")
        for (task, gold), (chat_task, chat_gold) in zip(
            plain.demonstrations(12, 0), chat.demonstrations(12, 0), strict=True
        ):
            assert task.id == chat_task.id
            assert "```" in prompt_text(chat_task)
            assert chat.extract(chat_gold) == plain.extract(gold)

    def test_extract_takes_the_last_fenced_block_of_a_chat_answer(self) -> None:
        env = self.make_env(style="chat")
        assert env.extract("First ```no fence```\n```\nold\n```\nBetter:\n```x\n  new\nend\n```\nDone.") == "  new\nend"
        assert env.extract("```\ncut off") == "cut off"
        assert env.extract("no block at all") == "no block at all"

    def test_extract_finds_nothing_in_an_empty_answer(self) -> None:
        for style in ("plain", "chat"):
            env = self.make_env(style=style)
            assert env.extract("") is None
            assert env.extract(" \n\t\n") is None
        assert self.make_env(style="chat").extract("```\n\n```") is None

    def test_feedback_says_whether_the_answer_was_accepted(self) -> None:
        env = self.make_env()
        said = {
            env.feedback(Verdict.passed("x.ok")),
            env.feedback(Verdict.failed("x.bad", feedback="line 3 is wrong")),
            env.feedback(Verdict.unknown("infra.worker_died", feedback="worker 7 died")),
        }
        assert len(said) == 3
        assert any("line 3 is wrong" in text for text in said)
        assert not any("worker 7" in text for text in said)

    def test_an_unknown_split_is_a_configuration_error(self) -> None:
        with pytest.raises(ConfigError, match="'test'"):
            self.make_env().tasks("test", 1, 0)

    def test_more_tasks_than_there_are_is_a_configuration_error(self) -> None:
        with pytest.raises(ConfigError, match="ask for fewer"):
            list(self.make_env(**self.unattainable_options).tasks(HELD_OUT, self.unattainable, 0))

    def test_a_wrong_option_is_a_configuration_error(self) -> None:
        options: dict[str, Json] = {"min_level": 0, "max_level": 99, "demo_max_level": 0, "style": "prose"}
        for name, value in options.items():
            with pytest.raises(ConfigError, match=re.escape(str(value))):
                self.make_env(**{name: value})

    def test_demonstrations_may_be_easier_than_tasks(self) -> None:
        env = self.make_env(min_level=1, max_level=3, demo_max_level=1)
        assert {task.difficulty for task, _ in env.demonstrations(10, 0)} == {1.0}
        assert {task.difficulty for task in env.tasks(TRAIN, 9, 0)} == {1.0, 2.0, 3.0}
