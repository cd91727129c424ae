"""Carries out a death and answers only once it is true everywhere."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.clock import Clock
from keyhouse.credentials import changes
from keyhouse.credentials.changes import Death
from keyhouse.db import Database

T = TypeVar("T")
_MARGIN = 1.01


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a deed did. `deaths` is empty when all was dead before: then the answer waits all the same, for the one
    who did it may not have answered yet. `grace` is how many seconds from now the death begins, for a retirement.
    """

    value: T
    deaths: Sequence[Death] = ()
    grace: float = 0.0


# Changes the state in the given transaction, at the given time by the database's clock. It raises for what is not
# there, and then nothing is changed and nobody waits.
Deed = Callable[[AsyncSession, int], Awaitable[Outcome[T]]]


class Revocation:
    """Every death of a key, session, user, membership or role goes through `die`."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
        waited: Callable[[float], None] | None = None,
    ) -> None:
        """`wait` sleeps for some seconds; `waited` is told how many an answer was kept back."""
        self._database = database
        self._clock = clock
        self._wait = wait
        self._waited = waited
        self._under_way: set[asyncio.Future[Any]] = set()

    async def die(self, deed: Deed[T]) -> T:
        """Commits the deed, and returns when no worker anywhere can still take it for undone.

        A caller who hangs up undoes nothing. Raises `service_unavailable` when the database did not confirm the
        commit: the deed may be done or not, and is to be repeated.
        """
        task = asyncio.ensure_future(self._carry_out(deed))
        # The loop alone would not keep it from the garbage collector once the caller is gone.
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def settle(self) -> None:
        """Returns when all that is dead by now is dead everywhere: for who repeats a revocation by the very credential
        that it killed, and is refused.
        """
        await self.die(_nothing)

    async def _carry_out(self, deed: Deed[T]) -> T:
        async with self._database.writing() as tx:
            now = await self._database.now(tx)
            outcome = await deed(tx, now)
            bound = await (changes.record(tx, outcome.deaths, now) if outcome.deaths else changes.bound(tx))
        await self._keep(bound, outcome.grace)
        return outcome.value

    async def _keep(self, bound: float, grace: float) -> None:
        """Waits until whatever a worker was told before the commit has lost its worth.

        On SQLite nothing has any: each request goes by a younger reading of the file's change counter.
        """
        # A death that begins after all that needs no wait. Its moment is cut to whole seconds: up to one of the grace
        # is over already.
        if self._database.kind == "sqlite" or grace - 1 >= bound * _MARGIN:
            return
        began = self._clock.elapsed()
        end = began + bound * _MARGIN
        while (left := end - self._clock.elapsed()) > 0:
            await self._wait(left)
        if self._waited is not None:
            self._waited(self._clock.elapsed() - began)


async def _nothing(_tx: AsyncSession, _now: int) -> Outcome[None]:
    return Outcome(None)
