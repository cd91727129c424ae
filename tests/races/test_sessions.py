"""Log-ins and refreshes that are overtaken: of two at once, the second sees what the first did."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from keyhouse.audit.events import OPERATOR
from keyhouse.credentials import sessions
from keyhouse.directory.passwords import PasswordHashing
from keyhouse.revocation import deaths
from support import elsewhere
from support.world import _HASH, PASSWORD, World, bearer

# Longer than anything that nobody holds up.
_HELD_UP = 0.5
_OTHER_HASH = _HASH[:-4] + "aaaa"


def _after_verifying(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Awaitable[None]]) -> None:
    """Lets something happen when a log-in has verified a password and has not opened its session yet."""
    real = PasswordHashing.verify

    async def verify(self: PasswordHashing, password: str, stored: str | None) -> Any:
        verified = await real(self, password, stored)
        await happens()
        return verified

    monkeypatch.setattr(PasswordHashing, "verify", verify)


async def _log_in(world: World) -> Any:
    body = {"email": world.member.user.email, "password": PASSWORD}
    return await world.request("POST", "/api/v1/auth/token/", json=body)


async def _me(world: World, token: str) -> int:
    return (await world.request("GET", "/api/v1/auth/me/", bearer(token))).status_code


async def test_a_log_in_that_was_overtaken_by_another_password_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def changed() -> None:
        await elsewhere.die(world, deaths.password(world.member.user.id, _OTHER_HASH, OPERATOR, keep_session=None))

    _after_verifying(monkeypatch, changed)
    assert (await _log_in(world)).status_code == 401


async def test_a_log_in_that_was_overtaken_by_a_disabling_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session would live when the user is enabled again."""

    async def disabled() -> None:
        await elsewhere.die(world, deaths.disabling(world.member.user.id, OPERATOR))

    _after_verifying(monkeypatch, disabled)
    assert (await _log_in(world)).status_code == 401


async def test_another_password_waits_for_a_log_in_and_ends_its_session(
    postgresql_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = postgresql_world
    changing: list[asyncio.Task[None]] = []
    real = sessions.open_session

    async def late(*arguments: Any, **values: Any) -> Any:
        deed = deaths.password(world.member.user.id, _OTHER_HASH, OPERATOR, keep_session=None)
        changing.append(asyncio.create_task(elsewhere.die(world, deed)))
        await asyncio.wait(changing, timeout=_HELD_UP)
        return await real(*arguments, **values)

    monkeypatch.setattr(sessions, "open_session", late)
    answer = await _log_in(world)
    await changing[0]
    assert answer.status_code == 200
    assert await _me(world, answer.json()["access_token"]) == 401


async def test_of_two_repeated_refreshes_at_once_one_wins(
    postgresql_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost answer may be asked for once more: who asks a third time may be a thief, and ends the session."""
    world = postgresql_world
    token = world.member.tokens["refresh_token"]

    async def refresh() -> int:
        answer = await world.request("POST", "/api/v1/auth/token/refresh/", json={"refresh_token": token})
        return answer.status_code

    assert await refresh() == 200
    others: list[asyncio.Task[int]] = []
    real = sessions.exchange

    async def late(*arguments: Any) -> None:
        monkeypatch.setattr(sessions, "exchange", real)
        others.append(asyncio.create_task(refresh()))
        await asyncio.wait(others, timeout=_HELD_UP)
        await real(*arguments)

    monkeypatch.setattr(sessions, "exchange", late)
    assert [await refresh(), await others[0]] == [200, 401]
    assert await _me(world, world.member.tokens["access_token"]) == 401
