"""What other workers do to the database of a world, and how this one comes to know."""

import asyncio
from collections.abc import Awaitable, Callable

from keyhouse.audit.events import OPERATOR
from keyhouse.credentials.postgresql_view import PostgresqlView
from keyhouse.revocation import Deed, Revocation, deaths
from support.clock import MovableClock
from support.world import World, bearer


class _LeapingClock(MovableClock):
    """Each look at it is later than any bound, so that who waits has waited."""

    __slots__ = ()

    def elapsed(self) -> float:
        self.advance(20)
        return super().elapsed()


async def die(world: World, deed: Deed[None]) -> None:
    """As another worker lets somebody die, whose answer has just been sent."""
    await Revocation(world.keyhouse.database, _LeapingClock()).die(deed)


async def revoke(world: World, key_id: str) -> None:
    await die(world, deaths.api_key(world.company.id, key_id, OPERATOR))


async def execute(world: World, *statements: str) -> None:
    """SQL, in one transaction."""
    async with world.keyhouse.database.writing() as tx:
        connection = await tx.connection()
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def catch_up(world: World) -> None:
    """Confirms the view of a still world; on SQLite each request does."""
    if isinstance(world.keyhouse.view, PostgresqlView):
        await world.keyhouse.view._confirm()


async def enter(world: World, token: str) -> int:
    """The status of a guarded request."""
    return (await world.request("GET", f"{world.base}/datasets/", bearer(token))).status_code


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Raises TimeoutError when it does not come true."""
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - a database has no event to wait for
            await asyncio.sleep(0.005)
