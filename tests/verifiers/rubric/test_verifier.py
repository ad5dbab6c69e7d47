"""`RubricVerifier`: gates first, UNKNOWN where a judgement is missing, and words of the rubric's own."""
# ruff: noqa: E501  # one case a line: a table is easier to scan than wrapped strings

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.verifiers import BatchVerifier, ConfigError, Outcome, ProblemError, Verdict
from proofgrad.verifiers.pool import VerifierPool
from proofgrad.verifiers.rubric import Mark, RubricVerifier, calibrate, load_rubric, save_calibration, shipped_rubrics
from proofgrad.verifiers.rubric.decision import Finding, decide

PROBLEM = {"prompt": "How do I make tea?"}
SAFE, WATER, TIME = "Nobody gets hurt.", "It says how hot the water is.", "It says how long the tea stays in."


@pytest.fixture
def make(tea, scripted):
    def make(score, **options):
        judge = scripted(score if callable(score) else lambda criterion, answer: score)
        return RubricVerifier(tea, judge, allow_uncalibrated=True, **options), judge

    return make


def by_criterion(**scores):
    """A judge's function: scores by the first word that names a criterion."""
    texts = {SAFE: "safe", WATER: "water", TIME: "time"}
    return lambda criterion, answer: scores.get(texts[criterion], 5)


def test_it_is_a_batch_verifier(make):
    assert isinstance(make(5)[0], BatchVerifier)


def test_an_answer_that_meets_everything_passes_with_score_one(make):
    verdict = make(5)[0].verify(PROBLEM, "hot water")
    assert (verdict.outcome, verdict.score, verdict.reason, verdict.feedback) == (Outcome.PASS, 1.0, "rubric.ok", "")


def test_the_score_is_the_weighted_mean_of_values(make):
    verdict = make(by_criterion(water=4, time=3))[0].verify(PROBLEM, "x")
    assert (verdict.outcome, verdict.score) == (Outcome.PASS, (2 * 0.75 + 0.5 + 1) / 4)


def test_below_the_threshold_it_fails_with_partial_credit_and_names_what_is_missing(make):
    verdict = make(by_criterion(water=2))[0].verify(PROBLEM, "steep it")
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "rubric.below_threshold")
    assert verdict.score == (2 * 0.25 + 1 + 0) / 4
    assert verdict.feedback == f"Not met:\n- {WATER}\n- It avoids jargon."


def test_a_failed_gate_of_the_judge_decides_and_nothing_more_is_asked(make):
    verifier, judge = make(by_criterion(safe=3))
    verdict = verifier.verify(PROBLEM, "x")
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.FAIL, 0.0, "rubric.gate_failed")
    assert judge.criteria == [SAFE]
    assert verdict.evidence["asked"] == 1


def test_a_failed_gate_of_code_decides_before_the_judge_is_asked(make):
    verifier, judge = make(5)
    assert verifier.verify(PROBLEM, "word " * 41).reason == "rubric.gate_failed"
    assert judge.questions == []


def test_a_gate_that_could_not_be_judged_leaves_the_verdict_unknown_and_the_rest_unasked(make):
    verifier, judge = make(by_criterion(safe=Mark.none("unreachable", "gone")))
    verdict = verifier.verify(PROBLEM, "x")
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.UNKNOWN, None, "infra.judge_unreachable")
    assert judge.criteria == [SAFE]


def test_a_criterion_that_could_not_be_judged_leaves_the_verdict_unknown(make):
    verdict = make(by_criterion(time=Mark.none("unparseable", "prose")))[0].verify(PROBLEM, "x")
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.UNKNOWN, None, "infra.judge_unparseable")
    assert verdict.feedback == ""


@pytest.mark.parametrize("answer", ["", " \n\t", "\u200b\u200b", "\U000e0041\U000e0042"])
def test_an_answer_in_which_there_is_nothing_to_see_fails(make, answer):
    verifier, judge = make(5)
    verdict = verifier.verify(PROBLEM, answer)
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.FAIL, 0.0, "rubric.empty")
    assert judge.questions == []


@pytest.mark.parametrize("answer", ["x" * 1001, "\n" * 500, "茶" * 340, "<a" * 350, "x" * 10_000_000])
def test_an_answer_that_could_overflow_a_judge_fails_unread(make, answer):
    verifier, judge = make(5)
    assert verifier.verify(PROBLEM, answer).reason == "rubric.too_long"
    assert judge.questions == []


def test_feedback_never_has_a_word_of_the_judge(make):
    steered = Mark.none("unparseable", "the secret answer is 42")
    for mark in (steered, 1):
        verdict = make(by_criterion(water=mark))[0].verify(PROBLEM, "x")
        assert "42" not in verdict.feedback


def test_evidence_names_what_a_judgement_rests_on(make, tea):
    evidence = make(by_criterion(water=3))[0].verify(PROBLEM, "x").evidence
    assert (evidence["judge"], evidence["rubric"], evidence["rubric_sha256"]) == ("scripted", "tea", tea.digest)
    assert evidence["judge_meets_minimum"] is False
    assert evidence["criteria"]["water"] == {"met": False, "score": 3}
    assert evidence["criteria"]["short"] == {"met": True}
    json.dumps(evidence)


def test_a_batch_gives_the_verdicts_that_single_ones_would(make):
    score = lambda criterion, answer: 1 + len(answer) % 5  # noqa: E731
    items = [(PROBLEM, "x" * n) for n in range(12)]
    single = [make(score)[0].verify(*item) for item in items]
    batch = make(score)[0].verify_batch(items)
    strip = [(v.outcome, v.score, v.reason, v.feedback, v.evidence) for v in single]
    assert [(v.outcome, v.score, v.reason, v.feedback, v.evidence) for v in batch] == strip
    assert make(5)[0].verify_batch([]) == []


def test_the_pool_asks_again_for_what_is_unknown(tea, scripted):
    replies = iter([Mark.none("timeout", "")] * 1 + [5] * 10)
    judge = scripted(lambda criterion, answer: next(replies))
    with VerifierPool({"rubric": RubricVerifier(tea, judge, allow_uncalibrated=True)}, retries=1) as pool:
        assert pool.submit("rubric", PROBLEM, "x").result(30).is_pass
    assert judge.closed


def test_the_tags_differ_between_processes_unless_a_key_is_given(make):
    def system(**options):
        verifier, judge = make(5, **options)
        verifier.verify(PROBLEM, "x")
        return judge.questions[0].system

    assert system() != system()
    assert system(delimiter_key="k") == system(delimiter_key="k") != system(delimiter_key="l")


def test_the_version_names_rubric_prompt_and_judge(tea, scripted, write_rubric):
    def version(rubric, model):
        return RubricVerifier(rubric, scripted(None, model=model), allow_uncalibrated=True).version

    one = version(tea, "a")
    assert version(tea, "b") != one
    assert version(load_rubric(write_rubric(threshold=0.5)), "a") != one
    assert version(tea, "a") == one
    assert tea.digest[:12] in one


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({}, "'prompt' must be what was asked"),
        ({"prompt": " "}, "'prompt' must be what was asked"),
        ({"prompt": "x", "reference": 1}, "'reference' must be text"),
        ({"prompt": "x", "lines": 0}, "'lines' must be a whole number"),
        ({"prompt": "x", "lines": True}, "'lines' must be a whole number"),
        ({"prompt": "x", "rubric": "coffee"}, "'rubric' is 'coffee'; this verifier has tea"),
        ({"prompt": "x", "rubrik": "tea"}, "unknown key 'rubrik'"),
    ],
)
def test_a_malformed_problem_is_a_problem_error(make, problem, message):
    with pytest.raises(ProblemError, match=message):
        make(5)[0].verify(problem, "x")


def test_several_rubrics_are_told_apart_by_the_problem(tea, scripted):
    other = tea.model_copy(update={"name": "coffee", "threshold": 1.0})
    judge = scripted(lambda criterion, answer: 4)
    verifier = RubricVerifier([tea, other], judge, allow_uncalibrated=True)
    assert verifier.verify({**PROBLEM, "rubric": "tea"}, "x").is_pass
    assert not verifier.verify({**PROBLEM, "rubric": "coffee"}, "x").is_pass
    with pytest.raises(ProblemError, match="'rubric' is None; this verifier has coffee, tea"):
        verifier.verify(PROBLEM, "x")
    with pytest.raises(ConfigError, match="each once"):
        RubricVerifier([tea, tea], judge, allow_uncalibrated=True)


def test_a_rubric_for_code_alone_needs_no_judge(write_rubric):
    criteria = [{"id": "short", "kind": "code", "text": "It is short.", "check": {"words": {"max": 3}}}]
    verifier = RubricVerifier(write_rubric(criteria=criteria))
    assert verifier.verify(PROBLEM, "one two").is_pass
    assert verifier.verify(PROBLEM, "one two three four").score == 0.0
    verifier.close()


def test_without_a_judge_a_rubric_that_needs_one_is_refused(tea):
    with pytest.raises(ConfigError, match="the rubric 'tea' needs a judge"):
        RubricVerifier(tea)


@pytest.mark.skipif(not shipped_rubrics(), reason="this installation has no package proofgrad.rubrics")
def test_by_default_it_has_every_shipped_rubric(scripted):
    verifier = RubricVerifier(judge=scripted(lambda criterion, answer: 5), allow_uncalibrated=True)
    assert all(name in verifier.version for name in shipped_rubrics())


def test_a_judge_without_a_calibration_is_refused_with_the_command(tea, honest_judge):
    with pytest.raises(
        ConfigError, match=r"not calibrated for the rubric 'tea' .*: run proofgrad rubric calibrate"
    ) as it:
        RubricVerifier(tea, honest_judge)
    assert str(tea.path) in str(it.value)


def test_a_calibrated_judge_is_taken_and_the_evidence_says_so(tea, honest_judge, tmp_path):
    path = tmp_path / "calibration.json"
    save_calibration(calibrate(tea, honest_judge), path)
    verifier = RubricVerifier(tea, honest_judge, calibration=path)
    assert verifier.verify(PROBLEM, "water time").evidence["judge_meets_minimum"] is True


def test_a_judge_that_falls_short_is_refused_unless_that_is_allowed(tea, scripted, tmp_path):
    judge, path = scripted(lambda criterion, answer: 5), tmp_path / "calibration.json"
    save_calibration(calibrate(tea, judge), path)
    with pytest.raises(ConfigError, match=r"falls short of the minimum of the rubric 'tea': kappa 0\.00 is under 0\.6"):
        RubricVerifier(tea, judge, calibration=path)
    verifier = RubricVerifier(tea, judge, calibration=path, allow_uncalibrated=True)
    assert verifier.verify(PROBLEM, "x").evidence["judge_meets_minimum"] is False


def test_a_calibration_of_another_rubric_examples_or_judge_does_not_count(
    write_rubric, scripted, honest_judge, tmp_path
):
    path = tmp_path / "calibration.json"
    tea = load_rubric(write_rubric())
    save_calibration(calibrate(tea, honest_judge), path)
    with pytest.raises(ConfigError, match="'other' is not calibrated"):
        RubricVerifier(tea, scripted(honest_judge.score, model="other"), calibration=path)
    with pytest.raises(ConfigError, match="not calibrated"):
        RubricVerifier(write_rubric(threshold=0.8), honest_judge, calibration=path)
    tea = load_rubric(write_rubric())
    RubricVerifier(tea, honest_judge, calibration=path)
    tea.examples_path.write_text(tea.examples_path.read_text() + "\n")
    with pytest.raises(ConfigError, match="not calibrated"):
        RubricVerifier(tea, honest_judge, calibration=path)


findings = st.one_of(
    st.booleans().map(Finding.of_label),
    st.sampled_from([(s >= 4, (s - 1) / 4, s) for s in range(1, 6)]).map(lambda args: Finding(*args)),
    st.just(Finding(None, None, None, "infra.judge_timeout")),
)


@settings(deadline=None)
@given(st.data())
def test_the_law_of_decisions(data):
    from proofgrad.verifiers.rubric.rubric import Rubric

    n = data.draw(st.integers(1, 5))
    criteria = [
        {"id": f"c{i}", "kind": "judge", "text": "x", "gate": data.draw(st.booleans()), "weight": data.draw(st.integers(0, 3))}
        for i in range(n)
    ]  # fmt: skip
    criteria[0]["weight"] = 1
    threshold = data.draw(st.sampled_from([0.1, 0.5, 0.7, 1.0]))
    rubric = Rubric.model_validate(
        {"name": "r", "asked": "x", "criteria": criteria, "threshold": threshold, "examples": "e"}
    )
    found = {c["id"]: data.draw(findings) for c in criteria}
    decision = decide(rubric, found)
    Verdict(decision.outcome, decision.score, decision.reason)
    if any(c["gate"] and found[c["id"]].met is False for c in criteria):
        assert (decision.outcome, decision.score) == (Outcome.FAIL, 0.0)
    elif any(finding.met is None for finding in found.values()):
        assert (decision.outcome, decision.reason) == (Outcome.UNKNOWN, "infra.judge_timeout")
    else:
        assert (decision.outcome is Outcome.PASS) == (decision.score >= threshold)
