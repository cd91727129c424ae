"""Transactions on both databases, and ids."""

import asyncio

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from keyhouse.db import Database
from keyhouse.db.base import is_id, new_id
from keyhouse.directory.models import Company
from keyhouse.errors import Failure
from support.clock import MovableClock


def _company(name: str = "Acme") -> Company:
    return Company(id=new_id(), name=name, created_at=1)


async def _names(database: Database) -> list[str]:
    async with database.reading() as tx:
        return sorted((await tx.scalars(select(Company.name))).all())


async def test_what_is_written_is_committed(database: Database) -> None:
    async with database.writing() as tx:
        tx.add(_company())
    assert await _names(database) == ["Acme"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, asyncio.CancelledError])
async def test_what_is_raised_undoes_all_of_it(database: Database, error: type[BaseException]) -> None:
    async def write() -> None:
        async with database.writing() as tx:
            tx.add(_company("one"))
            await tx.flush()
            tx.add(_company("two"))
            await tx.flush()
            raise error

    with pytest.raises(error):
        await write()
    assert await _names(database) == []


async def test_a_transaction_that_is_cancelled_gives_its_connection_back(database: Database) -> None:
    async def write() -> None:
        async with database.writing() as tx:
            tx.add(_company())
            await tx.flush()
            await asyncio.sleep(60)

    for _ in range(2):
        tasks = [asyncio.create_task(write()) for _ in range(3)]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert await _names(database) == []
    assert database.connections_in_use() == 0


async def test_an_error_of_the_statement_is_not_taken_for_an_outage(database: Database) -> None:
    company = _company()
    async with database.writing() as tx:
        tx.add(company)

    async def twice() -> None:
        async with database.writing() as tx:
            tx.add(Company(id=company.id, name="again", created_at=1))

    with pytest.raises(IntegrityError):
        await twice()
    assert await _names(database) == ["Acme"]


async def test_a_syntax_error_is_ours(postgresql_url: str) -> None:
    database = Database(postgresql_url)

    async def ask() -> None:
        async with database.reading() as tx:
            await tx.execute(text("SELEC 1"))

    with pytest.raises(ProgrammingError):
        await ask()
    await database.close()


async def test_no_value_is_in_the_text_of_an_error(database: Database) -> None:
    async def ask() -> None:
        async with database.reading() as tx:
            await tx.execute(text("SELECT :secret FROM nowhere"), {"secret": "hunter2"})

    # SQLite does not tell a statement that can't be from a database that can't answer.
    with pytest.raises((ProgrammingError, Failure)) as caught:
        await ask()
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"


async def test_now_is_the_databases_time_in_whole_seconds(database_url: str) -> None:
    clock = MovableClock()
    database = Database(database_url, clock)
    clock.advance(3600)
    before = int(clock.wall())
    async with database.reading() as tx:
        now = await database.now(tx)
        moved = await database.now(tx)
    assert type(now) is int
    # Within a transaction too: a transaction's own time stands still.
    assert before <= now <= moved <= int(clock.wall()) + 1
    await database.close()


def test_ids_are_uuid_7_in_order() -> None:
    made = [new_id() for _ in range(100)]
    assert made == sorted(made)
    assert all(is_id(item) and item[14] == "7" for item in made)


_ID = "01a20bb8-b454-778f-90b5-d9073ada9b01"


@pytest.mark.parametrize("value", [None, 7, "", "x", _ID.upper(), _ID + "\n", f"{{{_ID}}}", "0" * 32])
def test_anything_else_is_no_id(value: object) -> None:
    assert not is_id(value)
