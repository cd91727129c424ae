"""`POST api-keys/<id>/rotate/`: a successor, and what becomes of the key before."""

from typing import Any

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.answer import Answer
from keyhouse.conformance.api import KEY_SECONDS, Api
from keyhouse.conformance.checks.creation import KEY
from keyhouse.conformance.fixtures import Key

pytestmark = pytest.mark.contract("3")


def _rotate(api: Api, key: Key, token: str | None = None, **body: Any) -> Answer:
    values = {"expires_in": KEY_SECONDS, **body}
    return api.send("POST", f"{api.api_keys}{key['id']}/rotate/", token=token or api.access, json=values)


def _read(api: Api, key_id: object) -> Answer:
    return api.send("GET", f"{api.api_keys}{key_id}/", token=api.access)


def _use(api: Api, token: object) -> Answer:
    return api.send("GET", api.datasets, token=str(token))


def check_successor(api: Api) -> None:
    """The successor has the name and the scopes, its own token, and both name each other."""
    former = api.new_key(name="Rotated", scopes=["datasets:read"])
    answer = _rotate(api, former)
    body = expect.fields(answer, 201, (*KEY, "token"))
    expect.same(answer.asked, "name", "Rotated", body["name"])
    expect.same(answer.asked, "scopes", ["datasets:read"], body["scopes"])
    expect.same(answer.asked, "replaces", former["id"], body["replaces"])
    expect.header(answer, "Location", f"{api.api_keys}{body['id']}/")
    expect.that(body["token"] != former["token"], answer.asked, "another token", "the same")
    read = _read(api, former["id"])
    expect.same(read.asked, "replaced_by", body["id"], read.get("replaced_by"))


def check_unused_successor(api: Api) -> None:
    """Until the successor is used the former key lives on, even with an overlap of 0."""
    former = api.new_key()
    expect.status(_rotate(api, former, overlap=0), 201)
    expect.status(_use(api, former["token"]), 200)
    read = _read(api, former["id"])
    expect.same(read.asked, "retires_at", None, read.get("retires_at"))
    expect.same(read.asked, "status", "active", read.get("status"))


def check_retired(api: Api) -> None:
    """With an overlap of 0 the former key is 401 once the successor is used, and stands as expired."""
    former = api.new_key()
    successor = expect.status(_rotate(api, former, overlap=0), 201)
    expect.status(_use(api, former["token"]), 200)
    expect.status(_use(api, successor.get("token")), 200)
    expect.invalid_token(_use(api, former["token"]))
    expect.status(_use(api, successor.get("token")), 200)
    read = _read(api, former["id"])
    expect.same(read.asked, "status", "expired", read.get("status"))
    expect.moment(read.asked, "retires_at", read.get("retires_at"))


def check_overlap(api: Api) -> None:
    """With an overlap the former key lives on, and says until when."""
    former = api.new_key()
    successor = expect.status(_rotate(api, former, overlap=600), 201)
    expect.status(_use(api, successor.get("token")), 200)
    expect.status(_use(api, former["token"]), 200)
    read = _read(api, former["id"])
    expect.moment(read.asked, "retires_at", read.get("retires_at"))
    expect.same(read.asked, "status", "active", read.get("status"))


def check_once(api: Api) -> None:
    """A key is rotated once: again is 409 conflict."""
    former = api.new_key()
    expect.status(_rotate(api, former), 201)
    expect.refusal(_rotate(api, former), 409, "conflict")


def check_dead(api: Api, dead: Key) -> None:
    """A revoked key is not rotated: 409 conflict."""
    expect.refusal(_rotate(api, dead), 409, "conflict")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({"expires_in": None}, ("null", "expires_in"), id="no end"),
        pytest.param({"expires_in": 59}, ("min_value", "expires_in"), id="59 seconds"),
        pytest.param({"overlap": -1}, ("min_value", "overlap"), id="an overlap of -1"),
        pytest.param({"overlap": 604801}, ("max_value", "overlap"), id="an overlap of more than a week"),
        pytest.param({"overlap": "0"}, ("invalid", "overlap"), id="an overlap in quotes"),
        pytest.param({"name": "x"}, ("invalid", "name"), id="a name"),
        pytest.param({"scopes": ["datasets:write"]}, ("invalid", "scopes"), id="scopes"),
    ],
)
def check_bad_rotations(api: Api, body: dict[str, Any], expected: tuple[str, str]) -> None:
    """A rotation that can't be is 400 at what is wrong with it, and nothing was rotated."""
    key = api.new_key()
    expect.invalid(_rotate(api, key, **body), expected)
    read = _read(api, key["id"])
    expect.same(read.asked, "replaced_by", None, read.get("replaced_by"))


def check_itself(api: Api) -> None:
    """A key with api_keys:rotate rotates itself, for as long as it was made for and no longer."""
    former = api.new_key(scopes=["api_keys:rotate", "datasets:read"], expires_in=1800)
    longer = _rotate(api, former, former["token"], expires_in=1801)
    expect.same(longer.asked, "attr", "expires_in", expect.envelope(longer, 400)[0]["attr"])
    successor = expect.status(_rotate(api, former, former["token"], expires_in=1800), 201)
    expect.same(successor.asked, "scopes", set(former["scopes"]), set(successor.get("scopes")))


def check_not_itself(api: Api, reader: Key) -> None:
    """A key without api_keys:rotate does not rotate itself."""
    answer = _rotate(api, reader, reader["token"])
    expect.refusal(answer, 403, "permission_denied", extra={"required_scopes": ["api_keys:rotate"]})


def check_another(api: Api, manager: Key) -> None:
    """A key rotates no other key."""
    expect.refusal(_rotate(api, api.new_key(), manager["token"]), 403, "permission_denied")


@pytest.mark.parametrize("by", ["the key", "a user"])
def check_delete_of_the_former(api: Api, access: str, by: str) -> None:
    """Who deletes a key deletes what it made of itself, and not what a user made of it."""
    former = api.new_key(scopes=["api_keys:rotate", "datasets:read"])
    token = former["token"] if by == "the key" else access
    successor = expect.status(_rotate(api, former, token), 201).get("token")
    expect.status(api.send("DELETE", f"{api.api_keys}{former['id']}/", token=access), 204)
    if by == "the key":
        expect.invalid_token(_use(api, successor))
    else:
        expect.status(_use(api, successor), 200)


def check_retired_token_is_handed_in(api: Api) -> None:
    """The token of a retired key that is handed in to revoke/ does not touch its successor."""
    former = api.new_key()
    successor = expect.status(_rotate(api, former, overlap=0), 201).get("token")
    expect.status(_use(api, successor), 200)
    form = {"token": former["token"]}
    expect.status(api.patiently(lambda: api.send("POST", "/api/v1/auth/revoke/", form=form)), 200)
    expect.status(_use(api, successor), 200)
