"""Fixtures of the whole suite. What needs a database runs on SQLite and on PostgreSQL, each built by the migrations."""

import asyncio
import shutil
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from keyhouse import Settings
from keyhouse.db import Database, migrations
from support.leaks import leaks_below, leaks_in
from support.postgres import Postgres, running_postgres
from support.rooms import Rooms, rooms_of
from support.world import World, settings_for, world_of

_TEMPLATE = "keyhouse_template"
_LEFT_BEHIND = ("*.log", "err", "*.db", "*.db-wal")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Contract section 5, of every test: what applications in its process logged and printed holds no secret."""
    del item, call
    report: Any = yield
    written = "".join(text for _, text in report.sections)
    if report.passed and (leaks := leaks_in(written.encode("utf-8", "replace"))):
        report.outcome, report.longrepr = "failed", f"secrets were logged or printed: {leaks}"
    return report


@pytest.fixture(scope="session", autouse=True)
def nothing_leaked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Contract section 5, of the whole suite: no log and no database that its servers left holds a secret."""
    yield
    assert leaks_below(tmp_path_factory.getbasetemp(), _LEFT_BEHIND) == {}


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": False}


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrations.upgrade(database)
    await database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file at head."""
    path = tmp_path_factory.mktemp("template") / "keyhouse.db"
    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for the session, with a template database at head."""
    with running_postgres() as server:
        server.sql(f"CREATE DATABASE {_TEMPLATE}")
        asyncio.run(_migrate(server.url(_TEMPLATE)))
        # A tenth of the default, so that every answer that waits for it costs a tenth.
        server.sql("UPDATE change_head SET bound_ms = 100", _TEMPLATE)
        yield server
        # Its log of writes has what was in databases that are gone.
        assert leaks_below(server.data, ["base/**/*", "pg_wal/*"]) == {}


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "keyhouse.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgres: Postgres) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    postgres.sql(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    yield postgres.url(name)
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database at head; every test that asks for it runs on both kinds."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def settings(database_url: str) -> Settings:
    return settings_for(database_url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database at head, with nothing in it."""
    made = Database(database_url)
    yield made
    await made.close()


@pytest.fixture
async def rooms(settings: Settings) -> AsyncIterator[Rooms]:
    """The rooms below HTTP, with two companies and three users."""
    async with rooms_of(settings) as made:
        yield made


@pytest.fixture
async def sqlite_rooms(sqlite_url: str) -> AsyncIterator[Rooms]:
    async with rooms_of(settings_for(sqlite_url)) as made:
        yield made


@pytest.fixture
async def postgresql_rooms(postgresql_url: str) -> AsyncIterator[Rooms]:
    async with rooms_of(settings_for(postgresql_url)) as made:
        yield made


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    """A running application with a company, an admin and a member."""
    async with world_of(settings) as made:
        yield made
