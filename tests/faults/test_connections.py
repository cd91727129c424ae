"""The connections by which a worker follows PostgreSQL: killed, or half-open."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from support.history import in_words
from support.proxy import proxy_to
from support.scenes import KEY, SESSION, stage_of
from support.servers import Servers
from support.strikes import ALONE, strike
from support.traffic import played
from support.watch import watching
from support.wire import ask

_BOUND = 0.1
# A view takes half a second to give up a connection that says nothing.
_HITS = 3


@asynccontextmanager
async def _again_and_again(fault: Callable[[], Awaitable[int]], seconds: float) -> AsyncIterator[list[int]]:
    """A fault that strikes at regular times, and how many connections it hit at each."""
    hits: list[int] = []

    async def strike_on() -> None:
        while True:
            hits.append(await fault())
            await asyncio.sleep(seconds)

    task = asyncio.create_task(strike_on())
    try:
        yield hits
    finally:
        task.cancel()


async def test_backends_of_the_view_and_of_the_guard_that_are_terminated(postgresql_url: str, servers: Servers) -> None:
    workers = servers.several(2, postgresql_url)
    operator = await asyncpg.connect(postgresql_url)

    async def terminate() -> int:
        query = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name IN ('keyhouse view', 'keyhouse guard')"
        )
        return int(await operator.fetchval(query))

    async with _again_and_again(terminate, 0.05) as hits:
        while sum(hits) < 10 * _HITS:
            findings = await played(postgresql_url, workers, ALONE)
            assert not findings.late, in_words(findings.late)
            assert not findings.early, in_words(findings.early)
    await operator.close()


async def test_half_open_connections_of_the_view(postgresql_url: str, servers: Servers) -> None:
    async with proxy_to(postgresql_url) as proxy:
        workers = [servers.start(postgresql_url), servers.start(proxy.url)]
        for worker in workers:
            await asyncio.to_thread(worker.wait_until_ready)

        async def cut() -> int:
            return proxy.cut("keyhouse view")

        async with _again_and_again(cut, 0.3) as hits:
            while sum(hits) < _HITS:
                findings = await played(postgresql_url, workers, ALONE)
                assert not findings.late, in_words(findings.late)
                assert not findings.early, in_words(findings.early)


async def test_a_worker_whose_connections_are_half_open_refuses_and_recovers(
    postgresql_url: str, servers: Servers
) -> None:
    """Nothing arrives any more, in either direction, and nobody is told. New connections are as before."""
    async with proxy_to(postgresql_url) as proxy:
        awake, deaf = servers.start(postgresql_url), servers.start(proxy.url)
        for worker in (awake, deaf):
            await asyncio.to_thread(worker.wait_until_ready)
        async with stage_of(postgresql_url, [awake]) as stage:
            scene = await stage.scene("half-open", [])
            doomed, alive = scene.tries[KEY][0], scene.tries[SESSION][0]
            for data in (doomed, alive):
                assert (await ask(deaf.host, deaf.port, data)).status == 204
            async with watching(deaf, doomed, alive) as (of_doomed, of_alive):
                await asyncio.sleep(0.05)
                assert proxy.cut() >= 2
                cut = time.monotonic()
                await strike(stage, scene, "DELETE", lambda _: None)
                answered = time.monotonic()
                await asyncio.sleep(1.5)
        assert not [seen for seen in of_doomed.seen if seen.began > answered and seen.let_in]
        assert any(seen.answer.status == 401 for seen in of_doomed.seen)
        assert of_alive.first_let_in_after(cut + _BOUND) < 1
        assert of_alive.seen[-1].let_in
