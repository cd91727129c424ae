"""Every way in which the credentials of a scene can die, and what is dead once that is answered."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import product
from urllib.parse import quote

from keyhouse.audit.events import OPERATOR
from keyhouse.errors import Failure
from keyhouse.revocation import Deed, deaths
from support.history import Death
from support.scenes import AUTH, KEY, KEY_RIGHT, OWN_SESSION, SESSION, SESSION_RIGHT, Scene, Stage
from support.wire import ask, request
from support.world import PASSWORD, SECRET

NEW_PASSWORD = "correct horse battery staple, and more"
_OF_KEY = frozenset({KEY, KEY_RIGHT})
_OF_SESSION = frozenset({SESSION, SESSION_RIGHT})
_RIGHTS = frozenset({KEY_RIGHT, SESSION_RIGHT})
_ALL = _OF_KEY | _OF_SESSION | {OWN_SESSION}

# What each cause kills.
CAUSES: Mapping[str, frozenset[str]] = {
    "DELETE": _OF_KEY,
    "repeated DELETE": _OF_KEY,
    "DELETE by itself": _OF_KEY,
    "RFC 7009, API key": _OF_KEY,
    "RFC 7009, access token": _OF_SESSION,
    "RFC 7009, refresh token": _OF_SESSION,
    "retirement": _OF_KEY,
    "logout": _OF_SESSION,
    "password": _OF_SESSION,
    "refresh reuse": _OF_SESSION,
    "user disabled": _ALL,
    "membership removed": _ALL,
    "role lowered": _RIGHTS,
}

# What an operator types, with the e-mail address, the company's and the key's id.
COMMANDS: Mapping[str, frozenset[str]] = {
    "keyhouse user disable {email}": _ALL,
    "keyhouse user set-password {email} --password-stdin": _OF_SESSION | {OWN_SESSION},
    "keyhouse member remove {email} --company {company_id}": _ALL,
    "keyhouse member set-role {email} --company {company_id} --role member": _RIGHTS,
    "keyhouse api-key revoke {key_id}": _OF_KEY,
}
ALONE = [(cause,) for cause in CAUSES]
# In both orders; a retirement happens once.
PAIRS = [pair for pair in product(CAUSES, repeat=2) if pair != ("retirement", "retirement")]

# A second use of a successor is no first one, and a second password is another one: they promise nothing.
_ONCE = frozenset({"DELETE", "retirement", "password"})
# Does something, and answers whether it was told that it is done.
Act = Callable[[], Awaitable[bool]]


async def strike(stage: Stage, scene: Scene, cause: str, on_answer: Callable[[frozenset[str]], None]) -> None:
    """Makes a death happen, and notes it; `on_answer` is told at once what is dead from now on."""
    subjects = CAUSES.get(cause) or COMMANDS[cause]

    async def carry_out(act: Act) -> None:
        began = time.monotonic()
        done = await act()
        answered = time.monotonic()
        scene.history.deaths.append(Death(cause, subjects, began, answered if done else None))
        if done:
            on_answer(subjects)

    await asyncio.gather(*(carry_out(act) for act in _acts(stage, scene, cause)))


def _acts(stage: Stage, scene: Scene, cause: str) -> list[Act]:
    """What is done at once for this cause. A revocation that is repeated must wait like the first."""
    if cause in COMMANDS:
        command = cause.format(email=scene.email, company_id=stage.company_id, key_id=scene.key_id)
        return [lambda: _type(stage, command.split()[1:])]
    deeds = {
        "user disabled": deaths.disabling(scene.user_id, OPERATOR),
        "membership removed": deaths.removal(stage.company_id, scene.user_id, OPERATOR),
        "role lowered": deaths.role(stage.company_id, scene.user_id, "member", OPERATOR),
    }
    if cause in deeds:
        return [lambda: _die(stage, deeds[cause])]
    data, good = _request(stage, scene, cause)
    later = [0.0] if cause in _ONCE else [0.0, 0.01]
    return [_asking(stage, data, good, seconds) for seconds in later]


def _request(stage: Stage, scene: Scene, cause: str) -> tuple[bytes, set[int]]:
    """The request, and the statuses that say it is done."""
    tokens = scene.tokens
    key = f"/api/v1/companies/{stage.company_id}/api-keys/{scene.key_id}/"
    passwords = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    made: dict[str, tuple[bytes, set[int]]] = {
        "DELETE": (request("DELETE", key, stage.boss), {204}),
        "repeated DELETE": (request("DELETE", key, stage.boss), {204}),
        # Who repeats it with what it killed is refused, and takes that for done.
        "DELETE by itself": (request("DELETE", key, tokens["key"]), {204, 401}),
        "RFC 7009, API key": (_revoke(tokens["key"]), {200}),
        "RFC 7009, access token": (_revoke(tokens["other"]), {200}),
        "RFC 7009, refresh token": (_revoke(tokens["refresh"]), {200}),
        "retirement": (request("GET", stage.verifying("datasets:read"), tokens.get("successor")), {204}),
        "logout": (request("POST", f"{AUTH}/logout/", tokens["other"]), {204, 401}),
        "password": (request("POST", f"{AUTH}/password/", tokens["own"], body=passwords), {204}),
        "refresh reuse": (
            request("POST", f"{AUTH}/token/refresh/", body={"refresh_token": tokens.get("used refresh")}),
            {401},
        ),
    }
    return made[cause]


def _revoke(token: str) -> bytes:
    return request("POST", f"{AUTH}/revoke/", form=b"token=" + quote(token).encode())


def _asking(stage: Stage, data: bytes, good: set[int], later: float) -> Act:
    """A request to one of the workers."""
    server = stage.chance.choice(stage.servers)

    async def act() -> bool:
        await asyncio.sleep(later)
        return (await ask(server.host, server.port, data)).status in good

    return act


async def _type(stage: Stage, arguments: Sequence[str]) -> bool:
    """A process of its own, as in an operator's shell."""
    settings = {"KEYHOUSE_DATABASE_URL": stage.database_url, "KEYHOUSE_SECRET_KEY": SECRET}
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from keyhouse.cli import main; main()",
        *arguments,
        env={**os.environ, **settings},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    await running.communicate(NEW_PASSWORD.encode())
    return running.returncode == 0


async def _die(stage: Stage, deed: Deed[None]) -> bool:
    """In this process, which is none of the workers."""
    try:
        await stage.revocation.die(deed)
    except Failure:
        return False
    return True
