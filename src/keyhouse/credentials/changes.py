"""The change log: every change that can turn a live credential dead, numbered without gaps in commit order.

A plain SQL sequence would not do: a lower number can be committed later, and who has read past it never sees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, bindparam, func, insert, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.credentials.models import Change, ChangeHead
from keyhouse.errors import unavailable

CHANNEL = "keyhouse_changes"
DEFAULT_BOUND_MS = 1000
MAX_BOUND_MS = 10_000


@dataclass(frozen=True, slots=True)
class Death:
    """What a change may have killed: an `api_key`, a `session`, or everything of a `user`."""

    kind: Literal["api_key", "session", "user"]
    subject: str


@dataclass(frozen=True, slots=True)
class Head:
    """The log's head in one snapshot: the last number, what is pruned, and the bound in seconds."""

    seq: int
    pruned_seq: int
    bound: float
    database_time: float
    in_recovery: bool = False


async def record(session: AsyncSession, deaths: Sequence[Death], at: int) -> float:
    """Writes the deaths into the log, in the caller's transaction and as its last act, since the head stays locked
    until the commit. Answers for how many seconds a worker may yet trust what it held before.
    """
    row = (
        await session.execute(
            update(ChangeHead)
            .values(seq=ChangeHead.seq + len(deaths))
            .returning(ChangeHead.seq, ChangeHead.bound_ms, ChangeHead.former_bound_ms)
        )
    ).one()
    first = row.seq - len(deaths) + 1
    await session.execute(
        insert(Change),
        [{"seq": first + n, "kind": d.kind, "subject": d.subject, "at": at} for n, d in enumerate(deaths)],
    )
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_notify(CHANNEL, str(row.seq))))
    return _longest(row.bound_ms, row.former_bound_ms)


async def bound(session: AsyncSession) -> float:
    """For how many seconds a worker may trust what it held when this transaction read the database."""
    row = (await session.execute(select(ChangeHead.bound_ms, ChangeHead.former_bound_ms))).one()
    return _longest(row.bound_ms, row.former_bound_ms)


def _longest(bound_ms: int, former_bound_ms: int | None) -> float:
    return max(bound_ms, former_bound_ms or 0) / 1000


def confirmation(dialect: Literal["sqlite", "postgresql"]) -> Select[*tuple[Any, ...]]:
    """One statement, so one snapshot: the head, and every entry after the number `applied`."""
    if dialect == "postgresql":
        time, recovery = "extract(epoch FROM clock_timestamp())::float8", "pg_is_in_recovery()"
    else:
        time, recovery = "0.0", "0"
    database_time: ColumnElement[float] = literal_column(time)
    in_recovery: ColumnElement[bool] = literal_column(recovery)
    return (
        select(
            ChangeHead.seq,
            ChangeHead.pruned_seq,
            ChangeHead.bound_ms,
            database_time,
            in_recovery,
            Change.kind,
            Change.subject,
        )
        .select_from(ChangeHead)
        .outerjoin(Change, Change.seq > bindparam("applied", type_=Change.seq.type))
        .order_by(Change.seq)
    )


def read(rows: Sequence[Sequence[Any]]) -> tuple[Head, list[Death]]:
    """The head and the deaths that the rows of `confirmation` tell."""
    if not rows:
        raise unavailable("change_head is empty: run `keyhouse migrate`")
    seq, pruned_seq, bound_ms, database_time, in_recovery, _, _ = rows[0]
    head = Head(seq, pruned_seq, bound_ms / 1000, database_time, bool(in_recovery))
    return head, [Death(kind, subject) for *_, kind, subject in rows if kind is not None]
