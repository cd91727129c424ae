"""Sessions whose refresh token is in a cookie: section 9 of the contract, over HTTP."""

import shutil
from collections.abc import AsyncIterator
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.world import PASSWORD, World, bearer, settings_for, world_of

TOKEN = "/api/v1/auth/token/"
REFRESH = "/api/v1/auth/token/refresh/"
SECURE = "__Host-keyhouse_refresh"
PLAIN = "keyhouse_refresh"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def dev_world(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[World]:
    """As `keyhouse dev` serves it: over HTTP."""
    shutil.copy(sqlite_template, tmp_path / "dev.db")
    async with world_of(settings_for(f"sqlite:///{tmp_path / 'dev.db'}"), secure_cookies=False) as made:
        yield made


def cookie_of(answer: httpx.Response) -> Morsel[str]:
    jar = SimpleCookie(answer.headers["set-cookie"])
    assert len(jar) == 1
    return next(iter(jar.values()))


async def log_in(world: World, **more: Any) -> httpx.Response:
    body = {"email": "admin@example.com", "password": PASSWORD, "session": "cookie", **more}
    return await world.http.post(TOKEN, json=body)


async def refresh(world: World, cookie: str, name: str = SECURE, **more: Any) -> httpx.Response:
    more.setdefault("json", {"session": "cookie"})
    headers = {"Cookie": f"{name}={cookie}", **SAME_ORIGIN, **more.pop("headers", {})}
    return await world.http.post(REFRESH, headers={k: v for k, v in headers.items() if v is not None}, **more)


async def test_the_refresh_token_is_in_the_cookie_and_not_in_the_answer(world: World) -> None:
    answer = await log_in(world)
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "refresh_expires_in"}
    cookie = cookie_of(answer)
    assert cookie.key == SECURE
    assert cookie.value.startswith("khr_")
    assert cookie.value not in answer.text
    assert {name: cookie[name] for name in ("path", "domain", "secure", "httponly", "samesite", "max-age")} == {
        "path": "/",
        "domain": "",
        "secure": True,
        "httponly": True,
        "samesite": "strict",
        "max-age": str(answer.json()["refresh_expires_in"]),
    }


async def test_a_session_without_a_cookie_sets_none(world: World) -> None:
    answer = await world.http.post(TOKEN, json={"email": "admin@example.com", "password": PASSWORD})
    assert "set-cookie" not in answer.headers
    again = await world.http.post(REFRESH, json={"refresh_token": answer.json()["refresh_token"]}, headers=SAME_ORIGIN)
    assert again.status_code == 200
    assert "set-cookie" not in again.headers
    assert "refresh_token" in again.json()


async def test_in_dev_the_cookie_has_another_name_and_works_over_http(dev_world: World) -> None:
    cookie = cookie_of(await log_in(dev_world))
    assert cookie.key == PLAIN
    assert not cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "strict"
    assert (await refresh(dev_world, cookie.value, PLAIN)).status_code == 200


async def test_each_reads_its_own_cookie_alone(world: World, dev_world: World) -> None:
    # Over HTTP somebody on the way could plant the one without the prefix.
    cookie = cookie_of(await log_in(world)).value
    answer = await refresh(world, cookie, PLAIN, json={})
    assert answer.json()["errors"][0] == {
        "code": "required",
        "detail": "This field is required.",
        "attr": "refresh_token",
        "extra": None,
    }
    assert (await refresh(dev_world, cookie_of(await log_in(dev_world)).value, SECURE)).status_code == 401


@pytest.mark.parametrize("headers", [{"X-Forwarded-Proto": "http"}, {"Forwarded": "proto=http"}, {"Host": "localhost"}])
async def test_no_header_makes_the_cookie_less_safe(world: World, headers: dict[str, str]) -> None:
    body = {"email": "admin@example.com", "password": PASSWORD, "session": "cookie"}
    cookie = cookie_of(await world.http.post(TOKEN, json=body, headers=headers))
    assert cookie.key == SECURE
    assert cookie["secure"]


@pytest.mark.parametrize("body", [{"session": "cookie"}, {}])
async def test_the_cookie_is_exchanged_for_the_next(world: World, body: dict[str, str]) -> None:
    first = cookie_of(await log_in(world)).value
    answer = await refresh(world, first, json=body)
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json()
    second = cookie_of(answer).value
    assert second != first
    assert (await world.request("GET", "/api/v1/auth/me/", bearer(answer.json()["access_token"]))).status_code == 200
    assert (await refresh(world, second)).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "", "same-origin, same-origin", None])
@pytest.mark.parametrize("body", [{"session": "cookie"}, {}])
async def test_no_other_site_can_use_the_cookie(world: World, site: str | None, body: dict[str, str]) -> None:
    cookie = cookie_of(await log_in(world)).value
    answer = await refresh(world, cookie, headers={"Sec-Fetch-Site": site}, json=body)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "invalid_token"
    assert "set-cookie" not in answer.headers
    # It was not so much as looked at: it still serves.
    assert (await refresh(world, cookie)).status_code == 200


async def test_two_sec_fetch_site_headers_are_none(world: World) -> None:
    cookie = cookie_of(await log_in(world)).value
    headers = [("Cookie", f"{SECURE}={cookie}"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-origin")]
    assert (await world.http.post(REFRESH, headers=headers, json={})).status_code == 401


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b'{"session":"cookie"}', "text/plain", 415),
        (b"session=cookie", "application/x-www-form-urlencoded", 415),
        (b"", "application/x-www-form-urlencoded", 401),
        (b"", "application/json", 401),
    ],
)
async def test_what_a_form_can_send_is_refused(world: World, content: bytes, media_type: str, status: int) -> None:
    cookie = cookie_of(await log_in(world)).value
    answer = await refresh(world, cookie, json=None, content=content, headers={"Content-Type": media_type})
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers
    assert (await refresh(world, cookie)).status_code == 200


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_no_form_of_another_site_can_sign_anybody_in(world: World, media_type: str) -> None:
    body = f'{{"email":"admin@example.com","password":"{PASSWORD}","session":"cookie"}}'
    answer = await world.http.post(TOKEN, content=body, headers={"Content-Type": media_type})
    assert answer.status_code == 415
    assert "set-cookie" not in answer.headers


async def test_the_cookie_is_no_credential_of_any_other_route(world: World) -> None:
    cookie = cookie_of(await log_in(world)).value
    headers = {"Cookie": f"{SECURE}={cookie}", **SAME_ORIGIN}
    for method, path in (
        ("GET", "/api/v1/auth/me/"),
        ("POST", "/api/v1/auth/logout/"),
        ("GET", f"{world.base}/api-keys/"),
    ):
        answer = await world.request(method, path, headers)
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["code"] == "not_authenticated"


async def test_logging_out_clears_the_cookie_and_ends_what_was_in_it(world: World) -> None:
    opened = await log_in(world)
    answer = await world.request("POST", "/api/v1/auth/logout/", bearer(opened.json()["access_token"]))
    assert answer.status_code == 204
    cleared = cookie_of(answer)
    assert (cleared.key, cleared.value, cleared["max-age"], cleared["path"]) == (SECURE, "", "0", "/")
    assert cleared["secure"]
    assert (await refresh(world, cookie_of(opened).value)).status_code == 401


async def test_a_cookie_that_was_used_again_ends_the_session(world: World) -> None:
    first = cookie_of(await log_in(world)).value
    answer = await refresh(world, first)
    second = cookie_of(answer).value
    third = cookie_of(await refresh(world, second)).value
    assert (await refresh(world, first)).status_code == 401
    assert (await refresh(world, third)).status_code == 401
    assert (await world.request("GET", "/api/v1/auth/me/", bearer(answer.json()["access_token"]))).status_code == 401


async def test_a_lost_answer_costs_nothing_within_ten_seconds(world: World) -> None:
    first = cookie_of(await log_in(world)).value
    await refresh(world, first)
    again = await refresh(world, first)
    assert again.status_code == 200
    assert (await refresh(world, cookie_of(again).value)).status_code == 200


@pytest.mark.parametrize(
    ("body", "attr", "code"),
    [
        ({"refresh_token": "x", "session": "cookie"}, "session", "invalid"),
        ({"session": "header"}, "session", "invalid_choice"),
        ({"session": None}, "session", "null"),
        ({"refresh_token": None}, "refresh_token", "null"),
        ({"other": 1}, "other", "invalid"),
        ({}, "refresh_token", "required"),
    ],
)
async def test_a_wrong_refresh_says_at_which_field(world: World, body: dict[str, Any], attr: str, code: str) -> None:
    answer = await world.http.post(REFRESH, json=body, headers=SAME_ORIGIN)
    assert answer.status_code == 400
    assert [(entry["attr"], entry["code"]) for entry in answer.json()["errors"]] == [(attr, code)]


async def test_a_wrong_kind_of_session_is_refused_at_log_in(world: World) -> None:
    answer = await log_in(world, session="body")
    assert answer.json()["errors"][0]["attr"] == "session"
    assert "set-cookie" not in answer.headers


async def test_openapi_tells_of_the_cookie(world: World) -> None:
    paths = world.app.openapi()["paths"]
    assert "HttpOnly; SameSite=Strict; Path=/; Secure" in str(paths[TOKEN]["post"]["responses"]["200"]["headers"])
    parameters = {item["name"]: item["in"] for item in paths[REFRESH]["post"]["parameters"]}
    assert parameters == {SECURE: "cookie", "Sec-Fetch-Site": "header"}
    assert "Set-Cookie" in paths[REFRESH]["post"]["responses"]["200"]["headers"]
    assert "Set-Cookie" in paths["/api/v1/auth/logout/"]["post"]["responses"]["204"]["headers"]
    answers = paths[TOKEN]["post"]["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"]
    assert [answer["$ref"].rpartition("/")[2] for answer in answers] == ["TokenAnswer", "CookieSessionAnswer"]
