"""The word about a real key that ends soon."""

from typing import Any

import jwt
import pytest

from keyhouse.testing.expiry import warning
from support.world import SECRET

NOW = 1_800_000_000.5  # 2027-01-15 08:00:00 UTC, and a half
DAY = 86400


def token(**claims: Any) -> str:
    return jwt.encode(claims, SECRET)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-DAY, "ended at 2027-01-14 08:00 UTC: make a new one"),
        (0, "ended at 2027-01-15 08:00 UTC: make a new one"),
        (60, "ends in less than a day, at 2027-01-15 08:01 UTC: rotate it"),
        (DAY + 1, "ends in 1 day, at 2027-01-16 08:00 UTC: rotate it"),
        (14 * DAY, "ends in 13 days, at 2027-01-29 08:00 UTC: rotate it"),
        (14 * DAY + 1, None),
        (366 * DAY, None),
    ],
)
def test_a_key_is_spoken_of_when_it_ended_or_ends_within_14_days(seconds: int, told: str | None) -> None:
    assert warning(token(exp=int(NOW) + seconds), NOW) == told


def test_nothing_is_said_without_a_key() -> None:
    assert warning("", NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        "secret-of-another-kind",
        "a.b.c",
        "a.é.c",
        token(),
        token(exp=10**400),
        token(exp=1 << 62),
        token(name="exp"),
        "e30.WzFd.x",
    ],
)
def test_a_text_that_tells_no_end_is_said_to_be_none(text: str) -> None:
    assert warning(text, NOW) == "is no token that tells when it ends"


def test_an_end_that_is_text_is_none() -> None:
    payload = jwt.utils.base64url_encode(b'{"exp": "soon"}').decode()
    assert warning(f"e30.{payload}.x", NOW) == "is no token that tells when it ends"
