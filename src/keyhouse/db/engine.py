"""Opens the database that a URL names, and gives out its transactions."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import QueuePool

from keyhouse.clock import Clock, SystemClock
from keyhouse.db import sqlite_driver
from keyhouse.errors import unavailable

_SQLITE_BUSY_SECONDS = 5
_POSTGRESQL_TIMEOUT_SECONDS = 10
_POOL_SIZE = 10
# One that writes and one that reads. Each has a thread, and threads take the interpreter's lock from the event loop:
# with more of them a storm of log-ins doubles what the slowest requests wait.
_SQLITE_POOL_SIZE = 2
_POOL_WAIT_SECONDS = 5


class Database:
    """The engine of one process. `kind` is which database it is."""

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.url = _with_driver(make_url(url))
        self.kind: Literal["sqlite", "postgresql"] = (
            "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"
        )
        self._writer = asyncio.Lock()
        self.engine: AsyncEngine = _sqlite(self.url) if self.kind == "sqlite" else _postgresql(self.url)

    @property
    def libpq_url(self) -> URL:
        """The URL as PostgreSQL's own programs, and the bare driver, take it."""
        return _renamed(self.url, "ssl", "sslmode").set(drivername="postgresql")

    @property
    def path(self) -> Path:
        """The file of an SQLite database."""
        return Path(self.url.database or "")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A transaction that changes nothing. Raises `service_unavailable` when the database can't be asked."""
        async with self._transaction("BEGIN") as session:
            yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """A transaction that is committed at the end, or rolled back by what is raised in it.

        When the database goes away at the commit nobody knows whether it holds: `service_unavailable`, and the
        caller repeats what it asked.
        """
        # A deferred transaction that reads first and then writes can't wait for another writer, it fails.
        async with self._turn(), self._transaction("BEGIN IMMEDIATE") as session:
            yield session

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """SQLite has one writer at a time. At the file its waiters look again now and then, in no order, each with a
        connection; so of each process only one stands there, and the others wait here, first come, first served.
        """
        if self.kind != "sqlite":
            yield
            return
        try:
            async with asyncio.timeout(_SQLITE_BUSY_SECONDS):
                await self._writer.acquire()
        except TimeoutError as error:
            raise unavailable("database: too many writers") from error
        try:
            yield
        finally:
            self._writer.release()

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[AsyncSession]:
        try:
            async with (
                self.engine.connect() as connection,
                AsyncSession(connection, expire_on_commit=False) as session,
            ):
                await connection.execution_options(keyhouse_begin=begin)
                async with session.begin():
                    yield session
        except (PoolTimeout, OSError, TimeoutError) as error:
            raise unavailable(f"database: {type(error).__name__}") from error
        except DBAPIError as error:
            if _went_away(error):
                raise unavailable(f"database: {type(error.orig).__name__}") from error
            raise

    async def now(self, session: AsyncSession) -> int:
        """The time by the database's clock, in whole seconds since 1970."""
        if self.kind == "sqlite":
            return int(self._clock.wall())
        return int(self._clock.database(float(await session.scalar(_POSTGRESQL_NOW) or 0)))

    def connections_in_use(self) -> int:
        """How many connections are out of the pool."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    async def close(self) -> None:
        await self.engine.dispose()
        # Who opens it again may do so on another event loop.
        self._writer = asyncio.Lock()


_POSTGRESQL_NOW = text("SELECT extract(epoch FROM clock_timestamp())")


def _went_away(error: DBAPIError) -> bool:
    """Whether the database, not the statement, is at fault: locked, full, shut down, it takes no connections, or it
    undid one of two that waited for each other.
    """
    return (
        error.connection_invalidated
        or isinstance(error, OperationalError | InterfaceError)
        or (getattr(error.orig, "sqlstate", None) or "")[:2] in {"08", "28", "3D", "40", "53", "55", "57", "58"}
    )


def _with_driver(url: URL) -> URL:
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite+aiosqlite")
    return _renamed(url, "sslmode", "ssl").set(drivername="postgresql+asyncpg")


def _renamed(url: URL, name: str, other: str) -> URL:
    """A parameter under another name: what libpq calls `sslmode`, SQLAlchemy's driver calls `ssl`."""
    value = url.query.get(name)
    return url if value is None else url.difference_update_query([name]).update_query_dict({other: value})


def _postgresql(url: URL) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=_POOL_SIZE,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "timeout": _POOL_WAIT_SECONDS,
            "command_timeout": _POSTGRESQL_TIMEOUT_SECONDS,
            "server_settings": {
                "application_name": "keyhouse",
                "statement_timeout": str(_POSTGRESQL_TIMEOUT_SECONDS * 1000),
                "idle_in_transaction_session_timeout": str(_POSTGRESQL_TIMEOUT_SECONDS * 1000),
                # A revocation that a crash could take back would be no promise.
                "synchronous_commit": "on",
            },
        },
    )


def _sqlite(url: URL) -> AsyncEngine:
    create_private(Path(url.database or ""))
    engine = create_async_engine(
        url,
        pool_size=_SQLITE_POOL_SIZE,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_SECONDS,
        hide_parameters=True,
        connect_args={"timeout": _SQLITE_BUSY_SECONDS, "async_creator_fn": sqlite_driver.connect},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver would begin a transaction of its own at the first write, too late to take the write lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("keyhouse_begin", "BEGIN"))

    return engine


def create_private(path: Path) -> None:
    """Makes an SQLite file that its owner alone can read, before SQLite makes one that everybody can."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
