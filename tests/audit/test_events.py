"""Audit events: in the company that they belong to, in the transaction of what they tell of, newest first."""

import pytest

from keyhouse import audit
from keyhouse.audit import Actor, Origin
from keyhouse.db.base import new_id
from support.rooms import Rooms
from support.rows import touched


@pytest.mark.parametrize("actor", [Actor("user", new_id()), Actor("api_key", new_id()), Actor("operator")])
def test_an_actor_reads_back_from_its_text(actor: Actor) -> None:
    assert Actor.parse(str(actor)) == actor
    # The width of the column.
    assert len(str(actor)) <= 50


async def test_an_event_is_written_once_in_each_company(rooms: Rooms) -> None:
    async with rooms.database.writing() as tx:
        await audit.record(
            tx,
            at=7,
            companies=[rooms.company, rooms.other],
            action="session.created",
            target=Actor("session", "s"),
            origin=Origin(Actor("user", rooms.admin), "2001:db8::1", "request-1"),
        )
    async with rooms.database.reading() as tx:
        for company in (rooms.company, rooms.other):
            (event,) = await audit.list_events(tx, company, limit=9, before=None)
            assert (event.at, event.action, event.target) == (7, "session.created", "session:s")
            assert (event.actor, event.ip, event.request_id) == (f"user:{rooms.admin}", "2001:db8::1", "request-1")


async def test_what_belongs_to_no_company_is_not_written(rooms: Rooms) -> None:
    """A user without a company has nobody who could read it."""

    async def act() -> None:
        async with rooms.database.writing() as tx:
            await audit.record(tx, at=7, companies=[], action="x", target=Actor("user", "u"), origin=Origin())

    assert await touched(rooms.database, act) == set()


async def test_events_are_listed_newest_first_a_page_at_a_time(rooms: Rooms) -> None:
    async with rooms.database.writing() as tx:
        for at in range(5):
            for company in (rooms.company, rooms.other):
                await audit.record(
                    tx, at=at, companies=[company], action="x", target=Actor("user", "u"), origin=audit.events.OPERATOR
                )
    async with rooms.database.reading() as tx:
        first = await audit.list_events(tx, rooms.company, limit=3, before=None)
        rest = await audit.list_events(tx, rooms.company, limit=3, before=first[-1].id)
    assert [event.at for event in (*first, *rest)] == [4, 3, 2, 1, 0]
    assert {event.company_id for event in (*first, *rest)} == {rooms.company}
    assert {event.actor for event in first} == {"operator"}


async def test_an_event_goes_with_the_transaction_that_it_tells_of(rooms: Rooms) -> None:
    async def act() -> None:
        async with rooms.database.writing() as tx:
            await audit.record(
                tx, at=7, companies=[rooms.company], action="x", target=Actor("user", "u"), origin=Origin()
            )
            raise LookupError

    with pytest.raises(LookupError):
        await act()
    async with rooms.database.reading() as tx:
        assert await audit.list_events(tx, rooms.company, limit=9, before=None) == []
