"""What an application, its tests and its clients' tests write, with the types that they get for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, assert_type

from fastapi import APIRouter, FastAPI, Security
from fastapi.testclient import TestClient
from pydantic import SecretStr

from keyhouse import Principal, Settings, create_app, guard, install
from keyhouse.testing import KeyhouseServer, KeyhouseTokens

router = APIRouter()
Reader = Annotated[Principal, Security(guard, scopes=["reports:read"])]


@router.get("/api/v1/companies/{company_id}/reports/")
async def reports(who: Reader) -> list[str]:
    assert_type(who.user_id, str)
    assert_type(who.company_id, str | None)
    assert_type(who.role, str | None)
    assert_type(who.credential_id, str)
    assert_type(who.credential_type, Literal["access_token", "api_key"])
    assert_type(who.scopes, frozenset[str])
    assert_type(who.expires_at, datetime)
    assert_type(who.is_admin, bool)
    return sorted(who.scopes)


@router.get("/api/v1/companies/{company_id}/invoices/")
async def invoices(company_id: str, who: Reader) -> list[str]:
    return [company_id, who.user_id]


settings = Settings(database_url=SecretStr("sqlite:///keyhouse.db"), secret_key=SecretStr("s" * 32))
scopes: Mapping[str, str] = {"reports:read": "Read reports"}
assert_type(create_app(), FastAPI)
app = create_app(settings, routers=[router], scopes=scopes, secure_cookies=False)
host = FastAPI()
installed = install(host, settings, scopes=scopes, envelope=True)
assert_type(installed.settings, Settings)


def somebody() -> Principal:
    return Principal("u", "c", "member", "k", "api_key", frozenset({"reports:read"}), datetime.now().astimezone())


app.dependency_overrides[guard] = somebody


def test_an_expired_key(keyhouse_server: KeyhouseServer, keyhouse_tokens: KeyhouseTokens) -> None:
    assert_type(keyhouse_server.base_url, str)
    assert_type(keyhouse_server.company_id, str)
    assert_type(keyhouse_server.environment, Mapping[str, str])
    assert_type(keyhouse_server.settings(), Settings)
    assert_type(keyhouse_tokens.expired(), str)
    client = TestClient(create_app(keyhouse_server.settings()))
    client.get("/", headers={"Authorization": f"Bearer {keyhouse_tokens.valid()}"})
