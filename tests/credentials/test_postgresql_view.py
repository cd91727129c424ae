"""The view on PostgreSQL: told early, confirmed all the time, and back by itself after whatever happened."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url, text

from keyhouse.credentials import postgresql_view
from keyhouse.credentials.postgresql_view import PostgresqlView
from keyhouse.errors import Failure
from keyhouse.tokens import TokenUse
from support.clock import MovableClock
from support.postgres import Postgres, free_port
from support.rooms import Rooms, rooms_of
from support.waiting import until
from support.world import settings_for


@pytest.fixture
async def rooms(postgresql_url: str) -> AsyncIterator[Rooms]:
    async with rooms_of(settings_for(postgresql_url)) as made:
        yield made


@pytest.fixture
def view(rooms: Rooms) -> PostgresqlView:
    assert isinstance(rooms.view, PostgresqlView)
    return rooms.view


async def _load(view: PostgresqlView, key_id: str) -> bool:
    return (await view.load(TokenUse.API_KEY, key_id)).state is not None


async def _refused(view: PostgresqlView) -> tuple[str, float]:
    """The cause, and after how many seconds it was told."""
    began = time.perf_counter()
    with pytest.raises(Failure) as caught:
        await view.load(TokenUse.API_KEY, "anything")
    assert caught.value.status == 503
    return caught.value.cause or "", time.perf_counter() - began


async def _set_bound(rooms: Rooms, ms: int) -> None:
    async with rooms.database.writing() as tx:
        await tx.execute(text(f"UPDATE change_head SET bound_ms = {ms}"))


async def _wait_for_the_next_confirmation(view: PostgresqlView) -> None:
    former = view.confirmed_at
    await until(lambda: view.confirmed_at > former)


def _cut(postgres: Postgres, rooms: Rooms, name: str) -> None:
    database = rooms.database.url.database
    postgres.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{database}' AND application_name = '{name}'"
    )


async def test_what_was_loaded_is_held_until_its_death_is_told(rooms: Rooms, view: PostgresqlView) -> None:
    await _set_bound(rooms, 10_000)
    await _wait_for_the_next_confirmation(view)
    key, other = await rooms.key(), await rooms.key()
    ids = [minted.record.key.id for minted in (key, other)]
    assert [view.held(item) for item in ids] == [None, None]
    assert [await _load(view, item) for item in ids] == [True, True]
    assert None not in [view.held(item) for item in ids]
    assert (view.hits, view.misses) == (2, 2)
    await rooms.revoke(key)
    await until(lambda: view.cache.get(ids[0]) is None)
    assert view.cache.get(ids[1]) is not None
    assert not await _load(view, ids[0])


async def test_a_notification_wakes_it_long_before_its_time(
    rooms: Rooms, view: PostgresqlView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause of a minute: what brings the change within a second is the notification alone."""
    monkeypatch.setattr(PostgresqlView, "_pause", lambda _: 60.0)
    key = await rooms.key()
    await _load(view, key.record.key.id)
    former, applied = view.confirmed_at, view.applied
    view._woken.set()
    await until(lambda: view.confirmed_at > former and not view._woken.is_set())
    await rooms.revoke(key)
    await until(lambda: view.applied > applied)
    assert view.cache.get(key.record.key.id) is None


@pytest.mark.parametrize(("bound", "pause"), [(10.0, 0.5), (1.0, 0.25), (0.1, 0.025), (0.01, 0.02), (0.0, 0.5)])
def test_it_confirms_several_times_within_a_bound(bound: float, pause: float) -> None:
    view = PostgresqlView(make_url("postgresql://nowhere/x"), MovableClock())
    view.bound = bound
    assert view._pause() == pause


async def test_a_new_bound_is_learnt_with_a_confirmation(rooms: Rooms, view: PostgresqlView) -> None:
    assert view.bound == 0.1
    await _set_bound(rooms, 2500)
    await until(lambda: view.bound == 2.5)


async def test_past_the_bound_it_holds_nothing_and_asks_for_each_request(rooms: Rooms, view: PostgresqlView) -> None:
    key = await rooms.key()
    await _load(view, key.record.key.id)
    await until(lambda: view.held(key.record.key.id) is not None)
    rooms.clock.advance(0.2)
    assert view.held(key.record.key.id) is None
    assert await _load(view, key.record.key.id)
    await until(lambda: view.held(key.record.key.id) is not None)


@pytest.mark.parametrize("name", ["keyhouse view", "keyhouse guard"])
async def test_a_connection_that_was_cut_is_made_anew(
    rooms: Rooms, view: PostgresqlView, postgres: Postgres, name: str
) -> None:
    key = await rooms.key()
    assert await _load(view, key.record.key.id)
    _cut(postgres, rooms, name)
    await _wait_for_the_next_confirmation(view)

    async def loads() -> bool:
        try:
            return await _load(view, key.record.key.id)
        except Failure:
            return False

    await until(loads)
    # The new connection listens, too.
    await until(lambda: view.held(key.record.key.id) is not None)
    await rooms.revoke(key)
    await until(lambda: view.cache.get(key.record.key.id) is None)


async def test_a_database_that_is_away_is_503_within_its_patience_and_back_by_itself(
    rooms: Rooms, view: PostgresqlView, postgres: Postgres
) -> None:
    key = await rooms.key()
    database = rooms.database.url.database
    postgres.sql(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS false")
    for name in ("keyhouse view", "keyhouse guard"):
        _cut(postgres, rooms, name)
    await until(lambda: view.staleness() > view.bound)
    assert view.held(key.record.key.id) is None
    cause, seconds = await _refused(view)
    assert cause == "credential state: ObjectNotInPrerequisiteStateError"
    assert seconds < 1
    postgres.sql(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS true")
    began = time.perf_counter()
    await until(lambda: view.staleness() < view.bound)
    assert time.perf_counter() - began < 1
    assert await _load(view, key.record.key.id)


async def test_a_database_that_says_nothing_is_given_up(rooms: Rooms, view: PostgresqlView) -> None:
    """The table is locked, so that an answer does not come: 503 within the patience for who is not fresh."""
    key = await rooms.key()
    async with rooms.database.writing() as tx:
        await tx.execute(text("LOCK TABLE change_head IN ACCESS EXCLUSIVE MODE"))
        await until(lambda: view.staleness() > view.bound)
        cause, seconds = await _refused(view)
        assert cause == "credential state: TimeoutError"
        assert postgresql_view._PATIENCE_WHEN_STALE <= seconds < 1
    await _wait_for_the_next_confirmation(view)
    assert await _load(view, key.record.key.id)


async def test_a_request_that_is_hung_up_gives_its_connection_back(rooms: Rooms, view: PostgresqlView) -> None:
    async with rooms.database.writing() as tx:
        await tx.execute(text("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE"))
        tasks = [asyncio.create_task(_load(view, "anything")) for _ in range(15)]
        pool = view._pool
        assert pool is not None
        await until(lambda: pool.get_size() == postgresql_view._POOL_SIZE)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert pool.get_size() == pool.get_idle_size()
    assert not await _load(view, "anything")


async def test_a_machine_that_slept_while_it_asked_asks_again(rooms: Rooms, view: PostgresqlView) -> None:
    """The database told its time before or after the sleep, nobody knows: taken for the wrong one, each token would die
    as much too early as the machine slept.
    """
    real: Any = view._connection
    asked = asyncio.Event()

    class Sleepy:
        async def fetch(self, *arguments: Any) -> Any:
            rows = await real.fetch(*arguments)
            rooms.clock.advance(3600)
            asked.set()
            return rows

        def terminate(self) -> None:
            real.terminate()

    sleepy: Any = Sleepy()
    view._connection = sleepy
    await asked.wait()
    await until(lambda: view.staleness() < view.bound)
    assert view.now() == pytest.approx(rooms.clock.wall(), abs=5)


@pytest.mark.parametrize("error", [RuntimeError("unforeseen"), asyncpg.InternalClientError("its own mistake")])
async def test_it_goes_on_confirming_whatever_went_wrong(
    view: PostgresqlView, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    went_wrong = asyncio.Event()

    async def fail() -> None:
        went_wrong.set()
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(view, "_confirm", fail)
        await went_wrong.wait()
    await _wait_for_the_next_confirmation(view)


async def test_it_does_not_open_without_a_database() -> None:
    view = PostgresqlView(make_url(f"postgresql://keyhouse@127.0.0.1:{free_port()}/x"), MovableClock())
    with pytest.raises(Failure, match="freshness: ConnectionRefusedError"):
        await view.open()
    assert await _refused(view) == ("not open", pytest.approx(0, abs=0.2))


async def test_it_opens_on_a_database_that_is_slow_at_first(
    view: PostgresqlView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine is busy when all that runs on it starts, and a worker that gave up would have to be started again."""
    await view.close()
    connect, asked = asyncpg.connect, 0

    async def slow_at_first(*arguments: Any, **options: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise TimeoutError
        return await connect(*arguments, **options)

    monkeypatch.setattr(asyncpg, "connect", slow_at_first)
    await view.open()
    assert asked == 3
    assert view.staleness() < view.bound


async def test_it_does_not_open_on_a_database_that_stays_silent(
    view: PostgresqlView, monkeypatch: pytest.MonkeyPatch
) -> None:
    await view.close()

    async def silent(*_: Any, **__: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(postgresql_view, "_CONFIRMATION_TIMEOUT", 0.02)
    monkeypatch.setattr(asyncpg, "connect", silent)
    with pytest.raises(Failure, match="freshness: TimeoutError"):
        await view.open()


async def test_it_does_not_open_on_a_database_that_was_never_migrated(postgres: Postgres) -> None:
    view = PostgresqlView(make_url(postgres.url()), MovableClock())
    with pytest.raises(Failure, match="freshness: UndefinedTableError"):
        await view.open()


async def test_what_is_closed_leaves_no_connection(rooms: Rooms, view: PostgresqlView, postgres: Postgres) -> None:
    await _load(view, "anything")
    await view.close()
    await view.close()
    count = (
        "SELECT count(*) FROM pg_stat_activity "
        f"WHERE datname = '{rooms.database.url.database}' AND application_name IN ('keyhouse view', 'keyhouse guard')"
    )
    await until(lambda: postgres.sql(count) == "0")


async def test_time_never_goes_back(rooms: Rooms, view: PostgresqlView) -> None:
    """Each confirmation brings the database's time anew, somewhat more or less than the one before."""
    now = view.now()
    assert now == pytest.approx(time.time(), abs=5)
    view._time_offset -= 100
    assert view.now() >= now
    rooms.clock.advance(200)
    assert view.now() >= now + 99
