"""Before anything is learned from verifiers, they are examined; one that a cheat passes stops the run."""

import json
from types import SimpleNamespace

import pytest

from proofgrad import envs, verifiers
from proofgrad.rl.checks import examination
from proofgrad.rl.checks.examination import examine, examine_verifiers
from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.errors import UnhealthyError


class Credulous:
    """Passes everything."""

    name, version = "program", "1"

    def verify(self, problem, candidate):
        return Verdict.passed("credulous.ok")


def session_in(path, verifier, n=2):
    said = []
    return SimpleNamespace(
        run=SimpleNamespace(path=path),
        envs={"synthesis": envs.get("synthesis", max_level=1)},
        verifiers={"program": verifier},
        config=SimpleNamespace(verification=SimpleNamespace(self_test=n)),
        is_main_process=lambda: True,
        say=said.append,
        said=said,
    )


def test_a_verifier_that_a_cheat_passes_stops_the_run(tmp_path):
    with pytest.raises(UnhealthyError, match=r"the verifier 'program' accepts \d+ of \d+ cheats") as stopped:
        examine_verifiers(session_in(tmp_path, Credulous()))
    assert "\n" not in str(stopped.value)
    assert not json.loads((tmp_path / "self_test.json").read_text(encoding="utf-8"))["is_sound"]


def test_a_sound_verifier_is_told_of_once_and_not_tested_again(tmp_path, monkeypatch):
    session = session_in(tmp_path, verifiers.get("program"))
    examine_verifiers(session)
    assert len(session.said) == 1
    assert session.said[0].startswith("verifiers: 2 of 2 right answers pass, ")
    monkeypatch.setattr(examination, "self_test", lambda *_: pytest.fail("tested again"))
    examine_verifiers(session)
    assert len(session.said) == 1


def test_more_right_answers_than_last_time_are_tested_anew(tmp_path):
    session = session_in(tmp_path, verifiers.get("program"), n=1)
    examine_verifiers(session)
    result, is_new = examine(tmp_path, session.envs, session.verifiers, 2)
    assert (result.n, is_new) == (2, True)
    assert examine(tmp_path, session.envs, session.verifiers, 1)[1] is False


def test_another_version_is_tested_anew(tmp_path):
    session = session_in(tmp_path, verifiers.get("program"))
    examine_verifiers(session)
    with pytest.raises(UnhealthyError):
        examine_verifiers(session_in(tmp_path, Credulous()))


def test_without_a_self_test_what_is_in_force_is_recorded_all_the_same(tmp_path):
    assert examine(tmp_path, {}, {"program": Credulous()}, 0) == (None, False)
    assert json.loads((tmp_path / "environment.json").read_text(encoding="utf-8"))["verifiers"] == {"program": "1"}
    assert not (tmp_path / "self_test.json").exists()
