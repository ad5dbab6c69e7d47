"""The server under load: many clients at once, for a minute, against a real server process with the real sandbox.

    python benchmarks/server_load.py [--clients 200] [--seconds 60] [--items 160] [--workers 4] [--seed 0] [--json]

Each client asks again as soon as it has its answer. Six of ten requests go to a verifier that answers at once, three
are a program for the verifier `program` (right, wrong, raising, and now and then one that never ends), one is a batch
of eight of both. No two candidates are equal, so nothing is shared or stored. For each, the right outcome is known.

    done         requests that were answered in full with the right verdicts
    lost         all others, each of them one too many; requests turned away with 429 are tried again, and counted
    latency      of requests that were let in, from sending the request to the end of its answer
    health       latency of GET /health meanwhile, asked for twenty times a second by a process of its own
    memory       resident set of the server's process at the start, in the middle and at the end

At the end the server gets SIGTERM, and has to exit with status 0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx

from proofgrad import verifiers
from proofgrad.verifiers.base import Problem, Verdict
from proofgrad.verifiers.server import ServerLimits, serve

PROBLEM = {"entry_point": "add", "tests": [{"args": [n, 2], "expected": n + 2} for n in range(8)]}
PROGRAMS = [  # weight, the right outcome, seconds that it may take, source
    (49, "pass", 10.0, "def add(a, b):\n    return a + b\n"),
    (25, "fail", 10.0, "def add(a, b):\n    return a - b\n"),
    (25, "fail", 10.0, "def add(a, b):\n    return [][a]\n"),
    (1, "fail", 1.0, "def add(a, b):\n    while True: pass\n"),
]
BATCH = 8
HEALTH_EVERY_S = 0.05

Item = tuple[str, dict[str, Any]]  # the right outcome, and what is sent


class Quick:
    """Passes candidates that say so."""

    name, version = "quick", "1"

    def verify(self, problem: Problem, candidate: str) -> Verdict:
        """PASS or FAIL, at once."""
        return Verdict.passed("quick.ok") if candidate.startswith("pass") else Verdict.failed("quick.no")


@dataclass
class Tally:
    """What came of the requests."""

    done: int = 0
    verdicts: int = 0
    turned_away: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """The figures; latencies in milliseconds, memory in MiB."""

    clients: int
    seconds: float
    done: int
    verdicts: int
    turned_away: int
    lost: int
    lost_why: dict[str, int]
    latency_p50_ms: float
    latency_p95_ms: float
    latency_p99_ms: float
    health_asked: int
    health_failed: int
    health_p50_ms: float
    health_p99_ms: float
    rss_start_mib: float
    rss_middle_mib: float
    rss_end_mib: float
    exit_status: int


def be_the_server(items: int, workers: int) -> None:
    """What the server process does."""
    program = verifiers.get("program")
    limits = ServerLimits(items=items, batch_items=BATCH)
    serve(
        {"program": program, "quick": Quick()},
        port=0, limits=limits, workers=workers, announce=lambda url: print(url, flush=True),
    )  # fmt: skip


def draw(rng: random.Random, number: int, client: int) -> list[Item]:
    """The items of a client's next request; one of them is a request by itself."""
    kind = rng.random()
    if kind >= 0.9:
        return [one(rng, rng.random() < 0.5, f"{client}.{number}.{i}") for i in range(BATCH)]
    return [one(rng, kind >= 0.6, f"{client}.{number}")]


def one(rng: random.Random, is_program: bool, name: str) -> Item:
    """A candidate like no other."""
    if is_program:
        outcome, seconds, source = rng.choices([p[1:] for p in PROGRAMS], [p[0] for p in PROGRAMS])[0]
        problem = {**PROBLEM, "timeout_s": seconds}
        return outcome, {"verifier": "program", "problem": problem, "candidate": f"{source}# {name}\n"}
    outcome = rng.choice(["pass", "fail"])
    return outcome, {"verifier": "quick", "problem": {}, "candidate": f"{outcome} {name}"}


async def be_a_client(web: httpx.AsyncClient, client: int, seed: int, until: float, tally: Tally) -> None:
    """Ask until the time is over, and then finish what was begun."""
    rng = random.Random(f"{seed}.{client}")
    number = 0
    while time.monotonic() < until:
        number += 1
        items = draw(rng, number, client)
        try:
            wrong = await ask(web, items, rng, tally)
        except (httpx.HTTPError, ValueError, KeyError) as error:
            wrong = type(error).__name__
        if wrong:
            tally.lost[wrong] += 1
        else:
            tally.done += 1
            tally.verdicts += len(items)


async def ask(web: httpx.AsyncClient, items: Sequence[Item], rng: random.Random, tally: Tally) -> str:
    """What is wrong with the verdicts; nothing when each item got the right one."""
    while True:
        start = time.monotonic()
        if len(items) == 1:
            reply = await web.post("/verify", json=items[0][1])
        else:
            body = {"items": [{"id": str(i), **item} for i, (_, item) in enumerate(items)]}
            reply = await web.post("/verify_batch", json=body)
        if reply.status_code != 429:
            break
        tally.turned_away += 1
        await asyncio.sleep(float(reply.headers["retry-after"]) * rng.uniform(1.0, 1.5))
    reply.raise_for_status()
    tally.seconds.append(time.monotonic() - start)
    if len(items) == 1:
        verdicts = {"0": reply.json()}
    else:
        verdicts = {line["id"]: line["verdict"] for line in map(json.loads, reply.text.splitlines())}
    for i, (outcome, _) in enumerate(items):
        verdict = verdicts.pop(str(i))
        if verdict["outcome"] != outcome:
            return f"{verdict['outcome']} {verdict['reason']} in place of {outcome}"
    return "items that were not asked for" if verdicts else ""


async def load(url: str, clients: int, seconds: float, seed: int, tally: Tally) -> None:
    """All clients at once."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=120.0) as web:
        until = time.monotonic() + seconds
        await asyncio.gather(*(be_a_client(web, n, seed, until, tally) for n in range(clients)))


def watch_health(url: str, pipe: Connection) -> None:
    """Ask for /health until told to stop; then hand over the latencies, with -1 for a failure."""
    found: list[float] = []
    with httpx.Client(base_url=url, timeout=30.0) as web:
        while not pipe.poll(HEALTH_EVERY_S):
            start = time.monotonic()
            try:
                is_well = web.get("/health").status_code == 200
            except httpx.HTTPError:
                is_well = False
            found.append(time.monotonic() - start if is_well else -1.0)
    pipe.send(found)


def resident_mib(pid: int) -> float:
    """The resident set of a process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def quantile(values: Sequence[float], q: float) -> float:
    """In milliseconds; 0 for nothing."""
    ordered = sorted(values)
    return 1000 * ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else 0.0


def measure(clients: int, seconds: float, items: int, workers: int, seed: int) -> Report:
    """Start a server, load it, end it."""
    command = [sys.executable, os.path.abspath(__file__), "--be-the-server"]
    command += ["--items", str(items), "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = (server.stdout.readline() if server.stdout else "").strip()
            return _measure(server, url, clients, seconds, seed)
        finally:
            server.kill()


def _measure(server: subprocess.Popen[str], url: str, clients: int, seconds: float, seed: int) -> Report:
    memory = [resident_mib(server.pid)]
    middle = threading.Timer(seconds / 2, lambda: memory.append(resident_mib(server.pid)))
    ours, theirs = multiprocessing.Pipe()
    watcher = multiprocessing.get_context("spawn").Process(target=watch_health, args=(url, theirs), daemon=True)
    watcher.start()
    middle.start()
    tally = Tally()
    start = time.monotonic()
    asyncio.run(load(url, clients, seconds, seed, tally))
    took = time.monotonic() - start
    middle.join()
    memory.append(resident_mib(server.pid))
    ours.send("stop")
    health: list[float] = ours.recv() if ours.poll(60) else [-1.0]
    watcher.join(10)
    server.send_signal(signal.SIGTERM)
    status = server.wait(60)
    well = [latency for latency in health if latency >= 0]
    return Report(
        clients=clients,
        seconds=round(took, 1),
        done=tally.done,
        verdicts=tally.verdicts,
        turned_away=tally.turned_away,
        lost=tally.lost.total(),
        lost_why=dict(tally.lost),
        latency_p50_ms=round(quantile(tally.seconds, 0.5), 1),
        latency_p95_ms=round(quantile(tally.seconds, 0.95), 1),
        latency_p99_ms=round(quantile(tally.seconds, 0.99), 1),
        health_asked=len(health),
        health_failed=len(health) - len(well),
        health_p50_ms=round(quantile(well, 0.5), 1),
        health_p99_ms=round(quantile(well, 0.99), 1),
        rss_start_mib=round(memory[0], 1),
        rss_middle_mib=round(memory[1], 1),
        rss_end_mib=round(memory[2], 1),
        exit_status=status,
    )


def main() -> None:
    """Run it once and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--items", type=int, default=160, help="that the server lets in at once")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--be-the-server", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.be_the_server:
        be_the_server(arguments.items, arguments.workers)
        return
    report = measure(arguments.clients, arguments.seconds, arguments.items, arguments.workers, arguments.seed)
    if arguments.json:
        print(json.dumps(asdict(report)))
        return
    print(f"{report.clients} clients for {report.seconds} s: {report.done} requests done, {report.verdicts} verdicts")
    print(
        f"lost: {report.lost} {report.lost_why or ''}".rstrip() + f"; turned away and tried again: {report.turned_away}"
    )
    print(f"verdicts a second: {report.verdicts / report.seconds:.0f}")
    print(f"latency   p50 {report.latency_p50_ms} ms, p95 {report.latency_p95_ms} ms, p99 {report.latency_p99_ms} ms")
    print(
        f"/health   p50 {report.health_p50_ms} ms, p99 {report.health_p99_ms} ms "
        f"({report.health_asked} asked, {report.health_failed} failed)"
    )
    print(
        f"memory    {report.rss_start_mib} MiB at the start, {report.rss_middle_mib} in the middle, "
        f"{report.rss_end_mib} at the end"
    )
    print(f"the server exited with {report.exit_status}")


if __name__ == "__main__":
    main()
