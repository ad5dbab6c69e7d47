"""A package by somebody else: installed, found by name, held to the contract; and the page that shows how."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "tests" / "plugin"
VERIFIER, CONTRACT = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "writing-a-verifier.md").read_text("utf-8"), re.DOTALL
)


def python(code, folder):
    """Run Python as a user would who has installed the plug-in into `folder`."""
    environment = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    for file in ("pyproject.toml", "proofgrad_sql.py"):
        (source / file).write_bytes((PLUGIN / file).read_bytes())
    target = tmp_path_factory.mktemp("site")
    command = ["pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target"]
    done = subprocess.run(
        [sys.executable, "-m", *command, str(target), str(source)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return target


def test_the_page_shows_the_plug_in_as_it_is():
    assert (PLUGIN / "proofgrad_sql.py").read_text("utf-8") == VERIFIER
    assert len(VERIFIER.splitlines()) <= 36


def test_an_installed_plug_in_is_found_by_its_name_and_judges(installed):
    said = python(
        "from proofgrad import verifiers\n"
        "problem = {'script': 'create table t(x); insert into t values (7)', 'rows': [[7]]}\n"
        "sql = verifiers.get('sql', timeout_s=1.0)\n"
        "print('sql' in verifiers.names(), isinstance(sql, verifiers.Verifier))\n"
        "print([sql.verify(problem, query).outcome.value for query in ('select x from t', 'select 8')])\n",
        installed,
    )
    assert said == "True True\n['pass', 'fail']\n"


def test_an_option_that_the_plug_in_does_not_take_is_explained(installed):
    said = python(
        "from proofgrad import verifiers\n"
        "try: verifiers.get('sql', timeout=1.0)\n"
        "except verifiers.ConfigError as error: print(error)\n",
        installed,
    )
    assert "verifier 'sql'" in said
    assert "timeout" in said


def test_the_pages_contract_suite_holds_for_the_plug_in(installed, tmp_path):
    (tmp_path / "test_sql.py").write_text(CONTRACT, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "test_sql.py")]
    environment = {"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b2\d passed", done.stdout), done.stdout


def test_the_contract_finds_a_verifier_out_that_breaks_it(installed, tmp_path):
    """One verifier for each promise that could be broken, and the tests that have to notice."""
    broken = {
        "GoldScoresZero": ("return Verdict.failed('x.y')", "gold_candidates_score_1"),
        "EverythingPasses": ("return Verdict.passed('x.y')", "corrupted_candidates_score_0"),
        "Raises": ("return Verdict.passed('x.y') if candidate.encode() else None", "a_strange_candidate_fails"),
        "Fickle": (
            "self.n = getattr(self, 'n', 0) + 1; return Verdict.failed('x.y', feedback=str(self.n))",
            "a_judgement_repeated",
        ),
        "NotJson": ("return Verdict.passed('x.y', evidence={'a': (1, 2)})", "survives_the_store"),
        "Changes": ("problem['n'] = problem.get('n', 0) + 1; return Verdict.passed('x.y')", "leaves_the_problem"),
        "TakesAnyProblem": ("return Verdict.passed('x.y')", "malformed_problem_is_an_error"),
        "NeverEnds": (
            "import time; time.sleep(2 if 'recursive' in candidate else 0); return Verdict.failed('x.y')",
            "never_ends_fails_in_time",
        ),
    }
    lines = [CONTRACT, "from proofgrad.verifiers import Verdict"]
    for name, (body, _) in broken.items():
        lines += [
            f"class {name}(SqlVerifier):",
            f"    def verify(self, problem, candidate): {body}",
            f"class Test{name}(TestSqlVerifier):",
            "    deadline_s = 1.0",
            f"    def make_verifier(self): return {name}()",
        ]
    (tmp_path / "test_broken.py").write_text("\n".join(lines), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rf", str(tmp_path / "test_broken.py")]
    environment = {"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120)
    for name, (_, test) in broken.items():
        assert re.search(rf"FAILED \S*Test{name}::test_\w*{test}", done.stdout), f"{name} was not found out"
