// A tokenizer for each of the two languages that candidates are written in: enough to colour them, no more.

const LEAN = {
  keywords: new Set(("theorem lemma def example by fun have show from let in match with if then else exact intro intros apply refine constructor " +
    "cases rcases obtain induction rfl rw simp simp_all omega decide contradiction assumption left right exists use calc at " +
    "split exfalso unfold generalize specialize where termination_by instance structure inductive class namespace end open " +
    "import variable universe set_option sorry axiom admit first repeat try all_goals any_goals case next do return mut for").split(" ")),
  pattern: /(--[^\n]*|\/-[\s\S]*?(?:-\/|$))|("(?:\\.|[^"\\])*"?)|(\b\d+(?:\.\d+)?\b)|([\p{L}_][\p{L}\p{N}_'!?.]*)|(\s+)|([^\s])/gu,
};
const PYTHON = {
  keywords: new Set(("and as assert async await break class continue def del elif else except finally for from global if import in is lambda " +
    "nonlocal not or pass raise return try while with yield match case None True False").split(" ")),
  pattern: /(#[^\n]*)|((?:[rbfuRBFU]{0,2})(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))|(\b\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|([\p{L}_][\p{L}\p{N}_]*)|(\s+)|([^\s])/gu,
};
const LANGUAGES = { __proto__: null, lean: LEAN, program: PYTHON, program_property: PYTHON };
const KINDS = ["", "comment", "string", "figure", "word", "space", "symbol"];

// `text` as spans; a verifier without a language of its own shows it plain.
function highlighted(text, verifier) {
  const language = LANGUAGES[verifier];
  if (!language) return [text];
  const parts = [];
  let plain = "";
  for (const found of text.matchAll(language.pattern)) {
    const kind = KINDS[found.findIndex((group, i) => i && group !== undefined)];
    const shown = kind === "word" ? (language.keywords.has(found[0]) ? "keyword" : "") : kind === "space" ? "" : kind;
    if (!shown) { plain += found[0]; continue; }
    if (plain) parts.push(plain);
    plain = "";
    parts.push(el("span", { class: `t-${shown}` }, found[0]));
  }
  if (plain) parts.push(plain);
  return parts;
}
