/-
What Lean's own parser and macro machinery looks like from inside a file.

The library that runs us was compiled from `Init` and `Lean`, but no `.olean` of these is at hand. The declarations below
give names and shapes to what is compiled in:

* a `ParserDescr` built here is read by the compiled parser (constructor order and fields are those of Lean 4.35's `Prelude.lean`);
* an `@[extern]` declaration whose *name* is that of a compiled function is that function (the string in the attribute is
  not looked at by the interpreter). So `Init`'s own macros are borrowed rather than rewritten.

None of these types can be taken apart by a proof: they are opaque.
-/
prelude
import ProofgradData
set_option linter.all false
set_option autoImplicit false

opaque String : Type := PUnit
namespace Lean
inductive Name where
  | anonymous : Name
  | str (p : Name) (s : String)
  | num (p : Name) (i : Nat)
@[extern "native"] opaque Name.mkStr1 (a : String) : Name := Name.anonymous
@[extern "native"] opaque Name.mkStr2 (a b : String) : Name := Name.anonymous
@[extern "native"] opaque Name.mkStr4 (a b c d : String) : Name := Name.anonymous
@[extern "native"] opaque Name.mkStr5 (a b c d e : String) : Name := Name.anonymous
inductive ParserDescr where
  | const  (name : Name)
  | unary  (name : Name) (p : ParserDescr)
  | binary (name : Name) (p₁ p₂ : ParserDescr)
  | node (kind : Name) (prec : Nat) (p : ParserDescr)
  | trailingNode (kind : Name) (prec lhsPrec : Nat) (p : ParserDescr)
  | symbol (val : String)
  | nonReservedSymbol (val : String) (includeIdent : Bool)
  | cat (catName : Name) (rbp : Nat)
  | parser (declName : Name)
  | nodeWithAntiquot (name : String) (kind : Name) (p : ParserDescr)
  | sepBy  (p : ParserDescr) (sep : String) (psep : ParserDescr) (allowTrailingSep : Bool)
  | sepBy1 (p : ParserDescr) (sep : String) (psep : ParserDescr) (allowTrailingSep : Bool)
abbrev TrailingParserDescr := ParserDescr

opaque Syntax : Type := PUnit
namespace Proofgrad
opaque MacroContext : Type := PUnit
opaque MacroState : Type := PUnit
inductive MacroResult : Type where | mk (n : Nat)
end Proofgrad
def Macro : Type := Syntax → Proofgrad.MacroContext → Proofgrad.MacroState → Proofgrad.MacroResult
def PrettyPrinter.Unexpander : Type := Syntax → Syntax → Unit → Proofgrad.MacroResult

namespace Proofgrad
abbrev Native := Syntax → MacroContext → MacroState → MacroResult
abbrev Printer := Syntax → Syntax → Unit → MacroResult
/-- Values that satisfy the type checker where compiled code stands; never run. -/
def native : Native := fun _ _ _ => MacroResult.mk Nat.zero
def parser : ParserDescr := ParserDescr.symbol ""
def printer : Printer := fun _ _ _ => MacroResult.mk Nat.zero

/-! Combinators over parser descriptions -/
def nm (s : String) : Name := Name.mkStr1 s
def inTactic (s : String) : Name := Name.mkStr4 "Lean" "Parser" "Tactic" s
def inLean (s : String) : Name := Name.mkStr2 "Lean" s
/-- A word that stays an identifier elsewhere. -/
def word (s : String) : ParserDescr := ParserDescr.nonReservedSymbol s false
def sym (s : String) : ParserDescr := ParserDescr.symbol s
def seq (a b : ParserDescr) : ParserDescr := ParserDescr.binary (nm "andthen") a b
def orelse (a b : ParserDescr) : ParserDescr := ParserDescr.binary (nm "orelse") a b
def many (a : ParserDescr) : ParserDescr := ParserDescr.unary (nm "many") a
def many1 (a : ParserDescr) : ParserDescr := ParserDescr.unary (nm "many1") a
def opt (a : ParserDescr) : ParserDescr := ParserDescr.unary (nm "optional") a
def atomic (a : ParserDescr) : ParserDescr := ParserDescr.unary (nm "atomic") a
def withPosition (a : ParserDescr) : ParserDescr := ParserDescr.unary (nm "withPosition") a
/-- A parser that the library knows by a short name: `ident`, `hole`, `colGt`, `tacticSeq`, ... -/
def alias (s : String) : ParserDescr := ParserDescr.const (nm s)
def term (prec : Nat) : ParserDescr := ParserDescr.cat (nm "term") prec
def tactic (prec : Nat) : ParserDescr := ParserDescr.cat (nm "tactic") prec
def commaSep1 (a : ParserDescr) : ParserDescr := ParserDescr.sepBy1 a "," (sym ", ") false
def group (a : ParserDescr) : ParserDescr := ParserDescr.nodeWithAntiquot "group" (nm "group") a
/-- A tactic: `kind` is looked up in `Lean.Parser.Tactic`. -/
def tac (kind : String) (p : ParserDescr) : ParserDescr := ParserDescr.node (inTactic kind) 1022 p
/-- A part of a tactic, with a kind of its own. -/
def part (kind : String) (p : ParserDescr) : ParserDescr := ParserDescr.node (inTactic kind) 1024 p
def binary (kind op : String) (prec left right : Nat) : ParserDescr :=
  ParserDescr.trailingNode (nm kind) prec left (seq (sym op) (term right))
end Proofgrad
end Lean
