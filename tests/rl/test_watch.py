"""proofgrad watch: what is new is read once, what is half written waits, and nothing hostile reaches the terminal."""

import io
import json
import os
import re
import shutil
import threading
import time
import unicodedata
from dataclasses import replace

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from proofgrad.rl.commands.watch import Picture, duration, follow, sparkline, watch_command
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.rl.watch import Phase, RunWatch, Tail, one_line
from proofgrad.verifiers.errors import ConfigError

HOSTILE = "\x1b[2J\x1b]0;owned\x07by\r\n[red]exact[/] :skull: \u202eevil\u202c z\u0310\u0310\u0310a\u200bb \x9b31m\x00"


def record(run, step, phase="grpo", **values):
    RunDirectory(run).log(phase, step, values)


def shown(snapshot, width=60, colours=None):
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=colours is not None, color_system=colours).print(Picture(snapshot))
    return file.getvalue()


def lines_of(run, **options):
    file = io.StringIO()
    watch = RunWatch(run)
    follow(watch, Console(file=file, width=200), interval=0.02, **options)
    watch.close()
    return file.getvalue().splitlines()


@pytest.fixture
def growing(small_run):
    """The recorded run as it was after its first evaluation, and the lines of GRPO that came then."""
    lines = (small_run / "metrics.jsonl").read_text("utf-8").splitlines(keepends=True)
    steps = [line for line in lines if json.loads(line)["phase"] == "grpo"]
    (small_run / "metrics.jsonl").write_text("".join(line for line in lines if line not in steps), "utf-8")
    shutil.rmtree(small_run / "policy")
    (small_run / "eval" / "after.json").unlink()
    for path in [*(small_run / "rollouts").glob("step-*"), small_run / "rollouts" / "after.parquet"]:
        path.unlink()
    return small_run, steps


def test_a_finished_run_shows_all_that_it_recorded(recorded_run):
    snapshot = RunWatch(recorded_run).look()
    assert snapshot.phase is Phase.FINISHED
    assert (snapshot.step, snapshot.total) == (6, 6)
    logged = [row for row in RunDirectory(recorded_run).metrics() if row["phase"] == "grpo"]
    for name in ("reward", "kl", "entropy", "loss", "solved/theorems", "solved/programs", "tokens_per_second"):
        assert list(snapshot.series[name]) == [row[name] for row in logged if name in row]
    measured = {(m.evaluation, m.domain): m for m in snapshot.evaluations}
    for when in ("before", "after"):
        summary = json.loads((recorded_run / "eval" / f"{when}.json").read_text("utf-8"))["summary"]
        for domain, rates in summary.items():
            rate = measured[when, domain].rate
            assert dict(rate._asdict(), problems=measured[when, domain].problems) == rates["pass@1"]
    assert [m.evaluation for m in snapshot.evaluations] == ["before"] * 3 + ["after"] * 3
    assert snapshot.completions
    assert not snapshot.seems_stopped


def test_phases_are_told_by_what_is_there(small_run):
    found = []

    def look():
        watch = RunWatch(small_run)
        found.append(watch.look().phase)
        watch.close()

    look()
    (small_run / "eval" / "after.json").unlink()
    look()
    shutil.rmtree(small_run / "policy")
    look()
    RunDirectory(small_run).forget_after("grpo", 0)
    text = (small_run / "config.yaml").read_text("utf-8")
    (small_run / "config.yaml").write_text(text.replace("pool: 0", "pool: 8"), "utf-8")
    look()
    (small_run / "eval" / "before.json").unlink()
    look()
    shutil.rmtree(small_run / "checkpoints")
    look()
    (small_run / "manifest.json").unlink()
    look()
    assert found == list(reversed(Phase))


def test_only_new_bytes_are_read_and_a_half_written_line_waits_for_its_end(tmp_path):
    path = tmp_path / "file"
    tail = Tail(path)
    assert tail.read() == (False, [])
    path.write_bytes(b"one\ntw")
    assert tail.read() == (False, [b"one"])
    with path.open("ab") as file:
        file.write(b"o\nthree")
    # Whatever is overwritten behind the point that was reached is not seen: it is not read again.
    with path.open("r+b") as file:
        file.write(b"ONE")
    assert tail.read() == (False, [b"two"])
    assert tail.read() == (False, [])


def test_a_file_put_in_place_of_the_old_one_is_read_from_its_start(tmp_path):
    path = tmp_path / "file"
    tail = Tail(path)
    for content in ("a\nb\nhalf", "a\nb\nc\nd\n", "a\n"):
        (tmp_path / "new").write_text(content, "utf-8")
        os.replace(tmp_path / "new", path)
        _, lines = tail.read()
        assert [line.decode() for line in lines] == content.split("\n")[:-1]
    path.write_text("", "utf-8")  # cut short where it lies
    assert tail.read() == (True, [])


@given(st.lists(st.binary(max_size=8).filter(lambda line: b"\n" not in line), max_size=8), st.data())
def test_however_a_file_grows_its_lines_come_once_and_whole(tmp_path_factory, lines, data):
    path = tmp_path_factory.mktemp("tail") / "file"
    content, tail, read = b"".join(line + b"\n" for line in lines), Tail(path), []
    while content:
        size = data.draw(st.integers(1, len(content)))
        with path.open("ab") as file:
            file.write(content[:size])
        content = content[size:]
        read += tail.read()[1]
    tail.close()
    assert read == lines


def test_steps_come_in_as_they_are_written(growing):
    run, lines = growing
    watch = RunWatch(run)
    first = watch.look()
    assert (first.phase, first.step, first.rest_s) == (Phase.GRPO, 0, None)
    for number, line in enumerate(lines, 1):
        with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(line[:30])
            file.flush()
            assert watch.look().fresh == []
            file.write(line[30:])
        snapshot = watch.look()
        assert [step.number for step in snapshot.fresh] == [number]
        assert snapshot.step == number
    times = [json.loads(line)["step_time"] for line in lines]
    seconds = json.loads((run / "eval" / "before.json").read_text("utf-8"))["seconds"]
    assert snapshot.step_s == pytest.approx(sum(times) / len(times))
    assert snapshot.rest_s == pytest.approx(seconds)
    watch.close()


def test_what_is_left_is_the_steps_at_their_pace_and_the_last_evaluation(growing):
    run, _ = growing
    record(run, 1, step_time=2.0)
    record(run, 2, step_time=4.0)
    seconds = json.loads((run / "eval" / "before.json").read_text("utf-8"))["seconds"]
    assert RunWatch(run).look().rest_s == pytest.approx(4 * 3.0 + seconds)


def test_a_resumed_run_drops_what_is_done_again(growing):
    run, lines = growing
    (run / "metrics.jsonl").write_text((run / "metrics.jsonl").read_text("utf-8") + "".join(lines[:5]), "utf-8")
    watch = RunWatch(run)
    assert watch.look().step == 5
    RunDirectory(run).forget_after("grpo", 4)
    resumed = watch.look()
    assert (resumed.step, list(resumed.fresh), resumed.dropped) == (4, [], 1)
    RunDirectory(run).forget_after("grpo", 4)  # replaced again, by what was there
    assert watch.look().dropped == 0
    RunDirectory(run).forget_after("grpo", 2)
    record(run, 3, reward=0.75, loss=0.5)
    snapshot = watch.look()
    assert [(step.number, step.values["reward"]) for step in snapshot.fresh] == [(3, 0.75)]
    assert snapshot.series["reward"][-1] == 0.75
    assert len(snapshot.series["loss"]) == 3
    watch.close()


def test_a_line_that_a_kill_cut_short_costs_that_line(growing):
    run, _ = growing
    for step in (10, 20):
        record(run, step, "warm-start", loss=1.0)
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"phase": "warm-start", "st')
    record(run, 10, "warm-start", loss=3.0)
    record(run, 20, "warm-start", loss=2.0)
    record(run, 30, "warm-start", loss=1.5)
    (run / "eval" / "before.json").unlink()
    shutil.rmtree(run / "checkpoints")
    snapshot = RunWatch(run).look()
    assert snapshot.phase is Phase.WARM_START
    assert snapshot.step == 30
    assert list(snapshot.series["loss"]) == [3.0, 2.0, 1.5]  # the second start writes on a line of its own


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "null",
        "7",
        '{"phase": "grpo", "step": Infinity}',
        '{"phase": "grpo"}',
        '{"phase": "grpo", "step": "x"}',
        "\x00\xff",
    ],
)
def test_a_line_of_another_shape_is_no_step(growing, line):
    run, _ = growing
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    record(run, 1, reward=0.5)
    assert RunWatch(run).look().step == 1


def test_figures_that_are_no_numbers_are_shown_and_are_null_in_json(growing):
    run, _ = growing
    for step, loss in enumerate((float("nan"), 1.0, float("inf"), 2.0, float("nan")), 1):
        record(run, step, loss=loss, reward=0.5)
    snapshot = RunWatch(run).look()
    assert "nan" in shown(snapshot)
    data = json.loads(json.dumps(snapshot.to_json(), allow_nan=False))
    assert data["series"]["loss"] == [None, 1.0, None, 2.0, None]
    record(run, 6, reward=0.5, step_time=float("nan"))
    assert RunWatch(run).look().step_s is None
    record(run, 7, reward=0.5, step_time=2.0)
    snapshot = RunWatch(run).look()
    assert snapshot.step_s == 2.0
    assert "2.0 s/step" in shown(snapshot)


def test_a_run_that_is_silent_for_long_seems_to_have_stopped(growing):
    run, _ = growing
    now = time.time()
    watch = RunWatch(run, clock=lambda: now)
    record(run, 1, reward=0.5, step_time=20.0)
    assert not watch.look().seems_stopped
    now += 90  # less than five such steps
    assert not watch.look().seems_stopped
    now += 30
    snapshot = watch.look()
    assert snapshot.seems_stopped
    said = " ".join(shown(snapshot).split())
    assert "a step takes 20.0 s" in said
    assert "proofgrad train --resume" in said
    (run / "verdicts.sqlite").touch()  # a verdict came in
    os.utime(run / "verdicts.sqlite", (now, now))
    assert not watch.look().seems_stopped
    watch.close()


def test_silence_says_nothing_where_nothing_is_ever_written(growing):
    run, _ = growing
    (run / "eval" / "before.json").unlink()
    shutil.rmtree(run / "checkpoints")
    watch = RunWatch(run, clock=lambda: time.time() + 10**5)
    snapshot = watch.look()
    assert snapshot.phase is Phase.WARM_START
    assert not snapshot.seems_stopped
    assert "nothing written for 27h" in shown(snapshot, 80)
    watch.close()


def test_a_finished_run_is_silent_by_right(recorded_run):
    watch = RunWatch(recorded_run, clock=lambda: time.time() + 10**6)
    snapshot = watch.look()
    assert not snapshot.seems_stopped
    assert snapshot.elapsed_s < 10**5
    watch.close()


def test_watching_changes_nothing_in_the_run(small_run):
    def state():
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in small_run.rglob("*")}

    before = state()
    lines_of(small_run)
    lines_of(small_run, once=True)
    assert state() == before


def test_a_missing_run_and_one_that_goes_away_are_one_line(small_run, tmp_path):
    with pytest.raises(ConfigError, match="there is no run in"):
        RunWatch(tmp_path / "nothing")
    watch = RunWatch(small_run)
    watch.look()
    shutil.rmtree(small_run)
    with pytest.raises(ConfigError, match="is gone"):
        watch.look()
    watch.close()


def test_files_that_vanish_or_are_broken_do_not_stop_the_watch(small_run):
    watch = RunWatch(small_run)
    seen = watch.look()
    (small_run / "rollouts" / "step-999999.parquet").write_bytes(b"PAR1 this is none")
    (small_run / "eval" / "after.json").write_text("{", "utf-8")
    again = watch.look()
    assert again.completions == seen.completions
    assert {m.evaluation for m in again.evaluations} == {"before"}
    for text in (
        '{"summary": [], "seconds": 1}',
        '{"summary": {"d": 3}, "seconds": 1}',
        '{"summary": {}, "seconds": NaN}',
    ):
        (small_run / "eval" / "after.json").write_text(text, "utf-8")
        assert {m.evaluation for m in watch.look().evaluations} == {"before"}
    shutil.rmtree(small_run / "rollouts")
    assert watch.look().step == 6
    watch.close()


def hostile_run(run):
    names = ("domain", "outcome", "reason", "candidate", "completion")
    rows = [dict.fromkeys(names, HOSTILE) | {"candidate": None, "outcome": "fail"} for _ in range(3)]
    RunDirectory(run).write_rollouts("step-000000 \x1b[2J\x9b31m", rows)
    record(run, 1, reward=0.5, **{f"solved/{HOSTILE}": 0.5})
    return run


@pytest.mark.parametrize("width", [40, 60, 200])
def test_a_hostile_completion_is_a_line_of_text(growing, width):
    run = hostile_run(growing[0])
    text = shown(RunWatch(run).look(), width)
    assert not [c for c in text.replace("\n", "") if unicodedata.category(c) in ("Cc", "Cf", "Mn", "Zl", "Zp")]
    assert all(cell_len(line) <= width for line in text.splitlines())
    assert ("[red]exact[/] :skull:" in text) == (width == 200)  # neither markup nor an emoji's name
    assert max(len(re.findall("evil", line)) for line in text.splitlines()) <= 3


def test_colours_are_ours_alone(growing):
    run = hostile_run(growing[0])
    text = shown(RunWatch(run).look(), 200, colours="standard")
    assert set(re.findall("\x1b[^m]*m", text)) <= {f"\x1b[{n}m" for n in ("0", "1", "2", "31", "33", "36")}
    assert "\x1b]" not in text


@pytest.mark.parametrize("options", [{}, {"once": True}, {"as_json": True}, {"as_json": True, "once": True}])
def test_no_way_of_printing_lets_hostile_text_through(growing, capsys, options):
    run = hostile_run(growing[0])
    (run / "policy").mkdir()
    (run / "policy" / "config.json").write_text("{}", "utf-8")
    shutil.copy(run / "eval" / "before.json", run / "eval" / "after.json")
    text = "\n".join(lines_of(run, **options)) + capsys.readouterr().out
    assert "0.5" in text
    assert not [c for c in text.replace("\n", "") if unicodedata.category(c) in ("Cc", "Cf", "Mn")]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_one_line_holds_nothing_that_moves_the_cursor(text):
    line = one_line(text)
    assert not [c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me", "Zl", "Zp")]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_the_picture_keeps_to_its_width(recorded_run, width):
    text = shown(RunWatch(recorded_run).look(), width)
    assert max(map(cell_len, text.splitlines())) <= width
    for word in ("finished", "step 6 of 6", "reward", "theorems", "loss", "entropy", "KL", "unknown", "after"):
        assert word in text


def test_a_pipe_gets_a_line_for_each_new_step_and_the_watch_ends_with_the_run(growing):
    run, lines = growing

    def write():
        for line in lines:
            time.sleep(0.05)
            with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(line)
        (run / "policy").mkdir()
        (run / "policy" / "config.json").write_text("{}", "utf-8")
        shutil.copy(run / "eval" / "before.json", run / "eval" / "after.json")

    writer = threading.Thread(target=write)
    writer.start()
    said = lines_of(run)
    writer.join()
    assert [line.split()[1] for line in said if line.startswith("GRPO ")] == [f"{n}/6" for n in range(1, 7)]
    assert "small: finished" in said
    assert sum(line.startswith("held-out pass@1 before") for line in said) == 3
    assert sum(line.startswith("held-out pass@1 after") for line in said) == 3


def test_a_terminal_gets_a_picture_that_ends_with_the_run(recorded_run):
    file = io.StringIO()
    follow(RunWatch(recorded_run), Console(file=file, width=80, height=50, force_terminal=True), interval=0.01)
    assert "finished" in file.getvalue()
    assert file.getvalue().rstrip("\n").endswith("\x1b[?25h")  # the cursor is back


def test_json_has_the_figures_and_one_line_for_each_change(recorded_run, capsys):
    lines_of(recorded_run, as_json=True)
    (line,) = capsys.readouterr().out.splitlines()
    data = json.loads(line)
    assert (data["phase"], data["step"], data["total"]) == ("finished", 6, 6)
    assert {e["evaluation"] for e in data["evaluations"]} == {"before", "after"}
    assert data["evaluations"][0]["pass@1"].keys() == {"mean", "low", "high"}


def test_evaluations_taken_later_are_shown_behind_those_of_the_run(small_run):
    (small_run / "evaluations" / "hard").mkdir(parents=True)
    shutil.copy(small_run / "eval" / "before.json", small_run / "evaluations" / "hard" / "evaluation.json")
    names = [m.evaluation for m in RunWatch(small_run).look().evaluations]
    assert names == ["before"] * 3 + ["after"] * 3 + ["hard"] * 3


@given(st.lists(st.floats(), max_size=300), st.integers(1, 80))
def test_a_curve_has_at_most_the_width_and_only_bars_and_blanks(values, width):
    curve = sparkline(values, width)
    assert len(curve) <= width
    assert set(curve) <= set(" ▁▂▃▄▅▆▇█")


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=50, unique=True))
def test_a_curve_goes_from_the_lowest_bar_to_the_highest_and_keeps_order(values):
    curve = sparkline(values, len(values))
    assert curve[values.index(min(values))] == "▁"
    assert curve[values.index(max(values))] == "█"
    assert list(sparkline(sorted(values), len(values))) == sorted(curve)


def test_durations_have_two_units():
    assert [duration(s) for s in (0.4, 59.6, 61, 3599.7, 3720)] == ["0s", "1m 00s", "1m 01s", "1h 00m", "1h 02m"]


def test_the_command_ends_with_the_run_and_prints_plain_lines(recorded_run):
    app = typer.Typer()
    app.command()(watch_command)
    done = CliRunner().invoke(app, [str(recorded_run), "--interval", "0.1"])
    assert done.exit_code == 0
    done = CliRunner().invoke(app, [str(recorded_run), "--once", "--json"])
    assert json.loads(done.stdout)["phase"] == "finished"


@pytest.mark.parametrize("is_terminal", [False, True])
def test_ctrl_c_is_a_clean_end(growing, monkeypatch, is_terminal):
    file = io.StringIO()
    monkeypatch.setattr(
        "proofgrad.rl.commands.watch.our_console", Console(file=file, width=80, force_terminal=is_terminal)
    )

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("proofgrad.rl.commands.watch.time.sleep", interrupted)
    watch_command(growing[0], interval=2.0, once=False, as_json=False)
    assert file.getvalue().rstrip("\n").endswith("\x1b[?25h") == is_terminal


def test_a_directory_whose_name_a_terminal_would_obey_is_named_without_that(small_run):
    odd = small_run.rename(small_run.with_name(os.fsdecode(b"a\x1b[2J\xff\nb")))
    watch = RunWatch(odd)
    snapshot = replace(watch.look(), phase=Phase.GRPO, silent_s=1e6, patience_s=1.0)
    assert snapshot.seems_stopped
    printed = shown(snapshot, width=500)
    shutil.rmtree(odd)
    with pytest.raises(ConfigError, match="is gone") as error:
        watch.look()
    watch.close()
    assert "--resume" in printed
    for text in (printed.replace("\n", ""), str(error.value)):
        assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs")]
