"""Contract sections 2 and 3: companies are walled off, for every route, role and credential."""

import pytest

from keyhouse import create_app
from keyhouse.db.base import new_id
from support.callers import Others, access, key, new_item
from support.envelope import INVALID_TOKEN, NOT_FOUND, check_conventions, errors_of
from support.operations import OPERATIONS, Operation, listed
from support.world import World, settings_for

IN_COMPANY = [operation for operation in OPERATIONS if operation.in_company]
OF_ITEMS = [operation for operation in OPERATIONS if operation.item]
CALLERS = ("admin", "member", "key", "reader")
STRANGERS = ("other admin", "other key", "nobody", "own admin's key of the other company")
FORMS = (
    "{upper}",
    "{plain}",
    "%7B{id}%7D",
    "urn:uuid:{id}",
    "{id}%00",
    "%00",
    "{id}%0A",
    "%20{id}",
    "{id}%20",
    "{id}.",
    "{id}%2F",
    "%2F",
    "x%2Fy",
    "%2E",
    "%2E%2E",
    "{id}%2E%2E",
    "%2E%2E%2F{id}",
    "%FF",
    "%ED%A0%80",
    "%C0%AF",
    "%25",
    "0",
    "null",
    "{id};x",
    "{id}%3Fx",
    "\uff11\uff12\uff13",
    "x" * 3000,
)


def malformed(ident: str) -> list[str]:
    """Texts that are no id in its one form, some of them the id in another."""
    return [form.format(id=ident, upper=ident.upper(), plain=ident.replace("-", "")) for form in FORMS]


async def headers_of(world: World, strangers: Others, caller: str) -> dict[str, str]:
    made = {
        "admin": lambda: access(world, world.admin),
        "member": lambda: access(world, world.member),
        "key": lambda: key(world, world.admin),
        "reader": lambda: key(world, world.admin, scopes=["datasets:read"]),
        "other admin": lambda: access(world, strangers.admin),
        "other key": lambda: key(world, strangers.admin, strangers.company),
        "nobody": lambda: access(world, strangers.nobody),
        "own admin's key of the other company": lambda: key(world, strangers.both, strangers.company),
    }
    return await made[caller]()


def test_every_operation_is_listed() -> None:
    app = create_app(settings_for("sqlite:////nowhere"))
    assert listed(app) == {(operation.method, operation.path) for operation in OPERATIONS}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_each_role_and_credential_in_its_own_company(
    shared: World, strangers: Others, operation: Operation, caller: str
) -> None:
    path = operation.path.replace("{company_id}", shared.company.id)
    path = path.replace(f"{{{operation.item}}}", await new_item(shared, operation.item))
    who = await headers_of(shared, strangers, caller)
    answer = await shared.request(operation.method, path, who, **operation.content(operation.body))
    assert answer.status_code == operation.statuses[CALLERS.index(caller)], answer.text
    if answer.status_code == 404:
        assert answer.content == NOT_FOUND
    if answer.is_success:
        check_conventions(answer)
    else:
        errors_of(answer)
    if answer.status_code == 204:
        assert answer.content == b""


@pytest.mark.parametrize("caller", STRANGERS)
@pytest.mark.parametrize("operation", IN_COMPANY, ids=str)
async def test_nobody_of_another_company_sees_anything(
    shared: World, strangers: Others, operation: Operation, caller: str
) -> None:
    made = await new_item(shared, operation.item)
    path = operation.path.replace("{company_id}", shared.company.id)
    who = await headers_of(shared, strangers, caller)
    for item in (made, new_id()):
        at = path.replace(f"{{{operation.item}}}", item)
        answer = await shared.request(operation.method, at, who, **operation.content(operation.body))
        assert (answer.status_code, answer.content) == (404, NOT_FOUND)
        errors_of(answer)


@pytest.mark.parametrize("operation", IN_COMPANY, ids=str)
async def test_a_company_that_is_not_ones_own_does_not_exist(
    shared: World, strangers: Others, operation: Operation
) -> None:
    """Another company's id, one that nobody has, and what is no id: the same bytes, for every caller."""
    item = await new_item(shared, operation.item)
    theirs = await new_item(shared, operation.item, strangers)
    for caller in CALLERS:
        who = await headers_of(shared, strangers, caller)
        for company_id in (strangers.company.id, new_id(), *malformed(shared.company.id)):
            for ident in {item, theirs}:
                path = operation.path.replace("{company_id}", company_id).replace(f"{{{operation.item}}}", ident)
                answer = await shared.request(operation.method, path, who, **operation.content(operation.body))
                assert (answer.status_code, answer.content) == (404, NOT_FOUND), (caller, path)
                errors_of(answer)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("operation", OF_ITEMS, ids=str)
async def test_an_id_of_another_company_is_as_unknown_as_any(
    shared: World, strangers: Others, operation: Operation, caller: str
) -> None:
    """In one's own company: an id of another company's, one that nobody has, and what is no id."""
    theirs = await new_item(shared, operation.item, strangers)
    own = await new_item(shared, operation.item)
    who = await headers_of(shared, strangers, caller)
    base = operation.path.replace("{company_id}", shared.company.id)

    async def ask(ident: str) -> tuple[int, bytes]:
        path = base.replace(f"{{{operation.item}}}", ident)
        answer = await shared.request(operation.method, path, who, **operation.content(operation.body))
        errors_of(answer)
        return answer.status_code, answer.content

    # An API key touches no key but itself: it is told so, whether there is such a key or not.
    allowed = operation.statuses[CALLERS.index(caller)] != 403
    unknown = await ask(new_id())
    assert unknown[0] == (404 if allowed else 403)
    assert await ask(theirs) == unknown
    for ident in malformed(own):
        status, content = await ask(ident)
        assert (status, content) in (unknown, (404, NOT_FOUND)), ident


@pytest.mark.parametrize("operation", IN_COMPANY, ids=str)
async def test_without_credentials_no_company_can_be_told_from_another(
    shared: World, strangers: Others, operation: Operation
) -> None:
    for company_id in (shared.company.id, strangers.company.id, new_id(), "x", shared.company.id.upper()):
        path = operation.path.replace("{company_id}", company_id).replace(f"{{{operation.item}}}", new_id())
        for headers in ({}, {"Authorization": "Bearer x"}):
            answer = await shared.request(operation.method, path, headers, **operation.content(operation.body))
            assert answer.status_code == 401
            assert (answer.content == INVALID_TOKEN) == bool(headers)
            errors_of(answer)


async def test_lists_show_ones_own_company_alone(shared: World, strangers: Others) -> None:
    there = await headers_of(shared, strangers, "other admin")
    here = await access(shared, shared.admin)
    for what in ("api-keys", "datasets", "audit-events"):
        mine = (await shared.request("GET", f"{shared.base}/{what}/?limit=200", here)).json()["results"]
        theirs = (
            await shared.request("GET", f"/api/v1/companies/{strangers.company.id}/{what}/?limit=200", there)
        ).json()["results"]
        assert mine
        assert {one["id"] for one in mine}.isdisjoint(one["id"] for one in theirs)
    for who, company in ((here, shared.company), (there, strangers.company)):
        seen = (await shared.request("GET", "/api/v1/companies/", who)).json()["results"]
        assert [one["id"] for one in seen] == [company.id]
    both = await access(shared, strangers.both)
    seen = (await shared.request("GET", "/api/v1/companies/", both)).json()["results"]
    assert {one["id"] for one in seen} == {shared.company.id, strangers.company.id}
    limited = await key(shared, strangers.both, strangers.company)
    for path in ("/api/v1/companies/", "/api/v1/auth/me/"):
        answer = (await shared.request("GET", path, limited)).json()
        assert [one["id"] for one in answer.get("results") or answer["companies"]] == [strangers.company.id]
    assert (await shared.request("GET", "/api/v1/companies/", await access(shared, strangers.nobody))).json() == {
        "results": [],
        "next_cursor": None,
    }


@pytest.mark.parametrize("caller", CALLERS)
async def test_a_proxy_learns_of_other_companies_what_it_learns_of_none(
    shared: World, strangers: Others, caller: str
) -> None:
    who = await headers_of(shared, strangers, caller)
    path = "/api/v1/auth/verify/"
    own = await shared.request("GET", f"{path}?company_id={shared.company.id}", who)
    assert (own.status_code, own.headers["x-auth-company"]) == (204, shared.company.id)
    answers = set()
    for company_id in ("", strangers.company.id, new_id(), *malformed(shared.company.id)):
        answer = await shared.request("GET", f"{path}?company_id={company_id}", who)
        errors_of(answer)
        answers.add((answer.status_code, answer.content))
    assert len(answers) == 1
    assert answers.pop()[0] == 403


async def test_introspection_tells_nothing_of_another_companys_key(shared: World, strangers: Others) -> None:
    who = await key(shared, shared.admin)
    theirs = await key(shared, strangers.admin, strangers.company)
    path = "/api/v1/auth/introspect/"

    async def ask(token: str, asker: dict[str, str]) -> tuple[int, bytes]:
        answer = await shared.request("POST", path, asker, data={"token": token})
        return answer.status_code, answer.content

    inactive = (200, b'{"active":false}')
    token = theirs["Authorization"].removeprefix("Bearer ")
    assert b'"active":true' in (await ask(token, theirs))[1]
    assert await ask(token, who) == inactive
    assert await ask(token[:-4], who) == inactive
    assert await ask("x", who) == inactive
