"""What breaks during a run ends in one line that says what to do, and the run can go on from there."""

import json
import sys
from pathlib import Path

import pytest
import torch

from proofgrad.rl import cli, rollout, session
from proofgrad.rl.engine import TransformersEngine
from proofgrad.rl.policy import save_policy
from proofgrad.verifiers.base import Verdict

sys.path.insert(0, str(Path(__file__).parents[1] / "verifiers" / "doubles"))

from misbehaving import Misbehaving

RECIPE = """
name: faulty
policy: {path: POLICY}
envs: [{name: synthesis, options: {max_level: 2}}]
warm_start: {demonstrations: 0}
generation: {engine: transformers, max_tokens: 6}
grpo: {steps: 4, prompts_per_step: 8, group_size: 6, save_steps: 1, collapse_ratio: 0}
evaluation: {tasks: 2, samples: 1}
verification: VERIFICATION
"""

pytestmark = pytest.mark.filterwarnings("ignore")


class Instant:
    """Judges at once, by what the test says."""

    name, version = "instant", "1"

    def __init__(self):
        self.verdict = Verdict.failed("test.wrong")

    def verify(self, problem, candidate):
        return self.verdict


@pytest.fixture
def command_line(tiny_policy, tmp_path, monkeypatch, capsys):
    """Runs `proofgrad train` in this process: exit status, the lines on standard error, the run directory."""
    save_policy(tiny_policy, tmp_path / "policy")

    def train(*arguments, verification="{}"):
        text = RECIPE.replace("POLICY", str(tmp_path / "policy")).replace("VERIFICATION", verification)
        (tmp_path / "faulty.yaml").write_text(f"runs_dir: {tmp_path}/runs" + text, encoding="utf-8")
        monkeypatch.setattr(sys, "argv", ["proofgrad", "train", *map(str, arguments or [tmp_path / "faulty.yaml"])])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("proofgrad:", "Traceback"))]
        return ended.value.code, said, tmp_path / "runs" / "faulty"

    return train


@pytest.fixture
def verifier(monkeypatch):
    """Stands in for all verifiers of a run; equal candidates of one task are equal work, so each gets a number."""
    instant, numbers = Instant(), iter(range(10**9))
    monkeypatch.setattr(session, "make_verifiers", lambda config, envs, split: {"program": instant})

    def submit(judge, task, completion):
        return completion, judge.pool.submit("program", {"number": next(numbers)}, completion)

    monkeypatch.setattr(rollout.Judge, "submit", submit)
    return instant


def steps_of(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row["step"] for row in rows if row["phase"] == "grpo"]


def breaks_down(monkeypatch, when, fault):
    """Have `fault` happen once sampling began for the `when`-th time."""
    calls, sample = [], TransformersEngine._sample

    def sampled(engine, requests, temperature, source):
        calls.append(len(requests))
        if len(calls) == when:
            fault()
        return sample(engine, requests, temperature, source)

    monkeypatch.setattr(TransformersEngine, "_sample", sampled)


def raises(error):
    def fault():
        raise error

    return fault


GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has a total capacity of 79 GiB")
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried to")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(GPU, id="gpu"),
        pytest.param(CPU, id="cpu", marks=pytest.mark.slow),
        pytest.param(MemoryError(), id="python", marks=pytest.mark.slow),
    ],
)
def test_an_engine_out_of_memory_says_so_in_one_line_and_the_run_goes_on(command_line, verifier, monkeypatch, error):
    with monkeypatch.context() as broken:
        # The first time is the evaluation; the third step finds two checkpoints.
        breaks_down(broken, 4, raises(error))
        status, said, run = command_line()
    assert status == 2
    (line,) = said
    assert "out of memory" in line
    assert "grpo.micro_batch" in line
    assert f"proofgrad train --resume {run}" in line
    assert steps_of(run) == [1, 2]
    status, said, _ = command_line("--resume", run)
    assert (status, said) == (0, [])
    assert steps_of(run) == [1, 2, 3, 4]


def test_a_dead_pool_stops_the_run_in_one_line_and_it_goes_on_when_mended(command_line, verifier, monkeypatch):
    def dies():
        verifier.verdict = Verdict.unknown("infra.judge_unreachable")

    with monkeypatch.context() as broken:
        breaks_down(broken, 3, dies)
        status, said, run = command_line(verification="{retries: 0, max_unknown: 0.5}")
    assert status == 2
    (line,) = said
    assert "infra.judge_unreachable" in line
    assert "max_unknown" in line
    assert f"proofgrad train --resume {run}" in line
    done = steps_of(run)
    assert done in ([1], [1, 2])
    verifier.verdict = Verdict.failed("test.wrong")
    status, said, _ = command_line("--resume", run)
    assert (status, said) == (0, [])
    assert steps_of(run) == [1, 2, 3, 4]


def test_a_hanging_verifier_costs_its_deadline_and_no_reward(command_line, monkeypatch):
    import pyarrow.parquet as pq

    monkeypatch.setattr(session, "make_verifiers", lambda config, envs, split: {"program": Misbehaving()})
    asked = iter(range(10**9))

    def submit(judge, task, completion):
        number = next(asked)
        candidate = "hang" if number == 20 else f"{number}"
        return candidate, judge.pool.submit("program", {"n": number}, candidate)

    monkeypatch.setattr(rollout.Judge, "submit", submit)
    status, said, run = command_line(verification="{isolate: true, deadline_s: 1.0, retries: 0}")
    assert (status, said) == (0, [])
    assert steps_of(run) == [1, 2, 3, 4]
    rows = [row for path in sorted(run.glob("rollouts/step-*.parquet")) for row in pq.read_table(path).to_pylist()]
    unknown = [row for row in rows if row["outcome"] == "unknown"]
    assert [(row["reason"], row["score"], row["advantage"]) for row in unknown] == [("infra.deadline", None, 0.0)]


def test_any_other_error_keeps_its_stack_trace(command_line, verifier, monkeypatch):
    """A bug is not dressed up as something that the user did."""
    breaks_down(monkeypatch, 2, raises(RuntimeError("shapes do not match")))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        command_line()
