"""Stored evaluations by name, and their rows: what cannot be read is one line that says where and what."""

import json

import pytest

from proofgrad.rl.evaluate import Evaluation, TaskResult
from proofgrad.rl.evaluation.stored import open_evaluation, read_rows
from proofgrad.rl.run_directory import write_rows
from proofgrad.verifiers.errors import ConfigError


def test_json_is_decoded_and_columns_are_chosen(tmp_path):
    row = {"task": "a", "problem": json.dumps({"n": 1}), "turns": json.dumps([1, 2]), "outcome": "pass"}
    write_rows(tmp_path / "x.parquet", [row])
    assert read_rows(tmp_path / "x.parquet", ("problem", "task")) == [{"problem": {"n": 1}, "task": "a"}]
    assert read_rows(tmp_path / "x.parquet")[0]["turns"] == [1, 2]


def test_a_column_that_is_not_there_is_named(tmp_path):
    write_rows(tmp_path / "x.parquet", [{"task": "a"}])
    with pytest.raises(ConfigError, match=r"x\.parquet' has no column 'outcome': record it again$"):
        read_rows(tmp_path / "x.parquet", ("task", "outcome", "logprob"))


@pytest.mark.parametrize("key", ["turns", "problem"])
def test_a_cell_that_is_no_json_is_one_line(tmp_path, key):
    write_rows(tmp_path / "x.parquet", [{key: "[1,"}])
    with pytest.raises(ConfigError, match=f"has a row whose '{key}' is no JSON") as caught:
        read_rows(tmp_path / "x.parquet")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "not parquet"])
def test_what_is_no_table_is_one_line(tmp_path, text):
    (tmp_path / "x.parquet").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot read"):
        read_rows(tmp_path / "x.parquet")


def test_a_part_of_what_is_one_evaluation_is_not_looked_for_in_a_run(tmp_path):
    evaluation = Evaluation("p", "e", 2, 1.0, 1.0, 1, {"program": "1"}, [TaskResult("a", "d", None, 1, 2, 0)] * 2)
    evaluation.save(tmp_path / "evaluation.json")
    with pytest.raises(ConfigError, match="is one evaluation and no run: it has no 'before'; name it without that"):
        open_evaluation(f"{tmp_path}:before")
    assert open_evaluation(str(tmp_path)).name == tmp_path.name
