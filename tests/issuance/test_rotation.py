"""Rotation: a successor once, the predecessor's end after the successor's first use, and one winner of every race."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text

from keyhouse.audit import AuditEvent
from keyhouse.audit.events import OPERATOR
from keyhouse.credentials import store
from keyhouse.credentials.models import ApiKey
from keyhouse.db import Database
from keyhouse.errors import Failure
from keyhouse.issuance.api_keys import Minted
from keyhouse.revocation import deaths
from support.rooms import ORIGIN, Rooms
from support.rows import in_tables, touched
from support.waiting import until


async def _row(rooms: Rooms, key: Minted) -> ApiKey:
    async with rooms.database.reading() as tx:
        return (await tx.scalars(select(ApiKey).where(ApiKey.id == key.record.key.id))).one()


async def _conflict(rooms: Rooms, key: Minted, **more: Any) -> str:
    with pytest.raises(Failure) as caught:
        await rooms.rotate(key, **more)
    assert (caught.value.status, caught.value.entries[0].code) == (409, "conflict")
    return caught.value.entries[0].detail


async def _use(rooms: Rooms, key: Minted) -> None:
    await rooms.admit(key.token, rooms.company)


async def _actions(rooms: Rooms) -> list[tuple[str, str | None]]:
    async with rooms.database.reading() as tx:
        rows = (await tx.execute(select(AuditEvent.action, AuditEvent.target).order_by(AuditEvent.id))).all()
    return [(action, target) for action, target in rows]


async def test_a_successor_has_the_name_and_scopes_of_its_key_and_both_live(rooms: Rooms) -> None:
    key = await rooms.key(rooms.member, role="member", name="deploy", scopes=["datasets:read", "api_keys:rotate"])
    successor = await rooms.rotate(key, within=600)
    made = successor.record.key
    assert (made.name, made.scopes.split(), made.created_by) == (
        "deploy",
        ["datasets:read", "api_keys:rotate"],
        rooms.member,
    )
    assert (made.replaces, made.made_by_key, made.lifetime) == (key.record.key.id, False, 600)
    assert (await _row(rooms, key)).overlap == 3600
    assert await rooms.is_live(key.token)
    assert await rooms.is_live(successor.token)


async def test_until_the_successor_is_used_the_key_lives_to_its_own_end(rooms: Rooms) -> None:
    """The answer with the successor may be lost: nobody is locked out."""
    key = await rooms.key(within=86400)
    await rooms.rotate(key, overlap=0, within=86400)
    rooms.clock.advance(86000)
    assert await rooms.is_live(key.token)
    rooms.clock.advance(401)
    assert await rooms.refused(key.token) == "401 invalid_token (expired)"


async def test_after_the_successors_first_use_the_key_lives_for_the_overlap(rooms: Rooms) -> None:
    key = await rooms.key()
    successor = await rooms.rotate(key, overlap=60)
    rooms.clock.advance(1000)
    await _use(rooms, successor)
    assert (await _row(rooms, key)).retires_at == pytest.approx(await rooms.now() + 60, abs=2)
    rooms.clock.advance(55)
    assert await rooms.is_live(key.token)
    rooms.clock.advance(6)
    assert await rooms.refused(key.token) == "401 invalid_token (retired)"
    assert await rooms.is_live(successor.token)


async def test_a_second_use_moves_no_end(rooms: Rooms) -> None:
    key = await rooms.key()
    successor = await rooms.rotate(key, overlap=60)
    await _use(rooms, successor)
    end = (await _row(rooms, key)).retires_at
    rooms.clock.advance(30)
    assert await touched(rooms.database, lambda: _use(rooms, successor)) == set()
    await rooms.revocation.die(deaths.retirement(successor.record.key.id, ORIGIN))
    assert (await _row(rooms, key)).retires_at == end


async def test_an_overlap_of_nothing_ends_the_key_before_the_first_answer(rooms: Rooms) -> None:
    key = await rooms.key()
    successor = await rooms.rotate(key, overlap=0)
    assert await rooms.is_live(key.token)
    await _use(rooms, successor)
    assert await rooms.refused(key.token) == "401 invalid_token (retired)"


async def test_an_overlap_beyond_the_end_of_the_key_changes_nothing(rooms: Rooms) -> None:
    key = await rooms.key(within=600)
    successor = await rooms.rotate(key, overlap=604_800)
    await _use(rooms, successor)
    rooms.clock.advance(601)
    assert await rooms.refused(key.token) == "401 invalid_token (expired)"


async def test_a_refused_use_is_none(rooms: Rooms) -> None:
    """Only what the guard lets in counts: who is refused has not got the successor to work yet."""
    key = await rooms.key(scopes=["datasets:read"])
    successor = await rooms.rotate(key, overlap=0)
    assert "scope" in await rooms.refused(successor.token, rooms.company, "datasets:write")
    assert "company" in await rooms.refused(successor.token, rooms.other)
    assert (await _row(rooms, successor)).used_at is None
    assert await rooms.is_live(key.token)


async def test_a_retirement_touches_the_two_keys_alone(rooms: Rooms) -> None:
    for _ in range(2):
        await rooms.rotate(await rooms.key())
    key = await rooms.key()
    successor = await rooms.rotate(key, overlap=60)
    await rooms.rotate(successor)
    places = await touched(rooms.database, lambda: _use(rooms, successor))
    assert in_tables(places, "api_keys") == {
        ("api_keys", successor.record.key.id, "used_at"),
        ("api_keys", key.record.key.id, "retires_at"),
    }
    assert {(table, column) for table, _, column in places} - {("api_keys", "used_at"), ("api_keys", "retires_at")} == {
        ("audit_events", "+"),
        ("changes", "+"),
        ("change_head", "seq"),
    }
    assert (await _actions(rooms))[-1] == ("api_key.retired", f"api_key:{key.record.key.id}")


async def test_a_key_is_rotated_once(rooms: Rooms) -> None:
    key = await rooms.key()
    successor = await rooms.rotate(key)
    assert await _conflict(rooms, key) == "The key was rotated already."
    await _use(rooms, successor)
    assert await _conflict(rooms, key) == "The key was rotated already."
    await rooms.rotate(successor)


async def test_only_an_active_key_is_rotated(rooms: Rooms) -> None:
    expired, revoked, retired = await rooms.key(within=60), await rooms.key(), await rooms.key()
    await rooms.revoke(revoked)
    await _use(rooms, await rooms.rotate(retired, overlap=0))
    rooms.clock.advance(61)
    assert await _conflict(rooms, expired) == "The key is expired."
    assert await _conflict(rooms, revoked) == "The key is revoked."
    assert await _conflict(rooms, retired) == "The key is expired."


async def test_a_refused_rotation_changes_nothing(rooms: Rooms) -> None:
    key = await rooms.key()
    await rooms.rotate(key)
    assert await touched(rooms.database, lambda: _conflict(rooms, key)) == set()


@pytest.mark.parametrize("created_by", ["admin", "nobody"])
async def test_the_key_of_somebody_else_is_404(rooms: Rooms, created_by: str) -> None:
    key = await rooms.key(rooms.member, role="member")
    with pytest.raises(Failure) as caught:
        await rooms.rotate(key, created_by=getattr(rooms, created_by, created_by))
    assert caught.value.status == 404


async def test_a_key_that_rotates_itself_makes_no_longer_one(rooms: Rooms) -> None:
    key = await rooms.key(within=600)
    rooms.clock.advance(300)
    with pytest.raises(Failure) as caught:
        await rooms.rotate(key, by_itself=True, within=601)
    assert (caught.value.status, caught.value.entries[0].code) == (400, "max_value")
    successor = await rooms.rotate(key, by_itself=True, within=600)
    assert successor.record.key.made_by_key
    # Nor does its successor, which was made for as long.
    with pytest.raises(Failure):
        await rooms.rotate(successor, by_itself=True, within=601)
    # A user is bound by the deployment alone.
    assert (await rooms.rotate(successor, within=9999)).record.key.lifetime == 9999


async def test_a_second_successor_behind_our_back_is_a_conflict(rooms: Rooms) -> None:
    """The constraint of the database, for what the conditional update does not see."""
    key, other = await rooms.key(), await rooms.key()
    async with rooms.database.writing() as tx:
        (await tx.get_one(ApiKey, other.record.key.id)).replaces = key.record.key.id
    assert await _conflict(rooms, key) == "The key was rotated already."
    assert (await _row(rooms, key)).overlap is None


async def test_of_rotations_at_once_one_wins(rooms: Rooms) -> None:
    key = await rooms.key()
    outcomes = await asyncio.gather(*(rooms.rotate(key) for _ in range(5)), return_exceptions=True)
    won = [outcome for outcome in outcomes if isinstance(outcome, Minted)]
    assert len(won) == 1
    assert [o.status for o in outcomes if isinstance(o, Failure)] == [409] * 4
    async with rooms.database.reading() as tx:
        successors = (await tx.scalars(select(ApiKey.id).where(ApiKey.replaces == key.record.key.id))).all()
    assert list(successors) == [won[0].record.key.id]


async def test_a_rotation_by_itself_and_a_revocation_at_once_leave_no_live_key(rooms: Rooms) -> None:
    for _ in range(6):
        key = await rooms.key()
        outcome, _ = await asyncio.gather(rooms.rotate(key, by_itself=True), rooms.revoke(key), return_exceptions=True)
        assert not await rooms.is_live(key.token)
        if isinstance(outcome, Minted):
            assert not await rooms.is_live(outcome.token)
        else:
            assert isinstance(outcome, Failure)
            assert outcome.status == 409


async def test_first_uses_at_once_retire_once_and_all_are_let_in(rooms: Rooms) -> None:
    key = await rooms.key()
    successor = await rooms.rotate(key, overlap=60)
    await asyncio.gather(*(_use(rooms, successor) for _ in range(8)))
    retired = ("api_key.retired", f"api_key:{key.record.key.id}")
    assert (await _actions(rooms)).count(retired) == 1


async def test_a_first_use_and_a_revocation_do_not_wait_for_each_other(postgresql_rooms: Rooms) -> None:
    """Both lock the predecessor first: in another order PostgreSQL would have to undo one of them."""
    rooms = postgresql_rooms
    key = await rooms.key()
    successor = await rooms.rotate(key, by_itself=True)
    ids = [minted.record.key.id for minted in (key, successor)]
    async with rooms.database.writing() as tx:
        await tx.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
        await store.revoke(tx, ids[0], 1)
        using = asyncio.create_task(rooms.revocation.die(deaths.retirement(ids[1], OPERATOR)))
        await until(lambda: _somebody_waits_for_a_lock(rooms.database))
        await store.revoke(tx, ids[1], 1)
    await using
    assert (await _row(rooms, key)).retires_at is None


async def _somebody_waits_for_a_lock(database: Database) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with database.reading() as tx:
        return bool(await tx.scalar(text(query)))


async def test_a_successor_whose_predecessor_is_gone_is_a_key_like_any_other(rooms: Rooms) -> None:
    key = await rooms.key()
    successor = await rooms.rotate(key)
    async with rooms.database.writing() as tx:
        await tx.delete(await tx.get_one(ApiKey, key.record.key.id))
    await _use(rooms, successor)
    await rooms.revocation.die(deaths.retirement(successor.record.key.id, ORIGIN))
    assert await rooms.is_live(successor.token)


async def test_a_retirement_leaves_a_revoked_key_as_it_is(rooms: Rooms) -> None:
    key = await rooms.key()
    successor = await rooms.rotate(key)
    await rooms.revoke(key)
    revoked_at = (await _row(rooms, key)).revoked_at
    await _use(rooms, successor)
    row = await _row(rooms, key)
    assert (row.revoked_at, row.retires_at) == (revoked_at, None)
