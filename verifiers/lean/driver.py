"""One run of ``lean`` on candidates' text, shut in before it reads a line: `python -I -S driver.py SETTINGS...`.

Run by `toolchain.py` in a fresh process, never imported. Standard library only. The library is loaded first, while
nothing of a candidate is near; then come the limits and the isolation layers; then what was achieved goes out on a
private pipe, which is closed before Lean starts, so that no candidate can forge it; then ``lean_main`` takes over.

Arguments: the library; a JSON object with address_space, cpu_seconds, output_bytes, report_fd, readable, writable,
confined; the arguments of ``lean``.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proofgrad.verifiers import confine
else:
    # By path: a bare interpreter knows no packages.
    import importlib.util

    _path = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "confine.py")
    _spec = importlib.util.spec_from_file_location("confine", _path)
    confine = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(confine)

_DEVICES = ("/dev/urandom",)  # the seed of Lean's generator of random numbers


def main(library_path: str, settings: dict[str, Any], arguments: list[str]) -> int:
    """Shut this process in and become ``lean``; its exit status."""
    # Python ignores SIGXFSZ; Lean shall die of endless output.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    confine.die_with_parent()
    libc = ctypes.CDLL(None)
    # Standard output is flushed line by line (_IOLBF is 1): a process that dies leaves behind what it had said.
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, 1, ctypes.c_size_t(0))
    library = ctypes.CDLL(library_path)
    layers = _confine(settings) if settings["confined"] else {}
    for limit, value in (
        (resource.RLIMIT_AS, settings["address_space"]),
        (resource.RLIMIT_FSIZE, settings["output_bytes"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(limit, (value, value))
    resource.setrlimit(resource.RLIMIT_CPU, (settings["cpu_seconds"], settings["cpu_seconds"] + 1))
    os.write(settings["report_fd"], json.dumps(layers).encode())
    os.close(settings["report_fd"])
    encoded = [b"lean", *(argument.encode() for argument in arguments)]
    argv = (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)
    return int(library.lean_main(len(encoded), argv))


def _confine(settings: dict[str, Any]) -> dict[str, str]:
    layers = confine.enter_namespaces()
    if layers["pid"] == confine.ACTIVE:
        _become_init()
    readable, writable = settings["readable"], settings["writable"]
    layers["root"] = layers["mount"]
    if layers["root"] == confine.ACTIVE:
        try:
            # Lean insists on knowing where it is installed.
            links = {f"/proc/{os.getpid()}/exe": sys.argv[1]}
            layers["root"] = confine.replace_root(readable, writable, _DEVICES, links)
            os.chdir(writable[0])
        except OSError as error:
            layers["root"] = f"missing: {error.strerror}"
    rules, calls = confine.prepare_rules(readable, writable, _DEVICES), confine.prepare_filter("processes")
    # With the whole file system still there, nobody may be barred from Lean's directory or from that of the text.
    layers.update(confine.drop_privileges(keep_uid=layers["root"] != confine.ACTIVE))
    layers["landlock"] = confine.restrict_files(rules)
    layers["seccomp"] = confine.forbid_syscalls(calls)
    return layers


def _become_init() -> None:
    """Go on in the second process of the new PID namespace; those before it wait, and the first dies the same death.

    The first process of a namespace is deaf to most signals, that of a used-up processor limit among them; hence two.
    """
    for is_init in (False, True):
        child = os.fork()
        if child == 0:
            confine.die_with_parent()
            continue
        os.close(json.loads(sys.argv[2])["report_fd"])
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if is_init:
            os._exit(128 - code if code < 0 else code & 0x7F)
        if code > 128 or code < 0:
            number = code - 128 if code > 0 else -code
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]))
