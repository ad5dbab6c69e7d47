"""A run that is killed again and again, at any moment, ends as if nobody had touched it."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from test_training import completions, metrics, recipe

KILLS = 20
SEED = 7

# What takes long is importing torch and TRL. One process does so; each run is a fork of it, and is killed as any other
# process would be.
SERVER = """
import json, os, sys
import proofgrad.rl.train
from proofgrad.rl import cli
for line in sys.stdin:
    output, *arguments = json.loads(line)
    pid = os.fork()
    if pid == 0:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.argv = ["proofgrad", *arguments]
        cli.main()
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""

pytestmark = pytest.mark.slow


class Server:
    """Runs `proofgrad` commands, and kills them when told to."""

    def __init__(self, folder: Path) -> None:
        self.output = folder / "output.txt"
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, *arguments: object, kill_after: float | None = None) -> bool:
        """Whether the command came to its end before it was killed. Any other end than these two fails the test."""
        self._process.stdin.write(json.dumps([str(self.output), *map(str, arguments)]) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        if kill_after is not None:
            until = time.monotonic() + kill_after
            while time.monotonic() < until and Path(f"/proc/{pid}").exists():
                time.sleep(0.005)
            subprocess.run(["kill", "-KILL", str(pid)], stderr=subprocess.DEVNULL, check=False)
        status = int(self._process.stdout.readline())
        assert status in (0, -signal.SIGKILL), self.output.read_text(encoding="utf-8")[-3000:]
        assert status == 0 or kill_after is not None
        return status == 0

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def undisturbed(server, tmp_path_factory):
    """A whole run, and how long it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    started = time.monotonic()
    server.run("train", recipe(folder, "transformers"))
    return folder / "runs" / "small", time.monotonic() - started


def assert_same_run(run, other):
    assert metrics(run) == metrics(other)
    names = sorted(path.stem for path in (other / "rollouts").glob("*.parquet"))
    assert sorted(path.stem for path in (run / "rollouts").glob("*.parquet")) == names
    for name in names:
        assert completions(run, name) == completions(other, name)
    for name in ("before", "after"):
        results = [json.loads((r / "eval" / f"{name}.json").read_text(encoding="utf-8")) for r in (run, other)]
        assert results[0]["results"] == results[1]["results"]
    weights = [(r / "policy" / "model.safetensors").read_bytes() for r in (run, other)]
    assert weights[0] == weights[1]


def test_twenty_kills_at_random_points_change_nothing(server, undisturbed, tmp_path):
    whole, seconds = undisturbed
    rng = random.Random(SEED)
    kills = finished = resumed = 0
    while kills < KILLS:
        folder = tmp_path / str(finished)
        folder.mkdir(exist_ok=True)
        # A kill may come before there is a run to go on with.
        runs = sorted(folder.glob("runs/*/config.yaml"))
        command = ["train", "--resume", runs[-1].parent] if runs else ["train", recipe(folder, "transformers")]
        resumed += bool(runs)
        if not server.run(*command, kill_after=rng.uniform(0, seconds)):
            kills += 1
            continue
        finished += 1
        assert_same_run(sorted(folder.glob("runs/*/policy"))[-1].parent, whole)
    # The last one is let go on to its end.
    runs = sorted(tmp_path.glob(f"{finished}/runs/*/config.yaml"))
    if runs:
        server.run("train", "--resume", runs[-1].parent)
        assert_same_run(runs[-1].parent, whole)
        finished += 1
    print(f"{kills} kills, {resumed} resumptions, {finished} runs came to their end, {seconds:.1f} s each")
    assert finished
    assert resumed >= KILLS // 2


def no_state(checkpoint):
    """Cut short before the trainer's state, which is written last."""
    (checkpoint / "trainer_state.json").unlink()
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def empty_state(checkpoint):
    """Cut short between opening the last file and writing it."""
    (checkpoint / "trainer_state.json").write_bytes(b"")


def half_a_state(checkpoint):
    state = checkpoint / "trainer_state.json"
    state.write_bytes(state.read_bytes()[:100])


@pytest.mark.parametrize("cut", [no_state, empty_state, half_a_state])
def test_a_save_that_was_cut_short_never_replaces_a_good_one(server, undisturbed, tmp_path, cut):
    whole, _ = undisturbed
    run = tmp_path / "runs" / "small"
    shutil.copytree(whole, run)
    shutil.rmtree(run / "policy")
    (run / "eval" / "after.json").unlink()
    *_, good, last = sorted(run.glob("checkpoints/checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    cut(last)
    assert server.run("train", "--resume", run)
    output = server.output.read_text(encoding="utf-8")
    assert f"resuming from step {good.name.rpartition('-')[2]}" in output
    assert_same_run(run, whole)


def test_a_policy_that_was_not_yet_moved_into_place_is_written_again(server, undisturbed, tmp_path):
    whole, _ = undisturbed
    run = tmp_path / "runs" / "small"
    shutil.copytree(whole, run)
    (run / "policy").rename(run / "policy.partial")
    weights = run / "policy.partial" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    (run / "eval" / "after.json").unlink()
    assert server.run("train", "--resume", run)
    assert_same_run(run, whole)
    assert not (run / "policy.partial").exists()
