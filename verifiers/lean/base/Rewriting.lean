/- Tactics about equations: `rfl`, `rw`, `calc`, `funext`, `unfold`, `decide`. What is `Init`'s own is borrowed. -/
prelude
import ProofgradTactics
set_option linter.all false
set_option autoImplicit false
open Lean Proofgrad

/-! ## Reflexivity -/
attribute [refl] Iff.refl
namespace Lean.Parser.Tactic
@[tactic_parser 1000, extern "native"] opaque eqRefl : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque applyRfl : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque tacticRfl : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque withReducible : ParserDescr := parser
@[macro tacticRfl, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticRfl_1 : Macro := native
@[macro tacticRfl, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticRfl_2 : Macro := native
@[macro tacticRfl, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_tacticRfl_3 : Macro := native

/-! ## Rewriting -/
@[tactic_parser 1000] def rwSeq : ParserDescr := tac "rwSeq" (seq (word "rw ") (seq optConfig (seq rwRuleSeq (opt location))))
@[macro rwSeq, extern "native"] opaque _aux_Init_Tactics___macroRules_Lean_Parser_Tactic_rwSeq_1 : Macro := native
@[tactic_parser 1000, extern "native"] opaque unfold : ParserDescr := parser
@[tactic_parser 1000, extern "native"] opaque split : ParserDescr := parser
@[tactic_parser 1000] def decide : ParserDescr := tac "decide" (seq (word "decide") optConfig)
end Lean.Parser.Tactic
@[macro Lean.Parser.Tactic.tacticRfl, extern "native"] opaque _aux_Init_Core___macroRules_Lean_Parser_Tactic_tacticRfl_1 : Macro := native
@[tactic_parser 1000, extern "native"] opaque tacticFunext___ : ParserDescr := parser
@[macro tacticFunext___, extern "native"] opaque _aux_Init_NotationExtra___macroRules_tacticFunext____1 : Macro := native

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

/-! ## Simplifying: `simp`, `simp only`, `dsimp`, `simp_all`, without configurations, which are programs -/
namespace Lean.Parser.Tactic
def only : ParserDescr := opt (word "only")
def noDischarger : ParserDescr := opt (sym "+noconfig")
def simpStar : ParserDescr := part "simpStar" (sym "*")
def simpErase : ParserDescr := part "simpErase" (seq (sym "-") (Proofgrad.term 1024))
def simpPost : ParserDescr := part "simpPost" (sym "↑")
def simpPre : ParserDescr := part "simpPre" (sym "↓")
def simpLemma : ParserDescr :=
  part "simpLemma" (seq (opt (orelse simpPre simpPost)) (seq (opt (orelse (sym "← ") (sym "<- "))) (Proofgrad.term 0)))
def simpArgs : ParserDescr :=
  seq (sym "[") (seq (ParserDescr.sepBy (orelse simpStar (orelse simpErase simpLemma)) "," (sym ", ") true) (sym "]"))
def dsimpArgs : ParserDescr :=
  seq (sym "[") (seq (ParserDescr.sepBy (orelse simpErase simpLemma) "," (sym ", ") true) (sym "]"))
@[tactic_parser 1000] def simp : ParserDescr :=
  tac "simp" (seq (word "simp") (seq optConfig (seq noDischarger (seq only (seq (opt simpArgs) (opt location))))))
@[tactic_parser 1000] def simpAll : ParserDescr :=
  tac "simpAll" (seq (word "simp_all") (seq optConfig (seq noDischarger (seq only (opt simpArgs)))))
@[tactic_parser 1000] def dsimp : ParserDescr :=
  tac "dsimp" (seq (word "dsimp") (seq optConfig (seq noDischarger (seq only (seq (opt dsimpArgs) (opt location))))))
end Lean.Parser.Tactic
