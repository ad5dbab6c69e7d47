/-
Tactics: the syntax, written as parser descriptions, of tactics whose elaborators are compiled into the library, and
`Init`'s own macros for those that expand to others. Forms follow Lean 4's `Init/Tactics.lean`.

Nothing is registered that runs code, reads files, sets options or asserts a goal (`run_tac`, `native_decide`, `sorry`, ...).
-/
prelude
import ProofgradNotation
set_option linter.all false
set_option autoImplicit false


namespace Lean.Parser.Tactic
open Lean.Proofgrad

/-! ## Syntax -/
def args : ParserDescr := many (seq (alias "colGt") (Proofgrad.term 1024))
def args1 : ParserDescr := many1 (seq (alias "colGt") (Proofgrad.term 1024))
def tacs : ParserDescr := alias "tacticSeq"
def identOrHole : ParserDescr := orelse (alias "ident") (alias "hole")
def optConfig : ParserDescr := part "optConfig" (many (seq (alias "colGt") (sym "+noconfig")))
def locationHyp : ParserDescr := part "locationHyp" (seq args1 (opt (sym "⊢")))
def locationWildcard : ParserDescr := part "locationWildcard" (sym " *")
def location : ParserDescr := part "location" (withPosition (seq (sym " at ") (orelse locationWildcard locationHyp)))
def caseArg : ParserDescr := part "caseArg" (seq Lean.binderIdent (many Lean.binderIdent))
def elimTarget : ParserDescr :=
  part "elimTarget" (seq (opt (atomic (seq identOrHole (sym " : ")))) (Proofgrad.term 0))
def inductionAltLHS : ParserDescr :=
  part "inductionAltLHS" (seq (sym "| ") (seq (orelse (Proofgrad.group (seq (opt (sym "@")) (alias "ident"))) (alias "hole"))
    (many (seq (alias "colGt") identOrHole))))
def inductionAlt : ParserDescr :=
  part "inductionAlt" (seq (many1 inductionAltLHS)
    (opt (seq (sym " => ") (orelse (alias "hole") (orelse (alias "syntheticHole") tacs)))))
def inductionAlts : ParserDescr :=
  part "inductionAlts" (seq (sym " with") (seq (opt (seq (alias "colGt") (Proofgrad.tactic 0)))
    (withPosition (many (seq (alias "colGe") inductionAlt)))))
def rwRule : ParserDescr := part "rwRule" (seq (opt (orelse (sym "← ") (sym "<- "))) (Proofgrad.term 0))
def rwRuleSeq : ParserDescr :=
  part "rwRuleSeq" (seq (sym " [") (seq (ParserDescr.sepBy rwRule "," (sym ", ") true) (sym "]")))
@[tactic_parser 1000] def exact : ParserDescr := tac "exact" (seq (word "exact ") (Proofgrad.term 0))
@[tactic_parser 1000] def apply : ParserDescr := tac "apply" (seq (word "apply ") (Proofgrad.term 0))
@[tactic_parser 1000] def refine : ParserDescr := tac "refine" (seq (word "refine ") (Proofgrad.term 0))
@[tactic_parser 1000] def intro : ParserDescr := tac "intro" (seq (word "intro") args)
@[tactic_parser 1000] def intros : ParserDescr := tac "intros" (seq (word "intros") (many (seq (alias "colGt") identOrHole)))
@[tactic_parser 1000] def constructor : ParserDescr := tac "constructor" (word "constructor")
@[tactic_parser 1000] def assumption : ParserDescr := tac "assumption" (word "assumption")
@[tactic_parser 1000] def left : ParserDescr := tac "left" (word "left")
@[tactic_parser 1000] def right : ParserDescr := tac "right" (word "right")
@[tactic_parser 1000] def contradiction : ParserDescr := tac "contradiction" (word "contradiction")
@[tactic_parser 1000] def skip : ParserDescr := tac "skip" (word "skip")
@[tactic_parser 1000] def done : ParserDescr := tac "done" (word "done")
@[tactic_parser 1000] def revert : ParserDescr := tac "revert" (seq (word "revert") args1)
@[tactic_parser 1000] def clear : ParserDescr := tac "clear" (seq (word "clear") args1)
@[tactic_parser 1000] def subst : ParserDescr := tac "subst" (seq (word "subst") args1)
@[tactic_parser 1000] def specialize : ParserDescr := tac "specialize" (seq (word "specialize ") (Proofgrad.term 0))
@[tactic_parser 1000] def change : ParserDescr := tac "change" (seq (word "change ") (seq (Proofgrad.term 0) (opt location)))
@[tactic_parser 1000] def «show» : ParserDescr := tac "show" (seq (sym "show ") (Proofgrad.term 0))
@[tactic_parser 1000] def symm : ParserDescr := tac "symm" (seq (word "symm") (opt location))
@[tactic_parser 1000] def focus : ParserDescr := tac "focus" (seq (word "focus ") tacs)
@[tactic_parser 1000] def allGoals : ParserDescr := tac "allGoals" (seq (word "all_goals ") tacs)
@[tactic_parser 1000] def anyGoals : ParserDescr := tac "anyGoals" (seq (word "any_goals ") tacs)
@[tactic_parser 1000] def rotateLeft : ParserDescr := tac "rotateLeft" (seq (word "rotate_left") (opt (alias "num")))
@[tactic_parser 1000] def rotateRight : ParserDescr := tac "rotateRight" (seq (word "rotate_right") (opt (alias "num")))
@[tactic_parser 1000] def paren : ParserDescr := tac "paren" (seq (sym "(") (seq (ParserDescr.unary (nm "withoutPosition") tacs) (sym ")")))
@[tactic_parser 1000] def first : ParserDescr := tac "first" (seq (word "first ") (withPosition (many1 (Proofgrad.group (seq (alias "colGe") (seq (sym "| ") tacs))))))
@[tactic_parser 1000] def case : ParserDescr := tac "case" (seq (word "case ") (seq (ParserDescr.sepBy1 caseArg "|" (sym " | ") false) (seq (sym " => ") tacs)))
@[tactic_parser 1000] def tacticHave__ : ParserDescr := tac "tacticHave__" (seq (sym "have") (seq (alias "letConfig") (alias "letDecl")))
@[tactic_parser 1000] def tacticLet__ : ParserDescr := tac "tacticLet__" (seq (sym "let") (seq (alias "letConfig") (alias "letDecl")))
@[tactic_parser 1000] def tacticSuffices_ : ParserDescr := tac "tacticSuffices_" (seq (sym "suffices ") (alias "sufficesDecl"))
@[tactic_parser 1000] def tacticRefine_lift_ : ParserDescr := tac "tacticRefine_lift_" (seq (word "refine_lift ") (Proofgrad.term 0))
@[tactic_parser 1000] def «tacticExists_,,» : ParserDescr := tac "tacticExists_,," (seq (sym "exists ") (commaSep1 (Proofgrad.term 0)))
@[tactic_parser 1000] def tacticTry_ : ParserDescr := tac "tacticTry_" (seq (word "try ") tacs)
@[tactic_parser 1000] def tacticTrivial : ParserDescr := tac "tacticTrivial" (word "trivial")
@[tactic_parser 1000] def tacticAnd_intros : ParserDescr := tac "tacticAnd_intros" (word "and_intros")
@[tactic_parser 1000] def tacticExfalso : ParserDescr := tac "tacticExfalso" (word "exfalso")
@[tactic_parser 1000] def «tacticNext_=>_» : ParserDescr := tac "tacticNext_=>_" (seq (word "next ") (seq (many Lean.binderIdent) (seq (sym " => ") tacs)))
@[tactic_parser 1000] def cases : ParserDescr := tac "cases" (seq (word "cases ") (seq (commaSep1 elimTarget) (seq (opt (seq (sym " using ") (Proofgrad.term 0))) (opt inductionAlts))))
@[tactic_parser 1000] def induction : ParserDescr := tac "induction" (seq (word "induction ") (seq (commaSep1 elimTarget) (seq (opt (seq (sym " using ") (Proofgrad.term 0))) (seq (opt (seq (sym " generalizing") args1)) (opt inductionAlts)))))
@[tactic_parser 1000] def rewriteSeq : ParserDescr := tac "rewriteSeq" (seq (word "rewrite") (seq optConfig (seq rwRuleSeq (opt location))))
@[tactic_parser 1000, extern "native"] opaque injection : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque injections : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque generalize : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque renameI : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque rename : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque fail : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque substVars : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque replace : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque «refine'» : ParserDescr := parser
/-- `tac <;> tac'` -/
@[tactic_parser 1000] def «tactic_<;>_» : TrailingParserDescr :=
  ParserDescr.trailingNode (inTactic "tactic_<;>_") 1 1 (seq (sym " <;> ") (Proofgrad.tactic 2))
/-- `· tacs` -/
@[tactic_parser 1000] def _root_.Lean.cdot : ParserDescr :=
  ParserDescr.node (inLean "cdot") 1022 (seq (ParserDescr.node (inLean "cdotTk") 1024 (orelse (sym "· ") (sym ". "))) tacs)

/-! ## What they expand to -/
@[macro tacticHave__, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticHave___1 : Macro := native
@[macro tacticLet__, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticLet___1 : Macro := native
@[macro tacticRefine_lift_, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticRefine_lift__1 : Macro := native
@[macro tacticSuffices_, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticSuffices__1 : Macro := native
@[macro «tacticExists_,,», extern "native"] opaque «_aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticExists_,,_1» : Macro := native
@[macro tacticTry_, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTry__1 : Macro := native
@[macro «tactic_<;>_», extern "native"] opaque «_aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tactic_<;>__1» : Macro := native
@[macro tacticTrivial, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTrivial_1 : Macro := native
@[macro tacticTrivial, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTrivial_2 : Macro := native
@[macro tacticTrivial, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTrivial_3 : Macro := native
@[macro tacticTrivial, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTrivial_4 : Macro := native
@[macro tacticTrivial, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTrivial_5 : Macro := native
@[macro tacticTrivial, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticTrivial_6 : Macro := native
@[macro «tacticNext_=>_», extern "native"] opaque «_aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticNext_=>__1» : Macro := native
@[macro tacticAnd_intros, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticAnd_intros_1 : Macro := native
@[macro tacticExfalso, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticExfalso_1 : Macro := native

/-! ## Patterns: rcases, obtain, rintro -/
declare_syntax_cat rcasesPat
declare_syntax_cat rintroPat
def pattern (kind : String) (p : ParserDescr) : ParserDescr :=
  ParserDescr.node (Name.mkStr5 "Lean" "Parser" "Tactic" "rcasesPat" kind) 1024 p
def rcasesPatMed : ParserDescr := part "rcasesPatMed" (ParserDescr.sepBy1 (ParserDescr.cat (nm "rcasesPat") 0) "|" (sym " | ") false)
def rcasesPatLo : ParserDescr := part "rcasesPatLo" (seq rcasesPatMed (opt (seq (sym " : ") (Proofgrad.term 0))))
@[rcasesPat_parser 1000] def rcasesPat.one : ParserDescr := pattern "one" (alias "ident")
@[rcasesPat_parser 1000] def rcasesPat.ignore : ParserDescr := pattern "ignore" (sym "_")
@[rcasesPat_parser 1000] def rcasesPat.tuple : ParserDescr :=
  pattern "tuple" (seq (sym "⟨") (seq (ParserDescr.sepBy rcasesPatLo "," (sym ", ") false) (sym "⟩")))
@[rcasesPat_parser 1000] def rcasesPat.paren : ParserDescr := pattern "paren" (seq (sym "(") (seq rcasesPatLo (sym ")")))
@[rintroPat_parser 1000] def rintroPat.one : ParserDescr :=
  ParserDescr.node (Name.mkStr5 "Lean" "Parser" "Tactic" "rintroPat" "one") 1024 (ParserDescr.cat (nm "rcasesPat") 0)
@[rintroPat_parser 1000] def rintroPat.binder : ParserDescr :=
  ParserDescr.node (Name.mkStr5 "Lean" "Parser" "Tactic" "rintroPat" "binder") 1024
    (seq (sym "(") (seq rcasesPatLo (seq (opt (seq (sym " : ") (Proofgrad.term 0))) (sym ")"))))
@[tactic_parser 1000] def rcases : ParserDescr :=
  tac "rcases" (seq (word "rcases") (seq (ParserDescr.sepBy elimTarget "," (sym ", ") false) (opt (seq (sym " with ") rcasesPatLo))))
@[tactic_parser 1000] def obtain : ParserDescr :=
  tac "obtain" (seq (word "obtain") (seq (opt rcasesPatMed)
    (seq (opt (seq (sym " : ") (Proofgrad.term 0))) (opt (seq (sym " := ") (commaSep1 (Proofgrad.term 0)))))))
@[tactic_parser 1000] def rintro : ParserDescr :=
  tac "rintro" (seq (word "rintro") (seq (many1 (seq (alias "colGt") (ParserDescr.cat (nm "rintroPat") 0))) (opt (seq (sym " : ") (Proofgrad.term 0)))))
end Lean.Parser.Tactic

/-! ## Cases on a proposition -/
open Lean Proofgrad
@[tactic_parser 1000] def «tacticBy_cases_:_» : ParserDescr :=
  ParserDescr.node (nm "tacticBy_cases_:_") 1022
    (seq (word "by_cases ") (seq (opt (atomic (seq (alias "ident") (sym " : ")))) (Proofgrad.term 0)))
@[macro «tacticBy_cases_:_», extern "native"] opaque «_aux_Init_ByCases___macroRules_tacticBy_cases_:__1» : Macro := native
@[macro «tacticBy_cases_:_», extern "native"] opaque «_aux_Init_ByCases___macroRules_tacticBy_cases_:__2» : Macro := native
