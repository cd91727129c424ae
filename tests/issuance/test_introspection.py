"""Taking back a token (RFC 7009) and asking what one is worth (RFC 7662)."""

from typing import Any

import pytest
from sqlalchemy import select

from keyhouse.audit import AuditEvent
from keyhouse.audit.events import OPERATOR
from keyhouse.db.base import new_id
from keyhouse.errors import Failure
from keyhouse.issuance.introspection import Introspected, Introspection
from keyhouse.issuance.throttle import Throttle
from keyhouse.revocation import deaths
from keyhouse.tokens import TokenUse
from keyhouse.tokens.keys import secret_key
from support.forgery import claims, header, signed
from support.rooms import ORIGIN, Rooms
from support.rows import touched


@pytest.fixture
def desk(rooms: Rooms) -> Introspection:
    throttle = Throttle("10000/minute", "memory://")
    return Introspection(rooms.codec, rooms.view, rooms.vocabulary, rooms.revocation, throttle)


def _forged(rooms: Rooms, **more: Any) -> str:
    """By the real key, of a credential that is not in the store."""
    return rooms.codec.encode(claims(**more))


def _foreign(rooms: Rooms) -> str:
    made = claims(token_use=TokenUse.API_KEY, sid=None, company_id=rooms.company)
    key = secret_key("another-9Hq2vLx7TzK4mWb8Rs1Yc6Nd3Jf5Gp0")
    return signed(header(key), made.payload(), key)


async def test_a_key_that_is_handed_in_is_dead_with_what_it_made(rooms: Rooms, desk: Introspection) -> None:
    key, other = await rooms.key(), await rooms.key()
    own, users = await rooms.rotate(key, by_itself=True), await rooms.rotate(other)
    for minted in (key, other):
        await desk.revoke(minted.token, ORIGIN)
    live = [await rooms.is_live(minted.token) for minted in (key, own, other, users)]
    assert live == [False, False, False, True]


async def test_a_retired_key_does_not_touch_its_successor(rooms: Rooms, desk: Introspection) -> None:
    """It may lie around somewhere: whoever finds it must not be able to kill what is in use."""
    key = await rooms.key()
    successor = await rooms.rotate(key, by_itself=True, overlap=0)
    await rooms.admit(successor.token, rooms.company)
    assert await touched(rooms.database, lambda: desk.revoke(key.token, ORIGIN)) == set()
    assert await rooms.is_live(successor.token)


async def test_a_key_that_has_expired_does_nothing(rooms: Rooms, desk: Introspection) -> None:
    key = await rooms.key(within=60)
    successor = await rooms.rotate(key, by_itself=True, within=60)
    rooms.clock.advance(30)
    await rooms.admit(successor.token)
    rooms.clock.advance(31)
    assert await touched(rooms.database, lambda: desk.revoke(key.token, ORIGIN)) == set()


async def test_an_access_token_ends_its_session_alone(rooms: Rooms, desk: Introspection) -> None:
    pair, other = await rooms.session(), await rooms.session()
    await desk.revoke(pair.access_token, ORIGIN)
    assert not await rooms.is_live(pair.access_token)
    assert await rooms.is_live(other.access_token)


async def test_an_access_token_that_has_expired_ends_nothing(rooms: Rooms, desk: Introspection) -> None:
    pair = await rooms.session()
    rooms.clock.advance(901)
    assert await touched(rooms.database, lambda: desk.revoke(pair.access_token, ORIGIN)) == set()
    await rooms.sessions.refresh(pair.refresh_token, ORIGIN)


async def test_a_live_refresh_token_ends_its_session(rooms: Rooms, desk: Introspection) -> None:
    pair = await rooms.session()
    await desk.revoke(pair.refresh_token, ORIGIN)
    assert not await rooms.is_live(pair.access_token)


async def test_a_refresh_token_that_is_none_any_more_ends_nothing(rooms: Rooms, desk: Introspection) -> None:
    first = await rooms.session()
    second, twin = [await rooms.sessions.refresh(first.refresh_token, ORIGIN) for _ in range(2)]
    third = await rooms.sessions.refresh(second.refresh_token, ORIGIN)
    for token in (twin.refresh_token, "khr_unknown"):
        assert await touched(rooms.database, lambda token=token: desk.revoke(token, ORIGIN)) == set()
    assert await rooms.is_live(third.access_token)
    rooms.clock.advance(14 * 86400 + 1)
    assert await touched(rooms.database, lambda: desk.revoke(third.refresh_token, ORIGIN)) == set()


@pytest.mark.parametrize("text", ["", "garbage", "a.b.c", "\ud800", "khr_\ud800", "x" * 9000])
async def test_what_is_no_token_changes_nothing_and_does_not_wait(rooms: Rooms, desk: Introspection, text: str) -> None:
    assert await touched(rooms.database, lambda: desk.revoke(text, ORIGIN)) == set()
    assert await desk.introspect(text, rooms.company) is None
    if not text.startswith("khr_"):
        assert rooms.waits == []


async def test_a_forged_token_changes_nothing(rooms: Rooms, desk: Introspection) -> None:
    key = await rooms.key()
    tampered = key.token[:-4] + ("AAAA" if key.token[-4:] != "AAAA" else "BBBB")
    api_key = {"token_use": TokenUse.API_KEY, "sid": None, "company_id": rooms.company}
    for token in (_foreign(rooms), tampered, _forged(rooms), _forged(rooms, **api_key)):
        assert await touched(rooms.database, lambda token=token: desk.revoke(token, ORIGIN)) == set()
        assert await desk.introspect(token, rooms.company) is None
    assert await rooms.is_live(key.token)


async def test_a_repeated_revocation_waits_like_the_first(rooms: Rooms, desk: Introspection) -> None:
    key, pair = await rooms.key(), await rooms.session()
    for token in (key.token, pair.access_token, pair.refresh_token):
        waits = []
        for _ in range(2):
            rooms.waits.clear()
            await desk.revoke(token, ORIGIN)
            waits.append(sum(rooms.waits))
        assert waits[0] == pytest.approx(waits[1], abs=0.01)
        assert (waits[0] > 0) is (rooms.database.kind == "postgresql")


async def test_the_holder_is_who_the_token_speaks_for(rooms: Rooms, desk: Introspection) -> None:
    key, pair, other = await rooms.key(), await rooms.session(), await rooms.session(rooms.member)
    for token in (key.token, pair.access_token, other.refresh_token):
        await desk.revoke(token, ORIGIN)
    async with rooms.database.reading() as tx:
        query = select(AuditEvent.actor).where(AuditEvent.action.in_(["api_key.revoked", "session.ended"]))
        actors = (await tx.scalars(query.order_by(AuditEvent.id))).all()
    assert actors == [f"api_key:{key.record.key.id}", f"user:{rooms.admin}", f"user:{rooms.member}"]


async def test_who_hands_in_tokens_is_throttled(rooms: Rooms) -> None:
    desk = Introspection(rooms.codec, rooms.view, rooms.vocabulary, rooms.revocation, Throttle("1/minute", "memory://"))
    key = await rooms.key()
    await desk.revoke("garbage", ORIGIN)
    with pytest.raises(Failure) as caught:
        await desk.revoke(key.token, ORIGIN)
    assert caught.value.status == 429
    assert await rooms.is_live(key.token)


async def test_a_live_key_is_worth_its_claims_and_the_scopes_that_it_has_now(rooms: Rooms, desk: Introspection) -> None:
    key = await rooms.key(scopes=["audit:read", "datasets:read"])
    for _ in range(2):
        found = await desk.introspect(key.token, rooms.company)
        assert found == Introspected(
            rooms.codec.decode(key.token), ["datasets:read", "audit:read"], key.record.key.expires_at
        )
    await rooms.revocation.die(deaths.role(rooms.company, rooms.admin, "member", OPERATOR))
    found = await desk.introspect(key.token, rooms.company)
    assert found is not None
    assert found.scopes == ["datasets:read"]


async def test_a_retired_key_is_worth_what_is_left_of_its_overlap(rooms: Rooms, desk: Introspection) -> None:
    key = await rooms.key()
    await rooms.admit((await rooms.rotate(key, overlap=60)).token)
    found = await desk.introspect(key.token, rooms.company)
    assert found is not None
    assert found.expires_at <= await rooms.now() + 60
    rooms.clock.advance(61)
    assert await desk.introspect(key.token, rooms.company) is None


async def test_anything_else_is_worth_nothing(rooms: Rooms, desk: Introspection) -> None:
    dead, old, theirs = await rooms.key(), await rooms.key(within=60), await rooms.key(rooms.stranger, rooms.other)
    gone = await rooms.key(rooms.member, role="member")
    pair = await rooms.session()
    await rooms.revoke(dead)
    await rooms.revocation.die(deaths.removal(rooms.company, rooms.member, OPERATOR))
    rooms.clock.advance(61)
    for token in (dead.token, old.token, theirs.token, gone.token, pair.access_token, pair.refresh_token):
        assert await desk.introspect(token, rooms.company) is None
    assert await desk.introspect(theirs.token, rooms.other) is not None


async def test_claims_that_are_not_the_stored_keys_are_worth_nothing(rooms: Rooms, desk: Introspection) -> None:
    """Signed by us, but of another company or user than the key in the store."""
    key = await rooms.key()
    one = rooms.codec.decode(key.token)
    values = {name: getattr(one, name) for name in ("jti", "exp", "scope", "token_use", "company_id", "sub")}
    other_company = _forged(rooms, **{**values, "sid": None, "company_id": rooms.other})
    assert await desk.introspect(other_company, rooms.other) is None
    other_user = _forged(rooms, **{**values, "sid": None, "sub": new_id()})
    assert await desk.introspect(other_user, rooms.company) is None
    assert await desk.introspect(_forged(rooms, **{**values, "sid": None}), rooms.company) is not None
