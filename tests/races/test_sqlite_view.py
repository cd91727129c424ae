"""The view on SQLite: each request sees what was committed before it, or is refused."""

import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest

from keyhouse.credentials.sqlite_view import SqliteView
from support import elsewhere
from support.world import World, settings_for, world_of


@pytest.fixture
async def sqlite_world(sqlite_url: str) -> AsyncIterator[World]:
    async with world_of(settings_for(sqlite_url)) as world:
        yield world


def _view(world: World) -> Any:
    assert isinstance(world.keyhouse.view, SqliteView)
    return world.keyhouse.view


async def test_each_request_sees_what_another_process_committed(sqlite_world: World) -> None:
    """However often: neither a transaction nor a cursor that was left open hides the next commit."""
    keys = [await sqlite_world.new_key() for _ in range(5)]
    for key in keys:
        assert await elsewhere.enter(sqlite_world, key["token"]) == 200
    for key in keys:
        await elsewhere.revoke(sqlite_world, key["id"])
        assert await elsewhere.enter(sqlite_world, key["token"]) == 401
        assert not _view(sqlite_world)._cursor.connection.in_transaction


async def test_a_change_that_could_not_be_applied_is_applied_by_the_next_request(sqlite_world: World) -> None:
    """The counter moved, but the log could not be read: the next request must not take the counter for known."""
    key = await sqlite_world.new_key()
    assert await elsewhere.enter(sqlite_world, key["token"]) == 200
    await elsewhere.execute(sqlite_world, "DELETE FROM change_head")
    for _ in range(3):
        assert await elsewhere.enter(sqlite_world, key["token"]) == 503


async def test_an_error_of_the_counter_is_never_taken_for_fresh(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, view = await sqlite_world.new_key(), _view(sqlite_world)
    assert await elsewhere.enter(sqlite_world, key["token"]) == 200
    await elsewhere.revoke(sqlite_world, key["id"])

    def failing(*_: Any) -> Any:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(view, "_rows", failing)
        for _ in range(3):
            assert await elsewhere.enter(sqlite_world, key["token"]) == 503
    assert await elsewhere.enter(sqlite_world, key["token"]) == 401
