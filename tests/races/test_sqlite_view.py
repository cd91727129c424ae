"""The view on SQLite: each request sees what was committed before it, or is refused."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import httpx
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


def _revoke(world: World, key_id: str) -> None:
    """As another process does: committed when this returns, without a turn of this loop."""
    other = sqlite3.connect(world.keyhouse.database.path)
    with other:
        other.execute("UPDATE api_keys SET revoked_at = created_at WHERE id = ?", (key_id,))
        other.execute("UPDATE change_head SET seq = seq + 1")
        other.execute("INSERT INTO changes SELECT seq, 'api_key', ?, 0 FROM change_head", (key_id,))
    other.close()


async def _held_world(world: World) -> tuple[str, list[str]]:
    """The id of a key that its view holds, and what the view asks the file from now on."""
    key = await world.new_key()
    assert await elsewhere.enter(world, key["token"]) == 200
    asked: list[str] = []
    _view(world)._cursor.connection.set_trace_callback(asked.append)
    return key["id"], asked


async def test_requests_that_wait_together_share_a_reading(sqlite_world: World) -> None:
    key_id, asked = await _held_world(sqlite_world)

    async def ask() -> bool:
        return _view(sqlite_world).held(key_id) is not None

    for _ in range(2):
        assert await asyncio.gather(*(ask() for _ in range(5))) == [True] * 5
    assert asked == ["PRAGMA data_version"] * 2


async def test_a_request_that_comes_in_after_a_reading_has_its_own(sqlite_world: World) -> None:
    """Its task is made while those run who were there at the reading, and meanwhile somebody was told it is over."""
    view = _view(sqlite_world)
    key_id, _ = await _held_world(sqlite_world)

    async def ask() -> bool:
        return view.held(key_id) is not None

    async def ask_and_be_overtaken() -> tuple[bool, asyncio.Task[bool]]:
        found = view.held(key_id) is not None
        _revoke(sqlite_world, key_id)
        return found, asyncio.create_task(ask())

    was_held, later = await asyncio.create_task(ask_and_be_overtaken())
    assert was_held
    assert not await later


async def test_a_request_that_another_thread_brings_during_a_reading_has_its_own(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver lets other threads run while it reads; one of them was told that the key is dead, and asks."""
    view = _view(sqlite_world)
    key_id, _ = await _held_world(sqlite_world)
    loop, follow = asyncio.get_running_loop(), view._follow
    found: list[bool] = []

    def followed_and_overtaken() -> None:
        follow()
        if not found:
            _revoke(sqlite_world, key_id)
            loop.call_soon_threadsafe(lambda: found.append(view.held(key_id) is not None))

    monkeypatch.setattr(view, "_follow", followed_and_overtaken)
    found_first = view.held(key_id) is not None
    await asyncio.sleep(0)
    assert (found_first, found) == (True, [False])


async def test_a_task_that_asks_again_has_another_reading(sqlite_world: World) -> None:
    """As a test does that calls the application in its own task, and another process in between."""
    view = _view(sqlite_world)
    key_id, asked = await _held_world(sqlite_world)
    assert view.held(key_id) is not None
    _revoke(sqlite_world, key_id)
    assert view.held(key_id) is None
    assert asked.count("PRAGMA data_version") == 2


async def test_where_tasks_may_begin_at_once_nobody_shares_a_reading(sqlite_world: World) -> None:
    """They stand in no queue: a request may run in the turn in which it came in."""
    key_id, asked = await _held_world(sqlite_world)

    async def ask() -> None:
        _view(sqlite_world).held(key_id)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(lambda loop, work, **options: asyncio.Task(work, loop=loop, **options))
    try:
        await asyncio.gather(*(ask() for _ in range(3)))
    finally:
        loop.set_task_factory(None)
    assert asked == ["PRAGMA data_version"] * 3


async def test_a_loop_that_ended_early_leaves_its_reading_to_nobody(sqlite_world: World) -> None:
    """As a test client's may, which has one for each request: the turn at whose end it would look again never comes."""
    view = _view(sqlite_world)
    key_id, _ = await _held_world(sqlite_world)
    found: list[bool] = []

    def one_turn() -> None:
        loop = asyncio.new_event_loop()
        loop.call_soon(lambda: found.append(view.held(key_id) is not None))
        loop.stop()
        loop.run_forever()
        loop.close()

    await asyncio.to_thread(one_turn)
    _revoke(sqlite_world, key_id)
    assert found == [True]
    assert view.held(key_id) is None


async def test_who_opens_again_knows_nothing_of_before(sqlite_url: str) -> None:
    """Each connection counts for itself: the number of the next one may be the same though there was a revocation."""
    settings = settings_for(sqlite_url)
    async with world_of(settings) as world:
        key = await world.new_key()
        assert await elsewhere.enter(world, key["token"]) == 200
    for expected in (200, 401, 401):
        transport = httpx.ASGITransport(app=world.app)
        async with (
            world.app.router.lifespan_context(world.app),
            httpx.AsyncClient(transport=transport, base_url="http://keyhouse.test") as world.http,
        ):
            assert await elsewhere.enter(world, key["token"]) == expected
        if expected == 200:
            _revoke(world, key["id"])
