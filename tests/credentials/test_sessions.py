"""Sessions and refresh tokens in the database: what is stored of them, and what each statement touches."""

import re
from typing import Any

from sqlalchemy import select

from keyhouse.credentials import sessions
from keyhouse.credentials.models import RefreshToken, Session
from support.rooms import ORIGIN, Rooms
from support.rows import snapshot, touched


async def _session_ids(rooms: Rooms, user: str) -> list[str]:
    async with rooms.database.reading() as tx:
        query = select(Session.id).where(Session.user_id == user).order_by(Session.id)
        return list((await tx.scalars(query)).all())


async def _token(rooms: Rooms, text: str) -> RefreshToken:
    async with rooms.database.reading() as tx:
        query = select(RefreshToken).where(RefreshToken.digest == sessions.digest(text))
        return (await tx.scalars(query)).one()


def test_a_refresh_token_is_opaque_long_and_known_to_secret_scanners() -> None:
    made = {sessions.new_refresh_token() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"khr_[A-Za-z0-9_-]{43}", token) for token in made)


async def test_the_store_holds_no_token(rooms: Rooms) -> None:
    """Neither as it is nor in a form that could be turned back: SHA-256 of 256 random bits."""
    pair = await rooms.session()
    key = await rooms.key()
    values = [str(value) for value in (await snapshot(rooms.database)).values()]
    assert sessions.digest(pair.refresh_token) in values
    for secret in (pair.refresh_token, pair.refresh_token[4:], pair.access_token, key.token, key.token.split(".")[2]):
        assert not any(secret in value for value in values)


async def test_a_link_is_found_by_the_text_of_its_token(rooms: Rooms) -> None:
    pair = await rooms.session(rooms.member)
    async with rooms.database.writing() as tx:
        link = await sessions.link(tx, pair.refresh_token)
        assert link is not None
        assert (link.user.id, link.session.user_id, link.token.session_id) == (
            rooms.member,
            rooms.member,
            link.session.id,
        )
        for other in ("", "khr_", pair.refresh_token[:-1], pair.refresh_token + "=", pair.access_token):
            assert await sessions.link(tx, other) is None


async def test_an_exchange_touches_its_token_and_its_siblings_alone(rooms: Rooms) -> None:
    await rooms.session()
    first = await rooms.session()
    second, twin = [await rooms.sessions.refresh(first.refresh_token, ORIGIN) for _ in range(2)]
    await rooms.session(rooms.member)
    root, chosen, other = [await _token(rooms, pair.refresh_token) for pair in (first, second, twin)]

    async def exchange(token: RefreshToken, at: int) -> Any:
        async with rooms.database.writing() as tx:
            await sessions.exchange(tx, token, at)

    assert await touched(rooms.database, lambda: exchange(chosen, 5)) == {
        ("refresh_tokens", chosen.id, "uses"),
        ("refresh_tokens", chosen.id, "used_at"),
        ("refresh_tokens", other.id, "superseded"),
    }
    # The moment of the first use stays, and a token without a parent has no siblings.
    assert await touched(rooms.database, lambda: exchange(root, 6)) == {("refresh_tokens", root.id, "uses")}


async def test_a_successor_counts_as_presented_when_it_was_exchanged(rooms: Rooms) -> None:
    first = await rooms.session()
    root = await _token(rooms, first.refresh_token)
    second = await rooms.sessions.refresh(first.refresh_token, ORIGIN)
    async with rooms.database.reading() as tx:
        assert not await sessions.successor_presented(tx, root.id)
    await rooms.sessions.refresh(second.refresh_token, ORIGIN)
    async with rooms.database.reading() as tx:
        assert await sessions.successor_presented(tx, root.id)
        assert not await sessions.successor_presented(tx, (await _token(rooms, second.refresh_token)).id)


async def test_ending_a_session_touches_that_one_alone(rooms: Rooms) -> None:
    for user in (rooms.admin, rooms.admin, rooms.member, rooms.stranger):
        await rooms.session(user)
    first, _ = await _session_ids(rooms, rooms.admin)

    async def end(session_id: str, at: int = 100) -> str | None:
        async with rooms.database.writing() as tx:
            return await sessions.end(tx, session_id, at)

    assert await touched(rooms.database, lambda: end(first)) == {("sessions", first, "ended_at")}
    assert await touched(rooms.database, lambda: end(first, 200)) == set()
    assert await end(first) is None
    assert await end("nothing") is None
    (theirs,) = await _session_ids(rooms, rooms.member)
    assert await end(theirs) == rooms.member


async def test_ending_all_touches_the_users_live_ones_but_the_one_to_keep(rooms: Rooms) -> None:
    for user in (rooms.admin, rooms.admin, rooms.admin, rooms.admin, rooms.member, rooms.stranger):
        await rooms.session(user)
    ended, expired, kept, live = await _session_ids(rooms, rooms.admin)
    now = await rooms.now()
    async with rooms.database.writing() as tx:
        await sessions.end(tx, ended, now)
        found = await tx.get_one(Session, expired)
        found.expires_at = now

    async def end_all(keep: str | None) -> None:
        async with rooms.database.writing() as tx:
            await sessions.end_all(tx, rooms.admin, now, keep=keep)

    assert await touched(rooms.database, lambda: end_all(kept)) == {("sessions", live, "ended_at")}
    assert await touched(rooms.database, lambda: end_all(None)) == {("sessions", kept, "ended_at")}
