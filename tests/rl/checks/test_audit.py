"""proofgrad audit: verdicts that do not stand are found, counted apart and bounded."""

import json

import pytest

from proofgrad.rl.checks.audit import audit_run, judge_again, judged_in, sample
from proofgrad.rl.config import Config
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.rl.stats import upper_bound
from proofgrad.verifiers import get
from proofgrad.verifiers.base import AuditableVerifier, Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError

PROBLEM = {"entry_point": "f", "tests": [{"args": [n], "expected": n + 1} for n in (1, 5, 9)], "public": 1}
RIGHT, WRONG = "def f(x):\n    return x + 1", "def f(x):\n    return x"
# Right three times in a row only for one process that sees the tests in their order.
COUNTING = "answers = iter((2, 6, 10))\ndef f(x):\n    return next(answers)"


def row(candidate, outcome, verifier="program", problem=PROBLEM, task="t"):
    return {
        "verifier": verifier, "task": task, "problem": json.dumps(problem), "candidate": candidate,
        "outcome": outcome, "reason": "code.ok" if outcome == "pass" else "code.wrong_output",
    }  # fmt: skip


@pytest.fixture
def run(tmp_path):
    config = {"name": "x", "runs_dir": tmp_path, "policy": {"scratch": {}}, "envs": [{"name": "synthesis"}]}
    return RunDirectory.create(Config.model_validate(config))


def test_a_run_whose_verdicts_stand_has_no_disagreement(run, capsys):
    run.write_rollouts("step-000000", [row(RIGHT, "pass"), row(WRONG, "fail")])
    assert audit_run(run.path, size=10, seed=0)
    result = json.loads((run.path / "audit.json").read_text("utf-8"))
    assert [(a["outcome"], a["looked_at"], a["disagreements"]) for a in result["audits"]] == [
        ("fail", 1, []), ("pass", 1, []),
    ]  # fmt: skip
    assert "judged again" in capsys.readouterr().out


def test_leaks_and_false_refusals_are_told_apart(run, capsys):
    run.write_rollouts("step-000000", [row(RIGHT, "pass"), row(WRONG, "pass", task="leak")])
    run.write_rollouts("after", [row(RIGHT + "\n", "fail", task="refused")])
    assert not audit_run(run.path, size=10, seed=0)
    said = capsys.readouterr().out
    assert "leak: program leak: code.ok → code.wrong_output" in said
    assert "false refusal: program refused: code.wrong_output → code.ok" in said
    found = {a["outcome"]: a for a in json.loads((run.path / "audit.json").read_text("utf-8"))["audits"]}
    assert [one["candidate"] for one in found["pass"]["disagreements"]] == [WRONG]
    assert found["pass"]["bound"] == pytest.approx(upper_bound(1, 2))


def test_the_auditor_of_programs_is_stricter_than_the_verifier(run):
    verifier = get("program")
    assert verifier.verify(PROBLEM, COUNTING).is_pass
    auditor = verifier.auditor()
    assert isinstance(verifier, AuditableVerifier)
    assert auditor.verify(PROBLEM, COUNTING).outcome is Outcome.FAIL
    assert auditor.verify(PROBLEM, RIGHT).is_pass
    assert auditor.version != verifier.version
    for one in (verifier, auditor):
        one.close()


def test_the_auditor_of_proofs_judges_each_alone():
    auditor = get("lean", toolchain="embedded", batch_size=64, audit=False).auditor()
    assert auditor.batch_size == 1
    assert "unaudited" not in auditor.version
    auditor.close()


def test_a_candidate_counts_once_however_often_it_was_sampled(run):
    run.write_rollouts("step-000000", [row(RIGHT, "pass")] * 5 + [row(WRONG, "fail"), row(None, "fail")])
    run.write_rollouts("step-000001", [row(RIGHT, "pass"), row("", "unknown")])
    assert [(one.candidate, one.outcome) for one in judged_in(run)] == [(RIGHT, "pass"), (WRONG, "fail")]


def test_a_sample_is_drawn_by_its_seed_and_from_each_outcome_apart(run):
    rows = [row(f"{RIGHT}  # {n}", "pass" if n % 10 else "fail") for n in range(200)]
    run.write_rollouts("step-000000", rows)
    judged = judged_in(run)
    first, again, other = (sample(judged, 15, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert [sum(one.outcome == outcome for one in first) for outcome in ("pass", "fail")] == [15, 15]
    assert len(sample(judged, 500, 0)) == 200


def test_what_cannot_be_judged_again_counts_for_neither(run):
    class Broken:
        name, version = "program", "broken"

        def verify(self, problem, candidate):
            return Verdict.unknown("infra.worker_died")

    run.write_rollouts("step-000000", [row(RIGHT, "pass")])
    (audit,) = judge_again(judged_in(run), {"program": Broken()})
    assert (audit.looked_at, audit.unknown, audit.disagreements, audit.bound) == (0, 1, (), 1.0)


def test_a_run_without_candidates_or_without_problems_gets_one_line(run):
    with pytest.raises(ConfigError, match="nothing to audit"):
        audit_run(run.path, size=1, seed=0)
    run.write_rollouts("step-000000", [{"task": "t", "candidate": RIGHT}])
    with pytest.raises(ConfigError, match="does not hold what an audit needs") as caught:
        audit_run(run.path, size=1, seed=0)
    assert "\n" not in str(caught.value)
