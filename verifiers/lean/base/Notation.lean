/-
Notation of propositions, numbers and lists: the parsers, macros and printers of Lean's `Init`, which are compiled into
the library that runs us. A declaration here names one of them; what stands after `:=` only satisfies the type checker.
-/
prelude
import ProofgradSyntax
set_option linter.all false
set_option Elab.async false
set_option autoImplicit false
open Lean PrettyPrinter Proofgrad

/-! ## Binary operators -/
@[term_parser 1000, extern "native"] opaque «term_∧_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_∨_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_↔_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_=_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_≠_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_+_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_-_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_*_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_^_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_≤_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_<_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_≥_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_>_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_::_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_++_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_∈_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_∉_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_×_» : TrailingParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term_∘_» : TrailingParserDescr := parser
@[macro «term_∧_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_∧__1» : Macro := native
@[macro «term_∨_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_∨__1» : Macro := native
@[macro «term_↔_», extern "native"] opaque «_aux_Init_Core___macroRules_term_↔__1» : Macro := native
@[macro «term_=_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_=__2» : Macro := native
@[macro «term_≠_», extern "native"] opaque «_aux_Init_Core___macroRules_term_≠__2» : Macro := native
@[macro «term_+_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_+__2» : Macro := native
@[macro «term_-_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_-__2» : Macro := native
@[macro «term_*_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_*__2» : Macro := native
@[macro «term_^_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_^__2» : Macro := native
@[macro «term_≤_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_≤__2» : Macro := native
@[macro «term_<_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_<__2» : Macro := native
@[macro «term_≥_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_≥__2» : Macro := native
@[macro «term_>_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_>__2» : Macro := native
@[macro «term_::_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_::__1» : Macro := native
@[macro «term_++_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_++__2» : Macro := native
@[macro «term_∈_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_∈__1» : Macro := native
@[macro «term_∉_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_∉__1» : Macro := native
@[macro «term_×_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_×__1» : Macro := native
@[macro «term_∘_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_∘__1» : Macro := native
@[app_unexpander And, extern "native"] opaque _aux_Init_Notation___unexpand_And_1 : Unexpander := printer
@[app_unexpander Or, extern "native"] opaque _aux_Init_Notation___unexpand_Or_1 : Unexpander := printer
@[app_unexpander Iff, extern "native"] opaque _aux_Init_Core___unexpand_Iff_1 : Unexpander := printer
@[app_unexpander Eq, extern "native"] opaque _aux_Init_Notation___unexpand_Eq_1 : Unexpander := printer
@[app_unexpander Ne, extern "native"] opaque _aux_Init_Core___unexpand_Ne_1 : Unexpander := printer
@[app_unexpander HAdd.hAdd, extern "native"] opaque _aux_Init_Notation___unexpand_HAdd_hAdd_1 : Unexpander := printer
@[app_unexpander HSub.hSub, extern "native"] opaque _aux_Init_Notation___unexpand_HSub_hSub_1 : Unexpander := printer
@[app_unexpander HMul.hMul, extern "native"] opaque _aux_Init_Notation___unexpand_HMul_hMul_1 : Unexpander := printer
@[app_unexpander HPow.hPow, extern "native"] opaque _aux_Init_Notation___unexpand_HPow_hPow_1 : Unexpander := printer
@[app_unexpander LE.le, extern "native"] opaque _aux_Init_Notation___unexpand_LE_le_2 : Unexpander := printer
@[app_unexpander LT.lt, extern "native"] opaque _aux_Init_Notation___unexpand_LT_lt_1 : Unexpander := printer
@[app_unexpander GE.ge, extern "native"] opaque _aux_Init_Notation___unexpand_GE_ge_2 : Unexpander := printer
@[app_unexpander GT.gt, extern "native"] opaque _aux_Init_Notation___unexpand_GT_gt_1 : Unexpander := printer
@[app_unexpander List.cons, extern "native"] opaque _aux_Init_Notation___unexpand_List_cons_1 : Unexpander := printer
@[app_unexpander HAppend.hAppend, extern "native"]
  opaque _aux_Init_Notation___unexpand_HAppend_hAppend_1 : Unexpander := printer
@[app_unexpander Membership.mem, extern "native"]
  opaque _aux_Init_Notation___unexpand_Membership_mem_1 : Unexpander := printer
@[app_unexpander Prod, extern "native"] opaque _aux_Init_Notation___unexpand_Prod_1 : Unexpander := printer
@[app_unexpander Function.comp, extern "native"]
  opaque _aux_Init_Notation___unexpand_Function_comp_1 : Unexpander := printer

/-! ## Others -/
@[term_parser 1000, extern "native"] opaque «term¬_» : ParserDescr := parser
@[macro «term¬_», extern "native"] opaque «_aux_Init_Notation___macroRules_term¬__1» : Macro := native
@[app_unexpander Not, extern "native"] opaque _aux_Init_Notation___unexpand_Not_1 : Unexpander := printer
@[term_parser 1000, extern "native"] opaque «term‹_›» : ParserDescr := parser
@[macro «term‹_›», extern "native"] opaque «_aux_Init_Tactics___macroRules_term‹_›_1» : Macro := native
@[term_parser 1000, extern "native"] opaque «term_<|_» : TrailingParserDescr := parser
@[macro «term_<|_», extern "native"] opaque «_aux_Init_Notation___macroRules_term_<|__1» : Macro := native
@[term_parser 1000, extern "native"] opaque «term[_]» : ParserDescr := parser
@[macro «term[_]», extern "native"] opaque Lean.«_aux_Init_Data_List_Notation___macroRules_term[_]_1» : Macro := native
@[app_unexpander List.nil, extern "native"] opaque unexpandListNil : Unexpander := printer
@[app_unexpander List.cons, extern "native"] opaque unexpandListCons : Unexpander := printer
@[app_unexpander Prod.mk, extern "native"] opaque unexpandProdMk : Unexpander := printer
@[term_parser 1000, extern "native"] opaque termDepIfThenElse : ParserDescr := parser
@[term_parser 1000, extern "native"] opaque termIfThenElse : ParserDescr := parser
@[macro termDepIfThenElse, extern "native"] opaque _aux_Init_Notation___macroRules_termDepIfThenElse_1 : Macro := native
@[macro termIfThenElse, extern "native"] opaque _aux_Init_Notation___macroRules_termIfThenElse_1 : Macro := native
@[app_unexpander ite, extern "native"] opaque unexpandIte : Unexpander := printer

/-! ## Quantifiers -/
@[extern "native"] opaque Lean.binderIdent : ParserDescr := parser
@[extern "native"] opaque Lean.unbracketedExplicitBinders : ParserDescr := parser
@[extern "native"] opaque Lean.bracketedExplicitBinders : ParserDescr := parser
@[extern "native"] opaque Lean.explicitBinders : ParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term∃_,_» : ParserDescr := parser
@[macro «term∃_,_», extern "native"] opaque «_aux_Init_NotationExtra___macroRules_term∃_,__1» : Macro := native
@[app_unexpander Exists, extern "native"] opaque unexpandExists : Unexpander := printer

/-! ## Bounded quantifiers: `∀ x < n, p x`, `∃ x ∈ l, p x` -/
structure Lean.Parser.Category
declare_syntax_cat binderPred
namespace Lean
@[binderPred_parser 1000, extern "native"] opaque «binderPred∈_» : ParserDescr := parser
@[binderPred_parser 1000, extern "native"] opaque «binderPred∉_» : ParserDescr := parser
@[binderPred_parser 1000, extern "native"] opaque «binderPred≠_» : ParserDescr := parser
@[binderPred_parser 1000, extern "native"] opaque «binderPred≤_» : ParserDescr := parser
@[binderPred_parser 1000, extern "native"] opaque «binderPred≥_» : ParserDescr := parser
@[binderPred_parser 1000, extern "native"] opaque «binderPred<_» : ParserDescr := parser
@[binderPred_parser 1000, extern "native"] opaque «binderPred>_» : ParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term∀__,_» : ParserDescr := parser
@[term_parser 1000, extern "native"] opaque «term∃__,_» : ParserDescr := parser
@[macro «term∀__,_», extern "native"]
  opaque «_aux_Init_BinderPredicates___macroRules_Lean_term∀__,__1» : Macro := native
@[macro «term∃__,_», extern "native"]
  opaque «_aux_Init_BinderPredicates___macroRules_Lean_term∃__,__1» : Macro := native
/-- What a bound means; only macros write it. -/
@[term_parser 1000, extern "native"] opaque «termSatisfies_binder_pred%__» : ParserDescr := parser
@[macro «termSatisfies_binder_pred%__», extern "native"]
  opaque «_aux_Init_BinderPredicates___macroRules_Lean_termSatisfies_binder_pred%___1» : Macro := native
@[macro «termSatisfies_binder_pred%__», extern "native"]
  opaque «_aux_Init_BinderPredicates___macroRules_Lean_termSatisfies_binder_pred%___2» : Macro := native
@[macro «termSatisfies_binder_pred%__», extern "native"]
  opaque «_aux_Init_BinderPredicates___macroRules_Lean_termSatisfies_binder_pred%___3» : Macro := native
@[macro «termSatisfies_binder_pred%__», extern "native"]
  opaque «_aux_Init_BinderPredicates___macroRules_Lean_termSatisfies_binder_pred%___4» : Macro := native
@[macro «termSatisfies_binder_pred%__», extern "native"]
  opaque «_aux_Init_BinderPredicates___macroRules_Lean_termSatisfies_binder_pred%___5» : Macro := native
@[macro «termSatisfies_binder_pred%__», extern "native"]
  opaque «_aux_Init_BinderPredicates___macroRules_Lean_termSatisfies_binder_pred%___6» : Macro := native
@[macro «termSatisfies_binder_pred%__», extern "native"]
  opaque «_aux_Init_BinderPredicates___macroRules_Lean_termSatisfies_binder_pred%___7» : Macro := native
end Lean
