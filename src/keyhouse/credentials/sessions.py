"""Sessions and their chains of refresh tokens in the database."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.credentials.models import RefreshToken, Session
from keyhouse.db.base import new_id, table
from keyhouse.directory.models import User

REFRESH_PREFIX = "khr_"
# Made once, for log-ins.
_NEW_SESSION = insert(table(Session))
_NEW_REFRESH_TOKEN = insert(table(RefreshToken))


def new_refresh_token() -> str:
    """An opaque token of 256 random bits, with a prefix by which secret scanners know it."""
    return REFRESH_PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is stored of a refresh token: SHA-256, enough for a text that nobody can guess. Takes any text at all."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Link:
    """A refresh token with its session and user, both locked until the transaction ends."""

    token: RefreshToken
    session: Session
    user: User


async def open_session(session: AsyncSession, *, user_id: str, at: int, expires_at: int) -> Session:
    row = {"id": new_id(), "user_id": user_id, "created_at": at, "expires_at": expires_at}
    await session.execute(_NEW_SESSION, row)
    return Session(**row)


async def add_refresh_token(
    session: AsyncSession, *, session_id: str, token: str, expires_at: int, parent_id: str | None = None
) -> None:
    row = {
        "id": new_id(),
        "session_id": session_id,
        "parent_id": parent_id,
        "digest": digest(token),
        "expires_at": expires_at,
        "uses": 0,
        "superseded": False,
    }
    await session.execute(_NEW_REFRESH_TOKEN, row)


async def link(session: AsyncSession, token: str) -> Link | None:
    """The link of a presented refresh token, locked: of two that come at once, the second sees what the first did."""
    known = RefreshToken.digest == digest(token)
    session_id = select(RefreshToken.session_id).where(known).scalar_subquery()
    await session.execute(select(Session.id).where(Session.id == session_id).with_for_update())
    # Read only now: who waited for the lock would have read what was before.
    query = (
        select(RefreshToken, Session, User)
        .join(Session, Session.id == RefreshToken.session_id)
        .join(User, User.id == Session.user_id)
        .where(known)
        .execution_options(populate_existing=True)
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else Link(*row)


async def successor_presented(session: AsyncSession, token_id: str) -> bool:
    """Whether a refresh token that came of this one was exchanged already."""
    query = select(RefreshToken.id).where(RefreshToken.parent_id == token_id, RefreshToken.uses > 0).limit(1)
    return (await session.scalar(query)) is not None


async def exchange(session: AsyncSession, token: RefreshToken, at: int) -> None:
    """Counts a use. The first one also ends what else came of the same parent."""
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.id == token.id)
        .values(uses=RefreshToken.uses + 1, used_at=at if token.used_at is None else token.used_at)
    )
    if token.parent_id is not None:
        await session.execute(
            update(RefreshToken)
            .where(RefreshToken.parent_id == token.parent_id, RefreshToken.id != token.id)
            .values(superseded=True)
        )


async def end(session: AsyncSession, session_id: str, at: int) -> str | None:
    """Ends a session and answers whose it was; None when it had ended or there is none."""
    result = await session.execute(
        update(Session)
        .where(Session.id == session_id, Session.ended_at.is_(None))
        .values(ended_at=at)
        .returning(Session.user_id)
    )
    return result.scalar_one_or_none()


async def end_all(session: AsyncSession, user_id: str, at: int, *, keep: str | None = None) -> Sequence[str]:
    """Ends every live session of a user but the one to keep; answers their ids."""
    query = update(Session).where(Session.user_id == user_id, Session.ended_at.is_(None), Session.expires_at > at)
    if keep is not None:
        query = query.where(Session.id != keep)
    return (await session.scalars(query.values(ended_at=at).returning(Session.id))).all()
