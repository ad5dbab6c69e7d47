"""The vocabulary of a proof body: the symbols it may hold, and the words it may not."""

from __future__ import annotations

__all__ = ["ALLOWED_KEYWORDS", "FULL_SYMBOLS", "KEYWORDS", "PLACEHOLDERS", "REFUSED_WORDS", "SYMBOLS"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Not here on purpose: " and ' (strings, characters), backquote and $ (quotations), % and ! (macros),
# # (commands), « » (names that look like anything), / (comments). The scan refuses "--" in the text as a whole, so
# that - cannot open a comment however symbols stand together.
SYMBOLS = _words(
    "( ) { } [ ] ⟨ ⟩ ⦃ ⦄ ‹ › , ; : . | := => ↦ → -> ← <- ↔ ∧ ∨ ¬ = ≠ ∀ ∃ λ · _ @ ? ▸ ∘ × ⊢ <;> "
    "+ - * ^ ≤ <= ≥ >= < > ∈ ∉ :: ++ <|"
)

# What Lean's whole library and Mathlib write besides. Still no quotes, backquotes, # or guillemets; that a % does not
# join a name, as in `eval%`, is for `scan` to see.
FULL_SYMBOLS = _words(
    "- / ^ % ! $ ~ ≤ ≥ < > ≪ ≫ ∣ ∤ ∥ ∈ ∉ ⊆ ⊂ ⊇ ⊃ ∩ ∪ ∖ △ ∑ ∏ ∐ ∫ ∮ ∂ √ ‖ ⌊ ⌋ ⌈ ⌉ ∅ ∞ ≡ ≃ ≅ ≈ ∼ ≢ ⁻¹ ⁻ ⁰ ¹ "
    "² ³ ⁴ ⁵ ⁶ ⁷ ⁸ ⁹ ⁿ ⊤ ⊥ ⊓ ⊔ ⋂ ⋃ ⨆ ⨅ ∃! • ⋆ ⊕ ⊗ ⊖ ⇑ ↑ ↓ ↥ ⟶ ⟹ ⇒ ⇔ ↪ ↠ ≫= <| |> <$> <*> ∡ ∠ ᶜ ᵀ ᴴ † ⬝ ⬝ᵥ "
    "⟪ ⟫ ⁺ ₊ ˣ ℝ ≥0 || && == != :: ++ .."
)

# Every word that Lean 4.35 with our base library reserves (found by asking it, word by word, which of the library's
# strings is refused as a name).
KEYWORDS = _words(
    """
    abbrev add_decl_doc assert_not_exists assert_not_imported at attribute axiom binder_predicate break
    builtin_initialize by calc catch class coinductive coinductive_fixpoint continue dbg_trace declare_syntax_cat
    decreasing_by def deprecated_module deprecated_syntax deriving do docs_to_verso elab elab_rules else end example
    exists export extends finally for forall from fun generalizing grind_pattern have haveI hiding idbg if import in
    include inductive inductive_fixpoint infix infixl infixr init_grind_norm init_quot initialize instance
    leading_parser let let_delayed let_expr let_fun let_tmp local macro macro_rules match match_expr meta module
    monotonicity_by mut mutual namespace no_index nofun nomatch noncomputable nonrec notation omit opaque open partial
    partial_fixpoint postfix prefix prelude private protected public recall recommended_spelling register_tactic_tag
    renaming repeat return scoped section set_option show show_term_elab sorry structure suffices syntax tactic_alt
    tactic_extension tactic_name tactic_tag termination_by then theorem trailing_parser try universe unless
    unlock_limits unsafe until using variable where while with with_weak_namespace
    """
)

# Those that a term or a tactic block needs.
ALLOWED_KEYWORDS = _words(
    "at by calc else exists forall from fun generalizing have if let match nofun nomatch show suffices then try using "
    "with"
)

# Words of Lean's wider library that begin a command or run code; none is known to our base library, and all stay out.
_ELSEWHERE = _words(
    """
    lemma global run_cmd run_elab run_meta run_tac eval include_str by_elab rec irreducible_def unif_hint simproc
    declare_config_elab compile_inductive suppress_compilation native_decide unseal seal
    """
)

REFUSED_WORDS = (KEYWORDS - ALLOWED_KEYWORDS) | _ELSEWHERE

# Names that stand for a proof without being one; refused wherever they appear in a dotted name.
PLACEHOLDERS = _words(
    "sorry sorryAx admit stop native_decide ofReduceBool reduceBool trustCompiler lcProof lcUnreachable lcAny lcCast "
    "lcErased lcVoid"
)
