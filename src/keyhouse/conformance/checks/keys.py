"""The life of a key: read, listed, renamed, deleted, and by whom."""

import uuid
from typing import Any

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.api import Api
from keyhouse.conformance.checks.creation import KEY
from keyhouse.conformance.fixtures import Key

pytestmark = pytest.mark.contract("3")


def _listed(api: Api, query: str) -> list[dict[str, Any]]:
    """All keys that a query lists, page by page."""
    found: list[dict[str, Any]] = []
    path = f"{api.api_keys}?limit=200{query}"
    cursor: str | None = ""
    while cursor is not None:
        results, cursor = expect.page(api.send("GET", f"{path}&cursor={cursor}" if cursor else path, token=api.access))
        found += results
    return found


def check_one(api: Api, access: str, key: Key) -> None:
    """One key is told without its token."""
    answer = api.send("GET", f"{api.api_keys}{key['id']}/", token=access)
    body = expect.fields(answer, 200, KEY)
    for name in ("id", "name", "scopes", "hint", "created_at", "expires_at", "created_by"):
        expect.same(answer.asked, name, key.get(name), body[name])


def check_list(api: Api, key: Key, dead: Key) -> None:
    """The list has what is active or expired, without a token, and nothing revoked."""
    listed = {item.get("id"): item for item in _listed(api, "")}
    expect.that(key["id"] in listed, api.api_keys, "the key in the list", "no such key")
    expect.members(api.api_keys, listed[key["id"]], KEY)
    expect.none_of(api.api_keys, "the list", [dead["id"]], listed)


@pytest.mark.parametrize(
    ("query", "has_active", "has_revoked"),
    [
        ("status=active", True, False),
        ("status=revoked", False, True),
        ("status=expired", False, False),
        ("status=active&status=revoked", True, True),
    ],
    ids=["active", "revoked", "expired", "active and revoked"],
)
def check_status(api: Api, key: Key, dead: Key, query: str, has_active: bool, has_revoked: bool) -> None:
    """A status filters the list, and may be repeated."""
    found = [item.get("id") for item in _listed(api, f"&{query}")]
    asked = f"GET {api.api_keys}?{query}"
    expect.same(asked, "an active key in it:", has_active, key["id"] in found)
    expect.same(asked, "a revoked key in it:", has_revoked, dead["id"] in found)


def check_rename(api: Api, access: str) -> None:
    """A key may be renamed, and nothing else of it changes."""
    made = api.new_key(name="Before")
    answer = api.send("PATCH", f"{api.api_keys}{made['id']}/", token=access, json={"name": " After "})
    body = expect.fields(answer, 200, KEY)
    expect.same(answer.asked, "name", "After", body["name"])
    for name in ("id", "scopes", "expires_at", "hint", "status"):
        expect.same(answer.asked, name, made.get(name), body[name])
    expect.status(api.send("GET", api.datasets, token=made["token"]), 200)


@pytest.mark.parametrize("field", ["expires_at", "scopes", "created_by", "company_id", "status", "colour"])
def check_unchangeable(api: Api, access: str, key: Key, field: str) -> None:
    """Nothing but the name can be changed."""
    body = {"name": key["name"], field: key.get(field)}
    answer = api.send("PATCH", f"{api.api_keys}{key['id']}/", token=access, json=body)
    expect.invalid(answer, ("invalid", field))


@pytest.mark.parametrize(
    ("method", "rest"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "rotate/")],
    ids=["GET", "PATCH", "DELETE", "POST rotate/"],
)
def check_no_such_key(api: Api, access: str, method: str, rest: str) -> None:
    """A key that is not there, or whose id is none, is 404."""
    body = {"PATCH": {"name": "x"}, "POST": {"expires_in": 3600}}.get(method)
    for key_id in (str(uuid.uuid4()), "not-an-id"):
        answer = api.send(method, f"{api.api_keys}{key_id}/{rest}", token=access, json=body)
        expect.refusal(answer, 404, "not_found")


def check_delete(api: Api, access: str) -> None:
    """DELETE is 204, and again 204; the key is dead, and stands as revoked."""
    made = api.new_key()
    path = f"{api.api_keys}{made['id']}/"
    expect.status(api.send("GET", api.datasets, token=made["token"]), 200)
    answer = expect.status(api.send("DELETE", path, token=access), 204)
    expect.same(answer.asked, "a body of bytes", 0, len(answer.content))
    expect.invalid_token(api.send("GET", api.datasets, token=made["token"]))
    expect.status(api.send("DELETE", path, token=access), 204)
    answer = api.send("GET", path, token=access)
    expect.same(answer.asked, "status", "revoked", answer.get("status"))
    expect.moment(answer.asked, "revoked_at", answer.get("revoked_at"))


def check_delete_itself(api: Api) -> None:
    """A key may always delete itself."""
    made = api.new_key(scopes=["datasets:read"])
    expect.status(api.send("DELETE", f"{api.api_keys}{made['id']}/", token=made["token"]), 204)
    expect.invalid_token(api.send("GET", api.datasets, token=made["token"]))


def check_delete_another(api: Api, manager: Key) -> None:
    """A key may delete no other key."""
    key = api.new_key()
    answer = api.send("DELETE", f"{api.api_keys}{key['id']}/", token=manager["token"])
    expect.refusal(answer, 403, "permission_denied")
    expect.status(api.send("GET", api.datasets, token=key["token"]), 200)


def check_read_by_key(api: Api, key: Key, manager: Key) -> None:
    """A key with api_keys:read reads the company's keys, and renames none."""
    expect.fields(api.send("GET", f"{api.api_keys}{key['id']}/", token=manager["token"]), 200, KEY)
    expect.page(api.send("GET", api.api_keys, token=manager["token"]))
    answer = api.send("PATCH", f"{api.api_keys}{manager['id']}/", token=manager["token"], json={"name": "x"})
    expect.refusal(answer, 403, "permission_denied")


def check_token_is_shown_once(api: Api, access: str, key: Key) -> None:
    """A token is in the answer that makes the key, and in no other."""
    for path in (f"{api.api_keys}{key['id']}/", f"{api.api_keys}?limit=200"):
        answer = api.send("GET", path, token=access)
        expect.that(key["token"] not in answer.text(), answer.asked, "an answer without the token", "the token")
