"""The view on SQLite: each request sees what was committed before it, or is refused."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from keyhouse.credentials import wal_index
from keyhouse.credentials.sqlite_view import SqliteView
from support import elsewhere
from support.world import World, settings_for, world_of


@pytest.fixture(params=["memory", "pragma"], autouse=True)
def counter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is read at each request: whatever holds for one holds for the other."""
    if request.param == "pragma":
        monkeypatch.setattr(wal_index, "header", lambda _: None)
    return str(request.param)


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


def _checkpoint(world: World, mode: str) -> None:
    """All of the log goes into the file, as anybody may have it."""
    other = sqlite3.connect(world.keyhouse.database.path)
    assert other.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()[0][0] == 0
    other.close()


async def _held_key(world: World) -> str:
    """The id of a key that the view holds."""
    key = await world.new_key()
    assert await elsewhere.enter(world, key["token"]) == 200
    return str(key["id"])


async def test_a_request_that_comes_in_after_a_revocation_in_the_same_turn_is_refused(sqlite_world: World) -> None:
    """Its task is made while those run who came in before, and meanwhile somebody was told it is over."""
    view, key_id = _view(sqlite_world), await _held_key(sqlite_world)

    async def ask() -> bool:
        return view.held(key_id) is not None

    async def ask_and_be_overtaken() -> tuple[bool, asyncio.Task[bool]]:
        found = view.held(key_id) is not None
        _revoke(sqlite_world, key_id)
        return found, asyncio.create_task(ask())

    was_held, later = await asyncio.create_task(ask_and_be_overtaken())
    assert was_held
    assert not await later


async def test_a_request_in_the_task_of_another_is_refused(sqlite_world: World) -> None:
    """As a test does that calls the application in its own task, and another process in between."""
    view, key_id = _view(sqlite_world), await _held_key(sqlite_world)
    assert view.held(key_id) is not None
    _revoke(sqlite_world, key_id)
    assert view.held(key_id) is None


async def test_a_request_whose_task_begins_at_once_is_refused(sqlite_world: World) -> None:
    """It stands in no queue, as with `asyncio.eager_task_factory`: here it runs while it is made."""
    view, key_id = _view(sqlite_world), await _held_key(sqlite_world)

    async def ask() -> bool:
        return view.held(key_id) is not None

    def at_once(loop: asyncio.AbstractEventLoop, work: Any, **_: Any) -> Any:
        made = loop.create_future()
        try:
            work.send(None)
        except StopIteration as done:
            made.set_result(done.value)
        return made

    loop = asyncio.get_running_loop()
    loop.set_task_factory(at_once)
    try:
        before = loop.create_task(ask())
        _revoke(sqlite_world, key_id)
        after = loop.create_task(ask())
    finally:
        loop.set_task_factory(None)
    assert (before.result(), after.result()) == (True, False)


async def test_a_request_that_another_thread_brings_during_a_reading_is_refused(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver lets other threads run while it reads; one of them was told that the key is dead, and asks."""
    view, key_id = _view(sqlite_world), await _held_key(sqlite_world)
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


async def test_what_is_committed_while_the_log_answers_is_seen_by_the_next_request(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, rows, asked = _view(sqlite_world), _view(sqlite_world)._rows, []
    first, second = await _held_key(sqlite_world), await _held_key(sqlite_world)
    _revoke(sqlite_world, first)

    def overtaken(statement: str, *values: Any) -> Any:
        found = rows(statement, *values)
        if statement == view._confirmation and not asked:
            asked.append(statement)
            _revoke(sqlite_world, second)
        return found

    monkeypatch.setattr(view, "_rows", overtaken)
    assert view.held(first) is None
    assert asked
    assert view.held(second) is None


@pytest.mark.parametrize("mode", ["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
async def test_a_checkpoint_hides_nothing(sqlite_world: World, mode: str) -> None:
    view, keys = _view(sqlite_world), [await _held_key(sqlite_world) for _ in range(4)]
    for key_id in keys[:2]:
        _checkpoint(sqlite_world, mode)
        assert view.held(key_id) is not None
        _revoke(sqlite_world, key_id)
        assert view.held(key_id) is None
    for key_id in keys[2:]:
        _revoke(sqlite_world, key_id)
        _checkpoint(sqlite_world, mode)
        assert view.held(key_id) is None


async def test_a_log_that_began_anew_and_is_as_long_as_before_is_another(sqlite_world: World, counter: str) -> None:
    view = _view(sqlite_world)
    first, second = await _held_key(sqlite_world), await _held_key(sqlite_world)
    _checkpoint(sqlite_world, "TRUNCATE")
    _revoke(sqlite_world, first)
    frames = b"" if counter == "pragma" else view._header[16:20].tobytes()
    assert view.held(second) is not None
    _checkpoint(sqlite_world, "TRUNCATE")
    _revoke(sqlite_world, second)
    assert frames == (b"" if counter == "pragma" else view._header[16:20].tobytes())
    assert view.held(second) is None


_WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("PRAGMA synchronous=OFF")
for number in range(500):
    connection.execute("BEGIN IMMEDIATE")
    [[seq]] = connection.execute("UPDATE change_head SET seq = seq + 1 RETURNING seq").fetchall()
    connection.execute("INSERT INTO changes VALUES (?, 'api_key', 'nobody', 0)", (seq,))
    connection.execute("COMMIT")
    print(seq, flush=True)
    if number % 25 == 0:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
"""


async def test_whatever_other_processes_have_committed_is_applied(sqlite_world: World) -> None:
    """They write at the same time, as fast as they can, so that readings fall into the middle of commits."""
    view, told = _view(sqlite_world), 0
    await _held_key(sqlite_world)

    async def write() -> None:
        nonlocal told
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WRITER, sqlite_world.keyhouse.database.path, stdout=asyncio.subprocess.PIPE
        )
        assert writer.stdout is not None
        async for line in writer.stdout:
            view.held("anything")
            assert view.applied >= int(line)
            told += 1
        assert await writer.wait() == 0

    await asyncio.gather(write(), write())
    assert told == 1000


async def test_nobody_can_read_the_memory_of_a_view_that_was_closed(sqlite_world: World, counter: str) -> None:
    """SQLite may have given it back, and then the process would die of it."""
    view = _view(sqlite_world)
    await _held_key(sqlite_world)
    header = view._header
    assert (header is None) == (counter == "pragma")
    # For the test alone, that it may fail: this one keeps the memory there.
    other = sqlite3.connect(sqlite_world.keyhouse.database.path)
    other.execute("SELECT count(*) FROM companies").fetchall()
    await view.close()
    assert view._header is None
    if header is not None:
        with pytest.raises(ValueError, match="released"):
            header.tobytes()
    other.close()


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
