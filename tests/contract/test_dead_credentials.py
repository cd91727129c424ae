"""Contract sections 2 and 6: a token whose credential is dead, of whatever death, is refused at the next request."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from keyhouse.audit.events import OPERATOR
from keyhouse.db.base import new_id
from keyhouse.directory import companies, users
from keyhouse.revocation import Deed, Revocation, deaths
from support.callers import access, access_claims, key
from support.envelope import INVALID_TOKEN, INVALID_TOKEN_CHALLENGE, NOT_FOUND, errors_of
from support.world import PASSWORD, Person, World, bearer

AUTH = "/api/v1/auth"


async def alive(world: World, who: dict[str, str]) -> None:
    for path in (f"{world.base}/datasets/", f"{AUTH}/me/", f"{AUTH}/verify/"):
        assert (await world.request("GET", path, who)).is_success


async def dead(world: World, who: dict[str, str]) -> None:
    for path in (f"{world.base}/datasets/", f"{AUTH}/me/", f"{AUTH}/verify/"):
        answer = await world.request("GET", path, who)
        assert (answer.status_code, answer.content) == (401, INVALID_TOKEN)
        assert answer.headers["www-authenticate"] == INVALID_TOKEN_CHALLENGE
        errors_of(answer)


async def carry_out(world: World, deed: Deed[None]) -> None:
    await Revocation(world.keyhouse.database, world.clock).die(deed)


async def somebody(world: World) -> Person:
    """A new admin of the company, who has not logged in."""
    return await world.new_person(f"{new_id()}@example.net", world.company, "admin", log_in=False)


async def identity(world: World, who: dict[str, str]) -> str:
    return str((await world.request("GET", f"{AUTH}/me/", who)).json()["credential"]["id"])


def text_of(who: dict[str, str]) -> str:
    return who["Authorization"].removeprefix("Bearer ")


async def by_an_admin(world: World, _: Person, who: dict[str, str]) -> None:
    path = f"{world.base}/api-keys/{await identity(world, who)}/"
    assert (await world.request("DELETE", path, await access(world, world.admin))).status_code == 204


async def by_itself(world: World, _: Person, who: dict[str, str]) -> None:
    path = f"{world.base}/api-keys/{await identity(world, who)}/"
    assert (await world.request("DELETE", path, who)).status_code == 204


async def by_whoever_holds_it(world: World, _: Person, who: dict[str, str]) -> None:
    answer = await world.request("POST", f"{AUTH}/revoke/", data={"token": text_of(who)})
    assert answer.status_code == 200


async def by_disabling_the_user(world: World, person: Person, _: dict[str, str]) -> None:
    await carry_out(world, deaths.disabling(person.user.id, OPERATOR))


async def by_removing_the_member(world: World, person: Person, _: dict[str, str]) -> None:
    await carry_out(world, deaths.removal(world.company.id, person.user.id, OPERATOR))


async def by_the_use_of_its_successor(world: World, _: Person, who: dict[str, str]) -> None:
    path = f"{world.base}/api-keys/{await identity(world, who)}/rotate/"
    made = await world.request("POST", path, who, json={"expires_in": 600, "overlap": 0})
    assert made.status_code == 201
    await alive(world, who)
    await alive(world, bearer(made.json()["token"]))


async def by_logging_out(world: World, _: Person, who: dict[str, str]) -> None:
    assert (await world.request("POST", f"{AUTH}/logout/", who)).status_code == 204


async def by_another_password(world: World, person: Person, _: dict[str, str]) -> None:
    elsewhere = await access(world, person)
    body = {"current_password": PASSWORD, "new_password": "quite another one of them"}
    assert (await world.request("POST", f"{AUTH}/password/", elsewhere, json=body)).status_code == 204
    await alive(world, elsewhere)


Deadly = Callable[[World, Person, dict[str, str]], Awaitable[None]]
OF_KEYS: list[Deadly] = [
    by_an_admin,
    by_itself,
    by_whoever_holds_it,
    by_disabling_the_user,
    by_removing_the_member,
    by_the_use_of_its_successor,
]
OF_SESSIONS: list[Deadly] = [by_logging_out, by_whoever_holds_it, by_disabling_the_user, by_another_password]


@pytest.mark.parametrize("death", OF_KEYS, ids=lambda death: death.__name__)
async def test_an_api_key_dies(shared: World, death: Deadly) -> None:
    person = await somebody(shared)
    who, other = await key(shared, person), await key(shared, shared.admin)
    await alive(shared, who)
    await death(shared, person, who)
    await dead(shared, who)
    await alive(shared, other)


@pytest.mark.parametrize("death", OF_SESSIONS, ids=lambda death: death.__name__)
async def test_a_session_dies(shared: World, death: Deadly) -> None:
    person = await somebody(shared)
    who, other = await access(shared, person), await access(shared, shared.admin)
    await alive(shared, who)
    await death(shared, person, who)
    await dead(shared, who)
    await alive(shared, other)


async def test_the_reuse_of_a_refresh_token_ends_its_session(shared: World) -> None:
    person = await somebody(shared)
    first = await shared.log_in(person)

    async def refresh(token: str) -> Any:
        return await shared.request("POST", f"{AUTH}/token/refresh/", json={"refresh_token": token})

    second = (await refresh(first["refresh_token"])).json()
    third = (await refresh(second["refresh_token"])).json()
    for tokens in (first, second, third):
        await alive(shared, bearer(tokens["access_token"]))
    answer = await refresh(first["refresh_token"])
    assert (answer.status_code, answer.content) == (401, INVALID_TOKEN)
    errors_of(answer)
    for tokens in (first, second, third):
        await dead(shared, bearer(tokens["access_token"]))
        assert (await refresh(tokens["refresh_token"])).content == INVALID_TOKEN


async def test_who_is_no_member_any_more_sees_no_company(shared: World) -> None:
    """The session lives, and the company does not exist for it."""
    person = await somebody(shared)
    who = await access(shared, person)
    await alive(shared, who)
    await by_removing_the_member(shared, person, who)
    answer = await shared.request("GET", f"{shared.base}/datasets/", who)
    assert (answer.status_code, answer.content) == (404, NOT_FOUND)
    assert (await shared.request("GET", f"{AUTH}/me/", who)).json()["companies"] == []


async def test_what_was_disabled_or_removed_lives_again_when_that_is_undone(shared: World) -> None:
    """Keys do; sessions have ended for good."""
    person = await somebody(shared)
    who, session = await key(shared, person), await access(shared, person)
    await by_disabling_the_user(shared, person, who)
    await by_removing_the_member(shared, person, who)
    await dead(shared, who)
    async with shared.keyhouse.database.writing() as tx:
        await users.enable(tx, person.user.id)
    await dead(shared, who)
    async with shared.keyhouse.database.writing() as tx:
        await companies.add_member(
            tx,
            company_id=shared.company.id,
            user_id=person.user.id,
            role="admin",
            at=await shared.keyhouse.database.now(tx),
        )
    await alive(shared, who)
    await dead(shared, session)


async def test_expiry_is_the_second_itself(world: World) -> None:
    made = bearer((await world.new_key(expires_in=3600))["token"])
    claims = await access_claims(world, world.admin.user)
    session = bearer(world.keyhouse.codec.encode(claims))
    # The clocks tell fractions: the last whole second before the end is safely within it.
    world.clock.advance(claims.exp - world.clock.wall() - 1)
    await alive(world, session)
    world.clock.advance(1.001)
    await dead(world, session)
    await alive(world, made)
    world.clock.advance(2700)
    await dead(world, made)


async def test_the_earlier_of_both_ends_counts(world: World) -> None:
    """A token that says it lives longer than what is stored, signed by our own key."""
    made = await world.new_key(expires_in=60)
    claims = world.keyhouse.codec.decode(made["token"])
    longer = bearer(world.keyhouse.codec.encode(replace(claims, exp=claims.exp + 86400)))
    shorter = bearer(world.keyhouse.codec.encode(replace(claims, exp=claims.exp - 30)))
    await alive(world, longer)
    await alive(world, shorter)
    world.clock.advance(31)
    await alive(world, longer)
    await dead(world, shorter)
    world.clock.advance(30)
    await dead(world, longer)


async def test_a_session_has_an_absolute_end(world: World) -> None:
    claims = await access_claims(world, world.admin.user)
    endless = bearer(world.keyhouse.codec.encode(replace(claims, exp=claims.exp + 10**8)))
    await alive(world, endless)
    world.clock.advance(86401)
    await dead(world, endless)
