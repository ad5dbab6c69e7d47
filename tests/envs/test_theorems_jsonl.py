"""Theorems from JSON Lines files: what a row may look like, what is refused, and a full run with real Lean."""

from __future__ import annotations

import functools
import json
import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.envs.base import HELD_OUT, TRAIN, Env, Task
from proofgrad.envs.splits import split_of
from proofgrad.envs.testing import EnvContract, corrupt_proof, judge, prompt_text
from proofgrad.envs.theorems.declaration import body_of, normal_form
from proofgrad.envs.theorems.jsonl import JsonlTheoremsEnv, record_of
from proofgrad.envs.theorems.propositional import PropositionalEnv
from proofgrad.envs.theorems.recorded import RowError
from proofgrad.verifiers.base import Outcome, Verifier
from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.lean.checker import LeanVerifier

SAMPLE = Path(__file__).parents[1] / "data" / "theorems.jsonl"
HEADER = "import Mathlib\nimport Aesop\nset_option maxHeartbeats 400000\nopen BigOperators Real Nat Topology Rat"


@functools.cache
def lean() -> LeanVerifier:
    return LeanVerifier()


def write(path: Path, rows: Iterable[object]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def row(statement: str = "theorem t (p : Prop) : p → p := by", **fields: object) -> dict[str, object]:
    return {"formal_statement": statement, **fields}


@pytest.fixture(scope="session")
def proved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough rows for the contract: theorems with proofs from the procedural environment, written as a data set."""
    rows = [
        row(f"theorem t{i} {task.problem['statement']} := by\n", name=f"t{i}", formal_proof=proof)
        for i, (task, proof) in enumerate(PropositionalEnv(max_level=2).demonstrations(220, 0))
    ]
    return write(tmp_path_factory.mktemp("rows") / "proved.jsonl", rows)


class TestContract(EnvContract):
    sample_size = 30
    judged = 60
    unattainable_options: dict[str, Any] = {}  # noqa: RUF012  the base class has it so

    @pytest.fixture(autouse=True)
    def _file(self, proved: Path) -> None:
        self.path = proved

    def make_env(self, **options: Any) -> Env:
        return JsonlTheoremsEnv(self.path, **options)

    def make_verifier(self) -> Verifier:
        return lean()

    def corrupt(self, task: Task, completion: str, rng: random.Random) -> str:
        return corrupt_proof(completion, rng)

    def test_tasks_name_their_split_source_and_verifier(self) -> None:
        for split in (TRAIN, HELD_OUT):
            for task in self.make_env().tasks(split, 12, 5):
                assert (task.split, task.verifier) == (split, "lean")
                assert re.fullmatch(r"theorems_jsonl@proved\.jsonl:\d+ t\d+", task.source)

    def test_a_wrong_option_is_a_configuration_error(self) -> None:
        for options in ({"style": "prose"}, {"only_splits": ["exam"]}, {"only_splits": "test"}, {"header": "def x"}):
            with pytest.raises(ConfigError, match=r"prose|exam|test|def x"):
                self.make_env(**options)

    def test_demonstrations_may_be_easier_than_tasks(self) -> None:
        """They are the training rows that have a proof, and no others."""
        env = self.make_env()
        with pytest.raises(ConfigError, match="with a proof and 221 were asked for"):
            list(env.demonstrations(221, 0))


def all_tasks(env: JsonlTheoremsEnv) -> dict[str, Task]:
    """The tasks of both splits by the name in their source."""
    tasks = [task for split, size in env.sizes.items() for task in env.tasks(split, size, 0)]
    return {task.source.split()[-1]: task for task in tasks}


def test_the_sample_runs_from_rows_to_verdicts() -> None:
    records = [record_of(json.loads(line), "sample") for line in SAMPLE.read_text("utf-8").splitlines()]
    gold = [(r, r.proof) for r in records if r.proof is not None]
    assert len(gold) >= 8
    env = JsonlTheoremsEnv(SAMPLE, style="chat")
    tasks = all_tasks(env)
    pairs = [(tasks[r.name], env.extract(f"So:\n```lean4\n{proof}\n```") or "") for r, proof in gold]
    for (task, proof), verdict in zip(pairs, judge(lean(), pairs), strict=True):
        assert verdict.outcome is Outcome.PASS, f"{task.source}\n{proof}\n{verdict}"
    wrong = [(tasks[r.name], "by\n  exact h99") for r in records]
    assert {verdict.outcome for verdict in judge(lean(), wrong)} == {Outcome.FAIL}


def test_every_way_of_giving_a_proof_gives_a_body() -> None:
    statement = "theorem t (p q : Prop) (h : p ∧ q) : q ∧ p"
    body = "by\n  constructor\n  · exact h.2\n  · exact h.1"
    tactics = body.removeprefix("by\n")
    ways = [
        row(f"{statement} := {body}"),
        row(f"{statement} := by", formal_proof=body),
        row(f"{statement} := by sorry", proof=f":= {body}"),
        row(f"{statement} :=", formal_proof=f"-- swap\n{statement} := {body}"),
        row(f"{statement}", proof=f"{HEADER}\n\n/-- Swap. -/\nlemma other (a : Prop) : a := {body}"),
        row(f"{statement} := by", formal_proof=tactics),
        row(f"{statement} := by\n  sorry", formal_proof=tactics.lstrip()),
        row(f"{statement} := by", formal_proof=tactics.replace("\n  ", "\n").lstrip(), proof="ignored"),
    ]
    assert [record_of(way, "").proof for way in ways] == [body] * len(ways)


@pytest.mark.parametrize(
    "tail", ["", " :=", " := by", " := by\n", " := sorry", " := by sorry", " := by\n  sorry", " := by -- here\n  sorry"]
)
def test_a_statement_without_a_proof_may_end_in_these_ways(tail: str) -> None:
    record = record_of(row(f"theorem t (p : Prop) : p → p{tail}"), "")
    assert (record.statement, record.proof) == ("(p : Prop) : p → p", None)


@pytest.mark.parametrize("proof", ["by sorry", "by\n  have h : p := sorry\n  exact h", "  intro h\n  admit", "-- none"])
def test_a_proof_with_a_placeholder_is_none(proof: str) -> None:
    assert record_of(row(formal_proof=proof), "").proof is None


def test_a_row_of_the_minif2f_family_keeps_its_header_and_its_layout() -> None:
    record = record_of(
        row(
            "/-- Not read. -/\ntheorem algebra_1 (x y : ℝ) -- two numbers\n"
            "    (h₀ : x^2 - 3 / y = 1) : Real.sqrt (x^2) ≥ 0 := by",
            name="algebra_1", split="test", header=f"{HEADER}\n\n", goal="x : ℝ\n⊢ x = x",
            informal_prefix="/-- Show that a root is no less than 0. -/\n",
        ),
        "f.jsonl:1",
    )  # fmt: skip
    assert record.statement == "(x y : ℝ) (h₀ : x^2 - 3 / y = 1) : Real.sqrt (x^2) ≥ 0"
    assert record.header == HEADER
    assert record.split == HELD_OUT
    assert record.head.startswith("theorem algebra_1 (x y : ℝ)\n    (h₀")
    assert record.informal == "/-- Show that a root is no less than 0. -/"


def test_header_lines_in_the_statement_join_the_header() -> None:
    text = (
        "open Nat\n  Int\nuniverse u\nnoncomputable section\n\nset_option maxHeartbeats 0 in\n"
        "@[simp, norm_cast]\nprivate lemma a_b : 1 + 1 = 2 := by"
    )
    record = record_of(row(text, header="import Mathlib"), "")
    assert record.header == (
        "import Mathlib\nopen Nat Int\nuniverse u\nnoncomputable section\nset_option maxHeartbeats 0"
    )
    assert (record.statement, record.name) == (": 1 + 1 = 2", "a_b")
    assert record_of(row(text.replace("1", "p"), header="import Mathlib"), "", header="open Int").header == "open Int"


def test_prompts_show_the_header_and_the_theorem(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [row(header="open Foo", informal_prefix="Trivial.", split="test")])
    (plain,) = JsonlTheoremsEnv(path).tasks(HELD_OUT, 1, 0)
    assert plain.prompt == "open Foo\n\ntheorem t (p : Prop) : p → p :=\n"
    assert plain.problem == {"statement": "(p : Prop) : p → p", "header": "open Foo"}
    (chat,) = JsonlTheoremsEnv(path, style="chat").tasks(HELD_OUT, 1, 0)
    assert prompt_text(chat).startswith(
        "Complete the following Lean 4 code:\n\n```lean4\nopen Foo\n\n"
        "/-- Trivial. -/\ntheorem t (p : Prop) : p → p := by\n  sorry\n```\n"
    )
    (bare,) = JsonlTheoremsEnv(path, header="").tasks(HELD_OUT, 1, 0)
    assert bare.problem == {"statement": "(p : Prop) : p → p"}


def test_the_rows_own_split_decides_and_else_the_hash() -> None:
    tasks = all_tasks(JsonlTheoremsEnv(SAMPLE))
    assert tasks["and_swap"].split == TRAIN
    assert {tasks[name].split for name in ("not_both", "contrapose", "exists_not")} == {HELD_OUT}
    for name in ("curry", "iff_self_and"):
        assert tasks[name].split == split_of(normal_form(str(tasks[name].problem["statement"])))


def test_only_the_wanted_splits_are_read() -> None:
    assert set(all_tasks(JsonlTheoremsEnv(SAMPLE, only_splits=["test"]))) == {"contrapose", "exists_not"}


def test_equal_statements_are_one_task_and_held_out_wins(tmp_path: Path) -> None:
    rows = [
        row("theorem a (p : Prop) : p → p", split="train"),
        row("theorem b (q  : Prop) : q → q", split="test", proof="fun h => h"),
        row("theorem c (p q : Prop) : p → q → p", split="train"),
        row("theorem d (q p : Prop) : q → p → q := fun h _ => h", split="train"),
    ]
    env = JsonlTheoremsEnv(write(tmp_path / "a.jsonl", rows))
    assert {name: task.split for name, task in all_tasks(env).items()} == {"b": HELD_OUT, "d": TRAIN}
    assert [(task.source, proof) for task, proof in env.demonstrations(1, 0)] == [
        ("theorems_jsonl@a.jsonl:4 d", "fun h _ => h")
    ]


def test_a_folder_is_all_of_its_files(tmp_path: Path) -> None:
    for name in "ba":
        write(tmp_path / f"{name}.jsonl", [row(f"theorem {name} ({name} : Prop) : {name} → {name} ∧ {name}")])
    write(tmp_path / "c.jsonl", [row("theorem c : True")])
    (tmp_path / "notes.txt").write_text("not a row")
    assert set(all_tasks(JsonlTheoremsEnv(tmp_path))) == {"a", "c"}
    assert set(all_tasks(JsonlTheoremsEnv([str(tmp_path / "c.jsonl")]))) == {"c"}


MALFORMED = {
    "'formal_statement' is missing": {},
    "'formal_statement' is of type int": row() | {"formal_statement": 3},
    "'formal_statement' holds no 'theorem'": row("-- nothing here"),
    "'formal_statement' must hold one 'theorem' or 'lemma'; it has 'def'": row("def x : Nat := 1"),
    "'formal_statement' has a 'theorem' without a name": row("theorem : True := by"),
    "'formal_statement' has no ':'": row("theorem t (p : Prop) := by"),
    "'formal_statement' has no type": row("theorem t (p : Prop) : := by"),
    "'formal_statement' lacks a ')'": row("theorem t (p : Prop : p → p"),
    "'formal_statement' has a ']' that closes nothing": row("theorem t (p : Prop] : p → p := by"),
    "'formal_statement' holds more than one command: 'theorem'": row("theorem a : True := trivial\ntheorem b : False"),
    "'formal_statement' holds a comment that begins in line 2": row("theorem a : True :=\n  /- by"),
    "'formal_statement' holds a string that begins in line 1": row('theorem a : "True := by'),
    "'formal_statement' cannot be judged": row("theorem t : #eval = 1 := by"),
    "'formal_statement' holds the character U+0000": row("theorem t : \0True := by"),
    "'formal_statement' holds the character U+D800": row("theorem t : \ud800True := by"),
    "'header' holds 'axiom cheat : False'": row(header="import Mathlib\naxiom cheat : False"),
    "'header' is of type list": row(header=["import Mathlib"]),
    "'split' is 'exam'": row(split="exam"),
    "'name' is of type int": row(name=7),
    "'formal_proof' holds a comment": row(formal_proof="by /- trivial"),
    "'informal_prefix' is of type dict": row(informal_prefix={}),
    "the row is no JSON object": ["a", "list"],
}


@pytest.mark.parametrize("said", MALFORMED)
def test_a_malformed_row_is_one_line_with_file_line_and_field(said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(f"{json.dumps(row())}\n\n{json.dumps(MALFORMED[said])}\n")
    with pytest.raises(ConfigError) as caught:
        JsonlTheoremsEnv(path)
    assert str(caught.value).startswith(f"{path}:3: {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", ["{", "{'a': 1}", "[" * 100_000, '{"formal_statement": 1e999999'])
def test_a_line_that_is_no_json_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(line)
    with pytest.raises(ConfigError, match=r"bad\.jsonl:1: the row is not JSON \([^\n]*\)$"):
        JsonlTheoremsEnv(path)


def test_one_name_for_two_statements_is_an_error(tmp_path: Path) -> None:
    rows = [row(name="x"), row("theorem u (q : Prop) : q → q", name="x"), row("theorem v : True", name="x")]
    with pytest.raises(ConfigError, match=r"a\.jsonl:3: 'name' 'x' belongs to another statement in a\.jsonl:1"):
        JsonlTheoremsEnv(write(tmp_path / "a.jsonl", rows))


def test_refused_statements_can_be_left_out_and_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "a.jsonl", [row(), row("theorem u : #eval = 1", split="test")])
    with pytest.raises(ConfigError, match=r"a\.jsonl:2: 'formal_statement' cannot be judged: .*skip_refused"):
        JsonlTheoremsEnv(path)
    env = JsonlTheoremsEnv(path, skip_refused=True)
    assert env.left_out == {"refused by the verifier": 1}
    assert "left out 1 of 2 rows" in caplog.text
    assert sum(env.sizes.values()) == 1
    with pytest.raises(ConfigError, match="no row to read"):
        JsonlTheoremsEnv(path, skip_refused=True, only_splits=["test"])


def test_files_that_are_not_there_are_configuration_errors(tmp_path: Path) -> None:
    (tmp_path / "latin.jsonl").write_bytes(b'{"name": "\xe9"}')
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "folder").mkdir()
    for name in ("nowhere.jsonl", "latin.jsonl", "empty.jsonl", "folder"):
        with pytest.raises(ConfigError, match=name):
            JsonlTheoremsEnv(tmp_path / name)
    with pytest.raises(ConfigError, match="names no file"):
        JsonlTheoremsEnv([])


# Reading an answer

BODY = "by\n  intro h\n  exact h"


@pytest.mark.parametrize(
    "block",
    [
        BODY,
        f":= {BODY}",
        f"theorem t (p : Prop) : p → p := {BODY}",
        f"lemma anything_else : 2 + 2 = 5 := {BODY}",
        f"{HEADER}\n\n/-- A docstring with := in it. -/\n@[simp] theorem t (p : Prop := q) : p → p :=\n{BODY}\n",
        f"import Mathlib\n\n{BODY}",
    ],
)
def test_only_the_body_of_a_block_is_taken(block: str) -> None:
    env = JsonlTheoremsEnv(SAMPLE, style="chat")
    for fence in ("lean4", "lean", ""):
        assert env.extract(f"```lean4\nold\n```\nSo:\n```{fence}\n{block}\n```\nDone.") == BODY


def test_comments_go_and_lines_stay_where_they_are() -> None:
    env = JsonlTheoremsEnv(SAMPLE)
    assert env.extract("by -- first\n  /- then\n that -/\n  intro h\n  exact h") == "by\n\n\n  intro h\n  exact h"
    assert env.extract("by /- one -/ intro h\n             exact h") == "by           intro h\n             exact h"


def test_a_block_with_helpers_is_handed_over_whole_with_what_it_opens() -> None:
    block = f"{HEADER}\n\nlemma helper (q : Prop) : q → q := fun h => h\n\ntheorem t (p : Prop) : p → p := helper p"
    handed = JsonlTheoremsEnv(SAMPLE, style="chat").extract(f"```lean4\n{block}\n```")
    assert handed == block[block.index("open ") :].replace("\n\nlemma", "\nlemma")


def test_a_statement_in_the_answer_changes_nothing() -> None:
    env = JsonlTheoremsEnv(SAMPLE, style="chat")
    task = all_tasks(env)["not_both"]
    cheat = env.extract("```lean4\ntheorem not_both (p : Prop) : True := trivial\n```")
    assert cheat == "trivial"
    assert lean().verify(task.problem, cheat).outcome is Outcome.FAIL


PIECES = st.sampled_from(
    ["by", "\n", "  ", "exact h", ":=", "theorem t", "lemma", "import A", "--", "/-", "-/", '"', "(", ")", "h", ":",
     "@[", "«", "'", "⟨", "\\", "end", "open X in", "#eval", "\r", "é", "sorry"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map(" ".join))
def test_any_block_gives_some_text_and_only_pieces_of_it(block: str) -> None:
    handed = body_of(block)
    assert set(handed.split()) <= set(block.split()) | set(re.findall(r"\S+", re.sub(r"--|/-|-/|:=|\s", " ", block)))


# The normal form

NAMES = st.lists(st.sampled_from(["p", "q", "r", "h₀", "x'", "hp"]), min_size=3, max_size=3, unique=True)


@given(NAMES, NAMES, st.integers(1, 3))
def test_the_form_forgets_the_names_of_outer_binders_and_spaces(one: list[str], other: list[str], gap: int) -> None:
    def statement(a: str, b: str, c: str, space: str) -> str:
        return f"({a} {b} :{space}Prop) [Foo {a}]{space}({c} : {a} ∧ {b}.1 xᵀ) : ∀ z, z → {c}.left = {b}"

    assert normal_form(statement(*one, " ")) == normal_form(statement(*other, " " * gap))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(p q : Prop) : p → q", "(p q : Prop) : q → p"),
        ("[Ring R] : R = R", "[Group R] : R = R"),
        ("(p : Prop) : f (p := 1)", "(q : Prop) : f (q := 1)"),
        ("(x : Nat) (y : Int) : xᵀ = y", "(y : Nat) (x : Int) : xᵀ = y"),
        ("(p : Prop) (p : Nat) : p = p", "(p : Prop) (q : Nat) : p = p"),
        ("(x : A) : a.x = x", "(y : A) : a.y = y"),
        ("(x : A) : f x .x", "(y : A) : f y .y"),
        ('(x : A) : s!"{x}" = y', '(y : A) : s!"{x}" = y'),
        (": 12 = 3", ": 1 2 = 3"),
    ],
)
def test_the_form_tells_different_statements_apart(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


# Any row gives a record or one line

VALUES = st.one_of(
    st.none(), st.integers(), st.lists(st.text(max_size=3), max_size=2), st.text(max_size=40),
    st.lists(PIECES, max_size=10).map(" ".join),
)  # fmt: skip
KEYS = st.sampled_from(
    ["name", "split", "informal_prefix", "formal_statement", "goal", "header", "formal_proof", "proof", "else"]
)
GOOD = [json.loads(line) for line in SAMPLE.read_text("utf-8").splitlines()]


@st.composite
def mutated_rows(draw: st.DrawFn) -> dict[str, Any]:
    """A good row, with values replaced or with a piece put in or a stretch cut out of a string."""
    made = dict(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 3))):
        key = draw(KEYS)
        value = made.get(key)
        if isinstance(value, str) and value and draw(st.booleans()):
            at = draw(st.integers(0, len(value)))
            made[key] = value[:at] + draw(PIECES) + value[at + draw(st.integers(0, 6)) :]
        else:
            made[key] = draw(VALUES)
    return made


def refusal(error: type[Exception], read: Callable[[], object]) -> str | None:
    """The one line with which `read` refuses, or None if it does not; other exceptions come through."""
    try:
        read()
    except error as caught:
        return str(caught)
    return None


@given(mutated_rows())
def test_any_mutated_row_gives_a_record_or_one_line_that_names_the_field(mutated: dict[str, Any]) -> None:
    said = refusal(RowError, lambda: record_of(mutated, ""))
    field = "name|split|informal_prefix|formal_statement|header|formal_proof|proof"
    assert said is None or re.fullmatch(rf"'({field})' [^\n]+", said)


@settings(deadline=None)  # it writes files
@given(mutated_rows())
def test_any_mutated_file_gives_tasks_or_one_line_with_file_line_and_field(
    tmp_path_factory: pytest.TempPathFactory, mutated: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.jsonl"
    path.write_text(f"{json.dumps(GOOD[-1])}\n{json.dumps(mutated)}\n", "utf-8")
    said = refusal(ConfigError, lambda: all_tasks(JsonlTheoremsEnv(path)))
    assert said is None or re.search(r"mutated\.jsonl:2: '[a-z_]+' [^\n]+\Z", said)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_tasks_or_one_line_that_names_the_file(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(data)
    said = refusal(ConfigError, lambda: all_tasks(JsonlTheoremsEnv(path)))
    assert said is None or re.fullmatch(r"[^\n]*any\.jsonl[^\n]*", said)
