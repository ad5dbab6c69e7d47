/-
The bottom of our base library: what Lean's elaborator, tactics and compiler expect to find under these very names.

Shapes and names are those of Lean 4's `Prelude` and `Init/Core`, since compiled code refers to them; proofs are ours.

Two things to keep in mind when changing this file:
* The kernel computes with `Nat.add`, `Nat.beq`, `Nat.ble`, ... on numerals by itself, trusting the *name*. So each such
  name defined here must mean what it means in Lean (a test proves their equations), and none may be defined otherwise.
* Every axiom here is either unsafe (no proof can use it) or refused by the checker's list of allowed axioms.
-/
prelude
set_option autoImplicit false
set_option linter.all false
set_option Elab.async false
universe u v w

/-! ## What the compiler asks for -/
unsafe axiom lcErased : Type
unsafe axiom lcAny : Type
unsafe axiom lcVoid : Type
unsafe axiom lcProof {α : Prop} : α
unsafe axiom lcCast {α : Sort u} {β : Sort v} (a : α) : β
unsafe axiom lcUnreachable {α : Sort u} : α

/-! ## Binder annotations -/
@[reducible] def outParam (α : Sort u) : Sort u := α
@[reducible] def optParam (α : Sort u) (default : α) : Sort u := α
@[reducible] def autoParam (α : Sort u) (tactic : α) : Sort u := α

/-! ## Truth and equality -/
set_option bootstrap.inductiveCheckResultingUniverse false in
inductive PUnit : Sort u where | unit : PUnit
abbrev Unit : Type := PUnit
@[match_pattern] abbrev Unit.unit : Unit := PUnit.unit
inductive False : Prop
inductive True : Prop where | intro : True
inductive Empty : Type
def Not (a : Prop) : Prop := a → False
@[macro_inline] def False.elim {C : Sort u} (h : False) : C := h.rec
inductive Eq {α : Sort u} : α → α → Prop where
  | refl (a : α) : Eq a a
init_quot
set_option autoImplicit true in
@[simp] abbrev Eq.ndrec.{u1, u2} {α : Sort u2} {a : α} {motive : α → Sort u1} (m : motive a) {b : α}
    (h : Eq a b) : motive b := h.rec m
@[inline] def id {α : Sort u} (a : α) : α := a
@[match_pattern] def rfl {α : Sort u} {a : α} : Eq a a := Eq.refl a
theorem Eq.subst {α : Sort u} {motive : α → Prop} {a b : α} (h₁ : Eq a b) (h₂ : motive a) : motive b := Eq.ndrec h₂ h₁
theorem Eq.symm {α : Sort u} {a b : α} (h : Eq a b) : Eq b a := Eq.ndrec (motive := fun x => Eq x a) rfl h
theorem Eq.substr {α : Sort u} {p : α → Prop} {a b : α} (h₁ : Eq b a) (h₂ : p a) : p b := Eq.ndrec h₂ h₁.symm
theorem Eq.trans {α : Sort u} {a b c : α} (h₁ : Eq a b) (h₂ : Eq b c) : Eq a c := Eq.ndrec h₁ h₂
@[simp] abbrev Eq.ndrec_symm.{u1, u2} {α : Sort u2} {a : α} {motive : α → Sort u1} (m : motive a) {b : α}
    (h : Eq b a) : motive b := Eq.ndrec m h.symm
theorem congrArg {α : Sort u} {β : Sort v} {a b : α} (f : α → β) (h : Eq a b) : Eq (f a) (f b) :=
  Eq.ndrec (motive := fun x => Eq (f a) (f x)) rfl h
inductive HEq : {α : Sort u} → α → {β : Sort u} → β → Prop where
  | refl {α : Sort u} (a : α) : HEq a a
@[macro_inline] def cast {α β : Sort u} (h : Eq α β) (a : α) : β := h.rec a
@[macro_inline] def Eq.mp {α β : Sort u} (h : Eq α β) (a : α) : β := h.rec a
@[macro_inline] def Eq.mpr {α β : Sort u} (h : Eq α β) (b : β) : α := h.symm.rec b
theorem eq_of_heq {α : Sort u} {a a' : α} (h : HEq a a') : Eq a a' :=
  have this : (α β : Sort u) → (a : α) → (b : β) → HEq a b → (h : Eq α β) → Eq (cast h a) b :=
    fun _ _ _ _ h₁ => h₁.rec (fun _ => rfl)
  this α α a a' h rfl
theorem heq_of_eq {α : Sort u} {a a' : α} (h : Eq a a') : HEq a a' :=
  Eq.ndrec (motive := fun x => HEq a x) (HEq.refl a) h

/-! ## Connectives and data -/
structure PULift.{r, s} (α : Sort s) : Sort (max s r 1) where
  up :: (down : α)
@[reducible] def Ne {α : Sort u} (a b : α) : Prop := Not (Eq a b)
@[pp_using_anonymous_constructor] structure And (a b : Prop) : Prop where
  intro :: (left : a) (right : b)
inductive Or (a b : Prop) : Prop where
  | inl (h : a) : Or a b
  | inr (h : b) : Or a b
structure Iff (a b : Prop) : Prop where
  intro :: (mp : a → b) (mpr : b → a)
inductive Exists {α : Sort u} (p : α → Prop) : Prop where
  | intro (w : α) (h : p w) : Exists p
structure PProd (α : Sort u) (β : Sort v) where
  (fst : α) (snd : β)
structure Prod (α : Type u) (β : Type v) where
  (fst : α) (snd : β)
inductive Bool : Type where | false | true
export Bool (false true)

@[inline] def Function.const {α : Sort u} (β : Sort v) (a : α) : β → α := fun _ => a
/-- Stands in for a proof that failed to elaborate; refused by name, by message kind and by the axiom report. -/
axiom sorryAx (α : Sort u) (synthetic : Bool) : α

/-! ## Lemmas that proofs expect under their usual names -/
theorem trivial : True := True.intro
def absurd {a : Prop} {b : Sort v} (h : a) (n : Not a) : b := (n h).rec
theorem Not.elim {a b : Prop} (n : Not a) (h : a) : b := absurd h n
theorem Not.intro {a : Prop} (h : a → False) : Not a := h
theorem not_false : Not False := fun h => h
theorem mt {a b : Prop} (f : a → b) (n : Not b) : Not a := fun h => n (f h)
theorem not_not_intro {a : Prop} (h : a) : Not (Not a) := fun n => n h
theorem And.elim {a b c : Prop} (f : a → b → c) (h : And a b) : c := f h.left h.right
theorem And.symm {a b : Prop} (h : And a b) : And b a := And.intro h.right h.left
theorem And.imp {a b c d : Prop} (f : a → c) (g : b → d) (h : And a b) : And c d := And.intro (f h.left) (g h.right)
theorem Or.elim {a b c : Prop} (h : Or a b) (f : a → c) (g : b → c) : c := h.rec f g
theorem Or.symm {a b : Prop} (h : Or a b) : Or b a := h.elim Or.inr Or.inl
theorem Or.imp {a b c d : Prop} (f : a → c) (g : b → d) (h : Or a b) : Or c d :=
  h.elim (fun x => Or.inl (f x)) (fun y => Or.inr (g y))
theorem Or.resolve_left {a b : Prop} (h : Or a b) (n : Not a) : b := h.elim (fun x => (n x).rec) (fun y => y)
theorem Or.resolve_right {a b : Prop} (h : Or a b) (n : Not b) : a := h.elim (fun x => x) (fun y => (n y).rec)
theorem Iff.refl (a : Prop) : Iff a a := Iff.intro (fun h => h) (fun h => h)
theorem Iff.rfl {a : Prop} : Iff a a := Iff.refl a
theorem Iff.symm {a b : Prop} (h : Iff a b) : Iff b a := Iff.intro h.mpr h.mp
theorem Iff.trans {a b c : Prop} (h : Iff a b) (k : Iff b c) : Iff a c :=
  Iff.intro (fun x => k.mp (h.mp x)) (fun x => h.mpr (k.mpr x))
theorem Iff.elim {a b c : Prop} (f : (a → b) → (b → a) → c) (h : Iff a b) : c := f h.mp h.mpr
theorem iff_of_true {a b : Prop} (h : a) (k : b) : Iff a b := Iff.intro (fun _ => k) (fun _ => h)
theorem and_comm {a b : Prop} : Iff (And a b) (And b a) := Iff.intro And.symm And.symm
theorem or_assoc {a b c : Prop} : Iff (Or (Or a b) c) (Or a (Or b c)) :=
  Iff.intro (fun h => h.elim (Or.imp (fun x => x) Or.inl) (fun x => Or.inr (Or.inr x)))
    (fun h => h.elim (fun x => Or.inl (Or.inl x)) (Or.imp Or.inr (fun x => x)))
theorem and_assoc {a b c : Prop} : Iff (And (And a b) c) (And a (And b c)) :=
  Iff.intro (fun h => And.intro h.left.left (And.intro h.left.right h.right))
    (fun h => And.intro (And.intro h.left h.right.left) h.right.right)
theorem or_comm {a b : Prop} : Iff (Or a b) (Or b a) := Iff.intro Or.symm Or.symm
theorem Exists.elim {α : Sort u} {p : α → Prop} {b : Prop} (h : Exists p) (f : (a : α) → p a → b) : b := h.rec f
theorem Ne.symm {α : Sort u} {a b : α} (h : Ne a b) : Ne b a := fun e => h e.symm
theorem HEq.rfl {α : Sort u} {a : α} : HEq a a := HEq.refl a
theorem congr {α : Sort u} {β : Sort v} {f g : α → β} {a b : α} (h : Eq f g) (k : Eq a b) : Eq (f a) (g b) :=
  Eq.ndrec (motive := fun (x : α → β) => Eq (f a) (x b)) (congrArg f k) h
theorem congrFun {α : Sort u} {β : α → Sort v} {f g : (x : α) → β x} (h : Eq f g) (a : α) : Eq (f a) (g a) :=
  Eq.ndrec (motive := fun (x : (y : α) → β y) => Eq (f a) (x a)) rfl h
