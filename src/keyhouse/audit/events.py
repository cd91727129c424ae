"""Writes and lists audit events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.audit.models import AuditEvent
from keyhouse.db.base import new_id, table


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, or to what it was done: `kind` is user, api_key, session or operator (who has no id)."""

    kind: str
    id: str | None = None

    def __str__(self) -> str:
        return self.kind if self.id is None else f"{self.kind}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Actor":
        kind, _, ident = text.partition(":")
        return cls(kind, ident or None)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a change comes from: who asked for it, from which address, in which request."""

    actor: Actor | None = None
    ip: str | None = None
    request_id: str | None = None


OPERATOR = Origin(Actor("operator"))
_NEW_EVENT = insert(table(AuditEvent))


async def record(
    session: AsyncSession, *, at: int, companies: Iterable[str], action: str, target: Actor, origin: Origin
) -> None:
    """One event in each of the companies. `at` is in seconds since 1970."""
    rows = [
        {
            "id": new_id(),
            "company_id": company_id,
            "at": at,
            "action": action,
            "actor": None if origin.actor is None else str(origin.actor),
            "target": str(target),
            "ip": origin.ip,
            "request_id": origin.request_id,
        }
        for company_id in companies
    ]
    if rows:
        await session.execute(_NEW_EVENT, rows)


async def list_events(
    session: AsyncSession, company_id: str, *, limit: int, before: str | None
) -> Sequence[AuditEvent]:
    """A company's events, newest first, from before the given id."""
    query = select(AuditEvent).where(AuditEvent.company_id == company_id)
    if before is not None:
        query = query.where(AuditEvent.id < before)
    return (await session.scalars(query.order_by(AuditEvent.id.desc()).limit(limit))).all()
