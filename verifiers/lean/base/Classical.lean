/- Classical reasoning from Lean's three standard axioms, and nothing else. -/
prelude
import ProofgradRewriting
set_option linter.all false
set_option Elab.async false
set_option autoImplicit false
universe u v w
attribute [symm] Eq.symm Iff.symm

instance instTransEq {α : Sort u} {γ : Sort v} (r : α → γ → Sort w) : Trans Eq r r where trans e h := e ▸ h
instance instTransEq_1 {α : Sort u} {β : Sort v} (r : α → β → Sort w) : Trans r Eq r where trans h e := e ▸ h
instance instTransIff : Trans Iff Iff Iff where trans := Iff.trans

axiom propext {a b : Prop} (h : a ↔ b) : a = b
axiom Quot.sound {α : Sort u} {r : α → α → Prop} {a b : α} : r a b → Quot.mk r a = Quot.mk r b
class inductive Nonempty (α : Sort u) : Prop where
  | intro (val : α) : Nonempty α
theorem Nonempty.elim {α : Sort u} {p : Prop} (h : Nonempty α) (f : α → p) : p := h.rec f
axiom Classical.choice {α : Sort u} : Nonempty α → α

theorem funext {α : Sort u} {β : α → Sort v} {f g : (x : α) → β x} (h : (x : α) → f x = g x) : f = g :=
  let same := fun (f g : (x : α) → β x) => (x : α) → f x = g x
  let value := fun (q : Quot same) (x : α) => Quot.lift (fun (f : (x : α) → β x) => f x) (fun _ _ h => h x) q
  show value (Quot.mk same f) = value (Quot.mk same g) from congrArg value (Quot.sound h)

@[pp_using_anonymous_constructor] structure Subtype {α : Sort u} (p : α → Prop) where
  val : α
  property : p val

namespace Classical
noncomputable def pick {α : Sort u} (p : α → Prop) (h : ∃ x, p x) : Subtype p :=
  choice (h.elim fun x hx => Nonempty.intro ⟨x, hx⟩)
noncomputable def choose {α : Sort u} {p : α → Prop} (h : ∃ x, p x) : α := (pick p h).val
theorem choose_spec {α : Sort u} {p : α → Prop} (h : ∃ x, p x) : p (choose h) := (pick p h).property

/-- Diaconescu's theorem: choice, extensionality of propositions and of functions give excluded middle. -/
theorem em (p : Prop) : p ∨ ¬p :=
  let U := fun x : Prop => x = True ∨ p
  let V := fun x : Prop => x = False ∨ p
  have hU : ∃ x, U x := ⟨True, Or.inl rfl⟩
  have hV : ∃ x, V x := ⟨False, Or.inl rfl⟩
  have differ : choose hU ≠ choose hV ∨ p :=
    (choose_spec hU).elim
      (fun isTrue => (choose_spec hV).elim
        (fun isFalse => Or.inl fun e => Eq.mp ((isTrue.symm.trans e).trans isFalse) True.intro)
        Or.inr)
      Or.inr
  have agree : p → choose hU = choose hV := fun hp =>
    have UV : U = V := funext fun _ => propext ⟨fun _ => Or.inr hp, fun _ => Or.inr hp⟩
    have same : (a : ∃ x, U x) → (b : ∃ x, V x) → choose a = choose b :=
      Eq.ndrec (motive := fun (W : Prop → Prop) => (a : ∃ x, U x) → (b : ∃ x, W x) → choose a = choose b)
        (fun _ _ => rfl) UV
    same hU hV
  differ.elim (fun ne => Or.inr fun hp => ne (agree hp)) Or.inl

theorem byContradiction {p : Prop} (h : ¬p → False) : p := (em p).elim (fun x => x) (fun n => (h n).elim)
theorem byCases {p q : Prop} (f : p → q) (g : ¬p → q) : q := (em p).elim f g
/-- Every proposition is decidable, classically: what `by_cases` falls back to, and `if` after `open Classical` only. -/
noncomputable scoped instance (priority := 100) propDecidable (p : Prop) : Decidable p :=
  choice ((em p).elim (fun h => Nonempty.intro (Decidable.isTrue h)) fun h => Nonempty.intro (Decidable.isFalse h))
end Classical
noncomputable def Exists.choose {α : Sort u} {p : α → Prop} (h : ∃ a, p a) : α := Classical.choose h
theorem Exists.choose_spec {α : Sort u} {p : α → Prop} (h : ∃ a, p a) : p h.choose := Classical.choose_spec h
