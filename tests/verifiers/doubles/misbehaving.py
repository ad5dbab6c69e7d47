"""Verifiers that go wrong in every way there is. A module of its own, because workers have to import it."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from proofgrad.verifiers.base import Verdict
from proofgrad.verifiers.errors import ProblemError


class Echo:
    """Answers with the candidate and the number of the process."""

    name, version = "echo", "1"

    def verify(self, problem, candidate):
        return Verdict.failed("test.echo", feedback=f"{problem.get('n', '')}{candidate}", evidence={"pid": os.getpid()})


class Misbehaving(Echo):
    """Does what the candidate says."""

    name = "misbehaving"

    def verify(self, problem, candidate):
        if candidate == "return_nothing":
            return None
        deed = getattr(self, f"do_{candidate}", None)
        if deed is not None:
            deed(problem)
        return super().verify(problem, candidate)

    def do_hang(self, problem):
        time.sleep(600)

    def do_hold_the_interpreter(self, problem):
        9**9**8  # one instruction in C: no signal handler of Python's and no other thread gets a turn

    def do_ignore_signals(self, problem):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(600)

    def do_kill(self, problem):
        os.kill(os.getpid(), signal.SIGKILL)

    def do_segfault(self, problem):
        ctypes.string_at(0)

    def do_exit(self, problem):
        os._exit(0)

    def do_system_exit(self, problem):
        sys.exit(3)

    def do_raise(self, problem):
        raise KeyError("lost")

    def do_refuse(self, problem):
        raise ProblemError("no tests")

    def do_print(self, problem):
        reply = '{"answers": [{"verdict": {"outcome": "pass", "score": 1.0}}]}'
        for _ in range(20_000):
            print(reply)
            print("x" * 100, file=sys.stderr)
        os.write(1, (100).to_bytes(4, "big") + reply.encode())

    def do_eat(self, problem):
        bytearray(8 << 30)

    def do_leave_children(self, problem):
        """A child in the group, one in a session of its own, and an orphan; then hang."""
        sleep = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
        children = [subprocess.Popen(sleep).pid, subprocess.Popen(sleep, start_new_session=True).pid]
        orphan = subprocess.run(
            [sys.executable, "-S", "-c", f"import subprocess as s; print(s.Popen({sleep!r}, start_new_session=True, "
             "stdout=s.DEVNULL).pid)"],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        with open(problem["file"], "w") as file:
            file.write(" ".join(map(str, [os.getpid(), *children, int(orphan.stdout)])))
        time.sleep(600)


class Batching(Echo):
    """Judges batches, and dies where one holds the candidate "kill"."""

    name, batch_size = "batching", 8

    def verify(self, problem, candidate):
        if candidate == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().verify(problem, candidate)

    def verify_batch(self, items):
        items = list(items)
        verdicts = [self.verify(problem, candidate) for problem, candidate in items]
        return [Verdict.failed("test.batch", feedback=v.feedback, evidence={"size": len(items)}) for v in verdicts]


class NeedsIsolation(Misbehaving):
    """Asks for killable processes itself."""

    name, needs_isolation = "needs_isolation", True


class Unmakeable(Echo):
    """Cannot be made in another process."""

    name = "unmakeable"

    def __setstate__(self, state):
        raise OSError("no such device")

    def __getstate__(self):
        return {"x": 1}


class Placed(Echo):
    """Says on which Ray node it ran."""

    name = "placed"

    def verify(self, problem, candidate):
        import ray

        time.sleep(0.02)
        return Verdict.failed(
            "test.placed", feedback=candidate, evidence={"node": ray.get_runtime_context().get_node_id()}
        )


class RemoteJudge:
    """Asks a judge over HTTP, as a rubric's judge is asked."""

    name, version = "remote", "1"

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/judge"

    def verify(self, problem, candidate):
        try:
            asked = json.dumps([dict(problem), candidate]).encode()
            with urllib.request.urlopen(self.url, data=asked, timeout=2) as got:
                return Verdict.from_json(json.load(got))
        except (urllib.error.URLError, OSError, ValueError) as error:
            return Verdict.unknown("infra.judge_unreachable", evidence={"error": str(error)})
