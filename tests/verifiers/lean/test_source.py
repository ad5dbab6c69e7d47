import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofgrad.verifiers import ProblemError
from proofgrad.verifiers.lean.source import Statement, header_in, header_of, parse_statement, split_file, statement_of


def test_a_statement_is_split_at_its_outermost_colon() -> None:
    statement = parse_statement("(p q : Prop)\n  (h : p) : ∀ x : Prop, x → p")
    assert statement == Statement("(p q : Prop) (h : p)", "∀ x : Prop, x → p")
    assert statement.proposition == "∀ (p q : Prop) (h : p), ∀ x : Prop, x → p"
    assert statement.signature == "(p q : Prop) (h : p) : ∀ x : Prop, x → p"


def test_a_statement_may_have_no_binders() -> None:
    assert parse_statement(": True").proposition == "True"


@pytest.mark.parametrize(
    "text",
    ["", "p → p", "(p : Prop) :",
     "(p : Prop) : p := h", "(p : Prop := True) : p", "(p : Prop) : p -- c", "(p : Prop : p",
     "(p : Prop) : p\naxiom x : False", '(s : "x") : p', "(p : Prop) : by exact p", "(h : sorry) : p"],
)  # fmt: skip
def test_a_malformed_statement_is_the_authors_mistake(text: str) -> None:
    with pytest.raises(ProblemError):
        parse_statement(text)


@pytest.mark.parametrize("problem", [{}, {"statement": 3}, {"statement": None}, {"theorem": ": True"}])
def test_a_problem_without_a_statement_is_refused(problem: dict[str, object]) -> None:
    with pytest.raises(ProblemError, match="statement"):
        statement_of(problem)


def test_a_file_is_split_into_statement_and_body() -> None:
    comments = "-- a comment\n\n/- another\n one -/\n"
    text = comments + "theorem swap (p q : Prop) : p ∧ q → q ∧ p := by\n  intro h\n  exact ⟨h.2, h.1⟩\n"
    assert split_file(text) == ("(p q : Prop) : p ∧ q → q ∧ p", "by\n  intro h\n  exact ⟨h.2, h.1⟩")


@pytest.mark.parametrize(
    "text",
    ["", "def x := 1", "theorem x : True", "theorem : True := trivial", "theorem a : True := trivial\ndef b := 1",
     "theorem a (p : Prop := True) : p"],
)  # fmt: skip
def test_a_file_of_another_shape_is_refused_with_one_line(text: str) -> None:
    with pytest.raises(ProblemError) as caught:
        split_file(text)
    assert "\n" not in str(caught.value)


NAMES = st.sampled_from(["p", "q", "r'", "x₁", "Foo.bar"])
BODIES = st.sampled_from(["trivial", "by\n  intro h\n  exact h", "fun h => (h : p := q)", "by have x := y; exact x"])


@given(NAMES, st.sampled_from(["(p q : Prop) : p → q", ": True", "{α : Type} (f : α → α) : ∀ x, f x = x"]), BODIES)
def test_split_undoes_join(name: str, statement: str, body: str) -> None:
    assert split_file(f"theorem {name} {statement} := {body}") == (statement, body)


def test_lemmas_before_the_theorem_are_judged_with_it() -> None:
    text = "import Mathlib\n\nlemma a (p : Prop) : p → p := id\n\ntheorem b : True → True := a True\n"
    assert split_file(text) == (": True → True", text)
    assert split_file("import Mathlib\n-- easy\ntheorem x : True := trivial")[1] == "trivial"


@pytest.mark.parametrize("header", ["axiom c : False", "import Mathlib\ntheorem x : False := sorry", 5])
def test_a_header_holds_imports_and_options_only(header: object) -> None:
    with pytest.raises(ProblemError) as caught:
        header_of({"header": header})
    assert "\n" not in str(caught.value)


def test_a_header_ends_with_a_newline_and_may_be_left_out() -> None:
    assert header_of({"header": "import Mathlib\nopen Real"}) == "import Mathlib\nopen Real\n"
    assert header_of({}) is header_of({"header": ""}) is None


def test_a_statement_with_a_header_may_use_what_the_whole_library_writes() -> None:
    problem = {"statement": "(x : ℝ) (h : |x| ≤ 1) : {y | y ≤ x} = {y : ℝ | y - 0 ≤ x}", "header": "import Mathlib"}
    assert statement_of(problem).type == "{y | y ≤ x} = {y : ℝ | y - 0 ≤ x}"
    with pytest.raises(ProblemError):
        statement_of({"statement": problem["statement"]})
    with pytest.raises(ProblemError):
        statement_of({"statement": "(x : ℝ) : x = x\naxiom c : False", "header": "import Mathlib"})


def test_a_files_header_ends_where_its_first_declaration_begins() -> None:
    text = "-- about\nimport Mathlib\nopen Real\n\ntheorem x : True := trivial\nopen Nat\n"
    assert header_in(text) == "import Mathlib\nopen Real\n"
    assert header_in("theorem x : True := trivial") == ""
