"""The vocabulary of a proof body: which symbols it may hold and which words it may not."""

from __future__ import annotations

__all__ = ["PLACEHOLDERS", "REFUSED_WORDS", "SYMBOLS"]

SYMBOLS = frozenset(
    "( ) { } [ ] ⟨ ⟩ ⦃ ⦄ , ; : . | := => → -> ← ↔ ∧ ∨ ¬ = ≠ ∀ ∃ λ · _ @ ? + * ▸ ∘ ×".split()
)

PLACEHOLDERS = frozenset("sorry sorryAx admit stop native_decide lcProof lcUnreachable".split())

REFUSED_WORDS = frozenset(
    """
    namespace section end variable universe open export import set_option attribute theorem lemma axiom def abbrev
    instance example inductive structure class opaque deriving mutual private protected public noncomputable unsafe
    partial nonrec local scoped global macro macro_rules notation infix infixl infixr prefix postfix syntax elab
    elab_rules declare_syntax_cat initialize builtin_initialize include omit prelude module meta where init_quot
    in termination_by decreasing_by run_cmd run_elab run_meta run_tac eval extends include_str by_elab rec
    """.split()
)
