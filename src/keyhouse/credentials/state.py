"""What the guard must know of a credential, read from the database in one statement that also tells how new it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, bindparam, literal_column, select
from sqlalchemy.orm import aliased

from keyhouse.credentials.models import ApiKey, ChangeHead, Session
from keyhouse.directory.models import Membership, User
from keyhouse.errors import unavailable
from keyhouse.tokens import TokenUse

_ALIKE = 1024


@dataclass(frozen=True, slots=True)
class State:
    """A live credential as of one snapshot of the database.

    `scopes` is None for an access token, which may do what its user may. `roles` maps company to role: of an API key
    its one company, of an access token all of its user's. `expires_at` is the earliest end of the credential, in
    seconds since 1970 by the database's clock; `retired` says that a rotation set it. `first_use` says that the
    credential is a successor which nobody used yet, so that using it retires its predecessor.
    """

    credential_id: str
    use: TokenUse
    user_id: str
    company_id: str | None
    scopes: frozenset[str] | None
    roles: Mapping[str, str]
    expires_at: int
    retired: bool = False
    first_use: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What the database answered: the state, or why there is none that lives.

    `seq` is the change log's head in the same snapshot: the state has seen every change up to it, and may have seen
    none after.
    """

    seq: int
    state: State | None
    cause: str = ""


_member = aliased(Membership)


def statement(use: TokenUse, dialect: Literal["sqlite", "postgresql"]) -> Select[*tuple[Any, ...]]:
    """The one statement that reads a credential's state, with the parameter `id`."""
    in_recovery: ColumnElement[bool] = literal_column("pg_is_in_recovery()" if dialect == "postgresql" else "0")
    if use is TokenUse.API_KEY:
        return (
            select(
                ChangeHead.seq,
                in_recovery,
                ApiKey.created_by,
                ApiKey.company_id,
                ApiKey.scopes,
                ApiKey.expires_at,
                ApiKey.retires_at,
                ApiKey.revoked_at,
                ApiKey.replaces,
                ApiKey.used_at,
                User.disabled_at,
                _member.role,
            )
            .select_from(ChangeHead)
            .outerjoin(ApiKey, ApiKey.id == bindparam("id", type_=ApiKey.id.type))
            .outerjoin(User, User.id == ApiKey.created_by)
            .outerjoin(_member, (_member.user_id == ApiKey.created_by) & (_member.company_id == ApiKey.company_id))
        )
    return (
        select(
            ChangeHead.seq,
            in_recovery,
            Session.user_id,
            Session.expires_at,
            Session.ended_at,
            User.disabled_at,
            _member.company_id,
            _member.role,
        )
        .select_from(ChangeHead)
        .outerjoin(Session, Session.id == bindparam("id", type_=Session.id.type))
        .outerjoin(User, User.id == Session.user_id)
        .outerjoin(_member, _member.user_id == Session.user_id)
    )


def read(use: TokenUse, credential_id: str, rows: Sequence[Sequence[Any]]) -> Reading:
    """The reading that the rows of `statement` make.

    Raises `service_unavailable` for a database without its head, and for one that only follows another.
    """
    if not rows:
        raise unavailable("change_head is empty: run `keyhouse migrate`")
    if rows[0][1]:
        raise unavailable("database is in recovery")
    return (_api_key if use is TokenUse.API_KEY else _session)(credential_id, rows)


def _api_key(credential_id: str, rows: Sequence[Sequence[Any]]) -> Reading:
    (
        seq,
        _,
        user_id,
        company_id,
        scopes,
        expires_at,
        retires_at,
        revoked_at,
        replaces,
        used_at,
        disabled_at,
        role,
    ) = rows[0]
    if user_id is None:
        return Reading(seq, None, "unknown")
    if revoked_at is not None:
        return Reading(seq, None, "revoked")
    if disabled_at is not None:
        return Reading(seq, None, "user disabled")
    if role is None:
        return Reading(seq, None, "membership gone")
    retired = retires_at is not None and retires_at < expires_at
    return Reading(
        seq,
        State(
            credential_id,
            TokenUse.API_KEY,
            intern(user_id),
            intern(company_id),
            _scopes(scopes),
            _roles(company_id, role),
            retires_at if retired else expires_at,
            retired,
            replaces is not None and used_at is None,
        ),
    )


# What many keys of a company have alike is kept once for all that a worker holds.
@lru_cache(maxsize=_ALIKE)
def _scopes(text: str) -> frozenset[str]:
    return frozenset(text.split())


@lru_cache(maxsize=_ALIKE)
def _roles(company_id: str, role: str) -> Mapping[str, str]:
    return {company_id: role}


def _session(credential_id: str, rows: Sequence[Sequence[Any]]) -> Reading:
    seq, _, user_id, expires_at, ended_at, disabled_at, _, _ = rows[0]
    if user_id is None:
        return Reading(seq, None, "unknown")
    if ended_at is not None:
        return Reading(seq, None, "revoked")
    if disabled_at is not None:
        return Reading(seq, None, "user disabled")
    roles = {company_id: role for *_, company_id, role in rows if company_id is not None}
    return Reading(seq, State(credential_id, TokenUse.ACCESS, user_id, None, None, roles, expires_at))
