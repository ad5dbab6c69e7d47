"""A hostile policy against the Lean verifier: no attack passes, and the honest twin beside it does."""

import time
from collections.abc import Iterator

import pytest

from proofgrad.verifiers import Outcome, ProblemError
from proofgrad.verifiers.lean import checker as module
from proofgrad.verifiers.lean.backend import Elaboration, Ending, Limits
from proofgrad.verifiers.lean.candidate import Candidate
from proofgrad.verifiers.lean.checker import LeanVerifier
from proofgrad.verifiers.lean.embedded import EmbeddedLean
from proofgrad.verifiers.lean.feedback import token_estimate
from proofgrad.verifiers.lean.messages import Message

HARD = {"statement": "(p q : Prop) : p → q"}  # not provable: whatever passes is a hole
EASY = {"statement": "(p q : Prop) : p ∧ q → q ∧ p"}
HONEST = "fun h => ⟨h.2, h.1⟩"
MORE_HONEST = "by\n  intro h\n  constructor\n  · exact h.right\n  · exact h.left"


@pytest.fixture(scope="module")
def lean() -> LeanVerifier:
    return LeanVerifier()


# The rows of the list of attack classes that a body can attempt, and variations.
ATTACKS = {
    "placeholder: sorry": "sorry",
    "placeholder: sorry in a tactic block": "by\n  intro h\n  sorry",
    "placeholder: admit": "by\n  admit",
    "placeholder: stop": "by\n  stop\n  rubbish",
    "placeholder: sorryAx": "sorryAx _ true",
    "placeholder: sorryAx, root": "_root_.sorryAx _ true",
    "placeholder: sorryAx, explicit": "@sorryAx (p → q) false",
    "placeholder: silenced": "by\n  set_option warn.sorry false in\n  exact sorry",
    "placeholder: built up": "by\n  intro h\n  exact sorry«Ax» _ true",
    "own axiom": "c\naxiom c : False",
    "own axiom before use": "trivial\n\naxiom c : ∀ p : Prop, p\ntheorem d : False := c _",
    "opaque": "x\nopaque x : False",
    "unsafe axioms of the compiler": "lcProof",
    "unsafe cast": "lcUnreachable",
    "unsafe any": "fun h => lcCast h",
    "native_decide": "by native_decide",
    "reduceBool": "Lean.ofReduceBool _ _ rfl",
    "implemented_by": "by exact f\n@[implemented_by g] def f : Nat := 0",
    "kernel off": "by\n  set_option debug.skipKernelTC true in\n  exact fun h => h",
    "kernel off as a command": "fun h => h\nset_option debug.skipKernelTC true",
    "redefined report": "fun h => h\nmacro \"#print\" : command => `(#eval 1)",
    "notation that changes the statement": "fun h => h\nnotation \"q\" => True",
    "infix": "fun h => h\ninfix:50 \" → \" => And",
    "local instance": "fun h => h\nlocal instance : Add Nat := ⟨Nat.mul⟩",
    "variable": "h\nvariable (h : False)\ninclude h",
    "namespace shadowing": "fun h => h\nnamespace X\ndef False := True\nend X",
    "end": "fun h => h\nend",
    "section": "fun h => h\nsection",
    "exit": "fun h => h\n#exit",
    "eval": "fun h => h\n#eval 1",
    "open in": "open Classical in fun h => h",
    "run_tac": "by\n  run_tac pure ()",
    "run_cmd": "fun h => h\nrun_cmd pure ()",
    "initialize": "fun h => h\ninitialize x : Nat ← pure 0",
    "elaborator": "by_elab return x",
    "include_str": "include_str \"/etc/passwd\"",
    "line comment eats the report": "fun h => h --",
    "block comment eats the rest": "fun h => h /-",
    "block comment closes nothing": "fun h => h -/",
    "doc comment": "fun h => h /-- x",
    "string eats the rest": "fun h => \"",
    "raw string eats the rest": "fun h => r#\"",
    "character eats the report": "fun h => '",
    "interpolation": "s!\"{",
    "quotation": "`(p)",
    "antiquotation": "$(x)",
    "guillemet eats the rest": "fun h => «",
    "guillemet name": "fun h => «h»",
    "bracket eats the next theorem": "fun h => (",
    "anonymous constructor left open": "fun h => ⟨h,",
    "brace left open": "by {",
    "by left open": "by",
    "fun left open": "fun h",
    "have left open": "have x : p :=",
    "match left open": "fun h => match h with",
    "match arm left open": "fun h => match h with\n|",
    "show left open": "show p → q from",
    "calc left open": "calc",
    "if left open": "if h : p then",
    "second body": "fun h => h\n:= fun h => h",
    "colon": "fun h => h : p → p",
    "type changed": "(fun h => h : p → p)",
    "goal weakened by show": "by\n  show p → p\n  exact id",
    "goal weakened by suffices": "by\n  suffices True from fun h => h\n  trivial",
    "change": "by\n  change True\n  trivial",
    "where": "f where\n  f := fun h => h",
    "where, one line": "fun h => x h where x : p → q := fun h => x h",
    "termination_by": "fun h => h\ntermination_by 0",
    "decreasing_by": "fun h => h\ndecreasing_by trivial",
    "let rec": "let rec f : p → q := fun h => f h; f",
    "let rec in tactics": "by\n  let rec f : p → q := fun h => f h\n  exact f",
    "recursion through the theorem's own name": "fun h => this h",
    "recursion through assumption": "by assumption",
    "recursion through the anonymous assumption": "‹p → q›",
    "recursion through solve": "by\n  first\n  | assumption\n  | contradiction\n  | trivial",
    "mutual": "fun h => h\nmutual",
    "private": "fun h => h\nprivate theorem x : False := x",
    "deriving": "fun h => h\nderiving instance X for Y",
    "attribute": "fun h => h\nattribute [simp] id",
    "attribute bracket": "fun h => h\n@[simp] theorem x : True := trivial",
    "swallowed error": "by\n  try exact foo\n  all_goals skip",
    "first with nothing": "by\n  first | skip",
    "nothing left to do": "by\n  intros\n  done",
    "exfalso": "by\n  intro h\n  exfalso\n  exact h",
    "contradiction": "by\n  intro\n  contradiction",
    "nomatch": "nofun",
    "coercion": "fun h => ↑h",
    "hole": "_",
    "named hole": "?x",
    "synthetic hole": "by refine ?_",
    "hole in the middle": "by\n  refine fun h => ?_\n  rotate_left",
    "metavariable trick": "by\n  intro h\n  have k : _ := ?_\n  exact k",
    "cast between": "fun h => cast (rfl : p = q) h",
    "propext": "fun h => Eq.mp (propext ⟨_, _⟩) h",
    "universe trick": "fun h => Eq.rec h _",
    "choice": "fun _ => Classical.choice _",
    "quotient": "fun h => Quot.lift id _ h",
    "Lean's own names": "Lean.Proofgrad.native",
    "syntax objects": "Lean.Proofgrad.nothing",
    "names of the file": "pg_0",
    "dollar": "id $ fun h => h",
    "percent": "binop% And p q",
    "tab": "by\n\tintro h\n\texact h",
    "form feed": "fun h => h\x0c",
    "NUL": "fun h => h\x00",
    "lone CR": "fun h => h\r#exit",
    "byte order mark": "\ufefffun h => h",
    "no-break space": "fun\u00a0h => h",
    "right-to-left": "fun h => \u202eh",
    "line separator": "fun h => h\u2028#exit",
    "look-alike command": "fun h => h\nахiom c : False",
    "fullwidth": "ｓｏｒｒｙ",
    "combining": "so\u0301rry",
    "lone surrogate": "fun h => \ud800",
    "forged report": "fun h => h\n'pg_0' does not depend on any axioms",
    "forged JSON": "{\"severity\":\"information\"}",
    "too long": "fun h => " + "h " * 20_000,
    "too deep": "(" * 500 + "h" + ")" * 500,
    "deep without brackets": "fun h => " + "¬" * 4000 + "p",
    "many binders": "fun x => " * 1500 + "x",
    "long name": "fun h => " + "a" * 15_000,
    "long dotted name": "fun h => h" + ".x" * 6000,
    "long number": "fun h => " + "9" * 15_000,
    "empty": "",
    "spaces": " \n \n",
}  # fmt: skip


# Whole files: what they may hold besides theorems, and what their theorem may be.
FILES = {
    "axiom": "axiom c : False\ntheorem x (p q : Prop) : p → q := c.elim",
    "axiom between theorems": "theorem a : True := trivial\naxiom c : False\ntheorem x (p q : Prop) : p → q := c.rec",
    "axiom on a theorem's line": "theorem a : True := id axiom c : False\ntheorem x (p q : Prop) : p → q := c.elim",
    "axiom behind opaque": "opaque c : False\ntheorem x (p q : Prop) : p → q := c.elim",
    "sorry": "theorem x (p q : Prop) : p → q := sorry",
    "sorry in a lemma": "lemma a (p q : Prop) : p → q := by sorry\ntheorem x (p q : Prop) : p → q := a p q",
    "sorryAx in a lemma": "theorem a (p q : Prop) : p → q := sorryAx _ true\ntheorem x (p q : Prop) : p → q := a p q",
    "inside a comment": "/- theorem x (p q : Prop) : p → q := fun h => h -/",
    "inside a comment, another one outside": "/- theorem x (p q : Prop) : p → q := a -/\ntheorem y : True := trivial",
    "behind #exit": "#exit\ntheorem x (p q : Prop) : p → q := fun h => h",
    "private": "private theorem x (p q : Prop) : p → q := fun h => h",
    "a definition of that name": "def x (p q : Prop) : p → q := fun h => h",
    "an instance": "instance x (p q : Prop) : p → q := fun h => h",
    "an example": "example (p q : Prop) : p → q := fun h => h",
    "an abbreviation": "abbrev x := 1\ntheorem y (p q : Prop) : p → q := x",
    "variable": "variable (h : False)\ninclude h\ntheorem x (p q : Prop) : p → q := h.elim",
    "one more hypothesis": "theorem x (p q : Prop) (h : q) : p → q := fun _ => h",
    "an implicit False": "theorem x (p q : Prop) [h : Decidable False] (n : False) : p → q := n.elim",
    "another conclusion": "theorem x (p q : Prop) : p → p := id",
    "one variable for two": "theorem x (p : Prop) : p → p := id",
    "swapped": "theorem x (q p : Prop) : p → q → p := fun h _ => h",
    "True": "theorem x : True := trivial",
    "auto-bound": "theorem x : p → p := id",
    "shadowing False": "theorem False : True := trivial\ntheorem x (p q : Prop) : p → q := fun _ => False",
    "shadowing Not": "theorem Not (p : Prop) : p → p := id\ntheorem x (p q : Prop) : p → q := Not",
    "out of the namespace": "theorem _root_.x (p q : Prop) : p → q := fun h => h",
    "end of the namespace": "theorem a : True := trivial\nend\ntheorem x (p q : Prop) : p → q := fun h => h",
    "own namespace": "namespace X\ntheorem x (p q : Prop) : p → q := fun h => h\nend X",
    "section": "section\ntheorem x (p q : Prop) : p → q := fun h => h\nend",
    "notation": "notation \"q\" => True\ntheorem x (p q : Prop) : p → q := fun _ => trivial",
    "macro": "macro \"#print\" : command => `(#eval 1)\ntheorem x (p q : Prop) : p → q := fun h => h",
    "syntax": "syntax \"p → q\" : term\ntheorem x (p q : Prop) : p → q := fun h => h",
    "attribute": "@[simp] theorem a : True := trivial\ntheorem x (p q : Prop) : p → q := fun h => h",
    "implemented_by": "@[implemented_by a] theorem x (p q : Prop) : p → q := fun h => h",
    "set_option": "set_option debug.skipKernelTC true\ntheorem x (p q : Prop) : p → q := fun h => h",
    "set_option in": "set_option maxHeartbeats 0 in\ntheorem x (p q : Prop) : p → q := fun h => h",
    "allowed option with a tail": "set_option maxHeartbeats 4 axiom c : False\ntheorem x (p q : Prop) : p → q := c",
    "import with a tail": "import Mathlib axiom c : False\ntheorem x (p q : Prop) : p → q := c.elim",
    "open with a tail": "open Nat axiom c : False\ntheorem x (p q : Prop) : p → q := c.elim",
    "open in": "open Classical in\ntheorem x (p q : Prop) : p → q := fun h => h",
    "import of a file": "import Lean.Elab\ntheorem x (p q : Prop) : p → q := by run_tac pure ()",
    "its own name": "theorem x (p q : Prop) : p → q := x p q",
    "its own name in tactics": "theorem x (p q : Prop) : p → q := by\n  exact x p q",
    "each other": "theorem a (p q : Prop) : p → q := x p q\ntheorem x (p q : Prop) : p → q := a p q",
    "mutual": "mutual\ntheorem a (p q : Prop) : p → q := x p q\ntheorem x (p q : Prop) : p → q := a p q\nend",
    "universe of its own": "theorem x.{u} (p q : Sort u) : p → q := fun h => h",
    "nameless": "theorem : True := trivial",
    "hole for a name": "theorem _ (p q : Prop) : p → q := fun h => h",
    "guillemets": "theorem «x» (p q : Prop) : p → q := fun h => h",
    "no proof": "theorem x (p q : Prop) : p → q",
    "half a proof": "theorem x (p q : Prop) : p → q := by",
    "a body that swallows the next theorem": "theorem a : True := by (\ntheorem x (p q : Prop) : p → q := fun h => h",
    "a bracket over two theorems": "theorem a : True := (trivial\ntheorem x (p q : Prop) : p → q := fun h => h)",
    "deprecated": "theorem x (p q : Prop) : p → q := fun h => h\nderiving instance X for Y",
    "eval": "#eval 1\ntheorem x (p q : Prop) : p → q := fun h => h",
    "run_cmd": "theorem x (p q : Prop) : p → q := fun h => h\nrun_cmd pure ()",
    "initialize": "initialize x : Nat ← pure 0\ntheorem y (p q : Prop) : p → q := fun h => h",
}  # fmt: skip
HONEST_FILE = "-- an honest one\nlemma flip (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩\n\ntheorem x (p q : Prop) : p ∧ q → q ∧ p :=\n  flip p q"  # noqa: E501


@pytest.mark.parametrize(("attacks", "twin"), [(ATTACKS, MORE_HONEST), (FILES, HONEST_FILE)], ids=["bodies", "files"])
def test_no_attack_passes_and_each_honest_neighbour_does(
    lean: LeanVerifier, attacks: dict[str, str], twin: str
) -> None:
    items = []
    for attack in attacks.values():
        items += [(HARD, attack), (EASY, HONEST), (EASY, twin)]
    verdicts = lean.verify_batch(items)
    passed = [name for name, verdict in zip(attacks, verdicts[::3], strict=True) if verdict.is_pass]
    assert passed == []
    blameless = [
        name for name, verdict in zip(attacks, verdicts[::3], strict=True) if verdict.outcome is not Outcome.FAIL
    ]
    assert blameless == []
    harmed = [name for name, one, two in zip(attacks, verdicts[1::3], verdicts[2::3], strict=True)
              if not (one.is_pass and two.is_pass)]  # fmt: skip
    assert harmed == []


def unscanned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "read_candidate", lambda text, is_full: Candidate(text, None, "", text))


# What the second line of defence, without the scan, still has to stop.
@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        ("by\n  intro h\n  exact sorry", "cheat.sorry"),
        ("sorryAx _ true", "cheat.sorry"),
        ("fun h => nothing h", "lean.unknown_identifier"),
    ],
)
def test_a_placeholder_that_got_past_the_scan_is_seen(
    lean: LeanVerifier, monkeypatch: pytest.MonkeyPatch, candidate: str, reason: str
) -> None:
    unscanned(monkeypatch)
    verdict = lean.verify(HARD, candidate)
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, reason)
    assert lean.verify(EASY, HONEST).is_pass


@pytest.mark.parametrize(
    "candidate",
    [
        "c\naxiom c : False",
        "fun h => h --",
        "fun h => h /-",
        'fun h => "',
        "fun h => «",
        "fun h => h\n#exit",
        "fun h => h\nnamespace X",
        "fun h => h\nend",
        "fun h => h\nset_option warn.sorry false in",
        "x\naxiom c : ∀ p : Prop, p",
    ],
)
def test_breaking_out_of_the_splice_without_the_scan_still_proves_nothing(
    lean: LeanVerifier, monkeypatch: pytest.MonkeyPatch, candidate: str
) -> None:
    unscanned(monkeypatch)
    attack, honest = lean.verify_batch([(HARD, candidate), (EASY, HONEST)])
    assert not attack.is_pass
    assert honest.outcome is not Outcome.FAIL


class Gullible(EmbeddedLean):
    """A Lean whose first tier was taken over: it reports success whatever it is given. The audit is the real one."""

    def elaborate(self, text: str, *, header: str, candidates: int, limits: Limits) -> Elaboration:
        messages = [
            Message("information", number, 0, "", f"'{line.split()[-1]}' does not depend on any axioms")
            for number, line in enumerate(text.split("\n"), 1)
            if line.startswith("#print axioms pg_")
        ]
        return Elaboration(Ending.DONE, messages)


# Commands that the scan would never let through, with a theorem `x` that Lean itself accepts: what the audit must stop.
TAKEN_OVER = {
    "axiom": ("axiom c : False\ntheorem x (p q : Prop) : p → q := c.elim", "cheat.axiom"),
    "axiom of the statement": ("axiom x (p q : Prop) : p → q", "cheat.missing"),
    "axiom under a known name": (
        "axiom propext.c : False\ntheorem x (p q : Prop) : p → q := propext.c.elim", "cheat.axiom"
    ),
    "placeholder": ("theorem x (p q : Prop) : p → q := fun _ => sorryAx q true", "cheat.axiom"),
    "opaque with an axiom": (
        "axiom c : False\nopaque o : False := c\ntheorem x (p q : Prop) : p → q := o.elim", "cheat.axiom"
    ),
    "another statement": ("theorem x (p q : Prop) : p → p := id", "cheat.statement"),
    "one more hypothesis": ("theorem x (p q : Prop) (h : q) : p → q := fun _ => h", "cheat.statement"),
    "variable": ("variable (h : False)\ninclude h\ntheorem x (p q : Prop) : p → q := h.elim", "cheat.statement"),
    "a text that does not compile": ("theorem x (p q : Prop) : p → q := fun h => h", "lean.unstable"),
    "a definition": ("noncomputable def x (p q : Prop) : p → p := id", "cheat.missing"),
    "private": ("private theorem x (p q : Prop) : p → p := id", "cheat.missing"),
    "inside a comment": ("/- theorem x (p q : Prop) : p → q := id -/", "cheat.missing"),
    "own inductive type": (
        "inductive No : Prop\ntheorem x (p q : Prop) : p → No → q := fun _ h => h.rec", "cheat.kernel"
    ),
    "unsafe": ("unsafe def f : False := f\ntheorem x (p q : Prop) : p → p := id", "cheat.statement"),
    "exit": ("#exit", "cheat.missing"),
}  # fmt: skip


@pytest.fixture(scope="module")
def gullible() -> Iterator[LeanVerifier]:
    lean = LeanVerifier(backend=Gullible())
    yield lean
    lean.close()


@pytest.mark.parametrize(("text", "reason"), TAKEN_OVER.values(), ids=TAKEN_OVER)
def test_the_audit_stops_what_a_first_tier_that_was_taken_over_lets_through(
    gullible: LeanVerifier, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    monkeypatch.setattr(module, "read_candidate", lambda text, is_full: Candidate(text, "x", "", text))
    verdict, honest = gullible.verify_batch(
        [(HARD, text), (EASY, "theorem x (p q : Prop) : p ∧ q → q ∧ p := And.symm")]
    )
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, reason)
    assert honest.is_pass


def test_a_false_proof_that_was_reported_as_right_does_not_pass(gullible: LeanVerifier) -> None:
    verdict, honest = gullible.verify_batch([(HARD, "fun h => h"), (EASY, HONEST)])
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "lean.unstable")
    assert honest.is_pass


def test_a_theorem_about_something_else_is_refused_by_the_second_theorem(
    lean: LeanVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if a candidate could change what the header means: our header says one thing, our definition another.
    signature = module.Statement.signature
    monkeypatch.setattr(
        module.Statement, "signature", property(lambda self: signature.fget(self).replace("→ q", "→ p"))
    )
    verdict = lean.verify(HARD, "fun h => h")
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "cheat.statement")


def test_axioms_are_an_allow_list(lean: LeanVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = {"statement": "(p : Prop) : p ∨ ¬p"}
    assert lean.verify(problem, "Classical.em p").is_pass
    monkeypatch.setattr(module, "ALLOWED_AXIOMS", frozenset({"propext", "Quot.sound"}))
    verdict = lean.verify(problem, "Classical.em p")
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "cheat.axiom")
    assert lean.verify(EASY, HONEST).is_pass


def test_a_candidate_that_exhausts_its_limits_fails_and_takes_nobody_along() -> None:
    lean = LeanVerifier(cpu_seconds=2)
    loop = "(fun (_ : Nat.rec (motive := fun _ => Nat) 0 (fun _ k => k) 100000000 = 0) h => ⟨h.2, h.1⟩) rfl"
    verdicts = lean.verify_batch([(EASY, HONEST), (EASY, loop), (EASY, MORE_HONEST)])
    assert [v.is_pass for v in verdicts] == [True, False, True]
    assert verdicts[1].outcome is Outcome.FAIL
    assert verdicts[1].reason in ("lean.timeout", "lean.resource")


EXHAUSTING = {
    "endless simp": ("(f : Nat → Nat) (h : ∀ x, f x = f (x + 1)) : f 0 = 1", "by\n  simp [h]"),
    "simp both ways": ("(f g : Nat → Nat) (h : ∀ x, f x = g x) (k : ∀ x, g x = f x) : f 0 = 1", "by simp [h, k]"),
    "decide on a huge number": (": 10 ^ 100000 < 10 ^ 99999", "by decide"),
    "decide on a huger number": (": 2 ^ 2 ^ 2 ^ 2 ^ 2 ^ 2 = 0", "by decide"),
    "rfl on a huge number": (": 2 ^ 100000000 = 0", "rfl"),
    "endless rewriting": ("(f : Nat → Nat) (h : ∀ x, f x = f (x + 1)) : f 0 = 1", "by\n" + "  rw [h]\n" * 2000),
    "a wide split": ("(p q r : Prop) : p", "by\n  " + "by_cases h : p <;> " * 14 + "skip"),
}  # fmt: skip


@pytest.mark.parametrize(("statement", "candidate"), EXHAUSTING.values(), ids=EXHAUSTING)
def test_what_never_ends_is_a_failure_in_time(lean: LeanVerifier, statement: str, candidate: str) -> None:
    started = time.monotonic()
    verdict, honest = lean.verify_batch([({"statement": statement}, candidate), (EASY, HONEST)])
    assert verdict.outcome is Outcome.FAIL
    assert honest.is_pass
    assert time.monotonic() - started < 60


def test_endless_output_is_cut_off_without_harm(lean: LeanVerifier) -> None:
    wide = "by\n" + "  first | exact " + "(h : p ∧ q) " * 700 + "\n  | skip"
    attack, honest = lean.verify_batch([(HARD, wide), (EASY, HONEST)])
    assert attack.outcome is Outcome.FAIL
    assert token_estimate(attack.feedback) <= 300
    assert honest.is_pass


@pytest.mark.parametrize(
    "statement",
    [
        "(p : Prop) : p := h\naxiom c : False\ntheorem x : True",
        "(p : Prop) : p -- ",
        "(p : Prop) : p /-",
        '(p : Prop) : "',
        "(p : Prop) : sorry",
        "(p : Prop) : p\n#exit",
        "(p : Prop) : p where",
        "(h : p := by exact c) : p",
    ],
)
def test_a_statement_cannot_break_out_either(lean: LeanVerifier, statement: str) -> None:
    with pytest.raises(ProblemError):
        lean.verify({"statement": statement}, HONEST)


def test_names_are_fresh_in_every_file() -> None:
    names = {name for _ in range(50) for name, _ in module._write([], restate=False).canaries}
    assert len(names) == 100
