"""Log-in and change of a password: one answer for every refusal, and what happens when two of them meet."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from passlib.context import CryptContext
from sqlalchemy import select

from keyhouse.audit import AuditEvent
from keyhouse.audit.events import OPERATOR
from keyhouse.credentials.models import Session
from keyhouse.directory import users
from keyhouse.directory.models import User
from keyhouse.directory.passwords import PasswordHashing
from keyhouse.errors import Failure
from keyhouse.issuance.login import LogIn
from keyhouse.issuance.throttle import Throttle
from keyhouse.revocation import deaths
from support.rooms import ORIGIN, Rooms
from support.world import PASSWORD

NEW = "another long passphrase"
EMAIL = "member@example.com"
WEAKER = CryptContext(
    schemes=["argon2"], argon2__type="ID", argon2__memory_cost=8192, argon2__time_cost=1, argon2__parallelism=1
)


class Watched(PasswordHashing):
    """Counts what is verified, and lets a test act between a verification and what follows it."""

    def __init__(self) -> None:
        super().__init__(workers=1)
        self.verified: list[bool] = []
        self.between: Callable[[], Awaitable[Any]] | None = None

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        self.verified.append(stored is not None)
        answer = await super().verify(password, stored)
        if self.between is not None:
            act, self.between = self.between, None
            await act()
        return answer


@pytest.fixture
def hashing() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.close()


@pytest.fixture
def log_in(rooms: Rooms, hashing: Watched) -> LogIn:
    return LogIn(
        rooms.database,
        hashing,
        rooms.sessions,
        Throttle("10000/minute", "memory://"),
        rooms.sightings,
        rooms.revocation,
    )


async def _refused(awaitable: Awaitable[Any]) -> Failure:
    with pytest.raises(Failure) as caught:
        await awaitable
    return caught.value


async def _hash(rooms: Rooms) -> str:
    async with rooms.database.reading() as tx:
        return (await tx.scalars(select(User.password_hash).where(User.id == rooms.member))).one()


async def _set_hash(rooms: Rooms, password_hash: str) -> None:
    async with rooms.database.writing() as tx:
        await users.set_password_hash(tx, rooms.member, password_hash)


async def _disable(rooms: Rooms) -> None:
    await rooms.revocation.die(deaths.disabling(rooms.member, OPERATOR))


async def _live_sessions(rooms: Rooms) -> list[str]:
    async with rooms.database.reading() as tx:
        query = select(Session.id).where(Session.user_id == rooms.member, Session.ended_at.is_(None))
        return list((await tx.scalars(query.order_by(Session.id))).all())


async def _actions(rooms: Rooms) -> list[str]:
    async with rooms.database.reading() as tx:
        return list((await tx.scalars(select(AuditEvent.action).order_by(AuditEvent.id))).all())


async def test_a_log_in_opens_a_session(rooms: Rooms, log_in: LogIn) -> None:
    pair = await log_in.log_in(EMAIL, PASSWORD, ORIGIN)
    who = await rooms.admit(pair.access_token, rooms.company)
    assert (who.user_id, who.role, who.credential_type) == (rooms.member, "member", "access_token")
    assert await _live_sessions(rooms) == [who.credential_id]
    async with rooms.database.reading() as tx:
        (event,) = (await tx.scalars(select(AuditEvent))).all()
    assert (event.action, event.actor, event.target) == (
        "session.created",
        f"user:{rooms.member}",
        f"session:{who.credential_id}",
    )
    assert (event.company_id, event.ip, event.request_id) == (rooms.company, "192.0.2.1", "request-1")


async def test_every_refusal_is_one_and_costs_one_verification(rooms: Rooms, log_in: LogIn, hashing: Watched) -> None:
    failures = [await _refused(log_in.log_in(EMAIL, "wrong " + PASSWORD, ORIGIN))]
    failures.append(await _refused(log_in.log_in("nobody@example.com", PASSWORD, ORIGIN)))
    await _disable(rooms)
    failures.append(await _refused(log_in.log_in(EMAIL, PASSWORD, ORIGIN)))
    failures.append(await _refused(log_in.log_in(EMAIL, "wrong " + PASSWORD, ORIGIN)))
    assert len({(failed.status, failed.entries, tuple(failed.headers)) for failed in failures}) == 1
    assert (failures[0].status, failures[0].entries[0].code) == (401, "authentication_failed")
    assert [failed.cause for failed in failures] == [
        "wrong password",
        "unknown user",
        "user disabled",
        "wrong password",
    ]
    assert len(hashing.verified) == 4
    assert await _live_sessions(rooms) == []


async def test_a_refusal_writes_nothing_while_it_is_waited_for(rooms: Rooms, log_in: LogIn) -> None:
    """A write would tell by its time that there is such a user: it is noted in memory."""
    await _refused(log_in.log_in(EMAIL, "wrong " + PASSWORD, ORIGIN))
    await _refused(log_in.log_in("nobody@example.com", PASSWORD, ORIGIN))
    assert await _actions(rooms) == []
    await rooms.sightings.write_denials()
    assert await _actions(rooms) == ["session.denied"]


async def test_a_hash_with_weaker_parameters_is_replaced_at_the_next_log_in(rooms: Rooms, log_in: LogIn) -> None:
    await _set_hash(rooms, WEAKER.hash(PASSWORD))
    await log_in.log_in(EMAIL, PASSWORD, ORIGIN)
    assert (await _hash(rooms)).startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    await log_in.log_in(EMAIL, PASSWORD, ORIGIN)


async def test_a_wrong_password_replaces_no_hash(rooms: Rooms, log_in: LogIn) -> None:
    await _set_hash(rooms, weak := WEAKER.hash(PASSWORD))
    await _refused(log_in.log_in(EMAIL, "wrong " + PASSWORD, ORIGIN))
    assert await _hash(rooms) == weak


async def test_two_log_ins_at_once_are_both_let_in_though_one_replaces_the_hash(
    rooms: Rooms, log_in: LogIn, hashing: Watched
) -> None:
    await _set_hash(rooms, WEAKER.hash(PASSWORD))
    hashing.between = lambda: log_in.log_in(EMAIL, PASSWORD, ORIGIN)
    await log_in.log_in(EMAIL, PASSWORD, ORIGIN)
    assert len(await _live_sessions(rooms)) == 2


async def test_a_log_in_that_a_new_password_overtook_opens_no_session(
    rooms: Rooms, log_in: LogIn, hashing: Watched
) -> None:
    async def change() -> None:
        new_hash = await PasswordHashing.hash(hashing, NEW)
        await rooms.revocation.die(deaths.password(rooms.member, new_hash, OPERATOR, keep_session=None))

    hashing.between = change
    failed = await _refused(log_in.log_in(EMAIL, PASSWORD, ORIGIN))
    assert failed.entries[0].code == "authentication_failed"
    assert await _live_sessions(rooms) == []


async def test_a_log_in_that_a_disabling_overtook_opens_no_session(
    rooms: Rooms, log_in: LogIn, hashing: Watched
) -> None:
    hashing.between = lambda: _disable(rooms)
    failed = await _refused(log_in.log_in(EMAIL, PASSWORD, ORIGIN))
    assert (failed.entries[0].code, failed.cause) == ("authentication_failed", "user disabled")
    assert await _live_sessions(rooms) == []


async def test_a_password_that_is_changed_all_the_time_is_given_up(
    rooms: Rooms, log_in: LogIn, hashing: Watched
) -> None:
    async def change() -> None:
        await _set_hash(rooms, WEAKER.hash(PASSWORD))
        hashing.between = change

    hashing.between = change
    failed = await _refused(log_in.log_in(EMAIL, PASSWORD, ORIGIN))
    assert (failed.entries[0].code, failed.cause) == ("authentication_failed", "changed meanwhile")


async def test_log_ins_and_a_new_password_at_once_leave_no_session_of_the_old_one(
    rooms: Rooms, log_in: LogIn, hashing: Watched
) -> None:
    """For real: whoever logs in with the old password is refused, or was let in before and is out again."""
    new_hash = await hashing.hash(NEW)
    tries = [asyncio.create_task(log_in.log_in(EMAIL, PASSWORD, ORIGIN)) for _ in range(6)]
    await asyncio.sleep(0.1)
    await rooms.revocation.die(deaths.password(rooms.member, new_hash, OPERATOR, keep_session=None))
    await asyncio.gather(*tries, return_exceptions=True)
    assert await _live_sessions(rooms) == []


async def test_a_new_password_ends_the_other_sessions_alone(rooms: Rooms, log_in: LogIn) -> None:
    mine, other = [await log_in.log_in(EMAIL, PASSWORD, ORIGIN) for _ in range(2)]
    theirs = await rooms.session(rooms.admin)
    session = (await rooms.admit(mine.access_token)).credential_id
    await log_in.change_password(rooms.member, session, current=PASSWORD, new=NEW, origin=ORIGIN)
    assert await rooms.is_live(mine.access_token)
    assert await rooms.is_live(theirs.access_token)
    assert not await rooms.is_live(other.access_token)
    assert (await _refused(rooms.sessions.refresh(other.refresh_token, ORIGIN))).cause == "session ended"
    await rooms.sessions.refresh(mine.refresh_token, ORIGIN)
    await _refused(log_in.log_in(EMAIL, PASSWORD, ORIGIN))
    await log_in.log_in(EMAIL, NEW, ORIGIN)


async def test_a_wrong_present_password_changes_nothing(rooms: Rooms, log_in: LogIn) -> None:
    pair = await rooms.session(rooms.member)
    session = (await rooms.admit(pair.access_token)).credential_id
    before = await _hash(rooms)
    failed = await _refused(log_in.change_password(rooms.member, session, current="wrong", new=NEW, origin=ORIGIN))
    assert (failed.status, failed.entries[0].attr, failed.entries[0].code) == (400, "current_password", "invalid")
    assert await _hash(rooms) == before
    await rooms.sightings.write_denials()
    assert (await _actions(rooms))[-1] == "session.denied"
    assert await rooms.is_live(pair.access_token)


async def test_of_two_who_change_one_password_the_second_has_the_wrong_one(
    rooms: Rooms, log_in: LogIn, hashing: Watched
) -> None:
    """A thief, who knew the old password too, must not win by being the last."""
    owner, thief = [(await rooms.session(rooms.member)).access_token for _ in range(2)]
    sessions = [(await rooms.admit(token)).credential_id for token in (owner, thief)]

    async def change(session: str, new: str) -> None:
        await log_in.change_password(rooms.member, session, current=PASSWORD, new=new, origin=ORIGIN)

    hashing.between = lambda: change(sessions[0], NEW)
    failed = await _refused(change(sessions[1], "the thief's own passphrase"))
    assert (failed.status, failed.entries[0].attr) == (400, "current_password")
    await log_in.log_in(EMAIL, NEW, ORIGIN)
    assert await rooms.is_live(owner)
    assert not await rooms.is_live(thief)


async def test_a_password_is_changed_though_its_hash_was_replaced_meanwhile(
    rooms: Rooms, log_in: LogIn, hashing: Watched
) -> None:
    await _set_hash(rooms, WEAKER.hash(PASSWORD))
    session = (await rooms.admit((await rooms.session(rooms.member)).access_token)).credential_id
    hashing.between = lambda: log_in.log_in(EMAIL, PASSWORD, ORIGIN)
    await log_in.change_password(rooms.member, session, current=PASSWORD, new=NEW, origin=ORIGIN)
    await log_in.log_in(EMAIL, NEW, ORIGIN)


async def test_a_new_password_is_given_up_where_the_old_one_changes_all_the_time(
    rooms: Rooms, log_in: LogIn, hashing: Watched
) -> None:
    async def change() -> None:
        await _set_hash(rooms, WEAKER.hash(PASSWORD))
        hashing.between = change

    hashing.between = change
    failed = await _refused(log_in.change_password(rooms.member, "session", current=PASSWORD, new=NEW, origin=ORIGIN))
    assert (failed.status, failed.entries[0].attr) == (400, "current_password")


async def test_a_user_who_is_gone_changes_no_password(log_in: LogIn) -> None:
    failed = await _refused(log_in.change_password("gone", "session", current=PASSWORD, new=NEW, origin=ORIGIN))
    assert (failed.status, failed.cause) == (401, "unknown")
