"""What Prometheus is told. No label holds anything that a client can make up.

Several workers share a folder that `PROMETHEUS_MULTIPROC_DIR` names, so that any of them answers for all.
"""

import asyncio
import contextlib
import os
from collections import Counter as Tally

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from keyhouse.credentials.view import View
from keyhouse.db import Database
from keyhouse.directory.passwords import PasswordHashing

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REFRESHED_EVERY = 1.0
_WAITS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 11.0)


class Metrics:
    """The registry of one application, filled by what happens and, once a second, by what stands."""

    def __init__(self, database: Database, view: View, hashing: PasswordHashing) -> None:
        self._database = database
        self._view = view
        self._hashing = hashing
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "keyhouse_requests", "Requests answered", ("method", "route", "status"), registry=registry
        )
        self._verdicts = Counter("keyhouse_verdicts", "Verdicts of the guard, by cause", ("cause",), registry=registry)
        self._hits = Counter("keyhouse_credential_cache_hits", "Verdicts from memory", registry=registry)
        self._misses = Counter("keyhouse_credential_cache_misses", "Verdicts that asked the store", registry=registry)
        self._waits = Histogram(
            "keyhouse_revocation_wait_seconds", "How long answers waited", buckets=_WAITS, registry=registry
        )
        self._staleness = self._gauge("keyhouse_revocation_staleness_seconds", "Age of a worker's view of revocations")
        self._entries = self._gauge("keyhouse_credential_cache_entries", "Credential states held")
        self._queue = self._gauge("keyhouse_password_queue", "Passwords being hashed or waiting for it")
        self._connections = self._gauge("keyhouse_database_connections_in_use", "Connections out of the pool")
        # Taken over once a second: the library takes a lock for each, and writes to a file where workers share one.
        self._answered: Tally[tuple[str, str, int, str | None]] = Tally()
        self._told = (0, 0)
        self._task: asyncio.Task[None] | None = None

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self._registry, multiprocess_mode="liveall")

    def request(self, method: str, route: str, status: int, verdict: str | None) -> None:
        """A request was answered. The verdict is that the guard let somebody in (`accepted`), or why it was refused."""
        self._answered[method if method in _METHODS else "other", route, status, verdict] += 1

    def revocation_waited(self, seconds: float) -> None:
        """An answer that says "dead" was kept back for so long."""
        self._waits.observe(seconds)

    def refresh(self) -> None:
        """Takes down what stands now."""
        answered, self._answered = self._answered, Tally()
        for (*labels, verdict), times in answered.items():
            self._requests.labels(*labels).inc(times)
            if verdict is not None:
                self._verdicts.labels(verdict).inc(times)
        hits, misses = self._view.hits, self._view.misses
        self._hits.inc(hits - self._told[0])
        self._misses.inc(misses - self._told[1])
        self._told = hits, misses
        self._staleness.set(self._view.staleness())
        self._entries.set(len(self._view.cache))
        self._queue.set(self._hashing.pending)
        self._connections.set(self._database.connections_in_use())

    def text(self) -> bytes:
        """Everything, in Prometheus' text format, of all workers that share the folder."""
        self.refresh()
        registry = self._registry
        if os.environ.get(SHARED_FOLDER):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # untyped there
        return generate_latest(registry)

    def open(self) -> None:
        self._task = asyncio.create_task(self._keep_refreshing())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self.refresh()
        if os.environ.get(SHARED_FOLDER):
            multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call] # as above

    async def _keep_refreshing(self) -> None:
        while True:
            self.refresh()
            await asyncio.sleep(_REFRESHED_EVERY)
