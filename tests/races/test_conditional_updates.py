"""Writes that name the state they expect: of two at once, one wins."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from keyhouse.audit import AuditEvent
from keyhouse.audit.events import OPERATOR
from keyhouse.credentials import store
from keyhouse.credentials.models import ApiKey
from keyhouse.revocation import deaths
from support import elsewhere
from support.world import World, bearer

_EXPIRY = {"expires_in": 3600, "overlap": 0}


async def _rotate(world: World, key: dict[str, Any], who: Any = None) -> int:
    path = f"{world.base}/api-keys/{key['id']}/rotate/"
    return (await world.request("POST", path, who or world.admin, json=_EXPIRY)).status_code


async def _row(world: World, key: dict[str, Any]) -> ApiKey:
    async with world.keyhouse.database.reading() as tx:
        return await tx.get_one(ApiKey, key["id"])


async def _successors(world: World, key: dict[str, Any]) -> list[ApiKey]:
    async with world.keyhouse.database.reading() as tx:
        return list(await tx.scalars(select(ApiKey).where(ApiKey.replaces == key["id"])))


def _before(monkeypatch: pytest.MonkeyPatch, name: str, happens: Callable[[], Awaitable[None]]) -> None:
    """Lets something happen in another transaction just before the function of the store goes to the database."""
    real = getattr(store, name)

    async def late(session: Any, *arguments: Any, **values: Any) -> Any:
        monkeypatch.setattr(store, name, real)
        await happens()
        return await real(session, *arguments, **values)

    monkeypatch.setattr(store, name, late)


async def test_of_rotations_at_once_one_wins(world: World) -> None:
    key = await world.new_key()
    statuses = await asyncio.gather(*(_rotate(world, key) for _ in range(5)))
    assert sorted(statuses) == [201, 409, 409, 409, 409]
    assert len(await _successors(world, key)) == 1


async def test_a_rotation_that_was_overtaken_by_another_is_refused(
    postgresql_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = postgresql_world
    key = await world.new_key()

    async def rotated() -> None:
        assert await _rotate(world, key) == 201

    _before(monkeypatch, "begin_rotation", rotated)
    assert await _rotate(world, key) == 409
    assert len(await _successors(world, key)) == 1


async def test_a_rotation_that_was_overtaken_by_a_revocation_is_refused(
    postgresql_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hand out a live successor of a key that is dead."""
    world = postgresql_world
    key = await world.new_key(scopes=["api_keys:rotate"])

    async def revoked() -> None:
        await elsewhere.revoke(world, key["id"])

    _before(monkeypatch, "begin_rotation", revoked)
    assert await _rotate(world, key, bearer(key["token"])) == 409
    assert await _successors(world, key) == []


async def test_a_revocation_waits_for_a_rotation_and_takes_its_successor_too(
    postgresql_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key rotates itself, and is revoked when that is written but not committed."""
    world = postgresql_world
    key = await world.new_key(scopes=["api_keys:rotate"])
    revoking: list[asyncio.Task[None]] = []

    async def revoked() -> None:
        revoking.append(asyncio.create_task(elsewhere.revoke(world, key["id"])))
        await asyncio.sleep(0.1)
        assert not revoking[0].done()

    _before(monkeypatch, "add", revoked)
    assert await _rotate(world, key, bearer(key["token"])) == 201
    await revoking[0]
    (successor,) = await _successors(world, key)
    assert successor.revoked_at is not None


async def test_a_last_use_that_is_written_late_does_not_bring_a_key_back(
    postgresql_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = postgresql_world
    key = await world.new_key()
    assert await elsewhere.enter(world, key["token"]) == 200

    async def revoked() -> None:
        await elsewhere.revoke(world, key["id"])

    _before(monkeypatch, "_each", revoked)
    await world.keyhouse.sightings.write_uses()
    row = await _row(world, key)
    assert row.last_used_at is not None
    assert row.revoked_at is not None
    assert await elsewhere.enter(world, key["token"]) == 401


async def test_a_last_use_never_goes_back_and_touches_one_key_alone(world: World) -> None:
    """Workers write their batches in any order."""
    key, other = await world.new_key(), await world.new_key()
    for at in (2000, 1000):
        async with world.keyhouse.database.writing() as tx:
            await store.used(tx, {key["id"]: at})
    assert (await _row(world, key)).last_used_at == 2000
    assert (await _row(world, other)).last_used_at is None


async def test_a_repeated_revocation_keeps_the_first_moment_and_tells_of_it_once(world: World) -> None:
    key = await world.new_key()
    await elsewhere.revoke(world, key["id"])
    first = (await _row(world, key)).revoked_at
    await elsewhere.execute(world, f"UPDATE api_keys SET revoked_at = {first} - 1000 WHERE id = '{key['id']}'")
    await elsewhere.revoke(world, key["id"])
    assert first is not None
    assert (await _row(world, key)).revoked_at == first - 1000
    async with world.keyhouse.database.reading() as tx:
        told = select(func.count()).where(AuditEvent.action == "api_key.revoked")
        assert await tx.scalar(told.where(AuditEvent.target == f"api_key:{key['id']}")) == 1


async def test_of_first_uses_at_once_one_retires_the_predecessor(world: World) -> None:
    key = await world.new_key()
    path = f"{world.base}/api-keys/{key['id']}/rotate/"
    successor = (await world.request("POST", path, world.admin, json=_EXPIRY)).json()
    statuses = await asyncio.gather(*(elsewhere.enter(world, successor["token"]) for _ in range(5)))
    assert set(statuses) == {200}
    end = (await _row(world, key)).retires_at
    await elsewhere.execute(world, f"UPDATE api_keys SET retires_at = {end} - 1000 WHERE id = '{key['id']}'")
    await elsewhere.die(world, deaths.retirement(successor["id"], OPERATOR))
    assert end is not None
    assert (await _row(world, key)).retires_at == end - 1000
    async with world.keyhouse.database.reading() as tx:
        told = select(func.count()).where(AuditEvent.action == "api_key.retired")
        assert await tx.scalar(told.where(AuditEvent.target == f"api_key:{key['id']}")) == 1
