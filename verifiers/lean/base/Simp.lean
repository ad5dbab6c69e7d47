/- What the simplifier builds its proofs from: congruence, `True` and `False` as values, and the laws of connectives. -/
prelude
import ProofgradClassical
set_option linter.all false
set_option Elab.async false
set_option autoImplicit false
universe u v

theorem of_eq_true {p : Prop} (h : p = True) : p := h ▸ trivial
theorem of_eq_false {p : Prop} (h : p = False) : ¬p := fun hp => h ▸ hp
theorem eq_true {p : Prop} (h : p) : p = True := propext (iff_of_true h trivial)
theorem eq_false {p : Prop} (h : ¬p) : p = False := propext ⟨h, False.elim⟩
theorem eq_false' {p : Prop} (h : p → False) : p = False := eq_false h
theorem eq_true_of_decide {p : Prop} [Decidable p] (h : decide p = true) : p = True := eq_true (of_decide_eq_true h)
theorem eq_false_of_decide {p : Prop} [Decidable p] (h : decide p = false) : p = False :=
  eq_false (of_decide_eq_false h)
theorem Eq.propIntro {a b : Prop} (f : a → b) (g : b → a) : a = b := propext ⟨f, g⟩
theorem Lean.injEq_helper {p q r : Prop} (f : p → q → r) (h : p ∧ q) : r := f h.1 h.2

/-! ## Congruence -/
class Subsingleton (α : Sort u) : Prop where
  intro ::
  allEq (a b : α) : a = b
theorem Subsingleton.elim {α : Sort u} [h : Subsingleton α] (a b : α) : a = b := h.allEq a b
theorem Subsingleton.helim {α β : Sort u} [h₁ : Subsingleton α] (h₂ : α = β) (a : α) (b : β) : HEq a b := by
  subst h₂
  exact heq_of_eq (Subsingleton.elim a b)
instance instSubsingletonProp (p : Prop) : Subsingleton p := ⟨fun _ _ => rfl⟩
instance instSubsingletonDecidable (p : Prop) : Subsingleton (Decidable p) := ⟨fun a b => by
  cases a with
  | isTrue h => cases b with
    | isTrue _ => rfl
    | isFalse n => exact absurd h n
  | isFalse n => cases b with
    | isTrue h => exact absurd h n
    | isFalse _ => rfl⟩
theorem congrFun' {α : Sort u} {β : Sort v} {f g : α → β} (h : f = g) (a : α) : f a = g a := h ▸ rfl
theorem implies_congr {p₁ p₂ : Sort u} {q₁ q₂ : Sort v} (h : p₁ = p₂) (k : q₁ = q₂) : (p₁ → q₁) = (p₂ → q₂) :=
  h ▸ k ▸ rfl
theorem implies_congr_left {p₁ p₂ : Sort u} {q : Sort v} (h : p₁ = p₂) : (p₁ → q) = (p₂ → q) := h ▸ rfl
theorem implies_congr_right {p : Sort u} {q₁ q₂ : Sort v} (h : q₁ = q₂) : (p → q₁) = (p → q₂) := h ▸ rfl
theorem implies_dep_congr_ctx {p₁ p₂ q₁ : Prop} (h : p₁ = p₂) {q₂ : p₂ → Prop} (k : (x : p₂) → q₁ = q₂ x) :
    (p₁ → q₁) = ((x : p₂) → q₂ x) :=
  propext ⟨fun f x => k x ▸ f (h ▸ x), fun f x => k (h ▸ x) ▸ f (h ▸ x)⟩
theorem implies_congr_ctx {p₁ p₂ q₁ q₂ : Prop} (h : p₁ = p₂) (k : p₂ → q₁ = q₂) : (p₁ → q₁) = (p₂ → q₂) :=
  implies_dep_congr_ctx h k
theorem forall_congr {α : Sort u} {p q : α → Prop} (h : ∀ a, p a = q a) : (∀ a, p a) = (∀ a, q a) :=
  propext ⟨fun f a => h a ▸ f a, fun f a => h a ▸ f a⟩
theorem forall_prop_domain_congr {p₁ p₂ : Prop} {q : p₁ → Prop} (h : p₁ = p₂) :
    ((a : p₁) → q a) = ((a : p₂) → q (h.mpr a)) := h ▸ rfl
theorem forall_prop_congr_dom {p₁ p₂ : Prop} (h : p₁ = p₂) (q : p₁ → Prop) :
    (∀ a : p₁, q a) = (∀ a : p₂, q (h.mpr a)) := h ▸ rfl
theorem let_congr {α : Sort u} {β : Sort v} {a a' : α} {b b' : α → β} (h : a = a') (k : ∀ x, b x = b' x) :
    (let x := a; b x) = (let x := a'; b' x) := h ▸ k a
theorem let_val_congr {α : Sort u} {β : Sort v} {a a' : α} (b : α → β) (h : a = a') :
    (let x := a; b x) = (let x := a'; b x) := h ▸ rfl
theorem let_body_congr {α : Sort u} {β : α → Sort v} {b b' : (a : α) → β a} (a : α) (h : ∀ x, b x = b' x) :
    (let x := a; b x) = (let x := a; b' x) := h a
theorem ite_congr {α : Sort u} {b c : Prop} {x y z w : α} {s : Decidable b} [t : Decidable c] (h₁ : b = c)
    (h₂ : c → x = z)
    (h₃ : ¬c → y = w) : ite b x y = ite c z w := by
  cases h₁
  cases s with
  | isFalse n => cases t with
    | isFalse _ => exact h₃ n
    | isTrue h => exact absurd h n
  | isTrue h => cases t with
    | isFalse n => exact absurd h n
    | isTrue _ => exact h₂ h

/-! ## Connectives that fall away -/
section
variable (p : Prop)
theorem eq_self {α : Sort u} (a : α) : (a = a) = True := eq_true rfl
@[simp] theorem ne_eq {α : Sort u} (a b : α) : (a ≠ b) = ¬(a = b) := rfl
@[simp] theorem heq_eq_eq {α : Sort u} (a b : α) : HEq a b = (a = b) := propext ⟨eq_of_heq, heq_of_eq⟩
attribute [simp] eq_self
@[simp] theorem not_true_eq_false : (¬True) = False := propext ⟨fun n => n trivial, False.elim⟩
@[simp] theorem not_false_eq_true : (¬False) = True := eq_true not_false
@[simp] theorem and_self : (p ∧ p) = p := propext ⟨And.left, fun h => ⟨h, h⟩⟩
@[simp] theorem and_true : (p ∧ True) = p := propext ⟨And.left, fun h => ⟨h, trivial⟩⟩
@[simp] theorem true_and : (True ∧ p) = p := propext ⟨And.right, fun h => ⟨trivial, h⟩⟩
@[simp] theorem and_false : (p ∧ False) = False := eq_false And.right
@[simp] theorem false_and : (False ∧ p) = False := eq_false And.left
@[simp] theorem or_self : (p ∨ p) = p := propext ⟨fun h => h.elim id id, Or.inl⟩
@[simp] theorem or_true : (p ∨ True) = True := eq_true (Or.inr trivial)
@[simp] theorem true_or : (True ∨ p) = True := eq_true (Or.inl trivial)
@[simp] theorem or_false : (p ∨ False) = p := propext ⟨fun h => h.elim id False.elim, Or.inl⟩
@[simp] theorem false_or : (False ∨ p) = p := propext ⟨fun h => h.elim False.elim id, Or.inr⟩
@[simp] theorem iff_self : (p ↔ p) = True := eq_true Iff.rfl
@[simp] theorem iff_true : (p ↔ True) = p := propext ⟨fun h => h.2 trivial, fun h => iff_of_true h trivial⟩
@[simp] theorem true_iff : (True ↔ p) = p := propext ⟨fun h => h.1 trivial, iff_of_true trivial⟩
@[simp] theorem iff_false : (p ↔ False) = ¬p := propext ⟨Iff.mp, fun n => ⟨n, False.elim⟩⟩
@[simp] theorem false_iff : (False ↔ p) = ¬p := propext ⟨Iff.mpr, fun n => ⟨False.elim, n⟩⟩
@[simp] theorem false_implies (p : False → Prop) : (∀ h : False, p h) = True := eq_true fun h => h.elim
@[simp] theorem true_implies (p : True → Prop) : (∀ h : True, p h) = p trivial :=
  propext ⟨fun f => f trivial, fun h _ => h⟩
@[simp] theorem forall_const {α : Sort u} [i : Nonempty α] : (α → p) = p :=
  propext ⟨fun f => match i with | ⟨a⟩ => f a, fun h _ => h⟩
theorem implies_true (α : Sort u) : (α → True) = True := eq_true fun _ => trivial
attribute [simp] implies_true
theorem imp_self {a : Prop} : (a → a) ↔ True := iff_of_true id trivial
@[simp] theorem and_not_self {a : Prop} : ¬(a ∧ ¬a) := fun h => h.2 h.1
@[simp] theorem not_and_self {a : Prop} : ¬(¬a ∧ a) := fun h => h.1 h.2
@[simp] theorem not_or {p q : Prop} : ¬(p ∨ q) ↔ ¬p ∧ ¬q :=
  ⟨fun n => ⟨fun h => n (.inl h), fun h => n (.inr h)⟩, fun h k => k.elim h.1 h.2⟩
@[simp] theorem and_imp {a b c : Prop} : (a ∧ b → c) ↔ a → b → c := ⟨fun f h k => f ⟨h, k⟩, fun f h => f h.1 h.2⟩
@[simp] theorem exists_prop {a b : Prop} : (∃ _h : a, b) ↔ a ∧ b := ⟨fun ⟨h, k⟩ => ⟨h, k⟩, fun ⟨h, k⟩ => ⟨h, k⟩⟩
@[simp] theorem exists_eq {α : Sort u} {a : α} : ∃ a', a' = a := ⟨a, rfl⟩
@[simp] theorem exists_eq' {α : Sort u} {a : α} : ∃ a', a = a' := ⟨a, rfl⟩
@[simp] theorem Classical.not_not {p : Prop} : ¬¬p ↔ p := ⟨fun h => byContradiction h, not_not_intro⟩
end
instance {α : Sort u} [i : Inhabited α] : Nonempty α := ⟨i.default⟩
theorem Decidable.not_not {p : Prop} [Decidable p] : ¬¬p ↔ p := Classical.not_not
@[simp] theorem ite_true {α : Sort u} (a b : α) : (if True then a else b) = a := rfl
@[simp] theorem ite_false {α : Sort u} (a b : α) : (if False then a else b) = b := rfl
theorem if_pos {c : Prop} {h : Decidable c} (hc : c) {α : Sort u} {t e : α} : ite c t e = t := by
  cases h with
  | isFalse n => exact absurd hc n
  | isTrue _ => rfl
theorem if_neg {c : Prop} {h : Decidable c} (hn : ¬c) {α : Sort u} {t e : α} : ite c t e = e := by
  cases h with
  | isFalse _ => rfl
  | isTrue hc => exact absurd hc hn
theorem dif_pos {c : Prop} {h : Decidable c} (hc : c) {α : Sort u} {t : c → α} {e : ¬c → α} : dite c t e = t hc := by
  cases h with
  | isFalse n => exact absurd hc n
  | isTrue _ => rfl
theorem dif_neg {c : Prop} {h : Decidable c} (hn : ¬c) {α : Sort u} {t : c → α} {e : ¬c → α} : dite c t e = e hn := by
  cases h with
  | isFalse _ => rfl
  | isTrue hc => exact absurd hc hn
section
variable {α : Sort u} {c : Prop} [Decidable c]
theorem ite_eq_left {a b : α} (h : c) : ite c a b = a := if_pos h
theorem ite_eq_right {a b : α} (h : ¬c) : ite c a b = b := if_neg h
theorem dite_eq_left {t : c → α} {e : ¬c → α} (h : c) : dite c t e = t h := dif_pos h
theorem dite_eq_right {t : c → α} {e : ¬c → α} (h : ¬c) : dite c t e = e h := dif_neg h
theorem ite_eq_left_of_eq_true {a b : α} (h : c = True) : ite c a b = a := if_pos (of_eq_true h)
theorem ite_eq_right_of_eq_false {a b : α} (h : c = False) : ite c a b = b := if_neg (of_eq_false h)
theorem dite_eq_left_of_eq_true {t : c → α} {e : ¬c → α} (h : c = True) : dite c t e = t (of_eq_true h) := dif_pos _
theorem dite_eq_right_of_eq_false {t : c → α} {e : ¬c → α} (h : c = False) : dite c t e = e (of_eq_false h) := dif_neg _
end
@[simp] theorem ite_self {α : Sort u} {c : Prop} {d : Decidable c} (a : α) : ite c a a = a := by
  cases d <;> rfl
