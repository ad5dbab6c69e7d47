"""The program verifier as an ordinary user: a process of theirs, with nothing but the standard library and the sources.

`verify_as_nobody` starts this file as a script in that process; it reads what to verify as one JSON object and writes
one JSON line first about itself and then for each verdict. Whoever imports it needs no third-party package either.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import shutil
import subprocess
import sys
import types
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["NoOrdinaryUser", "Report", "verify_as_nobody"]

ROOT = Path(__file__).parents[2]
USER_AND_NETWORK = 0x10000000 | 0x40000000  # CLONE_NEW*; some kernels give a user namespace and then no rights in it


class NoOrdinaryUser(Exception):  # noqa: N818  # what is to be had here, not an error
    """This machine has no Python that an ordinary user may run, or the tests themselves are not run as root."""


@dataclass(frozen=True)
class Report:
    """What the process of the ordinary user said.

    Attributes:
        namespaces: whether this machine lets ordinary users make namespaces; asked of the kernel, not of the verifier.
        layers: the layers that the verifier reports there.
        verdicts: (outcome, reason, score) of each job, in the order of the jobs.
    """

    namespaces: bool
    layers: dict[str, str]
    verdicts: list[tuple[str, str, float | None]]


def verify_as_nobody(
    jobs: Sequence[Mapping[str, Any]], *, workers: int = 2, processes: int = 1, hostile: bool = False
) -> Report:
    """Verify each job's `candidate` for its `problem`, as nobody, by a verifier with these options.

    Programs that are `hostile` are not run where the machine does not let ordinary users make namespaces: they could
    reach whatever else is nobody's.

    Raises:
        NoOrdinaryUser: it cannot be done here.
        RuntimeError: the process failed.
    """
    if os.geteuid() != 0:
        raise NoOrdinaryUser("the other tests already run as an ordinary user")
    nobody = pwd.getpwnam("nobody")
    who: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": "/", "env": {}}
    asked = [{"problem": job["problem"], "candidate": job["candidate"]} for job in jobs]
    done = subprocess.run(
        [_python(who), __file__],
        input=json.dumps({"workers": workers, "processes": processes, "hostile": hostile, "jobs": asked}),
        **who,
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the process of the ordinary user failed: {done.stderr}")
    about, *verdicts = map(json.loads, done.stdout.splitlines())
    if hostile and not about["namespaces"]:
        raise NoOrdinaryUser("this machine does not let ordinary users make namespaces")
    if len(verdicts) != len(jobs):
        raise RuntimeError(f"{len(verdicts)} verdicts on {len(jobs)} programs")
    return Report(about["namespaces"], about["layers"], [(v["outcome"], v["reason"], v["score"]) for v in verdicts])


def _python(who: Mapping[str, Any]) -> str:
    # A private home hides an interpreter that lives in it; then the system's one will do.
    script = "import os, sys; os.stat(sys.argv[1]); sys.exit(sys.version_info < (3, 11))"
    for python in (os.path.realpath(sys.executable), shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        check = [python or "", "-c", script, __file__]
        try:
            if subprocess.run(check, **who, stderr=subprocess.DEVNULL).returncode == 0:
                return check[0]
        except OSError:
            continue
    raise NoOrdinaryUser("no Python of version 3.11 that an ordinary user may run")


def _may_make_namespaces() -> bool:
    child = os.fork()
    if child == 0:
        os._exit(0 if ctypes.CDLL(None).unshare(USER_AND_NETWORK) == 0 else 1)
    return os.waitpid(child, 0)[1] == 0


def main() -> None:
    """Verify what standard input asks for."""
    for name, path in (("proofgrad", ROOT), ("proofgrad.verifiers", ROOT / "verifiers")):
        module = types.ModuleType(name)  # the packages' own __init__ would import what is not installed
        module.__path__ = [str(path)]
        sys.modules[name] = module
    from proofgrad.verifiers.code.verifier import ProgramVerifier

    namespaces = _may_make_namespaces()
    request = json.load(sys.stdin)
    jobs = request["jobs"] if namespaces or not request["hostile"] else []
    verifier = ProgramVerifier(workers=request["workers"], processes=request["processes"])
    print(json.dumps({"namespaces": namespaces, "layers": verifier.layers()}))
    with ThreadPoolExecutor(request["workers"]) as threads:
        for verdict in threads.map(lambda job: verifier.verify(job["problem"], job["candidate"]), jobs):
            print(json.dumps({"outcome": verdict.outcome.value, "reason": verdict.reason, "score": verdict.score}))
    verifier.close()


if __name__ == "__main__":
    main()
