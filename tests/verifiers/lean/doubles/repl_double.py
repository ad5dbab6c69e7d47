"""Behaves as the REPL of leanprover-community, over the `lean` double beside it: `repl_double.py LEAN [RECORDED]`.

Requests are JSON objects, each followed by an empty line; replies are JSON over several lines, then an empty line.
Environments are numbered from 0, kept for ever, and a command branches off from any of them. A request that is no JSON
ends the process. RECORDED is a JSON file of {start of a command: its reply}.

A text can ask for more: `-- double: crash`, `hang`, `grow` (memory), `bloat` (a little), `babble` (no
reply), `forge REPLY`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path


class Elaborator:
    """The environments of one REPL: for each, the source that led to it."""

    def __init__(self, lean: str, recorded: Mapping[str, object] | None = None) -> None:
        self._lean, self._recorded = lean, recorded or {}
        self.sources: list[str] = []

    def run(self, request: Mapping[str, object]) -> Mapping[str, object]:
        """The reply to one request."""
        command, environment = str(request["cmd"]), request.get("env")
        for start, reply in self._recorded.items():
            if command.startswith(start):
                self.sources.append("")
                return reply  # type: ignore[return-value]
        before = ""
        if environment is not None:
            if type(environment) is not int or not 0 <= environment < len(self.sources):
                return {"message": "Unknown environment."}
            before = self.sources[environment]
        command = command if command.endswith("\n") else command + "\n"
        found = [m for m in self._elaborate(before + command) if m["pos"]["line"] > before.count("\n")]
        if environment is None:  # the real one says nothing about an import that failed
            found = [m for m in found if not command.split("\n")[m["pos"]["line"] - 1].startswith("import ")]
        self.sources.append(before + command)
        reply: dict[str, object] = {"env": len(self.sources) - 1}
        if found:
            reply["messages"] = [_message(m, before.count("\n")) for m in found]
        sorries = [_message(m, before.count("\n")) for m in found if m["kind"] == "hasSorry"]
        if sorries:
            reply["sorries"] = [
                {"pos": s["pos"], "endPos": s["endPos"], "goal": "⊢ ?", "proofState": 0} for s in sorries
            ]
        return reply

    def _elaborate(self, text: str) -> list[dict]:
        with tempfile.TemporaryDirectory(prefix="repl-double-") as folder:
            Path(folder, "a.lean").write_text(text, "utf-8")
            done = subprocess.run(
                [self._lean, "-j2", "-DmaxErrors=0", "--json", "a.lean"],
                cwd=folder,
                capture_output=True,
                stdin=subprocess.DEVNULL,
            )
        if done.returncode not in (0, 1):
            os.abort()  # in the real one, that was this process
        return [json.loads(line) for line in done.stdout.decode().split("\n") if line]


HOARD: list[bytes] = []


def _message(found: dict, lines: int) -> dict:
    moved = {key: found[key] and {**found[key], "line": found[key]["line"] - lines} for key in ("pos", "endPos")}
    severity = {"information": "info"}.get(found["severity"], found["severity"])
    return {"severity": severity, **moved, "data": found["data"]}


def misbehave(command: str) -> None:
    if "-- double: crash" in command:
        os.abort()
    if "-- double: hang" in command:
        time.sleep(600)
    if "-- double: babble" in command:
        sys.stdout.write("not a reply\n\n")
        sys.stdout.flush()
    if command.startswith("-- double: forge "):
        sys.stdout.write(command.split("\n")[0].removeprefix("-- double: forge ") + "\n\n")
        sys.stdout.flush()
    if "-- double: bloat" in command:
        HOARD.append(b"x" * (64 << 20))
    if "-- double: grow" in command:
        hoard = []
        while True:
            hoard.append(b"x" * (16 << 20))
            time.sleep(0.01)


def main(lean: str, recorded: str | None = None) -> None:
    elaborator = Elaborator(lean, json.loads(Path(recorded).read_text("utf-8")) if recorded else None)
    lines: list[str] = []
    for line in sys.stdin:
        if line.strip():
            lines.append(line)
            continue
        if not lines:
            return
        request = json.loads("".join(lines))  # malformed: the real one dies too
        lines = []
        misbehave(str(request.get("cmd", "")))
        sys.stdout.write(json.dumps(elaborator.run(request), indent=1, ensure_ascii=False) + "\n\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
