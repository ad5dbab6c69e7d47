"""The model: what runs and evaluations hold, how it is worded, and what is refused in one line."""

import json
import re
import unicodedata
from dataclasses import asdict

import pytest

from proofgrad.envs.base import HELD_OUT
from proofgrad.rl.checks.audit import Audit, Disagreement
from proofgrad.rl.evaluation.chain_results import (
    ChainCurve,
    ChainEvaluation,
    ChainResult,
    Horizon,
    LengthPoint,
    Reach,
)
from proofgrad.rl.plain import plain
from proofgrad.rl.report import collect, to_html, to_markdown
from proofgrad.rl.report.curves import curves_of
from proofgrad.rl.report.headline import headline
from proofgrad.rl.revision import Revision
from proofgrad.rl.run_directory import write_rows
from proofgrad.rl.stats import Estimate
from proofgrad.verifiers.errors import ConfigError

WEAK, STRONG = {"theorems": 0.2, "programs": 0.3}, {"theorems": 0.6, "programs": 0.5}


@pytest.fixture(scope="module")
def run(module_maker):
    return module_maker.run("quick", WEAK, STRONG, problems=20)


@pytest.fixture(scope="module")
def model(run):
    return collect([run])


def test_a_run_says_in_one_sentence_what_training_did(model):
    assert re.fullmatch(
        r"GRPO raised held-out pass@1 from \d+\.\d% to \d+\.\d%: \+\d+\.\d points\.", model["headline"]["sentence"]
    )
    assert model["headline"]["kind"] == "better"
    assert [e["name"] for e in model["evaluations"]] == ["before", "after"]
    (comparison,) = model["comparisons"]
    assert (comparison["a"], comparison["b"]) == ("before", "after")


def test_the_model_is_plain_json(model):
    assert json.loads(json.dumps(model, allow_nan=False)) == model


def test_an_evaluation_alone_is_reported_without_a_gain(maker):
    model = collect([maker.evaluation("suite", STRONG)])
    assert model["comparisons"] == []
    assert "suite solves " in model["headline"]["sentence"]
    assert [one["k"] for one in model["evaluations"][0]["domains"][0]["pass_at"]] == [1, 2, 4]


def test_further_runs_are_compared_with_the_first(maker):
    paths = [
        maker.evaluation("one", WEAK),
        maker.evaluation("two", STRONG, seed=1),
        maker.evaluation("three", WEAK, seed=2),
    ]
    model = collect(paths)
    assert [(c["a"], c["b"]) for c in model["comparisons"]] == [("one", "two"), ("one", "three")]
    assert "better than" in model["headline"]["sentence"]


def test_two_directories_of_one_name_are_told_apart(maker):
    paths = [maker.evaluation("a/suite", WEAK), maker.evaluation("b/suite", STRONG)]
    names = [run["name"] for run in collect(paths)["runs"]]
    assert names == [str(path) for path in paths]


def test_evaluations_taken_of_a_run_afterwards_belong_to_it(maker):
    run = maker.run("quick", WEAK, STRONG)
    maker.evaluation("quick/evaluations/suite", STRONG)
    (run / "evaluations" / "cut-short").mkdir()
    model = collect([run])
    assert [e["name"] for e in model["evaluations"]] == ["before", "after", "suite"]
    assert "not finished" in model["notices"][0]["text"]


def test_different_judges_are_refused_unless_forced_and_then_said_aloud(maker):
    paths = [
        maker.evaluation("one", WEAK),
        maker.evaluation("two", STRONG, verifiers={"lean": "4.36.0", "program": "3"}),
    ]
    with pytest.raises(ConfigError, match=r"(?s)^(?!.*\n).*lean"):
        collect(paths)
    model = collect(paths, force=True)
    assert model["notices"][0]["kind"] == "warning"
    assert model["headline"]["sentence"].endswith("Judged by different verifiers.")
    assert "different verifier versions" in model["notices"][0]["text"]
    assert "different verifier versions" in to_markdown(model)


@pytest.mark.parametrize("make", [lambda p: p / "nowhere", lambda p: p])
def test_what_is_no_run_is_named_in_one_line(tmp_path, make):
    with pytest.raises(ConfigError) as error:
        collect([make(tmp_path)])
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_an_unfinished_evaluation_is_named(tmp_path):
    (tmp_path / "settings.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="not finished"):
        collect([tmp_path])


def test_more_samples_than_wanted_are_drawn_and_said_evaluations_first(run):
    samples = collect([run], max_samples=100)["samples"]
    assert (samples["shown"], samples["total"]) == (100, 360)
    assert "100 of 320 evaluation samples, drawn at random with seed 0" in samples["note"]
    assert "0 of 40 training samples" in samples["note"]
    assert samples == collect([run], max_samples=100)["samples"]
    assert samples["rows"] != collect([run], max_samples=100, seed=1)["samples"]["rows"]


def test_training_samples_carry_their_advantage(model):
    assert {row["advantage"] for row in model["samples"]["rows"] if row["split"] == "train"} == {0.25}


def test_hidden_tests_stay_out_of_every_form(maker):
    run = maker.run("quick", WEAK, STRONG, problems=5)
    again = Disagreement(
        "program", "program-0001", {"hidden": "THE-HIDDEN-TEST"}, "def f", "code.ok", "code.timeout", ""
    )
    audits = [asdict(Audit("program", "3", "pass", 20, 0, (again,), 0.2))]
    (run / "audit.json").write_text(json.dumps({"run": "quick", "audits": audits}), encoding="utf-8")
    model = collect([run])
    assert model["runs"][0]["audit"][0]["disagreements"][0]["is_now"] == "code.timeout"
    assert next(c for c in model["trust"]["checks"] if c["name"] == "Verdicts judged again")["state"] == "bad"
    assert "THE-HIDDEN-TEST" not in json.dumps(model) + to_html(model) + to_markdown(model)


def test_a_lineage_is_taken_along_and_a_malformed_one_named(maker):
    run = maker.run("quick", WEAK, STRONG, problems=5)
    node = {"name": "gen-1", "parent": None, "generation": 1, "promoted": True, "score": 0.5}
    (run / "lineage.json").write_text(json.dumps([node]), encoding="utf-8")
    model = collect([run])
    assert model["runs"][0]["lineage"] == [node]
    assert "gen-1" in to_markdown(model)
    (run / "lineage.json").write_text(json.dumps([{"name": "gen-1"}]), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"lineage\.json"):
        collect([run])


def test_a_revision_that_was_measured_is_shown_with_its_trajectories(maker):
    directory = maker.evaluation("suite", STRONG)
    share = Estimate(0.5, 0.4, 0.6)
    revision = Revision("theorems", 9, share, share, share, share)
    (directory / "revision.json").write_text(json.dumps([asdict(revision)]), encoding="utf-8")
    write_rows(directory / "revised.parquet", [r.to_row() for r in maker.rollouts(STRONG, 30, 4, 5, max_turns=3)])
    model = collect([directory])
    assert model["evaluations"][0]["revision"] == [plain(revision)]
    assert "revision" in {curve["strategy"] for curve in model["evaluations"][0]["test_time"]}
    assert any(len(sample["turns"]) > 1 for sample in model["samples"]["rows"])
    assert "revising against best-of-n" in to_markdown(model)


def test_chains_that_were_measured_are_shown_beside_independent_steps(maker):
    run = maker.run("quick", WEAK, STRONG, problems=5)
    share, far = Estimate(0.5, 0.4, 0.6), Reach(1.0, 0.5, 2.0)
    points = (LengthPoint(1, share, share, 0.5, 60), LengthPoint(2, share, share, 0.0, 30))
    curve = ChainCurve(0, 60, 0, 0, share, 120, points, (Horizon(0.5, far, far),))
    chains = ChainEvaluation(
        "p", "e", HELD_OUT, 60, 2, 0, "carried", 1.0, 64, 0, 9.0, 99, {}, (ChainResult("theorems", ("x",), (curve,)),)
    )
    directory = run / "evaluations" / "chains"
    directory.mkdir(parents=True)
    (directory / "chains.json").write_text(json.dumps(chains.to_json()), encoding="utf-8")
    model = collect([run])
    assert model["notices"] == []
    (found,) = model["chains"]
    assert found["results"][0]["curves"][0]["points"][1]["measured"] == plain(share)
    assert found["results"][0]["curves"][0]["horizons"][0]["words"]["measured"] == "1.0 [0.5, 2.0]"
    assert "chains of `theorems`" in to_markdown(model)


def test_curves_are_grouped_and_what_never_changes_is_only_named():
    rows = [
        {"phase": "grpo", "step": s, "reward": s / 10, "solved/theorems": s / 10, "turns": 1.0, "kl": float("nan")}
        for s in range(3)
    ]  # fmt: skip
    (phase,) = curves_of(rows)
    assert [chart["title"] for chart in phase["charts"]] == ["Reward", "Solved"]
    assert phase["charts"][1]["series"] == [{"name": "theorems", "points": [[0, 0.0], [1, 0.1], [2, 0.2]]}]
    assert phase["constant"] == [{"name": "turns", "unit": "number", "value": 1.0}]
    assert phase["not_finite"] == [{"name": "kl", "steps": 3}]


@pytest.mark.parametrize("conclusion", ["better", "worse", "tied", "undecided"])
def test_each_conclusion_has_its_own_sentence(conclusion):
    share = {"mean": 0.5, "low": 0.4, "high": 0.6}
    row = {
        "domain": "theorems", "problems": 40, "a": share, "b": share,
        "difference": {"mean": -0.01, "low": -0.02, "high": 0.0},
        "p_value": 0.5, "p_adjusted": 0.5, "conclusion": conclusion, "detectable": 0.1, "needed": 900,
    }  # fmt: skip
    comparison = {"a": "before", "b": "after", "k": 1, "margin": 0.05, "forced": False, "domains": [row]}
    word = {"better": "raised", "worse": "lowered", "tied": "tied within 5 points", "undecided": "undecided"}[
        conclusion
    ]
    found = headline([comparison], [], ["run"])
    assert word in found["sentence"]
    assert ("900 problems would decide it" in found["detail"]) == (conclusion == "undecided")
    assert (
        word.replace("raised", "better").replace("lowered", "worse")
        in headline([comparison], [], ["x", "y"])["sentence"]
    )


def test_plain_values_have_no_number_that_json_lacks():
    assert plain({1: (float("nan"), Estimate(0.1, 0.0, float("inf")))}) == {
        "1": [None, {"mean": 0.1, "low": 0.0, "high": None}]
    }


def test_markdown_takes_hostile_names_as_text(maker):
    text = to_markdown(collect([maker.evaluation("a|b<img src=x>@all", STRONG)]))
    outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text)  # inline code is shown, and neither rendered nor linked
    assert "<img" not in outside.replace("\\<", "")
    assert "@all" not in outside
    assert "@all" in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_markdown_and_json_hold_nothing_that_a_terminal_obeys(maker):
    model = collect([maker.evaluation("suite", STRONG, problems=5)])
    model["evaluations"][0]["reasons"][0]["reason"] = "\x1b[2Jgone\x9b31m\u202e\ud800"
    text = to_markdown(model)
    assert "gone" in text
    assert not [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs")]


def test_an_evaluation_whose_clock_is_no_number_is_shown_all_the_same(maker):
    directory = maker.evaluation("suite", STRONG, problems=5)
    path = directory / "evaluation.json"
    path.write_text(re.sub(r'"seconds": [\d.]+', '"seconds": NaN', path.read_text("utf-8")), encoding="utf-8")
    assert collect([directory])["evaluations"][0]["facts"]["seconds"] is None
