"""Servers, and a PostgreSQL that may be killed: the session's other tests have one of their own."""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyhouse.db import Database, migrations
from support.hosts import why_not
from support.postgres import Postgres, running_postgres
from support.servers import Servers, running_servers


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with running_servers(tmp_path) as started:
        yield started


@pytest.fixture(scope="session")
def mortal_postgres() -> Iterator[Postgres]:
    """One database, at head, with the bound of the tests."""

    async def migrate(url: str) -> None:
        database = Database(url)
        await migrations.upgrade(database)
        await database.close()

    with running_postgres() as server:
        asyncio.run(migrate(server.url()))
        server.sql("UPDATE change_head SET bound_ms = 100")
        yield server


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "namespaces: makes a second host of a network namespace, which takes root")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what this machine does not allow, and says so in one line."""
    concerned = [item for item in items if item.get_closest_marker("namespaces")]
    if not concerned or (reason := why_not()) is None:
        return
    if os.environ.get("CI") == "true" and os.geteuid() == 0 and shutil.which("ip"):
        raise pytest.UsageError(f"a second host can't be made: {reason}")
    sys.stderr.write(f"The tests of two hosts do not run here: {reason}\n")
    items[:] = [item for item in items if item not in concerned]
    config.hook.pytest_deselected(items=concerned)
