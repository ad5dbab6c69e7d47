"""``proofgrad report`` as a person gives it."""

import json
import os

import pytest
import typer
from typer.testing import CliRunner

from proofgrad.rl.commands.report import report_command
from proofgrad.verifiers.errors import ConfigError

RATES = {"theorems": 0.4, "programs": 0.5}


@pytest.fixture(scope="module")
def evaluation(module_maker):
    return module_maker.evaluation("suite", RATES, problems=10)


def report(*arguments):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(report_command)
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})


def test_the_page_lies_in_the_run_by_default(evaluation):
    done = report(evaluation)
    assert done.exit_code == 0, done.output
    page = (evaluation / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "suite solves" in done.output
    assert str(evaluation / "report.html") in done.output


def test_markdown_and_json_are_printed_and_write_no_page(evaluation, tmp_path):
    (evaluation / "report.html").unlink(missing_ok=True)
    assert report(evaluation, "--markdown").output.startswith("## suite solves")
    model = json.loads(report(evaluation, "--json").output)
    assert model["evaluations"][0]["name"] == "suite"
    assert "rows" not in model["samples"]
    assert not (evaluation / "report.html").exists()
    assert report(evaluation, "--json", "--output", tmp_path / "r.json").exit_code == 0
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["title"] == model["title"]


def test_json_is_ascii_whatever_names_hold(module_maker):
    directory = module_maker.evaluation("\x9b31m \u202e ⊢", RATES, problems=5)
    printed = report(directory, "--json").output
    assert printed.isascii()
    assert json.loads(printed)["runs"][0]["name"] == directory.name


def test_no_sample_is_taken_along_where_none_is_wanted(evaluation, tmp_path):
    report(evaluation, "--max-samples", 0, "--output", tmp_path / "small.html")
    assert "80 samples, not shown." in (tmp_path / "small.html").read_text(encoding="utf-8")


def test_an_output_that_cannot_be_put_in_its_place_leaves_nothing_behind(evaluation, tmp_path, monkeypatch):
    from proofgrad.rl import run_directory

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_directory.os, "replace", full)
    done = report(evaluation, "--output", tmp_path / "report.html")
    assert "No space left on device" in str(done.exception)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    (tmp_path / "folder").mkdir()
    assert "is a directory" in str(report(evaluation, "--output", tmp_path / "folder").exception)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("name", [b"a\x1b[2Jb", b"a\xff\xfeb"], ids=["escape", "no UTF-8"])
def test_a_name_that_a_terminal_would_obey_is_printed_without_that(module_maker, name):
    made = module_maker.evaluation("plain", RATES, problems=5)  # no table is written under a name that is no UTF-8
    directory = made.rename(made.with_name(os.fsdecode(name)))
    done = report(directory)
    assert done.exit_code == 0, done.exception
    assert (directory / "report.html").is_file()
    assert "\x1b" not in done.output
    assert not any("\ud800" <= c <= "\udfff" for c in done.output)
    assert "written to" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no run and no evaluation in 'nowhere'"),
        (["RUN", "--json", "--markdown"], "give one of them"),
        (["RUN", "--output", "nowhere/report.html"], "cannot write 'nowhere/report.html'"),
        (["RUN", "--output", "RUN"], "it is a directory"),
    ],
)
def test_a_mistake_is_one_line(evaluation, arguments, message):
    done = report(*[evaluation if argument == "RUN" else argument for argument in arguments])
    assert isinstance(done.exception, ConfigError)
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)
