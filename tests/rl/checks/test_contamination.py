"""Contamination: duplicates are found however they are written, and phrases that everything shares prove nothing."""

import json
import random
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad import envs
from proofgrad.rl.checks.contamination import Contamination, Group, Overlap, Text, contamination_of
from proofgrad.rl.stats import rate_interval
from proofgrad.verifiers.errors import ConfigError

WORDS = [f"w{i}" for i in range(5_000)]


def prose(rng, words=30):
    return " ".join(rng.choice(WORDS) for _ in range(words))


def row(task, text, outcome="pass", problem=None):
    return {"task": task, "domain": "d", "prompt": text, "problem": problem or {}, "outcome": outcome}


def theorem(task, statement):
    return row(task, f"theorem {statement} :=\n", problem={"statement": statement})


def training(*texts):
    return {"prompts": [Text(f"train-{i}", text) for i, text in enumerate(texts)]}


@pytest.fixture
def rng():
    return random.Random(0)


def test_problems_that_have_nothing_to_do_with_training_are_clean(rng):
    rows = [row(f"t{i}", prose(rng)) for i in range(20)]
    found = contamination_of(rows, training(*(prose(rng) for _ in range(200))))
    assert (found.problems, found.duplicates, found.training) == (20, 0, {"prompts": 200})
    assert (found.held_out.any, found.held_out.dirty, found.held_out.near, found.worst) == (0, 0, 0, ())
    assert (found.clean.problems, found.overlapping.problems) == (20, 0)


def test_a_problem_with_other_spacing_and_case_is_a_duplicate(rng):
    text = prose(rng)
    found = contamination_of([row("t", text), row("u", prose(rng))], training(prose(rng), f"  {text.upper()}\n"))
    assert (found.duplicates, found.worst[0].task, found.worst[0].duplicate) == (1, "t", True)
    assert found.worst[0].nearest.casefold().split() == text.split()


def test_a_theorem_with_other_names_is_a_duplicate():
    rows = [theorem("t", "(p q : Prop) : p ∧ q → q ∧ p"), theorem("u", "(p q : Prop) : p ∨ q → q ∨ p")]
    known = [Text.of("x", "", {"statement": "(a  b : Prop) : a ∧ b → b ∧ a"})]
    assert contamination_of(rows, {"prompts": known}).duplicates == 1


def test_a_task_with_the_same_id_is_a_duplicate_whatever_its_words(rng):
    found = contamination_of([row("t", prose(rng)), row("u", prose(rng))], {"prompts": [Text("u", prose(rng))]})
    assert (found.duplicates, found.worst[0].task) == (1, "u")


def test_two_short_problems_are_duplicates_though_no_passage_fits_in_them(rng):
    found = contamination_of([row("t", "add one"), row("u", "add two")], training("add one", prose(rng)))
    assert (found.duplicates, found.held_out.measured, found.held_out.texts) == (1, 0, 2)


def test_the_share_of_words_is_that_in_passages_of_n(rng):
    new, known = prose(rng, 10), prose(rng, 10)
    found = contamination_of([row("t", f"{known} {new}"), row("u", prose(rng))], training(f"{known} {prose(rng)}"), n=8)
    assert [(one.task, one.share) for one in found.worst] == [("t", 0.5)]
    assert (found.held_out.any, found.held_out.not_clean, found.held_out.dirty) == (0.5, 0.5, 0)


def test_bits_from_several_texts_are_no_near_duplicate(rng):
    parts = [prose(rng, 10) for _ in range(3)]
    rows = [row("t", " ".join(parts)), row("u", prose(rng))]
    found = contamination_of(rows, training(*(f"{part} {prose(rng)}" for part in parts)))
    assert (found.held_out.dirty, found.held_out.near) == (0.5, 0)
    assert found.worst[0].share == pytest.approx(1 / 3)
    whole = contamination_of(rows, training(f"{prose(rng)} {' '.join(parts)}"))
    assert whole.held_out.near == 0.5


def test_what_many_training_texts_begin_with_is_boilerplate(rng):
    opening = prose(rng, 20)
    texts = [f"{opening} {prose(rng)}" for _ in range(40)]
    rows = [row(f"t{i}", f"{opening} {prose(rng)}") for i in range(4)]
    assert contamination_of(rows, training(*texts)).held_out.any == 0
    assert contamination_of(rows, training(*texts[:5])).held_out.any == 1


def test_the_baseline_shows_what_a_generator_shares_with_itself():
    env = envs.get("synthesis", max_level=2)
    known = [Text.of(task.id, task.prompt, task.problem) for task in env.tasks("train", 400, 0)]
    rows = [row(task.id, task.prompt, problem=task.problem) for task in env.tasks("held-out", 80, 0)]
    found = contamination_of(rows, {"prompts": known})
    assert found.duplicates == 0
    assert found.held_out.any > 0.5  # as if everything were contaminated
    assert found.excess.low <= 0 <= found.excess.high
    spread = [Text(f"s{i}", f"{one['prompt']} Then stop.") for i, one in enumerate(rows)]
    leaked = contamination_of(rows, {"prompts": known + spread})
    assert leaked.excess.low > 0


def test_two_near_duplicates_of_two_are_not_enough_to_be_sure():
    few = Contamination(
        8, 2, {}, 0, Overlap(2, 2, 1, 1, 1, 1.0), Overlap(2, 2, 0, 0, 0, 0.0), (), *[Group(0, None)] * 2
    )
    assert few.excess.mean == 1
    assert few.excess.low < 0
    many = replace(few, held_out=Overlap(20, 20, 1, 1, 1, 1.0), baseline=Overlap(20, 20, 0, 0, 0, 0.0))
    assert many.excess.low > 0.5
    none = replace(few, baseline=Overlap(2, 0, 0, 0, 0, 0.0))
    assert (none.excess.low, none.excess.high) == (-1, 1)


def test_success_is_told_apart_for_problems_that_overlap(rng):
    known = [prose(rng) for _ in range(3)]
    rows = [
        row(f"o{i}", text, outcome) for i, text in enumerate(known) for outcome in ("pass", "pass", "fail", "unknown")
    ]
    rows += [row(f"c{i}", prose(rng), "fail") for i in range(4)]
    found = contamination_of(rows, training(*known))
    assert (found.overlapping.problems, found.overlapping.success) == (3, rate_interval([2 / 3] * 3).estimate)
    assert (found.clean.problems, found.clean.success) == (4, rate_interval([0.0] * 4).estimate)
    assert found.clean.success.high > 0.5  # four problems that were never solved say little


def test_a_group_with_one_problem_has_no_interval(rng):
    known = prose(rng)
    found = contamination_of([row("t", known), row("u", prose(rng))], training(known))
    assert found.overlapping.success is None


def test_equal_training_texts_count_once(rng):
    text = prose(rng)
    known = {"prompts": [Text("a", text), Text("a", text)], "demonstrations": [Text("b", text), Text("", prose(rng))]}
    assert contamination_of([row("t", text), row("u", text)], known).training == {"prompts": 1, "demonstrations": 1}


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=12), min_size=1, max_size=8), st.integers(1, 5))
def test_a_text_of_the_training_data_is_always_found(texts, n):
    rows = [row(f"t{i}", " ".join(text)) for i, text in enumerate(texts)]
    found = contamination_of(rows, training(*(" ".join(text) for text in texts)), n=n)
    assert found.duplicates == found.overlapping.problems == len(texts)


def test_it_is_read_back_as_it_was_written(rng):
    text = prose(rng)
    found = contamination_of([row("t", text), row("u", text[: len(text) // 2])], training(text))
    assert Contamination.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_nothing_to_compare_is_said_in_one_line(rng):
    for rows, known in [([], training("a")), ([row("t", "a")], training())]:
        with pytest.raises(ConfigError, match="to compare"):
            contamination_of(rows, known)
    with pytest.raises(ConfigError, match="n is 0"):
        contamination_of([row("t", "a")], training("a"), n=0)


def test_four_hundred_problems_against_fifty_thousand_texts_take_seconds(rng):
    rows = [row(f"t{i}", prose(rng, 25)) for i in range(400)]
    known = training(*(prose(rng, 25) for _ in range(50_000)))
    start = time.process_time()
    contamination_of(rows, known)
    assert time.process_time() - start < 10
