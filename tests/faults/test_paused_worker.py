"""A worker that stands still: its clock goes on, and what it held is worth nothing when it comes back."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.history import in_words
from support.scenes import KEY, KEY_RIGHT, stage_of
from support.servers import Server, Servers
from support.strikes import ALONE, strike
from support.traffic import played
from support.wire import ask

_BOUND = 0.1


@asynccontextmanager
async def _stumbling(worker: Server) -> AsyncIterator[None]:
    """Stopped and continued over and over, for less and for more than the bound."""
    chance = random.Random(3)  # noqa: S311 - no secret

    async def stumble() -> None:
        while True:
            worker.pause()
            await asyncio.sleep(chance.uniform(0, 3 * _BOUND))
            worker.resume()
            await asyncio.sleep(chance.uniform(0, _BOUND))

    task = asyncio.create_task(stumble())
    try:
        yield
    finally:
        task.cancel()
        worker.resume()


async def test_the_first_answers_of_a_worker_that_was_stopped_let_nobody_in(
    database_url: str, servers: Servers
) -> None:
    """It held the key when it was stopped, the key died meanwhile, and its requests waited for the worker."""
    awake, asleep = servers.several(2, database_url)
    async with stage_of(database_url, [awake]) as stage:
        for _ in range(5):
            scene = await stage.scene("stopped", [])
            tries = [scene.tries[KEY][0], scene.tries[KEY_RIGHT][0]]
            for data in tries * 2:
                assert (await ask(asleep.host, asleep.port, data)).status == 204
            asleep.pause()
            await strike(stage, scene, "DELETE", lambda _: None)
            waiting = [asyncio.create_task(ask(asleep.host, asleep.port, data)) for data in tries * 5]
            await asyncio.sleep(_BOUND)
            assert not any(task.done() for task in waiting)
            asleep.resume()
            assert {(await task).status for task in waiting} == {401}


async def test_a_worker_that_is_stopped_again_and_again_keeps_the_promise(database_url: str, servers: Servers) -> None:
    workers = servers.several(2, database_url)
    async with _stumbling(workers[1]):
        findings = await played(database_url, workers, ALONE)
    assert not findings.late, in_words(findings.late)
    assert not findings.early, in_words(findings.early)
    assert findings.tested.keys() >= {("DELETE", 1), ("user disabled", 1), ("logout", 1)}
