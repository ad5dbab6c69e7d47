"""Thousands of hostile programs, generated or repeated: none passes, none makes its failure ours, nothing is left."""
# ruff: noqa: E501  # one program a line

import os
import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proofgrad.verifiers import Outcome
from proofgrad.verifiers.code import ProgramVerifier

from .footprint import descendants, footprint, resident_bytes
from .ordinary_user import NoOrdinaryUser, verify_as_nobody
from .program_cases import FLOOD, HONEST, PROBLEMS, SUMS
from .program_fuzzer import KINDS, answers, hostile, problem

SECRET = 20_261_127
SEED = int(os.environ.get("PROOFGRAD_SEED", "0"))
needs_proc = pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="needs /proc")


def number_of_checks(usual):
    return int(os.environ.get("PROOFGRAD_CHECKS", usual))


class Pair:
    """Two verifiers: one forbids candidates to start processes, the other leaves them to the PID namespace."""

    def __init__(self, workers):
        self.both = (ProgramVerifier(workers=workers), ProgramVerifier(workers=workers, processes=64))
        self.workers = workers
        with ThreadPoolExecutor(2 * workers) as threads:  # at once, so that every zygote is started
            slow = "import time\ntime.sleep(.2)\n" + HONEST
            list(threads.map(lambda n: self.both[n % 2].verify(PROBLEMS["function"], slow), range(2 * workers)))

    def close(self):
        for verifier in self.both:
            verifier.close()


@pytest.fixture(scope="module")
def pair():
    made = Pair(workers=4)
    yield made
    made.close()


def assert_that_none_passes(pair, first, count):
    secrets = [str(number) for item in list(answers(SECRET).items())[1:] for number in item]

    def reason(seed):
        kind = KINDS[seed % 3]
        verdict = pair.both[seed % 4 == 0].verify(problem(SECRET, kind, 0.3), hostile(seed, kind))
        told = f"hostile({seed}, {kind!r}): {verdict}"
        assert verdict.outcome is Outcome.FAIL, told  # UNKNOWN would spare a program its penalty
        assert verdict.reason, told
        assert verdict.seconds < 10, told
        assert not any(secret in verdict.feedback for secret in secrets), told
        verdict.feedback.encode()
        return verdict.reason

    with ThreadPoolExecutor(pair.workers) as threads:
        return Counter(threads.map(reason, range(first, first + count)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_always_gives_the_same_program(kind):
    programs = [hostile(seed, kind) for seed in range(50)]
    assert programs == [hostile(seed, kind) for seed in range(50)]
    assert len(set(programs)) == 50


def test_the_generated_problems_can_be_solved():
    table = answers(SECRET)
    assert len(table) == 4
    alone = ProgramVerifier(workers=1)
    for kind in KINDS:
        known = (
            f"def f(x): return {table!r}[x]\n" if kind != "stdio" else f"print(str({table!r}[int(input())]) + '.25')"
        )
        assert alone.verify(problem(SECRET, kind, 3.0), known).is_pass
    alone.close()


@needs_proc
@pytest.mark.parametrize("count", [150, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_hostile_program_passes_or_makes_its_failure_ours(pair, count):
    count = number_of_checks(count) if count > 150 else count
    assert_that_none_passes(pair, SEED + 10**6, 12)
    before, memory = footprint(), resident_bytes(os.getpid())
    reasons = assert_that_none_passes(pair, SEED, count)
    for verifier in pair.both:
        assert verifier.verify(PROBLEMS["function"], HONEST).is_pass
        assert verifier.verify(PROBLEMS["stdio"], SUMS).is_pass
    assert footprint() == before
    assert resident_bytes(os.getpid()) - memory < 64 << 20  # one answer may have a megabyte, and a few live at once
    print(f"{count} hostile programs in {dict(reasons.most_common())}", file=sys.stderr)


@pytest.mark.slow
def test_no_hostile_program_passes_as_an_ordinary_user():
    seeds = range(SEED, SEED + number_of_checks(1000))
    kinds = [KINDS[seed % 3] for seed in seeds]
    made = [
        {"problem": problem(SECRET, kind, 0.3), "candidate": hostile(seed, kind)}
        for seed, kind in zip(seeds, kinds, strict=True)
    ]
    for processes in (1, 64):
        try:
            report = verify_as_nobody(made[processes == 64 :: 2], workers=4, processes=processes, hostile=True)
        except NoOrdinaryUser as why:
            pytest.skip(str(why))
        assert {(outcome, score) for outcome, _, score in report.verdicts} == {("fail", 0.0)}


MARK = "proofgrad-left-behind"
LITTER = f"""
import ctypes, os, socket, threading, time
for folder in ("/tmp", "/var/tmp", "/dev/shm", "/", ".", os.path.dirname(os.__file__)):
    for make in (lambda path: open(path, "w"), os.mkdir, os.mkfifo, lambda path: os.symlink("/", path)):
        try: make(folder + "/{MARK}")
        except OSError: pass
libc = ctypes.CDLL(None)
libc.shmget(4711, 4096, 0o1600); libc.semget(4711, 1, 0o1600); libc.msgget(4711, 0o1600)
libc.mount(b"t", b"/", b"tmpfs", 0, 0); libc.unshare(0x10020000)
"""
DAEMON = """
import os, time
for _ in range(3):
    try:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0: os.close(3)
            time.sleep(99)
    except OSError: pass
"""
QUICK = [  # (kind, program, whether it is right)
    ("function", HONEST, True),
    ("function", "def f(x): return x", False),
    ("function", LITTER + HONEST, True),
    ("function", DAEMON + HONEST, True),
    ("function", "import os\nif os.fork(): os._exit(0)\n" + DAEMON, False),
    ("function", "def f(x): return (", False),
    ("function", "import ctypes\nctypes.string_at(0)", False),
    ("function", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\nos._exit(9)", False),
    ("function", "import threading, time\nfor _ in range(4): threading.Thread(target=time.sleep, args=(99,)).start()\nos", False),
    ("function", "import os, socket\na = [socket.socketpair() for _ in range(9)]\nos.closerange(0, 99)", False),
    ("function", FLOOD + "flood(3, [3, 0] * 99)", False),
    ("function", "def f(x): return ['a' * 1000] * 2000", False),
    ("function", "def f(x): return 'a' * (1 << 40)", False),
    ("function", "import os\nos.write(3, b'\\0\\0\\0\\4nope')\nos._exit(0)", False),
    ("stdio", SUMS, True),
    ("stdio", LITTER + SUMS, True),
    ("stdio", "print(0)", False),
    ("stdio", DAEMON + "os._exit(0)", False),
    ("stdio", "import os\nwhile True: os.write(1, b'1' * 65536)", False),
    ("stdio", "raise ValueError", False),
]  # fmt: skip


@needs_proc
@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_nothing_is_left_behind_after_many_runs(pair, count, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    count = number_of_checks(count) if count > 300 else count

    def run(number):
        kind, program, right = QUICK[number % len(QUICK)]
        verifier = pair.both[number // len(QUICK) % 2]
        verdict = verifier.verify({**PROBLEMS[kind], "timeout_s": 5.0}, program)
        assert verdict.outcome is (Outcome.PASS if right else Outcome.FAIL), f"{program}: {verdict}"

    def sizes():
        return {pid: resident_bytes(pid) for pid in (os.getpid(), *descendants())}

    with ThreadPoolExecutor(pair.workers) as threads:
        list(threads.map(run, range(4 * len(QUICK))))
        before, memory = footprint(tmp_path), sizes()
        for start in range(0, count, 1000):
            list(threads.map(run, range(start, min(count, start + 1000))))
        after = footprint(tmp_path)
    assert after == before
    grown = {pid: size - memory[pid] for pid, size in sizes().items()}
    assert max(grown.values()) < 32 << 20, grown
    for folder in ("/tmp", "/var/tmp", "/dev/shm", "/", os.path.dirname(os.__file__)):
        assert not os.path.lexists(os.path.join(folder, MARK))


def _parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_no_memory_of_the_zygote_is_shared_with_its_children_for_writing(pair):
    """What a candidate writes must end with it; a page that fork does not copy would reach the next one."""
    seen = 0
    below = {zygote.pid for verifier in pair.both for zygote in verifier._runner._all}
    for pid in below | {child for child in descendants() if _parent(child) in below}:
        try:
            lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        except PermissionError:
            pytest.skip("this user may not look at the memory of its own children")
        seen += len(lines)
        assert [line for line in lines if re.match(r"\S+ .w.s", line)] == []
    assert seen
