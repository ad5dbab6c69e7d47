"""The gauntlet for programs that read standard input: every attack must fail to score, its honest twin must pass.

The cases are in `program_cases.py`; `test_programs.py` runs them as an ordinary user too.
"""
# ruff: noqa: E501  # one program a line: a table is easier to scan than wrapped strings

import os
import time
from pathlib import Path

import pytest

from proofgrad.verifiers import Outcome
from proofgrad.verifiers.code import ProgramVerifier
from proofgrad.verifiers.errors import ProblemError

from .program_cases import CASES, PROBLEMS, SUMS

KIND = "stdio"
PROBLEM = PROBLEMS[KIND]
INDENTED = SUMS.replace("\n", "\n    ")
ATTACK_S = 0.5  # the twins have the problem's 3 seconds


@pytest.mark.parametrize("name", CASES["stdio"])
def test_the_attack_fails_and_its_honest_twin_passes(gauntlet, name):
    verdict = gauntlet[name, "attack"].result()
    assert verdict.outcome is Outcome.FAIL, verdict  # never a pass, and never our fault either
    assert verdict.score == 0.0
    verdict.feedback.encode()
    # What only the hidden test expects, unless the attack prints it by itself.
    assert "110" in CASES["stdio"][name][1] or "110" not in verdict.feedback
    twin = gauntlet[name, "twin"].result()
    assert twin.reason == "code.ok", twin


@pytest.mark.parametrize("tests", [[], [{"stdin": "1", "expected_stdout": " \n"}]])
def test_tests_that_an_empty_program_would_pass_are_an_error_in_the_task(verifier, tests):
    with pytest.raises(ProblemError, match="tests"):
        verifier.verify({"tests": tests}, "")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_a_daemon_is_gone_and_no_descriptor_is_left_when_forks_are_allowed():
    many = ProgramVerifier(workers=1, processes=4096)  # the PID namespace alone has to hold them
    daemon = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    os.close(3)\n    time.sleep(60)\n    os._exit(0)\n"
        + SUMS
    )
    assert many.verify(PROBLEM, SUMS).is_pass
    descriptors = len(os.listdir("/proc/self/fd"))
    verdict = many.verify(PROBLEM, daemon)
    # The output is that of the program itself; its daemon died with it, and had nothing to gain.
    assert verdict.is_pass
    assert verdict.seconds < 20
    late = "import os, time\nif os.fork() == 0:\n    time.sleep(.3)\n    os.write(1, b'30\\n70\\n110\\n')\n    os._exit(0)\n"
    assert not many.verify(PROBLEM, late).is_pass
    thread = "import threading\ndef main():\n" + "    " + INDENTED + "\nthreading.Thread(target=main).start()\n"
    assert many.verify(PROBLEM, thread).is_pass
    assert len(os.listdir("/proc/self/fd")) == descriptors
    many.close()


def test_what_a_program_saw_in_a_hidden_test_is_not_in_the_feedback_of_a_public_one(verifier):
    # The public test comes last in time only if the runs were shared; each has a process of its own.
    spy = "import gc, sys\nprint(str([thing for thing in gc.get_objects() if type(thing) is dict and 'stdin' in thing]) + sys.stdin.read())"
    verdict = verifier.verify(PROBLEM, spy)
    assert not verdict.is_pass
    assert "50 60" not in verdict.feedback


def test_a_word_that_is_almost_a_number_does_not_hold_up_the_judge(verifier):
    problem = {"tests": [{"stdin": "", "expected_stdout": "1.5\n"}], "float_tolerance": {"abs": 1e-6}}
    start = time.thread_time()
    for attack in ("'1' * 900_000 + 'x'", "'1.' + '1' * 900_000 + 'x'", "'1e' + '1' * 900_000 + 'x'", "'.' * 900_000"):
        assert verifier.verify(problem, f"print({attack})").reason == "code.wrong_output"
    assert time.thread_time() - start < 2  # hours, were a run of digits split at every place
    assert verifier.verify(problem, "print('1.5' + '0' * 900_000)").reason == "code.ok"
