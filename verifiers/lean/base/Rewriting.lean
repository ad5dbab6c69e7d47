/- Tactics about equations: `rfl`, `rw`, `simp`, `decide`, `funext`, `calc`. -/
prelude
import ProofgradTactics
set_option linter.all false
set_option Elab.async false
set_option autoImplicit false
open Lean Proofgrad

/-! ## Reflexivity -/
attribute [refl] Iff.refl
namespace Lean.Parser.Tactic
@[tactic_parser 1000, extern "native"] opaque eqRefl : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque applyRfl : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque tacticRfl : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque withReducible : ParserDescr := parser
@[macro tacticRfl, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticRfl_1 : Macro := native
@[macro tacticRfl, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticRfl_2 : Macro := native
@[macro tacticRfl, extern "native"]
  opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticRfl_3 : Macro := native
@[macro tacticRfl, extern "native"]
  opaque _root_._aux_Init_Core___macroRules_Lean_Parser_Tactic_tacticRfl_1 : Macro := native

/-! ## Rewriting -/
@[extern "native"] opaque location : ParserDescr := parser
@[extern "native"] opaque rwRuleSeq : ParserDescr := parser
@[extern "native"] opaque simpPre : ParserDescr := parser
@[extern "native"] opaque simpPost : ParserDescr := parser
@[extern "native"] opaque simpStar : ParserDescr := parser
@[extern "native"] opaque simpErase : ParserDescr := parser
@[extern "native"] opaque simpLemma : ParserDescr := parser
end Lean.Parser.Tactic

namespace Lean.Proofgrad
open Lean.Parser.Tactic
@[tactic_parser 1000] def rewrite : ParserDescr :=
  tac "rewriteSeq" (seq (word "rewrite") (seq noConfig (seq rwRuleSeq (opt location))))
@[tactic_parser 1000] def rw : ParserDescr :=
  tac "rwSeq" (seq (word "rw") (seq noConfig (seq rwRuleSeq (opt location))))
@[tactic_parser 1000] def decide : ParserDescr := tac "decide" (seq (word "decide") noConfig)

/-! ## Simplifying -/
def noDischarger : ParserDescr := opt (sym "%config")
def only : ParserDescr := opt (word "only")
def simpArgs : ParserDescr :=
  seq (sym "[") (seq (ParserDescr.sepBy (orelse simpStar (orelse simpErase simpLemma)) "," (sym ", ") true) (sym "]"))
@[tactic_parser 1000] def simp : ParserDescr :=
  tac "simp" (seq (word "simp") (seq noConfig (seq noDischarger (seq only (seq (opt simpArgs) (opt location))))))
@[tactic_parser 1000] def simpAll : ParserDescr :=
  tac "simpAll" (seq (word "simp_all") (seq noConfig (seq noDischarger (seq only (opt simpArgs)))))
@[tactic_parser 1000] def simpa : ParserDescr :=
  tac "simpa" (seq (word "simpa") (seq (opt (sym "%config")) (seq (opt (sym "%config")) (part "simpaArgsRest"
    (seq noConfig (seq noDischarger (seq only (seq (opt simpArgs) (opt (seq (sym " using ") (Proofgrad.term 0)))))))))))
@[tactic_parser 1000] def dsimp : ParserDescr :=
  tac "dsimp" (seq (word "dsimp") (seq noConfig (seq noDischarger (seq only (seq (opt simpArgs) (opt location))))))
end Lean.Proofgrad
namespace Lean.Parser.Tactic
@[macro rwSeq, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_rwSeq_1 : Macro := native
end Lean.Parser.Tactic
@[tactic_parser 1000, extern "native"] opaque tacticFunext___ : ParserDescr := parser
@[macro tacticFunext___, extern "native"]
  opaque _aux_Init_NotationExtra___macroRules_tacticFunext____1 : Macro := native

/-! ## Chains -/
namespace Lean
@[extern "native"] opaque calcFirstStep : ParserDescr := parser
@[extern "native"] opaque calcStep : ParserDescr := parser
@[extern "native"] opaque calcSteps : ParserDescr := parser
@[term_parser 1000, extern "native"] opaque calc : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque calcTactic : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque solveTactic : ParserDescr := parser
@[macro solveTactic, extern "native"] opaque _aux_Init_NotationExtra___macroRules_Lean_solveTactic_1 : Macro := native
end Lean
