"""The base library: every notation, tactic and lemma that proofs rely on, and what is said about proofs that fail."""

import contextlib
import re
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proofgrad.verifiers import Outcome, ProblemError
from proofgrad.verifiers.lean import toolchain as module
from proofgrad.verifiers.lean.checker import LeanVerifier
from proofgrad.verifiers.lean.messages import axioms_in, parse
from proofgrad.verifiers.lean.toolchain import BASE_MODULE, BASE_SOURCES, Toolchain

ALLOWED = {"propext", "Classical.choice", "Quot.sound"}
BASE = Path(module.__file__).parent / "base"

NUMBERS = [
    ("(a b : Nat) : a + b = b + a",
     "by\n  induction a with\n  | zero => rw [Nat.zero_add, Nat.add_zero]\n"
     "  | succ a ih => rw [Nat.succ_add, ih]; rfl"),
    ("(a b : Nat) : a + b = b + a",
     "by\n  induction a with\n  | zero => simp\n  | succ a ih => rw [← Nat.add_assoc, ← ih, Nat.add_right_comm]"),
    ("(n : Nat) (h : 0 < n) : ∃ m, n = m + 1",
     "by\n  cases n with\n  | zero => contradiction\n  | succ m => exact ⟨m, rfl⟩"),
    ("(n : Nat) (h : 0 < n) : ∃ m, n = m + 1", "match n, h with\n  | m + 1, _ => ⟨m, rfl⟩"),
    ("(n : Nat) : n = 0 ∨ ∃ m, n = m + 1",
     "by\n  match n with\n  | 0 => left; rfl\n  | m + 1 => right; exact ⟨m, rfl⟩"),
    ("(a b : Nat) : min a b ≤ max a b", "Nat.le_trans (Nat.min_le_left a b) (Nat.le_max_left a b)"),
    (": max 3 5 = 5 ∧ min 3 5 = 3", "by decide"),
    ("(n : Nat) (h : n ≤ 2) : n = 0 ∨ n = 1 ∨ n = 2",
     "by\n  match n with\n  | 0 => simp\n  | 1 => simp\n  | 2 => simp\n  | n + 3 => contradiction"),
    ("(n m : Nat) (h : n + 1 = m + 1) : n = m", "by\n  injection h"),
    ("(n m : Nat) (h : n + 1 = m + 1) : n = m", "by\n  cases h\n  rfl"),
    ("(n m : Nat) (h : n + 1 = m + 1) : n = m", "Nat.succ.inj h"),
    ("(n : Nat) : n + 1 ≠ 0", "by\n  intro h\n  cases h"),
    ("(n : Nat) : n + 1 ≠ 0", "nofun"),
    ("(n : Nat) : n * (n + 1) = n * n + n", "by rw [Nat.mul_add, Nat.mul_one]"),
    ("(a b : Nat) (h : a * b = 0) : a = 0 ∨ b = 0", "Nat.mul_eq_zero.mp h"),
    ("(a b c : Nat) : a + b - b ≤ a + c", "by\n  rw [Nat.add_sub_cancel]\n  exact Nat.le_add_right a c"),
    ("(a b : Nat) (h : a ≤ b) : ∃ c, b = a + c",
     "by\n  induction h with\n  | refl => exact ⟨0, rfl⟩\n  | step _ ih =>\n    "
     "let ⟨c, e⟩ := ih\n    exact ⟨c + 1, by rw [e]; rfl⟩"),
    ("(a b : Nat) (h : a ≤ b) : ∃ c, b = a + c", "by\n  obtain ⟨c, hc⟩ := Nat.le.dest h\n  exact ⟨c, hc.symm⟩"),
    ("(f : Nat → Nat) (hf : ∀ n, f n < f (n + 1)) (n : Nat) : n ≤ f n",
     "by\n  induction n with\n  | zero => exact Nat.zero_le (f 0)\n"
     "  | succ n ih => exact Nat.lt_of_le_of_lt ih (hf n)"),
    ("(f : Nat → Nat) (h : ∀ n, f (n + 1) = f n + 1) (z : f 0 = 0) (n : Nat) : f n = n",
     "by\n  induction n using Nat.strongRecOn with\n  | ind n ih => cases n with\n    | zero => exact z\n"
     "    | succ n => rw [h, ih n (Nat.lt_succ_self n)]"),
    ("(p : Nat → Prop) (z : p 0) (s : ∀ n, p n → p (n + 1)) (n : Nat) : p n", "Nat.rec z s n"),
    (": 12345 * 6789 = 83810205", "by decide"),
    (": 2 ^ 100 > 10 ^ 30", "by decide"),
    (": 2 ^ 10 - 1 = 1023", "rfl"),
    (": ¬ 7 ≤ 3 ∧ 3 < 7 ∧ 7 ≥ 7 ∧ 8 > 7 ∧ 1 ≠ 2", "by decide"),
    (": 3 <= 4 ∧ 4 >= 3", "by decide"),
    (": ∃ x : Nat, x * x = 9", "⟨3, rfl⟩"),
    (": ∃ x : Nat, x * x = 9", "by exists 3"),
    (": ∃ x y : Nat, x * y = 12 ∧ x < y", "by\n  refine ⟨3, 4, ?_, ?_⟩\n  all_goals decide"),
    ("(n : Nat) : ∃ m > n, m ≠ 0", "⟨n + 1, Nat.lt_succ_self n, Nat.succ_ne_zero n⟩"),
    ("(n : Nat) (h : ∀ m < n, m ≠ 5) (k : 5 < n) : False", "h 5 k rfl"),
]  # fmt: skip

TACTICS = [
    ("(a b c : Nat) : a * (b + c) = c * a + b * a",
     "by\n  calc a * (b + c) = a * b + a * c := Nat.mul_add a b c\n    _ = a * c + a * b := Nat.add_comm ..\n"
     "    _ = c * a + b * a := by rw [Nat.mul_comm a c, Nat.mul_comm a b]"),
    ("(a b c : Nat) (h : a ≤ b) (k : b < c) : a < c", "calc a ≤ b := h\n  _ < c := k"),
    ("(a b c : Nat) (h : a < b) (k : b = c) : a < c", "calc\n  a < b := h\n  _ = c := k"),
    ("(p q r : Prop) (h : p ↔ q) (k : q ↔ r) : p ↔ r", "calc p ↔ q := h\n  _ ↔ r := k"),
    ("(a b c d : Nat) (h : a = b) (k : c = d) : a + c = b + d", "by rw [h, k]"),
    ("(a b : Nat) (h : a = b) : b + 0 = a", "by\n  rewrite [h]\n  rfl"),
    ("(a b : Nat) (h : a = b) (k : a = 3) : b = 3", "by\n  rw [h] at k\n  exact k"),
    ("(a b : Nat) (h : a = b) (k : a = 3) : b = 3", "by rw [← h, k]"),
    ("(a b : Nat) (h : a = b) : b = a", "h ▸ rfl"),
    ("(a b : Nat) (h : a = b) : b = a", "by\n  subst h\n  rfl"),
    ("(x y : Nat) (h : x = 3) (k : y = x + 1) : y = 4", "by\n  subst h\n  exact k"),
    ("(f : Nat → Nat) (h : ∀ x, f x = x) : f = id", "by\n  funext x\n  exact h x"),
    ("(f : Nat → Nat) (h : ∀ x, f x = x) : f (f 3) = 3", "by simp only [h]"),
    ("(f : Nat → Nat) (h : ∀ x, f x = x) : ∀ x, f (f x) = x", "by simp [h]"),
    ("(a b c : Nat) : a * (b * c) = c * (a * b)", "by simp [Nat.mul_comm, Nat.mul_left_comm, Nat.mul_assoc]"),
    ("(a b : Nat) (h : a + 1 = b + 1) : a = b", "by\n  simp at h\n  exact h"),
    ("(a b : Nat) (h : a + 1 = b + 1) : a = b", "by simpa using h"),
    ("(a b : Nat) (h : a < b) : ¬ b ≤ a", "by simp [h]"),
    ("(p q : Prop) (h : p ∧ q) : q", "by simp_all"),
    ("(p q : Prop) (h : ¬(p ∨ q)) : ¬p", "by\n  simp at h\n  exact h.1"),
    ("(p q : Prop) (hp : p) : p ∨ q", "by simp [*]"),
    ("(n : Nat) : (fun x => x + 0) n = n", "by\n  dsimp"),
    ("(a b : Nat) : (if a = b then 1 else 2) ≥ 1", "by\n  split\n  · simp\n  · decide"),
    ("(a b : Nat) (h : (if a = b then 1 else 2) = 1) : a = b", "by\n  split at h\n  · assumption\n  · contradiction"),
    ("(p : Nat → Bool) (a : Nat) : ([a].filter p).length ≤ 1",
     "by\n  unfold List.filter\n  split\n  · exact Nat.le_refl 1\n  · exact Nat.zero_le 1"),
    ("(n : Nat) (h : n = 3) : (if n = 3 then 1 else 2) = 1", "by rw [if_pos h]"),
    ("(n : Nat) (h : n ≠ 3) : (if n = 3 then 1 else 2) = 2", "by simp [h]"),
    ("(a : Nat) : [a].length = 1", "by\n  unfold List.length\n  rfl"),
    ("(l : List Nat) (a : Nat) : (a :: l).length = l.length + 1", "by rw [List.length]"),
    ("(a b : Nat) (h : a = b) : b = a", "by\n  generalize b = c at h ⊢\n  exact h.symm"),
    ("(p q : Prop) : p → q → p", "by\n  intros\n  rename_i h _\n  exact h"),
    ("(p q : Prop) : p → q → p", "by\n  intro hp hq\n  revert hq\n  intro _\n  exact hp"),
    ("(p q : Prop) (h : p → q) (hp : p) : q", "by\n  specialize h hp\n  exact h"),
    ("(p q : Prop) (h : p → q) (hp : p) : q", "by\n  replace h := h hp\n  exact h"),
    ("(p q : Prop) (h : p → q) (hp : p) : q", "by\n  apply h\n  assumption"),
    ("(p q : Prop) (h : p ∧ q) : q ∧ p", "by\n  constructor\n  · exact h.2\n  · exact h.1"),
    ("(p q : Prop) (h : p ∧ q) : q ∧ p", "by\n  have ⟨hp, hq⟩ := h\n  and_intros\n  all_goals assumption"),
    ("(p q : Prop) (h : p ∧ q) : q ∧ p", "by\n  let ⟨hp, hq⟩ := h\n  exact ⟨hq, hp⟩"),
    ("(p : Prop) (h : False) : p", "by\n  exfalso\n  exact h"),
    ("(p : Prop) (h : False) : p", "by nomatch h"),
    ("(p q : Prop) (h : p ∨ q) : q ∨ p",
     "by\n  cases h\n  case inl h => right; exact h\n  case inr h => left; exact h"),
    ("(p q : Prop) (h : p ∨ q) : q ∨ p", "by\n  rcases h with h | h\n  · exact .inr h\n  · exact .inl h"),
    ("(p q : Prop) (hp : p) : p ∨ q", "by\n  first\n  | right; assumption\n  | left; assumption"),
    ("(p q : Prop) (hp : p) : p ∨ q", "by\n  solve\n  | right; assumption\n  | left; assumption"),
    ("(p : Prop) (h : ¬¬p) : p", "by\n  by_cases hp : p\n  · exact hp\n  · exact absurd hp h"),
    ("(p : Prop) (h : ¬¬p) : p", "Classical.byContradiction h"),
    ("(p : Nat → Prop) (h : ∃ n, p n) : p h.choose", "h.choose_spec"),
    ("(n : Nat) : n = n", "by\n  change n + 0 = n\n  show n = n\n  eq_refl"),
    ("(n : Nat) (h : n = n → 1 = 2) : False", "by\n  suffices k : 1 = 2 from absurd k (by decide)\n  exact h rfl"),
    ("(a b : Nat) : id (fun x y => x + y) a b = a + b", "rfl"),
    ("(f g : Nat → Nat) (n : Nat) : (f ∘ g) n = f (g n)", "rfl"),
    ("(f : Nat → Nat) (n : Nat) (h : f n = n) : f (f n) = n", "by rw [show f (f n) = f n from congrArg f h, h]"),
    ("(a b : Nat) (h : a = b) : a = b", "id <| h"),
]  # fmt: skip

LISTS = [
    (": [1, 2, 3] = 1 :: 2 :: 3 :: []", "rfl"),
    (": [1, 2] ++ [3] = [1, 2, 3]", "by decide"),
    (": [1, 2, 3].reverse = [3, 2, 1]", "by rfl"),
    (": [1, 2, 3].map (fun x => x + 1) = [2, 3, 4]", "by simp"),
    (": [1, 2, 3].map (· + 1) = [2, 3, 4]", "by decide"),
    (": [1, 5, 2].filter (fun x => x < 3) = [1, 2]", "by decide"),
    (": [1, 2, 3].foldr (fun x y => x + y) 0 = 6", "rfl"),
    (": [1, 2, 3].take 2 ++ [1, 2, 3].drop 2 = [1, 2, 3]", "List.take_append_drop 2 _"),
    (": 3 ∈ [1, 2, 3] ∧ 4 ∉ [1, 2, 3]", "by simp"),
    ("(l : List Nat) (h : ∀ x ∈ l, x = 0) (k : 1 ∈ l) : False", "by cases h 1 k"),
    ("(l : List Nat) (h : ∃ x ∈ l, x = 0) : 0 ∈ l", "by\n  obtain ⟨x, hx, rfl⟩ := h\n  exact hx"),
    ("(l : List Nat) (h : l.length = 0) : l = []",
     "by\n  cases l with\n  | nil => rfl\n  | cons a t => simp at h"),
    ("(l : List Nat) (h : l.length = 0) : l = []", "match l with\n  | [] => rfl\n  | _ :: _ => nomatch h"),
    ("(l m : List Nat) : (l ++ m).length = m.length + l.length",
     "by\n  induction l with\n  | nil => simp\n  | cons a l ih => simp [ih, Nat.add_assoc]"),
    ("(α : Type u) (l m : List α) : (l ++ m).reverse = m.reverse ++ l.reverse", "by simp"),
    ("(α : Type u) (a b : α) (l m : List α) (h : a :: l = b :: m) : a = b ∧ l = m",
     "by\n  injection h with h k\n  exact ⟨h, k⟩"),
    ("(a b : Nat) (h : [a] = [b]) : a = b", "by\n  cases h\n  rfl"),
    ("(p : Nat × Nat) : ∃ a b, p = (a, b)", "by\n  obtain ⟨a, b⟩ := p\n  exact ⟨a, b, rfl⟩"),
    ("(p q : Nat × Nat) (h : p.1 = q.1) (k : p.2 = q.2) : p = q", "Prod.ext h k"),
    ("(o : Option Nat) : o = none ∨ ∃ n, o = some n",
     "by\n  cases o with\n  | none => left; rfl\n  | some n => right; exists n"),
    (": (some 3, [none]) ≠ (some 3, [some 1])", "by decide"),
    ("(p : Nat → Bool) (n : Nat) (h : p n) : (if p n then 1 else 2) = 1", "by rw [if_pos h]"),
]  # fmt: skip

# Lemmas in the shape that Lean gives them: what is named, and which arguments are explicit.
LEMMAS = [
    ("(n : Nat) : n + 0 = n", "Nat.add_zero n"),
    ("(n : Nat) : 0 + n = n", "Nat.zero_add n"),
    ("(n m : Nat) : n + Nat.succ m = Nat.succ (n + m)", "Nat.add_succ n m"),
    ("(n m : Nat) : Nat.succ n + m = Nat.succ (n + m)", "Nat.succ_add n m"),
    ("(n m : Nat) : n + m = m + n", "Nat.add_comm n m"),
    ("(n m k : Nat) : n + m + k = n + (m + k)", "Nat.add_assoc n m k"),
    ("(n m k : Nat) : n + (m + k) = m + (n + k)", "Nat.add_left_comm n m k"),
    ("(n m k : Nat) : n + m + k = n + k + m", "Nat.add_right_comm n m k"),
    ("(n m k : Nat) (h : n + m = n + k) : m = k", "Nat.add_left_cancel h"),
    ("(n m k : Nat) (h : n + m = k + m) : n = k", "Nat.add_right_cancel h"),
    ("(n : Nat) : n * 0 = 0 ∧ 0 * n = 0", "⟨Nat.mul_zero n, Nat.zero_mul n⟩"),
    ("(n : Nat) : n * 1 = n ∧ 1 * n = n", "⟨Nat.mul_one n, Nat.one_mul n⟩"),
    ("(n m : Nat) : n * Nat.succ m = n * m + n ∧ Nat.succ n * m = n * m + m", "⟨Nat.mul_succ n m, Nat.succ_mul n m⟩"),
    ("(n m k : Nat) : n * m = m * n ∧ n * m * k = n * (m * k)", "⟨Nat.mul_comm n m, Nat.mul_assoc n m k⟩"),
    ("(n m k : Nat) : n * (m + k) = n * m + n * k ∧ (n + m) * k = n * k + m * k",
     "⟨Nat.left_distrib n m k, Nat.right_distrib n m k⟩"),
    ("(n m k : Nat) : n * (m + k) = n * m + n * k ∧ (n + m) * k = n * k + m * k",
     "⟨Nat.mul_add n m k, Nat.add_mul n m k⟩"),
    ("(n m : Nat) : n ^ 0 = 1 ∧ n ^ (m + 1) = n ^ m * n", "⟨Nat.pow_zero n, Nat.pow_succ⟩"),
    ("(n m k : Nat) : n ^ (m + k) = n ^ m * n ^ k", "Nat.pow_add n m k"),
    ("(n m : Nat) : n - n = 0 ∧ 0 - n = 0 ∧ n - 0 = n", "⟨Nat.sub_self n, Nat.zero_sub n, Nat.sub_zero n⟩"),
    ("(n m : Nat) : n + m - m = n", "by rw [Nat.add_sub_cancel]"),
    ("(n m : Nat) : n + 1 - (m + 1) = n - m", "Nat.succ_sub_succ n m"),
    ("(n m : Nat) (h : m ≤ n) : n - m + m = n", "Nat.sub_add_cancel h"),
    ("(n : Nat) : Nat.succ n ≠ 0", "Nat.succ_ne_zero n"),
    ("(n m : Nat) : (n.succ = m.succ) = (n = m)", "Nat.succ.injEq n m"),
    ("(n m k : Nat) (h : n ≤ m) (g : m ≤ k) : n ≤ k", "Nat.le_trans h g"),
    ("(n m : Nat) (h : n ≤ m) (g : m ≤ n) : n = m", "Nat.le_antisymm h g"),
    ("(n m : Nat) : n ≤ n ∧ 0 ≤ n ∧ n ≤ n + m ∧ n ≤ m + n",
     "⟨Nat.le_refl n, Nat.zero_le n, Nat.le_add_right n m, Nat.le_add_left n m⟩"),
    ("(n m : Nat) (h : n ≤ m) : n.succ ≤ m.succ", "Nat.succ_le_succ h"),
    ("(n m : Nat) (h : n.succ ≤ m.succ) : n ≤ m", "Nat.le_of_succ_le_succ h"),
    ("(n : Nat) : ¬ n.succ ≤ 0", "Nat.not_succ_le_zero n"),
    ("(n : Nat) : ¬ n < n ∧ n < n.succ", "⟨Nat.lt_irrefl n, Nat.lt_succ_self n⟩"),
    ("(n m k : Nat) (h : n < m) (g : m < k) : n < k", "Nat.lt_trans h g"),
    ("(n m k : Nat) (h : n < m) (g : m ≤ k) : n < k", "Nat.lt_of_lt_of_le h g"),
    ("(n m k : Nat) (h : n ≤ m) (g : m < k) : n < k", "Nat.lt_of_le_of_lt h g"),
    ("(n m : Nat) (h : n < m) : n ≤ m", "Nat.le_of_lt h"),
    ("(n m : Nat) : n < m ∨ n ≥ m", "Nat.lt_or_ge n m"),
    ("(n m : Nat) : n ≤ m ∨ m ≤ n", "Nat.le_total n m"),
    ("(n m : Nat) (h : n ≤ m) : n = m ∨ n < m", "Nat.eq_or_lt_of_le h"),
    ("(n m : Nat) : n < m ∨ n = m ∨ m < n", "Nat.lt_trichotomy n m"),
    ("(a b c d : Nat) (h : a ≤ b) (g : c ≤ d) : a + c ≤ b + d", "Nat.add_le_add h g"),
    ("(a b c : Nat) (h : a ≤ b) : a + c ≤ b + c ∧ c + a ≤ c + b",
     "⟨Nat.add_le_add_right h c, Nat.add_le_add_left h c⟩"),
    ("(a b c : Nat) (h : a ≤ b) : c * a ≤ c * b", "Nat.mul_le_mul_left c h"),
    ("(a b : Nat) (h : ¬ a ≤ b) : b < a", "Nat.not_le.mp h"),
    ("(l m k : List Nat) : [] ++ l = l ∧ l ++ [] = l ∧ l ++ m ++ k = l ++ (m ++ k)",
     "⟨List.nil_append l, List.append_nil l, List.append_assoc l m k⟩"),
    ("(a : Nat) (l m : List Nat) : a :: l ++ m = a :: (l ++ m)", "List.cons_append"),
    ("(a : Nat) (l : List Nat) : ([] : List Nat).length = 0 ∧ (a :: l).length = l.length + 1",
     "⟨List.length_nil, List.length_cons⟩"),
    ("(l m : List Nat) : (l ++ m).length = l.length + m.length ∧ l.reverse.length = l.length",
     "⟨List.length_append, List.length_reverse⟩"),
    ("(f g : Nat → Nat) (l m : List Nat) : (l.map f).length = l.length ∧ (l.map f).map g = l.map (g ∘ f)",
     "⟨List.length_map f, List.map_map⟩"),
    ("(f : Nat → Nat) (l m : List Nat) : (l ++ m).map f = l.map f ++ m.map f", "List.map_append"),
    ("(a : Nat) (l m : List Nat) : (a :: l).reverse = l.reverse ++ [a] ∧ l.reverse.reverse = l",
     "⟨List.reverse_cons, List.reverse_reverse l⟩"),
    ("(f : Nat → Nat → Nat) (l m : List Nat) : (l ++ m).foldr f 0 = l.foldr f (m.foldr f 0)", "List.foldr_append"),
    ("(a b : Nat) (l : List Nat) : a ∈ b :: l ↔ a = b ∨ a ∈ l", "List.mem_cons"),
    ("(a : Nat) (l m : List Nat) : a ∈ l ++ m ↔ a ∈ l ∨ a ∈ m", "List.mem_append"),
    ("(f : Nat → Nat) (b : Nat) (l : List Nat) : b ∈ l.map f ↔ ∃ a, a ∈ l ∧ f a = b", "List.mem_map"),
    ("(a b c : Prop) : (a ∧ b) ∧ c ↔ a ∧ b ∧ c", "and_assoc"),
    ("(p : Nat → Prop) : (¬ ∃ x, p x) ↔ ∀ x, ¬ p x", "not_exists"),
    ("(p : Nat → Prop) : (¬ ∀ x, p x) ↔ ∃ x, ¬ p x", "Classical.not_forall"),
]  # fmt: skip

# The kernel computes with these names on numerals by itself; what they mean is what Lean says they mean.
EQUATIONS = [
    (": ∀ n : Nat, Nat.add n Nat.zero = n", "fun _ => rfl"),
    (": ∀ n m : Nat, Nat.add n m.succ = (Nat.add n m).succ", "fun _ _ => rfl"),
    (": ∀ n : Nat, Nat.mul n Nat.zero = Nat.zero", "fun _ => rfl"),
    (": ∀ n m : Nat, Nat.mul n m.succ = Nat.add (Nat.mul n m) n", "fun _ _ => rfl"),
    (": ∀ n : Nat, Nat.sub n Nat.zero = n", "fun _ => rfl"),
    (": ∀ n m : Nat, Nat.sub n m.succ = Nat.pred (Nat.sub n m)", "fun _ _ => rfl"),
    (": Nat.pred Nat.zero = Nat.zero ∧ ∀ n : Nat, Nat.pred n.succ = n", "⟨rfl, fun _ => rfl⟩"),
    (": ∀ n : Nat, Nat.pow n Nat.zero = Nat.succ Nat.zero", "fun _ => rfl"),
    (": ∀ n m : Nat, Nat.pow n m.succ = Nat.mul (Nat.pow n m) n", "fun _ _ => rfl"),
    (": Nat.beq Nat.zero Nat.zero = true", "rfl"),
    (": ∀ n : Nat, Nat.beq n.succ Nat.zero = false ∧ Nat.beq Nat.zero n.succ = false", "fun _ => ⟨rfl, rfl⟩"),
    (": ∀ n m : Nat, Nat.beq n.succ m.succ = Nat.beq n m", "fun _ _ => rfl"),
    (": ∀ n : Nat, Nat.ble Nat.zero n = true ∧ Nat.ble n.succ Nat.zero = false",
     "fun n => ⟨by cases n <;> rfl, rfl⟩"),
    (": ∀ n m : Nat, Nat.ble n.succ m.succ = Nat.ble n m", "fun _ _ => rfl"),
    (": ∀ n m : Nat, n + m = Nat.add n m ∧ n * m = Nat.mul n m ∧ n - m = Nat.sub n m ∧ n ^ m = Nat.pow n m",
     "fun _ _ => ⟨rfl, rfl, rfl, rfl⟩"),
    (": ∀ n m : Nat, (n < m) = (n.succ ≤ m) ∧ (n ≥ m) = (m ≤ n) ∧ (n > m) = (m < n)", "fun _ _ => ⟨rfl, rfl, rfl⟩"),
    (": 0 = Nat.zero ∧ 3 = Nat.zero.succ.succ.succ", "⟨rfl, rfl⟩"),
]  # fmt: skip

# statement, proof, words that the feedback has to hold
WRONG = [
    ("(a b : Nat) : a + b = b + a", "by rfl", ["`rfl` failed", "a + b", "b + a"]),
    ("(a b : Nat) : a + b = b + a", "rfl", ["mismatch", "a + b = b + a"]),
    ("(a b : Nat) : a + b = b + a", "by rw [Nat.mul_comm]", ["Did not find", "?n * ?m", "⊢ a + b = b + a"]),
    ("(a b : Nat) : a + b = b + a", "by exact Nat.add_assoc a b", ["mismatch", "Nat.add_assoc a b"]),
    ("(a b : Nat) : a + b = b + a", "by exact Nat.add_com a b", ["Unknown constant", "Nat.add_com"]),
    ("(a b : Nat) : a + b = b + a", "by exact add_comm a b", ["Unknown identifier", "add_comm"]),
    ("(a b : Nat) : a + b = b + a", "by\n  induction a with\n  | zero => simp", ["`succ` has not been provided"]),
    ("(a b : Nat) : a + b = b + a", "by\n  induction a with\n  | zero => simp\n  | succ a ih => skip",
     ["unsolved goals", "ih : a + b = b + a", "⊢ a + 1 + b = b + (a + 1)"]),
    ("(a b : Nat) : a + b = b + a", "by\n  induction a with\n  | nil => simp\n  | succ a ih => skip",
     ["Invalid alternative name `nil`", "zero"]),
    ("(a b : Nat) : a + b = b + a", "by simp", ["`simp` made no progress"]),
    ("(a b : Nat) : a + b = b + a", "by simp [foo]", ["Unknown identifier", "foo"]),
    ("(a b : Nat) : a + b = b + a", "by decide", ["free variables"]),
    ("(a b : Nat) : a + b = b + a", "by assumption", ["`assumption` failed", "⊢ a + b = b + a"]),
    ("(a b : Nat) : a + b = b + a", "by constructor", ["`constructor` failed"]),
    ("(a b : Nat) : a + b = b + a", "by apply Nat.le_trans", ["`apply` failed", "?n ≤ ?k"]),
    ("(a b : Nat) : a + b = b + a", "by exact 5", ["numerals are data"]),
    ("(a b : Nat) (h : a ≤ b) : a < b", "h", ["mismatch", "a ≤ b", "a < b"]),
    ("(a b : Nat) (h : a ≤ b) : a < b", "by apply Nat.lt_of_le_of_ne h", ["unsolved goals", "⊢ ¬a = b"]),
    ("(a b c : Nat) (h : a ≤ b) (k : b < c) : a < c", "calc a ≤ b := h\n  _ < c := h", ["mismatch", "b < c"]),
    ("(a b c : Nat) (h : a ≤ b) (k : b < c) : a < c",
     "by\n  calc b ≤ b := Nat.le_refl b\n    _ < c := k", ["'calc' step"]),
    (": 10 < 5", "by decide", ["10 < 5", "is false"]),
    (": 2 + 2 = 5", "by simp", ["⊢ False"]),
    (": ∃ x : Nat, x * x = 9", "by exists 2", ["⊢ 2 * 2 = 9"]),
    (": ∃ x : Nat, x ^ 2 - 1 = 9", "by skip", ["⊢ ∃ x, x ^ 2 - 1 = 9"]),
    ("(l : List Nat) : l.reverse.length = l.length",
     "by\n  induction l with\n  | nil => rfl\n  | cons a l ih => rw [ih]",
     ["Did not find", "⊢ (a :: l).reverse.length = (a :: l).length"]),
    ("(l m : List Nat) : (l ++ m).length = m.length + l.length",
     "by simp", ["⊢ l.length + m.length = m.length + l.length"]),
    ("(x : Nat) (l : List Nat) (h : x ∈ [1, 2] ++ l) : x = 1", "by skip", ["h : x ∈ [1, 2] ++ l"]),
    ("(p : Nat × Nat) : p = (1, 2)", "by skip", ["⊢ p = (1, 2)"]),
    ("(a b : Nat) : (if a ≥ b then 1 else 2) = 1", "by skip", ["⊢ (if a ≥ b then 1 else 2) = 1"]),
    ("(p q : Prop) (h : p ∨ q) : p", "by\n  match h with\n  | .inl a => exact a", ["Missing cases", "Or.inr"]),
    ("(p q : Prop) (h : p ∨ q) : p", "h.left", ["Invalid field", "left"]),
    ("(p q : Prop) (h : p) : p ∧ q", "⟨h⟩", ["Insufficient number of fields"]),
    ("(p q : Prop) (h : p) : p ∧ q", "⟨h, h⟩", ["mismatch", "⟨h, h⟩"]),
    ("(n : Nat) : n = 0", "match n with\n  | 0 => rfl", ["Missing cases"]),
    ("(n : Nat) : n = 0", "match n with\n  | 0 => rfl\n  | n + 1 => rfl", ["mismatch", "n + 1 = 0"]),
    ("(n : Nat) : n = 0", "by exact n n", ["Function expected"]),
    ("(f : Nat → Nat) : f = id", "by funext x", ["⊢ f x = id x"]),
    ("(n : Nat) : n < n", "n < n", ["mismatch", "Prop"]),
    ("(n : Nat) : n = 0", "by omega", ["unknown tactic"]),
    ("(n : Nat) (h : n = 1) : n = 0", "by rw [h] at k", ["k"]),
]  # fmt: skip

# A configuration is a program that Lean runs; no tactic takes one, and no attribute of `simp` is set by a proof.
CONFIGURED = [
    "by simp (config := {})",
    "by simp +arith",
    "by simp (disch := trivial)",
    "by simp_all +decide",
    "by dsimp (config := {})",
    "by simpa (config := {})",
    "by decide +native",
    "by decide +kernel",
    "by decide (config := {})",
    "by constructor (config := {})",
    "by rw (config := {}) []",
    "by rw +offset []",
    "by rewrite (config := {}) []",
    "by apply (config := {}) rfl",
]


@pytest.fixture(scope="module")
def lean() -> LeanVerifier:
    return LeanVerifier()


@pytest.mark.parametrize(
    "proofs", [NUMBERS, TACTICS, LISTS, LEMMAS, EQUATIONS], ids=["numbers", "tactics", "lists", "lemmas", "equations"]
)
def test_right_proofs_pass(lean: LeanVerifier, proofs: list[tuple[str, str]]) -> None:
    verdicts = lean.verify_batch([({"statement": statement}, proof) for statement, proof in proofs])
    assert [(p, v.feedback) for p, v in zip(proofs, verdicts, strict=True) if not v.is_pass] == []


def test_wrong_proofs_are_told_what_is_wrong_in_the_notation_of_the_statement(lean: LeanVerifier) -> None:
    verdicts = lean.verify_batch([({"statement": statement}, proof) for statement, proof, _ in WRONG])
    assert all(verdict.outcome is Outcome.FAIL for verdict in verdicts)
    for (_, proof, words), verdict in zip(WRONG, verdicts, strict=True):
        assert all(word in verdict.feedback for word in words), (proof, verdict.feedback)
        # Lean asks for what the library lacks in such words.
        assert not re.search(r"internal exception|Lean\.|Init\.|_aux_|HAdd\.hAdd|OfNat|instH", verdict.feedback)


def test_no_tactic_takes_a_configuration(lean: LeanVerifier) -> None:
    verdicts = lean.verify_batch([({"statement": "(n : Nat) : n = n"}, proof) for proof in CONFIGURED])
    assert [p for p, v in zip(CONFIGURED, verdicts, strict=True) if v.reason != "lean.parse_error"] == []


@pytest.mark.parametrize(
    "statement", ["(p : Prop) : (if p then 1 else 2) = 2", "(n : Nat) : n / 2 = n", "(n : Nat) : -n = 0"]
)
def test_what_lean_would_refuse_is_no_statement(lean: LeanVerifier, statement: str) -> None:
    with contextlib.suppress(ProblemError):  # refused even before Lean sees it
        assert lean.verify({"statement": statement}, "by simp").reason == "problem.statement"


def names_of(kind: str) -> Iterator[tuple[str, str]]:
    """(module, full name) of what the library declares with a line that starts like `kind`."""
    for source in BASE_SOURCES:
        spaces: list[str] = []
        text = (BASE / f"{source}.lean").read_text("utf-8").replace("]\n  opaque", "] opaque")
        for line in text.splitlines():
            if found := re.match(r"namespace (\S+)", line):
                spaces.append(found[1])
            elif re.match(r"end \S", line):
                spaces.pop()
            elif found := re.match(kind + r" ([^\s.{(\[:«]\S*|\S*«\S*)", line):
                name = found[1].removesuffix(":")
                root = name.startswith("_root_.")
                yield source, name.removeprefix("_root_.") if root else ".".join([*spaces, name])


def test_no_theorem_rests_on_more_than_the_three_axioms() -> None:
    lemmas = [re.sub(r"\.\{.*", "", name) for _, name in names_of(r"(?:@\[[^]]*\] )*(?:protected )?theorem")]
    assert len(lemmas) > 500
    text = "\n".join(["prelude", f"import {BASE_MODULE}", *(f"#print axioms {name}" for name in lemmas)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)  # Lean may run as nobody
        (folder / "check.lean").write_text(text, "utf-8")
        run = Toolchain().run(["--json", "check.lean"], folder, cpu_seconds=60, wall_seconds=120)
    messages = parse(run.stdout)
    assert messages is not None
    assert run.status == 0, run.stdout[:500]
    reports = dict(zip(lemmas, [axioms_in(m.text, n) for m, n in zip(messages, lemmas, strict=True)], strict=True))
    assert [name for name, axioms in reports.items() if axioms is None or not set(axioms) <= ALLOWED] == []


def test_the_library_declares_no_axiom_that_a_proof_may_use_but_three() -> None:
    axioms = {name for _, name in names_of(r"(?:@\[[^]]*\] )*axiom")}
    assert axioms == ALLOWED | {"sorryAx"}


def symbols(library: Path) -> set[bytes]:
    """The names in the dynamic string table of an ELF64 file."""
    with library.open("rb") as stream:
        header = stream.read(64)
        (offset,) = struct.unpack_from("<Q", header, 0x28)
        size, count = struct.unpack_from("<HH", header, 0x3A)
        found: set[bytes] = set()
        for index in range(count):
            stream.seek(offset + index * size)
            _, kind, flags, _, start, length = struct.unpack_from("<IIQQQQ", stream.read(size))
            if kind == 3 and flags & 2:  # a string table that is loaded
                stream.seek(start)
                found.update(stream.read(length).split(b"\0"))
    return found


def mangled(name: str) -> bytes:
    """Lean's symbol for a declaration: `l_`, the parts joined by `_`, what is not a letter or digit escaped."""
    parts = [plain or quoted for quoted, plain in re.findall(r"«([^»]*)»|([^.«»]+)", name)]

    def escape(c: str) -> str:
        if c.isascii() and c.isalnum():
            return c
        return "__" if c == "_" else f"_x{ord(c):02x}" if ord(c) < 256 else f"_u{ord(c):04x}"

    return ("l_" + "_".join("".join(map(escape, part)) for part in parts)).encode()


def test_everything_that_is_borrowed_is_there() -> None:
    borrowed = [name for _, name in names_of(r'@\[(?:.*, )?extern "native"\] opaque')]
    assert len(borrowed) > 150
    there = symbols(module.find_library())
    assert [name for name in borrowed if mangled(name) not in there] == []
