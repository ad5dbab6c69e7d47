"""Runs a program on a pool of zygotes and brings back what it claims.

The order of the conversation carries the soundness: the child proves its isolation before it gets the source, and
answers each batch of inputs before it gets the next one. So nothing in reply `i` can depend on the inputs of a later
batch, and a reply that may be shown to the policy is put before the inputs that may not.

A whole program gets a run of its own for each test, in a new child each time, and its input only after it compiled:
it can learn nothing from the input of another test.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from proofgrad.verifiers.code.compare import NotStrictJson, parse_strict
from proofgrad.verifiers.code.sandbox import (
    ISOLATION,
    Channel,
    ChannelClosed,
    ChannelTimeout,
    FrameTooLong,
    Limits,
    Zygote,
    ZygoteError,
)

__all__ = ["Ending", "Run", "Runner", "WorkerDied"]

_HELLO_S = 15.0
_HELLO_BYTES = 1 << 16


class WorkerDied(Exception):  # noqa: N818  # named for the verdict it becomes
    """The zygote failed twice in a row: the judgement is UNKNOWN."""


class Ending(StrEnum):
    """How a run ended, as the parent saw it; not a verdict."""

    COMPLETE = "complete"
    TIMEOUT = "timeout"
    DIED = "died"
    OUTPUT_LIMIT = "output_limit"
    CHANNEL_ABUSE = "channel_abuse"


@dataclass(slots=True)
class Run:
    """What a run left behind.

    Attributes:
        ending: COMPLETE when every batch was replied to.
        replies: one object for each batch that was; everything in it is the candidate's claim.
        status: wait status of the process: minus the signal number, or the exit code. For messages only.
        layers: isolation layers, as the child reported them before it had seen the source.
        python: version of the interpreter that ran it.
        stdout: what a whole program wrote to its standard output.
    """

    ending: Ending
    replies: list[dict[str, object]] = field(default_factory=list)
    status: int = 0
    layers: dict[str, str] = field(default_factory=dict)
    python: str = ""
    stdout: bytes = b""


class Runner:
    """A pool of zygotes, each started when it is first needed; safe to use from several threads.

    Args:
        workers: how many programs run at once; by default one a core, at least 2 and at most 8.
        interpreter: the Python that runs the candidates.
    """

    def __init__(self, workers: int | None = None, interpreter: str | None = None) -> None:
        count = workers or min(8, max(2, os.cpu_count() or 2))
        # Last in, first out: under a light load the same warm zygote is used again and the others never start.
        self._idle: queue.LifoQueue[Zygote] = queue.LifoQueue()
        self._all = [Zygote(interpreter) for _ in range(count)]
        for zygote in self._all:
            self._idle.put(zygote)
        self._finalizer = weakref.finalize(self, _close_all, self._all)  # runs at exit too

    def run(
        self,
        source: str,
        entry_point: str,
        batches: Sequence[Sequence[str]],
        limits: Limits,
        admit: Callable[[dict[str, str]], None] = lambda layers: None,
        tagged: bool = False,
    ) -> Run:
        """Execute `source` and call `entry_point` on each input (a JSON array as text) of each batch.

        `admit` sees the layers before the source is sent; what it raises ends the run and is passed on. With `tagged`,
        inputs and answers are written as in `values.py`.

        Raises:
            WorkerDied: two zygotes failed.
        """
        return self._lend(lambda zygote: _run_once(zygote, source, entry_point, batches, limits, admit, tagged))

    def run_program(
        self,
        source: str,
        stdin: bytes,
        limits: Limits,
        admit: Callable[[dict[str, str]], None] = lambda layers: None,
    ) -> Run:
        """Execute `source` as a whole program that reads `stdin`; of its output, at most `limits.answer_bytes`.

        In the run's replies come first how compiling went, then, if the program let us say so, what it died of.

        Raises:
            WorkerDied: two zygotes failed.
        """
        return self._lend(lambda zygote: _run_program_once(zygote, source, stdin, limits, admit))

    def _lend(self, use: Callable[[Zygote], Run]) -> Run:
        zygote = self._idle.get()
        try:
            for attempt in (1, 2):
                try:
                    return use(zygote)
                except ZygoteError as error:
                    zygote.close()
                    if attempt == 2:
                        raise WorkerDied(str(error)) from error
                except BaseException:
                    zygote.close()
                    raise
            raise AssertionError("unreachable")
        finally:
            self._idle.put(zygote)

    def layers(self) -> dict[str, str]:
        """The isolation layers that a run gets here: "active", or "missing: <why>".

        Raises:
            WorkerDied: no zygote can be started.
        """
        return self.run("def f(): return None", "f", [["[]"]], Limits()).layers

    def close(self) -> None:
        """Kill the zygotes; a later `run` starts new ones."""
        _close_all(self._all)


def _close_all(zygotes: Sequence[Zygote]) -> None:
    for zygote in zygotes:
        zygote.close()


def _run_once(
    zygote: Zygote,
    source: str,
    entry_point: str,
    batches: Sequence[Sequence[str]],
    limits: Limits,
    admit: Callable[[dict[str, str]], None],
    tagged: bool,
) -> Run:
    channel = zygote.begin(limits)
    try:
        layers, python = _hello(channel)
        admit(layers)
        run = Run(Ending.COMPLETE, layers=layers, python=python)
        deadline = time.monotonic() + limits.timeout_s
        first: dict[str, object] = {"source": source, "entry_point": entry_point, "tagged": tagged}
        with _noting_the_ending(run):
            for number, batch in enumerate(batches, 1):
                request = {**first, "args": list(batch), "last": number == len(batches)}
                channel.send_frame(request, deadline)
                reply = _object(channel.receive_frame(limits.answer_bytes + (1 << 16), deadline))
                run.replies.append(reply)
                first = {}
                if reply.get("module") is not None:
                    break  # the program could not be loaded: there is nothing to call
        run.status = zygote.end()
        if run.ending is Ending.COMPLETE and channel.leftover():
            run.ending = Ending.CHANNEL_ABUSE  # the harness sends one frame a batch and no more
        return run
    finally:
        channel.close()


@contextlib.contextmanager
def _noting_the_ending(run: Run) -> Iterator[None]:
    """A conversation with a candidate; how it broke off is written into `run`."""
    try:
        yield
    except ChannelTimeout:
        run.ending = Ending.TIMEOUT
    except ChannelClosed:
        run.ending = Ending.DIED
    except FrameTooLong:
        run.ending = Ending.OUTPUT_LIMIT
    except NotStrictJson:
        run.ending = Ending.CHANNEL_ABUSE


def _run_program_once(
    zygote: Zygote, source: str, stdin: bytes, limits: Limits, admit: Callable[[dict[str, str]], None]
) -> Run:
    channel, stream = zygote.begin_program(limits)
    try:
        layers, python = _hello(channel)
        admit(layers)
        run = Run(Ending.COMPLETE, layers=layers, python=python)
        deadline = time.monotonic() + limits.timeout_s
        ended: int | None = None
        with _noting_the_ending(run):
            channel.send_frame({"source": source, "program": True}, deadline)
            run.replies.append(_object(channel.receive_frame(_HELLO_BYTES, deadline)))
            if run.replies[0].get("module") is None:
                run.stdout = stream.converse(stdin, limits.answer_bytes, deadline)
            ended = zygote.wait(deadline)  # a program may close its output and go on
            if ended is None:
                run.ending = Ending.TIMEOUT
        run.status = zygote.end() if ended is None else ended
        if run.ending is Ending.COMPLETE:
            _last_words(run, channel.drain(_HELLO_BYTES))
        return run
    finally:
        channel.close()
        stream.close()


def _last_words(run: Run, data: bytes) -> None:
    """What the channel still holds after a whole program: nothing, or one frame of the harness's."""
    if not data:
        return
    try:
        if len(data) != 4 + int.from_bytes(data[:4], "big"):
            raise NotStrictJson("not one frame")
        run.replies.append(_object(data[4:]))
    except NotStrictJson:
        run.ending = Ending.CHANNEL_ABUSE


def _object(frame: bytes) -> dict[str, object]:
    value = parse_strict(frame)
    if not isinstance(value, dict):
        raise NotStrictJson("not an object")
    return value


def _hello(channel: Channel) -> tuple[dict[str, str], str]:
    """The layers and the Python version that the child reports.

    The candidate's source has not been sent yet, so nobody can have forged them.
    """
    try:
        frame = json.loads(channel.receive_frame(_HELLO_BYTES, time.monotonic() + _HELLO_S))
        layers = {str(name): str(state) for name, state in frame["layers"].items()}
    except (ChannelClosed, ChannelTimeout, FrameTooLong, ValueError, KeyError, AttributeError) as error:
        raise ZygoteError(f"the child did not report: {type(error).__name__}") from error
    # An empty root and landlock each keep the host's files out of reach; either will do.
    states = [layers.get("root", "missing: not reported"), layers.get("landlock", "missing: not reported")]
    layers["filesystem"] = "active" if "active" in states else "; ".join(states)
    for name in ISOLATION:
        layers.setdefault(name, "missing: not reported")
    return dict(sorted(layers.items())), str(frame.get("python", ""))
