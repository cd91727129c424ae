"""A user with credentials of every kind, and the requests that try what each of these may do."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from keyhouse.audit.events import Origin
from keyhouse.clock import SystemClock
from keyhouse.datasets import SCOPES
from keyhouse.db import Database
from keyhouse.db.base import new_id
from keyhouse.directory import companies, users
from keyhouse.issuance.api_keys import ApiKeys
from keyhouse.issuance.expiry import Expiry
from keyhouse.issuance.sessions import Sessions, TokenPair
from keyhouse.revocation import Revocation
from keyhouse.scopes import Vocabulary
from keyhouse.tokens import Codec, KeyRing
from support.history import History
from support.servers import Server
from support.wire import request
from support.world import _HASH, settings_for

AUTH = "/api/v1/auth"
_HOUR = Expiry(within=3600)

# A subject is a credential and what is asked with it.
KEY, KEY_RIGHT, SESSION, SESSION_RIGHT, OWN_SESSION = "key", "key's right", "session", "session's right", "own session"


@dataclass
class Scene:
    """One user's tokens, the requests that try them, and what was seen of both."""

    name: str
    user_id: str
    email: str
    key_id: str
    tokens: Mapping[str, str]
    tries: Mapping[str, Sequence[bytes]]
    history: History = field(default_factory=History)


class Stage:
    """Sets scenes up in the database of the servers, with their own keys, and makes deaths happen."""

    def __init__(self, database_url: str, servers: Sequence[Server], revocation: type[Revocation] = Revocation) -> None:
        self.database_url = database_url
        settings = settings_for(database_url)
        clock = SystemClock()
        vocabulary = Vocabulary(SCOPES)
        codec = Codec(KeyRing.from_settings(settings), settings.issuer, settings.audience)
        self.servers = servers
        self.database = Database(database_url, clock)
        self.revocation = revocation(self.database, clock)
        self._sessions = Sessions(self.database, codec, settings, vocabulary, self.revocation)
        self._api_keys = ApiKeys(self.database, codec, vocabulary, self.revocation, settings.api_key_max_ttl)
        self.company_id = ""
        self.boss = ""
        # Chosen by a seed, so that a failure can be had again.
        self.chance = random.Random(7)  # noqa: S311 - no secret

    async def open(self) -> None:
        """The company of all scenes, and an admin of it whom nobody revokes."""
        async with self.database.writing() as tx:
            now = await self.database.now(tx)
            self.company_id = (await companies.create(tx, name="Acme", at=now)).id
        user_id, _ = await self._user()
        self.boss = (await self._sessions_of(user_id, 1))[0].access_token

    async def close(self) -> None:
        await self.database.close()

    async def _user(self) -> tuple[str, str]:
        """The id and the address of a new admin of the company."""
        async with self.database.writing() as tx:
            now = await self.database.now(tx)
            email = f"{new_id()}@example.com"
            user = await users.create(tx, email=email, password_hash=_HASH, at=now)
            await companies.add_member(tx, company_id=self.company_id, user_id=user.id, role="admin", at=now)
            return user.id, email

    async def _sessions_of(self, user_id: str, count: int) -> list[TokenPair]:
        async with self.database.writing() as tx:
            now = await self.database.now(tx)
            return [await self._sessions.begin(tx, user_id, now, Origin()) for _ in range(count)]

    async def scene(self, name: str, causes: Sequence[str]) -> Scene:
        """A fresh user, prepared so that each of the causes can happen to them."""
        user_id, email = await self._user()
        own, other = await self._sessions_of(user_id, 2)
        key = await self._api_keys.create(
            company_id=self.company_id,
            user_id=user_id,
            role="admin",
            name=name,
            expiry=_HOUR,
            scopes=["datasets:read", "audit:read"],
            origin=Origin(),
        )
        key_id = key.record.key.id
        tokens = {"key": key.token, "own": own.access_token, "other": other.access_token}
        tokens["refresh"] = other.refresh_token
        if "refresh reuse" in causes:
            # Twice on from the first one: whoever presents that again has stolen it, or was stolen from.
            second = await self._sessions.refresh(other.refresh_token, Origin())
            third = await self._sessions.refresh(second.refresh_token, Origin())
            tokens["refresh"], tokens["used refresh"] = third.refresh_token, other.refresh_token
        if "retirement" in causes:
            successor = await self._api_keys.rotate(
                self.company_id,
                key_id,
                expiry=_HOUR,
                overlap=0,
                created_by=None,
                by_itself=False,
                origin=Origin(),
            )
            tokens["successor"] = successor.token
        return Scene(name, user_id, email, key_id, tokens, self._tries(tokens))

    def _tries(self, tokens: Mapping[str, str]) -> dict[str, list[bytes]]:
        """The shortest way to the guard most of the time, and the framework's now and then."""
        plain = self.verifying("datasets:read")
        right = self.verifying("audit:read")
        route = f"/api/v1/companies/{self.company_id}/datasets/?limit=1"

        def mixed(token: str) -> list[bytes]:
            return [*[request("GET", plain, token)] * 7, request("GET", route, token)]

        return {
            KEY: mixed(tokens["key"]),
            KEY_RIGHT: [request("GET", right, tokens["key"])],
            SESSION: mixed(tokens["other"]),
            SESSION_RIGHT: [request("GET", right, tokens["other"])],
            OWN_SESSION: [request("GET", plain, tokens["own"])],
        }

    def verifying(self, scope: str) -> str:
        return f"{AUTH}/verify/?company_id={self.company_id}&scope={scope}"


@asynccontextmanager
async def stage_of(
    database_url: str, servers: Sequence[Server], revocation: type[Revocation] = Revocation
) -> AsyncIterator[Stage]:
    """A stage with its company."""
    stage = Stage(database_url, servers, revocation)
    await stage.open()
    try:
        yield stage
    finally:
        await stage.close()
