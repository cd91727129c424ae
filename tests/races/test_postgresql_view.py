"""The view on PostgreSQL: from when an answer is worth the bound, and that past it nothing is guessed."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest
from asyncpg import InterfaceError, TooManyConnectionsError

from keyhouse.credentials.postgresql_view import PostgresqlView
from keyhouse.db.base import new_id
from keyhouse.errors import Failure
from keyhouse.tokens import TokenUse
from support import elsewhere
from support.world import World, bearer


class Slow:
    """A connection whose answers travel for some time."""

    def __init__(self, connection: Any, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds

    async def fetch(self, *arguments: Any) -> Any:
        rows = await self._connection.fetch(*arguments)
        await asyncio.sleep(self._seconds)
        return rows

    def terminate(self) -> None:
        self._connection.terminate()


def _view(world: World) -> Any:
    assert isinstance(world.keyhouse.view, PostgresqlView)
    return world.keyhouse.view


async def test_a_confirmation_counts_from_before_the_question(still_postgresql_world: World) -> None:
    view = _view(still_postgresql_world)
    view._connection = Slow(view._connection, 0.2)
    before = view.clock.elapsed()
    await view._confirm()
    assert before <= view.confirmed_at < before + 0.2


async def test_the_databases_time_counts_from_before_the_question(still_postgresql_world: World) -> None:
    """Or a token would live on for as long as the answer travelled. The database is of this machine."""
    view = _view(still_postgresql_world)
    view._connection = Slow(view._connection, 0.2)
    await view._confirm()
    assert view.now() >= time.time() - 0.05


async def test_a_load_that_was_overtaken_by_a_revocation_leaves_nothing_behind(
    postgresql_world: World, held_pool: Any
) -> None:
    world, view = postgresql_world, _view(postgresql_world)
    key = await world.new_key()
    held_pool.hold()
    overtaken = asyncio.create_task(elsewhere.enter(world, key["token"]))
    await asyncio.wait_for(held_pool.read.wait(), 10)
    before = view.applied
    await elsewhere.revoke(world, key["id"])

    async def told() -> bool:
        return bool(view.applied > before)

    await elsewhere.until(told)
    held_pool.let_go.set()
    # It began before the answer to the revocation, and may be let in; who comes after it may not.
    assert await overtaken == 200
    assert await elsewhere.enter(world, key["token"]) == 401


async def test_no_request_takes_the_verdict_of_a_load_begun_before_it(postgresql_world: World, held_pool: Any) -> None:
    world = postgresql_world
    key = await world.new_key()
    held_pool.hold()
    before = asyncio.create_task(elsewhere.enter(world, key["token"]))
    await asyncio.wait_for(held_pool.read.wait(), 10)
    answer = await world.request("DELETE", f"{world.base}/api-keys/{key['id']}/", world.admin)
    assert answer.status_code == 204
    after = asyncio.create_task(elsewhere.enter(world, key["token"]))
    done, _ = await asyncio.wait([after], timeout=2)
    held_pool.let_go.set()
    await before
    assert [task.result() for task in done] == [401]


class HalfOpen(Slow):
    """It is there, and neither an answer nor, once deafened, a notification ever comes."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection, 3600)

    async def fetch(self, *_: Any) -> Any:
        await asyncio.sleep(self._seconds)

    async def deafened(self, view: Any) -> bool:
        """False while the last true confirmation is under way: the driver answers one question at a time."""
        try:
            await self._connection.remove_listener("keyhouse_changes", view._wake)
        except InterfaceError:
            return False
        return True


async def test_a_connection_that_says_nothing_makes_nothing_true(postgresql_world: World) -> None:
    world, view = postgresql_world, _view(postgresql_world)
    key = await world.new_key()
    assert await elsewhere.enter(world, key["token"]) == 200
    # First nobody else may ask over it, or one of the two who ask would be refused and cut it.
    half_open = view._connection = HalfOpen(view._connection)
    await elsewhere.until(lambda: half_open.deafened(view))
    answer = await world.request("DELETE", f"{world.base}/api-keys/{key['id']}/", world.admin)
    assert answer.status_code == 204
    assert await elsewhere.enter(world, key["token"]) == 401

    async def recovered() -> bool:
        return not isinstance(view._connection, HalfOpen) and view._is_fresh()

    await elsewhere.until(recovered)


async def test_a_confirmation_comes_without_being_told(postgresql_world: World) -> None:
    """Nothing changes and nobody notifies: the view stays fresh, so that a warm request asks nobody."""
    view = _view(postgresql_world)
    before = view.confirmed_at
    await asyncio.sleep(view.bound)
    assert view.confirmed_at > before
    assert view._is_fresh()


async def test_past_the_bound_what_is_held_is_worth_nothing(still_postgresql_world: World) -> None:
    world, view = still_postgresql_world, _view(still_postgresql_world)
    key = await world.new_key()
    assert await elsewhere.enter(world, key["token"]) == 200

    class Gone:
        async def acquire(self) -> Any:
            raise ConnectionRefusedError

        def terminate(self) -> None:
            pass

    view._pool.terminate()
    view._pool = Gone()
    path = f"/api/v1/auth/verify/?company_id={world.company.id}"
    assert (await world.request("GET", path, bearer(key["token"]))).status_code == 204
    world.clock.advance(view.bound)
    refused = await world.request("GET", path, bearer(key["token"]))
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["errors"][0]["code"] == "service_unavailable"


@pytest.mark.parametrize("bound_ms", [0, 200])
async def test_past_the_bound_each_request_asks_the_database(still_postgresql_world: World, bound_ms: int) -> None:
    world = still_postgresql_world
    key = await world.new_key()
    await elsewhere.execute(world, f"UPDATE change_head SET bound_ms = {bound_ms}")
    await elsewhere.catch_up(world)
    assert await elsewhere.enter(world, key["token"]) == 200
    world.clock.advance(bound_ms / 1000)
    await elsewhere.revoke(world, key["id"])
    assert await elsewhere.enter(world, key["token"]) == 401


async def test_a_revocation_survives_a_crash_of_the_database(still_postgresql_world: World) -> None:
    """Whatever the operator's default is: a commit that a crash takes back would be no promise."""
    async with still_postgresql_world.keyhouse.database.writing() as tx:
        connection = await tx.connection()
        name = (await connection.exec_driver_sql("SELECT current_database()")).scalar()
        await connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    await still_postgresql_world.keyhouse.database.engine.dispose()
    async with still_postgresql_world.keyhouse.database.writing() as tx:
        connection = await tx.connection()
        assert (await connection.exec_driver_sql("SHOW synchronous_commit")).scalar() == "on"


async def test_a_view_closes_also_when_its_cancellation_is_lost(postgresql_world: World) -> None:
    """The wait for a driver may end with an answer in the moment in which it is cancelled."""
    view = _view(postgresql_world)
    asking = asyncio.Event()

    async def deaf() -> None:
        asking.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    view._confirm = deaf
    await asyncio.wait_for(asking.wait(), 10)
    await asyncio.wait_for(view.close(), 10)
    assert view._task is None


async def test_a_database_without_a_free_connection_is_one_that_is_away(postgresql_world: World) -> None:
    class Full:
        async def acquire(self) -> Any:
            raise TooManyConnectionsError("sorry, too many clients already")

        def terminate(self) -> None:
            """Nothing to end."""

    view = _view(postgresql_world)
    view._pool = Full()
    with pytest.raises(Failure) as caught:
        await view.load(TokenUse.API_KEY, new_id())
    assert caught.value.status == 503


async def test_while_it_can_not_connect_it_goes_on_trying(postgresql_world: World) -> None:
    view, tries, confirm = _view(postgresql_world), 0, _view(postgresql_world)._confirm

    async def fails_twice() -> None:
        nonlocal tries
        tries += 1
        if tries > 2:
            await confirm()
            return
        view._disconnect()
        raise OSError("unreachable")

    view._confirm = fails_twice

    async def tried() -> bool:
        return tries > 3

    await elsewhere.until(tried)
    assert view.staleness() < 5
