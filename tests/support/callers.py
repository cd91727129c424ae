"""Who calls: a credential of every kind and role, of one's own company and of another."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from keyhouse.audit import AuditEvent
from keyhouse.credentials import sessions
from keyhouse.datasets import SCOPES
from keyhouse.db.base import Base, new_id
from keyhouse.directory import companies
from keyhouse.directory.models import Company, User
from keyhouse.scopes import MANAGEMENT
from keyhouse.tokens import Claims, TokenUse
from support.world import Person, World, bearer

ALL_SCOPES = [*SCOPES, *MANAGEMENT]
_SEEN = {"last_used_at", "denied_at"}


async def access_claims(world: World, user: User, **more: Any) -> Claims:
    """The claims of an access token of a session that begins now, without a log-in's slow hash."""
    keyhouse = world.keyhouse
    async with keyhouse.database.writing() as tx:
        now = await keyhouse.database.now(tx)
        session = await sessions.open_session(tx, user_id=user.id, at=now, expires_at=now + 86400)
    values: dict[str, Any] = {
        "iss": keyhouse.codec.issuer,
        "aud": keyhouse.codec.audience,
        "sub": user.id,
        "jti": new_id(),
        "iat": now,
        "exp": now + 900,
        "token_use": TokenUse.ACCESS,
        "scope": " ".join(SCOPES),
        "sid": session.id,
        **more,
    }
    return Claims(**values)


async def access(world: World, person: Person) -> dict[str, str]:
    """The headers of a new session."""
    return bearer(world.keyhouse.codec.encode(await access_claims(world, person.user)))


async def key(
    world: World, person: Person, company: Company | None = None, scopes: Iterable[str] = ALL_SCOPES
) -> dict[str, str]:
    """The headers of a new API key of these scopes."""
    made = await world.new_key(Person(person.user, await access(world, person)), company, scopes=list(scopes))
    return bearer(made["token"])


@dataclass(frozen=True, slots=True)
class Others:
    """People of whom none is in the company of the world, and one who is in both."""

    company: Company
    admin: Person
    nobody: Person
    both: Person


async def others(world: World) -> Others:
    company = await world.new_company("Other")
    made = Others(
        company,
        await world.new_person("other@example.com", company, "admin", log_in=False),
        await world.new_person("nobody@example.org", log_in=False),
        await world.new_person("both@example.com", company, "admin", log_in=False),
    )
    async with world.keyhouse.database.writing() as tx:
        now = await world.keyhouse.database.now(tx)
        await companies.add_member(tx, company_id=world.company.id, user_id=made.both.user.id, role="admin", at=now)
    return made


async def new_item(world: World, parameter: str | None, strangers: Others | None = None) -> str:
    """The id of a new API key or dataset, as a path has it; of the strangers' company, if they are given."""
    if parameter is None:
        return ""
    path, body = ("api-keys", {"expires_in": 3600}) if parameter == "key_id" else ("datasets", {})
    person, company = (world.admin, world.company) if strangers is None else (strangers.admin, strangers.company)
    who = await access(world, person)
    made = await world.request("POST", f"/api/v1/companies/{company.id}/{path}/", who, json={"name": "It", **body})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def stored(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, but for what is noted in the background of uses and of refused tries."""
    found = {}
    async with world.keyhouse.database.reading() as tx:
        for table in Base.metadata.sorted_tables:
            columns = [column for column in table.columns if column.name not in _SEEN]
            query = select(*columns).order_by(*table.primary_key.columns)
            if table is AuditEvent.__table__:
                query = query.where(AuditEvent.action.not_like("%.denied"))
            rows = (await tx.execute(query)).all()
            found[table.name] = [tuple(row) for row in rows]
    return found
