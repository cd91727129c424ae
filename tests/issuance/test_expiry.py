"""When a new key may end."""

import pytest

from keyhouse.errors import Failure
from keyhouse.issuance.expiry import MIN_TTL, Expiry

NOW = 1_700_000_000
DAY = 86400


@pytest.mark.parametrize("seconds", [MIN_TTL, DAY, 366 * DAY])
def test_within_the_bounds_it_is_what_was_asked_for(seconds: int) -> None:
    assert Expiry(within=seconds).resolve(NOW, 366 * DAY) == NOW + seconds
    assert Expiry(at=NOW + seconds).resolve(NOW, 366 * DAY) == NOW + seconds


@pytest.mark.parametrize(
    ("expiry", "attr", "code", "detail"),
    [
        (Expiry(within=59), "expires_in", "min_value", "Ensure this value is greater than or equal to 60."),
        (Expiry(within=0), "expires_in", "min_value", "Ensure this value is greater than or equal to 60."),
        (Expiry(within=-1), "expires_in", "min_value", "Ensure this value is greater than or equal to 60."),
        (Expiry(within=DAY + 1), "expires_in", "max_value", "Ensure this value is less than or equal to 86400."),
        (Expiry(at=NOW - 1), "expires_at", "invalid", "Expiration date must be in the future."),
        (Expiry(at=NOW), "expires_at", "invalid", "Expiration date must be in the future."),
        (Expiry(at=-5), "expires_at", "invalid", "Expiration date must be in the future."),
        (Expiry(), "expires_at", "invalid", "Expiration date must be in the future."),
        (Expiry(at=NOW + 59), "expires_at", "invalid", "Expiration date must be at least 60 seconds ahead."),
        (Expiry(at=NOW + DAY + 1), "expires_at", "invalid", "Expiration date must be at most 86400 seconds ahead."),
    ],
)
def test_beyond_them_it_is_400_at_the_field_that_was_given(expiry: Expiry, attr: str, code: str, detail: str) -> None:
    with pytest.raises(Failure) as caught:
        expiry.resolve(NOW, DAY)
    (entry,) = caught.value.entries
    assert (caught.value.status, entry.attr, entry.code, entry.detail) == (400, attr, code, detail)
