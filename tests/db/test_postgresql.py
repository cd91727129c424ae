"""PostgreSQL: what becomes of a transaction when the server is slow, full, closed or gone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from keyhouse.app import open_view
from keyhouse.clock import SystemClock
from keyhouse.db import Database, engine
from keyhouse.db.base import new_id
from keyhouse.directory.models import Company
from keyhouse.errors import Failure
from support.postgres import Postgres, free_port


def _company(name: str = "Acme") -> Company:
    return Company(id=new_id(), name=name, created_at=1)


async def _names(database: Database) -> list[str]:
    async with database.reading() as tx:
        return sorted((await tx.scalars(select(Company.name))).all())


async def _away(database: Database) -> str:
    """The cause with which the database is told to be away, as every caller sees it: 503 with `Retry-After`."""
    with pytest.raises(Failure) as caught:
        await _names(database)
    assert caught.value.status == 503
    assert int(caught.value.headers["Retry-After"]) >= 1
    return caught.value.cause or ""


@pytest.fixture
async def postgresql(postgresql_url: str) -> AsyncIterator[Database]:
    made = Database(postgresql_url)
    yield made
    await made.close()


async def test_postgresql_commits_are_waited_for_and_nothing_runs_for_ever(postgresql: Database) -> None:
    async with postgresql.reading() as tx:
        shown = {
            name: await tx.scalar(text(f"SHOW {name}"))
            for name in ("synchronous_commit", "statement_timeout", "idle_in_transaction_session_timeout")
        }
    assert shown == {
        "synchronous_commit": "on",
        "statement_timeout": "10s",
        "idle_in_transaction_session_timeout": "10s",
    }


async def test_nobody_listens(tmp_path: Path) -> None:
    database = Database(f"postgresql://keyhouse@127.0.0.1:{free_port()}/{tmp_path.name[:20]}")
    assert await _away(database) == "database: ConnectionRefusedError"
    await database.close()


async def test_a_connection_that_is_cut_in_a_transaction(postgresql: Database, postgres: Postgres) -> None:
    async def write() -> None:
        async with postgresql.writing() as tx:
            tx.add(_company())
            await tx.flush()
            pid = await tx.scalar(text("SELECT pg_backend_pid()"))
            postgres.sql(f"SELECT pg_terminate_backend({pid})")
            await tx.execute(text("SELECT 1"))

    with pytest.raises(Failure) as caught:
        await write()
    assert caught.value.status == 503
    # The pool notices, and the next caller is served.
    assert await _names(postgresql) == []


async def test_connections_that_are_cut_while_nobody_uses_them_are_not_noticed(
    postgresql: Database, postgres: Postgres
) -> None:
    await _names(postgresql)
    postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{postgresql.url.database}'")
    assert await _names(postgresql) == []


@pytest.mark.parametrize(
    "how",
    [
        "ALTER DATABASE {} WITH ALLOW_CONNECTIONS false",
        "ALTER DATABASE {} RENAME TO {}_elsewhere",
        "ALTER ROLE keyhouse_app WITH NOLOGIN",
        "ALTER ROLE keyhouse_app WITH CONNECTION LIMIT 0",
    ],
)
async def test_a_server_that_lets_nobody_in(how: str, postgresql_url: str, postgres: Postgres) -> None:
    """What comes of connecting is no error of a statement: the driver's own exceptions."""
    name = postgresql_url.rpartition("/")[2]
    postgres.sql("DROP ROLE IF EXISTS keyhouse_app")
    postgres.sql("CREATE ROLE keyhouse_app LOGIN")
    database = Database(postgresql_url.replace("keyhouse@", "keyhouse_app@"))
    postgres.sql(how.replace("{}", name))
    try:
        assert (await _away(database)).startswith("database: ")
    finally:
        await database.close()
        if "ALTER DATABASE" in how:
            postgres.sql(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true") if "ALLOW" in how else postgres.sql(
                f"ALTER DATABASE {name}_elsewhere RENAME TO {name}"
            )
        postgres.sql("DROP ROLE keyhouse_app")


async def test_a_statement_that_takes_too_long(postgresql: Database) -> None:
    async def ask() -> None:
        async with postgresql.reading() as tx:
            await tx.execute(text("SET LOCAL statement_timeout = 20"))
            await tx.execute(text("SELECT pg_sleep(5)"))

    with pytest.raises(Failure) as caught:
        await ask()
    assert caught.value.status == 503


async def test_two_that_wait_for_each_other(postgresql: Database) -> None:
    """PostgreSQL undoes one of them, which may be repeated: 503, and the other is done."""
    companies = [_company(name) for name in ("a", "b")]
    async with postgresql.writing() as tx:
        tx.add_all(companies)
    both = asyncio.Barrier(2)

    async def rename(first: str, second: str) -> None:
        async with postgresql.writing() as tx:
            await tx.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
            await tx.execute(text("UPDATE companies SET name = 'x' WHERE id = :id"), {"id": first})
            await both.wait()
            await tx.execute(text("UPDATE companies SET name = 'x' WHERE id = :id"), {"id": second})

    ids = [company.id for company in companies]
    outcomes = await asyncio.gather(rename(*ids), rename(*reversed(ids)), return_exceptions=True)
    failed = [outcome for outcome in outcomes if outcome is not None]
    assert [type(outcome) for outcome in failed] == [Failure]
    assert isinstance(failed[0], Failure)
    assert failed[0].status == 503
    assert await _names(postgresql) == ["x", "x"]


async def test_a_pool_that_is_used_up(postgresql: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql.engine.pool, "_timeout", 0.02)
    held = [await postgresql.engine.connect() for _ in range(engine._POOL_SIZE)]
    assert await _away(postgresql) == f"database: {PoolTimeout.__name__}"
    for connection in held:
        await connection.close()
    assert await _names(postgresql) == []


@pytest.mark.parametrize("query", ["sslmode=disable", "sslmode=prefer", "ssl=disable"])
async def test_the_url_may_say_how_to_encrypt(query: str, postgresql_url: str) -> None:
    """As every provider's URL does, and the view takes the same URL to the driver itself."""
    database = Database(f"{postgresql_url}?{query}")
    assert await _names(database) == []
    view = open_view(database, SystemClock())
    await view.open()
    await view.close()
    await database.close()


async def test_the_short_name_of_postgresql_is_taken(postgresql_url: str) -> None:
    database = Database(postgresql_url.replace("postgresql://", "postgres://"))
    assert database.kind == "postgresql"
    assert await _names(database) == []
    await database.close()
