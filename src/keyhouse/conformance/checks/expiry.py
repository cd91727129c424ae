"""A key's end, waited for."""

from datetime import datetime

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.answer import Answer
from keyhouse.conformance.api import Api

pytestmark = [pytest.mark.contract("2"), pytest.mark.slow]

_SHORTEST_SECONDS = 60


@pytest.fixture(scope="module")
def expired(api: Api) -> tuple[Answer, Answer, Answer]:
    """What a key of the shortest life was answered before its end and after it, and how it stands then."""
    key = api.new_key(expires_in=_SHORTEST_SECONDS)
    before = api.send("GET", api.datasets, token=key["token"])
    api.pause(_SHORTEST_SECONDS + 1)
    after = api.send("GET", api.datasets, token=key["token"])
    return before, after, api.send("GET", f"{api.api_keys}{key['id']}/", token=api.access)


def check_expired(expired: tuple[Answer, Answer, Answer]) -> None:
    """A key that has expired: 401, byte for byte, at its end and not before."""
    before, after, _ = expired
    expect.status(before, 200)
    expect.invalid_token(after)


def check_status(expired: tuple[Answer, Answer, Answer]) -> None:
    """A key that has expired stands as expired, and can't be rotated."""
    read = expired[2]
    expect.same(read.asked, "status", "expired", read.get("status"))
    lived = datetime.fromisoformat(read.get("expires_at")) - datetime.fromisoformat(read.get("created_at"))
    expect.same(read.asked, "expires_at less created_at", _SHORTEST_SECONDS, int(lived.total_seconds()))


def check_rotation(api: Api, access: str, expired: tuple[Answer, Answer, Answer]) -> None:
    """An expired key is not rotated: 409 conflict."""
    path = f"{api.api_keys}{expired[2].get('id')}/rotate/"
    expect.refusal(api.send("POST", path, token=access, json={"expires_in": 3600}), 409, "conflict")
