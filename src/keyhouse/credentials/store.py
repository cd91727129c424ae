"""API keys in the database. Every query is scoped to a company, and every write names the state it expects."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, and_, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from keyhouse.credentials.models import ApiKey
from keyhouse.db.base import table
from keyhouse.directory.models import User

_KEYS = table(ApiKey)


class Status(StrEnum):
    """How an API key stands. A retired one counts as expired."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An API key with what a reader wants to know about its neighbours."""

    key: ApiKey
    creator_email: str
    replaced_by: str | None

    @property
    def end(self) -> int:
        """When it expires or retires, whichever comes first, in seconds since 1970."""
        return min(self.key.expires_at, self.key.retires_at or self.key.expires_at)

    def status(self, now: int) -> Status:
        """`now` is in seconds since 1970 by the database's clock."""
        if self.key.revoked_at is not None:
            return Status.REVOKED
        return Status.ACTIVE if now < self.end else Status.EXPIRED


_successor = aliased(ApiKey)


def _records(company_id: str, created_by: str | None) -> Select[ApiKey, str, str | None]:
    query: Select[ApiKey, str, str | None] = (
        select(ApiKey, User.email, _successor.id)
        .join(User, User.id == ApiKey.created_by)
        .outerjoin(_successor, _successor.replaces == ApiKey.id)
        .where(ApiKey.company_id == company_id)
    )
    return query if created_by is None else query.where(ApiKey.created_by == created_by)


def _has(status: Status, now: int) -> ColumnElement[bool]:
    if status is Status.REVOKED:
        return ApiKey.revoked_at.is_not(None)
    ended = or_(ApiKey.expires_at <= now, and_(ApiKey.retires_at.is_not(None), ApiKey.retires_at <= now))
    return and_(ApiKey.revoked_at.is_(None), ended if status is Status.EXPIRED else ~ended)


async def get(
    session: AsyncSession, company_id: str, key_id: str, *, created_by: str | None = None
) -> KeyRecord | None:
    """A key of the company; with `created_by`, of that user alone."""
    row = (await session.execute(_records(company_id, created_by).where(ApiKey.id == key_id))).one_or_none()
    return None if row is None else KeyRecord(*row)


async def list_keys(
    session: AsyncSession,
    company_id: str,
    *,
    created_by: str | None,
    statuses: Collection[Status],
    now: int,
    limit: int,
    before: str | None,
) -> Sequence[KeyRecord]:
    """The company's keys of these statuses, newest first, from before the given id."""
    query = _records(company_id, created_by).where(or_(*(_has(status, now) for status in statuses)))
    if before is not None:
        query = query.where(ApiKey.id < before)
    rows = await session.execute(query.order_by(ApiKey.id.desc()).limit(limit))
    return [KeyRecord(*row) for row in rows.all()]


async def add(session: AsyncSession, key: ApiKey) -> None:
    """Raises IntegrityError for a second successor of one key."""
    session.add(key)
    await session.flush()


async def rename(session: AsyncSession, company_id: str, key_id: str, name: str, *, created_by: str | None) -> bool:
    """False when there is no such key."""
    return await _changed(session, _own(company_id, key_id, created_by), name=name)


async def begin_rotation(session: AsyncSession, company_id: str, key_id: str, *, overlap: int, now: int) -> bool:
    """Notes the overlap of a key that is active and was not rotated; False for any other. One of several wins."""
    expected = and_(_own(company_id, key_id, None), ApiKey.overlap.is_(None), _has(Status.ACTIVE, now))
    return await _changed(session, expected, overlap=overlap)


async def revoke(session: AsyncSession, key_id: str, at: int) -> bool:
    """False when it was revoked before: the first moment stays."""
    return await _changed(session, and_(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)), revoked_at=at)


async def made_by_key_of(session: AsyncSession, key_id: str) -> str | None:
    """The successor that a key, not a user, made of this one."""
    query = select(ApiKey.id).where(ApiKey.replaces == key_id, ApiKey.made_by_key)
    return (await session.scalars(query)).one_or_none()


async def first_use(session: AsyncSession, key_id: str, at: int) -> bool:
    """Marks a successor as used; False for any other key, and when it was used before."""
    expected = and_(ApiKey.id == key_id, ApiKey.used_at.is_(None), ApiKey.replaces.is_not(None))
    return await _changed(session, expected, used_at=at)


async def predecessor(session: AsyncSession, key_id: str) -> ApiKey | None:
    """The key that this one replaces, which nobody else changes until the transaction ends."""
    query = select(ApiKey).join(_successor, _successor.replaces == ApiKey.id).where(_successor.id == key_id)
    locked = query.with_for_update(key_share=True, of=ApiKey).execution_options(populate_existing=True)
    return (await session.scalars(locked)).one_or_none()


async def retire(session: AsyncSession, key_id: str, at: int) -> bool:
    """Sets the end of a rotated key; False when it has one, or is revoked."""
    expected = and_(ApiKey.id == key_id, ApiKey.retires_at.is_(None), ApiKey.revoked_at.is_(None))
    return await _changed(session, expected, retires_at=at)


async def used(session: AsyncSession, uses: Mapping[str, int]) -> None:
    """Moves the `last_used_at` of each key to its time, forward and never back, and touches nothing else."""
    earlier = or_(_KEYS.c.last_used_at.is_(None), _KEYS.c.last_used_at < bindparam("at"))
    moved = update(_KEYS).where(and_(_KEYS.c.id == bindparam("key"), earlier)).values(last_used_at=bindparam("at"))
    # In one order, or two workers could wait for each other's rows.
    await _each(session, moved, [{"key": key_id, "at": uses[key_id]} for key_id in sorted(uses)])


async def denied_lately(session: AsyncSession, key_id: str, at: int, *, pause: int) -> bool:
    """Marks that a dead key was tried; True if the last mark is less than `pause` seconds old."""
    expected = and_(ApiKey.id == key_id, or_(ApiKey.denied_at.is_(None), ApiKey.denied_at <= at - pause))
    return not await _changed(session, expected, denied_at=at)


def _own(company_id: str, key_id: str, created_by: str | None) -> ColumnElement[bool]:
    mine = and_(ApiKey.company_id == company_id, ApiKey.id == key_id)
    return mine if created_by is None else and_(mine, ApiKey.created_by == created_by)


async def _each(session: AsyncSession, statement: Update, rows: Sequence[Mapping[str, Any]]) -> None:
    """The statement for each of the rows, in one turn of the driver: thousands of turns would keep requests waiting."""
    connection = await session.connection()
    await connection.execute(statement, rows)


async def _changed(session: AsyncSession, expected: ColumnElement[bool], **values: Any) -> bool:
    result = await session.execute(
        update(ApiKey)
        .where(expected)
        .values(**values)
        .returning(ApiKey.id)
        .execution_options(synchronize_session=False)
    )
    return result.first() is not None
