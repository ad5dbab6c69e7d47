"""Chains: tasks in a row, each verified, of which a policy must solve every one.

A chain of 100 steps fails more often than not at 99% a step, and what holds of single steps need not hold of steps that
stand on others. So a chain is asked as a conversation: each step's prompt comes behind the steps before it with the
policy's own verified answers (`Chain.asked`). The tasks are those of any environment, with their statements, tests and
verifiers: nothing that the policy wrote reaches our side of a judgement.

`draw_chains` deals out the tasks of one or several environments. An environment whose tasks hang together
(`ChainEnv`) gives its chains itself, and may read an answer together with what stands before it (`TaskReader`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from proofgrad.envs.base import Env, Message, Task
from proofgrad.envs.splits import check_split, statement_digest
from proofgrad.verifiers.errors import ConfigError

__all__ = ["CONTEXTS", "Chain", "ChainEnv", "Context", "check_context", "draw_chains"]

Context: TypeAlias = Literal["carried", "none"]
"""Whether the earlier steps stand before a step's prompt."""

CONTEXTS: tuple[Context, ...] = ("carried", "none")


@dataclass(frozen=True, slots=True)
class Chain:
    """Different tasks of one split, to be solved one after the other.

    Attributes:
        id: stable identity: the same tasks in the same order have the same id everywhere.
        steps: the tasks, as their environments ask them.
        source: where they came from, e.g. ``propositional+synthesis@7`` (environments and seed).

    Raises:
        ConfigError: there is no step, one stands twice, or they are not all of one split.
    """

    id: str
    steps: tuple[Task, ...]
    source: str

    def __post_init__(self) -> None:
        if not self.steps:
            raise ConfigError(f"chain '{self.id}' has no step")
        if len({(task.source.partition("@")[0], task.id) for task in self.steps}) < len(self.steps):
            raise ConfigError(f"chain '{self.id}' has a step twice; its steps must be different tasks")
        if len({task.split for task in self.steps}) > 1:
            raise ConfigError(f"chain '{self.id}' mixes splits; all its steps must be of one")

    @classmethod
    def of(cls, steps: Sequence[Task], source: str) -> Chain:
        """A chain of these tasks, named by them."""
        return cls(f"chain-{statement_digest('|'.join(task.id for task in steps))[:12]}", tuple(steps), source)

    @property
    def split(self) -> str:
        """That of every step."""
        return self.steps[0].split

    def asked(self, answers: Sequence[str], context: Context = "carried") -> Task:
        """The step after those that `answers` solved, as the policy is asked it.

        With ``carried``, a plain prompt comes behind the earlier prompts, each with its answer, as one text; messages
        come behind the conversation so far. Only the prompt changes.

        Args:
            answers: the completions that solved the first steps, in order; fewer than there are steps.
            context: ``carried`` or ``none``.

        Raises:
            ConfigError: plain prompts and messages are mixed, or a later step brings a system message of its own.
        """
        task = self.steps[len(answers)]
        if context == "none" or not answers:
            return task
        earlier = list(zip(self.steps, answers, strict=False))  # the steps from this one on have no answer yet
        prompt = task.prompt
        if isinstance(prompt, str):
            text = "".join(f"{_plain(step)}{answer.rstrip()}\n\n" for step, answer in earlier)
            return replace(task, prompt=text + prompt)
        said: list[Message] = []
        for step, answer in earlier:
            said += [*_more(said, step), Message(role="assistant", content=answer)]
        return replace(task, prompt=[*said, *_more(said, task)])


@runtime_checkable
class ChainEnv(Protocol):
    """An environment whose tasks hang together: it says itself which follow on which.

    Where an answer may use the answers before it (call a function, cite a lemma), the environment is a `TaskReader`,
    too: the task that its `candidate` gets has the prompt as it was asked, with the earlier steps and the policy's
    verified answers, so that the candidate can be the whole file. A step must be solvable by itself as well, because
    that is what its success in a chain is compared with.
    """

    def chains(self, split: str, n: int, length: int, seed: int) -> Iterable[Sequence[Task]]:
        """`n` chains of `length` different tasks of a split; the same arguments give the same chains.

        Raises:
            ConfigError: it has not as many, or the split is unknown.
        """
        ...


def check_context(context: str) -> Context:
    """`context`, if there is one of that name.

    Raises:
        ConfigError: there is none.
    """
    for known in CONTEXTS:
        if context == known:
            return known
    raise ConfigError(f"context '{context}' is unknown; it is 'carried' (earlier steps are shown) or 'none'")


def draw_chains(envs: Mapping[str, Env], split: str, n: int, length: int, seed: int) -> list[Chain]:
    """`n` chains of `length` steps over the tasks of some environments; the same arguments give the same chains.

    No task stands twice, in a chain or in two, so chains are independent of each other; a held-out chain has no task
    of a training chain, because the environments' splits have none in common. With several environments a chain goes
    from one to the next, and each of them has as many of the first steps, of the second, and so on, as the others.

    Raises:
        ConfigError: there are not as many tasks, `n` or `length` is under 1, the split is unknown, or an environment
            that gives chains itself is one of several.
    """
    check_split(split)
    if n < 1 or length < 1 or not envs:
        raise ConfigError(f"{n} chains of {length} steps from {len(envs)} environments: each number must be at least 1")
    source = f"{'+'.join(envs)}@{seed}"
    own = {name: env for name, env in envs.items() if isinstance(env, ChainEnv)}
    if own and len(envs) > 1:
        raise ConfigError(f"the steps of '{next(iter(own))}' hang together: measure it apart from other environments")
    if own:
        (env,) = own.values()
        return [Chain.of(list(steps), source) for steps in env.chains(split, n, length, seed)]
    names = list(envs)
    places = [[names[(chain + step) % len(names)] for step in range(length)] for chain in range(n)]
    needed = {name: sum(row.count(name) for row in places) for name in names}
    tasks = {name: iter(list(env.tasks(split, needed[name], seed))) for name, env in envs.items()}
    return [Chain.of([next(tasks[name]) for name in row], source) for row in places]


def _plain(step: Task) -> str:
    if not isinstance(step.prompt, str):
        raise ConfigError(_MIXED)
    return step.prompt


def _more(said: Sequence[Message], step: Task) -> list[Message]:
    """The messages of a step, behind what was said: a system message that opened the conversation is not repeated."""
    if isinstance(step.prompt, str):
        raise ConfigError(_MIXED)
    more = [message for message in step.prompt if message["role"] != "system" or message not in said]
    if said and any(message["role"] == "system" for message in more):
        raise ConfigError(f"task '{step.id}' has a system message of its own and cannot go on a conversation: use none")
    return more


_MIXED = "a chain with plain prompts and chat messages cannot carry its context: give all environments one style"
