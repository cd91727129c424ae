"""The load generator: one thread, one epoll, N keep-alive connections, one request at a time on each.

It has to be far cheaper than what it measures, so a request is bytes made beforehand and an answer is recognised by how
it begins and ends. The end is the body that every server here sends, so each answer is checked whole; whatever looks
different is parsed properly and counted by its status.
"""

from __future__ import annotations

import gc
import itertools
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

Address = tuple[str, int]
OK = b"HTTP/1.1 2"
STUCK = 10.0  # seconds without any answer: the server is gone, not slow


def request_bytes(path: str, headers: dict[str, str]) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: bench", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def hot(requests: Sequence[bytes]) -> Iterator[bytes]:
    """The same token in every request."""
    return itertools.repeat(requests[0])


def in_turn(requests: Sequence[bytes]) -> Iterator[bytes]:
    """One token after the other, round and round."""
    return itertools.cycle(requests)


def once(requests: Sequence[bytes]) -> Iterator[bytes]:
    """Every token a single time; the run ends with the last."""
    return iter(requests)


@dataclass
class Run:
    """What one run saw. Latencies are in seconds, in the order in which the answers came."""

    seconds: float
    client_cpu: float
    latencies: list[float]
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def answers(self) -> int:
        return self.statuses.total()

    @property
    def wrong(self) -> int:
        return sum(count for status, count in self.statuses.items() if not 200 <= status < 300)

    @property
    def rate(self) -> float:
        return self.answers / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Connection:
    """One keep-alive connection; `held` is the part of an answer that came so far."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.held = b""
        self.began = 0.0
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(self.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def parse(answer: bytes) -> tuple[int, bytes, bool] | None:
    """Status, body, whether the connection stays; None while a part is missing."""
    head, blank, body = answer.partition(b"\r\n\r\n")
    if not blank:
        return None
    status = int(head[9:12])
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    if b"content-length" not in fields and status not in {204, 304}:
        raise RuntimeError(f"an answer without Content-Length: {head!r}")
    if len(body) < int(fields.get(b"content-length", 0)):
        return None
    return status, body, fields.get(b"connection", b"").strip() != b"close"


def probe(address: Address, request: bytes) -> tuple[int, bytes]:
    """One request by itself."""
    connection = Connection(address)
    with connection.socket:
        connection.socket.settimeout(STUCK)
        connection.socket.sendall(request)
        answer = b""
        while (parsed := parse(answer)) is None:
            part = connection.socket.recv(65536)
            if not part:
                raise ConnectionError(f"the server hung up after {answer!r}")
            answer += part
        return parsed[0], parsed[1]


def run(
    address: Address,
    stream: Iterator[bytes],
    *,
    seconds: float,
    connections: int = 16,
    body: bytes = b"\r\n\r\n",
    tick: Callable[[], None] | None = None,
) -> Run:
    """Send the stream until the time is up or the stream ends. `body` is how each good answer ends."""
    collecting = gc.isenabled()
    gc.disable()  # a collection over 10,000 prepared requests would show up as a slow server
    try:
        return _run(address, stream, seconds, connections, body, tick)
    finally:
        if collecting:
            gc.enable()


def _run(  # noqa: C901, PLR0912, PLR0915 - one loop on purpose: a call more per answer is what it would measure
    address: Address,
    stream: Iterator[bytes],
    seconds: float,
    connections: int,
    body: bytes,
    tick: Callable[[], None] | None,
) -> Run:
    poller = select.epoll() if hasattr(select, "epoll") else select.poll()
    following = stream.__next__
    clock = time.perf_counter
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    good = 0
    waiting: dict[int, Connection] = {}
    for _ in range(connections):
        connection = Connection(address)
        waiting[connection.socket.fileno()] = connection
        poller.register(connection.socket, select.POLLIN)
    cpu = time.process_time()
    began = now = clock()
    until = began + seconds
    busy = 0
    for connection in waiting.values():
        request = next(stream, None)
        if request is not None:
            connection.began = clock()
            connection.socket.sendall(request)
            busy += 1
    while busy:
        ready = poller.poll(STUCK if isinstance(poller, select.epoll) else STUCK * 1000)
        if not ready:
            raise TimeoutError(f"no answer within {STUCK:g} s")
        if tick is not None:
            tick()
        for number, _ in ready:
            connection = waiting[number]
            answer = connection.socket.recv(16384)
            if connection.held:
                answer = connection.held + answer
            stays = True
            if answer.startswith(OK) and answer.endswith(body):
                good += 1
            else:
                parsed = parse(answer)
                if parsed is None:
                    if answer == connection.held:
                        raise ConnectionError(f"the server hung up after {answer!r}")
                    connection.held = answer
                    continue
                statuses[parsed[0]] += 1
                stays = parsed[2]
            connection.held = b""
            now = clock()
            latencies.append(now - connection.began)
            if not stays:
                poller.unregister(connection.socket)
                connection.socket.close()
                del waiting[number]
                connection.open()
                waiting[connection.socket.fileno()] = connection
                poller.register(connection.socket, select.POLLIN)
            try:
                request = following() if now < until else None
            except StopIteration:
                request = None
            if request is None:
                busy -= 1
            else:
                connection.began = now
                connection.socket.send(request)
    statuses[200] += good
    elapsed = now - began
    for connection in waiting.values():
        connection.socket.close()
    return Run(elapsed, time.process_time() - cpu, latencies, statuses)
