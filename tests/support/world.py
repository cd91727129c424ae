"""A Keyhouse with companies and people in it, spoken to over HTTP with real tokens and the real guard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from keyhouse import Settings, create_app
from keyhouse.app import Keyhouse
from keyhouse.directory import companies, users
from keyhouse.directory.argon2id import CONTEXT
from keyhouse.directory.models import Company, User
from support.clock import MovableClock

PASSWORD = "a long enough passphrase"
SECRET = "kV7q-2mXw_9tRz4LbN8sYd3HfJ6pGc1UaEoQ5iTx"
# One hash for all: hashing is slow on purpose.
_HASH = CONTEXT.hash(PASSWORD)


def settings_for(database_url: str, **more: Any) -> Settings:
    values: dict[str, Any] = {"database_url": database_url, "secret_key": SECRET, "login_rate": "10000/minute", **more}
    return Settings(_env_file=None, **values)


@dataclass
class Person:
    """A user, with the headers of their session once they logged in."""

    user: User
    headers: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)


@dataclass
class World:
    """Everything that a test of the API needs. Paths are below `/api/v1`."""

    app: FastAPI
    keyhouse: Keyhouse
    clock: MovableClock
    http: httpx.AsyncClient
    company: Company
    admin: Person
    member: Person

    @property
    def base(self) -> str:
        """The path of the company."""
        return f"/api/v1/companies/{self.company.id}"

    async def request(
        self, method: str, path: str, who: Person | dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        headers = who.headers if isinstance(who, Person) else who or {}
        return await self.http.request(method, path, headers={**headers, **more.pop("headers", {})}, **more)

    async def new_company(self, name: str = "Other") -> Company:
        async with self.keyhouse.database.writing() as tx:
            return await companies.create(tx, name=name, at=await self.keyhouse.database.now(tx))

    async def new_person(
        self, email: str, company: Company | None = None, role: str = "member", *, log_in: bool = True
    ) -> Person:
        async with self.keyhouse.database.writing() as tx:
            now = await self.keyhouse.database.now(tx)
            user = await users.create(tx, email=email, password_hash=_HASH, at=now)
            if company is not None:
                await companies.add_member(tx, company_id=company.id, user_id=user.id, role=role, at=now)
        person = Person(user)
        if log_in:
            await self.log_in(person)
        return person

    async def log_in(self, person: Person, password: str = PASSWORD) -> dict[str, Any]:
        answer = await self.http.post("/api/v1/auth/token/", json={"email": person.user.email, "password": password})
        assert answer.status_code == 200, answer.text
        person.tokens = answer.json()
        person.headers = bearer(person.tokens["access_token"])
        return person.tokens

    async def new_key(self, who: Person | None = None, company: Company | None = None, **body: Any) -> dict[str, Any]:
        """A new API key as it was answered, with its `token`."""
        path = f"/api/v1/companies/{(company or self.company).id}/api-keys/"
        body = {"name": "key", "expires_in": 3600, **body}
        if "expires_at" in body:
            del body["expires_in"]
        answer = await self.request("POST", path, who or self.admin, json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def world_of(settings: Settings, **more: Any) -> AsyncIterator[World]:
    """A running application on a migrated database, with a company, its admin and a member, both logged in."""
    clock = MovableClock()
    app = create_app(settings, clock=clock, **more)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://keyhouse.test") as http:
            unset: Any = None
            world = World(app, app.state.keyhouse, clock, http, unset, unset, unset)
            world.company = await world.new_company("Acme")
            world.admin = await world.new_person("admin@example.com", world.company, "admin")
            world.member = await world.new_person("member@example.com", world.company, "member")
            yield world
