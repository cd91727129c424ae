"""Every pair of causes of death: what one of them killed, the other does not bring back, nor what undoes the other."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import pytest

from keyhouse.credentials.sessions import REFRESH_PREFIX
from keyhouse.directory import users
from keyhouse.errors import Failure
from keyhouse.issuance.api_keys import Minted
from keyhouse.issuance.sessions import TokenPair
from keyhouse.revocation import Deed, deaths
from support.rooms import ORIGIN, Rooms

_NUMBERS = count()


@dataclass
class Victim:
    """An admin with a key, which has an unused successor, and a session; and which causes hold at the moment."""

    rooms: Rooms
    user: str
    key: Minted
    successor: Minted
    pair: TokenPair
    holding: set[str] = field(default_factory=set)
    was_disabled: bool = False

    @property
    def company(self) -> str:
        return self.rooms.company

    @property
    def session(self) -> str:
        return self.rooms.codec.decode(self.pair.access_token).credential_id

    def expected(self) -> set[str]:
        """What must be alive. A session that was ended stays so, whatever becomes of its user."""
        key = not self.holding & {"revoke", "hand in", "retire", "disable", "remove"}
        session = not self.holding & {"log out", "password", "reuse"} and not self.was_disabled
        return {
            *(["key"] if key else []),
            *(["key's right"] if key and "role" not in self.holding else []),
            *(["session"] if session else []),
            *(["session in the company"] if session and "remove" not in self.holding else []),
        }

    async def living(self) -> set[str]:
        rooms, access = self.rooms, self.pair.access_token
        found = set[str]()
        for name, token, company, scopes in (
            ("key", self.key.token, self.company, ()),
            ("key's right", self.key.token, self.company, ("audit:read",)),
            ("session", access, None, ()),
            ("session in the company", access, self.company, ()),
        ):
            with suppress(Failure):
                await rooms.admit(token, company, *scopes)
                found.add(name)
        return found

    async def refresh_works(self) -> bool:
        try:
            await self.rooms.sessions.refresh(self.pair.refresh_token, ORIGIN)
        except Failure:
            return False
        return True


async def _victim(rooms: Rooms) -> Victim:
    user = await rooms.user(f"victim-{next(_NUMBERS)}@example.com", rooms.company, "admin")
    key = await rooms.key(user, scopes=["datasets:read", "audit:read"])
    return Victim(rooms, user, key, await rooms.rotate(key, overlap=0), await rooms.session(user))


def _die(deed: Callable[[Victim], Deed[None]]) -> Callable[[Victim], Awaitable[None]]:
    async def act(victim: Victim) -> None:
        await victim.rooms.revocation.die(deed(victim))

    return act


async def _reuse(victim: Victim) -> None:
    """Three times is once too often."""
    assert victim.pair.refresh_token.startswith(REFRESH_PREFIX)
    for _ in range(3):
        with suppress(Failure):
            await victim.rooms.sessions.refresh(victim.pair.refresh_token, ORIGIN)


async def _disable(victim: Victim) -> None:
    await victim.rooms.revocation.die(deaths.disabling(victim.user, ORIGIN))
    victim.was_disabled = True


CAUSES: dict[str, Callable[[Victim], Awaitable[None]]] = {
    "revoke": _die(lambda v: deaths.api_key(v.company, v.key.record.key.id, ORIGIN)),
    "hand in": _die(lambda v: deaths.held_api_key(v.key.record.key.id, ORIGIN)),
    "retire": _die(lambda v: deaths.retirement(v.successor.record.key.id, ORIGIN)),
    "log out": _die(lambda v: deaths.session(v.session, ORIGIN)),
    "password": _die(lambda v: deaths.password(v.user, "new", ORIGIN, keep_session=None)),
    "reuse": _reuse,
    "disable": _disable,
    "remove": _die(lambda v: deaths.removal(v.company, v.user, ORIGIN)),
    "role": _die(lambda v: deaths.role(v.company, v.user, "member", ORIGIN)),
}


async def _enable(victim: Victim) -> None:
    async with victim.rooms.database.writing() as tx:
        await users.enable(tx, victim.user)


async def _add_again(victim: Victim) -> None:
    role = "member" if "role" in victim.holding else "admin"
    await victim.rooms.revocation.die(deaths.addition(victim.company, victim.user, role, ORIGIN))


async def _raise_again(victim: Victim) -> None:
    with suppress(Failure):
        await victim.rooms.revocation.die(deaths.role(victim.company, victim.user, "admin", ORIGIN))


UNDOING: dict[str, Callable[[Victim], Awaitable[None]]] = {
    "disable": _enable,
    "remove": _add_again,
    "role": _raise_again,
}


async def _apply(victim: Victim, cause: str) -> None:
    if cause in {"role", "remove"} and "remove" in victim.holding:
        # Who is no member has no role, and can't be removed once more.
        with pytest.raises(Failure):
            await CAUSES[cause](victim)
        return
    await CAUSES[cause](victim)
    victim.holding.add(cause)


async def _undo(victim: Victim, cause: str) -> None:
    await UNDOING[cause](victim)
    victim.holding.discard(cause)


@pytest.mark.parametrize("first", CAUSES)
async def test_what_is_dead_stays_dead(rooms: Rooms, first: str) -> None:
    for second in CAUSES:
        for order in ([first, second], [second, first]):
            victim = await _victim(rooms)
            assert await victim.living() == {"key", "key's right", "session", "session in the company"}
            for cause in (first, second):
                await _apply(victim, cause)
                assert await victim.living() == victim.expected(), (first, second, cause)
            for cause in dict.fromkeys(order):
                if cause in UNDOING and cause in victim.holding:
                    await _undo(victim, cause)
                    assert await victim.living() == victim.expected(), (first, second, "undo", cause)
            if "session" not in victim.expected():
                assert not await victim.refresh_works()
