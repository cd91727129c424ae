"""Contract sections 1 and 2: a database that does not answer is 503 with `Retry-After`, and lets nobody in."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from keyhouse.credentials.postgresql_view import PostgresqlView
from keyhouse.db import engine
from support.callers import access, stored
from support.envelope import assert_error
from support.operations import OPERATIONS, Operation
from support.postgres import Postgres
from support.world import World, settings_for, world_of

WRITES = [one for one in OPERATIONS if one.path.endswith(("/datasets/", "/api-keys/")) and one.method == "POST"]


@pytest.fixture
async def impatient(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """On SQLite, and waiting for nobody's lock."""
    monkeypatch.setattr(engine, "_SQLITE_BUSY_SECONDS", 0)
    async with world_of(settings_for(sqlite_url)) as made:
        yield made


@pytest.fixture
def locked(impatient: World) -> Iterator[None]:
    """Somebody else writes."""
    other = sqlite3.connect(impatient.keyhouse.database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@pytest.mark.parametrize("operation", WRITES, ids=str)
async def test_a_locked_file(impatient: World, operation: Operation, request: pytest.FixtureRequest) -> None:
    path = operation.path.replace("{company_id}", impatient.company.id)
    before = await stored(impatient)
    request.getfixturevalue("locked")
    assert_error(
        await impatient.request(operation.method, path, impatient.admin, json=operation.body), "service_unavailable"
    )
    assert (await impatient.request("GET", path, impatient.admin)).status_code == 200
    log_in = {"email": "admin@example.com", "password": "a long enough passphrase"}
    assert_error(await impatient.request("POST", "/api/v1/auth/token/", json=log_in), "service_unavailable")
    assert await stored(impatient) == before


def rename(path: Path, name: str) -> None:
    path.rename(path.with_name(name))


async def test_a_file_that_is_gone(impatient: World) -> None:
    path = impatient.keyhouse.database.path
    await impatient.keyhouse.database.engine.dispose()
    rename(path, "away.db")
    for part in ("/datasets/", "/api-keys/", "/"):
        assert_error(await impatient.request("GET", impatient.base + part, impatient.admin), "service_unavailable")
    await impatient.keyhouse.database.engine.dispose()
    rename(path.with_name("away.db"), path.name)
    assert (await impatient.request("GET", f"{impatient.base}/datasets/", impatient.admin)).status_code == 200


@pytest.fixture
async def remote(postgresql_url: str) -> AsyncIterator[World]:
    async with world_of(settings_for(postgresql_url)) as made:
        yield made


def cut_off(postgres: Postgres, name: str) -> None:
    """Nobody gets a connection any more, and those that are open are closed."""
    postgres.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


async def test_a_server_that_takes_no_connections(remote: World, postgres: Postgres) -> None:
    name = str(remote.keyhouse.database.url.database)
    who = await access(remote, remote.admin)
    before = await stored(remote)
    # Several times: which of a worker's connections the server is just closing differs.
    for some in (OPERATIONS[::3], OPERATIONS[1::3], OPERATIONS[2::3]):
        assert (await remote.request("GET", f"{remote.base}/datasets/", who)).status_code == 200
        cut_off(postgres, name)
        # What was held is worth its bound and no longer.
        remote.clock.advance(0.2)
        for operation in some:
            path = operation.path.replace("{company_id}", remote.company.id)
            path = path.replace(f"{{{operation.item}}}", remote.company.id)
            answer = await remote.request(operation.method, path, who, **operation.content(operation.body))
            if operation.path.endswith("/revoke/"):
                # A text that is no token needs no database.
                assert answer.status_code == 200
            else:
                assert_error(answer, "service_unavailable")
        postgres.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        # A client repeats what was 503; no connection is as dead as all of the pool's at once.
        answers = [(await remote.request("GET", f"{remote.base}/datasets/", who)).status_code for _ in range(5)]
        assert set(answers) <= {200, 503}
        assert answers[-1] == 200
    assert await stored(remote) == before
    view = remote.keyhouse.view
    assert isinstance(view, PostgresqlView)
    assert view._task is not None
    assert not view._task.done()


class Closing:
    """A connection that the server is just closing: the driver takes the next statement for a mistake of its own."""

    async def fetch(self, *_: object) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    def terminate(self) -> None: ...


async def test_a_worker_goes_on_confirming_after_a_connection_was_closed(
    remote: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    view: Any = remote.keyhouse.view
    confirmed = asyncio.Event()
    confirm = view.confirm
    view._connection.terminate()
    view._connection = Closing()
    monkeypatch.setattr(view, "confirm", lambda *told: (confirm(*told), confirmed.set()))
    view._woken.set()
    async with asyncio.timeout(5):
        await confirmed.wait()
