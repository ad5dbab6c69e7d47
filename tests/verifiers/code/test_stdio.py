"""Programs that read standard input and write standard output: verdicts, feedback, and what they find around them."""

import json

import pytest

from proofgrad.verifiers import Outcome
from proofgrad.verifiers.code.runner import Ending
from proofgrad.verifiers.code.sandbox import Limits

ADD = "a, b = map(int, input().split())\nprint(a + b)\n"


def problem(*tests, **more):
    pairs = tests or (("1 2\n", "3\n"), ("30 12\n", "42\n"))
    return {"tests": [{"stdin": given, "expected_stdout": wanted} for given, wanted in pairs], **more}


def echo(source, stdin="", expected="yes"):
    """A problem and a program whose output `source` computes as `answer`."""
    return problem((stdin, expected)), f"{source}\nprint(answer)\n"


def test_a_right_program_passes_with_score_one(verifier):
    verdict = verifier.verify(problem(), ADD)
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.PASS, 1.0, "code.ok")
    assert verdict.evidence["statuses"] == ["ok", "ok"]
    assert verdict.evidence["tests_passed"] == verdict.evidence["tests_total"] == 2
    assert verdict.evidence["whitespace"] == "tokens"


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nprint(sum(map(int, sys.stdin.read().split())))",
        "import sys\nprint(sum(int(word) for line in sys.stdin for word in line.split()))",
        "import sys\nprint(sum(map(int, sys.stdin.readline().split())))\nsys.exit()",
        "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())), file=sys.stdout)\nexit(0)",
        "import sys\nsys.stdout.write(str(sum(map(int, open(0).read().split()))))",
        "import os\nos.write(1, str(sum(map(int, os.read(0, 100).split()))).encode())",
        "import os, sys\nprint(sum(map(int, input().split())))\nsys.stdout.flush()\nos._exit(0)",
        "def main():\n    print(sum(map(int, input().split())))\n\nif __name__ == '__main__':\n    main()",
        "import atexit, io, sys\nheld = sys.stdout = io.StringIO()\n"
        "atexit.register(lambda: sys.__stdout__.write(held.getvalue()))\nprint(sum(map(int, input().split())))",
        "out = open(1, 'w', closefd=False)\nout.write(str(sum(map(int, input().split()))))",
        "from dataclasses import dataclass\n@dataclass\nclass Pair:\n    a: int\n    b: int\n"
        "pair = Pair(*map(int, input().split()))\nprint(pair.a + pair.b)",
        "import os, sys\nos.closerange(3, 99)\nprint(sum(map(int, input().split())))",
        "import sys\nprint(sum(map(int, input().split())))\nsys.stdout.close()",
        "import sys\nprint('debugging', file=sys.stderr)\nprint(sum(map(int, input().split())))",
        "import sys, threading\ndef main():\n    print(sum(map(int, input().split())))\n"
        "sys.setrecursionlimit(10**6)\nthreading.stack_size(1 << 27)\nthreading.Thread(target=main).start()",
    ],
)
def test_the_usual_ways_to_read_write_and_leave_all_work(verifier, source):
    assert verifier.verify(problem(), source).reason == "code.ok"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("print(3)", "code.wrong_output"),
        ("", "code.wrong_output"),
        ("a, b = input().split()\nprint(a + b)", "code.wrong_output"),
        ("print(1 / 0)", "code.exception"),
        (ADD + "raise ValueError", "code.exception"),
        (ADD + "exit(3)", "code.exit_status"),
        (ADD + "exit('no')", "code.exit_status"),
        ("print((", "code.syntax_error"),
        ("while True: pass", "code.timeout"),
        ("import sys\nsys.stdout.close()\nwhile True: pass", "code.timeout"),
        ("while True: print('a' * 1000)", "code.output_limit"),
        ("x = bytearray(1 << 40)", "code.memory"),
        ("import ctypes\nctypes.string_at(0)", "code.died"),
        (ADD + "import os\nos.abort()", "code.died"),
        ("import os\nos.close(1)\n" + ADD, "code.exception"),
        ("import os\nos.write(1, b'\\xff')", "code.wrong_output"),
        ("#" * 300_000, "code.too_long"),
    ],
)
def test_each_fault_of_a_program_is_a_fail_with_its_reason(verifier, source, reason):
    verdict = verifier.verify(problem(timeout_s=0.5), source)
    assert (verdict.outcome, verdict.score, verdict.reason) == (Outcome.FAIL, 0.0, reason)
    assert verdict.feedback
    verdict.feedback.encode()


def test_tests_after_a_failed_one_still_run_but_not_after_a_timeout(verifier):
    tests = problem(("0", "1"), ("1", "1"), ("2", "1"), timeout_s=0.5)
    assert verifier.verify(tests, "print(int(input()) // 1)").evidence["statuses"] == [
        "wrong_output",
        "ok",
        "wrong_output",
    ]
    stuck = verifier.verify(tests, "while int(input()) == 0: pass\n")
    assert stuck.evidence["statuses"][0] == "exception"  # EOFError: the loop reads on
    stuck = verifier.verify(tests, "n = int(input())\nwhile n == 0: pass\nprint(1)")
    assert (stuck.reason, stuck.evidence["statuses"]) == ("code.timeout", ["timeout", "not_run", "not_run"])


def test_the_time_limit_is_for_each_test(verifier):
    tests = problem(*[(f"{n} 0", str(n)) for n in range(4)], timeout_s=1.0)
    assert verifier.verify(tests, "import time\ntime.sleep(0.4)\n" + ADD).is_pass


def test_each_test_meets_a_fresh_process(verifier):
    tests = problem(("first", "0\n1"), ("second", "0\n1"))
    source = """
import builtins, os, random
print(getattr(builtins, "met", 0))
builtins.met = 1
for path in ("/tmp/met", "met", "/dev/shm/met"):
    try: open(path, "w").write("met")
    except OSError: pass
print(os.getpid())
"""
    assert verifier.verify(tests, source).is_pass


def test_input_larger_than_any_buffer_arrives_whole_and_so_does_the_output(runner):
    data = b"".join(b"%d\n" % n for n in range(300_000))
    limits = Limits(timeout_s=20, answer_bytes=1 << 22)
    run = runner.run_program("import sys\nfor line in sys.stdin: sys.stdout.write(line)", data, limits)
    assert (run.ending, run.status, run.stdout == data) == (Ending.COMPLETE, 0, True)


def test_a_program_need_not_read_its_input(verifier):
    assert verifier.verify(problem(("x" * 3_000_000, "yes")), "print('yes')").is_pass


def test_a_large_right_output_is_within_the_limit(verifier):
    expected = "a" * 3_000_000
    assert verifier.verify(problem(("", expected), timeout_s=10), "print('a' * 3_000_000)").is_pass


def test_text_is_utf8_on_both_sides(verifier):
    assert verifier.verify(problem(("naïve ∀\n", "∀ ï")), "print(input()[-1], 'ï')").is_pass


def test_only_its_streams_and_the_channel_are_open(verifier):
    tests, source = echo(
        "import os\nanswer = []\nfor fd in range(64):\n    try: os.fstat(fd); answer.append(fd)\n"
        "    except OSError: pass",
        expected="[0, 1, 2, 3]",
    )
    assert verifier.verify(tests, source).is_pass


def test_nothing_can_be_sent_to_it_before_it_is_compiled(runner):
    run = runner.run_program("def f(:", b"secret", Limits())
    assert run.replies[0]["module"]["kind"] == "syntax"
    assert (len(run.replies), run.stdout) == (1, b"")


def test_expected_output_is_in_no_request(runner, verifier, monkeypatch):
    sent = []
    original = verifier._runner.run_program
    monkeypatch.setattr(
        verifier._runner, "run_program", lambda *arguments: sent.append(arguments) or original(*arguments)
    )
    verifier.verify(problem(("1 2", "needle"), public=1), ADD)
    assert len(sent) == 1
    assert "needle" not in repr(sent)


@pytest.mark.parametrize(
    ("whitespace", "printed", "passes"),
    [
        ("tokens", "'1  2 ', '3', '', sep='\\n'", True),
        ("tokens", "'1 2', '', '3', sep='\\n'", False),
        ("tokens", "'1 2 3'", False),
        ("tokens", "'1\\n2\\n3'", False),
        ("lines", "'1 2  \\n3\\n'", True),
        ("lines", "'1  2\\n3'", False),
        ("lines", "' 1 2\\n3'", False),
        ("exact", "'1 2\\n3'", True),
        ("exact", "'1 2\\n3\\n'", False),
        ("exact", "'1 2\\n3', end=''", False),
    ],
)
def test_the_whitespace_policy_is_the_problems(verifier, whitespace, printed, passes):
    tests = problem(("", "1 2\n3\n"), whitespace=whitespace)
    assert verifier.verify(tests, f"print({printed})").is_pass is passes


def test_numbers_are_text_unless_a_tolerance_is_stated(verifier):
    source = "print(0.1 + 0.2, 7)"
    assert not verifier.verify(problem(("", "0.3 7")), source).is_pass
    assert verifier.verify(problem(("", "0.3 7"), float_tolerance={"abs": 1e-9}), source).is_pass
    assert not verifier.verify(problem(("", "0.3 8"), float_tolerance={"rel": 0.5}), source).is_pass


def test_a_failed_public_test_is_shown_with_input_and_first_differing_line(verifier):
    tests = problem(("1 2\n", "3\nend"), public=1)
    for source, told in (
        ("print(3); print('END')", "On the input '1 2\\n', line 2 of the output should be 'end', but is 'END'."),
        ("print(3)", "line 2 of the output should be 'end', but the output ends before it."),
        ("print('3\\nend\\nmore')", "the output should end before line 3, but goes on with 'more'."),
        ("\nraise ValueError('no luck')", "the program raised ValueError: no luck (line 2)."),
        (ADD + "exit(7)", "the program ended with exit status 7."),
    ):
        assert told in verifier.verify(tests, source).feedback


def test_feedback_is_clipped_and_stays_on_its_line(verifier):
    tests = problem(("9" * 9999, "1" * 9999), public=1)
    for source in ("print('x' * 99999)", "raise ValueError('\\n\\ud800' + 'a' * 99999)"):
        feedback = verifier.verify(tests, source).feedback
        assert len(feedback) < 1500
        assert "\n" not in feedback
        feedback.encode()


def test_a_failed_hidden_test_shows_neither_input_nor_expected_nor_output(verifier):
    tests = problem(("1 2", "3"), ("7654321 1", "1234567"), public=1)
    for body in (
        "print(5550123 if n > 1 else 3)",
        "print(3) if n == 1 else exit(str(n))",
        "if n > 1: raise ValueError(n)\nprint(3)",
        "if n > 1: raise type('E' + str(n), (Exception,), {})\nprint(3)",
        "if n > 1: exit(n % 200 + 1)\nprint(3)",
    ):
        verdict = verifier.verify(tests, f"n = int(input().split()[0])\n{body}")
        assert verdict.evidence["statuses"][0] == "ok"
        assert not verdict.is_pass
        for secret in ("7654321", "1234567", "5550123", str(7654321 % 200 + 1)):
            assert secret not in verdict.feedback
        text = json.dumps(verdict.to_json())
        assert "7654321" not in text
        assert "1234567" not in text


def test_the_same_program_gets_the_same_verdict_twice(verifier):
    tests = problem(("", "-"), public=1)
    source = "import random\nprint(list({'a', 'b', 'c', 'd'}), random.random())"
    assert len({verifier.verify(tests, source).feedback for _ in range(3)}) == 1
