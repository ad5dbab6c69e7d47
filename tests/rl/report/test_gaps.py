"""What older and unfinished runs lack costs that part alone, and the report says what is missing and where."""

import json
import math

import pyarrow.parquet as pq
import pytest

from proofgrad.rl.report import collect, samples, to_html, to_markdown
from proofgrad.rl.report.curves import curves_of
from proofgrad.rl.run_directory import RunDirectory, write_rows

WEAK, STRONG = {"theorems": 0.2, "programs": 0.3}, {"theorems": 0.6, "programs": 0.5}


def without(path, column):
    pq.write_table(pq.read_table(path).drop_columns([column]), path)


def changed(path, change):
    """The rows of a file, written again."""
    rows = pq.read_table(path).to_pylist()
    for row in rows:
        change(row)
    import pyarrow as pa

    pq.write_table(pa.Table.from_pylist(rows), path)


def said(model):
    return " ".join(notice["text"] for notice in model["notices"])


@pytest.mark.parametrize(
    ("column", "also_lost"),
    [("logprob", "test_time"), ("reason", "reasons"), ("turns", None), ("halt", None), ("verify_seconds", "test_time")],
)
def test_a_missing_column_costs_what_is_made_of_it_and_is_named(maker, column, also_lost):
    directory = maker.evaluation("old", STRONG, problems=6)
    without(directory / "rollouts.parquet", column)
    model = collect([directory])
    assert f"'{directory / 'rollouts.parquet'}' has no column '{column}'" in said(model)
    assert "old solves" in model["headline"]["sentence"]
    evaluation = model["evaluations"][0]
    for part in ("test_time", "reasons"):
        assert bool(evaluation[part]) == (part != also_lost)
    assert bool(model["samples"]["rows"]) == (column == "logprob")
    assert column.replace("_", "\\_") in to_markdown(model)
    assert f"has no column '{column}'" in to_html(model)


def test_a_turn_of_another_version_is_left_out_with_the_name_of_what_it_lacks(maker):
    directory = maker.evaluation("old", STRONG, problems=6)
    path = directory / "rollouts.parquet"

    def older(row):
        turns = [{key: value for key, value in turn.items() if key != "tokens"} for turn in json.loads(row["turns"])]
        row["turns"] = json.dumps(turns)

    changed(path, older)
    model = collect([directory])
    assert f"'{path}' has no column 'turns.tokens'" in said(model)
    assert model["samples"]["rows"] == []


def test_the_samples_of_other_files_are_shown_all_the_same(maker):
    run = maker.run("quick", WEAK, STRONG, problems=5)
    old = run / "rollouts" / "step-000000.parquet"
    without(old, "halt")
    model = collect([run])
    assert (model["samples"]["shown"], model["samples"]["total"]) == (100, 100)
    assert [notice["text"].count("halt") for notice in model["notices"]] == [1]
    assert str(old) in said(model)


def test_a_run_whose_configuration_is_of_another_version_is_reported_without_its_checks(maker):
    run = maker.run("quick", WEAK, STRONG, problems=5)
    config = run / "config.yaml"
    config.write_text(config.read_text("utf-8") + "of_another_version: 1\n", encoding="utf-8")
    model = collect([run])
    assert "of_another_version" in said(model)
    assert {check["state"] for check in model["trust"]["checks"]} == {"none"}
    assert model["runs"][0]["config"]["of_another_version"] == 1


@pytest.mark.parametrize("when", ["before it is counted", "before it is read"])
def test_a_step_that_is_removed_while_it_is_read_is_skipped_with_a_notice(maker, monkeypatch, when):
    run = maker.run("quick", WEAK, STRONG, problems=5)
    step = run / "rollouts" / "step-000001.parquet"
    name = "usable_rows" if when == "before it is counted" else "rows_of"
    real = getattr(samples, name)

    def racing(path, *rest):
        if path == step:
            step.unlink(missing_ok=True)
        return real(path, *rest)

    monkeypatch.setattr(samples, name, racing)
    model = collect([run])
    assert f"'{step}' was removed" in said(model)
    assert model["samples"]["shown"] == len(model["samples"]["rows"]) == 100


def test_lines_that_are_no_steps_are_skipped(maker):
    run = maker.run("quick", WEAK, STRONG, problems=5)
    odd = [1, None, "grpo", [], {"phase": "grpo"}, {"step": 2}, {"phase": "grpo", "step": math.nan, "reward": 1}]
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in odd)
    before = curves_of([row for row in RunDirectory(run).metrics() if row not in odd and isinstance(row, dict)][:139])
    assert collect([run])["runs"][0]["curves"] == before


def test_a_figure_beyond_every_float_is_no_finite_one():
    (phase,) = curves_of([{"phase": "grpo", "step": 1, "reward": 10**400}])
    assert phase["not_finite"] == [{"name": "reward", "steps": 1}]


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_a_sample_whose_figures_are_no_numbers_has_none(maker, value):
    run = maker.run("quick", WEAK, STRONG, problems=5)

    def broken(row):
        row["score"] = row["generate_seconds"] = row["verify_seconds"] = row["advantage"] = value
        turns = json.loads(row["turns"])
        turns[0]["score"] = turns[0]["generate_seconds"] = value
        row["turns"] = json.dumps(turns)

    changed(run / "rollouts" / "step-000000.parquet", broken)
    model = collect([run])
    json.dumps(model, allow_nan=False)
    rows = [row for row in model["samples"]["rows"] if row["score"] is None and row["outcome"] != "unknown"]
    assert len(rows) == 20
    assert {row["advantage"] for row in rows} == {row["generate_seconds"] for row in rows} == {None}
    assert "NaN" not in to_html(model)


def test_an_evaluation_that_is_called_like_one_of_the_run_has_a_name_of_its_own(maker):
    run = maker.run("quick", WEAK, STRONG, problems=5)
    maker.evaluation("quick/evaluations/after", WEAK, problems=5)
    model = collect([run])
    names = [evaluation["name"] for evaluation in model["evaluations"]]
    assert names == ["before", "after", "evaluations/after"]
    assert model["trust"]["of"] == "after"
    assert {"after", "evaluations/after"} <= {row["evaluation"] for row in model["samples"]["rows"]}


def test_a_directory_given_twice_has_two_names(maker):
    directory = maker.evaluation("suite", STRONG, problems=5)
    model = collect([directory, directory])
    assert len({run["name"] for run in model["runs"]}) == 2
    assert len({evaluation["name"] for evaluation in model["evaluations"]}) == 2


def test_long_reasons_and_tasks_are_cut_and_that_is_said(maker):
    directory = maker.evaluation("suite", STRONG, problems=5)

    def longer(row):
        row["reason"], row["task"] = "r" * 5000, row["task"] + "t" * 5000

    changed(directory / "rollouts.parquet", longer)
    model = collect([directory])
    (reasons, *_) = {one["reason"] for one in model["evaluations"][0]["reasons"]}
    assert reasons == f"{'r' * 200}… (4,800 more characters)"
    assert "longer than 200 characters are cut" in said(model)
    packed = samples.pack(model["samples"]["rows"], "Shown: all.")
    assert packed.note == "Shown: all. Reasons and tasks with names longer than 200 characters are cut."


def test_a_table_without_rows_lacks_nothing(maker):
    directory = maker.evaluation("suite", STRONG, problems=5)
    write_rows(directory / "rollouts.parquet", [])
    model = collect([directory])
    assert "How attempts" not in said(model)
    assert model["samples"]["note"] == "Nothing was recorded sample by sample."
