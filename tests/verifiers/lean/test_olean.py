"""olean.py: declarations come out of a compiled module as they went in, and no bytes make it do anything but refuse."""

from __future__ import annotations

import functools
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.verifiers.lean.olean import MalformedModuleError, Module, read_module, show, subterms
from proofgrad.verifiers.lean.toolchain import BASE_MODULE, Toolchain


@functools.cache
def compiled(text: str) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.lean").write_text(f"prelude\nimport {BASE_MODULE}\n{text}", "utf-8")
        run = Toolchain().run(
            ["-o", str(folder / "a.olean"), "a.lean"], folder, cpu_seconds=20, wall_seconds=120, is_trusted=True
        )
        assert run.status == 0, run.stdout
        return (folder / "a.olean").read_bytes()


SOURCE = """
theorem X.swap (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩
def X.two : Nat := 2
axiom X.bad.{u} (α : Sort u) : α
theorem X.rests (p : Prop) : p := X.bad p
inductive X.Tree (α : Type) where
  | leaf : X.Tree α
  | node (l : X.Tree α) (a : α) (r : X.Tree α) : X.Tree α
def X.big : Nat := 340282366920938463463374607431768211456
"""


def module() -> Module:
    return read_module(compiled(SOURCE))


def test_declarations_are_read_with_their_kinds_and_parameters() -> None:
    found = {show(name): declaration for name, declaration in module().declarations.items()}
    kinds = {name: found[name].kind for name in ("X.swap", "X.two", "X.bad", "X.Tree", "X.Tree.node", "X.Tree.rec")}
    assert kinds == {
        "X.swap": "theorem", "X.two": "definition", "X.bad": "axiom", "X.Tree": "inductive",
        "X.Tree.node": "constructor", "X.Tree.rec": "recursor",
    }  # fmt: skip
    assert found["X.bad"].level_params == (("u",),)
    assert found["X.Tree"].constructors == (("X", "Tree", "leaf"), ("X", "Tree", "node"))
    assert found["X.Tree"].parameters == 1
    assert found["X.bad"].value is None


def test_a_terms_constants_are_found_at_any_depth() -> None:
    loaded = module()
    rests = loaded.declarations["X", "rests"]
    assert rests.value is not None
    assert loaded.constants(rests.value) == {("X", "bad")}
    assert ("And",) in loaded.constants(loaded.declarations["X", "swap"].type)


def test_big_numbers_survive() -> None:
    loaded = module()
    assert ("natural", 2**128) in loaded.terms


def test_parts_stand_before_what_holds_them() -> None:
    terms = module().terms
    assert all(part < index for index, term in enumerate(terms) for part in subterms(term))


@pytest.mark.parametrize("data", [b"", b"olean", b"olean\x01" + bytes(200), b"x" * 500, b"olean\x02" + bytes(82)])
def test_what_is_no_module_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedModuleError):
        read_module(data)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_damage_is_refused_or_harmless_and_never_anything_else(seed: int) -> None:
    rng, data = random.Random(seed), bytearray(compiled(SOURCE))
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(len(data))
        data[place] = rng.choice([0, 1, 255, rng.randrange(256), data[place] ^ 8])
    if rng.random() < 0.2:
        del data[rng.randrange(len(data)) :]
    try:
        loaded = read_module(bytes(data))
    except MalformedModuleError:
        return
    for declaration in loaded.declarations.values():
        loaded.constants(declaration.type)


def test_a_pointer_forward_is_refused_so_that_there_is_no_cycle() -> None:
    data = bytearray(compiled(SOURCE))
    base = int.from_bytes(data[80:88], "little")
    last = int.from_bytes(data[88:96], "little")
    # The first constructor object with a field that points to an object: let it point to the root, which comes last.
    offset = next(
        at for at in range(96, len(data) - 16, 8)
        if 0 < data[at + 6] < 8 and data[at + 7] < 12
        and base < int.from_bytes(data[at + 8 : at + 16], "little") < base + at
    )  # fmt: skip
    data[offset + 8 : offset + 16] = last.to_bytes(8, "little")
    with pytest.raises(MalformedModuleError, match="leads nowhere"):
        read_module(bytes(data))
