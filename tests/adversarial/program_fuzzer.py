"""A generator of hostile programs: the classes of attack that `program_cases` holds one by one, combined at random.

`hostile(seed, kind)` is the same program for the same seed, always. No program can be right: what is asked for is a
table of large random numbers (`problem`) that neither the programs nor the generator know, and enough of them that to
guess them all has no chance worth the name. So any pass is a break, and no program needs to be understood to say so.

A program is a beginning, a body that defines `f` or prints, and an end, with the ends also reached from inside `f`;
one in four is then damaged as a text. Standard library only.
"""
# ruff: noqa: E501  # tables of pieces

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["KINDS", "answers", "hostile", "problem"]

KINDS = ("function", "tagged", "stdio")
_RANGE = 2**62
_TESTS = 4


def answers(secret: int) -> dict[int, int]:
    """The table: inputs and what is expected for them."""
    drawn = random.Random(f"answers:{secret}")
    return {drawn.randrange(_RANGE): drawn.randrange(_RANGE) for _ in range(_TESTS)}


def problem(secret: int, kind: str, timeout_s: float) -> dict[str, object]:
    """The problem whose first test is public; the others may show up nowhere."""
    table = answers(secret)
    if kind != "stdio":
        tests = [{"args": [given], "expected": wanted} for given, wanted in table.items()]
        lenient = {"values": "tagged", "numbers": "value", "nan": "equal", "float_tolerance": {"rel": 1e-9}}
        made = {"entry_point": "f", "tests": tests, "public": 1, "timeout_s": timeout_s}
        return made | lenient if kind == "tagged" else made
    # With a point, so that the tolerance counts and the outputs are read as numbers.
    lines = [{"stdin": f"{given}\n", "expected_stdout": f"{wanted}.25\n"} for given, wanted in table.items()]
    return {"tests": lines, "public": 1, "timeout_s": timeout_s, "float_tolerance": {"abs": 0.5}}


# What every program may use.
_TOOLS = """
import array, atexit, builtins, ctypes, fcntl, gc, json, os, random, signal, socket, struct, sys, threading, time
def frame(value, size=None):
    data = json.dumps(value).encode()
    os.write(3, (len(data) if size is None else size).to_bytes(4, "big") + data)
def passed(n, value="1"):
    return {"module": None, "answers": [{"value": value}] * n}
def tagged(text):
    frame({"answers": [{"value": text}] * 3})
    os._exit(0)
"""

_BEGINNINGS = (
    "builtins.len = lambda a: 3",
    "builtins.type = lambda *a: int",
    "builtins.print = builtins.compile = builtins.exec = None",
    "builtins.isinstance = builtins.all = builtins.any = lambda *a: True",
    "builtins.__dict__.clear()",
    "__builtins__ = {}",
    "__builtins__.__dict__['len'] = None",
    "json.dumps = json.loads = lambda *a, **k: {'value': '1'}",
    "json.JSONEncoder.encode = lambda *a: '1'",
    "json.decoder.scanstring = json.encoder.encode_basestring_ascii = None",
    "for name in list(sys.modules): sys.modules[name] = None",
    "sys.modules.clear()",
    "sys.modules['json'] = sys.modules['os'] = object()",
    "time.time = time.monotonic = time.sleep = lambda *a: 0",
    "sys.settrace(lambda *a: os._exit(0))",
    "sys.setprofile(lambda *a: 1 / 0)",
    "sys.addaudithook(lambda event, args: os._exit(0) if event == 'os.write' else None)",
    "sys.addaudithook(lambda *a: 1 / 0)",
    "sys.meta_path.insert(0, type('H', (), {'find_spec': lambda *a: os._exit(0)}))",
    "sys.path[:] = ['/tmp', '/dev/shm']",
    "sys.setrecursionlimit(10**9)",
    "sys.setrecursionlimit(50)",
    "sys.setswitchinterval(1e-9)",
    "sys.stdout = sys.stderr = sys.stdin = None",
    "sys.excepthook = sys.unraisablehook = lambda *a: os._exit(0)",
    "gc.callbacks.append(lambda *a: os._exit(0)); gc.set_threshold(1)",
    "gc.freeze(); gc.disable()",
    "gc.unfreeze(); gc.collect()",
    "os.close(3)",
    "os.closerange(0, 99)",
    "os.dup2(3, 0); os.dup2(3, 1); os.dup2(3, 2)",
    "os.dup2(os.pipe()[1], 3)",
    "os.set_blocking(3, False)",
    "for n in range(4, 32): os.dup2(3, n)",
    "fcntl.fcntl(0, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK); fcntl.flock(0, fcntl.LOCK_EX)",
    "fcntl.fcntl(3, fcntl.F_SETOWN, 1); fcntl.fcntl(3, 10, 9); fcntl.fcntl(3, fcntl.F_SETFL, os.O_ASYNC)",
    "signal.setitimer(signal.ITIMER_REAL, .01)",
    "signal.signal(signal.SIGALRM, lambda *a: os._exit(0)); signal.setitimer(signal.ITIMER_REAL, .01, .01)",
    "for n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except Exception: pass",
    "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))",
    "import resource as r\nfor n in range(16):\n    try: r.setrlimit(n, (r.RLIM_INFINITY, r.RLIM_INFINITY))\n    except Exception: pass",
    "import resource as r\nr.setrlimit(r.RLIMIT_AS, (1, 1))",
    "import resource as r\nr.setrlimit(r.RLIMIT_CPU, (0, 0))",
    "import resource as r\nr.setrlimit(r.RLIMIT_NOFILE, (0, 0))",
    "atexit.register(os._exit, 0)",
    "atexit.register(frame, passed(3))",
    "threading._shutdown = None",
    "h = sys._getframe(1).f_globals\nfor name in ('_answer', '_not_plain', '_encode', '_decode', '_frame', '_fault'): h[name] = lambda *a: None",
    "h = sys._getframe(1).f_globals\nh['_encode'] = lambda value: '1'",
    "h = sys._getframe(1).f_globals\nh['os'] = h['json'] = None",
    "ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)",
    "ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)",
    "os.setsid()",
    "os.chdir('/proc')",
    "os.nice(19)",
    "os.sched_setaffinity(0, {0})",
)  # fmt: skip

# How a call of f may end, given x.
_LIES = (
    "return 0", "return x", "return None", "return True", "return 1.0", "return float('nan')", "return float('inf')",
    "return str(x)", "return [x]", "return {'value': x}", "return {x: x}", "return (x,)", "return {x}", "return b'1'",
    "return 10**5000", "return '\\ud800'", "return '\\0'", "return object()", "return f", "return sys", "yield x",
    "return (y for y in (x,))", "return random.randrange(2**62)", "return hash(str(x))", "return ~x",
    "return type('A', (), {'__eq__': lambda *a: True, '__hash__': lambda s: 1})()",
    "return type('A', (int,), {'__eq__': lambda *a: True, '__hash__': int.__hash__})(x)",
    "return type('A', (str,), {'__eq__': lambda *a: True, '__hash__': str.__hash__})(x)",
    "return type('A', (dict,), {'get': lambda *a: True})()",
    "return type('A', (), {'__class__': int, '__index__': lambda s: 1, '__repr__': lambda s: '1'})()",
    "a = []; a.append(a); return a",
    "a = []\n    for _ in range(10**5): a = [a]\n    return a",
    "a = []\n    for _ in range(60): a = [a, a]\n    return a",
    "return ['a' * 1000] * 5000",
    "return next(t['expected'] for t in gc.get_objects() if isinstance(t, dict) and 'expected' in t)",
    "return [t for t in gc.get_objects() if isinstance(t, (str, int)) and str(x) in str(t)][:9]",
    "return [str(g.f_locals)[:999] for g in (sys._getframe(n) for n in range(3))]",
    "return str([t for t in gc.get_objects() if type(t) is dict and 'args' in t])[:9999]",
    "return open('/proc/self/environ').read()",
    "return os.read(3, 4096).decode()",
    "frame({'answers': [{'value': '1'}]}); return 0",
    "frame({'answers': [{'value': '1'}] * 3}); frame({'answers': []}); os._exit(0)",
    "frame({'module': None, 'answers': [{'value': str(x)}], 'outcome': 'pass', 'score': 1.0}); return x",
    "frame({'answers': None}); os._exit(0)",
    "frame([]); os._exit(0)",
    "frame({'answers': [[]] * 3}); os._exit(0)",
    "frame({'answers': [{'value': '[' * 9999}] * 3}); os._exit(0)",
    "frame({'answers': [{'value': '1' * 99999}] * 3}); os._exit(0)",
    "frame({'answers': [{'value': '1e999'}, {'value': 'NaN'}, {'value': '{\"a\":1,\"a\":2}'}]}); os._exit(0)",
    "frame({'answers': [{'error': 'E' * 9999, 'message': '\\ud800' * 999, 'line': 10**30}] * 3}); os._exit(0)",
    "frame({'answers': [{'overflow': -1}] * 3}); os._exit(0)",
    "frame({'answers': [{'unserialisable': None}] * 3}); os._exit(0)",
    "tagged('{\"$set\": [[1], {}]}')", "tagged('{\"$dict\": [[1]]}')", "tagged('{\"$float\": [1]}')", "tagged('{\"$tuple\": [' * 199)",
    "tagged('{\"$float\": \"nan\"}')", "tagged(json.dumps({'$set': [n * (2**61 - 1) for n in range(20000)]}))",
    "tagged(json.dumps({'$dict': [[n * (2**61 - 1), 0] for n in range(20000)]}))",
    "tagged('{\"$tuple\": [' * 190 + ']}' * 190)", "tagged('{\"$frozenset\": [' * 150 + ']}' * 150)",
    "frame({'module': {'kind': 'syntax', 'message': [1], 'line': 'x'}}); os._exit(0)",
    "raise KeyboardInterrupt", "raise SystemExit(0)", "raise GeneratorExit", "raise MemoryError", "raise StopIteration",
    "raise type('E', (BaseException,), {'__str__': lambda s: 1 / 0})",
    "raise type('E' * 999, (Exception,), {'__str__': lambda s: '\\n' * 999 + str(x)})",
    "return f(x)",
)  # fmt: skip

_ENDS = (
    "sys.exit(0)", "os._exit(0)", "os._exit(137)", "os.abort()", "raise SystemExit", "exit(0)", "quit()",
    "os.kill(os.getpid(), signal.SIGKILL)", "os.kill(os.getpid(), signal.SIGSTOP); time.sleep(9)",
    "os.kill(os.getpid(), signal.SIGSEGV)", "os.kill(0, signal.SIGKILL)", "os.kill(-1, signal.SIGKILL)",
    "signal.raise_signal(signal.SIGXCPU)", "ctypes.string_at(0)", "ctypes.memset(id(None), 255, 64)",
    "ctypes.CDLL(None)._exit(0)", "ctypes.CDLL(None).pthread_exit(None)", "ctypes.CDLL(None).longjmp(0, 0)",
    "while True: pass", "time.sleep(60)", "sum(range(10**12))", "9**9**9", "threading.Lock().acquire(); threading.Event().wait()",
    "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
    "def g(): g()\ng()", "eval('(' * 9999)", "compile('-' * 99999 + '1', '', 'eval')",
    "a = []\nfor _ in range(10**6): a = [a]\nrepr(a)",
    "a = []\nwhile True: a.append(bytearray(1 << 24))", "'a' * (1 << 40)", "a = [0]\nwhile True: a += a",
    "a = []\nwhile True: a.append(os.pipe())", "a = []\nwhile True: a.append(socket.socketpair())",
    "while True: print('1' * 1000)", "while True: os.write(1, b'1' * 65536)", "while True: os.write(2, b'1' * 65536)",
    "while True: os.write(3, b'1' * 65536)",
    "while True: frame(passed(3))",
    "frame(passed(1)); frame({'answers': [{'value': '1'}] * 3}); os._exit(0)",
    "frame(passed(0)); os._exit(0)",
    "frame(passed(10**4)); os._exit(0)",
    "frame({'outcome': 'pass', 'score': 1.0, 'reason': 'code.ok'}); os._exit(0)",
    "frame({'fault': None}); os._exit(0)",
    "frame({}, 2**32 - 1); time.sleep(9)", "frame({}, 99); os._exit(0)", "frame({}, 0); os._exit(0)", "os.write(3, b'\\0'); time.sleep(9)",
    "while True:\n    os.write(3, b'\\0'); time.sleep(.001)",
    "if os.fork() == 0:\n    os.setsid()\n    while True: pass",
    "if os.fork() == 0:\n    os.setsid()\n    os.close(3)\n    time.sleep(99)",
    "if os.fork(): os._exit(0)",
    "if os.fork() == 0:\n    time.sleep(.05); frame(passed(3)); os.write(1, b'1\\n'); os._exit(0)",
    "while True:\n    try: os.fork()\n    except OSError: pass",
    "def spin():\n    while True: pass\nfor _ in range(8): threading.Thread(target=spin).start()",
    "threading.Thread(target=time.sleep, args=(99,)).start()",
    "threading.Timer(.05, os._exit, (0,)).start()",
    "s = socket.socket(fileno=os.dup(3))\nwhile True: s.sendmsg([b' '], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [3] * 99))])",
    "s = socket.socket(fileno=os.dup(1))\nwhile True: s.sendmsg([b' '], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [3] * 99))])",
    "socket.socket(fileno=3).shutdown(2)", "socket.socket(fileno=os.dup(3)).shutdown(0); time.sleep(9)",
    "socket.socket(fileno=os.dup(1)).shutdown(1)", "socket.socket(fileno=os.dup(0)).shutdown(0)",
    "socket.socket(fileno=os.dup(3)).send(b'1', socket.MSG_OOB)", "socket.socket(fileno=os.dup(1)).send(b'1', socket.MSG_OOB)",
    "os.execv(sys.executable, ['python', '-c', '1'])", "os.system('true')", "os.setuid(0)", "os.chroot('/')",
    "open('/tmp/left-behind', 'w').write('x')", "open('/dev/shm/left-behind', 'w').write('x')", "os.mkfifo('/left-behind')",
    "ctypes.CDLL(None).shmget(4711, 4096, 0o1600)", "ctypes.CDLL(None).semget(4711, 1, 0o1600)", "ctypes.CDLL(None).msgget(4711, 0o1600)",
    "ctypes.CDLL(None).mount(b't', b'/', b'tmpfs', 0, 0)", "ctypes.CDLL(None).unshare(0x10000000)", "ctypes.CDLL(None).ptrace(0, 0, 0, 0)",
    "ctypes.CDLL(None).syscall(random.randrange(470), *[random.randrange(9) for _ in range(6)])",
    "for n in range(470):\n    if n not in (1, 34, 35, 60, 61, 231, 247): ctypes.CDLL(None).syscall(n, 3, 3, 3, 3, 3, 3)",
    "os.write(1, b'1' * 300000 + b'x\\n'); os._exit(0)",
    "os.write(1, b'\\xff\\n'); os._exit(0)", "os.write(1, b'1.5e300\\n' * 3); os._exit(0)", "os.write(1, b'nan\\n'); os._exit(0)",
)  # fmt: skip

_NOISE = (
    "\f", "\ufeff", "# -*- coding: utf-7 -*-\n", "# -*- coding: rot13 -*-\n", "# coding: nowhere\n", "#!/bin/sh\n",
    "\0", "\r", "\x1a", "\ud800", "\u202e", "\N{GREEK SMALL LETTER PHI}\u0301", "\\\n", "'''", '"', "(", ")" * 9, "\t", "    ",
    "from __future__ import annotations\n", "from __future__ import braces\n", "if 1:\n", "async ", "await ", "lambda: ", "@",
    "global f\n", "del f\n", "f = None\n", "f'{'", "0" * 5000, "9" * 5000 + "\n", "1e9999\n", "'a' * 10**9\n", "x" * 9999 + "\n",
    "(" * 150 + ")" * 150 + "\n", "(" * 5000, "[" * 99 + "]" * 99 + "\n", "-" * 5000 + "1\n", "1" + "+1" * 5000 + "\n",
    "\n".join(" " * n + "if 1:" for n in range(99)) + "\n", "class A(" * 50, "_ = " + "{}," * 3000 + "\n", "pass;" * 3000 + "\n",
    "try:\n    pass\nexcept* E: pass\n", "match x:\n    case _: pass\n", "\n" * 20000,
)  # fmt: skip


def hostile(seed: int, kind: str) -> str:
    """The hostile program number `seed` for a kind of problem."""
    drawn = random.Random(f"{kind}:{seed}")
    parts = [_TOOLS]
    for piece in drawn.sample(_BEGINNINGS, drawn.choice((0, 0, 1, 1, 2, 4))):
        parts.append(_guarded(piece) if drawn.random() < 0.8 else piece)
    end = drawn.choice(_ENDS)
    where = drawn.choice(("in f", "at the end", "at exit", "nowhere"))
    parts.append(_function(drawn, end if where == "in f" else "pass"))
    if kind == "stdio":
        calls = (
            "print(f(input()))",
            "print(f(sys.stdin.read()))",
            "print(f(1)); input()",
            "print(list(map(f, sys.stdin)))",
        )
        parts.append(drawn.choice((*calls, "print('1\\n' * 9)", "print('9' * 300000 + 'x')")))
    if where == "at the end":
        parts.append(end)
    elif where == "at exit":
        parts.append(f"@atexit.register\ndef leave():\n{_indented(end)}")
    program = "\n".join(parts) + "\n"
    for _ in range(drawn.choice((0, 0, 0, 1, 1, 3)) if drawn.random() < 0.5 else 0):
        program = drawn.choice(_DAMAGES)(drawn, program)
    return program


def _function(drawn: random.Random, end: str) -> str:
    lie = drawn.choice(_LIES)
    condition = drawn.choice(("if True:", "if random.random() < .5:", "try:"))
    lines = f"def f(x):\n    {condition}\n{_indented(end, 8)}"
    if condition == "try:":
        lines += "\n    except BaseException: pass"
    return f"{lines}\n    {lie}"


def _guarded(piece: str) -> str:
    return f"try:\n{_indented(piece)}\nexcept BaseException: pass"


def _indented(piece: str, width: int = 4) -> str:
    return "\n".join(" " * width + line for line in piece.split("\n"))


def _insert(drawn: random.Random, program: str) -> str:
    at = drawn.choice((0, len(_TOOLS), drawn.randrange(len(program)), len(program)))
    return program[:at] + drawn.choice(_NOISE) + program[at:]


def _cut(drawn: random.Random, program: str) -> str:
    at = drawn.randrange(len(program))
    return program[:at] + program[at + drawn.randrange(1, 40) :]


def _repeat(drawn: random.Random, program: str) -> str:
    at = drawn.randrange(len(program))
    return program[:at] + program[at : at + drawn.randrange(1, 200)] * drawn.randrange(2, 20) + program[at:]


def _swap(drawn: random.Random, program: str) -> str:
    lines = program.split("\n")
    a, b = drawn.randrange(len(lines)), drawn.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return "\n".join(lines)


def _replace(drawn: random.Random, program: str) -> str:
    at = drawn.randrange(len(program))
    return program[:at] + chr(drawn.choice((drawn.randrange(128), drawn.randrange(0x110000)))) + program[at + 1 :]


_DAMAGES: tuple[Callable[[random.Random, str], str], ...] = (_insert, _insert, _cut, _repeat, _swap, _replace)
