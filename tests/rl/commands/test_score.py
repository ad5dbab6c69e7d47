"""``proofgrad score``: verdicts change, completions do not, and nothing is lost by a failure half way."""

import json
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from proofgrad import verifiers
from proofgrad.envs.base import HELD_OUT, Task
from proofgrad.rl.commands.evaluate import evaluate_command
from proofgrad.rl.commands.score import score_command
from proofgrad.rl.config import LoopConfig
from proofgrad.rl.engine import Completion
from proofgrad.rl.evaluate import Evaluation
from proofgrad.rl.evaluation import directory as evaluation_directory
from proofgrad.rl.evaluation import scoring
from proofgrad.rl.evaluation.directory import ChunkPace, EvaluationDirectory, Item, Sampled, read_chunk
from proofgrad.rl.evaluation.scoring import every_turn, judge_stored, unknown_turns
from proofgrad.rl.evaluation.stored import evaluations_in, read_rows
from proofgrad.rl.loop import Halt, Turn
from proofgrad.rl.policy import save_policy
from proofgrad.rl.rollout import Rollout
from proofgrad.verifiers.base import Outcome, Verdict
from proofgrad.verifiers.errors import ConfigError, ProofgradError

app = typer.Typer()
app.command("eval")(evaluate_command)
app.command("score")(score_command)

PASS, FAIL, UNKNOWN = Verdict.passed("t.ok"), Verdict.failed("t.no", feedback="no"), Verdict.unknown("infra.gone")


def proofgrad(*args):
    done = CliRunner().invoke(app, [str(arg) for arg in args], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.exception
    return " ".join(done.stdout.split())


def refusal(*args):
    error = CliRunner().invoke(app, [str(arg) for arg in args]).exception
    assert isinstance(error, ProofgradError), error
    return str(error)


class Says:
    """A judge whose verdicts are looked up by the completion; counts, and fails where it is told to."""

    def __init__(self, verdicts, default=FAIL, fails_at=None):
        self.verdicts, self.default, self.fails_at, self.asked = verdicts, default, fails_at, []

    def submit(self, task, completion):
        if len(self.asked) == self.fails_at:
            raise ProofgradError("the machine went away")
        self.asked.append(completion)
        verdict = Future()
        verdict.set_result(self.verdicts.get(completion, self.default))
        return completion.upper(), verdict

    def feedback(self, task, verdict):
        return verdict.feedback


def sampled(name, *turns, halt=Halt.TURNS):
    """A rollout of (completion, verdict) turns."""
    task = Task(name, [{"role": "user", "content": name}], {"n": 1}, "lean", "theorems", 1.0, HELD_OUT, "test@0")
    made = tuple(
        Turn(Completion([1, 2], [-0.5, -1.5], text, truncated=False), text, verdict, (7, 8), 0.25)
        for text, verdict in turns
    )
    return Sampled(Item("samples", task, 0, 2**62), Rollout(task, [3], made, halt))


@pytest.fixture
def stored(tmp_path):
    """Two chunks of rollouts, with a result that is older than they."""
    directory = EvaluationDirectory(tmp_path / "e")
    directory.completions.mkdir(parents=True)
    (directory.path / "settings.json").write_text("{}", encoding="utf-8")
    (directory.path / "evaluation.json").write_text('"the old result"', encoding="utf-8")
    (directory.path / "rollouts.parquet").write_text("old rows", encoding="utf-8")
    first = [sampled("a", ("a1", PASS)), sampled("b", ("b1", UNKNOWN), halt=Halt.UNKNOWN)]
    directory.write_chunk(0, first, ChunkPace(4, 1))
    second = [sampled("c", ("c1", FAIL), ("c2", FAIL)), sampled("d", ("d1", FAIL))]
    directory.write_chunk(1, second, ChunkPace(6, 2, 0.5))
    directory.keep_verifiers = lambda versions: None
    directory.settings = lambda: SimpleNamespace(loop=LoopConfig(max_turns=3))
    return directory


def outcomes(directory):
    return {one.item.task.id: one.rollout.verdict.outcome.value for f in directory.chunks() for one in read_chunk(f)}


def test_a_stored_rollout_reads_back_as_it_was(tmp_path):
    path = tmp_path / "x.parquet"
    one = sampled("a", ("a1", FAIL), ("a2", PASS), halt=Halt.VERIFIED)
    failed = Completion([], [], "", truncated=False, failure="status 500")
    none = Turn(failed, None, Verdict.unknown("infra.generation", feedback="status 500"))
    other = Sampled(one.item, Rollout(one.item.task, [3], (none,), Halt.UNKNOWN))
    scoring.write_chunk_rows(path, [one, other])
    assert read_chunk(path) == [one, other]


def test_every_completion_is_judged_again_and_what_changed_is_told(stored):
    judge = Says({"a1": FAIL, "b1": PASS, "d1": FAIL})
    scored = judge_stored(stored, judge, {}, every_turn, "all")
    assert judge.asked == ["a1", "b1", "c1", "c2", "d1"]
    assert (scored.judged, scored.changes) == (5, {("pass", "fail"): 1, ("unknown", "pass"): 1})
    assert outcomes(stored) == {"a": "fail", "b": "pass", "c": "fail", "d": "fail"}
    assert [one.rollout.turns[0].candidate for one in read_chunk(stored.chunk(0))] == ["A1", "B1"]
    assert stored.pace() == ChunkPace(10, 3, 0.5)
    assert not (stored.path / "scoring").exists()


def test_the_old_result_is_kept_with_its_rows(stored):
    kept = judge_stored(stored, Says({}), {}, every_turn, "all").kept
    assert kept.name.startswith("evaluation-2")
    assert kept.read_text(encoding="utf-8") == '"the old result"'
    (rows,) = stored.path.glob("rollouts-2*.parquet")
    assert rows.read_text(encoding="utf-8") == "old rows"
    assert not (stored.path / "evaluation.json").exists()  # written anew by what follows
    (stored.path / "evaluation.json").write_text('"newer"', encoding="utf-8")
    again = judge_stored(stored, Says({}), {}, every_turn, "all").kept
    assert again != kept
    assert {p.read_text(encoding="utf-8") for p in stored.path.glob("evaluation-*.json")} == {
        '"the old result"',
        '"newer"',
    }


def test_the_examination_of_the_old_verifiers_is_kept_with_the_old_result(stored):
    for name in ("self_test", "environment"):
        (stored.path / f"{name}.json").write_text(f"old {name}", encoding="utf-8")
    kept = judge_stored(stored, Says({}), {}, every_turn, "all").kept
    stamp = kept.stem.removeprefix("evaluation-")
    for name in ("self_test", "environment"):
        (stored.path / f"{name}.json").write_text("new", encoding="utf-8")  # as examining the new ones does
        assert (stored.path / f"{name}-{stamp}.json").read_text(encoding="utf-8") == f"old {name}"


def test_only_what_is_unknown_is_judged_where_that_is_asked_for(stored):
    judge = Says({"b1": FAIL})
    scored = judge_stored(stored, judge, {}, unknown_turns, "unknown")
    assert judge.asked == ["b1"]
    assert scored.changes == {("unknown", "fail"): 1}
    assert outcomes(stored)["a"] == "pass"


def test_a_trajectory_ends_at_its_first_pass_and_goes_no_further_than_it_went(stored):
    scored = judge_stored(stored, Says({"c1": PASS, "c2": PASS}), {}, every_turn, "all")
    (c,) = (one.rollout for one in read_chunk(stored.chunk(1)) if one.item.task.id == "c")
    assert ([turn.completion.text for turn in c.turns], c.halt) == (["c1"], Halt.VERIFIED)
    assert c.turns[-1].follow_up_ids == ()
    assert scored.changes == {("pass", "fail"): 1, ("unknown", "fail"): 1, ("fail", "pass"): 1}


def test_a_pass_that_falls_ends_its_trajectory_as_failed_and_is_counted(stored):
    stored.write_chunk(2, [sampled("e", ("e1", FAIL), ("e2", PASS), halt=Halt.VERIFIED)], ChunkPace())
    scored = judge_stored(stored, Says({"a1": PASS, "b1": PASS}), {}, every_turn, "all")
    assert scored.stopped_early == 1
    (e,) = (one.rollout for one in read_chunk(stored.chunk(2)))
    assert (e.verdict.outcome, e.halt, len(e.turns)) == (Outcome.FAIL, Halt.TURNS, 2)


def test_a_trajectory_that_an_unknown_cut_short_is_counted_where_it_had_turns_left(stored):
    assert judge_stored(stored, Says({"a1": PASS}), {}, unknown_turns, "unknown").stopped_early == 1  # b


def test_with_one_turn_no_trajectory_stopped_early(stored):
    stored.settings = lambda: SimpleNamespace(loop=LoopConfig())
    assert judge_stored(stored, Says({}), {}, every_turn, "all").stopped_early == 0


def test_a_request_that_failed_has_nothing_to_judge(stored):
    gone = sampled("f", ("", Verdict.unknown("infra.generation", feedback="status 500")), halt=Halt.UNKNOWN)
    stored.write_chunk(2, [gone], ChunkPace())
    judge_stored(stored, judge := Says({}), {}, every_turn, "all")
    assert "" not in judge.asked
    assert outcomes(stored)["f"] == "unknown"


@pytest.mark.parametrize("fails_at", range(5))
def test_a_failure_half_way_loses_nothing_and_the_same_command_goes_on(stored, fails_at):
    before = outcomes(stored)
    first = Says({}, fails_at=fails_at)
    with pytest.raises(ProofgradError, match="went away"):
        judge_stored(stored, first, {}, every_turn, "all")
    assert outcomes(stored) == before
    assert (stored.path / "evaluation.json").read_text(encoding="utf-8") == '"the old result"'
    with pytest.raises(ConfigError, match=r"was cut short .* with what all, and unknown .* are all in their place"):
        judge_stored(stored, Says({}), {}, unknown_turns, "unknown")
    second = Says({})
    scored = judge_stored(stored, second, {}, every_turn, "all")
    finished = first.asked[: 2 if fails_at >= 2 else 0]
    assert finished + second.asked == ["a1", "b1", "c1", "c2", "d1"]
    assert scored.changes == {("pass", "fail"): 1, ("unknown", "fail"): 1}
    assert scored.kept.read_text(encoding="utf-8") == '"the old result"'


def cut_at_its_end(stored, monkeypatch, what="all", versions=()):
    """Scoring that is killed when the first of its two chunks is in its place."""
    real = scoring.os.replace

    def replace(source, target):
        if str(source).endswith("00001.parquet"):
            raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(scoring, "os", SimpleNamespace(replace=replace))
        with pytest.raises(KeyboardInterrupt):
            judge_stored(stored, Says({"a1": PASS, "d1": PASS}), dict(versions), every_turn, what)


def test_scoring_whose_chunks_move_is_ended_before_another_is_begun(stored, monkeypatch):
    cut_at_its_end(stored, monkeypatch)
    judge = Says({})
    judge_stored(stored, judge, {}, unknown_turns, "unknown")
    assert judge.asked == []  # the other had judged the only one that was unknown
    assert outcomes(stored) == {"a": "pass", "b": "fail", "c": "fail", "d": "pass"}
    (kept,) = stored.path.glob("evaluation-*.json")
    assert kept.read_text(encoding="utf-8") == '"the old result"'
    assert not (stored.path / "scoring").exists()


def test_verdicts_of_two_versions_are_not_mixed_where_one_scoring_ends_another(stored, monkeypatch):
    recorded = []
    stored.keep_verifiers = recorded.append
    cut_at_its_end(stored, monkeypatch, versions={"lean": "1"})
    with pytest.raises(ConfigError, match=r"of other versions of the verifiers.*judges them all again"):
        judge_stored(stored, Says({}), {"lean": "2"}, unknown_turns, "unknown")
    assert recorded == [{"lean": "1"}]  # whose verdicts are there now, all of them
    assert outcomes(stored)["d"] == "pass"
    judge_stored(stored, judge := Says({}), {"lean": "2"}, every_turn, "all")
    assert judge.asked == ["a1", "b1", "c1", "c2", "d1"]
    assert recorded[-1] == {"lean": "2"}


@pytest.mark.parametrize("moves", range(4))
def test_a_kill_while_the_new_verdicts_move_into_place_loses_nothing(stored, monkeypatch, moves):
    real, done = scoring.os.replace, []

    def replace(source, target):
        if ("scoring" in str(source) and str(source).endswith(".parquet")) or str(source).endswith("evaluation.json"):
            if len(done) == moves:
                raise KeyboardInterrupt
            done.append(source)
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(scoring, "os", type("os", (), {"replace": staticmethod(replace)}))
        if moves < 3:
            with pytest.raises(KeyboardInterrupt):
                judge_stored(stored, Says({"d1": PASS}), {}, every_turn, "all")
        else:
            judge_stored(stored, Says({"d1": PASS}), {}, every_turn, "all")
    if moves < 3:
        judge = Says({"d1": PASS})
        judge_stored(stored, judge, {}, every_turn, "all")
        assert judge.asked == []
    assert outcomes(stored) == {"a": "fail", "b": "fail", "c": "fail", "d": "pass"}
    (kept,) = stored.path.glob("evaluation-*.json")
    assert kept.read_text(encoding="utf-8") == '"the old result"'


def test_what_stopped_early_does_not_weigh_against_revising():
    def of(sample, one, part="samples"):
        return replace(one, item=replace(one.item, part=part, sample=sample))

    whole = [sampled("a", ("x", FAIL), ("y", PASS), halt=Halt.VERIFIED), sampled("a", ("x", FAIL), halt=Halt.REPEATED)]
    cut = [sampled("a", ("x", FAIL)), sampled("b", ("x", FAIL))]
    trajectories = [of(0, whole[0]), of(1, cut[0]), of(2, whole[1]), of(0, cut[1])]
    others = [of(n, sampled("a", (f"o{n}", FAIL)), "best-of-n") for n in range(9)]
    others += [of(n, sampled("b", (f"o{n}", FAIL)), "best-of-n") for n in range(3)]
    kept, against = evaluation_directory._comparable(trajectories, others, 2)
    assert [(one.item.task.id, one.item.sample) for one in kept] == [("a", 0), ("a", 2)]
    assert [one.rollout.turns[0].completion.text for one in against] == ["o0", "o1", "o2", "o6", "o7", "o8"]
    assert evaluation_directory._comparable(trajectories, others, 1) == (trajectories, others)


def test_nothing_stored_is_one_line(tmp_path):
    assert "there is no evaluation in" in refusal("score", tmp_path)
    with pytest.raises(ConfigError, match="no completions are stored"):
        judge_stored(EvaluationDirectory(tmp_path), Says({}), {}, every_turn, "all")


@pytest.fixture(scope="module")
def model(tmp_path_factory, tiny_policy):
    path = tmp_path_factory.mktemp("model")
    save_policy(tiny_policy, path)
    return path


SMALL = ("--tasks", "synthesis", "--limit", 3, "--samples", 2, "--max-tokens", 6, "--engine", "transformers")


def test_completions_can_be_generated_now_and_judged_later(model, tmp_path):
    said = proofgrad("eval", model, *SMALL, "--no-verify", "--output-dir", tmp_path / "later")
    assert f"proofgrad score {tmp_path / 'later'} judges them" in said
    with pytest.raises(ConfigError, match="not finished"):
        evaluations_in(tmp_path / "later")
    said = proofgrad("score", tmp_path / "later")
    assert "6 attempts judged; 6 verdicts changed: 6 from unknown to fail" in said
    proofgrad("eval", model, *SMALL, "--output-dir", tmp_path / "at once")
    later, at_once = (Evaluation.load(tmp_path / name / "evaluation.json") for name in ("later", "at once"))
    assert later.results == at_once.results
    assert later.verifiers == at_once.verifiers
    names = ("task", "sample", "completion", "candidate", "outcome", "reason")
    rows = [[[row[name] for name in names] for row in read_rows(tmp_path / d / "rollouts.parquet")]
            for d in ("later", "at once")]  # fmt: skip
    assert rows[0] == rows[1]


def test_the_same_command_with_verification_judges_what_was_left_unjudged(model, tmp_path):
    proofgrad("eval", model, *SMALL, "--no-verify", "--output-dir", tmp_path / "e")
    proofgrad("eval", model, *SMALL, "--output-dir", tmp_path / "e")
    assert all(r.judged == 2 and not r.unknown for r in Evaluation.load(tmp_path / "e" / "evaluation.json").results)


def test_judging_that_was_cut_short_at_its_end_is_ended_by_the_same_command(model, tmp_path, monkeypatch):
    base = ("eval", model, *SMALL, "--output-dir", tmp_path / "e")
    proofgrad(*base, "--no-verify")
    with monkeypatch.context() as patch:
        patch.setattr(EvaluationDirectory, "keep_verifiers", lambda *_: (_ for _ in ()).throw(ProofgradError("gone")))
        assert "gone" in refusal(*base)
    assert (tmp_path / "e" / "scoring").is_dir()
    proofgrad(*base)
    assert not (tmp_path / "e" / "scoring").exists()
    assert not (tmp_path / "e" / "scoring-done").exists()


class Generous:
    """A newer version of a verifier, which accepts everything."""

    name, version = "program", "99"

    def verify(self, problem, candidate):
        return Verdict.passed("test.generous")


def test_a_newer_verifier_changes_the_verdicts_and_the_old_result_stays(model, tmp_path, monkeypatch):
    base = ("eval", model, *SMALL, "--output-dir", tmp_path / "e")
    proofgrad(*base)
    old = Evaluation.load(tmp_path / "e" / "evaluation.json")
    monkeypatch.setattr(verifiers, "get", lambda name, **options: Generous())
    assert "verifiers.program" in (said := refusal(*base))
    assert f"proofgrad score {tmp_path / 'e'} judges it again" in said
    assert "of other versions" in refusal("score", tmp_path / "e", "--only-unknown")
    said = proofgrad("score", tmp_path / "e")
    new = Evaluation.load(tmp_path / "e" / "evaluation.json")
    assert new.verifiers == {"program": "99"}
    told = json.loads((tmp_path / "e" / "score.json").read_text(encoding="utf-8"))
    assert (passed := sum(r.passed for r in new.results)) > 0
    assert told["changes"] == {"fail to pass": passed}
    assert told["changed"] == passed
    assert Evaluation.load(tmp_path / "e" / told["kept"]) == old
    assert proofgrad(*base)  # and now the same command finds everything done
