/-
Truth values, decidable propositions, natural numbers, lists, and the classes behind `+ * - ^ ≤ < ++ ∈`.

Names, shapes and reducibility are those of Lean 4's `Prelude`; the kernel and the elaborator know many of them.
-/
prelude
import ProofgradLogic
set_option autoImplicit false
set_option linter.all false
set_option Elab.async false
set_option bootstrap.genMatcherCode false
universe u v w a b c

/-! ## Natural numbers, as data -/
set_option genCtorIdx false in
inductive Nat where
  | zero : Nat
  | succ (n : Nat) : Nat
class OfNat (α : Type u) (_ : Nat) where
  ofNat : α
@[default_instance 100] instance instOfNatNat (n : Nat) : OfNat Nat n where
  ofNat := n
noncomputable section

/-! ## Truth values and decidable propositions -/
@[macro_inline, implicit_reducible] def cond {α : Sort u} (c : Bool) (x y : α) : α :=
  match c with
  | true => x
  | false => y
@[implicit_reducible] def Bool.or (x y : Bool) : Bool := Bool.rec y true x
@[implicit_reducible] def Bool.and (x y : Bool) : Bool := Bool.rec false y x
@[implicit_reducible] def Bool.not (x : Bool) : Bool := Bool.rec true false x
export Bool (or and not)
abbrev Bool.Reflects : Bool → Prop → Prop
  | false, p => Not p
  | true, p => p
class Decidable (p : Prop) where
  intro ::
  decide : Bool
  reflects_decide (p) : decide.Reflects p
attribute [implicit_reducible] Decidable.decide
@[match_pattern] abbrev Decidable.isFalse {p : Prop} (h : Not p) : Decidable p := ⟨false, h⟩
@[match_pattern] abbrev Decidable.isTrue {p : Prop} (h : p) : Decidable p := ⟨true, h⟩
@[cases_eliminator, induction_eliminator, elab_as_elim]
abbrev Decidable.falseTrueCases {p : Prop} {motive : Decidable p → Sort u} (isFalse : (h : Not p) → motive (isFalse h))
    (isTrue : (h : p) → motive (isTrue h)) (t : Decidable p) : motive t :=
  t.casesOn fun x => x.casesOn isFalse isTrue
export Decidable (isTrue isFalse decide)
abbrev DecidablePred {α : Sort u} (r : α → Prop) := (a : α) → Decidable (r a)
abbrev DecidableRel {α : Sort u} {β : Sort v} (r : α → β → Prop) := (a : α) → (b : β) → Decidable (r a b)
abbrev DecidableEq (α : Sort u) := (a b : α) → Decidable (Eq a b)
def decEq {α : Sort u} [inst : DecidableEq α] (a b : α) : Decidable (Eq a b) := inst a b
@[implicit_reducible] def dite {α : Sort u} (c : Prop) [h : Decidable c] (t : c → α) (e : Not c → α) : α :=
  h.decide.casesOn e t h.reflects_decide
@[implicit_reducible] def ite {α : Sort u} (c : Prop) [h : Decidable c] (t e : α) : α :=
  dite c (fun _ => t) (fun _ => e)

theorem Bool.true_ne_false (h : Eq true false) : False :=
  Eq.ndrec (a := true) (motive := fun (b : Bool) => cond b True False) True.intro h
theorem Bool.ne_false_of_eq_true {b : Bool} (h : Eq b true) (k : Eq b false) : False := true_ne_false (h.symm.trans k)
theorem Bool.ne_true_of_eq_false {b : Bool} (h : Eq b false) (k : Eq b true) : False := true_ne_false (k.symm.trans h)
theorem Bool.eq_false_of_ne_true {b : Bool} : Not (Eq b true) → Eq b false :=
  b.rec (fun _ => rfl) (fun h => (h rfl).elim)
theorem Bool.eq_true_of_ne_false {b : Bool} : Not (Eq b false) → Eq b true :=
  b.rec (fun h => (h rfl).elim) (fun _ => rfl)
theorem decide_eq_true {p : Prop} : [inst : Decidable p] → p → Eq (decide p) true
  | isTrue _, _ => rfl
  | isFalse n, h => (n h).elim
theorem decide_eq_false {p : Prop} : [inst : Decidable p] → Not p → Eq (decide p) false
  | isTrue h, n => (n h).elim
  | isFalse _, _ => rfl
theorem of_decide_eq_true {p : Prop} [inst : Decidable p] (e : Eq (decide p) true) : p :=
  match (generalizing := false) inst with
  | isTrue h => h
  | isFalse n => (Bool.ne_true_of_eq_false (decide_eq_false n) e).elim
theorem of_decide_eq_false {p : Prop} [inst : Decidable p] (e : Eq (decide p) false) : Not p :=
  match (generalizing := false) inst with
  | isTrue h => (Bool.ne_true_of_eq_false e (decide_eq_true h)).elim
  | isFalse n => n

instance instDecidableTrue : Decidable True := isTrue True.intro
instance instDecidableFalse : Decidable False := isFalse (fun h => h)
instance instDecidableAnd {p q : Prop} [dp : Decidable p] [dq : Decidable q] : Decidable (And p q) where
  decide := and (decide p) (decide q)
  reflects_decide := match dp, dq with
    | isTrue hp, isTrue hq => ⟨hp, hq⟩
    | isTrue _, isFalse nq => fun h => nq h.2
    | isFalse np, _ => fun h => np h.1
instance instDecidableOr {p q : Prop} [dp : Decidable p] [dq : Decidable q] : Decidable (Or p q) where
  decide := or (decide p) (decide q)
  reflects_decide := match dp, dq with
    | isTrue hp, _ => Or.inl hp
    | isFalse _, isTrue hq => Or.inr hq
    | isFalse np, isFalse nq => fun h => h.rec np nq
instance instDecidableNot {p : Prop} [dp : Decidable p] : Decidable (Not p) where
  decide := not (decide p)
  reflects_decide := match dp with
    | isTrue hp => fun n => n hp
    | isFalse np => np
instance instDecidableForall {p q : Prop} [dp : Decidable p] [dq : Decidable q] : Decidable (p → q) :=
  match dp, dq with
  | isTrue _, isTrue hq => isTrue (fun _ => hq)
  | isTrue hp, isFalse nq => isFalse (fun h => nq (h hp))
  | isFalse np, _ => isTrue (fun h => (np h).elim)
instance instDecidableIff {p q : Prop} [dp : Decidable p] [dq : Decidable q] : Decidable (Iff p q) :=
  match dp, dq with
  | isTrue hp, isTrue hq => isTrue ⟨fun _ => hq, fun _ => hp⟩
  | isTrue hp, isFalse nq => isFalse (fun h => nq (h.1 hp))
  | isFalse np, isTrue hq => isFalse (fun h => np (h.2 hq))
  | isFalse np, isFalse nq => isTrue ⟨fun h => (np h).elim, fun h => (nq h).elim⟩
@[implicit_reducible] def Bool.decEq (a b : Bool) : Decidable (Eq a b) :=
  match a, b with
  | false, false => isTrue rfl
  | false, true => isFalse (fun h => true_ne_false h.symm)
  | true, false => isFalse true_ne_false
  | true, true => isTrue rfl
instance instDecidableEqBool : DecidableEq Bool := Bool.decEq

/-! ## The classes behind the operators -/
class LE (α : Type u) where le : α → α → Prop
class LT (α : Type u) where lt : α → α → Prop
@[reducible] def GE.ge {α : Type u} [LE α] (a b : α) : Prop := LE.le b a
@[reducible] def GT.gt {α : Type u} [LT α] (a b : α) : Prop := LT.lt b a
class Max (α : Type u) where max : α → α → α
class Min (α : Type u) where min : α → α → α
export Max (max)
export Min (min)
@[instance_reducible] def maxOfLe {α : Type u} [LE α] [DecidableRel (@LE.le α _)] : Max α where
  max x y := ite (LE.le x y) y x
@[instance_reducible] def minOfLe {α : Type u} [LE α] [DecidableRel (@LE.le α _)] : Min α where
  min x y := ite (LE.le x y) x y
class HAdd (α : Type u) (β : Type v) (γ : outParam (Type w)) where hAdd : α → β → γ
class HSub (α : Type u) (β : Type v) (γ : outParam (Type w)) where hSub : α → β → γ
class HMul (α : Type u) (β : Type v) (γ : outParam (Type w)) where hMul : α → β → γ
class HPow (α : Type u) (β : Type v) (γ : outParam (Type w)) where hPow : α → β → γ
class HAppend (α : Type u) (β : Type v) (γ : outParam (Type w)) where hAppend : α → β → γ
class Add (α : Type u) where add : α → α → α
class Sub (α : Type u) where sub : α → α → α
class Mul (α : Type u) where mul : α → α → α
class Pow (α : Type u) (β : Type v) where pow : α → β → α
class NatPow (α : Type u) where protected pow : α → Nat → α
class Append (α : Type u) where append : α → α → α
class Membership (α : outParam (Type u)) (γ : Type v) where mem : γ → α → Prop
attribute [implicit_reducible] Membership.mem
class Trans {α : Sort a} {β : Sort b} {γ : Sort c} (r : α → β → Sort u) (s : β → γ → Sort v)
    (t : outParam (α → γ → Sort w)) where
  trans {x : α} {y : β} {z : γ} : r x y → s y z → t x z
export Trans (trans)
@[reducible] def semiOutParam (α : Sort u) : Sort u := α
class Coe (α : semiOutParam (Sort u)) (β : Sort v) where coe : α → β
class CoeDep (α : Sort u) (_ : α) (β : Sort v) where coe : β
class CoeT (α : Sort u) (_ : α) (β : Sort v) where coe : β
class CoeFun (α : Sort u) (γ : outParam (α → Sort v)) where coe : (f : α) → γ f
class CoeSort (α : Sort u) (β : outParam (Sort v)) where coe : α → β
attribute [coe_decl] Coe.coe CoeDep.coe CoeT.coe CoeFun.coe CoeSort.coe
@[coe_decl] instance instCoeTOfCoe {α : Sort u} {β : Sort v} (a : α) [Coe α β] : CoeT α a β where coe := Coe.coe a
@[coe_decl] instance instCoeTOfCoeDep {α : Sort u} {β : Sort v} (a : α) [CoeDep α a β] : CoeT α a β where
  coe := CoeDep.coe a
class Inhabited (α : Sort u) where default : α
export Inhabited (default)
@[default_instance] instance instHAdd {α : Type u} [Add α] : HAdd α α α where hAdd a b := Add.add a b
@[default_instance] instance instHSub {α : Type u} [Sub α] : HSub α α α where hSub a b := Sub.sub a b
@[default_instance] instance instHMul {α : Type u} [Mul α] : HMul α α α where hMul a b := Mul.mul a b
@[default_instance] instance instHPow {α : Type u} {β : Type v} [Pow α β] : HPow α β α where hPow a b := Pow.pow a b
@[default_instance] instance instPowNat {α : Type u} [NatPow α] : Pow α Nat where pow a n := NatPow.pow a n
@[default_instance] instance instHAppendOfAppend {α : Type u} [Append α] : HAppend α α α where
  hAppend a b := Append.append a b

end

@[coe_decl, reducible] instance boolToProp : Coe Bool Prop where coe b := Eq b true
@[coe_decl, reducible] instance boolToSort : CoeSort Bool Prop where coe b := Eq b true
@[coe_decl, reducible] instance decPropToBool (p : Prop) [Decidable p] : CoeDep Prop p Bool where coe := decide p

/-! ## Natural numbers, to compute with -/
@[extern "lean_nat_add", instance_reducible] protected def Nat.add : (@& Nat) → (@& Nat) → Nat
  | a, Nat.zero => a
  | a, Nat.succ b => Nat.succ (Nat.add a b)
instance instAddNat : Add Nat where add := Nat.add
attribute [match_pattern] Nat.add Add.add HAdd.hAdd Mul.mul HMul.hMul
@[extern "lean_nat_mul", instance_reducible] protected def Nat.mul : (@& Nat) → (@& Nat) → Nat
  | _, 0 => 0
  | a, Nat.succ b => Nat.add (Nat.mul a b) a
instance instMulNat : Mul Nat where mul := Nat.mul
@[extern "lean_nat_pow"] protected def Nat.pow (m : @& Nat) : (@& Nat) → Nat
  | 0 => 1
  | Nat.succ n => Nat.mul (Nat.pow m n) m
instance instNatPowNat : NatPow Nat := ⟨Nat.pow⟩
@[extern "lean_nat_pred"] def Nat.pred : (@& Nat) → Nat
  | 0 => 0
  | Nat.succ a => a
@[extern "lean_nat_sub"] protected def Nat.sub : (@& Nat) → (@& Nat) → Nat
  | n, 0 => n
  | n, Nat.succ m => Nat.pred (Nat.sub n m)
instance instSubNat : Sub Nat where sub := Nat.sub
@[extern "lean_nat_dec_eq"] def Nat.beq : (@& Nat) → (@& Nat) → Bool
  | zero, zero => true
  | zero, succ _ => false
  | succ _, zero => false
  | succ n, succ m => beq n m
@[extern "lean_nat_dec_le"] def Nat.ble : (@& Nat) → (@& Nat) → Bool
  | zero, _ => true
  | succ _, zero => false
  | succ n, succ m => ble n m
protected inductive Nat.le (n : Nat) : Nat → Prop
  | refl : Nat.le n n
  | step {m : Nat} : Nat.le n m → Nat.le n (succ m)
instance instLENat : LE Nat where le := Nat.le
@[implicit_reducible] protected def Nat.lt (n m : Nat) : Prop := Nat.le (succ n) m
instance instLTNat : LT Nat where lt := Nat.lt

theorem Nat.eq_of_beq_eq_true : {n m : Nat} → Eq (beq n m) true → Eq n m
  | zero, zero, _ => rfl
  | zero, succ _, h => (Bool.ne_true_of_eq_false rfl h).elim
  | succ _, zero, h => (Bool.ne_true_of_eq_false rfl h).elim
  | succ _, succ _, h => congrArg succ (eq_of_beq_eq_true (n := _) (m := _) h)
theorem Nat.beq_self : (n : Nat) → Eq (beq n n) true
  | zero => rfl
  | succ n => beq_self n
theorem Nat.ne_of_beq_eq_false {n m : Nat} (h : Eq (beq n m) false) (e : Eq n m) : False :=
  Bool.ne_true_of_eq_false h (Eq.ndrec (motive := fun k => Eq (beq n k) true) (beq_self n) e)
theorem noConfusion_of_Nat {α : Sort u} (f : α → Nat) {a b : α} (h : Eq a b) : (Nat.beq (f a) (f b)).rec False True :=
  Eq.ndrec (a := a) (motive := fun (c : α) => @Bool.rec (fun _ => Prop) False True (Nat.beq (f a) (f c)))
    (Eq.ndrec (a := true) (motive := fun (c : Bool) => @Bool.rec (fun _ => Prop) False True c) True.intro
      (Nat.beq_self (f a)).symm) h
@[reducible, extern "lean_nat_dec_eq"] protected def Nat.decEq (n m : @& Nat) : Decidable (Eq n m) where
  decide := beq n m
  reflects_decide := match h : beq n m with
    | true => eq_of_beq_eq_true h
    | false => ne_of_beq_eq_false h
instance instDecidableEqNat : DecidableEq Nat := Nat.decEq
instance instInhabitedNat : Inhabited Nat where default := Nat.zero

attribute [gen_constructor_elims] Bool

/-! ## Lists and options -/
inductive List (α : Type u) where
  | nil : List α
  | cons (head : α) (tail : List α) : List α
inductive Option (α : Type u) where
  | none : Option α
  | some (val : α) : Option α
export Option (none some)
inductive Sum (α : Type u) (β : Type v) where
  | inl (val : α) : Sum α β
  | inr (val : β) : Sum α β
@[inline] def Function.comp {α : Sort u} {β : Sort v} {δ : Sort w} (f : β → δ) (g : α → β) : α → δ := fun x => f (g x)
