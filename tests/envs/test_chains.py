"""Chains are the same for the same arguments, share no task, and carry what was verified."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad import envs
from proofgrad.envs.base import HELD_OUT, TRAIN, Message, Task
from proofgrad.envs.chains import Chain, check_context, draw_chains
from proofgrad.verifiers.errors import ConfigError

MAKERS = {"propositional": {"max_level": 2}, "synthesis": {"min_level": 2, "max_level": 3}}


def two_envs(**options):
    return {name: envs.get(name, **(known | options)) for name, known in MAKERS.items()}


def a_task(name, prompt="Q\n", split=TRAIN, source="test@0"):
    return Task(name, prompt, {}, "scripted", "test", None, split, source)


def user(text):
    return Message(role="user", content=text)


arguments = st.tuples(
    st.sampled_from([TRAIN, HELD_OUT]), st.integers(1, 6), st.integers(1, 5), st.integers(0, 50),
    st.sampled_from([("propositional",), ("synthesis",), ("propositional", "synthesis")]),
)  # fmt: skip


@settings(max_examples=12)
@given(arguments)
def test_chains_are_deterministic_and_no_task_stands_in_two_places(arguments):
    split, n, length, seed, names = arguments
    chosen = {name: env for name, env in two_envs().items() if name in names}
    chains = draw_chains(chosen, split, n, length, seed)
    again = draw_chains({name: envs.get(name, **MAKERS[name]) for name in names}, split, n, length, seed)
    assert chains == again
    assert [len(chain.steps) for chain in chains] == [length] * n
    ids = [task.id for chain in chains for task in chain.steps]
    assert len(set(ids)) == n * length
    assert {chain.split for chain in chains} == {split}


def test_no_task_of_a_held_out_chain_occurs_in_a_training_chain_whatever_the_seed():
    made = two_envs()
    found = {
        split: {t.id for seed in range(4) for chain in draw_chains(made, split, 10, 6, seed) for t in chain.steps}
        for split in (TRAIN, HELD_OUT)
    }
    assert found[TRAIN]
    assert found[HELD_OUT]
    assert not found[TRAIN] & found[HELD_OUT]


def test_other_seeds_give_other_chains():
    made = two_envs()
    assert draw_chains(made, HELD_OUT, 5, 3, 0) != draw_chains(made, HELD_OUT, 5, 3, 1)


def test_every_step_of_a_mixed_chain_comes_from_each_environment_equally_often():
    chains = draw_chains(two_envs(), HELD_OUT, 10, 4, 0)
    for step in range(4):
        assert sum(chain.steps[step].domain == "theorems" for chain in chains) == 5
    assert {task.domain for task in chains[0].steps} == {"theorems", "programs"}


def test_what_cannot_be_drawn_is_a_configuration_error():
    made = two_envs()
    with pytest.raises(ConfigError, match="at least 1"):
        draw_chains(made, HELD_OUT, 0, 3, 0)
    with pytest.raises(ConfigError, match="at least 1"):
        draw_chains({}, HELD_OUT, 3, 3, 0)
    with pytest.raises(ConfigError, match="'test'"):
        draw_chains(made, "test", 3, 3, 0)
    with pytest.raises(ConfigError, match="ask for fewer"):
        draw_chains({"propositional": envs.get("propositional", max_level=1)}, HELD_OUT, 10_000, 100, 0)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([], "no step"),
        ([a_task("a"), a_task("a")], "twice"),
        ([a_task("a"), a_task("b", split=HELD_OUT)], "mixes splits"),
    ],
)
def test_what_is_no_chain_is_refused(steps, said):
    with pytest.raises(ConfigError, match=said):
        Chain.of(steps, "test@0")


def test_equal_names_of_two_environments_are_two_tasks():
    assert len(Chain.of([a_task("1"), a_task("1", source="other@0")], "x@0").steps) == 2


def test_a_plain_step_comes_behind_the_verified_steps_before_it():
    chain = Chain.of([a_task("a", "A?\n"), a_task("b", "B?\n"), a_task("c", "C?\n")], "test@0")
    assert chain.asked([]).prompt == "A?\n"
    assert chain.asked(["one\n"]).prompt == "A?\none\n\nB?\n"
    assert chain.asked(["one", "two  "]).prompt == "A?\none\n\nB?\ntwo\n\nC?\n"


def test_messages_go_on_as_a_conversation_in_which_the_system_message_stands_once():
    system = Message(role="system", content="Be brief.")
    chain = Chain.of([a_task("a", [system, user("A?")]), a_task("b", [system, user("B?")])], "test@0")
    said = [system, user("A?"), Message(role="assistant", content="one"), user("B?")]
    assert chain.asked(["one"]).prompt == said


def test_a_system_message_in_the_middle_is_refused_unless_nothing_is_carried():
    late = Message(role="system", content="Be long.")
    chain = Chain.of([a_task("a", [user("A?")]), a_task("b", [late, user("B?")])], "test@0")
    with pytest.raises(ConfigError, match="system message"):
        chain.asked(["one"])
    assert chain.asked(["one"], "none") is chain.steps[1]


@pytest.mark.parametrize("prompts", [("A?\n", [user("B?")]), ([user("A?")], "B?\n")])
def test_plain_prompts_and_messages_cannot_be_carried_together(prompts):
    chain = Chain.of([a_task(name, prompt) for name, prompt in zip("ab", prompts, strict=True)], "test@0")
    with pytest.raises(ConfigError, match="one style"):
        chain.asked(["one"])
    assert chain.asked(["one"], "none").prompt == prompts[1]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_nothing_but_the_prompt_changes_whatever_the_policy_wrote(answers):
    (chain,) = draw_chains(two_envs(), HELD_OUT, 1, 5, 0)
    asked, own = chain.asked(answers), chain.steps[len(answers)]
    assert asked.prompt.endswith(own.prompt)
    assert (asked.id, asked.problem, asked.verifier, asked.source) == (own.id, own.problem, own.verifier, own.source)


class HangingTogether:
    name = "together"

    def chains(self, split, n, length, seed):
        return [[a_task(f"{chain}-{step}", split=split) for step in range(length)] for chain in range(n)]


def test_an_environment_may_say_itself_what_follows_on_what_and_is_then_not_mixed():
    chains = draw_chains({"together": HangingTogether()}, HELD_OUT, 2, 3, 5)
    assert [[task.id for task in chain.steps] for chain in chains] == [["0-0", "0-1", "0-2"], ["1-0", "1-1", "1-2"]]
    assert {(chain.source, chain.split) for chain in chains} == {("together@5", HELD_OUT)}
    with pytest.raises(ConfigError, match="'together' hang together"):
        draw_chains({"together": HangingTogether(), **two_envs()}, HELD_OUT, 2, 3, 5)


def test_an_unknown_context_is_a_configuration_error():
    assert check_context("carried") == "carried"
    with pytest.raises(ConfigError, match="'all'"):
        check_context("all")
