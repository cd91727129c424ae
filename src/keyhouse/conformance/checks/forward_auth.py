"""`GET auth/verify/`: the guard's verdict for a proxy."""

import uuid

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.api import AUTH, COMPANIES, Api
from keyhouse.conformance.fixtures import Key

pytestmark = pytest.mark.contract("3")

_VERIFY = f"{AUTH}/verify/"


def check_key(api: Api, key: Key) -> None:
    """A live key is 204, and X-Auth-* say whose it is and what it may."""
    answer = expect.status(api.send("GET", f"{_VERIFY}?company_id={api.target.company_id}", token=key["token"]), 204)
    expect.header(answer, "X-Auth-User", key["created_by"]["id"])
    expect.header(answer, "X-Auth-Company", api.target.company_id)
    expect.header(answer, "X-Auth-Credential", key["id"])
    expect.same(answer.asked, "X-Auth-Scopes", sorted(key["scopes"]), answer.headers.get("X-Auth-Scopes", "").split())


def check_access_token(api: Api, access: str) -> None:
    """An access token is 204, with or without a company."""
    expect.status(api.send("GET", _VERIFY, token=access), 204)
    expect.status(api.send("GET", f"{_VERIFY}?company_id={api.target.company_id}", token=access), 204)


def check_nobody(api: Api, dead: Key) -> None:
    """Without a live token it is the guard's own 401."""
    expect.refusal(api.send("GET", _VERIFY), 401, "not_authenticated")
    expect.invalid_token(api.send("GET", _VERIFY, token=dead["token"]))


def check_scope(api: Api, reader: Key) -> None:
    """A scope that is asked for and lacking is 403."""
    expect.status(api.send("GET", f"{_VERIFY}?scope=datasets:read", token=reader["token"]), 204)
    asked = f"{_VERIFY}?scope=datasets:read&scope=datasets:write"
    expect.envelope(api.send("GET", asked, token=reader["token"]), 403)


@pytest.mark.parametrize("company_id", ["another", "not-an-id", "", "twice"])
def check_company(api: Api, key: Key, company_id: str) -> None:
    """A company that is not the key's is 403: proxies know no 404."""
    value = str(uuid.uuid4()) if company_id == "another" else company_id
    query = f"company_id={value}"
    if company_id == "twice":
        query = f"company_id={api.target.company_id}&company_id={uuid.uuid4()}"
    expect.refusal(api.send("GET", f"{_VERIFY}?{query}", token=key["token"]), 403, "permission_denied")


@pytest.mark.parametrize(
    "path", ["%2e%2e/x/", "a//b/", "./x/", "../x/", "a%00/", "a\\b/"], ids=["%", "//", ".", "..", "%00", "a backslash"]
)
def check_uri(api: Api, key: Key, path: str) -> None:
    """The URI of a proxy in any but its exact form is 403, whoever sent it."""
    headers = [("X-Forwarded-Uri", f"{api.company}/{path}")]
    answer = api.send("GET", f"{_VERIFY}?company=uri", token=key["token"], headers=headers)
    expect.refusal(answer, 403, "permission_denied")


def check_two_uris(api: Api, key: Key) -> None:
    """Both headers with a URI are 403, and so is none."""
    uri = f"{api.company}/datasets/"
    both = [("X-Forwarded-Uri", uri), ("X-Original-URI", uri)]
    for headers in (both, []):
        answer = api.send("GET", f"{_VERIFY}?company=uri", token=key["token"], headers=headers)
        expect.refusal(answer, 403, "permission_denied")


def check_foreign_uri(api: Api, key: Key) -> None:
    """The URI of another company is 403, whoever sent it."""
    headers = [("X-Original-URI", f"{COMPANIES}/{uuid.uuid4()}/datasets/")]
    answer = api.send("GET", f"{_VERIFY}?company=uri", token=key["token"], headers=headers)
    expect.refusal(answer, 403, "permission_denied")
