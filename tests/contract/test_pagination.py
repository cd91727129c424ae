"""Contract section 1: lists are newest first, in pages that lose nothing and repeat nothing."""

from dataclasses import dataclass
from typing import Any

import pytest

from support.callers import Others, access, key
from support.world import World

LISTS = ("datasets", "api-keys", "audit-events")


async def page(world: World, path: str, who: dict[str, str], **query: Any) -> dict[str, Any]:
    answer = await world.request("GET", path, who, params=query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert list(told) == ["results", "next_cursor"]
    return told


async def walk(world: World, path: str, who: dict[str, str], limit: int, **query: Any) -> list[list[str]]:
    """The ids of all pages, each but the last as long as the limit."""
    pages, cursor = [], {}
    while True:
        told = await page(world, path, who, limit=limit, **cursor, **query)
        pages.append([item["id"] for item in told["results"]])
        if told["next_cursor"] is None:
            return pages
        assert len(pages[-1]) == limit
        cursor = {"cursor": told["next_cursor"]}


@dataclass(frozen=True, slots=True)
class Paged:
    """A company with some of everything; the ids are newest first."""

    base: str
    who: dict[str, str]
    datasets: list[str]
    keys: list[str]

    def ids(self, what: str) -> list[str] | None:
        return {"datasets": self.datasets, "api-keys": self.keys}.get(what)


async def paged(world: World, count: int) -> Paged:
    """A new company with so many datasets, keys and events."""
    company = await world.new_company("Paged")
    person = await world.new_person(f"{company.id}@example.com", company, "admin", log_in=False)
    made = Paged(f"/api/v1/companies/{company.id}", await access(world, person), [], [])
    for _ in range(count):
        for ids, what, body in ((made.datasets, "datasets", {}), (made.keys, "api-keys", {"expires_in": 3600})):
            answer = await world.request("POST", f"{made.base}/{what}/", made.who, json={"name": "x", **body})
            ids.insert(0, answer.json()["id"])
    return made


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 200])
async def test_every_item_is_on_one_page(shared: World, limit: int) -> None:
    made = await paged(shared, 6)
    for what in LISTS:
        pages = await walk(shared, f"{made.base}/{what}/", made.who, limit)
        found = [one for ids_of_page in pages for one in ids_of_page]
        assert found == sorted(found, reverse=True)
        assert len(set(found)) == len(found) == 6
        assert made.ids(what) in (None, found)
        # When the last page is full, there is no empty one after it.
        assert len(pages) == -(-6 // limit)


async def test_fifty_by_default(shared: World) -> None:
    made = await paged(shared, 51)
    for what in LISTS:
        first = await page(shared, f"{made.base}/{what}/", made.who)
        assert len(first["results"]) == 50
        rest = await page(shared, f"{made.base}/{what}/", made.who, cursor=first["next_cursor"])
        assert (len(rest["results"]), rest["next_cursor"]) == (1, None)
        assert rest["results"][0]["id"] not in {one["id"] for one in first["results"]}


async def test_what_comes_and_goes_meanwhile_moves_nothing(shared: World) -> None:
    made = await paged(shared, 4)
    path = f"{made.base}/datasets/"
    first = await page(shared, path, made.who, limit=2)
    assert (await shared.request("POST", path, made.who, json={"name": "newer"})).status_code == 201
    # The very item at which the page ended.
    assert (await shared.request("DELETE", f"{path}{made.datasets[1]}/", made.who)).status_code == 204
    second = await page(shared, path, made.who, limit=2, cursor=first["next_cursor"])
    assert [one["id"] for one in second["results"]] == made.datasets[2:]
    assert second["next_cursor"] is None


async def test_a_list_without_items(shared: World) -> None:
    made = await paged(shared, 0)
    for what in LISTS:
        assert await page(shared, f"{made.base}/{what}/", made.who) == {"results": [], "next_cursor": None}


async def test_companies(shared: World, strangers: Others) -> None:
    who = await access(shared, strangers.both)
    pages = await walk(shared, "/api/v1/companies/", who, 1)
    assert pages == [[strangers.company.id], [shared.company.id]]


async def test_a_cursor_shows_no_more_than_its_bearer_may_see(shared: World, strangers: Others) -> None:
    made = await paged(shared, 2)
    told = await page(shared, f"{made.base}/datasets/", made.who, limit=1)
    other = f"/api/v1/companies/{strangers.company.id}/datasets/"
    theirs = await page(shared, other, await access(shared, strangers.admin), cursor=told["next_cursor"])
    assert theirs["results"] == []


async def test_keys_by_their_status(world: World) -> None:
    path = f"{world.base}/api-keys/"
    names = {}
    for name, seconds in (("active", 7200), ("revoked", 7200), ("expired", 60), ("revoked after its end", 60)):
        names[(await world.new_key(name=name, expires_in=seconds))["id"]] = name
    retired = await world.new_key(name="retired", expires_in=7200)
    names[retired["id"]] = "retired"
    rotation = f"{path}{retired['id']}/rotate/"
    made = await world.request("POST", rotation, world.admin, json={"expires_in": 7200, "overlap": 0})
    names[made.json()["id"]] = "successor"
    used = {"Authorization": f"Bearer {made.json()['token']}"}
    assert (await world.request("GET", f"{world.base}/datasets/", used)).status_code == 200
    world.clock.advance(61)
    for one, name in names.items():
        if name.startswith("revoked"):
            assert (await world.request("DELETE", f"{path}{one}/", world.admin)).status_code == 204
    active, expired = {"active", "successor"}, {"expired", "retired"}
    revoked = {"revoked", "revoked after its end"}
    for statuses, expected in (
        ([], active | expired),
        (["active"], active),
        (["expired"], expired),
        (["revoked"], revoked),
        (["active", "revoked"], active | revoked),
        (["revoked", "expired", "active"], active | expired | revoked),
        (["active", "active"], active),
    ):
        told = await page(world, path, world.admin.headers, **({"status": statuses} if statuses else {}))
        assert {names[one["id"]] for one in told["results"]} == expected
        for one in told["results"]:
            kind = "active" if names[one["id"]] in active else "expired" if names[one["id"]] in expired else "revoked"
            assert one["status"] == kind
        query = {"status": statuses} if statuses else {}
        pages = await walk(world, path, world.admin.headers, 1, **query)
        assert [one for ids in pages for one in ids] == [one["id"] for one in told["results"]]


async def test_a_member_sees_their_own_keys_and_a_key_all(shared: World) -> None:
    path = f"{shared.base}/api-keys/"
    await shared.new_key(name="the admin's")
    mine = await shared.new_key(shared.member, name="the member's")
    told = await page(shared, path, shared.member.headers)
    assert {one["name"] for one in told["results"]} == {"the member's"}
    assert mine["created_by"] == {"id": shared.member.user.id, "email": shared.member.user.email}
    reading = await key(shared, shared.member, scopes=["api_keys:read"])
    names = {one["name"] for one in (await page(shared, path, reading))["results"]}
    assert names >= {"the admin's", "the member's"}
