"""Log-in with e-mail and password, and the change of a password."""

import contextlib

from keyhouse.audit import Actor, Origin
from keyhouse.credentials.sightings import Sightings
from keyhouse.db import Database
from keyhouse.directory import users
from keyhouse.directory.passwords import PasswordHashing
from keyhouse.directory.users import Account
from keyhouse.errors import failure, invalid_field, invalid_token
from keyhouse.issuance.sessions import Sessions, TokenPair
from keyhouse.issuance.throttle import Throttle
from keyhouse.revocation import Revocation, deaths

# A log-in that gives the hash of today's parameters changes it under another one, which then asks again.
_TRIES = 3


class LogIn:
    """First-party log-in: it trades a password for a session, which OAuth has no grant for any more (RFC 9700 2.4)."""

    def __init__(
        self,
        database: Database,
        hashing: PasswordHashing,
        sessions: Sessions,
        throttle: Throttle,
        sightings: Sightings,
        revocation: Revocation,
    ) -> None:
        self._database = database
        self._hashing = hashing
        self._sessions = sessions
        self._throttle = throttle
        self._sightings = sightings
        self._revocation = revocation

    async def log_in(self, email: str, password: str, origin: Origin) -> TokenPair:
        """A new session. `email` is canonical.

        Raises `authentication_failed`, the same and after the same work for a wrong password, an unknown and a
        disabled user; `throttled`; `service_unavailable` when too many wait.
        """
        await self._throttle.log_in(origin.ip, email)
        for _ in range(_TRIES):
            async with self._database.reading() as tx:
                user = await users.account(tx, email)
            stored = None if user is None else user.password_hash
            right, replacement = await self._hashing.verify(password, stored)
            if user is None or not right or user.disabled_at is not None:
                if user is not None:
                    # Noted in memory: a write would tell by its time that there is such a user.
                    self._sightings.login_denied(user.id, origin)
                raise failure("authentication_failed", cause=_cause(known=user is not None, right=right))
            pair = await self._begin(user, replacement, origin)
            if pair is not None:
                return pair
        raise failure("authentication_failed", cause="changed meanwhile")

    async def _begin(self, known: Account, replacement: str | None, origin: Origin) -> TokenPair | None:
        """A session of the user as known; None when they were disabled, or their hash changed, in the meantime."""
        async with self._database.writing() as tx:
            now = await self._database.now(tx)
            # Locked: a password that is changed meanwhile ends this session, or keeps it from being opened.
            current = await users.locked(tx, known.id)
            if current is None or current.disabled_at is not None or current.password_hash != known.password_hash:
                return None
            if replacement is not None:
                await users.set_password_hash(tx, known.id, replacement)
            return await self._sessions.begin(
                tx, known.id, now, Origin(Actor("user", known.id), origin.ip, origin.request_id)
            )

    async def change_password(self, user_id: str, session_id: str, *, current: str, new: str, origin: Origin) -> None:
        """Sets a new password and ends the user's other sessions.

        Raises 400 `invalid` at `current_password`, throttled like a log-in.
        """
        await self._throttle.secret(origin.ip, user_id)
        for _ in range(_TRIES):
            async with self._database.reading() as tx:
                user = await users.by_id(tx, user_id)
            if user is None:
                raise invalid_token("unknown")
            right, _ = await self._hashing.verify(current, user.password_hash)
            if not right:
                break
            deed = deaths.password(
                user_id,
                await self._hashing.hash(new),
                origin,
                keep_session=session_id,
                former=user.password_hash,
            )
            with contextlib.suppress(deaths.Overtaken):
                await self._revocation.die(deed)
                return
        self._sightings.login_denied(user_id, origin)
        raise invalid_field("current_password", "The password is wrong.")


def _cause(*, known: bool, right: bool) -> str:
    if not known:
        return "unknown user"
    return "user disabled" if right else "wrong password"
