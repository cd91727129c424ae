"""Many clients, several workers, every kind of death and every pair of them: nobody is let in after the answer.

Each run is recorded, and the checker is asked. It must find violations where the promise is taken out, or it would
prove nothing where it finds none.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import cycle

import pytest

from keyhouse.clock import SystemClock
from keyhouse.credentials import bound, pruning
from keyhouse.db import Database
from support.history import Findings, in_words
from support.nursery import Hasty
from support.servers import Server, Servers
from support.strikes import ALONE, CAUSES, COMMANDS, PAIRS
from support.traffic import played

# How many histories a test that must find a violation plays at most.
_HISTORIES = 6
_WORKERS = 2
# 404 is the answer where the user is no member any more.
_DECIDED = frozenset({200, 204, 401, 403, 404})


def _kept(
    findings: Findings,
    workers: Sequence[Server],
    causes: Collection[str] = CAUSES,
    least: int = 20,
    statuses: frozenset[int] = _DECIDED,
) -> None:
    assert not findings.late, in_words(findings.late)
    assert not findings.early, in_words(findings.early)
    assert findings.statuses.keys() <= statuses
    assert [complaint for worker in workers for complaint in worker.complaints()] == []
    # The check was one: each death was tried at each worker after its answer, again and again.
    assert findings.answered.keys() == set(causes)
    assert min(findings.tested[cause, worker] for cause in causes for worker in range(_WORKERS)) >= least


async def test_nobody_is_let_in_after_the_answer_to_any_death_or_pair_of_deaths(
    database_url: str, servers: Servers
) -> None:
    workers = servers.several(_WORKERS, database_url)
    _kept(await played(database_url, workers, ALONE + PAIRS), workers)


async def test_what_an_operator_types_is_true_when_the_command_has_ended(database_url: str, servers: Servers) -> None:
    workers = servers.several(_WORKERS, database_url, without=["notifications"])
    findings = await played(database_url, workers, [(command,) for command in COMMANDS])
    _kept(findings, workers, COMMANDS, least=2)


async def test_the_promise_rests_on_no_notification(postgresql_url: str, servers: Servers) -> None:
    """Half-open connections to every worker: the confirmations alone have to make it true."""
    workers = servers.several(_WORKERS, postgresql_url, without=["notifications"])
    _kept(await played(postgresql_url, workers, ALONE + PAIRS), workers)


@asynccontextmanager
async def _upkeep(database_url: str) -> AsyncIterator[list[int]]:
    """An operator who changes the bound and prunes the store all the time; answers the bounds that were set."""
    database = Database(database_url)
    done: list[int] = []

    async def keep_up() -> None:
        for ms in cycle((300, 20, 0, 200, 100)):
            await bound.change(database, SystemClock(), ms)
            await pruning.prune(database, age=0)
            done.append(ms)

    task = asyncio.create_task(keep_up())
    try:
        yield done
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await database.close()


async def test_it_is_kept_while_the_bound_is_changed_and_the_log_is_pruned(
    postgresql_url: str, servers: Servers
) -> None:
    workers = servers.several(_WORKERS, postgresql_url, without=["notifications"])
    async with _upkeep(postgresql_url) as done:
        findings = await played(postgresql_url, workers, ALONE * 6)
    assert len(done) > 5
    # With next to no bound each request asks, and has to be answered soon, or nobody decides.
    _kept(findings, workers, least=5, statuses=_DECIDED | {503})


async def test_the_same_history_without_the_promise_shows_violations(database_url: str, servers: Servers) -> None:
    """On PostgreSQL without the wait, on SQLite without a look at the file's counter for each request."""
    workers = servers.several(_WORKERS, database_url, without=["promise"])
    # Whether somebody asks in the moment between is chance: on a busy machine it takes more than one history.
    for _ in range(_HISTORIES):
        findings = await played(database_url, workers, ALONE * 3, revocation=Hasty)
        assert not findings.early, in_words(findings.early)
        if findings.late:
            return
    pytest.fail("no violation was found")


async def test_without_wait_and_notifications_every_cause_shows_violations(
    postgresql_url: str, servers: Servers
) -> None:
    """So each of them is something that the checker can see."""
    workers = servers.several(_WORKERS, postgresql_url, without=["promise", "notifications"])
    unseen = set(CAUSES)
    for _ in range(_HISTORIES):
        findings = await played(postgresql_url, workers, ALONE * 4, revocation=Hasty)
        unseen -= {cause for cause in CAUSES if any(f"after {cause} was" in line for line in findings.late)}
        if not unseen:
            return
    pytest.fail(f"no violation was found after {', '.join(sorted(unseen))}")
