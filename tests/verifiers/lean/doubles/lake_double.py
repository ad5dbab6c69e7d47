"""Behaves as ``lake env COMMAND``: runs a command with the variables of a project."""

import os
import sys


def main(sysroot: str, arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print("Lake version 5.0.0 (Lean version 4.35.0)")
        return 0
    if not arguments or arguments[0] != "env":
        print(f"error: unknown command '{arguments[0] if arguments else ''}'", file=sys.stderr)
        return 1
    project = os.getcwd()
    os.environ |= {
        "LEAN_SYSROOT": sysroot,
        "LEAN_PATH": f"{project}/.lake/build/lib/lean",
        "PATH": f"{sysroot}/bin:{os.environ.get('PATH', '/usr/bin:/bin')}",
    }
    os.execvp(arguments[1], arguments[1:])
    raise AssertionError("a program that was started does not come back")
