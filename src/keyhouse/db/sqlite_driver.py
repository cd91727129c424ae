"""The SQLite driver with one turn of its thread for each statement, instead of four.

Each turn ends by waiting for the event loop, and while a transaction that writes waits, every other writer on the
machine does. On a worker that is busy with requests the turns, not the disk, are what a transaction takes.
"""

import sqlite3
from collections.abc import Iterable
from functools import partial
from typing import Any

import aiosqlite
from aiosqlite.context import contextmanager


class Cursor(aiosqlite.Cursor):
    """Fetches all rows in the turn in which it executes; to make it and to close it takes none."""

    _rows: list[Any]

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> "Cursor":
        self._rows = await self._execute(  # type: ignore[no-untyped-call] # untyped there
            self._execute_and_fetch, sql, () if parameters is None else parameters
        )
        return self

    def _execute_and_fetch(self, sql: str, parameters: Iterable[Any]) -> list[Any]:
        self._cursor.execute(sql, parameters)  # type: ignore[arg-type] # as the driver itself hands them on
        return self._cursor.fetchall()

    async def fetchall(self) -> Iterable[Any]:
        return self._rows

    async def close(self) -> None:
        self._cursor.close()


class Connection(aiosqlite.Connection):
    """Makes such cursors."""

    @contextmanager
    async def cursor(self) -> aiosqlite.Cursor:
        return Cursor(self, self._conn.cursor())


def connect(database: str, **options: Any) -> Connection:
    """A connection that is opened when it is awaited. Its thread ends with the process."""
    made = Connection(partial(sqlite3.connect, database, **options), iter_chunk_size=64)
    made._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does to those that it makes itself
    return made
