"""Users, companies and memberships in the database: what each statement finds, changes and leaves alone."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.db import Database
from keyhouse.db.base import new_id
from keyhouse.directory import companies, users
from support.rooms import Rooms
from support.rows import touched


def _in(database: Database, work: Callable[[AsyncSession], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    async def act() -> object:
        async with database.writing() as tx:
            return await work(tx)

    return act


async def test_a_user_is_found_by_the_canonical_address_and_by_id(rooms: Rooms) -> None:
    async with rooms.database.reading() as tx:
        found = await users.by_email(tx, "admin@example.com")
        assert found is not None
        assert found.id == rooms.admin
        assert await users.by_email(tx, "ADMIN@example.com") is None
        assert await users.by_email(tx, "nobody@example.com") is None
        assert await users.by_id(tx, rooms.admin) is found
        assert await users.by_id(tx, new_id()) is None
        assert await users.locked(tx, new_id()) is None
        account = await users.account(tx, "admin@example.com")
        assert account == users.Account(found.id, found.password_hash, found.disabled_at)
        assert found.password_hash not in repr(account)
        assert await users.account(tx, "nobody@example.com") is None


async def test_an_address_belongs_to_one_user(rooms: Rooms) -> None:
    with pytest.raises(IntegrityError):
        await rooms.user("admin@example.com")


async def test_a_locked_user_is_the_present_one(rooms: Rooms) -> None:
    """Not the one that this transaction read before: somebody may have changed the password since."""
    async with rooms.database.reading() as tx:
        known = await users.by_id(tx, rooms.admin)
        assert known is not None
        former = known.password_hash
        if rooms.database.kind == "postgresql":
            await _in(rooms.database, lambda tx: users.set_password_hash(tx, rooms.admin, "new"))()
            former = "new"
        found = await users.locked(tx, rooms.admin)
        assert found is not None
        assert found.password_hash == former


async def test_every_change_of_a_user_touches_that_user_alone(rooms: Rooms) -> None:
    database, user = rooms.database, rooms.member

    def column(name: str) -> set[tuple[str, str, str]]:
        return {("users", user, name)}

    changes: list[tuple[Callable[[AsyncSession], Awaitable[object]], set[tuple[str, str, str]]]] = [
        (lambda tx: users.set_password_hash(tx, user, "new"), column("password_hash")),
        (lambda tx: users.set_password_hash(tx, user, "newer", former="other"), set()),
        (lambda tx: users.set_password_hash(tx, user, "newer", former="new"), column("password_hash")),
        (lambda tx: users.disable(tx, user, 100), column("disabled_at")),
        (lambda tx: users.disable(tx, user, 200), set()),
        (lambda tx: users.enable(tx, user), column("disabled_at")),
        (lambda tx: users.denied_lately(tx, user, 1000, pause=60), column("denied_at")),
        (lambda tx: users.denied_lately(tx, user, 1059, pause=60), set()),
        (lambda tx: users.denied_lately(tx, user, 1060, pause=60), column("denied_at")),
        (lambda tx: users.denied_lately(tx, new_id(), 2000, pause=60), set()),
    ]
    for work, places in changes:
        assert await touched(database, _in(database, work)) == places


async def test_a_disabled_user_stays_disabled_since_then(rooms: Rooms) -> None:
    for at in (100, 200):
        await _in(rooms.database, lambda tx, at=at: users.disable(tx, rooms.member, at))()
    async with rooms.database.reading() as tx:
        found = await users.by_id(tx, rooms.member)
    assert found is not None
    assert found.disabled_at == 100


async def test_a_refused_log_in_is_marked_once_a_minute(rooms: Rooms) -> None:
    async with rooms.database.writing() as tx:
        marks = [await users.denied_lately(tx, rooms.member, at, pause=60) for at in (100, 100, 159, 160, 161)]
        assert marks == [False, True, True, False, True]
        assert await users.denied_lately(tx, new_id(), 100, pause=60)


async def test_every_change_of_a_membership_touches_that_one_alone(rooms: Rooms) -> None:
    """The same user in another company, and another user in the same one, are what a wrong WHERE would hit."""
    database = rooms.database
    async with database.writing() as tx:
        await companies.add_member(tx, company_id=rooms.other, user_id=rooms.member, role="member", at=1)
    place = ("memberships", f"{rooms.member}/{rooms.company}")

    async def change(role: str) -> None:
        async with database.writing() as tx:
            assert await companies.set_role(tx, company_id=rooms.company, user_id=rooms.member, role=role)

    async def remove() -> None:
        async with database.writing() as tx:
            assert await companies.remove_member(tx, company_id=rooms.company, user_id=rooms.member)

    async def nobody() -> None:
        async with database.writing() as tx:
            for company, user in ((rooms.other, rooms.admin), (new_id(), rooms.member), (rooms.company, rooms.member)):
                assert not await companies.set_role(tx, company_id=company, user_id=user, role="admin")
                assert not await companies.remove_member(tx, company_id=company, user_id=user)

    assert await touched(database, lambda: change("admin")) == {(*place, "role")}
    assert await touched(database, remove) == {(*place, "-")}
    assert await touched(database, nobody) == set()


async def test_a_role_is_one_of_two(rooms: Rooms) -> None:
    with pytest.raises(IntegrityError):
        await rooms.user("owner@example.com", rooms.company, "owner")


async def test_a_user_is_a_member_once(rooms: Rooms) -> None:
    with pytest.raises(IntegrityError):
        await _in(
            rooms.database,
            lambda tx: companies.add_member(tx, company_id=rooms.company, user_id=rooms.admin, role="member", at=1),
        )()


async def test_a_user_sees_their_own_companies_newest_first(rooms: Rooms) -> None:
    async with rooms.database.writing() as tx:
        await companies.add_member(tx, company_id=rooms.other, user_id=rooms.admin, role="member", at=1)

    async def seen(user: str, company_id: str | None = None, limit: int = 9, before: str | None = None) -> list[str]:
        async with rooms.database.reading() as tx:
            found = await companies.list_visible(tx, user, company_id=company_id, limit=limit, before=before)
        return [company.id for company in found]

    assert await seen(rooms.admin) == [rooms.other, rooms.company]
    assert await seen(rooms.admin, limit=1) == [rooms.other]
    assert await seen(rooms.admin, before=rooms.other) == [rooms.company]
    assert await seen(rooms.admin, company_id=rooms.company) == [rooms.company]
    assert await seen(rooms.member) == [rooms.company]
    assert await seen(rooms.member, company_id=rooms.other) == []
    assert await seen(new_id()) == []


async def test_roles_are_those_of_the_company(rooms: Rooms) -> None:
    async with rooms.database.writing() as tx:
        await companies.add_member(tx, company_id=rooms.other, user_id=rooms.admin, role="member", at=1)
    async with rooms.database.reading() as tx:
        assert await companies.role(tx, rooms.company, rooms.admin) == "admin"
        assert await companies.role(tx, rooms.other, rooms.admin) == "member"
        assert await companies.role(tx, rooms.other, rooms.member) is None
        theirs = [(company.name, role) for company, role in await companies.memberships(tx, rooms.admin)]
        assert theirs == [("Acme", "admin"), ("Other", "member")]
        assert set(await companies.company_ids(tx, rooms.admin)) == {rooms.company, rooms.other}
        found = await companies.get(tx, rooms.company)
        assert found is not None
        assert found.name == "Acme"
        assert await companies.get(tx, new_id()) is None
