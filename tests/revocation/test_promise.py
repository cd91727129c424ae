"""`Revocation.die`: what is committed, how long it is kept back, and that nothing disturbs it."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.audit.events import OPERATOR
from keyhouse.credentials.changes import Death
from keyhouse.db import Database
from keyhouse.errors import Failure, unavailable
from keyhouse.revocation import Deed, Outcome, Revocation, deaths
from support.clock import MovableClock
from support.rooms import Rooms
from support.rows import touched
from support.waiting import until

BOUND = 0.1


def _dead(value: str = "done", grace: float = 0.0) -> Deed[str]:
    async def deed(_tx: AsyncSession, _now: int) -> Outcome[str]:
        return Outcome(value, [Death("api_key", "0" * 36)], grace)

    return deed


def _again() -> Deed[str]:
    """All was dead before."""

    async def deed(_tx: AsyncSession, _now: int) -> Outcome[str]:
        return Outcome("again")

    return deed


async def _set_bound(rooms: Rooms, ms: int, former: int | None = None) -> None:
    async with rooms.database.writing() as tx:
        await tx.execute(
            text("UPDATE change_head SET bound_ms = :ms, former_bound_ms = :former"), {"ms": ms, "former": former}
        )


async def test_it_answers_what_the_deed_answers(rooms: Rooms) -> None:
    assert await rooms.revocation.die(_dead("value")) == "value"
    assert await rooms.revocation.die(_again()) == "again"


@pytest.mark.parametrize("deed", [_dead(), _again()], ids=["first", "repeated"])
async def test_on_postgresql_it_waits_for_the_bound_and_a_hundredth(postgresql_rooms: Rooms, deed: Deed[str]) -> None:
    await postgresql_rooms.revocation.die(deed)
    assert sum(postgresql_rooms.waits) == pytest.approx(BOUND * 1.01, abs=0.002)


@pytest.mark.parametrize("deed", [_dead(), _again()], ids=["first", "repeated"])
async def test_on_sqlite_it_waits_for_nothing(sqlite_rooms: Rooms, deed: Deed[str]) -> None:
    """Each request reads the file's change counter."""
    await _set_bound(sqlite_rooms, 10_000)
    await sqlite_rooms.revocation.die(deed)
    assert sqlite_rooms.waits == []


@pytest.mark.parametrize(
    ("ms", "former", "seconds"), [(500, None, 0.505), (0, None, 0.0), (100, 2000, 2.02), (2000, 100, 2.02)]
)
@pytest.mark.parametrize("deed", [_dead(), _again()], ids=["first", "repeated"])
async def test_it_waits_for_the_longest_bound_that_a_worker_may_go_by(
    postgresql_rooms: Rooms, ms: int, former: int | None, seconds: float, deed: Deed[str]
) -> None:
    await _set_bound(postgresql_rooms, ms, former)
    await postgresql_rooms.revocation.die(deed)
    assert sum(postgresql_rooms.waits) == pytest.approx(seconds, abs=0.003)


async def test_it_waits_again_when_it_was_woken_too_early(postgresql_rooms: Rooms) -> None:
    """As a timer may do: the clock decides."""
    clock, slept = MovableClock(), list[float]()

    async def half(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(seconds / 2 if len(slept) < 5 else seconds)

    await Revocation(postgresql_rooms.database, clock, half).die(_dead())
    assert len(slept) == 5
    assert clock.offset >= BOUND * 1.01 - 0.01


@pytest.mark.parametrize(("grace", "waits"), [(0.0, True), (1.0, True), (1.1, True), (1.2, False), (3600.0, False)])
async def test_a_death_that_begins_late_enough_needs_no_wait(
    postgresql_rooms: Rooms, grace: float, *, waits: bool
) -> None:
    """Its moment is in whole seconds: up to one of the grace may be over when it is committed."""
    await postgresql_rooms.revocation.die(_dead(grace=grace))
    assert bool(postgresql_rooms.waits) is waits


async def test_who_watches_is_told_how_long_it_was(postgresql_rooms: Rooms) -> None:
    told: list[float] = []
    rooms = postgresql_rooms

    async def wait(seconds: float) -> None:
        rooms.clock.advance(seconds)

    await Revocation(rooms.database, rooms.clock, wait, told.append).die(_dead())
    assert told == [pytest.approx(BOUND * 1.01, abs=0.01)]


async def test_no_connection_is_held_while_it_waits(postgresql_rooms: Rooms) -> None:
    rooms, in_use = postgresql_rooms, list[int]()

    async def wait(seconds: float) -> None:
        in_use.append(rooms.database.connections_in_use())
        rooms.clock.advance(seconds)

    for deed in (_dead(), _again()):
        await Revocation(rooms.database, rooms.clock, wait).die(deed)
    assert in_use == [0, 0]


async def test_a_deed_that_raises_changes_nothing_and_nobody_waits(rooms: Rooms) -> None:
    key = await rooms.key()

    async def deed(tx: AsyncSession, now: int) -> Outcome[None]:
        await deaths.api_key(rooms.company, key.record.key.id, OPERATOR)(tx, now)
        raise LookupError("after all")

    async def die() -> None:
        with pytest.raises(LookupError, match="after all"):
            await rooms.revocation.die(deed)

    assert await touched(rooms.database, die) == set()
    assert rooms.waits == []
    assert await rooms.is_live(key.token)


async def test_the_deed_is_given_the_databases_time(rooms: Rooms) -> None:
    times: list[int] = []

    async def deed(_tx: AsyncSession, now: int) -> Outcome[None]:
        times.append(now)
        return Outcome(None)

    rooms.clock.advance(5000)
    await rooms.revocation.die(deed)
    assert times[0] == pytest.approx(rooms.clock.wall(), abs=2)


@pytest.mark.parametrize("when", ["in the deed", "in the wait"])
async def test_a_caller_who_hangs_up_disturbs_nothing(rooms: Rooms, when: str) -> None:
    key = await rooms.key()
    reached, go_on, over = asyncio.Event(), asyncio.Event(), asyncio.Event()
    real = deaths.api_key(rooms.company, key.record.key.id, OPERATOR)

    async def deed(tx: AsyncSession, now: int) -> Outcome[None]:
        if when == "in the deed":
            reached.set()
            await go_on.wait()
        return await real(tx, now)

    async def wait(seconds: float) -> None:
        reached.set()
        await go_on.wait()
        rooms.clock.advance(seconds)

    async def caller() -> None:
        await Revocation(rooms.database, rooms.clock, wait, lambda _: over.set()).die(deed)

    calling = asyncio.create_task(caller())
    if when == "in the wait" and rooms.database.kind == "sqlite":
        await calling
    else:
        await reached.wait()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        # Nobody else may hold what goes on.
        gc.collect()
        go_on.set()
    await until(lambda: _is_dead(rooms, key.token))
    if rooms.database.kind == "postgresql":
        await until(over.is_set)


async def _is_dead(rooms: Rooms, token: str) -> bool:
    return not await rooms.is_live(token)


class _Unsure(Database):
    """Commits, and then nobody hears of it."""

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        async with super().writing() as tx:
            yield tx
        raise unavailable("connection lost at the commit")


async def test_a_commit_whose_outcome_is_unknown_is_503_and_repeated_it_is_certain(
    rooms: Rooms, database_url: str
) -> None:
    key = await rooms.key()
    deed = deaths.api_key(rooms.company, key.record.key.id, OPERATOR)
    unsure = _Unsure(database_url, rooms.clock)
    with pytest.raises(Failure) as caught:
        await Revocation(unsure, rooms.clock).die(deed)
    assert caught.value.status == 503
    await rooms.revocation.die(deed)
    assert not await rooms.is_live(key.token)
    assert (sum(rooms.waits) > 0) is (rooms.database.kind == "postgresql")
    await unsure.close()


async def test_settling_waits_like_a_repeated_revocation_and_changes_nothing(rooms: Rooms) -> None:
    assert await touched(rooms.database, rooms.revocation.settle) == set()
    assert (sum(rooms.waits) > 0) is (rooms.database.kind == "postgresql")


async def test_every_death_is_in_the_log_when_it_is_answered(rooms: Rooms) -> None:
    async def applied() -> int:
        async with rooms.database.reading() as tx:
            return int(await tx.scalar(text("SELECT seq FROM change_head")) or 0)

    before = await applied()
    outcomes: list[Any] = await asyncio.gather(*(rooms.revocation.die(_dead()) for _ in range(5)))
    assert outcomes == ["done"] * 5
    assert await applied() == before + 5
