"""`POST api-keys/`: what a new key is, and what it may not be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.answer import Answer
from keyhouse.conformance.api import Api

pytestmark = pytest.mark.contract("3")

KEY = (
    "id",
    "name",
    "company_id",
    "created_by",
    "scopes",
    "hint",
    "status",
    "created_at",
    "expires_at",
    "last_used_at",
    "revoked_at",
    "retires_at",
    "replaces",
    "replaced_by",
)
_MANAGEMENT = ("api_keys:read", "api_keys:rotate", "tokens:introspect", "audit:read")
_RESOURCE = ("datasets:read", "datasets:write")
_DAY = 86400


def _post(api: Api, **body: Any) -> Answer:
    return api.send("POST", api.api_keys, token=api.access, json=body)


def _ahead(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def created(api: Api) -> Answer:
    """The answer to the creation of a key without scopes."""
    return _post(api, name="  Created ", expires_in=3600)


def check_key(api: Api, created: Answer) -> None:
    """A new key is told in full, with its token."""
    body = expect.fields(created, 201, (*KEY, "token"))
    expect.same(created.asked, "name", "Created", body["name"])
    expect.same(created.asked, "company_id", api.target.company_id, body["company_id"])
    expect.same(created.asked, "status", "active", body["status"])
    expect.same(created.asked, "hint", str(body["token"])[-4:], body["hint"])
    creator = expect.members(created.asked, body["created_by"], ("id", "email"))
    expect.same(created.asked, "created_by.email", api.target.email.lower(), str(creator["email"]).lower())
    for name in ("last_used_at", "revoked_at", "retires_at", "replaces", "replaced_by"):
        expect.same(created.asked, name, None, body[name])


def check_location(api: Api, created: Answer) -> None:
    """Location leads to the new key."""
    expect.header(created, "Location", f"{api.api_keys}{created.get('id')}/")


def check_default_scopes(created: Answer) -> None:
    """Without scopes a key has every resource scope and no management scope."""
    scopes = created.get("scopes")
    expect.that(set(_RESOURCE) <= set(scopes), created.asked, f"scopes with {', '.join(_RESOURCE)}", scopes)
    expect.none_of(created.asked, "scopes", _MANAGEMENT, scopes)


def check_expires_in(created: Answer) -> None:
    """expires_in counts from the creation."""
    begun, end = (datetime.fromisoformat(created.get(name)) for name in ("created_at", "expires_at"))
    expect.same(created.asked, "expires_at less created_at", 3600, int((end - begun).total_seconds()))


def check_expires_at(api: Api) -> None:
    """expires_at with any offset is kept, and told in UTC."""
    end = (datetime.now(UTC) + timedelta(hours=3)).replace(microsecond=0)
    shifted = (end + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00")
    answer = expect.status(_post(api, name="x", expires_at=shifted), 201)
    expect.same(answer.asked, "expires_at", end.strftime("%Y-%m-%dT%H:%M:%SZ"), answer.get("expires_at"))


def check_scopes(api: Api) -> None:
    """A key has the scopes that it was asked for, each once."""
    answer = expect.status(_post(api, name="x", expires_in=3600, scopes=["datasets:read", "datasets:read"]), 201)
    expect.same(answer.asked, "scopes", ["datasets:read"], answer.get("scopes"))


_BAD: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "no expiry": ({"name": "x"}, ("required", "expires_at")),
    "two expiries": ({"name": "x", "expires_at": _ahead(_DAY), "expires_in": _DAY}, ("invalid", "expires_in")),
    "no name": ({"expires_in": 3600}, ("required", "name")),
    "a blank name": ({"name": " ", "expires_in": 3600}, ("blank", "name")),
    "a name of 101 characters": ({"name": "x" * 101, "expires_in": 3600}, ("max_length", "name")),
    "59 seconds": ({"name": "x", "expires_in": 59}, ("min_value", "expires_in")),
    "no whole seconds": ({"name": "x", "expires_in": "3600"}, ("invalid", "expires_in")),
    "true": ({"name": "x", "expires_in": True}, ("invalid", "expires_in")),
    "the past": ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, ("invalid", "expires_at")),
    "30 seconds ahead": ({"name": "x", "expires_at": _ahead(30)}, ("invalid", "expires_at")),
    "two years ahead": ({"name": "x", "expires_at": _ahead(2 * 366 * _DAY)}, ("invalid", "expires_at")),
    "no offset": ({"name": "x", "expires_at": _ahead(_DAY).rstrip("Z")}, ("invalid", "expires_at")),
    "a number": ({"name": "x", "expires_at": 4_000_000_000}, ("invalid", "expires_at")),
    "a day that is none": ({"name": "x", "expires_at": "2099-02-30T00:00:00Z"}, ("invalid", "expires_at")),
    "no scopes": ({"name": "x", "expires_in": 3600, "scopes": []}, ("empty", "scopes")),
    "scopes in one text": ({"name": "x", "expires_in": 3600, "scopes": "datasets:read"}, ("not_a_list", "scopes")),
    "an unknown scope": (
        {"name": "x", "expires_in": 3600, "scopes": ["datasets:read", "fly"]},
        ("invalid_choice", "scopes.1"),
    ),
    "an unknown field": ({"name": "x", "expires_in": 3600, "token": "mine"}, ("invalid", "token")),
}


@pytest.mark.parametrize(("body", "expected"), _BAD.values(), ids=_BAD)
def check_bad_keys(api: Api, body: dict[str, Any], expected: tuple[str, str]) -> None:
    """A key that can't be is 400 at what is wrong with it."""
    expect.invalid(_post(api, **body), expected)


def check_longest(api: Api) -> None:
    """A key ends within the greatest lifetime: two years are too far ahead."""
    expect.invalid(_post(api, name="x", expires_in=2 * 366 * _DAY), ("max_value", "expires_in"))


def check_management_scopes(api: Api, is_admin: bool) -> None:
    """An admin gives every scope; a member no more than api_keys:read and api_keys:rotate."""
    answer = _post(api, name="x", expires_in=3600, scopes=list(_MANAGEMENT))
    if is_admin:
        expect.same(answer.asked, "scopes", set(_MANAGEMENT), set(expect.status(answer, 201).get("scopes")))
    else:
        expect.refusal(answer, 403, "permission_denied", extra={"required_role": "admin"})
    answer = expect.status(_post(api, name="x", expires_in=3600, scopes=list(_MANAGEMENT[:2])), 201)
    expect.same(answer.asked, "scopes", set(_MANAGEMENT[:2]), set(answer.get("scopes")))
