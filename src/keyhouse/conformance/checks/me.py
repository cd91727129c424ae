"""`GET auth/me/`: who a token speaks for."""

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.api import AUTH, Api
from keyhouse.conformance.fixtures import Key

pytestmark = pytest.mark.contract("3")

_ME = ("user", "companies", "credential")
_CREDENTIAL = ("type", "id", "name", "company_id", "scopes", "expires_at")
_ROLES = {"admin", "member"}


def check_access_token(api: Api, access: str) -> None:
    """me/ tells whose an access token is, in which companies and as what."""
    answer = api.send("GET", f"{AUTH}/me/", token=access)
    body = expect.fields(answer, 200, _ME)
    user = expect.members(answer.asked, body["user"], ("id", "email"))
    expect.same(answer.asked, "user.email", api.target.email.lower(), str(user["email"]).lower())
    credential = expect.members(answer.asked, body["credential"], _CREDENTIAL)
    expect.same(answer.asked, "credential.type", "access_token", credential["type"])
    found = [expect.members(answer.asked, company, ("id", "name", "role")) for company in body["companies"]]
    mine = [company for company in found if company["id"] == api.target.company_id]
    expect.same(answer.asked, "the company, so many times", 1, len(mine))
    expect.that(mine[0]["role"] in _ROLES, answer.asked, "the role admin or member", mine[0]["role"])


def check_api_key(api: Api, key: Key) -> None:
    """me/ tells of an API key its own company, id, name, scopes and end."""
    answer = api.send("GET", f"{AUTH}/me/", token=key["token"])
    body = expect.fields(answer, 200, _ME)
    expect.same(
        answer.asked, "companies", [api.target.company_id], [company.get("id") for company in body["companies"]]
    )
    credential = expect.members(answer.asked, body["credential"], _CREDENTIAL)
    expect.same(answer.asked, "credential.type", "api_key", credential["type"])
    for name in ("id", "name", "company_id", "scopes", "expires_at"):
        expect.same(answer.asked, f"credential.{name}", key.get(name), credential[name])


def check_dead(api: Api, dead: Key) -> None:
    """me/ tells nothing to a revoked key."""
    expect.invalid_token(api.send("GET", f"{AUTH}/me/", token=dead["token"]))
