"""API keys: what may be made, seen, renamed and revoked, and by whom."""

from typing import Any

import pytest
from sqlalchemy import select

from keyhouse.audit import AuditEvent
from keyhouse.credentials.models import ApiKey
from keyhouse.credentials.store import Status
from keyhouse.db.base import new_id
from keyhouse.errors import Failure
from keyhouse.issuance.api_keys import Minted
from keyhouse.revocation import deaths
from keyhouse.scopes import MANAGEMENT
from keyhouse.tokens import TokenUse
from support.rooms import ORIGIN, SCOPES, Rooms
from support.rows import in_tables, touched


async def _refused(awaitable: Any, status: int) -> Failure:
    with pytest.raises(Failure) as caught:
        await awaitable
    assert caught.value.status == status
    return caught.value


async def _listed(rooms: Rooms, **more: Any) -> list[str]:
    values = {"created_by": None, "statuses": [Status.ACTIVE, Status.EXPIRED], "limit": 50, "before": None, **more}
    return [record.key.id for record in (await rooms.api_keys.list(rooms.company, **values)).records]


def _id(minted: Minted) -> str:
    return minted.record.key.id


async def test_a_new_key_and_its_token_say_the_same(rooms: Rooms) -> None:
    minted = await rooms.key(rooms.member, role="member", name="deploy", scopes=["datasets:read"], within=600)
    key, claims = minted.record.key, rooms.codec.decode(minted.token)
    assert (claims.token_use, claims.jti, claims.sub, claims.company_id, claims.sid) == (
        TokenUse.API_KEY,
        key.id,
        rooms.member,
        rooms.company,
        None,
    )
    assert (claims.scope, claims.iat, claims.exp) == ("datasets:read", key.created_at, key.expires_at)
    assert (key.expires_at, key.lifetime, key.hint) == (key.created_at + 600, 600, minted.token[-4:])
    assert (key.name, key.created_by, minted.record.creator_email) == ("deploy", rooms.member, "member@example.com")
    assert (key.replaces, minted.record.replaced_by, key.made_by_key) == (None, None, False)
    who = await rooms.admit(minted.token, rooms.company, "datasets:read")
    assert (who.credential_id, who.scopes) == (key.id, {"datasets:read"})


async def test_without_scopes_it_gets_every_resource_scope_and_no_management_scope(rooms: Rooms) -> None:
    minted = await rooms.key()
    assert minted.record.key.scopes.split() == list(SCOPES)


async def test_a_member_gives_what_a_member_may(rooms: Rooms) -> None:
    given = [*SCOPES, "api_keys:read", "api_keys:rotate"]
    assert (await rooms.key(rooms.member, role="member", scopes=given)).record.key.scopes.split() == given
    for beyond in ("audit:read", "tokens:introspect"):
        for scopes in ([beyond], ["datasets:read", beyond]):
            failed = await _refused(rooms.key(rooms.member, role="member", scopes=scopes), 403)
            assert failed.entries[0].extra == {"required_role": "admin"}
    assert (await rooms.key(scopes=list(MANAGEMENT))).record.key.scopes.split() == list(MANAGEMENT)


async def test_scopes_are_stored_once_and_in_one_order(rooms: Rooms) -> None:
    scopes = ["audit:read", "datasets:write", "audit:read", "datasets:read"]
    minted = await rooms.key(scopes=scopes)
    assert minted.record.key.scopes == "datasets:read datasets:write audit:read"


async def test_what_the_creator_may_not_do_any_more_the_key_may_not_either(rooms: Rooms) -> None:
    minted = await rooms.key(scopes=["datasets:read", "audit:read"])
    await rooms.admit(minted.token, rooms.company, "audit:read")
    await rooms.revocation.die(deaths.role(rooms.company, rooms.admin, "member", ORIGIN))
    assert "scope" in await rooms.refused(minted.token, rooms.company, "audit:read")
    assert (await rooms.admit(minted.token, rooms.company)).scopes == {"datasets:read"}


@pytest.mark.parametrize("within", [0, 59, 366 * 86400 + 1])
async def test_an_expiry_out_of_bounds_makes_no_key(rooms: Rooms, within: int) -> None:
    places = await touched(rooms.database, lambda: _refused(rooms.key(within=within), 400))
    assert places == set()


async def test_creating_a_key_writes_a_key_and_an_event(rooms: Rooms) -> None:
    places = await touched(rooms.database, rooms.key)
    assert sorted((table, column) for table, _, column in places) == [("api_keys", "+"), ("audit_events", "+")]
    async with rooms.database.reading() as tx:
        (event,) = (await tx.scalars(select(AuditEvent))).all()
        (key,) = (await tx.scalars(select(ApiKey))).all()
    assert (event.action, event.target, event.company_id) == ("api_key.created", f"api_key:{key.id}", rooms.company)
    assert (event.actor, event.ip, event.request_id) == (None, "192.0.2.1", "request-1")


async def test_keys_are_listed_by_status_creator_and_company(rooms: Rooms) -> None:
    mine = await rooms.key()
    theirs = await rooms.key(rooms.member, role="member", within=60)
    dead = await rooms.key()
    await rooms.key(rooms.stranger, rooms.other)
    await rooms.revoke(dead)
    rooms.clock.advance(61)
    assert await _listed(rooms) == [_id(theirs), _id(mine)]
    assert await _listed(rooms, statuses=[Status.ACTIVE]) == [_id(mine)]
    assert await _listed(rooms, statuses=[Status.EXPIRED]) == [_id(theirs)]
    assert await _listed(rooms, statuses=[Status.REVOKED]) == [_id(dead)]
    assert await _listed(rooms, created_by=rooms.member) == [_id(theirs)]
    assert await _listed(rooms, limit=1) == [_id(theirs)]
    assert await _listed(rooms, before=_id(theirs)) == [_id(mine)]
    listed = await rooms.api_keys.list(rooms.company, created_by=None, statuses=list(Status), limit=50, before=None)
    assert listed.now == pytest.approx(await rooms.now(), abs=2)


async def test_one_key_is_got_where_it_is_and_by_whom_it_concerns(rooms: Rooms) -> None:
    key = await rooms.key(rooms.member, role="member")
    for created_by in (None, rooms.member):
        found = await rooms.api_keys.get(rooms.company, _id(key), created_by=created_by)
        assert found.records[0].key.id == _id(key)
    for company, key_id, created_by in (
        (rooms.other, _id(key), None),
        (rooms.company, new_id(), None),
        (rooms.company, _id(key), rooms.admin),
    ):
        failed = await _refused(rooms.api_keys.get(company, key_id, created_by=created_by), 404)
        assert failed.entries[0].detail == "Not found."


async def test_a_rename_changes_the_name_alone(rooms: Rooms) -> None:
    key, _ = await rooms.key(rooms.member, role="member"), await rooms.key()

    async def rename(created_by: str | None = None) -> None:
        listed = await rooms.api_keys.rename(rooms.company, _id(key), "new", created_by=created_by, origin=ORIGIN)
        assert listed.records[0].key.name == "new"

    places = await touched(rooms.database, rename)
    assert in_tables(places, "api_keys") == {("api_keys", _id(key), "name")}
    assert {(table, column) for table, _, column in places} == {("api_keys", "name"), ("audit_events", "+")}
    await _refused(rename(rooms.admin), 404)
    assert await rooms.is_live(key.token)


async def test_a_revocation_takes_along_what_a_key_made_of_it_and_not_what_a_user_made(rooms: Rooms) -> None:
    """K1 made K2 of itself, which made K3; a user made K4 of that, which made K5."""
    first = await rooms.key()
    second = await rooms.rotate(first, by_itself=True)
    third = await rooms.rotate(second, by_itself=True)
    fourth = await rooms.rotate(third)
    fifth = await rooms.rotate(fourth, by_itself=True)
    keys = (first, second, third, fourth, fifth)
    places = await touched(rooms.database, lambda: rooms.revoke(first))
    assert in_tables(places, "api_keys") == {("api_keys", _id(key), "revoked_at") for key in keys[:3]}
    assert [await rooms.is_live(key.token) for key in keys] == [False, False, False, True, True]
    async with rooms.database.reading() as tx:
        query = select(AuditEvent.target).where(AuditEvent.action == "api_key.revoked").order_by(AuditEvent.id)
        assert (await tx.scalars(query)).all() == [f"api_key:{_id(key)}" for key in keys[:3]]


async def test_a_revocation_in_the_middle_leaves_what_is_before_it(rooms: Rooms) -> None:
    first = await rooms.key()
    second = await rooms.rotate(first, by_itself=True)
    third = await rooms.rotate(second, by_itself=True)
    await rooms.revoke(second)
    assert [await rooms.is_live(key.token) for key in (first, second, third)] == [True, False, False]


async def test_a_revocation_goes_on_past_a_successor_that_is_dead_already(rooms: Rooms) -> None:
    first = await rooms.key()
    second = await rooms.rotate(first, by_itself=True)
    third = await rooms.rotate(second, by_itself=True)
    async with rooms.database.writing() as tx:
        (await tx.get_one(ApiKey, _id(second))).revoked_at = 1
    await rooms.revoke(first)
    assert not await rooms.is_live(third.token)


async def test_a_repeated_revocation_changes_nothing_and_waits_like_the_first(rooms: Rooms) -> None:
    key = await rooms.key()
    await rooms.revoke(key)
    waited = sum(rooms.waits)
    rooms.clock.advance(100)
    assert await touched(rooms.database, lambda: rooms.revoke(key)) == set()
    assert sum(rooms.waits) == pytest.approx(2 * waited, abs=0.01)
    assert (waited > 0) is (rooms.database.kind == "postgresql")


async def test_who_may_not_see_a_key_cannot_revoke_it_and_does_not_wait(rooms: Rooms) -> None:
    key = await rooms.key()
    for company, created_by in ((rooms.other, None), (rooms.company, rooms.member)):
        refused = rooms.api_keys.revoke(company, _id(key), created_by=created_by, origin=ORIGIN)
        await _refused(refused, 404)
    assert rooms.waits == []
    assert await rooms.is_live(key.token)


async def test_the_row_of_a_revoked_key_stays(rooms: Rooms) -> None:
    key = await rooms.key()
    await rooms.revoke(key)
    found = await rooms.api_keys.get(rooms.company, _id(key), created_by=None)
    assert found.records[0].status(found.now) is Status.REVOKED
    # And may be renamed, which brings nothing back.
    await rooms.api_keys.rename(rooms.company, _id(key), "old", created_by=None, origin=ORIGIN)
    assert not await rooms.is_live(key.token)
