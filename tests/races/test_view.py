"""What a worker holds against what was committed: the races between a load, a confirmation and the log."""

import asyncio
import runpy
import time

import pytest

from keyhouse import clock
from keyhouse.audit.events import OPERATOR
from keyhouse.credentials import changes, pruning
from keyhouse.credentials.changes import Death, Head
from keyhouse.credentials.postgresql_view import PostgresqlView
from keyhouse.credentials.sqlite_view import SqliteView
from keyhouse.credentials.state import Reading, State
from keyhouse.errors import Failure
from keyhouse.gate import resolver
from keyhouse.revocation import deaths
from keyhouse.tokens import TokenUse
from support import elsewhere
from support.world import World, bearer

_STATE = State("key", TokenUse.API_KEY, "user", "company", frozenset(), {"company": "admin"}, 1 << 40)


def test_elapsed_goes_on_while_the_machine_is_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    suspended = {getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC): 7200.0}
    monkeypatch.setattr(time, "clock_gettime", lambda clock: suspended.get(clock, 0.0))
    # Anew, since the clock takes the machine's function when it is defined.
    assert runpy.run_path(clock.__file__)["SystemClock"]().elapsed() == 7200.0


async def test_a_state_read_before_a_change_is_not_held_after_it(still_world: World) -> None:
    view = still_world.keyhouse.view
    view.confirm(view.confirmed_at, Head(7, 0, 1.0, 0.0), [Death("api_key", "key")])
    view.admit(Reading(6, _STATE))
    assert view.cache.get("key") is None
    view.admit(Reading(7, _STATE))
    assert view.cache.get("key") is _STATE


async def test_a_server_in_recovery_confirms_nothing(still_world: World) -> None:
    view = still_world.keyhouse.view
    before = (view.confirmed_at, view.applied, view.bound)
    with pytest.raises(Failure, match="in recovery"):
        view.confirm(view.confirmed_at + 1, Head(8, 0, 1.0, 0.0, in_recovery=True), [])
    assert (view.confirmed_at, view.applied, view.bound) == before


async def test_a_server_in_recovery_tells_no_state(still_world: World) -> None:
    key, view = await still_world.new_key(), still_world.keyhouse.view
    assert isinstance(view, PostgresqlView | SqliteView)
    column, told = ("pg_is_in_recovery()", "true") if isinstance(view, PostgresqlView) else (", 0,", ", 1,")
    view._statements = {use: text.replace(column, told, 1) for use, text in view._statements.items()}
    assert await elsewhere.enter(still_world, key["token"]) == 503


async def test_a_worker_behind_the_oldest_entry_of_a_pruned_log_forgets_everything(still_world: World) -> None:
    key, view = await still_world.new_key(), still_world.keyhouse.view
    assert await elsewhere.enter(still_world, key["token"]) == 200
    state = view.cache.get(key["id"])
    assert state is not None
    before = view.applied
    await elsewhere.revoke(still_world, key["id"])
    async with still_world.keyhouse.database.writing() as tx:
        assert await pruning._changes(tx, 1 << 40, 100) == 1
    # As if it had looked at none of this yet.
    view.cache.put(state)
    view.applied = before
    await elsewhere.catch_up(still_world)
    assert await elsewhere.enter(still_world, key["token"]) == 401


async def test_a_head_that_went_back_empties_the_cache(still_world: World) -> None:
    """A restored backup: its log tells nothing of what it lacks."""
    doomed, other = await still_world.new_key(), await still_world.new_key()
    await elsewhere.revoke(still_world, other["id"])
    await elsewhere.catch_up(still_world)
    assert await elsewhere.enter(still_world, doomed["token"]) == 200
    await elsewhere.execute(
        still_world,
        "DELETE FROM changes",
        "UPDATE change_head SET seq = 0",
        f"UPDATE api_keys SET revoked_at = 1 WHERE id = '{doomed['id']}'",
    )
    await elsewhere.catch_up(still_world)
    assert await elsewhere.enter(still_world, doomed["token"]) == 401


async def test_the_databases_clock_never_goes_back(world: World) -> None:
    """A token that was expired a moment ago would live again."""
    view = world.keyhouse.view
    before = view.now()
    world.clock.advance(-100)
    assert view.now() >= before


async def test_a_lowered_role_is_seen_in_what_was_decided_before(still_world: World) -> None:
    path = f"/api/v1/auth/verify/?company_id={still_world.company.id}&scope=audit:read"
    for _ in range(2):
        assert (await still_world.request("GET", path, still_world.admin)).status_code == 204
    lowered = deaths.role(still_world.company.id, still_world.admin.user.id, "member", OPERATOR)
    await elsewhere.die(still_world, lowered)
    await elsewhere.catch_up(still_world)
    assert (await still_world.request("GET", path, still_world.admin)).status_code == 403


async def test_no_number_of_the_log_appears_behind_one_that_was_read(still_postgresql_world: World) -> None:
    """Of two revocations at once, the first to take a number is the last to commit."""
    world = still_postgresql_world
    database = world.keyhouse.database
    slow, quick = await world.new_key(), await world.new_key()
    for key in (slow, quick):
        assert await elsewhere.enter(world, key["token"]) == 200
    async with database.writing() as tx:
        await (await tx.connection()).exec_driver_sql(f"UPDATE api_keys SET revoked_at = 1 WHERE id = '{slow['id']}'")
        await changes.record(tx, [Death("api_key", slow["id"])], 1)
        overtaking = asyncio.create_task(elsewhere.revoke(world, quick["id"]))

        async def done_or_waiting() -> bool:
            return overtaking.done() or await _somebody_waits_for_a_lock(world)

        await elsewhere.until(done_or_waiting)
        await elsewhere.catch_up(world)
    await overtaking
    await elsewhere.catch_up(world)
    assert await elsewhere.enter(world, slow["token"]) == 401
    assert await elsewhere.enter(world, quick["token"]) == 401


async def _somebody_waits_for_a_lock(world: World) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with world.keyhouse.database.reading() as tx:
        return bool((await (await tx.connection()).exec_driver_sql(query)).scalar())


async def test_a_dead_token_that_is_tried_again_pushes_no_live_one_out(
    still_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = still_world
    dead, live, new, newest = [await world.new_key() for _ in range(4)]
    world.keyhouse.gate._admissions.clear()
    monkeypatch.setattr(resolver, "_CAPACITY", 2)

    async def remembered(key: dict[str, str], expected: int) -> set[str]:
        answer = await world.request("GET", f"{world.base}/datasets/", bearer(key["token"]))
        assert answer.status_code == expected
        return {admission.credential_id for admission in world.keyhouse.gate._admissions.values()}

    await remembered(dead, 200)
    await remembered(live, 200)
    await elsewhere.revoke(world, dead["id"])
    await elsewhere.catch_up(world)
    await remembered(dead, 401)
    assert await remembered(new, 200) == {live["id"], new["id"]}
    # And of two that live the one that was used longer ago.
    await remembered(live, 200)
    assert await remembered(newest, 200) == {live["id"], newest["id"]}
