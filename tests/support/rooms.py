"""The rooms below HTTP, wired as `install` wires them, with a clock that moves and a wait that is only written down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from keyhouse import Principal, Settings
from keyhouse.app import open_view
from keyhouse.audit import Origin
from keyhouse.credentials.sightings import Sightings
from keyhouse.credentials.view import View
from keyhouse.db import Database
from keyhouse.directory import companies, users
from keyhouse.errors import Failure
from keyhouse.gate import Exchange, Gate
from keyhouse.issuance.api_keys import ApiKeys, Minted
from keyhouse.issuance.expiry import Expiry
from keyhouse.issuance.sessions import Sessions, TokenPair
from keyhouse.revocation import Revocation, deaths
from keyhouse.scopes import Vocabulary
from keyhouse.tokens import Codec, KeyRing, TokenUse
from support.clock import MovableClock
from support.world import _HASH

SCOPES = {"datasets:read": "Read datasets", "datasets:write": "Change datasets"}
ORIGIN = Origin(None, "192.0.2.1", "request-1")


@dataclass
class Rooms:
    """Two companies: in `company` an `admin` and a `member`, in `other` a `stranger`, who is an admin there. All are
    ids. `waits` are the seconds that answers to a revocation waited, by the movable clock.
    """

    database: Database
    clock: MovableClock
    codec: Codec
    vocabulary: Vocabulary
    view: View
    sightings: Sightings
    revocation: Revocation
    gate: Gate
    sessions: Sessions
    api_keys: ApiKeys
    waits: list[float] = field(default_factory=list)
    company: str = ""
    other: str = ""
    admin: str = ""
    member: str = ""
    stranger: str = ""

    async def now(self) -> int:
        async with self.database.reading() as tx:
            return await self.database.now(tx)

    async def user(self, email: str, company: str | None = None, role: str = "member") -> str:
        async with self.database.writing() as tx:
            now = await self.database.now(tx)
            user = await users.create(tx, email=email, password_hash=_HASH, at=now)
            if company is not None:
                await companies.add_member(tx, company_id=company, user_id=user.id, role=role, at=now)
        return user.id

    async def session(self, user: str | None = None) -> TokenPair:
        async with self.database.writing() as tx:
            return await self.sessions.begin(tx, user or self.admin, await self.database.now(tx), ORIGIN)

    async def key(self, user: str | None = None, company: str | None = None, **more: Any) -> Minted:
        """A key of the admin, unless another user is named; `within` is its life in seconds."""
        values: dict[str, Any] = {"role": "admin", "name": "key", "scopes": None, "origin": ORIGIN, **more}
        expiry = Expiry(within=values.pop("within", 3600))
        return await self.api_keys.create(
            company_id=company or self.company, user_id=user or self.admin, expiry=expiry, **values
        )

    async def rotate(self, key: Minted, **more: Any) -> Minted:
        values: dict[str, Any] = {"overlap": 3600, "created_by": None, "by_itself": False, "origin": ORIGIN, **more}
        expiry = Expiry(within=values.pop("within", 3600))
        return await self.api_keys.rotate(key.record.key.company_id, key.record.key.id, expiry=expiry, **values)

    async def revoke(self, key: Minted) -> None:
        await self.api_keys.revoke(key.record.key.company_id, key.record.key.id, created_by=None, origin=ORIGIN)

    def exchange(self) -> Exchange:
        return Exchange(self.gate, [], None, lambda *_: ("request-1", "192.0.2.1"))

    async def admit(
        self, token: str, company: str | None = None, *scopes: str, only: TokenUse | None = None
    ) -> Principal:
        """What the guard answers to a request with this token."""
        headers = [(b"authorization", b"Bearer " + token.encode())]
        return await self.gate.admit(self.exchange(), headers, company, scopes, only)

    async def refused(self, token: str, company: str | None = None, *scopes: str, only: TokenUse | None = None) -> str:
        """Why the guard refuses a request with this token, as the log has it."""
        with pytest.raises(Failure) as caught:
            await self.admit(token, company, *scopes, only=only)
        return str(caught.value)

    async def is_live(self, token: str, company: str | None = None) -> bool:
        try:
            await self.admit(token, company)
        except Failure:
            return False
        return True


@asynccontextmanager
async def rooms_of(settings: Settings, clock: MovableClock | None = None) -> AsyncIterator[Rooms]:
    """Rooms on a migrated database, with two companies and three users in it."""
    clock = clock or MovableClock()
    database = Database(settings.database_url.get_secret_value(), clock)
    vocabulary = Vocabulary(SCOPES)
    codec = Codec(KeyRing.from_settings(settings), settings.issuer, settings.audience)
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        clock.advance(seconds)

    revocation = Revocation(database, clock, wait)

    async def first_use(key_id: str, origin: Origin) -> None:
        await revocation.die(deaths.retirement(key_id, origin))

    view, sightings = open_view(database, clock), Sightings(database)
    rooms = Rooms(
        database,
        clock,
        codec,
        vocabulary,
        view,
        sightings,
        revocation,
        Gate(codec, view, vocabulary, sightings, first_use, revocation.settle),
        Sessions(database, codec, settings, vocabulary, revocation),
        ApiKeys(database, codec, vocabulary, revocation, settings.api_key_max_ttl),
        waits,
    )
    await view.open()
    try:
        async with database.writing() as tx:
            now = await database.now(tx)
            rooms.company = (await companies.create(tx, name="Acme", at=now)).id
            rooms.other = (await companies.create(tx, name="Other", at=now)).id
        rooms.admin = await rooms.user("admin@example.com", rooms.company, "admin")
        rooms.member = await rooms.user("member@example.com", rooms.company)
        rooms.stranger = await rooms.user("stranger@example.com", rooms.other, "admin")
        yield rooms
    finally:
        await view.close()
        await database.close()
