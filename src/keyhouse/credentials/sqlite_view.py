"""The view on SQLite: each request reads for itself whether anything was committed."""

import sqlite3
from math import inf
from pathlib import Path
from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects import sqlite

from keyhouse.clock import Clock
from keyhouse.credentials import changes, state, wal_index
from keyhouse.credentials.cache import StateCache
from keyhouse.credentials.state import Reading, State
from keyhouse.credentials.view import View
from keyhouse.errors import Failure, unavailable
from keyhouse.tokens import TokenUse


class SqliteView(View):
    """Reads the header of SQLite's WAL-index in memory, and where that is not to be had, `PRAGMA data_version`.

    Both on a synchronous connection of its own. It keeps the memory there, and it never writes and is never inside a
    transaction: `data_version` is blind to its own connection's writes, inside a read transaction and under an open
    cursor.
    """

    def __init__(self, path: Path, clock: Clock, cache: StateCache | None = None) -> None:
        super().__init__(clock, cache)
        self._path = path
        self._cursor: sqlite3.Cursor | None = None
        self._header: memoryview | None = None
        self._version: bytes | int | None = None
        self._latest = 0.0
        self._confirmation = _compile(changes.confirmation("sqlite"))
        self._statements = {use: _compile(state.statement(use, "sqlite")) for use in TokenUse}

    def held(self, credential_id: str) -> State | None:
        self._follow()
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

    def _follow(self) -> None:
        """Any commit of anybody moves the version; only then is the log looked at."""
        try:
            if self._cursor is None:
                self._connect()
            # Before the log is asked: what is committed while it answers must show at the next request.
            version = self._rows("PRAGMA data_version")[0][0] if self._header is None else self._header.tobytes()
            if version != self._version:
                asked = self.clock.elapsed()
                self.confirm(asked, *changes.read(self._rows(self._confirmation, self.since)))
                # Kept only now: had the log not been read, the next request must find that the version moved.
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

    def _connect(self) -> sqlite3.Cursor:
        """Decides with each connection anew where its version is read: the two kinds are not to be compared."""
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            # Reads the file as well, and with that SQLite maps the index.
            mode = connection.execute("PRAGMA journal_mode").fetchall()[0][0]
        except sqlite3.Error:
            connection.close()
            raise
        self._cursor = connection.cursor()
        # In another mode this connection keeps no mapping, and one that is there goes when somebody else's goes.
        self._header = wal_index.header(self._path) if mode == "wal" else None
        return self._cursor

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        cursor = self._cursor or self._connect()
        # To the last row: under an open cursor the counter stands still.
        return cursor.execute(statement, values).fetchall()

    def _distrust(self) -> None:
        """After an error the file may be another one."""
        self._version = None
        self.cache.clear()
        if self._header is not None:
            # First, for whoever might still hold it: reading it is an error from now on, and not a dead process.
            self._header.release()
            self._header = None
        if self._cursor is not None:
            self._cursor.connection.close()
            self._cursor = None


def _compile(statement: Select[*tuple[Any, ...]]) -> str:
    return str(statement.compile(dialect=sqlite.dialect(paramstyle="qmark")))
