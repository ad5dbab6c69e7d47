"""Calibration: each way in which a judge can be bad shows in its own figure, and a good one passes."""

import itertools
import json

import pytest

from proofgrad.verifiers.errors import ConfigError
from proofgrad.verifiers.rubric import Mark, calibrate, load_calibrations, load_rubric, save_calibration
from proofgrad.verifiers.rubric.calibration import Calibration, require_calibrated


def short(tea, judge, **options):
    """The names of the figures that fall short."""
    return {text.split(" is ")[0].rsplit(" ", 1)[0] for text in calibrate(tea, judge, **options).shortfalls(tea)}


def test_a_judge_that_agrees_with_the_labels_meets_the_minimum(tea, honest_judge):
    result = calibrate(tea, honest_judge)
    assert result.meets(tea)
    assert result.kappa.value == result.criteria_kappa.value == result.consistency == 1.0
    assert result.length_controlled_kappa == 1.0
    assert (result.order_flips, result.order_shift, result.unknown) == (0.0, 0.0, 0.0)
    assert (result.cheaters, result.cheaters_caught, result.tricks_that_passed) == (6, 6, ())
    assert (result.examples, result.judgements, result.repeats) == (24, 24 * 3 * 4, 3)


@pytest.mark.parametrize("score", [1, 5])
def test_a_judge_that_always_says_the_same_falls_short(tea, scripted, score):
    result = calibrate(tea, scripted(lambda criterion, answer: score))
    assert not result.meets(tea)
    assert {"kappa", "kappa of criteria", "length-controlled kappa"} <= short(tea, scripted(lambda c, a: score))


def test_a_judge_that_cheaters_can_sway_is_found_out_with_the_tricks(tea, scripted, honest_judge):
    def score(criterion, answer):
        return 5 if "trust me" in answer else honest_judge.score(criterion, answer)

    result = calibrate(tea, scripted(score))
    assert result.cheaters_caught == 0
    assert set(result.tricks_that_passed) == {f"trick {i}" for i in range(6)}
    assert "cheaters caught" in short(tea, scripted(score))


def test_a_judge_that_changes_its_mind_is_inconsistent(tea, scripted):
    coin = itertools.cycle([1, 5, 5, 1, 5])
    result = calibrate(tea, scripted(lambda criterion, answer: next(coin)))
    assert result.consistency < 0.9


def test_a_judge_that_is_swayed_by_the_order_is_found_out(tea, scripted, honest_judge):
    class Swayed(scripted):
        def ask(self, questions):
            marks = super().ask(questions)
            first = ["The criterion:" in question.user for question in questions]
            return [mark if is_first else Mark(5) for mark, is_first in zip(marks, first, strict=True)]

    result = calibrate(tea, Swayed(honest_judge.score))
    assert result.order_flips > 0.15
    assert result.order_shift > 0
    assert result.consistency == 1.0
    assert short(tea, Swayed(honest_judge.score)) == {"order flips"}


def test_a_judge_that_likes_length_is_found_out(tea, scripted):
    result = calibrate(tea, scripted(lambda criterion, answer: min(5, 1 + len(answer.split()) // 3)))
    assert result.length_correlation > 0.8
    assert "length correlation" in short(tea, scripted(lambda c, a: min(5, 1 + len(a.split()) // 3)))


def test_a_dislike_of_length_counts_as_well(tea, scripted):
    result = calibrate(tea, scripted(lambda criterion, answer: max(1, 5 - len(answer.split()) // 3)))
    assert result.length_correlation < -0.8
    assert any("length correlation" in text for text in result.shortfalls(tea))


def test_judgements_that_do_not_come_about_are_counted_and_never_scored(tea, scripted, honest_judge):
    def score(criterion, answer):
        return Mark.none("timeout", "") if len(answer) % 3 == 0 else honest_judge.score(criterion, answer)

    result = calibrate(tea, scripted(score))
    assert 0 < result.unknown < 1
    assert result.unknown_reasons == {"infra.judge_timeout": round(result.unknown * result.judgements)}
    assert result.kappa.value == 1.0
    assert result.shortfalls(tea)


def test_a_judge_that_never_answers_defines_nothing_and_is_refused(tea, scripted):
    result = calibrate(tea, scripted(lambda criterion, answer: Mark.none("unreachable", "down")))
    assert (result.kappa.value, result.consistency, result.order_flips, result.unknown) == (None, None, None, 1.0)
    assert result.cheaters_caught == 0
    assert "kappa undefined" in result.shortfalls(tea)
    assert not result.meets(tea)


def test_each_repeat_has_other_delimiters(tea, honest_judge):
    calibrate(tea, honest_judge, repeats=2)
    n = len(honest_judge.questions) // 3
    tags = [[q.system for q in honest_judge.questions[i * n : (i + 1) * n]] for i in range(3)]
    assert not set(tags[0]) & set(tags[1])
    assert tags[0] == tags[2]  # the other order, all else equal


def test_progress_is_told(tea, honest_judge):
    told = []
    result = calibrate(tea, honest_judge, repeats=2, on_judgement=told.append)
    assert sum(told) == result.judgements


def test_results_survive_the_file_and_replace_their_like(tea, honest_judge, scripted, tmp_path):
    path = tmp_path / "deep" / "calibration.json"
    first = calibrate(tea, scripted(lambda c, a: 5, model="scripted"))
    save_calibration(first, path)
    other = calibrate(tea, scripted(honest_judge.score, model="other"))
    save_calibration(other, path)
    assert load_calibrations(path) == [first, other]
    again = calibrate(tea, honest_judge)
    save_calibration(again, path)
    assert load_calibrations(path) == [other, again]
    assert Calibration.from_json(json.loads(json.dumps(again.to_json()))) == again


def test_a_result_of_another_rubric_does_not_meet_this_one(tea, honest_judge, write_rubric):
    result = calibrate(tea, honest_judge)
    assert not result.meets(load_rubric(write_rubric(threshold=0.9)))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2, "results": []}', '{"format": 1, "results": [{}]}'])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "calibration.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match="is no calibration that proofgrad wrote"):
        load_calibrations(path)


def test_a_file_that_is_not_there_is_refused(tea, tmp_path):
    with pytest.raises(ConfigError, match="cannot read the calibration"):
        require_calibrated([tea], "m", tmp_path / "no.json")


def test_a_rubric_for_code_alone_has_nothing_to_calibrate(write_rubric, honest_judge):
    criteria = [{"id": "short", "kind": "code", "text": "It is short.", "check": {"words": {"max": 3}}}]
    rubric = load_rubric(write_rubric(criteria=criteria))
    with pytest.raises(ConfigError, match="nothing to calibrate"):
        calibrate(rubric, honest_judge)
    assert require_calibrated([rubric], "m", None) == {}


def test_one_repeat_is_too_few(tea, honest_judge):
    with pytest.raises(ConfigError, match="repeats is 1"):
        calibrate(tea, honest_judge, repeats=1)
