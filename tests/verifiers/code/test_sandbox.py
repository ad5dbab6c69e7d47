"""sandbox.py, zygote.py and confine.py: what a candidate finds around itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from proofgrad.verifiers.code.runner import Ending
from proofgrad.verifiers.code.sandbox import ISOLATION, Limits

from ...adversarial.ordinary_user import NoOrdinaryUser, verify_as_nobody

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def inside(runner):
    layers = runner.layers()
    absent = [name for name in (*ISOLATION, "seccomp", "ipc", "limits") if layers.get(name) != "active"]
    if absent:
        pytest.skip(f"layers missing here: {absent}")

    def evaluate(body, limits=None):
        source = "import os, sys\ndef f():\n    " + body.replace("\n", "\n    ")
        run = runner.run(source, "f", [["[]"]], limits or Limits(timeout_s=5))
        assert run.ending is Ending.COMPLETE, run
        answer = run.replies[0]["answers"][0]
        return json.loads(answer["value"]) if "value" in answer else answer

    return evaluate


def test_the_candidate_is_nobody_without_capabilities(inside):
    uid, effective, gid, groups = inside("return [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()]")
    assert uid == effective == gid
    assert uid == 65534 or uid >= 0x7000_0000
    assert set(groups) <= {65534}  # those of an ordinary user look so from inside their namespace
    assert inside("os.setuid(0)")["error"] == "PermissionError"


def test_the_environment_holds_nothing_of_the_parents(inside):
    assert set(inside("return dict(os.environ)")) <= {"PYTHONHASHSEED", "LC_CTYPE"}  # Python sets the latter itself


def test_it_is_alone_in_its_pid_namespace(inside):
    assert inside("return [os.getpid(), os.getppid()]") == [1, 0]


def test_only_the_standard_library_is_on_its_file_system(inside):
    assert "error" in inside("return os.listdir('/')")
    for path in ("/etc/passwd", "/proc/self/environ", "/dev/null", "/tmp", str(ROOT)):
        assert inside(f"return os.path.exists({path!r})") is False


def test_nothing_can_be_written_anywhere(inside):
    stdlib = os.path.realpath(os.path.dirname(os.__file__))
    for path in ("/x", "/tmp/x", f"{stdlib}/x.py", f"{stdlib}/os.py"):
        assert "error" in inside(f"open({path!r}, 'w')")


def test_only_the_null_device_and_the_result_channel_are_open(inside):
    probe = "found = []\nfor fd in range(64):\n    try: os.fstat(fd); found.append(fd)\n    except OSError: pass\n"
    assert inside(probe + "return found") == [0, 1, 2, 3]


def test_no_process_program_or_socket_can_be_started(inside):
    assert "error" in inside("os.fork()")
    assert "error" in inside("os.execv(sys.executable, ['x'])")
    assert "error" in inside("import socket\nsocket.socket()")
    assert "error" in inside("import socket\nsocket.socket(socket.AF_UNIX)")


def test_threads_are_to_be_had_when_the_limit_allows_them(inside):
    body = "import threading\nout = []\nt = threading.Thread(target=out.append, args=(1,))\n"
    body += "t.start()\nt.join()\nreturn out"
    assert inside(body) == [1]
    assert inside(body, Limits(timeout_s=5, processes=64)) == [1]
    assert "error" in inside(body, Limits(timeout_s=5, threads=1))


def test_an_event_loop_works_although_sockets_do_not(inside):
    assert inside("import asyncio\nasync def g(): return 5\nreturn asyncio.run(g())") == 5


@pytest.mark.parametrize(
    ("call", "number"),
    [("unshare", 272), ("ptrace", 101), ("keyctl", 250), ("memfd_create", 319), ("shmget", 29), ("bpf", 321)],
)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")
def test_the_system_call_is_refused(inside, call, number):
    body = f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nlibc.syscall({number}, 0, 0, 0)\n"
    assert inside(body + "return ctypes.get_errno()") == 1


def test_limits_cannot_be_raised_again(inside):
    body = "import resource as r\nr.setrlimit(r.RLIMIT_AS, (r.RLIM_INFINITY, r.RLIM_INFINITY))"
    assert inside(body)["error"] in {"ValueError", "PermissionError"}


def test_the_hash_seed_is_fixed_and_random_numbers_repeat(inside):
    body = "import random\nreturn [hash('a'), random.random()]"
    assert inside(body) == inside(body)


ORDINARY = """
import sys, types
root = sys.argv[1]
for name, path in (("proofgrad", ""), ("proofgrad.verifiers", "/verifiers")):
    module = types.ModuleType(name)
    module.__path__ = [root + path]
    sys.modules[name] = module
from proofgrad.verifiers.code.verifier import ProgramVerifier
verifier = ProgramVerifier(workers=1)
problem = {"entry_point": "f", "tests": [{"args": [1], "expected": 2}], "timeout_s": 5}
good = verifier.verify(problem, "def f(x): return x + 1")
bad = verifier.verify(problem, "def f(x): return x")
import json
print(json.dumps([good.reason, bad.reason, good.evidence["sandbox"]]))
"""


def test_it_works_for_an_ordinary_user_too():
    problem = {"entry_point": "f", "tests": [{"args": [1], "expected": 2}], "timeout_s": 5}
    programs = ("def f(x): return x + 1", "def f(x): return x")
    try:
        report = verify_as_nobody([{"problem": problem, "candidate": program} for program in programs])
    except NoOrdinaryUser as why:
        pytest.skip(str(why))
    assert [reason for _, reason, _ in report.verdicts] == ["code.ok", "code.wrong_output"]
    assert report.layers["capabilities"] == report.layers["no_new_privs"] == report.layers["limits"] == "active"
    if not report.namespaces:
        pytest.skip("this machine does not let ordinary users make namespaces")
    assert {report.layers[name] for name in (*ISOLATION, "user", "seccomp", "ipc")} == {"active"}


WITHOUT_ADMIN = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(24, 21, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_SYS_ADMIN: what many containers lack
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_a_root_without_namespaces_still_gets_the_other_layers_and_a_warning():
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("takes a capability away from root")
    command = [os.path.realpath(sys.executable), "-c", WITHOUT_ADMIN, "-c", ORDINARY, str(ROOT)]
    done = subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    good, bad, layers = json.loads(done.stdout)
    assert (good, bad) == ("code.ok", "code.wrong_output")
    assert layers["pid"] == "missing: unshare: EPERM"
    assert layers["seccomp"] == layers["limits"] == layers["uid"] == "active"
    assert "without full isolation" in done.stderr
