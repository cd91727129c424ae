"""Which part of a storm of log-ins makes guarded requests wait: each by itself, and then all together."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from benchmarks import report, storm
from benchmarks import store as s
from benchmarks.servers import Server

# On whichever core is free, as those of a server.
_HASHES = """
import os
from keyhouse.directory import argon2id
os.sched_setaffinity(0, range(os.cpu_count()))
argon2id.step_back()
while True:
    argon2id.CONTEXT.hash("a long enough passphrase")
"""


@dataclass(frozen=True)
class Part:
    """`factory` is the application; without `blows`, hashes of a program that is none of its are beside it."""

    title: str
    factory: str
    blows: bool = True


PARTS = {
    "hashes": Part("hashes of another program", "create", blows=False),
    "refused": Part("log-ins that are all sent away", "create_full"),
    "unhashed": Part("log-ins whose hashes take no processor", "create_unhashed"),
    "storm": Part("the whole storm", "create"),
}


@contextmanager
def hashing() -> Iterator[None]:
    """One hash after the other in a process that steps back as ours do."""
    process = subprocess.Popen([sys.executable, "-c", _HASHES])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def measured(rounds: int, seconds: float) -> dict[str, storm.Compared]:
    """Each part in a server of its own."""
    found = {}
    store = s.make("storm-anatomy", 10)
    for name, part in PARTS.items():
        print(part.title, flush=True)
        server = store.serve(workers=1, core=None, factory=part.factory)
        try:
            beside = _blowing(store, server) if part.blows else hashing
            found[name] = storm.compare(server, store.request(0), beside, rounds, seconds)
        finally:
            server.stop()
    return found


def _blowing(store: s.Store, server: Server) -> Callable[[], AbstractContextManager[None]]:
    return lambda: storm.blowing(store, server.address, Counter())


def table(found: dict[str, storm.Compared]) -> str:
    rows = [[PARTS[name].title, f"{one.ratio:.2f}"] for name, one in found.items()]
    return report.table(["beside guarded requests", "p99 ÷ alone"], rows)
