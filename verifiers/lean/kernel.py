"""Lean's own kernel, called without the rest of Lean: it takes declarations that were read by `olean` and checks them.

No parser, elaborator, tactic or interpreter runs here, and no object that another process made is touched: every name,
level and term is built anew through the constructors that ``libleanshared.so`` exports, so their cached facts are the
library's own. An environment is immutable: adding to it gives a new one, and what one proof added no other sees.

Run only inside the auditing process (see `audit_worker`); standard library and `olean` only.

Source of the calling convention: Lean's ``src/include/lean/lean.h`` and ``src/Lean/{Expr,Level,Declaration}.lean``
(names under ``@[export ...]``). Objects carry a 32-bit count, 0 meaning "never freed"; exported functions take over one
count of each object argument.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from proofgrad.verifiers.lean.olean import Declaration, Module, Name, show, subterms

__all__ = ["Builder", "Environment", "Kernel", "RefusedError", "replay_order"]

# Constructors of `Lean.Kernel.Exception`, in order.
_FAULTS = (
    "unknown constant", "already declared", "type mismatch of a declaration", "metavariables", "free variables",
    "function expected", "type expected", "type mismatch of a let", "type mismatch", "type mismatch of an argument",
    "invalid projection", "the type of a theorem is no proposition", "other", "timeout", "memory", "recursion",
    "interrupted",
)  # fmt: skip
_EXHAUSTED = frozenset({"timeout", "memory", "recursion", "interrupted"})
_NIL = 1  # the boxed number 0: an empty list, the anonymous name, `none`
_RECURSION = 10_000  # calls of the type checker inside each other
_pointer, _byte = ctypes.c_void_p, ctypes.c_uint8


class RefusedError(Exception):
    """The kernel does not accept a declaration.

    Attributes:
        is_exhausted: it ran out of time, memory or stack rather than finding a mistake.
    """

    def __init__(self, name: Name, fault: str) -> None:
        self.is_exhausted = fault in _EXHAUSTED
        super().__init__(f"the kernel refuses {show(name)}: {fault}")


@dataclass(frozen=True, slots=True)
class Environment:
    """A kernel environment: the constants that were checked so far."""

    handle: int


class Kernel:
    """The kernel in this process. One instance a process; not thread-safe.

    Args:
        library: path of ``libleanshared.so``, whose hash has been checked.
    """

    def __init__(self, library: str) -> None:
        self._lean = ctypes.CDLL(library)
        self._kept: list[object] = []
        self._names: dict[Name, int] = {(): _NIL}
        self._lean.lean_initialize()
        self._lean.lean_io_mark_end_initialization()
        self.zero = self.call("lean_level_mk_zero", [_pointer], [_NIL])

    def empty(self) -> Environment:
        """An environment without any constant."""
        made = self.call("l_Lean_mkEmptyEnvironment", [ctypes.c_uint32, _pointer], [0, _NIL])
        if _tag(made) != 0:
            raise RuntimeError("Lean makes no environment")
        return Environment(self.call("lean_elab_environment_to_kernel_env", [_pointer], [_field(made, 0)]))

    def builder(self, module: Module) -> Builder:
        """Makes Lean's objects out of a module's declarations."""
        return Builder(self, module)

    def add(self, environment: Environment, name: Name, declaration: int, heartbeats: int = 0) -> Environment:
        """The environment with one more declaration, checked in full.

        Args:
            environment: what it may refer to.
            name: for messages.
            declaration: an object of `Lean.Declaration`.
            heartbeats: small allocations that the check may use; 0 for no limit.

        Raises:
            RefusedError: the kernel does not accept it.
        """
        types = [_pointer, ctypes.c_size_t, ctypes.c_size_t, _pointer, _pointer]
        fields = [environment.handle, heartbeats, _RECURSION, declaration, _NIL]
        result = self.call("lean_add_decl", types, fields)
        if _tag(result) != 1:
            fault = _field(result, 0)
            number = fault >> 1 if fault & 1 else _tag(fault)
            raise RefusedError(name, _FAULTS[number] if number < len(_FAULTS) else "unknown fault")
        return Environment(_field(result, 0))

    def restatement(self, name: Name, goal: Declaration, proof: Declaration) -> int:
        """The declaration ``theorem name : goal := proof``, both constants taken at universe parameters of one name."""
        type_, value = (self._constant(found) for found in (goal, proof))
        return self.make_theorem(name, goal.level_params, type_, value)

    def _constant(self, found: Declaration) -> int:
        param = [_pointer]
        levels = self.list(self.call("lean_level_mk_param", param, [self.name(p)]) for p in found.level_params)
        return self.call("lean_expr_mk_const", [_pointer] * 2, [self.name(found.name), levels])

    def make_theorem(self, name: Name, params: Sequence[Name], type_: int, value: int) -> int:
        """An object of `Lean.Declaration` for a theorem; `type_` and `value` are objects of `Lean.Expr`."""
        own = self.name(name)
        fields = [own, self.list(self.name(p) for p in params), type_, value, self.list([own])]
        return self.cell(2, [self.call("lean_mk_theorem_val", [_pointer] * 5, fields)])

    def quotient(self) -> int:
        """The declaration of `Quot` and what belongs to it."""
        return 4 << 1 | 1

    def call(self, name: str, types: Sequence[type], arguments: Sequence[int]) -> int:
        """Call an exported function, giving it a count of each object of its own; the object that it returns."""
        function = getattr(self._lean, name)
        function.restype, function.argtypes = _pointer, types
        for kind, argument in zip(types, arguments, strict=True):
            if kind is _pointer and not argument & 1:
                count = ctypes.c_int32.from_address(argument)
                if count.value > 0:
                    count.value += 1
        return int(function(*arguments))

    def name(self, name: Name) -> int:
        """An object of `Lean.Name`."""
        known = self._names.get(name)
        if known is None:
            prefix, last = self.name(name[:-1]), name[-1]
            if isinstance(last, str):
                known = self.call("lean_name_mk_string", [_pointer] * 2, [prefix, self.string(last)])
            else:
                known = self.call("lean_name_mk_numeral", [_pointer] * 2, [prefix, self.natural(last)])
            self._names[name] = known
        return known

    def string(self, text: str) -> int:
        """An object of `String`."""
        data = text.encode()
        function = self._lean.lean_mk_string_from_bytes
        function.restype, function.argtypes = _pointer, [ctypes.c_char_p, ctypes.c_size_t]
        return int(function(data, len(data)))

    def natural(self, number: int) -> int:
        """An object of `Nat`, boxed when it is small."""
        if number < 1 << 62:
            return number << 1 | 1
        function = self._lean.lean_cstr_to_nat
        function.restype, function.argtypes = _pointer, [ctypes.c_char_p]
        return int(function(str(number).encode()))

    def list(self, items: Iterable[int]) -> int:
        """An object of `List`."""
        made = _NIL
        for item in reversed(list(items)):
            made = self.cell(1, [item, made])
        return made

    def cell(self, tag: int, fields: Sequence[int]) -> int:
        """A constructor object that is never freed; it keeps a count of each of its fields."""
        size = 8 + 8 * len(fields)
        buffer = ctypes.create_string_buffer(struct.pack(f"<iHBB{len(fields)}Q", 0, size, len(fields), tag, *fields))
        self._kept.append(buffer)
        return ctypes.addressof(buffer)


class Builder:
    """Lean's objects for the declarations of one module, each made once."""

    def __init__(self, kernel: Kernel, module: Module) -> None:
        self._kernel, self._module = kernel, module
        self._levels: list[int] = []
        self._terms: dict[int, int] = {}

    def declaration(self, name: Name) -> int:
        """An object of `Lean.Declaration` for an axiom, definition, theorem, opaque constant or inductive type."""
        kernel, found = self._kernel, self._module.declarations[name]
        own, params = kernel.name(name), kernel.list(kernel.name(p) for p in found.level_params)
        if found.kind == "inductive":
            return self._inductive(found)
        head = [own, params, self.term(found.type)]
        if found.kind == "axiom":
            made = kernel.call("lean_mk_axiom_val", [_pointer] * 3 + [_byte], [*head, not found.is_safe])
            return kernel.cell(0, [made])
        if found.value is None:
            raise ValueError(f"a {found.kind} is no declaration of its own")
        value = self.term(found.value)
        if found.kind == "theorem":
            return kernel.make_theorem(name, found.level_params, head[2], value)
        if found.kind == "opaque":
            types = [_pointer] * 4 + [_byte, _pointer]
            fields = [*head, value, not found.is_safe, kernel.list([own])]
            return kernel.cell(3, [kernel.call("lean_mk_opaque_val", types, fields)])
        if isinstance(found.hints, str):
            hints = ("opaque", "abbrev").index(found.hints) << 1 | 1
        else:
            hints = kernel.call("lean_mk_reducibility_hints_regular", [ctypes.c_uint32], [found.hints])
        types = [_pointer] * 5 + [_byte, _pointer]
        fields = [*head, value, hints, 1 if found.is_safe else 0, kernel.list([own])]
        return kernel.cell(1, [kernel.call("lean_mk_definition_val", types, fields)])

    def _inductive(self, found: Declaration) -> int:
        kernel, declarations = self._kernel, self._module.declarations
        types = []
        for name in found.all:
            own = declarations[name]
            constructors = kernel.list(
                kernel.cell(0, [kernel.name(c), self.term(declarations[c].type)]) for c in own.constructors
            )
            types.append(kernel.cell(0, [kernel.name(name), self.term(own.type), constructors]))
        params = kernel.list(kernel.name(p) for p in found.level_params)
        fields = [params, kernel.natural(found.parameters), kernel.list(types), not found.is_safe]
        return kernel.call("lean_mk_inductive_decl", [_pointer] * 3 + [_byte], fields)

    def term(self, root: int) -> int:
        """An object of `Lean.Expr`."""
        if root not in self._terms:
            terms, needed, stack = self._module.terms, set(), [root]
            while stack:
                index = stack.pop()
                if index not in needed and index not in self._terms:
                    needed.add(index)
                    stack.extend(subterms(terms[index]))
            for index in sorted(needed):  # parts stand before what holds them
                self._terms[index] = self._make(terms[index])
        return self._terms[root]

    def _make(self, term: tuple[object, ...]) -> int:
        kernel, made, call = self._kernel, self._terms, self._kernel.call
        match term:
            case ("bvar" | "sort" as kind, int(index)):
                what = kernel.natural(index) if kind == "bvar" else self._level(index)
                return call(f"lean_expr_mk_{kind}", [_pointer], [what])
            case ("const", tuple(name), tuple(levels)):
                given = kernel.list(self._level(level) for level in levels)
                return call("lean_expr_mk_const", [_pointer] * 2, [kernel.name(name), given])
            case ("app", int(f), int(a)):
                return call("lean_expr_mk_app", [_pointer] * 2, [made[f], made[a]])
            case ("lambda" | "forall" as kind, tuple(name), int(type_), int(body), int(binder)):
                fields = [kernel.name(name), made[type_], made[body], binder]
                return call(f"lean_expr_mk_{kind}", [_pointer] * 3 + [_byte], fields)
            case ("let", tuple(name), int(type_), int(value), int(body)):
                fields = [kernel.name(name), made[type_], made[value], made[body]]
                return call("lean_expr_mk_let", [_pointer] * 4, fields)
            case ("natural", int(number)):
                return call("lean_expr_mk_lit", [_pointer], [kernel.cell(0, [kernel.natural(number)])])
            case ("string", str(text)):
                return call("lean_expr_mk_lit", [_pointer], [kernel.cell(1, [kernel.string(text)])])
            case ("proj", tuple(name), int(index), int(structure)):
                fields = [kernel.name(name), kernel.natural(index), made[structure]]
                return call("lean_expr_mk_proj", [_pointer] * 3, fields)
        raise ValueError(f"no such term: {term[0]}")

    def _level(self, root: int) -> int:
        kernel, call = self._kernel, self._kernel.call
        while len(self._levels) <= root:
            match self._module.levels[len(self._levels)]:
                case ("zero",):
                    made = kernel.zero
                case ("succ", int(of)):
                    made = call("lean_level_mk_succ", [_pointer], [self._levels[of]])
                case ("max" | "imax" as kind, int(a), int(b)):
                    made = call(f"lean_level_mk_{kind}", [_pointer] * 2, [self._levels[a], self._levels[b]])
                case ("param", tuple(name)):
                    made = call("lean_level_mk_param", [_pointer], [kernel.name(name)])
                case other:
                    raise ValueError(f"no such level: {other[0]}")
            self._levels.append(made)
        return self._levels[root]


def replay_order(module: Module, wanted: Iterable[Name], known: Mapping[Name, object]) -> list[Name]:
    """The declarations of `module` that `wanted` rest on and that are not `known`, each after those it rests on.

    Constructors and recursors come with their inductive type and are not listed.

    Raises:
        KeyError: one of them rests on a constant that is neither in the module nor known.
    """
    order: dict[Name, None] = {}
    entered: set[Name] = set()
    stack: list[tuple[Name, bool]] = [(name, False) for name in wanted]
    while stack:
        name, is_done = stack.pop()
        name = _owner(module, name)
        if is_done:
            order[name] = None
            continue
        if name in entered or name in known:
            continue
        entered.add(name)
        found = module.declarations[name]
        stack.append((name, True))
        needs: set[Name] = set()
        block = [module.declarations[one] for one in found.all]
        constructors = [module.declarations[one] for part in block for one in part.constructors]
        for part in (found, *block, *constructors):
            needs |= module.constants(part.type)
            if part.value is not None:
                needs |= module.constants(part.value)
        stack.extend((need, False) for need in needs)
    return list(order)


def _owner(module: Module, name: Name) -> Name:
    """The first type of a mutual block for its types, constructors and recursors; the name itself for the rest."""
    found = module.declarations.get(name)
    if found is not None and found.kind in ("constructor", "recursor"):
        name = name[:-1]
        found = module.declarations[name]
    return found.all[0] if found is not None and found.all else name


def _field(address: int, index: int) -> int:
    return int(_pointer.from_address(address + 8 + 8 * index).value or 0)


def _tag(address: int) -> int:
    return ctypes.c_uint8.from_address(address + 7).value
