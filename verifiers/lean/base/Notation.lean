/- Notation of propositions, with the precedences of Lean's `Init`. The macros and the printers are `Init`'s own. -/
prelude
import ProofgradSyntax
set_option linter.all false
set_option autoImplicit false

@[extern "native"] opaque «_aux_Init_Notation___macroRules_term_∧__1» : Lean.Proofgrad.Native := Lean.Proofgrad.native
@[extern "native"] opaque «_aux_Init_Notation___macroRules_term_∨__1» : Lean.Proofgrad.Native := Lean.Proofgrad.native
@[extern "native"] opaque «_aux_Init_Notation___macroRules_term¬__1» : Lean.Proofgrad.Native := Lean.Proofgrad.native
@[extern "native"] opaque «_aux_Init_Core___macroRules_term_↔__1» : Lean.Proofgrad.Native := Lean.Proofgrad.native
@[extern "native"] opaque «_aux_Init_Notation___macroRules_term_=__1» : Lean.Proofgrad.Native := Lean.Proofgrad.native
@[extern "native"] opaque «_aux_Init_Core___macroRules_term_≠__1» : Lean.Proofgrad.Native := Lean.Proofgrad.native
@[extern "native"] opaque «_aux_Init_NotationExtra___macroRules_term∃_,__1» : Lean.Proofgrad.Native := Lean.Proofgrad.native
@[extern "native"] opaque «_aux_Init_Tactics___macroRules_term‹_›_1» : Lean.Proofgrad.Native := Lean.Proofgrad.native
@[extern "native"] opaque _aux_Init_Notation___unexpand_And_1 : Lean.Proofgrad.Printer := Lean.Proofgrad.printer
@[extern "native"] opaque _aux_Init_Notation___unexpand_Or_1 : Lean.Proofgrad.Printer := Lean.Proofgrad.printer
@[extern "native"] opaque _aux_Init_Notation___unexpand_Not_1 : Lean.Proofgrad.Printer := Lean.Proofgrad.printer
@[extern "native"] opaque _aux_Init_Notation___unexpand_Eq_1 : Lean.Proofgrad.Printer := Lean.Proofgrad.printer
@[extern "native"] opaque _aux_Init_Core___unexpand_Iff_1 : Lean.Proofgrad.Printer := Lean.Proofgrad.printer
@[extern "native"] opaque _aux_Init_Core___unexpand_Ne_1 : Lean.Proofgrad.Printer := Lean.Proofgrad.printer
@[extern "native"] opaque unexpandExists : Lean.Proofgrad.Printer := Lean.Proofgrad.printer

namespace Lean.Proofgrad
@[term_parser 1000] def _root_.«term_∧_» : TrailingParserDescr := binary "term_∧_" " ∧ " 35 36 35
@[term_parser 1000] def _root_.«term_∨_» : TrailingParserDescr := binary "term_∨_" " ∨ " 30 31 30
@[term_parser 1000] def _root_.«term_↔_» : TrailingParserDescr := binary "term_↔_" " ↔ " 20 21 21
@[term_parser 1000] def _root_.«term_=_» : TrailingParserDescr := binary "term_=_" " = " 50 51 51
@[term_parser 1000] def _root_.«term_≠_» : TrailingParserDescr := binary "term_≠_" " ≠ " 50 51 51
@[term_parser 1000] def _root_.«term¬_» : ParserDescr := ParserDescr.node (nm "term¬_") 1024 (seq (sym "¬") (term 40))
@[term_parser 1000] def _root_.«term‹_›» : ParserDescr := ParserDescr.node (nm "term‹_›") 1024 (seq (sym "‹") (seq (term 0) (sym "›")))

def _root_.Lean.binderIdent : ParserDescr := ParserDescr.node (inLean "binderIdent") 1024 (orelse (alias "ident") (alias "hole"))
def _root_.Lean.unbracketedExplicitBinders : ParserDescr :=
  ParserDescr.node (inLean "unbracketedExplicitBinders") 1024 (seq (many1 binderIdent) (opt (seq (sym " : ") (term 0))))
def _root_.Lean.bracketedExplicitBinders : ParserDescr :=
  ParserDescr.node (inLean "bracketedExplicitBinders") 1024
    (seq (sym "(") (seq (many1 binderIdent) (seq (sym " : ") (seq (term 0) (sym ")")))))
def _root_.Lean.explicitBinders : ParserDescr := ParserDescr.node (inLean "explicitBinders") 1024 (orelse (many1 bracketedExplicitBinders) unbracketedExplicitBinders)
@[term_parser 1000] def _root_.«term∃_,_» : ParserDescr :=
  ParserDescr.node (nm "term∃_,_") 1022 (seq (sym "∃") (seq explicitBinders (seq (sym ", ") (term 0))))

@[macro «term_∧_»] def andMacro : Macro := fun s c t => «_aux_Init_Notation___macroRules_term_∧__1» s c t
@[macro «term_∨_»] def orMacro : Macro := fun s c t => «_aux_Init_Notation___macroRules_term_∨__1» s c t
@[macro «term¬_»] def notMacro : Macro := fun s c t => «_aux_Init_Notation___macroRules_term¬__1» s c t
@[macro «term_↔_»] def iffMacro : Macro := fun s c t => «_aux_Init_Core___macroRules_term_↔__1» s c t
@[macro «term_=_»] def eqMacro : Macro := fun s c t => «_aux_Init_Notation___macroRules_term_=__1» s c t
@[macro «term_≠_»] def neMacro : Macro := fun s c t => «_aux_Init_Core___macroRules_term_≠__1» s c t
@[macro «term∃_,_»] def existsMacro : Macro := fun s c t => «_aux_Init_NotationExtra___macroRules_term∃_,__1» s c t
@[macro «term‹_›»] def byAssumptionMacro : Macro := fun s c t => «_aux_Init_Tactics___macroRules_term‹_›_1» s c t

@[app_unexpander And] def andPrinter : PrettyPrinter.Unexpander := fun s r t => _aux_Init_Notation___unexpand_And_1 s r t
@[app_unexpander Or] def orPrinter : PrettyPrinter.Unexpander := fun s r t => _aux_Init_Notation___unexpand_Or_1 s r t
@[app_unexpander Not] def notPrinter : PrettyPrinter.Unexpander := fun s r t => _aux_Init_Notation___unexpand_Not_1 s r t
@[app_unexpander Eq] def eqPrinter : PrettyPrinter.Unexpander := fun s r t => _aux_Init_Notation___unexpand_Eq_1 s r t
@[app_unexpander Iff] def iffPrinter : PrettyPrinter.Unexpander := fun s r t => _aux_Init_Core___unexpand_Iff_1 s r t
@[app_unexpander Ne] def nePrinter : PrettyPrinter.Unexpander := fun s r t => _aux_Init_Core___unexpand_Ne_1 s r t
@[app_unexpander Exists] def existsPrinter : PrettyPrinter.Unexpander := fun s r t => unexpandExists s r t
end Lean.Proofgrad

/-! ## if-then-else -/
@[extern "native"] opaque _aux_Init_Notation___macroRules_termDepIfThenElse_1 : Lean.Proofgrad.Native := Lean.Proofgrad.native
@[extern "native"] opaque _aux_Init_Notation___macroRules_termIfThenElse_1 : Lean.Proofgrad.Native := Lean.Proofgrad.native
namespace Lean.Proofgrad
def branches : ParserDescr := seq (sym " then ") (seq (term 0) (seq (sym " else ") (term 0)))
@[term_parser 1000] def _root_.termDepIfThenElse : ParserDescr :=
  ParserDescr.node (nm "termDepIfThenElse") 1022 (seq (atomic (seq (sym "if ") (seq binderIdent (sym " : ")))) (seq (term 0) branches))
@[term_parser 1000] def _root_.termIfThenElse : ParserDescr :=
  ParserDescr.node (nm "termIfThenElse") 1022 (seq (sym "if ") (seq (term 0) branches))
@[macro termDepIfThenElse] def depIfMacro : Macro := fun s c t => _aux_Init_Notation___macroRules_termDepIfThenElse_1 s c t
@[macro termIfThenElse] def ifMacro : Macro := fun s c t => _aux_Init_Notation___macroRules_termIfThenElse_1 s c t
end Lean.Proofgrad
