"""A log-in that finds no room is sent away before anything is done for it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from keyhouse.directory.passwords import PasswordHashing
from support.world import PASSWORD, World, settings_for, world_of

PATH = "/api/v1/auth/token/"
LOG_IN = {"email": "admin@example.com", "password": PASSWORD}


def _begin(patch: pytest.MonkeyPatch) -> None:
    """More passwords wait than may, until the patch is undone."""
    patch.setattr(PasswordHashing, "pending", property(lambda _: 1000, lambda *_: None), raising=False)


@pytest.fixture
def storm(world: World, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """One that begins when all in the world have logged in."""
    assert world.admin.tokens
    _begin(monkeypatch)
    return monkeypatch


@pytest.mark.parametrize("path", [PATH, PATH[:-1]])
async def test_it_is_503_and_asks_nobody(world: World, storm: pytest.MonkeyPatch, path: str) -> None:
    storm.delattr(world.keyhouse.database.__class__, "reading")
    for _ in range(3):
        answer = await world.http.post(path, json=LOG_IN)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "service_unavailable")
        assert answer.headers["x-request-id"]
        assert int(answer.headers["retry-after"]) >= 1


async def test_its_body_is_not_read(world: World, storm: pytest.MonkeyPatch) -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("somebody reads it")
        yield b""

    assert (await world.http.post(PATH, content=body())).status_code == 503
    storm.undo()
    assert (await world.http.post(PATH, content=body())).status_code == 500


async def test_it_counts_as_no_try(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world_of(settings_for(sqlite_url, login_rate="3/minute")) as world:
        with monkeypatch.context() as storm:
            _begin(storm)
            for _ in range(5):
                assert (await world.http.post(PATH, json=LOG_IN)).status_code == 503
        # Two were the world's own.
        assert [(await world.http.post(PATH, json=LOG_IN)).status_code for _ in range(2)] == [200, 429]


@pytest.mark.usefixtures("storm")
async def test_nothing_else_is_sent_away(world: World) -> None:
    base = "/api/v1/auth"
    assert (await world.request("GET", f"{base}/me/", world.admin)).status_code == 200
    assert (await world.request("GET", f"{base}/verify/", world.admin)).status_code == 204
    refresh: dict[str, Any] = {"refresh_token": world.admin.tokens["refresh_token"]}
    assert (await world.http.post(f"{base}/token/refresh/", json=refresh)).status_code == 200
    assert (await world.http.get(PATH)).status_code == 405


async def test_a_page_of_another_origin_may_read_it(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = "https://app.example.com"
    async with world_of(settings_for(sqlite_url, cors_origins=[origin])) as world:
        _begin(monkeypatch)
        answer = await world.http.post(PATH, json=LOG_IN, headers={"Origin": origin})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (503, origin)


@pytest.mark.usefixtures("storm")
async def test_the_metrics_name_its_route(world: World) -> None:
    await world.http.post(PATH, json=LOG_IN)
    told = (await world.http.get("/metrics")).text
    assert f'keyhouse_requests_total{{method="POST",route="{PATH}",status="503"}} 1.0' in told
