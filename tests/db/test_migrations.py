"""The schema's history: up, down, up again, and nothing between the models and what it makes."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, select

import keyhouse.app  # noqa: F401 - fills the metadata with every table
from keyhouse.credentials import changes
from keyhouse.credentials.models import ChangeHead
from keyhouse.db import Base, Database, migrations
from support.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database with no table in it."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
        yield database
        await database.close()
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"empty_{tmp_path.name}".lower().replace("[", "_").replace("]", "_").replace("-", "_")[:60]
    server.sql(f"CREATE DATABASE {name}")
    database = Database(server.url(name))
    yield database
    await database.close()
    server.sql(f"DROP DATABASE {name} WITH (FORCE)")


async def _sync(database: Database, look: Any) -> Any:
    async with database.engine.connect() as connection:
        return await connection.run_sync(look)


def _names(connection: Connection) -> dict[str, set[str]]:
    """Every table with the names of its columns, indexes and constraints."""
    found = inspect(connection)
    return {
        table: {
            *(f"column {column['name']}" for column in found.get_columns(table)),
            *(f"index {index['name']}" for index in found.get_indexes(table)),
            *(f"unique {item['name']}" for item in found.get_unique_constraints(table)),
            *(f"check {item['name']}" for item in found.get_check_constraints(table)),
            *(f"foreign key {item['name']}" for item in found.get_foreign_keys(table)),
            f"primary key {found.get_pk_constraint(table)['name']}",
        }
        for table in found.get_table_names()
    }


def _differences(connection: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


async def test_up_down_and_up_again(empty: Database) -> None:
    assert await migrations.current(empty) is None
    await migrations.upgrade(empty)
    assert await migrations.current(empty) == migrations.head()
    built = await _sync(empty, _names)
    await migrations.downgrade(empty, "base")
    assert await migrations.current(empty) is None
    assert set(await _sync(empty, _names)) == {"alembic_version"}
    await migrations.upgrade(empty)
    assert await _sync(empty, _names) == built


async def test_up_twice_is_up_once(empty: Database) -> None:
    await migrations.upgrade(empty)
    async with empty.writing() as tx:
        await changes.record(tx, [changes.Death("user", "x")], 1)
    await migrations.upgrade(empty)
    async with empty.reading() as tx:
        assert await tx.scalar(select(ChangeHead.seq)) == 1


async def test_two_that_migrate_at_once_wait_for_each_other(empty: Database) -> None:
    """As two hosts do that are deployed together."""
    program = (
        "import asyncio, sys; from keyhouse.db import Database, migrations; "
        "asyncio.run(migrations.upgrade(Database(sys.argv[1])))"
    )
    url = empty.url.set(drivername=empty.kind).render_as_string(hide_password=False)
    both = [await asyncio.create_subprocess_exec(sys.executable, "-c", program, url) for _ in range(2)]
    assert [await process.wait() for process in both] == [0, 0]
    assert await migrations.current(empty) == migrations.head()


async def test_models_and_migrations_do_not_drift(database: Database) -> None:
    assert await _sync(database, _differences) == []


async def test_constraints_are_named_by_the_convention(database: Database) -> None:
    """What `compare_metadata` does not look at: the names of primary keys and checks."""
    built = await _sync(database, _names)
    for table in Base.metadata.sorted_tables:
        named = {f"primary key {table.primary_key.name}"}
        named |= {f"check {item.name}" for item in table.constraints if item.__visit_name__ == "check_constraint"}
        named |= {f"foreign key {item.name}" for item in table.foreign_key_constraints}
        assert named <= built[table.name]


async def test_a_fresh_log_is_empty_and_its_bound_a_second(empty: Database) -> None:
    await migrations.upgrade(empty)
    async with empty.reading() as tx:
        row = (await tx.execute(select(ChangeHead))).scalar_one()
    assert (row.id, row.seq, row.pruned_seq, row.bound_ms) == (1, 0, 0, changes.DEFAULT_BOUND_MS)
    assert row.former_bound_ms is None
