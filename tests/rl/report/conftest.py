"""Runs and evaluations as they lie on disk, made without any training; and one browser for the module that asks."""

import json
import random
import shutil

import pytest

from proofgrad.envs.base import HELD_OUT, TRAIN, Task
from proofgrad.rl.config import EvaluationConfig
from proofgrad.rl.engine import Completion
from proofgrad.rl.evaluate import summarise
from proofgrad.rl.loop import Halt, Turn
from proofgrad.rl.rollout import Rollout
from proofgrad.rl.run_directory import write_rows
from proofgrad.verifiers.base import Verdict

LEAN_REASONS = ("lean.type_mismatch", "lean.unsolved_goals", "lean.parse_error")
CODE_REASONS = ("code.wrong_output", "code.timeout", "code.exception")
CONFIG = "name: NAME\nseed: 0\npolicy: {scratch: {hidden_size: 32}}\nenvs: [{name: propositional}, {name: synthesis}]\n"
VERIFIERS = {"lean": "4.35.0", "program": "3"}


class Maker:
    """Writes run and evaluation directories under a folder of its own."""

    def __init__(self, folder):
        self.folder = folder

    def task(self, domain, number, split=HELD_OUT):
        verifier = "lean" if domain == "theorems" else "program"
        name = f"{domain[:-1]}-{number:04d}"
        if verifier == "lean":
            prompt = f"theorem t{number} (p q r : Prop) : p ∧ (q ∨ r) → (p ∧ q) ∨ (p ∧ r) := by"
        else:
            prompt = f"Write a function f{number}(n) that doubles n and adds {number}."
        return Task(
            name, prompt, {"hidden": "THE-HIDDEN-TEST"}, verifier, domain, float(1 + number % 3), split, "made@0"
        )

    def turn(self, task, verdict, draw, text=None):
        if text is None:
            number = draw.randrange(10_000)
            text = (
                f"  intro h{number}\n  exact ⟨h{number}.left, h{number}.right⟩ -- by hand"
                if task.verifier == "lean"
                else f"def f(n):\n    # draws {number}\n    return 2 * n + {number}"
            )
        completion = Completion([1] * draw.randrange(5, 40), [-draw.random()], text, truncated=False)
        return Turn(completion, text, verdict, seconds=draw.uniform(0.01, 0.4))

    def rollout(self, task, draw, chance, max_turns=1, text=None):
        turns = []
        for _ in range(max_turns):
            if draw.random() < chance:
                verdict = Verdict.passed(f"{'lean' if task.verifier == 'lean' else 'code'}.ok", seconds=0.02)
            elif draw.random() < 0.02:
                verdict = Verdict.unknown("infra.worker_died", seconds=1.0)
            else:
                reasons = LEAN_REASONS if task.verifier == "lean" else CODE_REASONS
                reason = draw.choices(reasons, (6, 3, 1))[0]
                verdict = Verdict.failed(reason, feedback=f"line 2: {reason} in this attempt", seconds=0.03)
            turns.append(self.turn(task, verdict, draw, text))
            if verdict.score != 0.0:
                break
        return Rollout(task, [1, 2], tuple(turns), Halt.VERIFIED if turns[-1].verdict.is_pass else Halt.TURNS)

    def rollouts(self, chances, problems, samples, seed, max_turns=1):
        draw = random.Random(seed)
        found = []
        for domain, chance in chances.items():
            for number in range(problems):
                lean_on = min(1.0, chance * 2 * random.Random(f"{domain}{number}").random())
                found += [self.rollout(self.task(domain, number), draw, lean_on, max_turns) for _ in range(samples)]
        return found

    def write(self, file, rollouts_file, rollouts, samples, verifiers=None):
        tasks = list({r.task.id: r.task for r in rollouts}.values())
        settings = EvaluationConfig(tasks=2, samples=samples)
        evaluation = summarise(
            tasks, rollouts, settings, policy="policy", engine="transformers", verifiers=verifiers or VERIFIERS,
            seconds=12.5,
        )  # fmt: skip
        for path in (file, rollouts_file):
            path.parent.mkdir(parents=True, exist_ok=True)
        evaluation.save(file)
        write_rows(rollouts_file, [dict(r.to_row(), sample=i % samples) for i, r in enumerate(rollouts)])

    def evaluation(self, name, chances, problems=30, samples=4, seed=0, verifiers=None, rollouts=None):
        directory = self.folder / name
        found = rollouts or self.rollouts(chances, problems, samples, seed)
        self.write(directory / "evaluation.json", directory / "rollouts.parquet", found, samples, verifiers)
        return directory

    def run(self, name, before, after, problems=40, samples=4, steps=60, verifiers=None):
        run = self.folder / name
        run.mkdir(parents=True)
        (run / "config.yaml").write_text(CONFIG.replace("NAME", name), encoding="utf-8")
        manifest = {
            "started": "2026-11-27T20:00:00Z",
            "command": ["proofgrad", "train"],
            "packages": {"torch": "2.13.0"},
        }
        (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        for when, chances, seed in (("before", before, 1), ("after", after, 2)):
            rollouts = self.rollouts(chances, problems, samples, seed)
            self.write(
                run / "eval" / f"{when}.json", run / "rollouts" / f"{when}.parquet", rollouts, samples, verifiers
            )
        draw = random.Random(3)
        lines = [{"phase": "warm-start", "step": s, "loss": 4 / (1 + s / 10)} for s in range(1, 80)]
        for s in range(1, steps + 1):
            solved = {
                f"solved/{d}": min(1, max(0, draw.gauss(before[d] + (after[d] - before[d]) * s / steps, 0.08)))
                for d in before
            }
            lines.append({
                "phase": "grpo", "step": s, "loss": draw.gauss(0, 0.02), "reward": sum(solved.values()) / len(solved),
                "kl": 0.002 * s, "entropy": 0.9 - 0.004 * s, "unknown": 0.0, "truncated": 0.01, "turns": 1.0,
                "tokens_per_second": draw.gauss(8000, 400), "wait_time_share": abs(draw.gauss(0.05, 0.02)), **solved,
            })  # fmt: skip
        (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        for s in range(2):
            rows = [
                dict(self.rollout(self.task(d, n, TRAIN), draw, 0.4).to_row(), advantage=0.25)
                for d in before for n in range(10)
            ]  # fmt: skip
            write_rows(run / "rollouts" / f"step-{s:06d}.parquet", rows)
        return run


@pytest.fixture
def maker(tmp_path):
    return Maker(tmp_path)


@pytest.fixture(scope="module")
def module_maker(tmp_path_factory):
    return Maker(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_file(browser):
    """Opens the page, with everything that went wrong or left it in `page.troubles`."""
    opened = []

    def open_it(path, script=None, **options):
        page = browser.new_page(**options)
        page.troubles = []
        page.on("console", lambda message: page.troubles.append(message.text))
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("dialog", lambda dialog: page.troubles.append(dialog.message))
        page.on(
            "request", lambda request: request.url.startswith(("file:", "data:")) or page.troubles.append(request.url)
        )
        if script:
            page.add_init_script(script)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        opened.append(page)
        return page

    yield open_it
    for page in opened:
        page.close()
