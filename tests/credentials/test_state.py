"""What the guard must know of a credential, as one statement reads it, and how each kind of death reads."""

import pytest
from sqlalchemy import text, update

from keyhouse.credentials import state
from keyhouse.credentials.models import ApiKey, Session
from keyhouse.credentials.state import Reading
from keyhouse.db import Base
from keyhouse.db.base import new_id
from keyhouse.directory import companies, users
from keyhouse.directory.models import Membership, User
from keyhouse.errors import Failure
from keyhouse.revocation import deaths
from keyhouse.tokens import TokenUse
from support.rooms import ORIGIN, Rooms


async def _read(rooms: Rooms, use: TokenUse, credential_id: str) -> Reading:
    async with rooms.database.reading() as tx:
        rows = (await tx.execute(state.statement(use, rooms.database.kind), {"id": credential_id})).all()
    return state.read(use, credential_id, rows)


async def _set(rooms: Rooms, model: type[Base], **values: object) -> None:
    async with rooms.database.writing() as tx:
        await tx.execute(update(model).values(**values))


async def _session_id(rooms: Rooms, user: str) -> str:
    pair = await rooms.session(user)
    return rooms.codec.decode(pair.access_token).credential_id


async def test_a_live_key(rooms: Rooms) -> None:
    key = (await rooms.key(rooms.member, role="member", scopes=["datasets:read", "api_keys:read"])).record.key
    reading = await _read(rooms, TokenUse.API_KEY, key.id)
    assert reading.state == state.State(
        key.id,
        TokenUse.API_KEY,
        rooms.member,
        rooms.company,
        frozenset({"datasets:read", "api_keys:read"}),
        {rooms.company: "member"},
        key.expires_at,
    )
    assert (reading.seq, reading.cause) == (0, "")


async def test_what_keys_of_a_company_have_alike_is_held_once(rooms: Rooms) -> None:
    states = []
    for _ in range(2):
        key = (await rooms.key(rooms.member, role="member", scopes=["datasets:read", "api_keys:read"])).record.key
        reading = await _read(rooms, TokenUse.API_KEY, key.id)
        assert reading.state is not None
        states.append(reading.state)
    first, second = states
    for name in ("user_id", "company_id", "scopes", "roles"):
        assert getattr(first, name) is getattr(second, name)


async def test_a_live_session_has_all_of_its_users_companies(rooms: Rooms) -> None:
    session = await _session_id(rooms, rooms.admin)
    async with rooms.database.writing() as tx:
        await companies.add_member(tx, company_id=rooms.other, user_id=rooms.admin, role="member", at=1)
    reading = await _read(rooms, TokenUse.ACCESS, session)
    assert reading.state is not None
    assert reading.state.roles == {rooms.company: "admin", rooms.other: "member"}
    assert (reading.state.company_id, reading.state.scopes) == (None, None)
    assert reading.state.expires_at > await rooms.now() + 86400


async def test_a_session_of_a_user_without_a_company_lives(rooms: Rooms) -> None:
    session = await _session_id(rooms, await rooms.user("alone@example.com"))
    reading = await _read(rooms, TokenUse.ACCESS, session)
    assert reading.state is not None
    assert reading.state.roles == {}


@pytest.mark.parametrize("use", TokenUse)
async def test_what_is_not_there_is_unknown(rooms: Rooms, use: TokenUse) -> None:
    key, session = (await rooms.key()).record.key.id, await _session_id(rooms, rooms.admin)
    assert await _read(rooms, use, new_id()) == Reading(0, None, "unknown")
    # An id of the other kind is none of this one.
    assert (await _read(rooms, use, session if use is TokenUse.API_KEY else key)).cause == "unknown"


async def test_every_cause_of_a_keys_death_is_told(rooms: Rooms) -> None:
    key = (await rooms.key()).record.key.id
    await _set(rooms, User, disabled_at=1)
    assert (await _read(rooms, TokenUse.API_KEY, key)).cause == "user disabled"
    await _set(rooms, ApiKey, revoked_at=1)
    assert (await _read(rooms, TokenUse.API_KEY, key)).cause == "revoked"
    await _set(rooms, User, disabled_at=None)
    assert (await _read(rooms, TokenUse.API_KEY, key)).cause == "revoked"
    await _set(rooms, ApiKey, revoked_at=None)
    assert (await _read(rooms, TokenUse.API_KEY, key)).state is not None
    async with rooms.database.writing() as tx:
        await companies.remove_member(tx, company_id=rooms.company, user_id=rooms.admin)
        await companies.add_member(tx, company_id=rooms.other, user_id=rooms.admin, role="admin", at=1)
    # That the user is a member somewhere else is no help.
    assert (await _read(rooms, TokenUse.API_KEY, key)).cause == "membership gone"


async def test_every_cause_of_a_sessions_death_is_told(rooms: Rooms) -> None:
    session = await _session_id(rooms, rooms.admin)
    await _set(rooms, User, disabled_at=1)
    assert (await _read(rooms, TokenUse.ACCESS, session)).cause == "user disabled"
    await _set(rooms, Session, ended_at=1)
    assert (await _read(rooms, TokenUse.ACCESS, session)).cause == "revoked"


@pytest.mark.parametrize(("retires_in", "retired"), [(None, False), (100, True), (3600, False), (9999, False)])
async def test_the_earlier_of_both_ends_counts(rooms: Rooms, retires_in: int | None, *, retired: bool) -> None:
    key = (await rooms.key()).record.key
    await _set(rooms, ApiKey, retires_at=None if retires_in is None else key.created_at + retires_in)
    found = (await _read(rooms, TokenUse.API_KEY, key.id)).state
    assert found is not None
    assert found.expires_at == key.created_at + min(retires_in or 3600, 3600)
    assert found.retired is retired


async def test_a_successor_is_one_until_it_is_used(rooms: Rooms) -> None:
    key = await rooms.key()
    successor = await rooms.rotate(key)

    async def first_use(key_id: str) -> bool:
        found = (await _read(rooms, TokenUse.API_KEY, key_id)).state
        assert found is not None
        return found.first_use

    assert not await first_use(key.record.key.id)
    assert await first_use(successor.record.key.id)
    await rooms.revocation.die(deaths.retirement(successor.record.key.id, ORIGIN))
    assert not await first_use(successor.record.key.id)


async def test_a_state_is_as_new_as_the_head_in_its_snapshot(rooms: Rooms) -> None:
    key = await rooms.key()
    await rooms.revoke(await rooms.key())
    assert (await _read(rooms, TokenUse.API_KEY, key.record.key.id)).seq == 1
    await rooms.revoke(key)
    assert await _read(rooms, TokenUse.API_KEY, key.record.key.id) == Reading(2, None, "revoked")


@pytest.mark.parametrize("use", TokenUse)
async def test_a_database_without_its_head_tells_nothing(rooms: Rooms, use: TokenUse) -> None:
    key, session = (await rooms.key()).record.key.id, await _session_id(rooms, rooms.admin)
    async with rooms.database.writing() as tx:
        await tx.execute(text("DELETE FROM change_head"))
    with pytest.raises(Failure) as caught:
        await _read(rooms, use, key if use is TokenUse.API_KEY else session)
    assert caught.value.cause == "change_head is empty: run `keyhouse migrate`"


@pytest.mark.parametrize("use", TokenUse)
def test_a_server_that_only_follows_another_tells_nothing(use: TokenUse) -> None:
    with pytest.raises(Failure) as caught:
        state.read(use, "id", [(7, True, *[None] * 10)])
    assert (caught.value.status, caught.value.cause) == (503, "database is in recovery")


async def test_disabling_one_user_leaves_the_others(rooms: Rooms) -> None:
    theirs = await rooms.key(rooms.stranger, rooms.other)
    async with rooms.database.writing() as tx:
        await users.disable(tx, rooms.admin, 1)
    assert (await _read(rooms, TokenUse.API_KEY, theirs.record.key.id)).state is not None


async def test_a_role_of_another_company_is_none_here(rooms: Rooms) -> None:
    key = (await rooms.key(rooms.member, role="member")).record.key.id
    async with rooms.database.writing() as tx:
        tx.add(Membership(company_id=rooms.other, user_id=rooms.member, role="admin", created_at=1))
    found = (await _read(rooms, TokenUse.API_KEY, key)).state
    assert found is not None
    assert found.roles == {rooms.company: "member"}
