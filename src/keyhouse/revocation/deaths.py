"""The deeds: what each kind of death changes, and the audit events that tell of it."""

from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse import audit
from keyhouse.audit import Actor, Origin
from keyhouse.credentials import sessions, store
from keyhouse.credentials.changes import Death
from keyhouse.credentials.models import ApiKey
from keyhouse.directory import companies, users
from keyhouse.errors import not_found
from keyhouse.revocation.promise import Deed, Outcome


class Overtaken(Exception):  # noqa: N818 - what was verified is no longer so, which is nobody's error
    """Somebody else was first, and nothing was changed."""


def api_key(company_id: str, key_id: str, origin: Origin, *, created_by: str | None = None) -> Deed[None]:
    """Revokes a key and every successor that a key, not a user, made of it. Raises `not_found`."""

    async def deed(tx: AsyncSession, now: int) -> Outcome[None]:
        if await store.get(tx, company_id, key_id, created_by=created_by) is None:
            raise not_found()
        return await _revoke_with_successors(tx, now, company_id, key_id, origin)

    return deed


def held_api_key(key_id: str, origin: Origin) -> Deed[None]:
    """Revokes a key for whoever holds its token. One that ended by itself, a retired one too, is left as it is: its
    token, found somewhere, must not be able to kill the successor.
    """

    async def deed(tx: AsyncSession, now: int) -> Outcome[None]:
        key = await tx.get(ApiKey, key_id)
        if key is None or now >= min(key.expires_at, key.retires_at or key.expires_at):
            return Outcome(None)
        return await _revoke_with_successors(tx, now, key.company_id, key_id, origin)

    return deed


async def _revoke_with_successors(
    tx: AsyncSession, now: int, company_id: str, key_id: str, origin: Origin
) -> Outcome[None]:
    deaths: list[Death] = []
    doomed: str | None = key_id
    while doomed is not None:
        if await store.revoke(tx, doomed, now):
            deaths.append(Death("api_key", doomed))
            await audit.record(
                tx,
                at=now,
                companies=[company_id],
                action="api_key.revoked",
                target=Actor("api_key", doomed),
                origin=origin,
            )
        doomed = await store.made_by_key_of(tx, doomed)
    return Outcome(None, deaths)


def retirement(successor_id: str, origin: Origin) -> Deed[None]:
    """A successor is used for the first time: its predecessor dies `overlap` seconds from now."""

    async def deed(tx: AsyncSession, now: int) -> Outcome[None]:
        # The elder first, as a revocation goes: two that lock in different orders wait for each other.
        former = await store.predecessor(tx, successor_id)
        if former is None:
            return Outcome(None)
        if not await store.first_use(tx, successor_id, now):
            return Outcome(None, grace=(former.retires_at or now) - now)
        overlap = former.overlap or 0
        deaths = [Death("api_key", successor_id)]
        if await store.retire(tx, former.id, now + overlap):
            deaths.append(Death("api_key", former.id))
            await audit.record(
                tx,
                at=now,
                companies=[former.company_id],
                action="api_key.retired",
                target=Actor("api_key", former.id),
                origin=origin,
            )
        return Outcome(None, deaths, grace=overlap)

    return deed


def session(session_id: str, origin: Origin, *, unless_after: int | None = None) -> Deed[None]:
    """Ends one session: its access tokens and its refresh tokens. With `unless_after` (seconds since 1970), not from
    that moment on: an access token that has expired is worth nothing, not even this.
    """

    async def deed(tx: AsyncSession, now: int) -> Outcome[None]:
        if unless_after is not None and now >= unless_after:
            return Outcome(None)
        return await _end_session(tx, now, session_id, origin)

    return deed


def refresh_token(token: str, origin: Origin) -> Deed[None]:
    """Ends the session of a live refresh token, for whoever holds it."""

    async def deed(tx: AsyncSession, now: int) -> Outcome[None]:
        link = await sessions.link(tx, token)
        if link is None or link.token.superseded or now >= link.token.expires_at:
            return Outcome(None)
        actor = Actor("user", link.user.id)
        return await _end_session(tx, now, link.session.id, Origin(actor, origin.ip, origin.request_id))

    return deed


async def _end_session(tx: AsyncSession, now: int, session_id: str, origin: Origin) -> Outcome[None]:
    user_id = await sessions.end(tx, session_id, now)
    if user_id is None:
        return Outcome(None)
    await _session_ended(tx, now, user_id, session_id, origin)
    return Outcome(None, [Death("session", session_id)])


def password(
    user_id: str, password_hash: str, origin: Origin, *, keep_session: str | None, former: str | None = None
) -> Deed[None]:
    """Sets a password and ends the user's sessions, but for the one to keep. With `former`, the hash that was verified,
    raises `Overtaken` when it is another by now.
    """

    async def deed(tx: AsyncSession, now: int) -> Outcome[None]:
        # First, so that a log-in that verified the former password waits for us, or is seen by us.
        if not await users.set_password_hash(tx, user_id, password_hash, former=former):
            raise Overtaken
        ended = await sessions.end_all(tx, user_id, now, keep=keep_session)
        for session_id in ended:
            await _session_ended(tx, now, user_id, session_id, origin)
        return Outcome(None, [Death("session", session_id) for session_id in ended])

    return deed


def disabling(user_id: str, origin: Origin) -> Deed[None]:
    """Disables a user: all of their tokens and keys are dead while that lasts, and their sessions for good."""

    async def deed(tx: AsyncSession, now: int) -> Outcome[None]:
        await users.disable(tx, user_id, now)
        for session_id in await sessions.end_all(tx, user_id, now):
            await _session_ended(tx, now, user_id, session_id, origin)
        return Outcome(None, [Death("user", user_id)])

    return deed


def removal(company_id: str, user_id: str, origin: Origin) -> Deed[None]:
    """Removes a member: what they made in the company is dead while they are none. Raises `not_found`."""

    async def deed(tx: AsyncSession, now: int) -> Outcome[None]:
        if not await companies.remove_member(tx, company_id=company_id, user_id=user_id):
            raise not_found()
        return await _member(tx, now, "member.removed", company_id, user_id, origin)

    return deed


def role(company_id: str, user_id: str, new_role: str, origin: Origin) -> Deed[None]:
    """Changes a member's role: rights that the new one lacks are dead. Raises `not_found`."""

    async def deed(tx: AsyncSession, now: int) -> Outcome[None]:
        if not await companies.set_role(tx, company_id=company_id, user_id=user_id, role=new_role):
            raise not_found()
        return await _member(tx, now, "member.changed", company_id, user_id, origin)

    return deed


def addition(company_id: str, user_id: str, new_role: str, origin: Origin) -> Deed[None]:
    """Adds a member. No death, but a worker that holds the user's state holds it without this company."""

    async def deed(tx: AsyncSession, now: int) -> Outcome[None]:
        await companies.add_member(tx, company_id=company_id, user_id=user_id, role=new_role, at=now)
        return await _member(tx, now, "member.added", company_id, user_id, origin)

    return deed


async def _member(
    tx: AsyncSession, now: int, action: str, company_id: str, user_id: str, origin: Origin
) -> Outcome[None]:
    await audit.record(tx, at=now, companies=[company_id], action=action, target=Actor("user", user_id), origin=origin)
    return Outcome(None, [Death("user", user_id)])


async def _session_ended(tx: AsyncSession, now: int, user_id: str, session_id: str, origin: Origin) -> None:
    await audit.record(
        tx,
        at=now,
        companies=await companies.company_ids(tx, user_id),
        action="session.ended",
        target=Actor("session", session_id),
        origin=origin,
    )
