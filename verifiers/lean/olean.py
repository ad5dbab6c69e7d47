"""Reads the declarations out of a compiled Lean module, as plain Python values. Nothing of Lean is loaded or run.

A module that a candidate's process wrote is not to be trusted, least of all to be mapped into memory the way Lean does.
So every object is bounds-checked, may point only to objects before it, and what Lean caches inside terms (hashes, "has
no free variable") is dropped: `kernel` builds every term anew.

Format (Lean 4.35, version 2): bytes 0-4 ``olean``, 5 the version, 6 flags, 7-39 the Lean version, 40-79 a git hash,
80-87 the address B at which the file is meant to be mapped, 88-95 the address of the root; then objects, each at the
address B + its offset, children before parents. An object has an 8-byte header (count, u16 size, u8 fields, u8 tag).
Tags to 244 are constructors: that many pointers, then scalars. 246 is an array (size, capacity, pointers), 248 an array
of scalars, 249 a string (size with the final zero, capacity, length, bytes), 250 a big number (sign and limb count,
pointer to limbs, limbs). A pointer with its lowest bit set is a small number. Source: Lean's
``src/runtime/compact.cpp`` and ``src/runtime/object.h`` (Apache-2.0), read for the facts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Declaration", "Level", "MalformedModuleError", "Module", "Name", "Term", "read_module", "show", "subterms"]

Name: TypeAlias = tuple[str | int, ...]
# A level or a term is a tuple whose first item names it; parts that are levels or terms are indices into the tables
# of the module: ("succ", 3), ("app", 17, 4), ("const", ("Nat", "add"), (0, 2)).
Level: TypeAlias = tuple[object, ...]
Term: TypeAlias = tuple[object, ...]

_START = 96
_KINDS = ("axiom", "definition", "theorem", "opaque", "quotient", "inductive", "constructor", "recursor")
_MAX_BYTES = 256 << 20


class MalformedModuleError(Exception):
    """The bytes are no module as this Lean writes it."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One constant of a module.

    Attributes:
        name: its parts; ``Nat.add`` is ("Nat", "add").
        kind: "axiom", "definition", "theorem", "opaque", "quotient", "inductive", "constructor" or "recursor".
        level_params: names of its universe parameters.
        type: index of its type in `Module.terms`.
        value: the same for its value; None where there is none.
        is_safe: neither unsafe nor partial.
        hints: reducibility of a definition: "opaque", "abbrev" or its height.
        all: an inductive type's whole mutual block, itself included; else empty.
        constructors: of an inductive type, in order.
        parameters: number of parameters of an inductive type.
    """

    name: Name
    kind: str
    level_params: tuple[Name, ...]
    type: int
    value: int | None = None
    is_safe: bool = True
    hints: str | int = "opaque"
    all: tuple[Name, ...] = ()
    constructors: tuple[Name, ...] = ()
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class Module:
    """The declarations of one module, and the tables that they point into; parts stand before what holds them."""

    declarations: dict[Name, Declaration]
    terms: list[Term]
    levels: list[Level]

    def constants(self, root: int) -> set[Name]:
        """The names of all constants in a term."""
        found: set[Name] = set()
        seen: set[int] = set()
        stack = [root]
        while stack:
            index = stack.pop()
            if index in seen:
                continue
            seen.add(index)
            term = self.terms[index]
            if term[0] == "const":
                found.add(term[1])  # type: ignore[arg-type]  # the tag says what the parts are
            else:
                if term[0] == "proj":
                    found.add(term[1])  # type: ignore[arg-type]
                stack.extend(subterms(term))
        return found


def show(name: Name) -> str:
    """The name as Lean prints it."""
    return ".".join(str(part) for part in name) or "[anonymous]"


def subterms(term: Term) -> tuple[int, ...]:
    """The indices of the terms that a term is made of."""
    match term:
        case ("app", int(f), int(a)):
            return (f, a)
        case ("lambda" | "forall", _, int(type_), int(body), _):
            return (type_, body)
        case ("let", _, int(type_), int(value), int(body)):
            return (type_, value, body)
        case ("proj", _, _, int(structure)):
            return (structure,)
    return ()


def read_module(data: bytes) -> Module:
    """The declarations in the bytes of an ``.olean`` file.

    Raises:
        MalformedModuleError: they are not what this Lean writes.
    """
    try:
        return _Reader(data).module()
    except (struct.error, IndexError, KeyError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise MalformedModuleError(f"{type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True)
class _Object:
    tag: int
    fields: tuple[int, ...]  # pointers, or boxed numbers with the lowest bit set
    scalars: bytes


class _Reader:
    def __init__(self, data: bytes) -> None:
        if len(data) < _START or data[:5] != b"olean" or data[5] != 2 or len(data) > _MAX_BYTES:
            raise MalformedModuleError("no version 2 module")
        self._data = data
        self._base, self._root = struct.unpack_from("<QQ", data, 80)
        self._objects: dict[int, _Object] = {}
        self._names: dict[int, Name] = {1: ()}
        self._levels: list[Level] = [("zero",)]
        self._level_index: dict[int, int] = {1: 0}  # it is stored as the boxed number 0
        self._terms: list[Term] = []
        self._term_index: dict[int, int] = {}

    def module(self) -> Module:
        """Read everything that the root's list of constants reaches."""
        self._scan()
        root = self._get(self._root, 0)
        # ModuleData: imports, names of constants, constants, names and entries of extensions; a flag.
        constants = self._get(root.fields[2], 246)
        declarations = {}
        for pointer in constants.fields:
            declaration = self._declaration(pointer)
            if declaration.name in declarations:
                raise MalformedModuleError(f"{show(declaration.name)} is declared twice")
            declarations[declaration.name] = declaration
        return Module(declarations, self._terms, self._levels)

    def _scan(self) -> None:
        """All objects by address. Each may point only to those before it, so that there is no cycle."""
        data, offset, end = self._data, _START, len(self._data)
        while offset + 8 <= end:
            size, count, tag = struct.unpack_from("<HBB", data, offset + 4)
            if tag <= 244:
                if size < 8 + 8 * count:
                    raise MalformedModuleError("a constructor is smaller than its fields")
                fields = struct.unpack_from(f"<{count}Q", data, offset + 8)
                entry = _Object(tag, fields, data[offset + 8 + 8 * count : offset + size])
            elif tag == 246:
                length, capacity = struct.unpack_from("<QQ", data, offset + 8)
                if length > capacity or capacity > end:
                    raise MalformedModuleError("an array is longer than its room")
                fields = struct.unpack_from(f"<{length}Q", data, offset + 24)
                entry, size = _Object(tag, fields, b""), 24 + 8 * capacity
            elif tag == 248:
                length, capacity = struct.unpack_from("<QQ", data, offset + 8)
                entry, size = _Object(tag, (), b""), 24 + capacity * max(1, size)
            elif tag == 249:
                length, capacity = struct.unpack_from("<QQ", data, offset + 8)
                if not 1 <= length <= capacity or offset + 32 + capacity > end:
                    raise MalformedModuleError("a string is longer than its room")
                entry = _Object(tag, (), data[offset + 32 : offset + 31 + length])
                size = 32 + capacity
            elif tag == 250:
                _, limbs = struct.unpack_from("<ii", data, offset + 8)
                count = abs(limbs)
                if limbs < 0 or offset + 24 + 8 * count > end:
                    raise MalformedModuleError("a big number is negative or longer than its room")
                entry = _Object(tag, (), data[offset + 24 : offset + 24 + 8 * count])
                size = 24 + 8 * count
            elif tag in (251, 252):  # a thunk or a task: only environment extensions hold them
                entry, size = _Object(tag, struct.unpack_from("<Q", data, offset + 8), b""), 24
            elif tag == 253:  # a reference
                entry, size = _Object(tag, struct.unpack_from("<Q", data, offset + 8), b""), 16
            else:
                raise MalformedModuleError(f"unknown object tag {tag}")
            for pointer in entry.fields:
                if not pointer & 1 and pointer not in self._objects:
                    raise MalformedModuleError("a pointer leads nowhere")
            if offset + size > end:
                raise MalformedModuleError("an object reaches past the end")
            self._objects[self._base + offset] = entry
            offset += -(-size // 8) * 8
        if not self._objects:
            raise MalformedModuleError("the module is empty")

    def _get(self, pointer: int, tag: int | None = None) -> _Object:
        found = self._objects[pointer]
        if tag is not None and found.tag != tag:
            raise MalformedModuleError(f"tag {found.tag} where {tag} belongs")
        return found

    def _list(self, pointer: int) -> list[int]:
        items = []
        while pointer != 1:
            cell = self._get(pointer, 1)
            head, pointer = cell.fields
            items.append(head)
        return items

    def _natural(self, pointer: int) -> int:
        if pointer & 1:
            return pointer >> 1
        return int.from_bytes(self._get(pointer, 250).scalars, "little")

    def _text(self, pointer: int) -> str:
        return self._get(pointer, 249).scalars.decode()

    def _name(self, pointer: int) -> Name:
        chain = []
        while pointer not in self._names:
            chain.append(pointer)
            pointer = self._get(pointer).fields[0]
        name = self._names[pointer]
        for part in reversed(chain):
            entry = self._get(part)
            if entry.tag not in (1, 2) or len(entry.fields) != 2:
                raise MalformedModuleError("no name")
            name = (*name, self._text(entry.fields[1]) if entry.tag == 1 else self._natural(entry.fields[1]))
            self._names[part] = name
        return name

    def _bottom_up(
        self, root: int, known: dict[int, int], parts: Callable[[_Object], tuple[int, ...]]
    ) -> Iterator[int]:
        """The objects that `root` reaches and that are not `known` yet, parts first: addresses grow that way."""
        reached, stack = set(), [root]
        while stack:
            pointer = stack.pop()
            if pointer not in known and pointer not in reached:
                reached.add(pointer)
                stack.extend(parts(self._get(pointer)))
        return iter(sorted(reached))

    def _level(self, root: int) -> int:
        known = self._level_index

        def parts(entry: _Object) -> tuple[int, ...]:
            return entry.fields if entry.tag in (1, 2, 3) else ()

        for pointer in self._bottom_up(root, known, parts):
            entry = self._get(pointer)
            match entry.tag:
                case 1:
                    level: Level = ("succ", known[entry.fields[0]])
                case 2 | 3:
                    level = ("max" if entry.tag == 2 else "imax", known[entry.fields[0]], known[entry.fields[1]])
                case 4:
                    level = ("param", self._name(entry.fields[0]))
                case _:
                    raise MalformedModuleError("a level that no finished declaration holds")
            known[pointer] = len(self._levels)
            self._levels.append(level)
        return known[root]

    def _term(self, root: int) -> int:
        known = self._term_index

        def parts(entry: _Object) -> tuple[int, ...]:
            return tuple(entry.fields[i] for i in _PARTS[entry.tag])

        for pointer in self._bottom_up(root, known, parts):
            entry = self._get(pointer)
            if entry.tag == 10:  # metadata, without meaning
                known[pointer] = known[entry.fields[1]]
                continue
            known[pointer] = len(self._terms)
            self._terms.append(self._one_term(entry))
        return known[root]

    def _one_term(self, entry: _Object) -> Term:
        fields, known = entry.fields, self._term_index
        match entry.tag:
            case 0:
                return ("bvar", self._natural(fields[0]))
            case 3:
                return ("sort", self._level(fields[0]))
            case 4:
                levels = tuple(self._level(level) for level in self._list(fields[1]))
                return ("const", self._name(fields[0]), levels)
            case 5:
                return ("app", known[fields[0]], known[fields[1]])
            case 6 | 7:
                kind = "lambda" if entry.tag == 6 else "forall"
                # The binder's kind (implicit or not) follows 8 bytes of cached data; the kernel does not look at it.
                return (kind, self._name(fields[0]), known[fields[1]], known[fields[2]], entry.scalars[8] & 3)
            case 8:
                parts = (known[fields[1]], known[fields[2]], known[fields[3]])
                return ("let", self._name(fields[0]), *parts)
            case 9:
                literal = self._get(fields[0])
                if literal.tag == 0:
                    return ("natural", self._natural(literal.fields[0]))
                return ("string", self._text(literal.fields[0]))
            case 11:
                return ("proj", self._name(fields[0]), self._natural(fields[1]), known[fields[2]])
        raise MalformedModuleError("a term that no finished declaration holds")

    def _declaration(self, pointer: int) -> Declaration:
        info = self._get(pointer)
        kind = _KINDS[info.tag]
        value = self._get(info.fields[0])
        head = self._get(value.fields[0], 0)
        name = self._name(head.fields[0])
        params = tuple(self._name(p) for p in self._list(head.fields[1]))
        type_ = self._term(head.fields[2])
        common = (name, kind, params, type_)
        fields, flags = value.fields, value.scalars
        match kind:
            case "axiom":
                return Declaration(*common, is_safe=flags[0] == 0)
            case "definition":
                # Fields: value, hints, all; the flag is 0 for unsafe, 1 for safe, 2 for partial.
                return Declaration(
                    *common, value=self._term(fields[1]), is_safe=flags[0] == 1, hints=self._hints(fields[2])
                )
            case "theorem":
                return Declaration(*common, value=self._term(fields[1]))
            case "opaque":
                return Declaration(*common, value=self._term(fields[1]), is_safe=flags[0] == 0)
            case "inductive":
                # Fields: numbers of parameters and indices, all, constructors, number of nested ones; flags: is it
                # recursive, unsafe, reflexive.
                return Declaration(
                    *common,
                    is_safe=flags[1] == 0,
                    all=tuple(self._name(n) for n in self._list(fields[3])),
                    constructors=tuple(self._name(n) for n in self._list(fields[4])),
                    parameters=self._natural(fields[1]),
                )
            case "constructor" | "recursor":
                return Declaration(*common, is_safe=flags[-8:][0] == 0 or kind == "recursor")
        return Declaration(*common)

    def _hints(self, pointer: int) -> str | int:
        if pointer & 1:
            return ("opaque", "abbrev")[pointer >> 1]
        return int.from_bytes(self._get(pointer, 2).scalars[:4], "little")


# Which fields of a term are terms, by tag; absent: free variables and metavariables, which no declaration may hold.
_PARTS: dict[int, tuple[int, ...]] = {
    0: (), 3: (), 4: (), 5: (0, 1), 6: (1, 2), 7: (1, 2), 8: (1, 2, 3), 9: (), 10: (1,), 11: (2,),
}  # fmt: skip
