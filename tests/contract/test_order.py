"""Contract section 2: of everything that is wrong with a request, the first in the order is told, and nothing is done.

404 and 405 → 413 → 401 → 404 for the company → 403 → 400 → handler; for each operation of the API.
"""

from typing import Any

import httpx
import pytest

from keyhouse.db.base import new_id
from support.callers import ALL_SCOPES, Others, access, key, new_item, stored
from support.envelope import INVALID_TOKEN, NOT_FOUND, errors_of
from support.operations import OPERATIONS, Operation
from support.world import World

LARGE = b"[" + b"0," * 32768 + b"0]"
JSON = {"Content-Type": "application/json"}
GUARDED = [operation for operation in OPERATIONS if operation.who != "anyone"]


class Request:
    """One operation, asked again and again with ever less wrong with it."""

    def __init__(self, world: World, operation: Operation, company_id: str, item: str) -> None:
        self.world = world
        self.operation = operation
        self.own = operation.path.replace("{company_id}", company_id).replace(f"{{{operation.item}}}", item)
        self.foreign = operation.path.replace("{company_id}", new_id()).replace(f"{{{operation.item}}}", item)

    async def ask(self, path: str, who: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        return await self.world.request(more.pop("method", self.operation.method), path, who, **more)

    async def ask_badly(self, path: str, who: dict[str, str] | None = None) -> httpx.Response:
        bad = self.operation.bad
        if isinstance(bad, str):
            return await self.ask(f"{path}?{bad}", who)
        return await self.ask(path, who, **self.operation.content(bad))

    async def ask_with_large_body(self, path: str, **more: Any) -> httpx.Response:
        return await self.ask(path, content=LARGE, headers=JSON, **more)


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, errors_of(answer)[0]["code"]


async def lacking(world: World, operation: Operation) -> dict[str, str] | None:
    """A credential that may not do this, in the company of the world; None where every one may."""
    if operation.who == "API key":
        return await access(world, world.admin)
    if operation.scope is not None:
        return await key(world, world.admin, scopes=[scope for scope in ALL_SCOPES if scope != operation.scope])
    return await key(world, world.admin) if operation.who == "access token" else None


async def entitled(world: World, operation: Operation) -> dict[str, str]:
    return await (key if operation.who == "API key" else access)(world, world.admin)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_the_first_thing_wrong_is_told_and_nothing_is_done(
    shared: World, strangers: Others, operation: Operation
) -> None:
    good = await entitled(shared, operation)
    stranger = await key(shared, strangers.admin, strangers.company, ["datasets:read"])
    insufficient = await lacking(shared, operation)
    item = await new_item(shared, operation.item)
    request = Request(shared, operation, shared.company.id, item)
    before = await stored(shared)

    # Everything is wrong; from step to step one thing less.
    assert told(await request.ask_with_large_body("/api/v1/nowhere/")) == (404, "not_found")
    assert told(await request.ask_with_large_body(f"{request.foreign}no/such/route/")) == (404, "not_found")
    assert told(await request.ask_with_large_body(request.foreign, method="PUT")) == (405, "method_not_allowed")
    assert told(await request.ask_with_large_body(request.foreign)) == (413, "request_too_large")
    if operation.who != "anyone":
        assert told(await request.ask_badly(request.foreign)) == (401, "not_authenticated")
        answer = await request.ask_badly(request.foreign, {"Authorization": "Bearer x"})
        assert (answer.status_code, answer.content) == (401, INVALID_TOKEN)
    if operation.in_company:
        for who in filter(None, (stranger, insufficient, good)):
            answer = await request.ask_badly(request.foreign, who)
            assert (answer.status_code, answer.content) == (404, NOT_FOUND)
    if insufficient is not None:
        answer = await request.ask_badly(request.own, insufficient)
        assert told(answer) == (403, "permission_denied")
        expected = {"required_scopes": [operation.scope]} if operation.scope else None
        assert answer.json()["errors"][0]["extra"] == expected
    if operation.bad is not None:
        answer = await request.ask_badly(request.own, good)
        assert answer.status_code == 400
        assert [entry["attr"] for entry in errors_of(answer)] == [operation.attr]
    assert await stored(shared) == before

    answer = await request.ask(request.own, good, **operation.content(operation.body))
    assert answer.status_code in operation.statuses


@pytest.mark.parametrize("operation", GUARDED, ids=str)
async def test_fields_are_not_looked_at_before_the_principal_may_act(shared: World, operation: Operation) -> None:
    """Whatever JSON is sent, who lacks the right learns nothing of the fields."""
    insufficient = await lacking(shared, operation)
    if insufficient is None or operation.form or operation.method == "GET":
        return
    path = operation.path.replace("{company_id}", shared.company.id).replace(f"{{{operation.item}}}", new_id())
    for content in (b"null", b"[]", b"{}", b'"x"', b'{"name":"\\ud800"}', b'{"unknown":1}'):
        answer = await shared.request(operation.method, path, insufficient, content=content, headers=JSON)
        assert told(answer) == (403, "permission_denied")


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.method not in {"GET", "HEAD"}], ids=str)
@pytest.mark.parametrize("size", ["declared", "chunked"])
async def test_a_body_too_large_does_nothing_for_whoever_sends_it(
    shared: World, operation: Operation, size: str
) -> None:
    """By its Content-Length or, chunked, as soon as the limit is passed."""
    good = await entitled(shared, operation)
    item = await new_item(shared, operation.item)
    path = operation.path.replace("{company_id}", shared.company.id).replace(f"{{{operation.item}}}", item)
    before = await stored(shared)
    sent = 0

    async def chunks() -> Any:
        nonlocal sent
        for _ in range(1000):
            sent += 1024
            yield b" " * 1024

    content = LARGE if size == "declared" else chunks()
    assert told(await shared.request(operation.method, path, good, content=content, headers=JSON)) == (
        413,
        "request_too_large",
    )
    assert size == "declared" or sent == 65536 + 1024
    assert await stored(shared) == before
