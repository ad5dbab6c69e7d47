"""runner.py: the pool, and the order of the conversation."""

import os
import signal
import threading
import time

import pytest

from proofgrad.verifiers.code import runner as runner_module
from proofgrad.verifiers.code.runner import Ending, Runner, WorkerDied
from proofgrad.verifiers.code.sandbox import Limits, ZygoteError

ADD = "def f(x): return x + 1"


def test_each_batch_gets_one_reply_in_order(runner):
    run = runner.run(ADD, "f", [["[1]", "[2]"], ["[3]"]], Limits())
    assert run.ending is Ending.COMPLETE
    assert [reply["answers"] for reply in run.replies] == [[{"value": "2"}, {"value": "3"}], [{"value": "4"}]]


def test_a_reply_is_put_before_the_next_batch_is_in_the_sandbox(runner):
    spy = """
import gc, sys
def f(x):
    frame, found = sys._getframe(), []
    while frame:
        found.append(str(frame.f_locals))
        frame = frame.f_back
    word = "eldeen"[::-1]  # so that it does not find itself
    return word in "".join(found) + str(gc.get_objects())
"""
    run = runner.run(spy, "f", [["[1]"], ['["needle"]']], Limits())
    assert run.replies[0]["answers"] == [{"value": "false"}]
    assert run.replies[1]["answers"] == [{"value": "true"}]  # the spy works


def test_nothing_is_sent_to_a_program_that_does_not_load(runner):
    run = runner.run("1 / 0", "f", [[], ["[1]"]], Limits())
    assert len(run.replies) == 1
    assert run.replies[0]["module"]["error"] == "ZeroDivisionError"


def test_the_layers_are_judged_before_the_source_is_sent(runner):
    class RefusedError(Exception):
        pass

    def refuse(layers):
        assert layers["pid"]
        raise RefusedError

    with pytest.raises(RefusedError):
        runner.run(ADD, "f", [["[1]"]], Limits(), refuse)
    assert runner.run(ADD, "f", [["[1]"]], Limits()).ending is Ending.COMPLETE


def test_a_killed_zygote_is_replaced_and_the_run_repeated(runner):
    runner.run(ADD, "f", [["[1]"]], Limits())
    zygote = runner._all[0]
    before = zygote.pid
    os.kill(before, signal.SIGKILL)
    assert runner.run(ADD, "f", [["[1]"]], Limits()).ending is Ending.COMPLETE
    assert zygote.pid != before


def test_a_zygote_killed_in_the_middle_of_a_run_costs_no_verdict(runner):
    runner.run(ADD, "f", [["[1]"]], Limits())
    zygote = runner._all[0]
    timer = threading.Timer(0.2, os.kill, (zygote.pid, signal.SIGKILL))
    timer.start()
    run = runner.run("import time\ndef f(x):\n    time.sleep(0.5)\n    return x", "f", [["[1]"]], Limits())
    timer.join()
    assert run.ending is Ending.COMPLETE


def test_two_failures_in_a_row_are_a_dead_worker(monkeypatch, runner):
    def fail(*arguments):
        raise ZygoteError("no")

    monkeypatch.setattr(runner_module, "_run_once", fail)
    with pytest.raises(WorkerDied, match="no"):
        runner.run(ADD, "f", [["[1]"]], Limits())


def test_a_sleeping_program_is_stopped_on_time(runner):
    start = time.monotonic()
    run = runner.run("import time\ndef f(x): time.sleep(60)", "f", [["[1]"]], Limits(timeout_s=0.3))
    assert run.ending is Ending.TIMEOUT
    assert time.monotonic() - start < 3


def test_waiting_for_a_free_zygote_is_not_the_candidates_time():
    runner = Runner(workers=1)
    source = "import time\ndef f(x):\n    time.sleep(0.3)\n    return x"
    endings = []

    def one():
        endings.append(runner.run(source, "f", [["[1]"]], Limits(timeout_s=0.8)).ending)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runner.close()
    assert endings == [Ending.COMPLETE] * 4


def test_a_zygote_ends_when_its_parent_is_gone():
    made = Runner(workers=1)
    made.run(ADD, "f", [["[1]"]], Limits())
    process, control = made._all[0]._process, made._all[0]._control
    control.close()  # what the kernel does to a parent that was killed
    assert process.wait(timeout=5) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_copy_of_the_parent_gets_a_zygote_of_its_own(runner):
    runner.run(ADD, "f", [["[1]"]], Limits())
    before = runner._all[0].pid
    child = os.fork()
    if child == 0:
        try:
            fine = runner.run(ADD, "f", [["[1]"]], Limits()).ending is Ending.COMPLETE
            fine = fine and runner._all[0].pid != before
            runner.close()
            os._exit(0 if fine else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert runner.run(ADD, "f", [["[1]"]], Limits()).ending is Ending.COMPLETE
    assert runner._all[0].pid == before
