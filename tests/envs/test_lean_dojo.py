"""LeanDojo Benchmark 4: states become statements, traces become proofs, and what cannot is counted."""

from __future__ import annotations

import functools
import json
import logging
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.envs.base import HELD_OUT, TRAIN, Env, Task
from proofgrad.envs.testing import judge, prompt_text
from proofgrad.envs.theorems.lean_dojo import LeanDojoEnv, record_of, row_of, trace_repository, write_rows
from proofgrad.envs.theorems.recorded import RowError
from proofgrad.envs.theorems.tactic_state import IrrecoverableError, Step, replay, statement_from_state
from proofgrad.verifiers.base import Outcome
from proofgrad.verifiers.errors import ConfigError, MissingExtraError, ToolchainError
from proofgrad.verifiers.lean.checker import LeanVerifier

SAMPLE = Path(__file__).parents[1] / "data" / "lean_dojo"
ROWS: list[dict[str, Any]] = [
    row for name in ("train", "val", "test") for row in json.loads((SAMPLE / f"{name}.json").read_text("utf-8"))
]
BY_NAME = {row["full_name"].removeprefix("Samples."): row for row in ROWS}


@functools.cache
def lean() -> LeanVerifier:
    return LeanVerifier()


def all_tasks(env: LeanDojoEnv) -> dict[str, Task]:
    """The tasks of both splits by the name in their source."""
    tasks = [task for split, size in env.sizes.items() for task in env.tasks(split, size, 0)]
    return {task.source.split("Samples.")[-1]: task for task in tasks}


# States


@pytest.mark.parametrize(
    ("state", "statement"),
    [
        ("⊢ True", ": True"),
        ("p q : Prop\nh : p ∧ q\n⊢ q ∧ p", "(p q : Prop) (h : p ∧ q) : q ∧ p"),
        ("n : ℕ\r\n⊢ n = n", "(n : ℕ) : n = n"),
        ("α : Type u_1\nβ : Sort (max (u_2 + 1) u_1)\n⊢ f.{u_2, 0} = α",
         "(α : Type u) (β : Sort (max (v + 1) u)) : f.{v, 0} = α"),
        ("R : Type u\ninst✝¹ : Ring R\ninst✝ : Foo R\n⊢ P R", "(R : Type u) [Ring R] [Foo R] : P R"),
        ("inst✝¹ inst✝ : Foo\nthis : P\n⊢ Q", "[Foo] [Foo] (this : P) : Q"),
        ("h :\n  ∀ (x : ℕ),\n    p x\n⊢ p 0 ∧\n    p 1", "(h : ∀ (x : ℕ), p x) : p 0 ∧ p 1"),
        ("f : ℕ → ℕ\nhf : (f : ℕ → ℕ) = g\n⊢ a :: l = l", "(f : ℕ → ℕ) (hf : (f : ℕ → ℕ) = g) : a :: l = l"),
    ],
)  # fmt: skip
def test_a_state_becomes_a_statement(state: str, statement: str) -> None:
    assert statement_from_state(state) == statement


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("no goals", "no goal"),
        ("", "no goal"),
        ("p : Prop\n⊢ p\n\np : Prop\n⊢ p", "several goals"),
        ("case inl\np : Prop\n⊢ p", "case tag"),
        ("p : Prop\nh✝ : p\n⊢ p", "inaccessible name"),
        ("inst✝ : Foo\nh : bar inst✝ = 1\n⊢ p", "inaccessible name"),
        ("⊢ x✝ = x✝", "inaccessible name"),
        ("x : ?α\n⊢ p", "metavariable"),
        ("⊢ ?m.123 = 1", "metavariable"),
        ("h : foo ⋯ = 1\n⊢ p", "elided term"),
        ("n : Nat := 5\n⊢ n = 5", "local definition"),
        ("a : Type u_1\nb : Type u_2\nc : Type u_3\nd : Type u_4\n⊢ p", "more than three universes"),
        ("what is this\n⊢ p", "unreadable state"),
        ("h :\n⊢ p", "unreadable state"),
        ("p : Prop ⊢ p", "unreadable state"),
        ("⊢ ", "unreadable state"),
    ],
)
def test_a_state_that_cannot_be_turned_back_is_refused_with_its_reason(state: str, reason: str) -> None:
    with pytest.raises(IrrecoverableError) as caught:
        statement_from_state(state)
    assert caught.value.reason == reason


NAMES = st.lists(st.sampled_from(["p", "q", "h₀", "x'", "α"]), min_size=1, max_size=3, unique=True)
TYPES = st.sampled_from(["Prop", "Type", "p ∧ q", "∀ (x : ℕ), p x → (q : Prop)", "{x | x = 1} = s"])


@given(st.lists(st.tuples(NAMES, TYPES), max_size=4), TYPES, st.integers(1, 4))
def test_a_state_and_its_statement_say_the_same(context: list[tuple[list[str], str]], goal: str, indent: int) -> None:
    """However Lean broke the lines."""
    broken = "\n" + " " * indent
    state = "".join(f"{' '.join(names)} :{broken}{kind.replace(', ', ',' + broken)}\n" for names, kind in context)
    binders = "".join(f"({' '.join(names)} : {kind}) " for names, kind in context)
    assert statement_from_state(f"{state}⊢ {goal.replace(', ', ',' + broken)}") == f"{binders}: {goal}"


@given(st.text(alphabet="⊢✝:?⋯=αpu_1 ()\n.{}Typecas", max_size=60))
def test_any_state_gives_a_statement_or_a_reason(state: str) -> None:
    try:
        statement = statement_from_state(state)
    except IrrecoverableError:
        return
    assert "✝" not in statement
    assert " : " in f" {statement}"


# Proofs


def test_a_trace_without_bullets_is_put_together() -> None:
    record = record_of(BY_NAME["and_swap"])
    assert record.proof == "by\n  constructor\n  exact h.2\n  exact h.1"


def test_tactics_inside_a_tactic_are_not_said_twice() -> None:
    record = record_of(BY_NAME["or_swap"])
    assert record.proof == "by\n  intro h\n  cases h with\n  | inl a => exact Or.inr a\n  | inr b => exact Or.inl b"


def test_bullets_stand_for_what_is_inside_them() -> None:
    before, left, right = "⊢ p ∧ q", "case left\n⊢ p", "case right\n⊢ q"
    steps = [
        Step("constructor", before, f"{left}\n\n{right}"),
        Step("· exact a", f"{left}\n\n{right}", right),
        Step("exact a", left, "no goals"),
        Step("· show q\n  exact b", right, "no goals"),
        Step("show q", right, right),
        Step("exact b", right, "no goals"),
    ]
    assert replay(steps) == "by\n  constructor\n  · exact a\n  · show q\n    exact b"


def test_steps_that_do_not_reach_the_end_are_no_proof() -> None:
    assert replay([]) is None
    assert replay([Step("simp", "⊢ p", "⊢ q")]) is None
    assert replay([Step("simp", "⊢ p", "⊢ q"), Step("exact h", "⊢ r", "no goals")]) is None
    assert record_of(BY_NAME["not_put_together"]).proof is None


# The environment


def test_the_sample_runs_from_rows_to_verdicts(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        env = LeanDojoEnv(SAMPLE, style="chat")
    assert isinstance(env, Env)
    assert env.left_out == {"case tag": 1, "inaccessible name": 1, "local definition": 1, "no tactics": 1}
    assert "left out 4 of 12 theorems" in caplog.text
    gold = list(env.demonstrations(3, 0))
    others = [record_of(BY_NAME[name]) for name in ("swap_and_again", "not_both", "contrapose")]
    pairs = [(task, env.extract(completion) or "") for task, completion in gold]
    pairs += [(all_tasks(env)[record.name.removeprefix("Samples.")], record.proof or "") for record in others]
    for (task, proof), verdict in zip(pairs, judge(lean(), pairs), strict=True):
        assert verdict.outcome is Outcome.PASS, f"{task.source}\n{proof}\n{verdict}"
    spoilt = [(task, "\n".join(proof.split("\n")[:-1])) for task, proof in pairs]
    assert {verdict.outcome for verdict in judge(lean(), spoilt)} == {Outcome.FAIL}


def test_splits_are_those_of_the_files_and_held_out_wins() -> None:
    tasks = all_tasks(LeanDojoEnv(SAMPLE))
    assert {name for name, task in tasks.items() if task.split == HELD_OUT} == {
        "swap_and_again", "not_both", "contrapose",
    }  # fmt: skip
    assert {name for name, task in tasks.items() if task.split == TRAIN} == {
        "or_swap", "exists_of_imp", "of_decided", "not_put_together",
    }  # fmt: skip
    only_train = all_tasks(LeanDojoEnv(SAMPLE / "train.json"))
    assert only_train["and_swap"].split == TRAIN


def test_a_task_names_where_it_comes_from() -> None:
    task = all_tasks(LeanDojoEnv(SAMPLE, header="open Classical", verifier="lean_project"))["or_swap"]
    row = BY_NAME["or_swap"]
    assert task.source == f"lean_dojo@{row['url']}@{row['commit']}:Samples/Logic.lean Samples.or_swap"
    assert task.problem == {"statement": "(p q : Prop) : p ∨ q → q ∨ p", "header": "open Classical"}
    assert (task.verifier, task.domain, task.difficulty) == ("lean_project", "theorems", None)
    assert task.prompt == "open Classical\n\ntheorem Samples.or_swap (p q : Prop) : p ∨ q → q ∨ p :=\n"


def test_the_same_seed_draws_the_same_tasks_and_no_more_than_there_are() -> None:
    env = LeanDojoEnv(SAMPLE)
    assert list(env.tasks(TRAIN, 3, 1)) == list(LeanDojoEnv(SAMPLE).tasks(TRAIN, 3, 1))
    assert len({tuple(task.id for task in env.tasks(TRAIN, 3, seed)) for seed in range(9)}) > 1
    for wrong, said in ((lambda: env.tasks(TRAIN, 5, 0), "ask for fewer"), (lambda: env.tasks("val", 1, 0), "'val'")):
        with pytest.raises(ConfigError, match=said):
            wrong()


def test_chat_prompts_ask_for_a_block() -> None:
    text = prompt_text(all_tasks(LeanDojoEnv(SAMPLE, style="chat"))["or_swap"])
    assert "```lean4\ntheorem Samples.or_swap (p q : Prop) : p ∨ q → q ∨ p := by\n  sorry\n```" in text


def test_statements_that_the_verifier_refuses_are_counted(tmp_path: Path) -> None:
    strange = json.loads(json.dumps(BY_NAME["or_swap"]).replace("p q : Prop", "p q : #eval"))
    write_rows([strange, BY_NAME["not_both"]], tmp_path / "some.json")
    assert LeanDojoEnv(tmp_path).left_out == {"refused by the verifier": 1}


def changed(row: dict[str, Any], **fields: object) -> dict[str, Any]:
    return {key: value for key, value in {**row, **fields}.items() if value is not None}


TACTIC = BY_NAME["not_both"]["traced_tactics"][0]
MALFORMED = {
    "the row is no JSON object": 3,
    "'url' is of type NoneType": changed(BY_NAME["not_both"], url=None),
    "'full_name' is of type list": changed(BY_NAME["not_both"], full_name=["a"]),
    "'traced_tactics' is of type NoneType": changed(BY_NAME["not_both"], traced_tactics=None),
    "'traced_tactics[0]' is of type str": changed(BY_NAME["not_both"], traced_tactics=["simp"]),
    "'traced_tactics[1].state_after' is of type int": changed(
        BY_NAME["not_both"], traced_tactics=[TACTIC, changed(TACTIC, state_after=0)]
    ),
    "'traced_tactics[0].tactic' holds the character U+0007": changed(
        BY_NAME["not_both"], traced_tactics=[changed(TACTIC, tactic="\a")]
    ),
}


@pytest.mark.parametrize("said", MALFORMED)
def test_a_malformed_row_is_one_line_with_file_row_and_field(said: str, tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text(json.dumps([BY_NAME["not_both"], MALFORMED[said]]), "utf-8")
    with pytest.raises(ConfigError) as caught:
        LeanDojoEnv(path)
    assert str(caught.value).startswith(f"{path}[1]: {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{}", "[", "[]", '"theorem"', "[" * 100_000, json.dumps([BY_NAME["by_term"]])])
def test_a_file_without_theorems_is_a_configuration_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"^[^\n]+$"):
        LeanDojoEnv(tmp_path / "train.json")


def test_a_wrong_option_is_a_configuration_error(tmp_path: Path) -> None:
    for options in ({"style": "prose"}, {"header": "axiom a : False"}, {"path": tmp_path}, {"path": tmp_path / "no"}):
        with pytest.raises(ConfigError):
            LeanDojoEnv(**{"path": SAMPLE, **options})


VALUES = st.one_of(st.none(), st.integers(), st.text(max_size=20), st.lists(st.integers(), max_size=2))


@settings(deadline=None)
@given(st.sampled_from(ROWS), st.sampled_from([*ROWS[0], "tactic", "state_before", "state_after"]), VALUES)
def test_any_mutated_row_gives_a_record_a_reason_or_one_line(row: dict[str, Any], key: str, value: object) -> None:
    mutated = json.loads(json.dumps(row))
    target = mutated if key in mutated or not mutated["traced_tactics"] else mutated["traced_tactics"][0]
    target[key] = value
    said = "'x' "
    try:
        record = record_of(mutated)
    except IrrecoverableError as error:
        assert error.reason  # noqa: PT017
        return
    except RowError as error:
        said = str(error)
    else:
        assert record.statement
    assert re.match(r"'[a-z_]+(\[\d+\](\.[a-z_]+)?)?' [^\n]*\Z", said)


# Tracing: objects with the attributes that lean_dojo 4.20 gives its own


@dataclass(frozen=True)
class Repo:
    url: str
    commit: str


@dataclass(frozen=True)
class Pos:
    line_nb: int
    column_nb: int

    def __iter__(self) -> Iterator[int]:
        yield self.line_nb
        yield self.column_nb


@dataclass(frozen=True)
class Tactic:
    tactic: str
    state_before: str
    state_after: str

    def get_annotated_tactic(self) -> tuple[str, list[dict[str, Any]]]:
        return self.tactic, []


@dataclass(frozen=True)
class Name:
    full_name: str


@dataclass(frozen=True)
class Traced:
    repo: Repo
    theorem: Name
    tactics: list[Tactic]
    file_path: Path = Path("Samples/Logic.lean")
    start: Pos = Pos(5, 1)
    end: Pos = Pos(7, 12)
    by: bool = True

    def has_tactic_proof(self) -> bool:
        return self.by

    def get_traced_tactics(self) -> list[Tactic]:
        return self.tactics


def traced(repo: Repo, name: str, *, by: bool = True) -> Traced:
    fields = ("tactic", "state_before", "state_after")
    tactics = [Tactic(*(step[key] for key in fields)) for step in BY_NAME[name]["traced_tactics"]]
    return Traced(repo, Name(f"Samples.{name}"), tactics, by=by)


@dataclass
class FakeLibrary:
    """In the place of the module `lean_dojo`: its two entry points, and how they were called."""

    fails: Exception | None = None
    calls: list[tuple[Repo, bool]] = field(default_factory=list)

    def LeanGitRepo(self, url: str, commit: str) -> Repo:  # noqa: N802  lean_dojo's name
        return Repo(url, commit.replace("v1", "f" * 40))

    def trace(self, repo: Repo, build_deps: bool) -> Any:
        self.calls.append((repo, build_deps))
        if self.fails:
            raise self.fails
        cached, package = Repo("/cache/samples", repo.commit), Repo("/cache/samples/.lake/packages/std", "e" * 40)
        theorems = [
            traced(cached, "not_both"),
            traced(package, "contrapose"),
            traced(cached, "and_swap", by=False),
            traced(cached, "or_swap"),
        ]
        return types.SimpleNamespace(repo=cached, get_traced_theorems=lambda: theorems)


URL = "https://example.org/lean-samples"


def test_a_traced_repository_becomes_rows_and_rows_become_tasks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = FakeLibrary()
    monkeypatch.setitem(sys.modules, "lean_dojo", library)  # type: ignore[arg-type]
    rows = trace_repository(URL, "v1")
    assert library.calls == [(Repo(URL, "f" * 40), False)]
    assert [row["full_name"] for row in rows] == ["Samples.not_both", "Samples.and_swap", "Samples.or_swap"]
    assert {(row["url"], row["commit"]) for row in rows} == {(URL, "f" * 40)}
    assert rows[0] == changed(BY_NAME["not_both"], commit="f" * 40, start=[5, 1], end=[7, 12])
    write_rows(rows, tmp_path / "train.json")
    env = LeanDojoEnv(tmp_path)
    assert set(all_tasks(env)) == {"not_both", "or_swap"}
    assert env.left_out == {"no tactics": 1}
    assert len(list(env.demonstrations(2, 0))) == 2


def test_a_term_proof_gives_no_tactics() -> None:
    assert row_of(traced(Repo("u", "c"), "and_swap", by=False), "u", "c")["traced_tactics"] == []


def test_a_failing_trace_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, said in ((AssertionError(), "AssertionError"), (OSError("no lake\nat all"), "no lake")):
        monkeypatch.setitem(sys.modules, "lean_dojo", FakeLibrary(fails=error))  # type: ignore[arg-type]
        with pytest.raises(ToolchainError, match=rf"^lean-dojo could not trace {URL} at v1: {said}$"):
            trace_repository(URL, "v1")


def test_without_lean_dojo_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lean_dojo", None)  # type: ignore[arg-type]  # what makes an import fail
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'proofgrad[lean-dojo]'")):
        trace_repository(URL, "v1")
