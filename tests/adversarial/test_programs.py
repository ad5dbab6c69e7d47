"""The programs gauntlet: every attack must fail to score, and the honest twin beside it must pass.

The cases are in `program_cases.py`. All of them run twice: by this process, and by one of the user nobody's, which has
to get its isolation without privileges. They run four at a time, since most attacks only wait for their end.
"""
# ruff: noqa: E501  # one program a line: a table is easier to scan than wrapped strings

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proofgrad.verifiers import Outcome
from proofgrad.verifiers.code import ProgramVerifier

from .footprint import descendants
from .ordinary_user import NoOrdinaryUser, verify_as_nobody
from .program_cases import CASES, HONEST, PROBLEMS, jobs

KIND = "function"
PROBLEM = PROBLEMS[KIND]
ATTACK_S = 0.5  # the twins have the problem's 3 seconds


@pytest.mark.parametrize("name", CASES["function"])
def test_the_attack_fails_and_its_honest_twin_passes(gauntlet, name):
    verdict = gauntlet[name, "attack"].result()
    assert verdict.outcome is Outcome.FAIL, verdict  # never a pass, and never our fault either
    assert verdict.score == 0.0
    assert verdict.seconds < 8
    verdict.feedback.encode()
    twin = gauntlet[name, "twin"].result()
    assert twin.reason == "code.ok", twin


ALL = [job for kind in CASES for job in jobs(kind, ATTACK_S)]
IDS = [f"{job['role']} of {job['name']}" for job in ALL]


@pytest.fixture(scope="module")
def ordinary():
    """Both gauntlets, verified by a process of the user nobody's."""
    try:
        return verify_as_nobody(ALL, workers=4, hostile=True)
    except NoOrdinaryUser as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("number", range(len(ALL)), ids=IDS)
def test_for_an_ordinary_user_too_the_attack_fails_and_its_honest_twin_passes(ordinary, number):
    outcome, reason, score = ordinary.verdicts[number]
    expected = ("pass", 1.0) if ALL[number]["role"] == "twin" else ("fail", 0.0)
    assert (outcome, score) == expected, reason


def test_an_ordinary_user_has_every_layer_where_the_machine_allows_namespaces(ordinary):
    layers = ("network", "pid", "filesystem", "seccomp", "limits", "capabilities", "no_new_privs", "ipc")
    assert {name: ordinary.layers[name] for name in layers} == dict.fromkeys(layers, "active")


@pytest.mark.parametrize("empty", [[], None])
def test_zero_tests_are_an_error_in_the_task_never_a_pass(verifier, empty):
    with pytest.raises(Exception, match="at least one test"):
        verifier.verify({"entry_point": "f", "tests": empty}, HONEST)


def test_a_public_answer_cannot_carry_hidden_inputs_into_the_feedback(verifier):
    spy = "import gc, sys\ndef f(x):\n    return str([o for o in gc.get_objects() if type(o) is dict and 'args' in o]) + str(sys._getframe(2).f_locals)"
    problem = {
        "entry_point": "f",
        "tests": [{"args": [1], "expected": 2}, {"args": [424242], "expected": 7}],
        "public": 1,
    }
    verdict = verifier.verify(problem, spy)
    assert "but returned" in verdict.feedback
    assert "424242" not in verdict.feedback


def test_a_candidate_leaves_nothing_for_its_neighbour(verifier):
    poison = """
import builtins, json, random, sys, __main__, os, math
builtins.len = lambda a: 99
math.gcd = None
__main__._answer = lambda *a: {"value": "0"}
sys.path.insert(0, "/evil")
os.environ["poison"] = "1"
def f(x): return x + 1
"""
    alone = ProgramVerifier(workers=1)
    assert alone.verify({**PROBLEM, "timeout_s": 0.5}, poison).outcome is Outcome.FAIL
    check = "import os, sys, math\ndef f(x): return x + (len([0]) == 1 and '/evil' not in sys.path and 'poison' not in os.environ and math.gcd(2, 3))"
    assert alone.verify(PROBLEM, check).reason == "code.ok"
    alone.close()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc")
def test_a_neighbours_request_is_not_in_the_memory_one_is_forked_from():
    alone = ProgramVerifier(workers=1)
    before = set(descendants())
    problem = {"entry_point": "f", "tests": [{"args": ["xyzzy" * 50], "expected": "frotz" * 50}], "public": 1}
    for public in (0, 1):
        alone.verify({**problem, "public": public}, "def f(x): return x  # " + "plugh" * 50)
    memory = b"".join(_memory(pid) for pid in set(descendants()) - before)
    alone.close()
    if not memory:
        pytest.skip("this user may not read the memory of its own children")
    assert b"exactly the built-in types" in memory  # a docstring of the zygote: the search works
    for word in (b"xyzzy" * 3, b"frotz" * 3, b"plugh" * 3):
        assert word not in memory


def _memory(pid):
    """All readable private memory of a process."""
    parts = []
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                bounds, rights = line.split()[:2]
                start, end = (int(bound, 16) for bound in bounds.split("-"))
                if rights.startswith("rw"):
                    memory.seek(start)
                    parts.append(memory.read(end - start))
    except PermissionError:
        return b""
    return b"".join(parts)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_no_process_and_no_descriptor_is_left_after_hostile_runs():
    before = set(descendants())
    many = ProgramVerifier(workers=1, processes=4096)  # forks allowed: the PID namespace alone has to hold them
    short = {**PROBLEM, "timeout_s": 0.3}
    daemon = "import os, time\ndef f(x):\n    for _ in range(5):\n        if os.fork() == 0:\n            os.setsid()\n            if os.fork() == 0: time.sleep(99)\n            time.sleep(99)\n    return x + 1"
    escape = "import os, time\nif os.fork():\n    os._exit(0)\nos.setsid()\ntime.sleep(99)"
    spin = "import threading\ndef spin():\n    while True: pass\nfor _ in range(4): threading.Thread(target=spin).start()\ndef f(x): return x + 1"
    many.verify(PROBLEM, HONEST)
    warm = set(descendants())
    descriptors = len(os.listdir("/proc/self/fd"))
    for source in (daemon, escape, spin, "import time\ntime.sleep(9)", "import os\nos._exit(1)", daemon):
        many.verify(short, source)
        assert set(descendants()) == warm
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert many.verify(PROBLEM, HONEST).is_pass
    many.close()
    assert set(descendants()) == before


def test_a_hostile_run_does_not_disturb_the_one_beside_it(verifier):
    stop = threading.Event()

    def bombard():
        while not stop.is_set():
            verifier.verify(
                {**PROBLEM, "timeout_s": 0.2},
                "import os\ndef f(x):\n    while True:\n        try: os.kill(-1, 9); os.fork()\n        except OSError: pass",
            )

    thread = threading.Thread(target=bombard)
    thread.start()
    try:
        assert all(verifier.verify(PROBLEM, HONEST).is_pass for _ in range(30))
    finally:
        stop.set()
        thread.join()


def test_a_candidate_cannot_make_its_failure_ours(verifier):
    """UNKNOWN is left out of the update, so a program that could bring it about would dodge its penalty."""
    numbers = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM, signal.SIGXCPU)
    sources = [f"import os, time\ndef f(x):\n    os.kill(os.getpid(), {int(n)})\n    time.sleep(9)" for n in numbers]
    with ThreadPoolExecutor(2) as threads:
        verdicts = list(threads.map(lambda source: verifier.verify({**PROBLEM, "timeout_s": 0.3}, source), sources))
    assert {verdict.outcome for verdict in verdicts} == {Outcome.FAIL}
    self_limited = "import resource as r\nr.setrlimit(r.RLIMIT_CPU, (0, 0))\ndef f(x):\n    while True: pass"
    assert verifier.verify(PROBLEM, self_limited).outcome is Outcome.FAIL


def test_the_gauntlet_ends_on_time(verifier):
    start = time.monotonic()
    verdict = verifier.verify({**PROBLEM, "timeout_s": 0.2}, "while True: pass")
    assert verdict.reason == "code.timeout"
    assert time.monotonic() - start < 3


def test_what_a_candidate_does_to_its_standard_streams_ends_with_it():
    alone, beside = ProgramVerifier(workers=1), ProgramVerifier(workers=1)
    mark = "import fcntl, os\nfcntl.fcntl(0, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)\nfcntl.fcntl(0, 10, 37)\n"
    lock = "import fcntl\nfcntl.flock(0, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
    read = "import fcntl, os\ndef f(x):\n    flags = fcntl.fcntl(0, fcntl.F_GETFL) & (os.O_APPEND | os.O_NONBLOCK)\n    return x + 1 + flags + fcntl.fcntl(0, 11)"
    assert alone.verify(PROBLEM, mark + lock + HONEST).is_pass
    assert alone.verify(PROBLEM, read).reason == "code.ok"  # the same zygote forked it
    assert beside.verify(PROBLEM, lock + HONEST).reason == "code.ok"
    alone.close()
    beside.close()


@pytest.mark.parametrize("tag", ["$set", "$dict"])
def test_an_answer_full_of_equal_hashes_does_not_hold_up_the_judge(verifier, tag):
    problem = {"entry_point": "f", "tests": [{"args": [], "expected": {tag: []}}], "values": "tagged"}
    collide = "[n * (2**61 - 1) for n in range(1, 30001)]"
    parts = collide if tag == "$set" else f"[[n, 0] for n in {collide}]"
    attack = (
        f"import json, os\ndata = json.dumps({{'answers': [{{'value': json.dumps({{{tag!r}: {parts}}})}}]}}).encode()\n"
    )
    attack += 'first = b\'{"module": null, "answers": []}\'\n'
    attack += "for part in (first, data): os.write(3, len(part).to_bytes(4, 'big') + part)\nos._exit(0)"
    start = time.thread_time()
    verdict = verifier.verify(problem, attack)
    assert verdict.reason == "code.unserialisable"
    assert time.thread_time() - start < 1  # many times that, were the set made
    twin = "def f(): return set()" if tag == "$set" else "def f(): return {}"
    assert verifier.verify(problem, twin).reason == "code.ok"


HANGS_UP = r"""
import signal
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as programs do whose output goes to `head`
from proofgrad.verifiers.code import ProgramVerifier
verifier = ProgramVerifier(workers=1)
long = "z" * 900_000
function = {"entry_point": "f", "tests": [{"args": [text], "expected": 2} for text in ("", long)], "public": 1}
stdio = {"tests": [{"stdin": long, "expected_stdout": "3"}]}
reply = 'import json, os\ndef f(x):\n    data = json.dumps({"module": None, "answers": [{"value": "2"}]}).encode()\n'
reply += "    os.write(3, len(data).to_bytes(4, 'big') + data)\n    os._exit(0)"
print(verifier.verify(function, reply).outcome, verifier.verify(stdio, "import os\nos.closerange(0, 3)").outcome)
"""


def test_a_candidate_that_hangs_up_does_not_kill_a_judge_that_dies_of_sigpipe():
    done = subprocess.run([sys.executable, "-c", HANGS_UP], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split()) == (0, ["fail", "fail"]), done.stderr


def test_a_program_with_many_threads_leaves_its_neighbours_theirs():
    """The kernel counts threads by user id: candidates of two sandboxes must not share one."""
    two = ProgramVerifier(workers=2)
    hoard = "import threading, time\ndef f(x):\n    try:\n        while True: threading.Thread(target=time.sleep, args=(9,)).start()\n    except RuntimeError: time.sleep(9)"
    modest = "import threading\ndef f(x):\n    out = []\n    some = [threading.Thread(target=out.append, args=(x,)) for _ in range(40)]\n    for thread in some: thread.start()\n    for thread in some: thread.join()\n    return len(out) - 39 + x"
    hoarder = threading.Thread(target=two.verify, args=({**PROBLEMS["function"], "timeout_s": 2.0}, hoard))
    hoarder.start()
    time.sleep(0.5)
    verdicts = [two.verify(PROBLEMS["function"], modest) for _ in range(5)]
    assert hoarder.is_alive()
    hoarder.join()
    two.close()
    assert {verdict.reason for verdict in verdicts} == {"code.ok"}, verdicts
