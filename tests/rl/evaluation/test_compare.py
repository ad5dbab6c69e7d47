"""Comparing stored evaluations: what is concluded, what is refused, and what a reader is warned of."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from proofgrad.rl.commands.compare import compare_command
from proofgrad.rl.console import console
from proofgrad.rl.evaluate import Evaluation, TaskResult, compare
from proofgrad.rl.evaluation.compare import compare_all, compare_evaluations, jaggedness
from proofgrad.rl.evaluation.stored import StoredEvaluation
from proofgrad.rl.stats import paired_gain
from proofgrad.verifiers.errors import ConfigError

SAMPLES = 4


def stored(name, passed, **settings):
    """An evaluation in which `passed` says, by domain, how many samples of each problem passed."""
    results = [
        TaskResult(f"{domain}-{number}", domain, None, count, SAMPLES, 0)
        for domain, counts in passed.items()
        for number, count in enumerate(counts)
    ]
    made = Evaluation(name, "e", SAMPLES, 1.0, 1.0, 1, {"lean": "1"}, results)
    return StoredEvaluation(name, Path(name), replace(made, **settings), Path(name) / "rollouts.parquet")


def with_results(of, results):
    return replace(of, evaluation=replace(of.evaluation, results=results))


LOW = [0, 1, 0, 2, 1, 0, 3, 1] * 10
HIGH = [2, 3, 1, 4, 2, 1, 4, 3] * 10


def test_what_is_surely_higher_is_better_and_the_reverse_is_worse():
    low, high = stored("low", {"theorems": LOW}), stored("high", {"theorems": HIGH})
    (row,) = compare_evaluations(low, high).domains
    assert (row.conclusion, row.problems, row.needed) == ("better", 80, None)
    assert row.difference.mean == pytest.approx((sum(HIGH) - sum(LOW)) / len(LOW) / SAMPLES)
    assert row.difference.low > 0
    assert row.p_value == row.p_adjusted < 1e-6
    assert compare_evaluations(high, low).domains[0].conclusion == "worse"


def test_the_difference_is_the_one_that_training_prints():
    low, high = (stored(name, {"theorems": n, "programs": n[:9]}) for name, n in (("low", LOW), ("high", HIGH)))
    printed = compare(low.evaluation, high.evaluation)
    found = compare_evaluations(low, high).domains
    assert [(row.domain, row.problems, row.difference) for row in found] == [
        (row.domain, row.problems, row.gain) for row in printed
    ]


def test_a_run_against_itself_is_tied_with_no_difference_at_all():
    for counts in (LOW, [4] * 8, [0, 4]):
        run = stored("run", {"theorems": counts})
        (row,) = compare_evaluations(run, run).domains
        assert row.conclusion == "tied"
        assert row.difference == (0.0, 0.0, 0.0)
        assert row.p_value == row.p_adjusted == 1.0
    assert compare_evaluations(run, run).only_a == compare_evaluations(run, run).only_b == ()


def test_two_runs_that_did_equally_are_tied_only_where_problems_are_many():
    one, other = (stored(name, {"theorems": [4] * 20}, seconds=s) for name, s in (("one", 1.0), ("other", 2.0)))
    (row,) = compare_evaluations(one, other).domains
    assert row.conclusion == "undecided"
    assert row.difference.low < 0 < row.difference.high
    assert 20 < row.needed < 400
    one, other = (stored(n, {"theorems": [4] * row.needed}, seconds=s) for n, s in (("one", 1.0), ("other", 2.0)))
    assert compare_evaluations(one, other).domains[0].conclusion == "tied"


def test_a_margin_makes_a_tie_of_what_is_undecided_without():
    one = stored("one", {"theorems": [0, 1, 2, 3] * 50})
    other = stored("other", {"theorems": [1, 0, 3, 2] * 50})
    assert compare_evaluations(one, other, margin=0.05).domains[0].conclusion == "tied"
    row = compare_evaluations(one, other, margin=0.01).domains[0]
    assert row.conclusion == "undecided"
    assert row.needed > row.problems


def test_more_problems_are_asked_for_than_there_are():
    """Five of eight gained as much: sure by Student's t, and not by their signs alone."""
    row = compare_evaluations(stored("one", {"t": [0] * 8}), stored("other", {"t": [2] * 5 + [0] * 3})).domains[0]
    assert (row.conclusion, row.p_value) == ("undecided", 0.0625)
    assert row.needed > row.problems


def test_a_sure_difference_within_the_margin_is_a_difference():
    one = stored("one", {"theorems": [0] * 380 + [0] * 20})
    other = stored("other", {"theorems": [0] * 380 + [1] * 20})
    row = compare_evaluations(one, other).domains[0]
    assert row.conclusion == "better"
    assert row.difference.high < 0.05


def test_the_correction_is_over_all_domains_and_all_evaluations():
    """Found alone; not any more, where it is one of nine."""
    base = {"theorems": [1, 2] * 20, "programs": [2] * 40}
    gained = [1, 2] * 15 + [3, 3, 2, 4, 2, 2, 3, 1, 3, 3]
    before, after = (stored(name, {"theorems": n}) for name, n in (("a", base["theorems"]), ("b", gained)))
    (alone,) = compare_evaluations(before, after).domains
    assert alone.conclusion == "better"
    others = [stored(name, {**base, "theorems": gained if name == "b" else base["theorems"]}) for name in "abcd"]
    rows = [row for comparison in compare_all(others) for row in comparison.domains]
    assert len(rows) == 9
    first = rows[0]
    assert (first.domain, first.p_value) == ("theorems", alone.p_value)
    assert first.p_adjusted == pytest.approx(9 * alone.p_value)
    assert first.conclusion != "better"
    assert first.detectable > alone.detectable


def test_domains_stand_in_order_and_the_whole_comes_last():
    one = stored("one", {"theorems": LOW, "programs": HIGH})
    found = compare_evaluations(one, one)
    assert [row.domain for row in found.domains] == ["theorems", "programs", "overall"]
    assert [row.problems for row in found.domains] == [80, 80, 160]


def test_different_verifier_versions_are_refused_in_one_line_that_names_them():
    one = stored("one", {"theorems": LOW}, verifiers={"lean": "2 lean4 4.35", "program": "3"})
    other = stored("other", {"theorems": HIGH}, verifiers={"lean": "3 lean4 4.36", "program": "3"})
    with pytest.raises(
        ConfigError, match=r"verifier 'lean' is '2 lean4 4\.35' in 'one' and '3 lean4 4\.36' in 'other'"
    ):
        compare_evaluations(one, other)
    found = compare_evaluations(one, other, force=True)
    assert found.forced
    (warning,) = found.warnings
    assert "'2 lean4 4.35'" in warning
    assert "'3 lean4 4.36'" in warning
    assert found.to_json()["warnings"] == [warning]


def test_force_changes_nothing_where_versions_agree():
    one, other = stored("one", {"theorems": LOW}), stored("other", {"theorems": HIGH})
    assert compare_evaluations(one, other, force=True) == compare_evaluations(one, other)
    assert not compare_evaluations(one, other, force=True).forced


def test_a_verifier_of_problems_that_only_one_side_was_asked_does_not_matter():
    one = stored("one", {"theorems": LOW, "programs": LOW}, verifiers={"lean": "1", "program": "3"})
    other = stored("other", {"theorems": HIGH})
    found = compare_evaluations(one, other)
    assert not found.forced
    assert [row.domain for row in found.domains] == ["theorems"]


def test_the_same_problems_judged_by_another_verifier_are_refused():
    one = stored("one", {"theorems": LOW})
    for domains in ({"theorems": HIGH}, {"theorems": HIGH, "more": HIGH}):
        other = stored("other", domains, verifiers={"remote": "1"})
        for pair in ((one, other), (other, one)):
            with pytest.raises(ConfigError, match=r"verifier '(lean|remote)' is '.*' in '.*' and '.*' in '.*'"):
                compare_evaluations(*pair)


def test_only_shared_problems_are_compared_and_the_rest_is_counted():
    one, other = stored("one", {"theorems": LOW}), stored("other", {"theorems": HIGH})
    one = with_results(one, one.evaluation.results[3:])
    other = with_results(other, other.evaluation.results[:-5])
    found = compare_evaluations(one, other)
    assert found.domains[0].problems == 72
    (warning,) = found.warnings
    assert "5 problems of 'one' and 3 of 'other'; 72 are shared" in warning


@pytest.mark.parametrize("shared", [0, 1])
def test_fewer_than_two_shared_problems_are_refused(shared):
    one = stored("one", {"theorems": LOW})
    other = with_results(one, one.evaluation.results[:shared] + stored("o", {"programs": LOW}).evaluation.results)
    with pytest.raises(ConfigError, match=f"share {shared} problems"):
        compare_evaluations(one, other)


def test_a_domain_with_one_shared_problem_is_named_and_has_no_row():
    one = stored("one", {"theorems": LOW, "programs": [1]})
    found = compare_evaluations(one, stored("other", {"theorems": HIGH, "programs": [2]}))
    assert [row.domain for row in found.domains] == ["theorems", "overall"]
    assert any("'programs' has one shared problem" in warning for warning in found.warnings)


def test_unknown_samples_are_on_neither_side_and_warned_of():
    one, other = stored("one", {"theorems": LOW}), stored("other", {"theorems": HIGH})
    unjudged = [replace(r, passed=0, judged=0, unknown=SAMPLES) for r in other.evaluation.results[:10]]
    other = with_results(other, unjudged + other.evaluation.results[10:])
    found = compare_evaluations(one, other)
    assert found.domains[0].problems == 70
    assert found.domains[0].difference == paired_gain(
        [count / SAMPLES for count in LOW[10:]], [count / SAMPLES for count in HIGH[10:]]
    )
    assert any("10 shared problems with fewer than 1 judged sample" in warning for warning in found.warnings)
    assert any("40 of 320 samples of 'other' could not be judged" in warning for warning in found.warnings)
    assert not {r.task for r in unjudged} & {*found.only_a, *found.only_b}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"temperature": 0.0}, "temperature differs: 1.0 in 'one', 0.0 in 'other'"),
        ({"max_tokens": 64}, "max tokens differs: 128 in 'one', 64 in 'other'"),
        ({"samples": 8}, "samples differs: 4 in 'one', 8 in 'other'"),
        ({"suite": "full"}, "suite differs: lite in 'one', full in 'other'"),
        ({"max_tokens": None}, None),  # recorded by an older version, which did not say
        ({"seconds": 9.0, "tokens": 7, "policy": "p", "engine": "vllm"}, None),
    ],
)
def test_settings_that_differ_are_warned_of(settings, words):
    one = stored("one", {"theorems": LOW}, max_tokens=128, suite="lite")
    other = stored("other", {"theorems": HIGH}, **({"max_tokens": 128, "suite": "lite"} | settings))
    assert compare_evaluations(one, other).warnings == ((words,) if words else ())


def test_pass_at_k_compares_what_several_samples_solve():
    one, other = stored("one", {"theorems": [1] * 50 + [0] * 10}), stored("other", {"theorems": [3] * 50 + [0] * 10})
    first, all_of_them = (compare_evaluations(one, other, k=k).domains[0] for k in (1, SAMPLES))
    assert (first.conclusion, first.difference.mean) == ("better", pytest.approx(0.5 * 50 / 60))
    assert all_of_them.difference.mean == 0
    assert all_of_them.a_method == "wilson"


@pytest.mark.parametrize("k", [0, SAMPLES + 1])
def test_more_samples_than_there_are_cannot_be_compared(k):
    one = stored("one", {"theorems": LOW})
    with pytest.raises(ConfigError, match=f"pass@{k} cannot be had from 'one', which has 4 samples"):
        compare_evaluations(one, one, k=k)


@pytest.mark.parametrize("margin", [0.0, -0.1, 1.0, float("nan")])
def test_a_margin_that_makes_no_sense_is_refused(margin):
    one = stored("one", {"theorems": LOW})
    with pytest.raises(ConfigError, match="the margin is"):
        compare_evaluations(one, one, margin=margin)


def test_what_one_solves_and_the_other_never_does_is_named():
    found = compare_evaluations(stored("a", {"t": [0, 1, 0, 4, 2]}), stored("b", {"t": [2, 0, 0, 4, 0]}))
    assert found.only_a == ("t-1", "t-4")
    assert found.only_b == ("t-0",)


def test_jaggedness_is_the_spread_over_domains_and_the_worst_of_them():
    uneven = stored("a", {"theorems": [0] * 30, "programs": [4, 3] * 15, "maths": [2] * 30})
    found = jaggedness(uneven.evaluation)
    assert (found.worst, found.worst_rate.mean) == ("theorems", 0.0)
    assert found.spread.mean == pytest.approx(0.875)
    assert 0 < found.spread.low < found.spread.mean < found.spread.high <= 1
    assert list(found.rates) == ["theorems", "programs", "maths"]
    assert compare_evaluations(uneven, uneven).jaggedness_b == found


def test_equal_domains_have_a_spread_that_may_be_none():
    found = jaggedness(stored("a", {"theorems": LOW, "programs": [*LOW[1:], 2]}).evaluation)
    assert found.spread.low == 0 < found.spread.mean < found.spread.high


def test_one_domain_has_no_spread():
    assert jaggedness(stored("a", {"theorems": LOW}).evaluation) is None
    assert jaggedness(stored("a", {"theorems": LOW, "programs": [1]}).evaluation) is None
    assert compare_evaluations(stored("a", {"t": LOW}), stored("b", {"t": HIGH})).to_json()["jaggedness_a"] is None


def test_a_comparison_is_plain_json():
    found = compare_evaluations(stored("a", {"t": LOW, "p": LOW}), stored("b", {"t": HIGH, "p": LOW}))
    data = found.to_json()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert [row["conclusion"] for row in data["domains"]] == [row.conclusion for row in found.domains]
    assert data["domains"][0]["a"]["interval"] == found.domains[0].a_method


@pytest.fixture
def directories(tmp_path):
    """Three evaluations on disk: a, a better one, and one that other verifiers judged."""
    made = {
        "a": stored("a", {"theorems": LOW, "programs": [1, 2] * 8}),
        "b": stored("b", {"theorems": HIGH, "programs": [2, 1] * 8}),
        "old": stored("old", {"theorems": HIGH, "programs": [2, 1] * 8}, verifiers={"lean": "0"}),
    }
    for name, one in made.items():
        (tmp_path / name).mkdir()
        one.evaluation.save(tmp_path / name / "evaluation.json")
    return {name: str(tmp_path / name) for name in made}


def run(*args):
    app = typer.Typer()
    app.command()(compare_command)
    width, console.width = console.width, 110  # whatever the terminal that the tests run in
    try:
        done = CliRunner().invoke(app, [*map(str, args)])
    finally:
        console.width = width
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_the_command_shows_each_domain_with_its_conclusion(directories):
    lines = run(directories["a"], directories["b"]).splitlines()
    by_domain = {line.split()[0]: line for line in lines if line.strip()}
    assert "better" in by_domain["theorems"]
    assert "undecided" in by_domain["programs"]
    assert "better" in by_domain["overall"]
    assert any(line.startswith("programs: too few problems to say; about ") for line in lines)
    assert any(line.startswith("only B solves 30 of the shared problems: theorems-0, ") for line in lines)
    assert all(line.count("theorems-") <= 10 for line in lines)


def test_the_command_holds_all_against_the_first(directories):
    data = json.loads(run(directories["a"], directories["b"], directories["a"], "--json"))
    # Two evaluations of one name are shown by their paths.
    assert [(c["a"], c["b"]) for c in data["comparisons"]] == [
        (directories["a"], "b"),
        (directories["a"], directories["a"]),
    ]
    assert [row["conclusion"] for row in data["comparisons"][1]["domains"]] == ["tied"] * 3


def test_the_command_refuses_other_verifiers_and_warns_when_forced(directories):
    with pytest.raises(ConfigError, match="verifier 'lean' is '1' in 'a' and '0' in 'old'"):
        run(directories["a"], directories["old"])
    for style in ((), ("--markdown",), ("--json",)):
        assert "verifier 'lean' is '1' in 'a' and '0' in 'old'" in run(
            directories["a"], directories["old"], "--force", *style
        )


def test_markdown_is_a_table_with_as_many_cells_in_every_row(directories):
    text = run(directories["a"], directories["b"], "--markdown")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3
    assert {line.count("|") for line in rows} == {9}
    assert text.startswith("### pass@1: A is a, B is b\n")


def test_one_evaluation_alone_is_not_compared(directories):
    with pytest.raises(ConfigError, match="two evaluations or more"):
        run(directories["a"])
    with pytest.raises(ConfigError, match="exclude each other"):
        run(directories["a"], directories["b"], "--json", "--markdown")
