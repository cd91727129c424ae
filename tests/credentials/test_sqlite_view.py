"""The view on SQLite: every foreign commit is seen, and an error is never taken for fresh."""

import ctypes
import os
import sqlite3
from collections.abc import AsyncIterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from keyhouse.credentials import wal_index
from keyhouse.credentials.sqlite_view import SqliteView
from keyhouse.db.base import new_id
from keyhouse.errors import Failure
from keyhouse.tokens import TokenUse
from support.rooms import Rooms, rooms_of
from support.world import settings_for


@pytest.fixture(params=["memory", "pragma"], autouse=True)
def counter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is read at each request: whatever holds for one holds for the other."""
    if request.param == "pragma":
        monkeypatch.setattr(wal_index, "header", lambda _: None)
    return str(request.param)


@pytest.fixture
async def rooms(sqlite_url: str) -> AsyncIterator[Rooms]:
    async with rooms_of(settings_for(sqlite_url)) as made:
        yield made


@pytest.fixture
def view(rooms: Rooms) -> SqliteView:
    assert isinstance(rooms.view, SqliteView)
    return rooms.view


async def _load(view: SqliteView, key_id: str) -> bool:
    return (await view.load(TokenUse.API_KEY, key_id)).state is not None


def _refused(view: SqliteView) -> str:
    with pytest.raises(Failure) as caught:
        view.held("anything")
    assert caught.value.status == 503
    assert view.staleness() == inf
    return caught.value.cause or ""


async def test_what_was_loaded_is_held_until_its_death_is_committed(rooms: Rooms, view: SqliteView) -> None:
    key, other = await rooms.key(), await rooms.key()
    ids = [minted.record.key.id for minted in (key, other)]
    assert [view.held(item) for item in ids] == [None, None]
    assert [await _load(view, item) for item in ids] == [True, True]
    assert None not in [view.held(item) for item in ids]
    await rooms.revoke(key)
    assert view.held(ids[0]) is None
    assert view.held(ids[1]) is not None
    assert (view.hits, view.misses) == (3, 3)


async def test_a_commit_that_kills_nobody_empties_nothing(rooms: Rooms, view: SqliteView) -> None:
    """The version moves at every commit of anybody: that is a reason to look, not to forget."""
    key = (await rooms.key()).record.key.id
    await _load(view, key)
    version = view._version
    await rooms.key()
    assert view.held(key) is not None
    assert view._version != version


async def test_nothing_committed_means_the_log_is_not_looked_at(view: SqliteView, counter: str) -> None:
    view.held("anything")
    asked: list[str] = []
    assert view._cursor is not None
    view._cursor.connection.set_trace_callback(asked.append)
    for _ in range(3):
        view.held("anything")
    assert view.staleness() == 0.0
    assert asked == ([] if counter == "memory" else ["PRAGMA data_version"] * 4)


async def test_one_commit_means_one_look_at_the_log(rooms: Rooms, view: SqliteView) -> None:
    asked: list[str] = []
    assert view._cursor is not None
    await rooms.key()
    view._cursor.connection.set_trace_callback(asked.append)
    for _ in range(3):
        view.held("anything")
    assert len([statement for statement in asked if "change_head" in statement]) == 1


async def test_a_connection_that_is_not_in_wal_mode_takes_no_memory_for_its_own(
    rooms: Rooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else may keep it there, and give it back whenever he likes."""
    path = tmp_path / "other.db"
    with sqlite3.connect(rooms.database.path) as source, sqlite3.connect(path, isolation_level=None) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    source.close()
    monkeypatch.setattr(wal_index, "header", lambda _: memoryview(bytes(96)))
    view = SqliteView(path, rooms.clock)
    await view.open()
    assert view._header is None
    # Nor does it matter that it gets into that mode later.
    copy.execute("PRAGMA journal_mode=WAL")
    copy.execute("UPDATE change_head SET seq = seq + 7")
    before = view.applied
    view.held("anything")
    assert view.applied == before + 7
    copy.close()
    await view.close()


@pytest.mark.parametrize(("begin", "size"), [(0, 48), (0, 8), (48, 48), (0, 96)])
async def test_what_a_process_that_died_in_its_commit_left_is_recovered(
    rooms: Rooms, view: SqliteView, begin: int, size: int
) -> None:
    """A header that is not whole is none of those that were kept, and SQLite makes a new one of the log."""
    key, other = await rooms.key(), await rooms.key()
    ids = [minted.record.key.id for minted in (key, other)]
    assert [await _load(view, item) for item in ids] == [True, True]
    assert None not in [view.held(item) for item in ids]
    index = rooms.database.path.with_name(f"{rooms.database.path.name}-shm")
    [address] = wal_index._mappings(os.fsencode(index), index.stat().st_ino)
    for number, (minted, expected) in enumerate(((key, [False, True]), (other, [False, False]))):
        ctypes.memset(address + begin, 7 + number, size)
        assert view.staleness() == 0.0
        await rooms.revoke(minted)
        ctypes.memset(address + begin, 9 + number, size)
        assert [view.held(item) is not None for item in ids] == expected
        # Both copies are whole again.
        assert ctypes.string_at(address, 4) == wal_index._VERSION
        assert ctypes.string_at(address, 48) == ctypes.string_at(address + 48, 48)


async def test_nobody_takes_the_file_out_of_wal_mode_while_a_view_is_open(rooms: Rooms, view: SqliteView) -> None:
    """So the memory that is read stays the one that all write to."""
    await rooms.database.close()
    other = sqlite3.connect(rooms.database.path, timeout=0, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("PRAGMA journal_mode=DELETE")
    other.execute("UPDATE change_head SET seq = seq + 1")
    other.close()
    index = rooms.database.path.with_name(f"{rooms.database.path.name}-shm")
    assert index.exists()
    before = view.applied
    view.held("anything")
    assert view.applied == before + 1


async def test_what_is_not_there_is_unknown(view: SqliteView) -> None:
    assert (await view.load(TokenUse.ACCESS, new_id())).cause == "unknown"


async def test_an_error_is_503_and_nothing_that_was_held_survives_it(
    rooms: Rooms, view: SqliteView, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Any:
        raise sqlite3.OperationalError("disk I/O error")

    key = (await rooms.key()).record.key.id
    await _load(view, key)
    assert view.held(key) is not None
    await rooms.key()
    with monkeypatch.context() as broken:
        broken.setattr(view, "_rows", failing)
        with pytest.raises(Failure, match="freshness: disk I/O error"):
            view.held(key)
        assert "disk I/O error" in _refused(view)
        # Past what is held nothing can be loaded either.
        with pytest.raises(Failure, match="credential state: disk I/O error"):
            await _load(view, key)
    assert view.held(key) is None
    assert await _load(view, key)
    assert view.held(key) is not None


async def test_a_locked_file_is_503_at_once_and_good_again_afterwards(rooms: Rooms, view: SqliteView) -> None:
    """Readers of a log are not locked out; who takes the file out of that mode locks everybody out."""
    key = (await rooms.key()).record.key.id
    await rooms.database.close()
    await view.close()
    other = sqlite3.connect(rooms.database.path, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("UPDATE companies SET name = name")
    other.execute("COMMIT")
    assert "locked" in _refused(view)
    other.close()
    assert view.held(key) is None
    assert await _load(view, key)


async def test_a_file_that_is_gone_is_never_made_anew(rooms: Rooms, view: SqliteView, tmp_path: Path) -> None:
    key = (await rooms.key()).record.key.id
    await rooms.database.close()
    await view.close()
    path = rooms.database.path
    path.rename(tmp_path / "elsewhere.db")
    assert "unable to open database file" in _refused(view)
    with pytest.raises(Failure, match="credential state"):
        await _load(view, key)
    assert not path.exists()
    (tmp_path / "elsewhere.db").rename(path)
    assert view.held(key) is None
    assert await _load(view, key)


async def test_a_backup_in_place_of_the_file_is_another_history(rooms: Rooms, view: SqliteView, tmp_path: Path) -> None:
    key, dead = await rooms.key(), await rooms.key()
    await _load(view, key.record.key.id)
    backup = sqlite3.connect(tmp_path / "backup.db")
    with sqlite3.connect(rooms.database.path) as source:
        source.backup(backup)
    source.close()
    await rooms.revoke(dead)
    view.held("anything")
    assert view.applied == 1
    await rooms.database.close()
    target = sqlite3.connect(rooms.database.path)
    backup.backup(target)
    target.close()
    backup.close()
    assert view.held(key.record.key.id) is None
    assert view.applied == 0


async def test_time_never_goes_back(rooms: Rooms, view: SqliteView) -> None:
    rooms.clock.advance(100)
    later = view.now()
    rooms.clock.advance(-50)
    assert view.now() == later
    rooms.clock.advance(100)
    assert view.now() > later


@pytest.mark.parametrize("name", ["a b.db", "a%20b.db", "a?b.db", "a#b.db", "ä.db"])
async def test_a_path_is_no_url(name: str, tmp_path: Path, rooms: Rooms) -> None:
    path = rooms.database.path.rename(tmp_path / name)
    view = SqliteView(path, rooms.clock)
    await view.open()
    assert view.staleness() == 0.0
    await view.close()
    await view.close()
