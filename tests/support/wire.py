"""A client of HTTP/1.1 that costs next to nothing: requests are bytes made beforehand, answers are barely parsed.

The load of the tests comes from the same two cores that its servers run on.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


def request(
    method: str,
    path: str,
    token: str | None = None,
    *,
    body: Mapping[str, Any] | None = None,
    form: bytes | None = None,
) -> bytes:
    """The bytes of a request, with a JSON `body` or a `form`."""
    content = form if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: keyhouse.test"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if content is not None:
        kind = "application/x-www-form-urlencoded" if body is None else "application/json"
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(content)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (content or b"")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: head and body as they are."""

    status: int
    head: bytes
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            found, _, value = line.partition(":")
            if found.lower() == name.lower():
                return value.strip()
        return None


class Connection(asyncio.Protocol):
    """One keep-alive connection, with one request at a time on it."""

    def __init__(self, on_answer: Callable[["Connection", int], None] | None = None) -> None:
        """With `on_answer`, each status is told to it and nothing else is made of the answer."""
        self._on_answer = on_answer
        self._transport: asyncio.Transport | None = None
        self._held = b""
        self._waiting: asyncio.Future[Answer] | None = None
        self.closed = False

    @classmethod
    async def to(
        cls, host: str, port: int, on_answer: Callable[["Connection", int], None] | None = None
    ) -> "Connection":
        _, made = await asyncio.get_running_loop().create_connection(lambda: cls(on_answer), host, port)
        return made

    def send(self, data: bytes) -> None:
        """For whoever is told by `on_answer`."""
        assert self._transport is not None
        self._transport.write(data)

    async def ask(self, data: bytes) -> Answer:
        """Raises ConnectionError when the server hangs up."""
        if self.closed:
            raise ConnectionResetError("closed")
        self._waiting = asyncio.get_running_loop().create_future()
        self.send(data)
        return await self._waiting

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no asyncio.Transport by descent.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        held = self._held + data if self._held else data
        end = held.find(_END)
        if end < 0:
            self._held = held
            return
        at = held.find(_LENGTH, 0, end)
        length = 0 if at < 0 else int(held[at + len(_LENGTH) : held.find(b"\r\n", at)])
        if len(held) < end + len(_END) + length:
            self._held = held
            return
        self._held = b""
        status = int(held[9:12])
        if self._on_answer is not None:
            self._on_answer(self, status)
        elif self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(status, held[:end], held[end + len(_END) :]))

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionResetError("the server hung up"))


async def ask(host: str, port: int, data: bytes, seconds: float = 30.0) -> Answer:
    """One request on a connection of its own. Raises ConnectionError or TimeoutError."""
    async with asyncio.timeout(seconds):
        connection = await Connection.to(host, port)
        try:
            return await connection.ask(data)
        finally:
            connection.close()
