"""The view on PostgreSQL: confirmed in the background, so that a warm request asks nobody."""

import asyncio
import contextlib
from typing import Any

import asyncpg
import structlog
from sqlalchemy import URL, Select
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from keyhouse.clock import Clock
from keyhouse.credentials import changes, state
from keyhouse.credentials.cache import StateCache
from keyhouse.credentials.state import Reading, State
from keyhouse.credentials.view import View
from keyhouse.errors import Failure, unavailable
from keyhouse.tokens import TokenUse

_CONFIRMATIONS_PER_BOUND = 4
_SHORTEST_PAUSE = 0.02
_LONGEST_PAUSE = 0.5
_RETRY_PAUSE = 0.1
# A database that was there a moment ago may be slow; one that was not is given up before the client's patience ends.
_PATIENCE_WHEN_FRESH = 2.0
_PATIENCE_WHEN_STALE = 0.2
_CONFIRMATION_TIMEOUT = 0.5
# All workers of a machine start at once, often beside the database itself.
_TRIES_AT_START = 10
_POOL_SIZE = 10
# The driver calls it its own mistake when a connection is used that the server is just closing.
_FAULTS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    Failure,
)

log = structlog.get_logger("keyhouse.view")


class PostgresqlView(View):
    """One connection confirms and listens, a small pool answers cold loads. Notifications only make things early:
    a half-open connection never brings one, and the confirmation that it can't answer is what tells.
    """

    def __init__(self, url: URL, clock: Clock, cache: StateCache | None = None) -> None:
        super().__init__(clock, cache)
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._pool: asyncpg.Pool | None = None
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._closing = False
        self._time_offset = 0.0
        self._latest = 0.0
        self._confirmation = _compile(changes.confirmation("postgresql"))
        self._statements = {use: _compile(state.statement(use, "postgresql")) for use in TokenUse}

    def held(self, credential_id: str) -> State | None:
        found = self.cache.get(credential_id) if self._is_fresh() else None
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
        return found

    async def load(self, use: TokenUse, credential_id: str) -> Reading:
        pool = self._pool
        if pool is None:
            raise unavailable("not open")
        try:
            async with asyncio.timeout(_PATIENCE_WHEN_FRESH if self._is_fresh() else _PATIENCE_WHEN_STALE):
                rows = await self._ask(pool, self._statements[use], credential_id)
        except _FAULTS as error:
            raise unavailable(f"credential state: {type(error).__name__}") from error
        reading = state.read(use, credential_id, rows)
        self.admit(reading)
        return reading

    @staticmethod
    async def _ask(pool: Any, statement: str, credential_id: str) -> Any:
        connection = await pool.acquire()
        try:
            return await connection.fetch(statement, credential_id)
        except BaseException:
            # One that the server closed is out of the pool already, and says so.
            with contextlib.suppress(asyncpg.InterfaceError):
                connection.terminate()
            raise
        finally:
            await pool.release(connection)

    def now(self) -> float:
        now = self.clock.elapsed() + self._time_offset
        if now < self._latest:
            return self._latest
        self._latest = now
        return now

    async def open(self) -> None:
        self._pool = asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=_POOL_SIZE,
            timeout=_PATIENCE_WHEN_FRESH,
            reset=_nothing_to_reset,
            server_settings={"application_name": "keyhouse guard"},
        )
        await self._pool
        try:
            await self._confirm_at_last()
        except _FAULTS as error:
            await self.close()
            raise unavailable(f"freshness: {type(error).__name__}") from error
        self._closing = False
        self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        if self._task is not None:
            # A driver that is cancelled at the wrong moment may take it for an answer, so that it is not enough.
            self._closing = True
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._disconnect()
        if self._pool is not None:
            self._pool.terminate()
        self._task = self._pool = None

    def _is_fresh(self) -> bool:
        return self.clock.elapsed() < self.confirmed_at + self.bound

    async def _follow(self) -> None:
        while not self._closing:
            self._woken.clear()
            try:
                await self._confirm()
                pause = self._pause()
            except Exception as error:  # noqa: BLE001 - a worker that stopped asking would stay stale for good
                if self._connection is not None:
                    log.warning("view.disconnected", cause=str(error) or type(error).__name__)
                self._disconnect()
                pause = _RETRY_PAUSE
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()

    def _pause(self) -> float:
        """Seconds until the next confirmation. With a bound of 0 they only tell when there is another one."""
        pause = self.bound / _CONFIRMATIONS_PER_BOUND if self.bound else _LONGEST_PAUSE
        return min(max(pause, _SHORTEST_PAUSE), _LONGEST_PAUSE)

    async def _confirm(self) -> None:
        async with asyncio.timeout(_CONFIRMATION_TIMEOUT):
            if self._connection is None:
                self._connection = await asyncpg.connect(
                    self._url,
                    timeout=_CONFIRMATION_TIMEOUT,
                    server_settings={"application_name": "keyhouse view"},
                )
                await self._connection.add_listener(changes.CHANNEL, self._wake)
            # Before the question is sent: what was committed while it travelled may be missing from the answer.
            asked = self.clock.elapsed()
            head, deaths = changes.read(await self._connection.fetch(self._confirmation, self.since))
        if self.clock.elapsed() - asked > _CONFIRMATION_TIMEOUT:
            # This machine was suspended, and nobody knows on which side of that the database told its time.
            raise TimeoutError("suspended while asking")
        self.confirm(asked, head, deaths)
        self._time_offset = self.clock.database(head.database_time) - asked

    async def _confirm_at_last(self) -> None:
        tries_left = _TRIES_AT_START
        while True:
            try:
                await self._confirm()
            except TimeoutError:
                self._disconnect()
                tries_left -= 1
                if not tries_left:
                    raise
            else:
                return

    def _wake(self, *_: object) -> None:
        self._woken.set()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


async def _nothing_to_reset(_: Any) -> None:
    """Loads are single statements outside any transaction: nothing to reset, and it would cost a round trip."""


def _compile(query: Select[*tuple[Any, ...]]) -> str:
    return str(query.compile(dialect=asyncpg_dialect()))  # type: ignore[no-untyped-call] # SQLAlchemy's own
