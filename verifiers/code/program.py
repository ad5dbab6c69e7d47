"""Inside the sandbox: runs a whole program, as `python program.py` would, on the standard streams it was given.

Loaded by its path by `zygote.py`, in a child of which nothing is left after the run. Standard library only.
"""

from __future__ import annotations

import atexit
import builtins
import gc
import io
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

__all__ = ["execute"]

_EXIT_UNFLUSHED = 120  # what Python itself exits with when its output cannot be written


def execute(
    code: types.CodeType, filename: str, fault_of: Callable[[BaseException], dict[str, Any]]
) -> tuple[dict[str, Any] | None, int]:
    """Execute `code` as the module `__main__`: what it died of, if anything, and its exit status.

    What an interpreter does when it ends is done here too, since the process is left with `os._exit`: threads are
    waited for, `atexit` functions run, and what is still in buffers is written.
    """
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = [filename]
    for name in ("exit", "quit"):
        setattr(builtins, name, sys.exit)  # which the module site, left out here, would define
    # Not sys.stdin as it is: that was made for another descriptor and the zygote's locale.
    stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8")
    sys.stdin = sys.__stdin__ = stdin  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = stdout  # type: ignore[misc]
    fault, status = None, 0
    try:
        exec(code, module.__dict__)
    except SystemExit as error:
        status = _exit_status(error.code)
    except BaseException as error:
        fault, status = fault_of(error), 1
    for finish in (threading._shutdown, atexit._run_exitfuncs):  # type: ignore[attr-defined]
        try:
            finish()
        except BaseException:  # reported and passed over by the interpreter too
            continue
    for stream in (sys.stdout, stdout):
        try:
            if not stream.closed:  # a program may close what it has written
                stream.flush()
        except BaseException as error:
            if not status:
                fault, status = fault_of(error), _EXIT_UNFLUSHED
    try:
        module.__dict__.clear()  # streams that the program opened on a descriptor are written when they go
        gc.collect()
    except BaseException:
        pass
    return fault, status


def _exit_status(code: object) -> int:
    """The exit status that `sys.exit(code)` asks for."""
    if code is None:
        return 0
    return int(code) & 0xFF if isinstance(code, int) else 1
