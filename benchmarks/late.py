"""Does anything get in after the answer to a revocation? Many clients, several workers, one clock.

One thread sends everything, so "began after the answer" is a comparison of two readings of one clock. Keys are
revoked in batches, each by itself (a key may always delete itself), while the same keys are used on other connections
before, during and after. A request that was sent after the answer to its key's revocation had come, and was let in
all the same, is a late acceptance: there must be none.
"""

from __future__ import annotations

import itertools
import select
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field

from benchmarks import load, revocation, servers
from benchmarks.load import Address, Connection
from benchmarks.store import Store, key_id

TRAFFIC = 64  # connections, so that each of the workers gets some
BATCH = 50  # keys revoked at a time: on PostgreSQL each answer waits a second


@dataclass
class Late:
    requests: int = 0
    revocations: int = 0
    accepted_late: int = 0
    unexpected: Counter[str] = field(default_factory=Counter)  # what and its status
    last_ms: list[float] = field(default_factory=list)  # from sending the revocation to the last acceptance's begin
    answer_ms: list[float] = field(default_factory=list)  # from sending the revocation to its answer

    def line(self) -> str:
        last = f"{statistics.median(self.last_ms):,.0f} ms median, {max(self.last_ms):,.0f} ms at most"
        answer = f"{statistics.median(self.answer_ms):,.0f} ms median"
        others = dict(self.unexpected) or "none"
        return (
            f"{self.requests:,} requests, {self.revocations:,} revocations: {self.accepted_late} acceptances after "
            f"the answer; last acceptance {last} after the revocation was sent, its answer {answer}; others: {others}"
        )


@dataclass
class Key:
    """One key of a batch and what happened to it, in seconds of one clock."""

    request: bytes
    ending: bytes
    sent: float | None = None
    answered: float | None = None
    accepted: float | None = None


def batch_of(store: Store, numbers: range) -> list[Key]:
    keys = []
    for number in numbers:
        path = store.path("/api/v1/companies/{company_id}/api-keys/") + key_id(number) + "/"
        ending = revocation.ending("DELETE", path, f"Bearer {store.token(number)}", None)
        keys.append(Key(store.request(number), ending))
    return keys


class Batch:
    """Drives one batch: `requests` over the traffic's connections, the revocations spread over the first half."""

    def __init__(self, address: Address, keys: list[Key], requests: int, late: Late) -> None:
        self.address = address
        self.keys = keys
        self.turn = itertools.cycle(keys)
        self.requests = requests
        self.late = late
        self.count = 0
        self.unanswered = len(keys)
        self.to_end = list(keys)
        self.poller = select.epoll()
        self.carrying: dict[int, tuple[Connection, Key, bool]] = {}
        self.traffic = [Connection(address) for _ in range(TRAFFIC)]
        for connection in self.traffic:
            self.poller.register(connection.socket, select.POLLIN)

    def run(self) -> None:
        # A tenth of the requests first, so that every worker knows the keys before the first of them dies.
        distance = max(1, int(self.requests * 0.4) // len(self.keys))
        following = self.requests // 10
        for connection in self.traffic:
            self.use(connection)
        while self.count < self.requests or self.unanswered:
            if self.count >= following and self.to_end:
                following += distance
                self.end(self.to_end.pop())
            ready = self.poller.poll(load.STUCK)
            if not ready:
                raise TimeoutError("no answer")
            for number, _ in ready:
                self.read(number)
        for connection, _, _ in self.carrying.values():
            connection.socket.close()

    def use(self, connection: Connection) -> None:
        key = next(self.turn)
        self.carrying[connection.socket.fileno()] = (connection, key, False)
        connection.began = time.perf_counter()
        connection.socket.sendall(key.request)

    def end(self, key: Key) -> None:
        connection = Connection(self.address)
        self.poller.register(connection.socket, select.POLLIN)
        self.carrying[connection.socket.fileno()] = (connection, key, True)
        key.sent = key.sent or time.perf_counter()
        connection.socket.sendall(key.ending)

    def read(self, number: int) -> None:
        connection, key, ending = self.carrying[number]
        part = connection.socket.recv(16384)
        if not part:
            raise ConnectionError("the server hung up")
        connection.held += part
        parsed = load.parse(connection.held)
        if parsed is None:
            return
        connection.held = b""
        status = parsed[0]
        if ending:
            self.ended(connection, key, status)
            return
        self.count += 1
        if status == 200:
            key.accepted = connection.began
            if key.answered is not None and connection.began > key.answered:
                self.late.accepted_late += 1
        elif status != 401 or key.sent is None:
            self.late.unexpected[f"request {status}"] += 1
        self.use(connection)

    def ended(self, connection: Connection, key: Key, status: int) -> None:
        """Anything but 204 promises nothing: the revocation is sent again, as a client would."""
        del self.carrying[connection.socket.fileno()]
        self.poller.unregister(connection.socket)
        connection.socket.close()
        if status == 204:
            key.answered = time.perf_counter()
            self.unanswered -= 1
        else:
            self.late.unexpected[f"revocation {status}"] += 1
            self.to_end.append(key)

    def tell(self) -> None:
        self.late.requests += self.count
        for key in self.keys:
            assert key.sent is not None
            assert key.answered is not None
            self.late.revocations += 1
            self.late.answer_ms.append((key.answered - key.sent) * 1e3)
            if key.accepted is not None:
                self.late.last_ms.append((key.accepted - key.sent) * 1e3)


def hammer(store: Store, server: servers.Server, *, revocations: int, requests: int) -> Late:
    late = Late()
    batches = range(0, revocations, BATCH)
    for start in batches:
        keys = batch_of(store, range(start, min(start + BATCH, revocations)))
        batch = Batch(server.address, keys, requests // len(batches) + 1, late)
        batch.run()
        batch.tell()
        print(f"  {late.requests:,} requests, {late.revocations:,} revocations", end="\r", flush=True)
    print(" " * 60, end="\r")
    return late
