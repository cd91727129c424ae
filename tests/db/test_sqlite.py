"""SQLite: how a file is opened, and what becomes of a transaction when it is locked or full."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from keyhouse.db import Database, engine, sqlite_driver
from keyhouse.db.base import new_id, table
from keyhouse.directory.models import Company
from keyhouse.errors import Failure


def _company(name: str = "Acme") -> Company:
    return Company(id=new_id(), name=name, created_at=1)


async def _names(database: Database) -> list[str]:
    async with database.reading() as tx:
        return sorted((await tx.scalars(select(Company.name))).all())


async def _write(database: Database, name: str = "Acme") -> None:
    async with database.writing() as tx:
        tx.add(_company(name))


@pytest.fixture
async def sqlite(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr(engine, "_SQLITE_BUSY_SECONDS", 0.05)
    made = Database(sqlite_url)
    yield made
    await made.close()


async def test_sqlite_is_set_up_so_that_a_commit_stays(sqlite: Database) -> None:
    async with sqlite.reading() as tx:
        pragmas = {
            name: await tx.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    database = Database(f"sqlite:///{path}")
    async with database.writing() as tx:
        await tx.execute(text("CREATE TABLE t (x)"))
        # The log and the index of it exist while somebody is connected.
        modes = {
            item.name: stat.S_IMODE(item.stat().st_mode)
            for item in (path, *map(path.with_name, ("new.db-wal", "new.db-shm")))
        }
    assert modes == {"new.db": 0o600, "new.db-wal": 0o600, "new.db-shm": 0o600}
    assert database.path == path
    await database.close()


async def test_the_mode_of_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    path.touch(0o640)
    path.chmod(0o640)
    await Database(f"sqlite:///{path}").close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_a_writer_has_the_lock_before_it_reads(sqlite_url: str) -> None:
    """A transaction that reads first and then writes could not wait for another writer: it would fail."""
    database = Database(sqlite_url)
    async with database.writing() as tx:
        tx.add(_company("0"))

    async def increment() -> None:
        async with database.writing() as tx:
            company = (await tx.scalars(select(Company))).one()
            company.name = str(int(company.name) + 1)

    await asyncio.gather(*(increment() for _ in range(20)))
    assert await _names(database) == ["20"]
    await database.close()


async def test_a_locked_file_is_503_for_who_writes_and_nothing_for_who_reads(sqlite: Database) -> None:
    other = sqlite3.connect(sqlite.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Failure) as caught:
        await _write(sqlite)
    assert (caught.value.status, caught.value.cause) == (503, "database: OperationalError")
    assert await _names(sqlite) == []
    other.execute("ROLLBACK")
    other.close()
    await _write(sqlite)
    assert await _names(sqlite) == ["Acme"]


async def test_a_full_disk_is_503_and_what_was_begun_is_undone(sqlite: Database) -> None:
    async def fill() -> None:
        async with sqlite.writing() as tx:
            pages = int(await tx.scalar(text("PRAGMA page_count")) or 0)
            await tx.execute(text(f"PRAGMA max_page_count = {pages}"))
            for _ in range(1000):
                tx.add(_company("x" * 100))
                await tx.flush()

    with pytest.raises(Failure) as caught:
        await fill()
    assert caught.value.status == 503
    assert await _names(sqlite) == []


async def test_writers_of_one_process_take_turns_and_wait_without_a_connection(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_SQLITE_BUSY_SECONDS", 60)
    written = []

    async def write(name: str) -> None:
        async with sqlite.writing() as tx:
            tx.add(_company(name))
            written.append(name)

    async with asyncio.TaskGroup() as others, sqlite.writing():
        for name in "abcde":
            others.create_task(write(name))
        await asyncio.sleep(0.01)
        assert (written, sqlite.connections_in_use()) == ([], 1)
    assert written == [*"abcde"]


async def test_who_waits_too_long_for_a_turn_is_refused_and_the_next_is_served(sqlite: Database) -> None:
    async with sqlite.writing():
        with pytest.raises(Failure) as caught:
            await _write(sqlite)
    assert (caught.value.status, caught.value.cause) == (503, "database: too many writers")
    await _write(sqlite)
    assert await _names(sqlite) == ["Acme"]


async def test_a_statement_takes_one_turn_of_the_drivers_thread(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []
    take = sqlite_driver.Connection._execute

    async def counted(self: sqlite_driver.Connection, work: Callable[..., Any], *arguments: Any) -> Any:
        turns.append(arguments[0].split()[0] if arguments else work.__name__)
        return await take(self, work, *arguments)

    await _write(sqlite)
    monkeypatch.setattr(sqlite_driver.Connection, "_execute", counted)
    async with sqlite.writing() as tx:
        tx.add(_company("Another"))
        await tx.flush()
        assert (await tx.scalars(select(Company.name).order_by(Company.name))).all() == ["Acme", "Another"]
        turns.append("end")
    assert turns == ["BEGIN", "INSERT", "SELECT", "end", "commit"]
    turns.clear()
    async with sqlite.reading() as tx:
        await tx.scalars(select(Company.name))
        await tx.scalars(select(Company.id))
    async with sqlite.reading():
        pass
    assert turns == ["SELECT", "SELECT", "commit"]


async def test_what_is_read_in_a_transaction_is_of_one_moment(sqlite: Database) -> None:
    async with sqlite.reading() as tx:
        assert (await tx.scalars(select(Company.name))).all() == []
        await _write(sqlite)
        assert (await tx.scalars(select(Company.name))).all() == []
    assert await _names(sqlite) == ["Acme"]


async def test_a_statement_of_many_rows_is_in_the_transaction_too(sqlite: Database) -> None:
    rows = [{"id": new_id(), "name": name, "created_at": 1} for name in "ab"]

    async def write_and_fail() -> None:
        async with sqlite.reading() as tx:
            await tx.execute(insert(table(Company)), rows)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write_and_fail()
    assert await _names(sqlite) == []


@pytest.mark.parametrize("step", ["BEGIN IMMEDIATE", "INSERT", "commit"])
async def test_who_is_cancelled_at_any_step_leaves_no_transaction_behind(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Also when the driver's thread begins what was asked for only after nobody waits for it any more."""
    take = sqlite_driver.Connection._execute

    async def cancelled(self: sqlite_driver.Connection, work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if not str(arguments[0] if arguments else work.__name__).startswith(step):
            return await take(self, work, *arguments, **named)
        turn = asyncio.ensure_future(take(self, work, *arguments))
        await asyncio.sleep(0)
        turn.cancel()
        raise asyncio.CancelledError

    for _ in range(5):
        with monkeypatch.context() as patch:
            patch.setattr(sqlite_driver.Connection, "_execute", cancelled)
            with pytest.raises(asyncio.CancelledError):
                await _write(sqlite, "cancelled")
        await _write(sqlite, "written")
    assert [name for name in await _names(sqlite) if name != "cancelled"] == ["written"] * 5


def test_what_was_closed_is_good_for_another_event_loop(sqlite_url: str) -> None:
    made = Database(sqlite_url)

    async def write_at_once() -> list[str]:
        await asyncio.gather(_write(made), _write(made))
        names = await _names(made)
        await made.close()
        return names

    assert [len(asyncio.run(write_at_once())) for _ in range(2)] == [2, 4]
