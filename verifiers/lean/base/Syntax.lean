/-
What Lean's own parser and macro machinery looks like from inside a file.

The library that runs us was compiled from `Init` and `Lean`, but no `.olean` of these is at hand. The declarations
below give names and shapes to what is compiled in:

* a `ParserDescr` built here is read by the compiled parser (constructor order and fields are those of Lean 4.35);
* an `@[extern]` declaration whose *name* is that of a compiled constant is that constant: the interpreter looks for the
  symbol of the name and not at the string in the attribute. So `Init`'s own parsers, macros and printers are borrowed
  rather than rewritten, one line each. A name without a symbol ends the process that needs it (a test looks for all).

None of these types can be taken apart by a proof: they are opaque.
-/
prelude
import ProofgradData
set_option linter.all false
set_option Elab.async false
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
/-- A word that stays an identifier elsewhere. -/
def word (s : String) : ParserDescr := ParserDescr.nonReservedSymbol s false
def sym (s : String) : ParserDescr := ParserDescr.symbol s
def seq (a b : ParserDescr) : ParserDescr := ParserDescr.binary (nm "andthen") a b
def orelse (a b : ParserDescr) : ParserDescr := ParserDescr.binary (nm "orelse") a b
def many (a : ParserDescr) : ParserDescr := ParserDescr.unary (nm "many") a
def opt (a : ParserDescr) : ParserDescr := ParserDescr.unary (nm "optional") a
def term (prec : Nat) : ParserDescr := ParserDescr.cat (nm "term") prec
/-- A tactic: `kind` is looked up in `Lean.Parser.Tactic`. -/
def tac (kind : String) (p : ParserDescr) : ParserDescr := ParserDescr.node (inTactic kind) 1022 p
/-- A part of a tactic, with a kind of its own. -/
def part (kind : String) (p : ParserDescr) : ParserDescr := ParserDescr.node (inTactic kind) 1024 p
end Proofgrad
end Lean
