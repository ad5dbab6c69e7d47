"""What stands beside the score: each check in a state that its figures bear out."""

import pytest

from proofgrad.rl.report.trust_panel import trust_panel


def trust(**changed):
    parts = ("self_test", "audit", "contamination", "environment")
    plain = {"evaluation": "after", "samples": 200, "unknown": 0, "warnings": [], **dict.fromkeys(parts)}
    plain |= changed
    plain["not_measured"] = [
        {"part": part, "text": f"{part} is missing: measure {part}", "command": f"measure {part}"}
        for part in parts
        if plain[part] is None
    ]
    return plain


def check(name, **changed):
    return next(one for one in trust_panel(trust(**changed))["checks"] if one["name"] == name)


def test_what_nobody_measured_says_so_with_the_command_that_does():
    found = check("Verdicts judged again")
    assert (found["state"], found["word"]) == ("none", "not measured")
    assert (found["text"], found["command"]) == ("Audit is missing:", "measure audit")


@pytest.mark.parametrize(("unknown", "state"), [(0, "good"), (3, "warn"), (60, "bad")])
def test_unknown_verdicts_are_never_good(unknown, state):
    assert check("Unknown verdicts", unknown=unknown)["state"] == state


def test_nothing_that_was_sampled_is_not_good():
    found = check("Unknown verdicts", samples=0)
    assert (found["state"], found["word"]) == ("none", "no samples")


def checks(gold=0, cheat=0, corrupted=0):
    wrong = {"gold": gold, "cheat": cheat, "corrupted": corrupted}
    found = [
        {"verifier": "lean", "kind": k, "looked_at": 20, "unknown": 0, "wrong": ["x"] * n} for k, n in wrong.items()
    ]
    return {"is_sound": not gold and not cheat, "checks": found}


@pytest.mark.parametrize(
    ("wrong", "state"), [({}, "good"), ({"gold": 1}, "bad"), ({"cheat": 1}, "bad"), ({"corrupted": 1}, "warn")]
)
def test_a_self_test_is_sound_or_it_is_not(wrong, state):
    assert check("Verifiers' self-test", self_test=checks(**wrong))["state"] == state


def test_answers_without_a_verdict_make_no_self_test_sound():
    found = checks()
    found["checks"][0] |= {"looked_at": 0, "unknown": 20}
    shown = check("Verifiers' self-test", self_test=found)
    assert (shown["state"], "20 got no verdict" in shown["text"]) == ("warn", True)
    assert check("Verifiers' self-test", self_test={"is_sound": True, "checks": []})["state"] == "warn"


def test_verdicts_that_could_not_be_judged_again_have_not_stood():
    row = {"verifier": "lean", "outcome": "pass", "looked_at": 0, "unknown": 7, "wrong": 0, "bound": 1.0}
    found = check("Verdicts judged again", audit=[row])
    assert (found["state"], found["word"]) == ("warn", "no second verdict")
    assert "7 got no verdict the second time" in found["text"]
    found = check("Verdicts judged again", audit=[{**row, "looked_at": 90, "bound": 0.03}])
    assert (found["state"], found["word"]) == ("warn", "not all judged again")


@pytest.mark.parametrize("environment", [{}, {"layers": None}, {"layers": {}}])
def test_isolation_that_nobody_reports_is_not_said_to_be_there(environment):
    assert check("Isolation", environment=environment)["state"] == "none"


@pytest.mark.parametrize(("leaks", "refusals", "state"), [(0, 0, "good"), (1, 0, "bad"), (0, 1, "warn")])
def test_a_verdict_that_did_not_stand_is_seen(leaks, refusals, state):
    rows = [("pass", leaks), ("fail", refusals)]
    audit = [
        {"verifier": "lean", "outcome": o, "looked_at": 90, "unknown": 0, "wrong": n, "bound": 0.03} for o, n in rows
    ]
    found = check("Verdicts judged again", audit=audit)
    assert found["state"] == state
    assert f"{leaks} of 90 accepted answers refused" in found["text"]


@pytest.mark.parametrize(
    ("duplicates", "excess", "state", "says"),
    [
        (0, -0.1, "good", "0 of 50 problems"),
        (0, 0.02, "warn", "67% are close to a training text, of the training texts 57% are to another"),
        (3, 0.02, "bad", "3 of 50 problems"),
    ],
)
def test_problems_in_the_training_data_or_close_to_it_are_told(duplicates, excess, state, says):
    found = {"duplicates": duplicates, "problems": 50, "held_out": {"near": 0.67}, "baseline": {"near": 0.57}}
    shown = check("Overlap with training", contamination={**found, "excess": {"low": excess}})
    assert shown["state"] == state
    assert says in shown["text"]


@pytest.mark.parametrize(("layer", "state"), [("active", "good"), ("missing: no namespaces", "bad")])
def test_a_missing_layer_of_isolation_is_named(layer, state):
    found = check("Isolation", environment={"layers": {"program": {"seccomp": "active", "network": layer}}})
    assert found["state"] == state
    assert ("program: network" in found["text"]) == (state == "bad")


def test_warnings_that_no_check_says_are_kept():
    given = trust(warnings=["what 'x' was trained on is not known", "audit is missing: measure audit"])
    assert trust_panel(given)["warnings"] == ["What 'x' was trained on is not known"]
