"""Last uses and refused tries, gathered in memory: bounded, never lost to an outage, and little said of many."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.audit import AuditEvent, Origin
from keyhouse.credentials import sightings
from keyhouse.credentials.models import ApiKey
from keyhouse.credentials.sightings import Sightings
from keyhouse.db import Database
from keyhouse.db.base import new_id
from keyhouse.directory import companies
from keyhouse.errors import Failure, unavailable
from support.rooms import ORIGIN, Rooms
from support.rows import touched
from support.waiting import until


class Faulty(Database):
    """A database that can be away, or slow to begin a transaction."""

    away = False
    slow = False

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        if self.away:
            raise unavailable("test")
        if self.slow:
            await asyncio.sleep(60)
        async with super().writing() as tx:
            yield tx


@pytest.fixture
async def faulty(rooms: Rooms, database_url: str) -> AsyncIterator[Faulty]:
    made = Faulty(database_url, rooms.clock)
    yield made
    await made.close()


async def _last_used(rooms: Rooms, key_id: str) -> int | None:
    async with rooms.database.reading() as tx:
        return await tx.scalar(select(ApiKey.last_used_at).where(ApiKey.id == key_id))


async def _was_used(rooms: Rooms, key_id: str) -> bool:
    return await _last_used(rooms, key_id) is not None


async def _events(rooms: Rooms, action: str) -> list[Any]:
    async with rooms.database.reading() as tx:
        query = select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)
        return list((await tx.scalars(query)).all())


async def test_a_batch_of_uses_writes_that_column_alone(rooms: Rooms) -> None:
    """Nothing of another key, and of its own neither `used_at`, which has a meaning, nor anything else."""
    first, second = await rooms.key(), await rooms.key(rooms.member)
    await rooms.key()
    rooms.sightings.used(first.record.key.id, 1000.9)
    rooms.sightings.used(second.record.key.id, 2000.0)
    assert await touched(rooms.database, rooms.sightings.write_uses) == {
        ("api_keys", first.record.key.id, "last_used_at"),
        ("api_keys", second.record.key.id, "last_used_at"),
    }
    assert await _last_used(rooms, first.record.key.id) == 1000
    assert await touched(rooms.database, rooms.sightings.write_uses) == set()


async def test_a_last_use_is_never_moved_back(rooms: Rooms) -> None:
    """Workers write at other times than they saw: the later use counts, in whatever order they come."""
    key = (await rooms.key()).record.key.id
    for at, kept in ((2000, 2000), (1000, 2000), (3000, 3000)):
        another = Sightings(rooms.database)
        another.used(key, at)
        await another.write_uses()
        assert await _last_used(rooms, key) == kept


async def test_a_use_of_a_key_that_is_gone_is_nothing(rooms: Rooms) -> None:
    rooms.sightings.used(new_id(), 1000)
    assert await touched(rooms.database, rooms.sightings.write_uses) == set()


async def test_uses_are_kept_while_the_database_is_away(rooms: Rooms, faulty: Faulty) -> None:
    first, second = [(await rooms.key()).record.key.id for _ in range(2)]
    seen = Sightings(faulty)
    seen.used(first, 1000)
    seen.used(second, 1000)
    faulty.away = True
    with pytest.raises(Failure):
        await seen.write_uses()
    seen.used(first, 2000)
    faulty.away = False
    await seen.write_uses()
    assert [await _last_used(rooms, key) for key in (first, second)] == [2000, 1000]


async def test_denials_are_kept_while_the_database_is_away(rooms: Rooms, faulty: Faulty) -> None:
    key = (await rooms.key()).record.key.id
    seen = Sightings(faulty)
    seen.key_denied(key, ORIGIN)
    faulty.away = True
    with pytest.raises(Failure):
        await seen.write_denials()
    faulty.away = False
    await seen.write_denials()
    assert [event.target for event in await _events(rooms, "api_key.denied")] == [f"api_key:{key}"]


async def test_what_is_being_written_when_the_server_stops_is_written(
    rooms: Rooms, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sightings, "_DENIALS_EVERY", 0.01)
    monkeypatch.setattr(sightings, "_USES_EVERY", 0.01)
    key = (await rooms.key()).record.key.id
    seen = Sightings(faulty)
    faulty.slow = True
    seen.used(key, 1000)
    seen.open()
    await until(lambda: not seen._uses)
    faulty.slow = False
    await seen.close()
    assert await _last_used(rooms, key) == 1000


async def test_an_outage_at_the_end_is_logged_and_no_failure(rooms: Rooms, faulty: Faulty) -> None:
    seen = Sightings(faulty)
    seen.used((await rooms.key()).record.key.id, 1000)
    faulty.away = True
    await seen.close()


async def test_it_writes_by_itself_and_goes_on_after_an_outage(
    rooms: Rooms, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sightings, "_DENIALS_EVERY", 0.01)
    monkeypatch.setattr(sightings, "_USES_EVERY", 0.01)
    key = (await rooms.key()).record.key.id
    seen = Sightings(faulty)
    faulty.away = True
    seen.open()
    seen.used(key, 1000)
    await asyncio.sleep(0.05)
    faulty.away = False
    await until(lambda: _was_used(rooms, key))
    await seen.close()


async def test_uses_wait_for_their_minute_unless_there_are_too_many(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sightings, "_DENIALS_EVERY", 0.01)
    monkeypatch.setattr(sightings, "_MOST_USES", 1)
    first, second = [(await rooms.key()).record.key.id for _ in range(2)]
    rooms.sightings.open()
    rooms.sightings.used(first, 1000)
    await asyncio.sleep(0.1)
    assert await _last_used(rooms, first) is None
    rooms.sightings.used(second, 1000)
    await until(lambda: _was_used(rooms, first))
    await rooms.sightings.close()


async def test_a_key_is_told_to_be_tried_once_a_minute_whoever_saw_it(rooms: Rooms) -> None:
    """Two instances are two workers: they know of each other by the database alone."""
    key = (await rooms.key()).record.key.id
    workers = [Sightings(rooms.database) for _ in range(2)]

    async def tried() -> int:
        for worker in workers:
            for _ in range(3):
                worker.key_denied(key, ORIGIN)
        await asyncio.gather(*(worker.write_denials() for worker in workers))
        return len(await _events(rooms, "api_key.denied"))

    assert await tried() == 1
    assert await tried() == 1
    rooms.clock.advance(58)
    assert await tried() == 1
    rooms.clock.advance(3)
    assert await tried() == 2


async def test_a_refused_log_in_is_told_in_each_company_of_the_user(rooms: Rooms) -> None:
    async with rooms.database.writing() as tx:
        await companies.add_member(tx, company_id=rooms.other, user_id=rooms.member, role="member", at=1)
    workers = [Sightings(rooms.database) for _ in range(2)]
    for worker in workers:
        worker.login_denied(rooms.member, Origin(None, "192.0.2.7", "request-7"))
    await asyncio.gather(*(worker.write_denials() for worker in workers))
    events = await _events(rooms, "session.denied")
    assert {event.company_id for event in events} == {rooms.company, rooms.other}
    assert len(events) == 2
    assert {(e.actor, e.target, e.ip, e.request_id) for e in events} == {
        (None, f"user:{rooms.member}", "192.0.2.7", "request-7")
    }


async def test_a_denial_marks_its_subject_alone(rooms: Rooms) -> None:
    key, _ = [(await rooms.key()).record.key.id for _ in range(2)]
    rooms.sightings.key_denied(key, ORIGIN)
    rooms.sightings.login_denied(rooms.member, ORIGIN)
    rooms.sightings.key_denied(new_id(), ORIGIN)
    rooms.sightings.login_denied(new_id(), ORIGIN)
    places = await touched(rooms.database, rooms.sightings.write_denials)
    assert {place for place in places if place[0] != "audit_events"} == {
        ("api_keys", key, "denied_at"),
        ("users", rooms.member, "denied_at"),
    }
    assert [place[2] for place in places if place[0] == "audit_events"] == ["+", "+"]


def test_tries_are_as_many_as_somebody_wants_them_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sightings, "_MOST_DENIALS", 3)
    unused: Any = None
    seen = Sightings(unused)
    for number in range(10):
        seen.key_denied(f"key {number}", ORIGIN)
    seen.key_denied("key 0", ORIGIN)
    assert len(seen._denials) == 3


async def test_it_closes_also_when_its_cancellation_is_lost(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for a driver may end with an answer in the moment in which it is cancelled."""
    monkeypatch.setattr(sightings, "_DENIALS_EVERY", 0.01)
    seen, writing = Sightings(rooms.database), asyncio.Event()

    async def deaf(*, uses: bool) -> None:
        if writing.is_set():
            return
        writing.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        assert uses is False

    monkeypatch.setattr(seen, "_try_writing", deaf)
    seen.open()
    await asyncio.wait_for(writing.wait(), 10)
    await asyncio.wait_for(seen.close(), 10)
    # What ends it then is that it looks for itself.
    seen.open()
    seen._closing = True
    assert seen._task is not None
    await asyncio.wait_for(seen._task, 10)
