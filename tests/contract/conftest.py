"""A world for all tests of a module that change nothing in it, or nothing that matters to the others."""

import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.callers import Others, others
from support.postgres import Postgres
from support.world import World, settings_for, world_of

ORIGIN = "https://app.example"


@pytest.fixture(scope="module")
def shared_sqlite_url(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("shared") / "keyhouse.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def shared_postgresql_url(postgres: Postgres) -> Iterator[str]:
    name = f"shared_{uuid.uuid4().hex}"
    postgres.sql(f"CREATE DATABASE {name} TEMPLATE keyhouse_template")
    yield postgres.url(name)
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"shared_{request.param}_url"))


@pytest.fixture(scope="module")
async def shared(shared_url: str) -> AsyncIterator[World]:
    """A running application that all tests of the module share, on each kind of database."""
    async with world_of(settings_for(shared_url, cors_origins=(ORIGIN,))) as made:
        yield made


@pytest.fixture(scope="module")
async def strangers(shared: World) -> Others:
    """Another company and its people."""
    return await others(shared)
