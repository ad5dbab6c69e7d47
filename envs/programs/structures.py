"""Programs beyond chains: loops, two arguments, nested lists, dicts, recursion, stacks and small machines.

A family is a program with slots; a structure is a family with a choice for each slot. Specification, code and reference
implementation are put together from the same choices, and a near miss is a structure that differs in one of them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from proofgrad.envs.base import HELD_OUT
from proofgrad.envs.programs.cases import cover, distinct, inputs, is_large, probes, same
from proofgrad.envs.programs.pieces import Choice, Piece
from proofgrad.envs.splits import split_of, statement_digest

__all__ = ["Family", "Slot", "Structure", "Structured", "capacity", "make_tests", "structured"]

Name: TypeAlias = "str | tuple[str, str]"

_PATIENCE = 20_000
_CAPACITY = 100_000
_SISTERS = 4
_REFERENCE = re.compile(r"<(\d+)>")
_ATOM = re.compile(r"[\w.\[\]]+|\w+\([^()]*\)")
_TYPES = {
    "list": "list of int",
    "int": "int",
    "str": "str",
    "shift": "int",
    "count": "int, 0 or more",
    "natural": "int, 0 or more",
    "digits": "int, 0 or more",
    "rows": "list of lists of int",
    "words": "list of str that are not empty",
    "items": "list of [name, x], a str and an int",
    "steps": "list of [command, x], a str and an int",
    "tree": "list whose items are ints or again such lists",
}


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a family.

    Attributes:
        pieces: what may stand there.
        names: what the piece calls ``{x}`` and ``{y}``: a text, or one for English and one for code. ``<3>`` in it
            stands for slot 3.
    """

    pieces: tuple[Piece, ...]
    names: Mapping[str, Name]


@dataclass(frozen=True, slots=True)
class Family:
    """A program with slots.

    Attributes:
        key: stable name; part of a task's canonical form.
        parameters: name and type of each parameter; the types are those of `inputs` in `cases`.
        phrase: controlled English, in which ``<0>`` stands for slot 0.
        code: a Python function ``f`` in which the same holds.
        slots: the places to fill.
        run: the reference implementation, of the choices and the arguments.
    """

    key: str
    parameters: tuple[tuple[str, str], ...]
    phrase: str
    code: str
    slots: tuple[Slot, ...]
    run: Callable[..., Any]

    @property
    def combinations(self) -> int:
        """How many structures the family has, those that make no good task among them."""
        product = 1
        for slot in self.slots:
            product *= sum(len(piece.constants) for piece in slot.pieces)
        return product


class Structure(NamedTuple):
    """A family with a choice for each slot."""

    family: Family
    choices: tuple[Choice, ...]

    def canonical(self) -> str:
        """The structure, free of any wording: ``fold|number:3|even|add|square|zero``."""
        return "|".join([self.family.key, *(choice.key for choice in self.choices)])

    def specification(self) -> str:
        """The structure in controlled English."""
        kinds = "; ".join(f"{name}: {_TYPES[kind]}" for name, kind in self.family.parameters)
        return f"{kinds}. {self._filled(self.family.phrase, code=False)}"

    def gold_code(self) -> str:
        """A Python function that does what the specification says."""
        return self._filled(self.family.code, code=True)

    def run(self, arguments: Sequence[Any]) -> Any:
        """What the program returns; the arguments stay as they are."""
        return self.family.run(self.choices, *arguments)

    def behaviour(self) -> str:
        """What the program does, whatever its wording: its types and its outputs on fixed probes.

        Of one argument of a chain's type, the text is that which `behaviour` in `generate` gives to a chain that does
        the same, so that the two share a split.
        """
        kinds = [kind for _name, kind in self.family.parameters]
        columns = [probes(kind, position) for position, kind in enumerate(kinds)]
        outputs = [self.run(arguments) for arguments in zip(*columns, strict=True)]
        return f"{','.join(kinds)}:{json.dumps(outputs)}"

    def _filled(self, template: str, *, code: bool) -> str:
        def fill(match: re.Match[str]) -> str:
            index = int(match[1])
            choice = self.choices[index]
            text = choice.piece.code if code else choice.piece.phrase
            for name, given in self.family.slots[index].names.items():
                value = _REFERENCE.sub(fill, given if isinstance(given, str) else given[code])
                text = _placed(text, name, value) if code else text.replace(f"{{{name}}}", value)
            return text.replace("{k}", str(choice.constant))

        return _REFERENCE.sub(fill, template)


class Structured(NamedTuple):
    """A structure and its tests: (arguments, expected value), the public ones first."""

    structure: Structure
    tests: tuple[tuple[list[Any], Any], ...]


def structured(families: Sequence[Family], level: int, split: str, seed: int) -> Iterator[Structured]:
    """Distinct structures of `families` in a split, in an order that the arguments fix; ends when none are left."""
    rng = random.Random(f"synthesis/{level}/{split}/{seed}")
    seen: set[str] = set()
    idle = 0
    while idle < _PATIENCE:
        idle += 1
        family = rng.choice(families)
        structure = Structure(family, tuple(_choice(rng, slot) for slot in family.slots))
        key = structure.canonical()
        if key in seen:
            continue
        seen.add(key)
        if split_of(structure.behaviour()) != split:
            continue
        tests = make_tests(structure)
        if tests is not None:
            idle = 0
            yield Structured(structure, tests)


def capacity(split: str) -> int:
    """How many distinct tasks of one level may be asked for at once; every level's families have more."""
    return _CAPACITY * (1 if split == HELD_OUT else 4) // 5


def make_tests(structure: Structure) -> tuple[tuple[list[Any], Any], ...] | None:
    """Tests of a structure, drawn from its canonical form alone; None when it makes no good task.

    A good task has outputs that differ and are not large, and every slot matters: moving a constant by one changes some
    output, and so does some other piece in the slot's place. Inputs that unmask such near misses come first.
    """
    rng = random.Random(int(statement_digest(structure.canonical())[:16], 16))
    columns = [inputs(rng, kind) for _name, kind in structure.family.parameters]
    cases = [list(arguments) for arguments in zip(*columns, strict=True)]
    expected = [structure.run(arguments) for arguments in cases]
    if any(is_large(value) for value in expected):
        return None
    caught: list[set[int]] = []
    moved: list[set[int]] = []
    for index, slot in enumerate(structure.family.slots):
        constants, sisters = _near(rng, structure, index, slot)
        differing = [_differing(wrong, cases, expected) for wrong in constants]
        others = [_differing(wrong, cases, expected) for wrong in sisters]
        if not all(differing) or (others and not any(others)):
            return None
        moved += differing
        caught += differing + [differs for differs in others if differs]
    chosen = cover(caught, len(cases))
    if len(distinct([expected[i] for i in chosen])) < 3 or not all(differs & set(chosen) for differs in moved):
        return None
    return tuple((cases[i], expected[i]) for i in chosen)


def _placed(code: str, name: str, value: str) -> str:
    """`value` in the place of a name: in brackets where an operator stands next to it."""

    def place(match: re.Match[str]) -> str:
        before, after = code[: match.start()], code[match.end() :]
        alone = (before.endswith(("(", ", ")) and after.startswith((")", ","))) or not (before or after)
        return value if alone or _ATOM.fullmatch(value) else f"({value})"

    return re.sub(re.escape(f"{{{name}}}"), place, code)


def _choice(rng: random.Random, slot: Slot) -> Choice:
    piece = rng.choice(slot.pieces)
    return Choice(piece, rng.choice(piece.constants))


def _near(rng: random.Random, structure: Structure, index: int, slot: Slot) -> tuple[list[Structure], list[Structure]]:
    """Near misses that differ in one slot: in its constant, or in its piece."""
    choice = structure.choices[index]
    constants: list[Choice] = []
    if choice.piece.has_constant:
        # Below the lowest constant a program may not even end: no step of 0, no base case under all numbers.
        moved = (choice.constant - 1, choice.constant + 1)
        constants = [Choice(choice.piece, constant) for constant in moved if constant >= choice.piece.constants[0]]
    sisters = [
        Choice(piece, choice.constant if choice.constant in piece.constants else piece.constants[0])
        for piece in rng.sample(slot.pieces, min(_SISTERS, len(slot.pieces)))
        if piece is not choice.piece
    ]
    return [_with(structure, index, other) for other in constants], [
        _with(structure, index, other) for other in sisters
    ]


def _with(structure: Structure, index: int, choice: Choice) -> Structure:
    choices = list(structure.choices)
    choices[index] = choice
    return Structure(structure.family, tuple(choices))


def _differing(wrong: Structure, cases: Sequence[Sequence[Any]], expected: Sequence[Any]) -> set[int]:
    return {i for i, arguments in enumerate(cases) if not same(wrong.run(arguments), expected[i])}
