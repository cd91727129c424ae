"""API keys in the database: what each statement finds, what it changes, and that it touches no other row."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.credentials import store
from keyhouse.credentials.models import ApiKey
from keyhouse.credentials.store import KeyRecord, Status
from keyhouse.db.base import new_id
from support.rooms import Rooms
from support.rows import touched

Work = Callable[[AsyncSession], Awaitable[Any]]


async def _do(rooms: Rooms, work: Work) -> Any:
    async with rooms.database.writing() as tx:
        return await work(tx)


async def _set(rooms: Rooms, key_id: str, **values: Any) -> None:
    await _do(rooms, lambda tx: tx.execute(update(ApiKey).where(ApiKey.id == key_id).values(**values)))


async def _neighbours(rooms: Rooms) -> str:
    """A key of the member, with every kind of neighbour that a wrong WHERE would hit. Answers its id."""
    key = await rooms.key(rooms.member, role="member")
    await rooms.key(rooms.member, role="member")
    await rooms.key(rooms.admin)
    await rooms.key(rooms.stranger, rooms.other)
    successor = await rooms.rotate(key)
    await rooms.rotate(successor)
    return key.record.key.id


async def test_every_update_touches_its_key_alone(rooms: Rooms) -> None:
    key = await _neighbours(rooms)
    now = await rooms.now()
    plain = (await rooms.key(rooms.member, role="member")).record.key.id
    mine, others = {"created_by": rooms.member}, {"created_by": rooms.admin}
    steps: list[tuple[Work, bool, set[str]]] = [
        (lambda tx: store.rename(tx, rooms.company, key, "new", created_by=None), True, {"name"}),
        (lambda tx: store.rename(tx, rooms.company, key, "mine", **mine), True, {"name"}),
        (lambda tx: store.rename(tx, rooms.company, key, "theirs", **others), False, set()),
        (lambda tx: store.rename(tx, rooms.other, key, "elsewhere", created_by=None), False, set()),
        (lambda tx: store.begin_rotation(tx, rooms.other, plain, overlap=60, now=now), False, set()),
        (lambda tx: store.begin_rotation(tx, rooms.company, key, overlap=60, now=now), False, set()),
        (lambda tx: store.retire(tx, key, now + 60), True, {"retires_at"}),
        (lambda tx: store.retire(tx, key, now + 90), False, set()),
        (lambda tx: store.revoke(tx, key, now), True, {"revoked_at"}),
        (lambda tx: store.revoke(tx, key, now + 1), False, set()),
        (lambda tx: store.denied_lately(tx, key, now, pause=60), False, {"denied_at"}),
        (lambda tx: store.denied_lately(tx, key, now + 59, pause=60), True, set()),
        (lambda tx: store.denied_lately(tx, key, now + 60, pause=60), False, {"denied_at"}),
    ]
    answer: Any = None

    for work, expected, columns in steps:

        async def act(work: Work = work) -> None:
            nonlocal answer
            answer = await _do(rooms, work)

        assert await touched(rooms.database, act) == {("api_keys", key, column) for column in columns}
        assert answer is expected

    async def rotate() -> None:
        assert await _do(rooms, lambda tx: store.begin_rotation(tx, rooms.company, plain, overlap=60, now=now))

    assert await touched(rooms.database, rotate) == {("api_keys", plain, "overlap")}


async def test_a_last_use_touches_one_column_of_one_row(rooms: Rooms) -> None:
    key = await _neighbours(rooms)
    for at, columns in ((100, {"last_used_at"}), (100, set()), (99, set()), (101, {"last_used_at"})):
        places = await touched(rooms.database, lambda at=at: _do(rooms, lambda tx: store.used(tx, {key: at})))
        assert places == {("api_keys", key, column) for column in columns}


async def test_a_first_use_is_one_and_only_of_a_successor(rooms: Rooms) -> None:
    key = await rooms.key()
    successor = (await rooms.rotate(key)).record.key.id
    key_id = key.record.key.id

    async def use(used: str) -> Any:
        return await _do(rooms, lambda tx: store.first_use(tx, used, 100))

    assert await touched(rooms.database, lambda: use(key_id)) == set()
    assert await touched(rooms.database, lambda: use(new_id())) == set()
    assert await touched(rooms.database, lambda: use(successor)) == {("api_keys", successor, "used_at")}
    assert await touched(rooms.database, lambda: use(successor)) == set()


async def test_neighbours_in_a_rotation_are_found(rooms: Rooms) -> None:
    key = await rooms.key()
    by_user = await rooms.rotate(key)
    by_key = await rooms.rotate(by_user, by_itself=True)
    ids = [minted.record.key.id for minted in (key, by_user, by_key)]
    async with rooms.database.reading() as tx:
        assert [await store.made_by_key_of(tx, item) for item in ids] == [None, ids[2], None]
        former = [await store.predecessor(tx, item) for item in ids]
        assert [None if item is None else item.id for item in former] == [None, ids[0], ids[1]]
        records = [await store.get(tx, rooms.company, item) for item in ids]
    assert [record and record.replaced_by for record in records] == [ids[1], ids[2], None]
    assert [record and record.key.replaces for record in records] == [None, ids[0], ids[1]]


async def test_a_key_has_one_successor(rooms: Rooms) -> None:
    key = await rooms.key()
    await rooms.rotate(key)
    other = (await rooms.key()).record.key.id
    with pytest.raises(IntegrityError):
        await _set(rooms, other, replaces=key.record.key.id)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"revoked_at": 1}, "revoked"),
        ({"expires_at": 0}, "expired"),
        ({"retires_at": 0}, "retired"),
        ({"overlap": 5}, "rotated"),
    ],
)
async def test_a_rotation_begins_only_with_an_active_key_that_was_not_rotated(
    rooms: Rooms, values: dict[str, int], reason: str
) -> None:
    key = (await rooms.key()).record.key
    await _set(rooms, key.id, **values)
    begun = await _do(rooms, lambda tx: store.begin_rotation(tx, rooms.company, key.id, overlap=60, now=key.created_at))
    assert not begun, reason


async def test_a_key_that_is_revoked_is_not_retired(rooms: Rooms) -> None:
    key = (await rooms.key()).record.key.id
    await _do(rooms, lambda tx: store.revoke(tx, key, 1))
    assert not await _do(rooms, lambda tx: store.retire(tx, key, 2))


async def test_a_key_is_found_in_its_company_and_by_its_creator(rooms: Rooms) -> None:
    key = (await rooms.key(rooms.member, role="member")).record.key.id
    async with rooms.database.reading() as tx:
        record = await store.get(tx, rooms.company, key)
        assert record is not None
        assert (record.key.id, record.creator_email, record.replaced_by) == (key, "member@example.com", None)
        assert await store.get(tx, rooms.company, key, created_by=rooms.member) is not None
        assert await store.get(tx, rooms.company, key, created_by=rooms.admin) is None
        assert await store.get(tx, rooms.other, key) is None
        assert await store.get(tx, rooms.company, new_id()) is None


@pytest.mark.parametrize(
    ("values", "now", "status"),
    [
        ({}, 0, Status.ACTIVE),
        ({}, 3599, Status.ACTIVE),
        ({}, 3600, Status.EXPIRED),
        ({"retires": 100}, 99, Status.ACTIVE),
        ({"retires": 100}, 100, Status.EXPIRED),
        ({"retires": 9999}, 3599, Status.ACTIVE),
        ({"retires": 9999}, 3600, Status.EXPIRED),
        ({"revoked": 1}, 0, Status.REVOKED),
        ({"revoked": 1, "retires": 5}, 10, Status.REVOKED),
        ({"revoked": 1}, 9999, Status.REVOKED),
    ],
)
async def test_status_is_the_same_in_a_record_and_in_a_filter(
    rooms: Rooms, values: dict[str, int], now: int, status: Status
) -> None:
    """Two places that say how a key stands: one in Python, one in SQL. `values` and `now` count from its creation."""
    key = (await rooms.key()).record.key
    begin = key.created_at
    columns = {"retires": "retires_at", "revoked": "revoked_at"}
    if values:
        await _set(rooms, key.id, **{columns[name]: begin + value for name, value in values.items()})
    found: dict[Status, list[KeyRecord]] = {}
    async with rooms.database.reading() as tx:
        for asked in Status:
            found[asked] = list(
                await store.list_keys(
                    tx, rooms.company, created_by=None, statuses=[asked], now=begin + now, limit=9, before=None
                )
            )
    assert [asked for asked in Status if found[asked]] == [status]
    assert found[status][0].status(begin + now) is status


async def test_keys_are_listed_newest_first_a_page_at_a_time(rooms: Rooms) -> None:
    made = [(await rooms.key(user, role="member")).record.key.id for user in (rooms.admin, rooms.member) * 3]
    await rooms.key(rooms.stranger, rooms.other)
    now = await rooms.now()

    async def listed(**more: Any) -> list[str]:
        values = {"created_by": None, "statuses": [Status.ACTIVE], "now": now, "limit": 9, "before": None, **more}
        async with rooms.database.reading() as tx:
            return [record.key.id for record in await store.list_keys(tx, rooms.company, **values)]

    assert await listed() == made[::-1]
    assert await listed(limit=4) == made[:1:-1]
    assert await listed(before=made[2]) == [made[1], made[0]]
    assert await listed(created_by=rooms.member) == made[::-2]
    assert await listed(statuses=[Status.EXPIRED, Status.REVOKED]) == []
    await _do(rooms, lambda tx: store.revoke(tx, made[0], now))
    assert await listed(statuses=list(Status)) == made[::-1]
