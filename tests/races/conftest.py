"""Worlds whose worker stands still where a race begins."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from keyhouse.credentials.postgresql_view import PostgresqlView
from support.world import World, settings_for, world_of

# Longer than any test, so that what a view holds is trusted to its end.
LONG_BOUND_MS = 10_000


@pytest.fixture
async def postgresql_world(postgresql_url: str) -> AsyncIterator[World]:
    async with world_of(settings_for(postgresql_url)) as world:
        yield world


@pytest.fixture
async def still_world(world: World) -> World:
    """Its view is confirmed when a test does it, and good for ten seconds then."""
    await _stand_still(world)
    return world


@pytest.fixture
async def still_postgresql_world(postgresql_world: World) -> World:
    await _stand_still(postgresql_world)
    return postgresql_world


async def _stand_still(world: World) -> None:
    async with world.keyhouse.database.writing() as tx:
        await (await tx.connection()).exec_driver_sql(f"UPDATE change_head SET bound_ms = {LONG_BOUND_MS}")
    view = world.keyhouse.view
    if isinstance(view, PostgresqlView):
        task = view._task
        assert task is not None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        view._task = None
        # It may have been cancelled in the middle of a question.
        view._disconnect()
        await view._confirm()


class HeldPool:
    """A pool whose next answer, once `hold` was called, is on its way until `let_go` is set: the rows are read, and the
    worker has not got them.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._holds = False
        self.read = asyncio.Event()
        self.let_go = asyncio.Event()

    def hold(self) -> None:
        self._holds = True

    async def acquire(self) -> Any:
        return await self._pool.acquire()

    async def release(self, connection: Any) -> None:
        await self._pool.release(connection)
        if self._holds:
            self._holds = False
            self.read.set()
            await self.let_go.wait()

    def terminate(self) -> None:
        self._pool.terminate()


@pytest.fixture
def held_pool(postgresql_world: World) -> HeldPool:
    """The pool of the world's view from now on."""
    view: Any = postgresql_world.keyhouse.view
    view._pool = HeldPool(view._pool)
    return view._pool
