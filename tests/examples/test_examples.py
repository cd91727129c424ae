"""The examples do what their first lines say."""

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from keyhouse.directory import companies, users
from keyhouse.directory.argon2id import CONTEXT
from support.world import PASSWORD, SECRET, bearer

EXAMPLES = Path(__file__).parents[2] / "examples"
_HASH = CONTEXT.hash(PASSWORD)


def example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[tuple[httpx.AsyncClient, str, dict[str, str]]]:
    """The application, a company's id, and the headers of its admin."""
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        database = app.state.keyhouse.database
        async with database.writing() as tx:
            now = await database.now(tx)
            company = await companies.create(tx, name="Acme", at=now)
            user = await users.create(tx, email="admin@example.com", password_hash=_HASH, at=now)
            await companies.add_member(tx, company_id=company.id, user_id=user.id, role="admin", at=now)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(with_state), base_url="http://example.test") as http:
            answer = await http.post("/api/v1/auth/token/", json={"email": "admin@example.com", "password": PASSWORD})
            yield http, company.id, bearer(answer.json()["access_token"])


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("KEYHOUSE_SECRET_KEY", SECRET)
    monkeypatch.setenv("KEYHOUSE_DATABASE_URL", database_url)


async def test_a_service_with_a_resource_of_its_own() -> None:
    async with running(example("reports_service").app) as (http, company_id, admin):
        base = f"/api/v1/companies/{company_id}"
        made = await http.post(
            f"{base}/api-keys/", headers=admin, json={"name": "r", "expires_in": 3600, "scopes": ["reports:read"]}
        )
        reader = bearer(made.json()["token"])
        assert (await http.post(f"{base}/reports/", headers=admin, json={"title": "Q3"})).status_code == 201
        assert (await http.get(f"{base}/reports/", headers=reader)).json() == [{"title": "Q3"}]
        refused = await http.post(f"{base}/reports/", headers=reader, json={"title": "Q4"})
        assert refused.status_code == 403
        assert refused.json()["errors"][0]["extra"] == {"required_scopes": ["reports:write"]}
        malformed = await http.post(f"{base}/reports", headers=admin, json={})
        assert malformed.json()["errors"] == [
            {"code": "required", "detail": "This field is required.", "attr": "title", "extra": None}
        ]
        full = await http.post(f"{base}/api-keys/", headers=admin, json={"name": "full", "expires_in": 3600})
        assert full.json()["scopes"] == ["datasets:read", "datasets:write", "reports:read", "reports:write"]


async def test_an_application_that_exists_keeps_its_ways() -> None:
    async with running(example("existing_application").app) as (http, company_id, admin):
        page = f"/companies/{company_id}/print"
        assert (await http.get("/status")).json() == {"printer": "ready"}
        assert (await http.get("/nowhere")).json() == {"detail": "Not Found"}
        assert (await http.get(page, headers=admin)).json()["detail"][0]["type"] == "missing"
        assert (await http.get(page, headers=admin, params={"pages": 1})).status_code == 200
        late = await http.get(page, headers=admin, params={"pages": 101})
        assert (late.status_code, late.text) == (507, "out of paper")
        assert "x-request-id" not in late.headers
        nobody = await http.get(page, params={"pages": 1})
        assert nobody.status_code == 401
        assert nobody.json()["errors"][0]["code"] == "not_authenticated"
        assert (await http.get("/companies/other/print", headers=admin, params={"pages": 1})).status_code == 404
        # On its own paths Keyhouse's rules hold.
        wrong = await http.put("/api/v1/auth/me", headers=admin)
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")
        assert wrong.json()["errors"][0]["code"] == "method_not_allowed"
        operations = (await http.get("/openapi.json")).json()["paths"]
        assert operations["/companies/{company_id}/print"]["get"]["security"] == [{"bearer": ["pages:print"]}]
        assert "422" in operations["/companies/{company_id}/print"]["get"]["responses"]
        assert "422" not in operations["/api/v1/auth/token/"]["post"]["responses"]
