"""Takes out what is long over, a batch at a time, so that nobody who writes waits for long."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.audit import AuditEvent
from keyhouse.credentials import changes
from keyhouse.credentials.changes import Death
from keyhouse.credentials.models import ApiKey, Change, ChangeHead, Session
from keyhouse.db import Database

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many of each were taken out."""

    api_keys: int
    sessions: int
    audit_events: int
    changes: int


async def prune(database: Database, age: int, batch: int = BATCH) -> Pruned:
    """Takes out what was over `age` seconds ago, by the database's clock: API keys that ended or were revoked, sessions
    that ended, with their refresh tokens, audit events, and entries of the change log.
    """
    async with database.reading() as tx:
        now = await database.now(tx)
    before = now - age
    return Pruned(
        api_keys=await _repeat(database, partial(_api_keys, now=now), before, batch),
        sessions=await _repeat(database, _sessions, before, batch),
        audit_events=await _repeat(database, _audit_events, before, batch),
        changes=await _repeat(database, _changes, before, batch),
    )


async def _repeat(
    database: Database, step: Callable[[AsyncSession, int, int], Awaitable[int]], before: int, batch: int
) -> int:
    total = 0
    while True:
        async with database.writing() as tx:
            done = await step(tx, before, batch)
        total += done
        if done < batch:
            return total


async def _api_keys(tx: AsyncSession, before: int, limit: int, *, now: int) -> int:
    over: ColumnElement[bool] = or_(ApiKey.revoked_at < before, ApiKey.expires_at < before, ApiKey.retires_at < before)
    ids = (await tx.scalars(select(ApiKey.id).where(over).limit(limit))).all()
    if not ids:
        return 0
    # A successor that nobody used yet is held as one that has a key to retire; that key is about to go.
    heirs = (await tx.scalars(select(ApiKey.id).where(ApiKey.replaces.in_(ids), ApiKey.used_at.is_(None)))).all()
    await tx.execute(delete(ApiKey).where(ApiKey.id.in_(ids)))
    if heirs:
        await changes.record(tx, [Death("api_key", heir) for heir in heirs], now)
    return len(ids)


async def _sessions(tx: AsyncSession, before: int, limit: int) -> int:
    over: ColumnElement[bool] = or_(Session.ended_at < before, Session.expires_at < before)
    ids = (await tx.scalars(select(Session.id).where(over).limit(limit))).all()
    if ids:
        # Their refresh tokens go with them, by the foreign key.
        await tx.execute(delete(Session).where(Session.id.in_(ids)))
    return len(ids)


async def _audit_events(tx: AsyncSession, before: int, limit: int) -> int:
    query = select(AuditEvent.id).where(AuditEvent.at < before).order_by(AuditEvent.at).limit(limit)
    ids = (await tx.scalars(query)).all()
    if ids:
        await tx.execute(delete(AuditEvent).where(AuditEvent.id.in_(ids)))
    return len(ids)


async def _changes(tx: AsyncSession, before: int, limit: int) -> int:
    """The log's beginning, and with it the number up to which it is gone: a worker that has not read so far yet
    empties its cache.
    """
    seq, pruned_seq = (await tx.execute(select(ChangeHead.seq, ChangeHead.pruned_seq).with_for_update())).one()
    # Times are not in the order of numbers, and no entry may be missing between two that are there.
    first_to_stay = await tx.scalar(select(func.min(Change.seq)).where(Change.at >= before))
    last = min(seq if first_to_stay is None else first_to_stay - 1, pruned_seq + limit)
    if last <= pruned_seq:
        return 0
    await tx.execute(update(ChangeHead).values(pruned_seq=last))
    await tx.execute(delete(Change).where(Change.seq <= last))
    return int(last - pruned_seq)
