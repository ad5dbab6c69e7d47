"""Test-time curves against brute force over every ordered subset, and against closed forms."""

import itertools
import json
import math
import random
import statistics
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofgrad.rl.evaluate import Evaluation, TaskResult
from proofgrad.rl.evaluation.stored import evaluations_in
from proofgrad.rl.evaluation.test_time import Point, _chances_to_win, sample_curves, turn_curves
from proofgrad.rl.evaluation.test_time import test_time_curves as curves_of
from proofgrad.rl.run_directory import write_rows
from proofgrad.rl.stats import pass_at_k, rate_interval
from proofgrad.verifiers.errors import ConfigError


def sample(task="a", outcome="fail", candidate="x", **others):
    plain = {"domain": "d", "verifier": "program", "tokens": 10, "logprob": -5.0}
    seconds = {"generate_seconds": 1.0, "verify_seconds": 0.5}
    return {"task": task, "outcome": outcome, "candidate": candidate, **plain, **seconds, **others}


def drawn(rng, task, size, unknown=0.0, domain="d"):
    """A problem's samples: few different candidates, of which each passes or fails whenever it is sampled."""
    right = {"ABCD"[i]: rng.random() < 0.5 for i in range(4)}
    rows = []
    for _ in range(size):
        candidate = rng.choice(["A", "A", "B", "B", "C", "D", None])
        outcome = "unknown" if rng.random() < unknown else "pass" if right.get(candidate) else "fail"
        figures = {"tokens": rng.randint(1, 30), "logprob": -40 * rng.random(), "domain": domain}
        seconds = {"generate_seconds": rng.random(), "verify_seconds": rng.random()}
        rows.append(sample(task, outcome, candidate, **figures, **seconds))
    return rows


def spent(rows, strategy):
    """(solved, tokens, seconds) of one ordered draw, from the strategy's definition."""
    if strategy == "verifier-selected":
        stop = next((i for i, row in enumerate(rows, 1) if row["outcome"] == "pass"), len(rows))
        made = rows[:stop]
        seconds = sum(row["generate_seconds"] + row["verify_seconds"] for row in made)
        return any(row["outcome"] == "pass" for row in made), sum(row["tokens"] for row in made), seconds
    if strategy == "likeliest":
        chosen = max(rows, key=lambda row: row["logprob"] / row["tokens"])
    else:
        votes = [row["candidate"] for row in rows if row["candidate"] is not None]
        winner = max(votes, key=votes.count) if votes else None  # max takes the first of several
        chosen = next((row for row in rows if row["candidate"] == winner), None) if votes else None
    solved = chosen is not None and chosen["outcome"] == "pass"
    return solved, sum(row["tokens"] for row in rows), sum(row["generate_seconds"] for row in rows)


def brute_force(rows, strategy, n):
    judged = [row for row in rows if row["outcome"] != "unknown"]
    every = [spent(order, strategy) for order in itertools.permutations(judged, n)]
    return [statistics.fmean(column) for column in zip(*every, strict=True)]


@settings(max_examples=15)
@given(st.integers(0, 10**9), st.integers(1, 5))
def test_every_point_is_the_average_over_all_ordered_subsets(seed, size):
    rng = random.Random(seed)
    tasks = {name: drawn(rng, name, size) for name in "ab"}
    curves = sample_curves([row for rows in tasks.values() for row in rows])
    assert {curve.strategy for curve in curves} == {"likeliest", "majority", "verifier-selected"}
    for curve in curves:
        for point in curve.points:
            found = [brute_force(rows, curve.strategy, point.n) for rows in tasks.values()]
            solved, tokens, seconds = (list(column) for column in zip(*found, strict=True))
            assert point.success == pytest.approx(interval(solved))
            assert (point.tokens, point.seconds) == pytest.approx((statistics.fmean(tokens), statistics.fmean(seconds)))


def interval(values):
    return rate_interval([min(1.0, round(value, 12)) for value in values]).estimate


def curve_of(rows, strategy, domain="d"):
    (found,) = [c for c in sample_curves(rows) if (c.strategy, c.domain) == (strategy, domain)]
    return found


def test_one_sample_gives_the_same_success_whatever_the_strategy():
    rng = random.Random(1)
    rows = [row for task in range(30) for row in drawn(rng, f"t{task}", 8)]
    for row in rows:
        row["candidate"] = row["candidate"] or "E"
    first = {curve.strategy: curve.points[0].success for curve in sample_curves(rows)}
    assert first["likeliest"] == pytest.approx(first["majority"])
    assert first["likeliest"] == pytest.approx(first["verifier-selected"])


def test_a_verifier_reaches_pass_at_n():
    rng = random.Random(2)
    tasks = [drawn(rng, f"t{i}", 16) for i in range(10)]
    curve = curve_of([row for rows in tasks for row in rows], "verifier-selected")
    for point in curve.points:
        wanted = [pass_at_k(16, sum(row["outcome"] == "pass" for row in rows), point.n) for rows in tasks]
        assert point.success == pytest.approx(interval(wanted))


def test_stopping_early_costs_what_the_closed_form_says():
    # c of m pass, all of ten tokens: the expected number of draws without a limit is (m + 1) / (c + 1).
    rows = [sample(task, "pass" if i < 3 else "fail") for task in "ab" for i in range(8)]
    last = curve_of(rows, "verifier-selected").points[-1]
    assert last.tokens == pytest.approx(10 * 9 / 4)
    assert last.seconds == pytest.approx(1.5 * 9 / 4)
    assert (last.all_tokens, last.all_seconds) == (80, 12)


def test_where_nothing_passes_all_samples_are_paid_for():
    point = curve_of([sample(task) for task in "ab" for _ in range(4)], "verifier-selected").points[-1]
    assert (point.n, point.tokens, point.all_tokens, point.success.mean) == (4, 40, 40, 0)


def test_all_samples_together_elect_the_plurality_and_the_likeliest():
    votes = ["right"] * 3 + ["wrong"] * 2 + ["odd"] * 2 + [None] * 9
    rows = [
        sample(t, "pass" if v == "right" else "fail", v, logprob=-1 if v == "odd" else -5) for t in "ab" for v in votes
    ]
    assert curve_of(rows, "majority").points[-1].success.mean == pytest.approx(1)
    assert curve_of(rows, "likeliest").points[-1].success.mean == 0


def test_likeliest_goes_by_the_mean_over_tokens_not_by_the_sum():
    rows = [
        r for t in "ab" for r in (sample(t, "pass", tokens=100, logprob=-10), sample(t, "fail", tokens=2, logprob=-9))
    ]
    assert curve_of(rows, "likeliest").points[-1].success.mean == 1


def test_chances_of_many_samples_overflow_nothing_and_are_those_of_big_numbers():
    """Of 1,300 samples two candidates and some abstentions: the winner's chance by exact counting."""
    a, b, abstaining, n = 700, 500, 100, 512
    found = _chances_to_win((b, a), abstaining, n)
    won = 0
    for mine in range(n + 1):
        for other in range(min(mine, n - mine) + 1):
            draws = math.comb(a, mine) * math.comb(b, other) * math.comb(abstaining, n - mine - other)
            won += draws * (2 if other < mine else 1 if mine else 0)
    assert found[a] == pytest.approx(float(Fraction(won, 2 * math.comb(a + b + abstaining, n))), rel=1e-12)
    assert found[a] + found[b] == pytest.approx(1, abs=1e-12)


def test_an_evaluation_of_a_thousand_samples_has_all_its_curves():
    rng = random.Random(7)
    rows = [row for task in "ab" for row in drawn(rng, task, 1300)]
    for strategy in ("likeliest", "majority", "verifier-selected"):
        points = curve_of(rows, strategy).points
        assert [point.n for point in points] == [*(2**i for i in range(11)), 1300]
        assert all(0 <= point.success.mean <= 1 for point in points)


def test_mathematical_answers_vote_by_their_final_answer():
    answers = [r"so \boxed{4}", r"it is \boxed{ 4. }", "3", "5"]
    rows = [sample(t, "pass" if "4" in a else "fail", a, verifier="maths") for t in "ab" for a in answers]
    assert curve_of(rows, "majority").points[-1].success.mean == pytest.approx(1)
    for row in rows:
        row["verifier"] = "program"
    assert curve_of(rows, "majority").points[-1].success.mean == pytest.approx(0.5)


def test_samples_that_could_not_be_judged_are_left_out_and_counted():
    rows = [sample(t, "pass") for t in "abc" for _ in range(3)] + [sample("a", "pass"), sample("b", "pass")]
    rows += [sample("c", "unknown", tokens=10**6)]
    curve = curve_of(rows, "verifier-selected")
    assert [(p.n, p.problems, p.left_out) for p in curve.points] == [(1, 3, 0), (2, 3, 0), (4, 2, 1)]
    assert curve.points[0].tokens == 10


def test_a_point_with_fewer_than_two_problems_has_no_interval_and_is_left_out():
    rows = [sample("a"), sample("a"), sample("b"), sample("b", "unknown")]
    assert [point.n for point in curve_of(rows, "majority").points] == [1]
    assert sample_curves([sample("a")]) == []
    assert sample_curves([]) == []


def test_a_strategy_that_solved_every_problem_is_not_certain_to():
    rows = [sample(task=task, outcome="pass", logprob=-float(n)) for task in "abc" for n in range(1, 8)]
    for curve in sample_curves(rows):
        for point in curve.points:
            assert point.success == interval([1.0] * 3)
            assert point.success.low < 0.5


def test_points_stand_at_powers_of_two_and_at_the_number_of_samples():
    rows = [sample(t) for t in "ab" for _ in range(6)]
    assert [point.n for point in curve_of(rows, "likeliest").points] == [1, 2, 4, 6]


def test_domains_have_curves_of_their_own_and_one_together():
    rows = [sample(f"{d}{i}", "pass" if d == "p" else "fail", domain=d) for d in "pq" for i in range(3)]
    rows = [row for row in rows for _ in range(2)]
    found = {c.domain: c.points[-1].success.mean for c in sample_curves(rows) if c.strategy == "verifier-selected"}
    assert found == {"p": 1, "q": 0, "overall": 0.5}


def test_a_large_evaluation_takes_less_than_two_seconds():
    rng = random.Random(3)
    rows = [row for task in range(400) for row in drawn(rng, f"t{task}", 16, unknown=0.02)]
    for row in rows:
        row["candidate"] = f"{row['candidate']}{rng.randrange(3)}"
    start = time.process_time()
    curves = sample_curves(rows)
    assert time.process_time() - start < 2
    assert [point.n for point in curves[0].points] == [1, 2, 4, 8, 16]


def turn(outcome, tokens=10):
    return {"outcome": outcome, "tokens": tokens, "generate_seconds": 1.0, "verify_seconds": 0.5}


def revised(task, *outcomes):
    return {"task": task, "domain": "d", "turns": [turn(outcome) for outcome in outcomes]}


def test_revision_counts_what_is_solved_by_each_turn_and_what_that_cost():
    rows = [revised("a", "fail", "pass"), revised("a", "pass"), revised("b", "fail", "fail", "fail")]
    (curve,) = turn_curves(rows)
    assert [(p.n, p.success.mean, p.tokens, p.seconds) for p in curve.points] == [
        (1, 0.25, 10, 1.5), (2, 0.5, 17.5, 2.625), (3, 0.5, 22.5, 3.375),
    ]  # fmt: skip


def test_trajectories_with_a_turn_that_could_not_be_judged_are_left_out():
    rows = [revised("a", "fail", "unknown"), revised("b", "pass"), revised("c", "fail"), revised("c", "unknown")]
    (curve,) = turn_curves(rows)
    assert [(p.n, p.success.mean, p.problems, p.left_out) for p in curve.points] == [(1, 0.5, 2, 1)]
    assert turn_curves([]) == []


def test_trajectories_that_judging_again_cut_short_are_left_out():
    whole = [revised("a", "fail", "pass") | {"halt": "verified"}, revised("b", "fail", "fail") | {"halt": "turns"}]
    stuck = revised("a", "fail") | {"halt": "repeated"}  # could have had another turn, and is no worse known for that
    cut = [revised(task, "fail") | {"halt": "turns"} for task in "ab"]
    assert turn_curves([*whole, stuck, *cut]) == turn_curves([*whole, stuck])
    assert turn_curves([*whole, stuck]) != turn_curves(whole)


def results():
    return [TaskResult(task, "d", None, 1, 2, 0) for task in "ab"]


@pytest.fixture
def directory(tmp_path):
    evaluation = Evaluation("p", "transformers", 2, 1.0, 1.0, 1, {"program": "1"}, results())
    evaluation.save(tmp_path / "evaluation.json")
    write_rows(tmp_path / "rollouts.parquet", [sample(t, o) for t in "ab" for o in ("pass", "fail")])
    return tmp_path


def test_a_stored_evaluation_has_revision_where_it_has_trajectories(directory):
    (stored,) = evaluations_in(directory)
    assert {curve.strategy for curve in curves_of(stored)} == {"likeliest", "majority", "verifier-selected"}
    rows = [revised("a", "pass"), revised("b", "fail", "pass")]
    write_rows(directory / "revised.parquet", [
        row | {"turns": json.dumps(row["turns"]), "generate_seconds": 1.0, "halt": "turns"} for row in rows
    ])  # fmt: skip
    curves = curves_of(stored)
    assert curves[-1].strategy == "revision"
    assert curves[-1].points[-1].success.mean == 1


def test_seconds_are_the_machines_however_many_samples_were_under_way(directory):
    # Four samples of a second each in one second: four were under way at once.
    (stored,) = evaluations_in(directory)
    first = {curve.strategy: curve.points[0].seconds for curve in curves_of(stored)}
    assert first == pytest.approx({"likeliest": 0.25, "majority": 0.25, "verifier-selected": 0.75})
    rows = [revised("a", "fail", "pass"), revised("b", "fail", "pass")]
    write_rows(directory / "revised.parquet", [
        row | {"turns": json.dumps(row["turns"]), "generate_seconds": 4.0, "halt": "turns"} for row in rows
    ])  # fmt: skip
    assert curves_of(stored)[-1].points[-1].seconds == pytest.approx(2 * (1 / 8 + 0.5))


def test_an_engine_that_tells_no_log_probabilities_has_no_likeliest():
    rows = [sample(task, logprob=None) for task in "ab" for _ in range(2)]
    assert {curve.strategy for curve in sample_curves(rows)} == {"majority", "verifier-selected"}


def test_curves_are_plain_json(directory):
    (stored,) = evaluations_in(directory)
    for curve in curves_of(stored):
        read = json.loads(json.dumps(curve.to_json()))
        assert read["strategy"] == curve.strategy
        assert read["points"][0].keys() == set(Point.__slots__)
        assert read["points"][0]["success"].keys() == {"mean", "low", "high"}


def test_rows_without_log_probabilities_get_one_line(directory):
    rows = [{k: v for k, v in sample(t).items() if k != "logprob"} for t in "ab"]
    write_rows(directory / "rollouts.parquet", rows)
    (stored,) = evaluations_in(directory)
    with pytest.raises(ConfigError, match="logprob"):
        curves_of(stored)
