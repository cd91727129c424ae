"""Clients that try everything in every scene at every worker, as fast as it is answered."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count

from keyhouse.errors import Failure
from keyhouse.revocation import Revocation
from support.history import Findings, Request
from support.scenes import Scene, Stage, stage_of
from support.servers import Server
from support.strikes import strike
from support.wire import Connection

_PATIENCE = 30.0
# How often each subject that has just died is tried at each worker, before anything else is.
_AT_ONCE = 3
_TRIES = 10


class Client:
    """A connection that is never idle."""

    def __init__(self, traffic: "Traffic", server: Server, worker: int) -> None:
        self._traffic = traffic
        self._server = server
        self._worker = worker
        self._opening: asyncio.Task[None] | None = None
        self._scene: Scene | None = None
        self._subject = ""
        self._began = 0.0
        self._connection: Connection | None = None

    async def open(self) -> None:
        self._connection = await Connection.to(self._server.host, self._server.port, self._answered)
        self._next(self._connection)

    def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._connection is not None:
            self._connection.close()

    def _answered(self, connection: Connection, status: int) -> None:
        ended = time.monotonic()
        if self._scene is not None:
            seen = Request(self._subject, self._worker, self._began, ended, status)
            self._scene.history.requests.append(seen)
        self._next(connection)

    def _next(self, connection: Connection) -> None:
        chosen = self._traffic.choose(self._worker)
        if chosen is None:
            self._scene = None
            asyncio.get_running_loop().call_later(0.001, self._again, connection)
            return
        self._scene, self._subject, data = chosen
        self._began = time.monotonic()
        connection.send(data)

    def _again(self, connection: Connection) -> None:
        if not connection.closed:
            self._next(connection)
        elif not self._traffic.closed:
            # A server hangs up on who has nothing to ask for some seconds.
            self._opening = asyncio.create_task(self.open())


class Traffic:
    """Which request is next at which worker. Scenes come and go."""

    def __init__(self, servers: Sequence[Server], clients_per_worker: int) -> None:
        self.closed = False
        self._servers = servers
        self._clients = [
            Client(self, server, worker) for worker, server in enumerate(servers) for _ in range(clients_per_worker)
        ]
        self._on_stage: list[tuple[Scene, str]] = []
        self._turn = [count() for _ in servers]
        self._urgent: list[deque[tuple[Scene, str]]] = [deque() for _ in servers]

    async def open(self) -> None:
        for client in self._clients:
            await client.open()

    def close(self) -> None:
        self.closed = True
        for client in self._clients:
            client.close()

    def choose(self, worker: int) -> tuple[Scene, str, bytes] | None:
        """What has just died, else the next of all that are on stage."""
        number = next(self._turn[worker])
        if self._urgent[worker]:
            scene, subject = self._urgent[worker].popleft()
        elif self._on_stage:
            scene, subject = self._on_stage[number % len(self._on_stage)]
        else:
            return None
        tries = scene.tries[subject]
        return scene, subject, tries[number // len(self._on_stage) % len(tries)] if self._on_stage else tries[0]

    def enter(self, scene: Scene) -> None:
        self._on_stage += [(scene, subject) for subject in scene.tries]

    def leave(self, scene: Scene) -> None:
        self._on_stage = [other for other in self._on_stage if other[0] is not scene]

    def try_at_once(self, scene: Scene, subjects: Sequence[str]) -> None:
        for queue in self._urgent:
            for _ in range(_AT_ONCE):
                queue.extend((scene, subject) for subject in subjects)

    async def every_subject_tried(self, scene: Scene, times: int) -> None:
        """Until each subject of the scene was answered so often at each worker, from now on."""
        wanted = {(subject, worker) for subject in scene.tries for worker in range(len(self._servers))}
        seen: Counter[tuple[str, int]] = Counter()
        read = len(scene.history.requests)
        end = time.monotonic() + _PATIENCE
        while wanted:
            if time.monotonic() > end:
                raise TimeoutError(f"{scene.name}: no answers to {sorted(wanted)}")
            await asyncio.sleep(0.002)
            for request in scene.history.requests[read:]:
                seen[request.subject, request.worker] += 1
            read = len(scene.history.requests)
            wanted = {pair for pair in wanted if seen[pair] < times}


@asynccontextmanager
async def traffic_to(servers: Sequence[Server], clients_per_worker: int) -> AsyncIterator[Traffic]:
    traffic = Traffic(servers, clients_per_worker)
    await traffic.open()
    try:
        yield traffic
    finally:
        traffic.close()


async def _prepared(stage: Stage, causes: Sequence[str]) -> Scene:
    """SQLite gives its one lock to whom it likes, and now and then somebody waits too long."""
    for _ in range(_TRIES):
        with suppress(Failure):
            return await stage.scene(" + ".join(causes), causes)
    raise TimeoutError("the database is never free")


async def play(
    stage: Stage,
    traffic: Traffic,
    plots: Sequence[Sequence[str]],
    *,
    at_once: int,
    apart: float,
    findings: Findings,
) -> None:
    """Plays a scene for each plot, a sequence of causes that strike up to `apart` seconds after each other, so many
    scenes at a time. Each is checked and added to the findings when it is over.
    """
    waiting = deque(plots)
    chance = random.Random(11)  # noqa: S311 - no secret

    async def actors() -> None:
        while waiting:
            causes = waiting.popleft()
            scene = await _prepared(stage, causes)
            traffic.enter(scene)
            try:
                # Every worker holds every credential by then.
                await traffic.every_subject_tried(scene, 2)
                strikes = []
                for cause in causes:
                    strikes.append(
                        asyncio.create_task(
                            strike(stage, scene, cause, lambda dead, of=scene: traffic.try_at_once(of, sorted(dead)))
                        )
                    )
                    await asyncio.sleep(chance.uniform(0, apart))
                await asyncio.gather(*strikes)
                # Nothing comes back to life, and nothing else has died.
                await traffic.every_subject_tried(scene, 2)
            finally:
                traffic.leave(scene)
            findings.add(scene.name, scene.history)

    await asyncio.gather(*(actors() for _ in range(at_once)))


async def played(
    database_url: str,
    workers: Sequence[Server],
    plots: Sequence[Sequence[str]],
    *,
    revocation: type[Revocation] = Revocation,
    clients_per_worker: int = 2,
    at_once: int = 8,
    apart: float = 0.15,
) -> Findings:
    """Plays on a stage of its own, and answers what the histories came to."""
    findings = Findings()
    async with stage_of(database_url, workers, revocation) as stage, traffic_to(workers, clients_per_worker) as traffic:
        await play(stage, traffic, plots, at_once=at_once, apart=apart, findings=findings)
    return findings
