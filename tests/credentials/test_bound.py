"""The bound of section 6: it is changed so that a worker which goes by the former one is waited for."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import text

from keyhouse.credentials import bound, changes
from keyhouse.credentials.bound import Bound
from keyhouse.db import Database
from keyhouse.errors import Failure
from support.clock import MovableClock


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    async with opened.writing() as tx:
        await tx.execute(text("UPDATE change_head SET bound_ms = 1000"))
    yield opened
    await opened.close()


async def _bound(database: Database) -> Bound:
    async with database.reading() as tx:
        return await bound.read(tx)


async def _never(_: float) -> None:
    raise AssertionError("waited")


class Interrupted(Exception):  # noqa: N818 - what a test of its own raises
    pass


async def _interrupt(_: float) -> None:
    raise Interrupted


def _watching(
    database: Database, clock: MovableClock, seen: list[tuple[float, Bound, float]]
) -> Callable[[float], Awaitable[None]]:
    async def wait(seconds: float) -> None:
        async with database.reading() as tx:
            seen.append((seconds, await bound.read(tx), await changes.bound(tx)))
        clock.advance(seconds)

    return wait


@pytest.mark.parametrize(("new", "longest"), [(200, 1.0), (5000, 5.0)])
async def test_who_revokes_meanwhile_waits_for_the_larger_bound(database: Database, new: int, longest: float) -> None:
    clock = MovableClock()
    seen: list[tuple[float, Bound, float]] = []
    await bound.change(database, clock, new, _watching(database, clock, seen))
    assert await _bound(database) == Bound(new, None)
    if database.kind == "sqlite":
        assert not seen
        return
    waited = sum(seconds for seconds, _, _ in seen)
    assert 1.0 < waited <= 1.01
    assert {(found, promised) for _, found, promised in seen} == {(Bound(new, 1000), longest)}


async def test_the_same_bound_again_changes_nothing_and_waits_for_nobody(database: Database) -> None:
    await bound.change(database, MovableClock(), 1000, _never)
    assert await _bound(database) == Bound(1000, None)


async def test_an_interrupted_change_is_finished_by_the_same_one_and_refuses_another(postgresql_url: str) -> None:
    database, clock = Database(postgresql_url), MovableClock()
    with pytest.raises(Interrupted):
        await bound.change(database, clock, 500, _interrupt)
    assert await _bound(database) == Bound(500, 100)

    with pytest.raises(Failure) as refused:
        await bound.change(database, clock, 700, _never)
    assert refused.value.entries[0].code == "conflict"
    assert await _bound(database) == Bound(500, 100)

    seen: list[tuple[float, Bound, float]] = []
    await bound.change(database, clock, 500, _watching(database, clock, seen))
    assert 0.1 < sum(seconds for seconds, _, _ in seen) <= 0.101
    assert await _bound(database) == Bound(500, None)
    await database.close()


async def test_who_was_overtaken_does_not_end_the_wait_of_a_later_change(postgresql_url: str) -> None:
    database = Database(postgresql_url)

    async def overtaken(_: float) -> None:
        clock.advance(1)
        async with database.writing() as tx:
            await tx.execute(text("UPDATE change_head SET bound_ms = 300, former_bound_ms = 500"))

    clock = MovableClock()
    await bound.change(database, clock, 500, overtaken)
    assert await _bound(database) == Bound(300, 500)
    await database.close()


@pytest.mark.parametrize("ms", [-1, changes.MAX_BOUND_MS + 1])
async def test_a_bound_out_of_range_is_refused(database: Database, ms: int) -> None:
    with pytest.raises(ValueError, match="not between 0 and 10000"):
        await bound.change(database, MovableClock(), ms, _never)
    assert await _bound(database) == Bound(1000, None)


async def test_a_database_without_its_head_is_not_taken_for_one_without_a_bound(database: Database) -> None:
    async with database.writing() as tx:
        await tx.execute(text("DELETE FROM change_head"))
    with pytest.raises(Failure, match="keyhouse migrate"):
        await _bound(database)
