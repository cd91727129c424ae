"""What the guard refuses to stand in front of."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Security
from httpx import ASGITransport, AsyncClient

from keyhouse import Principal, Settings, create_app, guard
from keyhouse.gate import resolver
from keyhouse.gate.startup import UnguardableRouteError
from support.world import World, bearer

Reader = Annotated[Principal, Security(guard, scopes=["reports:read"])]
SCOPES = {"reports:read": "Read reports"}


def _router(path: str) -> APIRouter:
    router = APIRouter()

    @router.get(path)
    async def report(who: Reader) -> dict[str, Any]:
        return {"company": who.company_id}

    return router


async def _start(app: FastAPI) -> None:
    async with app.router.lifespan_context(app):
        pass


@pytest.mark.parametrize("path", ["/api/v1/companies/{company}/reports/", "/companies/{id}/reports"])
async def test_a_company_by_another_name(settings: Settings, path: str) -> None:
    with pytest.raises(UnguardableRouteError, match=r"rename \{(company|id)\} to \{company_id\}$"):
        await _start(create_app(settings, routers=[_router(path)], scopes=SCOPES))


async def test_a_scope_that_nobody_declared(settings: Settings) -> None:
    app = create_app(settings, routers=[_router("/api/v1/companies/{company_id}/reports/")])
    with pytest.raises(UnguardableRouteError, match="scope 'reports:read' is not declared"):
        await _start(app)


async def test_what_it_can_protect_starts(settings: Settings) -> None:
    await _start(create_app(settings, routers=[_router("/api/v1/companies/{company_id}/reports/")], scopes=SCOPES))


async def test_without_keyhouse_on_the_application_it_says_what_to_do() -> None:
    app = FastAPI()
    app.include_router(_router("/api/v1/companies/{company_id}/reports/"))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://keyhouse.test") as http:
        with pytest.raises(RuntimeError, match=r"call keyhouse\.install\(app, settings\)"):
            await http.get("/api/v1/companies/x/reports/")


async def test_a_token_of_other_bytes_than_ascii_is_an_invalid_one(world: World) -> None:
    answer = await world.http.get("/api/v1/auth/me/", headers=[(b"Authorization", b"Bearer \xc3\xa9.e.e")])
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "invalid_token"


async def test_only_so_many_decisions_are_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is decided anew: memory does not grow with the number of keys."""
    monkeypatch.setattr(resolver, "_CAPACITY", 2)
    keys = [await world.new_key() for _ in range(3)]
    for key in (*keys, keys[0]):
        answer = await world.request("GET", f"{world.base}/datasets/", bearer(key["token"]))
        assert answer.status_code == 200
        assert len(world.keyhouse.gate._admissions) <= 2


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "Bearer      ", "BEARER\t \t"])
async def test_a_token_has_one_place_however_its_header_is_written(world: World, scheme: str) -> None:
    """Or one live key would push all others out."""
    key = await world.new_key()
    for begin in ("Bearer ", scheme):
        headers = {"Authorization": f"{begin}{key['token']}"}
        assert (await world.request("GET", f"{world.base}/datasets/", headers)).status_code == 200
        assert len(world.keyhouse.gate._admissions) == 2, "the admin's token and the key"
