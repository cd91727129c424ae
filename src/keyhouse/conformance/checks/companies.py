"""`companies/`, and what happened in one."""

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.api import COMPANIES, Api
from keyhouse.conformance.fixtures import Key

pytestmark = pytest.mark.contract("3")

_COMPANY = ("id", "name", "created_at")
_EVENT = ("id", "at", "action", "actor", "target", "ip", "request_id")


def check_list(api: Api, access: str) -> None:
    """The companies of a user are listed, the target's among them."""
    answer = api.send("GET", f"{COMPANIES}/?limit=200", token=access)
    results, _ = expect.page(answer)
    for company in results:
        expect.members(answer.asked, company, _COMPANY)
    expect.that(
        api.target.company_id in [company["id"] for company in results], answer.asked, "the target's company", results
    )


def check_list_of_a_key(api: Api, key: Key) -> None:
    """A key sees its own company alone."""
    answer = api.send("GET", f"{COMPANIES}/", token=key["token"])
    results, cursor = expect.page(answer)
    expect.same(answer.asked, "ids", [api.target.company_id], [company.get("id") for company in results])
    expect.same(answer.asked, "next_cursor", None, cursor)


def check_one(api: Api, access: str, key: Key) -> None:
    """One company has id, name and created_at, for its users and keys."""
    for token in (access, key["token"]):
        answer = api.send("GET", f"{api.company}/", token=token)
        body = expect.fields(answer, 200, _COMPANY)
        expect.same(answer.asked, "id", api.target.company_id, body["id"])
        expect.moment(answer.asked, "created_at", body["created_at"])


def check_audit_events(api: Api, access: str, dead: Key, is_admin: bool) -> None:
    """An admin reads what happened to a key; a member may not."""
    answer = api.send("GET", f"{api.company}/audit-events/?limit=200", token=access)
    if not is_admin:
        expect.refusal(answer, 403, "permission_denied", extra={"required_scopes": ["audit:read"]})
        return
    results, _ = expect.page(answer)
    for event in results:
        expect.members(answer.asked, event, _EVENT)
        expect.moment(answer.asked, "at", event["at"])
    told = [event["action"] for event in results if (event["target"] or {}).get("id") == dead["id"]]
    for action in ("api_key.created", "api_key.revoked"):
        expect.same(answer.asked, f"{action} of one key, so many times", 1, told.count(action))


def check_audit_events_take_the_scope(api: Api, key: Key) -> None:
    """A key without audit:read does not read them."""
    answer = api.send("GET", f"{api.company}/audit-events/", token=key["token"])
    expect.refusal(answer, 403, "permission_denied", extra={"required_scopes": ["audit:read"]})
