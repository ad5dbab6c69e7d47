"""Two processes train as one does: the same losses, advantages and gradients from the same rollouts.

What is sampled differs by design (a sample's seed has its process in it), so the comparison gives both the same
completions, and has everything behind them done by the trainer of a run: verdicts, feedback between turns, UNKNOWN,
masks, advantages over groups of which one is split, loss, averaged gradients, update. This file is also the script that
does so, under `accelerate launch`.
"""

import json
import multiprocessing
import random
import sqlite3
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from test_training import completions, finish, metrics, recipe, start, untimed

from proofgrad.rl.config import load_config
from proofgrad.rl.engine import Completion
from proofgrad.rl.rollout import Judge
from proofgrad.rl.run_directory import RunDirectory
from proofgrad.rl.session import Session
from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.pool import VerifierPool
from proofgrad.verifiers.store import VerdictStore

ROOT = Path(__file__).parents[2]
TWO = ("accelerate.commands.launch", "--config_file", ROOT / "configs" / "accelerate" / "two_cpu.yaml")
ONE = ("accelerate.commands.launch", "--num_processes", "1", "--cpu")

# `bnpo` is left out: it divides by the tokens of each process's own batch, so it does depend on how many there are.
LOSSES = ("dr_grpo", "grpo", "dapo")

# Three groups of four on two processes: the second is split.
RECIPE = """
name: NAME
policy: {path: POLICY}
envs: [{name: synthesis, options: {max_level: 2}}]
warm_start: {demonstrations: 0}
generation: {engine: transformers, max_tokens: 12}
loop: {max_turns: 2, discount: 0.5, partial_credit: 0.3, halt_on_repeat: false}
grpo: {steps: 2, prompts_per_step: 3, group_size: 4, loss_type: NAME, kl_coefficient: 0.05, learning_rate: 1.0e-3}
verification: {retries: 0, max_unknown: null}
"""


class Reciting:
    """Recites, for each place in the whole batch and each turn, the same tokens whoever asks."""

    name, has_own_seeds = "reciting", False

    def __init__(self, trainer):
        self._trainer = trainer

    def generate(self, source, temperature):
        first, turn = None, 0
        while requests := source.take(wait=True):
            first = self._trainer.accelerator.process_index * len(requests) if first is None else first
            for request in requests:
                rng = random.Random(f"{self._trainer.state.global_step} {first + request.id} {turn}")
                ids = [rng.randrange(40, 200) for _ in range(rng.randint(2, 12))]
                text = self._trainer.processing_class.decode(ids)
                source.put(request.id, Completion(ids, [-1.0] * len(ids), text, truncated=False))
            turn += 1


class Arbitrary:
    """A verifier whose verdict is a function of the candidate, of all three kinds."""

    name, version = "program", "1"

    def verify(self, problem, candidate):
        number = random.Random(candidate).randrange(6)
        if number == 0:
            return Verdict.unknown("infra.test")
        return Verdict.passed("test.ok") if number < 3 else Verdict.failed("test.wrong", score=number / 10)


class Scripted(Session):
    """A session whose completions and verdicts are fixed."""

    def engine_from(self, trainer):
        return Reciting(trainer)


def record(folder):
    """Train, and write the gradients of each update."""
    import torch
    from accelerate import PartialState
    from transformers import TrainerCallback

    from proofgrad.rl.frontier import training_order, training_tasks
    from proofgrad.rl.stream import TaskStream
    from proofgrad.rl.trainer import build_trainer, fit
    from proofgrad.rl.warmstart import start_policy

    class Gradients(TrainerCallback):
        def __init__(self):
            self.found = []

        def on_pre_optimizer_step(self, args, state, control, model, **kwargs):
            self.found.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))

    for loss in LOSSES:
        config = load_config(folder / f"{loss}.yaml")
        run = RunDirectory.create_once(config)
        with Scripted(config, run) as session:
            session.judge.pool.close()
            pool = VerifierPool({"program": Arbitrary()}, retries=0)
            session.judge = Judge(session.envs, pool)
            trainer, gradients = build_trainer(session, start_policy(session)), Gradients()
            trainer.add_callback(gradients)
            order = training_order(session, training_tasks(session, 6))
            fit(session, trainer, TaskStream(config, order, order))
        if PartialState().is_main_process:
            torch.save(torch.stack(gradients.found), run.path / "gradients.pt")
            (run.path / "processes.txt").write_text(str(PartialState().num_processes), encoding="utf-8")


def launch(launcher, folder, policy):
    from proofgrad.rl.policy import save_policy

    save_policy(policy, folder / "policy")
    for loss in LOSSES:
        text = RECIPE.replace("NAME", loss).replace("POLICY", str(folder / "policy"))
        (folder / f"{loss}.yaml").write_text(f"runs_dir: {folder}/runs" + text, encoding="utf-8")
    finish(start(*launcher, __file__, folder))
    return folder / "runs"


@pytest.fixture(scope="module")
def both(tiny_policy, tmp_path_factory):
    """The same training by one process and by two."""
    return [launch(how, tmp_path_factory.mktemp(name), tiny_policy) for name, how in (("one", ONE), ("two", TWO))]


def rows_of(run, step):
    """What was sampled for a step, in the order of the batch."""
    names = sorted(path.stem for path in (run / "rollouts").glob(f"step-{step:06d}*.parquet"))
    return [row for name in names for row in completions(run, name)]


@pytest.mark.slow
def test_there_were_one_and_two_processes_and_one_run_directory_for_each_loss(both):
    for runs, processes in zip(both, (1, 2), strict=True):
        assert sorted(path.name for path in runs.iterdir()) == sorted(LOSSES)
        assert {(runs / loss / "processes.txt").read_text(encoding="utf-8") for loss in LOSSES} == {str(processes)}


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_a_group_split_over_two_processes_has_the_advantages_it_has_on_one(both, loss):
    for step in (0, 1):
        one, two = (rows_of(runs / loss, step) for runs in both)
        assert [row[:3] for row in one] == [row[:3] for row in two]
        assert [row[3] for row in one] == pytest.approx([row[3] for row in two], abs=1e-6)
        assert {row[2] for row in one} == {"pass", "fail", "unknown"}
        assert all(advantage == 0 for _, _, outcome, advantage in one if outcome == "unknown")
        assert any(len(turns) == 2 for _, turns, _, _ in one)


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_two_processes_log_what_one_does(both, loss):
    one, two = (metrics(runs / loss) for runs in both)
    assert [row["step"] for row in one] == [row["step"] for row in two] == [1, 2]
    for name in ("loss", "grad_norm", "reward", "reward_std", "kl", "num_tokens", "completions/mean_length",
                 "unknown", "truncated", "turns"):  # fmt: skip
        assert [row[name] for row in two] == pytest.approx([row[name] for row in one], rel=1e-4, abs=1e-6), name


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_two_processes_have_the_gradients_of_one(both, loss):
    import torch

    one, two = (torch.load(runs / loss / "gradients.pt") for runs in both)
    assert one.abs().amax(dim=1).min() > 1e-4
    for step in (0, 1):
        assert torch.allclose(one[step], two[step], rtol=1e-3, atol=1e-5 * one[step].abs().max().item())


def open_store(path, together, failed):
    together.wait()
    try:
        VerdictStore(path).close()
    except sqlite3.Error:
        failed.value += 1


def test_processes_that_start_together_share_a_new_verdict_store(tmp_path):
    context = multiprocessing.get_context("fork")
    failed = context.Value("i", 0)
    for number in range(60):
        together = context.Barrier(3)
        opening = [
            context.Process(target=open_store, args=(tmp_path / f"{number}.sqlite", together, failed)) for _ in range(3)
        ]
        for process in opening:
            process.start()
        for process in opening:
            process.join()
    assert failed.value == 0


@pytest.mark.slow
def test_a_whole_run_of_two_processes_leaves_one_run(tmp_path):
    output = finish(start(*TWO, "-m", "proofgrad.rl.train", recipe(tmp_path, "transformers")))
    assert output.count("everything about this run is in") == 1
    (run,) = (tmp_path / "runs").iterdir()
    steps = [row["step"] for row in metrics(run) if row["phase"] == "grpo"]
    assert steps == list(range(1, 13))
    for name in ("before", "after"):
        evaluation = json.loads((run / "eval" / f"{name}.json").read_text(encoding="utf-8"))
        # Ten tasks of each of two environments, two samples each, and each sample once.
        assert [r["judged"] + r["unknown"] for r in evaluation["results"]] == [2] * 20
        assert len(pq.read_table(run / "rollouts" / f"{name}.parquet")) == 40
    sampled = {path.stem: pq.read_table(path).to_pylist() for path in run.glob("rollouts/step-*.parquet")}
    assert sorted(sampled) == [f"step-{step:06d}-{rank}" for step in range(0, 12, 2) for rank in (0, 1)]
    assert {len(rows) for rows in sampled.values()} == {8}
    both = [[untimed(row["turns"]) for row in sampled[f"step-000000-{rank}"]] for rank in (0, 1)]
    assert both[0] != both[1]  # each process draws its own samples
    assert (run / "policy" / "model.safetensors").is_file()
    before = metrics(run)
    finish(start(*TWO, "-m", "proofgrad.rl.train", "--resume", run))
    assert metrics(run) == before


if __name__ == "__main__":
    record(Path(sys.argv[1]))
