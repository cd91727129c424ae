"""The change log: numbered without a gap in commit order, read in one snapshot."""

import asyncio

import pytest
from sqlalchemy import delete, select, update

from keyhouse.credentials import changes
from keyhouse.credentials.changes import Death
from keyhouse.credentials.models import Change, ChangeHead
from keyhouse.db import Database
from keyhouse.db.base import new_id
from keyhouse.errors import Failure


async def _record(database: Database, *subjects: str, hold: float = 0.0) -> float:
    async with database.writing() as tx:
        bound = await changes.record(tx, [Death("api_key", subject) for subject in subjects], 7)
        await asyncio.sleep(hold)
    return bound


async def _ask(database: Database, applied: int) -> tuple[changes.Head, list[Death]]:
    async with database.reading() as tx:
        rows = (await tx.execute(changes.confirmation(database.kind), {"applied": applied})).all()
    return changes.read(rows)


async def test_entries_are_read_in_order_after_the_number_applied(database: Database) -> None:
    await _record(database, "a", "b")
    await _record(database, "c")
    head, deaths = await _ask(database, 0)
    assert (head.seq, head.pruned_seq, head.in_recovery) == (3, 0, False)
    assert [death.subject for death in deaths] == ["a", "b", "c"]
    assert [death.subject for death in (await _ask(database, 2))[1]] == ["c"]
    head, deaths = await _ask(database, 3)
    assert (head.seq, deaths) == (3, [])
    assert (await _ask(database, 1 << 62))[1] == []


async def test_every_kind_of_death_reads_back(database: Database) -> None:
    deaths = [Death("api_key", new_id()), Death("session", new_id()), Death("user", new_id())]
    async with database.writing() as tx:
        await changes.record(tx, deaths, 7)
    assert (await _ask(database, 0))[1] == deaths
    async with database.reading() as tx:
        assert (await tx.scalars(select(Change.at))).all() == [7, 7, 7]


async def test_the_database_tells_its_time_with_the_head(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    async with database.reading() as tx:
        now = await database.now(tx)
    head, _ = await _ask(database, 0)
    assert now <= head.database_time <= now + 10
    await database.close()


@pytest.mark.parametrize(
    ("ms", "former", "seconds"), [(100, None, 0.1), (0, None, 0.0), (100, 3000, 3.0), (9, 5, 0.009)]
)
async def test_who_revokes_learns_the_longest_bound_that_a_worker_may_go_by(
    database: Database, ms: int, former: int | None, seconds: float
) -> None:
    async with database.writing() as tx:
        await tx.execute(update(ChangeHead).values(bound_ms=ms, former_bound_ms=former))
    async with database.reading() as tx:
        assert await changes.bound(tx) == seconds
    assert await _record(database, "a") == seconds
    assert (await _ask(database, 0))[0].bound == ms / 1000


async def test_a_database_that_was_never_migrated_confirms_nothing(database: Database) -> None:
    async with database.writing() as tx:
        await tx.execute(delete(ChangeHead))
    with pytest.raises(Failure) as caught:
        await _ask(database, 0)
    assert (caught.value.status, caught.value.cause) == (503, "change_head is empty: run `keyhouse migrate`")


async def test_the_head_is_one_row(database: Database) -> None:
    with pytest.raises(Exception, match="ck_change_head_one_row"):
        await _insert_second_head(database)


async def _insert_second_head(database: Database) -> None:
    async with database.writing() as tx:
        tx.add(ChangeHead(id=2, seq=0, pruned_seq=0, bound_ms=1000))


async def test_many_writers_leave_no_gap(database: Database) -> None:
    """Also where some of them give up: a number is taken by a commit, not by a try."""

    async def write(number: int) -> None:
        async with database.writing() as tx:
            await changes.record(tx, [Death("api_key", str(number))] * (1 + number % 3), 7)
            if number % 5 == 0:
                raise LookupError

    outcomes = await asyncio.gather(*(write(number) for number in range(40)), return_exceptions=True)
    assert sum(isinstance(outcome, LookupError) for outcome in outcomes) == 8
    async with database.reading() as tx:
        numbers = (await tx.scalars(select(Change.seq).order_by(Change.seq))).all()
        head = await tx.scalar(select(ChangeHead.seq))
    assert numbers == list(range(1, len(numbers) + 1))
    assert head == len(numbers) == sum(1 + n % 3 for n in range(40) if n % 5)


async def test_a_reader_never_passes_over_a_writer_who_commits_late(database: Database) -> None:
    """With a plain sequence, who reads while a lower number is still open never sees it."""
    total, applied, seen = 30, 0, list[str]()

    async def write(number: int) -> None:
        await asyncio.sleep(number % 7 * 0.002)
        await _record(database, str(number), hold=(number * 13 % 5) * 0.002)

    writers = asyncio.gather(*(write(number) for number in range(total)))
    while len(seen) < total:
        finished = writers.done()
        head, deaths = await _ask(database, applied)
        assert head.seq - applied == len(deaths)
        seen += [death.subject for death in deaths]
        applied = head.seq
        assert not (finished and len(seen) < total)
    await writers
    assert sorted(seen, key=int) == [str(number) for number in range(total)]
