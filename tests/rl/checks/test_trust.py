"""Trust: what was measured is told, what was not is named with its command, and the weightiest warning stands first."""

import json
from dataclasses import asdict, replace

import pytest

from proofgrad.rl.checks.audit import Audit, Disagreement
from proofgrad.rl.checks.contamination import Text, contamination_of
from proofgrad.rl.checks.self_test import Check, Finding, SelfTest, write_self_test
from proofgrad.rl.checks.trust import run_of, trust_in
from proofgrad.rl.commands.trust import examine_trust, trust_command, trust_table
from proofgrad.rl.config import Config
from proofgrad.rl.evaluate import Evaluation, TaskResult
from proofgrad.rl.evaluation.stored import evaluations_in, open_evaluation
from proofgrad.rl.run_directory import RunDirectory, write_rows
from proofgrad.rl.stats import rate_interval, upper_bound
from proofgrad.verifiers.errors import ConfigError

TASKS = [f"t{i}" for i in range(20)]
LAYERS = {"program": {"network": "active", "pid": "active"}}


def evaluation(policy, unknown=0):
    results = [TaskResult(task, "d", None, 1, 4 - unknown, unknown) for task in TASKS]
    return Evaluation(str(policy), "transformers", 4, 1.0, 20.0, 100, {"program": "3"}, results, waiting_seconds=2.0)


def rows(*texts):
    return [
        {"task": task, "domain": "d", "prompt": text, "problem": "{}", "outcome": "pass"}
        for task, text in zip(TASKS, texts, strict=False)
    ]


def passed(**others):
    checks = [Check("program", kind, 20, 0, (), 0.14) for kind in ("gold", "corrupted", "cheat")]
    return replace(SelfTest(20, 0, 1.0, {"program": "3"}, tuple(checks)), **others)


def failed(kind):
    wrong = (Finding(f"the {kind} one", "x", "code.ok"),)
    return passed(checks=(Check("program", kind, 20, 0, wrong, 0.2),))


def audited(run, *outcomes):
    leak = Disagreement("program", "t", {}, "x", "code.ok", "code.wrong_output", "")
    audits = [Audit("program", "4", outcome, 50, 0, (leak,) * wrong, 0.06) for outcome, wrong in outcomes]
    (run / "audit.json").write_text(json.dumps({"audits": [asdict(one) for one in audits]}))


@pytest.fixture
def run(tmp_path):
    config = {
        "name": "x", "runs_dir": tmp_path, "policy": {"scratch": {}}, "envs": [{"name": "synthesis"}],
        "warm_start": {"demonstrations": 3},
    }  # fmt: skip
    path = RunDirectory.create(Config.model_validate(config)).path
    evaluation(path / "policy").save(path / "eval" / "after.json")
    write_rows(path / "rollouts" / "after.parquet", rows(*(f"problem number {i} of this kind" for i in range(20))))
    write_rows(
        path / "rollouts" / "step-000000.parquet",
        [row | {"task": "trained"} for row in rows("another text altogether")],
    )
    return path


@pytest.fixture
def directory(run):
    """An evaluation of the run, in the run, with everything measured and nothing found."""
    place = run / "evaluations" / "suite"
    place.mkdir(parents=True)
    evaluation(run / "policy").save(place / "evaluation.json")
    write_rows(place / "rollouts.parquet", rows(*(f"problem number {i} of this kind" for i in range(20))))
    write_self_test(place, passed())
    (place / "environment.json").write_text(json.dumps({"layers": LAYERS, "toolchains": {}}))
    audited(run, ("pass", 0), ("fail", 0))
    return place


def trust(path):
    return trust_in(evaluations_in(path)[-1])


def test_what_was_not_measured_is_named_with_its_command(run):
    found = trust(run)
    assert (found.self_test, found.audit, found.contamination, found.environment) == (None, None, None, None)
    commands = {one.part: one.command for one in found.not_measured}
    assert commands == {
        "audit": f"proofgrad audit {run}", "self_test": f"proofgrad eval {run}",
        "contamination": f"proofgrad trust {run}", "environment": f"proofgrad eval {run}",
    }  # fmt: skip
    assert f"no verdict was judged again: proofgrad audit {run}" in found.warnings


def test_a_score_with_everything_measured_and_nothing_found_has_no_warning(directory):
    assert run_of(evaluations_in(directory)[0]) == directory.parents[1]
    found = examine_trust(evaluations_in(directory)[0], quiet=True)
    assert (found.warnings, found.not_measured) == ((), ())
    assert (found.samples, found.unknown, found.waiting_share) == (80, 0, 0.1)
    assert found.unknown_rate == (0, 0, upper_bound(0, 20))


def test_contamination_is_measured_once_and_found_again(directory):
    (stored,) = evaluations_in(directory)
    assert trust_in(stored).contamination is None
    measured = examine_trust(stored, quiet=True).contamination
    assert measured.training == {"prompts": 1, "demonstrations and their answers": 6}
    assert trust_in(stored).contamination == measured
    data = json.loads((directory / "trust.json").read_text("utf-8"))
    assert data["contamination"]["problems"] == 20


def test_what_the_warm_start_learned_to_revise_is_training_data(run):
    held_out = [row | {"task": "revised"} for row in rows("problem number 3 of this kind")]
    write_rows(run / "rollouts" / "revisions-1.parquet", held_out)
    measured = examine_trust(open_evaluation(str(run)), quiet=True).contamination
    assert (measured.training["prompts"], measured.duplicates) == (2, 1)


def test_what_was_measured_for_one_evaluation_of_a_run_is_not_said_of_another(run):
    examine_trust(open_evaluation(str(run)), quiet=True)
    evaluation(run / "checkpoints" / "warm-start").save(run / "eval" / "before.json")
    assert trust_in(open_evaluation(f"{run}:after")).contamination is not None
    assert trust_in(open_evaluation(f"{run}:before")).contamination is None


def test_the_unknown_rate_has_its_interval_over_problems(directory):
    evaluation("p", unknown=1).save(directory / "evaluation.json")
    found = trust(directory)
    assert found.unknown_rate == rate_interval([0.25] * 20).estimate
    assert found.unknown_rate.low < 0.25 < found.unknown_rate.high
    assert found.warnings[0] == "25.0% of the completions could not be judged and are left out of the score"


def test_warnings_stand_in_the_order_of_their_weight(directory):
    run = directory.parents[1]
    audited(run, ("pass", 1), ("fail", 2))
    write_self_test(directory, failed("cheat"))
    states = {"program": {"network": "missing: no namespaces", "pid": "active"}}
    (directory / "environment.json").write_text(json.dumps({"layers": states}))
    evaluation(run / "policy", unknown=1).save(directory / "evaluation.json")
    said = trust(directory).warnings
    assert [next(i for i, text in enumerate(said) if part in text) for part in (
        "accepted 1 of 20 cheats", "1 of 50 accepted answers were refused", "without isolation of network",
        "could not be judged", "2 of 50 refused answers were accepted", "not compared with the training data",
    )] == list(range(6))  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("gold", "refused 1 of 20 right answers, e.g. the gold one"),
        ("corrupted", "accepted 1 of 20 damaged answers, e.g. the corrupted one: look whether they are still right"),
    ],
)
def test_what_the_self_test_found_is_said_plainly(directory, kind, said):
    write_self_test(directory, failed(kind))
    assert trust(directory).warnings[0] == f"the verifier program {said}"


def test_duplicates_in_the_training_data_are_a_warning(run):
    texts = rows(*(f"problem number {i} of this kind" for i in range(3)))
    write_rows(run / "rollouts" / "step-000002.parquet", texts)
    found = examine_trust(open_evaluation(str(run)), quiet=True)
    assert found.warnings[0] == "the training data holds 3 of the 20 held-out problems"


@pytest.mark.parametrize(("each", "is_sure"), [(5, True), (2, False)])
def test_problems_that_overlap_and_are_solved_more_often_are_a_warning(directory, each, is_sure):
    text = "a b c d e f g h i j k l m n o p"
    samples = [
        {"task": f"{kind}{i}", "domain": "d", "prompt": f"{words} {kind}{i}", "problem": {}, "outcome": outcome}
        for kind, words, outcome in (("near", text, "pass"), ("far", "1 2 3 4 5 6 7 8", "fail"))
        for i in range(each)
    ]
    others = [Text(f"y{n}", " ".join(f"{word}{n}" for word in "tuvwxyztuvwxyz")) for n in range(12)]
    measured = contamination_of(samples, {"prompts": [Text("x", f"{text} q r s"), *others]})
    said = trust_in(evaluations_in(directory)[0], contamination=measured).warnings
    assert ("problems close to a training text are solved more often (100%) than the others (0%)" in said) is is_sure
    assert any(line.startswith("50% of the problems are close to a training text") for line in said) is is_sure


def test_an_evaluation_that_lies_in_the_run_of_another_policy_is_not_taken_for_its_own(directory, tmp_path):
    (tmp_path / "other").mkdir()
    evaluation(tmp_path / "other").save(directory / "evaluation.json")
    assert run_of(evaluations_in(directory)[0]) is None


def test_a_policy_without_a_run_has_unknown_training_data(tmp_path):
    evaluation("some/model").save(tmp_path / "evaluation.json")
    found = trust(tmp_path)
    assert (found.started_from, found.audit) == ("some/model", None)
    assert "what 'some/model' was trained on before is not known" in found.warnings
    commands = {one.part: one.command for one in found.not_measured}
    assert (commands["audit"], commands["contamination"]) == (None, None)
    assert commands["self_test"] == "proofgrad eval some/model"


def test_the_whole_is_plain_json(directory):
    found = examine_trust(evaluations_in(directory)[0], quiet=True)
    data = json.loads(json.dumps(found.to_json()))
    assert data["unknown_rate"].keys() == {"mean", "low", "high"}
    assert data["self_test"]["is_sound"] is True
    assert [one["outcome"] for one in data["audit"]] == ["pass", "fail"]


def test_the_command_prints_the_panel_or_json(directory, capsys):
    trust_command(str(directory), words=8, as_json=False)
    said = capsys.readouterr().out
    assert "nothing speaks against this score" in said
    assert "0 of 20 cheats accepted" in said
    trust_command(str(directory), words=8, as_json=True)
    assert json.loads(capsys.readouterr().out)["warnings"] == []


def test_the_panel_has_a_line_for_every_part(run):
    assert trust_table(trust(run)).row_count == 6


@pytest.mark.parametrize("name", ["audit.json", "trust.json", "environment.json"])
def test_a_file_that_cannot_be_read_is_named_in_one_line(run, name):
    (run / name).write_text("{")
    with pytest.raises(ConfigError, match=name) as caught:
        trust(run)
    assert "\n" not in str(caught.value)
