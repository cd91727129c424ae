"""The SQLite driver with one turn of its thread for each statement and one for the commit, instead of four for each.

Each turn ends by waiting for the event loop, and while a transaction that writes waits, every other writer on the
machine does. On a worker that is busy with requests the turns, not the disk, are what a transaction takes.
"""

import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import aiosqlite
from aiosqlite.context import contextmanager


class Cursor(aiosqlite.Cursor):
    """Fetches all rows in the turn in which it executes; to make it and to close it takes none."""

    _conn: "Connection"
    _rows: list[Any]

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> "Cursor":
        if sql == "BEGIN":
            self._conn.begin_with_the_next()
            return self
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
    """Makes such cursors. A transaction that locks nothing until its first statement begins in the turn of that one;
    one that is over takes no turn to be rolled back, as the pool does with each connection that it takes back.
    """

    _begins = False
    _over = False

    @contextmanager
    async def cursor(self) -> aiosqlite.Cursor:
        return Cursor(self, self._conn.cursor())

    def begin_with_the_next(self) -> None:
        """Has the next turn of the thread begin a transaction first."""
        self._begins = True

    async def commit(self) -> None:
        if not self._begins:
            await super().commit()
        self._end()

    async def rollback(self) -> None:
        if not self._begins and not self._over:
            await super().rollback()
        self._end()

    def _end(self) -> None:
        self._begins, self._over = False, True

    async def _execute(self, fn: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        # Not over until somebody came to the end of a commit or a rollback: who is cancelled in between leaves behind
        # what may be a transaction, also one that begins only then.
        self._over = False
        if self._begins:
            self._begins = False
            fn = partial(self._begin_and, fn)
        return await super()._execute(fn, *arguments, **named)  # type: ignore[no-untyped-call] # untyped there

    def _begin_and(self, fn: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        self._conn.execute("BEGIN")
        return fn(*arguments, **named)


def connect(database: str, **options: Any) -> Connection:
    """A connection that is opened when it is awaited. Its thread ends with the process."""
    made = Connection(partial(sqlite3.connect, database, **options), iter_chunk_size=64)
    made._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does to those that it makes itself
    return made
