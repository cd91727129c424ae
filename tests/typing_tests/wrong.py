"""What a type checker must find: an error that it did not find would make the comment beside it an unused one."""

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, FastAPI

from keyhouse import Principal, Settings, create_app, install
from keyhouse.testing import KeyhouseTokens

app = FastAPI()
install(app)  # type: ignore[call-arg]
install(app, {"database_url": "sqlite:///keyhouse.db"})  # type: ignore[arg-type]
install(app, Settings(), {"reports:read": "Read reports"})  # type: ignore[call-arg]
install(app, Settings(), scopes=["reports:read"])  # type: ignore[arg-type]
create_app(Settings(), router=APIRouter())  # type: ignore[call-arg]
create_app(Settings(), routers=APIRouter())  # type: ignore[arg-type]


def handle(who: Principal) -> tuple[object, ...]:
    kind: Literal["api_key", "refresh_token"] = who.credential_type  # type: ignore[assignment]
    upper = who.company_id.upper()  # type: ignore[union-attr]
    who.company_id = "another"  # type: ignore[misc]
    who.scopes.add("reports:write")  # type: ignore[attr-defined]
    return kind, upper, who.email  # type: ignore[attr-defined]


Principal("u", "c", "member", "k", "session", frozenset(), datetime.now(UTC))  # type: ignore[arg-type]
Principal("u", "c", "member", "k", "api_key", {"reports:read"}, datetime.now(UTC))  # type: ignore[arg-type]


def test(keyhouse_tokens: KeyhouseTokens) -> None:
    keyhouse_tokens.stolen()  # type: ignore[attr-defined]
    keyhouse_tokens.valid("key")  # type: ignore[call-arg]
