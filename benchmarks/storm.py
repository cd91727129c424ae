"""Guarded traffic at an even pace, alone and beside a storm of log-ins.

Run as a program it is the storm: 200 clients that log in again and again, waiting as long as `Retry-After` says when
they are sent away.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from statistics import median

from benchmarks import load
from benchmarks.load import Address
from benchmarks.servers import Server
from benchmarks.store import Store

CLIENTS = 200
CONNECTIONS = 16
PACE = 500  # requests per second, far below what the server could do: what is measured is waiting, not work


def paced(address: Address, request: bytes, seconds: float) -> list[float]:
    """Latencies in seconds, at an even pace whatever the answers take: over one connection, a client that waits for an
    answer before it asks again would slow down together with the server, or measure its own queue.
    """
    idle = [load.Connection(address) for _ in range(CONNECTIONS)]
    poller = selectors.DefaultSelector()
    for connection in idle:
        connection.socket.settimeout(load.STUCK)
        poller.register(connection.socket, selectors.EVENT_READ, connection)
    latencies: list[float] = []
    due = time.perf_counter()
    until = due + seconds
    while due < until or len(idle) < CONNECTIONS:
        waits = due < until and idle
        for key, _ in poller.select(max(0.0, due - time.perf_counter()) if waits else load.STUCK):
            if _answered(key.data):
                latencies.append(time.perf_counter() - key.data.began)
                idle.append(key.data)
        now = time.perf_counter()
        if due < until and now >= due and idle:
            connection = idle.pop()
            # The machine wakes us late; only where no connection was free the server is to blame for that.
            connection.began = now if waits else due
            connection.socket.sendall(request)
            due += 1 / PACE
    poller.close()
    for connection in idle:
        connection.socket.close()
    return latencies


def _answered(connection: load.Connection) -> bool:
    """Whether the answer is there whole. Raises RuntimeError for one that is not 200."""
    connection.held += connection.socket.recv(65536)
    parsed = load.parse(connection.held)
    if parsed is None:
        return False
    connection.held = b""
    if parsed[0] != HTTPStatus.OK:
        raise RuntimeError(f"the guarded request got {parsed[0]}")
    return True


@dataclass
class Compared:
    """Rounds of guarded traffic alone and beside something: the 99th percentiles in milliseconds, and the share of the
    time in which the event loop worked.
    """

    p99_ms_alone: list[float] = field(default_factory=list)
    p99_ms_in_the_storm: list[float] = field(default_factory=list)
    busy_alone: list[float] = field(default_factory=list)
    busy_in_the_storm: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return median(b / a for a, b in zip(self.p99_ms_alone, self.p99_ms_in_the_storm, strict=True))


def compare(
    server: Server, request: bytes, beside: Callable[[], AbstractContextManager[None]], rounds: int, seconds: float
) -> Compared:
    """Each round alone first, then beside what `beside` begins and ends."""
    found = Compared()

    def measure(p99_ms: list[float], busy: list[float]) -> str:
        before = server.loop_cpu()
        p99_ms.append(percentile(paced(server.address, request, seconds), 0.99) * 1e3)
        busy.append((server.loop_cpu() - before) / seconds)
        return f"p99 {p99_ms[-1]:.2f} ms and the loop busy {busy[-1]:.0%}"

    paced(server.address, request, seconds)
    for number in range(1, rounds + 1):
        alone = measure(found.p99_ms_alone, found.busy_alone)
        with beside():
            told = measure(found.p99_ms_in_the_storm, found.busy_in_the_storm)
        print(f"  round {number}: {alone} alone, {told} beside it", flush=True)
    return found


def percentile(latencies: list[float], share: float) -> float:
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@contextmanager
def blowing(store: Store, address: Address, seen: Counter[str]) -> Iterator[None]:
    """The storm in a process of its own, so that the paced client keeps its pace; `seen` counts its answers."""
    root = str(Path(__file__).parent.parent)
    storm = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.storm", str(address[1])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert storm.stdin is not None
    assert storm.stdout is not None
    storm.stdin.write(json.dumps({"email": store.email, "password": store.password}) + "\n")
    storm.stdin.flush()
    storm.stdout.readline()  # it blows
    try:
        yield
    finally:
        output, _ = storm.communicate("stop\n", timeout=60)
        seen.update(json.loads(output))


async def client(port: int, request: bytes, seen: Counter[str], after: float) -> None:
    await asyncio.sleep(after)
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = b""
        while (parsed := load.parse(answer)) is None:
            answer += await reader.read(65536)
        writer.close()
        seen[str(parsed[0])] += 1
        if parsed[0] != 200:
            fields = answer.lower().partition(b"retry-after:")[2]
            await asyncio.sleep(float(fields.split(b"\r\n")[0] or 1))


async def blow(port: int) -> None:
    content = sys.stdin.readline().strip().encode()
    head = f"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(content)}\r\n"
    request = f"{head}Content-Type: application/json\r\n\r\n".encode() + content
    seen: Counter[str] = Counter()
    # Not all in one instant: for as long as that lasts it would measure nothing but 200 connections being opened.
    clients = [asyncio.create_task(client(port, request, seen, number / CLIENTS)) for number in range(CLIENTS)]
    print("blowing", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for one in clients:
        one.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(blow(int(sys.argv[1])))
