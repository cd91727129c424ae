"""SQLite locked by somebody else, and its disk full: writes are refused, reads and the guard go on."""

import asyncio
import resource
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, select

from keyhouse.audit import AuditEvent
from keyhouse.credentials.models import ApiKey
from support.scenes import KEY, SESSION, Scene, Stage, stage_of
from support.servers import Server, Servers
from support.watch import Watch, watching
from support.wire import Answer, Connection, ask, request
from support.world import World, settings_for, world_of

_LOCKED_SECONDS = 10.0
_MOST_TRIES = 2000


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Another program writes, and takes its time."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def _is_unavailable(answer: Answer) -> bool:
    return (
        answer.status == 503
        and answer.header("Retry-After") == "1"
        and answer.json()["errors"][0]["code"] == "service_unavailable"
    )


def _went_on(watch: Watch, begin: float, end: float) -> None:
    """Let in, and as quickly as ever; the machine of a test may stumble now and then."""
    seen = watch.between(begin, end)
    assert len(seen) > 20
    assert all(one.let_in for one in seen)
    took = sorted(one.ended - one.began for one in seen)
    assert took[int(len(took) * 0.9)] <= 0.25


async def _names(stage: Stage) -> set[str]:
    """Keys that are there whole: with the audit event of their creation."""
    async with stage.database.reading() as tx:
        keys = {key.id: key.name for key in await tx.scalars(select(ApiKey))}
        told = set(await tx.scalars(select(AuditEvent.target).where(AuditEvent.action == "api_key.created")))
    assert told == {f"api_key:{key_id}" for key_id in keys}
    return set(keys.values())


def _creation(stage: Stage, name: str) -> bytes:
    path = f"/api/v1/companies/{stage.company_id}/api-keys/"
    return request("POST", path, stage.boss, body={"name": name, "expires_in": 3600})


def _deletion(stage: Stage, scene: Scene) -> bytes:
    return request("DELETE", f"/api/v1/companies/{stage.company_id}/api-keys/{scene.key_id}/", stage.boss)


async def test_locked_for_ten_seconds(sqlite_url: str, servers: Servers) -> None:
    (worker,) = servers.several(1, sqlite_url)
    async with stage_of(sqlite_url, [worker]) as stage:
        scene = await stage.scene("locked", [])
        # The guard alone, and a route that reads.
        alive = scene.tries[SESSION]
        async with watching(worker, alive[0], alive[-1], scene.tries[KEY][0]) as (guarded, reading, doomed):
            await asyncio.sleep(0.1)
            began = time.monotonic()
            with _locked(_path(sqlite_url)):
                writes = await asyncio.gather(
                    ask(worker.host, worker.port, _creation(stage, "while locked")),
                    ask(worker.host, worker.port, _deletion(stage, scene)),
                )
                await asyncio.sleep(max(0.0, began + _LOCKED_SECONDS - time.monotonic()))
                ended = time.monotonic()
            assert all(_is_unavailable(answer) for answer in writes)
            created = await ask(worker.host, worker.port, _creation(stage, "afterwards"))
            deleted = await ask(worker.host, worker.port, _deletion(stage, scene))
            answered = time.monotonic()
            await asyncio.sleep(0.1)
        assert (created.status, deleted.status) == (201, 204)
        assert await _names(stage) == {"locked", "afterwards"}
    for watch in (guarded, reading, doomed):
        _went_on(watch, began, ended)
    assert {seen.answer.status for seen in doomed.seen if seen.began > answered} == {401}
    assert worker.complaints() == []


@contextmanager
def _full_disk(worker: Server, path: Path) -> Iterator[None]:
    """No file of the worker's grows any more: what a full disk is to it."""
    size = max(file.stat().st_size for file in (path, Path(f"{path}-wal"), worker.log))
    # The log has room yet; it must not be what fails.
    limit = size + 200_000
    soft, hard = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk(sqlite_url: str, servers: Servers) -> None:
    (worker,) = servers.several(1, sqlite_url)
    async with stage_of(sqlite_url, [worker]) as stage:
        scene = await stage.scene("full", [])
        made = {"full"}
        alive = scene.tries[SESSION]
        async with watching(worker, alive[0], alive[-1]) as (guarded, reading):
            writer = await Connection.to(worker.host, worker.port)
            with _full_disk(worker, _path(sqlite_url)):
                answer = await _fill(stage, writer, made)
                full = time.monotonic()
                assert _is_unavailable(answer)
                refused = await writer.ask(_deletion(stage, scene))
                assert _is_unavailable(refused)
                assert (await ask(worker.host, worker.port, scene.tries[KEY][0])).status == 204
                await asyncio.sleep(0.5)
                ended = time.monotonic()
            assert (await writer.ask(_deletion(stage, scene))).status == 204
            assert (await ask(worker.host, worker.port, scene.tries[KEY][0])).status == 401
            assert (await writer.ask(_creation(stage, "afterwards"))).status == 201
            writer.close()
        assert await _names(stage) == made | {"afterwards"}
    for watch in (guarded, reading):
        _went_on(watch, full, ended)
    with sqlite3.connect(_path(sqlite_url)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert worker.complaints() == []


async def _fill(stage: Stage, writer: Connection, made: set[str]) -> Answer:
    """Creates keys until one is refused, and answers how."""
    for number in range(_MOST_TRIES):
        name = f"{number} {'x' * 90}"
        answer = await writer.ask(_creation(stage, name))
        if answer.status != 201:
            return answer
        made.add(name)
    raise AssertionError("the disk is not full")


@pytest.fixture
async def narrow_world(sqlite_url: str) -> AsyncIterator[World]:
    """A world whose database may not grow by more than a few pages."""
    async with world_of(settings_for(sqlite_url)) as world:
        engine = world.keyhouse.database.engine
        pages = _path(sqlite_url).stat().st_size // 4096

        @event.listens_for(engine.sync_engine, "connect")
        def _narrow(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute(f"PRAGMA max_page_count = {pages + 20}").close()

        await engine.dispose()
        yield world


async def test_a_full_database(narrow_world: World) -> None:
    """What SQLite itself calls full."""
    key = await narrow_world.new_key()
    path = f"{narrow_world.base}/datasets/"
    body = {"name": "x" * 100, "description": "y" * 1000}
    for _ in range(_MOST_TRIES):
        answer = await narrow_world.request("POST", path, narrow_world.admin, json=body)
        if answer.status_code != 201:
            break
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    headers = {"Authorization": f"Bearer {key['token']}"}
    assert (await narrow_world.request("GET", path, headers)).status_code == 200
