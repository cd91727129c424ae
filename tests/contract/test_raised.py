"""Contract sections 1 and 8: whatever the routes of an embedding application raise leaves as the envelope."""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import BaseModel
from structlog.testing import capture_logs

from keyhouse.errors import failure, unavailable
from support.envelope import assert_error, check_conventions
from support.world import World, settings_for, world_of

SECRET_TEXT = "a text that must stay in the house"
RAISED = "/api/v1/raised"


class Number(BaseModel):
    n: int


def _fails() -> None:
    raise RuntimeError(SECRET_TEXT)


def routes() -> APIRouter:
    """What an embedding application may do wrong."""
    router = APIRouter(prefix=RAISED)

    @router.post("/http/")
    async def http(request: Request) -> None:
        raise HTTPException(**await request.json())

    @router.get("/crash/")
    async def crash() -> None:
        raise RuntimeError(SECRET_TEXT)

    @router.get("/sync/")
    def sync() -> None:
        raise RuntimeError(SECRET_TEXT)

    @router.get("/dependency/", dependencies=[Depends(_fails)])
    async def dependency() -> None: ...

    @router.get("/group/")
    async def group() -> None:
        raise ExceptionGroup(SECRET_TEXT, [ValueError(SECRET_TEXT), HTTPException(404)])

    @router.get("/answer/", response_model=Number)
    async def answer() -> Any:
        return {"n": SECRET_TEXT}

    @router.get("/failure/")
    async def refused() -> None:
        raise failure("conflict", detail="It stands already.")

    @router.get("/unavailable/")
    async def away() -> None:
        raise unavailable(SECRET_TEXT, 7)

    @router.get("/teapot/")
    async def teapot() -> Response:
        return Response(status_code=418)

    return router


@pytest.fixture(scope="module")
async def embedding(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The database plays no part in what routes raise."""
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("embedding"))
    async with world_of(settings_for(f"sqlite:///{path}"), routers=[routes()]) as made:
        yield made


OWN = "Own words."
# What a route raises: status, detail, headers; and what comes of it: code, detail (None: the table's), extra, status.
HTTP_EXCEPTIONS: list[tuple[int, Any, dict[str, str], str, str | None, dict[str, Any] | None, int]] = [
    (400, None, {}, "invalid", "Invalid value.", None, 400),
    (400, OWN, {}, "invalid", OWN, None, 400),
    (401, None, {}, "not_authenticated", None, None, 401),
    (402, None, {}, "error", "Payment Required", None, 402),
    (403, None, {}, "permission_denied", None, None, 403),
    (403, OWN, {}, "permission_denied", OWN, None, 403),
    (404, None, {}, "not_found", None, None, 404),
    (404, OWN, {}, "not_found", OWN, None, 404),
    (404, {"secret": 1}, {}, "not_found", None, None, 404),
    (404, [1], {}, "not_found", None, None, 404),
    (405, None, {}, "method_not_allowed", None, None, 405),
    (405, OWN, {"Allow": "GET"}, "method_not_allowed", None, None, 405),
    (409, OWN, {}, "conflict", OWN, None, 409),
    (413, None, {}, "request_too_large", None, None, 413),
    (415, None, {}, "unsupported_media_type", None, None, 415),
    (418, None, {}, "error", "I'm a Teapot", None, 418),
    (418, OWN, {}, "error", OWN, None, 418),
    (422, None, {}, "invalid", "Invalid value.", None, 400),
    (422, OWN, {}, "invalid", OWN, None, 400),
    (422, [{"loc": ["body"], "msg": "secret"}], {}, "invalid", "Invalid value.", None, 400),
    (429, None, {}, "throttled", "Request was throttled. Expected available in 1 second.", {"retry_after": 1}, 429),
    (
        429,
        None,
        {"Retry-After": "60"},
        "throttled",
        "Request was throttled. Expected available in 60 seconds.",
        {"retry_after": 60},
        429,
    ),
    (429, OWN, {"retry-after": "Fri, 01 Jan 2027 00:00:00 GMT"}, "throttled", OWN, {"retry_after": 1}, 429),
    (451, None, {}, "error", "Unavailable For Legal Reasons", None, 451),
    (499, None, {}, "error", "The request was refused.", None, 499),
    (500, None, {}, "error", None, None, 500),
    (500, SECRET_TEXT, {}, "error", None, None, 500),
    (502, SECRET_TEXT, {}, "error", None, None, 502),
    (503, SECRET_TEXT, {}, "service_unavailable", None, None, 503),
    (503, None, {"Retry-After": "30"}, "service_unavailable", None, None, 503),
    (599, SECRET_TEXT, {}, "error", None, None, 599),
]


@pytest.mark.parametrize(
    ("status", "detail", "headers", "code", "text", "extra", "answered"),
    HTTP_EXCEPTIONS,
    ids=lambda value: str(value)[:30],
)
async def test_what_a_route_raises_for_the_framework(
    embedding: World,
    status: int,
    detail: Any,
    headers: dict[str, str],
    code: str,
    text: str | None,
    extra: dict[str, Any] | None,
    answered: int,
) -> None:
    raised = {"status_code": status, "detail": detail, "headers": headers}
    answer = await embedding.request("POST", f"{RAISED}/http/", json=raised)
    attr = "non_field_errors" if answered == 400 else None
    assert_error(answer, code, status=answered, detail=text, attr=attr, extra=extra)
    assert SECRET_TEXT not in answer.text
    assert "secret" not in answer.text
    if status == 405:
        assert answer.headers.get_list("allow") == ["POST"]
    if status in {429, 503} and "Retry-After" in headers:
        assert answer.headers.get_list("retry-after") == [headers["Retry-After"]]


async def test_other_headers_of_a_raised_answer_stay(embedding: World) -> None:
    raised = {"status_code": 409, "detail": OWN, "headers": {"X-Why": "because"}}
    answer = await embedding.request("POST", f"{RAISED}/http/", json=raised)
    assert answer.headers["x-why"] == "because"


async def test_a_redirect_that_a_route_raises_is_no_error(embedding: World) -> None:
    raised = {"status_code": 303, "headers": {"Location": "/elsewhere"}}
    answer = await embedding.request("POST", f"{RAISED}/http/", json=raised)
    assert (answer.status_code, answer.headers["location"]) == (303, "/elsewhere")
    check_conventions(answer)


@pytest.mark.parametrize("path", ["crash", "sync", "dependency", "group", "answer"])
async def test_what_nobody_foresaw_is_logged_and_not_told(embedding: World, path: str) -> None:
    with capture_logs() as logs:
        answer = await embedding.request("GET", f"{RAISED}/{path}/", embedding.admin, headers={"X-Request-ID": "mine"})
    assert_error(answer, "error")
    assert answer.content == (
        b'{"type":"server_error","errors":[{"code":"error","detail":"A server error occurred.",'
        b'"attr":null,"extra":null}]}'
    )
    assert SECRET_TEXT not in str(answer.headers)
    (failed,) = [line for line in logs if line["event"] == "request.failed"]
    assert failed["request_id"] == "mine"
    assert "Traceback" in failed["exception"]
    # No exception is handed on, whose frames a formatter could open: the token is in one of them.
    assert "exc_info" not in failed
    assert embedding.admin.tokens["access_token"] not in str(logs)
    (line,) = [line for line in logs if line["event"] == "request"]
    assert (line["status"], line["cause"]) == (500, "unforeseen")


async def test_failures_of_the_catalogue(embedding: World) -> None:
    assert_error(await embedding.request("GET", f"{RAISED}/failure/"), "conflict", detail="It stands already.")
    answer = await embedding.request("GET", f"{RAISED}/unavailable/")
    assert_error(answer, "service_unavailable")
    assert answer.headers["retry-after"] == "7"


async def test_what_a_route_answers_itself_is_its_own(embedding: World) -> None:
    answer = await embedding.request("GET", f"{RAISED}/teapot/")
    assert (answer.status_code, answer.content) == (418, b"")
    check_conventions(answer)


IDS = ["a", "A.b_c-9", "0" * 128]
NO_IDS = ["", " ", "0" * 129, "a b", "a/b", "ü", "a\tb", "<script>", "a,b", "a\x7f"]


@pytest.mark.parametrize("path", ["/api/v1/auth/me/", "/api/v1/auth/verify/", "/api/v1/nothing/", f"{RAISED}/crash/"])
@pytest.mark.parametrize("who", ["admin", None])
async def test_the_callers_request_id(embedding: World, path: str, who: str | None) -> None:
    headers = embedding.admin.headers if who else {}
    for ident in IDS:
        answer = await embedding.request("GET", path, {**headers, "X-Request-ID": ident})
        assert answer.headers.get_list("x-request-id") == [ident]
        check_conventions(answer)
    seen = set()
    for ident in NO_IDS:
        raw = [*headers.items(), ("X-Request-ID", ident.encode())]
        answer = await embedding.http.get(
            path, headers=[(n.encode(), v if isinstance(v, bytes) else v.encode()) for n, v in raw]
        )
        check_conventions(answer)
        seen.add(answer.headers["x-request-id"])
    assert len(seen) == len(NO_IDS)
    assert all(re.fullmatch(r"[0-9a-f-]{36}", ident) for ident in seen)
