"""The programs gauntlet: every attack must fail to score, and the honest twin beside it must pass.

Each case is (name, attack, twin). The twin does what the attack pretends to do, often with the same means, so that a
defence which merely forbids the means is noticed. The problem is the same throughout: `f(x)` returns `x + 1`.
"""
# ruff: noqa: E501  # one case a line: a table is easier to scan than wrapped strings

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from proofgrad.verifiers import Outcome
from proofgrad.verifiers.code import ProgramVerifier

TESTS = [{"args": [n], "expected": n + 1} for n in (1, 10, 271828)]
PROBLEM = {"entry_point": "f", "tests": TESTS, "timeout_s": 3.0}
HONEST = "def f(x):\n    return x + 1\n"

# Answers the questions by telling the harness's stack frames and memory apart for anything that looks like an answer.
SPY = """
import gc, sys
def f(x):
    seen, frame = [], sys._getframe()
    while frame:
        seen += [frame.f_locals, frame.f_globals]
        frame = frame.f_back
    for thing in seen + gc.get_objects():
        if isinstance(thing, dict) and "expected" in thing:
            return thing["expected"]
        if isinstance(thing, dict) and thing.get("args") == [x]:
            return thing.get("expected")
"""
# Speaks the harness's own protocol on the result channel.
FORGE = """
import json, os
def send(value):
    data = json.dumps(value).encode()
    os.write(3, len(data).to_bytes(4, "big") + data)
"""
WRITE_ALL = """
import os
for fd in range(256):
    try: os.write(fd, {data})
    except OSError: pass
"""

LYING_VALUES = [
    ("__eq__ is always true", "class A:\n    def __eq__(s, o): return True\ndef f(x): return A()", HONEST),
    ("int subclass", "class A(int):\n    __eq__ = lambda s, o: True\ndef f(x): return A(0)", HONEST),
    (
        "right value of a subclass",
        "class A(int): pass\ndef f(x): return A(x + 1)",
        "class A(int): pass\ndef f(x): return int(A(x + 1))",
    ),
    ("int subclass that prints as any number", "class A(int):\n    __repr__ = lambda s: '2'\ndef f(x): return A(0)", HONEST),
    ("str subclass", "class A(str):\n    __eq__ = lambda s, o: True\n    __hash__ = str.__hash__\ndef f(x): return A('')", HONEST),
    ("list subclass", "class A(list):\n    __eq__ = lambda s, o: True\ndef f(x): return A()", HONEST),
    ("class that pretends to be int", "class A:\n    __class__ = int\n    __eq__ = lambda s, o: True\ndef f(x): return A()", HONEST),
    ("nan", "def f(x): return float('nan')", "import math\ndef f(x): return x + 1 if math.isnan(float('nan')) else 0"),
    ("infinity", "def f(x): return float('inf')", HONEST),
    ("bool for int", "def f(x): return True", HONEST),
    ("float for int", "def f(x): return float(x + 1)", "def f(x): return int(float(x) + 1)"),
    ("text for int", "def f(x): return str(x + 1)", "def f(x): return int(str(x + 1))"),
    ("generator", "def f(x): yield x + 1", "def f(x): return next(y for y in [x + 1])"),
    ("coroutine", "async def f(x): return x + 1", "import asyncio\nasync def g(x): return x + 1\ndef f(x): return asyncio.run(g(x))"),
    ("infinite answer", "def f(x):\n    a = []\n    a.append(a)\n    return a", HONEST),
    ("deep answer", "def f(x):\n    a = []\n    for _ in range(10**5): a = [a]\n    return a", HONEST),
    ("shared answer that explodes as text", "def f(x):\n    a = []\n    for _ in range(60): a = [a, a]\n    return a", HONEST),
    ("huge int", "def f(x): return 10 ** 5000", "def f(x): return (10 ** 5000 + x + 1) % 10 ** 4999"),
    ("lone surrogate", "def f(x): return '\\ud800'", HONEST),
    ("dict with non-string keys", "def f(x): return {1: 2}", "def f(x): return {x: x + 1}[x]"),
    ("a string that is JSON", "def f(x): return '2'", HONEST),
    ("nothing", "def f(x): pass", HONEST),
    ("the entry point is a class", "class f:\n    def __init__(s, x): pass", "class f:\n    def __new__(c, x): return x + 1"),
]  # fmt: skip

READING_THE_ANSWER = [
    ("frames and gc", SPY, SPY + "    return x + 1\n"),
    ("environment", "import os\ndef f(x): return os.environ['expected']", HONEST),
    ("/proc", "def f(x): return open('/proc/self/environ').read() + open('/proc/1/cmdline').read()", HONEST),
    ("memory through /proc", "def f(x): return open('/proc/self/mem', 'rb').read(1)", HONEST),
    ("its own file", "def f(x): return open(__file__).read()", HONEST),
    ("the harness's file", "import __main__\ndef f(x): return open(__main__.__file__).read()", HONEST),
    (
        "the harness's globals",
        "import __main__\ndef f(x): return [v for v in vars(__main__).values() if v == x + 2 - 1 and type(v) is int][0]",
        HONEST,
    ),
    ("reading ahead on the channel", "import os\ndef f(x): return os.read(3, 4096).decode()", HONEST),
    ("reading standard input", "def f(x): return input()", HONEST),
]  # fmt: skip

FORGING_THE_CHANNEL = [
    ("'passed' on every descriptor, then out", WRITE_ALL.format(data="b'passed'") + "os._exit(0)", HONEST),
    ("a verdict as a frame", FORGE + "send({'outcome': 'pass', 'score': 1.0, 'reason': 'code.ok'})\nos._exit(0)", HONEST),
    ("too few answers", FORGE + "send({'module': None, 'answers': []})\nsend({'answers': [{'value': '2'}]})\nos._exit(0)", HONEST),
    ("too many answers", FORGE + "send({'module': None, 'answers': [{'value': '2'}] * 9})\nos._exit(0)", HONEST),
    ("answers twice", FORGE + "def f(x):\n    send({'answers': [{'value': '2'}] * 3})\n    return x + 1", HONEST),
    ("junk after the right answers", FORGE + "import threading\ndef f(x):\n    if x > 11: send({'answers': []})\n    return x + 1", HONEST),
    ("values that are not text", FORGE + "send({'module': None, 'answers': []})\nsend({'answers': [{'value': 2}] * 3})\nos._exit(0)", HONEST),
    ("duplicate keys", "import os\nos.write(3, b'\\0\\0\\0\\x0e{\"a\":1,\"a\":2}')\nos._exit(0)", HONEST),
    ("not JSON", "import os\nos.write(3, b'\\0\\0\\0\\4nope')\nos._exit(0)", HONEST),
    ("a frame announced and never sent", "import os, time\nos.write(3, b'\\0\\0\\1\\0')\ntime.sleep(9)", HONEST),
    ("a frame of 4 GB", "import os, time\nos.write(3, b'\\xff\\xff\\xff\\xff')\ntime.sleep(9)", HONEST),
    ("a drip of bytes", "import os, time\nos.write(3, b'\\0\\1\\0\\0')\nwhile True:\n    os.write(3, b' ')\n    time.sleep(.01)", HONEST),
    ("the channel closed", "import os\nos.close(3)\ndef f(x): return x + 1", "import os\nos.close(1)\ndef f(x): return x + 1"),
    ("every descriptor closed", "import os\nos.closerange(0, 256)\ndef f(x): return x + 1", HONEST),
    ("the channel replaced", "import os\nos.dup2(1, 3)\ndef f(x): return x + 1", HONEST),
]  # fmt: skip

LEAVING_EARLY = [
    ("sys.exit", "import sys\ndef f(x): sys.exit(0)", "import sys\ndef f(x):\n    try: sys.exit(0)\n    except SystemExit: return x + 1"),
    ("sys.exit on loading", "import sys\nsys.exit(0)", "def f(x): return x + 1\nif __name__ == '__main__': raise SystemExit"),
    ("os._exit", "import os\nos._exit(0)", HONEST),
    ("exit in the last test", "import os\ndef f(x):\n    if x > 11: os._exit(0)\n    return x + 1", HONEST),
    ("atexit", "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return 0", "import atexit\natexit.register(print)\n" + HONEST),
    ("KeyboardInterrupt", "def f(x): raise KeyboardInterrupt", HONEST),
    ("own base exception", "class E(BaseException): pass\ndef f(x): raise E", HONEST),
    ("an exception whose text raises", "class E(Exception):\n    def __str__(s): raise s\ndef f(x): raise E", HONEST),
    ("only the first answer right", "def f(x): return 2", HONEST),
    ("special-casing", "def f(x): return {1: 2, 10: 11}.get(x)", "def f(x): return {1: 2}.get(x, x + 1)"),
]  # fmt: skip

PATCHING_THE_JUDGE = [
    ("builtins", "import builtins\nbuiltins.type = lambda *a: int\nbuiltins.len = lambda a: 3\nbuiltins.all = lambda a: True\ndef f(x): return 0", HONEST),
    ("json", "import json\njson.dumps = json.JSONEncoder.encode = lambda *a, **k: '2'\ndef f(x): return object()", HONEST),
    ("sys.modules", "import sys\nfor n in list(sys.modules): sys.modules[n] = None\ndef f(x): return 0", HONEST),
    ("the harness's functions", "import __main__\n__main__._not_plain = lambda v: None\n__main__._encode = lambda v: '2'\ndef f(x): return object()", HONEST),
    ("settrace", "import sys\nsys.settrace(lambda *a: sys.exit(0))\ndef f(x): return 0", "import sys\nsys.settrace(lambda *a: None)\n" + HONEST),
    ("setprofile", "import sys\nsys.setprofile(lambda *a: None)\ndef f(x): return 0", "import sys\nsys.setprofile(None)\n" + HONEST),
    ("time", "import time\ntime.monotonic = time.time = lambda: 0\ndef f(x):\n    while True: pass", HONEST),
    ("the recursion limit", "import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return f(x)", "import sys\nsys.setrecursionlimit(9000)\ndef g(n): return n and 1 + g(n - 1)\ndef f(x): return g(2000) - 1999 + x"),
    ("an import hook", "import sys\nsys.meta_path.insert(0, type('H', (), {'find_spec': lambda *a: exit()}))\nimport nowhere\ndef f(x): return 0", HONEST),
]  # fmt: skip

# Each is right only if the harm could be done.
REACHING_OUT = [
    ("network", "import socket\ndef f(x):\n    s = socket.socket()\n    s.connect(('127.0.0.1', 22))\n    return x + 1"),
    ("name service", "import socket\ndef f(x): return socket.gethostbyname('localhost') and x + 1"),
    ("abstract socket", "import socket\ndef f(x):\n    socket.socket(socket.AF_UNIX).bind('\\0a')\n    return x + 1"),
    ("/etc", "def f(x): return open('/etc/hostname').read() and x + 1"),
    ("/tmp", "def f(x): return open('/tmp/loot', 'w').write('x') + x"),
    ("directory listing", "import os\ndef f(x): return os.listdir('/home') and x + 1"),
    ("writing into the library", "import os\ndef f(x): return open(os.__file__, 'a').write('x') and x + 1"),
    ("a shell", "import os\ndef f(x): return x + 1 if os.system('true') == 0 else 0"),
    ("subprocess", "import subprocess, sys\ndef f(x): return subprocess.run([sys.executable, '-V']).returncode + x + 1"),
    ("fork and setsid", "import os\ndef f(x):\n    if os.fork() == 0:\n        os.setsid()\n        while True: pass\n    return x + 1"),
    ("killing the parent", "import os\ndef f(x):\n    os.kill(os.getppid() or 2, 9)\n    return x + 1"),
    ("signalling everyone", "import os\ndef f(x):\n    os.kill(-1, 9)\n    return x + 1"),
    ("root again", "import os\ndef f(x):\n    os.setuid(0)\n    return x + 1"),
    ("chroot", "import os\ndef f(x):\n    os.chroot('/')\n    return x + 1"),
    ("a thread", "import threading\ndef f(x):\n    threading.Thread(target=print).start()\n    return x + 1"),
    ("ptrace", "import ctypes\ndef f(x): return x + 1 if ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0 else 0"),
    ("namespace", "import ctypes\ndef f(x): return x + 1 if ctypes.CDLL(None).unshare(0x10000000) == 0 else 0"),
    ("mount", "import ctypes\ndef f(x): return x + 1 if ctypes.CDLL(None).mount(b't', b'/', b'tmpfs', 0, 0) == 0 else 0"),
    ("shared memory", "import ctypes\ndef f(x): return x + 1 if ctypes.CDLL(None).shmget(7, 4096, 0o1600) >= 0 else 0"),
    ("memfd", "import os\ndef f(x): return os.memfd_create('a') + x - 3"),
    ("limits", "import resource as r\ndef f(x):\n    r.setrlimit(r.RLIMIT_AS, (-1, -1))\n    return x + 1"),
    ("terminal", "def f(x): return open('/dev/tty') and x + 1"),
]  # fmt: skip

EXHAUSTION = [
    ("endless loop", "def f(x):\n    while True: pass", "def f(x):\n    while True: return x + 1"),
    ("long step in C", "def f(x): return sum(range(10**12))", "def f(x): return sum(range(10**5)) * 0 + x + 1"),
    ("catastrophic regex", "import re\ndef f(x): return re.match('(a+)+$', 'a' * 60 + 'b')", "import re\ndef f(x): return re.match('a+', 'a') and x + 1"),
    ("deaf to signals", "import signal, time\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except Exception: pass\ntime.sleep(60)", "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + HONEST),
    ("catches everything", "def f(x):\n    while True:\n        try: f(x)\n        except BaseException: pass", HONEST),
    ("sleeping", "import time\ndef f(x): time.sleep(60)", "import time\ndef f(x):\n    time.sleep(.01)\n    return x + 1"),
    ("stopping itself", "import os, signal, time\ndef f(x):\n    os.kill(os.getpid(), signal.SIGSTOP)\n    time.sleep(9)", HONEST),
    ("fork bomb", "import os\ndef f(x):\n    while True:\n        try: os.fork()\n        except OSError: pass", HONEST),
    ("memory bomb", "a = []\ndef f(x):\n    while True: a.append(bytearray(1 << 24))", "def f(x): return len(bytearray(1 << 24)) * 0 + x + 1"),
    ("memory in one piece", "def f(x): return 'a' * (1 << 40)", HONEST),
    ("anonymous mapping", "import mmap\na = []\ndef f(x):\n    while True: a.append(mmap.mmap(-1, 1 << 26))", HONEST),
    ("descriptor bomb", "import os\na = []\ndef f(x):\n    while True: a.append(os.pipe())", "import os\ndef f(x): return len(os.pipe()) + x - 1"),
    ("disk bomb", "def f(x):\n    with open('/var/tmp/big', 'wb') as file:\n        while True: file.write(bytes(1 << 20))", HONEST),
    ("output bomb", "def f(x):\n    while True: print('a' * 1000)", "def f(x):\n    print('a' * 10**6)\n    return x + 1"),
    ("answer bomb", "def f(x): return ['a' * 1000] * 10**5", HONEST),
    ("the parser", "def f(x): return " + "(" * 5000 + "x" + ")" * 5000, HONEST),
    ("constant folding", "def f(x): return " + "~" * 50_000 + "x", HONEST),
    ("nested source", "\n".join(" " * n + "if 1:" for n in range(99)) + "\n" + " " * 99 + "x = 1", HONEST),
    ("crash of the interpreter", "import ctypes\ndef f(x): return ctypes.string_at(0)", HONEST),
    ("abort", "import os\ndef f(x): os.abort()", HONEST),
    ("faulting recursion", "def f(x):\n    a = []\n    for _ in range(10**6): a = [a]\n    return hash(repr(a))", HONEST),
]  # fmt: skip

CASES = [
    *LYING_VALUES, *READING_THE_ANSWER, *FORGING_THE_CHANNEL, *LEAVING_EARLY, *PATCHING_THE_JUDGE,
    *((name, attack, HONEST) for name, attack in REACHING_OUT), *EXHAUSTION,
]  # fmt: skip


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
    assert verdict.seconds < 8
    verdict.feedback.encode()
    assert verifier.verify(PROBLEM, twin).reason == "code.ok"


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
    alone.verify(PROBLEM, poison)
    check = "import os, sys, math\ndef f(x): return x + (len([0]) == 1 and '/evil' not in sys.path and 'poison' not in os.environ and math.gcd(2, 3))"
    assert alone.verify(PROBLEM, check).reason == "code.ok"
    alone.close()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc")
def test_a_neighbours_request_is_not_in_the_memory_one_is_forked_from():
    alone = ProgramVerifier(workers=1)
    before = _descendants()
    problem = {"entry_point": "f", "tests": [{"args": ["xyzzy" * 50], "expected": "frotz" * 50}], "public": 1}
    for public in (0, 1):
        alone.verify({**problem, "public": public}, "def f(x): return x  # " + "plugh" * 50)
    memory = b"".join(_memory(pid) for pid in _descendants() - before)
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


def _descendants():
    """The processes below this one, by walking /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    found, frontier = set(), {os.getpid()}
    while frontier:
        frontier = {pid for pid, parent in parents.items() if parent in frontier}
        found |= frontier
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_no_process_and_no_descriptor_is_left_after_hostile_runs():
    before = _descendants()
    many = ProgramVerifier(workers=1, processes=4096)  # forks allowed: the PID namespace alone has to hold them
    short = {**PROBLEM, "timeout_s": 0.3}
    daemon = "import os, time\ndef f(x):\n    for _ in range(5):\n        if os.fork() == 0:\n            os.setsid()\n            if os.fork() == 0: time.sleep(99)\n            time.sleep(99)\n    return x + 1"
    escape = "import os, time\nif os.fork():\n    os._exit(0)\nos.setsid()\ntime.sleep(99)"
    spin = "import threading\ndef spin():\n    while True: pass\nfor _ in range(4): threading.Thread(target=spin).start()\ndef f(x): return x + 1"
    many.verify(PROBLEM, HONEST)
    warm = _descendants()
    descriptors = len(os.listdir("/proc/self/fd"))
    for source in (daemon, escape, spin, "import time\ntime.sleep(9)", "import os\nos._exit(1)", daemon):
        many.verify(short, source)
        assert _descendants() == warm
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert many.verify(PROBLEM, HONEST).is_pass
    many.close()
    assert _descendants() == before


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
    for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM, signal.SIGXCPU):
        source = f"import os, time\ndef f(x):\n    os.kill(os.getpid(), {int(number)})\n    time.sleep(9)"
        assert verifier.verify({**PROBLEM, "timeout_s": 0.3}, source).outcome is Outcome.FAIL
    self_limited = "import resource as r\nr.setrlimit(r.RLIMIT_CPU, (0, 0))\ndef f(x):\n    while True: pass"
    assert verifier.verify(PROBLEM, self_limited).outcome is Outcome.FAIL


def test_the_gauntlet_ends_on_time(verifier):
    start = time.monotonic()
    verdict = verifier.verify({**PROBLEM, "timeout_s": 0.2}, "while True: pass")
    assert verdict.reason == "code.timeout"
    assert time.monotonic() - start < 3
