"""Runs a program on a pool of zygotes and brings back what it claims.

The order of the conversation carries the soundness: the child proves its isolation before it gets the source, and
answers each batch of inputs before it gets the next one. So nothing in reply `i` can depend on the inputs of a later
batch, and a reply that may be shown to the policy is put before the inputs that may not.
"""

from __future__ import annotations

import json
import os
import queue
import time
import weakref
from collections.abc import Callable, Sequence
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
    """

    ending: Ending
    replies: list[dict[str, object]] = field(default_factory=list)
    status: int = 0
    layers: dict[str, str] = field(default_factory=dict)
    python: str = ""


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
    ) -> Run:
        """Execute `source` and call `entry_point` on each input (a JSON array as text) of each batch.

        `admit` sees the layers before the source is sent; what it raises ends the run and is passed on.

        Raises:
            WorkerDied: two zygotes failed.
        """
        zygote = self._idle.get()
        try:
            for attempt in (1, 2):
                try:
                    return _run_once(zygote, source, entry_point, batches, limits, admit)
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
) -> Run:
    channel = zygote.begin(limits)
    try:
        layers, python = _hello(channel)
        admit(layers)
        run = Run(Ending.COMPLETE, layers=layers, python=python)
        deadline = time.monotonic() + limits.timeout_s
        first: dict[str, object] = {"source": source, "entry_point": entry_point}
        try:
            for number, batch in enumerate(batches, 1):
                request = {**first, "args": list(batch), "last": number == len(batches)}
                channel.send_frame(request, deadline)
                reply = parse_strict(channel.receive_frame(limits.answer_bytes + (1 << 16), deadline))
                if not isinstance(reply, dict):
                    raise NotStrictJson("not an object")
                run.replies.append(reply)
                first = {}
                if reply.get("module") is not None:
                    break  # the program could not be loaded: there is nothing to call
        except ChannelTimeout:
            run.ending = Ending.TIMEOUT
        except ChannelClosed:
            run.ending = Ending.DIED
        except FrameTooLong:
            run.ending = Ending.OUTPUT_LIMIT
        except NotStrictJson:
            run.ending = Ending.CHANNEL_ABUSE
        run.status = zygote.end()
        if run.ending is Ending.COMPLETE and channel.leftover():
            run.ending = Ending.CHANNEL_ABUSE  # the harness sends one frame a batch and no more
        return run
    finally:
        channel.close()


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
