"""`python -m benchmarks anatomy`: where a warm request's time goes, without sockets and other servers.

The application is called as the HTTP server calls it. So these are microseconds of the application alone, and the steps
between them are what a dependency, the guard and, on SQLite, the look for commits add. Then a storm of log-ins, part by
part.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import uvloop
from fastapi import FastAPI
from starlette.types import ASGIApp

from benchmarks import ours, ours_app, report, storm_anatomy
from benchmarks import store as s
from keyhouse.app import entrance
from keyhouse.credentials import wal_index

CALLS = 10_000
TITLES = {
    "plain": "no dependency",
    "empty": "an empty dependency",
    "uncounted": "the guard without a look at SQLite's log",
    "guarded": "the guard",
}


def without_counter() -> FastAPI:
    """A guard that would let a revoked key in: to see what looking for commits costs."""
    app = ours_app.reference(ours_app.guarded)
    app.state.keyhouse.view._follow = lambda: None  # noqa: SLF001 - nothing public leaves it out
    return app


VARIANTS: dict[str, Callable[[], FastAPI]] = {
    "plain": lambda: ours_app.reference(ours_app.without),
    "empty": lambda: ours_app.reference(ours_app.empty),
    "uncounted": without_counter,
    "guarded": lambda: ours_app.reference(ours_app.guarded),
}


class Caller:
    """Calls an application with the same request again and again."""

    def __init__(self, app: ASGIApp, path: str, token: str) -> None:
        self._app = app
        self._path = path
        self._headers = [(b"host", b"bench"), (b"authorization", b"Bearer " + token.encode())]
        self._status = 0

    async def call(self, times: int) -> float:
        """Microseconds of processor time for each call."""
        began = time.process_time()
        for _ in range(times):
            await self._app(self._scope(), self._receive, self._send)
            # A request has a turn of the event loop to itself.
            await asyncio.sleep(0)
        taken = time.process_time() - began
        if self._status != 200:
            raise RuntimeError(f"the application answered {self._status}")
        return taken / times * 1e6

    def _scope(self) -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": self._path,
            "raw_path": self._path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": self._headers,
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 40000),
            "state": {},
        }

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]


async def alone(name: str, path: str, token: str) -> float:
    """Microseconds of a warm request of this variant, the only one in its process."""
    app = VARIANTS[name]()
    async with app.router.lifespan_context(app):
        caller = Caller(entrance(app), path, token)
        await caller.call(CALLS // 10)
        gc.freeze()
        return await caller.call(CALLS)


def measured(store: s.Store, rounds: int) -> dict[str, list[float]]:
    """Each variant in turn, again and again, always in a new process: of several applications in one, the later ones
    find their memory scattered, and the same code takes a tenth more.
    """
    found: dict[str, list[float]] = {name: [] for name in VARIANTS}
    whose = [store.path(ours_app.PATH), store.token(0)]
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        for name in VARIANTS:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.anatomy", name, *whose],
                env={**os.environ, **store.environment},
                stdout=subprocess.PIPE,
                # The log's lines.
                stderr=subprocess.DEVNULL,
                check=True,
            )
            found[name].append(float(done.stdout))
    return found


def in_a_loop(work: Callable[[], object], times: int = 100_000) -> float:
    """Microseconds of something done again and again, with nothing in between."""
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e6


def _header(store: s.Store) -> Callable[[], object]:
    """Reads what `SqliteView` reads at each request."""
    path = store.folder / "keyhouse.db"
    keeping = sqlite3.connect(path)
    keeping.execute("SELECT 1 FROM change_head").fetchall()
    header = wal_index.header(path)
    if header is None:
        keeping.close()
        return lambda: None
    before = header.tobytes()

    def read() -> bool:
        # With the connection: while that is open, the memory is there.
        return keeping is not None and header.tobytes() == before

    return read


def main(options: argparse.Namespace) -> int:
    store = s.make("anatomy", 10)
    taken = measured(store, max(1, options.rounds // 4))
    # Whatever else runs on the machine only adds.
    least = {name: min(found) for name, found in taken.items()}
    cursor = sqlite3.connect(store.folder / "keyhouse.db", isolation_level=None).cursor()
    token = store.token(0).encode()
    loops = {
        "header of the WAL-index": in_a_loop(_header(store)),
        "PRAGMA data_version": in_a_loop(lambda: cursor.execute("PRAGMA data_version", ()).fetchall()),
        "BLAKE2b of a token": in_a_loop(lambda: hashlib.blake2b(token).digest()),
        "SHA-256 of one": in_a_loop(lambda: hashlib.sha256(token).digest()),
    }
    steps = {"empty": "plain", "uncounted": "empty", "guarded": "uncounted"}
    rows = [
        [TITLES[name], f"{least[name]:.1f}", f"{least[name] - least[steps[name]]:+.1f}" if name in steps else ""]
        for name in VARIANTS
    ]
    print(report.table(["one request, in one process", "µs", "step"], rows))
    for name, cost in loops.items():
        print(f"{name}, in a loop: {cost:.1f} µs")
    stormy = storm_anatomy.measured(max(1, options.rounds // ours.LONGER), options.seconds * ours.LONGER)
    print(storm_anatomy.table(stormy))
    kept = {name: {**asdict(one), "ratio": one.ratio} for name, one in stormy.items()}
    report.keep(options.results, "anatomy", {"least_us": least, "loops_us": loops, "rounds_us": taken, "storm": kept})
    return 0


if __name__ == "__main__":
    print(uvloop.run(alone(*sys.argv[1:])))
