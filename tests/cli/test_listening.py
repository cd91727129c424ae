"""The server under `dev` and `serve`, on a socket of its own in this process."""

import asyncio
import gc
import json
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, cast

import pytest
import uvicorn

from keyhouse.cli import listening
from keyhouse.cli.listening import Connection
from keyhouse.cli.mistakes import Mistake

REQUEST = b"GET / HTTP/1.1\r\nHost: keyhouse.test\r\n\r\n"


async def _echo(scope: dict[str, Any], _receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where a server with two connections to give away listens."""
    config = uvicorn.Config(_echo, http=Connection, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    with listening.listen("127.0.0.1", 0) as bound:
        running = asyncio.create_task(server._serve([bound]))
        yield int(bound.getsockname()[1])
        server.should_exit = True
        await running


async def _answer(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:-2])
    return head[0], headers, await reader.readexactly(int(headers["content-length"]))


async def _ask(port: int, request: bytes) -> tuple[str, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answered = await _answer(reader)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    return answered


async def test_a_connection_too_many_is_told_in_the_envelope_and_the_others_are_served(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "MAX_CONNECTIONS", 2)
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    for reader, writer in held:
        writer.write(REQUEST)
        assert (await _answer(reader))[2] == b"ok"

    status, headers, body = await _ask(port, REQUEST)
    assert status.startswith("HTTP/1.1 503 ")
    assert json.loads(body)["errors"][0]["code"] == "service_unavailable"
    assert (headers["retry-after"], headers["cache-control"]) == ("1", "no-store")
    assert headers["x-request-id"]

    for reader, writer in held:
        writer.write(REQUEST)
        assert (await _answer(reader))[2] == b"ok"
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "request_", [b"\x16\x03\x01\x00", b"GET / HTTP/1.1\r\nA\x00B: c\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
async def test_what_is_no_http_is_told_in_the_envelope(port: int, request_: bytes) -> None:
    status, headers, body = await _ask(port, request_)
    assert status == "HTTP/1.1 400 Bad Request"
    assert json.loads(body) == {
        "type": "client_error",
        "errors": [{"code": "parse_error", "detail": "Invalid HTTP request received.", "attr": None, "extra": None}],
    }
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    assert headers["x-request-id"]


def test_a_socket_is_one_of_tcp() -> None:
    """Of protocol 0, asyncio would not turn Nagle's algorithm off for its connections: some 40 ms on each request."""
    with listening.listen("localhost", 0) as bound:
        assert bound.proto == socket.IPPROTO_TCP
        assert bound.getsockname()[1] > 0


@pytest.mark.parametrize(
    ("name", "url"),
    [
        (("127.0.0.1", 80), "http://127.0.0.1:80"),
        (("0.0.0.0", 80), "http://127.0.0.1:80"),  # noqa: S104 - the name of a socket, nothing is bound
        (("::1", 80, 0, 0), "http://[::1]:80"),
        (("::", 80, 0, 0), "http://[::1]:80"),
    ],
)
def test_a_url_is_one_that_a_client_of_this_machine_reaches(name: tuple[Any, ...], url: str) -> None:
    class Bound:
        def getsockname(self) -> tuple[Any, ...]:
            return name

    assert listening.url(cast("socket.socket", Bound())) == url


@pytest.fixture
def handlers() -> Iterator[None]:
    """What this process does at signals is as before when the test is over."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_a_server_that_does_not_come_up_is_a_mistake() -> None:
    async def broken(_scope: Any, _receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with listening.listen("127.0.0.1", 0) as bound, pytest.raises(Mistake, match="its log says why"):
        listening.run(broken, bound)


def test_what_is_loaded_is_out_of_the_garbage_collectors_sight() -> None:
    gc.unfreeze()
    try:
        listening._Config(_echo, log_config=None).load()
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
