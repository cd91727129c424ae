"""Clients that ask one thing of one worker again and again through a fault, each answer noted with its time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from support.servers import Server
from support.wire import Answer, Connection

_PAUSE = 0.005


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer, with when its request began and ended."""

    began: float
    ended: float
    answer: Answer

    @property
    def let_in(self) -> bool:
        return 200 <= self.answer.status < 300


@dataclass
class Watch:
    """All that one client saw."""

    seen: list[Seen] = field(default_factory=list)

    def between(self, begin: float, end: float) -> list[Seen]:
        """Requests that began and ended between these moments."""
        return [seen for seen in self.seen if begin <= seen.began and seen.ended <= end]

    def first_let_in_after(self, moment: float) -> float:
        """Seconds from the moment to the answer of the first request begun after it that was let in."""
        return next((seen.ended - moment for seen in self.seen if seen.began >= moment and seen.let_in), float("inf"))


@asynccontextmanager
async def watching(server: Server, *requests: bytes) -> AsyncIterator[list[Watch]]:
    """One watch for each request."""
    watches = [Watch() for _ in requests]
    stop = asyncio.Event()
    clients = [
        asyncio.create_task(_ask(server, data, watch, stop)) for data, watch in zip(requests, watches, strict=True)
    ]
    try:
        yield watches
    finally:
        stop.set()
        await asyncio.gather(*clients)


async def _ask(server: Server, data: bytes, watch: Watch, stop: asyncio.Event) -> None:
    connection = await Connection.to(server.host, server.port)
    while not stop.is_set():
        began = time.monotonic()
        answer = await connection.ask(data)
        watch.seen.append(Seen(began, time.monotonic(), answer))
        await asyncio.sleep(_PAUSE)
    connection.close()
