"""Pruning: what is long over goes, and nothing else."""

import asyncio
from typing import Any, cast

import pytest
from sqlalchemy import text

from keyhouse.credentials import pruning
from keyhouse.credentials.changes import Death
from keyhouse.credentials.changes import record as record_changes
from keyhouse.credentials.postgresql_view import PostgresqlView
from keyhouse.credentials.pruning import Pruned
from keyhouse.credentials.sqlite_view import SqliteView
from support.world import World, bearer

DAY = 86400
NOTHING = Pruned(0, 0, 0, 0)


async def _sql(world: World, statement: str, **values: Any) -> list[Any]:
    async with world.keyhouse.database.writing() as tx:
        result = await tx.execute(text(statement), values)
        return list(result.all()) if result.returns_rows else []


async def _ids(world: World, table: str) -> set[str]:
    return {row[0] for row in await _sql(world, f"SELECT id FROM {table}")}


async def test_nothing_goes_that_is_alive_or_ended_lately(world: World) -> None:
    for status in ("alive", "revoked"):
        key = await world.new_key(name=status)
        if status == "revoked":
            await world.request("DELETE", f"{world.base}/api-keys/{key['id']}/", world.admin)
    await world.request("POST", "/api/v1/auth/logout/", world.member)
    assert await pruning.prune(world.keyhouse.database, DAY) == NOTHING
    answer = await world.request("GET", f"{world.base}/api-keys/?status=active&status=revoked", world.admin)
    assert [key["name"] for key in answer.json()["results"]] == ["revoked", "alive"]


@pytest.mark.parametrize("cause", ["revoked_at", "expires_at", "retires_at"])
async def test_a_key_goes_when_it_ended_before_and_stays_when_it_ended_after(world: World, cause: str) -> None:
    old, young, alive = [(await world.new_key())["id"] for _ in range(3)]
    now = int(world.clock.wall())
    await _sql(world, f"UPDATE api_keys SET {cause} = :at WHERE id = :id", at=now - 10 * DAY, id=old)
    await _sql(world, f"UPDATE api_keys SET {cause} = :at WHERE id = :id", at=now - 8 * DAY, id=young)
    pruned = await pruning.prune(world.keyhouse.database, 9 * DAY)
    assert pruned == Pruned(1, 0, 0, 0)
    assert await _ids(world, "api_keys") == {young, alive}


@pytest.mark.parametrize("cause", ["ended_at", "expires_at"])
async def test_a_session_goes_with_its_refresh_tokens(world: World, cause: str) -> None:
    now = int(world.clock.wall())
    mine = str(world.member.user.id)
    await _sql(world, f"UPDATE sessions SET {cause} = :at WHERE user_id = :id", at=now - 2 * DAY, id=mine)
    assert await pruning.prune(world.keyhouse.database, DAY) == Pruned(0, 1, 0, 0)
    assert [row[0] for row in await _sql(world, "SELECT user_id FROM sessions")] == [world.admin.user.id]
    assert len(await _ids(world, "refresh_tokens")) == 1
    assert (await world.request("GET", "/api/v1/auth/me/", world.admin)).status_code == 200
    assert (await world.request("GET", "/api/v1/auth/me/", world.member)).status_code == 401


async def test_audit_events_go_in_batches(world: World) -> None:
    for _ in range(5):
        await world.new_key()
    world.clock.advance(3 * DAY)
    await world.log_in(world.admin)
    before = len(await _ids(world, "audit_events"))
    pruned = await pruning.prune(world.keyhouse.database, DAY, batch=2)
    assert pruned.audit_events == before - 1
    assert [row[0] for row in await _sql(world, "SELECT action FROM audit_events")] == ["session.created"]


async def test_the_log_keeps_no_gap_and_tells_how_far_it_is_gone(world: World) -> None:
    await _sql(world, "DELETE FROM changes")
    await _sql(world, "UPDATE change_head SET seq = 0, pruned_seq = 0")
    now = int(world.clock.wall())
    # The fourth came with a clock that was behind: it is older than what stands before it.
    for age in (5, 4, 1, 9, 1):
        async with world.keyhouse.database.writing() as tx:
            await record_changes(tx, [Death("user", "somebody")], now - age * DAY)
    assert (await pruning.prune(world.keyhouse.database, 2 * DAY, batch=1)).changes == 2
    assert [row[0] for row in await _sql(world, "SELECT seq FROM changes ORDER BY seq")] == [3, 4, 5]
    assert await _sql(world, "SELECT seq, pruned_seq FROM change_head") == [(5, 2)]
    assert (await pruning.prune(world.keyhouse.database, 0 - DAY)).changes == 3
    assert await _sql(world, "SELECT seq, pruned_seq FROM change_head") == [(5, 5)]
    assert (await pruning.prune(world.keyhouse.database, 0 - DAY)).changes == 0


async def _confirm(world: World) -> None:
    """Until the view has seen the log's head; the worker's own task asks for it, one question at a time."""
    view = world.keyhouse.view
    if isinstance(view, SqliteView):
        view._follow()
        return
    head = (await _sql(world, "SELECT seq FROM change_head"))[0][0]
    while view.applied < head:
        cast("PostgresqlView", view)._woken.set()
        await asyncio.sleep(0.01)


async def test_a_worker_behind_a_pruned_log_empties_its_cache(world: World) -> None:
    """It can't read what became of what it holds: here a revocation whose entry is gone before it looked."""
    key = await world.new_key()
    assert (await world.request("GET", f"{world.base}/datasets/", bearer(key["token"]))).status_code == 200
    async with world.keyhouse.database.writing() as tx:
        await tx.execute(text("UPDATE api_keys SET revoked_at = 1 WHERE id = :id"), {"id": key["id"]})
        await record_changes(tx, [Death("api_key", key["id"])], 1)
        await pruning._changes(tx, 2, pruning.BATCH)
    await _confirm(world)
    assert (await world.request("GET", f"{world.base}/datasets/", bearer(key["token"]))).status_code == 401


async def test_a_successor_whose_predecessor_goes_is_not_held_as_unused_any_more(world: World) -> None:
    """Or each of its requests would try to retire a key that is not there."""
    former = await world.new_key()
    path = f"{world.base}/api-keys/{former['id']}/rotate/"
    successor = (await world.request("POST", path, world.admin, json={"expires_in": 30 * DAY})).json()
    # Looked at, and refused before it counted as used.
    refused = await world.request("GET", f"{world.base}/audit-events/", bearer(successor["token"]))
    assert refused.status_code == 403
    held = world.keyhouse.view.cache.get(successor["id"])
    assert held is not None
    assert held.first_use

    await _sql(world, "UPDATE api_keys SET expires_at = 1 WHERE id = :id", id=former["id"])
    assert (await pruning.prune(world.keyhouse.database, DAY)).api_keys == 1
    await _confirm(world)
    assert world.keyhouse.view.cache.get(successor["id"]) is None
    assert (await world.request("GET", f"{world.base}/datasets/", bearer(successor["token"]))).status_code == 200
    held = world.keyhouse.view.cache.get(successor["id"])
    assert held is not None
    assert not held.first_use
