"""A proxy in front of PostgreSQL that can cut a connection so that neither side is told: half-open, as it is called."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import make_url

_CHUNK = 65536
_NAME = b"application_name\0"


class _Link:
    """One connection through the proxy, with the name that its client gives in the first message of the protocol."""

    def __init__(self) -> None:
        self.application = ""
        self.cut = False

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if not self.application and _NAME in data:
                    self.application = data.partition(_NAME)[2].partition(b"\0")[0].decode()
                # Else taken and never delivered, and nobody hangs up.
                if not self.cut:
                    writer.write(data)
                    await writer.drain()
        if not self.cut:
            writer.close()


class Proxy:
    """Forwards, until some of its connections are cut. New ones are forwarded again, unless it is `closed` to them."""

    def __init__(self, database_url: str) -> None:
        self._target = make_url(database_url)
        self._server: asyncio.Server | None = None
        self._links: dict[asyncio.Task[None], _Link] = {}
        self.closed = False

    @property
    def url(self) -> str:
        """What a worker takes for its database's."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return self._target.set(port=port).render_as_string(hide_password=False)

    def cut(self, application: str = "") -> int:
        """Cuts the connections of applications whose name begins so; answers how many."""
        found = [link for link in self._links.values() if link.application.startswith(application) and not link.cut]
        for link in found:
            link.cut = True
        return len(found)

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._links:
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        link = self._links[task] = _Link()
        link.cut = self.closed
        writers = [writer]
        try:
            with suppress(OSError, asyncio.CancelledError):
                there, back = await asyncio.open_connection(self._target.host, self._target.port)
                writers.append(back)
                await asyncio.gather(link.forward(reader, back), link.forward(there, writer))
        finally:
            del self._links[task]
            for open_one in writers:
                open_one.close()
                with suppress(OSError):
                    await open_one.wait_closed()


@asynccontextmanager
async def proxy_to(database_url: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(database_url)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
