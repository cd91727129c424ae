"""The bound: for how long a worker may trust what it was told, and how that is changed without breaking the promise."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.clock import Clock
from keyhouse.credentials.changes import MAX_BOUND_MS
from keyhouse.credentials.models import ChangeHead
from keyhouse.db import Database
from keyhouse.errors import failure, unavailable

_MARGIN = 1.01


@dataclass(frozen=True, slots=True)
class Bound:
    """In milliseconds. `former_ms` is set while some worker may still go by that one."""

    ms: int
    former_ms: int | None


async def read(session: AsyncSession) -> Bound:
    """The bound that workers learn with each confirmation."""
    return await _read(session, lock=False)


async def change(
    database: Database, clock: Clock, ms: int, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Sets the bound to 0 to `MAX_BOUND_MS`, and returns once no worker goes by the former one any more.

    Until then who revokes waits for the larger of both. Raises `conflict` while another change is unfinished; the
    same change once more finishes one that was interrupted.
    """
    if not 0 <= ms <= MAX_BOUND_MS:
        raise ValueError(f"not between 0 and {MAX_BOUND_MS} ms: {ms}")
    async with database.writing() as tx:
        found = await _read(tx, lock=True)
        if found.former_ms is not None and found.ms != ms:
            raise failure(
                "conflict", detail=f"the change to {found.ms / 1000:g} s is unfinished: repeat that one first"
            )
        if found.ms != ms:
            found = Bound(ms, found.ms)
            await tx.execute(update(ChangeHead).values(bound_ms=found.ms, former_bound_ms=found.former_ms))
    if found.former_ms is None:
        return
    # On SQLite nobody goes by a bound: each request goes by a younger reading of the file's change counter.
    if database.kind == "postgresql":
        # A change that was interrupted may have been committed just now: the wait begins anew.
        end = clock.elapsed() + found.former_ms / 1000 * _MARGIN
        while (left := end - clock.elapsed()) > 0:
            await wait(left)
    async with database.writing() as tx:
        await tx.execute(
            update(ChangeHead)
            .where(ChangeHead.bound_ms == found.ms, ChangeHead.former_bound_ms == found.former_ms)
            .values(former_bound_ms=None)
        )


async def _read(session: AsyncSession, *, lock: bool) -> Bound:
    query = select(ChangeHead.bound_ms, ChangeHead.former_bound_ms)
    row = (await session.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise unavailable("change_head is empty: run `keyhouse migrate`")
    return Bound(*row)
