"""Lists: their shape, their order, their pages."""

from typing import Any

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.answer import Mismatch
from keyhouse.conformance.api import COMPANIES, Api

pytestmark = pytest.mark.contract("1")

_LISTS = ("datasets", "api-keys", "companies")
_MOST_PAGES = 10_000


def _path(api: Api, which: str) -> str:
    return f"{COMPANIES}/" if which == "companies" else f"{api.company}/{which}/"


@pytest.fixture(scope="module")
def three(api: Api) -> list[str]:
    """Ids of three datasets, in the order in which they were made."""
    names = ("First", "Second", "Third")
    return [str(api.send("POST", api.datasets, token=api.access, json={"name": name}).get("id")) for name in names]


@pytest.mark.parametrize("which", _LISTS)
def check_shape(api: Api, access: str, which: str) -> None:
    """A list is an object with results and next_cursor."""
    expect.page(api.send("GET", _path(api, which), token=access))


def check_newest_first(api: Api, access: str, three: list[str]) -> None:
    """What was made last comes first."""
    answer = api.send("GET", f"{api.datasets}?limit=3", token=access)
    results, _ = expect.page(answer)
    expect.same(answer.asked, "ids", three[::-1], [item.get("id") for item in results])


def check_pages(api: Api, access: str, three: list[str]) -> None:
    """next_cursor leads through the list, each item once, to a page whose next_cursor is null."""
    seen: list[Any] = []
    path = f"{api.datasets}?limit=2"
    for _ in range(_MOST_PAGES):
        answer = api.send("GET", path, token=access)
        results, cursor = expect.page(answer)
        expect.that(len(results) <= 2, answer.asked, "at most 2 results", len(results))
        seen += [item.get("id") for item in results]
        if cursor is None:
            break
        path = f"{api.datasets}?limit=2&cursor={cursor}"
    else:
        raise Mismatch(path, "an end of the list", f"{_MOST_PAGES} pages")
    expect.same(path, "ids that come twice", 0, len(seen) - len(set(seen)))
    expect.same(path, "the newest ids", three[::-1], seen[:3])


def check_full_last_page(api: Api, access: str, three: list[str]) -> None:
    """A page of one, with more after it, has a next_cursor that leads to the next one."""
    _, cursor = expect.page(api.send("GET", f"{api.datasets}?limit=1", token=access))
    expect.that(cursor, api.datasets, "a next_cursor", cursor)
    answer = api.send("GET", f"{api.datasets}?limit=1&cursor={cursor}", token=access)
    results, _ = expect.page(answer)
    expect.same(answer.asked, "id", three[1], results[0].get("id") if results else None)


@pytest.mark.parametrize("which", _LISTS)
@pytest.mark.parametrize("limit", ["0", "-1", "201", "two", "", "1.5", "99999999999999999999"])
def check_bad_limits(api: Api, access: str, which: str, limit: str) -> None:
    """A limit that is not 1 to 200 is 400 at limit."""
    answer = api.send("GET", f"{_path(api, which)}?limit={limit}", token=access)
    attrs = [entry["attr"] for entry in expect.envelope(answer, 400)]
    expect.same(answer.asked, "attr", ["limit"], attrs)


@pytest.mark.parametrize("limit", ["1", "200"])
def check_good_limits(api: Api, access: str, limit: str) -> None:
    """1 and 200 are limits."""
    expect.page(api.send("GET", f"{api.datasets}?limit={limit}", token=access))


@pytest.mark.parametrize("which", _LISTS)
@pytest.mark.parametrize("cursor", ["", "x", "%00", "AAAAAAAAAAAAAAAAAAAAAA", "..%2F.."])
def check_bad_cursors(api: Api, access: str, which: str, cursor: str) -> None:
    """A cursor that no page gave is 400 at cursor."""
    answer = api.send("GET", f"{_path(api, which)}?cursor={cursor}", token=access)
    attrs = [entry["attr"] for entry in expect.envelope(answer, 400)]
    expect.same(answer.asked, "attr", ["cursor"], attrs)


def check_bad_filter(api: Api, access: str) -> None:
    """A filter that is none is 400 at the filter."""
    answer = api.send("GET", f"{api.api_keys}?status=asleep", token=access)
    attrs = [str(entry["attr"]).partition(".")[0] for entry in expect.envelope(answer, 400)]
    expect.same(answer.asked, "attr", ["status"], attrs)
