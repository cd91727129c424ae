"""Contract section 1: every error, whoever raises it, is the documented envelope with its headers."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest

from keyhouse import create_app
from keyhouse.errors import CATALOGUE, VALIDATION, failure
from keyhouse.http import envelope
from support.envelope import CODES, assert_error, errors_of
from support.operations import OPERATIONS, Operation
from support.world import World, settings_for


def test_the_catalogue_is_the_table() -> None:
    assert set(CODES) == CATALOGUE.keys() | VALIDATION.keys()
    filled = {"method": "PUT", "seconds": "60 seconds", "n": 3, "unit": "characters", "choice": "fly", "type": "str"}
    for code, row in CODES.items():
        text = CATALOGUE[code].detail if code in CATALOGUE else VALIDATION[code]
        assert re.fullmatch(row.detail, text.format(**filled)), code
        made = failure(code) if code in CATALOGUE else envelope.invalid_field("name", code=code)
        assert made.status == row.status
        assert json.loads(envelope.body(made))["type"] == row.type


def test_the_body_is_compact_and_in_utf_8() -> None:
    body = envelope.body(failure("conflict", detail="Schlüssel “é” 🔑 is there."))
    assert (
        body
        == (
            '{"type":"client_error","errors":[{"code":"conflict","detail":"Schlüssel “é” 🔑 is there.",'
            '"attr":null,"extra":null}]}'
        ).encode()
    )


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PURGE", "get"])
@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v1/nothing/", "/api/v2/companies/", "/api/v1/auth//me/"])
async def test_an_unknown_path(shared: World, method: str, path: str) -> None:
    assert_error(await shared.request(method, path, shared.admin), "not_found")


@pytest.mark.parametrize("operation", {one.path: one for one in OPERATIONS}.values(), ids=lambda one: one.path)
async def test_a_wrong_method_is_told_every_right_one(shared: World, operation: Operation) -> None:
    allowed = {one.method for one in OPERATIONS if one.path == operation.path}
    allowed |= {"HEAD"} if "GET" in allowed else set()
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"} - allowed:
        answer = await shared.request(method, operation.path, shared.admin)
        assert answer.status_code == 405
        assert answer.headers.get_list("allow") == [", ".join(sorted(allowed))]
        if method != "HEAD":
            assert_error(answer, "method_not_allowed", detail=f'Method "{method}" not allowed.')
    if "GET" not in allowed:
        assert (await shared.request("HEAD", operation.path, shared.admin)).content == b""


async def test_a_long_method_is_cut(shared: World) -> None:
    answer = await shared.request("X" * 200, "/api/v1/companies/", shared.admin)
    assert_error(answer, "method_not_allowed", detail=f'Method "{"X" * 100}" not allowed.')


async def test_a_failed_log_in_has_a_challenge(shared: World) -> None:
    body = {"email": "admin@example.com", "password": "wrong"}
    assert_error(await shared.request("POST", "/api/v1/auth/token/", json=body), "authentication_failed")


@pytest.mark.parametrize(("rate", "seconds"), [("1/second", {1}), ("1/minute", range(50, 61))])
async def test_a_throttled_log_in_says_for_how_long(sqlite_url: str, rate: str, seconds: Any) -> None:
    body = {"email": "nobody@example.com", "password": "x"}
    app = create_app(settings_for(sqlite_url, login_rate=rate))
    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://a") as http:
        answers = await asyncio.gather(*(http.post("/api/v1/auth/token/", json=body) for _ in range(2)))
    first, second = sorted(answers, key=lambda answer: answer.status_code)
    assert_error(first, "authentication_failed")
    left = second.json()["errors"][0]["extra"]["retry_after"]
    assert left in seconds
    words = "1 second" if left == 1 else f"{left} seconds"
    text = f"Request was throttled. Expected available in {words}."
    assert_error(second, "throttled", detail=text, extra={"retry_after": left})


async def test_nothing_that_was_sent_comes_back(shared: World) -> None:
    """But a bad choice, and the name of a field or a method."""
    sent = "sent-by-the-client"
    for path, body in (
        (f"{shared.base}/datasets/", {"name": sent, "description": [sent]}),
        (f"{shared.base}/datasets/", {"name": {sent: sent}}),
        (f"{shared.base}/api-keys/", {"name": sent, "expires_at": sent}),
        ("/api/v1/auth/token/", {"email": sent, "password": sent}),
        ("/api/v1/auth/token/refresh/", {"refresh_token": sent}),
    ):
        answer = await shared.request("POST", path, shared.admin, json=body)
        errors_of(answer)
        assert sent not in answer.text
        assert sent not in str(answer.headers)
