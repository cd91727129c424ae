"""Contract section 1: limits, cursors, filters and paths that are none; each is told at its name, none is a 500."""

import base64

import pytest

from keyhouse.db.base import new_id
from keyhouse.http.fields import encode_cursor
from support.callers import access, key
from support.envelope import NOT_FOUND, assert_error, errors_of
from support.operations import DATASETS, KEYS
from support.world import World

LISTS = [KEYS, DATASETS, "/api/v1/companies/{company_id}/audit-events/", "/api/v1/companies/"]
NUMBER = ("invalid", "A valid integer is required.")
LEAST = ("min_value", "Ensure this value is greater than or equal to 1.")
MOST = ("max_value", "Ensure this value is less than or equal to 200.")
LIMITS = {
    "": NUMBER,
    "x": NUMBER,
    "1.5": NUMBER,
    "1e2": NUMBER,
    "0x10": NUMBER,
    "1,5": NUMBER,
    "true": NUMBER,
    "null": NUMBER,
    "NaN": NUMBER,
    "-": NUMBER,
    "%00": NUMBER,
    "1%00": NUMBER,
    "%FF": NUMBER,
    "%ED%A0%80": NUMBER,
    "9" * 5000: NUMBER,
    "0": LEAST,
    "-1": LEAST,
    "-9223372036854775808": LEAST,
    "201": MOST,
    "2147483648": MOST,
    "9223372036854775807": MOST,
    "9223372036854775808": MOST,
    "1" + "0" * 400: MOST,
}


def cursor_of(text: str | bytes) -> str:
    raw = text if isinstance(text, bytes) else text.encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


CURSORS = {
    "empty": "",
    "a word": "x",
    "one character": "A",
    "no base64": "%C3%A9",
    "standard base64": "%2B%2F%2B%2F",
    "an id as it is": "0189f7c0-0000-7000-8000-000000000000",
    "an id in upper case": cursor_of(new_id().upper()),
    "an id with NUL": cursor_of(new_id() + "\0"),
    "an id and more": cursor_of(new_id() + " OR 1=1"),
    "no id": cursor_of("x" * 36),
    "bytes": cursor_of(b"\xff" * 36),
    "a lone surrogate": cursor_of("\ud800".encode("utf-8", "surrogatepass") * 12),
    "padded": encode_cursor(new_id()) + "%3D",
    "with a space": encode_cursor(new_id()) + "%20",
    "with a line break": encode_cursor(new_id()) + "%0A",
    "with NUL": encode_cursor(new_id()) + "%00",
    "another spelling": encode_cursor(new_id() + "\0")[:-2] + "B",
    "long": "A" * 10_000,
}


def at(world: World, path: str) -> str:
    return path.replace("{company_id}", world.company.id)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit[:30])
@pytest.mark.parametrize("path", LISTS)
async def test_a_bad_limit(shared: World, path: str, limit: str) -> None:
    answer = await shared.request("GET", f"{at(shared, path)}?limit={limit}", shared.admin)
    code, detail = LIMITS[limit]
    if len(limit) > 300 and answer.json()["errors"][0]["code"] != code:
        # How many digits are a number is the parser's to say.
        code, detail = NUMBER
    assert_error(answer, code, detail=detail, attr="limit")


@pytest.mark.parametrize("why", CURSORS)
@pytest.mark.parametrize("path", LISTS)
async def test_a_bad_cursor(shared: World, path: str, why: str) -> None:
    answer = await shared.request("GET", f"{at(shared, path)}?cursor={CURSORS[why]}", shared.admin)
    assert_error(answer, "invalid", detail="Invalid cursor.", attr="cursor")


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("dead", "dead"),
        ("", ""),
        ("ACTIVE", "ACTIVE"),
        ("active,expired", "active,expired"),
        ("x" * 500, "x" * 100),
        ("%00", "\0"),
        ("%FF", "\ufffd"),
        ("%F0%9F%94%91", "\U0001f511"),
        ("%22", '"'),
    ],
)
async def test_a_bad_status(shared: World, status: str, told: str) -> None:
    who = await access(shared, shared.admin)
    for query in (f"status={status}", f"status=active&status={status}", f"status={status}&status=revoked"):
        answer = await shared.request("GET", f"{at(shared, KEYS)}?{query}", who)
        assert_error(answer, "invalid_choice", detail=f'"{told}" is not a valid choice.', attr="status")


async def test_all_that_is_wrong_with_a_query_is_told_at_once(shared: World) -> None:
    answer = await shared.request("GET", f"{at(shared, KEYS)}?limit=0&status=x&status=y&cursor=x", shared.admin)
    assert answer.status_code == 400
    assert sorted(entry["attr"] for entry in errors_of(answer)) == ["cursor", "limit", "status", "status"]


@pytest.mark.parametrize(
    "query", ["unknown=1", "limit=5&limit=7", "%00=x", "%FF=%FF", "&&&", "=", "a" * 8000, "limit=%35"]
)
async def test_what_else_is_in_a_query_changes_nothing(shared: World, query: str) -> None:
    for path in LISTS:
        assert (await shared.request("GET", f"{at(shared, path)}?{query}", shared.admin)).status_code == 200


SEGMENTS = [
    "%00",
    "%2F",
    "%5C",
    "%25",
    "%2E",
    "%2E%2E",
    "%0A",
    "%7F",
    "%C2%85",
    "%FF",
    "%ED%A0%80",
    "%F0%9F%94%91",
    "*",
    "~",
    "x" * 5000,
]


@pytest.mark.parametrize("segment", SEGMENTS, ids=lambda segment: segment[:20])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
async def test_a_path_that_leads_nowhere(shared: World, method: str, segment: str) -> None:
    """Wherever the segment stands: 404 or 405, in the envelope, for who is nobody too if there is no such route."""
    who = await key(shared, shared.admin)
    for path in (
        f"/api/{segment}/",
        f"/api/v1/{segment}/",
        f"/api/v1/auth/{segment}/",
        f"/api/v1/companies/{segment}/",
        f"/api/v1/companies/{segment}/datasets/",
        f"{shared.base}/{segment}/",
        f"{shared.base}/datasets/{segment}/",
        f"{shared.base}/datasets/{segment}/{segment}/",
    ):
        answer = await shared.request(
            method, path, who, headers={"Content-Type": "application/json"}, content=b'{"name":"x"}'
        )
        assert answer.status_code in {404, 405}, (path, answer.text)
        assert answer.content == NOT_FOUND or answer.status_code == 405
        errors_of(answer)


@pytest.mark.parametrize(
    "query",
    [
        "company_id=",
        "company_id=x",
        "company_id=%00",
        "company_id=%FF",
        "company=uri",
        "company=x",
        "company=",
        "company_id={id}&company_id={id}",
        "company_id={id}&company=uri",
        "scope=%00",
        "scope=%22",
        "scope=%C3%A9",
        "scope=%F0%9F%94%91",
        "scope=%FF",
        "scope=" + "x" * 5000,
    ],
    ids=lambda query: query[:40],
)
async def test_what_a_proxy_can_ask_badly(shared: World, query: str) -> None:
    answer = await shared.request(
        "GET", f"/api/v1/auth/verify/?{query.format(id=shared.company.id)}", await key(shared, shared.admin)
    )
    (entry,) = errors_of(answer)
    assert (answer.status_code, entry["code"], entry["extra"]) == (403, "permission_denied", None)
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize(
    ("query", "scopes"),
    [
        ("scope=fly", ["fly"]),
        ("scope=datasets:read&scope=fly", ["datasets:read", "fly"]),
        ("scope=datasets:read%20fly", ["datasets:read", "fly"]),
        ("scope=datasets:read%20%22&scope=%FF", ["datasets:read"]),
    ],
)
async def test_a_proxy_is_told_what_is_lacking(shared: World, query: str, scopes: list[str]) -> None:
    answer = await shared.request("GET", f"/api/v1/auth/verify/?{query}", await key(shared, shared.admin))
    assert_error(answer, "permission_denied", extra={"required_scopes": scopes})
