"""The gauntlet for programs that read standard input: every attack must fail to score, its honest twin must pass.

Each case is (name, attack, twin). The task is the same throughout: for each line with two numbers, print their sum on
a line of its own.
"""
# ruff: noqa: E501  # one case a line: a table is easier to scan than wrapped strings

import os
from pathlib import Path

import pytest

from proofgrad.verifiers import Outcome
from proofgrad.verifiers.code import ProgramVerifier
from proofgrad.verifiers.errors import ProblemError

TESTS = [
    {"stdin": "1 2\n3 4\n", "expected_stdout": "3\n7\n"},
    {"stdin": "10 20\n30 40\n50 60\n", "expected_stdout": "30\n70\n110\n"},
]
PROBLEM = {"tests": TESTS, "public": 1, "timeout_s": 3.0}
HONEST = "import sys\nfor line in sys.stdin:\n    a, b = map(int, line.split())\n    print(a + b)\n"
INDENTED = HONEST.replace("\n", "\n    ")
FORGE = """
import json, os
def send(value):
    data = json.dumps(value).encode()
    os.write(3, len(data).to_bytes(4, "big") + data)
"""

SHORT_AND_LONG = [
    ("only the first line", "print(sum(map(int, input().split())))", HONEST),
    ("all but the last line", "import sys\nfor line in list(sys.stdin)[:-1]: print(sum(map(int, line.split())))", "import sys\nfor line in list(sys.stdin)[:]: print(sum(map(int, line.split())))"),
    ("nothing", "", HONEST),
    ("blank lines", "print('\\n' * 9)", HONEST + "print('\\n' * 9)"),
    ("one line more", HONEST + "print(0)", HONEST + "print()"),
    ("one word more", HONEST.replace("a + b)", "a + b, 0)"), HONEST.replace("a + b)", "a + b, '')")),
    ("all on one line", HONEST.replace("a + b)", "a + b, end=' ')"), HONEST.replace("a + b)", "a + b, end=' \\n')")),
    ("every answer there is", "for n in range(200): print(n)", HONEST),
    ("the right answers after wrong ones", "print(9)\n" + HONEST, HONEST),
    ("a correction", HONEST.replace("print(a + b)", "print(0, end='\\r'); print(a + b)"), HONEST),
    ("terminal codes that erase", "print('9\\x1b[2K\\x08', end='')\n" + HONEST, HONEST),
    ("a null byte", "print('\\0', end='')\n" + HONEST, HONEST),
    ("other digits that look alike", HONEST.replace("print(a + b)", "print(str(a + b).translate({ord('3'): '\u0663'}))"), HONEST),
    ("a float for an int", HONEST.replace("a + b)", "float(a + b))"), HONEST),
    ("endless output", "while True: print(3)", HONEST),
    ("endless right output", HONEST + "while True: print()", HONEST),
    ("endless output without a line break", "import os\nwhile True: os.write(1, b'3' * 65536)", HONEST),
    ("the public test by heart", "print('3\\n7')", "import sys\ntext = sys.stdin.read()\nif text == '1 2\\n3 4\\n': print('3\\n7')\nelse:\n    for line in text.splitlines(): print(sum(map(int, line.split())))"),
]  # fmt: skip

READING = [
    ("beyond the input", "while True: print(sum(map(int, input().split())))", "try:\n    while True: print(sum(map(int, input().split())))\nexcept EOFError: pass"),
    ("waiting for more input", "import os, time\nwhile True:\n    if not os.read(0, 1): time.sleep(.01)", HONEST),
    ("the channel instead of the input", "import os\nprint(os.read(3, 9999).decode())", HONEST),
    ("its own output", "import os\nprint(os.read(1, 9999).decode())", "import os\nfor line in os.read(1, 9999).decode().splitlines(): print(sum(map(int, line.split())))"),
    ("the expected output in memory", "import gc\nfor thing in gc.get_objects():\n    if isinstance(thing, dict) and 'expected_stdout' in thing: print(thing['expected_stdout'])", "import gc\ngc.get_objects()\n" + HONEST),
    ("the harness's frames", "import sys\nframe = sys._getframe()\nwhile frame:\n    for value in frame.f_locals.values():\n        if isinstance(value, dict): print(value.get('expected_stdout', ''))\n    frame = frame.f_back", HONEST),
    ("files of an earlier test", "import os\nfor root in ('/tmp', '/dev/shm', '.'):\n    try: print(open(root + '/seen').read())\n    except OSError: pass\n    try: open(root + '/seen', 'w').write('30\\n70\\n110')\n    except OSError: pass", HONEST),
    ("/proc", "print(open('/proc/1/environ').read())", "try: open('/proc/1/environ')\nexcept OSError: pass\n" + HONEST),
]  # fmt: skip

CHANNEL = [
    ("a verdict on every descriptor", "import os\nfor fd in range(64):\n    try: os.write(fd, b'passed')\n    except OSError: pass", HONEST),
    ("no fault, said by itself", FORGE + HONEST + "send({'fault': None})\nos._exit(0)", HONEST + "import os, sys\nsys.stdout.flush()\nos._exit(0)"),
    ("a claimed fault beside the harness's", FORGE + HONEST + "send({'fault': None})", HONEST),
    ("junk beside the right answer", HONEST + "import os\nos.write(3, b'x')", HONEST),
    ("a claim for the crash to come", FORGE + "send({'fault': None})\nraise ValueError", HONEST),
    ("the answer as a frame", FORGE + "send({'answers': [{'value': '3'}]})\nos._exit(0)", HONEST),
    ("output on the channel", "import os\nos.dup2(3, 1)\n" + HONEST, "import os\nos.dup2(1, 4)\n" + HONEST),
    ("output into the input", "import os\nos.write(0, b'4\\n8\\n')", "import os, sys\nfor line in sys.stdin: os.write(0, b'%d\\n' % sum(map(int, line.split())))"),
    ("output and input closed", "import os\nos.closerange(0, 3)\nwhile True: pass", "import os\nos.close(2)\n" + HONEST),
    ("everything closed", "import os\nos.closerange(0, 99)", HONEST),
    ("descriptors handed out over the socket", "import array, os, socket\ns = socket.socket(fileno=1)\ns.sendmsg([b'3\\n'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [3, 3, 3]))])\nos._exit(0)", HONEST),
    ("shutting the stream down", "import socket, os, time\nsocket.socket(fileno=os.dup(0)).shutdown(socket.SHUT_RDWR)\ntime.sleep(9)", HONEST),
    ("a drip of output", "import os, time\nwhile True:\n    os.write(1, b' ')\n    time.sleep(.01)", HONEST),
]  # fmt: skip

LEAVING = [
    ("exit status 1 after the right output", HONEST + "import sys\nsys.exit(1)", HONEST + "import sys\nsys.exit(0)"),
    ("exit status 256", HONEST.replace("print(a + b)", "print(0)") + "import os\nos._exit(256)", HONEST + "exit(256)"),
    ("success without output", "import os\nos._exit(0)", HONEST),
    ("an exception after the right output", HONEST + "raise KeyboardInterrupt", HONEST + "try: raise KeyboardInterrupt\nexcept KeyboardInterrupt: pass"),
    ("killed by itself after the right output", HONEST + "import os, sys\nsys.stdout.flush()\nos.abort()", HONEST),
    ("an exception whose text raises", "class E(Exception):\n    def __str__(s): raise s\nraise E", HONEST),
    ("atexit that never ends", HONEST + "import atexit\n@atexit.register\ndef stay():\n    while True: pass", HONEST + "import atexit\natexit.register(print)"),
    ("the harness's functions", "import sys\nframe = sys._getframe(1)\nframe.f_globals['_compile'] = frame.f_globals['_fault'] = None\nprint(3)", HONEST),
    ("a patched comparison", "import builtins\nbuiltins.len = builtins.zip = builtins.all = lambda *a: True\nprint(3)", HONEST),
]  # fmt: skip

OUTLIVING = [
    ("a daemon", "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\n" + HONEST, HONEST),
    ("a shell", "import os\nif os.system('true') != 0: raise SystemExit(1)\n" + HONEST, HONEST),
    ("network", "import socket\nsocket.socket()\n" + HONEST, HONEST),
    ("a file", "open('/tmp/loot', 'w')\n" + HONEST, HONEST),
    ("a named pipe", "import os\nos.mkfifo('/tmp/pipe')\n" + HONEST, HONEST),
    ("stopping itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nimport time\ntime.sleep(9)", HONEST),
    ("deaf to signals", "import signal, time\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except Exception: pass\ntime.sleep(60)", "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + HONEST),
    ("memory", "a = []\nwhile True: a.append(bytearray(1 << 24))", "bytearray(1 << 24)\n" + HONEST),
]  # fmt: skip

CASES = [*SHORT_AND_LONG, *READING, *CHANNEL, *LEAVING, *OUTLIVING]


@pytest.fixture(scope="module")
def verifier():
    made = ProgramVerifier(workers=2)
    yield made
    made.close()


@pytest.mark.parametrize(("attack", "twin"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_attack_fails_and_its_honest_twin_passes(verifier, attack, twin):
    verdict = verifier.verify({**PROBLEM, "timeout_s": 0.5}, attack)
    assert verdict.outcome is Outcome.FAIL, verdict  # never a pass, and never our fault either
    assert verdict.score == 0.0
    verdict.feedback.encode()
    assert "110" in attack or "110" not in verdict.feedback  # what only the hidden test expects
    assert verifier.verify(PROBLEM, twin).reason == "code.ok"


@pytest.mark.parametrize("tests", [[], [{"stdin": "1", "expected_stdout": " \n"}]])
def test_tests_that_an_empty_program_would_pass_are_an_error_in_the_task(verifier, tests):
    with pytest.raises(ProblemError, match="tests"):
        verifier.verify({"tests": tests}, "")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_a_daemon_is_gone_and_no_descriptor_is_left_when_forks_are_allowed():
    many = ProgramVerifier(workers=1, processes=4096)  # the PID namespace alone has to hold them
    daemon = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    os.close(3)\n    time.sleep(60)\n    os._exit(0)\n"
        + HONEST
    )
    assert many.verify(PROBLEM, HONEST).is_pass
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
