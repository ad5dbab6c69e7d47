"""What this process and its children hold on the machine, to be compared before and after; for Linux, by /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Footprint", "descendants", "footprint", "resident_bytes"]


@dataclass(frozen=True)
class Footprint:
    """Two of these are equal when nothing was left behind in between.

    Attributes:
        processes: the process ids of all descendants.
        zombies: those of them that have ended and were not waited for.
        descriptors: how many this process has open.
        mounts: the lines of its mount table.
        ipc: the lines of the tables of System V shared memory, semaphores and message queues.
        files: paths below the directories asked for.
    """

    processes: frozenset[int]
    zombies: frozenset[int]
    descriptors: int
    mounts: tuple[str, ...]
    ipc: tuple[str, ...]
    files: frozenset[str]


def footprint(*directories: Path) -> Footprint:
    """The footprint now; files are those below `directories`."""
    processes = descendants()
    return Footprint(
        frozenset(processes),
        frozenset(pid for pid, state in processes.items() if state == "Z"),
        len(os.listdir("/proc/self/fd")),
        tuple(Path("/proc/self/mountinfo").read_text().splitlines()),
        tuple(line.split()[1] for table in ("shm", "sem", "msg") for line in _table(table)),
        frozenset(str(path) for directory in directories for path in directory.rglob("*")),
    )


def _table(name: str) -> list[str]:
    try:
        return Path(f"/proc/sysvipc/{name}").read_text().splitlines()[1:]
    except OSError:  # a kernel without System V IPC
        return []


def descendants() -> dict[int, str]:
    """The processes below this one, each with its state's letter."""
    found: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            except OSError:
                continue
            found[int(entry.name)] = (int(parent), state)
    below: dict[int, str] = {}
    frontier = {os.getpid()}
    while frontier:
        frontier = {pid for pid, (parent, _) in found.items() if parent in frontier and pid not in below}
        below |= {pid: found[pid][1] for pid in frontier}
    return below


def resident_bytes(pid: int) -> int:
    """The physical memory that a process of ours has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
