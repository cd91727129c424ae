"""Sessions: pairs of a short-living access token and a refresh token that serves once (RFC 9700 section 4.14.2)."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse import audit
from keyhouse.audit import Actor, Origin
from keyhouse.credentials import sessions
from keyhouse.credentials.models import Session
from keyhouse.credentials.sessions import Link
from keyhouse.db import Database
from keyhouse.db.base import new_id
from keyhouse.directory import companies
from keyhouse.errors import invalid_token
from keyhouse.revocation import Revocation, deaths
from keyhouse.scopes import Vocabulary
from keyhouse.settings import Settings
from keyhouse.tokens import Claims, Codec, TokenUse

# For so long a client whose answer was lost may present a refresh token once more.
REUSE_WINDOW = 10


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a log-in or a refresh hands out; lifetimes are in seconds from now."""

    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


class _Over(Exception):  # noqa: N818 - not an error: a finding that must leave the transaction
    def __init__(self, session_id: str, cause: str) -> None:
        self.session_id = session_id
        self.cause = cause


class Sessions:
    """Opens, refreshes and ends sessions."""

    def __init__(
        self,
        database: Database,
        codec: Codec,
        settings: Settings,
        vocabulary: Vocabulary,
        revocation: Revocation,
    ) -> None:
        self._database = database
        self._codec = codec
        self._settings = settings
        self._vocabulary = vocabulary
        self._revocation = revocation

    async def begin(self, tx: AsyncSession, user_id: str, now: int, origin: Origin) -> TokenPair:
        """A new session of a user, in the caller's transaction."""
        session = await sessions.open_session(
            tx, user_id=user_id, at=now, expires_at=now + self._settings.session_max_ttl
        )
        await audit.record(
            tx,
            at=now,
            companies=await companies.company_ids(tx, user_id),
            action="session.created",
            target=Actor("session", session.id),
            origin=origin,
        )
        return await self._pair(tx, session, now, parent_id=None)

    async def refresh(self, token: str, origin: Origin) -> TokenPair:
        """A new pair for a refresh token. Raises `invalid_token`; a token that was stolen or played back ends the
        session first, and the answer keeps the promise of revocation, also where the session had ended just before.
        """
        try:
            async with self._database.writing() as tx:
                return await self._exchange(tx, token, await self._database.now(tx))
        except _Over as over:
            await self._revocation.die(deaths.session(over.session_id, origin))
            raise invalid_token(over.cause) from None

    async def end(self, session_id: str, origin: Origin) -> None:
        """Logs out."""
        await self._revocation.die(deaths.session(session_id, origin))

    async def _exchange(self, tx: AsyncSession, token: str, now: int) -> TokenPair:
        link = await sessions.link(tx, token)
        if link is None:
            raise invalid_token("refresh token unknown")
        if link.session.ended_at is not None:
            raise _Over(link.session.id, "session ended")
        if now >= link.session.expires_at or link.user.disabled_at is not None:
            raise invalid_token("session ended")
        if now >= link.token.expires_at:
            raise invalid_token("refresh token expired")
        if link.token.superseded:
            raise invalid_token("refresh token superseded")
        if link.token.uses and not await self._may_repeat(tx, link, now):
            raise _Over(link.session.id, "refresh token reused")
        await sessions.exchange(tx, link.token, now)
        return await self._pair(tx, link.session, now, parent_id=link.token.id)

    async def _may_repeat(self, tx: AsyncSession, link: Link, now: int) -> bool:
        """Once, soon, and while nobody has gone on from the first answer."""
        return (
            link.token.uses == 1
            and now - (link.token.used_at or 0) <= REUSE_WINDOW
            and not await sessions.successor_presented(tx, link.token.id)
        )

    async def _pair(self, tx: AsyncSession, session: Session, now: int, parent_id: str | None) -> TokenPair:
        access_end = min(now + self._settings.access_token_ttl, session.expires_at)
        refresh_end = min(now + self._settings.refresh_token_ttl, session.expires_at)
        refresh_token = sessions.new_refresh_token()
        await sessions.add_refresh_token(
            tx, session_id=session.id, token=refresh_token, expires_at=refresh_end, parent_id=parent_id
        )
        claims = Claims(
            iss=self._codec.issuer,
            aud=self._codec.audience,
            sub=session.user_id,
            jti=new_id(),
            iat=now,
            exp=access_end,
            token_use=TokenUse.ACCESS,
            scope=" ".join(self._vocabulary.resource),
            sid=session.id,
        )
        return TokenPair(self._codec.encode(claims), access_end - now, refresh_token, refresh_end - now)
