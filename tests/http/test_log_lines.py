"""The log of `keyhouse serve`: one line for each event, whatever a client sends, and nothing that moves a cursor."""

import json
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from support.commands import PATIENCE, Server
from support.world import SECRET, World

NASTY = "a\nb\r\x00\x0b\x1b[31m\x1b]0;t\x07\u2028\x85\x9b31m\ufeff\u202e" + '"\\ \x7f = é'
CONSOLE = re.compile(rb"\d\d:\d\d:\d\d (info|warning|error|critical) +[ -~]+")
LONG = "x" * 100_000


@pytest.fixture(params=["json", "console"])
def server(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path) -> Iterator[Server]:
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'keyhouse.db')}"
    env = {
        "KEYHOUSE_DATABASE_URL": url,
        "KEYHOUSE_SECRET_KEY": SECRET,
        "KEYHOUSE_LOG_FORMAT": request.param,
        "KEYHOUSE_TRUSTED_PROXIES": "127.0.0.1",
        "KEYHOUSE_LOGIN_RATE": "1000/minute",
    }
    made = Server(tmp_path, "serve", "--port", "0", env=env)
    yield made
    made.kill()


def url_of(server: Server) -> str:
    line = server.line(server.err, "server.listening")
    found = re.search(r"http://[\d.:]+", line)
    assert found is not None
    server.line(server.err, "Application startup complete")
    return found[0]


def encoded(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))


def requests(host: str) -> list[bytes]:
    """Whatever can be put into a request that the server still takes for one."""
    latin = NASTY.encode("latin-1", "ignore")
    header = latin + b"\xff\xfe\xe2\x80\xa8\xed\xa0\x80"
    taken = bytes(byte for byte in header if byte >= 0x20 and byte != 0x7F)
    lines = [
        f"GET /{encoded(NASTY)} HTTP/1.1",
        f"GET /api/v1/{encoded(NASTY)}/ HTTP/1.1",
        f"GET /api/v1/auth/me/?{encoded(NASTY)}={encoded(NASTY)} HTTP/1.1",
        "GET /api/v1/%ff%fe%ed%a0%80/ HTTP/1.1",
        f"GET /api/v1/{LONG}/ HTTP/1.1",
        f"GET /api/v1/companies/{encoded(NASTY)}/datasets/?cursor={encoded(NASTY)} HTTP/1.1",
        f"OPTIONS /{encoded(NASTY)} HTTP/1.1",
    ]
    bare = [f"{line}\r\nHost: {host}\r\nConnection: close\r\n".encode() for line in lines]
    names = ["X-Request-ID", "User-Agent", "Authorization", "Cookie", "X-Forwarded-For", "X-Forwarded-Uri", "Origin"]
    with_header = [
        f"GET /api/v1/auth/verify/?company=uri HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{name}: ".encode()
        + value
        + b"\r\n"
        for name in names
        for value in (taken, b"Bearer " + taken, header.replace(b"\n", b""), b"x" * 60_000)
    ]
    return [request + b"\r\n" for request in bare + with_header]


def bodies() -> list[dict[str, Any]]:
    texts = [NASTY, f"{NASTY}@example.com", "ada@example.com\nb", "\ud800@example.com", "x" * 10_000, "ada@example.com"]
    return [
        {"content": json.dumps({"email": text, "password": NASTY}), "headers": {"Content-Type": "application/json"}}
        for text in texts
    ] + [
        {"content": b'{"email": "\xff\xfe\n"}', "headers": {"Content-Type": "application/json"}},
        {"content": b"\x1b[31m\n", "headers": {"Content-Type": b"text/\x1b[31m; charset=\xff"}},
    ]


def send(url: str, data: bytes) -> bytes:
    address = httpx.URL(url)
    with socket.create_connection((address.host, int(address.port or 0)), timeout=PATIENCE) as connection:
        connection.sendall(data)
        return connection.recv(64)


def test_each_event_is_one_line_whatever_a_client_sends(server: Server) -> None:
    url = url_of(server)
    told = 0
    for data in requests(httpx.URL(url).netloc.decode()):
        assert re.match(rb"HTTP/1.1 [2-4]", send(url, data)), data[:200]
        told += 1
    for body in bodies():
        assert httpx.post(f"{url}/api/v1/auth/token/", timeout=PATIENCE, **body).status_code in {400, 401, 415}
        told += 1
    # No request at all: the server's own library complains of it.
    for garbage in (b"\x1b[31m\n\n", b"GET /\n" * 10, b"GET / HTTP/1.1\r\n" + NASTY.encode() + b": \r\n\r\n"):
        send(url, garbage)
    assert server.stop() == 0

    assert server.out.read_bytes() == b""
    written = server.err.read_bytes()
    lines = written.split(b"\n")
    assert lines.pop() == b""
    for line in lines:
        assert re.fullmatch(rb"[ -~]+", line), line
        assert CONSOLE.fullmatch(line) or json.loads(line)["event"]
    refused = sum(b"Invalid HTTP request" in line for line in lines)
    assert refused > 3
    assert sum(b"route" in line for line in lines) + refused == told + 3


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_server_that_does_not_come_up_says_why_in_one_line(tmp_path: Path, form: str) -> None:
    env = {
        "KEYHOUSE_DATABASE_URL": f"sqlite:///{tmp_path}/a\nb\x1b[31m.db",
        "KEYHOUSE_SECRET_KEY": SECRET,
        "KEYHOUSE_LOG_FORMAT": form,
    }
    server = Server(tmp_path, "serve", "--port", "0", env=env)
    try:
        assert server.process.wait(PATIENCE) == 1
    finally:
        server.kill()
    written = server.err.read_bytes()
    assert written.count(b"\n") == 1
    assert b"\x1b" not in written


async def test_who_configures_the_log_anew_gets_the_line_of_a_request(world: World) -> None:
    """Where structlog's configuration, as by default, lets no logger keep an older one."""
    told: list[list[object]] = [[], []]
    try:
        for lines in told:

            def keep(_logger: object, _name: str, event: Any, lines: list[object] = lines) -> Any:
                lines.append(event["event"])
                raise structlog.DropEvent

            structlog.configure(processors=[keep])
            await world.request("GET", "/api/v1/auth/me/", world.admin)
    finally:
        structlog.reset_defaults()
    assert told == [["request"], ["request"]]
