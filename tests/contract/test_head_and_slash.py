"""Contract section 1: HEAD works wherever GET does, and a path without its last slash answers as if it had it."""

import httpx
import pytest

from support.callers import access, key, new_item
from support.envelope import check_conventions
from support.operations import OPERATIONS, Operation
from support.world import World

READS = [one for one in OPERATIONS if one.method == "GET"]


async def path_of(world: World, operation: Operation, item: str | None = None) -> str:
    item = item or await new_item(world, operation.item)
    return operation.path.replace("{company_id}", world.company.id).replace(f"{{{operation.item}}}", item)


def head_of(answer: httpx.Response) -> list[tuple[str, str]]:
    """All of its head but what differs from one request to the next."""
    return [(name, value) for name, value in answer.headers.multi_items() if name != "x-request-id"]


@pytest.mark.parametrize("operation", READS, ids=str)
async def test_head_is_get_without_its_body(shared: World, operation: Operation) -> None:
    path = await path_of(shared, operation)
    admin, none = await access(shared, shared.admin), {}
    reader = await key(shared, shared.admin, scopes=["datasets:write"])
    for who in (admin, reader, none, {"Authorization": "Bearer x"}):
        for query in ("", "?limit=0", "?company_id=x"):
            for at in (path, path[:-1]):
                got = await shared.request("GET", at + query, who)
                head = await shared.request("HEAD", at + query, who)
                assert head.status_code == got.status_code
                assert head.content == b""
                assert head_of(head) == head_of(got)
                check_conventions(head)


async def test_head_of_what_is_not_there(shared: World) -> None:
    for path in ("/api/v1/nothing/", f"{shared.base}/datasets/{shared.company.id}/", "/api/v1/companies/x/"):
        head = await shared.request("HEAD", path, shared.admin)
        assert (head.status_code, head.content) == (404, b"")
        assert head.headers["content-length"] == "102"


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_no_slash_is_a_slash(shared: World, operation: Operation) -> None:
    """For good requests and bad ones; never a redirect, whose Location a Host header could bend."""
    who = await (key if operation.who == "API key" else access)(shared, shared.admin)
    answers = []
    for slash in (True, False):
        path = await path_of(shared, operation)
        answer = await shared.request(
            operation.method,
            path if slash else path[:-1],
            who if operation.path != "/api/v1/auth/logout/" else await access(shared, shared.admin),
            headers={"Host": "attacker.example"},
            **operation.content(operation.body),
        )
        assert not answer.is_redirect
        assert "attacker.example" not in answer.text + str(answer.headers)
        answers.append(answer)
    assert answers[0].status_code == answers[1].status_code
    assert answers[0].headers.keys() == answers[1].headers.keys()
    check_conventions(answers[1])


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_no_slash_is_a_slash_for_errors_too(shared: World, operation: Operation) -> None:
    path = await path_of(shared, operation, shared.company.id)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"):
        with_slash, without = [await shared.request(method, at) for at in (path, path[:-1])]
        assert with_slash.status_code == without.status_code
        assert with_slash.content == without.content
        assert head_of(with_slash) == head_of(without)
        assert not without.is_redirect


async def test_a_query_stays_where_it_is(shared: World) -> None:
    who = await access(shared, shared.admin)
    for path in (f"{shared.base}/datasets?limit=0", f"{shared.base}/datasets/?limit=0"):
        assert (await shared.request("GET", path, who)).json()["errors"][0]["attr"] == "limit"


async def test_two_slashes_are_not_one(shared: World) -> None:
    for path in (f"{shared.base}/datasets//", f"{shared.base}//datasets/", f"//api/v1/companies/{shared.company.id}/"):
        answer = await shared.http.get(f"http://keyhouse.test{path}", headers=shared.admin.headers)
        assert answer.status_code == 404
