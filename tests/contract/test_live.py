"""Contract section 1 on the wire: what only the bytes of `keyhouse serve` show, on uvloop and httptools."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.envelope import INVALID_TOKEN
from support.servers import Server, running_servers
from support.world import World, settings_for, world_of

LIMIT = 65536
# Answered on the same connection, it shows that the server was at the beginning of a request again.
NEXT = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Live:
    """A server on a database with people in it."""

    world: World
    server: Server

    @property
    def authorization(self) -> str:
        return f"Authorization: Bearer {self.world.admin.tokens['access_token']}\r\n"

    @property
    def datasets(self) -> str:
        return f"{self.world.base}/datasets/"

    def request(self, line: str, *headers: str, body: bytes = b"") -> bytes:
        """With the admin's token, and whatever else is given, as it is."""
        lines = [f"{line} HTTP/1.1", "Host: a", self.authorization.strip(), *headers, "", ""]
        return "\r\n".join(lines).encode("latin-1") + body


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture(scope="module")
async def live(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    """The database plays no part in the bytes."""
    folder = tmp_path_factory.mktemp("live")
    url = f"sqlite:///{shutil.copy(sqlite_template, folder)}"
    async with world_of(settings_for(url)) as world:
        with running_servers(folder) as servers:
            yield Live(world, servers.several(1, url)[0])


class Wire:
    """One connection, and what is read from it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, live: Live) -> "Wire":
        return cls(*await asyncio.open_connection(live.server.host, live.server.port))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, *, to_head: bool = False) -> Answer:
        """The next answer; one to HEAD has no body, whatever its Content-Length says."""
        async with asyncio.timeout(10):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip("\r\n").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            length = 0 if to_head else int(headers.get("content-length", 0))
            return Answer(int(first.split()[1]), headers, await self._reader.readexactly(length))

    async def rest(self) -> bytes:
        """All until the server hangs up."""
        async with asyncio.timeout(10):
            return await self._reader.read()

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
async def wire(live: Live) -> AsyncIterator[Wire]:
    made = await Wire.to(live)
    yield made
    made.close()


async def goes_on(wire: Wire) -> None:
    await wire.send(NEXT)
    answer = await wire.answer()
    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, json.loads(answer.body)["errors"][0]["code"]


async def names(live: Live) -> list[str]:
    return [one["name"] for one in (await live.world.request("GET", live.datasets, live.world.admin)).json()["results"]]


@pytest.mark.parametrize(
    "path", ["/api/v1/auth/me/", "{datasets}", "/api/v1/auth/verify/", "/api/v1/nothing/", "/api/v1/auth/token/"]
)
async def test_head_has_no_body_and_the_connection_goes_on(live: Live, wire: Wire, path: str) -> None:
    path = path.format(datasets=live.datasets)
    await wire.send(live.request(f"GET {path}"))
    got = await wire.answer()
    await wire.send(live.request(f"HEAD {path}") + NEXT)
    head = await wire.answer(to_head=True)
    assert head.status == got.status
    assert head.headers.keys() == got.headers.keys()
    if got.status != 405:
        assert head.headers.get("content-length") == got.headers.get("content-length")
    # What follows is the next answer's head, not this one's body.
    assert (await wire.answer()).status == 200


async def test_two_authorization_headers(live: Live, wire: Wire) -> None:
    for second in (live.authorization, "Authorization: Basic eDp5\r\n", "authorization: Bearer x\r\n"):
        await wire.send(live.request(f"GET {live.datasets}", second.rstrip("\r\n")))
        answer = await wire.answer()
        assert (answer.status, answer.body) == (401, INVALID_TOKEN)
        await goes_on(wire)


async def test_a_token_of_two_megabytes(wire: Wire) -> None:
    await wire.send(
        b"GET /api/v1/auth/me/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + b"x" * 2_000_000 + b"\r\n\r\n"
    )
    answer = await wire.answer()
    assert (answer.status, answer.body) == (401, INVALID_TOKEN)


@pytest.mark.parametrize("hosts", [[], ["Host: a", "Host: evil.example"], ["Host: evil.example"]], ids=str)
async def test_the_host_is_nobodys_business(live: Live, wire: Wire, hosts: list[str]) -> None:
    """It is missing, there are two, it is a stranger's: no answer is made of it."""
    head = "".join(f"{host}\r\n" for host in hosts)
    await wire.send(f"GET {live.datasets[:-1]} HTTP/1.1\r\n{head}{live.authorization}\r\n".encode())
    answer = await wire.answer()
    assert answer.status == 200
    assert "evil" not in str(answer)
    await goes_on(wire)


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
async def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large(live: Live, wire: Wire, method: str) -> None:
    made = await live.world.request("POST", live.datasets, live.world.admin, json={"name": "stays"})
    path = live.datasets if method == "POST" else f"{live.datasets}{made.json()['id']}/"
    before = await names(live)
    await wire.send(live.request(f"{method} {path}", "Content-Type: application/json", "Transfer-Encoding: chunked"))
    half = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    await wire.send(half + half + b"1\r\n \r\n")
    # The body goes on, and the answer is there.
    assert told(await wire.answer()) == (413, "request_too_large")
    assert await names(live) == before
    await wire.send(b"0\r\n\r\n")
    await goes_on(wire)


async def test_a_chunked_body_up_to_the_limit(live: Live, wire: Wire) -> None:
    body = b'{"name":"chunked"' + b" " * (LIMIT - 18) + b"}"
    assert len(body) == LIMIT
    chunks = b"".join(b"1000\r\n" + body[at : at + 0x1000] + b"\r\n" for at in range(0, LIMIT, 0x1000))
    await wire.send(
        live.request(f"POST {live.datasets}", "Content-Type: application/json", "Transfer-Encoding: chunked")
    )
    await wire.send(chunks + b"0\r\n\r\n")
    assert (await wire.answer()).status == 201
    assert "chunked" in await names(live)


async def test_a_declared_size_is_refused_before_the_body_comes(live: Live, wire: Wire) -> None:
    before = await names(live)
    await wire.send(
        live.request(f"POST {live.datasets}", "Content-Type: application/json", f"Content-Length: {LIMIT + 1}")
    )
    assert told(await wire.answer()) == (413, "request_too_large")
    # What was promised is sent all the same, and read away.
    await wire.send(b" " * (LIMIT + 1))
    await goes_on(wire)
    assert await names(live) == before


async def test_who_waits_for_100_continue_is_refused_without_it(live: Live, wire: Wire) -> None:
    await wire.send(live.request(f"POST {live.datasets}", "Expect: 100-continue", "Content-Length: 100000000"))
    assert told(await wire.answer()) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        (["Content-Type: application/json"], b"{", 400, "parse_error"),
        (["Content-Type: application/json"], b"[" * 60_000, 400, "parse_error"),
        (["Content-Type: text/plain"], b"x", 415, "unsupported_media_type"),
        (["Content-Type: application/json", "Content-Encoding: gzip"], b"\x1f\x8b", 415, "unsupported_media_type"),
        (["Content-Type: application/json"], b'{"name":null}', 400, "null"),
    ],
    ids=["no JSON", "lists", "text", "gzip", "a field"],
)
async def test_the_connection_goes_on_after_a_refusal(
    live: Live, wire: Wire, headers: list[str], body: bytes, status: int, code: str
) -> None:
    await wire.send(live.request(f"POST {live.datasets}", *headers, f"Content-Length: {len(body)}", body=body) + NEXT)
    assert told(await wire.answer()) == (status, code)
    assert (await wire.answer()).status == 200


async def test_who_hangs_up_within_a_body_does_nothing(live: Live, wire: Wire) -> None:
    before = await names(live)
    await wire.send(
        live.request(
            f"POST {live.datasets}", "Content-Type: application/json", "Content-Length: 15", body=b'{"name":"half"'
        )
    )
    wire.close()
    other = await Wire.to(live)
    await goes_on(other)
    other.close()
    assert await names(live) == before


@pytest.mark.parametrize(
    "target",
    ["%00", "%2F", "%FF", "%ED%A0%80", "%2E%2E/%2E%2E/etc/passwd", "..%2f..%2f", "%0d%0aX-Injected:%201", "x" * 9000],
)
async def test_strange_paths(live: Live, wire: Wire, target: str) -> None:
    for path in (f"/api/v1/{target}/", f"{live.datasets}{target}/", f"/api/v1/companies/{target}/datasets"):
        await wire.send(live.request(f"GET {path}"))
        answer = await wire.answer()
        assert told(answer) == (404, "not_found")
        assert "x-injected" not in answer.headers
        await goes_on(wire)


async def test_the_request_id_comes_back_and_no_other_header_with_it(live: Live, wire: Wire) -> None:
    for sent, back in (("my-id.1", "my-id.1"), ("a b", None), ("\xff", None), ("x" * 129, None)):
        await wire.send(live.request("GET /api/v1/auth/me/", f"X-Request-ID: {sent}"))
        answer = await wire.answer()
        if back is None:
            assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
        else:
            assert answer.headers["x-request-id"] == back
        assert "server" not in answer.headers


async def test_what_is_no_http_at_all_is_hung_up_on(live: Live) -> None:
    """What the server makes no request of never reaches the application: it answers in its own words, and closes."""
    for data in (
        b"\0\0\0\0\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"NONSENSE / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nA\0: b\r\n\r\n",
    ):
        wire = await Wire.to(live)
        await wire.send(data)
        assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")
        wire.close()


async def test_many_requests_at_once_on_one_connection(live: Live, wire: Wire) -> None:
    """Pipelined, each gets its own answer, in order."""
    paths = [live.datasets, "/api/v1/nothing/", "/api/v1/auth/me/", "/api/v1/auth/verify/"] * 5
    await wire.send(b"".join(live.request(f"GET {path}", f"X-Request-ID: n{n}") for n, path in enumerate(paths)))
    for n, path in enumerate(paths):
        answer = await wire.answer()
        assert answer.headers["x-request-id"] == f"n{n}"
        assert answer.status == (404 if "nothing" in path else 204 if "verify" in path else 200)


async def test_nothing_went_wrong_within_the_server(live: Live) -> None:
    """After all of the above: no error in its log, and no token."""
    assert live.server.complaints() == []
    log = live.server.log.read_text()
    assert live.world.admin.tokens["access_token"] not in log
    assert "Traceback" not in log
