"""The programs gauntlet as plain data: hostile programs, and beside each the honest twin that must pass.

Each case is (name, attack, twin). The twin does what the attack pretends to do, often with the same means, so that a
defence which merely forbids the means is noticed. There are two problems: a function, `f(x)` returns `x + 1`; and a
program that prints the sum of the two numbers of each line. The cases stand in groups named after the classes of
attack. Standard library only, since the gauntlet also runs as a user to whom nothing is installed.
"""
# ruff: noqa: E501  # one case a line: a table is easier to scan than wrapped strings

from __future__ import annotations

__all__ = ["CASES", "HONEST", "PROBLEMS", "SUMS", "Case", "jobs"]

Case = tuple[str, str, str]

PROBLEMS: dict[str, dict[str, object]] = {
    "function": {
        "entry_point": "f",
        "tests": [{"args": [n], "expected": n + 1} for n in (1, 10, 271828)],
        "timeout_s": 3.0,
    },
    "stdio": {
        "tests": [
            {"stdin": "1 2\n3 4\n", "expected_stdout": "3\n7\n"},
            {"stdin": "10 20\n30 40\n50 60\n", "expected_stdout": "30\n70\n110\n"},
        ],
        "public": 1,
        "timeout_s": 3.0,
    },
}
HONEST = "def f(x):\n    return x + 1\n"
SUMS = "import sys\nfor line in sys.stdin:\n    a, b = map(int, line.split())\n    print(a + b)\n"

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
# A filter of the candidate's own, under which one system call (x86-64's number, arm64's number) does nothing.
FILTER = """
import ctypes, os, struct
number = {numbers}[os.uname().machine == "aarch64"]
lines = [(32, 0, 0, 0), (21, 0, 1, number), (6, 0, 0, 0x50000), (6, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines), 32)
ctypes.CDLL(None).prctl(22, 2, struct.pack("HxxxxxxP", 4, ctypes.addressof(code)), 0, 0)
"""
# Asks the kernel to send a killing signal whenever something happens on a descriptor.
ASYNC = """
import fcntl, os, socket
def signals(fd, *owners):
    for owner in owners:
        try: fcntl.fcntl(fd, fcntl.F_SETOWN, owner)
        except OSError: pass
    fcntl.fcntl(fd, 10, 9)  # F_SETSIG, SIGKILL
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
"""
FLOOD = """
import array, socket
def flood(fd, what):
    s = socket.socket(fileno=fd)
    while True: s.sendmsg([b' '], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', what))])
"""

# Functions.

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
    ("only in time for the first", "import time\ndef f(x):\n    time.sleep(.2)\n    return x + 1", "import time\ndef f(x):\n    time.sleep(.01)\n    return x + 1"),
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
    ("an audit hook", "import os, sys\nsys.addaudithook(lambda *a: os._exit(0))\ndef f(x): return 0", "import sys\nsys.addaudithook(lambda *a: None)\n" + HONEST),
    ("a hook of the collector", "import gc\ngc.callbacks.append(lambda *a: exit())\ngc.set_threshold(1)\ndef f(x): return 0", "import gc\ngc.disable()\n" + HONEST),
    ("the harness's decoder", "import sys\nsys._getframe(1).f_globals['_decode'] = lambda text: (1,)\ndef f(x): return x + 1", HONEST),
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
    ("a fork by its number", "import ctypes, platform\nnumber = {'x86_64': 56, 'aarch64': 220}[platform.machine()]\ndef f(x): return x + 1 if ctypes.CDLL(None).syscall(number, 17, 0, 0, 0, 0) >= 0 else 0"),
    ("ptrace", "import ctypes\ndef f(x): return x + 1 if ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0 else 0"),
    ("namespace", "import ctypes\ndef f(x): return x + 1 if ctypes.CDLL(None).unshare(0x10000000) == 0 else 0"),
    ("mount", "import ctypes\ndef f(x): return x + 1 if ctypes.CDLL(None).mount(b't', b'/', b'tmpfs', 0, 0) == 0 else 0"),
    ("shared memory", "import ctypes\ndef f(x): return x + 1 if ctypes.CDLL(None).shmget(7, 4096, 0o1600) >= 0 else 0"),
    ("memfd", "import os\ndef f(x): return os.memfd_create('a') + x - 3"),
    ("limits", "import resource as r\ndef f(x):\n    r.setrlimit(r.RLIMIT_AS, (-1, -1))\n    return x + 1"),
    ("terminal", "def f(x): return open('/dev/tty') and x + 1"),
    ("the peer's process", "import os, signal, socket\ndef f(x):\n    fd = socket.socket(fileno=os.dup(3)).getsockopt(socket.SOL_SOCKET, 77)\n    signal.pidfd_send_signal(fd, signal.SIGCONT)\n    return x + 1"),
    ("a process by descriptor", "import os\ndef f(x): return os.pidfd_open(os.getpid()) and x + 1"),
    ("watching what neighbours open", "import ctypes\ndef f(x): return x + 1 if ctypes.CDLL(None).inotify_init() >= 0 else 0"),
    ("waiting for the machine's disks", "import ctypes, os\ndef f(x): return x + 1 if ctypes.CDLL(None).syncfs(os.open(os.__file__, 0)) == 0 else 0"),
    ("a higher priority", "import os\ndef f(x):\n    os.setpriority(os.PRIO_PROCESS, 0, -5)\n    return x + 1"),
    ("real time", "import os\ndef f(x):\n    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))\n    return x + 1"),
    ("memory that stays", "import ctypes\ndef f(x): return x + 1 if ctypes.CDLL(None).mlockall(1) == 0 else 0"),
    ("a named pipe", "import os\ndef f(x):\n    os.mkfifo('/tmp/pipe')\n    return x + 1"),
    ("the clock", "import time\ndef f(x):\n    time.clock_settime(time.CLOCK_REALTIME, 0)\n    return x + 1"),
    ("the host's name", "import socket\ndef f(x):\n    socket.sethostname('x')\n    return x + 1"),
]  # fmt: skip

EXHAUSTION = [
    ("endless loop", "def f(x):\n    while True: pass", "def f(x):\n    while True: return x + 1"),
    ("long step in C", "def f(x): return sum(range(10**12))", "def f(x): return sum(range(10**5)) * 0 + x + 1"),
    ("catastrophic regex", "import re\ndef f(x): return re.match('(a+)+$', 'a' * 60 + 'b')", "import re\ndef f(x): return re.match('a+', 'a') and x + 1"),
    ("deaf to signals", "import signal, time\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except Exception: pass\ntime.sleep(60)", "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + HONEST),
    ("catches everything", "def f(x):\n    while True:\n        try: f(x)\n        except BaseException: pass", HONEST),
    ("sleeping", "import time\ndef f(x): time.sleep(60)", "import time\ndef f(x):\n    time.sleep(.01)\n    return x + 1"),
    ("stopping itself", "import os, signal, time\ndef f(x):\n    os.kill(os.getpid(), signal.SIGSTOP)\n    time.sleep(9)", HONEST),
    ("thread bomb", "import threading, time\ndef f(x):\n    while True:\n        try: threading.Thread(target=time.sleep, args=(9,)).start()\n        except RuntimeError: pass", "import threading\ndef f(x):\n    out = []\n    thread = threading.Thread(target=out.append, args=(x + 1,))\n    thread.start()\n    thread.join()\n    return out[0]"),
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
    ("a lock taken twice", "import threading\ndef f(x):\n    lock = threading.Lock()\n    lock.acquire()\n    lock.acquire()", "import threading\ndef f(x):\n    lock = threading.Lock()\n    return lock.acquire(timeout=.01) + x"),
    ("an alarm", "import signal\nsignal.setitimer(signal.ITIMER_REAL, .05)\ndef f(x):\n    while True: pass", "import signal\nsignal.signal(signal.SIGALRM, lambda *a: None)\nsignal.setitimer(signal.ITIMER_REAL, .001, .001)\ndef f(x): return sum(range(10**5)) * 0 + x + 1"),
    ("full pipes", "import fcntl, os\ndef f(x):\n    while True:\n        end = os.pipe()[1]\n        os.write(end, bytes(fcntl.fcntl(end, 1031, 1 << 20)))", "import os\ndef f(x):\n    r, w = os.pipe()\n    os.write(w, bytes(1 << 15))\n    return len(os.read(r, 1 << 15)) * 0 + x + 1"),
    ("descriptors in flight", FLOOD + "a, b = socket.socketpair()\ndef f(x): flood(a.fileno(), [a.fileno(), b.fileno()] * 100)", HONEST),
    ("limits too low to answer", "import resource as r\nr.setrlimit(r.RLIMIT_AS, (1, 1))\ndef f(x): return [0] * 10**6", "import resource as r\nr.setrlimit(r.RLIMIT_NOFILE, (0, 0))\n" + HONEST),
]  # fmt: skip

CONTROLLING_THE_CHANNEL = [
    ("descriptors handed to the judge", FLOOD + "flood(3, [0] * 200)", "import socket\na, b = socket.socketpair()\nsocket.send_fds(a, [b'x'], [0])\nsocket.recv_fds(b, 1, 1)\n" + HONEST),
    ("the channel sent through itself", FLOOD + "flood(3, [3] * 250)", HONEST),
    ("the channel shut down", "import socket\nsocket.socket(fileno=3).shutdown(2)\ndef f(x): return 0", "import socket\na, b = socket.socketpair()\na.shutdown(2)\n" + HONEST),
    ("the channel shut down by half", "import os, socket\nsocket.socket(fileno=os.dup(3)).shutdown(socket.SHUT_RD)\ndef f(x): return 0", HONEST),
    ("urgent data", "import os, socket, time\nsocket.socket(fileno=os.dup(3)).send(b'x', socket.MSG_OOB)\ntime.sleep(9)", HONEST),
    ("signals for whoever reads", ASYNC + "signals(3, 2, -1, 1)\ndef f(x): return 0", ASYNC + "a, b = socket.socketpair()\nsignals(a.fileno(), 2)\n" + HONEST),
    ("a channel that does not block", "import os\nos.set_blocking(3, False)\ndef f(x): return 0", "import os\nos.set_blocking(os.pipe()[0], False)\n" + HONEST),
    ("a channel of one byte at a time", "import os, socket\nsocket.socket(fileno=os.dup(3)).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)\ndef f(x): return 'a' * 10**6", "import os, socket\nsocket.socket(fileno=os.dup(3)).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)\n" + HONEST),
    ("writing made to do nothing", FILTER.format(numbers="(1, 64)") + HONEST, FILTER.format(numbers="(110, 173)") + HONEST),
]  # fmt: skip

# Programs that read standard input.

SHORT_AND_LONG = [
    ("only the first line", "print(sum(map(int, input().split())))", SUMS),
    ("all but the last line", "import sys\nfor line in list(sys.stdin)[:-1]: print(sum(map(int, line.split())))", "import sys\nfor line in list(sys.stdin)[:]: print(sum(map(int, line.split())))"),
    ("nothing", "", SUMS),
    ("blank lines", "print('\\n' * 9)", SUMS + "print('\\n' * 9)"),
    ("one line more", SUMS + "print(0)", SUMS + "print()"),
    ("one word more", SUMS.replace("a + b)", "a + b, 0)"), SUMS.replace("a + b)", "a + b, '')")),
    ("all on one line", SUMS.replace("a + b)", "a + b, end=' ')"), SUMS.replace("a + b)", "a + b, end=' \\n')")),
    ("every answer there is", "for n in range(200): print(n)", SUMS),
    ("the right answers after wrong ones", "print(9)\n" + SUMS, SUMS),
    ("a correction", SUMS.replace("print(a + b)", "print(0, end='\\r'); print(a + b)"), SUMS),
    ("terminal codes that erase", "print('9\\x1b[2K\\x08', end='')\n" + SUMS, SUMS),
    ("a null byte", "print('\\0', end='')\n" + SUMS, SUMS),
    ("other digits that look alike", SUMS.replace("print(a + b)", "print(str(a + b).translate({ord('3'): '\u0663'}))"), SUMS),
    ("a float for an int", SUMS.replace("a + b)", "float(a + b))"), SUMS),
    ("endless output", "while True: print(3)", SUMS),
    ("endless right output", SUMS + "while True: print()", SUMS),
    ("endless output without a line break", "import os\nwhile True: os.write(1, b'3' * 65536)", SUMS),
    ("the public test by heart", "print('3\\n7')", "import sys\ntext = sys.stdin.read()\nif text == '1 2\\n3 4\\n': print('3\\n7')\nelse:\n    for line in text.splitlines(): print(sum(map(int, line.split())))"),
]  # fmt: skip

READING = [
    ("beyond the input", "while True: print(sum(map(int, input().split())))", "try:\n    while True: print(sum(map(int, input().split())))\nexcept EOFError: pass"),
    ("waiting for more input", "import os, time\nwhile True:\n    if not os.read(0, 1): time.sleep(.01)", SUMS),
    ("the channel instead of the input", "import os\nprint(os.read(3, 9999).decode())", SUMS),
    ("its own output", "import os\nprint(os.read(1, 9999).decode())", "import os\nfor line in os.read(1, 9999).decode().splitlines(): print(sum(map(int, line.split())))"),
    ("the expected output in memory", "import gc\nfor thing in gc.get_objects():\n    if isinstance(thing, dict) and 'expected_stdout' in thing: print(thing['expected_stdout'])", "import gc\ngc.get_objects()\n" + SUMS),
    ("the harness's frames", "import sys\nframe = sys._getframe()\nwhile frame:\n    for value in frame.f_locals.values():\n        if isinstance(value, dict): print(value.get('expected_stdout', ''))\n    frame = frame.f_back", SUMS),
    ("files of an earlier test", "import os\nfor root in ('/tmp', '/dev/shm', '.'):\n    try: print(open(root + '/seen').read())\n    except OSError: pass\n    try: open(root + '/seen', 'w').write('30\\n70\\n110')\n    except OSError: pass", SUMS),
    ("/proc", "print(open('/proc/1/environ').read())", "try: open('/proc/1/environ')\nexcept OSError: pass\n" + SUMS),
]  # fmt: skip

CHANNEL = [
    ("a verdict on every descriptor", "import os\nfor fd in range(64):\n    try: os.write(fd, b'passed')\n    except OSError: pass", SUMS),
    ("no fault, said by itself", FORGE + SUMS + "send({'fault': None})\nos._exit(0)", SUMS + "import os, sys\nsys.stdout.flush()\nos._exit(0)"),
    ("a claimed fault beside the harness's", FORGE + SUMS + "send({'fault': None})", SUMS),
    ("junk beside the right answer", SUMS + "import os\nos.write(3, b'x')", SUMS),
    ("a claim for the crash to come", FORGE + "send({'fault': None})\nraise ValueError", SUMS),
    ("the answer as a frame", FORGE + "send({'answers': [{'value': '3'}]})\nos._exit(0)", SUMS),
    ("output on the channel", "import os\nos.dup2(3, 1)\n" + SUMS, "import os\nos.dup2(1, 4)\n" + SUMS),
    ("output into the input", "import os\nos.write(0, b'4\\n8\\n')", "import os, sys\nfor line in sys.stdin: os.write(0, b'%d\\n' % sum(map(int, line.split())))"),
    ("output and input closed", "import os\nos.closerange(0, 3)\nwhile True: pass", "import os\nos.close(2)\n" + SUMS),
    ("everything closed", "import os\nos.closerange(0, 99)", SUMS),
    ("descriptors handed out over the socket", "import array, os, socket\ns = socket.socket(fileno=1)\ns.sendmsg([b'3\\n'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [3, 3, 3]))])\nos._exit(0)", SUMS),
    ("shutting the stream down", "import socket, os, time\nsocket.socket(fileno=os.dup(0)).shutdown(socket.SHUT_RDWR)\ntime.sleep(9)", SUMS),
    ("a drip of output", "import os, time\nwhile True:\n    os.write(1, b' ')\n    time.sleep(.01)", SUMS),
]  # fmt: skip

LEAVING = [
    ("exit status 1 after the right output", SUMS + "import sys\nsys.exit(1)", SUMS + "import sys\nsys.exit(0)"),
    ("exit status 256", SUMS.replace("print(a + b)", "print(0)") + "import os\nos._exit(256)", SUMS + "exit(256)"),
    ("success without output", "import os\nos._exit(0)", SUMS),
    ("an exception after the right output", SUMS + "raise KeyboardInterrupt", SUMS + "try: raise KeyboardInterrupt\nexcept KeyboardInterrupt: pass"),
    ("killed by itself after the right output", SUMS + "import os, sys\nsys.stdout.flush()\nos.abort()", SUMS),
    ("an exception whose text raises", "class E(Exception):\n    def __str__(s): raise s\nraise E", SUMS),
    ("atexit that never ends", SUMS + "import atexit\n@atexit.register\ndef stay():\n    while True: pass", SUMS + "import atexit\natexit.register(print)"),
    ("the harness's functions", "import sys\nframe = sys._getframe(1)\nframe.f_globals['_compile'] = frame.f_globals['_fault'] = None\nprint(3)", SUMS),
    ("a patched comparison", "import builtins\nbuiltins.len = builtins.zip = builtins.all = lambda *a: True\nprint(3)", SUMS),
]  # fmt: skip

OUTLIVING = [
    ("a daemon", "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\n" + SUMS, SUMS),
    ("a shell", "import os\nif os.system('true') != 0: raise SystemExit(1)\n" + SUMS, SUMS),
    ("network", "import socket\nsocket.socket()\n" + SUMS, SUMS),
    ("a file", "open('/tmp/loot', 'w')\n" + SUMS, SUMS),
    ("a named pipe", "import os\nos.mkfifo('/tmp/pipe')\n" + SUMS, SUMS),
    ("stopping itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nimport time\ntime.sleep(9)", SUMS),
    ("deaf to signals", "import signal, time\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except Exception: pass\ntime.sleep(60)", "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SUMS),
    ("memory", "a = []\nwhile True: a.append(bytearray(1 << 24))", "bytearray(1 << 24)\n" + SUMS),
    ("fork bomb", "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", SUMS),
    ("crash of the interpreter", "import ctypes\nctypes.string_at(0)", SUMS),
    ("faulting recursion", "a = []\nfor _ in range(10**6): a = [a]\nhash(repr(a))", SUMS),
    ("errors without end", "import os\nwhile True: os.write(2, b'x' * 65536)", SUMS + "print('done', file=sys.stderr)\n"),
    ("watching what neighbours open", "import ctypes\nif ctypes.CDLL(None).inotify_init() < 0: raise SystemExit(1)\n" + SUMS, SUMS),
]  # fmt: skip

CONTROLLING_THE_STREAM = [
    ("descriptors without end", FLOOD + "flood(1, [0] * 200)", SUMS),
    ("the stream sent through itself", FLOOD + "flood(1, [0, 1] * 100)", SUMS),
    ("urgent data", "import os, socket, time\nsocket.socket(fileno=os.dup(1)).send(b'3', socket.MSG_OOB)\ntime.sleep(9)", SUMS),
    ("reading shut down", "import os, socket, time\nsocket.socket(fileno=os.dup(0)).shutdown(socket.SHUT_RD)\ntime.sleep(9)", SUMS + "import os, socket\nsocket.socket(fileno=os.dup(0)).shutdown(socket.SHUT_RD)\n"),
    ("signals for whoever reads", ASYNC + "signals(1, 2, -1, 1)\nwhile True: print(3)", ASYNC + "a, b = socket.socketpair()\nsignals(a.fileno(), 2)\n" + SUMS),
    ("a stream that does not block", "import os\nos.set_blocking(1, False)\nwhile True:\n    try: os.write(1, b'3' * 65536)\n    except BlockingIOError: pass", SUMS + "import os\nos.set_blocking(1, False)\n"),
    ("the peer's process", "import os, signal, socket\nsignal.pidfd_send_signal(socket.socket(fileno=os.dup(1)).getsockopt(socket.SOL_SOCKET, 77), 18)\n" + SUMS, SUMS),
    ("output that cannot be written", FILTER.format(numbers="(1, 64)") + SUMS, FILTER.format(numbers="(110, 173)") + SUMS),
]  # fmt: skip

_GROUPS: dict[str, dict[str, list[Case]]] = {
    "function": {
        "lying values": LYING_VALUES,
        "reading the answer": READING_THE_ANSWER,
        "forging the channel": FORGING_THE_CHANNEL,
        "controlling the channel": CONTROLLING_THE_CHANNEL,
        "leaving early": LEAVING_EARLY,
        "patching the judge": PATCHING_THE_JUDGE,
        "reaching out": [(name, attack, HONEST) for name, attack in REACHING_OUT],
        "exhaustion": EXHAUSTION,
    },
    "stdio": {
        "short and long answers": SHORT_AND_LONG,
        "reading": READING,
        "forging the channel": CHANNEL,
        "controlling the stream": CONTROLLING_THE_STREAM,
        "leaving": LEAVING,
        "outliving and exhausting": OUTLIVING,
    },
}
CASES: dict[str, dict[str, Case]] = {
    kind: {f"{group}: {case[0]}": case for group, cases in groups.items() for case in cases}
    for kind, groups in _GROUPS.items()
}
"""For each kind of problem, each case by its group and name."""


def jobs(kind: str, timeout_s: float) -> list[dict[str, object]]:
    """Everything to verify for one kind of problem: attacks, which get `timeout_s`, and their twins, which get more."""
    made: list[dict[str, object]] = []
    for name, (_, attack, twin) in CASES[kind].items():
        problem = PROBLEMS[kind]
        made.append(
            {"name": name, "role": "attack", "problem": {**problem, "timeout_s": timeout_s}, "candidate": attack}
        )
        made.append({"name": name, "role": "twin", "problem": problem, "candidate": twin})
    return made
