"""Rubric files and their examples: what is read, and what is refused in one line."""

import json
from pathlib import Path

import pytest
import yaml

from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.rubric import load_examples, load_rubric
from proofgrad.verifiers.rubric.rubric import shipped_rubrics

SHIPPED = Path(__file__).parents[3] / "configs" / "rubrics"
NAMES = ["code_review_comment", "explain_proof_step", "safety_advice"]


def refusal(load, *args):
    with pytest.raises(ConfigError) as caught:
        load(*args)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_rubric_has_its_examples_and_varied_cheaters(name):
    rubric = load_rubric(SHIPPED / f"{name}.yaml")
    examples = load_examples(rubric)
    assert rubric.name == name
    assert len(examples) == 30
    assert 10 <= sum(example.passes for example in examples) <= 20
    tricks = {example.trick for example in examples if example.cheater}
    assert len(tricks) >= 8
    assert len({example.answer for example in examples}) == 30


@pytest.mark.parametrize("name", NAMES)
def test_every_criterion_of_a_shipped_rubric_for_a_judge_is_met_by_some_examples_and_not_by_others(name):
    rubric = load_rubric(SHIPPED / f"{name}.yaml")
    for criterion in rubric.judged:
        assert {example.labels[criterion.id] for example in load_examples(rubric)} == {True, False}, criterion.id


@pytest.mark.skipif(not shipped_rubrics(), reason="this installation has no package proofgrad.rubrics")
@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_rubric_is_found_by_its_name(name):
    assert load_rubric(name).name == name


def test_a_name_that_no_shipped_rubric_has_is_refused():
    assert "there is no rubric named 'safety_advise'" in refusal(load_rubric, "safety_advise")


def test_the_digest_changes_with_what_a_verdict_depends_on_only(write_rubric):
    one = load_rubric(write_rubric()).digest
    assert load_rubric(write_rubric()).digest == one
    assert load_rubric(write_rubric(threshold=0.8)).digest != one
    prompts = {"template": "Make $what.", "slots": {"what": ["tea"]}, "split_by": ["what"]}
    assert load_rubric(write_rubric(prompts=prompts)).digest == one


def criterion(**changes):
    return [{"id": "a", "kind": "judge", "text": "x", **changes}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"treshold": 0.5}, "unknown key 'treshold'; did you mean 'threshold'?"),
        ({"path": "x"}, "unknown key 'path'"),
        ({"threshold": None}, "'threshold' is missing"),
        ({"threshold": 0}, "threshold: input should be greater than 0"),
        ({"criteria": []}, "criteria: list should have at least 1 item"),
        ({"criteria": criterion(wieght=2)}, "unknown key 'criteria.0.wieght'; did you mean 'weight'?"),
        ({"criteria": criterion(kind="human")}, "criteria.0: 'kind' must be 'code' or 'judge'"),
        ({"criteria": criterion(met_at=6)}, "criteria.0.met_at: input should be less than or equal to 5, got 6"),
        ({"criteria": criterion(weight=0)}, "at least one must have a weight above 0"),
        ({"criteria": criterion() * 2}, "two have the id 'a'"),
        ({"criteria": criterion(kind="code")}, "'criteria.0.check' is missing"),
        (
            {"criteria": criterion(kind="code", check={"word": {"max": 3}})},
            "unknown key 'criteria.0.check.word'; did you mean 'words'?",
        ),
        (
            {"criteria": criterion(kind="code", check={"words": {"maxx": 3}})},
            "unknown key 'criteria.0.check.words.maxx'; did you mean 'max'?",
        ),
        ({"calibration": {"min_kapa": 0.5}}, "unknown key 'calibration.min_kapa'; did you mean 'min_kappa'?"),
        (
            {"prompts": {"template": "x", "slots": {"a": ["b"]}, "split_by": ["c"]}},
            "prompts: split_by names 'c', which is no slot; slots: a",
        ),
    ],
)
def test_a_malformed_rubric_is_refused_with_file_and_key(write_rubric, changes, message):
    path = write_rubric(**changes)
    found = refusal(load_rubric, path)
    assert str(path) in found
    assert message in found


def test_files_that_are_no_rubrics_are_refused(tmp_path):
    assert "No such file" in refusal(load_rubric, tmp_path / "no.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    assert "must hold a mapping" in refusal(load_rubric, tmp_path / "list.yaml")
    (tmp_path / "bad.yaml").write_text("a: [\n")
    assert "is not valid YAML at line" in refusal(load_rubric, tmp_path / "bad.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in refusal(load_rubric, tmp_path / "bytes.yaml")


def change(rows, number, **fields):
    rows[number] = {**rows[number], **fields}
    return rows


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: change(rows, 0, answr="x"), "line 1: unknown key 'answr'; did you mean 'answer'?"),
        (lambda rows: change(rows, 1, passes=False), "line 2: 'passes' is False, and by its labels it would be True"),
        (lambda rows: change(rows, 2, passes="yes"), "line 3: passes: input should be a valid boolean, got 'yes'"),
        (
            lambda rows: change(rows, 0, labels={"safe": True}),
            "line 1: 'labels' must have one label for each criterion",
        ),
        (lambda rows: change(rows, 0, answer="steep it"), "the label of 'plain' is True, and the code says otherwise"),
        (lambda rows: change(rows, 0, cheater=True), "a planted cheater cannot be one that passes"),
        (lambda rows: rows[:3], "must have examples that pass and examples that do not"),
        (lambda rows: [], "must have examples that pass"),
    ],
)
def test_malformed_examples_are_refused_with_line_and_key(write_rubric, edit, message):
    rows = [json.loads(line) for line in (write_rubric().parent / "tea.jsonl").read_text().splitlines()]
    rubric = load_rubric(write_rubric(edit(rows)))
    assert message in refusal(load_examples, rubric)


def test_examples_that_are_not_there_or_no_json_are_refused(write_rubric):
    rubric = load_rubric(write_rubric())
    rubric.examples_path.write_text('{"prompt": \n')
    assert "line 1 is not valid JSON" in refusal(load_examples, rubric)
    rubric.examples_path.unlink()
    assert "cannot read the examples" in refusal(load_examples, rubric)


def test_the_first_line_of_a_shipped_rubric_is_the_command_that_checks_it():
    for path in SHIPPED.glob("*.yaml"):
        text = path.read_text()
        assert text.startswith(f"# proofgrad rubric check configs/rubrics/{path.name}\n")
        assert yaml.safe_load(text)["name"] == path.stem
