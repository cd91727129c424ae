"""Contract section 7: pages of the origins in `CORS_ORIGINS` may use the API, refusals included; no other page may."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.envelope import assert_error, check_conventions
from support.world import World, settings_for, world_of

ORIGIN = "https://app.example"
OTHERS = [
    "https://evil.example",
    "https://app.example.evil.example",
    "http://app.example",
    "https://APP.example:8443",
    "null",
]
READ = "access-control-allow-origin"


@pytest.fixture(scope="module")
async def closed(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Without the setting."""
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("closed"))
    async with world_of(settings_for(f"sqlite:///{path}")) as made:
        yield made


# Every layer that answers: route, guard, validation, body, size, path, method, forward auth.
ANSWERS = [
    ("GET", "/api/v1/auth/me/", "admin", None, 200),
    ("GET", "/api/v1/auth/me/", "nobody", None, 401),
    ("GET", "/api/v1/auth/verify/", "admin", None, 204),
    ("GET", "/api/v1/auth/verify/", "nobody", None, 401),
    ("POST", "/api/v1/auth/token/", "nobody", b'{"email":"x"}', 400),
    ("POST", "/api/v1/auth/token/", "nobody", b"{", 400),
    ("POST", "/api/v1/auth/token/", "nobody", b" " * 70000, 413),
    ("GET", "/api/v1/companies/x/", "admin", None, 404),
    ("GET", "/api/v1/nothing/", "admin", None, 404),
    ("PUT", "/api/v1/auth/me/", "admin", None, 405),
]


@pytest.mark.parametrize(("method", "path", "who_asks", "content", "status"), ANSWERS)
async def test_every_answer_can_be_read(
    shared: World,
    method: str,
    path: str,
    who_asks: str,
    content: bytes | None,
    status: int,
) -> None:
    who = shared.admin.headers if who_asks == "admin" else {}
    headers = {"Origin": ORIGIN, "Content-Type": "application/json"}
    answer = await shared.request(method, path, who, content=content, headers=headers)
    assert answer.status_code == status
    assert answer.headers.get_list(READ) == [ORIGIN]
    assert "Origin" in answer.headers["vary"]
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {"Location", "Retry-After", "WWW-Authenticate", "X-Request-ID"}
    # The API takes tokens from a header alone: no cookie goes with a request from elsewhere.
    assert "access-control-allow-credentials" not in answer.headers
    check_conventions(answer)


@pytest.mark.parametrize("origin", OTHERS)
@pytest.mark.parametrize(("method", "path", "who_asks", "content", "status"), ANSWERS)
async def test_no_other_page_can_read(
    shared: World,
    origin: str,
    method: str,
    path: str,
    who_asks: str,
    content: bytes | None,
    status: int,
) -> None:
    who = shared.admin.headers if who_asks == "admin" else {}
    headers = {"Origin": origin, "Content-Type": "application/json"}
    answer = await shared.request(method, path, who, content=content, headers=headers)
    assert answer.status_code == status
    assert READ not in answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "DELETE"])
async def test_a_preflight(shared: World, method: str) -> None:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization, content-type, x-request-id",
    }
    answer = await shared.request("OPTIONS", f"{shared.base}/datasets/", headers=headers)
    assert answer.status_code == 200
    assert answer.headers[READ] == ORIGIN
    assert method in answer.headers["access-control-allow-methods"]
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert allowed >= {"authorization", "content-type", "x-request-id"}
    check_conventions(answer)


@pytest.mark.parametrize(
    "headers",
    [
        *({"Origin": origin, "Access-Control-Request-Method": "GET"} for origin in OTHERS),
        {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"},
        {"Origin": ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-else"},
    ],
    ids=str,
)
async def test_a_preflight_that_is_refused(shared: World, headers: dict[str, str]) -> None:
    answer = await shared.request("OPTIONS", f"{shared.base}/datasets/", headers=headers)
    assert_error(answer, "permission_denied")
    assert headers["Origin"] == ORIGIN or READ not in answer.headers


async def test_without_the_setting_no_page_may(closed: World) -> None:
    answer = await closed.request("GET", "/api/v1/auth/me/", closed.admin, headers={"Origin": ORIGIN})
    assert answer.status_code == 200
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    preflight = await closed.request("OPTIONS", "/api/v1/auth/me/", headers=headers)
    assert preflight.status_code == 405
    for one in (answer, preflight):
        assert not [name for name in one.headers if name.startswith("access-control")]
