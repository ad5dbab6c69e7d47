"""The self-test: sound verifiers come through it, and each kind of unsound one is caught."""

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad import envs, verifiers
from proofgrad.envs.base import HELD_OUT, Task
from proofgrad.rl.checks.damage import damaged
from proofgrad.rl.checks.gauntlet import cheats
from proofgrad.rl.checks.self_test import SelfTest, load_self_test, self_test, write_self_test
from proofgrad.rl.stats import upper_bound
from proofgrad.verifiers.base import Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError, ProblemError


class Sums:
    """Asks for sums; its right answers are few."""

    name = "sums"

    def __init__(self, available=1000, only_held_out=False):
        self.available = available
        if only_held_out:
            self.solution = lambda task: str(task.problem["sum"])

    def _task(self, n, split="train"):
        return Task(f"sum-{n}", f"{n} + {n} =", {"sum": 2 * n}, "adder", "sums", None, split, "sums@0")

    def tasks(self, split, n, seed):
        return [self._task(i, split) for i in range(n)]

    def extract(self, completion):
        return completion.strip() or None

    def feedback(self, verdict):
        return ""

    def demonstrations(self, n, seed):
        if n > self.available:
            raise ConfigError("ask for fewer")
        return [(self._task(i + 10 * seed), f" {2 * (i + 10 * seed)}") for i in range(n)]


class Adder:
    """Judges sums, by a rule that a test can spoil."""

    name, version = "adder", "7"

    def __init__(self, rule=lambda problem, candidate: candidate == str(problem["sum"])):
        self.rule = rule

    def verify(self, problem, candidate):
        found = self.rule(problem, candidate)
        if found is None:
            return Verdict.unknown("infra.worker_died")
        return Verdict.passed("adder.ok") if found else Verdict.failed("adder.wrong")


def run(verifier=None, env=None, **options):
    return self_test({"sums": env or Sums()}, {"adder": verifier or Adder()}, **options)


def by_kind(result):
    return {check.kind: check for check in result.checks}


def test_a_sound_verifier_comes_through():
    result = run(n=15)
    assert result.is_sound
    assert (result.verifiers, result.n, result.left_out) == ({"adder": "7"}, 15, ())
    assert {kind: (check.looked_at, check.wrong) for kind, check in by_kind(result).items()} == {
        "gold": (15, ()), "corrupted": (15, ()), "cheat": (5, ()),
    }  # fmt: skip
    assert by_kind(result)["gold"].bound == pytest.approx(upper_bound(0, 15))


def test_a_verifier_that_accepts_everything_is_caught_by_cheats_and_by_damage():
    result = run(Adder(lambda problem, candidate: True), n=10)
    assert not result.is_sound
    found = by_kind(result)
    assert (len(found["gold"].wrong), len(found["corrupted"].wrong), len(found["cheat"].wrong)) == (0, 10, 5)
    assert found["cheat"].bound == 1


def test_a_verifier_that_refuses_everything_is_caught_by_right_answers():
    result = run(Adder(lambda problem, candidate: False), n=10)
    assert not result.is_sound
    gold = by_kind(result)["gold"]
    assert (len(gold.wrong), gold.wrong[0].what, gold.wrong[0].reason) == (10, "sum-0", "adder.wrong")


def test_damage_that_passes_is_reported_and_does_not_condemn():
    result = run(Adder(lambda problem, candidate: candidate.isdigit()), n=10)
    assert result.is_sound
    assert by_kind(result)["corrupted"].wrong[0].what.startswith("sum-0: another digit")


def test_no_verdict_counts_for_nothing():
    gold = by_kind(run(Adder(lambda problem, candidate: None), n=10))["gold"]
    assert (gold.looked_at, gold.unknown, gold.wrong, gold.bound) == (0, 10, (), 1.0)


def test_an_answer_that_makes_the_verifier_raise_costs_no_other_its_verdict():
    def rule(problem, candidate):
        if not candidate:
            raise RuntimeError("no answer")
        return candidate == str(problem["sum"])

    found = by_kind(run(Adder(rule)))
    assert (found["cheat"].unknown, found["gold"].unknown) == (1, 0)
    assert found["gold"].looked_at == 20


def test_a_problem_that_the_verifier_finds_malformed_is_no_verdict():
    class Picky(Adder):
        def verify(self, problem, candidate):
            raise ProblemError("'sum' must be even")

    assert by_kind(run(Picky(), n=3))["gold"].unknown == 3


def test_an_environment_with_fewer_right_answers_gives_what_it_has():
    assert by_kind(run(env=Sums(available=6), n=20))["gold"].looked_at == 5


def test_an_environment_without_right_answers_is_named():
    result = run(env=Sums(available=0))
    assert result.checks == ()
    assert "sums" in result.left_out[0]


def test_an_environment_that_only_evaluates_gives_its_solutions():
    result = run(env=Sums(available=0, only_held_out=True), n=4)
    assert by_kind(result)["gold"].looked_at == 4
    assert Sums().tasks(HELD_OUT, 1, 0)[0].split == HELD_OUT


def test_the_same_seed_asks_the_same():
    first, again, other = (replace(run(Adder(lambda p, c: False), n=5, seed=seed), seconds=0) for seed in (0, 0, 1))
    assert first == again != other


def test_it_is_read_back_as_it_was_written(tmp_path):
    result = run(Adder(lambda problem, candidate: True), n=3)
    path = write_self_test(tmp_path, result)
    assert load_self_test(tmp_path) == result
    data = json.loads(path.read_text("utf-8"))
    assert (data["is_sound"], SelfTest.from_json(data)) == (False, result)


def test_there_is_none_where_none_was_written_and_a_broken_one_gets_one_line(tmp_path):
    assert load_self_test(tmp_path) is None
    (tmp_path / "self_test.json").write_text("{}")
    with pytest.raises(ConfigError, match="cannot read the self-test"):
        load_self_test(tmp_path)


def test_no_demonstration_at_all_is_refused():
    with pytest.raises(ConfigError, match="at least one"):
        run(n=0)


def test_the_real_verifiers_come_through_with_their_environments():
    both = {name: envs.get(name, max_level=2) for name in ("propositional", "synthesis")}
    judges = {name: verifiers.get(name) for name in ("lean", "program")}
    try:
        result = self_test(both, judges, n=4)
    finally:
        for judge in judges.values():
            judge.close()
    assert result.is_sound, result.checks
    assert not any(check.unknown for check in result.checks)
    assert [(check.verifier, check.kind) for check in result.checks] == [
        (verifier, kind) for verifier in ("lean", "program") for kind in ("gold", "corrupted", "cheat")
    ]  # fmt: skip
    assert all(check.looked_at >= 4 for check in result.checks)


@pytest.mark.parametrize("name", ["program_property", "maths"])
def test_other_verifiers_refuse_their_cheats(name):
    verifier = verifiers.get(name)
    found = cheats(name, {})
    verdicts = {cheat.name: verifier.verify(cheat.problem, cheat.candidate).outcome for cheat in found}
    verifier.close()
    assert found
    assert set(verdicts.values()) == {Outcome.FAIL}, verdicts


PROOF = "by\n  intro h\n  cases h with\n  | inl a =>\n    right\n    exact a\n  | inr b =>\n    left\n    exact b"
PROGRAM = "def f(x):\n    y = x + 1\n    if y > 3 and x < 9:\n        y = y - 2\n    return y"


@given(st.sampled_from([("lean", PROOF), ("program", PROGRAM), ("maths", "the answer is 42")]), st.integers())
def test_damage_changes_the_answer(case, seed):
    verifier, answer = case
    made = damaged(verifier, answer, random.Random(seed))
    assert made is not None
    assert made.candidate.split() != answer.split()
    assert made == damaged(verifier, answer, random.Random(seed))


@given(st.sampled_from(["lean", "program", "maths", "anything"]), st.text(max_size=30), st.integers())
def test_whatever_the_answer_damage_is_done_or_declined(verifier, answer, seed):
    made = damaged(verifier, answer, random.Random(seed))
    assert made is None or made.candidate.split() != answer.split()


def test_every_kind_of_damage_is_done_to_programs_and_proofs():
    for verifier, answer, kinds in [("program", PROGRAM, 4), ("lean", PROOF, 5)]:
        assert len({damaged(verifier, answer, random.Random(seed)).what for seed in range(60)}) == kinds


def test_one_operator_is_changed_and_its_twins_are_not():
    code = "def f(x):\n    return x + 1 + 1 + 1"
    made = {damaged("program", code, random.Random(seed)) for seed in range(60)}
    swapped = [one.candidate for one in made if one.what == "another operator"]
    assert len(swapped) == 3
    assert all(candidate.count("-") == 1 for candidate in swapped)


def test_a_docstring_is_not_what_is_damaged():
    code = 'def f(x):\n    """Add one to x, and that is all."""\n    y = x + 1\n    return y'
    for seed in range(60):
        made = damaged("program", code, random.Random(seed))
        assert made.candidate.split() != ["def", "f(x):", "y", "=", "x", "+", "1", "return", "y"]


def test_prose_is_not_damaged():
    assert damaged("rubric", "Leave the house at once.", random.Random(0)) is None
