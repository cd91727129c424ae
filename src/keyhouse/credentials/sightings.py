"""What the guard and the log-in saw and nobody waits for: last uses, and refused tries. Written in batches."""

import asyncio
import contextlib
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse import audit
from keyhouse.audit import Actor, Origin
from keyhouse.credentials import store
from keyhouse.credentials.models import ApiKey
from keyhouse.db import Database
from keyhouse.directory import companies, users
from keyhouse.errors import Failure

_DENIAL_PAUSE = 60
_USES_EVERY = 60.0
_DENIALS_EVERY = 1.0
# A worker that sees more different keys than this within a minute writes sooner.
_MOST_USES = 10_000
# Beyond these, tries are as many as somebody wants them to be, and tell nothing new.
_MOST_DENIALS = 1_000

log = structlog.get_logger("keyhouse.sightings")


@dataclass(frozen=True, slots=True)
class Denial:
    """A dead API key, or a known user, that was refused."""

    kind: str
    subject: str


class Sightings:
    """Gathers in memory, writes in one transaction a batch."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._uses: dict[str, float] = {}
        self._denials: dict[Denial, Origin] = {}
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def used(self, key_id: str, at: float) -> None:
        """An API key was accepted, at this time by the database's clock."""
        self._uses[key_id] = at

    def key_denied(self, key_id: str, origin: Origin) -> None:
        self._denied(Denial("api_key", key_id), origin)

    def login_denied(self, user_id: str, origin: Origin) -> None:
        self._denied(Denial("user", user_id), origin)

    def _denied(self, denial: Denial, origin: Origin) -> None:
        if denial in self._denials or len(self._denials) < _MOST_DENIALS:
            self._denials.setdefault(denial, origin)

    async def write_uses(self) -> None:
        """Raises `service_unavailable` when the database is away, and keeps what it has for the next time."""
        if not self._uses:
            return
        uses, self._uses = self._uses, {}
        try:
            async with self._database.writing() as tx:
                await store.used(tx, {key_id: int(at) for key_id, at in uses.items()})
        except BaseException:
            # Cancelled, too: the server stops while the batch is under way.
            self._uses = uses | self._uses
            raise

    async def write_denials(self) -> None:
        """At most one event a minute for each subject, however many workers refused it. Raises like `write_uses`."""
        if not self._denials:
            return
        denials, self._denials = self._denials, {}
        try:
            async with self._database.writing() as tx:
                now = await self._database.now(tx)
                for denial, origin in sorted(denials.items(), key=lambda item: item[0].subject):
                    await _tell(tx, now, denial, origin)
        except BaseException:
            self._denials = denials | self._denials
            raise

    def open(self) -> None:
        self._closing = False
        self._task = asyncio.create_task(self._keep_writing())

    async def close(self) -> None:
        """Writes what is left."""
        if self._task is not None:
            # A driver that is cancelled at the wrong moment may take it for an answer, so that it is not enough.
            self._closing = True
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._try_writing(uses=True)

    async def _keep_writing(self) -> None:
        waited = 0.0
        while not self._closing:
            await asyncio.sleep(_DENIALS_EVERY)
            waited += _DENIALS_EVERY
            due = waited >= _USES_EVERY or len(self._uses) > _MOST_USES
            await self._try_writing(uses=due)
            waited = 0.0 if due else waited

    async def _try_writing(self, *, uses: bool) -> None:
        try:
            await self.write_denials()
            if uses:
                await self.write_uses()
        except Failure as failure:
            log.warning("sightings.postponed", cause=failure.cause)


async def _tell(tx: AsyncSession, now: int, denial: Denial, origin: Origin) -> None:
    """Unless a worker told of the same within the last minute."""
    if denial.kind == "api_key":
        if await store.denied_lately(tx, denial.subject, now, pause=_DENIAL_PAUSE):
            return
        action, theirs = "api_key.denied", [(await tx.get_one(ApiKey, denial.subject)).company_id]
    else:
        if await users.denied_lately(tx, denial.subject, now, pause=_DENIAL_PAUSE):
            return
        action, theirs = "session.denied", [*await companies.company_ids(tx, denial.subject)]
    target = Actor(denial.kind, denial.subject)
    await audit.record(tx, at=now, companies=theirs, action=action, target=target, origin=origin)
