/-
Tactics: the parsers are those of Lean's `Init`, their elaborators and macros are compiled into the library too.

Nothing is registered that runs code, reads files, sets options or asserts a goal (`run_tac`, `native_decide`,
`sorry`, ...). A parser that takes a configuration is not borrowed but written out without it, here and in `Rewriting`:
a configuration is a program that Lean would run. A parser that is written out must not bear the name of a compiled
one, which would win.
-/
prelude
import ProofgradNotation
set_option linter.all false
set_option Elab.async false
set_option autoImplicit false
open Lean Proofgrad
declare_syntax_cat rcasesPat
declare_syntax_cat rintroPat

namespace Lean.Parser.Tactic
/-! ## Steps -/
@[tactic_parser 1000, extern "native"] opaque exact : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque apply : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque refine : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque «refine'» : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque intro : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque intros : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque assumption : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque left : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque right : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque contradiction : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque skip : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque done : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque fail : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque revert : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque clear : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque subst : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque substVars : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque specialize : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque replace : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque change : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque «show» : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque symm : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque generalize : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque rename : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque renameI : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque focus : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque allGoals : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque anyGoals : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque rotateLeft : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque rotateRight : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque paren : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque first : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque case : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque cases : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque induction : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque injection : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque injections : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque split : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque unfold : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque rcases : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque obtain : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque rintro : ParserDescr := parser

/-! ## Patterns of `rcases`, `obtain` and `rintro` -/
@[rcasesPat_parser 1000, extern "native"] opaque rcasesPat.one : ParserDescr := parser
@[rcasesPat_parser 1000, extern "native"] opaque rcasesPat.ignore : ParserDescr := parser
@[rcasesPat_parser 1000, extern "native"] opaque rcasesPat.tuple : ParserDescr := parser
@[rcasesPat_parser 1000, extern "native"] opaque rcasesPat.paren : ParserDescr := parser
@[rcasesPat_parser 1000, extern "native"] opaque rcasesPat.clear : ParserDescr := parser
@[rcasesPat_parser 1000, extern "native"] opaque rcasesPat.explicit : ParserDescr := parser
@[rintroPat_parser 1000, extern "native"] opaque rintroPat.one : ParserDescr := parser
@[rintroPat_parser 1000, extern "native"] opaque rintroPat.binder : ParserDescr := parser

/-! ## Steps that expand to others -/
@[tactic_parser 1000, extern "native"] opaque tacticHave__ : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque tacticLet__ : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque tacticSuffices_ : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque tacticRefine_lift_ : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque «tacticExists_,,» : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque tacticTry_ : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque tacticAnd_intros : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque tacticExfalso : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque «tacticNext_=>_» : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque tacticNofun : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque «tacticNomatch_,,» : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque tacticTrivial : ParserDescr := parser
@[macro tacticHave__, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticHave___1 : Macro := native
@[macro tacticLet__, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticLet___1 : Macro := native
@[macro tacticSuffices_, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticSuffices__1 : Macro := native
@[macro tacticRefine_lift_, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticRefine_lift__1 : Macro := native
@[macro «tacticExists_,,», extern "native"]
  opaque «_aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticExists_,,_1» : Macro := native
@[macro tacticTry_, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTry__1 : Macro := native
@[macro tacticAnd_intros, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticAnd_intros_1 : Macro := native
@[macro tacticExfalso, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticExfalso_1 : Macro := native
@[macro «tacticNext_=>_», extern "native"]
  opaque «_aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticNext_=>__1» : Macro := native
@[macro tacticNofun, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticNofun_1 : Macro := native
@[macro «tacticNomatch_,,», extern "native"]
  opaque «_aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticNomatch_,,_1» : Macro := native
@[macro tacticTrivial, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTrivial_1 : Macro := native
@[macro tacticTrivial, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTrivial_2 : Macro := native
@[macro tacticTrivial, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTrivial_3 : Macro := native
@[macro tacticTrivial, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTrivial_4 : Macro := native
@[macro tacticTrivial, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTrivial_5 : Macro := native
@[macro tacticTrivial, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTrivial_6 : Macro := native
@[tactic_parser 1000, extern "native"] opaque «tactic_<;>_» : TrailingParserDescr := parser
@[macro «tactic_<;>_», extern "native"]
  opaque «_aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tactic_<;>__1» : Macro := native
end Lean.Parser.Tactic
@[tactic_parser 1000, extern "native"] opaque Lean.cdot : ParserDescr := parser

/-! ## Cases on a proposition -/
@[tactic_parser 1000, extern "native"] opaque «tacticBy_cases_:_» : ParserDescr := parser
@[macro «tacticBy_cases_:_», extern "native"]
  opaque «_aux_Init_ByCases___macroRules_tacticBy_cases_:__1» : Macro := native
@[macro «tacticBy_cases_:_», extern "native"]
  opaque «_aux_Init_ByCases___macroRules_tacticBy_cases_:__2» : Macro := native

/-! ## Written out, without a configuration -/
namespace Lean.Proofgrad
/-- A configuration that nobody can write. -/
def noConfig : ParserDescr := part "optConfig" (many (sym "%config"))
@[tactic_parser 1000] def constructor : ParserDescr := tac "constructor" (seq (word "constructor") noConfig)
end Lean.Proofgrad
