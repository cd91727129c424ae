"""The view on SQLite: each request goes by a reading of the file's change counter that was made after it came in."""

import asyncio
import sqlite3
from math import inf
from pathlib import Path
from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects import sqlite

from keyhouse.clock import Clock
from keyhouse.credentials import changes, state
from keyhouse.credentials.cache import StateCache
from keyhouse.credentials.state import Reading, State
from keyhouse.credentials.view import View
from keyhouse.errors import Failure, unavailable
from keyhouse.tokens import TokenUse


class SqliteView(View):
    """Reads on a synchronous connection of its own that never writes and is never inside a transaction:
    `data_version` is blind to its own connection's writes, inside a read transaction and under an open cursor.
    """

    def __init__(self, path: Path, clock: Clock, cache: StateCache | None = None) -> None:
        super().__init__(clock, cache)
        self._path = path
        self._cursor: sqlite3.Cursor | None = None
        self._version: int | None = None
        self._looked: asyncio.AbstractEventLoop | None = None
        self._served: set[asyncio.Task[Any] | None] = set()
        self._latest = 0.0
        self._confirmation = _compile(changes.confirmation("sqlite"))
        self._statements = {use: _compile(state.statement(use, "sqlite")) for use in TokenUse}

    def held(self, credential_id: str) -> State | None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if self._looked is not loop or task in self._served:
            self._look(loop)
        self._served.add(task)
        found = self.cache.get(credential_id)
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
        return found

    async def load(self, use: TokenUse, credential_id: str) -> Reading:
        try:
            reading = state.read(use, credential_id, self._rows(self._statements[use], credential_id))
        except sqlite3.Error as error:
            raise unavailable(f"credential state: {error}") from error
        self.admit(reading)
        return reading

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """One reading serves each task once that is waiting already. A loop runs in the order of its queue, so whoever
        runs before `_look_again` was queued, and their request had come in, before the reading.
        """
        self._looked = None
        self._served.clear()
        # Before the reading: meanwhile another thread may queue who comes after it.
        loop.call_soon(self._look_again)
        self._follow()
        # A factory may run a task at once, which is in no queue: of a request that came in after the reading.
        if loop.get_task_factory() is None:
            self._looked = loop

    def _look_again(self) -> None:
        self._looked = None
        self._served.clear()

    def _follow(self) -> None:
        """Any commit of anybody moves the counter; only then is the log looked at."""
        try:
            version = self._rows("PRAGMA data_version")[0][0]
            if version != self._version:
                asked = self.clock.elapsed()
                self.confirm(asked, *changes.read(self._rows(self._confirmation, self.since)))
                # Kept only now: had the log not been read, the next request must find the counter moved again.
                self._version = version
        except sqlite3.Error as error:
            self._distrust()
            raise unavailable(f"freshness: {error}") from error

    def staleness(self) -> float:
        try:
            self._follow()
        except Failure:
            return inf
        return 0.0

    def now(self) -> float:
        now = self.clock.wall()
        if now < self._latest:
            return self._latest
        self._latest = now
        return now

    async def open(self) -> None:
        self._follow()

    async def close(self) -> None:
        # Another connection counts from where it begins: its number may be the same after a change.
        self._distrust()

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        if self._cursor is None:
            self._cursor = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=0,
                isolation_level=None,
                check_same_thread=False,
            ).cursor()
        # To the last row: under an open cursor the counter stands still.
        return self._cursor.execute(statement, values).fetchall()

    def _distrust(self) -> None:
        """After an error the file may be another one."""
        self._version = None
        self.cache.clear()
        if self._cursor is not None:
            self._cursor.connection.close()
            self._cursor = None


def _compile(statement: Select[*tuple[Any, ...]]) -> str:
    return str(statement.compile(dialect=sqlite.dialect(paramstyle="qmark")))
