"""Contract sections 1 and 3: what is taken, at the very edge of what is not, and how it reads afterwards."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.callers import access
from support.world import World

NAMES = {
    "100 characters": ("x" * 100, "x" * 100),
    "100 emoji": ("\U0001f511" * 100, "\U0001f511" * 100),
    "102 with outer spaces": (f" {'x' * 100}\t", "x" * 100),
    "one character": ("é", "é"),
    "trimmed of a line break": ("\na\n", "a"),
    "right to left": ("مفتاح", "مفتاح"),
    "combining": ("e\u0301", "e\u0301"),
    "markup": ("<b>&amp;</b>", "<b>&amp;</b>"),
    "a quote": ("Robert'); DROP TABLE api_keys;--", "Robert'); DROP TABLE api_keys;--"),
    "a backslash": ("\\u0000", "\\u0000"),
}


@pytest.mark.parametrize("why", NAMES)
async def test_names(shared: World, why: str) -> None:
    given, stored = NAMES[why]
    who = await access(shared, shared.admin)
    for path, body in (("api-keys", {"expires_in": 60}), ("datasets", {})):
        made = await shared.request("POST", f"{shared.base}/{path}/", who, json={"name": given, **body})
        assert made.status_code == 201, made.text
        item = made.headers["location"]
        assert item == f"{shared.base}/{path}/{made.json()['id']}/"
        assert made.json()["name"] == stored
        assert (await shared.request("GET", item, who)).json()["name"] == stored
        changed = await shared.request(
            "PATCH",
            item,
            who,
            content=json.dumps({"name": f" {given} "}).encode(),
            headers={"Content-Type": "application/json"},
        )
        assert changed.json()["name"] == stored


@pytest.mark.parametrize(
    ("given", "read"),
    [("", ""), ("  ", ""), (" a\r\n\tb ", "a\r\n\tb"), ("x" * 10_000, "x" * 10_000), ("\U0001f511" * 10_000,) * 2],
    ids=["empty", "blank", "lines and tabs", "10,000 characters", "10,000 emoji"],
)
async def test_descriptions(shared: World, given: str, read: str) -> None:
    who = await access(shared, shared.admin)
    body = {"name": "x", "description": given}
    made = await shared.request("POST", f"{shared.base}/datasets/", who, json=body)
    assert made.json()["description"] == read


def _moments() -> dict[str, tuple[str, str]]:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    plain = at.strftime("%Y-%m-%dT%H:%M:%S")
    read = f"{plain}Z"
    there = (at + timedelta(hours=5, minutes=30)).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "Z": (f"{plain}Z", read),
        "lower case": (f"{plain}z".lower(), read),
        "no offset from UTC": (f"{plain}+00:00", read),
        "an unknown offset from UTC": (f"{plain}-00:00", read),
        "an offset": (f"{there}+05:30", read),
        "a fraction": (f"{plain}.999999Z", read),
        "nanoseconds": (f"{plain}.999999999Z", read),
        "no seconds": (f"{plain[:16]}Z", f"{plain[:16]}:00Z"),
    }


@pytest.mark.parametrize("why", _moments())
async def test_expires_at(shared: World, why: str) -> None:
    given, read = _moments()[why]
    made = await shared.new_key(expires_at=given)
    assert made["expires_at"] == read


async def test_the_bounds_of_an_expiry(shared: World) -> None:
    for seconds in (60, 31622400):
        made = await shared.new_key(expires_in=seconds)
        created, ends = (datetime.fromisoformat(made[name]) for name in ("created_at", "expires_at"))
        assert ends - created == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, ["datasets:read", "datasets:write"]),
        (["datasets:write", "datasets:read", "datasets:write"], ["datasets:read", "datasets:write"]),
        (["datasets:read"] * 100, ["datasets:read"]),
        (["audit:read"], ["audit:read"]),
    ],
    ids=["left out", "repeated", "a hundred", "of management alone"],
)
async def test_scopes(shared: World, given: Any, read: list[str]) -> None:
    made = await shared.new_key(**({} if given is None else {"scopes": given}))
    assert made["scopes"] == read


@pytest.mark.parametrize("email", ["ADMIN@EXAMPLE.COM", " admin@example.com ", "\uff41dmin@example.com"])
async def test_an_address_is_one_however_it_is_typed(shared: World, email: str) -> None:
    body = {"email": email, "password": "a long enough passphrase"}
    assert (await shared.request("POST", "/api/v1/auth/token/", json=body)).status_code == 200


@pytest.mark.parametrize(
    "password",
    [
        "abcdefghij klmn",
        "".join(chr(0x1F400 + n) for n in range(256)),
        "fifteen chars, with\0and\x1b in it",
        " spaces at both ends ",
    ],
    ids=["15 characters", "256 emoji", "controls", "spaces"],
)
async def test_passwords_are_taken_as_they_are(world: World, password: str) -> None:
    body = {"current_password": "a long enough passphrase", "new_password": password}
    assert (await world.request("POST", "/api/v1/auth/password/", world.admin, json=body)).status_code == 204
    await world.log_in(world.admin, password)
    for other in (password.strip() + "x", password[:-1]):
        wrong = {"email": "admin@example.com", "password": other}
        assert (await world.request("POST", "/api/v1/auth/token/", json=wrong)).status_code == 401
