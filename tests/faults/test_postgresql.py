"""PostgreSQL killed, stopped and paused, under load: refused within a quarter of a second, and back within a second."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from support.history import in_words
from support.postgres import Postgres
from support.scenes import KEY, SESSION, Stage, stage_of
from support.servers import Server, Servers
from support.strikes import strike
from support.traffic import traffic_to
from support.watch import Seen, watching
from support.wire import ask, request

_BOUND = 0.1
_ENVELOPE = (
    b'{"type":"server_error","errors":[{"code":"service_unavailable",'
    b'"detail":"Service temporarily unavailable, try again later.","attr":null,"extra":null}]}'
)


def _signal(processes: list[int], number: signal.Signals) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _kill(postgres: Postgres) -> None:
    """The server and all of its processes, as when the machine goes down."""
    # It must not make another one meanwhile.
    os.kill(postgres.pid(), signal.SIGSTOP)
    processes = postgres.processes()
    _signal(processes, signal.SIGKILL)
    while any(_is_alive(pid) for pid in processes):
        time.sleep(0.005)
    # A container may have nobody who takes leave of orphans, and their ids stay taken.
    (postgres.data / "postmaster.pid").unlink()


def _is_alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def _stop(postgres: Postgres) -> None:
    postgres.stop("immediate")


def _pause(postgres: Postgres) -> None:
    """Connections stay, and are taken, and nothing is answered."""
    _signal(postgres.processes(), signal.SIGSTOP)


def _go_on(postgres: Postgres) -> None:
    _signal(postgres.processes(), signal.SIGCONT)


@pytest.mark.parametrize(
    ("outage", "seconds", "recovery"),
    [
        pytest.param(_kill, 0.5, Postgres.start, id="killed"),
        pytest.param(_stop, 10.0, Postgres.start, id="stopped"),
        pytest.param(_pause, 3.0, _go_on, id="paused"),
    ],
)
async def test_an_outage(
    mortal_postgres: Postgres,
    servers: Servers,
    outage: Callable[[Postgres], None],
    seconds: float,
    recovery: Callable[[Postgres], None],
) -> None:
    url = mortal_postgres.url()
    workers = servers.several(2, url)
    async with stage_of(url, workers) as stage, traffic_to(workers, 2) as traffic:
        dead, alive = await stage.scene("dead", []), await stage.scene("alive", [])
        traffic.enter(alive)
        await traffic.every_subject_tried(alive, 2)
        await strike(stage, dead, "DELETE", lambda _: None)
        asked = (dead.tries[KEY][0], alive.tries[SESSION][0])
        async with watching(workers[0], *asked) as first, watching(workers[1], *asked) as second:
            await asyncio.sleep(2 * _BOUND)
            await asyncio.to_thread(outage, mortal_postgres)
            away = time.monotonic()
            await asyncio.sleep(seconds / 2)
            if outage is not _pause:
                await _cannot_be_revoked(stage, workers)
            await asyncio.sleep(max(0.0, away + seconds - time.monotonic()))
            begun = time.monotonic()
            await asyncio.to_thread(recovery, mortal_postgres)
            back = time.monotonic()
            await asyncio.sleep(1.5)
            # The promise is kept again, too.
            await strike(stage, alive, "DELETE", lambda _: None)
            await traffic.every_subject_tried(alive, 2)
        traffic.leave(alive)
    assert alive.history.deaths[0].answered is not None
    assert not alive.history.late(), in_words([str(violation) for violation in alive.history.late()])
    assert not alive.history.early(), in_words([str(violation) for violation in alive.history.early()])
    for of_dead, of_alive in (first, second):
        assert not any(seen.let_in for seen in of_dead.seen)
        _refused_at_once(of_dead.between(away + _BOUND, begun))
        _refused_at_once(of_alive.between(away + _BOUND, begun))
        assert of_alive.first_let_in_after(back) < 1
        assert of_alive.seen[-1].let_in
    assert [complaint for worker in workers for complaint in worker.complaints()] == []


def _refused_at_once(seen: list[Seen]) -> None:
    """503 in the envelope, within 250 ms; the machine of a test may stumble now and then."""
    assert len(seen) >= 2
    assert {one.answer.status for one in seen} == {503}
    assert {one.answer.header("Retry-After") for one in seen} == {"1"}
    assert {one.answer.body for one in seen} == {_ENVELOPE}
    took = sorted(one.ended - one.began for one in seen)
    assert took[int(len(took) * 0.9)] <= 0.25
    assert took[-1] <= 1.0


async def _cannot_be_revoked(stage: Stage, workers: list[Server]) -> None:
    """Nobody is told that something is dead which may not be."""
    path = f"/api/v1/companies/{stage.company_id}/api-keys/{stage.company_id}/"
    for worker in workers:
        assert (await ask(worker.host, worker.port, request("DELETE", path, stage.boss))).status == 503
